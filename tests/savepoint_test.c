/* tests/savepoint_test.c -- nested transactions and savepoints, the same on SQLite and MariaDB.
 *
 * A savepoint undoes what came after it and nothing else; a failure behind it can be mended, one in
 * front of it cannot, and one that ends the transaction on the server ends it here too. */
#include "support.h"

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(name, varchar(20), .unique = 1)                                                              \
    X(stock, int, .deflt = "0")
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

enum { REFUSED = CORM_USER + 7 };

static struct corm_db *db;

static int set_up(void **state)
{
    (void)state;
    db = open_db("pool=4&timeout_ms=8000");
    new_table(db, item);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    corm_close(db);
    return 0;
}

static int insert(struct corm_trx *trx, int32_t id, const char *name)
{
    return corm_insert_row(trx, item, &(struct item){.id = id, .name = name});
}

static long long rows(void)
{
    return number_beside("SELECT COUNT(*) FROM item");
}

static long long has(int32_t id)
{
    return number_beside("SELECT COUNT(*) FROM item WHERE id = %d", id);
}

/* ---- Nested functions ---------------------------------------------------------------- */

struct nested {
    int32_t           id;
    const char       *name;
    int               refuse_with; /* 0: do not */
    int               rc;          /* what the nested transaction returned */
    struct corm_error error;
};

static int insert_one(struct corm_trx *trx, void *arg)
{
    const struct nested *n = arg;
    int                  rc = insert(trx, n->id, n->name);

    if (rc < 0)
        return rc;
    return n->refuse_with != 0 ? corm_abort(trx, n->refuse_with, "not %s", n->name) : 42;
}

/* Row 1, then what is nested, then row 3. */
static int outer(struct corm_trx *trx, void *arg)
{
    struct nested *n = arg;
    int            rc = insert(trx, 1, "one");

    if (rc < 0)
        return rc;
    n->rc = corm_transact(trx, insert_one, n, .error = &n->error);
    return insert(trx, 3, "three");
}

static void nested_writes_commit_with_the_outer_transaction(void **state)
{
    struct nested     n = {.id = 2, .name = "two"};
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_transact(db, outer, &n, .error = &e), &e);
    assert_int_equal(n.rc, 42);
    assert_int_equal(n.error.code, 0);
    assert_int_equal(rows(), 3);
}

static void duplicate_in_a_nested_transaction_is_handled_by_the_outer_one(void **state)
{
    struct nested     n = {.id = 2, .name = "one"};
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_transact(db, outer, &n, .error = &e), &e);
    assert_code(n.rc, CORM_DUPLICATE, &n.error);
    assert_int_equal(e.code, 0);
    assert_int_equal(rows(), 2);
    assert_int_equal(has(1) + has(3), 2);
}

static void refusal_of_a_nested_transaction_undoes_only_its_own_writes(void **state)
{
    struct nested     n = {.id = 2, .name = "two", .refuse_with = REFUSED};
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_transact(db, outer, &n, .error = &e), &e);
    assert_code(n.rc, REFUSED, &n.error);
    assert_string_equal(n.error.message, "not two");
    assert_int_equal(has(2), 0);
    assert_int_equal(rows(), 2);
}

static int refuse_quietly(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return insert(trx, 2, "two") < 0 ? 0 : -5;
}

static int outer_of_quiet(struct corm_trx *trx, void *arg)
{
    struct nested *n = arg;

    n->rc = corm_transact(trx, refuse_quietly, NULL, .error = &n->error);
    return insert(trx, 3, "three");
}

static void negative_result_of_a_nested_function_undoes_it_too(void **state)
{
    struct nested     n = {0};
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_transact(db, outer_of_quiet, &n, .error = &e), &e);
    assert_code(n.rc, -5, &n.error);
    assert_int_equal(rows(), 1);
}

/* The buffered write in front of the savepoint is the duplicate: it comes out when the nested
 * transaction sends its own. */
static int fails_in_front(struct corm_trx *trx, void *arg)
{
    struct nested *n = arg;
    int            rc = insert(trx, 8, "taken");

    if (rc < 0)
        return rc;
    n->rc = corm_transact(trx, insert_one, n, .error = &n->error);
    return insert(trx, 3, "three");
}

