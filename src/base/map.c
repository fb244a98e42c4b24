/* base/map.c -- a hash map with entries inside other structs; chained, doubled when full, hashed
 * as FNV-1a does but by words. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 32 };

/* Keys are texts of statements: eight bytes at a time, the high bits of each product folded down, because
 * a multiplication carries nothing from there. */
static uint64_t hash_of(const void *key, size_t size)
{
    static const uint64_t prime = 1099511628211u;
    const unsigned char  *p = key;
    uint64_t              hash = 14695981039346656037u, word;

    for (; size >= sizeof(word); p += sizeof(word), size -= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        hash = (hash ^ word) * prime;
        hash ^= hash >> 32;
    }
    for (; size > 0; p++, size--)
        hash = (hash ^ *p) * prime;
    return hash ^ (hash >> 32);
}

static struct corm__map_entry **bucket_of(const struct corm__map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->bucket_count - 1)];
}

static bool grow(struct corm__map *map)
{
    size_t                  count = map->bucket_count == 0 ? FIRST_BUCKETS : map->bucket_count * 2;
    struct corm__map        grown = {.bucket_count = count, .count = map->count};
    struct corm__map_entry *next;

    grown.buckets = calloc(count, sizeof(struct corm__map_entry *));
    if (grown.buckets == NULL)
        return false;
    for (size_t i = 0; i < map->bucket_count; i++) {
        for (struct corm__map_entry *e = map->buckets[i]; e != NULL; e = next) {
            struct corm__map_entry **bucket = bucket_of(&grown, e->hash);
            next = e->next;
            e->next = *bucket;
            *bucket = e;
        }
    }
    free(map->buckets);
    *map = grown;
    return true;
}

bool corm__map_add(struct corm__map *map, struct corm__map_entry *entry, const void *key,
                   size_t size)
{
    if (map->count >= map->bucket_count && !grow(map))
        return false;
    entry->key = key;
    entry->size = size;
    entry->hash = hash_of(key, size);
    struct corm__map_entry **bucket = bucket_of(map, entry->hash);
    entry->next = *bucket;
    *bucket = entry;
    map->count++;
    return true;
}

struct corm__map_entry *corm__map_find(const struct corm__map *map, const void *key, size_t size)
{
    if (map->count == 0)
        return NULL;
    uint64_t hash = hash_of(key, size);
    for (struct corm__map_entry *e = *bucket_of(map, hash); e != NULL; e = e->next)
        if (e->hash == hash && e->size == size && memcmp(e->key, key, size) == 0)
            return e;
    return NULL;
}

void corm__map_remove(struct corm__map *map, struct corm__map_entry *entry)
{
    struct corm__map_entry **at = bucket_of(map, entry->hash);

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    map->count--;
}

void corm__map_clear(struct corm__map *map)
{
    if (map->count > 0)
        memset(map->buckets, 0, map->bucket_count * sizeof(struct corm__map_entry *));
    map->count = 0;
}

void corm__map_free(struct corm__map *map)
{
    free(map->buckets);
    *map = (struct corm__map){0};
}
