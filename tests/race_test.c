/* race_test.c -- many buyers, few products, and a proof from the database.
 *
 * A *buyer* is a thread that makes purchases one after the other, and notes what it was told. All
 * start at once. When they are done a plain client, which is not corm, reads the tables, and prove()
 * holds what the buyers were told against them: what left the stock of a product is what was ordered
 * of it, there is one order for each purchase that was told "bought" and none beside, nobody was
 * refused what was still there, and nothing failed.
 *
 * Two tests are controls: they do it wrong, and fail unless the proof breaks.
 *
 * Deadlines are minutes, so that a slow machine is only slow. */
#include "support.h"

#include <mysql.h>
#include <sqlite3.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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

enum { NOT_FOUND = CORM_USER, SOLD_OUT, REGRETTED };
enum { PRODUCTS_MAX = 3, BUYERS_MAX = 250, ROUNDS_MAX = 20, HANG_MS = 120000 };

#define PATIENT "pool=8&timeout_ms=600000"

struct want {
    int32_t user_id; /* another one in each purchase of a test */
    int32_t product_id, qty;
};

/* One purchase. Returns >= 0 when it was made, SOLD_OUT or REGRETTED when it was not, or another
 * negative code with *error set. */
typedef int buy_function(struct corm_db *db, struct want *want, struct corm_error *error);

/* ---- The shop ------------------------------------------------------------- */

static struct shop {
    struct corm_db *db;
    int32_t         products;
    int32_t         stock;      /* of each, in the beginning */
    char            place[256]; /* for plain clients: the file or the database's name */
} shop;

/* Opens the database, with fresh tables and products 1, 2 ... of `stock` pieces each. */
static void open_shop(int32_t products, int32_t stock)
{
    assert_in_range(products, 1, PRODUCTS_MAX);
    shop.db = open_db(PATIENT);
    shop.products = products;
    shop.stock = stock;
    new_table(shop.db, product);
    new_table(shop.db, order);
    for (int32_t id = 1; id <= products; id++)
        beside("INSERT INTO product (id, name, stock) VALUES (%" PRId32 ", 'thing', %" PRId32 ")",
               id, stock);
    const char *url = test_url(NULL);
    (void)snprintf(shop.place, sizeof(shop.place), "%s",
                   is_mariadb() ? strrchr(url, '/') + 1 : url + strlen("sqlite:"));
}

static void close_shop(void)
{
    corm_close(shop.db);
}

static long long stock_of(int32_t id)
{
    return number_beside("SELECT stock FROM product WHERE id = %" PRId32, id);
}

static long long ordered_of(int32_t id)
{
    return number_beside("SELECT COALESCE(SUM(qty), 0) FROM `order` WHERE product_id = %" PRId32,
                         id);
}

/* ---- Ways to buy ------------------------------------------------------------ */

static int insert_order(struct corm_trx *trx, const struct want *want)
{
    struct order row = {.user_id = want->user_id, .product_id = want->product_id, .qty = want->qty};

    return corm_insert_row(trx, order, &row);
}

static int take_from_stock(struct corm_trx *trx, const struct want *want, enum corm_lock lock)
{
    struct product p;
    int            rc =
        corm_first(trx, product, &p, .where = corm_eq(product.id, want->product_id), .lock = lock);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return corm_abort(trx, NOT_FOUND, "product %" PRId32, want->product_id);
    if (p.stock < want->qty)
        return corm_abort(trx, SOLD_OUT, "%" PRId32 " left", p.stock);
    return corm_update(trx, product, corm_eq(product.id, want->product_id),
                       corm_set(product.stock, p.stock - want->qty));
}

static int purchase_lock(struct corm_trx *trx, void *arg)
{
    int rc = take_from_stock(trx, arg, CORM_FOR_UPDATE);

    return rc < 0 ? rc : insert_order(trx, arg);
}

static int purchase_unlocked(struct corm_trx *trx, void *arg)
{
    int rc = take_from_stock(trx, arg, CORM_NO_LOCK);

    return rc < 0 ? rc : insert_order(trx, arg);
}

static int purchase_guarded(struct corm_trx *trx, void *arg)
{
    const struct want *want = arg;
    int                rc = corm_update(
                       trx, product,
                       corm_and(corm_eq(product.id, want->product_id), corm_ge(product.stock, want->qty)),
                       corm_add(product.stock, -want->qty));

    if (rc < 0)
        return rc;
    if (rc == 0)
        return corm_abort(trx, SOLD_OUT, "fewer than %" PRId32 " left", want->qty);
    return insert_order(trx, want);
}

