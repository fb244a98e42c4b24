/* api/db.h -- what a struct corm_db is. */
#ifndef CORM_API_DB_H
#define CORM_API_DB_H

#include "route/lane.h"
#include "trx/trx.h"

struct corm_db {
    struct corm_arena      *arena; /* texts of the endpoints */
    struct corm__nodes      nodes;
    struct corm__trx_store *store;
    struct corm__lanes     *lanes;
};

/* A transaction for a lane, by its options; and what is wrong with them, where *job is set further. */
struct corm__job corm__job_of(const struct corm_db *db, corm_trx_function *function,
                              const struct corm_trx_options *options);
int              corm__check_job(const struct corm_db *db, struct corm__job *job,
                                 const struct corm_trx_options *options, struct corm_error *error);

/* 0, or why a call of lanes is refused: in a child of the process, in a function, and, where it waits for
 * a lane, while the thread holds an open transaction, for which the lane might wait. */
int corm__check_lanes(const struct corm_db *db, bool waits, struct corm_error *error);

/* A public options struct as this library knows it: `options` itself or, where the program was built
 * with another header and passes another size, a copy in `room`; what it does not have is zero, the
 * default. */
const void *corm__widen(const void *options, size_t size, size_t known, void *room);

#endif
