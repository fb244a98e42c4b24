/* corm/statement.h -- reading and writing rows.
 *
 *     rc = corm_first(trx, product, &p, .where = corm_eq(product.id, 7), .lock = CORM_FOR_UPDATE);
 *     rc = corm_update(trx, product, corm_eq(product.id, 7), corm_set(product.stock, 5));
 *     rc = corm_insert_row(trx, order, &(struct order){.user_id = 1, .product_id = 7, .qty = 2});
 *     rc = corm_update_row(trx, product, &p);
 *
 * The first argument says where: a `struct corm_trx *`, a `struct corm_db *` (the statement is then
 * a transaction of its own), or a `struct corm_sql_of *`, which does not run the statement but tells
 * what would be sent. The second is a handle of a model. Options are designated initialisers; what
 * is not named has its default, which is zero.
 *
 * Every call returns a number of rows or a negative code (error.h). All of them block, until the
 * deadline of the transaction or, on a db, 30 s or timeout_ms= at most. When that passes while the
 * server is to answer, the connection is thrown away and the code is CORM_DEADLINE: nothing was
 * written. The answer to a single write on a db is waited for one second longer; without it the
 * ledger (ledger.h) is asked whether it was done; where there is none, or no answer, the code is
 * CORM_UNKNOWN. On a db they may be called from any thread; a trx
 * belongs to one thread at a time. Rows and values that are passed in are read during the call. A
 * failed call has changed no row of the database, except where it is in the bands CONNECTION_GONE
 * or OUTCOME_UNKNOWN outside a transaction, for a write: then it says whether it may have. Text and
 * arrays that come back live in the arena of the transaction's attempt; on a db pass .arena. The
 * row of a call that fails or finds nothing is left as it was.
 *
 * Inside a transaction any failure but CORM_LOCKED dooms it: every later call and corm_commit()
 * return that first error. */
#ifndef CORM_STATEMENT_H
#define CORM_STATEMENT_H

#include <corm/condition.h>
#include <corm/error.h>
#include <corm/on.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A read may lock what it finds, inside a transaction that may write; elsewhere it is CORM_MISUSE.
 * What the server cannot do is CORM_UNSUPPORTED and nothing is sent. On SQLite a transaction that
 * may write holds every row from its first statement on: nowait, wait_ms and skip_locked decide how
 * that one meets another transaction; skip_locked then finds no rows. */
enum corm_lock {
    CORM_NO_LOCK,
    CORM_FOR_UPDATE, /* nobody else reads it with a lock, or writes it, until commit */
    CORM_FOR_SHARE   /* nobody else writes it until commit */
};

#define CORM_ORDER_MAX 8  /* columns to sort by */
#define CORM_SET_MAX   32 /* assignments of one statement; a row may have any number of columns */

/* Where a page begins: see corm_after(). */
struct corm_after {
    const struct corm_table *table;
    const void              *row;
};

/* The options of a read. Those behind `error` are told in read.h. */
struct corm_query {
    size_t            size; /* these three are set by the macros */
    const char       *file;
    int32_t           line;
    const void       *row;                   /* set by the call's third argument */
    struct corm_expr  where;                 /* default: every row */
    struct corm_order order[CORM_ORDER_MAX]; /* = {corm_asc(product.name), corm_desc(product.id)} */
    uint64_t          limit;                 /* rows at most; 0: no limit */
    uint64_t          offset;                /* rows to pass over first; wants a limit */
    enum corm_lock    lock;
    bool              nowait;      /* a row that is locked: CORM_LOCKED at once */
    bool              skip_locked; /* ... is passed over */
    uint32_t          wait_ms; /* ... CORM_LOCKED after so many milliseconds; 0: the server's own
                                       limit, after which the transaction is CORM_LOCK_TIMEOUT */
    struct corm_arena        *arena;  /* for text and arrays, on a db */
    struct corm_error        *error;  /* the details, if it fails */
    const struct corm_join   *join;   /* = corm_joins(...): rows of other tables beside each row */
    const struct corm_choice *choose; /* set by corm_select() and the like */
    const struct corm_table  *into;
    const struct corm_column *const *group;    /* = corm_by(...): of corm_select() */
    struct corm_expr                 having;   /* on the rows of groups; default: all of them */
    bool                             distinct; /* of corm_select(): equal rows once */
    bool reader;                    /* on a db: reads from a reader, where one can be used (db.h) */
    const struct corm_union *unite; /* = corm_union(...): the rows of a second read, too */
    struct corm_after        after; /* = corm_after(product, &last): what comes behind */
    int64_t                 *total; /* how many rows there are without limit and offset */
};

