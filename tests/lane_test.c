/* tests/lane_test.c -- transactions with a key: lanes, groups, and who is told what, the same on SQLite and
 * MariaDB.
 *
 * What is in the database is asked beside corm. Functions run on the threads of lanes: they note what they
 * see, and the test looks at it. Where an order must be forced, a gate holds a lane or a function. */
#include "support.h"

#include <dirent.h>
#include <malloc.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PRODUCT(X)                                                                                 \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(20))                                                                           \
    X(stock, int)
CORM_MODEL(product, PRODUCT);
CORM_DEFINE(product, PRODUCT);

#define BOUGHT(X)                                                                                  \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(buyer, int, .unique = 1)                                                                     \
    X(product_id, int)                                                                             \
    X(qty, int)
CORM_MODEL(bought, BOUGHT);
CORM_DEFINE(bought, BOUGHT);

#define SHELF(X)                                                                                   \
    X(hall, int, .pk = 1)                                                                          \
    X(place, varchar(10), .pk = 1)                                                                 \
    X(stock, int)
CORM_MODEL(shelf, SHELF);
CORM_DEFINE(shelf, SHELF);

#define LABEL(X)                                                                                   \
    X(name, varchar(20), .pk = 1)                                                                  \
    X(stock, int)
CORM_MODEL(label, LABEL);
CORM_DEFINE(label, LABEL);

/* Made by raw SQL: the server refuses what the model would take. */
#define STRICT(X)                                                                                  \
    X(id, int, .pk = 1)                                                                            \
    X(name, varchar(20))                                                                           \
    X(product_id, int)                                                                             \
    X(stock, int)
CORM_MODEL(strict, STRICT);
CORM_DEFINE(strict, STRICT);

#define MISSING(X) X(id, int, .pk = 1)
CORM_MODEL(missing, MISSING);
CORM_DEFINE(missing, MISSING);

#define KEYLESS(X) X(stock, int)
CORM_MODEL(keyless, KEYLESS);
CORM_DEFINE(keyless, KEYLESS);

enum { NOT_FOUND = CORM_USER, SOLD_OUT, REFUSED, LATE_GATE };
enum { STOCK = 1000, WAIT_MS = 20000 };

static struct corm_db *db;

static void open_lanes(const char *options)
{
    struct corm_error e = {0};

    db = open_db(options);
    new_table(db, bought);
    new_table(db, product);
    for (int32_t i = 0; i < 4; i++)
        assert_ok(corm_insert_row(db, product, &(struct product){.name = "thing", .stock = STOCK},
                                  .error = &e),
                  &e);
}

static long long stock_of(int id)
{
    return number_beside("SELECT stock FROM product WHERE id = %d", id);
}

static long long rows_of(const char *where)
{
    return number_beside("SELECT COUNT(*) FROM bought WHERE %s", where);
}

/* ---- Purchases -------------------------------------------------------------------------- */

struct buy {
    int32_t           buyer, product_id, qty;
    int               refuse_after; /* the writes; or 0 */
    int               rc;           /* told */
    struct corm_error error;
    atomic_int        told, runs;
    int32_t           seen; /* the stock, in the last run */
    int64_t           id;
    bool              id_now; /* .id instead of .id_later */
    pthread_t         teller;
};

/* The textbook's purchase. */
static int purchase(struct corm_trx *trx, void *arg)
{
    struct buy    *want = arg;
    struct product p;

    want->runs++;
    int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, want->product_id),
                        .lock = CORM_FOR_UPDATE);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return corm_abort(trx, NOT_FOUND, "product %d", want->product_id);
    want->seen = p.stock;
    if (p.stock < want->qty)
        return corm_abort(trx, SOLD_OUT, "%d left of %d", p.stock, want->product_id);
    rc = corm_update(trx, product, corm_eq(product.id, want->product_id),
                     corm_set(product.stock, p.stock - want->qty));
    if (rc < 0)
        return rc;
    const struct bought row = {
        .buyer = want->buyer, .product_id = want->product_id, .qty = want->qty};
    rc = want->id_now ? corm_insert_row(trx, bought, &row, .id = &want->id)
                      : corm_insert_row(trx, bought, &row, .id_later = &want->id);
    if (rc < 0)
        return rc;
    if (want->refuse_after != 0)
        return corm_abort(trx, want->refuse_after, "changed his mind");
    return 7;
}

static void on_done(int rc, const struct corm_error *error, void *arg)
{
    struct buy *b = arg;

    b->rc = rc;
    b->error = *error;
    b->teller = pthread_self();
    b->told++;
}

static int64_t submit(struct buy *b)
{
    struct corm_error e = {0};
    int64_t ticket = corm_submit(db, purchase, b, .key = corm_eq(product.id, b->product_id),
                                 .done = on_done, .error = &e);

    assert_ok(ticket, &e);
    return ticket;
}

/* ---- Holding a lane ------------------------------------------------------------------------- */

struct hold {
    struct gate entered, open;
    int         rc;
};

static int hold_lane(struct corm_trx *trx, void *arg)
{
    struct hold *h = arg;

    open_gate(&h->entered);
    return pass_gate(&h->open, WAIT_MS) ? 0 : corm_abort(trx, LATE_GATE, "the gate stayed closed");
}

static void hold_done(int rc, const struct corm_error *error, void *arg)
{
    struct hold *h = arg;

    (void)error;
    h->rc = rc;
}

/* Keeps the lane of product 4 busy until let_go(). */
static int64_t hold(struct hold *h)
{
    struct corm_error e = {0};
    int64_t ticket = corm_submit(db, hold_lane, h, .key = corm_eq(product.id, 4), .done = hold_done,
                                 .error = &e);

    assert_ok(ticket, &e);
    assert_true(pass_gate(&h->entered, WAIT_MS));
    return ticket;
}

static void let_go(struct hold *h)
{
    open_gate(&h->open);
}

#define HOLD                                                                                       \
    {                                                                                              \
        GATE, GATE, 0                                                                              \
    }

/* ---- Many buyers ------------------------------------------------------------------------------ */

enum { THREADS = 16, EACH = 25 };

struct buyer {
    int32_t from;
    int     bought, refused, wrong;
};

static void *buy_in_thread(void *arg)
{
    struct buyer *b = arg;

    for (int32_t i = 0; i < EACH; i++) {
        struct buy want = {.buyer = b->from + i, .product_id = 1 + i % 2, .qty = 1 + i % 9};
        int  rc = corm_transact(db, purchase, &want, .key = corm_eq(product.id, want.product_id),
                                .error = &want.error);
        char says[64];
        (void)snprintf(says, sizeof(says), "%d left of %d", want.seen, want.product_id);
        if (rc == 7 && want.error.code == 0 && want.id > 0)
            b->bought++;
        else if (rc == SOLD_OUT && want.error.code == SOLD_OUT &&
                 strcmp(want.error.message, says) == 0)
            b->refused++;
        else
            b->wrong++;
    }
    return NULL;
}

static void buyers_in_many_threads_are_told_the_truth(void **state)
{
    struct buyer buyers[THREADS] = {{0}};
    int          done = 0, refused = 0;

    (void)state;
    beside("UPDATE product SET stock = 300");
    for (int i = 0; i < THREADS; i++)
        buyers[i].from = i * EACH;
    run_threads(THREADS, buy_in_thread, buyers, sizeof(buyers[0]));
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(buyers[i].wrong, 0);
        done += buyers[i].bought;
        refused += buyers[i].refused;
    }
    assert_int_equal(done + refused, THREADS * EACH);
    assert_true(refused > 0 && done > 0);
    assert_int_equal(rows_of("1 = 1"), done);
    for (int id = 1; id <= 2; id++)
        assert_int_equal(
            stock_of(id) +
                number_beside("SELECT COALESCE(SUM(qty), 0) FROM bought WHERE product_id = %d", id),
            300);
}

static void purchases_are_submitted_and_told_in_the_thread_that_drains(void **state)
{
    enum { N = 500 };
    struct buy *all = calloc(N, sizeof(*all));
    int         refused = 0;

    (void)state;
    beside("UPDATE product SET stock = 700 WHERE id = 1");
    for (int32_t i = 0; i < N; i++) {
        all[i] = (struct buy){.buyer = i, .product_id = 1, .qty = 2};
        (void)submit(&all[i]);
    }
    assert_int_equal(corm_drain(db), N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(all[i].told, 1);
        assert_true(pthread_equal(all[i].teller, pthread_self()));
        if (i < 350) {
            assert_int_equal(all[i].rc, 7);
            assert_int_equal(all[i].error.code, 0);
            assert_int_equal(all[i].seen, 700 - 2 * i);
            assert_int_equal(rows_of("buyer = 0"), 1);
        } else {
            assert_code(all[i].rc, SOLD_OUT, &all[i].error);
            assert_string_equal(all[i].error.message, "0 left of 1");
            refused++;
        }
    }
    assert_int_equal(refused, 150);
    assert_int_equal(stock_of(1), 0);
    assert_int_equal(rows_of("1 = 1"), 350);
    assert_int_equal(corm_drain(db), 0);
    free(all);
}

/* ---- One group ------------------------------------------------------------------------------------ */

static void refused_member_leaves_no_trace_and_the_next_sees_those_before_it(void **state)
{
    struct hold h = HOLD;
    struct buy  all[6] = {{0}};

    (void)state;
    hold(&h);
    struct corm_counters before = stats_of(db);
    for (int i = 0; i < 6; i++) {
        all[i] = (struct buy){.buyer = 100 + i, .product_id = 1, .qty = 10 + i};
        all[i].refuse_after = i % 2 == 1 ? REFUSED : 0;
        (void)submit(&all[i]);
    }
    let_go(&h);
    assert_int_equal(corm_drain(db), 7);
    assert_int_equal(stats_of(db).groups - before.groups, 2); /* the one that was held, and this */
    long long left = STOCK;
    for (int i = 0; i < 6; i++) {
        assert_int_equal(all[i].seen, left);
        if (i % 2 == 1) {
            assert_code(all[i].rc, REFUSED, &all[i].error);
            assert_string_equal(all[i].error.message, "changed his mind");
            continue;
        }
        assert_int_equal(all[i].rc, 7);
        left -= all[i].qty;
    }
    assert_int_equal(stock_of(1), left);
    assert_int_equal(rows_of("buyer IN (100, 102, 104)"), 3);
    assert_int_equal(rows_of("1 = 1"), 3);
}

static void generated_keys_reach_who_asked_for_them(void **state)
{
    enum { N = 40 };
    struct hold h = HOLD;
    struct buy  all[N] = {{0}};

    (void)state;
    hold(&h);
    for (int i = 0; i < N; i++) {
        all[i] =
            (struct buy){.buyer = i, .product_id = 1 + i % 3, .qty = 1, .id_now = i % 13 == 12};
        all[i].refuse_after = i % 7 == 6 ? REFUSED : 0;
        (void)submit(&all[i]);
    }
    let_go(&h);
    (void)corm_drain(db);
    for (int i = 0; i < N; i++) {
        if (all[i].refuse_after != 0) {
            assert_int_equal(all[i].rc, REFUSED);
            continue;
        }
        assert_int_equal(all[i].rc, 7);
        assert_int_equal(number_beside("SELECT id FROM bought WHERE buyer = %d", i), all[i].id);
    }
}

static void nobody_is_told_before_the_commit_not_even_a_refusal(void **state)
{
    struct hold h = HOLD, last = HOLD;
    struct buy  good = {.buyer = 1, .product_id = 1, .qty = 1};
    struct buy  refused = {.buyer = 2, .product_id = 1, .qty = 1, .refuse_after = REFUSED};

    (void)state;
    hold(&h);
    int64_t first = submit(&good), second = submit(&refused);
    assert_true(corm_submit(db, hold_lane, &last, .key = corm_eq(product.id, 1)) > 0);
    let_go(&h);
    assert_true(pass_gate(&last.entered, WAIT_MS)); /* behind the two, in their group */
    (void)corm_dispatch(db);                        /* takes what was told of the held lane */
    assert_int_equal(good.told + refused.told, 0);
    assert_int_equal(corm_cancel(db, first), 0);
    assert_int_equal(corm_cancel(db, second), 0);
    assert_int_equal(rows_of("1 = 1"), 0);
    let_go(&last);
    (void)corm_drain(db);
    assert_int_equal(good.rc, 7);
    assert_code(refused.rc, REFUSED, &refused.error);
    assert_int_equal(rows_of("1 = 1"), 1);
}

static void guilty_of_a_unique_key_is_told_and_the_others_are_committed(void **state)
{
    enum { N = 30 };
    struct hold h = HOLD;
    struct buy  all[N] = {{0}};
    int         runs = 0;

    (void)state;
    beside("INSERT INTO bought (buyer, product_id, qty) VALUES (5, 9, 0)");
    hold(&h);
    for (int i = 0; i < N; i++) {
        all[i] = (struct buy){.buyer = i == 20 ? 3 : i, .product_id = 1, .qty = 1}; /* 3 twice */
        (void)submit(&all[i]);
    }
    let_go(&h);
    (void)corm_drain(db);
    for (int i = 0; i < N; i++) {
        if (i == 5 || i == 20)
            assert_code(all[i].rc, CORM_DUPLICATE, &all[i].error);
        else
            assert_int_equal(all[i].rc, 7);
        if (all[i].rc == 7)
            assert_int_equal(number_beside("SELECT id FROM bought WHERE buyer = %d", all[i].buyer),
                             all[i].id);
        runs += all[i].runs;
    }
    assert_int_equal(stock_of(1), STOCK - (N - 2));
    assert_int_equal(rows_of("product_id = 1"), N - 2);
    assert_true(runs <= 4 * N);
}

struct kept {
    struct buy  buy; /* first */
    struct gate again, go;
};

/* The group's rows must be locked when it runs again, before it has asked for any. */
static int stop_in_second_run(struct corm_trx *trx, void *arg)
{
    struct kept *k = arg;

    if (k->buy.runs == 1) {
        open_gate(&k->again);
        (void)pass_gate(&k->go, WAIT_MS);
    }
    return purchase(trx, &k->buy);
}

