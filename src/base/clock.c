/* base/clock.c -- the monotonic clock. */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

int64_t corm__now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t corm__deadline_in(uint32_t ms)
{
    return corm__now() + (int64_t)ms * 1000000;
}

int corm__ms_left(int64_t deadline)
{
    int64_t left = (deadline - corm__now() + 999999) / 1000000;

    if (left <= 0)
        return 0;
    return left > INT32_MAX ? INT32_MAX : (int)left;
}

void corm__pause(int64_t ns, int64_t deadline)
{
    int64_t left = deadline - corm__now();

    if (ns > left)
        ns = left;
    if (ns <= 0)
        return;
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        continue;
}
