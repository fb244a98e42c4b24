/* schema/dialect.h -- names and types as each server writes them. */
#ifndef CORM_SCHEMA_DIALECT_H
#define CORM_SCHEMA_DIALECT_H

#include "base/buffer.h"

#include <corm/model.h>

/* The longest name, in characters: MariaDB's limit, kept on SQLite too. */
enum { CORM__NAME_MAX = 64 };

/* Appends a name in quotes; quotes inside it are doubled. */
void corm__put_name(struct corm__buffer *buffer, enum corm_dialect dialect, const char *name);

/* The SQL name of a column. */
static inline const char *corm__column_name(const struct corm_column *column)
{
    return column->sql_name != NULL ? column->sql_name : column->name;
}

#endif
