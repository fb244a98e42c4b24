/* base_test.c -- arena, buffer, map, clock and errors of the layer base; time and UTF-8 of schema.
 *
 * malloc(), calloc() and free() of everything that is linked in go through this file (the linker's
 * --wrap): it counts what is allocated, and lets memory run out when a test asks for that. */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/map.h"
#include "schema/text.h"

#include <corm/value.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Memory that is watched ------------------------------------------------- */

void *real_malloc(size_t size) __asm__("__real_malloc");
void *real_calloc(size_t n, size_t size) __asm__("__real_calloc");
void *real_realloc(void *p, size_t size) __asm__("__real_realloc");
void  real_free(void *p) __asm__("__real_free");
void *watched_malloc(size_t size) __asm__("__wrap_malloc");
void *watched_calloc(size_t n, size_t size) __asm__("__wrap_calloc");
void *watched_realloc(void *p, size_t size) __asm__("__wrap_realloc");
void  watched_free(void *p) __asm__("__wrap_free");

static long allocations;       /* since the test began */
static long live;              /* not freed yet */
static long memory_left = -1L; /* allocations until memory runs out; -1: enough */

static bool is_out_of_memory(size_t size)
{
    if (size > PTRDIFF_MAX || memory_left == 0)
        return true;
    if (memory_left > 0)
        memory_left--;
    allocations++;
    live++;
    return false;
}

void *watched_malloc(size_t size)
{
    return is_out_of_memory(size) ? NULL : real_malloc(size);
}

void *watched_calloc(size_t n, size_t size)
{
    return is_out_of_memory(size) ? NULL : real_calloc(n, size);
}

/* Of what is live: it stays one. */
void *watched_realloc(void *p, size_t size)
{
    if (is_out_of_memory(size))
        return NULL;
    live--;
    return real_realloc(p, size);
}

void watched_free(void *p)
{
    live -= p != NULL;
    real_free(p);
}

static int begin(void **state)
{
    (void)state;
    allocations = 0;
    live = 0;
    memory_left = -1;
    return 0;
}

static int end_without_leak(void **state)
{
    (void)state;
    memory_left = -1;
    return live == 0 ? 0 : -1;
}

static uint64_t random_state = 0x9E3779B97F4A7C15u;

/* Marsaglia's xorshift64: every run sees the same numbers. */
static uint64_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* ---- The arena ---------------------------------------------------------------- */

enum { BLOCK = 16 * 1024 }; /* of arena.c */

static void allocations_are_aligned_and_disjoint(void **state)
{
    enum { N = 3000 };
    static unsigned char *at[N];
    static size_t         sizes[N];
    struct corm_arena    *arena = corm_arena_new();

    (void)state;
    for (size_t i = 0; i < N; i++) {
        sizes[i] = random_number() % (i % 100 == 0 ? 40000 : 300);
        at[i] = corm_arena_alloc(arena, sizes[i]);
        assert_non_null(at[i]);
        assert_int_equal((uintptr_t)at[i] % alignof(max_align_t), 0);
        memset(at[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            if (at[i][k] != i % 251)
                fail_msg("byte %zu of allocation %zu was written by another one", k, i);
    corm_arena_free(arena);
}

static void large_allocations_have_blocks_of_their_own(void **state)
{
    struct corm_arena *arena = corm_arena_new();
    const size_t       sizes[] = {BLOCK, BLOCK + 1, BLOCK - 1, 1 << 20, 3 * BLOCK};

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *small = corm_arena_alloc(arena, 8);
        char *large = corm_arena_alloc(arena, sizes[i]);
        memset(large, 'x', sizes[i]);
        memset(small, 'y', 8);
        assert_int_equal(large[0], 'x');
        assert_int_equal(large[sizes[i] - 1], 'x');
    }
    corm_arena_free(arena);
}

static void small_allocations_share_a_block(void **state)
{
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    for (size_t i = 0; i < BLOCK / 16; i++)
        assert_non_null(corm_arena_alloc(arena, 16));
    assert_int_equal(allocations, 2); /* the arena and a block */
    assert_non_null(corm_arena_alloc(arena, 1));
    assert_int_equal(allocations, 3);
    corm_arena_free(arena);
}

static void an_empty_allocation_is_not_null(void **state)
{
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    assert_non_null(corm_arena_alloc(arena, 0));
    assert_non_null(corm_arena_alloc(arena, BLOCK));
    assert_non_null(corm_arena_alloc(arena, 0)); /* behind the last byte of a full block */
    corm_arena_free(arena);
}

static void a_reset_keeps_one_block_and_frees_the_others(void **state)
{
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++)
            assert_non_null(corm_arena_alloc(arena, BLOCK));
        assert_non_null(corm_arena_alloc(arena, 10 * BLOCK));
        corm_arena_reset(arena);
        assert_int_equal(live, 2); /* the arena and the block that it keeps */
        void *first = corm_arena_alloc(arena, BLOCK);
        corm_arena_reset(arena);
        assert_ptr_equal(corm_arena_alloc(arena, BLOCK), first); /* which is empty */
        assert_int_equal(live, 2);
    }
    corm_arena_free(arena);
    assert_int_equal(live, 0);
}

static void a_loop_that_resets_does_not_allocate(void **state)
{
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    assert_non_null(corm_arena_alloc(arena, 1));
    long before = allocations;
    for (int i = 0; i < 1000; i++) {
        for (int k = 0; k < 100; k++)
            memset(corm_arena_alloc(arena, 100), k, 100);
        corm_arena_reset(arena);
    }
    assert_int_equal(allocations, before);
    corm_arena_free(arena);
}

static void a_reset_of_large_blocks_alone_keeps_none(void **state)
{
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    corm_arena_reset(arena); /* empty */
    assert_non_null(corm_arena_alloc(arena, 2 * BLOCK));
    assert_non_null(corm_arena_alloc(arena, 3 * BLOCK));
    corm_arena_reset(arena);
    assert_int_equal(live, 1);
    assert_non_null(corm_arena_alloc(arena, 1));
    corm_arena_free(arena);
    corm_arena_free(NULL);
}

static void without_memory_an_arena_stays_as_it_was(void **state)
{
    (void)state;
    memory_left = 0;
    assert_null(corm_arena_new());
    memory_left = 1;
    struct corm_arena *arena = corm_arena_new();
    assert_non_null(arena);
    assert_null(corm_arena_alloc(arena, 1));
    memory_left = 1;
    char *text = corm__arena_copy(arena, "kept", 4);
    assert_null(corm_arena_alloc(arena, BLOCK));
    assert_null(corm__arena_copy(arena, text, BLOCK));
    assert_non_null(corm_arena_alloc(arena, 16)); /* of the block that is there */
    assert_string_equal(text, "kept");
    corm_arena_free(arena);
}

static void impossible_sizes_are_refused(void **state)
{
    struct corm_arena *arena = corm_arena_new();
    const size_t       sizes[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - BLOCK, SIZE_MAX - 3 * BLOCK,
                                  (size_t)PTRDIFF_MAX + 1};
    char              *small = corm_arena_alloc(arena, 16);

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        assert_null(corm_arena_alloc(arena, sizes[i]));
        assert_null(corm__arena_grow(arena, small, 16, sizes[i]));
    }
    assert_ptr_equal(corm_arena_alloc(arena, 16), small + 16);
    corm_arena_free(arena);
}

