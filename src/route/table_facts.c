/* route/table_facts.c -- what may be served from memory for one table.
 *
 * One statement gives everything that the server's catalogue knows of the table, as rows of texts
 * whose first one says what the row is of (`takers` below). On servers SHOW CREATE TABLE follows: it is refused where the user may see only some of
 * the columns, says what is temporary, and has the CHECKs, which the catalogue hides from users with
 * rights on the table alone. SQLite has its text in the catalogue.
 *
 * Measured with MariaDB 10.11.19: the catalogue names a trigger to every user who may insert or
 * update, and hides it from one who may only read. MySQL shows it by the right to triggers alone. */
#include "route/table_facts.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "schema/ddl.h"
#include "schema/dialect.h"
#include "schema/type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIELDS = 7, BITS = 64 };

/* One column of the model, as it is in the database. */
struct found_column {
    int  times;    /* that it was found */
    bool fits;     /* of the type that the model stands for */
    bool exact;    /* equal values have equal bytes */
    bool nullable; /* takes NULL */
    bool in_key;   /* of its table: the primary one */
    bool bound;    /* in another unique key, a foreign key of either side, or a CHECK */
    bool indexed;
};

struct reader {
    struct corm__sink        base;
    enum corm_dialect        dialect;
    const struct corm_table *table;
    struct corm_arena       *arena;
    struct found_column     *columns;
    int                      tables;    /* of that name */
    bool                     ordinary;  /* a table as corm makes them */
    bool                     sees_all;  /* also foreign keys of other databases */
    bool                     may_write; /* the user: who may not is not shown the triggers */
    bool                     has_triggers, is_parent, is_child;
    bool                     cascades; /* a foreign key may change its rows */
    bool                     computes; /* the server sets some column itself */
    bool                     odd;      /* a key that is not just columns */
    uint32_t                 key_columns;
    size_t                   foreign_keys; /* that the catalogue shows */
    const char              *text;         /* of its CREATE TABLE */
};

/* ---- Words ---------------------------------------------------------------------- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* Where a word stands in a text, in whatever case, quoted or not; or NULL. */
static const char *find_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = text; *at != '\0'; at++)
        if ((at == text || !is_word(at[-1])) && strncasecmp(at, word, n) == 0 && !is_word(at[n]))
            return at;
    return NULL;
}

static size_t count_words(const char *text, const char *word)
{
    size_t count = 0;

    for (const char *at = text; (at = find_word(at, word)) != NULL; at += strlen(word))
        count++;
    return count;
}

/* Names that may be spelt in several ways are taken to be in every expression. */
static bool mentions(const char *expression, const char *name)
{
    for (const char *c = name; *c != '\0'; c++)
        if (!is_word(*c) || (unsigned char)*c >= 0x80)
            return true;
    return find_word(expression, name) != NULL;
}

/* ---- Types ---------------------------------------------------------------------- */

static const char *name_of_integer(enum corm_type type)
{
    switch (type) {
    case CORM_TINYINT: return "tinyint";
    case CORM_SMALLINT: return "smallint";
    case CORM_INT: return "int";
    default: return "bigint";
    }
}

/* "int" is "int(11)" on MariaDB, whatever the number. */
static bool is_integer(const struct corm_column *column, const char *type)
{
    const char *name = name_of_integer(column->type);
    size_t      n = strlen(name);

    if (strncmp(type, name, n) != 0)
        return false;
    type += n;
    if (*type == '(') {
        type += 1 + strspn(type + 1, "0123456789");
        if (*type++ != ')')
            return false;
    }
    return strcmp(type, column->is_unsigned ? " unsigned" : "") == 0;
}

/* "varchar(" and as many characters as the model has, or more. */
static bool is_text_of(const char *head, const char *type, uint32_t length)
{
    char *end;

    if (strncmp(type, head, strlen(head)) != 0)
        return false;
    return strtoul(type + strlen(head), &end, 10) >= length && strcmp(end, ")") == 0;
}

static bool is_decimal(const struct corm_column *column, const char *type)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "decimal(%u,%u)", column->length, column->scale);
    return strcmp(type, text) == 0;
}

