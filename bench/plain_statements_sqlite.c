/* bench/plain_statements_sqlite.c -- the statement bench as one writes it by hand with sqlite3: see
 * statements.h. FILE WHAT N. Text is copied once, into blocks. */
#include "statements.h"

#include <sqlite3.h>

struct item {
    int32_t     id, stock;
    double      price;
    const char *name, *note;
};

static sqlite3 *db;

static void check(int rc, const char *what)
{
    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
        fail(what, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(const char *text)
{
    sqlite3_stmt *s;

    check(sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL), text);
    return s;
}

static char  *block;
static size_t block_left;

static const char *copy(const unsigned char *text, int size)
{
    enum { BLOCK = 1 << 18 };

    if (text == NULL)
        return NULL;
    if (block == NULL || block_left < (size_t)size + 1) { /* never freed: the program ends */
        block = malloc(BLOCK);
        if (block == NULL)
            fail("fetch", "no memory");
        block_left = BLOCK;
    }
    char *p = block;
    memcpy(p, text, (size_t)size);
    p[size] = '\0';
    block += size + 1;
    block_left -= (size_t)size + 1;
    return p;
}

static void take(sqlite3_stmt *s, struct item *p)
{
    const unsigned char *name = sqlite3_column_text(s, 1), *note = sqlite3_column_text(s, 4);

    p->id = sqlite3_column_int(s, 0);
    p->name = copy(name, sqlite3_column_bytes(s, 1));
    p->stock = sqlite3_column_int(s, 2);
    p->price = sqlite3_column_double(s, 3);
    p->note = copy(note, sqlite3_column_bytes(s, 4));
}

static uint64_t sum(const struct item *p)
{
    return sum_of(p->id, p->name, p->stock, p->price, p->note);
}

static void point(uint32_t n)
{
    sqlite3_stmt *s = prepare("SELECT id, name, stock, price, note FROM item WHERE id = ? LIMIT 1");
    struct item   p;
    uint64_t      all = 0;
    double        begin = 0;

    for (uint32_t i = 0; i <= n; i++) {
        char *start = block;
        if (i == 1)
            begin = now();
        check(sqlite3_bind_int(s, 1, key_of(i)), "bind");
        if (sqlite3_step(s) != SQLITE_ROW)
            fail("point", sqlite3_errmsg(db));
        take(s, &p);
        if (sqlite3_step(s) != SQLITE_DONE)
            fail("point", sqlite3_errmsg(db));
        check(sqlite3_reset(s), "reset");
        all += i > 0 ? sum(&p) : 0;
        if (start != NULL) { /* the row is done with */
            block_left += (size_t)(block - start);
            block = start;
        }
    }
    report(now() - begin, n, all);
    (void)sqlite3_finalize(s);
}

static void fetch(uint32_t n)
{
    double        begin = now();
    sqlite3_stmt *s =
        prepare("SELECT id, name, stock, price, note FROM item WHERE id <= ? ORDER BY id");
    size_t       room = 64, count = 0;
    struct item *rows = malloc(room * sizeof(*rows));
    uint64_t     all = 0;

    check(sqlite3_bind_int(s, 1, (int)n), "bind");
    while (rows != NULL && sqlite3_step(s) == SQLITE_ROW) {
        if (count == room)
            rows = realloc(rows, (room *= 2) * sizeof(*rows));
        if (rows != NULL)
            take(s, &rows[count++]);
    }
    double seconds = now() - begin;
    if (rows == NULL || count != n)
        fail("fetch", sqlite3_errmsg(db));
    for (uint32_t i = 0; i < n; i++)
        all += sum(&rows[i]);
    report(seconds, n, all);
    (void)sqlite3_finalize(s);
    free(rows);
}

static void bulk(uint32_t n)
{
    sqlite3_stmt *s =
        prepare("INSERT INTO item (id, name, stock, price, note) VALUES (?, ?, ?, ?, ?)");
    struct item *rows = calloc(n, sizeof(*rows));
    char        *text = malloc((size_t)n * (ITEM_NAME_SIZE + NOTE_SIZE)), *p = text;
    uint64_t     all = 0;

    if (rows == NULL || text == NULL)
        fail("bulk", "no memory");
    for (uint32_t i = 0; i < n; i++, p += ITEM_NAME_SIZE + NOTE_SIZE) {
        int32_t id = (int32_t)i + 1;
        rows[i] = (struct item){id, stock_of(id), price_of(id), name_of(id, p),
                                note_of(id, p + ITEM_NAME_SIZE)};
        all += sum(&rows[i]);
    }
    double begin = now();
    check(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), "begin");
    for (uint32_t i = 0; i < n; i++) {
        check(sqlite3_bind_int(s, 1, rows[i].id), "bind");
        check(sqlite3_bind_text(s, 2, rows[i].name, -1, SQLITE_STATIC), "bind");
        check(sqlite3_bind_int(s, 3, rows[i].stock), "bind");
        check(sqlite3_bind_double(s, 4, rows[i].price), "bind");
        check(sqlite3_bind_text(s, 5, rows[i].note, -1, SQLITE_STATIC), "bind"); /* NULL is NULL */
        if (sqlite3_step(s) != SQLITE_DONE)
            fail("bulk", sqlite3_errmsg(db));
        check(sqlite3_reset(s), "reset");
    }
    check(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), "commit");
    report(now() - begin, n, all);
    (void)sqlite3_finalize(s);
    free(rows);
    free(text);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        fail("usage", "plain_statements_sqlite FILE point|fetch|bulk N");
    uint32_t n = (uint32_t)strtoul(argv[3], NULL, 10);
    if (sqlite3_open(argv[1], &db) != SQLITE_OK)
        fail("open", sqlite3_errmsg(db));
    /* The same durability as corm's. */
    check(
        sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL, NULL, NULL),
        "pragma");
    if (strcmp(argv[2], "point") == 0) {
        point(n);
    } else if (strcmp(argv[2], "fetch") == 0) {
        fetch(n);
    } else {
        check(sqlite3_exec(db, "DELETE FROM item", NULL, NULL, NULL), "delete");
        bulk(n);
    }
    (void)sqlite3_close(db);
    return 0;
}
