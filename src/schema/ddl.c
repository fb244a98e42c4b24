/* schema/ddl.c -- CREATE TABLE and DROP TABLE from a model.
 *
 * MariaDB, MySQL: InnoDB, utf8mb4 with a collation that compares bytes and does not pad, so that
 * text means the same as on SQLite and a text key is what its bytes are. SQLite: STRICT, and CHECKs
 * where its types are wider than the model's; its indexes are statements of their own. */
#include "schema/ddl.h"

#include "schema/decimal.h"
#include "schema/dialect.h"
#include "schema/text.h"
#include "schema/type.h"
#include "schema/version.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int check_name(const char *what, const char *name, struct corm_error *error)
{
    size_t characters = 0;
    char   shown[2 * CORM__NAME_MAX];

    if (corm__is_utf8(name, strlen(name), &characters) && characters > 0 &&
        characters <= CORM__NAME_MAX && name[strlen(name) - 1] != ' ')
        return 0;
    (void)snprintf(shown, sizeof(shown), "%s", name);
    corm__cut_utf8(shown, sizeof(shown));
    if (!corm__is_utf8(shown, strlen(shown), &characters))
        shown[0] = '\0';
    return corm__fail(
        error, CORM_MISUSE,
        "the %s name \"%s\" is not 1 to %d characters of UTF-8 without a space at its "
        "end",
        what, shown, CORM__NAME_MAX);
}

static int misuse(const struct corm_table *table, const struct corm_column *column,
                  struct corm_error *error, const char *what)
{
    return corm__fail(error, CORM_MISUSE, "%s.%s %s", table->name, column->name, what);
}

/* ---- Checks of the model --------------------------------------------------- */

/* A value of an enum goes into the DDL, and MariaDB cuts spaces at its end. */
static int check_values(const struct corm_table *table, const struct corm_column *column,
                        struct corm_error *error)
{
    size_t characters = 0;

    if (column->values == NULL || column->values[0] == NULL)
        return misuse(table, column, error, "is an enum without values");
    for (size_t i = 0; column->values[i] != NULL; i++) {
        const char *v = column->values[i];
        if (!corm__is_utf8(v, strlen(v), &characters) || characters == 0 || characters > 255 ||
            v[strlen(v) - 1] == ' ')
            return misuse(
                table, column, error,
                "is an enum with a value that is not 1 to 255 characters of UTF-8 without "
                "a space at its end");
        for (size_t j = 0; j < i; j++)
            if (strcmp(v, column->values[j]) == 0)
                return misuse(table, column, error, "is an enum with the same value twice");
    }
    return 0;
}

static int check_type(const struct corm_table *table, enum corm_dialect dialect,
                      const struct corm_column *column, struct corm_error *error)
{
    uint32_t longest = column->type == CORM_CHAR ? 255 : 16383;

    switch (column->type) {
    case CORM_CHAR:
    case CORM_VARCHAR:
        if (column->length == 0 || column->length > longest)
            return corm__fail(error, CORM_MISUSE, "%s.%s is %s(%u): lengths are 1 to %u",
                              table->name, column->name,
                              column->type == CORM_CHAR ? "char" : "varchar", column->length,
                              longest);
        return 0;
    case CORM_DECIMAL:
        if (column->length == 0 || column->length > CORM__DECIMAL_MAX ||
            column->scale > CORM__SCALE_MAX || column->scale > column->length)
            return corm__fail(
                error, CORM_MISUSE,
                "%s.%s is decimal(%u, %u): it may have 1 to %d digits, and 0 to %d of "
                "them behind the point",
                table->name, column->name, column->length, column->scale, CORM__DECIMAL_MAX,
                CORM__SCALE_MAX);
        if (dialect == CORM_DIALECT_SQLITE && column->length > CORM__DECIMAL_MAX_SQLITE)
            return corm__fail(error, CORM_UNSUPPORTED,
                              "%s.%s is decimal(%u, %u): on SQLite a decimal has %d digits at most",
                              table->name, column->name, column->length, column->scale,
                              CORM__DECIMAL_MAX_SQLITE);
        return 0;
    case CORM_ENUM: return check_values(table, column, error);
    default: return 0;
    }
}

