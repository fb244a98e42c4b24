/* corm_alone: one buyer who waits for each purchase, without a key, with one, and by a ticket.
 *
 * The three ways take turns, purchase by purchase, so that whatever disturbs the machine disturbs all of
 * them. Prints the median time of each. */
#include "shop_corm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 3 };

const char *const program = "corm_alone";

static const char *const names[WAYS] = {"lock", "key", "ticket"};

static int buy(struct corm_trx *trx, void *arg)
{
    const int     *number = arg;
    struct product p;
    int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, 1), .lock = CORM_FOR_UPDATE);

    if (rc < 0)
        return rc;
    if (rc == 0 || p.stock < 1)
        return corm_abort(trx, SOLD_OUT, "sold out");
    rc = corm_update(trx, product, corm_eq(product.id, 1), corm_set(product.stock, p.stock - 1));
    if (rc < 0)
        return rc;
    struct order row = {.user_id = 1, .product_id = 1, .qty = 1, .number = *number};
    return corm_insert_row(trx, order, &row, .later = true);
}

static int buy_one(struct corm_db *db, int way, int *number, struct corm_error *error)
{
    if (way == 0)
        return corm_transact(db, buy, number, .error = error);
    if (way == 1)
        return corm_transact(db, buy, number, .key = corm_eq(product.id, 1), .error = error);
    int64_t ticket = corm_submit(db, buy, number, .key = corm_eq(product.id, 1), .error = error);
    return ticket < 0 ? (int)ticket : corm_wait(db, ticket, error);
}

static void buy_all(struct corm_db *db, const struct demand *demand, uint64_t *times[WAYS])
{
    struct corm_error error = {0};
    int               number = 0;

    for (int i = 0; i < demand->purchases; i++) {
        for (int k = 0; k < WAYS; k++) {
            int      way = (i + k) % WAYS;
            uint64_t began = now_ns();
            number++;
            check(buy_one(db, way, &number, &error), &error);
            times[way][i] = now_ns() - began;
        }
    }
}

/* A line for each way; its rate is what the median time comes to. */
static void print_medians(const struct demand *demand, uint64_t *times[WAYS], bool invariant)
{
    int n = demand->purchases;

    for (int way = 0; way < WAYS; way++) {
        qsort(times[way], (size_t)n, sizeof(uint64_t), compare_u64);
        double p50 = percentile_ms(times[way], (size_t)n, 50);
        printf("{\"how\":\"%s\",\"purchases\":%d,\"bought\":%d,\"refused\":0,\"failed\":0,"
               "\"purchases_per_second\":%.1f,\"p50_ms\":%.6f,\"p99_ms\":%.6f,\"invariant\":%s}\n",
               names[way], n, n, 1000 / p50, p50, percentile_ms(times[way], (size_t)n, 99),
               invariant ? "true" : "false");
    }
}

int main(int argc, char **argv)
{
    struct demand     demand = usual_demand();
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    const char       *url = NULL;
    uint64_t         *times[WAYS];
    bool              invariant;
    struct option_row rows[] = {{"url", "URL", "the database", .text = &url}, {0}};

    read_options(argc, argv, "--url URL [options]; of purchases there are so many of each way",
                 rows, &demand);
    if (url == NULL)
        die("--url is missing (--help tells more)");
    check(corm_open(&db, url, .error = &error), &error);
    demand.stock = INT32_MAX;
    make_tables(db, &demand);
    for (int way = 0; way < WAYS; way++)
        times[way] = allocate((size_t)demand.purchases, sizeof(uint64_t));
    buy_all(db, &demand, times);
    struct ledger ledger = ledger_of(db, demand.stock);
    invariant = ledger.wrong_products == 0 && ledger.order_rows == (int64_t)demand.purchases * WAYS;
    corm_close(db);
    print_medians(&demand, times, invariant);
    for (int way = 0; way < WAYS; way++)
        free(times[way]);
    return invariant ? 0 : 1;
}
