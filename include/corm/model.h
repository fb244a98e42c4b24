/* corm/model.h -- one declaration of a table in C, and what follows from it.
 *
 *     #define PRODUCT(X)                               \
 *         X(id,    int,         .pk = 1, .autoinc = 1) \
 *         X(name,  varchar(20))                        \
 *         X(stock, int,         .deflt = "0")          \
 *         X(note,  nullable(text))
 *     CORM_MODEL(product, PRODUCT);     in a header: `struct product` and the handle `product`
 *     CORM_DEFINE(product, PRODUCT);    in one .c file: the column table
 *
 * `struct product` is the row: a plain struct with one field per column. `product` is a constant
 * whose members are typed column handles: corm_eq(product.stock, 5) compiles, product.stok and
 * corm_eq(product.stock, "5") do not. C keeps struct tags and ordinary names apart, so both may
 * carry the table's name.
 *
 * Where the SQL name differs: CORM_MODEL_AS(line, "order line", LINE), and .sql_name = "..." for a
 * column. Names are always quoted in SQL, so a table may be called `order`.
 *
 * column type      field in the row struct       in MariaDB and MySQL    in SQLite
 * tinyint          int8_t                        TINYINT                 INTEGER, range checked
 * smallint         int16_t                       SMALLINT                INTEGER, range checked
 * int              int32_t                       INT                     INTEGER, range checked
 * bigint           int64_t                       BIGINT                  INTEGER
 * unsigned(int)    uint32_t; so all four         INT UNSIGNED            INTEGER, range checked;
 *                                                                        bigint: 0 to 2^63 - 1
 * bool             bool                          TINYINT(1)              INTEGER, 0 or 1
 * float            float, finite                 FLOAT                   REAL
 * double           double, finite                DOUBLE                  REAL
 * decimal(p, s)    const char *, as "-12.50",    DECIMAL(p,s)            INTEGER: the number * 10^s,
 *                  p digits, s of a fraction                             18 digits at most
 * char(n)          const char *, n characters,   CHAR(n)                 TEXT, length checked
 *                  no space at the end,
 *                  no control characters
 * varchar(n)       const char *, n characters    VARCHAR(n)              TEXT, length checked
 * text             const char *, to 2 GiB        LONGTEXT                TEXT
 * enum("a", "b")   const char *, one of these    ENUM('a','b')           TEXT, checked
 * json             const char *, checked         LONGTEXT, checked;      TEXT
 *                                                MySQL: JSON
 * blob             struct corm_blob              LONGBLOB                BLOB
 * uuid             struct corm_uuid, 16 bytes    UUID; BINARY(16) on     BLOB, size checked
 *                                                MySQL, MariaDB 10.6
 * date             int64_t, years 1 to 9999      DATE                    TEXT, as 2026-01-31
 * time             int64_t, -838:59:59.999999    TIME(6)                 INTEGER, microseconds
 *                  to 838:59:59.999999
 * datetime         int64_t, years 1 to 9999      DATETIME(6), in UTC     TEXT, in UTC, as
 *                                                                        2026-01-31 09:05:00.000000
 * timestamp        int64_t, 1970-01-01 00:00:01  TIMESTAMP(6)            as datetime, range checked
 *                  to 2038-01-19 03:14:07.999999
 *
 * date, datetime and timestamp are microseconds since 1970-01-01 00:00:00 UTC, a date those of its
 * midnight; a time is microseconds since midnight, or any span of time. value.h has them, and uuid,
 * from text and as text.
 *
 * NOT NULL is the rule; nullable(int), nullable(unsigned(int)) and the like are structs { has, value
 * }; a nullable text, decimal, enum or json is a pointer that may be NULL, a nullable blob one whose
 * `data` may be NULL. Text is UTF-8 without NUL; a uuid is one of RFC 9562. A value comes back exactly
 * as it went in or is refused; a decimal comes back with all digits of its fraction, and -0.0 is 0.0:
 * no server keeps its sign.
 *
 * A float column takes float values: 0.1f, not 0.1, which is another number. Enum and json have no
 * order (corm_lt(), corm_asc() and the like); UUIDs have the server's own, which for versions 6 and
 * higher is that of their bytes everywhere.
 *
 * Indexes of several columns, unique or not, stand behind the list in CORM_DEFINE:
 *
 *     CORM_DEFINE(visit, VISIT,
 *                 CORM_INDEX(visit, by_day, day, place),
 *                 CORM_UNIQUE(visit, one_a_day, user_id, day));
 *
 * A foreign key names the column of the other model, of the same type:
 *
 *     X(user_id, int, .references = CORM_COLUMN_OF(user, id), .on_delete = CORM_CASCADE)
 *
 * One column of a model may have .version = 1: X(version, int, .version = 1). It counts the updates
 * of its row, so that who has read a row without a lock notices that somebody else has written it
 * since: see corm_update_row() in statement.h. It is an int or bigint, neither nullable nor in a
 * key, and has DEFAULT 0 unless .deflt says otherwise. corm counts it up in every corm_update() and
 * corm_update_row(); who updates the table in other ways, by corm_sql() or in another program, must do
 * so too. An int has room for 2,147,483,647 updates of one row; the next one is CORM_OUT_OF_RANGE. */
