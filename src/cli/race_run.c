/* race_run.c -- the buyers: threads that make all purchases of one mode.
 *
 * All threads are started first and wait at a gate; the clock starts when it opens and stops when
 * the last of them has gone. A buyer takes the number of the next purchase from a shared counter
 * until there are none left, so every purchase is made once, by whoever is free.
 *
 * `mutex` guards the gate, `running`, `ended_ns` and the list of failures; the counters are atomic,
 * and a purchase's latency is written by the buyer who took its number. */
#include "race.h"

#include "scratch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    STACK_BYTES = 256 * 1024, /* the default, 8 MiB, times 10,000 is more than many may map */
    PROGRESS_MS = 100
};

struct run {
    struct corm_db            *db;
    const struct race_options *options;
    const struct race_mode    *mode;
    const int32_t             *ids;
    struct race_result        *result; /* its failures only, while buyers run */
    int64_t                   *latency_ns;
    pthread_mutex_t            mutex;
    pthread_cond_t             changed; /* the gate was opened, or the last buyer has gone */
    bool                       open;
    int32_t                    running;
    int64_t                    ended_ns;
    atomic_bool                cancelled;
    atomic_int                 next;
    atomic_llong               bought;
    atomic_llong               refused;
    atomic_llong               failed;
    atomic_llong               pieces;
};

struct buyer {
    struct run        *run;
    struct corm_arena *arena;
    pthread_t          thread;
};

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- A buyer -------------------------------------------------------------- */

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

static void note_failure(struct run *run, const struct corm_error *error)
{
    atomic_fetch_add(&run->failed, 1);
    pthread_mutex_lock(&run->mutex);
    add_failure(run->result, error);
    pthread_mutex_unlock(&run->mutex);
}

static void buy(struct buyer *buyer, int32_t index)
{
    struct run       *run = buyer->run;
    struct race_want  want = race_want_of(run->options, index);
    struct corm_error error = {0};
    int64_t           started_ns;
    int               rc;

    want.product_id = run->ids[want.product_id];
    started_ns = now_ns();
    rc = run->mode->buy(run->db, &want, buyer->arena, &error);
    run->latency_ns[index] = now_ns() - started_ns;

    if (rc >= 0) {
        atomic_fetch_add(&run->bought, 1);
        atomic_fetch_add(&run->pieces, want.qty);
    } else if (rc == SOLD_OUT) {
        atomic_fetch_add(&run->refused, 1);
    } else {
        note_failure(run, &error);
    }
}

/* The number of the next purchase, or -1 when there is none or the race was called off. The counter
 * ends at most `buyers` behind the last number. */
static int32_t take(struct run *run)
{
    int next;

    if (atomic_load(&run->cancelled) || interrupt_signal() != 0)
        return -1;
    next = atomic_fetch_add(&run->next, 1);
    return next < run->options->purchases ? next : -1;
}

static void wait_at_gate(struct run *run)
{
    pthread_mutex_lock(&run->mutex);
    while (!run->open)
        pthread_cond_wait(&run->changed, &run->mutex);
    pthread_mutex_unlock(&run->mutex);
}

static void leave(struct run *run)
{
    pthread_mutex_lock(&run->mutex);
    if (--run->running == 0) {
        run->ended_ns = now_ns();
        pthread_cond_broadcast(&run->changed);
    }
    pthread_mutex_unlock(&run->mutex);
}

static void *buyer_main(void *arg)
{
    struct buyer *buyer = arg;
    int32_t       index;

    wait_at_gate(buyer->run);
    while ((index = take(buyer->run)) >= 0)
        buy(buyer, index);
    leave(buyer->run);
    return NULL;
}

/* ---- All of them ---------------------------------------------------------- */

