/* ledger_test.c -- a COMMIT whose answer is lost: what corm tells is what the database holds.
 *
 * A wire that breaks (faults.h) stands between corm and the server. What opens its connection first
 * goes through it; then the endpoint is turned to the server itself, so that whatever is opened after
 * the fault meets none. Each fault is met by every way to commit.
 *
 * With CORM__LEDGER_FENCE or CORM__LEDGER_CLAIM defined (meson.build) ledger.c is compiled into this program
 * with a ledger that does not fence: then main() wants the same harness to find a lie. */
#include "support.h"

#include "api/db.h"
#include "base/clock.h"
#include "faults.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PRODUCT(X)                                                                                 \
    X(id, int, .pk = 1)                                                                            \
    X(stock, int)
CORM_MODEL(product, PRODUCT);
CORM_DEFINE(product, PRODUCT);

#define SALE(X)                                                                                    \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(number, int)
CORM_MODEL(sale, SALE);
CORM_DEFINE(sale, SALE);

enum { STOCK = 1000, WARM = 1, TRIED = 2, REFUSED = CORM_USER };

#if defined(CORM__LEDGER_FENCE) || defined(CORM__LEDGER_CLAIM)
#define IS_CONTROL true
#else
#define IS_CONTROL false
#endif

static struct proxy *proxy;

/* ---- The ways to commit ------------------------------------------------------- */

struct purchase {
    struct corm_db   *db;
    int               number;
    int64_t           key;  /* of its sale, where that is asked for */
    const char       *rule; /* that the wire gets in front of COMMIT; NULL: none */
    uint32_t          runs;
    struct corm_error error;
    const struct way *way;
};

static void arm(struct purchase *p)
{
    if (p->rule != NULL)
        tell_proxy(proxy, "%s", p->rule);
    p->rule = NULL;
}

static int buy_locked(struct corm_trx *trx, void *arg)
{
    struct purchase *p = arg;
    struct product   found;

    p->runs = corm_attempt(trx);
    int rc =
        corm_first(trx, product, &found, .where = corm_eq(product.id, 1), .lock = CORM_FOR_UPDATE);
    if (rc == 1)
        rc = corm_update(trx, product, corm_eq(product.id, 1), corm_add(product.stock, -1));
    if (rc == 1)
        rc = corm_insert(trx, sale, corm_set(sale.number, p->number));
    arm(p);
    return rc;
}

static int buy_guarded(struct corm_trx *trx, void *arg)
{
    struct purchase *p = arg;

    p->runs = corm_attempt(trx);
    int rc = corm_update(trx, product, corm_and(corm_eq(product.id, 1), corm_ge(product.stock, 1)),
                         corm_add(product.stock, -1));
    if (rc == 1)
        rc = corm_insert(trx, sale, corm_set(sale.number, p->number), .id_later = &p->key);
    arm(p);
    return rc;
}

static int by_function(struct purchase *p)
{
    return corm_transact(p->db, buy_locked, p, .error = &p->error);
}

static int by_guard(struct purchase *p)
{
    return corm_transact(p->db, buy_guarded, p, .error = &p->error);
}

static int by_hand(struct purchase *p)
{
    struct corm_trx *trx;
    int              rc = corm_begin(p->db, &trx, .error = &p->error);

    if (rc == 0)
        rc = buy_locked(trx, p);
    if (rc > 0)
        rc = corm_commit(trx);
    corm_end(trx);
    return rc;
}

static int by_lane(struct purchase *p)
{
    return corm_transact(p->db, buy_locked, p, .key = corm_eq(product.id, 1), .error = &p->error);
}

static int by_insert(struct purchase *p)
{
    arm(p);
    return corm_insert(p->db, sale, corm_set(sale.number, p->number), .error = &p->error);
}

/* Its key comes back in the same trip. */
static int by_insert_for_key(struct purchase *p)
{
    arm(p);
    return corm_insert(p->db, sale, corm_set(sale.number, p->number), .id = &p->key,
                       .error = &p->error);
}

struct way {
    const char *name;
    int (*buy)(struct purchase *p);
    bool takes_stock, runs_again, asks_key;
};