static void the_newest_allocation_grows_in_place(void **state)
{
    struct corm_arena *arena = corm_arena_new();
    char              *text = corm__arena_grow(arena, NULL, 0, 10);

    (void)state;
    memset(text, 'a', 10);
    for (size_t size = 10; size < 8000; size += 37)
        assert_ptr_equal(corm__arena_grow(arena, text, size, size + 37), text);
    char *next = corm_arena_alloc(arena, 16);
    assert_true(next >= text + 8000);
    assert_memory_equal(text, "aaaaaaaaaa", 10);
    assert_int_equal(allocations, 2);
    corm_arena_free(arena);
}

static void another_allocation_moves_when_it_grows(void **state)
{
    struct corm_arena *arena = corm_arena_new();
    char              *text = corm__arena_copy(arena, "old text", 8);
    char              *newest = corm__arena_copy(arena, "newest", 6);
    char              *grown = corm__arena_grow(arena, text, 9, 20000);

    (void)state;
    assert_ptr_not_equal(grown, text);
    assert_string_equal(grown, "old text");
    assert_string_equal(text, "old text");
    assert_string_equal(newest, "newest");
    memset(grown, 'x', 20000);
    char *larger = corm__arena_grow(arena, grown, 20000, 100000); /* the newest, in a full block */
    assert_int_equal(larger[19999], 'x');
    memset(larger, 'y', 100000);
    assert_string_equal(corm__arena_grow(arena, text, 9, 4) != NULL ? text : "", "old text");
    corm_arena_free(arena);
}

static void what_moves_is_copied_whole(void **state)
{
    struct corm_arena *arena = corm_arena_new();
    char               bytes[6000], *text;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i % 251);
    text = corm__arena_copy(arena, bytes, sizeof(bytes));
    char *next = memset(corm_arena_alloc(arena, 16), 'x', 16);
    char *grown = corm__arena_grow(arena, text, sizeof(bytes), 7000);
    assert_ptr_not_equal(grown, text); /* there would be room, but it is another's */
    assert_memory_equal(grown, bytes, sizeof(bytes));
    memset(grown, 'y', 7000);
    assert_memory_equal(next, "xxxxxxxxxxxxxxxx", 16);
    corm_arena_free(arena);
}

/* An array that grows while small things are cut beside it: the array has a block of its own, and what
 * is small goes on being cut from the one that it is cut from. */
static void what_is_large_grows_without_a_new_block(void **state)
{
    struct corm_arena *arena = corm_arena_new();
    char              *first = corm_arena_alloc(arena, 16);
    size_t             size = 2 * BLOCK, smalls = 1;
    char              *array = corm_arena_alloc(arena, size);

    (void)state;
    memset(array, 'a', size);
    memset(first, 'f', 16);
    long before = allocations;
    for (; size < 64 * BLOCK; size *= 2, smalls++) {
        assert_ptr_equal(corm_arena_alloc(arena, 16), first + 16 * smalls);
        array = corm__arena_grow(arena, array, size, 2 * size);
        assert_non_null(array);
        assert_int_equal(corm__arena_size(arena), BLOCK + 2 * size);
        for (size_t i = 0; i < size; i += 997)
            assert_int_equal(array[i], 'a');
        memset(array + size, 'a', size);
    }
    assert_int_equal(allocations - before, 5); /* each is the array's */
    assert_int_equal(live, 3);
    assert_memory_equal(first, "ffffffffffffffff", 16);
    memory_left = 0;
    assert_null(corm__arena_grow(arena, array, size, 2 * size));
    memory_left = -1;
    assert_int_equal(array[size - 1], 'a');
    char *less =
        corm__arena_grow(arena, array, size, BLOCK); /* where it is not the newest: a copy */
    assert_ptr_not_equal(less, array);
    assert_int_equal(array[size - 1], 'a');
    corm_arena_free(arena);
}

/* A block that was kept may be larger than what was asked for: then it is not one allocation's. */
static void what_shares_its_block_is_not_taken_along(void **state)
{
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    corm__arena_keep(arena, 8 * BLOCK);
    assert_non_null(corm_arena_alloc(arena, 4 * BLOCK));
    corm_arena_reset(arena); /* keeps the block */
    char *large = corm_arena_alloc(arena, 2 * BLOCK);
    char *beside = memset(corm_arena_alloc(arena, 16), 'b', 16);
    memset(large, 'l', 2 * BLOCK);
    assert_ptr_equal(beside, large + 2 * BLOCK);
    char *grown = corm__arena_grow(arena, large, 2 * BLOCK, 3 * BLOCK);
    assert_ptr_not_equal(grown, large);
    memset(grown + 2 * BLOCK, 'g', BLOCK);
    assert_memory_equal(beside, "bbbbbbbbbbbbbbbb", 16);
    assert_int_equal(grown[2 * BLOCK - 1], 'l');
    corm_arena_free(arena);
}

static void texts_lie_close(void **state)
{
    struct corm_arena *arena = corm_arena_new();
    char              *a = corm__arena_copy(arena, "abc", 3);

    (void)state;
    assert_ptr_equal(corm__arena_copy(arena, "de", 2), a + 4);
    void *aligned = corm_arena_alloc(arena, 1);
    assert_int_equal((uintptr_t)aligned % _Alignof(max_align_t), 0);
    assert_ptr_equal(corm__arena_copy(arena, "f", 1), (char *)aligned + 1);
    assert_string_equal(a, "abc");
    corm_arena_free(arena);
}

static void what_does_not_lie_in_the_newest_block_moves(void **state)
{
    struct corm_arena *arena = corm_arena_new();
    char              *old = corm_arena_alloc(arena, 9000);

    (void)state;
    memset(old, 'x', 9000);
    assert_non_null(corm_arena_alloc(arena, 8000)); /* in a new block */
    char *grown = corm__arena_grow(arena, old, 9000, 9500);
    assert_ptr_not_equal(grown, old);
    for (size_t i = 0; i < 9000; i++)
        assert_int_equal(grown[i], 'x');
    char *small = corm_arena_alloc(arena, 16);
    assert_null(corm__arena_grow(arena, small, 16, SIZE_MAX / 2 + 1));
    assert_ptr_equal(corm__arena_grow(arena, small, 16, 17), small); /* it is as it was */
    corm_arena_free(arena);
}

static void without_memory_what_should_grow_stays(void **state)
{
    struct corm_arena *arena = corm_arena_new();
    char              *text = corm__arena_copy(arena, "old text", 8);

    (void)state;
    memory_left = 0;
    assert_null(corm__arena_grow(arena, text, 9, 2 * BLOCK));
    assert_string_equal(text, "old text");
    assert_ptr_equal(corm__arena_grow(arena, text, 9, 100), text);
    corm_arena_free(arena);
}

static void a_copy_ends_with_nul(void **state)
{
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    memset(corm_arena_alloc(arena, 1000), 'x', 1000);
    corm_arena_reset(arena); /* so that the memory is not clear */
    assert_string_equal(corm__arena_copy(arena, "abcdef", 3), "abc");
    assert_string_equal(corm__arena_copy(arena, NULL, 0), "");
    char *bytes = corm__arena_copy(arena, "a\0b", 3);
    assert_memory_equal(bytes, "a\0b", 4);
    corm_arena_free(arena);
}

