/* shop.h -- what the programs of the bench share: wishes, the clock, what came of a run.
 *
 * A program prints one outcome, a block or a line of JSON, and ends with 0 only if no purchase failed and
 * the tables agree with what the buyers were told. */
#ifndef BENCH_SHOP_H
#define BENCH_SHOP_H

#include "options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MAX_PURCHASES = 10000000,
    MAX_PRODUCTS = 100000,
    MAX_QTY = 1000000,
};

extern const char *const program; /* its name, in front of its messages */

/* Says why, and ends the program with 1. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Zeroed memory, or the end of the program. */
void *allocate(size_t count, size_t size);

uint64_t now_ns(void);

/* ---- wishes ---------------------------------------------------------------------------- */

struct wish {
    int product;
    int qty;
};

/* What the purchase number `index` of `count` wants, the next ones of a random state. */
struct wish wish_for(const struct demand *demand, uint64_t *random, int index, int count);

uint64_t mix(uint64_t x);
uint64_t random_next(uint64_t *state); /* the state is never 0 */
int      random_between(uint64_t *state, int low, int high);

/* ---- what came of a run ----------------------------------------------------------------- */

struct ledger {
    int64_t stock;
    int64_t order_rows;
    int64_t pieces;
    int64_t wrong_products; /* stock below 0, or not the stock given less the pieces ordered */
};

struct totals {
    int     bought;
    int     refused;
    int     failed;
    int64_t pieces;
    double  seconds;
    double  p50_ms;
    double  p99_ms;
    double
         runs_mean; /* how often the function of a purchase that was made has run; 0: not counted */
    bool invariant;
};

/* What a run was asked for, as far as it is printed. */
struct asked {
    const char          *how;
    int                  connections;
    const struct demand *demand;
};

/* Whether the tables agree with each other and with what the buyers were told; if not, says how. */
bool ledger_agrees(const struct ledger *before, const struct ledger *after, const struct totals *t);

/* Sorts the latencies of `count` purchases, and puts their percentiles into *t. */
void take_percentiles(struct totals *t, uint64_t *latency_ns, size_t count);

/* Nearest rank, in ms; 0 of nothing. */
double percentile_ms(const uint64_t *sorted, size_t count, size_t percent);
int    compare_u64(const void *a, const void *b); /* for qsort() */

void print_totals(const struct asked *asked, const struct totals *t);

/* ---- the command line -------------------------------------------------------------------- */

/* The digits from `text` to `end`, as a number within the bounds. */
bool parse_whole(const char *text, const char *end, int64_t low, int64_t high, int64_t *out);

#endif
