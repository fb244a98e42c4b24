/* trx_test.c -- the state machine of a transaction, edge by edge, and the table of failures, cell by
 * cell, before a driver that does what a script says (scripted.h). No server, no clock. */
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

#define LINE(X) X(note, int)
CORM_MODEL(line, LINE); /* without a primary key */
CORM_DEFINE(line, LINE);

enum { REFUSED = CORM_USER };

static struct corm_db *db;

static int open_maria(void **state)
{
    (void)state;
    db = scripted_open(1, CORM_DIALECT_MARIADB);
    return 0;
}

static int open_mysql(void **state)
{
    (void)state;
    db = scripted_open(1, CORM_DIALECT_MYSQL);
    return 0;
}

static int open_file(void **state)
{
    (void)state;
    db = scripted_open(1, CORM_DIALECT_SQLITE);
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

/* ---- What transactions do -------------------------------------------------------- */

static int read_one(struct corm_trx *trx)
{
    struct account a;

    return corm_first(trx, account, &a, .where = corm_eq(account.id, 1));
}

static int lock_one(struct corm_trx *trx)
{
    struct account a;

    return corm_first(trx, account, &a, .where = corm_eq(account.id, 1), .lock = CORM_FOR_UPDATE);
}

/* Of a row that is held: buffered. */
static int write_held(struct corm_trx *trx)
{
    return corm_update(trx, account, corm_eq(account.id, 1), corm_add(account.amount, 1));
}

/* Of any: sent. */
static int write_now(struct corm_trx *trx)
{
    return corm_update(trx, account, corm_gt(account.amount, 0), corm_add(account.amount, 1));
}

static int insert_later(struct corm_trx *trx)
{
    return corm_insert(trx, account, corm_set(account.id, 2), corm_set(account.amount, 2));
}

static struct corm_trx *begin(void)
{
    struct corm_trx *trx = NULL;

    assert_int_equal(corm_begin(db, &trx), 0);
    return trx;
}

#define assert_log(text)    assert_string_equal(scripted.log, text)
#define assert_state(s)     assert_int_equal(trx->state, (s))
#define fails_at(...)       scripted_plan((struct scripted_fault){__VA_ARGS__})
#define DEADLOCK(where, n)  .at = (where), .nth = (n), .code = CORM_DEADLOCK, .server_code = 1213
#define DUPLICATE(where, n) .at = (where), .nth = (n), .code = CORM_DUPLICATE, .server_code = 1062
#define LOSS(where, n)                                                                             \
    .at = (where), .nth = (n), .code = CORM_DISCONNECTED, .server_code = 2013, .lost = true

static int work(struct corm_trx *trx, void *arg);

/* ---- Edges of the state machine ---------------------------------------------------- */

static void from_ready_to_over_without_a_trip(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_state(CORM__TRX_READY);
    assert_int_equal(corm_commit(trx), 0);
    assert_state(CORM__TRX_OVER);
    assert_int_equal(corm_start(trx), 0);
    assert_state(CORM__TRX_READY);
    assert_int_equal(corm_rollback(trx), 0);
    assert_state(CORM__TRX_OVER);
    assert_int_equal(corm_start(trx), 0);
    assert_int_equal(insert_later(trx), 1);
    assert_state(CORM__TRX_READY);
    corm_end(trx); /* with a write that was never sent */
    assert_log("");
    assert_int_equal(scripted.commits, 0);
}

static void what_is_over_says_so(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(corm_commit(trx), 0);
    assert_int_equal(lock_one(trx), CORM_TRX_CLOSED);
    assert_int_equal(insert_later(trx), CORM_TRX_CLOSED);
    assert_int_equal(corm_commit(trx), CORM_TRX_CLOSED);
    assert_int_equal(corm_rollback(trx), CORM_TRX_CLOSED);
    assert_int_equal(corm_savepoint(trx), CORM_TRX_CLOSED);
    assert_int_equal(corm_savepoint_release(trx), CORM_TRX_CLOSED);
    assert_int_equal(corm_savepoint_rollback(trx), CORM_TRX_CLOSED);
    assert_int_equal(corm_abort(trx, REFUSED, "no"), CORM_TRX_CLOSED);
    assert_state(CORM__TRX_OVER);
    corm_end(trx);
    assert_log("");
}

static void from_ready_to_open_by_the_first_statement(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_state(CORM__TRX_OPEN);
    assert_int_equal(read_one(trx), 1);
    assert_state(CORM__TRX_OPEN);
    assert_int_equal(corm_commit(trx), 0);
    assert_state(CORM__TRX_OVER);
    assert_null(trx->connection);
    corm_end(trx);
    assert_log("enter(trx) SELECT SELECT COMMIT ");
    assert_int_equal(scripted.commits, 1);
}

static void from_ready_through_open_by_a_commit_of_writes(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(insert_later(trx), 1);
    assert_int_equal(corm_commit(trx), 0);
    assert_state(CORM__TRX_OVER);
    corm_end(trx);
    assert_log("enter(trx) [INSERT,COMMIT] ");
}

static void from_open_to_over_by_a_rollback(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(write_held(trx), 1);
    assert_int_equal(corm_rollback(trx), 0);
    assert_state(CORM__TRX_OVER);
    assert_int_equal(corm_start(trx), 0);
    assert_int_equal(lock_one(trx), 1);
    corm_end(trx); /* rolls back */
    assert_log("enter(trx) SELECT ROLLBACK SELECT ROLLBACK ");
    assert_int_equal(scripted.commits, 0);
}

static void from_ready_to_doomed_when_no_connection_comes(void **state)
{
    (void)state;
    struct corm_trx  *holder = begin(), *trx = begin();
    struct corm_error error = {0};
    assert_int_equal(lock_one(holder), 1); /* the one that there is; time stands still */
    scripted.now += 31000LL * 1000000;
    trx->report = &error;
    assert_true(lock_one(trx) < 0);
    assert_state(CORM__TRX_DOOMED);
    assert_null(trx->connection);
    assert_int_equal(error.code, CORM_TIMEOUT);
    corm_end(trx);
    corm_end(holder);
}

static void from_ready_to_doomed_when_connecting_fails(void **state)
{
    (void)state;
    fails_at(LOSS("SELECT", 1));
    fails_at(.at = "connect", .nth = 1, .code = CORM_UNREACHABLE, .server_code = 2003);
    struct corm_trx *trx = begin();
    assert_int_equal(read_one(trx), CORM_DISCONNECTED);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_rollback(trx), 0);
    assert_int_equal(corm_start(trx), 0);
    assert_int_equal(read_one(trx), CORM_UNREACHABLE);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_commit(trx), CORM_UNREACHABLE);
    assert_state(CORM__TRX_OVER);
    corm_end(trx);
    assert_log("enter(trx) SELECT! close connect! ");
}

static void from_ready_to_doomed_when_the_session_cannot_be_set_up(void **state)
{
    (void)state;
    fails_at(LOSS("enter(trx)", 1));
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), CORM_DISCONNECTED);
    assert_state(CORM__TRX_DOOMED);
    assert_null(trx->connection);
    corm_end(trx);
    assert_log("enter(trx)! close ");
}

static void from_ready_to_doomed_by_a_call_that_is_wrong(void **state)
{
    (void)state;
    struct corm_expr nothing = {0};
    struct corm_trx *trx = begin();
    assert_int_equal(corm_delete(trx, account, nothing), CORM_MISUSE);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(lock_one(trx), CORM_MISUSE); /* the first error stays */
    assert_int_equal(corm_savepoint(trx), CORM_MISUSE);
    assert_int_equal(corm_commit(trx), CORM_MISUSE);
    assert_state(CORM__TRX_OVER);
    corm_end(trx);
    assert_log("");
}

static void from_ready_to_doomed_by_a_commit_that_cannot_begin(void **state)
{
    (void)state;
    fails_at(.at = "enter(trx)", .nth = 1, .code = CORM_DISCONNECTED, .server_code = 2006);
    struct corm_trx *trx = begin();
    assert_int_equal(insert_later(trx), 1);
    assert_int_equal(corm_commit(trx), CORM_DISCONNECTED); /* known: nothing was sent */
    assert_state(CORM__TRX_OVER);
    corm_end(trx);
    assert_log("enter(trx)! close ");
}

