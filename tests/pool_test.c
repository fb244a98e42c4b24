/* pool_test.c -- the pool and its connections, before a driver of the test's own.
 *
 * No server and no clock: a link is a struct that does what `world` says, and `world` counts what was
 * done with it. A *client* is a thread that asks the pool for a connection and keeps it until it is
 * told to let go. Who asks waits in one place only, in pthread_cond_timedwait(), and the linker puts
 * timedwait() below in its stead: so the test knows who stands in the queue, and a client that is
 * `scripted` times out at the moment that the test chooses and at no other. It does the same with
 * pthread_mutex_lock() and pthread_cond_signal(), so that the storm knows in which order the threads
 * came, and in which they were served.
 *
 * `world.mutex` guards all of `world` and of the clients. It is taken under the pool's mutex, never
 * the other way round. Threads other than the first assert nothing. */
#include "child.h"
#include "base/clock.h"
#include "base/thread.h"
#include "pool/node.h"
#include "sql/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HANG_SECONDS = 30, LOG_SIZE = 4096, TEXT_SIZE = 32 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- The world ------------------------------------------------------------- */

struct corm__prepared {
    char text[TEXT_SIZE];
};

typedef int answer_function(const struct corm__statement *statement, struct corm__sink *sink,
                            struct corm__result *result, struct corm_error *error);

static struct world {
    pthread_mutex_t mutex;
    pthread_cond_t  changed;

    /* What the driver is to do. */
    bool              hold_connects, hold_looks; /* they do not come back before this is false */
    int               connects_to_fail;          /* the next ones */
    unsigned          connects_to_fail_in_256;   /* at random */
    unsigned          slow_in_256;               /* connects that take their time */
    bool              dead;                      /* the answer of is_alive() */
    unsigned          dead_in_256;               /* ... at random */
    bool              hold_resets, refuse_resets;
    int               resets_to_fail;
    unsigned          resets_to_fail_in_256;
    enum corm_dialect dialect;
    answer_function  *answer;        /* to execute() and control(); NULL: it works, without rows */
    int               stale_answers; /* execute() returns CORM__STALE_STATEMENT so often first */
    int               prepares_to_fail;
    int               room;           /* for prepared statements; 0: for any number, -1: none */
    uint32_t          statements_max; /* what the server says of it */

    /* What it has done. */
    int      connecting, looking; /* have begun so far */
    int      opened, live, most_live, closed_as_lost;
    int      opening, most_opening; /* at this moment */
    int      most_places;           /* that were open or being opened */
    int      resets_begun, resetting, disowned, refused;
    int      prepared, executed, still_prepared;
    char     last_finalized[TEXT_SIZE];
    char     log[LOG_SIZE]; /* of prepare, execute, finalize and control */
    int      served;        /* clients */
    uint64_t random;
} world = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void lock_world(void)
{
    pthread_mutex_lock(&world.mutex);
}

/* Whatever was changed, somebody may wait for it. */
static void unlock_world(void)
{
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mutex);
}

static int look_at(const int *counter)
{
    lock_world();
    int value = *counter;
    unlock_world();
    return value;
}

/* xorshift64 (Marsaglia, 2003). */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* In the world's mutex. */
static void write_log(const char *what, const char *text)
{
    size_t used = strlen(world.log);

    (void)snprintf(world.log + used, LOG_SIZE - used, "%s %s; ", what, text);
}

/* ---- Memory ------------------------------------------------------------------ */

static _Thread_local int allocations_left = -1; /* then there is no memory; -1: there is */

void *real_malloc(size_t size) __asm__("__real_malloc");
void *real_calloc(size_t n, size_t size) __asm__("__real_calloc");
void  real_free(void *memory) __asm__("__real_free");
void *scarce_malloc(size_t size) __asm__("__wrap_malloc");
void *scarce_calloc(size_t n, size_t size) __asm__("__wrap_calloc");
void  counted_free(void *memory) __asm__("__wrap_free");

static _Thread_local int freed; /* so often something was */

void counted_free(void *memory)
{
    freed++;
    real_free(memory);
}

static bool is_out_of_memory(void)
{
    if (allocations_left > 0)
        allocations_left--;
    else if (allocations_left == 0)
        return true;
    return false;
}

void *scarce_malloc(size_t size)
{
    return is_out_of_memory() ? NULL : real_malloc(size);
}

void *scarce_calloc(size_t n, size_t size)
{
    return is_out_of_memory() ? NULL : real_calloc(n, size);
}

/* ---- The place where the pool waits ------------------------------------------ */

enum client_state { ASKING, QUEUED, SERVED, GONE };

struct client {
    pthread_t          thread;
    struct corm__pool *pool;
    enum client_state  state;
    bool               may_let_go;
    bool               scripted; /* its wait is over when `time_out` is true, by a time-out */
    bool               time_out;
    int (*in_mutex)(void *pool);    /* runs in a child, forked while the pool's mutex is held */
    int                      place; /* among those that were served, from 1 */
    int                      rc;
    struct corm_error        error;
    struct corm__connection *connection;
};

static _Thread_local struct client *me;

int real_timedwait(pthread_cond_t *given, pthread_mutex_t *mutex,
                   const struct timespec *until) __asm__("__real_pthread_cond_timedwait");
int timedwait(pthread_cond_t *given, pthread_mutex_t *mutex,
              const struct timespec *until) __asm__("__wrap_pthread_cond_timedwait");

/* A thread of the storm that waits: when it came, and what wakes it. In the order in which they came;
 * guarded by the mutex of the storm's pool, as all of this is. */
struct arrival {
    struct arrival *next, *previous;
    uint64_t        ticket;
    pthread_cond_t *given;
};

static uint64_t                     arrivals;
static struct arrival              *first_arrival, *last_arrival;
static int                          overtaken;
static _Thread_local bool           asking; /* in the storm, from corm__pool_acquire() to its end */
static _Thread_local struct arrival mine;

int real_lock(pthread_mutex_t *mutex) __asm__("__real_pthread_mutex_lock");
int lock(pthread_mutex_t *mutex) __asm__("__wrap_pthread_mutex_lock");
int real_signal(pthread_cond_t *given) __asm__("__real_pthread_cond_signal");
int signal_one(pthread_cond_t *given) __asm__("__wrap_pthread_cond_signal");

/* The first mutex that a thread takes when it asks is that of the pool. */
int lock(pthread_mutex_t *mutex)
{
    int rc = real_lock(mutex);

    if (asking && mine.ticket == 0)
        mine.ticket = ++arrivals;
    return rc;
}

static void remove_arrival(struct arrival *a)
{
    if (a->previous != NULL)
        a->previous->next = a->next;
    else
        first_arrival = a->next;
    if (a->next != NULL)
        a->next->previous = a->previous;
    else
        last_arrival = a->previous;
    a->given = NULL;
}

static void add_arrival(struct arrival *a, pthread_cond_t *given)
{
    struct arrival *before = last_arrival;

    while (before != NULL && before->ticket > a->ticket)
        before = before->previous;
    a->given = given;
    a->previous = before;
    a->next = before != NULL ? before->next : first_arrival;
    if (a->next != NULL)
        a->next->previous = a;
    else
        last_arrival = a;
    if (before != NULL)
        before->next = a;
    else
        first_arrival = a;
}

/* Whoever is woken must be the one who came first. */
int signal_one(pthread_cond_t *given)
{
    struct arrival *a = first_arrival;

    while (a != NULL && a->given != given)
        a = a->next;
    overtaken += a != first_arrival;
    if (a != NULL)
        remove_arrival(a);
    return real_signal(given);
}

static int wait_in_storm(pthread_cond_t *given, pthread_mutex_t *mutex,
                         const struct timespec *until)
{
    add_arrival(&mine, given);
    int rc = real_timedwait(given, mutex, until);
    if (mine.given != NULL) /* nobody has woken it */
        remove_arrival(&mine);
    return rc;
}

/* Under the pool's mutex, with the caller in the queue already. */
int timedwait(pthread_cond_t *given, pthread_mutex_t *mutex, const struct timespec *until)
{
    if (asking)
        return wait_in_storm(given, mutex, until);
    if (me == NULL)
        return real_timedwait(given, mutex, until);
    lock_world();
    me->state = QUEUED;
    unlock_world();
    if (me->in_mutex != NULL)
        me->rc = run_in_child(me->in_mutex, me->pool);
    if (!me->scripted)
        return real_timedwait(given, mutex, until);
    pthread_mutex_unlock(mutex);
    lock_world();
    while (!me->time_out)
        pthread_cond_wait(&world.changed, &world.mutex);
    unlock_world();
    pthread_mutex_lock(mutex);
    return ETIMEDOUT;
}

/* ---- The driver --------------------------------------------------------------- */

struct fake_link {
    struct corm__link base;
    _Atomic int       holders; /* threads that have it from the pool */
};

static bool connect_fails(void)
{
    if (world.connects_to_fail > 0) {
        world.connects_to_fail--;
        return true;
    }
    return next_random(&world.random) % 256 < world.connects_to_fail_in_256;
}

static int fake_connect(const struct corm__endpoint *e, bool for_writing, int64_t deadline,
                        struct corm__link **out, struct corm_error *error)
{
    struct fake_link *link = calloc(1, sizeof(*link));

    (void)for_writing, (void)deadline;
    lock_world();
    world.connecting++;
    world.opening++;
    if (world.opening > world.most_opening)
        world.most_opening = world.opening;
    if (world.opening + world.live > world.most_places)
        world.most_places = world.opening + world.live;
    bool slow = next_random(&world.random) % 256 < world.slow_in_256;
    if (slow) {
        pthread_mutex_unlock(&world.mutex);
        for (int i = 0; i < 200; i++)
            sched_yield();
        lock_world();
    }
    pthread_cond_broadcast(&world.changed);
    while (world.hold_connects)
        pthread_cond_wait(&world.changed, &world.mutex);
    world.opening--;
    bool fails = link == NULL || connect_fails();
    if (!fails) {
        world.opened++;
        world.live++;
        if (world.live > world.most_live)
            world.most_live = world.live;
        link->base.driver = e->driver;
        link->base.dialect = world.dialect;
        link->base.statements_max = world.statements_max;
    }
    unlock_world();
    if (fails) {
        free(link);
        return corm__fail(error, CORM_UNREACHABLE, "nobody there");
    }
    *out = &link->base;
    return 0;
}

static void fake_close(struct corm__link *link)
{
    lock_world();
    world.live--;
    world.closed_as_lost += link->lost;
    unlock_world();
    free(link);
}

static bool fake_is_alive(struct corm__link *link)
{
    (void)link;
    lock_world();
    world.looking++;
    pthread_cond_broadcast(&world.changed);
    while (world.hold_looks)
        pthread_cond_wait(&world.changed, &world.mutex);
    bool alive = !world.dead && next_random(&world.random) % 256 >= world.dead_in_256;
    unlock_world();
    return alive;
}

/* A reset is a wait for the server as a connect is. */
static bool fake_begin_reset(struct corm__link *link)
{
    lock_world();
    world.resets_begun++;
    bool can = !world.refuse_resets;
    unlock_world();
    link->mode = (struct corm__mode){0};
    link->in_trx = false;
    return can;
}

static int fake_end_reset(struct corm__link *link, int64_t deadline, struct corm_error *error)
{
    (void)link, (void)deadline;
    lock_world();
    world.resetting++;
    pthread_cond_broadcast(&world.changed);
    while (world.hold_resets)
        pthread_cond_wait(&world.changed, &world.mutex);
    bool fails = world.resets_to_fail > 0;
    world.resets_to_fail -= fails;
    fails = fails || next_random(&world.random) % 256 < world.resets_to_fail_in_256;
    unlock_world();
    return fails ? corm__fail(error, CORM_DISCONNECTED, "it was reset for good") : 0;
}

static void fake_disown(struct corm__link *link)
{
    (void)link;
    lock_world();
    world.disowned++;
    unlock_world();
}

static int fake_enter(struct corm__link *link, const struct corm__mode *mode, int64_t deadline,
                      struct corm_error *error)
{
    (void)deadline, (void)error;
    link->mode = *mode;
    return 0;
}

static int fake_prepare(struct corm__link *link, const char *text, size_t size, int64_t deadline,
                        struct corm__prepared **out, struct corm_error *error)
{
    struct corm__prepared *prepared = calloc(1, sizeof(*prepared));

