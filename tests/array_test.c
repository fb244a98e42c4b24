/* array_test.c -- one prepared statement for many rows, on a real server.
 *
 * What no server here does by itself is put in front of the client library: a server without array
 * binding, and one that has forgotten a prepared statement. */
#include "support.h"

#include "base/clock.h"
#include "driver/array.h"
#include "pool/connection.h"
#include "route/url.h"

#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MAX = 10000, COLUMNS = 5, PATIENCE_MS = 30000 };

/* ---- What the client library is made to say ------------------------------------------------ */

static bool         no_arrays;  /* of connections that are opened from now on */
static unsigned int stale_code; /* the error of the execution that comes in ... */
static int          stale_in;   /* ... so many, from 1; 0: none */
static unsigned int said;

my_bool real_info(MYSQL *mysql, enum mariadb_value value, void *arg,
                  ...) __asm__("__real_mariadb_get_infov");
my_bool watched_info(MYSQL *mysql, enum mariadb_value value, void *arg,
                     ...) __asm__("__wrap_mariadb_get_infov");
int     real_execute(int *rc, MYSQL_STMT *statement) __asm__("__real_mysql_stmt_execute_start");
int     watched_execute(int *rc, MYSQL_STMT *statement) __asm__("__wrap_mysql_stmt_execute_start");
unsigned int real_code(MYSQL_STMT *statement) __asm__("__real_mysql_stmt_errno");
unsigned int watched_code(MYSQL_STMT *statement) __asm__("__wrap_mysql_stmt_errno");

my_bool watched_info(MYSQL *mysql, enum mariadb_value value, void *arg, ...)
{
    my_bool failed = real_info(mysql, value, arg);

    if (no_arrays && value == MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES)
        *(unsigned long *)arg &= ~(unsigned long)(MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32);
    return failed;
}

int watched_execute(int *rc, MYSQL_STMT *statement)
{
    said = 0;
    if (stale_in == 0 || --stale_in > 0)
        return real_execute(rc, statement);
    said = stale_code;
    *rc = 1;
    return 0;
}

unsigned int watched_code(MYSQL_STMT *statement)
{
    return said != 0 ? said : real_code(statement);
}

/* ---- A connection, and statements on it -------------------------------------------------------- */

static struct corm_arena *arena;
static struct corm__watch watch;
static struct corm_event  last_event;
static int                event_count;

static void keep_event(const struct corm_event *event, void *arg)
{
    (void)arg;
    last_event = *event;
    event_count++;
}

static int64_t soon(void)
{
    return corm__deadline_in(PATIENCE_MS);
}

static struct corm__connection *open_connection(void)
{
    struct corm__config      config;
    struct corm__connection *c = NULL;
    struct corm_error        error = {0};

    watch = (struct corm__watch){.on_statement = keep_event};
    assert_ok(corm__parse_url(arena, test_url(NULL), &config, &error), &error);
    assert_ok(corm__connection_open(&config.endpoint, true, &watch, soon(), &c, &error), &error);
    return c;
}

static void begin(struct corm__connection *c)
{
    struct corm__mode mode = {.trx = true};
    struct corm_error error = {0};

    assert_ok(corm__connection_enter(c, &mode, 1, soon(), &error), &error);
}

static void control(struct corm__connection *c, const char *text)
{
    struct corm_error error = {0};

    assert_ok(corm__connection_control(c, text, 1, soon(), &error), &error);
}

static struct corm__statement statement_of(const char *text)
{
    return (struct corm__statement){.verb = CORM__WRITE, .text = text, .size = strlen(text)};
}

static int run_array(struct corm__connection *c, const char *text, const struct corm__array *array,
                     struct corm__sink *sink, struct corm_error *error)
{
    struct corm__statement s = statement_of(text);

    *error = (struct corm_error){0};
    return corm__connection_run_array(c, &s, array, sink, 1, soon(), error);
}

static int run_single(struct corm__connection *c, const char *text, const struct corm_value *binds,
                      uint32_t bind_count, struct corm__sink *sink, struct corm_error *error)
{
    struct corm__statement s = statement_of(text);
    struct corm__run       run = {.statements = &s,
                                  .count = 1,
                                  .sink = sink,
                                  .arena = arena,
                                  .attempt = 1,
                                  .deadline = soon()};

    *error = (struct corm_error){0};
    s.verb = sink != NULL ? CORM__READ : CORM__WRITE;
    s.binds = binds;
    s.bind_count = bind_count;
    return corm__connection_run(c, &run, error);
}

/* ---- Sinks --------------------------------------------------------------------------------------- */

static int no_names(struct corm__sink *base, const char *const *names, uint32_t count,
                    struct corm_error *error)
{
    (void)base, (void)names, (void)count, (void)error;
    return 0;
}

/* The first column of each row, a whole number. */
struct numbers {
    struct corm__sink base;
    size_t            count, starts;
    int64_t           got[ROWS_MAX];
};

static int numbers_start(struct corm__sink *base, const struct corm_table **types,
                         struct corm_error *error)
{
    (void)types, (void)error;
    ((struct numbers *)base)->starts++;
    return 0;
}

