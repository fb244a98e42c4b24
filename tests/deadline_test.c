/* deadline_test.c -- every public call that blocks comes back by its deadline, whatever the server
 * and the wire do.
 *
 * On a server each *scene* is a call at a point of its life (its connection is not open yet, its
 * statement is the first one, in the middle of a transaction, behind buffered writes, COMMIT ...). All
 * scenes are set up side by side, each in a thread, behind one proxy; then a *fault* comes over all
 * of them, and the calls are made. Looked at is the code, that nothing ran twice, that the connection
 * was thrown away, and how late the call was. The worst is printed. What is a failure is far beyond
 * that (latest_ns() below), but no call that waits for something else than its deadline gets
 * through. A scene that came to its call too late is set up again, with more time. */
#include "base/clock.h"
#include "driver/driver.h"
#include "faults.h"
#include "support.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    LATEST_MS = 900,          /* beyond the deadline: less than the grace of COMMIT, ... */
    LATEST_ROLLBACK_MS = 300, /* ... and than what a ROLLBACK is waited for before it */
    COMMIT_GRACE_MS = 1000, /* the answer to a COMMIT, or to a single write, is waited for longer */
    ROLLBACK_MS = 1000,     /* that to a ROLLBACK so long, but to the deadline at most and ... */
    ROLLBACK_GRACE_MS = 25, /* ... this */
    REFUSED = CORM_USER + 7,
};

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(amount, int)
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

#define ENTRY(X)                                                                                   \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(item_id, int)
CORM_MODEL(entry, ENTRY);
CORM_DEFINE(entry, ENTRY);

#define LETTER(X)                                                                                  \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(body, text)
CORM_MODEL(letter, LETTER);
CORM_DEFINE(letter, LETTER);

#define SCRATCH(X) X(id, int, .pk = 1)
CORM_MODEL(scratch, SCRATCH);
CORM_DEFINE(scratch, SCRATCH);

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t ms_to_ns(int64_t ms)
{
    return ms * 1000000;
}

/* ---- How late calls were ------------------------------------------------------ */

enum due { BY_DEADLINE, BY_GRACE, BY_ROLLBACK, AT_ONCE, DUES };

static const char *const due_names[DUES] = {
    [BY_DEADLINE] = "beyond the deadline",
    [BY_GRACE] = "beyond the deadline and the grace of COMMIT",
    [BY_ROLLBACK] = "of a ROLLBACK beyond what it is waited for",
    [AT_ONCE] = "of a call that does not wait",
};

static struct worst {
    int64_t ns;
    int     count;
    char    what[160];
} worst[DUES];

