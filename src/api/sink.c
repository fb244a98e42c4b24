/* api/sink.c -- where rows go that are no rows of one table. */
#include "api/sink.h"

#include "api/guard.h"

#include "base/arena.h"
#include "schema/decimal.h"
#include "schema/dialect.h"
#include "schema/row.h"
#include "schema/type.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more item of `size` bytes behind `count` of them; false where there is no memory. */
static bool make_room(struct corm_arena *arena, char **items, size_t size, size_t count,
                      size_t capacity)
{
    if (count < capacity)
        return true;
    char *grown = corm__arena_grow(arena, *items, capacity * size, (capacity * 2 + 1) * size);
    if (grown != NULL)
        *items = grown;
    return grown != NULL;
}

/* ---- Joins ------------------------------------------------------------------- */

bool corm__joins_rows(const struct corm_query *query)
{
    for (const struct corm_join *j = query->join; j != NULL && j->table != NULL; j++)
        if (j->depth > 0)
            return true;
    return false;
}

static int join_start(struct corm__sink *base, const struct corm_table **types,
                      struct corm_error *error)
{
    (void)error;
    *types = &((struct corm__join_sink *)base)->shape;
    return 0;
}

static size_t item_size(const struct corm__join_out *out)
{
    return out->left ? sizeof(void *) : out->table->row_size;
}

/* A partner has at least one column that is not NULL: where its read was made that was looked at.
 * */
static bool has_partner(const struct corm__join_out *out, const struct corm_value *values)
{
    for (uint32_t i = 0; i < out->table->column_count; i++)
        if (values[i].kind != CORM_V_NULL)
            return true;
    return !out->left;
}

static int add_row(struct corm__join_sink *sink, struct corm__join_out *out,
                   const struct corm_value *values, struct corm_error *error)
{
    char *item = out->items + sink->count * item_size(out);
    char *row = item;

    memset(item, 0, item_size(out));
    if (!has_partner(out, values))
        return 0;
    if (out->left) {
        row = corm_arena_alloc(sink->arena, out->table->row_size);
        if (row == NULL)
            return corm__fail_memory(error, "rows");
        memset(row, 0, out->table->row_size);
        memcpy(item, &row, sizeof(row));
    }
    int rc = corm__row_set(out->table, row, values, sink->arena, error);
    if (rc == 0 && sink->holder != NULL)
        corm__trx_hold(sink->holder, out->table, row);
    if (rc == 0 && sink->locker != NULL)
        rc = corm__guard_row(sink->locker, out->table, row, error);
    return rc;
}

static int join_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                    struct corm_error *error)
{
    struct corm__join_sink *sink = (struct corm__join_sink *)base;

    (void)count;
    for (uint32_t i = 0; i < sink->out_count; i++) {
        struct corm__join_out *out = &sink->outs[i];
        if (!make_room(sink->arena, &out->items, item_size(out), sink->count, sink->capacity))
            return corm__fail_memory(error, "rows");
        int rc = add_row(sink, out, values + out->first, error);
        if (rc < 0)
            return rc;
    }
    if (sink->count == sink->capacity)
        sink->capacity = sink->capacity * 2 + 1;
    sink->count++;
    return 0;
}

static void add_out(struct corm__join_sink *sink, const struct corm_table *table, void *out,
                    bool left)
{
    sink->outs[sink->out_count++] = (struct corm__join_out){
        .table = table, .first = sink->shape.column_count, .left = left, .out = out};
    sink->shape.column_count += table->column_count;
}

