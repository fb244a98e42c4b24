/* corm_group: purchases submitted to corm's lanes, of which some are refused by their own function or by a
 * unique key: what that costs the others.
 *
 * One thread keeps --in-flight purchases under way. Each writes an order with a number of its own, which is
 * unique. Of those that are to fail by it, the number is in the table before: each its own, so that
 * no two fail together. It ends with 0 only if every purchase came to what it had to come to, and the
 * tables agree with what was told. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "shop.h"

#include <corm/corm.h>

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

const char *const program = "corm_group";

#define PRODUCT(X)                                                                                 \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(20))                                                                           \
    X(stock, int)
CORM_MODEL(product, PRODUCT);
CORM_DEFINE(product, PRODUCT);

#define ORDER(X)                                                                                   \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(user_id, int)                                                                                \
    X(product_id, int)                                                                             \
    X(qty, int)                                                                                    \
    X(number, int, .unique = 1)
CORM_MODEL(order, ORDER);
CORM_DEFINE(order, ORDER);

enum { SOLD_OUT = CORM_USER };
enum { MAX_IN_FLIGHT = 100000, ROWS_AT_ONCE = 1000 };

struct options {
    const char *url;
    int         in_flight;
    int         purchases;
    int         products;
    int         stock;
    int         qty_min;
    int         qty_max;
    int         refused_percent;
    int         duplicate_percent;
    uint64_t    seed;
    bool        json;
};

/* What a purchase has to come to. */
enum fate { BUYS, IS_REFUSED, IS_DUPLICATE };

struct purchase {
    struct shop     *shop;
    enum fate        fate;
    int              index;
    int              user;
    struct wish      wish;
    int              runs; /* of its function */
    uint64_t         start_ns;
    struct purchase *next; /* while free */
};

struct shop {
    struct corm_db       *db;
    const struct options *opt;
    struct purchase      *all;
    struct purchase      *free;
    int                   under_way;
    int                   counts[3]; /* by fate: those that came to it */
    int64_t               pieces;
    int64_t               runs; /* of those that bought */
    int                   failed;
    uint64_t             *latency_ns;
};

/* ---- a purchase ------------------------------------------------------------------------ */

static enum fate fate_of(const struct options *opt, int index)
{
    int at = (int)(mix(opt->seed + (uint64_t)index) % 100);

    if (at < opt->refused_percent)
        return IS_REFUSED;
    return at < opt->refused_percent + opt->duplicate_percent ? IS_DUPLICATE : BUYS;
}

static int buy(struct corm_trx *trx, void *arg)
{
    struct purchase *want = arg;
    struct product   p;
    int              rc;

    want->runs++; /* a measurement, which nothing depends on */
    rc = corm_first(trx, product, &p, .where = corm_eq(product.id, want->wish.product),
                    .lock = CORM_FOR_UPDATE);
    if (rc <= 0)
        return rc < 0 ? rc : corm_abort(trx, SOLD_OUT, "no product %d", want->wish.product);
    if (p.stock < want->wish.qty)
        return corm_abort(trx, SOLD_OUT, "%d left", p.stock);
    rc = corm_update(trx, product, corm_eq(product.id, want->wish.product),
                     corm_set(product.stock, p.stock - want->wish.qty));
    if (rc < 0)
        return rc;
    struct order row = {.user_id = want->user,
                        .product_id = want->wish.product,
                        .qty = want->wish.qty,
                        .number = want->index + 1};
    return corm_insert_row(trx, order, &row);
}

static void told(int rc, const struct corm_error *error, void *arg)
{
    static const int codes[] = {[IS_REFUSED] = SOLD_OUT, [IS_DUPLICATE] = CORM_DUPLICATE};
    struct purchase *want = arg;
    struct shop     *shop = want->shop;
    bool             right = want->fate == BUYS ? rc >= 0 : rc == codes[want->fate];

    shop->under_way--;
    shop->latency_ns[want->index] = now_ns() - want->start_ns;
    if (right) {
        shop->counts[want->fate]++;
    } else if (shop->failed++ == 0) {
        fprintf(stderr, "%s: purchase %d came to %d: %s\n", program, want->index, rc,
                error->message);
    }
    if (rc >= 0) {
        shop->pieces += want->wish.qty;
        shop->runs += want->runs;
    }
    want->next = shop->free;
    shop->free = want;
}

static void submit(struct shop *shop, int index, uint64_t *random)
{
    const struct options *opt = shop->opt;
    struct purchase      *want = shop->free;
    struct corm_error     error = {0};

    shop->free = want->next;
    want->index = index;
    want->fate = fate_of(opt, index);
    want->runs = 0;
    want->wish.product = random_between(random, 1, opt->products);
    want->wish.qty = random_between(random, opt->qty_min, opt->qty_max);
    if (want->fate == IS_REFUSED)
        want->wish.qty = INT32_MAX;
    want->start_ns = now_ns();
    if (corm_submit(shop->db, buy, want, .key = corm_eq(product.id, want->wish.product),
                    .done = told, .error = &error) < 0)
        die("corm_submit(): %s", error.message);
    shop->under_way++;
}