/* ---- The buffer --------------------------------------------------------------- */

static void a_buffer_holds_what_was_appended(void **state)
{
    struct corm_arena  *arena = corm_arena_new();
    struct corm__buffer b;

    (void)state;
    corm__buffer_init(&b, arena);
    assert_string_equal(b.text, "");
    assert_int_equal(b.size, 0);
    corm__buffer_puts(&b, "SELECT");
    corm__buffer_putc(&b, ' ');
    corm__buffer_add(&b, "1, 2, 3", 4);
    corm__buffer_add(&b, "", 0);
    corm__buffer_puts(&b, "");
    assert_string_equal(b.text, "SELECT 1, 2");
    assert_int_equal(b.size, 11);
    corm__buffer_add(&b, "\0x", 2);
    assert_memory_equal(b.text, "SELECT 1, 2\0x", 14);
    assert_int_equal(b.size, 13);
    assert_false(b.failed);
    corm_arena_free(arena);
}

static void a_buffer_grows_beside_other_allocations(void **state)
{
    static char         all[200000];
    struct corm_arena  *arena = corm_arena_new();
    struct corm__buffer b;
    size_t              size = 0;

    (void)state;
    corm__buffer_init(&b, arena);
    while (size < sizeof(all) - 1000) {
        size_t n = random_number() % 900;
        for (size_t i = 0; i < n; i++)
            all[size + i] = (char)('a' + random_number() % 26);
        corm__buffer_add(&b, all + size, n);
        size += n;
        assert_int_equal(b.size, size);
        assert_int_equal(b.text[b.size], '\0');
        if (random_number() % 8 == 0)
            memset(corm_arena_alloc(arena, 50), '#', 50);
    }
    assert_memory_equal(b.text, all, size);
    corm_arena_free(arena);
}

static void without_memory_a_buffer_has_failed_for_good(void **state)
{
    struct corm_arena  *arena = corm_arena_new();
    struct corm__buffer b;
    char                large[2 * BLOCK] = {0};

    (void)state;
    memory_left = 0;
    corm__buffer_init(&b, arena);
    assert_true(b.failed);
    assert_null(b.text);
    memory_left = -1;
    if (b.failed) /* as it has; clang's analyzer does not know */
        corm__buffer_puts(&b, "text");
    assert_true(b.failed);

    corm__buffer_init(&b, arena);
    corm__buffer_puts(&b, "kept");
    memory_left = 0;
    corm__buffer_add(&b, large, sizeof(large));
    assert_true(b.failed);
    memory_left = -1;
    corm__buffer_putc(&b, 'x');
    assert_true(b.failed);
    assert_string_equal(b.text, "kept");
    corm_arena_free(arena);
}

/* ---- The map ------------------------------------------------------------------ */

enum { ENTRIES = 10000 };

struct item {
    struct corm__map_entry entry;
    char                   key[24];
    size_t                 size;
};

static struct item items[ENTRIES];

static void add_items(struct corm__map *map, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        items[i].size = (size_t)snprintf(items[i].key, sizeof(items[i].key), "key %zu", i);
        assert_null(corm__map_find(map, items[i].key, items[i].size));
        assert_true(corm__map_add(map, &items[i].entry, items[i].key, items[i].size));
    }
}

static struct corm__map_entry *find_copy(const struct corm__map *map, const struct item *item)
{
    char key[24];

    memcpy(key, item->key, sizeof(key)); /* found by its bytes, not by its address */
    return corm__map_find(map, key, item->size);
}

static void ten_thousand_entries_are_found(void **state)
{
    struct corm__map map = {0};

    (void)state;
    assert_null(corm__map_find(&map, "key 1", 5));
    add_items(&map, ENTRIES);
    assert_int_equal(map.count, ENTRIES);
    for (size_t i = 0; i < ENTRIES; i++)
        assert_ptr_equal(find_copy(&map, &items[i]), &items[i].entry);
    assert_null(corm__map_find(&map, "key 10000", 9));
    assert_null(corm__map_find(&map, "key 1", 4));
    assert_null(corm__map_find(&map, "key 1\0", 6));
    assert_int_equal(map.bucket_count & (map.bucket_count - 1), 0);
    assert_true(map.bucket_count >= ENTRIES);
    corm__map_free(&map);
    assert_int_equal(live, 0);
}

static void a_removed_entry_is_gone_and_the_others_stay(void **state)
{
    struct corm__map map = {0};

    (void)state;
    add_items(&map, ENTRIES);
    for (size_t i = 0; i < ENTRIES; i += 2)
        corm__map_remove(&map, &items[i].entry);
    assert_int_equal(map.count, ENTRIES / 2);
    for (size_t i = 0; i < ENTRIES; i++)
        assert_ptr_equal(find_copy(&map, &items[i]), i % 2 == 0 ? NULL : &items[i].entry);
    for (size_t i = 0; i < ENTRIES; i += 2)
        assert_true(corm__map_add(&map, &items[i].entry, items[i].key, items[i].size));
    for (size_t i = 0; i < ENTRIES; i++)
        assert_ptr_equal(find_copy(&map, &items[i]), &items[i].entry);
    for (size_t i = ENTRIES; i-- > 0;)
        corm__map_remove(&map, &items[i].entry);
    assert_int_equal(map.count, 0);
    assert_null(find_copy(&map, &items[0]));
    corm__map_free(&map);
}

static void a_cleared_map_keeps_its_table(void **state)
{
    struct corm__map map = {0};

    (void)state;
    corm__map_clear(&map);
    add_items(&map, 1000);
    size_t buckets = map.bucket_count;
    long   before = allocations;
    corm__map_clear(&map);
    assert_int_equal(map.count, 0);
    assert_int_equal(map.bucket_count, buckets);
    for (size_t i = 0; i < 1000; i++)
        assert_null(find_copy(&map, &items[i]));
    add_items(&map, 1000);
    assert_ptr_equal(find_copy(&map, &items[999]), &items[999].entry);
    assert_int_equal(allocations, before);
    corm__map_free(&map);
    assert_int_equal(map.count, 0);
    add_items(&map, 10); /* a freed map can be used again */
    assert_ptr_equal(find_copy(&map, &items[9]), &items[9].entry);
    corm__map_free(&map);
    corm__map_free(&map);
}

static void keys_are_bytes(void **state)
{
    static struct corm__map_entry entries[6];
    static const char             bytes[] = "\0\0\0\xFF\xFF";
    struct corm__map              map = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(entries); i++) /* "", "\0", "\0\0", ... */
        assert_true(corm__map_add(&map, &entries[i], bytes, i));
    for (size_t i = 0; i < COUNT(entries); i++)
        assert_ptr_equal(corm__map_find(&map, bytes, i), &entries[i]);
    assert_null(corm__map_find(&map, "\1", 1));
    corm__map_free(&map);
}

/* Keys whose hash is 0, where that of words and bytes of zeros stays 0: the first 8 bytes of the others
 * are those that the hash begins with (on a machine whose low bytes come first). */
