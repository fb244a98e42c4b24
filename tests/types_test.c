/* types_test.c -- every type, NOT NULL and nullable: what is written comes back bit for bit or is
 * refused, whichever way it goes; and what a model says about its table beside the types.
 *
 * The heart is a property test: rows of extremes and rows at random are written in every way of
 * `ways`, read back in every way of `readings`, compared byte by byte with the row in C, and looked for
 * by every column. A round that fails prints its seed; CORM_TEST_SEED=n runs that round alone; some
 * rounds are new in every run. A way of writing or reading that corm gets later is one function and
 * one line in its table.
 *
 * On MariaDB it changes the server's settings, so it has a server of its own. */
#include "support.h"

#include "base/clock.h"
#include "driver/array.h"
#include "pool/connection.h"
#include "route/url.h"
#include "schema/decimal.h"
#include "schema/row.h"
#include "schema/type.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Every type once; `id` tells the rows apart. */
/* clang-format off */
#define EVERY(X)                                                                                   \
    X(id, int, .pk = 1)                                                                            \
    X(i8, tinyint)           X(u8, unsigned(tinyint))                                              \
    X(i16, smallint)         X(u16, unsigned(smallint))                                            \
    X(i32, int)              X(u32, unsigned(int))                                                 \
    X(i64, bigint)           X(u64, unsigned(bigint))                                              \
    X(yes, bool)             X(single, float)         X(twice, double)                             \
    X(money, decimal(18, 4)) X(count, decimal(9, 0))  X(part, decimal(6, 6))                       \
    X(code, char(10))        X(name, varchar(20))     X(body, text)                                \
    X(kind, enum("new", "paid", "it's", "\\", "4", "\xC3\xA4 \xF0\x9F\x8E\x9F"))                  \
    X(extra, json)           X(bytes, blob)           X(key, uuid)                                 \
    X(day, date)             X(hour, time)            X(at, datetime)      X(stamp, timestamp)
CORM_MODEL(every, EVERY);
CORM_DEFINE(every, EVERY);

#define MAYBE(X)                                                                                   \
    X(id, int, .pk = 1)                                                                            \
    X(i8, nullable(tinyint))           X(u8, nullable(unsigned(tinyint)))                          \
    X(i16, nullable(smallint))         X(u16, nullable(unsigned(smallint)))                        \
    X(i32, nullable(int))              X(u32, nullable(unsigned(int)))                             \
    X(i64, nullable(bigint))           X(u64, nullable(unsigned(bigint)))                          \
    X(yes, nullable(bool))             X(single, nullable(float))     X(twice, nullable(double))   \
    X(money, nullable(decimal(18, 4))) X(count, nullable(decimal(9, 0)))                           \
    X(part, nullable(decimal(6, 6)))                                                               \
    X(code, nullable(char(10)))        X(name, nullable(varchar(20))) X(body, nullable(text))      \
    X(kind, nullable(enum("new", "paid", "it's", "\\", "4", "\xC3\xA4 \xF0\x9F\x8E\x9F")))        \
    X(extra, nullable(json))           X(bytes, nullable(blob))       X(key, nullable(uuid))       \
    X(day, nullable(date))             X(hour, nullable(time))        X(at, nullable(datetime))    \
    X(stamp, nullable(timestamp))
CORM_MODEL(maybe, MAYBE);
CORM_DEFINE(maybe, MAYBE);
/* clang-format on */

/* What SQLite does not have. */
#define HUGE_NUMBERS(X)                                                                            \
    X(id, int, .pk = 1)                                                                            \
    X(most, decimal(65, 38))                                                                       \
    X(wide, decimal(65, 0))                                                                        \
    X(deep, nullable(decimal(38, 38)))
CORM_MODEL(huge, HUGE_NUMBERS);
CORM_DEFINE(huge, HUGE_NUMBERS);

static struct corm_arena *arena;
static uint64_t           seed; /* of the round that is under way */

/* ---- Bytes of a field, without the library's help ----------------------------- */

static size_t size_of(const struct corm_column *c)
{
    switch (c->type) {
    case CORM_TINYINT:
    case CORM_BOOL: return 1;
    case CORM_SMALLINT: return 2;
    case CORM_INT:
    case CORM_FLOAT: return 4;
    case CORM_UUID: return 16;
    default: return 8;
    }
}

static bool is_pointer(const struct corm_column *c)
{
    return corm__is_text(c) || c->type == CORM_BLOB;
}

/* Where the value of a nullable number lies: behind `has`, at its own alignment. */
static char *place(const struct corm_column *c, void *row)
{
    char  *field = (char *)row + c->offset;
    size_t behind = c->type == CORM_UUID ? 1 : size_of(c);

    return c->nullable && !is_pointer(c) ? field + behind : field;
}

static void put_bytes(const struct corm_column *c, void *row, const void *value)
{
    if (c->nullable && !is_pointer(c))
        *((bool *)row + c->offset) = true;
    memcpy(place(c, row), value, size_of(c));
}

static void put_text(const struct corm_column *c, void *row, const char *text)
{
    memcpy((char *)row + c->offset, &text, sizeof(text));
}

static void put_blob(const struct corm_column *c, void *row, const void *data, size_t size)
{
    struct corm_blob blob = {data, size};

    memcpy((char *)row + c->offset, &blob, sizeof(blob));
}

/* The bytes of a value; NULL for NULL. */
static const void *bytes_of(const struct corm_column *c, const void *row, size_t *size)
{
    void       *field;
    const void *data;

    memcpy(&field, &row, sizeof(field));
    if (c->type == CORM_BLOB) {
        struct corm_blob blob;
        memcpy(&blob, (char *)field + c->offset, sizeof(blob));
        *size = blob.size;
        return blob.data;
    }
    if (corm__is_text(c)) {
        memcpy(&data, (char *)field + c->offset, sizeof(data));
        *size = data != NULL ? strlen(data) : 0;
        return data;
    }
    *size = size_of(c);
    return c->nullable && !*((bool *)field + c->offset) ? NULL : place(c, field);
}

static const char *hex_of(const struct corm_column *c, const void *row)
{
    static char text[4][600];
    static int  turn;
    size_t      size, used = 0;
    const char *bytes = bytes_of(c, row, &size);
    char       *out = text[turn = (turn + 1) % 4];

    if (bytes == NULL)
        return "NULL";
    (void)snprintf(out, sizeof(text[0]), "%zu bytes ", size);
    used = strlen(out);
    for (size_t i = 0; i < size && used < sizeof(text[0]) - 8; i++)
        used += (size_t)snprintf(out + used, sizeof(text[0]) - used, "%02x",
                                 ((const unsigned char *)bytes)[i]);
    return out;
}

static bool is_zero(const struct corm_column *c, const void *row)
{
    size_t      size;
    const void *bytes = bytes_of(c, row, &size);
    float       f = 1;
    double      d = 1;

    if (bytes != NULL && c->type == CORM_FLOAT)
        memcpy(&f, bytes, sizeof(f));
    if (bytes != NULL && c->type == CORM_DOUBLE)
        memcpy(&d, bytes, sizeof(d));
    return f == 0 || d == 0;
}

/* Bit for bit. */
static bool is_same(const struct corm_column *c, const void *a, const void *b)
{
    size_t      m, n;
    const void *x = bytes_of(c, a, &m), *y = bytes_of(c, b, &n);

    if (x == NULL || y == NULL)
        return x == y;
    return m == n && memcmp(x, y, m) == 0;
}

/* As the server has it: there is one zero only. */
static bool is_equal(const struct corm_column *c, const void *a, const void *b)
{
    return is_same(c, a, b) || (is_zero(c, a) && is_zero(c, b));
}

static bool is_minus_zero(const struct corm_column *c, const void *row)
{
    static const char zeros[8];
    size_t            size;

    return is_zero(c, row) && memcmp(bytes_of(c, row, &size), zeros, size_of(c)) != 0;
}

/* ---- Values ----------------------------------------------------------------- */

static uint64_t random_bits(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * UINT64_C(0x2545F4914F6CDD1D);
}

static size_t random_below(size_t n)
{
    return (size_t)(random_bits() >> 11) % n;
}

static int64_t random_between(int64_t least, int64_t greatest)
{
    uint64_t span = (uint64_t)greatest - (uint64_t)least + 1;

    return (int64_t)((uint64_t)least + (span == 0 ? random_bits() : random_bits() % span));
}

static char *room(size_t size)
{
    char *p = corm_arena_alloc(arena, size);

    assert_non_null(p);
    return p;
}

/* Text of up to `most` characters: letters, what is live in SQL, control characters, and all of
 * Unicode. */
static const char *random_text(size_t most)
{
    static const char live[] = "'\"`\\%_!?;-#/*\n\r\t\b\x1a\x7f  \0";
    size_t            n = random_below(most + 1);
    char             *text = room(4 * n + 1), *p = text;

    for (size_t i = 0; i < n; i++) {
        uint32_t c = (uint32_t)random_between(0x80, 0x10FFFF);
        switch (random_below(4)) {
        case 0: c = 'a' + (uint32_t)random_below(26); break;
        case 1: c = (unsigned char)live[random_below(sizeof(live) - 2)]; break;
        case 2: c = (uint32_t)random_between(1, 0x7F); break;
        default: c = c >= 0xD800 && c <= 0xDFFF ? 0xFFFF : c;
        }
        if (c < 0x80) {
            *p++ = (char)c;
        } else if (c < 0x800) {
            *p++ = (char)(0xC0 | c >> 6);
            *p++ = (char)(0x80 | (c & 0x3F));
        } else if (c < 0x10000) {
            *p++ = (char)(0xE0 | c >> 12);
            *p++ = (char)(0x80 | (c >> 6 & 0x3F));
            *p++ = (char)(0x80 | (c & 0x3F));
        } else {
            *p++ = (char)(0xF0 | c >> 18);
            *p++ = (char)(0x80 | (c >> 12 & 0x3F));
            *p++ = (char)(0x80 | (c >> 6 & 0x3F));
            *p++ = (char)(0x80 | (c & 0x3F));
        }
    }
    *p = '\0';
    return text;
}

/* Digits in the one form of a decimal; `nines`: the largest. */
static const char *decimal_text(const struct corm_column *c, bool negative, bool nines)
{
    size_t wholes = c->length - c->scale, fractions = c->scale, zeros = 0;
    char  *text = room(wholes + fractions + 4), *p = text;
    bool   any = nines;

    if (!nines) {
        wholes = random_below(wholes + 1);
        zeros = random_below(fractions + 1);
    }
    *p++ = '-';
    if (wholes == 0)
        *p++ = '0';
    for (size_t i = 0; i < wholes; i++, any = true)
        *p++ = nines ? '9' : (char)('0' + (i == 0 ? 1 + random_below(9) : random_below(10)));
    if (fractions > 0)
        *p++ = '.';
    for (size_t i = 0; i < fractions; i++) {
        *p = nines ? '9' : i < zeros ? '0' : (char)('0' + random_below(10));
        any = any || *p != '0';
        p++;
    }
    *p = '\0';
    return negative && any ? text : text + 1;
}

static const char *const jsons[] = {"null",
                                    "{}",
                                    "[1,2.50,-3e10,\"\\u0000\"]",
                                    "{ \"b\" : 1,  \"a\" : [true, false, null] }\n",
                                    "\"it's \\\"quoted\\\" \xF0\x9F\x8E\x9F \\\\ % _ ?\"",
                                    "-0.0"};

static const char *random_json(void)
{
    const char *inner = jsons[random_below(COUNT(jsons))];
    char       *text = room(strlen(inner) + 64);

    (void)snprintf(text, strlen(inner) + 64, "[%lld,  %s]", (long long)random_between(-9999, 9999),
                   inner);
    return text;
}

/* The greatest of a column on the target. */
static uint64_t greatest(const struct corm_column *c)
{
    if (c->type == CORM_BIGINT && c->is_unsigned && is_mariadb())
        return UINT64_MAX;
    return (uint64_t)corm__greatest(c);
}

static int64_t utc(const char *text)
{
    int64_t t = 0;

    assert_true(corm_datetime_parse(text, strlen(text), &t));
    return t;
}

static void put_whole(const struct corm_column *c, void *row, int64_t n)
{
    put_bytes(c, row, &n); /* the low bytes come first */
}

#define TWO_UMLAUTS "\xC3\xA4\xC3\xB6"
#define TEN_UMLAUTS TWO_UMLAUTS TWO_UMLAUTS TWO_UMLAUTS TWO_UMLAUTS TWO_UMLAUTS

