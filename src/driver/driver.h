/* driver/driver.h -- the small table of functions behind which a server stands.
 *
 * A *link* is one connection of a driver. It is used by one thread at a time; the pool sees to that.
 * All functions block, until `deadline` at the latest (base/clock.h); after a deadline that passed
 * while the server was to answer, the link is lost. Errors are set in `error`, which is never NULL;
 * `link->lost` then tells whether the link can still be used, and only close() may follow on one
 * that is lost. */
#ifndef CORM_DRIVER_DRIVER_H
#define CORM_DRIVER_DRIVER_H

#include "driver/error_table.h"
#include "sql/statement.h"

#include <corm/trx.h>
#include <stdatomic.h>

struct corm__driver;

enum corm__tls { CORM__TLS_DEFAULT, CORM__TLS_VERIFY, CORM__TLS_OFF };

/* Where a node is. Texts live as long as the node. */
struct corm__endpoint {
    const struct corm__driver *driver;
    const char                *host; /* NULL with a socket, and for files */
    uint16_t                   port;
    const char                *socket;
    const char                *user, *password;
    const char                *database; /* or the file of SQLite; NULL: none */
    enum corm__tls             tls;
    const char                *tls_ca;
    uint32_t                   timeout_ms;
    uint32_t                   max_age_s;      /* of a connection; 0: the pool's default */
    uint32_t                   node;           /* its number in the db, from 1 */
    bool                       tells_position; /* its links say which GTID a commit has got */
    const _Atomic bool        *silent; /* while it is true, nobody waits long for an answer: after
                                          CORM__SILENT_MS without one the link is lost. Or NULL */
};

enum { CORM__SILENT_MS = 100 };

enum { CORM__GTIDS_TEXT = 256 };

/* What a server says of itself as one of several nodes. */
struct corm__condition {
    bool    takes_writes;
    bool    is_galera;   /* it is a node of a Galera cluster ... */
    bool    is_synced;   /* ... and takes part in it: Primary, ready, Synced */
    char    cluster[64]; /* ... of this name, which no other cluster has */
    int64_t asked;       /* when, by the clock of base/clock.h; set by who has asked */
    /* The GTIDs of what it has in its binary log, and of what it has applied as a replica; "?" where it has none
     * that can be told. */
    char written[CORM__GTIDS_TEXT], applied[CORM__GTIDS_TEXT];
};

/* What a session is set up for: single statements, or transactions of one kind. */
struct corm__mode {
    bool                trx;
    enum corm_isolation isolation; /* CORM_ISOLATION_DEFAULT: the server's own */
    bool                read_only;
    uint32_t lock_wait_s; /* how long a lock is waited for; 0: as long as the server says */
};

/* What tells the session of a link from all others, so that it can be ended from another one. */
struct corm__session {
    uint64_t id;         /* of the connection, in one run of the server; 0: not known */
    int64_t  began;      /* when the server was started, in seconds; 0: not known */
    char     server[72]; /* which one: a hash */
    char     host[72];   /* the client's address and port, as the server sees them */
};

struct corm__link {
    const struct corm__driver *driver;
    struct corm__session       session;
    bool                       has_ledger; /* its database has the table corm_ledger */
    enum corm_dialect          dialect;
    struct corm__mode          mode;
    bool                       in_trx; /* after the last answer that was no error */
    bool                       lost;   /* cannot be used any more */
    bool                       sent; /* since it was cleared: a statement, beyond being prepared */
    bool                       autocommits; /* although it is in a mode for transactions */
    bool                       holds_data;  /* of a database in memory: is never closed */
    bool     rollback_on_timeout;           /* a lock that is not had ends the transaction */
    bool     has_uuid;                      /* a UUID type */
    char     gtid[48];       /* since it was cleared: of the last commit; "": none was told */
    size_t   packet_max;     /* the largest that the server takes, bytes; 0: unbounded */
    uint32_t statements_max; /* prepared ones, of all connections to the server; 0: unbounded */
    uint64_t round_trips;
};

/* Where rows go. One that `streams` takes them as they come from the server, so that a result which then
 * fails has given it rows; else they are all received first. One that is also `slow` lets the server
 * wait, and the deadline is looked at for each row. `start` is called for each result set: it sets *types to the table whose columns
 * these are, or leaves it NULL, which gives the server's own types, and then `names` is called, too;
 * who wants to know neither has NULL there. `row` is called for each row; values live during the call. A negative code of theirs ends the
 * reading and is returned; a positive one of `row` ends it as if there were no more rows. */
struct corm__sink {
    int (*start)(struct corm__sink *sink, const struct corm_table **types,
                 struct corm_error *error);
    int (*names)(struct corm__sink *sink, const char *const *names, uint32_t count,
                 struct corm_error *error);
    int (*row)(struct corm__sink *sink, const struct corm_value *values, uint32_t count,
               struct corm_error *error);
    bool streams, slow;
    bool started; /* set by corm__sink_start() */
};

static inline int corm__sink_start(struct corm__sink *sink, const struct corm_table **types,
                                   struct corm_error *error)
{
    sink->started = true;
    return sink->start == NULL ? 0 : sink->start(sink, types, error);
}

static inline int corm__sink_names(struct corm__sink *sink, const char *const *names,
                                   uint32_t count, struct corm_error *error)
{
    return sink->names == NULL ? 0 : sink->names(sink, names, count, error);
}

struct corm__result {
    int64_t rows;      /* that came back, were matched, inserted or removed */
    int64_t generated; /* the key that the server made for an insert; 0: none */
};

struct corm__prepared; /* a driver's own */

