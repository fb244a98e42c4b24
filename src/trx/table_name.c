/* trx/table_name.c -- the names of corm's own tables. */
#include "trx/table_name.h"

#include "schema/dialect.h"

#include <stddef.h>

void corm__put_own_table(struct corm__buffer *text, const char *database, const char *table)
{
    if (database != NULL) {
        corm__put_name(text, CORM_DIALECT_MARIADB, database);
        corm__buffer_putc(text, '.');
    }
    corm__buffer_puts(text, table);
}
