/* race_nodes.c -- the nodes of a cluster that the race runs on: who gets a purchase where chance decides
 * instead of its key, and what the nodes have refused. */
#include "race.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t race_node_of(const struct race_options *options, int32_t index)
{
    uint64_t z = options->seed ^ ((uint64_t)index + 1) * UINT64_C(0x9e3779b97f4a7c15);

    if (!options->random_nodes || options->nodes < 2)
        return 0;
    z = (z ^ (z >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    z = (z ^ (z >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return 1 + (uint32_t)((z ^ (z >> 33)) % options->nodes);
}

uint32_t race_nodes_count(const char *url)
{
    struct corm_settings settings = {0};
    struct corm_arena   *arena = corm_arena_new();

    if (arena == NULL || corm_settings(arena, url, &settings, NULL) < 0)
        settings.nodes = 1;
    corm_arena_free(arena);
    return settings.nodes;
}

/* The number in a value that may be a text. */
static int64_t number_of(const struct corm_value *value)
{
    char text[32] = "";

    if (value->kind == CORM_V_INT || value->kind == CORM_V_UINT)
        return value->as.i;
    if ((value->kind == CORM_V_TEXT || value->kind == CORM_V_BLOB) && value->size < sizeof text)
        memcpy(text, value->as.p, value->size);
    return strtoll(text, NULL, 10);
}

static int read_one(struct corm_db *db, uint32_t node, struct race_nodes *nodes,
                    struct corm_error *error)
{
    static const char text[] = "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_replicated', "
                               "'wsrep_local_cert_failures', 'wsrep_local_bf_aborts')";
    struct corm_rows  rows = {0};
    struct corm_trx  *trx = NULL;
    int               rc = corm_begin(db, &trx, .node = node, .read_only = true, .error = error);

    if (rc >= 0)
        rc = corm_sql(trx, &rows, text, .error = error);
    for (size_t i = 0; rc >= 0 && i < rows.row_count && rows.column_count == 2; i++) {
        const struct corm_value *row = &rows.values[2 * i];
        int64_t                  number = number_of(&row[1]);
        if (row[0].size == strlen("wsrep_replicated"))
            nodes->sent[node - 1] += number;
        else
            nodes->refused += number;
        nodes->is_cluster = true;
    }
    corm_end(trx);
    return rc < 0 ? rc : 0;
}

int race_nodes_read(struct corm_db *db, uint32_t count, struct race_nodes *nodes,
                    struct corm_error *error)
{
    int rc = 0;

    *nodes = (struct race_nodes){0};
    for (uint32_t i = 1; rc == 0 && count > 1 && i <= count && i <= RACE_NODES; i++)
        rc = read_one(db, i, nodes, error);
    return rc;
}

void race_nodes_report(const struct race_options *options, const struct race_result *result)
{
    const struct race_nodes *before = &result->nodes_before, *after = &result->nodes_after;
    const char              *which = "that of the product's key";

    if (!after->is_cluster)
        return;
    if (result->mode->submit == NULL) /* no key is said */
        which = "one that the db keeps to";
    else if (options->random_nodes)
        which = "one at random for each purchase";
    printf("  nodes        %s;", which);
    for (uint32_t i = 0; i < options->nodes && i < RACE_NODES; i++)
        printf("%s %" PRId64, i > 0 ? "," : " write sets", after->sent[i] - before->sent[i]);
    printf("\n  conflicts    %" PRId64 " write sets refused or thrown out, %" PRId64
           " purchases run again\n",
           after->refused - before->refused,
           (int64_t)result->attempts - result->bought - result->refused);
}
