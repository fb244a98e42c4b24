/* stats_test.c -- the numbers of corm/stats.h: each is counted where it has to be, and the text for Prometheus, read
 * back by a parser that knows nothing but the format, says the same as the structs.
 *
 * What a server does only now and then is counted elsewhere: answers of the ledger in ledger_edges_test.c, nodes that are
 * left in nodes_test.c and cluster_test.c. */
#include "support.h"

#include "api/db.h"
#include "base/clock.h"
#include "child.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(20), .unique = 1)                                                              \
    X(stock, int)                                                                                  \
    X(version, int, .version = 1)
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

enum { WAIT_MS = 20000 };

static struct corm_db   *db;
static struct corm_error e;

/* ---- What the hook was told, to be compared with ---------------------------------------- */

static struct {
    pthread_mutex_t   mutex;
    uint64_t          count, nanoseconds, failed;
    uint64_t          buckets[CORM_BUCKETS];
    struct corm_event last_of_lane;
} told = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static const uint64_t durations[CORM_BUCKETS] = {
    10000,    50000,     100000,    500000,     1000000,    5000000,     10000000,
    50000000, 100000000, 500000000, 1000000000, 5000000000, 10000000000, UINT64_MAX};

static size_t bucket_of(const uint64_t *bounds, uint64_t value)
{
    size_t i = 0;

    while (value > bounds[i])
        i++;
    return i;
}

static void note_event(const struct corm_event *event, void *arg)
{
    (void)arg;
    pthread_mutex_lock(&told.mutex);
    told.count++;
    told.failed += event->code != 0;
    told.nanoseconds += (uint64_t)event->nanoseconds;
    told.buckets[bucket_of(durations, (uint64_t)event->nanoseconds)]++;
    if (event->lane != 0) {
        told.last_of_lane = *event;
        told.last_of_lane.text = NULL;
    }
    pthread_mutex_unlock(&told.mutex);
}

/* ---- Helpers -------------------------------------------------------------------------------- */

static void open_with(const char *options)
{
    memset(&told.count, 0, sizeof(told) - offsetof(__typeof__(told), count));
    db = open_watched(options, note_event, NULL);
    e = (struct corm_error){0};
}

static void open_plain(const char *options)
{
    e = (struct corm_error){0};
    assert_ok(corm_open(&db, test_url(options), .error = &e), &e);
}

static void make_items(void)
{
    struct item rows[] = {{.name = "a", .stock = 5}, {.name = "b", .stock = 6}};

    new_table(db, item);
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_ok(corm_insert_row(db, item, &rows[i], .error = &e), &e);
}

static struct corm_db_stats of_db(void)
{
    struct corm_db_stats stats;

    assert_int_equal(corm_db_stats(db, &stats, &e), 0);
    return stats;
}

static struct corm_node_stats of_node(void)
{
    struct corm_node_stats stats;

    assert_int_equal(corm_node_stats(db, 1, &stats, &e), 0);
    assert_int_equal(stats.opened - stats.closed, stats.idle + stats.used);
    return stats;
}

static uint64_t count_of(const struct corm_code_count *list, int code)
{
    while (list->code != 0 && list->code != code)
        list++;
    return list->count;
}

static void read_item(int id)
{
    struct item        row;
    struct corm_arena *arena = corm_arena_new();

    assert_rows(
        corm_first(db, item, &row, .where = corm_eq(item.id, id), .arena = arena, .error = &e), 1,
        &e);
    corm_arena_free(arena);
}

static void check_sum(const struct corm_histogram *h)
{
    uint64_t n = 0, least = 0;

    for (size_t i = 0; i < CORM_BUCKETS; i++) {
        n += h->buckets[i];
        if (i > 0)
            least += h->buckets[i] * h->bounds[i - 1];
        assert_true(i == 0 || h->bounds[i] > h->bounds[i - 1]);
    }
    assert_true(h->bounds[CORM_BUCKETS - 1] == UINT64_MAX);
    assert_int_equal(h->count, n);
    assert_true(h->sum >= least);
}

/* Keeps a lane busy. */
struct hold {
    struct gate entered, open;
};

static int hold_lane(struct corm_trx *trx, void *arg)
{
    struct hold *h = arg;

    open_gate(&h->entered);
    return pass_gate(&h->open, WAIT_MS) ? 0 : corm_abort(trx, CORM_USER, "the gate stayed closed");
}

static int64_t submit(corm_trx_function *function, void *arg)
{
    int64_t ticket = corm_submit(db, function, arg, .key = corm_eq(item.id, 1), .timeout_ms = 60000,
                                 .error = &e);

    assert_ok(ticket, &e);
    return ticket;
}

/* ---- Operations ------------------------------------------------------------------------------ */

static void assert_timed_as_told(const struct corm_histogram *h)
{
    check_sum(h);
    assert_int_equal(h->count, told.count);
    assert_int_equal(h->sum, told.nanoseconds);
    for (size_t i = 0; i < CORM_BUCKETS; i++) {
        assert_true(h->bounds[i] == durations[i]);
        assert_int_equal(h->buckets[i], told.buckets[i]);
    }
}

static void operations_are_timed_as_the_hook_is_told(void **state)
{
    (void)state;
    open_with("stats=on&pool=2");
    make_items();
    for (int i = 0; i < 100; i++)
        read_item(1 + i % 2);
    assert_true(corm_sql(db, NULL, "SELEKT 1", .error = &e) < 0);
    struct corm_node_stats node = of_node();
    assert_true(of_db().is_on);
    assert_true(told.count > 100);
    assert_true(told.nanoseconds > 0);
    assert_timed_as_told(&node.operation_duration);
    corm_close(db);
}

static void operations_that_nobody_wants_timed_are_not(void **state)
{
    (void)state;
    open_with("pool=2");
    make_items();
    read_item(1);
    assert_false(of_db().is_on);
    assert_int_equal(of_node().operation_duration.count, 0);
    assert_int_equal(of_node().operation_duration.sum, 0);
    assert_true(of_node().operation_duration.bounds[0] == durations[0]);
    corm_close(db);
    open_with("stats=off");
    assert_false(of_db().is_on);
    corm_close(db);
}