static int numbers_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                       struct corm_error *error)
{
    struct numbers *n = (struct numbers *)base;

    if (count == 0 || values[0].kind != CORM_V_INT || n->count == ROWS_MAX)
        return corm__fail(error, CORM_BAD_VALUE, "no number, or too many");
    n->got[n->count++] = values[0].as.i;
    return 0;
}

static struct numbers *numbers(void)
{
    static struct numbers n;

    n.base = (struct corm__sink){.start = numbers_start, .names = no_names, .row = numbers_row};
    n.count = n.starts = 0;
    return &n;
}

static long long number_of(struct corm__connection *c, const char *text)
{
    struct numbers   *n = numbers();
    struct corm_error error;

    assert_ok(run_single(c, text, NULL, 0, &n->base, &error), &error);
    assert_int_equal(n->count, 1);
    return n->got[0];
}

/* ---- Rows of all kinds ----------------------------------------------------------------------------- */

static const char insert_text[] =
    "INSERT INTO many (id, whole, big, ratio, name, body) VALUES (?, ?, ?, ?, ?, ?)";

struct source {
    int64_t       id[ROWS_MAX], whole[ROWS_MAX];
    uint64_t      big[ROWS_MAX];
    double        ratio[ROWS_MAX];
    const char   *name[ROWS_MAX], *body[ROWS_MAX];
    unsigned long name_size[ROWS_MAX], body_size[ROWS_MAX];
    char          nulls[COLUMNS][ROWS_MAX];
};

static struct source             source;
static struct corm__array_column columns[1 + COLUMNS];

static void new_many(void)
{
    beside("DROP TABLE IF EXISTS many");
    beside(is_mariadb()
               ? "CREATE TABLE many (id BIGINT PRIMARY KEY, whole BIGINT, big BIGINT UNSIGNED, "
                 "ratio DOUBLE, name VARCHAR(100) UNIQUE, body LONGBLOB) ENGINE=InnoDB "
                 "DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin"
               : "CREATE TABLE many (id INTEGER PRIMARY KEY, whole INTEGER, big INTEGER, "
                 "ratio REAL, name TEXT UNIQUE, body BLOB) STRICT");
}

static void put_text(const char **text, unsigned long *size, const char *data, size_t n)
{
    char *copy = corm_arena_alloc(arena, n + 1);

    assert_non_null(copy);
    memcpy(copy, data, n);
    copy[n] = '!'; /* no NUL: only the size may be trusted */
    *text = copy;
    *size = n;
}

static void fill_row(size_t i)
{
    static const int64_t  wholes[] = {0, -1, INT64_MIN, INT64_MAX, 4294967296, -128};
    static const uint64_t bigs[] = {0, INT64_MAX, UINT64_MAX, 4294967295};
    static const double   ratios[] = {0.1, -1.5, 1.7976931348623157e308, -5e-324, 1.0 / 3};
    static const char     blob[] = {'a', '\0', '\xFF', '\'', '\\', '\0'};
    char                  text[64];

    source.id[i] = (int64_t)i + 1;
    source.whole[i] = wholes[i % COUNT(wholes)];
    source.big[i] = bigs[i % COUNT(bigs)];
    if (!is_mariadb() && source.big[i] > INT64_MAX)
        source.big[i] = 42;
    source.ratio[i] = ratios[i % COUNT(ratios)];
    int n = i == 0 ? 0 : snprintf(text, sizeof(text), "n\xC3\xA4me %zu \xF0\x9F\x98\x80", i);
    put_text(&source.name[i], &source.name_size[i], text, (size_t)n);
    put_text(&source.body[i], &source.body_size[i], blob, i % (sizeof(blob) + 1));
    for (size_t column = 0; column < COLUMNS; column++)
        source.nulls[column][i] = i % (COLUMNS + 2) == column + 1;
}

static struct corm__array many_rows(size_t rows)
{
    const struct corm__array_column all[] = {
        {CORM_V_INT, source.id, NULL, NULL},
        {CORM_V_INT, source.whole, NULL, source.nulls[0]},
        {CORM_V_UINT, source.big, NULL, source.nulls[1]},
        {CORM_V_REAL, source.ratio, NULL, source.nulls[2]},
        {CORM_V_TEXT, source.name, source.name_size, source.nulls[3]},
        {CORM_V_BLOB, source.body, source.body_size, source.nulls[4]},
    };

    for (size_t i = 0; i < rows; i++)
        fill_row(i);
    memcpy(columns, all, sizeof(all));
    return (struct corm__array){.rows = rows, .column_count = 1 + COLUMNS, .columns = columns};
}

/* Compares each row that comes with its source. */
struct comparing {
    struct corm__sink base;
    size_t            count;
};

static int comparing_start(struct corm__sink *base, const struct corm_table **types,
                           struct corm_error *error)
{
    (void)base, (void)types, (void)error;
    return 0;
}