/* The options of a write, beside its row or its assignments. In a transaction a write is buffered
 * where its result is known without the server: the insert of one row, an update or delete by the
 * whole primary key of a row that this transaction has read FOR UPDATE, and any write marked .later;
 * never corm_update_row() with a version.
 * A buffered write is sent with the next statement that goes to the server, in program order; when
 * it fails then, the error names the file and line of the write. */
struct corm_write {
    size_t             size; /* these three are set by the macros */
    const char        *file;
    int32_t            line;
    const void        *row; /* or the first of `count` rows */
    size_t             count;
    struct corm_expr   where;
    struct corm_assign set[CORM_SET_MAX];
    int64_t           *id; /* an insert of one row: is sent at once, *id is the generated key */
    int64_t           *id_later; /* ... is buffered, and filled before corm_commit(), or
                                    corm_transact(), returns >= 0 */
    bool               later;    /* buffer it whatever it is, and return 0; transactions only */
    struct corm_error *error;    /* the details, if it fails */
    const struct corm_column *const *by; /* of corm_upsert(), and so is the next: = corm_by(...) */
    const struct corm_assign        *update; /* = corm_sets(...) */
    int64_t *ids; /* of corm_insert_rows(): room for as many keys as there are rows */
};

/* What corm_upsert() did. */
enum corm_upserted { CORM_UNCHANGED, CORM_INSERTED, CORM_UPDATED };

/* ---- What came of statements that corm has no model for ------------------- */

/* `row_count` x `column_count` values, row by row, in the arena. Integers are CORM_V_INT or
 * CORM_V_UINT, floating point CORM_V_REAL, binary data CORM_V_BLOB, all other types CORM_V_TEXT as
 * the server writes them. */
struct corm_rows {
    size_t                   row_count;
    size_t                   column_count;
    const char *const       *names;
    const struct corm_value *values;
};

struct corm_vals {
    const struct corm_value *values; /* ends with CORM_V_NONE */
};

struct corm_sql_args {
    size_t             size;
    const char        *file;
    int32_t            line;
    const char        *text;
    struct corm_vals   vals;
    struct corm_arena *arena; /* for the rows, on a db */
    struct corm_error *error;
};

/* ---- What a statement would send ------------------------------------------ */

/* Tells what a statement would send. Instead of a db or trx:
 *
 *     struct corm_sql_of of = {.dialect = CORM_DIALECT_SQLITE, .arena = arena};
 *     rc = corm_first(&of, product, &p, .where = corm_eq(product.id, 7));
 *     ... of.text is the statement, of.binds[0 .. of.bind_count - 1] are the values of its `?`
 *
 * No server is needed. Returns 0, or the code that the statement would have before it is sent. Text
 * and binds live in the arena. corm_sql_of(&of, corm_first, product, &p, ...) is the same call. */
struct corm_sql_of {
    enum corm_dialect        dialect;
    struct corm_arena       *arena;
    const char              *text;
    const struct corm_value *binds;
    size_t                   bind_count;
};

/* What corm_each() calls for each row: 0 for the next one, more than 0 to stop, a negative code to
 * fail. */
typedef int corm_row_function(void *arg);

/* ---- The functions behind the macros -------------------------------------- */

CORM_API int     corm_first_(struct corm_on on, const struct corm_table *table, void *row,
                             const struct corm_query *query);
CORM_API int     corm_all_(struct corm_on on, const struct corm_table *table, void *rows,
                           const struct corm_query *query);
CORM_API int64_t corm_count_(struct corm_on on, const struct corm_table *table,
                             const struct corm_query *query);
CORM_API int     corm_exists_(struct corm_on on, const struct corm_table *table,
                              const struct corm_query *query);
CORM_API int64_t corm_each_(struct corm_on on, const struct corm_table *table, void *row,
                            corm_row_function *function, void *arg, const struct corm_query *query);
CORM_API int     corm_insert_(struct corm_on on, const struct corm_table *table,
                              const struct corm_write *write);
CORM_API int     corm_insert_rows_(struct corm_on on, const struct corm_table *table,
                                   const struct corm_write *write);
CORM_API int     corm_upsert_(struct corm_on on, const struct corm_table *table,
                              const struct corm_write *write);
