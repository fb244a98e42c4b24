/* tests/purchases.c -- six ways to buy, what the buyer is told, and what the database holds. */
#include "purchases.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

CORM_DEFINE(product, PRODUCT);
CORM_DEFINE(purchase, PURCHASE);

enum { GATE_MS = 60000, HOLD_MS = 10000 };

static void die(const char *what, const char *more)
{
    (void)fprintf(stderr, "# cannot go on: %s%s\n", what, more);
    abort();
}

/* ---- The shapes ---------------------------------------------------------------- */

static const struct {
    const char *name;
    int         marks, rows;
} shapes[SHAPES] = {
    [SINGLE] = {"single write", 1, 1},        [LOCKED] = {"locked purchase", 1, 1},
    [GUARDED] = {"guarded purchase", 1, 1},   [FLUSH] = {"flush of 16", 1, FLUSH_PRODUCTS},
    [GROUP] = {"group of 32", GROUP_SIZE, 1}, [EXPLICIT] = {"explicit", 1, 1},
};

const char *shape_name(enum shape shape)
{
    return shapes[shape].name;
}

int marks_of(enum shape shape)
{
    return shapes[shape].marks;
}

int rows_of(enum shape shape)
{
    return shapes[shape].rows;
}

struct want {
    int64_t      mark;
    int32_t      product_id;
    struct told *told;
};

static int write_purchase(struct corm_trx *trx, const struct want *want)
{
    return corm_insert_row(
        trx, purchase,
        &((struct purchase){.mark = want->mark, .product_id = want->product_id, .qty = 1}));
}

static int locked(struct corm_trx *trx, void *arg)
{
    const struct want *want = arg;
    struct product     p;
    int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, want->product_id),
                        .lock = CORM_FOR_UPDATE);

    if (rc < 0)
        return rc;
    if (rc == 0 || p.stock < 1)
        return corm_abort(trx, SOLD_OUT, "nothing is left");
    rc = corm_update(trx, product, corm_eq(product.id, want->product_id),
                     corm_set(product.stock, p.stock - 1));
    return rc < 0 ? rc : write_purchase(trx, want);
}

static int guarded(struct corm_trx *trx, void *arg)
{
    const struct want *want = arg;
    int                rc = corm_update(trx, product,
                                        corm_and(corm_eq(product.id, want->product_id), corm_ge(product.stock, 1)),
                                        corm_add(product.stock, -1));

    if (rc < 0)
        return rc;
    return rc == 0 ? corm_abort(trx, SOLD_OUT, "nothing is left") : write_purchase(trx, want);
}

static int flushed(struct corm_trx *trx, void *arg)
{
    struct want want = *(const struct want *)arg;
    int         rc = 0;

    for (int i = 0; rc >= 0 && i < FLUSH_PRODUCTS; i++, want.product_id++) {
        rc = corm_update(trx, product, corm_eq(product.id, want.product_id),
                         corm_add(product.stock, -1), .later = true);
        if (rc >= 0)
            rc = write_purchase(trx, &want);
    }
    return rc;
}

static int explicitly(struct corm_db *db, uint32_t timeout_ms, struct want *want,
                      struct corm_error *error)
{
    struct corm_trx *trx;
    int              rc = corm_begin(db, &trx, .timeout_ms = timeout_ms, .error = error);

    if (rc < 0)
        return rc;
    rc = locked(trx, want);
    if (rc >= 0)
        rc = corm_commit(trx);
    corm_end(trx);
    return rc;
}

static int buy_once(const struct buyer *b, enum shape shape, struct want *want,
                    struct corm_error *error)
{
    switch (shape) {
    case SINGLE:
        return corm_insert_row(b->db, purchase,
                               &((struct purchase){.mark = want->mark, .product_id = -1, .qty = 1}),
                               .error = error);
    case LOCKED:
        return corm_transact(b->db, locked, want, .timeout_ms = b->timeout_ms, .error = error);
    case GUARDED:
        return corm_transact(b->db, guarded, want, .timeout_ms = b->timeout_ms, .error = error);
    case FLUSH:
        return corm_transact(b->db, flushed, want, .timeout_ms = b->timeout_ms, .error = error);
    default: return explicitly(b->db, b->timeout_ms, want, error);
    }
}

static struct told tell(int rc, const struct corm_error *error)
{
    struct told told = {.rc = rc};

#if HAS_LEDGER
    if (rc == CORM_UNKNOWN && error != NULL)
        told.outcome = error->outcome;
#else
    (void)error;
#endif
    return told;
}

/* ---- A group -------------------------------------------------------------------- */

