/* schema/ddl.c -- CREATE TABLE and DROP TABLE from a model.
 *
 * MariaDB, MySQL: InnoDB, utf8mb4 with a collation that compares bytes and does not pad, so that
 * text means the same as on SQLite and a text key is what its bytes are. SQLite: STRICT, and CHECKs
 * where its types are wider than the model's. */
#include "schema/ddl.h"

#include "schema/dialect.h"
#include "schema/text.h"
#include "schema/version.h"

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

static int check_column(const struct corm_table *table, const struct corm_column *column,
                        struct corm_error *error)
{
    int rc = check_name("column", corm__column_name(column), error);

    if (rc < 0)
        return rc;
    if (column->autoinc && (!column->pk || column->nullable ||
                            (column->type != CORM_INT && column->type != CORM_BIGINT)))
        return corm__fail(error, CORM_MISUSE,
                          "%s.%s has .autoinc: it must be int or bigint and the "
                          "primary key (.pk = 1)",
                          table->name, column->name);
    if (column->pk && (column->nullable || column->type == CORM_TEXT))
        return corm__fail(error, CORM_MISUSE,
                          "%s.%s has .pk: it must not be nullable or text "
                          "(use varchar(n))",
                          table->name, column->name);
    if (column->type == CORM_VARCHAR && (column->length == 0 || column->length > 16383))
        return corm__fail(error, CORM_MISUSE, "%s.%s is varchar(%u): lengths are 1 to 16383",
                          table->name, column->name, column->length);
    return 0;
}

int corm__check_model(const struct corm_table *table, struct corm_error *error)
{
    int                       rc = check_name("table", table->name, error);
    uint32_t                  keys = 0;
    bool                      generated = false;
    const struct corm_column *version = NULL;

    if (rc == 0 && table->column_count == 0)
        return corm__fail(error, CORM_MISUSE, "table %s has no columns", table->name);
    for (uint32_t i = 0; rc == 0 && i < table->column_count; i++) {
        rc = check_column(table, &table->columns[i], error);
        keys += table->columns[i].pk;
        generated = generated || table->columns[i].autoinc;
    }
    if (rc == 0 && generated && keys > 1)
        return corm__fail(error, CORM_MISUSE,
                          "%s has .autoinc in a primary key of %u columns: it "
                          "can only be one alone",
                          table->name, keys);
    return rc < 0 ? rc : corm__version_column(table, &version, error);
}

static void put_type(struct corm__buffer *b, enum corm_dialect dialect,
                     const struct corm_column *column)
{
    bool sqlite = dialect == CORM_DIALECT_SQLITE;
    char varchar[32];

    switch (column->type) {
    case CORM_INT: corm__buffer_puts(b, sqlite ? "INTEGER" : "INT"); break;
    case CORM_BIGINT: corm__buffer_puts(b, sqlite ? "INTEGER" : "BIGINT"); break;
    case CORM_BOOL: corm__buffer_puts(b, sqlite ? "INTEGER" : "TINYINT(1)"); break;
    case CORM_DOUBLE: corm__buffer_puts(b, sqlite ? "REAL" : "DOUBLE"); break;
    case CORM_TEXT: corm__buffer_puts(b, sqlite ? "TEXT" : "LONGTEXT"); break;
    case CORM_DATETIME: corm__buffer_puts(b, sqlite ? "TEXT" : "DATETIME(6)"); break;
    case CORM_VARCHAR:
        (void)snprintf(varchar, sizeof(varchar), "VARCHAR(%u)", column->length);
        corm__buffer_puts(b, sqlite ? "TEXT" : varchar);
        break;
    }
}

/* Opens ` CONSTRAINT "<prefix><column>" CHECK (`. */
static void open_check(struct corm__buffer *b, const char *prefix, const struct corm_column *column)
{
    char name[4 * CORM__NAME_MAX + sizeof(CORM__LENGTH_CHECK)];

    (void)snprintf(name, sizeof(name), "%s%s", prefix, corm__column_name(column));
    corm__buffer_puts(b, " CONSTRAINT ");
    corm__put_name(b, CORM_DIALECT_SQLITE, name);
    corm__buffer_puts(b, " CHECK (");
}

void corm__put_sqlite_check(struct corm__buffer *b, const struct corm_column *column)
{
    char length[16];

    if (column->type == CORM_INT || column->type == CORM_BOOL) {
        open_check(b, CORM__RANGE_CHECK, column);
        corm__put_name(b, CORM_DIALECT_SQLITE, corm__column_name(column));
        corm__buffer_puts(b, column->type == CORM_INT ? " BETWEEN -2147483648 AND 2147483647)"
                                                      : " IN (0, 1))");
    } else if (column->type == CORM_DOUBLE) { /* a sum may overflow to infinity */
        open_check(b, CORM__RANGE_CHECK, column);
        corm__put_name(b, CORM_DIALECT_SQLITE, corm__column_name(column));
        corm__buffer_puts(b, " BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308)");
    } else if (column->type == CORM_VARCHAR) {
        open_check(b, CORM__LENGTH_CHECK, column);
        corm__buffer_puts(b, "length(");
        corm__put_name(b, CORM_DIALECT_SQLITE, corm__column_name(column));
        (void)snprintf(length, sizeof(length), ") <= %u)", column->length);
        corm__buffer_puts(b, length);
    }
}

static void put_column(struct corm__buffer *b, enum corm_dialect dialect,
                       const struct corm_column *column)
{
    bool        sqlite = dialect == CORM_DIALECT_SQLITE;
    const char *deflt = column->deflt == NULL && column->version ? "0" : column->deflt;

    corm__put_name(b, dialect, corm__column_name(column));
    corm__buffer_putc(b, ' ');
    put_type(b, dialect, column);
    if (sqlite && column->autoinc)
        corm__buffer_puts(b, " PRIMARY KEY AUTOINCREMENT");
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
    if (sqlite)
        corm__put_sqlite_check(b, column);
}

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

void corm__put_create_table(struct corm__buffer *b, enum corm_dialect dialect,
                            const struct corm_table *table, bool if_not_exists)
{
    corm__buffer_puts(b, if_not_exists ? "CREATE TABLE IF NOT EXISTS " : "CREATE TABLE ");
    corm__put_name(b, dialect, table->name);
    for (uint32_t i = 0; i < table->column_count; i++) {
        corm__buffer_puts(b, i == 0 ? " (" : ", ");
        put_column(b, dialect, &table->columns[i]);
    }
    put_primary_key(b, dialect, table);
    switch (dialect) {
    case CORM_DIALECT_MARIADB:
        corm__buffer_puts(b, ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin");
        break;
    case CORM_DIALECT_MYSQL:
        corm__buffer_puts(b, ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_bin");
        break;
    case CORM_DIALECT_SQLITE: corm__buffer_puts(b, ") STRICT"); break;
    }
}

void corm__put_drop_table(struct corm__buffer *b, enum corm_dialect dialect,
                          const struct corm_table *table, bool if_exists)
{
    corm__buffer_puts(b, if_exists ? "DROP TABLE IF EXISTS " : "DROP TABLE ");
    corm__put_name(b, dialect, table->name);
}