    (void)link, (void)deadline;
    if (prepared == NULL)
        return corm__fail_memory(error, "a prepared statement");
    (void)snprintf(prepared->text, TEXT_SIZE, "%.*s", (int)size, text);
    lock_world();
    write_log("prepare", prepared->text);
    world.prepared++;
    bool full = world.room < 0 || (world.room > 0 && world.still_prepared >= world.room);
    bool fails = world.prepares_to_fail > 0;
    if (full)
        world.refused++;
    else if (fails)
        world.prepares_to_fail--;
    else
        world.still_prepared++;
    unlock_world();
    if (full) {
        free(prepared);
        return corm__fail_server(error, CORM__STATEMENTS_FULL, 1461, "42000", "no room");
    }
    if (fails) {
        free(prepared);
        return corm__fail(error, CORM_SYNTAX, "it makes no sense");
    }
    *out = prepared;
    return 0;
}

static void fake_finalize(struct corm__link *link, struct corm__prepared *prepared)
{
    (void)link;
    lock_world();
    write_log("finalize", prepared->text);
    memcpy(world.last_finalized, prepared->text, TEXT_SIZE);
    world.still_prepared--;
    unlock_world();
    free(prepared);
}

static int fake_execute(struct corm__link *link, struct corm__prepared *prepared,
                        const struct corm__statement *statement, struct corm__sink *sink,
                        int64_t deadline, struct corm__result *result, struct corm_error *error)
{
    (void)deadline;
    link->sent = true;
    lock_world();
    write_log("execute", prepared->text);
    world.executed++;
    bool stale = world.stale_answers > 0;
    if (stale)
        world.stale_answers--;
    answer_function *answer = world.answer;
    unlock_world();
    if (stale)
        return corm__fail_server(error, CORM__STALE_STATEMENT, 1615, "HY000",
                                 "Prepared statement needs to be re-prepared");
    return answer != NULL ? answer(statement, sink, result, error) : 0;
}

static int fake_control(struct corm__link *link, const char *text, int64_t deadline,
                        struct corm_error *error)
{
    struct corm__statement statement = corm__control(text);
    struct corm__result    result;

    (void)link, (void)deadline;
    lock_world();
    write_log("control", text);
    answer_function *answer = world.answer;
    unlock_world();
    return answer != NULL ? answer(&statement, NULL, &result, error) : 0;
}

#define FAKE_FUNCTIONS                                                                             \
    .connect = fake_connect, .close = fake_close, .is_alive = fake_is_alive, .enter = fake_enter,  \
    .begin_reset = fake_begin_reset, .end_reset = fake_end_reset, .disown = fake_disown,           \
    .prepare = fake_prepare, .finalize = fake_finalize, .execute = fake_execute,                   \
    .control = fake_control

static const struct corm__driver fake_server = {
    .name = "server", .has_trips = true, FAKE_FUNCTIONS};
static const struct corm__driver fake_file = {.name = "file", .locks_file = true, FAKE_FUNCTIONS};

static const struct corm__endpoint endpoint = {.driver = &fake_server};
static struct corm__watch          watch;

/* ---- Before and after each test -------------------------------------------------- */

static int set_up(void **state)
{
    static const struct world fresh;

    (void)state;
    lock_world();
    memcpy((char *)&world + offsetof(struct world, hold_connects),
           (const char *)&fresh + offsetof(struct world, hold_connects),
           sizeof(world) - offsetof(struct world, hold_connects));
    world.random = 88172645463325252u;
    unlock_world();
    return 0;
}

/* Nothing may be left over, whatever the test was about. */
static int tear_down(void **state)
{
    (void)state;
    return look_at(&world.live) == 0 && look_at(&world.still_prepared) == 0 ? 0 : -1;
}

/* ---- Helpers ------------------------------------------------------------------------ */

/* In the world's mutex. False when nothing has changed for a time in which all should have. */
static bool wait_for_change(void)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += HANG_SECONDS;
    return real_timedwait(&world.changed, &world.mutex, &until) != ETIMEDOUT;
}

#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        bool came = true;                                                                          \
        lock_world();                                                                              \
        while (!(condition) && came)                                                               \
            came = wait_for_change();                                                              \
        unlock_world();                                                                            \
        if (!came)                                                                                 \
            fail_msg("%s:%d: waited in vain for %s", __FILE__, __LINE__, #condition);              \
    } while (0)

static const struct corm__mode   single;
static const struct corm__caller here = {"some/where/shop.c", 41}, elsewhere = {"till.c", 7};
static const struct corm__mode   serializable = {.trx = true, .isolation = CORM_SERIALIZABLE};
static const struct corm__mode   read_only = {
      .trx = true, .isolation = CORM_REPEATABLE_READ, .read_only = true};

/* A deadline that only a pool which is broken lets pass. */
static int64_t patience(void)
{
    return corm__deadline_in(HANG_SECONDS * 1000);
}

static struct corm__pool *new_pool(uint32_t max)
{
    struct corm__pool *pool = corm__pool_new(&endpoint, true, max, &watch);

    assert_non_null(pool);
    return pool;
}

static struct corm__connection *acquire_in(struct corm__pool *pool, const struct corm__mode *mode)
{
    struct corm__connection *c = NULL;
    struct corm_error        error = {0};
    int                      rc = corm__pool_acquire(pool, mode, here, patience(), &c, &error);

    if (rc != 0)
        fail_msg("no connection: %s", error.message);
    assert_non_null(c);
    return c;
}

static struct corm__connection *acquire(struct corm__pool *pool)
{
    return acquire_in(pool, &single);
}

struct attempt {
    struct corm__pool *pool;
    int64_t            deadline;
    int                rc;
    struct corm_error *error;
};

static void *attempt_main(void *arg)
{
    struct attempt          *a = arg;
    struct corm__connection *c = NULL;

    a->rc = corm__pool_acquire(a->pool, &single, elsewhere, a->deadline, &c, a->error);
    if (a->rc == 0)
        corm__pool_release(a->pool, c);
    return NULL;
}

/* Asks for a connection in a thread that holds none, and gives it back. Returns the code. */
static int try_until(struct corm__pool *pool, int64_t deadline, struct corm_error *error)
{
    struct attempt attempt = {.pool = pool, .deadline = deadline, .error = error};
    pthread_t      thread;

    assert_int_equal(pthread_create(&thread, NULL, attempt_main, &attempt), 0);
    pthread_join(thread, NULL);
    return attempt.rc;
}

/* The same for one that must be there already. */
static int try_at_once(struct corm__pool *pool, struct corm_error *error)
{
    return try_until(pool, corm__now() - 1, error);
}

/* All `max` connections can be had, and not one more: no place was lost and none was made up. */
static void assert_whole(struct corm__pool *pool, uint32_t max)
{
    struct corm__connection *c[16];
    struct corm_error        error = {0};

    assert_in_range(max, 1, COUNT(c));
    for (uint32_t i = 0; i < max; i++)
        c[i] = acquire(pool);
    assert_int_equal(look_at(&world.live), max);
    assert_int_equal(try_at_once(pool, &error), CORM_TIMEOUT);
    for (uint32_t i = 0; i < max; i++)
        corm__pool_release(pool, c[i]);
}

static void *client_main(void *arg)
{
    struct corm__connection *c = NULL;
    struct client           *client = me = arg;
    int rc = corm__pool_acquire(client->pool, &single, here, patience(), &c, &client->error);

    lock_world();
    client->rc = rc;
    client->connection = c;
    client->state = rc == 0 ? SERVED : GONE;
    if (rc == 0)
        client->place = ++world.served;
    pthread_cond_broadcast(&world.changed);
    while (rc == 0 && !client->may_let_go)
        pthread_cond_wait(&world.changed, &world.mutex);
    unlock_world();
    if (rc != 0)
        return NULL;
    corm__pool_release(client->pool, c);
    lock_world();
    client->state = GONE;
    unlock_world();
    return NULL;
}

/* A client that asks at once. What a test that failed has left of it is not freed: it may still run. */
static struct client *new_client(struct corm__pool *pool, bool scripted)
{
    struct client *client = calloc(1, sizeof(*client));

    assert_non_null(client);
    client->pool = pool;
    client->scripted = scripted;
    assert_int_equal(pthread_create(&client->thread, NULL, client_main, client), 0);
    return client;
}

/* One that stands in the queue, behind all that stood there before. */
static struct client *queued_client(struct corm__pool *pool, bool scripted)
{
    struct client *client = new_client(pool, scripted);

    AWAIT(client->state == QUEUED);
    return client;
}

static void time_out(struct client *client)
{
    lock_world();
    client->time_out = true;
    unlock_world();
}

/* Lets it give its connection back. It has done so when this returns. */
static void let_go(struct client *client)
{
    lock_world();
    client->may_let_go = true;
    unlock_world();
    AWAIT(client->state == GONE);
}

static void free_client(struct client *client)
{
    AWAIT(client->state == GONE);
    pthread_join(client->thread, NULL);
    free(client);
}

/* ---- Handing out -------------------------------------------------------------- */

static void connections_are_opened_when_they_are_asked_for_and_used_again(void **state)
{
    struct corm__pool *pool = new_pool(4);

    (void)state;
    assert_int_equal(look_at(&world.opened), 0);
    struct corm__connection *first = acquire(pool);
    assert_int_equal(look_at(&world.opened), 1);
    corm__pool_release(pool, first);
    assert_ptr_equal(acquire(pool), first);
    struct corm__connection *second = acquire(pool);
    assert_ptr_not_equal(first, second);
    assert_int_not_equal(first->number, second->number);
    assert_int_equal(look_at(&world.opened), 2);
    corm__pool_release(pool, first);
    corm__pool_release(pool, second);
    assert_ptr_equal(acquire(pool), second); /* the one that was used last */
    corm__pool_release(pool, second);
    assert_int_equal(look_at(&world.opened), 2);
    corm__pool_free(pool);
    assert_int_equal(look_at(&world.live), 0);
}

static void never_more_than_max_are_open(void **state)
{
    struct corm__pool       *pool = new_pool(3);
    struct corm__connection *c[3];
    struct client           *client[5];

    (void)state;
    for (size_t i = 0; i < COUNT(c); i++)
        c[i] = acquire(pool);
    for (size_t i = 0; i < COUNT(client); i++)
        client[i] = queued_client(pool, false);
    assert_int_equal(look_at(&world.opened), 3);
    for (size_t i = 0; i < COUNT(c); i++)
        corm__pool_release(pool, c[i]);
    for (size_t i = 0; i < COUNT(client); i++) {
        AWAIT(client[i]->state == SERVED);
        let_go(client[i]);
        free_client(client[i]);
    }
    assert_int_equal(look_at(&world.opened), 3);
    assert_int_equal(look_at(&world.most_live), 3);
    assert_whole(pool, 3);
    corm__pool_free(pool);
}

static void a_connection_that_is_being_opened_counts(void **state)
{
    struct corm__pool *pool = new_pool(2);
    struct corm_error  error = {0};
    struct client     *client[2];

    (void)state;
    world.hold_connects = true;
    for (size_t i = 0; i < COUNT(client); i++)
        client[i] = new_client(pool, false);
    AWAIT(world.connecting == 2);
    assert_int_equal(try_at_once(pool, &error), CORM_TIMEOUT);
    assert_int_equal(look_at(&world.connecting), 2);
    lock_world();
    world.hold_connects = false;
    unlock_world();
    for (size_t i = 0; i < COUNT(client); i++) {
        let_go(client[i]);
        free_client(client[i]);
    }
    assert_whole(pool, 2);
    corm__pool_free(pool);
}

static void who_came_first_is_served_first(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);
    struct client           *client[8];

    (void)state;
    for (size_t i = 0; i < COUNT(client); i++)
        client[i] = queued_client(pool, false);
    corm__pool_release(pool, c);
    for (size_t i = 0; i < COUNT(client); i++) {
        AWAIT(world.served == (int)i + 1);
        assert_int_equal(look_at(&client[i]->place), i + 1);
        assert_ptr_equal(client[i]->connection, c);
        let_go(client[i]);
        free_client(client[i]);
    }
    assert_int_equal(look_at(&world.opened), 1);
    corm__pool_free(pool);
}

