/* tests/optimistic_test.c -- corm_update_row(): rows that are written as they were read, and rows with
 * a version, which notice that somebody else was faster. The same on SQLite and MariaDB.
 *
 * A copy of a row that was read on the db is what a transaction finds stale; so it is the same on
 * SQLite, where nobody can write while a transaction that may write is open. */
#include "support.h"

#include <limits.h>
#include <stdio.h>

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(name, varchar(20), .unique = 1)                                                              \
    X(stock, int)                                                                                  \
    X(version, int, .version = 1)
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

/* A key of two columns, one of them a text; a large version that begins elsewhere. */
#define SEAT(X)                                                                                    \
    X(changes, bigint, .version = 1, .deflt = "100", .sql_name = "row changes")                    \
    X(block, varchar(10), .pk = 1)                                                                 \
    X(holder, nullable(varchar(20)))                                                               \
    X(number, int, .pk = 1)
CORM_MODEL(seat, SEAT);
CORM_DEFINE(seat, SEAT);

/* Without a version. */
#define NOTE(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(body, text)                                                                                  \
    X(seen, int)
CORM_MODEL(note, NOTE);
CORM_DEFINE(note, NOTE);

/* Models that cannot be. */
#define UNSURE(X)                                                                                  \
    X(id, int, .pk = 1)                                                                            \
    X(version, nullable(int), .version = 1)
CORM_MODEL(unsure, UNSURE);
CORM_DEFINE(unsure, UNSURE);

enum { CHANGED = CORM_USER + 3 };

/* Long enough for a first attempt on a machine that is busy. */
enum { TIMEOUT_MS = 500 };

static struct corm_db    *db;
static struct corm_arena *arena;

/* ---- Helpers --------------------------------------------------------------------------- */

/* What was sent; the hook of `db`. */
static struct {
    pthread_mutex_t mutex; /* for the hook; the tests look when no other thread runs */
    int             events;
    char            text[600];
} sent = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void note_event(const struct corm_event *event, void *arg)
{
    (void)arg;
    pthread_mutex_lock(&sent.mutex);
    sent.events++;
    (void)snprintf(sent.text, sizeof(sent.text), "%s", event->text);
    pthread_mutex_unlock(&sent.mutex);
}

static int set_up(void **state)
{
    (void)state;
    db = open_watched("pool=9&timeout_ms=20000", note_event, NULL);
    arena = corm_arena_new();
    assert_non_null(arena);
    new_table(db, item);
    new_table(db, seat);
    new_table(db, note);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    corm_arena_free(arena);
    corm_close(db);
    return 0;
}

static void make_item(int32_t id, const char *name, int32_t stock)
{
    struct corm_error e = {0};

    assert_rows(corm_insert(db, item, corm_set(item.id, id), corm_set(item.name, name),
                            corm_set(item.stock, stock), .error = &e),
                1, &e);
}

static struct item item_of(int32_t id)
{
    struct corm_error e = {0};
    struct item       row = {0};

    assert_rows(
        corm_first(db, item, &row, .where = corm_eq(item.id, id), .arena = arena, .error = &e), 1,
        &e);
    return row;
}

/* What the database itself holds. */
static void check_item(int32_t id, const char *name, int stock, int version)
{
    assert_int_equal(number_beside("SELECT COUNT(*) FROM item WHERE id = %d AND name = '%s' AND "
                                   "stock = %d AND version = %d",
                                   id, name, stock, version),
                     1);
}

/* A copy of item 1 that somebody else's update has made stale. */
static struct item stale_item(void)
{
    struct corm_error e = {0};
    struct item       copy, other;

    make_item(1, "bolt", 10);
    copy = other = item_of(1);
    other.stock = 9;
    assert_rows(corm_update_row(db, item, &other, .error = &e), 1, &e);
    return copy;
}

static struct corm_trx *begin(struct corm_error *e)
{
    struct corm_trx *trx;

    assert_ok(corm_begin(db, &trx, .isolation = CORM_READ_COMMITTED, .error = e), e);
    return trx;
}

/* ---- What is counted ---------------------------------------------------------------------- */

static void version_counts_up_in_the_row_and_in_the_database(void **state)
{
    struct corm_error e = {0};
    struct item       row;

    (void)state;
    make_item(1, "bolt", 10);
    make_item(2, "nut", 20);
    check_item(1, "bolt", 10, 0);
    row = item_of(1);
    for (int i = 1; i <= 3; i++) { /* it need not be read again */
        row.stock -= 2;
        row.name = i == 3 ? "screw" : "bolt";
        assert_rows(corm_update_row(db, item, &row, .error = &e), 1, &e);
        assert_int_equal(row.version, i);
        check_item(1, row.name, 10 - 2 * i, i);
    }
    check_item(2, "nut", 20, 0);
    assert_rows(corm_update_row(db, item, &row, .error = &e), 1, &e); /* nothing but the version */
    check_item(1, "screw", 4, 4);
}

