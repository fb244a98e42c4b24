/* trx/ledger.h -- what became of a COMMIT whose answer was lost. The reasoning: ledger.c. */
#ifndef CORM_TRX_LEDGER_H
#define CORM_TRX_LEDGER_H

#include "pool/nodes.h"

struct corm__ledger;

/* The ledger of a db, a table that all its writers have; NULL when there is no memory. `nodes` must outlive it, and
 * must be known. */
struct corm__ledger *corm__ledger_new(struct corm__nodes *nodes);
void                 corm__ledger_free(struct corm__ledger *ledger);

/* What is sent with a COMMIT: its values live here. */
struct corm__entry {
    struct corm_value binds[3];
};

/* Makes the statement that enters the next commit of a connection in its slot; with a new slot where
 * it has none. It goes just before COMMIT. `keys`: it keeps the generated keys of the statements in
 * front of it (sql/batch.h). 0, or NO_MEMORY where there are no random numbers. */
int corm__ledger_enter(struct corm__ledger *ledger, struct corm__connection *connection, bool keys,
                       struct corm__entry *entry, struct corm__statement *statement,
                       struct corm_error *error);

/* What is done when that statement, not one of the user's, was refused: it turns the error into
 * CORM_CONFLICT where the transaction may simply run again. The connection has no slot then. */
void corm__ledger_refused(struct corm__connection *connection, struct corm_error *error);

/* After a commit that was entered: deletes rows of others that nobody has touched for days, now and
 * then. The connection may be lost after it. */
void corm__ledger_tidy(struct corm__ledger *ledger, struct corm__connection *connection);

/* A commit in doubt. */
struct corm__doubt {
    struct corm__slot    slot;
    struct corm__session session; /* that sent it */
};

enum { CORM__KEYS_SIZE = 704 }; /* of 32 keys of 20 digits each */

struct corm__answer {
    bool committed;             /* else: it did not happen, and never will */
    char keys[CORM__KEYS_SIZE]; /* of a commit that keeps keys: these, with blanks between them */
};

/* Takes the commit that was just sent on a connection out of its slot: it is in doubt. */
struct corm__doubt corm__ledger_doubt(struct corm__connection *connection);

/* Asks the ledger, again and again until `until`, on the node whose the connection is. `connection` may be
 * lost: then it gets a new link. In a Galera cluster another node is asked where that one does not answer;
 * the connection is then still lost. 0 and an answer that stays true; or the last error, and nothing is
 * known. */
int corm__ledger_resolve(struct corm__ledger *ledger, struct corm__node *node,
                         struct corm__connection *connection, const struct corm__doubt *doubt,
                         int64_t until, struct corm__answer *answer, struct corm_error *error);

/* Keeps a doubt for later; its id, from 1. The one that is kept for longest is forgotten for it where
 * there are too many. */
uint64_t corm__ledger_keep(struct corm__ledger *ledger, struct corm__node *node,
                           const struct corm__doubt *doubt);

/* What became of it: 1 committed, 0 not; UNKNOWN where nobody has answered until `deadline`, NO_TICKET
 * for an id that is not, or not any more, known, and other errors. */
int corm__ledger_outcome(struct corm__ledger *ledger, uint64_t id, int64_t deadline,
                         struct corm_error *error);

/* Makes the table where it is not there, and that of the guards (guard.h), on each writer that can be used, and tries its fence. 0, or a negative
 * code. */
int corm__ledger_setup(struct corm__ledger *ledger, int64_t deadline, struct corm_error *error);

/* ---- Sessions that were lost -------------------------------------------------- */

/* Notes the session of a link that was lost in a transaction: its rows may still be locked. */
void corm__ledger_bury(struct corm__ledger *ledger, struct corm__node *node,
                       const struct corm__session *session);

/* Ends those of a node that were noted, from a connection to it that is free. 0, or the error by which that one
 * is lost. */
int corm__ledger_end_lost(struct corm__ledger *ledger, struct corm__node *node,
                          struct corm__connection *connection, int64_t deadline,
                          struct corm_error *error);

#endif
