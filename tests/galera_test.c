/* galera_test.c -- corm on a cluster of three nodes that all write (scripts/with-galera).
 *
 * Each purchase and each booking has a mark, a number of its own, which stands in its row: what the caller
 * was told is held against the rows at the end, read beside corm, on a node that has caught up.
 *
 *     CORM_GALERA_LONG=1    as long as it takes to believe it: some fifteen minutes
 *     CORM_GALERA_FAULTS=N  so many faults
 *     CORM_SEED=N           the seed of what is bought, instead of a new one
 */
#include "galera.h"
#include "support.h"

#include "route/rendezvous.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PRODUCT(X) X(id, int, .pk = 1) X(stock, int)
#define PURCHASE(X)                                                                                \
    X(id, bigint, .pk = 1, .autoinc = 1) X(mark, bigint) X(product_id, int) X(qty, int)
#define CONCERT(X) X(id, int, .pk = 1) X(seats, int)
#define BOOKING(X)                                                                                 \
    X(id, bigint, .pk = 1, .autoinc = 1) X(mark, bigint) X(concert_id, int, .index = 1)
CORM_MODEL(product, PRODUCT);
CORM_DEFINE(product, PRODUCT);
CORM_MODEL(purchase, PURCHASE);
CORM_DEFINE(purchase, PURCHASE);
CORM_MODEL(concert, CONCERT);
CORM_DEFINE(concert, CONCERT);
CORM_MODEL(booking, BOOKING);
CORM_DEFINE(booking, BOOKING);

enum { SOLD_OUT = CORM_USER, NEVER_RAN };

enum {
    PRODUCTS = 100,
    CALLERS = 64,
    MARKS_MAX = 4000000,
    PROBES = 100000, /* ids of products from here on are not sold but touched */
    CONCERTS = 20000,
    SEATS = 3,
    SHOWN_MAX = 20
};

static uint64_t seed;

static bool is_long(void)
{
    return getenv("CORM_GALERA_LONG") != NULL;
}

static void sleep_ms(int64_t ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&pause, NULL);
}

static void die(const char *what, const char *more)
{
    (void)fprintf(stderr, "# cannot go on: %s%s; seed %" PRIu64 "\n", what, more, seed);
    abort();
}

/* What is shared by processes, too. */
struct books {
    _Atomic int64_t next_mark;
    _Atomic int32_t next_concert;
    _Atomic bool    over;
    _Atomic int64_t runs; /* of functions, also those that ran again */
    _Atomic int32_t told[MARKS_MAX];
    _Atomic uint8_t way[MARKS_MAX]; /* of a booking */
};

static struct books *books;

static void open_books(void)
{
    if (books == NULL)
        books =
            mmap(NULL, sizeof(*books), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (books == MAP_FAILED)
        die("no memory", "");
    int64_t used = atomic_load(&books->next_mark);
    for (int64_t i = 0; i < used; i++)
        atomic_store(&books->told[i], NEVER_RAN);
    if (used == 0)
        for (int64_t i = 0; i < MARKS_MAX; i++)
            atomic_store(&books->told[i], NEVER_RAN);
    atomic_store(&books->next_mark, 0);
    atomic_store(&books->next_concert, 1);
    atomic_store(&books->over, false);
    atomic_store(&books->runs, 0);
}

/* The next mark, or -1 where `limit` are taken. */
static int64_t take_mark(int64_t limit)
{
    int64_t mark = atomic_fetch_add(&books->next_mark, 1);

    if (mark < limit && mark < MARKS_MAX)
        return mark;
    (void)atomic_fetch_sub(&books->next_mark, 1);
    return -1;
}

static uint64_t chance_of(int64_t mark)
{
    return corm__hash_mix(seed ^ (uint64_t)mark * UINT64_C(0x9E3779B97F4A7C15));
}

/* ---- The handle -------------------------------------------------------------------------- */

static struct corm_db *open_cluster(const char *nodes, const char *options)
{
    struct corm_error error = {0};
    struct corm_db   *db = NULL;
    char             *url = galera_url(nodes, options);

    if (corm_open(&db, url, .error = &error) < 0)
        die("the cluster cannot be opened: ", error.message);
    free(url);
    return db;
}

/* ---- Purchases --------------------------------------------------------------------------- */

struct want {
    int64_t mark;
    int32_t product_id, qty;
};

static struct want want_of(int64_t mark, int32_t products)
{
    uint64_t chance = chance_of(mark);

    return (struct want){.mark = mark,
                         .product_id = 1 + (int32_t)(chance % (uint64_t)products),
                         .qty = 1 + (int32_t)(chance >> 40) % 3};
}

static int buy(struct corm_trx *trx, void *arg)
{
    const struct want *want = arg;
    struct product     p;
    int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, want->product_id),
                        .lock = CORM_FOR_UPDATE);

    atomic_fetch_add(&books->runs, 1);
    if (rc < 0)
        return rc;
    if (rc == 0 || p.stock < want->qty)
        return corm_abort(trx, SOLD_OUT, "nothing is left");
    rc = corm_update(trx, product, corm_eq(product.id, want->product_id),
                     corm_set(product.stock, p.stock - want->qty));
    if (rc < 0)
        return rc;
    return corm_insert_row(
        trx, purchase,
        &((struct purchase){.mark = want->mark, .product_id = want->product_id, .qty = want->qty}));
}