static void note_lateness(enum due due, int64_t ns, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void note_lateness(enum due due, int64_t ns, const char *format, ...)
{
    struct worst *w = &worst[due];
    va_list       args;

    w->count++;
    if (w->count > 1 && ns <= w->ns)
        return;
    w->ns = ns;
    va_start(args, format);
    (void)vsnprintf(w->what, sizeof(w->what), format, args);
    va_end(args);
}

/* How late the machine itself is meanwhile: what a thread oversleeps that only wants to sleep. */
static _Atomic bool    sleeper_ends;
static _Atomic int64_t overslept_ns;

static void *oversleep(void *arg)
{
    (void)arg;
    while (!atomic_load(&sleeper_ends)) {
        int64_t began = now_ns();
        (void)poll(NULL, 0, 10);
        int64_t late = now_ns() - began - ms_to_ns(10);
        if (late > atomic_load(&overslept_ns))
            atomic_store(&overslept_ns, late);
    }
    return NULL;
}

/* A call may be so late, on a machine that is as late as this one. */
static int64_t latest_ns(enum due due)
{
    return ms_to_ns(due == BY_ROLLBACK ? LATEST_ROLLBACK_MS : LATEST_MS) +
           2 * atomic_load(&overslept_ns);
}

static void print_lateness(void)
{
    (void)printf("# a thread that sleeps 10 ms at a time overslept by %.1f ms at worst\n",
                 (double)atomic_load(&overslept_ns) / 1e6);
    for (int i = 0; i < DUES; i++)
        if (worst[i].count > 0)
            (void)printf("# worst lateness %s: %.1f ms of %d calls (%s)\n", due_names[i],
                         (double)worst[i].ns / 1e6, worst[i].count, worst[i].what);
    (void)fflush(stdout);
}

/* One call that is made alone. */
struct timed {
    int64_t  due;
    enum due kind;
};

static struct timed due_in(enum due kind, uint32_t timeout_ms)
{
    int64_t grace = kind == BY_GRACE ? COMMIT_GRACE_MS : 0;

    return (struct timed){now_ns() + ms_to_ns(timeout_ms + grace), kind};
}

static void check_due(const struct timed *timed, const char *what)
{
    int64_t late = now_ns() - timed->due;

    note_lateness(timed->kind, late, "%s", what);
    if (late > latest_ns(timed->kind))
        fail_msg("%s came back %lld ms late", what, (long long)(late / 1000000));
}

/* ---- A scene: a call at a point ------------------------------------------------ */

struct one;

struct scene {
    const char *call, *point;
    void (*set_up)(struct one *o);  /* in the main thread, before the fault */
    void (*play)(struct one *o);    /* in a thread of its own: calls await_fault() once */
    int64_t (*make)(struct one *o); /* the call, where play() wants one */
    int      code;                  /* that it must return */
    enum due due;
    int      connects; /* that the next call has to make because the connection was thrown away */
    int      writes;   /* rows that are there or not after CORM_UNKNOWN */
};

struct stage {
    pthread_barrier_t ready, broken;
};

struct one {
    const struct scene *scene;
    struct stage       *stage;
    char                url[256]; /* up to its options */
    struct corm_db     *db;
    struct corm_trx    *trx, *holder;
    struct corm_arena  *arena;
    struct corm_error   error;
    uint32_t            timeout_ms;
    int32_t             id, next_id; /* its rows are id to id + ROWS - 1 */
    int64_t             began;       /* when its deadline began to run */
    int64_t             started, ended;
    int64_t             rc;
    int                 calls;
    bool                reached;
    uint64_t            connects;
    long long           before;
};

enum { ROWS = 100, BUFFER_MAX = 31 };

/* Here the fault comes. */
static void await_fault(struct one *o)
{
    if (o->reached)
        return;
    o->reached = true;
    if (o->db != NULL)
        o->connects = stats_of(o->db).connects;
    pthread_barrier_wait(&o->stage->ready);
    pthread_barrier_wait(&o->stage->broken);
    o->started = now_ns();
}

static void end_call(struct one *o, int64_t rc)
{
    o->ended = now_ns();
    o->rc = rc;
}

static struct corm_db *open_url(const struct one *o, unsigned pool)
{
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    char              url[320];

    (void)snprintf(url, sizeof(url), "%s?pool=%u&timeout_ms=%u", o->url, pool, o->timeout_ms);
    assert_ok(corm_open(&db, url, .error = &error), &error);
    return db;
}

/* ---- Calls: on the transaction, or else on the db -------------------------------- */

#define ON(o, call, ...)                                                                           \
    ((o)->trx != NULL ? call((o)->trx, __VA_ARGS__) : call((o)->db, __VA_ARGS__))

static int64_t make_first(struct one *o)
{
    struct item found;

    return ON(o, corm_first, item, &found, .where = corm_eq(item.id, o->id), .error = &o->error);
}

static int64_t make_all(struct one *o)
{
    struct item *found;

    return ON(o, corm_all, item, &found, .where = corm_eq(item.id, o->id), .arena = o->arena,
              .error = &o->error);
}

static int64_t make_count(struct one *o)
{
    return ON(o, corm_count, item, .where = corm_eq(item.id, o->id), .error = &o->error);
}

static int64_t make_exists(struct one *o)
{
    return ON(o, corm_exists, item, .where = corm_eq(item.id, o->id), .error = &o->error);
}

/* A page and its total: two statements, within one deadline. */
static int64_t make_page(struct one *o)
{
    struct item *found;
    int64_t      total;

    return ON(o, corm_all, item, &found, .where = corm_eq(item.id, o->id), .limit = 1,
              .total = &total, .arena = o->arena, .error = &o->error);
}

static int64_t make_sum(struct one *o)
{
    int64_t sum;

    return ON(o, corm_sum, item, item.amount, &sum, .where = corm_eq(item.id, o->id),
              .error = &o->error);
}

static int64_t make_count_distinct(struct one *o)
{
    return ON(o, corm_count_distinct, item, item.amount, .where = corm_eq(item.id, o->id),
              .error = &o->error);
}

static int64_t make_select(struct one *o)
{
    struct item *found;

    return ON(o, corm_select, item, &found, item,
              corm_columns(corm_as(item.id, item.id), corm_as_max(item.amount, item.amount)),
              .where = corm_eq(item.id, o->id), .group = corm_by(item.id), .arena = o->arena,
              .error = &o->error);
}

static int64_t make_explain(struct one *o)
{
    struct corm_rows rows;

    return ON(o, corm_explain, &rows, item, .where = corm_eq(item.id, o->id), .arena = o->arena,
              .error = &o->error);
}

static int64_t make_sql_into(struct one *o)
{
    struct item *found;

    return ON(o, corm_sql_into, item, &found, "SELECT id, amount FROM item WHERE id = ?",
              corm_vals(o->id), .arena = o->arena, .error = &o->error);
}

static int go_on(void *arg)
{
    (void)arg;
    return 0;
}

static int64_t make_each(struct one *o)
{
    struct item row;

    return ON(o, corm_each, item, &row, go_on, NULL, .where = corm_eq(item.id, o->id),
              .error = &o->error);
}

static int64_t make_insert(struct one *o)
{
    int64_t id;

    return ON(o, corm_insert_row, entry, &((struct entry){.item_id = o->id}), .id = &id,
              .error = &o->error);
}

static int64_t make_insert_rows(struct one *o)
{
    return ON(o, corm_insert_rows, item, 1, &((struct item){o->next_id++, 0}), .error = &o->error);
}

/* More than one, on a trx alone: on a db they have a COMMIT of their own. */
static int64_t make_insert_many(struct one *o)
{
    struct item rows[2] = {{o->next_id, 0}, {o->next_id + 1, 0}};

    o->next_id += 2;
    return ON(o, corm_insert_rows, item, 2, rows, .error = &o->error);
}

static int64_t make_upsert(struct one *o)
{
    struct item row = {o->id, o->next_id++ - o->id - 9};

    return ON(o, corm_upsert, item, &row, .error = &o->error);
}

static int64_t make_update(struct one *o)
{
    return ON(o, corm_update, item, corm_eq(item.id, o->id), corm_add(item.amount, 1),
              .error = &o->error);
}

static int64_t make_update_row(struct one *o)
{
    struct item row = {o->id, o->next_id++ - o->id - 9};

    return ON(o, corm_update_row, item, &row, .error = &o->error);
}

static int64_t make_delete(struct one *o)
{
    int32_t victim = o->id + 1 + (o->trx == NULL && o->next_id++ % 2 == 0);

    return ON(o, corm_delete, item, corm_eq(item.id, victim), .error = &o->error);
}

static int64_t make_sql(struct one *o)
{
    return ON(o, corm_sql, NULL, "UPDATE item SET amount = amount + 1 WHERE id = ?",
              corm_vals(o->id), .error = &o->error);
}

static int64_t make_connect_all(struct one *o)
{
    return corm_connect_all(o->db, &o->error);
}

static int64_t make_create_table(struct one *o)
{
    return corm_create_table(o->db, scratch, .if_not_exists = true, .error = &o->error);
}

static int64_t make_drop_table(struct one *o)
{
    return corm_drop_table(o->db, scratch, .if_exists = true, .error = &o->error);
}

static int64_t make_open(struct one *o)
{
    struct corm_db *db = NULL;
    char            url[320];

    (void)snprintf(url, sizeof(url), "%s?timeout_ms=%u", o->url, o->timeout_ms);
    return corm_open(&db, url, .error = &o->error);
}

static int64_t make_close(struct one *o)
{
    corm_close(o->db);
    o->db = NULL;
    return 0;
}

/* What sends nothing, whatever it is called on. */
static int64_t make_quiet(struct one *o)
{
    struct corm_trx     *trx = NULL;
    struct corm_counters counters;
    int                  rc = corm_begin(o->db, &trx, .error = &o->error);

    if (rc < 0)
        return rc;
    rc = corm_insert_row(trx, item, &((struct item){o->next_id++, 0}));
    if (rc == 1)
        rc = corm_savepoint(trx);
    if (rc == 0)
        rc = corm_rollback(trx);
    if (rc == 0)
        rc = corm_start(trx);
    if (rc == 0 && corm_attempt(trx) == 1 && corm_trx_arena(trx) != NULL)
        rc = corm_abort(trx, REFUSED, "enough") == REFUSED ? 0 : -1;
    if (corm_trx_error(trx)->code != REFUSED)
        rc = -1;
    corm_end(trx);
    corm_stats(o->db, &counters);
    (void)corm_dialect_of(o->db);
    return rc;
}

static int do_nothing(struct corm_trx *trx, void *arg)
{
    (void)trx, (void)arg;
    return 0;
}

/* A ticket that does not wait, and calls that do not. */
static int64_t make_quiet_in_lane(struct one *o)
{
    bool right = corm_cancel(o->db, 7) == CORM_NO_TICKET && corm_dispatch(o->db) == 0 &&
                 corm_fd(o->db) >= 0 &&
                 corm_submit(o->db, do_nothing, o, .error = &o->error) == CORM_MISUSE;

    return right ? 0 : -1;
}

/* ---- Points of a call that is a statement ----------------------------------------- */

static void open_warm(struct one *o)
{
    o->db = open_url(o, 1);
    assert_rows(make_count(o), 1, &o->error);
}

/* The call has been made before: its statement is prepared. */
static void open_cached(struct one *o)
{
    open_warm(o);
    assert_ok(o->scene->make(o), &o->error);
}

static void open_many(struct one *o)
{
    o->db = open_url(o, 3);
    assert_rows(corm_connect_all(o->db, &o->error), 3, &o->error);
    assert_rows(make_count(o), 1, &o->error);
}

/* The only connection is in use. */
static void open_cold(struct one *o)
{
    o->db = open_url(o, 2);
    assert_ok(corm_begin(o->db, &o->holder, .timeout_ms = 60000, .error = &o->error), &o->error);
    assert_rows(corm_exists(o->holder, item, .where = corm_eq(item.id, o->id)), 1, &o->error);
}

static void alone(struct one *o)
{
    await_fault(o);
    o->began = o->started;
    end_call(o, o->scene->make(o));
}

static bool begin(struct one *o)
{
    o->began = now_ns();
    return corm_begin(o->db, &o->trx, .timeout_ms = o->timeout_ms, .error = &o->error) == 0;
}

static void first_in_trx(struct one *o)
{
    if (!begin(o))
        return;
    await_fault(o);
    end_call(o, o->scene->make(o));
}

/* Begins and writes; true where that worked. */
static bool begin_and_write(struct one *o)
{
    return begin(o) &&
           corm_update(o->trx, item, corm_eq(item.id, o->id + 5), corm_add(item.amount, 1)) == 1;
}

static bool buffer(struct one *o)
{
    return corm_insert_row(o->trx, item, &((struct item){o->next_id++, 0})) == 1;
}

static void in_the_middle(struct one *o)
{
    if (!begin_and_write(o))
        return;
    await_fault(o);
    end_call(o, o->scene->make(o));
}

static void behind_a_buffer(struct one *o)
{
    if (!begin_and_write(o) || !buffer(o))
        return;
    await_fault(o);
    end_call(o, o->scene->make(o));
}

/* ---- Ends of a transaction, and savepoints ----------------------------------------- */

static int64_t make_commit(struct one *o)
{
    return corm_commit(o->trx);
}

static int64_t make_rollback(struct one *o)
{
    return corm_rollback(o->trx);
}

static int64_t make_end(struct one *o)
{
    corm_end(o->trx);
    o->trx = NULL;
    return 0;
}

static int64_t make_savepoint(struct one *o)
{
    return corm_savepoint(o->trx);
}

static int64_t make_release(struct one *o)
{
    return corm_savepoint_release(o->trx);
}

static int64_t make_rollback_to(struct one *o)
{
    return corm_savepoint_rollback(o->trx);
}

static void behind_a_lock(struct one *o)
{
    struct item found;

    if (!begin(o) || corm_first(o->trx, item, &found, .where = corm_eq(item.id, o->id),
                                .lock = CORM_FOR_UPDATE) != 1)
        return;
    await_fault(o);
    end_call(o, o->scene->make(o));
}

/* Nothing was sent yet. */
static void only_a_buffer(struct one *o)
{
    if (!begin(o) || !buffer(o))
        return;
    await_fault(o);
    end_call(o, o->scene->make(o));
}

static void behind_a_failure(struct one *o)
{
    if (!begin_and_write(o) ||
        corm_insert_rows(o->trx, item, 1, &((struct item){o->id, 0})) != CORM_DUPLICATE)
        return;
    await_fault(o);
    end_call(o, o->scene->make(o));
}

static void behind_a_full_buffer(struct one *o)
{
    if (!begin_and_write(o))
        return;
    for (int i = 0; i < BUFFER_MAX; i++)
        if (!buffer(o))
            return;
    await_fault(o);
    end_call(o, o->scene->make(o));
}

static void behind_a_savepoint_and_a_buffer(struct one *o)
{
    if (!begin_and_write(o) || corm_savepoint(o->trx) != 0 || !buffer(o))
        return;
    await_fault(o);
    end_call(o, o->scene->make(o));
}

static void behind_a_savepoint(struct one *o)
{
    if (!begin(o) || corm_savepoint(o->trx) != 0 || make_update(o) != 1)
        return;
    await_fault(o);
    end_call(o, o->scene->make(o));
}

/* ---- Functions ------------------------------------------------------------------------ */

static int count_all(struct corm_trx *trx, void *arg)
{
    struct one *o = arg;

    o->calls++;
    return (int)corm_count(trx, item, .where = corm_eq(item.id, o->id));
}

static int64_t make_nested(struct one *o)
{
    return corm_transact(o->trx, count_all, o, .error = &o->error);
}

static int lock_row(struct corm_trx *trx, const struct one *o)
{
    struct item found;

    return corm_first(trx, item, &found, .where = corm_eq(item.id, o->id), .lock = CORM_FOR_UPDATE);
}

static int fault_first(struct corm_trx *trx, void *arg)
{
    struct one *o = arg;

    o->calls++;
    await_fault(o);
    return lock_row(trx, o);
}

static int fault_in_the_middle(struct corm_trx *trx, void *arg)
{
    struct one *o = arg;
    int         rc = lock_row(trx, o);

    o->calls++;
    if (rc < 0)
        return rc;
    rc = corm_insert_row(trx, item, &((struct item){o->next_id, 0}));
    await_fault(o);
    return rc < 0 ? rc : (int)corm_exists(trx, item, .where = corm_eq(item.id, o->id));
}

static int write_two(struct corm_trx *trx, struct one *o)
{
    int rc = lock_row(trx, o);

    o->calls++;
    if (rc >= 0)
        rc = corm_update(trx, item, corm_eq(item.id, o->id), corm_add(item.amount, 1));
    if (rc >= 0)
        rc = corm_insert_row(trx, item, &((struct item){o->next_id, 0}));
    return rc < 0 ? rc : 0;
}

static int write_two_quietly(struct corm_trx *trx, void *arg)
{
    return write_two(trx, arg);
}

static int fault_at_commit(struct corm_trx *trx, void *arg)
{
    int rc = write_two(trx, arg);

    await_fault(arg);
    return rc;
}

static int fault_at_refusal(struct corm_trx *trx, void *arg)
{
    int rc = write_two(trx, arg);

    await_fault(arg);
    return rc < 0 ? rc : corm_abort(trx, REFUSED, "no");
}

static void transact(struct one *o, corm_trx_function *function)
{
    o->began = now_ns();
    end_call(o, corm_transact(o->db, function, o, .timeout_ms = o->timeout_ms, .error = &o->error));
}

static void play_first(struct one *o)
{
    transact(o, fault_first);
}

static void play_middle(struct one *o)
{
    transact(o, fault_in_the_middle);
}

static void play_commit(struct one *o)
{
    transact(o, fault_at_commit);
}

static void play_refusal(struct one *o)
{
    transact(o, fault_at_refusal);
}

/* The function ran before: COMMIT and what goes with it is prepared. */
static void open_committed(struct one *o)
{
    open_warm(o);
    assert_rows(corm_transact(o->db, write_two_quietly, o, .error = &o->error), 0, &o->error);
    o->next_id++;
    o->calls = 0;
}

/* ---- In a lane ---- */

static int read_behind_the_fault(struct corm_trx *trx, void *arg)
{
    struct one *o = arg;
    int         rc = lock_row(trx, o);

    o->calls++;
    await_fault(o);
    return rc < 0 ? rc : (int)corm_exists(trx, item, .where = corm_gt(item.id, o->id));
}

static void transact_in_lane(struct one *o, corm_trx_function *function)
{
    o->began = now_ns();
    end_call(o, corm_transact(o->db, function, o, .key = corm_eq(item.id, o->id),
                              .timeout_ms = o->timeout_ms, .error = &o->error));
}

static void play_middle_in_lane(struct one *o)
{
    transact_in_lane(o, read_behind_the_fault);
}

static void play_commit_in_lane(struct one *o)
{
    transact_in_lane(o, fault_at_commit);
}

static int64_t submit(struct one *o)
{
    o->began = now_ns();
    return corm_submit(o->db, read_behind_the_fault, o, .key = corm_eq(item.id, o->id),
                       .timeout_ms = o->timeout_ms, .error = &o->error);
}

static void play_wait(struct one *o)
{
    end_call(o, corm_wait(o->db, submit(o), &o->error));
}

static void play_drain(struct one *o)
{
    (void)submit(o);
    end_call(o, corm_drain(o->db));
}

static void open_committed_in_lane(struct one *o)
{
    open_warm(o);
    assert_rows(corm_transact(o->db, write_two_quietly, o, .key = corm_eq(item.id, o->id),
                              .error = &o->error),
                0, &o->error);
    o->next_id++;
    o->calls = 0;
}

/* ---- The scenes ------------------------------------------------------------------------- */

/* clang-format off */
#define READ_SCENES(call, make)                                                                     \
    {call, "no connection", open_cold, alone, make, CORM_UNREACHABLE, BY_DEADLINE, 0, 0},           \
    {call, "alone", open_warm, alone, make, CORM_DEADLINE, BY_DEADLINE, 1, 0},                      \
    {call, "alone, prepared", open_cached, alone, make, CORM_DEADLINE, BY_DEADLINE, 1, 0},          \
    TRX_SCENES(call, make)
#define WRITE_SCENES(call, make)                                                                    \
    {call, "no connection", open_cold, alone, make, CORM_UNREACHABLE, BY_DEADLINE, 0, 0},           \
    {call, "alone", open_warm, alone, make, CORM_DEADLINE, BY_DEADLINE, 1, 0},                      \
    {call, "alone, prepared", open_cached, alone, make, CORM_UNKNOWN, BY_GRACE, 1, 1},              \
    TRX_SCENES(call, make)
#define TRX_SCENES(call, make)                                                                      \
    {call, "in a transaction, no connection", open_cold, first_in_trx, make, CORM_UNREACHABLE,      \
     BY_DEADLINE, 0, 0},                                                                            \
    {call, "first", open_warm, first_in_trx, make, CORM_DEADLINE, BY_DEADLINE, 1, 0},               \
    {call, "in the middle", open_warm, in_the_middle, make, CORM_DEADLINE, BY_DEADLINE, 1, 0},      \
    {call, "behind a buffer", open_warm, behind_a_buffer, make, CORM_DEADLINE, BY_DEADLINE, 1, 0}

static const struct scene scenes[] = {
    READ_SCENES("corm_first_", make_first),
    READ_SCENES("corm_all_", make_all),
    READ_SCENES("corm_count_", make_count),
    READ_SCENES("corm_exists_", make_exists),
    READ_SCENES("corm_all_", make_page),
    READ_SCENES("corm_number_", make_sum),
    READ_SCENES("corm_count_distinct_", make_count_distinct),
    READ_SCENES("corm_select_", make_select),
    READ_SCENES("corm_each_", make_each),
    READ_SCENES("corm_explain_", make_explain),
    {"corm_sql_into_", "no connection", open_cold, alone, make_sql_into, CORM_UNREACHABLE, BY_DEADLINE, 0, 0},
    {"corm_sql_into_", "alone", open_warm, alone, make_sql_into, CORM_DEADLINE, BY_DEADLINE, 1, 0},
    {"corm_sql_into_", "alone, behind another", open_cached, alone, make_sql_into, CORM_TIMEOUT, BY_DEADLINE, 1, 0}, /* at the reset */
    TRX_SCENES("corm_sql_into_", make_sql_into),
    WRITE_SCENES("corm_insert_", make_insert),
    WRITE_SCENES("corm_insert_rows_", make_insert_rows),
    TRX_SCENES("corm_insert_rows_", make_insert_many),
    {"corm_insert_rows_", "many, alone", open_warm, alone, make_insert_many, CORM_DEADLINE, BY_DEADLINE, 1, 0},
    WRITE_SCENES("corm_upsert_", make_upsert),
    WRITE_SCENES("corm_update_", make_update),
    WRITE_SCENES("corm_update_row_", make_update_row),
    WRITE_SCENES("corm_delete_", make_delete),
    {"corm_sql_", "no connection", open_cold, alone, make_sql, CORM_UNREACHABLE, BY_DEADLINE, 0, 0},
    {"corm_sql_", "alone", open_warm, alone, make_sql, CORM_DEADLINE, BY_DEADLINE, 1, 0},
    {"corm_sql_", "alone, behind another", open_cached, alone, make_sql, CORM_TIMEOUT, BY_DEADLINE, 1, 0}, /* at the reset */
    TRX_SCENES("corm_sql_", make_sql),
    {"corm_commit", "behind a write", open_warm, in_the_middle, make_commit, CORM_UNKNOWN, BY_GRACE, 1, 1},
    {"corm_commit", "behind reads", open_warm, behind_a_lock, make_commit, CORM_DEADLINE, BY_GRACE, 1, 0},
    {"corm_commit", "to be prepared", open_warm, behind_a_buffer, make_commit, CORM_DEADLINE, BY_DEADLINE, 1, 0},
    {"corm_commit", "no connection", open_cold, only_a_buffer, make_commit, CORM_UNREACHABLE, BY_DEADLINE, 0, 0},
    {"corm_commit", "behind a failure", open_warm, behind_a_failure, make_commit, CORM_DUPLICATE, BY_ROLLBACK, 1, 0},
    {"corm_rollback", "behind a write", open_warm, in_the_middle, make_rollback, 0, BY_ROLLBACK, 1, 0},
    {"corm_end", "behind a write", open_warm, in_the_middle, make_end, 0, BY_ROLLBACK, 1, 0},
    {"corm_savepoint", "a full buffer", open_warm, behind_a_full_buffer, make_savepoint, CORM_DEADLINE, BY_DEADLINE, 1, 0},
    {"corm_savepoint_release", "behind a buffer", open_warm, behind_a_savepoint_and_a_buffer, make_release, CORM_DEADLINE, BY_DEADLINE, 1, 0},
    {"corm_savepoint_rollback", "behind a write", open_warm, behind_a_savepoint, make_rollback_to, CORM_DEADLINE, BY_DEADLINE, 1, 0},
    {"corm_transact_", "nested", open_warm, in_the_middle, make_nested, CORM_DEADLINE, BY_DEADLINE, 1, 0},
    {"corm_transact_", "no connection", open_cold, play_first, NULL, CORM_UNREACHABLE, BY_DEADLINE, 0, 0},
    {"corm_transact_", "first", open_warm, play_first, NULL, CORM_DEADLINE, BY_DEADLINE, 1, 0},
    {"corm_transact_", "in the middle", open_warm, play_middle, NULL, CORM_DEADLINE, BY_DEADLINE, 1, 0},
    {"corm_transact_", "commit to be prepared", open_warm, play_commit, NULL, CORM_DEADLINE, BY_DEADLINE, 1, 0},
    {"corm_transact_", "commit", open_committed, play_commit, NULL, CORM_UNKNOWN, BY_GRACE, 1, 2},
    {"corm_transact_", "refused", open_warm, play_refusal, NULL, REFUSED, BY_ROLLBACK, 1, 0},
    {"corm_transact_", "in a lane, in the middle", open_warm, play_middle_in_lane, NULL, CORM_TIMEOUT, BY_DEADLINE, 1, 0},
    {"corm_transact_", "in a lane, commit to be prepared", open_warm, play_commit_in_lane, NULL, CORM_TIMEOUT, BY_DEADLINE, 1, 0},
    {"corm_transact_", "in a lane, commit", open_committed_in_lane, play_commit_in_lane, NULL, CORM_UNKNOWN, BY_GRACE, 1, 2},
    {"corm_wait", "", open_warm, play_wait, NULL, CORM_TIMEOUT, BY_DEADLINE, 1, 0},
    {"corm_drain", "", open_warm, play_drain, NULL, 1, BY_DEADLINE, 1, 0},
    {"corm_submit_", "and other calls that send nothing", open_warm, alone, make_quiet_in_lane, 0, AT_ONCE, 0, 0},
    {"corm_open_", "", NULL, alone, make_open, CORM_UNREACHABLE, BY_DEADLINE, 0, 0},
    {"corm_connect_all", "", open_cold, alone, make_connect_all, CORM_UNREACHABLE, BY_DEADLINE, 0, 0},
    {"corm_create_table_", "no connection", open_cold, alone, make_create_table, CORM_UNREACHABLE, BY_DEADLINE, 0, 0},
    {"corm_create_table_", "alone", open_warm, alone, make_create_table, CORM_UNKNOWN, BY_GRACE, 1, 0},
    {"corm_drop_table_", "no connection", open_cold, alone, make_drop_table, CORM_UNREACHABLE, BY_DEADLINE, 0, 0},
    {"corm_drop_table_", "alone", open_warm, alone, make_drop_table, CORM_UNKNOWN, BY_GRACE, 1, 0},
    {"corm_close", "", open_many, alone, make_close, 0, AT_ONCE, 0, 0},
    {"corm_begin_", "and other calls that send nothing", open_warm, alone, make_quiet, 0, AT_ONCE, 0, 0},
};
/* clang-format on */

/* Every exported function that does not block: it sends nothing. */
static const char *const quiet[] = {
    "corm_abort",       "corm_alias_",          "corm_arena_alloc",    "corm_arena_free",
    "corm_arena_new",   "corm_arena_reset",     "corm_attempt",        "corm_cancel",
    "corm_code_cure",   "corm_code_name",       "corm_code_text",      "corm_date_format",
    "corm_date_parse",  "corm_datetime_format", "corm_datetime_parse", "corm_db_stats",
    "corm_dialect_of",  "corm_dispatch",        "corm_dup_",           "corm_error_rule",
    "corm_fd",          "corm_node_stats",      "corm_place_text",     "corm_settings",
    "corm_start",       "corm_stats",           "corm_stats_text",     "corm_outcome",
    "corm_setup", /* they block: with a ledger all others would be told otherwise;
                                            ledger_test.c has them */
    "corm_time_format", "corm_time_parse",      "corm_trx_arena",      "corm_trx_error",
    "corm_uuid_format", "corm_uuid_parse",      "corm_verdict_text",   "corm_version",
    "corm_where",       "corm_where_and",       "corm_where_new",      "corm_where_or",
};

static bool is_listed(const char *call)
{
    for (size_t i = 0; i < COUNT(quiet); i++)
        if (strcmp(quiet[i], call) == 0)
            return true;
    for (size_t i = 0; i < COUNT(scenes); i++)
        if (strcmp(scenes[i].call, call) == 0)
            return true;
    return false;
}

/* Who exports a new one says here whether it blocks, and at which points. */
static void every_public_call_is_looked_at(void **state)
{
    const char *path = getenv("CORM_TEST_EXPORTS");
    FILE       *file = path != NULL ? fopen(path, "r") : NULL;
    char        line[128];
    int         calls = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0')
            continue;
        calls++;
        if (!is_listed(line))
            fail_msg("%s is exported: add it to `scenes` if it blocks, else to `quiet`", line);
    }
    (void)fclose(file);
    assert_true(calls > 30);
}

