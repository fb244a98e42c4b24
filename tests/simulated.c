/* simulated.c -- a driver whose server is in memory, behind a link that breaks. */
#include "simulated.h"

#include "base/arena.h"
#include "driver/array.h"
#include "scheduler.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct simulated simulated;

const char *const simulated_fault_names[SIMULATED_FAULTS] = {
    [LATE_REQUEST] = "late request",
    [LATE_ANSWER] = "late answer",
    [LOST_BEFORE] = "lost before it arrived",
    [LOST_AFTER] = "answer lost",
    [GHOST] = "arrived after its client had gone",
    [HUNG] = "no answer",
    [SESSION_KILLED] = "KILL in a batch",
    [QUERY_KILLED] = "KILL QUERY",
    [DEADLOCKED] = "deadlock",
    [TIMED_OUT] = "lock wait timeout",
    [COMMIT_FAILED_] = "error at COMMIT",
    [STALE] = "statement to be prepared again",
    [REFUSED] = "connection refused",
    [RESTARTS] = "restart",
    [KILLS] = "KILL",
};

enum {
    MICROSECOND = 1000,
    MILLISECOND = 1000000,
    SERVER_GONE = 2006,
    SERVER_LOST = 2013,
    CANNOT_CONNECT = 2002,
    TOO_MANY = 1040,
    RESOLVE_MS = 1000
};

struct simulated_link {
    struct corm__link      base;
    struct server_session *session;
    struct simulated_link *next;  /* of those that are open */
    bool                   wrote; /* in the open transaction */
    uint64_t               marks; /* that are written in it */
    bool                   left;  /* the session is no longer this link's to end */
};

struct corm__prepared {
    int  unused; /* a struct must have more than an open array */
    char text[];
};

static struct simulated_link *links;

void simulated_trace(const char *format, ...)
{
    va_list args;

    if (!simulated.traces)
        return;
    va_start(args, format);
    (void)fprintf(stderr, "%8lld us  ", (long long)(scheduler_now() - 1000000000) / 1000);
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr, "\n");
    va_end(args);
}

static struct simulated_link *of(struct corm__link *base)
{
    return (struct simulated_link *)base;
}

static unsigned long long id_of(const struct simulated_link *link)
{
    return (unsigned long long)server_id(link->session);
}

static int64_t chance(int64_t from, int64_t to)
{
    return from + (int64_t)scheduler_random((uint64_t)(to - from));
}

static int64_t soonest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- Requests without a client ------------------------------------------------------ */

struct ghost {
    struct server_session *session;
    struct server_request  request; /* a copy; its text is NULL where nothing will arrive */
    struct corm_arena     *arena;   /* of that */
    int64_t                arrives, ends;
};

static void copy_request(struct ghost *g, const struct server_request *request)
{
    size_t             n = request->rows * request->width;
    struct corm_value *binds = corm_arena_alloc(g->arena, n * sizeof(*binds) + 1);

    g->request = *request;
    g->request.text = corm__arena_copy(g->arena, request->text, strlen(request->text));
    g->request.binds = binds;
    for (size_t i = 0; i < n; i++) {
        binds[i] = request->binds[i];
        if (binds[i].kind == CORM_V_TEXT)
            binds[i].as.s = corm__arena_copy(g->arena, binds[i].as.s, binds[i].size);
    }
}

static void ghost_main(void *arg)
{
    struct ghost          *g = arg;
    struct server_response response;

    scheduler_sleep(g->arrives);
    if (g->request.text != NULL && server_is_alive(g->session)) {
        (void)server_run(g->session, &g->request, INT64_MAX, &response);
        simulated_trace("#%llu (its client has gone) %d: %s",
                        (unsigned long long)server_id(g->session), response.code, g->request.text);
    }
    scheduler_sleep(g->ends);
    server_disconnect(g->session);
    corm_arena_free(g->arena);
    free(g);
}

