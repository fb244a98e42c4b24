/* sale.c -- the purchase, and what is asked before the shop says "sold out".
 *
 *     sell() ──► purchase() ───────────────────────────► BOUGHT
 *                    │ sold out, or a duplicate
 *                    └──► search() ── it is there ─────► BOUGHT; or ANOTHER_ORDER, if it says something else
 *                             └────── it is not there ─► SOLD_OUT
 *
 * Why nothing is bought twice: the number of an order is its primary key. Why nothing that was bought is told to be
 * sold out: who sends an order again finds the stock as it is now, so the order is looked for before that is said. Whoever
 * has bought it had the product's row locked until his COMMIT, and the purchase that was refused has read that row after it.
 *
 * All functions here run in corm's lanes. Purchases that wait share a transaction of the server; orders that are to be looked
 * for share a statement, because when all is sold out everybody is refused. */
#include "sale.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

CORM_DEFINE(product, PRODUCT);
CORM_DEFINE(order, ORDER);

enum { REFUSED_SOLD_OUT = CORM_USER, REFUSED_NO_PRODUCT };
enum { SEARCH_MAX = 1024 };

/* ---- Selling ------------------------------------------------------------------------------ */

/* corm may run this again, and together with other purchases in one transaction of the server: it touches nothing
 * but trx and arg. */
static int purchase(struct corm_trx *trx, void *arg)
{
    const struct order *want = &((struct sale *)arg)->want;
    struct product      p;

    int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, want->product_id),
                        .lock = CORM_FOR_UPDATE);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return corm_abort(trx, REFUSED_NO_PRODUCT, "no product %d", want->product_id);
    if (p.stock < want->pieces)
        return corm_abort(trx, REFUSED_SOLD_OUT, "%d left", p.stock);

    rc = corm_update(trx, product, corm_eq(product.id, want->product_id),
                     corm_set(product.stock, p.stock - want->pieces),
                     corm_set(product.orders, p.orders + 1),
                     corm_set(product.sold, p.sold + want->pieces));
    if (rc < 0)
        return rc;
    return corm_insert_row(trx, order, want);
}

static int64_t microseconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Tells who runs the shop, and nobody else, what is wrong with its database: once a second, however many ask. */
static void complain(const struct corm_error *error)
{
    static int64_t second, others;
    int64_t        now = microseconds() / 1000000;

    if (now == second) {
        others++;
        return;
    }
    if (others > 0)
        fprintf(stderr, "shop: and %lld times the like of it\n", (long long)others);
    fprintf(stderr, "shop: %s\n", error->message);
    second = now;
    others = 0;
}

/* The sales whose orders are looked for, `count` of them, and those that wait for the next time. */
static struct search {
    struct corm_db  *db;
    struct sale     *sales[SEARCH_MAX];
    struct corm_uuid numbers[SEARCH_MAX];
    size_t           count; /* 0: nothing is under way */
    struct sale     *first, *last;
} searches;

static void begin_search(struct search *search);

/* All in one statement, which locks nothing. It may be one of a group: READ COMMITTED, so that it sees all that is there
 * now, whatever the group has read before. */
static int search(struct corm_trx *trx, void *arg)
{
    struct search *s = arg;
    struct order  *orders;

    int n =
        corm_all(trx, order, &orders, .where = corm_in_list(order.number, s->numbers, s->count));
    for (size_t i = 0; i < s->count; i++) {
        struct sale *one = s->sales[i];
        one->is_found = false;
        for (int k = 0; k < n && !one->is_found; k++) {
            if (memcmp(&orders[k].number, &one->want.number, sizeof(one->want.number)) != 0)
                continue;
            one->found = orders[k];
            one->is_found = true;
        }
    }
    return n;
}

static enum verdict verdict_of(const struct sale *s)
{
    const struct order *a = &s->want, *b = &s->found;

    if (!s->is_found) /* a duplicate that is gone was taken away by hand */
        return s->refusal == REFUSED_SOLD_OUT ? SOLD_OUT : FAILED;
    return a->product_id == b->product_id && a->pieces == b->pieces && a->buyer == b->buyer
               ? BOUGHT
               : ANOTHER_ORDER;
}

static void on_searched(int rc, const struct corm_error *error, void *arg)
{
    struct search *s = arg;

    if (rc < 0)
        complain(error);
    for (size_t i = 0; i < s->count; i++)
        s->sales[i]->told(s->sales[i], rc < 0 ? UNKNOWN : verdict_of(s->sales[i]));
    s->count = 0;
    if (s->first != NULL)
        begin_search(s);
}

