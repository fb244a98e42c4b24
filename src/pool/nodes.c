/* pool/nodes.c -- the nodes of a db, and the threads that look how they are. The states: nodes.h. */
#include "pool/nodes.h"

#include "base/clock.h"
#include "base/thread.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of one node. */
struct check {
    struct corm__nodes *nodes;
    struct corm__node  *node;
    pthread_t           thread;
    bool                started;
    bool                asked;  /* look now, not when the pause is over */
    bool                seen;   /* it has been looked at */
    uint32_t            misses; /* looks that were not good, since the last good one */
    int64_t             good_since;
    struct corm_error   error; /* of the last look, where that was not good */
    int64_t  unsure_since; /* of a writer: the last write whose position is not known; 0: none */
    uint64_t has;          /* how many of `writes` it is known to have, the first ones */
    bool     lags;         /* ... it was waited for in vain, since the last look */
};

struct corm__checks {
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t  changed;
    bool            stopping;
    bool            is_galera;
    char            cluster[sizeof(((struct corm__condition *)0)->cluster)]; /* "": not known yet */
    uint64_t        writes;        /* of this db: how many so far */
    struct corm__position written; /* by them, those aside that a writer is unsure of */
    struct corm__history  history; /* of the writers */
    struct check          of[CORM__NODES_MAX];
};

/* A reader that is new may just have missed what a busy writer has done meanwhile: nobody is told that it lags
 * before so many looks, in less than a second. */
enum { LOOKS_OF_NEW = 4 };

static enum corm__health health_of(const struct corm__node *node)
{
    return atomic_load_explicit(&node->health, memory_order_relaxed);
}

/* ---- Making and freeing ------------------------------------------------------------- */

bool corm__nodes_make(struct corm__nodes *nodes, uint32_t count)
{
    nodes->all =
        calloc(1, count * sizeof(*nodes->all) + (count > 1 ? sizeof(struct corm__checks) : 0));
    if (nodes->all == NULL)
        return false;
    nodes->count = nodes->writers = count;
    for (uint32_t i = 0; i < count; i++) {
        nodes->all[i].number = i + 1;
        nodes->all[i].watch = &nodes->watch;
        atomic_init(&nodes->all[i].health, count == 1 ? CORM__NODE_UP : CORM__NODE_NEW);
    }
    return true;
}

void corm__nodes_free(struct corm__nodes *nodes)
{
    corm__durations_free(nodes->watch.durations);
    nodes->watch.durations = NULL;
    free(nodes->all);
    nodes->all = NULL;
}

/* ---- What is known of a node, under the mutex ------------------------------------------ */

static void set_health(struct corm__nodes *nodes, struct corm__node *node, enum corm__health health)
{
    if (health_of(node) == health)
        return;
    atomic_store(&node->health, health);
    if (health == CORM__NODE_LEFT)
        atomic_fetch_add_explicit(&node->left, 1, memory_order_relaxed);
    atomic_fetch_add(&nodes->changes, 1);
}

static void leave(struct corm__nodes *nodes, struct check *check)
{
    set_health(nodes, check->node, CORM__NODE_LEFT);
    check->good_since = 0;
}

/* Whether it is one of the same kind and cluster as those before; what the first one is counts for all. */
static int check_kind(struct corm__checks *checks, const struct corm__condition *condition,
                      struct corm_error *error)
{
    if (checks->cluster[0] == '\0') {
        checks->is_galera = condition->is_galera;
        (void)snprintf(checks->cluster, sizeof(checks->cluster), "%s",
                       condition->is_galera ? condition->cluster : "none");
    }
    if (checks->is_galera == condition->is_galera &&
        (!condition->is_galera || strcmp(checks->cluster, condition->cluster) == 0))
        return 0;
    return corm__fail(error, CORM_UNSUPPORTED,
                      "it belongs to another cluster than the nodes that answered before");
}

