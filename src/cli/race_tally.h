/* race_tally.h -- what the buyers of one mode were told, while they buy; and two ways to let them. */
#ifndef CORM_CLI_RACE_TALLY_H
#define CORM_CLI_RACE_TALLY_H

#include "race.h"

#include <pthread.h>

enum { RACE_PROGRESS_MS = 100 };

struct race_tally {
    struct corm_db            *db;
    const struct race_options *options;
    const struct race_mode    *mode;
    struct race_result   *result; /* what is told, as it is told; the rest by race_tally_end() */
    int64_t              *latency_ns;
    int64_t               started_ns;
    struct corm_counters  before;
    struct corm_histogram sizes_before; /* of groups */
    pthread_mutex_t       mutex;        /* guards the result while they buy */
};

/* 0, or -1 when there is no memory; then there is nothing to free. */
int  race_tally_init(struct race_tally *tally, struct corm_db *db,
                     const struct race_options *options, const struct race_mode *mode,
                     struct race_result *result);
void race_tally_free(struct race_tally *tally);

/* The clock starts. */
void race_tally_start(struct race_tally *tally);

/* What purchase number `index`, of `qty` pieces, came to. From any thread. */
void race_tally_add(struct race_tally *tally, int32_t index, int64_t latency_ns, int32_t qty,
                    int rc, const struct corm_error *error);

/* Prints the line of progress. */
void race_tally_show(struct race_tally *tally);

/* Puts everything but the proof into the result. */
void race_tally_end(struct race_tally *tally, int64_t ended_ns);

int64_t race_now_ns(void);

/* Let the buyers buy, from race_tally_start() to race_tally_end(): a thread each, or all of them by one
 * thread, which submits what they want. 0; or -1 when threads or memory ran out, which has been said. */
int race_by_threads(struct race_tally *tally, const int32_t *ids);
int race_by_submitting(struct race_tally *tally, const int32_t *ids);

#endif
