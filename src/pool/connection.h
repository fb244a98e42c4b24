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

struct corm__connection {
    struct corm__link       *link;
    struct corm__watch      *watch;
    struct corm__map         cache;           /* by text */
    struct corm__cached     *newest, *oldest; /* of the cache, by last use */
    uint32_t                 number;
    bool                     dirty; /* a session that must not be used by another borrower */
    int64_t                  idle_since;
    struct corm__connection *next; /* in the pool's list */
};

/* Opens a connection; or a negative code and an error. */
int  corm__connection_open(const struct corm__endpoint *endpoint, bool for_writing,
                           struct corm__watch *watch, int64_t deadline,
                           struct corm__connection **connection, struct corm_error *error);
void corm__connection_close(struct corm__connection *connection);

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
    int64_t             grace_ns; /* how much longer the last one's answer is waited for */
    struct corm__result result;   /* of the last one */
    size_t              failed;   /* on error: which one, as far as that is known */
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
