/* types_sql_test.c -- types as SQL: the tables of models, what is bound for a value in each dialect,
 * and what is refused before anything is sent. No server is needed. */
#include "base/buffer.h"
#include "schema/ddl.h"
#include "schema/decimal.h"
#include "schema/json.h"
#include "sql/lock_keys.h"

#include <corm/corm.h>

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define PARCEL(X)                                                                                  \
    X(id, uuid, .pk = 1)                                                                           \
    X(i8, tinyint)                                                                                 \
    X(u8, unsigned(tinyint))                                                                       \
    X(i16, smallint)                                                                               \
    X(u16, unsigned(smallint))                                                                     \
    X(u32, unsigned(int))                                                                          \
    X(i64, bigint)                                                                                 \
    X(u64, unsigned(bigint))                                                                       \
    X(ratio, nullable(float))                                                                      \
    X(price, decimal(10, 2))                                                                       \
    X(code, char(3))                                                                               \
    X(state, enum("new", "it's \\ new"))                                                           \
    X(extra, nullable(json))                                                                       \
    X(photo, blob)                                                                                 \
    X(day, date)                                                                                   \
    X(hour, time)                                                                                  \
    X(at, datetime)                                                                                \
    X(seen, timestamp)
CORM_MODEL(parcel, PARCEL);
CORM_DEFINE(parcel, PARCEL);

#define CHILD(X)                                                                                   \
    X(parcel_id, uuid, .pk = 1, .references = CORM_COLUMN_OF(parcel, id),                          \
      .on_delete = CORM_CASCADE)                                                                   \
    X(n, smallint, .pk = 1, .check = "n > 0")                                                      \
    X(other, nullable(uuid), .references = CORM_COLUMN_OF(parcel, id), .on_delete = CORM_SET_NULL, \
      .on_update = CORM_CASCADE)                                                                   \
    X(rank, int, .index = 1)                                                                       \
    X(extra, json, .check = "extra <> '0'")                                                        \
    X(twice, int, .generated = "n * 2")                                                            \
    X(kept, nullable(int), .generated = "n * 3", .stored = 1)
CORM_MODEL(child, CHILD);
CORM_DEFINE(child, CHILD, CORM_INDEX(child, by_rank, rank, n),
            CORM_UNIQUE(child, one, other, rank));

static struct corm_arena *arena;
static struct corm_error  error;
static struct corm_sql_of of;

static int begin_all(void **state)
{
    (void)state;
    arena = corm_arena_new();
    return arena != NULL ? 0 : -1;
}

static int end_all(void **state)
{
    (void)state;
    corm_arena_free(arena);
    return 0;
}

/* ---- Tables ------------------------------------------------------------------------- */

static const char *create(struct corm__ddl ddl, const struct corm_table *table)
{
    struct corm__buffer b;

    corm__buffer_init(&b, arena);
    corm__put_create_table(&b, &ddl, table, false);
    return b.text;
}

static const struct corm__ddl maria = {CORM_DIALECT_MARIADB, true};
static const struct corm__ddl old_maria = {CORM_DIALECT_MARIADB, false};
static const struct corm__ddl mysql = {CORM_DIALECT_MYSQL, false};
static const struct corm__ddl sqlite = {CORM_DIALECT_SQLITE, false};

#define PARCEL_SERVER(before, uuid, json, collation)                                               \
    before "CREATE TABLE `parcel` (`id` " uuid " NOT NULL, `i8` TINYINT NOT NULL, "                \
           "`u8` TINYINT UNSIGNED NOT NULL, `i16` SMALLINT NOT NULL, "                             \
           "`u16` SMALLINT UNSIGNED NOT NULL, `u32` INT UNSIGNED NOT NULL, "                       \
           "`i64` BIGINT NOT NULL, `u64` BIGINT UNSIGNED NOT NULL, `ratio` FLOAT NULL, "           \
           "`price` DECIMAL(10,2) NOT NULL, `code` CHAR(3) NOT NULL, "                             \
           "`state` ENUM('new', 'it''s \\\\ new') NOT NULL, `extra` " json ", "                    \
           "`photo` LONGBLOB NOT NULL, `day` DATE NOT NULL, `hour` TIME(6) NOT NULL, "             \
           "`at` DATETIME(6) NOT NULL, `seen` TIMESTAMP(6) NOT NULL, PRIMARY KEY (`id`)) "         \
           "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=" collation

static void a_table_has_every_type(void **state)
{
    (void)state;
    assert_string_equal(create(maria, parcel.corm_table),
                        PARCEL_SERVER("SET STATEMENT explicit_defaults_for_timestamp=1 FOR ",
                                      "UUID", "LONGTEXT NULL CHECK (json_valid(`extra`))",
                                      "utf8mb4_nopad_bin"));
    assert_string_equal(create(old_maria, parcel.corm_table),
                        PARCEL_SERVER("SET STATEMENT explicit_defaults_for_timestamp=1 FOR ",
                                      "BINARY(16)", "LONGTEXT NULL CHECK (json_valid(`extra`))",
                                      "utf8mb4_nopad_bin"));
    assert_string_equal(create(mysql, parcel.corm_table),
                        PARCEL_SERVER("", "BINARY(16)", "JSON NULL", "utf8mb4_0900_bin"));
    assert_string_equal(
        create(sqlite, parcel.corm_table),
        "CREATE TABLE \"parcel\" (\"id\" BLOB NOT NULL CONSTRAINT \"corm_length_id\" CHECK "
        "(length(\"id\") = 16), \"i8\" INTEGER NOT NULL CONSTRAINT \"corm_range_i8\" CHECK (\"i8\" "
        "BETWEEN -128 AND 127), \"u8\" INTEGER NOT NULL CONSTRAINT \"corm_range_u8\" CHECK (\"u8\" "
        "BETWEEN 0 AND 255), \"i16\" INTEGER NOT NULL CONSTRAINT \"corm_range_i16\" CHECK (\"i16\" "
        "BETWEEN -32768 AND 32767), \"u16\" INTEGER NOT NULL CONSTRAINT \"corm_range_u16\" CHECK "
        "(\"u16\" BETWEEN 0 AND 65535), \"u32\" INTEGER NOT NULL CONSTRAINT \"corm_range_u32\" CHECK "
        "(\"u32\" BETWEEN 0 AND 4294967295), \"i64\" INTEGER NOT NULL, \"u64\" INTEGER NOT NULL "
        "CONSTRAINT \"corm_range_u64\" CHECK (\"u64\" >= 0), \"ratio\" REAL NULL CONSTRAINT "
        "\"corm_range_ratio\" CHECK (\"ratio\" BETWEEN -3.4028234663852886e38 AND "
        "3.4028234663852886e38), \"price\" INTEGER NOT NULL CONSTRAINT \"corm_range_price\" CHECK "
        "(\"price\" BETWEEN -9999999999 AND 9999999999), \"code\" TEXT NOT NULL CONSTRAINT "
        "\"corm_length_code\" CHECK (length(\"code\") <= 3), \"state\" TEXT NOT NULL CONSTRAINT "
        "\"corm_values_state\" CHECK (\"state\" IN ('new', 'it''s \\ new')), \"extra\" TEXT NULL, "
        "\"photo\" BLOB NOT NULL, \"day\" TEXT NOT NULL, \"hour\" INTEGER NOT NULL CONSTRAINT "
        "\"corm_range_hour\" CHECK (\"hour\" BETWEEN -3020399999999 AND 3020399999999), \"at\" TEXT "
        "NOT NULL, \"seen\" TEXT NOT NULL CONSTRAINT \"corm_range_seen\" CHECK (\"seen\" BETWEEN "
        "'1970-01-01 00:00:01.000000' AND '2038-01-19 03:14:07.999999'), PRIMARY KEY (\"id\")) "
        "STRICT");
}

