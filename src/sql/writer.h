/* sql/writer.h -- where text, binds and the first error of a statement that is being made collect. */
#ifndef CORM_SQL_WRITER_H
#define CORM_SQL_WRITER_H

#include "base/buffer.h"
#include "sql/statement.h"

struct corm__writer {
    enum corm_dialect        dialect;
    struct corm_arena       *arena;
    bool                     keep;        /* copy what is bound */
    bool                     values_only; /* the text is known */
    const struct corm_table *table;
    struct corm__buffer      text;
    struct corm_value       *binds;
    uint32_t                 bind_count, bind_capacity;
    struct corm_error       *error; /* nothing is appended once its code is set */
};

void corm__writer_init(struct corm__writer *writer, enum corm_dialect dialect,
                       struct corm_arena *arena, bool keep, const struct corm_table *table,
                       struct corm_error *error);

/* Moves the result into `statement`; 0 or the first error. */
int corm__writer_end(struct corm__writer *writer, enum corm__verb verb,
                     struct corm__statement *statement);

void corm__put(struct corm__writer *writer, const char *text);
void corm__put_column(struct corm__writer *writer, const struct corm_column *column);

/* A `?` and its value, as it is. */
void corm__put_bind(struct corm__writer *writer, struct corm_value value);

/* A `?` for a value that is compared with `column`, or stored in it: then it must also fit. A
 * CORM_V_COLUMN is written by its name instead. */
enum corm__use { CORM__COMPARED, CORM__STORED };
void corm__put_value(struct corm__writer *writer, const struct corm_column *column,
                     struct corm_value value, enum corm__use use);

/* A condition; CORM_NONE is CORM_MISUSE here. */
void corm__put_condition(struct corm__writer *writer, const struct corm_expr *expr);

#endif
