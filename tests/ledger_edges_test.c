/* ledger_edges_test.c -- the states of a slot, edge by edge, as ledger.c draws them, before a driver that does
 * what a script says (scripted.h). No server, no clock. */
#include "scripted.h"

#include <corm/corm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define ACCOUNT(X)                                                                                 \
    X(id, int, .pk = 1)                                                                            \
    X(amount, int)
CORM_MODEL(account, ACCOUNT);
CORM_DEFINE(account, ACCOUNT);

static struct corm_db *db;

static void open_with_ledger(enum corm_dialect dialect)
{
    db = scripted_open(1, dialect);
    scripted.has_ledger = true; /* of the links to come, and of the one that is there */
    atomic_store(&db->node.watch.has_ledger, true);
}

static int open_maria(void **state)
{
    (void)state;
    open_with_ledger(CORM_DIALECT_MARIADB);
    return 0;
}

static int open_mysql(void **state)
{
    (void)state;
    open_with_ledger(CORM_DIALECT_MYSQL);
    return 0;
}

static int open_file(void **state)
{
    (void)state;
    open_with_ledger(CORM_DIALECT_SQLITE);
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

#define assert_log(text) assert_string_equal(scripted.log, text)
#define fails_at(...)    scripted_plan((struct scripted_fault){__VA_ARGS__})
#define LOSS(where, n)                                                                             \
    .at = (where), .nth = (n), .code = CORM_DISCONNECTED, .server_code = 2013, .lost = true

static int runs;

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

static int transact(struct corm_error *error)
{
    runs = 0;
    *error = (struct corm_error){0};
    return corm_transact(db, work, NULL, .error = error);
}

/* After one commit there is a slot, and nobody looks for old rows any more. */
static struct corm__slot own_slot(struct corm_error *error)
{
    struct corm_trx  *trx;
    struct corm__slot slot = {0};

    assert_int_equal(transact(error), 1);
    assert_int_equal(corm_begin(db, &trx, .isolation = CORM_SERIALIZABLE), 0);
    assert_int_equal(work(trx, NULL), 1);
    slot = trx->connection->slot;
    trx->connection->link->session.id = 1; /* it was opened before there was a ledger */
    corm_end(trx);
    assert_true(slot.number > 0);
    scripted_clear();
    return slot;
}

static struct corm__slot slot_now(void)
{
    struct corm_trx  *trx;
    struct corm__slot slot = {0};

    assert_int_equal(corm_begin(db, &trx, .isolation = CORM_SERIALIZABLE), 0);
    assert_int_equal(work(trx, NULL), 1);
    slot = trx->connection->slot;
    corm_end(trx);
    return slot;
}

/* ---- Entering --------------------------------------------------------------------- */

static void a_first_commit_claims_a_slot_and_the_next_ones_count_it_up(void **state)
{
    (void)state;
    struct corm_error error;
    struct corm__slot slot = own_slot(&error);
    assert_int_equal(slot.sequence, 1);
    assert_int_equal(transact(&error), 1);
    assert_log("SELECT [UPDATE,INSERT,COMMIT] ");
    assert_int_equal(scripted.entered, 2);
    struct corm__slot later = slot_now();
    assert_int_equal(later.number, slot.number);
    assert_int_equal(later.epoch, slot.epoch);
    assert_int_equal(later.sequence, 2);
}

static void what_was_lost_in_front_of_commit_leaves_the_slot_alone(void **state)
{
    (void)state;
    struct corm_error error;
    struct corm__slot slot = own_slot(&error);
    fails_at(.at = "[UPDATE", .nth = 1, .code = CORM_DEADLOCK, .server_code = 1213);
    assert_int_equal(transact(&error), 1);
    assert_int_equal(runs, 2);
    assert_int_equal(slot_now().number, slot.number);
    scripted_clear();
    fails_at(LOSS("[UPDATE", 1),
             .unsent = true); /* its session may still hold the row of the slot */
    assert_int_equal(transact(&error), 1);
    assert_int_equal(runs, 2);
    assert_int_not_equal(slot_now().number, slot.number);
    assert_non_null(
        strstr(scripted.log, "[UPDATE,INSERT,COMMIT]! close connect kill enter(trx) SELECT "));
}

static void a_refused_entry_takes_another_slot(void **state)
{
    (void)state;
    struct corm_error error;
    struct corm__slot slot = own_slot(&error);
    fails_at(.at = "[UPDATE", .nth = 1, .code = CORM_OUT_OF_RANGE, .server_code = 1690,
             .failed = 1);
    assert_int_equal(transact(&error), 1);
    assert_int_equal(runs, 2);
    assert_int_not_equal(slot_now().number, slot.number);
    /* The same error of the user's own statement is the user's. */
    scripted_clear();
    fails_at(.at = "[UPDATE", .nth = 1, .code = CORM_OUT_OF_RANGE, .server_code = 1690,
             .failed = 0);
    assert_int_equal(transact(&error), CORM_OUT_OF_RANGE);
    assert_int_equal(runs, 1);
}

static void a_table_that_is_gone_is_done_without(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    fails_at(.at = "[UPDATE", .nth = 1, .code = CORM_NO_TABLE, .server_code = 1146, .failed = 1);
    assert_int_equal(transact(&error), 1);
    assert_int_equal(runs, 2);
    assert_log("SELECT [UPDATE,INSERT,COMMIT]! ROLLBACK SELECT [UPDATE,COMMIT] ");
}

static void what_does_not_write_is_not_entered(void **state)
{
    (void)state;
    struct corm_error error;
    struct corm_trx  *trx;
    struct account    a;
    (void)own_slot(&error);
    assert_int_equal(corm_begin(db, &trx), 0);
    assert_int_equal(corm_first(trx, account, &a, .lock = CORM_FOR_UPDATE), 1);
    assert_int_equal(corm_commit(trx), 0);
    assert_int_equal(corm_start(trx), 0);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) SELECT COMMIT ");
}