static void keys_of_one_hash_are_told_apart(void **state)
{
    static const char *const keys[] = {"SELECT 1"
                                       "\x8F\x71\x09\x0C\x0D\x6B\x91\xA2",
                                       "\x25\x23\x22\x84\xE4\x9C\xF2\xCB\0\0\0"};
    static const size_t      sizes[] = {16, 11, 8};
    struct corm__map_entry   entries[3] = {{0}};
    struct corm__map         map = {0};

    (void)state;
    assert_true(corm__map_add(&map, &entries[0], keys[0], sizes[0]));
    assert_null(corm__map_find(&map, keys[1], sizes[1]));
    assert_true(corm__map_add(&map, &entries[1], keys[1], sizes[1]));
    assert_null(corm__map_find(&map, keys[1], sizes[2]));
    assert_true(corm__map_add(&map, &entries[2], keys[1], sizes[2]));
    assert_int_equal(entries[0].hash, entries[1].hash);
    assert_int_equal(entries[0].hash, entries[2].hash);
    assert_ptr_equal(corm__map_find(&map, keys[0], sizes[0]), &entries[0]);
    assert_ptr_equal(corm__map_find(&map, keys[1], sizes[1]), &entries[1]);
    assert_ptr_equal(corm__map_find(&map, keys[1], sizes[2]), &entries[2]);
    corm__map_remove(&map, &entries[1]);
    assert_null(corm__map_find(&map, keys[1], sizes[1]));
    assert_ptr_equal(corm__map_find(&map, keys[0], sizes[0]), &entries[0]);
    corm__map_free(&map);
}

static void without_memory_a_map_stays_as_it_was(void **state)
{
    struct corm__map map = {0};
    size_t           count = 0;

    (void)state;
    memory_left = 0;
    assert_false(corm__map_add(&map, &items[0].entry, "a", 1));
    assert_int_equal(map.count, 0);
    assert_null(corm__map_find(&map, "a", 1));
    memory_left = 1;
    while (count < ENTRIES && corm__map_add(&map, &items[count].entry, items[count].key, 5))
        count++;
    assert_in_range(count, 1, ENTRIES - 1);
    assert_int_equal(map.count, count);
    for (size_t i = 0; i < count; i++)
        assert_non_null(corm__map_find(&map, items[i].key, 5));
    corm__map_free(&map);
}

/* ---- Time --------------------------------------------------------------------- */

static const int64_t FIRST_TIME = INT64_C(-62135596800000000); /* 0001-01-01 00:00:00 */
static const int64_t LAST_TIME = INT64_C(253402300799999999);  /* 9999-12-31 23:59:59.999999 */
static const int64_t DAY = INT64_C(86400000000);

static void check_time(int64_t time, const char *expected)
{
    char    text[CORM_DATETIME_SIZE] = "";
    int64_t parsed = 0;

    if (!corm_datetime_format(time, text) || strcmp(text, expected) != 0)
        fail_msg("%lld is %s, not %s", (long long)time, text, expected);
    if (!corm_datetime_parse(expected, strlen(expected), &parsed) || parsed != time)
        fail_msg("%s is %lld, not %lld", expected, (long long)parsed, (long long)time);
}

static void known_times_have_their_texts(void **state)
{
    static const struct {
        int64_t     time;
        const char *text;
    } known[] = {
        {0, "1970-01-01 00:00:00.000000"},
        {-1, "1969-12-31 23:59:59.999999"},
        {1, "1970-01-01 00:00:00.000001"},
        {INT64_C(1769850300000000), "2026-01-31 09:05:00.000000"},
        {INT64_C(951782400000000), "2000-02-29 00:00:00.000000"},
        {INT64_C(-2203891200000000), "1900-03-01 00:00:00.000000"},
        {INT64_C(-2203891200000001), "1900-02-28 23:59:59.999999"},
        {INT64_C(4107542400000000), "2100-03-01 00:00:00.000000"},
        {INT64_C(1234567890123456), "2009-02-13 23:31:30.123456"},
        {INT64_C(-62135596800000000), "0001-01-01 00:00:00.000000"},
        {INT64_C(253402300799999999), "9999-12-31 23:59:59.999999"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(known); i++)
        check_time(known[i].time, known[i].text);
}

static void random_times_come_back(void **state)
{
    char    text[CORM_DATETIME_SIZE], before[CORM_DATETIME_SIZE];
    int64_t back = 0;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        int64_t time = FIRST_TIME + (int64_t)(random_number() % (uint64_t)(LAST_TIME - FIRST_TIME));
        assert_true(corm_datetime_format(time, text));
        assert_int_equal(strlen(text), CORM_DATETIME_SIZE - 1);
        assert_true(corm_datetime_parse(text, strlen(text), &back));
        if (back != time)
            fail_msg("%lld is %s, which is %lld", (long long)time, text, (long long)back);
        assert_true(corm_datetime_format(time + 1, before)); /* texts sort like times */
        if (strcmp(text, before) >= 0)
            fail_msg("%s is not before %s", text, before);
    }
}

static int days_in(int year, int month)
{
    if (month == 2)
        return year % 400 == 0 || (year % 4 == 0 && year % 100 != 0) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* Counts the days from 0001-01-01 one by one, so it needs no formula. */
static void every_day_of_9999_years_is_right(void **state)
{
    int64_t time = FIRST_TIME;
    char    text[64];

    (void)state;
    for (int year = 1; year <= 9999; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int day = 1; day <= days_in(year, month); day++) {
                int second = (int)(random_number() % 86400);
                (void)snprintf(text, sizeof(text), "%04d-%02d-%02d %02d:%02d:%02d.000000", year,
                               month, day, second / 3600, second / 60 % 60, second % 60);
                check_time(time + second * INT64_C(1000000), text);
                time += DAY;
            }
        }
    }
    assert_true(time == LAST_TIME + 1);
}

static void every_year_begins_and_ends(void **state)
{
    int64_t time = FIRST_TIME;
    char    text[64];

    (void)state;
    for (int year = 1; year <= 9999; year++) {
        (void)snprintf(text, sizeof(text), "%04d-01-01 00:00:00.000000", year);
        check_time(time, text);
        (void)snprintf(text, sizeof(text), "%04d-02-28 23:59:59.999999", year);
        check_time(time + 59 * DAY - 1, text);
        (void)snprintf(text, sizeof(text), "%04d-%s 00:00:00.000000", year,
                       days_in(year, 2) == 29 ? "02-29" : "03-01");
        check_time(time + 59 * DAY, text);
        time += (337 + days_in(year, 2)) * DAY;
        (void)snprintf(text, sizeof(text), "%04d-12-31 23:59:59.999999", year);
        check_time(time - 1, text);
    }
}

static void times_outside_the_years_1_to_9999_are_refused(void **state)
{
    const int64_t times[] = {FIRST_TIME - 1,       LAST_TIME + 1, FIRST_TIME - DAY,
                             LAST_TIME + DAY,      INT64_MIN,     INT64_MAX,
                             INT64_MIN + 1,        INT64_MAX - 1, FIRST_TIME - 400 * DAY,
                             LAST_TIME + 400 * DAY};
    char          text[CORM_DATETIME_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(times); i++)
        assert_false(corm_datetime_format(times[i], text));
}