static bool fits_on_server(const struct corm_column *column, const char *type, const char *charset)
{
    bool utf8 = charset != NULL && strcmp(charset, "utf8mb4") == 0;

    switch (column->type) {
    case CORM_TINYINT:
    case CORM_SMALLINT:
    case CORM_INT:
    case CORM_BIGINT: return is_integer(column, type);
    case CORM_BOOL: return strcmp(type, "tinyint(1)") == 0;
    case CORM_FLOAT: return strcmp(type, "float") == 0;
    case CORM_DOUBLE: return strcmp(type, "double") == 0;
    case CORM_DECIMAL: return is_decimal(column, type);
    case CORM_CHAR: return utf8 && is_text_of("char(", type, column->length);
    case CORM_VARCHAR: return utf8 && is_text_of("varchar(", type, column->length);
    case CORM_TEXT: return utf8 && strcmp(type, "longtext") == 0;
    case CORM_ENUM: return utf8 && strncmp(type, "enum(", 5) == 0;
    case CORM_JSON: return strcmp(type, "json") == 0 || (utf8 && strcmp(type, "longtext") == 0);
    case CORM_BLOB: return strcmp(type, "longblob") == 0;
    case CORM_UUID: return strcmp(type, "uuid") == 0 || strcmp(type, "binary(16)") == 0;
    case CORM_DATE: return strcmp(type, "date") == 0;
    case CORM_TIME: return strcmp(type, "time(6)") == 0;
    case CORM_DATETIME: return strcmp(type, "datetime(6)") == 0;
    case CORM_TIMESTAMP: return strcmp(type, "timestamp(6)") == 0;
    default: return false;
    }
}

/* Of a STRICT table. */
static bool fits_on_sqlite(const struct corm_column *column, const char *type)
{
    const char *made = corm__sqlite_type(column->type);

    return made != NULL && strcasecmp(type, made) == 0;
}

static bool is_integer_model(const struct corm_column *column)
{
    return corm__is_integer(column) || column->type == CORM_BOOL;
}

/* Of which every text is a value of its own. */
static bool is_text_model(const struct corm_column *column)
{
    return column->type == CORM_VARCHAR || column->type == CORM_TEXT;
}

/* Whether equal values have equal bytes, where text is in a collation that compares them. */
static bool is_exact_model(const struct corm_column *column, bool compares_bytes)
{
    return is_integer_model(column) || column->type == CORM_UUID ||
           (is_text_model(column) && compares_bytes);
}

/* Whether a value that is written comes back as it is, so that memory may stand for the server. Not so:
 *
 *     decimal               comes back with all digits of its fraction
 *     char                  the server cuts its end, and fills it up in some modes
 *     enum                  the spelling in the server's list, and the place in it for a number
 *     json                  MySQL writes it anew
 *     float                 the server rounds
 *     uuid                  is stored as the server likes it
 *     date to timestamp     are texts on the way, and other modes of the server take other texts
 *     unsigned(bigint)      SQLite takes the lower half only */
static bool can_be_held_changed(const struct corm_column *column, enum corm_dialect dialect)
{
    if (column->type == CORM_BIGINT && column->is_unsigned)
        return dialect != CORM_DIALECT_SQLITE;
    return is_integer_model(column) || is_text_model(column) || column->type == CORM_DOUBLE ||
           column->type == CORM_BLOB;
}

/* ---- What the rows of the catalogue say ------------------------------------------------ */

/* NULL where the model has no such column. */
static struct found_column *find_column(struct reader *r, const char *name)
{
    for (uint32_t i = 0; i < r->table->column_count; i++)
        if (strcasecmp(corm__column_name(&r->table->columns[i]), name) == 0)
            return &r->columns[i];
    return NULL;
}

static const struct corm_column *model_of(const struct reader *r, const struct found_column *found)
{
    return &r->table->columns[found - r->columns];
}

static bool is(const char *field, const char *text)
{
    return field != NULL && strcmp(field, text) == 0;
}

