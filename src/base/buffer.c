/* base/buffer.c -- text that grows, in an arena. */
#include "base/buffer.h"

#include "base/arena.h"

enum { FIRST_CAPACITY = 256 };

void corm__buffer_init(struct corm__buffer *buffer, struct corm_arena *arena)
{
    *buffer = (struct corm__buffer){.arena = arena};
    corm__buffer_add(buffer, "", 0);
}

bool corm__buffer_grow(struct corm__buffer *buffer, size_t size)
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
