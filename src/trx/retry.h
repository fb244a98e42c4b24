/* trx/retry.h -- whether a function runs again, and how long to wait before. */
#ifndef CORM_TRX_RETRY_H
#define CORM_TRX_RETRY_H

#include "driver/driver.h"

/* Whether a function whose transaction failed with `error` at `place` runs again: nothing of it is in
 * the database, and another try may fare better. */
bool corm__runs_again(const struct corm__driver *driver, const struct corm_error *error,
                      enum corm_place place);

/* The pause before try `attempt` (2 and up), in nanoseconds: doubles from 1 ms to 64 ms, times a
 * random half to one and a half. `random` is the state of the generator, not 0. */
int64_t corm__retry_pause(uint32_t attempt, uint64_t *random);

#endif