static bool may_run_again(int rc)
{
    return (rc <= CORM_TRX_GONE && rc > CORM_OUTCOME_UNKNOWN) || rc == CORM_STALE;
}

/* A function in an explicit transaction, which runs again as corm_transact() would let it. */
static int explicitly(struct corm_db *db, corm_trx_function *function, void *arg,
                      struct corm_expr key, enum corm_isolation isolation, struct corm_error *error)
{
    struct corm_trx *trx;
    int              rc = CORM_DEADLOCK;

    for (int tries = 0; tries < 200 && may_run_again(rc); tries++) {
        *error = (struct corm_error){0};
        rc = corm_begin(db, &trx, .key = key, .isolation = isolation, .error = error);
        if (rc < 0)
            return rc;
        rc = function(trx, arg);
        if (rc >= 0)
            rc = corm_commit(trx);
        corm_end(trx);
        if (may_run_again(rc))
            sleep_ms(1 +
                     (int64_t)(corm__hash_mix((uint64_t)tries ^ (uint64_t)(uintptr_t)&trx) % 20));
    }
    return rc;
}

static void tell(int64_t mark, int rc, const struct corm_error *error)
{
    static _Atomic int shown;

    atomic_store(&books->told[mark], rc);
    if (rc < 0 && rc != SOLD_OUT && atomic_fetch_add(&shown, 1) < SHOWN_MAX)
        (void)printf("# mark %" PRId64 " was told %s: %s\n", mark, corm_code_name(rc),
                     error->message);
}

/* ---- The audit --------------------------------------------------------------------------- */

struct audit {
    int64_t done, refused, failed, unknown; /* told */
    int64_t rows, doubled, lost, denied;    /* there; 0 wanted of the last three */
};

static int64_t count_rows(MYSQL *mysql, const char *table, uint8_t *rows)
{
    char    text[100];
    int64_t count = 0;

    (void)snprintf(text, sizeof(text), "SELECT mark FROM %s", table);
    MYSQL_RES *result = mysql_query(mysql, text) == 0 ? mysql_use_result(mysql) : NULL;
    if (result == NULL)
        die("the books cannot be read: ", mysql_error(mysql));
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)) != NULL; count++) {
        int64_t mark = strtoll(row[0], NULL, 10);
        if (mark < 0 || mark >= MARKS_MAX)
            die("a row has a mark that nobody has given", "");
        rows[mark] = (uint8_t)(rows[mark] + (rows[mark] < UINT8_MAX));
    }
    mysql_free_result(result);
    return count;
}

/* Holds what was told against the rows of both tables. */
static struct audit audit(void)
{
    struct audit a = {0};
    uint8_t     *rows = calloc(MARKS_MAX, 1);
    MYSQL       *mysql = open_node(1);

    if (rows == NULL)
        die("no memory", "");
    (void)ask_node(mysql, "SET wsrep_sync_wait = 1");
    a.rows = count_rows(mysql, "purchase", rows) + count_rows(mysql, "booking", rows);
    mysql_close(mysql);
    for (int64_t mark = 0; mark < atomic_load(&books->next_mark); mark++) {
        int  rc = atomic_load(&books->told[mark]);
        bool is_unknown = rc == CORM_UNKNOWN;
        a.done += rc >= 0;
        a.refused += rc == SOLD_OUT;
        a.unknown += is_unknown;
        a.failed += rc < 0 && rc != SOLD_OUT && !is_unknown;
        a.doubled += rows[mark] > 1;
        a.lost += rc >= 0 && rows[mark] == 0;
        a.denied += rc < 0 && !is_unknown && rows[mark] > 0;
    }
    free(rows);
    return a;
}

static void assert_books(const struct audit *a, int64_t runs)
{
    (void)printf("# told: %" PRId64 " done, %" PRId64 " refused, %" PRId64 " failed, %" PRId64
                 " unknown; %" PRId64 " rows; doubled %" PRId64 ", lost %" PRId64
                 ", denied %" PRId64 "; %" PRId64 " runs\n",
                 a->done, a->refused, a->failed, a->unknown, a->rows, a->doubled, a->lost,
                 a->denied, runs);
    assert_true(a->done > 0);
    assert_int_equal(a->doubled, 0);
    assert_int_equal(a->lost, 0);
    assert_int_equal(a->denied, 0);
}

