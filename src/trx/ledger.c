/* trx/ledger.c -- what became of a COMMIT whose answer was lost.
 *
 * The table corm_ledger has a row for each *slot*: who writes it last says which commit was the last one
 *
 *     slot | epoch | sequence | made | touched
 *
 * A connection has a slot of its own. The batch with COMMIT enters a new sequence just before it, in
 * the same trip and the same transaction, and says for which epoch (ENTER below). Where the row's epoch
 * is another one, the new sequence is larger than any number, which is an error, and the batch stops: *that* is
 * the fence. A row that is not there is made by the same statement: so the first commit claims the slot
 * without a trip.
 *
 *     NONE ──── enter(): a random number ────► ENTERED ◄──── the next commit ────┐
 *      ▲  ▲                                     │ │  │                           │
 *      │  └─── refused(): another epoch ────────┘ │  └── an answer, whichever ──► OWNED ──┐
 *      │                                          │                              ▲        │ the connection is
 *      │ doubt(): no answer to COMMIT             │                              │        ▼ closed in peace
 *      └──────────────────────────────────────────┤                  (the next   └───── SPARE
 *                                                 ▼                   connection)   (pool.c)
 *                                             IN DOUBT ── resolve() ──► DONE, NEVER
 *
 * ENTERED  `sequence` is that of the batch under way.
 * OWNED    no batch of this slot is under way. What was lost in front of COMMIT has not entered.
 * IN DOUBT the batch may have arrived, may arrive, or never will. The slot belongs to no connection any
 *          more, and never will again: so nothing but that batch and resolvers touch its row.
 *
 * resolve(), in one transaction: (1) count the epoch up, or make the row with an epoch that is
 * higher than ours; (2) read the sequence; (3) COMMIT. Only an OK to (3) makes the answer count:
 *
 *   The batch had committed before (1)    the sequence is ours, for ever: DONE. What (3) makes durable
 *                                         has that commit in front of it in the log.
 *   It holds the row, not yet committed   (1) waits for it; it is killed first where that is safe.
 *   It arrives after (1)                  it waits for (3), then finds another epoch: an error. NEVER.
 *   (3) is lost                           from the start: counting up twice does no harm, and the
 *                                         sequence is still what it was.
 *   Two resolve at once                   the second waits at (1), and reads the same.
 *   The server was restarted              its sessions are gone; the table tells.
 *   An old resolver's session is alive    it can do no more than count up.
 *   This process dies                     nobody asks; the row is deleted when it is old.
 *
 * A row is deleted by others when it was not touched for KEEP_DAYS. A batch that arrives later than that
 * after its doubt was resolved would find no fence; no server keeps a silent session so long. Nobody
 * is answered from a row that may have been deleted: outcome() forgets after half of that time.
 *
 * Sessions whose link was lost inside a transaction keep their locks until the server notices. Their
 * names are kept here, and the next one who takes a connection ends them (driver.h: end_session). The
 * fence is the ledger; ending them makes it quick.
 *
 * SQLite has none of this: its COMMIT has returned or it has not happened.
 *
 * `mutex` guards doubts and graves; no I/O happens under it. */
#include "trx/ledger.h"

#include "base/clock.h"
#include "trx/guard.h"
#include "trx/retry.h"
#include "trx/table_name.h"

#include <corm/arena.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DOUBTS_MAX = 1024, /* that are kept for corm_outcome(): as many as connections, at least */
    GRAVES_MAX = 64,
    KEEP_DAYS = 7,
    TIDY_EVERY_S = 3600,
    TIDY_ROWS = 32,
    TIDY_MS = 1000
};

/* Of the tests, which replace them to see that they would notice. */
#ifndef CORM__LEDGER_FENCE
#define CORM__LEDGER_FENCE                                                                         \
    "sequence = VALUES(sequence) + IF(epoch = VALUES(epoch), 0, 9223372036854775807)"