static int buy_lock(struct corm_db *db, struct want *want, struct corm_error *error)
{
    return corm_transact(db, purchase_lock, want, .error = error);
}

static int buy_guarded(struct corm_db *db, struct want *want, struct corm_error *error)
{
    return corm_transact(db, purchase_guarded, want, .error = error);
}

static int buy_unlocked(struct corm_db *db, struct want *want, struct corm_error *error)
{
    return corm_transact(db, purchase_unlocked, want, .error = error);
}

static int buy_at_repeatable_read(struct corm_db *db, struct want *want, struct corm_error *error)
{
    return corm_transact(db, purchase_unlocked, want, .isolation = CORM_REPEATABLE_READ,
                         .error = error);
}

static int buy_locked_at_repeatable_read(struct corm_db *db, struct want *want,
                                         struct corm_error *error)
{
    return corm_transact(db, purchase_lock, want, .isolation = CORM_REPEATABLE_READ,
                         .error = error);
}

static int buy_at_read_committed(struct corm_db *db, struct want *want, struct corm_error *error)
{
    return corm_transact(db, purchase_unlocked, want, .isolation = CORM_READ_COMMITTED,
                         .error = error);
}

/* What the header tells the user of corm_begin() to run again. */
static bool runs_again(int rc)
{
    return rc == CORM_DEADLOCK || rc == CORM_CONFLICT || rc == CORM_LOCK_TIMEOUT;
}

static int buy_explicit(struct corm_db *db, struct want *want, struct corm_error *error)
{
    struct corm_trx *trx;
    int              rc = corm_begin(db, &trx, .error = error);

    while (rc == 0) {
        int did = want->user_id % 2 == 0 ? purchase_lock(trx, want) : purchase_guarded(trx, want);
        rc = corm_commit(trx);
        if (did < 0 && rc >= 0) { /* it committed half of the work */
            *error = (struct corm_error){.message = "a doomed transaction was committed"};
            rc = CORM_SERVER_ERROR;
        }
        if (!runs_again(rc))
            break;
        rc = corm_start(trx);
    }
    corm_end(trx);
    return rc;
}

/* Outside a transaction: between reading and writing anybody may have done the same. */
static int buy_naive(struct corm_db *db, struct want *want, struct corm_error *error)
{
    struct corm_arena *arena = corm_arena_new();
    struct product     p = {0};
    struct order row = {.user_id = want->user_id, .product_id = want->product_id, .qty = want->qty};
    int          rc = corm_first(db, product, &p, .where = corm_eq(product.id, want->product_id),
                                 .arena = arena, .error = error);

    corm_arena_free(arena);
    if (rc < 0)
        return rc;
    if (p.stock < want->qty)
        return SOLD_OUT;
    rc = corm_update(db, product, corm_eq(product.id, want->product_id),
                     corm_set(product.stock, p.stock - want->qty), .error = error);
    return rc < 0 ? rc : corm_insert_row(db, order, &row, .error = error);
}

/* ---- Buyers ------------------------------------------------------------------- */

struct buyer {
    pthread_t         thread;
    struct gate      *gate;
    buy_function     *buy;
    struct want       want;      /* of the first purchase; the next ones have the next user_id */
    int               purchases; /* how many it makes */
    long long         bought, refused, regretted, failed;
    long long         pieces, users; /* sums over what was bought */
    int32_t           least_refused; /* the smallest qty that was not to be had */
    struct corm_error error;         /* of the first that failed */
};

static struct buyer buyers[BUYERS_MAX];

/* What the buyers were told, all together. */
struct told {
    long long         bought, refused, regretted, failed;
    long long         pieces, users;
    int32_t           least_refused[PRODUCTS_MAX + 1]; /* by product */
    struct corm_error error;
};

static void note(struct buyer *b, const struct want *want, int rc, const struct corm_error *error)
{
    if (rc >= 0) {
        b->bought++;
        b->pieces += want->qty;
        b->users += want->user_id;
    } else if (rc == SOLD_OUT) {
        b->refused++;
        if (want->qty < b->least_refused)
            b->least_refused = want->qty;
    } else if (rc == REGRETTED) {
        b->regretted++;
    } else if (b->failed++ == 0) {
        b->error = *error;
    }
}

static void *buyer_main(void *arg)
{
    struct buyer *b = arg;

    if (!pass_gate(b->gate, HANG_MS))
        return NULL;
    for (int i = 0; i < b->purchases; i++) {
        struct corm_error error = {0};
        struct want       want = b->want;
        want.user_id += i;
        int rc = b->buy(shop.db, &want, &error);
        note(b, &want, rc, &error);
    }
    return NULL;
}

