/* transaction_test.c -- transactions: all or nothing, alone, and in as few trips as promised.
 *
 * The same list of behaviours on SQLite and on MariaDB, where the server can have them; what only
 * one of the two has stands at the end. Threads never sleep to be right: they meet at gates and
 * barriers. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Models ----------------------------------------------------------------- */

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

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(amount, int)
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

/* The same SQL table by another name, with another layout. */
#define GOODS(X)                                                                                   \
    X(quantity, int, .sql_name = "amount")                                                         \
    X(number, int, .pk = 1, .sql_name = "id")
CORM_MODEL_AS(goods, "item", GOODS);
CORM_DEFINE(goods, GOODS);

#define SEAT(X)                                                                                    \
    X(block, int, .pk = 1)                                                                         \
    X(number, int, .pk = 1)                                                                        \
    X(holder, int)
CORM_MODEL(seat, SEAT);
CORM_DEFINE(seat, SEAT);

/* The columns of the key the other way round. */
#define CHAIR(X)                                                                                   \
    X(number, int, .pk = 1)                                                                        \
    X(block, int, .pk = 1)                                                                         \
    X(holder, int)
CORM_MODEL_AS(chair, "seat", CHAIR);
CORM_DEFINE(chair, CHAIR);

#define LETTER(X)                                                                                  \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(number, int)                                                                                 \
    X(body, text)
CORM_MODEL(letter, LETTER);
CORM_DEFINE(letter, LETTER);

#define TAG(X)                                                                                     \
    X(name, varchar(20), .pk = 1)                                                                  \
    X(uses, int)
CORM_MODEL(tag, TAG);
CORM_DEFINE(tag, TAG);

/* Says that the table `item` has a column more than it has. */
#define TOO_MUCH(X)                                                                                \
    X(id, int, .pk = 1)                                                                            \
    X(amount, int)                                                                                 \
    X(missing, int)
CORM_MODEL_AS(too_much, "item", TOO_MUCH);
CORM_DEFINE(too_much, TOO_MUCH);

/* Says that `item` holds nothing but 0 and 1. */
#define FLAG(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(amount, bool)
CORM_MODEL_AS(flag, "item", FLAG);
CORM_DEFINE(flag, FLAG);

enum { SOLD_OUT = CORM_USER, NOT_FOUND, REFUSED };

/* ---- Helpers ---------------------------------------------------------------- */

/* A database with the table `item` and the rows 1 to `rows` in it, 10 of each. */
static struct corm_db *open_items(const char *options, int rows)
{
    struct corm_db   *db = open_db(options);
    struct corm_error error = {0};

    new_table(db, item);
    for (int i = 1; i <= rows; i++)
        assert_rows(corm_insert_row(db, item, &((struct item){i, 10}), .error = &error), 1, &error);
    return db;
}

static struct corm_trx *begin(struct corm_db *db, struct corm_error *error)
{
    struct corm_trx *trx;

    *error = (struct corm_error){0};
    assert_ok(corm_begin(db, &trx, .error = error), error);
    return trx;
}

/* What the database holds, told by its own client: -1 where the row is not there. */
static int amount_of(int id)
{
    return (int)number_beside("SELECT COALESCE((SELECT amount FROM item WHERE id = %d), -1)", id);
}

static int items(void)
{
    return (int)number_beside("SELECT COUNT(*) FROM item");
}

static int lock_item(struct corm_trx *trx, int id)
{
    struct item found;

    return corm_first(trx, item, &found, .where = corm_eq(item.id, id), .lock = CORM_FOR_UPDATE);
}

/* A transaction that holds an item until it is ended. */
struct hold {
    struct corm_trx   *trx;
    int                id;
    enum corm_lock     lock;
    struct corm_error *error;
    int                rc;
};

static void *hold_main(void *arg)
{
    struct hold *hold = arg;
    struct item  found;

    hold->rc = corm_first(hold->trx, item, &found, .where = corm_eq(item.id, hold->id),
                          .lock = hold->lock, .error = hold->error);
    return NULL;
}

/* A transaction that holds a row. A thread of its own locks it, so that whoever waits for it waits for
 * somebody else. */
static struct corm_trx *hold_item(struct corm_db *db, int id, enum corm_lock lock,
                                  struct corm_error *error)
{
    struct hold hold = {.trx = begin(db, error), .id = id, .lock = lock, .error = error};

    run_threads(1, hold_main, &hold, sizeof(hold));
    assert_rows(hold.rc, 1, error);
    return hold.trx;
}

/* Each call that a transaction takes, but commit and rollback. */
enum { CALLS = 12 };

static void make_every_call(struct corm_trx *trx, int rcs[CALLS], struct corm_error errors[CALLS])
{
    struct item      one = {99, 1}, *all;
    struct corm_rows rows;
    int              n = 0;

    memset(errors, 0, CALLS * sizeof(errors[0]));
    rcs[n] = corm_first(trx, item, &one, .error = &errors[n]), n++;
    rcs[n] = corm_first(trx, item, &one, .lock = CORM_FOR_UPDATE, .error = &errors[n]), n++;
    rcs[n] = corm_all(trx, item, &all, .error = &errors[n]), n++;
    rcs[n] = (int)corm_count(trx, item, .error = &errors[n]), n++;
    rcs[n] = corm_exists(trx, item, .error = &errors[n]), n++;
    rcs[n] = corm_insert(trx, item, corm_set(item.id, 98), .error = &errors[n]), n++;
    rcs[n] = corm_insert_row(trx, item, &one, .error = &errors[n]), n++;
    rcs[n] = corm_insert_rows(trx, item, 1, &one, .error = &errors[n]), n++;
    rcs[n] = corm_update(trx, item, corm_everything(), corm_set(item.amount, 1), .later = true,
                         .error = &errors[n]),
    n++;
    rcs[n] = corm_delete(trx, item, corm_everything(), .error = &errors[n]), n++;
    rcs[n] = corm_sql(trx, NULL, "DELETE FROM item", .error = &errors[n]), n++;
    rcs[n] = corm_sql(trx, &rows, "SELECT 1", .error = &errors[n]), n++;
    assert_int_equal(n, CALLS);
}

/* ---- The long form ---------------------------------------------------------- */

static void a_commit_keeps_what_was_written(void **state)
{
    struct corm_db   *db = open_items(NULL, 2);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);

    (void)state;
    assert_rows(corm_insert_row(trx, item, &((struct item){3, 30})), 1, &error);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_add(item.amount, 5)), 1, &error);
    assert_rows(corm_delete(trx, item, corm_eq(item.id, 2)), 1, &error);
    assert_int_equal(items(), 2); /* nobody else sees it yet */
    assert_int_equal(amount_of(1), 10);
    assert_rows(corm_commit(trx), 0, &error);
    assert_int_equal(corm_trx_error(trx)->code, 0);
    corm_end(trx);
    assert_int_equal(amount_of(1), 15);
    assert_int_equal(amount_of(2), -1);
    assert_int_equal(amount_of(3), 30);
    corm_close(db);
}

static void a_rollback_leaves_nothing(void **state)
{
    struct corm_db   *db = open_items(NULL, 2);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);

    (void)state;
    for (int buffered = 0; buffered < 2; buffered++) {
        assert_rows(corm_insert_row(trx, item, &((struct item){3, 30})), 1, &error);
        if (!buffered) {
            assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_add(item.amount, 5)), 1,
                        &error);
            assert_rows(corm_delete(trx, item, corm_eq(item.id, 2)), 1, &error);
        }
        assert_rows(corm_rollback(trx), 0, &error);
        assert_int_equal(amount_of(1), 10);
        assert_int_equal(items(), 2);
        assert_rows(corm_start(trx), 0, &error);
    }
    corm_end(trx);
    corm_close(db);
}

static void the_end_of_an_open_transaction_rolls_back(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error;

    (void)state;
    corm_end(NULL);
    for (int sent = 0; sent < 2; sent++) {
        struct corm_trx *trx = begin(db, &error);
        assert_rows(corm_insert_row(trx, item, &((struct item){3, 30})), 1, &error);
        if (sent)
            assert_rows(corm_count(trx, item), 2, &error);
        corm_end(trx);
        assert_int_equal(items(), 1);
    }
    assert_rows(corm_update(db, item, corm_everything(), corm_set(item.amount, 2)), 1, &error);
    corm_close(db);
}

static void a_transaction_can_be_started_again(void **state)
{
    struct corm_db   *db = open_items(NULL, 0);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);

    (void)state;
    assert_rows(corm_insert_row(trx, item, &((struct item){1, 1})), 1, &error);
    assert_rows(corm_commit(trx), 0, &error);
    assert_rows(corm_start(trx), 0, &error);
    assert_rows(corm_insert_row(trx, item, &((struct item){2, 1})), 1, &error);
    assert_rows(corm_rollback(trx), 0, &error);
    assert_rows(corm_start(trx), 0, &error);
    assert_rows(corm_insert_row(trx, item, &((struct item){1, 1})), 1, &error);
    assert_code(corm_commit(trx), CORM_DUPLICATE, &error);
    assert_rows(corm_start(trx), 0, &error); /* also after a failure */
    assert_int_equal(corm_trx_error(trx)->code, 0);
    assert_rows(corm_insert_row(trx, item, &((struct item){3, 1})), 1, &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    assert_int_equal(amount_of(1), 1);
    assert_int_equal(amount_of(2), -1);
    assert_int_equal(amount_of(3), 1);
    corm_close(db);
}

static void a_transaction_that_is_open_cannot_be_started(void **state)
{
    struct corm_db   *db = open_items(NULL, 0);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);

    (void)state;
    assert_rows(corm_insert_row(trx, item, &((struct item){1, 1})), 1, &error);
    assert_code(corm_start(trx), CORM_MISUSE, &error);
    assert_int_equal(corm_commit(trx), CORM_MISUSE);
    corm_end(trx);
    assert_int_equal(items(), 0);
    corm_close(db);
}

/* `how` 0: after a commit, 1: after a rollback, 2: after a commit that failed. */
static void check_closed(struct corm_db *db, int how)
{
    struct corm_error error, errors[CALLS];
    struct corm_trx  *trx = begin(db, &error);
    int               rcs[CALLS];

    assert_rows(corm_insert_row(trx, item, &((struct item){how == 2 ? 1 : 100 + how, 1})), 1,
                &error);
    assert_int_equal(how == 1 ? corm_rollback(trx) : corm_commit(trx),
                     how == 2 ? CORM_DUPLICATE : 0);
    int rows = items();
    make_every_call(trx, rcs, errors);
    for (int i = 0; i < CALLS; i++) {
        if (rcs[i] != CORM_TRX_CLOSED || errors[i].code != CORM_TRX_CLOSED)
            fail_msg("call %d of a closed transaction (%d) is %s with an error of %s", i, how,
                     corm_code_name(rcs[i]), corm_code_name(errors[i].code));
        assert_says(&errors[i], "corm_start()");
    }
    assert_int_equal(corm_commit(trx), CORM_TRX_CLOSED);
    assert_int_equal(corm_rollback(trx), CORM_TRX_CLOSED);
    assert_int_equal(corm_abort(trx, REFUSED, "no"), CORM_TRX_CLOSED);
    corm_end(trx);
    assert_int_equal(items(), rows);
}

static void a_transaction_that_is_over_says_so(void **state)
{
    struct corm_db *db = open_items(NULL, 1);

    (void)state;
    for (int how = 0; how < 3; how++)
        check_closed(db, how);
    corm_close(db);
}

/* ---- What fails, dooms ------------------------------------------------------ */

static void a_failed_write_dooms_all_that_follows(void **state)
{
    struct corm_db   *db = open_items(NULL, 2);
    struct corm_error error, own = {0}, errors[CALLS];
    struct corm_trx  *trx = begin(db, &error);
    int               rcs[CALLS];

    (void)state;
    assert_rows(corm_insert_row(trx, item, &((struct item){3, 1})), 1, &error);
    int line = __LINE__ + 1;
    assert_code(corm_update(trx, item, corm_eq(item.id, 2), corm_set(item.id, 1), .error = &own),
                CORM_DUPLICATE, &own);
    assert_place(&own, line);
    assert_int_equal(error.code, CORM_DUPLICATE); /* that of corm_begin(), too */
    assert_place(&error, line);
    make_every_call(trx, rcs, errors);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(rcs[i], CORM_DUPLICATE);
        assert_int_equal(errors[i].code, CORM_DUPLICATE);
        assert_place(&errors[i], line);
    }
    assert_int_equal(corm_abort(trx, REFUSED, "too late"), CORM_DUPLICATE);
    assert_int_equal(corm_commit(trx), CORM_DUPLICATE);
    assert_place(corm_trx_error(trx), line);
    assert_place(&error, line);
    corm_end(trx);
    assert_int_equal(items(), 2);
    corm_close(db);
}

