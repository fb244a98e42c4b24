/* session_test.c -- connections as a program meets them: killed, shared by too many, forked, and without
 * room for prepared statements. The server of these tests is their own: it is bent. */
#include "child.h"
#include "support.h"

#include "api/db.h"
#include "base/clock.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(stock, int)
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

static struct corm_db *open_items(const char *options, int count)
{
    struct corm_db   *db = open_db(options);
    struct corm_error error = {0};

    new_table(db, item);
    for (int i = 1; i <= count; i++)
        assert_rows(corm_insert_row(db, item, (&(struct item){i, 10}), .error = &error), 1, &error);
    return db;
}

static int read_item(struct corm_db *db, int id, struct corm_error *error)
{
    struct item found;

    return corm_first(db, item, &found, .where = corm_eq(item.id, id), .error = error);
}

static struct corm_trx *hold(struct corm_db *db, int id, struct corm_error *error)
{
    struct corm_trx *trx = NULL;
    struct item      found;

    *error = (struct corm_error){0};
    assert_ok(corm_begin(db, &trx, .error = error), error);
    assert_rows(
        corm_first(trx, item, &found, .where = corm_eq(item.id, id), .lock = CORM_FOR_UPDATE), 1,
        error);
    return trx;
}

/* ---- Killed while idle ------------------------------------------------------------------- */

/* Ends every session of the program's database but the one that asks, and waits until they are gone. */
static void kill_all(void)
{
    beside("BEGIN NOT ATOMIC FOR s IN (SELECT id FROM information_schema.processlist WHERE "
           "db = DATABASE() AND id <> CONNECTION_ID()) DO BEGIN DECLARE CONTINUE HANDLER FOR 1094 "
           "BEGIN END; EXECUTE IMMEDIATE CONCAT('KILL ', s.id); END; END FOR; END");
    while (
        number_beside("SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() "
                      "AND id <> CONNECTION_ID()") > 0)
        continue;
}

/* An instant ago, all at once, clean and waiting for its reset alike. */
static void who_comes_after_a_kill_does_not_notice(void **state)
{
    struct corm_db   *db = open_items("pool=4", 1);
    struct corm_error error = {0};

    (void)state;
    for (int i = 0; i < 50; i++) {
        assert_rows(corm_connect_all(db, &error), 4, &error);
        if (i % 2 == 0)
            assert_rows(corm_sql(db, NULL, "SELECT 1", .error = &error), 1, &error);
        kill_all();
        if (i % 3 == 0)
            assert_rows(corm_update(db, item, corm_eq(item.id, 1), corm_add(item.stock, 1),
                                    .error = &error),
                        1, &error);
        else
            assert_rows(read_item(db, 1, &error), 1, &error);
    }
    assert_int_equal(number_beside("SELECT stock FROM item"), 27);
    corm_close(db);
}

/* ---- Many threads, few connections, and a killer ------------------------------------------ */

enum { STORM_THREADS = 60, STORM_ROUNDS = 40 };

struct worker {
    struct corm_db *db;
    unsigned        seed;
    int             told, unknown, late, lost, unexpected;
    char            message[CORM_MESSAGE_MAX];
};

static int add_one(struct corm_trx *trx, void *arg)
{
    const struct worker *w = arg;

    if (w->seed % 4 == 0) {
        int64_t rc = corm_sql(trx, NULL, "SELECT @dirt := 1");
        if (rc < 0)
            return (int)rc;
    }
    return corm_update(trx, item, corm_eq(item.id, 1), corm_add(item.stock, 1));
}

static void *work(void *arg)
{
    struct worker *w = arg;

    for (int i = 0; i < STORM_ROUNDS; i++) {
        struct corm_error error = {0};
        w->seed = w->seed * 1103515245u + 12345u;
        bool hasty = w->seed / 65536 % 8 == 0;
        int rc = corm_transact(w->db, add_one, w, .timeout_ms = hasty ? 3 : 60000, .error = &error);
        w->told += rc == 1;
        w->unknown += rc == CORM_UNKNOWN;
        w->lost += rc == CORM_DISCONNECTED;
        w->late += rc == CORM_TIMEOUT;
        if (rc != 1 && rc != CORM_UNKNOWN && !hasty) {
            w->unexpected++;
            (void)snprintf(w->message, sizeof(w->message), "%s", error.message);
        }
    }
    return NULL;
}

struct killer {
    _Atomic bool stop;
    int          kills;
};

