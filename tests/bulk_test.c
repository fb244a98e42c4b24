/* tests/bulk_test.c -- corm_insert_rows(): many rows in one call, all or none, with their keys. The same
 * on SQLite and MariaDB; it changes limits of its server, so it has one of its own. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#define PART(X)                                                                                    \
    X(id, bigint, .pk = 1, .autoinc = 1)                                                           \
    X(name, varchar(2000), .unique = 1)                                                            \
    X(note, nullable(text))                                                                        \
    X(price, nullable(double))                                                                     \
    X(stock, int)
CORM_MODEL(part, PART);
CORM_DEFINE(part, PART);

#define TICKET(X) X(id, int, .pk = 1, .autoinc = 1)
CORM_MODEL(ticket, TICKET);
CORM_DEFINE(ticket, TICKET);

#define TAG(X) X(id, int, .pk = 1) X(text, varchar(9))
CORM_MODEL(tag, TAG);
CORM_DEFINE(tag, TAG);

enum { MANY = 100000 };

static struct corm_db    *db;
static struct corm_arena *arena;
static struct corm_error  error;

static int set_up(void **state)
{
    (void)state;
    db = open_db("pool=4&timeout_ms=60000");
    arena = corm_arena_new();
    assert_non_null(arena);
    memset(&error, 0, sizeof(error));
    new_table(db, part);
    new_table(db, ticket);
    new_table(db, tag);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    corm_arena_free(arena);
    corm_close(db);
    return 0;
}

/* `n` rows, whose names are numbers; every third note is NULL, every second price. */
static struct part *make_parts(size_t n, size_t text)
{
    struct part *rows = corm_arena_alloc(arena, n * sizeof(*rows));

    assert_non_null(rows);
    for (size_t i = 0; i < n; i++) {
        size_t size = 12 + (text > 0 ? i * 7 % text : 0);
        char  *name = corm_arena_alloc(arena, size + 1);
        assert_non_null(name);
        memset(name, '-', size);
        name[size] = '\0';
        name[snprintf(name, size, "%zu", i)] = '-';
        rows[i] = (struct part){
            0, name, i % 3 == 0 ? NULL : "a note", {i % 2 == 0, (double)i / 8}, (int32_t)i};
    }
    return rows;
}

/* The rows of the table are these, and have these keys. */
static void check_parts(const struct part *rows, const int64_t *ids, size_t n)
{
    struct part *found;

    assert_rows(corm_all(db, part, &found, .order = {corm_asc(part.stock)}, .arena = arena,
                         .error = &error),
                n, &error);
    for (size_t i = 0; i < n; i++) {
        const struct part *a = &rows[i], *b = &found[i];
        if (strcmp(a->name, b->name) != 0 || (a->note == NULL) != (b->note == NULL) ||
            a->price.has != b->price.has || (a->price.has && a->price.value != b->price.value) ||
            a->stock != b->stock || (ids != NULL && ids[i] != b->id))
            fail_msg("row %zu is %lld %s, not %lld %s", i, (long long)b->id, b->name,
                     ids != NULL ? (long long)ids[i] : 0, a->name);
    }
}

/* ---- Rows and keys ---------------------------------------------------------------------- */

static void a_hundred_thousand_rows_and_their_keys(void **state)
{
    struct part *rows = make_parts(MANY, 0);
    int64_t     *ids = calloc(MANY, sizeof(*ids));

    (void)state;
    assert_non_null(ids);
    assert_rows(corm_insert_rows(db, part, MANY, rows, .ids = ids, .error = &error), MANY, &error);
    check_parts(rows, ids, MANY);
    free(ids);
}

static void few_rows(void **state)
{
    struct part *rows = make_parts(6, 0);
    int64_t      ids[6] = {-1, -1, -1, -1, -1, -1};

    (void)state;
    assert_rows(corm_insert_rows(db, part, 0, rows, .ids = ids, .error = &error), 0, &error);
    assert_int_equal(ids[0], -1);
    assert_rows(corm_insert_rows(db, part, 1, rows, .ids = ids, .error = &error), 1, &error);
    assert_rows(corm_insert_rows(db, part, 2, (rows + 1), .ids = ids + 1, .error = &error), 2,
                &error);
    assert_rows(corm_insert_rows(db, part, 3, (rows + 3), .ids = ids + 3, .error = &error), 3,
                &error);
    check_parts(rows, ids, 6);
}

