/* ledger_edges_test.c -- the states of a slot, edge by edge, as ledger.c draws them, before a driver that does
 * what a script says (scripted.h). No server, no clock; and no random numbers where the test says so. */
#include "scripted.h"

#include <corm/corm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define ACCOUNT(X)                                                                                 \
    X(id, int, .pk = 1)                                                                            \
    X(amount, int)
CORM_MODEL(account, ACCOUNT);
CORM_DEFINE(account, ACCOUNT);

#define SALE(X)                                                                                    \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(amount, int)
CORM_MODEL(sale, SALE);
CORM_DEFINE(sale, SALE);

static struct corm_db *db;

static bool has_no_random;

int real_getentropy(void *buffer, size_t size) __asm__("__real_getentropy");
int scarce_getentropy(void *buffer, size_t size) __asm__("__wrap_getentropy");

int scarce_getentropy(void *buffer, size_t size)
{
    return has_no_random ? -1 : real_getentropy(buffer, size);
}

static void open_with_ledger(enum corm_dialect dialect)
{
    db = scripted_open(1, dialect);
    scripted.has_ledger = true; /* of the links to come, and of the one that is there */
    atomic_store(&db->nodes.watch.has_ledger, true);
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

/* What is counted of answers that were lost. */
static void assert_answers(uint64_t unknown, uint64_t done, uint64_t undone)
{
    const struct corm__watch *watch = &db->nodes.watch;

    assert_int_equal(atomic_load(&watch->unknown), unknown);
    assert_int_equal(atomic_load(&watch->resolved_done), done);
    assert_int_equal(atomic_load(&watch->resolved_undone), undone);
}

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

/* Gone, or another one, or not for us. */
static void a_table_that_takes_no_entries_is_done_without(void **state)
{
    (void)state;
    static const struct {
        int code, server_code;
    } reasons[] = {{CORM_NO_TABLE, 1146}, {CORM_NO_COLUMN, 1054}, {CORM_DENIED, 1142}};
    struct corm_error error;
    for (int i = 0; i < 3; i++) {
        atomic_store(&db->nodes.watch.has_ledger, true);
        (void)own_slot(&error);
        fails_at(.at = "[UPDATE", .nth = 1, .code = reasons[i].code,
                 .server_code = reasons[i].server_code, .failed = 1);
        assert_int_equal(transact(&error), 1);
        assert_int_equal(runs, 2);
        assert_log("SELECT [UPDATE,INSERT,COMMIT]! ROLLBACK SELECT [UPDATE,COMMIT] ");
        assert_false(atomic_load(&db->nodes.watch.has_ledger));
    }
    /* The same error of the user's own statement is the user's. */
    atomic_store(&db->nodes.watch.has_ledger, true);
    (void)own_slot(&error);
    fails_at(.at = "[UPDATE", .nth = 1, .code = CORM_DENIED, .server_code = 1142, .failed = 0);
    assert_int_equal(transact(&error), CORM_DENIED);
    assert_int_equal(runs, 1);
    assert_true(atomic_load(&db->nodes.watch.has_ledger));
}

/* A number that somebody else may have is not taken. */
static void without_random_numbers_nothing_is_committed(void **state)
{
    (void)state;
    struct corm_error error;
    has_no_random = true;
    assert_int_equal(transact(&error), CORM_NO_MEMORY);
    has_no_random = false;
    assert_int_equal(runs, 1);
    assert_non_null(strstr(error.message, "random numbers"));
    assert_log("enter(trx) SELECT ROLLBACK ");
    assert_int_equal(scripted.commits, 0);
    scripted_clear();
    assert_int_equal(transact(&error), 1);
    assert_int_equal(scripted.entered, 1);
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
    assert_answers(0, 1, 0);
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
    assert_answers(0, 0, 1);
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

/* What it has read before its COMMIT failed does not count, and nothing is left open. */
static void a_resolver_that_is_refused_begins_again(void **state)
{
    (void)state;
    static const struct {
        const char *at;
        int         nth;
        const char *log;
    } steps[] = {
        {"START", 1, "START! "},
        {"INSERT", 2, "START INSERT! "},
        {"SELECT", 2, "START INSERT SELECT! "},
        {"COMMIT", 2, "START INSERT SELECT COMMIT! "},
    };
    struct corm_error error;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        char log[256];
        (void)own_slot(&error);
        scripted.done = true;
        fails_at(LOSS("[UPDATE", 1));
        fails_at(.at = steps[i].at, .nth = steps[i].nth, .code = CORM_DEADLOCK,
                 .server_code = 1213);
        assert_int_equal(transact(&error), 1);
        assert_int_equal(runs, 1);
        (void)snprintf(log, sizeof(log),
                       "SELECT [UPDATE,INSERT,COMMIT]! connect close kill %s"
                       "ROLLBACK kill START INSERT SELECT COMMIT ",
                       steps[i].log);
        assert_log(log);
    }
}

/* Nobody knows what its session is in then. */
static void a_resolver_that_cannot_roll_back_takes_a_new_link(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    scripted.done = true;
    fails_at(LOSS("[UPDATE", 1));
    fails_at(.at = "SELECT", .nth = 2, .code = CORM_LOCK_TIMEOUT, .server_code = 1205);
    fails_at(.at = "ROLLBACK", .nth = 1, .code = CORM_SERVER_ERROR, .server_code = 1105);
    assert_int_equal(transact(&error), 1);
    assert_int_equal(runs, 1);
    assert_log("SELECT [UPDATE,INSERT,COMMIT]! connect close kill START INSERT SELECT! ROLLBACK! "
               "connect close kill START INSERT SELECT COMMIT ");
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
    assert_answers(1, 0, 0);
    assert_int_equal(corm_outcome(db, outcome, 100, &error), CORM_UNKNOWN);
    assert_answers(1, 0, 0); /* it was told as unknown once */
    scripted_clear();
    scripted.done = true;
    assert_int_equal(corm_outcome(db, outcome, 100, &error), 1);
    assert_log("connect kill START INSERT SELECT COMMIT ");
    scripted_clear();
    scripted.done = false; /* it stays true */
    assert_int_equal(corm_outcome(db, outcome, 100, NULL), 1);
    assert_log("");
    assert_answers(1, 1, 0);
}

static void an_outcome_is_asked_until_the_server_takes_connections_again(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    fails_at(LOSS("[UPDATE", 1));
    fails_at(.at = "connect", .code = CORM_UNREACHABLE, .server_code = 2003);
    assert_int_equal(transact(&error), CORM_UNKNOWN);
    scripted_clear();
    scripted.done = true;
    int64_t  began = scripted.now;
    uint64_t outcome = error.outcome;
    fails_at(.at = "connect", .nth = 1, .code = CORM_UNREACHABLE, .server_code = 2003);
    fails_at(.at = "connect", .nth = 2, .code = CORM_UNREACHABLE, .server_code = 2003);
    error = (struct corm_error){0};
    assert_int_equal(corm_outcome(db, outcome, 10000, &error), 1);
    assert_int_equal(error.code, 0);
    assert_true(scripted.now > began && scripted.now - began < (int64_t)10000 * 1000000);
    assert_log("connect! connect! connect kill START INSERT SELECT COMMIT ");
}

static void who_is_not_let_in_is_told_at_once(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    fails_at(LOSS("[UPDATE", 1));
    fails_at(.at = "connect", .code = CORM_UNREACHABLE, .server_code = 2003);
    assert_int_equal(transact(&error), CORM_UNKNOWN);
    scripted_clear();
    int64_t began = scripted.now;
    fails_at(.at = "connect", .code = CORM_DENIED, .server_code = 1045);
    assert_int_equal(corm_outcome(db, error.outcome, 10000, &error), CORM_UNKNOWN);
    assert_int_equal(error.server_code, 1045);
    assert_int_equal(scripted.now, began);
    assert_log("connect! ");
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
    assert_int_equal(corm__ledger_keep(ledger, db->nodes.all, &doubt), 1);
    for (int i = 0; i < 1023; i++)
        (void)corm__ledger_keep(ledger, db->nodes.all, &doubt);
    assert_int_equal(corm_outcome(db, 1, 100, NULL), 0);
    assert_int_equal(corm__ledger_keep(ledger, db->nodes.all, &doubt), 1025);
    assert_int_equal(corm_outcome(db, 1, 100, NULL), CORM_NO_TICKET);
    assert_int_equal(corm_outcome(db, 2, 100, NULL), 0);
    assert_int_equal(corm_outcome(db, 1026, 100, NULL), CORM_NO_TICKET);
    scripted.now += (int64_t)4 * 86400 * 1000000000;
    assert_int_equal(corm_outcome(db, 3, 100, NULL), CORM_NO_TICKET);
}

/* A commit by nobody, which the server has. */
static uint64_t keep_doubt(void)
{
    struct corm__doubt doubt = {.slot = {.number = 1, .epoch = 1, .sequence = scripted.entered}};

    scripted.done = true;
    return corm__ledger_keep(corm__ledger_of(db->store), db->nodes.all, &doubt);
}

static void an_outcome_is_asked_on_a_new_link_where_the_old_one_is_lost(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    uint64_t outcome = keep_doubt();
    fails_at(LOSS("enter()", 1));
    error = (struct corm_error){0};
    assert_int_equal(corm_outcome(db, outcome, 100, &error), 1);
    assert_int_equal(error.code, 0);
    assert_log("enter()! connect close kill START INSERT SELECT COMMIT ");
}

/* It would wait for itself: that is no answer to the question, and says what to do. */
static void an_outcome_is_not_asked_by_who_holds_the_only_connection(void **state)
{
    (void)state;
    struct corm_error error;
    struct corm_trx  *trx;
    (void)own_slot(&error);
    uint64_t outcome = keep_doubt();
    assert_int_equal(corm_begin(db, &trx), 0);
    assert_int_equal(work(trx, NULL), 1);
    scripted_clear();
    assert_int_equal(corm_outcome(db, outcome, 100, &error), CORM_WOULD_BLOCK);
    assert_int_equal(error.code, CORM_WOULD_BLOCK);
    assert_true(error.outcome == outcome);
    assert_log("");
    corm_end(trx);
    assert_int_equal(corm_outcome(db, outcome, 100, &error), 1);
}

enum { DOUBTS_KEPT = 1024 };

static void keep_many_doubts(const struct corm_event *event, void *arg)
{
    (void)arg;
    if (strcmp(event->text, "COMMIT") != 0)
        return;
    for (int i = 0; i < DOUBTS_KEPT; i++)
        (void)keep_doubt();
}

/* What is answered meanwhile is no answer for the doubt that has taken its place. */
static void an_answer_is_not_kept_for_another_doubt(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    uint64_t outcome = keep_doubt();
    db->nodes.watch.on_statement = keep_many_doubts;
    assert_int_equal(corm_outcome(db, outcome, 100, &error), 1);
    db->nodes.watch.on_statement = NULL;
    assert_int_equal(corm_outcome(db, outcome, 100, &error), CORM_NO_TICKET);
    scripted.done = false;
    assert_int_equal(corm_outcome(db, outcome + DOUBTS_KEPT, 100, &error), 0);
}

/* ---- Sessions that were lost -------------------------------------------------------------- */

static int count_in_log(const char *word)
{
    int n = 0;

    for (const char *p = scripted.log; (p = strstr(p, word)) != NULL; p += strlen(word))
        n++;
    return n;
}

static void sessions_that_were_lost_are_ended_once_and_not_more_than_are_kept(void **state)
{
    (void)state;
    enum { GRAVES = 64 };
    struct corm_error error;
    (void)own_slot(&error);
    for (uint64_t id = 1; id <= GRAVES + 1; id++)
        corm__ledger_bury(corm__ledger_of(db->store), db->nodes.all,
                          &(struct corm__session){.id = id});
    assert_int_equal(transact(&error), 1);
    assert_int_equal(count_in_log("kill "), GRAVES);
    assert_int_equal(transact(&error), 1);
    assert_int_equal(count_in_log("kill "), GRAVES);
}

static void a_session_that_could_not_be_ended_is_left_to_the_next(void **state)
{
    (void)state;
    struct corm_error error;
    (void)own_slot(&error);
    corm__ledger_bury(corm__ledger_of(db->store), db->nodes.all, &(struct corm__session){.id = 7});
    fails_at(LOSS("kill", 1));
    assert_int_equal(transact(&error), 1);
    assert_log("kill! close connect kill enter(trx) SELECT [UPDATE,INSERT,COMMIT] ");
}

/* ---- Rows of others ---------------------------------------------------------------------- */

/* A connection that has just entered its first commit. */
static struct corm__connection *hold_connection(struct corm_trx **trx)
{
    assert_int_equal(corm_begin(db, trx), 0);
    assert_int_equal(work(*trx, NULL), 1);
    (*trx)->connection->slot = (struct corm__slot){1, 1, 1};
    (*trx)->connection->link->in_trx = false;
    scripted_clear();
    return (*trx)->connection;
}

static void no_more_old_rows_go_than_were_asked_for(void **state)
{
    (void)state;
    enum { ROWS = 32 };
    struct corm_trx         *trx;
    struct corm__connection *c = hold_connection(&trx);
    scripted.old_slots = ROWS + 8; /* a server that does not keep to LIMIT */
    corm__ledger_tidy(corm__ledger_of(db->store), c);
    assert_int_equal(count_in_log("SELECT "), 1);
    assert_int_equal(count_in_log("DELETE "), ROWS);
    corm_end(trx);
}

static void old_rows_that_cannot_be_deleted_are_left(void **state)
{
    (void)state;
    static const struct {
        const char *at;
        int         nth;
        const char *log;
    } steps[] = {
        {"DELETE", 2, "enter() SELECT DELETE DELETE! "},
        {"SELECT", 1, "enter() SELECT! "},
        {"enter()", 1, "enter()! "},
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct corm_trx         *trx;
        struct corm__connection *c = hold_connection(&trx);
        scripted.old_slots = 3;
        scripted.now += (int64_t)3600 * 1000000000;
        fails_at(.at = steps[i].at, .nth = steps[i].nth, .code = CORM_LOCK_TIMEOUT,
                 .server_code = 1205);
        corm__ledger_tidy(corm__ledger_of(db->store), c);
        assert_log(steps[i].log);
        corm_end(trx);
    }
}

static struct corm__connection *tidied;

static void tidy_too(void)
{
    corm__ledger_tidy(corm__ledger_of(db->store), tidied);
}

/* Of two at the same moment, and for an hour behind it, one looks. */
static void one_looks_for_old_rows_at_a_time(void **state)
{
    (void)state;
    struct corm_trx *trx;
    tidied = hold_connection(&trx);
    scripted.at_clock = tidy_too;
    corm__ledger_tidy(corm__ledger_of(db->store), tidied);
    assert_log("enter() SELECT ");
    scripted.now += (int64_t)3599 * 1000000000;
    corm__ledger_tidy(corm__ledger_of(db->store), tidied);
    assert_log("enter() SELECT ");
    scripted.now += (int64_t)1 * 1000000000;
    corm__ledger_tidy(corm__ledger_of(db->store), tidied);
    assert_log("enter() SELECT SELECT ");
    corm_end(trx);
}

/* ---- Making the table ---------------------------------------------------------------------- */

/* A connection that was in a transaction, no ledger, and a fence that holds. */
static void prepare_setup(void)
{
    struct corm_trx *trx;

    atomic_store(&db->nodes.watch.has_ledger, false);
    assert_int_equal(corm_begin(db, &trx), 0);
    assert_int_equal(work(trx, NULL), 1);
    corm_end(trx);
    scripted_clear();
    fails_at(.at = "INSERT", .nth = 2, .code = CORM_OUT_OF_RANGE, .server_code = 1690);
}

static void the_table_is_made_and_its_fence_tried(void **state)
{
    (void)state;
    struct corm_error error = {0};
    prepare_setup();
    assert_int_equal(corm_setup(db, &error), 0);
    assert_log("enter() CREATE CREATE START INSERT INSERT! ROLLBACK ");
    assert_true(atomic_load(&db->nodes.watch.has_ledger));
}

/* Wherever it fails the caller is told why, nothing stays open, and the ledger is not relied on. */
static void a_setup_that_fails_half_way_says_so(void **state)
{
    (void)state;
    static const struct {
        const char *at;
        int         nth;
        const char *log;
    } steps[] = {
        {"enter()", 1, "enter()! close "},
        {"CREATE", 1, "enter() CREATE! "},
        {"START", 1, "enter() CREATE CREATE START! ROLLBACK "},
        {"INSERT", 1, "enter() CREATE CREATE START INSERT! ROLLBACK "},
        {"INSERT", 2, "enter() CREATE CREATE START INSERT INSERT! ROLLBACK "},
    };
    scripted.has_ledger = false;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct corm_error error = {0};
        prepare_setup();
        scripted_clear();
        fails_at(.at = steps[i].at, .nth = steps[i].nth, .code = CORM_DENIED, .server_code = 1142);
        assert_int_equal(corm_setup(db, &error), CORM_DENIED);
        assert_int_equal(error.server_code, 1142);
        assert_log(steps[i].log);
        assert_false(atomic_load(&db->nodes.watch.has_ledger));
    }
}

