/* corm/condition.h -- values, conditions and assignments: what stands behind WHERE and SET.
 *
 *     corm_and(corm_gt(product.stock, 0),
 *              corm_or(corm_like(product.name, "b%"), corm_in(product.id, 1, 2, 3)))
 *
 * A handle and a value that do not belong together do not compile. A condition points at compound
 * literals of the caller's block, so it lives to the end of that block:
 *
 *     right:  rc = corm_first(trx, product, &p, .where = corm_and(a, b));
 *     wrong:  struct corm_expr e; { e = corm_and(a, b); }  ... use e     (its members are gone)
 *
 * One that is put together at run time is built in an arena instead: corm_where_new() below.
 *
 * Values are bound, never pasted into SQL text. A comparison with NULL does not exist: there are
 * corm_is_null() and corm_not_null(). As in SQL a comparison with a column that is NULL is neither
 * true nor false, and corm_not() of it neither. corm_and(), corm_or() and corm_in() without members
 * do not compile; the run-time forms without members are CORM_MISUSE when the statement is made,
 * and so is nesting deeper than 20, where a sub-query counts for 5. An AND or OR, together with those
 * around it, has at most 900 members (CORM_TOO_LARGE): in corm_exists() and in a sub-query half of
 * that, in one inside of that a third, and so on. */
#ifndef CORM_CONDITION_H
#define CORM_CONDITION_H

#include <corm/arena.h>
#include <corm/model.h>
#include <corm/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Conditions and assignments ------------------------------------------- */

enum corm_op {
    CORM_NONE, /* no condition; as a member of another one it is CORM_MISUSE */
    CORM_END,  /* behind the last member of AND, OR, NOT */
    CORM_EQ,
    CORM_NE,
    CORM_LT,
    CORM_LE,
    CORM_GT,
    CORM_GE,
    CORM_LIKE,        /* % and _ are wildcards, ! takes their meaning away: "50!%" */
    CORM_STARTS_WITH, /* these three take the text as it is: no wildcards in it */
    CORM_ENDS_WITH,
    CORM_CONTAINS,
    CORM_IN,       /* one of `list` */
    CORM_IN_LIST,  /* one of the `count` plain C values at `list` */
    CORM_BETWEEN,  /* the two values at `list`, both included */
    CORM_IN_QUERY, /* one of what `query` finds in a column of the table at `list` */
    CORM_EXISTS,   /* `query` finds a row of the table at `list` */
    CORM_IS_NULL,
    CORM_NOT_NULL,
    CORM_AND,
    CORM_OR,
    CORM_NOT,
    CORM_TRUE,   /* every row: corm_everything() */
    CORM_KEYS,   /* no condition: several keys for .key */
    CORM_FAILED, /* put together at run time, and memory ran out */
    CORM_SET,    /* of assignments */
    CORM_ADD,
    CORM_SET_NEW, /* ... of corm_upsert() alone: the value is that of its row */
    CORM_ADD_NEW
};

/* What a run-time list holds; text is const char *. */
enum corm_list_type {
    CORM_LIST_INT32 = 1,
    CORM_LIST_INT64,
    CORM_LIST_DOUBLE,
    CORM_LIST_TEXT,
    CORM_LIST_INT8,
    CORM_LIST_INT16,
    CORM_LIST_UINT8,
    CORM_LIST_UINT16,
    CORM_LIST_UINT32,
    CORM_LIST_UINT64,
    CORM_LIST_FLOAT,
    CORM_LIST_BLOB,
    CORM_LIST_UUID
};

struct corm_expr {
    const struct corm_column *column; /* first, so that a number is none */
    enum corm_op              op;
    enum corm_list_type       list_type; /* of CORM_IN_LIST */
    struct corm_value         value;
    const struct corm_expr   *kids;  /* of AND, OR, NOT; ends with CORM_END */
    const void               *list;  /* of IN: struct corm_value, ends with CORM_V_NONE */
    size_t                    count; /* of CORM_IN_LIST */
    const struct corm_query  *query; /* of a sub-query; see read.h */
    const void               *reserved[2];
};