static void row_is_inserted_with_its_version_and_without_it_gets_the_default(void **state)
{
    struct corm_error e = {0};
    struct seat       seats[2] = {{.block = "a", .number = 1, .changes = INT64_C(1) << 40},
                                  {.block = "a", .number = 2, .changes = -1}};

    (void)state;
    assert_rows(corm_insert_row(db, seat, &seats[0], .error = &e), 1, &e);
    assert_rows(corm_insert_rows(db, seat, 1, (seats + 1), .error = &e), 1, &e);
    assert_rows(
        corm_insert(db, seat, corm_set(seat.block, "b"), corm_set(seat.number, 1), .error = &e), 1,
        &e);
    for (int i = 0; i < 2; i++) {
        seats[i].holder = "ann";
        assert_rows(corm_update_row(db, seat, &seats[i], .error = &e), 1, &e);
    }
    assert_true(seats[0].changes == (INT64_C(1) << 40) + 1 && seats[1].changes == 0);
    assert_rows(corm_count(db, seat,
                           .where = corm_and(corm_eq(seat.changes, (INT64_C(1) << 40) + 1),
                                             corm_eq(seat.number, 1), corm_eq(seat.holder, "ann"))),
                1, &e);
    assert_rows(
        corm_count(db, seat, .where = corm_and(corm_eq(seat.changes, 0), corm_eq(seat.number, 2))),
        1, &e);
    assert_rows(corm_count(db, seat,
                           .where = corm_and(corm_eq(seat.changes, 100), corm_eq(seat.block, "b"),
                                             corm_is_null(seat.holder))),
                1, &e);
}

/* Who has read a row notices also what was not written by a row. */
static void every_update_counts_up(void **state)
{
    struct corm_error e = {0};
    struct corm_trx  *trx = begin(&e);
    struct item       row;

    (void)state;
    make_item(1, "bolt", 10);
    make_item(2, "nut", 20);
    row = item_of(1);
    assert_rows(corm_update(db, item, corm_everything(), corm_add(item.stock, 1), .error = &e), 2,
                &e);
    check_item(1, "bolt", 11, 1);
    check_item(2, "nut", 21, 1);
    assert_code(corm_update_row(db, item, &row, .error = &e), CORM_STALE, &e);

    e = (struct corm_error){0};
    row = item_of(2);
    assert_rows(corm_first(trx, item, &row, .where = corm_eq(item.id, 2), .lock = CORM_FOR_UPDATE),
                1, &e);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 2), corm_set(item.stock, 30)), 1, &e);
    assert_rows(
        corm_update(trx, item, corm_eq(item.id, 2), corm_set(item.stock, 31), .later = true), 0,
        &e);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    check_item(2, "nut", 31, 3); /* buffered ones too */
    assert_code(corm_update_row(db, item, &row, .error = &e), CORM_STALE, &e);
    check_item(2, "nut", 31, 3);
}

static void version_at_its_end_is_an_error_and_does_not_wrap(void **state)
{
    struct corm_error e = {0};
    struct item       row = {.id = 1, .name = "bolt", .stock = 10, .version = INT32_MAX - 1};
    struct seat       last = {.block = "a", .number = 1, .changes = INT64_MAX};

    (void)state;
    assert_rows(corm_insert_row(db, item, &row, .error = &e), 1, &e);
    assert_rows(corm_update_row(db, item, &row, .error = &e), 1, &e);
    check_item(1, "bolt", 10, INT32_MAX);
    row.stock = 9;
    assert_code(corm_update_row(db, item, &row, .error = &e), CORM_OUT_OF_RANGE, &e);
    assert_int_equal(row.version, INT32_MAX);
    assert_says(&e, "column version of table item");
    e = (struct corm_error){0};
    assert_code(corm_update(db, item, corm_everything(), corm_set(item.stock, 8), .error = &e),
                CORM_OUT_OF_RANGE, &e);
    check_item(1, "bolt", 10, INT32_MAX);

    e = (struct corm_error){0};
    assert_rows(corm_insert_row(db, seat, &last, .error = &e), 1, &e);
    assert_code(corm_update_row(db, seat, &last, .error = &e), CORM_OUT_OF_RANGE, &e);
    assert_true(last.changes == INT64_MAX);
    e = (struct corm_error){0};
    assert_code(corm_update(db, seat, corm_everything(), corm_set(seat.holder, "ann"), .error = &e),
                CORM_OUT_OF_RANGE, &e);
    assert_rows(
        corm_count(db, seat,
                   .where = corm_and(corm_eq(seat.changes, INT64_MAX), corm_is_null(seat.holder))),
        1, &e);
}

/* ---- Who comes second ---------------------------------------------------------------------- */

static void second_of_two_that_read_the_same_row_is_stale(void **state)
{
    struct corm_error e = {0};
    struct item       first, second;
    struct corm_trx  *trx;

    (void)state;
    make_item(1, "bolt", 10);
    first = second = item_of(1);
    trx = begin(&e);
    first.stock = 7;
    assert_rows(corm_update_row(trx, item, &first), 1, &e);
    assert_ok(corm_commit(trx), &e);

    assert_ok(corm_start(trx), &e);
    second.stock = 3;
    int line = __LINE__ + 1;
    assert_int_equal(corm_update_row(trx, item, &second), CORM_STALE);
    assert_code(CORM_STALE, CORM_STALE, &e);
    assert_place(&e, line);
    assert_says(&e, "table item");
    assert_says(&e, "changed or deleted");
    assert_says(&e, corm_code_cure(CORM_STALE));
    assert_int_equal(second.version, 0);
    assert_int_equal(second.stock, 3);
    corm_end(trx);
    check_item(1, "bolt", 7, 1);
}

