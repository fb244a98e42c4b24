/* bench/plain_statements.c -- the statement bench as one writes it by hand with Connector/C and prepared
 * statements: see statements.h. URL WHAT N [array|text]: how the rows of bulk are sent. */
#include "statements.h"

#include <mysql.h>
#include <stdbool.h>

struct item {
    int32_t     id, stock;
    double      price;
    const char *name, *note;
};

static MYSQL *db;

static void check(bool failed, const char *what)
{
    if (failed)
        fail(what, mysql_error(db));
}

static void check_stmt(MYSQL_STMT *s, bool failed, const char *what)
{
    if (failed)
        fail(what, mysql_stmt_error(s));
}

/* mariadb://user:password@host:port/database */
static void connect_to(const char *url)
{
    char user[64], password[128] = "", host[256], port[16], database[64];

    if (sscanf(url, "mariadb://%63[^:@]:%127[^@]@%255[^:]:%15[0-9]/%63[^?]", user, password, host,
               port, database) != 5 &&
        sscanf(url, "mariadb://%63[^:@]@%255[^:]:%15[0-9]/%63[^?]", user, host, port, database) !=
            4)
        fail("usage", "the URL is mariadb://user:password@host:port/database");
    db = mysql_init(NULL);
    if (db == NULL)
        fail("connect", "no memory");
    (void)mysql_options(db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    check(mysql_real_connect(db, host, user, password, database, (unsigned)strtoul(port, NULL, 10),
                             NULL, 0) == NULL,
          "connect");
}

static MYSQL_STMT *prepare(const char *text)
{
    MYSQL_STMT *s = mysql_stmt_init(db);

    check(s == NULL, "statement");
    check_stmt(s, mysql_stmt_prepare(s, text, (unsigned long)strlen(text)) != 0, text);
    return s;
}

/* ---- Rows ------------------------------------------------------------------ */

static struct {
    int32_t       id, stock;
    double        price;
    char          name[4 * ITEM_NAME_SIZE], note[4 * NOTE_SIZE]; /* nothing is longer here */
    unsigned long name_size, note_size;
    my_bool       note_null;
} now_row;

static void bind_row(MYSQL_STMT *s)
{
    MYSQL_BIND b[5] = {{0}};

    b[0].buffer_type = MYSQL_TYPE_LONG, b[0].buffer = &now_row.id;
    b[1].buffer_type = MYSQL_TYPE_STRING, b[1].buffer = now_row.name;
    b[1].buffer_length = sizeof(now_row.name), b[1].length = &now_row.name_size;
    b[2].buffer_type = MYSQL_TYPE_LONG, b[2].buffer = &now_row.stock;
    b[3].buffer_type = MYSQL_TYPE_DOUBLE, b[3].buffer = &now_row.price;
    b[4].buffer_type = MYSQL_TYPE_STRING, b[4].buffer = now_row.note;
    b[4].buffer_length = sizeof(now_row.note), b[4].length = &now_row.note_size;
    b[4].is_null = &now_row.note_null;
    check_stmt(s, mysql_stmt_bind_result(s, b) != 0, "bind");
}

static char  *block;
static size_t block_left;

static const char *copy(const char *text, unsigned long size)
{
    enum { BLOCK = 1 << 18 };

    if (block == NULL || block_left < size + 1) { /* never freed: the program ends */
        block = malloc(BLOCK);
        if (block == NULL)
            fail("fetch", "no memory");
        block_left = BLOCK;
    }
    char *p = block;
    memcpy(p, text, size);
    p[size] = '\0';
    block += size + 1;
    block_left -= size + 1;
    return p;
}

static void take(struct item *p)
{
    p->id = now_row.id;
    p->name = copy(now_row.name, now_row.name_size);
    p->stock = now_row.stock;
    p->price = now_row.price;
    p->note = now_row.note_null ? NULL : copy(now_row.note, now_row.note_size);
}

static uint64_t sum(const struct item *p)
{
    return sum_of(p->id, p->name, p->stock, p->price, p->note);
}

/* ---- Reads ------------------------------------------------------------------- */

static void point(uint32_t n)
{
    MYSQL_STMT *s = prepare("SELECT id, name, stock, price, note FROM item WHERE id = ? LIMIT 1");
    MYSQL_BIND  key = {0};
    int32_t     id;
    struct item p;
    uint64_t    all = 0;
    double      begin = 0;

    key.buffer_type = MYSQL_TYPE_LONG;
    key.buffer = &id;
    check_stmt(s, mysql_stmt_bind_param(s, &key) != 0, "bind");
    bind_row(s);
    for (uint32_t i = 0; i <= n; i++) {
        char *start = block;
        if (i == 1)
            begin = now();
        id = key_of(i);
        check_stmt(s, mysql_stmt_execute(s) != 0, "execute");
        check_stmt(s, mysql_stmt_fetch(s) != 0, "fetch");
        take(&p);
        check_stmt(s, mysql_stmt_free_result(s) != 0, "free");
        all += i > 0 ? sum(&p) : 0;
        if (start != NULL) { /* the row is done with */
            block_left += (size_t)(block - start);
            block = start;
        }
    }
    report(now() - begin, n, all);
    (void)mysql_stmt_close(s);
}

static void fetch(uint32_t n)
{
    double      begin = now();
    MYSQL_STMT *s =
        prepare("SELECT id, name, stock, price, note FROM item WHERE id <= ? ORDER BY id");
    MYSQL_BIND   key = {0};
    size_t       room = 64, count = 0;
    struct item *rows = malloc(room * sizeof(*rows));
    uint64_t     all = 0;

    key.buffer_type = MYSQL_TYPE_LONG;
    key.buffer = &n;
    check_stmt(s, mysql_stmt_bind_param(s, &key) != 0, "bind");
    bind_row(s);
    check_stmt(s, mysql_stmt_execute(s) != 0, "execute");
    while (rows != NULL && mysql_stmt_fetch(s) == 0) {
        if (count == room)
            rows = realloc(rows, (room *= 2) * sizeof(*rows));
        if (rows != NULL)
            take(&rows[count++]);
    }
    double seconds = now() - begin;
    if (rows == NULL || count != n)
        fail("fetch", mysql_stmt_error(s));
    for (uint32_t i = 0; i < n; i++)
        all += sum(&rows[i]);
    report(seconds, n, all);
    (void)mysql_stmt_close(s);
    free(rows);
}

/* ---- Bulk ------------------------------------------------------------------------ */

static void insert_array(const struct item *rows, uint32_t n)
{
    MYSQL_STMT *s =
        prepare("INSERT INTO item (id, name, stock, price, note) VALUES (?, ?, ?, ?, ?)");
    MYSQL_BIND     b[5] = {{0}};
    char          *nulls = calloc(n, 1);
    const char   **names = calloc(n, sizeof(*names)), **notes = calloc(n, sizeof(*notes));
    unsigned long *name_sizes = calloc(n, sizeof(*name_sizes)),
                  *note_sizes = calloc(n, sizeof(*note_sizes));
    int32_t *ids = calloc(n, sizeof(*ids)), *stocks = calloc(n, sizeof(*stocks));
    double  *prices = calloc(n, sizeof(*prices));
    unsigned count = n;

    if (nulls == NULL || names == NULL || notes == NULL || name_sizes == NULL ||
        note_sizes == NULL || ids == NULL || stocks == NULL || prices == NULL)
        fail("bulk", "no memory");
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = rows[i].id;
        names[i] = rows[i].name;
        name_sizes[i] = (unsigned long)strlen(rows[i].name);
        stocks[i] = rows[i].stock;
        prices[i] = rows[i].price;
        notes[i] = rows[i].note;
        note_sizes[i] = rows[i].note != NULL ? (unsigned long)strlen(rows[i].note) : 0;
        nulls[i] = rows[i].note != NULL ? STMT_INDICATOR_NONE : STMT_INDICATOR_NULL;
    }
    b[0].buffer_type = MYSQL_TYPE_LONG, b[0].buffer = ids;
    b[1].buffer_type = MYSQL_TYPE_STRING, b[1].buffer = names, b[1].length = name_sizes;
    b[2].buffer_type = MYSQL_TYPE_LONG, b[2].buffer = stocks;
    b[3].buffer_type = MYSQL_TYPE_DOUBLE, b[3].buffer = prices;
    b[4].buffer_type = MYSQL_TYPE_STRING, b[4].buffer = notes, b[4].length = note_sizes;
    b[4].u.indicator = nulls;
    check_stmt(s, mysql_stmt_attr_set(s, STMT_ATTR_ARRAY_SIZE, &count) != 0, "array");
    check_stmt(s, mysql_stmt_bind_param(s, b) != 0, "bind");
    check_stmt(s, mysql_stmt_execute(s) != 0, "execute");
    (void)mysql_stmt_close(s);
    free(nulls), free(names), free(notes), free(name_sizes), free(note_sizes);
    free(ids), free(stocks), free(prices);
}