static const struct way ways[] = {
    {"a locked function", by_function, true, true, false},
    {"a guarded function", by_guard, true, true, true},
    {"an explicit transaction", by_hand, true, false, false},
    {"a function in a lane", by_lane, true, true, false},
    {"an insert", by_insert, false, false, false},
    {"an insert that tells its key", by_insert_for_key, false, false, true},
};

/* ---- A case: one way and one fault ------------------------------------------------ */

static long long sales_of(int number)
{
    return number_beside("SELECT COUNT(*) FROM sale WHERE number = %d", number);
}

static void make_tables(void)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};

    beside("DROP TABLE IF EXISTS corm_ledger");
    new_table(db, product);
    new_table(db, sale);
    int rc = corm_setup(db, &error); /* which sees that a control has no fence */
    assert_int_equal(rc, IS_CONTROL ? rc : 0);
    error = (struct corm_error){0};
    assert_rows(corm_insert_row(db, product, &((struct product){1, STOCK}), .error = &error), 1,
                &error);
    corm_close(db);
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    assert_non_null(value);
    return value;
}

/* What is opened from now on goes straight to the server. */
static void plug(struct corm_db *db)
{
    db->nodes.all->endpoint.port =
        (uint16_t)strtoul(environment("CORM_TEST_MARIADB_PORT"), NULL, 10);
}

/* ... or to a port on which nobody listens. */
static void unplug(struct corm_db *db)
{
    db->nodes.all->endpoint.port = 1;
}

/* A db whose one connection goes through the wire, and has done `way` once; what it opens later goes
 * straight to the server. */
static struct corm_db *open_wired(const struct way *way, const char *options,
                                  corm_event_function *hook, void *arg)
{
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    tell_proxy(proxy, "pass");
    assert_ok(corm_open(&db, server_url(NULL, NULL, proxy_port(proxy), NULL, options),
                        .error = &error, .on_statement = hook, .on_statement_arg = arg),
              &error);
    struct purchase warm = {.db = db, .number = WARM};
    for (int i = 0; i < 2; i++) /* the first one also looks for old rows of the ledger */
        assert_ok(way->buy(&warm), &warm.error);
    plug(db);
    return db;
}

/* What the caller was told of purchase TRIED against what is there; the difference in words, or NULL. */
static const char *lie_of(const struct way *way, int rc)
{
    long long sales = sales_of(TRIED), all = number_beside("SELECT COUNT(*) FROM sale");

    if (sales > 1)
        return "doubled";
    if (rc >= 0 && sales == 0)
        return "told as done, and is not there";
    if (rc < 0 && rc != CORM_UNKNOWN && sales == 1)
        return "told as not done, and is there";
    if (way->takes_stock && number_beside("SELECT stock FROM product") != STOCK - all)
        return "torn";
    return NULL;
}

static void check_case(const struct way *way, const char *rule, bool reaches, bool in_time)
{
    struct purchase p = {.number = TRIED, .rule = rule, .way = way};

    make_tables();
    p.db = open_wired(way, "pool=1&lanes=1&timeout_ms=1500", NULL, NULL);
    int rc = way->buy(&p);
    tell_proxy(proxy, "pass");
    const char *lie = lie_of(way, rc);
    if (lie != NULL)
        fail_msg("%s, %s: %s (%d: %s)", way->name, rule, lie, rc, p.error.message);
    if (rc == CORM_UNKNOWN)
        fail_msg("%s, %s: the server was there: %s", way->name, rule, p.error.message);
    if (reaches && rc < 0)
        fail_msg("%s, %s: it is there, and was not told: %s", way->name, rule, p.error.message);
    if (reaches && way->takes_stock)
        assert_int_equal(p.runs, 1);
    if (!reaches && way->runs_again && in_time) {
        assert_rows(rc, 1, &p.error);
        assert_true(p.runs > 1);
    }
    if (rc > 0 && way->asks_key)
        assert_int_equal(p.key, number_beside("SELECT id FROM sale WHERE number = %d", TRIED));
    /* And it goes on. */
    struct purchase next = {.db = p.db, .number = TRIED + 1};
    assert_ok(way->buy(&next), &next.error);
    assert_int_equal(sales_of(TRIED + 1), 1);
    corm_close(p.db);
}