static void locks_are_kept_when_the_server_refuses_what_waited(void **state)
{
    struct hold       h = HOLD;
    struct corm_db   *other = open_db("pool=2");
    struct corm_trx  *foreign = NULL;
    struct product    p;
    struct buy        guilty = {.buyer = 5, .product_id = 1, .qty = 1};
    struct kept       k = {{.buyer = 6, .product_id = 1, .qty = 1}, GATE, GATE};
    struct corm_error e = {0};

    (void)state;
    beside("INSERT INTO bought (buyer, product_id, qty) VALUES (5, 9, 0)");
    hold(&h);
    (void)submit(&guilty);
    assert_ok(corm_submit(db, stop_in_second_run, &k, .key = corm_eq(product.id, 1),
                          .done = on_done, .error = &e),
              &e);
    let_go(&h);
    assert_true(pass_gate(&k.again, WAIT_MS));
    assert_ok(corm_begin(other, &foreign, .error = &e), &e);
    int rc = corm_first(foreign, product, &p, .where = corm_eq(product.id, 1),
                        .lock = CORM_FOR_UPDATE, .nowait = true);
    corm_end(foreign);
    open_gate(&k.go);
    (void)corm_drain(db);
    assert_int_equal(rc, CORM_LOCKED);
    assert_int_equal(guilty.rc, CORM_DUPLICATE);
    assert_int_equal(k.buy.rc, 7);
    assert_int_equal(stock_of(1), STOCK - 1);
    corm_close(other);
}

/* ---- What the server refuses ------------------------------------------------------------------------- */

struct strict_row {
    struct strict row;
    int           rc;
};

static int insert_strict(struct corm_trx *trx, void *arg)
{
    return corm_insert_row(trx, strict, &((struct strict_row *)arg)->row);
}

static void strict_done(int rc, const struct corm_error *error, void *arg)
{
    (void)error;
    ((struct strict_row *)arg)->rc = rc;
}

static void each_refusal_of_the_server_goes_to_its_member(void **state)
{
    struct strict_row all[] = {
        {{1, "good", 1, 1}, 1},
        {{2, "no parent", 99, 1}, CORM_FOREIGN_KEY},
        {{3, "good", 2, 1}, 1},
        {{4, "check", 1, -1}, CORM_CHECK_FAILED},
        {{5, "far too long", 1, 1}, CORM_TOO_LONG},
        {{1, "again", 1, 1}, CORM_DUPLICATE},
        {{6, "good", 3, 1}, 1},
    };
    struct hold h = HOLD;

    (void)state;
    beside("DROP TABLE IF EXISTS strict");
    beside("CREATE TABLE strict (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9) NOT NULL%s, "
           "product_id INTEGER NOT NULL, stock INTEGER NOT NULL, "
           "CONSTRAINT strict_c CHECK (stock >= 0), "
           "FOREIGN KEY (product_id) REFERENCES product (id))",
           is_mariadb() ? "" : " CONSTRAINT \"corm_length_name\" CHECK (length(name) <= 9)");
    hold(&h);
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_true(corm_submit(db, insert_strict, &all[i],
                                .key = corm_eq(product.id, all[i].row.product_id),
                                .done = strict_done) > 0);
    }
    int wanted[COUNT(all)];
    for (size_t i = 0; i < COUNT(all); i++)
        wanted[i] = all[i].rc;
    let_go(&h);
    (void)corm_drain(db);
    for (size_t i = 0; i < COUNT(all); i++) {
        if (wanted[i] == CORM_TOO_LONG && !is_mariadb()) /* a CHECK there */
            assert_true(all[i].rc == CORM_TOO_LONG || all[i].rc == CORM_CHECK_FAILED);
        else
            assert_int_equal(all[i].rc, wanted[i]);
    }
    assert_int_equal(number_beside("SELECT COUNT(*) FROM strict"), 3);
    beside("DROP TABLE strict");
}

/* ---- Who is guilty ----------------------------------------------------------------------------------- */

/* Made by raw SQL: names are equal in whatever case, prices have a CHECK, products exist. */
#define PASS(X)                                                                                    \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(number, int)                                                                                 \
    X(name, varchar(20))                                                                           \
    X(price, int)                                                                                  \
    X(product_id, int)
CORM_MODEL(pass, PASS);
CORM_DEFINE(pass, PASS);

enum nested { NOT_NESTED, NESTED, NESTED_AND_HANDLED };

/* Takes one piece of product 1, and inserts what is asked for. */
struct deal {
    int32_t     buyer;  /* a row of bought; 0: none */
    int32_t     number; /* a row of pass; 0: none */
    const char *name;
    int32_t     price, product_id;
    enum nested nested; /* the inserts are */
    bool        quiet;  /* asks for no key */
    bool        pass_first;
    int         wanted;      /* 7, or a code */
    int         runs_wanted; /* at most so many where it is negative */
    int         refuse;      /* after all that */
    /* of the run */
    int               runs, seen, rc, bought_line, pass_line;
    int64_t           bought_id, pass_id;
    struct corm_error error;
};

static int insert_bought(struct corm_trx *trx, struct deal *d)
{
    const struct bought sold = {.buyer = d->buyer, .product_id = 1, .qty = 1};
    int64_t            *id = d->quiet ? NULL : &d->bought_id;

    if (d->buyer % 2 == 1) { /* rows of one statement come from several lines */
        d->bought_line = __LINE__ + 1;
        return corm_insert_row(trx, bought, &sold, .id_later = id);
    }
    d->bought_line = __LINE__ + 1;
    return corm_insert_row(trx, bought, &sold, .id_later = id);
}

static int insert_pass(struct corm_trx *trx, struct deal *d)
{
    const struct pass row = {
        .number = d->number, .name = d->name, .price = d->price, .product_id = d->product_id};

    d->pass_line = __LINE__ + 1;
    return corm_insert_row(trx, pass, &row, .id_later = d->quiet ? NULL : &d->pass_id);
}

/* Says in which line it inserts what. */
static int insert_deal(struct corm_trx *trx, void *arg)
{
    struct deal *d = arg;
    int          rc = 0;

    if (d->pass_first)
        rc = insert_pass(trx, d);
    if (rc >= 0 && d->buyer != 0)
        rc = insert_bought(trx, d);
    if (rc >= 0 && d->number != 0 && !d->pass_first)
        rc = insert_pass(trx, d);
    return rc;
}

static int make_deal(struct corm_trx *trx, void *arg)
{
    struct deal   *d = arg;
    struct product p;

    d->runs++;
    int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, 1), .lock = CORM_FOR_UPDATE);
    if (rc != 1)
        return rc < 0 ? rc : corm_abort(trx, NOT_FOUND, "product 1");
    d->seen = p.stock;
    if (d->nested == NOT_NESTED)
        rc = insert_deal(trx, d);
    else
        rc = corm_transact(trx, insert_deal, d);
    if (rc == CORM_DUPLICATE && d->nested == NESTED_AND_HANDLED) {
        d->buyer += 1000;
        rc = corm_transact(trx, insert_deal, d);
        d->buyer -= 1000;
    }
    if (rc < 0)
        return rc;
    rc = corm_update(trx, product, corm_eq(product.id, 1), corm_set(product.stock, p.stock - 1));
    if (rc < 0)
        return rc;
    return d->refuse != 0 ? corm_abort(trx, d->refuse, "changed his mind") : 7;
}

static void deal_done(int rc, const struct corm_error *error, void *arg)
{
    ((struct deal *)arg)->rc = rc;
    ((struct deal *)arg)->error = *error;
}

/* Numbers and buyers up to 9, and the name "taken", are taken. */
static void make_passes(void)
{
    beside("DROP TABLE IF EXISTS pass");
    beside("CREATE TABLE pass (id INTEGER NOT NULL PRIMARY KEY %s, number INTEGER NOT NULL UNIQUE, "
           "name %s NOT NULL UNIQUE, price INTEGER NOT NULL, product_id INTEGER NOT NULL, "
           "CONSTRAINT pass_price CHECK (price >= 0), "
           "FOREIGN KEY (product_id) REFERENCES product (id)) %s",
           is_mariadb() ? "AUTO_INCREMENT" : "AUTOINCREMENT",
           is_mariadb() ? "VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
                        : "TEXT COLLATE NOCASE",
           is_mariadb() ? "" : "STRICT");
    for (int i = 1; i < 10; i++) {
        beside("INSERT INTO bought (buyer, product_id, qty) VALUES (%d, 9, 0)", i);
        beside("INSERT INTO pass (number, name, price, product_id) VALUES (%d, '%s%.0d', 0, 2)", i,
               i == 1 ? "taken" : "old", i == 1 ? 0 : i);
    }
}

/* What is in the tables, and what each was told, is what had come of them one after the other. */
static void check_deals(const struct deal *all, size_t count)
{
    int good = 0, bought_rows = 0, pass_rows = 0;

    for (size_t i = 0; i < count; i++) {
        const struct deal *d = &all[i];
        bool often = d->runs_wanted > 0 ? d->runs != d->runs_wanted : d->runs > -d->runs_wanted;
        if (d->rc != d->wanted || often || d->seen != STOCK - good)
            fail_msg("deal %zu: %d (%s), not %d, after %d runs, not %d; it saw %d, not %d", i,
                     d->rc, d->error.message, d->wanted, d->runs, d->runs_wanted, d->seen,
                     STOCK - good);
        if (d->rc < 0) {
            assert_int_equal(d->error.code, d->rc);
            assert_int_equal(d->error.attempts, d->runs);
            if (!corm_is_user(d->rc) && d->nested == NOT_NESTED)
                assert_true(d->error.line > 0 &&
                            (d->error.line == d->bought_line || d->error.line == d->pass_line));
            continue;
        }
        good++;
        bought_rows += d->buyer != 0;
        pass_rows += d->number != 0;
        int buyer = d->nested == NESTED_AND_HANDLED && d->buyer < 10 ? d->buyer + 1000 : d->buyer;
        if (d->buyer != 0 && !d->quiet)
            assert_int_equal(number_beside("SELECT id FROM bought WHERE buyer = %d", buyer),
                             d->bought_id);
        if (d->number != 0 && !d->quiet)
            assert_int_equal(number_beside("SELECT id FROM pass WHERE number = %d", d->number),
                             d->pass_id);
    }
    assert_int_equal(stock_of(1), STOCK - good);
    assert_int_equal(rows_of("product_id = 1"), bought_rows);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM pass") - 9, pass_rows);
}

/* All of them as one group. */
static void run_deals(struct deal *all, size_t count)
{
    struct hold       h = HOLD;
    struct corm_error e = {0};

    make_passes();
    hold(&h);
    struct corm_counters before = stats_of(db);
    for (size_t i = 0; i < count; i++)
        assert_ok(corm_submit(db, make_deal, &all[i], .key = corm_eq(product.id, 1),
                              .done = deal_done, .error = &e),
                  &e);
    let_go(&h);
    (void)corm_drain(db);
    assert_int_equal(stats_of(db).groups - before.groups, 2); /* the one that was held, and this */
    check_deals(all, count);
    beside("DROP TABLE pass");
}

/* Good ones as far as nothing else is said. */
static void make_good(struct deal *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        all[i] = (struct deal){.buyer = 100 + (int)i, .wanted = 7, .runs_wanted = 1};
}

static void start_anew(void)
{
    beside("DELETE FROM bought");
    beside("UPDATE product SET stock = %d", STOCK);
}

/* The first is found at once, and all behind him run again; then the question finds all the others, and from the
 * second on all run a third time, however many there are. */
static void guilty_ones_run_again_with_all_behind_them(void **state)
{
    static const uint32_t places[] = {1,        1u << 29,   1u << 7,    3u << 28,    3,
                                      7u << 10, 0x11111111, 0x3fffffff, 1 | 1u << 29};
    enum { N = 30 };
    struct deal all[N];

    (void)state;
    for (size_t k = 0; k < COUNT(places); k++) {
        int guilty = 0;
        start_anew();
        make_good(all, N);
        for (int i = 0; i < N; i++) {
            bool is_guilty = (places[k] >> i & 1) != 0;
            all[i].runs_wanted = guilty == 0 ? 1 : guilty == 1 && !is_guilty ? 2 : 3;
            if (!is_guilty)
                continue;
            guilty++;
            all[i].buyer = 1 + guilty % 9; /* the same more than once, too */
            all[i].wanted = CORM_DUPLICATE;
        }
        run_deals(all, N);
    }
}

/* Nobody asks for keys: the server is asked, and the guilty one runs twice; in the next groups each row tells
 * that it went in. Twenty groups without a refusal forget that. */
static void refusal_behind_a_refusal_is_found_at_once(void **state)
{
    enum { N = 8, AT = 5 };
    struct deal all[N];

    (void)state;
    for (int round = 0; round < 3; round++) {
        start_anew();
        make_good(all, N);
        for (int i = 0; i < N; i++)
            all[i].quiet = true, all[i].runs_wanted = i < AT ? 1 : 2;
        all[AT].buyer = 1;
        all[AT].wanted = CORM_DUPLICATE;
        all[AT].runs_wanted = round == 1 ? 1 : 2;
        run_deals(all, N);
        for (int k = 0; round == 1 && k < 20; k++) {
            start_anew();
            make_good(all, N);
            run_deals(all, N);
        }
    }
}

/* Alone he is told of what he inserts first; in the group the table comes first that others have named before. */
static void who_inserts_more_is_told_what_he_would_be_told_alone(void **state)
{
    struct deal all[] = {
        {.buyer = 100, .wanted = 7, .runs_wanted = 1},
        {.buyer = 101, .wanted = 7, .runs_wanted = 1},
        {.buyer = 102, .wanted = 7, .runs_wanted = 1},
        {.buyer = 1,
         .pass_first = true,
         .number = 50,
         .name = "cheap",
         .price = -1,
         .product_id = 1,
         .wanted = CORM_CHECK_FAILED,
         .runs_wanted = 2},
        {.buyer = 103, .wanted = 7, .runs_wanted = 2},
    };

    (void)state;
    run_deals(all, COUNT(all));
}

/* Two rows go by themselves, in front of the array of the other table, which is not to blame for them. */
static void what_is_sent_in_front_of_an_array_is_not_its_fault(void **state)
{
    struct deal all[] = {
        {.number = 50,
         .name = "Taken",
         .product_id = 1,
         .wanted = CORM_DUPLICATE,
         .runs_wanted = 2},
        {.buyer = 100, .wanted = 7, .runs_wanted = 2},
        {.buyer = 101, .wanted = 7, .runs_wanted = 2},
        {.buyer = 102, .wanted = 7, .runs_wanted = 2},
    };

    (void)state;
    run_deals(all, COUNT(all));
}

