/* route/group.h -- transactions of one lane that share one transaction of the server. */
#ifndef CORM_ROUTE_GROUP_H
#define CORM_ROUTE_GROUP_H

#include "route/facts_cache.h"
#include "sql/lock_keys.h"
#include "trx/trx.h"

/* ---- Members --------------------------------------------------------------------- */

enum corm__member_state {
    CORM__MEMBER_WAITS,   /* for its turn; given back like that: its group was too large */
    CORM__MEMBER_RUNS,    /* in a group */
    CORM__MEMBER_DONE,    /* `rc` is its outcome */
    CORM__MEMBER_BLOCKED, /* waits: a row of its keys is locked by others */
    CORM__MEMBER_ASIDE,   /* waits: a row beside its keys is locked by others; it runs alone */
    CORM__MEMBER_AGAIN    /* waits: it has to run once more */
};

struct corm__member {
    corm_trx_function      *function;
    void                   *arg;
    struct corm__lock_key  *keys;
    uint32_t                key_count;
    uint32_t                attempt;   /* how often it has run */
    uint32_t                failures;  /* groups with it that have failed */
    uint32_t                share_max; /* how many may be in its next group; 0: as many as in any */
    int64_t                 deadline;
    uint32_t                timeout_ms;
    enum corm_isolation     isolation;
    enum corm__member_state state;
    bool                    direct;  /* its statements go to the server from the start */
    bool                    blocked; /* a row of its keys was locked when that was last tried */
    bool                    alone;   /* it may stop others: it runs in a group of its own */
    int                     rc;
    struct corm_error      *error; /* where its details go; or NULL */
};

/* ---- Groups ---------------------------------------------------------------------- */

struct corm__group;

/* A group of transactions of a lane (its number on the node) on one node, to be used over and over by one thread;
 * NULL when there is no memory. */
struct corm__group *corm__group_new(struct corm__trx_store *store, struct corm__node *node,
                                    uint32_t lane, struct corm__facts_cache *facts,
                                    uint32_t lane_wait_ms);
void                corm__group_free(struct corm__group *group);

/* Runs members, all of one isolation, in one transaction of the server, in their order. On return each is
 * DONE, or waits (WAITS, BLOCKED, ASIDE, AGAIN) for another run. Blocks until the earliest of their
 * deadlines at the latest, but for lane_wait_ms. */
void corm__group_run(struct corm__group *group, struct corm__member *const *members, size_t count);

/* ---- What a group serves from memory ----------------------------------------------- */

/* What these return for what the group does not serve: the statement takes the ordinary way. */
enum { CORM__NOT_SERVED = -9002 };

/* corm_first(): 1 and the row, a negative code that is set in trx->error, or CORM__NOT_SERVED. */
int corm__group_first(struct corm_trx *trx, const struct corm_table *table, void *row,
                      const struct corm_query *query);

/* corm_update() and an insert of one row: how many rows, or as above. */
int corm__group_update(struct corm_trx *trx, const struct corm_table *table,
                       const struct corm_write *write);
int corm__group_insert(struct corm_trx *trx, const struct corm_table *table,
                       const struct corm_write *write);

#endif
