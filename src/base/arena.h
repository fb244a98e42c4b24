/* base/arena.h -- what the public arena offers to the library itself. */
#ifndef CORM_BASE_ARENA_H
#define CORM_BASE_ARENA_H

#include <corm/arena.h>
#include <stdbool.h>

/* How many bytes its blocks have; one that a reset has kept may be among them. */
size_t corm__arena_size(const struct corm_arena *arena);

/* From now on a reset keeps blocks of up to `bytes` in all: what is done over and over asks for nothing. */
void corm__arena_keep(struct corm_arena *arena, size_t bytes);

/* A copy of `size` bytes with a NUL behind them; NULL when there is no memory. */
char *corm__arena_copy(struct corm_arena *arena, const void *data, size_t size);

/* `old` (or NULL) enlarged from `old_size` to `size` bytes, in place where it is the newest allocation;
 * that is how it can be made smaller, too. Elsewhere it moves, and `old` is gone. NULL when there is no
 * memory: `old` is then as it was. */
void *corm__arena_grow(struct corm_arena *arena, void *old, size_t old_size, size_t size);

#endif
