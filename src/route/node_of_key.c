/* route/node_of_key.c -- the node that a key's transactions run on. */
#include "route/node_of_key.h"

#include "route/rendezvous.h"

struct corm__node *corm__node_of_key(const struct corm__nodes    *nodes,
                                     const struct corm__lock_key *key)
{
    struct corm__node *best = nodes->all;
    enum corm__health  health = CORM__NODE_LEFT;
    uint64_t           most = 0;
    bool               found = false;

    if (nodes->count == 1)
        return best;
    uint64_t hash = corm__hash_key(key->table, key->values);
    for (uint32_t i = 0; i < nodes->count; i++) {
        struct corm__node *node = &nodes->all[i];
        enum corm__health  its = atomic_load_explicit(&node->health, memory_order_relaxed);
        uint64_t           weight = corm__weight(node->hash, hash);
        if (node->reader || (found && (its > health || (its == health && weight <= most))))
            continue;
        best = node;
        health = its;
        most = weight;
        found = true;
    }
    return best;
}