/* Buyer number i of those that are to come. */
static struct buyer *set_buyer(size_t i, buy_function *buy, int32_t product_id, int32_t qty,
                               int purchases)
{
    assert_in_range(i, 0, BUYERS_MAX - 1);
    buyers[i] = (struct buyer){
        .buy = buy,
        .want = {.user_id = (int32_t)i * 1000 + 1, .product_id = product_id, .qty = qty},
        .purchases = purchases,
        .least_refused = INT32_MAX,
    };
    return &buyers[i];
}

static void add_up(struct told *told, const struct buyer *b)
{
    told->bought += b->bought;
    told->refused += b->refused;
    told->regretted += b->regretted;
    told->pieces += b->pieces;
    told->users += b->users;
    if (b->failed > 0 && told->failed == 0)
        told->error = b->error;
    told->failed += b->failed;
    if (b->least_refused < told->least_refused[b->want.product_id])
        told->least_refused[b->want.product_id] = b->least_refused;
}

/* Lets the first `count` buyers loose, all at once, and waits for them. */
static struct told let_buy(size_t count)
{
    struct gate gate = GATE;
    struct told told = {.least_refused = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX}};
    size_t      started = 0;
    long long   purchases = 0;

    for (; started < count; started++) {
        buyers[started].gate = &gate;
        if (pthread_create(&buyers[started].thread, NULL, buyer_main, &buyers[started]) != 0)
            break;
    }
    open_gate(&gate);
    for (size_t i = 0; i < started; i++) {
        pthread_join(buyers[i].thread, NULL);
        add_up(&told, &buyers[i]);
        purchases += buyers[i].purchases;
    }
    assert_int_equal(started, count);
    assert_int_equal(told.bought + told.refused + told.regretted + told.failed, purchases);
    return told;
}

/* ---- The proof ------------------------------------------------------------------ */

/* Whether what left the stock is what was ordered. */
static bool balances(void)
{
    for (int32_t id = 1; id <= shop.products; id++)
        if (shop.stock - stock_of(id) != ordered_of(id))
            return false;
    return true;
}

static void prove(const struct told *told)
{
    if (told->failed > 0)
        fail_msg("%lld purchases failed: %s", told->failed, told->error.message);
    for (int32_t id = 1; id <= shop.products; id++) {
        long long left = stock_of(id);
        assert_true(left >= 0);
        assert_int_equal(shop.stock - left, ordered_of(id));
        assert_true(left < told->least_refused[id]);
    }
    assert_int_equal(number_beside("SELECT COUNT(*) FROM `order`"), told->bought);
    assert_int_equal(number_beside("SELECT COALESCE(SUM(qty), 0) FROM `order`"), told->pieces);
    assert_int_equal(number_beside("SELECT COUNT(DISTINCT user_id) FROM `order`"), told->bought);
    assert_int_equal(number_beside("SELECT COALESCE(SUM(user_id), 0) FROM `order`"), told->users);
}

/* ---- Stock runs out ---------------------------------------------------------------- */

static void fifty_buyers_of_one_to_five_pieces(buy_function *buy)
{
    open_shop(1, 100);
    for (size_t i = 0; i < 50; i++)
        set_buyer(i, buy, 1, (int32_t)(1 + i % 5), 1);
    struct told told = let_buy(50);
    prove(&told);
    assert_true(told.refused > 0); /* they wanted 150 */
    close_shop();
}

static void fifty_buyers_who_lock_are_told_the_truth(void **state)
{
    (void)state;
    fifty_buyers_of_one_to_five_pieces(buy_lock);
}

static void fifty_guarded_buyers_are_told_the_truth(void **state)
{
    (void)state;
    fifty_buyers_of_one_to_five_pieces(buy_guarded);
}

static void two_hundred_want_one_of_a_hundred(buy_function *buy, buy_function *others)
{
    open_shop(1, 100);
    for (size_t i = 0; i < 200; i++)
        set_buyer(i, i % 2 == 0 ? buy : others, 1, 1, 1);
    struct told told = let_buy(200);
    prove(&told);
    assert_int_equal(told.bought, 100);
    assert_int_equal(told.refused, 100);
    assert_int_equal(stock_of(1), 0);
    close_shop();
}

static void of_200_who_lock_100_get_the_last_100_pieces(void **state)
{
    (void)state;
    two_hundred_want_one_of_a_hundred(buy_lock, buy_lock);
}

