/* api/db.c -- the calls of corm/db.h. */
#include "api/db.h"

#include "base/arena.h"
#include "base/clock.h"
#include "route/rendezvous.h"
#include "route/url.h"
#include "schema/ddl.h"

#include <stdio.h>
#include <stdlib.h>

/* Makes the nodes of a config; none is opened. */
static int make_nodes(struct corm_db *db, const struct corm__config *config,
                      struct corm_error *error)
{
    if (!corm__nodes_make(&db->nodes, config->node_count))
        return corm__fail_memory(error, "a database handle");
    for (uint32_t i = 0; i < config->node_count; i++) {
        struct corm__node *node = &db->nodes.all[i];
        node->endpoint = config->nodes[i].endpoint;
        node->endpoint.node = i + 1;
        node->timeout_ms = config->timeout_ms;
        node->resolve_ms = config->resolve_ms;
        node->reader = config->nodes[i].reader;
        node->hash = node->endpoint.host != NULL
                         ? corm__hash_node(node->endpoint.host, node->endpoint.port)
                         : 0;
        db->nodes.writers -= node->reader;
    }
    db->nodes.lag_ms = config->lag_ms;
    return 0;
}

static int configure(struct corm_db *db, const struct corm_options *o, struct corm__config *config,
                     struct corm_error *error)
{
    struct corm__watch *watch = &db->nodes.watch;
    int                 rc = o->url != NULL ? corm__parse_url(db->arena, o->url, config, error)
                                            : corm__config_from_environment(db->arena, config, error);

    if (rc < 0)
        return rc;
    watch->on_statement = o->on_statement;
    watch->on_statement_arg = o->on_statement_arg;
    watch->on_warning = o->on_warning;
    watch->on_warning_arg = o->on_warning_arg;
    if ((o->stats || config->stats) && (watch->durations = corm__durations_new()) == NULL)
        return corm__fail_memory(error, "a database handle");
    return make_nodes(db, config, error);
}

static void free_db(struct corm_db *db)
{
    corm__trx_store_free(db->store);
    corm__nodes_free(&db->nodes);
    corm_arena_free(db->arena);
    free(db);
}

int corm_open_(struct corm_db **out, const struct corm_options *options)
{
    struct corm_options        room;
    const struct corm_options *o = corm__widen(options, options->size, sizeof(room), &room);
    struct corm_error          error = {0};
    struct corm__config        config = {0};
    struct corm_db            *db = calloc(1, sizeof(*db));
    int                        rc = 0;

    *out = NULL;
    if (db == NULL || (db->arena = corm_arena_new()) == NULL)
        rc = corm__fail_memory(&error, "a database handle");
    if (rc == 0)
        rc = configure(db, o, &config, &error);
    if (rc == 0 && (db->store = corm__trx_store_new(&db->nodes)) == NULL)
        rc = corm__fail_memory(&error, "a database handle");
    if (rc == 0)
        rc = corm__nodes_open(&db->nodes, config.pool, &error);
    if (rc == 0)
        db->nodes.guards = config.guard == CORM__GUARD_ON ||
                           (config.guard != CORM__GUARD_OFF && db->nodes.writers > 1 &&
                            corm__nodes_are_galera(&db->nodes));
    if (rc == 0) {
        db->lanes = corm__lanes_new(db->store, &config.lanes);
        if (db->lanes == NULL) {
            corm__nodes_close(&db->nodes);
            rc = corm__fail_memory(&error, "a database handle");
        }
    }
    if (rc == 0) {
        *out = db;
        return 0;
    }
    if (o->error != NULL)
        *o->error = error;
    if (db != NULL)
        free_db(db);
    return rc;
}

void corm_close(struct corm_db *db)
{
    struct corm_error forked = {0};

    if (db == NULL)
        return;
    corm__lanes_free(db->lanes, false);
    if (corm__nodes_check(&db->nodes, &forked) == 0 && corm__trx_store_live(db->store) > 0) {
        (void)fprintf(stderr,
                      "corm_close(): %u transactions are not ended; call corm_end() first\n",
                      corm__trx_store_live(db->store));
        abort();
    }
    corm__nodes_close(&db->nodes);
    free_db(db);
}

int corm_connect_all(struct corm_db *db, struct corm_error *error)
{
    struct corm_error own = {0};
    int               rc = corm__trx_check_nested(db->store, &own);

    if (rc == 0)
        rc = corm__nodes_fill(&db->nodes, &own);
    if (rc < 0 && error != NULL)
        *error = own;
    return rc;
}

