/* schema/dialect.c -- names as each server writes them. */
#include "schema/dialect.h"

#include <string.h>

enum { ROOM = 40 };

/* One with quotes in it, a long one, or one for which there is no room yet. */
static void put_odd_name(struct corm__buffer *buffer, char quote, const char *name)
{
    corm__buffer_putc(buffer, quote);
    for (; *name != '\0'; name++) {
        if (*name == quote)
            corm__buffer_putc(buffer, quote);
        corm__buffer_putc(buffer, *name);
    }
    corm__buffer_putc(buffer, quote);
}

/* Names are short and most of what a statement is made of: they are written as they are read. */
void corm__put_name(struct corm__buffer *buffer, enum corm_dialect dialect, const char *name)
{
    char quote = dialect == CORM_DIALECT_SQLITE ? '"' : '`';

    if (!buffer->failed && buffer->capacity - buffer->size >= ROOM) {
        char       *start = buffer->text + buffer->size, *at = start;
        const char *end = at + ROOM - 2; /* the second quote and the NUL */
        const char *p = name;
        for (*at++ = quote; *p != '\0' && *p != quote && at < end; p++)
            *at++ = *p;
        if (*p == '\0') {
            at[0] = quote;
            at[1] = '\0';
            buffer->size += (size_t)(at + 1 - start);
            return;
        }
        *start = '\0'; /* as it was */
    }
    put_odd_name(buffer, quote, name);
}