static void bind_mentioned(struct reader *r, const char *expression)
{
    for (uint32_t i = 0; i < r->table->column_count; i++)
        if (mentions(expression, corm__column_name(&r->table->columns[i])))
            r->columns[i].bound = true;
}

/* name, type, engine, options, sees all, sees triggers */
static void take_server_table(struct reader *r, const char *const f[])
{
    r->tables++;
    r->ordinary = is(f[1], r->table->name) && is(f[2], "BASE TABLE") && is(f[3], "InnoDB") &&
                  (f[4] == NULL || find_word(f[4], "partitioned") == NULL);
    r->sees_all = !is(f[5], "0");
    r->has_triggers = r->has_triggers || is(f[6], "0");
}

/* name, kind, STRICT, CREATE TABLE, not hidden by a temporary one */
static void take_file_table(struct reader *r, const char *const f[])
{
    r->tables++;
    r->text = f[4];
    r->ordinary = is(f[2], "table") && is(f[3], "1") && is(f[5], "0") && r->text != NULL &&
                  find_word(r->text, "CONFLICT") == NULL;
    r->sees_all = r->may_write = true;
}

/* name, type, character set, collation, extra, nullable or not */
static void take_server_column(struct reader *r, const char *const f[])
{
    static const char *const plain[] = {"", "auto_increment", "INVISIBLE", "DEFAULT_GENERATED"};
    bool                     known = false;

    for (size_t i = 0; f[5] != NULL && i < sizeof(plain) / sizeof(plain[0]); i++)
        known = known || strcmp(f[5], plain[i]) == 0;
    r->computes = r->computes || !known;
    struct found_column *c = f[1] != NULL ? find_column(r, f[1]) : NULL;
    if (c == NULL || f[2] == NULL)
        return;
    const struct corm_column *model = model_of(r, c);
    c->times++;
    c->fits = fits_on_server(model, f[2], f[3]);
    c->nullable = is(f[6], "YES");
    c->exact = c->fits &&
               is_exact_model(model, is(f[4], "utf8mb4_nopad_bin") || is(f[4], "utf8mb4_0900_bin"));
}

/* name, type, hidden or generated, NOT NULL, place in the primary key */
static void take_file_column(struct reader *r, const char *const f[])
{
    r->computes = r->computes || !is(f[3], "0");
    r->key_columns += !is(f[5], "0");
    struct found_column *c = f[1] != NULL ? find_column(r, f[1]) : NULL;
    if (c == NULL || f[2] == NULL)
        return;
    const struct corm_column *model = model_of(r, c);
    c->times++;
    c->fits = fits_on_sqlite(model, f[2]);
    c->nullable = is(f[4], "0");
    c->in_key = !is(f[5], "0");
    c->exact = c->fits && is_exact_model(model, true);
}

static void take_column(struct reader *r, const char *const f[])
{
    if (r->dialect == CORM_DIALECT_SQLITE)
        take_file_column(r, f);
    else
        take_server_column(r, f);
}

static void take_table(struct reader *r, const char *const f[])
{
    if (r->dialect == CORM_DIALECT_SQLITE)
        take_file_table(r, f);
    else
        take_server_table(r, f);
}

/* column (none: an expression), index, "1" where it is not unique, length of a prefix or "partial" */
static void take_key(struct reader *r, const char *const f[])
{
    bool                 primary = is(f[2], "PRIMARY"), unique = !is(f[3], "1");
    struct found_column *c = f[1] != NULL ? find_column(r, f[1]) : NULL;

    if (unique && (f[1] == NULL || f[4] != NULL))
        r->odd = true;
    if (primary)
        r->key_columns++;
    if (c == NULL)
        return;
    c->indexed = true;
    c->in_key = c->in_key || (primary && f[4] == NULL);
    c->bound = c->bound || (unique && !primary);
}

static bool changes_nothing(const char *action)
{
    return is(action, "RESTRICT") || is(action, "NO ACTION");
}