CORM_API int     corm_update_(struct corm_on on, const struct corm_table *table,
                              const struct corm_write *write);
CORM_API int     corm_update_row_(struct corm_on on, const struct corm_table *table,
                                  const struct corm_write *write);
CORM_API int     corm_delete_(struct corm_on on, const struct corm_table *table,
                              const struct corm_write *write);
CORM_API int corm_sql_(struct corm_on on, struct corm_rows *rows, const struct corm_sql_args *args);

#ifndef __cplusplus

#define CORM_HEAD(x, ...) x
#define CORM_HERE(type)   .size = sizeof(type), .file = __FILE__, .line = __LINE__

/* 0 if `out` points at a row of the model (or at a pointer to rows, where an array comes back), or if
 * `T` is a handle; otherwise the build stops here. */
#define CORM_ROW_TYPE(T)      __typeof__((T).corm_row + 0)
#define CORM_ROW_OF(T, out)   _Generic((out), CORM_ROW_TYPE(T) : 0)
#define CORM_ARRAY_OF(T, out) _Generic((out), CORM_ROW_TYPE(T) * : 0)
#define CORM_IS_MODEL(T)      (0 * sizeof((T).corm_table->name))

/* 0 if the first argument points at a struct T and the others are options of a write; if they are
 * assignments and such options; if the first is a condition and they are. What is looked at is an
 * assignment, because only there is a wrong type an error in every compiler; nothing is evaluated. */
