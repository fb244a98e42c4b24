/* pool/pool.c -- the connections of one node, bounded, handed out in the order of arrival.
 *
 * Under `mutex`: `open` counts connections that are open, being opened or promised, and never exceeds
 * `max`; `idle` are those that nobody has, last used first; `waiters` stand in the order of arrival
 * and there are none while something is idle. No I/O happens under the mutex.
 *
 * A waiter is given one of two things and woken once: a connection, or the promise that it may open
 * one (counted in `open` already). Who gives up takes himself out of the queue; what he was given at
 * that moment he keeps. */
#include "pool/pool.h"

#include "base/clock.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* An idle connection is looked at before it is used again after so long. */
static const int64_t TRUST_IDLE_NS = 1000000000;

struct waiter {
    struct waiter           *next;
    pthread_cond_t           given;
    struct corm__connection *connection;
    bool                     may_open;
};

struct corm__pool {
    const struct corm__endpoint *endpoint;
    struct corm__watch          *watch;
    bool                         for_writing;
    uint32_t                     max;
    pthread_mutex_t              mutex;
    uint32_t                     open;
    struct corm__connection     *idle;
    struct waiter               *first, *last;
};

struct corm__pool *corm__pool_new(const struct corm__endpoint *endpoint, bool for_writing,
                                  uint32_t max, struct corm__watch *watch)
{
    struct corm__pool *pool = calloc(1, sizeof(*pool));

    if (pool == NULL)
        return NULL;
    if (pthread_mutex_init(&pool->mutex, NULL) != 0) {
        free(pool);
        return NULL;
    }
    pool->endpoint = endpoint;
    pool->watch = watch;
    pool->for_writing = for_writing;
    pool->max = max;
    return pool;
}

void corm__pool_free(struct corm__pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->idle != NULL) {
        struct corm__connection *c = pool->idle;
        pool->idle = c->next;
        pool->open--;
        corm__connection_close(c);
    }
    assert(pool->open == 0 && "a connection was not given back");
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

/* ---- Under the mutex ---------------------------------------------------------- */

static bool fits(const struct corm__mode *a, const struct corm__mode *b)
{
    return a->trx == b->trx && a->isolation == b->isolation && a->read_only == b->read_only;
}

static struct corm__connection *take_idle(struct corm__pool *pool, const struct corm__mode *mode)
{
    struct corm__connection **best = &pool->idle;

    for (struct corm__connection **at = &pool->idle; *at != NULL; at = &(*at)->next) {
        if (fits(&(*at)->link->mode, mode)) {
            best = at;
            break;
        }
    }
    struct corm__connection *c = *best;
    if (c != NULL)
        *best = c->next;
    return c;
}

static struct waiter *take_waiter(struct corm__pool *pool)
{
    struct waiter *w = pool->first;

    if (w != NULL) {
        pool->first = w->next;
        if (pool->first == NULL)
            pool->last = NULL;
    }
    return w;
}

/* One connection less: who waits longest may open one in its place. */
static void give_place(struct corm__pool *pool)
{
    struct waiter *w = take_waiter(pool);

    if (w == NULL) {
        pool->open--;
        return;
    }
    w->may_open = true;
    pthread_cond_signal(&w->given);
}

static void give_connection(struct corm__pool *pool, struct corm__connection *c)
{
    struct waiter *w = take_waiter(pool);

    if (w == NULL) {
        c->next = pool->idle;
        pool->idle = c;
        return;
    }
    w->connection = c;
    pthread_cond_signal(&w->given);
}

static void leave_queue(struct corm__pool *pool, struct waiter *waiter)
{
    struct waiter *before = NULL;

    for (struct waiter *w = pool->first; w != waiter; w = w->next)
        before = w;
    if (before == NULL)
        pool->first = waiter->next;
    else
        before->next = waiter->next;
    if (pool->last == waiter)
        pool->last = before;
}

