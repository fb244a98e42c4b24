/* race_modes.c -- who buys what, and how a purchase is made in each mode.
 *
 * naive reads, compares and writes in statements of their own: between reading the stock and writing
 * it anybody may have done the same, so pieces are sold twice. lock, guarded and optimistic are the
 * right ways: hold the row while deciding, have the server decide while it writes, or hold nothing and
 * begin anew where somebody else was faster. group is the function of lock, word for word, submitted with
 * the row that it is about: those who wait for the row share one transaction of the server. */
#include "race.h"

/* ---- Who buys what -------------------------------------------------------- */

/* The n-th number of the generator splitmix64 (Steele, Lea, Flood 2014) that began with `seed`: it
 * needs no state, so any thread can ask for any of them. */
static uint64_t splitmix64(uint64_t seed, uint64_t n)
{
    uint64_t z = seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct race_want race_want_of(const struct race_options *options, int32_t index)
{
    uint64_t n = (uint64_t)index * 2;
    uint64_t quantities = (uint64_t)(options->qty_max - options->qty_min) + 1;
    uint64_t qty = splitmix64(options->seed, n) % quantities;
    uint64_t place = splitmix64(options->seed, n + 1) % (uint64_t)options->products;

    return (struct race_want){
        .user_id = index % options->buyers + 1,
        .product_id = (int32_t)place,
        .qty = options->qty_min + (int32_t)qty,
    };
}

/* ---- naive ---------------------------------------------------------------- */

static int sold_out(struct corm_error *error)
{
    error->code = SOLD_OUT;
    return SOLD_OUT;
}

static int buy_naive(struct corm_db *db, struct race_want *want, struct corm_arena *arena,
                     struct corm_error *error)
{
    struct product p;
    int            rc;

    corm_arena_reset(arena);
    rc = corm_first(db, product, &p, .where = corm_eq(product.id, want->product_id), .arena = arena,
                    .error = error);
    if (rc < 0)
        return rc;
    if (rc == 0 || p.stock < want->qty)
        return sold_out(error);

    /* Here is the hole: what was read may be long out of date. */
    rc = corm_update(db, product, corm_eq(product.id, want->product_id),
                     corm_set(product.stock, p.stock - want->qty), .error = error);
    if (rc < 0)
        return rc;
    return corm_insert_row(db, order,
                           (&(struct order){.user_id = want->user_id,
                                            .product_id = want->product_id,
                                            .qty = want->qty}),
                           .error = error);
}

/* ---- lock ----------------------------------------------------------------- */

static int insert_order(struct corm_trx *trx, const struct race_want *want)
{
    struct order row = {.user_id = want->user_id, .product_id = want->product_id, .qty = want->qty};

    return corm_insert_row(trx, order, &row);
}

static int purchase_lock(struct corm_trx *trx, void *arg)
{
    const struct race_want *want = arg;
    struct product          p;
    int                     rc;

    rc = corm_first(trx, product, &p, .where = corm_eq(product.id, want->product_id),
                    .lock = CORM_FOR_UPDATE);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return corm_abort(trx, NOT_FOUND, "there is no product %d", want->product_id);
    if (p.stock < want->qty)
        return corm_abort(trx, SOLD_OUT, "%d left", p.stock);

    rc = corm_update(trx, product, corm_eq(product.id, want->product_id),
                     corm_set(product.stock, p.stock - want->qty));
    if (rc < 0)
        return rc;
    return insert_order(trx, want);
}

static int buy_lock(struct corm_db *db, struct race_want *want, struct corm_arena *arena,
                    struct corm_error *error)
{
    (void)arena;
    return corm_transact(db, purchase_lock, want, .error = error);
}

/* ---- guarded -------------------------------------------------------------- */

static int purchase_guarded(struct corm_trx *trx, void *arg)
{
    const struct race_want *want = arg;
    int                     rc;

    rc = corm_update(
        trx, product,
        corm_and(corm_eq(product.id, want->product_id), corm_ge(product.stock, want->qty)),
        corm_add(product.stock, -want->qty));
    if (rc < 0)
        return rc;
    if (rc == 0)
        return corm_abort(trx, SOLD_OUT, "fewer than %d left", want->qty);
    return insert_order(trx, want);
}

static int buy_guarded(struct corm_db *db, struct race_want *want, struct corm_arena *arena,
                       struct corm_error *error)
{
    (void)arena;
    return corm_transact(db, purchase_guarded, want, .error = error);
}

/* ---- optimistic ----------------------------------------------------------- */

static int purchase_optimistic(struct corm_trx *trx, void *arg)
{
    const struct race_want  *want = arg;
    struct versioned_product p;
    int                      rc;

    rc = corm_first(trx, versioned_product, &p,
                    .where = corm_eq(versioned_product.id, want->product_id));
    if (rc < 0)
        return rc;
    if (rc == 0)
        return corm_abort(trx, NOT_FOUND, "there is no product %d", want->product_id);
    if (p.stock < want->qty)
        return corm_abort(trx, SOLD_OUT, "%d left", p.stock);

    p.stock -= want->qty;
    rc = corm_update_row(trx, versioned_product, &p);
    if (rc < 0)
        return rc; /* CORM_STALE: corm_transact() calls this function again */
    return insert_order(trx, want);
}

static int buy_optimistic(struct corm_db *db, struct race_want *want, struct corm_arena *arena,
                          struct corm_error *error)
{
    (void)arena;
    return corm_transact(db, purchase_optimistic, want, .isolation = CORM_READ_COMMITTED,
                         .error = error);
}

/* ---- All of them ---------------------------------------------------------- */

const struct race_mode race_modes[RACE_MODE_COUNT] = {
    {.name = "naive", .about = "read, compare, write, without a transaction", .buy = buy_naive},
    {.name = "lock",
     .about = "read the row FOR UPDATE, compare, write, in a transaction",
     .buy = buy_lock,
     .strict = true},
    {.name = "guarded",
     .about = "UPDATE ... WHERE stock >= qty, in a transaction",
     .buy = buy_guarded,
     .strict = true},
    {.name = "optimistic",
     .about = "read without a lock, write if the version is still the same, else again",
     .buy = buy_optimistic,
     .strict = true,
     .versioned = true},
    {.name = "group",
     .about =
         "as lock, but all who wait for a row go in one commit, each with an answer of his own",
     .submit = purchase_lock,
     .strict = true},
};
