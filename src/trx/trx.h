/* trx/trx.h -- a transaction on one connection, inside the library. States and edges: trx.c. */
#ifndef CORM_TRX_TRX_H
#define CORM_TRX_TRX_H

#include "sql/lock_keys.h"
#include "trx/guard.h"
#include "trx/ledger.h"

#include <corm/trx.h>

enum {
    CORM__GROUP_SAVEPOINTS = 2, /* beside those of the caller: of the group, of the member */
    CORM__PENDING_MAX = 32,     /* writes that are buffered, then they are sent */
    CORM__PENDING_BYTES_MAX = 1024 * 1024, /* their text and values */
    CORM__COMMIT_GRACE_MS = 1000,          /* how much longer than the deadline an answer to COMMIT
                                              is waited for */
    CORM__ROLLBACK_MS = 1000,              /* how long one to ROLLBACK is waited for, before ... */
    CORM__ROLLBACK_GRACE_MS = 25           /* ... and how much longer than the deadline */
};

enum corm__trx_state { CORM__TRX_READY, CORM__TRX_OPEN, CORM__TRX_DOOMED, CORM__TRX_OVER };

struct corm__trx_store;
struct corm__group;

struct corm__savepoint {
    bool   sent; /* the server has it */
    size_t at;   /* else: where SAVEPOINT stands among what is pending */
};

struct corm_trx {
    enum corm__trx_state     state;
    bool                     single;   /* one statement on a db, without BEGIN and COMMIT */
    bool                     function; /* of corm_transact() */
    bool                     reader;   /* takes a connection for reading */
    bool                     begun;    /* the server has said that it is in a transaction */
    bool                     wrote;    /* something that may write was sent */
    bool                     busy;     /* the function of its corm_each() runs */
    bool                     entered;  /* the COMMIT at hand is in the ledger */
    bool                     pinned;   /* to its node; else each attempt may choose another one */
    bool                     wants_reader; /* it chooses among the readers first */
    struct corm__node       *node;
    struct corm__trx_store  *store;
    struct corm__caller      caller;     /* where it was begun, or its one statement called */
    struct corm_arena       *arena;      /* of the attempt */
    struct corm_arena       *drafts;     /* of statements that are being made or pending; the first
                                            call that finds none pending empties it */
    struct corm__connection *connection; /* NULL before the first statement and when it is over */
    struct corm__mode        mode;
    uint32_t                 timeout_ms;
    int64_t                  deadline;
    uint32_t                 attempt;
    uint64_t                 random;
    enum corm_place          place;  /* of the last trip; of the error, where there is one */
    struct corm_error        error;  /* the first of the attempt */
    struct corm_error        answer; /* the last code that dooms nothing: LOCKED, CLOSED */
    struct corm_error       *report; /* the caller's, or NULL */
    struct corm__statement   pending[CORM__PENDING_MAX + 1]; /* and the ledger's, at COMMIT */
    size_t                   pending_count, pending_bytes;
    struct corm__entry       entry;
    struct corm__savepoint   savepoints[CORM_SAVEPOINT_MAX + CORM__GROUP_SAVEPOINTS];
    uint32_t                 base;    /* savepoints of a group, which are not the caller\'s */
    uint32_t                 floor;   /* savepoints that the function at hand may not touch */
    uint32_t                 depth;   /* savepoints that are set */
    uint32_t            doomed_depth; /* in DOOMED: how many were set in front of the failure */
    uint32_t            nested;       /* functions of nested transactions that are running */
    struct corm__guards guards;       /* of rows that it has locked, in a cluster */
    struct corm__map    held; /* keys of rows that were read FOR UPDATE and are still there */
    uint64_t
                        written; /* counts buffered writes; of the table written last, and of any other one, which it was: */
    const char         *written_table;
    uint64_t            written_last, written_other;
    struct corm__group *group;         /* that runs functions one after the other on it; or NULL */
    uint32_t            lane, members; /* of that group; 0 without one */
    bool
        waited; /* for a row, as long as mode.lock_wait_s allows: the error of that is CORM_LOCKED */
    /* Called in front of what the group does not do by itself: a statement, or (NULL) a savepoint. 0, or
     * the error that dooms the transaction. NULL where there is nothing to be asked. */
    int (*leave)(struct corm_trx *trx, const struct corm__statement *statement);
    struct corm__lock_keys keys; /* of corm_begin() */
    struct corm_trx       *next; /* in the store */
};

/* ---- Objects, kept for reuse ------------------------------------------------- */

/* `nodes` need not be open yet. */
struct corm__trx_store *corm__trx_store_new(struct corm__nodes *nodes);
struct corm__nodes     *corm__nodes_of(const struct corm__trx_store *store);
struct corm__ledger    *corm__ledger_of(const struct corm__trx_store *store);

/* How many transactions are not given back. */
uint32_t corm__trx_store_live(struct corm__trx_store *store);
void     corm__trx_store_free(struct corm__trx_store *store);

/* A transaction in state OVER, on any writer; or NULL and an error: NESTED where this thread runs a function of a
 * transaction of the same db, NO_MEMORY. */
struct corm_trx *corm__trx_take(struct corm__trx_store *store, struct corm_error *error);

/* 0, or NESTED as above. */
int  corm__trx_check_nested(const struct corm__trx_store *store, struct corm_error *error);
void corm__trx_give(struct corm_trx *trx);

/* ---- Life -------------------------------------------------------------------- */

/* Chooses its node anew, unless it is pinned. */
void corm__trx_choose_node(struct corm_trx *trx);