/* ---- A fault over all scenes --------------------------------------------------------------- */

struct fault {
    const char *name, *told; /* NULL: the server is stopped */
};

static void *play(void *arg)
{
    struct one *o = arg;

    o->scene->play(o);
    if (!o->reached) /* something in front of the fault failed, or came too late */
        await_fault(o);
    return NULL;
}

static long long rows_of(const struct one *o)
{
    return number_beside("SELECT COUNT(*) + COALESCE(SUM(amount), 0) + (SELECT COUNT(*) FROM entry "
                         "WHERE item_id = %d) FROM item WHERE id BETWEEN %d AND %d",
                         o->id, o->id, o->id + ROWS - 1);
}

static void set_up(struct one *o, const struct scene *scene, struct stage *stage,
                   const struct proxy *proxy, uint32_t timeout_ms, int32_t id)
{
    *o = (struct one){.scene = scene,
                      .stage = stage,
                      .timeout_ms = timeout_ms,
                      .id = id,
                      .next_id = id + 10,
                      .arena = corm_arena_new()};
    (void)snprintf(o->url, sizeof(o->url), "%s",
                   server_url(NULL, NULL, proxy_port(proxy), NULL, NULL));
    assert_non_null(o->arena);
    if (scene->set_up != NULL)
        scene->set_up(o);
    o->error = (struct corm_error){0};
    o->before = rows_of(o);
}