static void from_open_to_doomed_by_a_statement(void **state)
{
    (void)state;
    fails_at(DUPLICATE("UPDATE", 1));
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(write_now(trx), CORM_DUPLICATE);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(read_one(trx), CORM_DUPLICATE);
    assert_int_equal(corm_commit(trx), CORM_DUPLICATE);
    assert_state(CORM__TRX_OVER);
    corm_end(trx);
    assert_log("enter(trx) SELECT UPDATE! ROLLBACK ");
    assert_int_equal(scripted.commits, 0);
}

static void from_open_to_doomed_by_the_deadline(void **state)
{
    (void)state;
    fails_at(.at = "SELECT", .nth = 1, .takes_ms = 29999);
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(lock_one(trx), 1); /* a millisecond is left */
    scripted.now += 1000000;
    assert_int_equal(lock_one(trx), CORM_TIMEOUT);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_commit(trx), CORM_TIMEOUT);
    corm_end(trx);
    assert_log("enter(trx) SELECT SELECT ROLLBACK ");
}

static void a_commit_is_not_sent_after_the_deadline(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(write_held(trx), 1);
    scripted.now += 30000LL * 1000000;
    assert_int_equal(corm_commit(trx), CORM_TIMEOUT);
    corm_end(trx);
    assert_log("enter(trx) SELECT ROLLBACK ");
}

/* A server without compounds gets them one by one. */
static void a_commit_is_not_sent_behind_a_write_that_was_late(void **state)
{
    (void)state;
    fails_at(.at = "UPDATE", .nth = 1, .takes_ms = 40000);
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(write_held(trx), 1);
    assert_int_equal(corm_commit(trx), CORM_TIMEOUT);
    corm_end(trx);
    assert_log("enter(trx) SELECT UPDATE ROLLBACK ");
    assert_int_equal(scripted.commits, 0);
}

static void a_commit_that_is_answered_late_is_a_commit(void **state)
{
    (void)state;
    fails_at(.at = "COMMIT", .nth = 1, .takes_ms = 40000);
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(write_held(trx), 1);
    assert_int_equal(corm_commit(trx), 0);
    assert_state(CORM__TRX_OVER);
    corm_end(trx);
    assert_log("enter(trx) SELECT [UPDATE,COMMIT] ");
}

static void from_open_to_doomed_by_a_transaction_that_was_lost(void **state)
{
    (void)state;
    fails_at(.at = "SELECT", .nth = 2, .ends_trx = true);
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(read_one(trx), CORM_TRX_LOST);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_commit(trx), CORM_TRX_LOST);
    corm_end(trx);
    assert_log("enter(trx) SELECT SELECT close "); /* who knows what it holds */
}

static void from_open_to_doomed_by_autocommit(void **state)
{
    (void)state;
    fails_at(.at = "SELECT", .nth = 1, .autocommits = true);
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), CORM_TRX_LOST);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
    assert_log("enter(trx) SELECT close ");
}

static void from_open_to_doomed_by_a_flush(void **state)
{
    (void)state;
    fails_at(DUPLICATE("INSERT", 1), .failed = 0);
    struct corm_trx  *trx = begin();
    struct corm_error error = {0};
    trx->report = &error;
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(insert_later(trx), 1);
    assert_int_equal(read_one(trx), CORM_DUPLICATE); /* which takes the insert with it */
    assert_state(CORM__TRX_DOOMED);
    assert_non_null(error.file);
    corm_end(trx);
    assert_log("enter(trx) SELECT [INSERT,SELECT]! ROLLBACK ");
}

static void from_open_to_doomed_by_a_buffer_that_is_full(void **state)
{
    (void)state;
    fails_at(DUPLICATE("[INSERT", 1));
    struct corm_trx *trx = begin();
    int              rc = 1;
    for (int i = 0; i < CORM__PENDING_MAX && rc == 1; i++)
        rc = insert_later(trx);
    assert_int_equal(rc, CORM_DUPLICATE);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
}

static void a_full_buffer_without_a_connection_dooms(void **state)
{
    (void)state;
    fails_at(LOSS("enter(trx)", 1));
    struct corm_trx *trx = begin();
    int              rc = 1;
    for (int i = 0; i < CORM__PENDING_MAX && rc == 1; i++)
        rc = insert_later(trx);
    assert_int_equal(rc, CORM_DISCONNECTED);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
    assert_log("enter(trx)! close ");
}

static void a_full_buffer_is_sent(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    for (int i = 0; i < CORM__PENDING_MAX; i++)
        assert_int_equal(insert_later(trx), 1);
    assert_state(CORM__TRX_OPEN);
    assert_int_equal(trx->pending_count, 1);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_int_equal(scripted.commits, 1);
}

static void from_doomed_to_over_without_a_rollback_on_a_lost_link(void **state)
{
    (void)state;
    fails_at(LOSS("SELECT", 2));
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(lock_one(trx), CORM_DISCONNECTED);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
    assert_log("enter(trx) SELECT SELECT! close ");
}

static void a_rollback_that_fails_costs_the_connection(void **state)
{
    (void)state;
    fails_at(.at = "ROLLBACK", .nth = 1, .code = CORM_SERVER_ERROR, .server_code = 1105);
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(corm_rollback(trx), 0); /* a server rolls back what is cut off */
    assert_state(CORM__TRX_OVER);
    corm_end(trx);
    assert_log("enter(trx) SELECT ROLLBACK! close ");
}

static void from_doomed_to_open_by_a_savepoint(void **state)
{
    (void)state;
    fails_at(DUPLICATE("UPDATE", 1));
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(corm_savepoint(trx), 0);
    assert_int_equal(write_now(trx), CORM_DUPLICATE);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_savepoint_rollback(trx), 0);
    assert_state(CORM__TRX_OPEN);
    assert_int_equal(trx->error.code, 0);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) SELECT SAVEPOINT UPDATE! ROLLBACK_TO COMMIT ");
}

static void from_doomed_to_ready_by_a_savepoint_that_was_not_sent(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(insert_later(trx), 1);
    assert_int_equal(corm_savepoint(trx), 0);
    assert_int_equal(insert_later(trx), 1);
    assert_int_equal(corm_abort(trx, REFUSED, "no"), REFUSED);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_savepoint_rollback(trx), 0);
    assert_state(CORM__TRX_READY);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) [INSERT,COMMIT] ");
}

static void a_doom_in_front_of_a_savepoint_stays(void **state)
{
    (void)state;
    fails_at(DUPLICATE("INSERT", 1), .failed = 0);
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(insert_later(trx), 1);
    assert_int_equal(corm_savepoint(trx), 0);
    assert_int_equal(read_one(trx), CORM_DUPLICATE);
    assert_int_equal(corm_savepoint_rollback(trx), CORM_DUPLICATE);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_savepoint_rollback(trx), CORM_DUPLICATE); /* there is none any more */
    corm_end(trx);
    assert_log("enter(trx) SELECT [INSERT,SAVEPOINT,SELECT]! ROLLBACK ");
}

static void a_deadlock_is_not_mended_by_a_savepoint(void **state)
{
    (void)state;
    fails_at(DEADLOCK("UPDATE", 1));
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(corm_savepoint(trx), 0);
    assert_int_equal(write_now(trx), CORM_DEADLOCK);
    assert_int_equal(corm_savepoint_rollback(trx), CORM_DEADLOCK);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
    assert_log("enter(trx) SELECT SAVEPOINT UPDATE! ROLLBACK ");
}

static void a_rollback_to_a_savepoint_that_fails_dooms_for_good(void **state)
{
    (void)state;
    fails_at(.at = "ROLLBACK_TO", .nth = 1, .code = CORM_SERVER_ERROR, .server_code = 1305);
    struct corm_trx *trx = begin();
    assert_int_equal(corm_savepoint(trx), 0);
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(corm_savepoint_rollback(trx), CORM_SERVER_ERROR);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_commit(trx), CORM_SERVER_ERROR);
    corm_end(trx);
    assert_log("enter(trx) [START,SAVEPOINT,SELECT] ROLLBACK_TO! close ");
}