/* Around the hundred at which SQLite takes many in one statement, several times on one connection. */
static void any_number_of_rows(void **state)
{
    static const size_t numbers[] = {2, 99, 100, 101, 199, 200, 201, 1000, 1050};
    struct part        *rows = make_parts(1050, 40);
    struct corm_trx    *trx;

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        assert_rows(corm_insert_rows(trx, part, numbers[i], rows), numbers[i], &error);
        struct part *found;
        assert_rows(corm_all(trx, part, &found, .order = {corm_asc(part.id)}), numbers[i], &error);
        for (size_t k = 0; k < numbers[i]; k++) { /* in the order of the rows */
            assert_string_equal(found[k].name, rows[k].name);
            assert_int_equal(found[k].stock, rows[k].stock);
            assert_int_equal(found[k].note == NULL, rows[k].note == NULL);
            assert_int_equal(found[k].price.has, rows[k].price.has);
        }
        assert_rows(corm_delete(trx, part, corm_everything()), numbers[i], &error);
    }
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
}

static void in_a_transaction_behind_what_is_buffered(void **state)
{
    struct part     *rows = make_parts(2000, 0);
    int64_t          ids[2000];
    struct corm_trx *trx;

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_row(trx, part, &rows[0], .id_later = &ids[0]), 1, &error);
    assert_rows(corm_insert_rows(trx, part, 1999, (rows + 1), .ids = ids + 1), 1999, &error);
    assert_rows(corm_count(trx, part), 2000, &error);
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    check_parts(rows, ids, 2000);
    for (int i = 1; i < 2000; i++)
        assert_true(ids[i] > ids[i - 1]);
}

/* A server of several that write gives every third key only; triggers make keys of their own. */
static void keys_are_those_of_the_server(void **state)
{
    struct part    *rows = make_parts(500, 0);
    int64_t         ids[500];
    struct corm_db *other;

    (void)state;
    if (is_mariadb()) {
        beside("SET GLOBAL auto_increment_increment = 3");
        beside("CREATE TRIGGER part_i AFTER INSERT ON part FOR EACH ROW INSERT INTO ticket () "
               "VALUES (), ()");
    } else {
        beside(
            "CREATE TRIGGER part_i AFTER INSERT ON part BEGIN INSERT INTO ticket (id) VALUES (NULL); "
            "END");
    }
    other = open_db("pool=2");
    int rc = corm_insert_rows(other, part, 500, rows, .ids = ids, .error = &error);
    corm_close(other);
    if (is_mariadb())
        beside("SET GLOBAL auto_increment_increment = 1");
    assert_rows(rc, 500, &error);
    if (is_mariadb())
        assert_int_equal(ids[9] - ids[8], 3);
    check_parts(rows, ids, 500);
}

/* ---- All or none ------------------------------------------------------------------------- */

static void a_failure_leaves_none(void **state)
{
    struct part *rows = make_parts(MANY, 0);

    (void)state;
    rows[MANY - 1].name = rows[0].name;
    assert_code(corm_insert_rows(db, part, MANY, rows, .error = &error), CORM_DUPLICATE, &error);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM part"), 0);
    memset(&error, 0, sizeof(error));
    rows[MANY - 1].name = NULL;
    assert_code(corm_insert_rows(db, part, MANY, rows, .error = &error), CORM_NULL_REFUSED, &error);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM part"), 0);
    rows[MANY - 1].name = "fine";
    memset(&error, 0, sizeof(error));
    assert_rows(corm_insert_rows(db, part, MANY, rows, .error = &error), MANY, &error);
}

static void a_savepoint_undoes_all(void **state)
{
    struct part     *rows = make_parts(20000, 0);
    struct corm_trx *trx;

    (void)state;
    const char *last = rows[19999].name;
    rows[19999].name = rows[5].name;
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_row(trx, tag, &((struct tag){1, "kept"})), 1, &error);
    assert_ok(corm_savepoint(trx), &error);
    int line = __LINE__ + 1;
    assert_int_equal(corm_insert_rows(trx, part, 20000, rows), CORM_DUPLICATE);
    assert_place(corm_trx_error(trx), line);
    assert_int_equal(corm_count(trx, part), CORM_DUPLICATE);
    assert_ok(corm_savepoint_rollback(trx), &error);
    assert_rows(corm_count(trx, part), 0, &error);
    rows[19999].name = last;
    assert_rows(corm_insert_rows(trx, part, 20000, rows), 20000, &error);
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    check_parts(rows, NULL, 20000);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM tag"), 1);
}

