/* sql/batch.h -- several statements in one trip.
 *
 * What goes together must stop at the first error, and commit nothing then. MariaDB has a compound
 * statement for that, which can be prepared with `?` in it and runs in the binary protocol:
 *
 *     BEGIN NOT ATOMIC <statement>; <statement>; COMMIT; END
 *
 * With two or more in front of a COMMIT, or any in front of a read, it counts them in a local variable, which a handler
 * puts into the user variable @corm_at when one fails, so that corm can ask then which one it was.
 * Behind an insert whose generated key is asked for stands SELECT LAST_INSERT_ID(): one result set of
 * one row for each of them, in order, in front of the rows of the last statement. For a statement that
 * takes_keys they are also put together in a local variable, `corm#made`, with blanks between them. */
#ifndef CORM_SQL_BATCH_H
#define CORM_SQL_BATCH_H

#include "sql/statement.h"

#define CORM__BATCH_ASK_FAILED "SELECT CAST(COALESCE(@corm_at, 0) AS SIGNED), @corm_at := NULL"

/* Whether the dialect has a compound statement. */
bool corm__has_compound(enum corm_dialect dialect);

/* Whether a compound of these keeps count of its statements. */
bool corm__is_counted(const struct corm__statement *statements, size_t count);

/* The `count` statements as one; a read may only be the last. 0 or CORM_NO_MEMORY. */
int corm__make_compound(struct corm_arena *arena, const struct corm__statement *statements,
                        size_t count, struct corm__statement *compound, struct corm_error *error);

#endif