int corm__join_sink_init(struct corm__join_sink *sink, struct corm_arena *arena,
                         struct corm_trx *trx, const struct corm_table *table, void *out,
                         const struct corm_query *query, struct corm_error *error)
{
    *sink = (struct corm__join_sink){
        .base = {.start = join_start, .row = join_row, .streams = query->lock == CORM_NO_LOCK},
        .arena = arena,
        .holder = query->lock == CORM_FOR_UPDATE ? trx : NULL,
        .locker = query->lock != CORM_NO_LOCK ? trx : NULL,
        .shape = {.name = "", .alias = ""}};
    add_out(sink, table, out, false);
    for (const struct corm_join *j = query->join; j->table != NULL; j++)
        if (j->depth > 0)
            add_out(sink, j->table, j->out, j->left);
    struct corm_column *columns =
        corm_arena_alloc(arena, sink->shape.column_count * sizeof(*columns));
    if (columns == NULL)
        return corm__fail_memory(error, "rows");
    for (uint32_t i = 0; i < sink->out_count; i++)
        memcpy(columns + sink->outs[i].first, sink->outs[i].table->columns,
               sink->outs[i].table->column_count * sizeof(*columns));
    sink->shape.columns = columns;
    return 0;
}

void corm__join_sink_arrays(const struct corm__join_sink *sink)
{
    for (uint32_t i = 0; i < sink->out_count; i++)
        memcpy(sink->outs[i].out, &sink->outs[i].items, sizeof(sink->outs[i].items));
}

void corm__join_sink_first(const struct corm__join_sink *sink)
{
    for (uint32_t i = 0; sink->count > 0 && i < sink->out_count; i++)
        memcpy(sink->outs[i].out, sink->outs[i].items, item_size(&sink->outs[i]));
}

/* ---- Aggregates ----------------------------------------------------------------- */

/* A whole number as text; false where it is none. */
static int parse_whole(const struct corm_value *text, int64_t *number, struct corm_error *error)
{
    char digits[32], *end;

    if (text->size >= sizeof(digits)) /* more than 64 bits have, or no number */
        return corm__fail(error, CORM_OUT_OF_RANGE, "a whole number beyond 64 bits");
    memcpy(digits, text->as.s, text->size);
    digits[text->size] = '\0';
    errno = 0;
    *number = strtoll(digits, &end, 10);
    if (errno == ERANGE)
        return corm__fail(error, CORM_OUT_OF_RANGE, "a whole number beyond 64 bits");
    if (end == digits || *end != '\0')
        return corm__fail(error, CORM_BAD_VALUE, "a text where a whole number was expected");
    return 0;
}

static int aggregate_start(struct corm__sink *base, const struct corm_table **types,
                           struct corm_error *error)
{
    (void)error;
    *types = &((struct corm__aggregate_sink *)base)->shape;
    return 0;
}

/* A sum of whole numbers, which MariaDB makes a DECIMAL of: it comes as text, so that no digit is lost. */
static int take_whole_sum(struct corm__aggregate_sink *sink, const struct corm_value *value,
                          struct corm_error *error)
{
    sink->value.whole.value = value->as.i;
    if (value->kind == CORM_V_INT)
        return 0;
    if (value->kind != CORM_V_TEXT)
        return corm__fail(error, CORM_BAD_VALUE, "a sum of whole numbers that is none");
    return parse_whole(value, &sink->value.whole.value, error);
}

static int aggregate_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                         struct corm_error *error)
{
    struct corm__aggregate_sink *sink = (struct corm__aggregate_sink *)base;
    struct corm_value            value = values[0];
    char                         digits[CORM__DECIMAL_SIZE];

    (void)count;
    if (value.kind == CORM_V_NULL)
        return 0;
    sink->found = true;
    if (sink->sums && sink->column.type == CORM_TEXT)
        return take_whole_sum(sink, &value, error);
    if (value.kind == CORM_V_UINT && value.as.u > INT64_MAX)
        return corm__fail(error, CORM_OUT_OF_RANGE, "column %s: a number beyond 64 bits",
                          sink->column.name);
    if (sink->sums && sink->column.type == CORM_DECIMAL && value.kind == CORM_V_INT) {
        corm__decimal_of_scaled(value.as.i, sink->column.scale, digits); /* of up to 19 digits */
        value = corm_v_text_(digits);
        value.size = (uint32_t)strlen(digits);
    }
    return corm__field_set(&sink->column, &sink->value, value, sink->arena, error);
}