static void what_did_not_reach_the_server_is_run_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        check_case(&ways[i], "cut up after 1", false, true);
        check_case(&ways[i], "reset up after 20", false, true);
    }
}

static void what_has_reached_the_server_is_told_as_done(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        check_case(&ways[i], "cut down after 1", true, true);
        check_case(&ways[i], "reset down after 1", true, true);
    }
}

/* The deadline passes meanwhile. */
static void a_black_hole_is_no_doubt(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        check_case(&ways[i], "swallow up", false, false);
        check_case(&ways[i], "swallow down", true, false);
    }
}

/* ---- The fence -------------------------------------------------------------------- */

/* So that nothing but the fence stops a session that is late. Its id. */
static long long spare_session(struct corm_db *db)
{
    struct corm_error error = {0};
    struct corm_trx  *trx;

    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_ok(corm_count(trx, product), &error);
    long long id = (long long)trx->connection->link->session.id;
    assert_true(id > 0);
    trx->connection->link->session.id = 0;
    assert_ok(corm_rollback(trx), &error);
    corm_end(trx);
    return id;
}

static bool is_over(void *id)
{
    return number_beside("SELECT COUNT(*) FROM information_schema.processlist WHERE id = %lld",
                         *(long long *)id) == 0;
}

/* The batch with COMMIT is held, the caller is told what the ledger says, and then the batch arrives. */
static const char *lie_of_late_batch(const struct way *way)
{
    struct purchase p = {.number = TRIED, .rule = "hold up", .way = way};

    make_tables();
    p.db = open_wired(way, "pool=1&lanes=1&timeout_ms=300", NULL, NULL);
    long long id = spare_session(p.db);
    int       rc = way->buy(&p);
    assert_int_not_equal(rc, CORM_UNKNOWN);
    assert_false(is_over(&id));
    tell_proxy(proxy, "pass");
    wait_until(is_over, &id);
    corm_close(p.db);
    return lie_of(way, rc);
}

static void a_batch_that_arrives_late_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        const char *lie = lie_of_late_batch(&ways[i]);
        if (lie != NULL)
            fail_msg("%s: %s", ways[i].name, lie);
    }
}

/* For the programs whose ledger does not fence. */
static void the_harness_finds_a_lie(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++)
        if (lie_of_late_batch(&ways[i]) == NULL)
            fail_msg("%s: a ledger without a fence was not found out", ways[i].name);
}

/* ---- The resolver's own troubles ----------------------------------------------------- */

struct cuts {
    int  left;   /* COMMITs of resolvers that are cut off */
    int  losses; /* that have been */
    bool through;
};

/* A resolver's COMMIT is cut off, too: after its read was answered. */
static void cut_resolver(const struct corm_event *event, void *arg)
{
    struct cuts *cuts = arg;

    if (strstr(event->text, "SELECT sequence") != NULL && event->code == 0 && cuts->left > 0) {
        cuts->left--;
        tell_proxy(proxy, "cut down after 1");
    } else if (event->code < 0) {
        cuts->losses++;
        tell_proxy(proxy, "pass");
    }
}

static void a_resolver_that_loses_its_own_commit_asks_again(void **state)
{
    (void)state;
    for (int reaches = 0; reaches < 2; reaches++) {
        struct cuts     cuts = {0};
        struct purchase p = {.number = TRIED,
                             .rule = reaches ? "cut down after 1" : "cut up after 1"};
        make_tables();
        p.db = open_wired(&ways[0], "pool=1&timeout_ms=10000", cut_resolver, &cuts);
        p.db->nodes.all->endpoint.port = (uint16_t)proxy_port(proxy);
        cuts.left = 2;
        assert_rows(by_function(&p), 1, &p.error);
        assert_int_equal(p.runs, reaches ? 1 : 2);
        assert_int_equal(cuts.losses, 3);
        assert_null(lie_of(&ways[0], 1));
        corm_close(p.db);
    }
}