static void buy_all(struct shop *shop)
{
    struct pollfd ready = {.fd = corm_fd(shop->db), .events = POLLIN};
    uint64_t      random = mix(shop->opt->seed) | 1;
    int           next = 0;

    while (next < shop->opt->purchases || shop->under_way > 0) {
        while (next < shop->opt->purchases && shop->free != NULL)
            submit(shop, next++, &random);
        if (corm_dispatch(shop->db) == 0)
            (void)poll(&ready, 1, -1);
    }
}

/* ---- the tables ------------------------------------------------------------------------ */

static void check(int rc, const struct corm_error *error)
{
    if (rc < 0)
        die("%s", error->message);
}

/* The numbers of those that shall fail by them. Their rows are no orders: no product, no pieces. */
static void add_numbers(struct corm_db *db, const struct options *opt)
{
    struct order     *rows = allocate(ROWS_AT_ONCE, sizeof *rows);
    struct corm_error error = {0};
    size_t            n = 0;

    for (int i = 0; i < opt->purchases; i++) {
        if (fate_of(opt, i) == IS_DUPLICATE)
            rows[n++] = (struct order){.number = i + 1};
        if (n == ROWS_AT_ONCE || (n > 0 && i == opt->purchases - 1)) {
            check(corm_insert_rows(db, order, n, rows, .error = &error), &error);
            n = 0;
        }
    }
    free(rows);
}

static void make_tables(struct corm_db *db, const struct options *opt)
{
    struct product   *rows = allocate((size_t)opt->products, sizeof *rows);
    struct corm_error e = {0};

    check(corm_drop_table(db, order, .if_exists = true, .error = &e), &e);
    check(corm_drop_table(db, product, .if_exists = true, .error = &e), &e);
    check(corm_create_table(db, product, .error = &e), &e);
    check(corm_create_table(db, order, .error = &e), &e);
    for (int i = 0; i < opt->products; i++)
        rows[i] = (struct product){.name = "race", .stock = opt->stock};
    check(corm_insert_rows(db, product, (size_t)opt->products, rows, .error = &e), &e);
    free(rows);
    add_numbers(db, opt);
}

static int64_t read_number(struct corm_db *db, struct corm_arena *arena, const char *text)
{
    struct corm_rows  rows = {0};
    struct corm_error error = {0};

    check(corm_sql(db, &rows, text, .arena = arena, .error = &error), &error);
    if (rows.row_count != 1 || rows.values[0].kind != CORM_V_INT)
        die("no number (to: %s)", text);
    return rows.values[0].as.i;
}

static struct ledger read_ledger(struct corm_db *db, int stock_given)
{
    struct corm_arena *arena = corm_arena_new();
    const char        *type = corm_dialect_of(db) == CORM_DIALECT_SQLITE ? "INTEGER" : "SIGNED";
    struct ledger      l;
    char               text[512];

    if (arena == NULL)
        die("out of memory");
    snprintf(text, sizeof text,
             "SELECT COUNT(*) FROM product p LEFT JOIN (SELECT product_id, SUM(qty) AS pieces"
             " FROM `order` GROUP BY product_id) o ON o.product_id = p.id"
             " WHERE p.stock < 0 OR p.stock + COALESCE(o.pieces, 0) <> %d",
             stock_given);
    l.wrong_products = read_number(db, arena, text);
    l.order_rows = read_number(db, arena, "SELECT COUNT(*) FROM `order` WHERE product_id > 0");
    snprintf(text, sizeof text, "SELECT CAST(SUM(stock) AS %s) FROM product", type);
    l.stock = read_number(db, arena, text);
    snprintf(text, sizeof text, "SELECT CAST(COALESCE(SUM(qty), 0) AS %s) FROM `order`", type);
    l.pieces = read_number(db, arena, text);
    corm_arena_free(arena);
    return l;
}

/* ---- all of them ----------------------------------------------------------------------- */

static struct totals run(struct shop *shop)
{
    const struct options *opt = shop->opt;
    struct totals         t = {0};
    uint64_t              start;

    shop->all = allocate((size_t)opt->in_flight, sizeof *shop->all);
    shop->latency_ns = allocate((size_t)opt->purchases, sizeof *shop->latency_ns);
    for (int i = opt->in_flight; i-- > 0;) {
        shop->all[i] = (struct purchase){.shop = shop, .user = i + 1, .next = shop->free};
        shop->free = &shop->all[i];
    }
    start = now_ns();
    buy_all(shop);
    t.seconds = (double)(now_ns() - start) / 1e9;
    take_percentiles(&t, shop->latency_ns, (size_t)opt->purchases);
    t.bought = shop->counts[BUYS];
    t.refused = shop->counts[IS_REFUSED] + shop->counts[IS_DUPLICATE];
    t.failed = shop->failed;
    t.pieces = shop->pieces;
    t.runs_mean = t.bought > 0 ? (double)shop->runs / t.bought : 0;
    free(shop->latency_ns);
    free(shop->all);
    return t;
}

