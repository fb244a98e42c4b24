/* corm/value.h -- one value, of whatever type. */
#ifndef CORM_VALUE_H
#define CORM_VALUE_H

#include <corm/model.h>

#ifdef __cplusplus
extern "C" {
#endif

enum corm_value_kind {
    CORM_V_NONE,
    CORM_V_NULL,
    CORM_V_INT,
    CORM_V_UINT,
    CORM_V_REAL,
    CORM_V_TEXT,   /* as.s, ends with NUL; `size` bytes where size is not 0 */
    CORM_V_BLOB,   /* as.p, `size` bytes */
    CORM_V_TIME,   /* as.i, microseconds: since 1970, UTC, or since midnight */
    CORM_V_COLUMN, /* as.c: the value of another column */
    CORM_V_UUID,   /* as.uuid */
    CORM_V_DECIMAL /* as.s, like a text: an exact number in digits */
};

/* One value. The layout is frozen; text, decimals and blobs are pointed at, not copied. */
struct corm_value {
    enum corm_value_kind kind;
    uint32_t             size;
    union {
        long long                 i;
        unsigned long long        u;
        double                    r;
        const char               *s;
        const void               *p;
        const struct corm_column *c;
        struct corm_uuid          uuid;
    } as;
    const void *reserved;
};

/* ---- As text and from text ------------------------------------------------
 *
 * Of the text that is parsed the first `size` bytes count; false where they are anything else than
 * the form that is shown, and nothing is set then. Formatting is false outside the type's range. No
 * memory is allocated. From any thread. */
#define CORM_DATE_SIZE     11 /* "2026-01-31" and NUL */
#define CORM_TIME_SIZE     18 /* "-838:59:59.999999" and NUL */
#define CORM_DATETIME_SIZE 27 /* "2026-01-31 09:05:00.000000" and NUL */
#define CORM_UUID_SIZE     37 /* "0198f2c4-7e6b-7a51-9d3c-5b1f0e8a2d47" and NUL */

/* A date, as "YYYY-MM-DD"; the microseconds must be those of a midnight. */
CORM_API bool corm_date_parse(const char *text, size_t size, int64_t *microseconds);
CORM_API bool corm_date_format(int64_t microseconds, char text[CORM_DATE_SIZE]);

/* A time, as "HH:MM:SS", hours of up to three digits, a `-` in front where it is negative, and up to six digits
 * of a fraction behind a `.`; it is written with all six. */
CORM_API bool corm_time_parse(const char *text, size_t size, int64_t *microseconds);
CORM_API bool corm_time_format(int64_t microseconds, char text[CORM_TIME_SIZE]);

/* A datetime, as "YYYY-MM-DD HH:MM:SS", in UTC, with a fraction like the one of a time. */
CORM_API bool corm_datetime_parse(const char *text, size_t size, int64_t *microseconds);
CORM_API bool corm_datetime_format(int64_t microseconds, char text[CORM_DATETIME_SIZE]);

/* A UUID, as 32 hexadecimal digits in five groups; they are written in lower case. */
CORM_API bool corm_uuid_parse(const char *text, size_t size, struct corm_uuid *uuid);
CORM_API void corm_uuid_format(const struct corm_uuid *uuid, char text[CORM_UUID_SIZE]);

/* A blob of `size` bytes at `data`, for conditions and assignments: a compound literal among their
 * arguments does not compile everywhere. The bytes are pointed at. */
static inline struct corm_blob corm_bytes(const void *data, size_t size)
{
    struct corm_blob blob = {data, size};
    return blob;
}

/* ---- What stands behind the macros ---------------------------------------- */

static inline struct corm_value corm_v_of_(enum corm_value_kind kind)
{
    struct corm_value x = {kind, 0, {0}, NULL};
    return x;
}

static inline struct corm_value corm_v_int_(long long v)
{
    struct corm_value x = corm_v_of_(CORM_V_INT);
    x.as.i = v;
    return x;
}

static inline struct corm_value corm_v_uint_(unsigned long long v)
{
    struct corm_value x = corm_v_of_(CORM_V_UINT);
    x.as.u = v;
    return x;
}

static inline struct corm_value corm_v_real_(double v)
{
    struct corm_value x = corm_v_of_(CORM_V_REAL);
    x.as.r = v;
    return x;
}

static inline struct corm_value corm_v_text_(const char *v)
{
    struct corm_value x = corm_v_of_(v != NULL ? CORM_V_TEXT : CORM_V_NULL);
    x.as.s = v;
    return x;
}

/* A blob of 4 GiB and more counts as one of 4 GiB less a byte, which is refused as too long. */
static inline struct corm_value corm_v_blob_(struct corm_blob v)
{
    struct corm_value x = corm_v_of_(v.data != NULL ? CORM_V_BLOB : CORM_V_NULL);
    x.as.p = v.data;
    x.size = v.size < UINT32_MAX ? (uint32_t)v.size : UINT32_MAX;
    return x;
}

static inline struct corm_value corm_v_uuid_(struct corm_uuid v)
{
    struct corm_value x = corm_v_of_(CORM_V_UUID);
    x.as.uuid = v;
    return x;
}

static inline struct corm_value corm_v_column_(const struct corm_column *c)
{
    struct corm_value x = corm_v_of_(CORM_V_COLUMN);
    x.as.c = c;
    return x;
}

static inline struct corm_value corm_v_null_(void)
{
    return corm_v_of_(CORM_V_NULL);
}

static inline struct corm_value corm_v_icol_(struct corm_int_col c)
{
    return corm_v_column_(c.column);
}

static inline struct corm_value corm_v_rcol_(struct corm_real_col c)
{
    return corm_v_column_(c.column);
}

static inline struct corm_value corm_v_tcol_(struct corm_text_col c)
{
    return corm_v_column_(c.column);
}

static inline struct corm_value corm_v_dcol_(struct corm_time_col c)
{
    return corm_v_column_(c.column);
}

static inline struct corm_value corm_v_floatcol_(struct corm_float_col c)
{
    return corm_v_column_(c.column);
}

static inline struct corm_value corm_v_decimalcol_(struct corm_decimal_col c)
{
    return corm_v_column_(c.column);
}

static inline struct corm_value corm_v_blobcol_(struct corm_blob_col c)
{
    return corm_v_column_(c.column);
}

static inline struct corm_value corm_v_datecol_(struct corm_date_col c)
{
    return corm_v_column_(c.column);
}

static inline struct corm_value corm_v_clockcol_(struct corm_clock_col c)
{
    return corm_v_column_(c.column);
}

static inline struct corm_value corm_v_jsoncol_(struct corm_json_col c)
{
    return corm_v_column_(c.column);
}

static inline struct corm_value corm_v_enumcol_(struct corm_enum_col c)
{
    return corm_v_column_(c.column);
}

static inline struct corm_value corm_v_uuidcol_(struct corm_uuid_col c)
{
    return corm_v_column_(c.column);
}

#ifdef __cplusplus
}
#endif
#endif