static void stale_row_outside_a_transaction_is_told_and_changes_nothing(void **state)
{
    struct corm_error e = {0};
    struct item       copy = stale_item();

    (void)state;
    copy.stock = 1;
    int line = __LINE__ + 1;
    assert_code(corm_update_row(db, item, &copy, .error = &e), CORM_STALE, &e);
    assert_place(&e, line);
    assert_int_equal(e.server_code, 0);
    assert_int_equal(copy.version, 0);
    assert_int_equal(corm_update_row(db, item, &copy),
                     CORM_STALE); /* without a place for details */
    check_item(1, "bolt", 9, 1);
    copy = item_of(1);
    copy.stock = 8;
    assert_rows(corm_update_row(db, item, &copy, .error = &e), 1, &e);
    check_item(1, "bolt", 8, 2);
}

static void row_that_was_deleted_is_stale_too(void **state)
{
    struct corm_error e = {0};
    struct item       copy;
    struct corm_trx  *trx = begin(&e);

    (void)state;
    make_item(1, "bolt", 10);
    copy = item_of(1);
    assert_rows(corm_delete(db, item, corm_eq(item.id, 1), .error = &e), 1, &e);
    assert_code(corm_update_row(db, item, &copy, .error = &e), CORM_STALE, &e);
    assert_says(&e, "deleted");
    assert_code(corm_update_row(trx, item, &copy), CORM_STALE, &e);
    corm_end(trx);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM item"), 0);

    make_item(1, "bolt", 10); /* with this version, and yet another one: that nobody can know */
    assert_rows(corm_update_row(db, item, &copy, .error = &e), 1, &e);
}

static void other_failures_leave_the_version_alone(void **state)
{
    struct corm_error e = {0};
    struct item       row;

    (void)state;
    make_item(1, "bolt", 10);
    make_item(2, "nut", 20);
    row = item_of(1);
    row.name = "nut";
    assert_code(corm_update_row(db, item, &row, .error = &e), CORM_DUPLICATE, &e);
    e = (struct corm_error){0};
    row.name = NULL;
    assert_code(corm_update_row(db, item, &row, .error = &e), CORM_NULL_REFUSED, &e);
    e = (struct corm_error){0};
    row.name = "012345678901234567890";
    assert_code(corm_update_row(db, item, &row, .error = &e), CORM_TOO_LONG, &e);
    assert_int_equal(row.version, 0);
    check_item(1, "bolt", 10, 0);
    row.name = "washer";
    assert_rows(corm_update_row(db, item, &row, .error = &e), 1, &e);
}

static void impossible_version_is_told_at_first_use(void **state)
{
    struct corm_error e = {0};
    struct unsure     row = {.id = 1};

    (void)state;
    assert_code(corm_create_table(db, unsure, .error = &e), CORM_MISUSE, &e);
    assert_says(&e, "unsure.version has .version: it must be int or bigint");
    e = (struct corm_error){0};
    assert_code(corm_update_row(db, unsure, &row, .error = &e), CORM_MISUSE, &e);
    assert_says(&e, "unsure.version has .version");
    e = (struct corm_error){0};
    assert_code(corm_update(db, unsure, corm_everything(), corm_set(unsure.id, 2), .error = &e),
                CORM_MISUSE, &e);
    assert_says(&e, "unsure.version has .version");
}

/* ---- In transactions ------------------------------------------------------------------------ */

static void stale_row_dooms_an_explicit_transaction(void **state)
{
    struct corm_error e = {0};
    struct item       copy = stale_item();
    struct corm_trx  *trx = begin(&e);

    (void)state;
    assert_rows(corm_insert_row(trx, item, &(struct item){.id = 2, .name = "nut", .stock = 1}), 1,
                &e);
    assert_int_equal(corm_update_row(trx, item, &copy), CORM_STALE);
    assert_int_equal(corm_count(trx, item), CORM_STALE);
    assert_int_equal(corm_update_row(trx, item, &copy), CORM_STALE);
    assert_code(corm_commit(trx), CORM_STALE, &e);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM item"), 1);

    assert_ok(corm_start(trx), &e);
    e = (struct corm_error){0};
    assert_rows(corm_first(trx, item, &copy, .where = corm_eq(item.id, 1)), 1, &e);
    copy.stock = 2;
    assert_rows(corm_update_row(trx, item, &copy), 1, &e);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    check_item(1, "bolt", 2, 2);
}

static int forgets_to_look(struct corm_trx *trx, void *arg)
{
    struct item *copy = arg;

    (void)corm_insert_row(trx, item, &(struct item){.id = 2, .name = "nut"});
    (void)corm_update_row(trx, item, copy);
    return 0;
}

static void function_that_forgets_to_look_commits_nothing(void **state)
{
    struct corm_error e = {0};
    struct item       copy = stale_item();

    (void)state;
    assert_code(corm_transact(db, forgets_to_look, &copy, .timeout_ms = TIMEOUT_MS, .error = &e),
                CORM_STALE, &e);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM item"), 1);
    check_item(1, "bolt", 9, 1);
}

static int write_copy(struct corm_trx *trx, void *arg)
{
    int rc = corm_insert_row(trx, item, &(struct item){.id = 3, .name = "washer"});

    return rc < 0 ? rc : corm_update_row(trx, item, (struct item *)arg);
}

