/* driver/sqlite_error.h -- codes and messages of SQLite. */
#ifndef CORM_DRIVER_SQLITE_ERROR_H
#define CORM_DRIVER_SQLITE_ERROR_H

#include "driver/error_table.h"

/* corm's code for an extended result code and its message. `sql` is the text of the statement that
 * ran, NULL where one was being prepared: what SQLite then does not take is its text. */
int corm__sqlite_code(int extended, const char *message, const char *sql);

/* The row of an extended result code, or of its primary one, or NULL. */
const struct corm__server_error *corm__sqlite_find_error(int extended);

/* What may be shown of the message, in `text`: names of tables, columns and constraints, but no
 * value of a row. */
void corm__sqlite_explain(int extended, const char *message, const char *sql, char *text,
                          size_t size);

#endif