/* Of those with one value the first has it, whoever has left a row in another table in front of it. */
static void first_of_a_value_has_it_unless_he_is_guilty_himself(void **state)
{
    struct deal all[] = {
        {.buyer = 100, .wanted = 7, .runs_wanted = 1},
        {.buyer = 101, .number = 50, .name = "a", .product_id = 1, .wanted = 7, .runs_wanted = 1},
        {.buyer = 101, .wanted = CORM_DUPLICATE, .runs_wanted = 1},
        /* guilty by the first table, so that 51 is free for the next; and by the second */
        {.buyer = 1,
         .number = 51,
         .name = "b",
         .product_id = 1,
         .wanted = CORM_DUPLICATE,
         .runs_wanted = 3},
        {.buyer = 102, .number = 51, .name = "c", .product_id = 1, .wanted = 7, .runs_wanted = 3},
        {.buyer = 103,
         .number = 1,
         .name = "d",
         .product_id = 1,
         .wanted = CORM_DUPLICATE,
         .runs_wanted = 3},
        {.buyer = 103, .number = 52, .name = "e", .product_id = 1, .wanted = 7, .runs_wanted = 3},
        {.number = 51, .name = "f", .product_id = 1, .wanted = CORM_DUPLICATE, .runs_wanted = 3},
        {.buyer = 104, .wanted = 7, .runs_wanted = 3},
    };

    (void)state;
    run_deals(all, COUNT(all));
}

/* Nobody in front of him runs again, whatever it is that he is refused for, and although rows of a table in
 * front of that one went in. A text that is too long is one that IGNORE would cut. */
static void guilty_is_found_by_every_kind_of_refusal(void **state)
{
    static const struct deal kinds[] = {
        {.name = "Taken", .product_id = 1, .wanted = CORM_DUPLICATE},
        {.name = "cheap", .price = -1, .product_id = 1, .wanted = CORM_CHECK_FAILED},
        {.name = "orphan", .product_id = 99, .wanted = CORM_FOREIGN_KEY},
        {.name = "far too long a name", .product_id = 1, .wanted = CORM_TOO_LONG},
    };
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    enum { N = 6, AT = 3 };
    struct deal all[N];

    (void)state;
    for (size_t k = 0; k < COUNT(kinds) - !is_mariadb(); k++) {
        start_anew();
        for (int i = 0; i < N; i++) {
            all[i] = i == AT ? kinds[k] : (struct deal){.product_id = 1, .wanted = 7};
            all[i].name = i == AT ? kinds[k].name : names[i];
            all[i].buyer = 100 + i;
            all[i].number = 50 + i;
            all[i].runs_wanted = i < AT ? 1 : 2;
        }
        run_deals(all, N);
    }
}

/* A savepoint that is not there, behind a refusal of his own. */
static int refuses_and_goes_on(struct corm_trx *trx, void *arg)
{
    int rc = corm_abort(trx, REFUSED, "no");

    (void)arg;
    return corm_savepoint_rollback(trx) == REFUSED ? rc : 0;
}

static void who_goes_on_after_his_refusal_costs_the_others_nothing(void **state)
{
    struct hold       h = HOLD;
    struct deal       all[4];
    struct corm_error e = {0};
    int64_t           odd = 0;

    (void)state;
    make_good(all, 4);
    hold(&h);
    for (int i = 0; i < 4; i++) {
        assert_ok(corm_submit(db, make_deal, &all[i], .key = corm_eq(product.id, 1),
                              .done = deal_done, .error = &e),
                  &e);
        if (i == 1)
            odd = corm_submit(db, refuses_and_goes_on, NULL, .key = corm_eq(product.id, 1),
                              .error = &e);
    }
    let_go(&h);
    assert_code(corm_wait(db, odd, &e), REFUSED, &e);
    (void)corm_drain(db);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(all[i].rc, 7);
        assert_int_equal(all[i].runs, 1);
    }
    assert_int_equal(rows_of("1 = 1"), 4);
}

static void refusals_of_every_kind_are_found_in_one_flush(void **state)
{
    struct deal all[] = {
        {.number = 50, .name = "good", .product_id = 1, .wanted = 7, .runs_wanted = 1},
        {.number = 51,
         .name = "TAKEN",
         .product_id = 1,
         .wanted = CORM_DUPLICATE,
         .runs_wanted = -5},
        {.number = 52,
         .name = "GOOD",
         .product_id = 2,
         .wanted = CORM_DUPLICATE,
         .runs_wanted = -5},
        {.number = 53, .name = "fine", .product_id = 1, .wanted = 7, .runs_wanted = -5},
        {.number = 54,
         .name = "cheap",
         .price = -1,
         .product_id = 1,
         .wanted = CORM_CHECK_FAILED,
         .runs_wanted = -5},
        {.number = 55,
         .name = "Fine",
         .product_id = 1,
         .wanted = CORM_DUPLICATE,
         .runs_wanted = -5},
        {.number = 56,
         .name = "orphan",
         .product_id = 99,
         .wanted = CORM_FOREIGN_KEY,
         .runs_wanted = -5},
        {.number = 57, .name = "cheap", .product_id = 3, .wanted = 7, .runs_wanted = -5},
        {.buyer = 100, .wanted = REFUSED, .refuse = REFUSED, .runs_wanted = -5},
        {.number = 58, .name = "last", .product_id = 3, .wanted = 7, .runs_wanted = -5},
    };

    (void)state;
    run_deals(all, COUNT(all));
}

/* Those in a nested transaction go to the server by themselves, behind all that waits. */
static void guilty_ones_are_found_between_those_who_are_direct(void **state)
{
    struct deal all[] = {
        {.buyer = 100, .wanted = 7, .runs_wanted = 1},
        {.buyer = 1, .wanted = CORM_DUPLICATE, .runs_wanted = 2},
        {.buyer = 101, .nested = NESTED, .wanted = 7, .runs_wanted = 2},
        {.buyer = 102, .wanted = 7, .runs_wanted = 1},
        {.buyer = 2, .nested = NESTED, .wanted = CORM_DUPLICATE, .runs_wanted = 1},
        {.buyer = 3, .nested = NESTED_AND_HANDLED, .wanted = 7, .runs_wanted = 1},
        {.buyer = 103, .wanted = 7, .runs_wanted = 1},
        {.buyer = 1003, .wanted = CORM_DUPLICATE, .runs_wanted = 1},
        {.buyer = 102, .wanted = CORM_DUPLICATE, .runs_wanted = 3},
        {.buyer = 104, .wanted = 7, .runs_wanted = 3},
        {.buyer = 105, .nested = NESTED, .wanted = 7, .runs_wanted = 3},
        {.buyer = 106, .wanted = 7, .runs_wanted = 1},
    };

    (void)state;
    run_deals(all, COUNT(all));
}

/* ---- Keys that cannot be locked ----------------------------------------------------------------------- */

static int missing_function(struct corm_trx *trx, void *arg)
{
    (void)trx, (void)arg;
    return 0;
}

/* The lock of the keys is refused, not a statement of a member's. */
static void key_of_a_table_that_is_missing_is_told_and_stops_nobody_else(void **state)
{
    struct hold       h = HOLD;
    struct buy        good = {.buyer = 1, .product_id = 1, .qty = 1};
    struct corm_error e[2] = {{0}};
    int64_t           bad[2];

    (void)state;
    hold(&h);
    for (int i = 0; i < 2; i++)
        bad[i] = corm_submit(db, missing_function, NULL, .key = corm_eq(missing.id, 1));
    (void)submit(&good);
    let_go(&h);
    for (int i = 0; i < 2; i++)
        assert_code(corm_wait(db, bad[i], &e[i]), CORM_NO_TABLE, &e[i]);
    (void)corm_drain(db);
    assert_int_equal(good.rc, 7);
    assert_int_equal(rows_of("1 = 1"), 1);
}

static void key_that_is_no_text_is_told_and_stops_nobody_else(void **state)
{
    struct hold       h = HOLD;
    struct buy        good = {.buyer = 1, .product_id = 1, .qty = 1};
    struct corm_error e = {0};

    (void)state;
    new_table(db, label);
    hold(&h);
    int64_t bad =
        corm_submit(db, missing_function, NULL, .key = corm_eq(label.name, "a\xff"), .error = &e);
    (void)submit(&good);
    let_go(&h);
    if (bad > 0)
        bad = corm_wait(db, bad, &e);
    assert_code(bad, CORM_BAD_VALUE, &e);
    (void)corm_drain(db);
    assert_int_equal(good.rc, 7);
}

/* A row that the model cannot take stops those who want it, and nobody else. */
static void row_that_its_model_cannot_take_stops_only_its_members(void **state)
{
    struct hold       h = HOLD;
    struct buy        good = {.buyer = 1, .product_id = 1, .qty = 1};
    struct buy        bad = {.buyer = 2, .product_id = 3, .qty = 1};
    struct corm_error e = {0};

    (void)state;
    beside("DROP TABLE product");
    beside("CREATE TABLE product (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20), stock "
           "INTEGER NOT NULL)");
    beside("INSERT INTO product VALUES (1, 'a', 10), (3, NULL, 10), (4, 'd', 10)");
    hold(&h);
    int64_t ticket = submit(&bad);
    (void)submit(&good);
    let_go(&h);
    assert_code(corm_wait(db, ticket, &e), CORM_BAD_VALUE, &e);
    (void)corm_drain(db);
    assert_int_equal(good.rc, 7);
    assert_int_equal(stock_of(1), 9);
}

/* ---- Leaving the fast path --------------------------------------------------------------------------- */

static int refuse_nested(struct corm_trx *trx, void *arg)
{
    const struct buy *b = arg;
    int               rc = corm_insert_row(trx, bought,
                                           &(struct bought){.buyer = b->buyer + 1000, .product_id = 1, .qty = 1});

    return rc < 0 ? rc : corm_abort(trx, REFUSED, "nested");
}

/* The nested transaction is the first thing that is not done in memory. */
static int purchase_behind_a_nested_one(struct corm_trx *trx, void *arg)
{
    if (corm_transact(trx, refuse_nested, arg) != REFUSED)
        return corm_abort(trx, NOT_FOUND, "the nested transaction was not refused");
    return purchase(trx, arg);
}

static void nested_transaction_first_takes_back_only_its_own(void **state)
{
    struct hold h = HOLD;
    struct buy  all[6] = {{0}};

    (void)state;
    hold(&h);
    for (int i = 0; i < 6; i++) {
        all[i] = (struct buy){.buyer = i, .product_id = 1, .qty = 1};
        all[i].refuse_after = i == 4 ? REFUSED : 0;
        assert_true(corm_submit(db, i % 2 == 0 ? purchase_behind_a_nested_one : purchase, &all[i],
                                .key = corm_eq(product.id, 1), .done = on_done) > 0);
    }
    let_go(&h);
    (void)corm_drain(db);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(all[i].rc, i == 4 ? REFUSED : 7);
        assert_int_equal(all[i].seen, STOCK - (i < 5 ? i : 4));
    }
    assert_int_equal(stock_of(1), STOCK - 5);
    assert_int_equal(rows_of("1 = 1"), 5);
}

static int empty_function(struct corm_trx *trx, void *arg)
{
    (void)trx;
    return ++*(int *)arg;
}

static void repeatable_read_runs_alone(void **state)
{
    struct hold h = HOLD;
    int         counts[5] = {0};

    (void)state;
    hold(&h);
    struct corm_counters before = stats_of(db);
    for (int i = 0; i < 5; i++)
        assert_true(corm_submit(db, empty_function, &counts[i], .key = corm_eq(product.id, 4),
                                .isolation = CORM_REPEATABLE_READ) > 0);
    let_go(&h);
    assert_int_equal(corm_drain(db), 6);
    assert_int_equal(stats_of(db).groups - before.groups, 6);
}

static void members_of_another_isolation_have_a_group_of_their_own(void **state)
{
    const enum corm_isolation levels[] = {CORM_ISOLATION_DEFAULT, CORM_SERIALIZABLE,
                                          CORM_READ_COMMITTED, CORM_READ_COMMITTED,
                                          CORM_SERIALIZABLE};
    struct hold               h = HOLD;
    int                       counts[COUNT(levels)] = {0};

    (void)state;
    hold(&h);
    struct corm_counters before = stats_of(db);
    for (size_t i = 0; i < COUNT(levels); i++)
        assert_true(corm_submit(db, empty_function, &counts[i], .key = corm_eq(product.id, 4),
                                .isolation = levels[i]) > 0);
    let_go(&h);
    assert_int_equal(corm_drain(db), COUNT(levels) + 1);
    assert_int_equal(stats_of(db).groups - before.groups, 4); /* that of the held one, and three */
}

struct look {
    char name[24];
};

static int look_at_name(struct corm_trx *trx, void *arg)
{
    struct product p;
    int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, 1), .lock = CORM_FOR_UPDATE);

    if (rc == 1)
        (void)snprintf(((struct look *)arg)->name, sizeof(((struct look *)arg)->name), "%s",
                       p.name);
    return rc;
}

/* What was known of a table is forgotten with an error of the schema. */
static void table_that_was_made_anew_is_looked_at_anew(void **state)
{
    struct hold       h = HOLD;
    struct buy        b = {.buyer = 1, .product_id = 1, .qty = 1};
    struct look       look = {""};
    struct corm_error e = {0};

    (void)state;
    assert_int_equal(corm_wait(db, submit(&b), NULL), 7);
    beside("DROP TABLE product");
    b.buyer = 2;
    assert_code(corm_wait(db, submit(&b), &e), CORM_NO_TABLE, &e);
    beside("CREATE TABLE product (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL, "
           "stock INTEGER NOT NULL)");
    beside("INSERT INTO product VALUES (1, 'thing', 10), (4, 'thing', 10)");
    beside(is_mariadb() ? "CREATE TRIGGER product_u BEFORE UPDATE ON product FOR EACH ROW SET "
                          "NEW.name = 'sold'"
                        : "CREATE TRIGGER product_u AFTER UPDATE OF stock ON product BEGIN UPDATE "
                          "product SET name = 'sold' WHERE id = NEW.id; END");
    hold(&h);
    (void)submit(&b);
    assert_true(corm_submit(db, look_at_name, &look, .key = corm_eq(product.id, 1)) > 0);
    let_go(&h);
    (void)corm_drain(db);
    assert_int_equal(b.rc, 7);
    assert_string_equal(look.name, "sold");
    beside("DROP TABLE product");
}

