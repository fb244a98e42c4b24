/* route/group.c -- transactions of one lane that share one transaction of the server.
 *
 *      run()        lock_keys()           run_members()         flush() at the end     commit
 *      ──► BEGUN ───────────────► LOCKED ───────────────► RAN ────────────────────► SENT ───────► outcomes
 *            │  a row is locked by      ▲                          │
 *            │  others: its members     └─────── recover() ────────┤ refused
 *            │  are BLOCKED                                        │
 *            └────────────► LOST ◄─────────────────────────────────┘
 *               deadlock, connection, deadline: all members AGAIN, or told
 *
 * A member: RUNS ──► DONE, its outcome told by the group's end; or, to run in a later group,
 *   BLOCKED   by lock_each(): a row of its keys is locked by others,
 *   ASIDE     by put_aside(): it waited lane_wait_ms for another row; undone, and alone from then on,
 *   AGAIN     by conclude() or settle(): what it did was undone, whosesoever fault,
 *   WAITS     by run_member(): it has not run, because the group has all the memory it may have.
 *
 * A member is either
 *
 *   served   its reads and updates by primary key of rows that the group holds, and its inserts, happen
 *            in memory: rows in `held`, inserts in `batches`, and in `log` each change with the member
 *            whose it is. The server hears of all of them at once, in flush().
 *   direct   its statements go to the server one by one, behind a savepoint of its own, after all that
 *            the members before it have left in memory. A served member becomes direct by its first
 *            call that is not served (leave()); if it has left something in memory by then, it runs
 *            again from the start. What it may have written drops all rows that are held.
 *
 * A *segment* is what flush() sends: all that is in the log, of one member or more. In front of it stands the
 * savepoint (where there are other members), and what is in front of that was accepted for good:
 *
 *      accepted │ member a │ b │ c │ d │ ...        │ the savepoint, set anew by the flush of each segment
 *
 *   flush() is accepted    the log is empty; the next segment begins.
 *   flush() is refused     recover(): back to the savepoint; memory is as it was in front of the flush.
 *     of one member        It is guilty: all before it was accepted, so it is told what it would be told
 *                          alone. Its changes are taken back.
 *     of several, and the  It is guilty, if that row is all that it inserts: those before it were let in by
 *     row is known         the server in the same statement. It alone is taken back; those behind it run
 *                          again. Once in a group.
 *     of several           find_suspects() asks the server who that may be. The first of them and all
 *                          behind him are taken back and run again: those before him as a segment, each
 *                          suspect as a segment of his own, where he is found guilty or not.
 *
 * So a wrong suspicion costs time, never truth. Each refusal ends a member, or leaves one more that is a
 * segment of his own; after ROUNDS_MAX of them all are that. The locks are never given up.
 *
 * Rows are held under SQL table and primary key as the server returned it; what else must be true of
 * their tables is in table_facts.h. So the result is that of running the members one after the other,
 * in the order of arrival. A member's outcome, refusals too, is told only when COMMIT was answered: it
 * may have read what the members before it have left. */
#include "route/group.h"

#include "base/arena.h"
#include "base/clock.h"
#include "driver/array.h"
#include "route/rendezvous.h"
#include "schema/row.h"
#include "schema/type.h"
#include "schema/version.h"
#include "sql/batch.h"
#include "sql/key.h"
#include "trx/retry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 20,                /* how long a row that was locked before is waited for */
    BYTES_MAX = 8 * 1024 * 1024, /* of memory for one group: then the next one begins */
    KEPT_BYTES = 1024 * 1024,    /* of memory that a lane keeps from group to group */
    SINGLES_MAX = 2, /* rows of a statement that go one by one: an array costs a trip of its own */
    KEYS_MAX = 256,  /* keys that are locked by one statement */
    ROUNDS_MAX = 8,  /* times that suspects are asked for */
    TELLING = 16     /* groups behind a refusal whose rows tell that they went in */
};

static const uint32_t nobody = UINT32_MAX; /* no member */

/* A row in memory. */
struct held {
    struct corm__map_entry   entry;
    const struct corm_table *table;
    struct corm__table_facts facts;
    void                    *row;
    uint64_t                 changed;   /* columns, a bit each, that the server does not know yet */
    bool                     exclusive; /* locked for update; else for share */
    bool                     sent;      /* in the flush at hand */
    struct held             *next;
};

/* Where a row of a batch comes from. */
struct origin {
    int64_t    *id; /* where its generated key goes; or NULL */
    const char *file;
    int32_t     line;
    uint32_t    member;
};

/* Rows that wait to be inserted by one statement. */
struct batch {
    const struct corm_table *table;
    struct corm__table_facts facts;
    struct corm_write        shape;     /* of the first: its row or its set list */
    struct corm__statement   statement; /* for one row */
    struct corm_value       *rows;      /* row by row */
    struct origin           *origins;
    size_t                   count, capacity;
    bool                     wants_ids;
    struct batch            *next;
};

/* A change in memory. */
struct change {
    struct held  *held; /* its row as it was ... */
    void         *row;
    uint64_t      changed;
    struct batch *batch; /* ... or the batch, and which of its rows it is */
    size_t        at;
    uint32_t      member;
};

/* A row that members name by their keys. */
struct wanted {
    const struct corm__lock_key *key;
    struct corm__key             bytes;
    bool                         locked; /* the group has its lock, if there is such a row */
};

struct corm__group {
    struct corm_trx          *trx;
    struct corm__facts_cache *facts;
    uint32_t                  lane_wait_ms;
    struct corm__map          held;
    struct held              *first_held, **last_held;
    struct wanted       *wanted, *doubtful; /* sorted: `doubtful` were locked by others before */
    size_t               wanted_count, doubtful_count;
    struct batch        *first_batch, **last_batch;
    struct change       *log; /* what the server does not know yet, in its order */
    size_t               log_count, log_capacity;
    struct corm_arena   *arena; /* of the attempt */
    size_t               members;
    uint32_t             at;        /* the member at hand */
    bool                *suspects;  /* by member; NULL: none is */
    uint32_t             rounds;    /* times that suspects were asked for */
    uint32_t             telling;   /* groups to come whose rows tell that they went in */
    const struct origin *guilty;    /* the row that was refused; NULL: any of them may be it */
    bool                 has_found; /* who was refused, without a question */
    bool                 is_saved;  /* nothing was sent behind the savepoint */
    bool                 direct;    /* the member at hand is */
    bool                 restart;   /* the member at hand must run again, directly */
    bool                 refused;   /* what was to be sent was refused ... */
    bool                 intact;    /* ... and the server is as it was at the savepoint */
};

/* ---- Making and ending --------------------------------------------------------- */

struct corm__group *corm__group_new(struct corm__trx_store *store, struct corm__node *node,
                                    uint32_t lane, struct corm__facts_cache *facts,
                                    uint32_t lane_wait_ms)
{
    struct corm__group *g = calloc(1, sizeof(*g));
    struct corm_error   ignored = {0};

    if (g == NULL)
        return NULL;
    g->trx = corm__trx_take(store, &ignored);
    if (g->trx == NULL) {
        free(g);
        return NULL;
    }
    g->facts = facts;
    g->lane_wait_ms = lane_wait_ms;
    g->trx->node = node;
    g->trx->group = g;
    g->trx->lane = lane;
    g->trx->function = g->trx->pinned = true;
    corm__arena_keep(g->trx->arena, KEPT_BYTES);
    corm__arena_keep(g->trx->drafts, KEPT_BYTES);
    return g;
}

void corm__group_free(struct corm__group *g)
{
    if (g == NULL)
        return;
    corm__map_free(&g->held);
    corm__trx_give(g->trx);
    free(g);
}

/* Forgets the rows that are held; none must have been changed. */
static void forget_held(struct corm__group *g)
{
    corm__map_clear(&g->held);
    g->first_held = NULL;
    g->last_held = &g->first_held;
}

static void forget_batches(struct corm__group *g)
{
    g->first_batch = NULL;
    g->last_batch = &g->first_batch;
}

/* Whether there is something that the server does not know. */
static bool is_waiting(const struct corm__group *g)
{
    return g->log_count > 0;
}

