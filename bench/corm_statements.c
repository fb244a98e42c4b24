/* bench/corm_statements.c -- the statement bench with corm: see statements.h. URL WHAT N; as WHAT there
 * is also "prepare", which makes the table and fills it with ROWS rows. */
#include "statements.h"

#include <corm/corm.h>

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(name, varchar(40))                                                                           \
    X(stock, int)                                                                                  \
    X(price, double)                                                                               \
    X(note, nullable(text))
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

static struct corm_db    *db;
static struct corm_arena *arena;
static struct corm_error  error;

static uint64_t sum(const struct item *p)
{
    return sum_of(p->id, p->name, p->stock, p->price, p->note);
}

static void point(uint32_t n)
{
    struct item p;
    uint64_t    all = 0;
    double      begin = 0;

    for (uint32_t i = 0; i <= n; i++) {
        if (i == 1) /* the first one prepares */
            begin = now();
        if (corm_first(db, item, &p, .where = corm_eq(item.id, key_of(i)), .arena = arena,
                       .error = &error) != 1)
            fail("point", error.message);
        all += i > 0 ? sum(&p) : 0;
        corm_arena_reset(arena);
    }
    report(now() - begin, n, all);
}

static void fetch(uint32_t n)
{
    struct item *rows = NULL;
    uint64_t     all = 0;
    double       begin = now();
    int          count = corm_all(db, item, &rows, .where = corm_le(item.id, (int32_t)n),
                                  .order = {corm_asc(item.id)}, .arena = arena, .error = &error);

    if (count != (int)n)
        fail("fetch", error.message);
    double seconds = now() - begin;
    for (uint32_t i = 0; i < n; i++)
        all += sum(&rows[i]);
    report(seconds, n, all);
}

struct load {
    struct item *rows;
    size_t       n;
};

static int load(struct corm_trx *trx, void *arg)
{
    struct load *l = arg;

    return (int)corm_insert_rows(trx, item, l->n, l->rows);
}

static void bulk(uint32_t n)
{
    struct load l = {calloc(n, sizeof(struct item)), n};
    char       *text = malloc((size_t)n * (ITEM_NAME_SIZE + NOTE_SIZE)), *p = text;
    uint64_t    all = 0;

    if (l.rows == NULL || text == NULL)
        fail("bulk", "no memory");
    for (uint32_t i = 0; i < n; i++, p += ITEM_NAME_SIZE + NOTE_SIZE) {
        int32_t id = (int32_t)i + 1;
        l.rows[i] = (struct item){.id = id,
                                  .name = name_of(id, p),
                                  .stock = stock_of(id),
                                  .price = price_of(id),
                                  .note = note_of(id, p + ITEM_NAME_SIZE)};
        all += sum(&l.rows[i]);
    }
    double begin = now();
    if (corm_transact(db, load, &l, .error = &error) < 0)
        fail("bulk", error.message);
    report(now() - begin, n, all);
    free(l.rows);
    free(text);
}

static void prepare(void)
{
    if (corm_drop_table(db, item, .if_exists = true, .error = &error) < 0 ||
        corm_create_table(db, item, .error = &error) < 0)
        fail("prepare", error.message);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        fail("usage", "corm_statements URL point|fetch|bulk|prepare N");
    uint32_t n = (uint32_t)strtoul(argv[3], NULL, 10);
    arena = corm_arena_new();
    if (corm_open(&db, argv[1], .error = &error) < 0)
        fail("open", error.message);
    if (strcmp(argv[2], "prepare") == 0) {
        prepare();
        bulk(n);
    } else if (strcmp(argv[2], "point") == 0) {
        point(n);
    } else if (strcmp(argv[2], "fetch") == 0) {
        fetch(n);
    } else {
        prepare();
        bulk(n);
    }
    corm_close(db);
    corm_arena_free(arena);
    return 0;
}
