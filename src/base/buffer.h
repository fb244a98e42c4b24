/* base/buffer.h -- text that grows, in an arena.
 *
 * An append that finds no memory marks the buffer as failed and all further appends do nothing, so
 * only the end has to be checked. The text always ends with NUL while the buffer has not failed. */
#ifndef CORM_BASE_BUFFER_H
#define CORM_BASE_BUFFER_H

#include <corm/arena.h>
#include <stdbool.h>
#include <stddef.h>

struct corm__buffer {
    struct corm_arena *arena;
    char              *text;
    size_t             size; /* without the NUL */
    size_t             capacity;
    bool               failed;
};

/* An empty buffer; `text` is "" or, where there is no memory, NULL and the buffer has failed. */
void corm__buffer_init(struct corm__buffer *buffer, struct corm_arena *arena);
/* Appends `size` bytes that the caller puts where it points; NULL where there is no memory. */
char *corm__buffer_extend(struct corm__buffer *buffer, size_t size);
void  corm__buffer_add(struct corm__buffer *buffer, const char *text, size_t size);
void  corm__buffer_puts(struct corm__buffer *buffer, const char *text);
void  corm__buffer_putc(struct corm__buffer *buffer, char c);

#endif
