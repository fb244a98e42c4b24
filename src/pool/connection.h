/* pool/connection.h -- one connection: a driver's link, its prepared statements, its counters.
 *
 * Used by one thread at a time: the one that has it from the pool. */
#ifndef CORM_POOL_CONNECTION_H
#define CORM_POOL_CONNECTION_H

#include "base/map.h"
#include "driver/driver.h"
#include "pool/watch.h"

/* The most statements that a connection keeps prepared; the one unused for longest goes first. */
enum { CORM__CACHE_MAX = 128 };

struct corm__cached;
struct corm__pool;

/* Where in the program a connection is asked for: static text, or NULL; line 0: none. */
struct corm__caller {
    const char *file;
    int32_t     line;
};

/* The row of the ledger that a connection's commits are entered in (trx/ledger.h). */
struct corm__slot {
    int64_t number; /* 0: none yet */
    int64_t epoch;
    int64_t sequence; /* of the commit that was entered last */
};

struct corm__connection {
    struct corm__link   *link;
    struct corm__slot    slot;
    struct corm__watch  *watch;
    struct corm__map     cache;           /* by text */
    struct corm__cached *newest, *oldest; /* of the cache, by last use */
    size_t               cache_max;
    struct corm__shard  *shard; /* for how long operations take; NULL: nobody wants to know */
    uint32_t             number;
    uint32_t             node;          /* the number of its node */
    uint32_t             lane, members; /* of the group that has it; 0 without one */
    uint32_t             process;       /* that opened it */
    bool                 dirty;         /* its session must not reach another borrower as it is */
    bool                 resetting;     /* a reset was begun and has not ended */
    _Atomic uint64_t     thread;        /* that used it last */

    /* The pool's own. */
    struct corm__pool       *pool; /* or NULL */
    int64_t                  expires;
    struct corm__caller      caller; /* where it was asked for ... */
    int64_t                  since;  /* ... and when it was handed out, */
    bool                     unused; /* since then: its next trip begins there, without a clock */
    struct corm__connection *next, *previous;
};

/* Opens a connection; or a negative code and an error. */
int corm__connection_open(const struct corm__endpoint *endpoint, bool for_writing,
                          struct corm__watch *watch, int64_t deadline,
                          struct corm__connection **connection, struct corm_error *error);
/* A new link in the place of one that is lost, which is closed. On error nothing has changed. */
int corm__connection_reopen(struct corm__connection     *connection,
                            const struct corm__endpoint *endpoint, int64_t deadline,
                            struct corm_error *error);
/* In a child of the process that opened it nothing of that reaches the server or the file. */
void corm__connection_close(struct corm__connection *connection);

/* Puts the session back to what it was when it was opened, in two steps: the first one waits for
 * nothing, and tells false where it cannot be done; the second one waits for the server. On error the
 * connection must be closed. */
bool corm__connection_begin_reset(struct corm__connection *connection);
int  corm__connection_end_reset(struct corm__connection *connection, int64_t deadline,
                                struct corm_error *error);

/* Gives back all that the server holds for prepared statements. */
void corm__connection_shed(struct corm__connection *connection);

/* Ends the session of a link that is lost (driver.h: end_session). Only of a driver that has sessions. */
int corm__connection_end_session(struct corm__connection    *connection,
                                 const struct corm__session *session, int64_t deadline,
                                 struct corm_error *error);

/* Waits until the server has what was written elsewhere (driver.h: catch_up). */
int corm__connection_catch_up(struct corm__connection *connection, const char *gtids, uint32_t ms,
                              int64_t deadline, struct corm_error *error);

/* Sets the session up for `mode` (driver.h: enter). */
int corm__connection_enter(struct corm__connection *connection, const struct corm__mode *mode,
                           uint32_t attempt, int64_t deadline, struct corm_error *error);

/* A text without binds or rows. */
int corm__connection_control(struct corm__connection *connection, const char *text,
                             uint32_t attempt, int64_t deadline, struct corm_error *error);

struct corm__run {
    const struct corm__statement *statements; /* the last one may be a read */
    size_t                        count;
    struct corm__sink            *sink;  /* of the last one */
    struct corm_arena            *arena; /* for what has to be put together */
    uint32_t                      attempt;
    int64_t                       deadline; /* nothing is sent after it */
    bool                          in_time;  /* the caller has looked at it: the first one is sent */
    int64_t             grace_ns; /* how much longer the last one's answer is waited for */
    struct corm__result result;   /* of the last one */
    size_t              failed;   /* on error: which one, as far as that is known */
    struct corm_error question; /* on error, where its code is not 0: why that could not be asked */
};

/* Runs the statements in order, in one trip where the server can do that, and stops at the first
 * error: those behind it have not run. Generated keys that are asked for are put where they belong. */
int corm__connection_run(struct corm__connection *connection, struct corm__run *run,
                         struct corm_error *error);

/* Runs `statement`, whose own binds are unused, once for each row of `array` (driver.h:
 * execute_array, which says what a failure leaves). It is prepared, counted and told of as one. */
int corm__connection_run_array(struct corm__connection      *connection,
                               const struct corm__statement *statement,
                               const struct corm__array *array, struct corm__sink *sink,
                               uint32_t attempt, int64_t deadline, struct corm_error *error);

#endif
