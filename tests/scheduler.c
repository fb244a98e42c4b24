/* scheduler.c -- threads that run one at a time, in an order that a seed decides.
 *
 * Whoever has the baton may touch everything here; a semaphore hands it over, so that no two threads
 * ever do. Mutexes of corm's are really taken, conditions are not: who waits for one is WAITING. */
#include "scheduler.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS_MAX = 96, STEPS_MAX = 2000000 };

enum state { IDLE, READY, RUNNING, WAITING };

struct thread {
    pthread_t           real;
    sem_t               baton;
    enum state          state;
    scheduler_function *function; /* NULL: the thread shall end */
    void               *arg;
    const void         *key; /* that it waits for; NULL: time alone */
    int64_t             until;
    bool                woken;
    int                 mutexes;
};

static struct {
    struct thread threads[THREADS_MAX]; /* the first one is that of scheduler_begin() */
    int           count;                /* that were ever made */
    bool          runs;
    int64_t       now;
    uint64_t      random, step;
    unsigned      stays; /* of 100 times that one could go on, and others too */
    void (*failed)(const char *why);
} all;

static _Thread_local struct thread *me;

/* ---- The baton ------------------------------------------------------------------- */

uint64_t scheduler_random(uint64_t below)
{
    all.random ^= all.random << 13;
    all.random ^= all.random >> 7;
    all.random ^= all.random << 17;
    return (all.random * 2685821657736338717u >> 11) % below;
}

static void stop(const char *why)
{
    all.failed(why);
    abort();
}

/* Of those who wait for a point of the clock the first; the clock goes there. */
static struct thread *next_by_time(void)
{
    struct thread *first = NULL;

    for (int i = 0; i < all.count; i++) {
        struct thread *t = &all.threads[i];
        if (t->state == WAITING && t->until < INT64_MAX &&
            (first == NULL || t->until < first->until))
            first = t;
    }
    if (first != NULL && first->until > all.now)
        all.now = first->until;
    return first;
}

static struct thread *choose(void)
{
    struct thread *ready[THREADS_MAX];
    unsigned       n = 0;

    for (int i = 0; i < all.count; i++)
        if (all.threads[i].state == READY)
            ready[n++] = &all.threads[i];
    if (n == 0)
        return next_by_time();
    if (me->state == READY && scheduler_random(100) < all.stays)
        return me;
    return ready[scheduler_random(n)];
}

/* Gives the baton to who is chosen, and comes back when it is this thread's again. */
static void hand_over(void)
{
    struct thread *next = choose();

    if (next == NULL)
        stop("every thread waits for another one");
    if (++all.step > STEPS_MAX)
        stop("the threads run without end");
    next->state = RUNNING;
    if (next == me)
        return;
    struct thread *self = me;
    (void)sem_post(&next->baton);
    while (sem_wait(&self->baton) != 0)
        continue;
}

static void yield(void)
{
    me->state = READY;
    hand_over();
}

bool scheduler_wait(const void *key, int64_t until)
{
    me->state = WAITING;
    me->key = key;
    me->until = until;
    me->woken = false;
    hand_over();
    return me->woken;
}

void scheduler_sleep(int64_t until)
{
    if (until > all.now)
        (void)scheduler_wait(NULL, until);
}

static void wake(struct thread *t)
{
    t->state = READY;
    t->woken = true;
}

void scheduler_wake(const void *key)
{
    for (int i = 0; i < all.count; i++)
        if (all.threads[i].state == WAITING && all.threads[i].key == key)
            wake(&all.threads[i]);
}

int64_t scheduler_now(void)
{
    return all.now;
}

uint64_t scheduler_step(void)
{
    return all.step;
}

int scheduler_mutexes(void)
{
    return me->mutexes;
}

/* ---- Threads ----------------------------------------------------------------------- */

int real_create(pthread_t *thread, const pthread_attr_t *attr, void *(*function)(void *),
                void *arg) __asm__("__real_pthread_create");
int real_join(pthread_t thread, void **result) __asm__("__real_pthread_join");