/* Nor by one who asks at the moment when something is given back. */
static void nobody_who_waits_is_overtaken(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);
    struct client           *first = queued_client(pool, false);
    struct client           *second = queued_client(pool, false);
    struct corm_error        error = {0};

    (void)state;
    corm__pool_release(pool, c);
    assert_int_equal(try_at_once(pool, &error), CORM_TIMEOUT);
    let_go(first);
    error = (struct corm_error){0};
    assert_int_equal(try_at_once(pool, &error), CORM_TIMEOUT);
    let_go(second);
    error = (struct corm_error){0};
    assert_int_equal(try_at_once(pool, &error), 0);
    assert_int_equal(first->place, 1);
    assert_int_equal(second->place, 2);
    free_client(first);
    free_client(second);
    corm__pool_free(pool);
}

static void one_that_fits_the_mode_is_preferred(void **state)
{
    struct corm__pool       *pool = new_pool(4);
    struct corm__connection *plain = acquire(pool), *strict = acquire(pool), *last = acquire(pool);

    (void)state;
    strict->link->mode = serializable;
    last->link->mode = read_only;
    corm__pool_release(pool, plain);
    corm__pool_release(pool, strict);
    corm__pool_release(pool, last);
    assert_ptr_equal(acquire_in(pool, &serializable), strict);
    corm__pool_release(pool, strict);
    assert_ptr_equal(acquire_in(pool, &single), plain);
    assert_ptr_equal(acquire_in(pool, &read_only), last);
    corm__pool_release(pool, last);
    corm__pool_release(pool, plain);
    assert_ptr_equal(acquire_in(pool, &serializable), strict);

    /* Where none fits, one that does not is better than one more. */
    struct corm__connection *other = acquire_in(pool, &serializable);
    assert_ptr_equal(other, plain);
    assert_int_equal(look_at(&world.opened), 3);
    corm__pool_release(pool, strict);
    corm__pool_release(pool, other);
    corm__pool_free(pool);
}

/* ---- Giving up ------------------------------------------------------------------- */

static void who_gives_up_is_told_how_many_were_in_use(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);
    struct corm_error        error = {0};

    (void)state;
    assert_int_equal(try_at_once(pool, &error), CORM_TIMEOUT);
    assert_int_equal(error.code, CORM_TIMEOUT);
    assert_non_null(strstr(error.message, "all 1 connections"));
    corm__pool_release(pool, c);
    error = (struct corm_error){0};
    assert_int_equal(try_at_once(pool, &error), 0); /* late, but nothing had to be waited for */
    corm__pool_free(pool);
}

/* Four stand in the queue, and `gone` (bit by bit) give up; then one more comes. */
static void check_hole(unsigned gone)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);
    struct client           *client[5];
    int                      place = 0, served = look_at(&world.served);

    for (unsigned i = 0; i < 4; i++)
        client[i] = queued_client(pool, (gone & 1u << i) != 0);
    for (unsigned i = 0; i < 4; i++) {
        if ((gone & 1u << i) == 0)
            continue;
        time_out(client[i]);
        AWAIT(client[i]->state == GONE);
        assert_int_equal(client[i]->rc, CORM_TIMEOUT);
    }
    client[4] = queued_client(pool, false);
    corm__pool_release(pool, c);
    for (unsigned i = 0; i < 5; i++) {
        if ((gone & 1u << i) == 0) {
            place++;
            AWAIT(world.served == served + place);
            assert_int_equal(look_at(&client[i]->place), served + place);
            let_go(client[i]);
        }
        free_client(client[i]);
    }
    assert_whole(pool, 1);
    corm__pool_free(pool);
}

static void who_gives_up_leaves_no_hole_in_the_queue(void **state)
{
    (void)state;
    for (unsigned gone = 0; gone < 16; gone++)
        check_hole(gone);
}

static void a_connection_given_at_the_last_moment_is_kept(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);
    struct client           *late = queued_client(pool, true);
    struct client           *next = queued_client(pool, false);

    (void)state;
    corm__pool_release(pool, c); /* is given to `late`, who finds that his time is up */
    time_out(late);
    AWAIT(world.served == 1);
    assert_int_equal(late->rc, 0);
    assert_ptr_equal(late->connection, c);
    let_go(late);
    AWAIT(next->state == SERVED);
    assert_ptr_equal(next->connection, c);
    let_go(next);
    free_client(late);
    free_client(next);
    assert_whole(pool, 1);
    corm__pool_free(pool);
}

static void a_place_given_at_the_last_moment_is_kept(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);
    struct client           *late = queued_client(pool, true);

    (void)state;
    c->link->lost = true;
    corm__pool_release(pool, c);
    time_out(late);
    AWAIT(late->state == SERVED);
    assert_int_equal(look_at(&world.opened), 2);
    let_go(late);
    free_client(late);
    assert_whole(pool, 1);
    corm__pool_free(pool);
}

/* ---- What cannot be used --------------------------------------------------------------- */

static void a_failure_to_open_frees_the_place(void **state)
{
    struct corm__pool       *pool = new_pool(2);
    struct corm__connection *c = NULL;
    struct corm_error        error = {0};

    (void)state;
    world.connects_to_fail = 3;
    for (int i = 0; i < 3; i++) {
        error = (struct corm_error){0};
        assert_int_equal(corm__pool_acquire(pool, &single, here, patience(), &c, &error),
                         CORM_UNREACHABLE);
        assert_non_null(strstr(error.message, "nobody there"));
    }
    assert_whole(pool, 2);
    corm__pool_free(pool);
}

static void a_failure_to_open_passes_the_place_on(void **state)
{
    struct corm__pool *pool = new_pool(1);
    struct client     *client[4];

    (void)state;
    world.hold_connects = true;
    world.connects_to_fail = 2;
    client[0] = new_client(pool, false);
    AWAIT(world.connecting == 1);
    for (size_t i = 1; i < COUNT(client); i++)
        client[i] = queued_client(pool, false);
    lock_world();
    world.hold_connects = false;
    unlock_world();
    for (size_t i = 0; i < COUNT(client); i++) {
        if (i >= 2) {
            AWAIT(world.served == (int)i - 1);
            assert_int_equal(look_at(&client[i]->place), i - 1);
            let_go(client[i]);
        }
        AWAIT(client[i]->state == GONE);
        assert_int_equal(client[i]->rc, i < 2 ? CORM_UNREACHABLE : 0);
        free_client(client[i]);
    }
    assert_int_equal(look_at(&world.opened), 1);
    assert_int_equal(look_at(&world.most_live), 1);
    assert_whole(pool, 1);
    corm__pool_free(pool);
}

static void a_lost_connection_is_closed_and_its_place_passed_on(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);
    struct client           *first = queued_client(pool, false);
    struct client           *second = queued_client(pool, false);
    int                      opened = look_at(&world.opened);

    (void)state;
    c->link->lost = true;
    corm__pool_release(pool, c);
    AWAIT(first->state == SERVED);
    assert_int_equal(look_at(&world.opened), opened + 1);
    assert_int_equal(look_at(&world.live), 1);
    assert_false(first->connection->link->lost);
    let_go(first);
    let_go(second);
    assert_int_equal(look_at(&world.opened), opened + 1);
    assert_int_equal(look_at(&world.most_live), 1);

    /* And with nobody waiting. */
    c = acquire(pool);
    c->link->lost = true;
    corm__pool_release(pool, c);
    assert_int_equal(look_at(&world.live), 0);
    assert_whole(pool, 1);
    free_client(first);
    free_client(second);
    corm__pool_free(pool);
}

/* A database in memory is gone with its connection, so nothing is a reason to close that. */
static void the_connection_that_holds_the_data_is_kept_whatever_happens(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);

    (void)state;
    c->link->holds_data = true;
    c->link->lost = true;
    c->dirty = true;
    corm__pool_release(pool, c);
    assert_ptr_equal(acquire(pool), c);
    assert_int_equal(look_at(&world.resetting), 1);
    c->dirty = c->link->in_trx = true;
    corm__pool_release(pool, c);
    assert_non_null(strstr(world.log, "control ROLLBACK"));
    world.resets_to_fail = 1;
    assert_ptr_equal(acquire(pool), c);
    assert_int_equal(look_at(&world.opened), 1);
    corm__pool_release(pool, c);
    corm__pool_free(pool);
}

static void a_connection_that_died_while_idle_is_not_handed_out(void **state)
{
    struct corm__pool       *pool = new_pool(2);
    struct corm__connection *c = acquire(pool);

    (void)state;
    corm__pool_release(pool, c);
    world.dead = true;
    c = acquire(pool);
    assert_int_equal(look_at(&world.looking), 1);
    assert_int_equal(look_at(&world.opened), 2);
    assert_int_equal(look_at(&world.live), 1);
    assert_int_equal(look_at(&world.closed_as_lost), 1); /* so that nobody says farewell to it */
    corm__pool_release(pool, c);
    assert_whole(pool, 2);

    /* When no other can be opened in its place, the place is free again. */
    c = acquire(pool);
    corm__pool_release(pool, c);
    world.connects_to_fail = 1;
    struct corm_error error = {0};
    assert_int_equal(try_until(pool, patience(), &error), CORM_UNREACHABLE);
    world.dead = false;
    assert_whole(pool, 2);
    corm__pool_free(pool);
}

/* Who finds his dead asks twice; who would wait for himself does not wait. */
static void a_pool_counts_what_was_asked_of_it(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool), *other = NULL;
    struct corm_node_stats   stats = {0};
    struct corm_error        error = {0};

    (void)state;
    assert_int_equal(corm__pool_acquire(pool, &single, here, patience(), &other, &error),
                     CORM_WOULD_BLOCK);
    corm__pool_release(pool, c);
    world.dead = true;
    c = acquire(pool);
    world.dead = false;
    corm__pool_stats(pool, &stats);
    assert_int_equal(stats.max, 1);
    assert_int_equal(stats.opened, 2);
    assert_int_equal(stats.closed, 1);
    assert_int_equal(stats.used, 1);
    assert_int_equal(stats.idle + stats.pending + stats.waits + stats.timeouts, 0);
    assert_int_equal(stats.wait_time.count, 3);
    assert_int_equal(stats.wait_time.sum, 0);
    c->dirty = true; /* it is stained, which is idle as well */
    corm__pool_release(pool, c);
    stats = (struct corm_node_stats){0};
    corm__pool_stats(pool, &stats);
    assert_int_equal(stats.idle, 1);
    assert_int_equal(stats.used, 0);
    corm__pool_free(pool);
}

/* Always, however short it was idle: a look costs next to nothing. */
static void an_idle_connection_is_looked_at_before_it_is_handed_out(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);

    (void)state;
    assert_int_equal(look_at(&world.looking), 0); /* it was just opened */
    for (int i = 1; i <= 3; i++) {
        corm__pool_release(pool, c);
        assert_ptr_equal(acquire(pool), c);
        assert_int_equal(look_at(&world.looking), i);
    }
    assert_int_equal(look_at(&world.opened), 1);
    corm__pool_release(pool, c);
    corm__pool_free(pool);
}

/* ---- One slow server call stops nobody else ------------------------------------------------ */

static void a_connect_that_hangs_stops_nobody_else(void **state)
{
    struct corm__pool       *pool = new_pool(2);
    struct corm__connection *c = acquire(pool);

    (void)state;
    lock_world();
    world.hold_connects = true;
    unlock_world();
    struct client *hangs = new_client(pool, false);
    AWAIT(world.connecting == 2);
    struct client *waits = queued_client(pool, false);
    corm__pool_release(pool, c);
    AWAIT(waits->state == SERVED);
    assert_ptr_equal(waits->connection, c);
    let_go(waits);
    assert_ptr_equal(acquire(pool), c);
    corm__pool_release(pool, c);
    lock_world();
    world.hold_connects = false;
    unlock_world();
    let_go(hangs);
    free_client(hangs);
    free_client(waits);
    assert_whole(pool, 2);
    corm__pool_free(pool);
}

static void a_look_that_hangs_stops_nobody_else(void **state)
{
    struct corm__pool       *pool = new_pool(2);
    struct corm__connection *c = acquire(pool);

    (void)state;
    corm__pool_release(pool, c);
    world.hold_looks = true;
    struct client *hangs = new_client(pool, false);
    AWAIT(world.looking == 1);
    struct corm__connection *other = acquire(pool);
    assert_ptr_not_equal(other, c);
    corm__pool_release(pool, other);
    lock_world();
    world.hold_looks = false;
    unlock_world();
    AWAIT(hangs->state == SERVED);
    assert_ptr_equal(hangs->connection, c);
    let_go(hangs);
    free_client(hangs);
    corm__pool_free(pool);
}

