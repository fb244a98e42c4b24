/* sql/key.c -- a row's identity as bytes: "<table>\0", then per key column its name and "\0", a kind and a
 * value, in the order of the names: two models of one table may have their columns in any order.
 *
 *     i  an integer, a bool or a time: eight bytes, two's complement      u  the same from 2^63 on
 *     r  a real: the eight bytes of IEEE 754                              b  the 16 bytes of a UUID
 *     t  a text: its size in eight bytes, then its bytes
 *
 * Eight bytes stand with the lowest first. */
#include "sql/key.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "schema/dialect.h"
#include "schema/row.h"

#include <string.h>

static void put_head(struct corm__key_part *part, char kind, uint64_t number)
{
    part->head[0] = kind;
    for (int i = 0; i < 8; i++)
        part->head[1 + i] = (char)(number >> 8 * i & 0xff);
    part->head_size = 9;
}

bool corm__key_part(struct corm_value value, struct corm__key_part *part)
{
    uint64_t bits;

    part->tail_size = 0;
    switch (value.kind) {
    case CORM_V_INT:
    case CORM_V_UINT: /* within 63 bits, or no such row exists: told apart by the kind */
    case CORM_V_TIME:
        put_head(part, value.kind == CORM_V_UINT && value.as.u > INT64_MAX ? 'u' : 'i', value.as.u);
        return true;
    case CORM_V_REAL:
        memcpy(&bits, &value.as.r, sizeof(bits));
        put_head(part, 'r', bits);
        return true;
    case CORM_V_TEXT:
        part->tail = value.as.s;
        part->tail_size = value.size != 0 ? value.size : strlen(value.as.s);
        put_head(part, 't', part->tail_size);
        return true;
    case CORM_V_UUID:
        part->head[0] = 'b';
        memcpy(part->head + 1, value.as.uuid.bytes, sizeof(value.as.uuid.bytes));
        part->head_size = 1 + sizeof(value.as.uuid.bytes);
        return true;
    default: return false;
    }
}

static void put_key_value(struct corm__buffer *b, struct corm_value value)
{
    struct corm__key_part part;

    if (!corm__key_part(value, &part)) {
        b->failed = true;
        return;
    }
    corm__buffer_add(b, part.head, part.head_size);
    if (part.tail_size > 0)
        corm__buffer_add(b, part.tail, part.tail_size);
}

/* Gives back what the buffer has too much, so that a key for each of many rows costs little. */
static struct corm__key end_key(const struct corm__buffer *b, uint32_t columns)
{
    if (b->failed || columns == 0)
        return (struct corm__key){0};
    (void)corm__arena_grow(b->arena, b->text, b->capacity, b->size);
    return (struct corm__key){.bytes = b->text, .size = b->size};
}

const struct corm_column *corm__next_key_column(const struct corm_table  *table,
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

uint32_t corm__key_index(const struct corm_table *table, const struct corm_column *column)
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
    while ((c = corm__next_key_column(table, c)) != NULL) {
        put_key_column(&b, c);
        put_key_value(&b,
                      values != NULL ? values[corm__key_index(table, c)] : corm__field_get(c, row));
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
    for (const struct corm_column *c = NULL; (c = corm__next_key_column(table, c)) != NULL;
         columns++) {
        const struct corm_expr *e = equality_on(equalities, n, c);
        if (e == NULL)
            return (struct corm__key){0};
        put_key_column(&b, c);
        put_key_value(&b, e->value);
    }
    return columns == n ? end_key(&b, columns) : (struct corm__key){0};
}
