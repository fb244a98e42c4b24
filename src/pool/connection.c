/* pool/connection.c -- one connection: a driver's link, its prepared statements, its counters.
 *
 * The cache holds at most CORM__CACHE_MAX prepared statements by text, with the list newest..oldest
 * through the same entries. A statement that the server has forgotten is prepared again, once: it
 * has not run. When the server has no room for one more (its limit is for all that are connected to
 * it), the cache becomes smaller, then the idle connections of the pool give back theirs.
 *
 * Nothing is sent in a child of the process that opened the connection. */
#include "pool/connection.h"

#include "base/clock.h"
#include "base/thread.h"
#include "driver/number_sink.h"
#include "pool/pool.h"
#include "sql/batch.h"

#include <stdlib.h>
#include <string.h>

struct corm__cached {
    struct corm__map_entry entry;
    struct corm__cached   *newer, *older;
    struct corm__prepared *prepared;
    char                   text[];
};

/* ---- The cache -------------------------------------------------------------- */

static void unlink_cached(struct corm__connection *c, struct corm__cached *cached)
{
    if (cached->newer != NULL)
        cached->newer->older = cached->older;
    else
        c->newest = cached->older;
    if (cached->older != NULL)
        cached->older->newer = cached->newer;
    else
        c->oldest = cached->newer;
}

static void link_newest(struct corm__connection *c, struct corm__cached *cached)
{
    cached->newer = NULL;
    cached->older = c->newest;
    if (c->newest != NULL)
        c->newest->newer = cached;
    else
        c->oldest = cached;
    c->newest = cached;
}

static void drop_cached(struct corm__connection *c, struct corm__cached *cached)
{
    unlink_cached(c, cached);
    corm__map_remove(&c->cache, &cached->entry);
    c->link->driver->finalize(c->link, cached->prepared);
    free(cached);
}

void corm__connection_shed(struct corm__connection *c)
{
    while (c->oldest != NULL)
        drop_cached(c, c->oldest);
}

/* Makes room where the server has none. Half of the statements first, and no more than that from now
 * on, so that the limit is not met at every new one. False where no room will come. */
static bool make_room(struct corm__connection *c, uint32_t tries, int64_t deadline)
{
    enum { PAUSE_NS = 1000000, PAUSE_DOUBLINGS = 6 };

    size_t keep = c->cache.count / 2;

    c->cache_max = keep > 0 ? keep : 1;
    if (c->cache.count > 0) {
        while (c->cache.count > keep)
            drop_cached(c, c->oldest);
        return true;
    }
    if (c->pool == NULL)
        return false;
    /* Nobody answers when a statement is given back: it takes as long as it takes. */
    corm__pool_shed(c->pool);
    corm__pause((int64_t)PAUSE_NS << (tries < PAUSE_DOUBLINGS ? tries : PAUSE_DOUBLINGS), deadline);
    return corm__ms_left(deadline) > 0;
}

/* Prepares a statement, whatever it takes to have room for it. */
static int prepare(struct corm__connection *c, const struct corm__statement *statement,
                   int64_t deadline, struct corm__prepared **prepared, struct corm_error *error)
{
    for (uint32_t tries = 0;; tries++) {
        int rc = c->link->driver->prepare(c->link, statement->text, statement->size, deadline,
                                          prepared, error);
        if (rc != CORM__STATEMENTS_FULL)
            return rc;
        struct corm_error full = *error;
        *error = (struct corm_error){0};
        if (!make_room(c, tries, deadline))
            return corm__fail_server(
                error, CORM_SERVER_ERROR, full.server_code, full.sqlstate,
                "the server has no room for one more prepared statement: raise "
                "max_prepared_stmt_count");
    }
}

/* Prepares a statement into the cache; NULL and an error. */
static struct corm__cached *add_cached(struct corm__connection      *c,
                                       const struct corm__statement *statement, int64_t deadline,
                                       struct corm_error *error)
{
    struct corm__cached *cached = calloc(1, sizeof(*cached) + statement->size + 1);

