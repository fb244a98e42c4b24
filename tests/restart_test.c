/* restart_test.c -- a server that dies and comes back: nothing is told to be done that is not.
 *
 * It kills the server that scripts/with-mariadb has started, so it wants one of its own. Each
 * function writes a row that no other one writes; what it was told is held against what is there
 * in the end. */
#include "support.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ENTRY(X)                                                                                   \
    X(writer, int, .pk = 1)                                                                        \
    X(number, int, .pk = 1)                                                                        \
    X(attempt, int)
CORM_MODEL(entry, ENTRY);
CORM_DEFINE(entry, ENTRY);

#define TALLY(X)                                                                                   \
    X(id, int, .pk = 1)                                                                            \
    X(entries, int)
CORM_MODEL(tally, TALLY);
CORM_DEFINE(tally, TALLY);

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    assert_non_null(value);
    return value;
}

static void kill_server(void)
{
    FILE *file = fopen(environment("CORM_TEST_MARIADB_PIDFILE"), "r");
    char  text[32] = "";

    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    (void)fclose(file);
    long pid = strtol(text, NULL, 10);
    assert_true(pid > 1);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
}

static bool starts(void *arg)
{
    (void)arg;
    return system(environment("CORM_TEST_MARIADB_START")) == 0;
}

static void start_server(void)
{
    wait_until(starts, NULL); /* it does not while the process that was killed is not gone */
}

static struct corm_db *open_tally(const char *options)
{
    struct corm_db   *db = open_db(options);
    struct corm_error error = {0};

    new_table(db, entry);
    new_table(db, tally);
    assert_rows(corm_insert_row(db, tally, &((struct tally){1, 0}), .error = &error), 1, &error);
    return db;
}

/* ---- In a single thread: where it dies is known ----------------------------- */

struct crash {
    int  calls;
    bool before_write, before_commit;
};

static void crash_once(const struct crash *crash, bool here)
{
    if (!here || crash->calls > 1)
        return;
    kill_server();
    start_server();
}

static int write_through_a_crash(struct corm_trx *trx, void *arg)
{
    struct crash *crash = arg;
    struct tally  found;

    crash->calls++;
    int rc = corm_first(trx, tally, &found, .where = corm_eq(tally.id, 1), .lock = CORM_FOR_UPDATE);
    if (rc == 1)
        rc = corm_insert_rows(trx, entry, 1, &((struct entry){1, 1, crash->calls}));
    crash_once(crash, crash->before_write);
    if (rc == 1)
        rc = (int)corm_count(trx, entry);
    if (rc == 1)
        rc = corm_update(trx, tally, corm_eq(tally.id, 1), corm_add(tally.entries, 1));
    crash_once(crash, crash->before_commit);
    return rc;
}

static void a_function_runs_again_after_a_restart(void **state)
{
    struct corm_db   *db = open_tally("pool=2");
    struct corm_error error = {0};
    struct crash      crash = {.before_write = true};

    (void)state;
    assert_rows(corm_transact(db, write_through_a_crash, &crash, .error = &error), 1, &error);
    assert_true(crash.calls >= 2);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM entry WHERE attempt = %d", crash.calls),
                     1);
    assert_int_equal(number_beside("SELECT entries FROM tally"), 1);
    corm_close(db);
}

/* Only COMMIT was left: it may not be called done, and is not run twice. */
static void a_commit_that_a_crash_swallows_is_no_success(void **state)
{
    struct corm_db   *db = open_tally("pool=2");
    struct corm_error error = {0};
    struct crash      crash = {.before_commit = true};

    (void)state;
    int rc = corm_transact(db, write_through_a_crash, &crash, .error = &error);
    if (rc >= 0) /* it knew that nothing was committed, and has run it again */
        assert_true(crash.calls >= 2);
    else
        assert_code(rc, CORM_UNKNOWN, &error);
    assert_int_equal(number_beside("SELECT entries FROM tally"), rc >= 0);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM entry"), rc >= 0);
    corm_close(db);
}

static bool is_unreachable(void *arg)
{
    struct corm_db *db = arg;

    return corm_count(db, tally) == CORM_UNREACHABLE;
}