/* ---- Tickets ---------------------------------------------------------------------------------------------- */

static void tickets_are_waited_for_once_and_stale_ones_are_safe(void **state)
{
    struct buy        b = {.buyer = 1, .product_id = 1, .qty = 1};
    struct buy        sold = {.buyer = 2, .product_id = 1, .qty = STOCK * 2};
    struct corm_error e = {0};
    const int64_t     wrong[] = {0, -1, 1, INT64_MAX, INT64_MIN, 77777777};

    (void)state;
    int64_t ticket = submit(&b);
    assert_int_equal(corm_wait(db, ticket, &e), 7);
    assert_int_equal(e.code, 0);
    assert_int_equal(b.told, 1);
    int64_t second = submit(&sold);
    assert_true(second != ticket);
    assert_code(corm_wait(db, ticket, &e), CORM_NO_TICKET, &e);
    assert_int_equal(corm_cancel(db, ticket), CORM_NO_TICKET);
    assert_code(corm_wait(db, second, &e), SOLD_OUT, &e);
    assert_int_equal(sold.told, 1);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(corm_wait(db, wrong[i], NULL), CORM_NO_TICKET);
        assert_int_equal(corm_cancel(db, wrong[i]), CORM_NO_TICKET);
    }
    assert_int_equal(corm_drain(db), 0);
}

static void ticket_that_waits_can_be_cancelled_and_one_that_runs_cannot(void **state)
{
    struct hold h = HOLD;
    struct buy  first = {.buyer = 1, .product_id = 4, .qty = 1}, second = first;

    (void)state;
    second.buyer = 2;
    int64_t running = hold(&h);
    int64_t a = submit(&first), b = submit(&second);
    assert_int_equal(corm_cancel(db, running), 0);
    assert_int_equal(corm_cancel(db, a), 1);
    assert_int_equal(corm_cancel(db, a), 0); /* done already, not told */
    assert_int_equal(first.told, 0);
    assert_int_equal(corm_dispatch(db), 1);
    assert_code(first.rc, CORM_CANCELLED, &first.error);
    assert_int_equal(corm_cancel(db, a), CORM_NO_TICKET);
    let_go(&h);
    assert_int_equal(corm_drain(db), 2);
    assert_int_equal(corm_cancel(db, b), CORM_NO_TICKET);
    assert_int_equal(first.runs, 0);
    assert_int_equal(second.rc, 7);
    assert_int_equal(rows_of("1 = 1"), 1);
}

static bool is_readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) == 1 && (p.revents & POLLIN) != 0;
}

static void event_loop_is_woken_and_dispatches(void **state)
{
    struct hold h = HOLD;
    struct buy  all[3] = {{0}};
    int         fd = corm_fd(db);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(corm_fd(db), fd);
    assert_false(is_readable(fd, 0));
    for (int round = 0; round < 3; round++) {
        struct hold again = HOLD;
        h = again;
        hold(&h);
        for (int i = 0; i < 3; i++) {
            all[i] = (struct buy){.buyer = 10 * round + i, .product_id = 4, .qty = 1};
            (void)submit(&all[i]);
        }
        assert_false(is_readable(fd, 0));
        assert_int_equal(corm_dispatch(db), 0);
        let_go(&h);
        int64_t told = 0;
        while (told < 4) {
            assert_true(is_readable(fd, WAIT_MS));
            told += corm_dispatch(db);
        }
        assert_int_equal(told, 4);
        assert_false(is_readable(fd, 0));
        for (int i = 0; i < 3; i++)
            assert_int_equal(all[i].rc, 7);
    }
    assert_int_equal(corm_drain(db), 0);
    assert_false(is_readable(fd, 0));
}

struct chain {
    struct buy buys[5];
    int        next;
};

static struct chain chain;

static void submit_next(int rc, const struct corm_error *error, void *arg)
{
    on_done(rc, error, arg);
    if (++chain.next < 5)
        if (corm_submit(db, purchase, &chain.buys[chain.next], .key = corm_eq(product.id, 1),
                        .done = submit_next) < 0)
            chain.next = 100;
}

static void done_may_submit_and_drain_takes_it_too(void **state)
{
    (void)state;
    memset(&chain, 0, sizeof(chain));
    for (int i = 0; i < 5; i++)
        chain.buys[i] = (struct buy){.buyer = i, .product_id = 1, .qty = 1};
    assert_true(corm_submit(db, purchase, &chain.buys[0], .key = corm_eq(product.id, 1),
                            .done = submit_next) > 0);
    assert_int_equal(corm_drain(db), 5);
    assert_int_equal(chain.next, 5);
    assert_int_equal(rows_of("1 = 1"), 5);
}

struct waiter {
    int64_t     ticket;
    int         rc;
    struct gate begins;
};

static void *wait_in_thread(void *arg)
{
    struct waiter *w = arg;

    open_gate(&w->begins);
    w->rc = corm_wait(db, w->ticket, NULL);
    return NULL;
}

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&pause, NULL);
}

static void *let_go_later(void *arg)
{
    pause_ms(200);
    let_go(arg);
    return NULL;
}

/* "Waits until everything that was submitted, by whomever, is done." */
static void drain_waits_for_what_others_wait_for(void **state)
{
    struct hold   h = HOLD;
    struct waiter w = {.ticket = hold(&h), .begins = GATE};
    pthread_t     thread, opener;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, &w), 0);
    assert_true(pass_gate(&w.begins, WAIT_MS));
    pause_ms(50); /* most likely it waits then */
    assert_int_equal(corm_cancel(db, w.ticket), 0);
    assert_int_equal(pthread_create(&opener, NULL, let_go_later, &h), 0);
    (void)corm_drain(db);
    bool open = pass_gate(&h.open, 0);
    (void)pthread_join(opener, NULL);
    (void)pthread_join(thread, NULL);
    assert_int_equal(w.rc, 0);
    assert_true(open);
}

/* ---- Deadlines, bounds ------------------------------------------------------------------------------------ */

static void deadline_passes_while_it_waits_for_the_lane(void **state)
{
    struct hold       h = HOLD;
    struct buy        submitted = {.buyer = 1, .product_id = 4, .qty = 1}, own = submitted;
    struct corm_error e = {0};

    (void)state;
    hold(&h);
    int64_t ticket = corm_submit(db, purchase, &submitted, .key = corm_eq(product.id, 4),
                                 .timeout_ms = 60, .error = &e);
    assert_ok(ticket, &e);
    int64_t before = now_ms();
    assert_code(corm_transact(db, purchase, &own, .key = corm_eq(product.id, 4), .timeout_ms = 50,
                              .error = &e),
                CORM_TIMEOUT, &e);
    assert_code(corm_wait(db, ticket, &e), CORM_TIMEOUT, &e); /* the lane is still held */
    assert_true(now_ms() - before < WAIT_MS);
    let_go(&h);
    (void)corm_drain(db);
    assert_int_equal(submitted.runs + own.runs, 0);
    assert_int_equal(rows_of("1 = 1"), 0);
}

static int64_t from_done[2];
static int     counts_of_done[2];

/* The queue is full but for the place of the one that is told. */
static void submit_two_from_done(int rc, const struct corm_error *error, void *arg)
{
    (void)rc, (void)error, (void)arg;
    for (int i = 0; i < 2; i++)
        from_done[i] =
            corm_submit(db, empty_function, &counts_of_done[i], .key = corm_eq(product.id, 4));
}

static void *drain_in_thread(void *arg)
{
    pause_ms(50);
    let_go(arg);
    for (int i = 0; i < 400 && corm_dispatch(db) == 0; i++)
        pause_ms(50);
    return NULL;
}

static void full_queue_is_busy_or_waits_as_asked(void **state)
{
    struct hold       h = HOLD;
    struct corm_error e = {0};
    int               counts[8] = {0};
    pthread_t         drainer;

    (void)state;
    corm_close(db);
    open_lanes("pool=6&lanes=1&lane_queue=4&timeout_ms=15000");
    hold(&h);
    for (int i = 0; i < 3; i++)
        assert_true(corm_submit(db, empty_function, &counts[i], .key = corm_eq(product.id, 4)) > 0);
    assert_code(corm_submit(db, empty_function, &counts[3], .key = corm_eq(product.id, 4),
                            .nowait = true, .error = &e),
                CORM_BUSY, &e);
    assert_code(corm_submit(db, empty_function, &counts[3], .key = corm_eq(product.id, 4),
                            .timeout_ms = 50, .error = &e),
                CORM_TIMEOUT, &e);
    assert_int_equal(pthread_create(&drainer, NULL, drain_in_thread, &h), 0);
    int64_t rc;
    do /* busy while all are done and the other thread has not looked yet */
        rc =
            corm_submit(db, empty_function, &counts[3], .key = corm_eq(product.id, 4), .error = &e);
    while (rc == CORM_BUSY);
    assert_ok(rc, &e);
    (void)pthread_join(drainer, NULL);
    (void)corm_drain(db);
    assert_int_equal(counts[0] + counts[1] + counts[2] + counts[3], 4);
}

static int note_thread(struct corm_trx *trx, void *arg)
{
    pthread_t     *thread = arg;
    struct product p;

    *thread = pthread_self();
    return corm_first(trx, product, &p, .where = corm_eq(product.id, 1), .lock = CORM_FOR_UPDATE);
}

/* It needs nobody else; and so it is again behind a group that the lane ran. */
static void lone_transaction_runs_in_the_thread_that_waits(void **state)
{
    struct corm_error e = {0};
    struct buy        b = {.buyer = 1, .product_id = 1, .qty = 1};
    pthread_t         thread;

    (void)state;
    for (int i = 0; i < 3; i++) {
        memset(&thread, 0, sizeof(thread));
        assert_rows(
            corm_transact(db, note_thread, &thread, .key = corm_eq(product.id, 1), .error = &e), 1,
            &e);
        assert_true(pthread_equal(thread, pthread_self()));
        (void)submit(&b);
        (void)corm_drain(db);
        b.buyer++;
    }
    assert_int_equal(rows_of("1 = 1"), 3);
}

static void *transact_and_hold(void *arg)
{
    struct hold *h = arg;

    h->rc = corm_transact(db, hold_lane, h, .key = corm_eq(product.id, 1));
    return NULL;
}

/* What comes while a thread runs its own transaction is the lane's, which is woken up behind it. */
static void lane_goes_on_behind_a_thread_that_has_run_its_own(void **state)
{
    struct hold h = HOLD;
    struct buy  buys[4];
    pthread_t   holder;

    (void)state;
    assert_int_equal(pthread_create(&holder, NULL, transact_and_hold, &h), 0);
    assert_true(pass_gate(&h.entered, WAIT_MS));
    for (int i = 0; i < 4; i++) {
        buys[i] = (struct buy){.buyer = i + 1, .product_id = 1, .qty = 1};
        (void)submit(&buys[i]);
    }
    assert_int_equal(rows_of("1 = 1"), 0);
    let_go(&h);
    assert_int_equal(corm_drain(db), 4);
    (void)pthread_join(holder, NULL);
    assert_int_equal(h.rc, 0);
    assert_int_equal(rows_of("1 = 1"), 4);
}

static void *dispatch_until_told(void *arg)
{
    _Atomic int *phase = arg;

    while (atomic_load(phase) < 2) {
        (void)corm_dispatch(db);
        if (atomic_load(phase) == 0)
            atomic_store(phase, 1);
        (void)usleep(1000); /* so that all in the queue are done at times */
    }
    return NULL;
}

static void full_queue_beside_a_thread_that_dispatches_is_waited_for(void **state)
{
    enum { MANY = 300 };
    static int        counts[MANY];
    struct corm_error e = {0};
    _Atomic int       phase = 0;
    pthread_t         dispatcher;

    (void)state;
    memset(counts, 0, sizeof(counts));
    corm_close(db);
    open_lanes("pool=6&lanes=1&lane_queue=4&timeout_ms=15000");
    assert_int_equal(pthread_create(&dispatcher, NULL, dispatch_until_told, &phase), 0);
    while (atomic_load(&phase) == 0)
        (void)sched_yield();
    for (int i = 0; i < MANY; i++)
        assert_ok(
            corm_submit(db, empty_function, &counts[i], .key = corm_eq(product.id, 4), .error = &e),
            &e);
    assert_true(corm_drain(db) >= 0);
    atomic_store(&phase, 2);
    (void)pthread_join(dispatcher, NULL);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(counts[i], 1);
}

static void full_queue_whose_outcomes_nobody_takes_is_busy(void **state)
{
    struct corm_error e = {0};
    int               counts[8] = {0};
    int64_t           rc = 0;

    (void)state;
    corm_close(db);
    open_lanes("pool=6&lanes=1&lane_queue=4&timeout_ms=15000");
    assert_true(corm_submit(db, empty_function, &counts[0], .key = corm_eq(product.id, 4),
                            .done = submit_two_from_done) > 0);
    for (int i = 1; rc >= 0 && i < 8; i++)
        rc =
            corm_submit(db, empty_function, &counts[i], .key = corm_eq(product.id, 4), .error = &e);
    assert_code(rc, CORM_BUSY, &e);
    (void)corm_drain(db);
    assert_true(from_done[0] > 0);
    assert_int_equal(from_done[1], CORM_BUSY); /* at once: only its own thread could make room */
    assert_int_equal(counts_of_done[0], 1);
}

/* ---- Who may call what ----------------------------------------------------------------------------------- */

struct calls {
    int64_t rcs[32];
    int     count;
    int64_t other; /* a ticket */
};