static void the_program_may_want_it_where_the_url_does_not_say(void **state)
{
    (void)state;
    assert_ok(corm_open(&db, test_url("pool=2"), .stats = true, .error = &e), &e);
    make_items();
    assert_true(of_db().is_on);
    assert_true(of_node().operation_duration.count > 0);
    assert_true(of_node().operation_duration.sum > 0);
    corm_close(db);
}

/* Also of connections that are closed: what follows them goes on with their numbers. */
static void durations_outlive_their_connection(void **state)
{
    (void)state;
    open_with("stats=on&pool=2");
    make_items();
    uint64_t before = of_node().operation_duration.count;
    beside("KILL %lld", number_beside("SELECT MAX(id) FROM information_schema.processlist WHERE "
                                      "db = DATABASE() AND id <> CONNECTION_ID()"));
    struct corm_node_stats node = of_node();
    while (node.closed == 0) { /* as soon as it is seen to be dead */
        read_item(1);
        node = of_node();
    }
    assert_int_equal(node.closed, 1);
    assert_int_equal(node.opened, 2);
    assert_int_equal(node.create_time.count, 2);
    assert_true(node.create_time.sum > 0);
    check_sum(&node.create_time);
    assert_true(node.operation_duration.count > before);
    assert_timed_as_told(&node.operation_duration);
    const struct corm__shard *first = db->nodes.watch.durations->shards;
    assert_non_null(first);
    assert_null(first->next); /* there was never more than one connection */
    corm_close(db);
}

static void a_shard_is_of_one_connection_and_one_node(void **state)
{
    struct corm__durations *d = corm__durations_new();
    struct corm__endpoint   one = {.node = 1}, two = {.node = 2};
    struct corm__shard     *first = corm__shard_take(d, &one), *second = corm__shard_take(d, &one);
    struct corm_histogram   all = {0}, others = {0};

    (void)state;
    assert_ptr_not_equal(first, second);
    corm__observe(&first->durations, corm__duration_bounds, 5);
    corm__observe(&second->durations, corm__duration_bounds, 20000);
    corm__shard_give(d, first);
    struct corm__shard *third = corm__shard_take(d, &two);
    assert_ptr_not_equal(third, first);
    assert_ptr_not_equal(third, second);
    corm__observe(&third->durations, corm__duration_bounds, UINT64_MAX - 1);
    assert_ptr_equal(corm__shard_take(d, &one), first); /* and what it holds */
    corm__durations_read(d, &one, &all);
    corm__durations_read(d, &two, &others);
    check_sum(&all);
    assert_int_equal(all.count, 2);
    assert_int_equal(all.sum, 20005);
    assert_int_equal(all.buckets[0], 1);
    assert_int_equal(all.buckets[1], 1);
    assert_int_equal(others.count, 1);
    assert_int_equal(others.buckets[CORM_BUCKETS - 1], 1);
    corm__durations_free(d);
}

static _Thread_local uint64_t looks; /* at the clock, of this thread */

/* In place of libc's, whose header names what it takes with underscores. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int clock_gettime(clockid_t clock, struct timespec *time)
{
    looks++;
    return (int)syscall(SYS_clock_gettime, clock, time);
}

static uint64_t looks_of_reads(const char *options, int reads)
{
    open_plain(options);
    make_items();
    read_item(1);
    uint64_t before = looks;
    for (int i = 0; i < reads; i++)
        read_item(1);
    uint64_t all = looks - before;
    corm_close(db);
    return all;
}

/* That is what it costs: instructions.py, which counts instructions, does not see how long one of them takes. On
 * a server it depends on how often its answer has to be waited for. */
static void a_read_that_is_timed_looks_at_the_clock_once_more(void **state)
{
    (void)state;
    uint64_t without = looks_of_reads("pool=2", 50);
    assert_int_equal(looks_of_reads("pool=2&stats=on", 50), without + 50);
}

/* What a program does between two statements of a transaction is no time of the server. */
static void what_lies_between_operations_is_in_none(void **state)
{
    struct corm_trx *trx = NULL;

    (void)state;
    open_with("stats=on&pool=2");
    make_items();
    uint64_t before = of_node().operation_duration.sum;
    int64_t  began = corm__now();
    assert_ok(corm_begin(db, &trx, .error = &e), &e);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_add(item.stock, 1)), 1, &e);
    int64_t since = corm__now();
    while (corm__now() < since + 20000000)
        continue;
    int64_t paused = corm__now() - since;
    assert_rows(corm_update(trx, item, corm_eq(item.id, 2), corm_add(item.stock, 1)), 1, &e);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    int64_t all = corm__now() - began;
    assert_in_range(of_node().operation_duration.sum - before, 1, all - paused);
    corm_close(db);
}

static void failures_are_counted_by_their_code(void **state)
{
    struct item a = {.name = "a"};

    (void)state;
    open_with("pool=2");
    make_items();
    assert_int_equal(of_db().errors[0].code, 0);
    for (int i = 0; i < 2; i++)
        assert_code(corm_insert_row(db, item, &a, .error = &e), CORM_DUPLICATE, &e);
    assert_code(corm_sql(db, NULL, "SELEKT 1", .error = &e), CORM_SYNTAX, &e);
    struct corm_db_stats stats = of_db();
    assert_int_equal(stats.errors[0].code, CORM_DUPLICATE); /* as in error.h */
    assert_int_equal(stats.errors[0].count, 2);
    assert_int_equal(stats.errors[1].code, CORM_SYNTAX);
    assert_int_equal(stats.errors[1].count, 1);
    assert_int_equal(stats.errors[2].code, 0);
    assert_int_equal(told.failed, 3);
    corm_close(db);
}

