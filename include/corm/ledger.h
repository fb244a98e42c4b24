/* corm/ledger.h -- what became of a COMMIT whose answer was lost.
 *
 * A connection that dies while COMMIT is under way leaves a question: was it done? On a server corm keeps
 * a ledger, the table corm_ledger: each of its transactions that writes enters itself there, in the same
 * trip as COMMIT, and so that it cannot be committed any more once somebody has asked. After a loss corm
 * asks by itself, for resolve_ms= at least, and then tells the truth: success, or that nothing was done.
 * corm_transact() then runs its function again.
 *
 * Once for each database:
 *
 *     rc = corm_setup(db, &e);                 or: corm setup --url URL
 *
 * Without the table corm says so once (.on_warning of corm_open()), reports a lost COMMIT as CORM_UNKNOWN,
 * and runs nothing again after it. With it that code is left for a server that did not answer in time:
 *
 *     rc = corm_transact(db, purchase, &want, .error = &e);
 *     if (rc == CORM_UNKNOWN && e.outcome != 0)
 *         rc = corm_outcome(db, e.outcome, 60000, &e);         1 done, 0 not done and never will be
 *
 * The promise holds for the process that has made the call, while it lives. A file of SQLite needs no ledger:
 * its COMMIT has returned, or it has not happened. */
#ifndef CORM_LEDGER_H
#define CORM_LEDGER_H

#include <corm/on.h>
#include <corm/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Makes corm's own tables where they are not there yet, the ledger and the guards (docs/clusters.md), on each of several
 * writers that can be used, and tries whether the server refuses what it has to; on
 * SQLite there is nothing to do. 0, or a negative code: CORM_DENIED where the user may not create tables,
 * CORM_UNSUPPORTED where there is a table of that name that is another one. `error` may be NULL. Programs that have the
 * database open use it from their next new connection on, this one at once. Users of the database need SELECT,
 * INSERT, UPDATE and DELETE on both. Not inside a function of corm_transact() (CORM_NESTED). Blocks,
 * timeout_ms= at most. From any thread. */
CORM_API int corm_setup(struct corm_db *db, struct corm_error *error);

/* What became of a COMMIT that was reported as CORM_UNKNOWN, by the `outcome` of its error: 1 where it was
 * done, 0 where it was not and never will be; both stay true. Generated keys that were asked for are not told.
 *
 * Negative: CORM_UNKNOWN where the server has not answered within `timeout_ms` either, or lets nobody in, ask again; CORM_NO_TICKET
 * where there is no such outcome: 0, of another db, older than three days, or of more than 1,024 in between;
 * CORM_NESTED inside a function of corm_transact(), CORM_WOULD_BLOCK where this thread holds the connections
 * that it would need. `error` may be NULL. Takes a connection of the pool. Blocks. From any thread. */
CORM_API int corm_outcome(struct corm_db *db, uint64_t outcome, uint32_t timeout_ms,
                          struct corm_error *error);

#ifdef __cplusplus
}
#endif
#endif