/* Ends, and whatever is special; how many there are differs. */
static void put_extreme(const struct corm_column *c, void *row, size_t n)
{
    static const float  floats[] = {0,    -0.0F, FLT_MAX,  -FLT_MAX, FLT_MIN, FLT_TRUE_MIN,
                                    0.1F, -0.1F, 1.0F / 3, 16777216, 1e-30F};
    static const double doubles[] = {
        0,   -0.0, DBL_MAX, -DBL_MAX,           DBL_MIN,    DBL_TRUE_MIN,
        0.1, -0.1, 1.0 / 3, 9007199254740993.0, DBL_EPSILON};
    static const char *const codes[] = {
        "", "a", "A", " a", "0123456789", "\x7F!", "\xF0\x9F\x8E\x9F", TEN_UMLAUTS};
    static const char *const      names[] = {"",
                                             " ",
                                             "a ",
                                             "a",
                                             "A",
                                             "\\",
                                             "'",
                                             "--",
                                             "NULL",
                                             "0",
                                             "12345678901234567890",
                                             "line\nline  two",
                                             "\xE2\x82\xAC",
                                             "\xF0\x9F\x8E\x9F\xF0\x9F\x8E\x9F"};
    static const struct corm_blob blobs[] = {
        {"", 0},         {"\0", 1}, {"a\0b", 3}, {"\xBF\x27", 2}, {"\xFF\xFE\x00\xD8", 4},
        {"' \" \\ `", 7}};
    static const struct corm_uuid uuids[] = {
        {{0}},
        {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
          0xFF}},
        {{'a', 'b', 'c', 'd', 'e', 'f', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'}},
        {{0x01, 0x98, 0xF2, 0xC4, 0x7E, 0x6B, 0x7A, 0x51, 0x9D, 0x3C, 0x5B, 0x1F, 0x0E, 0x8A, 0x2D,
          0x47}},
        {{0x20, 0x20, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x20}}};
    const int64_t midnight = INT64_C(86400000000);
    int64_t       days[] = {0,         utc("0001-01-01 00:00:00"), utc("9999-12-31 00:00:00"),
                            -midnight, utc("2024-02-29 00:00:00"), utc("1900-03-01 00:00:00")};
    int64_t       times[] = {0,          1,           -1,      corm__least(c), corm__greatest(c),
                             3600000000, -3599999999, midnight};
    int64_t       ats[] = {0,
                           1,
                           -1,
                           utc("0001-01-01 00:00:00"),
                           utc("9999-12-31 23:59:59.999999"),
                           utc("2026-03-29 02:30:00"),
                           utc("2026-10-25 02:30:00.5")};
    int64_t       stamps[] = {corm__least(c), corm__greatest(c), utc("2026-03-29 02:30:00"),
                              utc("2026-10-25 02:30:00.000001"), utc("2000-02-29 23:59:59.999999")};
    size_t        values = 0;

    switch (c->type) {
    case CORM_TINYINT:
    case CORM_SMALLINT:
    case CORM_INT:
    case CORM_BIGINT: {
        int64_t wholes[] = {0,
                            1,
                            corm__least(c),
                            (int64_t)greatest(c),
                            corm__least(c) + 1,
                            c->is_unsigned ? 2 : -1,
                            corm__greatest(c) - 1};
        put_whole(c, row, wholes[n % COUNT(wholes)]);
        break;
    }
    case CORM_BOOL: put_whole(c, row, n % 2); break;
    case CORM_FLOAT: put_bytes(c, row, &floats[n % COUNT(floats)]); break;
    case CORM_DOUBLE: put_bytes(c, row, &doubles[n % COUNT(doubles)]); break;
    case CORM_DECIMAL:
        put_text(c, row,
                 n % 3 == 2 ? decimal_text(c, false, false) : decimal_text(c, n % 3 == 1, true));
        break;
    case CORM_CHAR: put_text(c, row, codes[n % COUNT(codes)]); break;
    case CORM_VARCHAR:
    case CORM_TEXT: put_text(c, row, names[n % COUNT(names)]); break;
    case CORM_ENUM:
        while (c->values[values] != NULL)
            values++;
        assert_true(values > 0);
        put_text(c, row, c->values[values == 0 ? 0 : n % values]);
        break;
    case CORM_JSON: put_text(c, row, jsons[n % COUNT(jsons)]); break;
    case CORM_BLOB:
        memcpy((char *)row + c->offset, &blobs[n % COUNT(blobs)], sizeof(blobs[0]));
        break;
    case CORM_UUID: put_bytes(c, row, &uuids[n % COUNT(uuids)]); break;
    case CORM_DATE: put_whole(c, row, days[n % COUNT(days)]); break;
    case CORM_TIME: put_whole(c, row, times[n % COUNT(times)]); break;
    case CORM_DATETIME: put_whole(c, row, ats[n % COUNT(ats)]); break;
    case CORM_TIMESTAMP: put_whole(c, row, stamps[n % COUNT(stamps)]); break;
    }
}

static void put_random(const struct corm_column *c, void *row)
{
    static const int64_t first = INT64_C(-62135596800000000), last = INT64_C(253402300799999999);
    size_t               size;
    float                f;
    double               d;
    char                *p;
    uint64_t             bits;

    switch (c->type) {
    case CORM_TINYINT:
    case CORM_SMALLINT:
    case CORM_INT:
    case CORM_BIGINT:
    case CORM_BOOL:
        if (greatest(c) > INT64_MAX)
            put_whole(c, row, (int64_t)random_bits());
        else
            put_whole(c, row, random_between(corm__least(c), corm__greatest(c)));
        break;
    case CORM_FLOAT:
        do {
            bits = random_bits();
            memcpy(&f, &bits, sizeof(f));
        } while (!isfinite(f));
        put_bytes(c, row, &f);
        break;
    case CORM_DOUBLE:
        do {
            bits = random_bits();
            memcpy(&d, &bits, sizeof(d));
        } while (!isfinite(d));
        put_bytes(c, row, &d);
        break;
    case CORM_DECIMAL: put_text(c, row, decimal_text(c, random_below(2), false)); break;
    case CORM_CHAR:
        p = room(64);
        (void)snprintf(p, 64, "%s", random_text(c->length));
        for (char *q = p; *q != '\0'; q++) /* what is refused */
            *q = (unsigned char)*q < ' ' ? '~' : *q;
        while (strlen(p) > 0 && p[strlen(p) - 1] == ' ')
            p[strlen(p) - 1] = '\0';
        put_text(c, row, p);
        break;
    case CORM_VARCHAR: put_text(c, row, random_text(c->length)); break;
    case CORM_TEXT: put_text(c, row, random_text(random_below(40) == 0 ? 70000 : 300)); break;
    case CORM_JSON: put_text(c, row, random_json()); break;
    case CORM_BLOB:
        size = random_below(random_below(40) == 0 ? 70000 : 600);
        p = room(size + 1);
        for (size_t i = 0; i < size; i++)
            p[i] = (char)random_bits();
        put_blob(c, row, p, size);
        break;
    case CORM_UUID:
        p = room(16);
        for (size_t i = 0; i < 16; i++)
            p[i] = (char)(random_bits() >> 56);
        p[6] &= 0x7F; /* or it may be refused */
        put_bytes(c, row, p);
        break;
    case CORM_DATE:
        put_whole(c, row, random_between(first / 86400000000, last / 86400000000) * 86400000000);
        break;
    case CORM_DATETIME: put_whole(c, row, random_between(first, last)); break;
    case CORM_TIME:
    case CORM_TIMESTAMP:
        put_whole(c, row, random_between(corm__least(c), corm__greatest(c)));
        break;
    case CORM_ENUM: put_extreme(c, row, random_below(100)); break;
    }
}

/* ---- Ways of writing ---------------------------------------------------------- */

struct batch {
    const struct corm_table *table;
    char                    *rows; /* of C, as they should be in the database */
    size_t                   count;
};

static const void *row_of(const struct batch *b, size_t i)
{
    return b->rows + i * b->table->row_size;
}

static struct corm_error error;

/* The assignments of columns [1, ...) of a row: all but the key. */
static void assign(const struct batch *b, size_t i, struct corm_write *write, bool key)
{
    size_t n = 0;

    for (uint32_t c = key ? 0 : 1; c < b->table->column_count; c++) {
        const struct corm_column *column = &b->table->columns[c];
        write->set[n++] = corm_assign_(column, CORM_SET, corm__field_get(column, row_of(b, i)));
    }
}

static struct corm_write write_of(const void *row)
{
    return (struct corm_write){.size = sizeof(struct corm_write),
                               .file = __FILE__,
                               .line = __LINE__,
                               .row = row,
                               .count = 1,
                               .error = &error};
}

/* Overwrites what a row points at, and frees it: rows are read during the call. */
static void wipe(const struct corm_table *table, void *row)
{
    for (uint32_t n = 0; n < table->column_count; n++) {
        const struct corm_column *c = &table->columns[n];
        size_t                    size;
        const void               *bytes = bytes_of(c, row, &size);
        void                     *own;
        memcpy(&own, &bytes, sizeof(own));
        if (bytes != NULL && is_pointer(c))
            memset(own, 'Z', size);
    }
    memset(row, 0, table->row_size);
    free(row);
}

static int64_t by_rows(struct corm_on on, const struct batch *b)
{
    int64_t rc = 0;

    for (size_t i = 0; i < b->count && rc >= 0; i++) {
        void *copy = corm_dup_(b->table, row_of(b, i));
        assert_non_null(copy);
        struct corm_write write = write_of(copy);
        rc = corm_insert_(on, b->table, &write);
        wipe(b->table, copy);
    }
    return rc;
}

static int64_t by_set_lists(struct corm_on on, const struct batch *b)
{
    int64_t rc = 0;

    for (size_t i = 0; i < b->count && rc >= 0; i++) {
        struct corm_write write = write_of(NULL);
        assign(b, i, &write, true);
        rc = corm_insert_(on, b->table, &write);
    }
    return rc;
}

static int64_t by_one_call(struct corm_on on, const struct batch *b)
{
    struct corm_write write = write_of(b->rows);

    write.count = b->count;
    return corm_insert_rows_(on, b->table, &write);
}

/* First some other row, then what it should be: by a set list, or by the row. */
static int64_t by_other_rows(struct corm_on on, const struct batch *b, bool whole)
{
    char   *other = room(b->table->row_size);
    int64_t rc = 0;

    for (size_t i = 0; i < b->count && rc >= 0; i++) {
        memset(other, 0, b->table->row_size);
        for (uint32_t c = 1; c < b->table->column_count; c++)
            put_extreme(&b->table->columns[c], other, i + c);
        memcpy(other, row_of(b, i), sizeof(int32_t));
        struct corm_write insert = write_of(other), update = write_of(whole ? row_of(b, i) : NULL);
        rc = corm_insert_(on, b->table, &insert);
        if (rc < 0)
            return rc;
        if (whole) {
            rc = corm_update_row_(on, b->table, &update);
        } else {
            assign(b, i, &update, false);
            update.where = corm_cmp_(b->table->columns, CORM_EQ,
                                     corm__field_get(b->table->columns, row_of(b, i)));
            rc = corm_update_(on, b->table, &update);
        }
        if (rc != 1)
            fail_msg("seed %llu: an update matched %lld rows: %s", (unsigned long long)seed,
                     (long long)rc, error.message);
    }
    return rc;
}

static int64_t by_updates(struct corm_on on, const struct batch *b)
{
    return by_other_rows(on, b, false);
}

static int64_t by_updates_of_rows(struct corm_on on, const struct batch *b)
{
    return by_other_rows(on, b, true);
}

/* Where other rows are, or none. */
static int64_t by_upserts(struct corm_on on, const struct batch *b)
{
    int64_t rc = 0;

    for (size_t i = 0; i < b->count && rc >= 0; i++) {
        bool new = i % 3 == 0;
        char *other = room(b->table->row_size);
        memset(other, 0, b->table->row_size);
        for (uint32_t c = 1; c < b->table->column_count; c++)
            put_extreme(&b->table->columns[c], other, i + c);
        memcpy(other, row_of(b, i), sizeof(int32_t));
        struct corm_write first = write_of(other), write = write_of(row_of(b, i));
        if (!new)
            rc = corm_upsert_(on, b->table, &first);
        if (!new &&rc != CORM_INSERTED)
            fail_msg("seed %llu: a first upsert: %lld: %s", (unsigned long long)seed, (long long)rc,
                     error.message);
        rc = corm_upsert_(on, b->table, &write);
        if (rc < 0)
            return rc;
        if (new != (rc == CORM_INSERTED))
            fail_msg("seed %llu: an upsert told %lld", (unsigned long long)seed, (long long)rc);
        rc = corm_upsert_(on, b->table, &write); /* the same once more */
        if (rc != CORM_UNCHANGED)
            fail_msg("seed %llu: the same row again: %lld: %s", (unsigned long long)seed,
                     (long long)rc, error.message);
    }
    return rc;
}

/* ---- By the driver's arrays -------------------------------------------------------- */

static struct corm__connection *open_connection(void)
{
    static struct corm__watch watch;
    struct corm__config       config;
    struct corm__connection  *c = NULL;

    assert_ok(corm__parse_url(arena, test_url(NULL), &config, &error), &error);
    assert_ok(
        corm__connection_open(&config.endpoint, true, &watch, corm__deadline_in(30000), &c, &error),
        &error);
    return c;
}

/* All rows by one statement; the values are those of the statements for one row each. */
static int64_t by_array(struct corm_on on, const struct batch *b)
{
    struct corm__connection   *c = open_connection();
    struct corm__mode          mode = {.trx = true};
    size_t                     width = b->table->column_count;
    struct corm_value         *binds = (void *)room(b->count * width * sizeof(*binds));
    struct corm__array_column *columns = (void *)room(width * sizeof(*columns));
    struct corm__array         array = {
                .rows = b->count, .column_count = (uint32_t)width, .columns = columns};
    struct corm__statement s = {.verb = CORM__INSERT};

    (void)on;
    for (size_t i = 0; i < b->count; i++) {
        struct corm_write write = write_of(row_of(b, i));
        assert_ok(corm__make_insert(c->link->dialect, arena, true, b->table, &write, &s, &error),
                  &error);
        assert_int_equal(s.bind_count, width);
        memcpy(binds + i * width, s.binds, width * sizeof(*binds));
    }
    for (size_t i = 0; i < width; i++)
        assert_ok(corm__array_fill(arena, binds + i, width, b->count, &columns[i], &error), &error);
    assert_ok(corm__connection_enter(c, &mode, 1, corm__deadline_in(30000), &error), &error);
    assert_ok(corm__connection_run_array(c, &s, &array, NULL, 1, corm__deadline_in(30000), &error),
              &error);
    assert_ok(corm__connection_control(c, "COMMIT", 1, corm__deadline_in(30000), &error), &error);
    corm__connection_close(c);
    return (int64_t)b->count;
}

struct way {
    const char *name;
    int64_t (*write)(struct corm_on on, const struct batch *b);
    bool in_trx; /* where inserts are buffered, and sent together */
};

static const struct way ways[] = {
    {"corm_insert_row()", by_rows, false},
    {"corm_insert_row() in a transaction", by_rows, true},
    {"corm_insert()", by_set_lists, false},
    {"corm_insert() in a transaction", by_set_lists, true},
    {"corm_insert_rows()", by_one_call, false},
    {"corm_insert_rows() in a transaction", by_one_call, true},
    {"corm_update()", by_updates, false},
    {"corm_update() in a transaction", by_updates, true},
    {"corm_update_row()", by_updates_of_rows, false},
    {"corm_update_row() in a transaction", by_updates_of_rows, true},
    {"corm_upsert()", by_upserts, false},
    {"corm_upsert() in a transaction", by_upserts, true},
    {"an array", by_array, false},
};

static void write_batch(struct corm_db *db, const struct way *way, const struct batch *b)
{
    struct corm_trx *trx = NULL;
    int64_t          rc;

    if (way->in_trx) {
        assert_ok(corm_begin(db, &trx, .error = &error), &error);
        rc = way->write(corm_on_trx_(trx), b);
        if (rc >= 0)
            rc = corm_commit(trx);
        if (rc < 0 && error.code == 0)
            error = *corm_trx_error(trx);
        corm_end(trx);
    } else {
        rc = way->write(corm_on_db_(db), b);
    }
    if (rc < 0)
        fail_msg("%s: %s", way->name, error.message);
}

/* ---- What comes back ----------------------------------------------------------- */

static void compare(const struct batch *b, const char *way, uint64_t round, size_t i,
                    const void *found)
{
    for (uint32_t n = 0; n < b->table->column_count; n++) {
        const struct corm_column *c = &b->table->columns[n];
        bool                      same = is_same(c, row_of(b, i), found);
        if (is_zero(c, row_of(b, i))) /* no server keeps its sign */
            same = is_zero(c, found) && !is_minus_zero(c, found);
        if (!same)
            fail_msg("seed %llu, %s, row %zu, column %s: %s went in, %s came back",
                     (unsigned long long)round, way, i, c->name, hex_of(c, row_of(b, i)),
                     hex_of(c, found));
    }
}

static struct corm_query query_of(struct corm_expr where)
{
    return (struct corm_query){.size = sizeof(struct corm_query),
                               .file = __FILE__,
                               .line = __LINE__,
                               .where = where,
                               .arena = arena,
                               .error = &error};
}

static struct corm_expr is(const struct corm_column *c, const void *row)
{
    struct corm_value v = corm__field_get(c, row);

    return corm_cmp_(c, v.kind == CORM_V_NULL ? CORM_IS_NULL : CORM_EQ, v);
}

/* What is asked for: rows whose value is that of row `i`, or also that of the row behind it. */
static bool is_wanted(const struct corm_column *c, const struct batch *b, size_t i, bool two,
                      const void *row)
{
    size_t next = (i + 1) % b->count;

    return is_equal(c, row_of(b, i), row) ||
           (two && bytes_of(c, row_of(b, next), &(size_t){0}) != NULL &&
            is_equal(c, row_of(b, next), row));
}

/* A condition on a column finds exactly those rows that hold the value, in C's opinion. */
static void check_found(struct corm_db *db, const struct batch *b, const char *way, uint64_t round,
                        size_t i, const struct corm_column *c, struct corm_expr where)
{
    struct corm_query query = query_of(where);
    bool              two = where.op == CORM_IN || where.op == CORM_IN_LIST;
    char             *found = NULL;
    size_t            wanted = 0;
    int               n = corm_all_(corm_on_db_(db), b->table, &found, &query);

    assert_ok(n, &error);
    for (size_t j = 0; j < b->count; j++)
        wanted += is_wanted(c, b, i, two, row_of(b, j));
    if ((size_t)n != wanted)
        fail_msg("seed %llu, %s: %s %s %s finds %d rows, not %zu", (unsigned long long)round, way,
                 c->name, two ? "in" : "=", hex_of(c, row_of(b, i)), n, wanted);
    for (int j = 0; j < n; j++)
        if (!is_wanted(c, b, i, two, found + (size_t)j * b->table->row_size))
            fail_msg("seed %llu, %s: %s %s %s finds %s", (unsigned long long)round, way, c->name,
                     two ? "in" : "=", hex_of(c, row_of(b, i)),
                     hex_of(c, found + (size_t)j * b->table->row_size));
}

/* The plain C array of a column's type with the values of one row or two, for corm_in_list(). */
static struct corm_expr in_list(const struct corm_column *c, const struct corm_value *v, size_t n)
{
    static const enum corm_list_type wholes[2][4] = {
        {CORM_LIST_INT8, CORM_LIST_INT16, CORM_LIST_INT32, CORM_LIST_INT64},
        {CORM_LIST_UINT8, CORM_LIST_UINT16, CORM_LIST_UINT32, CORM_LIST_UINT64}};
    enum corm_list_type type = c->type >= CORM_TINYINT && c->type <= CORM_BIGINT
                                   ? wholes[c->is_unsigned][c->type - CORM_TINYINT]
                               : c->type == CORM_FLOAT  ? CORM_LIST_FLOAT
                               : c->type == CORM_DOUBLE ? CORM_LIST_DOUBLE
                               : c->type == CORM_BLOB   ? CORM_LIST_BLOB
                               : c->type == CORM_UUID   ? CORM_LIST_UUID
                               : corm__is_text(c)       ? CORM_LIST_TEXT
                                                        : CORM_LIST_INT64;
    size_t              size = c->type == CORM_BLOB   ? sizeof(struct corm_blob)
                               : c->type == CORM_BOOL ? sizeof(int64_t)
                                                      : size_of(c);
    char               *list = room(n * size);

    for (size_t i = 0; i < n; i++) {
        struct corm_blob blob = {v[i].as.p, v[i].size};
        float            f = (float)v[i].as.r;
        const void      *from = &v[i].as; /* the low bytes come first */
        if (c->type == CORM_BLOB)
            from = &blob;
        if (c->type == CORM_FLOAT)
            from = &f;
        memcpy(list + i * size, from, size);
    }
    return corm_in_list_(c, type, list, n);
}

/* By =, and by the two forms of IN. */
static void look_for(struct corm_db *db, const struct batch *b, const char *way, uint64_t round,
                     size_t i, const struct corm_column *c)
{
    struct corm_value values[3] = {corm__field_get(c, row_of(b, i)),
                                   corm__field_get(c, row_of(b, (i + 1) % b->count))};
    size_t            n = values[1].kind == CORM_V_NULL ? 1 : 2;

    check_found(db, b, way, round, i, c, is(c, row_of(b, i)));
    if (values[0].kind == CORM_V_NULL)
        return;
    values[n] = (struct corm_value){.kind = CORM_V_NONE};
    check_found(db, b, way, round, i, c,
                (struct corm_expr){.op = CORM_IN, .column = c, .list = values});
    check_found(db, b, way, round, i, c, in_list(c, values, n));
}

static void read_batch(struct corm_db *db, const struct batch *b, const char *way, uint64_t round)
{
    struct corm_query all = query_of(corm_everything());
    char             *rows = NULL, *one = room(b->table->row_size);

    all.order[0].column = b->table->columns;
    assert_rows(corm_all_(corm_on_db_(db), b->table, &rows, &all), b->count, &error);
    for (size_t i = 0; i < b->count; i++) {
        struct corm_query first = query_of(is(b->table->columns, row_of(b, i)));
        compare(b, way, round, i, rows + i * b->table->row_size);
        assert_rows(corm_first_(corm_on_db_(db), b->table, one, &first), 1, &error);
        compare(b, way, round, i, one);
        void *copy = corm_dup_(b->table, one);
        compare(b, way, round, i, copy);
        free(copy);
        for (uint32_t n = 0; n < b->table->column_count; n++)
            look_for(db, b, way, round, i, &b->table->columns[n]);
    }
}

/* ---- Ways of reading ------------------------------------------------------------ */

/* The model once more, as another table in a statement or as the form of a result. */
static struct corm_table another(const struct batch *b)
{
    size_t              size = b->table->column_count * sizeof(struct corm_column);
    struct corm_table   other = *b->table;
    struct corm_column *columns = (void *)room(size);

    memcpy(columns, b->table->columns, size);
    other.columns = columns;
    other.alias = "other";
    return other;
}

static struct corm_query in_order(const struct corm_table *table)
{
    struct corm_query query = query_of(corm_everything());

    query.order[0].column = table->columns;
    return query;
}

static int by_all(struct corm_on on, const struct batch *b, char **rows)
{
    struct corm_query query = in_order(b->table);

    return corm_all_(on, b->table, rows, &query);
}

static int by_keys(struct corm_on on, const struct batch *b, char **rows)
{
    int rc = 1;

    *rows = room(b->count * b->table->row_size);
    for (size_t i = 0; i < b->count && rc == 1; i++) {
        struct corm_query query = query_of(is(b->table->columns, row_of(b, i)));
        rc = corm_first_(on, b->table, *rows + i * b->table->row_size, &query);
    }
    return rc == 1 ? (int)b->count : rc;
}

/* By a text of SQL, which knows no model. */
static int by_sql(struct corm_on on, const struct batch *b, char **rows)
{
    char                 text[64];
    struct corm_sql_args args = {
        .size = sizeof(args), .text = text, .arena = arena, .error = &error};

    (void)snprintf(text, sizeof(text), "SELECT * FROM %s ORDER BY id", b->table->name);
    return corm_sql_into_(on, b->table, rows, &args);
}

/* Chosen columns: all of them, into a result of the same form. */
static int by_select(struct corm_on on, const struct batch *b, char **rows)
{
    uint32_t            n = b->table->column_count;
    struct corm_table   result = another(b);
    struct corm_query   query = query_of(corm_everything());
    struct corm_choice *choices = (void *)room((n + 1) * sizeof(*choices));

    for (uint32_t i = 0; i < n; i++)
        choices[i] = corm_choice_(&result.columns[i], CORM_PLAIN, &b->table->columns[i]);
    choices[n] = (struct corm_choice){.into = NULL};
    query.choose = choices;
    query.into = &result;
    query.order[0].column = result.columns;
    return corm_select_(on, &result, rows, b->table, &query);
}

/* Beside themselves in a join: their partners. A left join gives pointers to them. */
static int by_any_join(struct corm_on on, const struct batch *b, char **rows, bool left)
{
    struct corm_table other = another(b);
    struct corm_query query = in_order(b->table);
    char             *first = NULL, *partners = NULL, **pointers = NULL;

    query.join = (const struct corm_join[]){
        corm_join_(&other, left ? (void *)&pointers : (void *)&partners, 2, left,
                   corm_cmp_(other.columns, CORM_EQ, corm_v_column_(b->table->columns))),
        {.table = NULL}};
    int n = corm_all_(on, b->table, &first, &query);
    if (n > 0 && left) {
        partners = room((size_t)n * b->table->row_size);
        for (int i = 0; i < n; i++)
            memcpy(partners + (size_t)i * b->table->row_size, pointers[i], b->table->row_size);
    }
    *rows = partners;
    return n;
}

static int by_join(struct corm_on on, const struct batch *b, char **rows)
{
    return by_any_join(on, b, rows, false);
}

static int by_left_join(struct corm_on on, const struct batch *b, char **rows)
{
    return by_any_join(on, b, rows, true);
}

/* Rows of a page behind the first one: what stands in front of them is that one. */
static int by_page(struct corm_on on, const struct batch *b, char **rows)
{
    struct corm_query query = in_order(b->table);
    char             *first = NULL, *behind = NULL;

    query.limit = 1;
    int n = corm_all_(on, b->table, &first, &query);
    if (n < 1)
        return n;
    query.limit = 0;
    query.after = corm_after_(b->table, first);
    n = corm_all_(on, b->table, &behind, &query);
    if (n < 0)
        return n;
    *rows = room(b->count * b->table->row_size);
    memcpy(*rows, first, b->table->row_size);
    if (n > 0 && (size_t)n < b->count)
        memcpy(*rows + b->table->row_size, behind, (size_t)n * b->table->row_size);
    return n + 1;
}

/* Two halves, put together again by the server; `all`: without looking for equal rows. */
static int by_any_union(struct corm_on on, const struct batch *b, char **rows, bool all)
{
    const struct corm_column *id = b->table->columns;
    long long                 middle = (long long)b->count / 2;
    struct corm_query         query = in_order(b->table);
    struct corm_union         second = {.all = all, .query = {.size = sizeof(struct corm_query)}};

    second.query.where = corm_cmp_(id, CORM_GE, corm_v_int_(middle));
    query.where = corm_cmp_(id, CORM_LT, corm_v_int_(middle));
    query.unite = &second;
    return corm_all_(on, b->table, rows, &query);
}

static int by_union(struct corm_on on, const struct batch *b, char **rows)
{
    return by_any_union(on, b, rows, false);
}

static int by_union_all(struct corm_on on, const struct batch *b, char **rows)
{
    return by_any_union(on, b, rows, true);
}

static void  *copies[64];
static size_t copy_count;

static void free_copies(void)
{
    while (copy_count > 0)
        free(copies[--copy_count]);
}

/* A copy of each, which outlives the arena. */
static int by_copies(struct corm_on on, const struct batch *b, char **rows)
{
    struct corm_query query = in_order(b->table);
    int               n = corm_all_(on, b->table, rows, &query);

    for (int i = 0; i < n; i++) {
        char *row = *rows + (size_t)i * b->table->row_size;
        void *copy = corm_dup_(b->table, row), *again;
        assert_non_null(copy);
        again = corm_dup_(b->table, copy);
        assert_non_null(again);
        wipe(b->table, copy);
        memcpy(row, again, b->table->row_size);
        assert_true(copy_count < COUNT(copies));
        copies[copy_count++] = again;
    }
    return n;
}

/* All rows, in the order of their keys; how many. */
struct reading {
    const char *name;
    int (*read)(struct corm_on on, const struct batch *b, char **rows);
    bool in_trx;
};

static const struct reading readings[] = {
    {"corm_all()", by_all, false},
    {"corm_all() in a transaction", by_all, true},
    {"corm_first()", by_keys, false},
    {"corm_first() in a transaction", by_keys, true},
    {"corm_dup()", by_copies, false},
    {"corm_sql_into()", by_sql, false},
    {"corm_select()", by_select, false},
    {"corm_join()", by_join, false},
    {"corm_left_join()", by_left_join, false},
    {"corm_after()", by_page, false},
    {"corm_union()", by_union, false},
    {"corm_union_all()", by_union_all, false},
};

static void read_otherwise(struct corm_db *db, const struct batch *b, const char *way,
                           uint64_t round)
{
    for (size_t r = 0; r < COUNT(readings); r++) {
        struct corm_trx *trx = NULL;
        char            *rows = NULL, both[128];
        assert_ok(readings[r].in_trx ? corm_begin(db, &trx, .error = &error) : 0, &error);
        struct corm_on on = readings[r].in_trx ? corm_on_trx_(trx) : corm_on_db_(db);
        assert_rows(readings[r].read(on, b, &rows), b->count, &error);
        (void)snprintf(both, sizeof(both), "%s, read by %s", way, readings[r].name);
        for (size_t i = 0; i < b->count; i++)
            compare(b, both, round, i, rows + i * b->table->row_size);
        corm_end(trx);
        free_copies();
    }
}

/* One batch, in every way. */
static void check_batch(struct corm_db *db, const struct batch *b, uint64_t round)
{
    for (size_t w = 0; w < COUNT(ways); w++) {
        struct corm_write clear = write_of(NULL);
        clear.where = corm_everything();
        assert_ok(corm_delete_(corm_on_db_(db), b->table, &clear), &error);
        write_batch(db, &ways[w], b);
        read_batch(db, b, ways[w].name, round);
        read_otherwise(db, b, ways[w].name, round);
    }
}

/* Row `i` of a batch has the extreme number i of every column; in a nullable one, one row in five has
 * NULL instead. */
static void check_extremes(struct corm_db *db, const struct corm_table *table)
{
    struct batch b = {.table = table, .count = 15};

    seed = 1;
    b.rows = room(b.count * table->row_size);
    memset(b.rows, 0, b.count * table->row_size);
    for (size_t i = 0; i < b.count; i++) {
        char *row = b.rows + i * table->row_size;
        put_whole(&table->columns[0], row, (int64_t)i);
        for (uint32_t n = 1; n < table->column_count; n++)
            if (!table->columns[n].nullable || (i + n) % 5 != 0)
                put_extreme(&table->columns[n], row, i);
    }
    check_batch(db, &b, 1);
}

static struct batch random_batch(const struct corm_table *table, uint64_t round, size_t count)
{
    struct batch b = {.table = table, .count = count};

    seed = round * UINT64_C(0x9E3779B97F4A7C15) | 1;
    b.rows = room(b.count * table->row_size);
    memset(b.rows, 0, b.count * table->row_size);
    for (size_t i = 0; i < b.count; i++) {
        char *row = b.rows + i * table->row_size;
        put_whole(&table->columns[0], row, (int64_t)i);
        for (uint32_t n = 1; n < table->column_count; n++) {
            const struct corm_column *c = &table->columns[n];
            if (c->nullable && random_below(4) == 0)
                continue;
            if (random_below(4) == 0)
                put_extreme(c, row, random_below(100));
            else
                put_random(c, row);
        }
    }
    return b;
}

static void check_random(struct corm_db *db, const struct corm_table *table, uint64_t round)
{
    struct batch b = random_batch(table, round, 6);

    check_batch(db, &b, round);
}

/* As many as go by arrays of several packets, and are read in several blocks of an arena. */
static void check_many(struct corm_db *db, const struct corm_table *table, uint64_t round)
{
    static int64_t (*const writers[])(struct corm_on, const struct batch *) = {by_one_call,
                                                                               by_array};
    static int (*const readers[])(struct corm_on, const struct batch *,
                                  char **) = {by_all, by_sql, by_left_join, by_union};
    const struct batch b = random_batch(table, round, 700);
    struct corm_write  clear = write_of(NULL);

    clear.where = corm_everything();
    for (size_t w = 0; w < COUNT(writers); w++) {
        const struct way way = {w == 0 ? "corm_insert_rows() of many" : "a long array", writers[w],
                                false};
        assert_ok(corm_delete_(corm_on_db_(db), table, &clear), &error);
        write_batch(db, &way, &b);
        for (size_t r = 0; r < COUNT(readers); r++) {
            char *rows = NULL;
            assert_rows(readers[r](corm_on_db_(db), &b, &rows), b.count, &error);
            for (size_t i = 0; i < b.count; i++)
                compare(&b, way.name, round, i, rows + i * table->row_size);
        }
    }
}

static struct corm_db *begin(void)
{
    arena = corm_arena_new();
    error = (struct corm_error){0};
    assert_non_null(arena);
    return open_db(NULL);
}

static void end(struct corm_db *db)
{
    corm_close(db);
    corm_arena_free(arena);
}

static void extremes_of_every_type_come_back_bit_for_bit(void **state)
{
    struct corm_db *db = begin();

    (void)state;
    new_table(db, every);
    new_table(db, maybe);
    check_extremes(db, every.corm_table);
    check_extremes(db, maybe.corm_table);
    end(db);
}

static void many_rows_of_every_type_come_back_bit_for_bit(void **state)
{
    const char     *wanted = getenv("CORM_TEST_SEED");
    uint64_t        fresh = wanted != NULL ? strtoull(wanted, NULL, 10) : (uint64_t)time(NULL);
    struct corm_db *db = begin();

    (void)state;
    print_message("# CORM_TEST_SEED=%llu\n", (unsigned long long)fresh);
    new_table(db, every);
    new_table(db, maybe);
    check_many(db, every.corm_table, fresh);
    check_many(db, maybe.corm_table, fresh);
    end(db);
}

static void values_at_random_come_back_bit_for_bit(void **state)
{
    enum { KNOWN = 5, FRESH = 5 };
    const char *wanted = getenv("CORM_TEST_SEED");
    uint64_t    rounds = wanted != NULL ? 1 : KNOWN + FRESH, fresh = (uint64_t)time(NULL) * 1000;
    struct corm_db *db = begin();

    (void)state;
    new_table(db, every);
    new_table(db, maybe);
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t round = wanted != NULL ? strtoull(wanted, NULL, 10)
                         : i < KNOWN    ? i + 2
                                        : fresh + i;
        if (i == KNOWN)
            print_message("# CORM_TEST_SEED=%llu and the %d behind it\n", (unsigned long long)round,
                          FRESH - 1);
        check_random(db, every.corm_table, round);
        check_random(db, maybe.corm_table, round);
        corm_arena_reset(arena);
    }
    end(db);
}

