/* trx/guard.c -- rows that stand for locked rows in the write sets of a cluster. The reasoning: guard.h. */
#include "trx/guard.h"

#include "trx/table_name.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct corm__guard {
    struct corm__map_entry entry;
    uint64_t               number;
    bool                   taken;
    uint32_t               depth; /* of savepoints that were set when it was taken */
    struct corm__guard    *next;
};

void corm__guards_clear(struct corm__guards *guards)
{
    if (guards->first == NULL)
        return;
    corm__map_clear(&guards->map);
    guards->first = NULL;
    guards->waiting = 0;
}

int corm__guards_add(struct corm__guards *guards, struct corm_arena *arena, uint64_t number,
                     bool taken, struct corm_error *error)
{
    if (corm__map_find(&guards->map, &number, sizeof(number)) != NULL)
        return 0;
    struct corm__guard *guard = corm_arena_alloc(arena, sizeof(*guard));
    if (guard == NULL)
        return corm__fail_memory(error, "the guard of a row");
    *guard = (struct corm__guard){.number = number, .taken = taken, .next = guards->first};
    if (!corm__map_add(&guards->map, &guard->entry, &guard->number, sizeof(guard->number)))
        return corm__fail_memory(error, "the guard of a row");
    guards->first = guard;
    guards->waiting += !taken;
    return 0;
}

static int compare(const void *one, const void *two)
{
    const struct corm_value *a = one, *b = two;

    return (a->as.i > b->as.i) - (a->as.i < b->as.i);
}

int64_t corm__guards_take(struct corm__guards *guards, struct corm_arena *arena, uint32_t depth,
                          struct corm_value **numbers, struct corm_error *error)
{
    size_t n = 0;

    *numbers = corm_arena_alloc(arena, (guards->waiting + CORM__GUARD_ROWS) * sizeof(**numbers));
    if (*numbers == NULL)
        return corm__fail_memory(error, "the guards of rows");
    for (struct corm__guard *g = guards->first; g != NULL; g = g->next) {
        if (g->taken)
            continue;
        g->taken = true;
        g->depth = depth;
        (*numbers)[n++] = (struct corm_value){.kind = CORM_V_INT, .as.i = (int64_t)g->number};
    }
    assert(n == guards->waiting);
    guards->waiting = 0;
    corm__guard_sort(*numbers, n);
    return (int64_t)n;
}

void corm__guard_sort(struct corm_value *numbers, size_t count)
{
    qsort(numbers, count, sizeof(*numbers), compare);
    for (size_t i = 0; i < CORM__GUARD_ROWS && count > 0; i++)
        numbers[count + i] = numbers[count - 1];
}

void corm__guards_undo(struct corm__guards *guards, uint32_t depth)
{
    for (struct corm__guard *g = guards->first; g != NULL; g = g->next) {
        if (!g->taken || g->depth < depth)
            continue;
        g->taken = false;
        guards->waiting++;
    }
}

/* ---- Texts ---------------------------------------------------------------------------- */

/* NULL where there is no memory. */
static const char *make_text(struct corm_arena *arena, const char *database, size_t rows)
{
    struct corm__buffer text;

    corm__buffer_init(&text, arena);
    corm__buffer_puts(&text, "INSERT INTO ");
    corm__put_own_table(&text, database, "corm_guard");
    corm__buffer_puts(&text, " (number, locks) VALUES ");
    for (size_t i = 0; i < rows; i++)
        corm__buffer_puts(&text, i > 0 ? ",(?, 1)" : "(?, 1)");
    corm__buffer_puts(&text, " ON DUPLICATE KEY UPDATE locks = locks + 1");
    return text.failed ? NULL : text.text;
}

bool corm__guard_texts_make(struct corm__guard_texts *texts, const char *database)
{
    bool has_memory = (texts->arena = corm_arena_new()) != NULL;

    for (size_t i = 0; has_memory && i < CORM__GUARD_SIZES; i++) {
        texts->texts[i] = make_text(texts->arena, database, (size_t)1 << i);
        has_memory = texts->texts[i] != NULL;
    }
    if (!has_memory)
        corm__guard_texts_free(texts);
    return has_memory;
}

void corm__guard_texts_free(struct corm__guard_texts *texts)
{
    corm_arena_free(texts->arena);
    texts->arena = NULL;
}

bool corm__is_guard_statement(const struct corm__guard_texts *texts,
                              const struct corm__statement   *statement)
{
    for (size_t i = 0; i < CORM__GUARD_SIZES; i++)
        if (statement->text == texts->texts[i])
            return true;
    return false;
}

struct corm__statement corm__guard_statement(const struct corm__guard_texts *texts,
                                             const struct corm_value *numbers, size_t count,
                                             size_t *took)
{
    size_t size = 0;

    while (size + 1 < CORM__GUARD_SIZES && (size_t)1 << size < count)
        size++;
    *took = count < (size_t)1 << size ? count : (size_t)1 << size;
    return (struct corm__statement){
        .verb = CORM__WRITE,
        .text = texts->texts[size],
        .size = strlen(texts->texts[size]),
        .binds = numbers,
        .bind_count = (uint32_t)1 << size,
    };
}