/* Tries what it was given; if that is stale, reads again and writes that. */
static int try_then_read(struct corm_trx *trx, void *arg)
{
    struct item      *copy = arg, fresh;
    struct corm_error e = {0};
    int               rc = corm_insert_row(trx, item, &(struct item){.id = 2, .name = "nut"});

    if (rc < 0)
        return rc;
    rc = corm_transact(trx, write_copy, copy, .error = &e);
    if (rc != CORM_STALE || e.code != CORM_STALE)
        return corm_abort(trx, CHANGED, "it returned %d (%s)", rc, e.message);
    rc = corm_first(trx, item, &fresh, .where = corm_eq(item.id, copy->id));
    if (rc != 1)
        return rc;
    fresh.stock = copy->stock;
    return corm_update_row(trx, item, &fresh);
}

static void nested_transaction_mends_a_stale_row(void **state)
{
    struct corm_error e = {0};
    struct item       copy = stale_item();

    (void)state;
    copy.stock = 5;
    assert_rows(corm_transact(db, try_then_read, &copy, .error = &e), 1, &e);
    check_item(1, "bolt", 5, 2);
    check_item(2, "nut", 0, 0);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM item"), 2); /* the washer is undone */
    assert_int_equal(stats_of(db).attempts, 1);
}

static void savepoint_mends_a_stale_row(void **state)
{
    struct corm_error e = {0};
    struct item       copy = stale_item();
    struct corm_trx  *trx = begin(&e);

    (void)state;
    assert_rows(corm_insert_row(trx, item, &(struct item){.id = 2, .name = "nut"}), 1, &e);
    assert_ok(corm_savepoint(trx), &e);
    assert_rows(corm_insert_row(trx, item, &(struct item){.id = 3, .name = "washer"}), 1, &e);
    assert_int_equal(corm_update_row(trx, item, &copy), CORM_STALE);
    assert_ok(corm_savepoint_rollback(trx), &e);
    assert_rows(corm_first(trx, item, &copy, .where = corm_eq(item.id, 1)), 1, &e);
    copy.stock = 4;
    assert_rows(corm_update_row(trx, item, &copy), 1, &e);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    check_item(1, "bolt", 4, 2);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM item"), 2);
}

/* Of the struct nothing is taken back: who has rolled back reads again. */
static void row_is_read_again_after_a_rollback(void **state)
{
    struct corm_error e = {0};
    struct corm_trx  *trx = begin(&e);
    struct item       row;

    (void)state;
    make_item(1, "bolt", 10);
    row = item_of(1);
    assert_rows(corm_update_row(trx, item, &row), 1, &e);
    assert_rows(corm_update_row(trx, item, &row), 1, &e);
    assert_ok(corm_rollback(trx), &e);
    corm_end(trx);
    check_item(1, "bolt", 10, 0);
    assert_int_equal(row.version, 2);
    assert_code(corm_update_row(db, item, &row, .error = &e), CORM_STALE, &e);
}

static void read_only_transaction_refuses_it(void **state)
{
    struct corm_error e = {0};
    struct corm_trx  *trx;
    struct item       row = {.id = 1, .name = "bolt"};

    (void)state;
    assert_ok(corm_begin(db, &trx, .read_only = true, .error = &e), &e);
    assert_code(corm_update_row(trx, item, &row), CORM_READ_ONLY, &e);
    corm_end(trx);
}

/* ---- When it is sent --------------------------------------------------------------------------- */

static void row_with_a_version_is_sent_at_the_call(void **state)
{
    struct corm_error e = {0};
    struct corm_trx  *trx = begin(&e);
    struct item       row;

    (void)state;
    make_item(1, "bolt", 10);
    assert_rows(corm_first(trx, item, &row, .where = corm_eq(item.id, 1), .lock = CORM_FOR_UPDATE),
                1, &e);
    sent.events = 0;
    row.stock = 3;
    assert_rows(corm_update_row(trx, item, &row), 1, &e); /* although the row is held */
    assert_int_equal(sent.events, 1);
    assert_non_null(strstr(sent.text, "UPDATE"));
    row.version = 0;
    assert_int_equal(corm_update_row(trx, item, &row), CORM_STALE);
    corm_end(trx);

    trx = begin(&e);
    e = (struct corm_error){0};
    assert_code(corm_update_row(trx, item, &row, .later = true), CORM_MISUSE, &e);
    assert_says(&e, ".later");
    corm_end(trx);
    assert_code(corm_update_row(db, note, (&(struct note){.id = 1, .body = "x"}), .later = true,
                                .error = &e),
                CORM_MISUSE, &e);
}

static void row_without_a_version_is_written_whatever_it_was(void **state)
{
    struct corm_error e = {0};
    struct note       row = {.id = 1, .body = "one", .seen = 1}, copy = row;
    struct corm_trx  *trx = begin(&e);

    (void)state;
    assert_rows(corm_update_row(db, note, &row, .error = &e), 0, &e); /* there is none */
    assert_rows(corm_update_row(trx, note, &row), 0, &e);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    assert_rows(corm_insert_row(db, note, &row, .error = &e), 1, &e);
    assert_rows(corm_insert_row(db, note, &(struct note){.id = 2, .body = "two"}, .error = &e), 1,
                &e);
    row.seen = 2;
    assert_rows(corm_update_row(db, note, &row, .error = &e), 1, &e);
    assert_rows(corm_update_row(db, note, &row, .error = &e), 1, &e); /* matched, not changed */
    copy.body = "three";
    assert_rows(corm_update_row(db, note, &copy, .error = &e), 1, &e);
    assert_int_equal(
        number_beside("SELECT COUNT(*) FROM note WHERE id = 1 AND body = 'three' AND seen = 1"), 1);
    assert_int_equal(
        number_beside("SELECT COUNT(*) FROM note WHERE id = 2 AND body = 'two' AND seen = 0"), 1);
}

