/* sql/statement.c -- the statements, one function each. */
#include "sql/statement.h"

#include "base/arena.h"
#include "schema/dialect.h"
#include "schema/row.h"
#include "schema/type.h"
#include "schema/version.h"
#include "sql/writer.h"

#include <stdio.h>
#include <string.h>

/* The most `?` of one statement. MariaDB's own limit is 65,535, SQLite's 32,766
 * (https://mariadb.com/kb/en/prepare-statement/, https://www.sqlite.org/limits.html). */
enum { BINDS_MAX = 32000, ROWS_MAX = 1000 };

static void put_table(struct corm__writer *w)
{
    corm__put_name(&w->text, w->dialect, w->table->name);
}

static void put_where(struct corm__writer *w, const struct corm_expr *where)
{
    if (where->op == CORM_TRUE)
        return;
    corm__put(w, " WHERE ");
    corm__put_condition(w, where);
}

/* ---- Reads ---------------------------------------------------------------- */

static void put_order(struct corm__writer *w, const struct corm_query *query)
{
    for (int i = 0; i < CORM_ORDER_MAX && query->order[i].column != NULL; i++) {
        corm__put(w, i == 0 ? " ORDER BY " : ", ");
        corm__put_column(w, query->order[i].column);
        if (query->order[i].desc)
            corm__put(w, " DESC");
    }
}

static void put_limit(struct corm__writer *w, enum corm__read_what what,
                      const struct corm_query *query)
{
    uint64_t limit = what == CORM__FIRST ? 1 : query->limit;

    if (query->offset > INT64_MAX || query->limit > INT64_MAX) {
        corm__fail(w->error, CORM_OUT_OF_RANGE, "a limit or offset beyond 2^63");
        return;
    }
    if (query->offset > 0 && limit == 0) {
        corm__fail(w->error, CORM_MISUSE, "an offset without a limit");
        return;
    }
    if (what == CORM__FIRST && query->offset == 0) {
        corm__put(w, " LIMIT 1");
    } else if (limit > 0) {
        corm__put(w, " LIMIT ");
        corm__put_bind(w, corm_v_int_((long long)limit));
        if (query->offset > 0) {
            corm__put(w, " OFFSET ");
            corm__put_bind(w, corm_v_int_((long long)query->offset));
        }
    }
}

/* MariaDB says LOCK IN SHARE MODE, MySQL FOR SHARE; SQLite has no row locks and needs none: the
 * transaction holds the whole file. */
static void put_lock(struct corm__writer *w, const struct corm_query *query)
{
    if (query->lock == CORM_NO_LOCK || w->dialect == CORM_DIALECT_SQLITE)
        return;
    if (query->lock == CORM_FOR_UPDATE)
        corm__put(w, " FOR UPDATE");
    else
        corm__put(w, w->dialect == CORM_DIALECT_MYSQL ? " FOR SHARE" : " LOCK IN SHARE MODE");
    if (query->nowait)
        corm__put(w, " NOWAIT");
    else if (query->skip_locked)
        corm__put(w, " SKIP LOCKED");
}

/* A lock wait in milliseconds: MariaDB's own WAIT takes whole seconds, max_statement_time takes
 * fractions, and leaves the transaction alive. */
static void put_wait(struct corm__writer *w, const struct corm_query *query)
{
    char text[64];

    if (query->wait_ms == 0 || w->dialect == CORM_DIALECT_SQLITE)
        return;
    if (w->dialect == CORM_DIALECT_MYSQL) {
        corm__fail(w->error, CORM_UNSUPPORTED, "MySQL has no lock wait in milliseconds (wait_ms)");
        return;
    }
    (void)snprintf(text, sizeof(text), "SET STATEMENT max_statement_time=%u.%03u FOR ",
                   query->wait_ms / 1000, query->wait_ms % 1000);
    corm__put(w, text);
}

static int check_read(enum corm__read_what what, const struct corm_query *query,
                      struct corm_error *error)
{
    bool locks = query->lock != CORM_NO_LOCK;

    if (query->nowait + query->skip_locked + (query->wait_ms > 0) > 1)
        return corm__fail(error, CORM_MISUSE, "nowait, skip_locked and wait_ms exclude each other");
    if (!locks && (query->nowait || query->skip_locked || query->wait_ms > 0))
        return corm__fail(error, CORM_MISUSE, "nowait, skip_locked and wait_ms want a .lock");
    if ((what == CORM__COUNT || what == CORM__EXISTS) &&
        (locks || query->limit > 0 || query->offset > 0 || query->order[0].column != NULL))
        return corm__fail(error, CORM_MISUSE, "count and exists take no lock, limit or order");
    if (what == CORM__FIRST && query->limit > 1)
        return corm__fail(error, CORM_MISUSE,
                          "corm_first() reads one row: use corm_all() for more");
    return 0;
}