#ifndef CORM_MODEL_H
#define CORM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <corm/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The SQL that a server speaks. */
enum corm_dialect { CORM_DIALECT_MARIADB, CORM_DIALECT_MYSQL, CORM_DIALECT_SQLITE };

/* ---- Columns and tables as data ----------------------------------------- */

enum corm_type {
    CORM_TINYINT = 1,
    CORM_SMALLINT,
    CORM_INT,
    CORM_BIGINT,
    CORM_BOOL,
    CORM_FLOAT,
    CORM_DOUBLE,
    CORM_DECIMAL,
    CORM_CHAR,
    CORM_VARCHAR,
    CORM_TEXT,
    CORM_ENUM,
    CORM_JSON,
    CORM_BLOB,
    CORM_UUID,
    CORM_DATE,
    CORM_TIME,
    CORM_DATETIME,
    CORM_TIMESTAMP
};

/* What becomes of a row whose parent row is deleted, or gets another key. */
enum corm_action {
    CORM_NO_ACTION, /* the parent's change is refused: CORM_FOREIGN_KEY */
    CORM_CASCADE,   /* the same happens to the row */
    CORM_SET_NULL   /* its column becomes NULL: a nullable one */
};

struct corm_table;
struct corm_column;
struct corm_assign;

/* A column of another model; made by CORM_COLUMN_OF(). Handles are no constants to the compiler, but
 * the places where they lie are. */
struct corm_reference {
    const struct corm_table *const  *table;
    const struct corm_column *const *column;
};

/* What corm knows of one column. The fields from `pk` on may be set in the model's list:
 * X(id, bigint, .pk = 1, .autoinc = 1). SQL text is that of the server; names in it want its
 * quotes, and `name` works on all. */
struct corm_column {
    const char           *name;   /* the C name */
    uint32_t              offset; /* of the field in the row struct, bytes */
    enum corm_type        type;
    uint32_t              length; /* of char and varchar in characters; of a decimal in digits */
    uint32_t              scale;  /* of a decimal: digits of the fraction */
    const char *const    *values; /* of an enum; ends with NULL */
    bool                  is_unsigned;
    bool                  nullable;
    bool                  pk;         /* part of the primary key */
    bool                  autoinc;    /* the server generates the value; needs .pk and an integer */
    bool                  unique;     /* a unique key of this column alone */
    bool                  index;      /* an index of this column alone */
    bool                  stored;     /* with .generated: kept in the row, not computed by reads */
    bool                  version;    /* counts the updates of its row, see above */
    const char           *sql_name;   /* NULL: as the C name; 1 to 64 characters */
    const char           *deflt;      /* SQL text of the DEFAULT clause, or NULL */
    const char           *check;      /* SQL text of a condition that a row must meet, or NULL */
    const char           *generated;  /* SQL text that computes it: it is read and never written */
    struct corm_reference references; /* a foreign key */
    enum corm_action      on_delete, on_update;
    const struct corm_table *table; /* that it belongs to */
    const void              *reserved[5];
};

enum { CORM_KEY_MAX = 8 }; /* columns of an index */

struct corm_index {
    const char               *name; /* NULL ends a list */
    bool                      unique;
    const struct corm_column *columns[CORM_KEY_MAX];
    const void               *reserved[2];
};