static void a_failed_read_and_a_misuse_doom_as_well(void **state)
{
    struct corm_db   *db = open_items(NULL, 2);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);
    struct too_much   row;

    (void)state;
    assert_rows(corm_insert_row(trx, item, &((struct item){3, 1})), 1, &error);
    assert_rows(corm_count(trx, item), 3, &error);
    int line = __LINE__ + 1;
    assert_code(corm_first(trx, too_much, &row, .where = corm_eq(too_much.id, 1)), CORM_NO_COLUMN,
                &error);
    assert_place(&error, line);
    assert_int_equal(corm_commit(trx), CORM_NO_COLUMN);
    assert_rows(corm_start(trx), 0, &error);
    assert_rows(corm_insert_row(trx, item, &((struct item){3, 1})), 1, &error);
    assert_int_equal(corm_count(trx, item, .limit = 1), CORM_MISUSE);
    assert_int_equal(corm_commit(trx), CORM_MISUSE);
    corm_end(trx);
    assert_int_equal(items(), 2);
    corm_close(db);
}

/* How buffered writes reach the server. */
enum flush { BY_COMMIT, BY_READ, BY_WRITE, BY_TEXT, FLUSHES };

static int flush(struct corm_trx *trx, enum flush how)
{
    struct item *all;

    switch (how) {
    case BY_READ: return corm_all(trx, item, &all);
    case BY_WRITE: return corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.amount, 1));
    case BY_TEXT: return corm_sql(trx, NULL, "SELECT 1");
    default: return corm_commit(trx);
    }
}

/* One of three buffered inserts is a duplicate: the error is its, whatever it is sent with. */
static void a_buffered_write_that_fails_is_named(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);

    (void)state;
    for (int how = 0; how < FLUSHES; how++) {
        for (int bad = 0; bad < 3; bad++) {
            int line = __LINE__;
            int a = corm_insert_row(trx, item, &((struct item){bad == 0 ? 1 : 2, 0}));
            int b = corm_insert_row(trx, item, &((struct item){bad == 1 ? 1 : 3, 0}));
            int c = corm_insert_row(trx, item, &((struct item){bad == 2 ? 1 : 4, 0}));
            assert_true(a == 1 && b == 1 && c == 1);
            assert_code(flush(trx, (enum flush)how), CORM_DUPLICATE, &error);
            assert_place(&error, line + 1 + bad);
            assert_says(&error, "transaction_test.c:");
            if (how != BY_COMMIT)
                assert_int_equal(corm_commit(trx), CORM_DUPLICATE);
            assert_int_equal(items(), 1);
            assert_rows(corm_start(trx), 0, &error);
        }
    }
    corm_end(trx);
    corm_close(db);
}

/* The same when a write is sent because there is no more room to buffer it. */
static void a_buffered_write_that_fails_when_the_buffer_is_full_is_named(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);
    int               rc = 1, n = 2, line;

    (void)state;
    assert_rows(corm_insert_row(trx, item, &((struct item){2, 0})), 1, &error);
    line = __LINE__ + 1;
    assert_rows(corm_insert_row(trx, item, &((struct item){1, 0})), 1, &error);
    for (; rc == 1 && n < 200; n++)
        rc = corm_insert_row(trx, item, &((struct item){n + 1, 0}));
    assert_code(rc, CORM_DUPLICATE, &error);
    assert_place(&error, line);
    assert_int_equal(corm_commit(trx), CORM_DUPLICATE);
    corm_end(trx);
    assert_int_equal(items(), 1);
    corm_close(db);
}

/* A read that fails in the trip of buffered writes is the one that is named, not they. */
static void a_read_that_fails_behind_buffered_writes_is_named(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);
    struct too_much   row;
    struct flag       bad;

    (void)state;
    for (int writes = 1; writes <= 3; writes++) {
        for (int i = 0; i < writes; i++)
            assert_rows(corm_insert_row(trx, item, &((struct item){2 + i, 0})), 1, &error);
        int line = __LINE__ + 1;
        assert_code(corm_first(trx, too_much, &row), CORM_NO_COLUMN, &error);
        assert_place(&error, line);
        assert_rows(corm_rollback(trx), 0, &error);
        assert_rows(corm_start(trx), 0, &error);
        for (int i = 0; i < writes; i++)
            assert_rows(corm_insert_row(trx, item, &((struct item){2 + i, 0})), 1, &error);
        line = __LINE__ + 1; /* the server has no fault in this one */
        assert_code(corm_first(trx, flag, &bad, .where = corm_eq(flag.id, 1)), CORM_BAD_VALUE,
                    &error);
        assert_place(&error, line);
        assert_rows(corm_rollback(trx), 0, &error);
        assert_rows(corm_start(trx), 0, &error);
    }
    corm_end(trx);
    assert_int_equal(items(), 1);
    corm_close(db);
}

/* A commit that fails is no fault of a write that was sent with it. */
static void a_commit_that_fails_leaves_nothing(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);
    struct corm_rows  rows;

    (void)state;
    /* Only SQLite has checks that wait for COMMIT. */
    beside("CREATE TABLE parent (id INT PRIMARY KEY)");
    beside("CREATE TABLE child (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES "
           "parent (id) %s)",
           is_mariadb() ? "" : "DEFERRABLE INITIALLY DEFERRED");
    for (int i = 0; i < 2; i++) {
        int rc = corm_sql(trx, NULL, "INSERT INTO child VALUES (1, 7)");
        if (!is_mariadb())
            assert_rows(rc, 1, &error);
        assert_code(corm_commit(trx), CORM_FOREIGN_KEY, &error);
        assert_int_equal(number_beside("SELECT COUNT(*) FROM child"), 0);
        assert_rows(corm_start(trx), 0, &error);
    }
    assert_rows(corm_sql(trx, &rows, "SELECT 1 FROM child"), 0, &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    corm_close(db);
}

/* ---- Functions -------------------------------------------------------------- */

/* What a function of a test does, step by step. */
struct plan {
    int              returns;
    bool             duplicate; /* inserts a row that is there, and forgets to look */
    int              abort;     /* aborts with this code */
    const char      *text;
    struct corm_trx *holder; /* is rolled back when a row that it holds was refused */
    int              locked; /* what that refusal was */
    int              calls;
    int64_t          id;
};

static int insert_two(struct corm_trx *trx, void *arg)
{
    struct plan *plan = arg;

    plan->calls++;
    (void)corm_insert_row(trx, item, &((struct item){50, 5}));
    if (plan->duplicate)
        (void)corm_insert_row(trx, item, &((struct item){1, 5}));
    (void)corm_insert_row(trx, item, &((struct item){51, 5}));
    if (plan->abort != 0)
        (void)corm_abort(trx, plan->abort, "%s", plan->text);
    return plan->returns;
}

static void a_function_returns_its_value_once_it_is_committed(void **state)
{
    static const int  values[] = {0, 1, 42, INT32_MAX};
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        struct plan plan = {.returns = values[i]};
        assert_rows(corm_transact(db, insert_two, &plan, .error = &error), values[i], &error);
        assert_int_equal(plan.calls, 1);
        assert_int_equal(items(), 3);
        assert_rows(corm_delete(db, item, corm_gt(item.id, 1)), 2, &error);
    }
    corm_close(db);
}

static void a_function_that_forgets_to_look_cannot_commit(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error = {0};
    struct plan       plan = {.returns = 0, .duplicate = true};

    (void)state;
    assert_code(corm_transact(db, insert_two, &plan, .error = &error), CORM_DUPLICATE, &error);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(plan.calls, 1);
    assert_int_equal(items(), 1);
    corm_close(db);
}

static void a_function_can_refuse(void **state)
{
    static const int  codes[] = {SOLD_OUT, REFUSED, CORM_USER_LAST};
    struct corm_db   *db = open_items(NULL, 1);
    char              text[600];
    struct corm_error error = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        struct plan plan = {.returns = (int)i, .abort = codes[i], .text = "only 3 left"};
        error = (struct corm_error){0};
        assert_code(corm_transact(db, insert_two, &plan, .error = &error), codes[i], &error);
        assert_string_equal(error.message, "only 3 left");
        assert_int_equal(error.server_code, 0);
        assert_int_equal(error.attempts, 1);
        assert_true(corm_is_user(error.code));
        assert_int_equal(items(), 1);
    }
    for (size_t i = 0; i + 1 < sizeof(text); i++) /* is cut between two characters */
        text[i] = "\xE2\x82\xAC"[i % 3];
    text[sizeof(text) - 1] = '\0';
    struct plan plan = {.abort = REFUSED, .text = text};
    error = (struct corm_error){0};
    assert_code(corm_transact(db, insert_two, &plan, .error = &error), REFUSED, &error);
    assert_int_equal(strlen(error.message), 510);
    assert_memory_equal(error.message, text, 510);
    corm_close(db);
}

static void a_refusal_with_a_code_of_corm_is_a_misuse(void **state)
{
    static const int codes[] = {CORM_OK, 1, -1, CORM_DEADLOCK, CORM_USER_LAST + 1, CORM_USER - 1};
    struct corm_db  *db = open_items(NULL, 1);

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        struct corm_error error;
        struct corm_trx  *trx = begin(db, &error);
        assert_rows(corm_insert_row(trx, item, &((struct item){7, 5})), 1, &error);
        assert_code(corm_abort(trx, codes[i], "text"), CORM_MISUSE, &error);
        assert_int_equal(corm_commit(trx), CORM_MISUSE);
        corm_end(trx);
    }
    assert_int_equal(items(), 1);
    corm_close(db);
}

static void a_negative_value_of_a_function_rolls_back(void **state)
{
    static const int codes[] = {-1, NOT_FOUND, -5000};
    struct corm_db  *db = open_items(NULL, 1);

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        struct plan       plan = {.returns = codes[i]};
        struct corm_error error = {0};
        assert_code(corm_transact(db, insert_two, &plan, .error = &error), codes[i], &error);
        assert_int_equal(plan.calls, 1);
        assert_int_equal(items(), 1);
    }
    corm_close(db);
}

static int end_it_myself(struct corm_trx *trx, void *arg)
{
    const int *call = arg;

    (void)corm_insert_row(trx, item, &((struct item){50, 5}));
    switch (*call) {
    case 0: return corm_commit(trx) == CORM_MISUSE ? 0 : 1;
    case 1: return corm_rollback(trx) == CORM_MISUSE ? 0 : 1;
    case 2: return corm_start(trx) == CORM_MISUSE ? 0 : 1;
    default: corm_end(trx); return 0;
    }
}

static void a_function_cannot_end_its_transaction_itself(void **state)
{
    struct corm_db *db = open_items(NULL, 1);

    (void)state;
    for (int call = 0; call < 4; call++) {
        struct corm_error error = {0};
        assert_code(corm_transact(db, end_it_myself, &call, .error = &error), CORM_MISUSE, &error);
        assert_int_equal(items(), 1);
    }
    corm_close(db);
}

static int ask_for_keys(struct corm_trx *trx, void *arg)
{
    struct plan *plan = arg;

    return corm_insert(trx, product, corm_set(product.name, "x"), corm_set(product.stock, 1),
                       .id_later = &plan->id);
}

static void a_generated_key_is_told_when_the_function_is_committed(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct plan       plan = {0};

    (void)state;
    new_table(db, product);
    assert_rows(corm_transact(db, ask_for_keys, &plan, .error = &error), 1, &error);
    assert_int_equal(number_beside("SELECT id FROM product"), plan.id);
    corm_close(db);
}

/* ---- Locks ------------------------------------------------------------------ */