static void a_release_that_fails_dooms(void **state)
{
    (void)state;
    fails_at(DUPLICATE("[START,SAVEPOINT,INSERT", 1), .failed = 2);
    struct corm_trx *trx = begin();
    assert_int_equal(corm_savepoint(trx), 0);
    assert_int_equal(insert_later(trx), 1);
    assert_int_equal(corm_savepoint_release(trx), CORM_DUPLICATE);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_savepoint_rollback(trx), 0);
    assert_state(CORM__TRX_OPEN);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) [START,SAVEPOINT,INSERT]! ROLLBACK_TO COMMIT ");
}

static void a_release_without_a_connection_dooms(void **state)
{
    (void)state;
    fails_at(LOSS("enter(trx)", 1));
    struct corm_trx *trx = begin();
    assert_int_equal(corm_savepoint(trx), 0);
    assert_int_equal(insert_later(trx), 1);
    assert_int_equal(corm_savepoint_release(trx), CORM_DISCONNECTED);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_savepoint_rollback(trx), CORM_DISCONNECTED);
    corm_end(trx);
}

static void savepoints_that_are_not_there_doom(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(corm_savepoint_release(trx), CORM_MISUSE);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
    trx = begin();
    assert_int_equal(corm_savepoint_rollback(trx), CORM_MISUSE);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
    trx = begin();
    for (int i = 0; i < CORM_SAVEPOINT_MAX; i++)
        assert_int_equal(corm_savepoint(trx), 0);
    assert_int_equal(corm_savepoint(trx), CORM_MISUSE);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
}

static void a_locked_row_is_an_answer_and_the_transaction_stays_open(void **state)
{
    (void)state;
    struct account a;
    fails_at(.at = "SELECT", .nth = 2, .code = CORM_LOCK_TIMEOUT, .server_code = 1205);
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(corm_first(trx, account, &a, .where = corm_eq(account.id, 2),
                                .lock = CORM_FOR_UPDATE, .nowait = true),
                     CORM_LOCKED);
    assert_state(CORM__TRX_OPEN);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) SELECT SELECT! COMMIT ");
}

static void a_locked_row_dooms_where_the_server_rolls_back(void **state)
{
    (void)state;
    struct account a;
    /* with innodb_rollback_on_timeout=ON; the connection of now knows nothing of it yet */
    fails_at(LOSS("SELECT", 1));
    fails_at(.at = "SELECT", .nth = 2, .code = CORM_LOCK_TIMEOUT, .server_code = 1205);
    scripted.rollback_on_timeout = true;
    struct corm_trx *trx = begin();
    assert_int_equal(read_one(trx), CORM_DISCONNECTED);
    assert_int_equal(corm_rollback(trx), 0);
    assert_int_equal(corm_start(trx), 0);
    assert_int_equal(corm_first(trx, account, &a, .where = corm_eq(account.id, 2),
                                .lock = CORM_FOR_UPDATE, .nowait = true),
                     CORM_LOCKED);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
}

static void a_locked_file_is_an_answer_and_the_transaction_stays_ready(void **state)
{
    (void)state;
    struct account a;
    fails_at(.at = "enter(trx)", .nth = 1, .code = CORM_LOCK_TIMEOUT, .server_code = 5);
    struct corm_trx *trx = begin();
    assert_int_equal(corm_first(trx, account, &a, .where = corm_eq(account.id, 2),
                                .lock = CORM_FOR_UPDATE, .nowait = true),
                     CORM_LOCKED);
    assert_state(CORM__TRX_READY);
    assert_null(trx->connection);
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
}

static void wrong_calls_in_an_open_transaction_doom_it(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(corm_start(trx), CORM_MISUSE);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_start(trx), CORM_MISUSE);
    corm_end(trx);
    trx = begin();
    assert_int_equal(corm_abort(trx, -5, "no code of the application's own"), CORM_MISUSE);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
    trx = begin();
    assert_int_equal(corm_transact(trx, work, NULL, .timeout_ms = 5), CORM_MISUSE);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
}

/* ---- COMMIT ------------------------------------------------------------------------- */

static void a_commit_that_nobody_answers_is_unknown(void **state)
{
    (void)state;
    fails_at(LOSS("COMMIT", 1));
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(write_held(trx), 1);
    assert_int_equal(corm_commit(trx), CORM_UNKNOWN);
    assert_state(CORM__TRX_OVER);
    corm_end(trx);
    assert_log("enter(trx) SELECT [UPDATE,COMMIT]! close ");
}

static void a_commit_that_was_never_sent_is_known(void **state)
{
    (void)state;
    fails_at(LOSS("COMMIT", 1), .unsent = true);
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(write_held(trx), 1);
    assert_int_equal(corm_commit(trx), CORM_DISCONNECTED);
    corm_end(trx);
    assert_log("enter(trx) SELECT [UPDATE,COMMIT]! close ");
}

static void a_lost_commit_of_reads_is_known(void **state)
{
    (void)state;
    fails_at(LOSS("COMMIT", 1));
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(corm_commit(trx), CORM_DISCONNECTED);
    corm_end(trx);
}

/* A server without compound statements is sent one after the other: only the last is COMMIT. */
static void a_loss_in_front_of_commit_is_known(void **state)
{
    (void)state;
    fails_at(LOSS("UPDATE", 1));
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(write_held(trx), 1);
    assert_int_equal(corm_commit(trx), CORM_DISCONNECTED);
    corm_end(trx);
    assert_log("enter(trx) SELECT UPDATE! close ");
}

static void a_loss_in_commit_is_unknown_without_compounds_too(void **state)
{
    (void)state;
    fails_at(LOSS("COMMIT", 1));
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(write_held(trx), 1);
    assert_int_equal(corm_commit(trx), CORM_UNKNOWN);
    corm_end(trx);
    assert_log("enter(trx) SELECT UPDATE COMMIT! close ");
}

static void a_single_write_that_nobody_answers_is_unknown(void **state)
{
    (void)state;
    fails_at(LOSS("UPDATE", 1));
    assert_int_equal(corm_update(db, account, corm_eq(account.id, 1), corm_add(account.amount, 1)),
                     CORM_UNKNOWN);
    assert_log("UPDATE! close ");
}

static void a_single_write_that_was_never_sent_is_known(void **state)
{
    (void)state;
    fails_at(LOSS("UPDATE", 1), .unsent = true);
    assert_int_equal(corm_update(db, account, corm_eq(account.id, 1), corm_add(account.amount, 1)),
                     CORM_DISCONNECTED);
    fails_at(LOSS("prepare", 1));
    assert_int_equal(corm_delete(db, account, corm_eq(account.id, 1)), CORM_DISCONNECTED);
}

/* It has been sent, the server has said nothing against it, and then this side failed. */
static void a_commit_after_which_we_fail_is_unknown(void **state)
{
    (void)state;
    fails_at(.at = "[INSERT,COMMIT]", .nth = 1, .code = CORM_NO_MEMORY);
    fails_at(.at = "[INSERT,COMMIT]", .nth = 2, .code = CORM_NO_MEMORY, .unsent = true);
    struct corm_trx *trx = begin();
    assert_int_equal(insert_later(trx), 1);
    assert_int_equal(corm_commit(trx), CORM_UNKNOWN);
    assert_int_equal(corm_start(trx), 0);
    assert_int_equal(insert_later(trx), 1);
    assert_int_equal(corm_commit(trx), CORM_NO_MEMORY);
    corm_end(trx);
    assert_log("enter(trx) [INSERT,COMMIT]! close connect enter(trx) [INSERT,COMMIT]! ROLLBACK ");
}

static void a_single_read_that_nobody_answers_is_known(void **state)
{
    (void)state;
    fails_at(LOSS("SELECT", 1));
    assert_int_equal(corm_count(db, account), CORM_DISCONNECTED);
    assert_log("SELECT! close ");
}

/* ---- Functions that run again ---------------------------------------------------------- */

enum at_what { AT_FIRST_READ, AT_SECOND_READ, AT_FLUSH, AT_COMMIT, AT_ABORT };

struct work {
    enum at_what what;
    int          runs;
};

