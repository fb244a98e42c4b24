/* api/transaction.c -- the calls of corm/trx.h. */
#include "api/db.h"
#include "api/guard.h"
#include "base/clock.h"
#include "route/node_of_key.h"
#include "schema/type.h"
#include "sql/key.h"

#include <corm/trx.h>

#include <string.h>

static enum corm_isolation isolation_of(const struct corm_trx_options *o, bool function)
{
    if (o->isolation != CORM_ISOLATION_DEFAULT)
        return o->isolation;
    if (o->read_only)
        return CORM_REPEATABLE_READ;
    return function ? CORM_SERIALIZABLE : CORM_ISOLATION_DEFAULT;
}

/* ---- Nodes ---------------------------------------------------------------------- */

/* The node that is asked for, or NULL; `*error` is set where there is none, or where it takes no writes. */
static struct corm__node *pinned_node(const struct corm_db *db, const struct corm_trx_options *o,
                                      struct corm_error *error)
{
    struct corm__node *node = o->node != 0 ? corm__nodes_at(&db->nodes, o->node, error) : NULL;

    if (node == NULL || !node->reader || o->read_only)
        return node;
    corm__fail(error, CORM_MISUSE, "node %u is a reader: it takes .read_only transactions alone",
               o->node);
    return NULL;
}

static int check_reader(const struct corm_trx_options *o, struct corm_error *error)
{
    if (o->reader && !o->read_only)
        return corm__fail(error, CORM_MISUSE,
                          ".reader without .read_only: what may write or lock goes to a writer");
    if (o->reader && o->node != 0)
        return corm__fail(error, CORM_MISUSE, ".reader and .node: which of them? Leave one out");
    return 0;
}

/* With several writers equal keys have to have equal bytes, or they would go to several nodes. */
static int check_keys(const struct corm_db *db, const struct corm__lock_key *keys, uint32_t count,
                      int64_t deadline, struct corm_error *error)
{
    int rc = 0;

    if (db->nodes.writers == 1)
        return 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        const struct corm_column *columns[CORM__KEY_COLUMNS_MAX] = {NULL};
        uint32_t                  n = corm__key_columns(keys[i].table, columns);
        bool                      has_text = false;
        for (uint32_t k = 0; k < n; k++)
            has_text = has_text || corm__is_text(columns[k]);
        if (has_text)
            rc = corm__lanes_check_key(db->lanes, keys[i].table, deadline, error);
    }
    return rc;
}

/* ---- Beginning -------------------------------------------------------------------- */

static int make_trx(struct corm_db *db, const struct corm_trx_options *o, bool function,
                    struct corm_trx **trx, struct corm_error *error)
{
    if (o->isolation > CORM_SERIALIZABLE)
        return corm__fail(error, CORM_MISUSE, "isolation %d does not exist", (int)o->isolation);
    if (o->read_only && o->key.op != CORM_NONE)
        return corm__fail(error, CORM_MISUSE,
                          ".read_only with a .key, which locks the row for writing; leave one out");
    int rc = check_reader(o, error);
    if (rc < 0)
        return rc;
    struct corm__node *node = pinned_node(db, o, error);
    if (error->code != 0)
        return error->code;
    *trx = corm__trx_take(db->store, error);
    if (*trx == NULL)
        return error->code;
    (*trx)->pinned = node != NULL;
    (*trx)->node = node != NULL ? node : (*trx)->node;
    (*trx)->wants_reader = o->reader;
    if (o->reader)
        corm__trx_choose_node(*trx);
    (*trx)->caller = (struct corm__caller){o->file, o->line};
    (*trx)->function = function;
    (*trx)->reader = o->read_only;
    (*trx)->mode = (struct corm__mode){
        .trx = true, .isolation = isolation_of(o, function), .read_only = o->read_only};
    (*trx)->report = o->error;
    if (o->timeout_ms > 0)
        (*trx)->timeout_ms = o->timeout_ms;
    (*trx)->deadline = corm__deadline_in((*trx)->timeout_ms);
    return 0;
}