static void codes_that_are_not_corms_own_count_together(void **state)
{
    static struct corm__code_counts counts;
    struct corm_code_count          list[CORM_CODES_MAX];

    (void)state;
    corm__code_counts_read(&counts, list);
    assert_int_equal(list[0].code, 0);
    corm__count_code(&counts, CORM_USER - 5);
    corm__count_code(&counts, CORM_USER);
    corm__count_code(&counts, CORM_NO_MEMORY);
    corm__code_counts_read(&counts, list);
    assert_int_equal(list[0].code, CORM_USER);
    assert_int_equal(list[0].count, 2);
    assert_int_equal(list[1].code, CORM_NO_MEMORY);
    assert_int_equal(list[1].count, 1);
    assert_int_equal(list[2].code, 0);
}

/* ---- Transactions --------------------------------------------------------------------------------- */

struct stale {
    struct item row; /* as it was before somebody changed it */
    int         runs;
};

static int update_stale(struct corm_trx *trx, void *arg)
{
    struct stale *s = arg;

    if (s->runs++ > 0 &&
        corm_first(trx, item, &s->row, .where = corm_eq(item.id, 1), .lock = CORM_FOR_UPDATE) != 1)
        return -1;
    s->row.stock++;
    return corm_update_row(trx, item, &s->row);
}

static struct stale stale_item(void)
{
    struct stale s = {.row = {.id = 1, .name = "a", .stock = 5, .version = 77}};

    return s;
}

static void functions_that_run_again_are_counted_by_the_reason(void **state)
{
    struct stale s = stale_item();

    (void)state;
    open_with("pool=2");
    make_items();
    struct corm_counters before = stats_of(db);
    assert_rows(corm_transact(db, update_stale, &s, .error = &e), 1, &e);
    assert_int_equal(s.runs, 2);
    struct corm_db_stats stats = of_db();
    assert_int_equal(stats.run_again[0].code, CORM_STALE);
    assert_int_equal(stats.run_again[0].count, 1);
    assert_int_equal(stats.run_again[1].code, 0);
    assert_int_equal(stats.counters.attempts, before.attempts + 2);
    assert_int_equal(stats.counters.commits, before.commits + 1);
    assert_int_equal(stats.deadlocks, 0);
    s = stale_item();
    assert_rows(corm_transact(db, update_stale, &s, .key = corm_eq(item.id, 1), .error = &e), 1,
                &e);
    assert_int_equal(s.runs, 2);
    stats = of_db();
    assert_int_equal(count_of(stats.run_again, CORM_STALE), 2);
    assert_int_equal(stats.lane_queue, 0);
    assert_int_equal(stats.group_size.count, 2);
    assert_int_equal(stats.lane_wait_time.count, 1); /* until the first of them alone */
    corm_close(db);
}

static int refuse(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return corm_abort(trx, CORM_USER, "no");
}

static int lose_connection_once(struct corm_trx *trx, void *arg)
{
    struct corm_rows rows;
    int             *runs = arg;
    int              rc = corm_sql(trx, &rows, "SELECT CONNECTION_ID()");

    if (rc == 1 && (*runs)++ == 0)
        beside("KILL %lld", (long long)rows.values[0].as.i);
    return rc < 0 ? rc : corm_update(trx, item, corm_eq(item.id, 1), corm_add(item.stock, 1));
}

/* Also of those who had an outcome that did not stand. */
static void members_of_a_group_that_is_lost_run_again(void **state)
{
    struct hold h = {GATE, GATE};
    int         runs = 0;

    (void)state;
    open_with("pool=4&lanes=1");
    make_items();
    (void)submit(hold_lane, &h);
    assert_true(pass_gate(&h.entered, WAIT_MS));
    int64_t refused = submit(refuse, NULL);
    int64_t lost = submit(lose_connection_once, &runs);
    open_gate(&h.open);
    assert_int_equal(corm_wait(db, refused, &e), CORM_USER);
    assert_ok(corm_wait(db, lost, &e), &e);
    (void)corm_drain(db);
    assert_int_equal(runs, 2);
    struct corm_db_stats stats = of_db();
    assert_int_equal(stats.run_again[0].code, CORM_DISCONNECTED);
    assert_int_equal(stats.run_again[0].count, 2);
    assert_int_equal(stats.run_again[1].code, 0);
    assert_int_equal(stats.lane_queue, 0);
    corm_close(db);
}

#define PART(X)                                                                                    \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(item_id, int)
CORM_MODEL(part, PART);
CORM_DEFINE(part, PART);

static int add_part(struct corm_trx *trx, void *arg)
{
    return corm_insert_row(trx, part, &(struct part){.item_id = *(int *)arg});
}

/* A COMMIT that is refused: each of the members may be the reason. */
static void members_of_a_group_that_is_refused_run_again(void **state)
{
    struct hold h = {GATE, GATE};
    int         right = 1, wrong = 99;

    (void)state;
    open_with("pool=4");
    make_items();
    beside("CREATE TABLE part (id INTEGER PRIMARY KEY AUTOINCREMENT, item_id INTEGER NOT NULL "
           "REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED)");
    (void)submit(hold_lane, &h);
    assert_true(pass_gate(&h.entered, WAIT_MS));
    int64_t tickets[] = {submit(add_part, &right), submit(add_part, &wrong)};
    open_gate(&h.open);
    assert_ok(corm_wait(db, tickets[0], &e), &e);
    assert_code(corm_wait(db, tickets[1], &e), CORM_FOREIGN_KEY, &e);
    (void)corm_drain(db);
    assert_true(count_of(of_db().run_again, CORM_FOREIGN_KEY) >= 2);
    assert_int_equal(of_db().lane_queue, 0);
    corm_close(db);
}

/* Two of them, each with the row that the other one wants. */
struct crossing {
    pthread_barrier_t *both;
    int                first, second, runs, rc;
};