struct corm_table;

struct corm_table {
    const char               *name; /* the SQL name */
    const struct corm_column *columns;
    uint32_t                  column_count;
    uint32_t                  row_size; /* sizeof(struct T) */
    const struct corm_index  *indexes;
    const char               *alias; /* its name within a statement, by CORM_ALIAS(); or NULL */
    const char               *names; /* of the columns in C, in quotes, ", " behind each; or NULL */
    const char               *names_sqlite; /* the same in SQLite's quotes */
    const void               *reserved[3];
};

/* A handle is one pointer wrapped in a type, so that the compiler can tell the columns' classes
 * apart. Handles are values: copy them freely. */
struct corm_int_col {
    const struct corm_column *column;
};
struct corm_real_col {
    const struct corm_column *column;
};
struct corm_text_col {
    const struct corm_column *column;
};
struct corm_time_col { /* datetime and timestamp */
    const struct corm_column *column;
};
struct corm_float_col {
    const struct corm_column *column;
};
struct corm_decimal_col {
    const struct corm_column *column;
};
struct corm_blob_col {
    const struct corm_column *column;
};
struct corm_date_col {
    const struct corm_column *column;
};
struct corm_clock_col { /* time */
    const struct corm_column *column;
};
struct corm_json_col {
    const struct corm_column *column;
};
struct corm_enum_col {
    const struct corm_column *column;
};
struct corm_uuid_col {
    const struct corm_column *column;
};

/* The bytes of a blob. `data` NULL is NULL, in a column that is NOT NULL too: no bytes are {"", 0}. */
struct corm_blob {
    const void *data;
    size_t      size;
};

struct corm_uuid {
    uint8_t bytes[16]; /* in the order in which they are written */
};

/* A nullable number is not a number until somebody looks at `has`. */
struct corm_opt_tinyint {
    bool   has;
    int8_t value;
};
struct corm_opt_smallint {
    bool    has;
    int16_t value;
};
struct corm_opt_int {
    bool    has;
    int32_t value;
};
struct corm_opt_bigint {
    bool    has;
    int64_t value;
};
struct corm_opt_unsigned_tinyint {
    bool    has;
    uint8_t value;
};
struct corm_opt_unsigned_smallint {
    bool     has;
    uint16_t value;
};
struct corm_opt_unsigned_int {
    bool     has;
    uint32_t value;
};
struct corm_opt_unsigned_bigint {
    bool     has;
    uint64_t value;
};
struct corm_opt_bool {
    bool has;
    bool value;
};
struct corm_opt_float {
    bool  has;
    float value;
};
struct corm_opt_double {
    bool   has;
    double value;
};
struct corm_opt_uuid {
    bool             has;
    struct corm_uuid value;
};

/* ---- From a column's type to its field, its handle and its description --- */

/* clang-format off: a table */
#define CORM_FIELD_tinyint       int8_t
#define CORM_FIELD_smallint      int16_t
#define CORM_FIELD_int           int32_t
#define CORM_FIELD_bigint        int64_t
#define CORM_FIELD__Bool         bool /* what `bool` is once <stdbool.h> made a macro of it */
#define CORM_FIELD_bool          bool
#define CORM_FIELD_float         float
#define CORM_FIELD_double        double
#define CORM_FIELD_decimal(p, s) const char *
#define CORM_FIELD_char(n)       const char *
#define CORM_FIELD_varchar(n)    const char *
#define CORM_FIELD_text          const char *
#define CORM_FIELD_enum(...)     const char *
#define CORM_FIELD_json          const char *
#define CORM_FIELD_blob          struct corm_blob
#define CORM_FIELD_uuid          struct corm_uuid
#define CORM_FIELD_date          int64_t
#define CORM_FIELD_time          int64_t
#define CORM_FIELD_datetime      int64_t
#define CORM_FIELD_timestamp     int64_t
#define CORM_FIELD_unsigned(k)   CORM_UFIELD_##k
#define CORM_FIELD_nullable(k)   CORM_NFIELD_##k

