/* base/buffer.h -- text that grows, in an arena.
 *
 * An append that finds no memory marks the buffer as failed and all further appends do nothing, so
 * only the end has to be checked. The text always ends with NUL while the buffer has not failed. */
#ifndef CORM_BASE_BUFFER_H
#define CORM_BASE_BUFFER_H

#include <corm/arena.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct corm__buffer {
    struct corm_arena *arena;
    char              *text;
    size_t             size; /* without the NUL */
    size_t             capacity;
    bool               failed;
};

/* An empty buffer; `text` is "" or, where there is no memory, NULL and the buffer has failed. */
void corm__buffer_init(struct corm__buffer *buffer, struct corm_arena *arena);

/* Makes room for `size` bytes more and the NUL; false where there is no memory. */
bool corm__buffer_grow(struct corm__buffer *buffer, size_t size);

/* Appends `size` bytes that the caller puts where it points; NULL where there is no memory. */
static inline char *corm__buffer_extend(struct corm__buffer *buffer, size_t size)
{
    if (buffer->failed ||
        (buffer->capacity - buffer->size <= size && !corm__buffer_grow(buffer, size)))
        return NULL;
    char *at = buffer->text + buffer->size;
    buffer->size += size;
    buffer->text[buffer->size] = '\0';
    return at;
}

/* Here, so that of a literal the compiler knows the size. */
static inline void corm__buffer_add(struct corm__buffer *buffer, const char *text, size_t size)
{
    char *at = corm__buffer_extend(buffer, size);

    if (at != NULL)
        memcpy(at, text, size);
}

static inline void corm__buffer_puts(struct corm__buffer *buffer, const char *text)
{
    corm__buffer_add(buffer, text, strlen(text));
}

static inline void corm__buffer_putc(struct corm__buffer *buffer, char c)
{
    corm__buffer_add(buffer, &c, 1);
}

#endif