static int cross(struct corm_trx *trx, void *arg)
{
    struct crossing *c = arg;
    struct item      row;
    int              rc =
        corm_first(trx, item, &row, .where = corm_eq(item.id, c->first), .lock = CORM_FOR_UPDATE);

    if (rc > 0 && c->runs++ == 0)
        (void)pthread_barrier_wait(c->both);
    if (rc > 0)
        rc = corm_update(trx, item, corm_eq(item.id, c->second), corm_add(item.stock, 1));
    return rc;
}

static void *cross_in_thread(void *arg)
{
    struct crossing *c = arg;

    c->rc = corm_transact(db, cross, c);
    return NULL;
}

static void deadlocks_are_counted(void **state)
{
    pthread_barrier_t both;
    struct crossing   two[] = {{&both, 1, 2, 0, 0}, {&both, 2, 1, 0, 0}};

    (void)state;
    open_with("pool=4");
    make_items();
    pthread_barrier_init(&both, NULL, 2);
    run_threads(2, cross_in_thread, two, sizeof(two[0]));
    pthread_barrier_destroy(&both);
    struct corm_db_stats stats = of_db();
    assert_int_equal(two[0].rc, 1);
    assert_int_equal(two[1].rc, 1);
    assert_int_equal(two[0].runs + two[1].runs, 3);
    assert_int_equal(stats.deadlocks, 1);
    assert_int_equal(count_of(stats.run_again, CORM_DEADLOCK), 1);
    assert_int_equal(count_of(stats.errors, CORM_DEADLOCK), 1);
    corm_close(db);
}

/* ---- The pool --------------------------------------------------------------------------------------- */

static struct corm_trx *hold_connection(void)
{
    struct corm_trx *trx = NULL;

    assert_ok(corm_begin(db, &trx, .error = &e), &e);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_add(item.stock, 1)), 1, &e);
    return trx;
}

static void connections_are_counted(void **state)
{
    (void)state;
    open_with("pool=2");
    struct corm_node_stats node = of_node();
    assert_int_equal(node.max, 2);
    assert_int_equal(node.opened, 1);
    assert_int_equal(node.idle, 1);
    assert_int_equal(node.used, 0);
    make_items();
    struct corm_trx *trx = hold_connection();
    node = of_node();
    assert_int_equal(node.used, 1);
    assert_int_equal(node.idle, node.opened - 1);
    corm_end(trx);
    assert_int_equal(corm_connect_all(db, &e), 2);
    node = of_node();
    assert_int_equal(node.opened, 2);
    assert_int_equal(node.create_time.count, 2);
    assert_true(node.create_time.sum > 0);
    check_sum(&node.create_time);
    assert_int_equal(node.idle, 2);
    assert_int_equal(node.closed + node.pending + node.waits + node.timeouts, 0);
    corm_close(db);
}

struct waiting {
    uint32_t timeout_ms;
    int      rc;
};

static void *write_in_thread(void *arg)
{
    struct waiting  *w = arg;
    struct corm_trx *trx = NULL;

    w->rc = corm_begin(db, &trx, .timeout_ms = w->timeout_ms);
    if (w->rc == 0)
        w->rc = corm_update(trx, item, corm_eq(item.id, 2), corm_add(item.stock, 1));
    if (w->rc == 1 && corm_commit(trx) < 0)
        w->rc = -1;
    corm_end(trx);
    return NULL;
}

static bool somebody_waits(void *arg)
{
    struct corm_node_stats node;

    (void)arg;
    return corm_node_stats(db, 1, &node, NULL) == 0 && node.pending == 1;
}

/* A pool that has one connection to write with, on both targets. */
static void open_narrow(void)
{
    open_with(is_mariadb() ? "pool=1" : "pool=2");
    make_items();
}

static void who_waits_for_a_connection_is_counted_with_his_time(void **state)
{
    struct waiting w = {.timeout_ms = WAIT_MS};
    pthread_t      thread;

    (void)state;
    open_narrow();
    uint64_t         requests = of_node().wait_time.count;
    struct corm_trx *trx = hold_connection();
    assert_int_equal(of_node().wait_time.count, requests + 1);
    assert_int_equal(of_node().wait_time.sum, 0); /* nobody has waited so far */
    assert_int_equal(pthread_create(&thread, NULL, write_in_thread, &w), 0);
    wait_until(somebody_waits, NULL);
    int64_t since = now_ms();
    while (now_ms() < since + 20)
        continue;
    corm_end(trx);
    (void)pthread_join(thread, NULL);
    struct corm_node_stats node = of_node();
    assert_int_equal(w.rc, 1);
    assert_int_equal(node.pending, 0);
    assert_int_equal(node.waits, 1);
    assert_int_equal(node.timeouts, 0);
    assert_int_equal(node.wait_time.count, requests + 2);
    assert_true(node.wait_time.sum >= 19000000);
    check_sum(&node.wait_time);
    corm_close(db);
}

static void who_waits_in_vain_is_counted(void **state)
{
    struct waiting w = {.timeout_ms = 30};

    (void)state;
    open_narrow();
    struct corm_trx *trx = hold_connection();
    run_threads(1, write_in_thread, &w, sizeof(w));
    struct corm_node_stats node = of_node();
    assert_int_equal(w.rc, CORM_TIMEOUT);
    assert_int_equal(node.waits, 1);
    assert_int_equal(node.timeouts, 1);
    assert_true(node.wait_time.sum >= 29000000);
    corm_end(trx);
    corm_close(db);
}

/* ---- Lanes and groups -------------------------------------------------------------------------------- */

static int take_one(struct corm_trx *trx, void *arg)
{
    struct item row;
    int rc = corm_first(trx, item, &row, .where = corm_eq(item.id, 1), .lock = CORM_FOR_UPDATE);

    (void)arg;
    return rc < 1
               ? rc
               : corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.stock, row.stock - 1));
}

