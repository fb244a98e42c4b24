/* sql/key.h -- a row's identity: its table's SQL name and its primary key, as bytes.
 *
 * The bytes are the same on every machine, whatever its byte order and the size of its words: by them
 * processes agree which node of a cluster a key belongs to (route/rendezvous.h). */
#ifndef CORM_SQL_KEY_H
#define CORM_SQL_KEY_H

#include <corm/arena.h>
#include <corm/condition.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value as a key holds it: `head`, and behind it what `tail` points at, which is the value's own. */
struct corm__key_part {
    char        head[17];
    size_t      head_size;
    const void *tail;
    size_t      tail_size;
};

/* False for what is never part of a key: NULL, a column, a blob, digits of a decimal. */
bool corm__key_part(struct corm_value value, struct corm__key_part *part);

/* The column of the primary key whose SQL name follows that of `before`, or the first for NULL; NULL
 * behind the last. That is the order in which a key holds them. */
const struct corm_column *corm__next_key_column(const struct corm_table  *table,
                                                const struct corm_column *before);

/* Which of the key columns of a model, in its order, `column` is. */
uint32_t corm__key_index(const struct corm_table *table, const struct corm_column *column);

struct corm__key {
    const void *bytes; /* in the arena; NULL: no key */
    size_t      size;
};

/* The key of a row that was read. No key where the table has none, or memory ran out. */
struct corm__key corm__key_of_row(struct corm_arena *arena, const struct corm_table *table,
                                  const void *row);

/* The key of values, in the order of the model's key columns. */
struct corm__key corm__key_of_values(struct corm_arena *arena, const struct corm_table *table,
                                     const struct corm_value *values);

/* The order in which keys are locked: below 0, 0 where they are the same, above 0. */
int corm__key_compare(struct corm__key a, struct corm__key b);

/* The key that a condition names, if it is exactly an equality on each column of the primary key (one
 * alone, or and-ed) with a value; no key otherwise. Text counts byte by byte. */
struct corm__key corm__key_of_condition(struct corm_arena *arena, const struct corm_table *table,
                                        const struct corm_expr *where);

#endif