#define CORM_NFIELD_tinyint       struct corm_opt_tinyint
#define CORM_NFIELD_smallint      struct corm_opt_smallint
#define CORM_NFIELD_int           struct corm_opt_int
#define CORM_NFIELD_bigint        struct corm_opt_bigint
#define CORM_NFIELD__Bool         struct corm_opt_bool
#define CORM_NFIELD_bool          struct corm_opt_bool
#define CORM_NFIELD_float         struct corm_opt_float
#define CORM_NFIELD_double        struct corm_opt_double
#define CORM_NFIELD_decimal(p, s) const char *
#define CORM_NFIELD_char(n)       const char *
#define CORM_NFIELD_varchar(n)    const char *
#define CORM_NFIELD_text          const char *
#define CORM_NFIELD_enum(...)     const char *
#define CORM_NFIELD_json          const char *
#define CORM_NFIELD_blob          struct corm_blob
#define CORM_NFIELD_uuid          struct corm_opt_uuid
#define CORM_NFIELD_date          struct corm_opt_bigint
#define CORM_NFIELD_time          struct corm_opt_bigint
#define CORM_NFIELD_datetime      struct corm_opt_bigint
#define CORM_NFIELD_timestamp     struct corm_opt_bigint
#define CORM_NFIELD_unsigned(k)   CORM_NUFIELD_##k

#define CORM_UFIELD_tinyint  uint8_t
#define CORM_UFIELD_smallint uint16_t
#define CORM_UFIELD_int      uint32_t
#define CORM_UFIELD_bigint   uint64_t

#define CORM_NUFIELD_tinyint  struct corm_opt_unsigned_tinyint
#define CORM_NUFIELD_smallint struct corm_opt_unsigned_smallint
#define CORM_NUFIELD_int      struct corm_opt_unsigned_int
#define CORM_NUFIELD_bigint   struct corm_opt_unsigned_bigint

#define CORM_COL_tinyint       struct corm_int_col
#define CORM_COL_smallint      struct corm_int_col
#define CORM_COL_int           struct corm_int_col
#define CORM_COL_bigint        struct corm_int_col
#define CORM_COL__Bool         struct corm_int_col
#define CORM_COL_bool          struct corm_int_col
#define CORM_COL_float         struct corm_float_col
#define CORM_COL_double        struct corm_real_col
#define CORM_COL_decimal(p, s) struct corm_decimal_col
#define CORM_COL_char(n)       struct corm_text_col
#define CORM_COL_varchar(n)    struct corm_text_col
#define CORM_COL_text          struct corm_text_col
#define CORM_COL_enum(...)     struct corm_enum_col
#define CORM_COL_json          struct corm_json_col
#define CORM_COL_blob          struct corm_blob_col
#define CORM_COL_uuid          struct corm_uuid_col
#define CORM_COL_date          struct corm_date_col
#define CORM_COL_time          struct corm_clock_col
#define CORM_COL_datetime      struct corm_time_col
#define CORM_COL_timestamp     struct corm_time_col
#define CORM_COL_unsigned(k)   CORM_COL_##k
#define CORM_COL_nullable(k)   CORM_COL_##k

#define CORM_META_tinyint       .type = CORM_TINYINT
#define CORM_META_smallint      .type = CORM_SMALLINT
#define CORM_META_int           .type = CORM_INT
#define CORM_META_bigint        .type = CORM_BIGINT
#define CORM_META__Bool         .type = CORM_BOOL
#define CORM_META_bool          .type = CORM_BOOL
#define CORM_META_float         .type = CORM_FLOAT
#define CORM_META_double        .type = CORM_DOUBLE
#define CORM_META_decimal(p, s) .type = CORM_DECIMAL, .length = (p), .scale = (s)
#define CORM_META_char(n)       .type = CORM_CHAR, .length = (n)
#define CORM_META_varchar(n)    .type = CORM_VARCHAR, .length = (n)
#define CORM_META_text          .type = CORM_TEXT
#define CORM_META_enum(...)                                                                        \
    .type = CORM_ENUM, .values = (const char *const[])                                             \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define CORM_META_json        .type = CORM_JSON
#define CORM_META_blob        .type = CORM_BLOB
#define CORM_META_uuid        .type = CORM_UUID
#define CORM_META_date        .type = CORM_DATE
#define CORM_META_time        .type = CORM_TIME
#define CORM_META_datetime    .type = CORM_DATETIME
#define CORM_META_timestamp   .type = CORM_TIMESTAMP
#define CORM_META_unsigned(k) .is_unsigned = true, CORM_META_##k
#define CORM_META_nullable(k) .nullable = true, CORM_META_##k
/* clang-format on */