static int call_all(struct corm_trx *trx, void *arg)
{
    struct calls      *c = arg;
    struct corm_trx   *other = NULL;
    struct product     p;
    struct product    *all = NULL;
    struct corm_arena *arena = corm_arena_new();
    int                unused = 0;

    (void)trx;
    c->count = 0;
#define CALL(call) c->rcs[c->count++] = (call)
    CALL(corm_first(db, product, &p, .arena = arena));
    CALL(corm_all(db, product, &all, .arena = arena));
    CALL(corm_count(db, product));
    CALL(corm_exists(db, product));
    CALL(corm_insert_row(db, product, &(struct product){.name = "x"}));
    CALL(corm_insert_rows(db, product, 1, &(struct product){.name = "x"}));
    CALL(corm_update(db, product, corm_everything(), corm_set(product.stock, 0)));
    CALL(corm_delete(db, product, corm_everything()));
    CALL(corm_sql(db, NULL, "DELETE FROM product"));
    CALL(corm_create_table(db, missing));
    CALL(corm_drop_table(db, product));
    CALL(corm_connect_all(db, NULL));
    CALL(corm_begin(db, &other));
    CALL(corm_transact(db, empty_function, &unused));
    CALL(corm_transact(db, empty_function, &unused, .key = corm_eq(product.id, 1)));
    CALL(corm_submit(db, empty_function, &unused, .key = corm_eq(product.id, 1)));
    CALL(corm_wait(db, c->other, NULL));
    CALL(corm_drain(db));
    CALL(corm_dispatch(db));
    CALL(corm_cancel(db, c->other));
    CALL(corm_fd(db));
#undef CALL
    corm_arena_free(arena);
    return 0;
}

static void every_call_on_the_db_in_a_function_is_refused(void **state)
{
    struct calls      c = {.count = 0};
    struct corm_error e = {0};

    (void)state;
    assert_ok(corm_transact(db, call_all, &c, .key = corm_eq(product.id, 4), .error = &e), &e);
    assert_true(c.count >= 20);
    for (int i = 0; i < c.count; i++)
        if (c.rcs[i] != CORM_NESTED)
            fail_msg("call %d in a function returned %lld", i, (long long)c.rcs[i]);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM product"), 4);
}

static void refuses_key(struct corm_expr key, int line)
{
    struct corm_error e = {0}, f = {0};
    int               n = 0;

    int     rc = corm_transact(db, empty_function, &n, .key = key, .error = &e);
    int64_t ticket = corm_submit(db, empty_function, &n, .key = key, .error = &f);
    if (rc != CORM_MISUSE || ticket != CORM_MISUSE || n != 0)
        fail_msg("the key of line %d: %d and %lld", line, rc, (long long)ticket);
    assert_code(rc, CORM_MISUSE, &e);
    assert_code((int)ticket, CORM_MISUSE, &f);
    assert_says(&f, "key");
}

#define REFUSED_KEY(...) refuses_key(__VA_ARGS__, __LINE__)

static void wrong_keys_are_clear_errors(void **state)
{
    struct corm_error e = {0};
    int               n = 0;
    struct corm_expr  many[18];

    (void)state;
    REFUSED_KEY(corm_eq(product.stock, 1));
    REFUSED_KEY(corm_gt(product.id, 1));
    REFUSED_KEY(corm_eq(product.id, product.stock));
    REFUSED_KEY(corm_in(product.id, 1, 2));
    REFUSED_KEY(corm_not(corm_eq(product.id, 1)));
    REFUSED_KEY(corm_or(corm_eq(product.id, 1), corm_eq(product.id, 2)));
    REFUSED_KEY(corm_and(corm_eq(product.id, 1), corm_eq(product.stock, 1)));
    REFUSED_KEY(corm_and(corm_eq(product.id, 1), corm_eq(product.id, 2)));
    REFUSED_KEY(corm_everything());
    REFUSED_KEY(corm_is_null(product.id));
    REFUSED_KEY(corm_eq(label.name, (const char *)NULL));
    REFUSED_KEY(corm_eq(shelf.hall, 1));
    REFUSED_KEY(corm_and(corm_eq(shelf.hall, 1), corm_eq(product.id, 1)));
    REFUSED_KEY(corm_and(corm_eq(shelf.hall, 1), corm_gt(shelf.place, "a")));
    REFUSED_KEY(
        corm_and(corm_eq(shelf.hall, 1), corm_eq(shelf.place, "a"), corm_eq(shelf.hall, 1)));
    REFUSED_KEY(corm_eq(keyless.stock, 1));
    REFUSED_KEY(corm_keys(corm_eq(product.id, 1), corm_eq(product.stock, 2)));
    REFUSED_KEY(corm_keys(corm_keys(corm_eq(product.id, 1))));
    for (int i = 0; i < 17; i++)
        many[i] = corm_eq(product.id, i);
    many[17] = (struct corm_expr){.op = CORM_END};
    REFUSED_KEY((struct corm_expr){.op = CORM_KEYS, .kids = many});
    many[16] = (struct corm_expr){.op = CORM_END};
    e = (struct corm_error){0};
    assert_ok(corm_transact(db, empty_function, &n,
                            .key = (struct corm_expr){.op = CORM_KEYS, .kids = many}, .error = &e),
              &e);
    assert_int_equal(n, 1);
    many[0] = (struct corm_expr){.op = CORM_END};
    REFUSED_KEY((struct corm_expr){.op = CORM_KEYS, .kids = many});
    REFUSED_KEY((struct corm_expr){.op = CORM_AND, .kids = many});
    assert_code((int)corm_submit(db, empty_function, &n, .error = &e), CORM_MISUSE, &e);
    assert_code(corm_transact(db, empty_function, &n, .key = corm_eq(product.id, 1),
                              .done = hold_done, .error = &e),
                CORM_MISUSE, &e);
    assert_code(corm_transact(db, empty_function, &n, .key = corm_eq(product.id, 1),
                              .read_only = true, .error = &e),
                CORM_MISUSE, &e);
    assert_int_equal(n, 1);
}

/* ---- Keys of all kinds --------------------------------------------------------------------------------------- */

static int take_from_all(struct corm_trx *trx, void *arg)
{
    int rc = corm_update(trx, shelf, corm_and(corm_eq(shelf.hall, 1), corm_eq(shelf.place, "a")),
                         corm_add(shelf.stock, -1));

    (void)arg;
    if (rc == 1)
        rc = corm_update(trx, label, corm_eq(label.name, "it's"), corm_add(label.stock, -1));
    if (rc == 1)
        rc = corm_update(trx, product, corm_eq(product.id, 2), corm_add(product.stock, -1));
    return rc == 1 || rc < 0 ? rc : corm_abort(trx, NOT_FOUND, "a row is missing");
}

static void *take_in_thread(void *arg)
{
    int *rc = arg;

    for (int i = 0; i < 20 && *rc >= 0; i++) {
        struct corm_error e = {0};
        char              place[] = "a";
        switch (i % 4) {
        case 0:
            *rc = corm_transact(
                db, take_from_all, NULL, .error = &e,
                .key = corm_and(corm_eq(shelf.place, (const char *)place), corm_eq(shelf.hall, 1)));
            break;
        case 1:
            *rc = corm_transact(db, take_from_all, NULL, .key = corm_eq(label.name, "it's"),
                                .error = &e);
            break;
        case 2:
            *rc = corm_transact(
                db, take_from_all, NULL, .error = &e,
                .key = corm_keys(corm_eq(product.id, 2),
                                 corm_and(corm_eq(shelf.hall, 1), corm_eq(shelf.place, "a")),
                                 corm_eq(label.name, "it's")));
            break;
        default:
            *rc = corm_transact(db, take_from_all, NULL, .error = &e,
                                .key = corm_keys(corm_eq(product.id, 2), corm_eq(product.id, 1),
                                                 corm_eq(product.id, 2)));
        }
        if (*rc < 0)
            (void)fprintf(stderr, "# %s\n", e.message);
    }
    return NULL;
}

static void keys_of_two_columns_texts_and_several_keys_hold_their_rows(void **state)
{
    int               rcs[8] = {0};
    struct corm_error e = {0};

    (void)state;
    new_table(db, shelf);
    new_table(db, label);
    assert_ok(corm_insert_row(db, shelf, &(struct shelf){1, "a", STOCK}, .error = &e), &e);
    assert_ok(corm_insert_row(db, label, &(struct label){"it's", STOCK}, .error = &e), &e);
    run_threads(8, take_in_thread, rcs, sizeof(rcs[0]));
    for (int i = 0; i < 8; i++)
        assert_int_equal(rcs[i], 1);
    assert_int_equal(stock_of(2), STOCK - 160);
    assert_int_equal(number_beside("SELECT stock FROM shelf"), STOCK - 160);
    assert_int_equal(number_beside("SELECT stock FROM label"), STOCK - 160);
}

/* ---- Closing ---------------------------------------------------------------------------------------------------- */

static void closing_cancels_what_waits_and_tells_it(void **state)
{
    enum { N = 20 };
    struct hold h = HOLD;
    struct buy  all[N] = {{0}};
    pthread_t   opener;

    (void)state;
    hold(&h);
    for (int i = 0; i < N; i++) {
        all[i] = (struct buy){.buyer = i, .product_id = 4, .qty = 1};
        (void)submit(&all[i]);
    }
    assert_int_equal(pthread_create(&opener, NULL, let_go_later, &h), 0);
    corm_close(db);
    db = NULL;
    (void)pthread_join(opener, NULL);
    assert_int_equal(h.rc, 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(all[i].told, 1);
        assert_code(all[i].rc, CORM_CANCELLED, &all[i].error);
        assert_int_equal(all[i].runs, 0);
    }
    assert_int_equal(rows_of("1 = 1"), 0);
}

static struct corm_db *closing;
static int64_t         submitted_again;

static void submit_again(int rc, const struct corm_error *error, void *arg)
{
    struct corm_error e = {0};

    on_done(rc, error, arg);
    submitted_again = corm_submit(closing, purchase, arg, .key = corm_eq(product.id, 1),
                                  .done = on_done, .error = &e);
}

static void submitting_while_it_is_closed_is_refused(void **state)
{
    struct hold h = HOLD;
    struct buy  b = {.buyer = 1, .product_id = 4, .qty = 1};
    pthread_t   opener;

    (void)state;
    hold(&h);
    closing = db;
    submitted_again = 0;
    assert_true(corm_submit(db, purchase, &b, .key = corm_eq(product.id, 4), .done = submit_again) >
                0);
    assert_int_equal(pthread_create(&opener, NULL, let_go_later, &h), 0);
    corm_close(db);
    db = NULL;
    (void)pthread_join(opener, NULL);
    assert_int_equal(submitted_again, CORM_CANCELLED);
    assert_int_equal(b.told, 1);
    assert_int_equal(b.runs, 0);
}

static size_t entries_of(const char *folder)
{
    DIR   *d = opendir(folder);
    size_t n = 0;

    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        (void)closedir(d);
    return n;
}

static void one_cycle(int i)
{
    struct buy all[4];

    db = open_db(is_mariadb() ? "pool=4&lanes=3&timeout_ms=15000" : "pool=4&timeout_ms=15000");
    if (i % 3 == 0)
        (void)corm_fd(db);
    memset(all, 0, sizeof(all));
    for (int k = 0; k < 4; k++) {
        all[k] = (struct buy){.buyer = 4 * i + k, .product_id = 1 + k % 3, .qty = 0};
        (void)submit(&all[k]);
    }
    if (i % 2 == 0)
        (void)corm_drain(db);
    corm_close(db);
    db = NULL;
    for (int k = 0; k < 4; k++)
        if (all[k].told != 1 || (all[k].rc != 7 && (i % 2 == 0 || all[k].rc != CORM_CANCELLED)))
            fail_msg("cycle %d: told %d times, %d: %s", i, all[k].told, all[k].rc,
                     all[k].error.message);
}

static void cycles_of_opening_and_closing_leave_nothing_behind(void **state)
{
    enum { LEAST = 16 }; /* no allocation is smaller */
    const char *asked = getenv("CORM_TEST_CYCLES");
    int         cycles = is_mariadb() ? 200 : 1000;

    (void)state;
    if (asked != NULL)
        cycles = (int)strtol(asked, NULL, 10);
    int warm = cycles / 2;
    assert_true(cycles > 0);
    corm_close(db);
    for (int i = 0; i < warm; i++)
        one_cycle(i);
    size_t           threads = entries_of("/proc/self/task"), files = entries_of("/proc/self/fd");
    struct mallinfo2 before = mallinfo2();
    for (int i = warm; i < warm + cycles; i++)
        one_cycle(i);
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(entries_of("/proc/self/task"), threads);
    assert_int_equal(entries_of("/proc/self/fd"), files);
    if (after.uordblks > before.uordblks + (size_t)cycles * LEAST)
        fail_msg("%zu bytes are in use, %zu were", after.uordblks, before.uordblks);
    db = open_db("pool=4");
}

static void waiting_costs_less_than_a_kilobyte(void **state)
{
    enum { N = 100000 };
    struct hold h = HOLD;
    struct buy *all = calloc(N, sizeof(*all));
    int64_t     last = 0;

    (void)state;
    corm_close(db);
    open_lanes("pool=4&lanes=1&lane_queue=200000&timeout_ms=60000");
    hold(&h);
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < N; i++) {
        all[i].product_id = 1 + i % 3;
        last = submit(&all[i]);
    }
    struct mallinfo2 after = mallinfo2();
    size_t           bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
    printf("# %d waiting: %zu bytes each\n", N, bytes / N);
    assert_int_equal(corm_cancel(db, last), 1);
    let_go(&h);
    corm_close(db);
    db = NULL;
    for (int i = 0; i < N; i++)
        assert_int_equal(all[i].told, 1);
    free(all);
    assert_true(bytes / N < 1024);
}

/* ---- Others on the same rows ---------------------------------------------------------------------------------------- */

struct foreign {
    atomic_int stop, done;
    int        failed;
    bool       locks;
};

static bool has_written(void *arg)
{
    return ((struct foreign *)arg)->done > 0;
}

/* Takes one and notes it, by a plain client of the server. */
static void *foreign_writer(void *arg)
{
    struct foreign *f = arg;

    while (!f->stop) {
        if (is_mariadb() && f->locks)
            beside("BEGIN; SELECT stock INTO @s FROM product WHERE id = 1 FOR UPDATE; UPDATE "
                   "product SET stock = @s - 1 WHERE id = 1; INSERT INTO bought (buyer, "
                   "product_id, qty) VALUES (%d, 1, 1); COMMIT",
                   -1 - f->done);
        else
            beside("BEGIN%s; UPDATE product SET stock = stock - 1 WHERE id = 1; INSERT INTO bought "
                   "(buyer, product_id, qty) VALUES (%d, 1, 1); COMMIT",
                   is_mariadb() ? "" : " IMMEDIATE", -1 - f->done);
        f->done++;
    }
    return NULL;
}