static void decimals_of_65_digits_come_back_digit_for_digit(void **state)
{
    struct corm_db *db = begin();

    (void)state;
    new_table(db, huge);
    check_extremes(db, huge.corm_table);
    for (uint64_t round = 1; round <= 5; round++)
        check_random(db, huge.corm_table, round);
    end(db);
}

/* ---- Sums, ends, groups and pages of every type --------------------------------------- */

static bool has_order(const struct corm_column *c)
{
    return c->type != CORM_ENUM && c->type != CORM_JSON;
}

static int64_t scaled(const char *decimal)
{
    return corm__decimal_scaled(decimal);
}

/* The order of two values that are not NULL, in C's opinion. */
static int order_of(const struct corm_column *c, const void *a, const void *b)
{
    struct corm_value x = corm__field_get(c, a), y = corm__field_get(c, b);
    size_t            m, n;
    const void       *p = bytes_of(c, a, &m), *q = bytes_of(c, b, &n);

    if (c->type == CORM_DECIMAL)
        return (scaled(x.as.s) > scaled(y.as.s)) - (scaled(x.as.s) < scaled(y.as.s));
    if (x.kind == CORM_V_UINT)
        return (x.as.u > y.as.u) - (x.as.u < y.as.u);
    if (x.kind == CORM_V_REAL)
        return (x.as.r > y.as.r) - (x.as.r < y.as.r);
    if (x.kind == CORM_V_INT || x.kind == CORM_V_TIME)
        return (x.as.i > y.as.i) - (x.as.i < y.as.i);
    int order = memcmp(p, q, m < n ? m : n);
    return order != 0 ? order : (m > n) - (m < n);
}

