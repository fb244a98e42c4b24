/* schema/type.h -- what the types of columns have in common, and where they end. */
#ifndef CORM_SCHEMA_TYPE_H
#define CORM_SCHEMA_TYPE_H

#include <corm/model.h>

/* tinyint to bigint, signed or not; bool is none. */
bool corm__is_integer(const struct corm_column *column);

/* Whether the field is a pointer to text: decimal, char, varchar, text, enum, json. */
bool corm__is_text(const struct corm_column *column);

/* The range of an integer, a bool, a time (microseconds) or a timestamp. The upper end of
 * unsigned(bigint) is INT64_MAX here: who takes more has to ask for it. */
struct corm__range {
    int64_t least, greatest;
};
extern const struct corm__range corm__ranges[CORM_TIMESTAMP + 1][2]; /* by type and is_unsigned */

static inline int64_t corm__least(const struct corm_column *column)
{
    return corm__ranges[column->type][column->is_unsigned].least;
}

static inline int64_t corm__greatest(const struct corm_column *column)
{
    return corm__ranges[column->type][column->is_unsigned].greatest;
}

/* Whether `text`, of `size` bytes, is a value of an enum column. */
bool corm__is_value_of(const struct corm_column *column, const char *text, size_t size);

/* Whether MariaDB's UUID type can hold it. It keeps the bytes in another order, or not, by bytes 6 and
 * 8, and takes version 8 and higher with a byte 8 of 0x01 to 0x80 for one of the others: as text such
 * a UUID is refused, as bytes another one is stored (10.11.19; see MDEV-29959). */
bool corm__is_uuid(const struct corm_uuid *uuid);

/* Whether the server makes the value of the column: it is never written by a row. */
bool corm__is_made_by_server(const struct corm_column *column);

/* The type as the model writes it: "unsigned(int)", "decimal(10, 2)". */
enum { CORM__TYPE_SIZE = 40 };
const char *corm__type_text(const struct corm_column *column, char text[static CORM__TYPE_SIZE]);

#endif