static void *kill_some(void *arg)
{
    struct killer *killer = arg;

    while (!atomic_load(&killer->stop)) {
        beside(
            "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR 1094 BEGIN END; SET @kill = "
            "COALESCE((SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE db = "
            "DATABASE() AND id <> CONNECTION_ID() ORDER BY RAND() LIMIT 1), 'DO 1'); EXECUTE "
            "IMMEDIATE @kill; END");
        killer->kills++;
    }
    return NULL;
}

/* What was told is in the database; nobody who had time was told anything but "done" or "unknown". */
static void a_storm_with_kills_serves_everybody(void **state)
{
    static struct worker workers[STORM_THREADS];
    struct corm_db      *db = open_items("pool=8", 1);
    struct killer        killer = {0};
    struct worker        sum = {0};
    pthread_t            thread;

    (void)state;
    memset(workers, 0, sizeof(workers));
    for (unsigned i = 0; i < STORM_THREADS; i++) {
        workers[i].db = db;
        workers[i].seed = i + 1;
    }
    assert_int_equal(pthread_create(&thread, NULL, kill_some, &killer), 0);
    run_threads(STORM_THREADS, work, workers, sizeof(workers[0]));
    atomic_store(&killer.stop, true);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < STORM_THREADS; i++) {
        if (workers[i].unexpected > 0)
            print_message("# %s\n", workers[i].message);
        sum.told += workers[i].told;
        sum.unknown += workers[i].unknown;
        sum.late += workers[i].late;
        sum.lost += workers[i].lost;
        sum.unexpected += workers[i].unexpected;
    }
    long long stock = number_beside("SELECT stock FROM item");
    print_message("# %d kills: %d done, %d unknown, %d late, %d lost, stock %lld, %llu connects\n",
                  killer.kills, sum.told, sum.unknown, sum.late, sum.lost, stock,
                  (unsigned long long)stats_of(db).connects);
    assert_int_equal(sum.unexpected, 0);
    assert_true(killer.kills > 0 && sum.told > 0);
    assert_in_range(stock - 10, sum.told, sum.told + sum.unknown);
    corm_close(db);
}

/* ---- The pool has run dry ------------------------------------------------------------------- */

struct asker {
    struct corm_db   *db;
    int               rc;
    struct corm_error error;
};

static void *ask(void *arg)
{
    struct asker    *asker = arg;
    struct corm_trx *trx = NULL;

    asker->rc = corm_begin(asker->db, &trx, .timeout_ms = 100, .error = &asker->error);
    if (asker->rc == 0)
        asker->rc = corm_update(trx, item, corm_eq(item.id, 3), corm_add(item.stock, 1));
    corm_end(trx);
    return NULL;
}

static void who_asks_in_vain_is_told_which_lines_hold_the_connections(void **state)
{
    struct corm_db   *db = open_items("pool=2", 3);
    struct corm_error errors[2];
    struct asker      asker = {.db = db};
    char              line[2][64];

    (void)state;
    struct corm_trx *first = hold(db, 1, &errors[0]);
    struct corm_trx *second = is_mariadb() ? hold(db, 2, &errors[1]) : NULL;
    (void)snprintf(line[0], sizeof(line[0]), "session_test.c:%d for ", (int)first->caller.line);
    run_threads(1, ask, &asker, sizeof(asker));
    assert_code(asker.rc, CORM_TIMEOUT, &asker.error);
    assert_says(&asker.error, line[0]);
    assert_says(&asker.error, is_mariadb() ? "all 2 connections were in use until the deadline"
                                           : "the one connection that writes to the file");
    corm_end(second);
    corm_end(first);
    asker.error = (struct corm_error){0};
    run_threads(1, ask, &asker, sizeof(asker));
    assert_rows(asker.rc, 1, &asker.error);
    corm_close(db);
}