struct hold {
    struct gate entered, open;
};

/* Keeps the lane until all members wait behind it, so that they board together. */
static int hold_lane(struct corm_trx *trx, void *arg)
{
    struct hold *h = arg;

    open_gate(&h->entered);
    if (!pass_gate(&h->open, GATE_MS))
        die("a lane was never let go", "");
    return corm_abort(trx, SOLD_OUT, "only held the lane");
}

static void member_done(int rc, const struct corm_error *error, void *arg)
{
    struct want *want = arg;

    *want->told = tell(rc, error);
}

/* It wants a row that is not there, in the only lane. */
static int64_t hold(const struct buyer *b, struct hold *h)
{
    int64_t ticket =
        corm_submit(b->db, hold_lane, h, .key = corm_eq(product.id, -1), .timeout_ms = HOLD_MS);

    if (ticket < 0 || !pass_gate(&h->entered, GATE_MS))
        die("a lane cannot be held", "");
    return ticket;
}

static void buy_group(struct buyer *b, int64_t mark, struct told *told)
{
    struct hold h = {GATE, GATE};
    struct want wants[GROUP_SIZE];
    int64_t     tickets[GROUP_SIZE], held = b->boards_freely ? 0 : hold(b, &h);
    int32_t     id = b->first_product + FLUSH_PRODUCTS;

    if (b->armed != NULL)
        b->armed(b->arg);
    for (int i = 0; i < GROUP_SIZE; i++) {
        struct corm_error error = {0};
        wants[i] = (struct want){mark + i, id, &told[i]};
        tickets[i] = corm_submit(b->db, locked, &wants[i], .key = corm_eq(product.id, id),
                                 .timeout_ms = b->timeout_ms, .done = member_done, .error = &error);
        if (tickets[i] < 0)
            told[i] = tell((int)tickets[i], &error);
    }
    open_gate(&h.open);
    if (held > 0)
        (void)corm_wait(b->db, held, NULL);
    for (int i = 0; i < GROUP_SIZE; i++)
        if (tickets[i] > 0)
            (void)corm_wait(b->db, tickets[i], NULL);
}

void buy(struct buyer *b, enum shape shape, int64_t mark, struct told told[MARKS_MAX])
{
    enum { TRIES = 5 };
    bool        for_flush = shape == FLUSH;
    struct want want = {mark, b->first_product + (for_flush ? 0 : PRODUCTS - 1), told};

    if (shape == GROUP) {
        buy_group(b, mark, told);
        return;
    }
    if (b->armed != NULL)
        b->armed(b->arg);
    for (int tries = 0; tries < TRIES; tries++) {
        struct corm_error error = {0};
        int               rc = buy_once(b, shape, &want, &error);
        told[0] = tell(rc, &error);
        if (rc != CORM_UNKNOWN || !b->again_after_unknown)
            return;
    }
}

