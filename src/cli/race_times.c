/* race_times.c -- when purchases were told, and how long they had waited.
 *
 * A wait of less than 8 us has a bucket for each microsecond, a longer one an eighth of its doubling: what is
 * told of it is at most an eighth too much. A slice's groups and members are counted when its first
 * purchase is told: they are those of all slices before it, and its own when the race ends. */
#include "race.h"

enum { EIGHTHS = 8, FIRST_SLICE_NS = 50000 };

/* ---- Waits ----------------------------------------------------------------- */

static int bucket_of(uint64_t us)
{
    int doubling = 0;

    while (us >> doubling >= 2 * EIGHTHS)
        doubling++;
    int bucket = us < EIGHTHS ? (int)us : doubling * EIGHTHS + (int)(us >> doubling);
    return bucket < RACE_WAIT_BUCKETS ? bucket : RACE_WAIT_BUCKETS - 1;
}

double race_wait_limit_ms(int bucket)
{
    int doubling = bucket < EIGHTHS ? 0 : bucket / EIGHTHS - 1;

    return (double)((uint64_t)(bucket - doubling * EIGHTHS + 1) << doubling) / 1000;
}

void race_waits_add(struct race_waits *waits, int64_t ns)
{
    waits->counts[bucket_of(ns > 0 ? (uint64_t)ns / 1000 : 0)]++;
    waits->count++;
}

double race_waits_percentile_ms(const struct race_waits *waits, int percent)
{
    int64_t rank = (waits->count * percent + 99) / 100;
    int     bucket = 0;

    if (waits->count == 0)
        return 0;
    for (int64_t before = waits->counts[0]; before < rank; before += waits->counts[bucket])
        bucket++;
    return race_wait_limit_ms(bucket);
}

/* ---- Slices ---------------------------------------------------------------- */

void race_timeline_start(struct race_timeline *timeline)
{
    *timeline = (struct race_timeline){.slice_ns = FIRST_SLICE_NS};
}

static void fold(struct race_timeline *timeline)
{
    for (int i = 0; i < RACE_SLICES / 2; i++) {
        const struct race_slice *a = &timeline->slices[2 * i];
        const struct race_slice *b = a + 1;

        timeline->slices[i] = (struct race_slice){
            .bought = a->bought + b->bought,
            .refused = a->refused + b->refused,
            .failed = a->failed + b->failed,
            .pieces = a->pieces + b->pieces,
            .groups = a->groups > b->groups ? a->groups : b->groups,
            .members = a->members > b->members ? a->members : b->members,
        };
    }
    for (int i = RACE_SLICES / 2; i < RACE_SLICES; i++)
        timeline->slices[i] = (struct race_slice){0};
    timeline->used = (timeline->used + 1) / 2;
    timeline->slice_ns *= 2;
}

struct race_slice *race_timeline_at(struct race_timeline *timeline, int64_t ns, bool *is_new)
{
    int64_t at = ns > 0 ? ns / timeline->slice_ns : 0;

    for (; at >= RACE_SLICES; at = ns / timeline->slice_ns)
        fold(timeline);
    *is_new = at >= timeline->used;
    if (*is_new)
        timeline->used = (int)at + 1;
    return &timeline->slices[at];
}