static int work(struct corm_trx *trx, void *arg)
{
    struct work *w = arg;
    int          rc = 1;

    w->runs++;
    if (w->what == AT_SECOND_READ || w->what == AT_ABORT)
        rc = read_one(trx);
    if (w->what == AT_ABORT)
        return rc < 0 ? rc : corm_abort(trx, REFUSED, "no");
    if (rc >= 0 && (w->what == AT_FLUSH || w->what == AT_COMMIT))
        rc = insert_later(trx);
    if (rc >= 0 && w->what == AT_COMMIT)
        return 7;
    if (rc >= 0)
        rc = lock_one(trx);
    return rc < 0 ? rc : 7;
}

/* The call in the log that fails at each place. */
static const struct {
    enum at_what what;
    const char  *at;
    int          nth;
} places[CORM_PLACES] = {
    [CORM_AT_CONNECT] = {AT_FIRST_READ, "connect", 1},
    [CORM_AT_FIRST] = {AT_FIRST_READ, "SELECT", 1},
    [CORM_AT_MIDDLE] = {AT_SECOND_READ, "SELECT", 2},
    [CORM_AT_FLUSH] = {AT_FLUSH, "[INSERT,SELECT]", 1},
    [CORM_AT_COMMIT] = {AT_COMMIT, "[INSERT,COMMIT]", 1},
    [CORM_AT_ROLLBACK] = {AT_ABORT, "ROLLBACK", 1},
};

/* One cell: the failure is met once, at that place; what follows must be as its verdict says. */
static void check_cell(const struct corm_error_rule *rule, enum corm_place place)
{
    struct work       w = {.what = places[place].what};
    struct corm_error error = {0};
    enum corm_verdict verdict = rule->verdicts[place];
    bool              lost = rule->code <= CORM_CONNECTION_GONE;
    const char *name = rule->server_name != NULL ? rule->server_name : corm_code_name(rule->code);

    db = scripted_open(1, CORM_DIALECT_MARIADB);
    if (place == CORM_AT_CONNECT) { /* the pool has one that is about to be found dead */
        fails_at(LOSS("SELECT", 1));
        assert_int_equal(corm_count(db, account), CORM_DISCONNECTED);
        scripted_clear();
    }
    enum { NOT_IN_THE_TABLE = 1 }; /* the server's, all the same: it has answered */
    int server_code = rule->server_code != 0 ? rule->server_code : NOT_IN_THE_TABLE;
    fails_at(.at = places[place].at, .nth = places[place].nth, .code = rule->code,
             .server_code = server_code, .lost = lost && place != CORM_AT_CONNECT);
    int rc = corm_transact(db, work, &w, .error = &error);
    int want = place == CORM_AT_ROLLBACK   ? REFUSED
               : verdict == CORM_RUN_AGAIN ? 7
               : verdict == CORM_RESOLVE   ? CORM_UNKNOWN
                                           : rule->code;
    int opened = scripted.opened;
    if (place != CORM_AT_COMMIT && verdict == CORM_RESOLVE)
        want = rule->code; /* nothing to resolve: CORM_UNKNOWN itself, from somewhere else */
    if (rc != want || w.runs != 1 + (verdict == CORM_RUN_AGAIN && place != CORM_AT_ROLLBACK) ||
        scripted.commits != (want >= 0) || scripted.used_after_loss != 0)
        fail_msg("%s at %s: %s, so %s was expected, but it is %s; %d runs, %d commits; log: %s",
                 name, corm_place_text(place), corm_verdict_text(verdict), corm_code_name(want),
                 rc >= 0 ? "done" : corm_code_name(rc), w.runs, scripted.commits, scripted.log);
    if (verdict == CORM_FATAL && place != CORM_AT_CONNECT && strstr(scripted.log, "close") == NULL)
        fail_msg("%s at %s: the connection was kept; log: %s", name, corm_place_text(place),
                 scripted.log);
    if (!lost && verdict != CORM_FATAL && verdict != CORM_RESOLVE && place != CORM_AT_CONNECT &&
        opened != 0)
        fail_msg("%s at %s: the connection was thrown away", name, corm_place_text(place));
    scripted_close(db);
}

static void check_table(const char *driver)
{
    struct corm_error_rule rule;
    size_t                 cells = 0;

    for (size_t i = 0; corm_error_rule(driver, i, &rule); i++)
        for (enum corm_place place = CORM_AT_CONNECT; place < CORM_PLACES; place++, cells++)
            check_cell(&rule, place);
    print_message("# %s: %zu cells\n", driver, cells);
    assert_true(cells > 30);
}

static void every_cell_of_corms_own_codes_is_kept(void **state)
{
    (void)state;
    check_table("corm");
}

static void every_cell_of_the_servers_codes_is_kept(void **state)
{
    (void)state;
    check_table("mariadb");
}

static void every_code_has_its_verdicts(void **state)
{
    (void)state;
    struct corm_error_rule rule;
    static const int       codes[] = {
#define CODE(name, number, what, cure) CORM_##name,
        CORM_ERROR_MAP(CODE)
#undef CODE
    };
    size_t rules = 0;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        bool found = false;
        for (size_t k = 0; !found && corm_error_rule("corm", k, &rule); k++)
            found = rule.code == codes[i];
        if (!found)
            fail_msg("%s has no verdicts", corm_code_name(codes[i]));
    }
    while (corm_error_rule("corm", rules, &rule))
        rules++;
    assert_int_equal(rules, sizeof(codes) / sizeof(codes[0]));
    assert_false(corm_error_rule("oracle", 0, &rule));
    assert_false(corm_error_rule("sqlite", 1000, &rule));
    assert_false(corm_error_rule("mariadb", 1000, &rule));
    assert_true(corm_error_rule("sqlite", 0, &rule));
}

/* What corm has made of a failure since is above the server's code. */
static void the_verdict_goes_by_corms_code_where_that_is_another(void **state)
{
    (void)state;
    const struct corm__server_error *read_only = corm__find_error(corm__mariadb_errors, 1290);
    assert_int_equal(corm__verdict(read_only, CORM_READ_ONLY, CORM_AT_MIDDLE), CORM_RUN_ELSEWHERE);
    assert_int_equal(corm__verdict(read_only, CORM_TRX_LOST, CORM_AT_MIDDLE), CORM_FATAL);
    assert_int_equal(corm__verdict(NULL, REFUSED, CORM_AT_MIDDLE), CORM_FUNCTIONS_OWN);
    for (int verdict = CORM_RUN_AGAIN; verdict <= CORM_FATAL; verdict++)
        assert_string_not_equal(corm_verdict_text(verdict), "?");
    assert_string_equal(corm_verdict_text(0), "?");
    assert_string_equal(corm_place_text(CORM_PLACES), "?");
}

/* A statement that the server has forgotten has not run; what then fails here is known. */
static void a_stale_statement_is_prepared_again_once(void **state)
{
    (void)state;
    assert_int_equal(corm_delete(db, account, corm_eq(account.id, 1)), 1);
    fails_at(.at = "DELETE", .nth = 1, .code = CORM__STALE_STATEMENT, .server_code = 1243);
    assert_int_equal(corm_delete(db, account, corm_eq(account.id, 1)), 1);
    fails_at(.at = "DELETE", .nth = 1, .code = CORM__STALE_STATEMENT, .server_code = 1243);
    fails_at(.at = "prepare", .nth = 1, .code = CORM_NO_MEMORY);
    assert_int_equal(corm_delete(db, account, corm_eq(account.id, 1)), CORM_NO_MEMORY);
    scripted_clear();
    fails_at(.at = "DELETE", .nth = 0, .code = CORM__STALE_STATEMENT, .server_code = 1243);
    assert_int_equal(corm_delete(db, account, corm_eq(account.id, 1)), CORM_SERVER_ERROR);
    assert_log("DELETE! DELETE! ");
}

/* Of a compound statement a part may have run. */
static void a_stale_compound_runs_the_function_again(void **state)
{
    (void)state;
    struct work w = {.what = AT_COMMIT};
    fails_at(.at = "[INSERT,COMMIT]", .nth = 1, .code = CORM__STALE_STATEMENT, .server_code = 1615);
    assert_int_equal(corm_transact(db, work, &w), 7);
    assert_int_equal(w.runs, 2);
    assert_int_equal(scripted.commits, 1);
}

