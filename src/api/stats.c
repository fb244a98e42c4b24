/* api/stats.c -- the calls of corm/stats.h. */
#include "api/db.h"
#include "base/buffer.h"
#include "schema/text.h"

#include <corm/stats.h>
#include <inttypes.h>
#include <stdio.h>

static int tell(const struct corm_error *own, struct corm_error *error)
{
    if (own->code != 0 && error != NULL)
        *error = *own;
    return own->code;
}

int corm_db_stats(struct corm_db *db, struct corm_db_stats *stats, struct corm_error *error)
{
    const struct corm__watch *w = &db->nodes.watch;
    struct corm_error         own = {0};

    *stats = (struct corm_db_stats){.nodes = 0};
    if (corm__nodes_check(&db->nodes, &own) < 0)
        return tell(&own, error);
    corm_stats(db, &stats->counters);
    stats->is_on = w->durations != NULL;
    stats->nodes = db->nodes.count;
    stats->deadlocks = atomic_load(&w->deadlocks);
    stats->unknown = atomic_load(&w->unknown);
    stats->resolved_done = atomic_load(&w->resolved_done);
    stats->resolved_undone = atomic_load(&w->resolved_undone);
    corm__code_counts_read(&w->errors, stats->errors);
    corm__code_counts_read(&w->run_again, stats->run_again);
    corm__lanes_stats(db->lanes, stats);
    return 0;
}

int corm_node_stats(struct corm_db *db, uint32_t n, struct corm_node_stats *stats,
                    struct corm_error *error)
{
    struct corm_error        own = {0};
    const struct corm__node *node = NULL;

    *stats = (struct corm_node_stats){.left = 0};
    if (corm__nodes_check(&db->nodes, &own) == 0)
        node = corm__nodes_at(&db->nodes, n, &own);
    if (node != NULL)
        corm__node_stats(node, stats);
    return tell(&own, error);
}

/* ---- As text ---------------------------------------------------------------------------
 *
 * A family is all lines of one name, with HELP and TYPE in front of them: so it goes through the families,
 * and in each through the nodes. */

struct page {
    struct corm__buffer     text;
    struct corm_db_stats    db;
    struct corm_node_stats *nodes;
    const char             *labels;      /* of what is the db's */
    const char            **node_labels; /* of what is a node's ... */
    const char            **pool_labels; /* ... and of what is its pool's */
};

struct family {
    const char *name, *type, *help;
    size_t      place; /* in struct corm_db_stats, or corm_node_stats */
};

#define OF_DB(member)   offsetof(struct corm_db_stats, member)
#define OF_NODE(member) offsetof(struct corm_node_stats, member)

/* clang-format off: tables */
static const struct family db_numbers[] = {
    {"corm_statements_total", "counter", "Statements sent; of a batch each counts.",
     OF_DB(counters.statements)},
    {"corm_round_trips_total", "counter", "Answers of a server that were waited for.",
     OF_DB(counters.round_trips)},
    {"corm_transactions_total", "counter", "Transactions begun on the server.",
     OF_DB(counters.transactions)},
    {"corm_commits_total", "counter", "Transactions committed.", OF_DB(counters.commits)},
    {"corm_rollbacks_total", "counter", "Transactions rolled back.", OF_DB(counters.rollbacks)},
    {"corm_attempts_total", "counter", "Runs of functions, the first of each with them.",
     OF_DB(counters.attempts)},
    {"corm_deadlocks_total", "counter", "Transactions that the server ended for a deadlock.",
     OF_DB(deadlocks)},
    {"corm_unknown_total", "counter", "Commits whose outcome was told as unknown.", OF_DB(unknown)},
    {"corm_resolved_done_total", "counter",
     "Lost answers to a commit that was done, as the ledger says.", OF_DB(resolved_done)},
    {"corm_resolved_undone_total", "counter",
     "Lost answers to a commit that was not done, as the ledger says.", OF_DB(resolved_undone)},
    {"corm_lane_queue_length", "gauge", "Transactions that wait in the lanes.", OF_DB(lane_queue)},
};

static const struct family db_sizes = {"corm_group_size", "histogram",
                                       "Transactions that shared one of the server.",
                                       OF_DB(group_size)};
