/* torn_test.c -- a flush that fails at any statement leaves nothing behind.
 *
 * A transaction writes 2 to 64 rows, each by a statement of its own that is buffered, so that they are sent
 * together: in trips of at most 32. At each index the statement is made to fail: a row's key is there
 * already, a row is locked for longer than the server waits, the session deadlocks with another one, or
 * it is killed there. Then either all rows have the value of the transaction or none has, as it was told.
 *
 * By corm_begin() the error is told; by corm_transact() the function runs again once the cause is gone, and
 * all rows are written once.
 *
 *     CORM_EXHAUSTIVE=1     every size from 2 to 64; else those in `sizes` */
#include "purchases.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CELL(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(value, int)                                                                                  \
    X(times, int)
CORM_MODEL(cell, CELL);
CORM_DEFINE(cell, CELL);

enum { SIZE_MAX_ = 64, TAKEN = 1000, BAIT = 2000, HEAVY = 3000, HEAVY_ROWS = 400 };

enum cause { DUPLICATE, LOCK_TIMEOUT, KILLED, DEADLOCKED, CAUSES };

static const char *const cause_names[CAUSES] = {"duplicate key", "lock timeout", "KILL",
                                                "deadlock"};

static int count_sizes(const int **sizes)
{
    static const int some[] = {2, 3, 31, 32, 33, 64};
    static int       all[SIZE_MAX_ - 1];

    if (getenv("CORM_EXHAUSTIVE") == NULL) {
        *sizes = some;
        return (int)COUNT(some);
    }
    for (int i = 0; i < SIZE_MAX_ - 1; i++)
        all[i] = i + 2;
    *sizes = all;
    return SIZE_MAX_ - 1;
}

/* ---- The flush ------------------------------------------------------------------- */

struct flush {
    enum cause cause;
    int        size, at, value, runs;
    MYSQL     *other; /* that is in the way, or NULL */
};

static void get_out_of_the_way(struct flush *f);

static int write_cells(struct corm_trx *trx, void *arg)
{
    struct flush *f = arg;
    int           rc = 0;

    f->runs++;
    if (f->runs > 1)
        get_out_of_the_way(f);
    if (f->cause == DEADLOCKED) {
        struct cell bait;
        rc = corm_first(trx, cell, &bait, .where = corm_eq(cell.id, BAIT), .lock = CORM_FOR_UPDATE);
        if (rc >= 0 && f->runs == 1) /* it waits for the bait, and holds the row at `at` */
            (void)mysql_send_query(f->other, "UPDATE cell SET times = 0 WHERE id = 2000", 41);
    }
    for (int i = 0; rc >= 0 && i < f->size; i++) {
        if (f->cause == DUPLICATE && i == f->at && f->runs == 1)
            rc = corm_insert_row(trx, cell, &((struct cell){.id = TAKEN}));
        else
            rc = corm_update(trx, cell, corm_eq(cell.id, i), corm_set(cell.value, f->value),
                             corm_add(cell.times, 1), .later = true);
    }
    return rc;
}

static int write_explicitly(struct corm_db *db, struct flush *f, struct corm_error *error)
{
    struct corm_trx *trx;
    int              rc = corm_begin(db, &trx, .error = error);

    if (rc < 0)
        return rc;
    rc = write_cells(trx, f);
    if (rc >= 0)
        rc = corm_commit(trx);
    corm_end(trx);
    return rc;
}

/* ---- What is in the way --------------------------------------------------------------- */

/* A statement kills its own session at the row: by a trigger, so that it is that statement. */
static void get_in_the_way(struct flush *f, MYSQL *books)
{
    f->other = f->cause == DUPLICATE ? NULL : books;
    if (f->cause == DUPLICATE)
        return;
    if (f->cause == KILLED) {
        (void)ask_books(books, "UPDATE mine SET at = %d", f->at);
        return;
    }
    (void)ask_books(books, "BEGIN");
    (void)ask_books(books, "SELECT times FROM cell WHERE id = %d FOR UPDATE", f->at);
    if (f->cause == DEADLOCKED) /* the lighter one is the victim */
        (void)ask_books(books, "UPDATE cell SET times = times + 1 WHERE id >= %d", HEAVY);
}

static void get_out_of_the_way(struct flush *f)
{
    if (f->other == NULL)
        return;
    if (f->cause == DEADLOCKED)
        (void)mysql_read_query_result(f->other);
    if (f->cause == KILLED)
        (void)ask_books(f->other, "UPDATE mine SET at = -1");
    else
        (void)ask_books(f->other, "ROLLBACK");
    f->other = NULL;
}

/* ---- A case ---------------------------------------------------------------------------- */

static int wanted_code(const struct flush *f)
{
    static const int codes[CAUSES] = {CORM_DUPLICATE, CORM_LOCK_TIMEOUT, CORM_DISCONNECTED,
                                      CORM_DEADLOCK};

    return codes[f->cause];
}

/* How many of its rows have its value, written once more than before. */
static int rows_written(MYSQL *books, const struct flush *f, int times)
{
    return (int)ask_books(books,
                          "SELECT COUNT(*) FROM cell WHERE id < %d AND value = %d AND times = %d",
                          f->size, f->value, times);
}

