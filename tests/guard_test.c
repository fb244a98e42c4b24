/* guard_test.c -- which rows are guarded in a cluster, and in which trip, before a driver that does what a script
 * says (scripted.h). No server, no clock; that guards keep two nodes apart is for galera_test.c. */
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

#include "trx/guard.h"

#define ACCOUNT(X)                                                                                 \
    X(id, int, .pk = 1)                                                                            \
    X(amount, int)
CORM_MODEL(account, ACCOUNT);
CORM_DEFINE(account, ACCOUNT);

#define LINE(X) X(note, int)
CORM_MODEL(line, LINE); /* without a primary key */
CORM_DEFINE(line, LINE);

static struct corm_db *db;

static int open_guarded(void **state)
{
    (void)state;
    db = scripted_open(1, CORM_DIALECT_MARIADB);
    db->nodes.guards = true;
    return 0;
}

static int open_plain(void **state)
{
    (void)state;
    db = scripted_open(1, CORM_DIALECT_MARIADB);
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

static struct corm_trx *begin(void)
{
    struct corm_trx *trx = NULL;

    assert_int_equal(corm_begin(db, &trx), 0);
    return trx;
}

/* The row that the script has. */
static int lock_row(struct corm_trx *trx, enum corm_lock lock)
{
    struct account a;

    return corm_first(trx, account, &a, .where = corm_eq(account.id, 1), .lock = lock);
}

static int read_row(struct corm_trx *trx)
{
    struct account a;

    return corm_first(trx, account, &a, .where = corm_eq(account.id, 9));
}

static int write_row(struct corm_trx *trx, int id)
{
    return corm_update(trx, account, corm_eq(account.id, id), corm_add(account.amount, 1));
}

#define assert_log(text) assert_string_equal(scripted.log, text)

/* ---- In which trip --------------------------------------------------------------------- */

static void a_lock_is_guarded_in_front_of_the_next_read(void **state)
{
    (void)state;
    for (int share = 0; share < 2; share++) {
        struct corm_trx *trx = begin();
        scripted_clear();
        assert_int_equal(lock_row(trx, share ? CORM_FOR_SHARE : CORM_FOR_UPDATE), 1);
        assert_int_equal(read_row(trx), 1);
        assert_int_equal(read_row(trx), 1);
        assert_int_equal(corm_commit(trx), 0);
        corm_end(trx);
        assert_non_null(strstr(scripted.log, "SELECT [INSERT,SELECT] SELECT COMMIT "));
    }
}

static void without_a_read_it_goes_with_the_commit(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(lock_row(trx, CORM_FOR_UPDATE), 1);
    assert_int_equal(write_row(trx, 1), 1); /* held: buffered */
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) SELECT [UPDATE,INSERT,COMMIT] ");
}

static void who_writes_nothing_guards_nothing(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(lock_row(trx, CORM_FOR_UPDATE), 1);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) SELECT COMMIT ");
}

static void a_write_by_its_key_is_guarded_without_a_lock_in_front(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(write_row(trx, 5), 1);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) UPDATE [INSERT,COMMIT] ");
    scripted_clear();
    trx = begin();
    assert_int_equal(corm_delete(trx, account, corm_eq(account.id, 5)), 1);
    assert_int_equal(read_row(trx), 1);
    assert_int_equal(corm_rollback(trx), 0);
    corm_end(trx);
    assert_log("DELETE [INSERT,SELECT] ROLLBACK ");
}

static void a_single_write_is_guarded_too(void **state)
{
    (void)state;
    assert_int_equal(corm_update(db, account, corm_eq(account.id, 5), corm_add(account.amount, 1)),
                     1);
    assert_log("enter(trx) UPDATE [INSERT,COMMIT] ");
}

static void a_row_is_guarded_once(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(lock_row(trx, CORM_FOR_UPDATE), 1);
    assert_int_equal(lock_row(trx, CORM_FOR_SHARE), 1); /* with the guard of the first */
    assert_int_equal(write_row(trx, 1), 1);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) SELECT [INSERT,SELECT] [UPDATE,COMMIT] ");
}

static void a_key_is_guarded_in_the_trip_of_its_lock(void **state)
{
    struct corm_trx *trx = NULL;

    (void)state;
    assert_int_equal(corm_begin(db, &trx, .key = corm_eq(account.id, 7)), 0);
    assert_int_equal(read_row(trx), 1);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) [SELECT,INSERT,SELECT] COMMIT ");
}

static void what_a_savepoint_took_back_is_guarded_again(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(write_row(trx, 5), 1);
    assert_int_equal(corm_savepoint(trx), 0); /* the guard of 5 stands in front of it */
    assert_int_equal(lock_row(trx, CORM_FOR_UPDATE), 1);
    assert_int_equal(read_row(trx), 1);
    assert_int_equal(corm_savepoint_rollback(trx), 0);
    assert_int_equal(read_row(trx), 1); /* the lock is still there */
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) UPDATE [INSERT,SAVEPOINT,SELECT] [INSERT,SELECT] ROLLBACK_TO "
               "[INSERT,SELECT] COMMIT ");
}

static void without_a_cluster_nothing_is_guarded(void **state)
{
    (void)state;
    struct corm_trx *trx = begin();
    assert_int_equal(lock_row(trx, CORM_FOR_UPDATE), 1);
    assert_int_equal(read_row(trx), 1);
    assert_int_equal(write_row(trx, 5), 1);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_log("enter(trx) SELECT SELECT UPDATE COMMIT ");
}

/* So many writes that what guards the row does not fit behind them. */
static struct corm_trx *begin_full(void)
{
    struct corm_trx *trx = begin();

