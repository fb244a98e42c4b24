/* route/facts_cache.c -- facts of tables, read once for each model, shared by the lanes of a db.
 *
 * `mutex` guards the map and its entries; it is not held while a server is asked, so two threads may
 * ask at the same time: the first answer stays. */
#include "route/facts_cache.h"

#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>

struct known {
    struct corm__map_entry   entry;
    uintptr_t                key; /* the table, as its address */
    struct corm__table_facts facts;
    struct known            *next;
};

struct corm__facts_cache {
    pthread_mutex_t  mutex;
    struct corm__map map;
    struct known    *first;
};

struct corm__facts_cache *corm__facts_cache_new(void)
{
    struct corm__facts_cache *cache = calloc(1, sizeof(*cache));

    if (cache != NULL && pthread_mutex_init(&cache->mutex, NULL) != 0) {
        free(cache);
        return NULL;
    }
    return cache;
}

void corm__facts_forget(struct corm__facts_cache *cache)
{
    pthread_mutex_lock(&cache->mutex);
    corm__map_clear(&cache->map);
    for (struct known *known = cache->first, *next; known != NULL; known = next) {
        next = known->next;
        free(known);
    }
    cache->first = NULL;
    pthread_mutex_unlock(&cache->mutex);
}

void corm__facts_cache_free(struct corm__facts_cache *cache)
{
    if (cache == NULL)
        return;
    corm__facts_forget(cache);
    corm__map_free(&cache->map);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

bool corm__facts_known(struct corm__facts_cache *cache, const struct corm_table *table,
                       struct corm__table_facts *facts)
{
    pthread_mutex_lock(&cache->mutex);
    uintptr_t           key = (uintptr_t)table;
    const struct known *known = (void *)corm__map_find(&cache->map, &key, sizeof(key));
    if (known != NULL)
        *facts = known->facts;
    pthread_mutex_unlock(&cache->mutex);
    return known != NULL;
}

/* Without memory it is asked again the next time. */
static void keep(struct corm__facts_cache *cache, const struct corm_table *table,
                 const struct corm__table_facts *facts)
{
    struct known *known = calloc(1, sizeof(*known));

    if (known == NULL)
        return;
    known->key = (uintptr_t)table;
    known->facts = *facts;
    pthread_mutex_lock(&cache->mutex);
    if (corm__map_find(&cache->map, &known->key, sizeof(known->key)) == NULL &&
        corm__map_add(&cache->map, &known->entry, &known->key, sizeof(known->key))) {
        known->next = cache->first;
        cache->first = known;
        known = NULL;
    }
    pthread_mutex_unlock(&cache->mutex);
    free(known);
}

int corm__facts_of(struct corm__facts_cache *cache, struct corm__connection *connection,
                   const struct corm_table *table, struct corm_arena *arena, int64_t deadline,
                   struct corm__table_facts *facts, struct corm_error *error)
{
    if (corm__facts_known(cache, table, facts))
        return 0;
    int rc = corm__read_table_facts(connection, connection->link->dialect, table, arena, deadline,
                                    facts, error);
    if (rc == 0)
        keep(cache, table, facts);
    return rc;
}
