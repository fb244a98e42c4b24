/* plain_group: purchases in groups, as one writes them by hand against Connector/C: the rival of
 * `corm race --mode group`.
 *
 * A connection, with a thread of its own, takes the next purchases, up to --group, and makes them in one
 * transaction of four trips: the rows of their products are locked in the order of their keys, C decides
 * who buys, the orders go in by one array, the stocks by another, COMMIT. With as many products as
 * connections or more, each connection has its own products; else they all want the same row.
 *
 * Nothing is here that such a program would not need: no function that refuses after it has written, no
 * unique key that is hit, no row of another table. A deadlock or a lock wait timeout runs the group
 * again. It ends with 0 only if the tables agree with what was told. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "shop_mariadb.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const program = "plain_group";

enum {
    MAX_CONNECTIONS = 64,
    MAX_GROUP = 1024,
    LOCK_SIZES = 11, /* statements that lock 1, 2, 4 ... MAX_GROUP rows */
    MAX_ATTEMPTS = 100,
};

struct options {
    struct target target;
    int           connections;
    int           group;
    struct demand demand;
};

/* Purchases whose products are locked by the same connections, in their order. */
struct line {
    struct wish *wishes;
    int          count;
    atomic_int   next;
};

struct buyer {
    MYSQL                *db;
    const struct options *opt;
    struct line          *line;
    pthread_barrier_t    *ready;
    pthread_t             thread;
    MYSQL_STMT           *lock[LOCK_SIZES];
    MYSQL_STMT           *set_stock;
    MYSQL_STMT           *add_order;
    int                   keys[MAX_GROUP]; /* of the group, sorted, each once; the last repeated */
    int                   stocks[MAX_GROUP];
    int                   users[MAX_GROUP]; /* the orders */
    int                   products[MAX_GROUP];
    int                   qtys[MAX_GROUP];
    int                   out_id;
    int                   out_stock;
    char                  out_name[NAME_SIZE];
    uint64_t             *latency_ns;
    int                   done;
    int                   bought;
    int                   refused;
    int64_t               pieces;
    uint64_t              end_ns;
};

/* ---- statements ------------------------------------------------------------------------ */

static MYSQL_STMT *prepare(struct buyer *b, const char *sql)
{
    MYSQL_STMT *stmt = mysql_stmt_init(b->db);

    if (stmt == NULL || mysql_stmt_prepare(stmt, sql, strlen(sql)) != 0)
        die("cannot prepare: %s", mysql_error(b->db));
    return stmt;
}

static void prepare_lock(struct buyer *b, int size_index)
{
    char       sql[SQL_SIZE + 3 * MAX_GROUP];
    MYSQL_BIND in[MAX_GROUP];
    MYSQL_BIND out[3] = {bind_int(&b->out_id), bind_int(NULL), bind_int(&b->out_stock)};
    size_t     used;

    out[1].buffer_type = MYSQL_TYPE_STRING;
    out[1].buffer = b->out_name;
    out[1].buffer_length = sizeof b->out_name;
    used = (size_t)snprintf(sql, sizeof sql,
                            "SELECT id, name, stock FROM product FORCE INDEX (PRIMARY)"
                            " WHERE id IN (");
    for (int i = 0; i < 1 << size_index; i++) {
        in[i] = bind_int(&b->keys[i]);
        used += (size_t)snprintf(sql + used, sizeof sql - used, i == 0 ? "?" : ", ?");
    }
    snprintf(sql + used, sizeof sql - used, ") ORDER BY id FOR UPDATE");
    b->lock[size_index] = prepare(b, sql);
    if (mysql_stmt_bind_param(b->lock[size_index], in) != 0 ||
        mysql_stmt_bind_result(b->lock[size_index], out) != 0)
        die("cannot bind: %s", mysql_stmt_error(b->lock[size_index]));
}

static void prepare_all(struct buyer *b)
{
    MYSQL_BIND stock[] = {bind_int(b->stocks), bind_int(b->keys)};
    MYSQL_BIND order[] = {bind_int(b->users), bind_int(b->products), bind_int(b->qtys)};

    for (int i = 0; i == 0 || 1 << (i - 1) < b->opt->group; i++)
        prepare_lock(b, i);
    b->set_stock = prepare(b, "UPDATE product SET stock = ? WHERE id = ?");
    b->add_order = prepare(b, "INSERT INTO `order` (user_id, product_id, qty) VALUES (?, ?, ?)");
    if (mysql_stmt_bind_param(b->set_stock, stock) != 0 ||
        mysql_stmt_bind_param(b->add_order, order) != 0)
        die("cannot bind: %s", mysql_error(b->db));
    run_or_die(b->db, "SET autocommit = 0"); /* so that BEGIN costs no trip */
}