static void fractions_have_one_to_six_digits(void **state)
{
    static const struct {
        const char *text;
        int64_t     time;
    } fractions[] = {
        {"1970-01-01 00:00:01", 1000000},        {"1970-01-01 00:00:01.5", 1500000},
        {"1970-01-01 00:00:01.05", 1050000},     {"1970-01-01 00:00:01.005", 1005000},
        {"1970-01-01 00:00:01.0005", 1000500},   {"1970-01-01 00:00:01.00005", 1000050},
        {"1970-01-01 00:00:01.000005", 1000005}, {"1969-12-31 23:59:59.25", -750000},
        {"1969-12-31 23:59:59.999999", -1},      {"1970-01-01 00:00:01.123456", 1123456},
        {"1970-01-01 00:00:01.000000", 1000000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(fractions); i++) {
        int64_t time = 0;
        assert_true(corm_datetime_parse(fractions[i].text, strlen(fractions[i].text), &time));
        assert_true(time == fractions[i].time);
    }
}

static void texts_that_are_no_times_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "2026",
        "2026-01-31",
        "2026-01-31 09:05",
        "2026-01-31 09:05:",
        "2026-01-31 09:05:00.",
        "2026-01-31 09:05:00.1234567",
        "2026-01-31 09:05:00.12345x",
        "2026-01-31 09:05:00 ",
        "2026-01-31 09:05:00Z",
        "2026-01-31 09:05:00+00:00",
        " 2026-01-31 09:05:00",
        "2026-01-31T09:05:00",
        "2026/01/31 09:05:00",
        "2026-1-31 09:05:00",
        "26-01-31 09:05:00",
        "12026-01-31 09:05:00",
        "-026-01-31 09:05:00",
        "+026-01-31 09:05:00",
        "2026-01-31 9:05:00",
        "2026-01-31 24:00:00",
        "2026-01-31 09:60:00",
        "2026-01-31 23:59:60",
        "2026-01-31 09:05:-1",
        "2026-01-31 09:-1:00",
        "2026-01-31 09:5",
        "2026-01-31 -1:05:00",
        "2026--1-31 09:05:00",
        "2026-x1-31 09:05:00",
        "2026-00-31 09:05:00",
        "2026-13-31 09:05:00",
        "2026-01-00 09:05:00",
        "2026-01-32 09:05:00",
        "2026-04-31 09:05:00",
        "2026-02-29 09:05:00",
        "1900-02-29 09:05:00",
        "2100-02-29 09:05:00",
        "2000-02-30 09:05:00",
        "0000-00-00 00:00:00",
        "0000-00-00 00:00:00.000000",
        "0000-01-01 00:00:00",
        "2026-00-00 00:00:00",
        "now",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t  size = strlen(texts[i]);
        int64_t time = 77;
        char   *copy = malloc(size + 1); /* just as large, so that a sanitizer sees its end */
        assert_non_null(copy);
        memcpy(copy + 1, texts[i], size);
        if (corm_datetime_parse(copy + 1, size, &time))
            fail_msg("%s is taken, as %lld", texts[i], (long long)time);
        free(copy);
        assert_true(time == 77);
    }
    int64_t time = 0;
    assert_false(corm_datetime_parse("2026-01-31 09:05:00\0", 20, &time));
    assert_true(
        corm_datetime_parse("2026-01-31 09:05:00.5xyz", 21, &time)); /* no further than that */
}

/* ---- UTF-8 -------------------------------------------------------------------- */

/* RFC 3629 the other way round: what a code point is written as; 0 bytes where it is none. */
static size_t encode(uint32_t code, unsigned char bytes[4])
{
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    if (code < 0x80) {
        bytes[0] = (unsigned char)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; code >>= 6)
        bytes[i] = (unsigned char)(0x80 | (code & 0x3F));
    bytes[0] = (unsigned char)((0xF00 >> size & 0xFF) | code);
    return size;
}

/* How many characters the bytes are, or -1: each must be what some code point is written as. */
static int count_characters(const unsigned char *bytes, size_t size)
{
    int count = 0;

    while (size > 0) {
        size_t        n = 0;
        unsigned char again[4];
        for (size_t length = 1; length <= 4 && length <= size && n == 0; length++) {
            uint32_t code = length == 1 ? bytes[0] : bytes[0] & (0x7Fu >> length);
            for (size_t i = 1; i < length; i++)
                code = code << 6 | (bytes[i] & 0x3Fu);
            if (encode(code, again) == length && memcmp(again, bytes, length) == 0)
                n = length;
        }
        if (n == 0)
            return -1;
        bytes += n;
        size -= n;
        count++;
    }
    return count;
}

/* The bytes stand at the end of their memory, so that a sanitizer sees who reads on. */
static void check_bytes(unsigned char *memory, const unsigned char *bytes, size_t size)
{
    int            expected = count_characters(bytes, size);
    size_t         characters = 12345;
    unsigned char *at = memory + 4 - size;

    memcpy(at, bytes, size);
    bool valid = corm__is_utf8((const char *)at, size, &characters);
    if (valid != (expected >= 0) || (valid && characters != (size_t)expected))
        fail_msg("%zu bytes %02x %02x %02x %02x: %d, not %d", size, bytes[0],
                 size > 1 ? bytes[1] : 0, size > 2 ? bytes[2] : 0, size > 3 ? bytes[3] : 0,
                 valid ? (int)characters : -1, expected);
}

static void every_code_point_is_one_character(void **state)
{
    unsigned char bytes[4];
    size_t        characters = 0;

    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        size_t size = encode(code, bytes);
        if (size > 0 && (!corm__is_utf8((const char *)bytes, size, &characters) || characters != 1))
            fail_msg("U+%04X is no character", (unsigned)code);
    }
}

static void surrogates_and_what_is_beyond_are_refused(void **state)
{
    size_t characters = 0;

    (void)state;
    for (unsigned code = 0xD800; code <= 0xDFFF; code++) {
        unsigned char bytes[] = {0xED, (unsigned char)(0x80 | (code >> 6 & 0x3F)),
                                 (unsigned char)(0x80 | (code & 0x3F))};
        assert_false(corm__is_utf8((const char *)bytes, 3, &characters));
    }
    for (unsigned code = 0x110000; code <= 0x1FFFFF; code += 0xFFF) {
        unsigned char bytes[] = {
            (unsigned char)(0xF0 | code >> 18), (unsigned char)(0x80 | (code >> 12 & 0x3F)),
            (unsigned char)(0x80 | (code >> 6 & 0x3F)), (unsigned char)(0x80 | (code & 0x3F))};
        assert_false(corm__is_utf8((const char *)bytes, 4, &characters));
    }
}

static void all_short_sequences_are_judged_like_the_rfc_does(void **state)
{
    static const unsigned char edges[] = {
        0x00, 0x01, 0x41, 0x7F, 0x80, 0x81, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2,
        0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF};
    unsigned char *memory = malloc(4);
    unsigned char  b[4];

    (void)state;
    assert_non_null(memory);
    for (unsigned i = 0; i < 0x10000; i++) { /* one or two of all bytes */
        b[0] = (unsigned char)(i >> 8);
        b[1] = (unsigned char)i;
        check_bytes(memory, b, 1);
        check_bytes(memory, b, 2);
    }
    for (size_t i = 0; i < COUNT(edges) * COUNT(edges); i++) {
        b[0] = edges[i / COUNT(edges)];
        b[1] = edges[i % COUNT(edges)];
        for (size_t k = 0; k < COUNT(edges) * COUNT(edges); k++) {
            b[2] = edges[k / COUNT(edges)];
            b[3] = edges[k % COUNT(edges)];
            check_bytes(memory, b, 3);
            check_bytes(memory, b, 4);
        }
    }
    free(memory);
}

