/* trx/trx.c -- a transaction on one connection.
 *
 *                 ready()                      (writes are buffered, nothing was sent)
 *      OVER  ───────────────►  READY ─────────────────────────────────────┐
 *       ▲ ▲                      │  first send(): a connection is taken,   │ commit(), rollback():
 *       │ │                      ▼  the session set up, BEGIN where needed │ nothing was sent
 *       │ │  commit() ok        OPEN ───┐ send() ok                        │
 *       │ ├──────────────────────┤ ◄────┘                                  │
 *       │ │  rollback()          │                                         │
 *       │ │                      │ a call fails: doom()                    │
 *       │ │                      ▼                                         │
 *       │ └─ rollback() ───── DOOMED ◄── doom() from READY                 │
 *       └──────────────────────────────────────────────────────────────────┘
 *
 *      DOOMED  ── savepoint_rollback() ──►  OPEN or READY     where the failure came behind that
 *                                                             savepoint and left the transaction
 *
 * READY   No connection; `pending` may hold writes. commit() of writes goes through OPEN at once.
 * OPEN    `connection` is ours and its server session is in a transaction, as soon as a statement has
 *         touched a row (`begun`). An answer that says that it is not, once it was, dooms with
 *         CORM_TRX_LOST.
 * DOOMED  `error` is the first error. The connection may still be ours, lost or not, with an open
 *         transaction; nothing but ROLLBACK is sent. commit() is rollback() and returns `error`.
 * OVER    No connection, nothing pending. `error` and the arena stay until ready().
 *
 * A savepoint is first a statement among what is pending, then one that the server has; the order of
 * pending statements is that of the program. A failure belongs to the savepoints in front of it
 * (`doomed_depth`).
 *
 * Invariants: `error.code` is set exactly in DOOMED and, after a failure, in OVER. A connection goes
 * back to the pool only outside a server transaction, or lost. After COMMIT has been sent on a link
 * that is then lost, the ledger (ledger.c) tells whether it was done: then nothing has failed. Where it
 * was not, and never will be, the code is that of the loss, at the place in front of COMMIT. Where the
 * ledger has not answered the code is CORM_UNKNOWN; nothing is run again after it. */
#include "trx/trx.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/thread.h"
#include "sql/batch.h"
#include "sql/key.h"
#include "trx/retry.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Objects, kept for reuse ------------------------------------------------- */

enum { KEPT_MAX = 256 };

struct corm__trx_store {
    struct corm__nodes      *nodes;
    struct corm__ledger     *ledger;
    struct corm__guard_texts guard_texts;
    pthread_mutex_t          mutex; /* guards the rest */
    struct corm_trx         *kept;
    uint32_t                 kept_count, live;
};

struct corm__trx_store *corm__trx_store_new(struct corm__nodes *nodes)
{
    struct corm__trx_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return NULL;
    store->ledger = corm__ledger_new(nodes);
    if (store->ledger == NULL ||
        !corm__guard_texts_make(&store->guard_texts, nodes->all->endpoint.database)) {
        if (store->ledger != NULL)
            corm__ledger_free(store->ledger);
        free(store);
        return NULL;
    }
    (void)pthread_mutex_init(&store->mutex,
                             NULL); /* a plain one takes nothing that can be missing */
    store->nodes = nodes;
    return store;
}

struct corm__nodes *corm__nodes_of(const struct corm__trx_store *store)
{
    return store->nodes;
}

struct corm__ledger *corm__ledger_of(const struct corm__trx_store *store)
{
    return store->ledger;
}

uint32_t corm__trx_store_live(struct corm__trx_store *store)
{
    pthread_mutex_lock(&store->mutex);
    uint32_t live = store->live;
    pthread_mutex_unlock(&store->mutex);
    return live;
}

static void free_trx(struct corm_trx *trx)
{
    corm__map_free(&trx->held);
    corm__map_free(&trx->guards.map);
    corm_arena_free(trx->arena);
    corm_arena_free(trx->drafts);
    corm__lock_keys_free(&trx->keys);
    free(trx);
}

void corm__trx_store_free(struct corm__trx_store *store)
{
    if (store == NULL)
        return;
    for (struct corm_trx *trx = store->kept, *next; trx != NULL; trx = next) {
        next = trx->next;
        free_trx(trx);
    }
    pthread_mutex_destroy(&store->mutex);
    corm__guard_texts_free(&store->guard_texts);
    corm__ledger_free(store->ledger);
    free(store);
}

static struct corm_trx *new_trx(struct corm__trx_store *store)
{
    struct corm_trx *trx = calloc(1, sizeof(*trx));

    if (trx == NULL)
        return NULL;
    trx->arena = corm_arena_new();
    trx->drafts = corm_arena_new();
    if (trx->arena == NULL || trx->drafts == NULL) {
        free_trx(trx);
        return NULL;
    }
    trx->store = store;
    trx->random = ((uint64_t)(uintptr_t)trx ^ (uint64_t)corm__now()) | 1;
    return trx;
}

struct corm_trx *corm__trx_take(struct corm__trx_store *store, struct corm_error *error)
{
    if (corm__nodes_check(store->nodes, error) < 0 || corm__trx_check_nested(store, error) < 0)
        return NULL;
    pthread_mutex_lock(&store->mutex);
    struct corm_trx *trx = store->kept;
    if (trx != NULL) {
        store->kept = trx->next;
        store->kept_count--;
    }
    store->live++;
    pthread_mutex_unlock(&store->mutex);
    if (trx == NULL)
        trx = new_trx(store);
    if (trx == NULL) {
        pthread_mutex_lock(&store->mutex);
        store->live--;
        pthread_mutex_unlock(&store->mutex);
        corm__fail_memory(error, "a transaction");
        return NULL;
    }
    trx->state = CORM__TRX_OVER;
    trx->node = corm__nodes_any(store->nodes);
    trx->single = trx->function = trx->reader = trx->busy = trx->pinned = false;
    trx->wants_reader = false;
    trx->mode = (struct corm__mode){0};
    trx->caller = (struct corm__caller){0};
    trx->timeout_ms = trx->node->timeout_ms;
    trx->attempt = 0;
    trx->report = NULL;
    trx->group = NULL;
    trx->lane = trx->members = 0;
    trx->leave = NULL;
    trx->keys.count = 0;
    corm__error_clear(&trx->error);
    return trx;
}

void corm__trx_give(struct corm_trx *trx)
{
    struct corm__trx_store *store = trx->store;

    if (store->nodes->all->process !=
        corm__process_id()) { /* another thread may have had the mutex */
        free_trx(trx);
        return;
    }
    corm__guards_clear(&trx->guards);
    corm_arena_reset(trx->arena);
    corm_arena_reset(trx->drafts);
    pthread_mutex_lock(&store->mutex);
    bool keep = store->kept_count < KEPT_MAX;
    if (keep) {
        trx->next = store->kept;
        store->kept = trx;
        store->kept_count++;
    }
    store->live--;
    pthread_mutex_unlock(&store->mutex);
    if (!keep)
        free_trx(trx);
}