#define CORM_ARG_OF(T, ...)                                                                        \
    (0 * sizeof((struct T##_corm_arg){.row = *(struct T *)0 = *__VA_ARGS__}))
#define CORM_SETS(...)                                                                             \
    (0 * sizeof((struct corm_write){.set[0] = *(struct corm_assign *)0 = __VA_ARGS__}))
#define CORM_CONDITION_FIRST(...)                                                                  \
    (0 * sizeof((struct corm_write){.where = *(struct corm_expr *)0 = __VA_ARGS__}))

/* 0; but where compilers only warn, the build stops here: a number as a condition, a pointer of
 * another type. Nothing is evaluated. */
#define CORM_QUERY_CHECK(...)                                                                      \
    (0 * sizeof(__extension__({                                                                    \
         CORM_STRICT_POINTERS(void)(const struct corm_query){__VA_ARGS__};                         \
         _Pragma("GCC diagnostic pop") 0;                                                          \
     })))
#define CORM_STRICT_POINTERS                                                                       \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic error \"-Wint-conversion\"")            \
        _Pragma("GCC diagnostic error \"-Wincompatible-pointer-types\"")

/* The options of a read, checked. */
#define CORM_QUERY(...)                                                                            \
    (&(const struct corm_query){CORM_HERE(struct corm_query), __VA_ARGS__} +                       \
     CORM_QUERY_CHECK(__VA_ARGS__))

/* ---- Reads ---------------------------------------------------------------- */

/* corm_first(on, T, &row, options...): reads the first row, in the order asked for, into *row.
 * Returns 1, or 0 when there is none. On a db a model with text wants .arena, where the text goes,
 * and so does a read with .join. */
#define corm_first(on, T, ...)                                                                     \
    corm_first_(CORM_ON(on), (T).corm_table + CORM_ROW_OF(T, CORM_HEAD(__VA_ARGS__, 0)),           \
                CORM_HEAD(__VA_ARGS__, 0), CORM_QUERY(.row = __VA_ARGS__))

/* corm_all(on, T, &rows, options...): reads all rows into an array in the arena; `rows` is a
 * struct T *, NULL when there are none. Returns how many. */
#define corm_all(on, T, ...)                                                                       \
    corm_all_(CORM_ON(on), (T).corm_table + CORM_ARRAY_OF(T, CORM_HEAD(__VA_ARGS__, 0)),           \
              CORM_HEAD(__VA_ARGS__, 0), CORM_QUERY(.row = __VA_ARGS__))

/* corm_count(on, T, options...): how many rows, as int64_t. corm_exists(on, T, options...): 1 or 0.
 * Both take .where, .join, .reader, .arena (not needed) and .error only. */
#define corm_count(on, ...)                                                                        \
    corm_count_(CORM_ON(on),                                                                       \
                CORM_HEAD(__VA_ARGS__, 0).corm_table + CORM_IS_MODEL(CORM_HEAD(__VA_ARGS__, 0)),   \
                CORM_QUERY(.row = &__VA_ARGS__))
#define corm_exists(on, ...)                                                                       \
    corm_exists_(CORM_ON(on),                                                                      \
                 CORM_HEAD(__VA_ARGS__, 0).corm_table + CORM_IS_MODEL(CORM_HEAD(__VA_ARGS__, 0)),  \
                 CORM_QUERY(.row = &__VA_ARGS__))

/* corm_each(on, T, &row, function, arg, options...): reads row by row, as they come from the server,
 * into *row, and calls function(arg) for each, so that millions of rows need the memory of one. Text
 * and blobs of *row live until the function returns; no .arena is needed, and nothing is left to be
 * closed, however it ends.
 *
 *     struct dump { struct product row; FILE *out; } d = {.out = stdout};
 *     static int put(void *arg) { struct dump *d = arg; return fprintf(d->out, "%s\n", d->row.name) < 0; }
 *     n = corm_each(db, product, &d.row, put, &d, .order = {corm_asc(product.id)});
 *
 * Returns how many rows the function was given, as int64_t, also where it stopped; its own negative
 * code, which dooms a transaction like any other failure, unless corm_abort() in it has already; or
 * the code of the read. The rows behind one that it stopped at are still read from the server and
 * forgotten: take .limit where you know. The deadline covers all of it, the time of the function too;
 * when it passes, that is CORM_DEADLINE, and the connection is gone. *row means nothing afterwards.
 *
 * The transaction is busy while its function runs: every call on it there but corm_abort() is
 * CORM_MISUSE, sends nothing and does not doom it. A call on the db there is one on another
 * connection (as always: CORM_NESTED in a function of corm_transact(), CORM_WOULD_BLOCK where none is
 * free). Takes the options of corm_all(), but no .total and no .join that gives rows. With .lock the
 * rows are locked, but corm does not keep their keys: updates of them are sent at once. */
#define corm_each(on, T, out, function, ...)                                                       \
    corm_each_(CORM_ON(on), (T).corm_table + CORM_ROW_OF(T, out), (out),                           \
               CORM_ROW_FUNCTION(function), CORM_HEAD(__VA_ARGS__, 0),                             \
               CORM_QUERY(.row = __VA_ARGS__))
/* clang-format off: it knows no _Generic */
#define CORM_ROW_FUNCTION(f) _Generic((f), int (*)(void *) : (f))
/* clang-format on */

/* ---- Writes --------------------------------------------------------------- */

/* corm_insert(on, T, corm_set(...), ..., options...): sends the columns that it lists; the others
 * get the server's DEFAULT. Returns 1. */
#define corm_insert(on, T, ...)                                                                    \
    corm_insert_(CORM_ON(on), (T).corm_table + CORM_SETS(__VA_ARGS__),                             \
                 &(const struct corm_write){CORM_HERE(struct corm_write), .set[0] = __VA_ARGS__})

/* corm_insert_row(on, T, &row, options...): sends every column but the generated key; zero is zero.
 * Returns 1. The row may be a compound literal; an expression such as rows + 1 wants parentheses. */
#define corm_insert_row(on, T, ...)                                                                \
    corm_insert_(CORM_ON(on), (T).corm_table + CORM_ARG_OF(T, __VA_ARGS__),                        \
                 &(const struct corm_write){CORM_HERE(struct corm_write), .row = __VA_ARGS__})

/* corm_insert_rows(on, T, n, rows, options...): `n` rows of the array `rows`, all or none of them.
 * Returns n. More than one are sent as arrays, as many at a time as fit into the server's
 * max_allowed_packet and about a megabyte; on MySQL, which has none, as statements of many rows, and on
 * SQLite, where no keys are asked for, as statements of a hundred. On a db that is a transaction of its own, with a COMMIT. On a trx a failure dooms it, as always, and a
 * savepoint in front of the call undoes all of its rows; nothing is buffered. A row alone that is
 * larger than the server takes is CORM_TOO_LARGE. Memory of a few megabytes, whatever n is.
 * corm_sql_of() of more rows than one statement takes is CORM_TOO_LARGE.
 *
 * .ids = array: the generated keys, in the order of the rows, each as the server made it; when the call
 * fails what is in it means nothing. CORM_UNSUPPORTED for more than one row on MySQL, and of a table of
 * nothing but generated columns. Without .id, .id_later and .later. */
#define corm_insert_rows(on, T, n, ...)                                                            \
    corm_insert_rows_(CORM_ON(on), (T).corm_table + CORM_ARG_OF(T, __VA_ARGS__),                   \
                      &(const struct corm_write){CORM_HERE(struct corm_write), .count = (n),       \
                                                 .row = __VA_ARGS__})

/* corm_upsert(on, T, &row, options...): inserts the row, or updates the one that has its key, in one
 * statement. Returns CORM_INSERTED, CORM_UPDATED, or CORM_UNCHANGED where all that would be set is so
 * already. It is sent at the call, on a trx as on a db, and takes .error and
 *
 *     .by = corm_by(T.a, ...)   the key: all columns of one unique key of the model. Default: the
 *                               primary key, which is then sent as it is in the row, a generated one
 *                               (.autoinc) too, where 0 is CORM_MISUSE. A NULL in the key is like no
 *                               other: it inserts
 *     .update = corm_sets(...)  what is set where the row is there: corm_set_new(T.b) takes the value
 *                               of the row, corm_add_new(T.b) adds it, corm_set() and corm_add() are
 *                               as in corm_update(). Default: every column of the row but keys
 *                               (the primary one, and .by). No column of a key can be set here
 *     .id = &id                 with .by: the generated key of the row, old or new, also where it is
 *                               unchanged
 *
 *     rc = corm_upsert(trx, stock, &(struct stock){.sku = "A-7", .pieces = 5},
 *                      .by = corm_by(stock.sku), .update = corm_sets(corm_add_new(stock.pieces)));
 *
 * Only the row with that key is ever updated: where the row meets another one by another unique key, it
 * is CORM_DUPLICATE and nothing was written. Who meets both, and does not set that other key, is told
 * CORM_DUPLICATE on a server where it looks at that key first.
 *
 * A column with .version is inserted as it is in the row; where the row is there it is counted up,
 * without a check, so that such a row is never CORM_UNCHANGED. *row is left as it was: read it again
 * before corm_update_row(). Generated columns are never written. On MariaDB and MySQL an upsert uses up
 * a generated number also where it inserts nothing, and triggers BEFORE UPDATE run for an unchanged
 * row, too; on SQLite no trigger of updates does. `corm_met()` in the text for SQLite is a function of
 * corm's own, by which it learns that the row was there. */
#define corm_upsert(on, T, ...)                                                                    \
    corm_upsert_(CORM_ON(on), (T).corm_table + CORM_UPSERT_OF(T, __VA_ARGS__),                     \
                 &(const struct corm_write){CORM_HERE(struct corm_write), .row = __VA_ARGS__})
#define CORM_UPSERT_OF(T, ...)                                                                     \
    (0 * sizeof((struct T##_corm_upsert_arg){.row = *(struct T *)0 = *__VA_ARGS__}))

#define corm_sets(...)                                                                             \
    ((const struct corm_assign[CORM_SET_MAX + 1]){__VA_ARGS__} + CORM_SETS(__VA_ARGS__))

/* corm_update(on, T, where, corm_set(...) or corm_add(...), ..., options...): changes rows. Returns
 * how many the condition matched, changed or not; 0 when marked .later. Where the model has a version column
 * it is counted up in each of them, without a check; to set it is CORM_MISUSE. */
#define corm_update(on, T, cond, ...)                                                              \
    corm_update_(CORM_ON(on), (T).corm_table + CORM_SETS(__VA_ARGS__),                             \
                 &(const struct corm_write){CORM_HERE(struct corm_write),                          \
                                            .where = corm_condition_(cond),                        \
                                            .set[0] = __VA_ARGS__})

/* corm_update_row(on, T, &row, options...): writes all columns of the row with this primary key but
 * the key and the version column. `row` is a struct T *, not const; a compound literal or an
 * expression wants parentheses around it. A model without a primary key, or with nothing but one, is
 * CORM_MISUSE.
 *
 * A model with a version column (model.h): the row is written only if its version in the database is
 * still row->version; then that is counted up in both, and 1 is returned. Otherwise CORM_STALE, and
 * neither is changed: somebody else has changed the row since it was read, or deleted it; which of
 * the two, the next read tells. So a row can be read without a lock, changed at leisure and written
 * without harm to what others wrote meanwhile. It is sent at the call, on a trx as on a db; .later is
 * CORM_MISUSE. After a rollback row->version is ahead of the database: read the row again.
 *
 *     static int rename_product(struct corm_trx *trx, void *arg)
 *     {
 *         const struct rename *want = arg;
 *         struct product       p;
 *         int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, want->id));
 *         if (rc < 1)
 *             return rc < 0 ? rc : corm_abort(trx, NOT_FOUND, "no product %d", want->id);
 *         p.name = want->name;
 *         return corm_update_row(trx, product, &p);
 *     }
 *     rc = corm_transact(db, rename_product, &want, .isolation = CORM_READ_COMMITTED);
 *
 * CORM_STALE dooms a transaction like any other failure, and a savepoint mends it. corm_transact()
 * runs its function again, until the deadline; then it returns CORM_STALE. That helps where the
 * function reads the row itself. One that was read before, for a form that somebody filled in, stays
 * stale: write it by corm_update_row(db, ...) or in a transaction of corm_begin(), and tell them.
 * CORM_READ_COMMITTED is what the optimistic way wants: a SERIALIZABLE transaction locks what it reads
 * (two writers are CORM_DEADLOCK, and one runs again), one at REPEATABLE READ may be told
 * CORM_CONFLICT first, and a second read in it, after a savepoint has mended a stale row, finds the
 * same stale row again unless it locks. On SQLite a transaction that may write holds every row: what
 * it has read itself is never stale.
 *
 * A model without a version column: the row is written whatever it was; returns 1, or 0 when there is
 * none with this key. In a transaction it is buffered where the row is held, or marked .later (then
 * 0 is returned). */
#define corm_update_row(on, T, ...)                                                                \
    corm_update_row_(CORM_ON(on),                                                                  \
                     (T).corm_table + CORM_ROW_OF(T, CORM_HEAD(__VA_ARGS__, 0)) +                  \
                         CORM_ARG_OF(T, __VA_ARGS__),                                              \
                     &(const struct corm_write){CORM_HERE(struct corm_write), .row = __VA_ARGS__})

/* corm_delete(on, T, where, options...): removes rows. No version is checked. Returns how many they
 * were; 0 when marked .later. */
#define corm_delete(on, T, ...)                                                                    \
    corm_delete_(CORM_ON(on), (T).corm_table + CORM_CONDITION_FIRST(__VA_ARGS__),                  \
                 &(const struct corm_write){CORM_HERE(struct corm_write), .where = __VA_ARGS__})

/* ---- The way out ---------------------------------------------------------- */

/* corm_sql(on, rows, "SELECT ... WHERE x = ?", corm_vals(7, "x"), options...): one statement in the
 * server's own SQL, with a value for each `?`. `rows` is a struct corm_rows * for what comes back,
 * or NULL. Returns how many rows came back, or how many were matched. Inside a function that corm
 * may run again, only SELECT, WITH, INSERT, UPDATE, DELETE and REPLACE are taken; on a transaction
 * that was begun with corm_begin() anything that the server can prepare. BEGIN, COMMIT and the like
 * are refused everywhere: they would end the transaction behind corm's back.
 *
 * What a text leaves in the session (variables, temporary tables, user locks, another database) is
 * there until the transaction ends, or on a db the call, and never after that: the session is reset
 * before somebody else has it. On a server that costs the next user of the connection two or three
 * round trips, and its prepared statements, and of a node of a Galera cluster a new connection; typed
 * calls cost nothing. */
#define corm_sql(on, rows, ...)                                                                    \
    corm_sql_(CORM_ON(on), CORM_ROWS(rows),                                                        \
              &(const struct corm_sql_args){CORM_HERE(struct corm_sql_args), .text = __VA_ARGS__})

/* clang-format off: it knows no _Generic */
#define CORM_ROWS(rows) _Generic((rows), struct corm_rows * : (rows), void * : (rows), int : NULL)
/* clang-format on */

/* The values of the `?` of an SQL text. NULL among them is (const char *)NULL. */
#define corm_vals(...)                                                                             \
    ((struct corm_vals){                                                                           \
        (const struct corm_value[]){CORM_MAP(CORM_VALUED, 0, __VA_ARGS__){.kind = CORM_V_NONE}}})
#define CORM_VALUED(unused, v) ((void)CORM_CHECK_VALUE(v), CORM_VALUE(v)),

#define corm_sql_of(of, call, ...) call((of), __VA_ARGS__)

#endif /* !__cplusplus */

#ifdef __cplusplus
}
#endif
#endif
