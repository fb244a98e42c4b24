/* base/arena.c -- memory that is freed at once.
 *
 * A list of blocks, newest first; each allocation is cut from the newest. A block is BLOCK_SIZE or,
 * for something larger, just as large as that. Reset keeps blocks of `keep` bytes in all, one of
 * BLOCK_SIZE unless somebody asked for more: a loop that resets and stays below that never calls
 * malloc. Not for two threads at once. */
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
    struct block *spare; /* kept by a reset */
    size_t        size;  /* of `blocks` */
    size_t        spare_size, keep;
};

struct corm_arena *corm_arena_new(void)
{
    struct corm_arena *arena = calloc(1, sizeof(*arena));

    if (arena != NULL)
        arena->keep = BLOCK_SIZE;
    return arena;
}

void corm__arena_keep(struct corm_arena *arena, size_t bytes)
{
    arena->keep = bytes;
}

size_t corm__arena_size(const struct corm_arena *arena)
{
    return arena->size;
}

void corm_arena_reset(struct corm_arena *arena)
{
    for (struct block *b = arena->blocks, *next; b != NULL; b = next) {
        next = b->next;
        if (b->size > arena->keep - arena->spare_size) {
            free(b);
            continue;
        }
        b->next = arena->spare;
        arena->spare = b;
        arena->spare_size += b->size;
    }
    arena->blocks = NULL;
    arena->size = 0;
}

static void free_blocks(struct block *blocks)
{
    for (struct block *b = blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
}

void corm_arena_free(struct corm_arena *arena)
{
    if (arena == NULL)
        return;
    free_blocks(arena->blocks);
    free_blocks(arena->spare);
    free(arena);
}

/* A block of that size or more, of those kept or a new one; NULL when there is no memory. */
static struct block *take_block(struct corm_arena *arena, size_t size)
{
    for (struct block **at = &arena->spare; *at != NULL; at = &(*at)->next) {
        struct block *b = *at;
        if (b->size >= size) {
            *at = b->next;
            arena->spare_size -= b->size;
            return b;
        }
    }
    struct block *b = malloc(sizeof(struct block) + size);
    if (b != NULL)
        b->size = size;
    return b;
}

void *corm_arena_alloc(struct corm_arena *arena, size_t size)
{
    struct block *b = arena->blocks;

    if (size > SIZE_MAX - 2 * BLOCK_SIZE)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (b == NULL || b->size - b->used < size) {
        b = take_block(arena, size > BLOCK_SIZE ? size : BLOCK_SIZE);
        if (b == NULL)
            return NULL;
        b->used = 0;
        b->next = arena->blocks;
        arena->blocks = b;
        arena->size += b->size;
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
