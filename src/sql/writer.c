/* sql/writer.c -- text and binds of one statement; values are checked against their columns. */
#include "sql/writer.h"

#include "base/arena.h"
#include "schema/decimal.h"
#include "schema/dialect.h"
#include "schema/json.h"
#include "schema/row.h"
#include "schema/text.h"
#include "schema/type.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void corm__writer_init(struct corm__writer *w, enum corm_dialect dialect, struct corm_arena *arena,
                       bool keep, const struct corm_table *table, struct corm_error *error)
{
    w->dialect = dialect;
    w->arena = arena;
    w->keep = keep;
    w->values_only = false;
    w->table = table;
    w->own.outer = NULL;
    w->own.tables[0] = table;
    w->own.count = 1;
    w->own.into = NULL;
    w->own.choices = NULL;
    w->scope = &w->own;
    w->depth = 0;
    w->members = 0;
    w->selects = 1;
    w->binds = NULL;
    w->bind_count = w->bind_capacity = 0;
    w->error = error;
    corm__buffer_init(&w->text, arena);
}

int corm__writer_end(struct corm__writer *w, enum corm__verb verb,
                     struct corm__statement *statement)
{
    if (w->error->code == 0 && w->text.failed)
        corm__fail_memory(w->error, "the text of a statement");
    if (w->error->code != 0)
        return w->error->code;
    *statement = (struct corm__statement){
        .verb = verb,
        .text = w->text.text,
        .size = w->text.size,
        .binds = w->binds,
        .bind_count = w->bind_count,
    };
    return 0;
}

static bool is_json(const struct corm_column *column)
{
    return column != NULL && column->offset == CORM_NO_FIELD;
}

static const struct corm_table *find_table(const struct corm__scope *scope,
                                           const struct corm_column *column)
{
    for (; scope != NULL; scope = scope->outer)
        for (uint32_t i = 0; i < scope->count; i++)
            if (corm__has_column(scope->tables[i], column))
                return scope->tables[i];
    return NULL;
}

/* As good as always: one table, and a column of it. */
static inline bool is_plain(const struct corm__scope *scope, const struct corm_column *column)
{
    return scope->count == 1 && scope->outer == NULL && scope->into == NULL &&
           corm__has_column(scope->tables[0], column);
}

const struct corm_table *corm__table_of(const struct corm__writer *w,
                                        const struct corm_column  *column)
{
    if (is_json(column))
        column = ((const struct corm_json *)column)->base;
    if (column != NULL && w->scope->into != NULL && corm__has_column(w->scope->into, column))
        return w->scope->into;
    return column != NULL ? find_table(w->scope, column) : NULL;
}

static void refuse_column(struct corm__writer *w, const struct corm_column *column)
{
    const char *name = column != NULL ? corm__column_name(column) : "NULL";
    bool        alone = w->scope->count == 1 && w->scope->outer == NULL;

    corm__fail(
        w->error, CORM_MISUSE,
        alone ? "column %s is none of table %s"
              : "column %s is of no table that is named here (the first is %s): join its table",
        name, w->table->name);
}

void corm__put_choice(struct corm__writer *w, enum corm_aggregate how,
                      const struct corm_column *column)
{
    static const char *const before[] = {
        [CORM_PLAIN] = "",   [CORM_COUNT] = "COUNT(", [CORM_COUNT_DISTINCT] = "COUNT(DISTINCT ",
        [CORM_SUM] = "SUM(", [CORM_MIN] = "MIN(",     [CORM_MAX] = "MAX(",
        [CORM_AVG] = "AVG("};

    if (how == CORM_COUNT_ROWS) {
        corm__put(w, "COUNT(*)");
        return;
    }
    corm__put(w, before[how]);
    corm__put_column(w, column);
    if (how == CORM_AVG) /* as a double: of whole numbers MariaDB would keep four digits */
        corm__put(w, " + 0e0");
    if (how != CORM_PLAIN)
        corm__put(w, ")");
    if (how == CORM_AVG && column->type == CORM_DECIMAL && w->dialect == CORM_DIALECT_SQLITE) {
        char unit[16]; /* they are whole numbers there, without their point */
        (void)snprintf(unit, sizeof(unit), " / 1e%u", column->scale);
        corm__put(w, unit);
    }
}

/* A column of a result: what is chosen for it, which names tables alone. */
static void put_chosen(struct corm__writer *w, const struct corm_column *column)
{
    const struct corm__scope *all = w->scope;
    struct corm__scope        tables = *all;

    tables.into = NULL;
    w->scope = &tables;
    for (const struct corm_choice *c = all->choices; c->into != NULL; c++)
        if (c->into == column)
            corm__put_choice(w, c->how, c->column);
    w->scope = all;
}