static bool is_null(const struct corm_column *c, const void *row)
{
    size_t size;

    return bytes_of(c, row, &size) == NULL;
}

/* Small numbers, whose sums are exact in every type; UUIDs that every server sorts alike. */
static void put_modest(const struct corm_column *c, void *row)
{
    int64_t small = random_between(c->is_unsigned ? 0 : -100, 120), stamp;
    float   f = (float)small / 8;
    double  d = (double)small / 64;

    switch (c->type) {
    case CORM_TINYINT:
    case CORM_SMALLINT:
    case CORM_INT: put_whole(c, row, small); break;
    case CORM_BIGINT: put_whole(c, row, small * INT64_C(100000000000000)); break;
    case CORM_FLOAT: put_bytes(c, row, &f); break;
    case CORM_DOUBLE: put_bytes(c, row, &d); break;
    case CORM_UUID:
        put_random(c, row);
        ((uint8_t *)place(c, row))[6] = 0x70;
        ((uint8_t *)place(c, row))[8] = 0x90;
        break;
    case CORM_TIMESTAMP:
        stamp = random_between(corm__least(c), corm__greatest(c));
        put_whole(c, row, stamp);
        break;
    default: put_random(c, row);
    }
}

/* 8 rows: 8 sums of the largest decimal(18, n) fit into 64 bits. */
static struct batch modest_batch(const struct corm_table *table)
{
    struct batch b = {.table = table, .count = 8};

    b.rows = room(b.count * table->row_size);
    memset(b.rows, 0, b.count * table->row_size);
    for (size_t i = 0; i < b.count; i++) {
        char *row = b.rows + i * table->row_size;
        put_whole(&table->columns[0], row, (int64_t)i);
        for (uint32_t n = 1; n < table->column_count; n++)
            if (!table->columns[n].nullable || random_below(3) != 0)
                put_modest(&table->columns[n], row);
    }
    return b;
}

static void store(struct corm_db *db, const struct batch *b)
{
    struct corm_write clear = write_of(NULL);

    clear.where = corm_everything();
    assert_ok(corm_delete_(corm_on_db_(db), b->table, &clear), &error);
    assert_ok(by_one_call(corm_on_db_(db), b), &error);
}

union number {
    int64_t          whole;
    double           real;
    const char      *text;
    struct corm_blob blob;
    struct corm_uuid uuid;
};

static int ask_number(struct corm_db *db, const struct corm_column *c,
                      const struct corm_table *table, enum corm_aggregate how, union number *found)
{
    struct corm_query query = query_of(corm_everything());

    memset(found, 0x55, sizeof(*found));
    return corm_number_(corm_on_db_(db), table, found, how, c, &query);
}

static bool is_the_same(const struct corm_column *c, const union number *found, const void *row)
{
    struct corm_value v = corm__field_get(c, row);
    size_t            size;
    const void       *bytes = bytes_of(c, row, &size);

    if (c->type == CORM_BLOB)
        return found->blob.size == size && memcmp(found->blob.data, bytes, size) == 0;
    if (c->type == CORM_UUID)
        return memcmp(found->uuid.bytes, bytes, 16) == 0;
    if (corm__is_text(c))
        return strcmp(found->text, bytes) == 0;
    return v.kind == CORM_V_REAL ? found->real == v.as.r : found->whole == v.as.i;
}

static void check_ends(struct corm_db *db, const struct batch *b, const struct corm_column *c)
{
    const void  *least = NULL, *greatest = NULL;
    union number found;

    for (size_t i = 0; i < b->count; i++) {
        const void *row = row_of(b, i);
        if (is_null(c, row))
            continue;
        if (least == NULL || order_of(c, row, least) < 0)
            least = row;
        if (greatest == NULL || order_of(c, row, greatest) > 0)
            greatest = row;
    }
    assert_rows(ask_number(db, c, b->table, CORM_MIN, &found), least != NULL, &error);
    if (least != NULL && !is_the_same(c, &found, least))
        fail_msg("the least of %s is not %s", c->name, hex_of(c, least));
    assert_rows(ask_number(db, c, b->table, CORM_MAX, &found), least != NULL, &error);
    if (least != NULL && !is_the_same(c, &found, greatest))
        fail_msg("the greatest of %s is not %s", c->name, hex_of(c, greatest));
}