static void put_columns(struct corm__writer *w)
{
    for (uint32_t i = 0; i < w->table->column_count; i++) {
        if (i > 0)
            corm__put(w, ", ");
        corm__put_column(w, &w->table->columns[i]);
    }
}

int corm__make_read(enum corm_dialect dialect, struct corm_arena *arena, enum corm__read_what what,
                    const struct corm_table *table, const struct corm_query *query,
                    struct corm__statement *statement, struct corm_error *error)
{
    struct corm__writer w;
    bool                rows = what == CORM__ROWS || what == CORM__FIRST;

    if (check_read(what, query, error) < 0)
        return error->code;
    corm__writer_init(&w, dialect, arena, false, table, error);
    put_wait(&w, query);
    corm__put(&w, what == CORM__EXISTS  ? "SELECT EXISTS (SELECT 1"
                  : what == CORM__COUNT ? "SELECT COUNT(*)"
                                        : "SELECT ");
    if (rows)
        put_columns(&w);
    corm__put(&w, " FROM ");
    put_table(&w);
    if (query->where.op != CORM_NONE ||
        query->where.column != NULL) /* what is neither is refused */
        put_where(&w, &query->where);
    if (what == CORM__EXISTS)
        corm__put(&w, ")");
    put_order(&w, query);
    if (rows)
        put_limit(&w, what, query);
    put_lock(&w, query);
    int rc = corm__writer_end(&w, CORM__READ, statement);
    if (rc == 0) {
        statement->table = rows ? table : NULL;
        statement->skips = query->skip_locked && dialect == CORM_DIALECT_SQLITE;
        statement->bounded_wait = query->nowait || query->wait_ms > 0 || statement->skips;
        statement->wait_ms = query->wait_ms;
        statement->alone = statement->bounded_wait;
        statement->file = query->file;
        statement->line = query->line;
    }
    return rc;
}

/* ---- Inserts -------------------------------------------------------------- */

static int end_write(struct corm__writer *w, enum corm__verb verb, const struct corm_write *write,
                     struct corm__statement *statement)
{
    int rc = corm__writer_end(w, verb, statement);

    if (rc == 0) {
        statement->file = write->file;
        statement->line = write->line;
    }
    return rc;
}

static void put_insert_into(struct corm__writer *w)
{
    corm__put(w, "INSERT INTO ");
    put_table(w);
}

static void put_row(struct corm__writer *w, const void *row)
{
    const char *before = "(";

    for (uint32_t i = 0; i < w->table->column_count; i++) {
        const struct corm_column *column = &w->table->columns[i];
        if (corm__is_made_by_server(column))
            continue;
        corm__put(w, before);
        corm__put_value(w, column, corm__field_get(column, row), CORM__STORED);
        before = ", ";
    }
    corm__put(w, ")");
}

static void put_row_columns(struct corm__writer *w)
{
    const char *before = " (";

    for (uint32_t i = 0; i < w->table->column_count; i++) {
        if (corm__is_made_by_server(&w->table->columns[i]))
            continue;
        corm__put(w, before);
        corm__put_column(w, &w->table->columns[i]);
        before = ", ";
    }
    corm__put(w, ") VALUES ");
}

/* Refuses a list that assigns a column twice, or one that is generated, or none. */
static void check_set(struct corm__writer *w, const struct corm_assign *set)
{
    if (set[0].column == NULL)
        corm__fail(w->error, CORM_MISUSE,
                   "there is nothing to write: the row is NULL, or there is no corm_set()");
    for (int i = 0; i < CORM_SET_MAX && set[i].column != NULL; i++)
        if (set[i].column->generated != NULL)
            corm__fail(w->error, CORM_MISUSE,
                       "column %s is generated by the server: it is never written",
                       corm__column_name(set[i].column));
    for (int i = 1; i < CORM_SET_MAX && set[i].column != NULL; i++)
        for (int j = 0; j < i; j++)
            if (set[i].column == set[j].column)
                corm__fail(w->error, CORM_MISUSE, "column %s is set twice",
                           corm__column_name(set[i].column));
}

