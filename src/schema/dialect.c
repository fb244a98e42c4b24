/* schema/dialect.c -- names as each server writes them. */
#include "schema/dialect.h"

#include <string.h>

void corm__put_name(struct corm__buffer *buffer, enum corm_dialect dialect, const char *name)
{
    char   quote = dialect == CORM_DIALECT_SQLITE ? '"' : '`';
    size_t size = 2;

    for (const char *p = name; *p != '\0'; p++) /* a quote in a name is written twice */
        size += *p == quote ? 2 : 1;
    char *at = corm__buffer_extend(buffer, size);
    if (at == NULL)
        return;
    *at++ = quote;
    for (; *name != '\0'; name++) {
        if (*name == quote)
            *at++ = quote;
        *at++ = *name;
    }
    *at = quote;
}

const char *corm__column_name(const struct corm_column *column)
{
    return column->sql_name != NULL ? column->sql_name : column->name;
}
