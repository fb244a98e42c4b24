/* pool/node.h -- one server, or one SQLite file, with its connections.
 *
 * A server has one pool. A file has two: one connection writes, the others read beside it; in memory
 * there is one connection for both. */
#ifndef CORM_POOL_NODE_H
#define CORM_POOL_NODE_H

#include "pool/pool.h"

/* May it be used? nodes.h says what leads from one to another. */
enum corm__health { CORM__NODE_NEW, CORM__NODE_UP, CORM__NODE_BACK, CORM__NODE_LEFT };

struct corm__node {
    struct corm__endpoint endpoint;
    struct corm__pool    *write, *read; /* the same one, where there is one */
    struct corm__watch   *watch;
    uint32_t              timeout_ms; /* the default deadline */
    uint32_t              resolve_ms; /* how long the ledger is asked at least */
    enum corm_dialect     dialect;    /* these two are known once a connection was open */
    bool                  has_uuid;
    uint32_t              process; /* that opened it */
    uint32_t              number;  /* in its db, from 1 */
    uint64_t              hash;    /* of its name (route/rendezvous.h) */
    bool                  reader;  /* takes no writes */
    _Atomic uint32_t      graves;  /* lost sessions of it that are to be ended (trx/ledger.h) */

    /* Of several, nodes.h; with one node it is always UP. */
    _Atomic enum corm__health health;
    _Atomic bool              silent; /* it was asked and did not answer */
    _Atomic uint64_t          left;   /* how often it became LEFT */
};

/* Makes the node's pools, with `connections` in all, and opens none. On error nothing is made. */
int corm__node_make_pools(struct corm__node *node, uint32_t connections, struct corm_error *error);

/* The same, and opens one connection. On error nothing is open. */
int  corm__node_open(struct corm__node *node, uint32_t connections, struct corm_error *error);
void corm__node_close(struct corm__node *node);

/* 0; CORM_FORKED in a child of the process that opened it. */
int corm__node_check(const struct corm__node *node, struct corm_error *error);

/* Whether the calling thread holds a connection, in an open transaction. Not in a child. */
bool corm__node_is_held(const struct corm__node *node);

/* Its numbers. Not in a child. */
void corm__node_stats(const struct corm__node *node, struct corm_node_stats *stats);

/* Opens all connections; how many there are then, or the first error. */
int corm__node_fill(struct corm__node *node, struct corm_error *error);

#endif
