/* pool/pool.c -- the connections of one node, bounded, handed out in the order of arrival.
 *
 * A connection:
 *
 *                 serve()             open_one()                release(): clean
 *     (none)  ───────────►  OPENING  ───────────►   USED  ────────────────────────►  IDLE
 *        ▲                     │                   ▲ │ ▲                              │
 *        │ open_one(): error   │                   │ │ └──────────────────────────────┤ serve(), and
 *        ├─────────────────────┘                   │ │                                │ is_usable()
 *        │                                         │ │ release(): dirty;              │
 *        │     serve(), and the reset has ended:   │ ▼ a reset is asked for           │
 *        │     is_usable()                         └ STAINED                          │
 *        │                                            │                               │
 *        └──── close_used(): lost, dead, too old, or the reset has failed ───────────────┘
 *
 * OPENING counts in `open` and in `opening`; it is the promise to one borrower that he may open one.
 * USED    is in the list `used`, the one that was handed out first in front. Whoever has it is alone
 *         with it, also while he looks whether it is usable and closes it.
 * IDLE    is in the list `idle`, the one that was used last in front. Its session is as if it had just
 *         been opened, or in the mode of its last borrower.
 * STAINED is in the list `stained`, the one that waits for longest in front. Its reset was sent, the
 *         answer was not read: the borrower who gets it does that, and clean ones go first.
 *
 * A waiter:
 *
 *     ASKING ── enter_queue(), serve() ──►  GIVEN a connection, or the promise that he may open one
 *       ▲          │ neither                  ▲                      │
 *       │          ▼                          │ serve()              │ what he was given is not usable:
 *       │       QUEUED ───────────────────────┘                      │ he keeps his ticket
 *       └──────────┼─────────────────────────────────────────────────┘
 *                  └── leave_queue() ──►  GONE: his deadline has passed, or he would wait for himself
 *
 * Under `mutex`, always: open = IDLE + STAINED + USED + OPENING <= max, and opening <= CORM__CONNECTS_MAX;
 * `queue` is in the order of tickets, which is that of arrival; while somebody stands in it nothing is
 * IDLE or STAINED, and no promise can be made. serve() restores the last one after every change. What a
 * waiter was given at the moment when he gives up he keeps.
 *
 * No I/O happens under the mutex: what is sent, waited for or closed is USED or OPENING meanwhile. In a
 * child of the process that made the pool the mutex is not touched: another thread may have had it. */
#include "pool/pool.h"

#include "base/clock.h"
#include "base/thread.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct waiter {
    struct waiter           *next, *previous;
    uint64_t                 ticket; /* 0: none yet */
    const struct corm__mode *mode;
    struct corm__caller      caller;
    uint64_t                 thread;
    pthread_cond_t           given;
    bool                     waits; /* on `given` */
    struct corm__connection *connection;
    bool                     may_open;
    bool                     has_place; /* of a connection that he has closed */
};

struct list {
    struct corm__connection *first, *last;
};

struct corm__pool {
    const struct corm__endpoint *endpoint;
    struct corm__watch          *watch;
    bool                         for_writing;
    uint32_t                     max;
    uint32_t                     process; /* that made it */
    int64_t                      max_age;
    pthread_mutex_t              mutex;  /* guards the rest */
    pthread_cond_t               opened; /* `opening` has become less */
    uint32_t                     open, opening;
    struct list                  idle, stained, used;
    struct waiter               *first, *last;
    uint64_t                     tickets;
    uint64_t                     random;
    uint64_t                     at_once; /* requests that did not stand in line */
    uint64_t                     timeouts, closed;
    struct corm__histogram       wait_times; /* of requests that stood in line */
    struct corm__histogram       open_times; /* of connections that were opened */
    uint32_t                     slot_count;
    struct corm__slot slots[]; /* of `max` connections that were closed, for those to come */
};

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;

    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