static int check_condition(struct corm__checks *checks, const struct corm__node *node,
                           const struct corm__condition *condition, struct corm_error *error)
{
    if (condition->is_galera && !condition->is_synced)
        return corm__fail(error, CORM_NOT_READY, "it takes no part in its cluster at the moment");
    if (!node->reader && !condition->takes_writes)
        return corm__fail(error, CORM_READ_ONLY, "it takes no writes (read_only)");
    return check_kind(checks, condition, error);
}

/* ---- Positions, under the mutex ---------------------------------------------------------- */

static bool has_readers(const struct corm__nodes *nodes)
{
    return nodes->writers < nodes->count;
}

/* What a look at a writer tells. Where another one is gone that was unsure, nobody is ahead of this one. */
static void note_written(struct corm__nodes *nodes, const struct check *check,
                         const struct corm__condition *condition)
{
    struct corm__checks  *checks = nodes->checks;
    struct corm__position position;
    int64_t               limit = (int64_t)nodes->lag_ms * 1000000;

    if (checks->is_galera || !corm__position_read(&position, condition->written))
        return;
    corm__history_note(&checks->history, condition->asked, limit / (CORM__HISTORY_SIZE / 2),
                       &position);
    for (uint32_t i = 0; i < nodes->count; i++) {
        struct check *of = &checks->of[i];
        if (of->unsure_since == 0 || of->unsure_since >= condition->asked ||
            (of != check && health_of(of->node) != CORM__NODE_LEFT))
            continue;
        if (corm__position_add(&checks->written, &position))
            of->unsure_since = 0;
    }
}

static bool is_unsure(const struct corm__nodes *nodes)
{
    for (uint32_t i = 0; i < nodes->count; i++)
        if (nodes->checks->of[i].unsure_since != 0)
            return true;
    return false;
}

/* Whether a reader is near enough to the writers; *known: how near it is. */
static int check_lag(struct corm__nodes *nodes, struct check *check,
                     const struct corm__condition *condition, bool *known, struct corm_error *error)
{
    struct corm__checks  *checks = nodes->checks;
    struct corm__position position;

    *known = true;
    check->lags = false;
    if (checks->is_galera)
        return 0;
    if (!corm__position_read(&position, condition->applied))
        return corm__fail(error, CORM_NOT_READY,
                          "how far it is behind cannot be told: that takes GTIDs of MariaDB, of %d "
                          "domains at most",
                          CORM__DOMAINS_MAX);
    /* Also less than it had: one that crashed may have lost what it did not write through. */
    check->has =
        !is_unsure(nodes) && corm__position_has(&position, &checks->written) ? checks->writes : 0;
    int64_t lag = corm__history_lag(&checks->history, &position);
    if (lag >= 0 && lag <= (int64_t)nodes->lag_ms * 1000000)
        return 0;
    *known = lag >= 0;
    if (lag < 0)
        return corm__fail(error, CORM_NOT_READY,
                          "it has nothing yet of what the writers had when that was looked at");
    return corm__fail(error, CORM_NOT_READY, "it is %lld ms behind the writers, of at most %u",
                      (long long)lag / 1000000, nodes->lag_ms);
}

/* After a look. `rc`: whether it answered at all. */
static void judge(struct corm__nodes *nodes, struct check *check, int rc,
                  const struct corm__condition *condition, const struct corm_error *error)
{
    struct corm__checks *checks = nodes->checks;
    struct corm_error    bad = *error;
    int64_t              now = corm__now();
    bool                 known = true;

    atomic_store(&check->node->silent, rc < 0);
    if (rc == 0)
        rc = check_condition(checks, check->node, condition, &bad);
    if (rc == 0 && check->node->reader)
        rc = check_lag(nodes, check, condition, &known, &bad);
    else if (rc == 0 && has_readers(nodes))
        note_written(nodes, check, condition);
    if (rc < 0) {
        check->error = bad;
        check->misses++;
        if (known || health_of(check->node) != CORM__NODE_NEW)
            leave(nodes, check);
    } else {
        check->misses = 0;
        if (check->good_since == 0)
            check->good_since = now;
        if (health_of(check->node) == CORM__NODE_NEW ||
            now - check->good_since >= (int64_t)CORM__RETURN_MS * 1000000)
            set_health(nodes, check->node, CORM__NODE_UP);
        else if (health_of(check->node) == CORM__NODE_LEFT)
            set_health(nodes, check->node, CORM__NODE_BACK);
    }
    check->seen = known || check->misses >= LOOKS_OF_NEW;
    (void)pthread_cond_broadcast(&checks->changed);
}