struct corm_assign {
    const struct corm_column *column; /* NULL ends a list */
    enum corm_op              op;     /* CORM_SET to CORM_ADD_NEW */
    struct corm_value         value;
    const void               *reserved;
};

/* A value inside a column that holds JSON, as a column of its own: see corm_json_int(). */
struct corm_json {
    struct corm_column        column; /* first; its offset is CORM_NO_FIELD */
    const struct corm_column *base;
    const char               *path;
};
#define CORM_NO_FIELD UINT32_MAX

struct corm_order {
    const struct corm_column *column; /* NULL ends a list */
    bool                      desc;
};

/* ---- Conditions put together at run time ---------------------------------- */

struct corm_where;

/* A condition that grows, in an arena; everything that is added is copied into it, sub-queries too,
 * so it lives as long as the arena (and a CORM_ALIAS() in it, which stays where it is).
 *
 *     struct corm_where *w = corm_where_new(arena);
 *     if (name)
 *         corm_where_and(w, corm_eq(product.name, name));
 *     if (max)
 *         corm_where_and(w, corm_le(product.stock, max));
 *     rc = corm_all(db, product, &rows, .where = corm_where(w), .arena = arena);
 *
 * corm_where_and(w, e) makes (w and e), corm_where_or(w, e) makes (w or e); a search that may
 * have no conditions begins with corm_everything(). A statement with a
 * condition to which nothing was added, or for which memory ran out on the way (corm_where_new()
 * returned NULL, too), is refused with CORM_MISUSE or CORM_NO_MEMORY: it never means every row. */
CORM_API struct corm_where *corm_where_new(struct corm_arena *arena);
CORM_API void               corm_where_and(struct corm_where *where, struct corm_expr expr);
CORM_API void               corm_where_or(struct corm_where *where, struct corm_expr expr);
CORM_API struct corm_expr   corm_where(const struct corm_where *where);

/* ---- What stands behind the macros ---------------------------------------- */

static inline struct corm_expr corm_cmp_(const struct corm_column *c, enum corm_op op,
                                         struct corm_value v)
{
    struct corm_expr e = {c, op, CORM_LIST_INT32, v, NULL, NULL, 0, NULL, {NULL, NULL}};
    return e;
}

static inline struct corm_expr corm_in_list_(const struct corm_column *c, enum corm_list_type type,
                                             const void *list, size_t count)
{
    struct corm_expr e = corm_cmp_(c, CORM_IN_LIST, corm_v_null_());
    e.list_type = type;
    e.list = list;
    e.count = count;
    return e;
}

static inline const struct corm_column *corm_json_(struct corm_json         *json,
                                                   const struct corm_column *base, const char *path,
                                                   enum corm_type type)
{
    json->column.name = path;
    json->column.offset = CORM_NO_FIELD;
    json->column.type = type;
    json->column.nullable = true;
    json->base = base;
    json->path = path;
    return &json->column;
}

static inline struct corm_int_col corm_json_int_(struct corm_json         *json,
                                                 const struct corm_column *base, const char *path)
{
    struct corm_int_col c = {corm_json_(json, base, path, CORM_BIGINT)};
    return c;
}

static inline struct corm_real_col corm_json_real_(struct corm_json         *json,
                                                   const struct corm_column *base, const char *path)
{
    struct corm_real_col c = {corm_json_(json, base, path, CORM_DOUBLE)};
    return c;
}

static inline struct corm_text_col corm_json_text_(struct corm_json         *json,
                                                   const struct corm_column *base, const char *path)
{
    struct corm_text_col c = {corm_json_(json, base, path, CORM_TEXT)};
    return c;
}

/* What is no condition does not compile here. */
static inline struct corm_expr corm_condition_(struct corm_expr e)
{
    return e;
}

static inline struct corm_assign corm_assign_(const struct corm_column *c, enum corm_op op,
                                              struct corm_value v)
{
    struct corm_assign a = {c, op, v, NULL};
    return a;
}

