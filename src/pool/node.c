/* pool/node.c -- one server, or one SQLite file, with its connections. */
#include "pool/node.h"

#include "base/clock.h"
#include "base/thread.h"

int corm__node_make_pools(struct corm__node *node, uint32_t connections, struct corm_error *error)
{
    bool apart = node->endpoint.driver->locks_file && connections > 1;

    node->process = corm__process_id();
    node->write = corm__pool_new(&node->endpoint, true, apart ? 1 : connections, node->watch);
    node->read = node->write;
    if (apart)
        node->read = corm__pool_new(&node->endpoint, false, connections - 1, node->watch);
    if (node->write != NULL && node->read != NULL)
        return 0;
    corm__node_close(node);
    return corm__fail_memory(error, "a pool");
}

int corm__node_open(struct corm__node *node, uint32_t connections, struct corm_error *error)
{
    struct corm__mode        single = {0};
    struct corm__connection *c = NULL;
    int                      rc = corm__node_make_pools(node, connections, error);

    if (rc < 0)
        return rc;
    rc = corm__pool_acquire(node->write, &single, (struct corm__caller){"corm_open()", 0},
                            corm__deadline_in(node->timeout_ms), &c, error);
    if (rc < 0) {
        corm__node_close(node);
        return rc;
    }
    node->dialect = c->link->dialect;
    node->has_uuid = c->link->has_uuid;
    corm__pool_release(node->write, c);
    return 0;
}

void corm__node_close(struct corm__node *node)
{
    if (node->read != node->write)
        corm__pool_free(node->read); /* before the writer: the last one to close checkpoints */
    corm__pool_free(node->write);
    node->read = node->write = NULL;
}

int corm__node_check(const struct corm__node *node, struct corm_error *error)
{
    return node->process == corm__process_id() ? 0 : corm__fail_forked(error);
}

bool corm__node_is_held(const struct corm__node *node)
{
    return corm__pool_is_held(node->write) ||
           (node->read != node->write && corm__pool_is_held(node->read));
}

void corm__node_stats(const struct corm__node *node, struct corm_node_stats *stats)
{
    static const enum corm_node_health told[] = {[CORM__NODE_NEW] = CORM_NODE_IS_LEFT,
                                                 [CORM__NODE_UP] = CORM_NODE_IS_UP,
                                                 [CORM__NODE_BACK] = CORM_NODE_IS_BACK,
                                                 [CORM__NODE_LEFT] = CORM_NODE_IS_LEFT};
    const struct corm__histogram       none = {0};

    *stats = (struct corm_node_stats){
        .health = told[atomic_load_explicit(&node->health, memory_order_relaxed)],
        .left = atomic_load_explicit(&node->left, memory_order_relaxed)};
    corm__pool_stats(node->write, stats);
    if (node->read != node->write)
        corm__pool_stats(node->read, stats);
    corm__histogram_read(&none, corm__duration_bounds, &stats->operation_duration);
    if (node->watch->durations != NULL)
        corm__durations_read(node->watch->durations, &node->endpoint, &stats->operation_duration);
}

int corm__node_fill(struct corm__node *node, struct corm_error *error)
{
    int64_t deadline = corm__deadline_in(node->timeout_ms);
    int     n = corm__pool_fill(node->write, deadline, error);

    if (n < 0 || node->read == node->write)
        return n;
    int m = corm__pool_fill(node->read, deadline, error);
    return m < 0 ? m : n + m;
}