static bool is_same(const struct corm_value *v, enum corm_value_kind kind, char null,
                    const void *data, size_t size)
{
    if (null != 0)
        return v->kind == CORM_V_NULL;
    if (kind == CORM_V_UINT && v->kind == CORM_V_INT && !is_mariadb())
        kind = CORM_V_INT; /* SQLite has no other */
    if (v->kind != kind)
        return false;
    if (kind == CORM_V_TEXT || kind == CORM_V_BLOB)
        return v->size == size && memcmp(v->as.p, data, size) == 0;
    return memcmp(&v->as, data, size) == 0;
}

static int comparing_row(struct corm__sink *base, const struct corm_value *v, uint32_t count,
                         struct corm_error *error)
{
    size_t i = ((struct comparing *)base)->count++;

    if (count == 1 + COLUMNS && is_same(&v[0], CORM_V_INT, 0, &source.id[i], 8) &&
        is_same(&v[1], CORM_V_INT, source.nulls[0][i], &source.whole[i], 8) &&
        is_same(&v[2], CORM_V_UINT, source.nulls[1][i], &source.big[i], 8) &&
        is_same(&v[3], CORM_V_REAL, source.nulls[2][i], &source.ratio[i], 8) &&
        is_same(&v[4], CORM_V_TEXT, source.nulls[3][i], source.name[i], source.name_size[i]) &&
        is_same(&v[5], CORM_V_BLOB, source.nulls[4][i], source.body[i], source.body_size[i]))
        return 0;
    return corm__fail(error, CORM_BAD_VALUE, "row %zu is another", i);
}

static void assert_stored(struct corm__connection *c, size_t rows)
{
    struct comparing  sink = {.base = {comparing_start, no_names, comparing_row}};
    struct corm_error error;

    assert_ok(run_single(c, "SELECT id, whole, big, ratio, name, body FROM many ORDER BY id", NULL,
                         0, &sink.base, &error),
              &error);
    assert_int_equal(sink.count, rows);
}

static void insert_and_compare(size_t rows, uint64_t trips)
{
    struct corm__connection *c = open_connection();
    struct corm__array       array = many_rows(rows);
    struct corm_error        error;

    new_many();
    begin(c);
    assert_ok(run_array(c, insert_text, &array, NULL, &error), &error);
    assert_int_equal(c->link->round_trips, (is_mariadb() ? 2 : 0) + trips);
    assert_true(c->link->in_trx);
    assert_true(c->link->sent);
    assert_stored(c, rows);
    control(c, "COMMIT");
    assert_int_equal(number_beside("SELECT COUNT(*) FROM many"), rows);
    corm__connection_close(c);
}

static void an_array_of_any_size_arrives_as_it_is(void **state)
{
    static const size_t sizes[] = {1, 2, 256, ROWS_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) /* enter(), prepare and one trip for all rows */
        insert_and_compare(sizes[i], is_mariadb() ? 1 : 0);
}

static void it_is_told_of_as_one_statement(void **state)
{
    struct corm__connection *c = open_connection();
    struct corm__array       array = many_rows(256);
    struct corm_error        error;

    (void)state;
    new_many();
    begin(c);
    event_count = 0;
    assert_ok(run_array(c, insert_text, &array, NULL, &error), &error);
    assert_int_equal(event_count, 1);
    assert_string_equal(last_event.text, insert_text);
    assert_int_equal(last_event.rows, 256);
    assert_int_equal(last_event.bind_count, 1 + COLUMNS);
    assert_int_equal(last_event.round_trips, is_mariadb() ? 2 : 0);
    assert_int_equal(atomic_load(&watch.statements), 1);
    assert_code(run_array(c, insert_text, &array, NULL, &error), CORM_DUPLICATE, &error);
    assert_int_equal(last_event.rows, 0);
    assert_int_equal(last_event.code, CORM_DUPLICATE);
    corm__connection_close(c);
}

static void rows_are_updated_and_deleted_by_their_key(void **state)
{
    struct corm__connection  *c = open_connection();
    struct corm__array        all = many_rows(256);
    int64_t                   value[100], id[100];
    char                      nulls[100] = {0};
    struct corm__array_column set[] = {{CORM_V_INT, value, NULL, nulls},
                                       {CORM_V_INT, id, NULL, NULL}};
    struct corm__array        some = {.rows = 100, .column_count = 2, .columns = set},
                       keys = {.rows = 50, .column_count = 1, .columns = &set[1]};
    struct corm_error error;

    (void)state;
    new_many();
    begin(c);
    assert_ok(run_array(c, insert_text, &all, NULL, &error), &error);
    for (size_t i = 0; i < 100; i++) {
        id[i] = (int64_t)(2 * (99 - i)) + 1;
        value[i] = 1000 + id[i];
        nulls[i] = i % 10 == 3;
        source.whole[id[i] - 1] = value[i];
        source.nulls[0][id[i] - 1] = nulls[i];
    }
    assert_ok(run_array(c, "UPDATE many SET whole = ? WHERE id = ?", &some, NULL, &error), &error);
    assert_stored(c, 256);
    assert_ok(run_array(c, "DELETE FROM many WHERE id = ?", &keys, NULL, &error), &error);
    assert_int_equal(number_of(c, "SELECT COUNT(*) FROM many"), 206);
    assert_int_equal(number_of(c, "SELECT COUNT(*) FROM many WHERE id > 100 AND id < 200"), 49);
    corm__connection_close(c);
}

