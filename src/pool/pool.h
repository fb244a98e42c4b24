/* pool/pool.h -- the connections of one node, bounded, handed out in the order of arrival. */
#ifndef CORM_POOL_POOL_H
#define CORM_POOL_POOL_H

#include "pool/connection.h"

struct corm__pool;

/* A pool of at most `max` connections; none is opened yet. `endpoint` and `watch` must outlive it.
 * NULL when there is no memory. */
struct corm__pool *corm__pool_new(const struct corm__endpoint *endpoint, bool for_writing,
                                  uint32_t max, struct corm__watch *watch);

/* Closes all connections; all must have been given back. NULL is allowed. */
void corm__pool_free(struct corm__pool *pool);

/* A connection for the caller alone: an idle one, preferably in `mode`, or a new one, or the next that
 * is given back. Who came first is served first. CORM_TIMEOUT when the deadline passes; the errors
 * of connecting. Opening happens in the caller's thread. */
int corm__pool_acquire(struct corm__pool *pool, const struct corm__mode *mode, int64_t deadline,
                       struct corm__connection **connection, struct corm_error *error);

/* Gives it back; not inside a transaction. One that is lost or dirty is closed. */
void corm__pool_release(struct corm__pool *pool, struct corm__connection *connection);

/* Opens what is not open yet; how many are open then, or the first error. */
int corm__pool_fill(struct corm__pool *pool, int64_t deadline, struct corm_error *error);

#endif
