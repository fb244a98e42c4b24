/* base/buffer.c -- text that grows, in an arena. */
#include "base/buffer.h"

#include "base/arena.h"

#include <string.h>

enum { FIRST_CAPACITY = 256 };

void corm__buffer_init(struct corm__buffer *buffer, struct corm_arena *arena)
{
    *buffer = (struct corm__buffer){.arena = arena};
    corm__buffer_add(buffer, "", 0);
}

static bool grow(struct corm__buffer *buffer, size_t size)
{
    size_t capacity = buffer->capacity == 0 ? FIRST_CAPACITY : buffer->capacity * 2;

    while (capacity - buffer->size <= size)
        capacity *= 2;
    char *grown = corm__arena_grow(buffer->arena, buffer->text, buffer->capacity, capacity);
    if (grown == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->text = grown;
    buffer->capacity = capacity;
    return true;
}

char *corm__buffer_extend(struct corm__buffer *buffer, size_t size)
{
    if (buffer->failed || (buffer->capacity - buffer->size <= size && !grow(buffer, size)))
        return NULL;
    char *at = buffer->text + buffer->size;
    buffer->size += size;
    buffer->text[buffer->size] = '\0';
    return at;
}

void corm__buffer_add(struct corm__buffer *buffer, const char *text, size_t size)
{
    char *at = corm__buffer_extend(buffer, size);

    if (at != NULL)
        memcpy(at, text, size);
}

void corm__buffer_puts(struct corm__buffer *buffer, const char *text)
{
    corm__buffer_add(buffer, text, strlen(text));
}

void corm__buffer_putc(struct corm__buffer *buffer, char c)
{
    char *at = corm__buffer_extend(buffer, 1);

    if (at != NULL)
        *at = c;
}
