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

/* One write in front of a COMMIT is the one that fails, as good as always. */
bool corm__is_counted(const struct corm__statement *statements, size_t count)
{
    return count >= 2 &&
           count_of(statements, count) >= (statements[count - 1].verb == CORM__READ ? 1u : 2u);
}

/* Whether one of these takes the keys that others have generated. */
static bool take_keys(const struct corm__statement *statements, size_t count)
{
    bool takes = false;

    for (size_t i = 0; i < count; i++)
        takes = takes || statements[i].takes_keys;
    return takes;
}

/* In front of all: how many are done is a local variable, which the handler of an error keeps. */
static void put_count(struct corm__buffer *b)
{
    corm__buffer_puts(b, "DECLARE `corm#at` INT DEFAULT 0; "
                         "DECLARE EXIT HANDLER FOR SQLEXCEPTION "
                         "BEGIN SET @corm_at = `corm#at`; RESIGNAL; END; ");
}

/* After statement `i`: one more is done. */
static void put_mark(struct corm__buffer *b, size_t i, size_t counted)
{
    char mark[48];

    if (i >= counted)
        return;
    (void)snprintf(mark, sizeof(mark), "SET `corm#at` = %zu; ", i + 1);
    corm__buffer_puts(b, mark);
}

int corm__make_compound(struct corm_arena *arena, const struct corm__statement *statements,
                        size_t count, struct corm__statement *compound, struct corm_error *error)
{
    struct corm__buffer b;
    size_t              counted = 0, n = 0, binds = 0;

    corm__buffer_init(&b, arena);
    bool keys = take_keys(statements, count);
    corm__buffer_puts(&b, "BEGIN NOT ATOMIC ");
    if (keys) /* variables come before handlers */
        corm__buffer_puts(&b, "DECLARE `corm#made` VARCHAR(703) CHARACTER SET ascii; ");
    if (corm__is_counted(statements, count)) {
        counted = count_of(statements, count);
        put_count(&b);
    }
    *compound = statements[count - 1];
    compound->once = false;
    compound->compound = true;
    compound->verb = statements[count - 1].verb == CORM__READ ? CORM__READ : CORM__WRITE;
    compound->id = NULL;
    for (size_t i = 0; i < count; i++) {
        corm__buffer_add(&b, statements[i].text, statements[i].size);
        corm__buffer_puts(&b, statements[i].id != NULL ? "; SELECT LAST_INSERT_ID(); " : "; ");
        if (keys && statements[i].id != NULL)
            corm__buffer_puts(&b, "SET `corm#made` = "
                                  "CONCAT_WS(' ', `corm#made`, LAST_INSERT_ID()); ");
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