void corm__nodes_judge(struct corm__nodes *nodes, struct corm__node *node, int rc,
                       const struct corm__condition *condition, const struct corm_error *error)
{
    (void)pthread_mutex_lock(&nodes->checks->mutex);
    judge(nodes, &nodes->checks->of[node->number - 1], rc, condition, error);
    (void)pthread_mutex_unlock(&nodes->checks->mutex);
}

static uint32_t pause_of(const struct check *check)
{
    uint32_t doublings = check->misses > 0 ? check->misses - 1 : 0;

    if (health_of(check->node) == CORM__NODE_UP)
        return CORM__LOOK_EVERY_MS;
    if (check->misses == 0) /* it is BACK: not long after it may be UP */
        return CORM__LOOK_EVERY_MS / 2;
    return doublings < 4 ? CORM__LOOK_AGAIN_MS << doublings : CORM__LOOK_LATER_MS;
}

void corm__nodes_note(struct corm__nodes *nodes, struct corm__node *node,
                      const struct corm_error *error)
{
    struct corm__checks *checks = nodes->checks;
    enum { STORAGE_AT_COMMIT = 1180 };
    bool takes_none = error->code == CORM_READ_ONLY && error->server_code != 0;
    bool leaves = error->code == CORM_UNREACHABLE || error->code == CORM_NOT_READY || takes_none;
    bool doubtful = leaves || error->code == CORM_DISCONNECTED || error->code == CORM_DEADLINE ||
                    error->code == CORM_UNKNOWN || error->server_code == STORAGE_AT_COMMIT;

    if (checks == NULL || !doubtful)
        return;
    struct check *check = &checks->of[node->number - 1];
    (void)pthread_mutex_lock(&checks->mutex);
    if (leaves && !(node->reader && takes_none))
        leave(nodes, check);
    if (!check->asked && check->misses == 0) {
        check->asked = true;
        (void)pthread_cond_broadcast(&checks->changed);
    }
    (void)pthread_mutex_unlock(&checks->mutex);
}

/* ---- The thread of a node --------------------------------------------------------------- */

/* Asks the node how it is, over a link of its own that is kept. */
static int look(const struct corm__node *node, struct corm__link **link,
                struct corm__condition *condition, struct corm_error *error)
{
    struct corm__endpoint endpoint = node->endpoint;
    int64_t               deadline = corm__deadline_in(CORM__LOOK_MS);
    int                   rc = 0;

    endpoint.silent = NULL;
    if (*link != NULL && !endpoint.driver->is_alive(*link)) {
        endpoint.driver->close(*link);
        *link = NULL;
    }
    if (*link == NULL)
        rc = endpoint.driver->connect(&endpoint, true, deadline, link, error);
    int64_t asked = corm__now();
    if (rc == 0)
        rc = endpoint.driver->look(*link, deadline, condition, error);
    condition->asked = asked;
    if (rc < 0 && *link != NULL) {
        endpoint.driver->close(*link);
        *link = NULL;
    }
    return rc;
}

static void wait_for_turn(struct corm__checks *checks, struct check *check)
{
    int64_t         at = corm__deadline_in(pause_of(check));
    struct timespec until = {.tv_sec = (time_t)(at / 1000000000),
                             .tv_nsec = (long)(at % 1000000000)};

    while (!checks->stopping && !check->asked && corm__ms_left(at) > 0)
        (void)pthread_cond_timedwait(&checks->changed, &checks->mutex, &until);
    check->asked = false;
}