/* ---- RETURNING --------------------------------------------------------------------------------------- */

static void new_numbered(void)
{
    beside("DROP TABLE IF EXISTS numbered");
    beside(is_mariadb()
               ? "CREATE TABLE numbered (id INT PRIMARY KEY AUTO_INCREMENT, mark INT NOT NULL) "
                 "ENGINE=InnoDB AUTO_INCREMENT = 70"
               : "CREATE TABLE numbered (id INTEGER PRIMARY KEY AUTOINCREMENT, "
                 "mark INTEGER NOT NULL) STRICT");
}

static void generated_keys_come_in_order(size_t rows)
{
    struct corm__connection  *c = open_connection();
    static int64_t            mark[ROWS_MAX];
    struct corm__array_column column = {CORM_V_INT, mark, NULL, NULL};
    struct corm__array        array = {.rows = rows, .column_count = 1, .columns = &column};
    struct numbers           *n = numbers();
    struct corm_error         error;
    static int64_t            ids[ROWS_MAX];

    new_numbered();
    begin(c);
    for (size_t i = 0; i < rows; i++)
        mark[i] = (int64_t)((i * 7919) % 10007);
    assert_ok(run_array(c, "INSERT INTO numbered (mark) VALUES (?) RETURNING id", &array, &n->base,
                        &error),
              &error);
    assert_int_equal(n->count, rows);
    if (!no_arrays)
        assert_int_equal(n->starts, 1);
    memcpy(ids, n->got, sizeof(ids));
    n = numbers();
    assert_ok(run_single(c, "SELECT mark FROM numbered ORDER BY id", NULL, 0, &n->base, &error),
              &error);
    assert_memory_equal(n->got, mark, rows * sizeof(*mark));
    n = numbers();
    assert_ok(run_single(c, "SELECT id FROM numbered ORDER BY id", NULL, 0, &n->base, &error),
              &error);
    assert_memory_equal(n->got, ids, rows * sizeof(*ids));
    corm__connection_close(c);
}

static void count_call(void *arg)
{
    ++*(int *)arg;
}

/* Where the packet is with the server, and its answer is not there. */
static void something_is_done_while_the_server_works(void **state)
{
    struct corm__connection  *c = open_connection();
    static int64_t            mark[ROWS_MAX];
    struct corm__array_column column = {CORM_V_INT, mark, NULL, NULL};
    int                       calls = 0;
    struct corm__array        array = {.rows = ROWS_MAX,
                                       .column_count = 1,
                                       .columns = &column,
                                       .meanwhile = count_call,
                                       .meanwhile_arg = &calls};
    struct corm_error         error;

    (void)state;
    new_numbered();
    begin(c);
    assert_ok(run_array(c, "INSERT INTO numbered (mark) VALUES (?)", &array, NULL, &error), &error);
    assert_true(calls > 0);
    calls = 0;
    array.meanwhile = NULL;
    assert_ok(run_array(c, "INSERT INTO numbered (mark) VALUES (?)", &array, NULL, &error), &error);
    assert_int_equal(calls, 0);
    corm__connection_close(c);
}

static void returning_gives_one_row_for_each_in_order(void **state)
{
    (void)state;
    generated_keys_come_in_order(1);
    generated_keys_come_in_order(256);
    generated_keys_come_in_order(ROWS_MAX);
}

static void rows_that_nobody_takes_are_an_error(void **state)
{
    struct corm__connection  *c = open_connection();
    int64_t                   mark[] = {1, 2};
    struct corm__array_column column = {CORM_V_INT, mark, NULL, NULL};
    struct corm__array        array = {.rows = 2, .column_count = 1, .columns = &column};
    struct corm_error         error;

    (void)state;
    new_numbered();
    begin(c);
    control(c, "SAVEPOINT s");
    assert_code(
        run_array(c, "INSERT INTO numbered (mark) VALUES (?) RETURNING id", &array, NULL, &error),
        CORM_MISUSE, &error);
    assert_int_equal(c->link->sent, is_mariadb()); /* it does not say so when it prepares one */
    control(c, "ROLLBACK TO s");
    assert_int_equal(number_of(c, "SELECT COUNT(*) FROM numbered"), 0);
    corm__connection_close(c);
}

/* ---- Failures ------------------------------------------------------------------------------------------ */

/* Rows 1 to 9 whose fifth one has the key of a row that is there; `left` are in the table then. */
static void insert_with_a_duplicate(const char *text, long long left)
{
    struct corm__connection *c = open_connection();
    struct corm__array       array = many_rows(9);
    struct corm_error        error;

    new_many();
    beside("INSERT INTO many (id) VALUES (50)");
    source.id[4] = 50;
    begin(c);
    control(c, "SAVEPOINT s");
    assert_code(run_array(c, text, &array, NULL, &error), CORM_DUPLICATE, &error);
    assert_int_equal(number_of(c, "SELECT COUNT(*) FROM many"), 1 + left);
    control(c, "ROLLBACK TO s");
    assert_int_equal(number_of(c, "SELECT COUNT(*) FROM many"), 1);
    source.id[4] = 5;
    assert_ok(run_array(c, text, &array, NULL, &error), &error);
    control(c, "COMMIT");
    assert_int_equal(number_beside("SELECT COUNT(*) FROM many"), 10);
    corm__connection_close(c);
}

