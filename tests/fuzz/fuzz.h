/* tests/fuzz/fuzz.h -- what the fuzz targets share: numbers and texts out of bytes, and a check.
 *
 * A target is one file with an LLVMFuzzerTestOneInput(): libFuzzer calls it where clang has it, else
 * driver.c does. It keeps nothing from one input to the next, so that an input that fails does so by
 * itself, too. */
#ifndef CORM_TESTS_FUZZ_H
#define CORM_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Tokens that an input of this target is likely to hold; ends with NULL. */
extern const char *const fuzz_tokens[];

/* Ends the program where it does not hold, so that the input is kept. */
#define CHECK(holds, ...)                                                                          \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            (void)fprintf(stderr, "%s:%d: %s\n    ", __FILE__, __LINE__, #holds);                  \
            (void)fprintf(stderr, __VA_ARGS__);                                                    \
            (void)fputc('\n', stderr);                                                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* ---- What is read out of an input; behind its end everything is zero -------- */

struct bytes {
    const uint8_t *at;
    size_t         left;
};

static inline unsigned take_byte(struct bytes *b)
{
    if (b->left == 0)
        return 0;
    b->left--;
    return *b->at++;
}

static inline uint64_t take_bits(struct bytes *b, int n)
{
    uint64_t bits = 0;

    for (int i = 0; i < n; i++)
        bits = bits << 8 | take_byte(b);
    return bits;
}

/* 0 to n - 1; n is 256 at most. */
static inline unsigned take_below(struct bytes *b, unsigned n)
{
    return take_byte(b) % n;
}

/* Of any size: small ones and the ends of types are as likely as all others. */
static inline uint64_t take_number(struct bytes *b)
{
    static const uint64_t ends[] = {0,
                                    1,
                                    INT8_MAX,
                                    (uint64_t)INT8_MIN,
                                    UINT8_MAX,
                                    INT16_MAX,
                                    UINT16_MAX,
                                    INT32_MAX,
                                    (uint64_t)INT32_MIN,
                                    UINT32_MAX,
                                    INT64_MAX,
                                    (uint64_t)INT64_MIN,
                                    UINT64_MAX,
                                    UINT64_C(1) << 53};
    unsigned              how = take_byte(b);

    if (how < 80)
        return (uint64_t)(int64_t)(int8_t)take_byte(b);
    if (how < 160)
        return ends[take_below(b, sizeof(ends) / sizeof(ends[0]))] +
               (uint64_t)(int64_t)((int)take_below(b, 5) - 2);
    return take_bits(b, 1 + (int)(how % 8));
}

#endif
