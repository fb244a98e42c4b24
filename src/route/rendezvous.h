/* route/rendezvous.h -- which node of a cluster a key belongs to, and which comes next when that one is gone.
 *
 * Each node has a weight for each key, and a key belongs to the node with the highest. So a node that goes
 * away moves only its own keys, and one that is added takes only those that are to be its own. All is
 * computed from the key's bytes and the node's name: processes on different machines agree, in whatever
 * order their lists have the nodes. docs/clusters.md says how, with examples to check others by; who
 * changes it parts old processes from new ones. */
#ifndef CORM_ROUTE_RENDEZVOUS_H
#define CORM_ROUTE_RENDEZVOUS_H

#include <corm/model.h>
#include <corm/value.h>
#include <stddef.h>
#include <stdint.h>

/* FNV-1a of 64 bits (draft-eastlake-fnv), begun with CORM__HASH_BEGIN, and the finaliser of MurmurHash3,
 * without which keys that follow each other would not spread. */
#define CORM__HASH_BEGIN UINT64_C(0xcbf29ce484222325)
uint64_t corm__hash_bytes(uint64_t hash, const void *bytes, size_t size);
uint64_t corm__hash_mix(uint64_t hash);

/* Of a node, by its host and port as the URL has them. Upper case counts as lower case, a dot at the end as
 * nothing, and an IPv6 address, without its brackets, in whatever form; nothing is looked up: a name
 * and its address are two nodes. */
uint64_t corm__hash_node(const char *host, uint16_t port);

/* Of a key: the SQL name of its table and the values of its primary key, in the order of the model, none of
 * them NULL. Equal for values that are equal in their column: 1 and 1.0, "1.5" and "1.50" of a decimal. */
uint64_t corm__hash_key(const struct corm_table *table, const struct corm_value *values);

/* Of a node for a key, by their hashes. */
uint64_t corm__weight(uint64_t node, uint64_t key);

/* The order of `count` nodes, by their hashes, for a key: order[0] is the index of the one that it belongs to,
 * order[1] of that which comes next, and so on. */
void corm__order_nodes(const uint64_t *nodes, uint32_t count, uint64_t key, uint32_t *order);

#endif