/* Every row. What an update or delete of a whole table must say. */
static inline struct corm_expr corm_everything(void)
{
    return corm_cmp_(NULL, CORM_TRUE, corm_v_null_());
}

#ifndef __cplusplus

/* clang-format off: it knows no _Generic */
/* The class of a value or a column: 1 int, 2 real, 3 text, 4 datetime, 5 float, 6 decimal, 7 blob,
 * 8 date, 9 time, 10 json, 11 enum, 12 uuid; 0 if it is neither. */
#define CORM_CLASS(x)                                                                              \
    _Generic((x), struct corm_int_col : 1, struct corm_real_col : 2, struct corm_text_col : 3,     \
             struct corm_time_col : 4, struct corm_float_col : 5, struct corm_decimal_col : 6,     \
             struct corm_blob_col : 7, struct corm_date_col : 8, struct corm_clock_col : 9,        \
             struct corm_json_col : 10, struct corm_enum_col : 11, struct corm_uuid_col : 12,      \
             _Bool : 1, char : 1, signed char : 1, unsigned char : 1, short : 1,                   \
             unsigned short : 1, int : 1, unsigned : 1, long : 1, unsigned long : 1,               \
             long long : 1, unsigned long long : 1, float : 5, double : 2, char * : 3,             \
             const char * : 3, struct corm_blob : 7, struct corm_uuid : 12, default : 0)

/* What may stand beside a column, one bit each: columns 0 int, 1 real, 2 text, 3 datetime, 4 float, 5
 * decimal, 6 blob, 7 date, 8 time, 9 json, 10 enum, 11 uuid; values 16 integers, 17 float, 18 double,
 * 19 text, 20 blob, 21 uuid. So: its own class; a float or an integer beside a real column, an integer
 * beside a float column; an integer that is no column beside a decimal, or (microseconds) beside a
 * datetime, date or time; a text that is no column beside a decimal, json or enum. 0: no column. */
#define CORM_TAKES(col)                                                                            \
    _Generic((col), struct corm_int_col : 0x10001, struct corm_real_col : 0x70013,                 \
             struct corm_text_col : 0x80004, struct corm_time_col : 0x10008,                       \
             struct corm_float_col : 0x30011, struct corm_decimal_col : 0x90020,                   \
             struct corm_blob_col : 0x100040, struct corm_date_col : 0x10080,                      \
             struct corm_clock_col : 0x10100, struct corm_json_col : 0x80200,                      \
             struct corm_enum_col : 0x80400, struct corm_uuid_col : 0x200800, default : 0)
#define CORM_KIND(x)                                                                               \
    _Generic((x), struct corm_int_col : 0, struct corm_real_col : 1, struct corm_text_col : 2,     \
             struct corm_time_col : 3, struct corm_float_col : 4, struct corm_decimal_col : 5,     \
             struct corm_blob_col : 6, struct corm_date_col : 7, struct corm_clock_col : 8,        \
             struct corm_json_col : 9, struct corm_enum_col : 10, struct corm_uuid_col : 11,       \
             _Bool : 16, char : 16, signed char : 16, unsigned char : 16, short : 16,              \
             unsigned short : 16, int : 16, unsigned : 16, long : 16, unsigned long : 16,          \
             long long : 16, unsigned long long : 16, float : 17, double : 18, char * : 19,        \
             const char * : 19, struct corm_blob : 20, struct corm_uuid : 21, default : 30)

#define CORM_IS_COLUMN(x)   (CORM_TAKES(x) != 0)
#define CORM_FITS(col, val) (CORM_TAKES(col) >> CORM_KIND(val) & 1)