static const struct family db_times = {"corm_lane_wait_time_seconds", "histogram",
                                       "From a submission until its first group began.",
                                       OF_DB(lane_wait_time)};
static const struct family db_codes[] = {
    {"corm_operation_errors_total", "counter", "Operations that failed, by reason.", OF_DB(errors)},
    {"corm_run_again_total", "counter", "Functions that had to run again, by reason.",
     OF_DB(run_again)},
};

static const struct family pool_numbers[] = {
    {"db_client_connection_max", "gauge", "The most connections that may be open.", OF_NODE(max)},
    {"db_client_connection_pending_requests", "gauge", "Requests that wait for a connection.",
     OF_NODE(pending)},
    {"db_client_connection_timeouts_total", "counter",
     "Requests for a connection that waited in vain.", OF_NODE(timeouts)},
    {"corm_connection_waits_total", "counter", "Requests for a connection that had to wait.",
     OF_NODE(waits)},
    {"corm_connections_closed_total", "counter", "Connections closed.", OF_NODE(closed)},
};
static const struct family pool_times[] = {
    {"db_client_connection_create_time_seconds", "histogram", "Time to open a connection.",
     OF_NODE(create_time)},
    {"db_client_connection_wait_time_seconds", "histogram",
     "Time in line for a connection, none included.", OF_NODE(wait_time)},
};
static const struct family node_times = {"db_client_operation_duration_seconds", "histogram",
                                         "Duration of operations, those that failed with them.",
                                         OF_NODE(operation_duration)};
static const struct family node_left = {"corm_node_left_total", "counter",
                                        "Times that a node could not be used and its keys moved.",
                                        OF_NODE(left)};
/* clang-format on */

static void put(struct corm__buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct corm__buffer *b, const char *format, ...)
{
    char    text[256]; /* no name, help or number comes near */
    va_list args;

    va_start(args, format);
    int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert(size >= 0 && (size_t)size < sizeof(text));
    corm__buffer_add(b, text, (size_t)size);
}

/* ---- Labels */

static void put_label(struct corm__buffer *b, const char *name, const char *value)
{
    if (b->size > 0)
        corm__buffer_putc(b, ',');
    corm__buffer_puts(b, name);
    corm__buffer_puts(b, "=\"");
    for (size_t left = strlen(value), n; left > 0; value += n, left -= n) {
        n = corm__utf8_size(value, left);
        if (n == 0) { /* one such label, and who reads the text refuses all of it */
            put(b, "%%%02X", (unsigned char)*value);
            n = 1;
        } else if (*value == '\n') {
            corm__buffer_puts(b, "\\n");
        } else if (*value == '\\' || *value == '"') {
            put(b, "\\%c", *value);
        } else {
            corm__buffer_add(b, value, n);
        }
    }
    corm__buffer_putc(b, '"');
}

static const char *name_of_system(enum corm_dialect dialect)
{
    return dialect == CORM_DIALECT_SQLITE  ? "sqlite"
           : dialect == CORM_DIALECT_MYSQL ? "mysql"
                                           : "mariadb";
}

static struct corm__buffer labels_of_db(struct corm_arena *arena, const struct corm__node *node)
{
    struct corm__buffer b;

    corm__buffer_init(&b, arena);
    put_label(&b, "db_system_name", name_of_system(node->dialect));
    if (node->endpoint.database != NULL)
        put_label(&b, "db_namespace", node->endpoint.database);
    return b;
}

static const char *address_of(const struct corm__endpoint *e)
{
    return e->socket != NULL ? e->socket : e->host;
}

static struct corm__buffer labels_of_node(struct corm_arena *arena, const struct corm__node *node)
{
    const struct corm__endpoint *e = &node->endpoint;
    struct corm__buffer          b = labels_of_db(arena, node);
    char                         port[16];

    if (address_of(e) != NULL)
        put_label(&b, "server_address", address_of(e));
    (void)snprintf(port, sizeof(port), "%u", (unsigned)e->port);
    if (e->socket == NULL && e->host != NULL)
        put_label(&b, "server_port", port);
    return b;
}

/* A pool is called as the conventions propose, address:port/database; that of a file as the file. */
static struct corm__buffer labels_of_pool(struct corm_arena *arena, const struct corm__node *node)
{
    const struct corm__endpoint *e = &node->endpoint;
    struct corm__buffer          b, name;