/* Locked, says the server: the function goes on, and commits. */
static int go_on_when_locked(struct corm_trx *trx, void *arg)
{
    struct plan *plan = arg;
    struct item  found = {-7, -7};

    (void)corm_insert_row(trx, item, &((struct item){50, 5}));
    plan->locked = corm_first(trx, item, &found, .where = corm_eq(item.id, 1),
                              .lock = CORM_FOR_UPDATE, .nowait = true);
    if (plan->locked != CORM_LOCKED || found.id != -7)
        return -1;
    (void)corm_rollback(plan->holder); /* SQLite's file is free only now */
    return corm_insert_row(trx, item, &((struct item){51, 5}));
}

static void a_lock_that_is_not_had_is_an_answer(void **state)
{
    struct corm_db   *db = open_items("pool=4", 2), *other = open_db("pool=4");
    struct corm_error error;

    (void)state;
    for (int i = 0; i < 2; i++) { /* of the same pool, and of another one, as another process has */
        struct corm_error held;
        struct plan plan = {.holder = hold_item(i == 0 ? db : other, 1, CORM_FOR_UPDATE, &held)};
        error = (struct corm_error){0};
        assert_rows(corm_transact(db, go_on_when_locked, &plan, .error = &error), 1, &error);
        assert_int_equal(plan.locked, CORM_LOCKED);
        corm_end(plan.holder);
        assert_int_equal(items(), 4);
        assert_rows(corm_delete(db, item, corm_gt(item.id, 2)), 2, &error);
    }
    corm_close(other);
    corm_close(db);
}

static void the_error_of_a_call_says_that_it_is_locked(void **state)
{
    struct corm_db   *db = open_items("pool=4", 2);
    struct corm_error held, error, own = {0};
    struct corm_trx  *holder = hold_item(db, 1, CORM_FOR_UPDATE, &held), *trx = begin(db, &error);
    struct item       found, *all;

    (void)state;
    assert_code(corm_first(trx, item, &found, .where = corm_eq(item.id, 1), .lock = CORM_FOR_UPDATE,
                           .nowait = true, .error = &own),
                CORM_LOCKED, &own);
    own = (struct corm_error){0};
    assert_code(corm_all(trx, item, &all, .where = corm_eq(item.id, 1), .lock = CORM_FOR_SHARE,
                         .nowait = true, .error = &own),
                CORM_LOCKED, &own);
    assert_int_equal(corm_trx_error(trx)->code, 0); /* it is not doomed */
    corm_end(holder);
    assert_rows(corm_first(trx, item, &found, .where = corm_eq(item.id, 1), .lock = CORM_FOR_UPDATE,
                           .nowait = true),
                1, &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    corm_close(db);
}

static int refuse_when_locked(struct corm_trx *trx, void *arg)
{
    struct plan *plan = arg;
    struct item  found;

    plan->calls++;
    return corm_first(trx, item, &found, .where = corm_eq(item.id, 1), .lock = CORM_FOR_UPDATE,
                      .nowait = true);
}

/* A function that passes it on has refused; it is not run again. */
static void a_function_can_return_that_it_is_locked(void **state)
{
    struct corm_db   *db = open_items("pool=4", 1);
    struct corm_error held, error = {0};
    struct corm_trx  *holder = hold_item(db, 1, CORM_FOR_UPDATE, &held);
    struct plan       plan = {0};

    (void)state;
    assert_code(corm_transact(db, refuse_when_locked, &plan, .error = &error), CORM_LOCKED, &error);
    assert_int_equal(plan.calls, 1);
    corm_end(holder);
    assert_rows(corm_transact(db, refuse_when_locked, &plan, .error = &error), 1, &error);
    corm_close(db);
}

/* At once, or after so many milliseconds; by the same pool and by another one. */
static void a_locked_row_is_waited_for_as_long_as_asked(void **state)
{
    struct corm_db   *db = open_items("pool=4", 2), *other = open_db("pool=4");
    struct corm_error held, error;
    struct corm_trx  *holder = hold_item(db, 1, CORM_FOR_UPDATE, &held);
    struct item       found;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct corm_trx *trx = begin(i == 0 ? db : other, &error);
        int64_t          began = now_ms();
        assert_int_equal(corm_first(trx, item, &found, .where = corm_eq(item.id, 1),
                                    .lock = CORM_FOR_UPDATE, .nowait = true),
                         CORM_LOCKED);
        assert_true(now_ms() - began < 1000);
        began = now_ms();
        assert_int_equal(corm_first(trx, item, &found, .where = corm_eq(item.id, 1),
                                    .lock = CORM_FOR_UPDATE, .wait_ms = 100),
                         CORM_LOCKED);
        assert_in_range(now_ms() - began, 80, 5000);
        corm_end(trx);
    }
    corm_end(holder);
    corm_close(other);
    corm_close(db);
}

struct waiter {
    struct corm_db *db;
    struct gate    *ready;
    int             rc, amount;
};

static void *wait_for_item(void *arg)
{
    struct waiter   *w = arg;
    struct corm_trx *trx;
    struct item      found = {0};

    w->rc = corm_begin(w->db, &trx);
    open_gate(w->ready);
    w->rc = corm_first(trx, item, &found, .where = corm_eq(item.id, 1), .lock = CORM_FOR_UPDATE);
    w->amount = found.amount;
    corm_end(trx);
    return NULL;
}

/* Who waits for a row reads it as the one that held it has left it. */
static void a_lock_is_had_when_the_holder_commits(void **state)
{
    struct corm_db   *db = open_items("pool=4", 1);
    struct corm_error held;
    struct corm_trx  *holder = hold_item(db, 1, CORM_FOR_UPDATE, &held);
    struct gate       ready = GATE;
    struct waiter     w = {.db = db, .ready = &ready};
    pthread_t         thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_item, &w), 0);
    assert_true(pass_gate(&ready, 10000));
    assert_rows(corm_update(holder, item, corm_eq(item.id, 1), corm_set(item.amount, 77)), 1,
                &held);
    assert_rows(corm_commit(holder), 0, &held);
    (void)pthread_join(thread, NULL);
    corm_end(holder);
    assert_int_equal(w.rc, 1);
    assert_int_equal(w.amount, 77);
    corm_close(db);
}

static void a_lock_outside_a_transaction_is_refused(void **state)
{
    struct corm_db    *db = open_items(NULL, 1);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct item        found, *all;

    (void)state;
    assert_code(corm_first(db, item, &found, .lock = CORM_FOR_UPDATE, .error = &error), CORM_MISUSE,
                &error);
    assert_says(&error, "outside a transaction");
    assert_code(corm_all(db, item, &all, .lock = CORM_FOR_SHARE, .arena = arena, .error = &error),
                CORM_MISUSE, &error);
    corm_arena_free(arena);
    corm_close(db);
}

static void options_of_locks_that_make_no_sense_are_refused(void **state)
{
    struct corm_db *db = open_items(NULL, 1);
    struct item     found;

    (void)state;
    const struct corm_query queries[] = {
        {.nowait = true},
        {.skip_locked = true},
        {.wait_ms = 5},
        {.lock = CORM_FOR_UPDATE, .nowait = true, .skip_locked = true},
        {.lock = CORM_FOR_UPDATE, .nowait = true, .wait_ms = 5},
        {.lock = CORM_FOR_SHARE, .skip_locked = true, .wait_ms = 5},
    };
    for (size_t i = 0; i < COUNT(queries); i++) {
        struct corm_error error;
        struct corm_trx  *trx = begin(db, &error);
        struct corm_query query = queries[i];
        query.size = sizeof(query);
        assert_code(corm_first_(CORM_ON(trx), item.corm_table, &found, &query), CORM_MISUSE,
                    &error);
        corm_end(trx);
    }
    corm_close(db);
}

/* ---- Read-only transactions, isolation -------------------------------------- */

static void a_read_only_transaction_refuses_writes_and_locks(void **state)
{
    struct corm_db  *db = open_items(NULL, 1);
    struct item      one = {9, 9};
    struct corm_trx *trx;

    (void)state;
    for (int call = 0; call < 8; call++) {
        struct corm_error error = {0};
        int               rc = 0, wanted = CORM_READ_ONLY;
        assert_ok(corm_begin(db, &trx, .read_only = true, .error = &error), &error);
        assert_rows(corm_count(trx, item), 1, &error);
        switch (call) {
        case 0: rc = corm_insert_row(trx, item, &one); break;
        case 1: rc = corm_insert_rows(trx, item, 1, &one); break;
        case 2: rc = corm_update(trx, item, corm_everything(), corm_set(item.amount, 1)); break;
        case 3: rc = corm_delete(trx, item, corm_everything(), .later = true); break;
        case 4: rc = corm_sql(trx, NULL, "UPDATE item SET amount = 1"); break;
        case 5: rc = corm_insert(trx, item, corm_set(item.id, 8), corm_set(item.amount, 1)); break;
        case 6:
            rc = corm_first(trx, item, &one, .lock = CORM_FOR_UPDATE);
            wanted = CORM_MISUSE;
            break;
        default: rc = corm_first(trx, item, &one, .lock = CORM_FOR_SHARE); wanted = CORM_MISUSE;
        }
        if (rc != wanted || error.code != wanted)
            fail_msg("call %d is %s, not %s", call, corm_code_name(rc), corm_code_name(wanted));
        assert_says(&error, "read_only");
        assert_int_equal(corm_commit(trx), wanted);
        corm_end(trx);
    }
    assert_int_equal(amount_of(1), 10);
    assert_int_equal(items(), 1);
    corm_close(db);
}

/* What others commit in between is not seen; and reading does not stop them. */
static void a_read_only_transaction_is_one_snapshot(void **state)
{
    struct corm_db   *db = open_items("pool=4", 2);
    struct corm_error error = {0};
    struct corm_rows  rows;
    struct corm_trx  *trx;
    struct item       found;

    (void)state;
    assert_ok(corm_begin(db, &trx, .read_only = true, .error = &error), &error);
    assert_rows(corm_first(trx, item, &found, .where = corm_eq(item.id, 1)), 1, &error);
    assert_rows(corm_update(db, item, corm_everything(), corm_set(item.amount, 3)), 2, &error);
    assert_rows(corm_insert_row(db, item, &((struct item){3, 3})), 1, &error);
    assert_rows(corm_first(trx, item, &found, .where = corm_eq(item.id, 1)), 1, &error);
    assert_int_equal(found.amount, 10);
    assert_rows(corm_count(trx, item, .where = corm_eq(item.amount, 10)), 2, &error);
    assert_rows(corm_count(trx, item), 2, &error);
    assert_rows(corm_sql(trx, &rows, "SELECT SUM(amount) + 0.0e0 FROM item"), 1, &error);
    assert_true(rows.values[0].as.r == 20);
    assert_rows(corm_commit(trx), 0, &error);
    assert_rows(corm_start(trx), 0, &error); /* with the same options, and a new snapshot */
    assert_rows(corm_count(trx, item, .where = corm_eq(item.amount, 3)), 3, &error);
    assert_int_equal(corm_delete(trx, item, corm_everything()), CORM_READ_ONLY);
    corm_end(trx);
    corm_close(db);
}

static int count_items(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return (int)corm_count(trx, item);
}

/* The session that was read-only is not, for the next one. */
static void a_read_only_function_leaves_no_trace(void **state)
{
    struct corm_db   *db = open_items(is_mariadb() ? "pool=1" : "pool=2", 2);
    struct corm_error error = {0};
    struct plan       plan = {.returns = 5};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_rows(corm_transact(db, count_items, NULL, .read_only = true, .error = &error), 2,
                    &error);
        assert_rows(corm_transact(db, insert_two, &plan, .error = &error), 5, &error);
        assert_rows(corm_transact(db, count_items, NULL, .read_only = true, .error = &error), 4,
                    &error);
        assert_rows(corm_delete(db, item, corm_gt(item.id, 2), .error = &error), 2, &error);
    }
    corm_close(db);
}

static void an_isolation_that_does_not_exist_is_refused(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error = {0};
    struct corm_trx  *trx = (struct corm_trx *)&error;

    (void)state;
    assert_code(corm_begin(db, &trx, .isolation = (enum corm_isolation)77, .error = &error),
                CORM_MISUSE, &error);
    assert_null(trx);
    assert_code(
        corm_transact(db, count_items, NULL, .isolation = (enum corm_isolation)4, .error = &error),
        CORM_MISUSE, &error);
    corm_close(db);
}

