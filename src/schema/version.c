/* schema/version.c -- the column that counts the updates of its row. */
#include "schema/version.h"

#include "schema/dialect.h"
#include "schema/row.h"

static bool can_count(const struct corm_column *column)
{
    return (column->type == CORM_INT || column->type == CORM_BIGINT) && !column->nullable &&
           !column->pk && !column->unique && !column->is_unsigned && column->generated == NULL;
}

int corm__version_column(const struct corm_table *table, const struct corm_column **column,
                         struct corm_error *error)
{
    const struct corm_column *found = NULL;

    *column = NULL;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct corm_column *c = &table->columns[i];
        if (!c->version)
            continue;
        if (!can_count(c))
            return corm__fail(error, CORM_MISUSE,
                              "%s.%s has .version: it must be int or bigint, and neither nullable "
                              "nor .pk nor .unique",
                              table->name, c->name);
        if (found != NULL)
            return corm__fail(error, CORM_MISUSE,
                              "%s.%s and %s.%s both have .version: a model has one at most",
                              table->name, found->name, table->name, c->name);
        found = c;
    }
    *column = found;
    return 0;
}

int corm__version_check(const struct corm_table *table, const struct corm_column *version,
                        const void *row, struct corm_error *error)
{
    int64_t last = version->type == CORM_INT ? INT32_MAX : INT64_MAX;

    if (corm__field_get(version, row).as.i < last)
        return 0;
    return corm__fail(error, CORM_OUT_OF_RANGE,
                      "column %s of table %s: the version has counted to the end of its type",
                      corm__column_name(version), table->name);
}

void corm__version_count_up(const struct corm_column *version, const void *row)
{
    union {
        const void *given;
        void       *own;
    } as = {.given = row};
    void *field = (char *)as.own + version->offset;

    if (version->type == CORM_INT)
        ++*(int32_t *)field;
    else
        ++*(int64_t *)field;
}