/* At once, for all time would not help. */
static void who_would_wait_for_itself_is_told_so(void **state)
{
    struct corm_db   *db = open_items(is_mariadb() ? "pool=1" : "pool=2", 2);
    struct corm_error held, error = {0};
    struct corm_trx  *trx = hold(db, 1, &held), *second = NULL;
    int64_t           began = now_ms();

    (void)state;
    assert_code(
        corm_update(db, item, corm_eq(item.id, 2), corm_add(item.stock, 1), .error = &error),
        CORM_WOULD_BLOCK, &error);
    assert_says(&error, "pass the trx, not the db");
    error = (struct corm_error){0};
    assert_ok(corm_begin(db, &second, .error = &error), &error);
    assert_int_equal(corm_update(second, item, corm_eq(item.id, 2), corm_add(item.stock, 1)),
                     CORM_WOULD_BLOCK);
    assert_int_equal(corm_commit(second), CORM_WOULD_BLOCK);
    corm_end(second);
    assert_true(now_ms() - began < 10000); /* the deadline is 30,000 */
    error = (struct corm_error){0};
    if (is_mariadb())
        assert_code(read_item(db, 2, &error), CORM_WOULD_BLOCK, &error);
    else
        assert_rows(read_item(db, 2, &error), 1, &error); /* a reader is free */
    assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_add(item.stock, 1)), 1, &held);
    assert_ok(corm_commit(trx), &held);
    corm_end(trx);
    assert_rows(read_item(db, 2, &error), 1, &error);
    corm_close(db);

    db = open_items("pool=3", 2); /* where there is one for it, it has it */
    trx = hold(db, 1, &held);
    if (is_mariadb())
        assert_rows(corm_update(db, item, corm_eq(item.id, 2), corm_add(item.stock, 1)), 1, &error);
    corm_end(trx);
    corm_close(db);
}

/* ---- Forked --------------------------------------------------------------------------------- */

struct parent {
    struct corm_db  *db;
    struct corm_trx *trx, *other; /* other: on a server; nothing is buffered in it */
};

static int open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int  count = 0;

    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        (void)closedir(folder);
    return count;
}

/* In the child: 0, or the number of what went wrong. */
static int use_what_is_the_parents(struct parent *parent)
{
    struct corm_error error = {0};
    struct corm_trx  *trx = NULL;
    struct item       found;

    if (read_item(parent->db, 1, &error) != CORM_FORKED || error.code != CORM_FORKED ||
        strstr(error.message, "corm_close() in the child") == NULL)
        return 1;
    if (corm_update(parent->db, item, corm_eq(item.id, 1), corm_add(item.stock, 1)) != CORM_FORKED)
        return 2;
    if (corm_transact(parent->db, add_one, NULL) != CORM_FORKED)
        return 3;
    if (corm_begin(parent->db, &trx) != CORM_FORKED || trx != NULL)
        return 4;
    if (corm_connect_all(parent->db, &error) != CORM_FORKED)
        return 5;
    if (corm_drop_table(parent->db, item) != CORM_FORKED)
        return 6;
    if (parent->other != NULL &&
        corm_insert_rows(parent->other, item, 2, ((struct item[]){{8, 0}, {9, 0}})) != CORM_FORKED)
        return 10;
    if (corm_first(parent->trx, item, &found, .where = corm_eq(item.id, 2)) != CORM_FORKED)
        return 7;
    if (corm_commit(parent->trx) != CORM_FORKED)
        return 8;
    int files = open_files();
    corm_end(parent->trx);
    corm_close(parent->db);
    /* SQLite's are not closed: that would be a call on what is the parent's. */
    return is_mariadb() || open_files() == files ? 0 : 9;
}

/* In the child, a handle of its own. */
static int use_own(void)
{
    struct corm_db   *db = NULL;
    struct corm_error error = {0};

    if (corm_open(&db, test_url(NULL), .error = &error) < 0)
        return 20;
    int rc = read_item(db, 1, &error);
    corm_close(db);
    return rc == 1 ? 0 : 21;
}

static int use_both(void *arg)
{
    int wrong = use_what_is_the_parents(arg);

    return wrong == 0 && is_mariadb() ? use_own() : wrong;
}

/* Idle connections, one that waits for its reset and an open transaction go through it unharmed. */
static void a_child_is_refused_and_the_parent_goes_on(void **state)
{
    struct corm_db   *db = open_items("pool=4", 2);
    struct corm_error error = {0}, held, other;

    (void)state;
    assert_rows(corm_connect_all(db, &error), 4, &error);
    assert_ok(
        corm_sql(db, NULL, is_mariadb() ? "SET @a = 1" : "PRAGMA cache_size = 7", .error = &error),
        &error);
    struct parent parent = {db, hold(db, 1, &held), is_mariadb() ? hold(db, 2, &other) : NULL};
    assert_rows(corm_update(parent.trx, item, corm_eq(item.id, 1), corm_add(item.stock, 5)), 1,
                &held);
    uint64_t connects = stats_of(db).connects;
    assert_int_equal(run_in_child(use_both, &parent), 0);
    corm_end(parent.other);

    /* No farewell went out on a socket of ours, and no lock is gone. */
    assert_rows(corm_first(parent.trx, item, &(struct item){0}, .where = corm_eq(item.id, 1)), 1,
                &held);
    assert_int_equal(number_beside("SELECT stock FROM item WHERE id = 1"), 10);
    assert_ok(corm_commit(parent.trx), &held);
    corm_end(parent.trx);
    assert_int_equal(number_beside("SELECT stock FROM item WHERE id = 1"), 15);
    struct corm_trx *all[3] = {NULL};
    for (int i = 0; is_mariadb() && i < 3; i++) {
        assert_ok(corm_begin(db, &all[i], .error = &error), &error);
        assert_rows(corm_count(all[i], item), 2, &error);
    }
    for (int i = 0; i < 3; i++)
        corm_end(all[i]);
    assert_int_equal(stats_of(db).connects, connects);
    corm_close(db);
}