static void put_name(struct corm__writer *w, const char *name)
{
    if (!w->values_only)
        corm__put_name(&w->text, w->dialect, name);
}

void corm__put_column(struct corm__writer *w, const struct corm_column *column)
{
    if (is_plain(w->scope, column)) {
        put_name(w, corm__column_name(column));
        return;
    }
    const struct corm_table *table = corm__table_of(w, column);
    if (table == NULL) {
        refuse_column(w, column);
    } else if (table == w->scope->into) {
        put_chosen(w, column);
    } else if (is_json(column)) {
        corm__put_json(w, (const struct corm_json *)column);
    } else {
        if (w->scope->count > 1 || w->scope->outer != NULL) {
            put_name(w, table->alias != NULL ? table->alias : table->name);
            corm__put(w, ".");
        }
        put_name(w, corm__column_name(column));
    }
}

static void add_bind(struct corm__writer *w, struct corm_value value)
{
    if (w->error->code != 0)
        return;
    if (w->bind_count >= CORM__BINDS_MAX) {
        corm__fail(
            w->error, CORM_TOO_LARGE,
            "a statement takes %d values at most; put those of a long list into a table, and "
            "ask by corm_in_query()",
            CORM__BINDS_MAX);
        return;
    }
    if (w->bind_count == w->bind_capacity) {
        uint32_t           capacity = w->bind_capacity == 0 ? 8 : w->bind_capacity * 2;
        struct corm_value *grown = corm__arena_grow(
            w->arena, w->binds, w->bind_capacity * sizeof(*grown), capacity * sizeof(*grown));
        if (grown == NULL) {
            corm__fail_memory(w->error, "the values of a statement");
            return;
        }
        w->binds = grown;
        w->bind_capacity = capacity;
    }
    if (w->keep && (value.kind == CORM_V_TEXT || value.kind == CORM_V_BLOB)) {
        value.as.s = corm__arena_copy(w->arena, value.as.p, value.size);
        if (value.as.s == NULL) {
            corm__fail_memory(w->error, "the values of a statement");
            return;
        }
    }
    w->binds[w->bind_count++] = value;
}

void corm__put_bind(struct corm__writer *w, struct corm_value value)
{
    add_bind(w, value);
    corm__put(w, "?");
}

void corm__put_statement(struct corm__writer *w, const struct corm__statement *statement)
{
    corm__put(w, statement->text);
    for (uint32_t i = 0; i < statement->bind_count; i++)
        add_bind(w, statement->binds[i]);
}

static const char *table_name(const struct corm__writer *w, const struct corm_column *column)
{
    const struct corm_table *table = corm__table_of(w, column);

    return table != NULL ? table->name : w->table->name;
}

static void misfit(struct corm__writer *w, int code, const struct corm_column *column,
                   const char *what)
{
    corm__fail(w->error, code, "column %s of table %s: %s", corm__column_name(column),
               table_name(w, column), what);
}

static void misfit_type(struct corm__writer *w, int code, const struct corm_column *column,
                        const char *what)
{
    char type[CORM__TYPE_SIZE];

    corm__fail(w->error, code, "column %s of table %s: %s for %s", corm__column_name(column),
               table_name(w, column), what, corm__type_text(column, type));
}

/* ---- Numbers --------------------------------------------------------------- */

static void put_unsigned_bigint(struct corm__writer *w, const struct corm_column *column,
                                struct corm_value value)
{
    if (w->dialect == CORM_DIALECT_SQLITE)
        misfit(w, CORM_OUT_OF_RANGE, column,
               "a number beyond 2^63 - 1, the largest that SQLite can hold");
    else
        corm__put_bind(w, value);
}

static void put_integer(struct corm__writer *w, const struct corm_column *column,
                        struct corm_value value, enum corm__use use)
{
    if (value.kind == CORM_V_UINT) {
        if (value.as.u > INT64_MAX && column->is_unsigned && column->type == CORM_BIGINT) {
            put_unsigned_bigint(w, column, value);
            return;
        }
        if (value.as.u > INT64_MAX) {
            misfit(w, CORM_OUT_OF_RANGE, column, "a number beyond 64 bits with a sign");
            return;
        }
        value = corm_v_int_((long long)value.as.u);
    }
    if (value.kind != CORM_V_INT)
        misfit(w, CORM_MISUSE, column, "a value of another type");
    else if (use == CORM__STORED && column->type == CORM_BOOL && value.as.i != 0 && value.as.i != 1)
        misfit(w, CORM_OUT_OF_RANGE, column, "a number other than 0 and 1 for a bool");
    else if (use == CORM__STORED &&
             (value.as.i < corm__least(column) || value.as.i > corm__greatest(column)))
        misfit_type(w, CORM_OUT_OF_RANGE, column, "a number outside the range");
    else
        corm__put_bind(w, value);
}