struct asker {
    struct corm_db *db;
    uint64_t        outcome;
    int             rc;
};

static void *ask_main(void *arg)
{
    struct asker *a = arg;

    a->rc = corm_outcome(a->db, a->outcome, 10000, NULL);
    return NULL;
}

static int ask_inside(struct corm_trx *trx, void *arg)
{
    (void)trx;
    return corm_outcome(arg, 1, 10, NULL);
}

static void an_unknown_outcome_is_answered_later(void **state)
{
    struct corm_error error = {0};

    (void)state;
    for (int reaches = 0; reaches < 2; reaches++) {
        struct purchase p = {.number = TRIED,
                             .rule = reaches ? "cut down after 1" : "cut up after 1"};
        make_tables();
        p.db = open_wired(&ways[0], "pool=4&timeout_ms=300&resolve_ms=50", NULL, NULL);
        assert_int_equal(corm_outcome(p.db, 1, 10, &error), CORM_NO_TICKET);
        assert_int_equal(corm_outcome(p.db, 0, 10, NULL), CORM_NO_TICKET);
        unplug(p.db);
        assert_code(by_function(&p), CORM_UNKNOWN, &p.error);
        assert_int_equal(p.runs, 1);
        assert_true(p.error.outcome > 0);
        error = (struct corm_error){0};
        assert_code(corm_outcome(p.db, p.error.outcome, 10, &error), CORM_UNKNOWN, &error);
        assert_int_equal(error.outcome, p.error.outcome);
        plug(p.db);
        assert_int_equal(corm_transact(p.db, ask_inside, p.db), CORM_NESTED);
        struct asker askers[8];
        for (size_t i = 0; i < COUNT(askers); i++)
            askers[i] = (struct asker){.db = p.db, .outcome = p.error.outcome};
        run_threads(COUNT(askers), ask_main, askers, sizeof(askers[0]));
        for (size_t i = 0; i < COUNT(askers); i++)
            assert_int_equal(askers[i].rc, reaches);
        assert_int_equal(corm_outcome(p.db, p.error.outcome, 0, NULL), reaches); /* known */
        assert_int_equal(sales_of(TRIED), reaches);
        corm_close(p.db);
    }
}

/* ---- Restarts -------------------------------------------------------------------------- */

struct crash {
    bool            armed, done;
    struct corm_db *strangers; /* open connections of their own after it */
    uint64_t        lost;      /* the id of the session that was lost */
};

/* The answer to COMMIT is lost, then the server, and its ids start again: strangers have them now. */
static void crash_at_loss(const struct corm_event *event, void *arg)
{
    struct crash *crash = arg;

    if (!crash->armed || crash->done || event->code >= 0)
        return;
    crash->done = true;
    kill_server();
    start_server();
    assert_true(corm_connect_all(crash->strangers, NULL) > 0);
}

static void a_server_that_was_restarted_is_asked_and_no_stranger_is_killed(void **state)
{
    (void)state;
    for (int reaches = 0; reaches < 2; reaches++) {
        struct corm_error error = {0};
        struct crash      crash = {0};
        struct purchase   p = {.number = TRIED,
                               .rule = reaches ? "cut down after 1" : "cut up after 1"};
        make_tables();
        crash.strangers = open_db("pool=60");
        p.db = open_wired(&ways[0], "pool=1&timeout_ms=30000", crash_at_loss, &crash);
        crash.armed = true;
        assert_rows(by_function(&p), 1, &p.error);
        assert_true(crash.done);
        assert_int_equal(p.runs, reaches ? 1 : 2);
        assert_null(lie_of(&ways[0], 1));
        uint64_t connects = stats_of(crash.strangers).connects;
        assert_rows(corm_connect_all(crash.strangers, &error), 60, &error);
        assert_int_equal(stats_of(crash.strangers).connects, connects); /* all are alive */
        corm_close(p.db);
        corm_close(crash.strangers);
    }
}

/* ---- Sessions that were lost -------------------------------------------------------------- */

