/* pool/stats.c -- what is counted and measured: histograms, counts by code, and the durations of operations. */
#include "pool/stats.h"

#include <assert.h>
#include <stdlib.h>

/* ---- Histograms ----------------------------------------------------------------- */

const uint64_t corm__duration_bounds[CORM_BUCKETS] = {
    10000,    50000,     100000,    500000,     1000000,    5000000,     10000000,
    50000000, 100000000, 500000000, 1000000000, 5000000000, 10000000000, UINT64_MAX,
};

const uint64_t corm__size_bounds[CORM_BUCKETS] = {
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, UINT64_MAX,
};

void corm__histogram_read(const struct corm__histogram *histogram, const uint64_t *bounds,
                          struct corm_histogram *all)
{
    for (size_t i = 0; i < CORM_BUCKETS; i++) {
        uint64_t n = atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        all->bounds[i] = bounds[i];
        all->buckets[i] += n;
        all->count += n;
    }
    all->sum += atomic_load_explicit(&histogram->sum, memory_order_relaxed);
}

/* ---- Counts by code --------------------------------------------------------------- */

static const int codes[CORM__CODES] = {CORM_USER,
#define X_CODE(name, number, what, cure) CORM_##name,
                                       CORM_ERROR_MAP(X_CODE)
#undef X_CODE
};

void corm__count_code(struct corm__code_counts *counts, int code)
{
    size_t i = CORM__CODES - 1;

    while (i > 0 && codes[i] != code)
        i--;
    atomic_fetch_add_explicit(&counts->of[i], 1, memory_order_relaxed);
}

void corm__code_counts_read(const struct corm__code_counts *counts,
                            struct corm_code_count          list[CORM_CODES_MAX])
{
    size_t n = 0;

    static_assert((int)CORM__CODES < (int)CORM_CODES_MAX, "behind the last one is one of code 0");
    for (size_t i = 0; i < CORM__CODES; i++) {
        uint64_t count = atomic_load_explicit(&counts->of[i], memory_order_relaxed);
        if (count > 0)
            list[n++] = (struct corm_code_count){.code = codes[i], .count = count};
    }
    list[n] = (struct corm_code_count){.code = 0};
}

/* ---- Durations of operations -------------------------------------------------------- */

struct corm__durations *corm__durations_new(void)
{
    struct corm__durations *d = calloc(1, sizeof(*d));

    if (d != NULL)
        (void)pthread_mutex_init(&d->mutex, NULL);
    return d;
}

void corm__durations_free(struct corm__durations *d)
{
    if (d == NULL)
        return;
    for (struct corm__shard *shard = d->shards, *next; shard != NULL; shard = next) {
        next = shard->next;
        free(shard);
    }
    (void)pthread_mutex_destroy(&d->mutex);
    free(d);
}

struct corm__shard *corm__shard_take(struct corm__durations      *d,
                                     const struct corm__endpoint *endpoint)
{
    (void)pthread_mutex_lock(&d->mutex);
    struct corm__shard *shard = d->shards;
    while (shard != NULL && (shard->taken || shard->of != endpoint))
        shard = shard->next;
    if (shard == NULL) {
        shard = calloc(1, sizeof(*shard));
        if (shard != NULL) {
            shard->of = endpoint;
            shard->next = d->shards;
            d->shards = shard;
        }
    }
    if (shard != NULL)
        shard->taken = true;
    (void)pthread_mutex_unlock(&d->mutex);
    return shard;
}

void corm__shard_give(struct corm__durations *d, struct corm__shard *shard)
{
    (void)pthread_mutex_lock(&d->mutex);
    shard->taken = false;
    (void)pthread_mutex_unlock(&d->mutex);
}

void corm__durations_read(struct corm__durations *d, const struct corm__endpoint *endpoint,
                          struct corm_histogram *all)
{
    (void)pthread_mutex_lock(&d->mutex);
    for (const struct corm__shard *shard = d->shards; shard != NULL; shard = shard->next)
        if (shard->of == endpoint)
            corm__histogram_read(&shard->durations, corm__duration_bounds, all);
    (void)pthread_mutex_unlock(&d->mutex);
}
