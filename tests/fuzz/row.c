/* tests/fuzz/row.c -- any value of a driver into a field of any type: exactly that value, or an error
 * that leaves the field as it was.
 *
 * What should come out is computed here once more, by other means than the library's: numbers of 128
 * bits, text taken apart by hand, days counted one month after the other by timegm(). Around the
 * row lie bytes that nobody may write. */
#include "fuzz.h"

#include "schema/row.h"

#include <corm/corm.h>
#include <float.h>
#include <math.h>
#include <time.h>

const char *const fuzz_tokens[] = {
    "-",
    ".",
    "0.00",
    "-0",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "99999999999999999999999999999999999999999999999999999999999999999",
    "2026-01-31",
    "0000-00-00",
    "9999-12-31 23:59:59.999999",
    "0001-01-01 00:00:00",
    "838:59:59.999999",
    "-838:59:59.999999",
    "1970-01-01 00:00:01",
    "2038-01-19 03:14:07.999999",
    "0198f2c4-7e6b-7a51-9d3c-5b1f0e8a2d47",
    "new",
    "paid",
    "\xC3\xA4",
    "\xF0\x9F\x8E\x9F",
    "\xED\xA0\x80",
    "\xC0\x80",
    "\xF4\x90\x80\x80",
    "[1,2]",
    "{}",
    NULL};

/* clang-format off */
#define EVERY(X)                                                                                   \
    X(i8, tinyint)           X(u8, unsigned(tinyint))     X(i16, smallint)                         \
    X(u16, unsigned(smallint)) X(i32, int)                X(u32, unsigned(int))                    \
    X(i64, bigint)           X(u64, unsigned(bigint))     X(yes, bool)                             \
    X(single, float)         X(twice, double)                                                      \
    X(money, decimal(18, 4)) X(count, decimal(9, 0))      X(part, decimal(6, 6))                   \
    X(most, decimal(65, 38)) X(wide, decimal(65, 0))      X(one, decimal(1, 0))                    \
    X(code, char(10))        X(name, varchar(20))         X(body, text)                            \
    X(kind, enum("new", "paid", "it's", "", "\xC3\xA4"))                                           \
    X(extra, json)           X(bytes, blob)               X(key, uuid)                             \
    X(day, date)             X(hour, time)                X(at, datetime)  X(stamp, timestamp)     \
    X(n_i8, nullable(tinyint)) X(n_u8, nullable(unsigned(tinyint))) X(n_i16, nullable(smallint))   \
    X(n_u16, nullable(unsigned(smallint))) X(n_i32, nullable(int))                                 \
    X(n_u32, nullable(unsigned(int))) X(n_i64, nullable(bigint))                                   \
    X(n_u64, nullable(unsigned(bigint))) X(n_yes, nullable(bool)) X(n_single, nullable(float))     \
    X(n_twice, nullable(double)) X(n_money, nullable(decimal(18, 4))) X(n_name, nullable(char(3))) \
    X(n_kind, nullable(enum("new", "paid"))) X(n_bytes, nullable(blob)) X(n_key, nullable(uuid))   \
    X(n_day, nullable(date)) X(n_hour, nullable(time)) X(n_at, nullable(datetime))                 \
    X(n_stamp, nullable(timestamp))
/* clang-format on */
CORM_MODEL(every, EVERY);
CORM_DEFINE(every, EVERY);

__extension__ typedef __int128 wide;

/* ---- What should come out ------------------------------------------------------- */

