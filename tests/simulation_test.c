/* simulation_test.c -- thousands of schedules before a server in memory whose links break (simulated.h):
 * what callers are told is what the database holds.
 *
 * A schedule is a few threads that buy from three items in all the ways that corm has, alone, in lanes and
 * by the long form, while requests are late, links are cut, sessions are killed and the server is
 * restarted, all by one seed. Every write of an item counts its `moves` up and leaves a row in `sale`
 * which says what it has seen there: so the rows of an item are its history, one behind the other. After
 * each schedule:
 *
 *   - what was told as done has its rows, once, as its function saw it; what was told as not done has
 *     none; what is unknown has all or none, and was left in doubt by the link
 *   - the history of each item has no hole and no fork, and its stock is what the history leaves
 *   - refusals and reads were of states that there were; what ended before another began came before it
 *   - a function does not run again after a COMMIT that may have been done
 *   - what would run again was only given up at the deadline, and nobody was told much later than that
 *   - where nothing goes wrong nobody waits for his deadline
 *   - no thread is stuck, no idle connection holds a lock, nothing on the server is left open
 *
 *     CORM_SIMULATION_SCHEDULES=N   how many, instead of some seconds' worth
 *     CORM_SIMULATION_SEED=N        the first seed, instead of a new one; alone: this one only
 *     CORM_SIMULATION_TRACE=1       every statement and fault, on stderr */
#include "scheduler.h"
#include "simulated.h"

#include <corm/corm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(stock, int)                                                                                  \
    X(moves, int)
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

#define SALE(X)                                                                                    \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(tag, int)                                                                                    \
    X(item_id, int)                                                                                \
    X(qty, int)                                                                                    \
    X(stock, int)                                                                                  \
    X(moves, int)
CORM_MODEL(sale, SALE);
CORM_DEFINE(sale, SALE);

#define COUPON(X)                                                                                  \
    X(code, int, .pk = 1)                                                                          \
    X(tag, int)                                                                                    \
    X(user, int)                                                                                   \
    X(note, varchar(20))
CORM_MODEL(coupon, COUPON);
CORM_DEFINE(coupon, COUPON);

enum { SOLD_OUT = CORM_USER, NOT_GIVEN, TOO_MUCH };

enum { ITEMS = 3, CLIENTS_MAX = 5, OPS_MAX = 40, SALES_MAX = 128, MS = 1000000 };

/* ---- What a client does -------------------------------------------------------------- */

enum kind { LOCKED, UNLOCKED, GUARDED, MOVED, GIVEN, USED, LOOKED, SINGLE, KINDS };

enum way { ALONE, LANE, SUBMITTED, LONG, WAYS };

/* One row of an item, as a function has seen it before its write. */
struct sight {
    int32_t item, qty, stock, moves;
    int64_t sale_id;
};

struct op {
    int32_t      tag;
    enum kind    kind;
    enum way     way;
    int32_t      item, other, qty, code;
    uint32_t     timeout_ms;
    struct sight sights[2];
    int          sight_count;
    struct sight looks[ITEMS];
    bool         has_coupon; /* its function has put it in */

    int  outcome; /* what corm_outcome() says later; CORM_NO_TICKET: it was not asked */
    int  runs;
    bool in_doubt; /* a COMMIT with it was lost */

    bool              told;
    int               rc;
    struct corm_error error;
    uint64_t          began_step, ended_step;
    int64_t           began, ended;
};

static struct {
    uint64_t        seed;
    struct corm_db *db;
    struct op       ops[OPS_MAX];
    int             op_count;
    int32_t         stock[ITEMS + 1]; /* in the beginning */
    int             clients, clients_left, ops_each;
    uint32_t        timeout_ms;
    bool            calm; /* nothing goes wrong */
} now;

static void wrong(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void wrong(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fflush(stdout);
    (void)fprintf(stderr, "seed %" PRIu64 ": ", now.seed);
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr,
                  "\nthe same again: CORM_SIMULATION_TRACE=1 CORM_SIMULATION_SEED=%" PRIu64 "\n",
                  now.seed);
    va_end(args);
    (void)fflush(stderr);
    _exit(1); /* other threads are in the middle of something */
}