static void a_duplicate_undoes_the_insert_and_the_transaction_goes_on(void **state)
{
    (void)state;
    insert_with_a_duplicate(insert_text, is_mariadb() ? 0 : 4);
}

/* The server runs an array UPDATE row by row, and undoes only the one that fails. */
static void of_an_update_that_fails_the_rows_in_front_stay(void **state)
{
    struct corm__connection  *c = open_connection();
    struct corm__array        all = many_rows(6);
    int64_t                   id[] = {2, 3, 4, 5}, to[] = {102, 103, 1, 105};
    struct corm__array_column set[] = {{CORM_V_INT, to, NULL, NULL}, {CORM_V_INT, id, NULL, NULL}};
    struct corm__array        some = {.rows = 4, .column_count = 2, .columns = set};
    struct corm_error         error;

    (void)state;
    new_many();
    begin(c);
    assert_ok(run_array(c, insert_text, &all, NULL, &error), &error);
    control(c, "SAVEPOINT s");
    assert_code(run_array(c, "UPDATE many SET id = ? WHERE id = ?", &some, NULL, &error),
                CORM_DUPLICATE, &error);
    assert_int_equal(number_of(c, "SELECT COUNT(*) FROM many WHERE id IN (102, 103)"), 2);
    assert_int_equal(number_of(c, "SELECT COUNT(*) FROM many WHERE id IN (1, 4, 5, 6)"), 4);
    control(c, "ROLLBACK TO s");
    assert_stored(c, 6);
    corm__connection_close(c);
}

static struct corm_value int_value(long long i)
{
    return (struct corm_value){.kind = CORM_V_INT, .as.i = i};
}

static void insert_single(struct corm__connection *c, long long id)
{
    struct corm_value binds[1 + COLUMNS] = {int_value(id)};
    struct corm_error error;

    for (size_t i = 1; i < COUNT(binds); i++)
        binds[i].kind = CORM_V_NULL;
    assert_ok(run_single(c, insert_text, binds, COUNT(binds), NULL, &error), &error);
}

static void a_statement_runs_singly_before_and_after(void **state)
{
    struct corm__connection *c = open_connection();
    struct corm__array       array = many_rows(20);
    struct corm_error        error;

    (void)state;
    new_many();
    begin(c);
    insert_single(c, 1000);
    uint64_t before = c->link->round_trips;
    assert_ok(run_array(c, insert_text, &array, NULL, &error), &error);
    insert_single(c, 1001);
    assert_code(run_array(c, insert_text, &array, NULL, &error), CORM_DUPLICATE, &error);
    insert_single(c, 1002);
    insert_single(c, 1003);
    for (size_t i = 0; i < 20; i++)
        source.id[i] += 500;
    for (size_t i = 0; i < 20; i++)
        source.nulls[3][i] = 1;
    assert_ok(run_array(c, insert_text, &array, NULL, &error), &error);
    if (is_mariadb()) /* it was prepared once */
        assert_int_equal(c->link->round_trips - before, 6);
    assert_int_equal(number_of(c, "SELECT COUNT(*) FROM many"), 44);
    assert_int_equal(number_of(c, "SELECT COUNT(*) FROM many WHERE id >= 1000 AND name IS NULL"),
                     4);
    corm__connection_close(c);
}

static void what_is_no_array_is_refused_before_anything_is_sent(void **state)
{
    struct corm__connection  *c = open_connection();
    struct corm__array        array = many_rows(3), bad = array;
    struct corm__array_column spoilt[1 + COLUMNS];
    struct corm_error         error;

    (void)state;
    new_many();
    assert_code(run_array(c, insert_text, &array, NULL, &error), CORM_MISUSE, &error);
    begin(c);
    bad.rows = 0;
    assert_code(run_array(c, insert_text, &bad, NULL, &error), CORM_MISUSE, &error);
    bad = array;
    bad.column_count--;
    assert_code(run_array(c, insert_text, &bad, NULL, &error), CORM_MISUSE, &error);
    bad = (struct corm__array){.rows = 3, .column_count = 1 + COLUMNS, .columns = spoilt};
    static const enum corm_value_kind kinds[] = {CORM_V_NONE, CORM_V_NULL, CORM_V_TIME,
                                                 CORM_V_COLUMN, (enum corm_value_kind)99};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        memcpy(spoilt, columns, sizeof(columns));
        spoilt[1].kind = kinds[i];
        assert_code(run_array(c, insert_text, &bad, NULL, &error), CORM_MISUSE, &error);
    }
    memcpy(spoilt, columns, sizeof(columns));
    spoilt[4].sizes = NULL;
    assert_code(run_array(c, insert_text, &bad, NULL, &error), CORM_MISUSE, &error);
    memcpy(spoilt, columns, sizeof(columns));
    spoilt[1].sizes = source.name_size;
    assert_code(run_array(c, insert_text, &bad, NULL, &error), CORM_MISUSE, &error);
    memcpy(spoilt, columns, sizeof(columns));
    spoilt[5].kind = CORM_V_UUID; /* of other sizes than 16 */
    assert_code(run_array(c, insert_text, &bad, NULL, &error), CORM_MISUSE, &error);
    memcpy(spoilt, columns, sizeof(columns));
    spoilt[4].kind = CORM_V_DECIMAL;
    spoilt[4].sizes = NULL;
    assert_code(run_array(c, insert_text, &bad, NULL, &error), CORM_MISUSE, &error);
    assert_false(c->link->sent);
    assert_int_equal(number_of(c, "SELECT COUNT(*) FROM many"), 0);
    corm__connection_close(c);
}

