/* schema/version.h -- the column that counts the updates of its row: who has read a row without a
 * lock notices by it that somebody else has written the row since. */
#ifndef CORM_SCHEMA_VERSION_H
#define CORM_SCHEMA_VERSION_H

#include "base/error.h"

#include <corm/model.h>

/* 0, and the version column of the table in *column, NULL where it has none. CORM_MISUSE, and NULL,
 * where the model has one that cannot count, or two. */
int corm__version_column(const struct corm_table *table, const struct corm_column **column,
                         struct corm_error *error);

/* CORM_OUT_OF_RANGE where the version of a row is the last that its column can hold. */
int corm__version_check(const struct corm_table *table, const struct corm_column *version,
                        const void *row, struct corm_error *error);

/* Counts the version up in a row that passed the check. The row is the caller's own, and not const
 * there: corm_update_row() takes no other. */
void corm__version_count_up(const struct corm_column *version, const void *row);

#endif