static void finish(struct buyer *b)
{
    for (int i = 0; i < LOCK_SIZES; i++)
        if (b->lock[i] != NULL)
            mysql_stmt_close(b->lock[i]);
    mysql_stmt_close(b->set_stock);
    mysql_stmt_close(b->add_order);
    mysql_close(b->db);
}

/* Whether it went well; not after a deadlock or a lock wait timeout, which were rolled back. */
static bool went_well(struct buyer *b, MYSQL_STMT *stmt, int failed)
{
    unsigned int error = mysql_stmt_errno(stmt);

    if (failed == 0)
        return true;
    if (error != DEADLOCK && error != LOCK_WAIT_TIMEOUT)
        die("%s", mysql_stmt_error(stmt));
    run_or_die(b->db, "ROLLBACK");
    return false;
}

static bool run_array(struct buyer *b, MYSQL_STMT *stmt, int rows)
{
    unsigned int size = (unsigned int)rows;

    if (rows == 0)
        return true;
    mysql_stmt_attr_set(stmt, STMT_ATTR_ARRAY_SIZE, &size);
    return went_well(b, stmt, mysql_stmt_execute(stmt));
}

/* ---- a group --------------------------------------------------------------------------- */

static int compare_int(const void *a, const void *b)
{
    int x = *(const int *)a;
    int y = *(const int *)b;

    return (x > y) - (x < y);
}

/* The keys of a group, sorted, each once. How many there are. */
static int take_keys(struct buyer *b, const struct wish *wishes, int count)
{
    int n = 0;

    for (int i = 0; i < count; i++)
        b->keys[i] = wishes[i].product;
    qsort(b->keys, (size_t)count, sizeof b->keys[0], compare_int);
    for (int i = 0; i < count; i++)
        if (n == 0 || b->keys[n - 1] != b->keys[i])
            b->keys[n++] = b->keys[i];
    return n;
}

static bool lock_rows(struct buyer *b, int keys)
{
    MYSQL_STMT *stmt;
    int         size_index = 0;

    while (1 << size_index < keys)
        size_index++;
    for (int i = keys; i < 1 << size_index; i++)
        b->keys[i] = b->keys[keys - 1];
    stmt = b->lock[size_index];
    if (!went_well(b, stmt, mysql_stmt_execute(stmt) != 0 || mysql_stmt_store_result(stmt) != 0))
        return false;
    for (int i = 0; i < keys; i++) {
        if (mysql_stmt_fetch(stmt) != 0 || b->out_id != b->keys[i])
            die("there is no product %d", b->keys[i]);
        b->stocks[i] = b->out_stock;
    }
    mysql_stmt_free_result(stmt);
    return true;
}

/* Who buys: fills the orders, lowers the stocks. How many orders there are. */
static int decide(struct buyer *b, const struct wish *wishes, int count, int keys, int64_t *pieces)
{
    int orders = 0;

    *pieces = 0;
    for (int i = 0; i < count; i++) {
        const int *key =
            bsearch(&wishes[i].product, b->keys, (size_t)keys, sizeof b->keys[0], compare_int);
        int *stock = &b->stocks[key - b->keys];

        if (*stock < wishes[i].qty)
            continue;
        *stock -= wishes[i].qty;
        *pieces += wishes[i].qty;
        b->users[orders] = i + 1;
        b->products[orders] = wishes[i].product;
        b->qtys[orders++] = wishes[i].qty;
    }
    return orders;
}

static bool attempt(struct buyer *b, const struct wish *wishes, int count)
{
    int     keys = take_keys(b, wishes, count);
    int64_t pieces;
    int     orders;

    if (!lock_rows(b, keys))
        return false;
    orders = decide(b, wishes, count, keys, &pieces);
    if (!run_array(b, b->add_order, orders) || !run_array(b, b->set_stock, keys))
        return false;
    run_or_die(b->db, "COMMIT");
    b->bought += orders;
    b->refused += count - orders;
    b->pieces += pieces;
    return true;
}

static void make_group(struct buyer *b, const struct wish *wishes, int count)
{
    uint64_t start = now_ns();
    int      attempts = 1;

    while (!attempt(b, wishes, count))
        if (++attempts > MAX_ATTEMPTS)
            die("a group was rolled back %d times", MAX_ATTEMPTS);
    for (int i = 0; i < count; i++)
        b->latency_ns[b->done++] = now_ns() - start;
}

static void *buyer_main(void *arg)
{
    struct buyer *b = arg;
    int           at;

    mysql_thread_init();
    pthread_barrier_wait(b->ready);
    while ((at = atomic_fetch_add(&b->line->next, b->opt->group)) < b->line->count) {
        int left = b->line->count - at;
        make_group(b, b->line->wishes + at, left < b->opt->group ? left : b->opt->group);
    }
    b->end_ns = now_ns();
    mysql_thread_end();
    return NULL;
}