static void stuck(const char *why)
{
    server_print();
    for (int i = 0; i < now.op_count; i++)
        if (!now.ops[i].told)
            (void)fprintf(stderr, "not told: %d\n", now.ops[i].tag);
    wrong("%s", why);
}

/* ---- Functions --------------------------------------------------------------------------- */

static struct sight *see(struct op *op, const struct item *row, int32_t qty)
{
    struct sight *s = &op->sights[op->sight_count++];

    *s = (struct sight){.item = row->id, .qty = qty, .stock = row->stock, .moves = row->moves};
    return s;
}

static int record(struct corm_trx *trx, struct op *op, struct sight *s)
{
    struct sale row = {
        .tag = op->tag, .item_id = s->item, .qty = s->qty, .stock = s->stock, .moves = s->moves};

    return corm_insert_row(trx, sale, &row, .id_later = &s->sale_id);
}

/* Reads, compares, writes. */
static int take(struct corm_trx *trx, struct op *op, int32_t id, int32_t qty, enum corm_lock lock)
{
    struct item row;
    int         rc = corm_first(trx, item, &row, .where = corm_eq(item.id, id), .lock = lock);

    if (rc < 0)
        return rc;
    if (rc == 0 || row.id != id)
        wrong("%d: item %d is not there", op->tag, id);
    struct sight *s = see(op, &row, qty);
    if (row.stock < qty)
        return corm_abort(trx, SOLD_OUT, "%d left", row.stock);
    rc = corm_update(trx, item, corm_eq(item.id, id), corm_set(item.stock, row.stock - qty),
                     corm_set(item.moves, row.moves + 1));
    if (rc < 0)
        return rc;
    if (rc != 1)
        wrong("%d: an update of a row that is there counts %d", op->tag, rc);
    return record(trx, op, s);
}

/* Writes where there is enough, then reads. */
static int guarded(struct corm_trx *trx, struct op *op)
{
    struct item row;
    int         count =
        corm_update(trx, item, corm_and(corm_eq(item.id, op->item), corm_ge(item.stock, op->qty)),
                    corm_add(item.stock, -op->qty), corm_add(item.moves, 1));

    if (count < 0)
        return count;
    int rc = corm_first(trx, item, &row, .where = corm_eq(item.id, op->item));
    if (rc < 0)
        return rc;
    if (count == 0) {
        (void)see(op, &row, op->qty);
        return corm_abort(trx, SOLD_OUT, "%d left", row.stock);
    }
    row.stock += op->qty;
    row.moves--;
    return record(trx, op, see(op, &row, op->qty));
}

/* From one item to another, or not after all. */
static int moved(struct corm_trx *trx, struct op *op)
{
    int rc = take(trx, op, op->item, op->qty, CORM_FOR_UPDATE);

    if (rc >= 0)
        rc = take(trx, op, op->other, -op->qty, CORM_FOR_UPDATE);
    if (rc >= 0 && op->code == 6)
        rc = corm_abort(trx, TOO_MUCH, "on second thoughts");
    return rc;
}

static int put_coupon(struct corm_trx *trx, void *arg)
{
    struct op *op = arg;

    return corm_insert_row(trx, coupon,
                           &(struct coupon){.code = op->code, .tag = op->tag, .note = "given"});
}

/* Writes more than it should, at once or buffered, and takes that back. */
static int overdo(struct corm_trx *trx, void *arg)
{
    const struct op *op = arg;
    int              rc;

    if (op->code == 2)
        rc = corm_update(trx, item, corm_eq(item.id, op->item), corm_add(item.stock, 1000));
    else
        rc = corm_insert_row(trx, sale,
                             &(struct sale){.tag = op->tag, .item_id = op->item, .qty = 1000});
    return rc < 0 ? rc : corm_abort(trx, TOO_MUCH, "this was too much");
}

/* A coupon that may not be there. */
static int used(struct corm_trx *trx, struct op *op)
{
    int rc = corm_update(trx, coupon, corm_eq(coupon.code, op->code),
                         corm_set(coupon.user, op->tag), corm_set(coupon.note, "taken"));

    return rc == 0 ? corm_abort(trx, NOT_GIVEN, "nobody has coupon %d", op->code) : rc;
}