/* What is as long as it likes can be no key. */
static bool is_long(const struct corm_column *column)
{
    return column->type == CORM_TEXT || column->type == CORM_JSON || column->type == CORM_BLOB;
}

static int check_reference(const struct corm_table *table, const struct corm_column *column,
                           struct corm_error *error)
{
    if (column->references.table == NULL) {
        if (column->on_delete != CORM_NO_ACTION || column->on_update != CORM_NO_ACTION)
            return misuse(table, column, error, "has .on_delete or .on_update without .references");
        return 0;
    }
    const struct corm_column *other = *column->references.column;
    if (other->type != column->type || other->is_unsigned != column->is_unsigned ||
        other->length != column->length || other->scale != column->scale)
        return misuse(table, column, error, "references a column of another type");
    if ((column->on_delete == CORM_SET_NULL || column->on_update == CORM_SET_NULL) &&
        !column->nullable)
        return misuse(table, column, error, "has CORM_SET_NULL: it must be nullable");
    return 0;
}

static int check_column(const struct corm_table *table, enum corm_dialect dialect,
                        const struct corm_column *column, struct corm_error *error)
{
    int rc = check_name("column", corm__column_name(column), error);

    if (rc == 0)
        rc = check_type(table, dialect, column, error);
    if (rc == 0)
        rc = check_reference(table, column, error);
    if (rc < 0)
        return rc;
    if (column->autoinc && (!column->pk || column->nullable || !corm__is_integer(column)))
        return misuse(table, column, error,
                      "has .autoinc: it must be an integer (tinyint to bigint) and the primary key "
                      "(.pk = 1)");
    if (column->pk && (column->nullable || is_long(column)))
        return misuse(table, column, error,
                      "has .pk: it must not be nullable, text, json or blob (use varchar(n))");
    if (column->index && is_long(column))
        return misuse(table, column, error,
                      "has .index: it must not be text, json or blob (use varchar(n))");
    if (column->generated != NULL && (column->pk || column->deflt != NULL))
        return misuse(table, column, error, "is generated: it can have no .pk and no .deflt");
    if (column->generated == NULL && column->stored)
        return misuse(table, column, error, "has .stored without .generated");
    return 0;
}

static int check_indexes(const struct corm_table *table, struct corm_error *error)
{
    int rc = 0;

    for (const struct corm_index *i = table->indexes; rc == 0 && i != NULL && i->name != NULL;
         i++) {
        rc = check_name("index", i->name, error);
        for (int c = 0; rc == 0 && c < CORM_KEY_MAX && i->columns[c] != NULL; c++)
            if (is_long(i->columns[c]))
                rc = misuse(table, i->columns[c], error,
                            "is in an index: it must not be text, json or blob (use varchar(n))");
    }
    return rc;
}

int corm__check_model(enum corm_dialect dialect, const struct corm_table *table,
                      struct corm_error *error)
{
    int                       rc = check_name("table", table->name, error);
    uint32_t                  keys = 0;
    bool                      generated = false;
    const struct corm_column *version = NULL;

    if (rc == 0 && table->column_count == 0)
        return corm__fail(error, CORM_MISUSE, "table %s has no columns", table->name);
    for (uint32_t i = 0; rc == 0 && i < table->column_count; i++) {
        rc = check_column(table, dialect, &table->columns[i], error);
        keys += table->columns[i].pk;
        generated = generated || table->columns[i].autoinc;
    }
    if (rc == 0 && generated && keys > 1)
        return corm__fail(error, CORM_MISUSE,
                          "%s has .autoinc in a primary key of %u columns: it "
                          "can only be one alone",
                          table->name, keys);
    if (rc == 0)
        rc = corm__version_column(table, &version, error);
    return rc < 0 ? rc : check_indexes(table, error);
}

/* ---- Types ----------------------------------------------------------------- */

/* A text between single quotes. A backslash is live in MariaDB and MySQL: corm's sessions never have
 * NO_BACKSLASH_ESCAPES. */
static void put_literal(struct corm__buffer *b, enum corm_dialect dialect, const char *text)
{
    corm__buffer_putc(b, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || (*text == '\\' && dialect != CORM_DIALECT_SQLITE))
            corm__buffer_putc(b, *text);
        corm__buffer_putc(b, *text);
    }
    corm__buffer_putc(b, '\'');
}