    corm__buffer_init(&name, arena);
    if (address_of(e) != NULL)
        corm__buffer_puts(&name, address_of(e));
    if (e->socket == NULL && e->host != NULL)
        put(&name, ":%u", (unsigned)e->port);
    if (address_of(e) != NULL && e->database != NULL)
        corm__buffer_putc(&name, '/');
    if (e->database != NULL)
        corm__buffer_puts(&name, e->database);
    corm__buffer_init(&b, arena);
    if (name.failed)
        b.failed = true;
    else
        put_label(&b, "db_client_connection_pool_name", name.text);
    return b;
}

/* ---- Lines */

static void put_head(struct corm__buffer *b, const struct family *f)
{
    corm__buffer_puts(b, "# HELP ");
    corm__buffer_puts(b, f->name);
    corm__buffer_putc(b, ' ');
    corm__buffer_puts(b, f->help);
    put(b, "\n# TYPE %s %s\n", f->name, f->type);
}

/* name_suffix{labels,more, as in put_label() alone; `more` may be "". */
static void put_start(struct corm__buffer *b, const char *name, const char *suffix,
                      const char *labels, const char *more)
{
    corm__buffer_puts(b, name);
    corm__buffer_puts(b, suffix);
    corm__buffer_putc(b, '{');
    corm__buffer_puts(b, labels);
    if (more[0] != '\0')
        corm__buffer_putc(b, ',');
    corm__buffer_puts(b, more);
    corm__buffer_puts(b, "} ");
}

static void put_number(struct corm__buffer *b, const char *name, const char *suffix,
                       const char *labels, const char *more, uint64_t number)
{
    put_start(b, name, suffix, labels, more);
    put(b, "%" PRIu64 "\n", number);
}

/* Exact, and no digit more: 500000 ns are 0.0005. */
static int write_seconds(char text[40], uint64_t ns)
{
    int size = snprintf(text, 40, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);

    while (text[size - 1] == '0')
        size--;
    size -= text[size - 1] == '.';
    text[size] = '\0';
    return size;
}

static void put_histogram(struct corm__buffer *b, const char *name, const char *labels,
                          const struct corm_histogram *h, bool durations)
{
    char     bound[40], more[64];
    uint64_t n = 0;

    for (size_t i = 0; i < CORM_BUCKETS; i++) {
        n += h->buckets[i];
        if (h->bounds[i] == UINT64_MAX)
            (void)snprintf(bound, sizeof(bound), "+Inf");
        else if (durations)
            (void)write_seconds(bound, h->bounds[i]);
        else
            (void)snprintf(bound, sizeof(bound), "%" PRIu64, h->bounds[i]);
        (void)snprintf(more, sizeof(more), "le=\"%s\"", bound);
        put_number(b, name, "_bucket", labels, more, n);
    }
    if (durations)
        (void)write_seconds(bound, h->sum);
    else
        (void)snprintf(bound, sizeof(bound), "%" PRIu64, h->sum);
    put_start(b, name, "_sum", labels, "");
    put(b, "%s\n", bound);
    put_number(b, name, "_count", labels, "", h->count);
}

/* ---- Families */

static const void *member_of(const void *stats, const struct family *f)
{
    return (const char *)stats + f->place;
}

static void put_codes(struct page *p, const struct family *f)
{
    const struct corm_code_count *c = member_of(&p->db, f);
    char                          more[80];

    put_head(&p->text, f);
    for (; c->code != 0; c++) {
        (void)snprintf(more, sizeof(more), "error_type=\"%s\"", corm_code_name(c->code));
        put_number(&p->text, f->name, "", p->labels, more, c->count);
    }
}

static void put_db(struct page *p)
{
    const struct family *histograms[] = {&db_sizes, &db_times};

    for (size_t i = 0; i < sizeof(db_numbers) / sizeof(db_numbers[0]); i++) {
        const uint64_t *number = member_of(&p->db, &db_numbers[i]);
        put_head(&p->text, &db_numbers[i]);
        put_number(&p->text, db_numbers[i].name, "", p->labels, "", *number);
    }
    for (size_t i = 0; i < sizeof(db_codes) / sizeof(db_codes[0]); i++)
        put_codes(p, &db_codes[i]);
    for (size_t i = 0; i < sizeof(histograms) / sizeof(histograms[0]); i++) {
        put_head(&p->text, histograms[i]);
        put_histogram(&p->text, histograms[i]->name, p->labels, member_of(&p->db, histograms[i]),
                      histograms[i] != &db_sizes);
    }
}