    if (cached == NULL) {
        corm__fail_memory(error, "a prepared statement");
        return NULL;
    }
    memcpy(cached->text, statement->text, statement->size);
    while (c->cache.count >= c->cache_max)
        drop_cached(c, c->oldest);
    if (prepare(c, statement, deadline, &cached->prepared, error) < 0) {
        free(cached);
        return NULL;
    }
    if (!corm__map_add(&c->cache, &cached->entry, cached->text, statement->size)) {
        corm__fail_memory(error, "a prepared statement");
        c->link->driver->finalize(c->link, cached->prepared);
        free(cached);
        return NULL;
    }
    link_newest(c, cached);
    return cached;
}

static struct corm__cached *find_cached(struct corm__connection      *c,
                                        const struct corm__statement *statement)
{
    struct corm__cached *cached = c->newest;

    if (cached != NULL && cached->entry.size == statement->size &&
        memcmp(cached->text, statement->text, statement->size) == 0)
        return cached; /* what comes again comes at once, often */
    void *entry = corm__map_find(&c->cache, statement->text, statement->size);
    cached = entry;       /* its first member */
    if (cached != NULL) { /* and it is not the newest */
        unlink_cached(c, cached);
        link_newest(c, cached);
    }
    return cached;
}

static int check_deadline(const struct corm__run *run, struct corm_error *error)
{
    if (corm__ms_left(run->deadline) > 0)
        return 0;
    return corm__fail(error, CORM_TIMEOUT, "the deadline has passed");
}

/* `array` is NULL where the statement has its values itself. */
static int execute(struct corm__connection *c, struct corm__prepared *prepared,
                   const struct corm__statement *statement, const struct corm__array *array,
                   struct corm__run *run, struct corm_error *error)
{
    const struct corm__driver *driver = c->link->driver;
    int64_t                    deadline = run->deadline + run->grace_ns;

    if (array == NULL)
        return driver->execute(c->link, prepared, statement, run->sink, deadline, &run->result,
                               error);
    int rc = driver->execute_array(c->link, prepared, array, run->sink, deadline, error);
    run->result.rows = rc == 0 ? (int64_t)array->rows : 0;
    return rc;
}

static int execute_cached(struct corm__connection *c, const struct corm__statement *statement,
                          const struct corm__array *array, struct corm__run *run,
                          struct corm_error *error)
{
    for (int tries = 0;; tries++) {
        struct corm__cached *cached = find_cached(c, statement);
        if (cached == NULL) {
            cached = add_cached(c, statement, run->deadline, error);
            if (cached == NULL || check_deadline(run, error) < 0) /* or it is sent too late */
                return error->code;
        }
        int rc = execute(c, cached->prepared, statement, array, run, error);
        if (rc != CORM__STALE_STATEMENT)
            return rc;
        drop_cached(c, cached);
        if (statement->compound || tries > 0) {
            /* Of a compound a part may have run: only the whole transaction may run again. */
            error->code = statement->compound ? CORM_CONFLICT : CORM_SERVER_ERROR;
            return error->code;
        }
        *error = (struct corm_error){0};
        c->link->sent = false; /* it has not run */
    }
}

/* ---- Opening and closing ----------------------------------------------------- */

static void note_opened(struct corm__connection *c)
{
    c->number = (uint32_t)atomic_fetch_add(&c->watch->connects, 1) + 1;
    c->link->round_trips = 0;
    atomic_store_explicit(&c->watch->has_ledger, c->link->has_ledger, memory_order_relaxed);
}

/* Nothing may be sent in a child of the process that opened the connection; else notes who uses it. */
static int check_process(struct corm__connection *c, struct corm_error *error)
{
    atomic_store_explicit(&c->thread, corm__thread_id(), memory_order_relaxed);
    if (c->process == corm__process_id())
        return 0;
    c->link->sent = false;
    c->link->lost = true;
    return corm__fail_forked(error);
}

static void give_shard(const struct corm__connection *c)
{
    if (c->shard != NULL)
        corm__shard_give(c->watch->durations, c->shard);
}