/* ---- Nothing is sent too early, or too often -------------------------------- */

struct trace {
    int  events;
    char text[8][1000];
};

static void note_event(const struct corm_event *event, void *arg)
{
    struct trace *trace = arg;

    if (trace->events < (int)COUNT(trace->text))
        (void)snprintf(trace->text[trace->events], sizeof(trace->text[0]), "%s", event->text);
    trace->events++;
}

static struct corm_db *open_traced(struct trace *trace)
{
    *trace = (struct trace){0};
    return open_watched(is_mariadb() ? "pool=1" : "pool=2", note_event, trace);
}

static void an_empty_transaction_sends_nothing(void **state)
{
    struct trace         trace;
    struct corm_db      *db = open_traced(&trace);
    struct corm_error    error;
    struct corm_trx     *trx = begin(db, &error);
    struct corm_counters before = stats_of(db), after;
    struct plan          plan = {.returns = -1};

    (void)state;
    assert_rows(corm_commit(trx), 0, &error);
    assert_rows(corm_start(trx), 0, &error);
    assert_rows(corm_rollback(trx), 0, &error);
    assert_rows(corm_start(trx), 0, &error);
    corm_end(trx);
    assert_int_equal(corm_transact(db, insert_two, &plan), -1); /* only buffers, then refuses */
    after = stats_of(db);
    assert_int_equal(trace.events, 0);
    assert_int_equal(after.round_trips, before.round_trips);
    assert_int_equal(after.statements, before.statements);
    assert_int_equal(after.transactions, before.transactions);
    assert_int_equal(after.connects, before.connects);
    corm_close(db);
}

struct purchase {
    int32_t user_id, product_id, qty;
};

static int purchase(struct corm_trx *trx, void *arg)
{
    const struct purchase *want = arg;
    struct product         p;
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
                           &((struct order){.user_id = want->user_id,
                                            .product_id = want->product_id,
                                            .qty = want->qty}));
}

static int guarded_purchase(struct corm_trx *trx, void *arg)
{
    const struct purchase *want = arg;
    const struct corm_expr enough =
        corm_and(corm_eq(product.id, want->product_id), corm_ge(product.stock, want->qty));
    int rc = corm_update(trx, product, enough, corm_add(product.stock, -want->qty));

    if (rc < 0)
        return rc;
    if (rc == 0)
        return corm_abort(trx, SOLD_OUT, "not enough");
    return corm_insert_row(trx, order,
                           &((struct order){.user_id = want->user_id,
                                            .product_id = want->product_id,
                                            .qty = want->qty}));
}

static int update_later(struct corm_trx *trx, void *arg)
{
    const struct purchase *want = arg;

    return corm_update(trx, product, corm_eq(product.id, want->product_id),
                       corm_add(product.stock, 1), .later = true);
}

/* How many trips a run of the function takes, once it has run before. */
static uint64_t trips_of(struct corm_db *db, corm_trx_function *function, struct purchase *want,
                         int wanted)
{
    uint64_t trips = 0;

    for (int i = 0; i < 3; i++) {
        struct corm_error error = {0};
        uint64_t          before = stats_of(db).round_trips;
        assert_rows(corm_transact(db, function, want, .error = &error), wanted, &error);
        trips = stats_of(db).round_trips - before;
    }
    return trips;
}

static void make_shop(struct corm_db *db, int stock)
{
    struct corm_error error = {0};

    new_table(db, product);
    new_table(db, order);
    assert_rows(corm_insert(db, product, corm_set(product.id, 1), corm_set(product.name, "tea"),
                            corm_set(product.stock, stock), .error = &error),
                1, &error);
}

/* SQLite has no trips to count. */
static void a_purchase_takes_two_round_trips(void **state)
{
    struct trace    trace;
    struct corm_db *db = open_traced(&trace);
    struct purchase want = {7, 1, 2}, too_much_wanted = {7, 1, 5000};

    (void)state;
    make_shop(db, 1000);
    assert_int_equal(trips_of(db, purchase, &want, 1), is_mariadb() ? 2 : 0);
    assert_int_equal(trips_of(db, guarded_purchase, &want, 1), is_mariadb() ? 2 : 0);
    assert_int_equal(trips_of(db, update_later, &want, 0), is_mariadb() ? 1 : 0);
    assert_int_equal(trips_of(db, purchase, &too_much_wanted, SOLD_OUT), is_mariadb() ? 2 : 0);
    assert_int_equal(number_beside("SELECT stock FROM product"), 1000 - 6 * 2 + 3);
    assert_int_equal(number_beside("SELECT SUM(qty) FROM \x60order\x60"), 12);
    struct corm_counters before = stats_of(db);
    trace = (struct trace){0};
    assert_int_equal(corm_transact(db, purchase, &want), 1);
    struct corm_counters after = stats_of(db);
    assert_int_equal(after.statements - before.statements,
                     4); /* what was said, not what was sent */
    assert_int_equal(after.transactions - before.transactions, 1);
    assert_int_equal(after.commits - before.commits, 1);
    assert_int_equal(after.attempts - before.attempts, 1);
    if (is_mariadb()) {
        assert_int_equal(trace.events, 2);
        assert_non_null(strstr(trace.text[0], "FOR UPDATE"));
        assert_non_null(strstr(trace.text[1], "COMMIT"));
    }
    corm_close(db);
}

/* The long form takes as many. */
static void a_purchase_in_the_long_form_takes_two_round_trips(void **state)
{
    struct trace      trace;
    struct corm_db   *db = open_traced(&trace);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);
    struct purchase   want = {7, 1, 2};

    (void)state;
    make_shop(db, 1000);
    for (int i = 0; i < 3; i++) {
        uint64_t before = stats_of(db).round_trips;
        assert_rows(purchase(trx, &want), 1, &error);
        assert_rows(corm_commit(trx), 0, &error);
        uint64_t trips = stats_of(db).round_trips - before;
        if (i == 2)
            assert_int_equal(trips, is_mariadb() ? 2 : 0);
        assert_rows(corm_start(trx), 0, &error);
    }
    corm_end(trx);
    corm_close(db);
}

/* What is buffered goes out with the next read, not in front of it. */
static void a_read_takes_what_is_buffered_along(void **state)
{
    struct corm_db   *db = open_items(is_mariadb() ? "pool=1" : "pool=2", 1);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);
    struct item       found;
    uint64_t          trips = 0;

    (void)state;
    for (int i = 0; i < 3; i++) { /* the first time it is prepared */
        assert_rows(corm_insert_row(trx, item, &((struct item){2, 20})), 1, &error);
        assert_rows(corm_insert_row(trx, item, &((struct item){3, 30})), 1, &error);
        trips = stats_of(db).round_trips;
        assert_rows(corm_first(trx, item, &found, .where = corm_eq(item.id, 3)), 1, &error);
        trips = stats_of(db).round_trips - trips;
        assert_int_equal(found.amount, 30);
        assert_rows(corm_rollback(trx), 0, &error);
        assert_rows(corm_start(trx), 0, &error);
    }
    assert_int_equal(trips, is_mariadb() ? 1 : 0);
    corm_end(trx);
    corm_close(db);
}

/* ---- Write-behind ----------------------------------------------------------- */

/* Whether the call in front of it has sent a statement, with what was buffered. */
static bool has_sent(const struct corm_db *db, uint64_t *statements)
{
    uint64_t before = *statements;

    *statements = stats_of(db).statements;
    return *statements != before;
}

static void a_read_sees_what_is_buffered_in_front_of_it(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);
    uint64_t          sent = stats_of(db).statements;
    struct item       found, *all;

    (void)state;
    assert_rows(corm_insert_row(trx, item, &((struct item){2, 20})), 1, &error);
    assert_false(has_sent(db, &sent));
    assert_rows(corm_first(trx, item, &found, .where = corm_eq(item.id, 2)), 1, &error);
    assert_true(has_sent(db, &sent));
    assert_int_equal(found.amount, 20);
    assert_rows(
        corm_update(trx, item, corm_eq(item.id, 2), corm_add(item.amount, 1), .later = true), 0,
        &error);
    assert_rows(corm_insert_row(trx, item, &((struct item){3, 30})), 1, &error);
    assert_rows(corm_delete(trx, item, corm_eq(item.id, 1), .later = true), 0, &error);
    assert_false(has_sent(db, &sent));
    assert_rows(corm_all(trx, item, &all, .order = {corm_desc(item.id)}, .limit = 5), 2, &error);
    assert_true(all[0].id == 3 && all[1].id == 2 && all[1].amount == 21);
    assert_rows(corm_insert_row(trx, item, &((struct item){4, 40})), 1, &error);
    assert_rows(corm_count(trx, item), 3, &error);
    assert_rows(corm_insert_row(trx, item, &((struct item){5, 50})), 1, &error);
    assert_rows(corm_exists(trx, item, .where = corm_eq(item.id, 5)), 1, &error);
    assert_rows(corm_insert_row(trx, item, &((struct item){6, 60})), 1, &error);
    assert_rows(corm_first(trx, item, &found, .where = corm_eq(item.id, 6), .lock = CORM_FOR_UPDATE,
                           .nowait = true),
                1, &error);
    assert_rows(corm_insert_row(trx, item, &((struct item){7, 70})), 1, &error);
    assert_rows(corm_update(trx, item, corm_ge(item.id, 6), corm_add(item.amount, 1)), 2, &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    assert_int_equal(amount_of(7), 71);
    corm_close(db);
}

static void writes_take_effect_in_the_order_of_the_program(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_rows(corm_insert_row(trx, item, &((struct item){9, 1})), 1, &error);
        assert_rows(
            corm_update(trx, item, corm_eq(item.id, 9), corm_add(item.amount, i), .later = true), 0,
            &error);
        assert_rows(
            corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.amount, i), .later = true), 0,
            &error);
        if (i < 9)
            assert_rows(corm_delete(trx, item, corm_eq(item.id, 9), .later = true), 0, &error);
    }
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    assert_int_equal(amount_of(9), 10);
    assert_int_equal(amount_of(1), 9);
    assert_int_equal(items(), 2);
    corm_close(db);
}

static void any_number_of_writes_can_be_buffered(void **state)
{
    static const int  counts[] = {1, 29, 30, 31, 32, 33, 61, 62, 63, 64, 65, 200};
    struct corm_db   *db = open_db(NULL);
    struct corm_error error;

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        int64_t ids[200] = {0}, last = 0;
        new_table(db, letter);
        struct corm_trx *trx = begin(db, &error);
        for (int n = 0; n < counts[i]; n++)
            assert_rows(corm_insert_row(trx, letter, &((struct letter){.number = n, .body = "x"}),
                                        .id_later = n % 3 == 0 ? &ids[n] : NULL),
                        1, &error);
        if (i % 2 == 0)
            assert_rows(corm_count(trx, letter), counts[i], &error);
        assert_rows(corm_commit(trx), 0, &error);
        corm_end(trx);
        assert_int_equal(number_beside("SELECT COUNT(*) FROM letter"), counts[i]);
        assert_int_equal(number_beside("SELECT COUNT(*) FROM letter a JOIN letter b ON a.id < b.id "
                                       "WHERE a.number >= b.number"),
                         0);
        for (int n = 0; n < counts[i]; n += 3, last = ids[n - 3])
            if (ids[n] <= last ||
                number_beside("SELECT number FROM letter WHERE id = %d", (int)ids[n]) != n)
                fail_msg("letter %d of %d has not the key %d", n, counts[i], (int)ids[n]);
    }
    corm_close(db);
}