/* Of one member alone, so that a refusal is its own. */
static bool is_one_members(const struct corm__group *g)
{
    return is_waiting(g) && g->log[0].member == g->log[g->log_count - 1].member;
}

static enum corm_dialect dialect_of(const struct corm__group *g)
{
    return g->trx->node->dialect;
}

static int facts_of(struct corm__group *g, const struct corm_table *table,
                    struct corm__table_facts *facts)
{
    bool is_known = corm__facts_known(g->facts, table, facts);
    int  rc = is_known ? 0
                       : corm__facts_of(g->facts, g->trx->connection, table, g->arena,
                                        g->trx->deadline, facts, &g->trx->error);

    /* The catalogue answers also where its node has just rolled the transaction back. */
    return rc < 0 || is_known ? rc : corm__trx_is_still_there(g->trx);
}

/* ---- Sending what waits ------------------------------------------------------------ */

/* Takes the whole number that comes back for each row of an array. */
struct numbers_sink {
    struct corm__sink base;
    struct origin    *origins;
    size_t            next;
    bool             *suspects; /* of those that are asked for */
};

static int id_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                  struct corm_error *error)
{
    struct numbers_sink *sink = (struct numbers_sink *)base;
    int64_t             *id = sink->origins[sink->next++].id;

    (void)count, (void)error;
    if (id != NULL)
        *id = values[0].as.i;
    return 0;
}

/* Runs a statement once for each of `count` rows of `width` values. */
static int send_rows(struct corm__group *g, const struct corm__statement *statement,
                     const struct corm_value *rows, uint32_t width, size_t count,
                     struct corm__sink *sink)
{
    struct corm__array_column *columns = corm_arena_alloc(g->arena, width * sizeof(*columns));
    struct corm__array         array = {.rows = count, .column_count = width, .columns = columns};
    int rc = columns == NULL ? corm__fail_memory(&g->trx->error, "a group's rows") : 0;

    for (uint32_t i = 0; rc == 0 && i < width; i++)
        rc = corm__array_fill(g->arena, rows + i, width, count, &columns[i], &g->trx->error);
    if (rc < 0)
        return corm__trx_doom(g->trx, statement->file, statement->line);
    rc = corm__trx_open(g->trx, statement->file, statement->line);
    return rc < 0 ? rc : corm__trx_send_array(g->trx, statement, &array, sink);
}

/* A failure of one statement, whosesoever. */
static bool is_statements(const struct corm_error *error)
{
    return error->code > CORM_TRX_GONE && error->code != CORM_TIMEOUT;
}

/* The rows of a batch, each with its number behind it. */
static struct corm_value *number_rows(struct corm__group *g, const struct batch *b)
{
    size_t             width = b->statement.bind_count;
    struct corm_value *rows = corm_arena_alloc(g->arena, b->count * (width + 1) * sizeof(*rows));

    for (size_t i = 0; rows != NULL && i < b->count; i++) {
        memcpy(rows + i * (width + 1), b->rows + i * width, width * sizeof(*rows));
        rows[i * (width + 1) + width] = corm_v_int_((long long)i);
    }
    return rows;
}

static int told_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                    struct corm_error *error)
{
    (void)values, (void)count, (void)error;
    ((struct numbers_sink *)base)->next++;
    return 0;
}

/* Inserts the rows of a batch by a statement that gives a row back for each that goes in: the first that does
 * not was refused. A statement that was killed says nothing of its rows. */
static int send_told(struct corm__group *g, const struct batch *b,
                     struct corm__statement *statement, const struct corm_value *rows,
                     struct numbers_sink *sink)
{
    int rc = corm__trx_open(g->trx, NULL, 0);

    if (rc < 0) /* what is in front of it was refused */
        return rc;
    statement->file = NULL; /* that of the row which is refused will be told */
    rc = send_rows(g, statement, rows, statement->bind_count, b->count, &sink->base);
    if (rc < 0 && is_statements(&g->trx->error) && g->trx->error.server_code != 0 &&
        g->trx->error.code != CORM_INTERRUPTED && !g->trx->waited && sink->next < b->count)
        g->guilty = &b->origins[sink->next];
    return rc;
}

/* With the keys that the server makes. */
static int send_for_ids(struct corm__group *g, const struct batch *b)
{
    struct corm__statement statement = b->statement;
    struct numbers_sink    sink = {.base = {.row = id_row, .streams = true}, .origins = b->origins};

    if (corm__make_returning(dialect_of(g), g->arena, b->table, &statement, &g->trx->error) < 0)
        return corm__trx_doom(g->trx, NULL, 0);
    statement.bind_count = b->statement.bind_count; /* its text alone was made anew */
    return send_told(g, b, &statement, b->rows, &sink);
}

/* With numbers, which are of use in their place. */
static int send_telling(struct corm__group *g, const struct batch *b)
{
    struct corm__statement statement = b->statement;
    struct numbers_sink    sink = {.base = {.row = told_row, .streams = true}};
    struct corm_value     *rows = number_rows(g, b);
    int                    rc = rows == NULL
                                    ? corm__fail_memory(&g->trx->error, "a group's rows")
                                    : corm__make_telling(dialect_of(g), g->arena, false, &statement, &g->trx->error);

    if (rc < 0)
        return corm__trx_doom(g->trx, NULL, 0);
    return send_told(g, b, &statement, rows, &sink);
}

static bool goes_by_array(const struct corm__group *g, size_t count)
{
    return count > SINGLES_MAX && dialect_of(g) != CORM_DIALECT_MYSQL;
}

/* The statement of one row. */
static struct corm__statement insert_of(const struct batch *b, size_t at)
{
    struct corm__statement one = b->statement;

    one.binds = b->rows + at * one.bind_count;
    one.id = b->origins[at].id;
    one.file = b->origins[at].file;
    one.line = b->origins[at].line;
    return one;
}

static int send_batch(struct corm__group *g, const struct batch *b)
{
    uint32_t               width = b->statement.bind_count;
    struct corm__statement statement = b->statement;
    int                    rc = 0;

    if (!goes_by_array(g, b->count) || width == 0) {
        for (size_t i = 0; rc == 0 && i < b->count; i++) {
            statement = insert_of(b, i);
            rc = corm__trx_buffer(g->trx, &statement);
        }
        return rc;
    }
    if (b->wants_ids)
        return send_for_ids(g, b);
    return g->telling > 0 ? send_telling(g, b)
                          : send_rows(g, &statement, b->rows, width, b->count, NULL);
}

static uint32_t columns_of(const struct held *h, const struct corm_column **columns)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < h->table->column_count; i++)
        if ((h->changed >> i & 1) != 0)
            columns[n++] = &h->table->columns[i];
    return n;
}

/* All rows of one model with the same columns changed, from `first` on. */
static int send_updates(struct corm__group *g, struct held *first)
{
    enum { COLUMNS_MAX = 64 + CORM__KEY_COLUMNS_MAX };
    const struct corm_column *columns[COLUMNS_MAX];
    uint64_t                  changed = first->changed;
    uint32_t                  set = columns_of(first, columns),
             width = set + corm__key_columns(first->table, columns + set);
    struct corm__statement   statement;
    size_t                   count = 0;
    const struct corm_value *values = NULL;

    for (const struct held *h = first; h != NULL; h = h->next)
        count += h->table == first->table && h->changed == changed;
    struct corm_value *rows = corm_arena_alloc(g->arena, count * width * sizeof(*rows));
    if (rows == NULL) {
        corm__fail_memory(&g->trx->error, "a group's rows");
        return corm__trx_doom(g->trx, NULL, 0);
    }
    int rc = corm__make_update_by_key(dialect_of(g), g->arena, first->table, columns, set,
                                      &statement, &g->trx->error);
    count = 0;
    for (struct held *h = first; rc == 0 && h != NULL; h = h->next) {
        if (h->table != first->table || h->changed != changed)
            continue;
        rc = corm__column_values(dialect_of(g), g->arena, h->table, columns, width, h->row, &values,
                                 &g->trx->error);
        if (rc == 0)
            memcpy(rows + count++ * width, values, width * sizeof(*rows));
        h->sent = true;
    }
    if (rc < 0)
        return corm__trx_doom(g->trx, NULL, 0);
    if (goes_by_array(g, count))
        return send_rows(g, &statement, rows, width, count, NULL);
    statement.bind_count = width;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        statement.binds = rows + i * width;
        rc = corm__trx_buffer(g->trx, &statement);
    }
    return rc;
}