/* ---- Models -------------------------------------------------------------- */

#define CORM_MODEL(T, LIST)              CORM_MODEL_(T, #T, LIST)
#define CORM_MODEL_AS(T, SQL_NAME, LIST) CORM_MODEL_(T, SQL_NAME, LIST)

/* The trailing comma in the macros below makes "no attributes" one empty argument, which strict
 * C11 wants. T_corm_index exists for its offsets: a char per column, so offset == index. */
#define CORM_MODEL_(T, SQL_NAME, LIST)                                                             \
    struct T {                                                                                     \
        LIST(CORM_X_FIELD)                                                                         \
    };                                                                                             \
    struct T##_corm_index {                                                                        \
        LIST(CORM_X_INDEX)                                                                         \
    };                                                                                             \
    struct T##_corm {                                                                              \
        union {                                                                                    \
            const struct corm_table *corm_table;                                                   \
            struct T                *corm_row; /* for its type alone */                            \
        };                                                                                         \
        LIST(CORM_X_HANDLE)                                                                        \
    };                                                                                             \
    /* What the write macros check a row's type against; never made. */                            \
    struct T##_corm_arg {                                                                          \
        struct T row;                                                                              \
        CORM_WRITE_OPTIONS                                                                         \
    };                                                                                             \
    struct T##_corm_upsert_arg {                                                                   \
        struct T row;                                                                              \
        CORM_UPSERT_OPTIONS                                                                        \
    };                                                                                             \
    static const char            T##_corm_sql_name[] __attribute__((unused)) = SQL_NAME;           \
    extern const struct T##_corm T

/* The options of a statement that writes; see statement.h. `id` and `id_later` come first on
 * purpose: one corm_set() too many then meets a pointer and does not compile. */
#define CORM_WRITE_OPTIONS                                                                         \
    int64_t           *id;                                                                         \
    int64_t           *id_later;                                                                   \
    bool               later;                                                                      \
    struct corm_error *error;                                                                      \
    int64_t           *ids;
#define CORM_UPSERT_OPTIONS                                                                        \
    int64_t                         *id;                                                           \
    const struct corm_column *const *by;                                                           \
    const struct corm_assign        *update;                                                       \
    struct corm_error               *error;

#define CORM_X_FIELD(name, ...)         CORM_X_FIELD_(name, __VA_ARGS__, )
#define CORM_X_FIELD_(name, kind, ...)  CORM_FIELD_##kind name;
#define CORM_X_HANDLE(name, ...)        CORM_X_HANDLE_(name, __VA_ARGS__, )
#define CORM_X_HANDLE_(name, kind, ...) CORM_COL_##kind name;
#define CORM_X_INDEX(name, ...)         char name;

/* clang-format off: half a macro each */
/* X does not know T, and the column table needs offsetof(struct T, name). So X is passed half
 * applied: CORM_X_COLUMN(T) opens the initialiser and ends in the name of the macro that takes the
 * (name, kind, ...) that follows. */
