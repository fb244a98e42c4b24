/* api/ledger.c -- the calls of corm/ledger.h. */
#include "api/db.h"
#include "base/clock.h"

#include <corm/ledger.h>

static int check(const struct corm_db *db, struct corm_error *error)
{
    int rc = corm__nodes_check(&db->nodes, error);

    return rc < 0 ? rc : corm__trx_check_nested(db->store, error);
}

int corm_setup(struct corm_db *db, struct corm_error *error)
{
    struct corm_error own = {0};
    int               rc = check(db, &own);

    if (rc == 0)
        rc = corm__ledger_setup(corm__ledger_of(db->store),
                                corm__deadline_in(db->nodes.all->timeout_ms), &own);
    if (rc < 0 && error != NULL)
        *error = own;
    return rc;
}

int corm_outcome(struct corm_db *db, uint64_t outcome, uint32_t timeout_ms,
                 struct corm_error *error)
{
    struct corm_error own = {0};
    int               rc = check(db, &own);

    if (rc == 0)
        rc = corm__ledger_outcome(corm__ledger_of(db->store), outcome,
                                  corm__deadline_in(timeout_ms), &own);
    if (rc < 0 && error != NULL)
        *error = own;
    return rc;
}