/* ---- all of them ----------------------------------------------------------------------- */

static void fill_lines(const struct options *opt, struct line *lines, int count)
{
    uint64_t random = mix(opt->demand.seed) | 1;

    for (int i = 0; i < count; i++)
        lines[i].wishes = allocate((size_t)opt->demand.purchases, sizeof(struct wish));
    for (int i = 0; i < opt->demand.purchases; i++) {
        struct wish  w = wish_for(&opt->demand, &random, i, opt->demand.purchases);
        struct line *line = &lines[w.product % count];

        line->wishes[line->count++] = w;
    }
}

static struct totals run(const struct options *opt, struct buyer *buyers)
{
    struct totals     t = {0};
    pthread_barrier_t ready;
    uint64_t         *latency_ns = allocate((size_t)opt->demand.purchases, sizeof *latency_ns);
    uint64_t          start;
    uint64_t          end = 0;
    size_t            done = 0;

    pthread_barrier_init(&ready, NULL, (unsigned int)opt->connections + 1);
    for (int i = 0; i < opt->connections; i++) {
        buyers[i].ready = &ready;
        buyers[i].latency_ns = allocate((size_t)opt->demand.purchases, sizeof *latency_ns);
        if (pthread_create(&buyers[i].thread, NULL, buyer_main, &buyers[i]) != 0)
            die("cannot start a thread");
    }
    pthread_barrier_wait(&ready);
    start = now_ns();
    for (int i = 0; i < opt->connections; i++) {
        struct buyer *b = &buyers[i];
        pthread_join(b->thread, NULL);
        memcpy(latency_ns + done, b->latency_ns, (size_t)b->done * sizeof *latency_ns);
        done += (size_t)b->done;
        t.bought += b->bought;
        t.refused += b->refused;
        t.pieces += b->pieces;
        end = b->end_ns > end ? b->end_ns : end;
        free(b->latency_ns);
    }
    pthread_barrier_destroy(&ready);
    t.seconds = (double)(end - start) / 1e9;
    take_percentiles(&t, latency_ns, done);
    free(latency_ns);
    return t;
}

static int race(const struct options *opt)
{
    int           line_count = opt->demand.products < opt->connections ? 1 : opt->connections;
    struct buyer *buyers = allocate((size_t)opt->connections, sizeof *buyers);
    struct line  *lines = allocate((size_t)line_count, sizeof *lines);
    MYSQL        *db = connect_to(&opt->target);
    struct ledger before;
    struct ledger after;
    struct totals t;

    create_tables(db);
    add_products(db, opt->demand.products, opt->demand.stock);
    before = read_ledger(db, opt->demand.stock);
    fill_lines(opt, lines, line_count);
    for (int i = 0; i < opt->connections; i++) {
        buyers[i].opt = opt;
        buyers[i].db = connect_to(&opt->target);
        buyers[i].line = &lines[i % line_count];
        prepare_all(&buyers[i]);
    }
    t = run(opt, buyers);
    after = read_ledger(db, opt->demand.stock);
    t.invariant =
        ledger_agrees(&before, &after, &t) && t.bought + t.refused == opt->demand.purchases;
    print_totals(
        &(struct asked){.how = "group", .connections = opt->connections, .demand = &opt->demand},
        &t);
    for (int i = 0; i < opt->connections; i++)
        finish(&buyers[i]);
    for (int i = 0; i < line_count; i++)
        free(lines[i].wishes);
    mysql_close(db);
    free(lines);
    free(buyers);
    return t.invariant ? 0 : 1;
}

/* ---- the command line ------------------------------------------------------------------ */

int main(int argc, char **argv)
{
    struct options    opt = {.connections = 1, .group = 256, .demand = usual_demand()};
    const char       *url = NULL;
    int               status;
    struct option_row rows[] = {
        {"url", "URL", "mariadb://USER:PASSWORD@HOST:PORT/DATABASE", .text = &url},
        {"connections", "C", "each with a thread (1)", &opt.connections, 1, MAX_CONNECTIONS, NULL,
         NULL},
        {"group", "N", "purchases of one transaction at most (256)", &opt.group, 1, MAX_GROUP, NULL,
         NULL},
        {0},
    };

    read_options(argc, argv, "--url URL [options]", rows, &opt.demand);
    opt.target = target_of(url);
    if (mysql_library_init(0, NULL, NULL) != 0)
        die("cannot start the client library");
    status = race(&opt);
    mysql_library_end();
    if (fflush(stdout) != 0)
        die("cannot write the outcome");
    return status;
}
