/* statement_test.c -- rows and conditions: what goes in comes out, what is asked for is found.
 *
 * The same list of behaviours on SQLite and on MariaDB. Conditions and orders are compared with
 * what this file computes itself, in C, over the same rows. */
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Models ----------------------------------------------------------------- */

/* Each type, and each again as nullable. */
#define THING(X)                                                                                   \
    X(id, bigint, .pk = 1, .autoinc = 1)                                                           \
    X(number, int)                                                                                 \
    X(large, bigint)                                                                               \
    X(yes, bool)                                                                                   \
    X(ratio, double)                                                                               \
    X(name, varchar(40))                                                                           \
    X(body, text)                                                                                  \
    X(at, datetime)                                                                                \
    X(n_number, nullable(int))                                                                     \
    X(n_large, nullable(bigint))                                                                   \
    X(n_yes, nullable(bool))                                                                       \
    X(n_ratio, nullable(double))                                                                   \
    X(n_name, nullable(varchar(40)))                                                               \
    X(n_body, nullable(text))                                                                      \
    X(n_at, nullable(datetime))
CORM_MODEL(thing, THING);
CORM_DEFINE(thing, THING);

/* Without text: needs no arena. */
#define MEASURE(X)                                                                                 \
    X(id, int, .pk = 1)                                                                            \
    X(whole, bigint)                                                                               \
    X(ratio, double)                                                                               \
    X(at, datetime)
CORM_MODEL(measure, MEASURE);
CORM_DEFINE(measure, MEASURE);

/* Names that have to be quoted, everywhere that a name can stand. */
#define ORDER(X)                                                                                   \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(group, int)                                                                                  \
    X(spaced, int, .sql_name = "two  words")                                                       \
    X(quoted, varchar(20), .sql_name = "it's \"so\" `called`")                                     \
    X(asked, nullable(int), .sql_name = "where = ? -- ;")
CORM_MODEL(order, ORDER);
CORM_DEFINE(order, ORDER);

#define LINE(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(select, int, .unique = 1)
CORM_MODEL_AS(line, "the \"order\" `line`s?", LINE);
CORM_DEFINE(line, LINE);

#define TAG(X)                                                                                     \
    X(name, varchar(20), .pk = 1)                                                                  \
    X(weight, int)
CORM_MODEL(tag, TAG);
CORM_DEFINE(tag, TAG);

#define SEAT(X)                                                                                    \
    X(block, varchar(10), .pk = 1)                                                                 \
    X(holder, nullable(varchar(20)))                                                               \
    X(number, int, .pk = 1)
CORM_MODEL(seat, SEAT);
CORM_DEFINE(seat, SEAT);

#define COUPON(X)                                                                                  \
    X(id, bigint, .pk = 1, .autoinc = 1)                                                           \
    X(code, varchar(20), .unique = 1)                                                              \
    X(uses, int, .deflt = "7")                                                                     \
    X(factor, double, .deflt = "1.5")                                                              \
    X(open, bool, .deflt = "1")                                                                    \
    X(note, varchar(20), .deflt = "'it''s none'")                                                  \
    X(since, datetime, .deflt = "'2020-02-29 12:00:00.000001'")                                    \
    X(left, nullable(int))                                                                         \
    X(limited, nullable(int), .deflt = "3")
CORM_MODEL(coupon, COUPON);
CORM_DEFINE(coupon, COUPON);

#define TICKET(X) X(id, int, .pk = 1, .autoinc = 1)
CORM_MODEL(ticket, TICKET);
CORM_DEFINE(ticket, TICKET);

/* Forty columns and a key. */
/* clang-format off */
#define WIDE(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(a0, int) X(a1, int) X(a2, int) X(a3, int) X(a4, int)                                         \
    X(a5, int) X(a6, int) X(a7, int) X(a8, int) X(a9, int)                                         \
    X(b0, int) X(b1, int) X(b2, int) X(b3, int) X(b4, int)                                         \
    X(b5, int) X(b6, int) X(b7, int) X(b8, int) X(b9, int)                                         \
    X(c0, int) X(c1, int) X(c2, int) X(c3, int) X(c4, int)                                         \
    X(c5, int) X(c6, int) X(c7, int) X(c8, int) X(c9, int)                                         \
    X(d0, int) X(d1, int) X(d2, int) X(d3, int) X(d4, int)                                         \
    X(d5, int) X(d6, int) X(d7, int) X(d8, int) X(d9, int)
/* clang-format on */
CORM_MODEL(wide, WIDE);
CORM_DEFINE(wide, WIDE);

/* What conditions are tried on. */
#define ENTRY(X)                                                                                   \
    X(id, int, .pk = 1)                                                                            \
    X(number, int)                                                                                 \
    X(other, nullable(int))                                                                        \
    X(large, bigint)                                                                               \
    X(ratio, double)                                                                               \
    X(maybe, nullable(double))                                                                     \
    X(name, varchar(30))                                                                           \
    X(note, nullable(varchar(30)))                                                                 \
    X(yes, bool)                                                                                   \
    X(at, datetime)                                                                                \
    X(until, nullable(datetime))
CORM_MODEL(entry, ENTRY);
CORM_DEFINE(entry, ENTRY);

/* ---- Helpers ---------------------------------------------------------------- */

/* xorshift: the same numbers in each run. */
static uint64_t random_bits(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int below(uint64_t *state, int n)
{
    return (int)(random_bits(state) % (uint64_t)n);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_real(double a, double b)
{
    uint64_t x, y;

    memcpy(&x, &a, sizeof(x));
    memcpy(&y, &b, sizeof(y));
    return x == y;
}

/* Neither server keeps the sign of a zero. */
static double stored(double real)
{
    return real == 0 ? 0.0 : real;
}

/* ---- Round trips ------------------------------------------------------------ */

#define FACES "\xF0\x9F\x98\x80\xF0\x9D\x84\x9E\xF4\x8F\xBF\xBF\xF0\x90\x80\x80" /* 4 characters */
#define LONGEST                                                                                    \
    FACES FACES FACES FACES FACES FACES FACES FACES FACES FACES /* 40, the most of varchar(40) */

static const int64_t year_1 = -62135596800000000, year_9999 = 253402300799999999;

static char huge[100 * 1024 + 1]; /* 100 KiB of text, made by main() */

struct sample {
    int32_t     number;
    int64_t     large;
    bool        yes;
    double      real;
    const char *name, *body;
    int64_t     at;
};

static const struct sample samples[] = {
    {0, 0, false, 0.0, "", "", 0},
    {1, 1, true, 1.0, "a", "b", 1},
    {-1, -1, true, -1.0, " ", "  ", -1},
    {INT32_MIN, INT64_MIN, false, -DBL_MAX, "'", "''\"\"``", year_1},
    {INT32_MAX, INT64_MAX, true, DBL_MAX, "\\", "\\\\n\\0\\'", year_9999},
    {2, INT64_C(1) << 53, false, -0.0, "two  spaces ", " \t\r\n\v\f\x01\x1F\x7F ", -1000000},
    {3, (INT64_C(1) << 53) + 1, true, 4.9406564584124654e-324, "NULL", "NULL", 951826154123456},
    {4, 10000000000, false, -2.2250738585072009e-308, "0", "?", -62135596800000000 + 999999},
    {5, -10000000000, true, 2.2250738585072014e-308, "%_!", "50!% ?1 :x @y $1 {0} %s", 999999},
    {6, 6, true, 0.1, FACES, FACES " \xC3\xA9 e\xCC\x81 \xEF\xBB\xBF", 1700000000000000},
    {7, 7, true, 1.0 / 3, LONGEST, "/* x */ -- y\n# z\n; DROP TABLE thing", 4102444800500000},
    {8, 8, true, 9007199254740993.0, "\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBD", "\xC2\xA0", 10},
    {9, 9, false, 1.7976931348623155e308, "\n", "line\r\nline\n", -30610224000000000},
    {10, 10, true, 123456789.12345678, "true", huge, 100000},
    {11, 11, false, 1e22, "1e22", "\xEF\xBF\xBF", 68169600000000},
};

enum { SAMPLES = COUNT(samples), THINGS = 2 * SAMPLES };

/* Each sample once with its values in the nullable columns too, and once with NULL there. */
static struct thing thing_of(size_t i)
{
    const struct sample *s = &samples[i / 2];
    struct thing         t = {.number = s->number,
                              .large = s->large,
                              .yes = s->yes,
                              .ratio = s->real,
                              .name = s->name,
                              .body = s->body,
                              .at = s->at};

    if (i % 2 == 0) {
        t.n_number = (struct corm_opt_int){true, s->number};
        t.n_large = (struct corm_opt_bigint){true, s->large};
        t.n_yes = (struct corm_opt_bool){true, s->yes};
        t.n_ratio = (struct corm_opt_double){true, s->real};
        t.n_name = s->name;
        t.n_body = s->body;
        t.n_at = (struct corm_opt_bigint){true, s->at};
    }
    return t;
}

static const char *difference(const struct thing *a, const struct thing *b)
{
    if (a->number != b->number || a->large != b->large || a->yes != b->yes)
        return "an integer";
    if (!same_real(a->ratio, stored(b->ratio)))
        return "the double";
    if (!same_text(a->name, b->name) || !same_text(a->body, b->body))
        return "a text";
    if (a->at != b->at)
        return "the datetime";
    if (a->n_number.has != b->n_number.has || a->n_number.value != b->n_number.value ||
        a->n_large.has != b->n_large.has || a->n_large.value != b->n_large.value ||
        a->n_yes.has != b->n_yes.has || a->n_yes.value != b->n_yes.value)
        return "a nullable integer";
    if (a->n_ratio.has != b->n_ratio.has || !same_real(a->n_ratio.value, stored(b->n_ratio.value)))
        return "the nullable double";
    if (!same_text(a->n_name, b->n_name) || !same_text(a->n_body, b->n_body))
        return "a nullable text";
    if (a->n_at.has != b->n_at.has || a->n_at.value != b->n_at.value)
        return "the nullable datetime";
    return NULL;
}

static void check_thing(const struct thing *found, size_t i)
{
    const struct thing wanted = thing_of(i);
    const char        *what = difference(found, &wanted);

    if (what != NULL)
        fail_msg("%s of sample %zu is not what was written", what, i);
}

/* All samples are there, in order: as one array, and each by its key. */
static void check_things(struct corm_db *db)
{
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct thing      *rows, one;

    assert_rows(
        corm_all(db, thing, &rows, .order = {corm_asc(thing.id)}, .arena = arena, .error = &error),
        THINGS, &error);
    for (size_t i = 0; i < THINGS; i++)
        check_thing(&rows[i], i);
    for (size_t i = THINGS; i-- > 0;) { /* short after long text, in the same buffers */
        assert_rows(corm_first(db, thing, &one, .where = corm_eq(thing.id, rows[i].id),
                               .arena = arena, .error = &error),
                    1, &error);
        check_thing(&one, i);
    }
    corm_arena_free(arena);
}

#define NULLABLE(column, field)                                                                    \
    (t.field.has ? corm_set(column, t.field.value) : corm_set_null(column))
#define NULLABLE_TEXT(column, field)                                                               \
    (t.field != NULL ? corm_set(column, t.field) : corm_set_null(column))
#define EVERY_COLUMN_OF_T                                                                          \
    corm_set(thing.number, t.number), corm_set(thing.large, t.large), corm_set(thing.yes, t.yes),  \
        corm_set(thing.ratio, t.ratio), corm_set(thing.name, t.name),                              \
        corm_set(thing.body, t.body), corm_set(thing.at, t.at),                                    \
        NULLABLE(thing.n_number, n_number), NULLABLE(thing.n_large, n_large),                      \
        NULLABLE(thing.n_yes, n_yes), NULLABLE(thing.n_ratio, n_ratio),                            \
        NULLABLE_TEXT(thing.n_name, n_name), NULLABLE_TEXT(thing.n_body, n_body),                  \
        NULLABLE(thing.n_at, n_at)

/* Every row is first something else, and then what it is to be: by its own struct. */
static void rows_are_updated_to_what_is_in_them(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};

    (void)state;
    new_table(db, thing);
    for (size_t i = 0; i < THINGS; i++) {
        struct thing other = thing_of(THINGS - 1 - i);
        assert_rows(corm_insert_row(db, thing, &other, .error = &error), 1, &error);
    }
    for (size_t i = 0; i < THINGS; i++) {
        struct thing t = thing_of(i);
        t.id = (int64_t)i + 1;
        assert_rows(corm_update_row(db, thing, &t, .error = &error), 1, &error);
        assert_rows(corm_update_row(db, thing, &t, .error = &error), 1, &error);
    }
    check_things(db);
    corm_close(db);
}

static void rows_come_back_as_they_went_in(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};

    (void)state;
    new_table(db, thing);
    for (size_t i = 0; i < THINGS; i++) {
        const struct thing t = thing_of(i);
        assert_rows(corm_insert_row(db, thing, &t, .error = &error), 1, &error);
    }
    check_things(db);
    corm_close(db);
}