static void what_follows_a_text_does_not_complete_it(void **state)
{
    static const char *const texts[] = {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x8E\x9F"};
    size_t                   characters = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        for (size_t size = 1; size < strlen(texts[i]); size++)
            assert_false(corm__is_utf8(texts[i], size, &characters));
}

static void characters_are_counted_not_bytes(void **state)
{
    static const struct {
        const char *text;
        size_t      characters;
    } texts[] = {{"", 0},
                 {"abc", 3},
                 {"\xC3\xA4\xC3\xB6", 2},
                 {"\xE2\x82\xAC"
                  "5",
                  2},
                 {"\xF0\x9F\x8E\x9F", 1},
                 {"e\xCC\x81", 2}};
    size_t characters = 99;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_true(corm__is_utf8(texts[i].text, strlen(texts[i].text), &characters));
        assert_int_equal(characters, texts[i].characters);
    }
    assert_true(corm__is_utf8(NULL, 0, &characters));
    assert_int_equal(characters, 0);
}

/* At each place of texts of each size, in memory that ends with the text. */
static void a_fault_is_found_wherever_it_is(void **state)
{
    static const struct {
        unsigned char         byte;
        enum corm__text_fault fault;
    } faults[] = {{0x00, CORM__TEXT_HAS_NUL},  {0x80, CORM__TEXT_NOT_UTF8},
                  {0x81, CORM__TEXT_NOT_UTF8}, {0xFF, CORM__TEXT_NOT_UTF8},
                  {0x01, CORM__TEXT_FINE},     {0x7F, CORM__TEXT_FINE}};
    size_t characters = 0;

    (void)state;
    for (size_t size = 1; size <= 41; size++) {
        char *text = malloc(size);
        memset(text, 'a', size);
        for (size_t at = 0; at < size; at++) {
            for (size_t i = 0; i < COUNT(faults); i++) {
                text[at] = (char)faults[i].byte;
                assert_int_equal(corm__text_fault(text, size, &characters), faults[i].fault);
                assert_true(faults[i].fault != CORM__TEXT_FINE || characters == size);
            }
            text[at] = 'a';
        }
        for (size_t at = 0; at + 1 < size; at++) { /* both: the NUL is told; and one that is none */
            text[at] = '\0';
            text[at + 1] = (char)0x80;
            assert_int_equal(corm__text_fault(text, size, &characters), CORM__TEXT_HAS_NUL);
            text[at] = (char)0xC3;
            text[at + 1] = (char)0xA4;
            assert_int_equal(corm__text_fault(text, size, &characters), CORM__TEXT_FINE);
            assert_int_equal(characters, size - 1);
            text[at] = text[at + 1] = 'a';
        }
        free(text);
    }
    assert_int_equal(corm__text_fault("", 0, &characters), CORM__TEXT_FINE);
    assert_int_equal(characters, 0);
}

/* ---- Errors ------------------------------------------------------------------- */

static void assert_utf8(const char *text)
{
    size_t characters = 0;

    if (!corm__is_utf8(text, strlen(text), &characters))
        fail_msg("this message is not UTF-8: %s", text);
}

static void a_message_is_text_and_cure(void **state)
{
    struct corm_error error = {0};

    (void)state;
    assert_int_equal(corm__fail(&error, CORM_NO_TABLE, "no table %s", "x"), CORM_NO_TABLE);
    assert_int_equal(error.code, CORM_NO_TABLE);
    assert_int_equal(error.server_code, 0);
    assert_string_equal(error.sqlstate, "");
    assert_string_equal(error.message, "no table x; create it with corm_create_table(), or correct "
                                       "the name in its model");
    struct corm_error memory = {0};
    assert_int_equal(corm__fail_memory(&memory, "a row"), CORM_NO_MEMORY);
    assert_string_equal(memory.message,
                        "no memory for a row; free memory or ask for fewer rows at once");
    struct corm_error bare = {0};
    corm__fail(&bare, CORM_TOO_LONG, "%s", "");
    assert_string_equal(bare.message, "shorten it or widen the column");
}

