/* api/guard.h -- the guards of rows that calls have locked (trx/guard.h). Each does nothing where none are needed. */
#ifndef CORM_API_GUARD_H
#define CORM_API_GUARD_H

#include "trx/trx.h"

/* Of a row that a locking read has given. 0, or the error, which is set. */
int corm__guard_row(struct corm_trx *trx, const struct corm_table *table, const void *row,
                    struct corm_error *error);

/* Of the row that a write names by its whole primary key; another condition names none that is known. */
int corm__guard_condition(struct corm_trx *trx, const struct corm_table *table,
                          const struct corm_expr *where, struct corm_error *error);

/* Of the values of a key, in the order of the model. */
int corm__guard_values(struct corm_trx *trx, const struct corm_table *table,
                       const struct corm_value *values, struct corm_error *error);

#endif