static void put_values(struct corm__buffer *b, enum corm_dialect dialect,
                       const struct corm_column *column)
{
    for (size_t i = 0; column->values[i] != NULL; i++) {
        corm__buffer_puts(b, i == 0 ? "(" : ", ");
        put_literal(b, dialect, column->values[i]);
    }
    corm__buffer_putc(b, ')');
}

const char *corm__sqlite_type(enum corm_type type)
{
    switch (type) {
    case CORM_FLOAT:
    case CORM_DOUBLE: return "REAL";
    case CORM_BLOB:
    case CORM_UUID: return "BLOB";
    case CORM_CHAR:
    case CORM_VARCHAR:
    case CORM_TEXT:
    case CORM_ENUM:
    case CORM_JSON:
    case CORM_DATE:
    case CORM_DATETIME:
    case CORM_TIMESTAMP: return "TEXT";
    case CORM_TINYINT:
    case CORM_SMALLINT:
    case CORM_INT:
    case CORM_BIGINT:
    case CORM_BOOL:
    case CORM_DECIMAL:
    case CORM_TIME: return "INTEGER";
    }
    return NULL;
}

static void put_type(struct corm__buffer *b, const struct corm__ddl *ddl,
                     const struct corm_column *column)
{
    char text[32] = "";

    switch (column->type) {
    case CORM_TINYINT: corm__buffer_puts(b, "TINYINT"); break;
    case CORM_SMALLINT: corm__buffer_puts(b, "SMALLINT"); break;
    case CORM_INT: corm__buffer_puts(b, "INT"); break;
    case CORM_BIGINT: corm__buffer_puts(b, "BIGINT"); break;
    case CORM_BOOL: corm__buffer_puts(b, "TINYINT(1)"); break;
    case CORM_FLOAT: corm__buffer_puts(b, "FLOAT"); break;
    case CORM_DOUBLE: corm__buffer_puts(b, "DOUBLE"); break;
    case CORM_DECIMAL:
        (void)snprintf(text, sizeof(text), "DECIMAL(%u,%u)", column->length, column->scale);
        break;
    case CORM_CHAR: (void)snprintf(text, sizeof(text), "CHAR(%u)", column->length); break;
    case CORM_VARCHAR: (void)snprintf(text, sizeof(text), "VARCHAR(%u)", column->length); break;
    case CORM_TEXT: corm__buffer_puts(b, "LONGTEXT"); break;
    case CORM_ENUM:
        corm__buffer_puts(b, "ENUM");
        put_values(b, ddl->dialect, column);
        break;
    case CORM_JSON: /* MariaDB's own JSON is a LONGTEXT that pads when it compares */
        corm__buffer_puts(b, ddl->dialect == CORM_DIALECT_MYSQL ? "JSON" : "LONGTEXT");
        break;
    case CORM_BLOB: corm__buffer_puts(b, "LONGBLOB"); break;
    case CORM_UUID: corm__buffer_puts(b, ddl->has_uuid ? "UUID" : "BINARY(16)"); break;
    case CORM_DATE: corm__buffer_puts(b, "DATE"); break;
    case CORM_TIME: corm__buffer_puts(b, "TIME(6)"); break;
    case CORM_DATETIME: corm__buffer_puts(b, "DATETIME(6)"); break;
    case CORM_TIMESTAMP: corm__buffer_puts(b, "TIMESTAMP(6)"); break;
    }
    corm__buffer_puts(b, text);
    if (column->is_unsigned)
        corm__buffer_puts(b, " UNSIGNED");
}

/* ---- What SQLite must be told to check -------------------------------------- */

/* Opens ` CONSTRAINT "<prefix><column>" CHECK (`. */
static void open_check(struct corm__buffer *b, const char *prefix, const struct corm_column *column)
{
    char name[4 * CORM__NAME_MAX + sizeof(CORM__LENGTH_CHECK)];

    (void)snprintf(name, sizeof(name), "%s%s", prefix, corm__column_name(column));
    corm__buffer_puts(b, " CONSTRAINT ");
    corm__put_name(b, CORM_DIALECT_SQLITE, name);
    corm__buffer_puts(b, " CHECK (");
}

