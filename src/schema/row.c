/* schema/row.c -- a row struct's fields to and from values. */
#include "schema/row.h"

#include "base/arena.h"
#include "schema/dialect.h"
#include "schema/text.h"

#include <stdlib.h>
#include <string.h>

static struct corm_value whole(enum corm_value_kind kind, int64_t i)
{
    struct corm_value v = corm_v_int_(i);

    v.kind = kind;
    return v;
}

struct corm_value corm__field_get(const struct corm_column *column, const void *row)
{
    const void *field = (const char *)row + column->offset;

    if (column->type == CORM_VARCHAR || column->type == CORM_TEXT)
        return corm_v_text_(*(const char *const *)field);
    if (!column->nullable) {
        switch (column->type) {
        case CORM_INT: return whole(CORM_V_INT, *(const int32_t *)field);
        case CORM_BIGINT: return whole(CORM_V_INT, *(const int64_t *)field);
        case CORM_BOOL: return whole(CORM_V_INT, *(const bool *)field);
        case CORM_DATETIME: return whole(CORM_V_TIME, *(const int64_t *)field);
        default: return corm_v_real_(*(const double *)field);
        }
    }
    const struct corm_opt_int    *i = field;
    const struct corm_opt_bigint *b = field;
    const struct corm_opt_bool   *y = field;
    const struct corm_opt_double *d = field;
    switch (column->type) {
    case CORM_INT: return i->has ? whole(CORM_V_INT, i->value) : corm_v_null_();
    case CORM_BIGINT: return b->has ? whole(CORM_V_INT, b->value) : corm_v_null_();
    case CORM_BOOL: return y->has ? whole(CORM_V_INT, y->value) : corm_v_null_();
    case CORM_DATETIME: return b->has ? whole(CORM_V_TIME, b->value) : corm_v_null_();
    default: return d->has ? corm_v_real_(d->value) : corm_v_null_();
    }
}

static int misfit(const struct corm_column *column, struct corm_error *error, const char *what)
{
    return corm__fail(error, CORM_BAD_VALUE,
                      "column %s holds %s in the database, which its model "
                      "cannot take",
                      corm__column_name(column), what);
}

static int set_null(const struct corm_column *column, void *field, struct corm_error *error)
{
    if (!column->nullable)
        return misfit(column, error, "NULL");
    switch (column->type) {
    case CORM_INT: *(struct corm_opt_int *)field = (struct corm_opt_int){0}; break;
    case CORM_BIGINT:
    case CORM_DATETIME: *(struct corm_opt_bigint *)field = (struct corm_opt_bigint){0}; break;
    case CORM_BOOL: *(struct corm_opt_bool *)field = (struct corm_opt_bool){0}; break;
    case CORM_DOUBLE: *(struct corm_opt_double *)field = (struct corm_opt_double){0}; break;
    default: *(const char **)field = NULL;
    }
    return 0;
}

static int set_whole(const struct corm_column *column, void *field, int64_t i,
                     struct corm_error *error)
{
    bool n = column->nullable;

    if (column->type == CORM_INT) {
        if (i < INT32_MIN || i > INT32_MAX)
            return misfit(column, error, "a number beyond 32 bits");
        if (n)
            *(struct corm_opt_int *)field = (struct corm_opt_int){true, (int32_t)i};
        else
            *(int32_t *)field = (int32_t)i;
    } else if (column->type == CORM_BOOL) {
        if (i != 0 && i != 1)
            return misfit(column, error, "a number other than 0 and 1");
        if (n)
            *(struct corm_opt_bool *)field = (struct corm_opt_bool){true, i == 1};
        else
            *(bool *)field = i == 1;
    } else if (n) {
        *(struct corm_opt_bigint *)field = (struct corm_opt_bigint){true, i};
    } else {
        *(int64_t *)field = i;
    }
    return 0;
}