static void a_transaction_ends_with_its_server(void **state)
{
    struct corm_db   *db = open_tally("pool=2");
    struct corm_error error = {0};
    struct corm_trx  *trx;
    struct tally      found;

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_rows(trx, entry, 1, &((struct entry){1, 1, 1})), 1, &error);
    kill_server();
    assert_code(corm_first(trx, tally, &found), CORM_DISCONNECTED, &error);
    assert_int_equal(corm_commit(trx), CORM_DISCONNECTED);
    error = (struct corm_error){0};
    wait_until(is_unreachable, db); /* it takes a moment to die */
    assert_rows(corm_start(trx), 0, &error);
    assert_code(corm_first(trx, tally, &found), CORM_UNREACHABLE, &error);
    assert_rows(corm_rollback(trx), 0, &error);
    start_server();
    assert_rows(corm_start(trx), 0, &error);
    assert_rows(corm_first(trx, tally, &found), 1, &error);
    assert_rows(corm_count(trx, entry), 0, &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    corm_close(db);
}

/* ---- In many threads: it dies anywhere -------------------------------------- */

enum { WRITERS = 6, ENOUGH = 40, ENTRIES_MAX = 20000 };

struct writer {
    struct corm_db *db;
    int             me, number;
    int             told[ENTRIES_MAX]; /* by number */
};

static _Atomic int  committed;
static _Atomic bool stop;

static int write_entry(struct corm_trx *trx, void *arg)
{
    const struct writer *w = arg;
    struct tally         found;
    int rc = corm_first(trx, tally, &found, .where = corm_eq(tally.id, 1), .lock = CORM_FOR_UPDATE);

    if (rc < 0)
        return rc;
    rc = corm_insert_row(trx, entry, &((struct entry){w->me, w->number, (int)corm_attempt(trx)}));
    if (rc < 0)
        return rc;
    return corm_update(trx, tally, corm_eq(tally.id, 1),
                       corm_set(tally.entries, found.entries + 1));
}

static void *keep_writing(void *arg)
{
    struct writer *w = arg;

    while (!atomic_load(&stop) && w->number < ENTRIES_MAX) {
        int rc = corm_transact(w->db, write_entry, w);
        w->told[w->number++] = rc;
        if (rc >= 0)
            atomic_fetch_add(&committed, 1);
    }
    return NULL;
}

static bool have_committed(void *arg)
{
    return atomic_load(&committed) >= *(const int *)arg;
}

static void *run_writers(void *arg)
{
    run_threads(WRITERS, keep_writing, arg, sizeof(struct writer));
    return NULL;
}

static void break_the_server(void)
{
    int enough = ENOUGH;

    for (int i = 0; i < 2; i++) {
        wait_until(have_committed, &enough);
        kill_server();
        start_server();
        enough = atomic_load(&committed) + ENOUGH;
    }
    wait_until(have_committed, &enough);
    atomic_store(&stop, true);
}

static void check_writer(const struct writer *w, int *there, int *unknown)
{
    for (int n = 0; n < w->number; n++) {
        int rows = (int)number_beside(
            "SELECT COUNT(*) FROM entry WHERE writer = %d AND number = %d", w->me, n);
        *there += rows;
        *unknown += w->told[n] == CORM_UNKNOWN;
        if (w->told[n] == CORM_UNKNOWN)
            continue;
        if (rows != (w->told[n] >= 0 ? 1 : 0))
            fail_msg("entry %d of writer %d was told to be %s, and there are %d", n, w->me,
                     corm_code_name(w->told[n]), rows);
    }
}

static void what_was_told_is_what_is_there(void **state)
{
    struct corm_db *db = open_tally("pool=4");
    struct writer  *writers = calloc(WRITERS, sizeof(*writers));
    pthread_t       thread;
    int             there = 0, unknown = 0;

    (void)state;
    assert_non_null(writers);
    atomic_store(&committed, 0);
    atomic_store(&stop, false);
    for (int i = 0; i < WRITERS; i++)
        writers[i] = (struct writer){.db = db, .me = i};
    assert_int_equal(pthread_create(&thread, NULL, run_writers, writers), 0);
    break_the_server();
    (void)pthread_join(thread, NULL);
    for (int i = 0; i < WRITERS; i++)
        check_writer(&writers[i], &there, &unknown);
    assert_true(there >= 3 * ENOUGH);
    assert_int_equal(number_beside("SELECT entries FROM tally"), there);
    assert_true(unknown <= 2 * 4); /* what was in COMMIT, on a connection each */
    free(writers);
    corm_close(db);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_runs_again_after_a_restart),
        cmocka_unit_test(a_commit_that_a_crash_swallows_is_no_success),
        cmocka_unit_test(a_transaction_ends_with_its_server),
        cmocka_unit_test(what_was_told_is_what_is_there),
    };

    support_begin(argc, argv);
    int failed = run_group(NULL, 0, NULL, 0, tests, COUNT(tests));
    support_end();
    return failed;
}
