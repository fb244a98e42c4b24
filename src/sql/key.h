/* sql/key.h -- a row's identity: its table's SQL name and its primary key, as bytes. */
#ifndef CORM_SQL_KEY_H
#define CORM_SQL_KEY_H

#include <corm/arena.h>
#include <corm/condition.h>
#include <stddef.h>

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