static void set_lists_come_back_as_they_went_in(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};

    (void)state;
    new_table(db, thing);
    for (size_t i = 0; i < THINGS; i++) {
        const struct thing t = thing_of(i);
        assert_rows(corm_insert(db, thing, EVERY_COLUMN_OF_T, .error = &error), 1, &error);
    }
    check_things(db);
    corm_close(db);
}

static void arrays_of_rows_come_back_as_they_went_in(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct thing      rows[THINGS];

    (void)state;
    new_table(db, thing);
    for (size_t i = 0; i < THINGS; i++)
        rows[i] = thing_of(i);
    assert_rows(corm_insert_rows(db, thing, THINGS, rows, .error = &error), THINGS, &error);
    check_things(db);
    corm_close(db);
}

static void buffered_rows_come_back_as_they_went_in(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct corm_trx  *trx;

    (void)state;
    new_table(db, thing);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    for (size_t i = 0; i < THINGS; i++) {
        const struct thing t = thing_of(i); /* need not live longer than the call */
        if (i % 2 == 0)
            assert_rows(corm_insert_row(trx, thing, &t, .error = &error), 1, &error);
        else
            assert_rows(corm_insert(trx, thing, EVERY_COLUMN_OF_T, .error = &error), 1, &error);
    }
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    check_things(db);
    corm_close(db);
}

/* The text of a buffered write is copied: the caller's may go. */
static void buffered_text_need_not_outlive_the_call(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_trx   *trx;
    struct corm_arena *arena = corm_arena_new();
    char               name[] = "first", weight[] = "second";
    struct tag         found;

    (void)state;
    new_table(db, tag);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_row(trx, tag, &((struct tag){name, 1}), .error = &error), 1, &error);
    assert_rows(corm_insert(trx, tag, corm_set(tag.name, weight), corm_set(tag.weight, 2)), 1,
                &error);
    assert_rows(corm_update(trx, tag, corm_eq(tag.name, name), corm_set(tag.weight, 3),
                            .later = true, .error = &error),
                0, &error);
    memset(name, 'x', sizeof(name) - 1);
    memset(weight, 'x', sizeof(weight) - 1);
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    assert_rows(corm_first(db, tag, &found, .where = corm_eq(tag.name, "first"), .arena = arena,
                           .error = &error),
                1, &error);
    assert_int_equal(found.weight, 3);
    assert_int_equal(corm_exists(db, tag, .where = corm_eq(tag.name, "second")), 1);
    corm_arena_free(arena);
    corm_close(db);
}

/* Rows that hold something else are changed to the samples, at once and buffered. */
static void updates_come_back_as_they_went_in(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct corm_trx   *trx;
    struct thing      *before;

    (void)state;
    new_table(db, thing);
    for (size_t i = 0; i < THINGS; i++) {
        const struct thing t = thing_of(THINGS - 1 - i);
        assert_rows(corm_insert_row(db, thing, &t, .error = &error), 1, &error);
    }
    assert_rows(corm_all(db, thing, &before, .order = {corm_asc(thing.id)}, .arena = arena), THINGS,
                &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    for (size_t i = 0; i < THINGS; i++) {
        const struct thing t = thing_of(i);
        if (i < SAMPLES)
            assert_rows(corm_update(db, thing, corm_eq(thing.id, before[i].id), EVERY_COLUMN_OF_T,
                                    .error = &error),
                        1, &error);
        else
            assert_rows(corm_update(trx, thing, corm_eq(thing.id, before[i].id), EVERY_COLUMN_OF_T,
                                    .later = true, .error = &error),
                        0, &error);
    }
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    corm_arena_free(arena);
    check_things(db);
    corm_close(db);
}

/* Doubles of any bits, whole numbers of any bits, and microseconds of any year. */
static void random_numbers_come_back_bit_for_bit(void **state)
{
    enum { N = 1000 };
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    uint64_t           bits = 20260131;
    struct measure    *in = malloc(N * sizeof(*in)), *out;

    (void)state;
    assert_non_null(in);
    new_table(db, measure);
    for (int i = 0; i < N; i++) {
        in[i] = (struct measure){.id = i, .whole = (int64_t)random_bits(&bits)};
        do {
            uint64_t any = random_bits(&bits);
            memcpy(&in[i].ratio, &any, sizeof(any));
        } while (!isfinite(in[i].ratio));
        in[i].at = year_1 + (int64_t)(random_bits(&bits) % (uint64_t)(year_9999 - year_1 + 1));
    }
    assert_rows(corm_insert_rows(db, measure, N, in, .error = &error), N, &error);
    assert_rows(corm_all(db, measure, &out, .order = {corm_asc(measure.id)}, .arena = arena), N,
                &error);
    for (int i = 0; i < N; i++)
        if (out[i].whole != in[i].whole || !same_real(out[i].ratio, in[i].ratio) ||
            out[i].at != in[i].at)
            fail_msg("%lld %a %lld came back as %lld %a %lld", (long long)in[i].whole, in[i].ratio,
                     (long long)in[i].at, (long long)out[i].whole, out[i].ratio,
                     (long long)out[i].at);
    free(in);
    corm_arena_free(arena);
    corm_close(db);
}

/* ---- Names and keys --------------------------------------------------------- */

static void names_that_need_quotes_work_everywhere(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct corm_trx   *trx;
    struct order       found;
    struct line        row = {1, 2}, line_found;

    (void)state;
    new_table(db, order);
    new_table(db, line);
    assert_rows(corm_insert_row(
                    db, order,
                    &((struct order){.group = 1, .spaced = 2, .quoted = "q", .asked = {true, 3}}),
                    .error = &error),
                1, &error);
    assert_rows(corm_insert(db, order, corm_set(order.group, 4), corm_set(order.spaced, 5),
                            corm_set(order.quoted, "r"), .error = &error),
                1, &error);
    assert_rows(corm_update(db, order,
                            corm_and(corm_eq(order.group, 4), corm_eq(order.spaced, 5),
                                     corm_eq(order.quoted, "r"), corm_is_null(order.asked)),
                            corm_set(order.asked, 6), corm_add(order.spaced, 10), .error = &error),
                1, &error);
    assert_rows(corm_first(db, order, &found, .where = corm_gt(order.asked, order.group),
                           .order = {corm_desc(order.spaced), corm_asc(order.quoted)},
                           .arena = arena, .error = &error),
                1, &error);
    assert_int_equal(found.spaced, 15);
    assert_string_equal(found.quoted, "r");
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_row(trx, line, &row, .error = &error), 1, &error);
    assert_rows(corm_update(trx, order, corm_eq(order.quoted, "q"), corm_set(order.asked, 9),
                            .later = true, .error = &error),
                0, &error);
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    assert_int_equal(corm_count(db, order, .where = corm_eq(order.asked, 9)), 1);
    assert_rows(corm_first(db, line, &line_found, .error = &error), 1, &error);
    assert_int_equal(line_found.select, 2);
    assert_rows(corm_delete(db, order, corm_eq(order.quoted, "r"), .error = &error), 1, &error);
    assert_int_equal(corm_count(db, order), 1);
    corm_arena_free(arena);
    corm_close(db);
}

/* Upper and lower case, accents and spaces at the end make another text: in keys, in
 * comparisons. */
static void text_is_compared_byte_by_byte(void **state)
{
    static const char *const names[] = {"a", "A", "a ", " a", "\xC3\xA1", "a\xCC\x81", "", " "};
    struct corm_db          *db = open_db(NULL);
    struct corm_error        error = {0};
    struct corm_arena       *arena = corm_arena_new();
    struct tag               found;

    (void)state;
    new_table(db, tag);
    for (int i = 0; i < (int)COUNT(names); i++)
        assert_rows(corm_insert_row(db, tag, &((struct tag){names[i], i}), .error = &error), 1,
                    &error);
    for (int i = 0; i < (int)COUNT(names); i++) {
        assert_rows(corm_first(db, tag, &found, .where = corm_eq(tag.name, names[i]),
                               .arena = arena, .error = &error),
                    1, &error);
        assert_string_equal(found.name, names[i]);
        assert_int_equal(found.weight, i);
        assert_int_equal(corm_count(db, tag, .where = corm_eq(tag.name, names[i])), 1);
    }
    corm_arena_free(arena);
    corm_close(db);
}

static void a_key_of_two_columns_names_one_row(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct seat        found;

    (void)state;
    new_table(db, seat);
    for (int i = 0; i < 6; i++)
        assert_rows(corm_insert_row(db, seat,
                                    &((struct seat){.block = i < 3 ? "A" : "B", .number = i % 3}),
                                    .error = &error),
                    1, &error);
    assert_code(
        corm_insert_row(db, seat, &((struct seat){.block = "B", .number = 1}), .error = &error),
        CORM_DUPLICATE, &error);
    error = (struct corm_error){0};
    assert_rows(corm_update(db, seat, corm_and(corm_eq(seat.number, 1), corm_eq(seat.block, "B")),
                            corm_set(seat.holder, "me"), .error = &error),
                1, &error);
    assert_rows(corm_first(db, seat, &found, .where = corm_not_null(seat.holder), .arena = arena,
                           .error = &error),
                1, &error);
    assert_string_equal(found.block, "B");
    assert_int_equal(found.number, 1);
    assert_rows(corm_delete(db, seat, corm_and(corm_eq(seat.block, "B"), corm_eq(seat.number, 1)),
                            .error = &error),
                1, &error);
    assert_int_equal(corm_count(db, seat, .where = corm_eq(seat.block, "B")), 2);
    assert_int_equal(corm_count(db, seat), 5);
    corm_arena_free(arena);
    corm_close(db);
}

/* ---- Many rows -------------------------------------------------------------- */

static struct measure *measures(int n)
{
    struct measure *rows = malloc(((size_t)n + 1) * sizeof(*rows));

    assert_non_null(rows);
    for (int i = 0; i < n; i++)
        rows[i] = (struct measure){.id = i, .whole = INT64_C(1000) * i, .ratio = i / 8.0, .at = i};
    return rows;
}

static void check_measures(struct corm_db *db, int n)
{
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct measure    *rows;

    assert_rows(corm_all(db, measure, &rows, .order = {corm_asc(measure.id)}, .arena = arena,
                         .error = &error),
                n, &error);
    for (int i = 0; i < n; i++)
        if (rows[i].id != i || rows[i].whole != INT64_C(1000) * i || rows[i].ratio != i / 8.0)
            fail_msg("row %d of %d is not what was written", i, n);
    corm_arena_free(arena);
}

static void arrays_of_any_length_are_inserted_whole(void **state)
{
    static const int  lengths[] = {0, 1, 2, 999, 1000, 1001, 5000};
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct corm_trx  *trx;

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        int             n = lengths[i];
        struct measure *rows = measures(n);
        new_table(db, measure);
        assert_rows(corm_insert_rows(db, measure, (size_t)n, rows, .error = &error), n, &error);
        check_measures(db, n);
        assert_rows(corm_delete(db, measure, corm_everything(), .error = &error), n, &error);
        assert_ok(corm_begin(db, &trx, .error = &error), &error);
        assert_rows(corm_insert_rows(trx, measure, (size_t)n, rows, .error = &error), n, &error);
        assert_ok(corm_commit(trx), &error);
        corm_end(trx);
        check_measures(db, n);
        free(rows);
    }
    corm_close(db);
}

static void an_array_with_a_duplicate_leaves_nothing(void **state)
{
    static const int  bad[] = {1, 999, 1000, 1500, 2499};
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct corm_trx  *trx;

    (void)state;
    new_table(db, measure);
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct measure *rows = measures(2500);
        rows[bad[i]].id = 0;
        int at = __LINE__ + 1;
        assert_code(corm_insert_rows(db, measure, 2500, rows, .error = &error), CORM_DUPLICATE,
                    &error);
        assert_place(&error, at);
        assert_int_equal(corm_count(db, measure), 0);
        error = (struct corm_error){0};
        assert_ok(corm_begin(db, &trx, .error = &error), &error);
        assert_int_equal(corm_insert_rows(trx, measure, 2500, rows), CORM_DUPLICATE);
        assert_code(corm_commit(trx), CORM_DUPLICATE, &error);
        corm_end(trx);
        assert_int_equal(corm_count(db, measure), 0);
        error = (struct corm_error){0};
        free(rows);
    }
    corm_close(db);
}

/* Here corm itself refuses the row, when it has sent those of the chunks before. */
static void an_array_with_a_row_that_corm_refuses_leaves_nothing(void **state)
{
    enum { N = 2200 };
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct tag       *rows = malloc(N * sizeof(*rows));
    static char       names[N][24];

    (void)state;
    assert_non_null(rows);
    new_table(db, tag);
    for (int i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "tag %d", i);
        rows[i] = (struct tag){names[i], i};
    }
    rows[N - 1].name = "twenty characters plus";
    assert_code(corm_insert_rows(db, tag, N, rows, .error = &error), CORM_TOO_LONG, &error);
    assert_says(&error, "name");
    assert_int_equal(corm_count(db, tag), 0);
    rows[N - 1].name = NULL;
    error = (struct corm_error){0};
    assert_code(corm_insert_rows(db, tag, N, rows, .error = &error), CORM_NULL_REFUSED, &error);
    assert_int_equal(corm_count(db, tag), 0);
    free(rows);
    corm_close(db);
}

static void wide_rows_and_rows_of_a_key_alone_are_inserted_whole(void **state)
{
    enum { N = 1700 };
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct wide       *rows = calloc(N, sizeof(*rows)), *found;
    struct ticket      tickets[3] = {{0}};
    int64_t            id = 0;

    (void)state;
    assert_non_null(rows);
    new_table(db, wide);
    for (int i = 0; i < N; i++)
        rows[i] = (struct wide){.id = i, .a0 = i, .b5 = -i, .d9 = 2 * i};
    assert_rows(corm_insert_rows(db, wide, N, rows, .error = &error), N, &error);
    assert_rows(corm_all(db, wide, &found, .order = {corm_asc(wide.id)}, .arena = arena), N,
                &error);
    for (int i = 0; i < N; i++)
        assert_memory_equal(&found[i], &rows[i], sizeof(rows[i]));
    new_table(db, ticket);
    assert_rows(corm_insert_rows(db, ticket, 3, tickets, .error = &error), 3, &error);
    assert_rows(corm_insert_row(db, ticket, &tickets[0], .id = &id, .error = &error), 1, &error);
    assert_int_equal(corm_count(db, ticket), 4);
    assert_int_equal(corm_count(db, ticket, .where = corm_eq(ticket.id, id)), 1);
    free(rows);
    corm_arena_free(arena);
    corm_close(db);
}

/* More text than a server takes in one packet (16 MiB, as MariaDB comes). */
static void an_array_of_long_texts_is_inserted_whole(void **state)
{
    enum { N = 250 };
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct thing      rows[N];

    (void)state;
    new_table(db, thing);
    for (int i = 0; i < N; i++)
        rows[i] = (struct thing){.number = i, .name = "", .body = huge};
    assert_rows(corm_insert_rows(db, thing, N, rows, .error = &error), N, &error);
    assert_int_equal(number_beside("SELECT SUM(LENGTH(body)) / COUNT(*) FROM thing"),
                     number_beside("SELECT MAX(LENGTH(body)) FROM thing"));
    assert_rows(corm_count(db, thing, .where = corm_eq(thing.body, huge)), N, &error);
    rows[N - 1].name = huge; /* refused, when most are sent */
    assert_code(corm_insert_rows(db, thing, N, rows, .error = &error), CORM_TOO_LONG, &error);
    assert_rows(corm_count(db, thing), N, &error);
    corm_close(db);
}

/* ---- Defaults, generated keys, counts --------------------------------------- */

static void columns_that_are_not_listed_get_their_default(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct coupon      c;

    (void)state;
    new_table(db, coupon);
    assert_rows(corm_insert(db, coupon, corm_set(coupon.code, "x"), .error = &error), 1, &error);
    assert_rows(corm_first(db, coupon, &c, .arena = arena, .error = &error), 1, &error);
    assert_int_equal(c.uses, 7);
    assert_true(c.factor == 1.5 && c.open);
    assert_string_equal(c.note, "it's none");
    assert_true(c.since == INT64_C(1582977600000001));
    assert_false(c.left.has);
    assert_true(c.limited.has && c.limited.value == 3);
    /* Zero, nothing and NULL are values: they are sent. */
    assert_rows(corm_insert(db, coupon, corm_set(coupon.code, "y"), corm_set(coupon.uses, 0),
                            corm_set(coupon.note, ""), corm_set(coupon.open, false),
                            corm_set_null(coupon.limited), .error = &error),
                1, &error);
    assert_rows(corm_first(db, coupon, &c, .where = corm_eq(coupon.code, "y"), .arena = arena), 1,
                &error);
    assert_true(c.uses == 0 && !c.open && !c.limited.has && c.factor == 1.5);
    assert_string_equal(c.note, "");
    /* A row sends everything. */
    assert_rows(corm_insert_row(db, coupon, &((struct coupon){.code = "z", .note = ""})), 1,
                &error);
    assert_rows(corm_first(db, coupon, &c, .where = corm_eq(coupon.code, "z"), .arena = arena), 1,
                &error);
    assert_true(c.uses == 0 && c.factor == 0 && !c.open && !c.limited.has && c.since == 0);
    corm_arena_free(arena);
    corm_close(db);
}

static void check_coupon(struct corm_db *db, int64_t id, const char *code)
{
    assert_true(id > 0);
    assert_int_equal(
        corm_count(db, coupon,
                   .where = corm_and(corm_eq(coupon.id, id), corm_eq(coupon.code, code))),
        1);
}

static void generated_keys_are_told(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct corm_trx  *trx;
    int64_t           a = 0, b = 0, c = 0, d = 0, e = 0, f = 0;

    (void)state;
    new_table(db, coupon);
    assert_rows(corm_insert(db, coupon, corm_set(coupon.code, "a"), .id = &a, .error = &error), 1,
                &error);
    assert_rows(corm_insert_row(db, coupon, &((struct coupon){.code = "b", .note = ""}),
                                .id_later = &b, .error = &error),
                1, &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_row(trx, coupon, &((struct coupon){.code = "c", .note = ""}), .id = &c),
                1, &error);
    assert_true(c > 0); /* at once */
    assert_rows(corm_insert(trx, coupon, corm_set(coupon.code, "d"), .id_later = &d), 1, &error);
    assert_rows(corm_insert_row(trx, coupon, &((struct coupon){.code = "no", .note = ""})), 1,
                &error);
    assert_rows(
        corm_insert_row(trx, coupon, &((struct coupon){.code = "e", .note = ""}), .id_later = &e),
        1, &error);
    assert_ok(corm_commit(trx), &error);
    assert_ok(corm_start(trx), &error);
    assert_rows(corm_insert(trx, coupon, corm_set(coupon.code, "f"), .id_later = &f), 1, &error);
    assert_rows(corm_count(trx, coupon), 7, &error); /* sends what is buffered */
    assert_true(f > 0);
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    check_coupon(db, a, "a");
    check_coupon(db, b, "b");
    check_coupon(db, c, "c");
    check_coupon(db, d, "d");
    check_coupon(db, e, "e");
    check_coupon(db, f, "f");
    corm_close(db);
}

/* A key that the caller sets is the key, zero and negative ones too. */
static void a_generated_key_can_be_set(void **state)
{
    static const int64_t keys[] = {0, -5, 1000000000000};
    struct corm_db      *db = open_db(NULL);
    struct corm_error    error = {0};
    char                 code[2] = "A";
    int64_t              next = 0;

    (void)state;
    new_table(db, coupon);
    for (size_t i = 0; i < COUNT(keys); i++, code[0]++) {
        assert_rows(corm_insert(db, coupon, corm_set(coupon.id, keys[i]),
                                corm_set(coupon.code, code), .error = &error),
                    1, &error);
        assert_int_equal(
            corm_count(db, coupon,
                       .where = corm_and(corm_eq(coupon.id, keys[i]), corm_eq(coupon.code, code))),
            1);
    }
    assert_rows(corm_insert(db, coupon, corm_set(coupon.code, code), .id = &next), 1, &error);
    assert_true(next > keys[2]);
    corm_close(db);
}

static void updates_count_the_rows_that_match(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct corm_trx  *trx;
    struct measure   *rows = measures(10);

    (void)state;
    new_table(db, measure);
    assert_rows(corm_insert_rows(db, measure, 10, rows), 10, &error);
    for (int i = 0; i < 2; i++) /* the second time nothing changes */
        assert_rows(corm_update(db, measure, corm_eq(measure.id, 3), corm_set(measure.whole, 1),
                                .error = &error),
                    1, &error);
    assert_rows(corm_update(db, measure, corm_le(measure.id, 3), corm_set(measure.whole, 1)), 4,
                &error);
    assert_rows(corm_update(db, measure, corm_eq(measure.id, 99), corm_set(measure.whole, 1)), 0,
                &error);
    assert_rows(corm_update(db, measure, corm_everything(), corm_add(measure.whole, 0)), 10,
                &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_update(trx, measure, corm_le(measure.id, 3), corm_set(measure.whole, 1)), 4,
                &error);
    assert_rows(corm_delete(trx, measure, corm_gt(measure.id, 6)), 3, &error);
    assert_rows(corm_update(trx, measure, corm_everything(), corm_set(measure.whole, 1)), 7,
                &error);
    assert_rows(corm_delete(trx, measure, corm_gt(measure.id, 6)), 0, &error);
    assert_rows(corm_update(trx, measure, corm_eq(measure.id, 9), corm_set(measure.whole, 1)), 0,
                &error);
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    assert_rows(corm_delete(db, measure, corm_in(measure.id, 0, 1, 77)), 2, &error);
    assert_rows(corm_delete(db, measure, corm_everything()), 5, &error);
    assert_rows(corm_delete(db, measure, corm_everything()), 0, &error);
    free(rows);
    corm_close(db);
}

/* An assignment reads the row as it was, also where one in front of it sets what it reads. */
static void assignments_read_the_row_as_it_was(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct measure    row = {.id = 1, .whole = 40, .ratio = 2.5, .at = 7}, found;

    (void)state;
    new_table(db, measure);
    assert_rows(corm_insert_row(db, measure, &row, .error = &error), 1, &error);
    assert_rows(corm_update(db, measure, corm_eq(measure.id, 1), corm_set(measure.id, 2),
                            corm_set(measure.whole, measure.id), corm_add(measure.ratio, 1),
                            .error = &error),
                1, &error);
    assert_rows(corm_first(db, measure, &found, .error = &error), 1, &error);
    assert_int_equal(found.id, 2);
    assert_int_equal(found.whole, 1);
    assert_true(found.ratio == 3.5);
    corm_close(db);
}

/* ---- Conditions against C --------------------------------------------------- */

enum truth { NO, YES, UNKNOWN };

static const char *const words[] = {"",      "a",           "A",       "ab",
                                    "a ",    "b%c",         "50% off", "under_score",
                                    "bang!", "back\\slash", "it's",    "\xC3\xA9t\xC3\xA9",
                                    FACES,   "aaab"};
static const char *const patterns[] = {"",    "%",         "_",    "a%",   "%a",  "%b%",    "_b",
                                       "__",  "%!%%",      "%!_%", "%!!",  "A%",  "a_",     "%\\%",
                                       "%'%", "\xC3\xA9%", "____", "%a_b", "_%_", "%!% off"};
static const char *const pieces[] = {"", "a", "%", "_", "!", "\\", "'", "b", "\xC3\xA9", "% off"};

/* What a column of a row holds. */
static struct corm_value value_of(const struct corm_column *column, const struct entry *row)
{
    const void *field = (const char *)row + column->offset;

    if (column->type == CORM_VARCHAR)
        return corm_v_text_(*(const char *const *)field);
    if (!column->nullable) {
        switch (column->type) {
        case CORM_INT: return corm_v_int_(*(const int32_t *)field);
        case CORM_BOOL: return corm_v_int_(*(const bool *)field);
        case CORM_DOUBLE: return corm_v_real_(*(const double *)field);
        default: return corm_v_int_(*(const int64_t *)field);
        }
    }
    if (column->type == CORM_INT) {
        const struct corm_opt_int *n = field;
        return n->has ? corm_v_int_(n->value) : corm_v_null_();
    }
    if (column->type == CORM_DOUBLE) {
        const struct corm_opt_double *n = field;
        return n->has ? corm_v_real_(n->value) : corm_v_null_();
    }
    const struct corm_opt_bigint *n = field;
    return n->has ? corm_v_int_(n->value) : corm_v_null_();
}

/* <0, 0, >0; neither is NULL. */
static int compare(struct corm_value a, struct corm_value b)
{
    if (a.kind == CORM_V_TEXT)
        return strcmp(a.as.s, b.as.s);
    if (a.kind == CORM_V_REAL || b.kind == CORM_V_REAL) {
        double x = a.kind == CORM_V_REAL ? a.as.r : (double)a.as.i;
        double y = b.kind == CORM_V_REAL ? b.as.r : (double)b.as.i;
        return (x > y) - (x < y);
    }
    return (a.as.i > b.as.i) - (a.as.i < b.as.i);
}