/* All scenes need rows with ids that nobody else has: sessions of an earlier fault may hold theirs. */
static int32_t make_rows(void)
{
    static int32_t first;
    int32_t        last = first + (int32_t)COUNT(scenes) * ROWS - 1;

    beside("INSERT INTO item SELECT seq, 0 FROM seq_%d_to_%d WHERE seq %% %d < 10", first, last,
           ROWS);
    int32_t at = first;
    first = last + 1;
    return at;
}

static int64_t due_of(const struct one *o)
{
    int64_t deadline = o->began + ms_to_ns(o->timeout_ms), latest;

    switch (o->scene->due) {
    case BY_GRACE: return deadline + ms_to_ns(COMMIT_GRACE_MS);
    case AT_ONCE: return o->started;
    case BY_ROLLBACK:
        latest = o->started + ms_to_ns(ROLLBACK_MS);
        deadline += ms_to_ns(ROLLBACK_GRACE_MS);
        return latest < deadline ? latest : deadline;
    default: return deadline;
    }
}

static void check_code(const struct one *o, const char *fault)
{
    const struct scene *s = o->scene;
    long long           late = (o->ended - due_of(o)) / 1000000;

    if (o->rc != s->code)
        fail_msg("%s, %s, %s: %lld (%s), not %s: %s", fault, s->call, s->point, (long long)o->rc,
                 corm_code_name((int)o->rc), corm_code_name(s->code), o->error.message);
    if (s->code < 0 && o->error.code != s->code)
        fail_msg("%s, %s, %s: the error says %s", fault, s->call, s->point, o->error.message);
    if (s->code == CORM_DEADLINE && (strstr(o->error.message, "the deadline of") == NULL ||
                                     strstr(o->error.message, ".timeout_ms") == NULL))
        fail_msg("%s, %s, %s says %s", fault, s->call, s->point, o->error.message);
    if (o->ended - due_of(o) > latest_ns(s->due))
        fail_msg("%s, %s, %s: %lld ms late", fault, s->call, s->point, late);
    if (o->calls > 1)
        fail_msg("%s, %s, %s: the function ran %d times", fault, s->call, s->point, o->calls);
    note_lateness(s->due, o->ended - due_of(o), "%s, %s%s%s", fault, s->call,
                  s->point[0] != '\0' ? " " : "", s->point);
}

/* The db works again, on a connection of its own where the other one was thrown away. */
static void check_next_call(struct one *o, const char *fault)
{
    const struct scene *s = o->scene;
    struct corm_error   error = {0};

    if (o->trx != NULL && s->code < 0 && !corm_is_user(s->code))
        assert_true(corm_commit(o->trx) == s->code || corm_trx_error(o->trx)->code == s->code);
    corm_end(o->trx);
    corm_end(o->holder);
    o->trx = o->holder = NULL;
    if (o->db == NULL)
        return;
    int64_t rc = corm_count(o->db, item, .where = corm_eq(item.id, o->id), .error = &error);
    if (rc != 1)
        fail_msg("%s, %s, %s: afterwards %lld: %s", fault, s->call, s->point, (long long)rc,
                 error.message);
    if (stats_of(o->db).connects - o->connects != (uint64_t)s->connects)
        fail_msg("%s, %s, %s: %llu connections were opened afterwards", fault, s->call, s->point,
                 (unsigned long long)(stats_of(o->db).connects - o->connects));
}

/* What was not committed is not there; what may have been is, once, or is not. */
static void check_rows(const struct one *o, const char *fault)
{
    const struct scene *s = o->scene;
    long long           more = llabs(rows_of(o) - o->before);

    if (more != 0 && more != s->writes)
        fail_msg("%s, %s, %s: %lld writes are there", fault, s->call, s->point, more);
}

static void break_it(const struct fault *fault, struct proxy *proxy)
{
    if (fault->told == NULL)
        stop_server();
    else
        tell_proxy(proxy, "%s", fault->told);
}

static void heal(const struct fault *fault, struct proxy *proxy)
{
    if (fault->told == NULL)
        continue_server();
    else
        tell_proxy(proxy, "pass");
}