/* What a field holds, or that it is none. */
struct wanted {
    bool        fits;
    wide        whole; /* numbers and times */
    double      real;
    const char *data; /* texts, blobs, UUIDs */
    size_t      size;
    char        text[600]; /* where `data` is made */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* [-]digits[.digits]: its digits without zeros that say nothing, and whether it is one. */
struct digits {
    bool negative;
    char wholes[256], fraction[256];
};

static bool take_apart(const char *s, size_t size, struct digits *d)
{
    size_t i = 0, w = 0, f = 0;

    memset(d, 0, sizeof(*d));
    if (size > 250)
        return false;
    d->negative = i < size && s[i] == '-';
    i += d->negative;
    size_t first = i;
    while (i < size && is_digit(s[i])) {
        if (w > 0 || s[i] != '0')
            d->wholes[w++] = s[i];
        i++;
    }
    if (i == first)
        return false;
    if (i < size && s[i] == '.') {
        first = ++i;
        while (i < size && is_digit(s[i]))
            d->fraction[f++] = s[i++];
        if (i == first)
            return false;
    }
    while (f > 0 && d->fraction[f - 1] == '0')
        d->fraction[--f] = '\0';
    if (w == 0 && f == 0)
        d->negative = false;
    return i == size;
}

static void want_decimal(const struct corm_column *c, const struct digits *d, struct wanted *out)
{
    size_t w = strlen(d->wholes), f = strlen(d->fraction);

    out->fits = w <= c->length - c->scale && f <= c->scale;
    if (!out->fits)
        return;
    (void)snprintf(out->text, sizeof(out->text), "%s%s%s%s", d->negative ? "-" : "",
                   w == 0 ? "0" : d->wholes, c->scale > 0 ? "." : "", d->fraction);
    for (size_t n = strlen(out->text); f < c->scale; f++) /* the rest is zero */
        out->text[n++] = '0';
    out->data = out->text;
    out->size = strlen(out->text);
}

/* A whole number as digits with the point `scale` places from its end. */
static bool point_in(long long i, uint32_t scale, struct digits *d)
{
    char  text[64];
    char *p = text;
    wide  n = i < 0 ? -(wide)i : i;
    int   digits = snprintf(text, sizeof(text), "%0*llu", (int)scale + 1, (unsigned long long)n);
    char  with_point[80];

    (void)snprintf(with_point, sizeof(with_point), "%s%.*s%s%s", i < 0 ? "-" : "",
                   digits - (int)scale, p, scale > 0 ? "." : "", p + digits - (int)scale);
    return take_apart(with_point, strlen(with_point), d);
}

static wide least_of(const struct corm_column *c)
{
    switch (c->type) {
    case CORM_TINYINT: return c->is_unsigned ? 0 : -128;
    case CORM_SMALLINT: return c->is_unsigned ? 0 : -32768;
    case CORM_INT: return c->is_unsigned ? 0 : -(wide)2147483648;
    case CORM_BIGINT: return c->is_unsigned ? 0 : -((wide)1 << 63);
    case CORM_TIME: return -(wide)3020399999999;
    case CORM_TIMESTAMP: return 1000000;
    default: return 0;
    }
}

static wide greatest_of(const struct corm_column *c)
{
    switch (c->type) {
    case CORM_TINYINT: return c->is_unsigned ? 255 : 127;
    case CORM_SMALLINT: return c->is_unsigned ? 65535 : 32767;
    case CORM_INT: return c->is_unsigned ? (wide)4294967295 : 2147483647;
    case CORM_BIGINT: return ((wide)1 << (c->is_unsigned ? 64 : 63)) - 1;
    case CORM_TIME: return (wide)3020399999999;
    case CORM_TIMESTAMP: return (wide)2147483647999999;
    default: return 1;
    }
}

static void want_whole(const struct corm_column *c, const struct corm_value *v, struct wanted *out)
{
    struct digits d;

    out->fits = true;
    if (v->kind == CORM_V_INT) {
        out->whole = v->as.i;
    } else if (v->kind == CORM_V_UINT) {
        out->whole = v->as.u;
    } else if (v->kind == CORM_V_TEXT && take_apart(v->as.s, v->size, &d) &&
               d.fraction[0] == '\0' && strlen(d.wholes) <= 30) {
        for (const char *p = d.wholes; *p != '\0'; p++)
            out->whole = out->whole * 10 + (*p - '0');
        out->whole = d.negative ? -out->whole : out->whole;
    } else {
        out->fits = false;
    }
    out->fits = out->fits && out->whole >= least_of(c) && out->whole <= greatest_of(c);
}

static void want_real(const struct corm_column *c, const struct corm_value *v, struct wanted *out)
{
    if (v->kind == CORM_V_REAL) {
        out->real = v->as.r;
        out->fits = isfinite(v->as.r);
    } else if (v->kind == CORM_V_INT) {
        out->real = (double)v->as.i;
        out->fits = (wide)out->real == v->as.i;
    }
    if (c->type == CORM_FLOAT && out->fits)
        out->fits = fabs(out->real) <= (double)FLT_MAX && (double)(float)out->real == out->real;
}

/* Digits of exactly this many places. */
static bool number(const char **p, const char *end, int places, int *n)
{
    for (*n = 0; places > 0; places--, (*p)++) {
        if (*p == end || !is_digit(**p))
            return false;
        *n = *n * 10 + (**p - '0');
    }
    return true;
}

static bool skip(const char **p, const char *end, char c)
{
    return *p != end && *(*p)++ == c;
}

static bool take_day(const char **p, const char *end, wide *seconds)
{
    struct tm tm = {0}, back;
    int       year, month, day;

    if (!number(p, end, 4, &year) || !skip(p, end, '-') || !number(p, end, 2, &month) ||
        !skip(p, end, '-') || !number(p, end, 2, &day) || year < 1 || month < 1 || day < 1)
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    time_t t = timegm(&tm); /* takes the 31st of February for a day in March */
    *seconds = t;
    return gmtime_r(&t, &back) != NULL && back.tm_year == year - 1900 && back.tm_mon == month - 1 &&
           back.tm_mday == day;
}

static bool take_clock(const char **p, const char *end, int places, wide *microseconds)
{
    int hour, minute, second, fraction = 0, size = 0;

    if (!number(p, end, places, &hour) || !skip(p, end, ':') || !number(p, end, 2, &minute) ||
        !skip(p, end, ':') || !number(p, end, 2, &second) || minute > 59 || second > 59)
        return false;
    if (*p != end) {
        if (!skip(p, end, '.') || *p == end)
            return false;
        for (; *p != end && is_digit(**p) && size < 6; size++, (*p)++)
            fraction = fraction * 10 + (**p - '0');
        if (size == 0)
            return false;
        for (; size < 6; size++)
            fraction *= 10;
    }
    *microseconds = ((wide)hour * 3600 + minute * 60 + second) * 1000000 + fraction;
    return *p == end;
}

static void want_time(const struct corm_column *c, const struct corm_value *v, struct wanted *out)
{
    const char *p = v->as.s, *end;
    wide        seconds = 0, rest = 0;
    bool        negative = false;

    if (c->type == CORM_TIME && v->kind == CORM_V_INT) {
        out->whole = v->as.i;
        out->fits = out->whole >= least_of(c) && out->whole <= greatest_of(c);
        return;
    }
    if (v->kind != CORM_V_TEXT)
        return;
    end = p + v->size;
    if (c->type == CORM_TIME) {
        negative = p != end && *p == '-';
        p += negative;
        const char *colon = end - p >= 3 && p[2] == ':' ? p + 2 : p + 3;
        out->fits = end - p > 3 && take_clock(&p, end, colon - p == 2 ? 2 : 3, &rest);
    } else {
        out->fits = take_day(&p, end, &seconds);
        if (c->type == CORM_DATE)
            out->fits = out->fits && p == end;
        else
            out->fits = out->fits && skip(&p, end, ' ') && end - p >= 2 && memcmp(p, "24", 2) < 0 &&
                        take_clock(&p, end, 2, &rest);
    }
    out->whole = seconds * 1000000 + rest;
    out->whole = negative ? -out->whole : out->whole;
    if (c->type == CORM_TIME || c->type == CORM_TIMESTAMP)
        out->fits = out->fits && out->whole >= least_of(c) && out->whole <= greatest_of(c);
}

/* Characters of UTF-8 by its definition: decode, encode, compare; SIZE_MAX: it is none. */
static size_t characters_of(const char *s, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; n++) {
        unsigned char c = (unsigned char)s[i];
        size_t        width = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
        uint32_t      code = width == 1 ? c : c & (0xFFU >> (width + 1));
        if (i + width > size || (c >= 0x80 && c < 0xC0) || c >= 0xF8 || c == '\0')
            return SIZE_MAX;
        for (size_t j = 1; j < width; j++) {
            unsigned char next = (unsigned char)s[i + j];
            if (next < 0x80 || next > 0xBF)
                return SIZE_MAX;
            code = code << 6 | (next & 0x3F);
        }
        size_t shortest = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        if (shortest != width || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
            return SIZE_MAX;
        i += width;
    }
    return n;
}

static void want_text(const struct corm_column *c, const struct corm_value *v, struct wanted *out)
{
    if (v->kind != CORM_V_TEXT)
        return;
    size_t n = characters_of(v->as.s, v->size);
    out->fits = n != SIZE_MAX;
    if (c->type == CORM_CHAR || c->type == CORM_VARCHAR)
        out->fits = out->fits && n <= c->length;
    if (c->type == CORM_ENUM) {
        bool found = false;
        for (const char *const *p = c->values; *p != NULL; p++)
            found = found || (strlen(*p) == v->size && memcmp(*p, v->as.s, v->size) == 0);
        out->fits = out->fits && found;
    }
    out->data = v->as.s;
    out->size = v->size;
}

static int hex(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char       *p = c != '\0' ? strchr(digits, c) : NULL;

    if (p == NULL)
        return -1;
    return p - digits < 16 ? (int)(p - digits) : (int)(p - digits) - 6;
}

static void want_uuid(const struct corm_value *v, struct wanted *out)
{
    size_t n = 0;

    if (v->kind != CORM_V_TEXT && v->kind != CORM_V_BLOB)
        return;
    out->size = 16;
    out->data = out->text;
    if (v->size == 16) {
        memcpy(out->text, v->as.s, 16);
        out->fits = true;
        return;
    }
    out->fits = v->size == 36;
    for (size_t i = 0; i < v->size && out->fits; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash) {
            out->fits = v->as.s[i] == '-';
            continue;
        }
        out->fits = hex(v->as.s[i]) >= 0;
        out->text[n / 2] =
            (char)(n % 2 == 0 ? hex(v->as.s[i]) * 16 : out->text[n / 2] + hex(v->as.s[i]));
        n++;
    }
}

