/* corm/db.h -- a database: opening, tables, what is sent, numbers.
 *
 *     mariadb://user:password@host:3306/shop?pool=16      mysql:// is the same driver
 *     mariadb://user:password@localhost/shop?socket=/run/mysqld/mysqld.sock
 *     mariadb://user:password@h1,h2,h3:3307/shop          several nodes; see docs/clusters.md
 *     mariadb://user:password@writer@h1,reader@h2/shop
 *     sqlite:shop.db          sqlite:/var/lib/shop.db          sqlite::memory:
 *
 * A node may have its role in front: writer@ (or master@), which is what it is without one, or reader@ (or
 * slave@), to which nothing is sent that writes or locks. Nodes are counted from 1, in this order, 16 at most.
 * A transaction with a .key runs on the writer that the key belongs to, the same one in every process
 * that has the same nodes; one without runs on any writer, and the db keeps to that one. .node= names one. A
 * node that cannot be used is left: its keys go to others, and come back when it has been well for two
 * seconds. Several nodes cost a thread for each, which looks at it twice a second.
 *
 * From readers is read where that is asked for: a read on a db with .reader = true, or a transaction with .read_only
 * and .reader. It goes to a reader that can be used, and the db keeps to that one; where there is none, or it
 * fails before it has given a row, to a writer. What this handle has written before, with an answer (of corm_outcome(),
 * too), is there: the reader is waited for, 0.1 s and half of the time that is left at most, or a writer is asked. What
 * others have written may be missing, up to about lag_ms= and a second. That takes MariaDB with binary logs and GTIDs,
 * or Galera; other readers are never used. It costs a trip more after a write, and otherwise none.
 *
 * In user, password, host, database and file %XX stands for a byte. Options behind the `?`, joined
 * by &:
 *
 *     pool=N          connections to a node at most, 1 to 1000 (default 16). One of a file of SQLite's writes
 *                     and the others read, so it has at least 2; in memory there is exactly 1
 *     lanes=N         threads for each node that run transactions with a .key (lane.h), 1 to 64 (default 2, of SQLite 1); each
 *                     takes a connection of the pool while it works
 *     group_max=N     transactions of a lane that share one of the server at most, 1 to 4096 (256)
 *     lane_queue=N    transactions in the lanes at most, told or not (100000)
 *     lane_wait_ms=N  how long a group waits for rows that others hold, before it goes on without those who
 *                     want them (1000)
 *     guard=on        rows that are locked are guarded (docs/clusters.md), as they are by themselves where several of the
 *                     nodes write and are one Galera cluster: for a URL that names one address behind which
 *                     there are several such nodes
 *     guard=off       they are not: only where all programs write to the same node
 *     lag_ms=N        a reader that is further behind the writers than so many milliseconds is left until it has
 *                     caught up, 1000 and more (10000); in a Galera cluster it is left where it is not Synced
 *     timeout_ms=N    default deadline of a transaction or a statement on a db (30000)
 *     resolve_ms=N    how long after a COMMIT whose answer was lost the ledger is asked what became of it, at
 *                     least (1000); see ledger.h
 *     max_age_s=N     a connection to a server is replaced when it is about so many seconds old
 *                     (1800), so that one behind a balancer moves and memory on the server is freed;
 *                     somewhat sooner, so that they do not all expire together
 *     stats=on        how long operations take is measured (stats.h), which costs each less than 2 % of a
 *                     point read; the other numbers are there without it. stats=off is the default
 *     tls=verify      the server must prove who it is; the default for every host but loopback
 *     tls=off         clear text; the default on loopback and on a Unix socket
 *     tls_ca=FILE     certificates to verify against; default: the system's
 *     socket=PATH     a Unix socket instead of host and port
 *
 * What is misspelt or unknown is CORM_BAD_URL. */
#ifndef CORM_DB_H
#define CORM_DB_H

