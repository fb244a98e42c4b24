/* corm/read.h -- reading from several tables, in groups, and in pages.
 *
 *     struct order   *orders;
 *     struct product *products;
 *     rc = corm_all(db, order, &orders,
 *                   .join  = corm_joins(corm_join(product, &products,
 *                                                 corm_eq(order.product_id, product.id))),
 *                   .where = corm_gt(product.stock, 0), .arena = arena);
 *     ... orders[i] and products[i] belong together
 *
 *     rc = corm_sum(db, order, order.qty, &pieces, .where = corm_eq(order.product_id, 7));
 *
 *     rc = corm_select(db, sales, &rows, order,
 *                      corm_columns(corm_as(sales.product_id, order.product_id),
 *                                   corm_as_sum(sales.pieces, order.qty)),
 *                      .group  = corm_by(order.product_id),
 *                      .having = corm_gt(sales.pieces, 10), .arena = arena);
 *
 * What statement.h says of reads holds here, too. All handles are typed; a handle of a table that
 * the statement does not name compiles, and is CORM_MISUSE when the statement is made. What an
 * option has no meaning for in a call is CORM_MISUSE, too: nothing is left out in silence. */
#ifndef CORM_READ_H
#define CORM_READ_H

#include <corm/statement.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Joins ---------------------------------------------------------------- */

#define CORM_JOIN_MAX 8 /* tables beside the first */

struct corm_join {
    const struct corm_table *table; /* NULL ends a list */
    void                    *out;
    int                      depth; /* of pointers in `out`; 0: no rows are wanted */
    bool                     left;
    struct corm_expr         on;
    const void              *reserved[2];
};

/* ---- Chosen columns and groups -------------------------------------------- */

enum corm_aggregate {
    CORM_PLAIN, /* the column as it is */
    CORM_COUNT_ROWS,
    CORM_COUNT,
    CORM_COUNT_DISTINCT,
    CORM_SUM,
    CORM_MIN,
    CORM_MAX,
    CORM_AVG
};

struct corm_choice {
    const struct corm_column *into; /* of the result's model; NULL ends a list */
    enum corm_aggregate       how;
    const struct corm_column *column;
    const void               *reserved;
};

#define CORM_GROUP_MAX 16

/* ---- A second read -------------------------------------------------------- */

struct corm_union {
    bool              all;
    struct corm_query query;
};

/* ---- The functions behind the macros -------------------------------------- */

CORM_API const void *corm_alias_(void *handles, struct corm_column *columns,
                                 struct corm_table *table, const char *name);
CORM_API int         corm_number_(struct corm_on on, const struct corm_table *table, void *out,
                                  enum corm_aggregate how, const struct corm_column *column,
                                  const struct corm_query *query);
CORM_API int64_t     corm_count_distinct_(struct corm_on on, const struct corm_table *table,
                                          const struct corm_column *column,
                                          const struct corm_query  *query);
CORM_API int         corm_select_(struct corm_on on, const struct corm_table *into, void *rows,
                                  const struct corm_table *table, const struct corm_query *query);
CORM_API int         corm_explain_(struct corm_on on, struct corm_rows *rows,
                                   const struct corm_table *table, const struct corm_query *query);
CORM_API int         corm_sql_into_(struct corm_on on, const struct corm_table *into, void *rows,
                                    const struct corm_sql_args *args);

static inline struct corm_join corm_join_(const struct corm_table *table, void *out, int depth,
                                          bool left, struct corm_expr on)
{
    struct corm_join j = {table, out, depth, left, on, {NULL, NULL}};
    return j;
}

static inline struct corm_choice corm_choice_(const struct corm_column *into,
                                              enum corm_aggregate       how,
                                              const struct corm_column *column)
{
    struct corm_choice c = {into, how, column, NULL};
    return c;
}

static inline struct corm_expr corm_query_(enum corm_op op, const struct corm_column *column,
                                           const struct corm_table  *table,
                                           const struct corm_column *found,
                                           const struct corm_query  *query)
{
    struct corm_expr e = corm_cmp_(column, op, corm_v_column_(found));
    e.list = table;
    e.query = query;
    return e;
}

static inline struct corm_after corm_after_(const struct corm_table *table, const void *row)
{
    struct corm_after a = {table, row};
    return a;
}

#ifndef __cplusplus

