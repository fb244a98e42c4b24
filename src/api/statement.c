/* api/statement.c -- the calls of corm/statement.h.
 *
 * Each makes its statement (sql layer), then sends or buffers it in a transaction, or runs it as one
 * of its own on a db, or hands it out to a corm_sql_of. A *call* is what these three have in common:
 * a dialect, an arena to make the statement in, and where an error goes. */
#include "api/db.h"
#include "api/guard.h"
#include "api/sink.h"
#include "base/arena.h"
#include "base/clock.h"
#include "driver/array.h"
#include "driver/number_sink.h"
#include "route/group.h"
#include "schema/row.h"
#include "schema/version.h"
#include "sql/key.h"

#include <assert.h>
#include <corm/read.h>
#include <limits.h>
#include <string.h>

struct call {
    struct corm_trx    *trx; /* the caller's, or one of ours, or NULL */
    bool                own_trx;
    struct corm_sql_of *sql_of; /* or NULL */
    enum corm_dialect   dialect;
    struct corm_arena  *arena;
    struct corm_error  *error;  /* where errors are set */
    struct corm_error  *caller; /* the .error of the call, or NULL */
    const char         *file;
    int32_t             line;
    bool                writes;
    bool                unentered; /* it cannot be part of a transaction */
    bool                reader;    /* it is read from a reader, where there is one */
    struct corm_error   own;       /* for sql_of, and while there is no transaction */
};

static void init_call(struct call *call, struct corm_error *caller, const char *file, int32_t line,
                      bool writes)
{
    memset(call, 0, offsetof(struct call, own));
    corm__error_clear(&call->own);
    call->caller = caller;
    call->file = file;
    call->line = line;
    call->writes = writes;
}

/* ---- Beginning and ending a call ------------------------------------------------- */

static int open_single(struct call *call, struct corm_db *db)
{
    if (db == NULL)
        return corm__fail(call->error, CORM_MISUSE, "the db is NULL: did corm_open() fail?");
    call->trx = corm__trx_take(db->store, call->error);
    if (call->trx == NULL)
        return call->error->code;
    call->trx->caller = (struct corm__caller){call->file, call->line};
    call->own_trx = true;
    /* A write whose COMMIT is entered in the ledger is a transaction of its own. */
    call->trx->single = !call->writes || call->unentered ||
                        !(corm__trx_is_entered(call->trx) || corm__trx_is_guarded(call->trx));
    call->trx->mode.trx = !call->trx->single;
    call->trx->reader = !call->writes;
    call->trx->deadline = corm__deadline_in(call->trx->timeout_ms);
    call->trx->wants_reader = call->reader;
    if (call->reader)
        corm__trx_choose_node(call->trx);
    corm__trx_ready(call->trx);
    call->trx->attempt = 0;
    return 0;
}

/* 0, or the error with which the call must end (by end_call(), as always). */
static int open_call(struct call *call, struct corm_on on)
{
    int rc = 0;

    call->error = &call->own;
    if (on.sql_of != NULL) {
        call->sql_of = on.sql_of;
        call->dialect = on.sql_of->dialect;
        call->arena = on.sql_of->arena;
        return 0;
    }
    if (on.trx != NULL)
        call->trx = on.trx;
    else
        rc = open_single(call, on.db);
    if (rc < 0)
        return rc;
    call->error = &call->trx->error;
    call->dialect = call->trx->node->dialect;
    call->arena = call->trx->drafts;
    rc = corm__trx_check(call->trx);
    if (rc == 0 && call->trx->pending_count == 0)
        corm_arena_reset(call->arena);
    if (rc == 0 && call->reader && !call->own_trx)
        rc = corm__fail(call->error, CORM_MISUSE,
                        ".reader at a read in a transaction: it is an option of those that are "
                        ".read_only");
    if (rc == 0 && call->writes && call->trx->mode.read_only)
        rc = corm__fail(call->error, CORM_READ_ONLY,
                        "a write in a transaction that was begun "
                        "with .read_only");
    return rc;
}

/* Ends a call with its result: errors doom the transaction and reach the caller. */
static int64_t end_call(struct call *call, int64_t rc)
{
    struct corm_trx *trx = call->trx;

    if (rc >= 0 && call->own_trx && !trx->single) {
        int ended = corm__trx_commit(trx);
        rc = ended < 0 ? ended : rc;
    }
    bool doomed = trx != NULL && trx->state == CORM__TRX_DOOMED;
    if (rc < 0 && trx != NULL && call->error->code != 0 && trx->state != CORM__TRX_OVER && !doomed)
        corm__trx_doom(trx, call->file, call->line);
    if (rc < 0 && trx == NULL)
        corm__error_place(call->error, call->file, call->line);
    if (rc < 0 && call->caller != NULL)
        *call->caller = trx == NULL ? *call->error : *corm__trx_error_of(trx, (int)rc);
    if (trx != NULL && call->own_trx) {
        if (trx->state != CORM__TRX_OVER)
            corm__trx_rollback(trx); /* of a single statement: only gives the connection back */
        corm__trx_give(trx);
    }
    return rc;
}

static int rows_as_int(int64_t rows)
{
    return rows > INT_MAX ? INT_MAX : (int)rows;
}

static int64_t hand_out(struct corm_sql_of *of, const struct corm__statement *statement)
{
    of->text = statement->text;
    of->binds = statement->binds;
    of->bind_count = statement->bind_count;
    return 0;
}

static int misuse(struct call *call, const char *what)
{
    return corm__fail(call->error, CORM_MISUSE, "%s", what);
}

/* The same before the call was opened. */
static int refuse(struct call *call, const char *what)
{
    call->error = &call->own;
    return misuse(call, what);
}

/* ---- Where rows go ------------------------------------------------------------------ */

struct row_sink {
    struct corm__sink        base;
    const struct corm_table *table;
    const struct call       *call;
    struct corm_arena       *arena;  /* of rows and their text; NULL: that of the call */
    bool                     first;  /* the row itself is copied out: it may go with the call */
    struct corm_trx         *holder; /* a transaction that now holds the rows locked; or NULL */
    struct corm_trx         *locker; /* the same, also for share */
    char                    *rows;
    size_t                   count, capacity;
};

static int row_start(struct corm__sink *base, const struct corm_table **types,
                     struct corm_error *error)
{
    (void)error;
    *types = ((struct row_sink *)base)->table;
    return 0;
}

static int row_add(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                   struct corm_error *error)
{
    struct row_sink   *sink = (struct row_sink *)base;
    struct corm_arena *arena = sink->arena != NULL ? sink->arena : sink->call->arena;
    struct corm_arena *of_rows = sink->first ? sink->call->arena : arena;
    size_t             size = sink->table->row_size;

    (void)count;
    if (sink->count == sink->capacity) {
        size_t capacity = sink->capacity == 0 ? 1 : sink->capacity * 2;
        char  *rows = corm__arena_grow(of_rows, sink->rows, sink->capacity * size, capacity * size);
        if (rows == NULL)
            return corm__fail_memory(error, "rows");
        sink->rows = rows;
        sink->capacity = capacity;
    }
    char *row = sink->rows + sink->count * size;
    memset(row, 0, size);
    int rc = corm__row_set(sink->table, row, values, arena, error);
    if (rc < 0)
        return rc;
    if (sink->holder != NULL)
        corm__trx_hold(sink->holder, sink->table, row);
    if (sink->locker != NULL && corm__guard_row(sink->locker, sink->table, row, error) < 0)
        return error->code;
    sink->count++;
    return sink->first ? 1 : 0; /* there is no second one to ask for */
}

static struct row_sink row_sink(const struct call *call, struct corm_on on,
                                const struct corm_table *table, const struct corm_query *query)
{
    return (struct row_sink){
        .base = {.start = row_start,
                 .row = row_add,
                 .streams = query->lock == CORM_NO_LOCK}, /* else rows count as held */
        .call = call,
        .table = table,
        .arena = on.trx != NULL ? on.trx->arena : query->arena,
        .holder = query->lock == CORM_FOR_UPDATE ? on.trx : NULL,
        .locker = query->lock != CORM_NO_LOCK ? on.trx : NULL,
    };
}

/* ---- Reads ----------------------------------------------------------------------------- */

/* Rows of a joined table are locked, too: they have to be seen to be guarded. */
static int check_guards(struct call *call, const struct corm_query *query)
{
    for (const struct corm_join *j = query->join; j != NULL && j->table != NULL; j++)
        if (j->depth == 0)
            return corm__fail(
                call->error, CORM_UNSUPPORTED,
                "a locking read with rows of table %s that are not read: in a cluster "
                "with several writers they could not be guarded",
                j->table->name);
    return 0;
}

static int check_lock(struct call *call, const struct corm_query *query)
{
    if (query->lock == CORM_NO_LOCK || call->sql_of != NULL)
        return 0;
    if (call->trx->single)
        return misuse(call, "a locking read outside a transaction: the lock would be gone at once");
    if (call->trx->mode.read_only)
        return misuse(call, "a locking read in a transaction that was begun with .read_only");
    return corm__trx_is_guarded(call->trx) ? check_guards(call, query) : 0;
}

static int64_t send_read(struct call *call, enum corm__read_what what,
                         const struct corm_table *table, const struct corm_query *query,
                         struct corm__sink *sink)
{
    struct corm__statement statement = {0};
    int                    rc =
        corm__make_read(call->dialect, call->arena, what, table, query, &statement, call->error);

    if (rc != 0)
        return rc;
    if (call->sql_of != NULL)
        return hand_out(call->sql_of, &statement);
    statement.alone = statement.alone || sink->slow;
    return corm__trx_send(call->trx, &statement, sink);
}

/* A reader that dies before it has given a row is no reason to fail. */
static int64_t read_opened(struct call *call, enum corm__read_what what,
                           const struct corm_table *table, const struct corm_query *query,
                           struct corm__sink *sink)
{
    int64_t rc = send_read(call, what, table, query, sink);

    if (rc < 0 && call->own_trx && !sink->started && corm__trx_leave_reader(call->trx))
        rc = send_read(call, what, table, query, sink);
    return rc;
}

/* Rows: 1 or 0 for CORM__FIRST, which gives them to sink->rows like CORM__ROWS does, or puts the one that a
 * group serves into `first`. */
static int64_t read(struct call *call, struct corm_on on, enum corm__read_what what,
                    const struct corm_table *table, const struct corm_query *query, void *first,
                    struct corm__sink *sink)
{
    int rc = open_call(call, on);

    if (rc == 0)
        rc = check_lock(call, query);
    if (rc == 0 && first != NULL && call->trx != NULL) {
        rc = corm__group_first(call->trx, table, first, query);
        if (rc != CORM__NOT_SERVED)
            return rc;
        rc = 0;
    }
    return rc == 0 ? read_opened(call, what, table, query, sink) : rc;
}

static void init_read(struct call *call, const struct corm_query *query)
{
    init_call(call, query->error, query->file, query->line, false);
    call->reader = query->reader;
}

/* Where what comes back lives; NULL on a db without .arena. */
static struct corm_arena *arena_of(struct corm_on on, const struct corm_query *query)
{
    return on.trx != NULL ? on.trx->arena : query->arena;
}

/* A read with the rows of joined tables. */
static int64_t read_joined(struct call *call, struct corm_on on, enum corm__read_what what,
                           const struct corm_table *table, void *out,
                           const struct corm_query *query)
{
    struct corm_arena     *arena = on.sql_of != NULL ? on.sql_of->arena : arena_of(on, query);
    struct corm__join_sink sink;

    if (arena == NULL)
        return refuse(call,
                      "a read with .join on a db without .arena, in which the rows could live");
    call->error = &call->own;
    int64_t rc = corm__join_sink_init(&sink, arena, on.trx, table, out, query, call->error);
    if (rc == 0)
        rc = read(call, on, what, table, query, NULL, &sink.base);
    if (rc >= 0 && on.sql_of == NULL && what == CORM__FIRST)
        corm__join_sink_first(&sink);
    else if (rc >= 0 && on.sql_of == NULL)
        corm__join_sink_arrays(&sink);
    return rc;
}

static int64_t read_first(struct call *call, struct corm_on on, const struct corm_table *table,
                          void *row, const struct corm_query *query)
{
    struct row_sink sink = row_sink(call, on, table, query);

    sink.first = true;
    sink.base.streams = false; /* one row has come when it comes */
    if (on.db != NULL && query->arena == NULL && corm__has_text(table))
        return refuse(call,
                      "a row with text is read on a db without .arena, in which it could live");
    int64_t rc = read(call, on, CORM__FIRST, table, query, row, &sink.base);
    if (rc > 0 && sink.rows != NULL)
        memcpy(row, sink.rows, table->row_size);
    return rc;
}

int corm_first_(struct corm_on on, const struct corm_table *table, void *row,
                const struct corm_query *options)
{
    struct corm_query        room;
    const struct corm_query *query = corm__widen(options, options->size, sizeof(room), &room);
    struct call              call;
    int64_t                  rc;

    init_read(&call, query);
    if (corm__joins_rows(query))
        rc = read_joined(&call, on, CORM__FIRST, table, row, query);
    else
        rc = read_first(&call, on, table, row, query);
    return (int)end_call(&call, rc);
}

static int64_t read_rows(struct call *call, struct corm_on on, enum corm__read_what what,
                         const struct corm_table *table, const struct corm_table *row_table,
                         void *rows, const struct corm_query *query)
{
    struct row_sink sink = row_sink(call, on, row_table, query);

    if (on.db != NULL && query->arena == NULL)
        return refuse(call,
                      "an array of rows is read on a db without .arena, in which it could live");
    int64_t rc = read(call, on, what, table, query, NULL, &sink.base);
    if (rc >= 0 && on.sql_of == NULL)
        *(void **)rows = sink.rows;
    return rc;
}

/* How many rows there are without limit and offset, where `rows` of them came. */
static int64_t read_total(struct call *call, const struct corm_table *table,
                          const struct corm_query *query, int64_t rows)
{
    struct corm_join         joins[CORM_JOIN_MAX + 1] = {0};
    struct corm_query        all = {.size = sizeof(all),
                                    .file = query->file,
                                    .line = query->line,
                                    .where = query->where,
                                    .join = query->join != NULL ? joins : NULL};
    struct corm__number_sink sink = corm__number_sink();
    bool                     last = query->limit == 0 || (uint64_t)rows < query->limit;

    if (last && query->after.row == NULL && (rows > 0 || query->offset == 0)) {
        *query->total = (int64_t)query->offset + rows;
        return 0;
    }
    for (size_t i = 0; query->join != NULL && query->join[i].table != NULL; i++) {
        joins[i] = query->join[i];
        joins[i].depth = 0;
    }
    int64_t rc = read_opened(call, CORM__COUNT, table, &all, &sink.base);
    if (rc >= 0)
        *query->total = sink.number;
    return rc;
}

int corm_all_(struct corm_on on, const struct corm_table *table, void *rows,
              const struct corm_query *options)
{
    struct corm_query        room;
    const struct corm_query *query = corm__widen(options, options->size, sizeof(room), &room);
    struct call              call;
    int64_t                  rc;

    init_read(&call, query);
    if (corm__joins_rows(query))
        rc = read_joined(&call, on, CORM__ROWS, table, rows, query);
    else
        rc = read_rows(&call, on, CORM__ROWS, table, table, rows, query);
    if (rc >= 0 && query->total != NULL && on.sql_of == NULL) {
        int64_t counted = read_total(&call, table, query, rc);
        rc = counted < 0 ? counted : rc;
    }
    return (int)end_call(&call, rows_as_int(rc));
}

/* ---- Row by row --------------------------------------------------------------------------- */

struct each_sink {
    struct corm__sink        base;
    const struct corm_table *table;
    void                    *row; /* the caller's */
    struct corm_trx         *trx; /* the caller's, or NULL */
    bool                     locks;
    struct corm_arena       *arena;
    corm_row_function       *function;
    void                    *arg;
    int64_t                  count;
};

static int each_start(struct corm__sink *base, const struct corm_table **types,
                      struct corm_error *error)
{
    (void)error;
    *types = ((struct each_sink *)base)->table;
    return 0;
}

static int each_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                    struct corm_error *error)
{
    struct each_sink *sink = (struct each_sink *)base;

    (void)count;
    corm_arena_reset(sink->arena);
    memset(sink->row, 0, sink->table->row_size);
    int rc = corm__row_set(sink->table, sink->row, values, sink->arena, error);
    if (rc == 0 && sink->locks)
        rc = corm__guard_row(sink->trx, sink->table, sink->row, error);
    if (rc < 0)
        return rc;
    sink->count++;
    if (sink->trx != NULL)
        sink->trx->busy = true;
    rc = sink->function(sink->arg);
    if (sink->trx != NULL)
        sink->trx->busy = false;
    if (sink->trx != NULL && sink->trx->error.code != 0)
        return sink->trx->error.code; /* it called corm_abort() */
    if (rc < 0)
        return corm__fail(error, rc, "the function of corm_each() returned %d", rc);
    return rc;
}

static int64_t read_each(struct call *call, struct corm_on on, const struct corm_table *table,
                         const struct corm_query *query, struct each_sink *sink)
{
    int rc = open_call(call, on);

    if (rc == 0 && (corm__joins_rows(query) || query->total != NULL))
        rc = misuse(call, "corm_each() reads rows of one table, and takes no .total");
    if (rc == 0)
        rc = check_lock(call, query);
    if (rc < 0)
        return rc;
    if (on.sql_of == NULL && (sink->arena = corm_arena_new()) == NULL)
        return corm__fail_memory(call->error, "rows");
    return read_opened(call, CORM__ROWS, table, query, &sink->base);
}

