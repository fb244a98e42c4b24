/* base/arena.c -- memory that is freed at once.
 *
 * A list of blocks, newest first; each allocation is cut from the newest. A block is BLOCK_SIZE or,
 * for something larger, just as large as that. Reset frees all blocks but one of BLOCK_SIZE, so a
 * loop that resets and stays below BLOCK_SIZE never calls malloc. Not for two threads at once. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 16 * 1024, ALIGNMENT = alignof(max_align_t) };

struct block {
    struct block *next;
    size_t        size; /* of data */
    size_t        used;
    alignas(ALIGNMENT) unsigned char data[];
};

struct corm_arena {
    struct block *blocks;
};

struct corm_arena *corm_arena_new(void)
{
    return calloc(1, sizeof(struct corm_arena));
}

void corm_arena_reset(struct corm_arena *arena)
{
    struct block *kept = NULL;

    for (struct block *b = arena->blocks, *next; b != NULL; b = next) {
        next = b->next;
        if (kept == NULL && b->size == BLOCK_SIZE)
            kept = b;
        else
            free(b);
    }
    if (kept != NULL) {
        kept->next = NULL;
        kept->used = 0;
    }
    arena->blocks = kept;
}

void corm_arena_free(struct corm_arena *arena)
{
    if (arena == NULL)
        return;
    for (struct block *b = arena->blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    free(arena);
}

void *corm_arena_alloc(struct corm_arena *arena, size_t size)
{
    struct block *b = arena->blocks;

    if (size > SIZE_MAX - 2 * BLOCK_SIZE)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (b == NULL || b->size - b->used < size) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        b = malloc(sizeof(struct block) + room);
        if (b == NULL)
            return NULL;
        b->size = room;
        b->used = 0;
        b->next = arena->blocks;
        arena->blocks = b;
    }
    void *p = b->data + b->used;
    b->used += size;
    return p;
}

char *corm__arena_copy(struct corm_arena *arena, const void *data, size_t size)
{
    char *copy = corm_arena_alloc(arena, size + 1);

    if (copy == NULL)
        return NULL;
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

void *corm__arena_grow(struct corm_arena *arena, void *old, size_t old_size, size_t size)
{
    struct block *b = arena->blocks;
    size_t        rounded = (old_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    if (old != NULL && b != NULL && b->used >= rounded && size <= SIZE_MAX / 2 &&
        (unsigned char *)old == b->data + b->used - rounded) {
        size_t start = b->used - rounded;
        size_t wanted = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (wanted <= b->size - start) {
            b->used = start + wanted;
            return old;
        }
    }
    void *grown = corm_arena_alloc(arena, size);
    if (grown != NULL && old != NULL)
        memcpy(grown, old, old_size < size ? old_size : size);
    return grown;
}