static void check_sum(struct corm_db *db, const struct batch *b, const struct corm_column *c)
{
    int64_t      whole = 0, count = 0;
    double       real = 0, average;
    char         text[CORM__DECIMAL_SIZE] = "";
    union number found;

    for (size_t i = 0; i < b->count; i++) {
        struct corm_value v = corm__field_get(c, row_of(b, i));
        if (v.kind == CORM_V_NULL)
            continue;
        count++;
        if (v.kind == CORM_V_REAL)
            real += v.as.r;
        else
            whole += v.kind == CORM_V_TEXT ? scaled(v.as.s) : v.as.i;
    }
    if (c->type == CORM_DECIMAL)
        corm__decimal_of_scaled(whole, c->scale, text);
    average = (c->type == CORM_FLOAT || c->type == CORM_DOUBLE ? real : (double)whole) /
              (double)(count == 0 ? 1 : count) / pow(10, c->scale);
    assert_rows(ask_number(db, c, b->table, CORM_SUM, &found), count > 0, &error);
    if (count > 0 && (c->type == CORM_DECIMAL ? strcmp(found.text, text) != 0
                      : real != 0             ? found.real != real
                                              : found.whole != whole))
        fail_msg("the sum of %s is another: %s", c->name,
                 c->type == CORM_DECIMAL ? found.text : "");
    assert_rows(ask_number(db, c, b->table, CORM_AVG, &found), count > 0, &error);
    if (count > 0 && fabs(found.real - average) > 1e-9 * (fabs(average) + 1))
        fail_msg("the average of %s is %.17g, not %.17g", c->name, found.real, average);
}

static void check_distinct(struct corm_db *db, const struct batch *b, const struct corm_column *c)
{
    struct corm_query query = query_of(corm_everything());
    int64_t           wanted = 0;

    for (size_t i = 0; i < b->count; i++) {
        bool known = is_null(c, row_of(b, i));
        for (size_t j = 0; j < i; j++)
            known = known || is_equal(c, row_of(b, i), row_of(b, j));
        wanted += !known;
    }
    int64_t n = corm_count_distinct_(corm_on_db_(db), b->table, c, &query);
    if (n != wanted)
        fail_msg("%lld different values of %s, not %lld: %s", (long long)n, c->name,
                 (long long)wanted, error.message);
}

static void sums_and_ends_of_every_type_are_those_of_c(void **state)
{
    const struct corm_table *tables[] = {every.corm_table, maybe.corm_table};
    struct corm_db          *db = begin();

    (void)state;
    new_table(db, every);
    new_table(db, maybe);
    seed = 77;
    for (int round = 0; round < 20; round++) {
        struct batch b = modest_batch(tables[round % 2]);
        store(db, &b);
        for (uint32_t n = 1; n < b.table->column_count; n++) {
            const struct corm_column *c = &b.table->columns[n];
            bool adds = corm__is_integer(c) || c->type == CORM_BOOL || c->type == CORM_FLOAT ||
                        c->type == CORM_DOUBLE || c->type == CORM_DECIMAL;
            if (has_order(c))
                check_ends(db, &b, c);
            if (adds)
                check_sum(db, &b, c);
            check_distinct(db, &b, c);
        }
        corm_arena_reset(arena);
    }
    end(db);
}

/* What does not fit is an error, never another number. */
static void sums_and_ends_that_do_not_fit_are_errors(void **state)
{
    struct corm_db *db = begin();
    struct every    rows[11] = {{0}};
    int64_t         whole = 7;
    const char     *text = NULL;

    (void)state;
    new_table(db, every);
    for (int i = 0; i < (int)COUNT(rows); i++)
        rows[i] = (struct every){.id = i,
                                 .u64 = is_mariadb() ? UINT64_MAX : INT64_MAX,
                                 .i64 = INT64_MIN,
                                 .money = "99999999999999.9999",
                                 .count = "999999999",
                                 .part = "0.999999",
                                 .code = "",
                                 .name = "",
                                 .body = "",
                                 .kind = "new",
                                 .extra = "1",
                                 .bytes = {"", 0},
                                 .stamp = 1000000};
    assert_rows(corm_insert_rows(db, every, COUNT(rows), rows, .error = &error), COUNT(rows),
                &error);
    assert_code(corm_sum(db, every, every.u64, &whole, .error = &error), CORM_OUT_OF_RANGE, &error);
    assert_code(corm_sum(db, every, every.i64, &whole, .error = &error), CORM_OUT_OF_RANGE, &error);
    int rc = corm_max(db, every, every.u64, &whole, .error = &error);
    if (is_mariadb())
        assert_code(rc, CORM_OUT_OF_RANGE, &error);
    assert_int_equal(whole, is_mariadb() ? 7 : INT64_MAX);
    rc = corm_sum(db, every, every.money, &text, .arena = arena, .error = &error);
    if (is_mariadb()) {
        assert_rows(rc, 1, &error);
        assert_string_equal(text, "1099999999999999.9989");
    } else {
        assert_code(rc, CORM_OUT_OF_RANGE, &error);
    }
    assert_rows(corm_sum(db, every, every.part, &text, .arena = arena, .error = &error), 1, &error);
    assert_string_equal(text, "10.999989");
    assert_code(corm_sum(db, every, every.part, &text, .error = &error), CORM_MISUSE, &error);
    end(db);
}

/* A result with a column of every class. */
#define SUMMARY(X)                                                                                 \
    X(kind, enum("new", "paid", "it's", "\\", "4", "\xC3\xA4 \xF0\x9F\x8E\x9F"))                   \
    X(rows, bigint)                                                                                \
    X(money, decimal(22, 4))                                                                       \
    X(mean, double)                                                                                \
    X(dearest, decimal(18, 4))                                                                     \
    X(single, float)                                                                               \
    X(singles, double)                                                                             \
    X(u64, unsigned(bigint))                                                                       \
    X(key, uuid)                                                                                   \
    X(bytes, blob)                                                                                 \
    X(code, char(10))                                                                              \
    X(day, date)                                                                                   \
    X(hour, time)                                                                                  \
    X(stamp, timestamp)
CORM_MODEL(summary, SUMMARY);
CORM_DEFINE(summary, SUMMARY);

/* The least (or, with -1, the greatest) row of a kind, by a column. */
static const struct every *end_of(const struct batch *b, const char *kind,
                                  const struct corm_column *c, int sign)
{
    const struct every *best = NULL;

    for (size_t i = 0; i < b->count; i++) {
        const struct every *row = row_of(b, i);
        if (strcmp(row->kind, kind) == 0 && (best == NULL || sign * order_of(c, row, best) < 0))
            best = row;
    }
    return best;
}

static void check_summary(const struct batch *b, const struct summary *s)
{
    int64_t money = 0, rows = 0;
    double  singles = 0;
    char    text[CORM__DECIMAL_SIZE];

    for (size_t i = 0; i < b->count; i++) {
        const struct every *row = row_of(b, i);
        if (strcmp(row->kind, s->kind) != 0)
            continue;
        rows++;
        money += scaled(row->money);
        singles += (double)row->single;
    }
    corm__decimal_of_scaled(money, 4, text);
    assert_int_equal(s->rows, rows);
    assert_string_equal(s->money, text);
    assert_true(fabs(s->mean - (double)money / 1e4 / (double)rows) <= 1e-9 * (fabs(s->mean) + 1));
    assert_true(s->singles == singles);
#define END(name, sign) end_of(b, s->kind, every.name.column, sign)
    assert_string_equal(s->dearest, END(money, -1)->money);
    assert_true(s->single == END(single, 1)->single);
    assert_true(s->u64 == END(u64, -1)->u64);
    assert_memory_equal(&s->key, &END(key, 1)->key, 16);
    assert_int_equal(s->bytes.size, END(bytes, -1)->bytes.size);
    assert_memory_equal(s->bytes.data, END(bytes, -1)->bytes.data, s->bytes.size);
    assert_string_equal(s->code, END(code, 1)->code);
    assert_true(s->day == END(day, 1)->day && s->hour == END(hour, 1)->hour);
    assert_true(s->stamp == END(stamp, -1)->stamp);
#undef END
}

#define SUMMED                                                                                     \
    corm_columns(corm_as(summary.kind, every.kind), corm_as_count(summary.rows),                   \
                 corm_as_sum(summary.money, every.money), corm_as_avg(summary.mean, every.money),  \
                 corm_as_max(summary.dearest, every.money),                                        \
                 corm_as_min(summary.single, every.single),                                        \
                 corm_as_sum(summary.singles, every.single), corm_as_max(summary.u64, every.u64),  \
                 corm_as_min(summary.key, every.key), corm_as_max(summary.bytes, every.bytes),     \
                 corm_as_min(summary.code, every.code), corm_as_min(summary.day, every.day),       \
                 corm_as_min(summary.hour, every.hour), corm_as_max(summary.stamp, every.stamp))

static void groups_of_every_type_are_those_of_c(void **state)
{
    struct corm_db *db = begin();
    struct summary *found = NULL;

    (void)state;
    new_table(db, every);
    seed = 99;
    for (int round = 0; round < 10; round++) {
        struct batch b = modest_batch(every.corm_table);
        int64_t      rows = 0;
        store(db, &b);
        int n = corm_select(db, summary, &found, every, SUMMED, .group = corm_by(every.kind),
                            .order = {corm_desc(summary.money)}, .arena = arena, .error = &error);
        assert_ok(n, &error);
        for (int i = 0; i < n; i++) {
            check_summary(&b, &found[i]);
            rows += found[i].rows;
            assert_true(i == 0 || scaled(found[i - 1].money) >= scaled(found[i].money));
        }
        assert_int_equal(rows, b.count);
        struct summary *some = NULL;
        int m = corm_select(db, summary, &some, every, SUMMED, .group = corm_by(every.kind),
                            .having = corm_and(corm_gt(summary.money, found[n / 2].money),
                                               corm_ge(summary.mean, -1e18)),
                            .arena = arena, .error = &error);
        int wanted = 0;
        for (int i = 0; i < n; i++)
            wanted += scaled(found[i].money) > scaled(found[n / 2].money);
        assert_rows(m, wanted, &error);
        corm_arena_reset(arena);
    }
    end(db);
}

/* In pages of 3, sorted by each column, every row comes once, and in that order. */
static void check_pages(struct corm_db *db, const struct batch *b, const struct corm_column *c,
                        bool desc)
{
    struct corm_query query = query_of(corm_everything());
    char             *all = NULL, *page = NULL, *last = NULL;
    size_t            seen = 0, size = b->table->row_size;
    int               n;

    query.order[0] = (struct corm_order){c, desc};
    query.order[1].column = b->table->columns;
    assert_rows(corm_all_(corm_on_db_(db), b->table, &all, &query), b->count, &error);
    query.order[1].column = NULL;
    query.limit = 3;
    do {
        query.after = corm_after_(b->table, last);
        n = corm_all_(corm_on_db_(db), b->table, &page, &query);
        assert_ok(n, &error);
        for (int i = 0; i < n; i++, seen++)
            if (seen >= b->count || memcmp(page + (size_t)i * size, all + seen * size, 4) != 0)
                fail_msg("page by %s: row %zu is another", c->name, seen);
        last = n > 0 ? page + (size_t)(n - 1) * size : NULL;
    } while (n == 3);
    assert_int_equal(seen, b->count);
}

static void pages_by_a_column_of_every_type(void **state)
{
    struct corm_db   *db = begin();
    struct corm_query query = query_of(corm_everything());
    char             *rows;

    (void)state;
    new_table(db, maybe);
    seed = 5;
    for (int round = 0; round < 4; round++) {
        struct batch b = modest_batch(maybe.corm_table);
        store(db, &b);
        for (uint32_t n = 1; n < b.table->column_count; n++) {
            const struct corm_column *c = &b.table->columns[n];
            if (has_order(c)) {
                check_pages(db, &b, c, false);
                check_pages(db, &b, c, true);
                continue;
            }
            query.order[0].column = c;
            query.after = corm_after_(b.table, row_of(&b, 0));
            assert_code(corm_all_(corm_on_db_(db), b.table, &rows, &query), CORM_MISUSE, &error);
        }
        corm_arena_reset(arena);
    }
    end(db);
}

/* Values inside a json column, as inside a text. */
static void values_in_a_json_column_are_found(void **state)
{
    struct corm_db *db = begin();
    int64_t         sum = 0;
    const char     *text = NULL;

    (void)state;
    new_table(db, maybe);
    for (int i = 0; i < 3; i++)
        assert_rows(corm_insert_row(db, maybe,
                                    &((struct maybe){.id = i,
                                                     .extra = i == 0   ? NULL
                                                              : i == 1 ? "{\"a\": 5, \"b\": \"x\"}"
                                                                       : "{\"a\": 7, \"b\": 1.5}"}),
                                    .error = &error),
                    1, &error);
    assert_int_equal(corm_count(db, maybe, .where = corm_ge(corm_json_int(maybe.extra, "$.a"), 6)),
                     1);
    assert_int_equal(
        corm_count(db, maybe, .where = corm_eq(corm_json_real(maybe.extra, "$.b"), 1.5)), 1);
    assert_rows(corm_sum(db, maybe, corm_json_int(maybe.extra, "$.a"), &sum, .error = &error), 1,
                &error);
    assert_int_equal(sum, 12);
    assert_rows(corm_max(db, maybe, corm_json_text(maybe.extra, "$.b"), &text, .arena = arena,
                         .error = &error),
                1, &error);
    assert_string_equal(text, "x");
    end(db);
}

/* ---- What a type cannot hold, on its way in ------------------------------------- */

