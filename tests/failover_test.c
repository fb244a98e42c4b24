/* failover_test.c -- what becomes of work on a node that fails, trip by trip, before a driver that does what a script
 * says (scripted.h). No server, no clock, and nobody looks at nodes: what is known of them is what errors say. */
#include "scripted.h"

#include <corm/corm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCOUNT(X)                                                                                 \
    X(id, int, .pk = 1)                                                                            \
    X(amount, int)
CORM_MODEL(account, ACCOUNT);
CORM_DEFINE(account, ACCOUNT);

#define OFFICE(X)                                                                                  \
    X(id, int, .pk = 1)                                                                            \
    X(rooms, int)
CORM_MODEL(office, OFFICE);
CORM_DEFINE(office, OFFICE);

static struct corm_db *db;
static int             runs;

static int open_cluster(void **state)
{
    (void)state;
    db = scripted_open_nodes(3, true);
    runs = 0;
    return 0;
}

static int open_plain(void **state)
{
    (void)state;
    db = scripted_open_nodes(2, false);
    runs = 0;
    return 0;
}

/* The third one only reads. */
static int open_with_reader(void **state)
{
    (void)state;
    db = scripted_open_reader();
    runs = 0;
    return 0;
}

static int open_one(void **state)
{
    (void)state;
    db = scripted_open(1, CORM_DIALECT_MARIADB);
    runs = 0;
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    if (corm__trx_store_live(db->store) > 0) /* a test that failed half-way */
        return 0;
    scripted_close(db);
    return scripted.used_after_loss;
}

static int work(struct corm_trx *trx, void *arg)
{
    struct account a;

    (void)arg;
    runs++;
    int rc = corm_first(trx, account, &a, .where = corm_eq(account.id, 1), .lock = CORM_FOR_UPDATE);
    if (rc == 1)
        rc = corm_update(trx, account, corm_eq(account.id, 1), corm_add(account.amount, 1));
    return rc;
}

/* Its second SELECT is that of work(). */
static int read_and_work(struct corm_trx *trx, void *arg)
{
    struct account a;
    int            rc = corm_first(trx, account, &a, .where = corm_eq(account.id, 2));

    return rc < 0 ? rc : work(trx, arg);
}

static enum corm__health health_of(uint32_t n)
{
    return atomic_load(&db->nodes.all[n - 1].health);
}

static void come_back(uint32_t n)
{
    struct corm__condition condition = {
        .takes_writes = true, .is_galera = true, .is_synced = true, .cluster = "one"};
    struct corm_error none = {0};

    corm__nodes_judge(&db->nodes, &db->nodes.all[n - 1], 0, &condition, &none);
}

#define fails_at(...) scripted_plan((struct scripted_fault){__VA_ARGS__})
#define LOSS(where, n)                                                                             \
    .at = (where), .nth = (n), .code = CORM_DISCONNECTED, .server_code = 2013, .lost = true
#define CUT_OFF(where, n) .at = (where), .nth = (n), .code = CORM_SERVER_ERROR, .server_code = 1180

static void who_finds_a_node_gone_runs_on_the_next(void **state)
{
    struct corm_error error = {0};

    (void)state;
    scripted.dead = 2;
    assert_int_equal(corm_transact(db, work, NULL, .node = 1, .error = &error), 1);
    assert_int_equal(corm_transact(db, work, NULL, .error = &error), 1);
    scripted_clear();
    fails_at(LOSS("SELECT", 1));
    scripted.dead = (uint16_t)(atomic_load(&db->nodes.kept) + 1);
    runs = 0;
    assert_int_equal(corm_transact(db, work, NULL, .error = &error), 1);
    assert_int_equal(health_of(scripted.dead), CORM__NODE_LEFT);
    assert_int_not_equal(atomic_load(&db->nodes.kept) + 1, scripted.dead);
    assert_int_equal(runs, 3); /* the link was lost; nobody was there; another node */
    assert_int_equal(scripted.commits, 1);
}

static void who_asked_for_a_node_stays_on_it(void **state)
{
    struct corm_error error = {0};

    (void)state;
    scripted.dead = 2;
    assert_int_equal(corm_transact(db, work, NULL, .node = 2, .timeout_ms = 50, .error = &error),
                     CORM_UNREACHABLE);
    assert_int_equal(scripted.commits, 0);
    assert_null(strstr(scripted.log, "connect:1"));
    assert_null(strstr(scripted.log, "connect:3"));
}