/* column, action on update, on delete, "1" for the first column of a key */
static void take_child(struct reader *r, const char *const f[])
{
    struct found_column *c = f[1] != NULL ? find_column(r, f[1]) : NULL;

    r->is_child = true;
    r->foreign_keys += is(f[4], "1");
    r->cascades = r->cascades || !changes_nothing(f[2]) || !changes_nothing(f[3]);
    if (c != NULL)
        c->bound = true;
}

/* column; none: the primary key */
static void take_parent(struct reader *r, const char *const f[])
{
    struct found_column *c = f[1] != NULL ? find_column(r, f[1]) : NULL;

    r->is_parent = true;
    if (c != NULL)
        c->bound = true;
}

static void take_writable(struct reader *r, const char *const f[])
{
    (void)f;
    r->may_write = true;
}

static void take_trigger(struct reader *r, const char *const f[])
{
    (void)f;
    r->has_triggers = true;
}

/* The answer to SHOW CREATE TABLE: name, text. */
static void take_text(struct reader *r, const char *const f[])
{
    r->text = f[1];
}

static const struct {
    const char *name;
    void (*take)(struct reader *r, const char *const f[]);
} takers[] = {
    {"table", take_table},     {"column", take_column}, {"key", take_key},
    {"child", take_child},     {"parent", take_parent}, {"writable", take_writable},
    {"trigger", take_trigger},
};

static int sink_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                    struct corm_error *error)
{
    struct reader *r = (struct reader *)base;
    const char    *f[FIELDS] = {0};

    for (uint32_t i = 0; i < count && i < FIELDS; i++) {
        if (values[i].kind == CORM_V_NULL)
            continue;
        if (values[i].kind != CORM_V_TEXT && values[i].kind != CORM_V_BLOB)
            return corm__fail(error, CORM_BAD_VALUE, "a text was expected of the catalogue");
        f[i] = corm__arena_copy(r->arena, values[i].as.p, values[i].size);
        if (f[i] == NULL)
            return corm__fail_memory(error, "what is known of a table");
    }
    if (count != FIELDS) {
        take_text(r, f);
        return 0;
    }
    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++)
        if (is(f[0], takers[i].name))
            takers[i].take(r, f);
    return 0;
}

/* ---- The catalogue ------------------------------------------------------------------------ */

#define IN_DATABASE "table_schema = DATABASE() AND table_name = ?"
#define GRANTEE     "grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')"
#define TABLE_PART                                                                                 \
    "SELECT 'table' AS what, table_name AS a, table_type AS b, engine AS c, create_options AS d, " \
    "CAST((SELECT COUNT(*) FROM information_schema.user_privileges WHERE " GRANTEE                 \
    " AND privilege_type = 'SELECT') AS CHAR) AS e, "
#define OF_TABLE " FROM information_schema.tables WHERE " IN_DATABASE

static const char *const server_parts[] = {
    "SELECT 'column', column_name, column_type, character_set_name, collation_name, extra, "
    "is_nullable FROM information_schema.columns WHERE " IN_DATABASE,
    "SELECT 'writable', NULL, NULL, NULL, NULL, NULL, NULL FROM information_schema.columns WHERE " IN_DATABASE
    " AND (FIND_IN_SET('insert', privileges) OR FIND_IN_SET('update', privileges))",
    "SELECT 'key', column_name, index_name, CAST(non_unique AS CHAR), CAST(sub_part AS CHAR), "
    "NULL, NULL FROM information_schema.statistics WHERE " IN_DATABASE,
    "SELECT 'child', k.column_name, r.update_rule, r.delete_rule, "
    "CAST(k.ordinal_position AS CHAR), NULL, NULL FROM information_schema.key_column_usage k "
    "LEFT JOIN information_schema.referential_constraints r "
    "ON r.constraint_schema = k.constraint_schema AND r.table_name = k.table_name "
    "AND r.constraint_name = k.constraint_name WHERE k.table_schema = DATABASE() "
    "AND k.table_name = ? AND k.referenced_table_name IS NOT NULL",
    "SELECT 'parent', referenced_column_name, NULL, NULL, NULL, NULL, NULL "
    "FROM information_schema.key_column_usage "
    "WHERE referenced_table_schema = DATABASE() AND referenced_table_name = ?",
    "SELECT 'trigger', NULL, NULL, NULL, NULL, NULL, NULL FROM information_schema.triggers "
    "WHERE event_object_schema = DATABASE() AND event_object_table = ?",
};

