/* race.h -- the race: hundreds of buyers, few products, and a proof from the database.
 *
 *     race_options.c   the command line, as data
 *     race_tables.c    the tables product and order: made afresh, and read back as the proof
 *     race_modes.c     who buys what, and how a purchase is made in each mode
 *     race_run.c       the buyers as threads
 *     race_group.c     the buyers by one thread, which submits what they want
 *     race_nodes.c     which node of a cluster a purchase goes to, and what the nodes have refused
 *     race_tally.c     what they were told: counts, latencies, failures
 *     race_times.c     when they were told, and how long they had waited, in a bounded space
 *     race_progress.c  the line on a terminal while they buy
 *     race_report.c    what a person or a program is told
 *     race_page.c      the page of --report; race_page.html is its text, style and script
 *     race.c           the verb: one mode after the other, and the exit code
 *
 * Which piece of which product a purchase wants depends on the seed and its number alone, so a race
 * can be run again; who is first does not, so who is refused differs. */
#ifndef CORM_CLI_RACE_H
#define CORM_CLI_RACE_H

#include <corm/corm.h>

#include <jansson.h>
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
    char    *report; /* the page's file; NULL: none */
    bool     verbose;
    bool     replace;      /* drop the tables whoever made them */
    unsigned modes;        /* bit i: race_modes[i] */
    uint32_t nodes;        /* of the database */
    bool     random_nodes; /* chance decides which of them, not the key */
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

/* ---- When, and how long ---------------------------------------------------- */

/* How long purchases had waited: how many, by time. A bucket is an eighth of a doubling wide. */
enum { RACE_WAIT_BUCKETS = 256 };
struct race_waits {
    int64_t counts[RACE_WAIT_BUCKETS];
    int64_t count;
};

void race_waits_add(struct race_waits *waits, int64_t ns);
/* The end of a bucket, which does not belong to it. */
double race_wait_limit_ms(int bucket);
/* About the time that `percent` of all did not exceed: the end of its bucket. 0 of nothing. */
double race_waits_percentile_ms(const struct race_waits *waits, int percent);

/* What happened when: slices of equal width, from the start. When a race outlasts them two become one, all
 * along, so there is always room. */
enum { RACE_SLICES = 120 };
struct race_slice {
    int64_t  bought;
    int64_t  refused;
    int64_t  failed;
    int64_t  pieces;  /* told bought */
    uint64_t groups;  /* since the start of the race, as the slice ended; see race_times.c */
    uint64_t members; /* likewise */
};
struct race_timeline {
    int64_t           slice_ns;
    int               used; /* slices, the last one may be going on */
    struct race_slice slices[RACE_SLICES];
};

void race_timeline_start(struct race_timeline *timeline);
/* The slice of a time since the start, and whether it is the first one asked for in it. */
struct race_slice *race_timeline_at(struct race_timeline *timeline, int64_t ns, bool *is_new);

/* ---- Nodes ---------------------------------------------------------------- */

enum { RACE_NODES = 16 };

/* What the nodes of a cluster have counted so far. */
struct race_nodes {
    bool    is_cluster;
    int64_t sent[RACE_NODES]; /* write sets of each node */
    int64_t refused;          /* on all: by certification, or thrown out by one of another node */
};

/* How many nodes a URL names; NULL: the environment. */
uint32_t race_nodes_count(const char *url);

/* The node that purchase number `index` is to run on, from 1; 0: the one of its key. */
uint32_t race_node_of(const struct race_options *options, int32_t index);

/* 0, with nothing counted where there is one node; or a negative code with *error set. */
int race_nodes_read(struct corm_db *db, uint32_t count, struct race_nodes *nodes,
                    struct corm_error *error);

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
    double                  p90_ms;
    double                  p99_ms;
    double                  max_ms;
    struct race_waits       waits;
    struct race_timeline    timeline;
    uint64_t                round_trips;
    uint64_t                attempts;
    uint64_t                groups;      /* transactions of the server that purchases shared */
    uint64_t                members;     /* purchases in them, again those that ran again */
    struct corm_histogram   group_sizes; /* how many groups had how many members */
    struct race_proof       proof;
    struct race_nodes       nodes_before, nodes_after;
};

/* ---- Report --------------------------------------------------------------- */

/* Purchases that shared a transaction, in the mean; 0 in a mode where each has its own. */
double race_group_size_mean(const struct race_result *result);

/* Pieces that were ordered although the stock did not give them. */
int64_t race_oversold(const struct race_result *result);

/* Whether what the buyers were told and what the database holds are the same. */
bool race_invariant(const struct race_result *result);

/* As people call it. */
const char *race_dialect_name(enum corm_dialect dialect);

/* For a person: what is going to happen. `connections` are open. */
void race_report_start(const struct race_options *options, enum corm_dialect dialect,
                       int connections);

/* For a person a block, for a program one line of JSON. */
void race_report_result(const struct race_options *options, enum corm_dialect dialect,
                        const struct race_result *result);

/* For a person: the nodes of a cluster and their conflicts; nothing for other databases. */
void race_nodes_report(const struct race_options *options, const struct race_result *result);

/* On stderr: why purchases failed. */
void race_report_failures(const struct race_result *result);

/* The same as one line of JSON; NULL when there is no memory. The caller frees it with json_decref(). */
json_t *race_report_json(const struct race_options *options, const struct race_result *result);

/* ---- Progress: one line on a terminal, written over and over ---------------- */

/* Whether somebody is watching who wants it. */
bool race_progress_is_wanted(const struct race_options *options);

/* Purchases so far. */
struct race_progress {
    const struct race_mode *mode;
    int64_t                 purchases; /* all there will be */
    int64_t                 told;
    int64_t                 failed;
    double                  seconds;
    double                  p99_ms;
    double                  group_size; /* mean; 0: no groups */
};

enum { RACE_PROGRESS_SIZE = 512 };

/* The line for a terminal of so many columns, one of which stays free, with colours or without. */
void race_progress_line(const struct race_progress *progress, int columns, bool colour,
                        char line[static RACE_PROGRESS_SIZE]);

void race_progress_show(const struct race_progress *progress);
void race_progress_clear(void);

/* ---- The page of --report ---------------------------------------------------- */

struct race_page;

/* Begins the page of options->report: looks whether it could be written. False when not: errno says why.
 * *page is NULL where none was asked for, which the other calls take. */
bool race_page_begin(const struct race_options *options, struct race_page **page);
/* What it says above the modes. */
void race_page_about(struct race_page *page, enum corm_dialect dialect, int connections);
/* Adds a mode. */
void race_page_add(struct race_page *page, const struct race_result *result);
/* Writes it and puts it in its place, over an older one. False when that was not possible: errno says why,
 * and what was there is still there. */
bool race_page_end(struct race_page *page);
void race_page_free(struct race_page *page);

/* The text of race_page.html, made into an array by the build. */
extern const char race_page_html[];

/* On stderr: what went wrong, and while doing what. */
void race_complain(const char *doing, const struct corm_error *error);

#endif