#endif
#ifndef CORM__LEDGER_CLAIM
#define CORM__LEDGER_CLAIM                                                                         \
    "INSERT INTO %s (slot, epoch, sequence) VALUES (?, ?, 0) "                                     \
    "ON DUPLICATE KEY UPDATE epoch = epoch + 1"
#endif
#ifndef CORM__LEDGER_READ
#define CORM__LEDGER_READ "SELECT sequence, made FROM %s WHERE slot = ? FOR UPDATE"
#endif

enum text { ENTER, ENTER_KEYS, CLAIM, READ, OLD, FORGET, CREATE, GUARD, TEXTS };

static const char *const forms[TEXTS] = {
    [ENTER] = "INSERT INTO %s (slot, epoch, sequence) VALUES (?, ?, ?) "
              "ON DUPLICATE KEY UPDATE " CORM__LEDGER_FENCE,
    [ENTER_KEYS] = "INSERT INTO %s (slot, epoch, sequence, made) VALUES (?, ?, ?, `corm#made`) "
                   "ON DUPLICATE KEY UPDATE " CORM__LEDGER_FENCE ", made = VALUES(made)",
    [CLAIM] = CORM__LEDGER_CLAIM,
    [READ] = CORM__LEDGER_READ,
    [OLD] = "SELECT slot FROM %s WHERE touched < CURRENT_TIMESTAMP - INTERVAL ? DAY LIMIT ?",
    [FORGET] = "DELETE FROM %s WHERE slot = ? AND touched < CURRENT_TIMESTAMP - INTERVAL ? DAY",
    [CREATE] =
        "CREATE TABLE IF NOT EXISTS %s (slot BIGINT NOT NULL PRIMARY KEY, epoch BIGINT NOT "
        "NULL, sequence BIGINT NOT NULL, made VARCHAR(703) CHARACTER SET ascii NULL, touched "
        "DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP) "
        "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
    [GUARD] = CORM__GUARD_TABLE,
};

enum fate { OPEN, COMMITTED, NEVER };

/* A doubt that was told as CORM_UNKNOWN. */
struct kept {
    uint64_t           id; /* 0: none */
    struct corm__node *node;
    struct corm__doubt doubt;
    int64_t            since;
    enum fate          fate;
};

struct grave {
    struct corm__node   *node;
    struct corm__session session;
};

struct corm__ledger {
    struct corm__nodes *nodes;
    struct corm_arena  *arena; /* of the texts */
    const char         *texts[TEXTS];
    _Atomic int64_t     tidy_at;
    pthread_mutex_t     mutex; /* guards the rest, and changes of graves of a node */
    struct grave        graves[GRAVES_MAX];
    uint32_t            grave_count;
    uint64_t            last_id;
    struct kept         kept[DOUBTS_MAX]; /* by id */
};

/* ---- Making ------------------------------------------------------------------- */

/* A form with the table in it. NULL where there is no memory. */
static const char *make_text(const struct corm__ledger *l, const char *form, const char *table)
{
    struct corm__buffer text;
    const char         *at = strstr(form, "%s");

    corm__buffer_init(&text, l->arena);
    corm__buffer_add(&text, form, (size_t)(at - form));
    corm__put_own_table(&text, l->nodes->all->endpoint.database, table);
    corm__buffer_puts(&text, at + strlen("%s"));
    return text.failed ? NULL : text.text;
}

struct corm__ledger *corm__ledger_new(struct corm__nodes *nodes)
{
    struct corm__ledger *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    l->nodes = nodes;
    (void)pthread_mutex_init(&l->mutex, NULL);
    l->arena = corm_arena_new();
    bool has_memory = l->arena != NULL;
    for (int i = 0; has_memory && i < TEXTS; i++) {
        l->texts[i] = make_text(l, forms[i], i == GUARD ? "corm_guard" : "corm_ledger");
        has_memory = l->texts[i] != NULL;
    }
    if (!has_memory) {
        corm__ledger_free(l);
        return NULL;
    }
    return l;
}