/* Whether `r` is a value that the column's type can hold. */
static bool holds(const struct corm_column *column, double r)
{
    return column->type == CORM_DOUBLE || (fabs(r) <= (double)FLT_MAX && (double)(float)r == r);
}

static void put_real(struct corm__writer *w, const struct corm_column *column,
                     struct corm_value value)
{
    double r = value.as.r;
    bool   whole = value.kind == CORM_V_INT || value.kind == CORM_V_UINT;

    if (value.kind == CORM_V_UINT)
        r = (double)value.as.u;
    else if (whole)
        r = (double)value.as.i;
    if (!whole && value.kind != CORM_V_REAL)
        misfit(w, CORM_MISUSE, column, "a value of another type");
    else if (whole && (r >= 0x1p63 || (long long)r != value.as.i || !holds(column, r)))
        misfit(w, CORM_OUT_OF_RANGE, column,
               column->type == CORM_DOUBLE ? "a whole number that no double holds exactly"
                                           : "a whole number that no float holds exactly");
    else if (!isfinite(r))
        misfit(w, CORM_BAD_VALUE, column, "a number that is not finite");
    else if (!holds(column, r))
        misfit(w, CORM_OUT_OF_RANGE, column, "a number that no float holds exactly");
    else
        corm__put_bind(w, corm_v_real_(r == 0 ? 0 : r)); /* no server keeps the sign of a zero */
}

/* As digits; on SQLite as a whole number, the decimal times 10^scale. */
static void put_decimal(struct corm__writer *w, const struct corm_column *column,
                        struct corm_value value)
{
    char        digits[32];
    const char *text = value.as.s;
    size_t      size = 0;

    if (value.kind == CORM_V_TEXT) {
        size = value.size != 0 ? value.size : strlen(text);
    } else if (value.kind == CORM_V_INT || value.kind == CORM_V_UINT) {
        size = (size_t)(value.kind == CORM_V_INT
                            ? snprintf(digits, sizeof(digits), "%lld", value.as.i)
                            : snprintf(digits, sizeof(digits), "%llu", value.as.u));
        text = digits;
    } else {
        misfit(w, CORM_MISUSE, column, "a value of another type");
        return;
    }
    /* A column of a result may have more digits than one of a table. */
    bool     sqlite = w->dialect == CORM_DIALECT_SQLITE;
    bool     is_long = sqlite && column->length > CORM__DECIMAL_MAX_SQLITE;
    uint32_t length = is_long ? CORM__DECIMAL_MAX_SQLITE : column->length;
    if (sqlite && column->scale > CORM__DECIMAL_MAX_SQLITE) {
        misfit_type(w, CORM_UNSUPPORTED, column, "SQLite has no exact numbers of so many digits");
        return;
    }
    char *form = corm_arena_alloc(w->arena, CORM__DECIMAL_SIZE);
    if (form == NULL) {
        corm__fail_memory(w->error, "the values of a statement");
        return;
    }
    switch (corm__decimal_form(text, size, length, column->scale, form)) {
    case CORM__DECIMAL_NO_NUMBER:
        misfit(w, CORM_BAD_VALUE, column,
               "a text that is no decimal: digits, with a - in front where it is negative, and a . "
               "and more digits behind");
        break;
    case CORM__DECIMAL_TOO_LARGE:
        if (is_long)
            misfit_type(w, CORM_UNSUPPORTED, column,
                        "SQLite has no exact numbers of more than 18 digits");
        else
            misfit_type(w, CORM_OUT_OF_RANGE, column, "too many digits in front of the point");
        break;
    case CORM__DECIMAL_TOO_PRECISE:
        misfit_type(w, CORM_OUT_OF_RANGE, column, "too many digits behind the point");
        break;
    case CORM__DECIMAL_FITS:
        if (sqlite) {
            corm__put_bind(w, corm_v_int_(corm__decimal_scaled(form)));
            break;
        }
        value = corm_v_text_(form);
        value.kind = CORM_V_DECIMAL;
        value.size = (uint32_t)strlen(form);
        corm__put_bind(w, value);
    }
}

/* ---- Text and bytes -------------------------------------------------------- */