static void of_200_guarded_100_get_the_last_100_pieces(void **state)
{
    (void)state;
    two_hundred_want_one_of_a_hundred(buy_guarded, buy_guarded);
}

static void of_200_of_both_kinds_100_get_the_last_100_pieces(void **state)
{
    (void)state;
    two_hundred_want_one_of_a_hundred(buy_lock, buy_guarded);
}

static void three_products_are_sold_out_at_the_same_time(void **state)
{
    (void)state;
    open_shop(3, 40);
    for (size_t i = 0; i < 180; i++)
        set_buyer(i, i / 3 % 2 == 0 ? buy_lock : buy_guarded, (int32_t)(1 + i % 3), 1, 1);
    struct told told = let_buy(180);
    prove(&told);
    assert_int_equal(told.bought, 3 * 40);
    assert_int_equal(told.refused, 3 * 20);
    for (int32_t id = 1; id <= 3; id++)
        assert_int_equal(stock_of(id), 0);
    close_shop();
}

static void buyers_of_both_kinds_share_a_stock(void **state)
{
    (void)state;
    open_shop(2, 250);
    for (size_t i = 0; i < 40; i++)
        set_buyer(i, i % 2 == 0 ? buy_lock : buy_guarded, (int32_t)(1 + i / 2 % 2),
                  (int32_t)(1 + i % 3), 10);
    struct told told = let_buy(40);
    prove(&told);
    assert_true(told.bought > 0 && told.refused > 0);
    close_shop();
}

/* ---- Nothing is left of what did not commit -------------------------------------------- */

enum { WAYS_TO_FAIL = 4 };

/* Ends a purchase, with its update and its order made, in one of the ways to fail or, as often as in
 * all of them together, well. */
static int regret(struct corm_trx *trx, const struct want *want)
{
    struct product twin = {.name = "thing", .stock = 1};

    switch ((uint32_t)want->user_id * 2654435761u >> 16 & (2 * WAYS_TO_FAIL - 1)) {
    case 0: return corm_abort(trx, REGRETTED, "too dear");
    case 1: return REGRETTED;
    case 2: (void)corm_abort(trx, REGRETTED, "too dear"); return 0; /* and nobody looks at it */
    case 3:
        /* The server refuses something, and the function does not care. */
        (void)corm_sql(trx, NULL, "INSERT INTO product (id, name, stock) VALUES (?, ?, ?)",
                       corm_vals(want->product_id, twin.name, twin.stock));
        return 0;
    default: return 0;
    }
}

static int purchase_or_regret(struct corm_trx *trx, void *arg)
{
    const struct want *want = arg;
    int rc = want->user_id % 2 == 0 ? purchase_lock(trx, arg) : purchase_guarded(trx, arg);

    return rc < 0 ? rc : regret(trx, want);
}

static int buy_or_regret(struct corm_db *db, struct want *want, struct corm_error *error)
{
    int rc = corm_transact(db, purchase_or_regret, want, .error = error);

    return rc == CORM_DUPLICATE ? REGRETTED : rc;
}

static int buy_or_leave(struct corm_db *db, struct want *want, struct corm_error *error)
{
    struct corm_trx *trx;
    int              rc = corm_begin(db, &trx, .error = error);

    while (rc == 0) {
        rc = purchase_or_regret(trx, want);
        if (rc >= 0 && corm_trx_error(trx)->code == 0)
            rc = corm_commit(trx);
        else if (rc != REGRETTED || want->user_id % 3 == 0)
            rc = rc < 0 ? rc : corm_trx_error(trx)->code; /* corm_end() rolls back */
        else
            (void)corm_rollback(trx);
        if (!runs_again(rc))
            break;
        (void)corm_rollback(trx);
        rc = corm_start(trx);
    }
    corm_end(trx);
    return rc == CORM_DUPLICATE ? REGRETTED : rc;
}

static void functions_that_fail_after_their_update_leave_nothing(void **state)
{
    (void)state;
    open_shop(2, 1000);
    for (size_t i = 0; i < 16; i++)
        set_buyer(i, buy_or_regret, (int32_t)(1 + i % 2), (int32_t)(1 + i % 3), 25);
    struct told told = let_buy(16);
    prove(&told);
    assert_true(told.bought > 0 && told.regretted > 0);
    close_shop();
}