static void a_lost_commit_is_asked_after_on_another_node_of_the_cluster(void **state)
{
    struct corm_error error = {0};

    (void)state;
    for (int done = 0; done < 2; done++) {
        assert_int_equal(corm_transact(db, work, NULL, .node = 2, .error = &error), 1);
        scripted_clear();
        scripted.dead = 2;
        scripted.done = done;
        fails_at(LOSS("[UPDATE", 1));
        runs = 0;
        int rc = corm_transact(db, work, NULL, .node = 2, .timeout_ms = 60, .error = &error);
        assert_int_equal(rc, done ? 1 : CORM_UNREACHABLE); /* it would have run again there */
        assert_int_equal(runs > 1, !done);
        assert_non_null(strstr(scripted.log, "[UPDATE,INSERT,COMMIT]! connect:2! connect:3 "
                                             "START INSERT SELECT COMMIT close "));
        scripted.dead = 0;
        come_back(2);
    }
}

static void without_a_cluster_nobody_else_is_asked(void **state)
{
    struct corm_error error = {0};

    (void)state;
    assert_int_equal(corm_transact(db, work, NULL, .node = 2, .error = &error), 1);
    scripted_clear();
    scripted.dead = 2;
    fails_at(LOSS("[UPDATE", 1));
    runs = 0;
    assert_int_equal(corm_transact(db, work, NULL, .node = 2, .timeout_ms = 60, .error = &error),
                     CORM_UNKNOWN);
    assert_int_equal(runs, 1);
    assert_true(error.outcome != 0);
    assert_null(strstr(scripted.log, "connect:1"));
    assert_int_equal(corm_outcome(db, error.outcome, 50, NULL), CORM_UNKNOWN);
    assert_null(strstr(scripted.log, "connect:1"));
    scripted.dead = 0;
    scripted.done = true;
    assert_int_equal(corm_outcome(db, error.outcome, 5000, NULL), 1);
}

/* By itself only when it is known to be there. */
static int work_and_leave(struct corm_trx *trx, void *arg)
{
    int rc = work(trx, arg);

    atomic_store(&db->nodes.all[1].health, CORM__NODE_LEFT);
    return rc;
}

static void who_is_known_to_be_gone_is_not_asked_after_a_lost_commit(void **state)
{
    struct corm_error error = {0};

    (void)state;
    assert_int_equal(corm_transact(db, work, NULL, .node = 2, .error = &error), 1);
    scripted_clear();
    scripted.done = true;
    fails_at(LOSS("[UPDATE", 1));
    assert_int_equal(corm_transact(db, work_and_leave, NULL, .node = 2, .error = &error), 1);
    assert_non_null(strstr(scripted.log, "[UPDATE,INSERT,COMMIT]! connect:3 START INSERT SELECT"));
    assert_null(strstr(scripted.log, "connect:2"));
}

static void an_outcome_is_told_by_its_own_node_where_that_is_there(void **state)
{
    struct corm_error error = {0};

    (void)state;
    assert_int_equal(corm_transact(db, work, NULL, .node = 2, .error = &error), 1);
    scripted_clear();
    fails_at(LOSS("[UPDATE", 1));
    for (int i = 0; i < 3; i++)
        fails_at(.at = i == 0   ? "connect:1"
                       : i == 1 ? "connect:2"
                                : "connect:3",
                 .nth = 0, .code = CORM_UNREACHABLE, .server_code = 2003);
    assert_int_equal(corm_transact(db, work, NULL, .node = 2, .timeout_ms = 60, .error = &error),
                     CORM_UNKNOWN);
    scripted_clear();
    come_back(1);
    come_back(2);
    scripted.done = true;
    assert_int_equal(corm_outcome(db, error.outcome, 5000, NULL), 1);
    assert_non_null(strstr(scripted.log, "connect:2"));
    assert_null(strstr(scripted.log, "connect:1"));
}

static void an_outcome_is_told_by_another_node_of_the_cluster(void **state)
{
    struct corm_error error = {0};

    (void)state;
    assert_int_equal(corm_transact(db, work, NULL, .node = 2, .error = &error), 1);
    scripted_clear();
    scripted.dead = 2;
    fails_at(LOSS("[UPDATE", 1));
    fails_at(.at = "connect:3", .nth = 0, .code = CORM_UNREACHABLE, .server_code = 2003);
    fails_at(.at = "connect:1", .nth = 0, .code = CORM_UNREACHABLE, .server_code = 2003);
    assert_int_equal(corm_transact(db, work, NULL, .node = 2, .timeout_ms = 60, .error = &error),
                     CORM_UNKNOWN);
    scripted_clear();
    come_back(1);
    come_back(3);
    scripted.done = true;
    assert_int_equal(corm_outcome(db, error.outcome, 5000, NULL), 1);
    assert_null(strstr(scripted.log, "connect:2"));
}