static void held_row_without_a_version_is_buffered(void **state)
{
    struct corm_error e = {0};
    char              body[] = "new";
    struct note       row = {.id = 1, .body = "one"};
    struct corm_trx  *trx = begin(&e);

    (void)state;
    assert_rows(corm_insert_row(db, note, &row, .error = &e), 1, &e);
    assert_rows(corm_first(trx, note, &row, .where = corm_eq(note.id, 1), .lock = CORM_FOR_UPDATE),
                1, &e);
    sent.events = 0;
    row.body = body;
    assert_rows(corm_update_row(trx, note, &row), 1, &e);
    row.seen = 7;
    assert_rows(corm_update_row(trx, note, &row), 1, &e); /* it is still held */
    assert_int_equal(sent.events, 0);
    memset(body, '#', 3); /* it was copied at the call */
    row.id = 2;
    assert_rows(corm_update_row(trx, note, &row), 0, &e); /* one that is not held is asked for */
    assert_true(sent.events > 0);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM note WHERE body = 'new' AND seen = 7"), 1);
}

/* A trigger or a cascade of it may have removed what was held: the count must be true. */
static void row_that_is_not_held_makes_others_forgotten(void **state)
{
    struct corm_error e = {0};
    struct note       row = {.id = 1, .body = "one"}, other = {.id = 2, .body = "two"};
    struct corm_trx  *trx = begin(&e);

    (void)state;
    assert_rows(corm_insert_row(db, note, &row, .error = &e), 1, &e);
    assert_rows(corm_insert_row(db, note, &other, .error = &e), 1, &e);
    assert_rows(corm_first(trx, note, &row, .where = corm_eq(note.id, 1), .lock = CORM_FOR_UPDATE),
                1, &e);
    assert_rows(corm_update_row(trx, note, &other), 1, &e);
    sent.events = 0;
    assert_rows(corm_update_row(trx, note, &row), 1, &e);
    assert_int_equal(sent.events, 1);
    corm_end(trx);
}

static void row_without_a_version_may_be_sent_later(void **state)
{
    struct corm_error e = {0};
    char              body[] = "new";
    struct note       row = {.id = 1, .body = body};
    struct corm_trx  *trx = begin(&e);

    (void)state;
    assert_rows(corm_insert_row(db, note, &row, .error = &e), 1, &e);
    sent.events = 0;
    row.seen = 5;
    assert_rows(corm_update_row(trx, note, &row, .later = true), 0, &e);
    assert_int_equal(sent.events, 0);
    memset(body, '#', 3);
    assert_ok(corm_commit(trx), &e);
    corm_end(trx);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM note WHERE body = 'new' AND seen = 5"), 1);
}

/* ---- Functions that run again -------------------------------------------------------------------- */

struct trial {
    struct item row; /* what the first attempt writes */
    uint32_t    attempts;
    uint32_t    give_up_at;    /* the attempt that refuses; 0: none does */
    int         then;          /* what the second attempt returns instead of writing; 0: it reads */
    int64_t     wait_until_ms; /* the attempt behind these does not go on before that */
};

static int write_what_it_has_first(struct corm_trx *trx, void *arg)
{
    struct trial *t = arg;
    struct item   row = t->row;
    int           rc;

    t->attempts = corm_attempt(trx);
    if (t->attempts == (t->then != 0 ? 3 : 2))
        while (now_ms() < t->wait_until_ms)
            continue;
    if (t->attempts == t->give_up_at)
        return corm_abort(trx, CHANGED, "it was changed meanwhile");
    if (t->attempts == 2 && t->then != 0)
        return t->then;
    if (t->attempts > 1) {
        rc = corm_first(trx, item, &row, .where = corm_eq(item.id, row.id));
        if (rc < 1)
            return rc;
        row.stock = t->row.stock;
    }
    return corm_update_row(trx, item, &row);
}

static void function_runs_again_after_a_stale_row(void **state)
{
    struct corm_error e = {0};
    struct trial      t = {.row = stale_item()};

    (void)state;
    t.row.stock = 6;
    assert_rows(corm_transact(db, write_what_it_has_first, &t, .error = &e), 1, &e);
    assert_int_equal(e.code, 0);
    assert_int_equal(t.attempts, 2);
    assert_int_equal(stats_of(db).attempts, 2);
    check_item(1, "bolt", 6, 2);
}

static void function_may_give_up_by_its_attempts(void **state)
{
    struct corm_error e = {0};
    struct trial      t = {.row = stale_item(), .give_up_at = 2};

    (void)state;
    assert_code(corm_transact(db, write_what_it_has_first, &t, .error = &e), CHANGED, &e);
    assert_int_equal(e.attempts, 2);
    check_item(1, "bolt", 9, 1);
}

static int write_what_it_has(struct corm_trx *trx, void *arg)
{
    struct trial *t = arg;
    struct item   row = t->row;

    t->attempts = corm_attempt(trx);
    return corm_update_row(trx, item, &row);
}

