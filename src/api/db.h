/* api/db.h -- what a struct corm_db is. */
#ifndef CORM_API_DB_H
#define CORM_API_DB_H

#include "trx/trx.h"

struct corm_db {
    struct corm_arena      *arena; /* texts of the endpoint */
    struct corm__node       node;
    struct corm__trx_store *store;
};

/* A copy of a public options struct as this library knows it: a program that was built with an older
 * header passes a shorter one. The rest is zero: the default. */
#define CORM__OPTIONS(type, options)                                                               \
    (*(const type *)corm__widen((options), (options)->size, sizeof(type), &(type){.size = 0}))
const void *corm__widen(const void *options, size_t size, size_t known, void *room);

#endif