static void put_set_insert(struct corm__writer *w, const struct corm_assign *set)
{
    check_set(w, set);
    for (int i = 0; i < CORM_SET_MAX && set[i].column != NULL; i++) {
        corm__put(w, i == 0 ? " (" : ", ");
        corm__put_column(w, set[i].column);
    }
    corm__put(w, ") VALUES ");
    for (int i = 0; i < CORM_SET_MAX && set[i].column != NULL; i++) {
        if (set[i].op != CORM_SET || set[i].value.kind == CORM_V_COLUMN)
            corm__fail(w->error, CORM_MISUSE,
                       "an insert takes values: there is no row yet whose "
                       "columns could be read");
        corm__put(w, i == 0 ? "(" : ", ");
        corm__put_value(w, set[i].column, set[i].value, CORM__STORED);
    }
    corm__put(w, ")");
}

/* A row of nothing but what the server makes. */
static bool is_only_generated(const struct corm_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (!corm__is_made_by_server(&table->columns[i]))
            return false;
    return true;
}

static void put_no_columns(struct corm__writer *w)
{
    corm__put(w, w->dialect == CORM_DIALECT_SQLITE ? " DEFAULT VALUES" : " () VALUES ()");
}

static void check_id(const struct corm_table *table, const struct corm_write *write,
                     struct corm_error *error)
{
    const struct corm_column *generated = corm__generated_column(table);

    if (write->id == NULL && write->id_later == NULL)
        return;
    if (generated == NULL)
        corm__fail(error, CORM_MISUSE, "table %s has no generated key (.autoinc) to return",
                   table->name);
    for (int i = 0; i < CORM_SET_MAX && write->set[i].column != NULL; i++)
        if (write->set[i].column == generated)
            corm__fail(error, CORM_MISUSE, "the key of table %s is set and asked for: you know it",
                       table->name);
}

int corm__make_insert(enum corm_dialect dialect, struct corm_arena *arena, bool keep,
                      const struct corm_table *table, const struct corm_write *write,
                      struct corm__statement *statement, struct corm_error *error)
{
    struct corm__writer w;

    corm__writer_init(&w, dialect, arena, keep, table, error);
    check_id(table, write, error);
    put_insert_into(&w);
    if (write->row == NULL) {
        put_set_insert(&w, write->set);
    } else if (is_only_generated(table)) {
        put_no_columns(&w);
    } else {
        put_row_columns(&w);
        put_row(&w, write->row);
    }
    int rc = end_write(&w, CORM__INSERT, write, statement);
    if (rc == 0)
        statement->id = write->id != NULL ? write->id : write->id_later;
    return rc;
}

size_t corm__rows_per_insert(enum corm_dialect dialect, const struct corm_table *table)
{
    size_t rows = BINDS_MAX / table->column_count;

    if (dialect == CORM_DIALECT_SQLITE && is_only_generated(table))
        return 1;
    return rows > ROWS_MAX ? ROWS_MAX : rows;
}

int corm__make_insert_rows(enum corm_dialect dialect, struct corm_arena *arena,
                           const struct corm_table *table, const struct corm_write *write,
                           size_t first, size_t count, struct corm__statement *statement,
                           struct corm_error *error)
{
    struct corm__writer w;

    corm__writer_init(&w, dialect, arena, false, table, error);
    put_insert_into(&w);
    if (is_only_generated(table)) {
        put_no_columns(&w);
        for (size_t i = 1; i < count; i++)
            corm__put(&w, ", ()");
    } else {
        put_row_columns(&w);
        for (size_t i = 0; i < count && error->code == 0; i++) {
            if (i > 0)
                corm__put(&w, ", ");
            put_row(&w, (const char *)write->row + (first + i) * table->row_size);
        }
    }
    int rc = end_write(&w, CORM__INSERT, write, statement);
    if (rc == 0)
        statement->once = count > 1;
    return rc;
}

/* ---- Updates and deletes --------------------------------------------------- */

/* Whether an assignment reads a column that one in front of it sets: MySQL then reads the new value,
 * SQL (and MariaDB under SIMULTANEOUS_ASSIGNMENT, and SQLite) the old one. */
static bool reads_what_is_set(const struct corm_assign *set)
{
    for (int i = 1; i < CORM_SET_MAX && set[i].column != NULL; i++)
        for (int j = 0; j < i && set[i].value.kind == CORM_V_COLUMN; j++)
            if (set[i].value.as.c == set[j].column)
                return true;
    return false;
}