/* A transaction in state OVER with these options, its deadline running. */
static int new_trx(struct corm_db *db, const struct corm_trx_options *options, bool function,
                   struct corm_trx **trx)
{
    struct corm_trx_options        room;
    const struct corm_trx_options *o = corm__widen(options, options->size, sizeof(room), &room);
    struct corm_error              error = {0};
    int                            rc = make_trx(db, o, function, trx, &error);

    if (rc < 0)
        corm__error_place(&error, o->file, o->line);
    if (rc < 0 && o->error != NULL)
        *o->error = error;
    return rc;
}

static int nested(struct corm_trx *trx, corm_trx_function *function,
                  const struct corm_trx_options *options)
{
    struct corm_trx_options        room;
    const struct corm_trx_options *o = corm__widen(options, options->size, sizeof(room), &room);
    struct corm_error              error = {0};
    int                            rc = corm__trx_check(trx);

    if (rc == 0 && (o->isolation != CORM_ISOLATION_DEFAULT || o->read_only || o->timeout_ms > 0 ||
                    o->key.op != CORM_NONE || o->node != 0 || o->reader)) {
        corm__fail(&trx->error, CORM_MISUSE,
                   "a nested transaction has the isolation, .read_only, .reader, .key, .node "
                   "and deadline of the one around it");
        rc = corm__trx_doom(trx, o->file, o->line);
    }
    if (rc == 0)
        rc = corm__trx_nested(trx, function, o->arg, &error);
    if (rc < 0 && o->error != NULL)
        *o->error = error.code != 0 ? error : *corm__trx_error_of(trx, rc);
    return rc;
}

struct corm__job corm__job_of(const struct corm_db *db, corm_trx_function *function,
                              const struct corm_trx_options *o)
{
    return (struct corm__job){
        .function = function,
        .arg = o->arg,
        .done = o->done,
        .key = &o->key,
        .isolation = isolation_of(o, true),
        .timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : db->nodes.all->timeout_ms,
        .nowait = o->nowait,
    };
}

int corm__check_job(const struct corm_db *db, struct corm__job *job,
                    const struct corm_trx_options *o, struct corm_error *error)
{
    struct corm__lock_key keys[CORM__LOCK_KEYS_MAX];
    uint32_t              count = 0;

    if (job->isolation > CORM_SERIALIZABLE)
        return corm__fail(error, CORM_MISUSE, "isolation %d does not exist", (int)job->isolation);
    if (o->read_only)
        return corm__fail(
            error, CORM_MISUSE,
            ".read_only with a .key: a lane locks the row for writing; leave one out");
    int rc = check_reader(o, error);
    if (rc < 0)
        return rc;
    if (job->key->op == CORM_NONE)
        return corm__fail(error, CORM_MISUSE, "corm_submit() without .key: which lane?");
    job->node = pinned_node(db, o, error);
    if (error->code != 0 || db->nodes.writers == 1)
        return error->code;
    rc = corm__read_keys(job->key, keys, &count, error);
    return rc < 0 ? rc : check_keys(db, keys, count, corm__deadline_in(job->timeout_ms), error);
}

/* In the lane of its key. */
static int transact_by_key(struct corm_db *db, corm_trx_function *function,
                           const struct corm_trx_options *o)
{
    struct corm_error error = {0};
    struct corm__job  job = corm__job_of(db, function, o);
    int               rc = corm__check_lanes(db, true, &error);

    if (rc == 0 && o->done != NULL)
        rc = corm__fail(&error, CORM_MISUSE,
                        ".done is for corm_submit(): this call returns the outcome");
    if (rc == 0)
        rc = corm__check_job(db, &job, o, &error);
    if (rc == 0)
        rc = corm__lanes_run(db->lanes, &job, &error);
    if (rc < 0 && error.attempts == 0)
        corm__error_place(&error, o->file, o->line);
    if (rc < 0 && o->error != NULL)
        *o->error = error;
    return rc;
}