static void put_node_number(struct page *p, const struct family *f, const char **labels)
{
    put_head(&p->text, f);
    for (uint32_t i = 0; i < p->db.nodes; i++) {
        const uint64_t *number = member_of(&p->nodes[i], f);
        put_number(&p->text, f->name, "", labels[i], "", *number);
    }
}

static void put_node_histogram(struct page *p, const struct family *f, const char **labels)
{
    put_head(&p->text, f);
    for (uint32_t i = 0; i < p->db.nodes; i++)
        put_histogram(&p->text, f->name, labels[i], member_of(&p->nodes[i], f), true);
}

static void put_states(struct page *p)
{
    static const struct family count = {"db_client_connection_count", "gauge",
                                        "Connections that are open, by state.", 0};
    static const struct family up = {
        "corm_node_up", "gauge", "1 where the node is used, 0 where its keys are elsewhere.", 0};

    put_head(&p->text, &count);
    for (uint32_t i = 0; i < p->db.nodes; i++) {
        put_number(&p->text, count.name, "", p->pool_labels[i],
                   "db_client_connection_state=\"idle\"", p->nodes[i].idle);
        put_number(&p->text, count.name, "", p->pool_labels[i],
                   "db_client_connection_state=\"used\"", p->nodes[i].used);
    }
    put_head(&p->text, &up);
    for (uint32_t i = 0; i < p->db.nodes; i++)
        put_number(&p->text, up.name, "", p->node_labels[i], "",
                   p->nodes[i].health == CORM_NODE_IS_UP);
}

static void put_nodes(struct page *p)
{
    put_states(p);
    put_node_number(p, &node_left, p->node_labels);
    for (size_t i = 0; i < sizeof(pool_numbers) / sizeof(pool_numbers[0]); i++)
        put_node_number(p, &pool_numbers[i], p->pool_labels);
    for (size_t i = 0; i < sizeof(pool_times) / sizeof(pool_times[0]); i++)
        put_node_histogram(p, &pool_times[i], p->pool_labels);
    if (p->db.is_on) /* else it would look as if nothing were done */
        put_node_histogram(p, &node_times, p->node_labels);
}

/* Reads all numbers, and makes the labels. */
static int fill_page(struct corm_db *db, struct corm_arena *arena, struct page *p,
                     struct corm_error *error)
{
    uint32_t n = db->nodes.count;
    int      rc = corm_db_stats(db, &p->db, error);

    if (rc < 0)
        return rc;
    corm__buffer_init(&p->text, arena);
    p->nodes = corm_arena_alloc(arena, n * sizeof(*p->nodes));
    p->node_labels = corm_arena_alloc(arena, n * sizeof(char *));
    p->pool_labels = corm_arena_alloc(arena, n * sizeof(char *));
    struct corm__buffer labels = labels_of_db(arena, db->nodes.all);
    p->labels = labels.text;
    bool failed = labels.failed || p->text.failed || p->nodes == NULL || p->node_labels == NULL ||
                  p->pool_labels == NULL;
    for (uint32_t i = 0; rc == 0 && !failed && i < n; i++) {
        struct corm__buffer node = labels_of_node(arena, &db->nodes.all[i]);
        struct corm__buffer pool = labels_of_pool(arena, &db->nodes.all[i]);
        p->node_labels[i] = node.text;
        p->pool_labels[i] = pool.text;
        failed = node.failed || pool.failed;
        rc = corm_node_stats(db, i + 1, &p->nodes[i], error);
    }
    return failed ? corm__fail_memory(error, "the text of statistics") : rc;
}

const char *corm_stats_text(struct corm_db *db, struct corm_arena *arena, struct corm_error *error)
{
    struct corm_error own = {0};
    struct page       p = {.labels = NULL};

    if (fill_page(db, arena, &p, &own) == 0) {
        put_db(&p);
        put_nodes(&p);
        if (p.text.failed)
            corm__fail_memory(&own, "the text of statistics");
    }
    return tell(&own, error) == 0 ? p.text.text : NULL;
}