/* ---- Joins ----------------------------------------------------------------
 *
 * .join = corm_joins(corm_join(...), corm_left_join(...), ...): up to CORM_JOIN_MAX tables, each
 * joined to those in front of it. .where and .order may name columns of all.
 *
 * corm_join(T, out, on): the rows of T for which `on` holds. For corm_first() `out` is a struct T
 * *, which is filled as the row itself is; for corm_all() a struct T **, an array with as many
 * elements as there are rows. corm_left_join(T, out, on) also leaves rows in that have no partner:
 * its `out` has one more *, and what it holds is NULL where there is none:
 *
 *     struct employee *all, **bosses;
 *     CORM_ALIAS(boss, employee);
 *     rc = corm_all(db, employee, &all,
 *                   .join = corm_joins(corm_left_join(boss, &bosses,
 *                                                     corm_eq(employee.boss_id, boss.id))), ...);
 *     printf("%s: %s\n", all[i].name, bosses[i] != NULL ? bosses[i]->name : "nobody");
 *
 * With NULL as `out` no rows of T come back: so it is with corm_count(), corm_exists(), the
 * numbers, corm_select() and sub-queries. A left join with rows wants a model with a column that is
 * NOT NULL. .lock locks the rows of all tables. */
#define corm_joins(...) ((const struct corm_join[]){__VA_ARGS__, {.table = NULL}})

#define corm_join(T, out, on)                                                                      \
    corm_join_((T).corm_table, (out), CORM_JOIN_DEPTH(T, out), false, (on))
#define corm_left_join(T, out, on)                                                                 \
    corm_join_((T).corm_table, (out), CORM_LEFT_DEPTH(T, out), true, (on))

/* clang-format off: it knows no _Generic */
#define CORM_JOIN_DEPTH(T, out)                                                                    \
    _Generic((out), CORM_ROW_TYPE(T) : 1, CORM_ROW_TYPE(T) * : 2, void * : 0)
#define CORM_LEFT_DEPTH(T, out)                                                                    \
    _Generic((out), CORM_ROW_TYPE(T) * : 1, CORM_ROW_TYPE(T) * * : 2, void * : 0)
/* clang-format on */

/* CORM_ALIAS(boss, employee); in a block: a second handle of the model, named `boss` in SQL, for a
 * table that a statement names twice. Its rows are struct employee. It lives to the end of the
 * block, and belongs into reads and sub-queries; what writes takes no alias. */
