/* sql/lock_keys.h -- the .key of a transaction: the rows that it locks first, by their primary keys. */
#ifndef CORM_SQL_LOCK_KEYS_H
#define CORM_SQL_LOCK_KEYS_H

#include "sql/group_sql.h"

enum { CORM__LOCK_KEYS_MAX = 16 }; /* of one transaction */

struct corm__lock_key {
    const struct corm_table *table;
    struct corm_value values[CORM__KEY_COLUMNS_MAX]; /* in the order of corm__key_columns() */
};

/* Keys with text of their own. Zeroed at first; the memory is kept from use to use. */
struct corm__lock_keys {
    struct corm__lock_key *keys;
    uint32_t               count;
    struct corm__lock_key  one;  /* where there is no more than one, and no text */
    void                  *more; /* else */
    size_t                 more_size;
};

/* The keys that a .key names, as many as CORM__LOCK_KEYS_MAX; their text is pointed at. 0, or
 * CORM_MISUSE where it is no condition on exactly the primary key. */
int corm__read_keys(const struct corm_expr *key, struct corm__lock_key *keys, uint32_t *count,
                    struct corm_error *error);

/* Copies keys and their text. 0 or CORM_NO_MEMORY. */
int corm__keep_keys(struct corm__lock_keys *kept, const struct corm__lock_key *keys, uint32_t count,
                    struct corm_error *error);

void corm__lock_keys_free(struct corm__lock_keys *kept);

#endif