/* The session of a link that is lost lives on, and the request, if there is one, arrives. */
static void leave_session(struct simulated_link *link, const struct server_request *request,
                          int64_t arrives)
{
    struct ghost *g = calloc(1, sizeof(*g));
    int64_t       lives = scheduler_random(2) == 0 ? 20 : 3000;

    if (g == NULL)
        abort();
    g->session = link->session;
    g->arrives = arrives;
    g->ends = arrives + chance(0, lives * MILLISECOND);
    g->arena = corm_arena_new();
    if (request != NULL && request->mode == NULL)
        copy_request(g, request);
    link->base.lost = link->left = true;
    scheduler_spawn(ghost_main, g);
}

/* ---- Faults ------------------------------------------------------------------------------ */

/* One of `kinds`, or -1. */
static int choose_fault(const enum simulated_fault *kinds, size_t count)
{
    if (scheduler_random(1000) >= simulated.faults_in_1000)
        return -1;
    int fault = (int)kinds[scheduler_random(count)];
    if (!simulated.has[fault])
        return -1;
    simulated.count[fault]++;
    simulated_trace("    fault: %s", simulated_fault_names[fault]);
    return fault;
}

static int fault_of_call(void)
{
    static const enum simulated_fault kinds[] = {
        LATE_REQUEST, LATE_ANSWER, LOST_BEFORE,  LOST_AFTER,     GHOST,          HUNG,
        DEADLOCKED,   TIMED_OUT,   QUERY_KILLED, SESSION_KILLED, COMMIT_FAILED_, STALE};

    return choose_fault(kinds, sizeof(kinds) / sizeof(kinds[0]));
}

static int fault_of_prepare(void)
{
    static const enum simulated_fault kinds[] = {LATE_ANSWER, LOST_BEFORE};

    return choose_fault(kinds, 2);
}

static int fault_of_connect(void)
{
    static const enum simulated_fault kinds[] = {REFUSED, REFUSED, LATE_ANSWER};

    return choose_fault(kinds, 3);
}
/* Where in a batch it comes; the end of it, with COMMIT, is what matters most. */
static void plan(struct server_request *request, int fault)
{
    static const int codes[SIMULATED_FAULTS] = {[DEADLOCKED] = 1213,
                                                [TIMED_OUT] = 1205,
                                                [QUERY_KILLED] = 1317,
                                                [SESSION_KILLED] = 1927,
                                                [COMMIT_FAILED_] = 1180};
    bool             commits = strstr(request->text, "COMMIT") != NULL;

    if (fault < 0 || codes[fault] == 0)
        return;
    request->fault_code = codes[fault];
    request->fault_at =
        commits && scheduler_random(2) == 0 ? SERVER_AT_COMMIT : (int)scheduler_random(4);
    request->fault_after = fault != DEADLOCKED && fault != TIMED_OUT && request->fault_at <= 0 &&
                           scheduler_random(2) == 0;
}

/* ---- One call ------------------------------------------------------------------------------ */

static int fail_as_server(struct corm__link *link, int server_code, const char *message,
                          struct corm_error *error)
{
    const struct corm__server_error *row = corm__find_error(corm__mariadb_errors, server_code);
    int                              code = row != NULL ? row->code : CORM_SERVER_ERROR;

    link->lost = link->lost || (code <= CORM_CONNECTION_GONE && code > CORM_OUTCOME_UNKNOWN);
    return corm__fail_server(error, code, server_code, "", "%s (%d)",
                             message[0] != '\0' ? message : "as the seed says", server_code);
}

static int fail_late(struct corm__link *link, struct corm_error *error)
{
    link->lost = true;
    return corm__fail_server(error, CORM_DEADLINE, SERVER_LOST, "HY000",
                             "the server did not answer in time");
}

static int fail_lost(struct corm__link *link, struct corm_error *error)
{
    return fail_as_server(link, SERVER_LOST, "the link is cut", error);
}