static void a_write_on_a_db_is_a_transaction(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    assert_int_equal(corm_insert_row(db, account, &((struct account){2, 2})), 1);
    assert_int_equal(corm_update(db, account, corm_eq(account.id, 1), corm_add(account.amount, 1)),
                     1);
    assert_log("enter(trx) [INSERT,INSERT,COMMIT] UPDATE [INSERT,COMMIT] ");
    scripted_clear();
    scripted.done = true;
    fails_at(LOSS("[INSERT", 1));
    assert_int_equal(corm_insert_row(db, account, &((struct account){3, 2})), 1);
    assert_log("[INSERT,INSERT,COMMIT]! connect close kill START INSERT SELECT COMMIT ");
    scripted_clear();
    scripted.done = false;
    fails_at(LOSS("[INSERT", 1));
    assert_int_equal(corm_delete(db, account, corm_eq(account.id, 1)), CORM_DISCONNECTED);
}

/* ---- In doubt ------------------------------------------------------------------------ */

static void a_doubt_that_is_answered_with_done_is_success(void **state)
{
    (void)state;
    struct corm_error error;
    struct corm__slot slot = own_slot(&error);
    scripted.done = true;
    fails_at(LOSS("[UPDATE", 1));
    assert_int_equal(transact(&error), 1);
    assert_int_equal(runs, 1);
    assert_int_equal(error.code, 0);
    assert_log("SELECT [UPDATE,INSERT,COMMIT]! connect close kill START INSERT SELECT COMMIT ");
    assert_int_not_equal(slot_now().number, slot.number); /* never again */
}

static void a_doubt_that_is_answered_with_never_runs_again(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    fails_at(LOSS("[UPDATE", 1));
    assert_int_equal(transact(&error), 1);
    assert_int_equal(runs, 2);
    assert_log("SELECT [UPDATE,INSERT,COMMIT]! connect close kill START INSERT SELECT COMMIT "
               "enter(trx) SELECT [UPDATE,INSERT,COMMIT] ");
}

