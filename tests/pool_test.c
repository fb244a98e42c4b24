/* pool_test.c -- the pool and its connections, before a driver of the test's own.
 *
 * No server and no clock: a link is a struct that does what `world` says, and `world` counts what was
 * done with it. A *client* is a thread that asks the pool for a connection and keeps it until it is
 * told to let go. The pool waits in one place only, in pthread_cond_timedwait(), and the linker puts
 * timedwait() below in its stead: so the test knows who stands in the queue, and a client that is
 * `scripted` times out at the moment that the test chooses and at no other.
 *
 * `world.mutex` guards all of `world` and of the clients. It is taken under the pool's mutex, never
 * the other way round. Threads other than the first assert nothing. */
#include "base/clock.h"
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
    bool              dead;                      /* the answer of is_alive() */
    enum corm_dialect dialect;
    answer_function  *answer;        /* to execute() and control(); NULL: it works, without rows */
    int               stale_answers; /* execute() returns CORM__STALE_STATEMENT so often first */
    int               prepares_to_fail;

    /* What it has done. */
    int      connecting, looking; /* have begun so far */
    int      opened, live, most_live, closed_as_lost;
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

/* ---- The place where the pool waits ------------------------------------------ */

enum client_state { ASKING, QUEUED, SERVED, GONE };