static void play_all(const struct fault *fault, struct proxy *proxy, struct stage *stage,
                     struct one *ones)
{
    pthread_t threads[COUNT(scenes)];

    for (size_t i = 0; i < COUNT(scenes); i++)
        if (pthread_create(&threads[i], NULL, play, &ones[i]) != 0)
            abort(); /* the others wait for it */
    pthread_barrier_wait(&stage->ready);
    break_it(fault, proxy);
    pthread_barrier_wait(&stage->broken);
    for (size_t i = 0; i < COUNT(scenes); i++)
        (void)pthread_join(threads[i], NULL);
    heal(fault, proxy);
}

/* Whether the scene came to its call in time. */
static bool was_played(const struct one *o)
{
    return o->ended != 0 && o->started < o->began + ms_to_ns(o->timeout_ms) - ms_to_ns(50);
}

/* False where a scene has to be played again, with more time. */
static bool try_fault(const struct fault *fault, uint32_t timeout_ms)
{
    static struct one ones[COUNT(scenes)];
    struct proxy     *proxy = start_proxy();
    struct stage      stage;
    int32_t           first = make_rows();
    bool              played = true;

    assert_int_equal(pthread_barrier_init(&stage.ready, NULL, COUNT(scenes) + 1), 0);
    assert_int_equal(pthread_barrier_init(&stage.broken, NULL, COUNT(scenes) + 1), 0);
    for (uint32_t i = 0; i < COUNT(scenes); i++) {
        /* Not all at the same moment; a ROLLBACK's deadline is sooner than what it waits for. */
        uint32_t more = scenes[i].due == BY_ROLLBACK ? 0 : i * timeout_ms / 100;
        set_up(&ones[i], &scenes[i], &stage, proxy, timeout_ms + more, first + (int32_t)i * ROWS);
    }
    play_all(fault, proxy, &stage, ones);
    for (size_t i = 0; i < COUNT(scenes); i++)
        played = played && was_played(&ones[i]);
    for (size_t i = 0; i < COUNT(scenes); i++) {
        if (played)
            check_code(&ones[i], fault->name);
        if (played)
            check_next_call(&ones[i], fault->name);
        corm_end(ones[i].trx);
        corm_end(ones[i].holder);
        corm_close(ones[i].db);
        if (played)
            check_rows(&ones[i], fault->name);
        corm_arena_free(ones[i].arena);
    }
    (void)pthread_barrier_destroy(&stage.ready);
    (void)pthread_barrier_destroy(&stage.broken);
    stop_proxy(proxy);
    return played;
}

static void check_fault(const char *name, const char *told)
{
    const struct fault fault = {name, told};
    uint32_t           timeout_ms = 500;

    while (!try_fault(&fault, timeout_ms)) {
        timeout_ms *= 2;
        assert_true(timeout_ms < 60000);
    }
}

static void calls_keep_their_deadlines_on_a_stopped_server(void **state)
{
    (void)state;
    check_fault("a stopped server", NULL);
}

static void calls_keep_their_deadlines_in_a_black_hole(void **state)
{
    (void)state;
    check_fault("a black hole", "swallow");
}

static void calls_keep_their_deadlines_when_nothing_arrives(void **state)
{
    (void)state;
    check_fault("a black hole to the server", "swallow up");
}

static void calls_keep_their_deadlines_when_nothing_comes_back(void **state)
{
    (void)state;
    check_fault("a black hole from the server", "swallow down");
}

static void calls_keep_their_deadlines_at_a_byte_a_second_to_the_server(void **state)
{
    (void)state;
    check_fault("a byte a second to the server", "drip 1000 up");
}

static void calls_keep_their_deadlines_at_a_byte_a_second_from_the_server(void **state)
{
    (void)state;
    check_fault("a byte a second from the server", "drip 1000 down");
}

static void calls_keep_their_deadlines_when_a_part_arrives(void **state)
{
    (void)state;
    check_fault("a held part of a request", "hold up after 3");
}

static void calls_keep_their_deadlines_when_a_part_comes_back(void **state)
{
    (void)state;
    check_fault("a held part of an answer", "hold down after 3");
}

/* ---- Cut off at every byte -------------------------------------------------------------- */

/* Workers share the bytes of what a call sends or gets: each has a proxy of its own, which holds what
 * comes behind byte N, and makes the call for every N that is its own, until it gets through. */
enum { WORKERS = 16, BYTES_MAX = 20000 };

struct cut {
    const char *way; /* "up" or "down" */
    bool        tls;
    int         step; /* of N */
    int (*call)(struct corm_db **db, const char *url, struct corm_error *error);
    bool     keeps_db; /* the call is made on a db that is open */
    uint32_t timeout_ms;
};

struct cutter {
    const struct cut *cut;
    struct proxy     *proxy;
    char              url[512];
    int               number;
    int               calls, unknown;
    int64_t           late[DUES]; /* the worst */
    char              failed[1024];
};

/* Waits for a server that is slow for this once: nothing is measured here. */
static struct corm_db *open_patiently(const struct cutter *c)
{
    struct corm_error error = {0};
    struct corm_db   *db = NULL;

    while (corm_open(&db, c->url) < 0 || c->cut->call(&db, c->url, &error) < 0)
        corm_close(db);
    return db;
}

/* One call with the bytes behind `n` held back. True where it got through. */
static bool cut_call(struct cutter *c, int n)
{
    struct corm_db   *db = c->cut->keeps_db ? open_patiently(c) : NULL;
    struct corm_error error = {0};

    tell_proxy(c->proxy, "hold %s after %d", c->cut->way, n);
    int64_t began = now_ns();
    int     rc = c->cut->call(&db, c->url, &error);
    int64_t ended = now_ns();
    tell_proxy(c->proxy, "pass");
    corm_close(db);
    if (rc >= 0)
        return true;
    enum due due = rc == CORM_UNKNOWN ? BY_GRACE : BY_DEADLINE;
    int64_t  grace = due == BY_GRACE ? COMMIT_GRACE_MS : 0;
    int64_t  late = ended - began - ms_to_ns(c->cut->timeout_ms + grace);
    c->calls++;
    c->unknown += rc == CORM_UNKNOWN;
    if (late > c->late[due])
        c->late[due] = late;
    int wanted = c->cut->keeps_db ? CORM_DEADLINE : CORM_UNREACHABLE;
    if ((rc != wanted && rc != CORM_UNKNOWN) || late > latest_ns(due))
        (void)snprintf(c->failed, sizeof(c->failed), "cut %s behind byte %d: %lld ms late: %s",
                       c->cut->way, n, (long long)(late / 1000000), error.message);
    return false;
}

static void *cut_often(void *arg)
{
    struct cutter *c = arg;
    int            n = c->number * c->cut->step;

    while (n < BYTES_MAX && c->failed[0] == '\0' && !cut_call(c, n))
        n += WORKERS * c->cut->step;
    if (n >= BYTES_MAX)
        (void)snprintf(c->failed, sizeof(c->failed), "no call got through");
    return NULL;
}

static struct cutter new_cutter(const struct cut *cut, int number)
{
    struct cutter c = {.cut = cut, .number = number, .proxy = start_proxy()};
    const char   *ca = cut->tls ? getenv("CORM_TEST_MARIADB_TLS_CA") : "";
    char          options[256];

    (void)snprintf(options, sizeof(options), "pool=1&timeout_ms=%u%s%s", cut->timeout_ms,
                   cut->tls ? "&tls=verify&tls_ca=" : "", ca);
    (void)snprintf(c.url, sizeof(c.url), "%s",
                   server_url(NULL, NULL, proxy_port(c.proxy), NULL, options));
    for (int due = 0; due < DUES; due++)
        c.late[due] = INT64_MIN;
    return c;
}

/* Returns how many calls ended with CORM_UNKNOWN. */
static int check_cut(const struct cut *cut, const char *what)
{
    struct cutter cutters[WORKERS];
    int           calls = 0, unknown = 0;

    for (int i = 0; i < WORKERS; i++)
        cutters[i] = new_cutter(cut, i);
    run_threads(WORKERS, cut_often, cutters, sizeof(cutters[0]));
    for (int i = 0; i < WORKERS; i++)
        stop_proxy(cutters[i].proxy);
    for (int i = 0; i < WORKERS; i++) {
        if (cutters[i].failed[0] != '\0')
            fail_msg("%s, %s", what, cutters[i].failed);
        for (int due = 0; due < DUES; due++)
            if (cutters[i].late[due] != INT64_MIN)
                note_lateness(due, cutters[i].late[due], "%s, cut %s at every byte", what,
                              cut->way);
        calls += cutters[i].calls;
        unknown += cutters[i].unknown;
    }
    assert_true(calls * cut->step > 30);
    return unknown;
}

static int cut_open(struct corm_db **db, const char *url, struct corm_error *error)
{
    return corm_open(db, url, .error = error);
}

/* One answer with two sets of rows, then COMMIT. */
static int write_and_read(struct corm_trx *trx, void *arg)
{
    struct letter *found;
    int rc = corm_insert_row(trx, letter, &((struct letter){.body = "a cut one"}), .id_later = arg);

    return rc < 0 ? rc
                  : corm_all(trx, letter, &found, .where = corm_eq(letter.id, *(int64_t *)arg));
}

static int cut_function(struct corm_db **db, const char *url, struct corm_error *error)
{
    int64_t id = 1;

    (void)url;
    return corm_transact(*db, write_and_read, &id, .isolation = CORM_REPEATABLE_READ,
                         .error = error);
}