    assert_int_equal(lock_row(trx, CORM_FOR_UPDATE), 1);
    for (int i = 1; i < CORM__PENDING_MAX; i++)
        assert_int_equal(write_row(trx, 1), 1);
    scripted_clear();
    return trx;
}

static void a_guard_that_does_not_fit_goes_behind_what_is_sent_first(void **state)
{
    (void)state;
    struct corm_trx *trx = begin_full();
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_non_null(strstr(scripted.log, "UPDATE] [INSERT,COMMIT] "));
}

static void what_is_sent_first_may_fail(void **state)
{
    (void)state;
    for (int at_savepoint = 0; at_savepoint < 2; at_savepoint++) {
        struct corm_trx *trx = begin_full();
        scripted_plan((struct scripted_fault){
            .at = "[UPDATE", .nth = 1, .code = CORM_DEADLOCK, .server_code = 1213});
        if (at_savepoint)
            assert_int_equal(corm_savepoint(trx), CORM_DEADLOCK);
        assert_int_equal(corm_commit(trx), CORM_DEADLOCK);
        corm_end(trx);
        assert_null(strstr(scripted.log, "COMMIT"));
    }
}

static void a_table_that_is_missing_is_told_with_its_cure(void **state)
{
    struct corm_error error = {0};
    struct corm_trx  *trx = NULL;

    (void)state;
    assert_int_equal(corm_begin(db, &trx, .error = &error), 0);
    assert_int_equal(write_row(trx, 5), 1);
    scripted_plan((struct scripted_fault){
        .at = "[INSERT", .nth = 1, .code = CORM_NO_TABLE, .server_code = 1146});
    assert_int_equal(corm_commit(trx), CORM_NO_TABLE);
    assert_non_null(strstr(error.message, "call corm_setup()"));
    corm_end(trx);
}

static void a_lock_that_cannot_be_guarded_is_refused(void **state)
{
    struct corm_trx *trx = begin();
    struct line      l;

    (void)state;
    assert_int_equal(corm_first(trx, line, &l, .lock = CORM_FOR_UPDATE), CORM_UNSUPPORTED);
    assert_non_null(strstr(corm_trx_error(trx)->message, "has no primary key"));
    corm_end(trx);
}

/* ---- Their statements -------------------------------------------------------------------- */

static void many_rows_are_guarded_in_order_by_few_texts(void **state)
{
    enum { ROWS = 150 };
    struct corm__guard_texts texts;
    struct corm__guards      guards = {0};
    struct corm_arena       *arena = corm_arena_new();
    struct corm_error        error = {0};
    struct corm_value       *numbers = NULL;
    size_t                   took = 0;

    (void)state;
    assert_true(corm__guard_texts_make(&texts, "a`b"));
    assert_string_equal(texts.texts[1],
                        "INSERT INTO `a``b`.corm_guard (number, locks) VALUES (?, 1),(?, 1) ON "
                        "DUPLICATE KEY UPDATE locks = locks + 1");
    for (uint64_t i = 0; i < ROWS; i++)
        assert_int_equal(corm__guards_add(&guards, arena, (i * 7919) % ROWS, false, &error), 0);
    assert_int_equal(corm__guards_add(&guards, arena, 5, false, &error), 0); /* is there */
    assert_int_equal(corm__guards_add(&guards, arena, 1000, true, &error), 0);
    assert_int_equal(corm__guards_take(&guards, arena, 0, &numbers, &error), ROWS);
    for (int i = 0; i < ROWS; i++)
        assert_int_equal(numbers[i].as.i, i);
    struct corm__statement s = corm__guard_statement(&texts, numbers, ROWS, &took);
    assert_int_equal(took, 64);
    assert_int_equal(s.bind_count, 64);
    s = corm__guard_statement(&texts, numbers + 128, 22, &took);
    assert_int_equal(took, 22);
    assert_int_equal(s.bind_count, 32); /* the last one again and again */
    for (int i = 22; i < 32; i++)
        assert_int_equal(s.binds[i].as.i, ROWS - 1);
    assert_int_equal(corm__guards_take(&guards, arena, 1, &numbers, &error), 0);
    corm__guards_undo(&guards, 1);
    assert_int_equal(guards.waiting, 0);
    assert_int_equal(corm__guards_add(&guards, arena, 2000, false, &error), 0); /* waits already */
    corm__guards_undo(&guards, 0);
    assert_int_equal(guards.waiting, ROWS + 2);
    corm__map_free(&guards.map);
    corm__guard_texts_free(&texts);
    corm_arena_free(arena);
}

#define GUARDED(test) cmocka_unit_test_setup_teardown(test, open_guarded, close_db)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GUARDED(a_lock_is_guarded_in_front_of_the_next_read),
        GUARDED(without_a_read_it_goes_with_the_commit),
        GUARDED(who_writes_nothing_guards_nothing),
        GUARDED(a_write_by_its_key_is_guarded_without_a_lock_in_front),
        GUARDED(a_single_write_is_guarded_too),
        GUARDED(a_row_is_guarded_once),
        GUARDED(a_key_is_guarded_in_the_trip_of_its_lock),
        GUARDED(what_a_savepoint_took_back_is_guarded_again),
        GUARDED(a_guard_that_does_not_fit_goes_behind_what_is_sent_first),
        GUARDED(what_is_sent_first_may_fail),
        GUARDED(a_table_that_is_missing_is_told_with_its_cure),
        GUARDED(a_lock_that_cannot_be_guarded_is_refused),
        cmocka_unit_test_setup_teardown(without_a_cluster_nothing_is_guarded, open_plain, close_db),
        cmocka_unit_test(many_rows_are_guarded_in_order_by_few_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