/* The long form is told what was lost. */
static void a_doubt_of_the_long_form_is_told(void **state)
{
    (void)state;
    struct corm_error error;
    struct corm_trx  *trx;
    (void)own_slot(&error);
    for (int done = 0; done < 2; done++) {
        scripted.done = done;
        scripted_clear();
        fails_at(LOSS("[UPDATE", 1));
        assert_int_equal(corm_begin(db, &trx, .error = &error), 0);
        assert_int_equal(work(trx, NULL), 1);
        assert_int_equal(corm_commit(trx), done ? 0 : CORM_DISCONNECTED);
        assert_int_equal(trx->state, CORM__TRX_OVER);
        if (!done)
            assert_non_null(strstr(error.message, "did not happen"));
        corm_end(trx);
    }
}

static void a_resolver_that_loses_its_commit_begins_again(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    scripted.done = true;
    fails_at(LOSS("[UPDATE", 1));
    fails_at(LOSS("COMMIT", 2));
    assert_int_equal(transact(&error), 1);
    assert_int_equal(runs, 1);
    assert_log("SELECT [UPDATE,INSERT,COMMIT]! connect close kill START INSERT SELECT COMMIT! "
               "connect close kill START INSERT SELECT COMMIT ");
}

/* What it has read before its COMMIT failed does not count, and is not left open. */
static void a_resolver_whose_commit_is_refused_begins_again(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    scripted.done = true;
    fails_at(LOSS("[UPDATE", 1));
    fails_at(.at = "COMMIT", .nth = 2, .code = CORM_DEADLOCK, .server_code = 1213);
    assert_int_equal(transact(&error), 1);
    assert_log("SELECT [UPDATE,INSERT,COMMIT]! connect close kill START INSERT SELECT COMMIT! "
               "ROLLBACK kill START INSERT SELECT COMMIT ");
}

static void a_session_that_cannot_be_ended_is_waited_for(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    scripted.done = true;
    fails_at(LOSS("[UPDATE", 1));
    fails_at(.at = "kill", .nth = 1, .code = CORM_DENIED, .server_code = 1095);
    assert_int_equal(transact(&error), 1);
    assert_log("SELECT [UPDATE,INSERT,COMMIT]! connect close kill! START INSERT SELECT COMMIT ");
}

static void nobody_answers_and_it_is_unknown_until_asked_again(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    fails_at(LOSS("[UPDATE", 1));
    fails_at(.at = "connect", .code = CORM_UNREACHABLE, .server_code = 2003);
    int64_t began = scripted.now;
    assert_int_equal(transact(&error), CORM_UNKNOWN);
    assert_int_equal(runs, 1);
    assert_true(scripted.now - began >=
                (int64_t)30000 * 1000000); /* its deadline is later than 1 s */
    uint64_t outcome = error.outcome;
    assert_int_equal(outcome, 1);
    assert_int_equal(corm_outcome(db, outcome, 100, &error), CORM_UNKNOWN);
    scripted_clear();
    scripted.done = true;
    assert_int_equal(corm_outcome(db, outcome, 100, &error), 1);
    assert_log("connect kill START INSERT SELECT COMMIT ");
    scripted_clear();
    scripted.done = false; /* it stays true */
    assert_int_equal(corm_outcome(db, outcome, 100, NULL), 1);
    assert_log("");
}

static void a_doubt_is_asked_for_resolve_ms_where_the_deadline_has_passed(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    fails_at(.at = "[UPDATE", .nth = 1, .code = CORM_DEADLINE, .lost = true, .takes_ms = 30500);
    fails_at(.at = "connect", .code = CORM_UNREACHABLE, .server_code = 2003);
    int64_t began = scripted.now;
    assert_int_equal(transact(&error), CORM_UNKNOWN);
    assert_int_equal((scripted.now - began) / 1000000, 31500);
}