static void any_number_of_bytes_can_be_buffered(void **state)
{
    enum { SIZE = 100000, LETTERS = 45, MORE = 3000000 };
    struct corm_db   *db = open_db(NULL);
    struct corm_error error;
    char             *body = malloc(MORE + 1);

    (void)state;
    assert_non_null(body);
    new_table(db, letter);
    struct corm_trx *trx = begin(db, &error);
    memset(body, 'a', MORE);
    body[SIZE] = '\0';
    for (int n = 0; n < LETTERS; n++) {
        body[0] = (char)('A' + n % 26);
        assert_rows(corm_insert_row(trx, letter, &((struct letter){.number = n, .body = body})), 1,
                    &error);
    }
    body[0] = (char)('A' + LETTERS % 26);
    body[SIZE] = 'a';
    body[MORE] = '\0';
    assert_rows(corm_insert_row(trx, letter, &((struct letter){.number = LETTERS, .body = body})),
                1, &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    assert_int_equal(number_beside("SELECT SUM(LENGTH(body)) FROM letter"), LETTERS * SIZE + MORE);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM letter WHERE SUBSTR(body, 1, 1) <> "
                                   "SUBSTR('ABCDEFGHIJKLMNOPQRSTUVWXYZ', 1 + number %% 26, 1)"),
                     0);
    free(body);
    corm_close(db);
}

/* ---- Rows that are held ----------------------------------------------------- */

static void a_write_to_a_held_row_waits_and_others_do_not(void **state)
{
    struct corm_db   *db = open_items(NULL, 5);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);
    struct item       found;
    uint64_t          sent = 0;

    (void)state;
    assert_rows(lock_item(trx, 1), 1, &error);
    assert_rows(corm_first(trx, item, &found, .where = corm_eq(item.id, 2)), 1, &error);
    (void)has_sent(db, &sent);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.amount, 1)), 1, &error);
    assert_rows(corm_update(trx, item, corm_and(corm_eq(item.id, 1)), corm_add(item.amount, 1)), 1,
                &error);
    assert_false(has_sent(db, &sent));
    /* Not held, or perhaps not matched: the server is asked. */
    assert_rows(corm_update(trx, item, corm_eq(item.id, 2), corm_add(item.amount, 1)), 1, &error);
    assert_true(has_sent(db, &sent));
    assert_rows(lock_item(trx, 3), 1, &error);
    (void)has_sent(db, &sent);
    assert_rows(corm_update(trx, item, corm_and(corm_eq(item.id, 3), corm_gt(item.amount, 10)),
                            corm_add(item.amount, 1)),
                0, &error);
    assert_true(has_sent(db, &sent));
    assert_rows(corm_update(trx, item, corm_eq(item.id, 77), corm_add(item.amount, 1)), 0, &error);
    assert_true(has_sent(db, &sent));
    assert_rows(lock_item(trx, 5), 1, &error);
    (void)has_sent(db, &sent);
    assert_rows(corm_delete(trx, item, corm_eq(item.id, 5)), 1, &error);
    assert_false(has_sent(db, &sent));
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    assert_int_equal(amount_of(1), 2);
    assert_int_equal(amount_of(2), 11);
    assert_int_equal(amount_of(5), -1);
    corm_close(db);
}

/* Without FOR UPDATE another one may hold it, too, and the write can fail; it is sent. */
static void a_shared_row_is_not_held(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error;
    struct corm_trx  *trx = hold_item(db, 1, CORM_FOR_SHARE, &error);
    uint64_t          sent = stats_of(db).statements;

    (void)state;
    assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.amount, 1)), 1, &error);
    assert_true(has_sent(db, &sent));
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    corm_close(db);
}

static void a_held_row_that_is_deleted_is_not_there_any_more(void **state)
{
    struct corm_db   *db = open_items(NULL, 3);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);

    (void)state;
    for (int how = 0; how < 3; how++) {
        assert_rows(lock_item(trx, 1), 1, &error);
        if (how == 0)
            assert_rows(corm_delete(trx, item, corm_eq(item.id, 1)), 1, &error);
        else if (how == 1)
            assert_rows(corm_delete(trx, item, corm_lt(item.id, 2)), 1, &error);
        else
            assert_rows(corm_sql(trx, NULL, "DELETE FROM item WHERE id = 1"), 1, &error);
        assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.amount, 1)), 0,
                    &error);
        assert_rows(corm_delete(trx, item, corm_eq(item.id, 1)), 0, &error);
        assert_rows(lock_item(trx, 1), 0, &error);
        assert_rows(corm_insert_row(trx, item, &((struct item){1, 5})), 1, &error);
        assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_add(item.amount, 1)), 1,
                    &error);
    }
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    assert_int_equal(amount_of(1), 6);
    corm_close(db);
}

static void a_held_row_whose_key_changes_is_another_one(void **state)
{
    struct corm_db   *db = open_items(NULL, 2);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);

    (void)state;
    assert_rows(lock_item(trx, 1), 1, &error);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.id, 7)), 1, &error);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.amount, 1)), 0, &error);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 7), corm_set(item.amount, 70)), 1, &error);
    assert_rows(lock_item(trx, 2), 1, &error);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 2), corm_add(item.id, 6), .later = true), 0,
                &error);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 2), corm_set(item.amount, 1)), 0, &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    assert_int_equal(amount_of(7), 70);
    assert_int_equal(amount_of(8), 10);
    assert_int_equal(items(), 2);
    corm_close(db);
}

static void a_row_of_another_table_is_not_held(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error;

    (void)state;
    new_table(db, product); /* has a key of the same name and type */
    struct corm_trx *trx = hold_item(db, 1, CORM_FOR_UPDATE, &error);
    assert_rows(corm_update(trx, product, corm_eq(product.id, 1), corm_set(product.stock, 5)), 0,
                &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    corm_close(db);
}

/* A write to another table may have a trigger that removes the row. */
static void a_row_that_a_trigger_removes_is_not_held(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error = {0};
    struct product    found;

    (void)state;
    new_table(db, product);
    assert_rows(corm_insert(db, product, corm_set(product.id, 1), corm_set(product.name, "tea"),
                            corm_set(product.stock, 1), .error = &error),
                1, &error);
    beside("CREATE TRIGGER removes AFTER UPDATE ON product FOR EACH ROW "
           "%s DELETE FROM item WHERE id = 1; %s",
           is_mariadb() ? "" : "BEGIN", is_mariadb() ? "" : "END");
    struct corm_trx *trx = hold_item(db, 1, CORM_FOR_UPDATE, &error);
    assert_rows(corm_first(trx, product, &found, .lock = CORM_FOR_UPDATE), 1, &error);
    assert_rows(corm_update(trx, product, corm_eq(product.id, 1), corm_set(product.stock, 2)), 1,
                &error);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.amount, 5)), 0, &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    assert_int_equal(items(), 0);
    corm_close(db);
}

static void two_models_of_a_table_hold_the_same_rows(void **state)
{
    struct corm_db   *db = open_items(NULL, 3);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);
    struct goods      found;
    uint64_t          sent = 0;

    (void)state;
    assert_rows(lock_item(trx, 1), 1, &error);
    (void)has_sent(db, &sent);
    assert_rows(corm_update(trx, goods, corm_eq(goods.number, 1), corm_set(goods.quantity, 5)), 1,
                &error);
    assert_false(has_sent(db, &sent));
    assert_rows(
        corm_first(trx, goods, &found, .where = corm_eq(goods.number, 2), .lock = CORM_FOR_UPDATE),
        1, &error);
    (void)has_sent(db, &sent);
    assert_rows(corm_delete(trx, item, corm_eq(item.id, 2)), 1, &error);
    assert_false(has_sent(db, &sent));
    assert_rows(corm_update(trx, goods, corm_eq(goods.number, 2), corm_set(goods.quantity, 5)), 0,
                &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    assert_int_equal(amount_of(1), 5);
    assert_int_equal(items(), 2);
    corm_close(db);
}

static void a_key_of_two_columns_is_held_by_both(void **state)
{
    struct corm_db   *db = open_db(NULL);
    struct corm_error error = {0};
    struct seat       seats[] = {{1, 2, 0}, {2, 2, 0}, {1, 1, 0}}, found;
    uint64_t          sent = 0;

    (void)state;
    new_table(db, seat);
    assert_rows(corm_insert_rows(db, seat, 3, seats, .error = &error), 3, &error);
    struct corm_trx *trx = begin(db, &error);
    assert_rows(corm_first(trx, seat, &found,
                           .where = corm_and(corm_eq(seat.block, 1), corm_eq(seat.number, 2)),
                           .lock = CORM_FOR_UPDATE),
                1, &error);
    (void)has_sent(db, &sent);
    assert_rows(corm_update(trx, seat, corm_and(corm_eq(seat.number, 2), corm_eq(seat.block, 1)),
                            corm_set(seat.holder, 9)),
                1, &error);
    assert_false(has_sent(db, &sent));
    assert_rows(corm_update(trx, seat, corm_eq(seat.number, 2), corm_add(seat.holder, 1)), 2,
                &error);
    assert_true(has_sent(db, &sent));
    assert_rows(corm_update(trx, seat, corm_or(corm_eq(seat.number, 2), corm_eq(seat.block, 1)),
                            corm_add(seat.holder, 1)),
                3, &error);
    /* By a model that has them the other way round it is 2, 1 that is asked for: not there. */
    assert_rows(corm_first(trx, seat, &found,
                           .where = corm_and(corm_eq(seat.block, 1), corm_eq(seat.number, 2)),
                           .lock = CORM_FOR_UPDATE),
                1, &error);
    assert_int_equal(found.holder, 11);
    assert_rows(corm_update(trx, chair, corm_and(corm_eq(chair.number, 1), corm_eq(chair.block, 2)),
                            corm_set(chair.holder, 50)),
                0, &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    corm_close(db);
}

static void nothing_is_held_in_the_next_transaction(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);

    (void)state;
    assert_rows(lock_item(trx, 1), 1, &error);
    assert_rows(corm_commit(trx), 0, &error);
    beside("DELETE FROM item");
    assert_rows(corm_start(trx), 0, &error);
    assert_rows(corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.amount, 1)), 0, &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    corm_close(db);
}

/* ---- Keys of the long form ---------------------------------------------------- */

/* Whether another transaction can have a row. */
static bool is_free(struct corm_db *db, int id)
{
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);
    struct item       found;
    int rc = corm_first(trx, item, &found, .where = corm_eq(item.id, id), .lock = CORM_FOR_UPDATE,
                        .nowait = true);

    corm_end(trx);
    assert_true(rc == 1 || rc == CORM_LOCKED);
    return rc == 1;
}

static void a_key_is_locked_with_the_first_statement(void **state)
{
    struct corm_db   *db = open_items("pool=4", 4), *other = open_db("pool=4");
    struct corm_error error = {0};
    struct corm_trx  *trx = NULL;
    struct item       found;
    uint64_t          trips = 0;

    (void)state;
    for (int i = 0; i < 3; i++) { /* the first time it is prepared */
        assert_ok(corm_begin(db, &trx, .error = &error,
                             .key = corm_keys(corm_eq(item.id, 3), corm_eq(item.id, 1),
                                              corm_eq(item.id, 3))),
                  &error);
        assert_true(is_free(other, 1)); /* nothing was sent yet */
        trips = stats_of(db).round_trips;
        assert_rows(corm_first(trx, item, &found, .where = corm_eq(item.id, 2)), 1, &error);
        trips = stats_of(db).round_trips - trips;
        assert_false(is_free(other, 1));
        assert_false(is_free(other, 3));
        assert_int_equal(is_free(other, 4), is_mariadb()); /* a file is locked whole */
        assert_rows(corm_commit(trx), 0, &error);
        assert_true(is_free(other, 1));
        assert_true(is_free(other, 3));
        assert_rows(corm_start(trx), 0, &error); /* with the same keys */
        assert_rows(corm_count(trx, item), 4, &error);
        assert_false(is_free(other, 1));
        assert_false(is_free(other, 3));
        corm_end(trx);
        assert_true(is_free(other, 1));
    }
    assert_int_equal(trips, is_mariadb() ? 1 : 0);
    corm_close(other);
    corm_close(db);
}

static void a_key_alone_sends_nothing(void **state)
{
    struct trace         trace;
    struct corm_db      *db = open_traced(&trace);
    struct corm_error    error = {0};
    struct corm_counters before = stats_of(db);
    struct corm_trx     *trx = NULL;

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &error, .key = corm_eq(item.id, 1)), &error);
    assert_rows(corm_commit(trx), 0, &error);
    assert_rows(corm_start(trx), 0, &error);
    assert_rows(corm_savepoint(trx), 0, &error);
    assert_rows(corm_savepoint_release(trx), 0, &error);
    corm_end(trx);
    assert_int_equal(trace.events, 0);
    assert_int_equal(stats_of(db).round_trips, before.round_trips);
    corm_close(db);
}

