/* base/map.h -- a hash map from bytes to entries that live inside other structs.
 *
 *     struct cached { struct corm__map_entry entry; ... };
 *
 * The map owns only its table of buckets; entries and the keys they point at belong to the caller
 * and must live while they are in the map. Not for two threads at once. */
#ifndef CORM_BASE_MAP_H
#define CORM_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct corm__map_entry {
    struct corm__map_entry *next;
    const void             *key;
    size_t                  size;
    uint64_t                hash;
};

struct corm__map {
    struct corm__map_entry **buckets;
    size_t                   bucket_count; /* a power of two, or 0 */
    size_t                   count;
};

/* Adds an entry, whose key is not in the map yet. False when there is no memory: nothing changed. */
bool corm__map_add(struct corm__map *map, struct corm__map_entry *entry, const void *key,
                   size_t size);

/* The entry of a key, or NULL. */
struct corm__map_entry *corm__map_find(const struct corm__map *map, const void *key, size_t size);

/* Takes an entry out that is in the map. */
void corm__map_remove(struct corm__map *map, struct corm__map_entry *entry);

/* Takes all entries out; the table stays. */
void corm__map_clear(struct corm__map *map);

/* Frees the table; the map is empty and can be used again. */
void corm__map_free(struct corm__map *map);

#endif