/* Values of rows as columns: a UUID by its bytes, a number beyond 63 bits makes all unsigned. */
static void rows_of_values_become_columns(void **state)
{
    struct corm_value         values[3][2] = {{corm_v_int_(1), corm_v_null_()},
                                              {corm_v_uint_(UINT64_MAX), corm_v_null_()},
                                              {corm_v_null_(), corm_v_uuid_((struct corm_uuid){{7}})}};
    struct corm__array_column column;
    struct corm_error         error = {0};

    (void)state;
    assert_ok(corm__array_fill(arena, &values[0][0], 2, 3, &column, &error), &error);
    assert_int_equal(column.kind, CORM_V_UINT);
    assert_null(column.sizes);
    assert_int_equal(corm__array_value(&column, 0).as.u, 1);
    assert_true(corm__array_value(&column, 1).as.u == UINT64_MAX);
    assert_int_equal(corm__array_value(&column, 2).kind, CORM_V_NULL);
    assert_ok(corm__array_fill(arena, &values[0][1], 2, 3, &column, &error), &error);
    assert_int_equal(column.kind, CORM_V_UUID);
    assert_int_equal(corm__array_value(&column, 0).kind, CORM_V_NULL);
    assert_int_equal(corm__array_value(&column, 2).size, 16);
    assert_memory_equal(corm__array_value(&column, 2).as.p, &values[2][1].as.uuid, 16);
    assert_ok(corm__array_fill(arena, &values[0][1], 2, 2, &column, &error), &error);
    assert_int_equal(column.kind, CORM_V_INT); /* of NULLs alone */
    values[0][0].as.i = -1;                    /* and 2^64 - 1: no column has both */
    assert_code(corm__array_fill(arena, &values[0][0], 2, 3, &column, &error), CORM_MISUSE, &error);
    error = (struct corm_error){0};
    values[0][0] = corm_v_real_(1);
    assert_code(corm__array_fill(arena, &values[0][0], 2, 3, &column, &error), CORM_MISUSE, &error);
}

/* ---- Size, time, stale statements ------------------------------------------------------------------------ */

/* An array of rows with a number and a text each, `bytes` in all as the server counts them. */
static struct corm__array rows_of(size_t rows, size_t bytes, const char *text)
{
    enum { TYPES = 4, PER_ROW = 1 + 8 + 1 + 1 };

    for (size_t i = 0; i < rows; i++) {
        source.id[i] = (int64_t)i + 1;
        source.body[i] = text;
        source.body_size[i] = 0;
    }
    /* The last text takes what is missing, and three bytes for its length instead of one. */
    source.body_size[rows - 1] = bytes - TYPES - rows * PER_ROW - 2;
    assert_in_range(source.body_size[rows - 1], 251, 65535);
    columns[0] = (struct corm__array_column){CORM_V_INT, source.id, NULL, NULL};
    columns[1] = (struct corm__array_column){CORM_V_BLOB, source.body, source.body_size, NULL};
    return (struct corm__array){.rows = rows, .column_count = 2, .columns = columns};
}

/* A decimal counts with its digits. */
static void decimals_are_too_large(struct corm__connection *c)
{
    enum { MANY = 1500 };
    static const char digits[] =
        "12345678901234567890123456789012345678901234567890123456789012345";
    struct corm_value *binds = corm_arena_alloc(arena, MANY * sizeof(*binds));
    char              *text = corm_arena_alloc(arena, 2 * MANY + 64), *end = text;
    struct corm_error  error;

    assert_true(binds != NULL && text != NULL);
    end += sprintf(end, "SELECT 1 IN (?");
    for (size_t i = 0; i < MANY; i++) {
        binds[i] = corm_v_text_(digits);
        binds[i].kind = CORM_V_DECIMAL;
        binds[i].size = sizeof(digits) - 1;
        end += i > 0 ? sprintf(end, ",?") : 0;
    }
    (void)sprintf(end, ")");
    struct numbers *n = numbers();
    assert_code(run_single(c, text, binds, MANY, &n->base, &error), CORM_TOO_LARGE, &error);
    assert_false(c->link->lost);
}