/* 1180 is also said by a server whose disk is full: there it is the last word. */
static void a_node_that_is_cut_off_in_its_commit_has_not_done_it(void **state)
{
    struct corm_error error = {0};

    (void)state;
    fails_at(CUT_OFF("[UPDATE", 1));
    assert_int_equal(corm_transact(db, work, NULL, .error = &error), 1);
    assert_int_equal(runs, 2);
    assert_int_equal(scripted.commits, 2); /* of the resolver, and its own */
}

static void a_disk_that_is_full_is_no_reason_to_run_again(void **state)
{
    struct corm_error error = {0};

    (void)state;
    fails_at(CUT_OFF("[UPDATE", 1));
    assert_int_equal(corm_transact(db, work, NULL, .error = &error), CORM_SERVER_ERROR);
    assert_int_equal(runs, 1);
    assert_non_null(strstr(error.message, "did not happen"));
}

static void who_meets_a_node_that_takes_no_writes_runs_on_the_next(void **state)
{
    struct corm_error error = {0};

    (void)state;
    fails_at(.at = "SELECT", .nth = 1, .code = CORM_READ_ONLY, .server_code = 1290);
    assert_int_equal(corm_transact(db, work, NULL, .error = &error), 1);
    assert_int_equal(runs, 2);
    fails_at(.at = "SELECT", .nth = 1, .code = CORM_NOT_READY, .server_code = 1047);
    assert_int_equal(corm_transact(db, work, NULL, .error = &error), 1);
    assert_int_equal(runs, 4);
}

static void with_one_node_there_is_no_next(void **state)
{
    struct corm_error error = {0};

    (void)state;
    fails_at(.at = "SELECT", .nth = 1, .code = CORM_READ_ONLY, .server_code = 1290);
    assert_int_equal(corm_transact(db, work, NULL, .error = &error), CORM_READ_ONLY);
    assert_int_equal(runs, 1);
}

/* A node rolls back what is in the way of another one, and some answers do not say so. */
static void a_transaction_that_a_node_gave_up_runs_again(void **state)
{
    struct corm_error error = {0};
    struct corm_trx  *trx = NULL;

    (void)state;
    fails_at(.at = "SELECT", .nth = 2, .ends_trx = true);
    assert_int_equal(corm_transact(db, read_and_work, NULL, .error = &error), 1);
    assert_int_equal(runs, 2);
    scripted_clear();
    fails_at(.at = "SELECT", .nth = 2, .ends_trx = true);
    assert_int_equal(corm_begin(db, &trx, .error = &error), 0);
    assert_int_equal(read_and_work(trx, NULL), CORM_TRX_LOST); /* who goes on must know */
    assert_int_equal(corm_commit(trx), CORM_TRX_LOST);
    corm_end(trx);
}

/* Where there is no cluster, somebody has ended it. */
static void a_transaction_that_ended_on_one_server_is_not_run_again(void **state)
{
    struct corm_error error = {0};

    (void)state;
    fails_at(.at = "SELECT", .nth = 2, .ends_trx = true);
    assert_int_equal(corm_transact(db, read_and_work, NULL, .error = &error), CORM_TRX_LOST);
    assert_int_equal(runs, 1);
}

/* Of two tables: the catalogue is asked about the second one within the transaction. */
static int look_at_both(struct corm_trx *trx, void *arg)
{
    struct account a;
    struct office  o;

    (void)arg;
    runs++;
    int rc = corm_first(trx, account, &a, .where = corm_eq(account.id, 1), .lock = CORM_FOR_UPDATE);
    if (rc >= 0)
        rc = corm_first(trx, office, &o, .where = corm_eq(office.id, 1), .lock = CORM_FOR_UPDATE);
    return rc;
}

static int told;

static void note_code(int rc, const struct corm_error *error, void *arg)
{
    (void)error, (void)arg;
    told = rc;
}