#define CORM_DEFINE(...) CORM_DEFINE_(__VA_ARGS__, )
#define CORM_DEFINE_(T, LIST, ...)                                                                 \
    static const struct corm_table  T##_corm_table;                                                \
    static const struct corm_column T##_corm_columns[] = {LIST(CORM_X_COLUMN(T))};                 \
    _Static_assert(sizeof(T##_corm_columns) / sizeof(T##_corm_columns[0]) ==                       \
                       sizeof(struct T##_corm_index),                                              \
                   "CORM_DEFINE(" #T ", ...) has another list than its CORM_MODEL");               \
    static const struct corm_index T##_corm_indexes[] = {__VA_ARGS__{.name = NULL}};               \
    static const struct corm_table T##_corm_table = {                                              \
        .name = T##_corm_sql_name,                                                                 \
        .columns = T##_corm_columns,                                                               \
        .column_count = sizeof(struct T##_corm_index),                                             \
        .row_size = sizeof(struct T),                                                              \
        .indexes = T##_corm_indexes,                                                               \
        .names = LIST(CORM_X_NAME),                                                                \
        .names_sqlite = LIST(CORM_X_NAME_SQLITE),                                                  \
    };                                                                                             \
    const struct T##_corm T = {{&T##_corm_table}, LIST(CORM_X_BIND(T))}

#define CORM_X_COLUMN(T)                                                                           \
    { .table = &T##_corm_table, .offset = __builtin_offsetof(struct T, CORM_X_COLUMN_
#define CORM_X_COLUMN_(name, ...)     name), CORM_X_COLUMN__(name, __VA_ARGS__, )                  \
    }                                                                                              \
    ,
#define CORM_X_COLUMN__(n, kind, ...) .name = #n, CORM_META_##kind, __VA_ARGS__
#define CORM_X_NAME(n, ...)           "`" #n "`, "
#define CORM_X_NAME_SQLITE(n, ...)    "\"" #n "\", "
#define CORM_X_BIND(T)                                                                             \
    { &T##_corm_columns[__builtin_offsetof(struct T##_corm_index, CORM_X_BIND_
#define CORM_X_BIND_(name, ...)       name)]                                                       \
    }                                                                                              \
    ,

/* clang-format on */

/* clang-format off */
/* Behind the list of CORM_DEFINE: CORM_INDEX(T, name, column...) and CORM_UNIQUE(T, name,
 * column...), of 1 to 8 columns of T in the order of the index. */
#define CORM_INDEX(T, NAME, ...)                                                                   \
    { .name = #NAME, .columns = { CORM_OF_INDEX(T, __VA_ARGS__) } }
#define CORM_UNIQUE(T, NAME, ...)                                                                  \
    { .name = #NAME, .unique = true, .columns = { CORM_OF_INDEX(T, __VA_ARGS__) } }
#define CORM_OF_INDEX(T, ...)                                                                      \
    CORM_OF_INDEX_(__VA_ARGS__, CORM_OF_INDEX8, CORM_OF_INDEX7, CORM_OF_INDEX6, CORM_OF_INDEX5,    \
                   CORM_OF_INDEX4, CORM_OF_INDEX3, CORM_OF_INDEX2, CORM_OF_INDEX1, )               \
    (T, __VA_ARGS__)
#define CORM_OF_INDEX_(a, b, c, d, e, f, g, h, NAME, ...) NAME
#define CORM_OF_INDEX1(T, c)      &T##_corm_columns[__builtin_offsetof(struct T##_corm_index, c)],
#define CORM_OF_INDEX2(T, c, ...) CORM_OF_INDEX1(T, c) CORM_OF_INDEX1(T, __VA_ARGS__)
#define CORM_OF_INDEX3(T, c, ...) CORM_OF_INDEX1(T, c) CORM_OF_INDEX2(T, __VA_ARGS__)
#define CORM_OF_INDEX4(T, c, ...) CORM_OF_INDEX1(T, c) CORM_OF_INDEX3(T, __VA_ARGS__)
#define CORM_OF_INDEX5(T, c, ...) CORM_OF_INDEX1(T, c) CORM_OF_INDEX4(T, __VA_ARGS__)
#define CORM_OF_INDEX6(T, c, ...) CORM_OF_INDEX1(T, c) CORM_OF_INDEX5(T, __VA_ARGS__)
#define CORM_OF_INDEX7(T, c, ...) CORM_OF_INDEX1(T, c) CORM_OF_INDEX6(T, __VA_ARGS__)
#define CORM_OF_INDEX8(T, c, ...) CORM_OF_INDEX1(T, c) CORM_OF_INDEX7(T, __VA_ARGS__)

/* For .references: a column of a model that was declared in front, or of this one. */
#define CORM_COLUMN_OF(T, NAME) { &(T).corm_table, &(T).NAME.column }
/* clang-format on */

struct corm_error;

/* A copy of `row` with all its text, in one malloc: free() it. NULL when there is no memory. It
 * outlives the transaction that `row` was read in. Use it as corm_dup(product, &p). */
CORM_API void *corm_dup_(const struct corm_table *table, const void *row);
/* clang-format off: it knows no _Generic */
#define corm_dup(T, in)                                                                            \
    ((struct T *)corm_dup_((T).corm_table + _Generic((in), struct T * : 0, const struct T * : 0),  \
                           (in)))
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
