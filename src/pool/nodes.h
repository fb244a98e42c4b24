/* pool/nodes.h -- the nodes of a db, what they share, and which of them may be used.
 *
 * A db with one node has that one, and nothing here costs it anything: no thread, no check. With several,
 * each node has a thread that asks it now and then how it is (driver.h: look), at once when a failure
 * makes it doubtful:
 *
 *               the first answer              an error that says so, or a look
 *      NEW ────────────────────────►  UP ──────────────────────────────────────►  LEFT ◄──┐
 *       │                              ▲                                           │ ▲     │
 *       │ no answer, or a bad one      │ good looks for RETURN_MS                  │ │     │ looks again:
 *       │                              │                          a good look      │ │     │ 100 ms later,
 *       └─► LEFT                      BACK ◄───────────────────────────────────────┘ │     │ at most 1 s
 *                                      │         an error, or a bad look             │     │
 *                                      └─────────────────────────────────────────────┴─────┘
 *
 * UP     new work may go there.
 * LEFT   nothing new goes there while another writer is UP or BACK. `silent`: it does not even answer; whoever
 *        waits for it gives up (driver.h: endpoint.silent) and is told that the link is lost.
 * BACK   answers again. Its keys stay where they went until it has been good for RETURN_MS, so that one that
 *        comes and goes does not drag them along; it is used where no other writer is UP.
 *
 * A reader is looked at in the same way, and is also LEFT while it is too far behind the writers (`lag_ms`). How far
 * that is comes from the positions that looks find: of the writers, kept with their times, and its own
 * (position.h). It stays NEW until the first of them is reached. In a Galera cluster it only has to be Synced.
 *
 * Who has written is not to read from a reader what was there before that: so each write of the db that may be
 * committed is noted here, with its position, and a reader's note says up to which it has all of them. What
 * it is not known to have is waited for (driver.h: catch_up), or read from a writer. A write whose position nobody
 * has told makes the db unsure until a later look at its writer.
 *
 * While keys move, two nodes may work on the same key for a moment, because processes do not see the same at
 * the same time. That is safe, not fast: on one server the rows are locked, in a cluster the guard rows
 * (guard.h) let only one of the two commit.
 *
 * `mutex` guards everything but what is atomic; no I/O happens under it. */
#ifndef CORM_POOL_NODES_H
#define CORM_POOL_NODES_H

#include "pool/node.h"
#include "pool/position.h"

enum {
    CORM__NODES_MAX = 16,
    CORM__LOOK_MS = 1500,       /* after which a node that has not answered is silent */
    CORM__LOOK_EVERY_MS = 500,  /* at one that is UP or BACK */
    CORM__LOOK_AGAIN_MS = 100,  /* at one that is LEFT: the first pause, which doubles ... */
    CORM__LOOK_LATER_MS = 1000, /* ... up to this */
    CORM__RETURN_MS = 2000,
    CORM__CATCH_UP_MS = 100 /* how long a reader is waited for that has not got what was written */
};

struct corm__checks;

struct corm__nodes {
    bool
        guards; /* locked rows have to be guarded (trx/guard.h); does not change once they are open */
    struct corm__node   *all;            /* `count` of them, in the order of the URL */
    uint32_t             count, writers; /* `writers`: how many are none of the readers */
    struct corm__watch   watch;
    _Atomic uint32_t     changes; /* of what is UP, BACK or LEFT: how many so far */
    _Atomic uint32_t     kept;    /* the writer of those that name none: its place in `all` */
    _Atomic uint32_t     kept_reader;
    uint32_t             lag_ms; /* a reader that is further behind is LEFT */
    struct corm__checks *checks; /* the threads; NULL with one node */
};

/* `count` nodes, all zero but for what they share. False where there is no memory. */
bool corm__nodes_make(struct corm__nodes *nodes, uint32_t count);

/* Opens the pools, each of `connections`, and one connection; with several nodes it waits until each has
 * answered or is silent, and one writer is enough. On error nothing is open. */
int  corm__nodes_open(struct corm__nodes *nodes, uint32_t connections, struct corm_error *error);
void corm__nodes_close(struct corm__nodes *nodes);

/* Frees what corm__nodes_make() made; after corm__nodes_close(). */
void corm__nodes_free(struct corm__nodes *nodes);

/* The parts of corm__nodes_open() of several nodes that the tests use alone: makes what is known of them ready, and
 * takes note of a look, which has returned `rc`. */
void corm__nodes_prepare(struct corm__nodes *nodes);
void corm__nodes_judge(struct corm__nodes *nodes, struct corm__node *node, int rc,
                       const struct corm__condition *condition, const struct corm_error *error);

/* 0; CORM_FORKED in a child of the process that opened them. */
int corm__nodes_check(const struct corm__nodes *nodes, struct corm_error *error);

/* Whether the calling thread holds a connection of any. Not in a child. */
bool corm__nodes_are_held(const struct corm__nodes *nodes);

/* Opens all connections of all nodes that are not LEFT; how many there are then, or the first error. */
int corm__nodes_fill(struct corm__nodes *nodes, struct corm_error *error);

/* The n-th node, from 1; or NULL and CORM_MISUSE. */
struct corm__node *corm__nodes_at(const struct corm__nodes *nodes, uint32_t n,
                                  struct corm_error *error);

/* Whether they are nodes of a Galera cluster, so that a commit is one on all of them, or on none. */
bool corm__nodes_are_galera(const struct corm__nodes *nodes);

/* A writer for what names none: the same one as long as it is UP. */
struct corm__node *corm__nodes_any(struct corm__nodes *nodes);

/* Another writer that is not LEFT, or NULL. */
struct corm__node *corm__nodes_other(const struct corm__nodes *nodes,
                                     const struct corm__node  *node);

/* ---- Readers --------------------------------------------------------------------------- */

/* A reader that is UP, the same one as long as it is; where none is, corm__nodes_any(). */
struct corm__node *corm__nodes_reader(struct corm__nodes *nodes);

/* Notes that a write on a node is committed. `gtid`: which; "": it was not told; NULL: nobody has told that it is
 * committed, or not the node itself. */
void corm__nodes_note_write(struct corm__nodes *nodes, const struct corm__node *node,
                            const char *gtid);

/* All that the db has written so far. */
struct corm__written {
    uint64_t count;                   /* of its writes */
    bool     by_cluster;              /* what its cluster has committed is waited for, not ... */
    char     gtids[CORM__GTIDS_SIZE]; /* ... this */
};

/* Whether a node has all of it: 1, also of a writer that is no node of a Galera cluster; 0, and *written, where that
 * has to be waited for; -1 where nobody knows what to wait for, or it was waited for in vain just now. */
int corm__nodes_has_written(struct corm__nodes *nodes, const struct corm__node *node,
                            struct corm__written *written);

/* Notes how that wait has ended; of a reader only, where it was in vain: it is not waited for before the next look. */
void corm__nodes_note_wait(struct corm__nodes *nodes, const struct corm__node *node,
                           const struct corm__written *written, bool caught_up);

/* What a failure of work on a node says about it. */
void corm__nodes_note(struct corm__nodes *nodes, struct corm__node *node,
                      const struct corm_error *error);

#endif