/* A coupon for the first who asks, and a purchase for all. */
static int given(struct corm_trx *trx, struct op *op)
{
    int rc = corm_transact(trx, put_coupon, op);

    op->has_coupon = rc >= 0;
    if (rc < 0 && rc != CORM_DUPLICATE)
        return rc;
    if (op->code % 2 == 0) {
        rc = corm_transact(trx, overdo, op);
        if (rc != TOO_MUCH)
            return rc;
    }
    return take(trx, op, op->item, op->qty, CORM_FOR_UPDATE);
}

static int looked(struct corm_trx *trx, struct op *op)
{
    for (int32_t id = 1; id <= ITEMS; id++) {
        struct item row;
        int         rc = corm_first(trx, item, &row, .where = corm_eq(item.id, id));
        if (rc < 0)
            return rc;
        int64_t sales = corm_count(trx, sale, .where = corm_eq(sale.item_id, id));
        if (sales < 0)
            return (int)sales;
        op->looks[id - 1] =
            (struct sight){.item = id, .stock = row.stock, .moves = row.moves, .sale_id = sales};
    }
    return 0;
}

static int work(struct corm_trx *trx, struct op *op)
{
    switch (op->kind) {
    case LOCKED: return take(trx, op, op->item, op->qty, CORM_FOR_UPDATE);
    case UNLOCKED: return take(trx, op, op->item, op->qty, CORM_NO_LOCK);
    case GUARDED: return guarded(trx, op);
    case MOVED: return moved(trx, op);
    case GIVEN: return given(trx, op);
    case USED: return used(trx, op);
    default: return looked(trx, op);
    }
}

static int run(struct corm_trx *trx, void *arg)
{
    struct op *op = arg;

    if (op->told)
        wrong("%d runs after its outcome was told", op->tag);
    if (op->in_doubt && !simulated.has_ledger)
        wrong("%d runs again after a COMMIT that may have been done", op->tag);
    op->runs++;
    if (op->way == ALONE && corm_attempt(trx) != (uint32_t)op->runs)
        wrong("%d: attempt %u is run %d", op->tag, corm_attempt(trx), op->runs);
    op->sight_count = 0;
    op->has_coupon = false;
    return work(trx, op);
}

/* A link does not tell whether a COMMIT was done: whose? */
static void doubt(uint64_t marks)
{
    for (int i = 0; i < now.op_count; i++)
        now.ops[i].in_doubt = now.ops[i].in_doubt || (marks >> i & 1) != 0;
}

/* ---- Ways -------------------------------------------------------------------------------- */

static void tell(struct op *op, int rc)
{
    simulated_trace("%d is told %d after %d runs", op->tag, rc, op->runs);
    if (op->told)
        wrong("%d is told twice", op->tag);
    op->told = true;
    op->rc = rc;
    op->ended = scheduler_now();
    op->ended_step = scheduler_step();
}

static void on_done(int rc, const struct corm_error *error, void *arg)
{
    struct op *op = arg;

    op->error = *error;
    tell(op, rc);
}

static int by_hand(struct op *op)
{
    struct corm_trx *trx = NULL;
    int rc = corm_begin(now.db, &trx, .timeout_ms = op->timeout_ms, .error = &op->error,
                        .isolation = CORM_SERIALIZABLE, .key = corm_eq(item.id, op->item));

    if (rc < 0)
        return rc;
    rc = run(trx, op);
    if (rc >= 0) {
        int ended = corm_commit(trx);
        rc = ended < 0 ? ended : rc;
    } else {
        (void)corm_rollback(trx);
    }
    corm_end(trx);
    return rc;
}

static int alone(struct op *op)
{
    if (op->kind == LOOKED && op->code % 2 == 0)
        return corm_transact(now.db, run, op, .timeout_ms = op->timeout_ms, .error = &op->error,
                             .read_only = true);
    return corm_transact(now.db, run, op, .timeout_ms = op->timeout_ms, .error = &op->error);
}

/* One statement, without a transaction. */
static int put_single(struct op *op)
{
    int rc = corm_insert_row(now.db, coupon,
                             &(struct coupon){.code = op->code, .tag = op->tag, .note = "given"},
                             .error = &op->error);
    op->has_coupon = rc >= 0;
    return rc;
}