static void connecting_keeps_its_deadline_at_every_byte(void **state)
{
    static const struct cut cuts[] = {
        {.way = "down", .step = 1, .call = cut_open, .timeout_ms = 100},
        {.way = "up", .step = 3, .call = cut_open, .timeout_ms = 100},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cuts); i++)
        (void)check_cut(&cuts[i], "corm_open");
}

static void a_transaction_keeps_its_deadline_at_every_byte(void **state)
{
    static const struct cut cuts[] = {
        {.way = "down", .step = 1, .call = cut_function, .keeps_db = true, .timeout_ms = 100},
        {.way = "up", .step = 1, .call = cut_function, .keeps_db = true, .timeout_ms = 100},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cuts); i++)
        assert_true(check_cut(&cuts[i], "corm_transact") > 0);
}

/* ---- TLS ----------------------------------------------------------------------------------- */

static bool has_tls(void)
{
    if (getenv("CORM_TEST_MARIADB_TLS_CA") != NULL)
        return true;
    (void)printf("# skipped: there is no openssl to make a certificate with\n");
    return false;
}

static void a_handshake_of_tls_keeps_its_deadline(void **state)
{
    static const struct cut cuts[] = {
        {.way = "down", .tls = true, .step = 17, .call = cut_open, .timeout_ms = 150},
        {.way = "up", .tls = true, .step = 17, .call = cut_open, .timeout_ms = 150},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cuts) && has_tls(); i++)
        (void)check_cut(&cuts[i], "corm_open with TLS");
}

static const char *const tls_faults[] = {"hold", "swallow", "drip 1000 up", "drip 1000 down",
                                         "stall"};

static struct corm_db *open_tls(const struct proxy *proxy, uint32_t timeout_ms)
{
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    char              options[256];

    (void)snprintf(options, sizeof(options), "pool=1&timeout_ms=%u&tls=verify&tls_ca=%s",
                   timeout_ms, getenv("CORM_TEST_MARIADB_TLS_CA"));
    int rc =
        corm_open(&db, server_url(NULL, NULL, proxy_port(proxy), NULL, options), .error = &error);
    assert_ok(rc, &error);
    return db;
}

static void a_link_of_tls_keeps_its_deadlines(void **state)
{
    enum { LIMIT_MS = 300 };
    struct corm_error error = {0};
    struct corm_trx  *trx;

    (void)state;
    for (size_t i = 0; i < COUNT(tls_faults) && has_tls(); i++) {
        struct proxy   *proxy = start_proxy();
        struct corm_db *db = open_tls(proxy, LIMIT_MS);
        error = (struct corm_error){0};
        assert_ok(corm_count(db, item, .error = &error), &error);
        tell_proxy(proxy, "%s", tls_faults[i]);
        struct timed timed = due_in(BY_DEADLINE, LIMIT_MS);
        assert_code(corm_count(db, item, .error = &error), CORM_DEADLINE, &error);
        check_due(&timed, "a read by TLS");
        tell_proxy(proxy, "pass");
        error = (struct corm_error){0};
        assert_ok(corm_begin(db, &trx, .error = &error), &error);
        assert_rows(corm_insert_rows(trx, letter, 1, &((struct letter){.body = "by TLS"})), 1,
                    &error);
        tell_proxy(proxy, "%s", tls_faults[i]);
        timed = due_in(BY_GRACE, LIMIT_MS);
        assert_code(corm_commit(trx), CORM_UNKNOWN, &error);
        check_due(&timed, "a commit by TLS");
        corm_end(trx);
        corm_close(db);
        stop_proxy(proxy);
    }
}

/* The handshake itself a byte at a time: no single wait is long. */
static void a_dripping_handshake_of_tls_keeps_its_deadline(void **state)
{
    enum { LIMIT_MS = 300 };
    static const char *const ways[] = {"down", "up"};
    char                     options[256];

    (void)state;
    for (size_t i = 0; i < COUNT(ways) && has_tls(); i++) {
        struct proxy     *proxy = start_proxy();
        struct corm_db   *db = NULL;
        struct corm_error error = {0};
        (void)snprintf(options, sizeof(options), "timeout_ms=%d&tls=verify&tls_ca=%s", LIMIT_MS,
                       getenv("CORM_TEST_MARIADB_TLS_CA"));
        const char *url = server_url(NULL, NULL, proxy_port(proxy), NULL, options);
        tell_proxy(proxy, "drip 20 %s after 120", ways[i]); /* behind the greeting */
        struct timed timed = due_in(BY_DEADLINE, LIMIT_MS);
        assert_code(corm_open(&db, url, .error = &error), CORM_UNREACHABLE, &error);
        check_due(&timed, "a dripping handshake of TLS");
        stop_proxy(proxy);
    }
}

/* Wherever a connection stands still while it is made: who waits for it goes on, long before the deadline. */
static void a_connection_to_a_silent_node_is_given_up(void **state)
{
    static const struct {
        const char    *fault;
        enum corm__tls tls;
    } cases[] = {{"swallow down", CORM__TLS_OFF},
                 {"swallow down after 120", CORM__TLS_OFF}, /* behind the greeting */
                 {"swallow down after 120", CORM__TLS_VERIFY}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases) - (has_tls() ? 0 : 1); i++) {
        struct proxy         *proxy = start_proxy();
        struct corm__link    *link = NULL;
        struct corm_error     error = {0};
        const _Atomic bool    silent = true;
        struct corm__endpoint node = {.driver = &corm__mariadb,
                                      .host = "127.0.0.1",
                                      .port = (uint16_t)proxy_port(proxy),
                                      .user = getenv("CORM_TEST_MARIADB_USER"),
                                      .tls = cases[i].tls,
                                      .tls_ca = getenv("CORM_TEST_MARIADB_TLS_CA"),
                                      .timeout_ms = 1000,
                                      .silent = &silent};
        tell_proxy(proxy, "%s", cases[i].fault);
        int rc = corm__mariadb.connect(&node, true, corm__deadline_in(20000), &link, &error);
        assert_code(rc, CORM_UNREACHABLE, &error);
        if (strstr(error.message, "the node does not answer any more") == NULL)
            fail_msg("%s: %s", cases[i].fault, error.message);
        stop_proxy(proxy);
    }
}

/* ---- Faults of one kind of call -------------------------------------------------------------- */

/* A listener whose queue is full: the kernel answers no SYN. */
static void connecting_to_a_deaf_listener_keeps_its_deadline(void **state)
{
    enum { LIMIT_MS = 300, CLIENTS = 4 };
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t          size = sizeof(at);
    int                listener = socket(AF_INET, SOCK_STREAM, 0), clients[CLIENTS];
    struct corm_db    *db = NULL;
    struct corm_error  error = {0};

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(clients[i], (struct sockaddr *)&at, sizeof(at));
    }
    struct timed timed = due_in(BY_DEADLINE, LIMIT_MS);
    const char  *url = server_url(NULL, NULL, ntohs(at.sin_port), NULL, "timeout_ms=300");
    assert_code(corm_open(&db, url, .error = &error), CORM_UNREACHABLE, &error);
    check_due(&timed, "corm_open of a deaf listener");
    for (int i = 0; i < CLIENTS; i++)
        (void)close(clients[i]);
    (void)close(listener);
}

static void waiting_for_a_lock_keeps_its_deadline(void **state)
{
    enum { LIMIT_MS = 300 };
    struct corm_db   *db = open_db("pool=2");
    struct corm_error error = {0};
    struct corm_trx  *holder, *trx;
    struct item       found;
    int32_t           id = make_rows();

    (void)state;
    assert_ok(corm_begin(db, &holder, .error = &error), &error);
    assert_rows(
        corm_first(holder, item, &found, .where = corm_eq(item.id, id), .lock = CORM_FOR_UPDATE), 1,
        &error);
    assert_ok(corm_begin(db, &trx, .timeout_ms = LIMIT_MS, .error = &error), &error);
    struct timed timed = due_in(BY_DEADLINE, LIMIT_MS);
    assert_code(
        corm_first(trx, item, &found, .where = corm_eq(item.id, id), .lock = CORM_FOR_UPDATE),
        CORM_DEADLINE, &error);
    check_due(&timed, "corm_first of a locked row");
    assert_says(&error, "the deadline of 300 ms has passed");
    assert_says(&error, "a lock");
    assert_place(&error, __LINE__ - 5);
    assert_int_equal(corm_commit(trx), CORM_DEADLINE);
    corm_end(holder);
    error = (struct corm_error){0};
    assert_rows(corm_start(trx), 0, &error); /* on another connection */
    assert_rows(
        corm_first(trx, item, &found, .where = corm_eq(item.id, id), .lock = CORM_FOR_UPDATE), 1,
        &error);
    corm_end(trx);
    corm_close(db);
}

/* A transaction of a thread that has ended: a thread that holds one itself is not let wait. */
struct holder {
    struct corm_db  *db;
    bool             read_only;
    struct corm_trx *trx;
};

static void *hold(void *arg)
{
    struct holder *h = arg;

    if (corm_begin(h->db, &h->trx, .read_only = h->read_only) != 0 || corm_count(h->trx, item) < 0)
        abort(); /* threads cannot fail a test */
    return NULL;
}

static void an_empty_pool_keeps_its_deadline(void **state)
{
    enum { LIMIT_MS = 300 };
    struct corm_db   *db = open_db("pool=1");
    struct holder     holder = {.db = db};
    struct corm_error error = {0};
    struct corm_trx  *trx;

    (void)state;
    run_threads(1, hold, &holder, sizeof(holder));
    assert_ok(corm_begin(db, &trx, .timeout_ms = LIMIT_MS, .error = &error), &error);
    struct timed timed = due_in(BY_DEADLINE, LIMIT_MS);
    assert_code(corm_count(trx, item), CORM_TIMEOUT, &error);
    check_due(&timed, "an empty pool");
    corm_end(trx);
    corm_end(holder.trx);
    corm_close(db);
}