/* On every node: stock and purchases are what the shop began with, and nothing is below zero. */
static void assert_stock(long long stock)
{
    for (int node = 1; node <= NODES; node++) {
        MYSQL *mysql = open_node(node);
        (void)ask_node(mysql, "SET wsrep_sync_wait = 1");
        long long bad = ask_node(
            mysql,
            "SELECT COUNT(*) FROM product p LEFT JOIN (SELECT product_id, SUM(qty) AS sold FROM "
            "purchase GROUP BY product_id) s ON s.product_id = p.id WHERE p.id < %d AND (p.stock < 0 "
            "OR p.stock + COALESCE(s.sold, 0) <> %lld)",
            (int)PROBES, stock);
        mysql_close(mysql);
        if (bad != 0)
            fail_msg("on node %d %lld products do not agree with their purchases", node, bad);
    }
}

#define OVERBOOKED "SELECT concert_id FROM booking GROUP BY concert_id HAVING COUNT(*) > %d"

/* Who has them: how, and, by the generated key, on which node. */
static void show_overbooked(MYSQL *mysql)
{
    char text[400];

    (void)snprintf(text, sizeof(text),
                   "SELECT concert_id, mark, id FROM booking WHERE concert_id IN (" OVERBOOKED
                   ") ORDER BY concert_id, id LIMIT 12",
                   (int)SEATS);
    MYSQL_RES *rows = mysql_query(mysql, text) == 0 ? mysql_store_result(mysql) : NULL;
    for (MYSQL_ROW row; rows != NULL && (row = mysql_fetch_row(rows)) != NULL;)
        (void)printf("# concert %s: mark %s by the way %d, id %s, %lld modulo 3\n", row[0], row[1],
                     atomic_load(&books->way[strtoll(row[1], NULL, 10)]), row[2],
                     strtoll(row[2], NULL, 10) % NODES);
    mysql_free_result(rows);
}

static long long overbooked(void)
{
    MYSQL *mysql = open_node(1);

    (void)ask_node(mysql, "SET wsrep_sync_wait = 1");
    long long n = ask_node(mysql, "SELECT COUNT(*) FROM (" OVERBOOKED ") b", (int)SEATS);
    if (n > 0)
        show_overbooked(mysql);
    mysql_close(mysql);
    return n;
}

/* ---- The shop ---------------------------------------------------------------------------- */

static void make_tables(int32_t products, long long stock)
{
    struct corm_error error = {0};
    struct corm_db   *db = open_cluster("123", NULL);
    MYSQL            *mysql = open_node(1);

    new_table(db, product);
    new_table(db, purchase);
    new_table(db, concert);
    new_table(db, booking);
    assert_ok(corm_setup(db, &error), &error);
    corm_close(db);
    (void)ask_node(mysql, "INSERT INTO product (id, stock) SELECT seq, %lld FROM seq_1_to_%d",
                   stock, (int)products);
    (void)ask_node(mysql, "INSERT INTO concert (id, seats) SELECT seq, %d FROM seq_1_to_%d",
                   (int)SEATS, (int)CONCERTS);
    mysql_close(mysql);
    open_books();
    wait_until_synced();
}

/* What certification has refused, or a write set from another node has thrown out, on any node. */
static long long refusals(void)
{
    return cluster_status("wsrep_local_cert_failures") + cluster_status("wsrep_local_bf_aborts");
}

struct used {
    long long refusals, sent[NODES];
};

static struct used used_now(void)
{
    struct used u = {.refusals = refusals()};

    for (int i = 0; i < NODES; i++)
        u.sent[i] = node_status(i + 1, "wsrep_replicated");
    return u;
}

static struct used used_since(struct used before)
{
    struct used u = used_now();

    u.refusals -= before.refusals;
    for (int i = 0; i < NODES; i++)
        u.sent[i] -= before.sent[i];
    (void)printf("# write sets of the nodes: %lld, %lld, %lld; refused: %lld\n", u.sent[0],
                 u.sent[1], u.sent[2], u.refusals);
    return u;
}

/* Each has a fair part of them: keys spread evenly, but 100 keys are few. */
static void assert_all_used(const struct used *u)
{
    long long all = u->sent[0] + u->sent[1] + u->sent[2];

    for (int i = 0; i < NODES; i++)
        assert_true(u->sent[i] * 6 > all);
}

/* ---- All is well: one handle, the key decides -------------------------------------------- */

struct caller {
    struct corm_db *db;
    int64_t         limit;
    bool            locks; /* an explicit transaction each, not in a lane */
};