static int end_session(struct corm_trx *trx, const struct corm__session *session)
{
    struct corm_error error = {0};
    int               rc =
        corm__connection_end_session(trx->connection, session, corm__deadline_in(5000), &error);

    assert_ok(rc, &error);
    return rc;
}

static bool is_there(uint64_t id)
{
    long long there = (long long)id;

    return !is_over(&there);
}

static void only_a_session_of_our_own_is_ended(void **state)
{
    struct corm_db   *db, *other_user = NULL;
    struct corm_error error = {0};
    struct corm_trx  *trx, *victim, *foreign;

    (void)state;
    make_tables();
    db = open_db("pool=4");
    beside("CREATE OR REPLACE USER 'other'@'127.0.0.1' IDENTIFIED BY 'other'");
    beside("GRANT ALL ON *.* TO 'other'@'127.0.0.1'");
    assert_ok(corm_open(&other_user, server_url("other", "other", 0, NULL, NULL), .error = &error),
              &error);
    assert_ok(corm_begin(db, &trx), &error);
    assert_ok(corm_begin(db, &victim), &error);
    assert_ok(corm_begin(other_user, &foreign), &error);
    assert_ok(corm_count(trx, product), &error);
    assert_ok(corm_count(victim, product), &error);
    assert_ok(corm_count(foreign, product), &error);
    struct corm__session right = victim->connection->link->session, wrong = right;
    wrong.began += 60; /* another run of the server */
    assert_int_equal(end_session(trx, &wrong), 0);
    wrong = right;
    wrong.server[0] ^= 1;
    assert_int_equal(end_session(trx, &wrong), 0);
    wrong = right;
    wrong.host[strlen(wrong.host) - 1] ^= 1; /* another port */
    assert_int_equal(end_session(trx, &wrong), 0);
    wrong = right;
    wrong.id += 100000;
    assert_int_equal(end_session(trx, &wrong), 0);
    assert_int_equal(end_session(trx, &foreign->connection->link->session), 0);
    assert_true(is_there(right.id));
    assert_true(is_there(foreign->connection->link->session.id));
    assert_int_equal(end_session(trx, &right), 1);
    long long ended = (long long)right.id;
    wait_until(is_over, &ended);
    corm_end(trx);
    corm_end(victim);
    corm_end(foreign);
    corm_close(db);
    corm_close(other_user);
}

/* The server does not notice a link that is silent, and waits for locks 50 seconds. */
static void a_session_lost_before_commit_gives_its_locks_back(void **state)
{
    struct purchase   p = {.number = TRIED, .rule = "stall"};
    struct corm_error error = {0};
    struct corm_trx  *trx;

    (void)state;
    make_tables();
    struct corm_db *db = open_wired(&ways[0], "pool=1&timeout_ms=400", NULL, NULL);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    p.db = db;
    assert_ok(buy_locked(trx, &p), &error);
    assert_code(corm_count(trx, sale), CORM_DEADLINE, &error);
    corm_end(trx);
    struct purchase next = {.db = db, .number = TRIED + 1};
    db->nodes.all->timeout_ms = 20000;
    assert_rows(by_function(&next), 1, &next.error);
    assert_int_equal(sales_of(TRIED), 0);
    tell_proxy(proxy, "pass");
    corm_close(db);
}

/* ---- What is entered, and what is not -------------------------------------------------------- */

static long long entries(void)
{
    return number_beside("SELECT COALESCE(SUM(sequence), 0) FROM corm_ledger");
}

static int refuse(struct corm_trx *trx, void *arg)
{
    (void)arg;
    int rc = corm_update(trx, product, corm_eq(product.id, 1), corm_add(product.stock, -1));
    return rc < 0 ? rc : corm_abort(trx, REFUSED, "no");
}

static int only_read(struct corm_trx *trx, void *arg)
{
    struct product found;

    (void)arg;
    return corm_first(trx, product, &found, .where = corm_eq(product.id, 1),
                      .lock = CORM_FOR_UPDATE);
}

static int do_nothing(struct corm_trx *trx, void *arg)
{
    (void)trx, (void)arg;
    return 0;
}

