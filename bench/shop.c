/* shop.c -- what the programs of the bench share: wishes, the clock, what came of a run. */
#include "shop.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void die(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void *allocate(size_t count, size_t size)
{
    void *p = calloc(count, size);

    if (p == NULL)
        die("out of memory");
    return p;
}

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- wishes ---------------------------------------------------------------------------- */

uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1du;
}

int random_between(uint64_t *state, int low, int high)
{
    uint64_t span = (uint64_t)(high - low) + 1;

    return low + (int)((random_next(state) >> 16) % span);
}

struct wish wish_for(const struct demand *demand, uint64_t *random, int index, int count)
{
    int product = random_between(random, 1, demand->products);

    if (demand->in_turn)
        product = (int)((int64_t)index * demand->products / count) + 1;
    return (struct wish){.product = product,
                         .qty = random_between(random, demand->qty_min, demand->qty_max)};
}

/* ---- the outcome ----------------------------------------------------------------------- */

bool ledger_agrees(const struct ledger *before, const struct ledger *after, const struct totals *t)
{
    bool agrees = before->order_rows == 0 && before->wrong_products == 0 &&
                  before->stock - after->stock == after->pieces && after->pieces == t->pieces &&
                  after->order_rows == t->bought && after->wrong_products == 0;

    if (!agrees)
        fprintf(stderr,
                "%s: the tables disagree: stock fell by %" PRId64 ", %" PRId64
                " pieces ordered in %" PRId64 " rows, %" PRId64 " pieces told bought in %d "
                "purchases, %" PRId64 " products wrong\n",
                program, before->stock - after->stock, after->pieces, after->order_rows, t->pieces,
                t->bought, after->wrong_products);
    return agrees;
}

int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

double percentile_ms(const uint64_t *sorted, size_t count, size_t percent)
{
    size_t rank = (count * percent + 99) / 100;

    return count == 0 ? 0 : (double)sorted[rank == 0 ? 0 : rank - 1] / 1e6;
}

void take_percentiles(struct totals *t, uint64_t *latency_ns, size_t count)
{
    qsort(latency_ns, count, sizeof *latency_ns, compare_u64);
    t->p50_ms = percentile_ms(latency_ns, count, 50);
    t->p99_ms = percentile_ms(latency_ns, count, 99);
}

void print_totals(const struct asked *asked, const struct totals *t)
{
    double      rate = t->seconds > 0 ? (t->bought + t->refused) / t->seconds : 0;
    const char *invariant = t->invariant ? "true" : "false";

    if (asked->demand->json)
        printf("{\"how\":\"%s\",\"connections\":%d,\"purchases\":%d,\"products\":%d,\"bought\":%d,"
               "\"refused\":%d,\"failed\":%d,\"seconds\":%.6f,\"purchases_per_second\":%.1f,"
               "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"runs_mean\":%.3f,\"invariant\":%s}\n",
               asked->how, asked->connections, asked->demand->purchases, asked->demand->products,
               t->bought, t->refused, t->failed, t->seconds, rate, t->p50_ms, t->p99_ms,
               t->runs_mean, invariant);
    else
        printf("how                   %s\nconnections           %d\npurchases             %d\n"
               "products              %d\nbought                %d\nrefused               %d\n"
               "failed                %d\nseconds               %.3f\n"
               "purchases per second  %.1f\np50 ms                %.3f\n"
               "p99 ms                %.3f\nruns a purchase       %.3f\ninvariant holds       %s\n",
               asked->how, asked->connections, asked->demand->purchases, asked->demand->products,
               t->bought, t->refused, t->failed, t->seconds, rate, t->p50_ms, t->p99_ms,
               t->runs_mean, invariant);
}