static void *keep_buying(void *arg)
{
    struct caller    *caller = arg;
    struct corm_error error = {0};

    for (int64_t mark; (mark = take_mark(caller->limit)) >= 0;) {
        struct want      want = want_of(mark, PRODUCTS);
        struct corm_expr key = corm_eq(product.id, want.product_id);
        error = (struct corm_error){0};
        int rc = caller->locks ? explicitly(caller->db, buy, &want, key, CORM_SERIALIZABLE, &error)
                               : corm_transact(caller->db, buy, &want, .key = key, .error = &error);
        tell(mark, rc, &error);
    }
    return NULL;
}

static void sell(int64_t purchases, bool locks)
{
    long long     stock = purchases * 19 / 10 / PRODUCTS; /* a little less than is wanted */
    struct caller callers[CALLERS];

    make_tables(PRODUCTS, stock);
    struct corm_db *db = open_cluster("123", locks ? "pool=24" : NULL);
    struct used     before = used_now();
    int64_t         start = now_ms();
    for (int i = 0; i < CALLERS; i++)
        callers[i] = (struct caller){.db = db, .limit = purchases, .locks = locks};
    run_threads(CALLERS, keep_buying, callers, sizeof(*callers));
    (void)printf("# %" PRId64 " purchases in %" PRId64 " ms\n", purchases, now_ms() - start);
    struct used u = used_since(before);
    corm_close(db);
    struct audit a = audit();
    assert_books(&a, atomic_load(&books->runs));
    assert_stock(stock);
    assert_int_equal(a.done + a.refused, purchases);
    assert_true(a.refused > 0);
    if (!locks) /* those who wait share a write set, guards or not */
        assert_true((u.sent[0] + u.sent[1] + u.sent[2]) * 2 < purchases);
    assert_int_equal(u.refusals, 0);
    assert_all_used(&u);
}

static void purchases_in_groups_meet_no_refusal(void **state)
{
    (void)state;
    sell(is_long() ? 100000 : 10000, false);
}

static void purchases_with_locks_meet_no_refusal(void **state)
{
    (void)state;
    sell(is_long() ? 20000 : 2000, true);
}

/* ---- Lists that disagree ----------------------------------------------------------------- */

struct seat {
    int64_t mark;
    int32_t concert_id;
};

/* Locks the concert and does not write it: only its guard stands between two nodes. */
static int book(struct corm_trx *trx, void *arg)
{
    const struct seat *seat = arg;
    struct concert     c;
    int64_t            taken = 0;
    int rc = corm_first(trx, concert, &c, .where = corm_eq(concert.id, seat->concert_id),
                        .lock = CORM_FOR_UPDATE);

    atomic_fetch_add(&books->runs, 1);
    if (rc <= 0)
        return rc < 0 ? rc : corm_abort(trx, SOLD_OUT, "no such concert");
    taken = corm_count(trx, booking, .where = corm_eq(booking.concert_id, seat->concert_id));
    if (taken < 0)
        return (int)taken;
    if (taken >= c.seats)
        return corm_abort(trx, SOLD_OUT, "no seat is left");
    return corm_insert_row(trx, booking,
                           &((struct booking){.mark = seat->mark, .concert_id = seat->concert_id}));
}

enum way { IN_LANE, EXPLICIT, EARLY, WITHOUT_KEY, WAYS };

/* In each way that there is; EARLY reads at a level where nothing but the guard keeps out what another node
 * commits between the lock and the count. */
static int book_one(struct corm_db *db, enum way way, struct seat *seat, struct corm_error *error)
{
    struct corm_expr key = corm_eq(concert.id, seat->concert_id);

    switch (way) {
    case IN_LANE: return corm_transact(db, book, seat, .key = key, .error = error);
    case EXPLICIT: return explicitly(db, book, seat, key, CORM_SERIALIZABLE, error);
    case EARLY:
        return corm_transact(db, book, seat, .key = key, .isolation = CORM_READ_COMMITTED,
                             .error = error);
    default: return corm_transact(db, book, seat, .error = error);
    }
}

struct worker {
    struct corm_db *db;
    uint64_t        chance;
};

enum { WORKERS = 8, TRIES_PER_CONCERT = 12, HOT = 20 };

static void *work(void *arg)
{
    struct worker    *w = arg;
    struct corm_error error = {0};

    for (uint64_t n = 0; !atomic_load(&books->over); n++) {
        int64_t mark = take_mark(MARKS_MAX);
        if (mark < 0)
            break;
        error = (struct corm_error){0};
        int rc;
        if (n % 4 == 3) {
            struct want want = want_of(mark, HOT);
            rc = corm_transact(w->db, buy, &want, .key = corm_eq(product.id, want.product_id),
                               .error = &error);
        } else {
            enum way    way = (enum way)(corm__hash_mix(w->chance ^ n) % WAYS);
            struct seat seat = {
                .mark = mark,
                .concert_id = atomic_fetch_add(&books->next_concert, 1) / TRIES_PER_CONCERT + 1};
            if (seat.concert_id > CONCERTS)
                break;
            atomic_store(&books->way[mark], way);
            rc = book_one(w->db, way, &seat, &error);
        }
        tell(mark, rc, &error);
    }
    return NULL;
}

