/* trx/retry.h -- what is to be done about a failure, and how long to wait before another try. */
#ifndef CORM_TRX_RETRY_H
#define CORM_TRX_RETRY_H

#include "driver/driver.h"

/* What is to be done about a failure of `driver` at `place`. There is one node, so that what would run
 * elsewhere (CORM_RUN_ELSEWHERE) has nowhere to go. */
enum corm_verdict corm__verdict_on(const struct corm__driver *driver,
                                   const struct corm_error *error, enum corm_place place);

/* The pause before try `attempt` (2 and up), in nanoseconds: doubles from 1 ms to 64 ms, times a
 * random half to one and a half. `random` is the state of the generator, not 0. */
int64_t corm__retry_pause(uint32_t attempt, uint64_t *random);

#endif
