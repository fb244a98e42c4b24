/* schema/row.c -- a row struct's fields to and from values. */
#include "schema/row.h"

#include "base/arena.h"
#include "schema/decimal.h"
#include "schema/dialect.h"
#include "schema/text.h"
#include "schema/type.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where the value lies in a field: a nullable number is a struct with `has` in front of it, a
 * pointer is itself. */
static inline size_t value_offset(const struct corm_column *column)
{
    static const uint8_t offsets[CORM_TIMESTAMP + 1] = {
        [CORM_TINYINT] = offsetof(struct corm_opt_tinyint, value),
        [CORM_SMALLINT] = offsetof(struct corm_opt_smallint, value),
        [CORM_INT] = offsetof(struct corm_opt_int, value),
        [CORM_BIGINT] = offsetof(struct corm_opt_bigint, value),
        [CORM_BOOL] = offsetof(struct corm_opt_bool, value),
        [CORM_FLOAT] = offsetof(struct corm_opt_float, value),
        [CORM_DOUBLE] = offsetof(struct corm_opt_double, value),
        [CORM_UUID] = offsetof(struct corm_opt_uuid, value),
        [CORM_DATE] = offsetof(struct corm_opt_bigint, value),
        [CORM_TIME] = offsetof(struct corm_opt_bigint, value),
        [CORM_DATETIME] = offsetof(struct corm_opt_bigint, value),
        [CORM_TIMESTAMP] = offsetof(struct corm_opt_bigint, value),
    };

    return column->nullable ? offsets[column->type] : 0;
}

/* All other values have an offset where they are nullable, behind their `has`. */
static inline bool is_pointer(const struct corm_column *column)
{
    return corm__is_text(column) || column->type == CORM_BLOB;
}

/* ---- From the field -------------------------------------------------------- */

static struct corm_value get_unsigned(const struct corm_column *column, const void *at)
{
    switch (column->type) {
    case CORM_TINYINT: return corm_v_int_(*(const uint8_t *)at);
    case CORM_SMALLINT: return corm_v_int_(*(const uint16_t *)at);
    case CORM_INT: return corm_v_int_(*(const uint32_t *)at);
    default: return corm_v_uint_(*(const uint64_t *)at);
    }
}

static struct corm_value get_time(const void *at)
{
    struct corm_value v = corm_v_int_(*(const int64_t *)at);

    v.kind = CORM_V_TIME;
    return v;
}

struct corm_value corm__field_get(const struct corm_column *column, const void *row)
{
    const char *field = (const char *)row + column->offset;
    const void *at = field + value_offset(column);

    if (column->nullable && !is_pointer(column) && !*(const bool *)field)
        return corm_v_null_();
    if (column->is_unsigned)
        return get_unsigned(column, at);
    switch (column->type) {
    case CORM_TINYINT: return corm_v_int_(*(const int8_t *)at);
    case CORM_SMALLINT: return corm_v_int_(*(const int16_t *)at);
    case CORM_INT: return corm_v_int_(*(const int32_t *)at);
    case CORM_BIGINT: return corm_v_int_(*(const int64_t *)at);
    case CORM_BOOL: return corm_v_int_(*(const bool *)at);
    case CORM_FLOAT: return corm_v_real_(*(const float *)at);
    case CORM_DOUBLE: return corm_v_real_(*(const double *)at);
    case CORM_BLOB: return corm_v_blob_(*(const struct corm_blob *)at);
    case CORM_UUID: return corm_v_uuid_(*(const struct corm_uuid *)at);
    case CORM_DATE:
    case CORM_TIME:
    case CORM_DATETIME:
    case CORM_TIMESTAMP: return get_time(at);
    default: return corm_v_text_(*(const char *const *)at);
    }
}

/* ---- Into the field -------------------------------------------------------- */

static int misfit(const struct corm_column *column, struct corm_error *error, const char *what)
{
    char type[CORM__TYPE_SIZE];

    return corm__fail(error, CORM_BAD_VALUE,
                      "column %s holds %s in the database, which its model (%s) cannot take",
                      corm__column_name(column), what, corm__type_text(column, type));
}