/* A check of the form `CHECK (before "column" after)`. */
static void put_check(struct corm__buffer *b, const char *prefix, const struct corm_column *column,
                      const char *before, const char *after)
{
    open_check(b, prefix, column);
    corm__buffer_puts(b, before);
    corm__put_name(b, CORM_DIALECT_SQLITE, corm__column_name(column));
    corm__buffer_puts(b, after);
    corm__buffer_putc(b, ')');
}

static void put_range_check(struct corm__buffer *b, const struct corm_column *column, int64_t least,
                            int64_t greatest)
{
    char range[64];

    (void)snprintf(range, sizeof(range), " BETWEEN %" PRId64 " AND %" PRId64, least, greatest);
    put_check(b, CORM__RANGE_CHECK, column, "", range);
}

void corm__put_sqlite_check(struct corm__buffer *b, const struct corm_column *column)
{
    char    text[32];
    int64_t end;

    switch (column->type) {
    case CORM_BIGINT:
        if (column->is_unsigned)
            put_check(b, CORM__RANGE_CHECK, column, "", " >= 0");
        break;
    case CORM_TINYINT:
    case CORM_SMALLINT:
    case CORM_INT:
    case CORM_TIME: put_range_check(b, column, corm__least(column), corm__greatest(column)); break;
    case CORM_BOOL: put_check(b, CORM__RANGE_CHECK, column, "", " IN (0, 1)"); break;
    case CORM_DECIMAL:
        end = corm__power_of_ten(column->length) - 1;
        put_range_check(b, column, -end, end);
        break;
    case CORM_FLOAT:
        put_check(b, CORM__RANGE_CHECK, column, "",
                  " BETWEEN -3.4028234663852886e38 AND 3.4028234663852886e38");
        break;
    case CORM_DOUBLE: /* a sum may overflow to infinity */
        put_check(b, CORM__RANGE_CHECK, column, "",
                  " BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308");
        break;
    case CORM_TIMESTAMP:
        put_check(b, CORM__RANGE_CHECK, column, "",
                  " BETWEEN '1970-01-01 00:00:01.000000' AND '2038-01-19 03:14:07.999999'");
        break;
    case CORM_CHAR:
    case CORM_VARCHAR:
        (void)snprintf(text, sizeof(text), ") <= %u", column->length);
        put_check(b, CORM__LENGTH_CHECK, column, "length(", text);
        break;
    case CORM_UUID: put_check(b, CORM__LENGTH_CHECK, column, "length(", ") = 16"); break;
    case CORM_ENUM:
        open_check(b, CORM__VALUES_CHECK, column);
        corm__put_name(b, CORM_DIALECT_SQLITE, corm__column_name(column));
        corm__buffer_puts(b, " IN ");
        put_values(b, CORM_DIALECT_SQLITE, column);
        corm__buffer_putc(b, ')');
        break;
    default: break;
    }
}

/* ---- Columns --------------------------------------------------------------- */

static void put_generated(struct corm__buffer *b, const struct corm_column *column)
{
    corm__buffer_puts(b, " GENERATED ALWAYS AS (");
    corm__buffer_puts(b, column->generated);
    corm__buffer_puts(b, column->stored ? ") STORED" : ") VIRTUAL");
}

/* The column's own check, by whose name MariaDB calls it in an error. */
static void put_own_check(struct corm__buffer *b, enum corm_dialect dialect,
                          const struct corm_column *column)
{
    bool json = column->type == CORM_JSON && dialect == CORM_DIALECT_MARIADB;

    if (dialect == CORM_DIALECT_MYSQL || (column->check == NULL && !json))
        return;
    corm__buffer_puts(b, " CHECK (");
    if (json) {
        corm__buffer_puts(b, "json_valid(");
        corm__put_name(b, dialect, corm__column_name(column));
        corm__buffer_puts(b, column->check != NULL ? ") AND (" : ")");
    }
    if (column->check != NULL)
        corm__buffer_puts(b, column->check);
    corm__buffer_puts(b, json && column->check != NULL ? "))" : ")");
}