static int fail_user(struct corm_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail_user(struct corm_error *error, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int rc = corm__fail_user(error, code, format, args);
    va_end(args);
    return rc;
}

static void the_first_error_wins(void **state)
{
    struct corm_error error = {0}, first;

    (void)state;
    assert_int_equal(
        corm__fail_server(&error, CORM_DEADLOCK, 1213, "40001", "the server said %d", 5),
        CORM_DEADLOCK);
    first = error;
    assert_int_equal(corm__fail(&error, CORM_MISUSE, "second"), CORM_DEADLOCK);
    assert_int_equal(corm__fail_server(&error, CORM_SYNTAX, 1064, "42000", "third"), CORM_DEADLOCK);
    assert_int_equal(corm__fail_memory(&error, "a fourth"), CORM_DEADLOCK);
    assert_int_equal(fail_user(&error, CORM_USER, "fifth"), CORM_DEADLOCK);
    assert_memory_equal(&error, &first, sizeof(error));
}

static void a_server_error_keeps_what_the_server_said(void **state)
{
    struct corm_error error = {0}, plain = {0};

    (void)state;
    assert_int_equal(corm__fail_server(&error, CORM_DUPLICATE, 1062, "23000", "key %s", "a"),
                     CORM_DUPLICATE);
    assert_int_equal(error.server_code, 1062);
    assert_string_equal(error.sqlstate, "23000");
    assert_true(strncmp(error.message, "key a; ", 7) == 0);
    corm__fail_server(&plain, CORM_DUPLICATE, 2067, NULL, "key");
    assert_string_equal(plain.sqlstate, "");
}

static void a_refusal_of_the_application_has_no_cure(void **state)
{
    struct corm_error error = {0};

    (void)state;
    assert_int_equal(fail_user(&error, CORM_USER + 1, "%d left", 3), CORM_USER + 1);
    assert_string_equal(error.message, "3 left");
}

/* `count` bytes of "x", then two-byte characters up to `size` bytes. */
static void fill(char *text, size_t count, size_t size)
{
    memset(text, 'x', count);
    for (size_t i = count; i < size; i++)
        text[i] = (i - count) % 2 == 0 ? '\xC3' : '\xA4';
    text[size] = '\0';
}

static void a_long_message_is_cut_at_a_character(void **state)
{
    char text[2001], wide[2001];

    (void)state;
    for (size_t i = 0; i < 2000; i++)
        wide[i] = "\xF0\x9F\x8E\x9F"[i % 4];
    wide[2000] = '\0';
    for (size_t x = 0; x < 8; x++) {
        struct corm_error error = {0}, own = {0}, four = {0};
        fill(text, x, 1000 + x);
        corm__fail(&error, CORM_MISUSE, "%s", text);
        fail_user(&own, CORM_USER, "%s", text);
        fail_user(&four, CORM_USER, "%.*s%s", (int)x, "xxxxxxxx", wide);
        const struct corm_error *all[] = {&error, &own, &four};
        for (size_t i = 0; i < COUNT(all); i++) {
            assert_utf8(all[i]->message);
            assert_in_range(strlen(all[i]->message), CORM_MESSAGE_MAX - 1 - 4,
                            CORM_MESSAGE_MAX - 1);
        }
        assert_memory_equal(own.message, text, strlen(own.message));
    }
}

/* What fits is not cut: 511 bytes are a whole message, whatever character stands at their end. */
static void a_message_of_511_bytes_is_kept_whole(void **state)
{
    char text[600];

    (void)state;
    for (size_t size = 500; size <= CORM_MESSAGE_MAX - 1; size++) {
        struct corm_error ascii = {0}, error = {0};
        fill(text, size, size);
        fail_user(&ascii, CORM_USER, "%s", text);
        assert_string_equal(ascii.message, text);
        fill(text, size % 2, size);
        fail_user(&error, CORM_USER, "%s", text);
        if (strcmp(error.message, text) != 0)
            fail_msg("of %zu bytes, %zu are kept", size, strlen(error.message));
    }
}

static void the_cure_is_cut_with_a_long_text(void **state)
{
    char text[600];

    (void)state;
    for (size_t size = 400; size < 600; size++) {
        struct corm_error error = {0};
        fill(text, size % 2, size);
        corm__fail(&error, CORM_MISUSE, "%s", text);
        assert_utf8(error.message);
        assert_true(strlen(error.message) < CORM_MESSAGE_MAX);
    }
}

static void a_prefix_stands_in_front(void **state)
{
    struct corm_error error = {0};
    char              text[600];

    (void)state;
    corm__fail(&error, CORM_MISUSE, "wrong");
    corm__error_prefix(&error, "insert into `order`");
    assert_true(strncmp(error.message, "insert into `order`: wrong; ", 28) == 0);
    for (size_t x = 0; x < 4; x++) {
        struct corm_error full = {0};
        fill(text, x, 599);
        fail_user(&full, CORM_USER, "%s", text);
        corm__error_prefix(&full, "update");
        assert_utf8(full.message);
        assert_in_range(strlen(full.message), CORM_MESSAGE_MAX - 1 - 4, CORM_MESSAGE_MAX - 1);
        assert_memory_equal(full.message, "update: ", 8);
        assert_memory_equal(full.message + 8, text, strlen(full.message) - 8);
    }
}

static void a_place_is_named_once_without_its_folder(void **state)
{
    struct corm_error error = {.message = "text"}, plain = {.message = "text"};

    (void)state;
    corm__error_place(&error, NULL, 7);
    assert_string_equal(error.message, "text");
    corm__error_place(&error, "some/folder/file.c", 7);
    assert_string_equal(error.message, "file.c:7: text");
    corm__error_place(&error, "other.c", 8);
    assert_string_equal(error.message, "file.c:7: text");
    assert_string_equal(error.file, "some/folder/file.c");
    assert_int_equal(error.line, 7);
    corm__error_place(&plain, "file.c", 7);
    assert_string_equal(plain.message, "file.c:7: text");
}

static void text_is_cut_behind_a_character(void **state)
{
    static const struct {
        const char *text;
        size_t      size; /* of the memory, with NUL */
        const char *cut;
    } cuts[] = {
        {"abc", 10, "abc"},
        {"abc", 4, "abc"},
        {"abc", 3, "ab"},
        {"abc", 1, ""},
        {"ab\xC3\xA4", 4, "ab"},
        {"a\xE2\x82\xAC", 4, "a"},
        {"a\xE2\x82\xAC", 3, "a"},
        {"\xF0\x9F\x8E\x9F", 4, ""},
        {"\xF0\x9F\x8E\x9F", 2, ""},
        {"a\xF0\x9F\x8E\x9Fz", 5, "a"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cuts); i++) {
        char *text = malloc(cuts[i].size);
        assert_non_null(text);
        memset(text, '\0', cuts[i].size);
        memcpy(text, cuts[i].text,
               strlen(cuts[i].text) < cuts[i].size ? strlen(cuts[i].text) : cuts[i].size);
        corm__cut_utf8(text, cuts[i].size);
        assert_string_equal(text, cuts[i].cut);
        free(text);
    }
}

/* ---- Codes -------------------------------------------------------------------- */

static const struct code {
    int         number;
    const char *name, *text, *cure;
} codes[] = {
#define X_CODE(name, number, text, cure) {number, "CORM_" #name, text, cure},
    CORM_ERROR_MAP(X_CODE)
#undef X_CODE
};

static void every_code_has_name_text_and_cure(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        const struct code *c = &codes[i];
        assert_string_equal(corm_code_name(c->number), c->name);
        assert_string_equal(corm_code_text(c->number), c->text);
        assert_string_equal(corm_code_cure(c->number), c->cure);
        if (strlen(c->text) < 10 || strlen(c->cure) < 10)
            fail_msg("%s says nothing", c->name);
        if (strchr(".;\n", c->text[strlen(c->text) - 1]) ||
            strchr(".;\n", c->cure[strlen(c->cure) - 1]))
            fail_msg("%s: text and cure are parts of one sentence, without an end", c->name);
        if (strlen(c->text) + strlen(c->cure) > 300)
            fail_msg("%s leaves too little of a message for its cause", c->name);
        assert_utf8(c->text);
        assert_utf8(c->cure);
    }
    assert_int_equal(CORM_DEADLOCK, -2001);
    assert_int_equal(CORM_UNKNOWN, -4001);
}

static void codes_stand_in_their_bands_in_order(void **state)
{
    static const int bands[] = {CORM_STATEMENT_FAILED, CORM_TRX_GONE, CORM_CONNECTION_GONE,
                                CORM_OUTCOME_UNKNOWN, CORM_USER_LAST};

    (void)state;
    for (size_t i = 1; i < COUNT(bands); i++)
        assert_true(bands[i] < bands[i - 1]);
    assert_true(CORM_USER < CORM_USER_LAST);
    for (size_t i = 0; i < COUNT(codes); i++) {
        int n = codes[i].number;
        if (n >= CORM_STATEMENT_FAILED || n <= CORM_OUTCOME_UNKNOWN - 1000 || n % 1000 == 0)
            fail_msg("%s is in no band", codes[i].name);
        if (i > 0 && n >= codes[i - 1].number)
            fail_msg("%s is not below %s", codes[i].name, codes[i - 1].name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(codes[k].name, codes[i].name) == 0)
                fail_msg("%s stands twice", codes[i].name);
    }
}