void corm__ledger_free(struct corm__ledger *l)
{
    (void)pthread_mutex_destroy(&l->mutex);
    corm_arena_free(l->arena);
    free(l);
}

/* ---- Statements ---------------------------------------------------------------- */

static struct corm_value whole(int64_t i)
{
    return (struct corm_value){.kind = CORM_V_INT, .as.i = i};
}

static struct corm__statement statement_of(const struct corm__ledger *l, enum text text,
                                           enum corm__verb verb, const struct corm_value *binds,
                                           uint32_t bind_count)
{
    return (struct corm__statement){
        .verb = verb,
        .text = l->texts[text],
        .size = strlen(l->texts[text]),
        .binds = binds,
        .bind_count = bind_count,
    };
}

/* Runs one statement, outside of what a user began. */
static int run(struct corm__connection *c, const struct corm__statement *statement,
               struct corm__sink *sink, int64_t deadline, struct corm_error *error)
{
    struct corm__run run = {
        .statements = statement, .count = 1, .sink = sink, .deadline = deadline};

    return corm__connection_run(c, &run, error);
}

/* ---- Entering ------------------------------------------------------------------- */

/* A number that no other process has, and an epoch that tells even if one has. */
static int claim_slot(struct corm__slot *slot, struct corm_error *error)
{
    uint64_t random[2];

    if (getentropy(random, sizeof(random)) != 0)
        return corm__fail(error, CORM_NO_MEMORY, "the system gives no random numbers");
    *slot = (struct corm__slot){
        .number = (int64_t)(random[0] >> 1) | 1,
        .epoch = (int64_t)(random[1] >> 2),
    };
    return 0;
}

int corm__ledger_enter(struct corm__ledger *l, struct corm__connection *c, bool keys,
                       struct corm__entry *entry, struct corm__statement *statement,
                       struct corm_error *error)
{
    if (c->slot.number == 0 && claim_slot(&c->slot, error) < 0)
        return error->code;
    c->slot.sequence++;
    entry->binds[0] = whole(c->slot.number);
    entry->binds[1] = whole(c->slot.epoch);
    entry->binds[2] = whole(c->slot.sequence);
    *statement = statement_of(l, keys ? ENTER_KEYS : ENTER, CORM__WRITE, entry->binds, 3);
    statement->takes_keys = keys;
    return 0;
}

/* Another epoch: somebody else has the number, or has counted up what was ours. No table, no rights: as
 * if there had been none from the start. */
void corm__ledger_refused(struct corm__connection *c, struct corm_error *error)
{
    struct corm_error again = {0};
    bool              is_gone =
        error->code == CORM_NO_TABLE || error->code == CORM_NO_COLUMN || error->code == CORM_DENIED;

    if (!is_gone && error->code != CORM_OUT_OF_RANGE)
        return;
    if (is_gone)
        atomic_store(&c->watch->has_ledger, false);
    c->slot = (struct corm__slot){0};
    corm__fail_server(&again, CORM_CONFLICT, error->server_code, error->sqlstate,
                      "the ledger did not take the commit (%.300s)", error->message);
    *error = again;
}

/* ---- Asking ---------------------------------------------------------------------- */

struct corm__doubt corm__ledger_doubt(struct corm__connection *c)
{
    struct corm__doubt doubt = {.slot = c->slot, .session = c->link->session};

    c->slot = (struct corm__slot){0};
    return doubt;
}

struct row_sink {
    struct corm__sink    base;
    int64_t              sequence;
    struct corm__answer *answer;
};

static int take_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                    struct corm_error *error)
{
    struct row_sink *s = (struct row_sink *)base;

    (void)count, (void)error;
    s->sequence = values[0].as.i;
    if (values[1].kind == CORM_V_TEXT)
        (void)snprintf(s->answer->keys, sizeof(s->answer->keys), "%.*s", (int)values[1].size,
                       values[1].as.s);
    return 0;
}