/* ---- Filling, and the two pools of a file ---------------------------------------------------- */

static void filling_opens_what_is_not_open_yet(void **state)
{
    struct corm__pool       *pool = new_pool(4);
    struct corm__connection *c = acquire(pool);
    struct corm_error        error = {0};

    (void)state;
    world.connects_to_fail = 1;
    assert_int_equal(corm__pool_fill(pool, patience(), &error), CORM_UNREACHABLE);
    assert_int_equal(look_at(&world.live), 1);
    error = (struct corm_error){0};
    assert_int_equal(corm__pool_fill(pool, patience(), &error), 4);
    assert_int_equal(look_at(&world.live), 4);
    assert_int_equal(corm__pool_fill(pool, patience(), &error), 4);
    assert_int_equal(look_at(&world.opened), 4);
    corm__pool_release(pool, c);
    assert_whole(pool, 4);
    assert_int_equal(look_at(&world.opened), 4);
    corm__pool_free(pool);
}

static void what_could_be_opened_stays_when_filling_fails(void **state)
{
    struct corm__pool *pool = new_pool(4);
    struct corm_error  error = {0};

    (void)state;
    struct corm__connection *c[] = {acquire(pool), acquire(pool)};
    corm__pool_release(pool, c[0]);
    corm__pool_release(pool, c[1]);
    world.connects_to_fail = 1;
    assert_int_equal(corm__pool_fill(pool, patience(), &error), CORM_UNREACHABLE);
    assert_int_equal(look_at(&world.live), 2);
    assert_whole(pool, 4);
    corm__pool_free(pool);
}

static void a_file_has_one_connection_that_writes(void **state)
{
    struct corm__node node = {
        .endpoint = {.driver = &fake_file}, .watch = &watch, .timeout_ms = 600000};
    struct corm__connection *writer = NULL;
    struct corm_error        error = {0};

    (void)state;
    assert_int_equal(corm__node_open(&node, 4, &error), 0);
    assert_ptr_not_equal(node.write, node.read);
    assert_int_equal(look_at(&world.live), 1);
    assert_int_equal(corm__node_fill(&node, &error), 4);
    assert_int_equal(look_at(&world.live), 4);
    writer = acquire(node.write);
    assert_int_equal(try_at_once(node.write, &error), CORM_TIMEOUT);
    error = (struct corm_error){0};
    assert_int_equal(try_at_once(node.read, &error), 0);
    corm__pool_release(node.write, writer);
    corm__node_close(&node);

    /* With a single connection it does both. */
    assert_int_equal(corm__node_open(&node, 1, &error), 0);
    assert_ptr_equal(node.write, node.read);
    assert_int_equal(corm__node_fill(&node, &error), 1);
    corm__node_close(&node);
}

static void a_node_that_cannot_be_reached_leaves_nothing_open(void **state)
{
    struct corm__node node = {
        .endpoint = {.driver = &fake_server}, .watch = &watch, .timeout_ms = 600000};
    struct corm_error error = {0};

    (void)state;
    world.connects_to_fail = 1;
    assert_int_equal(corm__node_open(&node, 4, &error), CORM_UNREACHABLE);
    assert_null(node.write);
    assert_null(node.read);
    assert_int_equal(look_at(&world.opened), 0);
}

/* ---- Prepared statements --------------------------------------------------------------------- */

static struct corm__connection *connect_alone(enum corm_dialect dialect)
{
    struct corm__connection *c = NULL;
    struct corm_error        error = {0};

    world.dialect = dialect;
    assert_int_equal(corm__connection_open(&endpoint, true, &watch, patience(), &c, &error), 0);
    return c;
}

static struct corm__statement statement_of(const char *text, enum corm__verb verb)
{
    struct corm__statement s = corm__control(text);

    s.verb = verb;
    return s;
}

static int run_statement(struct corm__connection *c, const struct corm__statement *s,
                         struct corm_error *error)
{
    struct corm__run run = {.statements = s, .count = 1, .deadline = patience()};

    *error = (struct corm_error){0};
    return corm__connection_run(c, &run, error);
}

static void run_text(struct corm__connection *c, const char *text)
{
    struct corm__statement s = statement_of(text, CORM__WRITE);
    struct corm_error      error;

    assert_int_equal(run_statement(c, &s, &error), 0);
}

static void assert_log(const char *expected)
{
    char found[LOG_SIZE];

    lock_world();
    memcpy(found, world.log, sizeof(found));
    world.log[0] = '\0';
    unlock_world();
    assert_string_equal(found, expected);
}

static void a_statement_is_prepared_once(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);

    (void)state;
    run_text(c, "a");
    run_text(c, "b");
    run_text(c, "a");
    run_text(c, "b");
    assert_log("prepare a; execute a; prepare b; execute b; execute a; execute b; ");
    corm__connection_close(c);
    assert_log("finalize a; finalize b; ");
}

/* Its text is copied: that of the call is gone when it is asked for again. */
static void a_prepared_statement_is_found_by_its_text(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);
    char                     text[] = "abc", same[] = "abc";

    (void)state;
    run_text(c, text);
    memset(text, 'x', 3);
    run_text(c, same);
    assert_int_equal(look_at(&world.prepared), 1);
    run_text(c, text);
    assert_int_equal(look_at(&world.prepared), 2);
    corm__connection_close(c);
}

static void a_statement_that_will_not_come_again_is_not_kept(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);
    struct corm__statement   s = statement_of("a", CORM__WRITE);
    struct corm_error        error;

    (void)state;
    s.once = true;
    assert_int_equal(run_statement(c, &s, &error), 0);
    assert_int_equal(run_statement(c, &s, &error), 0);
    assert_log("prepare a; execute a; finalize a; prepare a; execute a; finalize a; ");
    corm__connection_close(c);
}

static void run_number(struct corm__connection *c, int number)
{
    char text[TEXT_SIZE];

    (void)snprintf(text, sizeof(text), "number %d", number);
    run_text(c, text);
}

static void the_cache_is_bounded_and_forgets_what_was_unused_for_longest(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);

    (void)state;
    for (int i = 0; i < CORM__CACHE_MAX; i++)
        run_number(c, i);
    assert_int_equal(look_at(&world.still_prepared), CORM__CACHE_MAX);
    run_number(c, 0);
    assert_int_equal(look_at(&world.prepared), CORM__CACHE_MAX);
    run_number(c, CORM__CACHE_MAX);
    assert_string_equal(world.last_finalized, "number 1");
    run_number(c, 0);
    assert_int_equal(look_at(&world.prepared), CORM__CACHE_MAX + 1);
    for (int i = 0; i < 3 * CORM__CACHE_MAX; i++) {
        run_number(c, 1000 + i);
        assert_int_equal(look_at(&world.still_prepared), CORM__CACHE_MAX);
    }
    corm__connection_close(c);
}

static void what_cannot_be_prepared_is_not_kept(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);
    struct corm__statement   s = statement_of("a", CORM__WRITE);
    struct corm_error        error;

    (void)state;
    for (int i = 0; i < CORM__CACHE_MAX; i++)
        run_number(c, i);
    world.prepares_to_fail = 2;
    assert_int_equal(run_statement(c, &s, &error), CORM_SYNTAX);
    assert_int_equal(run_statement(c, &s, &error), CORM_SYNTAX);
    assert_int_equal(run_statement(c, &s, &error), 0);
    assert_in_range(look_at(&world.still_prepared), CORM__CACHE_MAX - 1, CORM__CACHE_MAX);
    corm__connection_close(c);
}

static void a_stale_statement_is_prepared_again_once(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);
    struct corm__statement   s = statement_of("a", CORM__WRITE);
    struct corm_error        error;

    (void)state;
    run_text(c, "a");
    world.stale_answers = 1;
    assert_int_equal(run_statement(c, &s, &error), 0);
    assert_int_equal(error.code, 0);
    assert_log("prepare a; execute a; execute a; finalize a; prepare a; execute a; ");

    world.stale_answers = 2;
    assert_int_equal(run_statement(c, &s, &error), CORM_SERVER_ERROR);
    assert_int_equal(error.code, CORM_SERVER_ERROR);
    assert_int_equal(error.server_code, 1615);
    assert_log("execute a; finalize a; prepare a; execute a; finalize a; ");
    run_text(c, "a");
    assert_log("prepare a; execute a; ");
    corm__connection_close(c);
}

/* A part of it may have run, so it must not run twice in a transaction. */
static void a_stale_compound_is_a_conflict(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);
    struct corm__statement   s = statement_of("a", CORM__WRITE);
    struct corm_error        error;

    (void)state;
    s.compound = true;
    assert_int_equal(run_statement(c, &s, &error), 0);
    world.stale_answers = 1;
    assert_int_equal(run_statement(c, &s, &error), CORM_CONFLICT);
    assert_int_equal(error.code, CORM_CONFLICT);
    assert_log("prepare a; execute a; execute a; finalize a; ");
    assert_int_equal(run_statement(c, &s, &error), 0);
    assert_log("prepare a; execute a; ");
    corm__connection_close(c);
}

/* ---- A server without room for prepared statements ------------------------------------------------ */

static void the_cache_of_a_connection_is_its_part_of_the_servers_limit(void **state)
{
    static const struct {
        uint32_t statements_max, pool;
        size_t   part;
    } limits[] = {{0, 4, CORM__CACHE_MAX},
                  {16382, 16, CORM__CACHE_MAX},
                  {1600, 16, 50},
                  {7, 16, 1},
                  {1, 1, 1}};

    (void)state;
    for (size_t i = 0; i < COUNT(limits); i++) {
        struct corm__pool *pool = new_pool(limits[i].pool);
        world.statements_max = limits[i].statements_max;
        struct corm__connection *c = acquire(pool);
        assert_int_equal(c->cache_max, limits[i].part);
        corm__pool_release(pool, c);
        corm__pool_free(pool);
    }
}

/* It gives up half of what it has, and is content with that. */
static void a_connection_makes_room_for_its_own_statements(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);

    (void)state;
    world.room = 10;
    for (int i = 0; i < 30; i++) {
        run_number(c, i);
        assert_in_range(look_at(&world.still_prepared), 1, 10);
    }
    assert_int_equal(c->cache_max, 5);
    assert_string_equal(world.last_finalized, "number 24");
    assert_int_equal(look_at(&world.refused), 1);
    world.room = 1;
    for (int i = 100; i < 110; i++)
        run_number(c, i);
    assert_int_equal(c->cache_max, 1);
    corm__connection_close(c);
}

static void idle_connections_make_room_for_those_that_work(void **state)
{
    struct corm__pool       *pool = new_pool(4);
    struct corm__connection *c[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        c[i] = acquire(pool);
    for (int i = 0; i < 3; i++) {
        run_number(c[i], 1);
        run_number(c[i], 2);
        corm__pool_release(pool, c[i]);
    }
    world.room = 6;
    run_number(c[3], 3);
    assert_int_equal(look_at(&world.still_prepared), 1);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(acquire(pool), c[2 - i]); /* in the order that they had */
    for (int i = 0; i < 4; i++)
        corm__pool_release(pool, c[i]);
    assert_whole(pool, 4);
    corm__pool_free(pool);
}

/* Where others keep what they have, it takes until the deadline; also for one that is not kept. */
static void where_no_room_comes_the_statement_fails(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);
    struct corm__statement   s = statement_of("a", CORM__WRITE);
    struct corm__run         run = {.statements = &s, .count = 1};
    struct corm_error        error = {0};

    (void)state;
    world.room = -1;
    run.deadline = corm__deadline_in(20);
    assert_int_equal(corm__connection_run(c, &run, &error), CORM_SERVER_ERROR);
    assert_int_equal(error.code, CORM_SERVER_ERROR);
    assert_int_equal(error.server_code, 1461);
    assert_non_null(strstr(error.message, "max_prepared_stmt_count"));
    assert_true(look_at(&world.refused) > 1);
    s.once = true;
    error = (struct corm_error){0};
    run.deadline = corm__deadline_in(20);
    assert_int_equal(corm__connection_run(c, &run, &error), CORM_SERVER_ERROR);
    world.room = 0;
    assert_int_equal(run_statement(c, &s, &error), 0);
    corm__pool_release(pool, c);
    corm__pool_free(pool);

    c = connect_alone(CORM_DIALECT_MARIADB); /* and without a pool at once */
    world.room = -1;
    assert_int_equal(run_statement(c, &s, &error), CORM_SERVER_ERROR);
    corm__connection_close(c);
}