static void a_write_behind_a_key_waits_for_it(void **state)
{
    struct corm_db   *db = open_items("pool=4", 2), *other = open_db("pool=4");
    struct corm_error error = {0}, held;
    struct corm_trx  *holder = hold_item(other, 1, CORM_FOR_UPDATE, &held), *trx = NULL;

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &error, .timeout_ms = 200, .key = corm_eq(item.id, 1)),
              &error);
    int rc = corm_update(trx, item, corm_eq(item.id, 2), corm_set(item.amount, 3));
    assert_true(rc == CORM_TIMEOUT || rc == CORM_DEADLINE || rc == CORM_LOCK_TIMEOUT);
    assert_int_equal(error.code, rc);
    assert_int_equal(amount_of(2), 10);
    corm_end(trx);
    corm_end(holder);
    assert_ok(corm_begin(db, &trx, .error = &error, .key = corm_eq(item.id, 1)), &error);
    assert_rows(
        corm_update(trx, item, corm_eq(item.id, 2), corm_set(item.amount, 3), .later = true), 0,
        &error);
    assert_rows(corm_commit(trx), 0, &error);
    assert_int_equal(amount_of(2), 3);
    corm_end(trx);
    corm_close(other);
    corm_close(db);
}

/* Text, and a key of two columns; what the caller does with its own text later is its own affair. */
static void keys_of_all_kinds_are_locked(void **state)
{
    struct corm_db   *db = open_db("pool=4"), *other = open_db("pool=4");
    struct corm_error error = {0};
    struct corm_trx  *trx = NULL;
    char              name[] = "cup";
    struct tag        found;

    (void)state;
    new_table(db, tag);
    new_table(db, seat);
    assert_rows(corm_insert_row(db, tag, &((struct tag){"cup", 1})), 1, &error);
    assert_rows(corm_insert_row(db, seat, &((struct seat){1, 2, 0})), 1, &error);
    assert_ok(
        corm_begin(db, &trx, .error = &error,
                   .key = corm_keys(corm_eq(tag.name, name),
                                    corm_and(corm_eq(seat.number, 2), corm_eq(seat.block, 1)))),
        &error);
    memcpy(name, "mug", sizeof(name));
    assert_rows(corm_count(trx, tag), 1, &error);
    struct corm_trx *rival = begin(other, &error);
    assert_rows(corm_first(rival, tag, &found, .where = corm_eq(tag.name, "cup"),
                           .lock = CORM_FOR_UPDATE, .nowait = true),
                CORM_LOCKED, &error);
    struct seat place;
    assert_rows(corm_first(rival, seat, &place, .where = corm_eq(seat.block, 1),
                           .lock = CORM_FOR_UPDATE, .nowait = true),
                CORM_LOCKED, &error);
    corm_end(rival);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    corm_close(other);
    corm_close(db);
}

/* Two who name the same rows in another order: one waits for the other one, and both get them. */
struct keyed {
    struct corm_db   *db;
    int               first, second, rounds, rc;
    struct corm_error error;
};

static void *lock_by_keys(void *arg)
{
    struct keyed    *k = arg;
    struct corm_trx *trx = NULL;

    k->rc = corm_begin(k->db, &trx, .error = &k->error,
                       .key = corm_keys(corm_eq(item.id, k->first), corm_eq(item.id, k->second)));
    for (int i = 0; k->rc >= 0 && i < k->rounds; i++) {
        k->rc = corm_update(trx, item, corm_eq(item.id, k->first), corm_add(item.amount, 1));
        if (k->rc >= 0)
            k->rc = corm_update(trx, item, corm_eq(item.id, k->second), corm_add(item.amount, 1));
        if (k->rc >= 0)
            k->rc = corm_commit(trx);
        if (k->rc >= 0)
            k->rc = corm_start(trx);
    }
    corm_end(trx);
    return NULL;
}

static void keys_are_locked_in_one_order(void **state)
{
    enum { ROUNDS = 200 };
    struct corm_db *db = open_items("pool=4", 2);
    struct keyed    both[2] = {{.db = db, .first = 1, .second = 2, .rounds = ROUNDS},
                               {.db = db, .first = 2, .second = 1, .rounds = ROUNDS}};

    (void)state;
    run_threads(2, lock_by_keys, both, sizeof(both[0]));
    for (int i = 0; i < 2; i++)
        assert_rows(both[i].rc, 0, &both[i].error);
    assert_int_equal(amount_of(1), 10 + 2 * ROUNDS);
    assert_int_equal(amount_of(2), 10 + 2 * ROUNDS);
    corm_close(db);
}

static void a_key_that_is_none_is_refused(void **state)
{
    struct corm_db   *db = open_items("pool=4", 1);
    struct corm_error error = {0};
    struct corm_trx  *trx = (struct corm_trx *)(void *)&error;

    (void)state;
    assert_code(corm_begin(db, &trx, .error = &error, .key = corm_eq(item.amount, 1)), CORM_MISUSE,
                &error);
    assert_null(trx);
    assert_code(corm_begin(db, &trx, .error = &error, .key = corm_gt(item.id, 1)), CORM_MISUSE,
                &error);
    assert_code(
        corm_begin(db, &trx, .error = &error, .key = corm_eq(item.id, 1), .read_only = true),
        CORM_MISUSE, &error);
    assert_null(trx);
    assert_non_null(strstr(error.file, "transaction_test.c"));
    corm_close(db);
}

/* ---- Running again ---------------------------------------------------------- */

struct racer {
    struct corm_db     *db;
    pthread_barrier_t  *both; /* where two meet in their first attempt; NULL: nowhere */
    enum corm_isolation isolation;
    int                 first, second; /* items */
    int                 rounds, rc;
    uint32_t            attempts;
    struct corm_error   error;
};

static int lock_both(struct corm_trx *trx, void *arg)
{
    struct racer *r = arg;
    int           rc = lock_item(trx, r->first);

    r->attempts = corm_attempt(trx);
    if (r->both != NULL && corm_attempt(trx) == 1)
        (void)pthread_barrier_wait(r->both);
    if (rc == 1)
        rc = lock_item(trx, r->second);
    if (rc == 1)
        rc = corm_update(trx, item, corm_eq(item.id, r->first), corm_add(item.amount, 1));
    if (rc == 1)
        rc = corm_update(trx, item, corm_eq(item.id, r->second), corm_add(item.amount, 1));
    return rc;
}

static void *race_for_both(void *arg)
{
    struct racer *r = arg;

    r->rc = corm_transact(r->db, lock_both, r, .error = &r->error);
    return NULL;
}

/* Each holds what the other one wants. On SQLite the second begins when the first is done. */
static void a_deadlock_is_run_again(void **state)
{
    struct corm_db   *db = open_items("pool=4", 2);
    pthread_barrier_t both;
    struct racer      racers[2] = {{.db = db, .first = 1, .second = 2},
                                   {.db = db, .first = 2, .second = 1}};

    (void)state;
    (void)pthread_barrier_init(&both, NULL, 2);
    if (is_mariadb())
        racers[0].both = racers[1].both = &both;
    run_threads(2, race_for_both, racers, sizeof(racers[0]));
    (void)pthread_barrier_destroy(&both);
    for (int i = 0; i < 2; i++)
        assert_rows(racers[i].rc, 1, &racers[i].error);
    assert_int_equal(amount_of(1), 12);
    assert_int_equal(amount_of(2), 12);
    assert_int_equal(racers[0].attempts + racers[1].attempts, is_mariadb() ? 3 : 2);
    assert_int_equal(stats_of(db).attempts, is_mariadb() ? 3 : 2);
    corm_close(db);
}

/* The error of the caller is set when the call fails, and left alone when it works. */
static void a_function_that_commits_in_the_end_leaves_the_error_alone(void **state)
{
    struct corm_db   *db = open_items("pool=4", 2);
    pthread_barrier_t both;
    struct racer      racers[2] = {{.db = db, .first = 1, .second = 2},
                                   {.db = db, .first = 2, .second = 1}};
    struct corm_error held, error = {0};
    struct plan       plan = {0};

    (void)state;
    (void)pthread_barrier_init(&both, NULL, 2);
    if (is_mariadb())
        racers[0].both = racers[1].both = &both;
    run_threads(2, race_for_both, racers, sizeof(racers[0]));
    (void)pthread_barrier_destroy(&both);
    plan.holder = hold_item(db, 1, CORM_FOR_UPDATE, &held);
    assert_int_equal(corm_transact(db, go_on_when_locked, &plan, .error = &error), 1);
    corm_end(plan.holder);
    assert_true(racers[0].rc == 1 && racers[1].rc == 1);
    assert_int_equal(racers[0].error.code, 0);
    assert_int_equal(racers[1].error.code, 0);
    assert_int_equal(error.code, 0);
    corm_close(db);
}

/* The race that programs lose: it reads without a lock, and writes what it has computed. */
static int read_then_write(struct corm_trx *trx, void *arg)
{
    struct racer *r = arg;
    struct item   found;
    int           rc = corm_first(trx, item, &found, .where = corm_eq(item.id, 1));

    if (r->both != NULL && corm_attempt(trx) == 1)
        (void)pthread_barrier_wait(r->both);
    if (rc != 1)
        return rc;
    return corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.amount, found.amount + 1));
}

static void *race_to_write(void *arg)
{
    struct racer *r = arg;

    for (int i = 0; i < r->rounds && r->rc >= 0; i++)
        r->rc =
            corm_transact(r->db, read_then_write, r, .isolation = r->isolation, .error = &r->error);
    return NULL;
}

static void an_unlocked_read_loses_no_update(void **state)
{
    enum { THREADS = 8, ROUNDS = 25 };
    struct corm_db *db = open_items("pool=8", 1);
    struct racer    racers[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        racers[i] = (struct racer){.db = db, .rounds = ROUNDS};
    run_threads(THREADS, race_to_write, racers, sizeof(racers[0]));
    for (int i = 0; i < THREADS; i++)
        assert_rows(racers[i].rc, 1, &racers[i].error);
    assert_int_equal(amount_of(1), 10 + THREADS * ROUNDS);
    corm_close(db);
}

/* Both have read before one of them writes. */
static int race_two(struct corm_db *db, enum corm_isolation isolation)
{
    pthread_barrier_t both;
    struct racer      racers[2] = {{.db = db, .rounds = 1, .isolation = isolation, .both = &both},
                                   {.db = db, .rounds = 1, .isolation = isolation, .both = &both}};

    (void)pthread_barrier_init(&both, NULL, 2);
    run_threads(2, race_to_write, racers, sizeof(racers[0]));
    (void)pthread_barrier_destroy(&both);
    for (int i = 0; i < 2; i++)
        assert_rows(racers[i].rc, 1, &racers[i].error);
    return amount_of(1);
}

static void updates_are_lost_only_where_that_was_asked_for(void **state)
{
    struct corm_db *db = open_items("pool=4", 1);

    (void)state;
    assert_int_equal(race_two(db, CORM_ISOLATION_DEFAULT), 12);
    assert_int_equal(race_two(db, CORM_SERIALIZABLE), 14);
    assert_int_equal(race_two(db, CORM_READ_COMMITTED), 15); /* the control: one is lost */
    if (number_beside("SELECT COUNT(*) FROM information_schema.system_variables WHERE "
                      "variable_name = 'innodb_snapshot_isolation'") == 1)
        assert_int_equal(race_two(db, CORM_REPEATABLE_READ), 17);
    corm_close(db);
}

static int refuse_at_the_third(struct corm_trx *trx, void *arg)
{
    uint32_t *seen = arg;
    int       n = 0;

    *seen = corm_attempt(trx);
    if (corm_insert_row(trx, item, &((struct item){60 + (int)*seen, 1})) != 1)
        return -1;
    while (corm_arena_alloc(corm_trx_arena(trx), 1000) != NULL && n < 50)
        n++;
    return *seen < 3 ? CORM_DEADLOCK : corm_abort(trx, REFUSED, "at attempt %u", *seen);
}

/* A code that may be tried again is, also where the function brings it from elsewhere. */
static void each_attempt_begins_afresh(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error = {0};
    uint32_t          seen = 0;

    (void)state;
    assert_code(corm_transact(db, refuse_at_the_third, &seen, .error = &error), REFUSED, &error);
    assert_int_equal(seen, 3);
    assert_int_equal(error.attempts, 3);
    assert_string_equal(error.message, "at attempt 3");
    assert_int_equal(items(), 1);
    corm_close(db);
}

/* ---- Deadlines -------------------------------------------------------------- */

static int take_one(struct corm_trx *trx, void *arg)
{
    (void)arg;
    int rc = corm_insert_row(trx, item, &((struct item){80, 1}));
    return rc < 0 ? rc : lock_item(trx, 1);
}

/* The row, or SQLite's file, is held by a transaction of the same pool, or of another process. */
static void a_deadline_ends_the_wait_for_a_lock(void **state)
{
    enum { LIMIT_MS = 400 };
    struct corm_db *db = open_items("pool=4", 1), *other = open_db("pool=4");

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct corm_error held, error = {0};
        struct corm_trx  *holder = hold_item(i % 2 == 0 ? db : other, 1, CORM_FOR_UPDATE, &held);
        struct corm_trx  *trx = NULL;
        int64_t           began = now_ms();
        int               rc;
        if (i < 2) {
            rc = corm_transact(db, take_one, NULL, .timeout_ms = LIMIT_MS, .error = &error);
        } else {
            assert_ok(corm_begin(db, &trx, .timeout_ms = LIMIT_MS, .error = &error), &error);
            rc = take_one(trx, NULL);
        }
        assert_in_range(now_ms() - began, LIMIT_MS - 50, LIMIT_MS + 500);
        assert_true(rc < 0 && error.code == rc);
        assert_false(corm_is_user(rc) || rc <= CORM_OUTCOME_UNKNOWN);
        if (trx != NULL)
            assert_int_equal(corm_commit(trx), rc);
        corm_end(trx);
        corm_end(holder);
        error = (struct corm_error){0};
        assert_rows(
            corm_update(db, item, corm_eq(item.id, 1), corm_add(item.amount, 1), .error = &error),
            1, &error);
        assert_int_equal(amount_of(1), 11 + i);
        assert_int_equal(items(), 1);
    }
    corm_close(other);
    corm_close(db);
}