/* Once. The transaction is begun by hand: the session is one for single statements. */
static int ask(struct corm__ledger *l, struct corm__connection *c, const struct corm__doubt *d,
               int64_t until, struct corm__answer *answer, struct corm_error *error)
{
    struct corm_value      mine[2] = {whole(d->slot.number), whole(d->slot.epoch + 1)};
    struct corm__statement claim = statement_of(l, CLAIM, CORM__WRITE, mine, 2);
    struct corm__statement read = statement_of(l, READ, CORM__READ, mine, 1);
    struct row_sink        sink = {.base = {.row = take_row}, .answer = answer};

    *answer = (struct corm__answer){0};
    int rc = corm__connection_control(c, "START TRANSACTION", 0, until, error);
    if (rc == 0)
        rc = run(c, &claim, NULL, until, error);
    if (rc == 0)
        rc = run(c, &read, &sink.base, until, error);
    if (rc == 0)
        rc = corm__connection_control(c, "COMMIT", 0, until, error);
    answer->committed = sink.sequence == d->slot.sequence;
    return rc;
}

/* What failed must not stay open: the next try begins anew. */
static void undo(struct corm__connection *c)
{
    struct corm_error ignored = {0};

    if (!c->link->lost &&
        corm__connection_control(c, "ROLLBACK", 0, corm__deadline_in(1000), &ignored) < 0)
        c->link->lost = true;
}

/* Where it may not be ended, or is not there, the locks are waited for. */
static int end_session(struct corm__connection *c, const struct corm__session *session,
                       int64_t deadline, struct corm_error *error)
{
    struct corm_error failed = {0};

    if (corm__connection_end_session(c, session, deadline, &failed) < 0 && c->link->lost) {
        *error = failed;
        return error->code;
    }
    return 0;
}

/* Over the connection, with a new link where it has none. */
static int resolve_here(struct corm__ledger *l, const struct corm__node *node,
                        struct corm__connection *c, const struct corm__doubt *doubt, int64_t until,
                        struct corm__answer *answer, struct corm_error *error)
{
    int rc = 0;

    if (c->link->lost)
        rc = corm__connection_reopen(c, &node->endpoint, until, error);
    if (rc == 0)
        rc = end_session(c, &doubt->session, until, error);
    if (rc == 0)
        rc = ask(l, c, doubt, until, answer, error);
    if (rc < 0)
        undo(c);
    return rc;
}

/* On another node, over a connection of its own: those of its pool may all be in use by those who wait. */
static int resolve_there(struct corm__ledger *l, const struct corm__node *node,
                         const struct corm__doubt *doubt, int64_t until,
                         struct corm__answer *answer, struct corm_error *error)
{
    struct corm__connection *c = NULL;
    int rc = corm__connection_open(&node->endpoint, true, node->watch, until, &c, error);

    if (rc < 0)
        return rc;
    rc = ask(l, c, doubt, until, answer, error);
    corm__connection_close(c);
    return rc;
}

/* Whom else to ask: only where a commit on one node is one on all, or on none. */
static const struct corm__node *other_of(const struct corm__ledger *l,
                                         const struct corm__node   *node)
{
    return corm__nodes_are_galera(l->nodes) ? corm__nodes_other(l->nodes, node) : NULL;
}

static void count_answer(struct corm__watch *watch, const struct corm__answer *answer)
{
    atomic_fetch_add_explicit(answer->committed ? &watch->resolved_done : &watch->resolved_undone,
                              1, memory_order_relaxed);
}

int corm__ledger_resolve(struct corm__ledger *l, struct corm__node *node,
                         struct corm__connection *c, const struct corm__doubt *doubt, int64_t until,
                         struct corm__answer *answer, struct corm_error *error)
{
    uint64_t random = (uint64_t)corm__now() | 1;