static size_t character(const char *p)
{
    unsigned char c = (unsigned char)*p;

    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

static bool is_like(const char *text, const char *pattern)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '%')
        return is_like(text, pattern + 1) ||
               (*text != '\0' && is_like(text + character(text), pattern));
    if (*text == '\0')
        return false;
    if (*pattern == '_')
        return is_like(text + character(text), pattern + 1);
    if (*pattern == '!')
        pattern++;
    return *text == *pattern && is_like(text + 1, pattern + 1);
}

static bool matches(enum corm_op op, const char *text, const char *piece)
{
    size_t n = strlen(text), m = strlen(piece);

    switch (op) {
    case CORM_STARTS_WITH: return strncmp(text, piece, m) == 0;
    case CORM_ENDS_WITH: return m <= n && strcmp(text + n - m, piece) == 0;
    case CORM_CONTAINS: return strstr(text, piece) != NULL;
    default: return is_like(text, piece);
    }
}

static bool is_true(enum corm_op op, int compared)
{
    switch (op) {
    case CORM_EQ: return compared == 0;
    case CORM_NE: return compared != 0;
    case CORM_LT: return compared < 0;
    case CORM_LE: return compared <= 0;
    case CORM_GT: return compared > 0;
    default: return compared >= 0;
    }
}

static struct corm_value listed(const struct corm_expr *e, size_t i)
{
    switch (e->list_type) {
    case CORM_LIST_INT32: return corm_v_int_(((const int32_t *)e->list)[i]);
    case CORM_LIST_INT64: return corm_v_int_(((const int64_t *)e->list)[i]);
    case CORM_LIST_DOUBLE: return corm_v_real_(((const double *)e->list)[i]);
    default: return corm_v_text_(((const char *const *)e->list)[i]);
    }
}

static enum truth is_in(const struct corm_expr *e, struct corm_value left)
{
    const struct corm_value *v = e->list;

    for (size_t i = 0; e->op == CORM_IN ? v[i].kind != CORM_V_NONE : i < e->count; i++)
        if (compare(left, e->op == CORM_IN ? v[i] : listed(e, i)) == 0)
            return YES;
    return NO;
}

static enum truth truth_of(const struct corm_expr *e, const struct entry *row);

static enum truth joined(const struct corm_expr *e, const struct entry *row)
{
    enum truth decides = e->op == CORM_AND ? NO : YES, all = e->op == CORM_AND ? YES : NO;

    for (const struct corm_expr *kid = e->kids; kid->op != CORM_END; kid++) {
        enum truth one = truth_of(kid, row);
        if (one == decides)
            return decides;
        if (one == UNKNOWN)
            all = UNKNOWN;
    }
    return all;
}

/* The three-valued logic of SQL. */
static enum truth truth_of(const struct corm_expr *e, const struct entry *row)
{
    if (e->op == CORM_TRUE)
        return YES;
    if (e->op == CORM_AND || e->op == CORM_OR)
        return joined(e, row);
    if (e->op == CORM_NOT) {
        enum truth one = truth_of(e->kids, row);
        return one == UNKNOWN ? UNKNOWN : one == YES ? NO : YES;
    }
    struct corm_value left = value_of(e->column, row), right = e->value;
    bool              is_null = left.kind == CORM_V_NULL;
    if (e->op == CORM_IS_NULL || e->op == CORM_NOT_NULL)
        return is_null == (e->op == CORM_IS_NULL) ? YES : NO;
    if (is_null)
        return UNKNOWN;
    if (e->op == CORM_IN || e->op == CORM_IN_LIST)
        return is_in(e, left);
    if (right.kind == CORM_V_COLUMN)
        right = value_of(right.as.c, row);
    if (right.kind == CORM_V_NULL)
        return UNKNOWN;
    if (e->op >= CORM_LIKE && e->op <= CORM_CONTAINS)
        return matches(e->op, left.as.s, right.as.s) ? YES : NO;
    return is_true(e->op, compare(left, right)) ? YES : NO;
}

/* ---- Random rows and conditions --------------------------------------------- */

enum { ENTRIES = 53 };

static const int64_t day = 86400000000;

static int64_t some_time(uint64_t *bits)
{
    return (below(bits, 7) - 3) * day + below(bits, 2);
}

static const char *one_of(uint64_t *bits, const char *const *texts, size_t count)
{
    return texts[below(bits, (int)count)];
}

static void make_entries(struct corm_db *db, uint64_t *bits, struct entry *rows)
{
    struct corm_error error = {0};

    new_table(db, entry);
    for (int i = 0; i < ENTRIES; i++)
        rows[i] = (struct entry){
            .id = i,
            .number = below(bits, 7) - 3,
            .other = {below(bits, 4) != 0, below(bits, 7) - 3},
            .large = below(bits, 2) != 0 ? below(bits, 5) : INT64_MAX - below(bits, 5),
            .ratio = (below(bits, 9) - 4) / 2.0,
            .maybe = {below(bits, 4) != 0, (below(bits, 9) - 4) / 2.0},
            .name = one_of(bits, words, COUNT(words)),
            .note = below(bits, 4) != 0 ? one_of(bits, words, COUNT(words)) : NULL,
            .yes = below(bits, 2) != 0,
            .at = some_time(bits),
            .until = {below(bits, 4) != 0, some_time(bits)},
        };
    assert_rows(corm_insert_rows(db, entry, ENTRIES, rows, .error = &error), ENTRIES, &error);
}

static void *keep(struct corm_arena *arena, const void *data, size_t size)
{
    void *copy = corm_arena_alloc(arena, size);

    assert_non_null(copy);
    memcpy(copy, data, size);
    return copy;
}

static struct corm_expr with_op(struct corm_expr e, enum corm_op op)
{
    e.op = op;
    return e;
}

/* A comparison of a column of any class with a value, or with another column. */
static struct corm_expr some_comparison(uint64_t *bits)
{
    enum corm_op op = (enum corm_op)((int)CORM_EQ + below(bits, 6));
    int          n = below(bits, 7) - 3;

    switch (below(bits, 13)) {
    case 0: return with_op(corm_eq(entry.number, n), op);
    case 1: return with_op(corm_eq(entry.other, n), op);
    case 2: return with_op(corm_eq(entry.other, entry.number), op);
    case 3: return with_op(corm_eq(entry.large, INT64_MAX - below(bits, 5)), op);
    case 4: return with_op(corm_eq(entry.large, entry.other), op);
    case 5: return with_op(corm_eq(entry.ratio, n), op);
    case 6: return with_op(corm_eq(entry.ratio, n / 2.0), op);
    case 7: return with_op(corm_eq(entry.maybe, entry.ratio), op);
    case 8: return with_op(corm_eq(entry.name, one_of(bits, words, COUNT(words))), op);
    case 9: return with_op(corm_eq(entry.note, entry.name), op);
    case 10: return with_op(corm_eq(entry.yes, n > 0), op);
    case 11: return with_op(corm_eq(entry.at, some_time(bits)), op);
    default: return with_op(corm_eq(entry.until, entry.at), op);
    }
}

static struct corm_expr some_list(uint64_t *bits, struct corm_arena *arena)
{
    int32_t     whole[3];
    int64_t     large[3];
    double      real[3];
    const char *text[3];
    size_t      n = 1 + (size_t)below(bits, 3);

    for (size_t i = 0; i < 3; i++) {
        whole[i] = below(bits, 7) - 3;
        large[i] = INT64_MAX - below(bits, 5);
        real[i] = whole[i] / 2.0;
        text[i] = one_of(bits, words, COUNT(words));
    }
    switch (below(bits, 6)) {
    case 0: return corm_in_list(entry.other, (int32_t *)keep(arena, whole, sizeof(whole)), n);
    case 1: return corm_in_list(entry.large, (int64_t *)keep(arena, large, sizeof(large)), n);
    case 2: return corm_in_list(entry.maybe, (double *)keep(arena, real, sizeof(real)), n);
    case 3: return corm_in_list(entry.note, (const char **)keep(arena, text, sizeof(text)), n);
    case 4: return corm_in_list(entry.name, (const char **)keep(arena, text, sizeof(text)), n);
    default: {
        int64_t times[3] = {some_time(bits), some_time(bits), some_time(bits)};
        return corm_in_list(entry.at, (int64_t *)keep(arena, times, sizeof(times)), n);
    }
    }
}

static struct corm_expr some_leaf(uint64_t *bits, struct corm_arena *arena)
{
    const char *piece = one_of(bits, pieces, COUNT(pieces));

    switch (below(bits, 12)) {
    case 0: return corm_like(entry.name, one_of(bits, patterns, COUNT(patterns)));
    case 1: return corm_like(entry.note, one_of(bits, patterns, COUNT(patterns)));
    case 2: return corm_starts_with(entry.name, piece);
    case 3: return corm_ends_with(entry.name, piece);
    case 4: return corm_contains(entry.note, piece);
    case 5: return corm_is_null(entry.other);
    case 6: return corm_not_null(entry.note);
    case 7: return corm_everything();
    case 8: return some_list(bits, arena);
    default: return some_comparison(bits);
    }
}

/* A tree of AND, OR and NOT of up to `depth` levels. */
static struct corm_expr some_condition(uint64_t *bits, struct corm_arena *arena, int depth)
{
    static const enum corm_op ops[] = {CORM_AND, CORM_OR, CORM_NOT};
    struct corm_expr          kids[5];
    int                       op = below(bits, 3), n = op == 2 ? 1 : 1 + below(bits, 4);