static void transactions_that_are_rolled_back_or_just_ended_leave_nothing(void **state)
{
    (void)state;
    open_shop(2, 1000);
    for (size_t i = 0; i < 16; i++)
        set_buyer(i, buy_or_leave, (int32_t)(1 + i % 2), (int32_t)(1 + i % 3), 25);
    struct told told = let_buy(16);
    prove(&told);
    assert_true(told.bought > 0 && told.regretted > 0);
    close_shop();
}

/* The update of one way is still buffered when it is undone, that of the other is on the server. */
static int purchase_in_vain(struct corm_trx *trx, void *arg)
{
    const struct want *want = arg;
    int rc = want->user_id % 2 == 0 ? purchase_lock(trx, arg) : purchase_guarded(trx, arg);

    return rc < 0 ? rc : corm_abort(trx, REGRETTED, "too dear");
}

/* Buys product 1 in a nested transaction, thinks better of it, and buys what was wanted. */
static int purchase_at_the_second_try(struct corm_trx *trx, void *arg)
{
    const struct want *want = arg;
    struct want        first = {.user_id = -want->user_id, .product_id = 1, .qty = want->qty};
    int                rc = corm_transact(trx, purchase_in_vain, &first);

    if (rc != REGRETTED && rc != SOLD_OUT)
        return rc;
    return purchase_lock(trx, arg);
}

static int buy_at_the_second_try(struct corm_db *db, struct want *want, struct corm_error *error)
{
    return corm_transact(db, purchase_at_the_second_try, want, .error = error);
}

static void nested_functions_that_fail_leave_nothing_and_the_rest_stays(void **state)
{
    (void)state;
    open_shop(2, 200);
    for (size_t i = 0; i < 16; i++)
        set_buyer(i, i % 2 == 0 ? buy_lock : buy_at_the_second_try, (int32_t)(1 + i % 2), 1, 30);
    struct told told = let_buy(16);
    prove(&told);
    assert_int_equal(told.bought, 400);
    assert_int_equal(told.refused, 80);
    close_shop();
}

/* ---- Functions need no locks ------------------------------------------------------------- */

static struct told eight_threads(buy_function *buy, int purchases)
{
    for (size_t i = 0; i < 8; i++)
        set_buyer(i, buy, 1, 1, purchases);
    return let_buy(8);
}

static void a_function_that_reads_without_a_lock_loses_no_update(void **state)
{
    (void)state;
    open_shop(1, 150);
    struct told told = eight_threads(buy_unlocked, 25);
    prove(&told);
    assert_int_equal(told.bought, 150);
    assert_int_equal(told.refused, 50);
    close_shop();
}

static void at_repeatable_read_it_loses_no_update_either(void **state)
{
    (void)state;
    if (is_mariadb() && number_beside("SELECT COUNT(*) FROM information_schema.system_variables "
                                      "WHERE variable_name = 'innodb_snapshot_isolation'") == 0)
        skip(); /* a server that is too old for it */
    open_shop(1, 150);
    struct told told = eight_threads(buy_at_repeatable_read, 25);
    prove(&told);
    assert_int_equal(told.bought, 150);
    close_shop();
}

/* With 200 on one row a server ends transactions all the time: by deadlocks, by stale snapshots where
 * innodb_snapshot_isolation is on (at REPEATABLE READ), by locks that are not had. Nobody is told. */
static void two_hundred_threads_on_one_row(buy_function *buy, int purchases)
{
    open_shop(1, 1000000);
    for (size_t i = 0; i < 200; i++)
        set_buyer(i, buy, 1, 1, purchases);
    struct told told = let_buy(200);
    prove(&told);
    assert_int_equal(told.failed, 0);
    assert_int_equal(told.bought, 200 * purchases);
    close_shop();
}

static void no_caller_hears_of_a_deadlock_on_a_hot_row(void **state)
{
    (void)state;
    two_hundred_threads_on_one_row(buy_lock, 3);
}

static void nor_does_one_who_has_not_locked_it(void **state)
{
    (void)state;
    two_hundred_threads_on_one_row(buy_unlocked, 1);
}

static void with_snapshot_isolation_nobody_hears_of_a_conflict(void **state)
{
    (void)state;
    two_hundred_threads_on_one_row(buy_locked_at_repeatable_read, 3);
}

static void nor_does_one_who_has_read_a_snapshot(void **state)
{
    (void)state;
    two_hundred_threads_on_one_row(buy_at_repeatable_read, 1);
}

enum { SEATS = 20 };

