/* corm_cost: what corm spends on one purchase, or one read: counted, not timed.
 *
 * Does works, one after the other, each in the function measured(), before and behind which callgrind
 * can be told to count anew (cost.py does). For each it prints a line: how many were made, and what corm
 * and the server counted meanwhile. The same work counts the same each time, as far as that lies with
 * this program:
 *
 *     read    a row by its key, on the db
 *     single  a purchase in a transaction of its own, by one who waits for it
 *     keyed   the same with a .key, in the lane
 *     group   rounds of --members purchases of one product. A first one, the holder, keeps the lane until all
 *             are submitted; so they share transactions of group_max= members, whatever the threads do
 *     holder  such rounds with the holder alone: to be taken off */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "shop_corm.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const program = "corm_cost";

enum { MAX_MEMBERS = 20000, MAX_WIDTH = 4000, MAX_TIMES = 1000000 };

/* Orders of 4, 8, 16 and 32 columns, and one with a text. */
/* clang-format off */
#define ORDER_4(X)                                                                                 \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(user_id, int) X(product_id, int) X(qty, int)
#define ORDER_8(X)                                                                                 \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(user_id, int) X(product_id, int) X(qty, int)                                                 \
    X(a, int) X(b, int) X(c, int) X(d, int)
#define ORDER_16(X)                                                                                \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(user_id, int) X(product_id, int) X(qty, int)                                                 \
    X(a, int) X(b, int) X(c, int) X(d, int) X(e, int) X(f, int) X(g, int) X(h, int)                \
    X(i, int) X(j, int) X(k, int) X(l, int)
#define ORDER_32(X)                                                                                \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(user_id, int) X(product_id, int) X(qty, int)                                                 \
    X(a, int) X(b, int) X(c, int) X(d, int) X(e, int) X(f, int) X(g, int) X(h, int)                \
    X(i, int) X(j, int) X(k, int) X(l, int) X(m, int) X(n, int) X(o, int) X(p, int)                \
    X(q, int) X(r, int) X(s, int) X(t, int) X(u, int) X(v, int) X(w, int) X(x, int)                \
    X(y, int) X(z, int) X(aa, int) X(bb, int)
#define ORDER_TEXT(X) \
    X(id, int, .pk = 1, .autoinc = 1) X(user_id, int) X(product_id, int) X(qty, int) \
    X(note, varchar(4000))
/* clang-format on */

struct want {
    int         id; /* of the product */
    int         user;
    const char *note;
};

/* How orders of a shape are made. */
struct shape {
    int columns;
    int (*make)(struct corm_db *db, struct corm_error *error);
    int (*insert)(struct corm_trx *trx, const struct want *want);
};

#define TABLE(NAME, LIST)                                                                          \
    CORM_MODEL_AS(NAME, "order", LIST);                                                            \
    CORM_DEFINE(NAME, LIST);                                                                       \
    static int make_##NAME(struct corm_db *db, struct corm_error *error)                           \
    {                                                                                              \
        int rc = corm_drop_table(db, NAME, .if_exists = true, .error = error);                     \
        return rc < 0 ? rc : corm_create_table(db, NAME, .error = error);                          \
    }
#define SHAPE(NAME, LIST)                                                                          \
    TABLE(NAME, LIST)                                                                              \
    static int insert_##NAME(struct corm_trx *trx, const struct want *want)                        \
    {                                                                                              \
        struct NAME row = {.user_id = want->user, .product_id = want->id, .qty = 1};               \
        return corm_insert_row(trx, NAME, &row);                                                   \
    }
SHAPE(order_4, ORDER_4)
SHAPE(order_8, ORDER_8)
SHAPE(order_16, ORDER_16)
SHAPE(order_32, ORDER_32)

TABLE(order_text, ORDER_TEXT)
static int insert_order_text(struct corm_trx *trx, const struct want *want)
{
    struct order_text row = {
        .user_id = want->user, .product_id = want->id, .qty = 1, .note = want->note};

    return corm_insert_row(trx, order_text, &row);
}

static const struct shape shapes[] = {{4, make_order_4, insert_order_4},
                                      {8, make_order_8, insert_order_8},
                                      {16, make_order_16, insert_order_16},
                                      {32, make_order_32, insert_order_32},
                                      {5, make_order_text, insert_order_text}};

struct options {
    const char *url;
    int         members;
    int         times; /* how often a work is done, or how many rounds */
    int         columns;
    int         width; /* of the text */
};

/* The one who keeps the lane, and who waits for whom. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t  changed;
    bool            begun; /* the holder runs */
    bool            open;  /* it may go on */
};