/* Whatever failed, what may have committed is never run again: no verdict of a place behind COMMIT is
 * "run again" for a code by which the answer may have been lost. */
static void what_may_have_committed_is_never_run_again(void **state)
{
    (void)state;
    struct corm_error_rule   rule;
    static const char *const drivers[] = {"corm", "mariadb", "sqlite"};
    for (int d = 0; d < 3; d++)
        for (size_t i = 0; corm_error_rule(drivers[d], i, &rule); i++)
            if (rule.code == CORM_DISCONNECTED || rule.code == CORM_INTERRUPTED ||
                rule.code == CORM_NOT_READY || rule.code == CORM_UNKNOWN)
                assert_int_equal(rule.verdicts[CORM_AT_COMMIT], CORM_RESOLVE);
}

static void a_function_runs_again_until_the_deadline(void **state)
{
    (void)state;
    struct work       w = {.what = AT_FIRST_READ};
    struct corm_error error = {0};
    fails_at(DEADLOCK("SELECT", 0));
    assert_int_equal(corm_transact(db, work, &w, .error = &error, .timeout_ms = 1000),
                     CORM_DEADLOCK);
    assert_int_equal(error.code, CORM_DEADLOCK);
    assert_int_equal(error.attempts, w.runs);
    assert_in_range(w.runs, 5, 100); /* the pauses grow to 64 ms and more */
    assert_int_equal(scripted.commits, 0);
}

static void an_answer_of_a_closed_call_is_no_error_of_the_transaction(void **state)
{
    (void)state;
    struct corm_trx  *trx = begin();
    struct corm_error error = {0};
    assert_int_equal(corm_commit(trx), 0);
    assert_int_equal(corm_count(trx, account, .error = &error), CORM_TRX_CLOSED);
    assert_int_equal(error.code, CORM_TRX_CLOSED);
    assert_int_equal(trx->error.code, 0);
    corm_end(trx);
}

/* ---- Locks that are asked for with a bound -------------------------------------------------- */

static int lock_bounded(struct corm_trx *trx)
{
    struct account a;

    return corm_first(trx, account, &a, .where = corm_eq(account.id, 2), .lock = CORM_FOR_UPDATE,
                      .nowait = true);
}

static void a_file_is_waited_for_until_the_deadline_at_most(void **state)
{
    (void)state;
    struct account   a;
    struct corm_trx *trx = NULL;
    assert_int_equal(corm_begin(db, &trx, .timeout_ms = 1000), 0);
    assert_int_equal(corm_first(trx, account, &a, .where = corm_eq(account.id, 2),
                                .lock = CORM_FOR_UPDATE, .wait_ms = 60000),
                     1);
    assert_true(scripted.enters_by == scripted.now + 1000LL * 1000000);
    assert_int_equal(corm_rollback(trx), 0);
    assert_int_equal(corm_start(trx), 0);
    assert_int_equal(corm_first(trx, account, &a, .where = corm_eq(account.id, 2),
                                .lock = CORM_FOR_UPDATE, .wait_ms = 300),
                     1);
    assert_true(scripted.enters_by == scripted.now + 300LL * 1000000);
    corm_end(trx);
}

static void a_file_that_this_thread_has_locked_is_locked(void **state)
{
    (void)state;
    struct corm_trx *holder = begin(), *trx = begin();
    assert_int_equal(lock_one(holder), 1);
    assert_int_equal(lock_bounded(trx), CORM_LOCKED);
    assert_state(CORM__TRX_READY);
    corm_end(holder);
    assert_int_equal(lock_bounded(trx), 1);
    corm_end(trx);
}

/* A nowait says nothing about what else may fail. */
static void what_is_no_lock_is_no_answer(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    fails_at(.at = "enter(trx)", .nth = 1, .code = CORM_SERVER_ERROR, .server_code = 10);
    assert_int_equal(lock_bounded(trx), CORM_SERVER_ERROR);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_rollback(trx), 0);
    assert_int_equal(corm_start(trx), 0);
    fails_at(DEADLOCK("SELECT", 1));
    assert_int_equal(lock_bounded(trx), CORM_DEADLOCK);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
}

/* A server's link that is late is no row that is locked. */
static void a_server_that_is_late_is_no_answer(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    fails_at(.at = "enter(trx)", .nth = 1, .code = CORM_TIMEOUT);
    assert_int_equal(lock_bounded(trx), CORM_TIMEOUT);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
}

/* How .wait_ms ends on MariaDB: by the limit of time of the statement. */
static void the_limit_of_a_statement_is_an_answer(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    fails_at(.at = "SELECT", .nth = 1, .code = CORM_SERVER_ERROR, .server_code = 1969);
    assert_int_equal(lock_bounded(trx), CORM_LOCKED);
    assert_state(CORM__TRX_OPEN);
    corm_end(trx);
}

/* How nowait ends on MySQL. */
static void a_servers_own_code_of_a_lock_is_an_answer(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    fails_at(.at = "SELECT", .nth = 1, .code = CORM_LOCKED, .server_code = 3572);
    assert_int_equal(lock_bounded(trx), CORM_LOCKED);
    assert_state(CORM__TRX_OPEN);
    corm_end(trx);
}

static int lock_and_tell(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return lock_bounded(trx);
}

static int tell_locked(struct corm_trx *trx, void *arg)
{
    (void)trx, (void)arg;
    return CORM_LOCKED;
}

static void an_answer_that_a_function_passes_on_keeps_its_text(void **state)
{
    (void)state;
    struct corm_error error = {0};
    fails_at(.at = "SELECT", .nth = 0, .code = CORM_LOCK_TIMEOUT, .server_code = 1205);
    assert_int_equal(corm_transact(db, lock_and_tell, NULL, .error = &error), CORM_LOCKED);
    assert_int_equal(error.server_code, 1205);
    struct corm_trx *trx = begin();
    error = (struct corm_error){0};
    assert_int_equal(insert_later(trx), 1);
    assert_int_equal(corm_transact(trx, lock_and_tell, NULL, .error = &error), CORM_LOCKED);
    assert_int_equal(error.server_code, 1205);
    assert_non_null(strstr(error.message, "locked"));
    scripted_clear();
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    error = (struct corm_error){0};
    assert_int_equal(corm_transact(db, tell_locked, NULL, .error = &error), CORM_LOCKED);
    assert_int_equal(error.server_code, 0);
    assert_non_null(strstr(error.message, "the function returned"));
}

static void a_short_wait_of_the_session_is_no_answer(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    trx->mode.lock_wait_s = 1;
    fails_at(.at = "enter(trx)", .nth = 1, .code = CORM_LOCK_TIMEOUT, .server_code = 1205);
    assert_int_equal(lock_one(trx),
                     CORM_LOCK_TIMEOUT); /* there is no transaction that could stay */
    assert_false(trx->waited);
    corm_end(trx);

    scripted_clear();
    trx = begin();
    trx->mode.lock_wait_s = 1;
    fails_at(.at = "UPDATE", .nth = 1, .code = CORM_LOCK_TIMEOUT, .server_code = 1205);
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(write_now(trx), CORM_LOCKED);
    assert_true(trx->waited);
    corm_end(trx);
}

static void a_short_wait_after_which_the_server_rolls_back_ends_the_transaction(void **state)
{
    (void)state;
    fails_at(LOSS("SELECT", 1));
    fails_at(.at = "UPDATE", .nth = 1, .code = CORM_LOCK_TIMEOUT, .server_code = 1205);
    scripted.rollback_on_timeout = true; /* of the connection that comes next */
    struct corm_trx *trx = begin();
    assert_int_equal(read_one(trx), CORM_DISCONNECTED);
    assert_int_equal(corm_rollback(trx), 0);
    assert_int_equal(corm_start(trx), 0);
    trx->mode.lock_wait_s = 1;
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(write_now(trx), CORM_LOCK_TIMEOUT);
    assert_false(trx->waited);
    corm_end(trx);
}

/* ---- The rest of the edges -------------------------------------------------------------------- */