/* Why a CHAR of MariaDB would not keep a text, or not its place among others; NULL where it does. */
static const char *fault_of_char(const char *text, size_t size)
{
    if (size > 0 && text[size - 1] == ' ')
        return "a text with a space at its end, which MariaDB would cut off,";
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ')
            return "a text with a control character, by which MariaDB sorts in one way and compares "
                   "in another,";
    return NULL;
}

static void put_text(struct corm__writer *w, const struct corm_column *column,
                     struct corm_value value, enum corm__use use)
{
    bool fixed = use == CORM__STORED && column->type == CORM_CHAR;
    bool limited = column->type == CORM_CHAR || column->type == CORM_VARCHAR;

    if (value.kind != CORM_V_TEXT) {
        misfit(w, CORM_MISUSE, column, "a value of another type");
        return;
    }
    size_t                size = value.size != 0 ? value.size : strlen(value.as.s), characters = 0;
    enum corm__text_fault fault = CORM__TEXT_FINE;
    if (size <= INT32_MAX)
        fault = corm__text_fault(value.as.s, size, &characters);
    if (column->type == CORM_JSON && use == CORM__COMPARED && w->dialect == CORM_DIALECT_MYSQL) {
        misfit(w, CORM_UNSUPPORTED, column, "MySQL does not compare json as text");
    } else if (size > INT32_MAX) {
        misfit(w, CORM_TOO_LONG, column, "a text of more than 2 GiB");
    } else if (fault == CORM__TEXT_HAS_NUL) {
        misfit(w, CORM_BAD_VALUE, column, "a text with a NUL in it");
    } else if (fault == CORM__TEXT_NOT_UTF8) {
        misfit(w, CORM_BAD_VALUE, column, "a text that is not UTF-8");
    } else if (use == CORM__STORED && limited && characters > column->length) {
        char type[CORM__TYPE_SIZE];
        corm__fail(w->error, CORM_TOO_LONG,
                   "column %s of table %s: a text of %zu characters for %s",
                   corm__column_name(column), table_name(w, column), characters,
                   corm__type_text(column, type));
    } else if (fixed && fault_of_char(value.as.s, size) != NULL) {
        misfit_type(w, CORM_BAD_VALUE, column, fault_of_char(value.as.s, size));
    } else if (column->type == CORM_ENUM && !corm__is_value_of(column, value.as.s, size)) {
        misfit(w, CORM_BAD_VALUE, column, "a text that is not in the list of the enum");
    } else if (column->type == CORM_JSON && !corm__is_json(value.as.s, size)) {
        misfit(w, CORM_BAD_VALUE, column, "a text that is not JSON, or nested deeper than 32");
    } else {
        value.size = (uint32_t)size;
        corm__put_bind(w, value);
    }
}

static void put_blob(struct corm__writer *w, const struct corm_column *column,
                     struct corm_value value)
{
    if (value.kind != CORM_V_BLOB)
        misfit(w, CORM_MISUSE, column, "a value of another type");
    else if (value.size > INT32_MAX)
        misfit(w, CORM_TOO_LONG, column, "a blob of more than 2 GiB");
    else
        corm__put_bind(w, value);
}

static void put_uuid(struct corm__writer *w, const struct corm_column *column,
                     struct corm_value value)
{
    if (value.kind != CORM_V_UUID)
        misfit(w, CORM_MISUSE, column, "a value of another type");
    else if (!corm__is_uuid(&value.as.uuid))
        misfit(
            w, CORM_BAD_VALUE, column,
            "a UUID of version 8 or higher with 0x01 to 0x80 in byte 8, which MariaDB cannot hold");
    else
        corm__put_bind(w, value);
}

/* ---- Dates and times ------------------------------------------------------- */

static bool format_time(enum corm_type type, int64_t microseconds, char *text)
{
    switch (type) {
    case CORM_DATE: return corm_date_format(microseconds, text);
    case CORM_TIME: return corm_time_format(microseconds, text);
    default: return corm_datetime_format(microseconds, text);
    }
}

static void put_time_text(struct corm__writer *w, const struct corm_column *column,
                          int64_t microseconds)
{
    char *text = corm_arena_alloc(w->arena, CORM_DATETIME_SIZE);

    if (text == NULL) {
        corm__fail_memory(w->error, "the values of a statement");
    } else if (!format_time(column->type, microseconds, text)) {
        misfit(w, CORM_BAD_VALUE, column,
               column->type == CORM_DATE
                   ? "a date outside the years 1 to 9999, or with a time of day"
               : column->type == CORM_TIME ? "a time beyond 838:59:59.999999"
                                           : "a time outside the years 1 to 9999");
    } else {
        struct corm_value value = corm_v_text_(text);
        value.size = (uint32_t)strlen(text);
        corm__put_bind(w, value);
    }
}