/* ---- States -------------------------------------------------------------------- */

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void corm__trx_choose_node(struct corm_trx *trx)
{
    struct corm__nodes *nodes = trx->store->nodes;

    if (!trx->pinned)
        trx->node = trx->wants_reader ? corm__nodes_reader(nodes) : corm__nodes_any(nodes);
}

void corm__trx_ready(struct corm_trx *trx)
{
    corm__guards_clear(&trx->guards);
    corm_arena_reset(trx->arena);
    corm_arena_reset(trx->drafts);
    corm__map_clear(&trx->held);
    trx->pending_count = trx->pending_bytes = 0;
    corm__error_clear(&trx->error);
    corm__error_clear(&trx->answer);
    trx->begun = trx->wrote = trx->waited = trx->entered = false;
    trx->place = CORM_AT_CONNECT;
    trx->written = trx->written_last = trx->written_other = 0;
    trx->written_table = NULL;
    trx->base = trx->floor = trx->depth = trx->doomed_depth = trx->nested = 0;
    trx->attempt++;
    trx->state = CORM__TRX_READY;
}

int corm__trx_check(struct corm_trx *trx)
{
    if (trx->busy) {
        trx->answer = (struct corm_error){0};
        return corm__fail(&trx->answer, CORM_MISUSE,
                          "a call on a transaction in the function of its own corm_each(): the "
                          "server still sends rows");
    }
    if (trx->state == CORM__TRX_DOOMED)
        return trx->error.code;
    if (trx->state != CORM__TRX_OVER)
        return 0;
    trx->answer = (struct corm_error){0};
    return corm__fail(&trx->answer, CORM_TRX_CLOSED,
                      "the transaction was committed or rolled back");
}

const struct corm_error *corm__trx_error_of(const struct corm_trx *trx, int code)
{
    return trx->error.code == code ? &trx->error : &trx->answer;
}

/* Tells the caller; of a function only what came of it in the end. */
static void report(struct corm_trx *trx, const struct corm_error *error, bool in_the_end)
{
    if (trx->report != NULL && (in_the_end || !trx->function)) {
        *trx->report = *error;
        trx->report->attempts = trx->attempt;
    }
}

/* Whether a savepoint is on the server or still pending; one that was in a batch which failed before
 * it came to it is neither. */
static bool is_in_front(const struct corm_trx *trx, uint32_t savepoint)
{
    return trx->savepoints[savepoint].sent || trx->savepoints[savepoint].at < trx->pending_count;
}

int corm__trx_doom(struct corm_trx *trx, const char *file, int32_t line)
{
    corm__error_place(&trx->error, file, line);
    trx->error.attempts = trx->attempt;
    trx->state = CORM__TRX_DOOMED;
    trx->doomed_depth = 0;
    while (trx->doomed_depth < trx->depth && is_in_front(trx, trx->doomed_depth))
        trx->doomed_depth++;
    report(trx, &trx->error, false);
    return trx->error.code;
}

/* Gives the connection back and ends the attempt. */
static void end(struct corm_trx *trx)
{
    struct corm__connection *c = trx->connection;

    if (trx->error.code != 0)
        corm__nodes_note(trx->store->nodes, trx->node, &trx->error);
    if (trx->error.code == CORM_DEADLOCK)
        count(&trx->node->watch->deadlocks);
    if (c != NULL) {
        assert(c->link != NULL);
        if (c->link->lost && !trx->single)
            corm__ledger_bury(trx->store->ledger, trx->node, &c->link->session);
        corm__pool_release(trx->reader ? trx->node->read : trx->node->write, c);
    }
    trx->connection = NULL;
    trx->pending_count = 0;
    trx->state = CORM__TRX_OVER;
}

static int fail_deadline(struct corm_trx *trx)
{
    return corm__fail(&trx->error, CORM_TIMEOUT, "the deadline of %u ms has passed",
                      trx->timeout_ms);
}

/* A single statement in a file has waited for its connection and nothing else since its deadline was
 * made; what that was at, the pool has noted. */
static bool is_late(const struct corm_trx *trx)
{
    if (!trx->single || trx->node->endpoint.driver->has_trips)
        return corm__ms_left(trx->deadline) == 0;
    return trx->connection != NULL && trx->connection->since >= trx->deadline;
}

/* The driver knows when the deadline was, but not how long that is for the caller. */
static void tell_deadline(struct corm_trx *trx)
{
    char passed[64];

    if (trx->error.code != CORM_DEADLINE)
        return;
    (void)snprintf(passed, sizeof(passed), "the deadline of %u ms has passed", trx->timeout_ms);
    corm__error_prefix(&trx->error, passed);
}

/* ROLLBACK keeps a connection, no more: it is not worth a wait beyond the deadline, but for an answer
 * that is quick. */
static int64_t deadline_of_rollback(const struct corm_trx *trx, uint32_t most_ms)
{
    int64_t least = corm__deadline_in(CORM__ROLLBACK_GRACE_MS), most = corm__deadline_in(most_ms);

    if (trx->deadline < least)
        return least;
    return trx->deadline < most ? trx->deadline : most;
}

/* How long a node is waited for: for who would read from a reader there is a writer, too. */
static uint32_t catch_up_ms(const struct corm_trx *trx, int64_t deadline)
{
    uint32_t left = (uint32_t)corm__ms_left(deadline);

    if (!trx->node->reader)
        return left;
    return left / 2 < CORM__CATCH_UP_MS ? left / 2 : CORM__CATCH_UP_MS;
}

/* What the db has written is on the node before it is read from: a reader, or another writer of a cluster than has
 * written it. */
static int catch_up(struct corm_trx *trx, int64_t deadline)
{
    struct corm__nodes  *nodes = trx->store->nodes;
    struct corm__written written;
    int                  has = corm__nodes_has_written(nodes, trx->node, &written);

    if (has == 0) {
        has = corm__connection_catch_up(trx->connection, written.by_cluster ? NULL : written.gtids,
                                        catch_up_ms(trx, deadline), deadline, &trx->error);
        if (has == 1 || trx->node->reader)
            corm__nodes_note_wait(nodes, trx->node, &written, has == 1);
    }
    if (has == 1 || trx->error.code != 0)
        return trx->error.code;
    return corm__fail(&trx->error, CORM_TIMEOUT, "the reader has not got yet what was written");
}