static struct corm_db     *db;
static struct corm_arena  *arena;
static const struct shape *shape;
static struct want         want = {.id = 1, .user = 1, .note = ""};
static struct gate gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
static int64_t     failed;

/* ---- works ----------------------------------------------------------------------------- */

static int buy(struct corm_trx *trx, void *arg)
{
    const struct want *w = arg;
    struct product     p;
    int                rc =
        corm_first(trx, product, &p, .where = corm_eq(product.id, w->id), .lock = CORM_FOR_UPDATE);

    if (rc < 0)
        return rc;
    if (rc == 0 || p.stock < 1)
        return corm_abort(trx, SOLD_OUT, "sold out");
    rc =
        corm_update(trx, product, corm_eq(product.id, w->id), corm_set(product.stock, p.stock - 1));
    return rc < 0 ? rc : shape->insert(trx, w);
}

static int hold(struct corm_trx *trx, void *arg)
{
    (void)trx;
    (void)arg;
    pthread_mutex_lock(&gate.mutex);
    gate.begun = true;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
    return 0;
}

static void told(int rc, const struct corm_error *error, void *arg)
{
    (void)arg;
    if (rc < 0 && failed++ == 0)
        fprintf(stderr, "%s: %s\n", program, error->message);
}

static void submit(corm_trx_function *function)
{
    struct corm_error error = {0};

    check(corm_submit(db, function, &want, .key = corm_eq(product.id, want.id), .done = told,
                      .error = &error),
          &error);
}

static void go_round(int members)
{
    gate.begun = gate.open = false;
    submit(hold);
    pthread_mutex_lock(&gate.mutex);
    while (!gate.begun)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
    for (int i = 0; i < members; i++)
        submit(buy);
    pthread_mutex_lock(&gate.mutex);
    gate.open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
    check(corm_drain(db), &(struct corm_error){.message = "corm_drain() has failed"});
}

static void read_one(void)
{
    struct corm_error error = {0};
    struct product    p;

    if (corm_first(db, product, &p, .where = corm_eq(product.id, 1), .arena = arena,
                   .error = &error) != 1)
        die("there is no product: %s", error.message);
    corm_arena_reset(arena);
}

static void buy_single(void)
{
    struct corm_error error = {0};

    check(corm_transact(db, buy, &want, .error = &error), &error);
}

static void buy_keyed(void)
{
    struct corm_error error = {0};

    check(corm_transact(db, buy, &want, .key = corm_eq(product.id, 1), .error = &error), &error);
}

struct work {
    const char *name;
    void (*once)(void); /* NULL: */
    bool has_members;   /* of rounds */
    bool buys;
};

static const struct work works[] = {{"read", read_one, false, false},
                                    {"single", buy_single, false, true},
                                    {"keyed", buy_keyed, false, true},
                                    {"group", NULL, true, true},
                                    {"holder", NULL, false, false}};

/* Not static, nor inlined: callgrind finds it by its name. */
void                           measured(const struct work *work, int times, int members);
__attribute__((noinline)) void measured(const struct work *work, int times, int members)
{
    for (int i = 0; i < times; i++) {
        if (work->once != NULL)
            work->once();
        else
            go_round(work->has_members ? members : 0);
    }
}

/* ---- what was counted ------------------------------------------------------------------ */

struct counted {
    struct corm_counters corm;
    int64_t              received, sent; /* bytes, as the server sees it */
};

/* Of all connections; 0 of SQLite. */
static int64_t status_of(struct corm_db *beside, const char *name)
{
    struct corm_rows  rows = {0};
    struct corm_error error = {0};
    int64_t           number = 0;

    if (beside == NULL)
        return 0;
    check(corm_sql(beside, &rows,
                   "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS"
                   " WHERE VARIABLE_NAME = ?",
                   corm_vals(name), .arena = arena, .error = &error),
          &error);
    if (rows.row_count == 1)
        number = rows.values[0].as.i;
    corm_arena_reset(arena);
    return number;
}

static struct counted count(struct corm_db *beside)
{
    struct counted c = {.sent = status_of(beside, "Bytes_sent"),
                        .received = status_of(beside, "Bytes_received")};

    corm_stats(db, &c.corm);
    return c;
}

/* What asking costs itself. */
static struct counted cost_of_asking(struct corm_db *beside)
{
    (void)count(beside);
    struct counted one = count(beside), two = count(beside);

    return (struct counted){.received = two.received - one.received, .sent = two.sent - one.sent};
}