/* The way to the session. 0, or an error: what was sent may arrive later all the same. */
static int go_there(struct simulated_link *link, const struct server_request *request, int fault,
                    int64_t deadline, struct corm_error *error)
{
    int64_t takes = chance(20 * MICROSECOND, 200 * MICROSECOND);

    if (fault == LATE_REQUEST)
        takes = chance(MILLISECOND, 2000 * (int64_t)MILLISECOND);
    int64_t arrives = scheduler_now() + takes;
    if (fault == HUNG || arrives > deadline) {
        int64_t later = chance(0, 2000 * (int64_t)MILLISECOND);
        bool    vanishes = fault == HUNG && scheduler_random(2) == 0;
        leave_session(link, vanishes ? NULL : request, arrives + (fault == HUNG ? later : 0));
        scheduler_sleep(deadline);
        return fail_late(&link->base, error);
    }
    scheduler_sleep(arrives);
    if (fault == GHOST || fault == LOST_BEFORE) {
        int64_t delay = scheduler_random(2) == 0 ? 2 : 2000;
        leave_session(link, fault == GHOST ? request : NULL,
                      scheduler_now() + chance(0, delay * MILLISECOND));
        return fail_lost(&link->base, error);
    }
    if (!server_is_alive(link->session))
        return fail_lost(&link->base, error);
    return 0;
}

static int come_back(struct simulated_link *link, int fault, int64_t deadline,
                     struct corm_error *error)
{
    int64_t takes = chance(20 * MICROSECOND, 200 * MICROSECOND);

    if (fault == LATE_ANSWER)
        takes = chance(MILLISECOND, 2000 * (int64_t)MILLISECOND);
    if (fault == LOST_AFTER) {
        leave_session(link, NULL, scheduler_now());
        scheduler_sleep(scheduler_now() + takes);
        return fail_lost(&link->base, error);
    }
    if (scheduler_now() + takes > deadline) {
        leave_session(link, NULL, scheduler_now());
        scheduler_sleep(deadline);
        return fail_late(&link->base, error);
    }
    scheduler_sleep(scheduler_now() + takes);
    return 0;
}

static int trip(struct simulated_link *link, struct server_request *request, int64_t deadline,
                struct server_response *response, struct corm_error *error)
{
    int fault = fault_of_call();

    if (request->mode == NULL)
        plan(request, fault);
    int rc = go_there(link, request, fault, deadline, error);
    if (rc < 0)
        return rc;
    if (fault == STALE && request->mode == NULL && request->width > 0) {
        response->code = 1615;
        response->message[0] = '\0';
        return fail_as_server(&link->base, 1615, "", error);
    }
    if (!server_run(link->session, request, deadline, response)) {
        leave_session(link, request, scheduler_now());
        return fail_late(&link->base, error);
    }
    simulated.natural_deadlocks += response->code == 1213 && request->fault_code != 1213;
    simulated.waits += response->code == 1205 && request->fault_code != 1205;
    rc = come_back(link, fault, deadline, error);
    if (rc == 0 && response->code != 0)
        rc = fail_as_server(&link->base, response->code, response->message, error);
    return rc;
}

static bool writes(const char *text)
{
    return strstr(text, "INSERT ") != NULL || strstr(text, "UPDATE `") != NULL ||
           strstr(text, "DELETE ") != NULL;
}

static bool is_doubtful(const struct simulated_link *link, const struct server_request *request,
                        const struct corm_error *error)
{
    bool commits = strstr(request->text, "COMMIT") != NULL || !link->base.mode.trx;
    int  code = error->server_code;

    return commits && link->wrote &&
           (link->base.lost || code == 1317 || code == 1180 || code == 1927);
}