static int set_null(const struct corm_column *column, void *field, struct corm_error *error)
{
    if (!column->nullable)
        return misfit(column, error, "NULL");
    if (column->type == CORM_BLOB)
        *(struct corm_blob *)field = (struct corm_blob){0};
    else if (is_pointer(column))
        *(const char **)field = NULL;
    else
        *(bool *)field = false; /* the row was zero before */
    return 0;
}

/* Digits, which is how a DECIMAL arrives, as a number of 64 bits. */
static bool whole_of_text(const struct corm_value *text, struct corm_value *number)
{
    char form[CORM__DECIMAL_SIZE];

    if (corm__decimal_form(text->as.s, text->size, CORM__DECIMAL_MAX, 0, form) !=
        CORM__DECIMAL_FITS)
        return false;
    errno = 0;
    *number = form[0] == '-' ? corm_v_int_(strtoll(form, NULL, 10))
                             : corm_v_uint_(strtoull(form, NULL, 10));
    return errno == 0;
}

static inline void store_integer(const struct corm_column *column, void *at, int64_t i)
{
    switch (column->type) { /* the bits are the same, signed or not */
    case CORM_TINYINT: *(uint8_t *)at = (uint8_t)i; break;
    case CORM_SMALLINT: *(uint16_t *)at = (uint16_t)i; break;
    case CORM_INT: *(uint32_t *)at = (uint32_t)i; break;
    case CORM_BOOL: *(bool *)at = i == 1; break;
    default: *(int64_t *)at = i;
    }
}

/* One that comes without a sign, as text, or does not fit. */
static int set_odd_integer(const struct corm_column *column, void *at,
                           const struct corm_value *value, struct corm_error *error)
{
    struct corm_value v = *value;

    if (v.kind == CORM_V_TEXT && !whole_of_text(value, &v))
        return misfit(column, error,
                      "something that is not a whole number, or is outside its range");
    if (v.kind == CORM_V_UINT && v.as.u > INT64_MAX && column->is_unsigned &&
        column->type == CORM_BIGINT) {
        *(uint64_t *)at = v.as.u;
        return 0;
    }
    if (v.kind != CORM_V_INT && v.kind != CORM_V_UINT)
        return misfit(column, error, "something that is not a whole number");
    int64_t i = v.as.i;
    if ((v.kind == CORM_V_UINT && v.as.u > INT64_MAX) || i < corm__least(column) ||
        i > corm__greatest(column))
        return misfit(column, error, "a number outside its range");
    store_integer(column, at, i);
    return 0;
}

static inline int set_integer(const struct corm_column *column, void *at,
                              const struct corm_value *value, struct corm_error *error)
{
    if (value->kind != CORM_V_INT || value->as.i < corm__least(column) ||
        value->as.i > corm__greatest(column))
        return set_odd_integer(column, at, value, error);
    store_integer(column, at, value->as.i);
    return 0;
}

static int set_real(const struct corm_column *column, void *at, const struct corm_value *value,
                    struct corm_error *error)
{
    double r = value->as.r;

    if (value->kind == CORM_V_INT)
        r = (double)value->as.i;
    else if (value->kind != CORM_V_REAL)
        return misfit(column, error, "something that is not a number");
    if (value->kind == CORM_V_INT && (r >= 0x1p63 || (int64_t)r != value->as.i))
        return misfit(column, error, "a whole number with too many digits");
    if (!isfinite(r))
        return misfit(column, error, "a number that is not finite");
    if (column->type == CORM_DOUBLE) {
        *(double *)at = r;
        return 0;
    }
    if (fabs(r) > (double)FLT_MAX || (double)(float)r != r)
        return misfit(column, error, "a number with more digits than a float");
    *(float *)at = (float)r;
    return 0;
}

static bool is_zero_date(const struct corm_value *value)
{
    static const char zero[] = "0000-00-00";

    return value->size >= sizeof(zero) - 1 && memcmp(value->as.s, zero, sizeof(zero) - 1) == 0;
}

static int set_time(const struct corm_column *column, void *at, const struct corm_value *value,
                    struct corm_error *error)
{
    bool    ok = false;
    int64_t microseconds = 0;

