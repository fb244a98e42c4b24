/* race.c -- five hundred buyers want the same tickets, and every one of them is told the truth.
 *
 *     cc examples/race.c -Iinclude -Lbuild -Wl,-rpath,"$PWD/build" -lcorm -o race
 *     ./race                                             on SQLite, in the file race.db
 *     ./race mariadb://user:password@127.0.0.1/shop      on a server
 *     DATABASE_URL=mariadb://... ./race                  ... with the password out of sight
 *
 * Each buyer wants 1 to 30 tickets: they are taken from the stock and an order is written, both or
 * neither. All are submitted at once, and share transactions of the server; each is told what became of
 * its own. In the end the database itself is asked whether all is well. The race
 * makes the tables `product` and `order` if they are not there, and adds one product of its own, so
 * it can be run again and again, and disturbs nobody. */
#include <corm/corm.h>

#include <stdio.h>
#include <stdlib.h>

/* One list per table. CORM_MODEL makes of it `struct product`, which holds a row, and the handle
 * `product`, whose members are typed columns: product.stock. CORM_DEFINE stands in one .c file. */
#define PRODUCT(X)                                                                                 \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(20))                                                                           \
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

enum { BUYERS = 500, STOCK = 5000 };

/* A purchase can be refused: these are results of ours, not errors of the database. */
enum { NOT_FOUND = CORM_USER, SOLD_OUT };

struct purchase {
    int32_t user_id, product_id, qty;
};

/* corm may run this again after a deadlock, and together with other purchases in one transaction of the
 * server: it touches nothing but trx and arg. */
static int purchase(struct corm_trx *trx, void *arg)
{
    const struct purchase *want = arg;
    struct product         p;

    /* FOR UPDATE: from here to the commit the row is ours, and what we read of it stays true. */
    int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, want->product_id),
                        .lock = CORM_FOR_UPDATE);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return corm_abort(trx, NOT_FOUND, "product %d", want->product_id);
    if (p.stock < want->qty)
        return corm_abort(trx, SOLD_OUT, "%d left", p.stock);

    rc = corm_update(trx, product, corm_eq(product.id, want->product_id),
                     corm_set(product.stock, p.stock - want->qty));
    if (rc < 0)
        return rc;
    return corm_insert_row(trx, order,
                           &(struct order){.user_id = want->user_id,
                                           .product_id = want->product_id,
                                           .qty = want->qty});
}

struct buyer {
    struct purchase   want; /* first: what purchase() gets */
    int               rc;   /* what the buyer was told */
    struct corm_error error;
};

/* Called by corm_drain(), in our thread, when a purchase is committed or refused; not before. */
static void on_done(int rc, const struct corm_error *error, void *arg)
{
    struct buyer *b = arg;

    b->rc = rc;
    b->error = *error;
}

/* Sends all buyers off at once, and waits for them. The key is the row that each wants first: those who
 * want the same one stand in the same lane. */
static void race(struct corm_db *db, int32_t product_id, struct buyer *buyers)
{
    for (int i = 0; i < BUYERS; i++) {
        struct buyer *b = &buyers[i];
        b->want = (struct purchase){i + 1, product_id, 1 + i * 7 % 30};
        int64_t ticket = corm_submit(db, purchase, b, .key = corm_eq(product.id, product_id),
                                     .done = on_done, .error = &b->error);
        if (ticket < 0)
            b->rc = (int)ticket;
    }
    corm_drain(db);
}

/* Counts what the buyers were told. Returns how many bought; *failed is how many know nothing. */
static int count(const struct buyer *buyers, int *failed)
{
    int bought = 0, refused = 0;

    *failed = 0;
    for (int i = 0; i < BUYERS; i++) {
        if (buyers[i].rc >= 0)
            bought++;
        else if (buyers[i].rc == SOLD_OUT)
            refused++;
        else if ((*failed)++ == 0)
            fprintf(stderr, "race: a purchase failed: %s\n", buyers[i].error.message);
    }
    printf("%d buyers: %d bought, %d refused, %d failed\n", BUYERS, bought, refused, *failed);
    return bought;
}

/* Believes the database alone: what has left the stock must be what was ordered, and there must be
 * an order for everyone who was told "bought". Returns 1 if so, 0 if not, or a negative code. */
static int prove(struct corm_db *db, int32_t product_id, int bought, struct corm_arena *arena,
                 struct corm_error *e)
{
    struct product p = {0};
    struct order  *orders;
    int            pieces = 0;

    int rc = corm_first(db, product, &p, .where = corm_eq(product.id, product_id), .arena = arena,
                        .error = e);
    if (rc < 0)
        return rc;
    int n = corm_all(db, order, &orders, .where = corm_eq(order.product_id, product_id),
                     .arena = arena, .error = e);
    if (n < 0)
        return n;
    for (int i = 0; i < n; i++)
        pieces += orders[i].qty;

    int holds = STOCK - p.stock == pieces && n == bought && p.stock >= 0;
    printf("stock %d - %d = %d pieces, %d pieces in %d orders: %s\n", STOCK, p.stock,
           STOCK - p.stock, pieces, n, holds ? "the proof holds" : "BROKEN");
    return holds;
}

static int run(struct corm_db *db, struct corm_arena *arena, struct corm_error *e)
{
    static struct buyer buyers[BUYERS];
    int64_t             id;
    int                 rc, failed;

    if ((rc = corm_create_table(db, product, .if_not_exists = true, .error = e)) < 0 ||
        (rc = corm_create_table(db, order, .if_not_exists = true, .error = e)) < 0)
        return rc;
    /* The server makes the key of the new row; .id is where we want it. */
    struct product ticket = {.name = "race ticket", .stock = STOCK};
    rc = corm_insert_row(db, product, &ticket, .id = &id, .error = e);
    if (rc < 0)
        return rc;

    race(db, (int32_t)id, buyers);
    int bought = count(buyers, &failed);
    rc = prove(db, (int32_t)id, bought, arena, e);
    return rc < 0 ? rc : rc == 1 && failed == 0;
}

int main(int argc, char **argv)
{
    const char        *url = argc > 1 ? argv[1] : NULL; /* NULL: where DATABASE_URL says */
    struct corm_arena *arena = corm_arena_new();
    struct corm_error  e = {0};
    struct corm_db    *db;

    if (url == NULL && getenv("DATABASE_URL") == NULL) {
        url = "sqlite:race.db";
        printf("no database was named: this is SQLite, in the file race.db\n");
    }
    int rc = corm_open(&db, url, .error = &e);
    if (rc >= 0)
        rc = run(db, arena, &e);
    if (rc < 0)
        fprintf(stderr, "race: %s\n", e.message);
    corm_close(db);
    corm_arena_free(arena);
    return rc == 1 ? 0 : 1;
}