#include <stdbool.h>
#include <stdint.h>
#include <corm/arena.h>
#include <corm/error.h>
#include <corm/model.h>
#include <corm/on.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One trip to the server, for the statement hook. Everything in it lives for the call only. */
struct corm_event {
    size_t      size;
    const char *text;        /* what was sent; `?` for every value */
    uint32_t    bind_count;  /* how many values went with it; they are not shown */
    uint32_t    round_trips; /* 1; 2 when it was prepared first; 0 on SQLite */
    int         code;        /* 0 or a negative code */
    int         server_code;
    int64_t     rows;        /* that came back, or were matched */
    int64_t     nanoseconds; /* from sending to the last row */
    uint32_t    attempt;     /* which try of the transaction; 0 outside one */
    uint32_t    connection;  /* a number that tells the pool's connections apart */
    uint32_t    node;        /* of the URL, from 1 */
    uint32_t    lane;        /* that its transaction runs in, from 1 on each node; 0: in none */
    uint32_t    members;     /* of the group that it is a trip of (lane.h); 0: of none */
};

/* Called in the thread that sent the statement, after its answer, on success and on failure. It may
 * call nothing of corm but corm_code_name() and the like, and is waited for. What comes first over a connection of the
 * pool is timed from when that was handed out.
 *
 * No value that was bound is ever in the text, and no password; what a text of corm_sql() itself says is. For
 * OpenTelemetry the text is db.query.text, `rows` db.response.returned_rows of a read, corm_code_name(code)
 * error.type, `server_code` db.response.status_code, and the span ends at the call, `nanoseconds` after it began. The class
 * of an error is its band (error.h). */
typedef void corm_event_function(const struct corm_event *event, void *arg);

/* Told once of each thing that makes a promise of corm weaker than it could be, as one sentence with
 * its cure: that a server has no ledger (ledger.h), at the first commit of a write; that one of several
 * nodes cannot be used, in corm_open(). Called in the thread that met it, under the same terms as a
 * corm_event_function. */
typedef void corm_warning_function(const char *text, void *arg);

struct corm_options {
    size_t                 size; /* set by the macro */
    const char            *url;  /* NULL: from the environment, see corm_open() */
    corm_event_function   *on_statement;
    void                  *on_statement_arg;
    struct corm_error     *error; /* the details, if it fails */
    corm_warning_function *on_warning;
    void                  *on_warning_arg;
    bool                   stats; /* as stats=on in the URL, which may not be the program's own */
};

CORM_API int corm_open_(struct corm_db **db, const struct corm_options *options);

#ifndef __cplusplus
/* corm_open(&db, url, options...): opens a database and one connection to it, so that a wrong URL, a
 * closed port, a wrong password and an unknown database show here. 0 and a handle in *db that the
 * caller closes, or a negative code and NULL. Blocks, 30 s or timeout_ms= at most; but the look-up of
 * a host's name (getaddrinfo) knows no deadline: where it may be slow, name an address. That goes for
 * whatever call opens a connection.
 *
 * Of several nodes one writer that can be used is enough; the others are tried again, and .on_warning is told
 * of them. A node that does not answer at all is waited for for 1.5 s. Where no writer can be used the
 * error says why the first of them cannot.
 *
 * With NULL as url it is DATABASE_URL from the environment, else one made of DB_DRIVER (mariadb,
 * mysql or sqlite), DB_HOST, DB_PORT, DB_USERNAME, DB_PASSWORD, DB_DATABASE, DB_CONNECTION_LIMIT. With
 * DB_CLUSTER=true DB_HOST is a list with commas, in which each may have a role, and DB_PORT, DB_USERNAME and
 * DB_PASSWORD are one for all of them, or a list as long. */
#define corm_open(db, ...)                                                                         \
    corm_open_(_Generic((db), struct corm_db **: (db)), &(const struct corm_options){.size = sizeof(struct corm_options),             \
                                                  .url = __VA_ARGS__})
#endif

/* What a URL comes to, defaults included; no user, password or host is told. */
struct corm_settings {
    const char *file;       /* of SQLite, ":memory:" in memory; NULL: a server */
    uint32_t    pool;       /* connections at most */
    uint32_t    timeout_ms; /* the default deadline */
    uint32_t    max_age_s;  /* of a connection to a server; 0: a file, whose connections stay */
    bool     is_local; /* loopback, a Unix socket or a file: the link does not leave the machine */
    bool     verifies_tls; /* the link is encrypted, and the server must prove who it is */
    uint32_t nodes;        /* how many; is_local and verifies_tls go for all of them */
    uint32_t writers;      /* how many of them are no readers */
    uint64_t reserved[5];  /* zero */
};