static void do_work(const struct work *work, const struct options *opt, struct corm_db *beside)
{
    struct counted asking, before, after;
    int            n = work->has_members ? opt->times * opt->members : opt->times;

    measured(work, 2, opt->members); /* prepares what there is to be prepared */
    asking = cost_of_asking(beside);
    before = count(beside);
    measured(work, opt->times, opt->members);
    after = count(beside);
    printf(
        "{\"work\":\"%s\",\"n\":%d,\"rounds\":%d,\"round_trips\":%" PRIu64 ",\"commits\":%" PRIu64
        ",\"groups\":%" PRIu64 ",\"bytes_up\":%" PRId64 ",\"bytes_down\":%" PRId64 "}\n",
        work->name, n, opt->times, after.corm.round_trips - before.corm.round_trips,
        after.corm.commits - before.corm.commits, after.corm.groups - before.corm.groups,
        after.received - before.received - asking.received, after.sent - before.sent - asking.sent);
}

/* ---- the tables ------------------------------------------------------------------------ */

static void make(void)
{
    struct corm_error error = {0};
    struct demand     demand = usual_demand();

    demand.stock = INT32_MAX;
    check(corm_setup(db, &error), &error);
    make_tables(db, &demand);
    check(shape->make(db, &error), &error);
}

/* What is gone from the stock is what was ordered. */
static bool agrees(int64_t bought)
{
    struct corm_error error = {0};
    struct product    p = {0};
    int64_t           orders = corm_count(db, order_4, .error = &error);

    check(orders, &error);
    check(corm_first(db, product, &p, .arena = arena, .error = &error), &error);
    if (failed == 0 && orders == bought && INT32_MAX - (int64_t)p.stock == bought)
        return true;
    fprintf(stderr,
            "%s: %" PRId64 " were bought, %" PRId64 " are ordered, %d left, %" PRId64 " failed\n",
            program, bought, orders, (int)p.stock, failed);
    return false;
}

static const struct work *work_of(const char *name)
{
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        if (strcmp(works[i].name, name) == 0)
            return &works[i];
    }
    die("there is no work %s; there are read, single, keyed, group and holder", name);
}

static void take_shape(const struct options *opt)
{
    int columns = opt->width > 0 ? 5 : opt->columns;

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (shapes[i].columns == columns)
            shape = &shapes[i];
    }
    if (shape == NULL)
        die("--columns wants 4, 8, 16 or 32");
    char *note = allocate((size_t)opt->width + 1, 1);
    memset(note, 'x', (size_t)opt->width);
    want.note = note;
}

int main(int argc, char **argv)
{
    struct options    opt = {.members = 256, .times = 10, .columns = 4};
    const char       *list = "read,single,keyed,group,holder";
    struct option_row rows[] = {
        {"url", "URL", "the database; pool= must leave room, group_max= is taken",
         .text = &opt.url},
        {"works", "LIST", "of read,single,keyed,group,holder, in this order (all)", .text = &list},
        {"members", "N", "of a round (256)", &opt.members, 1, MAX_MEMBERS, NULL, NULL},
        {"times", "N", "how often each is done (10)", &opt.times, 1, MAX_TIMES, NULL, NULL},
        {"columns", "N", "of an order: 4, 8, 16 or 32 (4)", &opt.columns, 4, 32, NULL, NULL},
        {"width", "N", "bytes of a text in an order, which then has 5 columns (0: none)",
         &opt.width, 0, MAX_WIDTH, NULL, NULL},
        {0},
    };
    struct corm_error error = {0};
    struct corm_db   *beside = NULL;
    int64_t           bought = 0;
    bool              right;

    read_options(argc, argv, "--url URL [options]", rows, NULL);
    if (opt.url == NULL)
        die("--url is missing (--help tells more)");
    take_shape(&opt);
    arena = corm_arena_new();
    if (arena == NULL)
        die("out of memory");
    check(corm_open(&db, opt.url, .error = &error), &error);
    if (corm_dialect_of(db) != CORM_DIALECT_SQLITE)
        check(corm_open(&beside, opt.url, .error = &error), &error);
    make();
    char *rest = NULL, *copy = strdup(list);
    for (char *name = strtok_r(copy, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        const struct work *work = work_of(name);
        do_work(work, &opt, beside);
        if (work->buys)
            bought += (int64_t)(opt.times + 2) * (work->has_members ? opt.members : 1);
    }
    right = agrees(bought);
    corm_close(beside);
    corm_close(db);
    corm_arena_free(arena);
    free(copy);
    return right && fflush(stdout) == 0 ? 0 : 1;
}
