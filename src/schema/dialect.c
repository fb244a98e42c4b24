/* schema/dialect.c -- names as each server writes them. */
#include "schema/dialect.h"

#include <string.h>

void corm__put_name(struct corm__buffer *buffer, enum corm_dialect dialect, const char *name)
{
    const char *quote = dialect == CORM_DIALECT_SQLITE ? "\"" : "`";

    corm__buffer_putc(buffer, *quote);
    for (;;) {
        size_t plain = strcspn(name, quote);
        corm__buffer_add(buffer, name, plain);
        if (name[plain] == '\0')
            break;
        corm__buffer_puts(buffer, quote); /* a quote in a name is written twice */
        corm__buffer_puts(buffer, quote);
        name += plain + 1;
    }
    corm__buffer_putc(buffer, *quote);
}

const char *corm__column_name(const struct corm_column *column)
{
    return column->sql_name != NULL ? column->sql_name : column->name;
}
