/* corm/trx.h -- transactions.
 *
 * The function form, which corm may run again after a deadlock, on a fresh arena with fresh reads:
 *
 *     static int purchase(struct corm_trx *trx, void *arg) { ... return rc; }
 *     rc = corm_transact(db, purchase, &want, .error = &e);
 *
 * The long form, which runs once:
 *
 *     rc = corm_begin(db, &trx);
 *     ... corm_first / corm_update / corm_insert_row ...
 *     rc = corm_commit(trx);          or corm_rollback(trx); corm_start(trx) begins again
 *     corm_end(trx);                  always; rolls back what is open
 *
 * Beginning costs no round trip: a connection is taken, and the transaction begun, with its first
 * statement. An empty transaction never reaches the server. A thread whose open transaction holds a
 * connection may ask for a second one, by a call on the db or another transaction: where there is none
 * free that is CORM_WOULD_BLOCK at once, because it might wait for itself for ever.
 *
 * A call that fails dooms the transaction, except when it is CORM_LOCKED: all that follows returns
 * that first error, and so does corm_commit(), which then rolls back. So a function that forgets to
 * look at a result cannot commit half of its work. */
#ifndef CORM_TRX_H
#define CORM_TRX_H

#include <stdint.h>
#include <corm/arena.h>
#include <corm/condition.h>
#include <corm/error.h>
#include <corm/on.h>

