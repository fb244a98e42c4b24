/* schema/row.h -- a row struct's fields to and from values. */
#ifndef CORM_SCHEMA_ROW_H
#define CORM_SCHEMA_ROW_H

#include "base/error.h"

#include <corm/arena.h>
#include <corm/model.h>
#include <corm/value.h>

/* The value of a column's field in `row`; text and blobs are pointed at, not copied, and a decimal is
 * a text. A NULL pointer in a column that is NOT NULL is CORM_V_NULL all the same: who writes it
 * checks. */
struct corm_value corm__field_get(const struct corm_column *column, const void *row);

/* Puts a value as the drivers deliver it (INT, UINT, REAL, TEXT and BLOB with their size, NULL) into
 * a column's field of a row that was zero; text is copied into the arena. CORM_BAD_VALUE where it does
 * not fit: nothing is put then. */
int corm__field_set(const struct corm_column *column, void *row, struct corm_value value,
                    struct corm_arena *arena, struct corm_error *error);

/* All columns of a table, in order. On error the row is partly set: give it a scratch row. */
int corm__row_set(const struct corm_table *table, void *row, const struct corm_value *values,
                  struct corm_arena *arena, struct corm_error *error);

/* Whether `column` is one of the table's. */
static inline bool corm__has_column(const struct corm_table  *table,
                                    const struct corm_column *column)
{
    return column >= table->columns && column < table->columns + table->column_count;
}

/* Whether rows of the table hold pointers to text or blobs. */
bool corm__has_text(const struct corm_table *table);

/* The bytes of all text and blobs of a row. */
size_t corm__text_bytes(const struct corm_table *table, const void *row);

/* The column that the server generates, or NULL. */
const struct corm_column *corm__generated_column(const struct corm_table *table);

#endif