struct corm__pool *corm__pool_new(const struct corm__endpoint *endpoint, bool for_writing,
                                  uint32_t max, struct corm__watch *watch)
{
    struct corm__pool *pool = calloc(1, sizeof(*pool) + max * sizeof(pool->slots[0]));
    uint32_t           age_s = endpoint->max_age_s > 0 ? endpoint->max_age_s : CORM__MAX_AGE_S;

    if (pool == NULL)
        return NULL;
    (void)pthread_mutex_init(&pool->mutex, NULL);
    init_condition(&pool->opened);
    pool->endpoint = endpoint;
    pool->watch = watch;
    pool->for_writing = for_writing;
    pool->max = max;
    pool->process = corm__process_id();
    pool->max_age = (int64_t)age_s * 1000000000;
    pool->random = ((uint64_t)(uintptr_t)pool ^ (uint64_t)corm__now()) | 1;
    return pool;
}

/* ---- Under the mutex: lists ------------------------------------------------------ */

static void append(struct list *list, struct corm__connection *c)
{
    c->next = NULL;
    c->previous = list->last;
    if (list->last != NULL)
        list->last->next = c;
    else
        list->first = c;
    list->last = c;
}

static void put_in_front(struct list *list, struct corm__connection *c)
{
    c->previous = NULL;
    c->next = list->first;
    if (list->first != NULL)
        list->first->previous = c;
    else
        list->last = c;
    list->first = c;
}

static void take_out(struct list *list, struct corm__connection *c)
{
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        list->first = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    else
        list->last = c->previous;
}

/* ---- Under the mutex: the queue -------------------------------------------------- */

/* Behind all who came before: who comes again with his ticket does not stand behind those who came
 * later. */
static void enter_queue(struct corm__pool *pool, struct waiter *w)
{
    struct waiter *before = pool->last;

    if (w->ticket == 0)
        w->ticket = ++pool->tickets;
    while (before != NULL && before->ticket > w->ticket)
        before = before->previous;
    w->previous = before;
    w->next = before != NULL ? before->next : pool->first;
    if (w->next != NULL)
        w->next->previous = w;
    else
        pool->last = w;
    if (before != NULL)
        before->next = w;
    else
        pool->first = w;
}

static void leave_queue(struct corm__pool *pool, const struct waiter *w)
{
    if (w->previous != NULL)
        w->previous->next = w->next;
    else
        pool->first = w->next;
    if (w->next != NULL)
        w->next->previous = w->previous;
    else
        pool->last = w->previous;
}

static bool is_given(const struct waiter *w)
{
    return w->connection != NULL || w->may_open;
}

static bool holds(const struct corm__pool *pool, uint64_t thread)
{
    for (const struct corm__connection *c = pool->used.first; c != NULL; c = c->next)
        if (atomic_load_explicit(&c->thread, memory_order_relaxed) == thread)
            return true;
    return false;
}

/* Whether it would take others who give back before it is this one's turn, and his thread holds a
 * connection itself. */
static bool would_wait_for_itself(const struct corm__pool *pool, const struct waiter *waiter)
{
    uint32_t places = pool->max - pool->open;

    for (const struct waiter *w = pool->first; w != waiter && places > 0; w = w->next)
        places--;
    return places == 0 && holds(pool, waiter->thread);
}

/* ---- Under the mutex: handing out ------------------------------------------------ */

static bool fits(const struct corm__mode *a, const struct corm__mode *b)
{
    return a->trx == b->trx && a->isolation == b->isolation && a->read_only == b->read_only &&
           a->lock_wait_s == b->lock_wait_s;
}

static struct corm__connection *take_idle(struct corm__pool *pool, const struct corm__mode *mode)
{
    struct corm__connection *best = pool->idle.first;

    for (struct corm__connection *c = pool->idle.first; c != NULL; c = c->next) {
        if (fits(&c->link->mode, mode)) {
            best = c;
            break;
        }
    }
    if (best != NULL) {
        take_out(&pool->idle, best);
        return best;
    }
    best = pool->stained.first;
    if (best != NULL)
        take_out(&pool->stained, best);
    return best;
}