/* There is no row that could be locked: what is counted are rows that do not exist yet. */
static int take_seat(struct corm_trx *trx, void *arg)
{
    const struct want *want = arg;
    int64_t taken = corm_count(trx, order, .where = corm_eq(order.product_id, want->product_id));

    if (taken < 0)
        return (int)taken;
    if (taken >= SEATS)
        return corm_abort(trx, SOLD_OUT, "all seats are taken");
    return insert_order(trx, want);
}

static int buy_seat(struct corm_db *db, struct want *want, struct corm_error *error)
{
    return corm_transact(db, take_seat, want, .error = error);
}

static void a_limit_that_a_function_counts_is_kept(void **state)
{
    (void)state;
    open_shop(1, 0);
    struct told told = eight_threads(buy_seat, 5);
    if (told.failed > 0)
        fail_msg("%s", told.error.message);
    assert_int_equal(told.bought, SEATS);
    assert_int_equal(told.refused, 20);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM `order`"), SEATS);
    close_shop();
}

/* ---- Two rows, in opposite order ------------------------------------------------------------ */

/* On MariaDB the first attempts of two threads meet here, each with one row locked. */
static struct gate has_locked[2];

static int lock_row(struct corm_trx *trx, int32_t id, struct product *p)
{
    int rc = corm_first(trx, product, p, .where = corm_eq(product.id, id), .lock = CORM_FOR_UPDATE);

    return rc == 0 ? corm_abort(trx, NOT_FOUND, "product %" PRId32, id) : rc;
}

/* Moves a piece from one product to the other, and notes it as an order. */
static int move(struct corm_trx *trx, const struct want *want, bool meet)
{
    int32_t        from = want->product_id, to = 3 - from;
    struct product p, q;
    int            rc = lock_row(trx, from, &p);

    if (rc >= 0 && meet && corm_attempt(trx) == 1) {
        open_gate(&has_locked[from - 1]);
        if (!pass_gate(&has_locked[to - 1], HANG_MS))
            return corm_abort(trx, NOT_FOUND, "the other one did not come");
    }
    if (rc >= 0)
        rc = lock_row(trx, to, &q);
    if (rc >= 0)
        rc = corm_update(trx, product, corm_eq(product.id, from),
                         corm_set(product.stock, p.stock - 1));
    if (rc >= 0)
        rc = corm_update(trx, product, corm_eq(product.id, to),
                         corm_set(product.stock, q.stock + 1));
    return rc < 0 ? rc : insert_order(trx, want);
}

static int move_one(struct corm_trx *trx, void *arg)
{
    return move(trx, arg, false);
}

static int meet_and_move_one(struct corm_trx *trx, void *arg)
{
    return move(trx, arg, is_mariadb());
}

static int buy_move(struct corm_db *db, struct want *want, struct corm_error *error)
{
    return corm_transact(db, move_one, want, .error = error);
}

static int buy_meeting(struct corm_db *db, struct want *want, struct corm_error *error)
{
    return corm_transact(db, meet_and_move_one, want, .error = error);
}

/* Every move has committed, and counts once. */
static void prove_moves(const struct told *told, long long moves)
{
    if (told->failed > 0)
        fail_msg("%lld moves failed: %s", told->failed, told->error.message);
    assert_int_equal(told->bought, moves);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM `order`"), moves);
    assert_int_equal(shop.stock - stock_of(1), ordered_of(1) - ordered_of(2));
    assert_int_equal(stock_of(1) + stock_of(2), 2 * shop.stock);
}

static void both_of_a_deadlock_commit(void **state)
{
    (void)state;
    has_locked[0] = has_locked[1] = (struct gate)GATE;
    open_shop(2, 100);
    struct corm_counters before = stats_of(shop.db);
    set_buyer(0, buy_meeting, 1, 1, 1);
    set_buyer(1, buy_meeting, 2, 1, 1);
    struct told told = let_buy(2);
    prove_moves(&told, 2);
    long long attempts = (long long)(stats_of(shop.db).attempts - before.attempts);
    assert_true(is_mariadb() ? attempts > 2 : attempts == 2);
    close_shop();
}

static void many_who_lock_two_rows_in_opposite_order_all_commit(void **state)
{
    (void)state;
    open_shop(2, 1000);
    for (size_t i = 0; i < 16; i++)
        set_buyer(i, buy_move, (int32_t)(1 + i % 2), 1, 20);
    struct told told = let_buy(16);
    prove_moves(&told, 320);
    close_shop();
}

/* ---- Others on the same database -------------------------------------------------------------- */

