/* sql/statement.c -- the statements that write, one function each, and texts. */
#include "sql/statement.h"

#include "base/arena.h"
#include "schema/dialect.h"
#include "schema/row.h"
#include "schema/version.h"
#include "sql/writer.h"

#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 1000 };

static void put_table(struct corm__writer *w)
{
    corm__put_name(&w->text, w->dialect, w->table->name);
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
        if (column->autoinc)
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
        if (w->table->columns[i].autoinc)
            continue;
        corm__put(w, before);
        corm__put_column(w, &w->table->columns[i]);
        before = ", ";
    }
    corm__put(w, ") VALUES ");
}

/* Refuses a list that assigns a column twice, or none. */
static void check_set(struct corm__writer *w, const struct corm_assign *set)
{
    if (set[0].column == NULL)
        corm__fail(w->error, CORM_MISUSE,
                   "there is nothing to write: the row is NULL, or there is no corm_set()");
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

/* A row of nothing but a generated key. */
static bool is_only_generated(const struct corm_table *table)
{
    return table->column_count == 1 && table->columns[0].autoinc;
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
    size_t rows = CORM__BINDS_MAX / table->column_count;

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
    corm__put_where(&w, &write->where);
    return end_write(&w, CORM__WRITE, write, statement);
}

/* ` SET ` and what a row changes of itself. */
static void put_row_set(struct corm__writer *w, const struct corm_column *version, const void *row)
{
    const char *before = " SET ";

    for (uint32_t i = 0; i < w->table->column_count; i++) {
        const struct corm_column *column = &w->table->columns[i];
        if (column->pk || column->autoinc)
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
    corm__put_where(&w, &write->where);
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