static int call(struct simulated_link *link, struct server_request *request, int64_t deadline,
                struct server_response *response, struct corm_error *error)
{
    assert(scheduler_mutexes() == 0 && "I/O under a mutex");
    assert(!link->base.lost && "a link is used that is lost");
    simulated.calls++;
    link->base.round_trips++;
    link->base.sent = true;
    simulated_trace("#%llu %s", id_of(link), request->mode != NULL ? "(mode)" : request->text);
    link->wrote = link->wrote || (request->mode == NULL && writes(request->text));
    uint64_t marks = link->marks | server_marks(NULL, request);
    int      rc = trip(link, request, deadline, response, error);
    if (rc < 0)
        simulated_trace("#%llu -> %d (%d)%s", id_of(link), rc, error->server_code,
                        link->base.lost ? ", lost" : "");
    if (rc < 0 && request->mode == NULL && is_doubtful(link, request, error) &&
        simulated.doubt != NULL)
        simulated.doubt(marks);
    if (rc == 0) {
        link->base.in_trx = response->in_trx;
        link->base.autocommits = link->base.mode.trx && response->autocommits;
        link->wrote = link->wrote && response->in_trx;
        link->marks = response->marks;
    }
    return rc;
}

/* ---- Sessions of links that were lost ---------------------------------------------------- */

static void name_session(struct simulated_link *link)
{
    struct corm__session *s = &link->base.session;

    s->id = server_id(link->session);
    s->began = (int64_t)server_runs();
    (void)snprintf(s->server, sizeof(s->server), "simulated");
}

static int link_end_session(struct corm__link *base, const struct corm__session *session,
                            int64_t deadline, struct corm_error *error)
{
    struct corm__mode     *none = NULL;
    struct server_request  request = {.mode = none, .text = "SELECT COUNT(*) FROM item", .rows = 1};
    struct server_response response;

    if (!simulated.ends_sessions || session->id == 0 || session->began != base->session.began)
        return 0;
    int rc = call(of(base), &request, deadline, &response, error);
    if (rc < 0)
        return rc;
    return server_kill(session->id);
}

/* ---- The driver ------------------------------------------------------------------------------ */

static int fail_connect(int server_code, int64_t at, struct corm_error *error)
{
    struct corm__link none = {.lost = true};

    scheduler_sleep(at);
    return fail_as_server(&none, server_code, "cannot connect", error);
}

static int link_connect(const struct corm__endpoint *endpoint, bool for_writing, int64_t deadline,
                        struct corm__link **out, struct corm_error *error)
{
    int     fault = fault_of_connect();
    int64_t takes = chance(100 * MICROSECOND, 600 * MICROSECOND);

    (void)for_writing;
    assert(scheduler_mutexes() == 0 && "I/O under a mutex");
    if (fault == LATE_ANSWER)
        takes = chance(MILLISECOND, 2000 * (int64_t)MILLISECOND);
    int64_t at = soonest(scheduler_now() + takes, deadline);
    if (fault == REFUSED)
        return fail_connect(scheduler_random(4) == 0 ? TOO_MANY : CANNOT_CONNECT, at, error);
    if (scheduler_now() + takes > deadline)
        return fail_connect(CANNOT_CONNECT, at, error);
    scheduler_sleep(at);
    struct server_session *session = server_connect();
    if (session == NULL)
        return fail_connect(CANNOT_CONNECT, at, error);
    struct simulated_link *link = calloc(1, sizeof(*link));
    if (link == NULL)
        abort();
    link->base.driver = endpoint->driver;
    link->base.dialect = CORM_DIALECT_MARIADB;
    link->base.has_uuid = true;
    link->base.has_ledger = simulated.has_ledger;
    link->session = session;
    name_session(link);
    link->next = links;
    links = link;
    *out = &link->base;
    simulated_trace("#%llu opened", id_of(link));
    return 0;
}

static void link_close(struct corm__link *base)
{
    struct simulated_link **at = &links;

    assert(scheduler_mutexes() == 0 && "I/O under a mutex");
    while (*at != of(base))
        at = &(*at)->next;
    *at = of(base)->next;
    simulated_trace("#%llu closed", id_of(of(base)));
    if (!base->lost)
        server_disconnect(of(base)->session);
    else if (!of(base)->left && server_is_alive(of(base)->session)) /* given up by corm */
        leave_session(of(base), NULL, scheduler_now());
    free(base);
}

static bool link_is_alive(struct corm__link *base)
{
    bool gone = base->lost || !server_is_alive(of(base)->session);

    return !gone || (!base->lost && scheduler_random(4) == 0); /* nobody has told it yet */
}