/* The catalogue answers also where the transaction that asks it has just been rolled back. */
static void a_group_that_a_node_gave_up_runs_again(void **state)
{
    const struct corm__lane_options options = {
        .lanes = 1, .group_max = 4, .queue_max = 8, .lane_wait_ms = 100};
    struct corm_error error = {0};

    (void)state;
    db->lanes = corm__lanes_new(db->store, &options);
    assert_non_null(db->lanes);
    told = CORM_USER;
    scripted.rows = 0;
    fails_at(.at = "SELECT", .nth = 3, .ends_trx = true);
    assert_true(corm_submit(db, look_at_both, NULL, .key = corm_eq(account.id, 1),
                            .done = note_code, .error = &error) > 0);
    assert_int_equal(corm_drain(db), 1);
    assert_int_equal(told, 0);
    assert_int_equal(runs, 2);
}

/* A server refuses the second of the two rows by which the set-up tries its fence. */
static int set_up(int servers, struct corm_error *error)
{
    scripted_clear();
    for (int i = 1; i <= servers; i++)
        fails_at(.at = "INSERT", .nth = 2 * i, .code = CORM_OUT_OF_RANGE, .server_code = 1264);
    *error = (struct corm_error){0};
    return corm_setup(db, error);
}

static void the_ledger_is_made_on_all_writers_that_are_there(void **state)
{
    struct corm_error error;

    (void)state;
    assert_int_equal(set_up(2, &error), 0);
    assert_non_null(strstr(scripted.log, "connect:1"));
    assert_non_null(strstr(scripted.log, "connect:2"));
    assert_null(strstr(scripted.log, "connect:3"));
}

static void what_one_writer_refuses_ends_the_set_up(void **state)
{
    struct corm_error error;

    (void)state;
    assert_int_equal(set_up(0, &error), CORM_UNSUPPORTED); /* its table takes all */
    assert_null(strstr(scripted.log, "connect:2"));
    atomic_store(&db->nodes.all[0].health, CORM__NODE_LEFT);
    assert_int_equal(set_up(1, &error), 0);
    assert_null(strstr(scripted.log, "connect:1"));
    assert_non_null(strstr(scripted.log, "connect:2"));
}

static void a_cluster_has_one_ledger(void **state)
{
    struct corm_error error;

    (void)state;
    assert_int_equal(set_up(1, &error), 0);
    assert_int_equal(scripted.opened, 1);
}

/* A session that was lost is ended from a link to its own server. */
static void lost_sessions_are_ended_on_their_own_node(void **state)
{
    struct corm_error error = {0};
    struct corm_trx  *trx = NULL;

    (void)state;
    assert_int_equal(corm_begin(db, &trx, .node = 2, .error = &error), 0);
    assert_int_equal(work(trx, NULL), 1);
    fails_at(LOSS("SELECT", 1));
    assert_int_equal(work(trx, NULL), CORM_DISCONNECTED);
    corm_end(trx);
    scripted_clear();
    assert_int_equal(corm_transact(db, work, NULL, .node = 1, .error = &error), 1);
    assert_null(strstr(scripted.log, "kill"));
    assert_int_equal(corm_transact(db, work, NULL, .node = 2, .error = &error), 1);
    assert_non_null(strstr(scripted.log, "kill"));
}

/* Leaves a session on a node behind, whose link is lost. */
static void lose_session(uint32_t node)
{
    struct corm_error error = {0};
    struct corm_trx  *trx = NULL;

    assert_int_equal(corm_begin(db, &trx, .node = node, .error = &error), 0);
    assert_int_equal(work(trx, NULL), 1);
    scripted_clear();
    fails_at(LOSS("SELECT", 1));
    assert_int_equal(work(trx, NULL), CORM_DISCONNECTED);
    corm_end(trx);
    scripted_clear();
}

/* Of those of several nodes each is ended on its own, whichever was lost last. */
static void of_the_lost_sessions_of_two_nodes_each_is_ended_on_its_own(void **state)
{
    struct corm_error error = {0};

    (void)state;
    for (uint32_t first = 2; first <= 3; first++) {
        lose_session(2);
        lose_session(3);
        assert_int_equal(corm_transact(db, work, NULL, .node = first, .error = &error), 1);
        assert_non_null(strstr(scripted.log, first == 2 ? "kill:2 " : "kill:3 "));
        assert_null(strstr(scripted.log, first == 2 ? "kill:3 " : "kill:2 "));
        scripted_clear();
        assert_int_equal(corm_transact(db, work, NULL, .node = 5 - first, .error = &error), 1);
        assert_non_null(strstr(scripted.log, first == 2 ? "kill:3 " : "kill:2 "));
        assert_null(strstr(scripted.log, first == 2 ? "kill:2 " : "kill:3 "));
        scripted_clear();
        for (uint32_t node = 1; node <= 3; node++)
            assert_int_equal(corm_transact(db, work, NULL, .node = node, .error = &error), 1);
        assert_null(strstr(scripted.log, "kill"));
    }
}

