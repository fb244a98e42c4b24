/* options.h -- the command line of the bench's programs: a table, which is read and told from.
 *
 * All programs that make purchases take the same options for what is bought (struct demand), and each
 * adds its own. What is wrong ends the program with 2, and --help with 0; neither shows a URL, because it
 * holds a password. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* What is bought. */
struct demand {
    int      purchases; /* of all buyers together */
    int      products;
    int      stock; /* of each product; -1 until it is known: enough for all */
    int      qty_min;
    int      qty_max;
    uint64_t seed;
    bool     in_turn; /* the products one after the other, each by as many: a race follows a race */
    bool     json;    /* the outcome as one JSON object on a line */
};

/* One option. What it says goes where the one of number, text and flag points that is not NULL. */
struct option_row {
    const char  *name;
    const char  *value; /* as the help calls it; NULL: a flag, which takes none */
    const char  *about; /* for the help, with the default */
    int         *number;
    int          low, high; /* of number */
    const char **text;
    bool        *flag;
};

/* Reads the command line: the rows, which end with one of zeros, and those of *demand, which has the
 * defaults and may be NULL. `usage` is the line that the help begins with. */
void read_options(int argc, char **argv, const char *usage, const struct option_row *rows,
                  struct demand *demand);

/* Whether nobody need be refused. */
bool enough_for_all(const struct demand *demand);

/* As most programs have it: 10,000 purchases of one product, 1 to 30 pieces each, the seed 1. */
struct demand usual_demand(void);

#endif