/* Told late that it did not happen: there is no time to run again. */
static void never_behind_the_deadline_is_the_deadline(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    fails_at(.at = "[UPDATE", .nth = 1, .code = CORM_DEADLINE, .lost = true, .takes_ms = 30500);
    assert_int_equal(transact(&error), CORM_DEADLINE);
    assert_int_equal(runs, 1);
    assert_non_null(strstr(error.message, "did not happen"));
}

static void outcomes_are_forgotten_when_they_are_old_or_too_many(void **state)
{
    (void)state;
    struct corm__ledger *ledger = corm__ledger_of(db->store);
    struct corm__doubt   doubt = {.slot = {1, 1, 1}};
    assert_int_equal(corm__ledger_keep(ledger, &doubt), 1);
    for (int i = 0; i < 1023; i++)
        (void)corm__ledger_keep(ledger, &doubt);
    assert_int_equal(corm_outcome(db, 1, 100, NULL), 0);
    assert_int_equal(corm__ledger_keep(ledger, &doubt), 1025);
    assert_int_equal(corm_outcome(db, 1, 100, NULL), CORM_NO_TICKET);
    assert_int_equal(corm_outcome(db, 2, 100, NULL), 0);
    assert_int_equal(corm_outcome(db, 1026, 100, NULL), CORM_NO_TICKET);
    scripted.now += (int64_t)4 * 86400 * 1000000000;
    assert_int_equal(corm_outcome(db, 3, 100, NULL), CORM_NO_TICKET);
}

/* ---- Without compounds ------------------------------------------------------------------ */

static void a_loss_at_the_entry_is_known_where_it_travels_alone(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    fails_at(LOSS("INSERT", 1));
    assert_int_equal(transact(&error), 1);
    assert_int_equal(runs, 2);
    assert_log("SELECT UPDATE INSERT! close connect kill enter(trx) SELECT UPDATE INSERT COMMIT ");
}

static void a_loss_at_commit_is_resolved_without_compounds_too(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    scripted.done = true;
    fails_at(LOSS("COMMIT", 1));
    assert_int_equal(transact(&error), 1);
    assert_log("SELECT UPDATE INSERT COMMIT! connect close kill START INSERT SELECT COMMIT ");
}

static void a_file_needs_no_ledger(void **state)
{
    (void)state;
    struct corm_error error;
    assert_int_equal(transact(&error), 1);
    assert_log("enter(trx) SELECT UPDATE COMMIT ");
    assert_int_equal(corm_setup(db, &error), 0);
}

#define MARIA(test)   cmocka_unit_test_setup_teardown(test, open_maria, close_db)
#define MYSQL_(test)  cmocka_unit_test_setup_teardown(test, open_mysql, close_db)
#define SQLITE_(test) cmocka_unit_test_setup_teardown(test, open_file, close_db)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MARIA(a_first_commit_claims_a_slot_and_the_next_ones_count_it_up),
        MARIA(what_was_lost_in_front_of_commit_leaves_the_slot_alone),
        MARIA(a_refused_entry_takes_another_slot),
        MARIA(a_table_that_is_gone_is_done_without),
        MARIA(what_does_not_write_is_not_entered),
        MARIA(a_write_on_a_db_is_a_transaction),
        MARIA(a_doubt_that_is_answered_with_done_is_success),
        MARIA(a_doubt_that_is_answered_with_never_runs_again),
        MARIA(a_doubt_of_the_long_form_is_told),
        MARIA(a_resolver_that_loses_its_commit_begins_again),
        MARIA(a_resolver_whose_commit_is_refused_begins_again),
        MARIA(a_session_that_cannot_be_ended_is_waited_for),
        MARIA(nobody_answers_and_it_is_unknown_until_asked_again),
        MARIA(a_doubt_is_asked_for_resolve_ms_where_the_deadline_has_passed),
        MARIA(never_behind_the_deadline_is_the_deadline),
        MARIA(outcomes_are_forgotten_when_they_are_old_or_too_many),
        MYSQL_(a_loss_at_the_entry_is_known_where_it_travels_alone),
        MYSQL_(a_loss_at_commit_is_resolved_without_compounds_too),
        SQLITE_(a_file_needs_no_ledger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
