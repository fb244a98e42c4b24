/* api/guard.c -- the guards of rows that calls have locked. */
#include "api/guard.h"

#include "route/rendezvous.h"
#include "schema/row.h"
#include "sql/key.h"

enum { COLUMNS_MAX = 32 }; /* of a primary key: more than any server takes */

int corm__guard_values(struct corm_trx *trx, const struct corm_table *table,
                       const struct corm_value *values, struct corm_error *error)
{
    if (!corm__trx_is_guarded(trx))
        return 0;
    return corm__trx_guard(trx, corm__hash_key(table, values), error);
}

/* How many columns its primary key has. 0, and an error, where the rows cannot be told apart by it. */
static uint32_t count_keys(const struct corm_table *table, struct corm_error *error)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < table->column_count; i++)
        n += table->columns[i].pk;
    if (n > 0 && n <= COLUMNS_MAX)
        return n;
    corm__fail(
        error, CORM_UNSUPPORTED,
        "rows of table %s cannot be locked in a cluster with several writers: its model has no "
        "primary key",
        table->name);
    return 0;
}

int corm__guard_row(struct corm_trx *trx, const struct corm_table *table, const void *row,
                    struct corm_error *error)
{
    struct corm_value values[COLUMNS_MAX];
    uint32_t          n = 0;

    if (!corm__trx_is_guarded(trx))
        return 0;
    if (count_keys(table, error) == 0)
        return error->code;
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].pk)
            values[n++] = corm__field_get(&table->columns[i], row);
    return corm__guard_values(trx, table, values, error);
}

int corm__guard_condition(struct corm_trx *trx, const struct corm_table *table,
                          const struct corm_expr *where, struct corm_error *error)
{
    const struct corm_expr *equalities = where->op == CORM_AND ? where->kids : where;
    struct corm_value       values[COLUMNS_MAX] = {{0}};
    uint32_t                n = 0;

    if (!corm__trx_is_guarded(trx) ||
        corm__key_of_condition(trx->drafts, table, where).bytes == NULL)
        return 0;
    if (count_keys(table, error) == 0)
        return error->code;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].pk)
            continue;
        const struct corm_expr *e = equalities;
        while (e->column != &table->columns[i]) /* it is exactly the key */
            e++;
        values[n++] = e->value;
    }
    return corm__guard_values(trx, table, values, error);
}