    if (value->kind == CORM_V_INT && column->type == CORM_TIME) {
        ok = true;
        microseconds = value->as.i;
    } else if (value->kind == CORM_V_TEXT) {
        const char *text = value->as.s;
        if (column->type != CORM_TIME && is_zero_date(value))
            return misfit(column, error, "the zero date 0000-00-00, which is no date,");
        ok = column->type == CORM_DATE   ? corm_date_parse(text, value->size, &microseconds)
             : column->type == CORM_TIME ? corm_time_parse(text, value->size, &microseconds)
                                         : corm_datetime_parse(text, value->size, &microseconds);
    }
    if (!ok)
        return misfit(column, error,
                      column->type == CORM_DATE   ? "something that is not a date"
                      : column->type == CORM_TIME ? "something that is not a time"
                                                  : "something that is not a date and time");
    if (microseconds < corm__least(column) || microseconds > corm__greatest(column))
        return misfit(column, error, "a time outside its range");
    *(int64_t *)at = microseconds;
    return 0;
}

static int set_copy(const void *data, size_t size, const char **at, struct corm_arena *arena,
                    struct corm_error *error)
{
    char *copy = corm__arena_copy(arena, data, size);

    if (copy == NULL)
        return corm__fail_memory(error, "the text of a row");
    *at = copy;
    return 0;
}

static int set_decimal(const struct corm_column *column, void *at, const struct corm_value *value,
                       struct corm_arena *arena, struct corm_error *error)
{
    char text[CORM__DECIMAL_SIZE], form[CORM__DECIMAL_SIZE];

    if (value->kind == CORM_V_INT) { /* of SQLite: scaled */
        int64_t end = corm__power_of_ten(
            column->length > CORM__DECIMAL_MAX_SQLITE ? CORM__DECIMAL_MAX_SQLITE : column->length);
        if (column->scale > CORM__DECIMAL_MAX_SQLITE || value->as.i <= -end || value->as.i >= end)
            return misfit(column, error, "a number with more digits");
        corm__decimal_of_scaled(value->as.i, column->scale, text);
        return set_copy(text, strlen(text), at, arena, error);
    }
    if (value->kind != CORM_V_TEXT)
        return misfit(column, error, "something that is not an exact number");
    switch (corm__decimal_form(value->as.s, value->size, column->length, column->scale, form)) {
    case CORM__DECIMAL_FITS: return set_copy(form, strlen(form), at, arena, error);
    case CORM__DECIMAL_NO_NUMBER:
        return misfit(column, error, "something that is not an exact number");
    default: return misfit(column, error, "a number with more digits");
    }
}

static int set_text(const struct corm_column *column, void *at, const struct corm_value *value,
                    struct corm_arena *arena, struct corm_error *error)
{
    size_t characters;

    if (value->kind != CORM_V_TEXT)
        return misfit(column, error, "something that is not text");
    switch (corm__text_fault(value->as.s, value->size, &characters)) {
    case CORM__TEXT_HAS_NUL: return misfit(column, error, "text with a NUL in it");
    case CORM__TEXT_NOT_UTF8: return misfit(column, error, "text that is not UTF-8");
    case CORM__TEXT_FINE: break;
    }
    if ((column->type == CORM_CHAR || column->type == CORM_VARCHAR) && characters > column->length)
        return misfit(column, error, "a text of more characters");
    if (column->type == CORM_ENUM && !corm__is_value_of(column, value->as.s, value->size))
        return misfit(column, error, "a text that is not in its list");
    return set_copy(value->as.s, value->size, at, arena, error);
}

static int set_blob(const struct corm_column *column, void *at, const struct corm_value *value,
                    struct corm_arena *arena, struct corm_error *error)
{
    struct corm_blob blob = {.size = value->size};

    if (value->kind != CORM_V_BLOB && value->kind != CORM_V_TEXT)
        return misfit(column, error, "something that is not a blob");
    const char *copy;
    int         rc = set_copy(value->as.p, value->size, &copy, arena, error);
    if (rc < 0)
        return rc;
    blob.data = copy;
    *(struct corm_blob *)at = blob;
    return 0;
}