static const char *const mariadb_parts[] = {TABLE_PART "NULL AS f" OF_TABLE};

static const char *const mysql_parts[] = {
    TABLE_PART "CAST((SELECT COUNT(*) FROM information_schema.user_privileges WHERE " GRANTEE
               " AND privilege_type = 'TRIGGER') + (SELECT COUNT(*) FROM "
               "information_schema.schema_privileges WHERE " GRANTEE
               " AND privilege_type = 'TRIGGER' AND DATABASE() LIKE table_schema) "
               "AS CHAR) AS f" OF_TABLE,
};

static const char *const sqlite_parts[] = {
    "SELECT 'table' AS what, l.name AS a, l.type AS b, CAST(l.strict AS TEXT) AS c, s.sql AS d, "
    "CAST((SELECT COUNT(*) FROM sqlite_temp_schema t WHERE t.name = l.name COLLATE NOCASE) "
    "AS TEXT) AS e, NULL AS f FROM pragma_table_list l JOIN main.sqlite_schema s "
    "ON s.name = l.name AND s.type = 'table' WHERE l.schema = 'main' AND l.name = ?",
    "SELECT 'column', name, type, CAST(hidden AS TEXT), CAST(\"notnull\" AS TEXT), "
    "CAST(pk AS TEXT), NULL FROM pragma_table_xinfo WHERE arg = ? AND schema = 'main'",
    "SELECT 'key', i.name, l.name, CAST(1 - l.\"unique\" AS TEXT), "
    "CASE WHEN l.partial THEN 'partial' END, NULL, NULL FROM pragma_index_list l "
    "JOIN pragma_index_info i ON i.arg = l.name AND i.schema = 'main' "
    "WHERE l.arg = ? AND l.schema = 'main' AND l.origin <> 'pk'",
    "SELECT 'child', \"from\", on_update, on_delete, NULL, NULL, NULL "
    "FROM pragma_foreign_key_list WHERE arg = ? AND schema = 'main'",
    "SELECT 'parent', f.\"to\", NULL, NULL, NULL, NULL, NULL FROM main.sqlite_schema s "
    "JOIN pragma_foreign_key_list f ON f.arg = s.name AND f.schema = 'main' "
    "WHERE s.type = 'table' AND f.\"table\" = ? COLLATE NOCASE",
    "SELECT 'trigger', NULL, NULL, NULL, NULL, NULL, NULL FROM (SELECT type, tbl_name "
    "FROM main.sqlite_schema UNION ALL SELECT type, tbl_name FROM sqlite_temp_schema) "
    "WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE",
};

static int run_text(struct corm__connection *connection, struct reader *r,
                    const struct corm__buffer *text, const struct corm_value *binds,
                    uint32_t bind_count, int64_t deadline, struct corm_error *error)
{
    struct corm__statement s = {.verb = CORM__READ,
                                .text = text->text,
                                .size = text->size,
                                .binds = binds,
                                .bind_count = bind_count,
                                .once = true};
    struct corm__run       run = {.statements = &s,
                                  .count = 1,
                                  .sink = &r->base,
                                  .arena = r->arena,
                                  .attempt = 1,
                                  .deadline = deadline};

    if (text->failed)
        return corm__fail_memory(error, "what is known of a table");
    return corm__connection_run(connection, &run, error);
}

struct question {
    struct corm__buffer text;
    struct corm_value   binds[8];
    uint32_t            bind_count;
};

