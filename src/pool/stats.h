/* pool/stats.h -- what is counted and measured: histograms, counts by code, and the durations of operations.
 *
 * A histogram has one writer at a time: who has the connection, or holds the mutex that it belongs to.
 * So it is written without a locked instruction, and read from any thread.
 *
 * Durations are measured where the db wants them (struct corm__durations in its watch). Each connection has a
 * *shard* that no other one writes, so that threads do not share a line of the cache. One that is
 * closed leaves its shard, with what is in it, to the next one of its node: there are as many as
 * connections were open at the same time. */
#ifndef CORM_POOL_STATS_H
#define CORM_POOL_STATS_H

#include "driver/driver.h"

#include <corm/stats.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- Histograms ----------------------------------------------------------------- */

struct corm__histogram {
    _Atomic uint64_t sum, buckets[CORM_BUCKETS];
};

extern const uint64_t corm__duration_bounds[CORM_BUCKETS], corm__size_bounds[CORM_BUCKETS];

static inline void corm__add_up(_Atomic uint64_t *number, uint64_t more)
{
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

static inline void corm__observe(struct corm__histogram *histogram, const uint64_t *bounds,
                                 uint64_t value)
{
    size_t i = 0;

    while (value > bounds[i]) /* the last bound is above all */
        i++;
    corm__add_up(&histogram->buckets[i], 1);
    corm__add_up(&histogram->sum, value);
}

/* Adds what a histogram holds to `all`, whose bounds are set as well. */
void corm__histogram_read(const struct corm__histogram *histogram, const uint64_t *bounds,
                          struct corm_histogram *all);

/* ---- Counts by code --------------------------------------------------------------- */

enum {
    CORM__PLACE_OF_OTHERS, /* codes that are not corm's own */
#define CORM__X_PLACE(name, number, what, cure) CORM__PLACE_OF_##name,
    CORM_ERROR_MAP(CORM__X_PLACE)
#undef CORM__X_PLACE
        CORM__CODES
};

/* From any thread: it is for what is rare. */
struct corm__code_counts {
    _Atomic uint64_t of[CORM__CODES];
};

void corm__count_code(struct corm__code_counts *counts, int code);
void corm__code_counts_read(const struct corm__code_counts *counts,
                            struct corm_code_count          list[CORM_CODES_MAX]);

/* ---- Durations of operations -------------------------------------------------------- */

struct corm__shard {
    struct corm__shard          *next;
    const struct corm__endpoint *of;    /* of the node */
    bool                         taken; /* by a connection */
    struct corm__histogram       durations;
    char                         apart[64]; /* a line of the cache: what lies behind it in memory */
};

struct corm__durations {
    pthread_mutex_t     mutex; /* guards the list, not what is in the histograms */
    struct corm__shard *shards;
};

/* NULL where there is no memory. No connection may have a shard when they are freed; NULL is allowed. */
struct corm__durations *corm__durations_new(void);
void                    corm__durations_free(struct corm__durations *durations);

/* A shard for a connection of the node whose endpoint that is, until it is given back; NULL where there is no
 * memory. */
struct corm__shard *corm__shard_take(struct corm__durations      *durations,
                                     const struct corm__endpoint *endpoint);
void                corm__shard_give(struct corm__durations *durations, struct corm__shard *shard);

/* Adds up the shards of a node. */
void corm__durations_read(struct corm__durations *durations, const struct corm__endpoint *endpoint,
                          struct corm_histogram *all);

#endif