/* Moves what wants a reader, and has failed on one before that gave a row, to a writer: it is READY again. False where
 * that is not so, or no time is left: it is as it was. */
bool corm__trx_leave_reader(struct corm_trx *trx);

/* OVER -> READY: a new attempt, with a fresh arena. */
void corm__trx_ready(struct corm_trx *trx);

/* 0 where a call may go on; else the error that it has to return: the first one of a doomed
 * transaction, CORM_TRX_CLOSED of one that is over, CORM_MISUSE while it is busy. */
int corm__trx_check(struct corm_trx *trx);

/* The details of what a call on it has returned: the error of the transaction, or an answer. */
const struct corm_error *corm__trx_error_of(const struct corm_trx *trx, int code);

/* Dooms it with an error that is set in trx->error, and returns its code. */
int corm__trx_doom(struct corm_trx *trx, const char *file, int32_t line);

/* Turns the error of a statement which, on a server, ends the transaction even when it fails (DDL)
 * into CORM_TRX_LOST. Returns the code of the error that it has then. */
int corm__trx_lose(struct corm_trx *trx);

int  corm__trx_commit(struct corm_trx *trx);
void corm__trx_rollback(struct corm_trx *trx);

/* Whether what it writes will be entered in the ledger, as far as is known. */
bool corm__trx_is_entered(const struct corm_trx *trx);

/* Whether its function may run again after an error: here, or, where there are several writers, elsewhere. */
bool corm__trx_may_run_again(const struct corm_trx *trx, const struct corm_error *error);

/* Runs `function` until it commits, refuses, fails for good, or the deadline passes. */
int corm__trx_transact(struct corm_trx *trx, corm_trx_function *function, void *arg);

/* ---- Savepoints ---------------------------------------------------------------- */

int corm__trx_savepoint(struct corm_trx *trx, const char *file, int32_t line);
int corm__trx_savepoint_release(struct corm_trx *trx);

/* Undoes what came after the last savepoint. If that lifts a doom, *lifted is its error. */
int corm__trx_savepoint_rollback(struct corm_trx *trx, struct corm_error *lifted);

/* The same, but the savepoint stays where it is. */
int corm__trx_savepoint_back(struct corm_trx *trx, struct corm_error *lifted);

/* Sets the last savepoint anew, behind all that was written. */
int corm__trx_savepoint_move(struct corm_trx *trx);

/* Says that the statement which was just sent has set the first savepoint. */
void corm__trx_savepoint_is_set(struct corm_trx *trx);

/* The end of a function that ran behind the last savepoint and has returned `told`: keeps its writes, or
 * takes them back; *error is set where that was done. */
int corm__trx_end_nested(struct corm_trx *trx, int told, struct corm_error *error);

/* Calls it; a call on the same db in it is then NESTED. */
int corm__trx_call(struct corm_trx *trx, corm_trx_function *function, void *arg);

/* Lifts a doom of which the server knows nothing. */
void corm__trx_mend(struct corm_trx *trx);

/* Runs `function` behind a savepoint of its own; *error is set where that was rolled back. */
int corm__trx_nested(struct corm_trx *trx, corm_trx_function *function, void *arg,
                     struct corm_error *error);

/* ---- Statements --------------------------------------------------------------- */

/* Sends a statement, with all that is buffered in front of it. Returns the rows of its result. A
 * failure dooms the transaction, or is CORM_LOCKED. */
int64_t corm__trx_send(struct corm_trx *trx, const struct corm__statement *statement,
                       struct corm__sink *sink);

/* Takes a connection where there is none yet, and sends what is buffered. 0, or the error that dooms. */
int corm__trx_open(struct corm_trx *trx, const char *file, int32_t line);

/* After something was asked on its connection beside it: 0 where the server still has the transaction, or has not
 * begun it; else the error that dooms. */
int corm__trx_is_still_there(struct corm_trx *trx);

/* Sends a statement for each row of an array, as driver.h: execute_array does; not of a single
 * statement, and behind corm__trx_open(). 0, or the error that dooms. */
int corm__trx_send_array(struct corm_trx *trx, const struct corm__statement *statement,
                         const struct corm__array *array, struct corm__sink *sink);

/* Buffers a write. 0, or the error of what had to be sent because the buffer was full. */
int corm__trx_buffer(struct corm_trx *trx, const struct corm__statement *statement);

/* Whether a row that is locked has to be guarded (guard.h). */
bool corm__trx_is_guarded(const struct corm_trx *trx);

/* Guards a row that was locked, by the hash of its key (route/rendezvous.h). 0, or the error, which is set. */
int corm__trx_guard(struct corm_trx *trx, uint64_t number, struct corm_error *error);

/* Notes a guard that a statement has taken, in front of all savepoints. The texts of such. */
int corm__trx_is_guarded_by(struct corm_trx *trx, uint64_t number, struct corm_error *error);
const struct corm__guard_texts *corm__trx_guard_texts(const struct corm_trx *trx);

/* Rows that are held locked: known to exist until the transaction ends or forgets them. */
void corm__trx_hold(struct corm_trx *trx, const struct corm_table *table, const void *row);
bool corm__trx_holds(const struct corm_trx *trx, const void *key, size_t size);
void corm__trx_forget_held(struct corm_trx *trx);

/* A buffered write to a table: a trigger or a cascade of it may remove rows of other tables. */
void corm__trx_note_write(struct corm_trx *trx, const struct corm_table *table);

#endif