/* Reads a URL, or the environment where it is NULL, as corm_open() does, and opens nothing. 0, or
 * CORM_BAD_URL, CORM_NO_MEMORY with *settings all zero and *error set, which may be
 * NULL. `file` lives in the arena. Does not block. From any thread. */
CORM_API int corm_settings(struct corm_arena *arena, const char *url,
                           struct corm_settings *settings, struct corm_error *error);

/* Closes all connections and frees the handle; NULL is allowed. Waits for no server.
 * Transactions must have ended before: an open one is a mistake that stops the program with a message.
 *
 * After fork() a handle, and what was begun on it, is the parent's: in the child every call that would
 * use it is CORM_FORKED. There call corm_end() and corm_close(), which send nothing and close nothing of
 * the parent's (what its other threads had in use is not freed), and corm_open() for a handle of its
 * own. A file of SQLite that a child opens must not be open in the parent when that forks: SQLite's
 * bookkeeping of locks does not survive it. */
CORM_API void corm_close(struct corm_db *db);

/* Opens the connections of the pools that are not open yet, so that nobody waits for them later; of several nodes,
 * those of the nodes that can be used. Returns how many are open, or a negative code (those that could be opened stay open). `error` may
 * be NULL. Blocks, 30 s or timeout_ms= at most. From any thread. */
CORM_API int corm_connect_all(struct corm_db *db, struct corm_error *error);

/* Counters since corm_open(). From any thread; each is exact, together they are no snapshot. More numbers, and
 * text for Prometheus: stats.h. */
struct corm_counters {
    uint64_t round_trips;  /* answers waited for, prepares and resets too; connecting and SQLite do
                             not count */
    uint64_t statements;   /* sent, a buffered batch counts each */
    uint64_t transactions; /* begun with their first statement */
    uint64_t commits;
    uint64_t rollbacks;
    uint64_t attempts; /* runs of functions of corm_transact() */
    uint64_t connects;
    uint64_t
        groups; /* transactions of lanes that shared one of the server (a group may have one member) */
    uint64_t members; /* how many in them all, again those that ran again */
    uint64_t reserved[7];
};
CORM_API void corm_stats(const struct corm_db *db, struct corm_counters *counters);

/* The SQL that this db speaks: what corm_sql_of() wants. */
CORM_API enum corm_dialect corm_dialect_of(const struct corm_db *db);

/* ---- Tables --------------------------------------------------------------- */

struct corm_table_options {
    size_t             size; /* set by the macros */
    const void        *model;
    bool               if_not_exists; /* of corm_create_table() */
    bool               if_exists;     /* of corm_drop_table() */
    struct corm_error *error;
};

CORM_API int corm_create_table_(struct corm_db *db, const struct corm_table *table,
                                const struct corm_table_options *options);
CORM_API int corm_drop_table_(struct corm_db *db, const struct corm_table *table,
                              const struct corm_table_options *options);

#ifndef __cplusplus
/* corm_create_table(db, product, .if_not_exists = true), corm_drop_table(db, product, .if_exists =
 * true): makes, or drops, the table of a model. 0 or a negative code. DDL ends transactions, so they take a db only. On MariaDB and MySQL
 * the table is InnoDB, utf8mb4, and compares text byte by byte. An existing table is not compared
 * with the model. Blocks. From any thread. */
#define corm_create_table(db, ...) CORM_TABLE_CALL(corm_create_table_, db, __VA_ARGS__, )
#define corm_drop_table(db, ...)   CORM_TABLE_CALL(corm_drop_table_, db, __VA_ARGS__, )
#define CORM_TABLE_CALL(call, db, T, ...)                                                          \
    call(CORM_DB(db), (T).corm_table,                                                              \
         &(const struct corm_table_options){                                                       \
             .size = sizeof(struct corm_table_options), .model = &(T), __VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif
