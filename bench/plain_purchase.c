/* plain_purchase: the purchase as one writes it by hand against Connector/C, to compare with.
 *
 * C buyers, each a thread with one connection of its own, buy N times between them. A purchase is
 * BEGIN; SELECT ... FOR UPDATE; UPDATE; INSERT; COMMIT, one statement a round trip, either as text
 * (--how text) or with statements prepared once a connection (--how prepared). A transaction that
 * ends in a deadlock (1213) or a lock wait timeout (1205) is rolled back and tried again.
 *
 * Invariants: what buyer b wishes is a function of the seed and of b alone; the clock starts when
 * every connection is open, every statement prepared and every thread ready; the program ends
 * with 0 only if no purchase failed and the tables agree with what the buyers were told; no
 * message holds the address given, as that holds a password.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "shop_mariadb.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const program = "plain_purchase";

enum {
    MAX_CONNECTIONS = 1024,
    MAX_ATTEMPTS = 100, /* tries of one purchase before it counts as failed */
    PINGS = 200,
};

struct options {
    struct target     target;
    const struct how *how;
    int               connections;
    struct demand     demand;
    bool              show_server;
};

struct product {
    int  id;
    int  stock;
    char name[NAME_SIZE];
};

/* The statements of --how prepared. The buffers are bound once and written before each run. */
struct prepared {
    MYSQL_STMT   *lock_product;
    MYSQL_STMT   *set_stock;
    MYSQL_STMT   *add_order;
    int           in_id;
    int           in_stock;
    int           in_user;
    int           in_product;
    int           in_qty;
    int           out_id;
    int           out_stock;
    char          out_name[NAME_SIZE];
    unsigned long out_name_len;
};

enum outcome { BOUGHT, REFUSED, RETRY, FAILED };

/* The threads wait here until the clock starts, or until it is known that it never will. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t  changed;
    int             arrived;
    bool            open;
    bool            cancelled;
};

struct buyer {
    MYSQL                *db;
    const struct options *opt;
    struct gate          *gate;
    struct prepared       stmt;
    pthread_t             thread;
    uint64_t              random;
    int                   user;
    int                   count; /* purchases this buyer makes */
    int                   done;  /* bought or refused: so many latencies are written */
    int                   bought;
    int                   refused;
    int                   failed;
    int64_t               pieces; /* told bought */
    uint64_t             *latency_ns;
    uint64_t              end_ns;
    unsigned int error; /* of the last statement that failed; 0: not the server's or library's */
    char         message[PART_SIZE];
};

/* How a statement with numbers in it is run. Each is one round trip; 0, or -1 with b->error set. */
struct how {
    const char *name;
    int (*prepare)(struct buyer *b);
    void (*finish)(struct buyer *b);
    int (*lock_product)(struct buyer *b, int id, struct product *out);
    int (*set_stock)(struct buyer *b, int id, int stock);
    int (*add_order)(struct buyer *b, int product, int qty);
};

/* ---- the statements, as text ----------------------------------------------------------- */

static int failed_query(struct buyer *b)
{
    b->error = mysql_errno(b->db);
    snprintf(b->message, sizeof b->message, "%s", mysql_error(b->db));
    return -1;
}

static int no_product(struct buyer *b, int id)
{
    b->error = 0;
    snprintf(b->message, sizeof b->message, "there is no product %d", id);
    return -1;
}

static int command(struct buyer *b, const char *sql)
{
    return mysql_real_query(b->db, sql, strlen(sql)) == 0 ? 0 : failed_query(b);
}

static int text_nothing_to_prepare(struct buyer *b)
{
    (void)b;
    return 0;
}

static void text_nothing_to_finish(struct buyer *b)
{
    (void)b;
}

