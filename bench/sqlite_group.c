/* sqlite_group: purchases in groups, as one writes them by hand against sqlite3: the rival of
 * `corm race --mode group` on SQLite.
 *
 * The next purchases, up to --group, are one transaction: the stocks of their products are read, C decides
 * who buys, each order is inserted by a prepared statement, each stock written once, COMMIT. The file is
 * in WAL mode, with synchronous=FULL as corm has it: a purchase is on disk when its buyer is told so.
 * It ends with 0 only if the tables agree with what was told. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "shop.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const program = "sqlite_group";

enum { MAX_GROUP = 1024 };

struct options {
    const char   *file;
    int           group;
    struct demand demand;
};

struct shop {
    sqlite3      *db;
    sqlite3_stmt *begin;
    sqlite3_stmt *read_stock;
    sqlite3_stmt *add_order;
    sqlite3_stmt *set_stock;
    sqlite3_stmt *commit;
    int          *stocks;  /* by product id, of the group at hand */
    int          *read_by; /* by product id: the number of the group that has read its stock */
    int           ids[MAX_GROUP];
};

/* ---- statements ------------------------------------------------------------------------ */

static void check(sqlite3 *db, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
        die("%s", sqlite3_errmsg(db));
}

static void run(sqlite3 *db, const char *sql)
{
    check(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;

    check(db, sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL));
    return stmt;
}

static void step(struct shop *shop, sqlite3_stmt *stmt)
{
    check(shop->db, sqlite3_step(stmt));
    sqlite3_reset(stmt);
}

static int64_t read_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = prepare(db, sql);
    int64_t       number;

    check(db, sqlite3_step(stmt));
    number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return number;
}

static void open_shop(struct shop *shop, const struct options *opt)
{
    char sql[512];

    if (sqlite3_open(opt->file, &shop->db) != SQLITE_OK)
        die("cannot open the file: %s", sqlite3_errmsg(shop->db));
    run(shop->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                  "DROP TABLE IF EXISTS `order`; DROP TABLE IF EXISTS product;"
                  "CREATE TABLE product (id INTEGER PRIMARY KEY AUTOINCREMENT,"
                  " name TEXT NOT NULL, stock INTEGER NOT NULL) STRICT;"
                  "CREATE TABLE `order` (id INTEGER PRIMARY KEY AUTOINCREMENT,"
                  " user_id INTEGER NOT NULL, product_id INTEGER NOT NULL,"
                  " qty INTEGER NOT NULL) STRICT");
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < %d)"
             " INSERT INTO product SELECT id, 'product ' || id, %d FROM n",
             opt->demand.products, opt->demand.stock);
    run(shop->db, sql);
    shop->begin = prepare(shop->db, "BEGIN IMMEDIATE");
    shop->read_stock = prepare(shop->db, "SELECT id, name, stock FROM product WHERE id = ?");
    shop->add_order =
        prepare(shop->db, "INSERT INTO `order` (user_id, product_id, qty) VALUES (?, ?, ?)");
    shop->set_stock = prepare(shop->db, "UPDATE product SET stock = ? WHERE id = ?");
    shop->commit = prepare(shop->db, "COMMIT");
    shop->stocks = allocate((size_t)opt->demand.products + 1, sizeof *shop->stocks);
    shop->read_by = allocate((size_t)opt->demand.products + 1, sizeof *shop->read_by);
}

static void close_shop(struct shop *shop)
{
    sqlite3_stmt *all[] = {shop->begin, shop->read_stock, shop->add_order, shop->set_stock,
                           shop->commit};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        sqlite3_finalize(all[i]);
    sqlite3_close(shop->db);
    free(shop->stocks);
    free(shop->read_by);
}

static struct ledger read_ledger(struct shop *shop, int stock_given)
{
    struct ledger l;
    char          sql[512];

    snprintf(sql, sizeof sql,
             "SELECT COUNT(*) FROM product p WHERE p.stock < 0 OR p.stock + (SELECT "
             "COALESCE(SUM(qty), 0) FROM (SELECT product_id, SUM(qty) AS qty FROM `order` "
             "GROUP BY product_id) o WHERE o.product_id = p.id) <> %d",
             stock_given);
    l.wrong_products = read_number(shop->db, sql);
    l.stock = read_number(shop->db, "SELECT SUM(stock) FROM product");
    l.order_rows = read_number(shop->db, "SELECT COUNT(*) FROM `order`");
    l.pieces = read_number(shop->db, "SELECT COALESCE(SUM(qty), 0) FROM `order`");
    return l;
}

