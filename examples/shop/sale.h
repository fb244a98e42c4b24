/* sale.h -- what the shop keeps, and what it does with it; nothing of HTTP is in here.
 *
 * Nothing here blocks but shop_tables(). A sale and a view are under way from the call that begins them until their
 * `told` was called, by corm_dispatch() or by that call itself; so long they belong to this part. */
#ifndef SHOP_SALE_H
#define SHOP_SALE_H

#include <corm/corm.h>

#define PRODUCT(X)                                                                                 \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(40))                                                                           \
    X(stock, int)                                                                                  \
    X(orders, bigint) /* how many there are of it, and of how many pieces: for the page, */        \
    X(sold, bigint)   /* which cannot count millions of orders each second */
CORM_MODEL(product, PRODUCT);

/* The client makes the number of his order, before he sends it for the first time. It is the key, so an order that
 * is sent twice is there once. */
#define ORDER(X)                                                                                   \
    X(number, uuid, .pk = 1)                                                                       \
    X(product_id, int)                                                                             \
    X(pieces, int)                                                                                 \
    X(buyer, int)                                                                                  \
    X(placed, datetime, .index = 1)
CORM_MODEL(order, ORDER);

enum verdict {
    BOUGHT,        /* the order is in the database, by this sale or by one before it */
    SOLD_OUT,      /* it is not, because there are too few pieces */
    NO_PRODUCT,    /* it is not, because there is no such product */
    ANOTHER_ORDER, /* another order has this number */
    FAILED, /* this sale has bought nothing: the database could not be reached, or is too busy */
    UNKNOWN /* it may be there; who sends it again is told */
};

struct sale {
    struct order want;
    void (*told)(struct sale *sale, enum verdict verdict);
    int          refusal; /* the rest is this part's own */
    bool         is_found;
    struct order found;
    struct sale *next;
};

/* Buys what `want` says, unless there is an order with this number. A program has one db. */
void sell(struct corm_db *db, struct sale *sale);

/* The first hundred products and the latest ten orders, as JSON: in `text` when `told` is called, or NULL when they could not be read. */
struct view {
    void (*told)(struct view *view);
    char *text;
};

/* Reads a view. `text` is NULL, or of the last time. */
void look(struct corm_db *db, struct view *view);

/* Makes the tables, and corm's own, where there are none, and products where there are none. 0, or a negative code
 * with its details in *e. Blocks. */
int shop_tables(struct corm_db *db, struct corm_error *e);

#endif
