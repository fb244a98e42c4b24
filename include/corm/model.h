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
 * column type       field in the row struct       in MariaDB and MySQL   in SQLite
 * int               int32_t                       INT                    INTEGER, range checked
 * bigint            int64_t                       BIGINT                 INTEGER
 * bool              bool                          TINYINT(1)             INTEGER, 0 or 1
 * double            double, finite                DOUBLE                 REAL
 * varchar(n)        const char *, n characters    VARCHAR(n)             TEXT, length checked
 * text              const char *, to 4 GiB        LONGTEXT               TEXT
 * datetime          int64_t, microseconds since   DATETIME(6), in UTC    TEXT, in UTC, as
 *                   1970-01-01 00:00:00 UTC,                             2026-01-31 09:05:00.000000
 *                   years 1 to 9999
 *
 * NOT NULL is the rule; nullable(int) and the like are structs { has, value }; a nullable text is a
 * pointer that may be NULL. Text is UTF-8 without NUL.
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
    CORM_INT = 1,
    CORM_BIGINT,
    CORM_BOOL,
    CORM_DOUBLE,
    CORM_VARCHAR,
    CORM_TEXT,
    CORM_DATETIME
};

/* What corm knows of one column. The fields from `sql_name` on may be set in the model's list:
 * X(id, bigint, .pk = 1, .autoinc = 1). */
struct corm_column {
    const char    *name;   /* the C name */
    uint32_t       offset; /* of the field in the row struct, bytes */
    enum corm_type type;
    uint32_t       length; /* of a varchar, in characters; else 0 */
    bool           nullable;
    bool           pk;       /* part of the primary key */
    bool           autoinc;  /* the server generates the value; needs .pk and int or bigint */
    bool           unique;   /* a unique key of this column alone */
    const char    *sql_name; /* NULL: as the C name; 1 to 64 characters */
    const char    *deflt;    /* SQL text of the DEFAULT clause, or NULL */
    bool           version;  /* counts the updates of its row, see below */
    const void    *reserved[1];
};

struct corm_table {
    const char               *name; /* the SQL name */
    const struct corm_column *columns;
    uint32_t                  column_count;
    uint32_t                  row_size; /* sizeof(struct T) */
    const char               *alias;    /* its name within a statement, by CORM_ALIAS(); or NULL */
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
struct corm_time_col {
    const struct corm_column *column;
};

/* A nullable number is not a number until somebody looks at `has`. */
struct corm_opt_int {
    bool    has;
    int32_t value;
};
struct corm_opt_bigint {
    bool    has;
    int64_t value;
};
struct corm_opt_bool {
    bool has;
    bool value;
};
struct corm_opt_double {
    bool   has;
    double value;
};

/* ---- From a column's type to its field, its handle and its description --- */

#define CORM_FIELD_int         int32_t
#define CORM_FIELD_bigint      int64_t
#define CORM_FIELD__Bool       bool /* what `bool` is once <stdbool.h> made a macro of it */
#define CORM_FIELD_bool        bool
#define CORM_FIELD_double      double
#define CORM_FIELD_varchar(n)  const char *
#define CORM_FIELD_text        const char *
#define CORM_FIELD_datetime    int64_t
#define CORM_FIELD_nullable(k) CORM_NFIELD_##k

#define CORM_NFIELD_int        struct corm_opt_int
#define CORM_NFIELD_bigint     struct corm_opt_bigint
#define CORM_NFIELD__Bool      struct corm_opt_bool
#define CORM_NFIELD_bool       struct corm_opt_bool
#define CORM_NFIELD_double     struct corm_opt_double
#define CORM_NFIELD_varchar(n) const char *
#define CORM_NFIELD_text       const char *
#define CORM_NFIELD_datetime   struct corm_opt_bigint

#define CORM_COL_int         struct corm_int_col
#define CORM_COL_bigint      struct corm_int_col
#define CORM_COL__Bool       struct corm_int_col
#define CORM_COL_bool        struct corm_int_col
#define CORM_COL_double      struct corm_real_col
#define CORM_COL_varchar(n)  struct corm_text_col
#define CORM_COL_text        struct corm_text_col
#define CORM_COL_datetime    struct corm_time_col
#define CORM_COL_nullable(k) CORM_COL_##k

#define CORM_META_int         .type = CORM_INT
#define CORM_META_bigint      .type = CORM_BIGINT
#define CORM_META__Bool       .type = CORM_BOOL
#define CORM_META_bool        .type = CORM_BOOL
#define CORM_META_double      .type = CORM_DOUBLE
#define CORM_META_varchar(n)  .type = CORM_VARCHAR, .length = (n)
#define CORM_META_text        .type = CORM_TEXT
#define CORM_META_datetime    .type = CORM_DATETIME
#define CORM_META_nullable(k) .nullable = true, CORM_META_##k

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
    static const char            T##_corm_sql_name[] __attribute__((unused)) = SQL_NAME;           \
    extern const struct T##_corm T

/* The options of a statement that writes; see statement.h. `id` and `id_later` come first on
 * purpose: one corm_set() too many then meets a pointer and does not compile. */
#define CORM_WRITE_OPTIONS                                                                         \
    int64_t           *id;                                                                         \
    int64_t           *id_later;                                                                   \
    bool               later;                                                                      \
    struct corm_error *error;

#define CORM_X_FIELD(name, ...)         CORM_X_FIELD_(name, __VA_ARGS__, )
#define CORM_X_FIELD_(name, kind, ...)  CORM_FIELD_##kind name;
#define CORM_X_HANDLE(name, ...)        CORM_X_HANDLE_(name, __VA_ARGS__, )
#define CORM_X_HANDLE_(name, kind, ...) CORM_COL_##kind name;
#define CORM_X_INDEX(name, ...)         char name;

/* clang-format off: half a macro each */
/* X does not know T, and the column table needs offsetof(struct T, name). So X is passed half
 * applied: CORM_X_COLUMN(T) opens the initialiser and ends in the name of the macro that takes the
 * (name, kind, ...) that follows. */
#define CORM_DEFINE(T, LIST)                                                                       \
    static const struct corm_column T##_corm_columns[] = {LIST(CORM_X_COLUMN(T))};                 \
    _Static_assert(sizeof(T##_corm_columns) / sizeof(T##_corm_columns[0]) ==                       \
                       sizeof(struct T##_corm_index),                                              \
                   "CORM_DEFINE(" #T ", ...) has another list than its CORM_MODEL");               \
    static const struct corm_table T##_corm_table = {                                              \
        .name = T##_corm_sql_name,                                                                 \
        .columns = T##_corm_columns,                                                               \
        .column_count = sizeof(struct T##_corm_index),                                             \
        .row_size = sizeof(struct T),                                                              \
    };                                                                                             \
    const struct T##_corm T = {{&T##_corm_table}, LIST(CORM_X_BIND(T))}

#define CORM_X_COLUMN(T)                                                                           \
    { .offset = __builtin_offsetof(struct T, CORM_X_COLUMN_
#define CORM_X_COLUMN_(name, ...)     name), CORM_X_COLUMN__(name, __VA_ARGS__, )                  \
    }                                                                                              \
    ,
#define CORM_X_COLUMN__(n, kind, ...) .name = #n, CORM_META_##kind, __VA_ARGS__
#define CORM_X_BIND(T)                                                                             \
    { &T##_corm_columns[__builtin_offsetof(struct T##_corm_index, CORM_X_BIND_
#define CORM_X_BIND_(name, ...)       name)]                                                       \
    }                                                                                              \
    ,
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