static int text_lock_product(struct buyer *b, int id, struct product *out)
{
    char       sql[SQL_SIZE];
    MYSQL_RES *result;
    MYSQL_ROW  row;

    snprintf(sql, sizeof sql, "SELECT id, name, stock FROM product WHERE id = %d FOR UPDATE", id);
    if (command(b, sql) != 0)
        return -1;
    result = mysql_store_result(b->db);
    if (result == NULL)
        return failed_query(b);
    row = mysql_fetch_row(result);
    if (row == NULL || row[0] == NULL || row[1] == NULL || row[2] == NULL) {
        mysql_free_result(result);
        return no_product(b, id);
    }
    out->id = (int)strtol(row[0], NULL, 10);
    out->stock = (int)strtol(row[2], NULL, 10);
    snprintf(out->name, sizeof out->name, "%s", row[1]);
    mysql_free_result(result);
    return 0;
}

static int text_set_stock(struct buyer *b, int id, int stock)
{
    char sql[SQL_SIZE];

    snprintf(sql, sizeof sql, "UPDATE product SET stock = %d WHERE id = %d", stock, id);
    return command(b, sql);
}

static int text_add_order(struct buyer *b, int product, int qty)
{
    char sql[SQL_SIZE];

    snprintf(sql, sizeof sql, "INSERT INTO `order` (user_id, product_id, qty) VALUES (%d, %d, %d)",
             b->user, product, qty);
    return command(b, sql);
}

/* ---- the statements, prepared ---------------------------------------------------------- */

static int failed_stmt(struct buyer *b, MYSQL_STMT *stmt)
{
    b->error = mysql_stmt_errno(stmt);
    snprintf(b->message, sizeof b->message, "%s", mysql_stmt_error(stmt));
    return -1;
}

static int prepare_one(struct buyer *b, MYSQL_STMT **stmt, const char *sql, MYSQL_BIND *in)
{
    *stmt = mysql_stmt_init(b->db);
    if (*stmt == NULL)
        die("out of memory");
    if (mysql_stmt_prepare(*stmt, sql, strlen(sql)) != 0 || mysql_stmt_bind_param(*stmt, in) != 0)
        return failed_stmt(b, *stmt);
    return 0;
}

static int prepared_prepare(struct buyer *b)
{
    struct prepared *p = &b->stmt;
    MYSQL_BIND       by_id[] = {bind_int(&p->in_id)};
    MYSQL_BIND       stock[] = {bind_int(&p->in_stock), bind_int(&p->in_id)};
    MYSQL_BIND order[] = {bind_int(&p->in_user), bind_int(&p->in_product), bind_int(&p->in_qty)};
    MYSQL_BIND out[3] = {bind_int(&p->out_id), bind_int(NULL), bind_int(&p->out_stock)};

    out[1].buffer_type = MYSQL_TYPE_STRING;
    out[1].buffer = p->out_name;
    out[1].buffer_length = sizeof p->out_name;
    out[1].length = &p->out_name_len;
    if (prepare_one(b, &p->lock_product,
                    "SELECT id, name, stock FROM product WHERE id = ? FOR UPDATE", by_id) != 0)
        return -1;
    if (mysql_stmt_bind_result(p->lock_product, out) != 0)
        return failed_stmt(b, p->lock_product);
    if (prepare_one(b, &p->set_stock, "UPDATE product SET stock = ? WHERE id = ?", stock) != 0)
        return -1;
    return prepare_one(b, &p->add_order,
                       "INSERT INTO `order` (user_id, product_id, qty) VALUES (?, ?, ?)", order);
}

static void prepared_finish(struct buyer *b)
{
    MYSQL_STMT *all[] = {b->stmt.lock_product, b->stmt.set_stock, b->stmt.add_order};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i] != NULL)
            mysql_stmt_close(all[i]);
    }
}