/* ---- A server with next to no room for prepared statements -------------------------------------- */

static void with_room_for_few_statements_nobody_sees_an_error(void **state)
{
    struct corm_db  *other;
    struct corm_trx *trx[4];

    (void)state;
    corm_close(open_items("pool=1", 4)); /* it would keep one prepared */
    for (int limit = 4; limit >= 1; limit--) {
        struct corm_error error[4] = {{0}};
        beside("SET GLOBAL max_prepared_stmt_count = 1000");
        other = open_db("pool=4"); /* which learns of a limit that is none */
        for (int i = 0; i < 4; i++)
            assert_ok(corm_begin(other, &trx[i], .error = &error[i]), &error[i]);
        for (int i = 0; i < 4; i++) /* opens the four */
            assert_rows(corm_count(trx[i], item), 4, &error[i]);
        for (int i = 0; i < 4; i++)
            corm_end(trx[i]);
        beside("SET GLOBAL max_prepared_stmt_count = %d", limit);
        for (int round = 0; round < 20; round++) {
            assert_rows(read_item(other, 1, &error[0]), 1, &error[0]);
            assert_rows(corm_update(other, item, corm_eq(item.id, 1), corm_add(item.stock, 1),
                                    .error = &error[0]),
                        1, &error[0]);
            struct corm_trx *one = hold(other, 2, &error[1]);
            assert_rows(corm_update(one, item, corm_eq(item.id, 2), corm_add(item.stock, 1)), 1,
                        &error[1]);
            assert_rows(corm_insert_row(one, item, (&(struct item){100, 1})), 1, &error[1]);
            assert_ok(corm_savepoint(one), &error[1]);
            assert_rows(corm_delete(one, item, corm_eq(item.id, 100)), 1, &error[1]);
            assert_ok(corm_commit(one), &error[1]);
            corm_end(one);
        }
        corm_close(other);
    }
    beside("SET GLOBAL max_prepared_stmt_count = 0");
    struct corm_error error = {0};
    other = open_db("pool=1&timeout_ms=200");
    assert_code(read_item(other, 1, &error), CORM_SERVER_ERROR, &error);
    assert_says(&error, "max_prepared_stmt_count");
    beside("SET GLOBAL max_prepared_stmt_count = 16382");
    error = (struct corm_error){0};
    assert_rows(read_item(other, 1, &error), 1, &error);
    corm_close(other);
}

/* ---- Age -------------------------------------------------------------------------------------- */

static void a_connection_is_replaced_when_it_is_old(void **state)
{
    struct corm_db   *db = open_items("pool=1&max_age_s=1", 1);
    struct corm_error error = {0};
    int64_t           end = now_ms() + 20000;

    (void)state;
    while (stats_of(db).connects < 4 && now_ms() < end)
        assert_rows(read_item(db, 1, &error), 1, &error);
    assert_true(stats_of(db).connects >= 4);
    corm_close(db);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest both[] = {
        cmocka_unit_test(who_asks_in_vain_is_told_which_lines_hold_the_connections),
        cmocka_unit_test(who_would_wait_for_itself_is_told_so),
        cmocka_unit_test(a_child_is_refused_and_the_parent_goes_on),
    };
    static const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(who_comes_after_a_kill_does_not_notice),
        cmocka_unit_test(a_storm_with_kills_serves_everybody),
        cmocka_unit_test(with_room_for_few_statements_nobody_sees_an_error),
        cmocka_unit_test(a_connection_is_replaced_when_it_is_old),
    };

    support_begin(argc, argv);
    int failed = run_group(both, COUNT(both), NULL, 0, mariadb, COUNT(mariadb));
    support_end();
    return failed;
}