/* Exactly the ends pass, and by corm_add() too: what is beyond is an error of the server. */
#define ENDS(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(i8, tinyint)                                                                                 \
    X(u8, unsigned(tinyint))                                                                       \
    X(i16, smallint)                                                                               \
    X(u16, unsigned(smallint))                                                                     \
    X(i32, int)                                                                                    \
    X(u32, unsigned(int))                                                                          \
    X(i64, bigint)                                                                                 \
    X(u64, unsigned(bigint))                                                                       \
    X(money, decimal(6, 2))                                                                        \
    X(twice, double)
CORM_MODEL(ends, ENDS);
CORM_DEFINE(ends, ENDS);

static void check_add(struct corm_db *db, struct corm_assign first, struct corm_assign add)
{
    int rc;

    assert_rows(corm_update(db, ends, corm_eq(ends.id, 1), first, .error = &error), 1, &error);
    rc = corm_update(db, ends, corm_eq(ends.id, 1), add, .error = &error);
    if (rc != CORM_OUT_OF_RANGE)
        fail_msg("%s: a sum beyond the range is %d: %s", first.column->name, rc, error.message);
}

static void a_sum_beyond_the_range_is_an_error(void **state)
{
    struct corm_db *db = begin();
    struct ends     row = {.id = 1, .money = "0"}, found;
    uint64_t        most = is_mariadb() ? UINT64_MAX : INT64_MAX;

    (void)state;
    new_table(db, ends);
    assert_rows(corm_insert_row(db, ends, &row, .error = &error), 1, &error);
    check_add(db, corm_set(ends.i8, 127), corm_add(ends.i8, 1));
    check_add(db, corm_set(ends.i8, -128), corm_add(ends.i8, -1));
    check_add(db, corm_set(ends.u8, 255), corm_add(ends.u8, 1));
    check_add(db, corm_set(ends.u8, 0), corm_add(ends.u8, -1));
    check_add(db, corm_set(ends.i16, 32767), corm_add(ends.i16, 1));
    check_add(db, corm_set(ends.u16, 65535), corm_add(ends.u16, 1));
    check_add(db, corm_set(ends.u16, 5), corm_add(ends.u16, -6));
    check_add(db, corm_set(ends.i32, INT32_MIN), corm_add(ends.i32, -1));
    check_add(db, corm_set(ends.u32, UINT32_MAX), corm_add(ends.u32, 1));
    check_add(db, corm_set(ends.u32, 0), corm_add(ends.u32, -1));
    check_add(db, corm_set(ends.i64, INT64_MAX), corm_add(ends.i64, 1));
    check_add(db, corm_set(ends.u64, most), corm_add(ends.u64, 1));
    check_add(db, corm_set(ends.u64, 0), corm_add(ends.u64, -1));
    check_add(db, corm_set(ends.money, "9999.99"), corm_add(ends.money, "0.01"));
    check_add(db, corm_set(ends.money, "-9999.99"), corm_add(ends.money, "-0.01"));
    check_add(db, corm_set(ends.twice, DBL_MAX), corm_add(ends.twice, DBL_MAX));
    /* and what is inside is exact */
    assert_rows(corm_update(db, ends, corm_eq(ends.id, 1), corm_set(ends.money, "0.10"),
                            corm_set(ends.u64, 5), corm_set(ends.u8, 255), .error = &error),
                1, &error);
    assert_rows(corm_update(db, ends, corm_eq(ends.id, 1), corm_add(ends.money, "-0.37"),
                            corm_add(ends.u64, -5), corm_add(ends.u8, -255), .error = &error),
                1, &error);
    assert_rows(corm_first(db, ends, &found, .arena = arena, .error = &error), 1, &error);
    assert_string_equal(found.money, "-0.27");
    assert_true(found.u64 == 0);
    assert_int_equal(found.u8, 0);
    end(db);
}

/* Numbers are compared as what they are: a decimal not as a double, an unsigned number not as a
 * signed one, a float as a float. */
static void comparisons_are_exact(void **state)
{
    struct corm_db *db = begin();
    struct every   *rows = NULL;
    struct every    row = {.money = "99999999999999.0001",
                           .count = "1",
                           .part = "0",
                           .code = "",
                           .name = "",
                           .body = "",
                           .kind = "new",
                           .extra = "1",
                           .bytes = {"", 0},
                           .single = 0.1F,
                           .u64 = INT64_MAX,
                           .i64 = -1,
                           .u8 = 200,
                           .stamp = 1000000};

    (void)state;
    new_table(db, every);
    for (row.id = 1; row.id <= 2; row.id++) {
        assert_rows(corm_insert_row(db, every, &row, .error = &error), 1, &error);
        row.money = "99999999999999.0002"; /* the same double */
    }
    assert_int_equal(corm_count(db, every, .where = corm_eq(every.money, "99999999999999.0001")),
                     1);
    assert_int_equal(corm_count(db, every, .where = corm_gt(every.money, "99999999999999.0001")),
                     1);
    assert_int_equal(corm_count(db, every, .where = corm_eq(every.money, "099999999999999.00010")),
                     1);
    assert_int_equal(
        corm_count(db, every, .where = corm_lt(every.money, INT64_C(100000000000000) - 1)), 0);
    assert_int_equal(
        corm_count(db, every, .where = corm_in(every.money, "1", "99999999999999.0002")), 1);
    assert_int_equal(corm_count(db, every, .where = corm_eq(every.single, 0.1F)), 2);
    assert_int_equal(corm_count(db, every, .where = corm_gt(every.single, 0.1F)), 0);
    assert_int_equal(corm_count(db, every, .where = corm_gt(every.u64, -1)), 2);
    assert_int_equal(corm_count(db, every, .where = corm_gt(every.u8, -1)), 2);
    assert_int_equal(corm_count(db, every, .where = corm_gt(every.u8, every.i64)), 2);
    assert_int_equal(corm_count(db, every, .where = corm_eq(every.u8, 200u)), 2);
    const uint8_t lists[] = {1, 200};
    assert_int_equal(corm_count(db, every, .where = corm_in_list(every.u8, lists, 2)), 2);
    const struct corm_uuid uuids[] = {{{0}}, {{1}}};
    assert_int_equal(corm_count(db, every, .where = corm_in_list(every.key, uuids, 2)), 2);
    const struct corm_blob blobs[] = {{"", 0}, {"\0", 1}};
    assert_int_equal(corm_count(db, every, .where = corm_in_list(every.bytes, blobs, 2)), 2);
    assert_rows(corm_all(db, every, &rows, .order = {corm_desc(every.money)}, .arena = arena,
                         .error = &error),
                2, &error);
    assert_int_equal(rows[0].id, 2);
    end(db);
}

/* Dates, times and decimals of the same column sort as they do in C. */
static void values_sort_as_in_c(void **state)
{
    static const char *const numbers[] = {"-9.00", "-10.50", "0.00", "100.00", "9.00", "-0.01"};
    struct corm_db          *db = begin();
    struct maybe            *rows = NULL;

    (void)state;
    new_table(db, maybe);
    for (int i = 0; i < (int)COUNT(numbers); i++) {
        struct maybe row = {.id = i,
                            .money = numbers[i],
                            .hour = {true, INT64_C(3600000000) * (i % 2 ? -160 * i : 30 * i)},
                            .day = {true, INT64_C(86400000000) * (i % 2 ? -1000 * i : 1000 * i)},
                            .bytes = {i % 2 ? "\x80" : "\x7F\xFF", i % 2 ? 1 : 2}};
        assert_rows(corm_insert_row(db, maybe, &row, .error = &error), 1, &error);
    }
    assert_rows(corm_all(db, maybe, &rows, .order = {corm_asc(maybe.money)}, .arena = arena,
                         .error = &error),
                6, &error);
    for (int i = 1; i < 6; i++)
        assert_true(strtod(rows[i - 1].money, NULL) < strtod(rows[i].money, NULL));
    assert_rows(corm_all(db, maybe, &rows, .order = {corm_asc(maybe.hour)}, .arena = arena,
                         .error = &error),
                6, &error);
    for (int i = 1; i < 6; i++)
        assert_true(rows[i - 1].hour.value < rows[i].hour.value);
    assert_rows(
        corm_all(db, maybe, &rows, .order = {corm_asc(maybe.day)}, .arena = arena, .error = &error),
        6, &error);
    for (int i = 1; i < 6; i++)
        assert_true(rows[i - 1].day.value < rows[i].day.value);
    assert_int_equal(corm_count(db, maybe, .where = corm_lt(maybe.hour, INT64_C(-1))), 3);
    assert_int_equal(
        corm_count(db, maybe, .where = corm_gt(maybe.bytes, corm_bytes("\x7F\xFF", 2))), 3);
    end(db);
}

/* UUIDs have the server's own order, the same when they are compared and when they are sorted, and that
 * of the bytes from version 6 on. */
static void uuids_sort_as_they_compare(void **state)
{
    struct corm_db *db = begin();
    struct maybe   *rows = NULL;

    (void)state;
    new_table(db, maybe);
    seed = 7;
    for (int i = 0; i < 40; i++) {
        struct maybe row = {.id = i};
        put_random(maybe.key.column, &row);
        row.key.value.bytes[8] = (uint8_t)(0x81 + random_below(0x3F));
        row.key.value.bytes[6] = (uint8_t)((i < 20 ? 0x70 : 0x40) | random_below(16));
        row.i8.has = i < 20;
        assert_rows(corm_insert_row(db, maybe, &row, .error = &error), 1, &error);
    }
    assert_rows(
        corm_all(db, maybe, &rows, .order = {corm_asc(maybe.key)}, .arena = arena, .error = &error),
        40, &error);
    for (int i = 0; i < 40; i++)
        assert_int_equal(corm_count(db, maybe, .where = corm_lt(maybe.key, rows[i].key.value)), i);
    assert_rows(corm_all(db, maybe, &rows, .where = corm_not_null(maybe.i8),
                         .order = {corm_asc(maybe.key)}, .arena = arena, .error = &error),
                20, &error);
    for (int i = 1; i < 20; i++)
        assert_true(memcmp(&rows[i - 1].key.value, &rows[i].key.value, 16) < 0);
    end(db);
}

/* ---- What a model cannot take, on its way out ------------------------------------ */

/* The table "foreign" has a column v of another type than the model says. */
#define OF_TINYINT(X)   X(id, int) X(v, tinyint)
#define OF_UTINYINT(X)  X(id, int) X(v, unsigned(tinyint))
#define OF_SMALLINT(X)  X(id, int) X(v, smallint)
#define OF_INT(X)       X(id, int) X(v, int)
#define OF_UINT(X)      X(id, int) X(v, unsigned(int))
#define OF_BIGINT(X)    X(id, int) X(v, bigint)
#define OF_UBIGINT(X)   X(id, int) X(v, unsigned(bigint))
#define OF_BOOL(X)      X(id, int) X(v, bool)
#define OF_FLOAT(X)     X(id, int) X(v, float)
#define OF_DOUBLE(X)    X(id, int) X(v, double)
#define OF_DECIMAL(X)   X(id, int) X(v, decimal(6, 2))
#define OF_CHAR(X)      X(id, int) X(v, char(3))
#define OF_VARCHAR(X)   X(id, int) X(v, varchar(3))
#define OF_TEXT(X)      X(id, int) X(v, text)
#define OF_ENUM(X)      X(id, int) X(v, enum("new", "paid"))
#define OF_BLOB(X)      X(id, int) X(v, blob)
#define OF_UUID(X)      X(id, int) X(v, uuid)
#define OF_DATE(X)      X(id, int) X(v, date)
#define OF_TIME(X)      X(id, int) X(v, time)
#define OF_DATETIME(X)  X(id, int) X(v, datetime)
#define OF_TIMESTAMP(X) X(id, int) X(v, timestamp)
#define FOREIGN(name, LIST)                                                                        \
    CORM_MODEL_AS(name, "foreign", LIST);                                                          \
    CORM_DEFINE(name, LIST)
FOREIGN(of_tinyint, OF_TINYINT);
FOREIGN(of_utinyint, OF_UTINYINT);
FOREIGN(of_smallint, OF_SMALLINT);
FOREIGN(of_int, OF_INT);
FOREIGN(of_uint, OF_UINT);
FOREIGN(of_bigint, OF_BIGINT);
FOREIGN(of_ubigint, OF_UBIGINT);
FOREIGN(of_bool, OF_BOOL);
FOREIGN(of_float, OF_FLOAT);
FOREIGN(of_double, OF_DOUBLE);
FOREIGN(of_decimal, OF_DECIMAL);
FOREIGN(of_char, OF_CHAR);
FOREIGN(of_varchar, OF_VARCHAR);
FOREIGN(of_text, OF_TEXT);
FOREIGN(of_enum, OF_ENUM);
FOREIGN(of_blob, OF_BLOB);
FOREIGN(of_uuid, OF_UUID);
FOREIGN(of_date, OF_DATE);
FOREIGN(of_time, OF_TIME);
FOREIGN(of_datetime, OF_DATETIME);
FOREIGN(of_timestamp, OF_TIMESTAMP);

struct misfit {
    const struct corm_table *const *table;
    const char                     *type;    /* of v in the database */
    const char                     *literal; /* its value, in SQL */
    const char                     *says;    /* NULL: it fits */
};