/* What the value of an aggregate is read as. */
static struct corm_column result_of(enum corm_aggregate how, const struct corm_column *column)
{
    struct corm_column c = {
        .name = corm__column_name(column), .type = CORM_DOUBLE, .nullable = true};

    if (how == CORM_AVG || column->type == CORM_FLOAT || column->type == CORM_DOUBLE)
        return c;
    c.length = column->length;
    c.scale = column->scale;
    if (corm__is_integer(column) || column->type == CORM_BOOL)
        c.type = how == CORM_SUM ? CORM_TEXT : CORM_BIGINT;
    else
        c.type = column->type;
    if (how == CORM_SUM)
        c.length = CORM__DECIMAL_MAX;
    return c;
}

void corm__aggregate_sink_init(struct corm__aggregate_sink *sink, struct corm_arena *arena,
                               enum corm_aggregate how, const struct corm_column *column)
{
    *sink = (struct corm__aggregate_sink){
        .base = {.start = aggregate_start, .row = aggregate_row},
        .arena = arena,
        .sums = how == CORM_SUM,
        .column = result_of(how, column),
        .shape = {.name = "", .alias = "", .columns = &sink->column, .column_count = 1}};
}

bool corm__aggregate_sink_points(const struct corm__aggregate_sink *sink)
{
    if (sink->sums && sink->column.type == CORM_TEXT)
        return false;
    return corm__is_text(&sink->column) || sink->column.type == CORM_BLOB;
}

void corm__aggregate_sink_give(const struct corm__aggregate_sink *sink, void *out)
{
    if (!sink->found)
        return;
    if (sink->column.type == CORM_BLOB)
        *(struct corm_blob *)out = sink->value.blob;
    else if (sink->column.type == CORM_UUID)
        *(struct corm_uuid *)out = sink->value.uuid.value;
    else if (sink->column.type == CORM_DOUBLE)
        *(double *)out = sink->value.real.value;
    else if (corm__aggregate_sink_points(sink))
        *(const char **)out = sink->value.text;
    else
        *(int64_t *)out = sink->value.whole.value;
}

/* ---- By name ---------------------------------------------------------------------- */

static int into_start(struct corm__sink *base, const struct corm_table **types,
                      struct corm_error *error)
{
    (void)base, (void)types, (void)error;
    return 0;
}

static const struct corm_column *column_named(const struct corm_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (strcmp(corm__column_name(&table->columns[i]), name) == 0)
            return &table->columns[i];
    return NULL;
}

/* The first of the columns in front of `count` that has the place `column`. */
static bool is_taken(const struct corm__into_sink *sink, uint32_t count,
                     const struct corm_column *column)
{
    for (uint32_t i = 0; i < count; i++)
        if (sink->places[i] == column)
            return true;
    return false;
}

static int into_names(struct corm__sink *base, const char *const *names, uint32_t count,
                      struct corm_error *error)
{
    struct corm__into_sink  *sink = (struct corm__into_sink *)base;
    const struct corm_table *table = sink->table;

    sink->places = corm_arena_alloc(sink->arena, count * sizeof(void *));
    if (sink->places == NULL)
        return corm__fail_memory(error, "rows");
    for (uint32_t i = 0; i < count; i++) {
        sink->places[i] = column_named(table, names[i]);
        if (sink->places[i] == NULL)
            return corm__fail(error, CORM_NO_COLUMN,
                              "the statement has a column %s, for which the result %s has no place",
                              names[i], table->name);
        if (is_taken(sink, i, sink->places[i]))
            return corm__fail(error, CORM_NO_COLUMN, "the statement has two columns %s", names[i]);
    }
    for (uint32_t i = 0; i < table->column_count; i++)
        if (!is_taken(sink, count, &table->columns[i]))
            return corm__fail(error, CORM_NO_COLUMN,
                              "the statement has no column %s, which the result %s wants",
                              corm__column_name(&table->columns[i]), table->name);
    return 0;
}