static void a_table_without_a_fence_is_refused(void **state)
{
    (void)state;
    struct corm_error error = {0};
    prepare_setup();
    scripted_clear();
    assert_int_equal(corm_setup(db, &error), CORM_UNSUPPORTED);
    assert_log("enter() CREATE CREATE START INSERT INSERT ROLLBACK ");
    assert_false(atomic_load(&db->nodes.watch.has_ledger));
}

static void a_setup_without_a_connection_is_an_error(void **state)
{
    (void)state;
    struct corm_error error = {0};
    struct corm_trx  *trx;
    prepare_setup();
    assert_int_equal(corm_begin(db, &trx), 0);
    assert_int_equal(work(trx, NULL), 1);
    scripted_clear();
    assert_int_equal(corm_setup(db, &error), CORM_WOULD_BLOCK);
    assert_log("");
    corm_end(trx);
}

/* ---- Without compounds ------------------------------------------------------------------ */

/* It fails on our side, and COMMIT was not sent: nothing is in doubt, and the slot is as good as before. */
static void an_entry_that_fails_here_is_known_and_keeps_the_slot(void **state)
{
    (void)state;
    struct corm_error error;
    struct corm__slot slot = own_slot(&error);
    fails_at(.at = "INSERT", .nth = 1, .code = CORM_NO_MEMORY);
    assert_int_equal(transact(&error), CORM_NO_MEMORY);
    assert_int_equal(runs, 1);
    assert_log("SELECT UPDATE INSERT! ROLLBACK ");
    assert_int_equal(slot_now().number, slot.number);
    assert_true(atomic_load(&db->nodes.watch.has_ledger));
}