/* A bool is 0 or 1, and what becomes of it by a sum or another column nobody knows. */
static void check_bools(struct corm__writer *w, const struct corm_assign *set)
{
    for (int i = 0; i < CORM_SET_MAX && set[i].column != NULL; i++) {
        bool from_other = set[i].value.kind == CORM_V_COLUMN &&
                          (set[i].value.as.c == NULL || set[i].value.as.c->type != CORM_BOOL);
        if (set[i].column->type == CORM_BOOL && (set[i].op == CORM_ADD || from_other))
            corm__fail(w->error, CORM_MISUSE,
                       "column %s is a bool: set it to true, to false, or to "
                       "another bool",
                       corm__column_name(set[i].column));
    }
}

static void put_set(struct corm__writer *w, const struct corm_assign *set)
{
    check_set(w, set);
    check_bools(w, set);
    if (w->dialect == CORM_DIALECT_MYSQL && reads_what_is_set(set))
        corm__fail(w->error, CORM_UNSUPPORTED,
                   "MySQL cannot read the old value of a column that "
                   "the same update sets before");
    for (int i = 0; i < CORM_SET_MAX && set[i].column != NULL; i++) {
        corm__put(w, i == 0 ? " SET " : ", ");
        corm__put_column(w, set[i].column);
        corm__put(w, " = ");
        if (set[i].op == CORM_ADD) {
            corm__put_column(w, set[i].column);
            corm__put(w, " + ");
            corm__put_value(w, set[i].column, set[i].value, CORM__COMPARED);
        } else {
            corm__put_value(w, set[i].column, set[i].value, CORM__STORED);
        }
    }
}

static void put_count_up(struct corm__writer *w, const struct corm_column *version)
{
    corm__put_column(w, version);
    corm__put(w, " = ");
    corm__put_column(w, version);
    corm__put(w, " + 1");
}

/* Who has read a row of it optimistically must notice this update. */
static void put_set_version(struct corm__writer *w, const struct corm_assign *set)
{
    const struct corm_column *version = NULL;

    if (corm__version_column(w->table, &version, w->error) < 0 || version == NULL)
        return;
    for (int i = 0; i < CORM_SET_MAX && set[i].column != NULL; i++)
        if (set[i].column == version)
            corm__fail(w->error, CORM_MISUSE,
                       "column %s is the version of table %s: leave it out of the set list, corm "
                       "counts it up",
                       corm__column_name(version), w->table->name);
    corm__put(w, ", ");
    put_count_up(w, version);
}

int corm__make_update(enum corm_dialect dialect, struct corm_arena *arena, bool keep,
                      const struct corm_table *table, const struct corm_write *write,
                      struct corm__statement *statement, struct corm_error *error)
{
    struct corm__writer w;

    corm__writer_init(&w, dialect, arena, keep, table, error);
    corm__put(&w, "UPDATE ");
    put_table(&w);
    put_set(&w, write->set);
    put_set_version(&w, write->set);
    put_where(&w, &write->where);
    return end_write(&w, CORM__WRITE, write, statement);
}

/* ` SET ` and what a row changes of itself. */
static void put_row_set(struct corm__writer *w, const struct corm_column *version, const void *row)
{
    const char *before = " SET ";

    for (uint32_t i = 0; i < w->table->column_count; i++) {
        const struct corm_column *column = &w->table->columns[i];
        if (column->pk || corm__is_made_by_server(column))
            continue;
        corm__put(w, before);
        before = ", ";
        if (column == version) {
            put_count_up(w, version);
            continue;
        }
        corm__put_column(w, column);
        corm__put(w, " = ");
        corm__put_value(w, column, corm__field_get(column, row), CORM__STORED);
    }
    if (strcmp(before, " SET ") == 0)
        corm__fail(w->error, CORM_MISUSE,
                   "table %s has no column beside its primary key that could be updated",
                   w->table->name);
}

/* The row by its primary key. A value that its column could not store is no row's key: better
 * refused than not found. */
static void put_row_where(struct corm__writer *w, const struct corm_column *version,
                          const void *row)
{
    const char *before = " WHERE ";

    for (uint32_t i = 0; i < w->table->column_count; i++) {
        const struct corm_column *column = &w->table->columns[i];
        if (!column->pk)
            continue;
        corm__put(w, before);
        before = " AND ";
        corm__put_column(w, column);
        corm__put(w, " = ");
        corm__put_value(w, column, corm__field_get(column, row), CORM__STORED);
    }
    if (strcmp(before, " WHERE ") == 0)
        corm__fail(
            w->error, CORM_MISUSE,
            "table %s has no primary key (.pk) in its model, by which its row could be found",
            w->table->name);
    if (version == NULL)
        return;
    corm__put(w, " AND ");
    corm__put_column(w, version);
    corm__put(w, " = ");
    corm__put_value(w, version, corm__field_get(version, row), CORM__STORED);
}