/* Waits until something is given or the deadline has passed. */
static void wait_in_queue(struct corm__pool *pool, struct waiter *waiter, int64_t deadline)
{
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000),
                             .tv_nsec = (long)(deadline % 1000000000)};

    if (pool->last != NULL)
        pool->last->next = waiter;
    else
        pool->first = waiter;
    pool->last = waiter;
    while (waiter->connection == NULL && !waiter->may_open) {
        if (pthread_cond_timedwait(&waiter->given, &pool->mutex, &until) != 0 &&
            waiter->connection == NULL && !waiter->may_open) {
            leave_queue(pool, waiter);
            return;
        }
    }
}

/* An idle connection, a promise, or neither; in turn. */
static void take_turn(struct corm__pool *pool, const struct corm__mode *mode, struct waiter *waiter,
                      int64_t deadline)
{
    if (pool->first == NULL) {
        waiter->connection = take_idle(pool, mode);
        if (waiter->connection == NULL && pool->open < pool->max) {
            pool->open++;
            waiter->may_open = true;
        }
    }
    if (waiter->connection == NULL && !waiter->may_open)
        wait_in_queue(pool, waiter, deadline);
}

/* ---- Without it ---------------------------------------------------------------- */

static int open_one(struct corm__pool *pool, int64_t deadline, struct corm__connection **connection,
                    struct corm_error *error)
{
    int rc = corm__connection_open(pool->endpoint, pool->for_writing, pool->watch, deadline,
                                   connection, error);

    if (rc < 0) {
        pthread_mutex_lock(&pool->mutex);
        give_place(pool);
        pthread_mutex_unlock(&pool->mutex);
    }
    return rc;
}

static bool is_usable(struct corm__connection *c)
{
    return corm__now() - c->idle_since < TRUST_IDLE_NS || c->link->driver->is_alive(c->link);
}

int corm__pool_acquire(struct corm__pool *pool, const struct corm__mode *mode, int64_t deadline,
                       struct corm__connection **connection, struct corm_error *error)
{
    struct waiter      waiter = {0};
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&waiter.given, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_lock(&pool->mutex);
    take_turn(pool, mode, &waiter, deadline);
    pthread_mutex_unlock(&pool->mutex);
    pthread_cond_destroy(&waiter.given);
    if (waiter.connection != NULL && is_usable(waiter.connection)) {
        *connection = waiter.connection;
        return 0;
    }
    if (waiter.connection != NULL) { /* its place is ours */
        waiter.connection->link->lost = true;
        corm__connection_close(waiter.connection);
        waiter.may_open = true;
    }
    if (waiter.may_open)
        return open_one(pool, deadline, connection, error);
    return corm__fail(error, CORM_TIMEOUT,
                      "all %u connections of the pool were in use until the "
                      "deadline",
                      pool->max);
}

/* Of a connection that must not be closed: whatever has happened, it is outside a transaction. */
static void make_clean(struct corm__connection *c)
{
    struct corm_error ignored = {0};

    if (c->link->in_trx)
        (void)c->link->driver->control(c->link, "ROLLBACK", corm__deadline_in(1000), &ignored);
    c->link->lost = c->dirty = false;
}

void corm__pool_release(struct corm__pool *pool, struct corm__connection *c)
{
    if (c->link->holds_data)
        make_clean(c);
    bool keep = !c->link->lost && !c->dirty;

    if (!keep)
        corm__connection_close(c);
    else
        c->idle_since = corm__now();
    pthread_mutex_lock(&pool->mutex);
    if (keep)
        give_connection(pool, c);
    else
        give_place(pool);
    pthread_mutex_unlock(&pool->mutex);
}

int corm__pool_fill(struct corm__pool *pool, int64_t deadline, struct corm_error *error)
{
    for (;;) {
        struct corm__connection *c = NULL;
        pthread_mutex_lock(&pool->mutex);
        uint32_t open = pool->open;
        if (open < pool->max)
            pool->open++;
        pthread_mutex_unlock(&pool->mutex);
        if (open == pool->max)
            return (int)open;
        int rc = open_one(pool, deadline, &c, error);
        if (rc < 0)
            return rc;
        corm__pool_release(pool, c);
    }
}
