/* race_run.c -- the buyers of a mode in threads: one thread each.
 *
 * All threads are started first and wait at a gate; the clock starts when it opens and stops when
 * the last of them has gone. A buyer takes the number of the next purchase from a shared counter
 * until there are none left, so every purchase is made once, by whoever is free.
 *
 * `mutex` guards the gate, `running` and `ended_ns`. */
#include "race_tally.h"

#include "scratch.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STACK_BYTES = 256 * 1024 }; /* the default, 8 MiB, times 10,000 is more than many may map */

struct run {
    struct race_tally *tally;
    const int32_t     *ids;
    pthread_mutex_t    mutex;
    pthread_cond_t     changed; /* the gate was opened, or the last buyer has gone */
    bool               open;
    int32_t            running;
    int64_t            ended_ns;
    atomic_bool        cancelled;
    atomic_int         next;
};

struct buyer {
    struct run        *run;
    struct corm_arena *arena;
    pthread_t          thread;
};

/* ---- A buyer -------------------------------------------------------------- */

static void buy(struct buyer *buyer, int32_t index)
{
    struct run        *run = buyer->run;
    struct race_tally *tally = run->tally;
    struct race_want   want = race_want_of(tally->options, index);
    struct corm_error  error = {0};
    int64_t            started_ns;
    int                rc;

    want.product_id = run->ids[want.product_id];
    started_ns = race_now_ns();
    rc = tally->mode->buy(tally->db, &want, buyer->arena, &error);
    race_tally_add(tally, index, race_now_ns() - started_ns, want.qty, rc, &error);
}

/* The number of the next purchase, or -1 when there is none or the race was called off. The counter
 * ends at most `buyers` behind the last number. */
static int32_t take(struct run *run)
{
    int next;

    if (atomic_load(&run->cancelled) || interrupt_signal() != 0)
        return -1;
    next = atomic_fetch_add(&run->next, 1);
    return next < run->tally->options->purchases ? next : -1;
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
        run->ended_ns = race_now_ns();
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

static void wait_for_end(struct run *run)
{
    bool watched = race_progress_is_wanted(run->tally->options);

    pthread_mutex_lock(&run->mutex);
    while (run->running > 0 && !watched)
        pthread_cond_wait(&run->changed, &run->mutex);
    while (run->running > 0) {
        int64_t         wake_ns = race_now_ns() + RACE_PROGRESS_MS * INT64_C(1000000);
        struct timespec wake = {.tv_sec = (time_t)(wake_ns / 1000000000),
                                .tv_nsec = (long)(wake_ns % 1000000000)};
        (void)pthread_cond_timedwait(&run->changed, &run->mutex, &wake);
        pthread_mutex_unlock(&run->mutex);
        race_tally_show(run->tally); /* a terminal may be slow: nobody waits for it */
        pthread_mutex_lock(&run->mutex);
    }
    pthread_mutex_unlock(&run->mutex);
    if (watched)
        race_progress_clear();
}

/* Opens the gate for `count` buyers and waits until all have gone. */
static void let_run(struct run *run, struct buyer *buyers, int32_t count)
{
    pthread_mutex_lock(&run->mutex);
    run->running = count;
    run->open = true;
    race_tally_start(run->tally);
    run->ended_ns = run->tally->started_ns;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->mutex);

    wait_for_end(run);
    for (int32_t i = 0; i < count; i++) {
        pthread_join(buyers[i].thread, NULL);
        corm_arena_free(buyers[i].arena);
    }
    race_tally_end(run->tally, run->ended_ns);
}

static int run_buyers(struct run *run, struct buyer *buyers)
{
    int32_t wanted = run->tally->options->buyers;
    int     error;
    int32_t count = start_buyers(run, buyers, wanted, &error);

    atomic_store(&run->cancelled, count < wanted);
    let_run(run, buyers, count);
    if (count == wanted)
        return 0;
    fprintf(stderr,
            "corm race: buyer %d of %d could not be started: %s; lower --buyers, or raise the"
            " limit of threads or memory (ulimit -u, -v)\n",
            count + 1, wanted, strerror(error));
    return -1;
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

int race_by_threads(struct race_tally *tally, const int32_t *ids)
{
    struct run    run = {.tally = tally, .ids = ids};
    struct buyer *buyers = calloc((size_t)tally->options->buyers, sizeof *buyers);
    int           rc;

    if (buyers == NULL) {
        fprintf(stderr, "corm race: out of memory; lower --buyers\n");
        return -1;
    }
    prepare(&run);
    rc = run_buyers(&run, buyers);
    pthread_cond_destroy(&run.changed);
    pthread_mutex_destroy(&run.mutex);
    free(buyers);
    return rc;
}