/* Takes a connection of its node, which then is ready to begin. On error it has none. */
static int take_connection(struct corm_trx *trx, int64_t deadline)
{
    struct corm__pool *pool = trx->reader ? trx->node->read : trx->node->write;

    trx->place = CORM_AT_CONNECT;
    int rc =
        corm__pool_acquire(pool, &trx->mode, trx->caller, deadline, &trx->connection, &trx->error);
    if (rc < 0)
        return rc;
    trx->place = CORM_AT_FIRST;
    trx->connection->lane = trx->lane;
    trx->connection->members = trx->members;
    rc = corm__ledger_end_lost(trx->store->ledger, trx->node, trx->connection, deadline,
                               &trx->error);
    if (rc == 0 && trx->wants_reader)
        rc = catch_up(trx, deadline);
    if (rc == 0)
        rc = corm__connection_enter(trx->connection, &trx->mode, trx->attempt, deadline,
                                    &trx->error);
    if (rc == 0)
        return 0;
    corm__pool_release(pool, trx->connection);
    trx->connection = NULL;
    return rc;
}

/* Takes a connection and begins; where a reader cannot be had, on a writer. A file's lock is that of its
 * one writing connection: with nowait and wait_ms both are waited for no longer than was asked. */
static int open_trx(struct corm_trx *trx, const struct corm__statement *statement)
{
    bool bounded =
        trx->node->endpoint.driver->locks_file && statement != NULL && statement->bounded_wait;
    int64_t deadline = bounded ? corm__deadline_in(statement->wait_ms) : trx->deadline;

    if (deadline > trx->deadline)
        deadline = trx->deadline;
    trx->place = CORM_AT_CONNECT;
    if (is_late(trx))
        return fail_deadline(trx);
    int rc = take_connection(trx, deadline);
    if (rc < 0 && trx->wants_reader && trx->node->reader && corm__ms_left(deadline) > 0) {
        corm__nodes_note(trx->store->nodes, trx->node, &trx->error);
        corm__error_clear(&trx->error);
        trx->node = corm__nodes_any(trx->store->nodes);
        rc = take_connection(trx, deadline);
    }
    tell_deadline(trx);
    if (rc < 0)
        return rc;
    if (!trx->single)
        count(&trx->node->watch->transactions);
    trx->state = CORM__TRX_OPEN;
    return 0;
}

/* ---- Statements ------------------------------------------------------------------ */

static int leave_group(struct corm_trx *trx, const struct corm__statement *statement)
{
    return trx->leave == NULL ? 0 : trx->leave(trx, statement);
}

/* Who waits for locks a short time only is not told that the transaction is gone, where it is not. */
static bool note_wait(struct corm_trx *trx)
{
    struct corm_error locked = {0};

    if (trx->mode.lock_wait_s == 0 || trx->error.code != CORM_LOCK_TIMEOUT ||
        trx->connection == NULL || trx->connection->link->rollback_on_timeout)
        return false;
    corm__fail_server(&locked, CORM_LOCKED, trx->error.server_code, trx->error.sqlstate,
                      "a row is locked by another transaction");
    trx->error = locked;
    trx->waited = true;
    return false;
}

/* Turns the error of a lock that was asked for with a bound into the answer CORM_LOCKED. True where
 * the transaction goes on. */
static bool is_answer(struct corm_trx *trx, const struct corm__statement *statement)
{
    enum { STATEMENT_TIME_LIMIT = 1969 }; /* how wait_ms ends on MariaDB */
    int  code = trx->error.code;
    bool at_begin = trx->state == CORM__TRX_READY;

    if (!statement->bounded_wait)
        return note_wait(trx);
    bool waited_for_file = at_begin && trx->node->endpoint.driver->locks_file;
    if (code != CORM_LOCKED && code != CORM_LOCK_TIMEOUT &&
        !(waited_for_file && (code == CORM_TIMEOUT || code == CORM_WOULD_BLOCK)) &&
        trx->error.server_code != STATEMENT_TIME_LIMIT)
        return false;
    struct corm_error locked = {0};
    corm__fail_server(&locked, CORM_LOCKED, trx->error.server_code, trx->error.sqlstate,
                      "a row is locked by another transaction");
    trx->error = locked;
    if (trx->connection != NULL && trx->connection->link->rollback_on_timeout)
        return false;
    trx->answer = locked;
    trx->error = (struct corm_error){0};
    if (!statement->skips)
        report(trx, &trx->answer, false);
    return true;
}

/* A node of a cluster rolls a transaction back where a write set of another node is in its way, and some answers
 * hide that. A function sends nothing that commits: so nothing of it is there, and it may run again. */
static int lose(struct corm_trx *trx)
{
    if (trx->function && corm__nodes_are_galera(trx->store->nodes))
        return corm__fail(&trx->error, CORM_DEADLOCK,
                          "the node has given way to a transaction of another one");
    if (trx->wrote) /* what ended it may have committed */
        corm__nodes_note_write(trx->store->nodes, trx->node, NULL);
    return corm__fail(&trx->error, CORM_TRX_LOST, "the transaction ended while it was in use");
}

int corm__trx_lose(struct corm_trx *trx)
{
    struct corm_error lost = {.file = trx->error.file, .line = trx->error.line};

    corm__nodes_note_write(trx->store->nodes, trx->node, NULL);
    if (trx->error.code <= CORM_TRX_GONE || !trx->node->endpoint.driver->has_trips)
        return trx->error.code;
    corm__fail_server(&lost, CORM_TRX_LOST, trx->error.server_code, trx->error.sqlstate,
                      "a statement failed that commits what was written before it: %.300s",
                      trx->error.message);
    trx->error = lost;
    return corm__trx_doom(trx, NULL, 0);
}

/* To be called after a trip: what the db has written is what its readers have to have. */
static void note_written(struct corm_trx *trx, bool committed)
{
    const char *gtid = trx->connection->link->gtid;

    if (gtid[0] != '\0' || (committed && trx->wrote))
        corm__nodes_note_write(trx->store->nodes, trx->node, gtid);
}

/* Whether a trip with COMMIT, or a single write, that failed may have happened all the same: what was
 * sent and then failed on our side has. */
static bool may_have_committed(const struct corm_trx *trx)
{
    const struct corm__driver *driver = trx->connection->link->driver;

    return trx->error.server_code == 0 ||
           corm__verdict_on(driver, &trx->error, CORM_AT_COMMIT) == CORM_RESOLVE;
}