static void hand_out(struct corm__pool *pool, struct corm__connection *c, const struct waiter *w)
{
    c->caller = w->caller;
    c->lane = c->members = 0;
    c->since = corm__now();
    c->unused = true;
    atomic_store_explicit(&c->thread, w->thread, memory_order_relaxed);
    append(&pool->used, c);
}

/* Gives to those who wait what there is to give. */
static void serve(struct corm__pool *pool)
{
    for (struct waiter *w = pool->first; w != NULL; w = pool->first) {
        w->connection = take_idle(pool, w->mode);
        if (w->connection != NULL) {
            hand_out(pool, w->connection, w);
        } else if (pool->open < pool->max && pool->opening < CORM__CONNECTS_MAX) {
            pool->open++;
            pool->opening++;
            w->may_open = true;
        } else {
            return;
        }
        leave_queue(pool, w);
        if (w->waits)
            (void)pthread_cond_signal(&w->given);
    }
}

/* ---- Who holds what --------------------------------------------------------------- */

enum { HOLDERS_SIZE = 256, FILE_SHOWN = 40 };

static const char *name_of_file(const struct corm__caller *caller)
{
    const char *slash = caller->file != NULL ? strrchr(caller->file, '/') : NULL;

    return slash != NULL ? slash + 1 : caller->file != NULL ? caller->file : "somebody";
}

/* "a.c:7 for 1200 ms, b.c:9 for 3 ms and 4 more", those first that have had theirs for longest. */
static void tell_holders(const struct corm__pool *pool, char text[HOLDERS_SIZE])
{
    size_t   used = 0;
    uint32_t untold = pool->open - pool->opening;
    int64_t  now = corm__now();

    text[0] = '\0';
    for (const struct corm__connection *c = pool->used.first; c != NULL; c = c->next) {
        char one[FILE_SHOWN + 64], line[16] = "";
        if (c->caller.line > 0)
            (void)snprintf(line, sizeof(line), ":%d", (int)c->caller.line);
        int size =
            snprintf(one, sizeof(one), "%s%.*s%s for %lld ms", used > 0 ? ", " : "", FILE_SHOWN,
                     name_of_file(&c->caller), line, (long long)((now - c->since) / 1000000));
        if (used + (size_t)size >= HOLDERS_SIZE - 48) /* room for the last words */
            break;
        memcpy(text + used, one, (size_t)size + 1);
        used += (size_t)size;
        untold--;
    }
    if (untold > 0)
        used += (size_t)snprintf(text + used, HOLDERS_SIZE - used, " and %u more", untold);
    if (pool->opening > 0)
        (void)snprintf(text + used, HOLDERS_SIZE - used, "%s%u being opened", used > 0 ? ", " : "",
                       pool->opening);
}

static int fail_dry(const struct corm__pool *pool, struct corm_error *error)
{
    char holders[HOLDERS_SIZE];

    tell_holders(pool, holders);
    if (pool->endpoint->driver->locks_file && pool->for_writing)
        return corm__fail(error, CORM_TIMEOUT,
                          "the one connection that writes to the file was in use until the "
                          "deadline: %s",
                          holders);
    return corm__fail(error, CORM_TIMEOUT, "all %u connections were in use until the deadline: %s",
                      pool->max, holders);
}

/* ---- Waiting ----------------------------------------------------------------------- */

static struct timespec time_of(int64_t deadline)
{
    return (struct timespec){.tv_sec = (time_t)(deadline / 1000000000),
                             .tv_nsec = (long)(deadline % 1000000000)};
}

