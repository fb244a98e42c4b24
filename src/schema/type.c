/* schema/type.c -- what the types of columns have in common, and where they end. */
#include "schema/type.h"

#include <stdio.h>
#include <string.h>

bool corm__is_integer(const struct corm_column *column)
{
    return column->type <= CORM_BIGINT;
}

bool corm__is_text(const struct corm_column *column)
{
    switch (column->type) {
    case CORM_DECIMAL:
    case CORM_CHAR:
    case CORM_VARCHAR:
    case CORM_TEXT:
    case CORM_ENUM:
    case CORM_JSON: return true;
    default: return false;
    }
}

int64_t corm__least(const struct corm_column *column)
{
    if (column->is_unsigned)
        return 0;
    switch (column->type) {
    case CORM_TINYINT: return INT8_MIN;
    case CORM_SMALLINT: return INT16_MIN;
    case CORM_INT: return INT32_MIN;
    case CORM_BOOL: return 0;
    case CORM_TIME: return INT64_C(-3020399999999); /* -838:59:59.999999 */
    case CORM_TIMESTAMP: return INT64_C(1000000);   /* 1970-01-01 00:00:01 */
    default: return INT64_MIN;
    }
}

int64_t corm__greatest(const struct corm_column *column)
{
    bool u = column->is_unsigned;

    switch (column->type) {
    case CORM_TINYINT: return u ? UINT8_MAX : INT8_MAX;
    case CORM_SMALLINT: return u ? UINT16_MAX : INT16_MAX;
    case CORM_INT: return u ? (int64_t)UINT32_MAX : INT32_MAX;
    case CORM_BOOL: return 1;
    case CORM_TIME: return INT64_C(3020399999999);
    case CORM_TIMESTAMP: return INT64_C(2147483647999999); /* 2038-01-19 03:14:07.999999 */
    default: return INT64_MAX;
    }
}

bool corm__is_value_of(const struct corm_column *column, const char *text, size_t size)
{
    for (const char *const *v = column->values; v != NULL && *v != NULL; v++)
        if (strlen(*v) == size && memcmp(*v, text, size) == 0)
            return true;
    return false;
}

bool corm__is_uuid(const struct corm_uuid *uuid)
{
    return uuid->bytes[6] < 0x80 || uuid->bytes[8] == 0 || uuid->bytes[8] > 0x80;
}

bool corm__is_made_by_server(const struct corm_column *column)
{
    return column->autoinc || column->generated != NULL;
}

static const char *name_of(enum corm_type type)
{
    switch (type) {
    case CORM_TINYINT: return "tinyint";
    case CORM_SMALLINT: return "smallint";
    case CORM_INT: return "int";
    case CORM_BIGINT: return "bigint";
    case CORM_BOOL: return "bool";
    case CORM_FLOAT: return "float";
    case CORM_DOUBLE: return "double";
    case CORM_DECIMAL: return "decimal";
    case CORM_CHAR: return "char";
    case CORM_VARCHAR: return "varchar";
    case CORM_TEXT: return "text";
    case CORM_ENUM: return "enum";
    case CORM_JSON: return "json";
    case CORM_BLOB: return "blob";
    case CORM_UUID: return "uuid";
    case CORM_DATE: return "date";
    case CORM_TIME: return "time";
    case CORM_DATETIME: return "datetime";
    case CORM_TIMESTAMP: return "timestamp";
    }
    return "?";
}

const char *corm__type_text(const struct corm_column *column, char text[static CORM__TYPE_SIZE])
{
    const char *name = name_of(column->type);

    if (column->type == CORM_DECIMAL)
        (void)snprintf(text, CORM__TYPE_SIZE, "%s(%u, %u)", name, column->length, column->scale);
    else if (column->type == CORM_CHAR || column->type == CORM_VARCHAR)
        (void)snprintf(text, CORM__TYPE_SIZE, "%s(%u)", name, column->length);
    else
        (void)snprintf(text, CORM__TYPE_SIZE, column->is_unsigned ? "unsigned(%s)" : "%s", name);
    return text;
}
