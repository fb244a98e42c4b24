/* scripted.h -- a driver for tests that does what a script says, and writes down what it was asked.
 *
 * There is no server and no clock: every call succeeds unless a fault is planned for it, and time
 * passes only in pauses and where a fault takes time. So every run is the same.
 *
 * The log has a word for each call, with a blank behind each:
 *
 *     connect  close  enter(trx)  enter()        prepare is not written down, unless it fails
 *     SELECT  UPDATE  COMMIT  ROLLBACK  ...       a statement: its first word
 *     [UPDATE,INSERT,COMMIT]                      several in one trip
 *     ...!                                        what failed
 *
 * The ledger says of a lost commit what the script says; "kill" is the end of a session that was lost, "kill:2" of one
 * to node 2. "catch_up" is the wait for what a reader has to have.
 *
 * The server answers a read with `rows` rows of ones; a write matches `rows` rows. */
#ifndef TESTS_SCRIPTED_H
#define TESTS_SCRIPTED_H

#include "api/db.h"

struct scripted_fault {
    const char *at;  /* what its entry in the log begins with, or has in it behind a '[' or ',' */
    int         nth; /* the n-th such call from now on, from 1; 0: all of them */
    int         code, server_code; /* the error; 0: none, but what follows */
    bool        lost;              /* the link is lost */
    bool        unsent;            /* it fails before it was sent */
    bool        ends_trx;          /* the server's transaction is gone, and its answer says so */
    bool        autocommits;       /* the server has switched autocommit on */
    int64_t     takes_ms;          /* so much time passes first */
    int         failed; /* of several in one trip: which one, for the question that follows */
};

enum { SCRIPTED_FAULTS_MAX = 16, SCRIPTED_LOG_SIZE = 1 << 16 };

struct scripted {
    bool              has_trips, locks_file;
    enum corm_dialect dialect;
    int               rows;
    bool              rollback_on_timeout;
    bool              has_ledger; /* links that are opened say so */
    bool              done;    /* what the ledger says: the commit that was entered last is there */
    int64_t           entered; /* its sequence */
    int               entered_keys; /* how many commits had the ledger keep generated keys */
    int               old_slots;    /* rows of the ledger that nobody has touched for days */
    bool              lags;         /* who is waited for is waited for in vain */
    uint32_t          waited_ms;    /* ... or was, for so long at most */
    const char       *gtid;         /* what a COMMIT is told; NULL: nothing */
    void (*at_clock)(void);         /* is called once, when somebody looks at the clock */
    struct scripted_fault faults[SCRIPTED_FAULTS_MAX];
    int                   met[SCRIPTED_FAULTS_MAX]; /* how many calls each fault has seen */
    int                   fault_count;
    char                  log[SCRIPTED_LOG_SIZE];
    size_t                log_size;
    int                   open, opened;    /* links */
    int                   used_after_loss; /* calls on a link that is lost; must stay 0 */
    int                   commits;         /* that the server has done */
    int64_t               now;             /* of the clock, in nanoseconds */
    int64_t               enters_by;       /* the deadline of the last enter() */
    uint16_t              dead;            /* the port of a node that nobody listens on */
    uint64_t              random;          /* not 0: faults come by themselves */
    int                   random_codes[16];
    int                   random_count, random_in_256;
};

extern struct scripted scripted;

/* Forgets everything and opens a db on the driver, with `connections` at most. */
struct corm_db *scripted_open(uint32_t connections, enum corm_dialect dialect);
/* The same of several nodes, of a Galera cluster or not, which are all UP and have a ledger; connections to
 * them are in the log by their ports, which are their numbers. */
struct corm_db *scripted_open_nodes(uint32_t count, bool is_galera);
/* Two writers and a reader, node 3, which are no cluster. */
struct corm_db *scripted_open_reader(void);
void            scripted_close(struct corm_db *db);

/* Plans a fault. */
void scripted_plan(struct scripted_fault fault);

/* Forgets the log and the faults. */
void scripted_clear(void);

#endif