int corm__connection_open(const struct corm__endpoint *endpoint, bool for_writing,
                          struct corm__watch *watch, int64_t deadline,
                          struct corm__connection **connection, struct corm_error *error)
{
    struct corm__connection *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return corm__fail_memory(error, "a connection");
    if (watch->durations != NULL &&
        (c->shard = corm__shard_take(watch->durations, endpoint)) == NULL) {
        free(c);
        return corm__fail_memory(error, "a connection");
    }
    c->watch = watch;
    int rc = endpoint->driver->connect(endpoint, for_writing, deadline, &c->link, error);
    if (rc < 0) {
        give_shard(c);
        free(c);
        return rc;
    }
    c->node = endpoint->node;
    c->cache_max = CORM__CACHE_MAX;
    c->process = corm__process_id();
    c->expires = INT64_MAX;
    note_opened(c);
    *connection = c;
    return 0;
}

int corm__connection_reopen(struct corm__connection *c, const struct corm__endpoint *endpoint,
                            int64_t deadline, struct corm_error *error)
{
    struct corm__link *fresh = NULL;

    if (check_process(c, error) < 0)
        return error->code;
    int rc = endpoint->driver->connect(endpoint, true, deadline, &fresh, error);
    if (rc < 0)
        return rc;
    corm__connection_shed(c);
    c->link->driver->close(c->link);
    c->link = fresh;
    c->dirty = false;
    note_opened(c);
    return 0;
}

void corm__connection_close(struct corm__connection *c)
{
    if (c->process != corm__process_id())
        c->link->driver->disown(c->link);
    else
        give_shard(c); /* in a child another thread may have had the mutex */
    corm__connection_shed(c);
    corm__map_free(&c->cache);
    c->link->driver->close(c->link);
    free(c);
}

/* ---- Counting and telling ------------------------------------------------------ */

struct trip {
    int64_t  began;
    uint64_t round_trips;
};

static struct trip begin_trip(const struct corm__connection *c)
{
    struct trip trip = {.round_trips = c->link->round_trips};

    if (c->shard != NULL || c->watch->on_statement != NULL)
        trip.began = c->unused ? c->since : corm__now();
    return trip;
}

static uint64_t count_trip(struct corm__connection *c, const struct trip *trip)
{
    uint64_t round_trips = c->link->round_trips - trip->round_trips;

    if (round_trips > 0)
        atomic_fetch_add_explicit(&c->watch->round_trips, round_trips, memory_order_relaxed);
    return round_trips;
}

static void end_trip(struct corm__connection *c, const struct trip *trip,
                     const struct corm__statement *statement, uint32_t attempt, int64_t rows,
                     const struct corm_error *error)
{
    struct corm__watch *w = c->watch;
    uint64_t            round_trips = count_trip(c, trip);

    if (error->code != 0)
        corm__count_code(&w->errors, error->code);
    if (c->shard == NULL && w->on_statement == NULL)
        return;
    c->unused = false;
    int64_t nanoseconds = corm__now() - trip->began;
    if (c->shard != NULL)
        corm__observe(&c->shard->durations, corm__duration_bounds, (uint64_t)nanoseconds);
    if (w->on_statement == NULL)
        return;
    struct corm_event event = {
        .size = sizeof(event),
        .text = statement->text,
        .bind_count = statement->bind_count,
        .round_trips = (uint32_t)round_trips,
        .code = error->code,
        .server_code = error->server_code,
        .rows = rows,
        .nanoseconds = nanoseconds,
        .attempt = attempt,
        .connection = c->number,
        .node = c->node,
        .lane = c->lane,
        .members = c->members,
    };
    w->on_statement(&event, w->on_statement_arg);
}

/* ---- Resets ---------------------------------------------------------------------- */

bool corm__connection_begin_reset(struct corm__connection *c)
{
    struct trip trip = begin_trip(c);

    c->resetting = c->link->driver->begin_reset(c->link);
    c->dirty = false;
    count_trip(c, &trip);
    return c->resetting;
}

int corm__connection_end_reset(struct corm__connection *c, int64_t deadline,
                               struct corm_error *error)
{
    struct trip            trip = begin_trip(c);
    struct corm__statement s = corm__control("(a session as it was before corm_sql())");
    int                    rc = c->link->driver->end_reset(c->link, deadline, error);

    c->resetting = false;
    corm__connection_shed(c); /* the server has forgotten them */
    end_trip(c, &trip, &s, 0, 0, error);
    return rc;
}