static void failure_in_front_of_a_savepoint_dooms_all(void **state)
{
    struct nested     n = {.id = 2, .name = "two"};
    struct corm_error e = {0};

    (void)state;
    beside("INSERT INTO item (id, name, stock) VALUES (7, 'taken', 0)");
    assert_code(corm_transact(db, fails_in_front, &n, .error = &e), CORM_DUPLICATE, &e);
    assert_code(n.rc, CORM_DUPLICATE, &n.error);
    assert_int_equal(rows(), 1);
}

static int innermost(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return insert(trx, 30, "x") < 0 ? -1 : insert(trx, 31, "one");
}

static int middle(struct corm_trx *trx, void *arg)
{
    struct nested *n = arg;

    if (insert(trx, 20, "twenty") < 0)
        return -1;
    n->rc = corm_transact(trx, innermost, NULL, .error = &n->error);
    return insert(trx, 21, "twenty-one");
}

static int outermost(struct corm_trx *trx, void *arg)
{
    if (insert(trx, 1, "one") < 0)
        return -1;
    return corm_transact(trx, middle, arg);
}

static void only_the_innermost_level_that_fails_is_undone(void **state)
{
    struct nested     n = {0};
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_transact(db, outermost, &n, .error = &e), &e);
    assert_code(n.rc, CORM_DUPLICATE, &n.error);
    assert_int_equal(rows(), 3);
    assert_int_equal(has(1) + has(20) + has(21), 3);
}

static int commits_inside(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return corm_commit(trx);
}

static void commit_in_a_nested_function_is_refused(void **state)
{
    struct corm_trx  *trx = NULL;
    struct corm_error e = {0}, nested = {0};

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &e), &e);
    assert_rows(insert(trx, 1, "one"), 1, &e);
    assert_code(corm_transact(trx, commits_inside, NULL, .error = &nested), CORM_MISUSE, &nested);
    assert_int_equal(corm_commit(trx), 0);
    corm_end(trx);
    assert_int_equal(rows(), 1);
}

static int leaves_savepoints(struct corm_trx *trx, void *arg)
{
    struct corm_error e = {0};

    (void)arg;
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(insert(trx, 5, "five"), 1, &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(insert(trx, 6, "six"), 1, &e);
    return REFUSED;
}

static void savepoints_that_a_nested_function_leaves_behind_go_with_it(void **state)
{
    struct corm_trx  *trx = NULL;
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &e), &e);
    assert_int_equal(corm_transact(trx, leaves_savepoints, NULL), REFUSED);
    assert_rows(insert(trx, 7, "seven"), 1, &e);
    assert_int_equal(corm_savepoint_rollback(trx), CORM_MISUSE);
    corm_end(trx);
    assert_int_equal(rows(), 0);
}

static void options_of_its_own_are_refused_for_a_nested_transaction(void **state)
{
    struct corm_trx  *trx = NULL;
    struct nested     n = {.id = 2, .name = "two"};
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_begin(db, &trx), &e);
    assert_code(corm_transact(trx, insert_one, &n, .read_only = true, .error = &e), CORM_MISUSE,
                &e);
    corm_end(trx);
}

static int meddles(struct corm_trx *trx, void *arg)
{
    int *rcs = arg;

    rcs[0] = corm_savepoint_rollback(trx);
    return 0;
}

static void nested_function_cannot_undo_a_savepoint_that_is_not_its_own(void **state)
{
    struct corm_trx  *trx = NULL;
    struct corm_error e = {0};
    int               rcs[1] = {0};

    (void)state;
    assert_ok(corm_begin(db, &trx), &e);
    assert_rows(insert(trx, 1, "one"), 1, &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(insert(trx, 3, "three"), 1, &e);
    assert_int_equal(corm_transact(trx, meddles, rcs), CORM_MISUSE);
    assert_int_equal(rcs[0], CORM_MISUSE);
    assert_rows(corm_count(trx, item), 2, &e);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    assert_int_equal(rows(), 2);
}

static int insert_and_read(struct corm_trx *trx, void *arg)
{
    struct item row = {0};
    int32_t     id = *(int32_t *)arg;

    if (insert(trx, id, id == 1 ? "one" : "two") < 0)
        return -1;
    int rc = corm_first(trx, item, &row, .where = corm_eq(item.id, id));
    return rc < 0 ? rc : row.id;
}

static int inserts_and_reads(struct corm_trx *trx, void *arg)
{
    return corm_transact(trx, insert_and_read, arg);
}

/* On one connection: what was bound for the first result must not be used for the second. */
static void same_batch_twice_reads_what_is_there(void **state)
{
    struct corm_error e = {0};

    (void)state;
    for (int32_t id = 1; id <= 2; id++)
        assert_rows(corm_transact(db, inserts_and_reads, &id, .error = &e), id, &e);
}

#define OTHER(X) X(id, int, .pk = 1)
CORM_MODEL(other, OTHER);
CORM_DEFINE(other, OTHER);

/* A trigger on the one table removes the row of the other that is held: its update must count none. */
static void row_is_held_no_longer_when_another_table_is_written(void **state)
{
    struct corm_trx  *trx = NULL;
    struct item       row;
    struct corm_error e = {0};

    (void)state;
    new_table(db, other);
    beside("INSERT INTO item (id, name, stock) VALUES (1, 'one', 0)");
    beside(is_mariadb() ? "CREATE TRIGGER gone AFTER INSERT ON other FOR EACH ROW "
                          "DELETE FROM item WHERE id = NEW.id"
                        : "CREATE TRIGGER gone AFTER INSERT ON other BEGIN "
                          "DELETE FROM item WHERE id = NEW.id; END");
    assert_ok(corm_begin(db, &trx), &e);
    assert_rows(corm_first(trx, item, &row, .where = corm_eq(item.id, 1), .lock = CORM_FOR_UPDATE),
                1, &e);
    assert_rows(corm_insert_row(trx, other, &(struct other){.id = 1}), 1, &e);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.stock, 5)), 0, &e);
    corm_end(trx);
    assert_ok(corm_drop_table(db, other, .error = &e), &e);
}