/* As text; a time of SQLite as microseconds, which sort. */
static void put_time(struct corm__writer *w, const struct corm_column *column,
                     struct corm_value value, enum corm__use use)
{
    int64_t microseconds = value.as.i;

    if (value.kind != CORM_V_INT && value.kind != CORM_V_UINT && value.kind != CORM_V_TIME) {
        misfit(w, CORM_MISUSE, column, "a value of another type");
        return;
    }
    if (value.kind == CORM_V_UINT && value.as.u > INT64_MAX)
        microseconds = INT64_MAX;
    bool inside = microseconds >= corm__least(column) && microseconds <= corm__greatest(column);
    if (column->type == CORM_TIMESTAMP && use == CORM__STORED && !inside)
        misfit(w, CORM_BAD_VALUE, column,
               "a time outside 1970-01-01 00:00:01 to 2038-01-19 03:14:07.999999 for a timestamp");
    else if (column->type == CORM_TIME && w->dialect == CORM_DIALECT_SQLITE && inside)
        corm__put_bind(w, corm_v_int_(microseconds));
    else
        put_time_text(w, column, microseconds);
}

/* ---- A value for a column -------------------------------------------------- */

/* Why `from` cannot be put into `column` without a digit or a space being lost in silence; NULL where
 * it can, or the server refuses by itself what does not fit. */
static const char *loss(enum corm_dialect dialect, const struct corm_column *column,
                        const struct corm_column *from, enum corm__use use)
{
    bool stored = use == CORM__STORED;

    if (column->type == CORM_DECIMAL && dialect == CORM_DIALECT_SQLITE &&
        from->scale != column->scale)
        return "on SQLite the other decimal must have as many digits behind the point";
    if (stored && column->type == CORM_DECIMAL && from->scale > column->scale)
        return "the other decimal has more digits behind the point";
    if (stored && column->type == CORM_DOUBLE && from->type == CORM_BIGINT)
        return "a bigint may have more digits than a double";
    if (stored && column->type == CORM_FLOAT &&
        (from->type == CORM_INT || from->type == CORM_BIGINT))
        return "an int or bigint may have more digits than a float";
    if (stored && column->type == CORM_CHAR && from->type != CORM_CHAR)
        return "the other text may have spaces at its end, which a char loses";
    return NULL;
}

void corm__check_beside(struct corm__writer *w, const struct corm_column *column,
                        const struct corm_column *from, enum corm__use use)
{
    const char *reason = from != NULL ? loss(w->dialect, column, from, use) : NULL;

    if (reason != NULL)
        misfit(w, CORM_MISUSE, column, reason);
}

static void put_other_column(struct corm__writer *w, const struct corm_column *column,
                             const struct corm_column *from, enum corm__use use)
{
    corm__check_beside(w, column, from, use);
    if (w->error->code == 0)
        corm__put_column(w, from);
}

static void put_null(struct corm__writer *w, const struct corm_column *column, enum corm__use use)
{
    if (use == CORM__COMPARED)
        misfit(w, CORM_MISUSE, column,
               "it is compared with NULL, which is never true: use "
               "corm_is_null() or corm_not_null()");
    else if (!column->nullable)
        misfit(w, CORM_NULL_REFUSED, column, "NULL for a column that is NOT NULL");
    else
        corm__put_bind(w, corm_v_null_());
}

void corm__put_value(struct corm__writer *w, const struct corm_column *column,
                     struct corm_value value, enum corm__use use)
{
    if (!is_plain(w->scope, column) && corm__table_of(w, column) == NULL) {
        corm__put_column(w, column);
    } else if (value.kind == CORM_V_COLUMN) {
        put_other_column(w, column, value.as.c, use);
    } else if (value.kind == CORM_V_NULL) {
        put_null(w, column, use);
    } else {
        switch (column->type) {
        case CORM_TINYINT:
        case CORM_SMALLINT:
        case CORM_INT:
        case CORM_BIGINT:
        case CORM_BOOL: put_integer(w, column, value, use); break;
        case CORM_FLOAT:
        case CORM_DOUBLE: put_real(w, column, value); break;
        case CORM_DECIMAL: put_decimal(w, column, value); break;
        case CORM_BLOB: put_blob(w, column, value); break;
        case CORM_UUID: put_uuid(w, column, value); break;
        case CORM_DATE:
        case CORM_TIME:
        case CORM_DATETIME:
        case CORM_TIMESTAMP: put_time(w, column, value, use); break;
        default: put_text(w, column, value, use);
        }
    }
}