/* 1,000 rows in each text. */
static void insert_text(const struct item *rows, uint32_t n)
{
    enum { ROWS_A_TEXT = 1000, ROW_SIZE = 64 + 2 * (ITEM_NAME_SIZE + NOTE_SIZE) };
    char *text = malloc((size_t)ROWS_A_TEXT * ROW_SIZE + 128);

    if (text == NULL)
        fail("bulk", "no memory");
    for (uint32_t i = 0; i < n;) {
        char *p = text + sprintf(text, "INSERT INTO item (id, name, stock, price, note) VALUES ");
        for (uint32_t end = n - i > ROWS_A_TEXT ? i + ROWS_A_TEXT : n; i < end; i++) {
            p += sprintf(p, "(%d,'", rows[i].id);
            p += mysql_real_escape_string(db, p, rows[i].name, (unsigned long)strlen(rows[i].name));
            p += sprintf(p, "',%d,%.17g,", rows[i].stock, rows[i].price);
            if (rows[i].note != NULL) {
                *p++ = '\'';
                p += mysql_real_escape_string(db, p, rows[i].note,
                                              (unsigned long)strlen(rows[i].note));
                *p++ = '\'';
            } else {
                p += sprintf(p, "NULL");
            }
            *p++ = ')';
            *p++ = ',';
        }
        check(mysql_real_query(db, text, (unsigned long)(p - text - 1)) != 0, "insert");
    }
    free(text);
}

static void bulk(uint32_t n, bool as_text)
{
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
    check(mysql_query(db, "START TRANSACTION") != 0, "begin");
    if (as_text)
        insert_text(rows, n);
    else
        insert_array(rows, n);
    check(mysql_commit(db) != 0, "commit");
    report(now() - begin, n, all);
    free(rows);
    free(text);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        fail("usage", "plain_statements URL point|fetch|bulk N [array|text]");
    uint32_t n = (uint32_t)strtoul(argv[3], NULL, 10);
    connect_to(argv[1]);
    if (strcmp(argv[2], "point") == 0) {
        point(n);
    } else if (strcmp(argv[2], "fetch") == 0) {
        fetch(n);
    } else {
        check(mysql_query(db, "TRUNCATE TABLE item") != 0, "truncate");
        bulk(n, argc > 4 && strcmp(argv[4], "text") == 0);
    }
    mysql_close(db);
    mysql_library_end();
    return 0;
}