/* A process of its own, with its own list. */
static pid_t start_process(const char *nodes, const char *options)
{
    (void)fflush(NULL);
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    (void)signal(SIGSEGV, SIG_DFL); /* cmocka's handlers would end it without a word */
    (void)signal(SIGBUS, SIG_DFL);
    struct corm_db *db = open_cluster(nodes, options);
    struct worker   workers[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        workers[i] = (struct worker){
            .db = db, .chance = corm__hash_mix(seed ^ (uint64_t)getpid() << 8 ^ (uint64_t)i)};
    run_threads(WORKERS, work, workers, sizeof(*workers));
    corm_close(db);
    (void)fflush(NULL);
    _exit(0);
}

/* Two processes whose lists disagree, for some time. */
static struct audit run_processes(const char *list, const char *other, const char *options,
                                  int64_t ms)
{
    pid_t pids[] = {start_process(list, options), start_process(other, options)};

    sleep_ms(ms);
    atomic_store(&books->over, true);
    for (size_t i = 0; i < COUNT(pids); i++) {
        int status = 0;
        assert_true(waitpid(pids[i], &status, 0) == pids[i]);
        if (status != 0)
            fail_msg("a process ended with the status %x", (unsigned)status);
    }
    return audit();
}

static void disagree(const char *list, const char *other)
{
    enum { STOCK = 2000 };

    make_tables(HOT, STOCK);
    struct used  before = used_now();
    struct audit a = run_processes(list, other, NULL, is_long() ? 60000 : 6000);
    (void)used_since(before);
    long long many = overbooked();
    (void)printf("# lists %s and %s: %d concerts, %lld overbooked\n", list, other,
                 atomic_load(&books->next_concert) / TRIES_PER_CONCERT, many);
    assert_books(&a, atomic_load(&books->runs));
    assert_stock(STOCK);
    assert_int_equal(many, 0);
    assert_int_equal(a.failed, 0);
    assert_int_equal(a.unknown, 0);
}

static void lists_in_another_order_oversell_nothing(void **state)
{
    (void)state;
    disagree("123", "312");
}

/* The keys of node 2 are those of another one for the second process: two nodes work on them at once. */
static void lists_that_lack_a_node_oversell_nothing(void **state)
{
    (void)state;
    disagree("123", "31");
}

/* The control: the same, where nobody guards. */
static void without_guards_concerts_are_overbooked(void **state)
{
    (void)state;
    make_tables(HOT, 1000000);
    (void)run_processes("123", "31", "guard=off", 6000);
    long long many = overbooked();
    (void)printf("# %lld concerts overbooked\n", many);
    assert_true(many > 0);
}

/* ---- Readers ------------------------------------------------------------------------------ */

enum { READER = 3, FOLLOWERS = 4, FOLLOWED_MIN = 200 };

/* Writes a product by one handle and reads it by one, the same or another. */
struct follower {
    struct corm_db  *writes, *reads;
    int32_t          product_id, n;
    int64_t          stale, failed;
    _Atomic int64_t *of; /* each node: how many reads came from it */
};

static int set_stock(struct corm_trx *trx, void *arg)
{
    const struct follower *f = arg;

    return corm_update(trx, product, corm_eq(product.id, f->product_id),
                       corm_set(product.stock, f->n));
}

/* The stock, and on which node that is. */
static int read_stock(struct corm_trx *trx, void *arg)
{
    const struct follower *f = arg;
    struct corm_rows       rows;
    struct product         p;
    int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, f->product_id));

    if (rc == 1)
        rc = corm_sql(trx, &rows, "SELECT @@port");
    for (int i = 0; rc == 1 && i < NODES; i++)
        if (node_port(i + 1) == (uint16_t)rows.values->as.i)
            (void)atomic_fetch_add(&f->of[i], 1);
    return rc == 1 ? p.stock : corm_abort(trx, CORM_USER, "no such product");
}

static void *keep_following(void *arg)
{
    struct follower *f = arg;
    struct product   p = {0};

    for (f->n = 1; !atomic_load(&books->over); f->n++) {
        int rc = corm_transact(f->writes, set_stock, f, .key = corm_eq(product.id, f->product_id));
        if (rc >= 0)
            rc = corm_first(f->reads, product, &p, .where = corm_eq(product.id, f->product_id),
                            .reader = true);
        f->stale += rc == 1 && p.stock != f->n;
        f->failed += rc != 1;
        if (f->n % 2 == 0)
            continue;
        rc = corm_transact(f->reads, read_stock, f, .read_only = true, .reader = true);
        f->stale += rc >= 0 && rc != f->n;
        f->failed += rc < 0;
    }
    return NULL;
}