/* Whoever waits for it is woken by its address; who waits for all, by that of `all`. */
static void *thread_main(void *arg)
{
    me = arg;
    for (;;) {
        while (sem_wait(&me->baton) != 0)
            continue;
        if (me->function == NULL)
            return NULL;
        me->function(me->arg);
        assert(me->mutexes == 0 && "a thread ends with a mutex");
        me->state = IDLE;
        scheduler_wake(me);
        scheduler_wake(&all);
        struct thread *next = choose();
        if (next == NULL)
            stop("every thread waits for another one");
        next->state = RUNNING;
        (void)sem_post(&next->baton);
    }
}

static struct thread *take_thread(void)
{
    for (int i = 1; i < all.count; i++)
        if (all.threads[i].state == IDLE)
            return &all.threads[i];
    if (all.count == THREADS_MAX)
        stop("too many threads");
    struct thread *t = &all.threads[all.count++];
    (void)sem_init(&t->baton, 0, 0);
    if (real_create(&t->real, NULL, thread_main, t) != 0)
        stop("no thread can be made");
    return t;
}

static struct thread *spawn(scheduler_function *function, void *arg)
{
    struct thread *t = take_thread();

    t->function = function;
    t->arg = arg;
    t->state = READY;
    return t;
}

void scheduler_spawn(scheduler_function *function, void *arg)
{
    (void)spawn(function, arg);
}

static bool others_run(void)
{
    for (int i = 0; i < all.count; i++)
        if (&all.threads[i] != me && all.threads[i].state != IDLE)
            return true;
    return false;
}

void scheduler_join_all(void)
{
    while (others_run())
        (void)scheduler_wait(&all, INT64_MAX);
}

void scheduler_begin(uint64_t seed, void (*failed)(const char *why))
{
    static const unsigned stays[] = {0, 50, 90};

    if (all.count == 0) {
        all.count = 1;
        (void)sem_init(&all.threads[0].baton, 0, 0);
    }
    me = &all.threads[0];
    me->state = RUNNING;
    all.random = seed * 6364136223846793005u + 1442695040888963407u;
    all.random = all.random == 0 ? 1 : all.random;
    for (int i = 0; i < 8; i++)
        (void)scheduler_random(2);
    all.now = 1000000000;
    all.step = 0;
    all.failed = failed;
    all.stays = stays[scheduler_random(3)];
    all.runs = true;
}

void scheduler_end(void)
{
    assert(!others_run());
    all.runs = false;
}

void scheduler_close(void)
{
    for (int i = 1; i < all.count; i++) {
        all.threads[i].function = NULL;
        (void)sem_post(&all.threads[i].baton);
        (void)real_join(all.threads[i].real, NULL);
        (void)sem_destroy(&all.threads[i].baton);
    }
    all.count = all.count > 0 ? 1 : 0;
}

/* ---- The clock, in the place of base/clock.c and trx/retry.c -------------------------- */

int64_t simulated_now(void) __asm__("__wrap_corm__now");
int64_t simulated_deadline_in(uint32_t ms) __asm__("__wrap_corm__deadline_in");
int     simulated_ms_left(int64_t deadline) __asm__("__wrap_corm__ms_left");
void    simulated_pause(int64_t ns, int64_t deadline) __asm__("__wrap_corm__pause");
int64_t simulated_retry_pause(uint32_t  attempt,
                              uint64_t *random) __asm__("__wrap_corm__retry_pause");

int64_t simulated_now(void)
{
    return all.now;
}

int64_t simulated_deadline_in(uint32_t ms)
{
    return all.now + (int64_t)ms * 1000000;
}

int simulated_ms_left(int64_t deadline)
{
    int64_t left = (deadline - all.now + 999999) / 1000000;

    if (left <= 0)
        return 0;
    return left > INT32_MAX ? INT32_MAX : (int)left;
}

void simulated_pause(int64_t ns, int64_t deadline)
{
    scheduler_sleep(deadline - all.now < ns ? deadline : all.now + ns);
}

/* In the place of corm's random numbers, which begin with an address. */
int64_t simulated_retry_pause(uint32_t attempt, uint64_t *random)
{
    uint32_t doublings = attempt - 2 < 6 ? attempt - 2 : 6;
    int64_t  pause = (int64_t)1000000 << doublings;

    *random = scheduler_random((uint64_t)pause);
    return pause / 2 + (int64_t)*random;
}

