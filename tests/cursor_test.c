/* tests/cursor_test.c -- corm_each(): rows one at a time. The same on SQLite and MariaDB. */
#include "allocations.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THING(X)                                                                                   \
    X(id, int, .pk = 1)                                                                            \
    X(name, varchar(40))                                                                           \
    X(body, nullable(text))                                                                        \
    X(size, nullable(double))
CORM_MODEL(thing, THING);
CORM_DEFINE(thing, THING);

/* The same table with a shorter name. */
#define SHORT(X) X(id, int, .pk = 1) X(name, varchar(4))
CORM_MODEL_AS(brief, "thing", SHORT);
CORM_DEFINE(brief, SHORT);

#define SEEN(X) X(id, int, .pk = 1)
CORM_MODEL(seen, SEEN);
CORM_DEFINE(seen, SEEN);

#define FOUND(X) X(id, int) X(body, nullable(text)) X(n, bigint)
CORM_MODEL(found, FOUND);
CORM_DEFINE(found, FOUND);

enum { THINGS = 500, STOPPED = CORM_USER + 3 };

static struct corm_db    *db;
static struct corm_arena *arena;
static struct corm_error  error;

static char *body_of(int32_t id)
{
    static char body[60000];
    size_t      size = id % 50 == 49 ? sizeof(body) - 1 : (size_t)id % 300;

    memset(body, 'a' + id % 26, size);
    body[size] = '\0';
    return body;
}

static int set_up(void **state)
{
    struct corm_trx *trx;

    (void)state;
    db = open_db("pool=3&timeout_ms=20000");
    arena = corm_arena_new();
    assert_non_null(arena);
    memset(&error, 0, sizeof(error));
    new_table(db, thing);
    new_table(db, seen);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    for (int32_t i = 0; i < THINGS; i++) {
        char         name[20];
        struct thing t = {i, name, i % 7 == 0 ? NULL : body_of(i), {i % 3 != 0, i / 4.0}};
        (void)snprintf(name, sizeof(name), "thing %d", i);
        assert_rows(corm_insert_row(trx, thing, &t), 1, &error);
    }
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    corm_arena_free(arena);
    corm_close(db);
    return 0;
}

/* What a function of corm_each() knows. */
struct visit {
    struct thing     row;
    struct corm_trx *trx;
    int              calls, stop_at, told; /* the call that ends it, and what it returns */
    int              wrong;
};

static bool is_right(const struct thing *t)
{
    char name[20];

    (void)snprintf(name, sizeof(name), "thing %d", t->id);
    return strcmp(t->name, name) == 0 && t->size.has == (t->id % 3 != 0) &&
           (!t->size.has || t->size.value == t->id / 4.0) &&
           (t->id % 7 == 0 ? t->body == NULL
                           : t->body != NULL && strcmp(t->body, body_of(t->id)) == 0);
}

static int look(void *arg)
{
    struct visit *v = arg;

    v->wrong += !is_right(&v->row);
    return ++v->calls == v->stop_at ? v->told : 0;
}

/* ---- Rows ------------------------------------------------------------------------------- */

static void every_row_comes_once(void **state)
{
    struct visit v = {.stop_at = 0};

    (void)state;
    assert_rows(corm_each(db, thing, &v.row, look, &v, .error = &error), THINGS, &error);
    assert_int_equal(v.calls, THINGS);
    assert_int_equal(v.wrong, 0);
}

struct order_of {
    struct thing row;
    int32_t      ids[THINGS];
    int          count;
};

static int note_id(void *arg)
{
    struct order_of *o = arg;

    o->ids[o->count++] = o->row.id;
    return 0;
}

