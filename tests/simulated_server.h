/* simulated_server.h -- a MariaDB in memory, for the statements that corm makes: rows with versions, locks
 * that are waited for, deadlocks, savepoints, snapshots.
 *
 * Only whoever has the baton of scheduler.h calls it; who waits for a lock hands it over. What it does
 * not understand stops the program. All memory is that of one schedule.
 *
 * Like InnoDB: locks are kept to the end of the transaction; a key without a row is locked as a gap, which
 * many may have and nobody insert into; SERIALIZABLE locks what it reads; REPEATABLE READ reads a
 * snapshot, and with innodb_snapshot_isolation fails (1020) where a row has changed since. Unlike
 * it: a condition that is no primary key locks the whole table, and there are no other indexes. */
#ifndef TESTS_SIMULATED_SERVER_H
#define TESTS_SIMULATED_SERVER_H

#include "driver/driver.h"

enum { SERVER_SETS_MAX = 40, SERVER_AT_COMMIT = -1 };

struct server_session;

/* What arrives at a session: one statement, which may be a compound, for one row of values or many. */
struct server_request {
    const struct corm__mode *mode; /* or NULL: the session is set up for it instead */
    const char              *text;
    const struct corm_value *binds; /* of each row */
    size_t                   rows;  /* 1 and up */
    uint32_t                 width;
    bool                     bulk; /* an array, which a failed INSERT undoes whole */

    /* What goes wrong at the statement `fault_at` of it, from 0, or at its COMMIT; or behind that, when it
     * is done: a code of the server's. 1213 and 1205 come at statements that lock, 1180 at COMMIT. */
    int  fault_code; /* 0: nothing */
    int  fault_at;
    bool fault_after;
};

struct server_set {
    uint32_t           columns, count, capacity; /* rows */
    struct corm_value *values;
};

struct server_response {
    int               code; /* of the server; 0: none */
    char              message[200];
    struct server_set sets[SERVER_SETS_MAX];
    uint32_t          set_count;
    int64_t           matched, generated;
    bool              in_trx, autocommits;
    uint64_t          marks; /* that are written and not committed: server_marks() */
};

/* An empty server, without tables. */
void server_begin(void);
void server_end(void);

/* A table of this model; its text columns compare by bytes. */
void server_create(const struct corm_table *model);

/* The table corm_ledger, with its fence. */
void server_create_ledger(void);

/* A new session, or NULL while the server is down. */
struct server_session *server_connect(void);

/* Runs a request; waits for locks as long as the session says, and for its client until `client_until`. False
 * where that comes first: the session is then as it was before the request, which can be given to it
 * once more. */
bool server_run(struct server_session *session, const struct server_request *request,
                int64_t client_until, struct server_response *response);

/* The session ends, and its open transaction with it. */
void server_disconnect(struct server_session *session);

/* False for one that was ended from the server's side. */
bool server_is_alive(const struct server_session *session);

uint64_t server_id(const struct server_session *session);

/* A whole number from SERVER_MARKS on is a mark, in whatever column: those that a session has written
 * in its open transaction, and those among the values of a request, a bit each. Either may be NULL. */
enum { SERVER_MARKS = 100, SERVER_MARK_COUNT = 64 };
uint64_t server_marks(const struct server_session *session, const struct server_request *request);

/* Ends the session of that number, as KILL does; false where there is none. */
bool server_kill(uint64_t id);

/* One of the sessions there are, by chance; 0: none. */
uint64_t server_any_session(void);

/* All sessions end, and for `down_ns` none can be made. Numbers begin again. */
void server_restart(int64_t down_ns);

/* How often it was started; */
uint64_t server_runs(void);

/* ---- What is committed ----------------------------------------------------------- */

/* Calls `row` for the values of each row of a table, by key. */
void server_each(const char *table, void (*row)(const struct corm_value *values, void *arg),
                 void       *arg);

/* Puts a row in. */
void server_put(const char *table, const struct corm_value *values);

/* How many locks and changes there are that no session has ended: of the session, or of all (NULL). */
size_t server_held(const struct server_session *session);

/* What sessions hold and wait for, on stderr. */
void server_print(void);

#endif