int64_t corm_each_(struct corm_on on, const struct corm_table *table, void *row,
                   corm_row_function *function, void *arg, const struct corm_query *options)
{
    struct corm_query        room;
    const struct corm_query *query = corm__widen(options, options->size, sizeof(room), &room);
    struct call              call;
    struct each_sink         sink = {
                .base = {.start = each_start, .row = each_row, .streams = true, .slow = true},
                .table = table,
                .row = row,
                .trx = on.trx,
                .locks = query->lock != CORM_NO_LOCK && on.trx != NULL,
                .function = function,
                .arg = arg};

    init_read(&call, query);
    int64_t rc = read_each(&call, on, table, query, &sink);

    corm_arena_free(sink.arena);
    return end_call(&call, rc < 0 || on.sql_of != NULL ? rc : sink.count);
}

int corm_select_(struct corm_on on, const struct corm_table *into, void *rows,
                 const struct corm_table *table, const struct corm_query *options)
{
    struct corm_query room;
    struct corm_query query =
        *(const struct corm_query *)corm__widen(options, options->size, sizeof(room), &room);
    struct call call;

    init_read(&call, &query);
    query.into = into;
    return (int)end_call(
        &call, rows_as_int(read_rows(&call, on, CORM__CHOSEN, table, into, rows, &query)));
}

int corm_number_(struct corm_on on, const struct corm_table *table, void *out,
                 enum corm_aggregate how, const struct corm_column *column,
                 const struct corm_query *options)
{
    struct corm_query room;
    struct corm_query query =
        *(const struct corm_query *)corm__widen(options, options->size, sizeof(room), &room);
    struct call                 call;
    const struct corm_choice    choice = corm_choice_(NULL, how, column);
    struct corm__aggregate_sink sink;

    init_read(&call, &query);
    query.choose = &choice;
    corm__aggregate_sink_init(&sink, arena_of(on, &query), how, column);
    int64_t rc;
    if (on.db != NULL && query.arena == NULL && corm__aggregate_sink_points(&sink))
        rc = refuse(
            &call,
            "a text, decimal or blob is read on a db without .arena, in which it could live");
    else
        rc = read(&call, on, CORM__NUMBER, table, &query, NULL, &sink.base);
    if (rc > 0)
        corm__aggregate_sink_give(&sink, out);
    return (int)end_call(&call, rc < 0 ? rc : sink.found);
}

static int64_t read_number(struct corm_on on, enum corm__read_what what,
                           const struct corm_table *table, const struct corm_query *query)
{
    struct call              call;
    struct corm__number_sink sink = corm__number_sink();

    sink.counts = true;
    init_read(&call, query);
    int64_t rc = read(&call, on, what, table, query, NULL, &sink.base);
    return end_call(&call, rc < 0 ? rc : sink.number);
}

int64_t corm_count_(struct corm_on on, const struct corm_table *table,
                    const struct corm_query *options)
{
    struct corm_query room;

    return read_number(on, CORM__COUNT, table,
                       corm__widen(options, options->size, sizeof(room), &room));
}

int corm_exists_(struct corm_on on, const struct corm_table *table,
                 const struct corm_query *options)
{
    struct corm_query room;

    return (int)read_number(on, CORM__EXISTS, table,
                            corm__widen(options, options->size, sizeof(room), &room));
}

int64_t corm_count_distinct_(struct corm_on on, const struct corm_table *table,
                             const struct corm_column *column, const struct corm_query *options)
{
    struct corm_query room;
    struct corm_query query =
        *(const struct corm_query *)corm__widen(options, options->size, sizeof(room), &room);
    const struct corm_choice choice = corm_choice_(NULL, CORM_COUNT_DISTINCT, column);

    query.choose = &choice;
    return read_number(on, CORM__NUMBER, table, &query);
}

/* ---- Writes ---------------------------------------------------------------------------- */

static int open_write(struct call *call, const struct corm_write *write, struct corm_on on)
{
    init_call(call, write->error, write->file, write->line, true);
    return open_call(call, on);
}

static int check_write(struct call *call, const struct corm_write *write, bool inserts)
{
    if (write->later && call->own_trx)
        return misuse(call, ".later outside a transaction: there is nothing to wait for");
    if (write->ids != NULL)
        return misuse(call, ".ids is for corm_insert_rows()");
    if (!inserts && (write->id != NULL || write->id_later != NULL))
        return misuse(call, ".id and .id_later are for corm_insert() and corm_insert_row()");
    if (write->id != NULL && (write->later || write->id_later != NULL))
        return misuse(call, ".id sends the insert at once: leave .later and .id_later out");
    return 0;
}

static int check_condition(struct call *call, const struct corm_write *write)
{
    if (write->where.op == CORM_NONE)
        return misuse(call, "the condition is empty: say corm_everything() for every row");
    return 0;
}

/* Buffers, sends or hands out a statement whose count is 1 where it is `known`. */
static int64_t deliver(struct call *call, const struct corm_table *table,
                       const struct corm__statement *statement, bool known, bool later)
{
    if (call->sql_of != NULL)
        return hand_out(call->sql_of, statement);
    assert(call->trx != NULL);
    if (!known && !later) {
        if (!call->trx->single)
            corm__trx_note_write(call->trx, table);
        return corm__trx_send(call->trx, statement, NULL);
    }
    corm__trx_note_write(call->trx, table);
    int rc = corm__trx_buffer(call->trx, statement);
    return rc < 0 ? rc : !later;
}

int corm_insert_(struct corm_on on, const struct corm_table *table,
                 const struct corm_write *options)
{
    struct corm_write        room;
    const struct corm_write *write = corm__widen(options, options->size, sizeof(room), &room);
    struct call              call;
    struct corm__statement   statement;
    int64_t                  rc = open_write(&call, write, on);
    bool known = call.trx != NULL && !call.trx->single && (write->id == NULL || call.own_trx);

    if (rc == 0)
        rc = check_write(&call, write, true);
    if (rc == 0 && call.trx != NULL) {
        rc = corm__group_insert(call.trx, table, write);
        if (rc != CORM__NOT_SERVED)
            return (int)end_call(&call, rc);
        rc = 0;
    }
    if (rc == 0)
        rc = corm__make_insert(call.dialect, call.arena, known, table, write, &statement,
                               call.error);
    if (rc == 0)
        rc = deliver(&call, table, &statement, known, write->later);
    return (int)end_call(&call, rows_as_int(rc));
}