/* ---- Mutexes, conditions and threads, in the place of pthreads ------------------------ */

int real_mutex_lock(pthread_mutex_t *mutex) __asm__("__real_pthread_mutex_lock");
int real_mutex_unlock(pthread_mutex_t *mutex) __asm__("__real_pthread_mutex_unlock");
int simulated_mutex_lock(pthread_mutex_t *mutex) __asm__("__wrap_pthread_mutex_lock");
int simulated_mutex_unlock(pthread_mutex_t *mutex) __asm__("__wrap_pthread_mutex_unlock");
int simulated_cond_wait(pthread_cond_t  *condition,
                        pthread_mutex_t *mutex) __asm__("__wrap_pthread_cond_wait");
int simulated_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                             const struct timespec *until) __asm__("__wrap_pthread_cond_timedwait");
int simulated_cond_signal(pthread_cond_t *condition) __asm__("__wrap_pthread_cond_signal");
int simulated_cond_broadcast(pthread_cond_t *condition) __asm__("__wrap_pthread_cond_broadcast");
int simulated_create(pthread_t *thread, const pthread_attr_t *attr, void *(*function)(void *),
                     void *arg) __asm__("__wrap_pthread_create");
int simulated_join(pthread_t thread, void **result) __asm__("__wrap_pthread_join");

static void take(pthread_mutex_t *mutex)
{
    while (pthread_mutex_trylock(mutex) != 0)
        (void)scheduler_wait(mutex, INT64_MAX);
    me->mutexes++;
}

static void give(pthread_mutex_t *mutex)
{
    me->mutexes--;
    (void)real_mutex_unlock(mutex);
    scheduler_wake(mutex);
}

int simulated_mutex_lock(pthread_mutex_t *mutex)
{
    if (!all.runs)
        return real_mutex_lock(mutex);
    if (scheduler_random(8) == 0)
        yield();
    take(mutex);
    return 0;
}

int simulated_mutex_unlock(pthread_mutex_t *mutex)
{
    if (!all.runs)
        return real_mutex_unlock(mutex);
    give(mutex);
    return 0;
}

/* Now and then it wakes up for nothing, as it may. */
static bool wait_for(const pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until)
{
    bool woken = true;

    assert(all.runs);
    give(mutex);
    if (scheduler_random(32) == 0)
        yield();
    else
        woken = scheduler_wait(condition, until);
    take(mutex);
    return woken;
}

int simulated_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    (void)wait_for(condition, mutex, INT64_MAX);
    return 0;
}

int simulated_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                             const struct timespec *until)
{
    int64_t at = (int64_t)until->tv_sec * 1000000000 + until->tv_nsec;

    return wait_for(condition, mutex, at) ? 0 : ETIMEDOUT;
}

int simulated_cond_signal(pthread_cond_t *condition)
{
    struct thread *waiting[THREADS_MAX];
    unsigned       n = 0;

    for (int i = 0; i < all.count; i++)
        if (all.threads[i].state == WAITING && all.threads[i].key == condition)
            waiting[n++] = &all.threads[i];
    if (n > 0)
        wake(waiting[scheduler_random(n)]);
    return 0;
}

int simulated_cond_broadcast(pthread_cond_t *condition)
{
    scheduler_wake(condition);
    return 0;
}

struct start {
    void *(*function)(void *);
    void *arg;
};

static void run_start(void *arg)
{
    struct start start = *(struct start *)arg;

    free(arg);
    (void)start.function(start.arg);
}

int simulated_create(pthread_t *thread, const pthread_attr_t *attr, void *(*function)(void *),
                     void *arg)
{
    struct start *start = malloc(sizeof(*start));

    assert(all.runs && attr == NULL && start != NULL);
    *start = (struct start){function, arg};
    *thread = spawn(run_start, start)->real;
    return 0;
}

/* Where it is over and was given something else to run, that is waited for, too. */
int simulated_join(pthread_t thread, void **result)
{
    (void)result;
    for (int i = 1; i < all.count; i++)
        if (pthread_equal(all.threads[i].real, thread) != 0)
            while (all.threads[i].state != IDLE)
                (void)scheduler_wait(&all.threads[i], INT64_MAX);
    return 0;
}