/* ---- What is dirty ------------------------------------------------------------------------- */

/* Who gives it back waits for nothing; who gets it waits for the reset, in his own thread. */
static void a_dirty_connection_is_reset_before_another_borrower_has_it(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);

    (void)state;
    run_text(c, "a");
    world.hold_resets = true;
    c->dirty = true;
    corm__pool_release(pool, c); /* comes back */
    assert_int_equal(look_at(&world.resets_begun), 1);
    assert_int_equal(look_at(&world.resetting), 0);
    assert_int_equal(look_at(&world.still_prepared), 1);
    struct client *next = new_client(pool, false);
    AWAIT(world.resetting == 1);
    lock_world();
    assert_int_equal(next->state, ASKING);
    world.hold_resets = false;
    unlock_world();
    AWAIT(next->state == SERVED);
    assert_ptr_equal(next->connection, c);
    assert_false(c->dirty || c->resetting);
    assert_int_equal(look_at(&world.still_prepared), 0); /* the server has forgotten it */
    assert_int_equal(look_at(&world.opened), 1);
    let_go(next);
    free_client(next);
    assert_int_equal(look_at(&world.resets_begun), 1); /* a clean one is given back as it is */
    assert_whole(pool, 1);
    corm__pool_free(pool);
}

/* Nor does one inside a transaction, whoever began it. */
static void a_connection_in_a_transaction_is_reset(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);

    (void)state;
    c->link->in_trx = true;
    corm__pool_release(pool, c);
    assert_int_equal(look_at(&world.resets_begun), 1);
    assert_ptr_equal(acquire(pool), c);
    assert_int_equal(look_at(&world.resetting), 1);
    corm__pool_release(pool, c);
    c->dirty = false;
    corm__pool_free(pool);
}

static void who_waits_gets_a_dirty_connection_too(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);
    struct client           *first = queued_client(pool, false);
    struct client           *second = queued_client(pool, false);

    (void)state;
    c->dirty = true;
    corm__pool_release(pool, c);
    AWAIT(first->state == SERVED);
    assert_int_equal(look_at(&world.resetting), 1);
    assert_ptr_equal(first->connection, c);
    let_go(first);
    let_go(second);
    free_client(first);
    free_client(second);
    corm__pool_free(pool);
}

static void a_clean_connection_goes_before_a_dirty_one(void **state)
{
    struct corm__pool       *pool = new_pool(3);
    struct corm__connection *clean = acquire(pool), *old = acquire(pool), *dirty = acquire(pool);

    (void)state;
    clean->link->mode = read_only; /* which does not even fit */
    old->dirty = dirty->dirty = true;
    corm__pool_release(pool, clean);
    corm__pool_release(pool, old);
    corm__pool_release(pool, dirty);
    assert_ptr_equal(acquire(pool), clean);
    assert_int_equal(look_at(&world.resetting), 0);
    assert_ptr_equal(acquire(pool), old); /* the one whose reset was asked for first */
    assert_ptr_equal(acquire(pool), dirty);
    assert_int_equal(look_at(&world.resetting), 2);
    corm__pool_release(pool, clean);
    corm__pool_release(pool, old);
    corm__pool_release(pool, dirty);
    corm__pool_free(pool);
}

static void a_reset_that_hangs_stops_nobody_else(void **state)
{
    struct corm__pool       *pool = new_pool(2);
    struct corm__connection *c = acquire(pool);

    (void)state;
    c->dirty = true;
    corm__pool_release(pool, c);
    lock_world();
    world.hold_resets = true;
    unlock_world();
    struct client *hangs = new_client(pool, false);
    AWAIT(world.resetting == 1);
    struct corm__connection *other = acquire(pool);
    assert_ptr_not_equal(other, c);
    corm__pool_release(pool, other);
    lock_world();
    world.hold_resets = false;
    unlock_world();
    let_go(hangs);
    free_client(hangs);
    assert_whole(pool, 2);
    corm__pool_free(pool);
}

static void a_connection_that_cannot_be_reset_is_closed_and_its_place_passed_on(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);
    struct corm_error        error = {0};

    (void)state;
    world.refuse_resets = true; /* known at once */
    c->dirty = true;
    corm__pool_release(pool, c);
    assert_int_equal(look_at(&world.live), 0);
    world.refuse_resets = false;
    c = acquire(pool);
    c->dirty = true;
    corm__pool_release(pool, c);
    world.resets_to_fail = 1; /* known when it is asked for the next time */
    c = acquire(pool);
    assert_int_equal(look_at(&world.opened), 3);
    assert_int_equal(look_at(&world.most_live), 1);
    assert_int_equal(look_at(&world.closed_as_lost), 1);
    c->dirty = true;
    corm__pool_release(pool, c);
    world.resets_to_fail = 1;
    world.connects_to_fail = 1;
    assert_int_equal(try_until(pool, patience(), &error), CORM_UNREACHABLE);
    assert_whole(pool, 1);
    c = acquire(pool);
    c->dirty = true;
    corm__pool_release(pool, c);
    world.resets_to_fail = 1;
    error = (struct corm_error){0};
    assert_int_equal(try_at_once(pool, &error), CORM_TIMEOUT); /* and no time for another one */
    assert_non_null(strstr(error.message, "could not be used"));
    assert_whole(pool, 1);
    corm__pool_free(pool);
}

static void what_is_to_be_reset_is_closed_with_the_pool(void **state)
{
    struct corm__pool       *pool = new_pool(2);
    struct corm__connection *one = acquire(pool), *two = acquire(pool);

    (void)state;
    one->dirty = two->dirty = true;
    corm__pool_release(pool, one);
    corm__pool_release(pool, two);
    corm__pool_free(pool);
    assert_int_equal(look_at(&world.live), 0);
    corm__pool_free(NULL);
}

/* ---- Age ------------------------------------------------------------------------------------- */

static void a_connection_that_is_too_old_is_replaced(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);

    (void)state;
    c->expires = corm__now() - 1;
    corm__pool_release(pool, c); /* when it is given back */
    assert_int_equal(look_at(&world.live), 0);
    c = acquire(pool);
    assert_int_equal(look_at(&world.opened), 2);
    corm__pool_release(pool, c);
    c->expires = corm__now() - 1; /* when it is asked for */
    c = acquire(pool);
    assert_int_equal(look_at(&world.opened), 3);
    assert_int_equal(look_at(&world.closed_as_lost), 0); /* there is time for a farewell */
    corm__pool_release(pool, c);
    assert_ptr_equal(acquire(pool), c);
    corm__pool_release(pool, c);
    corm__pool_free(pool);
}

static void check_ages(uint32_t asked_s, uint32_t age_s)
{
    struct corm__endpoint    aging = {.driver = &fake_server, .max_age_s = asked_s};
    struct corm__pool       *pool = corm__pool_new(&aging, true, 16, &watch);
    struct corm__connection *c[16];
    int64_t                  age = (int64_t)age_s * 1000000000, least = INT64_MAX, most = 0;
    int64_t                  began = corm__now();

    assert_non_null(pool);
    for (size_t i = 0; i < COUNT(c); i++) {
        c[i] = acquire(pool);
        if (c[i]->expires < least)
            least = c[i]->expires;
        if (c[i]->expires > most)
            most = c[i]->expires;
    }
    assert_true(least >= began + age - age / 4 && most <= corm__now() + age);
    assert_true(most - least > age / 16); /* 16 of them within a fourth of that: 1 in 10^9 */
    for (size_t i = 0; i < COUNT(c); i++)
        corm__pool_release(pool, c[i]);
    corm__pool_free(pool);
}

static void connections_that_were_opened_together_do_not_expire_together(void **state)
{
    (void)state;
    check_ages(0, CORM__MAX_AGE_S);
    check_ages(600, 600);
    check_ages(1, 1);
}

static void a_file_does_not_age(void **state)
{
    struct corm__endpoint    file = {.driver = &fake_file, .max_age_s = 1};
    struct corm__pool       *pool = corm__pool_new(&file, true, 1, &watch);
    struct corm__connection *c = acquire(pool);

    (void)state;
    assert_true(c->expires == INT64_MAX);
    corm__pool_release(pool, c);
    corm__pool_free(pool);
}

/* ---- A server that comes back ------------------------------------------------------------------ */

enum { CROWD = 20 };

static void only_a_few_are_opened_at_the_same_time(void **state)
{
    struct corm__pool *pool = new_pool(16);
    struct client     *client[CROWD];

    (void)state;
    world.hold_connects = true;
    for (size_t i = 0; i < CORM__CONNECTS_MAX; i++)
        client[i] = new_client(pool, false);
    AWAIT(world.connecting == CORM__CONNECTS_MAX);
    for (size_t i = CORM__CONNECTS_MAX; i < CROWD; i++)
        client[i] = queued_client(pool, false);
    assert_int_equal(look_at(&world.connecting), CORM__CONNECTS_MAX);
    lock_world();
    world.hold_connects = false;
    unlock_world();
    AWAIT(world.served == 16);
    for (size_t i = 0; i < CROWD; i++) {
        let_go(client[i]);
        free_client(client[i]);
    }
    assert_int_equal(look_at(&world.opened), 16);
    assert_int_equal(look_at(&world.most_opening), CORM__CONNECTS_MAX);
    corm__pool_free(pool);
}

/* Also when all find theirs dead at the same moment; and each is served in the turn that he had. */
static void those_who_find_theirs_dead_do_not_storm_the_server(void **state)
{
    struct corm__pool       *pool = new_pool(12);
    struct corm__connection *c[12];
    struct client           *client[CROWD];

    (void)state;
    for (size_t i = 0; i < COUNT(c); i++)
        c[i] = acquire(pool);
    for (size_t i = 0; i < COUNT(c); i++)
        corm__pool_release(pool, c[i]);
    lock_world();
    world.hold_connects = world.hold_looks = true;
    world.dead = true;
    unlock_world();
    for (size_t i = 0; i < COUNT(c); i++) {
        client[i] = new_client(pool, false);
        AWAIT(world.looking == (int)i + 1);
    }
    for (size_t i = COUNT(c); i < CROWD; i++)
        client[i] = queued_client(pool, false);
    lock_world();
    world.hold_looks = false;
    unlock_world();
    AWAIT(world.connecting == 12 + CORM__CONNECTS_MAX && world.live == 0);
    lock_world();
    world.hold_connects = world.dead = false;
    unlock_world();
    AWAIT(world.served == 12);
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(client[i]->state == SERVED, i < COUNT(c));
    for (size_t i = 0; i < CROWD; i++) {
        let_go(client[i]);
        free_client(client[i]);
    }
    assert_int_equal(look_at(&world.most_opening), CORM__CONNECTS_MAX);
    assert_int_equal(look_at(&world.most_live), 12);
    corm__pool_free(pool);
}

struct filler {
    pthread_t          thread;
    struct corm__pool *pool;
    int                rc;
};

static void *filler_main(void *arg)
{
    struct filler    *filler = arg;
    struct corm_error error = {0};

    filler->rc = corm__pool_fill(filler->pool, patience(), &error);
    return NULL;
}

static void filling_waits_for_its_turn_to_open(void **state)
{
    struct corm__pool *pool = new_pool(8);
    struct filler      filler = {.pool = pool};
    struct client     *client[CORM__CONNECTS_MAX];
    struct corm_error  error = {0};

    (void)state;
    world.hold_connects = true;
    for (size_t i = 0; i < COUNT(client); i++)
        client[i] = new_client(pool, false);
    AWAIT(world.connecting == CORM__CONNECTS_MAX);
    assert_int_equal(corm__pool_fill(pool, corm__now() - 1, &error), CORM_TIMEOUT);
    assert_non_null(strstr(error.message, "4 being opened"));
    assert_int_equal(pthread_create(&filler.thread, NULL, filler_main, &filler), 0);
    lock_world();
    world.hold_connects = false;
    unlock_world();
    pthread_join(filler.thread, NULL);
    assert_int_equal(filler.rc, 8);
    for (size_t i = 0; i < COUNT(client); i++) {
        let_go(client[i]);
        free_client(client[i]);
    }
    assert_int_equal(look_at(&world.most_opening), CORM__CONNECTS_MAX);
    assert_whole(pool, 8);
    corm__pool_free(pool);
}

