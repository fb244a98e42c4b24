/* trx/guard.h -- rows that stand for locked rows in the write sets of a cluster with several writers.
 *
 * A lock of a row holds on one node of a Galera cluster only. What the nodes agree on is written rows: of two
 * transactions that wrote the same row one cannot commit. So a transaction writes, for every row that it locks,
 * whether it writes that row or not, the row of corm_guard that stands for it. It has to do so before it reads
 * anything else: then, whatever another node commits that has locked the same row, either this node has applied
 * it before, and what is read next shows it, or it finds this guard row locked, and this transaction is
 * aborted, or both go to the cluster, which refuses the second one. Guarding at COMMIT would be too
 * late: what was read could be old by then, and the cluster would see nothing wrong.
 *
 * A guard:
 *
 *     add() ──► WAITS ──── take(): a statement in front of the next one that is sent ────► TAKEN
 *                 ▲                                                                          │
 *                 └────────────── undo(): a rollback to a savepoint in front of it ──────────┘
 *
 * It waits until something is sent because the next statement takes it along without a trip of its own. Where
 * nothing more is sent, nothing else was read; where nothing is written, it is not needed.
 *
 * The rows of a statement are in the order of their numbers, so that two statements do not lock each other
 * out. One row stands for all rows of the database whose keys have the same hash of 64 bits: two that
 * do wait for each other, now and then, and nothing else. */
#ifndef CORM_TRX_GUARD_H
#define CORM_TRX_GUARD_H

#include "base/map.h"
#include "sql/statement.h"

#include <corm/arena.h>

enum {
    CORM__GUARD_SIZES = 7,                          /* of statements: 1, 2, 4 ... */
    CORM__GUARD_ROWS = 1 << (CORM__GUARD_SIZES - 1) /* ... up to this many rows */
};

struct corm__guard;

/* The guards of a transaction; all zero at first. */
struct corm__guards {
    struct corm__map    map; /* by number */
    struct corm__guard *first;
    size_t              waiting;
};

/* Forgets all; the arena that they are in may be emptied then. */
void corm__guards_clear(struct corm__guards *guards);

/* One more, unless it is there already; `taken`: a statement of the caller's has taken it, in front of all
 * savepoints. 0 or CORM_NO_MEMORY. */
int corm__guards_add(struct corm__guards *guards, struct corm_arena *arena, uint64_t number,
                     bool taken, struct corm_error *error);

/* Those that wait, as values in their order, in the arena; from now on they are TAKEN behind `depth` savepoints.
 * How many, or CORM_NO_MEMORY. */
int64_t corm__guards_take(struct corm__guards *guards, struct corm_arena *arena, uint32_t depth,
                          struct corm_value **numbers, struct corm_error *error);

/* Puts `count` numbers in their order, with the last one again behind the end, for corm__guard_statement(). */
void corm__guard_sort(struct corm_value *numbers, size_t count);

/* After a rollback to the savepoint that has `depth` - 1 in front of it. */
void corm__guards_undo(struct corm__guards *guards, uint32_t depth);

/* ---- Texts ---------------------------------------------------------------------- */

/* The statements, for a table with its database. False where there is no memory: then nothing is made. */
struct corm__guard_texts {
    struct corm_arena *arena;
    const char        *texts[CORM__GUARD_SIZES];
};

bool corm__guard_texts_make(struct corm__guard_texts *texts, const char *database);
void corm__guard_texts_free(struct corm__guard_texts *texts);

/* The statement for the first of `count` numbers, as many as one takes: *took. Where there are fewer the last one
 * comes again, so that there are few texts. `numbers` has room behind its end for that. */
struct corm__statement corm__guard_statement(const struct corm__guard_texts *texts,
                                             const struct corm_value *numbers, size_t count,
                                             size_t *took);

/* Whether it is one of these. */
bool corm__is_guard_statement(const struct corm__guard_texts *texts,
                              const struct corm__statement   *statement);

/* What makes the table: the name of its table goes in for the %s. */
#define CORM__GUARD_TABLE                                                                          \
    "CREATE TABLE IF NOT EXISTS %s (number BIGINT NOT NULL PRIMARY KEY, locks BIGINT NOT NULL) "   \
    "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"

#endif
