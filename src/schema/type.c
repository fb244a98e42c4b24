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

/* clang-format off: a table */
#define OF_64_BITS                                                                                 \
    {                                                                                              \
        {INT64_MIN, INT64_MAX},                                                                    \
        {                                                                                          \
            0, INT64_MAX                                                                           \
        }                                                                                          \
    }
const struct corm__range corm__ranges[CORM_TIMESTAMP + 1][2] = {
    [CORM_TINYINT] = {{INT8_MIN, INT8_MAX}, {0, UINT8_MAX}},
    [CORM_SMALLINT] = {{INT16_MIN, INT16_MAX}, {0, UINT16_MAX}},
    [CORM_INT] = {{INT32_MIN, INT32_MAX}, {0, UINT32_MAX}},
    [CORM_BIGINT] = OF_64_BITS,
    [CORM_BOOL] = {{0, 1}, {0, 1}},
    [CORM_FLOAT] = OF_64_BITS,
    [CORM_DOUBLE] = OF_64_BITS,
    [CORM_DECIMAL] = OF_64_BITS,
    [CORM_CHAR] = OF_64_BITS,
    [CORM_VARCHAR] = OF_64_BITS,
    [CORM_TEXT] = OF_64_BITS,
    [CORM_ENUM] = OF_64_BITS,
    [CORM_JSON] = OF_64_BITS,
    [CORM_BLOB] = OF_64_BITS,
    [CORM_UUID] = OF_64_BITS,
    [CORM_DATE] = OF_64_BITS,
    [CORM_TIME] = {{-3020399999999, 3020399999999}, {0, 3020399999999}}, /* 838:59:59.999999 */
    [CORM_DATETIME] = OF_64_BITS,
    [CORM_TIMESTAMP] = {{1000000, 2147483647999999},
                        {0, 2147483647999999}}, /* 1970-01-01 00:00:01 */
};
#undef OF_64_BITS
/* clang-format on */

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