/* ---- Running ------------------------------------------------------------------- */

int corm__connection_end_session(struct corm__connection *c, const struct corm__session *session,
                                 int64_t deadline, struct corm_error *error)
{
    struct trip            trip = begin_trip(c);
    struct corm__statement s = corm__control("(ends the session of a connection that was lost)");
    int                    rc = check_process(c, error);

    if (rc < 0)
        return rc;
    rc = c->link->driver->end_session(c->link, session, deadline, error);
    end_trip(c, &trip, &s, 0, rc > 0, error);
    return rc;
}

int corm__connection_catch_up(struct corm__connection *c, const char *gtids, uint32_t ms,
                              int64_t deadline, struct corm_error *error)
{
    struct trip            trip = begin_trip(c);
    struct corm__statement s = corm__control("(waits for what was written elsewhere)");
    int                    rc = check_process(c, error);

    if (rc < 0)
        return rc;
    rc = c->link->driver->catch_up(c->link, gtids, ms, deadline, error);
    end_trip(c, &trip, &s, 0, 0, error);
    return rc;
}

int corm__connection_enter(struct corm__connection *c, const struct corm__mode *mode,
                           uint32_t attempt, int64_t deadline, struct corm_error *error)
{
    struct trip trip = begin_trip(c);
    int         rc = check_process(c, error);

    if (rc == 0)
        rc = c->link->driver->enter(c->link, mode, deadline, error);
    if (rc == 0)
        return 0;
    struct corm__statement s = corm__control(mode->trx ? "(begin, or a session for transactions)"
                                                       : "(a session for statements)");
    end_trip(c, &trip, &s, attempt, 0, error);
    return rc < 0 ? rc : 0;
}

int corm__connection_control(struct corm__connection *c, const char *text, uint32_t attempt,
                             int64_t deadline, struct corm_error *error)
{
    struct trip            trip = begin_trip(c);
    struct corm__statement s = corm__control(text);
    int                    rc = check_process(c, error);

    if (rc < 0)
        return rc;
    rc = c->link->driver->control(c->link, text, deadline, error);
    atomic_fetch_add_explicit(&c->watch->statements, 1, memory_order_relaxed);
    end_trip(c, &trip, &s, attempt, 0, error);
    return rc;
}

static int run_one(struct corm__connection *c, const struct corm__statement *statement,
                   const struct corm__array *array, struct corm__run *run, struct corm_error *error)
{
    struct trip trip = begin_trip(c);
    int         rc;

    run->result = (struct corm__result){0};
    if (!run->in_time && check_deadline(run, error) < 0) {
        rc = error->code;
    } else if (statement->verb == CORM__CONTROL) {
        rc = c->link->driver->control(c->link, statement->text, run->deadline + run->grace_ns,
                                      error);
    } else if (statement->once) {
        struct corm__prepared *prepared = NULL;
        rc = prepare(c, statement, run->deadline, &prepared, error);
        if (rc == 0) {
            rc = check_deadline(run, error);
            if (rc == 0)
                rc = execute(c, prepared, statement, array, run, error);
            c->link->driver->finalize(c->link, prepared);
            if (rc == CORM__STALE_STATEMENT)
                rc = error->code = CORM_CONFLICT;
        }
    } else {
        rc = execute_cached(c, statement, array, run, error);
    }
    end_trip(c, &trip, statement, run->attempt, run->result.rows, error);
    return rc;
}

static int run_each(struct corm__connection *c, struct corm__run *run, struct corm_error *error)
{
    int64_t grace_ns = run->grace_ns;
    int     rc = 0;

    for (size_t i = 0; rc == 0 && i < run->count; i++) {
        const struct corm__statement *s = &run->statements[i];
        bool                          last = i + 1 == run->count;
        run->failed = i;
        c->link->sent = false;
        run->grace_ns = last ? grace_ns : 0;
        rc = run_one(c, s, NULL, run, error);
        run->in_time = false;
        if (rc < 0) /* or the last one, which may be COMMIT, was not sent */
            c->link->sent = c->link->sent && last;
        else if (s->id != NULL)
            *s->id = run->result.generated;
    }
    run->grace_ns = grace_ns;
    return rc;
}