/* Under the mutex, which it gives up meanwhile. */
static void wait_in_queue(struct corm__pool *pool, struct waiter *w, int64_t deadline)
{
    struct timespec until = time_of(deadline);
    int64_t         since = corm__now();
    int             rc = 0;

    init_condition(&w->given);
    w->waits = true;
    while (!is_given(w) && rc == 0)
        rc = pthread_cond_timedwait(&w->given, &pool->mutex, &until);
    w->waits = false;
    (void)pthread_cond_destroy(&w->given);
    corm__observe(&pool->wait_times, corm__duration_bounds, (uint64_t)(corm__now() - since));
}

/* 0, and the waiter is given a connection or a promise. */
static int take_turn(struct corm__pool *pool, struct waiter *w, int64_t deadline,
                     struct corm_error *error)
{
    int rc = 0;

    (void)pthread_mutex_lock(&pool->mutex);
    if (pool->first == NULL && !w->has_place) /* as serve() would */
        w->connection = take_idle(pool, w->mode);
    if (w->connection != NULL) {
        w->ticket = ++pool->tickets; /* who has one already has a place, too */
        pool->at_once++;
        hand_out(pool, w->connection, w);
        (void)pthread_mutex_unlock(&pool->mutex);
        return 0;
    }
    enter_queue(pool, w);
    if (w->has_place) /* it goes to him, or to one who came before him */
        pool->open--;
    w->has_place = false;
    serve(pool);
    if (!is_given(w) && would_wait_for_itself(pool, w))
        rc = corm__fail(error, CORM_WOULD_BLOCK, "this thread holds one of the %u connections%s",
                        pool->max, pool->max == 1 ? " (which is all there are)" : ", all in use,");
    else if (!is_given(w))
        wait_in_queue(pool, w, deadline);
    else
        pool->at_once++;
    if (!is_given(w)) {
        leave_queue(pool, w);
        pool->timeouts += rc == 0;
        rc = rc < 0 ? rc : fail_dry(pool, error);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return rc;
}

/* ---- Opening and closing ------------------------------------------------------------- */

/* Between three quarters of the greatest age and the whole, so that connections that were opened
 * together are not closed together. Files have nothing to gain from it. */
static int64_t expiry(struct corm__pool *pool)
{
    int64_t jitter = pool->max_age / 4;

    if (!pool->endpoint->driver->has_trips)
        return INT64_MAX;
    pool->random ^= pool->random << 13;
    pool->random ^= pool->random >> 7;
    pool->random ^= pool->random << 17;
    return corm__now() + pool->max_age - (int64_t)(pool->random % (uint64_t)jitter);
}

static bool is_expired(const struct corm__connection *c)
{
    return c->expires < INT64_MAX && corm__now() >= c->expires;
}

/* How many statements it may keep prepared: of what the server has room for, this connection's part;
 * half of it, because others want some, too. */
static size_t cache_max(const struct corm__pool *pool, const struct corm__link *link)
{
    size_t part = link->statements_max / 2 / pool->max;

    if (link->statements_max == 0 || part > CORM__CACHE_MAX)
        return CORM__CACHE_MAX;
    return part > 0 ? part : 1;
}

/* Keeps a promise. */
static int open_one(struct corm__pool *pool, const struct waiter *w, int64_t deadline,
                    struct corm__connection **connection, struct corm_error *error)
{
    int64_t since = corm__now();
    int     rc = corm__connection_open(pool->endpoint, pool->for_writing, pool->watch, deadline,
                                       connection, error);
    int64_t took = corm__now() - since;

