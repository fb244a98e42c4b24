/* shop_corm.h -- the shop's tables as models, for the programs that use corm. */
#ifndef BENCH_SHOP_CORM_H
#define BENCH_SHOP_CORM_H

#include "shop.h"

#include <corm/corm.h>

#define PRODUCT(X)                                                                                 \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(20))                                                                           \
    X(stock, int)
CORM_MODEL(product, PRODUCT);

/* `number` is the purchase's own. */
#define ORDER(X)                                                                                   \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(user_id, int)                                                                                \
    X(product_id, int)                                                                             \
    X(qty, int)                                                                                    \
    X(number, int, .unique = 1)
CORM_MODEL(order, ORDER);

enum { SOLD_OUT = CORM_USER };

/* Each ends the program where it fails. */
void          check(int64_t rc, const struct corm_error *error);
void          make_tables(struct corm_db *db, const struct demand *demand); /* anew, and filled */
struct ledger ledger_of(struct corm_db *db, int stock_given);

#endif
