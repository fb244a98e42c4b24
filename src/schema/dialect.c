/* schema/dialect.c -- names as each server writes them. */
#include "schema/dialect.h"

void corm__put_name(struct corm__buffer *buffer, enum corm_dialect dialect, const char *name)
{
    char quote = dialect == CORM_DIALECT_SQLITE ? '"' : '`';

    corm__buffer_putc(buffer, quote);
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == quote)
            corm__buffer_putc(buffer, quote);
        corm__buffer_putc(buffer, *c);
    }
    corm__buffer_putc(buffer, quote);
}

const char *corm__column_name(const struct corm_column *column)
{
    return column->sql_name != NULL ? column->sql_name : column->name;
}