/* In a lane, by the key of its item, or of both; waits, or leaves it to corm_drain(). */
static void by_lane(struct op *op)
{
    const struct corm_expr keys[] = {corm_eq(item.id, op->item), corm_eq(item.id, op->other)};
    const struct corm_expr key = op->kind == MOVED ? corm_keys(keys[0], keys[1]) : keys[0];

    if (op->way == LANE) {
        tell(op, corm_transact(now.db, run, op, .key = key, .timeout_ms = op->timeout_ms,
                               .error = &op->error));
        return;
    }
    int64_t ticket =
        corm_submit(now.db, run, op, .key = key, .done = on_done, .timeout_ms = op->timeout_ms);
    if (ticket < 0)
        tell(op, (int)ticket);
    else if (op->code == 1)
        (void)corm_wait(now.db, ticket, NULL); /* or somebody else has */
}

static void perform(struct op *op)
{
    op->began = scheduler_now();
    op->began_step = scheduler_step();
    simulated_trace("%d begins: kind %d, way %d, item %d, %d pieces", op->tag, (int)op->kind,
                    (int)op->way, op->item, op->qty);
    if (op->kind == SINGLE)
        tell(op, put_single(op));
    else if (op->way == ALONE)
        tell(op, alone(op));
    else if (op->way == LONG)
        tell(op, by_hand(op));
    else
        by_lane(op);
}

static void client_main(void *arg)
{
    int  client = *(int *)arg;
    bool drains = false;

    for (int i = 0; i < now.ops_each; i++) {
        struct op *op = &now.ops[client * now.ops_each + i];
        perform(op);
        drains = drains || op->way == SUBMITTED;
        if (scheduler_random(8) == 0)
            scheduler_sleep(scheduler_now() + (int64_t)scheduler_random(5) * MS);
    }
    if (drains && corm_drain(now.db) < 0)
        wrong("corm_drain() fails");
    now.clients_left--;
    scheduler_wake(&now);
}

/* ---- One schedule --------------------------------------------------------------------------- */

static void plan_op(int i)
{
    struct op *op = &now.ops[i];

    *op = (struct op){.tag = SERVER_MARKS + i,
                      .kind = (enum kind)scheduler_random(KINDS),
                      .way = (enum way)scheduler_random(WAYS),
                      .item = 1 + (int32_t)scheduler_random(ITEMS),
                      .qty = 1 + (int32_t)scheduler_random(4),
                      .code = 1 + (int32_t)scheduler_random(6),
                      .timeout_ms = now.timeout_ms};
    op->other = 1 + op->item % ITEMS;
    if (scheduler_random(2) == 0) /* what is asked for most */
        op->kind = LOCKED;
    if (op->kind == SINGLE)
        op->way = ALONE;
}

static void plan_faults(void)
{
    static const unsigned rates[] = {0, 15, 40, 100};

    simulated.faults_in_1000 = rates[scheduler_random(4)];
    for (int i = 0; i < SIMULATED_FAULTS; i++)
        simulated.has[i] = scheduler_random(3) > 0;
}

static void fill_server(void)
{
    server_create(item.corm_table);
    server_create(sale.corm_table);
    server_create(coupon.corm_table);
    simulated.has_ledger = scheduler_random(4) > 0;
    simulated.ends_sessions = scheduler_random(2) == 0;
    if (simulated.has_ledger)
        server_create_ledger();
    for (int32_t id = 1; id <= ITEMS; id++) {
        now.stock[id] = (int32_t)scheduler_random(25);
        server_put("item", (struct corm_value[]){corm_v_int_(id), corm_v_int_(now.stock[id]),
                                                 corm_v_int_(0)});
    }
}

static void run_clients(void)
{
    static int numbers[CLIENTS_MAX] = {0, 1, 2, 3, 4};

    now.clients_left = now.clients;
    for (int i = 0; i < now.clients; i++)
        scheduler_spawn(client_main, &numbers[i]);
    while (now.clients_left > 0)
        (void)scheduler_wait(&now, INT64_MAX);
}