/* Nobody can tell now; by `outcome`, if it is not 0, perhaps later. */
static int fail_unknown(struct corm_trx *trx, uint64_t outcome)
{
    struct corm_error unknown = {0};
    bool              could = trx->node->endpoint.driver->has_trips && !trx->single;

    corm__fail_server(&unknown, CORM_UNKNOWN, trx->error.server_code, trx->error.sqlstate,
                      "no answer to COMMIT came (%s)%s", corm_code_name(trx->error.code),
                      outcome != 0 ? ", nor one from the ledger"
                      : could      ? ", and there is no ledger to ask (see corm_setup())"
                                   : "");
    unknown.outcome = outcome;
    trx->error = unknown;
    count(&trx->node->watch->unknown);
    return CORM_UNKNOWN;
}

/* The keys that a batch has generated, as the ledger has kept them. */
static void take_keys(const struct corm__statement *statements, size_t n, const char *keys)
{
    for (size_t i = 0; i < n; i++) {
        char *end = NULL;
        if (statements[i].id == NULL)
            continue;
        long long key = strtoll(keys, &end, 10);
        if (end == keys) /* it has kept none: they had been told before */
            return;
        *statements[i].id = key;
        keys = end;
    }
}

/* A node that is cut off from its cluster while it commits says what a server says whose disk is full. */
static void tell_cut_off(struct corm_trx *trx)
{
    enum { STORAGE = 1180 };
    struct corm_error cut_off = {0};

    if (trx->error.server_code != STORAGE || !corm__nodes_are_galera(trx->store->nodes))
        return;
    corm__fail(&cut_off, CORM_NOT_READY, "%.400s", trx->error.message);
    trx->error = cut_off;
}

/* Asks the ledger about the COMMIT of a batch. 0: it was done, and the transaction is over; the error,
 * as of a batch without COMMIT, where it was not; UNKNOWN. */
static int resolve(struct corm_trx *trx, const struct corm__statement *statements, size_t n)
{
    struct corm__doubt  doubt = corm__ledger_doubt(trx->connection);
    struct corm__answer answer = {0};
    struct corm_error   ignored = {0};
    int64_t             until = corm__deadline_in(trx->node->resolve_ms);

    if (until < trx->deadline)
        until = trx->deadline;
    corm__nodes_note(trx->store->nodes, trx->node, &trx->error);
    int rc = corm__ledger_resolve(trx->store->ledger, trx->node, trx->connection, &doubt, until,
                                  &answer, &ignored);
    if (rc < 0 || trx->connection->link->lost) /* another node has answered, or none */
        corm__ledger_bury(trx->store->ledger, trx->node, &doubt.session);
    if (rc < 0)
        return fail_unknown(trx, corm__ledger_keep(trx->store->ledger, trx->node, &doubt));
    corm__pool_release(trx->node->write, trx->connection); /* it has a new link, or is lost */
    trx->connection = NULL;
    if (answer.committed) {
        take_keys(statements, n, answer.keys);
        trx->error = (struct corm_error){0};
        return 0;
    }
    trx->place = CORM_AT_FLUSH;
    tell_cut_off(trx);
    corm__error_prefix(&trx->error, "COMMIT was lost, and did not happen");
    return trx->error.code;
}

/* What a failure means when COMMIT (or a single write) was under way. 0: it was done. */
static int judge_commit(struct corm_trx *trx, const struct corm__statement *statements, size_t n)
{
    struct corm__link *link = trx->connection->link;

    if (!link->sent || !trx->wrote)
        trx->place = CORM_AT_FLUSH;
    if (trx->place != CORM_AT_COMMIT || !may_have_committed(trx))
        return trx->error.code;
    link->lost = true;
    int rc = trx->entered ? resolve(trx, statements, n) : fail_unknown(trx, 0);
    if (rc == 0 || rc == CORM_UNKNOWN)
        corm__nodes_note_write(trx->store->nodes, trx->node, NULL);
    return rc;
}

/* The first `done` of what was pending have run. */
static void note_savepoints(struct corm_trx *trx, size_t done)
{
    for (uint32_t i = 0; i < trx->depth; i++)
        trx->savepoints[i].sent = trx->savepoints[i].sent || trx->savepoints[i].at < done;
}

/* After an answer inside a transaction: whether it is still there. */
static int note_trx(struct corm_trx *trx)
{
    bool was = trx->begun;

    trx->begun = trx->connection->link->in_trx;
    return (was && !trx->begun) || trx->connection->link->autocommits ? lose(trx) : 0;
}

int corm__trx_is_still_there(struct corm_trx *trx)
{
    if (!trx->begun || trx->connection->link->in_trx)
        return 0;
    (void)lose(trx);
    return corm__trx_doom(trx, NULL, 0);
}

static enum corm_place place_of(const struct corm_trx        *trx,
                                const struct corm__statement *statements, bool commits)
{
    if (commits)
        return CORM_AT_COMMIT;
    if (statements == trx->pending)
        return CORM_AT_FLUSH;
    return trx->begun || trx->wrote ? CORM_AT_MIDDLE : CORM_AT_FIRST;
}

/* Whose statement it is that has failed for want of a table. */
static void tell_guard(struct corm_trx *trx, const struct corm__statement *failed)
{
    if (trx->error.code == CORM_NO_TABLE &&
        corm__is_guard_statement(&trx->store->guard_texts, failed))
        corm__error_prefix(&trx->error, "locked rows cannot be guarded (call corm_setup(), or run "
                                        "corm setup, once)");
}

/* Runs statements on the open connection. `commits`: the last one is COMMIT, or a single write. */
static int run(struct corm_trx *trx, const struct corm__statement *statements, size_t n,
               struct corm__sink *sink, bool commits, int64_t *rows)
{
    struct corm__run run = {
        .statements = statements,
        .count = n,
        .sink = sink,
        .arena = trx->drafts,
        .attempt = trx->attempt,
        .deadline = trx->deadline,
        .in_time = true,
    };

    if (is_late(trx))
        return fail_deadline(trx);
    trx->place = place_of(trx, statements, commits);
    if (commits && trx->node->endpoint.driver->has_trips) /* a file answers, or has not done it */
        run.grace_ns = (int64_t)CORM__COMMIT_GRACE_MS * 1000000;
    for (size_t i = 0; i < n; i++)
        trx->wrote = trx->wrote || (statements[i].verb != CORM__READ &&
                                    (statements[i].verb != CORM__CONTROL || trx->single));
    int rc = corm__connection_run(trx->connection, &run, &trx->error);
    if (statements == trx->pending)
        note_savepoints(trx, rc < 0 ? run.failed : n);
    tell_deadline(trx);
    note_written(trx, commits && rc == 0);
    if (rc < 0 && commits) {
        if (trx->entered && run.failed + 2 == n)
            corm__ledger_refused(trx->connection, &trx->error);
        rc = judge_commit(trx, statements, n);
    }
    if (rc < 0) {
        if (run.question.code != 0 && !commits && trx->error.code > CORM_TRX_GONE)
            trx->error = run.question; /* or it would be taken for an answer to another statement */
        tell_guard(trx, &statements[run.failed]);
        if (!is_answer(trx, &statements[run.failed]) && statements[run.failed].file != NULL)
            corm__trx_doom(trx, statements[run.failed].file, statements[run.failed].line);
        return trx->error.code != 0 ? trx->error.code : CORM_LOCKED;
    }
    if (rows != NULL)
        *rows = run.result.rows;
    return trx->single || commits ? 0 : note_trx(trx);
}