#define CORM_ALIAS(A, T)                                                                           \
    struct corm_column    A##_corm_columns[sizeof(struct T##_corm_index)];                         \
    struct corm_table     A##_corm_table;                                                          \
    const struct T##_corm A = *(const struct T##_corm *)corm_alias_(                               \
        &(struct T##_corm){.corm_table = (T).corm_table}, A##_corm_columns, &A##_corm_table, #A)

/* ---- Sub-queries ----------------------------------------------------------
 *
 * corm_in_query(product.id, order, order.product_id, options...): one of what is found in that
 * column; a NULL among it is passed over, so that corm_not() of it means what it says.
 * corm_exists_query(order, options...): whether there is a row. Both take .where and .join only,
 * and are conditions like all others, in updates and deletes too. Their conditions may name columns
 * of the statement around them; a table that is named there already wants a CORM_ALIAS(). On
 * MySQL the table of an update or delete in its sub-queries is CORM_UNSUPPORTED. */
#define corm_in_query(col, T, ...) CORM_IN_QUERY_OF(col, T, __VA_ARGS__, )
#define CORM_IN_QUERY_OF(col, T, found, ...)                                                       \
    corm_query_(CORM_IN_QUERY, (col).column + CORM_CHECK(col, found),                              \
                (T).corm_table + CORM_IS_MODEL(T), (found).column + CORM_CHECK(found, found),      \
                CORM_QUERY(.row = NULL, __VA_ARGS__))
#define corm_exists_query(...)                                                                     \
    corm_query_(CORM_EXISTS, NULL,                                                                 \
                CORM_HEAD(__VA_ARGS__, 0).corm_table + CORM_IS_MODEL(CORM_HEAD(__VA_ARGS__, 0)),   \
                NULL, CORM_QUERY(.row = &__VA_ARGS__))

/* ---- One number -----------------------------------------------------------
 *
 * corm_sum(on, T, col, &out, options...), corm_avg(), corm_min(), corm_max(): one value of a column
 * of all rows that .where and .join leave. Return 1, or 0 where there is none because there are no
 * rows or only NULLs: *out is then left as it was. What fits:
 *
 *     column                            corm_sum         corm_avg    corm_min, corm_max
 *     tinyint to bigint, bool           int64_t *        double *    int64_t *
 *     float, double                     double *         double *    double *
 *     decimal                           const char **    double *    const char **
 *     char, varchar, text               -                -           const char **
 *     date, time, datetime, timestamp   -                -           int64_t *
 *     blob                              -                -           struct corm_blob *
 *     uuid                              -                -           struct corm_uuid *
 *     enum, json                        -                -           -
 *
 * Texts and blobs live in the arena. Sums of whole numbers and of decimals are exact. Beyond 64 bits
 * of a sign that of whole numbers is CORM_OUT_OF_RANGE, and so are a least or greatest unsigned number
 * there; on SQLite also a sum that is beyond them on the way only, and a sum of decimals, which are
 * whole numbers there. An average is always a double, and not rounded to four digits, as MariaDB
 * would; of decimals it is as near as doubles are.
 *
 * corm_count_distinct(on, T, col, options...): how many different values, NULLs not counted, as
 * int64_t. */
#define corm_sum(on, T, col, ...)                                                                  \
    CORM_NUMBER(on, T, CORM_SUM, CORM_ADDS(CORM_CLASS(col)), CORM_SUM_FITS, col, __VA_ARGS__)
#define corm_avg(on, T, col, ...)                                                                  \
    CORM_NUMBER(on, T, CORM_AVG, CORM_ADDS(CORM_CLASS(col)), CORM_AVG_FITS, col, __VA_ARGS__)
#define corm_min(on, T, col, ...)                                                                  \
    CORM_NUMBER(on, T, CORM_MIN, CORM_HAS_ORDER(col), CORM_MIN_FITS, col, __VA_ARGS__)
#define corm_max(on, T, col, ...)                                                                  \
    CORM_NUMBER(on, T, CORM_MAX, CORM_HAS_ORDER(col), CORM_MIN_FITS, col, __VA_ARGS__)

#define CORM_NUMBER(on, T, how, possible, fits, col, ...)                                          \
    corm_number_(CORM_ON(on), (T).corm_table + CORM_IS_MODEL(T), CORM_HEAD(__VA_ARGS__, 0), (how), \
                 (col).column + CORM_CHECK(col, col) + CORM_CHECK_CLASS(col, possible) +           \
                     CORM_CHECK_OUT(fits(CORM_CLASS(col), CORM_HEAD(__VA_ARGS__, 0))),             \
                 CORM_QUERY(.row = __VA_ARGS__))

/* clang-format off: it knows no _Generic */
#define CORM_OUT_CLASS(out)                                                                        \
    _Generic((out), int64_t * : 1, double * : 2, const char ** : 3, struct corm_blob * : 7,        \
             struct corm_uuid * : 12, default : 0)
/* clang-format on */

/* Of the classes of columns (condition.h): those that can be added, and what their values are given
 * as; -1: they have no order. */
#define CORM_ADDS(class) ((class) == 1 || (class) == 2 || (class) == 5 || (class) == 6)
#define CORM_GIVEN_AS(class)                                                                       \
    ((class) == 4 || (class) == 8 || (class) == 9 ? 1                                              \
     : (class) == 5                               ? 2                                              \
     : (class) == 6                               ? 3                                              \
     : (class) == 10 || (class) == 11             ? -1                                             \
                                                  : (class))
#define CORM_SUM_FITS(class, out) (CORM_ADDS(class) && CORM_GIVEN_AS(class) == CORM_OUT_CLASS(out))
#define CORM_AVG_FITS(class, out) (CORM_ADDS(class) && CORM_OUT_CLASS(out) == 2)
#define CORM_MIN_FITS(class, out) (CORM_GIVEN_AS(class) == CORM_OUT_CLASS(out))
#ifdef __clang__
#define CORM_CHECK_OUT(ok)                                                                         \
    (0 * sizeof(struct { char the_result_has_the_wrong_type_for_this_column[(ok) ? 1 : -1]; }))
#else
#define CORM_CHECK_OUT(ok)                                                                         \
    (0 * sizeof(struct {                                                                           \
         _Static_assert(ok, "the result has the wrong type for this column");                      \
         char dummy;                                                                               \
     }))
#endif

#define corm_count_distinct(on, T, ...) CORM_COUNT_DISTINCT_OF(on, T, __VA_ARGS__, )
#define CORM_COUNT_DISTINCT_OF(on, T, col, ...)                                                    \
    corm_count_distinct_(CORM_ON(on), (T).corm_table + CORM_IS_MODEL(T),                           \
                         (col).column + CORM_CHECK(col, col),                                      \
                         CORM_QUERY(.row = NULL, __VA_ARGS__))

/* ---- Chosen columns and groups --------------------------------------------
 *
 * corm_select(on, R, &rows, T, corm_columns(...), options...): rows of a result of your own. R is
 * declared by CORM_MODEL and CORM_DEFINE, like a table, but need not be one; each of its columns is
 * chosen exactly once, from T or a table that is joined:
 *
 *     corm_as(R.x, T.y)                  the column as it is, of the same class
 *     corm_as_count(R.x)                 how many rows
 *     corm_as_count_of(R.x, T.y)         how many values that are not NULL
 *     corm_as_count_distinct(R.x, T.y)   how many different ones
 *     corm_as_sum(R.x, T.y)              of whole numbers, reals (R.x is a double) and decimals
 *     corm_as_min(R.x, T.y), corm_as_max(R.x, T.y): of the same class, but no enum and no json
 *     corm_as_avg(R.x, T.y)              R.x is a double
 *
 * A decimal is chosen for one with as many digits behind the point, and a sum wants more in front.
 *
 * Returns how many rows came, in an array in the arena. .group = corm_by(T.y, ...): one row for
 * each different combination of up to CORM_GROUP_MAX columns; a column that is chosen as it is
 * beside a number must be among them. .having is a condition on groups. .distinct = true: equal
 * rows once. .having and .order name columns of R by what stands for them, and of T only where they
 * are grouped by, or where there are neither groups nor .distinct. A number of no values (a sum,
 * min, max, avg without rows or of NULLs alone) is NULL: take a nullable column where that may
 * happen, else it is CORM_BAD_VALUE. A sum beyond 64 bits is CORM_BAD_VALUE or CORM_OUT_OF_RANGE.
 * There is no .lock here: the rows of a result are no rows of a
 * table (CORM_UNSUPPORTED). */
#define corm_select(on, R, out, T, ...)                                                            \
    corm_select_(CORM_ON(on), (R).corm_table + CORM_ARRAY_OF(R, out), (out),                       \
                 (T).corm_table + CORM_IS_MODEL(T) + CORM_CHOICE_OF(CORM_HEAD(__VA_ARGS__, 0)),    \
                 CORM_QUERY(.choose = __VA_ARGS__))

#define corm_columns(...) ((const struct corm_choice[]){__VA_ARGS__, {.into = NULL}})
/* clang-format off: it knows no _Generic */
#define CORM_CHOICE_OF(choices) _Generic((choices), const struct corm_choice * : 0)
/* clang-format on */

#define corm_as(to, col)                CORM_AS(to, CORM_PLAIN, col, CORM_CHECK(to, col))
#define corm_as_count(to)               corm_choice_((to).column + CORM_CHECK_COUNT(to), CORM_COUNT_ROWS, NULL)
#define corm_as_count_of(to, col)       CORM_AS(to, CORM_COUNT, col, CORM_CHECK_COUNT(to))
#define corm_as_count_distinct(to, col) CORM_AS(to, CORM_COUNT_DISTINCT, col, CORM_CHECK_COUNT(to))
#define CORM_CHECK_COUNT(to)            CORM_CHECK(to, to) + CORM_CHECK_CLASS(to, CORM_CLASS(to) == 1)
#define corm_as_sum(to, col)                                                                       \
    CORM_AS(to, CORM_SUM, col,                                                                     \
            CORM_CHECK(to, col) + CORM_CHECK_CLASS(col, CORM_ADDS(CORM_CLASS(col))) +              \
                CORM_CHECK_CLASS(to, CORM_CLASS(to) != 5))
#define corm_as_min(to, col)     CORM_AS(to, CORM_MIN, col, CORM_CHECK_ENDS(to, col))
#define corm_as_max(to, col)     CORM_AS(to, CORM_MAX, col, CORM_CHECK_ENDS(to, col))
#define CORM_CHECK_ENDS(to, col) (CORM_CHECK(to, col) + CORM_CHECK_CLASS(col, CORM_HAS_ORDER(col)))
#define corm_as_avg(to, col)                                                                       \
    CORM_AS(to, CORM_AVG, col,                                                                     \
            CORM_CHECK(to, 0.5) + CORM_CHECK_CLASS(col, CORM_ADDS(CORM_CLASS(col))))
#define CORM_AS(to, how, col, checks)                                                              \
    corm_choice_((to).column + (checks), (how), (col).column + CORM_CHECK(col, col))

#define corm_by(...)                                                                               \
    ((const struct corm_column *const[]){CORM_MAP(CORM_GROUPED, 0, __VA_ARGS__) NULL})
#define CORM_GROUPED(unused, col) (col).column + CORM_CHECK(col, col),

/* ---- Unions ---------------------------------------------------------------
 *
 * .unite = corm_union(.where = ...) of corm_first() and corm_all(): the rows of the same table for
 * which the one condition or the other holds, equal rows once; corm_union_all(): those for which
 * both hold come twice. .order, .limit and .offset are of the whole. Takes no other option of a
 * read, and no .join, .lock (CORM_UNSUPPORTED) or .after. */
#define corm_union(...)     CORM_UNION(false, __VA_ARGS__)
#define corm_union_all(...) CORM_UNION(true, __VA_ARGS__)
#define CORM_UNION(every, ...)                                                                     \
    (&(const struct corm_union){.all = (every),                                                    \
                                .query = {CORM_HERE(struct corm_query), __VA_ARGS__}} +            \
     CORM_QUERY_CHECK(__VA_ARGS__))

/* ---- Pages ----------------------------------------------------------------
 *
 * By number: .limit and .offset, and .total = &n for how many rows there are in all (an int64_t).
 * It is counted by a second statement, unless the page itself tells: on a db the rows may change
 * between the two, in a transaction its isolation decides.
 *
 * By key: .after = corm_after(product, last) is what comes behind the row *last in .order, which
 * the primary key completes, so that rows with equal values are neither lost nor seen twice; with
 * `last` NULL it is the first page. Needs no count and no offset, and is as fast on the last page
 * as on the first, where an index has the order. .order names columns of that table only.
 *
 *     const struct product *last = NULL;
 *     do {
 *         n = corm_all(db, product, &rows, .order = {corm_desc(product.stock)},
 *                      .after = corm_after(product, last), .limit = 100, .arena = arena);
 *         ...
 *         last = n > 0 ? &rows[n - 1] : NULL;
 *     } while (n == 100); */
/* clang-format off: it knows no _Generic */
#define corm_after(T, last)                                                                        \
    corm_after_((T).corm_table + _Generic((last), CORM_ROW_TYPE(T) : 0,                            \
                                          const __typeof__(*(T).corm_row) * : 0, void * : 0),      \
                (last))
/* clang-format on */

/* ---- The way out, into structs --------------------------------------------
 *
 * corm_sql_into(on, R, &rows, "SELECT ... WHERE x = ?", corm_vals(7), options...): what corm_sql()
 * reads, as an array of rows of R in the arena. Columns find their places by their names, capitals
 * and small letters apart; one that R has not, or that is missing, is CORM_NO_COLUMN, and a value
 * that its column cannot take is CORM_BAD_VALUE. For a decimal SQLite's text must give the whole
 * number that is kept there, the decimal times 10^scale: the column, or its sum, least or greatest,
 * but not its average. Returns how many rows came. */
#define corm_sql_into(on, R, out, ...)                                                             \
    corm_sql_into_(                                                                                \
        CORM_ON(on), (R).corm_table + CORM_ARRAY_OF(R, out), (out),                                \
        &(const struct corm_sql_args){CORM_HERE(struct corm_sql_args), .text = __VA_ARGS__})

/* corm_explain(on, &rows, T, options...): how the server would run the corm_all() of these options,
 * as it tells it itself (EXPLAIN, on SQLite EXPLAIN QUERY PLAN), for reading by people. Takes no
 * .lock. `rows` is a struct corm_rows. */
#define corm_explain(on, rows, ...)                                                                \
    corm_explain_(CORM_ON(on),                                                                     \
                  _Generic((rows), struct corm_rows *                                              \
                           : (rows)),                                                              \
                  CORM_HEAD(__VA_ARGS__, 0).corm_table + CORM_IS_MODEL(CORM_HEAD(__VA_ARGS__, 0)), \
                  CORM_QUERY(.row = &__VA_ARGS__))

#endif /* !__cplusplus */

#ifdef __cplusplus
}
#endif
#endif