    if (depth == 0 || below(bits, 5) == 0)
        return some_leaf(bits, arena);
    for (int i = 0; i < n; i++)
        kids[i] = some_condition(bits, arena, depth - 1);
    kids[n] = (struct corm_expr){.op = CORM_END};
    return (struct corm_expr){.op = ops[op], .kids = keep(arena, kids, sizeof(kids))};
}

/* The rows that a condition finds are those for which it is true in C: listed, counted,
 * existing. */
static void check_condition(struct corm_db *db, const struct entry *rows, struct corm_expr where,
                            const enum truth *wanted, struct corm_arena *arena, int which)
{
    struct corm_error error = {0};
    struct entry     *found;
    int               n = 0;
    int rc = corm_all(db, entry, &found, .where = where, .order = {corm_asc(entry.id)},
                      .arena = arena, .error = &error);

    for (int i = 0; i < ENTRIES; i++) {
        if (wanted[i] != YES)
            continue;
        if (n >= rc || found[n].id != rows[i].id)
            fail_msg("condition %d: row %d is not found, or another one is: %s", which, i,
                     error.message);
        n++;
    }
    if (rc != n)
        fail_msg("condition %d: %d rows are found, not %d: %s", which, rc, n, error.message);
    assert_rows(corm_count(db, entry, .where = where, .error = &error), n, &error);
    assert_rows(corm_exists(db, entry, .where = where, .error = &error), n > 0, &error);
}

static void conditions_find_what_they_say(void **state)
{
    enum { CONDITIONS = 500 };
    struct corm_db    *db = open_db(NULL);
    struct corm_arena *arena = corm_arena_new();
    struct entry       rows[ENTRIES];
    enum truth         wanted[ENTRIES];
    uint64_t           bits = 4711;
    int                some = 0;

    (void)state;
    make_entries(db, &bits, rows);
    for (int i = 0; i < CONDITIONS; i++) {
        struct corm_expr where = some_condition(&bits, arena, i % 4);
        int              n = 0;
        for (int j = 0; j < ENTRIES; j++) {
            wanted[j] = truth_of(&where, &rows[j]);
            n += wanted[j] == YES;
        }
        some += n > 0 && n < ENTRIES;
        check_condition(db, rows, where, wanted, arena, i);
        corm_arena_reset(arena);
    }
    assert_true(some > CONDITIONS / 2); /* or the test would say little */
    corm_arena_free(arena);
    corm_close(db);
}

