/* route/facts_cache.h -- facts of tables, read once for each model, shared by the lanes of a db. */
#ifndef CORM_ROUTE_FACTS_CACHE_H
#define CORM_ROUTE_FACTS_CACHE_H

#include "route/table_facts.h"

struct corm__facts_cache;

/* NULL when there is no memory. */
struct corm__facts_cache *corm__facts_cache_new(void);
void                      corm__facts_cache_free(struct corm__facts_cache *cache);

/* The facts of a model's table, from the server where they are not known yet. From any thread. */
int corm__facts_of(struct corm__facts_cache *cache, struct corm__connection *connection,
                   const struct corm_table *table, struct corm_arena *arena, int64_t deadline,
                   struct corm__table_facts *facts, struct corm_error *error);

/* The same without asking; false where they are not known. */
bool corm__facts_known(struct corm__facts_cache *cache, const struct corm_table *table,
                       struct corm__table_facts *facts);

/* Forgets all: a schema may have changed. From any thread. */
void corm__facts_forget(struct corm__facts_cache *cache);

#endif