static void groups_and_who_waits_for_them_are_counted(void **state)
{
    enum { MANY = 5 };
    struct hold h = {GATE, GATE};
    int64_t     ticket = 0;

    (void)state;
    open_with("pool=4&lanes=1");
    make_items();
    (void)submit(hold_lane, &h);
    assert_true(pass_gate(&h.entered, WAIT_MS));
    assert_int_equal(of_db().lane_queue, 0); /* it runs */
    for (int i = 0; i < MANY + 1; i++)
        ticket = submit(take_one, NULL);
    assert_int_equal(of_db().lane_queue, MANY + 1);
    assert_int_equal(corm_cancel(db, ticket), 1);
    assert_int_equal(of_db().lane_queue, MANY);
    int64_t since = now_ms();
    while (now_ms() < since + 10)
        continue;
    open_gate(&h.open);
    assert_int_equal(corm_drain(db), MANY + 2);
    struct corm_db_stats stats = of_db();
    assert_int_equal(stats.lane_queue, 0);
    assert_int_equal(stats.group_size.count, 2);
    assert_int_equal(stats.group_size.sum, MANY + 1);
    assert_int_equal(stats.group_size.buckets[0], 1); /* of 1 */
    assert_int_equal(stats.group_size.buckets[3], 1); /* of 5 to 8 */
    assert_int_equal(stats.group_size.bounds[3], 8);
    check_sum(&stats.group_size);
    assert_int_equal(stats.counters.groups, stats.group_size.count);
    assert_int_equal(stats.counters.members, stats.group_size.sum);
    assert_int_equal(stats.lane_wait_time.count, MANY + 1);
    assert_true(stats.lane_wait_time.sum >= (uint64_t)MANY * 9000000);
    check_sum(&stats.lane_wait_time);
    corm_close(db);
}

static void the_hook_is_told_node_lane_and_members(void **state)
{
    struct hold h = {GATE, GATE};

    (void)state;
    open_with("pool=4&lanes=1");
    make_items();
    assert_int_equal(told.last_of_lane.lane, 0);
    (void)submit(hold_lane, &h);
    assert_true(pass_gate(&h.entered, WAIT_MS));
    for (int i = 0; i < 3; i++)
        (void)submit(take_one, NULL);
    open_gate(&h.open);
    (void)corm_drain(db);
    assert_int_equal(told.last_of_lane.node, 1);
    assert_int_equal(told.last_of_lane.lane, 1);
    assert_int_equal(told.last_of_lane.members, 3);
    told.last_of_lane = (struct corm_event){0};
    assert_ok(corm_setup(db, &e), &e); /* over the connection that the lane has used */
    read_item(1);
    corm_end(hold_connection());
    assert_int_equal(told.last_of_lane.lane, 0);
    corm_close(db);
}

/* ---- Threads ------------------------------------------------------------------------------------------- */

enum { READERS = 8, READS = 200 };

static atomic_bool over;

static void *read_in_thread(void *arg)
{
    int               *failed = arg;
    struct corm_arena *arena = corm_arena_new();
    struct item        row;

    for (int i = 0; i < READS; i++)
        *failed += corm_first(db, item, &row, .where = corm_eq(item.id, 1), .arena = arena) != 1;
    corm_arena_free(arena);
    return NULL;
}

static void *look_in_thread(void *arg)
{
    bool *wrong = arg;

    while (!atomic_load(&over) && !*wrong) {
        struct corm_arena     *arena = corm_arena_new();
        struct corm_node_stats node;
        *wrong = corm_node_stats(db, 1, &node, NULL) < 0 || node.used > node.max ||
                 corm_stats_text(db, arena, NULL) == NULL;
        corm_arena_free(arena);
    }
    return NULL;
}

static void nothing_is_lost_where_many_threads_count(void **state)
{
    int       failed[READERS] = {0};
    bool      wrong = false;
    pthread_t watcher;

    (void)state;
    open_with("stats=on&pool=4");
    make_items();
    uint64_t before = of_node().operation_duration.count;
    uint64_t requests = of_node().wait_time.count;
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&watcher, NULL, look_in_thread, &wrong), 0);
    run_threads(READERS, read_in_thread, failed, sizeof(failed[0]));
    atomic_store(&over, true);
    (void)pthread_join(watcher, NULL);
    struct corm_node_stats node = of_node();
    for (int i = 0; i < READERS; i++)
        assert_int_equal(failed[i], 0);
    assert_false(wrong);
    assert_true(node.operation_duration.count >= before + (uint64_t)READERS * READS);
    assert_timed_as_told(&node.operation_duration);
    assert_int_equal(node.wait_time.count, requests + (uint64_t)READERS * READS);
    check_sum(&node.wait_time);
    corm_close(db);
}

/* ---- The text ----------------------------------------------------------------------------------------------
 *
 * A parser of the format, 0.0.4: each line is HELP, TYPE, or name{label="value",...} number; a family
 * is told of once, and its lines stand together. */

enum { SAMPLES_MAX = 400, LABELS_MAX = 8 };

struct sample {
    char   name[64], family[64], type[16];
    char   label[LABELS_MAX][48], value[LABELS_MAX][256];
    size_t labels;
    char   number[40];
};

static struct {
    struct sample samples[SAMPLES_MAX];
    size_t        count;
    char          families[64][64];
    size_t        family_count;
} page;

static const char *take_name(const char *at, char *name, size_t size)
{
    size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789");

    assert_true(n > 0 && n < size);
    assert_false(at[0] >= '0' && at[0] <= '9');
    memcpy(name, at, n);
    name[n] = '\0';
    return at + n;
}

static const char *take_value(const char *at, char *value, size_t size)
{
    size_t n = 0;

    assert_int_equal(*at++, '"');
    for (; *at != '"'; at++) {
        char c = *at;
        assert_true(c != '\0' && c != '\n' && n + 1 < size);
        if (c == '\\') {
            c = *++at;
            assert_true(c == '\\' || c == '"' || c == 'n');
            c = c == 'n' ? '\n' : c;
        }
        value[n++] = c;
    }
    value[n] = '\0';
    return at + 1;
}