/* What is submitted has a key. There is no product 0, so this one locks nothing. */
static void begin_search(struct search *s)
{
    struct corm_error e = {0};

    for (; s->first != NULL && s->count < SEARCH_MAX; s->first = s->first->next) {
        s->sales[s->count] = s->first;
        s->numbers[s->count++] = s->first->want.number;
    }
    if (corm_submit(s->db, search, s, .key = corm_eq(product.id, 0),
                    .isolation = CORM_READ_COMMITTED, .nowait = true, .done = on_searched,
                    .error = &e) < 0)
        on_searched(e.code, &e, s);
}

static void look_for_order(struct sale *sale)
{
    struct search *s = &searches;

    sale->next = NULL;
    if (s->first == NULL)
        s->first = sale;
    else
        s->last->next = sale;
    s->last = sale;
    if (s->count == 0)
        begin_search(s);
}

static void on_sold(int rc, const struct corm_error *error, void *arg)
{
    struct sale *s = arg;

    s->refusal = rc;
    if (rc >= 0) {
        s->told(s, BOUGHT);
    } else if (rc == REFUSED_SOLD_OUT || rc == CORM_DUPLICATE) {
        look_for_order(s);
    } else if (rc == REFUSED_NO_PRODUCT) {
        s->told(s, NO_PRODUCT);
    } else {
        complain(error);
        s->told(s, rc == CORM_UNKNOWN ? UNKNOWN : FAILED);
    }
}

void sell(struct corm_db *db, struct sale *s)
{
    struct corm_error e = {0};

    searches.db = db;
    s->want.placed = microseconds();
    if (corm_submit(db, purchase, s, .key = corm_eq(product.id, s->want.product_id), .nowait = true,
                    .done = on_sold, .error = &e) < 0)
        on_sold(e.code, &e, s);
}

/* ---- Looking ------------------------------------------------------------------------------ */

/* NULL where there is no memory, here and wherever jansson is handed one. */
static json_t *products_of(const struct product *rows, int n)
{
    json_t *list = json_array();

    for (int i = 0; i < n; i++) {
        json_t *one = json_pack("{s:i, s:s, s:i, s:I, s:I}", "id", (int)rows[i].id, "name",
                                rows[i].name, "stock", (int)rows[i].stock, "orders",
                                (json_int_t)rows[i].orders, "sold", (json_int_t)rows[i].sold);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *orders_of(const struct order *rows, int n)
{
    char    number[CORM_UUID_SIZE], placed[CORM_DATETIME_SIZE];
    json_t *list = json_array();

    for (int i = 0; i < n; i++) {
        corm_uuid_format(&rows[i].number, number);
        (void)corm_datetime_format(rows[i].placed, placed);
        json_t *one = json_pack("{s:s, s:i, s:i, s:i, s:s}", "number", number, "product",
                                (int)rows[i].product_id, "pieces", (int)rows[i].pieces, "buyer",
                                (int)rows[i].buyer, "placed", placed);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* Rows live as long as the attempt, so the text is made here. */
static int read_view(struct corm_trx *trx, void *arg)
{
    struct view    *v = arg;
    struct product *products;
    struct order   *orders;

    int n = corm_all(trx, product, &products, .order = {corm_asc(product.id)}, .limit = 100);
    if (n < 0)
        return n;
    int m = corm_all(trx, order, &orders, .order = {corm_desc(order.placed)}, .limit = 10);
    if (m < 0)
        return m;
    json_t *json = json_pack("{s:o, s:o}", "products", products_of(products, n), "latest",
                             orders_of(orders, m));
    free(v->text);
    v->text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return 0;
}

static void on_looked(int rc, const struct corm_error *error, void *arg)
{
    struct view *v = arg;

    if (rc < 0) {
        complain(error);
        free(v->text);
        v->text = NULL;
    }
    v->told(v);
}

/* Its key is that of a search. */
void look(struct corm_db *db, struct view *v)
{
    struct corm_error e = {0};

    if (corm_submit(db, read_view, v, .key = corm_eq(product.id, 0),
                    .isolation = CORM_READ_COMMITTED, .nowait = true, .done = on_looked,
                    .error = &e) < 0)
        on_looked(e.code, &e, v);
}

/* ---- Opening the shop ----------------------------------------------------------------------- */

int shop_tables(struct corm_db *db, struct corm_error *e)
{
    int rc;

    /* The ledger: with it corm itself finds out what became of most COMMITs whose answer was lost. */
    if ((rc = corm_setup(db, e)) < 0 ||
        (rc = corm_create_table(db, product, .if_not_exists = true, .error = e)) < 0 ||
        (rc = corm_create_table(db, order, .if_not_exists = true, .error = e)) < 0)
        return rc;
    rc = corm_exists(db, product, .error = e);
    if (rc != 0)
        return rc;
    return corm_insert_rows(db, product, 3,
                            ((struct product[]){{.name = "bolt", .stock = 100000},
                                                {.name = "nut", .stock = 5000},
                                                {.name = "the last washers", .stock = 7}}),
                            .error = e);
}