struct following {
    _Atomic int64_t of[NODES];
    struct follower followers[FOLLOWERS];
    pthread_t       threads[FOLLOWERS];
};

static void begin_following(struct following *f, struct corm_db *writes, struct corm_db *reads)
{
    atomic_store(&books->over, false);
    for (int i = 0; i < NODES; i++)
        atomic_store(&f->of[i], 0);
    for (int i = 0; i < FOLLOWERS; i++) {
        f->followers[i] =
            (struct follower){.writes = writes, .reads = reads, .product_id = 1 + i, .of = f->of};
        assert_true(pthread_create(&f->threads[i], NULL, keep_following, &f->followers[i]) == 0);
    }
}

/* Until some more reads came from a node, or from its neighbour. */
static void wait_for_reads(struct following *f, int node, int neighbour)
{
    int64_t before = atomic_load(&f->of[node - 1]) + atomic_load(&f->of[neighbour - 1]);

    for (int64_t end = now_ms() + 60000; now_ms() < end; sleep_ms(10))
        if (atomic_load(&f->of[node - 1]) + atomic_load(&f->of[neighbour - 1]) >=
            before + FOLLOWED_MIN)
            return;
    die("nobody reads from a node", "");
}

static int64_t end_following(struct following *f)
{
    int64_t stale = 0;

    atomic_store(&books->over, true);
    for (int i = 0; i < FOLLOWERS; i++) {
        assert_true(pthread_join(f->threads[i], NULL) == 0);
        stale += f->followers[i].stale;
        assert_int_equal(f->followers[i].failed, 0);
    }
    (void)printf("# reads of the nodes: %" PRId64 ", %" PRId64 ", %" PRId64 "; stale: %" PRId64
                 "\n",
                 atomic_load(&f->of[0]), atomic_load(&f->of[1]), atomic_load(&f->of[2]), stale);
    return stale;
}

/* Keys have two nodes that write; the third is read from, or, while it is behind, one of the two. */
static void who_has_written_reads_what_he_wrote(void **state)
{
    struct following f;

    (void)state;
    make_tables(PRODUCTS, 0);
    struct corm_db *db = open_cluster("12r3", NULL), *other = open_cluster("12r3", NULL);
    begin_following(&f, db, db);
    wait_for_reads(&f, READER, READER);
    desync_node(READER, true);
    wait_for_reads(&f, 1, 2);
    desync_node(READER, false);
    wait_for_reads(&f, READER, READER);
    int64_t stale = end_following(&f);
    assert_int_equal(stale, 0);

    /* The control: who has not written may be given what was before. */
    begin_following(&f, db, other);
    for (int turns = 0; turns < 50; turns++)
        wait_for_reads(&f, READER, READER);
    stale = end_following(&f);
    assert_true(stale > 0);
    corm_close(other);
    corm_close(db);
}

/* ---- Faults ------------------------------------------------------------------------------ */

/* What is left of a node's place in time: when it first committed, for a plain client and for corm. */
struct clocks {
    _Atomic int64_t plain_ms[NODES]; /* on that node; 0: not yet */
    _Atomic int64_t corm_ms[NODES];  /* of the key whose home that node is */
};

static struct clocks   clocks;
static _Atomic int64_t fault_ms;     /* when the last fault was; what began before does not count */
static int32_t         probe[NODES]; /* a key whose home is that node */
static int             second[NODES]; /* the node, from 0, that comes next for it */

enum { SETTLE_MS = 50 };

/* Keeps the first time only. */
static void stamp(_Atomic int64_t *clock, int64_t began)
{
    int64_t none = 0, fault = atomic_load(&fault_ms);

    if (fault != 0 && began >= fault + SETTLE_MS)
        (void)atomic_compare_exchange_strong(clock, &none, now_ms());
}

/* Commits on one node again and again, without corm, on a row of its own. */
static void *commit_plainly(void *arg)
{
    int    node = *(int *)arg;
    MYSQL *mysql = NULL;

    while (!atomic_load(&books->over)) {
        long long ignored;
        if (mysql == NULL)
            mysql = try_node(node);
        int64_t began = now_ms();
        if (mysql != NULL &&
            try_ask(mysql, &ignored, "UPDATE product SET stock = stock + 1 WHERE id = %d",
                    (int)PROBES + node)) {
            stamp(&clocks.plain_ms[node - 1], began);
            sleep_ms(5);
        } else {
            mysql_close(mysql);
            mysql = NULL;
            sleep_ms(20);
        }
    }
    mysql_close(mysql);
    return NULL;
}

static int touch(struct corm_trx *trx, void *arg)
{
    return corm_update(trx, product, corm_eq(product.id, *(int32_t *)arg),
                       corm_add(product.stock, 1));
}

struct prober {
    struct corm_db *db;
    int             home; /* from 0 */
    int64_t         failed;
};

