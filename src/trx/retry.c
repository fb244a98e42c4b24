/* trx/retry.c -- what may be run again, and how long to wait before.
 *
 * One table by corm's codes. The place decides which code a failure has: a connection that is lost
 * before COMMIT was sent is DISCONNECTED, after that it is UNKNOWN (trx.c), which is never run again;
 * a lock that was asked for with nowait or wait_ms is LOCKED, an answer for the function. */
#include "trx/retry.h"

#include <corm/error.h>
#include <stddef.h>

static const int again[] = {
    CORM_DEADLOCK,             /* rolled back by the server to let another one go on */
    CORM_CONFLICT,             /* rolled back by the server: the snapshot was stale */
    CORM_LOCK_TIMEOUT,         /* rolled back by corm */
    CORM_DISCONNECTED,         /* rolled back by the server: COMMIT was not sent */
    CORM_UNREACHABLE,          /* never begun: a server that was there once may come back */
    CORM_TOO_MANY_CONNECTIONS, /* never begun */
};

bool corm__may_run_again(int code)
{
    for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++)
        if (again[i] == code)
            return true;
    return false;
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