    for (uint32_t tries = 1;; tries++) {
        struct corm_error        failed = {0};
        const struct corm__node *other = other_of(l, node);
        bool left = other != NULL && (tries > 1 || atomic_load(&node->health) == CORM__NODE_LEFT);
        int  rc = left ? resolve_there(l, other, doubt, until, answer, &failed)
                       : resolve_here(l, node, c, doubt, until, answer, &failed);
        if (rc == 0) {
            count_answer(&l->nodes->watch, answer);
            return 0;
        }
        corm__nodes_note(l->nodes, left ? &l->nodes->all[other->number - 1] : node, &failed);
        corm__pause(corm__retry_pause(tries + 1, &random), until);
        if (corm__ms_left(until) == 0) {
            *error = failed;
            return rc;
        }
    }
}

/* ---- Later ------------------------------------------------------------------------- */

uint64_t corm__ledger_keep(struct corm__ledger *l, struct corm__node *node,
                           const struct corm__doubt *doubt)
{
    (void)pthread_mutex_lock(&l->mutex);
    uint64_t id = ++l->last_id;
    l->kept[id % DOUBTS_MAX] =
        (struct kept){.id = id, .node = node, .doubt = *doubt, .since = corm__now()};
    (void)pthread_mutex_unlock(&l->mutex);
    return id;
}

static struct kept find_kept(struct corm__ledger *l, uint64_t id)
{
    (void)pthread_mutex_lock(&l->mutex);
    struct kept kept = l->kept[id % DOUBTS_MAX];
    (void)pthread_mutex_unlock(&l->mutex);
    return kept.id == id ? kept : (struct kept){0};
}

static void note_fate(struct corm__ledger *l, uint64_t id, enum fate fate)
{
    (void)pthread_mutex_lock(&l->mutex);
    if (l->kept[id % DOUBTS_MAX].id == id)
        l->kept[id % DOUBTS_MAX].fate = fate;
    (void)pthread_mutex_unlock(&l->mutex);
}

/* Of the pool, as soon as the server takes one. */
static int wait_for_connection(const struct corm__node *node, int64_t deadline,
                               struct corm__connection **c, struct corm_error *error)
{
    const struct corm__caller caller = {"corm_outcome()", 0};
    struct corm__mode         single = {0};
    uint64_t                  random = (uint64_t)corm__now() | 1;

    for (uint32_t tries = 1;; tries++) {
        int rc = corm__pool_acquire(node->write, &single, caller, deadline, c, error);
        if (rc == 0 ||
            corm__verdict_on(node->endpoint.driver, error, CORM_AT_CONNECT) != CORM_RUN_AGAIN)
            return rc;
        corm__pause(corm__retry_pause(tries + 1, &random), deadline);
        if (corm__ms_left(deadline) == 0)
            return rc;
        *error = (struct corm_error){0};
    }
}

/* Where the node of the doubt cannot be used, another one's connection serves, where it may. */
static int ask_later(struct corm__ledger *l, struct corm__node *node,
                     const struct corm__doubt *doubt, int64_t deadline, struct corm__answer *answer,
                     struct corm_error *error)
{
    const struct corm__node *other = other_of(l, node);
    struct corm__mode        single = {0};
    struct corm__connection *c = NULL;
    struct corm_error        ignored = {0};

    if (other != NULL && atomic_load(&node->health) == CORM__NODE_LEFT)
        node = &l->nodes->all[other->number - 1];
    int rc = wait_for_connection(node, deadline, &c, error);
    if (rc < 0)
        return rc;
    (void)corm__connection_enter(c, &single, 0, deadline, &ignored); /* or it gets a new link */
    rc = corm__ledger_resolve(l, node, c, doubt, deadline, answer, error);
    corm__pool_release(node->write, c);
    return rc;
}

int corm__ledger_outcome(struct corm__ledger *l, uint64_t id, int64_t deadline,
                         struct corm_error *error)
{
    struct kept         kept = id != 0 ? find_kept(l, id) : (struct kept){0};
    struct corm__answer answer = {0};
    struct corm_error   failed = {0};

