/* corm/stats.h -- numbers to watch: of a db, of each of its nodes, and all of them as text for Prometheus.
 *
 *     corm_open(&db, url, .stats = true, .error = &e);          or ?stats=on in the URL
 *     ...
 *     const char *text = corm_stats_text(db, arena, &e);        what GET /metrics answers
 *
 * docs/statistics.md says which of them to watch, and what they mean.
 *
 * Where the OpenTelemetry conventions have a name for a number, it has that name in the text, as they
 * are written for Prometheus: a dot is an underscore, the unit stands behind it, then _total of what only grows
 * ("Semantic conventions for database client metrics", opentelemetry.io/docs/specs/semconv/db/database-metrics;
 * "Prometheus and OpenMetrics Compatibility", opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics):
 *
 *     db_client_operation_duration_seconds     histogram, of each node: operation_duration
 *     db_client_connection_count               gauge, by state (idle, used): idle, used
 *     db_client_connection_max                 gauge: max
 *     db_client_connection_pending_requests    gauge: pending
 *     db_client_connection_timeouts_total      timeouts
 *     db_client_connection_create_time_seconds histogram: create_time
 *     db_client_connection_wait_time_seconds   histogram: wait_time
 *
 * What they do not know begins with corm_. An operation is one trip, as it is for the statement hook (db.h);
 * a batch is one. One that failed is in the histogram, too; what it failed with counts corm_operation_errors_total,
 * by error_type: a histogram for each code would be hundreds of lines.
 *
 * All counters are since corm_open() and never go back. */
#ifndef CORM_STATS_H
#define CORM_STATS_H

#include <corm/arena.h>
#include <corm/db.h>
#include <corm/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CORM_BUCKETS = 14, CORM_CODES_MAX = 64 };

/* How often a value was how large. Bounds of durations are nanoseconds: 10, 50, 100 and 500 microseconds,
 * then those that the conventions recommend for db.client.operation.duration, 1 ms to 10 s. Bounds of sizes are 1, 2,
 * 4 and so on to 4096. */
struct corm_histogram {
    uint64_t count;                 /* of values: all buckets together */
    uint64_t sum;                   /* of the values: nanoseconds, or members */
    uint64_t bounds[CORM_BUCKETS];  /* the largest value of each bucket; the last: UINT64_MAX */
    uint64_t buckets[CORM_BUCKETS]; /* how many values; none counts in two of them */
};

struct corm_code_count {
    int32_t  code; /* a negative code of error.h; CORM_USER for all that are not corm's own */
    uint64_t count;
};

/* Of a db as a whole. `deadlocks` are transactions, and single writes, that the server has ended for one;
 * `unknown` those that were told as CORM_UNKNOWN. Where the answer to a COMMIT was lost and the ledger has
 * answered, at once or to corm_outcome(), it is one of `resolved_done` or `resolved_undone`; where several threads
 * ask for the same outcome at once, each answer.
 *
 * The two lists are operations that failed, and functions that had to run again, by the reason: only codes that are
 * not 0, in the order of error.h; behind the last one is one of code 0. */
struct corm_db_stats {
    struct corm_counters   counters; /* as of corm_stats() */
    bool                   is_on;    /* operations are timed */
    uint32_t               nodes;
    uint64_t               deadlocks;
    uint64_t               unknown;
    uint64_t               resolved_done;
    uint64_t               resolved_undone;
    uint64_t               lane_queue;     /* transactions that wait in the lanes now */
    struct corm_histogram  group_size;     /* members of counters.groups */
    struct corm_histogram  lane_wait_time; /* from a submission until its first group begins */
    struct corm_code_count errors[CORM_CODES_MAX];
    struct corm_code_count run_again[CORM_CODES_MAX];
    uint64_t               reserved[16]; /* zero */
};

enum corm_node_health {
    CORM_NODE_IS_UP,   /* it is used */
    CORM_NODE_IS_BACK, /* it answers again, and is used when it has been well for two seconds */
    CORM_NODE_IS_LEFT  /* its keys are elsewhere */
};

/* Of one node. The connections are those of its pool; of SQLite's two, the one that writes and those that read,
 * together. A request for a connection that finds none free, and none that may be opened, stands in line until
 * it gets one or its deadline passes; `wait_time` has all requests, with 0 those that did not. Who is given a
 * connection that turns out to be dead asks again, which counts as another request. */
struct corm_node_stats {
    enum corm_node_health health;
    uint64_t              left; /* how often it was left, and its keys moved: fail-overs */
    uint64_t              max;  /* connections, at most */
    uint64_t              idle, used;
    uint64_t              pending;        /* requests that stand in line now */
    uint64_t              opened, closed; /* connections; the difference is idle or used */
    uint64_t              waits;          /* requests that stood in line */
    uint64_t              timeouts;       /* ... in vain */
    struct corm_histogram wait_time;
    struct corm_histogram create_time;        /* to open a connection */
    struct corm_histogram operation_duration; /* nothing where !is_on */
    uint64_t              reserved[16];       /* zero */
};

/* Puts the numbers of a db into *stats. 0; or CORM_FORKED in a child of the process that opened it, with *stats all zero
 * and *error set, which may be NULL. Each number is exact, together they are no snapshot while
 * others work. Waits for no server. From any thread, also inside of functions. */
CORM_API int corm_db_stats(struct corm_db *db, struct corm_db_stats *stats,
                           struct corm_error *error);

/* The same for the node `n`, counted from 1. CORM_MISUSE where there is none of that number. */
CORM_API int corm_node_stats(struct corm_db *db, uint32_t n, struct corm_node_stats *stats,
                             struct corm_error *error);

/* All numbers of a db as text in the exposition format of Prometheus, version 0.0.4 (its media type is "text/plain;
 * version=0.0.4"; prometheus.io/docs/instrumenting/exposition_formats). It ends with NUL and lives in the arena.
 * Labels tell host or socket, port, and the name of the database or file, a byte in them that is not UTF-8 as %XX;
 * never user, password, a statement or a value. NULL where there is no memory, and in a child (CORM_FORKED), with *error set, which may be NULL. Waits
 * for no server. From any thread that has the arena for itself. */
CORM_API const char *corm_stats_text(struct corm_db *db, struct corm_arena *arena,
                                     struct corm_error *error);

#ifdef __cplusplus
}
#endif
#endif