static const char *take_labels(const char *at, struct sample *s)
{
    assert_int_equal(*at++, '{');
    while (*at != '}') {
        assert_true(s->labels < LABELS_MAX);
        at = take_name(at, s->label[s->labels], sizeof(s->label[0]));
        assert_int_equal(*at++, '=');
        at = take_value(at, s->value[s->labels], sizeof(s->value[0]));
        s->labels++;
        assert_true(*at == ',' || *at == '}');
        at += *at == ',';
    }
    return at + 1;
}

/* What a histogram's lines add to its name. */
static bool belongs(const char *name, const char *family, const char *type)
{
    static const char *const more[] = {"_bucket", "_sum", "_count"};
    size_t                   n = strlen(family);

    if (strcmp(type, "histogram") != 0)
        return strcmp(name, family) == 0;
    for (size_t i = 0; i < COUNT(more); i++)
        if (strncmp(name, family, n) == 0 && strcmp(name + n, more[i]) == 0)
            return true;
    return false;
}

/* HELP, then TYPE, of a family that was not told of yet. */
static const char *take_head(const char *at, char *family, char *type)
{
    char again[64];

    at = take_name(at + strlen("# HELP "), family, 64);
    for (size_t i = 0; i < page.family_count; i++)
        assert_string_not_equal(page.families[i], family);
    assert_true(page.family_count < COUNT(page.families));
    (void)snprintf(page.families[page.family_count++], 64, "%s", family);
    assert_int_equal(*at, ' ');
    at = strchr(at, '\n') + 1;
    assert_int_equal(strncmp(at, "# TYPE ", 7), 0);
    at = take_name(at + 7, again, sizeof(again));
    assert_string_equal(family, again);
    at = take_name(at + 1, type, 16);
    assert_true(strcmp(type, "counter") == 0 || strcmp(type, "gauge") == 0 ||
                strcmp(type, "histogram") == 0);
    assert_int_equal(strcmp(type, "counter") == 0,
                     strcmp(family + strlen(family) - 6, "_total") == 0);
    assert_int_equal(*at, '\n');
    return at + 1;
}

static void parse(const char *text)
{
    char family[64] = "", type[16] = "";

    page.count = page.family_count = 0;
    assert_non_null(text);
    while (*text != '\0') {
        if (*text == '#') {
            text = take_head(text, family, type);
            continue;
        }
        struct sample *s = &page.samples[page.count++];
        assert_true(page.count < SAMPLES_MAX);
        *s = (struct sample){.labels = 0};
        text = take_labels(take_name(text, s->name, sizeof(s->name)), s);
        assert_true(belongs(s->name, family, type));
        (void)snprintf(s->family, sizeof(s->family), "%s", family);
        (void)snprintf(s->type, sizeof(s->type), "%s", type);
        assert_int_equal(*text++, ' ');
        size_t n = strcspn(text, "\n");
        assert_true(n > 0 && n < sizeof(s->number) && text[n] == '\n');
        memcpy(s->number, text, n);
        text += n + 1;
    }
}

static const char *label_of(const struct sample *s, const char *label)
{
    for (size_t i = 0; i < s->labels; i++)
        if (strcmp(s->label[i], label) == 0)
            return s->value[i];
    return NULL;
}

/* The one line of that name that has this label, if one is asked for. */
static const struct sample *find(const char *name, const char *label, const char *value)
{
    const struct sample *found = NULL;

    for (size_t i = 0; i < page.count; i++) {
        const struct sample *s = &page.samples[i];
        const char          *has = label != NULL ? label_of(s, label) : NULL;
        if (strcmp(s->name, name) != 0 ||
            (label != NULL && (has == NULL || strcmp(has, value) != 0)))
            continue;
        if (found != NULL)
            fail_msg("%s is there twice", name);
        found = s;
    }
    if (found == NULL)
        fail_msg("there is no %s{%s=\"%s\"}", name, label != NULL ? label : "",
                 label != NULL ? value : "");
    return found;
}

static void says(const char *name, const char *label, const char *value, uint64_t wanted)
{
    char text[40];

    (void)snprintf(text, sizeof(text), "%" PRIu64, wanted);
    if (strcmp(find(name, label, value)->number, text) != 0)
        fail_msg("%s is %s, not %s", name, find(name, label, value)->number, text);
}

/* Nanoseconds of a text of seconds, exactly. */
static uint64_t nanoseconds_of(const char *text)
{
    char    *point = NULL;
    uint64_t ns = strtoull(text, &point, 10) * 1000000000, unit = 100000000;

    assert_true(*point == '.' || *point == '\0');
    for (const char *digit = point + (*point == '.'); *digit != '\0'; digit++, unit /= 10) {
        assert_true(*digit >= '0' && *digit <= '9' && unit > 0);
        ns += unit * (uint64_t)(*digit - '0');
    }
    return ns;
}

static void says_histogram(const char *family, const struct corm_histogram *h, bool seconds)
{
    char     name[96], bound[32];
    uint64_t n = 0;

    (void)snprintf(name, sizeof(name), "%s_bucket", family);
    for (size_t i = 0; i < CORM_BUCKETS; i++) {
        n += h->buckets[i];
        if (i + 1 == CORM_BUCKETS)
            (void)snprintf(bound, sizeof(bound), "+Inf");
        else if (seconds)
            (void)snprintf(bound, sizeof(bound), h->bounds[i] < 100000 ? "%.5f" : "%g",
                           (double)h->bounds[i] / 1e9);
        else
            (void)snprintf(bound, sizeof(bound), "%" PRIu64, h->bounds[i]);
        says(name, "le", bound, n);
    }
    assert_int_equal(n, h->count);
    (void)snprintf(name, sizeof(name), "%s_count", family);
    says(name, NULL, NULL, h->count);
    (void)snprintf(name, sizeof(name), "%s_sum", family);
    const char *sum = find(name, NULL, NULL)->number;
    assert_true((seconds ? nanoseconds_of(sum) : strtoull(sum, NULL, 10)) == h->sum);
}