/* Guards the row that was written, where its key is known: a write locks it. `rc`: what came of the write. */
static int64_t guard_written(struct call *call, const struct corm_table *table,
                             const struct corm_write *write, int64_t rc)
{
    if (rc < 0 || call->sql_of != NULL || call->trx->single)
        return rc;
    int guarded = write->row != NULL
                      ? corm__guard_row(call->trx, table, write->row, call->error)
                      : corm__guard_condition(call->trx, table, &write->where, call->error);
    return guarded < 0 ? guarded : rc;
}

/* Rows that a write may remove or give another key, itself or by cascades, are not held any more. */
static void forget_held(const struct call *call, bool safe)
{
    if (call->trx != NULL && !safe)
        corm__trx_forget_held(call->trx);
}

int corm_upsert_(struct corm_on on, const struct corm_table *table,
                 const struct corm_write *options)
{
    struct corm_write        room;
    const struct corm_write *write = corm__widen(options, options->size, sizeof(room), &room);
    struct call              call;
    struct corm__statement   statement;
    int64_t                  rc = open_write(&call, write, on);

    if (rc == 0 && write->row == NULL)
        rc = misuse(&call, "there is nothing to write: the row is NULL");
    if (rc == 0)
        rc = corm__make_upsert(call.dialect, call.arena, table, write, &statement, call.error);
    if (rc == 0) {
        forget_held(&call, false);
        rc = deliver(&call, table, &statement, false, false);
        rc = guard_written(&call, table, write, rc);
    }
    return (int)end_call(&call, rc);
}

/* Whether a set list changes the primary key. */
static bool sets_key(const struct corm_assign *set)
{
    for (int i = 0; i < CORM_SET_MAX && set[i].column != NULL; i++)
        if (set[i].column->pk)
            return true;
    return false;
}

/* Whether the write goes to exactly one row that this transaction holds, so that it counts 1. */
static bool is_held(const struct call *call, const struct corm_table *table,
                    const struct corm_write *write)
{
    if (call->trx == NULL || call->trx->single || sets_key(write->set))
        return false;
    struct corm__key key = corm__key_of_condition(call->arena, table, &write->where);
    return key.bytes != NULL && corm__trx_holds(call->trx, key.bytes, key.size);
}

int corm_update_(struct corm_on on, const struct corm_table *table,
                 const struct corm_write *options)
{
    struct corm_write        room;
    const struct corm_write *write = corm__widen(options, options->size, sizeof(room), &room);
    struct call              call;
    struct corm__statement   statement;
    bool                     held = false;
    int64_t                  rc = open_write(&call, write, on);

    if (rc == 0)
        rc = check_write(&call, write, false);
    if (rc == 0)
        rc = check_condition(&call, write);
    if (rc == 0 && call.trx != NULL) {
        rc = corm__group_update(call.trx, table, write);
        if (rc != CORM__NOT_SERVED)
            return (int)end_call(&call, rc);
        rc = 0;
    }
    if (rc == 0) {
        held = is_held(&call, table, write);
        rc = corm__make_update(call.dialect, call.arena, held || write->later, table, write,
                               &statement, call.error);
    }
    if (rc == 0) {
        forget_held(&call, held);
        rc = deliver(&call, table, &statement, held, write->later);
        rc = guard_written(&call, table, write, rc);
    }
    return (int)end_call(&call, rows_as_int(rc));
}

static int check_row(struct call *call, const struct corm_write *write, bool versioned)
{
    if (write->row == NULL)
        return misuse(call, "there is nothing to write: the row is NULL");
    if (versioned && write->later)
        return misuse(call, ".later at a row with a version: whether it was still the one that was "
                            "read is only known when it is sent");
    return 0;
}

/* The same as is_held() of a row's own key. */
static bool holds_row(const struct call *call, const struct corm_table *table, const void *row)
{
    if (call->trx == NULL || call->trx->single)
        return false;
    struct corm__key key = corm__key_of_row(call->arena, table, row);
    return key.bytes != NULL && corm__trx_holds(call->trx, key.bytes, key.size);
}

/* What became of a row with a version: `rows` of the database matched it. */
static int64_t settle_version(struct call *call, const struct corm_table *table,
                              const struct corm_column *version, const void *row, int64_t rows)
{
    if (rows == 0)
        return corm__fail(call->error, CORM_STALE,
                          "the row of table %s that was to be updated was changed or deleted by "
                          "somebody else after it was read",
                          table->name);
    corm__version_count_up(version, row);
    return rows;
}

int corm_update_row_(struct corm_on on, const struct corm_table *table,
                     const struct corm_write *options)
{
    struct corm_write         room;
    const struct corm_write  *write = corm__widen(options, options->size, sizeof(room), &room);
    struct call               call;
    const struct corm_column *version = NULL;
    struct corm__statement    statement;
    bool                      held = false, known = false;
    int64_t                   rc = open_write(&call, write, on);

    if (rc == 0)
        rc = corm__version_column(table, &version, call.error);
    if (rc == 0)
        rc = check_write(&call, write, false);
    if (rc == 0)
        rc = check_row(&call, write, version != NULL);
    if (rc == 0 && version != NULL)
        rc = corm__version_check(table, version, write->row, call.error);
    if (rc == 0) {
        held = holds_row(&call, table, write->row);
        known = held && version == NULL;
        rc = corm__make_update_row(call.dialect, call.arena, known || write->later, table, version,
                                   write, &statement, call.error);
    }
    if (rc == 0) {
        forget_held(&call, held);
        rc = deliver(&call, table, &statement, known, write->later);
        rc = guard_written(&call, table, write, rc);
        if (rc >= 0 && version != NULL && call.sql_of == NULL)
            rc = settle_version(&call, table, version, write->row, rc);
    }
    return (int)end_call(&call, rows_as_int(rc));
}