#define CORM_VALUE(x)                                                                              \
    (_Generic((x),                                                                                 \
        struct corm_int_col: corm_v_icol_,                                                         \
        struct corm_real_col: corm_v_rcol_,                                                        \
        struct corm_text_col: corm_v_tcol_,                                                        \
        struct corm_time_col: corm_v_dcol_,                                                        \
        struct corm_float_col: corm_v_floatcol_,                                                   \
        struct corm_decimal_col: corm_v_decimalcol_,                                               \
        struct corm_blob_col: corm_v_blobcol_,                                                     \
        struct corm_date_col: corm_v_datecol_,                                                     \
        struct corm_clock_col: corm_v_clockcol_,                                                   \
        struct corm_json_col: corm_v_jsoncol_,                                                     \
        struct corm_enum_col: corm_v_enumcol_,                                                     \
        struct corm_uuid_col: corm_v_uuidcol_,                                                     \
        unsigned long: corm_v_uint_,                                                               \
        unsigned long long: corm_v_uint_,                                                          \
        float: corm_v_real_,                                                                       \
        double: corm_v_real_,                                                                      \
        char *: corm_v_text_,                                                                      \
        const char *: corm_v_text_,                                                                \
        struct corm_blob: corm_v_blob_,                                                            \
        struct corm_uuid: corm_v_uuid_,                                                            \
        default: corm_v_int_)(x))

/* clang-format on */

/* Whether a column's values have an order: those of an enum and of json have one that differs from
 * server to server, and from a comparison to a sort. */
#define CORM_HAS_ORDER(col) ((CORM_TAKES(col) & 0x9FF) != 0)

/* 0 if `val` fits `col`; otherwise the build stops here. Clang prints a failed condition in full,
 * so it gets a check that has none to print. */
#ifdef __clang__
#define CORM_CHECK(col, val)                                                                       \
    (0 * sizeof(struct {                                                                           \
         char left_side_is_not_a_column[CORM_IS_COLUMN(col) ? 1 : -1];                             \
         char value_has_the_wrong_type_for_this_column[CORM_FITS(col, val) ? 1 : -1];              \
     }))
#define CORM_CHECK_VALUE(val)                                                                      \
    (0 * sizeof(struct {                                                                           \
         char this_is_no_value[CORM_CLASS(val) != 0 && !CORM_IS_COLUMN(val) ? 1 : -1];             \
     }))
#define CORM_CHECK_CLASS(col, ok)                                                                  \
    (0 * sizeof(struct { char this_is_not_possible_with_a_column_of_this_type[(ok) ? 1 : -1]; }))
