/* sql/alias.c -- a second handle of a model: the same columns at another place. */
#include <corm/read.h>

#include <string.h>

/* A struct of handles is the table's pointer and, behind it, one pointer for each column. */
const void *corm_alias_(void *handles, struct corm_column *columns, struct corm_table *table,
                        const char *name)
{
    const struct corm_table *model;

    memcpy(&model, handles, sizeof(void *));
    memcpy(columns, model->columns, model->column_count * sizeof(*columns));
    *table = *model;
    table->columns = columns;
    table->alias = name;
    model = table;
    memcpy(handles, &model, sizeof(void *));
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct corm_column *column = &columns[i];
        memcpy((char *)handles + (i + 1) * sizeof(void *), &column, sizeof(void *));
    }
    return handles;
}
