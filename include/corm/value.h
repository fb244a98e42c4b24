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
    CORM_V_TEXT,  /* as.s, ends with NUL; `size` bytes where size is not 0 */
    CORM_V_BLOB,  /* as.p, `size` bytes; only from corm_sql() so far */
    CORM_V_TIME,  /* as.i, microseconds since 1970, UTC */
    CORM_V_COLUMN /* as.c: the value of another column */
};

/* One value. The layout is frozen; text and blobs are pointed at, not copied. */
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
    } as;
    const void *reserved;
};

static inline struct corm_value corm_v_int_(long long v)
{
    struct corm_value x = {CORM_V_INT, 0, {0}, NULL};
    x.as.i = v;
    return x;
}

static inline struct corm_value corm_v_uint_(unsigned long long v)
{
    struct corm_value x = {CORM_V_UINT, 0, {0}, NULL};
    x.as.u = v;
    return x;
}

static inline struct corm_value corm_v_real_(double v)
{
    struct corm_value x = {CORM_V_REAL, 0, {0}, NULL};
    x.as.r = v;
    return x;
}

static inline struct corm_value corm_v_text_(const char *v)
{
    struct corm_value x = {CORM_V_TEXT, 0, {0}, NULL};
    x.as.s = v;
    if (v == NULL)
        x.kind = CORM_V_NULL;
    return x;
}

static inline struct corm_value corm_v_column_(const struct corm_column *c)
{
    struct corm_value x = {CORM_V_COLUMN, 0, {0}, NULL};
    x.as.c = c;
    return x;
}

static inline struct corm_value corm_v_null_(void)
{
    struct corm_value x = {CORM_V_NULL, 0, {0}, NULL};
    return x;
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

#ifdef __cplusplus
}
#endif
#endif