static void foreign_writers_and_groups_respect_each_other(void **state)
{
    (void)state;
    for (int locks = 0; locks < 2; locks++) {
        struct foreign f = {.locks = locks == 1};
        struct buyer   buyers[4] = {{0}};
        pthread_t      thread;

        beside("DELETE FROM bought");
        beside("UPDATE product SET stock = 100000");
        assert_int_equal(pthread_create(&thread, NULL, foreign_writer, &f), 0);
        wait_until(has_written, &f);
        for (int i = 0; i < 4; i++)
            buyers[i].from = 1000 + i * EACH;
        run_threads(4, buy_in_thread, buyers, sizeof(buyers[0]));
        f.stop = 1;
        (void)pthread_join(thread, NULL);
        for (int i = 0; i < 4; i++)
            assert_int_equal(buyers[i].bought, EACH);
        assert_int_equal(rows_of("buyer < 0"), f.done);
        for (int id = 1; id <= 2; id++)
            assert_int_equal(stock_of(id) +
                                 number_beside("SELECT COALESCE(SUM(qty), 0) FROM bought WHERE "
                                               "product_id = %d",
                                               id),
                             100000);
    }
}

/* A lock that another client of the server holds. */
static struct corm_trx *lock_row(struct corm_db *other, int id)
{
    struct corm_trx  *trx = NULL;
    struct corm_error e = {0};
    struct product    p;

    assert_ok(corm_begin(other, &trx, .error = &e), &e);
    assert_rows(
        corm_first(trx, product, &p, .where = corm_eq(product.id, id), .lock = CORM_FOR_UPDATE), 1,
        &e);
    return trx;
}

static void foreign_lock_stops_only_the_members_of_its_row(void **state)
{
    struct corm_db  *other = open_db("pool=2");
    struct corm_trx *foreign = lock_row(other, 1);
    struct buy       all[9] = {{0}};
    int64_t          tickets[9];

    (void)state;
    for (int i = 0; i < 9; i++) {
        all[i] = (struct buy){.buyer = i, .product_id = 1 + i % 3, .qty = 1};
        tickets[i] = submit(&all[i]);
    }
    for (int i = 0; i < 9; i++)
        if (i % 3 != 0) /* told although row 1 stays locked */
            assert_int_equal(corm_wait(db, tickets[i], NULL), 7);
    for (int i = 0; i < 9; i += 3)
        assert_int_equal(all[i].told, 0);
    corm_end(foreign);
    (void)corm_drain(db);
    for (int i = 0; i < 9; i += 3) {
        assert_int_equal(all[i].rc, 7);
        assert_int_equal(all[i].seen, STOCK - i / 3); /* in their order */
    }
    assert_int_equal(rows_of("1 = 1"), 9);
    corm_close(other);
}

/* On SQLite it is the file that is locked. */
static void deadline_passes_behind_a_foreign_transaction(void **state)
{
    struct corm_db   *other = open_db("pool=2");
    struct corm_trx  *foreign = lock_row(other, 1);
    struct buy        b = {.buyer = 1, .product_id = 1, .qty = 1}, late = b, good = b;
    struct corm_error e = {0};

    (void)state;
    late.buyer = 2;
    good.buyer = 3;
    int64_t ticket = corm_submit(db, purchase, &b, .key = corm_eq(product.id, 1), .timeout_ms = 300,
                                 .error = &e);
    assert_ok(ticket, &e);
    int64_t before = now_ms();
    assert_int_equal(
        corm_transact(db, purchase, &late, .key = corm_eq(product.id, 1), .timeout_ms = 200),
        CORM_TIMEOUT);
    assert_int_equal(corm_wait(db, ticket, NULL), CORM_TIMEOUT);
    assert_true(now_ms() - before < 10000);
    int64_t last = submit(&good);
    corm_end(foreign);
    assert_int_equal(corm_wait(db, last, NULL), 7);
    assert_int_equal(rows_of("1 = 1"), 1);
    corm_close(other);
}

/* A list of keys of a small table must not become a scan. */
static void group_locks_only_the_rows_of_its_keys(void **state)
{
    struct hold       h = HOLD, two = HOLD;
    struct corm_error e = {0};
    struct corm_db   *other = open_db("pool=2");
    struct corm_trx  *foreign = NULL;
    struct product    p;
    struct shelf      s;

    (void)state;
    new_table(db, shelf);
    for (int32_t i = 0; i < 4; i++)
        assert_ok(corm_insert_row(db, shelf, &(struct shelf){i / 2, i % 2 == 0 ? "a" : "b", 1},
                                  .error = &e),
                  &e);
    for (int32_t i = 0; i < 16; i++)
        assert_ok(corm_insert_row(db, product, &(struct product){.name = "more", .stock = 1},
                                  .error = &e),
                  &e);
    struct corm_expr keys[17];
    for (int i = 0; i < 16; i++) /* 4 to 19 of 1 to 20 */
        keys[i] = corm_eq(product.id, i + 4);
    keys[16] = (struct corm_expr){.op = CORM_END};
    assert_ok(corm_submit(db, hold_lane, &h, .error = &e,
                          .key = (struct corm_expr){.op = CORM_KEYS, .kids = keys}),
              &e);
    assert_true(pass_gate(&h.entered, WAIT_MS));
    assert_ok(corm_begin(other, &foreign, .error = &e), &e);
    for (int32_t id = 1; id <= 20; id += id == 3 ? 17 : 1)
        assert_rows(corm_first(foreign, product, &p, .where = corm_eq(product.id, id),
                               .lock = CORM_FOR_UPDATE, .nowait = true),
                    1, &e);
    assert_int_equal(corm_first(foreign, product, &p, .where = corm_eq(product.id, 4),
                                .lock = CORM_FOR_UPDATE, .nowait = true),
                     CORM_LOCKED);
    let_go(&h);
    (void)corm_drain(db);
    assert_ok(
        corm_submit(db, hold_lane, &two, .error = &e,
                    .key = corm_keys(corm_and(corm_eq(shelf.hall, 0), corm_eq(shelf.place, "a")),
                                     corm_and(corm_eq(shelf.hall, 1), corm_eq(shelf.place, "b")))),
        &e);
    assert_true(pass_gate(&two.entered, WAIT_MS));
    for (int32_t i = 0; i < 2; i++)
        assert_rows(corm_first(foreign, shelf, &s,
                               .where = corm_and(corm_eq(shelf.hall, i),
                                                 corm_eq(shelf.place, i == 0 ? "b" : "a")),
                               .lock = CORM_FOR_UPDATE, .nowait = true),
                    1, &e);
    let_go(&two);
    (void)corm_drain(db);
    corm_end(foreign);
    corm_close(other);
}

static void deadline_passes_behind_a_foreign_lock(void **state)
{
    struct corm_db   *other = open_db("pool=2");
    struct corm_trx  *foreign = lock_row(other, 1);
    struct buy        b = {.buyer = 1, .product_id = 1, .qty = 1}, late = b, free_one = b;
    struct corm_error e = {0};

    (void)state;
    late.buyer = 2;
    free_one = (struct buy){.buyer = 3, .product_id = 2, .qty = 1};
    int64_t ticket = corm_submit(db, purchase, &b, .key = corm_eq(product.id, 1), .timeout_ms = 300,
                                 .error = &e);
    assert_ok(ticket, &e);
    int64_t other_ticket = submit(&free_one);
    assert_int_equal(
        corm_transact(db, purchase, &late, .key = corm_eq(product.id, 1), .timeout_ms = 200),
        CORM_TIMEOUT);
    assert_int_equal(corm_wait(db, ticket, NULL), CORM_TIMEOUT);
    assert_int_equal(b.runs + late.runs, 0);
    assert_int_equal(corm_wait(db, other_ticket, NULL), 7);
    corm_end(foreign);
    (void)corm_drain(db);
    assert_int_equal(rows_of("1 = 1"), 1);
    corm_close(other);
}

static void count_bounds(const struct corm_event *event, void *arg)
{
    atomic_int *count = arg;

    if (strstr(event->text, "max_statement_time") != NULL)
        (*count)++;
}

static int touch_another(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return corm_sql(trx, NULL, "UPDATE product SET stock = stock WHERE id = 2");
}

/* A bound on the wait for a lock is one on the time of the server: where the group has the lock, a busy
 * server would put a member aside that waits for nobody, and others would overtake it. */
static void row_that_the_group_has_locked_is_read_again_without_a_bound(void **state)
{
    struct hold       h = HOLD;
    struct buy        buys[2] = {{.buyer = 1, .product_id = 1, .qty = 1},
                                 {.buyer = 2, .product_id = 1, .qty = 1}};
    struct corm_error e = {0};
    atomic_int        bounds = 0;

    (void)state;
    corm_close(db);
    db = open_watched("pool=6&lanes=1", count_bounds, &bounds);
    hold(&h);
    (void)submit(&buys[0]);
    assert_ok(corm_submit(db, touch_another, NULL, .key = corm_eq(product.id, 1), .error = &e), &e);
    (void)submit(&buys[1]);
    let_go(&h);
    (void)corm_drain(db);
    assert_int_equal(buys[0].rc, 7);
    assert_int_equal(buys[1].rc, 7);
    assert_int_equal(bounds, 2); /* of the two groups' keys */
    assert_int_equal(stock_of(1), STOCK - 2);
}

static int sleep_on_the_server(struct corm_trx *trx, void *arg)
{
    struct corm_rows rows;

    (void)arg;
    return corm_sql(trx, &rows, "SELECT SLEEP(3)");
}

/* Who has little time is told so, though who shares its group has much; and that one loses nothing. */
static void deadline_of_one_ends_a_group_of_many(void **state)
{
    struct hold       h = HOLD;
    struct buy        b = {.buyer = 1, .product_id = 1, .qty = 1};
    struct corm_error e = {0};

    (void)state;
    corm_close(db);
    open_lanes("pool=6&lanes=1&lane_wait_ms=100&timeout_ms=15000");
    hold(&h);
    int64_t early = corm_submit(db, sleep_on_the_server, NULL, .key = corm_eq(product.id, 1),
                                .timeout_ms = 1000, .error = &e);
    assert_ok(early, &e);
    int64_t other = submit(&b);
    let_go(&h);
    assert_int_equal(corm_wait(db, early, NULL), CORM_TIMEOUT);
    assert_int_equal(corm_wait(db, other, NULL), 7);
    (void)corm_drain(db);
    assert_int_equal(rows_of("1 = 1"), 1);
}

struct again {
    struct gate ran, waited;
    atomic_int  runs;
    int         rc, told;
};

/* Fails as if by a deadlock, once; not before somebody else waits for its row. */
static int fails_once(struct corm_trx *trx, void *arg)
{
    struct again *a = arg;

    (void)trx;
    if (++a->runs > 1)
        return 0;
    open_gate(&a->ran);
    return pass_gate(&a->waited, WAIT_MS) ? CORM_DEADLOCK : 0;
}

static void again_done(int rc, const struct corm_error *error, void *arg)
{
    struct again *a = arg;

    (void)error;
    a->rc = rc;
    a->told++;
}

struct locker {
    struct corm_db  *db;
    struct corm_trx *trx;
};

static void *lock_in_thread(void *arg)
{
    struct locker *l = arg;
    struct product p;

    if (corm_begin(l->db, &l->trx) == 0)
        (void)corm_first(l->trx, product, &p, .where = corm_eq(product.id, 1),
                         .lock = CORM_FOR_UPDATE);
    return NULL;
}

/* What the server tells of transactions is as old as the last question, where that was a moment ago. */
static bool somebody_waits_for_a_lock(void *arg)
{
    (void)arg;
    pause_ms(150);
    return number_beside("SELECT COUNT(*) FROM information_schema.innodb_trx t JOIN "
                         "information_schema.processlist p ON p.id = t.trx_mysql_thread_id WHERE "
                         "t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()") > 0;
}

/* One that has run already, and finds its row locked when it runs again. */
static void deadline_passes_behind_a_foreign_lock_after_a_try(void **state)
{
    struct locker l = {.db = open_db("pool=2")};
    struct again  a = {.ran = GATE, .waited = GATE};
    struct buy    patient = {.buyer = 1, .product_id = 1, .qty = 1}; /* so that its group is, too */
    pthread_t     thread;

    (void)state;
    assert_true(corm_submit(db, fails_once, &a, .key = corm_eq(product.id, 1), .timeout_ms = 2500,
                            .done = again_done) > 0);
    assert_true(pass_gate(&a.ran, WAIT_MS));
    (void)submit(&patient);
    assert_int_equal(pthread_create(&thread, NULL, lock_in_thread, &l), 0);
    wait_until(somebody_waits_for_a_lock, NULL);
    open_gate(&a.waited); /* its group ends, and the other has the row */
    (void)pthread_join(thread, NULL);
    int64_t end = now_ms() + 8000;
    while (corm_dispatch(db) == 0 && now_ms() < end)
        pause_ms(20);
    bool told = a.told == 1; /* while the row is locked */
    corm_end(l.trx);
    (void)corm_drain(db);
    corm_close(l.db);
    assert_true(told);
    assert_true(a.rc == CORM_TIMEOUT);
    assert_int_equal(a.runs, 1);
    assert_int_equal(patient.rc, 7);
}

/* ---- Locks of others on rows that are in nobody's key ---------------------------------------------------- */

struct besides {
    struct buy buy;
    bool       by_condition; /* wants the other row by a statement that goes to the server */
};

/* A purchase of what its key names that takes one piece of product 3, too. */
static int buy_besides(struct corm_trx *trx, void *arg)
{
    struct besides *b = arg;
    struct product  p;
    int             rc = purchase(trx, &b->buy);

    if (rc < 0)
        return rc;
    if (b->by_condition)
        return corm_update(trx, product,
                           corm_and(corm_eq(product.id, 3), corm_ge(product.stock, 1)),
                           corm_add(product.stock, -1));
    rc = corm_first(trx, product, &p, .where = corm_eq(product.id, 3), .lock = CORM_FOR_UPDATE);
    if (rc < 0)
        return rc;
    return corm_update(trx, product, corm_eq(product.id, 3), corm_add(product.stock, -1));
}

