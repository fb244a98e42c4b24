/* trx/retry.h -- what may be run again, and how long to wait before. */
#ifndef CORM_TRX_RETRY_H
#define CORM_TRX_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a function whose transaction ended with `code` may be run again: nothing of it is in the
 * database, and another try may go better. */
bool corm__may_run_again(int code);

/* The pause before try `attempt` (2 and up), in nanoseconds: doubles from 1 ms to 64 ms, times a
 * random half to one and a half. `random` is the state of the generator, not 0. */
int64_t corm__retry_pause(uint32_t attempt, uint64_t *random);

#endif