static void a_deadline_ends_the_wait_for_a_connection(void **state)
{
    enum { LIMIT_MS = 300 };
    struct corm_db   *db = open_items(is_mariadb() ? "pool=1" : "pool=2", 1);
    struct corm_error held, error = {0};
    struct corm_trx  *holder = hold_item(db, 1, CORM_FOR_UPDATE, &held);
    int64_t           began = now_ms();

    (void)state;
    assert_code(corm_transact(db, take_one, NULL, .timeout_ms = LIMIT_MS, .error = &error),
                CORM_TIMEOUT, &error);
    assert_in_range(now_ms() - began, LIMIT_MS - 50, LIMIT_MS + 500);
    corm_end(holder);
    assert_int_equal(items(), 1);
    corm_close(db);
}

struct ticker {
    int64_t end;
};

static bool has_passed(void *arg)
{
    const struct ticker *ticker = arg;

    return now_ms() > ticker->end;
}

/* What was to be sent when the deadline has passed is not sent; what was, is rolled back. */
static void nothing_is_sent_after_the_deadline(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error = {0};
    struct corm_trx  *trx;

    (void)state;
    for (int sent = 0; sent < 2; sent++) {
        struct ticker ticker = {now_ms() + 150};
        error = (struct corm_error){0};
        assert_ok(corm_begin(db, &trx, .timeout_ms = 150, .error = &error), &error);
        assert_rows(corm_insert_row(trx, item, &((struct item){80, 1})), 1, &error);
        if (sent)
            assert_rows(corm_count(trx, item), 2, &error);
        wait_until(has_passed, &ticker);
        assert_code(corm_commit(trx), CORM_TIMEOUT, &error);
        assert_int_equal(items(), 1);
        assert_rows(corm_start(trx), 0, &error); /* with a deadline of its own */
        assert_rows(corm_count(trx, item), 1, &error);
        corm_end(trx);
    }
    corm_close(db);
}

/* ---- Texts that would end a transaction ------------------------------------- */

static int run_text(struct corm_trx *trx, void *arg)
{
    const struct plan *plan = arg;

    (void)corm_insert_row(trx, item, &((struct item){70, 1}));
    return corm_sql(trx, NULL, plan->text);
}

static void texts_that_end_a_transaction_are_refused(void **state)
{
    static const char *const texts[] = {
        "BEGIN",
        "COMMIT",
        "commit work",
        "  ROLLBACK",
        "/* a */ COMMIT",
        "-- a\n COMMIT",
        "START TRANSACTION",
        "SAVEPOINT a",
        "RELEASE SAVEPOINT a",
        "ROLLBACK TO a",
        "END",
        "XA START 'a'",
    };
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct plan      plan = {.text = texts[i]};
        struct corm_trx *trx = begin(db, &error);
        assert_rows(corm_insert_row(trx, item, &((struct item){70, 1})), 1, &error);
        assert_code(corm_sql(trx, NULL, texts[i]), CORM_MISUSE, &error);
        assert_int_equal(corm_commit(trx), CORM_MISUSE);
        corm_end(trx);
        error = (struct corm_error){0};
        assert_code(corm_sql(db, NULL, texts[i], .error = &error), CORM_MISUSE, &error);
        error = (struct corm_error){0};
        assert_code(corm_transact(db, run_text, &plan, .error = &error), CORM_MISUSE, &error);
        assert_int_equal(items(), 1);
    }
    corm_close(db);
}

/* A function may be run again: it takes nothing that could not be. */
static void a_function_takes_only_texts_that_read_or_write_rows(void **state)
{
    static const char *const refused[] = {
        "CREATE TABLE side (a INT)",
        "DROP TABLE item",
        "ALTER TABLE item ADD b INT",
        "SET @a = 1",
        "PRAGMA user_version=3",
        "CALL any()",
        "LOCK TABLES item WRITE",
        "TRUNCATE item",
        "EXPLAIN SELECT 1",
        "/*!COMMIT*/",
        "",
        "DO 1",
    };
    static const char *const taken[] = {
        "INSERT INTO item VALUES (71, 1)",
        "REPLACE INTO item VALUES (71, 2)",
        "UPDATE item SET amount = 3 WHERE id = 71",
        "SELECT * FROM item",
        " (SELECT 1)",
        "WITH a AS (SELECT 1 AS b) SELECT b FROM a",
        "DELETE FROM item WHERE id >= 70",
    };
    struct corm_db *db = open_items(NULL, 1);

    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct plan       plan = {.text = refused[i]};
        struct corm_error error = {0};
        assert_code(corm_transact(db, run_text, &plan, .error = &error), CORM_MISUSE, &error);
        assert_int_equal(items(), 1);
    }
    for (size_t i = 0; i < COUNT(taken); i++) {
        struct plan       plan = {.text = taken[i]};
        struct corm_error error = {0};
        if (!is_mariadb() && taken[i][1] == '(')
            continue; /* SQLite does not know that form */
        assert_ok(corm_transact(db, run_text, &plan, .error = &error), &error);
        assert_rows(corm_delete(db, item, corm_eq(item.id, 70)), taken[i][0] == 'D' ? 0 : 1,
                    &error);
    }
    corm_close(db);
}

/* ---- SQLite alone ----------------------------------------------------------- */

/* The file is locked as a whole, by readers that mean to write and by those that share, too. */
static void sqlite_locks_the_file(void **state)
{
    struct corm_db   *db = open_items("pool=4", 3), *other = open_db("pool=4");
    struct corm_error held, error;
    struct corm_trx  *holder = begin(db, &held), *trx = begin(other, &error);
    struct item       found, *all;

    (void)state;
    assert_rows(corm_count(holder, item), 3, &held);
    assert_int_equal(corm_first(trx, item, &found, .where = corm_eq(item.id, 3),
                                .lock = CORM_FOR_SHARE, .nowait = true),
                     CORM_LOCKED);
    assert_rows(corm_all(trx, item, &all, .lock = CORM_FOR_UPDATE, .skip_locked = true), 0, &error);
    corm_end(trx);
    assert_rows(corm_count(other, item), 3, &error); /* reading goes on beside it */
    corm_end(holder);
    trx = begin(other, &error);
    assert_rows(corm_all(trx, item, &all, .lock = CORM_FOR_UPDATE, .skip_locked = true), 3, &error);
    corm_end(trx);
    corm_close(other);
    corm_close(db);
}

/* DDL belongs to the transaction there. */
static void sqlite_rolls_back_ddl(void **state)
{
    struct corm_db   *db = open_items(NULL, 1);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);

    (void)state;
    assert_rows(corm_insert_row(trx, item, &((struct item){2, 1})), 1, &error);
    assert_rows(corm_sql(trx, NULL, "CREATE TABLE side (a INT)"), 0, &error);
    assert_rows(corm_sql(trx, NULL, "INSERT INTO side VALUES (1)"), 1, &error);
    assert_rows(corm_rollback(trx), 0, &error);
    corm_end(trx);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'side'"), 0);
    assert_int_equal(items(), 1);
    corm_close(db);
}

/* ---- MariaDB alone ---------------------------------------------------------- */

static void mariadb_passes_over_locked_rows(void **state)
{
    struct corm_db   *db = open_items("pool=4", 3);
    struct corm_error held, error;
    struct corm_trx  *holder = hold_item(db, 2, CORM_FOR_UPDATE, &held), *trx = begin(db, &error);
    struct item       found, *all;

    (void)state;
    assert_rows(corm_all(trx, item, &all, .order = {corm_asc(item.id)}, .lock = CORM_FOR_UPDATE,
                         .skip_locked = true),
                2, &error);
    assert_true(all[0].id == 1 && all[1].id == 3);
    assert_rows(corm_first(trx, item, &found, .where = corm_eq(item.id, 2), .lock = CORM_FOR_SHARE,
                           .skip_locked = true),
                0, &error);
    corm_end(trx);
    corm_end(holder);
    corm_close(db);
}

static void mariadb_lets_rows_be_shared(void **state)
{
    struct corm_db   *db = open_items("pool=4", 2);
    struct corm_error held, error;
    struct corm_trx  *holder = hold_item(db, 1, CORM_FOR_SHARE, &held), *trx = begin(db, &error);
    struct item       found;

    (void)state;
    assert_rows(corm_first(trx, item, &found, .where = corm_eq(item.id, 1), .lock = CORM_FOR_SHARE,
                           .nowait = true),
                1, &error);
    assert_int_equal(corm_first(trx, item, &found, .where = corm_eq(item.id, 1),
                                .lock = CORM_FOR_UPDATE, .nowait = true),
                     CORM_LOCKED);
    corm_end(holder);
    assert_rows(corm_first(trx, item, &found, .where = corm_eq(item.id, 1), .lock = CORM_FOR_UPDATE,
                           .nowait = true),
                1, &error);
    holder = begin(db, &held);
    assert_int_equal(corm_first(holder, item, &found, .where = corm_eq(item.id, 1),
                                .lock = CORM_FOR_SHARE, .wait_ms = 50),
                     CORM_LOCKED);
    assert_rows(corm_first(holder, item, &found, .where = corm_eq(item.id, 2),
                           .lock = CORM_FOR_UPDATE, .nowait = true),
                1, &held);
    corm_end(holder);
    corm_end(trx);
    corm_close(db);
}

static int told_isolation(struct corm_trx *trx, void *arg)
{
    struct corm_rows rows;
    int              rc = corm_sql(trx, &rows, "SELECT @@tx_isolation, @@tx_read_only");

    if (rc == 1)
        (void)snprintf(arg, 40, "%s %d", rows.values[0].as.s, (int)rows.values[1].as.i);
    return rc;
}