static void foreign_lock_on_a_row_in_nobodys_key_stops_only_who_wants_it(void **state)
{
    struct corm_error e = {0};
    struct besides    stopped[2] = {{{.buyer = 1, .product_id = 1, .qty = 1}, false},
                                    {{.buyer = 2, .product_id = 1, .qty = 1}, true}};
    struct buy        before = {.buyer = 3, .product_id = 1, .qty = 1};
    struct buy        behind[8] = {{0}};
    int64_t           tickets[9];
    struct hold       h = HOLD;

    (void)state;
    corm_close(db);
    open_lanes("pool=6&lanes=1&timeout_ms=15000&lane_wait_ms=400");
    struct corm_db  *other = open_db("pool=2");
    struct corm_trx *foreign = lock_row(other, 3);
    (void)hold(&h); /* so that all of them are one group */
    tickets[0] = submit(&before);
    for (int i = 0; i < 2; i++)
        assert_ok(corm_submit(db, buy_besides, &stopped[i], .key = corm_eq(product.id, 1),
                              .done = on_done, .error = &e),
                  &e);
    for (int i = 0; i < 8; i++) {
        behind[i] = (struct buy){.buyer = 10 + i, .product_id = 1 + i % 2, .qty = 1};
        tickets[1 + i] = submit(&behind[i]);
    }
    let_go(&h);
    for (int i = 0; i < 9; i++)
        assert_int_equal(corm_wait(db, tickets[i], &e), 7); /* although product 3 stays locked */
    assert_int_equal(stopped[0].buy.told + stopped[1].buy.told, 0);
    corm_end(foreign);
    (void)corm_drain(db);
    for (int i = 0; i < 2; i++)
        assert_int_equal(stopped[i].buy.rc, 1);
    assert_int_equal(rows_of("1 = 1"), 11);
    assert_int_equal(stock_of(1), STOCK - 3 - 4);
    assert_int_equal(stock_of(3), STOCK - 2);
    corm_close(other);
}

/* Also one that is found only when the group sends what it has in memory. */
static void row_that_others_insert_stops_only_who_inserts_it_too(void **state)
{
    enum { N = 8, STOPPED = 3 };
    struct corm_error e = {0};
    struct deal       all[N];
    int64_t           tickets[N];
    struct hold       h = HOLD;
    struct corm_trx  *foreign = NULL;

    (void)state;
    corm_close(db);
    open_lanes("pool=6&lanes=1&timeout_ms=15000&lane_wait_ms=400");
    struct corm_db *other = open_db("pool=2");
    make_good(all, N);
    assert_ok(corm_begin(other, &foreign, .error = &e), &e);
    assert_ok(corm_insert_row(foreign, bought, &(struct bought){.buyer = all[STOPPED].buyer},
                              .id = &all[STOPPED].bought_id),
              &e);
    (void)hold(&h);
    for (int i = 0; i < N; i++) {
        tickets[i] = corm_submit(db, make_deal, &all[i], .key = corm_eq(product.id, 1),
                                 .done = deal_done, .error = &e);
        assert_ok(tickets[i], &e);
    }
    let_go(&h);
    for (int i = 0; i < N; i++)
        if (i != STOPPED)
            assert_int_equal(corm_wait(db, tickets[i], &e), 7);
    assert_int_equal(all[STOPPED].rc, 0);
    corm_end(foreign); /* and so it is not there */
    (void)corm_drain(db);
    for (int i = 0; i < N; i++) {
        assert_int_equal(all[i].rc, 7);
        assert_int_equal(all[i].seen, STOCK - (i == STOPPED ? N - 1 : i < STOPPED ? i : i - 1));
    }
    assert_int_equal(stock_of(1), STOCK - N);
    assert_int_equal(rows_of("1 = 1"), N);
    corm_close(other);
}

struct lookout {
    int       runs;
    long long free; /* rows that somebody else could lock, in the last run */
};

static int look_at_locks(struct corm_trx *trx, void *arg)
{
    struct lookout *l = arg;

    (void)trx;
    l->runs++;
    l->free =
        number_beside("SELECT COUNT(*) FROM product WHERE id IN (1, 3) FOR UPDATE SKIP LOCKED");
    return 0;
}

/* Of keys, and of rows that a member has locked since. */
static void locks_are_kept_when_a_flush_is_refused(void **state)
{
    struct besides    first = {{.buyer = 1, .product_id = 1, .qty = 1}, false};
    struct buy        guilty = {.buyer = 5, .product_id = 1, .qty = 1};
    struct lookout    look = {0};
    struct hold       h = HOLD;
    struct corm_error e = {0};

    (void)state;
    beside("INSERT INTO bought (buyer, product_id, qty) VALUES (5, 9, 0)");
    (void)hold(&h);
    (void)submit(&guilty);
    assert_ok(corm_submit(db, buy_besides, &first, .key = corm_eq(product.id, 1), .done = on_done,
                          .error = &e),
              &e);
    assert_ok(corm_submit(db, look_at_locks, &look, .key = corm_eq(product.id, 1), .error = &e),
              &e);
    let_go(&h);
    (void)corm_drain(db);
    assert_int_equal(first.buy.rc, 1);
    assert_code(guilty.rc, CORM_DUPLICATE, &guilty.error);
    assert_int_equal(look.runs, 2);
    assert_int_equal(look.free, 0);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM product WHERE id IN (1, 3) FOR UPDATE "
                                   "SKIP LOCKED"),
                     2);
}

static bool has_run_a_group(void *arg)
{
    struct corm_counters c;

    (void)arg;
    corm_stats(db, &c);
    return c.groups > 0;
}

/* A group waits lane_wait_ms once, not each time that it comes by. */
static void key_that_stays_locked_does_not_make_every_group_wait(void **state)
{
    struct corm_error e = {0};
    struct buy        stopped = {.buyer = 1, .product_id = 1, .qty = 1}, same = stopped;

    (void)state;
    corm_close(db);
    open_lanes("pool=6&lanes=1&timeout_ms=15000&lane_wait_ms=3000");
    struct corm_db  *other = open_db("pool=2");
    struct corm_trx *foreign = lock_row(other, 1);
    same.buyer = 2;
    int64_t ticket = submit(&stopped);
    wait_until(has_run_a_group, NULL);
    int64_t behind = submit(&same);
    for (int i = 0; i < 20; i++) {
        struct buy b = {.buyer = 10 + i, .product_id = 2, .qty = 1};
        assert_int_equal(corm_transact(db, purchase, &b, .key = corm_eq(product.id, 2),
                                       .timeout_ms = 2000, .error = &e),
                         7);
    }
    assert_int_equal(stopped.told + same.told, 0);
    corm_end(foreign);
    assert_int_equal(corm_wait(db, ticket, NULL), 7);
    assert_int_equal(corm_wait(db, behind, NULL), 7);
    assert_int_equal(stopped.seen, STOCK);
    assert_int_equal(same.seen, STOCK - 1); /* behind who came before it */
    corm_close(other);
}

/* ---- A group's memory ---------------------------------------------------------------------------------- */

static int take_memory(struct corm_trx *trx, void *arg)
{
    enum { MUCH = 3 * 1024 * 1024 };

    ++*(int *)arg;
    return corm_arena_alloc(corm_trx_arena(trx), MUCH) != NULL ? 0 : CORM_NO_MEMORY;
}

static void memory_of_a_group_is_bounded(void **state)
{
    enum { COUNT_OF_ALL = 24 };
    int                  runs[COUNT_OF_ALL] = {0};
    struct hold          h = HOLD;
    struct corm_error    e = {0};
    struct corm_counters before, after;

    (void)state;
    (void)hold(&h);
    for (int i = 0; i < COUNT_OF_ALL; i++)
        assert_ok(
            corm_submit(db, take_memory, &runs[i], .key = corm_eq(product.id, 1), .error = &e), &e);
    corm_stats(db, &before);
    let_go(&h);
    (void)corm_drain(db);
    corm_stats(db, &after);
    assert_true(after.groups - before.groups >= 6); /* of about three each, and that which held */
    for (int i = 0; i < COUNT_OF_ALL; i++)
        assert_int_equal(runs[i], 1);
}

/* ---- Threads that hold a transaction; children ----------------------------------------------------------- */

static void thread_with_an_open_transaction_may_submit_and_not_wait(void **state)
{
    struct corm_error e = {0};
    struct buy        b = {.buyer = 1, .product_id = 2, .qty = 1};
    struct product    p;
    struct corm_trx  *trx = NULL;

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &e), &e);
    assert_rows(
        corm_first(trx, product, &p, .where = corm_eq(product.id, 1), .lock = CORM_FOR_SHARE), 1,
        &e);
    assert_code(corm_transact(db, purchase, &b, .key = corm_eq(product.id, 1), .error = &e),
                CORM_WOULD_BLOCK, &e);
    e = (struct corm_error){0};
    int64_t ticket = submit(&b);
    assert_code(corm_wait(db, ticket, &e), CORM_WOULD_BLOCK, &e);
    assert_int_equal(corm_drain(db), CORM_WOULD_BLOCK);
    assert_true(corm_dispatch(db) >= 0);
    assert_true(corm_cancel(db, ticket) != CORM_WOULD_BLOCK);
    assert_true(corm_fd(db) >= 0);
    corm_end(trx);
    (void)corm_drain(db);
    assert_int_equal(b.told, 1);
    assert_ok(corm_begin(db, &trx, .read_only = true, .error = &e), &e); /* of a file: a reader */
    assert_rows(corm_first(trx, product, &p, .where = corm_eq(product.id, 1)), 1, &e);
    assert_code(corm_transact(db, purchase, &b, .key = corm_eq(product.id, 1), .error = &e),
                CORM_WOULD_BLOCK, &e);
    corm_end(trx);
    assert_int_equal(corm_transact(db, purchase,
                                   &(struct buy){.buyer = 9, .product_id = 1, .qty = 1},
                                   .key = corm_eq(product.id, 1)),
                     7);
}

static int write_and_go_back(struct corm_trx *trx, void *arg)
{
    struct buy *b = arg;
    int         rc =
        corm_update(trx, product, corm_eq(product.id, b->product_id), corm_add(product.stock, 1));

    b->runs++;
    return rc < 0 ? rc : corm_savepoint_rollback(trx);
}

static void savepoint_that_is_not_there_is_told_and_leaves_nothing(void **state)
{
    struct corm_error e = {0};
    struct buy        b = {.product_id = 1};

    (void)state;
    long long before = number_beside("SELECT SUM(stock) FROM product");
    assert_code(
        corm_transact(db, write_and_go_back, &b, .key = corm_eq(product.id, 1), .error = &e),
        CORM_MISUSE, &e);
    assert_non_null(strstr(e.message, "no savepoint"));
    assert_in_range(b.runs, 1, 2);
    assert_int_equal(number_beside("SELECT SUM(stock) FROM product"), before);
}

/* Nothing is asserted in it. */
static int call_all_in_child(int64_t ticket)
{
    int unused = 0, code = 0;

    code +=
        corm_transact(db, empty_function, &unused, .key = corm_eq(product.id, 1)) != CORM_FORKED;
    code += corm_submit(db, empty_function, &unused, .key = corm_eq(product.id, 1)) != CORM_FORKED;
    code += corm_wait(db, ticket, NULL) != CORM_FORKED;
    code += corm_drain(db) != CORM_FORKED;
    code += corm_dispatch(db) != CORM_FORKED;
    code += corm_cancel(db, ticket) != CORM_FORKED;
    code += corm_fd(db) != CORM_FORKED;
    corm_close(db);
    return code;
}

static void lanes_are_refused_in_a_child(void **state)
{
    int         status = 0;
    struct hold h = HOLD;
    int64_t     ticket = hold(&h); /* a lane is at work */

    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(call_all_in_child(ticket));
    assert_int_equal(waitpid(child, &status, 0), child);
    let_go(&h);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(corm_wait(db, ticket, NULL), 0);
}

static void closing_does_not_wait_for_a_foreign_lock(void **state)
{
    struct corm_db  *other = open_db("pool=2");
    struct corm_trx *foreign = lock_row(other, 1);
    struct buy       b = {.buyer = 1, .product_id = 1, .qty = 1};

    (void)state;
    (void)submit(&b);
    int64_t before = now_ms();
    corm_close(db); /* its deadline is in 15 s */
    db = NULL;
    int64_t took = now_ms() - before;
    corm_end(foreign);
    corm_close(other);
    assert_int_equal(b.told, 1);
    assert_code(b.rc, CORM_CANCELLED, &b.error);
    assert_true(took < 10000);
}

/* Locks row 2 and then row 1, while groups lock 1 and then 2. */
static void *foreign_deadlocker(void *arg)
{
    struct foreign *f = arg;
    struct corm_db *other = NULL;

    if (corm_open(&other, test_url("pool=2")) < 0)
        return NULL;
    while (!f->stop) {
        struct corm_trx *trx = NULL;
        (void)corm_begin(other, &trx);
        int rc = corm_sql(trx, NULL, "UPDATE product SET stock = stock + 1 WHERE id = 2");
        if (rc >= 0)
            (void)corm_sql(trx, NULL, "UPDATE product SET stock = stock + 1 WHERE id = 1");
        rc = corm_commit(trx);
        corm_end(trx);
        f->done += rc == 0;
        f->failed += rc == CORM_DEADLOCK;
    }
    corm_close(other);
    return NULL;
}

static int move_one(struct corm_trx *trx, void *arg)
{
    int rc = corm_update(trx, product, corm_eq(product.id, 1), corm_add(product.stock, -1));

    (void)arg;
    return rc == 1 ? corm_update(trx, product, corm_eq(product.id, 2), corm_add(product.stock, 1))
                   : rc;
}

static void move_done(int rc, const struct corm_error *error, void *arg)
{
    (void)error;
    *(int *)arg += rc == 1;
}