    if (kept.id == 0 || corm__now() - kept.since > (int64_t)KEEP_DAYS * 43200 * 1000000000)
        return corm__fail(error, CORM_NO_TICKET, "there is no such outcome, or it is forgotten");
    if (kept.fate != OPEN)
        return kept.fate == COMMITTED;
    int rc = ask_later(l, kept.node, &kept.doubt, deadline, &answer, &failed);
    if (rc < 0) {
        if (failed.code == CORM_WOULD_BLOCK)
            *error = failed;
        else
            corm__fail_server(error, CORM_UNKNOWN, failed.server_code, failed.sqlstate,
                              "nobody has answered yet (%.300s)", failed.message);
        error->outcome = id;
        return error->code;
    }
    if (answer.committed) /* perhaps after it was looked at where that node was */
        corm__nodes_note_write(l->nodes, kept.node, NULL);
    note_fate(l, id, answer.committed ? COMMITTED : NEVER);
    return answer.committed;
}

/* ---- Rows of others ------------------------------------------------------------------ */

struct old_sink {
    struct corm__sink base;
    int64_t           slots[TIDY_ROWS];
    uint32_t          count;
};

static int take_slot(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                     struct corm_error *error)
{
    struct old_sink *s = (struct old_sink *)base;

    (void)count, (void)error;
    if (s->count < TIDY_ROWS)
        s->slots[s->count++] = values[0].as.i;
    return 0;
}

/* One by one, by key: a scan would lock the rows of all, and wait for every commit. */
static int tidy(struct corm__ledger *l, struct corm__connection *c, int64_t deadline,
                struct corm_error *error)
{
    struct corm__mode      single = {0};
    struct corm_value      limits[2] = {whole(KEEP_DAYS), whole(TIDY_ROWS)};
    struct corm__statement old = statement_of(l, OLD, CORM__READ, limits, 2);
    struct old_sink        sink = {.base = {.row = take_slot}};
    int                    rc = corm__connection_enter(c, &single, 0, deadline, error);

    if (rc == 0)
        rc = run(c, &old, &sink.base, deadline, error);
    for (uint32_t i = 0; rc == 0 && i < sink.count; i++) {
        struct corm_value      which[2] = {whole(sink.slots[i]), whole(KEEP_DAYS)};
        struct corm__statement forget = statement_of(l, FORGET, CORM__WRITE, which, 2);
        rc = run(c, &forget, NULL, deadline, error);
    }
    return rc;
}

void corm__ledger_tidy(struct corm__ledger *l, struct corm__connection *c)
{
    struct corm_error ignored = {0};
    int64_t           at = atomic_load_explicit(&l->tidy_at, memory_order_relaxed);
    int64_t           now = c->slot.sequence == 1 ? corm__now() : 0; /* a row more than before */

    if (now == 0 || now < at ||
        !atomic_compare_exchange_strong(&l->tidy_at, &at, now + (int64_t)TIDY_EVERY_S * 1000000000))
        return;
    (void)tidy(l, c, corm__deadline_in(TIDY_MS), &ignored);
}

/* ---- Making the table ------------------------------------------------------------------ */

/* Whether an entry for another epoch is refused, as it must be. */
static int try_fence(struct corm__ledger *l, struct corm__connection *c, int64_t deadline,
                     struct corm_error *error)
{
    struct corm_value      first[3] = {whole(0), whole(1), whole(1)};
    struct corm_value      second[3] = {whole(0), whole(2), whole(1)};
    struct corm__statement enter = statement_of(l, ENTER, CORM__WRITE, first, 3);
    struct corm_error      refused = {0};
    int rc = corm__connection_control(c, "START TRANSACTION", 0, deadline, error);

