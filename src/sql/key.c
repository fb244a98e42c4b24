/* sql/key.c -- a row's identity as bytes: "<table>\0", then per key column its name, a kind and a value,
 * in the order of the names: two models of one table may have their columns in any order. */
#include "sql/key.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "schema/dialect.h"
#include "schema/row.h"

#include <string.h>

static void put_key_value(struct corm__buffer *b, struct corm_value value)
{
    size_t size;

    switch (value.kind) {
    case CORM_V_INT:
    case CORM_V_UINT: /* within 63 bits, or no such row exists: told apart by the kind */
    case CORM_V_TIME:
        corm__buffer_putc(b, value.kind == CORM_V_UINT && value.as.u > INT64_MAX ? 'u' : 'i');
        corm__buffer_add(b, (const char *)&value.as.i, sizeof(value.as.i));
        break;
    case CORM_V_REAL:
        corm__buffer_putc(b, 'r');
        corm__buffer_add(b, (const char *)&value.as.r, sizeof(value.as.r));
        break;
    case CORM_V_TEXT:
        size = value.size != 0 ? value.size : strlen(value.as.s);
        corm__buffer_putc(b, 't');
        corm__buffer_add(b, (const char *)&size, sizeof(size));
        corm__buffer_add(b, value.as.s, size);
        break;
    case CORM_V_UUID:
        corm__buffer_putc(b, 'b');
        corm__buffer_add(b, (const char *)value.as.uuid.bytes, sizeof(value.as.uuid.bytes));
        break;
    default: b->failed = true;
    }
}

/* Gives back what the buffer has too much, so that a key for each of many rows costs little. */
static struct corm__key end_key(const struct corm__buffer *b, uint32_t columns)
{
    if (b->failed || columns == 0)
        return (struct corm__key){0};
    (void)corm__arena_grow(b->arena, b->text, b->capacity, b->size);
    return (struct corm__key){.bytes = b->text, .size = b->size};
}

/* The column of the primary key whose name follows `before`, or comes first; NULL behind the last. */
static const struct corm_column *next_key_column(const struct corm_table  *table,
                                                 const struct corm_column *before)
{
    const struct corm_column *next = NULL;

    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct corm_column *c = &table->columns[i];
        if (!c->pk ||
            (before != NULL && strcmp(corm__column_name(c), corm__column_name(before)) <= 0))
            continue;
        if (next == NULL || strcmp(corm__column_name(c), corm__column_name(next)) < 0)
            next = c;
    }
    return next;
}

static void put_key_column(struct corm__buffer *b, const struct corm_column *column)
{
    corm__buffer_add(b, corm__column_name(column), strlen(corm__column_name(column)) + 1);
}

/* Which of the key columns of a model, in its order, `column` is. */
static uint32_t key_index(const struct corm_table *table, const struct corm_column *column)
{
    uint32_t n = 0;

    for (const struct corm_column *c = table->columns; c < column; c++)
        n += c->pk;
    return n;
}

/* Of a row, or else of values. */
static struct corm__key make_key(struct corm_arena *arena, const struct corm_table *table,
                                 const void *row, const struct corm_value *values)
{
    const struct corm_column *c = NULL;
    struct corm__buffer       b;
    uint32_t                  columns = 0;

    corm__buffer_init(&b, arena);
    corm__buffer_add(&b, table->name, strlen(table->name) + 1);
    while ((c = next_key_column(table, c)) != NULL) {
        put_key_column(&b, c);
        put_key_value(&b, row != NULL ? corm__field_get(c, row) : values[key_index(table, c)]);
        columns++;
    }
    return end_key(&b, columns);
}

struct corm__key corm__key_of_row(struct corm_arena *arena, const struct corm_table *table,
                                  const void *row)
{
    return make_key(arena, table, row, NULL);
}

struct corm__key corm__key_of_values(struct corm_arena *arena, const struct corm_table *table,
                                     const struct corm_value *values)
{
    return make_key(arena, table, NULL, values);
}

int corm__key_compare(struct corm__key a, struct corm__key b)
{
    int order = memcmp(a.bytes, b.bytes, a.size < b.size ? a.size : b.size);

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* The one equality on `column` among `n` of them, or NULL where there is none or more than one. */
static const struct corm_expr *equality_on(const struct corm_expr *equalities, uint32_t n,
                                           const struct corm_column *column)
{
    const struct corm_expr *found = NULL;

    for (uint32_t i = 0; i < n; i++) {
        if (equalities[i].op != CORM_EQ || equalities[i].value.kind == CORM_V_COLUMN)
            return NULL;
        if (equalities[i].column == column) {
            if (found != NULL)
                return NULL;
            found = &equalities[i];
        }
    }
    return found;
}

struct corm__key corm__key_of_condition(struct corm_arena *arena, const struct corm_table *table,
                                        const struct corm_expr *where)
{
    const struct corm_expr *equalities = where;
    uint32_t                n = 1, columns = 0;
    struct corm__buffer     b;

    if (where->op == CORM_AND) {
        equalities = where->kids;
        for (n = 0; equalities != NULL && equalities[n].op != CORM_END;)
            n++;
    }
    corm__buffer_init(&b, arena);
    corm__buffer_add(&b, table->name, strlen(table->name) + 1);
    for (const struct corm_column *c = NULL; (c = next_key_column(table, c)) != NULL; columns++) {
        const struct corm_expr *e = equality_on(equalities, n, c);
        if (e == NULL)
            return (struct corm__key){0};
        put_key_column(&b, c);
        put_key_value(&b, e->value);
    }
    return columns == n ? end_key(&b, columns) : (struct corm__key){0};
}
