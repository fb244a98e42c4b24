/* schema/ddl.h -- CREATE TABLE and DROP TABLE from a model. */
#ifndef CORM_SCHEMA_DDL_H
#define CORM_SCHEMA_DDL_H

#include "base/buffer.h"
#include "base/error.h"

#include <corm/model.h>

/* CORM_MISUSE where a model cannot be a table: names, no columns, a generated key that is none,
 * a version that cannot count. */
int corm__check_model(const struct corm_table *table, struct corm_error *error);

/* Appends the statement to the buffer. */
void corm__put_create_table(struct corm__buffer *buffer, enum corm_dialect dialect,
                            const struct corm_table *table, bool if_not_exists);
void corm__put_drop_table(struct corm__buffer *buffer, enum corm_dialect dialect,
                          const struct corm_table *table, bool if_exists);

/* Appends the CHECK by which SQLite keeps the range or length of a column, if it has one. */
void corm__put_sqlite_check(struct corm__buffer *buffer, const struct corm_column *column);

/* The names of the CHECKs by which SQLite keeps the ranges and lengths that MariaDB keeps by its
 * types: PREFIX + name of the column. */
#define CORM__RANGE_CHECK  "corm_range_"
#define CORM__LENGTH_CHECK "corm_length_"

#endif