#else
#define CORM_CHECK(col, val)                                                                       \
    (0 * sizeof(struct {                                                                           \
         _Static_assert(CORM_IS_COLUMN(col), #col " is not a column");                             \
         _Static_assert(CORM_FITS(col, val), #val " has the wrong type for column " #col);         \
         char dummy;                                                                               \
     }))
#define CORM_CHECK_VALUE(val)                                                                      \
    (0 * sizeof(struct {                                                                           \
         _Static_assert(CORM_CLASS(val) != 0 && !CORM_IS_COLUMN(val), #val " is no value");        \
         char dummy;                                                                               \
     }))
#define CORM_CHECK_CLASS(col, ok)                                                                  \
    (0 * sizeof(struct {                                                                           \
         _Static_assert(ok, "this is not possible with a column of the type of " #col);            \
         char dummy;                                                                               \
     }))
#endif

#define CORM_CMP(col, op, val) corm_cmp_((col).column + CORM_CHECK(col, val), op, CORM_VALUE(val))
#define CORM_CMP_TEXT(col, op, val)                                                                \
    corm_cmp_((col).column + CORM_CHECK(col, val) + CORM_CHECK_CLASS(col, CORM_CLASS(col) == 3),   \
              op, CORM_VALUE(val))
#define CORM_CMP_ORDER(col, op, val)                                                               \
    corm_cmp_((col).column + CORM_CHECK(col, val) + CORM_CHECK_CLASS(col, CORM_HAS_ORDER(col)),    \
              op, CORM_VALUE(val))

/* ---- Comparisons ----------------------------------------------------------
 *
 * The value of a comparison is a C value or another column of the same class. NULL as a text or
 * blob is CORM_MISUSE when the statement is made. corm_lt(), corm_le(), corm_gt(), corm_ge()
 * and corm_between(), corm_asc() and corm_desc() are not for enum and json columns. */
#define corm_eq(col, val) CORM_CMP(col, CORM_EQ, val)
#define corm_ne(col, val) CORM_CMP(col, CORM_NE, val)
#define corm_lt(col, val) CORM_CMP_ORDER(col, CORM_LT, val)
#define corm_le(col, val) CORM_CMP_ORDER(col, CORM_LE, val)
#define corm_gt(col, val) CORM_CMP_ORDER(col, CORM_GT, val)
#define corm_ge(col, val) CORM_CMP_ORDER(col, CORM_GE, val)

/* low <= col and col <= high; with low > high it matches nothing. */
#define corm_between(col, low, high)                                                               \
    ((struct corm_expr){.op = CORM_BETWEEN,                                                        \
                        .column = (col).column + CORM_CHECK(col, low) + CORM_CHECK(col, high) +    \
                                  CORM_CHECK_CLASS(col, CORM_HAS_ORDER(col)),                      \
                        .list = (const struct corm_value[]){                                       \
                            CORM_VALUE(low), CORM_VALUE(high), {.kind = CORM_V_NONE}}})

/* Patterns, of text columns only. In corm_like() % stands for any text and _ for one character; !
 * in front of %, _ or ! takes their meaning away, and may not be the last of a pattern. The other three escape for
 * you, and take a text, no column. A pattern has at most 50,000 bytes. Tables that corm creates
 * compare text byte by byte, so upper and lower case differ, in LIKE too; tables made by others
 * have the rules of their collation on MariaDB and MySQL. */
#define corm_like(col, pattern)     CORM_CMP_TEXT(col, CORM_LIKE, pattern)
#define corm_starts_with(col, text) CORM_CMP_TEXT(col, CORM_STARTS_WITH, text)
#define corm_ends_with(col, text)   CORM_CMP_TEXT(col, CORM_ENDS_WITH, text)
#define corm_contains(col, text)    CORM_CMP_TEXT(col, CORM_CONTAINS, text)

#define corm_is_null(col)                                                                          \
    corm_cmp_((col).column + CORM_CHECK(col, col), CORM_IS_NULL, corm_v_null_())
#define corm_not_null(col)                                                                         \
    corm_cmp_((col).column + CORM_CHECK(col, col), CORM_NOT_NULL, corm_v_null_())

/* All of them, one of them, not this. */
#define corm_and(...)  CORM_JOINED(CORM_AND, __VA_ARGS__)
#define corm_or(...)   CORM_JOINED(CORM_OR, __VA_ARGS__)
#define corm_not(expr) CORM_JOINED(CORM_NOT, expr)
#define CORM_JOINED(how, ...)                                                                      \
    ((struct corm_expr){.op = (how),                                                               \
                        .kids = (const struct corm_expr[]){__VA_ARGS__, {.op = CORM_END}}})

/* Several keys of a transaction (.key): up to 16, the first one decides the lane. */
#define corm_keys(...) CORM_JOINED(CORM_KEYS, __VA_ARGS__)

/* corm_any_of(corm_contains, "x", product.name, product.note): the comparison holds for one of up to
 * 16 columns. corm_all_of(corm_gt, 0, product.stock, product.barcode): for each. Any comparison of a
 * column with one value will do. */
#define corm_any_of(compare, val, ...) CORM_EACH(CORM_OR, (compare, val), __VA_ARGS__)
#define corm_all_of(compare, val, ...) CORM_EACH(CORM_AND, (compare, val), __VA_ARGS__)
#define CORM_EACH(how, pair, ...)                                                                  \
    ((struct corm_expr){.op = (how),                                                               \
                        .kids = (const struct corm_expr[]){                                        \
                            CORM_MAP(CORM_EACH_COLUMN, pair, __VA_ARGS__){.op = CORM_END}}})
#define CORM_EACH_COLUMN(pair, col)           CORM_EACH_APPLIED(col, CORM_EACH_PAIR pair)
#define CORM_EACH_PAIR(compare, val)          compare, val
#define CORM_EACH_APPLIED(...)                CORM_EACH_COMPARED(__VA_ARGS__)
#define CORM_EACH_COMPARED(col, compare, val) compare(col, val),

/* corm_json_int(product.info, "$.size.width"): a value inside a json column, or a text column that
 * holds JSON, for use wherever a column may be compared or sorted by:
 *
 *     corm_ge(corm_json_int(product.info, "$.size"), 5)
 *
 * The path is $, then .name, ."any name" or [number], as often as needed. Types are strict: _int
 * finds whole numbers only, _real all numbers, _text texts only, which compare byte by byte; all
 * else, a path that leads nowhere and a text that is no JSON are NULL. It lives to the end of its
 * block. A path of another form is CORM_MISUSE when the statement is made. */
#define corm_json_int(col, where)  CORM_JSON_OF(corm_json_int_, col, where)
#define corm_json_real(col, where) CORM_JSON_OF(corm_json_real_, col, where)
#define corm_json_text(col, where) CORM_JSON_OF(corm_json_text_, col, where)
#define CORM_JSON_OF(make, col, where)                                                             \
    make(&(struct corm_json){.path = NULL},                                                        \
         (col).column + CORM_CHECK_CLASS(col, CORM_CLASS(col) == 3 || CORM_CLASS(col) == 10),      \
         (where))

/* corm_in(product.id, 1, 2, 3): one of up to 16 values, each checked. */
#define corm_in(col, ...)                                                                          \
    ((struct corm_expr){.op = CORM_IN,                                                             \
                        .column = (col).column,                                                    \
                        .list = (const struct corm_value[]){                                       \
                            CORM_MAP(CORM_LISTED, col, __VA_ARGS__){.kind = CORM_V_NONE}}})
#define CORM_LISTED(col, v) ((void)CORM_CHECK(col, v), CORM_VALUE(v)),

/* clang-format off */
/* corm_in_list(product.id, ids, n): one of the `n` values of an array. It is of int8_t to int64_t, uint8_t to
 * uint64_t, float, double, const char *, struct corm_blob or struct corm_uuid, read when the statement is made.
 * No values are CORM_MISUSE: what matches nothing need not be asked for. A statement takes 32,000
 * values, in lists or not; more are CORM_TOO_LARGE. */
#define corm_in_list(col, values, n)                                                               \
    corm_in_list_((col).column + CORM_CHECK(col, (values)[0]),                                     \
                  _Generic((values)[0],                                                            \
                      int32_t: CORM_LIST_INT32,                                                    \
                      int64_t: CORM_LIST_INT64,                                                    \
                      double: CORM_LIST_DOUBLE,                                                    \
                      char *: CORM_LIST_TEXT,                                                      \
                      const char *: CORM_LIST_TEXT,                                                \
                      int8_t: CORM_LIST_INT8,                                                      \
                      int16_t: CORM_LIST_INT16,                                                    \
                      uint8_t: CORM_LIST_UINT8,                                                    \
                      uint16_t: CORM_LIST_UINT16,                                                  \
                      uint32_t: CORM_LIST_UINT32,                                                  \
                      uint64_t: CORM_LIST_UINT64,                                                  \
                      float: CORM_LIST_FLOAT,                                                      \
                      struct corm_blob: CORM_LIST_BLOB,                                            \
                      struct corm_uuid: CORM_LIST_UUID),                                           \
                  (values), (n))
/* clang-format on */

/* column = value, column = NULL (nullable columns only), column = column + value (integers, double
 * and decimal only: servers disagree about what a sum of floats is). */
#define corm_set(col, val)                                                                         \
    corm_assign_((col).column + CORM_CHECK(col, val), CORM_SET, CORM_VALUE(val))
#define corm_set_null(col)                                                                         \
    corm_assign_((col).column + CORM_CHECK(col, col), CORM_SET, corm_v_null_())
#define CORM_CAN_ADD(col) (CORM_CLASS(col) == 1 || CORM_CLASS(col) == 2 || CORM_CLASS(col) == 6)
#define corm_add(col, val)                                                                         \
    corm_assign_((col).column + CORM_CHECK(col, val) + CORM_CHECK_CLASS(col, CORM_CAN_ADD(col)),   \
                 CORM_ADD, CORM_VALUE(val))

/* In the .update list of corm_upsert(): column = what the row has in it, column = column + that. */
#define corm_set_new(col)                                                                          \
    corm_assign_((col).column + CORM_CHECK(col, col), CORM_SET_NEW, corm_v_null_())
#define corm_add_new(col)                                                                          \
    corm_assign_((col).column + CORM_CHECK(col, col) + CORM_CHECK_CLASS(col, CORM_CAN_ADD(col)),   \
                 CORM_ADD_NEW, corm_v_null_())

#define corm_asc(col)                                                                              \
    {                                                                                              \
        (col).column + CORM_CHECK_CLASS(col, CORM_HAS_ORDER(col)), false                           \
    }
#define corm_desc(col)                                                                             \
    {                                                                                              \
        (col).column + CORM_CHECK_CLASS(col, CORM_HAS_ORDER(col)), true                            \
    }

/* M(a, x) for each of up to 16 x. */
#define CORM_MAP(M, a, ...)                                                                        \
    CORM_MAP_PICK(__VA_ARGS__, CORM_MAP16, CORM_MAP15, CORM_MAP14, CORM_MAP13, CORM_MAP12,         \
                  CORM_MAP11, CORM_MAP10, CORM_MAP9, CORM_MAP8, CORM_MAP7, CORM_MAP6, CORM_MAP5,   \
                  CORM_MAP4, CORM_MAP3, CORM_MAP2, CORM_MAP1, )                                    \
    (M, a, __VA_ARGS__)
#define CORM_MAP_PICK(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, NAME, ...) NAME
#define CORM_MAP1(M, a, x)                                                       M(a, x)
#define CORM_MAP2(M, a, x, ...)                                                  M(a, x) CORM_MAP1(M, a, __VA_ARGS__)
#define CORM_MAP3(M, a, x, ...)                                                  M(a, x) CORM_MAP2(M, a, __VA_ARGS__)
#define CORM_MAP4(M, a, x, ...)                                                  M(a, x) CORM_MAP3(M, a, __VA_ARGS__)
#define CORM_MAP5(M, a, x, ...)                                                  M(a, x) CORM_MAP4(M, a, __VA_ARGS__)
#define CORM_MAP6(M, a, x, ...)                                                  M(a, x) CORM_MAP5(M, a, __VA_ARGS__)
#define CORM_MAP7(M, a, x, ...)                                                  M(a, x) CORM_MAP6(M, a, __VA_ARGS__)
#define CORM_MAP8(M, a, x, ...)                                                  M(a, x) CORM_MAP7(M, a, __VA_ARGS__)
#define CORM_MAP9(M, a, x, ...)                                                  M(a, x) CORM_MAP8(M, a, __VA_ARGS__)
#define CORM_MAP10(M, a, x, ...)                                                 M(a, x) CORM_MAP9(M, a, __VA_ARGS__)
#define CORM_MAP11(M, a, x, ...)                                                 M(a, x) CORM_MAP10(M, a, __VA_ARGS__)
#define CORM_MAP12(M, a, x, ...)                                                 M(a, x) CORM_MAP11(M, a, __VA_ARGS__)
#define CORM_MAP13(M, a, x, ...)                                                 M(a, x) CORM_MAP12(M, a, __VA_ARGS__)
#define CORM_MAP14(M, a, x, ...)                                                 M(a, x) CORM_MAP13(M, a, __VA_ARGS__)
#define CORM_MAP15(M, a, x, ...)                                                 M(a, x) CORM_MAP14(M, a, __VA_ARGS__)
#define CORM_MAP16(M, a, x, ...)                                                 M(a, x) CORM_MAP15(M, a, __VA_ARGS__)

#endif /* !__cplusplus */

#ifdef __cplusplus
}
#endif
#endif
