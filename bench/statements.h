/* bench/statements.h -- what the three programs of the statement bench share: the work to be done.
 *
 * PROGRAM TARGET WHAT N [HOW]: `what` is point (N reads of one row by its key), fetch (N rows into
 * structs) or bulk (N rows inserted in one transaction, into an empty table). Prints the seconds that the
 * work took, connecting and preparing not counted, and a sum over all that was read or written, which
 * must be the same for all programs. */
#ifndef CORM_BENCH_STATEMENTS_H
#define CORM_BENCH_STATEMENTS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 100000, ITEM_NAME_SIZE = 41, NOTE_SIZE = 61 };

static inline void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* The key of the read number `i`. */
static inline int32_t key_of(uint32_t i)
{
    return (int32_t)(i * 2654435761U % ROWS) + 1;
}

/* The row with this key; every third has no note. */
static inline int32_t stock_of(int32_t id)
{
    return id * 7 % 1000;
}

static inline double price_of(int32_t id)
{
    return id * 0.25;
}

static inline const char *name_of(int32_t id, char *text)
{
    (void)snprintf(text, ITEM_NAME_SIZE, "item number %d of the shop", (int)id);
    return text;
}

static inline const char *note_of(int32_t id, char *text)
{
    if (id % 3 == 0)
        return NULL;
    (void)snprintf(text, NOTE_SIZE, "it's note %d, which may be of some length", (int)id);
    return text;
}

static inline double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What a row adds to the sum. */
static inline uint64_t sum_of(int32_t id, const char *name, int32_t stock, double price,
                              const char *note)
{
    uint64_t text = strlen(name) * 3 + (unsigned char)name[strlen(name) / 2];

    return (uint64_t)id * 31 + text + (uint64_t)stock * 17 + (uint64_t)(price * 4) +
           (note != NULL ? strlen(note) * 5 : 1);
}

static inline void report(double seconds, uint32_t n, uint64_t sum)
{
    (void)printf("{\"seconds\":%.6f,\"n\":%u,\"sum\":%llu}\n", seconds, (unsigned)n,
                 (unsigned long long)sum);
}

#endif