/* One column of many rows. */
struct corm__array_column {
    enum corm_value_kind kind; /* of all rows: INT, UINT, REAL, TEXT, DECIMAL, BLOB or UUID */
    const void *values; /* int64_t[], uint64_t[], double[], or const char *[] of the others */
    const unsigned long *sizes; /* bytes, of a UUID 16; NULL for numbers */
    const char          *nulls; /* a row's byte is 1 where it is NULL, else 0; NULL: none is */
};

/* The values of a statement's `?`, for many executions. Nothing is copied. `meanwhile` is called, if not NULL,
 * where the driver would wait for a server: perhaps more than once, perhaps never. It does not touch the
 * connection. */
struct corm__array {
    size_t                           rows; /* 1 and up */
    uint32_t                         column_count;
    const struct corm__array_column *columns;
    void (*meanwhile)(void *arg);
    void *meanwhile_arg;
};

struct corm__driver {
    const char *name;
    bool        has_trips;  /* a statement is a trip to a server */
    bool        locks_file; /* a transaction that writes holds all rows from its begin */

    /* A new link, ready for single statements; or NULL and an error. */
    int (*connect)(const struct corm__endpoint *endpoint, bool for_writing, int64_t deadline,
                   struct corm__link **link, struct corm_error *error);
    void (*close)(struct corm__link *link);

    /* False where the server has closed the link in the meantime. No trip. */
    bool (*is_alive)(struct corm__link *link);

    /* Begins to put the session back to what it was when it was opened, and waits for nothing: only
     * end_reset() and close() may follow. False where that cannot be done: close it. */
    bool (*begin_reset)(struct corm__link *link);
    /* Ends it: 0, and the session is as after connect(), in no transaction, and all prepared statements
     * are stale: finalize() is all that they are good for. On error the link is to be closed. */
    int (*end_reset)(struct corm__link *link, int64_t deadline, struct corm_error *error);

    /* In a child of the process that opened the link, before close(): from now on nothing that is
     * done with it reaches the server or the file, which are the parent's. */
    void (*disown)(struct corm__link *link);

    /* Sets the session up for `mode`, or begins a transaction of that mode. 1 where something was
     * sent for that, 0 where the session was like that already. Not inside a transaction. */
    int (*enter)(struct corm__link *link, const struct corm__mode *mode, int64_t deadline,
                 struct corm_error *error);

    int (*prepare)(struct corm__link *link, const char *text, size_t size, int64_t deadline,
                   struct corm__prepared **prepared, struct corm_error *error);
    /* Also on a link that is lost. */
    void (*finalize)(struct corm__link *link, struct corm__prepared *prepared);
    int (*execute)(struct corm__link *link, struct corm__prepared *prepared,
                   const struct corm__statement *statement, struct corm__sink *sink,
                   int64_t deadline, struct corm__result *result, struct corm_error *error);

    /* Runs a prepared statement once for each row of `array`, in order. Only in a mode for
     * transactions, and behind a savepoint, because rows may have been written when it fails:
     *
     *     INSERT on MariaDB                        none of them
     *     all else, and all on SQLite and MySQL    those in front of the one that failed
     *
     * MariaDB takes them in one packet: what is over its max_allowed_packet is CORM_TOO_LARGE and
     * not sent. MySQL takes a trip for each row. `sink` takes what RETURNING gives, in order;
     * NULL: the statement gives no rows, or it is CORM_MISUSE, which MariaDB finds out only when
     * they come. Counts are not told, because MariaDB's are wrong: an UPDATE that matches no row
     * is no error. */
    int (*execute_array)(struct corm__link *link, struct corm__prepared *prepared,
                         const struct corm__array *array, struct corm__sink *sink, int64_t deadline,
                         struct corm_error *error);

    /* Ends the session of another link, which is lost, where it is certain that it is that one: the
     * same run of the same server, the same user, address and port. 1; 0 where it is not, or is not
     * there any more; or an error. NULL where there are no sessions. */
    int (*end_session)(struct corm__link *link, const struct corm__session *session,
                       int64_t deadline, struct corm_error *error);

    /* Asks how the server is; the link is used for nothing else. NULL where nodes are never several. */
    int (*look)(struct corm__link *link, int64_t deadline, struct corm__condition *condition,
                struct corm_error *error);

    /* Waits until a replica has applied `gtids`, a list as in a condition, or, where that is NULL, until a node of a
     * Galera cluster has applied all that the cluster has committed. 1; 0 where it has not after `ms`; or an error,
     * which a node of a cluster that takes longer than `ms` is, too. NULL as with look. */
    int (*catch_up)(struct corm__link *link, const char *gtids, uint32_t ms, int64_t deadline,
                    struct corm_error *error);

    /* The row of the table of failures for a code of this driver's server, or NULL. */
    const struct corm__server_error *(*find_error)(int server_code);

    /* A text without binds and rows, unprepared. */
    int (*control)(struct corm__link *link, const char *text, int64_t deadline,
                   struct corm_error *error);
};

/* Whether a server is reached by loopback or a Unix socket; whether it must prove who it is. */
bool corm__is_local(const struct corm__endpoint *endpoint);
bool corm__verifies_tls(const struct corm__endpoint *endpoint);

extern const struct corm__driver corm__mariadb;
extern const struct corm__driver corm__sqlite;

/* What execute() and control() return for a prepared statement that the server has forgotten, or
 * whose tables changed: prepare it again, once. Never seen above the pool. */
enum { CORM__STALE_STATEMENT = -9001 };

/* What prepare() returns when the server has no room for one more prepared statement. */
enum { CORM__STATEMENTS_FULL = -9002 };

#endif