static void says_codes(const char *name, const struct corm_code_count *list)
{
    size_t wanted = 0, found = 0;

    for (; list[wanted].code != 0; wanted++)
        says(name, "error_type", corm_code_name(list[wanted].code), list[wanted].count);
    for (size_t i = 0; i < page.count; i++)
        found += strcmp(page.samples[i].name, name) == 0;
    assert_int_equal(found, wanted);
}

/* What there is to be told: failures, waits, groups, runs again. */
static void make_numbers(void)
{
    struct item    a = {.name = "a"};
    struct stale   s = stale_item();
    struct waiting w = {.timeout_ms = 20};

    make_items();
    for (int i = 0; i < 20; i++)
        read_item(1);
    assert_code(corm_insert_row(db, item, &a, .error = &e), CORM_DUPLICATE, &e);
    assert_code(corm_sql(db, NULL, "SELEKT 1", .error = &e), CORM_SYNTAX, &e);
    assert_rows(corm_transact(db, update_stale, &s, .error = &e), 1, &e);
    for (int i = 0; i < 3; i++)
        assert_rows(corm_transact(db, take_one, NULL, .key = corm_eq(item.id, 1), .error = &e), 1,
                    &e);
    struct corm_trx *trx = hold_connection();
    run_threads(1, write_in_thread, &w, sizeof(w));
    assert_int_equal(corm_rollback(trx), 0);
    corm_end(trx);
}

static void compare_text(void)
{
    struct corm_arena     *arena = corm_arena_new();
    struct corm_db_stats   stats = of_db();
    struct corm_node_stats node = of_node();

    parse(corm_stats_text(db, arena, &e));
    corm_arena_free(arena);
    says("corm_statements_total", NULL, NULL, stats.counters.statements);
    says("corm_round_trips_total", NULL, NULL, stats.counters.round_trips);
    says("corm_transactions_total", NULL, NULL, stats.counters.transactions);
    says("corm_commits_total", NULL, NULL, stats.counters.commits);
    says("corm_rollbacks_total", NULL, NULL, stats.counters.rollbacks);
    says("corm_attempts_total", NULL, NULL, stats.counters.attempts);
    says("corm_deadlocks_total", NULL, NULL, stats.deadlocks);
    says("corm_unknown_total", NULL, NULL, stats.unknown);
    says("corm_resolved_done_total", NULL, NULL, stats.resolved_done);
    says("corm_resolved_undone_total", NULL, NULL, stats.resolved_undone);
    says("corm_lane_queue_length", NULL, NULL, stats.lane_queue);
    says_codes("corm_operation_errors_total", stats.errors);
    says_codes("corm_run_again_total", stats.run_again);
    says_histogram("corm_group_size", &stats.group_size, false);
    says_histogram("corm_lane_wait_time_seconds", &stats.lane_wait_time, true);
    says("db_client_connection_count", "db_client_connection_state", "idle", node.idle);
    says("db_client_connection_count", "db_client_connection_state", "used", node.used);
    says("corm_node_up", NULL, NULL, node.health == CORM_NODE_IS_UP);
    says("corm_node_left_total", NULL, NULL, node.left);
    says("db_client_connection_max", NULL, NULL, node.max);
    says("db_client_connection_pending_requests", NULL, NULL, node.pending);
    says("db_client_connection_timeouts_total", NULL, NULL, node.timeouts);
    says("corm_connection_waits_total", NULL, NULL, node.waits);
    says("corm_connections_closed_total", NULL, NULL, node.closed);
    says_histogram("db_client_connection_create_time_seconds", &node.create_time, true);
    says_histogram("db_client_connection_wait_time_seconds", &node.wait_time, true);
    if (stats.is_on)
        says_histogram("db_client_operation_duration_seconds", &node.operation_duration, true);
    assert_int_equal(page.family_count, stats.is_on ? 26 : 25);
}

static void the_text_says_what_the_structs_say(void **state)
{
    (void)state;
    open_with(is_mariadb() ? "stats=on&pool=1&lanes=1" : "stats=on&pool=2");
    make_numbers();
    compare_text();
    assert_true(of_node().timeouts == 1 && of_db().run_again[0].count == 1 &&
                of_db().group_size.count >= 3 && of_db().errors[1].code != 0);
    const struct sample *s = find("db_client_operation_duration_seconds_count", NULL, NULL);
    assert_string_equal(label_of(s, "db_system_name"), is_mariadb() ? "mariadb" : "sqlite");
    assert_non_null(label_of(s, "db_namespace"));
    assert_int_equal(label_of(s, "server_address") != NULL, is_mariadb());
    assert_int_equal(label_of(s, "server_port") != NULL, is_mariadb());
    s = find("db_client_connection_max", NULL, NULL);
    char name[300];
    (void)snprintf(name, sizeof(name), "127.0.0.1:%s/",
                   is_mariadb() ? getenv("CORM_TEST_MARIADB_PORT") : "");
    assert_int_equal(strncmp(label_of(s, "db_client_connection_pool_name"), name, strlen(name)) ==
                         0,
                     is_mariadb());
    corm_close(db);
}

static void what_is_not_timed_is_not_in_the_text(void **state)
{
    (void)state;
    open_with(is_mariadb() ? "pool=1&lanes=1" : "pool=2");
    make_numbers();
    compare_text();
    corm_close(db);
}

static void labels_are_escaped(void **state)
{
    char               url[512], file[512];
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    (void)snprintf(url, sizeof(url), "sqlite:%s/a%%22b%%5Cc%%0Ad.db", test_folder());
    (void)snprintf(file, sizeof(file), "%s/a\"b\\c\nd.db", test_folder());
    assert_ok(corm_open(&db, url, .error = &e), &e);
    parse(corm_stats_text(db, arena, &e));
    assert_string_equal(label_of(find("corm_commits_total", NULL, NULL), "db_namespace"), file);
    assert_string_equal(
        label_of(find("db_client_connection_max", NULL, NULL), "db_client_connection_pool_name"),
        file);
    corm_arena_free(arena);
    corm_close(db);
}