static void outer_savepoint_mends_what_failed_in_front_of_an_inner_one(void **state)
{
    struct corm_trx  *trx = NULL;
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_begin(db, &trx), &e);
    assert_rows(insert(trx, 1, "one"), 1, &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(insert(trx, 2, "one"), 1, &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(insert(trx, 3, "three"), 1, &e);
    assert_int_equal(corm_count(trx, item), CORM_DUPLICATE);
    assert_int_equal(corm_savepoint_rollback(trx), CORM_DUPLICATE);
    assert_ok(corm_savepoint_rollback(trx), &e);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    assert_int_equal(rows(), 1);
}

/* ---- The long form ----------------------------------------------------------------------- */

static void rollback_to_a_savepoint_undoes_what_came_after_it(void **state)
{
    struct corm_trx  *trx = NULL;
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &e), &e);
    assert_rows(insert(trx, 1, "one"), 1, &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(insert(trx, 2, "two"), 1, &e);
    assert_rows(corm_count(trx, item), 2, &e);
    assert_ok(corm_savepoint_rollback(trx), &e);
    assert_rows(corm_count(trx, item), 1, &e);
    assert_rows(insert(trx, 2, "again"), 1, &e);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM item WHERE name = 'again'"), 1);
    assert_int_equal(rows(), 2);
}

static void rollback_to_a_savepoint_lifts_a_doom_that_came_after_it(void **state)
{
    struct corm_trx  *trx = NULL;
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_begin(db, &trx), &e);
    assert_rows(insert(trx, 1, "one"), 1, &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(insert(trx, 1, "two"), 1, &e);
    assert_int_equal(corm_count(trx, item), CORM_DUPLICATE);
    assert_int_equal(insert(trx, 3, "three"), CORM_DUPLICATE);
    assert_ok(corm_savepoint_rollback(trx), &e);
    assert_int_equal(corm_trx_error(trx)->code, 0);
    assert_rows(insert(trx, 3, "three"), 1, &e);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    assert_int_equal(has(1) + has(3), 2);
    assert_int_equal(rows(), 2);
}