/* What nobody could answer then can be answered now. */
static void ask_outcomes(void)
{
    simulated.faults_in_1000 = 0;
    for (int i = 0; i < now.op_count; i++) {
        struct op *op = &now.ops[i];
        op->outcome = CORM_NO_TICKET;
        if (op->rc != CORM_UNKNOWN || op->error.outcome == 0)
            continue;
        for (int tries = 0; op->outcome < 0 && tries < 100; tries++) {
            op->outcome = corm_outcome(now.db, op->error.outcome, 120000, NULL);
            if (op->outcome == CORM_UNKNOWN) /* the server is down: it returns at once */
                scheduler_sleep(scheduler_now() + (int64_t)100 * MS);
        }
        simulated_trace("%d is asked for: %d", op->tag, op->outcome);
        if (op->outcome < 0)
            wrong("what became of %d is not told: %d", op->tag, op->outcome);
    }
}

static void check_all(void);

/* A number that two runs of a seed must share. */
static uint64_t run_schedule(uint64_t seed)
{
    static const uint32_t timeouts[] = {30000, 5000, 500};

    memset(&now, 0, sizeof(now));
    now.seed = seed;
    simulated.calls = 0;
    simulated.faults_in_1000 = 0;
    scheduler_begin(seed, stuck);
    server_begin();
    fill_server();
    now.timeout_ms = timeouts[scheduler_random(3)];
    now.clients = 1 + (int)scheduler_random(CLIENTS_MAX);
    now.ops_each = 1 + (int)scheduler_random(6);
    now.op_count = now.clients * now.ops_each;
    for (int i = 0; i < now.op_count; i++)
        plan_op(i);
    simulated.doubt = doubt;
    now.db = simulated_open(1 + (uint32_t)scheduler_random(4), 1 + (uint32_t)scheduler_random(2),
                            1 + (uint32_t)scheduler_random(6), now.timeout_ms);
    plan_faults();
    now.calm = simulated.faults_in_1000 == 0;
    if (!now.calm && scheduler_random(4) == 0)
        simulated_chaos(1 + (unsigned)scheduler_random(4));
    run_clients();
    ask_outcomes();
    if (simulated_held() > 0) {
        server_print();
        wrong("an idle connection holds locks");
    }
    simulated_close(now.db);
    check_all();
    uint64_t digest = scheduler_step() * 1000003 + simulated.calls * 10007 +
                      (uint64_t)scheduler_now() + scheduler_random(1 << 30);
    scheduler_end();
    server_end();
    return digest;
}

/* ---- What the database holds ------------------------------------------------------------------- */

struct history {
    struct sale sales[SALES_MAX];
    int         count;
    struct item items[ITEMS + 1];
    int32_t     stocks[ITEMS + 1][SALES_MAX + 1]; /* of an item, after so many moves */
    int         coupons[10], users[10];           /* by code: whose; 0: nobody's */
};

static int32_t value_of(const struct corm_value *v)
{
    return (int32_t)v->as.i;
}

static void add_sale(const struct corm_value *v, void *arg)
{
    struct history *h = arg;

    if (h->count == SALES_MAX)
        wrong("too many sales");
    h->sales[h->count++] = (struct sale){
        .id = value_of(&v[0]),
        .tag = value_of(&v[1]),
        .item_id = value_of(&v[2]),
        .qty = value_of(&v[3]),
        .stock = value_of(&v[4]),
        .moves = value_of(&v[5]),
    };
}

static void add_item(const struct corm_value *v, void *arg)
{
    struct history *h = arg;

    h->items[value_of(&v[0])] =
        (struct item){.id = value_of(&v[0]), .stock = value_of(&v[1]), .moves = value_of(&v[2])};
}

static void add_coupon(const struct corm_value *v, void *arg)
{
    struct history *h = arg;

    int code = value_of(&v[0]);

    h->users[code] = value_of(&v[2]);
    const char *note = h->users[code] != 0 ? "taken" : "given";
    if (v[3].kind != CORM_V_TEXT || v[3].size != strlen(note) ||
        memcmp(v[3].as.s, note, v[3].size) != 0)
        wrong("coupon %d has another note", code);
    h->coupons[code] = value_of(&v[1]);
}

static const struct sale *find_sale(const struct history *h, int32_t id, int32_t moves)
{
    const struct sale *found = NULL;

    for (int i = 0; i < h->count; i++)
        if (h->sales[i].item_id == id && h->sales[i].moves == moves) {
            if (found != NULL)
                wrong("item %d forks at %d: %d and %d", id, moves, found->tag, h->sales[i].tag);
            found = &h->sales[i];
        }
    return found;
}