/* ---- Who holds what ---------------------------------------------------------------------------- */

static struct corm__connection *acquire_at(struct corm__pool *pool, const char *file, int32_t line,
                                           int64_t ms)
{
    struct corm__connection *c = NULL;
    struct corm_error        error = {0};
    int rc = corm__pool_acquire(pool, &single, (struct corm__caller){file, line}, patience(), &c,
                                &error);

    assert_int_equal(rc, 0);
    c->since -= ms * 1000000; /* as if it had been so long ago */
    return c;
}

static void who_waits_in_vain_is_told_who_holds_what_for_how_long(void **state)
{
    struct corm__pool       *pool = new_pool(3);
    struct corm__connection *c[] = {acquire_at(pool, "../src/shop.c", 41, 30012),
                                    acquire_at(pool, "shop.c", 77, 1200),
                                    acquire_at(pool, NULL, 0, 500)};
    struct corm_error        error = {0};

    (void)state;
    assert_int_equal(try_at_once(pool, &error), CORM_TIMEOUT);
    assert_non_null(strstr(error.message, "all 3 connections were in use until the deadline: "
                                          "shop.c:41 for 300"));
    assert_non_null(strstr(error.message, " ms, shop.c:77 for 12"));
    assert_non_null(strstr(error.message, " ms, somebody for 5"));
    for (size_t i = 0; i < COUNT(c); i++)
        corm__pool_release(pool, c[i]);
    corm__pool_free(pool);
}

static void those_who_hold_it_for_longest_are_told_where_there_are_many(void **state)
{
    struct corm__pool       *pool = new_pool(40);
    struct corm__connection *c[40];
    struct corm_error        error = {0};
    static const char name[] = "a/name/of/a/file/that_is_much_longer_than_anybody_wants_to_read.c";

    (void)state;
    for (int32_t i = 0; i < 40; i++)
        c[i] = acquire_at(pool, name, 100 + i, 1000 * (40 - i));
    assert_int_equal(try_at_once(pool, &error), CORM_TIMEOUT);
    assert_non_null(strstr(error.message, "_anybody_wants_:100 for 400") != NULL
                        ? error.message
                        : strstr(error.message, ":100 for 400"));
    assert_non_null(strstr(error.message, ":101 for 39"));
    assert_null(strstr(error.message, ":139"));
    assert_non_null(strstr(error.message, " more"));
    assert_non_null(strstr(error.message, corm_code_cure(CORM_TIMEOUT))); /* nothing was cut */
    for (size_t i = 0; i < COUNT(c); i++)
        corm__pool_release(pool, c[i]);
    corm__pool_free(pool);
}

static void those_that_are_being_opened_are_told_apart(void **state)
{
    struct corm__pool       *pool = new_pool(2);
    struct corm__connection *c = acquire_at(pool, "shop.c", 5, 10);
    struct corm_error        error = {0};

    (void)state;
    world.hold_connects = true;
    struct client *opens = new_client(pool, false);
    AWAIT(world.connecting == 2);
    assert_int_equal(try_at_once(pool, &error), CORM_TIMEOUT);
    assert_non_null(strstr(error.message, "shop.c:5 for "));
    assert_non_null(strstr(error.message, ", 1 being opened"));
    lock_world();
    world.hold_connects = false;
    unlock_world();
    let_go(opens);
    free_client(opens);
    corm__pool_release(pool, c);
    corm__pool_free(pool);
}

static void a_file_says_that_it_has_one_writer(void **state)
{
    struct corm__endpoint    file = {.driver = &fake_file};
    struct corm__pool       *writer = corm__pool_new(&file, true, 1, &watch);
    struct corm__pool       *reader = corm__pool_new(&file, false, 1, &watch);
    struct corm__connection *c = acquire(writer), *d = acquire(reader);
    struct corm_error        error = {0};

    (void)state;
    assert_int_equal(try_at_once(writer, &error), CORM_TIMEOUT);
    assert_non_null(strstr(error.message, "the one connection that writes to the file was in use "
                                          "until the deadline: shop.c:41 for "));
    error = (struct corm_error){0};
    assert_int_equal(try_at_once(reader, &error), CORM_TIMEOUT);
    assert_non_null(strstr(error.message, "all 1 connections"));
    corm__pool_release(writer, c);
    corm__pool_release(reader, d);
    corm__pool_free(writer);
    corm__pool_free(reader);
}

/* ---- Who would wait for himself ---------------------------------------------------------------- */

static int acquire_again(struct corm__pool *pool, struct corm_error *error)
{
    struct corm__connection *c = NULL;

    *error = (struct corm_error){0};
    int rc = corm__pool_acquire(pool, &single, here, patience(), &c, error);
    if (rc == 0)
        corm__pool_release(pool, c);
    return rc;
}

static void who_holds_one_does_not_wait_for_another(void **state)
{
    struct corm__pool       *pool = new_pool(2);
    struct corm__connection *c = acquire(pool);
    struct corm_error        error;

    (void)state;
    assert_int_equal(acquire_again(pool, &error), 0); /* there is one for it */
    struct client *other = new_client(pool, false);
    AWAIT(other->state == SERVED);
    assert_int_equal(acquire_again(pool, &error), CORM_WOULD_BLOCK);
    assert_int_equal(error.code, CORM_WOULD_BLOCK);
    assert_non_null(strstr(error.message, "one of the 2 connections"));
    let_go(other);
    assert_int_equal(acquire_again(pool, &error), 0);
    free_client(other);
    corm__pool_release(pool, c);
    assert_whole(pool, 2);
    corm__pool_free(pool);
}

/* Whoever used it last holds it: a transaction may be begun in one thread and go on in another. */
static void *use_main(void *arg)
{
    run_text(arg, "a");
    return NULL;
}

static void who_gave_his_to_another_thread_waits(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);
    struct corm_error        error = {0};
    pthread_t                thread;

    (void)state;
    assert_int_equal(acquire_again(pool, &error), CORM_WOULD_BLOCK);
    assert_int_equal(pthread_create(&thread, NULL, use_main, c), 0);
    pthread_join(thread, NULL);
    error = (struct corm_error){0};
    struct corm__connection *none = NULL;
    assert_int_equal(corm__pool_acquire(pool, &single, here, corm__now() - 1, &none, &error),
                     CORM_TIMEOUT);
    run_text(c, "a");
    assert_int_equal(acquire_again(pool, &error), CORM_WOULD_BLOCK);
    corm__pool_release(pool, c);
    corm__pool_free(pool);
}

/* What is being opened for others comes to an end without him; but they may take all that is left. */
static void who_holds_one_waits_where_others_need_not_give_back(void **state)
{
    struct corm__pool       *pool = new_pool(2 + CORM__CONNECTS_MAX);
    struct corm__connection *c = acquire(pool), *none = NULL;
    struct client           *client[CORM__CONNECTS_MAX + 1];
    struct corm_error        error = {0};

    (void)state;
    lock_world();
    world.hold_connects = true;
    unlock_world();
    for (size_t i = 0; i < CORM__CONNECTS_MAX; i++)
        client[i] = new_client(pool, false);
    AWAIT(world.connecting == 1 + CORM__CONNECTS_MAX);
    assert_int_equal(corm__pool_acquire(pool, &single, here, corm__now() - 1, &none, &error),
                     CORM_TIMEOUT); /* one place is left, and it is his turn */
    client[CORM__CONNECTS_MAX] = queued_client(pool, false);
    assert_int_equal(acquire_again(pool, &error), CORM_WOULD_BLOCK); /* another one's turn */
    lock_world();
    world.hold_connects = false;
    unlock_world();
    for (size_t i = 0; i < COUNT(client); i++) {
        let_go(client[i]);
        free_client(client[i]);
    }
    corm__pool_release(pool, c);
    corm__pool_free(pool);
}

/* ---- A child of the process --------------------------------------------------------------------- */

struct parent {
    struct corm__pool       *pool;
    struct corm__connection *used;
    struct corm__node       *node;
};

/* 0 or the number of what went wrong. */
static int use_what_is_the_parents(void *arg)
{
    struct parent           *parent = arg;
    struct corm_error        error = {0};
    struct corm__connection *c = NULL;
    struct corm__statement   s = statement_of("a", CORM__WRITE);
    struct corm__run         run = {.statements = &s, .count = 1, .deadline = patience()};

    if (corm__pool_acquire(parent->pool, &single, here, patience(), &c, &error) != CORM_FORKED)
        return 1;
    if (corm__pool_fill(parent->pool, patience(), &error) != CORM_FORKED)
        return 2;
    if (corm__connection_run(parent->used, &run, &error) != CORM_FORKED || world.executed != 1)
        return 3;
    if (corm__connection_enter(parent->used, &single, 0, patience(), &error) != CORM_FORKED)
        return 4;
    if (corm__connection_catch_up(parent->used, "0-1-1", 1, patience(), &error) != CORM_FORKED)
        return 12;
    if (corm__connection_control(parent->used, "ROLLBACK", 0, patience(), &error) != CORM_FORKED)
        return 5;
    if (corm__node_check(parent->node, &error) != CORM_FORKED || !parent->used->link->lost ||
        parent->used->link->sent)
        return 6;
    struct corm__session session = {.id = 1};
    if (corm__connection_end_session(parent->used, &session, patience(), &error) != CORM_FORKED)
        return 7;
    struct corm__array array = {.rows = 1};
    if (corm__connection_run_array(parent->used, &s, &array, NULL, 1, patience(), &error) !=
            CORM_FORKED ||
        world.executed != 1)
        return 8;
    int connects = world.connecting;
    if (corm__connection_reopen(parent->used, &endpoint, patience(), &error) != CORM_FORKED ||
        world.connecting != connects)
        return 9;
    corm__pool_release(parent->pool, parent->used);
    if (world.disowned != 1)
        return 10;
    corm__pool_free(parent->pool);
    return world.disowned == 2 && world.live == 0 ? 0 : 11;
}

static void a_child_is_refused_and_touches_nothing(void **state)
{
    struct corm__pool       *pool = new_pool(2);
    struct corm__connection *used = acquire(pool), *idle = acquire(pool);
    struct corm__node        node = {.process = corm__process_id()};
    struct parent            parent = {pool, used, &node};
    struct corm_error        error = {0};

    (void)state;
    run_text(idle, "a");
    corm__pool_release(pool, idle);
    assert_int_equal(corm__node_check(&node, &error), 0);
    assert_int_equal(run_in_child(use_what_is_the_parents, &parent), 0);
    assert_ptr_equal(acquire(pool), idle); /* and all is as it was */
    corm__pool_release(pool, idle);
    corm__pool_release(pool, used);
    assert_whole(pool, 2);
    corm__pool_free(pool);
}

static int free_pool_in_child(void *arg)
{
    int before = freed;

    corm__pool_free(arg);
    return freed - before;
}

/* Another thread of the parent may have been in the pool at that moment: nothing is certain then. */
static void a_pool_that_was_in_use_when_the_process_was_forked_is_left_alone(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool), *none = NULL;
    struct client            client = {.pool = pool, .in_mutex = free_pool_in_child};
    struct corm_error        error = {0};

    (void)state;
    client.scripted = client.time_out = true;
    me = &client;
    atomic_store(&c->thread, 0); /* or it would not wait */
    assert_int_equal(corm__pool_acquire(pool, &single, here, patience(), &none, &error),
                     CORM_TIMEOUT);
    me = NULL;
    assert_int_equal(client.rc, 0);
    corm__pool_release(pool, c);
    corm__pool_free(pool);
}

/* ---- Without memory -------------------------------------------------------------------------------- */

static void a_pool_or_a_connection_without_memory_is_an_error(void **state)
{
    struct corm__node node = {
        .endpoint = {.driver = &fake_file}, .watch = &watch, .timeout_ms = 600000};
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = NULL;
    struct corm_error        error = {0};

    (void)state;
    allocations_left = 0;
    assert_null(corm__pool_new(&endpoint, true, 1, &watch));
    assert_int_equal(corm__node_open(&node, 4, &error), CORM_NO_MEMORY);
    allocations_left = 1; /* the pool of the writer */
    error = (struct corm_error){0};
    assert_int_equal(corm__node_open(&node, 4, &error), CORM_NO_MEMORY);
    allocations_left = 0;
    error = (struct corm_error){0};
    assert_int_equal(corm__pool_acquire(pool, &single, here, patience(), &c, &error),
                     CORM_NO_MEMORY);
    allocations_left = -1;
    assert_whole(pool, 1);
    corm__pool_free(pool);
}