static void options_are_those_of_corm_all(void **state)
{
    static struct order_of o;
    struct thing          *rows;
    const struct thing     last = {.id = 300};

    (void)state;
    o.count = 0;
#define OPTIONS                                                                                    \
    .where = corm_and(corm_gt(thing.id, 20), corm_not_null(thing.body)),                           \
    .order = {corm_desc(thing.id)}, .after = corm_after(thing, &last), .limit = 50,                \
    .error = &error
    int n = corm_all(db, thing, &rows, OPTIONS, .arena = arena);
    assert_rows(n, 50, &error);
    assert_rows(corm_each(db, thing, &o.row, note_id, &o, OPTIONS), 50, &error);
    for (int i = 0; i < n; i++)
        assert_int_equal(o.ids[i], rows[i].id);
    assert_rows(
        corm_each(db, thing, &o.row, note_id, &o, .where = corm_lt(thing.id, 0), .error = &error),
        0, &error);
}

/* The same prepared statement serves both ways, one after the other. */
static void both_ways_take_turns(void **state)
{
    struct corm_trx *trx;

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    for (int i = 0; i < 3; i++) {
        struct visit  v = {.stop_at = i == 1 ? 7 : 0, .told = 1};
        struct thing *rows;
        assert_rows(corm_each(trx, thing, &v.row, look, &v), i == 1 ? 7 : THINGS, &error);
        assert_int_equal(v.wrong, 0);
        assert_rows(corm_all(trx, thing, &rows), THINGS, &error);
        for (int n = 0; n < THINGS; n++)
            assert_true(is_right(&rows[n]));
    }
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
}

static void tells_what_it_would_send(void **state)
{
    struct corm_sql_of of = {.dialect = CORM_DIALECT_SQLITE, .arena = arena};
    struct visit       v = {.stop_at = 0};

    (void)state;
    assert_rows(
        corm_each(&of, thing, &v.row, look, &v, .where = corm_eq(thing.id, 7), .error = &error), 0,
        &error);
    assert_string_equal(of.text, "SELECT \"id\", \"name\", \"body\", \"size\" FROM \"thing\" WHERE "
                                 "\"id\" = ?");
    assert_int_equal(v.calls, 0);
}

static int count_call(void *arg)
{
    ((struct visit *)arg)->calls++;
    return 0;
}

/* ---- Ends ---------------------------------------------------------------------------------- */

static void function_may_stop(void **state)
{
    struct visit v = {.stop_at = 3, .told = 5};
    uint64_t     connects = stats_of(db).connects;

    (void)state;
    assert_rows(corm_each(db, thing, &v.row, look, &v, .error = &error), 3, &error);
    assert_int_equal(v.calls, 3);
    v.calls = 0;
    v.stop_at = THINGS;
    assert_rows(corm_each(db, thing, &v.row, look, &v, .error = &error), THINGS, &error);
    assert_rows(corm_count(db, thing, .error = &error), THINGS, &error);
    assert_int_equal(v.wrong, 0);
    if (is_mariadb())
        assert_int_equal(stats_of(db).connects,
                         connects); /* and the connection is as good as new */
}

static void function_may_fail(void **state)
{
    struct visit v = {.stop_at = 3, .told = STOPPED};

    (void)state;
    assert_code(corm_each(db, thing, &v.row, look, &v, .error = &error), STOPPED, &error);
    assert_says(&error, "corm_each()");
    assert_int_equal(v.calls, 3);
    assert_rows(corm_count(db, thing, .error = &error), THINGS, &error);
}

static void failure_dooms_and_a_savepoint_mends(void **state)
{
    struct visit     v = {.stop_at = 3, .told = STOPPED};
    struct corm_trx *trx;

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_row(trx, seen, &((struct seen){1})), 1, &error);
    assert_ok(corm_savepoint(trx), &error);
    assert_int_equal(corm_each(trx, thing, &v.row, look, &v), STOPPED);
    assert_int_equal(corm_count(trx, thing), STOPPED);
    assert_ok(corm_savepoint_rollback(trx), &error);
    v.stop_at = 0;
    assert_rows(corm_each(trx, thing, &v.row, look, &v), THINGS, &error);
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM seen"), 1);
}