/* ---- Readers ------------------------------------------------------------------------------ */

static int read_account(void)
{
    struct account a;

    return corm_first(db, account, &a, .where = corm_eq(account.id, 1), .reader = true);
}

static int read_in_function(struct corm_trx *trx, void *arg)
{
    struct account a;

    (void)arg;
    runs++;
    return corm_first(trx, account, &a, .where = corm_eq(account.id, 1));
}

static void assert_log(const char *wanted)
{
    assert_string_equal(scripted.log, wanted);
    scripted_clear();
}

/* Reads from the reader and writes on node 1, so that later there is nothing to connect. */
static void warm_up(void)
{
    atomic_store(&db->nodes.kept, 0);
    assert_int_equal(read_account(), 1);
    assert_log("connect:3 SELECT ");
    scripted.gtid = "0-1-7";
    assert_int_equal(corm_transact(db, work, NULL), 1);
    scripted_clear();
}

static char events[256]; /* the texts of the events */

static void keep_texts(const struct corm_event *event, void *arg)
{
    (void)arg;
    (void)snprintf(events + strlen(events), sizeof(events) - strlen(events), "%u %.6s, ",
                   (unsigned)event->round_trips, event->text);
}

static uint64_t trips(void)
{
    return atomic_load(&db->nodes.watch.round_trips);
}

/* The wait is a trip like others: counted, and told to the hook. */
static void a_read_after_a_write_waits_for_it_once(void **state)
{
    (void)state;
    warm_up();
    uint64_t before = trips();
    events[0] = '\0';
    db->nodes.watch.on_statement = keep_texts;
    assert_int_equal(read_account(), 1);
    assert_log("catch_up(0-1-7) SELECT ");
    assert_int_equal(trips() - before, 2);
    assert_string_equal(events, "1 (waits, 1 SELECT, ");
    db->nodes.watch.on_statement = NULL;
    assert_int_equal(read_account(), 1);
    assert_log("SELECT ");
    assert_int_equal(trips() - before, 3);
    scripted.gtid = "0-1-8";
    assert_int_equal(corm_transact(db, work, NULL), 1);
    scripted_clear();
    assert_int_equal(corm_transact(db, read_in_function, NULL, .read_only = true, .reader = true),
                     1);
    assert_log("catch_up(0-1-8) enter(trx) SELECT COMMIT ");
}

static void who_waits_in_vain_reads_from_a_writer(void **state)
{
    (void)state;
    warm_up();
    scripted.lags = true;
    assert_int_equal(read_account(), 1);
    assert_log("catch_up(0-1-7) SELECT ");
    assert_int_equal(scripted.waited_ms, CORM__CATCH_UP_MS);
    assert_int_equal(read_account(), 1); /* it is not tried again at once */
    assert_log("SELECT ");
    assert_int_equal(health_of(3), CORM__NODE_UP);
}

/* Half of the time is the writer's. */
static void who_has_little_time_waits_for_half_of_it(void **state)
{
    (void)state;
    warm_up();
    scripted.lags = true;
    assert_int_equal(corm_transact(db, read_in_function, NULL, .read_only = true, .reader = true,
                                   .timeout_ms = 60),
                     1);
    assert_log("catch_up(0-1-7) enter(trx) SELECT COMMIT ");
    assert_int_equal(scripted.waited_ms, 30);
}

static void look_at_first(int64_t asked, const char *written)
{
    struct corm__condition condition = {.takes_writes = true, .asked = asked};
    struct corm_error      none = {0};

    (void)snprintf(condition.written, sizeof(condition.written), "%s", written);
    corm__nodes_judge(&db->nodes, &db->nodes.all[0], 0, &condition, &none);
}

static void look_at_reader(const char *applied)
{
    struct corm__condition condition = {.asked = scripted.now};
    struct corm_error      none = {0};

    look_at_first(scripted.now, applied);
    (void)snprintf(condition.applied, sizeof(condition.applied), "%s", applied);
    corm__nodes_judge(&db->nodes, &db->nodes.all[2], 0, &condition, &none);
}