static void check_history(struct history *h, int32_t id)
{
    int32_t stock = now.stock[id], moves = 0;
    int     rows = 0;

    for (const struct sale *s; (s = find_sale(h, id, moves)) != NULL; moves++) {
        if (s->stock != stock)
            wrong("%d has seen %d pieces of item %d, where %d were", s->tag, s->stock, id, stock);
        h->stocks[id][moves] = stock;
        stock -= s->qty;
        if (stock < 0)
            wrong("item %d is oversold by %d", id, s->tag);
    }
    h->stocks[id][moves] = stock;
    for (int i = 0; i < h->count; i++)
        rows += h->sales[i].item_id == id;
    if (rows != moves || h->items[id].moves != moves)
        wrong("item %d was moved %d times, has %d sales, %d in a row", id, h->items[id].moves, rows,
              moves);
    if (h->items[id].stock != stock)
        wrong("item %d has %d pieces, and %d by its sales", id, h->items[id].stock, stock);
}

/* ---- What was told --------------------------------------------------------------------------------- */

static int sales_of(const struct history *h, const struct op *op)
{
    int n = 0;

    for (int i = 0; i < h->count; i++)
        n += h->sales[i].tag == op->tag;
    return n;
}

static bool is_purchase(const struct op *op)
{
    return op->kind != LOOKED && op->kind != SINGLE && op->kind != USED;
}

static void check_sight(const struct history *h, const struct op *op, const struct sight *s)
{
    const struct sale *sold = find_sale(h, s->item, s->moves);

    if (sold == NULL || sold->tag != op->tag || sold->qty != s->qty || sold->stock != s->stock)
        wrong("%d was told %d and has no such sale of item %d at %d", op->tag, op->rc, s->item,
              s->moves);
    if (sold->id != s->sale_id)
        wrong("%d was told the key %" PRId64 " of sale %d", op->tag, s->sale_id, sold->id);
}

static void check_seen(const struct history *h, const struct op *op, const struct sight *s)
{
    if (s->moves < 0 || s->moves > h->items[s->item].moves ||
        h->stocks[s->item][s->moves] != s->stock)
        wrong("%d has seen %d pieces of item %d after %d moves: that never was", op->tag, s->stock,
              s->item, s->moves);
}

static void check_done(const struct history *h, const struct op *op)
{
    int expected = is_purchase(op) ? op->sight_count : 0;

    if (sales_of(h, op) != expected)
        wrong("%d was told %d and has %d sales", op->tag, op->rc, sales_of(h, op));
    for (int i = 0; i < expected; i++)
        check_sight(h, op, &op->sights[i]);
    for (int i = 0; op->kind == LOOKED && i < ITEMS; i++) {
        check_seen(h, op, &op->looks[i]);
        if (op->looks[i].sale_id != op->looks[i].moves)
            wrong("%d has seen %d moves and %" PRId64 " sales of item %d", op->tag,
                  op->looks[i].moves, op->looks[i].sale_id, i + 1);
    }
    if (op->kind == USED && h->users[op->code] == 0)
        wrong("%d has used coupon %d, which nobody has", op->tag, op->code);
    if (op->kind == GIVEN || op->kind == SINGLE) {
        if (op->has_coupon != (h->coupons[op->code] == op->tag))
            wrong("%d was told of coupon %d what is not so", op->tag, op->code);
        if (h->coupons[op->code] == 0)
            wrong("%d was told that coupon %d is given, and nobody has it", op->tag, op->code);
    }
}

static void check_not_done(const struct history *h, const struct op *op)
{
    if (sales_of(h, op) != 0)
        wrong("%d was told %d and has %d sales", op->tag, op->rc, sales_of(h, op));
    if (h->coupons[op->code] == op->tag || h->users[op->code] == op->tag)
        wrong("%d was told %d and has coupon %d", op->tag, op->rc, op->code);
    if (op->rc == SOLD_OUT) {
        const struct sight *s = &op->sights[op->sight_count - 1];
        check_seen(h, op, s);
        if (s->stock >= s->qty)
            wrong("%d was refused %d of %d pieces", op->tag, s->qty, s->stock);
    }
}

