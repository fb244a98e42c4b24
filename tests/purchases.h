/* tests/purchases.h -- six ways to buy, what the buyer is told, and what the database holds.
 *
 * Each purchase has a mark, a number of its own, which stands in its rows: so one that was applied once,
 * twice or not at all can be told apart whatever corm says. The books are read by the server's own client
 * library, beside corm and beside any proxy.
 *
 * Everything here may be used in threads: what may not happen ends the program with a message. */
#ifndef CORM_TESTS_PURCHASES_H
#define CORM_TESTS_PURCHASES_H

#include "support.h"

#include <mysql.h>

/* The one switch: with a ledger corm answers what became of a COMMIT that was lost; without one it says
 * CORM_UNKNOWN, which promises nothing. */
#if __has_include(<corm/ledger.h>)
#include <corm/ledger.h>
#define HAS_LEDGER 1
#else
#define HAS_LEDGER 0
#endif

#define PRODUCT(X)                                                                                 \
    X(id, int, .pk = 1)                                                                            \
    X(stock, int)
CORM_MODEL(product, PRODUCT);

/* The mark is no unique key: a purchase that is applied twice must show. */
#define PURCHASE(X)                                                                                \
    X(id, bigint, .pk = 1, .autoinc = 1)                                                           \
    X(mark, bigint)                                                                                \
    X(product_id, int)                                                                             \
    X(qty, int)
CORM_MODEL(purchase, PURCHASE);

enum shape {
    SINGLE,   /* one insert on the db */
    LOCKED,   /* a function: read for update, decide, write */
    GUARDED,  /* a function: an update that finds one row or none, and an insert */
    FLUSH,    /* a function: updates and inserts of many rows in one flush */
    GROUP,    /* GROUP_SIZE purchases of one row in a lane */
    EXPLICIT, /* corm_begin() to corm_end() */
    SHAPES
};

enum {
    GROUP_SIZE = 32,
    FLUSH_PRODUCTS = 8,
    MARKS_MAX = GROUP_SIZE,
    PRODUCTS =
        FLUSH_PRODUCTS + 2, /* of a buyer: one for FLUSH each, one for GROUP, one for the others */
    SOLD_OUT = CORM_USER
};

const char *shape_name(enum shape shape);

/* How many purchases a shape makes, with marks one after the other; and how many rows one of them writes,
 * all or none. */
int marks_of(enum shape shape);
int rows_of(enum shape shape);

struct told {
    int      rc;      /* what corm said */
    uint64_t outcome; /* of CORM_UNKNOWN: what corm_outcome() can be asked by, or 0 */
};

struct buyer {
    struct corm_db *db;
    int32_t         first_product; /* PRODUCTS of them are his */
    uint32_t        timeout_ms;
    bool boards_freely;       /* members of a GROUP wait for nobody: it may be several groups */
    bool again_after_unknown; /* what others do, and nobody should: a control */
    /* Called once when all is ready, just before the shape begins: the connection stands still. */
    void (*armed)(void *arg);
    void *arg;
};

/* Makes the purchases of a shape from `mark` on. */
void buy(struct buyer *buyer, enum shape shape, int64_t mark, struct told told[MARKS_MAX]);

/* ---- The database, beside corm ------------------------------------------------ */

/* A connection to the program's database; ends the program where there is none within 30 s. */
MYSQL *open_books(void);

/* Runs SQL; ends the program on an error. The number is the first column of the first row, or 0. */
long long ask_books(MYSQL *books, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, with false where it failed: the server may be dead. */
bool try_books(MYSQL *books, long long *number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The tables, empty, with `products` of this stock, by corm_create_table(). */
void make_shop(struct corm_db *db, int32_t products, int32_t stock);

/* Makes corm's own tables, where there is a ledger. 0, or corm's code. */
int set_up_ledger(struct corm_db *db);

/* How many rows the purchases from `mark` on have, `count` of them; and what the books say was sold of
 * each of PRODUCTS from `product_id` on, which must be what its stock has lost: else `torn`. */
struct page {
    int  rows[MARKS_MAX];
    bool torn; /* stock and rows do not agree */
};
struct page read_page(MYSQL *books, int64_t mark, int count, int32_t product_id,
                      int32_t stock[PRODUCTS]);

/* ---- The verdict --------------------------------------------------------------- */

enum verdict {
    APPLIED,
    ABSENT,
    UNKNOWN_THERE,
    UNKNOWN_ABSENT,
    LATER_THERE,
    LATER_ABSENT,
    WRONG,
    VERDICTS
};

const char *verdict_name(enum verdict verdict);

/* What was told, held against the rows that are there. Where the outcome is unknown, corm is asked again
 * for at most `later_ms`, 0: not. */
enum verdict judge(struct corm_db *db, enum shape shape, const struct told *told, int rows,
                   uint32_t later_ms);

#endif