static int flush(struct corm_trx *trx)
{
    size_t n = trx->pending_count;

    trx->pending_count = trx->pending_bytes = 0;
    return n == 0 ? 0 : run(trx, trx->pending, n, NULL, false, NULL);
}

static size_t bytes_of(const struct corm__statement *statement)
{
    size_t bytes = statement->size;

    for (uint32_t i = 0; i < statement->bind_count; i++)
        bytes += statement->binds[i].size + sizeof(struct corm_value);
    return bytes;
}

/* Where there is room. */
static void append(struct corm_trx *trx, const struct corm__statement *statement, size_t bytes)
{
    trx->pending[trx->pending_count++] = *statement;
    trx->pending_bytes += bytes;
}

/* Puts a statement behind what is pending. 0, or the error of what had to be sent to make room. */
static int put_pending(struct corm_trx *trx, const struct corm__statement *statement)
{
    size_t bytes = bytes_of(statement);
    int    rc = 0;

    /* One place stays free, for COMMIT or for a read. */
    if (trx->pending_count + 1 >= CORM__PENDING_MAX ||
        trx->pending_bytes + bytes > CORM__PENDING_BYTES_MAX) {
        if (trx->state == CORM__TRX_READY)
            rc = open_trx(trx, NULL);
        if (rc == 0)
            rc = flush(trx);
        if (rc < 0)
            return trx->state == CORM__TRX_DOOMED
                       ? rc
                       : corm__trx_doom(trx, statement->file, statement->line);
    }
    append(trx, statement, bytes);
    return 0;
}

int corm__trx_buffer(struct corm_trx *trx, const struct corm__statement *statement)
{
    int rc = leave_group(trx, statement);

    return rc < 0 ? rc : put_pending(trx, statement);
}

/* ---- Guards ------------------------------------------------------------------------ */

bool corm__trx_is_guarded(const struct corm_trx *trx)
{
    return trx->store->nodes->guards;
}

int corm__trx_guard(struct corm_trx *trx, uint64_t number, struct corm_error *error)
{
    return corm__guards_add(&trx->guards, trx->arena, number, false, error);
}

int corm__trx_is_guarded_by(struct corm_trx *trx, uint64_t number, struct corm_error *error)
{
    return corm__guards_add(&trx->guards, trx->arena, number, true, error);
}

const struct corm__guard_texts *corm__trx_guard_texts(const struct corm_trx *trx)
{
    return &trx->store->guard_texts;
}

/* Puts those that wait behind what is pending: in front of whatever is sent next. 0, or the error that dooms. */
static int put_guards(struct corm_trx *trx)
{
    struct corm_value *numbers = NULL;
    int64_t            n = 0;

    if (trx->guards.waiting > 0)
        n = corm__guards_take(&trx->guards, trx->drafts, trx->depth, &numbers, &trx->error);
    for (size_t took = 0; n > 0; n -= (int64_t)took, numbers += took) {
        struct corm__statement statement =
            corm__guard_statement(&trx->store->guard_texts, numbers, (size_t)n, &took);
        if (put_pending(trx, &statement) < 0)
            return trx->error.code;
    }
    return n < 0 ? corm__trx_doom(trx, NULL, 0) : 0;
}

/* A read shares the trip of what is buffered in front of it. A write does not: a compound statement
 * tells how many rows were changed, not how many were matched. */
static int64_t send(struct corm_trx *trx, const struct corm__statement *statement,
                    struct corm__sink *sink)
{
    bool    commits = trx->single && statement->verb != CORM__READ;
    int64_t rows = 0;
    int     rc = 0;

    if (trx->state == CORM__TRX_READY)
        rc = open_trx(trx, statement);
    if (rc == 0)
        rc = put_guards(trx);
    if (rc == 0 && trx->pending_count > 0 && statement->verb == CORM__READ && !statement->alone) {
        size_t n = trx->pending_count;
        trx->pending[n] = *statement;
        trx->pending_count = trx->pending_bytes = 0;
        rc = run(trx, trx->pending, n + 1, sink, false, &rows);
        return rc < 0 ? rc : rows;
    }
    if (rc == 0)
        rc = flush(trx);
    if (rc == 0)
        rc = run(trx, statement, 1, sink, commits, &rows);
    return rc < 0 ? rc : rows;
}

int64_t corm__trx_send(struct corm_trx *trx, const struct corm__statement *statement,
                       struct corm__sink *sink)
{
    int64_t rc = leave_group(trx, statement);

    if (rc == 0)
        rc = send(trx, statement, sink);
    if (rc >= 0 || trx->state == CORM__TRX_DOOMED)
        return rc;
    if (trx->error.code == 0 || is_answer(trx, statement))
        return statement->skips ? 0 : CORM_LOCKED;
    return corm__trx_doom(trx, statement->file, statement->line);
}

int corm__trx_open(struct corm_trx *trx, const char *file, int32_t line)
{
    int rc = leave_group(trx, NULL);

    if (rc == 0 && trx->state == CORM__TRX_READY)
        rc = open_trx(trx, NULL);
    if (rc == 0)
        rc = put_guards(trx);
    if (rc == 0)
        rc = flush(trx);
    if (rc < 0 && trx->state != CORM__TRX_DOOMED)
        corm__trx_doom(trx, file, line);
    return rc;
}

int corm__trx_send_array(struct corm_trx *trx, const struct corm__statement *statement,
                         const struct corm__array *array, struct corm__sink *sink)
{
    int rc = corm__ms_left(trx->deadline) == 0 ? fail_deadline(trx) : 0;

    if (rc == 0) {
        trx->place = place_of(trx, statement, false);
        trx->wrote = true;
        rc = corm__connection_run_array(trx->connection, statement, array, sink, trx->attempt,
                                        trx->deadline, &trx->error);
        tell_deadline(trx);
        if (rc == 0)
            rc = note_trx(trx);
        else
            (void)note_wait(trx);
    }
    return rc < 0 ? corm__trx_doom(trx, statement->file, statement->line) : 0;
}

/* ---- Rows that are held ------------------------------------------------------------ */

struct held {
    struct corm__map_entry entry;
    uint64_t               since; /* trx->written when it was read */
    char                   key[];
};

