/* api/db.h -- what a struct corm_db is. */
#ifndef CORM_API_DB_H
#define CORM_API_DB_H

#include "trx/trx.h"

struct corm_db {
    struct corm_arena      *arena; /* texts of the endpoint */
    struct corm__node       node;
    struct corm__trx_store *store;
};

/* A public options struct as this library knows it: `options` itself or, where the program was built
 * with another header and passes another size, a copy in `room`; what it does not have is zero, the
 * default. */
const void *corm__widen(const void *options, size_t size, size_t known, void *room);

#endif
