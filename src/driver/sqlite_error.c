/* driver/sqlite_error.c -- codes and messages of SQLite.
 *
 * Most stand in error_table.c. SQLITE_ERROR itself says nothing: there the beginning of the message
 * decides. */
#include "driver/sqlite_error.h"

#include "schema/ddl.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static const char in_check[] = "CHECK constraint failed: ";

/* What stands behind `start` in `text`; NULL where it begins otherwise. */
static const char *behind(const char *text, const char *start)
{
    size_t size = strlen(start);

    return strncmp(text, start, size) == 0 ? text + size : NULL;
}

/* The column whose CHECK failed, where it is one of those that schema/ddl.c made; else NULL. */
static const char *checked_column(const char *message, const char *prefix)
{
    const char *name = behind(message, in_check);

    return name != NULL ? behind(name, prefix) : NULL;
}

static int code_of_check(const char *message)
{
    if (checked_column(message, CORM__RANGE_CHECK) != NULL)
        return CORM_OUT_OF_RANGE;
    if (checked_column(message, CORM__VALUES_CHECK) != NULL)
        return CORM_BAD_VALUE;
    return checked_column(message, CORM__LENGTH_CHECK) != NULL ? CORM_TOO_LONG : CORM_CHECK_FAILED;
}

/* A sum of whole numbers beyond 64 bits is REAL to SQLite, which a STRICT table then refuses. */
static int code_of_datatype(const char *message)
{
    return behind(message, "cannot store REAL value in INTEGER") != NULL ? CORM_OUT_OF_RANGE
                                                                         : CORM_BAD_VALUE;
}

static int code_of_text(const char *message, const char *sql)
{
    bool of_table = behind(message, "table ") != NULL || behind(message, "view ") != NULL;

    if (behind(message, "no such table: ") != NULL)
        return CORM_NO_TABLE;
    if (behind(message, "no such column: ") != NULL ||
        (of_table && strstr(message, " has no column named ") != NULL))
        return CORM_NO_COLUMN;
    if ((of_table && strstr(message, " already exists") != NULL) ||
        behind(message, "there is already ") != NULL)
        return CORM_TABLE_EXISTS;
    if (behind(message, "cannot commit - no transaction is active") != NULL)
        return CORM_TRX_LOST;
    if (strcmp(message, "integer overflow") == 0)
        return CORM_OUT_OF_RANGE;
    return sql == NULL ? CORM_SYNTAX : CORM_SERVER_ERROR;
}

const struct corm__server_error *corm__sqlite_find_error(int extended)
{
    const struct corm__server_error *row = corm__find_error(corm__sqlite_errors, extended);

    return row != NULL ? row : corm__find_error(corm__sqlite_errors, extended & 0xFF);
}

int corm__sqlite_code(int extended, const char *message, const char *sql)
{
    if (extended == SQLITE_CONSTRAINT_CHECK)
        return code_of_check(message);
    if (extended == SQLITE_CONSTRAINT_DATATYPE)
        return code_of_datatype(message);
    if ((extended & 0xFF) == SQLITE_ERROR)
        return code_of_text(message, sql);
    const struct corm__server_error *row = corm__sqlite_find_error(extended);
    return row != NULL ? row->code : CORM_SERVER_ERROR;
}

/* The message of a statement that ran. What a function or a virtual table says may quote its
 * argument, as FTS5 does and the JSON functions: behind the first quote, or else the first colon,
 * nothing is shown. SQLite's own messages name tables and columns; a column is shown where the
 * statement names it, because FTS5 says "no such column" of what stands in its query. */
static void redact(const char *message, const char *sql, char *text, size_t size)
{
    const char *column = behind(message, "no such column: ");
    size_t      shown = strcspn(message, "'\"[");

    if (message[shown] == '\0' && strchr(message, ':') != NULL)
        shown = strcspn(message, ":");
    if (behind(message, "no such table: ") != NULL ||
        (column != NULL && strstr(sql, column) != NULL))
        shown = strlen(message);
    (void)snprintf(text, size, "%.*s%s", (int)shown, message, message[shown] == '\0' ? "" : "...");
}

void corm__sqlite_explain(int extended, const char *message, const char *sql, char *text,
                          size_t size)
{
    static const char *const reasons[][2] = {
        {CORM__RANGE_CHECK, "a number outside its range"},
        {CORM__LENGTH_CHECK, "a text longer than its length"},
        {CORM__VALUES_CHECK, "a text that is not in its list"},
    };
    const char *column = NULL, *reason = NULL;

    for (size_t i = 0; extended == SQLITE_CONSTRAINT_CHECK && column == NULL &&
                       i < sizeof(reasons) / sizeof(reasons[0]);
         i++) {
        column = checked_column(message, reasons[i][0]);
        reason = reasons[i][1];
    }
    if (column != NULL)
        (void)snprintf(text, size, "column %s: %s", column, reason);
    else if (extended == SQLITE_INTERRUPT)
        (void)snprintf(text, size, "the statement was stopped");
    else if (sql != NULL && (extended & 0xFF) != SQLITE_CONSTRAINT)
        redact(message, sql, text, size);
    else
        (void)snprintf(text, size, "%s", message);
    corm__cut_utf8(text, size);
}