void corm__trx_hold(struct corm_trx *trx, const struct corm_table *table, const void *row)
{
    struct corm__key key = corm__key_of_row(trx->drafts, table, row);
    struct held     *held = NULL;

    if (key.bytes == NULL)
        return;
    held = (struct held *)(void *)corm__map_find(&trx->held, key.bytes, key.size);
    if (held == NULL) {
        held = corm_arena_alloc(trx->arena, sizeof(*held) + key.size);
        if (held == NULL)
            return; /* a row that is not known to be held is only a trip more */
        memcpy(held->key, key.bytes, key.size);
        if (!corm__map_add(&trx->held, &held->entry, held->key, key.size))
            return;
    }
    held->since = trx->written;
}

/* Held, and no table but its own was written since. A key begins with its table's name. */
bool corm__trx_holds(const struct corm_trx *trx, const void *key, size_t size)
{
    const struct held *held = (struct held *)(void *)corm__map_find(&trx->held, key, size);

    if (held == NULL)
        return false;
    bool own = trx->written_table != NULL && strcmp(key, trx->written_table) == 0;
    return held->since >= (own ? trx->written_other : trx->written_last);
}

void corm__trx_note_write(struct corm_trx *trx, const struct corm_table *table)
{
    if (trx->written_table == NULL || strcmp(trx->written_table, table->name) != 0)
        trx->written_other = trx->written_last;
    trx->written_table = table->name;
    trx->written_last = ++trx->written;
}

void corm__trx_forget_held(struct corm_trx *trx)
{
    corm__map_clear(&trx->held);
}

/* ---- Ends ---------------------------------------------------------------------------- */

/* Whether nobody may use the connection after what has happened on it. */
static bool is_fatal(const struct corm_trx *trx)
{
    return trx->error.code != 0 &&
           corm__verdict_on(trx->node->endpoint.driver, &trx->error, trx->place) == CORM_FATAL;
}

void corm__trx_rollback(struct corm_trx *trx)
{
    struct corm_error  ignored;
    struct corm__link *link = trx->connection != NULL ? trx->connection->link : NULL;

    if (link != NULL && is_fatal(trx))
        link->lost = true;
    if (link != NULL && !trx->single && (!link->lost || link->holds_data)) {
        /* Also after errors by which the server has rolled back: not all versions do. */
        corm__error_clear(&ignored);
        (void)corm__connection_control(trx->connection, "ROLLBACK", trx->attempt,
                                       deadline_of_rollback(trx, CORM__ROLLBACK_MS), &ignored);
        if (ignored.code != 0)
            trx->connection->link->lost = true;
        count(&trx->node->watch->rollbacks);
    }
    end(trx);
}

/* Savepoints and the locks of keys alone are nothing to send. */
static bool has_writes(const struct corm_trx *trx)
{
    for (size_t i = 0; i < trx->pending_count; i++)
        if (trx->pending[i].verb != CORM__CONTROL && trx->pending[i].verb != CORM__READ)
            return true;
    return false;
}

bool corm__trx_is_entered(const struct corm_trx *trx)
{
    return trx->node->endpoint.driver->has_trips &&
           atomic_load_explicit(&trx->node->watch->has_ledger, memory_order_relaxed);
}

static void warn_once(struct corm__watch *watch)
{
    if (atomic_exchange(&watch->warned, true) || watch->on_warning == NULL)
        return;
    watch->on_warning(
        "the database has no table corm_ledger: where the answer to a COMMIT is lost, "
        "corm cannot tell whether it was done (CORM_UNKNOWN); call corm_setup(), or run "
        "corm setup, once",
        watch->on_warning_arg);
}

/* Puts the entry of the ledger behind what is pending, where something was or will be written. */
static int enter(struct corm_trx *trx)
{
    struct corm__watch *watch = trx->node->watch;
    bool                keys = false;

    if (!trx->node->endpoint.driver->has_trips || trx->mode.read_only ||
        !(trx->wrote || has_writes(trx)))
        return 0;
    if (!corm__trx_is_entered(trx)) {
        warn_once(watch);
        return 0;
    }
    for (size_t i = 0; i < trx->pending_count; i++)
        keys = keys || trx->pending[i].id != NULL;
    int rc = corm__ledger_enter(trx->store->ledger, trx->connection,
                                keys && corm__has_compound(trx->node->dialect), &trx->entry,
                                &trx->pending[trx->pending_count], &trx->error);
    trx->entered = rc == 0;
    trx->pending_count += trx->entered;
    return rc;
}

static int send_commit(struct corm_trx *trx)
{
    int rc = 0;

    if (trx->state == CORM__TRX_READY) {
        if (!has_writes(trx))
            return 0;
        rc = open_trx(trx, NULL);
        if (rc < 0)
            return corm__trx_doom(trx, trx->pending[0].file, trx->pending[0].line);
    }
    if (trx->wrote || has_writes(trx)) /* else nobody goes by what was locked */
        rc = put_guards(trx);
    if (rc == 0)
        rc = enter(trx);
    if (rc < 0)
        return trx->state == CORM__TRX_DOOMED ? rc : corm__trx_doom(trx, NULL, 0);
    size_t n = trx->pending_count;
    trx->pending[n] = corm__control("COMMIT");
    trx->pending_count = trx->pending_bytes = 0;
    rc = run(trx, trx->pending, n + 1, NULL, true, NULL);
    if (rc < 0)
        return trx->state == CORM__TRX_DOOMED ? rc : corm__trx_doom(trx, NULL, 0);
    count(&trx->node->watch->commits);
    if (trx->entered && trx->connection != NULL)
        corm__ledger_tidy(trx->store->ledger, trx->connection);
    return 0;
}

int corm__trx_commit(struct corm_trx *trx)
{
    int rc = corm__trx_check(trx);

    if (rc == CORM_TRX_CLOSED && trx->state == CORM__TRX_OVER)
        return rc;
    if (rc == 0)
        rc = send_commit(trx);
    if (rc < 0)
        corm__trx_rollback(trx);
    else
        end(trx);
    return rc;
}

bool corm__trx_leave_reader(struct corm_trx *trx)
{
    int code = trx->error.code;

    if (!trx->wants_reader || !trx->node->reader ||
        !(code == CORM_NOT_READY || code == CORM_UNREACHABLE || code == CORM_DISCONNECTED) ||
        corm__ms_left(trx->deadline) == 0)
        return false;
    uint32_t attempt = trx->attempt;
    corm__trx_rollback(trx);
    trx->node = corm__nodes_any(trx->store->nodes);
    corm__trx_ready(trx);
    trx->attempt = attempt;
    return true;
}

/* ---- Savepoints -------------------------------------------------------------------------- */