static void a_statement_without_memory_is_not_kept(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);
    struct corm__statement   s = statement_of("a", CORM__WRITE);
    struct corm_error        error = {0};

    (void)state;
    for (int left = 0; left < 3; left++) { /* its entry, the driver's, the map's */
        allocations_left = left;
        assert_int_equal(run_statement(c, &s, &error), CORM_NO_MEMORY);
        allocations_left = -1;
        assert_int_equal(look_at(&world.still_prepared), 0);
    }
    assert_int_equal(run_statement(c, &s, &error), 0);
    corm__connection_close(c);
}

/* ---- Who is told, and what is left of modes -------------------------------------------------------- */

static void count_event(const struct corm_event *event, void *arg)
{
    int *told = arg;

    *told += event->nanoseconds >= 0 && event->connection > 0;
}

static void the_hook_is_told_of_statements_and_resets(void **state)
{
    int                      told = 0;
    struct corm__watch       telling = {.on_statement = count_event, .on_statement_arg = &told};
    struct corm__pool       *pool = corm__pool_new(&endpoint, true, 1, &telling);
    struct corm__connection *c = acquire(pool);

    (void)state;
    run_text(c, "a");
    assert_int_equal(told, 1);
    c->dirty = true;
    corm__pool_release(pool, c);
    c = acquire(pool);
    assert_int_equal(told, 2);
    corm__pool_release(pool, c);
    corm__pool_free(pool);
}

static void a_mode_fits_where_all_of_it_does(void **state)
{
    static const struct corm__mode snapshot = {.trx = true, .isolation = CORM_REPEATABLE_READ};
    struct corm__pool             *pool = new_pool(3);
    struct corm__connection       *a = acquire(pool), *b = acquire(pool);

    (void)state;
    a->link->mode = snapshot;
    b->link->mode = read_only;
    corm__pool_release(pool, a);
    corm__pool_release(pool, b);
    assert_ptr_equal(acquire_in(pool, &snapshot), a);
    corm__pool_release(pool, a);
    assert_ptr_equal(acquire_in(pool, &read_only), b);
    corm__pool_release(pool, b);
    corm__pool_free(pool);
}

static void a_node_whose_readers_cannot_be_opened_says_so(void **state)
{
    struct corm__node node = {
        .endpoint = {.driver = &fake_file}, .watch = &watch, .timeout_ms = 600000};
    struct corm_error error = {0};

    (void)state;
    assert_int_equal(corm__node_open(&node, 4, &error), 0);
    world.connects_to_fail = 1;
    assert_int_equal(corm__node_fill(&node, &error), CORM_UNREACHABLE);
    corm__node_close(&node);
    node.endpoint.driver = &fake_server;
    error = (struct corm_error){0};
    assert_int_equal(corm__node_open(&node, 4, &error), 0);
    world.connects_to_fail = 1;
    assert_int_equal(corm__node_fill(&node, &error), CORM_UNREACHABLE);
    corm__node_close(&node);
}

static void a_stale_statement_that_is_not_kept_is_a_conflict(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);
    struct corm__statement   s = statement_of("a", CORM__WRITE);
    struct corm_error        error;

    (void)state;
    s.once = true;
    world.stale_answers = 1;
    assert_int_equal(run_statement(c, &s, &error), CORM_CONFLICT);
    assert_int_equal(error.code, CORM_CONFLICT);
    corm__connection_close(c);
}

/* ---- Several statements ------------------------------------------------------------------------- */

enum { NOBODY = -1 };

/* What the little server below does with a compound statement: which part of it fails, and what it
 * knows afterwards. */
static struct server {
    int       fails; /* the part with this number, from 0; NOBODY */
    int       code;  /* of the error */
    bool      handles;
    long long local;
    long long at; /* @corm_at; -1: NULL */
    long long next_id;
    int       ran; /* parts that are done */
    int       asked;
} server;

static int give_number(struct corm__sink *sink, long long number, struct corm_error *error)
{
    const struct corm_table *types = NULL;
    const char *const        names[] = {"number"};
    struct corm_value        value = {.kind = CORM_V_INT, .as.i = number};
    int                      rc = corm__sink_start(sink, &types, error);

    if (rc == 0 && types == NULL)
        rc = corm__sink_names(sink, names, 1, error);
    return rc < 0 ? rc : sink->row(sink, &value, 1, error);
}

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* One part of a compound statement: what corm put between the statements of its caller, or one of
 * those, which are words here: "read" gives the row 77, all others none. */
static int run_part(const char *part, struct corm__sink *sink, struct corm_error *error)
{
    if (begins_with(part, "DECLARE EXIT HANDLER FOR SQLEXCEPTION ")) {
        server.handles = true;
        return 0;
    }
    if (begins_with(part, "SET `corm#at` = ")) {
        server.local = strtoll(part + strlen("SET `corm#at` = "), NULL, 10);
        return 0;
    }
    if (begins_with(part, "DECLARE ") || strcmp(part, "RESIGNAL") == 0 || strcmp(part, "END") == 0)
        return 0; /* the rest of the handler */
    if (strcmp(part, "SELECT LAST_INSERT_ID()") == 0)
        return give_number(sink, server.next_id++, error);
    if (server.ran++ == server.fails) {
        if (server.handles)
            server.at = server.local;
        return corm__fail_server(error, server.code, 1, "HY000", "%s failed", part);
    }
    return strcmp(part, "read") == 0 ? give_number(sink, 77, error) : 0;
}

static int serve(const struct corm__statement *statement, struct corm__sink *sink,
                 struct corm__result *result, struct corm_error *error)
{
    static const char start[] = "BEGIN NOT ATOMIC ";
    char              text[1024], *rest = text + strlen(start), *end;
    int               rc = 0;

    if (strcmp(statement->text, CORM__BATCH_ASK_FAILED) == 0) {
        server.asked++;
        rc = give_number(sink, server.at < 0 ? 0 : server.at, error);
        server.at = -1;
        return rc;
    }
    if (!begins_with(statement->text, start)) {
        if (statement->verb == CORM__INSERT)
            result->generated = server.next_id++;
        return run_part(statement->text, sink, error);
    }
    (void)snprintf(text, sizeof(text), "%s", statement->text);
    while (rc == 0 && (end = strstr(rest, "; ")) != NULL) {
        *end = '\0';
        rc = run_part(rest, sink, error);
        rest = end + 2;
    }
    if (rc == 0)
        assert_string_equal(rest, "END");
    return rc;
}

static void start_server(int fails)
{
    server = (struct server){.fails = fails, .code = CORM_DUPLICATE, .at = -1, .next_id = 501};
    world.answer = serve;
}

struct numbers {
    struct corm__sink base;
    int               starts, rows;
    long long         last;
};

static int numbers_start(struct corm__sink *base, const struct corm_table **types,
                         struct corm_error *error)
{
    (void)types, (void)error;
    ((struct numbers *)base)->starts++;
    return 0;
}

static int numbers_names(struct corm__sink *base, const char *const *names, uint32_t count,
                         struct corm_error *error)
{
    (void)base, (void)names, (void)count, (void)error;
    return 0;
}

static int numbers_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                       struct corm_error *error)
{
    struct numbers *n = (struct numbers *)base;

    (void)count, (void)error;
    n->rows++;
    n->last = values[0].as.i;
    return 0;
}

static struct numbers new_numbers(void)
{
    return (struct numbers){.base = {numbers_start, numbers_names, numbers_row}};
}

/* A batch as a text: i is an insert whose key is asked for, w another write, r a read, C a COMMIT. */
struct batch {
    struct corm__statement statements[16];
    int64_t                ids[16];
    size_t                 count;
};

static void make_batch(struct batch *batch, const char *kinds)
{
    *batch = (struct batch){.count = strlen(kinds)};
    for (size_t i = 0; i < batch->count; i++) {
        struct corm__statement *s = &batch->statements[i];
        switch (kinds[i]) {
        case 'i':
            *s = statement_of("insert", CORM__INSERT);
            s->id = &batch->ids[i];
            break;
        case 'w': *s = statement_of("write", CORM__WRITE); break;
        case 'r': *s = statement_of("read", CORM__READ); break;
        default: *s = statement_of("COMMIT", CORM__CONTROL);
        }
    }
}

static int run_batch(struct corm__connection *c, const struct batch *batch, struct corm__run *run,
                     struct corm__sink *sink, struct corm_error *error)
{
    *run = (struct corm__run){.statements = batch->statements,
                              .count = batch->count,
                              .sink = sink,
                              .arena = corm_arena_new(),
                              .deadline = patience()};
    *error = (struct corm_error){0};
    assert_non_null(run->arena);
    int rc = corm__connection_run(c, run, error);
    corm_arena_free(run->arena);
    return rc;
}

static const char *const       batches[] = {"wC", "iC", "iiC", "iwC", "wiC", "wwwC", "iwiwiC",
                                            "wr", "ir", "iir", "wir", "iwr", "iwiwr"};
static const enum corm_dialect dialects[] = {CORM_DIALECT_MARIADB, CORM_DIALECT_MYSQL};

static void check_keys(struct corm__connection *c, const char *kinds)
{
    struct numbers    sink = new_numbers();
    struct corm_error error;
    struct corm__run  run;
    struct batch      batch;
    long long         id = 501;
    bool              reads = strchr(kinds, 'r') != NULL;

    start_server(NOBODY);
    make_batch(&batch, kinds);
    assert_int_equal(run_batch(c, &batch, &run, &sink.base, &error), 0);
    for (size_t i = 0; i < batch.count; i++)
        assert_int_equal(batch.ids[i], kinds[i] == 'i' ? id++ : 0);
    assert_int_equal(sink.starts, reads);
    assert_int_equal(sink.rows, reads);
    assert_int_equal(sink.last, reads ? 77 : 0);
    assert_int_equal(server.at, -1);
}

static void generated_keys_go_where_they_belong(void **state)
{
    (void)state;
    for (size_t d = 0; d < COUNT(dialects); d++) {
        struct corm__connection *c = connect_alone(dialects[d]);
        for (size_t i = 0; i < COUNT(batches); i++)
            check_keys(c, batches[i]);
        corm__connection_close(c);
    }
}

/* Of what fails it is known which one it was, whatever stands in front of it or behind. */
static void check_failed(struct corm__connection *c, const char *kinds, size_t which)
{
    struct numbers    sink = new_numbers();
    struct corm_error error;
    struct corm__run  run;
    struct batch      batch;

    start_server((int)which);
    make_batch(&batch, kinds);
    assert_int_equal(run_batch(c, &batch, &run, &sink.base, &error), CORM_DUPLICATE);
    assert_int_equal(server.ran, which + 1); /* nothing runs behind it */
    assert_int_equal(server.at, -1);
    assert_int_equal(error.code, CORM_DUPLICATE);
    if (run.failed != which)
        fail_msg("%s: number %zu failed, not %zu", kinds, which, run.failed);
}

static void the_statement_that_failed_is_known(void **state)
{
    (void)state;
    for (size_t d = 0; d < COUNT(dialects); d++) {
        struct corm__connection *c = connect_alone(dialects[d]);
        for (size_t i = 0; i < COUNT(batches); i++) {
            size_t count = strlen(batches[i]);
            for (size_t n = 0; n < count; n++)
                if (count > 2 || batches[i][n] != 'C') /* of a lone write COMMIT is a part */
                    check_failed(c, batches[i], n);
        }
        corm__connection_close(c);
    }
}

/* A server that says nonsense, or nothing, when it is asked which one failed. */
static int serve_nonsense(const struct corm__statement *statement, struct corm__sink *sink,
                          struct corm__result *result, struct corm_error *error)
{
    if (strcmp(statement->text, CORM__BATCH_ASK_FAILED) != 0)
        return serve(statement, sink, result, error);
    if (server.at == 1)
        return give_number(sink, 99, error);
    if (server.at == 2)
        return give_number(sink, -5, error);
    return corm__fail_server(error, CORM_SERVER_ERROR, 1, "HY000", "no answer");
}