static void deadline_ends_it_and_the_caller_is_told_why(void **state)
{
    struct corm_error e = {0};
    struct trial      t = {.row = stale_item()};

    (void)state;
    assert_code(corm_transact(db, write_what_it_has, &t, .timeout_ms = TIMEOUT_MS, .error = &e),
                CORM_STALE, &e);
    assert_says(&e, "table item");
    assert_true(t.attempts > 1);
    assert_true(e.attempts >= t.attempts); /* one may have had no time to call the function */
    check_item(1, "bolt", 9, 1);
}

/* The deadline falls into an attempt that would have gone well. */
static void deadline_in_an_attempt_after_a_stale_one_is_stale_too(void **state)
{
    struct corm_error e = {0};
    struct trial      t = {.row = stale_item(), .wait_until_ms = now_ms() + 3 * TIMEOUT_MS / 2};

    (void)state;
    assert_code(
        corm_transact(db, write_what_it_has_first, &t, .timeout_ms = TIMEOUT_MS, .error = &e),
        CORM_STALE, &e);
    assert_int_equal(t.attempts, 2);
    assert_says(&e, "table item");
    check_item(1, "bolt", 9, 1);
}

/* What the function itself says is not taken for the deadline's. */
static void codes_of_the_function_stay_its_own(void **state)
{
    static const int codes[] = {CORM_TIMEOUT, CORM_MISUSE, CORM_USER + 9};
    struct item      copy = stale_item();

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        struct corm_error e = {0};
        struct trial      t = {.row = copy, .then = codes[i]};
        assert_code(corm_transact(db, write_what_it_has_first, &t, .error = &e), codes[i], &e);
        assert_int_equal(t.attempts, 2);
    }
    struct corm_error e = {0};
    struct trial      late = {
             .row = copy, .give_up_at = 2, .wait_until_ms = now_ms() + 3 * TIMEOUT_MS / 2};
    assert_code(
        corm_transact(db, write_what_it_has_first, &late, .timeout_ms = TIMEOUT_MS, .error = &e),
        CHANGED, &e);
}

/* Stale, then a deadlock, then too late: what came last before the deadline was no stale row. */
static void deadline_after_another_failure_is_a_timeout(void **state)
{
    struct corm_error e = {0};
    struct trial      t = {
             .row = stale_item(), .then = CORM_DEADLOCK, .wait_until_ms = now_ms() + 3 * TIMEOUT_MS / 2};

    (void)state;
    assert_code(
        corm_transact(db, write_what_it_has_first, &t, .timeout_ms = TIMEOUT_MS, .error = &e),
        CORM_TIMEOUT, &e);
    assert_int_equal(t.attempts, 3);
    check_item(1, "bolt", 9, 1);
}

static int come_too_late(struct corm_trx *trx, void *arg)
{
    struct trial *t = arg;

    t->attempts = corm_attempt(trx);
    while (now_ms() < t->wait_until_ms)
        continue;
    return corm_update_row(trx, item, &t->row);
}

static void deadline_without_a_stale_row_is_a_timeout(void **state)
{
    struct corm_error e = {0};
    struct trial      t = {.row = stale_item(), .wait_until_ms = now_ms() + 3 * TIMEOUT_MS / 2};

    (void)state;
    assert_code(corm_transact(db, come_too_late, &t, .timeout_ms = TIMEOUT_MS, .error = &e),
                CORM_TIMEOUT, &e);
    assert_int_equal(t.attempts, 1);
}

/* ---- Many at once ----------------------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 50 };

struct worker {
    int      number;
    int      failed; /* the first code that may not be */
    int      wrong;  /* answers that fit no attempt */
    uint32_t stale;
    void (*one)(struct worker *worker);
    enum corm_isolation isolation;
};

static int increment(struct corm_trx *trx, void *arg)
{
    struct item row;
    int         rc = corm_first(trx, item, &row, .where = corm_eq(item.id, 1));

    (void)arg;
    if (rc != 1)
        return rc < 0 ? rc : corm_abort(trx, CHANGED, "it is gone");
    row.stock++;
    return corm_update_row(trx, item, &row);
}

static void keep(struct worker *worker, int rc)
{
    if (rc < 0 && worker->failed == 0)
        worker->failed = rc;
    if (rc == 0 || rc > 1)
        worker->wrong++;
}

static void by_a_function(struct worker *worker)
{
    keep(worker, corm_transact(db, increment, NULL, .isolation = worker->isolation));
}

/* Any number of tries: another one was faster each time. */
static void by_single_statements(struct worker *worker)
{
    struct corm_arena *own = corm_arena_new();
    struct item        row;
    int                rc;

    do {
        corm_arena_reset(own);
        rc = corm_first(db, item, &row, .where = corm_eq(item.id, 1), .arena = own);
        if (rc == 1) {
            row.stock++;
            rc = corm_update_row(db, item, &row);
        }
        worker->stale += rc == CORM_STALE;
    } while (rc == CORM_STALE);
    corm_arena_free(own);
    keep(worker, rc);
}