static int prepared_lock_product(struct buyer *b, int id, struct product *out)
{
    struct prepared *p = &b->stmt;
    int              got;

    p->in_id = id;
    if (mysql_stmt_execute(p->lock_product) != 0 || mysql_stmt_store_result(p->lock_product) != 0)
        return failed_stmt(b, p->lock_product);
    got = mysql_stmt_fetch(p->lock_product);
    if (got == 1)
        failed_stmt(b, p->lock_product);
    mysql_stmt_free_result(p->lock_product);
    if (got == 1)
        return -1;
    if (got != 0 || p->out_name_len >= sizeof out->name)
        return no_product(b, id);
    out->id = p->out_id;
    out->stock = p->out_stock;
    memcpy(out->name, p->out_name, p->out_name_len);
    out->name[p->out_name_len] = '\0';
    return 0;
}

static int prepared_set_stock(struct buyer *b, int id, int stock)
{
    b->stmt.in_id = id;
    b->stmt.in_stock = stock;
    return mysql_stmt_execute(b->stmt.set_stock) == 0 ? 0 : failed_stmt(b, b->stmt.set_stock);
}

static int prepared_add_order(struct buyer *b, int product, int qty)
{
    b->stmt.in_user = b->user;
    b->stmt.in_product = product;
    b->stmt.in_qty = qty;
    return mysql_stmt_execute(b->stmt.add_order) == 0 ? 0 : failed_stmt(b, b->stmt.add_order);
}

static const struct how all_hows[] = {
    {"text", text_nothing_to_prepare, text_nothing_to_finish, text_lock_product, text_set_stock,
     text_add_order},
    {"prepared", prepared_prepare, prepared_finish, prepared_lock_product, prepared_set_stock,
     prepared_add_order},
};

/* ---- one purchase ---------------------------------------------------------------------- */

/* A statement failed: end the transaction, keep the first error, say whether to try again. */
static enum outcome give_up(struct buyer *b)
{
    unsigned int error = b->error;
    bool         again = error == DEADLOCK || error == LOCK_WAIT_TIMEOUT;

    if (mysql_real_query(b->db, "ROLLBACK", 8) != 0)
        return FAILED;
    return again ? RETRY : FAILED;
}

static enum outcome attempt(struct buyer *b, const struct wish *w)
{
    const struct how *how = b->opt->how;
    struct product    product;

    if (command(b, "BEGIN") != 0 || how->lock_product(b, w->product, &product) != 0)
        return give_up(b);
    if (product.stock < w->qty)
        return command(b, "ROLLBACK") == 0 ? REFUSED : give_up(b);
    if (how->set_stock(b, product.id, product.stock - w->qty) != 0 ||
        how->add_order(b, product.id, w->qty) != 0 || command(b, "COMMIT") != 0)
        return give_up(b);
    return BOUGHT;
}

static enum outcome purchase(struct buyer *b, const struct wish *w)
{
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        enum outcome outcome = attempt(b, w);

        if (outcome != RETRY)
            return outcome;
    }
    return FAILED;
}

/* ---- the buyers ------------------------------------------------------------------------ */

static void buyer_shop(struct buyer *b)
{
    const struct options *opt = b->opt;

    for (int i = 0; i < b->count; i++) {
        struct wish  w = wish_for(&opt->demand, &b->random, i, b->count);
        uint64_t     start = now_ns();
        enum outcome outcome = purchase(b, &w);

        if (outcome == FAILED) { /* a buyer that failed makes no more purchases */
            b->failed = b->count - i;
            return;
        }
        b->latency_ns[b->done++] = now_ns() - start;
        if (outcome == REFUSED) {
            b->refused++;
        } else {
            b->bought++;
            b->pieces += w.qty;
        }
    }
}

static bool gate_pass(struct gate *g)
{
    bool open;

    pthread_mutex_lock(&g->mutex);
    g->arrived++;
    pthread_cond_broadcast(&g->changed);
    while (!g->open && !g->cancelled)
        pthread_cond_wait(&g->changed, &g->mutex);
    open = g->open;
    pthread_mutex_unlock(&g->mutex);
    return open;
}