/* ---- a group --------------------------------------------------------------------------- */

static void read_stock(struct shop *shop, int id)
{
    sqlite3_bind_int(shop->read_stock, 1, id);
    if (sqlite3_step(shop->read_stock) != SQLITE_ROW)
        die("there is no product %d: %s", id, sqlite3_errmsg(shop->db));
    shop->stocks[id] = sqlite3_column_int(shop->read_stock, 2);
    sqlite3_reset(shop->read_stock);
}

static void add_order(struct shop *shop, int user, const struct wish *w)
{
    sqlite3_bind_int(shop->add_order, 1, user);
    sqlite3_bind_int(shop->add_order, 2, w->product);
    sqlite3_bind_int(shop->add_order, 3, w->qty);
    step(shop, shop->add_order);
}

static void set_stock(struct shop *shop, int id)
{
    sqlite3_bind_int(shop->set_stock, 1, shop->stocks[id]);
    sqlite3_bind_int(shop->set_stock, 2, id);
    step(shop, shop->set_stock);
}

static void make_group(struct shop *shop, int number, const struct wish *wishes, int count,
                       struct totals *t)
{
    int ids = 0;

    step(shop, shop->begin);
    for (int i = 0; i < count; i++) {
        const struct wish *w = &wishes[i];

        if (shop->read_by[w->product] != number) {
            read_stock(shop, w->product);
            shop->read_by[w->product] = number;
            shop->ids[ids++] = w->product;
        }
        if (shop->stocks[w->product] < w->qty) {
            t->refused++;
            continue;
        }
        shop->stocks[w->product] -= w->qty;
        add_order(shop, i + 1, w);
        t->bought++;
        t->pieces += w->qty;
    }
    for (int i = 0; i < ids; i++)
        set_stock(shop, shop->ids[i]);
    step(shop, shop->commit);
}

static struct totals buy_all(struct shop *shop, const struct options *opt)
{
    struct wish  *wishes = allocate((size_t)opt->demand.purchases, sizeof *wishes);
    uint64_t     *latency_ns = allocate((size_t)opt->demand.purchases, sizeof *latency_ns);
    uint64_t      random = mix(opt->demand.seed) | 1;
    struct totals t = {0};
    uint64_t      start;

    for (int i = 0; i < opt->demand.purchases; i++)
        wishes[i] = wish_for(&opt->demand, &random, i, opt->demand.purchases);
    start = now_ns();
    for (int at = 0, number = 1; at < opt->demand.purchases; at += opt->group, number++) {
        int      left = opt->demand.purchases - at;
        int      count = left < opt->group ? left : opt->group;
        uint64_t began = now_ns();

        make_group(shop, number, wishes + at, count, &t);
        for (int i = 0; i < count; i++)
            latency_ns[at + i] = now_ns() - began;
    }
    t.seconds = (double)(now_ns() - start) / 1e9;
    take_percentiles(&t, latency_ns, (size_t)opt->demand.purchases);
    free(latency_ns);
    free(wishes);
    return t;
}

static int race(const struct options *opt)
{
    struct shop   shop = {0};
    struct ledger before;
    struct ledger after;
    struct totals t;

    open_shop(&shop, opt);
    before = read_ledger(&shop, opt->demand.stock);
    t = buy_all(&shop, opt);
    after = read_ledger(&shop, opt->demand.stock);
    t.invariant =
        ledger_agrees(&before, &after, &t) && t.bought + t.refused == opt->demand.purchases;
    close_shop(&shop);
    print_totals(&(struct asked){.how = "group", .connections = 1, .demand = &opt->demand}, &t);
    return t.invariant ? 0 : 1;
}

/* ---- the command line ------------------------------------------------------------------ */

int main(int argc, char **argv)
{
    struct options    opt = {.group = 256, .demand = usual_demand()};
    int               status;
    struct option_row rows[] = {
        {"file", "FILE", "of SQLite", .text = &opt.file},
        {"group", "N", "purchases of one transaction at most (256)", &opt.group, 1, MAX_GROUP, NULL,
         NULL},
        {0},
    };

    read_options(argc, argv, "--file FILE [options]", rows, &opt.demand);
    if (opt.file == NULL)
        die("--file is missing (--help tells more)");
    status = race(&opt);
    if (fflush(stdout) != 0)
        die("cannot write the outcome");
    return status;
}