static void check_misfit(struct corm_db *db, const struct misfit *m)
{
    struct corm_query query = query_of(corm_everything());
    char              row[64], before[64];
    int               rc;

    beside("DROP TABLE IF EXISTS `foreign`");
    beside("CREATE TABLE `foreign` (id INT, v %s NULL)", m->type);
    beside("INSERT INTO `foreign` VALUES (1, %s)", m->literal);
    memset(row, 0x5A, sizeof(row));
    memcpy(before, row, sizeof(row));
    error = (struct corm_error){0};
    rc = corm_first_(corm_on_db_(db), *m->table, row, &query);
    if (m->says == NULL) {
        if (rc != 1)
            fail_msg("%s in a %s is not read: %s", m->literal, m->type, error.message);
        return;
    }
    if (rc != CORM_BAD_VALUE || strstr(error.message, m->says) == NULL ||
        strstr(error.message, "column v") == NULL)
        fail_msg("%s in a %s is %d: %s", m->literal, m->type, rc, error.message);
    assert_memory_equal(row, before, sizeof(row));
}

static void what_a_model_cannot_take_is_an_error_when_it_is_read(void **state)
{
    static const struct misfit mariadb[] = {
        {&of_tinyint.corm_table, "SMALLINT", "128", "outside its range"},
        {&of_tinyint.corm_table, "SMALLINT", "-129", "outside its range"},
        {&of_tinyint.corm_table, "BIGINT", "-128", NULL},
        {&of_tinyint.corm_table, "TINYINT UNSIGNED", "255", "outside its range"},
        {&of_utinyint.corm_table, "TINYINT", "-1", "outside its range"},
        {&of_utinyint.corm_table, "BIGINT UNSIGNED", "256", "outside its range"},
        {&of_smallint.corm_table, "INT", "32768", "outside its range"},
        {&of_int.corm_table, "INT UNSIGNED", "2147483648", "outside its range"},
        {&of_int.corm_table, "BIGINT UNSIGNED", "18446744073709551615", "column v"},
        {&of_int.corm_table, "DOUBLE", "1.5", "column v"},
        {&of_int.corm_table, "DECIMAL(5,2)", "1.50", "column v"},
        {&of_int.corm_table, "VARCHAR(9)", "'12x'", "column v"},
        {&of_uint.corm_table, "INT", "-1", "outside its range"},
        {&of_uint.corm_table, "BIGINT", "4294967296", "outside its range"},
        {&of_bigint.corm_table, "BIGINT UNSIGNED", "9223372036854775808", "column v"},
        {&of_bigint.corm_table, "BIGINT UNSIGNED", "9223372036854775807", NULL},
        {&of_bigint.corm_table, "DECIMAL(30,0)", "9223372036854775808", "column v"},
        {&of_ubigint.corm_table, "BIGINT", "-1", "column v"},
        {&of_ubigint.corm_table, "INT", "-1", "column v"},
        {&of_ubigint.corm_table, "INT", "7", NULL},
        {&of_bool.corm_table, "INT", "2", "outside its range"},
        {&of_float.corm_table, "DOUBLE", "0.1", "more digits than a float"},
        {&of_float.corm_table, "DOUBLE", "1e300", "more digits than a float"},
        {&of_float.corm_table, "DOUBLE", "0.5", NULL},
        {&of_decimal.corm_table, "DECIMAL(10,4)", "1.0001", "more digits"},
        {&of_decimal.corm_table, "DECIMAL(10,4)", "1.0100", NULL},
        {&of_decimal.corm_table, "DECIMAL(10,2)", "12345.00", "more digits"},
        {&of_decimal.corm_table, "VARCHAR(9)", "'1e3'", "not an exact number"},
        {&of_char.corm_table, "VARCHAR(9)", "'abcd'", "more characters"},
        {&of_varchar.corm_table, "TEXT", "'abcd'", "more characters"},
        {&of_varchar.corm_table, "TEXT", "'abc'", NULL},
        {&of_text.corm_table, "BLOB", "x'FF'", "not UTF-8"},
        {&of_text.corm_table, "BLOB", "x'6100'", "a NUL"},
        {&of_enum.corm_table, "VARCHAR(9)", "'gone'", "not in its list"},
        {&of_enum.corm_table, "ENUM('paid','new','x')", "'x'", "not in its list"},
        {&of_enum.corm_table, "ENUM('paid','new','x')", "'new'", NULL},
        {&of_uuid.corm_table, "BINARY(16)", "x'00112233445566778899aabbccddeeff'", NULL},
        {&of_uuid.corm_table, "CHAR(36)", "'00112233-4455-6677-8899-aabbccddeeff'", NULL},
        {&of_uuid.corm_table, "VARBINARY(16)", "x'0011'", "not a UUID"},
        {&of_date.corm_table, "DATE", "'0000-00-00'", "the zero date 0000-00-00"},
        {&of_date.corm_table, "DATE", "'2026-00-01'", "not a date"},
        {&of_date.corm_table, "DATETIME", "'2026-01-01 09:05:00'", "not a date"},
        {&of_time.corm_table, "VARCHAR(20)", "'839:00:00'", "not a time"},
        {&of_time.corm_table, "TIME", "'-838:59:59'", NULL},
        {&of_datetime.corm_table, "DATETIME", "'0000-00-00 00:00:00'", "the zero date"},
        {&of_datetime.corm_table, "DATE", "'2026-01-01'", "not a date and time"},
        {&of_timestamp.corm_table, "DATETIME", "'2039-01-01 00:00:00'", "outside its range"},
        {&of_timestamp.corm_table, "TIMESTAMP", "0", "the zero date"},
        {&of_bigint.corm_table, "BIGINT", "NULL", "NULL"},
        {&of_blob.corm_table, "BLOB", "NULL", "NULL"},
        {&of_uuid.corm_table, "BINARY(16)", "NULL", "NULL"},
    };
    static const struct misfit sqlite[] = {
        {&of_tinyint.corm_table, "INTEGER", "128", "outside its range"},
        {&of_utinyint.corm_table, "INTEGER", "-1", "outside its range"},
        {&of_utinyint.corm_table, "INTEGER", "256", "outside its range"},
        {&of_smallint.corm_table, "INTEGER", "-32769", "outside its range"},
        {&of_uint.corm_table, "INTEGER", "4294967296", "outside its range"},
        {&of_uint.corm_table, "INTEGER", "4294967295", NULL},
        {&of_ubigint.corm_table, "INTEGER", "-1", "outside its range"},
        {&of_int.corm_table, "REAL", "1.5", "not a whole number"},
        {&of_bigint.corm_table, "BLOB", "9223372036854775808", "not a whole number"},
        {&of_float.corm_table, "REAL", "0.1", "more digits than a float"},
        {&of_float.corm_table, "REAL", "16777217", "more digits than a float"},
        {&of_float.corm_table, "REAL", "9e999", "not finite"},
        {&of_double.corm_table, "REAL", "-9e999", "not finite"},
        {&of_double.corm_table, "BLOB", "9007199254740993", "too many digits"},
        {&of_decimal.corm_table, "INTEGER", "1000000", "more digits"},
        {&of_decimal.corm_table, "INTEGER", "-999999", NULL},
        {&of_decimal.corm_table, "TEXT", "'12.505'", "more digits"},
        {&of_decimal.corm_table, "TEXT", "'12.50'", NULL},
        {&of_decimal.corm_table, "REAL", "12.5", "not an exact number"},
        {&of_char.corm_table, "TEXT", "'abcd'", "more characters"},
        {&of_varchar.corm_table, "TEXT", "'abcd'", "more characters"},
        {&of_text.corm_table, "TEXT", "CAST(x'FF' AS TEXT)", "not UTF-8"},
        {&of_text.corm_table, "TEXT", "CAST(x'6100' AS TEXT)", "a NUL"},
        {&of_text.corm_table, "BLOB", "x'61'", "not text"},
        {&of_enum.corm_table, "TEXT", "'gone'", "not in its list"},
        {&of_blob.corm_table, "INTEGER", "1", "not a blob"},
        {&of_uuid.corm_table, "BLOB", "x'0011'", "not a UUID"},
        {&of_uuid.corm_table, "TEXT", "'00112233-4455-6677-8899-AABBCCDDEEFF'", NULL},
        {&of_uuid.corm_table, "TEXT", "'00112233-4455-6677-8899-aabbccddeefg'", "not a UUID"},
        {&of_date.corm_table, "TEXT", "'2026-02-29'", "not a date"},
        {&of_date.corm_table, "TEXT", "'0000-00-00'", "the zero date 0000-00-00"},
        {&of_date.corm_table, "TEXT", "'2026-01-31 00:00:00'", "not a date"},
        {&of_time.corm_table, "INTEGER", "3020400000000", "outside its range"},
        {&of_time.corm_table, "TEXT", "'-00:00:01'", NULL},
        {&of_datetime.corm_table, "TEXT", "'2026-01-31'", "not a date and time"},
        {&of_timestamp.corm_table, "TEXT", "'1970-01-01 00:00:00'", "outside its range"},
        {&of_blob.corm_table, "BLOB", "NULL", "NULL"},
    };
    struct corm_db *db = begin();

    (void)state;
    for (size_t i = 0; is_mariadb() && i < COUNT(mariadb); i++)
        check_misfit(db, &mariadb[i]);
    for (size_t i = 0; !is_mariadb() && i < COUNT(sqlite); i++)
        check_misfit(db, &sqlite[i]);
    end(db);
}

/* ---- The table of a model ---------------------------------------------------------- */

#define CLIENT(X)                                                                                  \
    X(id, unsigned(bigint), .pk = 1, .autoinc = 1)                                                 \
    X(name, varchar(20), .unique = 1)
CORM_MODEL(client, CLIENT);
CORM_DEFINE(client, CLIENT);

#define VISIT(X)                                                                                   \
    X(place, uuid, .pk = 1)                                                                        \
    X(day, date, .pk = 1)                                                                          \
    X(client_id, unsigned(bigint), .references = CORM_COLUMN_OF(client, id),                       \
      .on_delete = CORM_CASCADE)                                                                   \
    X(guide_id, nullable(unsigned(bigint)), .references = CORM_COLUMN_OF(client, id),              \
      .on_delete = CORM_SET_NULL)                                                                  \
    X(people, unsigned(tinyint), .check = "people <= 12", .deflt = "2")                            \
    X(price, decimal(8, 2), .deflt = "0")                                                          \
    X(rank, int, .index = 1, .deflt = "0")                                                         \
    X(twice, int, .generated = "people * 2")                                                       \
    X(thrice, nullable(int), .generated = "people * 3", .stored = 1)
CORM_MODEL(visit, VISIT);
CORM_DEFINE(visit, VISIT, CORM_INDEX(visit, by_day, day, rank),
            CORM_UNIQUE(visit, one_a_day, client_id, day));

static struct corm_db *begin_visits(int64_t clients[2])
{
    struct corm_db *db = begin();

    assert_ok(corm_drop_table(db, visit, .if_exists = true, .error = &error), &error);
    new_table(db, client);
    new_table(db, visit);
    assert_rows(corm_insert_row(db, client, &(struct client){.name = "a"}, .id = &clients[0],
                                .error = &error),
                1, &error);
    assert_rows(corm_insert_row(db, client, &(struct client){.name = "b"}, .id = &clients[1],
                                .error = &error),
                1, &error);
    return db;
}

static int visit_of(struct corm_db *db, uint8_t place, int64_t day, int64_t client_id,
                    uint8_t people)
{
    struct visit v = {.place = {{place}},
                      .day = day * INT64_C(86400000000),
                      .client_id = (uint64_t)client_id,
                      .people = people,
                      .price = "12.5",
                      .twice = -1, /* never written */
                      .guide_id = {true, (uint64_t)client_id}};

    return corm_insert_row(db, visit, &v, .error = &error);
}

static void a_table_keeps_what_its_model_says(void **state)
{
    int64_t         clients[2];
    struct corm_db *db = begin_visits(clients);
    struct visit    found;

    (void)state;
    assert_rows(visit_of(db, 1, 1, clients[0], 3), 1, &error);
    assert_code(visit_of(db, 1, 1, clients[1], 3), CORM_DUPLICATE, &error); /* the key of two */
    assert_code(visit_of(db, 2, 1, clients[0], 3), CORM_DUPLICATE, &error); /* one_a_day */
    assert_rows(visit_of(db, 1, 2, clients[0], 12), 1, &error);
    assert_code(visit_of(db, 3, 3, clients[0], 13), CORM_CHECK_FAILED, &error);
    assert_says(&error, "people");
    assert_code(visit_of(db, 3, 3, 999, 1), CORM_FOREIGN_KEY, &error);
    assert_rows(
        corm_first(db, visit, &found,
                   .where = corm_and(corm_eq(visit.place, found.place = (struct corm_uuid){{1}}),
                                     corm_eq(visit.day, INT64_C(86400000000) * 2)),
                   .arena = arena, .error = &error),
        1, &error);
    assert_int_equal(found.twice, 24);
    assert_true(found.thrice.has);
    assert_int_equal(found.thrice.value, 36);
    assert_string_equal(found.price, "12.50");
    assert_int_equal(corm_count(db, visit, .where = corm_eq(visit.twice, 24)), 1);

    /* Defaults, for what a set list leaves out. */
    assert_rows(corm_insert(db, visit, corm_set(visit.place, found.place), corm_set(visit.day, 0),
                            corm_set(visit.client_id, (uint64_t)clients[1]), .error = &error),
                1, &error);
    assert_rows(corm_first(db, visit, &found, .where = corm_eq(visit.day, 0), .arena = arena,
                           .error = &error),
                1, &error);
    assert_int_equal(found.people, 2);
    assert_string_equal(found.price, "0.00");

    /* A generated column is read only. */
    assert_code(
        corm_update(db, visit, corm_everything(), corm_set(visit.twice, 1), .error = &error),
        CORM_MISUSE, &error);
    assert_says(&error, "never written");
    assert_code(
        corm_update(db, visit, corm_everything(), corm_add(visit.twice, 1), .error = &error),
        CORM_MISUSE, &error);
    assert_code(corm_insert(db, visit, corm_set(visit.thrice, 1), .error = &error), CORM_MISUSE,
                &error);

    /* Children go with their parent, or are left without it. */
    assert_rows(corm_update(db, visit, corm_eq(visit.day, 0),
                            corm_set(visit.guide_id, (uint64_t)clients[0]), .error = &error),
                1, &error);
    assert_rows(corm_delete(db, client, corm_eq(client.id, (uint64_t)clients[0]), .error = &error),
                1, &error);
    assert_rows(corm_first(db, visit, &found, .arena = arena, .error = &error), 1, &error);
    assert_int_equal(corm_count(db, visit), 1);
    assert_true(found.client_id == (uint64_t)clients[1]);
    assert_false(found.guide_id.has);
    end(db);
}