static void release_keeps_what_came_after_it_and_tells_its_errors(void **state)
{
    struct corm_trx  *trx = NULL;
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_begin(db, &trx), &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(insert(trx, 1, "one"), 1, &e);
    assert_ok(corm_savepoint_release(trx), &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(insert(trx, 2, "one"), 1, &e);
    assert_int_equal(corm_savepoint_release(trx), CORM_DUPLICATE);
    assert_ok(corm_savepoint_rollback(trx), &e);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    assert_int_equal(rows(), 1);
}

static void commit_keeps_what_stands_behind_open_savepoints(void **state)
{
    struct corm_trx  *trx = NULL;
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_begin(db, &trx), &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(insert(trx, 1, "one"), 1, &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(insert(trx, 2, "two"), 1, &e);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    assert_int_equal(rows(), 2);
}

static void calls_without_a_savepoint_and_too_many_are_misuse(void **state)
{
    struct corm_trx  *trx = NULL;
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_begin(db, &trx), &e);
    assert_int_equal(corm_savepoint_release(trx), CORM_MISUSE);
    assert_ok(corm_rollback(trx), &e);
    assert_int_equal(corm_savepoint(trx), CORM_TRX_CLOSED);
    assert_ok(corm_start(trx), &e);
    for (int i = 0; i < CORM_SAVEPOINT_MAX; i++)
        assert_ok(corm_savepoint(trx), &e);
    assert_int_equal(corm_savepoint(trx), CORM_MISUSE);
    corm_end(trx);
}

/* A row that was inserted behind the savepoint, and read FOR UPDATE there, is not held any more: an
 * update of it is sent, and counts none. */
static void rows_held_behind_a_savepoint_are_forgotten_with_it(void **state)
{
    struct corm_trx  *trx = NULL;
    struct item       row;
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_begin(db, &trx), &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(insert(trx, 1, "one"), 1, &e);
    assert_rows(corm_first(trx, item, &row, .where = corm_eq(item.id, 1), .lock = CORM_FOR_UPDATE),
                1, &e);
    assert_ok(corm_savepoint_rollback(trx), &e);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.stock, 5)), 0, &e);
    corm_end(trx);
}

static void empty_transaction_with_savepoints_sends_nothing(void **state)
{
    struct corm_trx     *trx = NULL;
    struct corm_error    e = {0};
    struct corm_counters before = stats_of(db);

    (void)state;
    assert_ok(corm_begin(db, &trx), &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_ok(corm_savepoint_rollback(trx), &e);
    assert_ok(corm_savepoint_release(trx), &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    assert_int_equal(stats_of(db).statements, before.statements);
    assert_int_equal(stats_of(db).transactions, before.transactions);
}

/* ---- On MariaDB alone ----------------------------------------------------------------------- */

static int outer_of_trips(struct corm_trx *trx, void *arg)
{
    struct nested       *n = arg;
    struct item          row;
    struct corm_counters before, after;

    int rc = corm_first(trx, item, &row, .where = corm_eq(item.id, 1), .lock = CORM_FOR_UPDATE);
    if (rc < 0)
        return rc;
    corm_stats(db, &before);
    rc = corm_transact(trx, insert_one, n, .error = &n->error);
    corm_stats(db, &after);
    n->rc = (int)(after.round_trips - before.round_trips);
    return rc;
}

static void nested_insert_costs_one_round_trip(void **state)
{
    struct nested     warm = {.id = 2, .name = "two"}, n = {.id = 3, .name = "three"};
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_transact(db, outer_of_trips, &warm, .error = &e), &e);
    assert_ok(corm_transact(db, outer_of_trips, &n, .error = &e), &e);
    assert_int_equal(n.rc, 1);
}

struct opposite {
    int32_t           first, second;
    int               rc, seen_inside;
    uint32_t          attempts;
    struct gate      *mine, *others;
    struct corm_error error;
};

static int lock_second(struct corm_trx *trx, void *arg)
{
    const struct opposite *o = arg;

    return corm_update(trx, item, corm_eq(item.id, o->second), corm_add(item.stock, 1));
}

static int lock_both(struct corm_trx *trx, void *arg)
{
    struct opposite *o = arg;
    int rc = corm_update(trx, item, corm_eq(item.id, o->first), corm_add(item.stock, 1));

    if (rc < 0)
        return rc;
    o->attempts = corm_attempt(trx);
    if (o->attempts == 1) {
        open_gate(o->mine);
        (void)pass_gate(o->others, 5000);
    }
    rc = corm_transact(trx, lock_second, o);
    if (rc == CORM_DEADLOCK)
        o->seen_inside = corm_update(trx, item, corm_eq(item.id, 9), corm_add(item.stock, 1));
    return rc;
}

static void *run_opposite(void *arg)
{
    struct opposite *o = arg;

    o->rc = corm_transact(db, lock_both, o, .error = &o->error);
    return NULL;
}

static void deadlock_in_a_nested_transaction_unwinds_to_the_outermost(void **state)
{
    struct gate     gates[2] = {GATE, GATE};
    struct opposite both[2] = {
        {.first = 1, .second = 2, .mine = &gates[0], .others = &gates[1]},
        {.first = 2, .second = 1, .mine = &gates[1], .others = &gates[0]},
    };

    (void)state;
    beside("INSERT INTO item (id, name, stock) VALUES (1, 'a', 0), (2, 'b', 0), (9, 'c', 0)");
    run_threads(2, run_opposite, both, sizeof(both[0]));
    for (int i = 0; i < 2; i++)
        assert_ok(both[i].rc, &both[i].error);
    assert_true(both[0].attempts + both[1].attempts >= 3);
    assert_true(both[0].seen_inside == CORM_DEADLOCK || both[1].seen_inside == CORM_DEADLOCK);
    assert_int_equal(number_beside("SELECT SUM(stock) FROM item"), 4);
    assert_int_equal(number_beside("SELECT stock FROM item WHERE id = 9"), 0);
}

static int read_and_refuse(struct corm_trx *trx, void *arg)
{
    struct item *i = arg;
    int rc = corm_first(trx, item, i, .where = corm_eq(item.id, 1), .lock = CORM_FOR_UPDATE);

    return rc < 0 ? rc : corm_abort(trx, REFUSED, "taken back");
}

static int write_and_refuse(struct corm_trx *trx, void *arg)
{
    int rc = corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.stock, 7));

    (void)arg;
    return rc < 0 ? rc : corm_abort(trx, REFUSED, "taken back");
}