#ifdef __cplusplus
extern "C" {
#endif

/* On MariaDB and MySQL the server's isolation level; SQLite is always serializable. */
enum corm_isolation {
    CORM_ISOLATION_DEFAULT, /* functions: SERIALIZABLE; corm_begin(): the server's own */
    CORM_READ_COMMITTED,
    CORM_REPEATABLE_READ,
    CORM_SERIALIZABLE
};

typedef int  corm_trx_function(struct corm_trx *trx, void *arg);
typedef void corm_done_function(int rc, const struct corm_error *error, void *arg);

struct corm_trx_options {
    size_t              size; /* these three are set by the macros */
    const char         *file;
    int32_t             line;
    void               *arg; /* of corm_transact(): set by its third argument */
    struct corm_trx   **trx; /* of corm_begin(): set by its second argument */
    enum corm_isolation isolation;
    bool                read_only;  /* one snapshot (REPEATABLE READ); writes are refused */
    uint32_t            timeout_ms; /* for connection, locks and server together; default 30,000.
                                       Nothing is sent later; the answer to a COMMIT is waited for
                                       one second longer, that of the ledger for resolve_ms= more */
    struct corm_expr key; /* the row that it is about, as corm_eq() of its primary key, or several,
                                       as corm_keys(); locked first. Of corm_transact() and
                                       corm_submit() it decides the lane: see lane.h */
    corm_done_function *done;   /* of corm_submit(); see lane.h */
    bool                nowait; /* of corm_submit(): CORM_BUSY instead of waiting for room */
    struct corm_error  *error;  /* the details, if it fails; for corm_begin() it must live until
                                       corm_end(): it takes the first error of each transaction */
    uint32_t
        node; /* the node that it runs on, from 1 in the order of the URL; 0: that of its key, else any
                      that writes. CORM_MISUSE where there is none of that number, or where it is
                      a reader and this is not .read_only */
    bool reader; /* with .read_only: runs on a reader, where one can be used (db.h) */
};

#ifndef __cplusplus
/* clang-format off: it knows no _Generic */
#define CORM_FUNCTION(f)      _Generic((f), int (*)(struct corm_trx *, void *) : (f))
#define CORM_TRX_OUT(trx)     _Generic((trx), struct corm_trx * * : 0)
#define CORM_TRX_HEAD(x, ...) x
/* clang-format on */
#endif

CORM_API int corm_transact_(struct corm_on on, corm_trx_function *function,
                            const struct corm_trx_options *options);
CORM_API int corm_begin_(struct corm_db *db, const struct corm_trx_options *options);

#ifndef __cplusplus
/* corm_transact(db, function, arg, options...): runs function(trx, arg) in a transaction, commits
 * when it returns >= 0 and no call in it failed, rolls back otherwise.
 *
 * Returns what the function returned, once that is committed; its own negative code, after rolling
 * back; or the first error of the transaction. After a deadlock, a conflict, a stale row (CORM_STALE),
 * a lock timeout or a connection lost before COMMIT, and while the server cannot be reached, the function runs again, after
 * a pause that grows and is jittered, until the deadline. After a COMMIT whose answer was lost the ledger (ledger.h) says
 * whether it was done, which is success, or never will be: the function runs again. Where it cannot be asked, the function
 * does not run again: CORM_UNKNOWN. So it may touch nothing but `trx` and `arg`, and must find `arg` as it was when it runs again.
 *
 * A call on `db` inside the function is CORM_NESTED: it would not be part of the transaction. Blocks.
 * From any thread.
 *
 * corm_transact(trx, function, arg, .error = &e) is a nested transaction: a savepoint. What the function
 * has written is undone, and the transaction goes on, when the function refuses, or when a statement
 * in it fails and the server still has the transaction: the way to handle a duplicate key. The code
 * is returned, the details are in .error, and nothing is run again. A deadlock, a lost connection and
 * the like end the whole transaction: the outermost corm_transact() runs again. Writes that are
 * buffered in it are sent before it returns. .isolation, .read_only and .timeout_ms are those of the
 * transaction: setting them here is CORM_MISUSE. */
#define corm_transact(on, function, ...)                                                           \
    corm_transact_(CORM_ON_DB_OR_TRX(on), CORM_FUNCTION(function),                                 \
                   &(const struct corm_trx_options){.size = sizeof(struct corm_trx_options),       \
                                                    .file = __FILE__,                              \
                                                    .line = __LINE__,                              \
                                                    .arg = __VA_ARGS__})

/* corm_begin(db, &trx, options...): begins a transaction in the long form. 0 and the transaction in
 * *trx, which the caller ends with corm_end(); or a negative code and NULL. Sends nothing: BEGIN travels with the first statement, and in
 * front of that the locks of the rows of .key, in the order in which everybody locks them; where there
 * is no such row, nothing is locked. A lock that is waited for too long is an error of that statement. */
#define corm_begin(db, ...)                                                                        \
    corm_begin_(CORM_DB(db),                                                                       \
                CORM_TRX_OUT(CORM_TRX_HEAD(__VA_ARGS__, 0)) +                                      \
                    &(const struct corm_trx_options){.size = sizeof(struct corm_trx_options),      \
                                                     .file = __FILE__,                             \
                                                     .line = __LINE__,                             \
                                                     .trx = __VA_ARGS__})
#endif

/* Sends what is buffered and commits, in one round trip. Returns 0 when it is committed. On error
 * nothing of the transaction is in the database, and never will be, except after CORM_UNKNOWN, where it
 * may be (ask corm_outcome() later). A COMMIT whose answer was lost is looked up in the ledger (ledger.h):
 * where it was done that is 0, where it was not, the code tells what was lost: CORM_DISCONNECTED,
 * CORM_DEADLINE and the like. The transaction is over in any case. In a function of corm_transact(): CORM_MISUSE, return instead. */
CORM_API int corm_commit(struct corm_trx *trx);

/* Forgets what is buffered and rolls back. Returns 0; the transaction is over in any case. A lost
 * connection is no error here: the server rolls back by itself. Blocks, for one second at most and 25 ms
 * beyond the deadline at most, as the rollbacks of corm_end(), corm_commit() and corm_transact() do:
 * a server that has not answered by then loses the connection. */
CORM_API int corm_rollback(struct corm_trx *trx);

/* Begins again after a commit or a rollback, with the options of corm_begin() and a fresh deadline;
 * the arena is emptied. CORM_MISUSE while the transaction is open. */
CORM_API int corm_start(struct corm_trx *trx);

/* Ends the handle: rolls back what is open, frees the arena and what was read into it. NULL is
 * allowed. */
CORM_API void corm_end(struct corm_trx *trx);

/* A savepoint in the long form: corm_savepoint() sets one, corm_savepoint_release() keeps what was
 * written since, corm_savepoint_rollback() undoes it, and lifts a doom that a failure since has brought,
 * where the server still has the transaction. They nest, at most CORM_SAVEPOINT_MAX deep; the last
 * one that was set is meant. Each returns 0 or a negative code; without a savepoint CORM_MISUSE.
 * Setting one costs no trip, releasing one only where writes since are still buffered. */
#define CORM_SAVEPOINT_MAX 16
CORM_API int corm_savepoint(struct corm_trx *trx);
CORM_API int corm_savepoint_release(struct corm_trx *trx);
CORM_API int corm_savepoint_rollback(struct corm_trx *trx);

/* The function's own refusal: dooms the transaction with a code of the application's own (CORM_USER
 * and up) and a text of at most 511 bytes, and returns that code:
 *
 *     return corm_abort(trx, SOLD_OUT, "%d left", p.stock);
 *
 * Another code is CORM_MISUSE. If the transaction is doomed already, its first error is returned. */
CORM_API int corm_abort(struct corm_trx *trx, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Which try of the function this is, from 1. */
CORM_API uint32_t corm_attempt(const struct corm_trx *trx);

/* The arena of the attempt: it ends with it. */
CORM_API struct corm_arena *corm_trx_arena(struct corm_trx *trx);

/* The first error of the transaction, or one with code 0. Lives until corm_start() or corm_end(). */
CORM_API const struct corm_error *corm_trx_error(const struct corm_trx *trx);

#ifdef __cplusplus
}
#endif
#endif