static int write_nothing(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return corm_update(trx, product, corm_eq(product.id, 77), corm_set(product.stock, 1));
}

static int select_in_snapshot(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return corm_sql(trx, NULL, "SELECT 1");
}

static void only_what_writes_is_entered(void **state)
{
    struct corm_error error = {0};
    struct purchase   p = {.number = TRIED};

    (void)state;
    make_tables();
    struct corm_db *db = p.db = open_db("pool=1");
    assert_rows(by_function(&p), 1, &p.error);
    long long before = entries();
    assert_int_equal(corm_transact(db, refuse, NULL), REFUSED);
    assert_rows(corm_transact(db, only_read, NULL, .error = &error), 1, &error);
    assert_rows(corm_transact(db, do_nothing, NULL, .error = &error), 0, &error);
    assert_ok(corm_transact(db, select_in_snapshot, NULL, .read_only = true, .error = &error),
              &error);
    assert_ok(corm_count(db, sale, .error = &error), &error);
    assert_int_equal(corm_insert(db, product, corm_set(product.id, 1)), CORM_NULL_REFUSED);
    assert_int_equal(entries(), before);
    assert_rows(corm_transact(db, write_nothing, NULL, .error = &error), 0, &error);
    assert_true(entries() > before);
    corm_close(db);
}

static uint64_t trips(struct corm_db *db)
{
    return stats_of(db).round_trips;
}

static void entering_costs_no_trip(void **state)
{
    struct corm_error error = {0};
    struct purchase   p = {.number = TRIED};

    (void)state;
    make_tables();
    p.db = open_db("pool=1&lanes=1");
    static const struct {
        int (*buy)(struct purchase *p);
        uint64_t trips;
    } costs[] = {
        {by_function, 2}, {by_guard, 2}, {by_hand, 2}, {by_insert, 1}, {by_insert_for_key, 1}};
    assert_ok(by_function(&p), &p.error); /* which looks for old rows */
    for (size_t i = 0; i < COUNT(costs); i++) {
        assert_ok(costs[i].buy(&p), &p.error); /* prepares */
        uint64_t before = trips(p.db);
        assert_ok(costs[i].buy(&p), &p.error);
        assert_int_equal(trips(p.db) - before, costs[i].trips);
    }
    /* A count is told by the server only of a statement that travels alone. */
    for (int i = 0; i < 2; i++) {
        uint64_t before = trips(p.db);
        assert_rows(corm_update(p.db, product, corm_everything(), corm_set(product.stock, 5),
                                .error = &error),
                    1, &error); /* matched, though the second time nothing is changed */
        if (i > 0)
            assert_int_equal(trips(p.db) - before, 2);
    }
    assert_rows(corm_delete(p.db, sale, corm_ge(sale.id, 0), .error = &error), 11, &error);
    assert_int_equal(corm_insert_row(p.db, product, &((struct product){1, 1}), .error = &error),
                     CORM_DUPLICATE);
    assert_place(&error, __LINE__ - 2);
    corm_close(p.db);
}

/* ---- Rows --------------------------------------------------------------------------------------- */

static void count_warning(const char *text, void *arg)
{
    assert_non_null(strstr(text, "corm_setup()"));
    (*(int *)arg)++;
}

/* What a program does to its own session does not open the fence. */
static void a_session_that_was_told_to_be_lax_is_refused_all_the_same(void **state)
{
    struct purchase   p = {.number = TRIED};
    struct corm_error error = {0};
    struct corm_trx  *trx;

    (void)state;
    make_tables();
    p.db = open_db("pool=1");
    assert_rows(by_function(&p), 1, &p.error);
    beside("UPDATE corm_ledger SET epoch = epoch + 1");
    assert_ok(corm_begin(p.db, &trx, .error = &error), &error);
    assert_ok(corm_sql(trx, NULL, "SET sql_mode = '', check_constraint_checks = 0"), &error);
    assert_rows(buy_locked(trx, &p), 1, &error);
    assert_int_equal(corm_commit(trx), CORM_CONFLICT);
    corm_end(trx);
    assert_int_equal(sales_of(TRIED), 1);
    corm_close(p.db);
}

