/* sql/group_sql.c -- what a group of transactions sends: the lock of its keys, and rows by arrays. */
#include "sql/group_sql.h"

#include "base/buffer.h"
#include "schema/dialect.h"
#include "schema/row.h"
#include "schema/type.h"
#include "sql/writer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

uint32_t corm__key_columns(const struct corm_table  *table,
                           const struct corm_column *columns[CORM__KEY_COLUMNS_MAX])
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].pk)
            continue;
        if (n == CORM__KEY_COLUMNS_MAX)
            return 0;
        columns[n++] = &table->columns[i];
    }
    return n;
}

static void put_table(struct corm__writer *w)
{
    if (!w->values_only)
        corm__put_name(&w->text, w->dialect, w->table->name);
}

/* ---- Locks ------------------------------------------------------------------ */

/* Lists of 1, 2, 4, 8 ... keys, so that there are few texts. */
static uint32_t rounded(uint32_t count)
{
    uint32_t n = 1;

    while (n < count)
        n *= 2;
    return n;
}

static void put_key(struct corm__writer *w, const struct corm_column *const *columns, uint32_t n,
                    const struct corm_value *values)
{
    for (uint32_t i = 0; i < n; i++) {
        corm__put(w, i == 0 ? "(" : " AND ");
        corm__put_column(w, columns[i]);
        corm__put(w, " = ");
        corm__put_value(w, columns[i], values[i], CORM__COMPARED);
    }
    corm__put(w, ")");
}

static void put_keys(struct corm__writer *w, const struct corm_column *const *columns, uint32_t n,
                     const struct corm_value *values, uint32_t count)
{
    uint32_t total = rounded(count);

    if (n == 1) {
        corm__put_column(w, columns[0]);
        corm__put(w, " IN (");
    }
    for (uint32_t i = 0; i < total; i++) {
        const struct corm_value *key = values + (size_t)n * (i < count ? i : count - 1);
        if (n > 1) {
            corm__put(w, i == 0 ? "" : " OR ");
            put_key(w, columns, n, key);
        } else {
            corm__put(w, i == 0 ? "" : ", ");
            corm__put_value(w, columns[0], key[0], CORM__COMPARED);
        }
    }
    if (n == 1)
        corm__put(w, ")");
}

/* max_statement_time takes fractions of a second, and leaves the transaction alive. */
static void put_wait(struct corm__writer *w, uint32_t wait_ms)
{
    char text[64];

    if (wait_ms == 0 || w->dialect != CORM_DIALECT_MARIADB)
        return;
    (void)snprintf(text, sizeof(text), "SET STATEMENT max_statement_time=%u.%03u FOR ",
                   wait_ms / 1000, wait_ms % 1000);
    corm__put(w, text);
}

static void put_lock_select(struct corm__writer *w, const struct corm_column *const *columns,
                            uint32_t n, const struct corm_value *values, uint32_t count)
{
    corm__put(w, "SELECT ");
    for (uint32_t i = 0; i < w->table->column_count; i++) {
        corm__put(w, i == 0 ? "" : ", ");
        corm__put_column(w, &w->table->columns[i]);
    }
    corm__put(w, " FROM ");
    put_table(w);
    /* Or the list turns into a scan of a small table, which locks what nobody has asked for. */
    corm__put(w, w->dialect == CORM_DIALECT_SQLITE ? " WHERE " : " FORCE INDEX (PRIMARY) WHERE ");
    put_keys(w, columns, n, values, count);
    for (uint32_t i = 0; i < n; i++) {
        corm__put(w, i == 0 ? " ORDER BY " : ", ");
        corm__put_column(w, columns[i]);
    }
    if (w->dialect != CORM_DIALECT_SQLITE)
        corm__put(w, " FOR UPDATE");
}

int corm__make_lock(enum corm_dialect dialect, struct corm_arena *arena,
                    const struct corm_table *table, const struct corm_value *values, uint32_t count,
                    uint32_t wait_ms, const struct corm__statement *behind, size_t behind_count,
                    struct corm__statement *statement, struct corm_error *error)
{
    const struct corm_column *columns[CORM__KEY_COLUMNS_MAX] = {NULL};
    uint32_t                  n = corm__key_columns(table, columns);
    struct corm__writer       w;

    corm__writer_init(&w, dialect, arena, false, table, error);
    put_wait(&w, wait_ms);
    if (behind_count > 0)
        corm__put(&w, "BEGIN NOT ATOMIC ");
    put_lock_select(&w, columns, n, values, count);
    for (size_t i = 0; i < behind_count; i++) {
        corm__put(&w, "; ");
        corm__put_statement(&w, &behind[i]);
    }
    if (behind_count > 0)
        corm__put(&w, "; END");
    int rc = corm__writer_end(&w, CORM__READ, statement);
    if (rc == 0) {
        statement->table = table;
        statement->alone = true;
        statement->compound = behind_count > 0;
        statement->bounded_wait = wait_ms > 0;
        statement->wait_ms = wait_ms;
    }
    return rc;
}

/* Not by DO, which swallows the errors of what it runs, those of a lock too; and not of several keys at
 * once: without a column beyond the key, a list turns into a scan of the index, which locks all of it. */
int corm__make_lock_only(enum corm_dialect dialect, struct corm_arena *arena,
                         const struct corm_table *table, const struct corm_value *values,
                         struct corm__statement *statement, struct corm_error *error)
{
    const struct corm_column *columns[CORM__KEY_COLUMNS_MAX] = {NULL};
    uint32_t                  n = corm__key_columns(table, columns);
    struct corm__writer       w;