static void *check_main(void *arg)
{
    struct check        *check = arg;
    struct corm__checks *checks = check->nodes->checks;
    struct corm__link   *link = NULL;

    (void)pthread_mutex_lock(&checks->mutex);
    while (!checks->stopping) {
        struct corm__condition condition = {0};
        struct corm_error      error = {0};
        (void)pthread_mutex_unlock(&checks->mutex);
        int rc = look(check->node, &link, &condition, &error);
        corm__nodes_judge(check->nodes, check->node, rc, &condition, &error);
        (void)pthread_mutex_lock(&checks->mutex);
        wait_for_turn(checks, check);
    }
    (void)pthread_mutex_unlock(&checks->mutex);
    if (link != NULL)
        link->driver->close(link);
    return NULL;
}

void corm__nodes_prepare(struct corm__nodes *nodes)
{
    struct corm__checks *checks = (struct corm__checks *)(nodes->all + nodes->count);
    pthread_condattr_t   monotonic;

    (void)pthread_mutex_init(&checks->mutex, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&checks->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    nodes->checks = checks;
    for (uint32_t i = 0; i < nodes->count; i++) {
        checks->of[i].nodes = nodes;
        checks->of[i].node = &nodes->all[i];
    }
}

static int start_checks(struct corm__nodes *nodes, struct corm_error *error)
{
    corm__nodes_prepare(nodes);
    for (uint32_t i = 0; i < nodes->count; i++) {
        struct check *check = &nodes->checks->of[i];
        if (pthread_create(&check->thread, NULL, check_main, check) != 0)
            return corm__fail_memory(error, "the thread that looks at a node");
        check->started = true;
    }
    return 0;
}

/* They belong to the process that has started them, and use what they belong to until they have ended. */
static void stop_checks(struct corm__nodes *nodes)
{
    struct corm__checks *checks = nodes->checks;

    if (checks != NULL && nodes->all->process == corm__process_id()) {
        (void)pthread_mutex_lock(&checks->mutex);
        checks->stopping = true;
        (void)pthread_cond_broadcast(&checks->changed);
        (void)pthread_mutex_unlock(&checks->mutex);
        for (uint32_t i = 0; i < nodes->count; i++)
            if (checks->of[i].started)
                (void)pthread_join(checks->of[i].thread, NULL);
        (void)pthread_cond_destroy(&checks->changed);
        (void)pthread_mutex_destroy(&checks->mutex);
    }
    nodes->checks = NULL;
}

/* ---- Opening and closing ------------------------------------------------------------------ */

/* Waits until all nodes were looked at, each of which takes CORM__LOOK_MS at most. */
static void wait_for_looks(struct corm__nodes *nodes)
{
    struct corm__checks *checks = nodes->checks;

    (void)pthread_mutex_lock(&checks->mutex);
    for (uint32_t i = 0; i < nodes->count; i++)
        while (!checks->of[i].seen)
            (void)pthread_cond_wait(&checks->changed, &checks->mutex);
    (void)pthread_mutex_unlock(&checks->mutex);
}

/* What the first writer said, where none is UP. */
static void why_not(struct corm__nodes *nodes, struct corm_error *error)
{
    char who[64];

    (void)pthread_mutex_lock(&nodes->checks->mutex);
    for (uint32_t i = nodes->count; i-- > 0;)
        if (!nodes->all[i].reader)
            *error = nodes->checks->of[i].error;
    (void)pthread_mutex_unlock(&nodes->checks->mutex);
    (void)snprintf(who, sizeof(who), "none of the %u nodes that write can be used, the first says",
                   nodes->writers);
    corm__error_prefix(error, who);
}

/* A writer that is UP, with a connection that tells what all of them are. */
static int find_writer(struct corm__nodes *nodes, struct corm_error *error)
{
    struct corm__mode        single = {0};
    struct corm__connection *c = NULL;
    struct corm__node       *writer = corm__nodes_any(nodes);

    if (health_of(writer) != CORM__NODE_UP) {
        why_not(nodes, error);
        return error->code;
    }
    int rc = corm__pool_acquire(writer->write, &single, (struct corm__caller){"corm_open()", 0},
                                corm__deadline_in(writer->timeout_ms), &c, error);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < nodes->count; i++) {
        nodes->all[i].dialect = c->link->dialect;
        nodes->all[i].has_uuid = c->link->has_uuid;
    }
    corm__pool_release(writer->write, c);
    return 0;
}