/* One comparison tells what is lost: the four bands of error.h. */
static void bands_say_what_they_promise(void **state)
{
    static const struct {
        int code;
        int trx_gone, connection_gone, unknown;
    } known[] = {
        {CORM_MISUSE, 0, 0, 0},       {CORM_LOCKED, 0, 0, 0},       {CORM_SERVER_ERROR, 0, 0, 0},
        {CORM_DEADLOCK, 1, 0, 0},     {CORM_LOCK_TIMEOUT, 1, 0, 0}, {CORM_TRX_LOST, 1, 0, 0},
        {CORM_DISCONNECTED, 1, 1, 0}, {CORM_BAD_URL, 0, 0, 0},      {CORM_NOT_A_DATABASE, 1, 1, 0},
        {CORM_UNKNOWN, 1, 1, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        assert_int_equal(known[i].code <= CORM_TRX_GONE, known[i].trx_gone);
        assert_int_equal(known[i].code <= CORM_CONNECTION_GONE, known[i].connection_gone);
        assert_int_equal(known[i].code <= CORM_OUTCOME_UNKNOWN, known[i].unknown);
        assert_false(corm_is_user(known[i].code));
    }
}

static void codes_of_the_application_are_told_apart(void **state)
{
    (void)state;
    assert_true(corm_is_user(CORM_USER));
    assert_true(corm_is_user(CORM_USER + 1));
    assert_true(corm_is_user(CORM_USER_LAST));
    assert_false(corm_is_user(CORM_USER - 1));
    assert_false(corm_is_user(CORM_USER_LAST + 1));
    assert_false(corm_is_user(0));
    assert_false(corm_is_user(1));
    for (size_t i = 0; i < COUNT(codes); i++)
        assert_false(corm_is_user(codes[i].number));
    assert_string_equal(corm_code_name(CORM_USER + 5), "CORM_USER");
    assert_string_equal(corm_code_name(CORM_OK), "CORM_OK");
}

static void unknown_codes_have_a_general_text(void **state)
{
    static const int unknown[] = {1, -1, -1000, -1098, -9999, CORM_USER - 1, INT32_MIN, INT32_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(unknown); i++) {
        assert_string_equal(corm_code_name(unknown[i]), "CORM_?");
        assert_true(strlen(corm_code_text(unknown[i])) > 0);
        assert_true(strlen(corm_code_cure(unknown[i])) > 0);
    }
}

/* ---- Clock and version --------------------------------------------------------- */

static void deadlines_are_rounded_up_and_bounded(void **state)
{
    int64_t now = corm__now(), deadline;
    int     left;

    (void)state;
    do { /* until a millisecond was long enough to ask */
        deadline = corm__now() + 999999;
        left = corm__ms_left(deadline);
    } while (corm__now() >= deadline);
    assert_int_equal(left, 1);
    assert_true(corm__now() >= now);
    assert_int_equal(corm__ms_left(now), 0);
    assert_int_equal(corm__ms_left(now - 1000000000), 0);
    assert_int_equal(corm__ms_left(INT64_MIN / 2), 0);
    assert_int_equal(corm__ms_left(INT64_MAX / 2), INT32_MAX);
    assert_int_equal(corm__ms_left(corm__deadline_in(UINT32_MAX)), INT32_MAX);
    assert_in_range(corm__ms_left(corm__deadline_in(3600000)), 3500000, 3600000);
    corm__pause(INT64_C(3600000000000), corm__now()); /* over at once: the deadline is sooner */
    corm__pause(0, INT64_MAX);
    corm__pause(-5, INT64_MAX);
}

static void on_alarm(int number)
{
    (void)number;
}

/* Of a signal it wakes, and goes on. */
static void a_pause_is_not_cut_short_by_signals(void **state)
{
    struct sigaction action = {.sa_handler = on_alarm}, before;
    struct itimerval often = {.it_interval = {.tv_usec = 2000}, .it_value = {.tv_usec = 2000}};
    struct itimerval never = {.it_value = {0}, .it_interval = {0}};

    (void)state;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    int64_t began = corm__now();
    corm__pause(20000000, corm__deadline_in(60000));
    int64_t took = corm__now() - began;
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    assert_true(took >= 20000000);
}

static void a_pause_ends_at_the_deadline(void **state)
{
    (void)state;
    corm__pause(INT64_MAX, corm__deadline_in(1));
    corm__pause(INT64_MAX, corm__now() - 1);
    corm__pause(0, corm__deadline_in(60000));
    corm__pause(-1, corm__deadline_in(60000));
}

static void the_version_is_that_of_the_header(void **state)
{
    char expected[32];

    (void)state;
    (void)snprintf(expected, sizeof(expected), "%d.%d.%d", CORM_VERSION_MAJOR, CORM_VERSION_MINOR,
                   CORM_VERSION_PATCH);
    assert_string_equal(corm_version(), expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_without_leak)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(allocations_are_aligned_and_disjoint),
        TEST(large_allocations_have_blocks_of_their_own),
        TEST(small_allocations_share_a_block),
        TEST(an_empty_allocation_is_not_null),
        TEST(a_reset_keeps_one_block_and_frees_the_others),
        TEST(a_loop_that_resets_does_not_allocate),
        TEST(a_reset_of_large_blocks_alone_keeps_none),
        TEST(without_memory_an_arena_stays_as_it_was),
        TEST(impossible_sizes_are_refused),
        TEST(the_newest_allocation_grows_in_place),
        TEST(another_allocation_moves_when_it_grows),
        TEST(what_moves_is_copied_whole),
        TEST(what_is_large_grows_without_a_new_block),
        TEST(what_shares_its_block_is_not_taken_along),
        TEST(texts_lie_close),
        TEST(what_does_not_lie_in_the_newest_block_moves),
        TEST(without_memory_what_should_grow_stays),
        TEST(a_copy_ends_with_nul),
        TEST(a_buffer_holds_what_was_appended),
        TEST(a_buffer_grows_beside_other_allocations),
        TEST(without_memory_a_buffer_has_failed_for_good),
        TEST(ten_thousand_entries_are_found),
        TEST(a_removed_entry_is_gone_and_the_others_stay),
        TEST(a_cleared_map_keeps_its_table),
        TEST(keys_are_bytes),
        TEST(keys_of_one_hash_are_told_apart),
        TEST(without_memory_a_map_stays_as_it_was),
        TEST(known_times_have_their_texts),
        TEST(random_times_come_back),
        TEST(every_day_of_9999_years_is_right),
        TEST(every_year_begins_and_ends),
        TEST(times_outside_the_years_1_to_9999_are_refused),
        TEST(fractions_have_one_to_six_digits),
        TEST(texts_that_are_no_times_are_refused),
        TEST(every_code_point_is_one_character),
        TEST(surrogates_and_what_is_beyond_are_refused),
        TEST(all_short_sequences_are_judged_like_the_rfc_does),
        TEST(what_follows_a_text_does_not_complete_it),
        TEST(characters_are_counted_not_bytes),
        TEST(a_fault_is_found_wherever_it_is),
        TEST(a_message_is_text_and_cure),
        TEST(the_first_error_wins),
        TEST(a_server_error_keeps_what_the_server_said),
        TEST(a_refusal_of_the_application_has_no_cure),
        TEST(a_long_message_is_cut_at_a_character),
        TEST(a_message_of_511_bytes_is_kept_whole),
        TEST(the_cure_is_cut_with_a_long_text),
        TEST(a_prefix_stands_in_front),
        TEST(a_place_is_named_once_without_its_folder),
        TEST(text_is_cut_behind_a_character),
        TEST(every_code_has_name_text_and_cure),
        TEST(codes_stand_in_their_bands_in_order),
        TEST(bands_say_what_they_promise),
        TEST(codes_of_the_application_are_told_apart),
        TEST(unknown_codes_have_a_general_text),
        TEST(deadlines_are_rounded_up_and_bounded),
        TEST(a_pause_is_not_cut_short_by_signals),
        TEST(a_pause_ends_at_the_deadline),
        TEST(the_version_is_that_of_the_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