static void want(const struct corm_column *c, const struct corm_value *v, struct wanted *out)
{
    struct digits d;

    memset(out, 0, sizeof(*out));
    switch (c->type) {
    case CORM_TINYINT:
    case CORM_SMALLINT:
    case CORM_INT:
    case CORM_BIGINT:
    case CORM_BOOL: want_whole(c, v, out); break;
    case CORM_FLOAT:
    case CORM_DOUBLE: want_real(c, v, out); break;
    case CORM_DECIMAL:
        if (v->kind == CORM_V_INT ? c->scale <= 18 && point_in(v->as.i, c->scale, &d)
                                  : v->kind == CORM_V_TEXT && take_apart(v->as.s, v->size, &d))
            want_decimal(c, &d, out);
        /* Of SQLite, which has 18 digits. */
        if (v->kind == CORM_V_INT) {
            wide end = 1;
            for (uint32_t i = 0; i < (c->length > 18 ? 18 : c->length); i++)
                end *= 10;
            out->fits = out->fits && v->as.i > -end && v->as.i < end;
        }
        break;
    case CORM_BLOB:
        out->fits = v->kind == CORM_V_BLOB || v->kind == CORM_V_TEXT;
        out->data = v->as.p;
        out->size = v->size;
        break;
    case CORM_UUID: want_uuid(v, out); break;
    case CORM_DATE:
    case CORM_TIME:
    case CORM_DATETIME:
    case CORM_TIMESTAMP: want_time(c, v, out); break;
    default: want_text(c, v, out);
    }
}