/* Those that are not used yet, to who wants to hear of it. */
static void tell_missing(struct corm__nodes *nodes)
{
    const struct corm__watch *watch = &nodes->watch;
    char                      text[CORM_MESSAGE_MAX + 128];

    for (uint32_t i = 0; i < nodes->count && watch->on_warning != NULL; i++) {
        if (health_of(&nodes->all[i]) == CORM__NODE_UP)
            continue;
        (void)pthread_mutex_lock(&nodes->checks->mutex);
        (void)snprintf(text, sizeof(text),
                       "node %u of the database is not used as long as it is like this: %s", i + 1,
                       nodes->checks->of[i].error.message);
        (void)pthread_mutex_unlock(&nodes->checks->mutex);
        watch->on_warning(text, watch->on_warning_arg);
    }
}

int corm__nodes_open(struct corm__nodes *nodes, uint32_t connections, struct corm_error *error)
{
    int rc = 0;

    assert(nodes->count > 0);
    if (nodes->count == 1)
        return corm__node_open(nodes->all, connections, error);
    for (uint32_t i = 0; rc == 0 && i < nodes->count; i++) {
        nodes->all[i].endpoint.silent = &nodes->all[i].silent;
        nodes->all[i].endpoint.tells_position =
            nodes->writers < nodes->count && !nodes->all[i].reader;
        rc = corm__node_make_pools(&nodes->all[i], connections, error);
    }
    atomic_store(&nodes->kept, (uint32_t)(corm__now() / 1000) % nodes->count);
    atomic_store(&nodes->kept_reader, atomic_load(&nodes->kept));
    if (rc == 0)
        rc = start_checks(nodes, error);
    if (rc == 0) {
        wait_for_looks(nodes);
        rc = find_writer(nodes, error);
    }
    if (rc < 0) {
        corm__nodes_close(nodes);
        return rc;
    }
    tell_missing(nodes);
    return 0;
}

void corm__nodes_close(struct corm__nodes *nodes)
{
    stop_checks(nodes);
    for (uint32_t i = 0; i < nodes->count; i++)
        corm__node_close(&nodes->all[i]);
}

int corm__nodes_check(const struct corm__nodes *nodes, struct corm_error *error)
{
    return corm__node_check(nodes->all, error);
}

bool corm__nodes_are_held(const struct corm__nodes *nodes)
{
    for (uint32_t i = 0; i < nodes->count; i++)
        if (corm__node_is_held(&nodes->all[i]))
            return true;
    return false;
}

int corm__nodes_fill(struct corm__nodes *nodes, struct corm_error *error)
{
    int n = 0;

    for (uint32_t i = 0; i < nodes->count; i++) {
        if (health_of(&nodes->all[i]) == CORM__NODE_LEFT)
            continue;
        int m = corm__node_fill(&nodes->all[i], error);
        if (m < 0)
            return m;
        n += m;
    }
    return n;
}

/* Known since the first node has answered. */
bool corm__nodes_are_galera(const struct corm__nodes *nodes)
{
    if (nodes->checks == NULL)
        return false;
    (void)pthread_mutex_lock(&nodes->checks->mutex);
    bool is_galera = nodes->checks->is_galera;
    (void)pthread_mutex_unlock(&nodes->checks->mutex);
    return is_galera;
}

/* ---- Choosing ------------------------------------------------------------------------------- */

struct corm__node *corm__nodes_at(const struct corm__nodes *nodes, uint32_t n,
                                  struct corm_error *error)
{
    if (n >= 1 && n <= nodes->count)
        return &nodes->all[n - 1];
    corm__fail(error, CORM_MISUSE, "there is no node %u: the database has %u", n, nodes->count);
    return NULL;
}