static const char *pool_name(struct corm_arena *arena)
{
    corm_arena_reset(arena);
    parse(corm_stats_text(db, arena, &e));
    return label_of(find("db_client_connection_max", NULL, NULL), "db_client_connection_pool_name");
}

/* One that is not would make all of the text unreadable. */
static void labels_are_utf8(void **state)
{
    char               url[512], file[512];
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    (void)snprintf(url, sizeof(url), "sqlite:%s/%%C3%%BC%%FF%%E2%%82.db", test_folder());
    (void)snprintf(file, sizeof(file), "%s/\xC3\xBC%%FF%%E2%%82.db", test_folder());
    assert_ok(corm_open(&db, url, .error = &e), &e);
    assert_string_equal(pool_name(arena), file);
    corm_arena_free(arena);
    corm_close(db);
}

/* What there is no server for here. */
static void each_kind_of_node_has_its_labels(void **state)
{
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    open_with("pool=2");
    struct corm__node          *node = db->nodes.all;
    const struct corm__endpoint kept = node->endpoint;
    const enum corm_dialect     dialect = node->dialect;
    node->dialect = CORM_DIALECT_MYSQL;
    node->endpoint.socket = "/run/m.sock";
    node->endpoint.host = NULL;
    node->endpoint.database = "shop";
    assert_string_equal(pool_name(arena), "/run/m.sock/shop");
    const struct sample *up = find("corm_node_up", NULL, NULL);
    assert_string_equal(label_of(up, "db_system_name"), "mysql");
    assert_string_equal(label_of(up, "server_address"), "/run/m.sock");
    assert_null(label_of(up, "server_port"));
    node->endpoint.socket = NULL;
    node->endpoint.host = "h";
    node->endpoint.port = 3307;
    node->endpoint.database = NULL; /* a URL may name none */
    assert_string_equal(pool_name(arena), "h:3307");
    up = find("corm_node_up", NULL, NULL);
    assert_string_equal(label_of(up, "server_address"), "h");
    assert_string_equal(label_of(up, "server_port"), "3307");
    assert_null(label_of(up, "db_namespace"));
    node->endpoint = kept;
    node->dialect = dialect;
    corm_arena_free(arena);
    corm_close(db);
}

/* ---- What is refused --------------------------------------------------------------------------------------------- */

static int ask_in_child(void *arg)
{
    static struct corm_db_stats   stats;
    static struct corm_node_stats node;
    struct corm_arena            *arena = arg;
    struct corm_error             error = {0};

    return corm_db_stats(db, &stats, &error) == CORM_FORKED && error.code == CORM_FORKED &&
                   stats.nodes == 0 && corm_node_stats(db, 1, &node, NULL) == CORM_FORKED &&
                   node.max == 0 && corm_stats_text(db, arena, NULL) == NULL
               ? 7
               : 0;
}

static void a_child_is_told_that_it_has_no_numbers(void **state)
{
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    open_with("stats=on&pool=2");
    assert_int_equal(run_in_child(ask_in_child, arena), 7);
    corm_arena_free(arena);
    corm_close(db);
}

static void there_are_as_many_nodes_as_there_are(void **state)
{
    struct corm_node_stats node = {.max = 9};

    (void)state;
    open_with("pool=2");
    assert_int_equal(of_db().nodes, 1);
    assert_code(corm_node_stats(db, 2, &node, &e), CORM_MISUSE, &e);
    assert_int_equal(node.max, 0);
    e = (struct corm_error){0};
    assert_code(corm_node_stats(db, 0, &node, &e), CORM_MISUSE, &e);
    corm_close(db);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest both[] = {
        cmocka_unit_test(operations_are_timed_as_the_hook_is_told),
        cmocka_unit_test(operations_that_nobody_wants_timed_are_not),
        cmocka_unit_test(the_program_may_want_it_where_the_url_does_not_say),
        cmocka_unit_test(what_lies_between_operations_is_in_none),
        cmocka_unit_test(a_shard_is_of_one_connection_and_one_node),
        cmocka_unit_test(failures_are_counted_by_their_code),
        cmocka_unit_test(codes_that_are_not_corms_own_count_together),
        cmocka_unit_test(functions_that_run_again_are_counted_by_the_reason),
        cmocka_unit_test(connections_are_counted),
        cmocka_unit_test(who_waits_for_a_connection_is_counted_with_his_time),
        cmocka_unit_test(who_waits_in_vain_is_counted),
        cmocka_unit_test(groups_and_who_waits_for_them_are_counted),
        cmocka_unit_test(the_hook_is_told_node_lane_and_members),
        cmocka_unit_test(nothing_is_lost_where_many_threads_count),
        cmocka_unit_test(the_text_says_what_the_structs_say),
        cmocka_unit_test(what_is_not_timed_is_not_in_the_text),
        cmocka_unit_test(each_kind_of_node_has_its_labels),
        cmocka_unit_test(a_child_is_told_that_it_has_no_numbers),
        cmocka_unit_test(there_are_as_many_nodes_as_there_are),
    };
    const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(members_of_a_group_that_is_refused_run_again),
        cmocka_unit_test(a_read_that_is_timed_looks_at_the_clock_once_more),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(labels_are_utf8),
    };
    const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(durations_outlive_their_connection),
        cmocka_unit_test(members_of_a_group_that_is_lost_run_again),
        cmocka_unit_test(deadlocks_are_counted),
    };

    support_begin(argc, argv);
    int failed = run_group(both, COUNT(both), sqlite, COUNT(sqlite), mariadb, COUNT(mariadb));
    support_end();
    return failed;
}