/* ---- What has come out -------------------------------------------------------------- */

static void check_field(const struct corm_column *c, const void *row, const struct wanted *w)
{
    struct corm_value v = corm__field_get(c, row);

    switch (c->type) {
    case CORM_TINYINT:
    case CORM_SMALLINT:
    case CORM_INT:
    case CORM_BIGINT:
    case CORM_BOOL:
        CHECK(v.kind == CORM_V_INT || v.kind == CORM_V_UINT, "%s", c->name);
        CHECK(v.kind == CORM_V_INT ? v.as.i == w->whole : v.as.u == w->whole, "%s: %lld", c->name,
              v.as.i);
        break;
    case CORM_DATE:
    case CORM_TIME:
    case CORM_DATETIME:
    case CORM_TIMESTAMP:
        CHECK(v.kind == CORM_V_TIME && v.as.i == w->whole, "%s: %lld", c->name, v.as.i);
        break;
    case CORM_FLOAT:
    case CORM_DOUBLE: {
        uint64_t found, expected;
        memcpy(&found, &v.as.r, sizeof(found));
        memcpy(&expected, &w->real, sizeof(expected));
        CHECK(v.kind == CORM_V_REAL && found == expected, "%s: %g", c->name, v.as.r);
        break;
    }
    case CORM_UUID:
        CHECK(v.kind == CORM_V_UUID && memcmp(v.as.uuid.bytes, w->data, 16) == 0, "%s", c->name);
        break;
    case CORM_BLOB:
        CHECK(v.kind == CORM_V_BLOB && v.size == w->size && v.as.p != w->data &&
                  memcmp(v.as.p, w->data, w->size) == 0,
              "%s", c->name);
        break;
    default:
        CHECK(v.kind == CORM_V_TEXT && v.as.s != NULL && w->data != NULL, "%s", c->name);
        CHECK(v.as.s != w->data && strlen(v.as.s) == w->size &&
                  memcmp(v.as.s, w->data, w->size) == 0,
              "%s: %s", c->name, v.as.s);
    }
}