static void put_column(struct corm__buffer *b, const struct corm__ddl *ddl,
                       const struct corm_column *column)
{
    bool        sqlite = ddl->dialect == CORM_DIALECT_SQLITE;
    const char *deflt = column->deflt == NULL && column->version ? "0" : column->deflt;

    corm__put_name(b, ddl->dialect, corm__column_name(column));
    corm__buffer_putc(b, ' ');
    if (sqlite)
        corm__buffer_puts(b, corm__sqlite_type(column->type));
    else
        put_type(b, ddl, column);
    if (column->generated != NULL)
        put_generated(b, column);
    if (sqlite && column->autoinc)
        corm__buffer_puts(b, " PRIMARY KEY AUTOINCREMENT");
    /* MariaDB does not take NOT NULL there: a NULL is refused when it is read. */
    if (column->generated == NULL || ddl->dialect != CORM_DIALECT_MARIADB)
        corm__buffer_puts(b, column->nullable ? " NULL" : " NOT NULL");
    if (deflt != NULL) {
        corm__buffer_puts(b, sqlite ? " DEFAULT (" : " DEFAULT ");
        corm__buffer_puts(b, deflt);
        corm__buffer_puts(b, sqlite ? ")" : "");
    }
    if (!sqlite && column->autoinc)
        corm__buffer_puts(b, " AUTO_INCREMENT");
    if (column->unique)
        corm__buffer_puts(b, " UNIQUE");
    put_own_check(b, ddl->dialect, column); /* in front: SQLite takes a name for all that follow */
    if (sqlite)
        corm__put_sqlite_check(b, column);
}

/* ---- What stands behind the columns ------------------------------------------ */

static void put_primary_key(struct corm__buffer *b, enum corm_dialect dialect,
                            const struct corm_table *table)
{
    const char *before = ", PRIMARY KEY (";

    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct corm_column *column = &table->columns[i];
        if (!column->pk || (dialect == CORM_DIALECT_SQLITE && column->autoinc))
            continue;
        corm__buffer_puts(b, before);
        corm__put_name(b, dialect, corm__column_name(column));
        before = ", ";
    }
    if (strcmp(before, ", ") == 0)
        corm__buffer_putc(b, ')');
}

static void put_index_columns(struct corm__buffer *b, enum corm_dialect dialect,
                              const struct corm_index *index)
{
    for (int i = 0; i < CORM_KEY_MAX && index->columns[i] != NULL; i++) {
        corm__buffer_puts(b, i == 0 ? " (" : ", ");
        corm__put_name(b, dialect, corm__column_name(index->columns[i]));
    }
    corm__buffer_putc(b, ')');
}

/* Indexes that are no keys are statements of their own on SQLite. */
static void put_indexes(struct corm__buffer *b, enum corm_dialect dialect,
                        const struct corm_table *table)
{
    bool sqlite = dialect == CORM_DIALECT_SQLITE;

    for (const struct corm_index *i = table->indexes; i != NULL && i->name != NULL; i++) {
        if (sqlite && !i->unique)
            continue;
        corm__buffer_puts(b, sqlite ? ", CONSTRAINT " : i->unique ? ", UNIQUE KEY " : ", KEY ");
        corm__put_name(b, dialect, i->name);
        corm__buffer_puts(b, sqlite ? " UNIQUE" : "");
        put_index_columns(b, dialect, i);
    }
    for (uint32_t i = 0; !sqlite && i < table->column_count; i++) {
        if (!table->columns[i].index)
            continue;
        corm__buffer_puts(b, ", KEY (");
        corm__put_name(b, dialect, corm__column_name(&table->columns[i]));
        corm__buffer_putc(b, ')');
    }
}

static void put_action(struct corm__buffer *b, const char *when, enum corm_action action)
{
    if (action == CORM_NO_ACTION)
        return;
    corm__buffer_puts(b, when);
    corm__buffer_puts(b, action == CORM_CASCADE ? "CASCADE" : "SET NULL");
}

static void put_foreign_keys(struct corm__buffer *b, enum corm_dialect dialect,
                             const struct corm_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct corm_column *c = &table->columns[i];
        if (c->references.table == NULL)
            continue;
        corm__buffer_puts(b, ", FOREIGN KEY (");
        corm__put_name(b, dialect, corm__column_name(c));
        corm__buffer_puts(b, ") REFERENCES ");
        corm__put_name(b, dialect, (*c->references.table)->name);
        corm__buffer_puts(b, " (");
        corm__put_name(b, dialect, corm__column_name(*c->references.column));
        corm__buffer_putc(b, ')');
        put_action(b, " ON DELETE ", c->on_delete);
        put_action(b, " ON UPDATE ", c->on_update);
    }
}

