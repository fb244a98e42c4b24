/* corm_alone: one buyer who waits for each purchase, without a key, with one, and by a ticket.
 *
 * The three ways take turns, purchase by purchase, so that whatever disturbs the machine disturbs all of
 * them. Prints the median time of each. */
#include "shop.h"

#include <corm/corm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRODUCT(X)                                                                                 \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(64))                                                                           \
    X(stock, int)
CORM_MODEL(product, PRODUCT);
CORM_DEFINE(product, PRODUCT);

#define ORDER(X)                                                                                   \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(user_id, int)                                                                                \
    X(product_id, int)                                                                             \
    X(qty, int)
CORM_MODEL(order, ORDER);
CORM_DEFINE(order, ORDER);

enum { WAYS = 3, SOLD_OUT = CORM_USER };

const char *const program = "corm_alone";

static const char *const names[WAYS] = {"lock", "key", "ticket"};

static int buy(struct corm_trx *trx, void *arg)
{
    struct product p;
    int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, 1), .lock = CORM_FOR_UPDATE);

    (void)arg;
    if (rc < 0)
        return rc;
    if (rc == 0 || p.stock < 1)
        return corm_abort(trx, SOLD_OUT, "sold out");
    rc = corm_update(trx, product, corm_eq(product.id, 1), corm_set(product.stock, p.stock - 1));
    if (rc < 0)
        return rc;
    return corm_insert_row(trx, order, &((struct order){.user_id = 1, .product_id = 1, .qty = 1}),
                           .later = true);
}

static int buy_one(struct corm_db *db, int way, struct corm_error *error)
{
    if (way == 0)
        return corm_transact(db, buy, NULL, .error = error);
    if (way == 1)
        return corm_transact(db, buy, NULL, .key = corm_eq(product.id, 1), .error = error);
    int64_t ticket = corm_submit(db, buy, NULL, .key = corm_eq(product.id, 1), .error = error);
    return ticket < 0 ? (int)ticket : corm_wait(db, ticket, error);
}

static void check(int64_t rc, const struct corm_error *error)
{
    if (rc < 0)
        die("%s", error->message);
}

static void make_tables(struct corm_db *db)
{
    struct corm_error error = {0};

    check(corm_drop_table(db, product, .if_exists = true, .error = &error), &error);
    check(corm_drop_table(db, order, .if_exists = true, .error = &error), &error);
    check(corm_create_table(db, product, .error = &error), &error);
    check(corm_create_table(db, order, .error = &error), &error);
    check(corm_insert_row(db, product, &((struct product){.name = "one", .stock = 1000000000}),
                          .error = &error),
          &error);
}

static int by_time(const void *one, const void *two)
{
    const uint64_t *a = one, *b = two;

    return (*a > *b) - (*a < *b);
}

int main(int argc, char **argv)
{
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    size_t            n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    uint64_t         *times[WAYS];

    if (n < 1 || n > MAX_PURCHASES) {
        fprintf(stderr,
                "usage: corm_alone URL PURCHASES\n"
                "Tables `product` and `order` of the database are dropped and made anew.\n");
        return 2;
    }
    check(corm_open(&db, argv[1], .error = &error), &error);
    make_tables(db);
    for (int way = 0; way < WAYS; way++)
        times[way] = allocate(n, sizeof(uint64_t));
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < WAYS; k++) {
            int      way = (int)((i + (size_t)k) % WAYS);
            uint64_t began = now_ns();
            check(buy_one(db, way, &error), &error);
            times[way][i] = now_ns() - began;
        }
    }
    int64_t orders = corm_count(db, order, .error = &error);
    if (orders != (int64_t)(n * WAYS))
        die("%lld orders of %zu purchases", (long long)orders, n * WAYS);
    printf("{\"purchases\":%zu", n);
    for (int way = 0; way < WAYS; way++) {
        qsort(times[way], n, sizeof(uint64_t), by_time);
        size_t middle = n / 2;
        printf(",\"%s_p50_us\":%.1f", names[way], (double)times[way][middle] / 1000);
        free(times[way]);
    }
    printf("}\n");
    corm_close(db);
    return 0;
}
