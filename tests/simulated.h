/* simulated.h -- a driver for tests whose server is in memory (simulated_server.h), behind a link that
 * breaks, by threads and a clock that obey a seed (scheduler.h): the same seed, the same run.
 *
 * A call of the driver is a trip: the request takes its time, then the session runs it, then the answer takes
 * its time. What goes wrong with it is chance:
 *
 *     LATE_REQUEST, LATE_ANSWER   it takes seconds; the deadline may pass, and the session runs it all the same
 *     LOST_BEFORE, LOST_AFTER     the link is cut in front of the request, or of the answer
 *     GHOST, HUNG                 the client is told that the link is cut, or nothing until its deadline;
 *                                 the request arrives later, and is run
 *     SESSION_KILLED              KILL, at some statement of a batch, or just behind COMMIT
 *     QUERY_KILLED                KILL QUERY (1317) there
 *     DEADLOCKED, TIMED_OUT       1213 and 1205 that no other session explains; the former at COMMIT too
 *     COMMIT_FAILED               1180: it was done, or not
 *     STALE                       the prepared statement has to be prepared again
 *     REFUSED                     no connection can be made
 *     RESTARTS, KILLS             by simulated_chaos(), at points of the clock
 *
 * A session whose link is lost lives on for up to some seconds, with its locks. */
#ifndef TESTS_SIMULATED_H
#define TESTS_SIMULATED_H

#include "api/db.h"
#include "simulated_server.h"

enum simulated_fault {
    LATE_REQUEST,
    LATE_ANSWER,
    LOST_BEFORE,
    LOST_AFTER,
    GHOST,
    HUNG,
    SESSION_KILLED,
    QUERY_KILLED,
    DEADLOCKED,
    TIMED_OUT,
    COMMIT_FAILED_,
    STALE,
    REFUSED,
    RESTARTS,
    KILLS,
    SIMULATED_FAULTS
};

extern const char *const simulated_fault_names[SIMULATED_FAULTS];

struct simulated {
    unsigned faults_in_1000;           /* calls */
    bool     has[SIMULATED_FAULTS];    /* which ones */
    uint64_t count[SIMULATED_FAULTS];  /* how often each came, in all runs */
    uint64_t natural_deadlocks, waits; /* codes 1213 and 1205 that were not planned */
    uint64_t calls;
    bool     ends_sessions; /* that were lost, where corm asks for it */
    bool     has_ledger;    /* the server has the table corm_ledger */
    bool     traces;        /* on stderr */
    /* A COMMIT, or a single write, has failed in a way that does not tell whether it was done: of what
     * was marked with these (server_marks()). */
    void (*doubt)(uint64_t marks);
};

extern struct simulated simulated;

/* A db on this driver; under scheduler_begin() and server_begin(). */
struct corm_db *simulated_open(uint32_t connections, uint32_t lanes, uint32_t group_max,
                               uint32_t timeout_ms);

/* Closes it, and waits for all threads: sessions that have lost their client have ended then. */
void simulated_close(struct corm_db *db);

/* A thread that restarts the server and kills sessions now and then, `times` times. */
void simulated_chaos(unsigned times);

/* Connections that are idle in the pool hold no locks: how many do. */
size_t simulated_held(void);

void simulated_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