/* Whether one statement that was refused has left nothing on the server, where the savepoint is. One that was
 * killed is not trusted: whether that came in front of its end or behind is the server's secret. */
static bool is_undone(const struct corm__group *g)
{
    return g->trx->doomed_depth > 0 && g->trx->error.code != CORM_INTERRUPTED;
}

/* The same of a batch. */
static bool is_undone_whole(const struct corm__group *g, const struct batch *b)
{
    return dialect_of(g) == CORM_DIALECT_MARIADB && goes_by_array(g, b->count) &&
           b->statement.bind_count > 0 && is_undone(g);
}

/* The inserts of one member, whose refusal will be told, in the order of his program. One alone travels by
 * itself: then nothing has to be asked, or undone, when it is refused. */
static int send_alone(struct corm__group *g)
{
    struct corm__statement one = {0};
    size_t                 count = 0;
    int64_t                rc = 0;

    for (size_t i = 0; rc >= 0 && i < g->log_count; i++) {
        if (g->log[i].batch == NULL)
            continue;
        if (count++ > 0)
            rc = corm__trx_buffer(g->trx, &one);
        one = insert_of(g->log[i].batch, g->log[i].at);
    }
    if (rc < 0 || count == 0)
        return (int)rc;
    if (count > 1)
        return corm__trx_buffer(g->trx, &one);
    rc = corm__trx_open(g->trx, one.file, one.line);
    if (rc < 0)
        return (int)rc;
    rc = corm__trx_send(g->trx, &one, NULL);
    g->intact = rc < 0 && is_undone(g);
    return rc < 0 ? (int)rc : 0;
}

/* Batch by batch. */
static int send_inserts(struct corm__group *g)
{
    bool is_first = true;
    int  rc = 0;

    if (g->members > 1 && is_one_members(g))
        return send_alone(g);
    for (const struct batch *b = g->first_batch; rc >= 0 && b != NULL; b = b->next) {
        if (b->count == 0)
            continue;
        rc = send_batch(g, b);
        g->intact = rc < 0 && is_first && is_undone_whole(g, b);
        is_first = false;
    }
    return rc;
}

/* Sets the savepoint in front of what is to be sent; where nobody else is in the group, there is none. */
static int save(struct corm__group *g)
{
    if (g->members == 1 || g->is_saved)
        return 0;
    g->is_saved = true;
    return corm__trx_savepoint_move(g->trx);
}

/* The end of a flush; only one that was accepted makes the server know. */
static void note_sent(struct corm__group *g, bool accepted)
{
    for (struct held *h = g->first_held; h != NULL; h = h->next) {
        h->changed = accepted ? 0 : h->changed;
        h->sent = false;
    }
    if (!accepted)
        return;
    forget_batches(g);
    g->log_count = 0;
    g->is_saved = false;
}

/* Sends what waits in memory, a segment: inserts, then each row that was changed, once. A last few updates
 * may stay buffered, and go with what is sent next; they cannot be refused. */
static int flush(struct corm__group *g)
{
    int (*asks)(struct corm_trx *, const struct corm__statement *) = g->trx->leave;

    if (!is_waiting(g))
        return 0;
    g->trx->leave = NULL;
    g->intact = false;
    g->guilty = NULL;
    int rc = save(g);
    if (rc >= 0)
        rc = send_inserts(g);
    if (rc >= 0 && g->members > 1)
        rc = corm__trx_open(g->trx, NULL, 0);
    for (struct held *h = g->first_held; rc >= 0 && h != NULL; h = h->next)
        rc = h->changed != 0 && !h->sent ? send_updates(g, h) : 0;
    note_sent(g, rc >= 0);
    g->trx->leave = asks;
    g->refused = g->refused || rc < 0;
    return rc < 0 ? rc : 0;
}

/* Sends what stayed buffered, in front of a read: what dooms the read's trip belongs to its member. */
static int send_buffered(struct corm__group *g)
{
    int (*asks)(struct corm_trx *, const struct corm__statement *) = g->trx->leave;

    if (g->trx->pending_count == 0)
        return 0;
    g->trx->leave = NULL;
    int rc = corm__trx_open(g->trx, NULL, 0);
    g->trx->leave = asks;
    g->refused = g->refused || rc < 0;
    return rc;
}

/* ---- What is not served -------------------------------------------------------------- */

/* Whether the member at hand has left something in memory. */
static bool has_changes(const struct corm__group *g)
{
    return is_waiting(g) && g->log[g->log_count - 1].member == g->at;
}

/* What the member at hand has left in memory must not be sent with what is left of others. */
static int restart(struct corm__group *g)
{
    g->restart = true;
    corm__fail(&g->trx->error, CORM_CONFLICT, "the function runs again");
    return corm__trx_doom(g->trx, NULL, 0);
}

static int go_direct(struct corm__group *g)
{
    int rc = flush(g);

    if (rc < 0)
        return rc;
    g->direct = true;
    g->is_saved = false;
    g->trx->leave = NULL;
    rc = corm__trx_savepoint(g->trx, NULL, 0);
    g->trx->base = g->trx->floor = g->trx->depth;
    g->refused = rc < 0; /* what was buffered, not what this member does */
    return rc;
}

static bool only_reads(const struct corm__statement *statement)
{
    return statement != NULL && statement->verb == CORM__READ &&
           (!statement->alone || statement->bounded_wait);
}

/* In front of every statement of a served member that the group does not serve. */
static int leave(struct corm_trx *trx, const struct corm__statement *statement)
{
    struct corm__group *g = trx->group;

    if (trx->state == CORM__TRX_DOOMED)
        return trx->error.code;
    if (only_reads(statement) && !is_waiting(g))
        return send_buffered(g);
    if (has_changes(g))
        return restart(g);
    if (!only_reads(statement))
        return go_direct(g);
    int rc = flush(g);
    return rc < 0 ? rc : send_buffered(g);
}

/* ---- Rows that are held ----------------------------------------------------------------- */

static struct held *find(const struct corm__group *g, struct corm__key key)
{
    void *found = corm__map_find(&g->held, key.bytes, key.size);

    return found; /* its first member */
}

static struct held *hold(struct corm__group *g, const struct corm_table *table,
                         const struct corm__table_facts *facts, const struct corm_value *values,
                         bool exclusive, struct corm_error *error)
{
    void *row = corm_arena_alloc(g->arena, table->row_size);

    if (row == NULL) {
        corm__fail_memory(error, "a row that is held");
        return NULL;
    }
    memset(row, 0, table->row_size);
    if (corm__row_set(table, row, values, g->arena, error) < 0)
        return NULL;
    struct corm__key key = corm__key_of_row(g->arena, table, row);
    struct held     *h = key.bytes != NULL ? find(g, key) : NULL;
    if (h == NULL) {
        h = corm_arena_alloc(g->arena, sizeof(*h));
        if (h == NULL || key.bytes == NULL ||
            !corm__map_add(&g->held, &h->entry, key.bytes, key.size)) {
            corm__fail_memory(error, "a row that is held");
            return NULL;
        }
        h->next = NULL;
        *g->last_held = h;
        g->last_held = &h->next;
        h->changed = 0;
        h->exclusive = h->sent = false;
    }
    h->table = table;
    h->facts = *facts;
    if (h->changed == 0) /* or what is in memory is newer */
        h->row = row;
    h->exclusive = h->exclusive || exclusive;
    return h;
}

struct held_sink {
    struct corm__sink               base;
    struct corm__group             *group;
    const struct corm_table        *table;
    const struct corm__table_facts *facts;
    size_t                          rows;
};

static int held_start(struct corm__sink *sink, const struct corm_table **types,
                      struct corm_error *error)
{
    (void)error;
    *types = ((struct held_sink *)sink)->table;
    return 0;
}

static int held_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                    struct corm_error *error)
{
    struct held_sink *sink = (struct held_sink *)base;

    (void)count;
    sink->rows++;
    if (!sink->facts->may_hold)
        return 0;
    return hold(sink->group, sink->table, sink->facts, values, true, error) != NULL ? 0
                                                                                    : error->code;
}

static uint32_t count_key_columns(const struct corm_table *table)
{
    const struct corm_column *columns[CORM__KEY_COLUMNS_MAX];

    return corm__key_columns(table, columns);
}

/* The guards of rows that are locked, as statements that run behind the lock. How many; or a negative code. */
static int make_guards(struct corm__group *g, const struct corm_table *table,
                       const struct corm_value *values, uint32_t count,
                       struct corm__statement *statements)
{
    uint32_t width = count_key_columns(table), total = 1;
    int      n = 0;

    while (total < count) /* as the lock's list is rounded, so that there are few texts */
        total *= 2;
    struct corm_value *numbers =
        corm_arena_alloc(g->arena, (total + CORM__GUARD_ROWS) * sizeof(*numbers));
    if (numbers == NULL)
        return corm__fail_memory(&g->trx->error, "the guards of rows");
    for (uint32_t i = 0; i < total; i++) {
        const struct corm_value *key = values + (size_t)(i < count ? i : 0) * width;
        numbers[i] = corm_v_int_((long long)corm__hash_key(table, key));
    }
    corm__guard_sort(numbers, total);
    for (size_t left = total, took = 0; left > 0; left -= took, numbers += took)
        statements[n++] =
            corm__guard_statement(corm__trx_guard_texts(g->trx), numbers, left, &took);
    return n;
}

/* Notes that they were taken, by the lock's own statement or (`waits`) the next one. */
static int note_guards(struct corm__group *g, const struct corm_table *table,
                       const struct corm_value *values, uint32_t count, bool wait)
{
    uint32_t width = count_key_columns(table);
    int      rc = 0;

    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        uint64_t number = corm__hash_key(table, values + (size_t)i * width);
        rc = wait ? corm__trx_guard(g->trx, number, &g->trx->error)
                  : corm__trx_is_guarded_by(g->trx, number, &g->trx->error);
    }
    return rc < 0 ? corm__trx_doom(g->trx, NULL, 0) : 0;
}

/* Locks rows by their keys, and holds those that may be held. With `saves` the first savepoint is set behind
 * that: a rollback to the start of a transaction would give the locks up. How many there are, CORM_LOCKED where
 * that took too long, or another negative code. */
static int lock_rows(struct corm__group *g, const struct corm_table *table,
                     const struct corm_value *values, uint32_t count, uint32_t wait_ms, bool saves)
{
    struct corm__statement   behind[KEYS_MAX / CORM__GUARD_ROWS + 1];
    bool                     guards = corm__trx_is_guarded(g->trx);
    int                      n = 0;
    struct corm__table_facts facts = {0};
    struct corm__statement   statement;
    struct held_sink         sink = {.base = {.start = held_start, .row = held_row},
                                     .group = g,
                                     .table = table,
                                     .facts = &facts};
    int                      rc = 0;

    if (saves && guards)
        rc = n = make_guards(g, table, values, count, behind);
    if (saves)
        behind[n++] = corm__control("SAVEPOINT corm_1");
    if (rc >= 0)
        rc = corm__make_lock(dialect_of(g), g->arena, table, values, count, wait_ms, behind,
                             (size_t)n, &statement, &g->trx->error);
    if (rc == 0) /* facts are asked on its connection */
        rc = corm__trx_open(g->trx, NULL, 0);
    if (rc == 0)
        rc = facts_of(g, table, &facts);
    if (rc < 0)
        return g->trx->state == CORM__TRX_DOOMED ? rc : corm__trx_doom(g->trx, NULL, 0);
    int64_t rows = corm__trx_send(g->trx, &statement, &sink.base);
    if (rows < 0)
        return (int)rows;
    if (guards && note_guards(g, table, values, count, !saves) < 0)
        return g->trx->error.code;
    if (saves)
        corm__trx_savepoint_is_set(g->trx);
    return (int)sink.rows;
}

/* Whether a row that is read by a key might be changed, or be there, only in memory. Equal keys of a
 * case-insensitive text have other bytes. */
static bool hides(const struct corm__group *g, const struct corm_table *table,
                  const struct corm__table_facts *facts)
{
    for (const struct batch *b = g->first_batch; b != NULL; b = b->next)
        if (b->count > 0 && strcmp(b->table->name, table->name) == 0)
            return true;
    for (const struct held *h = g->first_held; h != NULL && !facts->exact_key; h = h->next)
        if (h->changed != 0 && strcmp(h->table->name, table->name) == 0)
            return true;
    return false;
}

/* The values of the primary key that a condition names, which is known to be exactly that. */
static void key_values(const struct corm_table *table, const struct corm_expr *where,
                       struct corm_value values[CORM__KEY_COLUMNS_MAX])
{
    const struct corm_column *columns[CORM__KEY_COLUMNS_MAX] = {NULL};
    uint32_t                  n = corm__key_columns(table, columns);
    const struct corm_expr   *equalities = where->op == CORM_AND ? where->kids : where;

    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < n; k++)
            if (equalities[k].column == columns[i])
                values[i] = equalities[k].value;
}

static int compare(const void *one, const void *two)
{
    return corm__key_compare(((const struct wanted *)one)->bytes,
                             ((const struct wanted *)two)->bytes);
}

static bool is_locked_among(struct corm__key key, const struct wanted *keys, size_t n)
{
    const struct wanted *found =
        n == 0 ? NULL : bsearch(&(struct wanted){.bytes = key}, keys, n, sizeof(*keys), compare);

    return found != NULL && found->locked;
}

/* Nobody has to be waited for where the group has the row's lock; and a bound on the wait would be one on
 * the server's time, which may be busy. */
static uint32_t wait_for(const struct corm__group *g, struct corm__key key)
{
    return is_locked_among(key, g->wanted, g->wanted_count) ||
                   is_locked_among(key, g->doubtful, g->doubtful_count)
               ? 0
               : g->lane_wait_ms;
}

/* The row that a condition names, locked for update and held; from the server where it is not held yet.
 * 1 and *found, 0 where there is none, a negative code, or CORM__NOT_SERVED. */
static int fetch(struct corm__group *g, const struct corm_table *table,
                 const struct corm_expr *where, struct held **found)
{
    const struct corm_column *columns[CORM__KEY_COLUMNS_MAX];
    struct corm__key          key = corm__key_of_condition(g->arena, table, where);
    struct corm_value         values[CORM__KEY_COLUMNS_MAX] = {{0}};
    struct corm__table_facts  facts;

    if (key.bytes == NULL || corm__key_columns(table, columns) == 0)
        return CORM__NOT_SERVED;
    *found = find(g, key);
    if (*found != NULL && (*found)->exclusive)
        return (*found)->table == table ? 1 : CORM__NOT_SERVED;
    if (facts_of(g, table, &facts) < 0)
        return g->trx->error.code;
    if (!facts.may_hold || hides(g, table, &facts))
        return CORM__NOT_SERVED;
    key_values(table, where, values);
    if (send_buffered(g) < 0)
        return g->trx->error.code;
    g->trx->leave = NULL;
    int rows = lock_rows(g, table, values, 1, wait_for(g, key), false);
    g->trx->leave = leave;
    if (rows == CORM_LOCKED && g->trx->state != CORM__TRX_DOOMED) {
        g->trx->waited = true;
        g->trx->error = g->trx->answer;
        return corm__trx_doom(g->trx, NULL, 0);
    }
    if (rows <= 0)
        return rows;
    *found = find(g, key);
    return *found != NULL && (*found)->table == table ? 1 : CORM__NOT_SERVED;
}

static struct corm__group *serving(const struct corm_trx *trx)
{
    struct corm__group *g = trx->group;

    return g != NULL && !g->direct && trx->leave != NULL ? g : NULL;
}

/* Nothing but a condition and a lock. */
static bool is_plain_read(const struct corm_query *q)
{
    return q->offset == 0 && q->limit <= 1 && !q->nowait && !q->skip_locked && q->wait_ms == 0 &&
           q->order[0].column == NULL && q->join == NULL && q->choose == NULL && q->into == NULL &&
           q->group == NULL && q->having.op == CORM_NONE && q->having.column == NULL &&
           !q->distinct && q->unite == NULL && q->after.row == NULL && q->total == NULL;
}

int corm__group_first(struct corm_trx *trx, const struct corm_table *table, void *row,
                      const struct corm_query *query)
{
    struct corm__group *g = serving(trx);
    struct held        *h = NULL;
    int                 rc;

    if (g == NULL || !is_plain_read(query))
        return CORM__NOT_SERVED;
    if (query->lock != CORM_FOR_UPDATE) { /* no lock more than was asked for */
        struct corm__key key = corm__key_of_condition(g->arena, table, &query->where);
        h = key.bytes != NULL ? find(g, key) : NULL;
        rc = h != NULL && h->table == table ? 1 : CORM__NOT_SERVED;
    } else {
        rc = fetch(g, table, &query->where, &h);
    }
    if (rc == 1)
        memcpy(row, h->row, table->row_size);
    return rc;
}

/* ---- Updates ------------------------------------------------------------------------------ */

static int index_of(const struct corm_table *table, const struct corm_column *column)
{
    return corm__has_column(table, column) ? (int)(column - table->columns) : -1;
}

/* Whether a set list is one that may be applied in memory; its columns as bits. */
static bool is_servable(const struct held *h, const struct corm_assign *set, uint64_t *columns)
{
    *columns = 0;
    for (int i = 0; i < CORM_SET_MAX && set[i].column != NULL; i++) {
        int      at = index_of(h->table, set[i].column);
        uint64_t bit = at >= 0 && at < 64 ? (uint64_t)1 << at : 0;
        if ((h->facts.may_update & bit) == 0 || (*columns & bit) != 0 ||
            set[i].value.kind == CORM_V_COLUMN)
            return false;
        *columns |= bit;
    }
    return *columns != 0;
}

/* column + value, within the column's range; false: the server shall decide. */
static bool add(const struct corm_column *column, const void *row, struct corm_value by,
                struct corm_value *sum)
{
    struct corm_value now = corm__field_get(column, row);

    if (column->type == CORM_DOUBLE) {
        if (now.kind != CORM_V_REAL || (by.kind != CORM_V_REAL && by.kind != CORM_V_INT))
            return false;
        double r = now.as.r + (by.kind == CORM_V_REAL ? by.as.r : (double)by.as.i);
        *sum = corm_v_real_(r == 0 ? 0 : r); /* no server keeps the sign of a zero */
        return isfinite(r);
    }
    long long whole = 0;
    if (now.kind != CORM_V_INT || by.kind != CORM_V_INT ||
        __builtin_add_overflow(now.as.i, by.as.i, &whole))
        return false;
    *sum = corm_v_int_(whole);
    return column->type != CORM_BOOL && whole >= corm__least(column) &&
           whole <= corm__greatest(column);
}

/* The new value of one assignment. 0, a negative code, or CORM__NOT_SERVED. */
static int value_of(struct corm__group *g, const struct held *h, const struct corm_assign *assign,
                    struct corm_value *value)
{
    if (assign->op == CORM_ADD)
        return add(assign->column, h->row, assign->value, value) ? 0 : CORM__NOT_SERVED;
    return corm__bound_value(dialect_of(g), g->arena, h->table, assign->column, assign->value, true,
                             value, &g->trx->error);
}

/* Room for one more change; NULL where there is no memory. */
static struct change *new_change(struct corm__group *g)
{
    size_t capacity = g->log_capacity == 0 ? 64 : g->log_capacity * 2;

    if (g->log_count == g->log_capacity) {
        struct change *log = corm__arena_grow(g->arena, g->log, g->log_capacity * sizeof(*log),
                                              capacity * sizeof(*log));
        if (log == NULL) {
            corm__fail_memory(&g->trx->error, "a group's changes");
            return NULL;
        }
        g->log = log;
        g->log_capacity = capacity;
    }
    g->log[g->log_count] = (struct change){.member = g->at};
    return &g->log[g->log_count];
}

/* Puts the values into a copy of the row, which takes its place. */
static int apply(struct corm__group *g, struct held *h, const struct corm_assign *set,
                 const struct corm_value *values, uint64_t columns)
{
    void          *row = corm_arena_alloc(g->arena, h->table->row_size);
    struct change *change = new_change(g);

    if (row == NULL)
        return corm__fail_memory(&g->trx->error, "a row that is held");
    if (change == NULL)
        return g->trx->error.code;
    memcpy(row, h->row, h->table->row_size);
    for (int i = 0; i < CORM_SET_MAX && set[i].column != NULL; i++) {
        int rc = corm__field_set(set[i].column, row, values[i], g->arena, &g->trx->error);
        if (rc < 0)
            return rc;
    }
    change->held = h;
    change->row = h->row;
    change->changed = h->changed;
    g->log_count++;
    h->row = row;
    h->changed |= columns;
    return 0;
}

/* Every update of it counts, which is left to the server. */
static bool is_versioned(const struct corm_table *table)
{
    const struct corm_column *version = NULL;
    struct corm_error         ignored = {0};

    return corm__version_column(table, &version, &ignored) < 0 || version != NULL;
}

int corm__group_update(struct corm_trx *trx, const struct corm_table *table,
                       const struct corm_write *write)
{
    struct corm__group *g = serving(trx);
    struct held        *h = NULL;
    struct corm_value   values[CORM_SET_MAX];
    uint64_t            columns = 0;

    if (g == NULL || is_versioned(table))
        return CORM__NOT_SERVED;
    int rc = fetch(g, table, &write->where, &h);
    if (rc <= 0) /* where there is none, the ordinary way says what is wrong with the list */
        return rc < 0 ? rc : CORM__NOT_SERVED;
    if (!is_servable(h, write->set, &columns))
        return CORM__NOT_SERVED;
    for (int i = 0; i < CORM_SET_MAX && write->set[i].column != NULL; i++) {
        rc = value_of(g, h, &write->set[i], &values[i]);
        if (rc < 0)
            return rc;
    }
    rc = apply(g, h, write->set, values, columns);
    return rc < 0 ? rc : !write->later;
}

/* ---- Inserts -------------------------------------------------------------------------------- */

static bool is_same_shape(const struct corm_write *a, const struct corm_write *b)
{
    if ((a->row == NULL) != (b->row == NULL))
        return false;
    for (int i = 0; a->row == NULL && i < CORM_SET_MAX; i++) {
        if (a->set[i].column != b->set[i].column)
            return false;
        if (a->set[i].column == NULL)
            break;
    }
    return true;
}

/* Two statements whose order may matter: on one table by its keys, or by foreign keys. */
static bool is_related(const struct batch *b, const struct corm_table *table,
                       const struct corm__table_facts *facts)
{
    return strcmp(b->table->name, table->name) == 0 ||
           ((b->facts.is_parent || b->facts.is_child) && (facts->is_parent || facts->is_child));
}

/* The batch that a row may join: of its shape, and with nothing behind it that it must not overtake. */
static struct batch *find_batch(const struct corm__group *g, const struct corm_table *table,
                                const struct corm__table_facts *facts,
                                const struct corm_write        *write)
{
    struct batch *found = NULL;

    for (struct batch *b = g->first_batch; b != NULL; b = b->next) {
        if (b->table == table && is_same_shape(&b->shape, write))
            found = b;
        else if (is_related(b, table, facts))
            found = NULL;
    }
    return found;
}

static struct batch *new_batch(struct corm__group *g, const struct corm_table *table,
                               const struct corm__table_facts *facts,
                               const struct corm_write        *write)
{
    struct batch     *b = corm_arena_alloc(g->arena, sizeof(*b));
    struct corm_write plain = *write;

    if (b == NULL) {
        corm__fail_memory(&g->trx->error, "a group's rows");
        return NULL;
    }
    plain.id_later = NULL;
    *b = (struct batch){.table = table, .facts = *facts, .shape = *write};
    if (corm__make_insert(dialect_of(g), g->arena, true, table, &plain, &b->statement,
                          &g->trx->error) < 0)
        return NULL;
    *g->last_batch = b;
    g->last_batch = &b->next;
    return b;
}

