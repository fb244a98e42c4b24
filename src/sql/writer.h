/* sql/writer.h -- where text, binds and the first error of a statement that is being made collect. */
#ifndef CORM_SQL_WRITER_H
#define CORM_SQL_WRITER_H

#include "base/buffer.h"
#include "sql/statement.h"

#include <corm/read.h>

/* The tables that names may come from: those of the statement, or of a sub-query, which also sees
 * those around it. As soon as there is more than one of them, columns carry their table's name. */
struct corm__scope {
    const struct corm__scope *outer;
    const struct corm_table  *tables[1 + CORM_JOIN_MAX];
    uint32_t                  count;
    const struct corm_table  *into;    /* of corm_select(): its columns stand for ... */
    const struct corm_choice *choices; /* ... what is chosen for them */
};

/* How deep a condition may be nested: SQLite's parser has a stack of 100, and a level takes 3 of it. */
enum { CORM__DEPTH_MAX = 20 };

struct corm__writer {
    enum corm_dialect         dialect;
    struct corm_arena        *arena;
    bool                      keep;        /* copy what is bound */
    bool                      values_only; /* the text is known */
    const struct corm_table  *table;       /* the first of the statement */
    struct corm__scope        own;         /* of that table alone */
    const struct corm__scope *scope;
    int                       depth;   /* of the condition that is being put ... */
    size_t                    members; /* ... those of the ANDs and ORs around it ... */
    uint32_t                  selects; /* ... and the statement with the sub-queries around it */
    struct corm__buffer       text;
    struct corm_value        *binds;
    uint32_t                  bind_count, bind_capacity;
    struct corm_error        *error; /* nothing is appended once its code is set */
};

void corm__writer_init(struct corm__writer *writer, enum corm_dialect dialect,
                       struct corm_arena *arena, bool keep, const struct corm_table *table,
                       struct corm_error *error);

/* Moves the result into `statement`; 0 or the first error. */
int corm__writer_end(struct corm__writer *writer, enum corm__verb verb,
                     struct corm__statement *statement);

static inline void corm__put(struct corm__writer *writer, const char *text)
{
    if (!writer->values_only)
        corm__buffer_puts(&writer->text, text);
}

/* A column of a table in scope, by what its name is there; of a result, by what is chosen for it; a
 * value inside a column of JSON, by its path. Any other is CORM_MISUSE. */
void corm__put_column(struct corm__writer *writer, const struct corm_column *column);

/* The table in scope that a column is of, or that its JSON is in; NULL: none. */
const struct corm_table *corm__table_of(const struct corm__writer *writer,
                                        const struct corm_column  *column);

/* What a choice stands for. */
void corm__put_choice(struct corm__writer *writer, enum corm_aggregate how,
                      const struct corm_column *column);

/* The JSON value that a column made by corm_json_int() and the like stands for. */
void corm__put_json(struct corm__writer *writer, const struct corm_json *json);

/* A `?` and its value, as it is. */
void corm__put_bind(struct corm__writer *writer, struct corm_value value);

/* A whole statement: its text, in which the `?` stand already, and their values. */
void corm__put_statement(struct corm__writer *writer, const struct corm__statement *statement);

/* A `?` for a value that is compared with `column`, or stored in it: then it must also fit. A
 * CORM_V_COLUMN is written by its name instead. */
enum corm__use { CORM__COMPARED, CORM__STORED };
void corm__put_value(struct corm__writer *writer, const struct corm_column *column,
                     struct corm_value value, enum corm__use use);

/* Fails where two columns cannot stand beside each other without a digit or a space being lost in
 * silence. */
void corm__check_beside(struct corm__writer *writer, const struct corm_column *column,
                        const struct corm_column *from, enum corm__use use);

/* A condition; CORM_NONE is CORM_MISUSE here. */
void corm__put_condition(struct corm__writer *writer, const struct corm_expr *expr);

/* " WHERE " and the condition, where it is not for every row. */
void corm__put_where(struct corm__writer *writer, const struct corm_expr *where);

/* A sub-query: "EXISTS (SELECT ...)" or "<column> IN (SELECT ...)". */
void corm__put_subquery(struct corm__writer *writer, const struct corm_expr *expr);

#endif