static int race(const struct options *opt)
{
    struct corm_error error = {0};
    struct shop       shop = {.opt = opt};
    struct ledger     before;
    struct ledger     after;
    struct totals     t;

    check(corm_open(&shop.db, opt->url, .error = &error), &error);
    make_tables(shop.db, opt);
    check(corm_connect_all(shop.db, &error), &error);
    before = read_ledger(shop.db, opt->stock);
    t = run(&shop);
    after = read_ledger(shop.db, opt->stock);
    t.invariant = ledger_agrees(&before, &after, &t) && t.failed == 0;
    corm_close(shop.db);
    print_totals(&(struct asked){.how = "corm",
                                 .connections = opt->in_flight,
                                 .purchases = opt->purchases,
                                 .products = opt->products,
                                 .json = opt->json},
                 &t);
    return t.invariant ? 0 : 1;
}

/* ---- the command line ------------------------------------------------------------------ */

static const char usage[] =
    "usage: corm_group --url URL [options]\n"
    "  --in-flight N            purchases under way at once (500)\n"
    "  --purchases N            together (10000)\n"
    "  --products K             chosen from evenly (1)\n"
    "  --stock S                of each product (enough for all)\n"
    "  --qty A-B                pieces a purchase (1-30)\n"
    "  --refused-percent P      purchases that their function refuses (0)\n"
    "  --duplicate-percent P    purchases that a unique key refuses (0)\n"
    "  --seed X                 what is bought, and who fails, depends on this alone (1)\n"
    "  --json                   one JSON object on a line\n"
    "Tables `product` and `order` of the database are dropped and made anew.\n"
    "Ends with 1 when a purchase came to what it should not, or the tables disagree.\n";

enum { URL, IN_FLIGHT, PURCHASES, PRODUCTS, STOCK, QTY, REFUSED, DUPLICATE, SEED, JSON, HELP };

static const struct option known[] = {
    {"url", required_argument, NULL, URL},
    {"in-flight", required_argument, NULL, IN_FLIGHT},
    {"purchases", required_argument, NULL, PURCHASES},
    {"products", required_argument, NULL, PRODUCTS},
    {"stock", required_argument, NULL, STOCK},
    {"qty", required_argument, NULL, QTY},
    {"refused-percent", required_argument, NULL, REFUSED},
    {"duplicate-percent", required_argument, NULL, DUPLICATE},
    {"seed", required_argument, NULL, SEED},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static void take_option(int key, const char *arg, struct options *opt)
{
    switch (key) {
    case URL: opt->url = arg; break;
    case IN_FLIGHT: opt->in_flight = (int)number_option("in-flight", arg, 1, MAX_IN_FLIGHT); break;
    case PURCHASES: opt->purchases = (int)number_option("purchases", arg, 1, MAX_PURCHASES); break;
    case PRODUCTS: opt->products = (int)number_option("products", arg, 1, MAX_PRODUCTS); break;
    case STOCK: opt->stock = (int)number_option("stock", arg, 0, INT32_MAX); break;
    case QTY: parse_qty(arg, &opt->qty_min, &opt->qty_max); break;
    case REFUSED: opt->refused_percent = (int)number_option("refused-percent", arg, 0, 50); break;
    case DUPLICATE:
        opt->duplicate_percent = (int)number_option("duplicate-percent", arg, 0, 50);
        break;
    case SEED: opt->seed = (uint64_t)number_option("seed", arg, 0, INT64_MAX); break;
    case JSON: opt->json = true; break;
    case HELP: fputs(usage, stdout); exit(0);
    default: fputs(usage, stderr); exit(2);
    }
}

int main(int argc, char **argv)
{
    struct options opt = {.in_flight = 500,
                          .purchases = 10000,
                          .products = 1,
                          .stock = -1,
                          .qty_min = 1,
                          .qty_max = 30,
                          .seed = 1};
    int            key;
    int            status;

    while ((key = getopt_long(argc, argv, "", known, NULL)) != -1)
        take_option(key, optarg, &opt);
    if (optind < argc)
        die("unexpected argument number %d", optind);
    if (opt.url == NULL)
        die("--url is missing (--help tells more)");
    opt.stock = stock_for(opt.stock, opt.purchases, opt.qty_max);
    status = race(&opt);
    if (fflush(stdout) != 0)
        die("cannot write the outcome");
    return status;
}