/* New work, call after call; several do, because one may be under way when a node dies. */
static void *keep_probing(void *arg)
{
    struct prober    *p = arg;
    struct corm_error error = {0};

    while (!atomic_load(&books->over)) {
        int64_t began = now_ms();
        int     rc = corm_transact(p->db, touch, &probe[p->home],
                                   .key = corm_eq(product.id, probe[p->home]), .error = &error);
        if (rc >= 0)
            stamp(&clocks.corm_ms[p->home], began);
        p->failed += rc < 0;
        sleep_ms(5);
    }
    return NULL;
}

/* Purchases and bookings, without pause. */
static void *keep_trading(void *arg)
{
    struct worker    *w = arg;
    struct corm_error error = {0};

    for (int64_t mark; !atomic_load(&books->over) && (mark = take_mark(MARKS_MAX)) >= 0;) {
        struct want want = want_of(mark, PRODUCTS);
        struct seat seat = {.mark = mark,
                            .concert_id =
                                atomic_fetch_add(&books->next_concert, 1) / TRIES_PER_CONCERT + 1};
        error = (struct corm_error){0};
        int rc = mark % 4 != 0 || seat.concert_id > CONCERTS
                     ? corm_transact(w->db, buy, &want, .key = corm_eq(product.id, want.product_id),
                                     .error = &error)
                     : corm_transact(w->db, book, &seat,
                                     .key = corm_eq(concert.id, seat.concert_id), .error = &error);
        tell(mark, rc, &error);
        sleep_ms(2);
    }
    return NULL;
}

enum fault { KILL, STOP, ISOLATE, RESTART, FAULTS };

static const char *const fault_names[FAULTS] = {"SIGKILL", "SIGSTOP", "isolated", "restart"};

static void begin_fault(enum fault fault, int node)
{
    atomic_store(&fault_ms, 0);
    for (int i = 0; i < NODES; i++) {
        atomic_store(&clocks.plain_ms[i], 0);
        atomic_store(&clocks.corm_ms[i], 0);
    }
    atomic_store(&fault_ms, now_ms());
    switch (fault) {
    case KILL: kill_node(node); break;
    case STOP: stop_node(node); break;
    case ISOLATE: isolate_node(node, true); break;
    default: end_node(node); break;
    }
}

static void mend_fault(enum fault fault, int node)
{
    switch (fault) {
    case STOP: continue_node(node); break;
    case ISOLATE: isolate_node(node, false); break;
    default: start_node(node); break;
    }
    wait_until_synced();
}

/* Until everybody has committed again on the survivors; 30 seconds at most. */
static void wait_for_commits(int node)
{
    for (int64_t end = now_ms() + 30000; now_ms() < end; sleep_ms(10)) {
        bool all = true;
        for (int i = 0; i < NODES; i++)
            all = all && atomic_load(&clocks.corm_ms[i]) != 0 &&
                  (i == node - 1 || atomic_load(&clocks.plain_ms[i]) != 0);
        if (all)
            return;
    }
    die("a survivor does not commit again", "");
}

struct delays {
    int64_t ms[1000];
    size_t  count;
};

static void add_delay(struct delays *d, int64_t ms)
{
    if (d->count < COUNT(d->ms))
        d->ms[d->count++] = ms;
}