static bool grow(struct corm__group *g, struct batch *b)
{
    size_t width = b->statement.bind_count, capacity = b->capacity == 0 ? 4 : b->capacity * 2;

    if (b->count < b->capacity)
        return true;
    struct corm_value *rows =
        corm__arena_grow(g->arena, b->rows, b->capacity * width * sizeof(*rows),
                         (capacity * width + 1) * sizeof(*rows));
    if (rows == NULL)
        return false;
    b->rows = rows;
    struct origin *origins = corm__arena_grow(g->arena, b->origins, b->capacity * sizeof(*origins),
                                              capacity * sizeof(*origins));
    if (origins == NULL)
        return false;
    b->origins = origins;
    b->capacity = capacity;
    return true;
}

static int add_row(struct corm__group *g, struct batch *b, const struct corm_write *write)
{
    const struct corm_value *values = NULL;
    uint32_t                 n = 0;
    struct change           *change = new_change(g);
    int                      rc =
        corm__insert_values(dialect_of(g), g->arena, b->table, write, &values, &n, &g->trx->error);

    if (change == NULL || rc < 0)
        return g->trx->error.code;
    if (!grow(g, b))
        return corm__fail_memory(&g->trx->error, "a group's rows");
    change->batch = b;
    change->at = b->count;
    g->log_count++;
    memcpy(b->rows + b->count * n, values, n * sizeof(*values));
    b->origins[b->count++] = (struct origin){
        .id = write->id_later, .file = write->file, .line = write->line, .member = g->at};
    b->wants_ids = b->wants_ids || write->id_later != NULL;
    return 0;
}

/* Whether its values are values, and the key that it asks for is the server's to make. */
static bool is_plain_insert(const struct corm_table *table, const struct corm_write *write)
{
    const struct corm_column *generated = corm__generated_column(table);

    if (write->id != NULL || (write->id_later != NULL && generated == NULL))
        return false;
    for (int i = 0; i < CORM_SET_MAX && write->set[i].column != NULL; i++)
        if (write->set[i].op != CORM_SET || write->set[i].value.kind == CORM_V_COLUMN ||
            (write->id_later != NULL && write->set[i].column == generated))
            return false;
    return true;
}

int corm__group_insert(struct corm_trx *trx, const struct corm_table *table,
                       const struct corm_write *write)
{
    struct corm__group      *g = serving(trx);
    struct corm__table_facts facts;

    if (g == NULL || !is_plain_insert(table, write))
        return CORM__NOT_SERVED;
    if (facts_of(g, table, &facts) < 0)
        return trx->error.code;
    if (!facts.may_insert)
        return CORM__NOT_SERVED;
    struct batch *b = find_batch(g, table, &facts, write);
    if (b == NULL)
        b = new_batch(g, table, &facts, write);
    int rc = b == NULL ? trx->error.code : add_row(g, b, write);
    return rc < 0 ? rc : !write->later;
}

/* ---- One member -------------------------------------------------------------------------------- */

/* Takes back what this member and those behind it did in memory, the newest first. */
static void take_back(struct corm__group *g, uint32_t from)
{
    while (is_waiting(g) && g->log[g->log_count - 1].member >= from) {
        const struct change *c = &g->log[--g->log_count];
        if (c->held != NULL) {
            c->held->row = c->row;
            c->held->changed = c->changed;
        } else {
            c->batch->count = c->at;
        }
    }
}

static void tell(struct corm__member *m, int rc, const struct corm_error *error)
{
    m->state = CORM__MEMBER_DONE;
    m->rc = rc;
    if (rc < 0 && m->error != NULL) {
        *m->error = *error;
        m->error->code = rc;
        m->error->attempts = m->attempt;
    }
}

static void succeed(struct corm__member *m)
{
    m->state = CORM__MEMBER_DONE;
    if (m->error != NULL)
        *m->error = (struct corm_error){0};
}

static bool is_late(const struct corm__member *m)
{
    return corm__ms_left(m->deadline) == 0;
}

static void tell_late(struct corm__member *m)
{
    struct corm_error late = {0};

    corm__fail(&late, CORM_TIMEOUT, "the deadline of %u ms has passed", m->timeout_ms);
    tell(m, CORM_TIMEOUT, &late);
}

static void run_again(const struct corm__group *g, struct corm__member *m, int code)
{
    m->state = CORM__MEMBER_AGAIN;
    corm__count_code(&g->trx->node->watch->run_again, code);
}

/* A member that has failed: told, or to be run once more where that may help. What would run again
 * but for its deadline, and what a deadline has ended, is undone: it is late. */
static void settle(struct corm__group *g, struct corm__member *m, const struct corm_error *error)
{
    bool late = error->code == CORM_TIMEOUT || error->code == CORM_DEADLINE;
    bool again = late || corm__trx_may_run_again(g->trx, error);

    if (again && is_late(m))
        tell_late(m);
    else if (again)
        run_again(g, m, error->code);
    else
        tell(m, error->code, error);
}

/* A member that waited for a row which is in nobody's key: without it the others go on. */
static void put_aside(struct corm__group *g, struct corm__member *m)
{
    g->trx->waited = false;
    m->alone = true;
    m->state = CORM__MEMBER_ASIDE;
}

/* Whether the server still has the transaction, as far as its last error tells. */
static bool is_lost(const struct corm_trx *trx)
{
    return trx->state == CORM__TRX_DOOMED &&
           ((trx->error.code <= CORM_TRX_GONE && !corm_is_user(trx->error.code)) ||
            (trx->connection != NULL && trx->connection->link->lost) ||
            trx->error.code == CORM_TIMEOUT);
}

/* What a function told that has not doomed its transaction. */
static void own_error(const struct corm_trx *trx, int told, struct corm_error *error)
{
    if (told == trx->answer.code)
        *error = trx->answer;
    else
        corm__fail(error, told,
                   "the function returned %d: let it return a call's code, or that of "
                   "corm_abort()",
                   told);
}

/* A member that has failed, and what it did is undone. */
static void judge(struct corm__group *g, struct corm__member *m, const struct corm_error *error)
{
    if (g->trx->waited)
        put_aside(g, m);
    else
        settle(g, m, error);
}

static void end_served(struct corm__group *g, struct corm__member *m, int told)
{
    struct corm_trx  *trx = g->trx;
    struct corm_error error = {0};

    if (told >= 0 && trx->state != CORM__TRX_DOOMED) {
        m->rc = told;
        return;
    }
    take_back(g, g->at);
    if (trx->state == CORM__TRX_DOOMED)
        error = trx->error;
    else
        own_error(trx, told, &error);
    if (is_lost(trx))
        return;
    corm__trx_mend(trx);
    judge(g, m, &error);
}

static void end_direct(struct corm__group *g, struct corm__member *m, int told)
{
    struct corm_trx  *trx = g->trx;
    struct corm_error error = {0};
    uint32_t          depth = trx->floor;

    forget_held(g);
    trx->floor = depth - 1;
    trx->depth = depth; /* savepoints that it has left behind go with its own */
    int rc = corm__trx_end_nested(trx, trx->waited ? CORM_LOCKED : told, &error);
    trx->base = trx->floor = 0;
    if (trx->state == CORM__TRX_DOOMED)
        return;
    trx->depth = depth - 1;
    if (trx->waited || rc < 0)
        judge(g, m, &error);
    else
        m->rc = rc;
}

/* Runs a function once. */
static void call(struct corm__group *g, struct corm__member *m)
{
    struct corm_trx *trx = g->trx;

    g->restart = g->direct = false;
    trx->waited = false;
    trx->attempt = m->attempt;
    trx->timeout_ms = m->timeout_ms;
    trx->answer = (struct corm_error){0};
    if (m->direct && go_direct(g) < 0)
        return;
    trx->leave = m->direct ? NULL : leave;
    int told = corm__trx_call(trx, m->function, m->arg);
    trx->leave = NULL;
    if (g->restart || g->refused)
        return;
    if (g->direct)
        end_direct(g, m, told);
    else
        end_served(g, m, told);
}