/* An epoch that was counted up, or a table that is gone: nothing is committed behind corm's back. */
static void a_commit_that_the_ledger_does_not_take_is_run_again(void **state)
{
    struct purchase   p = {.number = TRIED};
    struct corm_error error = {0};
    struct corm_trx  *trx;
    int               warnings = 0;

    (void)state;
    make_tables();
    assert_ok(corm_open(&p.db, test_url("pool=1"), .error = &error, .on_warning = count_warning,
                        .on_warning_arg = &warnings),
              &error);
    assert_rows(by_function(&p), 1, &p.error);
    assert_int_equal(p.runs, 1);
    beside("UPDATE corm_ledger SET epoch = epoch + 1");
    assert_rows(by_function(&p), 1, &p.error);
    assert_int_equal(p.runs, 2);
    beside("UPDATE corm_ledger SET epoch = epoch + 1");
    assert_ok(corm_begin(p.db, &trx, .error = &error), &error);
    assert_rows(buy_locked(trx, &p), 1, &error);
    assert_int_equal(corm_commit(trx), CORM_CONFLICT);
    corm_end(trx);
    assert_int_equal(sales_of(TRIED), 2);
    assert_int_equal(warnings, 0);
    beside("DELETE FROM corm_ledger"); /* it makes its row again */
    assert_rows(by_function(&p), 1, &p.error);
    assert_int_equal(p.runs, 1);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM corm_ledger"), 1);
    beside("DROP TABLE corm_ledger");
    assert_rows(by_function(&p), 1, &p.error);
    assert_int_equal(p.runs, 2);
    assert_rows(by_function(&p), 1, &p.error);
    assert_int_equal(p.runs, 1);
    assert_int_equal(warnings, 1);
    assert_int_equal(sales_of(TRIED), 5);
    corm_close(p.db);
}

static void without_a_ledger_a_lost_commit_stays_unknown(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct purchase p = {.number = TRIED, .rule = "cut down after 1"};
        make_tables();
        beside("DROP TABLE corm_ledger");
        p.db = open_wired(&ways[i], "pool=1&lanes=1&timeout_ms=1500", NULL, NULL);
        assert_code(ways[i].buy(&p), CORM_UNKNOWN, &p.error);
        assert_int_equal(p.error.outcome, 0);
        if (ways[i].takes_stock)
            assert_says(&p.error, "corm_setup()");
        assert_int_equal(sales_of(TRIED), 1);
        corm_close(p.db);
    }
}

/* One that was closed in peace hands its row on; one that was lost does not. */
static void rows_are_handed_on_and_old_ones_go(void **state)
{
    struct purchase   p = {.number = TRIED};
    struct corm_error error = {0};

    (void)state;
    make_tables();
    beside("DELETE FROM corm_ledger");
    beside("INSERT INTO corm_ledger (slot, epoch, sequence, touched) VALUES "
           "(8, 1, 1, CURRENT_TIMESTAMP - INTERVAL 8 DAY), "
           "(6, 1, 1, CURRENT_TIMESTAMP - INTERVAL 6 DAY)");
    p.db = open_db("pool=1");
    for (int i = 0; i < 4; i++) {
        assert_rows(by_function(&p), 1, &p.error);
        long long id = number_beside("SELECT id FROM information_schema.processlist WHERE "
                                     "db = DATABASE() AND id <> CONNECTION_ID()");
        beside("KILL %lld", id);
        wait_until(is_over, &id);
    }
    assert_int_equal(number_beside("SELECT COUNT(*) FROM corm_ledger WHERE slot > 10"), 1);
    assert_int_equal(number_beside("SELECT sequence FROM corm_ledger WHERE slot > 10"), 4);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM corm_ledger WHERE slot = 8"), 0);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM corm_ledger WHERE slot = 6"), 1);
    assert_ok(corm_count(p.db, sale, .error = &error), &error);
    corm_close(p.db);
}