/* Starts buyers until there are `count`. Returns how many there are; *error says why not all. */
static int32_t start_buyers(struct run *run, struct buyer *buyers, int32_t count, int *error)
{
    pthread_attr_t attributes;
    sigset_t       all;
    sigset_t       before;
    int32_t        n = 0;

    *error = pthread_attr_init(&attributes);
    if (*error != 0)
        return 0;
    *error = pthread_attr_setstacksize(&attributes, STACK_BYTES);
    /* Signals go to the first thread: a buyer's system call is not disturbed. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    while (*error == 0 && n < count) {
        buyers[n].run = run;
        buyers[n].arena = corm_arena_new();
        *error = buyers[n].arena == NULL
                     ? ENOMEM
                     : pthread_create(&buyers[n].thread, &attributes, buyer_main, &buyers[n]);
        if (*error == 0)
            n++;
        else
            corm_arena_free(buyers[n].arena);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return n;
}

static void show_progress(struct run *run, int64_t started_ns)
{
    race_progress_show(run->mode, atomic_load(&run->bought), atomic_load(&run->refused),
                       atomic_load(&run->failed), (double)(now_ns() - started_ns) / 1e9);
}

static void wait_for_end(struct run *run, int64_t started_ns)
{
    bool watched = isatty(STDERR_FILENO) && !run->options->verbose;

    pthread_mutex_lock(&run->mutex);
    while (run->running > 0 && !watched)
        pthread_cond_wait(&run->changed, &run->mutex);
    while (run->running > 0) {
        int64_t         wake_ns = now_ns() + PROGRESS_MS * INT64_C(1000000);
        struct timespec wake = {.tv_sec = (time_t)(wake_ns / 1000000000),
                                .tv_nsec = (long)(wake_ns % 1000000000)};
        (void)pthread_cond_timedwait(&run->changed, &run->mutex, &wake);
        pthread_mutex_unlock(&run->mutex);
        show_progress(run, started_ns); /* a terminal may be slow: nobody waits for it */
        pthread_mutex_lock(&run->mutex);
    }
    pthread_mutex_unlock(&run->mutex);
    if (watched)
        race_progress_clear();
}

/* Opens the gate for `count` buyers and waits until all have gone. Returns the seconds between. */
static double let_run(struct run *run, struct buyer *buyers, int32_t count)
{
    int64_t started_ns;

    pthread_mutex_lock(&run->mutex);
    run->running = count;
    run->open = true;
    started_ns = run->ended_ns = now_ns();
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->mutex);

    wait_for_end(run, started_ns);
    for (int32_t i = 0; i < count; i++) {
        pthread_join(buyers[i].thread, NULL);
        corm_arena_free(buyers[i].arena);
    }
    return (double)(run->ended_ns - started_ns) / 1e9;
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

static void sum_up(struct run *run, const struct corm_counters *before)
{
    struct race_result  *result = run->result;
    struct corm_counters after;
    int32_t              count = run->options->purchases;

    corm_stats(run->db, &after);
    result->bought = atomic_load(&run->bought);
    result->refused = atomic_load(&run->refused);
    result->failed = atomic_load(&run->failed);
    result->pieces_bought = atomic_load(&run->pieces);
    result->round_trips = after.round_trips - before->round_trips;
    result->attempts = run->mode->strict ? after.attempts - before->attempts : (uint64_t)count;
    qsort(run->latency_ns, (size_t)count, sizeof *run->latency_ns, by_size);
    result->p50_ms = percentile_ms(run->latency_ns, count, 50);
    result->p99_ms = percentile_ms(run->latency_ns, count, 99);
}

static int run_buyers(struct run *run, struct buyer *buyers)
{
    int32_t              wanted = run->options->buyers;
    struct corm_counters before;
    int32_t              count;
    int                  error;

    count = start_buyers(run, buyers, wanted, &error);
    atomic_store(&run->cancelled, count < wanted);
    corm_stats(run->db, &before);
    run->result->seconds = let_run(run, buyers, count);
    if (count < wanted) {
        fprintf(stderr,
                "corm race: buyer %d of %d could not be started: %s; lower --buyers, or raise the"
                " limit of threads or memory (ulimit -u, -v)\n",
                count + 1, wanted, strerror(error));
        return -1;
    }
    sum_up(run, &before);
    return 0;
}

static void prepare(struct run *run)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&run->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&run->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

int race_run(struct corm_db *db, const struct race_options *options, const struct race_mode *mode,
             const int32_t *ids, struct race_result *result)
{
    struct run    run = {.db = db, .options = options, .mode = mode, .ids = ids, .result = result};
    struct buyer *buyers = calloc((size_t)options->buyers, sizeof *buyers);
    int           rc = -1;

    *result = (struct race_result){.mode = mode};
    run.latency_ns = calloc((size_t)options->purchases, sizeof *run.latency_ns);
    prepare(&run);
    if (buyers != NULL && run.latency_ns != NULL)
        rc = run_buyers(&run, buyers);
    else
        fprintf(stderr, "corm race: out of memory; lower --buyers or --purchases\n");
    pthread_cond_destroy(&run.changed);
    pthread_mutex_destroy(&run.mutex);
    free(run.latency_ns);
    free(buyers);
    return rc;
}
