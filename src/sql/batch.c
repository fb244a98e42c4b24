/* sql/batch.c -- several statements as one compound statement. */
#include "sql/batch.h"

#include "base/arena.h"
#include "base/buffer.h"

#include <stdio.h>
#include <string.h>

bool corm__has_compound(enum corm_dialect dialect)
{
    return dialect == CORM_DIALECT_MARIADB;
}

/* How many are counted: all but a last one that writes nothing. */
static size_t count_of(const struct corm__statement *statements, size_t count)
{
    enum corm__verb last = statements[count - 1].verb;

    return last == CORM__CONTROL || last == CORM__READ ? count - 1 : count;
}

bool corm__is_counted(const struct corm__statement *statements, size_t count)
{
    return count_of(statements, count) >= 2;
}

/* In front of all: how many are done is a local variable, which the handler of an error keeps. */
static void put_count(struct corm__buffer *b, size_t counted)
{
    if (counted >= 2)
        corm__buffer_puts(b, "DECLARE `corm#at` INT DEFAULT 0; "
                             "DECLARE EXIT HANDLER FOR SQLEXCEPTION "
                             "BEGIN SET @corm_at = `corm#at`; RESIGNAL; END; ");
}

/* After statement `i`: one more is done. */
static void put_mark(struct corm__buffer *b, size_t i, size_t counted)
{
    char mark[48];

    if (counted < 2 || i >= counted)
        return;
    (void)snprintf(mark, sizeof(mark), "SET `corm#at` = %zu; ", i + 1);
    corm__buffer_puts(b, mark);
}

int corm__make_compound(struct corm_arena *arena, const struct corm__statement *statements,
                        size_t count, struct corm__statement *compound, struct corm_error *error)
{
    struct corm__buffer b;
    size_t              counted = count_of(statements, count), n = 0, binds = 0;

    corm__buffer_init(&b, arena);
    corm__buffer_puts(&b, "BEGIN NOT ATOMIC ");
    put_count(&b, counted);
    *compound = statements[count - 1];
    compound->once = false;
    compound->compound = true;
    compound->verb = statements[count - 1].verb == CORM__READ ? CORM__READ : CORM__WRITE;
    compound->id = NULL;
    for (size_t i = 0; i < count; i++) {
        corm__buffer_add(&b, statements[i].text, statements[i].size);
        corm__buffer_puts(&b, statements[i].id != NULL ? "; SELECT LAST_INSERT_ID(); " : "; ");
        put_mark(&b, i, counted);
        binds += statements[i].bind_count;
        compound->once = compound->once || statements[i].once;
    }
    corm__buffer_puts(&b, "END");
    struct corm_value *all = corm_arena_alloc(arena, (binds + 1) * sizeof(*all));
    if (all == NULL || b.failed)
        return corm__fail_memory(error, "a batch of statements");
    for (size_t i = 0; i < count; i++) {
        if (statements[i].bind_count > 0)
            memcpy(all + n, statements[i].binds, statements[i].bind_count * sizeof(*all));
        n += statements[i].bind_count;
    }
    compound->text = b.text;
    compound->size = b.size;
    compound->binds = all;
    compound->bind_count = (uint32_t)binds;
    return 0;
}