/* ---- One trip for many: the sink in front of the caller's ------------------------ */

/* Takes the generated keys that come in front of the rows, each in a result set of its own. */
struct keys_sink {
    struct corm__sink       base;
    const struct corm__run *run;
    size_t                  next; /* the statement whose key comes next; run->count: the rows */
};

static void find_next(struct keys_sink *s)
{
    while (s->next < s->run->count && s->run->statements[s->next].id == NULL)
        s->next++;
}

static int keys_start(struct corm__sink *base, const struct corm_table **types,
                      struct corm_error *error)
{
    struct keys_sink *s = (struct keys_sink *)base;

    find_next(s);
    return s->next < s->run->count ? 0 : corm__sink_start(s->run->sink, types, error);
}

static int keys_names(struct corm__sink *base, const char *const *names, uint32_t count,
                      struct corm_error *error)
{
    struct keys_sink *s = (struct keys_sink *)base;

    return s->next < s->run->count ? 0 : corm__sink_names(s->run->sink, names, count, error);
}

static int keys_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                    struct corm_error *error)
{
    struct keys_sink *s = (struct keys_sink *)base;

    if (s->next == s->run->count)
        return s->run->sink->row(s->run->sink, values, count, error);
    *s->run->statements[s->next].id = values[0].as.i;
    s->next++;
    return 0;
}

/* Which statement of a compound has failed; 0 where nobody knows. */
static size_t ask_failed(struct corm__connection *c, struct corm__run *run)
{
    struct corm__number_sink sink = corm__number_sink();
    struct corm__statement   ask = corm__control(CORM__BATCH_ASK_FAILED);
    struct corm__run         again = {.sink = &sink.base,
                                      .arena = run->arena,
                                      .attempt = run->attempt,
                                      .deadline = run->deadline + run->grace_ns};

    ask.verb = CORM__READ;
    if (c->link->lost || !corm__is_counted(run->statements, run->count) ||
        run_one(c, &ask, NULL, &again, &run->question) < 0)
        return 0;
    return sink.number >= 0 && (size_t)sink.number < run->count ? (size_t)sink.number : 0;
}

static int run_compound(struct corm__connection *c, struct corm__run *run, struct corm_error *error)
{
    struct keys_sink       keys = {.base = {keys_start, keys_names, keys_row}, .run = run};
    struct corm__statement compound;
    struct corm__run       whole = *run;
    int rc = corm__make_compound(run->arena, run->statements, run->count, &compound, error);

    if (rc < 0)
        return rc;
    whole.sink = &keys.base;
    rc = run_one(c, &compound, NULL, &whole, error);
    run->result = whole.result;
    if (rc < 0 && !c->link->sent)
        run->failed = 0;
    else if (rc < 0) /* what the server did not refuse, we did: rows that cannot be taken */
        run->failed = error->server_code != 0 ? ask_failed(c, run) : run->count - 1;
    return rc < 0 ? error->code : rc;
}

int corm__connection_run(struct corm__connection *c, struct corm__run *run,
                         struct corm_error *error)
{
    run->failed = 0;
    run->question.code = 0;
    if (check_process(c, error) < 0)
        return error->code;
    atomic_fetch_add_explicit(&c->watch->statements, run->count, memory_order_relaxed);
    c->link->sent = false;
    c->link->gtid[0] = '\0';
    if (run->count > 1 && corm__has_compound(c->link->dialect))
        return run_compound(c, run, error);
    return run_each(c, run, error);
}

int corm__connection_run_array(struct corm__connection *c, const struct corm__statement *statement,
                               const struct corm__array *array, struct corm__sink *sink,
                               uint32_t attempt, int64_t deadline, struct corm_error *error)
{
    struct corm__statement s = *statement;
    struct corm__run       run = {.sink = sink, .attempt = attempt, .deadline = deadline};

    if (check_process(c, error) < 0)
        return error->code;
    s.binds = NULL;
    s.bind_count = array->column_count;
    atomic_fetch_add_explicit(&c->watch->statements, 1, memory_order_relaxed);
    c->link->sent = false;
    return run_one(c, &s, array, &run, error);
}