/* ---- Packets --------------------------------------------------------------------------------- */

/* Servers with room for few rows at a time. */
static void split_by_the_servers_packet(void **state)
{
    static const int packets[] = {4096, 10240, 65536};
    char             long_note[8192];

    (void)state;
    memset(long_note, 'n', sizeof(long_note) - 1);
    long_note[sizeof(long_note) - 1] = '\0';
    for (size_t i = 0; i < COUNT(packets); i++) {
        struct part *rows = make_parts(300, 1900);
        int64_t      ids[300];
        beside("SET GLOBAL max_allowed_packet = %d", packets[i]);
        struct corm_db *small = open_db("pool=2");
        new_table(db, part);
        int rc = corm_insert_rows(small, part, 300, rows, .ids = ids, .error = &error);
        rows[299].note = long_note; /* a row alone that is too large */
        for (int n = 0; n < 300; n++) {
            char *name = corm_arena_alloc(arena, 12);
            (void)snprintf(name, 12, "again %d", n);
            rows[n].name = name;
        }
        struct corm_error large = {0};
        int               second =
            packets[i] < 8192 ? corm_insert_rows(small, part, 300, rows, .error = &large) : 0;
        corm_close(small);
        beside("SET GLOBAL max_allowed_packet = 16777216");
        assert_rows(rc, 300, &error);
        if (packets[i] < 8192)
            assert_code(second, CORM_TOO_LARGE, &large);
        check_parts(make_parts(300, 1900), ids, 300);
    }
}

/* ---- Refused ----------------------------------------------------------------------------------- */

static void what_is_refused(void **state)
{
    struct part       *rows = make_parts(MANY, 0);
    struct tag         tags[2] = {{1, "a"}, {2, "b"}};
    struct ticket      tickets[2] = {{0}};
    struct corm_sql_of of = {.dialect = CORM_DIALECT_MYSQL, .arena = arena};
    int64_t            ids[2] = {-1, -1};

    (void)state;
    assert_code(corm_insert_rows(db, tag, 2, tags, .ids = ids, .error = &error), CORM_MISUSE,
                &error);
    assert_says(&error, "no generated key");
    assert_code(corm_insert_row(db, part, &rows[0], .ids = ids, .error = &error), CORM_MISUSE,
                &error);
    assert_code(corm_insert_rows(db, ticket, 2, tickets, .ids = ids, .error = &error),
                CORM_UNSUPPORTED, &error);
    assert_int_equal(ids[0], -1);
    memset(&error, 0, sizeof(error));
    assert_rows(corm_insert_rows(db, ticket, 2, tickets, .error = &error), 2, &error);
    assert_rows(corm_insert_rows(db, ticket, 1, tickets, .ids = ids, .error = &error), 1, &error);
    assert_int_equal(ids[0], 3);
    for (int d = CORM_DIALECT_MARIADB; d <= CORM_DIALECT_SQLITE; d++) {
        of.dialect = (enum corm_dialect)d;
        of.text = NULL;
        memset(&error, 0, sizeof(error));
        assert_code(corm_insert_rows(&of, part, MANY, rows, .error = &error), CORM_TOO_LARGE,
                    &error);
        assert_null(of.text);
        memset(&error, 0, sizeof(error));
        assert_rows(corm_insert_rows(&of, part, 1000, rows, .error = &error), 0, &error);
        assert_int_equal(of.bind_count, 4000);
    }
    assert_int_equal(number_beside("SELECT COUNT(*) FROM part"), 0);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(a_hundred_thousand_rows_and_their_keys),
        TEST(few_rows),
        TEST(any_number_of_rows),
        TEST(in_a_transaction_behind_what_is_buffered),
        TEST(keys_are_those_of_the_server),
        TEST(a_failure_leaves_none),
        TEST(a_savepoint_undoes_all),
        TEST(what_is_refused),
        TEST(split_by_the_servers_packet), /* of a server alone: a file has no packets */
    };

    support_begin(argc, argv);
    size_t count = sizeof(tests) / sizeof(tests[0]) - !is_mariadb();
    int    failed = _cmocka_run_group_tests("tests", tests, count, NULL, NULL);
    support_end();
    return failed;
}
