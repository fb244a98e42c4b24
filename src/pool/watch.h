/* pool/watch.h -- what a db counts, and whom it tells of statements. Shared by its connections and
 * transactions; what is atomic may be touched from any thread, the rest does not change. */
#ifndef CORM_POOL_WATCH_H
#define CORM_POOL_WATCH_H

#include "pool/stats.h"

#include <corm/db.h>
#include <stdatomic.h>

struct corm__watch {
    corm_event_function   *on_statement; /* or NULL */
    void                  *on_statement_arg;
    corm_warning_function *on_warning; /* or NULL */
    void                  *on_warning_arg;
    _Atomic bool           has_ledger; /* as the connection says that was opened last */
    _Atomic bool           warned;     /* that it has none */
    _Atomic uint64_t round_trips, statements, transactions, commits, rollbacks, attempts, connects;

    /* Of corm/stats.h. What is seldom is always counted; `durations` is NULL where nobody wants them. */
    _Atomic uint64_t         deadlocks, unknown, resolved_done, resolved_undone;
    struct corm__code_counts errors, run_again;
    struct corm__durations  *durations;
};

#endif