static void rows_without_a_key_are_not_held(void **state)
{
    (void)state;
    struct line      l;
    struct corm_trx *trx = begin();
    assert_int_equal(corm_first(trx, line, &l, .lock = CORM_FOR_UPDATE), 1);
    assert_int_equal(corm_update(trx, line, corm_eq(line.note, 1), corm_add(line.note, 1)), 1);
    assert_log("enter(trx) SELECT UPDATE "); /* at once */
    corm_end(trx);
}

static void a_savepoint_does_not_mend_a_lost_link(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(corm_savepoint(trx), 0);
    fails_at(.at = "UPDATE", .nth = 1, .code = CORM_DUPLICATE, .server_code = 1062, .lost = true);
    assert_int_equal(write_now(trx), CORM_DUPLICATE);
    assert_int_equal(corm_savepoint_rollback(trx), CORM_DUPLICATE);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
}

static void a_nested_function_that_has_no_savepoint_does_not_run(void **state)
{
    (void)state;
    struct work      w = {.what = AT_COMMIT};
    struct corm_trx *trx = begin();
    for (int i = 0; i < CORM_SAVEPOINT_MAX; i++)
        assert_int_equal(corm_savepoint(trx), 0);
    assert_int_equal(corm_transact(trx, work, &w), CORM_MISUSE);
    assert_int_equal(w.runs, 0);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
}

/* Of a text that failed after it ended the transaction, only a server can commit what was before it. */
static void a_text_that_fails_loses_the_transaction_on_a_server_only(void **state)
{
    (void)state;
    bool             file = scripted.dialect == CORM_DIALECT_SQLITE;
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    fails_at(.at = "DROP", .nth = 1, .code = CORM_NO_TABLE, .server_code = 1);
    int code = file ? CORM_NO_TABLE : CORM_TRX_LOST;
    assert_int_equal(corm_sql(trx, NULL, "DROP TABLE nothing"), code);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_commit(trx), code);
    corm_end(trx);
    assert_int_equal(scripted.commits, 0);
}

static void an_array_is_not_sent_after_the_deadline(void **state)
{
    (void)state;
    struct account   rows[] = {{5, 0}, {6, 0}};
    struct corm_trx *trx = begin();
    fails_at(.at = "enter(trx)", .nth = 1, .takes_ms = 31000);
    assert_int_equal(corm_insert_rows(trx, account, 2, rows), CORM_TIMEOUT);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
    assert_null(strstr(scripted.log, "INSERT"));
}

static void a_nested_function_on_what_is_doomed_does_not_run(void **state)
{
    (void)state;
    struct work      w = {.what = AT_COMMIT};
    struct corm_trx *trx = begin();
    fails_at(DEADLOCK("SELECT", 1));
    assert_int_equal(lock_one(trx), CORM_DEADLOCK);
    assert_int_equal(corm_transact(trx, work, &w), CORM_DEADLOCK);
    assert_int_equal(w.runs, 0);
    corm_end(trx);
}

static void what_was_prepared_too_slowly_is_not_sent(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    fails_at(.at = "prepare", .nth = 1, .takes_ms = 31000);
    assert_int_equal(read_one(trx), CORM_TIMEOUT);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
    assert_null(strstr(scripted.log, "SELECT"));
}

/* Without memory to ask which one failed, the worse of the two errors is told. */
static void a_deadlock_is_told_though_nobody_knows_of_which_statement(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(write_held(trx), 1);
    assert_int_equal(insert_later(trx), 1);
    fails_at(DEADLOCK("[UPDATE", 1));
    fails_at(.at = "prepare", .nth = 2, .code = CORM_NO_MEMORY);
    assert_int_equal(corm_commit(trx), CORM_DEADLOCK);
    corm_end(trx);
}

/* An error whose statement nobody knows could be taken for an answer to another one: what the question
 * failed with is told, but where the transaction is gone anyway. */
static void what_a_lost_question_says_is_the_error_in_front_of_a_commit(void **state)
{
    (void)state;
    static const struct {
        int code, server_code, told;
    } cases[] = {{CORM_DUPLICATE, 1062, CORM_NO_MEMORY}, {CORM_DEADLOCK, 1213, CORM_DEADLOCK}};
    for (int i = 0; i < 2; i++) {
        struct corm_trx *trx = begin();
        assert_int_equal(lock_one(trx), 1);
        assert_int_equal(insert_later(trx), 1);
        scripted_clear();
        fails_at(.at = "[INSERT,SELECT]", .nth = 1, .code = cases[i].code,
                 .server_code = cases[i].server_code);
        fails_at(.at = "prepare", .nth = i == 0 ? 2 : 1, .code = CORM_NO_MEMORY);
        assert_int_equal(read_one(trx), cases[i].told);
        assert_state(CORM__TRX_DOOMED);
        assert_log("[INSERT,SELECT]! prepare! ");
        assert_int_equal(corm_commit(trx), cases[i].told);
        corm_end(trx);
    }
}

/* Who gives a transaction back last is served first, and of many only so many are kept. */
static void transactions_are_kept_for_reuse_but_not_all(void **state)
{
    (void)state;
    enum { KEPT = 256 };
    struct corm_trx *all[KEPT + 2];
    for (int i = 0; i < KEPT + 2; i++)
        all[i] = begin();
    assert_int_equal(corm__trx_store_live(db->store), KEPT + 2);
    for (int i = 0; i < KEPT + 2; i++)
        corm_end(all[i]);
    assert_int_equal(corm__trx_store_live(db->store), 0);
    struct corm_trx *trx = begin();
    assert_ptr_equal(trx, all[KEPT - 1]);
    corm_end(trx);
}

/* It has waited for nothing but its connection, and that took too long. */
static void a_single_statement_in_a_file_that_was_opened_too_late_is_not_sent(void **state)
{
    (void)state;
    struct corm_error error = {0};
    fails_at(LOSS("SELECT", 1));
    fails_at(.at = "connect", .nth = 1, .takes_ms = 30000);
    assert_int_equal(corm_count(db, account), CORM_DISCONNECTED);
    assert_int_equal(corm_count(db, account, .error = &error), CORM_TIMEOUT);
    assert_non_null(strstr(error.message, "30000 ms"));
    assert_int_equal(corm_count(db, account), 1);
    assert_log("SELECT! close connect SELECT ");
}

static int refuse_to_leave(struct corm_trx *trx, const struct corm__statement *statement)
{
    (void)statement;
    corm__fail(&trx->error, CORM_CONFLICT, "the function runs again");
    return corm__trx_doom(trx, NULL, 0);
}

/* What a group does not let out is not sent, in whatever way it would have been. */
static void what_a_group_holds_back_is_not_sent(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    trx->leave = refuse_to_leave;
    assert_int_equal(corm__trx_open(trx, NULL, 0), CORM_CONFLICT);
    assert_state(CORM__TRX_DOOMED);
    assert_null(trx->connection);
    corm_end(trx);
    trx = begin();
    trx->leave = refuse_to_leave;
    assert_int_equal(insert_later(trx), CORM_CONFLICT);
    corm_end(trx);
    trx = begin();
    trx->leave = refuse_to_leave;
    assert_int_equal(lock_one(trx), CORM_CONFLICT);
    assert_null(trx->connection);
    corm_end(trx);
    trx = begin();
    trx->leave = refuse_to_leave;
    assert_int_equal(corm_savepoint(trx), CORM_CONFLICT);
    assert_int_equal(trx->depth, 0);
    corm_end(trx);
    assert_log("");
}

/* A database in memory is gone with its link: that is put right, and kept. */
static void a_link_that_holds_the_data_is_rolled_back_and_kept_though_it_is_lost(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(lock_one(trx), 1);
    trx->connection->link->holds_data = true;
    fails_at(LOSS("UPDATE", 1));
    assert_int_equal(write_now(trx), CORM_DISCONNECTED);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(corm_rollback(trx), 0);
    assert_state(CORM__TRX_OVER);
    assert_int_equal(corm_start(trx), 0);
    assert_int_equal(lock_one(trx), 1);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) SELECT UPDATE! ROLLBACK SELECT COMMIT ");
}

