/* schema/ddl.h -- CREATE TABLE and DROP TABLE from a model. */
#ifndef CORM_SCHEMA_DDL_H
#define CORM_SCHEMA_DDL_H

#include "base/buffer.h"
#include "base/error.h"

#include <corm/model.h>

/* What DDL depends on of a server. */
struct corm__ddl {
    enum corm_dialect dialect;
    bool              has_uuid; /* a UUID type: MariaDB 10.7 and later */
};

/* CORM_MISUSE where a model cannot be a table: names, no columns, a generated key that is none, a
 * version that cannot count;
 * CORM_UNSUPPORTED where it cannot be one on this server. */
int corm__check_model(enum corm_dialect dialect, const struct corm_table *table,
                      struct corm_error *error);

/* Appends the statement to the buffer. */
void corm__put_create_table(struct corm__buffer *buffer, const struct corm__ddl *ddl,
                            const struct corm_table *table, bool if_not_exists);
void corm__put_drop_table(struct corm__buffer *buffer, enum corm_dialect dialect,
                          const struct corm_table *table, bool if_exists);

/* What SQLite keeps a type as; NULL where it is none. */
const char *corm__sqlite_type(enum corm_type type);

/* Appends the CHECK by which SQLite keeps the range, length or list of a column, if it has one. */
void corm__put_sqlite_check(struct corm__buffer *buffer, const struct corm_column *column);

/* The CREATE INDEX number `n`, from 0 on, that must follow the CREATE TABLE on SQLite; false, and
 * nothing is appended, where there is none of that number. */
bool corm__put_create_index(struct corm__buffer *buffer, const struct corm_table *table, uint32_t n,
                            bool if_not_exists);

/* The names of the CHECKs by which SQLite keeps the ranges and lengths that MariaDB keeps by its
 * types: PREFIX + name of the column. */
#define CORM__RANGE_CHECK  "corm_range_"
#define CORM__LENGTH_CHECK "corm_length_"
#define CORM__VALUES_CHECK "corm_values_"

#endif
