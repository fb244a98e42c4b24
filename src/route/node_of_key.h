/* route/node_of_key.h -- the node that a key's transactions run on. */
#ifndef CORM_ROUTE_NODE_OF_KEY_H
#define CORM_ROUTE_NODE_OF_KEY_H

#include "pool/nodes.h"
#include "sql/lock_keys.h"

/* Of the writers that are UP the first in the key's order (rendezvous.h); of those that are BACK where none is
 * UP, and of all where none is BACK either: one of them may be there again. */
struct corm__node *corm__node_of_key(const struct corm__nodes    *nodes,
                                     const struct corm__lock_key *key);

#endif