/* The server has told them before COMMIT was sent, and the ledger is not asked to keep them. */
static void keys_that_were_told_stay_when_the_answer_to_commit_is_lost(void **state)
{
    (void)state;
    struct corm_error error = {0};
    struct corm_trx  *trx;
    int64_t           key = 0;
    (void)own_slot(&error);
    scripted.done = true;
    fails_at(LOSS("COMMIT", 1));
    assert_int_equal(corm_begin(db, &trx, .error = &error), 0);
    assert_int_equal(corm_insert(trx, sale, corm_set(sale.amount, 1), .id_later = &key), 1);
    assert_int_equal(corm_commit(trx), 0);
    assert_int_equal(key, 1);
    assert_int_equal(scripted.entered_keys, 0);
    corm_end(trx);
}

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
        MARIA(a_table_that_takes_no_entries_is_done_without),
        MARIA(without_random_numbers_nothing_is_committed),
        MARIA(what_does_not_write_is_not_entered),
        MARIA(a_write_on_a_db_is_a_transaction),
        MARIA(a_doubt_that_is_answered_with_done_is_success),
        MARIA(a_doubt_that_is_answered_with_never_runs_again),
        MARIA(a_doubt_of_the_long_form_is_told),
        MARIA(a_resolver_that_loses_its_commit_begins_again),
        MARIA(a_resolver_that_is_refused_begins_again),
        MARIA(a_resolver_that_cannot_roll_back_takes_a_new_link),
        MARIA(a_session_that_cannot_be_ended_is_waited_for),
        MARIA(nobody_answers_and_it_is_unknown_until_asked_again),
        MARIA(an_outcome_is_asked_until_the_server_takes_connections_again),
        MARIA(who_is_not_let_in_is_told_at_once),
        MARIA(a_doubt_is_asked_for_resolve_ms_where_the_deadline_has_passed),
        MARIA(never_behind_the_deadline_is_the_deadline),
        MARIA(outcomes_are_forgotten_when_they_are_old_or_too_many),
        MARIA(an_outcome_is_asked_on_a_new_link_where_the_old_one_is_lost),
        MARIA(an_outcome_is_not_asked_by_who_holds_the_only_connection),
        MARIA(an_answer_is_not_kept_for_another_doubt),
        MARIA(sessions_that_were_lost_are_ended_once_and_not_more_than_are_kept),
        MARIA(a_session_that_could_not_be_ended_is_left_to_the_next),
        MARIA(no_more_old_rows_go_than_were_asked_for),
        MARIA(old_rows_that_cannot_be_deleted_are_left),
        MARIA(one_looks_for_old_rows_at_a_time),
        MARIA(the_table_is_made_and_its_fence_tried),
        MARIA(a_setup_that_fails_half_way_says_so),
        MARIA(a_table_without_a_fence_is_refused),
        MARIA(a_setup_without_a_connection_is_an_error),
        MYSQL_(an_entry_that_fails_here_is_known_and_keeps_the_slot),
        MYSQL_(keys_that_were_told_stay_when_the_answer_to_commit_is_lost),
        MYSQL_(a_loss_at_the_entry_is_known_where_it_travels_alone),
        MYSQL_(a_loss_at_commit_is_resolved_without_compounds_too),
        SQLITE_(a_file_needs_no_ledger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
