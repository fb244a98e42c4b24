/* base/arena.c -- memory that is freed at once.
 *
 * A list of blocks; each allocation is cut from the first. A block is BLOCK_SIZE or, for something
 * larger, just as large as that: such a one stands behind the first, from which there is still to be
 * cut, and where it is enlarged it is enlarged whole, which for the large the system does without a
 * copy. Reset keeps blocks of `keep` bytes in all, one of
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
    struct block *spare;            /* kept by a reset */
    size_t        size;             /* of `blocks` */
    size_t        spare_size, keep; /* of both what a reset leaves is `keep` at most */
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
    struct block *only = arena->blocks;

    if (only != NULL && only->next == NULL && only->size <= arena->keep - arena->spare_size) {
        only->used = 0; /* as good as always: it stays where it is */
        return;
    }
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

static struct block *add_block(struct corm_arena *arena, size_t size)
{
    struct block *b = take_block(arena, size > BLOCK_SIZE ? size : BLOCK_SIZE);

    if (b == NULL)
        return NULL;
    b->used = 0;
    struct block **at = &arena->blocks;
    if (size > BLOCK_SIZE && *at != NULL)
        at = &(*at)->next;
    b->next = *at;
    *at = b;
    arena->size += b->size;
    return b;
}

/* `alignment` is a power of two. */
static inline void *cut(struct corm_arena *arena, size_t size, size_t alignment)
{
    struct block *b = arena->blocks;
    size_t        start = b != NULL ? (b->used + alignment - 1) & ~(alignment - 1) : 0;

    if (size > SIZE_MAX - 2 * BLOCK_SIZE)
        return NULL;
    if (b == NULL || start > b->size || b->size - start < size) {
        b = add_block(arena, size);
        if (b == NULL)
            return NULL;
        start = 0;
    }
    b->used = start + size;
    return b->data + start;
}

void *corm_arena_alloc(struct corm_arena *arena, size_t size)
{
    return cut(arena, size, ALIGNMENT);
}

char *corm__arena_copy(struct corm_arena *arena, const void *data, size_t size)
{
    char *copy = size < SIZE_MAX ? cut(arena, size + 1, 1) : NULL;

    if (copy == NULL)
        return NULL;
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

/* The place in the list of the block that holds `old` and nothing else; NULL: there is none. */
static struct block **find_whole(struct corm_arena *arena, const void *old, size_t old_size)
{
    for (struct block **at = &arena->blocks; *at != NULL; at = &(*at)->next)
        if ((*at)->data == old)
            return (*at)->used == old_size ? at : NULL;
    return NULL;
}

static void *grow_whole(struct corm_arena *arena, struct block **at, size_t size)
{
    size_t        was = (*at)->size;
    struct block *b = realloc(*at, sizeof(struct block) + size);

    if (b == NULL)
        return NULL;
    b->size = b->used = size;
    *at = b;
    arena->size += size - was;
    return b->data;
}

void *corm__arena_grow(struct corm_arena *arena, void *old, size_t old_size, size_t size)
{
    struct block *b = arena->blocks;

    if (size > SIZE_MAX / 2)
        return NULL;
    if (old != NULL && b != NULL && b->used >= old_size &&
        (unsigned char *)old == b->data + b->used - old_size) {
        size_t start = b->used - old_size;
        if (size <= b->size - start) {
            b->used = start + size;
            return old;
        }
    }
    if (old != NULL && old_size > BLOCK_SIZE && size > old_size) {
        struct block **whole = find_whole(arena, old, old_size);
        if (whole != NULL)
            return grow_whole(arena, whole, size);
    }
    void *grown = corm_arena_alloc(arena, size);
    if (grown != NULL && old != NULL)
        memcpy(grown, old, old_size < size ? old_size : size);
    return grown;
}