/* Numbers without a column, such as sums, may come as text or without a sign: as what they are. */
static int to_whole(const struct corm_column *column, struct corm_value *value,
                    struct corm_error *error)
{
    int64_t whole;

    if (column->type == CORM_BIGINT && column->is_unsigned)
        return 0; /* it takes them all */
    if (value->kind == CORM_V_UINT && value->as.u > INT64_MAX)
        return corm__fail(error, CORM_OUT_OF_RANGE, "column %s: a number beyond 64 bits",
                          corm__column_name(column));
    if (value->kind != CORM_V_TEXT)
        return 0;
    int rc = parse_whole(value, &whole, error);
    if (rc == 0)
        *value = corm_v_int_(whole);
    return rc;
}

static void to_real(struct corm_value *value)
{
    char   digits[128], *end;
    double real;

    if (value->kind == CORM_V_UINT)
        *value = value->as.u > INT64_MAX ? corm_v_real_((double)value->as.u)
                                         : corm_v_int_((long long)value->as.u);
    if (value->kind != CORM_V_TEXT || value->size >= sizeof(digits))
        return;
    memcpy(digits, value->as.s, value->size);
    digits[value->size] = '\0';
    real = strtod(digits, &end);
    if (end != digits && *end == '\0')
        *value = corm_v_real_(real);
}

/* A whole number of a server: only SQLite's are a decimal's without its point. */
static void to_decimal(const struct corm__into_sink *sink, struct corm_value *value,
                       char digits[static CORM__DECIMAL_SIZE])
{
    int size;

    if (sink->dialect == CORM_DIALECT_SQLITE ||
        (value->kind != CORM_V_INT && value->kind != CORM_V_UINT))
        return;
    if (value->kind == CORM_V_INT)
        size = snprintf(digits, CORM__DECIMAL_SIZE, "%lld", value->as.i);
    else
        size = snprintf(digits, CORM__DECIMAL_SIZE, "%llu", value->as.u);
    *value = corm_v_text_(digits);
    value->size = (uint32_t)size;
}

static int into_field(struct corm__into_sink *sink, const struct corm_column *column, void *row,
                      struct corm_value value, struct corm_error *error)
{
    char digits[CORM__DECIMAL_SIZE];
    int  rc = 0;

    if (corm__is_integer(column) || column->type == CORM_BOOL)
        rc = to_whole(column, &value, error);
    else if (column->type == CORM_FLOAT || column->type == CORM_DOUBLE)
        to_real(&value);
    else if (column->type == CORM_DECIMAL)
        to_decimal(sink, &value, digits);
    return rc < 0 ? rc : corm__field_set(column, row, value, sink->arena, error);
}

static int into_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                    struct corm_error *error)
{
    struct corm__into_sink *sink = (struct corm__into_sink *)base;
    size_t                  size = sink->table->row_size;

    if (!make_room(sink->arena, &sink->rows, size, sink->count, sink->capacity))
        return corm__fail_memory(error, "rows");
    if (sink->count == sink->capacity)
        sink->capacity = sink->capacity * 2 + 1;
    char *row = sink->rows + sink->count * size;
    memset(row, 0, size);
    for (uint32_t i = 0; i < count; i++) {
        int rc = into_field(sink, sink->places[i], row, values[i], error);
        if (rc < 0)
            return rc;
    }
    sink->count++;
    return 0;
}

struct corm__into_sink corm__into_sink(struct corm_arena *arena, enum corm_dialect dialect,
                                       const struct corm_table *table)
{
    return (struct corm__into_sink){.base = {into_start, into_names, into_row, .streams = true},
                                    .arena = arena,
                                    .dialect = dialect,
                                    .table = table};
}