static void mariadb_runs_at_the_isolation_asked_for(void **state)
{
    struct corm_db   *db = open_items("pool=1", 1);
    struct corm_error error = {0};
    struct corm_trx  *trx;
    char              told[40], own[40];

    (void)state;
    assert_rows(corm_transact(db, told_isolation, told, .error = &error), 1, &error);
    assert_string_equal(told, "SERIALIZABLE 0");
    assert_rows(corm_transact(db, told_isolation, told, .isolation = CORM_REPEATABLE_READ), 1,
                &error);
    assert_string_equal(told, "REPEATABLE-READ 0");
    assert_rows(corm_transact(db, told_isolation, told, .isolation = CORM_READ_COMMITTED), 1,
                &error);
    assert_string_equal(told, "READ-COMMITTED 0");
    assert_rows(corm_transact(db, told_isolation, told, .read_only = true), 1, &error);
    assert_string_equal(told, "REPEATABLE-READ 1");
    assert_ok(corm_begin(db, &trx, .isolation = CORM_SERIALIZABLE, .error = &error), &error);
    assert_rows(told_isolation(trx, told), 1, &error);
    assert_string_equal(told, "SERIALIZABLE 0");
    corm_end(trx);
    (void)snprintf(own, sizeof(own), "%s 0",
                   number_beside("SELECT @@global.tx_isolation = 'REPEATABLE-READ'") == 1
                       ? "REPEATABLE-READ"
                       : "?");
    trx = begin(db, &error); /* the server's own */
    assert_rows(told_isolation(trx, told), 1, &error);
    assert_string_equal(told, own);
    corm_end(trx);
    corm_close(db);
}

/* What each level makes of a row that another one changes between two reads. */
static void mariadb_levels_of_isolation_differ(void **state)
{
    struct corm_db   *db = open_items("pool=4", 1);
    struct corm_error error = {0};
    struct corm_trx  *trx;
    struct item       found;

    (void)state;
    assert_ok(corm_begin(db, &trx, .isolation = CORM_READ_COMMITTED, .error = &error), &error);
    assert_rows(corm_first(trx, item, &found), 1, &error);
    beside("UPDATE item SET amount = 11");
    assert_rows(corm_first(trx, item, &found), 1, &error);
    assert_int_equal(found.amount, 11);
    corm_end(trx);
    assert_ok(corm_begin(db, &trx, .isolation = CORM_REPEATABLE_READ, .error = &error), &error);
    assert_rows(corm_first(trx, item, &found), 1, &error);
    beside("UPDATE item SET amount = 12");
    assert_rows(corm_first(trx, item, &found), 1, &error);
    assert_int_equal(found.amount, 11);
    if (number_beside("SELECT COUNT(*) FROM information_schema.system_variables WHERE "
                      "variable_name = 'innodb_snapshot_isolation'") == 1) {
        assert_code(corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.amount, 5)),
                    CORM_CONFLICT, &error);
        assert_int_equal(corm_commit(trx), CORM_CONFLICT);
    }
    corm_end(trx);
    assert_ok(corm_begin(db, &trx, .isolation = CORM_SERIALIZABLE, .error = &error), &error);
    assert_rows(corm_first(trx, item, &found), 1, &error);
    struct corm_trx *other = begin(db, &error); /* a plain read has locked it */
    assert_int_equal(corm_first(other, item, &found, .lock = CORM_FOR_UPDATE, .nowait = true),
                     CORM_LOCKED);
    corm_end(other);
    corm_end(trx);
    assert_int_equal(amount_of(1), 12);
    corm_close(db);
}

/* A statement that ends the transaction behind corm's back is found out, by itself or by the
 * next. */
static void check_lost(struct corm_db *db, const char *text)
{
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);
    struct item       found;

    assert_rows(corm_insert_row(trx, item, &((struct item){40, 1})), 1, &error);
    assert_rows(corm_first(trx, item, &found, .where = corm_eq(item.id, 40)), 1, &error);
    int rc = corm_sql(trx, NULL, text);
    if (rc >= 0)
        rc = corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.amount, 99));
    assert_code(rc, CORM_TRX_LOST, &error);
    assert_int_equal(corm_insert_row(trx, item, &((struct item){41, 1})), CORM_TRX_LOST);
    assert_int_equal(corm_commit(trx), CORM_TRX_LOST);
    corm_end(trx);
    assert_int_equal(amount_of(41), -1);
    assert_int_equal(amount_of(1), 10);
    error = (struct corm_error){0};
    assert_ok(corm_delete(db, item, corm_gt(item.id, 1), .error = &error), &error);
}

static void mariadb_transactions_that_end_behind_our_back_are_noticed(void **state)
{
    struct corm_db *db = open_items("pool=1", 1);

    (void)state;
    beside("CREATE PROCEDURE commits() COMMIT");
    beside("CREATE PROCEDURE rolls_back() ROLLBACK");
    check_lost(db, "CREATE TABLE side (a INT)");
    check_lost(db, "ALTER TABLE side ADD b INT");
    check_lost(db, "TRUNCATE side");
    check_lost(db, "CALL commits()");
    check_lost(db, "CALL rolls_back()");
    check_lost(db, "DROP TABLE side");
    check_lost(db, "SET autocommit = 1");
    corm_close(db);
}

/* Also DDL that fails has committed what was in front of it: the error must not say that nothing of
 * the transaction is in the database. */
static void mariadb_ddl_that_fails_loses_the_transaction_as_well(void **state)
{
    struct corm_db   *db = open_items("pool=1", 1);
    struct corm_error error;
    struct corm_trx  *trx = begin(db, &error);

    (void)state;
    assert_rows(corm_insert_row(trx, item, &((struct item){40, 1})), 1, &error);
    assert_rows(corm_count(trx, item), 2, &error);
    int rc = corm_sql(trx, NULL, "CREATE TABLE item (a INT)");
    assert_true(rc < 0);
    rc = corm_commit(trx);
    corm_end(trx);
    if (amount_of(40) == 1)
        assert_code(rc, CORM_TRX_LOST, &error);
    corm_close(db);
}

/* What a text leaves in a session does not reach the next transaction. */
static void mariadb_sessions_that_a_text_has_changed_are_not_used_again(void **state)
{
    struct corm_db   *db = open_items("pool=1", 1);
    struct corm_error error;
    struct corm_rows  rows;
    struct corm_trx  *trx = begin(db, &error);

    (void)state;
    assert_ok(corm_sql(trx, NULL, "SET @left = 7, SESSION sql_mode = '', time_zone = '+05:00'"),
              &error);
    assert_rows(corm_commit(trx), 0, &error);
    assert_rows(corm_start(trx), 0, &error);
    assert_rows(corm_sql(trx, &rows, "SELECT @left, @@time_zone, @@sql_mode = ''"), 1, &error);
    assert_int_equal(rows.values[0].kind, CORM_V_NULL);
    assert_string_equal(rows.values[1].as.s, "+00:00");
    assert_int_equal(rows.values[2].as.i, 0);
    corm_end(trx);
    corm_close(db);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest both[] = {
        cmocka_unit_test(a_commit_keeps_what_was_written),
        cmocka_unit_test(a_rollback_leaves_nothing),
        cmocka_unit_test(the_end_of_an_open_transaction_rolls_back),
        cmocka_unit_test(a_transaction_can_be_started_again),
        cmocka_unit_test(a_transaction_that_is_open_cannot_be_started),
        cmocka_unit_test(a_transaction_that_is_over_says_so),
        cmocka_unit_test(a_failed_write_dooms_all_that_follows),
        cmocka_unit_test(a_failed_read_and_a_misuse_doom_as_well),
        cmocka_unit_test(a_buffered_write_that_fails_is_named),
        cmocka_unit_test(a_buffered_write_that_fails_when_the_buffer_is_full_is_named),
        cmocka_unit_test(a_read_that_fails_behind_buffered_writes_is_named),
        cmocka_unit_test(a_commit_that_fails_leaves_nothing),
        cmocka_unit_test(a_function_returns_its_value_once_it_is_committed),
        cmocka_unit_test(a_function_that_forgets_to_look_cannot_commit),
        cmocka_unit_test(a_function_can_refuse),
        cmocka_unit_test(a_refusal_with_a_code_of_corm_is_a_misuse),
        cmocka_unit_test(a_negative_value_of_a_function_rolls_back),
        cmocka_unit_test(a_function_cannot_end_its_transaction_itself),
        cmocka_unit_test(a_generated_key_is_told_when_the_function_is_committed),
        cmocka_unit_test(a_lock_that_is_not_had_is_an_answer),
        cmocka_unit_test(the_error_of_a_call_says_that_it_is_locked),
        cmocka_unit_test(a_function_can_return_that_it_is_locked),
        cmocka_unit_test(a_locked_row_is_waited_for_as_long_as_asked),
        cmocka_unit_test(a_lock_is_had_when_the_holder_commits),
        cmocka_unit_test(a_lock_outside_a_transaction_is_refused),
        cmocka_unit_test(options_of_locks_that_make_no_sense_are_refused),
        cmocka_unit_test(a_read_only_transaction_refuses_writes_and_locks),
        cmocka_unit_test(a_read_only_transaction_is_one_snapshot),
        cmocka_unit_test(a_read_only_function_leaves_no_trace),
        cmocka_unit_test(an_isolation_that_does_not_exist_is_refused),
        cmocka_unit_test(an_empty_transaction_sends_nothing),
        cmocka_unit_test(a_purchase_takes_two_round_trips),
        cmocka_unit_test(a_purchase_in_the_long_form_takes_two_round_trips),
        cmocka_unit_test(a_read_takes_what_is_buffered_along),
        cmocka_unit_test(a_read_sees_what_is_buffered_in_front_of_it),
        cmocka_unit_test(writes_take_effect_in_the_order_of_the_program),
        cmocka_unit_test(any_number_of_writes_can_be_buffered),
        cmocka_unit_test(any_number_of_bytes_can_be_buffered),
        cmocka_unit_test(a_write_to_a_held_row_waits_and_others_do_not),
        cmocka_unit_test(a_shared_row_is_not_held),
        cmocka_unit_test(a_held_row_that_is_deleted_is_not_there_any_more),
        cmocka_unit_test(a_held_row_whose_key_changes_is_another_one),
        cmocka_unit_test(a_row_of_another_table_is_not_held),
        cmocka_unit_test(a_row_that_a_trigger_removes_is_not_held),
        cmocka_unit_test(two_models_of_a_table_hold_the_same_rows),
        cmocka_unit_test(a_key_of_two_columns_is_held_by_both),
        cmocka_unit_test(nothing_is_held_in_the_next_transaction),
        cmocka_unit_test(a_key_is_locked_with_the_first_statement),
        cmocka_unit_test(a_key_alone_sends_nothing),
        cmocka_unit_test(a_write_behind_a_key_waits_for_it),
        cmocka_unit_test(keys_of_all_kinds_are_locked),
        cmocka_unit_test(keys_are_locked_in_one_order),
        cmocka_unit_test(a_key_that_is_none_is_refused),
        cmocka_unit_test(a_deadlock_is_run_again),
        cmocka_unit_test(a_function_that_commits_in_the_end_leaves_the_error_alone),
        cmocka_unit_test(an_unlocked_read_loses_no_update),
        cmocka_unit_test(each_attempt_begins_afresh),
        cmocka_unit_test(a_deadline_ends_the_wait_for_a_lock),
        cmocka_unit_test(a_deadline_ends_the_wait_for_a_connection),
        cmocka_unit_test(nothing_is_sent_after_the_deadline),
        cmocka_unit_test(texts_that_end_a_transaction_are_refused),
        cmocka_unit_test(a_function_takes_only_texts_that_read_or_write_rows),
    };
    static const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(sqlite_locks_the_file),
        cmocka_unit_test(sqlite_rolls_back_ddl),
    };
    static const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(updates_are_lost_only_where_that_was_asked_for),
        cmocka_unit_test(mariadb_passes_over_locked_rows),
        cmocka_unit_test(mariadb_lets_rows_be_shared),
        cmocka_unit_test(mariadb_runs_at_the_isolation_asked_for),
        cmocka_unit_test(mariadb_levels_of_isolation_differ),
        cmocka_unit_test(mariadb_transactions_that_end_behind_our_back_are_noticed),
        cmocka_unit_test(mariadb_ddl_that_fails_loses_the_transaction_as_well),
        cmocka_unit_test(mariadb_sessions_that_a_text_has_changed_are_not_used_again),
    };

    support_begin(argc, argv);
    int failed = run_group(both, COUNT(both), sqlite, COUNT(sqlite), mariadb, COUNT(mariadb));
    support_end();
    return failed;
}
