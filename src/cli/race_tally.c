/* race_tally.c -- what the buyers of one mode were told: counts, latencies, failures.
 *
 * `mutex` guards the list of failures; the counters are atomic, and a purchase's latency is written by
 * who made the purchase. */
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

void race_tally_start(struct race_tally *tally)
{
    corm_stats(tally->db, &tally->before);
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

void race_tally_add(struct race_tally *tally, int32_t index, int64_t latency_ns, int32_t qty,
                    int rc, const struct corm_error *error)
{
    tally->latency_ns[index] = latency_ns;
    if (rc >= 0) {
        atomic_fetch_add(&tally->bought, 1);
        atomic_fetch_add(&tally->pieces, qty);
    } else if (rc == SOLD_OUT) {
        atomic_fetch_add(&tally->refused, 1);
    } else {
        atomic_fetch_add(&tally->failed, 1);
        pthread_mutex_lock(&tally->mutex);
        add_failure(tally->result, error);
        pthread_mutex_unlock(&tally->mutex);
    }
}

void race_tally_show(struct race_tally *tally)
{
    race_progress_show(tally->mode, atomic_load(&tally->bought), atomic_load(&tally->refused),
                       atomic_load(&tally->failed),
                       (double)(race_now_ns() - tally->started_ns) / 1e9);
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
    result->bought = atomic_load(&tally->bought);
    result->refused = atomic_load(&tally->refused);
    result->failed = atomic_load(&tally->failed);
    result->pieces_bought = atomic_load(&tally->pieces);
    result->seconds = (double)(ended_ns - tally->started_ns) / 1e9;
    result->round_trips = after.round_trips - before->round_trips;
    result->attempts = tally->mode->strict ? after.attempts - before->attempts : (uint64_t)count;
    result->groups = after.groups - before->groups;
    result->members = after.members - before->members;
    qsort(tally->latency_ns, (size_t)count, sizeof *tally->latency_ns, by_size);
    result->p50_ms = percentile_ms(tally->latency_ns, count, 50);
    result->p99_ms = percentile_ms(tally->latency_ns, count, 99);
}