int corm_transact_(struct corm_on on, corm_trx_function *function,
                   const struct corm_trx_options *options)
{
    struct corm_trx *trx = NULL;

    if (on.trx != NULL)
        return nested(on.trx, function, options);
    struct corm_trx_options        room;
    const struct corm_trx_options *o = corm__widen(options, options->size, sizeof(room), &room);
    if (o->key.op != CORM_NONE)
        return transact_by_key(on.db, function, o);
    int rc = new_trx(on.db, options, true, &trx);

    if (rc < 0)
        return rc;
    rc = corm__trx_transact(trx, function, options->arg);
    corm__trx_give(trx);
    return rc;
}

/* ---- The keys of corm_begin() ------------------------------------------------- */

struct ordered_key {
    const struct corm__lock_key *key;
    struct corm__key             bytes;
};

/* In the order in which groups lock them: of two who want the same rows, one waits, and neither is
 * killed. How many there are, each once; or a negative code. */
static int order_keys(struct corm_trx *trx, struct ordered_key ordered[CORM__LOCK_KEYS_MAX])
{
    int n = 0;

    for (uint32_t i = 0; i < trx->keys.count; i++) {
        struct ordered_key k = {.key = &trx->keys.keys[i]};
        int                at = n;
        k.bytes = corm__key_of_values(trx->drafts, k.key->table, k.key->values);
        if (k.bytes.bytes == NULL)
            return corm__fail_memory(&trx->error, "the keys of a transaction");
        while (at > 0 && corm__key_compare(ordered[at - 1].bytes, k.bytes) > 0)
            at--;
        if (at > 0 && corm__key_compare(ordered[at - 1].bytes, k.bytes) == 0)
            continue;
        memmove(&ordered[at + 1], &ordered[at], (size_t)(n - at) * sizeof(k));
        ordered[at] = k;
        n++;
    }
    return n;
}

/* Begins; what locks the rows of the keys travels in front of the first statement. A file is locked
 * whole when the transaction begins. */
static int begin(struct corm_trx *trx)
{
    struct ordered_key     ordered[CORM__LOCK_KEYS_MAX];
    struct corm__statement lock;

    if (!trx->pinned && trx->keys.count > 0)
        trx->node = corm__node_of_key(corm__nodes_of(trx->store), &trx->keys.keys[0]);
    corm__trx_ready(trx);
    int rc = order_keys(trx, ordered), n = rc;
    for (int i = 0; rc >= 0 && i < n; i++) {
        rc = corm__make_lock_only(trx->node->dialect, trx->drafts, ordered[i].key->table,
                                  ordered[i].key->values, &lock, &trx->error);
        lock.file = trx->caller.file;
        lock.line = trx->caller.line;
        if (rc == 0 && !trx->node->endpoint.driver->locks_file)
            rc = corm__trx_buffer(trx, &lock);
        if (rc == 0)
            rc =
                corm__guard_values(trx, ordered[i].key->table, ordered[i].key->values, &trx->error);
    }
    if (rc < 0 && trx->state != CORM__TRX_DOOMED)
        corm__trx_doom(trx, trx->caller.file, trx->caller.line);
    return rc < 0 ? rc : 0;
}

static int keep_keys(const struct corm_db *db, struct corm_trx *trx,
                     const struct corm_trx_options *options)
{
    struct corm_trx_options        room;
    const struct corm_trx_options *o = corm__widen(options, options->size, sizeof(room), &room);
    struct corm__lock_key          keys[CORM__LOCK_KEYS_MAX];
    uint32_t                       count = 0;

    if (o->key.op == CORM_NONE)
        return 0;
    int rc = corm__read_keys(&o->key, keys, &count, &trx->error);
    if (rc == 0)
        rc = check_keys(db, keys, count, trx->deadline, &trx->error);
    if (rc == 0)
        rc = corm__keep_keys(&trx->keys, keys, count, &trx->error);
    return rc < 0 ? corm__trx_doom(trx, o->file, o->line) : 0;
}