static void the_first_error_stands_whatever_the_server_says_then(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);
    struct numbers           sink = new_numbers();
    struct corm_error        error;
    struct corm__run         run;
    struct batch             batch;

    (void)state;
    make_batch(&batch, "wwwwC");
    for (int which = 0; which < 4; which++) {
        start_server(which);
        world.answer = serve_nonsense;
        assert_int_equal(run_batch(c, &batch, &run, &sink.base, &error), CORM_DUPLICATE);
        assert_int_equal(error.code, CORM_DUPLICATE);
        assert_int_equal(run.failed, 0);
    }
    corm__connection_close(c);
}

static int lose_link(const struct corm__statement *statement, struct corm__sink *sink,
                     struct corm__result *result, struct corm_error *error)
{
    (void)statement, (void)sink, (void)result;
    server.asked++;
    return corm__fail_server(error, CORM_DISCONNECTED, 1, "HY000", "gone");
}

static void a_link_that_is_lost_is_not_asked_which_one_failed(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);
    struct numbers           sink = new_numbers();
    struct corm_error        error;
    struct corm__run         run;
    struct batch             batch;

    (void)state;
    make_batch(&batch, "wwC");
    start_server(NOBODY);
    world.answer = lose_link;
    c->link->lost = true;
    assert_int_equal(run_batch(c, &batch, &run, &sink.base, &error), CORM_DISCONNECTED);
    assert_int_equal(server.asked, 1);
    assert_int_equal(run.failed, 0);
    corm__connection_close(c);
}

/* What the server did not refuse we did: a row of the last one, which is a read. */
static int refuse_rows(const struct corm__statement *statement, struct corm__sink *sink,
                       struct corm__result *result, struct corm_error *error)
{
    (void)statement, (void)sink, (void)result;
    return corm__fail(error, CORM_BAD_VALUE, "a row that cannot be taken");
}

static void of_a_batch_whose_rows_are_refused_the_read_has_failed(void **state)
{
    struct corm__connection *c = connect_alone(CORM_DIALECT_MARIADB);
    struct numbers           sink = new_numbers();
    struct corm_error        error;
    struct corm__run         run;
    struct batch             batch;

    (void)state;
    make_batch(&batch, "wwr");
    world.answer = refuse_rows;
    assert_int_equal(run_batch(c, &batch, &run, &sink.base, &error), CORM_BAD_VALUE);
    assert_int_equal(run.failed, 2);

    run = (struct corm__run){.statements = batch.statements,
                             .count = 3,
                             .arena = corm_arena_new(),
                             .deadline = patience()};
    error = (struct corm_error){0};
    allocations_left = 0; /* for the batch itself: nothing is sent */
    assert_int_equal(corm__connection_run(c, &run, &error), CORM_NO_MEMORY);
    allocations_left = -1;
    corm_arena_free(run.arena);
    corm__connection_close(c);
}

/* ---- A storm ------------------------------------------------------------------------------------- */

enum { STORM_MAX = 8, STORM_THREADS = 1000, STORM_ACQUIRES = 60 };

struct storm_thread {
    pthread_t          thread;
    struct corm__pool *pool;
    uint64_t           random;
    int                served, timed_out, unreachable;
    int                shared;     /* connections that somebody else had, too: must not be */
    int                unexpected; /* a code that this call cannot have */
};

/* A restart of the server: what is open is dead, and for a while nothing can be opened. */
static void restart_server(void)
{
    lock_world();
    world.connects_to_fail += 10;
    unlock_world();
}

static void use(struct storm_thread *t, struct corm__connection *c)
{
    struct fake_link *link = (struct fake_link *)c->link;
    uint64_t          fate = next_random(&t->random) % 4096;

    t->shared +=
        atomic_fetch_add(&link->holders, 1) != 0 || link->base.lost || c->dirty || c->resetting;
    if (fate % 4 == 0)
        sched_yield();
    t->shared += atomic_fetch_sub(&link->holders, 1) != 1;
    c->link->lost = fate < 200; /* killed */
    c->dirty = fate % 16 == 1;
    c->link->in_trx = fate % 64 == 2;
    if (fate % 64 == 3)
        c->expires = corm__now();
    if (fate == 4095)
        restart_server();
}

static void storm_once(struct storm_thread *t)
{
    struct corm__connection *c = NULL;
    struct corm_error        error = {0};
    bool                     hasty = next_random(&t->random) % 8 == 0;
    int64_t                  deadline =
        hasty ? corm__now() + (int64_t)(next_random(&t->random) % 2000000) : patience();

    mine.ticket = 0;
    asking = true;
    int rc =
        corm__pool_acquire(t->pool, hasty ? &serializable : &single, here, deadline, &c, &error);
    asking = false;
    if (rc == 0) {
        use(t, c);
        corm__pool_release(t->pool, c);
        t->served++;
    } else if (rc == CORM_UNREACHABLE) {
        t->unreachable++;
    } else if (rc == CORM_TIMEOUT && hasty) {
        t->timed_out++;
    } else {
        t->unexpected++;
    }
}

static void storm_fill(struct storm_thread *t)
{
    struct corm_error error = {0};
    int               rc = corm__pool_fill(t->pool, patience(), &error);

    t->unexpected += rc != STORM_MAX && rc != CORM_UNREACHABLE;
}

static void *storm_main(void *arg)
{
    struct storm_thread *t = arg;

    for (int i = 0; i < STORM_ACQUIRES && t->unexpected == 0; i++) {
        storm_once(t);
        if (next_random(&t->random) % 256 == 0)
            storm_fill(t);
        if (next_random(&t->random) % 256 == 0)
            corm__pool_shed(t->pool);
    }
    return NULL;
}

/* Another one by the environment: CORM_TEST_SEED. */
static uint64_t seed_of_storm(void)
{
    const char *given = getenv("CORM_TEST_SEED");

    return given != NULL ? strtoull(given, NULL, 10) : 20260101;
}

/* And nobody starves: who is patient is served. */
static void a_storm_of_failures_leaves_the_pool_whole(void **state)
{
    struct corm__pool   *pool = new_pool(STORM_MAX);
    struct storm_thread *threads = calloc(STORM_THREADS, sizeof(*threads)), sum = {0};
    uint64_t             seed = seed_of_storm();

    (void)state;
    assert_non_null(threads);
    print_message("# storm: seed %llu\n", (unsigned long long)seed);
    world.random = seed | 1;
    world.connects_to_fail_in_256 = 32;
    world.dead_in_256 = world.resets_to_fail_in_256 = world.slow_in_256 = 16;
    overtaken = 0;
    for (int i = 0; i < STORM_THREADS; i++) {
        threads[i].pool = pool;
        threads[i].random = 0x9e3779b97f4a7c15u * (seed + (uint64_t)i + 1) | 1;
        assert_int_equal(pthread_create(&threads[i].thread, NULL, storm_main, &threads[i]), 0);
    }
    for (int i = 0; i < STORM_THREADS; i++) {
        pthread_join(threads[i].thread, NULL);
        sum.served += threads[i].served;
        sum.timed_out += threads[i].timed_out;
        sum.unreachable += threads[i].unreachable;
        sum.shared += threads[i].shared;
        sum.unexpected += threads[i].unexpected;
    }
    free(threads);
    print_message("# storm: %d served, %d timed out, %d could not be opened, %d opened\n",
                  sum.served, sum.timed_out, sum.unreachable, look_at(&world.opened));
    assert_int_equal(sum.shared, 0);
    assert_int_equal(sum.unexpected, 0);
    assert_int_equal(overtaken, 0);
    assert_null(first_arrival);
    assert_int_equal(sum.served + sum.timed_out + sum.unreachable, STORM_THREADS * STORM_ACQUIRES);
    assert_true(sum.served > 0 && sum.unreachable > 0 && sum.timed_out > 0);
    assert_int_equal(look_at(&world.most_live), STORM_MAX);
    assert_int_equal(look_at(&world.most_places), STORM_MAX);
    assert_int_equal(look_at(&world.most_opening), CORM__CONNECTS_MAX);
    world.connects_to_fail = 0;
    world.connects_to_fail_in_256 = world.dead_in_256 = world.resets_to_fail_in_256 = 0;
    assert_whole(pool, STORM_MAX);
    corm__pool_free(pool);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(connections_are_opened_when_they_are_asked_for_and_used_again),
        TEST(never_more_than_max_are_open),
        TEST(a_connection_that_is_being_opened_counts),
        TEST(who_came_first_is_served_first),
        TEST(nobody_who_waits_is_overtaken),
        TEST(one_that_fits_the_mode_is_preferred),
        TEST(who_gives_up_is_told_how_many_were_in_use),
        TEST(who_gives_up_leaves_no_hole_in_the_queue),
        TEST(a_connection_given_at_the_last_moment_is_kept),
        TEST(a_place_given_at_the_last_moment_is_kept),
        TEST(a_failure_to_open_frees_the_place),
        TEST(a_failure_to_open_passes_the_place_on),
        TEST(a_lost_connection_is_closed_and_its_place_passed_on),
        TEST(the_connection_that_holds_the_data_is_kept_whatever_happens),
        TEST(a_connection_that_died_while_idle_is_not_handed_out),
        TEST(a_pool_counts_what_was_asked_of_it),
        TEST(an_idle_connection_is_looked_at_before_it_is_handed_out),
        TEST(a_connect_that_hangs_stops_nobody_else),
        TEST(a_look_that_hangs_stops_nobody_else),
        TEST(filling_opens_what_is_not_open_yet),
        TEST(what_could_be_opened_stays_when_filling_fails),
        TEST(a_file_has_one_connection_that_writes),
        TEST(a_node_that_cannot_be_reached_leaves_nothing_open),
        TEST(a_statement_is_prepared_once),
        TEST(a_prepared_statement_is_found_by_its_text),
        TEST(a_statement_that_will_not_come_again_is_not_kept),
        TEST(the_cache_is_bounded_and_forgets_what_was_unused_for_longest),
        TEST(what_cannot_be_prepared_is_not_kept),
        TEST(a_stale_statement_is_prepared_again_once),
        TEST(a_stale_compound_is_a_conflict),
        TEST(a_dirty_connection_is_reset_before_another_borrower_has_it),
        TEST(a_connection_in_a_transaction_is_reset),
        TEST(who_waits_gets_a_dirty_connection_too),
        TEST(a_clean_connection_goes_before_a_dirty_one),
        TEST(a_reset_that_hangs_stops_nobody_else),
        TEST(a_connection_that_cannot_be_reset_is_closed_and_its_place_passed_on),
        TEST(what_is_to_be_reset_is_closed_with_the_pool),
        TEST(a_connection_that_is_too_old_is_replaced),
        TEST(connections_that_were_opened_together_do_not_expire_together),
        TEST(a_file_does_not_age),
        TEST(only_a_few_are_opened_at_the_same_time),
        TEST(those_who_find_theirs_dead_do_not_storm_the_server),
        TEST(filling_waits_for_its_turn_to_open),
        TEST(who_waits_in_vain_is_told_who_holds_what_for_how_long),
        TEST(those_who_hold_it_for_longest_are_told_where_there_are_many),
        TEST(those_that_are_being_opened_are_told_apart),
        TEST(a_file_says_that_it_has_one_writer),
        TEST(who_holds_one_does_not_wait_for_another),
        TEST(who_gave_his_to_another_thread_waits),
        TEST(who_holds_one_waits_where_others_need_not_give_back),
        TEST(a_child_is_refused_and_touches_nothing),
        TEST(a_pool_that_was_in_use_when_the_process_was_forked_is_left_alone),
        TEST(the_cache_of_a_connection_is_its_part_of_the_servers_limit),
        TEST(a_connection_makes_room_for_its_own_statements),
        TEST(idle_connections_make_room_for_those_that_work),
        TEST(where_no_room_comes_the_statement_fails),
        TEST(a_pool_or_a_connection_without_memory_is_an_error),
        TEST(a_statement_without_memory_is_not_kept),
        TEST(the_hook_is_told_of_statements_and_resets),
        TEST(a_mode_fits_where_all_of_it_does),
        TEST(a_node_whose_readers_cannot_be_opened_says_so),
        TEST(a_stale_statement_that_is_not_kept_is_a_conflict),
        TEST(of_a_batch_whose_rows_are_refused_the_read_has_failed),
        TEST(generated_keys_go_where_they_belong),
        TEST(the_statement_that_failed_is_known),
        TEST(the_first_error_stands_whatever_the_server_says_then),
        TEST(a_link_that_is_lost_is_not_asked_which_one_failed),
        TEST(a_storm_of_failures_leaves_the_pool_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