/* Waits for that many threads, then lets them go; the time at which it did. */
static uint64_t gate_open(struct gate *g, int threads)
{
    uint64_t start;

    pthread_mutex_lock(&g->mutex);
    while (g->arrived < threads)
        pthread_cond_wait(&g->changed, &g->mutex);
    g->open = true;
    start = now_ns();
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->mutex);
    return start;
}

static void *buyer_main(void *arg)
{
    struct buyer *b = arg;

    mysql_thread_init();
    if (gate_pass(b->gate))
        buyer_shop(b);
    b->end_ns = now_ns();
    mysql_thread_end();
    return NULL;
}

static void buyers_ready(struct buyer *buyers, const struct options *opt, struct gate *gate,
                         uint64_t *latency_ns)
{
    int share = opt->demand.purchases / opt->connections;
    int rest = opt->demand.purchases % opt->connections;

    for (int i = 0; i < opt->connections; i++) {
        struct buyer *b = &buyers[i];

        b->opt = opt;
        b->gate = gate;
        b->user = i + 1;
        b->count = share + (i < rest ? 1 : 0);
        b->latency_ns = latency_ns;
        latency_ns += b->count;
        b->random = mix(mix(opt->demand.seed) + (uint64_t)b->user);
        if (b->random == 0)
            b->random = 1;
        b->db = connect_to(&opt->target);
        if (opt->how->prepare(b) != 0)
            die("cannot prepare: %s", b->message);
    }
}

/* Runs all buyers to their end. When the clock started. */
static uint64_t buyers_run(struct buyer *buyers, int count, struct gate *gate)
{
    uint64_t start = 0;
    int      started = 0;

    while (started < count &&
           pthread_create(&buyers[started].thread, NULL, buyer_main, &buyers[started]) == 0)
        started++;
    if (started == count) {
        start = gate_open(gate, count);
    } else {
        pthread_mutex_lock(&gate->mutex);
        gate->cancelled = true;
        pthread_cond_broadcast(&gate->changed);
        pthread_mutex_unlock(&gate->mutex);
    }
    for (int i = 0; i < started; i++)
        pthread_join(buyers[i].thread, NULL);
    if (started < count)
        die("cannot start %d threads, only %d", count, started);
    return start;
}

static void buyers_done(struct buyer *buyers, const struct options *opt)
{
    for (int i = 0; i < opt->connections; i++) {
        opt->how->finish(&buyers[i]);
        mysql_close(buyers[i].db);
    }
}

/* ---- the outcome ----------------------------------------------------------------------- */

/* Adds the buyers up. Moves the latencies of all to the front of the array, and sorts them. */
static struct totals add_up(const struct buyer *buyers, int count, uint64_t start_ns,
                            uint64_t *latency_ns)
{
    struct totals t = {0};
    uint64_t      end_ns = start_ns;
    size_t        done = 0;

    for (int i = 0; i < count; i++) {
        const struct buyer *b = &buyers[i];

        t.bought += b->bought;
        t.refused += b->refused;
        t.failed += b->failed;
        t.pieces += b->pieces;
        if (b->end_ns > end_ns)
            end_ns = b->end_ns;
        memmove(latency_ns + done, b->latency_ns, (size_t)b->done * sizeof *latency_ns);
        done += (size_t)b->done;
        if (b->failed > 0)
            fprintf(stderr, "plain_purchase: buyer %d failed, %d purchases not made: %s\n", b->user,
                    b->failed, b->message);
    }
    t.seconds = (double)(end_ns - start_ns) / 1e9;
    take_percentiles(&t, latency_ns, done);
    return t;
}