static void explicit_transactions_and_functions_share_a_stock(void **state)
{
    (void)state;
    open_shop(1, 300);
    for (size_t i = 0; i < 24; i++)
        set_buyer(i,
                  i % 3 == 0   ? buy_lock
                  : i % 3 == 1 ? buy_guarded
                               : buy_explicit,
                  1, (int32_t)(1 + i % 2), 10);
    struct told told = let_buy(24);
    prove(&told);
    assert_true(told.bought > 0 && told.refused > 0);
    close_shop();
}

static int failed_beside(const char *message, struct corm_error *error)
{
    (void)snprintf(error->message, sizeof(error->message), "a plain client: %s", message);
    return error->code = CORM_SERVER_ERROR;
}

static void put_update(char *text, size_t size, const struct want *want)
{
    (void)snprintf(text, size,
                   "UPDATE product SET stock = stock - %" PRId32 " WHERE id = %" PRId32
                   " AND stock >= %" PRId32,
                   want->qty, want->product_id, want->qty);
}

static void put_insert(char *text, size_t size, const struct want *want)
{
    (void)snprintf(text, size,
                   "INSERT INTO `order` (user_id, product_id, qty) VALUES (%" PRId32 ", %" PRId32
                   ", %" PRId32 ")",
                   want->user_id, want->product_id, want->qty);
}

/* A purchase by the server's own client library, in a transaction, as any other program makes it. */
static int buy_by_mysql(MYSQL *mysql, const struct want *want, struct corm_error *error)
{
    const char *socket = getenv("CORM_TEST_MARIADB_SOCKET");
    char        update[256], insert[256];

    put_update(update, sizeof(update), want);
    put_insert(insert, sizeof(insert), want);
    if (mysql_real_connect(mysql, NULL, getenv("CORM_TEST_MARIADB_USER"),
                           getenv("CORM_TEST_MARIADB_PASSWORD"), shop.place, 0, socket,
                           0) == NULL ||
        mysql_query(mysql, "START TRANSACTION") != 0 || mysql_query(mysql, update) != 0)
        return failed_beside(mysql_error(mysql), error);
    if (mysql_affected_rows(mysql) == 0)
        return SOLD_OUT; /* closing rolls back */
    if (mysql_query(mysql, insert) != 0 || mysql_query(mysql, "COMMIT") != 0)
        return failed_beside(mysql_error(mysql), error);
    return 0;
}