/* What a text has touched is closed. */
static bool link_begin_reset(struct corm__link *link)
{
    (void)link;
    return false;
}

static int link_enter(struct corm__link *base, const struct corm__mode *mode, int64_t deadline,
                      struct corm_error *error)
{
    struct server_request  request = {.mode = mode, .text = "", .rows = 1};
    struct server_response response;

    if (mode->trx == base->mode.trx &&
        (!mode->trx ||
         (mode->isolation == base->mode.isolation && mode->read_only == base->mode.read_only)) &&
        mode->lock_wait_s == base->mode.lock_wait_s)
        return 0;
    int rc = call(of(base), &request, deadline, &response, error);
    if (rc < 0) {
        if (!base->lost)
            leave_session(of(base), NULL, scheduler_now());
        return rc;
    }
    base->mode = *mode;
    return 1;
}

static int link_prepare(struct corm__link *base, const char *text, size_t size, int64_t deadline,
                        struct corm__prepared **out, struct corm_error *error)
{
    struct simulated_link *link = of(base);
    int                    fault = fault_of_prepare();
    int64_t                takes = chance(20 * MICROSECOND, 200 * MICROSECOND);

    assert(scheduler_mutexes() == 0 && !base->lost);
    if (fault == LATE_ANSWER)
        takes = chance(MILLISECOND, 2000 * (int64_t)MILLISECOND);
    bool late = scheduler_now() + takes > deadline;
    scheduler_sleep(soonest(scheduler_now() + takes, deadline));
    if (late || fault == LOST_BEFORE) {
        leave_session(link, NULL, scheduler_now());
        return late ? fail_late(base, error) : fail_lost(base, error);
    }
    if (!server_is_alive(link->session))
        return fail_lost(base, error);
    struct corm__prepared *p = calloc(1, sizeof(*p) + size + 1);
    if (p == NULL)
        abort();
    memcpy(p->text, text, size);
    *out = p;
    return 0;
}

static void link_finalize(struct corm__link *link, struct corm__prepared *p)
{
    (void)link;
    free(p);
}

/* Gives the rows of a result set to the sink. */
static int give_set(const struct server_set *set, struct corm__sink *sink, struct corm_error *error)
{
    static const char *const names[8] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    const struct corm_table *types = NULL;
    int                      rc = corm__sink_start(sink, &types, error);

    if (rc == 0 && types == NULL)
        rc = corm__sink_names(sink, names, set->columns, error);
    for (uint32_t i = 0; rc == 0 && i < set->count; i++)
        rc = sink->row(sink, set->values + (size_t)i * set->columns, set->columns, error);
    return rc < 0 ? rc : 0;
}

static int give_sets(const struct server_response *response, struct corm__sink *sink,
                     struct corm__result *result, struct corm_error *error)
{
    int rc = 0;

    result->rows = response->matched;
    result->generated = response->generated;
    for (uint32_t i = 0; rc == 0 && i < response->set_count; i++) {
        assert(sink != NULL && "rows that nobody reads");
        result->rows = response->sets[i].count;
        rc = give_set(&response->sets[i], sink, error);
    }
    return rc;
}

static int link_execute(struct corm__link *base, struct corm__prepared *p,
                        const struct corm__statement *statement, struct corm__sink *sink,
                        int64_t deadline, struct corm__result *result, struct corm_error *error)
{
    struct server_request request = {
        .text = p->text, .binds = statement->binds, .rows = 1, .width = statement->bind_count};
    struct server_response response;

    *result = (struct corm__result){0};
    int rc = call(of(base), &request, deadline, &response, error);
    return rc < 0 ? rc : give_sets(&response, sink, result, error);
}