/* As its bytes, or as the text of MariaDB's UUID. */
static int set_uuid(const struct corm_column *column, void *at, const struct corm_value *value,
                    struct corm_error *error)
{
    bool bytes = value->kind == CORM_V_BLOB || value->kind == CORM_V_TEXT;

    if (bytes && value->size == sizeof(struct corm_uuid))
        memcpy(at, value->as.p, sizeof(struct corm_uuid));
    else if (!bytes || !corm_uuid_parse(value->as.s, value->size, at))
        return misfit(column, error, "something that is not a UUID");
    return 0;
}

static inline int set_field(const struct corm_column *column, void *row,
                            const struct corm_value *value, struct corm_arena *arena,
                            struct corm_error *error)
{
    char *field = (char *)row + column->offset;
    void *at = field + value_offset(column);
    int   rc;

    if (value->kind == CORM_V_NULL)
        return set_null(column, field, error);
    switch (column->type) {
    case CORM_TINYINT:
    case CORM_SMALLINT:
    case CORM_INT:
    case CORM_BIGINT:
    case CORM_BOOL: rc = set_integer(column, at, value, error); break;
    case CORM_FLOAT:
    case CORM_DOUBLE: rc = set_real(column, at, value, error); break;
    case CORM_DECIMAL: rc = set_decimal(column, at, value, arena, error); break;
    case CORM_BLOB: rc = set_blob(column, at, value, arena, error); break;
    case CORM_UUID: rc = set_uuid(column, at, value, error); break;
    case CORM_DATE:
    case CORM_TIME:
    case CORM_DATETIME:
    case CORM_TIMESTAMP: rc = set_time(column, at, value, error); break;
    default: rc = set_text(column, at, value, arena, error);
    }
    if (rc == 0 && at != field)
        *(bool *)field = true;
    return rc;
}

static int set_fields(const struct corm_column *columns, uint32_t count, void *row,
                      const struct corm_value *values, struct corm_arena *arena,
                      struct corm_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        int rc = set_field(&columns[i], row, &values[i], arena, error);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int corm__field_set(const struct corm_column *column, void *row, struct corm_value value,
                    struct corm_arena *arena, struct corm_error *error)
{
    return set_fields(column, 1, row, &value, arena, error);
}

int corm__row_set(const struct corm_table *table, void *row, const struct corm_value *values,
                  struct corm_arena *arena, struct corm_error *error)
{
    return set_fields(table->columns, table->column_count, row, values, arena, error);
}

bool corm__has_text(const struct corm_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (is_pointer(&table->columns[i]))
            return true;
    return false;
}

const struct corm_column *corm__generated_column(const struct corm_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].autoinc)
            return &table->columns[i];
    return NULL;
}

/* The bytes that a field points at, without the NUL of a text; *data is NULL where there are none. */
static size_t pointed_at(const struct corm_column *column, const void *row, const void **data)
{
    const char *field = (const char *)row + column->offset;

    *data = NULL;
    if (column->type == CORM_BLOB) {
        const struct corm_blob *blob = (const void *)field;
        *data = blob->data;
        return blob->data != NULL ? blob->size : 0;
    }
    if (corm__is_text(column))
        memcpy(data, field, sizeof(*data));
    return *data != NULL ? strlen(*data) : 0;
}

size_t corm__text_bytes(const struct corm_table *table, const void *row)
{
    const void *data;
    size_t      bytes = 0;

    for (uint32_t i = 0; i < table->column_count; i++)
        bytes += pointed_at(&table->columns[i], row, &data);
    return bytes;
}

void *corm_dup_(const struct corm_table *table, const void *row)
{
    size_t size = table->row_size + table->column_count; /* a NUL behind each */
    char  *copy = malloc(size + corm__text_bytes(table, row));

    if (copy == NULL)
        return NULL;
    memcpy(copy, row, table->row_size);
    char *text = copy + table->row_size;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const void *data;
        size_t      bytes = pointed_at(&table->columns[i], row, &data);
        if (data == NULL)
            continue;
        memcpy(text, data, bytes);
        text[bytes] = '\0';
        /* A text's field is the pointer, a blob begins with it. */
        memcpy(copy + table->columns[i].offset, &text, sizeof(text));
        text += bytes + 1;
    }
    return copy;
}
