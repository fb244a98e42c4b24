/* sql/writer.c -- text and binds of one statement; values are checked against their columns. */
#include "sql/writer.h"

#include "base/arena.h"
#include "schema/dialect.h"
#include "schema/row.h"
#include "schema/text.h"

#include <math.h>
#include <string.h>

void corm__writer_init(struct corm__writer *w, enum corm_dialect dialect, struct corm_arena *arena,
                       bool keep, const struct corm_table *table, struct corm_error *error)
{
    w->dialect = dialect;
    w->arena = arena;
    w->keep = keep;
    w->table = table;
    w->own.outer = NULL;
    w->own.tables[0] = table;
    w->own.count = 1;
    w->own.into = NULL;
    w->own.choices = NULL;
    w->scope = &w->own;
    w->depth = 0;
    w->binds = NULL;
    w->bind_count = w->bind_capacity = 0;
    w->error = error;
    corm__buffer_init(&w->text, arena);
}

int corm__writer_end(struct corm__writer *w, enum corm__verb verb,
                     struct corm__statement *statement)
{
    if (w->error->code == 0 && w->text.failed)
        corm__fail_memory(w->error, "the text of a statement");
    if (w->error->code != 0)
        return w->error->code;
    *statement = (struct corm__statement){
        .verb = verb,
        .text = w->text.text,
        .size = w->text.size,
        .binds = w->binds,
        .bind_count = w->bind_count,
    };
    return 0;
}

void corm__put(struct corm__writer *w, const char *text)
{
    corm__buffer_puts(&w->text, text);
}

static bool is_json(const struct corm_column *column)
{
    return column != NULL && column->offset == CORM_NO_FIELD;
}

static const struct corm_table *find_table(const struct corm__scope *scope,
                                           const struct corm_column *column)
{
    for (; scope != NULL; scope = scope->outer)
        for (uint32_t i = 0; i < scope->count; i++)
            if (corm__has_column(scope->tables[i], column))
                return scope->tables[i];
    return NULL;
}

/* As good as always: one table, and a column of it. */
static inline bool is_plain(const struct corm__scope *scope, const struct corm_column *column)
{
    return scope->count == 1 && scope->outer == NULL && scope->into == NULL &&
           corm__has_column(scope->tables[0], column);
}

const struct corm_table *corm__table_of(const struct corm__writer *w,
                                        const struct corm_column  *column)
{
    if (is_json(column))
        column = ((const struct corm_json *)column)->base;
    if (column != NULL && w->scope->into != NULL && corm__has_column(w->scope->into, column))
        return w->scope->into;
    return column != NULL ? find_table(w->scope, column) : NULL;
}

static void refuse_column(struct corm__writer *w, const struct corm_column *column)
{
    const char *name = column != NULL ? corm__column_name(column) : "NULL";
    bool        alone = w->scope->count == 1 && w->scope->outer == NULL;

    corm__fail(
        w->error, CORM_MISUSE,
        alone ? "column %s is none of table %s"
              : "column %s is of no table that is named here (the first is %s): join its table",
        name, w->table->name);
}

void corm__put_choice(struct corm__writer *w, enum corm_aggregate how,
                      const struct corm_column *column)
{
    static const char *const before[] = {
        [CORM_PLAIN] = "",   [CORM_COUNT] = "COUNT(", [CORM_COUNT_DISTINCT] = "COUNT(DISTINCT ",
        [CORM_SUM] = "SUM(", [CORM_MIN] = "MIN(",     [CORM_MAX] = "MAX(",
        [CORM_AVG] = "AVG("};

    if (how == CORM_COUNT_ROWS) {
        corm__put(w, "COUNT(*)");
        return;
    }
    corm__put(w, before[how]);
    corm__put_column(w, column);
    if (how == CORM_AVG) /* as a double: of whole numbers MariaDB would keep four digits */
        corm__put(w, " + 0e0");
    if (how != CORM_PLAIN)
        corm__put(w, ")");
}

