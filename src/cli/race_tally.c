/* race_tally.c -- what the buyers of one mode were told: counts, latencies, failures.
 *
 * `mutex` guards the result; a purchase's latency is written by who made the purchase. */
#include "race_tally.h"

#include <stdlib.h>
#include <time.h>

int64_t race_now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int race_tally_init(struct race_tally *tally, struct corm_db *db,
                    const struct race_options *options, const struct race_mode *mode,
                    struct race_result *result)
{
    *result = (struct race_result){.mode = mode};
    *tally = (struct race_tally){.db = db, .options = options, .mode = mode, .result = result};
    tally->latency_ns = calloc((size_t)options->purchases, sizeof *tally->latency_ns);
    if (tally->latency_ns == NULL)
        return -1;
    pthread_mutex_init(&tally->mutex, NULL);
    return 0;
}

void race_tally_free(struct race_tally *tally)
{
    pthread_mutex_destroy(&tally->mutex);
    free(tally->latency_ns);
}

static struct corm_histogram group_sizes(const struct race_tally *tally)
{
    struct corm_db_stats stats;

    (void)corm_db_stats(tally->db, &stats, NULL); /* it fails in a child alone */
    return stats.group_size;
}

void race_tally_start(struct race_tally *tally)
{
    tally->sizes_before = group_sizes(tally);
    corm_stats(tally->db, &tally->before);
    race_timeline_start(&tally->result->timeline);
    tally->started_ns = race_now_ns();
}

/* ---- One purchase --------------------------------------------------------- */

/* Under the mutex. Failures of one kind have one text, so that a thousand of them are one line. */
static void add_failure(struct race_result *result, const struct corm_error *error)
{
    if (error->code <= CORM_OUTCOME_UNKNOWN && !corm_is_user(error->code))
        result->unknown++;
    for (int i = 0; i < result->failure_kinds; i++) {
        struct race_failure *known = &result->failures[i];
        if (known->first.code == error->code && known->first.server_code == error->server_code) {
            known->count++;
            return;
        }
    }
    if (result->failure_kinds == RACE_FAILURE_KINDS)
        result->failed_otherwise++;
    else
        result->failures[result->failure_kinds++] =
            (struct race_failure){.count = 1, .first = *error};
}

/* Groups are counted by corm, so they belong to the slice in which they are seen. */
static void count_groups(const struct race_tally *tally, struct race_slice *slice)
{
    struct corm_counters now;

    corm_stats(tally->db, &now);
    slice->groups = now.groups - tally->before.groups;
    slice->members = now.members - tally->before.members;
}

static void add_told(struct race_tally *tally, struct race_slice *slice, int32_t qty, int rc,
                     const struct corm_error *error)
{
    struct race_result *result = tally->result;

    if (rc >= 0) {
        result->bought++;
        result->pieces_bought += qty;
        slice->bought++;
        slice->pieces += qty;
    } else if (rc == SOLD_OUT) {
        result->refused++;
        slice->refused++;
    } else {
        result->failed++;
        slice->failed++;
        add_failure(result, error);
    }
}

void race_tally_add(struct race_tally *tally, int32_t index, int64_t latency_ns, int32_t qty,
                    int rc, const struct corm_error *error)
{
    int64_t            now_ns = race_now_ns() - tally->started_ns;
    struct race_slice *slice;
    bool               is_new;

    tally->latency_ns[index] = latency_ns;
    pthread_mutex_lock(&tally->mutex);
    race_waits_add(&tally->result->waits, latency_ns);
    slice = race_timeline_at(&tally->result->timeline, now_ns, &is_new);
    if (is_new)
        count_groups(tally, slice);
    add_told(tally, slice, qty, rc, error);
    pthread_mutex_unlock(&tally->mutex);
}

void race_tally_show(struct race_tally *tally)
{
    const struct race_result *result = tally->result;
    struct corm_counters      now;
    struct race_progress      progress = {.mode = tally->mode,
                                          .purchases = tally->options->purchases,
                                          .seconds = (double)(race_now_ns() - tally->started_ns) / 1e9};

    corm_stats(tally->db, &now);
    if (now.groups > tally->before.groups)
        progress.group_size = (double)(now.members - tally->before.members) /
                              (double)(now.groups - tally->before.groups);
    pthread_mutex_lock(&tally->mutex);
    progress.told = result->bought + result->refused + result->failed;
    progress.failed = result->failed;
    progress.p99_ms = race_waits_percentile_ms(&result->waits, 99);
    pthread_mutex_unlock(&tally->mutex);
    race_progress_show(&progress);
}

/* ---- What came of it ------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;

    return (*x > *y) - (*x < *y);
}

/* The smallest latency that `percent` of all do not exceed. */
static double percentile_ms(const int64_t *sorted_ns, int32_t count, int percent)
{
    int64_t rank = ((int64_t)count * percent + 99) / 100;

    return (double)sorted_ns[rank > 0 ? rank - 1 : 0] / 1e6;
}

void race_tally_end(struct race_tally *tally, int64_t ended_ns)
{
    const struct corm_counters *before = &tally->before;
    struct race_result         *result = tally->result;
    struct corm_counters        after;
    int32_t                     count = tally->options->purchases;

    corm_stats(tally->db, &after);
    result->seconds = (double)(ended_ns - tally->started_ns) / 1e9;
    result->round_trips = after.round_trips - before->round_trips;
    result->attempts = tally->mode->strict ? after.attempts - before->attempts : (uint64_t)count;
    result->groups = after.groups - before->groups;
    result->members = after.members - before->members;
    result->group_sizes = group_sizes(tally);
    for (int i = 0; i < CORM_BUCKETS; i++)
        result->group_sizes.buckets[i] -= tally->sizes_before.buckets[i];
    qsort(tally->latency_ns, (size_t)count, sizeof *tally->latency_ns, by_size);
    if (result->timeline.used > 0)
        count_groups(tally, &result->timeline.slices[result->timeline.used - 1]);
    result->p50_ms = percentile_ms(tally->latency_ns, count, 50);
    result->p90_ms = percentile_ms(tally->latency_ns, count, 90);
    result->max_ms = percentile_ms(tally->latency_ns, count, 100);
    result->p99_ms = percentile_ms(tally->latency_ns, count, 99);
}
