/* pool/pool.h -- the connections of one node, bounded, handed out in the order of arrival. */
#ifndef CORM_POOL_POOL_H
#define CORM_POOL_POOL_H

#include "pool/connection.h"

/* How many connections a pool opens at the same time: a server that comes back is not stormed. */
enum { CORM__CONNECTS_MAX = 4 };

/* After about so long a connection is replaced, where the endpoint does not say otherwise. */
enum { CORM__MAX_AGE_S = 1800 };

/* A pool of at most `max` connections; none is opened yet. `endpoint` and `watch` must outlive it.
 * NULL when there is no memory. */
struct corm__pool *corm__pool_new(const struct corm__endpoint *endpoint, bool for_writing,
                                  uint32_t max, struct corm__watch *watch);

/* Closes all connections; all must have been given back. In a child of the process that made the pool
 * it frees what nobody used when that was forked, and closes nothing. NULL is allowed. */
void corm__pool_free(struct corm__pool *pool);

/* A connection for the caller alone, its session as if it had just been opened, or in the mode that
 * another borrower has set it up for: an idle one, preferably in `mode`, or a new one, or the next that
 * is given back. Who came first is served first. Opening, and ending a reset, happen in the caller's
 * thread. `caller` is where the program asks, for those who wait in vain.
 *
 * CORM_TIMEOUT when the deadline passes, with a text that tells who holds what; CORM_WOULD_BLOCK at
 * once where others would have to give back and the caller's thread holds one itself; the errors of
 * connecting; CORM_FORKED. */
int corm__pool_acquire(struct corm__pool *pool, const struct corm__mode *mode,
                       struct corm__caller caller, int64_t deadline,
                       struct corm__connection **connection, struct corm_error *error);

/* Gives it back, and waits for nothing. One that is dirty, or in a transaction, is reset before another
 * borrower has it; one that is lost, or too old, is closed. */
void corm__pool_release(struct corm__pool *pool, struct corm__connection *connection);

/* Adds its numbers to those of a node. Not in a child of the process that made it. */
void corm__pool_stats(struct corm__pool *pool, struct corm_node_stats *stats);

/* Whether the calling thread was the last to use a connection that was not given back. */
bool corm__pool_is_held(struct corm__pool *pool);

/* Opens what is not open yet; how many are open then, or the first error. */
int corm__pool_fill(struct corm__pool *pool, int64_t deadline, struct corm_error *error);

/* The idle connections give back what the server holds for their prepared statements. */
void corm__pool_shed(struct corm__pool *pool);

#endif