int corm_delete_(struct corm_on on, const struct corm_table *table,
                 const struct corm_write *options)
{
    struct corm_write        room;
    const struct corm_write *write = corm__widen(options, options->size, sizeof(room), &room);
    struct call              call;
    struct corm__statement   statement;
    bool                     held = false;
    int64_t                  rc = open_write(&call, write, on);

    if (rc == 0)
        rc = check_write(&call, write, false);
    if (rc == 0)
        rc = check_condition(&call, write);
    if (rc == 0) {
        held = is_held(&call, table, write);
        rc = corm__make_delete(call.dialect, call.arena, held || write->later, table, write,
                               &statement, call.error);
    }
    if (rc == 0) {
        forget_held(&call, false);
        rc = deliver(&call, table, &statement, held, write->later);
        rc = guard_written(&call, table, write, rc);
    }
    return (int)end_call(&call, rows_as_int(rc));
}

/* ---- Many rows --------------------------------------------------------------------------- */

/* `again`: there are more with as many rows. */
static int send_chunk(struct call *call, struct corm_arena *arena, const struct corm_table *table,
                      const struct corm_write *write, size_t first, size_t count, bool again)
{
    struct corm__statement statement;
    int rc = corm__make_insert_rows(call->dialect, arena, table, write, first, count, &statement,
                                    call->error);

    if (rc < 0)
        return rc;
    if (call->sql_of != NULL)
        return (int)hand_out(call->sql_of, &statement);
    statement.once = statement.once && !again;
    statement.id = write->ids; /* of a row alone */
    int64_t rows = corm__trx_send(call->trx, &statement, NULL);
    return rows < 0 ? (int)rows : 0;
}

/* How many of the rows from `first` on go into one statement: at most `most`, and about CHUNK_BYTES of
 * text, so that neither the server's packet nor our memory has to be large. */
static size_t chunk_of(const struct corm_table *table, const struct corm_write *write, size_t first,
                       size_t most)
{
    enum { CHUNK_BYTES = 1024 * 1024 };
    size_t count = 0, bytes = 0;

    while (count < most && first + count < write->count) {
        bytes +=
            corm__text_bytes(table, (const char *)write->row + (first + count) * table->row_size);
        if (count > 0 && bytes > CHUNK_BYTES)
            break;
        count++;
    }
    return count;
}

/* Where generated keys go that come back as rows. */
struct ids_sink {
    struct corm__sink base;
    int64_t          *ids;
    size_t            count, room;
};

static int ids_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                   struct corm_error *error)
{
    struct ids_sink *sink = (struct ids_sink *)base;

    (void)count;
    if (sink->count == sink->room)
        return corm__fail(error, CORM_SERVER_ERROR, "more keys came back than rows were inserted");
    sink->ids[sink->count++] = values[0].as.i;
    return 0;
}

/* The bytes of rows that go into one packet: enough that the trip is nothing, and several, since the next one is
 * made while the server has this one. */
static size_t packet_of(const struct call *call, const struct corm_table *table)
{
    enum { ALL = 512 * 1024, HEAD = 128, TYPE = 3, LEAST = 64 };

    assert(call->trx != NULL);
    size_t most = call->trx->connection->link->packet_max;
    size_t head = HEAD + (size_t)TYPE * table->column_count;

    if (most == 0 || most >= head + ALL)
        return ALL;
    return most > head + LEAST ? most - head : LEAST;
}

/* Rows that go in one packet. */
struct packet {
    struct corm_arena         *arena;
    struct corm__statement     statement;
    struct corm__array_column *columns;
    uint32_t                   width;
    size_t                     first, count;
    bool                       is_made;
    int                        rc; /* of its making, and why */
    struct corm_error          error;
};

/* Rows that go in packets, of which two are in memory: one at the server, and the next. */
struct packets {
    struct call             *call;
    const struct corm_table *table;
    const struct corm_write *write;
    struct packet            two[2];
    int                      at;
};

static int fill_packet(const struct packets *all, struct packet *p)
{
    p->rc = corm__make_insert_array(all->call->dialect, p->arena, all->table, all->write, p->first,
                                    packet_of(all->call, all->table), &p->count, &p->statement,
                                    &p->error);
    if (p->rc < 0)
        return p->rc;
    p->width = (uint32_t)(p->statement.bind_count / p->count);
    p->columns = corm_arena_alloc(p->arena, p->width * sizeof(*p->columns));
    if (p->columns == NULL)
        return corm__fail_memory(&p->error, "an array");
    for (uint32_t i = 0; i < p->width; i++)
        if (corm__array_fill(p->arena, p->statement.binds + i, p->width, p->count, &p->columns[i],
                             &p->error) < 0)
            return p->error.code;
    return 0;
}

/* From `first` on, unless it is there. */
static void make_packet(struct packets *all, struct packet *p, size_t first)
{
    if (p->is_made && p->first == first)
        return;
    corm_arena_reset(p->arena);
    p->first = first;
    p->error = (struct corm_error){0};
    p->rc = fill_packet(all, p);
    p->is_made = true;
}

static void make_next(void *arg)
{
    struct packets      *all = arg;
    const struct packet *p = &all->two[all->at];

    if (p->first + p->count < all->write->count)
        make_packet(all, &all->two[1 - all->at], p->first + p->count);
}

static int send_packet(struct packets *all)
{
    struct call         *call = all->call;
    const struct packet *p = &all->two[all->at];
    struct ids_sink      ids = {.base = {.row = ids_row}, .room = p->count};
    struct corm__array   array = {.rows = p->count,
                                  .column_count = p->width,
                                  .columns = p->columns,
                                  .meanwhile = make_next,
                                  .meanwhile_arg = all};

    if (all->write->ids == NULL)
        return corm__trx_send_array(call->trx, &p->statement, &array, NULL);
    ids.ids = all->write->ids + p->first;
    int rc = corm__trx_send_array(call->trx, &p->statement, &array, &ids.base);
    if (rc == 0 && ids.count != p->count)
        rc = corm__fail(call->error, CORM_SERVER_ERROR,
                        "fewer keys came back than rows were inserted");
    return rc;
}