/* The first writer from `from` on that is no worse than `worst`; NULL where there is none. */
static struct corm__node *writer_from(const struct corm__nodes *nodes, uint32_t from,
                                      enum corm__health worst)
{
    for (uint32_t i = 0; i < nodes->count; i++) {
        struct corm__node *node = &nodes->all[(from + i) % nodes->count];
        if (!node->reader && health_of(node) <= worst)
            return node;
    }
    return NULL;
}

struct corm__node *corm__nodes_any(struct corm__nodes *nodes)
{
    if (nodes->count == 1)
        return nodes->all;
    uint32_t           kept = atomic_load_explicit(&nodes->kept, memory_order_relaxed);
    struct corm__node *node = writer_from(nodes, kept, CORM__NODE_UP);
    if (node == NULL)
        node = writer_from(nodes, kept, CORM__NODE_BACK);
    if (node == NULL) /* one after the other: somebody may be there again */
        node = writer_from(nodes, kept + 1, CORM__NODE_LEFT);
    if (node->number - 1 != kept)
        atomic_store_explicit(&nodes->kept, node->number - 1, memory_order_relaxed);
    return node;
}

struct corm__node *corm__nodes_reader(struct corm__nodes *nodes)
{
    uint32_t kept = atomic_load_explicit(&nodes->kept_reader, memory_order_relaxed);

    for (uint32_t i = 0; has_readers(nodes) && i < nodes->count; i++) {
        struct corm__node *node = &nodes->all[(kept + i) % nodes->count];
        if (!node->reader || health_of(node) != CORM__NODE_UP)
            continue;
        if (i > 0)
            atomic_store_explicit(&nodes->kept_reader, node->number - 1, memory_order_relaxed);
        return node;
    }
    return corm__nodes_any(nodes);
}

struct corm__node *corm__nodes_other(const struct corm__nodes *nodes, const struct corm__node *node)
{
    for (uint32_t i = 1; i < nodes->count; i++) {
        struct corm__node *other = &nodes->all[(node->number - 1 + i) % nodes->count];
        if (!other->reader &&
            (health_of(other) == CORM__NODE_UP || health_of(other) == CORM__NODE_BACK))
            return other;
    }
    return NULL;
}

/* ---- What the db has written --------------------------------------------------------------- */

void corm__nodes_note_write(struct corm__nodes *nodes, const struct corm__node *node,
                            const char *gtid)
{
    struct corm__position position = {0};

    if (nodes->checks == NULL)
        return;
    bool known = gtid != NULL && gtid[0] != '\0' && corm__position_read(&position, gtid);
    (void)pthread_mutex_lock(&nodes->checks->mutex);
    struct check *check = &nodes->checks->of[node->number - 1];
    if (gtid != NULL && check->has == nodes->checks->writes)
        check->has++; /* its own */
    nodes->checks->writes++;
    if (!known || !corm__position_add(&nodes->checks->written, &position))
        check->unsure_since = corm__now();
    (void)pthread_mutex_unlock(&nodes->checks->mutex);
}

int corm__nodes_has_written(struct corm__nodes *nodes, const struct corm__node *node,
                            struct corm__written *written)
{
    struct corm__checks *checks = nodes->checks;
    int                  rc = 0;

    if (checks == NULL)
        return 1;
    (void)pthread_mutex_lock(&checks->mutex);
    const struct check *check = &checks->of[node->number - 1];
    written->count = checks->writes;
    written->by_cluster = checks->is_galera;
    if (check->has == checks->writes || !(node->reader || checks->is_galera))
        rc = 1;
    else if (check->lags || (!checks->is_galera && is_unsure(nodes)))
        rc = -1;
    else
        corm__position_write(&checks->written, written->gtids);
    (void)pthread_mutex_unlock(&checks->mutex);
    return rc;
}

void corm__nodes_note_wait(struct corm__nodes *nodes, const struct corm__node *node,
                           const struct corm__written *written, bool caught_up)
{
    (void)pthread_mutex_lock(&nodes->checks->mutex);
    struct check *check = &nodes->checks->of[node->number - 1];
    if (!caught_up)
        check->lags = true;
    else if (check->has < written->count)
        check->has = written->count;
    (void)pthread_mutex_unlock(&nodes->checks->mutex);
}