static void run_member(struct corm__group *g, struct corm__member *m)
{
    if (m->state != CORM__MEMBER_RUNS)
        return;
    if (g->at > 0 && corm__arena_size(g->arena) > BYTES_MAX) {
        m->state = CORM__MEMBER_WAITS;
        return;
    }
    if (is_late(m)) {
        tell_late(m);
        return;
    }
    m->blocked = false;
    m->attempt++;
    call(g, m);
    if (g->restart) {
        take_back(g, g->at);
        corm__trx_mend(g->trx);
        m->direct = true;
        m->attempt++;
        call(g, m);
    }
}

/* ---- Refusals ------------------------------------------------------------------------------------ */

/* Where that is needed. */
static int back_to_savepoint(struct corm__group *g)
{
    struct corm_error lifted = {0};

    g->trx->base = g->trx->floor = 0;
    g->trx->depth = 1; /* those of the member at hand go with it */
    if (!g->intact)
        return corm__trx_savepoint_back(g->trx, &lifted);
    corm__trx_mend(g->trx);
    return 0;
}

/* The rows come back that go in: those that are passed over do not. */
static int accepted_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                        struct corm_error *error)
{
    struct numbers_sink *sink = (struct numbers_sink *)base;

    (void)count, (void)error;
    for (; (int64_t)sink->next < values[0].as.i; sink->next++)
        sink->suspects[sink->origins[sink->next].member] = true;
    sink->next++;
    return 0;
}

/* Suspects those whose rows do not go in; where the statement fails, that is the first at least that did
 * not come back. */
static int ask_batch(struct corm__group *g, const struct batch *b, bool ignores)
{
    struct corm__statement statement = b->statement;
    struct numbers_sink    sink = {.base = {.row = accepted_row, .streams = true},
                                   .origins = b->origins,
                                   .suspects = g->suspects};
    struct corm_value     *rows = number_rows(g, b);
    int                    rc = rows == NULL
                                    ? corm__fail_memory(&g->trx->error, "a group's rows")
                                    : corm__make_telling(dialect_of(g), g->arena, ignores, &statement, &g->trx->error);

    if (rc < 0)
        return corm__trx_doom(g->trx, NULL, 0);
    rc = send_rows(g, &statement, rows, statement.bind_count, b->count, &sink.base);
    size_t end = rc == 0 ? b->count : sink.next;
    if (rc < 0 && g->trx->error.server_code != 0 && is_statements(&g->trx->error))
        end = sink.next + 1;
    for (; sink.next < end && sink.next < b->count; sink.next++)
        g->suspects[b->origins[sink.next].member] = true;
    return rc;
}

/* The first of the segment that is suspected, or `none`. */
static uint32_t first_suspect(const struct corm__group *g, uint32_t none)
{
    for (size_t i = 0; i < g->log_count; i++)
        if (g->suspects[g->log[i].member])
            return g->log[i].member;
    return none;
}

/* Inserts the rows of the segment once more, so that they tell on which it fails, and takes that back: first
 * past all that the table refuses, which finds all of them at once; then up to the first, because
 * there are refusals that only change the row then. Negative where the transaction is lost. */
static int ask(struct corm__group *g)
{
    int back = 0;

    for (int way = 0; back == 0 && way < 2 && first_suspect(g, nobody) == nobody; way++) {
        int rc = 0;
        g->intact = false;
        for (const struct batch *b = g->first_batch; rc >= 0 && b != NULL; b = b->next)
            rc = b->count > 0 ? ask_batch(g, b, way == 0) : 0;
        back = is_lost(g->trx) ? -1 : back_to_savepoint(g);
    }
    return back;
}

/* Marks members of a segment that was refused; all, where the server cannot be asked: it waits for a
 * row, or has said too often what was not so. Negative where the transaction is lost. */
static int find_suspects(struct corm__group *g)
{
    int rc = 0;

    if (g->suspects == NULL) {
        g->suspects = corm_arena_alloc(g->arena, g->members * sizeof(*g->suspects));
        if (g->suspects == NULL) {
            corm__fail_memory(&g->trx->error, "a group's suspects");
            return corm__trx_doom(g->trx, NULL, 0);
        }
        memset(g->suspects, 0, g->members * sizeof(*g->suspects));
    }
    if (!g->trx->waited && dialect_of(g) != CORM_DIALECT_MYSQL && g->rounds++ < ROUNDS_MAX)
        rc = ask(g);
    if (rc == 0 && first_suspect(g, nobody) == nobody)
        for (size_t i = 0; i < g->log_count; i++)
            g->suspects[g->log[i].member] = true;
    return rc;
}

/* Whose refusal it is for sure: the segment is his alone, or the row that was refused is all that he
 * inserts, and what he changes besides cannot be refused. Once in a group, since all behind him run again;
 * the next time the question finds all that are left. */
static uint32_t guilty_member(const struct corm__group *g)
{
    size_t inserts = 0;

    if (is_one_members(g))
        return g->log[0].member;
    for (size_t i = 0; g->guilty != NULL && !g->has_found && i < g->log_count; i++)
        inserts += g->log[i].batch != NULL && g->log[i].member == g->guilty->member;
    return inserts == 1 ? g->guilty->member : nobody;
}

/* The segment was refused: goes back to in front of it, and sets g->at to who runs next. False where that
 * cannot be done: the transaction is doomed. */
static bool recover(struct corm__group *g, struct corm__member *const *members)
{
    struct corm_error refused = g->trx->error;
    uint32_t          ran = g->at;

    /* What was buffered of accepted ones has failed where there is nothing that waits, or the savepoint does
     * not stand behind them. */
    if (!is_waiting(g) || !g->is_saved || g->trx->depth == 0 || is_lost(g->trx) ||
        back_to_savepoint(g) < 0)
        return false;
    g->refused = false;
    g->telling = TELLING;
    uint32_t guilty = guilty_member(g);
    if (guilty != nobody) {
        if (g->guilty != NULL) {
            g->has_found = true;
            corm__error_place(&refused, g->guilty->file, g->guilty->line);
        }
        g->at = guilty;
        take_back(g, g->at);
        judge(g, members[g->at], &refused);
        g->at++;
    } else {
        if (find_suspects(g) < 0)
            return false;
        g->trx->waited = false;
        g->at = first_suspect(g, g->at);
        take_back(g, g->at);
    }
    g->guilty = NULL;
    for (uint32_t i = g->at; i < ran; i++) /* they have seen what was taken back */
        if (members[i]->state == CORM__MEMBER_DONE || members[i]->state == CORM__MEMBER_AGAIN)
            members[i]->state = CORM__MEMBER_RUNS;
    return true;
}

/* Whether a segment ends in front of the member at hand. */
static bool is_border(const struct corm__group *g)
{
    if (g->at == g->members)
        return true;
    return g->suspects != NULL && (g->suspects[g->at] || (g->at > 0 && g->suspects[g->at - 1]));
}

/* Runs all, and sends what they leave. */
static void run_members(struct corm__group *g, struct corm__member *const *members)
{
    for (g->at = 0; g->at <= g->members;) {
        if (is_border(g))
            (void)flush(g);
        if (!g->refused && g->at < g->members)
            run_member(g, members[g->at]);
        if (g->refused) {
            if (g->members == 1 || !recover(g, members))
                return;
        } else if (g->trx->state == CORM__TRX_DOOMED) {
            return;
        } else {
            g->at++;
        }
    }
}

/* ---- The keys -------------------------------------------------------------------------------------- */

/* The keys of members, of those that were `blocked` or of the others, in the order in which they are
 * locked, each once. */