static void foreign_deadlocks_are_run_again_and_told_right(void **state)
{
    struct foreign f = {0};
    pthread_t      thread;
    int            moved = 0;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, foreign_deadlocker, &f), 0);
    for (int i = 0; i < 200; i++) {
        assert_true(corm_submit(db, move_one, &moved, .key = corm_eq(product.id, 1),
                                .done = move_done) > 0);
        if (i % 10 == 9)
            (void)corm_drain(db);
    }
    (void)corm_drain(db);
    f.stop = 1;
    (void)pthread_join(thread, NULL);
    printf("# %d by the foreign one, %d times it was ended; groups ran %llu functions for 200\n",
           f.done, f.failed, (unsigned long long)stats_of(db).members);
    assert_int_equal(moved, 200);
    assert_int_equal(stock_of(1), STOCK - 200 + f.done);
    assert_int_equal(stock_of(2), STOCK + 200 + f.done);
}

/* The first of a group: takes all that is there when it runs first, and nothing when it runs again. */
static int takes_all_at_first(struct corm_trx *trx, void *arg)
{
    (void)arg;
    if (corm_attempt(trx) > 1)
        return corm_abort(trx, REFUSED, "not again");
    return corm_update(trx, product, corm_eq(product.id, 1), corm_set(product.stock, 0));
}

/* The last of it: ends the connection that it runs on, once, as an administrator would. */
static int kills_its_connection(struct corm_trx *trx, void *arg)
{
    atomic_int      *killed = arg;
    struct corm_rows rows = {0};
    int              rc = corm_sql(trx, &rows, "SELECT CONNECTION_ID()");

    if (rc < 0 || (*killed)++ > 0)
        return rc < 0 ? rc : 0;
    beside("KILL %lld", (long long)rows.values[0].as.i);
    return corm_sql(trx, NULL, "SELECT 1");
}

/* It had refused because of what a member before it had left, and that was rolled back. */
static void refusal_that_rests_on_what_was_rolled_back_is_not_told(void **state)
{
    struct hold h = HOLD;
    struct buy  b = {.buyer = 1, .product_id = 1, .qty = 1};
    atomic_int  killed = 0;

    (void)state;
    hold(&h);
    int64_t first = corm_submit(db, takes_all_at_first, NULL, .key = corm_eq(product.id, 1));
    (void)submit(&b);
    int64_t last = corm_submit(db, kills_its_connection, &killed, .key = corm_eq(product.id, 1));
    let_go(&h);
    assert_int_equal(corm_wait(db, first, NULL), REFUSED);
    assert_int_equal(corm_wait(db, last, NULL), 0);
    (void)corm_drain(db);
    assert_int_equal(killed, 2);
    assert_int_equal(b.rc, 7);
    assert_int_equal(b.error.code, 0);
    assert_true(b.runs >= 2);
    assert_int_equal(stock_of(1), STOCK - 1);
}

static void group_that_is_lost_runs_again_in_its_order(void **state)
{
    struct hold h = HOLD;
    struct buy  all[6] = {{0}};
    atomic_int  killed = 0;

    (void)state;
    hold(&h);
    for (int i = 0; i < 6; i++) {
        all[i] = (struct buy){.buyer = i, .product_id = 1, .qty = 1};
        (void)submit(&all[i]);
        if (i == 3)
            assert_true(
                corm_submit(db, kills_its_connection, &killed, .key = corm_eq(product.id, 1)) > 0);
    }
    let_go(&h);
    (void)corm_drain(db);
    assert_true(killed >= 2);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(all[i].rc, 7);
        assert_int_equal(all[i].seen, STOCK - i);
    }
    assert_int_equal(stock_of(1), STOCK - 6);
    assert_int_equal(rows_of("1 = 1"), 6);
}

static int kills_its_connection_twice(struct corm_trx *trx, void *arg)
{
    atomic_int      *killed = arg;
    struct corm_rows rows = {0};
    int              rc = corm_sql(trx, &rows, "SELECT CONNECTION_ID()");

    if (rc < 0 || (*killed)++ > 1)
        return rc < 0 ? rc : 0;
    beside("KILL %lld", (long long)rows.values[0].as.i);
    return corm_sql(trx, NULL, "SELECT 1");
}

static void group_that_is_lost_comes_the_third_time_in_halves(void **state)
{
    enum { N = 7 };
    struct hold h = HOLD;
    struct buy  all[N] = {{0}};
    atomic_int  killed = 0;

    (void)state;
    hold(&h);
    struct corm_counters before = stats_of(db);
    for (int i = 0; i < N; i++) {
        all[i] = (struct buy){.buyer = i, .product_id = 1, .qty = 1};
        (void)submit(&all[i]);
    }
    assert_true(
        corm_submit(db, kills_its_connection_twice, &killed, .key = corm_eq(product.id, 1)) > 0);
    let_go(&h);
    (void)corm_drain(db);
    struct corm_counters after = stats_of(db);
    assert_int_equal(killed, 3);
    assert_int_equal(after.groups - before.groups, 1 + 1 + 1 + 2);
    assert_int_equal(after.members - before.members, 1 + 3 * (N + 1));
    for (int i = 0; i < N; i++) {
        assert_int_equal(all[i].rc, 7);
        assert_int_equal(all[i].runs, 3);
        assert_int_equal(all[i].seen, STOCK - i);
    }
}

/* Kills the sessions of the lanes, the oldest first; so many times for each batch, since a lane on a
   slow machine that is killed every few milliseconds comes to nothing. */
struct killer {
    atomic_int stop, killed, batches;
};

static void *killer(void *arg)
{
    enum { KILLS_OF_BATCH = 20 };
    struct killer *k = arg;

    while (!k->stop) {
        if (k->killed >= KILLS_OF_BATCH * (k->batches + 1)) {
            pause_ms(1);
            continue;
        }
        long long id = number_beside(
            "SELECT COALESCE(MIN(id), 0) FROM information_schema.processlist WHERE db = DATABASE() "
            "AND id <> CONNECTION_ID()");
        if (id > 0) {
            beside("BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR 1094 BEGIN END; KILL %lld; END",
                   id);
            k->killed++;
        }
        pause_ms(3);
    }
    return NULL;
}

static void killed_connections_double_nothing_and_lose_nothing(void **state)
{
    enum { N = 1500 };
    struct killer k = {0};
    struct buy   *all = calloc(N, sizeof(*all));
    pthread_t     thread;
    int           told = 0, unknown = 0;

    (void)state;
    beside("UPDATE product SET stock = 100000");
    assert_int_equal(pthread_create(&thread, NULL, killer, &k), 0);
    for (int i = 0; i < N; i++) {
        all[i] = (struct buy){.buyer = i, .product_id = 1 + i % 3, .qty = 1 + i % 5};
        (void)submit(&all[i]);
        if (i % 25 == 24) {
            (void)corm_drain(db);
            k.batches++;
        }
    }
    (void)corm_drain(db);
    k.stop = 1;
    (void)pthread_join(thread, NULL);
    for (int i = 0; i < N; i++) {
        long long there = rows_of("1 = 1") >= 0 ? number_beside("SELECT COUNT(*) FROM bought WHERE "
                                                                "buyer = %d",
                                                                i)
                                                : 0;
        assert_int_equal(all[i].told, 1);
        if (all[i].rc == CORM_UNKNOWN) {
            unknown++;
            assert_true(there == 0 || there == 1);
            continue;
        }
        told++;
        if (all[i].rc != 7)
            fail_msg("buyer %d: %d: %s", i, all[i].rc, all[i].error.message);
        assert_int_equal(there, 1);
    }
    assert_true(k.killed > 0);
    printf("# %d times killed: %d told, %d unknown\n", k.killed, told, unknown);
    for (int id = 1; id <= 3; id++)
        assert_int_equal(
            stock_of(id) +
                number_beside("SELECT COALESCE(SUM(qty), 0) FROM bought WHERE product_id = %d", id),
            100000);
    free(all);
}

/* ---- The list ------------------------------------------------------------------------------------ */

struct one {
    void (*test)(void **state);
    const char *name;
    bool        one_lane; /* so that a batch is a group */
};

static int set_up(void **state)
{
    const struct one *one = *state;

    open_lanes(one->one_lane || !is_mariadb() ? "pool=6&lanes=1&timeout_ms=15000"
                                              : "pool=6&lanes=2&timeout_ms=15000");
    return 0;
}

/* One that fails leaves its lanes behind, which may be at a gate. */
static void run_one(void **state)
{
    const struct one *one = *state;

    one->test(state);
    corm_close(db);
    db = NULL;
}

#define TEST(f)                                                                                    \
    {                                                                                              \
        f, #f, false                                                                               \
    }
#define ONE_LANE(f)                                                                                \
    {                                                                                              \
        f, #f, true                                                                                \
    }

static struct one both[] = {
    TEST(buyers_in_many_threads_are_told_the_truth),
    TEST(purchases_are_submitted_and_told_in_the_thread_that_drains),
    ONE_LANE(refused_member_leaves_no_trace_and_the_next_sees_those_before_it),
    ONE_LANE(generated_keys_reach_who_asked_for_them),
    ONE_LANE(nobody_is_told_before_the_commit_not_even_a_refusal),
    ONE_LANE(guilty_of_a_unique_key_is_told_and_the_others_are_committed),
    ONE_LANE(each_refusal_of_the_server_goes_to_its_member),
    ONE_LANE(guilty_ones_run_again_with_all_behind_them),
    ONE_LANE(refusal_behind_a_refusal_is_found_at_once),
    ONE_LANE(who_inserts_more_is_told_what_he_would_be_told_alone),
    ONE_LANE(what_is_sent_in_front_of_an_array_is_not_its_fault),
    ONE_LANE(first_of_a_value_has_it_unless_he_is_guilty_himself),
    ONE_LANE(guilty_is_found_by_every_kind_of_refusal),
    ONE_LANE(who_goes_on_after_his_refusal_costs_the_others_nothing),
    ONE_LANE(refusals_of_every_kind_are_found_in_one_flush),
    ONE_LANE(guilty_ones_are_found_between_those_who_are_direct),
    ONE_LANE(key_of_a_table_that_is_missing_is_told_and_stops_nobody_else),
    ONE_LANE(key_that_is_no_text_is_told_and_stops_nobody_else),
    ONE_LANE(row_that_its_model_cannot_take_stops_only_its_members),
    ONE_LANE(nested_transaction_first_takes_back_only_its_own),
    ONE_LANE(repeatable_read_runs_alone),
    ONE_LANE(members_of_another_isolation_have_a_group_of_their_own),
    ONE_LANE(table_that_was_made_anew_is_looked_at_anew),
    TEST(tickets_are_waited_for_once_and_stale_ones_are_safe),
    ONE_LANE(ticket_that_waits_can_be_cancelled_and_one_that_runs_cannot),
    ONE_LANE(event_loop_is_woken_and_dispatches),
    TEST(done_may_submit_and_drain_takes_it_too),
    TEST(drain_waits_for_what_others_wait_for),
    ONE_LANE(deadline_passes_while_it_waits_for_the_lane),
    ONE_LANE(full_queue_is_busy_or_waits_as_asked),
    ONE_LANE(lone_transaction_runs_in_the_thread_that_waits),
    ONE_LANE(lane_goes_on_behind_a_thread_that_has_run_its_own),
    ONE_LANE(full_queue_beside_a_thread_that_dispatches_is_waited_for),
    ONE_LANE(full_queue_whose_outcomes_nobody_takes_is_busy),
    TEST(every_call_on_the_db_in_a_function_is_refused),
    TEST(wrong_keys_are_clear_errors),
    TEST(keys_of_two_columns_texts_and_several_keys_hold_their_rows),
    ONE_LANE(closing_cancels_what_waits_and_tells_it),
    ONE_LANE(submitting_while_it_is_closed_is_refused),
    ONE_LANE(deadline_passes_behind_a_foreign_transaction),
    TEST(foreign_writers_and_groups_respect_each_other),
    ONE_LANE(memory_of_a_group_is_bounded),
    TEST(thread_with_an_open_transaction_may_submit_and_not_wait),
    TEST(savepoint_that_is_not_there_is_told_and_leaves_nothing),
    ONE_LANE(lanes_are_refused_in_a_child),
    TEST(waiting_costs_less_than_a_kilobyte),
    TEST(cycles_of_opening_and_closing_leave_nothing_behind),
};

static struct one mariadb[] = {
    ONE_LANE(locks_are_kept_when_the_server_refuses_what_waited),
    ONE_LANE(foreign_lock_stops_only_the_members_of_its_row),
    ONE_LANE(group_locks_only_the_rows_of_its_keys),
    ONE_LANE(foreign_lock_on_a_row_in_nobodys_key_stops_only_who_wants_it),
    ONE_LANE(row_that_others_insert_stops_only_who_inserts_it_too),
    ONE_LANE(locks_are_kept_when_a_flush_is_refused),
    ONE_LANE(key_that_stays_locked_does_not_make_every_group_wait),
    ONE_LANE(deadline_passes_behind_a_foreign_lock),
    ONE_LANE(deadline_passes_behind_a_foreign_lock_after_a_try),
    ONE_LANE(deadline_of_one_ends_a_group_of_many),
    ONE_LANE(row_that_the_group_has_locked_is_read_again_without_a_bound),
    ONE_LANE(closing_does_not_wait_for_a_foreign_lock),
    TEST(foreign_deadlocks_are_run_again_and_told_right),
    ONE_LANE(refusal_that_rests_on_what_was_rolled_back_is_not_told),
    ONE_LANE(group_that_is_lost_runs_again_in_its_order),
    ONE_LANE(group_that_is_lost_comes_the_third_time_in_halves),
    TEST(killed_connections_double_nothing_and_lose_nothing),
};

static struct CMUnitTest *tests_of(struct one *all, size_t count, struct CMUnitTest *tests)
{
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){all[i].name, run_one, set_up, NULL, &all[i]};
    return tests;
}

int main(int argc, char **argv)
{
    static struct CMUnitTest shared[COUNT(both)], own[COUNT(mariadb)];

    (void)mallopt(M_ARENA_MAX, 1); /* so that what threads allocate is counted */
    support_begin(argc, argv);
    int failed = run_group(tests_of(both, COUNT(both), shared), COUNT(both), NULL, 0,
                           tests_of(mariadb, COUNT(mariadb), own), COUNT(mariadb));
    support_end();
    return failed;
}