/* RELEASE SAVEPOINT x; behind its first word stands SAVEPOINT x. */
static const char *const release_texts[CORM_SAVEPOINT_MAX + CORM__GROUP_SAVEPOINTS] = {
    "RELEASE SAVEPOINT corm_1",  "RELEASE SAVEPOINT corm_2",  "RELEASE SAVEPOINT corm_3",
    "RELEASE SAVEPOINT corm_4",  "RELEASE SAVEPOINT corm_5",  "RELEASE SAVEPOINT corm_6",
    "RELEASE SAVEPOINT corm_7",  "RELEASE SAVEPOINT corm_8",  "RELEASE SAVEPOINT corm_9",
    "RELEASE SAVEPOINT corm_10", "RELEASE SAVEPOINT corm_11", "RELEASE SAVEPOINT corm_12",
    "RELEASE SAVEPOINT corm_13", "RELEASE SAVEPOINT corm_14", "RELEASE SAVEPOINT corm_15",
    "RELEASE SAVEPOINT corm_16", "RELEASE SAVEPOINT corm_17", "RELEASE SAVEPOINT corm_18",
};

static const char *set_text(uint32_t depth)
{
    assert(depth < CORM_SAVEPOINT_MAX + CORM__GROUP_SAVEPOINTS);
    return release_texts[depth] + strlen("RELEASE ");
}

/* A server that goes back to a savepoint which stands in front of everything gives up all row locks: what
 * was read behind it may change then. Not where its engine has a part in the transaction from the start. */
static void take_part(struct corm_trx *trx)
{
    struct corm__statement start = corm__control("START TRANSACTION WITH CONSISTENT SNAPSHOT");

    if (trx->state == CORM__TRX_READY && trx->pending_count == 0 && !trx->mode.read_only &&
        trx->node->endpoint.driver->has_trips)
        append(trx, &start, bytes_of(&start));
}

int corm__trx_savepoint(struct corm_trx *trx, const char *file, int32_t line)
{
    int rc = corm__trx_check(trx);

    if (rc == 0)
        rc = leave_group(trx, NULL);
    if (rc < 0)
        return rc;
    if (trx->depth == CORM_SAVEPOINT_MAX + trx->base) {
        corm__fail(&trx->error, CORM_MISUSE, "savepoints nest %d deep at most", CORM_SAVEPOINT_MAX);
        return corm__trx_doom(trx, file, line);
    }
    struct corm__statement set = corm__control(set_text(trx->depth));
    set.file = file;
    set.line = line;
    take_part(trx);
    rc = put_guards(trx);
    if (rc == 0)
        rc = corm__trx_buffer(trx, &set);
    if (rc < 0)
        return rc;
    trx->savepoints[trx->depth++] = (struct corm__savepoint){.at = trx->pending_count - 1};
    return 0;
}

/* SQLite stacks savepoints up until they are released; a server replaces one of the same name. */
static int forget_savepoint(struct corm_trx *trx)
{
    assert(trx->depth < CORM_SAVEPOINT_MAX + CORM__GROUP_SAVEPOINTS);
    if (trx->node->endpoint.driver->has_trips || !trx->savepoints[trx->depth].sent)
        return 0;
    struct corm__statement release = corm__control(release_texts[trx->depth]);
    return corm__trx_buffer(trx, &release);
}

static int no_savepoint(struct corm_trx *trx)
{
    corm__fail(&trx->error, CORM_MISUSE, "there is no savepoint");
    return corm__trx_doom(trx, NULL, 0);
}

/* What is buffered behind it is sent now: its errors belong to it. On a server the savepoint itself
 * stays until another one takes its name, or the transaction ends; SQLite would stack them up. */
int corm__trx_savepoint_release(struct corm_trx *trx)
{
    int rc = corm__trx_check(trx);

    if (rc == 0)
        rc = leave_group(trx, NULL);
    if (rc < 0)
        return rc;
    if (trx->depth <= trx->floor)
        return no_savepoint(trx);
    const struct corm__savepoint *last = &trx->savepoints[trx->depth - 1];
    if (!last->sent && last->at + 1 == trx->pending_count) {
        trx->pending_count--;
    } else if (has_writes(trx)) {
        if (trx->state == CORM__TRX_READY)
            rc = open_trx(trx, NULL);
        if (rc == 0)
            rc = flush(trx);
        if (rc < 0)
            return trx->state == CORM__TRX_DOOMED ? rc : corm__trx_doom(trx, NULL, 0);
    }
    trx->depth--;
    return forget_savepoint(trx);
}

/* Whether a rollback to the last savepoint mends what has happened. */
static bool is_mendable(const struct corm_trx *trx)
{
    int code = trx->error.code;

    return (code > CORM_TRX_GONE || corm_is_user(code)) && trx->doomed_depth >= trx->depth &&
           (trx->connection == NULL || !trx->connection->link->lost);
}

static int send_rollback_to(struct corm_trx *trx)
{
    char              text[64];
    struct corm_error error = {0};

    (void)snprintf(text, sizeof(text), "ROLLBACK TO %s", set_text(trx->depth - 1));
    int rc = corm__connection_control(trx->connection, text, trx->attempt,
                                      deadline_of_rollback(trx, trx->timeout_ms), &error);
    if (rc < 0) { /* nothing is known of the transaction any more: it ends */
        trx->error = error;
        tell_deadline(trx);
        trx->connection->link->lost = true;
        corm__trx_doom(trx, NULL, 0);
        trx->doomed_depth = 0;
    }
    return rc;
}

/* Takes back what was sent or buffered behind the last savepoint, which stays. */
static int undo(struct corm_trx *trx)
{
    const struct corm__savepoint *last = &trx->savepoints[trx->depth - 1];

    if (last->sent) {
        int rc = send_rollback_to(trx);
        if (rc < 0)
            return rc;
        trx->pending_count = trx->pending_bytes = 0;
    } else {
        assert(trx->pending_count > last->at); /* the savepoint itself is there */
        trx->pending_count = last->at + 1;
    }
    corm__guards_undo(&trx->guards, trx->depth);
    corm__trx_forget_held(trx);
    return 0;
}

/* A failure that came in front of the savepoint takes it away: the next one may mend that. */
int corm__trx_savepoint_back(struct corm_trx *trx, struct corm_error *lifted)
{
    if (trx->state == CORM__TRX_OVER || trx->busy)
        return corm__trx_check(trx);
    if (leave_group(trx, NULL) < 0)
        return trx->error.code;
    if (trx->depth <= trx->floor)
        return trx->state == CORM__TRX_DOOMED ? trx->error.code : no_savepoint(trx);
    if (trx->state == CORM__TRX_DOOMED && !is_mendable(trx)) {
        trx->depth--;
        return trx->error.code;
    }
    int rc = undo(trx);
    if (rc < 0)
        return rc;
    if (trx->state == CORM__TRX_DOOMED) {
        *lifted = trx->error;
        trx->error = (struct corm_error){0};
        trx->state = trx->connection != NULL ? CORM__TRX_OPEN : CORM__TRX_READY;
    }
    return 0;
}