void corm_stats(const struct corm_db *db, struct corm_counters *counters)
{
    const struct corm__watch *w = &db->nodes.watch;

    *counters = (struct corm_counters){
        .round_trips = atomic_load(&w->round_trips),
        .statements = atomic_load(&w->statements),
        .transactions = atomic_load(&w->transactions),
        .commits = atomic_load(&w->commits),
        .rollbacks = atomic_load(&w->rollbacks),
        .attempts = atomic_load(&w->attempts),
        .connects = atomic_load(&w->connects),
    };
    struct corm_db_stats lanes = {0};
    corm__lanes_stats(db->lanes, &lanes);
    counters->groups = lanes.group_size.count;
    counters->members = lanes.group_size.sum;
}

enum corm_dialect corm_dialect_of(const struct corm_db *db)
{
    return db->nodes.all->dialect;
}

/* ---- Tables ---------------------------------------------------------------------- */

static int run_ddl(struct corm_trx *trx, const struct corm__buffer *text)
{
    if (text->failed) {
        corm__fail_memory(&trx->error, "the text of a statement");
        return corm__trx_doom(trx, NULL, 0);
    }
    struct corm__statement statement = corm__control(text->text);
    int64_t                rc = corm__trx_send(trx, &statement, NULL);
    return rc < 0 ? (int)rc : 0;
}

static bool next_index(struct corm_trx *trx, const struct corm_table *table, uint32_t n,
                       bool if_not_exists, struct corm__buffer *text)
{
    corm__buffer_init(text, trx->arena);
    return corm__put_create_index(text, table, n, if_not_exists);
}

/* On SQLite the indexes are statements behind it, all in one transaction, which holds DDL there. */
static int create(struct corm_trx *trx, const struct corm__node *node,
                  const struct corm_table *table, bool if_not_exists)
{
    struct corm__ddl    ddl = {node->dialect, node->has_uuid};
    struct corm__buffer text, index = {.failed = false};
    bool                more =
        ddl.dialect == CORM_DIALECT_SQLITE && next_index(trx, table, 0, if_not_exists, &index);

    if (index.failed)
        return run_ddl(trx, &index);
    if (more) {
        trx->single = false;
        trx->mode.trx = true;
    }
    corm__buffer_init(&text, trx->arena);
    corm__put_create_table(&text, &ddl, table, if_not_exists);
    int rc = run_ddl(trx, &text);
    for (uint32_t n = 1; rc == 0 && (more || index.failed); n++) {
        rc = run_ddl(trx, &index);
        more = next_index(trx, table, n, if_not_exists, &index);
    }
    return rc == 0 && !trx->single ? corm__trx_commit(trx) : rc;
}

static int drop(struct corm_trx *trx, const struct corm__node *node, const struct corm_table *table,
                bool if_exists)
{
    struct corm__buffer text;

    corm__buffer_init(&text, trx->arena);
    corm__put_drop_table(&text, node->dialect, table, if_exists);
    return run_ddl(trx, &text);
}

static int ddl(struct corm_db *db, const struct corm_table *table,
               const struct corm_table_options *options, bool creates)
{
    struct corm_table_options        room;
    const struct corm_table_options *o = corm__widen(options, options->size, sizeof(room), &room);
    struct corm_error                error = {0};
    struct corm_trx                 *trx = corm__trx_take(db->store, &error);

    if (trx == NULL) {
        if (o->error != NULL)
            *o->error = error;
        return error.code;
    }
    trx->single = true;
    trx->caller = (struct corm__caller){creates ? "corm_create_table()" : "corm_drop_table()", 0};
    trx->report = o->error;
    trx->deadline = corm__deadline_in(trx->timeout_ms);
    corm__trx_ready(trx);
    trx->attempt = 0;
    int rc = corm__check_model(db->nodes.all->dialect, table, &trx->error);
    if (rc < 0)
        corm__trx_doom(trx, NULL, 0);
    else if (creates)
        rc = create(trx, trx->node, table, o->if_not_exists);
    else
        rc = drop(trx, trx->node, table, o->if_exists);
    corm__trx_rollback(trx);
    corm__trx_give(trx);
    return rc;
}

int corm_create_table_(struct corm_db *db, const struct corm_table *table,
                       const struct corm_table_options *options)
{
    return ddl(db, table, options, true);
}

int corm_drop_table_(struct corm_db *db, const struct corm_table *table,
                     const struct corm_table_options *options)
{
    return ddl(db, table, options, false);
}
