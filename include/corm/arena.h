/* corm/arena.h -- memory that is freed at once.
 *
 * Text, blobs and row arrays that a call returns live in an arena: inside a transaction in that of
 * the attempt (corm_trx_arena()), which ends with it; outside one in an arena of the caller's that
 * is passed as .arena. One arena belongs to one thread at a time. */
#ifndef CORM_ARENA_H
#define CORM_ARENA_H

#include <stddef.h>
#include <corm/version.h>

#ifdef __cplusplus
extern "C" {
#endif

struct corm_arena;

/* A new, empty arena, or NULL when there is no memory. The caller frees it. */
CORM_API struct corm_arena *corm_arena_new(void);

/* Frees everything that was allocated in it; the arena can be used again and keeps one block, so
 * that a loop which resets it does not allocate. */
CORM_API void corm_arena_reset(struct corm_arena *arena);

/* Frees the arena and everything in it. NULL is allowed. */
CORM_API void corm_arena_free(struct corm_arena *arena);

/* Gives `size` bytes, aligned for any type, not cleared; NULL when there is no memory (the arena is then
 * as it was). They live until the arena is reset or freed. */
CORM_API void *corm_arena_alloc(struct corm_arena *arena, size_t size);

#ifdef __cplusplus
}
#endif
#endif
