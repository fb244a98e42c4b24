/* sql_test.c -- the SQL of every statement and clause, in all three dialects, and what is refused.
 *
 * SAYS(call, text, values) makes the call for each dialect and compares its text, which is written
 * as MariaDB wants it (for SQLite ` stands for "), and the values of its `?` in order, such as
 * "int 7, text 'x', real 1.5, null". SAYS_EACH() takes three texts. What SQLite gets is also
 * prepared by SQLite, with tables that were made by corm's own DDL. No server is needed.
 *
 * malloc() and calloc() of all that is linked in go through this file (the linker's --wrap), so
 * that memory can run out. */
#include "base/arena.h"
#include "base/buffer.h"
#include "schema/ddl.h"
#include "schema/dialect.h"
#include "schema/row.h"
#include "schema/text.h"
#include "sql/group_sql.h"
#include "sql/batch.h"
#include "sql/key.h"
#include "sql/statement.h"

#include <corm/corm.h>

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Models ----------------------------------------------------------------- */

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(5), .unique = 1)                                                               \
    X(stock, int, .deflt = "1")                                                                    \
    X(price, nullable(double))                                                                     \
    X(big, bigint)                                                                                 \
    X(ok, bool)                                                                                    \
    X(at, datetime)                                                                                \
    X(note, nullable(text))
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

#define ITEM_COLUMNS "`id`, `name`, `stock`, `price`, `big`, `ok`, `at`, `note`"
#define SELECT_ITEM  "SELECT " ITEM_COLUMNS " FROM `item`"
#define COUNT_ITEM   "SELECT COUNT(*) FROM `item`"

/* Every nullable type. */
#define MAYBE(X)                                                                                   \
    X(id, bigint, .pk = 1)                                                                         \
    X(i, nullable(int))                                                                            \
    X(b, nullable(bigint))                                                                         \
    X(y, nullable(bool))                                                                           \
    X(d, nullable(double))                                                                         \
    X(v, nullable(varchar(3)))                                                                     \
    X(t, nullable(datetime))
CORM_MODEL(maybe, MAYBE);
CORM_DEFINE(maybe, MAYBE);

/* Names that SQL would not take as they are; a primary key of two columns. */
#define ODD(X)                                                                                     \
    X(left_key, int, .pk = 1, .sql_name = "left key")                                              \
    X(right_key, varchar(9), .pk = 1, .sql_name = "`quoted` \"twice\"")                            \
    X(select, int, .sql_name = "\xC3\xA4 ? ' ;--")
CORM_MODEL_AS(odd, "odd `\"table", ODD);
CORM_DEFINE(odd, ODD);

/* The same table once more, with its columns in another order. */
#define ODD_AGAIN(X)                                                                               \
    X(second, varchar(9), .pk = 1, .sql_name = "`quoted` \"twice\"")                               \
    X(first, int, .pk = 1, .sql_name = "left key")
CORM_MODEL_AS(odd_again, "odd `\"table", ODD_AGAIN);
CORM_DEFINE(odd_again, ODD_AGAIN);

#define COUNTER(X) X(id, bigint, .pk = 1, .autoinc = 1)
CORM_MODEL(counter, COUNTER);
CORM_DEFINE(counter, COUNTER);

#define SALE(X)                                                                                    \
    X(id, bigint, .pk = 1)                                                                         \
    X(item_id, int)                                                                                \
    X(qty, nullable(int), .sql_name = "the qty")
CORM_MODEL_AS(sale, "sale of item", SALE);
CORM_DEFINE(sale, SALE);

/* A result: no table of the database. */
#define TOTAL(X) X(name, varchar(5)) X(pieces, nullable(bigint)) X(mean, double)
CORM_MODEL(total, TOTAL);
CORM_DEFINE(total, TOTAL);

#define KEYLESS(X) X(a, int) X(b, text)
CORM_MODEL(keyless, KEYLESS);
CORM_DEFINE(keyless, KEYLESS);

/* Rows that notice when they are stale; odd names, and the columns in an order of their own. */
#define SEAT(X)                                                                                    \
    X(holder, nullable(varchar(9)))                                                                \
    X(version, int, .version = 1, .sql_name = "ver `no` \"1\"")                                    \
    X(block, varchar(3), .pk = 1)                                                                  \
    X(price, double)                                                                               \
    X(number, int, .pk = 1)
CORM_MODEL(seat, SEAT);
CORM_DEFINE(seat, SEAT);

/* Nothing to write but the version. */
#define TURN(X)                                                                                    \
    X(id, bigint, .pk = 1, .autoinc = 1)                                                           \
    X(version, bigint, .version = 1, .deflt = "1")
CORM_MODEL(turn, TURN);
CORM_DEFINE(turn, TURN);

/* Two versions: no model. */
#define TORN(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(one, int, .version = 1)                                                                      \
    X(two, int, .version = 1)
CORM_MODEL(torn, TORN);
CORM_DEFINE(torn, TORN);

/* 33 columns: one more than a set list takes. */
/* clang-format off */
#define WIDE(X)                                                                                    \
    X(a0, int) X(a1, int) X(a2, int) X(a3, int)                                                    \
    X(a4, int) X(a5, int) X(a6, int) X(a7, int)                                                    \
    X(b0, int) X(b1, int) X(b2, int) X(b3, int)                                                    \
    X(b4, int) X(b5, int) X(b6, int) X(b7, int)                                                    \
    X(c0, int) X(c1, int) X(c2, int) X(c3, int)                                                    \
    X(c4, int) X(c5, int) X(c6, int) X(c7, int)                                                    \
    X(d0, int) X(d1, int) X(d2, int) X(d3, int)                                                    \
    X(d4, int) X(d5, int) X(d6, int) X(d7, int)                                                    \
    X(last, int)
/* clang-format on */
CORM_MODEL(wide, WIDE);
CORM_DEFINE(wide, WIDE);

/* ---- Memory that runs out ---------------------------------------------------- */

void *real_malloc(size_t size) __asm__("__real_malloc");
void *real_calloc(size_t n, size_t size) __asm__("__real_calloc");
void *watched_malloc(size_t size) __asm__("__wrap_malloc");
void *watched_calloc(size_t n, size_t size) __asm__("__wrap_calloc");

static long memory_left = -1; /* allocations until memory runs out; -1: enough */

static bool is_out_of_memory(void)
{
    if (memory_left > 0)
        memory_left--;
    return memory_left == 0;
}

void *watched_malloc(size_t size)
{
    return is_out_of_memory() ? NULL : real_malloc(size);
}

void *watched_calloc(size_t n, size_t size)
{
    return is_out_of_memory() ? NULL : real_calloc(n, size);
}

/* ---- Calls and what is expected of them -------------------------------------- */

static struct corm_arena *arena;
static struct corm_sql_of of;
static struct corm_error  error;
static struct item        row, *rows;
static sqlite3           *sqlite;

static const char *const dialects[] = {"MariaDB", "MySQL", "SQLite"};

static void begin_call(int dialect)
{
    corm_arena_reset(arena);
    of = (struct corm_sql_of){.dialect = (enum corm_dialect)dialect, .arena = arena};
    error = (struct corm_error){0};
}

/* As SQLite wants a text that is written for MariaDB. Lives until the next call. */
static const char *as_sqlite(const char *text)
{
    static char copy[65536];

    (void)snprintf(copy, sizeof(copy), "%s", text);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '`')
            *c = '"';
    return copy;
}

static size_t describe_value(const struct corm_value *v, char *text, size_t size)
{
    switch (v->kind) {
    case CORM_V_NULL: return (size_t)snprintf(text, size, "null");
    case CORM_V_INT: return (size_t)snprintf(text, size, "int %lld", v->as.i);
    case CORM_V_UINT: return (size_t)snprintf(text, size, "uint %llu", v->as.u);
    case CORM_V_REAL: return (size_t)snprintf(text, size, "real %.17g", v->as.r);
    case CORM_V_TEXT:
        if (v->size != strlen(v->as.s))
            return (size_t)snprintf(text, size, "text of %u bytes", v->size);
        return (size_t)snprintf(text, size, "text '%s'", v->as.s);
    default: return (size_t)snprintf(text, size, "kind %d", (int)v->kind);
    }
}

static const char *describe(const struct corm_value *values, size_t count)
{
    static char text[65536];
    size_t      used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < count && used < sizeof(text) - 1000; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", i > 0 ? ", " : "");
        used += describe_value(&values[i], text + used, sizeof(text) - used);
    }
    return text;
}

static void prepare_by_sqlite(const char *call)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(sqlite, of.text, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: SQLite: %s: %s", call, sqlite3_errmsg(sqlite), of.text);
    if ((size_t)sqlite3_bind_parameter_count(statement) != of.bind_count)
        fail_msg("%s: SQLite counts other values: %s", call, of.text);
    (void)sqlite3_finalize(statement);
}

static void check(int64_t rc, const char *call, const char *text, const char *binds)
{
    const char *dialect = dialects[of.dialect];

    if (rc != 0 || error.code != 0)
        fail_msg("%s on %s: %lld: %s", call, dialect, (long long)rc, error.message);
    if (of.text == NULL || strcmp(of.text, text) != 0)
        fail_msg("%s on %s is\n%s, not\n%s", call, dialect, of.text ? of.text : "NULL", text);
    if (strcmp(describe(of.binds, of.bind_count), binds) != 0)
        fail_msg("%s on %s binds %s, not %s", call, dialect, describe(of.binds, of.bind_count),
                 binds);
    if (of.dialect == CORM_DIALECT_SQLITE)
        prepare_by_sqlite(call);
}

#define SAYS_AS(name, call, mariadb, mysql, sqlite_text, binds)                                    \
    do {                                                                                           \
        for (int d = 0; d < 3; d++) {                                                              \
            begin_call(d);                                                                         \
            check((call), name, d == 0 ? (mariadb) : d == 1 ? (mysql) : (sqlite_text), binds);     \
        }                                                                                          \
    } while (0)