static void a_savepoint_that_finds_the_buffer_full_sends_it_first(void **state)
{
    (void)state;
    for (int fails = 0; fails < 2; fails++) {
        struct corm_trx *trx = begin();
        scripted_clear();
        if (fails)
            fails_at(DUPLICATE("[INSERT", 1));
        for (int i = 0; i < CORM__PENDING_MAX - 1; i++)
            assert_int_equal(insert_later(trx), 1);
        assert_log("");
        assert_int_equal(corm_savepoint(trx), fails ? CORM_DUPLICATE : 0);
        assert_state(fails ? CORM__TRX_DOOMED : CORM__TRX_OPEN);
        assert_int_equal(trx->depth, fails ? 0 : 1);
        assert_int_equal(trx->pending_count, fails ? 0 : 1);
        /* What failed is in front of the savepoint, so that it mends nothing. */
        assert_int_equal(corm_savepoint_rollback(trx), fails ? CORM_DUPLICATE : 0);
        corm_end(trx);
    }
}

/* Nothing that it has read can be changed by it, and a server may refuse the part in the transaction. */
static void a_savepoint_of_what_only_reads_takes_no_part(void **state)
{
    (void)state;
    struct corm_trx *trx = NULL;
    assert_int_equal(corm_begin(db, &trx, .read_only = true), 0);
    assert_int_equal(corm_savepoint(trx), 0);
    assert_int_equal(read_one(trx), 1);
    assert_int_equal(corm_savepoint_rollback(trx), 0);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) [SAVEPOINT,SELECT] ROLLBACK_TO COMMIT ");
}

/* A file is told that the old one is not needed; that finds the buffer full, and what is sent fails. */
static void a_savepoint_that_cannot_be_moved_dooms(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(corm_savepoint(trx), 0);
    for (int i = 0; i < CORM__PENDING_MAX - 2; i++)
        assert_int_equal(insert_later(trx), 1);
    fails_at(DUPLICATE("INSERT", 3));
    assert_int_equal(corm__trx_savepoint_move(trx), CORM_DUPLICATE);
    assert_state(CORM__TRX_DOOMED);
    assert_int_equal(trx->depth, 0);
    assert_int_equal(corm_commit(trx), CORM_DUPLICATE);
    corm_end(trx);
    assert_log("enter(trx) SAVEPOINT INSERT INSERT INSERT! ROLLBACK ");
}

static void rows_in_one_statement_that_was_prepared_too_slowly_are_not_sent(void **state)
{
    (void)state;
    struct account   rows[] = {{5, 0}, {6, 0}};
    struct corm_trx *trx = begin();
    fails_at(.at = "prepare", .nth = 1, .takes_ms = 31000);
    assert_int_equal(corm_insert_rows(trx, account, 2, rows), CORM_TIMEOUT);
    assert_state(CORM__TRX_DOOMED);
    corm_end(trx);
    assert_log("enter(trx) prepare ROLLBACK ");
}

/* ---- A db inside a function ---------------------------------------------------------------- */

static struct corm_db *other_db;

static int call_db_inside(struct corm_trx *trx, void *arg)
{
    struct corm_error error = {0};
    struct corm_trx  *inner = NULL;
    struct work       w = {.what = AT_COMMIT};

    (void)trx, (void)arg;
    assert_int_equal(corm_count(db, account, .error = &error), CORM_NESTED);
    assert_int_equal(error.code, CORM_NESTED);
    assert_non_null(error.file);
    assert_non_null(strstr(error.message, "pass the function's trx"));
    assert_int_equal(corm_insert(db, account, corm_set(account.id, 2)), CORM_NESTED);
    assert_int_equal(corm_transact(db, work, &w), CORM_NESTED);
    assert_int_equal(corm_begin(db, &inner), CORM_NESTED);
    assert_null(inner);
    assert_int_equal(corm_create_table(db, account, .error = &error), CORM_NESTED);
    assert_int_equal(corm_connect_all(db, &error), CORM_NESTED);
    assert_int_equal(w.runs, 0);
    return 5;
}

static int call_other_inside(struct corm_trx *trx, void *arg)
{
    struct work w = {.what = AT_COMMIT};

    (void)arg;
    assert_int_equal(corm_transact(trx, work, &w),
                     7); /* nested: on the trx, that is what it is for */
    assert_int_equal(corm_transact(other_db, work, &w), 7);
    return corm_transact(other_db, call_db_inside, NULL); /* still inside the first */
}

static void the_db_of_a_running_function_is_refused_in_it(void **state)
{
    (void)state;
    assert_int_equal(corm_transact(db, call_db_inside, NULL), 5);
    assert_log("");
    assert_int_equal(corm_count(db, account), 1); /* and free again behind it */
}

static void another_db_may_be_used_in_a_function(void **state)
{
    (void)state;
    other_db = db;
    struct corm_db *first = db;
    /* a second handle on the same scripted driver */
    struct corm_db   *second = calloc(1, sizeof(*second));
    struct corm_error error = {0};
    second->arena = corm_arena_new();
    assert_true(corm__nodes_make(&second->nodes, 1));
    second->store = corm__trx_store_new(&second->nodes);
    second->nodes.all->endpoint.driver = first->nodes.all->endpoint.driver;
    second->nodes.all->timeout_ms = 30000;
    assert_int_equal(corm__nodes_open(&second->nodes, 1, &error), 0);
    other_db = second;
    assert_int_equal(corm_transact(first, call_other_inside, NULL), 5);
    corm_close(second);
}

/* ---- Random walks ------------------------------------------------------------------------- */

static uint64_t seed;

static unsigned chance(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % n);
}

/* What must hold whatever was done: trx.c, at its top. */
static void check_invariants(const struct corm_trx *trx)
{
    if (trx->state == CORM__TRX_DOOMED)
        assert_int_not_equal(trx->error.code, 0);
    if (trx->state == CORM__TRX_READY || trx->state == CORM__TRX_OPEN)
        assert_int_equal(trx->error.code, 0);
    if (trx->state == CORM__TRX_READY || trx->state == CORM__TRX_OVER)
        assert_null(trx->connection);
    if (trx->state == CORM__TRX_OPEN)
        assert_true(trx->connection != NULL && !trx->connection->link->lost);
    assert_in_range(trx->depth, 0, CORM_SAVEPOINT_MAX);
    assert_in_range(trx->pending_count, 0, CORM__PENDING_MAX);
    assert_true(trx->doomed_depth <= CORM_SAVEPOINT_MAX);
    assert_int_equal(scripted.used_after_loss, 0);
}

static int nested_steps(struct corm_trx *trx, void *arg);

/* One call; what it returns is what the state allows. */
static void step(struct corm_trx *trx, int depth)
{
    enum corm__trx_state before = trx->state;
    int                  error = trx->error.code, commits = scripted.commits, rc = 0;

    switch (chance(depth > 0 ? 9 : 13)) {
    case 0: rc = read_one(trx); break;
    case 1: rc = lock_one(trx); break;
    case 2: rc = write_held(trx); break;
    case 3: rc = write_now(trx); break;
    case 4: rc = insert_later(trx); break;
    case 5: rc = corm_savepoint(trx); break;
    case 6: rc = corm_savepoint_release(trx); break;
    case 7: rc = corm_savepoint_rollback(trx); break;
    case 8: rc = depth < 3 ? corm_transact(trx, nested_steps, &depth) : 0; break;
    case 9: rc = corm_commit(trx); break;
    case 10: rc = corm_rollback(trx); break;
    case 11: rc = trx->state == CORM__TRX_OVER ? corm_start(trx) : 0; break;
    default: rc = corm_abort(trx, REFUSED, "no");
    }
    check_invariants(trx);
    if (before == CORM__TRX_DOOMED && trx->state == CORM__TRX_DOOMED && trx->error.code != error)
        assert_string_equal(scripted.log + scripted.log_size - strlen("ROLLBACK_TO! "),
                            "ROLLBACK_TO! "); /* nothing else may fail anew */
    if (scripted.commits > commits) /* a COMMIT that the server did was told so, or as unknown */
        assert_true(rc == 0 || rc == CORM_UNKNOWN);
    if (before == CORM__TRX_DOOMED)
        assert_int_equal(scripted.commits, commits);
}