int corm__make_update_row(enum corm_dialect dialect, struct corm_arena *arena, bool keep,
                          const struct corm_table *table, const struct corm_column *version,
                          const struct corm_write *write, struct corm__statement *statement,
                          struct corm_error *error)
{
    struct corm__writer w;

    corm__writer_init(&w, dialect, arena, keep, table, error);
    corm__put(&w, "UPDATE ");
    put_table(&w);
    put_row_set(&w, version, write->row);
    put_row_where(&w, version, write->row);
    return end_write(&w, CORM__WRITE, write, statement);
}

int corm__make_delete(enum corm_dialect dialect, struct corm_arena *arena, bool keep,
                      const struct corm_table *table, const struct corm_write *write,
                      struct corm__statement *statement, struct corm_error *error)
{
    struct corm__writer w;

    corm__writer_init(&w, dialect, arena, keep, table, error);
    corm__put(&w, "DELETE FROM ");
    put_table(&w);
    put_where(&w, &write->where);
    return end_write(&w, CORM__WRITE, write, statement);
}

/* ---- Texts of the caller's, and of ours ------------------------------------ */

static bool is_read(const char *text)
{
    char word[16];

    corm__first_word(text, word);
    return strcmp(word, "SELECT") == 0 || strcmp(word, "SHOW") == 0 || strcmp(word, "EXPLAIN") == 0;
}

int corm__make_raw(struct corm_arena *arena, const struct corm_sql_args *args,
                   struct corm__statement *statement, struct corm_error *error)
{
    size_t n = 0;

    while (args->vals.values != NULL && args->vals.values[n].kind != CORM_V_NONE)
        n++;
    struct corm_value *binds = corm_arena_alloc(arena, (n + 1) * sizeof(*binds));
    if (binds == NULL)
        return corm__fail_memory(error, "the values of a statement");
    for (size_t i = 0; i < n; i++) {
        binds[i] = args->vals.values[i];
        if (binds[i].kind == CORM_V_COLUMN)
            return corm__fail(error, CORM_MISUSE,
                              "a column handle among the values of corm_sql(): "
                              "write its name into the text");
        if (binds[i].kind == CORM_V_TEXT && binds[i].size == 0)
            binds[i].size = (uint32_t)strlen(binds[i].as.s);
    }
    *statement = (struct corm__statement){
        .verb = is_read(args->text) ? CORM__READ : CORM__RAW,
        .text = args->text,
        .size = strlen(args->text),
        .binds = binds,
        .bind_count = (uint32_t)n,
        .alone = true,
        .file = args->file,
        .line = args->line,
    };
    return 0;
}

struct corm__statement corm__control(const char *text)
{
    return (struct corm__statement){.verb = CORM__CONTROL, .text = text, .size = strlen(text)};
}

/* A comment that MariaDB and MySQL may run, or not, by its version. */
static bool is_executable(const char *p)
{
    return strncmp(p, "/*!", 3) == 0 || strncmp(p, "/*M!", 4) == 0;
}

/* Passes over white space, parentheses, empty statements and comments. */
static const char *skip_space(const char *p)
{
    for (;;) {
        const char *start = p;
        p += strspn(p, " \t\r\n\f\v(;");
        if (p[0] == '#' || (p[0] == '-' && p[1] == '-')) {
            p += strcspn(p, "\n");
        } else if (p[0] == '/' && p[1] == '*' && !is_executable(p)) {
            const char *end = strstr(p + 2, "*/");
            p = end != NULL ? end + 2 : p + strlen(p);
        }
        if (p == start)
            return p;
    }
}

void corm__first_word(const char *text, char word[static 16])
{
    const char *p = skip_space(text);
    size_t      n = 0;

    if (is_executable(p))
        word[n++] = '/', word[n++] = '*', word[n++] = '!';
    for (; n < 15 && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')); p++)
        word[n++] = (char)(*p >= 'a' ? *p - 'a' + 'A' : *p);
    if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z'))
        n = 0;
    word[n] = '\0';
}