/* A row is known by its key of two, a uuid and a date, however the condition is put: while it is held
 * its update needs no trip. */
static void a_row_is_held_by_a_key_of_any_types(void **state)
{
    const struct corm_uuid place = {{9}};
    int64_t                clients[2];
    struct corm_db        *db = begin_visits(clients);
    struct corm_trx       *trx;
    struct visit           found;

    (void)state;
    assert_rows(visit_of(db, 9, 4, clients[0], 1), 1, &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_first(trx, visit, &found,
                           .where = corm_and(corm_eq(visit.place, place),
                                             corm_eq(visit.day, INT64_C(345600000000))),
                           .lock = CORM_FOR_UPDATE, .error = &error),
                1, &error);
    uint64_t trips = stats_of(db).statements;
    assert_rows(
        corm_update(trx, visit,
                    corm_and(corm_eq(visit.day, 345600000000u), corm_eq(visit.place, place)),
                    corm_set(visit.price, "0.05"), .error = &error),
        1, &error);
    assert_int_equal(stats_of(db).statements, trips);
    assert_ok(corm_commit(trx), corm_trx_error(trx));
    corm_end(trx);
    assert_int_equal(corm_count(db, visit, .where = corm_eq(visit.price, "0.05")), 1);
    end(db);
}

/* Values for SQL of one's own. */
static void uuids_and_blobs_are_values_of_any_sql(void **state)
{
    const struct corm_uuid uuid = {{1, 2, 3}};
    struct corm_db        *db = begin();
    struct maybe           row = {.id = 1, .key = {true, uuid}, .bytes = {"a\0b", 3}}, found;
    struct corm_rows       rows;

    (void)state;
    new_table(db, maybe);
    assert_rows(corm_insert_row(db, maybe, &row, .error = &error), 1, &error);
    assert_rows(corm_sql(db, &rows, "SELECT bytes FROM maybe WHERE `key` = ? AND bytes = ?",
                         corm_vals(uuid, corm_bytes("a\0b", 3)), .arena = arena, .error = &error),
                1, &error);
    assert_int_equal(rows.values[0].kind, CORM_V_BLOB);
    assert_int_equal(rows.values[0].size, 3);
    assert_rows(corm_first(db, maybe, &found, .where = corm_eq(maybe.key, uuid), .arena = arena,
                           .error = &error),
                1, &error);
    end(db);
}

static void a_table_has_its_indexes(void **state)
{
    int64_t         clients[2];
    struct corm_db *db = begin_visits(clients);

    (void)state;
    if (is_mariadb()) {
        assert_int_equal(number_beside("SELECT COUNT(*) FROM information_schema.statistics WHERE "
                                       "table_schema = DATABASE() AND table_name = 'visit' AND "
                                       "index_name = 'by_day' AND non_unique = 1"),
                         2);
        assert_int_equal(number_beside("SELECT COUNT(*) FROM information_schema.statistics WHERE "
                                       "table_schema = DATABASE() AND table_name = 'visit' AND "
                                       "index_name = 'one_a_day' AND non_unique = 0"),
                         2);
        assert_int_equal(number_beside("SELECT COUNT(*) FROM information_schema.statistics WHERE "
                                       "table_schema = DATABASE() AND table_name = 'visit' AND "
                                       "column_name = 'rank'"),
                         2);
    } else {
        assert_int_equal(number_beside("SELECT COUNT(*) FROM pragma_index_info('visit_by_day')"),
                         2);
        assert_int_equal(number_beside("SELECT COUNT(*) FROM pragma_index_info('visit_rank')"), 1);
    }
    /* Once more is an error, or nothing; and nothing is left of one that fails. */
    assert_code(corm_create_table(db, visit, .error = &error), CORM_TABLE_EXISTS, &error);
    assert_rows(corm_create_table(db, visit, .if_not_exists = true, .error = &error), 0, &error);
    end(db);
}

/* On SQLite the table and its indexes are one transaction. */
static void a_table_is_made_with_its_indexes_or_not_at_all(void **state)
{
    int64_t         clients[2];
    struct corm_db *db = begin_visits(clients);

    (void)state;
    assert_rows(corm_drop_table(db, visit, .error = &error), 0, &error);
    beside("CREATE INDEX visit_rank ON client (name)"); /* in the way of the last one */
    int rc = corm_create_table(db, visit, .error = &error);
    assert_true(rc < 0 && error.code == rc);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'visit%%' "
                                   "AND tbl_name = 'visit'"),
                     0);
    beside("DROP INDEX visit_rank");
    assert_rows(corm_create_table(db, visit, .error = &error), 0, &error);
    end(db);
}

static void sqlite_says_what_it_cannot_hold(void **state)
{
    struct corm_db *db = begin();

    (void)state;
    assert_code(corm_create_table(db, huge, .error = &error), CORM_UNSUPPORTED, &error);
    assert_says(&error, "decimal(65, 38)");
    new_table(db, ends);
    assert_code(corm_insert(db, ends, corm_set(ends.u64, (uint64_t)INT64_MAX + 1), .error = &error),
                CORM_OUT_OF_RANGE, &error);
    assert_says(&error, "SQLite");
    end(db);
}

/* The checks of SQLite are the second line, behind corm's own: they hold what others write. */
static void sqlite_checks_what_others_write(void **state)
{
    static const char *const bad[] = {"i8 = 128",
                                      "u8 = -1",
                                      "u8 = 256",
                                      "i16 = 32768",
                                      "u16 = 65536",
                                      "u32 = 4294967296",
                                      "u64 = -1",
                                      "yes = 2",
                                      "single = 3.5e38",
                                      "money = 1000000000000000000",
                                      "code = '12345678901'",
                                      "name = '123456789012345678901'",
                                      "kind = 'gone'",
                                      "key = x'00'",
                                      "hour = 3020400000000",
                                      "stamp = '1970-01-01 00:00:00.000000'"};
    struct corm_db          *db = begin();
    struct every             row = {.money = "0",
                                    .count = "0",
                                    .part = "0",
                                    .code = "",
                                    .name = "",
                                    .body = "",
                                    .kind = "new",
                                    .extra = "1",
                                    .bytes = {"", 0},
                                    .stamp = 1000000};

    (void)state;
    new_table(db, every);
    assert_rows(corm_insert_row(db, every, &row, .error = &error), 1, &error);
    for (size_t i = 0; i < COUNT(bad); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "UPDATE every SET %s", bad[i]);
        int rc = corm_sql(db, NULL, text, .error = &error);
        if (rc != CORM_OUT_OF_RANGE && rc != CORM_TOO_LONG && rc != CORM_BAD_VALUE)
            fail_msg("%s: %d: %s", text, rc, error.message);
    }
    end(db);
}

/* ---- Servers with settings of their own ---------------------------------------------- */

/* The session is in UTC whatever the server's zone is: an hour that a change of the clock leaves out,
 * or has twice, comes back as it went in, and others read it in UTC. */
static void times_are_in_utc_wherever_the_server_is(void **state)
{
    static const char *const zones[] = {"+05:30", "-11:00", "SYSTEM"};

    (void)state;
    for (size_t i = 0; i < COUNT(zones); i++) {
        beside("SET GLOBAL time_zone = '%s'", zones[i]);
        struct corm_db *db = begin();
        struct maybe    row = {.id = 1,
                               .stamp = {true, utc("2026-03-29 02:30:00.000001")},
                               .at = {true, utc("2026-03-29 02:30:00.000001")}},
                     found;
        new_table(db, maybe);
        assert_rows(corm_insert_row(db, maybe, &row, .error = &error), 1, &error);
        assert_rows(corm_first(db, maybe, &found, .arena = arena, .error = &error), 1, &error);
        assert_true(found.stamp.value == row.stamp.value && found.at.value == row.at.value);
        assert_int_equal(number_beside("SELECT UNIX_TIMESTAMP(stamp) * 1000000 = 1774751400000001 "
                                       "FROM maybe"),
                         1);
        end(db);
    }
    beside("SET GLOBAL time_zone = 'SYSTEM'");
}

/* MariaDB would let a timestamp follow the clock by itself where the server is set to that. */
static void a_timestamp_changes_only_when_it_is_written(void **state)
{
    (void)state;
    beside("SET GLOBAL explicit_defaults_for_timestamp = 0");
    struct corm_db *db = begin();
    struct every    row = {.id = 1,
                           .money = "0",
                           .count = "0",
                           .part = "0",
                           .code = "",
                           .name = "",
                           .body = "",
                           .kind = "new",
                           .extra = "1",
                           .bytes = {"", 0},
                           .stamp = 1000000},
                 found;
    new_table(db, every);
    assert_rows(corm_insert_row(db, every, &row, .error = &error), 1, &error);
    assert_rows(corm_update(db, every, corm_everything(), corm_set(every.i8, 1), .error = &error),
                1, &error);
    assert_rows(corm_first(db, every, &found, .arena = arena, .error = &error), 1, &error);
    assert_true(found.stamp == 1000000);
    assert_code(corm_insert(db, every, corm_set(every.id, 2), .error = &error), CORM_NULL_REFUSED,
                &error);
    end(db);
    beside("SET GLOBAL explicit_defaults_for_timestamp = 1");
}

/* A uuid finds its row in a UUID and in a BINARY(16), by its key. */
static void a_uuid_is_found_in_either_type(void **state)
{
    static const char *const types[] = {"UUID", "BINARY(16)"};
    struct corm_uuid         one, other;
    char                     text[CORM_UUID_SIZE];
    struct corm_db          *db = begin();

    (void)state;
    assert_true(corm_uuid_parse("0198F2C4-7e6b-7a51-9d3c-5b1f0e8a2d47", 36, &one));
    corm_uuid_format(&one, text);
    assert_string_equal(text, "0198f2c4-7e6b-7a51-9d3c-5b1f0e8a2d47");
    other = one;
    other.bytes[15] = 0x48;
    for (size_t i = 0; i < COUNT(types); i++) {
        struct of_uuid found;
        beside("DROP TABLE IF EXISTS `foreign`");
        beside("CREATE TABLE `foreign` (id INT, v %s NOT NULL PRIMARY KEY)", types[i]);
        assert_rows(corm_insert_row(db, of_uuid, &(struct of_uuid){1, one}, .error = &error), 1,
                    &error);
        assert_rows(corm_insert_row(db, of_uuid, &(struct of_uuid){2, other}, .error = &error), 1,
                    &error);
        assert_code(corm_insert_row(db, of_uuid, &(struct of_uuid){3, one}, .error = &error),
                    CORM_DUPLICATE, &error);
        assert_rows(
            corm_first(db, of_uuid, &found, .where = corm_eq(of_uuid.v, other), .error = &error), 1,
            &error);
        assert_int_equal(found.id, 2);
        assert_memory_equal(&found.v, &other, sizeof(other));
    }
    end(db);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest both[] = {
        cmocka_unit_test(extremes_of_every_type_come_back_bit_for_bit),
        cmocka_unit_test(values_at_random_come_back_bit_for_bit),
        cmocka_unit_test(many_rows_of_every_type_come_back_bit_for_bit),
        cmocka_unit_test(sums_and_ends_of_every_type_are_those_of_c),
        cmocka_unit_test(sums_and_ends_that_do_not_fit_are_errors),
        cmocka_unit_test(groups_of_every_type_are_those_of_c),
        cmocka_unit_test(pages_by_a_column_of_every_type),
        cmocka_unit_test(values_in_a_json_column_are_found),
        cmocka_unit_test(a_sum_beyond_the_range_is_an_error),
        cmocka_unit_test(comparisons_are_exact),
        cmocka_unit_test(values_sort_as_in_c),
        cmocka_unit_test(uuids_sort_as_they_compare),
        cmocka_unit_test(what_a_model_cannot_take_is_an_error_when_it_is_read),
        cmocka_unit_test(a_table_keeps_what_its_model_says),
        cmocka_unit_test(a_row_is_held_by_a_key_of_any_types),
        cmocka_unit_test(uuids_and_blobs_are_values_of_any_sql),
        cmocka_unit_test(a_table_has_its_indexes),
    };
    static const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(a_table_is_made_with_its_indexes_or_not_at_all),
        cmocka_unit_test(sqlite_says_what_it_cannot_hold),
        cmocka_unit_test(sqlite_checks_what_others_write),
    };
    static const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(decimals_of_65_digits_come_back_digit_for_digit),
        cmocka_unit_test(times_are_in_utc_wherever_the_server_is),
        cmocka_unit_test(a_timestamp_changes_only_when_it_is_written),
        cmocka_unit_test(a_uuid_is_found_in_either_type),
    };

    support_begin(argc, argv);
    int failed = run_group(both, COUNT(both), sqlite, COUNT(sqlite), mariadb, COUNT(mariadb));
    support_end();
    return failed;
}