static int link_execute_array(struct corm__link *base, struct corm__prepared *p,
                              const struct corm__array *array, struct corm__sink *sink,
                              int64_t deadline, struct corm_error *error)
{
    struct server_request request = {
        .text = p->text, .rows = array->rows, .width = array->column_count, .bulk = true};
    struct server_response response;
    struct corm__result    ignored;
    struct corm_value     *binds = calloc(array->rows * array->column_count + 1, sizeof(*binds));

    assert(base->mode.trx && "an array outside a transaction");
    if (binds == NULL)
        abort();
    for (size_t row = 0; row < array->rows; row++)
        for (uint32_t i = 0; i < array->column_count; i++)
            binds[row * array->column_count + i] = corm__array_value(&array->columns[i], row);
    request.binds = binds;
    int rc = call(of(base), &request, deadline, &response, error);
    if (rc == CORM__STALE_STATEMENT)
        rc = error->code = CORM_CONFLICT;
    if (rc == 0)
        rc = give_sets(&response, sink, &ignored, error);
    free(binds);
    return rc;
}

static int link_control(struct corm__link *base, const char *text, int64_t deadline,
                        struct corm_error *error)
{
    struct server_request  request = {.text = text, .rows = 1};
    struct server_response response;

    return call(of(base), &request, deadline, &response, error);
}

static const struct corm__server_error *find_error(int server_code)
{
    return corm__find_error(corm__mariadb_errors, server_code);
}

static const struct corm__driver driver = {
    .name = "simulated",
    .has_trips = true,
    .connect = link_connect,
    .close = link_close,
    .is_alive = link_is_alive,
    .begin_reset = link_begin_reset,
    .enter = link_enter,
    .prepare = link_prepare,
    .finalize = link_finalize,
    .execute = link_execute,
    .execute_array = link_execute_array,
    .end_session = link_end_session,
    .find_error = find_error,
    .control = link_control,
};

/* ---- Chaos ------------------------------------------------------------------------------------- */

static void chaos_main(void *arg)
{
    unsigned times = *(unsigned *)arg;

    free(arg);
    for (; times > 0; times--) {
        enum simulated_fault fault = scheduler_random(3) == 0 ? RESTARTS : KILLS;
        int64_t              span = scheduler_random(3) == 0 ? 500 : 10;
        scheduler_sleep(scheduler_now() + chance(0, span * MILLISECOND));
        if (!simulated.has[fault])
            continue;
        simulated.count[fault]++;
        simulated_trace("    %s", simulated_fault_names[fault]);
        if (fault == RESTARTS)
            server_restart(chance(0, 300 * (int64_t)MILLISECOND));
        else
            (void)server_kill(server_any_session());
    }
}

void simulated_chaos(unsigned times)
{
    unsigned *arg = malloc(sizeof(*arg));

    if (arg == NULL)
        abort();
    *arg = times;
    scheduler_spawn(chaos_main, arg);
}

/* ---- For the tests --------------------------------------------------------------------------------- */

struct corm_db *simulated_open(uint32_t connections, uint32_t lanes, uint32_t group_max,
                               uint32_t timeout_ms)
{
    struct corm__lane_options options = {
        .lanes = lanes, .group_max = group_max, .queue_max = 64, .lane_wait_ms = 300};
    struct corm_db   *db = calloc(1, sizeof(*db));
    struct corm_error error = {0};

    if (db == NULL)
        abort();
    db->arena = corm_arena_new();
    if (!corm__nodes_make(&db->nodes, 1))
        abort();
    db->nodes.all->endpoint.driver = &driver;
    db->nodes.all->endpoint.max_age_s = 1 << 24;
    db->nodes.all->timeout_ms = timeout_ms;
    db->nodes.all->resolve_ms = RESOLVE_MS;
    db->store = corm__trx_store_new(&db->nodes);
    if (corm__nodes_open(&db->nodes, connections, &error) < 0)
        abort();
    db->lanes = corm__lanes_new(db->store, &options);
    return db;
}

void simulated_close(struct corm_db *db)
{
    corm_close(db);
    assert(links == NULL && "a link was not closed");
    scheduler_join_all();
}

size_t simulated_held(void)
{
    size_t n = 0;

    for (const struct simulated_link *link = links; link != NULL; link = link->next)
        if (server_is_alive(link->session))
            n += server_held(link->session);
    return n;
}