static void what_was_written_at_a_place_that_nobody_has_told_is_not_read_from_a_reader(void **state)
{
    (void)state;
    warm_up();
    assert_int_equal(read_account(), 1);
    scripted_clear();
    scripted.gtid = NULL;
    assert_int_equal(corm_transact(db, work, NULL), 1);
    scripted_clear();
    assert_int_equal(read_account(), 1);
    assert_log("enter() SELECT ");
    look_at_first(scripted.now, "0-1-9"); /* asked before it was written, perhaps */
    assert_int_equal(read_account(), 1);
    assert_log("SELECT ");
    look_at_first(scripted.now + 1, "0-1-9");
    assert_int_equal(read_account(), 1);
    assert_log("catch_up(0-1-9) SELECT ");
}

static void nor_is_a_commit_whose_answer_was_lost(void **state)
{
    (void)state;
    for (int unknown = 0; unknown < 2; unknown++) {
        warm_up();
        assert_int_equal(read_account(), 1);
        scripted_clear();
        scripted.done = true;
        fails_at(LOSS("[UPDATE", 1));
        if (unknown)
            fails_at(.at = "connect", .nth = 0, .code = CORM_UNREACHABLE, .server_code = 2003);
        assert_int_equal(corm_transact(db, work, NULL, .timeout_ms = 50),
                         unknown ? CORM_UNKNOWN : 1);
        struct corm__written written;
        assert_int_equal(corm__nodes_has_written(&db->nodes, &db->nodes.all[2], &written), -1);
        scripted_clear();
        assert_int_equal(read_account(), 1);
        assert_null(strstr(scripted.log, "catch_up"));
        (void)close_db(state);
        (void)open_with_reader(state);
    }
}

/* The writer was looked at when that was not done yet. */
static void what_is_known_to_be_committed_at_last_is_waited_for(void **state)
{
    struct corm_error    error = {0};
    struct corm__written written;

    (void)state;
    warm_up();
    fails_at(LOSS("[UPDATE", 1));
    fails_at(.at = "connect", .nth = 0, .code = CORM_UNREACHABLE, .server_code = 2003);
    assert_int_equal(corm_transact(db, work, NULL, .timeout_ms = 50, .error = &error),
                     CORM_UNKNOWN);
    scripted_clear();
    look_at_first(scripted.now + 1, "0-1-7");
    look_at_reader("0-1-7");
    assert_int_equal(corm__nodes_has_written(&db->nodes, &db->nodes.all[2], &written), 1);
    scripted.done = true;
    assert_int_equal(corm_outcome(db, error.outcome, 5000, NULL), 1);
    assert_int_equal(corm__nodes_has_written(&db->nodes, &db->nodes.all[2], &written), -1);
}

/* A text that commits what was written before it, and fails; or something else has ended the transaction. */
static void nor_is_what_a_text_may_have_committed(void **state)
{
    struct corm_error    error = {0};
    struct corm__written written;

    (void)state;
    for (int ends = 0; ends < 2; ends++) {
        struct corm_trx *trx = NULL;
        warm_up();
        look_at_reader("0-1-7");
        assert_int_equal(corm__nodes_has_written(&db->nodes, &db->nodes.all[2], &written), 1);
        assert_int_equal(corm_begin(db, &trx, .error = &error), 0);
        assert_int_equal(corm_sql(trx, NULL, "UPDATE account SET amount = 1"), 1);
        fails_at(.at = "UPDATE", .nth = 1, .ends_trx = true);
        fails_at(.at = "TRUNCATE", .nth = 1, .code = CORM_SERVER_ERROR, .server_code = 1146);
        assert_int_equal(corm_sql(trx, NULL, ends ? "UPDATE account SET amount = 2" : "TRUNCATE x"),
                         CORM_TRX_LOST);
        corm_end(trx);
        assert_int_equal(corm__nodes_has_written(&db->nodes, &db->nodes.all[2], &written), -1);
        (void)close_db(state);
        (void)open_with_reader(state);
    }
}