static int buy_by_sqlite(sqlite3 *file, const struct want *want, struct corm_error *error)
{
    char update[256], insert[256];

    put_update(update, sizeof(update), want);
    put_insert(insert, sizeof(insert), want);
    (void)sqlite3_busy_timeout(file, HANG_MS);
    if (sqlite3_exec(file, "PRAGMA wal_autocheckpoint=0; BEGIN IMMEDIATE", NULL, NULL, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(file, update, NULL, NULL, NULL) != SQLITE_OK)
        return failed_beside(sqlite3_errmsg(file), error);
    if (sqlite3_changes(file) == 0)
        return SOLD_OUT;
    if (sqlite3_exec(file, insert, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(file, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return failed_beside(sqlite3_errmsg(file), error);
    return 0;
}

static int buy_beside(struct corm_db *db, struct want *want, struct corm_error *error)
{
    int rc;

    (void)db;
    if (is_mariadb()) {
        MYSQL *mysql = mysql_init(NULL);
        rc = mysql == NULL ? failed_beside("no memory", error) : buy_by_mysql(mysql, want, error);
        mysql_close(mysql);
        mysql_thread_end();
        return rc;
    }
    sqlite3 *file = NULL;
    rc = sqlite3_open(shop.place, &file) == SQLITE_OK
             ? buy_by_sqlite(file, want, error)
             : failed_beside("the file cannot be opened", error);
    (void)sqlite3_close(file);
    return rc;
}

static void another_program_and_corm_share_a_stock(void **state)
{
    (void)state;
    open_shop(1, 200);
    for (size_t i = 0; i < 16; i++)
        set_buyer(i, i % 4 == 0 ? buy_lock : i % 4 == 1 ? buy_guarded : buy_beside, 1, 1, 15);
    struct told told = let_buy(16);
    prove(&told);
    assert_int_equal(told.bought, 200);
    assert_int_equal(told.refused, 40);
    close_shop();
}

/* The sum of what is in stock and what is ordered, in one snapshot: whoever buys, it stays. */
static int look_around(struct corm_trx *trx, void *arg)
{
    struct product p;
    int            rc = corm_first(trx, product, &p, .where = corm_eq(product.id, 1));
    int64_t        orders = rc < 0 ? rc : corm_count(trx, order);

    (void)arg;
    if (orders < 0)
        return (int)orders;
    if (p.stock + orders != shop.stock)
        return corm_abort(trx, NOT_FOUND, "%" PRId32 " in stock and %" PRId64 " ordered", p.stock,
                          orders);
    return 0;
}

static int watch(struct corm_db *db, struct want *want, struct corm_error *error)
{
    int rc = corm_transact(db, look_around, want, .read_only = true, .error = error);

    return rc < 0 ? rc : REGRETTED; /* nothing was bought */
}

static void every_snapshot_balances_while_others_buy(void **state)
{
    (void)state;
    open_shop(1, 1000);
    for (size_t i = 0; i < 12; i++)
        set_buyer(i, i % 3 == 0 ? watch : i % 3 == 1 ? buy_lock : buy_guarded, 1, 1, 25);
    struct told told = let_buy(12);
    prove(&told);
    assert_int_equal(told.bought, 200);
    close_shop();
}

/* ---- Controls: done wrong, it goes wrong ---------------------------------------------------------- */

/* Lets `count` threads buy again and again until the books do not balance. */
static bool breaks(buy_function *buy, size_t count, int purchases)
{
    bool broken = false;

    for (int round = 0; round < ROUNDS_MAX && !broken; round++) {
        open_shop(1, 1000);
        for (size_t i = 0; i < count; i++)
            set_buyer(i, buy, 1, 1, purchases);
        struct told told = let_buy(count);
        broken = !balances();
        close_shop();
        if (told.failed > 0)
            fail_msg("%s", told.error.message);
        assert_int_equal(told.bought, (long long)count * purchases);
    }
    return broken;
}

static void control_without_a_transaction_updates_are_lost(void **state)
{
    (void)state;
    assert_true(breaks(buy_naive, 16, 10));
}

static void control_at_read_committed_updates_are_lost(void **state)
{
    (void)state;
    assert_true(breaks(buy_at_read_committed, 8, 25));
}

static void whatever_isolation_is_asked_for_sqlite_is_serializable(void **state)
{
    (void)state;
    open_shop(1, 150);
    struct told told = eight_threads(buy_at_read_committed, 25);
    prove(&told);
    assert_int_equal(told.bought, 150);
    close_shop();
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest both[] = {
        cmocka_unit_test(control_without_a_transaction_updates_are_lost),
        cmocka_unit_test(fifty_buyers_who_lock_are_told_the_truth),
        cmocka_unit_test(fifty_guarded_buyers_are_told_the_truth),
        cmocka_unit_test(of_200_who_lock_100_get_the_last_100_pieces),
        cmocka_unit_test(of_200_guarded_100_get_the_last_100_pieces),
        cmocka_unit_test(of_200_of_both_kinds_100_get_the_last_100_pieces),
        cmocka_unit_test(three_products_are_sold_out_at_the_same_time),
        cmocka_unit_test(buyers_of_both_kinds_share_a_stock),
        cmocka_unit_test(functions_that_fail_after_their_update_leave_nothing),
        cmocka_unit_test(transactions_that_are_rolled_back_or_just_ended_leave_nothing),
        cmocka_unit_test(nested_functions_that_fail_leave_nothing_and_the_rest_stays),
        cmocka_unit_test(a_function_that_reads_without_a_lock_loses_no_update),
        cmocka_unit_test(at_repeatable_read_it_loses_no_update_either),
        cmocka_unit_test(no_caller_hears_of_a_deadlock_on_a_hot_row),
        cmocka_unit_test(nor_does_one_who_has_not_locked_it),
        cmocka_unit_test(with_snapshot_isolation_nobody_hears_of_a_conflict),
        cmocka_unit_test(nor_does_one_who_has_read_a_snapshot),
        cmocka_unit_test(a_limit_that_a_function_counts_is_kept),
        cmocka_unit_test(both_of_a_deadlock_commit),
        cmocka_unit_test(many_who_lock_two_rows_in_opposite_order_all_commit),
        cmocka_unit_test(explicit_transactions_and_functions_share_a_stock),
        cmocka_unit_test(another_program_and_corm_share_a_stock),
        cmocka_unit_test(every_snapshot_balances_while_others_buy),
    };
    static const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(whatever_isolation_is_asked_for_sqlite_is_serializable),
    };
    static const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(control_at_read_committed_updates_are_lost),
    };

    support_begin(argc, argv);
    int failed = run_group(both, COUNT(both), sqlite, COUNT(sqlite), mariadb, COUNT(mariadb));
    support_end();
    return failed;
}