static void add_parts(struct question *q, const struct corm_table *table, const char *const *parts,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert(q->bind_count < sizeof(q->binds) / sizeof(q->binds[0]));
        corm__buffer_puts(&q->text, q->bind_count > 0 ? " UNION ALL " : "");
        corm__buffer_puts(&q->text, parts[i]);
        q->binds[q->bind_count] = corm_v_text_(table->name);
        q->binds[q->bind_count++].size = (uint32_t)strlen(table->name);
    }
}
#define add_parts(q, table, list) add_parts(q, table, list, sizeof(list) / sizeof((list)[0]))

static int ask_catalogue(struct corm__connection *connection, struct reader *r, int64_t deadline,
                         struct corm_error *error)
{
    struct question q = {.bind_count = 0};

    corm__buffer_init(&q.text, r->arena);
    switch (r->dialect) {
    case CORM_DIALECT_SQLITE: add_parts(&q, r->table, sqlite_parts); break;
    case CORM_DIALECT_MARIADB: add_parts(&q, r->table, mariadb_parts); break;
    case CORM_DIALECT_MYSQL: add_parts(&q, r->table, mysql_parts); break;
    }
    if (r->dialect != CORM_DIALECT_SQLITE)
        add_parts(&q, r->table, server_parts);
    return run_text(connection, r, &q.text, q.binds, q.bind_count, deadline, error);
}

/* What the user may not see whole is as if it did not exist. */
static int ask_text(struct corm__connection *connection, struct reader *r, int64_t deadline,
                    struct corm_error *error)
{
    struct corm__buffer text;

    corm__buffer_init(&text, r->arena);
    corm__buffer_puts(&text, "SHOW CREATE TABLE ");
    corm__put_name(&text, r->dialect, r->table->name);
    int rc = run_text(connection, r, &text, NULL, 0, deadline, error);
    if (rc != CORM_DENIED && rc != CORM_NO_TABLE)
        return rc;
    *error = (struct corm_error){0};
    r->text = NULL;
    return 0;
}

/* ---- What a CREATE TABLE says ------------------------------------------------------------------ */

/* The CHECKs that corm makes itself keep what the model keeps, too: they are blanked. */
static void blank_own_checks(struct reader *r, char *text)
{
    for (uint32_t i = 0; i < r->table->column_count; i++) {
        struct corm__buffer own;
        corm__buffer_init(&own, r->arena);
        corm__put_sqlite_check(&own, &r->table->columns[i]);
        char *at = own.failed || own.size == 0 ? NULL : strstr(text, own.text);
        if (at != NULL)
            memset(at, ' ', own.size);
    }
}

/* How much of a text its leading expression in brackets takes; all of it where quotes and comments
 * would have to be understood. */
static size_t size_of_expression(const char *text)
{
    size_t at = strspn(text, " \t\r\n"), depth = 0;

    if (text[at] != '(' || strpbrk(text, "\\#") != NULL || strstr(text, "--") != NULL ||
        strstr(text, "/*") != NULL)
        return strlen(text);
    for (; text[at] != '\0'; at++) {
        depth += text[at] == '(';
        depth -= text[at] == ')';
        if (depth == 0)
            return at + 1;
        if (strchr("'\"`[", text[at]) != NULL) {
            const char *end = strchr(text + at + 1, text[at] == '[' ? ']' : text[at]);
            if (end == NULL)
                break;
            at = (size_t)(end - text);
        }
    }
    return strlen(text);
}

static void take_checks(struct reader *r, char *text)
{
    static const char word[] = "CHECK";

    for (const char *found = text; (found = find_word(found, word)) != NULL;) {
        char  *at = text + (found - text) + sizeof(word) - 1;
        size_t size = size_of_expression(at);
        char   end = at[size];
        at[size] = '\0';
        bind_mentioned(r, at);
        at[size] = end;
        found = at + size;
    }
}

static void read_server_text(struct reader *r, char *text)
{
    static const char head[] = "CREATE TABLE ";

    r->ordinary = r->ordinary && strncmp(text, head, sizeof(head) - 1) == 0;
    if (count_words(text, "FOREIGN") > r->foreign_keys)
        r->cascades = true;
}