/* Node 3 of a cluster is a reader, node 1 has written, and node 2 is asked where the reader is not. */
static void another_writer_of_a_cluster_is_waited_for_too(void **state)
{
    (void)state;
    db->nodes.all[2].reader = true;
    db->nodes.writers = 2;
    atomic_store(&db->nodes.kept, 1);
    scripted.gtid = "";
    assert_int_equal(read_account(), 1);
    assert_int_equal(corm_transact(db, work, NULL, .node = 1), 1);
    scripted_clear();
    assert_int_equal(read_account(), 1);
    assert_log("catch_up(all) SELECT ");
    assert_int_equal(corm_transact(db, work, NULL, .node = 1), 1);
    scripted_clear();
    scripted.dead = 3;
    fails_at(LOSS("catch_up", 1));
    assert_int_equal(read_account(), 1);
    assert_log("catch_up(all)! close connect:2 catch_up(all) SELECT ");
    assert_in_range(scripted.waited_ms, CORM__CATCH_UP_MS + 1, 30000);
    assert_int_equal(read_account(), 1); /* it has it now */
    assert_log("connect:3! SELECT ");
    assert_int_equal(corm_transact(db, work, NULL, .node = 1), 1);
    scripted_clear();
    fails_at(LOSS("catch_up", 1)); /* the reader is LEFT */
    assert_int_equal(read_account(), CORM_DISCONNECTED);
    scripted_clear();
    assert_int_equal(read_account(), 1); /* nobody took it for one that lags */
    assert_log("connect:2 catch_up(all) SELECT ");
    atomic_store(&db->nodes.kept, 0);
    assert_int_equal(read_account(), 1); /* it has written it */
    assert_log("enter() SELECT ");
}

static void where_there_is_one_node_it_is_read_from(void **state)
{
    (void)state;
    assert_int_equal(corm_transact(db, work, NULL), 1);
    scripted_clear();
    assert_int_equal(read_account(), 1);
    assert_log("enter() SELECT ");
}

static void a_reader_that_is_gone_is_no_reason_to_fail(void **state)
{
    (void)state;
    atomic_store(&db->nodes.kept, 0);
    scripted.dead = 3;
    assert_int_equal(read_account(), 1);
    assert_log("connect:3! connect:1 SELECT ");
    assert_int_equal(health_of(3), CORM__NODE_LEFT);
    assert_int_equal(read_account(), 1);
    assert_log("SELECT ");
}

static void a_reader_that_is_lost_before_its_answer_is_no_reason_to_fail(void **state)
{
    (void)state;
    warm_up();
    fails_at(LOSS("catch_up", 1));
    assert_int_equal(read_account(), 1);
    assert_log("catch_up(0-1-7)! close SELECT ");
    look_at_reader("0-1-7");
    assert_int_equal(read_account(), 1);
    assert_log("connect:3 SELECT ");
    fails_at(LOSS("SELECT", 1));
    assert_int_equal(corm_count(db, account, .reader = true), 1);
    assert_log("SELECT! close SELECT ");
    fails_at(LOSS("SELECT", 0)); /* the writer, too */
    assert_int_equal(read_account(), CORM_DISCONNECTED);
    scripted_clear();
    assert_int_equal(corm_transact(db, read_in_function, NULL, .read_only = true, .reader = true),
                     1);
    fails_at(LOSS("SELECT", 1));
    runs = 0;
    assert_int_equal(corm_transact(db, read_in_function, NULL, .read_only = true, .reader = true),
                     1);
    assert_int_equal(runs, 2);
}

static void what_says_that_the_reader_is_not_there_is_no_reason_to_fail_either(void **state)
{
    static const int codes[] = {CORM_NOT_READY, CORM_UNREACHABLE};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        warm_up();
        look_at_reader("0-1-7");
        fails_at(.at = "SELECT", .nth = 1, .code = codes[i], .server_code = 1047);
        assert_int_equal(read_account(), 1);
        assert_log("SELECT! SELECT ");
        (void)close_db(state);
        (void)open_with_reader(state);
    }
    warm_up();
    look_at_reader("0-1-7");
    fails_at(.at = "SELECT", .nth = 1, .code = CORM_NO_TABLE, .server_code = 1146);
    assert_int_equal(read_account(), CORM_NO_TABLE);
    fails_at(LOSS("SELECT", 1), .takes_ms = 30000);
    assert_int_equal(read_account(), CORM_DISCONNECTED); /* no time is left */
}

static void who_has_no_time_left_is_told_of_the_reader(void **state)
{
    (void)state;
    fails_at(.at = "connect", .nth = 1, .code = CORM_UNREACHABLE, .server_code = 2003,
             .takes_ms = 30000);
    assert_int_equal(read_account(), CORM_UNREACHABLE);
    assert_log("connect:3! ");
}