/* Behind the columns, where MySQL wants a check that reads more than one of them. */
static void put_mysql_checks(struct corm__buffer *b, const struct corm_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].check == NULL)
            continue;
        corm__buffer_puts(b, ", CHECK (");
        corm__buffer_puts(b, table->columns[i].check);
        corm__buffer_putc(b, ')');
    }
}

/* Without that, MariaDB may give a timestamp that is NOT NULL the DEFAULT and ON UPDATE of the
 * current time, by itself. */
static bool wants_plain_timestamps(const struct corm__ddl *ddl, const struct corm_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].type == CORM_TIMESTAMP && !table->columns[i].nullable)
            return ddl->dialect == CORM_DIALECT_MARIADB;
    return false;
}

void corm__put_create_table(struct corm__buffer *b, const struct corm__ddl *ddl,
                            const struct corm_table *table, bool if_not_exists)
{
    if (wants_plain_timestamps(ddl, table))
        corm__buffer_puts(b, "SET STATEMENT explicit_defaults_for_timestamp=1 FOR ");
    corm__buffer_puts(b, if_not_exists ? "CREATE TABLE IF NOT EXISTS " : "CREATE TABLE ");
    corm__put_name(b, ddl->dialect, table->name);
    for (uint32_t i = 0; i < table->column_count; i++) {
        corm__buffer_puts(b, i == 0 ? " (" : ", ");
        put_column(b, ddl, &table->columns[i]);
    }
    put_primary_key(b, ddl->dialect, table);
    put_indexes(b, ddl->dialect, table);
    put_foreign_keys(b, ddl->dialect, table);
    if (ddl->dialect == CORM_DIALECT_MYSQL)
        put_mysql_checks(b, table);
    switch (ddl->dialect) {
    case CORM_DIALECT_MARIADB:
        corm__buffer_puts(b, ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin");
        break;
    case CORM_DIALECT_MYSQL:
        corm__buffer_puts(b, ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_bin");
        break;
    case CORM_DIALECT_SQLITE: corm__buffer_puts(b, ") STRICT"); break;
    }
}

/* ---- Indexes of SQLite ------------------------------------------------------ */

/* Names of indexes are those of the whole file there: the table's name stands in front. */
static void put_create_index(struct corm__buffer *b, const struct corm_table *table,
                             const char *name, bool if_not_exists)
{
    char full[8 * CORM__NAME_MAX + 2];

    (void)snprintf(full, sizeof(full), "%s_%s", table->name, name);
    corm__buffer_puts(b, if_not_exists ? "CREATE INDEX IF NOT EXISTS " : "CREATE INDEX ");
    corm__put_name(b, CORM_DIALECT_SQLITE, full);
    corm__buffer_puts(b, " ON ");
    corm__put_name(b, CORM_DIALECT_SQLITE, table->name);
}

bool corm__put_create_index(struct corm__buffer *b, const struct corm_table *table, uint32_t n,
                            bool if_not_exists)
{
    for (const struct corm_index *i = table->indexes; i != NULL && i->name != NULL; i++) {
        if (i->unique || n-- > 0)
            continue;
        put_create_index(b, table, i->name, if_not_exists);
        put_index_columns(b, CORM_DIALECT_SQLITE, i);
        return true;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *name = corm__column_name(&table->columns[i]);
        if (!table->columns[i].index || n-- > 0)
            continue;
        put_create_index(b, table, name, if_not_exists);
        corm__buffer_puts(b, " (");
        corm__put_name(b, CORM_DIALECT_SQLITE, name);
        corm__buffer_putc(b, ')');
        return true;
    }
    return false;
}

void corm__put_drop_table(struct corm__buffer *b, enum corm_dialect dialect,
                          const struct corm_table *table, bool if_exists)
{
    corm__buffer_puts(b, if_exists ? "DROP TABLE IF EXISTS " : "DROP TABLE ");
    corm__put_name(b, dialect, table->name);
}