/* ---- The database, beside corm ---------------------------------------------------- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL)
        die("not in the environment: ", name);
    return value;
}

static MYSQL *connect_books(const char *database)
{
    MYSQL   *books = mysql_init(NULL);
    unsigned port = (unsigned)strtoul(environment("CORM_TEST_MARIADB_PORT"), NULL, 10);
    unsigned tcp = MYSQL_PROTOCOL_TCP;

    if (books == NULL)
        die("no memory", "");
    mysql_optionsv(books, MYSQL_OPT_PROTOCOL, &tcp);
    if (mysql_real_connect(books, "127.0.0.1", environment("CORM_TEST_MARIADB_USER"),
                           environment("CORM_TEST_MARIADB_PASSWORD"), database, port, NULL,
                           0) == NULL) {
        mysql_close(books);
        return NULL;
    }
    return books;
}

MYSQL *open_books(void)
{
    const char *slash = strrchr(test_url(NULL), '/');
    MYSQL      *books;

    for (int64_t end = now_ms() + 30000; (books = connect_books(slash + 1)) == NULL;) {
        struct timespec pause = {.tv_nsec = 50000000};
        if (now_ms() >= end)
            die("the server cannot be reached beside corm", "");
        (void)nanosleep(&pause, NULL);
    }
    return books;
}

enum { TEXT_SIZE = 1024 };

static bool ask(MYSQL *books, long long *number, const char *text)
{
    *number = 0;
    if (mysql_query(books, text) != 0)
        return false;
    MYSQL_RES *rows = mysql_store_result(books);
    MYSQL_ROW  row = rows != NULL ? mysql_fetch_row(rows) : NULL;
    if (row != NULL && row[0] != NULL)
        *number = strtoll(row[0], NULL, 10);
    mysql_free_result(rows);
    return mysql_errno(books) == 0;
}

bool try_books(MYSQL *books, long long *number, const char *format, ...)
{
    char    text[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return ask(books, number, text);
}

long long ask_books(MYSQL *books, const char *format, ...)
{
    char      text[TEXT_SIZE];
    long long number;
    va_list   args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!ask(books, &number, text))
        die(format, mysql_error(books));
    return number;
}

void make_shop(struct corm_db *db, int32_t products, int32_t stock)
{
    struct product *all = calloc((size_t)products, sizeof(*all));

    assert_non_null(all);
    new_table(db, product);
    new_table(db, purchase);
    beside("CREATE INDEX purchase_mark ON purchase (mark)");
    for (int32_t i = 0; i < products; i++)
        all[i] = (struct product){.id = i, .stock = stock};
    struct corm_error error = {0};
    assert_rows(corm_insert_rows(db, product, (size_t)products, all, .error = &error), products,
                &error);
    free(all);
}

int set_up_ledger(struct corm_db *db)
{
#if HAS_LEDGER
    return corm_setup(db, NULL);
#else
    (void)db;
    return 0;
#endif
}

static MYSQL_RES *query(MYSQL *books, const char *text)
{
    MYSQL_RES *rows = mysql_query(books, text) == 0 ? mysql_store_result(books) : NULL;

    if (rows == NULL)
        die("the books cannot be read: ", mysql_error(books));
    return rows;
}

struct page read_page(MYSQL *books, int64_t mark, int count, int32_t product_id,
                      int32_t stock[PRODUCTS])
{
    struct page page = {{0}, false};
    char        text[256];
    MYSQL_ROW   row;

    (void)snprintf(text, sizeof(text),
                   "SELECT mark, product_id, COUNT(*) FROM purchase WHERE mark >= %" PRId64
                   " AND mark < %" PRId64 " GROUP BY mark, product_id",
                   mark, mark + count);
    MYSQL_RES *rows = query(books, text);
    while ((row = mysql_fetch_row(rows)) != NULL) {
        int32_t product_at = (int32_t)strtol(row[1], NULL, 10) - product_id;
        int32_t sold = (int32_t)strtol(row[2], NULL, 10);
        page.rows[strtoll(row[0], NULL, 10) - mark] += sold;
        if (product_at >= 0 && product_at < PRODUCTS)
            stock[product_at] -= sold;
    }
    mysql_free_result(rows);
    (void)snprintf(text, sizeof(text), "SELECT id, stock FROM product WHERE id >= %d AND id < %d",
                   product_id, product_id + PRODUCTS);
    rows = query(books, text);
    while ((row = mysql_fetch_row(rows)) != NULL) {
        int32_t *expected = &stock[(int32_t)strtol(row[0], NULL, 10) - product_id];
        int32_t  found = (int32_t)strtol(row[1], NULL, 10);
        page.torn = page.torn || found != *expected;
        *expected = found;
    }
    mysql_free_result(rows);
    return page;
}

/* ---- The verdict -------------------------------------------------------------------- */

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[VERDICTS] = {
        [APPLIED] = "applied",
        [ABSENT] = "absent",
        [UNKNOWN_THERE] = "unknown, there",
        [UNKNOWN_ABSENT] = "unknown, absent",
        [LATER_THERE] = "later, there",
        [LATER_ABSENT] = "later, absent",
        [WRONG] = "WRONG",
    };

    return names[verdict];
}

/* 1 it happened, 0 it did not, or a negative code. */
static int ask_again(struct corm_db *db, const struct told *told, uint32_t later_ms)
{
#if HAS_LEDGER
    if (told->outcome != 0 && later_ms != 0)
        return corm_outcome(db, told->outcome, later_ms, NULL);
#else
    (void)db, (void)told, (void)later_ms;
#endif
    return CORM_UNKNOWN;
}

enum verdict judge(struct corm_db *db, enum shape shape, const struct told *told, int rows,
                   uint32_t later_ms)
{
    bool is_there = rows == rows_of(shape);

    if (!is_there && rows != 0)
        return WRONG;
    if (told->rc >= 0)
        return is_there ? APPLIED : WRONG;
    if (told->rc != CORM_UNKNOWN)
        return is_there ? WRONG : ABSENT;
    int later = ask_again(db, told, later_ms);
    if (later == CORM_UNKNOWN)
        return is_there ? UNKNOWN_THERE : UNKNOWN_ABSENT;
    if (later < 0 || (later == 1) != is_there)
        return WRONG;
    return is_there ? LATER_THERE : LATER_ABSENT;
}
