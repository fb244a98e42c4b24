/* trx/retry.c -- what is to be done about a failure, and how long to wait before another try.
 *
 * The table itself is driver/error_table.c. */
#include "trx/retry.h"

enum corm_verdict corm__verdict_on(const struct corm__driver *driver,
                                   const struct corm_error *error, enum corm_place place)
{
    return corm__verdict(driver->find_error(error->server_code), error->code, place);
}

int64_t corm__retry_pause(uint32_t attempt, uint64_t *random)
{
    uint32_t doublings = attempt - 2 < 6 ? attempt - 2 : 6;
    int64_t  pause = (int64_t)1000000 << doublings;

    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return pause / 2 + (int64_t)(*random % (uint64_t)pause);
}