enum { GUARD = 64 };

static void check(struct corm_arena *arena, const struct corm_column *c,
                  const struct corm_value *value)
{
    /* As drivers make it: zero before. */
    static _Alignas(16) char memory[GUARD + sizeof(struct every) + GUARD];
    static char              before[sizeof(memory)];
    struct corm_error        error = {0};
    struct wanted            wanted;
    void                    *row = memory + GUARD;
    size_t                   begin = GUARD + c->offset,
           end = c < every.corm_table->columns + every.corm_table->column_count - 1
                     ? GUARD + c[1].offset
                     : GUARD + sizeof(struct every);

    memset(memory, 0xA5, sizeof(memory));
    memset(row, 0, sizeof(struct every));
    memcpy(before, memory, sizeof(memory));
    int rc = corm__field_set(c, row, *value, arena, &error);
    CHECK(memcmp(memory, before, begin) == 0, "%s: bytes in front of it", c->name);
    CHECK(memcmp(memory + end, before + end, sizeof(memory) - end) == 0, "%s: bytes behind it",
          c->name);
    if (value->kind == CORM_V_NULL) {
        CHECK((rc == 0) == c->nullable, "%s: NULL is %d", c->name, rc);
        CHECK(memcmp(memory, before, sizeof(memory)) == 0, "%s: NULL has bytes", c->name);
        return;
    }
    want(c, value, &wanted);
    CHECK((rc == 0) == wanted.fits, "%s: %s", c->name, rc == 0 ? "taken" : error.message);
    if (rc < 0) {
        CHECK(rc == CORM_BAD_VALUE && error.code == rc && strstr(error.message, c->name) != NULL,
              "%d: %s", rc, error.message);
        CHECK(memcmp(memory, before, sizeof(memory)) == 0, "%s: something was put", c->name);
        return;
    }
    CHECK(error.code == 0, "%s", error.message);
    check_field(c, row, &wanted);
}