/* What a nested transaction has read cannot change any more though it is taken back, also where nothing stood
 * in front of it; whoever began it may go by what he was told. */
static void nested_transaction_in_front_of_everything_keeps_its_locks(void **state)
{
    static const enum corm_isolation levels[] = {CORM_ISOLATION_DEFAULT, CORM_READ_COMMITTED,
                                                 CORM_SERIALIZABLE};
    struct corm_db                  *beyond = open_db("pool=2");
    struct corm_error                e = {0};
    struct item                      i;

    (void)state;
    beside("INSERT INTO item (id, name) VALUES (1, 'one')");
    for (size_t k = 0; k < 2 * COUNT(levels); k++) {
        struct corm_trx *trx = NULL, *foreign = NULL;
        assert_ok(corm_begin(db, &trx, .isolation = levels[k / 2], .error = &e), &e);
        assert_int_equal(corm_transact(trx, k % 2 == 0 ? read_and_refuse : write_and_refuse, &i),
                         REFUSED);
        assert_ok(corm_begin(beyond, &foreign, .error = &e), &e);
        assert_int_equal(corm_first(foreign, item, &i, .where = corm_eq(item.id, 1),
                                    .lock = CORM_FOR_UPDATE, .nowait = true),
                         CORM_LOCKED);
        corm_end(foreign);
        corm_end(trx);
    }
    assert_int_equal(number_beside("SELECT stock FROM item WHERE id = 1"), 0);
    corm_close(beyond);
}

enum { ON_MARIADB = 3 };

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(nested_writes_commit_with_the_outer_transaction),
        T(duplicate_in_a_nested_transaction_is_handled_by_the_outer_one),
        T(refusal_of_a_nested_transaction_undoes_only_its_own_writes),
        T(negative_result_of_a_nested_function_undoes_it_too),
        T(failure_in_front_of_a_savepoint_dooms_all),
        T(only_the_innermost_level_that_fails_is_undone),
        T(commit_in_a_nested_function_is_refused),
        T(savepoints_that_a_nested_function_leaves_behind_go_with_it),
        T(options_of_its_own_are_refused_for_a_nested_transaction),
        T(nested_function_cannot_undo_a_savepoint_that_is_not_its_own),
        T(same_batch_twice_reads_what_is_there),
        T(row_is_held_no_longer_when_another_table_is_written),
        T(outer_savepoint_mends_what_failed_in_front_of_an_inner_one),
        T(rollback_to_a_savepoint_undoes_what_came_after_it),
        T(rollback_to_a_savepoint_lifts_a_doom_that_came_after_it),
        T(release_keeps_what_came_after_it_and_tells_its_errors),
        T(commit_keeps_what_stands_behind_open_savepoints),
        T(calls_without_a_savepoint_and_too_many_are_misuse),
        T(rows_held_behind_a_savepoint_are_forgotten_with_it),
        T(empty_transaction_with_savepoints_sends_nothing),
        /* On MariaDB alone: */
        T(nested_insert_costs_one_round_trip),
        T(deadlock_in_a_nested_transaction_unwinds_to_the_outermost),
        T(nested_transaction_in_front_of_everything_keeps_its_locks),
    };

    support_begin(argc, argv);
    int failed = _cmocka_run_group_tests(
        "savepoint", tests, is_mariadb() ? COUNT(tests) : COUNT(tests) - ON_MARIADB, NULL, NULL);
    support_end();
    return failed;
}