static int set_text(const struct corm_column *column, void *field, struct corm_value value,
                    struct corm_arena *arena, struct corm_error *error)
{
    size_t characters;

    if (value.kind != CORM_V_TEXT)
        return misfit(column, error, "something that is not text");
    if (memchr(value.as.s, '\0', value.size) != NULL)
        return misfit(column, error, "text with a NUL in it");
    if (!corm__is_utf8(value.as.s, value.size, &characters))
        return misfit(column, error, "text that is not UTF-8");
    char *copy = corm__arena_copy(arena, value.as.s, value.size);
    if (copy == NULL)
        return corm__fail_memory(error, "the text of a row");
    *(const char **)field = copy;
    return 0;
}

int corm__field_set(const struct corm_column *column, void *row, struct corm_value value,
                    struct corm_arena *arena, struct corm_error *error)
{
    void   *field = (char *)row + column->offset;
    int64_t microseconds;

    if (value.kind == CORM_V_NULL)
        return set_null(column, field, error);
    switch (column->type) {
    case CORM_INT:
    case CORM_BIGINT:
    case CORM_BOOL:
        if (value.kind != CORM_V_INT)
            return misfit(column, error, "something that is not a whole number");
        return set_whole(column, field, value.as.i, error);
    case CORM_DATETIME:
        if (value.kind != CORM_V_TEXT || !corm__time_parse(value.as.s, value.size, &microseconds))
            return misfit(column, error, "something that is not a date and time");
        return set_whole(column, field, microseconds, error);
    case CORM_DOUBLE:
        if (value.kind == CORM_V_INT)
            value.as.r = (double)value.as.i;
        else if (value.kind != CORM_V_REAL)
            return misfit(column, error, "something that is not a number");
        if (column->nullable)
            *(struct corm_opt_double *)field = (struct corm_opt_double){true, value.as.r};
        else
            *(double *)field = value.as.r;
        return 0;
    default: return set_text(column, field, value, arena, error);
    }
}

int corm__row_set(const struct corm_table *table, void *row, const struct corm_value *values,
                  struct corm_arena *arena, struct corm_error *error)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        int rc = corm__field_set(&table->columns[i], row, values[i], arena, error);
        if (rc < 0)
            return rc;
    }
    return 0;
}

bool corm__has_column(const struct corm_table *table, const struct corm_column *column)
{
    return column >= table->columns && column < table->columns + table->column_count;
}

static bool is_text(const struct corm_column *column)
{
    return column->type == CORM_VARCHAR || column->type == CORM_TEXT;
}

bool corm__has_text(const struct corm_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (is_text(&table->columns[i]))
            return true;
    return false;
}

const struct corm_column *corm__generated_column(const struct corm_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].autoinc)
            return &table->columns[i];
    return NULL;
}

size_t corm__text_bytes(const struct corm_table *table, const void *row)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < table->column_count; i++) {
        struct corm_value v = corm__field_get(&table->columns[i], row);
        if (v.kind == CORM_V_TEXT)
            bytes += strlen(v.as.s);
    }
    return bytes;
}

void *corm_dup_(const struct corm_table *table, const void *row)
{
    size_t size = table->row_size;

    for (uint32_t i = 0; i < table->column_count; i++) {
        struct corm_value v = corm__field_get(&table->columns[i], row);
        if (v.kind == CORM_V_TEXT)
            size += strlen(v.as.s) + 1;
    }
    char *copy = malloc(size);
    if (copy == NULL)
        return NULL;
    memcpy(copy, row, table->row_size);
    char *text = copy + table->row_size;
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct corm_value v = corm__field_get(&table->columns[i], row);
        if (v.kind != CORM_V_TEXT)
            continue;
        size_t length = strlen(v.as.s) + 1;
        memcpy(text, v.as.s, length);
        memcpy(copy + table->columns[i].offset, &text, sizeof(text));
        text += length;
    }
    return copy;
}