static void what_is_too_large_is_not_sent(void **state)
{
    enum { PACKET = 65536, HEAD = 64, ROWS = 4000 };
    static const char  text[] = "INSERT INTO many (id, body) VALUES (?, ?)";
    static char        body[65536];
    struct corm__array array = rows_of(ROWS, PACKET - HEAD + 1, body);
    struct corm_error  error;

    (void)state;
    long long before = number_beside("SELECT @@GLOBAL.max_allowed_packet");
    beside("SET GLOBAL max_allowed_packet = %d", PACKET);
    struct corm__connection *c = open_connection();
    new_many();
    begin(c);
    assert_code(run_array(c, text, &array, NULL, &error), CORM_TOO_LARGE, &error);
    assert_false(c->link->sent);
    assert_false(c->link->lost);
    assert_int_equal(c->link->round_trips, 2); /* enter() and prepare */
    array = rows_of(ROWS, PACKET - HEAD, body);
    assert_ok(run_array(c, text, &array, NULL, &error), &error);
    assert_int_equal(number_of(c, "SELECT COUNT(*) FROM many"), ROWS);
    insert_single(c, 100000);
    decimals_are_too_large(c);
    corm__connection_close(c);
    beside("SET GLOBAL max_allowed_packet = %lld", before);
}

static void an_array_ends_at_its_deadline(void **state)
{
    struct corm__connection  *c = open_connection();
    struct corm__array        all = many_rows(ROWS_MAX);
    struct corm__array_column set[] = {{CORM_V_INT, source.id, NULL, NULL},
                                       {CORM_V_INT, source.id, NULL, NULL}};
    struct corm__array        some = {.rows = ROWS_MAX, .column_count = 2, .columns = set};
    struct corm__statement    update = statement_of("UPDATE many SET whole = ? WHERE id = ?");
    struct corm_error         error;

    (void)state;
    new_many();
    begin(c);
    assert_ok(run_array(c, insert_text, &all, NULL, &error), &error);
    control(c, "COMMIT");
    begin(c);
    struct corm__connection *other = NULL;
    if (is_mariadb()) { /* holds a row in the middle */
        other = open_connection();
        begin(other);
        assert_int_equal(number_of(other, "SELECT id FROM many WHERE id = 5000 FOR UPDATE"), 5000);
    }
    some.rows = 1; /* prepares it in time */
    assert_ok(run_array(c, update.text, &some, NULL, &error), &error);
    some.rows = ROWS_MAX;
    int rc = corm__connection_run_array(c, &update, &some, NULL, 1,
                                        corm__deadline_in(is_mariadb() ? 300 : 0), &error);
    assert_code(rc, is_mariadb() ? CORM_DEADLINE : CORM_TIMEOUT, &error);
    assert_int_equal(c->link->lost, is_mariadb());
    corm__connection_close(c);
    if (other != NULL)
        corm__connection_close(other);
}

static void a_table_that_was_changed_in_between_is_no_error(void **state)
{
    struct corm__connection *c = open_connection();
    struct corm__array       array = many_rows(10);
    struct corm_error        error;

    (void)state;
    new_many();
    begin(c);
    assert_ok(run_array(c, insert_text, &array, NULL, &error), &error);
    control(c, "COMMIT");
    beside("ALTER TABLE many ADD COLUMN more INTEGER");
    beside("DELETE FROM many");
    begin(c);
    assert_ok(run_array(c, insert_text, &array, NULL, &error), &error);
    assert_stored(c, 10);
    control(c, "COMMIT");
    new_many();
    begin(c);
    assert_ok(run_array(c, insert_text, &array, NULL, &error), &error);
    assert_stored(c, 10);
    corm__connection_close(c);
}

static void expect_stale(unsigned int code, int in)
{
    stale_code = code;
    stale_in = in;
}

/* Inserts ten rows where the execution `in` finds the statement stale. */
static int insert_stale(unsigned int code, int in, uint64_t *trips, struct corm_error *error)
{
    struct corm__connection *c = open_connection();
    struct corm__array       array = many_rows(10);

    new_many();
    begin(c);
    uint64_t before = c->link->round_trips;
    expect_stale(code, in);
    int rc = run_array(c, insert_text, &array, NULL, error);
    *trips = c->link->round_trips - before;
    expect_stale(0, 0);
    assert_int_equal(number_of(c, "SELECT COUNT(*) FROM many"), rc == 0 ? 10 : in - 1);
    corm__connection_close(c);
    return rc;
}

static void a_forgotten_statement_is_prepared_again(void **state)
{
    struct corm_error error;
    uint64_t          trips;

    (void)state;
    assert_ok(insert_stale(1243, 1, &trips, &error), &error);
    assert_int_equal(trips, 4); /* prepare, refused, prepare, done */
    /* What the server itself could not mend may have come in the middle. */
    assert_code(insert_stale(1615, 1, &trips, &error), CORM_CONFLICT, &error);
    assert_int_equal(trips, 2);
}

/* ---- A server without array binding ------------------------------------------------------------------------ */

static void without_array_binding_rows_go_one_by_one(void **state)
{
    struct corm_error error;
    uint64_t          trips;

    (void)state;
    no_arrays = true;
    insert_and_compare(1, 1);
    insert_and_compare(256, 256);
    generated_keys_come_in_order(256);
    insert_with_a_duplicate(insert_text, 4);
    assert_ok(insert_stale(1243, 1, &trips, &error), &error);
    assert_int_equal(trips, 13);
    assert_code(insert_stale(1243, 4, &trips, &error), CORM_CONFLICT, &error);
    assert_int_equal(trips, 5);
}