/* The forms with members written out, and the same values as a list of sixteen. */
static void written_conditions_find_what_they_say(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_arena *arena = corm_arena_new();
    struct entry       rows[ENTRIES];
    enum truth         wanted[ENTRIES];
    uint64_t           bits = 99;

    (void)state;
    make_entries(db, &bits, rows);
    const struct corm_expr conditions[] = {
        corm_and(corm_gt(entry.number, -2),
                 corm_or(corm_like(entry.name, "a%"), corm_in(entry.other, 1, 2, -3))),
        corm_not(corm_or(corm_eq(entry.yes, true), corm_is_null(entry.note))),
        corm_in(entry.id, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        corm_in(entry.name, "a", "A", FACES),
        corm_in(entry.ratio, 1, 0.5, -1.5f),
        corm_and(corm_not(corm_in(entry.other, 0)), corm_not(corm_not(corm_le(entry.ratio, 1)))),
        corm_or(corm_ge(entry.large, 9223372036854775806u), corm_lt(entry.maybe, -1)),
        corm_everything(),
    };
    for (size_t i = 0; i < COUNT(conditions); i++) {
        for (int j = 0; j < ENTRIES; j++)
            wanted[j] = truth_of(&conditions[i], &rows[j]);
        if (i == 6) /* that value is unsigned, which truth_of() knows nothing of */
            for (int j = 0; j < ENTRIES; j++)
                wanted[j] = rows[j].large >= INT64_MAX - 1 ||
                                    (rows[j].maybe.has && rows[j].maybe.value < -1)
                                ? YES
                                : NO;
        check_condition(db, rows, conditions[i], wanted, arena, (int)i);
    }
    corm_arena_free(arena);
    corm_close(db);
}

/* (((a and b) or c) and d): each step takes all that was there before as its left side. */
static void conditions_put_together_at_run_time_find_what_they_say(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_arena *arena = corm_arena_new();
    struct entry       rows[ENTRIES];
    enum truth         wanted[ENTRIES], right;
    uint64_t           bits = 123;

    (void)state;
    make_entries(db, &bits, rows);
    for (int i = 0; i < 150; i++) {
        struct corm_where *where = corm_where_new(arena);
        int                steps = 1 + below(&bits, 14);
        for (int step = 0; step < steps; step++) {
            struct corm_arena *brief = corm_arena_new();
            struct corm_expr   e = some_condition(&bits, brief, 2);
            bool               is_or = below(&bits, 2) != 0;
            for (int j = 0; j < ENTRIES; j++) {
                enum truth left = step > 0 ? wanted[j] : is_or ? NO : YES;
                right = truth_of(&e, &rows[j]);
                if (left == right)
                    wanted[j] = left;
                else if (left == (is_or ? YES : NO) || right == (is_or ? YES : NO))
                    wanted[j] = is_or ? YES : NO;
                else
                    wanted[j] = left == UNKNOWN || right == UNKNOWN ? UNKNOWN : is_or ? YES : NO;
            }
            if (is_or)
                corm_where_or(where, e);
            else
                corm_where_and(where, e);
            corm_arena_free(brief); /* it was copied */
        }
        check_condition(db, rows, corm_where(where), wanted, arena, i);
        corm_arena_reset(arena);
    }
    corm_arena_free(arena);
    corm_close(db);
}

static void what_is_added_to_a_condition_is_copied(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct corm_where *where = corm_where_new(arena);
    char               name[] = "one", listed_name[] = "two";
    const char        *list[] = {listed_name};

    (void)state;
    new_table(db, tag);
    assert_rows(corm_insert_row(db, tag, &((struct tag){"one", 1})), 1, &error);
    assert_rows(corm_insert_row(db, tag, &((struct tag){"two", 2})), 1, &error);
    corm_where_or(where, corm_eq(tag.name, name));
    corm_where_or(where, corm_in_list(tag.name, list, 1));
    memset(name, 'x', 3);
    memset(listed_name, 'x', 3);
    list[0] = "none";
    assert_rows(corm_count(db, tag, .where = corm_where(where), .error = &error), 2, &error);
    corm_arena_free(arena);
    corm_close(db);
}

/* ---- Order, limit, offset --------------------------------------------------- */

static struct corm_order sorting[CORM_ORDER_MAX]; /* what by_sorting() goes by */

static int by_sorting(const void *a, const void *b)
{
    for (int i = 0; i < CORM_ORDER_MAX && sorting[i].column != NULL; i++) {
        struct corm_value x = value_of(sorting[i].column, a), y = value_of(sorting[i].column, b);
        bool              no_x = x.kind == CORM_V_NULL, no_y = y.kind == CORM_V_NULL;
        int               way = no_x || no_y ? no_y - no_x : compare(x, y); /* NULL comes first */
        if (way != 0)
            return sorting[i].desc ? -way : way;
    }
    return 0;
}

static void rows_come_in_the_order_asked_for(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct entry       rows[ENTRIES], *found, one;
    uint64_t           bits = 31415;

    (void)state;
    make_entries(db, &bits, rows);
    for (int i = 0; i < 120; i++) {
        int columns = below(&bits, 4);
        memset(sorting, 0, sizeof(sorting));
        for (int j = 0; j < columns; j++)
            sorting[j] = (struct corm_order){&entry.corm_table->columns[1 + below(&bits, 10)],
                                             below(&bits, 2) != 0};
        sorting[columns] = (struct corm_order)corm_desc(entry.id);
        qsort(rows, ENTRIES, sizeof(rows[0]), by_sorting);
        int limit = 1 + below(&bits, ENTRIES), offset = below(&bits, ENTRIES + 5);
        int wanted = offset >= ENTRIES ? 0 : offset + limit > ENTRIES ? ENTRIES - offset : limit;
        assert_rows(corm_all(db, entry, &found,
                             .order = {sorting[0], sorting[1], sorting[2], sorting[3]},
                             .limit = (uint64_t)limit, .offset = (uint64_t)offset, .arena = arena,
                             .error = &error),
                    wanted, &error);
        for (int j = 0; j < wanted; j++)
            assert_int_equal(found[j].id, rows[offset + j].id);
        assert_rows(corm_first(db, entry, &one,
                               .order = {sorting[0], sorting[1], sorting[2], sorting[3]},
                               .offset = (uint64_t)offset, .arena = arena, .error = &error),
                    offset < ENTRIES, &error);
        if (offset < ENTRIES)
            assert_int_equal(one.id, rows[offset].id);
        corm_arena_reset(arena);
    }
    corm_arena_free(arena);
    corm_close(db);
}

/* ---- Where rows live -------------------------------------------------------- */

static void rows_need_an_arena_where_nothing_else_keeps_them(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct corm_rows   answer;
    struct tag         t, *tags;
    struct measure     m, *list;

    (void)state;
    new_table(db, tag);
    new_table(db, measure);
    assert_rows(corm_insert_row(db, tag, &((struct tag){"kept", 1})), 1, &error);
    assert_rows(corm_insert_row(db, measure, &((struct measure){.id = 1})), 1, &error);
    assert_code(corm_first(db, tag, &t, .error = &error), CORM_MISUSE, &error);
    assert_says(&error, ".arena");
    assert_code(corm_all(db, tag, &tags, .error = &error), CORM_MISUSE, &error);
    assert_code(corm_all(db, measure, &list, .error = &error), CORM_MISUSE, &error);
    assert_code(corm_sql(db, &answer, "SELECT 1", .error = &error), CORM_MISUSE, &error);
    assert_rows(corm_first(db, measure, &m, .error = &error), 1, &error); /* has no text */
    assert_rows(corm_count(db, tag), 1, &error);
    assert_rows(corm_exists(db, tag), 1, &error);
    assert_rows(corm_sql(db, NULL, "SELECT 1", .error = &error), 1, &error);
    assert_rows(corm_first(db, tag, &t, .arena = arena), 1, &error);
    assert_rows(corm_all(db, tag, &tags, .arena = arena), 1, &error);
    assert_string_equal(t.name, "kept");
    assert_string_equal(tags[0].name, "kept");
    corm_arena_free(arena);
    corm_close(db);
}

/* In a transaction rows live as long as it, however much is read behind them. */
static void rows_of_a_transaction_live_to_its_end(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct corm_trx  *trx;
    struct tag        first, *tags, *again;

    (void)state;
    new_table(db, tag);
    assert_rows(corm_insert_row(db, tag, &((struct tag){"a", 1})), 1, &error);
    assert_rows(corm_insert_row(db, tag, &((struct tag){"b", 2})), 1, &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_first(trx, tag, &first, .where = corm_eq(tag.weight, 2)), 1, &error);
    assert_rows(corm_all(trx, tag, &tags, .order = {corm_asc(tag.name)}), 2, &error);
    for (int i = 0; i < 300; i++)
        assert_rows(corm_all(trx, tag, &again), 2, &error);
    assert_string_equal(first.name, "b");
    assert_string_equal(tags[0].name, "a");
    assert_string_equal(tags[1].name, "b");
    assert_ok(corm_commit(trx), &error);
    assert_string_equal(first.name, "b"); /* to corm_start() or corm_end() */
    corm_end(trx);
    corm_close(db);
}

static void a_read_that_finds_nothing_leaves_the_row_alone(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct tag         t = {"before", 7}, *tags = &t;

    (void)state;
    new_table(db, tag);
    assert_rows(corm_first(db, tag, &t, .arena = arena), 0, &error);
    assert_string_equal(t.name, "before");
    assert_int_equal(corm_first(db, tag, &t, .where = corm_eq(measure.id, 1), .arena = arena),
                     CORM_MISUSE);
    assert_true(strcmp(t.name, "before") == 0 && t.weight == 7);
    assert_int_equal(corm_all(db, tag, &tags, .where = corm_eq(measure.id, 1), .arena = arena),
                     CORM_MISUSE);
    assert_ptr_equal(tags, &t);
    assert_rows(corm_all(db, tag, &tags, .arena = arena), 0, &error);
    assert_null(tags);
    assert_rows(corm_count(db, tag), 0, &error);
    assert_rows(corm_exists(db, tag), 0, &error);
    corm_arena_free(arena);
    corm_close(db);
}

static void a_copy_of_a_row_stands_alone(void **state)
{
    char          body[] = "the body", name[] = "";
    struct thing  row = {.id = 5, .ratio = 2.5, .name = name, .body = body, .n_at = {true, 9}};
    struct thing *copy = corm_dup(thing, &row);

    (void)state;
    assert_non_null(copy);
    assert_ptr_not_equal(copy->body, row.body);
    memset(body, 'x', sizeof(body) - 1);
    name[0] = 0;
    assert_string_equal(copy->body, "the body");
    assert_string_equal(copy->name, "");
    assert_null(copy->n_name);
    assert_true(copy->id == 5 && copy->ratio == 2.5 && copy->n_at.has && copy->n_at.value == 9);
    free(copy); /* one block: the leak checker would see a second */
}

/* ---- Options of other versions ---------------------------------------------- */

/* The first `size` bytes of options, in a block of that size: the sanitizer knows where it ends. */
static void *as_it_was(const void *options, size_t size)
{
    void *copy = malloc(size);

    assert_non_null(copy);
    memcpy(copy, options, size);
    return copy;
}

/* A program that was built when the options ended behind .order: what comes later has its
 * default. */
static void options_of_an_older_program_are_taken(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct measure   *rows = measures(3), found;

    (void)state;
    new_table(db, measure);
    assert_rows(corm_insert_rows(db, measure, 3, rows), 3, &error);
    const struct corm_query query = {.size = offsetof(struct corm_query, limit),
                                     .file = "old.c",
                                     .line = 1,
                                     .order = {corm_desc(measure.id)}};
    struct corm_query      *old_query = as_it_was(&query, query.size);
    assert_int_equal(corm_first_(CORM_ON(db), measure.corm_table, &found, old_query), 1);
    assert_int_equal(found.id, 2);
    free(old_query);
    const struct corm_write write = {.size = offsetof(struct corm_write, id),
                                     .where = corm_eq(measure.id, 1),
                                     .set = {corm_set(measure.whole, 77)}};
    struct corm_write      *old_write = as_it_was(&write, write.size);
    assert_int_equal(corm_update_(CORM_ON(db), measure.corm_table, old_write), 1);
    free(old_write);
    assert_rows(corm_count(db, measure, .where = corm_eq(measure.whole, 77)), 1, &error);
    free(rows);
    corm_close(db);
}

static void options_of_a_newer_program_are_taken(void **state)
{
    struct newer {
        struct corm_query query;
        uint64_t          what_only_it_knows[4];
    } newer = {.query = {.size = sizeof(struct newer), .order = {corm_desc(measure.id)}}};
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct measure   *rows = measures(3), found;

    (void)state;
    new_table(db, measure);
    assert_rows(corm_insert_rows(db, measure, 3, rows), 3, &error);
    newer.query.error = &error;
    assert_rows(corm_first_(CORM_ON(db), measure.corm_table, &found, &newer.query), 1, &error);
    assert_int_equal(found.id, 2);
    free(rows);
    corm_close(db);
}

/* ---- corm_sql() ------------------------------------------------------------- */

static void texts_bring_rows_with_names_and_values(void **state)
{
    struct corm_db          *db = open_db(NULL);
    struct corm_error        error = {0};
    struct corm_arena       *arena = corm_arena_new();
    struct corm_rows         rows;
    const struct corm_value *v;

    (void)state;
    new_table(db, thing);
    const struct thing t = thing_of(2 * 6); /* a denormal; NULL as a text */
    assert_rows(corm_insert_row(db, thing, &t, .error = &error), 1, &error);
    assert_rows(corm_insert_row(db, thing, &((struct thing){.name = "", .body = huge})), 1, &error);
    assert_rows(
        corm_sql(db, &rows,
                 "SELECT number AS \xC3\xA9t\xC3\xA9, large, ratio AS r, name, n_name, body,"
                 " n_at FROM thing WHERE number IN (?, ?) ORDER BY number DESC",
                 corm_vals(t.number, 0), .arena = arena, .error = &error),
        2, &error);
    assert_int_equal(rows.row_count, 2);
    assert_int_equal(rows.column_count, 7);
    assert_string_equal(rows.names[0], "\xC3\xA9t\xC3\xA9");
    assert_string_equal(rows.names[2], "r");
    v = rows.values;
    assert_true(v[0].kind == CORM_V_INT && v[0].as.i == t.number);
    assert_true(v[1].kind == CORM_V_INT && v[1].as.i == t.large);
    assert_true(v[2].kind == CORM_V_REAL && same_real(v[2].as.r, t.ratio));
    assert_true(v[3].kind == CORM_V_TEXT && v[3].size == 4 && strcmp(v[3].as.s, "NULL") == 0);
    assert_true(v[6].kind == CORM_V_TEXT && v[6].size == 26);
    assert_string_equal(v[6].as.s, "2000-02-29 12:09:14.123456");
    v += rows.column_count;
    assert_true(v[3].kind == CORM_V_TEXT && v[3].size == 0 && v[3].as.s[0] == '\0');
    assert_true(v[4].kind == CORM_V_NULL && v[6].kind == CORM_V_NULL);
    assert_true(v[5].size == strlen(huge) && strcmp(v[5].as.s, huge) == 0);
    corm_arena_free(arena);
    corm_close(db);
}

static void texts_without_rows_count_what_they_match(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct corm_rows   rows;

    (void)state;
    new_table(db, measure);
    assert_rows(corm_sql(db, NULL,
                         "INSERT INTO measure (id, whole, ratio, at) VALUES (?, ?, ?, ?), "
                         "(2, 7, 1.5, '2020-01-01 00:00:00')",
                         corm_vals(1, INT64_MIN, -2.5e-7, "1999-12-31 23:59:59.999999"),
                         .error = &error),
                2, &error);
    for (int i = 0; i < 2; i++)
        assert_rows(corm_sql(db, NULL, "UPDATE measure SET whole = 7", .error = &error), 2, &error);
    assert_rows(corm_sql(db, &rows, "SELECT id FROM measure WHERE id > ?", corm_vals(5),
                         .arena = arena, .error = &error),
                0, &error);
    assert_true(rows.row_count == 0 && rows.column_count == 1);
    assert_rows(corm_sql(db, &rows, "DELETE FROM measure WHERE id = 1", .arena = arena), 1, &error);
    assert_true(rows.row_count == 0 && rows.column_count == 0);
    assert_rows(corm_sql(db, NULL, "REPLACE INTO measure VALUES (3, 1, 1, ?)",
                         corm_vals("1999-12-31 23:59:59"), .error = &error),
                1, &error);
    assert_rows(corm_sql(db, NULL, "SELECT * FROM measure", .error = &error), 2, &error);
    corm_arena_free(arena);
    corm_close(db);
}

static void texts_take_and_bring_every_kind_of_value(void **state)
{
    static const unsigned char bytes[] = {0, 1, '\'', 0xFF, 0, 0xC0, '\\', 0};
    struct corm_db            *db = open_db(NULL);
    struct corm_error          error = {0};
    struct corm_arena         *arena = corm_arena_new();
    struct corm_rows           rows;
    const struct corm_value    values[] = {
           {.kind = CORM_V_BLOB, .size = sizeof(bytes), .as.p = bytes},
           {.kind = CORM_V_BLOB, .size = 0, .as.p = bytes},
           corm_v_null_(),
           corm_v_text_("it's"),
           corm_v_real_(-0.1),
           corm_v_int_(INT64_MIN),
           corm_v_uint_(INT64_MAX),
           {.kind = CORM_V_NONE},
    };

    (void)state;
    beside("CREATE TABLE kinds (a %s, b %s, c BLOB, d VARCHAR(9), e DOUBLE, f BIGINT, g BIGINT)",
           is_mariadb() ? "LONGBLOB" : "BLOB", is_mariadb() ? "VARBINARY(9)" : "BLOB");
    assert_rows(corm_sql(db, NULL, "INSERT INTO kinds VALUES (?, ?, ?, ?, ?, ?, ?)",
                         (struct corm_vals){values}, .error = &error),
                1, &error);
    assert_rows(corm_sql(db, &rows, "SELECT * FROM kinds", .arena = arena, .error = &error), 1,
                &error);
    assert_int_equal(rows.column_count, 7);
    const struct corm_value *v = rows.values;
    assert_true(v[0].kind == CORM_V_BLOB && v[0].size == sizeof(bytes));
    assert_memory_equal(v[0].as.p, bytes, sizeof(bytes));
    assert_true(v[1].kind == CORM_V_BLOB && v[1].size == 0);
    assert_true(v[2].kind == CORM_V_NULL);
    assert_true(v[3].kind == CORM_V_TEXT && strcmp(v[3].as.s, "it's") == 0);
    assert_true(v[4].kind == CORM_V_REAL && v[4].as.r == -0.1);
    assert_true(v[5].kind == CORM_V_INT && v[5].as.i == INT64_MIN);
    assert_true(v[6].kind == CORM_V_INT && v[6].as.i == INT64_MAX);
    assert_rows(corm_sql(db, &rows, "SELECT a FROM kinds WHERE a = ? AND d = ? AND e < ? AND f < ?",
                         ((struct corm_vals){(const struct corm_value[]){
                             values[0], values[3], corm_v_real_(0), corm_v_int_(0), values[7]}}),
                         .arena = arena, .error = &error),
                1, &error);
    corm_arena_free(arena);
    corm_close(db);
}

/* Whole numbers beyond 63 bits: MariaDB has them, SQLite has not. */
static void texts_take_unsigned_numbers_where_the_server_has_them(void **state)
{
    struct corm_db    *db = open_db(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct corm_rows   rows;
    int                rc =
        corm_sql(db, &rows, "SELECT ?, 5", corm_vals(UINT64_MAX), .arena = arena, .error = &error);

    (void)state;
    if (is_mariadb()) {
        assert_rows(rc, 1, &error);
        assert_true(rows.values[0].kind == CORM_V_UINT && rows.values[0].as.u == UINT64_MAX);
        assert_true(rows.values[1].kind == CORM_V_INT && rows.values[1].as.i == 5);
    } else {
        assert_code(rc, CORM_OUT_OF_RANGE, &error);
    }
    corm_arena_free(arena);
    corm_close(db);
}

/* Rows of a text in a transaction live in it, and see what it has written and not sent. */
static void texts_in_a_transaction_see_what_is_buffered(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct corm_rows  rows;
    struct corm_trx  *trx;

    (void)state;
    new_table(db, tag);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_row(trx, tag, &((struct tag){"a", 1})), 1, &error);
    assert_rows(corm_insert_row(trx, tag, &((struct tag){"b", 2})), 1, &error);
    assert_rows(corm_sql(trx, &rows, "SELECT name FROM tag WHERE weight > ? ORDER BY name",
                         corm_vals(0), .error = &error),
                2, &error);
    assert_string_equal(rows.values[1].as.s, "b");
    assert_rows(corm_sql(trx, NULL, "UPDATE tag SET weight = weight + ?", corm_vals(1)), 2, &error);
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    assert_rows(corm_count(db, tag, .where = corm_in(tag.weight, 2, 3)), 2, &error);
    corm_close(db);
}

/* More different statements than a connection keeps prepared, and the first ones again. */
static void more_statements_than_are_kept_prepared_work(void **state)
{
    struct corm_db    *db = open_db("pool=2");
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct corm_rows   rows;
    char               text[64];

    (void)state;
    for (int i = 0; i < 600; i++) {
        (void)snprintf(text, sizeof(text), "SELECT ? + %d", i % 300);
        assert_rows(corm_sql(db, &rows, text, corm_vals(i), .arena = arena, .error = &error), 1,
                    &error);
        assert_int_equal(rows.values[0].as.i, i + i % 300);
    }
    corm_arena_free(arena);
    corm_close(db);
}

/* ---- Threads ---------------------------------------------------------------- */

struct writer {
    struct corm_db *db;
    int             first, failed;
};

static void *write_and_read(void *arg)
{
    struct writer *w = arg;
    struct measure found;

    for (int i = w->first; i < w->first + 50; i++) {
        struct measure row = {.id = i, .whole = i};
        w->failed += corm_insert_row(w->db, measure, &row) != 1;
        w->failed +=
            corm_update(w->db, measure, corm_eq(measure.id, i), corm_add(measure.whole, 1)) != 1;
        w->failed += corm_first(w->db, measure, &found, .where = corm_eq(measure.id, i)) != 1 ||
                     found.whole != i + 1;
    }
    return NULL;
}

static void statements_run_from_many_threads(void **state)
{
    struct corm_db   *db = open_db("pool=4");
    struct corm_error error = {0};
    struct writer     writers[8];

    (void)state;
    new_table(db, measure);
    for (int i = 0; i < 8; i++)
        writers[i] = (struct writer){.db = db, .first = 1000 * i};
    run_threads(8, write_and_read, writers, sizeof(writers[0]));
    for (int i = 0; i < 8; i++)
        assert_int_equal(writers[i].failed, 0);
    assert_rows(corm_count(db, measure), 400, &error);
    corm_close(db);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_as_they_went_in),
        cmocka_unit_test(rows_are_updated_to_what_is_in_them),
        cmocka_unit_test(set_lists_come_back_as_they_went_in),
        cmocka_unit_test(arrays_of_rows_come_back_as_they_went_in),
        cmocka_unit_test(buffered_rows_come_back_as_they_went_in),
        cmocka_unit_test(buffered_text_need_not_outlive_the_call),
        cmocka_unit_test(updates_come_back_as_they_went_in),
        cmocka_unit_test(random_numbers_come_back_bit_for_bit),
        cmocka_unit_test(names_that_need_quotes_work_everywhere),
        cmocka_unit_test(text_is_compared_byte_by_byte),
        cmocka_unit_test(a_key_of_two_columns_names_one_row),
        cmocka_unit_test(arrays_of_any_length_are_inserted_whole),
        cmocka_unit_test(an_array_with_a_duplicate_leaves_nothing),
        cmocka_unit_test(an_array_with_a_row_that_corm_refuses_leaves_nothing),
        cmocka_unit_test(wide_rows_and_rows_of_a_key_alone_are_inserted_whole),
        cmocka_unit_test(an_array_of_long_texts_is_inserted_whole),
        cmocka_unit_test(columns_that_are_not_listed_get_their_default),
        cmocka_unit_test(generated_keys_are_told),
        cmocka_unit_test(a_generated_key_can_be_set),
        cmocka_unit_test(updates_count_the_rows_that_match),
        cmocka_unit_test(assignments_read_the_row_as_it_was),
        cmocka_unit_test(conditions_find_what_they_say),
        cmocka_unit_test(written_conditions_find_what_they_say),
        cmocka_unit_test(conditions_put_together_at_run_time_find_what_they_say),
        cmocka_unit_test(what_is_added_to_a_condition_is_copied),
        cmocka_unit_test(rows_come_in_the_order_asked_for),
        cmocka_unit_test(rows_need_an_arena_where_nothing_else_keeps_them),
        cmocka_unit_test(rows_of_a_transaction_live_to_its_end),
        cmocka_unit_test(a_read_that_finds_nothing_leaves_the_row_alone),
        cmocka_unit_test(a_copy_of_a_row_stands_alone),
        cmocka_unit_test(options_of_an_older_program_are_taken),
        cmocka_unit_test(options_of_a_newer_program_are_taken),
        cmocka_unit_test(texts_bring_rows_with_names_and_values),
        cmocka_unit_test(texts_without_rows_count_what_they_match),
        cmocka_unit_test(texts_take_and_bring_every_kind_of_value),
        cmocka_unit_test(texts_take_unsigned_numbers_where_the_server_has_them),
        cmocka_unit_test(texts_in_a_transaction_see_what_is_buffered),
        cmocka_unit_test(more_statements_than_are_kept_prepared_work),
        cmocka_unit_test(statements_run_from_many_threads),
    };

    /* All of ASCII, and characters of 2, 3 and 4 bytes. */
    for (size_t i = 0; i + 10 < sizeof(huge);)
        i += (size_t)snprintf(huge + i, sizeof(huge) - i, "%c\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
                              (char)(i % 127 + 1));
    support_begin(argc, argv);
    int failed = run_group(tests, COUNT(tests), NULL, 0, NULL, 0);
    support_end();
    return failed;
}