/* A column of a result: what is chosen for it, which names tables alone. */
static void put_chosen(struct corm__writer *w, const struct corm_column *column)
{
    const struct corm__scope *all = w->scope;
    struct corm__scope        tables = *all;

    tables.into = NULL;
    w->scope = &tables;
    for (const struct corm_choice *c = all->choices; c->into != NULL; c++)
        if (c->into == column)
            corm__put_choice(w, c->how, c->column);
    w->scope = all;
}

void corm__put_column(struct corm__writer *w, const struct corm_column *column)
{
    if (is_plain(w->scope, column)) {
        corm__put_name(&w->text, w->dialect, corm__column_name(column));
        return;
    }
    const struct corm_table *table = corm__table_of(w, column);
    if (table == NULL) {
        refuse_column(w, column);
    } else if (table == w->scope->into) {
        put_chosen(w, column);
    } else if (is_json(column)) {
        corm__put_json(w, (const struct corm_json *)column);
    } else {
        if (w->scope->count > 1 || w->scope->outer != NULL) {
            corm__put_name(&w->text, w->dialect, table->alias != NULL ? table->alias : table->name);
            corm__put(w, ".");
        }
        corm__put_name(&w->text, w->dialect, corm__column_name(column));
    }
}

void corm__put_bind(struct corm__writer *w, struct corm_value value)
{
    if (w->error->code != 0)
        return;
    if (w->bind_count >= CORM__BINDS_MAX) {
        corm__fail(
            w->error, CORM_TOO_LARGE,
            "a statement takes %d values at most; put those of a long list into a table, and "
            "ask by corm_in_query()",
            CORM__BINDS_MAX);
        return;
    }
    if (w->bind_count == w->bind_capacity) {
        uint32_t           capacity = w->bind_capacity == 0 ? 8 : w->bind_capacity * 2;
        struct corm_value *grown = corm__arena_grow(
            w->arena, w->binds, w->bind_capacity * sizeof(*grown), capacity * sizeof(*grown));
        if (grown == NULL) {
            corm__fail_memory(w->error, "the values of a statement");
            return;
        }
        w->binds = grown;
        w->bind_capacity = capacity;
    }
    if (w->keep && value.kind == CORM_V_TEXT) {
        value.as.s = corm__arena_copy(w->arena, value.as.s, value.size);
        if (value.as.s == NULL) {
            corm__fail_memory(w->error, "the values of a statement");
            return;
        }
    }
    w->binds[w->bind_count++] = value;
    corm__buffer_putc(&w->text, '?');
}

static const char *table_name(const struct corm__writer *w, const struct corm_column *column)
{
    const struct corm_table *table = corm__table_of(w, column);

    return table != NULL ? table->name : w->table->name;
}

static void misfit(struct corm__writer *w, int code, const struct corm_column *column,
                   const char *what)
{
    corm__fail(w->error, code, "column %s of table %s: %s", corm__column_name(column),
               table_name(w, column), what);
}

/* An integer for a column of integers, or of numbers. */
static void put_whole(struct corm__writer *w, const struct corm_column *column,
                      struct corm_value value, enum corm__use use)
{
    if (value.kind == CORM_V_UINT) {
        if (value.as.u > INT64_MAX) {
            misfit(w, CORM_OUT_OF_RANGE, column, "a number beyond 64 bits with a sign");
            return;
        }
        value = corm_v_int_((long long)value.as.u);
    }
    if (column->type == CORM_DOUBLE) {
        double r = (double)value.as.i;
        if (r >= 0x1p63 || (long long)r != value.as.i) {
            misfit(w, CORM_OUT_OF_RANGE, column, "a whole number that no double holds exactly");
            return;
        }
        value = corm_v_real_(r);
    } else if (use == CORM__STORED && column->type == CORM_INT &&
               (value.as.i < INT32_MIN || value.as.i > INT32_MAX)) {
        misfit(w, CORM_OUT_OF_RANGE, column, "a number beyond 32 bits for an int");
        return;
    } else if (use == CORM__STORED && column->type == CORM_BOOL && value.as.i != 0 &&
               value.as.i != 1) {
        misfit(w, CORM_OUT_OF_RANGE, column, "a number other than 0 and 1 for a bool");
        return;
    }
    corm__put_bind(w, value);
}