    corm__writer_init(&w, dialect, arena, false, table, error);
    corm__put(&w, "SELECT COUNT(*) INTO @corm_locked FROM ");
    put_table(&w);
    corm__put(&w, " WHERE ");
    put_key(&w, columns, n, values);
    corm__put(&w, " FOR UPDATE");
    return corm__writer_end(&w, CORM__READ, statement);
}

int corm__make_returning(enum corm_dialect dialect, struct corm_arena *arena,
                         const struct corm_table *table, struct corm__statement *statement,
                         struct corm_error *error)
{
    struct corm__writer w;

    corm__writer_init(&w, dialect, arena, false, table, error);
    corm__put(&w, statement->text);
    corm__put(&w, " RETURNING ");
    corm__put_column(&w, corm__generated_column(table));
    return corm__writer_end(&w, statement->verb, statement);
}

int corm__make_telling(enum corm_dialect dialect, struct corm_arena *arena, bool ignores,
                       struct corm__statement *statement, struct corm_error *error)
{
    static const char   insert[] = "INSERT";
    const char         *ignore = dialect == CORM_DIALECT_SQLITE ? " OR IGNORE" : " IGNORE";
    struct corm__buffer b;

    assert(strncmp(statement->text, insert, strlen(insert)) == 0);
    corm__buffer_init(&b, arena);
    corm__buffer_puts(&b, insert);
    corm__buffer_puts(&b, ignores ? ignore : "");
    corm__buffer_puts(&b, statement->text + strlen(insert));
    corm__buffer_puts(&b, " RETURNING ?");
    if (b.failed)
        return corm__fail_memory(error, "a group's rows");
    statement->text = b.text;
    statement->size = b.size;
    statement->bind_count++;
    return 0;
}

/* ---- Rows -------------------------------------------------------------------- */

/* The row, or the set list, of an insert. */
static void put_insert_values(struct corm__writer *w, const struct corm_write *write)
{
    if (write->row == NULL) {
        for (int i = 0; i < CORM_SET_MAX && write->set[i].column != NULL; i++)
            corm__put_value(w, write->set[i].column, write->set[i].value, CORM__STORED);
        return;
    }
    for (uint32_t i = 0; i < w->table->column_count; i++) {
        const struct corm_column *column = &w->table->columns[i];
        if (!corm__is_made_by_server(column))
            corm__put_value(w, column, corm__field_get(column, write->row), CORM__STORED);
    }
}

static int end_values(struct corm__writer *w, const struct corm_value **values, uint32_t *count)
{
    struct corm__statement statement;
    int                    rc = corm__writer_end(w, CORM__WRITE, &statement);

    if (rc < 0)
        return rc;
    *values = statement.binds;
    *count = statement.bind_count;
    return 0;
}

int corm__insert_values(enum corm_dialect dialect, struct corm_arena *arena,
                        const struct corm_table *table, const struct corm_write *write,
                        const struct corm_value **values, uint32_t *count, struct corm_error *error)
{
    struct corm__writer w;

    corm__writer_init(&w, dialect, arena, true, table, error);
    w.values_only = true;
    put_insert_values(&w, write);
    return end_values(&w, values, count);
}

int corm__make_update_by_key(enum corm_dialect dialect, struct corm_arena *arena,
                             const struct corm_table *table, const struct corm_column *const *set,
                             uint32_t set_count, struct corm__statement *statement,
                             struct corm_error *error)
{
    const struct corm_column *key[CORM__KEY_COLUMNS_MAX] = {NULL};
    uint32_t                  n = corm__key_columns(table, key);
    struct corm__writer       w;

    corm__writer_init(&w, dialect, arena, false, table, error);
    corm__put(&w, "UPDATE ");
    put_table(&w);
    for (uint32_t i = 0; i < set_count; i++) {
        corm__put(&w, i == 0 ? " SET " : ", ");
        corm__put_column(&w, set[i]);
        corm__put(&w, " = ?");
    }
    for (uint32_t i = 0; i < n; i++) {
        corm__put(&w, i == 0 ? " WHERE " : " AND ");
        corm__put_column(&w, key[i]);
        corm__put(&w, " = ?");
    }
    return corm__writer_end(&w, CORM__WRITE, statement);
}

int corm__column_values(enum corm_dialect dialect, struct corm_arena *arena,
                        const struct corm_table *table, const struct corm_column *const *columns,
                        uint32_t count, const void *row, const struct corm_value **values,
                        struct corm_error *error)
{
    struct corm__writer w;
    uint32_t            n;

    corm__writer_init(&w, dialect, arena, false, table, error);
    w.values_only = true;
    for (uint32_t i = 0; i < count; i++)
        corm__put_value(&w, columns[i], corm__field_get(columns[i], row), CORM__STORED);
    return end_values(&w, values, &n);
}

int corm__bound_value(enum corm_dialect dialect, struct corm_arena *arena,
                      const struct corm_table *table, const struct corm_column *column,
                      struct corm_value value, bool stored, struct corm_value *bound,
                      struct corm_error *error)
{
    const struct corm_value *values = NULL;
    struct corm__writer      w;
    uint32_t                 n = 0;

    corm__writer_init(&w, dialect, arena, true, table, error);
    w.values_only = true;
    corm__put_value(&w, column, value, stored ? CORM__STORED : CORM__COMPARED);
    int rc = end_values(&w, &values, &n);
    if (rc == 0)
        *bound = values[0];
    return rc;
}