static void by_explicit_transactions(struct worker *worker)
{
    struct corm_trx *trx = NULL;
    struct item      row;
    int              rc = corm_begin(db, &trx, .isolation = CORM_READ_COMMITTED);

    while (rc == 0) {
        rc = corm_first(trx, item, &row, .where = corm_eq(item.id, 1));
        if (rc == 1) {
            row.stock++;
            rc = corm_update_row(trx, item, &row);
        }
        int ended = corm_commit(trx);
        if (rc == 1 && ended < 0)
            rc = ended;
        worker->stale += rc == CORM_STALE;
        rc = rc == CORM_STALE ? corm_start(trx) : rc;
    }
    corm_end(trx);
    keep(worker, rc);
}

static void by_turns(struct worker *worker)
{
    switch (worker->number % 3) {
    case 0: by_a_function(worker); break;
    case 1: by_single_statements(worker); break;
    default: keep(worker, corm_update(db, item, corm_eq(item.id, 1), corm_add(item.stock, 1)));
    }
}

static void *work(void *arg)
{
    struct worker *worker = arg;

    for (int i = 0; i < ROUNDS && worker->failed == 0; i++)
        worker->one(worker);
    return NULL;
}

static void nothing_is_lost(void (*one)(struct worker *), enum corm_isolation isolation)
{
    struct worker workers[THREADS];

    make_item(1, "bolt", 0);
    for (int i = 0; i < THREADS; i++)
        workers[i] = (struct worker){.number = i, .one = one, .isolation = isolation};
    run_threads(THREADS, work, workers, sizeof(workers[0]));
    for (int i = 0; i < THREADS; i++) {
        if (workers[i].failed != 0)
            fail_msg("thread %d failed with %s", i, corm_code_name(workers[i].failed));
        assert_int_equal(workers[i].wrong, 0);
    }
    check_item(1, "bolt", THREADS * ROUNDS, THREADS * ROUNDS);
}

static void eight_threads_lose_nothing_at_read_committed(void **state)
{
    (void)state;
    nothing_is_lost(by_a_function, CORM_READ_COMMITTED);
}

static void eight_threads_lose_nothing_at_repeatable_read(void **state)
{
    (void)state;
    nothing_is_lost(by_a_function, CORM_REPEATABLE_READ);
}

static void eight_threads_lose_nothing_at_serializable(void **state)
{
    (void)state;
    nothing_is_lost(by_a_function, CORM_SERIALIZABLE);
}

static void eight_threads_lose_nothing_outside_transactions(void **state)
{
    (void)state;
    nothing_is_lost(by_single_statements, CORM_ISOLATION_DEFAULT);
}

static void eight_threads_lose_nothing_in_explicit_transactions(void **state)
{
    (void)state;
    nothing_is_lost(by_explicit_transactions, CORM_ISOLATION_DEFAULT);
}

static void rows_and_sums_together_lose_nothing(void **state)
{
    (void)state;
    nothing_is_lost(by_turns, CORM_READ_COMMITTED);
}

/* ---- A server: two transactions read at once -------------------------------------------------------- */

static void two_open_transactions_read_the_same_row_and_one_is_stale(void **state)
{
    struct corm_error e = {0};
    struct corm_trx  *one = begin(&e), *two = begin(&e);
    struct item       first, second;

    (void)state;
    make_item(1, "bolt", 10);
    assert_rows(corm_first(one, item, &first, .where = corm_eq(item.id, 1)), 1, &e);
    assert_rows(corm_first(two, item, &second, .where = corm_eq(item.id, 1)), 1, &e);
    first.stock = 7;
    second.stock = 3;
    assert_rows(corm_update_row(one, item, &first), 1, &e);
    assert_ok(corm_commit(one), &e);
    assert_code(corm_update_row(two, item, &second), CORM_STALE, &e);
    assert_code(corm_commit(two), CORM_STALE, &e);
    corm_end(one);
    corm_end(two);
    check_item(1, "bolt", 7, 1);
}

struct waiter {
    struct gate *read;
    struct item  row;
    int          rc, committed;
};

static void *wait_for_the_row(void *arg)
{
    struct waiter   *w = arg;
    struct corm_trx *trx = NULL;

    if (corm_begin(db, &trx, .isolation = CORM_READ_COMMITTED) < 0)
        return NULL;
    (void)corm_first(trx, item, &w->row, .where = corm_eq(item.id, 1));
    open_gate(w->read);
    w->row.stock = 3;
    w->rc = corm_update_row(trx, item, &w->row);
    w->committed = corm_commit(trx);
    corm_end(trx);
    return NULL;
}

static bool somebody_waits(void *arg)
{
    (void)arg;
    return number_beside("SELECT COUNT(*) FROM information_schema.processlist WHERE db = "
                         "DATABASE() AND state = 'Updating' AND time_ms > 20") > 0;
}

/* The second one waits for the first, which has written but not committed. */
static void row_that_was_waited_for_is_looked_at_again(void **state)
{
    static struct gate read = GATE;
    struct corm_error  e = {0};
    struct corm_trx   *one = begin(&e);
    struct waiter      w = {.read = &read};
    struct item        first;
    pthread_t          thread;

    (void)state;
    make_item(1, "bolt", 10);
    assert_rows(corm_first(one, item, &first, .where = corm_eq(item.id, 1)), 1, &e);
    first.stock = 7;
    assert_rows(corm_update_row(one, item, &first), 1, &e);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_the_row, &w), 0);
    assert_true(pass_gate(&read, 20000));
    wait_until(somebody_waits, NULL);
    assert_ok(corm_commit(one), &e);
    (void)pthread_join(thread, NULL);
    corm_end(one);
    assert_int_equal(w.rc, CORM_STALE);
    assert_int_equal(w.committed, CORM_STALE);
    assert_int_equal(w.row.version, 0);
    check_item(1, "bolt", 7, 1);
}