    (void)pthread_mutex_lock(&pool->mutex);
    pool->opening--;
    if (rc < 0) {
        pool->open--;
    } else {
        corm__observe(&pool->open_times, corm__duration_bounds, (uint64_t)took);
        (*connection)->pool = pool;
        (*connection)->cache_max = cache_max(pool, (*connection)->link);
        (*connection)->expires = expiry(pool);
        if (pool->slot_count > 0)
            (*connection)->slot = pool->slots[--pool->slot_count];
        hand_out(pool, *connection, w);
    }
    serve(pool);
    (void)pthread_cond_broadcast(&pool->opened);
    (void)pthread_mutex_unlock(&pool->mutex);
    return rc;
}

/* Closes a connection that is used; its place is not free yet. What was sent on one that was lost may
 * still arrive, so that its slot is not used again; `in_peace`: all was answered. */
static void close_used(struct corm__pool *pool, struct corm__connection *c, bool in_peace)
{
    (void)pthread_mutex_lock(&pool->mutex);
    take_out(&pool->used, c);
    pool->closed++;
    if (in_peace && c->slot.number != 0) {
        assert(pool->slot_count < pool->max && "one more than connections");
        pool->slots[pool->slot_count++] = c->slot;
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    corm__connection_close(c);
}

static void free_place(struct corm__pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    pool->open--;
    serve(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
}

/* ---- Handing out ---------------------------------------------------------------------- */

/* Of one that was idle or stained. */
static bool is_usable(struct corm__connection *c, int64_t deadline)
{
    struct corm_error ignored = {0};

    if (c->since >= c->expires)
        return false;
    if (!c->resetting && c->link->driver->is_alive(c->link))
        return true;
    if (c->resetting && corm__connection_end_reset(c, deadline, &ignored) == 0)
        return true;
    c->link->lost = !c->link->holds_data; /* which is never closed */
    return !c->link->lost;
}

int corm__pool_acquire(struct corm__pool *pool, const struct corm__mode *mode,
                       struct corm__caller caller, int64_t deadline,
                       struct corm__connection **connection, struct corm_error *error)
{
    struct waiter w = {.mode = mode, .caller = caller, .thread = corm__thread_id()};

    if (pool->process != corm__process_id())
        return corm__fail_forked(error);
    for (;;) {
        int rc = take_turn(pool, &w, deadline, error);
        if (rc < 0)
            return rc;
        if (w.may_open)
            return open_one(pool, &w, deadline, connection, error);
        if (is_usable(w.connection, deadline)) {
            *connection = w.connection;
            return 0;
        }
        close_used(pool, w.connection, true); /* as it was when it was given back */
        w.connection = NULL;
        w.has_place = true;
        if (corm__ms_left(deadline) > 0)
            continue;
        free_place(pool);
        return corm__fail(error, CORM_TIMEOUT,
                          "the deadline has passed, and the connection that was free could "
                          "not be used");
    }
}

/* ---- Giving back ------------------------------------------------------------------------- */

/* Of a connection that must not be closed: whatever has happened, it is outside a transaction. */
static void make_clean(struct corm__connection *c)
{
    struct corm_error ignored = {0};

    if (c->link->in_trx)
        (void)c->link->driver->control(c->link, "ROLLBACK", corm__deadline_in(1000), &ignored);
    c->link->lost = false;
}

void corm__pool_release(struct corm__pool *pool, struct corm__connection *c)
{
    if (pool->process != corm__process_id()) {
        corm__connection_close(c);
        return;
    }
    if (c->link->holds_data)
        make_clean(c);
    bool is_stained = c->dirty || c->link->in_trx;
    if (c->link->lost || is_expired(c) || (is_stained && !corm__connection_begin_reset(c))) {
        close_used(pool, c, !c->link->lost);
        free_place(pool);
        return;
    }
    (void)pthread_mutex_lock(&pool->mutex);
    take_out(&pool->used, c);
    if (is_stained)
        append(&pool->stained, c);
    else
        put_in_front(&pool->idle, c);
    serve(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
}

static uint64_t length_of(const struct list *list)
{
    uint64_t n = 0;

    for (const struct corm__connection *c = list->first; c != NULL; c = c->next)
        n++;
    return n;
}

void corm__pool_stats(struct corm__pool *pool, struct corm_node_stats *stats)
{
    struct corm__histogram at_once = {0};

    (void)pthread_mutex_lock(&pool->mutex);
    atomic_store_explicit(&at_once.buckets[0], pool->at_once, memory_order_relaxed);
    stats->max += pool->max;
    stats->idle += length_of(&pool->idle) + length_of(&pool->stained);
    stats->used += length_of(&pool->used);
    for (const struct waiter *w = pool->first; w != NULL; w = w->next)
        stats->pending++;
    stats->closed += pool->closed;
    stats->timeouts += pool->timeouts;
    uint64_t waited = stats->wait_time.count;
    corm__histogram_read(&pool->wait_times, corm__duration_bounds, &stats->wait_time);
    stats->waits += stats->wait_time.count - waited;
    corm__histogram_read(&at_once, corm__duration_bounds, &stats->wait_time);
    corm__histogram_read(&pool->open_times, corm__duration_bounds, &stats->create_time);
    stats->opened = stats->create_time.count;
    (void)pthread_mutex_unlock(&pool->mutex);
}

bool corm__pool_is_held(struct corm__pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    bool held = holds(pool, corm__thread_id());
    (void)pthread_mutex_unlock(&pool->mutex);
    return held;
}

/* ---- All of them --------------------------------------------------------------------------- */

/* A promise for one who opens ahead of need; 1, or 0 where all are open, or CORM_TIMEOUT. */
static int take_place(struct corm__pool *pool, int64_t deadline, struct corm_error *error)
{
    struct timespec until = time_of(deadline);
    int             rc = 0;

    (void)pthread_mutex_lock(&pool->mutex);
    while (rc == 0 && pool->open < pool->max && pool->opening == CORM__CONNECTS_MAX)
        rc = pthread_cond_timedwait(&pool->opened, &pool->mutex, &until);
    if (rc != 0) {
        rc = fail_dry(pool, error);
    } else if (pool->open < pool->max) { /* nobody waits: he would have been promised it */
        pool->open++;
        pool->opening++;
        rc = 1;
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return rc;
}

int corm__pool_fill(struct corm__pool *pool, int64_t deadline, struct corm_error *error)
{
    struct waiter w = {.caller = {"corm_connect_all()", 0}, .thread = corm__thread_id()};

    if (pool->process != corm__process_id())
        return corm__fail_forked(error);
    for (;;) {
        struct corm__connection *c = NULL;
        int                      rc = take_place(pool, deadline, error);
        if (rc == 0)
            return (int)pool->max;
        if (rc > 0)
            rc = open_one(pool, &w, deadline, &c, error);
        if (rc < 0)
            return rc;
        corm__pool_release(pool, c);
    }
}

void corm__pool_shed(struct corm__pool *pool)
{
    struct list all = {0};

    (void)pthread_mutex_lock(&pool->mutex);
    all = pool->idle;
    pool->idle = (struct list){0};
    (void)pthread_mutex_unlock(&pool->mutex);
    for (struct corm__connection *c = all.first; c != NULL; c = c->next)
        corm__connection_shed(c);
    (void)pthread_mutex_lock(&pool->mutex);
    while (all.first != NULL) {
        struct corm__connection *c = all.first;
        take_out(&all, c);
        append(&pool->idle, c);
    }
    serve(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
}

static void close_all(struct list *list)
{
    while (list->first != NULL) {
        struct corm__connection *c = list->first;
        take_out(list, c);
        corm__connection_close(c);
    }
}

void corm__pool_free(struct corm__pool *pool)
{
    if (pool == NULL)
        return;
    bool own = pool->process == corm__process_id();
    if (!own && pthread_mutex_trylock(&pool->mutex) != 0)
        return; /* a thread of the parent was changing the lists */
    assert((!own || pool->used.first == NULL) && "a connection was not given back");
    close_all(&pool->idle);
    close_all(&pool->stained);
    if (own) {
        (void)pthread_cond_destroy(&pool->opened);
        (void)pthread_mutex_destroy(&pool->mutex);
    }
    free(pool);
}
