/* race.h -- the race: hundreds of buyers, few products, and a proof from the database.
 *
 *     race_options.c   the command line, as data
 *     race_tables.c    the tables product and order: made afresh, and read back as the proof
 *     race_modes.c     who buys what, and how a purchase is made in each mode
 *     race_run.c       the buyers as threads
 *     race_group.c     the buyers by one thread, which submits what they want
 *     race_tally.c     what they were told: counts, latencies, failures
 *     race_report.c    what a person or a program is told
 *     race.c           the verb: one mode after the other, and the exit code
 *
 * Which piece of which product a purchase wants depends on the seed and its number alone, so a race
 * can be run again; who is first does not, so who is refused differs. */
#ifndef CORM_CLI_RACE_H
#define CORM_CLI_RACE_H

#include <corm/corm.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- The tables ----------------------------------------------------------- */

#define PRODUCT(X)                                                                                 \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(20))                                                                           \
    X(stock, int)
CORM_MODEL(product, PRODUCT);

/* The same table as it is in a mode that is `versioned`. */
#define VERSIONED_PRODUCT(X)                                                                       \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(20))                                                                           \
    X(stock, int)                                                                                  \
    X(version, int, .version = 1)
CORM_MODEL_AS(versioned_product, "product", VERSIONED_PRODUCT);

#define ORDER(X)                                                                                   \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(user_id, int)                                                                                \
    X(product_id, int)                                                                             \
    X(qty, int)
CORM_MODEL(order, ORDER);

/* ---- What is asked for ---------------------------------------------------- */

struct race_options {
    char    *url;       /* for corm_open(), with its pool=; NULL: the environment (or scratch) */
    bool     scratch;   /* an SQLite file in a temporary folder */
    int32_t  buyers;    /* threads, or purchases under way */
    int32_t  purchases; /* of all buyers together */
    int32_t  products;
    int32_t  stock;   /* of each product */
    int32_t  qty_min; /* pieces of one purchase */
    int32_t  qty_max;
    uint64_t seed;
    int32_t  connections; /* for pool= of scratch; 0: not given */
    bool     json;
    bool     verbose;
    bool     replace; /* drop the tables whoever made them */
    unsigned modes;   /* bit i: race_modes[i] */
};

/* Reads the command line. Returns -1 and fills *options, which the caller frees with
 * race_options_free(); or the exit code, when help was asked for or something was wrong, which has
 * then been said. */
int  race_options_read(struct race_options *options, int argc, const char **argv);
void race_options_free(struct race_options *options);

/* ---- Purchases ------------------------------------------------------------ */

enum { NOT_FOUND = CORM_USER, SOLD_OUT };

struct race_want {
    int32_t user_id;
    int32_t product_id;
    int32_t qty;
};

/* One purchase. Returns >= 0 when it was made; SOLD_OUT; or another negative code, with *error set.
 * The arena is the buyer's own, for text that is read outside a transaction. */
typedef int race_purchase(struct corm_db *db, struct race_want *want, struct corm_arena *arena,
                          struct corm_error *error);

struct race_mode {
    const char    *name;
    const char    *about;                            /* half a sentence */
    race_purchase *buy;                              /* in a thread of each buyer; NULL: */
    int (*submit)(struct corm_trx *trx, void *want); /* for corm_submit(), which one thread calls */
    bool strict;    /* it must not oversell, and runs in transactions */
    bool versioned; /* its product is a versioned_product */
};

enum { RACE_MODE_COUNT = 5, RACE_MODE_DEFAULT = 4 };
extern const struct race_mode race_modes[RACE_MODE_COUNT];

/* What purchase number `index` (from 0) wants. product_id is the place of the product in the list of
 * all products, from 0. */
struct race_want race_want_of(const struct race_options *options, int32_t index);

/* ---- Tables and proof ----------------------------------------------------- */

/* Before a table is dropped: 0 when there is nothing in product and order but what a race put there,
 * 1 when there is, or a negative code with *error set. */
int race_tables_are_foreign(struct corm_db *db, struct corm_error *error);

/* Drops and creates both tables, as the mode wants them, and inserts the products. Puts their ids, in
 * order, into `ids`, which has room for all. 0 or a negative code with *error set. */
int race_tables_make(struct corm_db *db, const struct race_options *options,
                     const struct race_mode *mode, int32_t *ids, struct corm_error *error);

/* What the database says when all is over, and what does not fit. */
struct race_proof {
    int64_t stock_before;
    int64_t stock_after;
    int64_t order_rows;
    int64_t order_pieces;
    int64_t unbalanced; /* products: stock before - stock after is not what was ordered of it */
    int64_t below_zero; /* products with a stock below zero */
    int64_t stray_rows; /* orders of a product that does not exist */
    int32_t example_id; /* the first unbalanced product, and its numbers */
    int64_t example_after;
    int64_t example_pieces;
};

/* Reads it back. 0 or a negative code with *error set. */
int race_proof_read(struct corm_db *db, const struct race_options *options,
                    struct race_proof *proof, struct corm_error *error);

/* ---- A run ---------------------------------------------------------------- */

enum { RACE_FAILURE_KINDS = 5 };

/* Purchases that failed with the same code of corm and of the server. */
struct race_failure {
    int64_t           count;
    struct corm_error first;
};

/* One mode, run once. */
struct race_result {
    const struct race_mode *mode;
    int64_t                 bought;
    int64_t                 refused;
    int64_t                 failed;
    int64_t                 unknown; /* of these: nobody knows whether they happened */
    int64_t                 pieces_bought;
    struct race_failure     failures[RACE_FAILURE_KINDS];
    int                     failure_kinds;
    int64_t                 failed_otherwise; /* those that found no room in `failures` */
    double                  seconds;
    double                  p50_ms;
    double                  p99_ms;
    uint64_t                round_trips;
    uint64_t                attempts;
    uint64_t                groups;  /* transactions of the server that purchases shared */
    uint64_t                members; /* purchases in them, again those that ran again */
    struct race_proof       proof;
};

/* ---- Report --------------------------------------------------------------- */

/* Purchases that shared a transaction, in the mean; 0 in a mode where each has its own. */
double race_group_size_mean(const struct race_result *result);

/* Pieces that were ordered although the stock did not give them. */
int64_t race_oversold(const struct race_result *result);

/* Whether what the buyers were told and what the database holds are the same. */
bool race_invariant(const struct race_result *result);

/* For a person: what is going to happen. `connections` are open. */
void race_report_start(const struct race_options *options, enum corm_dialect dialect,
                       int connections);

/* For a person a block, for a program one line of JSON. */
void race_report_result(const struct race_options *options, enum corm_dialect dialect,
                        const struct race_result *result);

/* On stderr: why purchases failed. */
void race_report_failures(const struct race_result *result);

/* One line on a terminal, written over and over; purchases so far. */
void race_progress_show(const struct race_mode *mode, int64_t bought, int64_t refused,
                        int64_t failed, double seconds);
void race_progress_clear(void);

/* On stderr: what went wrong, and while doing what. */
void race_complain(const char *doing, const struct corm_error *error);

#endif