static void put_text(struct corm__writer *w, const struct corm_column *column,
                     struct corm_value value, enum corm__use use)
{
    size_t size = value.size != 0 ? value.size : strlen(value.as.s), characters;

    if (size > INT32_MAX) {
        misfit(w, CORM_TOO_LONG, column, "a text of more than 2 GiB");
    } else if (memchr(value.as.s, '\0', size) != NULL) {
        misfit(w, CORM_BAD_VALUE, column, "a text with a NUL in it");
    } else if (!corm__is_utf8(value.as.s, size, &characters)) {
        misfit(w, CORM_BAD_VALUE, column, "a text that is not UTF-8");
    } else if (use == CORM__STORED && column->type == CORM_VARCHAR && characters > column->length) {
        corm__fail(w->error, CORM_TOO_LONG,
                   "column %s of table %s: a text of %zu characters for "
                   "varchar(%u)",
                   corm__column_name(column), table_name(w, column), characters, column->length);
    } else {
        value.size = (uint32_t)size;
        corm__put_bind(w, value);
    }
}

static void put_time(struct corm__writer *w, const struct corm_column *column, int64_t microseconds)
{
    char *text = corm_arena_alloc(w->arena, CORM__TIME_SIZE);

    if (text == NULL) {
        corm__fail_memory(w->error, "the values of a statement");
    } else if (!corm__time_format(microseconds, text)) {
        misfit(w, CORM_BAD_VALUE, column, "a time outside the years 1 to 9999");
    } else {
        struct corm_value value = corm_v_text_(text);
        value.size = CORM__TIME_SIZE - 1;
        corm__put_bind(w, value);
    }
}

void corm__put_value(struct corm__writer *w, const struct corm_column *column,
                     struct corm_value value, enum corm__use use)
{
    if (!is_plain(w->scope, column) && corm__table_of(w, column) == NULL) {
        corm__put_column(w, column);
        return;
    }
    bool whole = value.kind == CORM_V_INT || value.kind == CORM_V_UINT;
    if (value.kind == CORM_V_COLUMN) {
        corm__put_column(w, value.as.c);
    } else if (value.kind == CORM_V_NULL) {
        if (use == CORM__COMPARED)
            misfit(w, CORM_MISUSE, column,
                   "it is compared with NULL, which is never true: use "
                   "corm_is_null() or corm_not_null()");
        else if (!column->nullable)
            misfit(w, CORM_NULL_REFUSED, column, "NULL for a column that is NOT NULL");
        else
            corm__put_bind(w, value);
    } else if (column->type == CORM_DATETIME && (whole || value.kind == CORM_V_TIME)) {
        put_time(w, column,
                 value.kind == CORM_V_UINT && value.as.u > INT64_MAX ? INT64_MAX : value.as.i);
    } else if (whole && column->type <= CORM_DOUBLE) {
        put_whole(w, column, value, use);
    } else if (value.kind == CORM_V_REAL && column->type == CORM_DOUBLE) {
        if (isfinite(value.as.r))
            corm__put_bind(w, value);
        else
            misfit(w, CORM_BAD_VALUE, column, "a number that is not finite");
    } else if (value.kind == CORM_V_TEXT && column->type >= CORM_VARCHAR &&
               column->type <= CORM_TEXT) {
        put_text(w, column, value, use);
    } else {
        misfit(w, CORM_MISUSE, column, "a value of another type");
    }
}