#define CHILD_KEYS                                                                                 \
    "PRIMARY KEY (`parcel_id`, `n`), KEY `by_rank` (`rank`, `n`), UNIQUE KEY `one` (`other`, "     \
    "`rank`), KEY (`rank`), FOREIGN KEY (`parcel_id`) REFERENCES `parcel` (`id`) ON DELETE "       \
    "CASCADE, FOREIGN KEY (`other`) REFERENCES `parcel` (`id`) ON DELETE SET NULL ON UPDATE "      \
    "CASCADE"

static void a_table_has_keys_indexes_checks_and_generated_columns(void **state)
{
    struct corm__buffer b;

    (void)state;
    assert_string_equal(
        create(maria, child.corm_table),
        "CREATE TABLE `child` (`parcel_id` UUID NOT NULL, `n` SMALLINT NOT NULL CHECK (n > 0), "
        "`other` UUID NULL, `rank` INT NOT NULL, `extra` LONGTEXT NOT NULL CHECK "
        "(json_valid(`extra`) AND (extra <> '0')), `twice` INT GENERATED ALWAYS AS (n * 2) VIRTUAL, "
        "`kept` INT GENERATED ALWAYS AS (n * 3) STORED, " CHILD_KEYS
        ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin");
    assert_string_equal(
        create(mysql, child.corm_table),
        "CREATE TABLE `child` (`parcel_id` BINARY(16) NOT NULL, `n` SMALLINT NOT NULL, `other` "
        "BINARY(16) NULL, `rank` INT NOT NULL, `extra` JSON NOT NULL, `twice` INT GENERATED ALWAYS "
        "AS (n * 2) VIRTUAL NOT NULL, `kept` INT GENERATED ALWAYS AS (n * 3) STORED NULL, " CHILD_KEYS
        ", CHECK (n > 0), CHECK (extra <> '0')) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 "
        "COLLATE=utf8mb4_0900_bin");
    assert_string_equal(
        create(sqlite, child.corm_table),
        "CREATE TABLE \"child\" (\"parcel_id\" BLOB NOT NULL CONSTRAINT \"corm_length_parcel_id\" "
        "CHECK (length(\"parcel_id\") = 16), \"n\" INTEGER NOT NULL CHECK (n > 0) CONSTRAINT "
        "\"corm_range_n\" CHECK (\"n\" BETWEEN -32768 AND 32767), \"other\" BLOB NULL CONSTRAINT "
        "\"corm_length_other\" CHECK (length(\"other\") = 16), \"rank\" INTEGER NOT NULL CONSTRAINT "
        "\"corm_range_rank\" CHECK (\"rank\" BETWEEN -2147483648 AND 2147483647), \"extra\" TEXT NOT "
        "NULL CHECK (extra <> '0'), \"twice\" INTEGER GENERATED ALWAYS AS (n * 2) VIRTUAL NOT NULL "
        "CONSTRAINT \"corm_range_twice\" CHECK (\"twice\" BETWEEN -2147483648 AND 2147483647), "
        "\"kept\" INTEGER GENERATED ALWAYS AS (n * 3) STORED NULL CONSTRAINT \"corm_range_kept\" "
        "CHECK (\"kept\" BETWEEN -2147483648 AND 2147483647), PRIMARY KEY (\"parcel_id\", \"n\"), "
        "CONSTRAINT \"one\" UNIQUE (\"other\", \"rank\"), FOREIGN KEY (\"parcel_id\") REFERENCES "
        "\"parcel\" (\"id\") ON DELETE CASCADE, FOREIGN KEY (\"other\") REFERENCES \"parcel\" "
        "(\"id\") ON DELETE SET NULL ON UPDATE CASCADE) STRICT");
    corm__buffer_init(&b, arena);
    assert_true(corm__put_create_index(&b, child.corm_table, 0, false));
    assert_string_equal(b.text, "CREATE INDEX \"child_by_rank\" ON \"child\" (\"rank\", \"n\")");
    corm__buffer_init(&b, arena);
    assert_true(corm__put_create_index(&b, child.corm_table, 1, true));
    assert_string_equal(b.text,
                        "CREATE INDEX IF NOT EXISTS \"child_rank\" ON \"child\" (\"rank\")");
    assert_false(corm__put_create_index(&b, child.corm_table, 2, false));
    assert_false(corm__put_create_index(&b, parcel.corm_table, 0, false));
}

/* What the columns that a table may not have say of themselves. */
static void models_that_are_no_tables_are_refused(void **state)
{
    static const char *const none[] = {NULL}, *twice[] = {"a", "a", NULL}, *space[] = {"a ", NULL},
                             *empty[] = {"", NULL}, *bad[] = {"\xFF", NULL};
    static const struct corm_column big = {.name = "big", .type = CORM_BIGINT};
    static const struct corm_table  other = {.name = "other", .columns = &big, .column_count = 1};
    static const struct corm_table *const  table = &other;
    static const struct corm_column *const column = &big;
    const struct {
        struct corm_column column;
        int                code;
        const char        *says;
    } cases[] = {
        {{.type = CORM_DECIMAL, .length = 65, .scale = 38}, 0, NULL},
        {{.type = CORM_DECIMAL}, CORM_MISUSE, "1 to 65 digits"},
        {{.type = CORM_DECIMAL, .length = 66}, CORM_MISUSE, "decimal(66, 0)"},
        {{.type = CORM_DECIMAL, .length = 65, .scale = 39}, CORM_MISUSE, "0 to 38"},
        {{.type = CORM_DECIMAL, .length = 2, .scale = 3}, CORM_MISUSE, "decimal(2, 3)"},
        {{.type = CORM_CHAR, .length = 255}, 0, NULL},
        {{.type = CORM_CHAR, .length = 256}, CORM_MISUSE, "1 to 255"},
        {{.type = CORM_CHAR}, CORM_MISUSE, "char(0)"},
        {{.type = CORM_ENUM}, CORM_MISUSE, "without values"},
        {{.type = CORM_ENUM, .values = none}, CORM_MISUSE, "without values"},
        {{.type = CORM_ENUM, .values = twice}, CORM_MISUSE, "twice"},
        {{.type = CORM_ENUM, .values = space}, CORM_MISUSE, "a space at its end"},
        {{.type = CORM_ENUM, .values = empty}, CORM_MISUSE, "1 to 255 characters"},
        {{.type = CORM_ENUM, .values = bad}, CORM_MISUSE, "UTF-8"},
        {{.type = CORM_JSON, .pk = true}, CORM_MISUSE, "has .pk"},
        {{.type = CORM_BLOB, .pk = true}, CORM_MISUSE, "has .pk"},
        {{.type = CORM_UUID, .pk = true}, 0, NULL},
        {{.type = CORM_TINYINT, .is_unsigned = true, .pk = true, .autoinc = true}, 0, NULL},
        {{.type = CORM_DECIMAL, .length = 9, .pk = true, .autoinc = true}, CORM_MISUSE, ".autoinc"},
        {{.type = CORM_BLOB, .index = true}, CORM_MISUSE, "has .index"},
        {{.type = CORM_INT, .generated = "1", .pk = true}, CORM_MISUSE, "is generated"},
        {{.type = CORM_INT, .generated = "1", .deflt = "1"}, CORM_MISUSE, "is generated"},
        {{.type = CORM_INT, .stored = true}, CORM_MISUSE, "without .generated"},
        {{.type = CORM_INT, .on_delete = CORM_CASCADE}, CORM_MISUSE, "without .references"},
        {{.type = CORM_BIGINT, .references = {&table, &column}}, 0, NULL},
        {{.type = CORM_INT, .references = {&table, &column}}, CORM_MISUSE, "another type"},
        {{.type = CORM_BIGINT, .is_unsigned = true, .references = {&table, &column}},
         CORM_MISUSE,
         "another type"},
        {{.type = CORM_BIGINT, .references = {&table, &column}, .on_update = CORM_SET_NULL},
         CORM_MISUSE,
         "must be nullable"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct corm_column c = cases[i].column;
        struct corm_table  t = {.name = "t", .columns = &c, .column_count = 1};
        struct corm_error  e = {0};
        c.name = "a";
        int rc = corm__check_model(CORM_DIALECT_MARIADB, &t, &e);
        if (rc != cases[i].code || e.code != rc ||
            (cases[i].says != NULL && strstr(e.message, cases[i].says) == NULL))
            fail_msg("case %zu: %d %s", i, rc, e.message);
        if (rc < 0 && strstr(e.message, "t.a") == NULL)
            fail_msg("case %zu names no column: %s", i, e.message);
    }
    struct corm_column c = {.name = "a", .type = CORM_DECIMAL, .length = 19};
    struct corm_table  t = {.name = "t", .columns = &c, .column_count = 1};
    struct corm_error  e = {0};
    assert_int_equal(corm__check_model(CORM_DIALECT_SQLITE, &t, &e), CORM_UNSUPPORTED);
    e = (struct corm_error){0};
    c.length = 18;
    assert_int_equal(corm__check_model(CORM_DIALECT_SQLITE, &t, &e), 0);
    c.type = CORM_TEXT;
    struct corm_index indexes[] = {{.name = "i", .columns = {&c}}, {.name = NULL}};
    t.indexes = indexes;
    assert_int_equal(corm__check_model(CORM_DIALECT_SQLITE, &t, &e), CORM_MISUSE);
    e = (struct corm_error){0};
    c.type = CORM_INT;
    indexes[0].name = "a name that is much too long, far longer than 64 characters, for MariaDB";
    assert_int_equal(corm__check_model(CORM_DIALECT_SQLITE, &t, &e), CORM_MISUSE);
}

/* ---- What is bound ------------------------------------------------------------------- */

static const char *bound(const struct corm_value *v)
{
    static char text[256];

    switch (v->kind) {
    case CORM_V_INT: (void)snprintf(text, sizeof(text), "int %lld", v->as.i); break;
    case CORM_V_UINT: (void)snprintf(text, sizeof(text), "uint %llu", v->as.u); break;
    case CORM_V_REAL: (void)snprintf(text, sizeof(text), "real %.17g", v->as.r); break;
    case CORM_V_TEXT: (void)snprintf(text, sizeof(text), "text %.*s", (int)v->size, v->as.s); break;
    case CORM_V_DECIMAL:
        (void)snprintf(text, sizeof(text), "decimal %.*s", (int)v->size, v->as.s);
        break;
    case CORM_V_BLOB: (void)snprintf(text, sizeof(text), "blob of %u", v->size); break;
    case CORM_V_UUID: (void)snprintf(text, sizeof(text), "uuid %02x..", v->as.uuid.bytes[0]); break;
    default: (void)snprintf(text, sizeof(text), "kind %d", (int)v->kind);
    }
    return text;
}

static int set(enum corm_dialect dialect, struct corm_assign assign)
{
    error = (struct corm_error){0};
    of = (struct corm_sql_of){.dialect = dialect, .arena = arena};
    return corm_update(&of, parcel, corm_everything(), assign, .error = &error);
}

static int where(enum corm_dialect dialect, struct corm_expr expr)
{
    error = (struct corm_error){0};
    of = (struct corm_sql_of){.dialect = dialect, .arena = arena};
    return (int)corm_count(&of, parcel, .where = expr, .error = &error);
}

static void check_bound(const char *what, int rc, const char *expected)
{
    if (rc != 0 || of.bind_count != 1 || strcmp(bound(&of.binds[0]), expected) != 0)
        fail_msg("%s: %d %s: %s, not %s", what, rc, error.message,
                 rc == 0 && of.bind_count == 1 ? bound(&of.binds[0]) : "nothing", expected);
}

/* The same in set lists and in conditions. */
#define BINDS_EACH(col, value, on_mariadb, on_sqlite)                                              \
    do {                                                                                           \
        check_bound(#value, set(CORM_DIALECT_MARIADB, corm_set(col, value)), on_mariadb);          \
        check_bound(#value, set(CORM_DIALECT_MYSQL, corm_set(col, value)), on_mariadb);            \
        check_bound(#value, set(CORM_DIALECT_SQLITE, corm_set(col, value)), on_sqlite);            \
        check_bound(#value, where(CORM_DIALECT_MARIADB, corm_ne(col, value)), on_mariadb);         \
        check_bound(#value, where(CORM_DIALECT_SQLITE, corm_ne(col, value)), on_sqlite);           \
    } while (0)
#define BINDS(col, value, expected) BINDS_EACH(col, value, expected, expected)

static void values_are_bound_by_the_type_of_their_column(void **state)
{
    const struct corm_uuid uuid = {{0xAB}};

    (void)state;
    BINDS(parcel.i8, -128, "int -128");
    BINDS(parcel.u8, 255, "int 255");
    BINDS(parcel.u32, UINT32_MAX, "int 4294967295");
    BINDS(parcel.u64, (uint64_t)INT64_MAX, "int 9223372036854775807");
    BINDS(parcel.ratio, 0.1F, "real 0.10000000149011612");
    BINDS(parcel.ratio, 16777216, "real 16777216");
    BINDS(parcel.ratio, -0.0F, "real 0");
    BINDS_EACH(parcel.price, "12.5", "decimal 12.50", "int 1250");
    BINDS_EACH(parcel.price, "-0.01", "decimal -0.01", "int -1");
    BINDS_EACH(parcel.price, "-0", "decimal 0.00", "int 0");
    BINDS_EACH(parcel.price, "0099999999.990", "decimal 99999999.99", "int 9999999999");
    BINDS_EACH(parcel.price, 7, "decimal 7.00", "int 700");
    BINDS_EACH(parcel.price, 7u, "decimal 7.00", "int 700");
    BINDS(parcel.code, "abc", "text abc");
    BINDS(parcel.code, "", "text ");
    BINDS(parcel.state, "it's \\ new", "text it's \\ new");
    check_bound("extra", set(CORM_DIALECT_MYSQL, corm_set(parcel.extra, "[1]")), "text [1]");
    check_bound("extra", where(CORM_DIALECT_MARIADB, corm_eq(parcel.extra, "[1]")), "text [1]");
    check_bound("extra", where(CORM_DIALECT_SQLITE, corm_eq(parcel.extra, "[1]")), "text [1]");
    BINDS(parcel.photo, corm_bytes("a\0b", 3), "blob of 3");
    BINDS(parcel.photo, corm_bytes("", 0), "blob of 0");
    BINDS(parcel.id, uuid, "uuid ab..");
    BINDS(parcel.day, INT64_C(1769817600000000), "text 2026-01-31");
    BINDS(parcel.day, INT64_C(-86400000000), "text 1969-12-31");
    BINDS_EACH(parcel.hour, INT64_C(-3020399999999), "text -838:59:59.999999",
               "int -3020399999999");
    BINDS_EACH(parcel.hour, 1, "text 00:00:00.000001", "int 1");
    BINDS(parcel.seen, INT64_C(2147483647999999), "text 2038-01-19 03:14:07.999999");
    check_bound("u64", set(CORM_DIALECT_MARIADB, corm_set(parcel.u64, UINT64_MAX)),
                "uint 18446744073709551615");
    /* What is only compared need not fit. */
    check_bound("u8", where(CORM_DIALECT_MARIADB, corm_lt(parcel.u8, 1000)), "int 1000");
    check_bound("code", where(CORM_DIALECT_MARIADB, corm_lt(parcel.code, "abcd ")), "text abcd ");
    check_bound("seen", where(CORM_DIALECT_MARIADB, corm_gt(parcel.seen, 0)),
                "text 1970-01-01 00:00:00.000000");
}

/* ---- What is refused ------------------------------------------------------------------ */

static void check_refused(const char *what, int rc, int code, const char *says)
{
    if (rc != code || error.code != code || strstr(error.message, says) == NULL ||
        strstr(error.message, "of table parcel") == NULL)
        fail_msg("%s: %d (%s), not %s: %s", what, rc, corm_code_name(rc), corm_code_name(code),
                 error.message);
    assert_null(of.text);
}

#define REFUSED_SET(col, value, code, says)                                                        \
    for (int d = 0; d < 3; d++)                                                                    \
    check_refused(#value, set((enum corm_dialect)d, corm_set(col, value)), code, says)
#define REFUSED(col, value, code, says)                                                            \
    do {                                                                                           \
        REFUSED_SET(col, value, code, says);                                                       \
        for (int d = 0; d < 3; d++)                                                                \
            check_refused(#value, where((enum corm_dialect)d, corm_ne(col, value)), code, says);   \
    } while (0)

static void what_a_type_cannot_hold_is_refused(void **state)
{
    static const char *const no_decimals[] = {"",      "-",   ".5",  "5.",  "+1",
                                              "1e3",   " 1",  "1 ",  "1,5", "0x10",
                                              "1.2.3", "--1", "NaN", "1-",  "\xD9\xA1"};
    static const char *const no_jsons[] = {
        "",      "{",          "[1,]",        "{\"a\"}", "'a'",   "01",      "1.",
        "+1",    "nul",        "[1]]",        "\"\t\"",  "{a:1}", "\"\\x\"", "1 2",
        "[1 2]", "{\"a\":1,}", "\"\\u12g4\"", "]",       ",",     "-"};
    const struct corm_uuid odd[] = {{{[6] = 0x80, [8] = 0x01}}, {{[6] = 0x8F, [8] = 0x80}}};

    (void)state;
    REFUSED_SET(parcel.i8, 128, CORM_OUT_OF_RANGE, "for tinyint");
    REFUSED_SET(parcel.i8, -129, CORM_OUT_OF_RANGE, "for tinyint");
    REFUSED_SET(parcel.u8, 256, CORM_OUT_OF_RANGE, "for unsigned(tinyint)");
    REFUSED_SET(parcel.u8, -1, CORM_OUT_OF_RANGE, "for unsigned(tinyint)");
    REFUSED_SET(parcel.i16, 32768, CORM_OUT_OF_RANGE, "for smallint");
    REFUSED_SET(parcel.u16, 65536, CORM_OUT_OF_RANGE, "for unsigned(smallint)");
    REFUSED_SET(parcel.u32, INT64_C(4294967296), CORM_OUT_OF_RANGE, "for unsigned(int)");
    REFUSED_SET(parcel.u32, -1, CORM_OUT_OF_RANGE, "for unsigned(int)");
    REFUSED_SET(parcel.u64, -1, CORM_OUT_OF_RANGE, "for unsigned(bigint)");
    REFUSED(parcel.i64, UINT64_MAX, CORM_OUT_OF_RANGE, "64 bits with a sign");
    check_refused("u64", set(CORM_DIALECT_SQLITE, corm_set(parcel.u64, UINT64_MAX)),
                  CORM_OUT_OF_RANGE, "SQLite");
    check_refused("u64", where(CORM_DIALECT_SQLITE, corm_lt(parcel.u64, UINT64_MAX)),
                  CORM_OUT_OF_RANGE, "SQLite");

    REFUSED(parcel.ratio, (float)INFINITY, CORM_BAD_VALUE, "not finite");
    REFUSED(parcel.ratio, (float)NAN, CORM_BAD_VALUE, "not finite");
    REFUSED(parcel.ratio, 16777217, CORM_OUT_OF_RANGE, "no float holds exactly");
    REFUSED(parcel.ratio, UINT64_MAX, CORM_OUT_OF_RANGE, "no float holds exactly");

    for (size_t i = 0; i < COUNT(no_decimals); i++)
        REFUSED(parcel.price, no_decimals[i], CORM_BAD_VALUE, "no decimal");
    REFUSED(parcel.price, "100000000", CORM_OUT_OF_RANGE,
            "in front of the point for decimal(10, 2)");
    REFUSED(parcel.price, 100000000, CORM_OUT_OF_RANGE, "in front of the point");
    REFUSED(parcel.price, UINT64_MAX, CORM_OUT_OF_RANGE, "in front of the point");
    REFUSED(parcel.price, INT64_MIN, CORM_OUT_OF_RANGE, "in front of the point");
    REFUSED(parcel.price, "0.001", CORM_OUT_OF_RANGE, "behind the point");
    for (int d = 0; d < 3; d++)
        check_refused("sum", set((enum corm_dialect)d, corm_add(parcel.price, "0.001")),
                      CORM_OUT_OF_RANGE, "behind the point");

    REFUSED_SET(parcel.code, "abcd", CORM_TOO_LONG, "4 characters for char(3)");
    REFUSED_SET(parcel.code, "ab ", CORM_BAD_VALUE, "a space at its end");
    REFUSED_SET(parcel.code, "a\tb", CORM_BAD_VALUE, "a control character");
    REFUSED_SET(parcel.code, "\x1F", CORM_BAD_VALUE, "a control character");
    REFUSED(parcel.code, "\xFF", CORM_BAD_VALUE, "not UTF-8");
    REFUSED(parcel.state, "old", CORM_BAD_VALUE, "not in the list");
    REFUSED(parcel.state, "NEW", CORM_BAD_VALUE, "not in the list");
    REFUSED(parcel.state, "", CORM_BAD_VALUE, "not in the list");
    REFUSED(parcel.state, "1", CORM_BAD_VALUE, "not in the list");
    for (size_t i = 0; i < COUNT(no_jsons); i++)
        REFUSED_SET(parcel.extra, no_jsons[i], CORM_BAD_VALUE, "not JSON");
    check_refused("extra", where(CORM_DIALECT_MYSQL, corm_eq(parcel.extra, "1")), CORM_UNSUPPORTED,
                  "MySQL");
    REFUSED_SET(parcel.photo, corm_bytes(NULL, 0), CORM_NULL_REFUSED, "NOT NULL");
    REFUSED(parcel.photo, corm_bytes("", (size_t)INT32_MAX + 1), CORM_TOO_LONG, "2 GiB");
    REFUSED(parcel.photo, corm_bytes("", SIZE_MAX), CORM_TOO_LONG, "2 GiB");
    for (size_t i = 0; i < COUNT(odd); i++)
        REFUSED(parcel.id, odd[i], CORM_BAD_VALUE, "UUID of version 8 or higher");

    REFUSED(parcel.day, 1, CORM_BAD_VALUE, "with a time of day");
    REFUSED(parcel.day, INT64_C(253402300800000000), CORM_BAD_VALUE, "years 1 to 9999");
    REFUSED(parcel.day, INT64_MIN, CORM_BAD_VALUE, "years 1 to 9999");
    REFUSED(parcel.hour, INT64_C(3020400000000), CORM_BAD_VALUE, "838:59:59.999999");
    REFUSED(parcel.hour, INT64_MIN, CORM_BAD_VALUE, "838:59:59.999999");
    REFUSED(parcel.hour, UINT64_MAX, CORM_BAD_VALUE, "838:59:59.999999");
    REFUSED_SET(parcel.seen, 999999, CORM_BAD_VALUE, "for a timestamp");
    REFUSED_SET(parcel.seen, INT64_C(2147483648000000), CORM_BAD_VALUE, "for a timestamp");
    REFUSED(parcel.seen, INT64_MAX, CORM_BAD_VALUE, "");
}

/* ---- A column beside a column --------------------------------------------------------- */

#define MIXED(X)                                                                                   \
    X(id, int, .pk = 1)                                                                            \
    X(two, decimal(10, 2))                                                                         \
    X(more, decimal(12, 2))                                                                        \
    X(four, decimal(10, 4))                                                                        \
    X(big, bigint)                                                                                 \
    X(small, smallint)                                                                             \
    X(real, double)                                                                                \
    X(single, float)                                                                               \
    X(code, char(3))                                                                               \
    X(name, varchar(3))                                                                            \
    X(twice, int, .generated = "id * 2")
CORM_MODEL(mixed, MIXED);
CORM_DEFINE(mixed, MIXED);

static int mix(enum corm_dialect dialect, struct corm_assign assign)
{
    error = (struct corm_error){0};
    of = (struct corm_sql_of){.dialect = dialect, .arena = arena};
    return corm_update(&of, mixed, corm_everything(), assign, .error = &error);
}

static void a_column_is_not_copied_where_something_would_be_lost(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        enum corm_dialect d = (enum corm_dialect)i;
        assert_int_equal(mix(d, corm_set(mixed.two, mixed.more)), 0);
        assert_int_equal(mix(d, corm_set(mixed.two, mixed.four)), CORM_MISUSE);
        assert_int_equal(mix(d, corm_set(mixed.four, mixed.two)),
                         d == CORM_DIALECT_SQLITE ? CORM_MISUSE : 0);
        assert_int_equal(mix(d, corm_set(mixed.real, mixed.big)), CORM_MISUSE);
        assert_int_equal(mix(d, corm_set(mixed.real, mixed.id)), 0);
        assert_int_equal(mix(d, corm_set(mixed.real, mixed.single)), 0);
        assert_int_equal(mix(d, corm_set(mixed.single, mixed.id)), CORM_MISUSE);
        assert_int_equal(mix(d, corm_set(mixed.single, mixed.small)), 0);
        assert_int_equal(mix(d, corm_set(mixed.code, mixed.name)), CORM_MISUSE);
        assert_int_equal(mix(d, corm_set(mixed.name, mixed.code)), 0);
        assert_int_equal(mix(d, corm_set(mixed.big, mixed.twice)), 0);
        assert_int_equal(mix(d, corm_set(mixed.twice, mixed.id)), CORM_MISUSE);
        assert_int_equal(mix(d, corm_add(mixed.twice, 1)), CORM_MISUSE);
        of = (struct corm_sql_of){.dialect = d, .arena = arena};
        int rc = (int)corm_count(&of, mixed, .where = corm_lt(mixed.two, mixed.four));
        assert_int_equal(rc, d == CORM_DIALECT_SQLITE ? CORM_MISUSE : 0);
    }
}

/* ---- The keys of a transaction ---------------------------------------------------------- */

#define COIN(X) X(worth, decimal(10, 2), .pk = 1) X(id, uuid, .pk = 1) X(n, int)
CORM_MODEL(coin, COIN);
CORM_DEFINE(coin, COIN);

#define NOTE(X) X(name, varchar(9), .pk = 1) X(n, int)
CORM_MODEL(note, NOTE);
CORM_DEFINE(note, NOTE);

/* They outlive what the caller has named them by; an odd name has its NUL where it belongs. */
static void keys_are_kept_with_all_that_they_point_at(void **state)
{
    struct corm__lock_keys kept = {0};
    struct corm__lock_key  keys[CORM__LOCK_KEYS_MAX] = {{0}};
    struct corm_uuid       id = {{1, 2, 3}};
    uint32_t               count = 0;
    char                   worth[] = "12.50", name[] = "cup";

    (void)state;
    struct corm_expr key = corm_and(corm_eq(coin.id, id), corm_eq(coin.worth, worth));
    for (int i = 0; i < 2; i++) { /* the second time there is room */
        assert_int_equal(corm__read_keys(&key, keys, &count, &error), 0);
        assert_int_equal(count, 1);
        assert_int_equal(corm__keep_keys(&kept, keys, count, &error), 0);
        strcpy(worth, "99.99");
        assert_int_equal(kept.count, 1);
        assert_ptr_equal(kept.keys[0].table, coin.corm_table);
        assert_string_equal(kept.keys[0].values[0].as.s, "12.50");
        assert_int_equal(kept.keys[0].values[0].size, 5);
        assert_int_equal(kept.keys[0].values[1].kind, CORM_V_UUID);
        strcpy(worth, "12.50");
    }
    struct corm_expr two = corm_keys(corm_eq(note.name, name), corm_eq(note.name, "b"));
    assert_int_equal(corm__read_keys(&two, keys, &count, &error), 0);
    assert_int_equal(corm__keep_keys(&kept, keys, count, &error), 0);
    strcpy(name, "mug");
    assert_int_equal(kept.count, 2);
    assert_string_equal(kept.keys[0].values[0].as.s, "cup");
    assert_string_equal(kept.keys[1].values[0].as.s, "b");
    /* Any value that is pointed at is copied, of whatever kind it is. */
    keys[0].values[0] = corm_v_blob_(corm_bytes(name, 3));
    keys[0].values[1].kind = CORM_V_NONE;
    assert_int_equal(corm__keep_keys(&kept, keys, 1, &error), 0);
    strcpy(name, "pot");
    assert_memory_equal(kept.keys[0].values[0].as.p, "mug", 3);
    corm__lock_keys_free(&kept);
    assert_null(kept.more);
}

static void a_lock_alone_names_one_row(void **state)
{
    struct corm_value      name = corm_v_text_("cup");
    struct corm__statement lock = {0};

    (void)state;
    name.size = 3;
    error = (struct corm_error){0};
    assert_int_equal(
        corm__make_lock_only(CORM_DIALECT_MARIADB, arena, note.corm_table, &name, &lock, &error),
        0);
    assert_string_equal(lock.text, "SELECT COUNT(*) INTO @corm_locked FROM `note` WHERE "
                                   "(`name` = ?) FOR UPDATE");
    assert_int_equal(lock.verb, CORM__READ);
    assert_int_equal(lock.bind_count, 1);
    assert_string_equal(lock.binds[0].as.s, "cup");
}

/* ---- Reads ------------------------------------------------------------------------------ */

#define MEANS(X) X(code, char(3)) X(mean, double) X(all, decimal(30, 2)) X(half, decimal(30, 4))
CORM_MODEL(means, MEANS);
CORM_DEFINE(means, MEANS);

#define STATES(X) X(state, enum("a", "b"), .pk = 1) X(n, int)
CORM_MODEL(states, STATES);
CORM_DEFINE(states, STATES);

static void check_text(int rc, const char *text)
{
    if (rc != 0 || strcmp(of.text, text) != 0)
        fail_msg("%d %s: %s, not %s", rc, error.message, rc == 0 ? of.text : "nothing", text);
}

static void begin_read(enum corm_dialect dialect)
{
    error = (struct corm_error){0};
    of = (struct corm_sql_of){.dialect = dialect, .arena = arena};
}

/* A decimal is a whole number on SQLite, and its average is not. */
static void an_average_of_decimals_has_its_point(void **state)
{
    struct means *rows;
    double        mean;

    (void)state;
    begin_read(CORM_DIALECT_MARIADB);
    check_text(corm_avg(&of, mixed, mixed.two, &mean, .error = &error),
               "SELECT AVG(`two` + 0e0) FROM `mixed`");
    begin_read(CORM_DIALECT_SQLITE);
    check_text(corm_avg(&of, mixed, mixed.four, &mean, .error = &error),
               "SELECT AVG(\"four\" + 0e0) / 1e4 FROM \"mixed\"");
    begin_read(CORM_DIALECT_SQLITE);
    check_text(corm_avg(&of, mixed, mixed.small, &mean, .error = &error),
               "SELECT AVG(\"small\" + 0e0) FROM \"mixed\"");
    begin_read(CORM_DIALECT_SQLITE);
    check_text(
        corm_select(
            &of, means, &rows, mixed,
            corm_columns(corm_as(means.code, mixed.code), corm_as_avg(means.mean, mixed.two),
                         corm_as_sum(means.all, mixed.two), corm_as_max(means.half, mixed.four)),
            .group = corm_by(mixed.code), .having = corm_gt(means.all, "1.5"), .error = &error),
        "SELECT \"code\", AVG(\"two\" + 0e0) / 1e2, SUM(\"two\"), MAX(\"four\") FROM "
        "\"mixed\" GROUP BY \"code\" HAVING SUM(\"two\") > ?");
    assert_int_equal(of.binds[0].kind, CORM_V_INT);
    assert_int_equal(of.binds[0].as.i, 150);
}

static void check_read_refused(int rc, int code, const char *says)
{
    if (rc != code || error.code != code || strstr(error.message, says) == NULL)
        fail_msg("%d, not %s and \"%s\": %s", rc, corm_code_name(code), says, error.message);
    assert_null(of.text);
}

static int choose(enum corm_dialect dialect, struct corm_choice choice)
{
    struct means *rows;

    begin_read(dialect);
    return corm_select(&of, means, &rows, mixed,
                       corm_columns(corm_as(means.code, mixed.code),
                                    corm_as_avg(means.mean, mixed.two),
                                    corm_as_max(means.half, mixed.four), choice),
                       .group = corm_by(mixed.code), .error = &error);
}

static void a_decimal_of_another_scale_is_refused(void **state)
{
    (void)state;
    for (int d = 0; d < 3; d++) {
        enum corm_dialect dialect = (enum corm_dialect)d;
        assert_int_equal(choose(dialect, corm_as_sum(means.all, mixed.two)), 0);
        check_read_refused(choose(dialect, corm_as_sum(means.all, mixed.four)), CORM_MISUSE,
                           "2 digits behind the point, and what is chosen for it 4");
        check_read_refused(choose(dialect, corm_as_max(means.all, mixed.four)), CORM_MISUSE,
                           "behind the point");
    }
    begin_read(CORM_DIALECT_SQLITE);
    int rc = (int)corm_count(&of, mixed, .where = corm_in_query(mixed.two, parcel, parcel.price),
                             .error = &error);
    assert_int_equal(rc, 0);
    begin_read(CORM_DIALECT_SQLITE);
    rc = (int)corm_count(&of, parcel, .where = corm_in_query(parcel.price, mixed, mixed.four),
                         .error = &error);
    check_read_refused(rc, CORM_MISUSE, "as many digits behind the point");
    begin_read(CORM_DIALECT_MARIADB);
    rc = (int)corm_count(&of, parcel, .where = corm_in_query(parcel.price, mixed, mixed.four),
                         .error = &error);
    assert_int_equal(rc, 0);
    begin_read(CORM_DIALECT_SQLITE);
    rc = (int)corm_count(&of, means, .where = corm_lt(means.all, "99999999999999999.00"),
                         .error = &error);
    check_read_refused(rc, CORM_UNSUPPORTED, "more than 18 digits");
}

static void pages_by_what_has_no_order_are_refused(void **state)
{
    struct states *rows;

    (void)state;
    begin_read(CORM_DIALECT_MARIADB);
    int rc = corm_all(&of, states, &rows, .order = {corm_asc(states.n)},
                      .after = corm_after(states, NULL), .limit = 3, .error = &error);
    check_read_refused(rc, CORM_MISUSE, "column state of table states, whose values have no");
}

static void a_row_leaves_out_what_is_generated(void **state)
{
    const struct mixed row = {.two = "1", .more = "2", .four = "3", .code = "", .name = ""};

    (void)state;
    of = (struct corm_sql_of){.dialect = CORM_DIALECT_MARIADB, .arena = arena};
    assert_int_equal(corm_insert_row(&of, mixed, &row), 0);
    assert_string_equal(of.text,
                        "INSERT INTO `mixed` (`id`, `two`, `more`, `four`, `big`, `small`, "
                        "`real`, `single`, `code`, `name`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, "
                        "?, ?)");
}

/* ---- Texts of values ------------------------------------------------------------------- */

static void times_are_told_in_one_form(void **state)
{
    static const struct {
        int64_t     microseconds;
        const char *text;
    } times[] = {{0, "00:00:00.000000"},
                 {-1, "-00:00:00.000001"},
                 {INT64_C(3600000000) * 100, "100:00:00.000000"},
                 {-INT64_C(86399999999), "-23:59:59.999999"},
                 {INT64_C(3020399999999), "838:59:59.999999"}};
    static const char *const bad[] = {"",          "1:00:00",    "24:60:00",  "00:00:60",
                                      "839:00:00", "00:00",      "00:00:00.", "00:00:00.1234567",
                                      "+00:00:00", "1000:00:00", "00:00:00 ", "--00:00:00",
                                      "-839:00:00"};
    char                     text[CORM_TIME_SIZE], day[CORM_DATE_SIZE];
    int64_t                  parsed = 7;

    (void)state;
    for (size_t i = 0; i < COUNT(times); i++) {
        assert_true(corm_time_format(times[i].microseconds, text));
        assert_string_equal(text, times[i].text);
        assert_true(corm_time_parse(text, strlen(text), &parsed));
        assert_true(parsed == times[i].microseconds);
    }
    assert_true(corm_time_parse("09:05:00.5", 10, &parsed) && parsed == INT64_C(32700500000));
    parsed = 7;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (corm_time_parse(bad[i], strlen(bad[i]), &parsed) || parsed != 7)
            fail_msg("%s is taken for a time", bad[i]);
    assert_false(corm_time_format(INT64_C(3020400000000), text));
    assert_false(corm_time_format(INT64_MIN, text));

    assert_true(corm_date_parse("2024-02-29", 10, &parsed));
    assert_true(corm_date_format(parsed, day));
    assert_string_equal(day, "2024-02-29");
    assert_false(corm_date_format(parsed + 1, day));
    assert_false(corm_date_format(INT64_MAX, day));
    assert_false(corm_date_parse("2023-02-29", 10, &parsed));
    assert_false(corm_date_parse("2024-02-29 ", 11, &parsed));
    assert_false(corm_date_parse("0000-00-00", 10, &parsed));
    assert_false(corm_date_parse("2024-2-29", 9, &parsed));
}

static void a_uuid_has_one_form(void **state)
{
    static const char *const bad[] = {"",
                                      "0198f2c47e6b7a519d3c5b1f0e8a2d47",
                                      "0198f2c4-7e6b-7a51-9d3c-5b1f0e8a2d4",
                                      "0198f2c4-7e6b-7a51-9d3c-5b1f0e8a2d4g",
                                      "{198f2c4-7e6b-7a51-9d3c-5b1f0e8a2d47",
                                      "0198f2c4-7e6b-7a51-9d3c65b1f0e8a2d47",
                                      "0198f2c4-7e6b-7a51-9d3c-5b1f0e8a2d477"};
    struct corm_uuid         uuid = {{7}}, same;
    char                     text[CORM_UUID_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(corm_uuid_parse(bad[i], strlen(bad[i]), &uuid));
        assert_int_equal(uuid.bytes[0], 7);
    }
    assert_true(corm_uuid_parse("0198F2C4-7e6B-7a51-9d3c-5b1f0e8a2d47", 36, &uuid));
    corm_uuid_format(&uuid, text);
    assert_string_equal(text, "0198f2c4-7e6b-7a51-9d3c-5b1f0e8a2d47");
    assert_true(corm_uuid_parse(text, 36, &same));
    assert_memory_equal(&uuid, &same, sizeof(uuid));
}

static void json_is_told_from_other_text(void **state)
{
    static const char *const good[] = {"0",
                                       "-0.5e+10",
                                       "1E5",
                                       "\"\"",
                                       " [ ] ",
                                       "{}",
                                       "\n{\"a\" : [1, {}, [], null] }\t",
                                       "\"\\u00e9\\n\\\"\"",
                                       "[[[]],{}]",
                                       "true",
                                       "{\"\":\"\"}"};
    char                     deep[2 * CORM__JSON_DEPTH + 3];

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        if (!corm__is_json(good[i], strlen(good[i])))
            fail_msg("%s is no JSON", good[i]);
    for (size_t depth = CORM__JSON_DEPTH; depth <= CORM__JSON_DEPTH + 1; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        assert_int_equal(corm__is_json(deep, 2 * depth), depth == CORM__JSON_DEPTH);
    }
    assert_false(corm__is_json("1\0", 2));
    assert_true(corm__is_json("12", 1)); /* no further than that */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_has_every_type),
        cmocka_unit_test(a_table_has_keys_indexes_checks_and_generated_columns),
        cmocka_unit_test(models_that_are_no_tables_are_refused),
        cmocka_unit_test(values_are_bound_by_the_type_of_their_column),
        cmocka_unit_test(what_a_type_cannot_hold_is_refused),
        cmocka_unit_test(a_column_is_not_copied_where_something_would_be_lost),
        cmocka_unit_test(an_average_of_decimals_has_its_point),
        cmocka_unit_test(a_decimal_of_another_scale_is_refused),
        cmocka_unit_test(pages_by_what_has_no_order_are_refused),
        cmocka_unit_test(a_row_leaves_out_what_is_generated),
        cmocka_unit_test(times_are_told_in_one_form),
        cmocka_unit_test(a_uuid_has_one_form),
        cmocka_unit_test(json_is_told_from_other_text),
        cmocka_unit_test(keys_are_kept_with_all_that_they_point_at),
        cmocka_unit_test(a_lock_alone_names_one_row),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