static void run_case(struct corm_db *db, MYSQL *books, MYSQL *other, struct flush *f, bool function)
{
    struct corm_error error = {0};
    int               rc;

    f->runs = 0;
    (void)ask_books(books, "UPDATE cell SET times = 0");
    get_in_the_way(f, f->cause == KILLED ? books : other);
    if (function)
        rc = corm_transact(db, write_cells, f, .error = &error);
    else
        rc = write_explicitly(db, f, &error);
    get_out_of_the_way(f);

    /* A session that is killed in the trip with COMMIT has not said whether it did that one. */
    bool is_unknown = !HAS_LEDGER && f->cause == KILLED && rc == CORM_UNKNOWN;
    bool fails = !function || f->cause == DUPLICATE || is_unknown;
    int  there = rows_written(books, f, 1);
    int  touched = (int)ask_books(books, "SELECT COUNT(*) FROM cell WHERE id < 64 AND times <> 0");
    if (fails ? rc != wanted_code(f) && !is_unknown : rc < 0)
        fail_msg("%s at %d of %d: %s: %s", cause_names[f->cause], f->at, f->size,
                 corm_code_name(rc), error.message);
    if (there != (fails ? 0 : f->size) || touched != there)
        fail_msg("torn: %s at %d of %d, told %s: %d rows, %d touched", cause_names[f->cause], f->at,
                 f->size, corm_code_name(rc), there, touched);
    assert_int_equal(f->runs, fails ? 1 : 2);
}

static void run_cause(struct corm_db *db, MYSQL *books, enum cause cause)
{
    static int   value;
    const int   *sizes;
    int          count = count_sizes(&sizes), cases = 0;
    struct flush f = {.cause = cause};
    MYSQL       *other = open_books();

    for (int s = 0; s < count; s++) {
        f.size = sizes[s];
        for (f.at = 0; f.at < f.size; f.at++) {
            f.value = ++value;
            run_case(db, books, other, &f, false);
            f.value = ++value;
            run_case(db, books, other, &f, true);
            cases += 2;
        }
    }
    mysql_close(other);
    (void)printf("# %s: %d flushes, none torn\n", cause_names[cause], cases);
}

/* ---- The tests -------------------------------------------------------------------------- */

static void fill(struct corm_db *db)
{
    struct corm_error error = {0};
    struct cell       cells[SIZE_MAX_ + 2 + HEAVY_ROWS];
    size_t            n = 0;

    new_table(db, cell);
    for (int i = 0; i < SIZE_MAX_; i++)
        cells[n++] = (struct cell){.id = i};
    cells[n++] = (struct cell){.id = TAKEN};
    cells[n++] = (struct cell){.id = BAIT};
    for (int i = 0; i < HEAVY_ROWS; i++)
        cells[n++] = (struct cell){.id = HEAVY + i};
    assert_rows(corm_insert_rows(db, cell, n, cells, .error = &error), n, &error);
}

static void no_flush_is_torn(enum cause cause)
{
    MYSQL *books = open_books();

    /* A lock that is not had at once is not waited for; sessions take that over when they begin. */
    (void)ask_books(books, "SET GLOBAL innodb_lock_wait_timeout = %d",
                    cause == LOCK_TIMEOUT ? 0 : 50);
    struct corm_db *db = open_db("pool=1");
    fill(db);
    assert_int_equal(set_up_ledger(db), 0);
    (void)ask_books(books, "DROP TABLE IF EXISTS mine");
    (void)ask_books(books, "CREATE TABLE mine (at INT NOT NULL) ENGINE=InnoDB");
    (void)ask_books(books, "INSERT INTO mine VALUES (-1)");
    if (cause == KILLED)
        (void)ask_books(books, "CREATE TRIGGER shot BEFORE UPDATE ON cell FOR EACH ROW BEGIN IF "
                               "NEW.id < 64 AND NEW.times <> 0 AND NEW.id = (SELECT at FROM mine) "
                               "THEN KILL CONNECTION_ID(); END IF; END");
    run_cause(db, books, cause);
    corm_close(db);
    (void)ask_books(books, "SET GLOBAL innodb_lock_wait_timeout = 50");
    mysql_close(books);
}

static void a_duplicate_key_tears_no_flush(void **state)
{
    (void)state;
    no_flush_is_torn(DUPLICATE);
}

static void a_lock_timeout_tears_no_flush(void **state)
{
    (void)state;
    no_flush_is_torn(LOCK_TIMEOUT);
}

static void a_kill_tears_no_flush(void **state)
{
    (void)state;
    no_flush_is_torn(KILLED);
}

static void a_deadlock_tears_no_flush(void **state)
{
    (void)state;
    no_flush_is_torn(DEADLOCKED);
}

/* SQLite has no sessions to kill and no deadlocks: a key that is there already is what can go wrong. */
static void a_duplicate_key_tears_no_flush_in_a_file(void **state)
{
    struct corm_db *db = open_db(NULL);
    const int      *sizes;
    int             count = count_sizes(&sizes), value = 0, cases = 0;
    struct flush    f = {.cause = DUPLICATE};

    (void)state;
    fill(db);
    for (int s = 0; s < count; s++) {
        f.size = sizes[s];
        for (f.at = 0; f.at < f.size; f.at++) {
            for (int function = 0; function < 2; function++, cases++) {
                struct corm_error error = {0};
                f.value = ++value;
                f.runs = 0;
                int rc = function ? corm_transact(db, write_cells, &f, .error = &error)
                                  : write_explicitly(db, &f, &error);
                assert_code(rc, CORM_DUPLICATE, &error);
                assert_int_equal(number_beside("SELECT COUNT(*) FROM cell WHERE times <> 0"), 0);
            }
        }
    }
    (void)printf("# duplicate key: %d flushes, none torn\n", cases);
    corm_close(db);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(a_duplicate_key_tears_no_flush_in_a_file),
    };
    static const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(a_duplicate_key_tears_no_flush),
        cmocka_unit_test(a_lock_timeout_tears_no_flush),
        cmocka_unit_test(a_kill_tears_no_flush),
        cmocka_unit_test(a_deadlock_tears_no_flush),
    };

    support_begin(argc, argv);
    int failed = run_group(NULL, 0, sqlite, COUNT(sqlite), mariadb, COUNT(mariadb));
    support_end();
    return failed;
}