static int nested_steps(struct corm_trx *trx, void *arg)
{
    int depth = *(int *)arg + 1;

    for (unsigned n = chance(5); n > 0; n--)
        step(trx, depth);
    return chance(3) == 0 ? corm_abort(trx, REFUSED, "no") : 0;
}

static void walk(uint64_t with, enum corm_dialect dialect, int faults_in_256)
{
    static const int codes[] = {CORM_DEADLOCK,     CORM_DUPLICATE,    CORM_DISCONNECTED,
                                CORM_LOCK_TIMEOUT, CORM_SERVER_ERROR, CORM_CONFLICT,
                                CORM_INTERRUPTED,  CORM_NOT_READY};

    seed = with;
    db = scripted_open(1, dialect);
    memcpy(scripted.random_codes, codes, sizeof(codes));
    scripted.random_count = (int)(sizeof(codes) / sizeof(codes[0]));
    scripted.random_in_256 = faults_in_256;
    scripted.random = with;
    struct corm_trx *trx = begin();
    for (int i = 0; i < 60; i++)
        step(trx, 0);
    corm_end(trx);
    assert_int_equal(scripted.used_after_loss, 0);
    scripted_close(db);
}

static void random_walks_keep_the_invariants(void **state)
{
    (void)state;
    for (uint64_t s = 1; s <= 3000; s++) {
        seed = s;
        print_message(s == 1 ? "# seeds 1 to 3000, each on three dialects\n" : "");
        walk(s * 0x9E3779B97F4A7C15u, CORM_DIALECT_MARIADB, (int)(s % 64));
        walk(s * 0x9E3779B97F4A7C15u, CORM_DIALECT_MYSQL, (int)(s % 64));
        walk(s * 0x9E3779B97F4A7C15u, CORM_DIALECT_SQLITE, (int)(s % 64));
    }
}

/* ---- The list ------------------------------------------------------------------------------- */

#define MARIA(test)   cmocka_unit_test_setup_teardown(test, open_maria, close_db)
#define MYSQL_(test)  cmocka_unit_test_setup_teardown(test, open_mysql, close_db)
#define SQLITE_(test) cmocka_unit_test_setup_teardown(test, open_file, close_db)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MARIA(from_ready_to_over_without_a_trip),
        MARIA(what_is_over_says_so),
        MARIA(from_ready_to_open_by_the_first_statement),
        MARIA(from_ready_through_open_by_a_commit_of_writes),
        MARIA(from_open_to_over_by_a_rollback),
        MARIA(from_ready_to_doomed_when_no_connection_comes),
        MARIA(from_ready_to_doomed_when_connecting_fails),
        MARIA(from_ready_to_doomed_when_the_session_cannot_be_set_up),
        MARIA(from_ready_to_doomed_by_a_call_that_is_wrong),
        MARIA(from_ready_to_doomed_by_a_commit_that_cannot_begin),
        MARIA(from_open_to_doomed_by_a_statement),
        MARIA(from_open_to_doomed_by_the_deadline),
        MARIA(a_commit_is_not_sent_after_the_deadline),
        MYSQL_(a_commit_is_not_sent_behind_a_write_that_was_late),
        MARIA(a_commit_that_is_answered_late_is_a_commit),
        MARIA(from_open_to_doomed_by_a_transaction_that_was_lost),
        MARIA(from_open_to_doomed_by_autocommit),
        MARIA(from_open_to_doomed_by_a_flush),
        MARIA(from_open_to_doomed_by_a_buffer_that_is_full),
        MARIA(a_full_buffer_without_a_connection_dooms),
        MARIA(a_full_buffer_is_sent),
        MARIA(from_doomed_to_over_without_a_rollback_on_a_lost_link),
        MARIA(a_rollback_that_fails_costs_the_connection),
        MARIA(from_doomed_to_open_by_a_savepoint),
        MARIA(from_doomed_to_ready_by_a_savepoint_that_was_not_sent),
        MARIA(a_doom_in_front_of_a_savepoint_stays),
        MARIA(a_deadlock_is_not_mended_by_a_savepoint),
        MARIA(a_rollback_to_a_savepoint_that_fails_dooms_for_good),
        MARIA(a_release_that_fails_dooms),
        MARIA(a_release_without_a_connection_dooms),
        MARIA(savepoints_that_are_not_there_doom),
        MARIA(a_locked_row_is_an_answer_and_the_transaction_stays_open),
        MARIA(a_locked_row_dooms_where_the_server_rolls_back),
        SQLITE_(a_locked_file_is_an_answer_and_the_transaction_stays_ready),
        MARIA(wrong_calls_in_an_open_transaction_doom_it),
        MARIA(a_commit_that_nobody_answers_is_unknown),
        MARIA(a_commit_that_was_never_sent_is_known),
        MARIA(a_lost_commit_of_reads_is_known),
        MYSQL_(a_loss_in_front_of_commit_is_known),
        MYSQL_(a_loss_in_commit_is_unknown_without_compounds_too),
        MARIA(a_single_write_that_nobody_answers_is_unknown),
        MARIA(a_single_write_that_was_never_sent_is_known),
        MARIA(a_single_read_that_nobody_answers_is_known),
        MARIA(a_commit_after_which_we_fail_is_unknown),
        cmocka_unit_test(every_cell_of_corms_own_codes_is_kept),
        cmocka_unit_test(every_cell_of_the_servers_codes_is_kept),
        cmocka_unit_test(every_code_has_its_verdicts),
        cmocka_unit_test(the_verdict_goes_by_corms_code_where_that_is_another),
        MARIA(a_stale_statement_is_prepared_again_once),
        MARIA(a_stale_compound_runs_the_function_again),
        cmocka_unit_test(what_may_have_committed_is_never_run_again),
        MARIA(a_function_runs_again_until_the_deadline),
        MARIA(an_answer_of_a_closed_call_is_no_error_of_the_transaction),
        MARIA(the_db_of_a_running_function_is_refused_in_it),
        MARIA(another_db_may_be_used_in_a_function),
        SQLITE_(a_file_is_waited_for_until_the_deadline_at_most),
        SQLITE_(a_file_that_this_thread_has_locked_is_locked),
        SQLITE_(what_is_no_lock_is_no_answer),
        MARIA(what_is_no_lock_is_no_answer),
        MARIA(a_server_that_is_late_is_no_answer),
        MARIA(the_limit_of_a_statement_is_an_answer),
        MYSQL_(a_servers_own_code_of_a_lock_is_an_answer),
        MARIA(an_answer_that_a_function_passes_on_keeps_its_text),
        MARIA(rows_without_a_key_are_not_held),
        MARIA(a_savepoint_does_not_mend_a_lost_link),
        MARIA(a_nested_function_that_has_no_savepoint_does_not_run),
        MARIA(a_text_that_fails_loses_the_transaction_on_a_server_only),
        SQLITE_(a_text_that_fails_loses_the_transaction_on_a_server_only),
        MARIA(what_was_prepared_too_slowly_is_not_sent),
        MARIA(a_short_wait_of_the_session_is_no_answer),
        MARIA(a_short_wait_after_which_the_server_rolls_back_ends_the_transaction),
        MARIA(an_array_is_not_sent_after_the_deadline),
        MARIA(a_nested_function_on_what_is_doomed_does_not_run),
        MARIA(a_deadlock_is_told_though_nobody_knows_of_which_statement),
        MARIA(what_a_lost_question_says_is_the_error_in_front_of_a_commit),
        MARIA(transactions_are_kept_for_reuse_but_not_all),
        SQLITE_(a_single_statement_in_a_file_that_was_opened_too_late_is_not_sent),
        MARIA(what_a_group_holds_back_is_not_sent),
        SQLITE_(a_link_that_holds_the_data_is_rolled_back_and_kept_though_it_is_lost),
        MARIA(a_savepoint_that_finds_the_buffer_full_sends_it_first),
        MARIA(a_savepoint_of_what_only_reads_takes_no_part),
        SQLITE_(a_savepoint_that_cannot_be_moved_dooms),
        MYSQL_(rows_in_one_statement_that_was_prepared_too_slowly_are_not_sent),
        cmocka_unit_test(random_walks_keep_the_invariants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