static int changed_beside_at_first(struct corm_trx *trx, void *arg)
{
    struct item row;
    int         rc = corm_first(trx, item, &row, .where = corm_eq(item.id, 1));

    if (rc < 1)
        return rc;
    if (corm_attempt(trx) <= *(uint32_t *)arg)
        beside("UPDATE item SET stock = stock - 1, version = version + 1");
    row.stock -= 5;
    return corm_update_row(trx, item, &row);
}

static void function_reads_again_until_nobody_is_faster(void **state)
{
    struct corm_error e = {0};
    uint32_t          times = 3;

    (void)state;
    make_item(1, "bolt", 10);
    assert_rows(corm_transact(db, changed_beside_at_first, &times, .isolation = CORM_READ_COMMITTED,
                              .error = &e),
                1, &e);
    assert_int_equal(stats_of(db).attempts, 4);
    check_item(1, "bolt", 2, 4);
}

static int write_then_sleep(struct corm_trx *trx, void *arg)
{
    struct trial *t = arg;

    t->attempts = corm_attempt(trx);
    if (t->attempts == 2)
        return corm_sql(trx, NULL, "SELECT SLEEP(60)");
    return corm_update_row(trx, item, &t->row);
}

/* The deadline falls into the wait for an answer: the link is given up. */
static void deadline_while_the_server_works_is_stale_too(void **state)
{
    struct corm_error e = {0};
    struct trial      t = {.row = stale_item()};

    (void)state;
    assert_code(corm_transact(db, write_then_sleep, &t, .timeout_ms = TIMEOUT_MS, .error = &e),
                CORM_STALE, &e);
    assert_int_equal(t.attempts, 2);
    check_item(1, "bolt", 9, 1);
}

/* REPEATABLE READ notices by itself, where the server can: a code that also runs a function again. */
static void server_may_notice_first_at_repeatable_read(void **state)
{
    struct corm_error e = {0};
    struct corm_trx  *trx;
    struct item       row;

    (void)state;
    make_item(1, "bolt", 10);
    assert_ok(corm_begin(db, &trx, .isolation = CORM_REPEATABLE_READ, .error = &e), &e);
    assert_rows(corm_first(trx, item, &row, .where = corm_eq(item.id, 1)), 1, &e);
    beside("UPDATE item SET stock = 3, version = version + 1");
    int rc = corm_update_row(trx, item, &row);
    assert_true(rc == CORM_STALE || rc == CORM_CONFLICT);
    assert_int_equal(row.version, 0);
    assert_int_equal(corm_commit(trx), rc);
    corm_end(trx);
    check_item(1, "bolt", 3, 1);
}

enum { ON_MARIADB = 5 };

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        T(version_counts_up_in_the_row_and_in_the_database),
        T(row_is_inserted_with_its_version_and_without_it_gets_the_default),
        T(every_update_counts_up),
        T(version_at_its_end_is_an_error_and_does_not_wrap),
        T(second_of_two_that_read_the_same_row_is_stale),
        T(stale_row_outside_a_transaction_is_told_and_changes_nothing),
        T(row_that_was_deleted_is_stale_too),
        T(other_failures_leave_the_version_alone),
        T(impossible_version_is_told_at_first_use),
        T(stale_row_dooms_an_explicit_transaction),
        T(function_that_forgets_to_look_commits_nothing),
        T(nested_transaction_mends_a_stale_row),
        T(savepoint_mends_a_stale_row),
        T(row_is_read_again_after_a_rollback),
        T(read_only_transaction_refuses_it),
        T(row_with_a_version_is_sent_at_the_call),
        T(row_without_a_version_is_written_whatever_it_was),
        T(held_row_without_a_version_is_buffered),
        T(row_without_a_version_may_be_sent_later),
        T(function_runs_again_after_a_stale_row),
        T(function_may_give_up_by_its_attempts),
        T(deadline_ends_it_and_the_caller_is_told_why),
        T(deadline_in_an_attempt_after_a_stale_one_is_stale_too),
        T(codes_of_the_function_stay_its_own),
        T(deadline_after_another_failure_is_a_timeout),
        T(deadline_without_a_stale_row_is_a_timeout),
        T(row_that_is_not_held_makes_others_forgotten),
        T(eight_threads_lose_nothing_at_read_committed),
        T(eight_threads_lose_nothing_at_repeatable_read),
        T(eight_threads_lose_nothing_at_serializable),
        T(eight_threads_lose_nothing_outside_transactions),
        T(eight_threads_lose_nothing_in_explicit_transactions),
        T(rows_and_sums_together_lose_nothing),
        /* On MariaDB alone: */
        T(two_open_transactions_read_the_same_row_and_one_is_stale),
        T(row_that_was_waited_for_is_looked_at_again),
        T(function_reads_again_until_nobody_is_faster),
        T(deadline_while_the_server_works_is_stale_too),
        T(server_may_notice_first_at_repeatable_read),
    };

    support_begin(argc, argv);
    int failed = _cmocka_run_group_tests(
        "optimistic", tests, is_mariadb() ? COUNT(tests) : COUNT(tests) - ON_MARIADB, NULL, NULL);
    support_end();
    return failed;
}