/* All or nothing. */
static void check_unknown(const struct history *h, const struct op *op)
{
    int sales = sales_of(h, op);

    /* What others in a group have overwritten in memory, or only read, leaves no mark in its COMMIT. */
    if (!op->in_doubt && op->kind != LOOKED && op->kind != USED)
        wrong("%d is unknown, and nothing was lost in its COMMIT", op->tag);
    if (simulated.has_ledger && op->error.outcome == 0)
        wrong("%d is unknown, and cannot be asked for", op->tag);
    if (op->outcome >= 0 && is_purchase(op) && (op->outcome > 0) != (sales > 0))
        wrong("the outcome of %d is told as %d, and it has %d sales", op->tag, op->outcome, sales);
    if (op->outcome >= 0 && op->kind == SINGLE &&
        (op->outcome > 0) != (h->coupons[op->code] == op->tag))
        wrong("the outcome of %d is told as %d, and coupon %d says no", op->tag, op->outcome,
              op->code);
    if (sales != 0 && sales != op->sight_count)
        wrong("%d is torn: %d of %d sales", op->tag, sales, op->sight_count);
    if (sales != 0 && op->kind == GIVEN && op->has_coupon != (h->coupons[op->code] == op->tag))
        wrong("%d is torn: its sale is there, its coupon %d is not", op->tag, op->code);
}

/* What a function runs again after, up to its deadline. */
static bool runs_again(int rc)
{
    return rc == CORM_DEADLOCK || rc == CORM_CONFLICT || rc == CORM_LOCK_TIMEOUT ||
           rc == CORM_DISCONNECTED || rc == CORM_UNREACHABLE || rc == CORM_TOO_MANY_CONNECTIONS;
}

static bool is_late_code(int rc)
{
    return rc == CORM_TIMEOUT || rc == CORM_DEADLINE;
}

/* Codes that come from nothing that a schedule does. */
static bool is_strange(const struct op *op)
{
    bool user = op->rc == SOLD_OUT || op->rc == NOT_GIVEN ||
                (op->rc == TOO_MUCH && op->kind == MOVED && op->code == 6);
    bool duplicate = op->rc == CORM_DUPLICATE && op->kind == SINGLE;

    return op->rc < 0 && !user && !duplicate && !runs_again(op->rc) && !is_late_code(op->rc) &&
           op->rc != CORM_UNKNOWN && op->rc != CORM_INTERRUPTED && op->rc != CORM_SERVER_ERROR &&
           !(op->way == LONG && op->rc == CORM_WOULD_BLOCK);
}

static void check_code(const struct op *op)
{
    int64_t took = op->ended - op->began, limit = (int64_t)op->timeout_ms * MS;
    bool    by_function = op->kind != SINGLE && op->way != LONG;

    if (!op->told)
        wrong("%d was never told", op->tag);
    if (is_strange(op))
        wrong("%d was told %s: %s", op->tag, corm_code_name(op->rc), op->error.message);
    if (((by_function && runs_again(op->rc)) || is_late_code(op->rc)) && took < limit)
        wrong("%d gave up with %s after %" PRId64 " of %u ms", op->tag, corm_code_name(op->rc),
              took / MS, op->timeout_ms);
    if (op->way != SUBMITTED && took > limit + (int64_t)(simulated.has_ledger ? 3000 : 1500) * MS)
        wrong("%d was told after %" PRId64 " ms, of %u", op->tag, took / MS, op->timeout_ms);
    if (now.calm && (is_late_code(op->rc) || took >= limit))
        wrong("%d waited for %" PRId64 " ms, and nothing went wrong", op->tag, took / MS);
    if (op->in_doubt && op->rc != CORM_UNKNOWN && !simulated.has_ledger)
        wrong("%d was told %d, where nobody can know", op->tag, op->rc);
}

/* What ended before another began came before it. */
static void check_order(const struct op *a, const struct op *b)
{
    if (a->ended_step >= b->began_step || a->rc < 0 || b->rc < 0)
        return;
    for (int i = 0; is_purchase(a) && i < a->sight_count; i++) {
        const struct sight *s = &a->sights[i];
        for (int k = 0; is_purchase(b) && k < b->sight_count; k++)
            if (b->sights[k].item == s->item && b->sights[k].moves <= s->moves)
                wrong("%d was done when %d began, and comes behind it", a->tag, b->tag);
        if (b->kind == LOOKED && b->looks[s->item - 1].moves <= s->moves)
            wrong("%d was done when %d began to look, and was not seen", a->tag, b->tag);
    }
}