    if (rc == 0)
        rc = run(c, &enter, NULL, deadline, error);
    enter.binds = second;
    if (rc == 0 && run(c, &enter, NULL, deadline, &refused) == 0)
        rc = corm__fail(error, CORM_UNSUPPORTED,
                        "the table corm_ledger takes an entry that it must refuse: it is not "
                        "corm's, drop it and set it up again");
    else if (rc == 0 && refused.code != CORM_OUT_OF_RANGE)
        *error = refused, rc = refused.code;
    undo(c);
    return rc;
}

static int set_up(struct corm__ledger *l, struct corm__connection *c, int64_t deadline,
                  struct corm_error *error)
{
    struct corm__mode single = {0};
    int               rc = corm__connection_enter(c, &single, 0, deadline, error);

    if (rc == 0)
        rc = corm__connection_control(c, l->texts[CREATE], 0, deadline, error);
    if (rc == 0)
        rc = corm__connection_control(c, l->texts[GUARD], 0, deadline, error);
    if (rc == 0)
        rc = try_fence(l, c, deadline, error);
    if (rc == 0)
        atomic_store(&c->watch->has_ledger, true);
    return rc;
}

static int set_up_node(struct corm__ledger *l, const struct corm__node *node, int64_t deadline,
                       struct corm_error *error)
{
    struct corm__mode        single = {0};
    struct corm__connection *c = NULL;
    int rc = corm__pool_acquire(node->write, &single, (struct corm__caller){"corm_setup()", 0},
                                deadline, &c, error);

    if (rc < 0)
        return rc;
    rc = set_up(l, c, deadline, error);
    corm__pool_release(node->write, c);
    return rc;
}

/* In a Galera cluster what one node makes all have. */
int corm__ledger_setup(struct corm__ledger *l, int64_t deadline, struct corm_error *error)
{
    if (!l->nodes->all->endpoint.driver->has_trips)
        return 0; /* a file's COMMIT is known */
    if (l->nodes->count == 1 || corm__nodes_are_galera(l->nodes))
        return set_up_node(l, corm__nodes_any(l->nodes), deadline, error);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < l->nodes->count; i++) {
        const struct corm__node *node = &l->nodes->all[i];
        if (!node->reader && atomic_load(&node->health) != CORM__NODE_LEFT)
            rc = set_up_node(l, node, deadline, error);
    }
    return rc;
}

/* ---- Sessions that were lost ------------------------------------------------------------- */

/* Where there are too many, one more is left to the server. */
void corm__ledger_bury(struct corm__ledger *l, struct corm__node *node,
                       const struct corm__session *session)
{
    if (session->id == 0)
        return;
    (void)pthread_mutex_lock(&l->mutex);
    if (l->grave_count < GRAVES_MAX) {
        l->graves[l->grave_count++] = (struct grave){node, *session};
        atomic_fetch_add(&node->graves, 1);
    }
    (void)pthread_mutex_unlock(&l->mutex);
}

static bool take_grave(struct corm__ledger *l, struct corm__node *node,
                       struct corm__session *session)
{
    bool found = false;

    (void)pthread_mutex_lock(&l->mutex);
    for (uint32_t i = l->grave_count; i-- > 0 && !found;) {
        if (l->graves[i].node != node)
            continue;
        found = true;
        *session = l->graves[i].session;
        l->graves[i] = l->graves[--l->grave_count];
        atomic_fetch_sub(&node->graves, 1);
    }
    (void)pthread_mutex_unlock(&l->mutex);
    return found;
}

int corm__ledger_end_lost(struct corm__ledger *l, struct corm__node *node,
                          struct corm__connection *c, int64_t deadline, struct corm_error *error)
{
    struct corm__session session;

    if (atomic_load_explicit(&node->graves, memory_order_relaxed) == 0)
        return 0;
    while (take_grave(l, node, &session)) {
        if (end_session(c, &session, deadline, error) < 0) {
            corm__ledger_bury(l, node, &session);
            return error->code;
        }
    }
    return 0;
}