#define SAYS_EACH(call, mariadb, mysql, sqlite_text, binds)                                        \
    SAYS_AS(#call, call, mariadb, mysql, sqlite_text, binds)
#define SAYS(call, text, binds) SAYS_AS(#call, call, text, text, as_sqlite(text), binds)

/* A condition on items. */
#define WHERE(expr, text, binds)                                                                   \
    SAYS_AS(#expr, corm_count(&of, item, .where = (expr), .error = &error),                        \
            COUNT_ITEM " WHERE " text, COUNT_ITEM " WHERE " text,                                  \
            as_sqlite(COUNT_ITEM " WHERE " text), binds)

static void check_refused(int64_t rc, const char *call, int code, const char *piece)
{
    const char *dialect = dialects[of.dialect];
    size_t      characters;

    if (rc == 0)
        fail_msg("%s on %s is taken: %s", call, dialect, of.text);
    if (rc != code || error.code != code)
        fail_msg("%s on %s: %lld, not %s: %s", call, dialect, (long long)rc, corm_code_name(code),
                 error.message);
    if (strstr(error.message, piece) == NULL || strstr(error.message, corm_code_cure(code)) == NULL)
        fail_msg("%s on %s does not say \"%s\" and a cure: %s", call, dialect, piece,
                 error.message);
    if (!corm__is_utf8(error.message, strlen(error.message), &characters))
        fail_msg("%s on %s: the message is not UTF-8: %s", call, dialect, error.message);
    if (of.text != NULL)
        fail_msg("%s on %s is refused, and has a text: %s", call, dialect, of.text);
}

#define REFUSED_BY(dialect, call, code, piece)                                                     \
    do {                                                                                           \
        begin_call(dialect);                                                                       \
        check_refused((call), #call, code, piece);                                                 \
    } while (0)
#define REFUSED_AS(name, call, code, piece)                                                        \
    do {                                                                                           \
        for (int d = 0; d < 3; d++) {                                                              \
            begin_call(d);                                                                         \
            check_refused((call), name, code, piece);                                              \
        }                                                                                          \
    } while (0)
#define REFUSED(call, code, piece) REFUSED_AS(#call, call, code, piece)
#define REFUSED_WHERE(expr, code, piece)                                                           \
    REFUSED_AS(#expr, corm_count(&of, item, .where = (expr), .error = &error), code, piece)

/* The second argument of corm_update() and the others that take a condition and one assignment. */
#define REFUSED_SET(assignment, code, piece)                                                       \
    REFUSED_AS(#assignment,                                                                        \
               corm_update(&of, item, corm_eq(item.id, 7), assignment, .error = &error), code,     \
               piece)

static void make_table(const struct corm_table *table)
{
    struct corm__buffer b;
    char               *message = NULL;

    corm__buffer_init(&b, arena);
    corm__put_create_table(&b, &(struct corm__ddl){CORM_DIALECT_SQLITE, false}, table, false);
    if (sqlite3_exec(sqlite, b.text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", b.text, message);
}

static void met(sqlite3_context *context, int count, sqlite3_value **args)
{
    (void)count, (void)args;
    sqlite3_result_int(context, 1);
}

static int begin_all(void **state)
{
    const struct corm_table *const tables[] = {
        item.corm_table, maybe.corm_table, odd.corm_table,  counter.corm_table, keyless.corm_table,
        wide.corm_table, seat.corm_table,  turn.corm_table, sale.corm_table};

    (void)state;
    arena = corm_arena_new();
    if (arena == NULL || sqlite3_open(":memory:", &sqlite) != SQLITE_OK)
        return -1;
    for (size_t i = 0; i < COUNT(tables); i++)
        make_table(tables[i]);
    /* What the driver has in each connection. */
    return sqlite3_create_function(sqlite, "corm_met", 1, SQLITE_UTF8, NULL, met, NULL, NULL);
}

static int end_all(void **state)
{
    (void)state;
    corm_arena_free(arena);
    return sqlite3_close(sqlite) == SQLITE_OK ? 0 : -1;
}

/* ---- Reads ------------------------------------------------------------------ */

static void a_read_names_every_column(void **state)
{
    (void)state;
    SAYS(corm_first(&of, item, &row, .error = &error), SELECT_ITEM " LIMIT 1", "");
    SAYS(corm_all(&of, item, &rows, .error = &error), SELECT_ITEM, "");
    SAYS(corm_count(&of, item, .error = &error), COUNT_ITEM, "");
    SAYS(corm_exists(&of, item, .error = &error), "SELECT EXISTS (SELECT 1 FROM `item`)", "");
    SAYS(corm_sql_of(&of, corm_first, item, &row), SELECT_ITEM " LIMIT 1", "");
}

static void a_read_takes_a_condition(void **state)
{
    (void)state;
    SAYS(corm_first(&of, item, &row, .where = corm_eq(item.id, 7), .error = &error),
         SELECT_ITEM " WHERE `id` = ? LIMIT 1", "int 7");
    SAYS(corm_all(&of, item, &rows, .where = corm_gt(item.stock, 0), .error = &error),
         SELECT_ITEM " WHERE `stock` > ?", "int 0");
    SAYS(corm_count(&of, item, .where = corm_gt(item.stock, 0), .error = &error),
         COUNT_ITEM " WHERE `stock` > ?", "int 0");
    SAYS(corm_exists(&of, item, .where = corm_gt(item.stock, 0), .error = &error),
         "SELECT EXISTS (SELECT 1 FROM `item` WHERE `stock` > ?)", "int 0");
}

static void every_row_needs_no_where(void **state)
{
    (void)state;
    SAYS(corm_all(&of, item, &rows, .where = corm_everything(), .error = &error), SELECT_ITEM, "");
    SAYS(corm_count(&of, item, .where = corm_everything(), .error = &error), COUNT_ITEM, "");
    WHERE(corm_and(corm_everything(), corm_eq(item.id, 7)), "(1 = 1 AND `id` = ?)", "int 7");
    WHERE(corm_not(corm_everything()), "NOT (1 = 1)", "");
}

static void rows_are_sorted(void **state)
{
    (void)state;
    SAYS(corm_first(&of, item, &row, .order = {corm_asc(item.name)}, .error = &error),
         SELECT_ITEM " ORDER BY `name` LIMIT 1", "");
    SAYS(corm_all(&of, item, &rows, .order = {corm_desc(item.price), corm_asc(item.id)},
                  .error = &error),
         SELECT_ITEM " ORDER BY `price` DESC, `id`", "");
    SAYS(corm_all(&of, item, &rows,
                  .order = {corm_asc(item.id), corm_asc(item.name), corm_asc(item.stock),
                            corm_asc(item.price), corm_asc(item.big), corm_asc(item.ok),
                            corm_asc(item.at), corm_desc(item.note)},
                  .error = &error),
         SELECT_ITEM " ORDER BY `id`, `name`, `stock`, `price`, `big`, `ok`, `at`, `note` DESC",
         "");
}

static void limit_and_offset_are_bound(void **state)
{
    (void)state;
    SAYS(corm_all(&of, item, &rows, .limit = 10, .error = &error), SELECT_ITEM " LIMIT ?",
         "int 10");
    SAYS(corm_all(&of, item, &rows, .limit = 10, .offset = 20, .error = &error),
         SELECT_ITEM " LIMIT ? OFFSET ?", "int 10, int 20");
    SAYS(corm_all(&of, item, &rows, .limit = INT64_MAX, .offset = INT64_MAX, .error = &error),
         SELECT_ITEM " LIMIT ? OFFSET ?", "int 9223372036854775807, int 9223372036854775807");
    SAYS(corm_first(&of, item, &row, .limit = 1, .error = &error), SELECT_ITEM " LIMIT 1", "");
    SAYS(corm_first(&of, item, &row, .offset = 3, .error = &error), SELECT_ITEM " LIMIT ? OFFSET ?",
         "int 1, int 3");
}

static void limits_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    REFUSED(corm_all(&of, item, &rows, .offset = 20, .error = &error), CORM_MISUSE,
            "an offset without a limit");
    REFUSED(corm_all(&of, item, &rows, .limit = UINT64_MAX, .error = &error), CORM_OUT_OF_RANGE,
            "limit or offset");
    REFUSED(
        corm_all(&of, item, &rows, .limit = 1, .offset = (uint64_t)INT64_MAX + 1, .error = &error),
        CORM_OUT_OF_RANGE, "limit or offset");
    REFUSED(corm_first(&of, item, &row, .limit = 2, .error = &error), CORM_MISUSE, "one row");
    REFUSED(corm_count(&of, item, .limit = 1, .error = &error), CORM_MISUSE, "count");
    REFUSED(corm_count(&of, item, .limit = 1, .offset = 1, .error = &error), CORM_MISUSE, "count");
    REFUSED(corm_exists(&of, item, .offset = 1, .error = &error), CORM_MISUSE, "exists");
    REFUSED(corm_exists(&of, item, .order = {corm_asc(item.id)}, .error = &error), CORM_MISUSE,
            "exists");
    REFUSED(corm_count(&of, item, .lock = CORM_FOR_UPDATE, .error = &error), CORM_MISUSE, "lock");
}

/* ---- Locks ------------------------------------------------------------------ */

#define LOCKS(options, mariadb, mysql)                                                             \
    SAYS_AS(#options, corm_all(&of, item, &rows, LOCK options, .error = &error),                   \
            SELECT_ITEM mariadb, SELECT_ITEM mysql, as_sqlite(SELECT_ITEM), "")
#define LOCK(...) __VA_ARGS__

static void each_server_locks_in_its_own_words(void **state)
{
    (void)state;
    LOCKS((.lock = CORM_NO_LOCK), "", "");
    LOCKS((.lock = CORM_FOR_UPDATE), " FOR UPDATE", " FOR UPDATE");
    LOCKS((.lock = CORM_FOR_UPDATE, .nowait = true), " FOR UPDATE NOWAIT", " FOR UPDATE NOWAIT");
    LOCKS((.lock = CORM_FOR_UPDATE, .skip_locked = true), " FOR UPDATE SKIP LOCKED",
          " FOR UPDATE SKIP LOCKED");
    LOCKS((.lock = CORM_FOR_SHARE), " LOCK IN SHARE MODE", " FOR SHARE");
    LOCKS((.lock = CORM_FOR_SHARE, .nowait = true), " LOCK IN SHARE MODE NOWAIT",
          " FOR SHARE NOWAIT");
    LOCKS((.lock = CORM_FOR_SHARE, .skip_locked = true), " LOCK IN SHARE MODE SKIP LOCKED",
          " FOR SHARE SKIP LOCKED");
}

/* One row on MariaDB and on SQLite. */
#define WAITS(ms, prefix)                                                                          \
    do {                                                                                           \
        begin_call(CORM_DIALECT_MARIADB);                                                          \
        check(corm_first(&of, item, &row, .lock = CORM_FOR_UPDATE, .wait_ms = (ms),                \
                         .error = &error),                                                         \
              "wait_ms = " #ms, prefix SELECT_ITEM " LIMIT 1 FOR UPDATE", "");                     \
        begin_call(CORM_DIALECT_SQLITE);                                                           \
        check(corm_first(&of, item, &row, .lock = CORM_FOR_UPDATE, .wait_ms = (ms),                \
                         .error = &error),                                                         \
              "wait_ms = " #ms, as_sqlite(SELECT_ITEM " LIMIT 1"), "");                            \
        REFUSED_BY(CORM_DIALECT_MYSQL,                                                             \
                   corm_first(&of, item, &row, .lock = CORM_FOR_UPDATE, .wait_ms = (ms),           \
                              .error = &error),                                                    \
                   CORM_UNSUPPORTED, "wait_ms");                                                   \
    } while (0)

static void a_lock_wait_has_milliseconds(void **state)
{
    (void)state;
    WAITS(1, "SET STATEMENT max_statement_time=0.001 FOR ");
    WAITS(50, "SET STATEMENT max_statement_time=0.050 FOR ");
    WAITS(1000, "SET STATEMENT max_statement_time=1.000, innodb_lock_wait_timeout=2 FOR ");
    WAITS(1500, "SET STATEMENT max_statement_time=1.500, innodb_lock_wait_timeout=2 FOR ");
    WAITS(UINT32_MAX,
          "SET STATEMENT max_statement_time=4294967.295, innodb_lock_wait_timeout=4294968 FOR ");
    begin_call(CORM_DIALECT_MARIADB);
    check(corm_all(&of, item, &rows, .lock = CORM_FOR_SHARE, .wait_ms = 20, .error = &error),
          "share", "SET STATEMENT max_statement_time=0.020 FOR " SELECT_ITEM " LOCK IN SHARE MODE",
          "");
}

static void ways_to_wait_exclude_each_other(void **state)
{
    (void)state;
    REFUSED(corm_all(&of, item, &rows, .lock = CORM_FOR_UPDATE, .nowait = true, .skip_locked = true,
                     .error = &error),
            CORM_MISUSE, "exclude each other");
    REFUSED(corm_all(&of, item, &rows, .lock = CORM_FOR_SHARE, .nowait = true, .wait_ms = 1,
                     .error = &error),
            CORM_MISUSE, "exclude each other");
    REFUSED(corm_first(&of, item, &row, .lock = CORM_FOR_UPDATE, .skip_locked = true, .wait_ms = 1,
                       .error = &error),
            CORM_MISUSE, "exclude each other");
    REFUSED(corm_all(&of, item, &rows, .nowait = true, .error = &error), CORM_MISUSE, ".lock");
    REFUSED(corm_all(&of, item, &rows, .skip_locked = true, .error = &error), CORM_MISUSE, ".lock");
    REFUSED(corm_first(&of, item, &row, .wait_ms = 5, .error = &error), CORM_MISUSE, ".lock");
}

static void clauses_stand_in_the_order_of_sql(void **state)
{
    (void)state;
    SAYS_EACH(
        corm_all(&of, item, &rows, .where = corm_gt(item.stock, 0), .order = {corm_desc(item.id)},
                 .limit = 5, .offset = 6, .lock = CORM_FOR_SHARE, .skip_locked = true,
                 .error = &error),
        SELECT_ITEM " WHERE `stock` > ? ORDER BY `id` DESC LIMIT ? OFFSET ? LOCK IN SHARE MODE "
                    "SKIP LOCKED",
        SELECT_ITEM " WHERE `stock` > ? ORDER BY `id` DESC LIMIT ? OFFSET ? FOR SHARE SKIP LOCKED",
        as_sqlite(SELECT_ITEM " WHERE `stock` > ? ORDER BY `id` DESC LIMIT ? OFFSET ?"),
        "int 0, int 5, int 6");
}

/* ---- Conditions --------------------------------------------------------------- */

static void six_comparisons(void **state)
{
    (void)state;
    WHERE(corm_eq(item.stock, 5), "`stock` = ?", "int 5");
    WHERE(corm_ne(item.stock, 5), "`stock` <> ?", "int 5");
    WHERE(corm_lt(item.stock, 5), "`stock` < ?", "int 5");
    WHERE(corm_le(item.stock, 5), "`stock` <= ?", "int 5");
    WHERE(corm_gt(item.stock, 5), "`stock` > ?", "int 5");
    WHERE(corm_ge(item.stock, 5), "`stock` >= ?", "int 5");
}

static void values_are_bound_by_their_column(void **state)
{
    const unsigned long long most = INT64_MAX;

    (void)state;
    WHERE(corm_eq(item.big, INT64_MIN), "`big` = ?", "int -9223372036854775808");
    WHERE(corm_eq(item.big, most), "`big` = ?", "int 9223372036854775807");
    WHERE(corm_eq(item.stock, 4294967296), "`stock` = ?", "int 4294967296"); /* no row has it */
    WHERE(corm_eq(item.stock, (unsigned char)200), "`stock` = ?", "int 200");
    WHERE(corm_eq(item.stock, (size_t)7), "`stock` = ?", "int 7");
    WHERE(corm_eq(item.stock, 'x'), "`stock` = ?", "int 120");
    WHERE(corm_eq(item.ok, true), "`ok` = ?", "int 1");
    WHERE(corm_eq(item.ok, 2), "`ok` = ?", "int 2");
    WHERE(corm_lt(item.price, 1.5), "`price` < ?", "real 1.5");
    WHERE(corm_lt(item.price, 0.1f), "`price` < ?", "real 0.10000000149011612");
    WHERE(corm_lt(item.price, -0.0), "`price` < ?", "real 0");
    WHERE(corm_lt(item.price, 3), "`price` < ?", "real 3");
    WHERE(corm_lt(item.price, (uint64_t)3), "`price` < ?", "real 3");
    WHERE(corm_lt(item.price, INT64_C(9007199254740992)), "`price` < ?", "real 9007199254740992");
    WHERE(corm_lt(item.price, INT64_MIN), "`price` < ?", "real -9.2233720368547758e+18");
    WHERE(corm_eq(item.name, "bolt"), "`name` = ?", "text 'bolt'");
    WHERE(corm_eq(item.name, ""), "`name` = ?", "text ''");
    WHERE(corm_eq(item.name, "longer than its column"), "`name` = ?",
          "text 'longer than its column'");
    WHERE(corm_eq(item.note, "x"), "`note` = ?", "text 'x'");
    WHERE(corm_ge(item.at, 0), "`at` >= ?", "text '1970-01-01 00:00:00.000000'");
    WHERE(corm_ge(item.at, -1), "`at` >= ?", "text '1969-12-31 23:59:59.999999'");
    WHERE(corm_ge(item.at, (uint64_t)1769850300000001), "`at` >= ?",
          "text '2026-01-31 09:05:00.000001'");
    WHERE(corm_le(item.at, INT64_C(253402300799999999)), "`at` <= ?",
          "text '9999-12-31 23:59:59.999999'");
    WHERE(corm_ge(item.at, INT64_C(-62135596800000000)), "`at` >= ?",
          "text '0001-01-01 00:00:00.000000'");
}

static void values_are_never_pasted_into_the_text(void **state)
{
    (void)state;
    WHERE(corm_eq(item.name, "' OR 1=1 --"), "`name` = ?", "text '' OR 1=1 --'");
    WHERE(corm_contains(item.note, "`\"';\\"), "`note` LIKE ? ESCAPE '!'", "text '%`\"';\\%'");
    SAYS(corm_update(&of, item, corm_eq(item.note, "?"), corm_set(item.note, "'; DROP TABLE item"),
                     .error = &error),
         "UPDATE `item` SET `note` = ? WHERE `note` = ?", "text ''; DROP TABLE item', text '?'");
}

static void a_column_is_compared_with_a_column(void **state)
{
    (void)state;
    WHERE(corm_eq(item.stock, item.big), "`stock` = `big`", "");
    WHERE(corm_lt(item.price, item.stock), "`price` < `stock`", "");
    WHERE(corm_ne(item.name, item.note), "`name` <> `note`", "");
    WHERE(corm_ge(item.at, item.at), "`at` >= `at`", "");
    WHERE(corm_like(item.name, item.note), "`name` LIKE `note` ESCAPE '!'", "");
    WHERE(corm_in(item.stock, 1, item.big), "`stock` IN (?, `big`)", "int 1");
}

static void in_takes_one_to_sixteen_values(void **state)
{
    (void)state;
    WHERE(corm_in(item.id, 7), "`id` IN (?)", "int 7");
    WHERE(corm_in(item.id, 1, 2, 3), "`id` IN (?, ?, ?, ?)", "int 1, int 2, int 3, int 3");
    WHERE(corm_in(item.name, "a", "b"), "`name` IN (?, ?)", "text 'a', text 'b'");
    WHERE(corm_in(item.price, 1, 2.5), "`price` IN (?, ?)", "real 1, real 2.5");
    WHERE(corm_in(item.ok, true, false), "`ok` IN (?, ?)", "int 1, int 0");
    WHERE(corm_in(item.at, 0), "`at` IN (?)", "text '1970-01-01 00:00:00.000000'");
    WHERE(corm_in(item.id, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
          "`id` IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          "int 1, int 2, int 3, int 4, int 5, int 6, int 7, int 8, int 9, int 10, int 11, int 12, "
          "int 13, int 14, int 15, int 16");
}

static void a_list_has_values_of_one_type(void **state)
{
    const int32_t     ints[] = {INT32_MIN, 0, INT32_MAX};
    const int64_t     bigs[] = {INT64_MIN, INT64_MAX};
    const double      reals[] = {-1.5, 1e300};
    const char *const texts[] = {"a", "%", ""};
    char              own[] = "own", *pointers[] = {own, own + 1};

    (void)state;
    WHERE(corm_in_list(item.stock, ints, 3), "`stock` IN (?, ?, ?, ?)",
          "int -2147483648, int 0, int 2147483647, int 2147483647");
    WHERE(corm_in_list(item.stock, ints, 1), "`stock` IN (?)", "int -2147483648");
    WHERE(corm_in_list(item.big, bigs, 2), "`big` IN (?, ?)",
          "int -9223372036854775808, int 9223372036854775807");
    WHERE(corm_in_list(item.stock, bigs, 1), "`stock` IN (?)", "int -9223372036854775808");
    WHERE(corm_in_list(item.price, reals, 2), "`price` IN (?, ?)",
          "real -1.5, real 1.0000000000000001e+300");
    WHERE(corm_in_list(item.price, ints, 2), "`price` IN (?, ?)", "real -2147483648, real 0");
    WHERE(corm_in_list(item.name, texts, 3), "`name` IN (?, ?, ?, ?)",
          "text 'a', text '%', text '', text ''");
    WHERE(corm_in_list(item.name, pointers, 2), "`name` IN (?, ?)", "text 'own', text 'wn'");
    WHERE(corm_in_list(item.at, (const int64_t[]){1}, 1), "`at` IN (?)",
          "text '1970-01-01 00:00:00.000001'");
}

static void a_list_may_be_long(void **state)
{
    static int64_t ids[5000];
    static char    text[20000] = COUNT_ITEM " WHERE `id` IN (?";

    (void)state;
    for (size_t i = 1; i < COUNT(ids); i++) {
        ids[i] = (int64_t)i;
        memcpy(text + strlen(COUNT_ITEM " WHERE `id` IN (?") + 3 * (i - 1), ", ?", 4);
    }
    memcpy(text + strlen(text), ")", 2);
    begin_call(CORM_DIALECT_MARIADB);
    assert_int_equal(corm_count(&of, item, .where = corm_in_list(item.id, ids, COUNT(ids))), 0);
    assert_string_equal(of.text, text);
    assert_int_equal(of.bind_count, COUNT(ids));
    for (size_t i = 0; i < COUNT(ids); i++)
        assert_int_equal(of.binds[i].as.i, i);
}

static void a_list_that_no_server_takes_is_refused(void **state)
{
    static int64_t     ids[32001];
    struct corm_arena *own = corm_arena_new();
    struct corm_where *w = corm_where_new(own);

    (void)state;
    begin_call(CORM_DIALECT_SQLITE);
    assert_int_equal(corm_count(&of, item, .where = corm_in_list(item.id, ids, 32000)), 0);
    REFUSED_WHERE(corm_in_list(item.id, ids, 32001), CORM_TOO_LARGE, "32001 values");
    corm_where_and(w, corm_in_list(item.id, ids, 32001));
    REFUSED_WHERE(corm_where(w), CORM_TOO_LARGE, "32001 values");
    corm_arena_free(own);
}

/* What only a program that fills the structs itself can bring about. */
static void expressions_that_no_macro_makes_are_refused(void **state)
{
    static const struct corm_value long_text = {
        .kind = CORM_V_TEXT, .size = (uint32_t)INT32_MAX + 1, .as.s = "x"};
    const int32_t    ints[] = {1};
    struct corm_expr list = corm_in_list(item.id, ints, 1);
    struct corm_expr text = corm_eq(item.name, "x");
    struct corm_expr time = corm_eq(item.at, 0);

    (void)state;
    list.list_type = (enum corm_list_type)77;
    REFUSED_WHERE(list, CORM_MISUSE, "NULL");
    text.value = long_text;
    REFUSED_WHERE(text, CORM_TOO_LONG, "2 GiB");
    time.value = corm_v_text_("2026-01-31 09:05:00");
    REFUSED_WHERE(time, CORM_MISUSE, "another type");
    REFUSED_SET(((struct corm_assign){
                    .column = item.ok.column, .op = CORM_SET, .value = corm_v_column_(NULL)}),
                CORM_MISUSE, "is a bool");
    time = corm_eq(item.id, 7);
    time.op = (enum corm_op)77;
    REFUSED_WHERE(time, CORM_MISUSE, "empty");
}

/* A text of a given size, which need not end with NUL. */
static void a_text_of_a_size_is_taken_so_far(void **state)
{
    static const struct corm_value text = {.kind = CORM_V_TEXT, .size = 3, .as.s = "abcdef"};
    struct corm_arena             *own = corm_arena_new();
    struct corm_where             *w = corm_where_new(own);
    struct corm_expr               e = corm_eq(item.name, "x");

    (void)state;
    e.value = text;
    corm_where_and(w, e);
    SAYS(corm_count(&of, item, .where = corm_where(w), .error = &error),
         COUNT_ITEM " WHERE `name` = ?", "text 'abc'");
    const struct corm_value values[] = {text, {.kind = CORM_V_NONE}};
    begin_call(CORM_DIALECT_SQLITE);
    assert_int_equal(corm_sql(&of, NULL, "SELECT ?", (struct corm_vals){values}), 0);
    assert_int_equal(of.binds[0].size, 3);
    corm_arena_free(own);
}

/* Lists of all lengths make few texts, so that they do not push all else out of the caches: the last
 * value stands for those that are missing. */
static void a_list_is_as_long_as_the_next_power_of_two(void **state)
{
    static const struct {
        size_t values, binds;
    } lists[] = {{1, 1},      {2, 2},       {3, 4},       {4, 4},       {5, 8},
                 {8, 8},      {9, 16},      {16, 16},     {17, 32},     {100, 128},
                 {513, 1024}, {1023, 1024}, {1024, 1024}, {1025, 1025}, {20000, 20000}};
    static int32_t ids[20000];

    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = (int32_t)i;
    for (size_t i = 0; i < COUNT(lists); i++) {
        begin_call(CORM_DIALECT_SQLITE);
        assert_int_equal(
            corm_count(&of, item, .where = corm_in_list(item.id, ids, lists[i].values)), 0);
        assert_int_equal(of.bind_count, lists[i].binds);
        for (size_t n = 0; n < of.bind_count; n++)
            assert_int_equal(of.binds[n].as.i, n < lists[i].values ? n : lists[i].values - 1);
    }
    WHERE(corm_not(corm_in(item.stock, 1, 2, item.big)), "NOT (`stock` IN (?, ?, `big`, `big`))",
          "int 1, int 2");
}

static void searches_escape_what_they_are_given(void **state)
{
    (void)state;
    WHERE(corm_like(item.name, "b%_t!%"), "`name` LIKE ? ESCAPE '!'", "text 'b%_t!%'");
    WHERE(corm_starts_with(item.name, "bo"), "`name` LIKE ? ESCAPE '!'", "text 'bo%'");
    WHERE(corm_ends_with(item.name, "lt"), "`name` LIKE ? ESCAPE '!'", "text '%lt'");
    WHERE(corm_contains(item.name, "ol"), "`name` LIKE ? ESCAPE '!'", "text '%ol%'");
    WHERE(corm_starts_with(item.note, "50%_!"), "`note` LIKE ? ESCAPE '!'", "text '50!%!_!!%'");
    WHERE(corm_ends_with(item.note, "50%_!"), "`note` LIKE ? ESCAPE '!'", "text '%50!%!_!!'");
    WHERE(corm_contains(item.note, "%%__!!"), "`note` LIKE ? ESCAPE '!'", "text '%!%!%!_!_!!!!%'");
    WHERE(corm_contains(item.note, "\\"), "`note` LIKE ? ESCAPE '!'", "text '%\\%'");
    WHERE(corm_starts_with(item.note, ""), "`note` LIKE ? ESCAPE '!'", "text '%'");
    WHERE(corm_contains(item.note, "\xC3\xA4"), "`note` LIKE ? ESCAPE '!'", "text '%\xC3\xA4%'");
    WHERE(corm_starts_with(item.name, "longer than its column"), "`name` LIKE ? ESCAPE '!'",
          "text 'longer than its column%'");
}

static void null_is_tested_for(void **state)
{
    (void)state;
    WHERE(corm_is_null(item.note), "`note` IS NULL", "");
    WHERE(corm_not_null(item.price), "`price` IS NOT NULL", "");
    WHERE(corm_is_null(item.id), "`id` IS NULL", "");
}

static void conditions_nest(void **state)
{
    (void)state;
    WHERE(corm_and(corm_gt(item.stock, 0)), "(`stock` > ?)", "int 0");
    WHERE(corm_or(corm_gt(item.stock, 0)), "(`stock` > ?)", "int 0");
    WHERE(corm_not(corm_gt(item.stock, 0)), "NOT (`stock` > ?)", "int 0");
    WHERE(corm_and(corm_gt(item.stock, 0),
                   corm_or(corm_like(item.name, "b%"), corm_in(item.id, 1, 2))),
          "(`stock` > ? AND (`name` LIKE ? ESCAPE '!' OR `id` IN (?, ?)))",
          "int 0, text 'b%', int 1, int 2");
    WHERE(corm_not(corm_and(corm_not(corm_eq(item.id, 1)),
                            corm_or(corm_is_null(item.note), corm_everything()))),
          "NOT ((NOT (`id` = ?) AND (`note` IS NULL OR 1 = 1)))", "int 1");
    WHERE(corm_or(corm_and(corm_eq(item.id, 1), corm_eq(item.id, 2)),
                  corm_and(corm_eq(item.id, 3), corm_eq(item.id, 4)), corm_eq(item.id, 5)),
          "((`id` = ? AND `id` = ?) OR (`id` = ? AND `id` = ?) OR `id` = ?)",
          "int 1, int 2, int 3, int 4, int 5");
}

/* `depth` times NOT around a comparison. */
static struct corm_expr nested_of(struct corm_expr (*levels)[2], int depth, struct corm_expr expr)
{
    for (int i = 0; i < depth; i++) {
        levels[i][0] = expr;
        levels[i][1] = (struct corm_expr){.op = CORM_END};
        expr = (struct corm_expr){.op = CORM_NOT, .kids = levels[i]};
    }
    return expr;
}

static struct corm_expr nested(struct corm_expr (*levels)[2], int depth)
{
    return nested_of(levels, depth, corm_eq(item.id, 7));
}

static void conditions_nest_20_deep_and_no_deeper(void **state)
{
    struct corm_expr levels[200][2];

    (void)state;
    for (int d = 0; d < 3; d++) {
        begin_call(d);
        assert_int_equal(corm_count(&of, item, .where = nested(levels, 20)), 0);
        assert_int_equal(strlen(of.text),
                         strlen(COUNT_ITEM " WHERE `id` = ?") + 20 * strlen("NOT ()"));
    }
    REFUSED_WHERE(nested(levels, 21), CORM_MISUSE, "deeper than 20");
    REFUSED_WHERE(nested(levels, 200), CORM_MISUSE, "deeper than 20");
}

/* A sub-query counts for five. */
static void conditions_in_sub_queries_nest_15_deep_and_no_deeper(void **state)
{
    struct corm_expr levels[200][2];

    (void)state;
    CORM_ALIAS(inner, item);
    for (int d = 0; d < 3; d++) {
        begin_call(d);
        assert_int_equal(
            corm_count(&of, item,
                       .where = corm_exists_query(
                           inner, .where = nested_of(levels, 15, corm_eq(inner.id, 7)))),
            0);
        begin_call(d);
        assert_int_equal(corm_count(&of, item,
                                    .where = corm_in_query(
                                        item.id, inner, inner.stock,
                                        .where = nested_of(levels, 15, corm_eq(inner.id, 7)))),
                         0);
    }
    REFUSED_WHERE(corm_exists_query(inner, .where = nested_of(levels, 16, corm_eq(inner.id, 7))),
                  CORM_MISUSE, "a sub-query counts for 5");
    REFUSED_WHERE(corm_in_query(item.id, inner, inner.stock,
                                .where = nested_of(levels, 16, corm_eq(inner.id, 7))),
                  CORM_MISUSE, "a sub-query counts for 5");
}

/* `n` members, the first of which is `first`. */
static struct corm_expr chain(struct corm_expr *kids, size_t n, struct corm_expr first)
{
    for (size_t i = 0; i < n; i++)
        kids[i] = i == 0 ? first : corm_eq(item.id, 7);
    kids[n] = (struct corm_expr){.op = CORM_END};
    return (struct corm_expr){.op = CORM_AND, .kids = kids};
}

/* Beside each other they do not: what counts is how high the tree is that SQLite makes of them. */
static void members_of_nested_conditions_count_together(void **state)
{
    static struct corm_expr outer[1000], inner[1000], third[1000];
    struct corm_expr        one = corm_eq(item.id, 7);
    CORM_ALIAS(another, item);

    (void)state;
    for (int d = 0; d < 3; d++) {
        begin_call(d);
        assert_int_equal(corm_count(&of, item, .where = chain(outer, 900, one)), 0);
        begin_call(d);
        assert_int_equal(corm_count(&of, item, .where = chain(outer, 400, chain(inner, 500, one))),
                         0);
        begin_call(d);
        assert_int_equal(
            corm_count(&of, item, .where = corm_or(chain(inner, 898, one), chain(third, 898, one))),
            0);
    }
    begin_call(CORM_DIALECT_SQLITE);
    assert_int_equal(corm_exists(&of, item, .where = chain(outer, 450, one)), 0);
    REFUSED(corm_exists(&of, item, .where = chain(outer, 451, one), .error = &error),
            CORM_TOO_LARGE, "more than 450 members");
    begin_call(CORM_DIALECT_SQLITE);
    assert_int_equal(
        corm_count(&of, item,
                   .where = chain(outer, 400,
                                  corm_exists_query(
                                      another, .where = chain(inner, 50, corm_eq(another.id, 7))))),
        0);
    REFUSED_WHERE(
        chain(outer, 400,
              corm_exists_query(another, .where = chain(inner, 51, corm_eq(another.id, 7)))),
        CORM_TOO_LARGE, "more than 450 members");
    REFUSED_WHERE(chain(outer, 901, one), CORM_TOO_LARGE, "more than 900 members");
    REFUSED_WHERE(chain(outer, 400, chain(inner, 501, one)), CORM_TOO_LARGE,
                  "more than 900 members");
}

static void empty_conditions_are_refused(void **state)
{
    const struct corm_expr nobody[] = {{.op = CORM_END}}, none[] = {{0}, {.op = CORM_END}};
    const int32_t          ids[] = {1};

    (void)state;
    REFUSED_WHERE(((struct corm_expr){.op = CORM_AND, .kids = nobody}), CORM_MISUSE, "no members");
    REFUSED_WHERE(((struct corm_expr){.op = CORM_OR, .kids = nobody}), CORM_MISUSE, "no members");
    REFUSED_WHERE(((struct corm_expr){.op = CORM_NOT, .kids = nobody}), CORM_MISUSE, "no members");
    REFUSED_WHERE(((struct corm_expr){.op = CORM_AND}), CORM_MISUSE, "no members");
    REFUSED_WHERE(((struct corm_expr){.op = CORM_AND, .kids = none}), CORM_MISUSE, "is empty");
    REFUSED_WHERE(((struct corm_expr){.op = CORM_END}), CORM_MISUSE, "is empty");
    REFUSED_WHERE(((struct corm_expr){.op = CORM_SET}), CORM_MISUSE, "is empty");
    REFUSED_WHERE(corm_in_list(item.id, ids, 0), CORM_MISUSE, "no values");
    REFUSED_WHERE(corm_and(corm_eq(item.id, 1), corm_in_list(item.id, ids, 0)), CORM_MISUSE,
                  "no values");
    REFUSED_WHERE(corm_or(corm_eq(item.id, 1), (struct corm_expr){0}), CORM_MISUSE, "is empty");
    REFUSED_WHERE(((struct corm_expr){.column = item.id.column}), CORM_MISUSE, "is empty");
}

static void a_write_without_a_condition_is_refused(void **state)
{
    const struct corm_expr none = {0}, nobody = {.op = CORM_AND};

    (void)state;
    REFUSED(corm_update(&of, item, none, corm_set(item.stock, 1), .error = &error), CORM_MISUSE,
            "corm_everything()");
    REFUSED(corm_delete(&of, item, none, .error = &error), CORM_MISUSE, "corm_everything()");
    REFUSED(corm_update(&of, item, nobody, corm_set(item.stock, 1), .error = &error), CORM_MISUSE,
            "no members");
    REFUSED(corm_delete(&of, item, nobody, .error = &error), CORM_MISUSE, "no members");
}

static void comparisons_with_null_are_refused(void **state)
{
    const char *const none = NULL, *const texts[] = {"a", NULL};

    (void)state;
    REFUSED_WHERE(corm_eq(item.note, none), CORM_MISUSE, "corm_is_null()");
    REFUSED_WHERE(corm_ne(item.note, none), CORM_MISUSE, "corm_is_null()");
    REFUSED_WHERE(corm_lt(item.name, none), CORM_MISUSE, "corm_is_null()");
    REFUSED_WHERE(corm_like(item.note, none), CORM_MISUSE, "corm_is_null()");
    REFUSED_WHERE(corm_starts_with(item.note, none), CORM_MISUSE, "corm_is_null()");
    REFUSED_WHERE(corm_ends_with(item.note, none), CORM_MISUSE, "corm_is_null()");
    REFUSED_WHERE(corm_contains(item.note, none), CORM_MISUSE, "corm_is_null()");
    REFUSED_WHERE(corm_in(item.note, "a", none), CORM_MISUSE, "corm_is_null()");
    REFUSED_WHERE(corm_in_list(item.note, texts, 2), CORM_MISUSE, "corm_is_null()");
    REFUSED_WHERE(corm_not(corm_eq(item.note, none)), CORM_MISUSE, "corm_is_null()");
}

static void searches_take_no_column(void **state)
{
    (void)state;
    REFUSED_WHERE(corm_starts_with(item.name, item.note), CORM_MISUSE, "no column");
    REFUSED_WHERE(corm_ends_with(item.name, item.note), CORM_MISUSE, "no column");
    REFUSED_WHERE(corm_contains(item.name, item.note), CORM_MISUSE, "no column");
}

/* ---- Columns of other tables ---------------------------------------------------- */

static void columns_of_other_tables_are_refused(void **state)
{
    static const char none[] = "is none of table item";

    (void)state;
    REFUSED_WHERE(corm_eq(maybe.i, 1), CORM_MISUSE, "column i is none of table item");
    REFUSED_WHERE(corm_eq(odd.select, 1), CORM_MISUSE, none);
    REFUSED_WHERE(corm_eq(item.stock, maybe.i), CORM_MISUSE, none);
    REFUSED_WHERE(corm_in(item.stock, 1, maybe.i), CORM_MISUSE, none);
    REFUSED_WHERE(corm_in(maybe.i, 1), CORM_MISUSE, none);
    REFUSED_WHERE(corm_in_list(maybe.i, (const int32_t[]){1}, 1), CORM_MISUSE, none);
    REFUSED_WHERE(corm_like(maybe.v, "x"), CORM_MISUSE, none);
    REFUSED_WHERE(corm_like(item.name, maybe.v), CORM_MISUSE, none);
    REFUSED_WHERE(corm_contains(maybe.v, "x"), CORM_MISUSE, none);
    REFUSED_WHERE(corm_is_null(maybe.v), CORM_MISUSE, none);
    REFUSED_WHERE(corm_not_null(maybe.v), CORM_MISUSE, none);
    REFUSED_WHERE(corm_and(corm_eq(item.id, 1), corm_not(corm_eq(maybe.d, 1))), CORM_MISUSE, none);
    REFUSED(corm_all(&of, item, &rows, .order = {corm_asc(item.id), corm_asc(maybe.id)},
                     .error = &error),
            CORM_MISUSE, none);
    REFUSED(corm_insert(&of, item, corm_set(item.stock, 1), corm_set(maybe.i, 1), .error = &error),
            CORM_MISUSE, none);
    REFUSED_SET(corm_set(maybe.i, 1), CORM_MISUSE, none);
    REFUSED_SET(corm_set_null(maybe.i), CORM_MISUSE, none);
    REFUSED_SET(corm_add(maybe.i, 1), CORM_MISUSE, none);
    REFUSED_SET(corm_set(item.stock, maybe.i), CORM_MISUSE, none);
    REFUSED_SET(corm_add(item.stock, maybe.i), CORM_MISUSE, none);
    REFUSED(corm_delete(&of, item, corm_eq(maybe.i, 1), .error = &error), CORM_MISUSE, none);
    REFUSED_WHERE(((struct corm_expr){.op = CORM_EQ, .value = corm_v_int_(1)}), CORM_MISUSE,
                  "column NULL is none of table item");
    const struct corm_table *t = item.corm_table;
    for (uint32_t i = 0; i < t->column_count; i++)
        assert_true(corm__has_column(t, &t->columns[i]));
    assert_false(corm__has_column(t, t->columns + t->column_count));
    assert_false(corm__has_column(t, NULL));
}

/* ---- Inserts ------------------------------------------------------------------- */

static void a_set_list_sends_what_it_lists(void **state)
{
    const char *const none = NULL;

    (void)state;
    SAYS(corm_insert(&of, item, corm_set(item.name, "bolt"), .error = &error),
         "INSERT INTO `item` (`name`) VALUES (?)", "text 'bolt'");
    SAYS(corm_insert(&of, item, corm_set(item.stock, -5), corm_set(item.name, "nut"),
                     corm_set(item.price, 2), corm_set_null(item.note), corm_set(item.ok, true),
                     corm_set(item.at, 0), .error = &error),
         "INSERT INTO `item` (`stock`, `name`, `price`, `note`, `ok`, `at`) "
         "VALUES (?, ?, ?, ?, ?, ?)",
         "int -5, text 'nut', real 2, null, int 1, text '1970-01-01 00:00:00.000000'");
    SAYS(corm_insert(&of, item, corm_set(item.id, 7), corm_set(item.note, none), .error = &error),
         "INSERT INTO `item` (`id`, `note`) VALUES (?, ?)", "int 7, null");
}

static void a_row_sends_every_column_but_the_generated_key(void **state)
{
    const struct item full = {.id = 99,
                              .name = "bolt",
                              .stock = 3,
                              .price = {true, 0.25},
                              .big = INT64_MIN,
                              .ok = true,
                              .at = 1,
                              .note = "x"};
    const struct item empty = {.name = ""};

    (void)state;
    SAYS(corm_insert_row(&of, item, &full, .error = &error),
         "INSERT INTO `item` (`name`, `stock`, `price`, `big`, `ok`, `at`, `note`) "
         "VALUES (?, ?, ?, ?, ?, ?, ?)",
         "text 'bolt', int 3, real 0.25, int -9223372036854775808, int 1, "
         "text '1970-01-01 00:00:00.000001', text 'x'");
    SAYS(corm_insert_row(&of, item, &empty, .error = &error),
         "INSERT INTO `item` (`name`, `stock`, `price`, `big`, `ok`, `at`, `note`) "
         "VALUES (?, ?, ?, ?, ?, ?, ?)",
         "text '', int 0, null, int 0, int 0, text '1970-01-01 00:00:00.000000', null");
    SAYS(corm_insert_row(&of, keyless, &(struct keyless){.a = 1, .b = "y"}, .error = &error),
         "INSERT INTO `keyless` (`a`, `b`) VALUES (?, ?)", "int 1, text 'y'");
}

static void nullable_fields_send_null_or_their_value(void **state)
{
    const struct maybe without = {.id = 1, .i = {false, 5}, .d = {false, NAN}};
    const struct maybe with = {
        .id = 2, {true, -1}, {true, 1}, {true, true}, {true, 0.5}, "abc", {true, 0}};

    (void)state;
    SAYS(corm_insert_row(&of, maybe, &without, .error = &error),
         "INSERT INTO `maybe` (`id`, `i`, `b`, `y`, `d`, `v`, `t`) VALUES (?, ?, ?, ?, ?, ?, ?)",
         "int 1, null, null, null, null, null, null");
    SAYS(corm_insert_row(&of, maybe, &with, .error = &error),
         "INSERT INTO `maybe` (`id`, `i`, `b`, `y`, `d`, `v`, `t`) VALUES (?, ?, ?, ?, ?, ?, ?)",
         "int 2, int -1, int 1, int 1, real 0.5, text 'abc', text '1970-01-01 00:00:00.000000'");
}

static void many_rows_are_one_statement(void **state)
{
    const struct keyless three[] = {{1, "a"}, {2, "b"}, {3, "c"}};

    (void)state;
    SAYS(corm_insert_rows(&of, keyless, 1, three, .error = &error),
         "INSERT INTO `keyless` (`a`, `b`) VALUES (?, ?)", "int 1, text 'a'");
    SAYS(corm_insert_rows(&of, keyless, 3, three, .error = &error),
         "INSERT INTO `keyless` (`a`, `b`) VALUES (?, ?), (?, ?), (?, ?)",
         "int 1, text 'a', int 2, text 'b', int 3, text 'c'");
    SAYS(corm_insert_rows(&of, keyless, 2, (three + 1), .error = &error),
         "INSERT INTO `keyless` (`a`, `b`) VALUES (?, ?), (?, ?)",
         "int 2, text 'b', int 3, text 'c'");
    begin_call(CORM_DIALECT_MARIADB);
    assert_int_equal(corm_insert_rows(&of, keyless, 0, three, .error = &error), 0);
    assert_null(of.text);
}

static void a_row_of_nothing_but_a_generated_key(void **state)
{
    const struct counter three[3] = {{0}};

    (void)state;
    SAYS_EACH(corm_insert_row(&of, counter, &three[0], .error = &error),
              "INSERT INTO `counter` () VALUES ()", "INSERT INTO `counter` () VALUES ()",
              "INSERT INTO \"counter\" DEFAULT VALUES", "");
    for (int d = CORM_DIALECT_MARIADB; d <= CORM_DIALECT_MYSQL; d++) {
        begin_call(d);
        check(corm_insert_rows(&of, counter, 3, three, .error = &error), "three rows",
              "INSERT INTO `counter` () VALUES (), (), ()", "");
    }
    REFUSED_BY(CORM_DIALECT_SQLITE, corm_insert_rows(&of, counter, 3, three, .error = &error),
               CORM_TOO_LARGE, "ask for 1 at most");
    SAYS_EACH(corm_insert_rows(&of, counter, 1, three, .error = &error),
              "INSERT INTO `counter` () VALUES ()", "INSERT INTO `counter` () VALUES ()",
              "INSERT INTO \"counter\" DEFAULT VALUES", "");
}

static void a_key_is_asked_for_where_one_is_generated(void **state)
{
    static const struct keyless keyless_row = {1, "x"};
    int64_t                     id = 5;

    (void)state;
    SAYS(corm_insert_row(&of, item, &(struct item){.name = "x"}, .id = &id, .error = &error),
         "INSERT INTO `item` (`name`, `stock`, `price`, `big`, `ok`, `at`, `note`) "
         "VALUES (?, ?, ?, ?, ?, ?, ?)",
         "text 'x', int 0, null, int 0, int 0, text '1970-01-01 00:00:00.000000', null");
    SAYS(corm_insert(&of, item, corm_set(item.name, "x"), .id_later = &id, .later = true,
                     .error = &error),
         "INSERT INTO `item` (`name`) VALUES (?)", "text 'x'");
    assert_int_equal(id, 5);
    REFUSED(corm_insert_row(&of, keyless, &keyless_row, .id = &id, .error = &error), CORM_MISUSE,
            "table keyless has no generated key");
    REFUSED(corm_insert_row(&of, keyless, &keyless_row, .id_later = &id, .error = &error),
            CORM_MISUSE, "no generated key");
    REFUSED(corm_insert(&of, item, corm_set(item.name, "x"), corm_set(item.id, 7), .id = &id,
                        .error = &error),
            CORM_MISUSE, "set and asked for");
    REFUSED(corm_insert(&of, item, corm_set(item.id, 7), .id_later = &id, .error = &error),
            CORM_MISUSE, "set and asked for");
    REFUSED(corm_insert_row(&of, item, &(struct item){.name = "x"}, .id = &id, .later = true,
                            .error = &error),
            CORM_MISUSE, "at once");
    REFUSED(corm_insert_row(&of, item, &(struct item){.name = "x"}, .id = &id, .id_later = &id,
                            .error = &error),
            CORM_MISUSE, "at once");
    REFUSED(corm_insert_rows(&of, item, 1, &(struct item){.name = "x"}, .id = &id, .error = &error),
            CORM_MISUSE, ".id");
    REFUSED(corm_update(&of, item, corm_eq(item.id, 7), corm_set(item.stock, 1), .id = &id,
                        .error = &error),
            CORM_MISUSE, ".id");
    REFUSED(corm_delete(&of, item, corm_eq(item.id, 7), .id_later = &id, .error = &error),
            CORM_MISUSE, ".id_later");
    assert_int_equal(id, 5);
}

static void an_insert_takes_values_only(void **state)
{
    (void)state;
    REFUSED(corm_insert(&of, item, corm_set(item.stock, item.big), .error = &error), CORM_MISUSE,
            "takes values");
    REFUSED(corm_insert(&of, item, corm_add(item.stock, 1), .error = &error), CORM_MISUSE,
            "takes values");
}

static void a_write_of_nothing_is_refused(void **state)
{
    const struct corm_write nothing = {
        .size = sizeof(nothing), .where = corm_everything(), .error = &error};

    (void)state;
    REFUSED(corm_insert_(corm_on_sql_of_(&of), item.corm_table, &nothing), CORM_MISUSE,
            "nothing to write");
    REFUSED(corm_update_(corm_on_sql_of_(&of), item.corm_table, &nothing), CORM_MISUSE,
            "nothing to write");
}

/* ---- Updates and deletes --------------------------------------------------------- */

static void an_update_assigns_in_order(void **state)
{
    (void)state;
    SAYS(corm_update(&of, item, corm_eq(item.id, 7), corm_set(item.stock, 5), .error = &error),
         "UPDATE `item` SET `stock` = ? WHERE `id` = ?", "int 5, int 7");
    SAYS(corm_update(&of, item, corm_and(corm_eq(item.id, 7), corm_ge(item.stock, 2)),
                     corm_add(item.stock, -2), .error = &error),
         "UPDATE `item` SET `stock` = `stock` + ? WHERE (`id` = ? AND `stock` >= ?)",
         "int -2, int 7, int 2");
    SAYS(corm_update(&of, item, corm_everything(), corm_set(item.name, "x"),
                     corm_set_null(item.note), corm_set(item.at, 0), corm_add(item.price, 0.5),
                     corm_set(item.ok, false), .error = &error),
         "UPDATE `item` SET `name` = ?, `note` = ?, `at` = ?, `price` = `price` + ?, `ok` = ?",
         "text 'x', null, text '1970-01-01 00:00:00.000000', real 0.5, int 0");
}

/* What becomes of a bool by a sum or a number nobody knows before. */
static void a_bool_is_set_to_a_bool_and_no_number(void **state)
{
    (void)state;
    SAYS(corm_update(&of, item, corm_everything(), corm_set(item.ok, item.ok), .error = &error),
         "UPDATE `item` SET `ok` = `ok`", "");
    REFUSED_SET(corm_add(item.ok, 1), CORM_MISUSE, "column ok is a bool");
    REFUSED_SET(corm_set(item.ok, item.stock), CORM_MISUSE, "column ok is a bool");
    REFUSED_SET(corm_set(item.ok, maybe.y), CORM_MISUSE, "is none of table item");
}

/* What is added need not fit into the column: the sum must, and only the server knows that. */
static void any_number_may_be_added(void **state)
{
    (void)state;
    SAYS(corm_update(&of, item, corm_everything(), corm_add(item.stock, INT64_C(-4294967296)),
                     .error = &error),
         "UPDATE `item` SET `stock` = `stock` + ?", "int -4294967296");
}

static void an_update_reads_columns(void **state)
{
    (void)state;
    SAYS(corm_update(&of, item, corm_eq(item.id, 7), corm_set(item.big, item.stock),
                     .error = &error),
         "UPDATE `item` SET `big` = `stock` WHERE `id` = ?", "int 7");
    SAYS(corm_update(&of, item, corm_eq(item.id, 7), corm_add(item.big, item.stock),
                     .error = &error),
         "UPDATE `item` SET `big` = `big` + `stock` WHERE `id` = ?", "int 7");
    SAYS(corm_update(&of, item, corm_eq(item.id, 7), corm_set(item.price, item.stock),
                     .error = &error),
         "UPDATE `item` SET `price` = `stock` WHERE `id` = ?", "int 7");
}

/* MySQL reads the new value of a column that stands in front; the others read the old one. */
static void what_is_set_cannot_be_read_behind_it_on_mysql(void **state)
{
    (void)state;
    begin_call(CORM_DIALECT_MARIADB);
    check(corm_update(&of, item, corm_everything(), corm_set(item.stock, 1),
                      corm_set(item.big, item.stock), .error = &error),
          "set and read", "UPDATE `item` SET `stock` = ?, `big` = `stock`", "int 1");
    begin_call(CORM_DIALECT_SQLITE);
    check(corm_update(&of, item, corm_everything(), corm_add(item.stock, 1),
                      corm_add(item.big, item.stock), .error = &error),
          "add and read",
          as_sqlite("UPDATE `item` SET `stock` = `stock` + ?, `big` = `big` + `stock`"), "int 1");
    REFUSED_BY(CORM_DIALECT_MYSQL,
               corm_update(&of, item, corm_everything(), corm_set(item.stock, 1),
                           corm_set(item.big, item.stock), .error = &error),
               CORM_UNSUPPORTED, "MySQL");
    REFUSED_BY(CORM_DIALECT_MYSQL,
               corm_update(&of, item, corm_everything(), corm_set(item.name, "x"),
                           corm_add(item.stock, 1), corm_add(item.big, item.stock),
                           .error = &error),
               CORM_UNSUPPORTED, "MySQL");
    SAYS(corm_update(&of, item, corm_everything(), corm_set(item.big, item.stock),
                     corm_set(item.stock, 1), .error = &error),
         "UPDATE `item` SET `big` = `stock`, `stock` = ?", "int 1");
}

/* ---- Rows with a version ---------------------------------------------------------- */

static void a_row_is_updated_by_its_key(void **state)
{
    struct item one = {.id = 7, .name = "x", .stock = 5, .big = 8, .ok = true};
    struct odd  two = {.left_key = 1, .right_key = "r", .select = 3};

    (void)state;
    SAYS(corm_update_row(&of, item, &one, .error = &error),
         "UPDATE `item` SET `name` = ?, `stock` = ?, `price` = ?, `big` = ?, `ok` = ?, `at` = ?, "
         "`note` = ? WHERE `id` = ?",
         "text 'x', int 5, null, int 8, int 1, text '1970-01-01 00:00:00.000000', null, int 7");
    SAYS(corm_update_row(&of, item, &one, .later = true, .error = &error),
         "UPDATE `item` SET `name` = ?, `stock` = ?, `price` = ?, `big` = ?, `ok` = ?, `at` = ?, "
         "`note` = ? WHERE `id` = ?",
         "text 'x', int 5, null, int 8, int 1, text '1970-01-01 00:00:00.000000', null, int 7");
    SAYS_EACH(corm_update_row(&of, odd, &two, .error = &error),
              "UPDATE `odd ``\"table` SET `\xC3\xA4 ? ' ;--` = ? WHERE `left key` = ? AND "
              "```quoted`` \"twice\"` = ?",
              "UPDATE `odd ``\"table` SET `\xC3\xA4 ? ' ;--` = ? WHERE `left key` = ? AND "
              "```quoted`` \"twice\"` = ?",
              "UPDATE \"odd `\"\"table\" SET \"\xC3\xA4 ? ' ;--\" = ? WHERE \"left key\" = ? AND "
              "\"`quoted` \"\"twice\"\"\" = ?",
              "int 3, int 1, text 'r'");
}

/* ---- Upserts ---------------------------------------------------------------------- */

#define MET "IF(`id` <=> VALUES(`id`), `id`, (SELECT NULL UNION ALL SELECT NULL))"

static void upsert_by_the_primary_key(void **state)
{
    struct sale s = {.id = 7, .item_id = 3, .qty = {true, 2}};
    struct odd  two = {1, "r", 3};

    (void)state;
    SAYS_EACH(
        corm_upsert(&of, sale, &s, .error = &error),
        "INSERT INTO `sale of item` (`id`, `item_id`, `the qty`) VALUES (?, ?, ?) ON DUPLICATE "
        "KEY UPDATE `id` = " MET ", `item_id` = VALUES(`item_id`), `the qty` = "
        "VALUES(`the qty`)",
        "INSERT INTO `sale of item` (`id`, `item_id`, `the qty`) VALUES (?, ?, ?) ON DUPLICATE "
        "KEY UPDATE `id` = " MET ", `item_id` = VALUES(`item_id`), `the qty` = "
        "VALUES(`the qty`)",
        "INSERT INTO \"sale of item\" (\"id\", \"item_id\", \"the qty\") VALUES (?, ?, ?) "
        "ON CONFLICT (\"id\") DO UPDATE SET \"item_id\" = excluded.\"item_id\", "
        "\"the qty\" = excluded.\"the qty\" WHERE corm_met(NULL) AND (\"item_id\" IS NOT "
        "excluded.\"item_id\" OR \"the qty\" IS NOT excluded.\"the qty\")",
        "int 7, int 3, int 2");
    SAYS_EACH(corm_upsert(&of, odd, &two, .error = &error),
              "INSERT INTO `odd ``\"table` (`left key`, ```quoted`` \"twice\"`, "
              "`\xC3\xA4 ? ' ;--`) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE `left key` = "
              "IF(`left key` <=> VALUES(`left key`) AND ```quoted`` \"twice\"` <=> "
              "VALUES(```quoted`` \"twice\"`), `left key`, (SELECT NULL UNION ALL SELECT NULL)), "
              "`\xC3\xA4 ? ' ;--` = VALUES(`\xC3\xA4 ? ' ;--`)",
              "INSERT INTO `odd ``\"table` (`left key`, ```quoted`` \"twice\"`, "
              "`\xC3\xA4 ? ' ;--`) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE `left key` = "
              "IF(`left key` <=> VALUES(`left key`) AND ```quoted`` \"twice\"` <=> "
              "VALUES(```quoted`` \"twice\"`), `left key`, (SELECT NULL UNION ALL SELECT NULL)), "
              "`\xC3\xA4 ? ' ;--` = VALUES(`\xC3\xA4 ? ' ;--`)",
              "INSERT INTO \"odd `\"\"table\" (\"left key\", \"`quoted` \"\"twice\"\"\", "
              "\"\xC3\xA4 ? ' ;--\") VALUES (?, ?, ?) ON CONFLICT (\"left key\", \"`quoted` "
              "\"\"twice\"\"\") DO UPDATE SET \"\xC3\xA4 ? ' ;--\" = "
              "excluded.\"\xC3\xA4 ? ' ;--\" WHERE corm_met(NULL) AND (\"\xC3\xA4 ? ' ;--\" IS "
              "NOT excluded.\"\xC3\xA4 ? ' ;--\")",
              "int 1, text 'r', int 3");
    SAYS_EACH(corm_upsert(&of, counter, &((struct counter){5}), .error = &error),
              "INSERT INTO `counter` (`id`) VALUES (?) ON DUPLICATE KEY UPDATE `id` = " MET,
              "INSERT INTO `counter` (`id`) VALUES (?) ON DUPLICATE KEY UPDATE `id` = " MET,
              "INSERT INTO \"counter\" (\"id\") VALUES (?) ON CONFLICT (\"id\") DO UPDATE SET "
              "\"id\" = \"id\" WHERE corm_met(NULL) AND 0",
              "int 5");
}

static void upsert_by_a_named_key(void **state)
{
    struct item i = {.name = "x", .stock = 5, .big = 8, .ok = true};
    int64_t     id;

    (void)state;
#define BOUND "text 'x', int 5, null, int 8, int 1, text '1970-01-01 00:00:00.000000', null"
#define CALL                                                                                       \
    corm_upsert(&of, item, &i, .by = corm_by(item.name), .id = &id,                                \
                .update = corm_sets(corm_add_new(item.stock), corm_set_new(item.note),             \
                                    corm_set(item.big, 9), corm_add(item.price, 1.5)),             \
                .error = &error)
    for (int d = CORM_DIALECT_MARIADB; d <= CORM_DIALECT_MYSQL; d++) {
        begin_call(d);
        check(
            CALL, "by name",
            "INSERT INTO `item` (`name`, `stock`, `price`, `big`, `ok`, `at`, `note`) VALUES (?, "
            "?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE `name` = IF(`name` <=> VALUES(`name`), "
            "`name`, (SELECT NULL UNION ALL SELECT NULL)), `id` = LAST_INSERT_ID(`id`), `stock` = "
            "`stock` + VALUES(`stock`), `note` = VALUES(`note`), `big` = ?, `price` = `price` + ?",
            BOUND ", int 9, real 1.5");
    }
    begin_call(CORM_DIALECT_SQLITE);
    check(
        CALL, "by name",
        as_sqlite("INSERT INTO `item` (`name`, `stock`, `price`, `big`, `ok`, `at`, `note`) VALUES "
                  "(?, ?, ?, ?, ?, ?, ?) ON CONFLICT (`name`) DO UPDATE SET `stock` = `stock` + "
                  "excluded.`stock`, `note` = excluded.`note`, `big` = ?, `price` = `price` + ? "
                  "WHERE corm_met(`id`) AND (`stock` IS NOT `stock` + excluded.`stock` OR `note` "
                  "COLLATE BINARY IS NOT excluded.`note` OR `big` IS NOT ? OR `price` IS NOT "
                  "`price` + ?)"),
        BOUND ", int 9, real 1.5, int 9, real 1.5");
#undef CALL
#undef BOUND
}

static void upsert_counts_the_version_up(void **state)
{
    struct seat s = {.holder = "ann", .version = 41, .block = "b", .price = 1.5, .number = 2};
    struct turn t = {.id = 3, .version = 9};

    (void)state;
    begin_call(CORM_DIALECT_MARIADB);
    check(corm_upsert(&of, turn, &t, .error = &error), "a version alone",
          "INSERT INTO `turn` (`id`, `version`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `id` = " MET
          ", `version` = `version` + 1",
          "int 3, int 9");
    begin_call(CORM_DIALECT_SQLITE);
    check(
        corm_upsert(&of, turn, &t, .error = &error), "a version alone",
        as_sqlite("INSERT INTO `turn` (`id`, `version`) VALUES (?, ?) ON CONFLICT (`id`) DO UPDATE "
                  "SET `version` = `version` + 1 WHERE corm_met(NULL)"),
        "int 3, int 9");
    REFUSED(
        corm_upsert(&of, seat, &s, .update = corm_sets(corm_set(seat.version, 3)), .error = &error),
        CORM_MISUSE, "corm counts it up");
}

static void upserts_that_are_refused(void **state)
{
    struct item i = {.name = "x"};
    int64_t     id;

    (void)state;
    REFUSED(corm_upsert(&of, item, &i, .error = &error), CORM_MISUSE, "the key of table item is 0");
    i.id = 1;
    REFUSED(corm_upsert(&of, item, &i, .id = &id, .error = &error), CORM_MISUSE, "you know it");
    REFUSED(corm_upsert(&of, sale, &(struct sale){.id = 1}, .by = corm_by(sale.item_id),
                        .error = &error),
            CORM_MISUSE, "no unique key");
    REFUSED(
        corm_upsert(&of, sale, &(struct sale){.id = 1}, .by = corm_by(item.name), .error = &error),
        CORM_MISUSE, "none of table");
    REFUSED(corm_upsert(&of, sale, &(struct sale){.id = 1}, .id = &id, .error = &error),
            CORM_MISUSE, "has no generated key");
    REFUSED(corm_upsert(&of, keyless, &(struct keyless){1, "x"}, .error = &error), CORM_MISUSE,
            "has no primary key");
    REFUSED(corm_upsert(&of, item, &i, .update = corm_sets(corm_set(item.id, 3)), .error = &error),
            CORM_MISUSE, "is of a key");
    REFUSED(corm_upsert(&of, item, &i, .by = corm_by(item.name),
                        .update = corm_sets(corm_set_new(item.name)), .error = &error),
            CORM_MISUSE, "is of a key");
    REFUSED(corm_upsert(&of, item, &i,
                        .update = corm_sets(corm_set(item.stock, 1), corm_add_new(item.stock)),
                        .error = &error),
            CORM_MISUSE, "is set twice");
    REFUSED(corm_upsert(&of, item, &i, .update = corm_sets(corm_add_new(item.ok)), .error = &error),
            CORM_MISUSE, "is a bool");
    REFUSED(corm_upsert(&of, item, &i, .update = corm_sets(corm_set(item.name, "toolong")),
                        .error = &error),
            CORM_TOO_LONG, "name");
    REFUSED(corm_update(&of, item, corm_everything(), corm_set_new(item.stock), .error = &error),
            CORM_MISUSE, "are for corm_upsert()");
    REFUSED(corm_insert(&of, item, corm_add_new(item.stock), .error = &error), CORM_MISUSE,
            "an insert takes values");
    REFUSED_BY(
        CORM_DIALECT_MYSQL,
        corm_upsert(&of, item, &i,
                    .update = corm_sets(corm_set(item.stock, 1), corm_set(item.big, item.stock)),
                    .error = &error),
        CORM_UNSUPPORTED, "MySQL");
}

static void a_row_with_a_version_is_updated_by_key_and_version(void **state)
{
    struct seat s = {.holder = "ann", .version = 41, .block = "b", .price = 1.5, .number = 2};
    struct turn t = {.id = 3, .version = INT64_MAX - 1};

    (void)state;
    SAYS_EACH(
        corm_update_row(&of, seat, &s, .error = &error),
        "UPDATE `seat` SET `holder` = ?, `ver ``no`` \"1\"` = `ver ``no`` \"1\"` + 1, "
        "`price` = ? WHERE `block` = ? AND `number` = ? AND `ver ``no`` \"1\"` = ?",
        "UPDATE `seat` SET `holder` = ?, `ver ``no`` \"1\"` = `ver ``no`` \"1\"` + 1, "
        "`price` = ? WHERE `block` = ? AND `number` = ? AND `ver ``no`` \"1\"` = ?",
        "UPDATE \"seat\" SET \"holder\" = ?, \"ver `no` \"\"1\"\"\" = \"ver `no` "
        "\"\"1\"\"\" + 1, \"price\" = ? WHERE \"block\" = ? AND \"number\" = ? AND \"ver `no` "
        "\"\"1\"\"\" = ?",
        "text 'ann', real 1.5, text 'b', int 2, int 41");
    assert_int_equal(s.version, 41); /* nothing was sent */
    SAYS(corm_update_row(&of, turn, &t, .error = &error),
         "UPDATE `turn` SET `version` = `version` + 1 WHERE `id` = ? AND `version` = ?",
         "int 3, int 9223372036854775806");
}

static void an_update_counts_the_version_up(void **state)
{
    (void)state;
    SAYS(corm_update(&of, turn, corm_eq(turn.id, 3), corm_set(turn.id, 4), .error = &error),
         "UPDATE `turn` SET `id` = ?, `version` = `version` + 1 WHERE `id` = ?", "int 4, int 3");
    SAYS(corm_update(&of, turn, corm_eq(turn.version, 3), corm_add(turn.id, turn.version),
                     .error = &error),
         "UPDATE `turn` SET `id` = `id` + `version`, `version` = `version` + 1 WHERE `version` = ?",
         "int 3");
    SAYS(corm_update(&of, item, corm_everything(), corm_set(item.stock, 5), .error = &error),
         "UPDATE `item` SET `stock` = ?", "int 5");
}

static void an_insert_sends_a_version_that_it_is_given(void **state)
{
    struct turn one = {.version = 9};

    (void)state;
    SAYS(corm_insert_row(&of, turn, &one, .error = &error),
         "INSERT INTO `turn` (`version`) VALUES (?)", "int 9");
    SAYS(corm_insert(&of, turn, corm_set(turn.version, 8), .error = &error),
         "INSERT INTO `turn` (`version`) VALUES (?)", "int 8");
    SAYS(corm_insert(&of, turn, corm_set(turn.id, 8), .error = &error),
         "INSERT INTO `turn` (`id`) VALUES (?)", "int 8");
    SAYS(corm_delete(&of, turn, corm_eq(turn.id, 8), .error = &error),
         "DELETE FROM `turn` WHERE `id` = ?", "int 8");
}

static void what_makes_no_sense_with_rows_and_versions_is_refused(void **state)
{
    struct item    one = {.id = 7, .name = "x"};
    struct counter key = {.id = 7};
    struct keyless none = {.b = "x"};
    struct odd     nameless = {.left_key = 1}, long_key = {.right_key = "0123456789"};
    struct seat    s = {.block = "b"};
    struct torn    both = {.id = 1};
    int64_t        id;

    (void)state;
    REFUSED(corm_update(&of, turn, corm_eq(turn.id, 3), corm_set(turn.version, 4), .error = &error),
            CORM_MISUSE, "column version is the version of table turn: leave it out");
    REFUSED(corm_update(&of, turn, corm_eq(turn.id, 3), corm_set(turn.id, 4),
                        corm_add(turn.version, 1), .error = &error),
            CORM_MISUSE, "is the version of table turn");
    REFUSED(corm_update_row(&of, seat, &s, .later = true, .error = &error), CORM_MISUSE,
            ".later at a row with a version");
    REFUSED(corm_update_row(&of, item, (struct item *)NULL, .error = &error), CORM_MISUSE,
            "the row is NULL");
    REFUSED(corm_update_row(&of, item, &one, .id = &id, .error = &error), CORM_MISUSE, ".id");
    REFUSED(corm_update_row(&of, item, &one, .id_later = &id, .error = &error), CORM_MISUSE, ".id");
    REFUSED(corm_update_row(&of, counter, &key, .error = &error), CORM_MISUSE,
            "table counter has no column beside its primary key");
    REFUSED(corm_update_row(&of, keyless, &none, .error = &error), CORM_MISUSE,
            "table keyless has no primary key");
    REFUSED(corm_update_row(&of, odd, &nameless, .error = &error), CORM_NULL_REFUSED, "NULL");
    REFUSED(corm_update_row(&of, odd, &long_key, .error = &error), CORM_TOO_LONG, "varchar(9)");
    REFUSED(corm_update_row(&of, torn, &both, .error = &error), CORM_MISUSE,
            "torn.one and torn.two both have .version");
    REFUSED(corm_update(&of, torn, corm_everything(), corm_set(torn.id, 1), .error = &error),
            CORM_MISUSE, "torn.one and torn.two both have .version");
}

static void a_version_ends_with_its_type(void **state)
{
    struct seat s = {.block = "b", .version = INT32_MAX};
    struct turn t = {.version = INT64_MAX};

    (void)state;
    REFUSED(corm_update_row(&of, seat, &s, .error = &error), CORM_OUT_OF_RANGE,
            "has counted to the end");
    assert_int_equal(s.version, INT32_MAX);
    REFUSED(corm_update_row(&of, turn, &t, .error = &error), CORM_OUT_OF_RANGE,
            "column version of table turn");
    t.version = INT32_MAX;
    SAYS(corm_update_row(&of, turn, &t, .error = &error),
         "UPDATE `turn` SET `version` = `version` + 1 WHERE `id` = ? AND `version` = ?",
         "int 0, int 2147483647");
}

static void a_delete_has_a_condition(void **state)
{
    (void)state;
    SAYS(corm_delete(&of, item, corm_eq(item.id, 7), .error = &error),
         "DELETE FROM `item` WHERE `id` = ?", "int 7");
    SAYS(corm_delete(&of, item, corm_and(corm_lt(item.at, 0), corm_is_null(item.note)),
                     .later = true, .error = &error),
         "DELETE FROM `item` WHERE (`at` < ? AND `note` IS NULL)",
         "text '1970-01-01 00:00:00.000000'");
    SAYS(corm_delete(&of, item, corm_everything(), .error = &error), "DELETE FROM `item`", "");
}

static void a_column_is_set_once(void **state)
{
    (void)state;
    REFUSED(corm_update(&of, item, corm_eq(item.id, 7), corm_set(item.stock, 1),
                        corm_set(item.stock, 2), .error = &error),
            CORM_MISUSE, "column stock is set twice");
    REFUSED(corm_update(&of, item, corm_eq(item.id, 7), corm_set(item.stock, 1),
                        corm_set(item.name, "x"), corm_add(item.stock, 2), .error = &error),
            CORM_MISUSE, "column stock is set twice");
    REFUSED(
        corm_insert(&of, item, corm_set(item.note, "x"), corm_set_null(item.note), .error = &error),
        CORM_MISUSE, "column note is set twice");
}

#define SET8(a)                                                                                    \
    corm_set(wide.a##0, 0), corm_set(wide.a##1, 1), corm_set(wide.a##2, 2),                        \
        corm_set(wide.a##3, 3), corm_set(wide.a##4, 4), corm_set(wide.a##5, 5),                    \
        corm_set(wide.a##6, 6), corm_set(wide.a##7, 7)

/* Whatever looks through a list ends with it. */
static void a_full_set_list_is_looked_through(void **state)
{
    int64_t           id;
    struct corm_write write = {.id = &id};

    (void)state;
    for (int i = 0; i < CORM_SET_MAX; i++)
        write.set[i] = corm_assign_(&wide.corm_table->columns[i], CORM_SET, corm_v_int_(i));
    struct corm__statement s;
    begin_call(CORM_DIALECT_MARIADB);
    assert_int_equal(
        corm__make_insert(CORM_DIALECT_MARIADB, arena, false, wide.corm_table, &write, &s, &error),
        CORM_MISUSE); /* there is no key to return */
    write.id = NULL;
    write.set[31].value = corm_v_column_(wide.last.column);
    write.where = corm_everything();
    begin_call(CORM_DIALECT_MYSQL);
    assert_int_equal(
        corm__make_update(CORM_DIALECT_MYSQL, arena, false, wide.corm_table, &write, &s, &error),
        0);
    write.set[31].value = corm_v_column_(&wide.corm_table->columns[30]);
    begin_call(CORM_DIALECT_MYSQL);
    assert_int_equal(
        corm__make_update(CORM_DIALECT_MYSQL, arena, false, wide.corm_table, &write, &s, &error),
        CORM_UNSUPPORTED);
}

static void a_set_list_holds_32_assignments(void **state)
{
    (void)state;
    for (int d = 0; d < 3; d++) {
        begin_call(d);
        assert_int_equal(
            corm_insert(&of, wide, SET8(a), SET8(b), SET8(c), SET8(d), .error = &error), 0);
        assert_int_equal(of.bind_count, CORM_SET_MAX);
        for (int i = 0; i < CORM_SET_MAX; i++)
            assert_int_equal(of.binds[i].as.i, i % 8);
        begin_call(d);
        assert_int_equal(corm_update(&of, wide, corm_eq(wide.last, 32), SET8(a), SET8(b), SET8(c),
                                     SET8(d), .error = &error),
                         0);
        assert_int_equal(of.bind_count, CORM_SET_MAX + 1);
        assert_int_equal(of.binds[CORM_SET_MAX].as.i, 32);
        begin_call(d);
        assert_int_equal(corm_insert_row(&of, wide, &(struct wide){.last = 32}, .error = &error),
                         0);
        assert_int_equal(of.bind_count, 33);
    }
}

/* ---- Names ---------------------------------------------------------------------- */

/* Names of each length, with a quote at each place or without one, where the text has any room left. */
static void names_are_written_whole_wherever_they_come(void **state)
{
    char name[80], expected[200];

    (void)state;
    for (size_t size = 1; size <= 70; size++) {
        for (size_t quote = 0; quote <= size; quote++) { /* at `size`: none */
            struct corm__buffer b;
            size_t              n = 0;
            corm_arena_reset(arena);
            corm__buffer_init(&b, arena);
            for (size_t fill = (size * 7 + quote) % 300; fill > 0; fill--)
                corm__buffer_putc(&b, '.');
            size_t before = b.size;
            memset(name, 'n', size);
            name[size] = '\0';
            if (quote < size)
                name[quote] = '`';
            corm__put_name(&b, CORM_DIALECT_MARIADB, name);
            expected[n++] = '`';
            for (size_t i = 0; i < size; i++) {
                expected[n++] = name[i];
                if (name[i] == '`')
                    expected[n++] = '`';
            }
            expected[n++] = '`';
            expected[n] = '\0';
            assert_string_equal(b.text + before, expected);
            assert_int_equal(b.size, before + n);
            assert_int_equal(strspn(b.text, "."), before);
            assert_true(b.size < b.capacity);
        }
    }
}

/* The list of columns that a model brings along is of its own columns, as they are called in C. */
static void a_table_that_was_copied_has_its_own_names(void **state)
{
    struct corm_column columns[8];
    struct corm_table  table = *item.corm_table;
    struct corm_sql_of out = {.dialect = CORM_DIALECT_MARIADB, .arena = arena};
    struct corm_error  failed = {0};
    struct item       *found;

    (void)state;
    assert_string_equal(item.corm_table->names, ITEM_COLUMNS ", ");
    memcpy(columns, table.columns, sizeof(columns));
    columns[1].name = "title";
    table.columns = columns;
    table.column_count = 2;
    struct corm_query query = {.size = sizeof(query), .error = &failed};
    assert_int_equal(corm_all_((struct corm_on){.sql_of = &out}, &table, (void *)&found, &query),
                     0);
    assert_string_equal(out.text, "SELECT `id`, `title` FROM `item`");
    table.columns = item.corm_table->columns;
    assert_int_equal(corm_all_((struct corm_on){.sql_of = &out}, &table, (void *)&found, &query),
                     0);
    assert_string_equal(out.text, "SELECT `id`, `name` FROM `item`");
}

static void names_are_quoted(void **state)
{
    const struct odd one = {1, "x", 2};
    struct odd       found;

    (void)state;
    SAYS_EACH(corm_first(&of, odd, &found, .where = corm_eq(odd.right_key, "x"),
                         .order = {corm_desc(odd.select)}, .error = &error),
              "SELECT `left key`, ```quoted`` \"twice\"`, `\xC3\xA4 ? ' ;--` FROM `odd ``\"table` "
              "WHERE ```quoted`` \"twice\"` = ? ORDER BY `\xC3\xA4 ? ' ;--` DESC LIMIT 1",
              "SELECT `left key`, ```quoted`` \"twice\"`, `\xC3\xA4 ? ' ;--` FROM `odd ``\"table` "
              "WHERE ```quoted`` \"twice\"` = ? ORDER BY `\xC3\xA4 ? ' ;--` DESC LIMIT 1",
              "SELECT \"left key\", \"`quoted` \"\"twice\"\"\", \"\xC3\xA4 ? ' ;--\" FROM "
              "\"odd `\"\"table\" WHERE \"`quoted` \"\"twice\"\"\" = ? ORDER BY "
              "\"\xC3\xA4 ? ' ;--\" DESC LIMIT 1",
              "text 'x'");
    SAYS_EACH(
        corm_insert_row(&of, odd, &one, .error = &error),
        "INSERT INTO `odd ``\"table` (`left key`, ```quoted`` \"twice\"`, `\xC3\xA4 ? ' ;--`) "
        "VALUES (?, ?, ?)",
        "INSERT INTO `odd ``\"table` (`left key`, ```quoted`` \"twice\"`, `\xC3\xA4 ? ' ;--`) "
        "VALUES (?, ?, ?)",
        "INSERT INTO \"odd `\"\"table\" (\"left key\", \"`quoted` \"\"twice\"\"\", "
        "\"\xC3\xA4 ? ' ;--\") VALUES (?, ?, ?)",
        "int 1, text 'x', int 2");
    SAYS_EACH(
        corm_update(&of, odd, corm_is_null(odd.left_key), corm_add(odd.select, 1), .error = &error),
        "UPDATE `odd ``\"table` SET `\xC3\xA4 ? ' ;--` = `\xC3\xA4 ? ' ;--` + ? WHERE `left "
        "key` IS NULL",
        "UPDATE `odd ``\"table` SET `\xC3\xA4 ? ' ;--` = `\xC3\xA4 ? ' ;--` + ? WHERE `left "
        "key` IS NULL",
        "UPDATE \"odd `\"\"table\" SET \"\xC3\xA4 ? ' ;--\" = \"\xC3\xA4 ? ' ;--\" + ? WHERE "
        "\"left key\" IS NULL",
        "int 1");
    SAYS_EACH(corm_delete(&of, odd, corm_like(odd.right_key, "%"), .error = &error),
              "DELETE FROM `odd ``\"table` WHERE ```quoted`` \"twice\"` LIKE ? ESCAPE '!'",
              "DELETE FROM `odd ``\"table` WHERE ```quoted`` \"twice\"` LIKE ? ESCAPE '!'",
              "DELETE FROM \"odd `\"\"table\" WHERE \"`quoted` \"\"twice\"\"\" LIKE ? ESCAPE '!'",
              "text '%'");
}

static void messages_tell_the_sql_names(void **state)
{
    (void)state;
    REFUSED(corm_insert(&of, odd, corm_set(odd.right_key, "ten digits"), .error = &error),
            CORM_TOO_LONG,
            "column `quoted` \"twice\" of table odd `\"table: a text of 10 characters "
            "for varchar(9)");
}

/* ---- SQL of the caller's --------------------------------------------------------- */

static void sql_of_the_callers_goes_as_it_is(void **state)
{
    const char *const none = NULL;
    struct corm_rows  found;

    (void)state;
    for (int d = 0; d < 3; d++) {
        begin_call(d);
        assert_int_equal(corm_sql(&of, &found, "SELECT 1", .error = &error), 0);
        assert_string_equal(of.text, "SELECT 1");
        assert_int_equal(of.bind_count, 0);
        begin_call(d);
        assert_int_equal(corm_sql(&of, NULL, " /* x */ UPDATE `t` SET a = ?, \"b\" = ? -- end",
                                  corm_vals(7, "x", -1LL, 7u, UINT64_MAX, 1.5, 0.5f, true, none,
                                            (const char *)"", 'a'),
                                  .error = &error),
                         0);
        assert_string_equal(of.text, " /* x */ UPDATE `t` SET a = ?, \"b\" = ? -- end");
        assert_string_equal(describe(of.binds, of.bind_count),
                            "int 7, text 'x', int -1, int 7, uint 18446744073709551615, real 1.5, "
                            "real 0.5, int 1, null, text '', int 97");
        begin_call(d);
        assert_int_equal(corm_sql(&of, NULL, "SELECT 1",
                                  corm_vals(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
                                  .error = &error),
                         0);
        assert_int_equal(of.bind_count, 16);
    }
}

static void sql_of_the_callers_reads_where_its_first_word_says_so(void **state)
{
    static const struct {
        const char     *text;
        enum corm__verb verb;
    } cases[] = {
        {"select 1", CORM__READ},     {"SHOW TABLES", CORM__READ}, {"EXPLAIN SELECT 1", CORM__READ},
        {"DELETE FROM t", CORM__RAW}, {"SELECTED", CORM__RAW},     {"", CORM__RAW},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct corm_sql_args args = {.text = cases[i].text};
        struct corm__statement     s;
        begin_call(CORM_DIALECT_MARIADB);
        assert_int_equal(corm__make_raw(arena, &args, &s, &error), 0);
        assert_int_equal(s.verb, cases[i].verb);
        assert_true(s.alone);
    }
}

static void sql_of_the_callers_takes_no_handles(void **state)
{
    struct corm_value       column = corm_v_icol_(item.stock);
    const struct corm_value values[] = {column, {.kind = CORM_V_NONE}};

    (void)state;
    REFUSED(corm_sql(&of, NULL, "SELECT ?", (struct corm_vals){values}, .error = &error),
            CORM_MISUSE, "column handle");
}

static void sql_of_the_callers_ends_no_transaction(void **state)
{
    static const char *const texts[] = {
        "BEGIN",
        "begin work",
        "START TRANSACTION",
        "COMMIT",
        "Commit",
        " \n\t COMMIT",
        "-- x\nCOMMIT",
        "# x\nCOMMIT",
        "/* x */COMMIT",
        "/**//* y */ -- z\n(ROLLBACK)",
        "ROLLBACK TO a",
        "SAVEPOINT a",
        "RELEASE SAVEPOINT a",
        "END",
        "XA END 'x'",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        REFUSED_AS(texts[i], corm_sql(&of, NULL, texts[i], .error = &error), CORM_MISUSE,
                   "begins or ends a transaction");
    begin_call(CORM_DIALECT_MARIADB);
    assert_int_equal(corm_sql(&of, NULL, "SELECT 'COMMIT'", .error = &error), 0);
    assert_int_equal(corm_sql(&of, NULL, "COMMITTED", .error = &error), 0);
}

/* SQLite passes over empty statements, MariaDB runs what stands in such comments. */
static void sql_of_the_callers_ends_no_transaction_in_disguise(void **state)
{
    static const char *const texts[] = {
        ";COMMIT",        " ; /* x */ ; ROLLBACK",  "/*!COMMIT*/",        "/*!50000 COMMIT */",
        "/*M! COMMIT */", "/*M!100100 ROLLBACK */", "/* x *//*!COMMIT*/",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        REFUSED_AS(texts[i], corm_sql(&of, NULL, texts[i], .error = &error), CORM_MISUSE, "");
}

static void the_first_word_is_found(void **state)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"SELECT 1", "SELECT"},
        {"select", "SELECT"},
        {"  \t\r\n\f\vInsert INTO", "INSERT"},
        {"((SELECT 1))", "SELECT"},
        {"-- SELECT\nDELETE", "DELETE"},
        {"# SELECT\nDELETE", "DELETE"},
        {"/* SELECT */ /* x */DELETE", "DELETE"},
        {"/* not closed", ""},
        {"-- not closed", ""},
        {"", ""},
        {"1", ""},
        {";", ""},
        {"WITH(x) AS", "WITH"},
        {"UPDATE`t`", "UPDATE"},
        {"ABCDEFGHIJKLMNO", "ABCDEFGHIJKLMNO"},
        {"ABCDEFGHIJKLMNOP", ""},
        {"/*!40000 COMMIT */", "/*!"},
        {"/*M! COMMIT */", "/*!"},
        {"/*!COMMIT*/ SELECT", "/*!"},
        {"/*M!COMMIT*/ SELECT", "/*!"},
        {"/* */ /*!COMMIT*/", "/*!"},
        {" ; -- x\n ;;SELECT", "SELECT"},
        {";;", ""},
        {"- SELECT", ""},
        {"/SELECT", ""},
        {"SELECT_1", "SELECT"},
        {"SELECT{", "SELECT"},
        {"SELECT@", "SELECT"},
        {"ABCDEFGHIJKLMNO{", "ABCDEFGHIJKLMNO"},
        {"ABCDEFGHIJKLMNO_", "ABCDEFGHIJKLMNO"},
        {"ABCDEFGHIJKLMNO@", "ABCDEFGHIJKLMNO"},
        {"ABCDEFGHIJKLMNOp", ""},
    };
    char word[16];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        memset(word, 'x', sizeof(word));
        corm__first_word(cases[i].text, word);
        if (strcmp(word, cases[i].word) != 0)
            fail_msg("the first word of \"%s\" is \"%s\"", cases[i].text, word);
    }
}

/* ---- Values that are refused ------------------------------------------------------ */

static void texts_are_measured_in_characters(void **state)
{
    (void)state;
    SAYS(corm_insert(&of, item,
                     corm_set(item.name, "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8E\x9F"
                                         "yz"),
                     .error = &error),
         "INSERT INTO `item` (`name`) VALUES (?)",
         "text '\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8E\x9F"
         "yz'");
    REFUSED_SET(corm_set(item.name, "123456"), CORM_TOO_LONG,
                "column name of table item: a text of 6 characters for varchar(5)");
    REFUSED_SET(corm_set(item.name, "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"),
                CORM_TOO_LONG, "6 characters");
    REFUSED(corm_insert(&of, item, corm_set(item.name, "123456"), .error = &error), CORM_TOO_LONG,
            "6 characters");
    REFUSED(corm_insert_row(&of, item, &(struct item){.name = "1234567"}, .error = &error),
            CORM_TOO_LONG, "7 characters");
    REFUSED(corm_insert_rows(&of, maybe, 2, ((struct maybe[]){{.id = 1}, {.id = 2, .v = "abcd"}}),
                             .error = &error),
            CORM_TOO_LONG, "column v of table maybe");
}

static void texts_must_be_utf8(void **state)
{
    static const char *const bad[] = {
        "\x80",             /* a byte that only continues */
        "a\xC3",            /* cut */
        "\xE2\x82",         /* cut */
        "\xF0\x9F\x8E",     /* cut */
        "\xC0\xAF",         /* overlong */
        "\xE0\x80\xAF",     /* overlong */
        "\xF0\x80\x80\xAF", /* overlong */
        "\xED\xA0\x80",     /* a surrogate */
        "\xED\xBF\xBF",     /* a surrogate */
        "\xF4\x90\x80\x80", /* beyond U+10FFFF */
        "\xF5\x80\x80\x80",
        "\xFF",
        "\xE4", /* Latin-1 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *text = bad[i];
        REFUSED_WHERE(corm_eq(item.name, text), CORM_BAD_VALUE, "not UTF-8");
        REFUSED_WHERE(corm_like(item.note, text), CORM_BAD_VALUE, "not UTF-8");
        REFUSED_WHERE(corm_starts_with(item.note, text), CORM_BAD_VALUE, "not UTF-8");
        REFUSED_WHERE(corm_contains(item.note, text), CORM_BAD_VALUE, "not UTF-8");
        REFUSED_WHERE(corm_in(item.note, "x", text), CORM_BAD_VALUE, "not UTF-8");
        REFUSED_WHERE(corm_in_list(item.note, &text, 1), CORM_BAD_VALUE, "not UTF-8");
        REFUSED_SET(corm_set(item.note, text), CORM_BAD_VALUE, "column note of table item");
        REFUSED(corm_insert(&of, item, corm_set(item.name, text), .error = &error), CORM_BAD_VALUE,
                "not UTF-8");
        REFUSED(corm_insert_row(&of, item, &(struct item){.name = text}, .error = &error),
                CORM_BAD_VALUE, "column name of table item");
    }
}

/* A struct corm_value may tell the size of its text; the text has no NUL all the same. */
static void a_text_with_nul_is_refused(void **state)
{
    struct corm_value value = corm_v_text_("a\0b");

    (void)state;
    value.size = 3;
    REFUSED_WHERE(corm_cmp_(item.note.column, CORM_EQ, value), CORM_BAD_VALUE, "NUL");
    REFUSED_SET(corm_assign_(item.note.column, CORM_SET, value), CORM_BAD_VALUE, "NUL");
}

static void messages_hold_no_values(void **state)
{
    const char *const secrets[] = {"Wombat9Key", "Wombat9Key\xFF"};

    (void)state;
    for (int d = 0; d < 3; d++) {
        for (size_t i = 0; i < COUNT(secrets); i++) {
            begin_call(d);
            assert_true(corm_insert(&of, item, corm_set(item.name, secrets[i]), .error = &error) <
                        0);
            assert_null(strstr(error.message, "Wombat"));
        }
        begin_call(d);
        assert_true(corm_insert(&of, item, corm_set(item.stock, 73737373737), .error = &error) < 0);
        assert_null(strstr(error.message, "7373"));
        begin_call(d);
        assert_true(
            corm_insert(&of, item, corm_set(item.price, (double)INFINITY), .error = &error) < 0);
        assert_null(strstr(error.message, "inf"));
    }
}

static void integers_must_fit_their_column(void **state)
{
    (void)state;
    SAYS(corm_update(&of, item, corm_everything(), corm_set(item.stock, INT32_MAX),
                     corm_set(item.big, INT64_MIN), corm_set(item.ok, 0), .error = &error),
         "UPDATE `item` SET `stock` = ?, `big` = ?, `ok` = ?",
         "int 2147483647, int -9223372036854775808, int 0");
    SAYS(corm_update(&of, item, corm_everything(), corm_set(item.stock, INT32_MIN),
                     corm_set(item.big, (uint64_t)INT64_MAX), corm_set(item.ok, 1u),
                     .error = &error),
         "UPDATE `item` SET `stock` = ?, `big` = ?, `ok` = ?",
         "int -2147483648, int 9223372036854775807, int 1");
    REFUSED_SET(corm_set(item.stock, 2147483648), CORM_OUT_OF_RANGE, "outside the range for int");
    REFUSED_SET(corm_set(item.stock, INT64_C(-2147483649)), CORM_OUT_OF_RANGE,
                "outside the range for int");
    REFUSED_SET(corm_set(item.stock, 4294967295u), CORM_OUT_OF_RANGE, "outside the range for int");
    REFUSED_SET(corm_set(item.stock, INT64_MIN), CORM_OUT_OF_RANGE, "column stock of table item");
    REFUSED_SET(corm_set(item.ok, 2), CORM_OUT_OF_RANGE, "0 and 1");
    REFUSED_SET(corm_set(item.ok, -1), CORM_OUT_OF_RANGE, "0 and 1");
    REFUSED_SET(corm_set(item.ok, 256), CORM_OUT_OF_RANGE, "0 and 1");
    REFUSED(corm_insert(&of, item, corm_set(item.stock, 2147483648), .error = &error),
            CORM_OUT_OF_RANGE, "outside the range for int");
}

static void unsigned_numbers_beyond_63_bits_are_refused(void **state)
{
    const uint64_t list[] = {(uint64_t)INT64_MAX + 1, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(list); i++) {
        REFUSED_WHERE(corm_eq(item.stock, list[i]), CORM_OUT_OF_RANGE, "64 bits");
        REFUSED_WHERE(corm_eq(item.big, list[i]), CORM_OUT_OF_RANGE, "64 bits");
        REFUSED_WHERE(corm_eq(item.ok, list[i]), CORM_OUT_OF_RANGE, "64 bits");
        REFUSED_WHERE(corm_eq(item.price, list[i]), CORM_OUT_OF_RANGE, "no double holds exactly");
        REFUSED_WHERE(corm_in(item.big, 1, list[i]), CORM_OUT_OF_RANGE, "64 bits");
        REFUSED_SET(corm_set(item.big, list[i]), CORM_OUT_OF_RANGE, "64 bits");
        REFUSED_SET(corm_add(item.big, list[i]), CORM_OUT_OF_RANGE, "64 bits");
    }
}

/* It must not turn into a time shortly before 1970. */
static void an_unsigned_time_beyond_63_bits_is_refused(void **state)
{
    (void)state;
    REFUSED_WHERE(corm_eq(item.at, UINT64_MAX), CORM_BAD_VALUE, "years 1 to 9999");
    REFUSED_SET(corm_set(item.at, (uint64_t)INT64_MAX + 1), CORM_BAD_VALUE,
                "column at of table item");
}

static void doubles_are_finite_and_exact(void **state)
{
    const double reals[] = {1, NAN};

    (void)state;
    SAYS(corm_update(&of, item, corm_everything(), corm_set(item.price, 1e308), .error = &error),
         "UPDATE `item` SET `price` = ?", "real 1e+308");
    REFUSED_SET(corm_set(item.price, (double)NAN), CORM_BAD_VALUE, "not finite");
    REFUSED_SET(corm_set(item.price, (double)INFINITY), CORM_BAD_VALUE, "not finite");
    REFUSED_SET(corm_add(item.price, -(double)INFINITY), CORM_BAD_VALUE, "not finite");
    REFUSED_WHERE(corm_lt(item.price, (double)INFINITY), CORM_BAD_VALUE, "not finite");
    REFUSED_WHERE(corm_in_list(item.price, reals, 2), CORM_BAD_VALUE, "not finite");
    REFUSED(corm_insert_row(&of, item, &(struct item){.name = "x", .price = {true, NAN}},
                            .error = &error),
            CORM_BAD_VALUE, "column price of table item");
    REFUSED_SET(corm_set(item.price, INT64_C(9007199254740993)), CORM_OUT_OF_RANGE, "exactly");
    REFUSED_SET(corm_set(item.price, INT64_MAX), CORM_OUT_OF_RANGE, "exactly");
    REFUSED_WHERE(corm_eq(item.price, INT64_MIN + 1), CORM_OUT_OF_RANGE, "exactly");
}

static void times_are_of_the_years_1_to_9999(void **state)
{
    const int64_t times[] = {INT64_C(-62135596800000001), INT64_C(253402300800000000), INT64_MIN,
                             INT64_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(times); i++) {
        REFUSED_WHERE(corm_lt(item.at, times[i]), CORM_BAD_VALUE, "years 1 to 9999");
        REFUSED_WHERE(corm_in(item.at, 0, times[i]), CORM_BAD_VALUE, "years 1 to 9999");
        REFUSED_SET(corm_set(item.at, times[i]), CORM_BAD_VALUE, "column at of table item");
        REFUSED(corm_insert_row(&of, item, &(struct item){.name = "x", .at = times[i]},
                                .error = &error),
                CORM_BAD_VALUE, "years 1 to 9999");
        REFUSED(
            corm_insert_row(&of, maybe, &(struct maybe){.t = {true, times[i]}}, .error = &error),
            CORM_BAD_VALUE, "column t of table maybe");
    }
}

static void null_wants_a_nullable_column(void **state)
{
    const char *const none = NULL;

    (void)state;
    REFUSED_SET(corm_set_null(item.stock), CORM_NULL_REFUSED, "column stock of table item");
    REFUSED_SET(corm_set_null(item.name), CORM_NULL_REFUSED, "NOT NULL");
    REFUSED_SET(corm_set_null(item.at), CORM_NULL_REFUSED, "NOT NULL");
    REFUSED_SET(corm_set(item.name, none), CORM_NULL_REFUSED, "NOT NULL");
    REFUSED(corm_insert(&of, item, corm_set_null(item.ok), .error = &error), CORM_NULL_REFUSED,
            "column ok of table item");
    REFUSED(corm_insert_row(&of, item, &(struct item){.stock = 1}, .error = &error),
            CORM_NULL_REFUSED, "column name of table item");
    REFUSED(corm_insert_rows(&of, keyless, 2, ((struct keyless[]){{1, "x"}, {2, NULL}}),
                             .error = &error),
            CORM_NULL_REFUSED, "column b of table keyless");
}

/* The macros do not let such values through; a program that fills the structs by hand can. */
static void values_of_another_type_are_refused(void **state)
{
    static const char what[] = "a value of another type";

    (void)state;
    REFUSED_WHERE(corm_cmp_(item.stock.column, CORM_EQ, corm_v_text_("7")), CORM_MISUSE, what);
    REFUSED_WHERE(corm_cmp_(item.stock.column, CORM_EQ, corm_v_real_(7)), CORM_MISUSE, what);
    REFUSED_WHERE(corm_cmp_(item.name.column, CORM_EQ, corm_v_int_(7)), CORM_MISUSE, what);
    REFUSED_WHERE(corm_cmp_(item.name.column, CORM_LIKE, corm_v_int_(7)), CORM_MISUSE, what);
    REFUSED_WHERE(corm_cmp_(item.name.column, CORM_CONTAINS, corm_v_int_(7)), CORM_MISUSE, what);
    REFUSED_WHERE(corm_cmp_(item.at.column, CORM_EQ, corm_v_real_(7)), CORM_MISUSE, what);
    REFUSED_WHERE(corm_cmp_(item.price.column, CORM_EQ, corm_v_text_("7")), CORM_MISUSE, what);
    REFUSED_WHERE(corm_cmp_(item.note.column, CORM_EQ,
                            (struct corm_value){.kind = CORM_V_BLOB, .size = 1, .as.p = "x"}),
                  CORM_MISUSE, what);
    REFUSED_WHERE(corm_cmp_(item.note.column, CORM_EQ, (struct corm_value){.kind = CORM_V_NONE}),
                  CORM_MISUSE, what);
}

static void without_a_place_for_the_details_the_code_is_told(void **state)
{
    (void)state;
    begin_call(CORM_DIALECT_MARIADB);
    assert_int_equal(corm_first(&of, item, &row, .where = corm_eq(maybe.i, 1)), CORM_MISUSE);
    assert_int_equal(corm_count(&of, item, .limit = 1), CORM_MISUSE);
    assert_int_equal(corm_insert(&of, item, corm_set_null(item.ok)), CORM_NULL_REFUSED);
    assert_int_equal(corm_delete(&of, item, corm_eq(item.at, INT64_MAX)), CORM_BAD_VALUE);
    assert_int_equal(corm_sql(&of, NULL, "COMMIT"), CORM_MISUSE);
    assert_int_equal(error.code, 0);
}

/* ---- Conditions put together at run time ------------------------------------------- */

static void a_condition_grows_by_and_and_or(void **state)
{
    struct corm_arena *own = corm_arena_new();
    struct corm_where *w = corm_where_new(own);

    (void)state;
    corm_where_and(w, corm_eq(item.stock, 1));
    WHERE(corm_where(w), "`stock` = ?", "int 1");
    corm_where_and(w, corm_eq(item.stock, 2));
    WHERE(corm_where(w), "(`stock` = ? AND `stock` = ?)", "int 1, int 2");
    corm_where_and(w, corm_or(corm_eq(item.ok, 1), corm_is_null(item.note)));
    WHERE(corm_where(w), "(`stock` = ? AND `stock` = ? AND (`ok` = ? OR `note` IS NULL))",
          "int 1, int 2, int 1");
    corm_where_or(w, corm_eq(item.stock, 3));
    WHERE(corm_where(w),
          "((`stock` = ? AND `stock` = ? AND (`ok` = ? OR `note` IS NULL)) OR `stock` = ?)",
          "int 1, int 2, int 1, int 3");
    corm_where_or(w, corm_eq(item.stock, 4));
    corm_where_and(w, corm_eq(item.stock, 5));
    WHERE(corm_where(w),
          "(((`stock` = ? AND `stock` = ? AND (`ok` = ? OR `note` IS NULL)) OR `stock` = ? OR "
          "`stock` = ?) AND `stock` = ?)",
          "int 1, int 2, int 1, int 3, int 4, int 5");
    corm_arena_free(own);
}

static void the_first_member_keeps_its_own_and(void **state)
{
    struct corm_arena *own = corm_arena_new();
    struct corm_where *w = corm_where_new(own), *o = corm_where_new(own);

    (void)state;
    corm_where_or(o, corm_eq(item.stock, 1));
    WHERE(corm_where(o), "`stock` = ?", "int 1");
    corm_where_and(w, corm_and(corm_eq(item.stock, 1), corm_eq(item.stock, 2)));
    corm_where_and(w, corm_eq(item.stock, 3));
    WHERE(corm_where(w), "((`stock` = ? AND `stock` = ?) AND `stock` = ?)", "int 1, int 2, int 3");
    corm_where_or(o, corm_where(w));
    corm_where_and(w, corm_where(w));
    WHERE(corm_where(o), "(`stock` = ? OR ((`stock` = ? AND `stock` = ?) AND `stock` = ?))",
          "int 1, int 1, int 2, int 3");
    WHERE(corm_where(w),
          "((`stock` = ? AND `stock` = ?) AND `stock` = ? AND ((`stock` = ? AND `stock` = ?) AND "
          "`stock` = ?))",
          "int 1, int 2, int 3, int 1, int 2, int 3");
    SAYS(corm_update(&of, item, corm_not(corm_where(o)), corm_set(item.stock, 0), .error = &error),
         "UPDATE `item` SET `stock` = ? WHERE NOT ((`stock` = ? OR ((`stock` = ? AND `stock` = ?) "
         "AND `stock` = ?)))",
         "int 0, int 1, int 1, int 2, int 3");
    corm_arena_free(own);
}

/* Adds conditions whose members are gone when it returns, their texts and lists written over. */
__attribute__((noinline)) static void add_what_is_gone(struct corm_where *w)
{
    static char        name[16] = "name", part[16] = "part", one[16] = "one", two[16] = "two";
    static const char *texts[] = {one, two};
    static int32_t     ints[] = {1, 2};
    static double      reals[] = {0.5};

    corm_where_and(w, corm_eq(item.name, name));
    corm_where_and(w, corm_or(corm_contains(item.note, part), corm_not(corm_in(item.stock, 3, 4))));
    corm_where_and(w, corm_in_list(item.note, texts, 2));
    corm_where_and(w, corm_in_list(item.stock, ints, 2));
    corm_where_and(w, corm_in_list(item.price, reals, 1));
    corm_where_and(w, corm_in(item.name, one, two));
    memset(name, '#', sizeof(name));
    memset(part, '#', sizeof(part));
    memset(one, '#', sizeof(one));
    memset(two, '#', sizeof(two));
    memset(ints, 0x55, sizeof(ints));
    memset(reals, 0x55, sizeof(reals));
    texts[0] = texts[1] = NULL;
}

__attribute__((noinline)) static void write_over_the_stack(void)
{
    volatile char stack[16384];

    for (size_t i = 0; i < sizeof(stack); i++)
        stack[i] = '#';
}

static void a_condition_outlives_what_was_added(void **state)
{
    struct corm_arena *own = corm_arena_new();
    struct corm_where *w = corm_where_new(own);

    (void)state;
    add_what_is_gone(w);
    write_over_the_stack();
    WHERE(corm_where(w),
          "(`name` = ? AND (`note` LIKE ? ESCAPE '!' OR NOT (`stock` IN (?, ?))) AND `note` IN (?, "
          "?) AND `stock` IN (?, ?) AND `price` IN (?) AND `name` IN (?, ?))",
          "text 'name', text '%part%', int 3, int 4, text 'one', text 'two', int 1, int 2, real "
          "0.5, text 'one', text 'two'");
    corm_arena_free(own);
}

static void a_condition_grows_over_a_hundred_members(void **state)
{
    enum { MEMBERS = 300 };
    struct corm_arena *own = corm_arena_new();
    struct corm_where *w = corm_where_new(own);
    struct corm_expr   early = {0};

    (void)state;
    for (int i = 0; i < MEMBERS; i++) {
        corm_where_or(w, corm_eq(item.stock, i));
        if (i == 1)
            early = corm_where(w);
        assert_non_null(corm_arena_alloc(own, 24)); /* so that it moves when it grows */
    }
    begin_call(CORM_DIALECT_MARIADB);
    assert_int_equal(corm_count(&of, item, .where = corm_where(w), .error = &error), 0);
    assert_int_equal(of.bind_count, MEMBERS);
    for (int i = 0; i < MEMBERS; i++)
        assert_int_equal(of.binds[i].as.i, i);
    assert_int_equal(strlen(of.text), strlen(COUNT_ITEM " WHERE ()") +
                                          MEMBERS * strlen("`stock` = ?") +
                                          (MEMBERS - 1) * strlen(" OR "));
    begin_call(CORM_DIALECT_MARIADB); /* what was handed out before lives on */
    assert_int_equal(corm_count(&of, item, .where = early, .error = &error), 0);
    assert_true(of.bind_count >= 2);
    corm_arena_free(own);
}

static void an_empty_growing_condition_is_refused(void **state)
{
    struct corm_arena *own = corm_arena_new();
    struct corm_where *w = corm_where_new(own), *x = corm_where_new(own), *y = corm_where_new(own);

    (void)state;
    REFUSED_WHERE(corm_where(w), CORM_MISUSE, "no members");
    REFUSED(corm_all(&of, item, &rows, .where = corm_where(w), .error = &error), CORM_MISUSE,
            "no members");
    REFUSED(corm_delete(&of, item, corm_where(w), .error = &error), CORM_MISUSE, "no members");
    REFUSED(corm_update(&of, item, corm_where(w), corm_set(item.stock, 0), .error = &error),
            CORM_MISUSE, "no members");
    corm_where_and(x, corm_where(w)); /* an empty one stays in, and is refused */
    REFUSED_WHERE(corm_where(x), CORM_MISUSE, "no members");
    corm_where_or(x, corm_eq(item.id, 1));
    REFUSED_WHERE(corm_where(x), CORM_MISUSE, "no members");
    corm_where_and(w, (struct corm_expr){0});
    REFUSED_WHERE(corm_where(w), CORM_MISUSE, "no members");
    corm_where_and(y, corm_eq(item.id, 1));
    corm_where_and(y, (struct corm_expr){0});
    REFUSED_WHERE(corm_where(y), CORM_MISUSE, "no members");
    corm_arena_free(own);
}

static void a_growing_condition_may_be_too_deep(void **state)
{
    struct corm_arena *own = corm_arena_new();
    struct corm_where *w = corm_where_new(own), *deep = corm_where_new(own);
    struct corm_expr   levels[200][2];

    (void)state;
    corm_where_and(w, nested(levels, 20));
    begin_call(CORM_DIALECT_SQLITE);
    assert_int_equal(corm_count(&of, item, .where = corm_where(w), .error = &error), 0);
    corm_where_and(w, corm_eq(item.id, 1)); /* one level more around it */
    REFUSED_WHERE(corm_where(w), CORM_MISUSE, "deeper than 20");
    corm_where_and(deep, nested(levels, 200));
    memset(levels, 0x55, sizeof(levels));
    REFUSED_WHERE(corm_where(deep), CORM_MISUSE, "deeper than 20");
    corm_arena_free(own);
}

static void a_condition_without_memory_is_refused(void **state)
{
    struct corm_arena *own = corm_arena_new();
    struct corm_where *w;

    (void)state;
    memory_left = 1;
    w = corm_where_new(own);
    memory_left = -1;
    assert_null(w);
    corm_where_and(w, corm_eq(item.id, 1));
    corm_where_or(w, corm_eq(item.id, 1));
    REFUSED_WHERE(corm_where(w), CORM_NO_MEMORY, "condition");
    REFUSED(corm_delete(&of, item, corm_where(w), .error = &error), CORM_NO_MEMORY, "condition");
    w = corm_where_new(own);
    corm_where_and(w, corm_eq(item.id, 1));
    memory_left = 1;
    for (int i = 0; i < 200; i++)
        corm_where_and(w, corm_eq(item.id, i));
    memory_left = -1;
    corm_where_or(w, corm_eq(item.id, 1)); /* nothing heals it */
    REFUSED_WHERE(corm_where(w), CORM_NO_MEMORY, "condition");
    REFUSED_WHERE(corm_or(corm_eq(item.id, 1), corm_where(w)), CORM_NO_MEMORY, "condition");
    corm_arena_free(own);
}

/* Every piece of a condition that is copied, in a block of its own. */
static void grow_much(struct corm_where *w)
{
    static int64_t          ids[3000];
    static const char      *texts[3000];
    static char             text[20000];
    static struct corm_expr kids[301];

    memset(text, 'x', sizeof(text) - 1);
    for (size_t i = 0; i < COUNT(texts); i++)
        texts[i] = i % 1000 == 0 ? text : "x";
    for (size_t i = 0; i < COUNT(kids) - 1; i++)
        kids[i] = corm_eq(item.id, 1);
    kids[0] = corm_eq(item.note, text);
    kids[COUNT(kids) - 1] = (struct corm_expr){.op = CORM_END};
    corm_where_and(w, corm_eq(item.note, text));
    corm_where_and(w, corm_in_list(item.id, ids, COUNT(ids)));
    corm_where_or(w, corm_in_list(item.note, texts, COUNT(texts)));
    corm_where_and(w, (struct corm_expr){.op = CORM_AND, .kids = kids});
    corm_where_or(w, corm_not(corm_in(item.note, "a", text)));
    for (int i = 0; i < 40; i++) /* until it has to grow behind other pieces */
        corm_where_or(w, corm_in(item.id, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16));
}

static void wherever_memory_runs_out_a_condition_is_refused(void **state)
{
    int failures = 0;

    (void)state;
    for (;; failures++) {
        struct corm_arena *own = corm_arena_new();
        struct corm_where *w = corm_where_new(own);
        begin_call(CORM_DIALECT_MARIADB);
        memory_left = failures + 1;
        grow_much(w);
        memory_left = -1;
        int64_t rc = corm_count(&of, item, .where = corm_where(w), .error = &error);
        corm_arena_free(own);
        if (rc == 0)
            break;
        assert_int_equal(rc, CORM_NO_MEMORY);
        assert_null(of.text);
    }
    assert_in_range(failures, 10, 200);
    assert_null(corm_where_new(NULL));
}

/* ---- Memory -------------------------------------------------------------------------- */

static int64_t make_much(void)
{
    static int64_t     ids[3000];
    static const char *texts[3000];
    static char        text[5000];

    memset(text, '%', sizeof(text) - 1);
    for (size_t i = 0; i < COUNT(texts); i++)
        texts[i] = i % 100 == 0 ? text : "x";
    return corm_all(&of, item, &rows,
                    .where = corm_and(corm_in_list(item.id, ids, COUNT(ids)),
                                      corm_contains(item.note, text), corm_lt(item.at, 0),
                                      corm_in_list(item.note, texts, COUNT(texts))),
                    .error = &error);
}

static void without_memory_nothing_is_made(void **state)
{
    int failures = 0;

    (void)state;
    for (;; failures++) {
        corm_arena_free(arena);
        arena = corm_arena_new();
        begin_call(CORM_DIALECT_MARIADB);
        memory_left = failures + 1;
        int64_t rc = make_much();
        memory_left = -1;
        if (rc == 0)
            break;
        assert_int_equal(rc, CORM_NO_MEMORY);
        assert_int_equal(error.code, CORM_NO_MEMORY);
        assert_null(of.text);
    }
    assert_in_range(failures, 3, 100);
}

static void a_statement_that_is_kept_has_its_own_texts(void **state)
{
    char                   name[] = "bolt", note[] = "note";
    const struct item      kept = {.name = name, .note = note};
    struct corm_write      write = {.size = sizeof(write), .row = &kept};
    struct corm__statement s;

    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        begin_call(CORM_DIALECT_MARIADB);
        assert_int_equal(corm__make_insert(CORM_DIALECT_MARIADB, arena, keep, item.corm_table,
                                           &write, &s, &error),
                         0);
        assert_int_equal(s.bind_count, 7);
        assert_int_equal(s.binds[0].as.s == name, !keep);
        assert_int_equal(s.binds[6].as.s == note, !keep);
        assert_string_equal(s.binds[6].as.s, "note");
    }
    write = (struct corm_write){.size = sizeof(write),
                                .where = corm_eq(item.name, name),
                                .set = {corm_set(item.note, note)}};
    assert_int_equal(
        corm__make_update(CORM_DIALECT_MARIADB, arena, true, item.corm_table, &write, &s, &error),
        0);
    memset(name, '#', 4);
    memset(note, '#', 4);
    assert_string_equal(describe(s.binds, s.bind_count), "text 'note', text 'bolt'");
}

/* ---- What the layers below are told ---------------------------------------------------- */

static struct corm__statement read_of(const struct corm_query *query, enum corm__read_what what)
{
    struct corm__statement s = {.verb = CORM__RAW};

    begin_call(CORM_DIALECT_MARIADB);
    assert_int_equal(
        corm__make_read(CORM_DIALECT_MARIADB, arena, what, item.corm_table, query, &s, &error), 0);
    assert_int_equal(s.size, strlen(s.text));
    assert_int_equal(s.verb, CORM__READ);
    return s;
}

static void a_read_tells_its_columns_and_its_waiting(void **state)
{
    struct corm__statement s;

    (void)state;
    s = read_of(&(struct corm_query){.file = "x.c", .line = 7}, CORM__FIRST);
    assert_ptr_equal(s.table, item.corm_table);
    assert_string_equal(s.file, "x.c");
    assert_int_equal(s.line, 7);
    assert_false(s.bounded_wait || s.alone || s.once || s.compound);
    s = read_of(&(struct corm_query){0}, CORM__COUNT);
    assert_null(s.table);
    s = read_of(&(struct corm_query){0}, CORM__EXISTS);
    assert_null(s.table);
    s = read_of(&(struct corm_query){.lock = CORM_FOR_UPDATE}, CORM__ROWS);
    assert_false(s.bounded_wait || s.alone);
    s = read_of(&(struct corm_query){.lock = CORM_FOR_UPDATE, .skip_locked = true}, CORM__ROWS);
    assert_false(s.bounded_wait || s.alone);
    s = read_of(&(struct corm_query){.lock = CORM_FOR_UPDATE, .nowait = true}, CORM__ROWS);
    assert_true(s.bounded_wait && s.alone);
    assert_int_equal(s.wait_ms, 0);
    s = read_of(&(struct corm_query){.lock = CORM_FOR_SHARE, .wait_ms = 20}, CORM__ROWS);
    assert_true(s.bounded_wait && s.alone);
    assert_int_equal(s.wait_ms, 20);
}

static void a_write_tells_its_verb_and_its_key(void **state)
{
    int64_t                id;
    const struct item      one = {.name = "x"};
    struct corm_write      write = {.row = &one, .id_later = &id, .file = "x.c", .line = 7};
    struct corm__statement s;

    (void)state;
    begin_call(CORM_DIALECT_MARIADB);
    assert_int_equal(
        corm__make_insert(CORM_DIALECT_MARIADB, arena, true, item.corm_table, &write, &s, &error),
        0);
    assert_int_equal(s.verb, CORM__INSERT);
    assert_ptr_equal(s.id, &id);
    assert_string_equal(s.file, "x.c");
    assert_int_equal(s.line, 7);
    assert_false(s.once);
    write = (struct corm_write){.where = corm_everything(), .set = {corm_set(item.stock, 1)}};
    assert_int_equal(
        corm__make_update(CORM_DIALECT_MARIADB, arena, true, item.corm_table, &write, &s, &error),
        0);
    assert_int_equal(s.verb, CORM__WRITE);
    assert_null(s.id);
    assert_int_equal(
        corm__make_delete(CORM_DIALECT_MARIADB, arena, true, item.corm_table, &write, &s, &error),
        0);
    assert_int_equal(s.verb, CORM__WRITE);
}

static void many_rows_stay_below_the_servers_limits(void **state)
{
    const struct keyless   three[] = {{1, "a"}, {2, "b"}, {3, "c"}};
    struct corm_write      write = {.row = three, .count = 3};
    struct corm__statement s;

    (void)state;
    assert_int_equal(corm__rows_per_insert(CORM_DIALECT_MARIADB, keyless.corm_table), 1000);
    assert_int_equal(corm__rows_per_insert(CORM_DIALECT_SQLITE, counter.corm_table), 1);
    assert_true(corm__rows_per_insert(CORM_DIALECT_SQLITE, wide.corm_table) * 33 <= 32766);
    assert_true(corm__rows_per_insert(CORM_DIALECT_MARIADB, wide.corm_table) * 33 <= 65535);
    assert_true(corm__rows_per_insert(CORM_DIALECT_MARIADB, wide.corm_table) > 500);
    begin_call(CORM_DIALECT_MARIADB);
    assert_int_equal(corm__make_insert_rows(CORM_DIALECT_MARIADB, arena, keyless.corm_table, &write,
                                            1, 2, &s, &error),
                     0);
    assert_string_equal(describe(s.binds, s.bind_count), "int 2, text 'b', int 3, text 'c'");
    assert_true(s.once); /* another number of rows is another text: no cache wants it */
    assert_int_equal(corm__make_insert_rows(CORM_DIALECT_MARIADB, arena, keyless.corm_table, &write,
                                            2, 1, &s, &error),
                     0);
    assert_false(s.once);
}

/* How a compound statement begins that counts its statements. */
#define COUNTED                                                                                    \
    "BEGIN NOT ATOMIC DECLARE `corm#at` INT DEFAULT 0; DECLARE EXIT HANDLER FOR SQLEXCEPTION "     \
    "BEGIN SET @corm_at = `corm#at`; RESIGNAL; END; "

static void statements_become_one(void **state)
{
    int64_t              id;
    const struct keyless one = {1, "x"};
    const struct item    two = {.name = "y"};
    struct corm_write    insert = {.row = &one}, insert_id = {.row = &two, .id_later = &id};
    struct corm_write update = {.where = corm_eq(keyless.a, 1), .set = {corm_set(keyless.b, "z")}};
    struct corm__statement s[4], compound;

    (void)state;
    begin_call(CORM_DIALECT_MARIADB);
    assert_int_equal(corm__make_insert(CORM_DIALECT_MARIADB, arena, true, keyless.corm_table,
                                       &insert, &s[0], &error),
                     0);
    assert_int_equal(corm__make_update(CORM_DIALECT_MARIADB, arena, true, keyless.corm_table,
                                       &update, &s[1], &error),
                     0);
    s[2] = corm__control("COMMIT");
    assert_true(corm__is_counted(s, 3));
    assert_int_equal(corm__make_compound(arena, s, 3, &compound, &error), 0);
    assert_string_equal(compound.text,
                        COUNTED "INSERT INTO `keyless` (`a`, `b`) VALUES (?, ?); "
                                "SET `corm#at` = 1; UPDATE `keyless` SET `b` = ? WHERE `a` = ?; "
                                "SET `corm#at` = 2; COMMIT; END");
    assert_string_equal(describe(compound.binds, compound.bind_count),
                        "int 1, text 'x', text 'z', int 1");
    assert_true(compound.compound);
    assert_int_equal(compound.verb, CORM__WRITE);
    s[0].once = true;
    assert_int_equal(corm__make_compound(arena, s, 3, &compound, &error), 0);
    assert_true(compound.once);
    s[0].once = false;
    assert_false(corm__is_counted(s, 1));
    assert_true(corm__is_counted(s, 2)); /* both write */
    assert_false(corm__is_counted(s + 1, 2));

    assert_int_equal(corm__make_insert(CORM_DIALECT_MARIADB, arena, true, item.corm_table,
                                       &insert_id, &s[0], &error),
                     0);
    assert_int_equal(corm__make_read(CORM_DIALECT_MARIADB, arena, CORM__COUNT, keyless.corm_table,
                                     &(struct corm_query){0}, &s[1], &error),
                     0);
    assert_true(corm__is_counted(s, 2));
    assert_int_equal(corm__make_compound(arena, s, 2, &compound, &error), 0);
    assert_string_equal(compound.text,
                        COUNTED "INSERT INTO `item` (`name`, `stock`, `price`, `big`, `ok`, `at`, "
                                "`note`) VALUES (?, ?, ?, ?, ?, ?, ?); SELECT LAST_INSERT_ID(); "
                                "SET `corm#at` = 1; SELECT COUNT(*) FROM `keyless`; END");
    assert_int_equal(compound.verb, CORM__READ);
    assert_null(compound.id);
    s[1] = s[0];
    assert_int_equal(corm__make_compound(arena, s, 2, &compound, &error), 0);
    assert_null(compound.id); /* it has two */
    s[1] = corm__control("COMMIT");
    assert_int_equal(corm__make_compound(arena, s, 2, &compound, &error), 0);
    assert_string_equal(
        compound.text, "BEGIN NOT ATOMIC INSERT INTO `item` (`name`, `stock`, `price`, `big`, "
                       "`ok`, `at`, `note`) VALUES (?, ?, ?, ?, ?, ?, ?); SELECT LAST_INSERT_ID(); "
                       "COMMIT; END");
    assert_int_equal(compound.size, strlen(compound.text));
    assert_true(corm__has_compound(CORM_DIALECT_MARIADB));
    assert_false(corm__has_compound(CORM_DIALECT_MYSQL));
    assert_false(corm__has_compound(CORM_DIALECT_SQLITE));
}

static bool same_key(struct corm__key a, struct corm__key b)
{
    return a.bytes != NULL && a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}

#define KEY(table, expr)                                                                           \
    corm__key_of_condition(arena, (table).corm_table, &(struct corm_expr[]){expr}[0])

static void a_condition_and_a_row_have_the_same_key(void **state)
{
    const struct item item7 = {.id = 7}, item8 = {.id = 8};
    const struct odd  odd_row = {.left_key = 1, .right_key = "x"};

    (void)state;
    begin_call(CORM_DIALECT_MARIADB);
    struct corm__key k7 = corm__key_of_row(arena, item.corm_table, &item7);
    struct corm__key odd_key = corm__key_of_row(arena, odd.corm_table, &odd_row);
    assert_true(same_key(k7, KEY(item, corm_eq(item.id, 7))));
    assert_true(same_key(k7, KEY(item, corm_eq(item.id, 7ULL))));
    assert_true(same_key(k7, KEY(item, corm_and(corm_eq(item.id, 7)))));
    assert_false(same_key(k7, corm__key_of_row(arena, item.corm_table, &item8)));
    assert_false(same_key(k7, KEY(counter, corm_eq(counter.id, 7)))); /* another table */
    assert_true(same_key(
        odd_key, KEY(odd, corm_and(corm_eq(odd.left_key, 1), corm_eq(odd.right_key, "x")))));
    assert_true(same_key(
        odd_key, KEY(odd, corm_and(corm_eq(odd.right_key, "x"), corm_eq(odd.left_key, 1)))));
    assert_false(same_key(
        odd_key, KEY(odd, corm_and(corm_eq(odd.right_key, "X"), corm_eq(odd.left_key, 1)))));
}

#define MEASURE(X) X(at, double, .pk = 1) X(n, bigint)
CORM_MODEL(measure, MEASURE);
CORM_DEFINE(measure, MEASURE);

static void a_key_of_another_type_has_its_kind(void **state)
{
    const struct measure    half = {.at = 0.5};
    const struct corm_value cut = {.kind = CORM_V_TEXT, .size = 1, .as.s = "xyz"};
    const struct odd        one = {.left_key = 1, .right_key = "x"};
    struct corm_expr        e = corm_eq(odd.right_key, "?");

    (void)state;
    begin_call(CORM_DIALECT_MARIADB);
    struct corm__key key = corm__key_of_row(arena, measure.corm_table, &half);
    assert_true(same_key(key, KEY(measure, corm_eq(measure.at, 0.5))));
    assert_false(same_key(key, KEY(measure, corm_eq(measure.at, 0.25))));
    assert_non_null(KEY(counter, corm_eq(counter.id, UINT64_MAX)).bytes); /* no row's */
    assert_false(same_key(KEY(counter, corm_eq(counter.id, UINT64_MAX)),
                          KEY(counter, corm_eq(counter.id, -1))));
    e.value = cut;
    assert_true(same_key(corm__key_of_row(arena, odd.corm_table, &one),
                         KEY(odd, corm_and(corm_eq(odd.left_key, 1), e))));
}

static void two_models_of_a_table_have_the_same_keys(void **state)
{
    const struct odd       one = {.left_key = 1, .right_key = "x"};
    const struct odd_again same = {.first = 1, .second = "x"}, other = {.first = 1, .second = "y"};

    (void)state;
    begin_call(CORM_DIALECT_MARIADB);
    struct corm__key key = corm__key_of_row(arena, odd.corm_table, &one);
    assert_true(same_key(key, corm__key_of_row(arena, odd_again.corm_table, &same)));
    assert_false(same_key(key, corm__key_of_row(arena, odd_again.corm_table, &other)));
    assert_true(same_key(key, KEY(odd_again, corm_and(corm_eq(odd_again.first, 1),
                                                      corm_eq(odd_again.second, "x")))));
}

static void other_conditions_name_no_row(void **state)
{
    const char *const none = NULL;

    (void)state;
    begin_call(CORM_DIALECT_MARIADB);
    assert_null(KEY(item, corm_ge(item.id, 7)).bytes);
    assert_null(KEY(item, corm_in(item.id, 7)).bytes);
    assert_null(KEY(item, corm_eq(item.stock, 7)).bytes);
    assert_null(KEY(item, corm_eq(item.id, item.stock)).bytes);
    assert_null(KEY(item, corm_everything()).bytes);
    assert_null(KEY(item, corm_or(corm_eq(item.id, 7))).bytes);
    assert_null(KEY(item, corm_not(corm_eq(item.id, 7))).bytes);
    assert_null(KEY(item, corm_and(corm_eq(item.id, 7), corm_eq(item.id, 8))).bytes);
    assert_null(KEY(item, corm_and(corm_eq(item.id, 7), corm_ge(item.stock, 1))).bytes);
    assert_null(KEY(item, corm_and(corm_eq(item.id, 7), corm_eq(item.stock, 1))).bytes);
    assert_null(KEY(item, corm_and(corm_and(corm_eq(item.id, 7)))).bytes);
    assert_null(KEY(odd, corm_eq(odd.left_key, 1)).bytes);
    assert_null(KEY(odd, corm_and(corm_eq(odd.left_key, 1), corm_eq(odd.right_key, none))).bytes);
    assert_null(KEY(keyless, corm_eq(keyless.a, 1)).bytes);
    assert_null(corm__key_of_row(arena, keyless.corm_table, &(struct keyless){1, "x"}).bytes);
}

/* ---- Rows ------------------------------------------------------------------------------ */

static struct corm_value of_text(const char *text, size_t size)
{
    return (struct corm_value){.kind = CORM_V_TEXT, .size = (uint32_t)size, .as.s = text};
}

/* The field of a column takes no value, and stays as it was. */
static void misfit(const struct corm_column *column, struct corm_value value, const char *what)
{
    const struct item  item_before = {.id = 7, .name = "old", .note = "old"};
    const struct maybe maybe_before = {.id = 7, .i = {true, 5}};
    struct item        of_item = item_before;
    struct maybe       of_maybe = maybe_before;
    bool               is_item = corm__has_column(item.corm_table, column);

    begin_call(CORM_DIALECT_MARIADB);
    int rc = corm__field_set(column, is_item ? (void *)&of_item : (void *)&of_maybe, value, arena,
                             &error);
    if (rc != CORM_BAD_VALUE || error.code != rc || strstr(error.message, what) == NULL)
        fail_msg("%s, %s: %d: %s", column->name, what, rc, error.message);
    assert_memory_equal(&of_item, &item_before, sizeof(of_item));
    assert_memory_equal(&of_maybe, &maybe_before, sizeof(of_maybe));
}

static void values_that_a_model_cannot_take_are_refused(void **state)
{
    static const struct corm_value null = {.kind = CORM_V_NULL}, blob = {.kind = CORM_V_BLOB};

    (void)state;
    misfit(item.id.column, null, "NULL");
    misfit(item.name.column, null, "NULL");
    misfit(item.id.column, corm_v_int_(INT32_MAX + 1LL), "outside its range");
    misfit(item.id.column, corm_v_int_(INT32_MIN - 1LL), "outside its range");
    misfit(maybe.i.column, corm_v_int_(INT32_MIN - 1LL), "outside its range");
    misfit(item.id.column, corm_v_real_(1), "whole number");
    misfit(item.big.column, of_text("one", 3), "whole number");
    misfit(item.ok.column, corm_v_int_(2), "outside its range");
    misfit(item.ok.column, corm_v_int_(-1), "outside its range");
    misfit(maybe.y.column, corm_v_int_(2), "outside its range");
    misfit(maybe.d.column, of_text("1", 1), "not a number");
    misfit(item.price.column, blob, "not a number");
    misfit(item.at.column, corm_v_int_(0), "date and time");
    misfit(item.at.column, of_text("0000-00-00 00:00:00", 19), "zero date");
    misfit(maybe.t.column, of_text("soon", 4), "date and time");
    misfit(item.name.column, corm_v_int_(1), "not text");
    misfit(item.note.column, blob, "not text");
    misfit(item.name.column, of_text("a\0b", 3), "NUL");
    misfit(item.name.column, of_text("\xFF", 1), "UTF-8");
}

static void values_become_fields(void **state)
{
    const struct corm_value item_values[] = {
        corm_v_int_(INT32_MIN), of_text("bolt", 4), corm_v_int_(INT32_MAX),
        corm_v_int_(3), /* a whole number for a double */
        corm_v_int_(INT64_MIN), corm_v_int_(1),     of_text("1970-01-01 00:00:00.000001", 26),
        {.kind = CORM_V_NULL},
    };
    const struct corm_value maybe_values[] = {
        corm_v_int_(1),
        corm_v_int_(-2),
        corm_v_int_(3),
        corm_v_int_(1),
        corm_v_real_(0.5),
        of_text("abc", 3),
        of_text("1970-01-01 00:00:01", 19),
    };
    struct item  i;
    struct maybe m;

    (void)state;
    begin_call(CORM_DIALECT_MARIADB);
    assert_int_equal(corm__row_set(item.corm_table, &i, item_values, arena, &error), 0);
    assert_int_equal(i.id, INT32_MIN);
    assert_string_equal(i.name, "bolt");
    assert_int_equal(i.stock, INT32_MAX);
    assert_true(i.price.has && i.price.value == 3);
    assert_int_equal(i.big, INT64_MIN);
    assert_true(i.ok);
    assert_int_equal(i.at, 1);
    assert_null(i.note);
    assert_int_equal(corm__row_set(maybe.corm_table, &m, maybe_values, arena, &error), 0);
    assert_true(m.i.has && m.i.value == -2 && m.b.has && m.b.value == 3 && m.y.has && m.y.value);
    assert_true(m.d.has && m.d.value == 0.5 && m.t.has && m.t.value == 1000000);
    assert_string_equal(m.v, "abc");
    corm_arena_free(arena);
    arena = corm_arena_new();
    memory_left = 1;
    int rc = corm__row_set(item.corm_table, &i, item_values, arena, &error);
    memory_left = -1;
    assert_int_equal(rc, CORM_NO_MEMORY);
}

static void null_becomes_an_empty_field(void **state)
{
    struct corm_value values[7];
    struct maybe      m;

    (void)state;
    memset(&m, 0x55, sizeof(m));
    begin_call(CORM_DIALECT_MARIADB);
    for (size_t i = 1; i < COUNT(values); i++)
        values[i] = (struct corm_value){.kind = CORM_V_NULL};
    values[0] = corm_v_int_(1);
    assert_int_equal(corm__row_set(maybe.corm_table, &m, values, arena, &error), 0);
    assert_false(m.i.has || m.b.has || m.y.has || m.d.has || m.t.has);
    assert_null(m.v);
}

static void text_columns_are_known(void **state)
{
    (void)state;
    assert_true(corm__has_text(item.corm_table));
    assert_true(corm__has_text(keyless.corm_table)); /* text alone, no varchar */
    assert_false(corm__has_text(wide.corm_table));
    assert_ptr_equal(corm__generated_column(item.corm_table), item.id.column);
    assert_null(corm__generated_column(wide.corm_table));
}

static void a_copy_of_a_row_stands_alone(void **state)
{
    char         name[] = "bolt", note[] = "a note";
    struct item  one = {.id = 7, .name = name, .note = note}, none = {.name = ""};
    struct item *copy = corm_dup(item, &one), *second = corm_dup(item, &none);

    (void)state;
    memset(name, 'x', 4);
    memset(note, 'x', 6);
    assert_int_equal(copy->id, 7);
    assert_string_equal(copy->name, "bolt");
    assert_string_equal(copy->note, "a note");
    assert_string_equal(second->name, "");
    assert_null(second->note);
    free(copy);
    free(second);
    memory_left = 1;
    copy = corm_dup(item, &one);
    memory_left = -1;
    assert_null(copy);
}

/* ---- Tables --------------------------------------------------------------------------- */

static const char *create(enum corm_dialect dialect, const struct corm_table *table, bool careful)
{
    struct corm__buffer b;

    corm_arena_reset(arena);
    corm__buffer_init(&b, arena);
    corm__put_create_table(&b, &(struct corm__ddl){dialect, dialect == CORM_DIALECT_MARIADB}, table,
                           careful);
    return b.text;
}

static const char *drop(enum corm_dialect dialect, const struct corm_table *table, bool careful)
{
    struct corm__buffer b;

    corm_arena_reset(arena);
    corm__buffer_init(&b, arena);
    corm__put_drop_table(&b, dialect, table, careful);
    return b.text;
}

#define INNODB " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE="

static void a_table_has_the_types_of_its_model(void **state)
{
    static const char item_columns[] =
        "CREATE TABLE `item` (`id` INT NOT NULL AUTO_INCREMENT, "
        "`name` VARCHAR(5) NOT NULL UNIQUE, `stock` INT NOT NULL DEFAULT 1, "
        "`price` DOUBLE NULL, `big` BIGINT NOT NULL, `ok` TINYINT(1) NOT NULL, "
        "`at` DATETIME(6) NOT NULL, `note` LONGTEXT NULL, PRIMARY KEY (`id`))" INNODB "%s";
    char expected[1024];

    (void)state;
    (void)snprintf(expected, sizeof(expected), item_columns, "utf8mb4_nopad_bin");
    assert_string_equal(create(CORM_DIALECT_MARIADB, item.corm_table, false), expected);
    (void)snprintf(expected, sizeof(expected), item_columns, "utf8mb4_0900_bin");
    assert_string_equal(create(CORM_DIALECT_MYSQL, item.corm_table, false), expected);
    assert_string_equal(
        create(CORM_DIALECT_SQLITE, item.corm_table, false),
        as_sqlite("CREATE TABLE `item` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL "
                  "CONSTRAINT `corm_range_id` CHECK (`id` BETWEEN -2147483648 AND 2147483647), "
                  "`name` TEXT NOT NULL UNIQUE CONSTRAINT `corm_length_name` CHECK (length(`name`) "
                  "<= 5), `stock` INTEGER NOT NULL DEFAULT (1) CONSTRAINT `corm_range_stock` CHECK "
                  "(`stock` BETWEEN -2147483648 AND 2147483647), `price` REAL NULL CONSTRAINT "
                  "`corm_range_price` CHECK (`price` BETWEEN -1.7976931348623157e308 AND "
                  "1.7976931348623157e308), `big` INTEGER NOT NULL, `ok` INTEGER NOT NULL "
                  "CONSTRAINT `corm_range_ok` CHECK (`ok` IN (0, 1)), `at` TEXT NOT NULL, `note` "
                  "TEXT NULL) STRICT"));
}

static void a_table_may_have_odd_names_and_a_key_of_two(void **state)
{
    (void)state;
    assert_string_equal(
        create(CORM_DIALECT_MARIADB, odd.corm_table, true),
        "CREATE TABLE IF NOT EXISTS `odd ``\"table` (`left key` INT NOT NULL, "
        "```quoted`` \"twice\"` VARCHAR(9) NOT NULL, `\xC3\xA4 ? ' ;--` INT NOT NULL, "
        "PRIMARY KEY (`left key`, ```quoted`` \"twice\"`))" INNODB "utf8mb4_nopad_bin");
    assert_string_equal(
        create(CORM_DIALECT_SQLITE, odd.corm_table, true),
        "CREATE TABLE IF NOT EXISTS \"odd `\"\"table\" (\"left key\" INTEGER NOT NULL CONSTRAINT "
        "\"corm_range_left key\" CHECK (\"left key\" BETWEEN -2147483648 AND 2147483647), "
        "\"`quoted` \"\"twice\"\"\" TEXT NOT NULL CONSTRAINT \"corm_length_`quoted` "
        "\"\"twice\"\"\" CHECK (length(\"`quoted` \"\"twice\"\"\") <= 9), \"\xC3\xA4 ? ' ;--\" "
        "INTEGER NOT NULL CONSTRAINT \"corm_range_\xC3\xA4 ? ' ;--\" CHECK (\"\xC3\xA4 ? ' ;--\" "
        "BETWEEN -2147483648 AND 2147483647), PRIMARY KEY (\"left key\", \"`quoted` "
        "\"\"twice\"\"\")) STRICT");
}

static void a_table_may_have_no_key_or_nothing_but_one(void **state)
{
    (void)state;
    assert_string_equal(create(CORM_DIALECT_MARIADB, keyless.corm_table, false),
                        "CREATE TABLE `keyless` (`a` INT NOT NULL, `b` LONGTEXT NOT NULL)" INNODB
                        "utf8mb4_nopad_bin");
    assert_string_equal(create(CORM_DIALECT_SQLITE, counter.corm_table, false),
                        "CREATE TABLE \"counter\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT NOT "
                        "NULL) STRICT");
    assert_string_equal(create(CORM_DIALECT_MYSQL, counter.corm_table, false),
                        "CREATE TABLE `counter` (`id` BIGINT NOT NULL AUTO_INCREMENT, PRIMARY KEY "
                        "(`id`))" INNODB "utf8mb4_0900_bin");
    assert_string_equal(
        create(CORM_DIALECT_MARIADB, maybe.corm_table, false),
        "CREATE TABLE `maybe` (`id` BIGINT NOT NULL, `i` INT NULL, `b` BIGINT NULL, "
        "`y` TINYINT(1) NULL, `d` DOUBLE NULL, `v` VARCHAR(3) NULL, `t` DATETIME(6) "
        "NULL, PRIMARY KEY (`id`))" INNODB "utf8mb4_nopad_bin");
}

static void a_version_has_a_default(void **state)
{
    (void)state;
    assert_string_equal(create(CORM_DIALECT_MARIADB, seat.corm_table, false),
                        "CREATE TABLE `seat` (`holder` VARCHAR(9) NULL, `ver ``no`` \"1\"` INT NOT "
                        "NULL DEFAULT 0, `block` VARCHAR(3) NOT NULL, `price` DOUBLE NOT NULL, "
                        "`number` INT NOT NULL, PRIMARY KEY (`block`, `number`))" INNODB
                        "utf8mb4_nopad_bin");
    assert_string_equal(
        create(CORM_DIALECT_MYSQL, turn.corm_table, false),
        "CREATE TABLE `turn` (`id` BIGINT NOT NULL AUTO_INCREMENT, `version` BIGINT "
        "NOT NULL DEFAULT 1, PRIMARY KEY (`id`))" INNODB "utf8mb4_0900_bin");
    assert_string_equal(create(CORM_DIALECT_SQLITE, turn.corm_table, false),
                        "CREATE TABLE \"turn\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "
                        "\"version\" INTEGER NOT NULL DEFAULT (1)) STRICT");
}

/* Whether SQLite takes a row of `maybe`. */
static bool sqlite_takes(int64_t i, int64_t y, double d, const char *v)
{
    sqlite3_stmt *statement = NULL;

    assert_int_equal(sqlite3_prepare_v2(sqlite,
                                        "INSERT INTO maybe (id, i, y, d, v) VALUES (1, ?, ?, ?, ?)",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    (void)sqlite3_bind_int64(statement, 1, i);
    (void)sqlite3_bind_int64(statement, 2, y);
    (void)sqlite3_bind_double(statement, 3, d);
    (void)sqlite3_bind_text(statement, 4, v, -1, SQLITE_STATIC);
    int rc = sqlite3_step(statement);
    (void)sqlite3_finalize(statement);
    if (rc != SQLITE_DONE)
        assert_int_equal(rc, SQLITE_CONSTRAINT);
    else
        assert_int_equal(sqlite3_exec(sqlite, "DELETE FROM maybe", NULL, NULL, NULL), SQLITE_OK);
    return rc == SQLITE_DONE;
}

static void sqlite_keeps_the_limits_of_types(void **state)
{
    (void)state;
    assert_true(sqlite_takes(INT32_MAX, 1, DBL_MAX, "abc"));
    assert_true(sqlite_takes(INT32_MIN, 0, -DBL_MAX, "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8E\x9F"));
    assert_true(sqlite_takes(0, 0, DBL_TRUE_MIN, NULL));
    assert_false(sqlite_takes((int64_t)INT32_MAX + 1, 1, 0, "abc"));
    assert_false(sqlite_takes((int64_t)INT32_MIN - 1, 1, 0, "abc"));
    assert_false(sqlite_takes(0, 2, 0, "abc"));
    assert_false(sqlite_takes(0, -1, 0, "abc"));
    assert_false(sqlite_takes(0, 0, (double)INFINITY, "abc"));
    assert_false(sqlite_takes(0, 0, -(double)INFINITY, "abc"));
    assert_false(sqlite_takes(0, 0, 0, "abcd"));
}

static void a_table_is_dropped(void **state)
{
    (void)state;
    assert_string_equal(drop(CORM_DIALECT_MARIADB, odd.corm_table, false),
                        "DROP TABLE `odd ``\"table`");
    assert_string_equal(drop(CORM_DIALECT_MYSQL, item.corm_table, true),
                        "DROP TABLE IF EXISTS `item`");
    assert_string_equal(drop(CORM_DIALECT_SQLITE, odd.corm_table, true),
                        "DROP TABLE IF EXISTS \"odd `\"\"table\"");
}

/* A table of one column, or of two. */
static struct corm_table table_of(const char *name, const struct corm_column *columns, uint32_t n)
{
    return (struct corm_table){.name = name, .columns = columns, .column_count = n, .row_size = 64};
}

static void check_model(const char *name, const struct corm_column *columns, uint32_t n,
                        const char *reason)
{
    struct corm_table table = table_of(name, columns, n);
    struct corm_error e = {0};
    size_t            characters;
    int               rc = corm__check_model(CORM_DIALECT_MARIADB, &table, &e);

    if (rc != (reason == NULL ? 0 : CORM_MISUSE) || e.code != rc)
        fail_msg("the model \"%s\" (%s): %d %s", name, reason ? reason : "good", rc, e.message);
    if (reason != NULL && strstr(e.message, reason) == NULL)
        fail_msg("the model \"%s\" does not say \"%s\": %s", name, reason, e.message);
    if (!corm__is_utf8(e.message, strlen(e.message), &characters))
        fail_msg("the message about a name is not UTF-8: %s", e.message);
}

/* `count` times a character. */
static const char *repeated(const char *character, size_t count)
{
    static char text[512];
    size_t      size = strlen(character);

    for (size_t i = 0; i < count; i++)
        memcpy(text + i * size, character, size);
    text[count * size] = '\0';
    return text;
}

static void names_have_1_to_64_characters(void **state)
{
    static const struct corm_column good[] = {{.name = "a", .type = CORM_INT}};
    static const char *const        names[] = {"a", "a b", " a", "\xC3\xA4", "`\"'", "1"};
    static const char *const        bad[] = {"", " ", "a "};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct corm_column column[] = {{.name = "a", .sql_name = names[i], .type = CORM_INT}};
        check_model(names[i], good, 1, NULL);
        check_model("t", column, 1, NULL);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        const struct corm_column column[] = {{.name = "a", .sql_name = bad[i], .type = CORM_INT}};
        check_model(bad[i], good, 1, "the table name");
        check_model("t", column, 1, "the column name");
    }
    check_model(repeated("x", 64), good, 1, NULL);
    check_model(repeated("\xF0\x9F\x8E\x9F", 64), good, 1, NULL);
    check_model(repeated("x", 65), good, 1, "1 to 64 characters");
}

static void a_message_about_a_name_is_utf8_too(void **state)
{
    static const struct corm_column good[] = {{.name = "a", .type = CORM_INT}};

    (void)state;
    for (size_t x = 0; x < 4; x++) { /* wherever the name is cut */
        char name[600];
        (void)snprintf(name, sizeof(name), "%.*s%s", (int)x, "xxxx",
                       repeated("\xF0\x9F\x8E\x9F", 65));
        check_model(name, good, 1, "1 to 64 characters");
    }
    check_model("a\xFF", good, 1, "UTF-8");
}

static void keys_must_be_possible(void **state)
{
    static const struct {
        struct corm_column columns[2];
        uint32_t           count;
        const char        *reason; /* NULL: a good model */
    } models[] = {
        {{{.name = "a", .type = CORM_INT, .pk = true, .autoinc = true}}, 1, NULL},
        {{{.name = "a", .type = CORM_BIGINT, .pk = true, .autoinc = true}}, 1, NULL},
        {{{.name = "a", .type = CORM_VARCHAR, .length = 16383, .pk = true}}, 1, NULL},
        {{{.name = "a", .type = CORM_DATETIME, .pk = true}}, 1, NULL},
        {{{.name = "a", .type = CORM_INT, .pk = true}, {.name = "b", .type = CORM_INT, .pk = true}},
         2,
         NULL},
        {{{.name = "a", .type = CORM_INT, .autoinc = true}}, 1, "t.a has .autoinc"},
        {{{.name = "a", .type = CORM_DOUBLE, .pk = true, .autoinc = true}}, 1, ".autoinc"},
        {{{.name = "a", .type = CORM_BOOL, .pk = true, .autoinc = true}}, 1, ".autoinc"},
        {{{.name = "a", .type = CORM_VARCHAR, .length = 9, .pk = true, .autoinc = true}},
         1,
         ".autoinc"},
        {{{.name = "a", .type = CORM_INT, .pk = true, .autoinc = true, .nullable = true}},
         1,
         ".autoinc"},
        {{{.name = "a", .type = CORM_INT, .pk = true, .autoinc = true},
          {.name = "b", .type = CORM_INT, .pk = true}},
         2,
         "primary key of 2 columns"},
        {{{.name = "a", .type = CORM_INT, .pk = true, .autoinc = true},
          {.name = "b", .type = CORM_INT, .pk = true, .autoinc = true}},
         2,
         "primary key of 2 columns"},
        {{{.name = "a", .type = CORM_INT, .pk = true, .nullable = true}}, 1, "t.a has .pk"},
        {{{.name = "a", .type = CORM_TEXT, .pk = true}}, 1, ".pk"},
        {{{.name = "a", .type = CORM_VARCHAR}}, 1, "varchar(0)"},
        {{{.name = "a", .type = CORM_VARCHAR, .length = 16384}}, 1, "1 to 16383"},
        {{{.name = "a", .type = CORM_INT}, {.name = "b", .type = CORM_VARCHAR}},
         2,
         "t.b is varchar"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(models); i++)
        check_model("t", models[i].columns, models[i].count, models[i].reason);
}

static void versions_must_be_able_to_count(void **state)
{
    static const struct {
        struct corm_column columns[2];
        uint32_t           count;
        const char        *reason; /* NULL: a good model */
    } models[] = {
        {{{.name = "v", .type = CORM_INT, .version = true}}, 1, NULL},
        {{{.name = "v", .type = CORM_BIGINT, .version = true, .deflt = "1"}}, 1, NULL},
        {{{.name = "v", .type = CORM_BOOL, .version = true}}, 1, "t.v has .version"},
        {{{.name = "v", .type = CORM_DOUBLE, .version = true}}, 1, "t.v has .version"},
        {{{.name = "v", .type = CORM_TEXT, .version = true}}, 1, "t.v has .version"},
        {{{.name = "v", .type = CORM_VARCHAR, .length = 9, .version = true}}, 1, ".version"},
        {{{.name = "v", .type = CORM_DATETIME, .version = true}}, 1, "t.v has .version"},
        {{{.name = "v", .type = CORM_INT, .nullable = true, .version = true}}, 1, ".version"},
        {{{.name = "v", .type = CORM_INT, .pk = true, .version = true}}, 1, "nor .pk"},
        {{{.name = "v", .type = CORM_INT, .pk = true, .autoinc = true, .version = true}},
         1,
         "nor .pk"},
        {{{.name = "v", .type = CORM_INT, .unique = true, .version = true}}, 1, "nor .unique"},
        {{{.name = "v", .type = CORM_INT, .version = true},
          {.name = "w", .type = CORM_BIGINT, .version = true}},
         2,
         "t.v and t.w both have .version"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(models); i++)
        check_model("t", models[i].columns, models[i].count, models[i].reason);
}

/* Programs hold these: what they get later goes into their reserved fields. */
static void columns_tables_and_values_are_as_large_as_they_were(void **state)
{
    (void)state;
    if (sizeof(void *) != 8)
        return;
    assert_int_equal(sizeof(struct corm_column), 144);
    assert_int_equal(offsetof(struct corm_column, sql_name), 40);
    assert_int_equal(offsetof(struct corm_column, reserved), 104);
    assert_int_equal(sizeof(struct corm_table), 80);
    assert_int_equal(sizeof(struct corm_index), 96);
    assert_int_equal(sizeof(struct corm_value), 32);
}

static void a_table_has_columns(void **state)
{
    static const struct corm_column none[1];

    (void)state;
    check_model("t", none, 0, "column");
}

/* ---- Reads of several tables, of groups, and by pages ------------------------------------- */

#define ITEM_OF                                                                                    \
    "`item`.`id`, `item`.`name`, `item`.`stock`, `item`.`price`, `item`.`big`, `item`.`ok`, "      \
    "`item`.`at`, `item`.`note`"
#define SALE_OF   "`sale of item`.`id`, `sale of item`.`item_id`, `sale of item`.`the qty`"
#define FROM_SALE " FROM `sale of item`"
#define JOIN_ITEM " INNER JOIN `item` ON `sale of item`.`item_id` = `item`.`id`"

static struct sale     *sales, one_sale;
static struct item    **partners;
static struct total    *totals;
static struct corm_rows plan;
static int64_t          whole;
static double           real;
static const char      *longest;

static void between_has_two_bounds(void **state)
{
    (void)state;
    WHERE(corm_between(item.stock, 1, 9), "`stock` BETWEEN ? AND ?", "int 1, int 9");
    WHERE(corm_between(item.price, 1, 2.5), "`price` BETWEEN ? AND ?", "real 1, real 2.5");
    WHERE(corm_between(item.name, "a' --", "b"), "`name` BETWEEN ? AND ?",
          "text 'a' --', text 'b'");
    WHERE(corm_between(item.at, 0, 1000000), "`at` BETWEEN ? AND ?",
          "text '1970-01-01 00:00:00.000000', text '1970-01-01 00:00:01.000000'");
    WHERE(corm_between(item.stock, item.id, 9), "`stock` BETWEEN `id` AND ?", "int 9");
    WHERE(corm_not(corm_between(item.stock, 1, 9)), "NOT (`stock` BETWEEN ? AND ?)",
          "int 1, int 9");
    REFUSED_WHERE(corm_between(item.name, "a", (const char *)NULL), CORM_MISUSE, "NULL");
    REFUSED_WHERE(corm_between(sale.id, 1, 2), CORM_MISUSE, "id is none of table item");
}

static void one_comparison_goes_to_several_columns(void **state)
{
    (void)state;
    WHERE(corm_any_of(corm_like, "x%", item.name, item.note),
          "(`name` LIKE ? ESCAPE '!' OR `note` LIKE ? ESCAPE '!')", "text 'x%', text 'x%'");
    WHERE(corm_all_of(corm_gt, 0, item.stock, item.big, item.price),
          "(`stock` > ? AND `big` > ? AND `price` > ?)", "int 0, int 0, real 0");
    WHERE(corm_any_of(corm_eq, item.name, item.note), "(`note` = `name`)", "");
    WHERE(corm_and(corm_any_of(corm_eq, 1, item.id, item.stock),
                   corm_not(corm_all_of(corm_lt, 2, item.id, item.stock))),
          "((`id` = ? OR `stock` = ?) AND NOT ((`id` < ? AND `stock` < ?)))",
          "int 1, int 1, int 2, int 2");
}

static void a_pattern_does_not_end_in_its_escape(void **state)
{
    static char many[50002];

    (void)state;
    WHERE(corm_like(item.name, "a!!"), "`name` LIKE ? ESCAPE '!'", "text 'a!!'");
    REFUSED_WHERE(corm_like(item.name, "!"), CORM_BAD_VALUE, "!!");
    REFUSED_WHERE(corm_like(item.name, "a!!!"), CORM_BAD_VALUE, "!!");
    memset(many, 'a', sizeof(many) - 1);
    REFUSED_WHERE(corm_like(item.note, many), CORM_TOO_LARGE, "50000");
    REFUSED_WHERE(corm_contains(item.note, many + 2), CORM_TOO_LARGE, "50000");
    begin_call(CORM_DIALECT_SQLITE);
    assert_true(corm_count(&of, item, .where = corm_starts_with(item.note, many + 2),
                           .error = &error) == 0);
    assert_true(of.bind_count == 1 && of.binds[0].size == 50000);
}

static void an_and_or_or_has_900_members(void **state)
{
    (void)state;
    for (int n = 900; n <= 901; n++) {
        begin_call(CORM_DIALECT_SQLITE);
        struct corm_where *w = corm_where_new(arena);
        for (int i = 0; i < n; i++)
            corm_where_or(w, corm_eq(item.id, i));
        int64_t rc = corm_count(&of, item, .where = corm_where(w), .error = &error);
        if (n == 900) {
            assert_true(rc == 0);
            prepare_by_sqlite("900 members");
        } else {
            check_refused(rc, "901 members", CORM_TOO_LARGE, "900");
        }
    }
}

static void a_statement_has_32000_values(void **state)
{
    static int32_t numbers[32001];

    (void)state;
    for (int n = 31999; n <= 32001; n++) {
        begin_call(CORM_DIALECT_MARIADB);
        int64_t rc = corm_count(&of, item,
                                .where = corm_and(corm_in_list(item.id, numbers, (size_t)n - 1),
                                                  corm_eq(item.stock, 1)),
                                .error = &error);
        if (n <= 32000)
            assert_true(rc == 0 && of.bind_count >= (size_t)n);
        else
            check_refused(rc, "32001 values", CORM_TOO_LARGE, "32000");
    }
}

#define JSON_MARIADB(type, how)                                                                    \
    "CASE WHEN JSON_VALID(`note`) AND JSON_TYPE(JSON_EXTRACT(`note`, ?)) " type " THEN " how " END"

static void json_is_read_strictly(void **state)
{
    (void)state;
    SAYS_EACH(
        corm_count(&of, item, .where = corm_ge(corm_json_int(item.note, "$.a[0]"), 5),
                   .error = &error),
        COUNT_ITEM " WHERE " JSON_MARIADB("= 'INTEGER'",
                                          "CAST(JSON_VALUE(`note`, ?) AS DECIMAL(65,0))") " >= ?",
        COUNT_ITEM
        " WHERE CASE WHEN JSON_VALID(`note`) THEN CASE WHEN JSON_TYPE(JSON_EXTRACT(`note`, ?)) IN ('INTEGER', 'UNSIGNED INTEGER') THEN CAST(JSON_EXTRACT(`note`, ?) AS DECIMAL(65,0)) END END >= ?",
        as_sqlite(
            COUNT_ITEM
            " WHERE CASE WHEN json_valid(`note`) THEN CASE WHEN json_type(`note`, ?) = 'integer' THEN json_extract(`note`, ?) END END >= ?"),
        "text '$.a[0]', text '$.a[0]', int 5");
    SAYS_EACH(
        corm_count(&of, item, .where = corm_eq(corm_json_text(item.note, "$"), "' OR 1=1 --"),
                   .error = &error),
        COUNT_ITEM " WHERE CONVERT(" JSON_MARIADB(
            "= 'STRING'", "JSON_VALUE(`note`, ?)") " USING utf8mb4) COLLATE utf8mb4_nopad_bin = ?",
        COUNT_ITEM
        " WHERE CONVERT(CASE WHEN JSON_VALID(`note`) THEN CASE WHEN JSON_TYPE(JSON_EXTRACT(`note`, ?)) = 'STRING' THEN JSON_UNQUOTE(JSON_EXTRACT(`note`, ?)) END END USING utf8mb4) COLLATE utf8mb4_0900_bin = ?",
        as_sqlite(
            COUNT_ITEM
            " WHERE CASE WHEN json_valid(`note`) THEN CASE WHEN json_type(`note`, ?) = 'text' THEN json_extract(`note`, ?) END END = ?"),
        "text '$', text '$', text '' OR 1=1 --'");
    SAYS_EACH(
        corm_count(&of, item, .where = corm_lt(corm_json_real(item.note, "$.x"), 1.5),
                   .error = &error),
        COUNT_ITEM " WHERE " JSON_MARIADB("IN ('INTEGER', 'DOUBLE')",
                                          "CAST(JSON_VALUE(`note`, ?) AS DOUBLE)") " < ?",
        COUNT_ITEM
        " WHERE CASE WHEN JSON_VALID(`note`) THEN CASE WHEN JSON_TYPE(JSON_EXTRACT(`note`, ?)) IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') THEN CAST(JSON_EXTRACT(`note`, ?) AS DOUBLE) END END < ?",
        as_sqlite(
            COUNT_ITEM
            " WHERE CASE WHEN json_valid(`note`) THEN CASE WHEN json_type(`note`, ?) IN ('integer', 'real') THEN CAST(json_extract(`note`, ?) AS REAL) END END < ?"),
        "text '$.x', text '$.x', real 1.5");
    REFUSED_WHERE(corm_eq(corm_json_int(item.note, "$.a' OR 1"), 5), CORM_MISUSE, "path");
    REFUSED_WHERE(corm_eq(corm_json_int(item.note, NULL), 5), CORM_MISUSE, "path");
    REFUSED_WHERE(corm_eq(corm_json_int(keyless.b, "$.a"), 5), CORM_MISUSE, "of table item");
}

static void sub_queries_see_the_tables_around_them(void **state)
{
    (void)state;
    WHERE(corm_in_query(item.id, sale, sale.item_id),
          "`id` IN (SELECT `sale of item`.`item_id` FROM `sale of item`)", "");
    WHERE(corm_in_query(item.id, sale, sale.item_id, .where = corm_everything()),
          "`id` IN (SELECT `sale of item`.`item_id` FROM `sale of item`)", "");
    WHERE(corm_in_query(item.id, sale, sale.item_id, .where = corm_gt(sale.qty, 5)),
          "`id` IN (SELECT `sale of item`.`item_id` FROM `sale of item` WHERE `sale of item`.`the "
          "qty` > ?)",
          "int 5");
    WHERE(corm_not(corm_in_query(item.stock, sale, sale.qty, .where = corm_eq(sale.id, 1))),
          "NOT (`stock` IN (SELECT `sale of item`.`the qty` FROM `sale of item` WHERE (`sale of "
          "item`.`the qty` IS NOT NULL AND `sale of item`.`id` = ?)))",
          "int 1");
    WHERE(corm_and(corm_eq(item.ok, true),
                   corm_exists_query(sale, .where = corm_and(corm_eq(sale.item_id, item.id),
                                                             corm_gt(sale.qty, item.stock))),
                   corm_eq(item.stock, 3)),
          "(`ok` = ? AND EXISTS (SELECT 1 FROM `sale of item` WHERE (`sale of item`.`item_id` = "
          "`item`.`id` AND `sale of item`.`the qty` > `item`.`stock`)) AND `stock` = ?)",
          "int 1, int 3");
    CORM_ALIAS(other, item);
    WHERE(corm_exists_query(other, .where = corm_eq(other.name, item.name)),
          "EXISTS (SELECT 1 FROM `item` AS `other` WHERE `other`.`name` = `item`.`name`)", "");
    WHERE(corm_exists_query(
              sale, .join = corm_joins(corm_join(other, NULL, corm_eq(other.id, sale.item_id))),
              .where = corm_ne(other.id, item.id)),
          "EXISTS (SELECT 1 FROM `sale of item` INNER JOIN `item` AS `other` ON `other`.`id` = "
          "`sale of item`.`item_id` WHERE `other`.`id` <> `item`.`id`)",
          "");
    SAYS(corm_delete(&of, item, corm_in_query(item.id, sale, sale.item_id), .error = &error),
         "DELETE FROM `item` WHERE `id` IN (SELECT `sale of item`.`item_id` FROM `sale of item`)",
         "");
    SAYS(corm_update(&of, sale, corm_exists_query(item, .where = corm_eq(item.id, sale.item_id)),
                     corm_set(sale.qty, 1), .error = &error),
         "UPDATE `sale of item` SET `the qty` = ? WHERE EXISTS (SELECT 1 FROM `item` WHERE "
         "`item`.`id` = `sale of item`.`item_id`)",
         "int 1");
}

static void sub_queries_take_where_and_join_alone(void **state)
{
    (void)state;
    REFUSED_WHERE(corm_exists_query(sale, .limit = 1), CORM_MISUSE, ".where and .join alone");
    REFUSED_WHERE(corm_exists_query(sale, .order = {corm_asc(sale.id)}), CORM_MISUSE,
                  ".where and .join alone");
    REFUSED_WHERE(corm_exists_query(sale, .lock = CORM_FOR_UPDATE), CORM_MISUSE,
                  ".where and .join alone");
    REFUSED_WHERE(corm_exists_query(item), CORM_MISUSE, "item is named twice");
    REFUSED_WHERE(corm_in_query(item.id, sale, item.stock, .where = corm_eq(total.mean, 1)),
                  CORM_MISUSE, "mean is of no table that is named here");
    REFUSED_WHERE(corm_in_query(sale.id, sale, sale.id), CORM_MISUSE, "id is none of table item");
}

static void mysql_cannot_ask_the_table_that_it_writes(void **state)
{
    CORM_ALIAS(other, item);

    (void)state;
    for (int d = 0; d < 3; d++) {
        begin_call(d);
        int64_t rc = corm_delete(
            &of, item,
            corm_in_query(item.id, sale, sale.item_id, .where = corm_exists_query(other)),
            .error = &error);
        if (d == CORM_DIALECT_MYSQL)
            check_refused(rc, "a table that is written", CORM_UNSUPPORTED, "MySQL cannot read");
        else
            assert_true(rc == 0);
    }
}

static void joins_name_their_tables(void **state)
{
    (void)state;
    SAYS(corm_all(&of, sale, &sales,
                  .join = corm_joins(corm_join(item, &rows, corm_eq(sale.item_id, item.id))),
                  .where = corm_and(corm_eq(item.name, "a"), corm_gt(sale.qty, item.stock)),
                  .order = {corm_desc(item.name), corm_asc(sale.id)}, .limit = 3, .error = &error),
         "SELECT " SALE_OF ", " ITEM_OF FROM_SALE JOIN_ITEM
         " WHERE (`item`.`name` = ? AND `sale of item`.`the qty` > `item`.`stock`)"
         " ORDER BY `item`.`name` DESC, `sale of item`.`id` LIMIT ?",
         "text 'a', int 3");
    SAYS(corm_all(&of, sale, &sales,
                  .join = corm_joins(
                      corm_left_join(item, &partners, corm_eq(sale.item_id, item.id)),
                      corm_join(counter, NULL,
                                corm_and(corm_eq(counter.id, item.big), corm_eq(counter.id, 4)))),
                  .where = corm_is_null(item.id), .error = &error),
         "SELECT " SALE_OF ", " ITEM_OF FROM_SALE
         " LEFT JOIN `item` ON `sale of item`.`item_id` = `item`.`id`"
         " INNER JOIN `counter` ON (`counter`.`id` = `item`.`big` AND `counter`.`id` = ?)"
         " WHERE `item`.`id` IS NULL",
         "int 4");
    SAYS(corm_first(&of, sale, &one_sale,
                    .join = corm_joins(corm_join(item, &row, corm_eq(sale.item_id, item.id))),
                    .error = &error),
         "SELECT " SALE_OF ", " ITEM_OF FROM_SALE JOIN_ITEM " LIMIT 1", "");
    SAYS(corm_count(&of, sale,
                    .join = corm_joins(corm_join(item, NULL, corm_eq(sale.item_id, item.id))),
                    .where = corm_eq(item.ok, true), .error = &error),
         "SELECT COUNT(*)" FROM_SALE JOIN_ITEM " WHERE `item`.`ok` = ?", "int 1");
    SAYS(corm_exists(&of, sale,
                     .join = corm_joins(corm_join(item, NULL, corm_eq(sale.item_id, item.id))),
                     .error = &error),
         "SELECT EXISTS (SELECT 1" FROM_SALE JOIN_ITEM ")", "");
    CORM_ALIAS(boss, item);
    SAYS(corm_all(&of, item, &rows,
                  .join = corm_joins(corm_join(boss, NULL, corm_lt(boss.id, item.stock))),
                  .order = {corm_asc(boss.id)}, .error = &error),
         "SELECT " ITEM_OF
         " FROM `item` INNER JOIN `item` AS `boss` ON `boss`.`id` < `item`.`stock`"
         " ORDER BY `boss`.`id`",
         "");
    SAYS(corm_count(&of, boss, .where = corm_eq(boss.id, 1), .error = &error),
         "SELECT COUNT(*) FROM `item` AS `boss` WHERE `id` = ?", "int 1");
}

static void a_joined_read_locks_all_its_tables(void **state)
{
    (void)state;
    SAYS_EACH(corm_first(&of, sale, &one_sale,
                         .join = corm_joins(corm_join(item, &row, corm_eq(sale.item_id, item.id))),
                         .lock = CORM_FOR_SHARE, .skip_locked = true, .error = &error),
              "SELECT " SALE_OF ", " ITEM_OF FROM_SALE JOIN_ITEM
              " LIMIT 1 LOCK IN SHARE MODE SKIP LOCKED",
              "SELECT " SALE_OF ", " ITEM_OF FROM_SALE JOIN_ITEM " LIMIT 1 FOR SHARE SKIP LOCKED",
              as_sqlite("SELECT " SALE_OF ", " ITEM_OF FROM_SALE JOIN_ITEM " LIMIT 1"), "");
}

static void joins_that_cannot_be_are_refused(void **state)
{
    CORM_ALIAS(boss, item);

    (void)state;
    REFUSED(corm_all(&of, sale, &sales, .where = corm_eq(item.id, 7), .error = &error), CORM_MISUSE,
            "id is none of table sale of item");
    REFUSED(corm_all(&of, sale, &sales,
                     .join = corm_joins(corm_join(item, &rows, corm_eq(sale.item_id, item.id))),
                     .where = corm_eq(boss.stock, 7), .error = &error),
            CORM_MISUSE, "stock is of no table that is named here");
    REFUSED(corm_all(&of, sale, &sales,
                     .join = corm_joins(corm_join(item, &rows, corm_eq(boss.id, item.id)),
                                        corm_join(boss, NULL, corm_everything())),
                     .error = &error),
            CORM_MISUSE, "id is of no table that is named here");
    REFUSED(corm_all(&of, item, &rows,
                     .join = corm_joins(corm_join(item, &rows, corm_everything())),
                     .error = &error),
            CORM_MISUSE, "item is named twice");
    REFUSED(corm_all(&of, sale, &sales,
                     .join = corm_joins(corm_join(boss, NULL, corm_everything()),
                                        corm_join(boss, NULL, corm_everything())),
                     .error = &error),
            CORM_MISUSE, "boss is named twice");
    REFUSED(corm_all(&of, sale, &sales,
                     .join = corm_joins(corm_join(item, &row, corm_everything())), .error = &error),
            CORM_MISUSE, "corm_all() makes an array");
    REFUSED(corm_first(&of, sale, &one_sale,
                       .join = corm_joins(corm_join(item, &rows, corm_everything())),
                       .error = &error),
            CORM_MISUSE, "corm_first() fills one row");
    REFUSED(corm_count(&of, sale, .join = corm_joins(corm_join(item, &row, corm_everything())),
                       .error = &error),
            CORM_MISUSE, "no rows of table item");
    REFUSED(corm_all(&of, sale, &sales,
                     .join = corm_joins(corm_join(item, &rows, ((struct corm_expr){0}))),
                     .error = &error),
            CORM_MISUSE, "empty");
    struct corm_join many[10] = {0};
    for (int i = 0; i < 9; i++)
        many[i] = corm_join(boss, NULL, corm_everything());
    struct corm_table names[9];
    for (int i = 0; i < 9; i++) {
        static const char *const letters[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
        names[i] = *boss.corm_table;
        names[i].alias = letters[i];
        many[i].table = &names[i];
    }
    REFUSED(corm_count(&of, sale, .join = many, .error = &error), CORM_MISUSE, "more than 8 joins");
    struct corm_column all_null[] = {{.name = "a", .type = CORM_INT, .nullable = true}};
    struct corm_table  null_table = {
         .name = "n", .columns = all_null, .column_count = 1, .row_size = 8};
    struct corm_join lonely[] = {corm_join_(&null_table, &partners, 2, true, corm_everything()),
                                 {.table = NULL}};
    REFUSED(corm_all(&of, sale, &sales, .join = lonely, .error = &error), CORM_MISUSE, "NOT NULL");
}

static void numbers_are_made_of_columns(void **state)
{
    (void)state;
    SAYS(corm_sum(&of, item, item.stock, &whole, .error = &error),
         "SELECT SUM(`stock`) FROM `item`", "");
    SAYS(corm_avg(&of, item, item.stock, &real, .where = corm_gt(item.id, 1), .error = &error),
         "SELECT AVG(`stock` + 0e0) FROM `item` WHERE `id` > ?", "int 1");
    SAYS(corm_min(&of, item, item.price, &real, .error = &error), "SELECT MIN(`price`) FROM `item`",
         "");
    SAYS(corm_max(&of, item, item.at, &whole, .error = &error), "SELECT MAX(`at`) FROM `item`", "");
    SAYS(corm_max(&of, item, item.note, &longest, .error = &error),
         "SELECT MAX(`note`) FROM `item`", "");
    SAYS(corm_count_distinct(&of, item, item.name, .error = &error),
         "SELECT COUNT(DISTINCT `name`) FROM `item`", "");
    SAYS(corm_sum(&of, sale, sale.qty, &whole,
                  .join = corm_joins(corm_join(item, NULL, corm_eq(sale.item_id, item.id))),
                  .error = &error),
         "SELECT SUM(`sale of item`.`the qty`)" FROM_SALE JOIN_ITEM, "");
    REFUSED(corm_sum(&of, item, sale.qty, &whole, .error = &error), CORM_MISUSE,
            "the qty is none of table item");
    REFUSED(corm_sum(&of, item, item.stock, &whole, .limit = 1, .error = &error), CORM_MISUSE,
            "take no lock, limit or order");
    REFUSED(corm_count(&of, item, .total = &whole, .error = &error), CORM_MISUSE, ".total");
    REFUSED(corm_count(&of, item, .unite = corm_union(.where = corm_everything()), .error = &error),
            CORM_MISUSE, ".unite");
    REFUSED(corm_count(&of, item, .distinct = true, .error = &error), CORM_MISUSE, "corm_select()");
}

#define TOTALS                                                                                     \
    corm_columns(corm_as_avg(total.mean, item.price), corm_as(total.name, item.name),              \
                 corm_as_sum(total.pieces, item.stock))
#define SELECT_TOTALS "SELECT `name`, SUM(`stock`), AVG(`price` + 0e0) FROM `item`"

static void groups_have_numbers_and_conditions(void **state)
{
    (void)state;
    SAYS(corm_select(&of, total, &totals, item, TOTALS, .group = corm_by(item.name),
                     .error = &error),
         SELECT_TOTALS " GROUP BY `name`", "");
    SAYS(corm_select(&of, total, &totals, item, TOTALS, .where = corm_eq(item.ok, true),
                     .group = corm_by(item.name, item.stock),
                     .having = corm_and(corm_gt(total.pieces, 10), corm_lt(total.mean, 1),
                                        corm_ne(item.stock, 5), corm_starts_with(total.name, "x")),
                     .order = {corm_desc(total.pieces), corm_asc(item.stock), corm_asc(total.name)},
                     .limit = 5, .offset = 2, .error = &error),
         SELECT_TOTALS " WHERE `ok` = ? GROUP BY `name`, `stock` HAVING (SUM(`stock`) > ? AND "
                       "AVG(`price` + 0e0) < ? AND `stock` <> ? AND `name` LIKE ? ESCAPE '!') "
                       "ORDER BY SUM(`stock`) DESC, `stock`, `name` LIMIT ? OFFSET ?",
         "int 1, int 10, real 1, int 5, text 'x%', int 5, int 2");
    SAYS(corm_select(&of, total, &totals, sale,
                     corm_columns(corm_as(total.name, item.name), corm_as_count(total.pieces),
                                  corm_as_max(total.mean, item.price)),
                     .join = corm_joins(corm_left_join(item, NULL, corm_eq(sale.item_id, item.id))),
                     .group = corm_by(item.name), .error = &error),
         "SELECT `item`.`name`, COUNT(*), MAX(`item`.`price`)" FROM_SALE
         " LEFT JOIN `item` ON `sale of item`.`item_id` = `item`.`id` GROUP BY `item`.`name`",
         "");
    SAYS(corm_select(&of, total, &totals, item,
                     corm_columns(corm_as_min(total.name, item.name),
                                  corm_as_count_of(total.pieces, item.price),
                                  corm_as_avg(total.mean, item.price)),
                     .error = &error),
         "SELECT MIN(`name`), COUNT(`price`), AVG(`price` + 0e0) FROM `item`", "");
    SAYS(corm_select(&of, total, &totals, item,
                     corm_columns(corm_as(total.name, item.name), corm_as(total.pieces, item.big),
                                  corm_as(total.mean, item.price)),
                     .distinct = true, .order = {corm_asc(total.mean)}, .error = &error),
         "SELECT DISTINCT `name`, `big`, `price` FROM `item` ORDER BY `price`", "");
    SAYS(corm_select(&of, total, &totals, item,
                     corm_columns(corm_as(total.name, item.name),
                                  corm_as_count_distinct(total.pieces, item.big),
                                  corm_as_avg(total.mean, item.price)),
                     .group = corm_by(item.name), .error = &error),
         "SELECT `name`, COUNT(DISTINCT `big`), AVG(`price` + 0e0) FROM `item` GROUP BY `name`",
         "");
}

static void results_that_cannot_be_are_refused(void **state)
{
#define SELECT(choices, ...)                                                                       \
    corm_select(&of, total, &totals, item, choices, __VA_ARGS__, .error = &error)
#define PLAIN                                                                                      \
    corm_columns(corm_as(total.name, item.name), corm_as(total.pieces, item.big),                  \
                 corm_as(total.mean, item.price))
    (void)state;
    REFUSED(SELECT(TOTALS, .group = corm_by(item.id)), CORM_MISUSE,
            "name is chosen beside numbers");
    REFUSED(SELECT(TOTALS, .where = corm_everything()), CORM_MISUSE,
            "name is chosen beside numbers");
    REFUSED(SELECT(PLAIN, .having = corm_gt(total.pieces, 1)), CORM_MISUSE,
            ".having without groups");
    REFUSED(SELECT(corm_columns(corm_as(total.name, item.name)), .limit = 1), CORM_MISUSE,
            "pieces of the result total is chosen 0 times");
    REFUSED(SELECT(corm_columns(corm_as(total.name, item.name), corm_as(total.name, item.note),
                                corm_as(total.pieces, item.big), corm_as(total.mean, item.price)),
                   .limit = 1),
            CORM_MISUSE, "name of the result total is chosen 2 times");
    REFUSED(SELECT(corm_columns(corm_as(sale.qty, item.id)), .limit = 1), CORM_MISUSE,
            "the qty is none of the result total");
    REFUSED(SELECT(TOTALS, .group = corm_by(item.name), .order = {corm_asc(item.id)}), CORM_MISUSE,
            "no one value");
    REFUSED(SELECT(PLAIN, .distinct = true, .order = {corm_asc(item.id)}), CORM_MISUSE,
            "no one value");
    REFUSED(SELECT(TOTALS, .group = corm_by(item.name), .having = corm_eq(item.id, 1)), CORM_MISUSE,
            "no one value");
    REFUSED(SELECT(TOTALS, .group = corm_by(item.name), .where = corm_eq(total.pieces, 1)),
            CORM_MISUSE, "pieces is none of table item");
    REFUSED(SELECT(TOTALS, .group = corm_by(sale.qty)), CORM_MISUSE, "");
    REFUSED(SELECT(TOTALS, .group = corm_by(item.name), .lock = CORM_FOR_UPDATE), CORM_UNSUPPORTED,
            "cannot be locked");
    REFUSED(SELECT(PLAIN, .unite = corm_union(.where = corm_everything())), CORM_UNSUPPORTED,
            "corm_select()");
    REFUSED(SELECT(PLAIN, .total = &whole), CORM_MISUSE, ".total");
    REFUSED(SELECT(PLAIN, .after = corm_after(item, &row)), CORM_MISUSE, ".after");
}

static void unions_are_of_one_table(void **state)
{
    (void)state;
    SAYS(corm_all(&of, item, &rows, .where = corm_eq(item.id, 7),
                  .unite = corm_union(.where = corm_like(item.name, "b%")),
                  .order = {corm_desc(item.stock)}, .limit = 9, .error = &error),
         SELECT_ITEM " WHERE `id` = ? UNION " SELECT_ITEM
                     " WHERE `name` LIKE ? ESCAPE '!' ORDER BY `stock` DESC LIMIT ?",
         "int 7, text 'b%', int 9");
    SAYS(corm_first(&of, item, &row, .unite = corm_union_all(.where = corm_everything()),
                    .error = &error),
         SELECT_ITEM " UNION ALL " SELECT_ITEM " LIMIT 1", "");
    REFUSED(corm_all(&of, item, &rows, .unite = corm_union(.limit = 1), .error = &error),
            CORM_MISUSE, "takes a .where alone");
    REFUSED(corm_all(&of, item, &rows, .unite = corm_union(.where = corm_everything()),
                     .lock = CORM_FOR_SHARE, .error = &error),
            CORM_UNSUPPORTED, "cannot be locked");
    REFUSED(corm_all(&of, item, &rows, .unite = corm_union(.where = corm_everything()),
                     .total = &whole, .error = &error),
            CORM_UNSUPPORTED, "a union takes no");
    REFUSED(corm_all(&of, item, &rows, .unite = corm_union(.where = corm_eq(sale.qty, 1)),
                     .error = &error),
            CORM_MISUSE, "the qty is none of table item");
    REFUSED(corm_all(&of, item, &rows, .unite = corm_union(.where = corm_everything()),
                     .order = {corm_asc(corm_json_int(item.note, "$"))}, .error = &error),
            CORM_MISUSE, "JSON");
}

static void pages_by_key_go_on_behind_a_row(void **state)
{
    const struct item last = {.id = 7, .name = "a'b", .stock = 3, .price = {true, 1.5}};
    const struct item null = {.id = 7, .name = "a'b", .stock = 3};
    struct odd        pair = {.left_key = 1, .right_key = "x", .select = 9}, *pairs;

    (void)state;
    SAYS(corm_all(&of, item, &rows, .order = {corm_asc(item.name)}, .after = corm_after(item, NULL),
                  .limit = 2, .error = &error),
         SELECT_ITEM " ORDER BY `name`, `id` LIMIT ?", "int 2");
    SAYS(corm_all(&of, item, &rows, .after = corm_after(item, &last), .limit = 2, .error = &error),
         SELECT_ITEM " WHERE `id` > ? ORDER BY `id` LIMIT ?", "int 7, int 2");
    SAYS(corm_all(&of, item, &rows, .order = {corm_desc(item.id)}, .after = corm_after(item, &last),
                  .limit = 2, .error = &error),
         SELECT_ITEM " WHERE `id` < ? ORDER BY `id` DESC LIMIT ?", "int 7, int 2");
    SAYS(corm_all(&of, item, &rows, .where = corm_eq(item.ok, true),
                  .order = {corm_desc(item.stock), corm_asc(item.name)},
                  .after = corm_after(item, &last), .limit = 2, .error = &error),
         SELECT_ITEM
         " WHERE (`ok` = ? AND (`stock` < ? OR (`stock` = ? AND (`name` > ? OR (`name` = "
         "? AND `id` > ?))))) ORDER BY `stock` DESC, `name`, `id` LIMIT ?",
         "int 1, int 3, int 3, text 'a'b', text 'a'b', int 7, int 2");
    SAYS(corm_all(&of, item, &rows, .order = {corm_desc(item.price)},
                  .after = corm_after(item, &last), .error = &error),
         SELECT_ITEM
         " WHERE ((`price` < ? OR `price` IS NULL) OR (`price` = ? AND `id` > ?)) ORDER BY "
         "`price` DESC, `id`",
         "real 1.5, real 1.5, int 7");
    SAYS(corm_all(&of, item, &rows, .order = {corm_desc(item.price)},
                  .after = corm_after(item, &null), .error = &error),
         SELECT_ITEM " WHERE (`price` IS NULL AND `id` > ?) ORDER BY `price` DESC, `id`", "int 7");
    SAYS(corm_all(&of, item, &rows, .order = {corm_asc(item.price)},
                  .after = corm_after(item, &null), .error = &error),
         SELECT_ITEM
         " WHERE (`price` IS NOT NULL OR (`price` IS NULL AND `id` > ?)) ORDER BY `price`, `id`",
         "int 7");
    begin_call(CORM_DIALECT_SQLITE);
    assert_true(corm_all(&of, odd, &pairs, .after = corm_after(odd, &pair), .error = &error) == 0);
    prepare_by_sqlite("a page of a table with two keys");
    assert_string_equal(describe(of.binds, of.bind_count), "int 1, int 1, text 'x'");
}

static void pages_that_cannot_be_are_refused(void **state)
{
    struct keyless    none = {0}, *lists;
    const struct sale other = {0};

    (void)state;
    REFUSED(corm_all(&of, keyless, &lists, .after = corm_after(keyless, &none), .error = &error),
            CORM_MISUSE, "no primary key");
    REFUSED(corm_all(&of, item, &rows, .after = corm_after(sale, &other), .error = &error),
            CORM_MISUSE, "another table than item");
    REFUSED(corm_all(&of, item, &rows, .after = corm_after(item, &row), .limit = 2, .offset = 2,
                     .error = &error),
            CORM_MISUSE, "two ways");
    REFUSED(corm_all(&of, item, &rows, .order = {corm_asc(corm_json_int(item.note, "$"))},
                     .after = corm_after(item, NULL), .error = &error),
            CORM_MISUSE, "columns of table item alone");
    REFUSED(corm_first(&of, item, &row, .total = &whole, .error = &error), CORM_MISUSE, ".total");
    REFUSED(corm_explain(&of, &plan, item, .total = &whole, .error = &error), CORM_MISUSE,
            ".total");
    REFUSED(corm_all(&of, item, &rows, .choose = TOTALS, .error = &error), CORM_MISUSE, ".choose");
}

static void a_plan_is_asked_for_in_the_servers_words(void **state)
{
    (void)state;
    SAYS_EACH(
        corm_explain(&of, &plan, item, .where = corm_eq(item.id, 7), .limit = 2, .error = &error),
        "EXPLAIN " SELECT_ITEM " WHERE `id` = ? LIMIT ?",
        "EXPLAIN " SELECT_ITEM " WHERE `id` = ? LIMIT ?",
        as_sqlite("EXPLAIN QUERY PLAN " SELECT_ITEM " WHERE `id` = ? LIMIT ?"), "int 7, int 2");
    REFUSED(corm_explain(&of, &plan, item, .lock = CORM_FOR_UPDATE, .error = &error), CORM_MISUSE,
            "takes no lock");
}

static void sub_queries_and_json_are_copied_into_a_condition(void **state)
{
    (void)state;
    begin_call(CORM_DIALECT_MARIADB);
    struct corm_where *w = corm_where_new(arena);
    {
        char    name[] = "bolt", path[] = "$.a";
        int32_t low = 1;
        CORM_ALIAS(other, item);
        struct corm_expr join_on = corm_eq(counter.id, sale.item_id);
        corm_where_and(w, corm_exists_query(sale,
                                            .join = corm_joins(corm_join(counter, NULL, join_on)),
                                            .where = corm_between(sale.qty, low, 9)));
        corm_where_and(w, corm_eq(corm_json_text(item.note, path), name));
        corm_where_and(w, corm_eq(item.name, corm_json_text(item.note, path)));
        memset(name, 'x', 4);
        memset(path, 'x', 3);
        (void)other;
    }
    int64_t rc = corm_count(&of, item, .where = corm_where(w), .error = &error);
    if (rc != 0)
        fail_msg("%s", error.message);
    assert_string_equal(
        describe(of.binds, of.bind_count),
        "int 1, int 9, text '$.a', text '$.a', text 'bolt', text '$.a', text '$.a'");
}

/* Makes a read in which much is put together in the arena, all by small pieces. */
static int64_t make_small_pieces(void)
{
    const struct item  last = {.id = 7, .name = "a", .stock = 3};
    struct corm_where *w = corm_where_new(arena);
    int64_t            pieces;

    corm_where_and(
        w, corm_exists_query(sale,
                             .join = corm_joins(corm_join(counter, NULL, corm_eq(counter.id, 1))),
                             .where = corm_between(sale.qty, 1, 9)));
    corm_where_and(w, corm_eq(corm_json_text(item.note, "$.a"), "bolt"));
    corm_where_and(w, corm_not(corm_in_query(item.id, sale, sale.qty)));
    int64_t rc = corm_sum(&of, item, item.stock, &pieces, .where = corm_where(w), .error = &error);
    if (rc == 0)
        rc = corm_all(&of, item, &rows, .where = corm_where(w),
                      .order = {corm_desc(item.price), corm_asc(item.name)},
                      .after = corm_after(item, &last), .error = &error);
    if (rc == 0)
        rc = corm_all(
            &of, sale, &sales,
            .join = corm_joins(corm_left_join(item, &partners, corm_eq(item.id, sale.item_id))),
            .error = &error);
    return rc;
}

/* The arena is filled to every place at which it may be full. */
static void without_memory_no_piece_is_left_out(void **state)
{
    enum { BLOCK = 16 * 1024 }; /* of an arena */
    size_t failures = 0, made = 0;

    (void)state;
    for (size_t left = 0; left < BLOCK && made < 3; left += 16) {
        corm_arena_free(arena);
        arena = corm_arena_new();
        begin_call(CORM_DIALECT_SQLITE);
        assert_non_null(corm_arena_alloc(arena, BLOCK - left));
        memory_left = 1;
        int64_t rc = make_small_pieces();
        memory_left = -1;
        if (rc != 0)
            assert_int_equal(rc, CORM_NO_MEMORY);
        failures += rc != 0;
        made += rc == 0;
    }
    assert_true(failures > 20);
    corm_arena_free(arena);
    arena = corm_arena_new();
}

/* What travels behind the lock of a group has its own values, each with one `?`. */
static void a_lock_takes_what_stands_behind_it_with_its_values(void **state)
{
    struct corm_value      keys[] = {corm_v_int_(3), corm_v_int_(8)};
    struct corm_value      guards[] = {corm_v_int_(30), corm_v_int_(80)};
    struct corm__statement lock = {0};
    static const char      guard[] = "INSERT INTO g VALUES (?),(?)", save[] = "SAVEPOINT s";
    struct corm__statement behind[] = {
        {.text = guard, .size = sizeof(guard) - 1, .binds = guards, .bind_count = 2},
        {.text = save, .size = sizeof(save) - 1}};
    uint32_t marks = 0;

    (void)state;
    assert_int_equal(corm__make_lock(CORM_DIALECT_MARIADB, arena, item.corm_table, keys, 2, 0,
                                     behind, 2, &lock, &error),
                     0);
    for (const char *c = lock.text; *c != '\0'; c++)
        marks += *c == '?';
    assert_int_equal(marks, 4);
    assert_int_equal(lock.bind_count, 4);
    assert_int_equal(lock.binds[1].as.i, 8);
    assert_int_equal(lock.binds[2].as.i, 30);
    assert_non_null(strstr(lock.text, "INSERT INTO g VALUES (?),(?); SAVEPOINT s; END"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_names_every_column),
        cmocka_unit_test(a_read_takes_a_condition),
        cmocka_unit_test(every_row_needs_no_where),
        cmocka_unit_test(rows_are_sorted),
        cmocka_unit_test(limit_and_offset_are_bound),
        cmocka_unit_test(limits_that_mean_nothing_are_refused),
        cmocka_unit_test(each_server_locks_in_its_own_words),
        cmocka_unit_test(a_lock_wait_has_milliseconds),
        cmocka_unit_test(ways_to_wait_exclude_each_other),
        cmocka_unit_test(clauses_stand_in_the_order_of_sql),
        cmocka_unit_test(six_comparisons),
        cmocka_unit_test(values_are_bound_by_their_column),
        cmocka_unit_test(values_are_never_pasted_into_the_text),
        cmocka_unit_test(a_column_is_compared_with_a_column),
        cmocka_unit_test(in_takes_one_to_sixteen_values),
        cmocka_unit_test(a_list_has_values_of_one_type),
        cmocka_unit_test(a_list_may_be_long),
        cmocka_unit_test(a_list_that_no_server_takes_is_refused),
        cmocka_unit_test(expressions_that_no_macro_makes_are_refused),
        cmocka_unit_test(a_text_of_a_size_is_taken_so_far),
        cmocka_unit_test(a_list_is_as_long_as_the_next_power_of_two),
        cmocka_unit_test(searches_escape_what_they_are_given),
        cmocka_unit_test(null_is_tested_for),
        cmocka_unit_test(conditions_nest),
        cmocka_unit_test(conditions_nest_20_deep_and_no_deeper),
        cmocka_unit_test(conditions_in_sub_queries_nest_15_deep_and_no_deeper),
        cmocka_unit_test(members_of_nested_conditions_count_together),
        cmocka_unit_test(empty_conditions_are_refused),
        cmocka_unit_test(a_write_without_a_condition_is_refused),
        cmocka_unit_test(comparisons_with_null_are_refused),
        cmocka_unit_test(searches_take_no_column),
        cmocka_unit_test(columns_of_other_tables_are_refused),
        cmocka_unit_test(a_set_list_sends_what_it_lists),
        cmocka_unit_test(a_row_sends_every_column_but_the_generated_key),
        cmocka_unit_test(nullable_fields_send_null_or_their_value),
        cmocka_unit_test(many_rows_are_one_statement),
        cmocka_unit_test(a_row_of_nothing_but_a_generated_key),
        cmocka_unit_test(a_key_is_asked_for_where_one_is_generated),
        cmocka_unit_test(an_insert_takes_values_only),
        cmocka_unit_test(a_write_of_nothing_is_refused),
        cmocka_unit_test(an_update_assigns_in_order),
        cmocka_unit_test(a_bool_is_set_to_a_bool_and_no_number),
        cmocka_unit_test(any_number_may_be_added),
        cmocka_unit_test(an_update_reads_columns),
        cmocka_unit_test(what_is_set_cannot_be_read_behind_it_on_mysql),
        cmocka_unit_test(upsert_by_the_primary_key),
        cmocka_unit_test(upsert_by_a_named_key),
        cmocka_unit_test(upsert_counts_the_version_up),
        cmocka_unit_test(upserts_that_are_refused),
        cmocka_unit_test(a_row_is_updated_by_its_key),
        cmocka_unit_test(a_row_with_a_version_is_updated_by_key_and_version),
        cmocka_unit_test(an_update_counts_the_version_up),
        cmocka_unit_test(an_insert_sends_a_version_that_it_is_given),
        cmocka_unit_test(what_makes_no_sense_with_rows_and_versions_is_refused),
        cmocka_unit_test(a_version_ends_with_its_type),
        cmocka_unit_test(a_delete_has_a_condition),
        cmocka_unit_test(a_column_is_set_once),
        cmocka_unit_test(a_set_list_holds_32_assignments),
        cmocka_unit_test(a_full_set_list_is_looked_through),
        cmocka_unit_test(names_are_written_whole_wherever_they_come),
        cmocka_unit_test(a_table_that_was_copied_has_its_own_names),
        cmocka_unit_test(names_are_quoted),
        cmocka_unit_test(messages_tell_the_sql_names),
        cmocka_unit_test(sql_of_the_callers_goes_as_it_is),
        cmocka_unit_test(sql_of_the_callers_reads_where_its_first_word_says_so),
        cmocka_unit_test(sql_of_the_callers_takes_no_handles),
        cmocka_unit_test(sql_of_the_callers_ends_no_transaction),
        cmocka_unit_test(sql_of_the_callers_ends_no_transaction_in_disguise),
        cmocka_unit_test(the_first_word_is_found),
        cmocka_unit_test(texts_are_measured_in_characters),
        cmocka_unit_test(texts_must_be_utf8),
        cmocka_unit_test(a_text_with_nul_is_refused),
        cmocka_unit_test(messages_hold_no_values),
        cmocka_unit_test(integers_must_fit_their_column),
        cmocka_unit_test(unsigned_numbers_beyond_63_bits_are_refused),
        cmocka_unit_test(an_unsigned_time_beyond_63_bits_is_refused),
        cmocka_unit_test(doubles_are_finite_and_exact),
        cmocka_unit_test(times_are_of_the_years_1_to_9999),
        cmocka_unit_test(null_wants_a_nullable_column),
        cmocka_unit_test(values_of_another_type_are_refused),
        cmocka_unit_test(without_a_place_for_the_details_the_code_is_told),
        cmocka_unit_test(a_condition_grows_by_and_and_or),
        cmocka_unit_test(the_first_member_keeps_its_own_and),
        cmocka_unit_test(a_condition_outlives_what_was_added),
        cmocka_unit_test(a_condition_grows_over_a_hundred_members),
        cmocka_unit_test(an_empty_growing_condition_is_refused),
        cmocka_unit_test(a_growing_condition_may_be_too_deep),
        cmocka_unit_test(a_condition_without_memory_is_refused),
        cmocka_unit_test(wherever_memory_runs_out_a_condition_is_refused),
        cmocka_unit_test(without_memory_nothing_is_made),
        cmocka_unit_test(a_statement_that_is_kept_has_its_own_texts),
        cmocka_unit_test(a_read_tells_its_columns_and_its_waiting),
        cmocka_unit_test(a_write_tells_its_verb_and_its_key),
        cmocka_unit_test(many_rows_stay_below_the_servers_limits),
        cmocka_unit_test(statements_become_one),
        cmocka_unit_test(a_condition_and_a_row_have_the_same_key),
        cmocka_unit_test(a_key_of_another_type_has_its_kind),
        cmocka_unit_test(two_models_of_a_table_have_the_same_keys),
        cmocka_unit_test(other_conditions_name_no_row),
        cmocka_unit_test(values_that_a_model_cannot_take_are_refused),
        cmocka_unit_test(values_become_fields),
        cmocka_unit_test(null_becomes_an_empty_field),
        cmocka_unit_test(text_columns_are_known),
        cmocka_unit_test(a_copy_of_a_row_stands_alone),
        cmocka_unit_test(a_table_has_the_types_of_its_model),
        cmocka_unit_test(a_table_may_have_odd_names_and_a_key_of_two),
        cmocka_unit_test(a_table_may_have_no_key_or_nothing_but_one),
        cmocka_unit_test(a_version_has_a_default),
        cmocka_unit_test(sqlite_keeps_the_limits_of_types),
        cmocka_unit_test(a_table_is_dropped),
        cmocka_unit_test(names_have_1_to_64_characters),
        cmocka_unit_test(a_message_about_a_name_is_utf8_too),
        cmocka_unit_test(keys_must_be_possible),
        cmocka_unit_test(versions_must_be_able_to_count),
        cmocka_unit_test(columns_tables_and_values_are_as_large_as_they_were),
        cmocka_unit_test(a_table_has_columns),
        cmocka_unit_test(between_has_two_bounds),
        cmocka_unit_test(without_memory_no_piece_is_left_out),
        cmocka_unit_test(one_comparison_goes_to_several_columns),
        cmocka_unit_test(a_pattern_does_not_end_in_its_escape),
        cmocka_unit_test(an_and_or_or_has_900_members),
        cmocka_unit_test(a_statement_has_32000_values),
        cmocka_unit_test(json_is_read_strictly),
        cmocka_unit_test(sub_queries_see_the_tables_around_them),
        cmocka_unit_test(sub_queries_take_where_and_join_alone),
        cmocka_unit_test(mysql_cannot_ask_the_table_that_it_writes),
        cmocka_unit_test(joins_name_their_tables),
        cmocka_unit_test(a_joined_read_locks_all_its_tables),
        cmocka_unit_test(joins_that_cannot_be_are_refused),
        cmocka_unit_test(numbers_are_made_of_columns),
        cmocka_unit_test(groups_have_numbers_and_conditions),
        cmocka_unit_test(results_that_cannot_be_are_refused),
        cmocka_unit_test(unions_are_of_one_table),
        cmocka_unit_test(pages_by_key_go_on_behind_a_row),
        cmocka_unit_test(pages_that_cannot_be_are_refused),
        cmocka_unit_test(a_plan_is_asked_for_in_the_servers_words),
        cmocka_unit_test(sub_queries_and_json_are_copied_into_a_condition),
        cmocka_unit_test(a_lock_takes_what_stands_behind_it_with_its_values),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