static int compare_ms(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void sort_delays(struct delays *d)
{
    qsort(d->ms, d->count, sizeof(*d->ms), compare_ms);
}

/* How much later than a plain client corm commits on the survivors: the keys that have always been theirs, and
 * those of the node that is gone. */
static void measure(enum fault fault, int node, struct delays *own, struct delays *moved)
{
    int64_t at = atomic_load(&fault_ms);
    int     gone = node - 1;

    (void)printf("# %s of node %d:", fault_names[fault], node);
    for (int i = 0; i < NODES; i++) {
        int     on = i == gone ? second[gone] : i;
        int64_t late = atomic_load(&clocks.corm_ms[i]) - atomic_load(&clocks.plain_ms[on]);
        (void)printf(" %s on %d: %" PRId64 " ms, plain %" PRId64 " ms;",
                     i == gone ? "moved" : "own", on + 1, atomic_load(&clocks.corm_ms[i]) - at,
                     atomic_load(&clocks.plain_ms[on]) - at);
        add_delay(i == gone ? moved : own, late);
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

/* A key for each node whose home it is. */
static void find_probes(void)
{
    uint64_t nodes[NODES];
    int      found = 0;

    for (int i = 0; i < NODES; i++)
        nodes[i] = corm__hash_node(node_host(i + 1), node_port(i + 1));
    for (int32_t id = PROBES + NODES + 1; found < NODES; id++) {
        struct corm_value value = corm_v_int_(id);
        uint32_t          order[NODES];
        corm__order_nodes(nodes, NODES, corm__hash_key(product.corm_table, &value), order);
        if (probe[order[0]] != 0)
            continue;
        probe[order[0]] = id;
        second[order[0]] = (int)order[1];
        found++;
    }
}

static void make_probes(void)
{
    MYSQL *mysql = open_node(1);

    memset(probe, 0, sizeof(probe));
    find_probes();
    for (int i = 0; i < NODES; i++) {
        (void)ask_node(mysql, "INSERT INTO product (id, stock) VALUES (%d, 0)",
                       (int)PROBES + i + 1);
        (void)ask_node(mysql, "INSERT INTO product (id, stock) VALUES (%d, 0)", (int)probe[i]);
    }
    mysql_close(mysql);
}

static int fault_count(void)
{
    const char *text = getenv("CORM_GALERA_FAULTS");

    return text != NULL ? (int)strtol(text, NULL, 10) : is_long() ? 32 : FAULTS;
}

enum { TRADERS = 16, PROBERS_EACH = 3 };

static void faults_lose_and_double_nothing(void **state)
{
    enum { STOCK = 100000 };
    static struct delays own, moved;
    struct worker        traders[TRADERS];
    struct prober        probers[NODES * PROBERS_EACH];
    int                  plain[NODES] = {1, 2, 3};
    pthread_t            threads[TRADERS + NODES * PROBERS_EACH + NODES];
    size_t               n = 0;
    int64_t              failed = 0;

    (void)state;
    make_tables(PRODUCTS, STOCK);
    make_probes();
    struct corm_db *db = open_cluster("123", "pool=24");
    for (int i = 0; i < TRADERS; i++) {
        traders[i] = (struct worker){.db = db};
        assert_true(pthread_create(&threads[n++], NULL, keep_trading, &traders[i]) == 0);
    }
    for (int i = 0; i < NODES * PROBERS_EACH; i++) {
        probers[i] = (struct prober){.db = db, .home = i % NODES};
        assert_true(pthread_create(&threads[n++], NULL, keep_probing, &probers[i]) == 0);
    }
    for (int i = 0; i < NODES; i++)
        assert_true(pthread_create(&threads[n++], NULL, commit_plainly, &plain[i]) == 0);

    sleep_ms(1000);
    int count = fault_count();
    for (int i = 0; i < count; i++) {
        enum fault fault = (enum fault)(i % FAULTS);
        int        node = 1 + (i + i / FAULTS) % NODES;
        begin_fault(fault, node);
        wait_for_commits(node);
        measure(fault, node, &own, &moved);
        sleep_ms(1000);
        mend_fault(fault, node);
        sleep_ms(1000);
    }
    atomic_store(&books->over, true);
    for (size_t i = 0; i < n; i++)
        assert_true(pthread_join(threads[i], NULL) == 0);
    for (size_t i = 0; i < COUNT(probers); i++)
        failed += probers[i].failed;
    corm_close(db);

    struct audit a = audit();
    sort_delays(&own);
    sort_delays(&moved);
    (void)printf("# %d faults; later than a plain client: own keys %" PRId64
                 " ms (median), %" PRId64 " ms (worst); moved keys %" PRId64 " ms, %" PRId64
                 " ms\n",
                 count, own.ms[own.count / 2], own.ms[own.count - 1], moved.ms[moved.count / 2],
                 moved.ms[moved.count - 1]);
    assert_books(&a, atomic_load(&books->runs));
    assert_stock(STOCK);
    assert_int_equal(overbooked(), 0);
    assert_int_equal(a.failed, 0);
    assert_int_equal(a.unknown, 0);
    assert_int_equal(failed, 0);
    assert_true(own.ms[own.count / 2] < 1000 && moved.ms[moved.count / 2] < 1000);
}

/* ---- All --------------------------------------------------------------------------------- */

static int filter(const struct CMUnitTest *tests, size_t count)
{
    const char *only = getenv("CORM_TEST_ONLY");

    if (only != NULL)
        cmocka_set_test_filter(only);
    return _cmocka_run_group_tests("galera", tests, count, NULL, NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(purchases_in_groups_meet_no_refusal),
        cmocka_unit_test(purchases_with_locks_meet_no_refusal),
        cmocka_unit_test(lists_in_another_order_oversell_nothing),
        cmocka_unit_test(lists_that_lack_a_node_oversell_nothing),
        cmocka_unit_test(without_guards_concerts_are_overbooked),
        cmocka_unit_test(who_has_written_reads_what_he_wrote),
        cmocka_unit_test(faults_lose_and_double_nothing),
    };
    const char *text = getenv("CORM_SEED");

    seed = text != NULL ? strtoull(text, NULL, 10)
                        : corm__hash_mix((uint64_t)time(NULL) << 20 ^ (uint64_t)getpid());
    (void)printf("# CORM_SEED=%" PRIu64 "\n", seed);
    return filter(tests, COUNT(tests));
}
