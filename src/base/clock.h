/* base/clock.h -- the monotonic clock; deadlines are points of it, in nanoseconds. */
#ifndef CORM_BASE_CLOCK_H
#define CORM_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t corm__now(void);

/* `ms` milliseconds from now. */
int64_t corm__deadline_in(uint32_t ms);

/* Milliseconds to `deadline`, rounded up; 0 when it has passed; at most INT32_MAX. */
int corm__ms_left(int64_t deadline);

/* Sleeps `ns` nanoseconds, or to `deadline` where that is sooner. */
void corm__pause(int64_t ns, int64_t deadline);

#endif
