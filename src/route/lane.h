/* route/lane.h -- threads that run transactions in order; a key has always the same one, as long as its node is
 * used. */
#ifndef CORM_ROUTE_LANE_H
#define CORM_ROUTE_LANE_H

#include "route/group.h"

struct corm__lanes;

struct corm__lane_options {
    uint32_t lanes;        /* threads for each node, each with a connection while it works */
    uint32_t group_max;    /* members of a group at most */
    uint32_t queue_max;    /* transactions in all lanes at most, told or not */
    uint32_t lane_wait_ms; /* how long a group waits for a row that others hold */
};

/* The lanes of a db; no thread runs before the first transaction. NULL when there is no memory. */
struct corm__lanes *corm__lanes_new(struct corm__trx_store          *store,
                                    const struct corm__lane_options *options);

/* Ends the threads: what waits or runs is done first where `finish` is true, else what waits is
 * CORM_CANCELLED. Outcomes that nobody has taken are forgotten. NULL is allowed. */
void corm__lanes_free(struct corm__lanes *lanes, bool finish);

/* What is submitted. */
struct corm__job {
    corm_trx_function      *function;
    void                   *arg;
    corm_done_function     *done;
    const struct corm_expr *key;
    struct corm__node      *node; /* that it has to run on; NULL: its key decides */
    enum corm_isolation     isolation;
    uint32_t                timeout_ms;
    bool                    nowait;
};

/* Whether the primary key of a table is known to fold texts that are different; reads the facts of the
 * table over a connection where they are not known yet. */
int corm__lanes_check_key(struct corm__lanes *lanes, const struct corm_table *table,
                          int64_t deadline, struct corm_error *error);

/* Runs it in its lane, and returns its outcome; *error is set where that is negative. */
int corm__lanes_run(struct corm__lanes *lanes, const struct corm__job *job,
                    struct corm_error *error);

/* The same without waiting: a ticket, or a negative code. */
int64_t corm__lanes_submit(struct corm__lanes *lanes, const struct corm__job *job,
                           struct corm_error *error);

int     corm__lanes_wait(struct corm__lanes *lanes, int64_t ticket, struct corm_error *error);
int     corm__lanes_cancel(struct corm__lanes *lanes, int64_t ticket);
int64_t corm__lanes_drain(struct corm__lanes *lanes);
int64_t corm__lanes_dispatch(struct corm__lanes *lanes);
int     corm__lanes_fd(struct corm__lanes *lanes);

/* Puts group_size, lane_wait_time and lane_queue, which are all zero, into the numbers of a db. */
void corm__lanes_stats(struct corm__lanes *lanes, struct corm_db_stats *stats);

#endif