/* The server takes the first bytes and no more: the kernel's buffers are full. */
static void a_send_that_stalls_keeps_its_deadline(void **state)
{
    enum { LIMIT_MS = 1500, SIZE = 14 * 1024 * 1024 };
    struct proxy     *proxy = start_proxy();
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    struct corm_trx  *trx;
    char             *body = malloc(SIZE + 1);
    int64_t           id = 0;

    (void)state;
    assert_non_null(body);
    memset(body, 'x', SIZE);
    body[SIZE] = '\0';
    int rc =
        corm_open(&db, server_url(NULL, NULL, proxy_port(proxy), NULL, "pool=1"), .error = &error);
    assert_ok(rc, &error);
    for (int i = 0; i < 20; i++) /* statements that will have to be closed */
        assert_ok(corm_sql(db, NULL, "SELECT 1 FROM item WHERE id = ?", corm_vals(i)), &error);
    assert_rows(corm_insert_row(db, letter, &((struct letter){.body = "one"}), .id = &id), 1,
                &error);
    assert_ok(corm_begin(db, &trx, .timeout_ms = LIMIT_MS, .error = &error), &error);
    assert_ok(corm_count(trx, item), &error);
    tell_proxy(proxy, "stall up after 100000");
    struct timed timed = due_in(BY_DEADLINE, LIMIT_MS);
    assert_code(corm_insert_row(trx, letter, &((struct letter){.body = body}), .id = &id),
                CORM_DEADLINE, &error);
    check_due(&timed, "corm_insert_row that is not taken");
    timed = due_in(AT_ONCE, 0);
    corm_end(trx);
    corm_close(db);
    check_due(&timed, "corm_end and corm_close with a full buffer");
    free(body);
    stop_proxy(proxy);
}

/* Rows that never stop are no answer: what is there already when the deadline passes, and what
 * comes next, and so on, would take a second or more. */
__attribute__((unused)) static void a_stream_of_rows_keeps_its_deadline(void **state)
{
    enum { LIMIT_MS = 60 };
    struct corm_db    *db = open_db("pool=1");
    struct corm_arena *arena = corm_arena_new();
    struct corm_rows   rows;
    struct corm_error  error = {0};
    struct corm_trx   *trx;

    (void)state;
    assert_ok(corm_begin(db, &trx, .timeout_ms = LIMIT_MS, .error = &error), &error);
    struct timed timed = due_in(BY_DEADLINE, LIMIT_MS);
    assert_code(corm_sql(trx, &rows, "SELECT REPEAT('x', 100000) FROM seq_1_to_6000", {NULL},
                         .arena = arena),
                CORM_DEADLINE, &error);
    check_due(&timed, "a stream of rows");
    corm_end(trx);
    assert_ok(corm_count(db, item, .error = &error), &error);
    corm_arena_free(arena);
    corm_close(db);
}

/* ---- An error that was answered, and silence -------------------------------------------------- */

static void go_silent(const struct corm_event *event, void *arg)
{
    if (event->code == CORM_DUPLICATE)
        tell_proxy(arg, "swallow");
}

/* What failed is known, although nobody says any more which statement it was. */
static void a_batch_that_was_refused_is_not_unknown(void **state)
{
    enum { LIMIT_MS = 400 };
    struct proxy     *proxy = start_proxy();
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    struct corm_trx  *trx;
    int32_t           id = make_rows();

    (void)state;
    int rc = corm_open(&db, server_url(NULL, NULL, proxy_port(proxy), NULL, "pool=1"),
                       .on_statement = go_silent, .on_statement_arg = proxy, .error = &error);
    assert_ok(rc, &error);
    assert_ok(corm_begin(db, &trx, .timeout_ms = LIMIT_MS, .error = &error), &error);
    assert_rows(corm_insert_row(trx, item, &((struct item){id + 50, 0})), 1, &error);
    assert_rows(corm_insert_row(trx, item, &((struct item){id, 0})), 1, &error);
    struct timed timed = due_in(BY_GRACE, LIMIT_MS);
    assert_code(corm_commit(trx), CORM_DUPLICATE, &error);
    check_due(&timed, "a commit that is refused, and silence");
    corm_end(trx);
    tell_proxy(proxy, "pass");
    assert_rows(corm_exists(db, item, .where = corm_eq(item.id, id + 50), .error = &error), 0,
                &error);
    corm_close(db);
    stop_proxy(proxy);
}

/* A commit that is late is told as what it is, as long as its answer comes within the grace. */
static void a_late_answer_to_commit_is_success(void **state)
{
    enum { LIMIT_MS = 300 };
    struct proxy     *proxy = start_proxy();
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    struct corm_trx  *trx;
    int32_t           id = make_rows();

    (void)state;
    int rc =
        corm_open(&db, server_url(NULL, NULL, proxy_port(proxy), NULL, "pool=1"), .error = &error);
    assert_ok(rc, &error);
    assert_ok(corm_begin(db, &trx, .timeout_ms = LIMIT_MS, .error = &error), &error);
    assert_rows(corm_update(trx, item, corm_eq(item.id, id), corm_add(item.amount, 1)), 1, &error);
    tell_proxy(proxy, "delay 200000"); /* there and back: 400 ms */
    int64_t began = now_ns();
    assert_rows(corm_commit(trx), 0, &error);
    assert_true(now_ns() - began >= ms_to_ns(400));
    corm_end(trx);
    assert_int_equal(number_beside("SELECT amount FROM item WHERE id = %d", id), 1);
    corm_close(db);
    stop_proxy(proxy);
}

/* ---- SQLite ------------------------------------------------------------------------------------ */

/* The lock of the file, as another program would hold it. */
static sqlite3 *lock_file(const char *sql)
{
    sqlite3 *file = NULL;

    assert_int_equal(sqlite3_open(strchr(test_url(NULL), ':') + 1, &file), SQLITE_OK);
    assert_int_equal(sqlite3_exec(file, sql, NULL, NULL, NULL), SQLITE_OK);
    return file;
}

static struct corm_db *open_items(const char *options)
{
    struct corm_db   *db = open_db(options);
    struct corm_error error = {0};

    new_table(db, item);
    new_table(db, entry);
    assert_rows(corm_insert_row(db, item, &((struct item){1, 0}), .error = &error), 1, &error);
    return db;
}

static const char endless[] = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                              "SELECT COUNT(*) FROM n WHERE i < ?";
static const char endless_write[] =
    "INSERT INTO item WITH RECURSIVE n(i) AS (SELECT 8 UNION ALL SELECT i + 1 FROM n) "
    "SELECT i, 0 FROM n WHERE i < ?";

static int write_item(struct corm_trx *trx, void *arg)
{
    struct one *o = arg;

    o->calls++;
    return corm_insert_row(trx, item, &((struct item){7, 0}));
}

/* Every call that writes, while somebody else does. */
static void sqlite_waiting_for_the_file_keeps_its_deadline(void **state)
{
    enum { LIMIT_MS = 200 };
    struct one       o = {.db = open_items("timeout_ms=200"), .id = 1, .next_id = 2};
    sqlite3         *other = lock_file("BEGIN IMMEDIATE");
    struct corm_trx *trx;
    struct timed     timed;
    int64_t (*const makes[])(struct one *) = {
        make_insert, make_insert_rows, make_update, make_delete, make_sql, make_create_table,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(makes); i++) {
        o.error = (struct corm_error){0};
        timed = due_in(BY_DEADLINE, LIMIT_MS);
        assert_code(makes[i](&o), CORM_TIMEOUT, &o.error);
        check_due(&timed, "a write to a locked file");
        assert_says(&o.error, "another program");
    }
    o.error = (struct corm_error){0};
    timed = due_in(BY_DEADLINE, LIMIT_MS);
    assert_code(corm_transact(o.db, write_item, &o, .error = &o.error), CORM_TIMEOUT, &o.error);
    check_due(&timed, "corm_transact on a locked file");
    assert_int_equal(o.calls, 1);
    o.error = (struct corm_error){0};
    assert_ok(corm_begin(o.db, &trx, .error = &o.error), &o.error);
    timed = due_in(BY_DEADLINE, LIMIT_MS);
    assert_code(corm_count(trx, item), CORM_TIMEOUT, &o.error);
    check_due(&timed, "corm_count in a transaction on a locked file");
    corm_end(trx);
    o.error = (struct corm_error){0};
    timed = due_in(BY_DEADLINE, LIMIT_MS);
    assert_code(corm_drop_table(o.db, item, .error = &o.error), CORM_TIMEOUT, &o.error);
    check_due(&timed, "corm_drop_table on a locked file");
    assert_rows(make_count(&o), 1, &o.error); /* who reads does not wait */
    (void)sqlite3_close(other);
    assert_rows(make_update(&o), 1, &o.error);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM item"), 1);
    corm_close(o.db);
}

static void sqlite_a_statement_is_stopped_by_its_deadline(void **state)
{
    enum { LIMIT_MS = 200 };
    struct corm_db   *db = open_items("timeout_ms=200");
    struct corm_error error = {0};
    struct timed      timed;

    (void)state;
    for (int i = 0; i < 2; i++) {
        error = (struct corm_error){0};
        timed = due_in(BY_DEADLINE, LIMIT_MS);
        assert_code(corm_sql(db, NULL, i == 0 ? endless : endless_write, corm_vals(INT64_MAX),
                             .error = &error),
                    CORM_DEADLINE, &error);
        check_due(&timed, "a statement without end");
        assert_says(&error, "the deadline of 200 ms has passed");
    }
    error = (struct corm_error){0};
    assert_rows(corm_count(db, item, .error = &error), 1, &error);
    assert_rows(corm_update(db, item, corm_eq(item.id, 1), corm_set(item.amount, 5)), 1, &error);
    corm_close(db);
}