/* ---- How fast ------------------------------------------------------------------------------------------------ */

enum { BATCH = 256, BATCHES = 40 };

static struct corm__array orders_of(size_t first)
{
    for (size_t i = 0; i < BATCH; i++) {
        source.id[i] = (int64_t)(first + i + 1);
        source.whole[i] = (int64_t)i;
    }
    columns[0] = (struct corm__array_column){CORM_V_INT, source.id, NULL, NULL};
    columns[1] = (struct corm__array_column){CORM_V_INT, source.whole, NULL, NULL};
    columns[2] = (struct corm__array_column){CORM_V_INT, source.whole, NULL, NULL};
    return (struct corm__array){.rows = BATCH, .column_count = 3, .columns = columns};
}

static const char one_order[] = "INSERT INTO many (id, whole, big) VALUES (?, ?, ?)";

static void by_array(struct corm__connection *c, const struct corm__array *array)
{
    struct corm_error error;

    assert_ok(run_array(c, one_order, array, NULL, &error), &error);
}

static void one_by_one(struct corm__connection *c, const struct corm__array *array)
{
    struct corm_error error;

    for (size_t i = 0; i < array->rows; i++) {
        struct corm_value binds[] = {int_value(source.id[i]), int_value(source.whole[i]),
                                     int_value(source.whole[i])};
        assert_ok(run_single(c, one_order, binds, 3, NULL, &error), &error);
    }
}

static void by_many_values(struct corm__connection *c, const struct corm__array *array)
{
    static const char        more[] = ", (?, ?, ?)";
    static char              text[sizeof(one_order) + BATCH * sizeof(more)];
    static struct corm_value binds[BATCH * 3];
    struct corm_error        error;

    if (text[0] == '\0') {
        memcpy(text, one_order, sizeof(one_order));
        for (size_t i = 1; i < BATCH; i++)
            memcpy(text + sizeof(one_order) - 1 + (i - 1) * (sizeof(more) - 1), more, sizeof(more));
    }
    for (size_t i = 0; i < array->rows; i++) {
        binds[3 * i] = int_value(source.id[i]);
        binds[3 * i + 1] = binds[3 * i + 2] = int_value(source.whole[i]);
    }
    assert_ok(run_single(c, text, binds, COUNT(binds), NULL, &error), &error);
}

static void rows_per_second(void **state)
{
    static const struct {
        const char *name;
        void (*insert)(struct corm__connection *c, const struct corm__array *array);
    } ways[] = {{"one array", by_array},
                {"256 single executions", one_by_one},
                {"one INSERT of 256 rows", by_many_values}};
    int64_t                  taken[COUNT(ways)] = {0};
    struct corm__connection *c = open_connection();
    size_t                   first = 0;

    (void)state;
    new_many();
    for (size_t batch = 0; batch < BATCHES + 1; batch++)
        for (size_t way = 0; way < COUNT(ways); way++, first += BATCH) {
            struct corm__array array = orders_of(first);
            begin(c);
            int64_t began = corm__now();
            ways[way].insert(c, &array);
            if (batch > 0) /* the first one prepares */
                taken[way] += corm__now() - began;
            control(c, "COMMIT");
        }
    assert_int_equal(number_beside("SELECT COUNT(*) FROM many"), first);
    for (size_t way = 0; way < COUNT(ways); way++)
        (void)printf("# 256 rows by %s, without the commit: %.0f rows/s\n", ways[way].name,
                     BATCHES * BATCH * 1e9 / (double)taken[way]);
    corm__connection_close(c);
}

static int set_up(void **state)
{
    (void)state;
    no_arrays = false;
    expect_stale(0, 0);
    corm_arena_reset(arena);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(int argc, char **argv)
{
    static const struct CMUnitTest both[] = {
        TEST(an_array_of_any_size_arrives_as_it_is),
        TEST(it_is_told_of_as_one_statement),
        TEST(rows_are_updated_and_deleted_by_their_key),
        TEST(returning_gives_one_row_for_each_in_order),
        TEST(rows_that_nobody_takes_are_an_error),
        TEST(a_duplicate_undoes_the_insert_and_the_transaction_goes_on),
        TEST(of_an_update_that_fails_the_rows_in_front_stay),
        TEST(a_statement_runs_singly_before_and_after),
        TEST(what_is_no_array_is_refused_before_anything_is_sent),
        TEST(rows_of_values_become_columns),
        TEST(an_array_ends_at_its_deadline),
        TEST(a_table_that_was_changed_in_between_is_no_error),
        TEST(rows_per_second),
    };
    static const struct CMUnitTest mariadb[] = {
        TEST(something_is_done_while_the_server_works),
        TEST(what_is_too_large_is_not_sent),
        TEST(a_forgotten_statement_is_prepared_again),
        TEST(without_array_binding_rows_go_one_by_one),
    };

    support_begin(argc, argv);
    arena = corm_arena_new();
    int failed = run_group(both, COUNT(both), NULL, 0, mariadb, COUNT(mariadb));
    corm_arena_free(arena);
    support_end();
    return failed;
}
