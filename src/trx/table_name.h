/* trx/table_name.h -- the names of corm's own tables. */
#ifndef CORM_TRX_TABLE_NAME_H
#define CORM_TRX_TABLE_NAME_H

#include "base/buffer.h"

/* Puts it with its database, where that is not NULL: a session may have been told to USE another one. */
void corm__put_own_table(struct corm__buffer *text, const char *database, const char *table);

#endif