static int abort_at_five(void *arg)
{
    struct visit *v = arg;

    if (++v->calls == 5)
        corm_abort(v->trx, STOPPED, "enough of %d", v->row.id);
    return 0;
}

static int each_with_abort(struct corm_trx *trx, void *arg)
{
    struct visit *v = arg;
    int           rc = corm_insert_row(trx, seen, &((struct seen){1}));

    v->trx = trx;
    return rc < 0 ? rc : (int)corm_each(trx, thing, &v->row, abort_at_five, v);
}

static void function_may_abort(void **state)
{
    struct visit v = {.stop_at = 0};

    (void)state;
    assert_code(corm_transact(db, each_with_abort, &v, .error = &error), STOPPED, &error);
    assert_says(&error, "enough of");
    assert_int_equal(v.calls, 5);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM seen"), 0);
}

/* A row in the middle that the model cannot take: what is behind it does not disturb the next call. */
static void row_that_does_not_fit(void **state)
{
    struct brief     b;
    struct visit     v = {.stop_at = 0};
    struct corm_trx *trx;

    (void)state;
    assert_ok(
        corm_update(db, thing, corm_lt(thing.id, 9), corm_set(thing.name, "x"), .error = &error),
        &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_ok(corm_savepoint(trx), &error);
    assert_int_equal(corm_each(trx, brief, &b, count_call, &v, .order = {corm_asc(brief.id)}),
                     CORM_BAD_VALUE);
    assert_int_equal(v.calls, 9);
    assert_ok(corm_savepoint_rollback(trx), &error);
    assert_rows(corm_count(trx, thing), THINGS, &error);
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
}

/* Arrays come from the server row by row, too, while it is still reading. Whoever stops in the middle, we
 * or the server, the rest is out of the way of the next call. */
static void an_array_that_fails_halfway(void **state)
{
    struct brief    *briefs = NULL;
    struct found    *all = NULL;
    struct corm_trx *trx;
    const char      *beyond =
        is_mariadb() ? "9223372036854775807 + id" : "abs(-9223372036854775807 - 1)";
    char text[200];

    (void)state;
    (void)snprintf(
        text, sizeof(text),
        "SELECT id, body, CASE WHEN id < 400 THEN 1 ELSE %s END AS n FROM thing ORDER BY id",
        beyond);
    assert_ok(
        corm_update(db, thing, corm_lt(thing.id, 400), corm_set(thing.name, "x"), .error = &error),
        &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    for (int i = 0; i < 3; i++) {
        assert_ok(corm_savepoint(trx), &error);
        assert_int_equal(corm_all(trx, brief, &briefs, .order = {corm_asc(brief.id)}),
                         CORM_BAD_VALUE);
        assert_ok(corm_savepoint_rollback(trx), &error);
        assert_rows(corm_count(trx, thing), THINGS, &error);
        assert_ok(corm_savepoint(trx), &error);
        int rc = corm_sql_into(trx, found, &all, text, .error = &error);
        assert_true(rc < 0 && rc > CORM_TRX_GONE);
        assert_ok(corm_savepoint_rollback(trx), &error);
        assert_null(briefs);
        assert_null(all);
        assert_rows(corm_count(trx, thing), THINGS, &error);
        memset(&error, 0, sizeof(error));
    }
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
}

static int dawdle(void *arg)
{
    struct visit         *v = arg;
    const struct timespec pause = {.tv_nsec = 20000000};

    v->calls++;
    return nanosleep(&pause, NULL) < 0 ? -1 : 0;
}

/* A function that takes its time is cut off, though all rows may be there; then all is well again. */
static void deadline_counts_its_time(void **state)
{
    struct corm_db *hasty = open_db("pool=2&timeout_ms=200");
    struct visit    v = {.stop_at = 0};
    int             connects;

    (void)state;
    assert_rows(corm_count(hasty, thing, .error = &error), THINGS, &error);
    connects = (int)stats_of(hasty).connects;
    assert_code(corm_each(hasty, thing, &v.row, dawdle, &v, .error = &error), CORM_DEADLINE,
                &error);
    assert_true(v.calls > 0 && v.calls < 100);
    memset(&error, 0, sizeof(error));
    assert_rows(corm_count(hasty, thing, .error = &error), THINGS, &error);
    assert_true((int)stats_of(hasty).connects > connects);
    corm_close(hasty);
}

/* ---- What its function may call -------------------------------------------------------------- */

static int nothing(struct corm_trx *trx, void *arg)
{
    (void)trx, (void)arg;
    return 0;
}

/* How many calls on the transaction were not refused, or doomed it. */
static int call_all(void *arg)
{
    struct visit *v = arg;
    struct thing  t;
    struct seen   s = {7};
    struct visit  inner = {.stop_at = 0};

    v->calls++;
#define BUSY(call) v->wrong += (call) != CORM_MISUSE || corm_trx_error(v->trx)->code != 0
    BUSY(corm_first(v->trx, thing, &t));
    BUSY(corm_count(v->trx, thing));
    BUSY(corm_each(v->trx, thing, &inner.row, look, &inner));
    BUSY(corm_insert_row(v->trx, seen, &s));
    BUSY(corm_insert_rows(v->trx, seen, 1, &s));
    BUSY(corm_upsert(v->trx, seen, &s));
    BUSY(corm_update(v->trx, thing, corm_everything(), corm_set(thing.name, "x")));
    BUSY(corm_delete(v->trx, thing, corm_everything()));
    BUSY(corm_sql(v->trx, NULL, "DELETE FROM thing"));
    BUSY(corm_savepoint(v->trx));
    BUSY(corm_savepoint_release(v->trx));
    BUSY(corm_savepoint_rollback(v->trx));
    BUSY(corm_transact(v->trx, nothing, NULL));
    BUSY(corm_commit(v->trx));
    BUSY(corm_rollback(v->trx));
    BUSY(corm_start(v->trx));
    corm_end(v->trx);
    return 0;
}

static void its_transaction_is_busy(void **state)
{
    struct visit v = {.stop_at = 0};

    (void)state;
    assert_ok(corm_begin(db, &v.trx, .error = &error), &error);
    assert_rows(corm_insert_row(v.trx, seen, &((struct seen){1})), 1, &error);
    assert_ok(corm_savepoint(v.trx), &error);
    assert_rows(corm_each(v.trx, thing, &v.row, call_all, &v, .where = corm_lt(thing.id, 3)), 3,
                &error);
    assert_int_equal(v.calls, 3);
    assert_int_equal(v.wrong, 0);
    assert_rows(corm_insert_row(v.trx, seen, &((struct seen){2})), 1, &error);
    assert_ok(corm_commit(v.trx), &error);
    corm_end(v.trx);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM seen"), 2);
    assert_rows(corm_count(db, thing, .error = &error), THINGS, &error);
}

static int note_seen(void *arg)
{
    struct visit *v = arg;

    v->calls++;
    return corm_insert_row(db, seen, &((struct seen){v->row.id}), .error = &error) < 0 ? STOPPED
                                                                                       : 0;
}

static void the_db_is_free(void **state)
{
    struct visit v = {.stop_at = 0};

    (void)state;
    assert_rows(corm_each(db, thing, &v.row, note_seen, &v, .where = corm_lt(thing.id, 20)), 20,
                &error);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM seen"), 20);
}

/* Rows that are locked while they stream stay locked, and updates of them are counted truly. */
static void rows_may_be_locked(void **state)
{
    struct visit     v = {.stop_at = 0};
    struct corm_trx *trx, *other;
    struct thing     t;

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_each(trx, thing, &v.row, look, &v, .where = corm_lt(thing.id, 3),
                          .lock = CORM_FOR_UPDATE),
                3, &error);
    assert_ok(corm_begin(db, &other, .error = &error), &error);
    assert_int_equal(corm_first(other, thing, &t, .where = corm_eq(thing.id, 2),
                                .lock = CORM_FOR_UPDATE, .nowait = true),
                     CORM_LOCKED);
    corm_end(other);
    assert_rows(corm_update(trx, thing, corm_eq(thing.id, 2), corm_set(thing.name, "x")), 1,
                &error);
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    memset(&error, 0, sizeof(error));
    assert_code(corm_each(db, thing, &v.row, look, &v, .lock = CORM_FOR_UPDATE, .error = &error),
                CORM_MISUSE, &error);
}

static void what_it_does_not_take(void **state)
{
    struct visit     v = {.stop_at = 0};
    int64_t          total;
    struct corm_trx *trx;

    (void)state;
    assert_code(corm_each(db, thing, &v.row, look, &v, .total = &total, .error = &error),
                CORM_MISUSE, &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_int_equal(corm_each(trx, thing, &v.row, look, &v, .total = &total), CORM_MISUSE);
    assert_int_equal(corm_count(trx, thing), CORM_MISUSE); /* doomed, as by any other */
    corm_end(trx);
    assert_int_equal(v.calls, 0);
}

/* ---- A million ---------------------------------------------------------------------------------- */

enum { MILLION = 1000000 };

struct adding {
    struct thing row;
    int64_t      sum;
    long first, last; /* allocations of the whole program at the 1,000th and at the last row */
    int  count;
};

static int add_up(void *arg)
{
    struct adding *a = arg;

    a->sum += a->row.id + (int64_t)strlen(a->row.name);
    if (++a->count == 100000)
        a->first = allocations_of_all();
    a->last = allocations_of_all();
    return 0;
}

static void a_million_rows_take_the_memory_of_one(void **state)
{
    struct corm_trx *trx;

    (void)state;
    beside("DELETE FROM thing");
    if (is_mariadb())
        beside(
            "INSERT INTO thing (id, name) SELECT seq, CONCAT('a thing with the name ', seq) FROM "
            "seq_1_to_1000000");
    else
        beside("WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 1000000) "
               "INSERT INTO thing (id, name) SELECT i, 'a thing with the name ' || i FROM s");
    long long wanted = number_beside("SELECT SUM(id) + SUM(LENGTH(name)) FROM thing");
    for (int in_trx = 0; in_trx < 2; in_trx++) {
        struct adding a = {.sum = 0};
        int64_t       n;
        if (in_trx) {
            assert_ok(corm_begin(db, &trx, .read_only = true, .error = &error), &error);
            n = corm_each(trx, thing, &a.row, add_up, &a);
            corm_end(trx);
        } else {
            n = corm_each(db, thing, &a.row, add_up, &a, .error = &error);
        }
        assert_rows(n, MILLION, &error);
        assert_int_equal(a.sum, wanted);
        assert_true(a.last - a.first < 20); /* of corm and the client library, for 900,000 rows */
    }
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(every_row_comes_once),
        TEST(options_are_those_of_corm_all),
        TEST(both_ways_take_turns),
        TEST(tells_what_it_would_send),
        TEST(function_may_stop),
        TEST(function_may_fail),
        TEST(failure_dooms_and_a_savepoint_mends),
        TEST(function_may_abort),
        TEST(row_that_does_not_fit),
        TEST(an_array_that_fails_halfway),
        TEST(deadline_counts_its_time),
        TEST(its_transaction_is_busy),
        TEST(the_db_is_free),
        TEST(rows_may_be_locked),
        TEST(what_it_does_not_take),
        TEST(a_million_rows_take_the_memory_of_one),
    };

    support_begin(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    support_end();
    return failed;
}
