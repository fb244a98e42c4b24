/* api/lane.c -- the calls of corm/lane.h. */
#include "api/db.h"

#include <corm/lane.h>

int corm__check_lanes(const struct corm_db *db, bool waits, struct corm_error *error)
{
    int rc = corm__nodes_check(&db->nodes, error);

    if (rc == 0)
        rc = corm__trx_check_nested(db->store, error);
    if (rc == 0 && waits && corm__nodes_are_held(&db->nodes))
        rc = corm__fail(error, CORM_WOULD_BLOCK,
                        "this thread holds an open transaction, for which the lane might wait");
    return rc;
}

int64_t corm_submit_(struct corm_db *db, corm_trx_function *function,
                     const struct corm_trx_options *options)
{
    struct corm_trx_options        room;
    const struct corm_trx_options *o = corm__widen(options, options->size, sizeof(room), &room);
    struct corm_error              error = {0};
    struct corm__job               job = corm__job_of(db, function, o);
    int64_t                        rc = corm__check_lanes(db, false, &error);

    if (rc == 0)
        rc = corm__check_job(db, &job, o, &error);
    if (rc == 0)
        rc = corm__lanes_submit(db->lanes, &job, &error);
    if (rc < 0) {
        corm__error_place(&error, o->file, o->line);
        if (o->error != NULL)
            *o->error = error;
    }
    return rc;
}

int corm_wait(struct corm_db *db, int64_t ticket, struct corm_error *error)
{
    struct corm_error own = {0};
    int               rc = corm__check_lanes(db, true, &own);

    if (rc == 0)
        return corm__lanes_wait(db->lanes, ticket, error);
    if (error != NULL)
        *error = own;
    return rc;
}

int corm_cancel(struct corm_db *db, int64_t ticket)
{
    struct corm_error error = {0};
    int               rc = corm__check_lanes(db, false, &error);

    return rc < 0 ? rc : corm__lanes_cancel(db->lanes, ticket);
}

int64_t corm_drain(struct corm_db *db)
{
    struct corm_error error = {0};
    int               rc = corm__check_lanes(db, true, &error);

    return rc < 0 ? rc : corm__lanes_drain(db->lanes);
}

int64_t corm_dispatch(struct corm_db *db)
{
    struct corm_error error = {0};
    int               rc = corm__check_lanes(db, false, &error);

    return rc < 0 ? rc : corm__lanes_dispatch(db->lanes);
}

int corm_fd(struct corm_db *db)
{
    struct corm_error error = {0};
    int               rc = corm__check_lanes(db, false, &error);

    return rc < 0 ? rc : corm__lanes_fd(db->lanes);
}
