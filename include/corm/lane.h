/* corm/lane.h -- transactions that wait for their turn, and share one transaction of the server.
 *
 * A hot row is a queue: one at a time has its lock. A transaction that names the row it wants,
 *
 *     rc = corm_transact(db, purchase, &want, .key = corm_eq(product.id, want.product_id));
 *
 * goes to the *lane* of that key, a thread that runs functions one after the other. A lane takes all that
 * wait, up to group_max=, as one group: it locks their rows in one trip, runs the functions in the order
 * of arrival, sends what they wrote in a few trips and commits once. Everybody gets an outcome of his
 * own, as if the functions had run each in a transaction of its own, one after the other.
 *
 *     for (int i = 0; i < 500; i++)
 *         corm_submit(db, purchase, &wants[i], .key = corm_eq(product.id, 1), .done = on_done);
 *     corm_drain(db);
 *
 * A function with a key runs on the lane's thread, or on one that waits for an outcome while the lane has
 * nothing else to do, perhaps together with others in one transaction of the server: it touches nothing but
 * `trx` and `arg`. It may run more than once.
 *
 * An event loop watches corm_fd() and calls corm_dispatch(). */
#ifndef CORM_LANE_H
#define CORM_LANE_H

#include <corm/trx.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A corm_done_function is told what came of a transaction: what its function returned, once that is committed,
 * or a negative code with its details in *error, which live for the call. It is called by corm_drain(),
 * corm_wait() and corm_dispatch(), in their thread, never by a lane. It may submit. */

CORM_API int64_t corm_submit_(struct corm_db *db, corm_trx_function *function,
                              const struct corm_trx_options *options);

#ifndef __cplusplus
/* corm_submit(db, function, arg, .key = ..., .done = ..., options...): puts a transaction into the queue of
 * its key's lane, and returns its ticket (> 0), or a negative code: CORM_BUSY where lane_queue=
 * transactions wait and .nowait was asked for, or all of them are done and wait to be taken away, which
 * no other thread does: the last one that did was this one, or there was none; else it waits for room, up
 * to the deadline. `arg` must live until `done` was called. The order of one thread's submissions to one
 * lane is kept. From any thread, also from `done` and while an explicit transaction is open; not in a function
 * of corm_transact() on the same db (CORM_NESTED). */
#define corm_submit(db, function, ...)                                                             \
    corm_submit_(CORM_DB(db), CORM_FUNCTION(function),                                             \
                 &(const struct corm_trx_options){.size = sizeof(struct corm_trx_options),         \
                                                  .file = __FILE__,                                \
                                                  .line = __LINE__,                                \
                                                  .arg = __VA_ARGS__})
#endif

/* Waits until one transaction is done, calls its `done`, and returns what it came to; `error` may be NULL. A
 * ticket whose outcome was taken already, that another thread waits for, or that never was one, is
 * CORM_NO_TICKET. Blocks until the transaction's deadline at the latest; where it has begun together with
 * others, until lane_wait_ms= after it has begun, if that is later, and the grace of a COMMIT. From any thread; refused where it could wait for
 * itself: in a function (CORM_NESTED), and while the thread holds an open transaction (CORM_WOULD_BLOCK). */
CORM_API int corm_wait(struct corm_db *db, int64_t ticket, struct corm_error *error);

/* Takes a transaction back that has not begun: its outcome is then CORM_CANCELLED. 1 where that was done, 0 where it
 * runs or is done already, CORM_NO_TICKET as above. Does not block. From any thread. */
CORM_API int corm_cancel(struct corm_db *db, int64_t ticket);

/* Waits until everything that was submitted on this db, by whomever, is done, and calls every `done`. Returns how
 * many outcomes it has told, or a negative code: CORM_NESTED and CORM_WOULD_BLOCK as above. Blocks. */
CORM_API int64_t corm_drain(struct corm_db *db);

/* Calls `done` of what is done, without waiting; returns how many. */
CORM_API int64_t corm_dispatch(struct corm_db *db);

/* A descriptor that is readable while outcomes wait for corm_dispatch(); corm's own, until corm_close(). A
 * negative code where there is none. */
CORM_API int corm_fd(struct corm_db *db);

#ifdef __cplusplus
}
#endif
#endif