struct client {
    pthread_t                thread;
    struct corm__pool       *pool;
    enum client_state        state;
    bool                     may_let_go;
    bool                     scripted; /* its wait is over when `time_out` is true, by a time-out */
    bool                     time_out;
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

/* Under the pool's mutex, with the caller in the queue already. */
int timedwait(pthread_cond_t *given, pthread_mutex_t *mutex, const struct timespec *until)
{
    if (me == NULL)
        return real_timedwait(given, mutex, until);
    lock_world();
    me->state = QUEUED;
    unlock_world();
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
    pthread_cond_broadcast(&world.changed);
    while (world.hold_connects)
        pthread_cond_wait(&world.changed, &world.mutex);
    bool fails = link == NULL || connect_fails();
    if (!fails) {
        world.opened++;
        world.live++;
        if (world.live > world.most_live)
            world.most_live = world.live;
        link->base.driver = e->driver;
        link->base.dialect = world.dialect;
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
    bool alive = !world.dead;
    unlock_world();
    return alive;
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
    bool fails = world.prepares_to_fail > 0;
    if (fails)
        world.prepares_to_fail--;
    else
        world.still_prepared++;
    unlock_world();
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

static const struct corm__mode single;
static const struct corm__mode serializable = {.trx = true, .isolation = CORM_SERIALIZABLE};
static const struct corm__mode read_only = {
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
    int                      rc = corm__pool_acquire(pool, mode, patience(), &c, &error);

    if (rc != 0)
        fail_msg("no connection: %s", error.message);
    assert_non_null(c);
    return c;
}

static struct corm__connection *acquire(struct corm__pool *pool)
{
    return acquire_in(pool, &single);
}

/* Asks for a connection that must be there already. Returns the code, and gives it back. */
static int try_at_once(struct corm__pool *pool, struct corm_error *error)
{
    struct corm__connection *c = NULL;
    int                      rc = corm__pool_acquire(pool, &single, corm__now() - 1, &c, error);

    if (rc == 0)
        corm__pool_release(pool, c);
    return rc;
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
    int rc = corm__pool_acquire(client->pool, &single, patience(), &c, &client->error);

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
        assert_int_equal(corm__pool_acquire(pool, &single, patience(), &c, &error),
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

static void check_unusable(bool lost, bool dirty)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);
    struct client           *first = queued_client(pool, false);
    struct client           *second = queued_client(pool, false);
    int                      opened = look_at(&world.opened);

    c->link->lost = lost;
    c->dirty = dirty;
    corm__pool_release(pool, c);
    AWAIT(first->state == SERVED);
    assert_int_equal(look_at(&world.opened), opened + 1);
    assert_int_equal(look_at(&world.live), 1);
    assert_false(first->connection->link->lost);
    assert_false(first->connection->dirty);
    let_go(first);
    let_go(second);
    assert_int_equal(look_at(&world.opened), opened + 1);
    assert_int_equal(look_at(&world.most_live), 1);

    /* And with nobody waiting. */
    c = acquire(pool);
    c->link->lost = lost;
    c->dirty = dirty;
    corm__pool_release(pool, c);
    assert_int_equal(look_at(&world.live), 0);
    assert_whole(pool, 1);
    free_client(first);
    free_client(second);
    corm__pool_free(pool);
}

static void a_lost_connection_is_closed_and_its_place_passed_on(void **state)
{
    (void)state;
    check_unusable(true, false);
}

static void a_dirty_connection_is_closed_and_its_place_passed_on(void **state)
{
    (void)state;
    check_unusable(false, true);
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
    assert_int_equal(look_at(&world.opened), 1);
    corm__pool_release(pool, c);
    corm__pool_free(pool);
}

/* Makes an idle connection one that has been idle for a minute. */
static void let_idle(struct corm__connection *c)
{
    c->idle_since -= (int64_t)60 * 1000000000;
}

static void a_connection_that_died_while_idle_is_not_handed_out(void **state)
{
    struct corm__pool       *pool = new_pool(2);
    struct corm__connection *c = acquire(pool);

    (void)state;
    corm__pool_release(pool, c);
    let_idle(c);
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
    let_idle(c);
    world.connects_to_fail = 1;
    struct corm_error error = {0};
    assert_int_equal(try_at_once(pool, &error), CORM_UNREACHABLE);
    world.dead = false;
    assert_whole(pool, 2);
    corm__pool_free(pool);
}

static void an_idle_connection_is_looked_at_only_after_a_while(void **state)
{
    struct corm__pool       *pool = new_pool(1);
    struct corm__connection *c = acquire(pool);

    (void)state;
    corm__pool_release(pool, c);
    c->idle_since = patience(); /* from then on */
    assert_ptr_equal(acquire(pool), c);
    assert_int_equal(look_at(&world.looking), 0);
    corm__pool_release(pool, c);
    let_idle(c);
    assert_ptr_equal(acquire(pool), c);
    assert_int_equal(look_at(&world.looking), 1);
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
    let_idle(c);
    world.hold_looks = true;
    struct client *hangs = new_client(pool, false);
    AWAIT(world.looking == 1);
    struct corm__connection *other = acquire(pool);
    assert_ptr_not_equal(other, c);
    corm__pool_release(pool, other);
    assert_ptr_equal(acquire(pool), other);
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
    struct corm__node        node = {.endpoint = {.driver = &fake_file}, .timeout_ms = 600000};
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
    struct corm__node node = {.endpoint = {.driver = &fake_server}, .timeout_ms = 600000};
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
    int                      rc = sink->start(sink, &types, error);

    if (rc == 0 && types == NULL)
        rc = sink->names(sink, names, 1, error);
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

/* ---- A storm ------------------------------------------------------------------------------------- */

enum { STORM_MAX = 4, STORM_THREADS = 200, STORM_ACQUIRES = 1000 };

struct storm_thread {
    pthread_t          thread;
    struct corm__pool *pool;
    uint64_t           random;
    int                served, timed_out, unreachable;
    int                shared;     /* connections that somebody else had, too: must not be */
    int                unexpected; /* a code that this call cannot have */
};

static void use(struct storm_thread *t, struct corm__connection *c)
{
    struct fake_link *link = (struct fake_link *)c->link;
    uint64_t          fate = next_random(&t->random) % 64;

    t->shared += atomic_fetch_add(&link->holders, 1) != 0 || c->link->lost || c->dirty;
    if (fate % 4 == 0)
        sched_yield();
    t->shared += atomic_fetch_sub(&link->holders, 1) != 1;
    c->link->lost = fate < 4;
    c->dirty = fate >= 60;
}

static void storm_once(struct storm_thread *t)
{
    struct corm__connection *c = NULL;
    struct corm_error        error = {0};
    bool                     hasty = next_random(&t->random) % 8 == 0;
    int64_t                  deadline =
        hasty ? corm__now() + (int64_t)(next_random(&t->random) % 200000) : patience();
    int rc = corm__pool_acquire(t->pool, hasty ? &serializable : &single, deadline, &c, &error);

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
        if (i % 64 == 0)
            storm_fill(t);
    }
    return NULL;
}

/* And nobody starves: who is patient is served. */
static void a_storm_of_failures_leaves_the_pool_whole(void **state)
{
    struct corm__pool   *pool = new_pool(STORM_MAX);
    struct storm_thread *threads = calloc(STORM_THREADS, sizeof(*threads)), sum = {0};

    (void)state;
    assert_non_null(threads);
    world.connects_to_fail_in_256 = 32;
    for (int i = 0; i < STORM_THREADS; i++) {
        threads[i].pool = pool;
        threads[i].random = 0x9e3779b97f4a7c15u * (uint64_t)(i + 1);
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
    assert_int_equal(sum.served + sum.timed_out + sum.unreachable, STORM_THREADS * STORM_ACQUIRES);
    assert_true(sum.served > 0 && sum.unreachable > 0);
    assert_int_equal(look_at(&world.most_live), STORM_MAX);
    world.connects_to_fail_in_256 = 0;
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
        TEST(a_dirty_connection_is_closed_and_its_place_passed_on),
        TEST(the_connection_that_holds_the_data_is_kept_whatever_happens),
        TEST(a_connection_that_died_while_idle_is_not_handed_out),
        TEST(an_idle_connection_is_looked_at_only_after_a_while),
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
        TEST(generated_keys_go_where_they_belong),
        TEST(the_statement_that_failed_is_known),
        TEST(the_first_error_stands_whatever_the_server_says_then),
        TEST(a_link_that_is_lost_is_not_asked_which_one_failed),
        TEST(a_storm_of_failures_leaves_the_pool_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