/* ---- Values ---------------------------------------------------------------------------- */

static const char *digits_of(struct bytes *b, char *text)
{
    size_t n = 0;

    if (take_below(b, 2) == 1)
        text[n++] = '-';
    for (unsigned wholes = take_below(b, 70); wholes > 0; wholes--)
        text[n++] = (char)('0' + take_below(b, 10));
    if (take_below(b, 2) == 1) {
        text[n++] = '.';
        for (unsigned places = take_below(b, 42); places > 0; places--)
            text[n++] = (char)('0' + take_below(b, 10));
    }
    text[n] = '\0';
    return text;
}

static const char *time_of(struct bytes *b, enum corm_type type, char *text)
{
    int  n = 0;
    bool day = type != CORM_TIME, clock = type != CORM_DATE;

    if (day)
        n += sprintf(text + n, "%04u-%02u-%02u", (unsigned)take_bits(b, 2) % 10010,
                     take_below(b, 14), take_below(b, 33));
    if (day && clock)
        text[n++] = ' ';
    if (clock) {
        n += sprintf(text + n, "%s%0*u:%02u:%02u", !day && take_below(b, 2) ? "-" : "",
                     2 + (int)take_below(b, 2), day ? take_below(b, 26) : take_below(b, 256) * 4,
                     take_below(b, 62), take_below(b, 62));
        if (take_below(b, 2) == 1) {
            text[n++] = '.';
            for (unsigned i = take_below(b, 8); i > 0; i--)
                text[n++] = (char)('0' + take_below(b, 10));
        }
    }
    text[n] = '\0';
    return text;
}

/* The rest of the input, with a NUL behind it, as drivers deliver text. */
static struct corm_value rest_of(struct bytes *b, enum corm_value_kind kind, struct corm_arena *a)
{
    struct corm_value v = {.kind = kind, .size = (uint32_t)b->left};
    char             *copy = corm_arena_alloc(a, b->left + 1);

    CHECK(copy != NULL, "no memory");
    memcpy(copy, b->at, b->left);
    copy[b->left] = '\0';
    v.as.s = copy;
    return v;
}

static struct corm_value take_value(struct bytes *b, const struct corm_column *c,
                                    struct corm_arena *arena)
{
    char             *text = corm_arena_alloc(arena, 256);
    struct corm_value v = {.kind = CORM_V_TEXT};
    float             f;

    CHECK(text != NULL, "no memory");
    switch (take_below(b, 10)) {
    case 0: return corm_v_null_();
    case 1: return corm_v_int_((long long)take_number(b));
    case 2: return corm_v_uint_(take_number(b));
    case 3: {
        uint64_t bits = take_bits(b, 8);
        v = corm_v_real_(0);
        memcpy(&v.as.r, &bits, sizeof(bits));
        return v;
    }
    case 4: {
        uint32_t bits = (uint32_t)take_bits(b, 4);
        memcpy(&f, &bits, sizeof(f));
        return corm_v_real_(f);
    }
    case 5: v.as.s = digits_of(b, text); break;
    case 6: v.as.s = time_of(b, c->type, text); break;
    case 7: /* a whole number as text, near the end of a type */
        (void)snprintf(text, 256, "%lld", (long long)take_number(b));
        v.as.s = text;
        break;
    case 8: return rest_of(b, CORM_V_BLOB, arena);
    default: return rest_of(b, CORM_V_TEXT, arena);
    }
    v.size = (uint32_t)strlen(v.as.s);
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes              b = {data, size};
    struct corm_arena        *arena = corm_arena_new();
    const struct corm_table  *table = every.corm_table;
    const struct corm_column *c = &table->columns[take_byte(&b) % table->column_count];

    CHECK(arena != NULL, "no memory");
    struct corm_value value = take_value(&b, c, arena);
    check(arena, c, &value);
    corm_arena_free(arena);
    return 0;
}
