/* trx/retry.c -- whether a function runs again, and how long to wait before.
 *
 * What is done about a failure stands in driver/error_table.c. There is one node: what would run again
 * elsewhere has nowhere to go. */
#include "trx/retry.h"

bool corm__runs_again(const struct corm__driver *driver, const struct corm_error *error,
                      enum corm_place place)
{
    return corm__verdict(driver->find_error(error->server_code), error->code, place) ==
           CORM_RUN_AGAIN;
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