static int send_packets(struct packets *all, size_t first)
{
    int rc = 0;

    for (; rc == 0 && first < all->write->count; all->at = 1 - all->at) {
        struct packet *p = &all->two[all->at];
        make_packet(all, p, first);
        if (p->rc < 0) {
            *all->call->error = p->error;
            return p->rc;
        }
        rc = send_packet(all);
        first += p->count;
    }
    return rc;
}

/* How many rows SQLite takes at a time in one text, without their keys: for it an array is a statement for
 * each row, and nearly a third of the work of those is to begin and to end them. 1: it takes an array. */
static size_t rows_of_text(const struct call *call, const struct corm_table *table,
                           const struct corm_write *write)
{
    enum { ROWS = 100 };
    size_t most = corm__rows_per_insert(call->dialect, table);

    if (call->dialect != CORM_DIALECT_SQLITE || write->ids != NULL)
        return 1;
    return most < ROWS ? most : ROWS;
}

static int send_arrays(struct call *call, const struct corm_table *table,
                       const struct corm_write *write)
{
    struct packets all = {.call = call, .table = table, .write = write};
    size_t         text = rows_of_text(call, table, write), first = 0;
    int            rc = 0;

    for (int i = 0; i < 2; i++)
        all.two[i].arena = corm_arena_new();
    if (all.two[0].arena == NULL || all.two[1].arena == NULL)
        rc = corm__fail_memory(call->error, "an array");
    if (rc == 0)
        rc = corm__trx_open(call->trx, call->file, call->line);
    for (; rc == 0 && text > 1 && write->count - first >= text; first += text) {
        corm_arena_reset(all.two[0].arena);
        rc = send_chunk(call, all.two[0].arena, table, write, first, text, true);
    }
    if (rc == 0)
        rc = send_packets(&all, first);
    for (int i = 0; i < 2; i++)
        corm_arena_free(all.two[i].arena);
    return rc;
}

/* Statements of many rows each. */
static int send_chunks(struct call *call, const struct corm_table *table,
                       const struct corm_write *write)
{
    size_t most = corm__rows_per_insert(call->dialect, table), chunk = 0;
    int    rc = 0;

    for (size_t i = 0; rc == 0 && i < write->count; i += chunk) {
        chunk = chunk_of(table, write, i, most);
        if (call->sql_of != NULL && chunk < write->count)
            return corm__fail(call->error, CORM_TOO_LARGE,
                              "%zu rows are sent in several statements: ask for %zu at most",
                              write->count, chunk);
        rc = send_chunk(call, call->arena, table, write, i, chunk, false);
    }
    return rc;
}

static int check_rows(struct call *call, const struct corm_table *table,
                      const struct corm_write *write, bool arrays)
{
    if (write->id != NULL || write->id_later != NULL || write->later)
        return misuse(call, "corm_insert_rows() takes no .id, .id_later or .later");
    if (write->count > INT_MAX || (write->count > 0 && write->row == NULL))
        return misuse(call, "corm_insert_rows() with a number of rows that cannot be right");
    if (write->ids != NULL && corm__generated_column(table) == NULL)
        return corm__fail(call->error, CORM_MISUSE,
                          "table %s has no generated key (.autoinc) to return", table->name);
    if (write->ids != NULL && write->count > 1 && !arrays && call->sql_of == NULL)
        return corm__fail(call->error, CORM_UNSUPPORTED,
                          "the keys of several rows at once: MySQL does not tell them, nor does "
                          "anybody of a table of nothing but generated columns");
    return 0;
}

int corm_insert_rows_(struct corm_on on, const struct corm_table *table,
                      const struct corm_write *options)
{
    struct corm_write        room;
    const struct corm_write *write = corm__widen(options, options->size, sizeof(room), &room);
    struct call              call;
    int                      rc = open_write(&call, write, on);
    bool                     arrays = call.sql_of == NULL && write->count > 1 && rc == 0 &&
                  call.dialect != CORM_DIALECT_MYSQL && !corm__is_only_generated(table);

    if (rc == 0)
        rc = check_rows(&call, table, write, arrays);
    if (rc == 0 && call.trx != NULL && call.trx->single && write->count > 1) {
        call.trx->single = false; /* all or none: a transaction of its own */
        call.trx->mode.trx = true;
    }
    if (rc == 0 && call.trx != NULL && !call.trx->single)
        corm__trx_note_write(call.trx, table);
    if (rc == 0)
        rc = arrays ? send_arrays(&call, table, write) : send_chunks(&call, table, write);
    return (int)end_call(&call, rc < 0 || on.sql_of != NULL ? rc : (int64_t)write->count);
}

/* ---- The way out --------------------------------------------------------------------------- */

struct value_sink {
    struct corm__sink  base;
    struct corm_arena *arena;
    struct corm_rows  *rows; /* or NULL: rows are read and forgotten */
    struct corm_value *values;
    size_t             count, capacity;
};

static int value_start(struct corm__sink *base, const struct corm_table **types,
                       struct corm_error *error)
{
    (void)base, (void)types, (void)error;
    return 0;
}

static int value_names(struct corm__sink *base, const char *const *names, uint32_t count,
                       struct corm_error *error)
{
    struct value_sink *sink = (struct value_sink *)base;

    if (sink->rows == NULL)
        return 0;
    const char **copy = corm_arena_alloc(sink->arena, count * sizeof(*copy));
    if (copy == NULL)
        return corm__fail_memory(error, "rows");
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = corm__arena_copy(sink->arena, names[i], strlen(names[i]));
        if (copy[i] == NULL)
            return corm__fail_memory(error, "rows");
    }
    *sink->rows = (struct corm_rows){.column_count = count, .names = copy};
    sink->count = 0;
    return 0;
}