/* With one writer. */
static void a_function_runs_again_where_there_is_another_node_for_it(void **state)
{
    (void)state;
    db->nodes.all[1].reader = true;
    db->nodes.writers = 1;
    fails_at(.at = "SELECT", .nth = 1, .code = CORM_READ_ONLY, .server_code = 1290);
    assert_int_equal(corm_transact(db, read_in_function, NULL, .read_only = true, .reader = true),
                     1);
    assert_int_equal(runs, 2);
    fails_at(.at = "SELECT", .nth = 1, .code = CORM_READ_ONLY, .server_code = 1290);
    assert_int_equal(corm_transact(db, work, NULL), CORM_READ_ONLY);
    for (uint32_t n = 2; n <= 3; n++) {
        struct corm_error gone = {.code = CORM_UNREACHABLE};
        corm__nodes_note(&db->nodes, &db->nodes.all[n - 1], &gone);
    }
    scripted_clear();
    fails_at(.at = "SELECT", .nth = 1, .code = CORM_READ_ONLY, .server_code = 1290);
    assert_int_equal(corm_transact(db, read_in_function, NULL, .read_only = true, .reader = true),
                     CORM_READ_ONLY);
}

static int count_run(void *arg)
{
    (void)arg;
    runs++;
    return CORM_DISCONNECTED;
}

/* It would be given them again. */
static void who_was_given_rows_is_told_that_the_reader_is_lost(void **state)
{
    struct account a;

    (void)state;
    assert_int_equal(corm_each(db, account, &a, count_run, NULL, .reader = true),
                     CORM_DISCONNECTED);
    assert_int_equal(runs, 1);
    assert_log("connect:3 SELECT ");
}

#define WITH(setup, test) cmocka_unit_test_setup_teardown(test, setup, close_db)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(open_cluster, who_finds_a_node_gone_runs_on_the_next),
        WITH(open_cluster, who_asked_for_a_node_stays_on_it),
        WITH(open_cluster, a_lost_commit_is_asked_after_on_another_node_of_the_cluster),
        WITH(open_plain, without_a_cluster_nobody_else_is_asked),
        WITH(open_cluster, who_is_known_to_be_gone_is_not_asked_after_a_lost_commit),
        WITH(open_cluster, an_outcome_is_told_by_its_own_node_where_that_is_there),
        WITH(open_cluster, an_outcome_is_told_by_another_node_of_the_cluster),
        WITH(open_cluster, a_node_that_is_cut_off_in_its_commit_has_not_done_it),
        WITH(open_plain, a_disk_that_is_full_is_no_reason_to_run_again),
        WITH(open_plain, who_meets_a_node_that_takes_no_writes_runs_on_the_next),
        WITH(open_one, with_one_node_there_is_no_next),
        WITH(open_cluster, a_transaction_that_a_node_gave_up_runs_again),
        WITH(open_cluster, a_group_that_a_node_gave_up_runs_again),
        WITH(open_plain, a_transaction_that_ended_on_one_server_is_not_run_again),
        WITH(open_with_reader, the_ledger_is_made_on_all_writers_that_are_there),
        WITH(open_with_reader, what_one_writer_refuses_ends_the_set_up),
        WITH(open_cluster, a_cluster_has_one_ledger),
        WITH(open_cluster, lost_sessions_are_ended_on_their_own_node),
        WITH(open_cluster, of_the_lost_sessions_of_two_nodes_each_is_ended_on_its_own),
        WITH(open_with_reader, a_read_after_a_write_waits_for_it_once),
        WITH(open_with_reader, who_waits_in_vain_reads_from_a_writer),
        WITH(open_with_reader, who_has_little_time_waits_for_half_of_it),
        WITH(open_with_reader,
             what_was_written_at_a_place_that_nobody_has_told_is_not_read_from_a_reader),
        WITH(open_with_reader, nor_is_a_commit_whose_answer_was_lost),
        WITH(open_with_reader, what_is_known_to_be_committed_at_last_is_waited_for),
        WITH(open_with_reader, nor_is_what_a_text_may_have_committed),
        WITH(open_cluster, another_writer_of_a_cluster_is_waited_for_too),
        WITH(open_one, where_there_is_one_node_it_is_read_from),
        WITH(open_with_reader, a_reader_that_is_gone_is_no_reason_to_fail),
        WITH(open_with_reader, a_reader_that_is_lost_before_its_answer_is_no_reason_to_fail),
        WITH(open_with_reader, what_says_that_the_reader_is_not_there_is_no_reason_to_fail_either),
        WITH(open_with_reader, who_has_no_time_left_is_told_of_the_reader),
        WITH(open_with_reader, a_function_runs_again_where_there_is_another_node_for_it),
        WITH(open_with_reader, who_was_given_rows_is_told_that_the_reader_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
