/* sql/group_sql.h -- what a group of transactions sends: the lock of its keys, and rows by arrays. */
#ifndef CORM_SQL_GROUP_SQL_H
#define CORM_SQL_GROUP_SQL_H

#include "sql/statement.h"

/* The most columns of a primary key that a key may have. */
enum { CORM__KEY_COLUMNS_MAX = 2 };

/* The columns of a table's primary key, in the order of the model; how many, 0 where there are none or
 * more than CORM__KEY_COLUMNS_MAX. */
uint32_t corm__key_columns(const struct corm_table  *table,
                           const struct corm_column *columns[CORM__KEY_COLUMNS_MAX]);

/* Reads and locks the rows with these primary keys, in the order of the keys, by the primary key and
 * never by a scan. `values` are `count` times as many as the key has columns. `wait_ms` bounds the wait
 * for the locks (0: it is not bounded) where the server can do that. `behind`, where it is not NULL, are
 * `behind_count` statements without rows that run behind it, in the same trip; only where
 * corm__has_compound(). */
int corm__make_lock(enum corm_dialect dialect, struct corm_arena *arena,
                    const struct corm_table *table, const struct corm_value *values, uint32_t count,
                    uint32_t wait_ms, const struct corm__statement *behind, size_t behind_count,
                    struct corm__statement *statement, struct corm_error *error);

/* Locks the row with this primary key, where there is one, and gives no rows, so that it can stand in
 * front of another statement. */
int corm__make_lock_only(enum corm_dialect dialect, struct corm_arena *arena,
                         const struct corm_table *table, const struct corm_value *values,
                         struct corm__statement *statement, struct corm_error *error);

/* Makes an INSERT of one row give the key that the server generates for it. */
int corm__make_returning(enum corm_dialect dialect, struct corm_arena *arena,
                         const struct corm_table *table, struct corm__statement *statement,
                         struct corm_error *error);

/* Makes an INSERT of one row, which takes one value more, give that value back where the row goes in. With
 * `ignores` it passes over rows that the table refuses, as far as the server can do that. Not on MySQL. */
int corm__make_telling(enum corm_dialect dialect, struct corm_arena *arena, bool ignores,
                       struct corm__statement *statement, struct corm_error *error);

/* The values that corm__make_insert() would bind for `write`, without its text; copies, in the arena. */
int corm__insert_values(enum corm_dialect dialect, struct corm_arena *arena,
                        const struct corm_table *table, const struct corm_write *write,
                        const struct corm_value **values, uint32_t *count,
                        struct corm_error *error);

/* UPDATE of these columns, by the primary key; `set` and `key` are the columns of its `?`, in order. */
int corm__make_update_by_key(enum corm_dialect dialect, struct corm_arena *arena,
                             const struct corm_table *table, const struct corm_column *const *set,
                             uint32_t set_count, struct corm__statement *statement,
                             struct corm_error *error);

/* The values of some columns of a row, as a statement binds them. Text is pointed at. */
int corm__column_values(enum corm_dialect dialect, struct corm_arena *arena,
                        const struct corm_table *table, const struct corm_column *const *columns,
                        uint32_t count, const void *row, const struct corm_value **values,
                        struct corm_error *error);

/* One value as a statement binds it when it stores it in `column`, or compares it; a copy, in the
 * arena. */
int corm__bound_value(enum corm_dialect dialect, struct corm_arena *arena,
                      const struct corm_table *table, const struct corm_column *column,
                      struct corm_value value, bool stored, struct corm_value *bound,
                      struct corm_error *error);

#endif