static void sqlite_a_transaction_is_stopped_by_its_deadline(void **state)
{
    enum { LIMIT_MS = 200 };
    struct corm_db   *db = open_items(NULL);
    struct corm_error error;
    struct corm_trx  *trx;

    (void)state;
    for (int i = 0; i < 3; i++) {
        error = (struct corm_error){0};
        assert_ok(
            corm_begin(db, &trx, .timeout_ms = LIMIT_MS, .read_only = i == 2, .error = &error),
            &error);
        struct timed timed = due_in(BY_DEADLINE, LIMIT_MS);
        if (i < 2)
            assert_rows(corm_insert_row(trx, item, &((struct item){7, 0})), 1, &error);
        assert_code(corm_sql(trx, NULL, i == 1 ? endless_write : endless, corm_vals(INT64_MAX)),
                    CORM_DEADLINE, &error);
        assert_int_equal(corm_commit(trx), CORM_DEADLINE);
        check_due(&timed, "a statement without end in a transaction");
        corm_end(trx);
        assert_int_equal(number_beside("SELECT COUNT(*) FROM item"), 1);
        error = (struct corm_error){0};
        assert_rows(
            corm_update(db, item, corm_eq(item.id, 1), corm_add(item.amount, 1), .error = &error),
            1, &error);
    }
    corm_close(db);
}

/* Buffered statements go out with COMMIT, but are not it: they get no grace. */
static int delay_commit(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return corm_update(trx, item, corm_ge(item.id, 1), corm_add(item.amount, 1), .later = true);
}

static void sqlite_a_buffered_write_has_no_grace(void **state)
{
    enum { LIMIT_MS = 200 };
    struct corm_db   *db = open_items(NULL);
    struct corm_error error = {0};

    (void)state;
    beside("WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 100) "
           "INSERT INTO item SELECT i, 0 FROM n");
    beside("CREATE TRIGGER slow AFTER UPDATE ON item BEGIN SELECT COUNT(*) FROM item a, item b, "
           "item c, item d WHERE a.amount + b.amount + c.amount + d.amount < 0; END");
    struct timed timed = due_in(BY_DEADLINE, LIMIT_MS);
    assert_code(corm_transact(db, delay_commit, NULL, .timeout_ms = LIMIT_MS, .error = &error),
                CORM_DEADLINE, &error);
    assert_true(now_ns() - timed.due < ms_to_ns(COMMIT_GRACE_MS * 9 / 10));
    check_due(&timed, "a buffered write without end");
    assert_int_equal(number_beside("SELECT SUM(amount) FROM item"), 0);
    corm_close(db);
}

static void sqlite_an_empty_pool_keeps_its_deadline(void **state)
{
    enum { LIMIT_MS = 200 };
    struct one    o = {.db = open_items("pool=2&timeout_ms=200"), .id = 1};
    struct holder writer = {.db = o.db}, reader = {.db = o.db, .read_only = true};
    struct timed  timed;

    (void)state;
    run_threads(1, hold, &writer, sizeof(writer));
    run_threads(1, hold, &reader, sizeof(reader));
    timed = due_in(BY_DEADLINE, LIMIT_MS);
    assert_code(make_update(&o), CORM_TIMEOUT, &o.error);
    check_due(&timed, "a write while another one of the process writes");
    o.error = (struct corm_error){0};
    timed = due_in(BY_DEADLINE, LIMIT_MS);
    assert_code(make_count(&o), CORM_TIMEOUT, &o.error);
    check_due(&timed, "a read while all readers are in use");
    corm_end(reader.trx);
    corm_end(writer.trx);
    corm_close(o.db);
}

static void sqlite_opening_a_locked_file_keeps_its_deadline(void **state)
{
    enum { LIMIT_MS = 200 };
    sqlite3          *other = lock_file("CREATE TABLE t (x); BEGIN EXCLUSIVE");
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    struct timed      timed = due_in(BY_DEADLINE, LIMIT_MS);

    (void)state;
    assert_code(corm_open(&db, test_url("timeout_ms=200"), .error = &error), CORM_TIMEOUT, &error);
    check_due(&timed, "corm_open of a locked file");
    (void)sqlite3_close(other);
}

/* A reader that keeps its snapshot stops the log from being moved into the file, and nobody else. */
static void sqlite_a_commit_does_not_wait_for_readers(void **state)
{
    enum { LIMIT_MS = 2000, LETTERS = 3000 };
    struct corm_db   *db = open_items(NULL);
    sqlite3          *other = lock_file("BEGIN; SELECT COUNT(*) FROM item");
    struct corm_error error = {0};
    struct corm_trx  *trx;
    static char       body[4000];

    (void)state;
    memset(body, 'x', sizeof(body) - 1);
    new_table(db, letter);
    for (int i = 0; i < 3; i++) {
        assert_ok(corm_begin(db, &trx, .error = &error), &error);
        for (int n = 0; n < LETTERS; n++)
            assert_rows(corm_insert_row(trx, letter, &((struct letter){.body = body})), 1, &error);
        assert_rows(corm_commit(trx), 0, &error);
        corm_end(trx);
    }
    (void)sqlite3_close(other);
    corm_close(db);
}

static void sqlite_a_database_in_memory_survives_a_deadline(void **state)
{
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    struct corm_trx  *trx;

    (void)state;
    assert_ok(corm_open(&db, "sqlite::memory:?timeout_ms=200", .error = &error), &error);
    new_table(db, item);
    assert_rows(corm_insert_row(db, item, &((struct item){1, 0}), .error = &error), 1, &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_rows(trx, item, 1, &((struct item){7, 0})), 1, &error);
    assert_code(corm_sql(trx, NULL, endless, corm_vals(INT64_MAX)), CORM_DEADLINE, &error);
    corm_end(trx);
    error = (struct corm_error){0};
    assert_rows(corm_count(db, item, .error = &error), 1, &error);
    corm_close(db);
}

/* ---- All ----------------------------------------------------------------------------------------- */

static void make_tables(void)
{
    struct corm_db *db = open_db(NULL);

    new_table(db, item);
    new_table(db, entry);
    new_table(db, letter);
    corm_close(db);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest both[] = {
        cmocka_unit_test(every_public_call_is_looked_at),
    };
    static const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(sqlite_waiting_for_the_file_keeps_its_deadline),
        cmocka_unit_test(sqlite_a_statement_is_stopped_by_its_deadline),
        cmocka_unit_test(sqlite_a_transaction_is_stopped_by_its_deadline),
        cmocka_unit_test(sqlite_a_buffered_write_has_no_grace),
        cmocka_unit_test(sqlite_an_empty_pool_keeps_its_deadline),
        cmocka_unit_test(sqlite_opening_a_locked_file_keeps_its_deadline),
        cmocka_unit_test(sqlite_a_commit_does_not_wait_for_readers),
        cmocka_unit_test(sqlite_a_database_in_memory_survives_a_deadline),
    };
    static const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(calls_keep_their_deadlines_on_a_stopped_server),
        cmocka_unit_test(calls_keep_their_deadlines_in_a_black_hole),
        cmocka_unit_test(calls_keep_their_deadlines_when_nothing_arrives),
        cmocka_unit_test(calls_keep_their_deadlines_when_nothing_comes_back),
        cmocka_unit_test(calls_keep_their_deadlines_at_a_byte_a_second_to_the_server),
        cmocka_unit_test(calls_keep_their_deadlines_at_a_byte_a_second_from_the_server),
        cmocka_unit_test(calls_keep_their_deadlines_when_a_part_arrives),
        cmocka_unit_test(calls_keep_their_deadlines_when_a_part_comes_back),
        cmocka_unit_test(connecting_keeps_its_deadline_at_every_byte),
        cmocka_unit_test(a_transaction_keeps_its_deadline_at_every_byte),
        cmocka_unit_test(a_handshake_of_tls_keeps_its_deadline),
        cmocka_unit_test(a_dripping_handshake_of_tls_keeps_its_deadline),
        cmocka_unit_test(a_link_of_tls_keeps_its_deadlines),
        cmocka_unit_test(a_connection_to_a_silent_node_is_given_up),
        cmocka_unit_test(connecting_to_a_deaf_listener_keeps_its_deadline),
        cmocka_unit_test(waiting_for_a_lock_keeps_its_deadline),
        cmocka_unit_test(an_empty_pool_keeps_its_deadline),
        cmocka_unit_test(a_send_that_stalls_keeps_its_deadline),
#ifndef __SANITIZE_THREAD__ /* makes the client slower than the server: it never has to wait */
        cmocka_unit_test(a_stream_of_rows_keeps_its_deadline),
#endif
        cmocka_unit_test(a_batch_that_was_refused_is_not_unknown),
        cmocka_unit_test(a_late_answer_to_commit_is_success),
    };

    pthread_t sleeper;

    support_begin(argc, argv);
    if (is_mariadb())
        make_tables();
    assert_int_equal(pthread_create(&sleeper, NULL, oversleep, NULL), 0);
    int failed = run_group(both, COUNT(both), sqlite, COUNT(sqlite), mariadb, COUNT(mariadb));
    atomic_store(&sleeper_ends, true);
    (void)pthread_join(sleeper, NULL);
    print_lateness();
    support_end();
    return failed;
}