static struct wanted *collect(struct corm__group *g, struct corm__member *const *members,
                              size_t count, bool blocked, size_t *n)
{
    size_t room = 0, unique = 0;

    for (size_t i = 0; i < count; i++)
        room += members[i]->key_count;
    struct wanted *all = corm_arena_alloc(g->arena, (room + 1) * sizeof(*all));
    *n = 0;
    if (all == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t k = 0; members[i]->blocked == blocked && k < members[i]->key_count; k++) {
            const struct corm__lock_key *key = &members[i]->keys[k];
            all[*n] = (struct wanted){.key = key};
            all[*n].bytes = corm__key_of_values(g->arena, key->table, key->values);
            if (all[*n].bytes.bytes == NULL)
                return NULL;
            (*n)++;
        }
    }
    qsort(all, *n, sizeof(*all), compare);
    for (size_t i = 0; i < *n; i++)
        if (unique == 0 || compare(&all[unique - 1], &all[i]) != 0)
            all[unique++] = all[i];
    *n = unique;
    return all;
}

/* Takes those of `wanted` out that are among `others`, which are sorted; how many are left. */
static size_t leave_out(struct wanted *wanted, size_t n, const struct wanted *others, size_t count)
{
    size_t left = 0;

    for (size_t i = 0; i < n; i++)
        if (count == 0 || bsearch(&wanted[i], others, count, sizeof(*others), compare) == NULL)
            wanted[left++] = wanted[i];
    return left;
}

/* Locks `n` keys of one table. */
static int lock_some(struct corm__group *g, const struct wanted *wanted, size_t n, uint32_t wait_ms,
                     bool saves)
{
    const struct corm_table  *table = wanted->key->table;
    const struct corm_column *columns[CORM__KEY_COLUMNS_MAX];
    uint32_t                  width = corm__key_columns(table, columns);
    struct corm_value        *values = corm_arena_alloc(g->arena, n * width * sizeof(*values) + 1);

    if (values == NULL) {
        corm__fail_memory(&g->trx->error, "a group's keys");
        return corm__trx_doom(g->trx, NULL, 0);
    }
    for (size_t i = 0; i < n; i++)
        memcpy(values + i * width, wanted[i].key->values, width * sizeof(*values));
    return lock_rows(g, table, values, (uint32_t)n, wait_ms, saves);
}

/* Those who want a key that others hold do not run now. */
static void block(struct corm__group *g, struct corm__member *const *members, size_t count,
                  const struct wanted *wanted)
{
    for (size_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < members[i]->key_count; k++) {
            const struct corm__lock_key *key = &members[i]->keys[k];
            struct wanted other = {.bytes = corm__key_of_values(g->arena, key->table, key->values)};
            if (members[i]->state == CORM__MEMBER_RUNS && other.bytes.bytes != NULL &&
                compare(&other, wanted) == 0) {
                members[i]->state = CORM__MEMBER_BLOCKED;
                members[i]->blocked = true;
            }
        }
}

/* Key by key, so that one that is locked stops only its own members. */
static int lock_each(struct corm__group *g, struct corm__member *const *members, size_t count,
                     struct wanted *wanted, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int rc = lock_some(g, &wanted[i], 1, LOOK_MS, false);
        wanted[i].locked = rc >= 0;
        if (rc == CORM_LOCKED && g->trx->state != CORM__TRX_DOOMED)
            block(g, members, count, &wanted[i]);
        else if (rc < 0)
            return rc;
    }
    return 0;
}

/* Locks all keys, table by table, and sets the savepoint that a refused flush goes back to; where
 * nobody else is in the group, a refusal is the member's own, and there is none. */
static int lock_keys(struct corm__group *g, struct corm__member *const *members, size_t count)
{
    bool saved = count == 1;
    int  rc = 0;

    g->wanted = collect(g, members, count, false, &g->wanted_count);
    g->doubtful = collect(g, members, count, true, &g->doubtful_count);
    if (g->wanted == NULL || g->doubtful == NULL) {
        corm__fail_memory(&g->trx->error, "a group's keys");
        return corm__trx_doom(g->trx, NULL, 0);
    }
    size_t n = leave_out(g->wanted, g->wanted_count, g->doubtful, g->doubtful_count);
    g->wanted_count = n;
    for (size_t i = 0, some; rc >= 0 && i < n; i += some) {
        struct wanted *first = &g->wanted[i];
        for (some = 1;
             i + some < n && some < KEYS_MAX && first[some].key->table == first->key->table;)
            some++;
        bool with = !saved && corm__has_compound(dialect_of(g));
        rc = lock_some(g, first, some, g->lane_wait_ms, with);
        saved = saved || (with && rc >= 0);
        for (size_t k = 0; k < some; k++)
            first[k].locked = rc >= 0;
        if (rc == CORM_LOCKED && g->trx->state != CORM__TRX_DOOMED)
            rc = lock_each(g, members, count, first, some);
    }
    if (rc >= 0)
        rc = lock_each(g, members, count, g->doubtful, g->doubtful_count);
    if (rc >= 0 && !saved)
        rc = corm__trx_savepoint(g->trx, NULL, 0);
    return rc < 0 ? rc : 0;
}

/* ---- The whole ---------------------------------------------------------------------------------------- */

/* The earliest of its members', who share what comes: but lane_wait_ms at least, or one who is nearly late
 * would end the work of all others; and no later than the last of them has time. */
static int64_t deadline_of(const struct corm__group *g, struct corm__member *const *members,
                           size_t count)
{
    int64_t first = members[0]->deadline, last = first, least = corm__deadline_in(g->lane_wait_ms);

    for (size_t i = 1; i < count; i++) {
        first = members[i]->deadline < first ? members[i]->deadline : first;
        last = members[i]->deadline > last ? members[i]->deadline : last;
    }
    if (first < least)
        first = least;
    return first < last ? first : last;
}

static void begin(struct corm__group *g, struct corm__member *const *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        members[i]->state = CORM__MEMBER_RUNS;
    corm__trx_ready(g->trx);
    g->trx->mode = (struct corm__mode){.trx = true,
                                       .isolation = members[0]->isolation,
                                       .lock_wait_s = (g->lane_wait_ms + 999) / 1000};
    g->trx->deadline = deadline_of(g, members, count);
    g->arena = g->trx->arena;
    g->members = count;
    g->trx->members = (uint32_t)count;
    g->refused = g->direct = g->is_saved = false;
    g->at = g->rounds = 0;
    g->telling -= g->telling > 0;
    g->log = NULL;
    g->log_count = g->log_capacity = 0;
    g->suspects = NULL;
    g->guilty = NULL;
    g->has_found = false;
    g->wanted_count = g->doubtful_count = 0;
    forget_held(g);
    forget_batches(g);
}

/* Everybody who ran has the outcome of the COMMIT. Who has left no trace may run again where that is
 * unknown. */
static void conclude(struct corm__group *g, struct corm__member *const *members, size_t count,
                     int rc, const struct corm_error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct corm__member *m = members[i];
        bool                 ran = m->state == CORM__MEMBER_RUNS;
        m->failures += rc < 0;
        if (rc < 0 && m->failures > 1) /* to find out whose they are */
            m->share_max = count > 1 ? (uint32_t)count / 2 : 1;
        if (ran && rc >= 0)
            succeed(m);
        else if (ran && count == 1 && g->trx->waited)
            put_aside(g, m);
        else if (ran && count > 1 && is_statements(error))
            run_again(g, m, error->code), m->direct = true; /* to find out whose it is */
        else if (ran)
            settle(g, m, error);
        else if (rc < 0 && m->state == CORM__MEMBER_DONE && m->rc != CORM_TIMEOUT)
            run_again(g, m, error->code);
    }
}

static int work(struct corm__group *g, struct corm__member *const *members, size_t count)
{
    int rc = lock_keys(g, members, count);

    if (rc < 0)
        return rc;
    g->is_saved = true;
    run_members(g, members);
    return g->trx->state == CORM__TRX_DOOMED ? g->trx->error.code : 0;
}

void corm__group_run(struct corm__group *g, struct corm__member *const *members, size_t count)
{
    struct corm_error error = {0};

    begin(g, members, count);
    int rc = work(g, members, count);
    if (rc < 0) {
        error = g->trx->error;
        corm__trx_rollback(g->trx);
    } else {
        rc = corm__trx_commit(g->trx);
        error = g->trx->error;
    }
    if (rc == CORM_NO_TABLE || rc == CORM_NO_COLUMN || error.server_code == 1412)
        corm__facts_forget(g->facts);
    conclude(g, members, count, rc, &error);
}