static void setting_up_again_is_harmless_and_another_table_is_refused(void **state)
{
    struct corm_error error = {0};

    (void)state;
    make_tables();
    struct corm_db *db = open_db(NULL);
    assert_rows(corm_setup(db, &error), 0, &error);
    assert_rows(corm_setup(db, NULL), 0, &error);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM corm_ledger WHERE slot = 0"), 0);
    beside("ALTER TABLE corm_ledger MODIFY sequence DECIMAL(30) NOT NULL");
    assert_code(corm_setup(db, &error), CORM_UNSUPPORTED, &error);
    assert_says(&error, "corm_ledger");
    corm_close(db);
}

/* About the longest that fits into a file's name: 50 characters, of three bytes each but for a quote that
 * has to be doubled. */
static void a_database_of_any_name_has_a_ledger(void **state)
{
    struct corm_error error = {0};
    struct corm_db   *db = NULL;
    char              encoded[1024] = "%60", quoted[256] = "``";
    size_t            encoded_size = strlen(encoded), quoted_size = strlen(quoted);

    (void)state;
    for (int i = 0; i < 49; i++) {
        quoted_size +=
            (size_t)snprintf(quoted + quoted_size, sizeof(quoted) - quoted_size, "\xE6\x9C\xAC");
        encoded_size += (size_t)snprintf(encoded + encoded_size, sizeof(encoded) - encoded_size,
                                         "%%E6%%9C%%AC");
    }
    beside("SET NAMES utf8mb4; CREATE DATABASE `%s`", quoted);
    assert_ok(corm_open(&db, server_url(NULL, NULL, 0, encoded, "pool=1"), .error = &error),
              &error);
    assert_rows(corm_setup(db, &error), 0, &error);
    new_table(db, sale);
    assert_rows(corm_insert(db, sale, corm_set(sale.number, 1), .error = &error), 1, &error);
    assert_int_equal(stats_of(db).commits, 1); /* not a second time, without it */
    assert_int_equal(stats_of(db).rollbacks, 0);
    corm_close(db);
    assert_int_equal(number_beside("SET NAMES utf8mb4; SELECT COUNT(*) FROM `%s`.corm_ledger "
                                   "WHERE sequence = 1",
                                   quoted),
                     1);
    beside("SET NAMES utf8mb4; DROP DATABASE `%s`", quoted);
}

static int start_all(void **state)
{
    (void)state;
    proxy = start_proxy();
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    stop_proxy(proxy);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest controls[] = {cmocka_unit_test(the_harness_finds_a_lie)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_did_not_reach_the_server_is_run_again),
        cmocka_unit_test(what_has_reached_the_server_is_told_as_done),
        cmocka_unit_test(a_black_hole_is_no_doubt),
        cmocka_unit_test(a_batch_that_arrives_late_is_refused),
        cmocka_unit_test(a_resolver_that_loses_its_own_commit_asks_again),
        cmocka_unit_test(an_unknown_outcome_is_answered_later),
        cmocka_unit_test(a_server_that_was_restarted_is_asked_and_no_stranger_is_killed),
        cmocka_unit_test(only_a_session_of_our_own_is_ended),
        cmocka_unit_test(a_session_lost_before_commit_gives_its_locks_back),
        cmocka_unit_test(only_what_writes_is_entered),
        cmocka_unit_test(entering_costs_no_trip),
        cmocka_unit_test(a_commit_that_the_ledger_does_not_take_is_run_again),
        cmocka_unit_test(a_session_that_was_told_to_be_lax_is_refused_all_the_same),
        cmocka_unit_test(without_a_ledger_a_lost_commit_stays_unknown),
        cmocka_unit_test(rows_are_handed_on_and_old_ones_go),
        cmocka_unit_test(setting_up_again_is_harmless_and_another_table_is_refused),
        cmocka_unit_test(a_database_of_any_name_has_a_ledger),
    };
    support_begin(argc, argv);
    (void)start_all(NULL);
    int failed = IS_CONTROL ? run_group(NULL, 0, NULL, 0, controls, COUNT(controls))
                            : run_group(NULL, 0, NULL, 0, tests, COUNT(tests));
    (void)stop_all(NULL);
    support_end();
    return failed;
}