static int race(const struct options *opt)
{
    struct gate   gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct buyer *buyers = allocate((size_t)opt->connections, sizeof *buyers);
    uint64_t     *latency_ns = allocate((size_t)opt->demand.purchases, sizeof *latency_ns);
    MYSQL        *db = connect_to(&opt->target);
    struct ledger before;
    struct ledger after;
    struct totals t;
    uint64_t      start_ns;

    create_tables(db);
    add_products(db, opt->demand.products, opt->demand.stock);
    before = read_ledger(db, opt->demand.stock);
    buyers_ready(buyers, opt, &gate, latency_ns);
    start_ns = buyers_run(buyers, opt->connections, &gate);
    t = add_up(buyers, opt->connections, start_ns, latency_ns);
    after = read_ledger(db, opt->demand.stock);
    t.invariant = ledger_agrees(&before, &after, &t);
    print_totals(&(struct asked){.how = opt->how->name,
                                 .connections = opt->connections,
                                 .demand = &opt->demand},
                 &t);
    buyers_done(buyers, opt);
    mysql_close(db);
    free(latency_ns);
    free(buyers);
    return t.invariant && t.failed == 0 ? 0 : 1;
}

/* The median time of a round trip that asks the server for nothing. */
static double round_trip_ms(MYSQL *db)
{
    uint64_t took_ns[PINGS];

    for (int i = 0; i < PINGS; i++) {
        uint64_t start = now_ns();

        if (mysql_ping(db) != 0)
            die("ping: %s", mysql_error(db));
        took_ns[i] = now_ns() - start;
    }
    qsort(took_ns, PINGS, sizeof took_ns[0], compare_u64);
    return percentile_ms(took_ns, PINGS, 50);
}

/* One line about the server and the way to it: what a figure taken there depends on. */
static int show_server(const struct options *opt)
{
    static const char *const asked[] = {"version",      "innodb_flush_log_at_trx_commit",
                                        "sync_binlog",  "log_bin",
                                        "tx_isolation", "innodb_buffer_pool_size"};
    MYSQL                   *db = connect_to(&opt->target);

    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        char       sql[SQL_SIZE];
        MYSQL_RES *result;
        MYSQL_ROW  row;

        snprintf(sql, sizeof sql, "SHOW VARIABLES LIKE '%s'", asked[i]);
        run_or_die(db, sql);
        result = mysql_store_result(db);
        row = result == NULL ? NULL : mysql_fetch_row(result);
        if (row != NULL && row[1] != NULL)
            printf("%s%s=%s", i == 0 ? "" : " ", asked[i], row[1]);
        mysql_free_result(result);
    }
    printf(" round_trip_ms=%.3f\n", round_trip_ms(db));
    mysql_close(db);
    return 0;
}

/* ---- the command line ------------------------------------------------------------------ */

static const struct how *how_of(const char *text)
{
    for (size_t i = 0; i < sizeof all_hows / sizeof all_hows[0]; i++) {
        if (strcmp(text, all_hows[i].name) == 0)
            return &all_hows[i];
    }
    die("--how is text or prepared, not '%s'", text);
}

int main(int argc, char **argv)
{
    struct options    opt = {.connections = 1, .demand = usual_demand()};
    const char       *url = NULL;
    const char       *how = all_hows[0].name;
    int               status;
    struct option_row rows[] = {
        {"url", "URL", "mariadb://USER:PASSWORD@HOST:PORT/DATABASE", .text = &url},
        {"how", "text|prepared", "how statements are sent (text)", .text = &how},
        {"connections", "C", "buyers, each a thread with a connection (1)", &opt.connections, 1,
         MAX_CONNECTIONS, NULL, NULL},
        {"show-server", NULL, "one line about the server, and no purchase",
         .flag = &opt.show_server},
        {0},
    };

    read_options(argc, argv, "--url URL [options]", rows, &opt.demand);
    opt.target = target_of(url);
    opt.how = how_of(how);
    if (mysql_library_init(0, NULL, NULL) != 0)
        die("cannot start the client library");
    status = opt.show_server ? show_server(&opt) : race(&opt);
    mysql_library_end();
    if (fflush(stdout) != 0)
        die("cannot write the outcome: %s", strerror(errno));
    return status;
}