static int value_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                     struct corm_error *error)
{
    struct value_sink *sink = (struct value_sink *)base;

    if (sink->rows == NULL)
        return 0;
    if (sink->count + count > sink->capacity) {
        size_t             capacity = (sink->capacity + count) * 2;
        struct corm_value *grown = corm__arena_grow(
            sink->arena, sink->values, sink->capacity * sizeof(*grown), capacity * sizeof(*grown));
        if (grown == NULL)
            return corm__fail_memory(error, "rows");
        sink->values = grown;
        sink->capacity = capacity;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct corm_value *v = &sink->values[sink->count++];
        *v = values[i];
        if (v->kind != CORM_V_TEXT && v->kind != CORM_V_BLOB)
            continue;
        v->as.s = corm__arena_copy(sink->arena, v->as.p, v->size);
        if (v->as.s == NULL)
            return corm__fail_memory(error, "rows");
    }
    sink->rows->values = sink->values;
    sink->rows->row_count++;
    return 0;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static const char *const data_words[] = {"SELECT", "WITH",    "INSERT", "UPDATE",
                                         "DELETE", "REPLACE", NULL};

/* What the text may begin with. `*plain`: it reads or writes rows, and neither ends a transaction
 * nor changes what is no row, but by functions that it calls. */
static int check_text(struct call *call, const char *text, bool *plain)
{
    static const char *const ends[] = {"BEGIN",   "START", "COMMIT", "ROLLBACK", "SAVEPOINT",
                                       "RELEASE", "END",   "XA",     "/*!",      NULL};
    char                     word[16];

    corm__first_word(text, word);
    *plain = is_one_of(word, data_words);
    if (is_one_of(word, ends))
        return misuse(call, "corm_sql() with a text that begins or ends a transaction, or may: use "
                            "corm_begin(), corm_commit() and corm_rollback()");
    if (call->trx != NULL && call->trx->function && !is_one_of(word, data_words))
        return misuse(call,
                      "corm_sql() in a function of corm_transact() takes SELECT, WITH, INSERT, "
                      "UPDATE, DELETE and REPLACE only");
    return 0;
}

/* On a server a text never tells that it leaves the session as it was: a view, a trigger, a function
 * may set a variable or take a lock. SQLite's have no such thing. */
static bool may_touch_session(const struct call *call, bool plain)
{
    return !plain || call->trx->node->endpoint.driver->has_trips;
}

/* What the calls of texts have in common: rows go to `sink`. `homeless`: they have no arena to live
 * in. */
static int64_t run_text(struct call *call, struct corm_on on, const struct corm_sql_args *args,
                        struct corm__sink *sink, bool homeless)
{
    struct corm__statement statement = {0};
    bool                   plain = true;
    char                   word[16];

    if (args->text == NULL)
        return refuse(call, "corm_sql() without a text");
    corm__first_word(args->text, word);
    bool writes = strcmp(word, "SELECT") != 0;
    call->writes = writes && on.trx == NULL; /* in a transaction the server knows better */
    call->unentered = !is_one_of(word, data_words);
    int64_t rc = open_call(call, on);
    if (rc == 0)
        rc = check_text(call, args->text, &plain);
    if (rc == 0 && homeless && call->sql_of == NULL)
        rc = misuse(call, "corm_sql() for rows on a db without .arena, in which they could live");
    if (rc == 0)
        rc = corm__make_raw(call->arena, args, &statement, call->error);
    if (rc < 0)
        return rc;
    if (call->sql_of != NULL)
        return hand_out(call->sql_of, &statement);
    forget_held(call, !writes);
    bool begun = call->trx->begun;
    rc = corm__trx_send(call->trx, &statement, sink);
    if (rc < 0 && !plain && begun)
        rc = corm__trx_lose(call->trx);
    if (call->trx->connection != NULL && may_touch_session(call, plain))
        call->trx->connection->dirty = true;
    return rc;
}

static void init_text(struct call *call, const struct corm_sql_args *args)
{
    init_call(call, args->error, args->file, args->line, false);
}

int corm_sql_(struct corm_on on, struct corm_rows *rows, const struct corm_sql_args *options)
{
    struct corm_sql_args        room;
    const struct corm_sql_args *args = corm__widen(options, options->size, sizeof(room), &room);
    struct call                 call;
    struct value_sink           sink = {.base = {value_start, value_names, value_row},
                                        .arena = on.trx != NULL ? on.trx->arena : args->arena};
    struct corm_rows            found = {0};

    init_text(&call, args);
    if (rows != NULL)
        sink.rows = &found;
    int64_t rc = run_text(&call, on, args, &sink.base, rows != NULL && sink.arena == NULL);
    if (rc >= 0 && rows != NULL && on.sql_of == NULL)
        *rows = found;
    return (int)end_call(&call, rows_as_int(rc));
}

static enum corm_dialect dialect_of(struct corm_on on)
{
    if (on.trx != NULL)
        return on.trx->node->dialect;
    return on.db != NULL ? on.db->nodes.all->dialect : on.sql_of->dialect;
}

int corm_sql_into_(struct corm_on on, const struct corm_table *into, void *rows,
                   const struct corm_sql_args *options)
{
    struct corm_sql_args        room;
    const struct corm_sql_args *args = corm__widen(options, options->size, sizeof(room), &room);
    struct call                 call;
    struct corm__into_sink      sink =
        corm__into_sink(on.trx != NULL ? on.trx->arena : args->arena, dialect_of(on), into);

    init_text(&call, args);
    int64_t rc = run_text(&call, on, args, &sink.base, sink.arena == NULL);

    if (rc >= 0 && on.sql_of == NULL)
        *(void **)rows = sink.rows;
    return (int)end_call(&call, rows_as_int(rc));
}

int corm_explain_(struct corm_on on, struct corm_rows *rows, const struct corm_table *table,
                  const struct corm_query *options)
{
    struct corm_query        room;
    const struct corm_query *query = corm__widen(options, options->size, sizeof(room), &room);
    struct call              call;
    struct value_sink        sink = {
               .base = {value_start, value_names, value_row}, .arena = arena_of(on, query), .rows = rows};
    int64_t rc;

    init_read(&call, query);
    if (sink.arena == NULL && on.db != NULL)
        rc = refuse(&call, "corm_explain() on a db without .arena, in which the plan could live");
    else
        rc = read(&call, on, CORM__EXPLAIN, table, query, NULL, &sink.base);
    return (int)end_call(&call, rows_as_int(rc));
}