int corm_begin_(struct corm_db *db, const struct corm_trx_options *options)
{
    struct corm_trx *trx = NULL;
    int              rc = new_trx(db, options, false, &trx);

    if (rc == 0) {
        rc = keep_keys(db, trx, options);
        if (rc == 0)
            rc = begin(trx);
        if (rc < 0) {
            corm__trx_give(trx);
            trx = NULL;
        }
    }
    *options->trx = trx;
    return rc;
}

static bool is_open(const struct corm_trx *trx)
{
    return trx->state != CORM__TRX_OVER;
}

/* What only who began a transaction may do. */
static int refuse_in_function(struct corm_trx *trx, const char *call, const char *instead)
{
    if (trx->busy)
        return corm__trx_check(trx);
    if (!trx->function && trx->nested == 0)
        return 0;
    if (corm__trx_check(trx) == 0) {
        corm__fail(&trx->error, CORM_MISUSE, "%s in a function of corm_transact(): %s", call,
                   instead);
        corm__trx_doom(trx, NULL, 0);
    }
    return trx->error.code;
}

int corm_commit(struct corm_trx *trx)
{
    int rc = refuse_in_function(trx, "corm_commit()", "return 0 instead");

    return rc < 0 ? rc : corm__trx_commit(trx);
}

int corm_rollback(struct corm_trx *trx)
{
    int rc = refuse_in_function(trx, "corm_rollback()", "return corm_abort() instead");

    if (rc < 0)
        return rc;
    if (!is_open(trx))
        return corm__trx_check(trx);
    corm__trx_rollback(trx);
    return 0;
}

int corm_start(struct corm_trx *trx)
{
    int rc = refuse_in_function(trx, "corm_start()", "it is begun already");

    if (rc < 0)
        return rc;
    if (is_open(trx)) {
        if (corm__trx_check(trx) == 0) {
            corm__fail(&trx->error, CORM_MISUSE, "corm_start() on a transaction that is open");
            corm__trx_doom(trx, NULL, 0);
        }
        return trx->error.code;
    }
    trx->attempt = 0;
    trx->deadline = corm__deadline_in(trx->timeout_ms);
    corm__trx_choose_node(trx);
    return begin(trx);
}

void corm_end(struct corm_trx *trx)
{
    if (trx == NULL || refuse_in_function(trx, "corm_end()", "return instead") < 0)
        return;
    if (is_open(trx))
        corm__trx_rollback(trx);
    corm__trx_give(trx);
}

int corm_savepoint(struct corm_trx *trx)
{
    return corm__trx_savepoint(trx, NULL, 0);
}

int corm_savepoint_release(struct corm_trx *trx)
{
    return corm__trx_savepoint_release(trx);
}

int corm_savepoint_rollback(struct corm_trx *trx)
{
    struct corm_error lifted = {0};

    return corm__trx_savepoint_rollback(trx, &lifted);
}

int corm_abort(struct corm_trx *trx, int code, const char *format, ...)
{
    int rc = trx->busy && trx->error.code == 0 ? 0 : corm__trx_check(trx);

    if (rc < 0)
        return rc;
    if (!corm_is_user(code)) {
        corm__fail(&trx->error, CORM_MISUSE,
                   "corm_abort() with %d, which is no code of the "
                   "application's own (CORM_USER and up)",
                   code);
    } else {
        va_list args;
        va_start(args, format);
        corm__fail_user(&trx->error, code, format, args);
        va_end(args);
    }
    return corm__trx_doom(trx, NULL, 0);
}

uint32_t corm_attempt(const struct corm_trx *trx)
{
    return trx->attempt;
}

struct corm_arena *corm_trx_arena(struct corm_trx *trx)
{
    return trx->arena;
}

const struct corm_error *corm_trx_error(const struct corm_trx *trx)
{
    return &trx->error;
}