static void read_file_text(struct reader *r, char *text)
{
    blank_own_checks(r, text);
    if (find_word(text, "COLLATE") != NULL)
        for (uint32_t i = 0; i < r->table->column_count; i++)
            if (is_text_model(&r->table->columns[i]))
                r->columns[i].exact = false;
}

static int read_text(struct reader *r, struct corm_error *error)
{
    r->ordinary = r->ordinary && r->text != NULL;
    if (!r->ordinary)
        return 0;
    char *text = corm__arena_copy(r->arena, r->text, strlen(r->text));
    if (text == NULL)
        return corm__fail_memory(error, "what is known of a table");
    if (r->dialect == CORM_DIALECT_SQLITE)
        read_file_text(r, text);
    else
        read_server_text(r, text);
    take_checks(r, text);
    return 0;
}

/* ---- What follows -------------------------------------------------------------------------------- */

static bool has_key_of_model(const struct reader *r)
{
    uint32_t keys = 0;

    for (uint32_t i = 0; i < r->table->column_count; i++) {
        if (r->columns[i].in_key != r->table->columns[i].pk)
            return false;
        keys += r->table->columns[i].pk;
    }
    return keys > 0 && keys == r->key_columns;
}

static bool has_columns_of_model(const struct reader *r)
{
    for (uint32_t i = 0; i < r->table->column_count; i++)
        if (r->columns[i].times != 1 || !r->columns[i].fits)
            return false;
    return true;
}

static bool has_exact_key(const struct reader *r)
{
    for (uint32_t i = 0; i < r->table->column_count; i++)
        if (r->table->columns[i].pk && !r->columns[i].exact)
            return false;
    return true;
}

static bool folds_key(const struct reader *r)
{
    for (uint32_t i = 0; i < r->table->column_count; i++)
        if (r->table->columns[i].pk && corm__is_text(&r->table->columns[i]) &&
            r->columns[i].times == 1 && !r->columns[i].exact)
            return true;
    return false;
}

static bool may_update(const struct reader *r, uint32_t i)
{
    const struct corm_column  *column = &r->table->columns[i];
    const struct found_column *found = &r->columns[i];

    return can_be_held_changed(column, r->dialect) && !found->in_key && !found->bound &&
           (r->sees_all || !found->indexed) && (found->nullable || !column->nullable);
}

static void conclude(const struct reader *r, struct corm__table_facts *facts)
{
    if (r->tables != 1)
        return;
    facts->is_parent = r->is_parent;
    facts->is_child = r->is_child;
    bool alone = !r->has_triggers && r->may_write;
    facts->may_insert = r->ordinary && alone;
    facts->folds_key = folds_key(r);
    facts->exact_key = r->ordinary && has_key_of_model(r) && has_exact_key(r);
    facts->may_hold = r->ordinary && has_key_of_model(r) && has_columns_of_model(r) && !r->cascades;
    if (!facts->may_hold || !alone || r->computes || r->odd || r->table->column_count > BITS)
        return;
    for (uint32_t i = 0; i < r->table->column_count; i++)
        if (may_update(r, i))
            facts->may_update |= UINT64_C(1) << i;
}

int corm__read_table_facts(struct corm__connection *connection, enum corm_dialect dialect,
                           const struct corm_table *table, struct corm_arena *arena,
                           int64_t deadline, struct corm__table_facts *facts,
                           struct corm_error *error)
{
    size_t        size = (table->column_count + 1) * sizeof(struct found_column);
    struct reader r = {.base = {.row = sink_row},
                       .dialect = dialect,
                       .table = table,
                       .arena = arena,
                       .columns = corm_arena_alloc(arena, size)};

    *facts = (struct corm__table_facts){0};
    if (r.columns == NULL)
        return corm__fail_memory(error, "what is known of a table");
    memset(r.columns, 0, size);
    int rc = ask_catalogue(connection, &r, deadline, error);
    if (rc == 0 && dialect != CORM_DIALECT_SQLITE && r.ordinary)
        rc = ask_text(connection, &r, deadline, error);
    if (rc == 0)
        rc = read_text(&r, error);
    if (rc < 0)
        return rc;
    conclude(&r, facts);
    return 0;
}