int corm__trx_savepoint_rollback(struct corm_trx *trx, struct corm_error *lifted)
{
    int rc = corm__trx_savepoint_back(trx, lifted);

    if (rc < 0)
        return rc;
    trx->depth--;
    if (!trx->savepoints[trx->depth].sent)
        trx->pending_count--; /* it is the last that is pending */
    return forget_savepoint(trx);
}

/* SQLite, which stacks savepoints up, has to be told that the old one is not needed, also where that is
 * still pending. */
int corm__trx_savepoint_move(struct corm_trx *trx)
{
    assert(trx->depth > trx->floor && trx->leave == NULL);
    trx->depth--;
    if (!trx->node->endpoint.driver->has_trips) {
        struct corm__statement release = corm__control(release_texts[trx->depth]);
        int                    rc = corm__trx_buffer(trx, &release);
        if (rc < 0)
            return rc;
    }
    return corm__trx_savepoint(trx, NULL, 0);
}

void corm__trx_savepoint_is_set(struct corm_trx *trx)
{
    assert(trx->depth == 0);
    trx->savepoints[trx->depth++] = (struct corm__savepoint){.sent = true};
}

void corm__trx_mend(struct corm_trx *trx)
{
    trx->error = (struct corm_error){0};
    trx->state = trx->connection != NULL ? CORM__TRX_OPEN : CORM__TRX_READY;
}

int corm__trx_end_nested(struct corm_trx *trx, int told, struct corm_error *error)
{
    struct corm_error lifted = {0};
    int               rc = told >= 0 ? corm__trx_savepoint_release(trx) : told;

    if (rc >= 0)
        return told;
    if (trx->state != CORM__TRX_DOOMED) {
        if (told == trx->answer.code)
            *error = trx->answer;
        else
            corm__fail(error, told,
                       "the function returned %d: let it return a call's code, or that "
                       "of corm_abort()",
                       told);
    }
    rc = corm__trx_savepoint_rollback(trx, &lifted);
    if (rc < 0) {
        *error = *corm__trx_error_of(trx, rc);
        return rc;
    }
    if (lifted.code != 0)
        *error = lifted;
    return error->code;
}

int corm__trx_nested(struct corm_trx *trx, corm_trx_function *function, void *arg,
                     struct corm_error *error)
{
    int rc = leave_group(trx, NULL); /* which may set a savepoint */

    if (rc < 0)
        return rc;
    uint32_t depth = trx->depth, floor = trx->floor;
    rc = corm__trx_savepoint(trx, NULL, 0);

    if (rc < 0)
        return rc;
    trx->nested++;
    trx->floor = depth + 1;
    int told = function(trx, arg);
    trx->nested--;
    trx->floor = depth;
    trx->depth = depth + 1; /* those that it has left behind go with its own */
    rc = corm__trx_end_nested(trx, told, error);
    trx->depth = depth;
    trx->floor = floor;
    return rc;
}

/* ---- Functions that run again ---------------------------------------------------------- */

/* The functions that a thread is in, of whatever db, the innermost first. */
struct running {
    const struct corm__trx_store *store;
    const struct running         *outer;
};

static _Thread_local const struct running *running;

int corm__trx_check_nested(const struct corm__trx_store *store, struct corm_error *error)
{
    for (const struct running *r = running; r != NULL; r = r->outer)
        if (r->store == store)
            return corm__fail(error, CORM_NESTED, "it would not be part of the transaction");
    return 0;
}

int corm__trx_call(struct corm_trx *trx, corm_trx_function *function, void *arg)
{
    struct running here = {.store = trx->store, .outer = running};

    count(&trx->node->watch->attempts);
    running = &here;
    int rc = function(trx, arg);
    running = here.outer;
    return rc;
}

/* One attempt. The function's own code without an error of the transaction is made one. */
static int attempt(struct corm_trx *trx, corm_trx_function *function, void *arg)
{
    corm__trx_ready(trx);
    int rc = corm__trx_call(trx, function, arg);
    if (rc >= 0 || trx->state == CORM__TRX_DOOMED) {
        int ended = corm__trx_commit(trx);
        return ended < 0 ? ended : rc;
    }
    assert(trx->state != CORM__TRX_OVER); /* what would end it is refused in a function */
    if (rc == CORM_LOCKED && trx->answer.code != 0)
        trx->error = trx->answer;
    else
        corm__fail(&trx->error, rc,
                   "the function returned %d: let it return a call's code, or that of "
                   "corm_abort()",
                   rc);
    corm__trx_rollback(trx);
    return rc;
}

/* Where the deadline ends it in the attempt after one that a stale row ended, that row is the reason:
 * who is told of it knows what to do about it. `again`: but for the deadline it would run again, as
 * after a link that was given up. Keeps the error of a stale attempt in *stale. */
static int name_stale(struct corm_trx *trx, int rc, bool again, struct corm_error *stale)
{
    bool late = rc == CORM_TIMEOUT || rc == CORM_DEADLINE;
    bool ends = (again || late) && corm__ms_left(trx->deadline) == 0;

    if (ends && stale->code != 0) {
        trx->error = *stale;
        return CORM_STALE;
    }
    *stale = trx->error.code == CORM_STALE ? trx->error : (struct corm_error){0};
    return rc;
}

bool corm__trx_may_run_again(const struct corm_trx *trx, const struct corm_error *error)
{
    enum corm_verdict verdict = corm__verdict_on(trx->node->endpoint.driver, error, trx->place);

    return verdict == CORM_RUN_AGAIN ||
           (verdict == CORM_RUN_ELSEWHERE &&
            (trx->store->nodes->writers > 1 || (trx->wants_reader && trx->node->reader)));
}

int corm__trx_transact(struct corm_trx *trx, corm_trx_function *function, void *arg)
{
    struct corm_error stale = {0};

    for (;;) {
        corm__trx_choose_node(trx);
        int rc = attempt(trx, function, arg);
        if (rc >= 0)
            return rc;
        bool again = corm__trx_may_run_again(trx, &trx->error);
        rc = name_stale(trx, rc, again, &stale);
        if (again)
            corm__pause(corm__retry_pause(trx->attempt + 1, &trx->random), trx->deadline);
        if (!again || corm__ms_left(trx->deadline) == 0) {
            report(trx, &trx->error, true);
            return rc;
        }
        corm__count_code(&trx->node->watch->run_again, rc);
    }
}