/* A look sees both ends of a move, or neither. */
static void check_look(const struct history *h, const struct op *op)
{
    for (int i = 0; i < h->count; i++)
        for (int k = 0; k < h->count; k++) {
            const struct sale *a = &h->sales[i], *b = &h->sales[k];
            bool               seen_a = a->moves < op->looks[a->item_id - 1].moves;
            bool               seen_b = b->moves < op->looks[b->item_id - 1].moves;
            if (a->tag == b->tag && seen_a != seen_b)
                wrong("%d has seen one half of %d", op->tag, a->tag);
        }
}

static void check_op(const struct history *h, const struct op *op)
{
    check_code(op);
    if (op->rc >= 0)
        check_done(h, op);
    else if (op->rc == CORM_UNKNOWN)
        check_unknown(h, op);
    else
        check_not_done(h, op);
    if (op->rc >= 0 && op->kind == LOOKED)
        check_look(h, op);
}

static void check_all(void)
{
    static struct history h;

    memset(&h, 0, sizeof(h));
    if (server_held(NULL) > 0)
        server_print(), wrong("the server holds locks or changes of nobody");
    server_each("item", add_item, &h);
    server_each("sale", add_sale, &h);
    server_each("coupon", add_coupon, &h);
    for (int32_t id = 1; id <= ITEMS; id++)
        check_history(&h, id);
    for (int i = 0; i < now.op_count; i++)
        check_op(&h, &now.ops[i]);
    for (int i = 0; i < now.op_count; i++)
        for (int k = 0; k < now.op_count; k++)
            check_order(&now.ops[i], &now.ops[k]);
}

/* ---- The tests --------------------------------------------------------------------------------------- */

static uint64_t first_seed;

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t number_from(const char *name)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static void the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t once = run_schedule(first_seed + i), again = run_schedule(first_seed + i);
        if (once != again)
            wrong("it runs in another way the second time");
    }
}

static void no_schedule_ends_in_a_lie(void **state)
{
    enum { SECONDS = 5 };
    uint64_t wanted = number_from("CORM_SIMULATION_SCHEDULES"), n = 0, outcomes[4] = {0};
    double   began = seconds();

    (void)state;
    if (wanted == 0 && getenv("CORM_SIMULATION_SEED") != NULL)
        wanted = 1;
    for (; wanted > 0 ? n < wanted : seconds() - began < SECONDS; n++) {
        run_schedule(first_seed + n);
        for (int i = 0; i < now.op_count; i++) {
            int rc = now.ops[i].rc;
            outcomes[rc >= 0 ? 0 : rc == SOLD_OUT ? 1 : rc == CORM_UNKNOWN ? 2 : 3]++;
        }
    }
    double took = seconds() - began;
    printf("# %" PRIu64 " schedules in %.1f s, %.0f a second: %" PRIu64 " done, %" PRIu64
           " refused, %" PRIu64 " unknown, %" PRIu64 " failed\n",
           n, took, (double)n / took, outcomes[0], outcomes[1], outcomes[2], outcomes[3]);
    for (int i = 0; i < SIMULATED_FAULTS; i++)
        printf("# %8" PRIu64 " %s\n", simulated.count[i], simulated_fault_names[i]);
    printf("# %8" PRIu64 " deadlocks and %" PRIu64 " lock waits that nobody planned\n",
           simulated.natural_deadlocks, simulated.waits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_run),
        cmocka_unit_test(no_schedule_ends_in_a_lie),
    };

    first_seed = number_from("CORM_SIMULATION_SEED");
    if (first_seed == 0)
        first_seed = (uint64_t)time(NULL) * 1000000 + (uint64_t)getpid() * 1000000000000;
    simulated.traces = getenv("CORM_SIMULATION_TRACE") != NULL;
    printf("# CORM_SIMULATION_SEED=%" PRIu64 "\n", first_seed);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scheduler_close();
    return failed;
}
