/* corm_group: purchases submitted to corm's lanes, of which some are refused by their own function or by a
 * unique key, or whose groups lose deadlocks with a foreign program: what that costs the others.
 *
 * One thread keeps --in-flight purchases under way. Each writes an order with a number of its own, which is
 * unique. Of those that are to fail by it, the number is in the table before: each its own, so that
 * no two fail together. It ends with 0 only if every purchase came to what it had to come to, and the
 * tables agree with what was told.
 *
 * The foreign program is a thread with a connection of its own, by plain Connector/C. Now and then it locks the end of
 * the orders, where the next group has to insert, and then the products, which that group holds; because
 * it has written more than any group, the group is who loses. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "shop_corm.h"
#include "shop_mariadb.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const program = "corm_group";

enum { MAX_IN_FLIGHT = 100000, ROWS_AT_ONCE = 1000, MAX_ROUNDS = 100 };

struct options {
    const char   *url;
    int           in_flight;
    struct demand demand;
    int           refused_percent;
    int           duplicate_percent;
    int           deadlock_every; /* groups; 0: never */
    int           rounds;         /* 0: one run, without a clean one beside it */
};

/* What a purchase has to come to. */
enum fate { BUYS, IS_REFUSED, IS_DUPLICATE };

struct purchase {
    struct shop     *shop;
    enum fate        fate;
    int              index;
    int              user;
    struct wish      wish;
    int              runs; /* of its function */
    uint64_t         start_ns;
    struct purchase *next; /* while free */
};

struct shop {
    struct corm_db       *db;
    const struct options *opt;
    struct purchase      *all;
    struct purchase      *free;
    bool                  is_scarce; /* the stock is less than all may want */
    int                   under_way;
    int                   counts[3]; /* by fate: those that came to it */
    int64_t               pieces;
    int64_t               runs; /* of those that bought */
    int                   failed;
    uint64_t             *latency_ns;
};

/* ---- a purchase ------------------------------------------------------------------------ */

static enum fate fate_of(const struct options *opt, int index)
{
    int at = (int)(mix(opt->demand.seed + (uint64_t)index) % 100);

    if (at < opt->refused_percent)
        return IS_REFUSED;
    return at < opt->refused_percent + opt->duplicate_percent ? IS_DUPLICATE : BUYS;
}

static int buy(struct corm_trx *trx, void *arg)
{
    struct purchase *want = arg;
    struct product   p;
    int              rc;

    want->runs++; /* a measurement, which nothing depends on */
    rc = corm_first(trx, product, &p, .where = corm_eq(product.id, want->wish.product),
                    .lock = CORM_FOR_UPDATE);
    if (rc <= 0)
        return rc < 0 ? rc : corm_abort(trx, SOLD_OUT, "no product %d", want->wish.product);
    if (p.stock < want->wish.qty)
        return corm_abort(trx, SOLD_OUT, "%d left", p.stock);
    rc = corm_update(trx, product, corm_eq(product.id, want->wish.product),
                     corm_set(product.stock, p.stock - want->wish.qty));
    if (rc < 0)
        return rc;
    struct order row = {.user_id = want->user,
                        .product_id = want->wish.product,
                        .qty = want->wish.qty,
                        .number = want->index + 1};
    return corm_insert_row(trx, order, &row);
}

static void told(int rc, const struct corm_error *error, void *arg)
{
    static const int codes[] = {[IS_REFUSED] = SOLD_OUT, [IS_DUPLICATE] = CORM_DUPLICATE};
    struct purchase *want = arg;
    struct shop     *shop = want->shop;
    /* Whoever comes late to a stock that is not enough for all is refused, too. */
    enum fate came = rc == SOLD_OUT && shop->is_scarce ? IS_REFUSED : want->fate;
    bool      right = came == BUYS ? rc >= 0 : rc == codes[came];

    shop->under_way--;
    shop->latency_ns[want->index] = now_ns() - want->start_ns;
    if (right) {
        shop->counts[came]++;
    } else if (shop->failed++ == 0) {
        fprintf(stderr, "%s: purchase %d came to %d: %s\n", program, want->index, rc,
                error->message);
    }
    if (rc >= 0) {
        shop->pieces += want->wish.qty;
        shop->runs += want->runs;
    }
    want->next = shop->free;
    shop->free = want;
}

static void submit(struct shop *shop, int index, uint64_t *random)
{
    const struct options *opt = shop->opt;
    struct purchase      *want = shop->free;
    struct corm_error     error = {0};

    shop->free = want->next;
    want->index = index;
    want->fate = fate_of(opt, index);
    want->runs = 0;
    want->wish = wish_for(&opt->demand, random, index, opt->demand.purchases);
    if (want->fate == IS_REFUSED)
        want->wish.qty = INT32_MAX;
    want->start_ns = now_ns();
    if (corm_submit(shop->db, buy, want, .key = corm_eq(product.id, want->wish.product),
                    .done = told, .error = &error) < 0)
        die("corm_submit(): %s", error.message);
    shop->under_way++;
}

static void buy_all(struct shop *shop)
{
    struct pollfd ready = {.fd = corm_fd(shop->db), .events = POLLIN};
    uint64_t      random = mix(shop->opt->demand.seed) | 1;
    int           next = 0;

    while (next < shop->opt->demand.purchases || shop->under_way > 0) {
        while (next < shop->opt->demand.purchases && shop->free != NULL)
            submit(shop, next++, &random);
        if (corm_dispatch(shop->db) == 0)
            (void)poll(&ready, 1, -1);
    }
}

/* ---- the tables ------------------------------------------------------------------------ */

/* The numbers of those that shall fail by them. Their rows are no orders: no product, no pieces. */
static void add_numbers(struct corm_db *db, const struct options *opt)
{
    struct order     *rows = allocate(ROWS_AT_ONCE, sizeof *rows);
    struct corm_error error = {0};
    size_t            n = 0;

    for (int i = 0; i < opt->demand.purchases; i++) {
        if (fate_of(opt, i) == IS_DUPLICATE)
            rows[n++] = (struct order){.number = i + 1};
        if (n == ROWS_AT_ONCE || (n > 0 && i == opt->demand.purchases - 1)) {
            check(corm_insert_rows(db, order, n, rows, .error = &error), &error);
            n = 0;
        }
    }
    free(rows);
}

/* ---- the foreign program ---------------------------------------------------------------- */

struct foreign {
    pthread_t       thread;
    struct corm_db *db; /* whose groups it counts */
    const char     *url;
    int             every;
    atomic_bool     stop;
    int64_t         tries, lost; /* by itself */
    int64_t         deadlocks;   /* that groups have lost */
};

/* corm's options behind the address are not for it. */
static MYSQL *connect_foreign(const char *url)
{
    struct target target;
    char          address[SQL_SIZE];

    (void)snprintf(address, sizeof address, "%.*s", (int)strcspn(url, "?"), url);
    target = target_of(address);
    return connect_to(&target);
}

static void pause_us(long us)
{
    const struct timespec t = {.tv_nsec = us * 1000};

    (void)nanosleep(&t, NULL);
}

static int64_t count_deadlocks(MYSQL *db)
{
    MYSQL_RES *result;
    int64_t    count;

    run_or_die(db, "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'");
    result = mysql_store_result(db);
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    if (row == NULL || row[1] == NULL)
        die("the server does not count its deadlocks");
    count = strtoll(row[1], NULL, 10);
    mysql_free_result(result);
    return count;
}

/* Rows of its own, to change more of them than a group can. */
static void make_ballast(MYSQL *db)
{
    run_or_die(db, "CREATE OR REPLACE TABLE ballast (id INT AUTO_INCREMENT PRIMARY KEY, "
                   "n INT NOT NULL) ENGINE=InnoDB");
    run_or_die(db, "INSERT INTO ballast (n) VALUES (0)");
    for (int i = 0; i < 9; i++)
        run_or_die(db, "INSERT INTO ballast (n) SELECT 0 FROM ballast");
}

/* One try. */
static void meet(struct foreign *f, MYSQL *db)
{
    static const char products[] = "SELECT id FROM product FOR UPDATE";

    run_or_die(db, "BEGIN");
    run_or_die(db, "UPDATE ballast SET n = n + 1");
    run_or_die(db, "SELECT id FROM `order` WHERE number >= 2000000000 FOR UPDATE");
    mysql_free_result(mysql_store_result(db));
    pause_us(500); /* so that a group comes there meanwhile */
    f->tries++;
    if (mysql_real_query(db, products, sizeof products - 1) == 0)
        mysql_free_result(mysql_store_result(db));
    else if (mysql_errno(db) == DEADLOCK)
        f->lost++;
    else
        die("%s (while running: %s)", mysql_error(db), products);
    run_or_die(db, "COMMIT"); /* which is quicker than to undo it */
}

static uint64_t groups_of(const struct corm_db *db)
{
    struct corm_counters counters;

    corm_stats(db, &counters);
    return counters.groups;
}

static void *foreign_main(void *arg)
{
    struct foreign *f = arg;
    MYSQL          *db = connect_foreign(f->url);
    int64_t         before = count_deadlocks(db);
    uint64_t        next = groups_of(f->db) + (uint64_t)f->every;
    while (!f->stop) {
        if (groups_of(f->db) < next) {
            pause_us(100);
            continue;
        }
        meet(f, db);
        int64_t deadlocks = count_deadlocks(db) - before - f->lost;
        if (deadlocks > f->deadlocks)
            next += (uint64_t)f->every;
        f->deadlocks = deadlocks;
    }
    mysql_close(db);
    return NULL;
}

/* The tables that it needs are made before it starts. */
static void start_foreign(struct foreign *f)
{
    MYSQL *db = connect_foreign(f->url);

    make_ballast(db);
    mysql_close(db);
    if (pthread_create(&f->thread, NULL, foreign_main, f) != 0)
        die("no thread could be had");
}

static void stop_foreign(struct foreign *f)
{
    f->stop = true;
    (void)pthread_join(f->thread, NULL);
}

/* ---- all of them ----------------------------------------------------------------------- */

static struct totals run(struct shop *shop)
{
    const struct options *opt = shop->opt;
    struct totals         t = {0};
    uint64_t              start;

    shop->all = allocate((size_t)opt->in_flight, sizeof *shop->all);
    shop->latency_ns = allocate((size_t)opt->demand.purchases, sizeof *shop->latency_ns);
    for (int i = opt->in_flight; i-- > 0;) {
        shop->all[i] = (struct purchase){.shop = shop, .user = i + 1, .next = shop->free};
        shop->free = &shop->all[i];
    }
    start = now_ns();
    buy_all(shop);
    t.seconds = (double)(now_ns() - start) / 1e9;
    take_percentiles(&t, shop->latency_ns, (size_t)opt->demand.purchases);
    t.bought = shop->counts[BUYS];
    t.refused = shop->counts[IS_REFUSED] + shop->counts[IS_DUPLICATE];
    t.failed = shop->failed;
    t.pieces = shop->pieces;
    t.runs_mean = t.bought > 0 ? (double)shop->runs / t.bought : 0;
    free(shop->latency_ns);
    free(shop->all);
    return t;
}

struct race {
    struct totals totals;
    double        rate;
    double        group_size;
    double        trips;     /* a group */
    int64_t       deadlocks; /* that groups have lost */
};

static struct race race(const struct options *opt)
{
    struct corm_error    error = {0};
    struct shop          shop = {.opt = opt, .is_scarce = !enough_for_all(&opt->demand)};
    struct foreign       foreign = {.url = opt->url, .every = opt->deadlock_every};
    struct race          race = {.rate = 0};
    struct corm_counters counters[2];

    check(corm_open(&shop.db, opt->url, .error = &error), &error);
    make_tables(shop.db, &opt->demand);
    add_numbers(shop.db, opt);
    check(corm_connect_all(shop.db, &error), &error);
    struct ledger before = ledger_of(shop.db, opt->demand.stock);
    corm_stats(shop.db, &counters[0]);
    foreign.db = shop.db;
    if (opt->deadlock_every > 0)
        start_foreign(&foreign);
    race.totals = run(&shop);
    if (opt->deadlock_every > 0)
        stop_foreign(&foreign);
    corm_stats(shop.db, &counters[1]);
    struct ledger after = ledger_of(shop.db, opt->demand.stock);
    race.totals.invariant = ledger_agrees(&before, &after, &race.totals) && race.totals.failed == 0;
    corm_close(shop.db);
    race.rate = opt->demand.purchases / race.totals.seconds;
    race.group_size = (double)(counters[1].members - counters[0].members) /
                      (double)(counters[1].groups - counters[0].groups);
    race.trips = (double)(counters[1].round_trips - counters[0].round_trips) /
                 (double)(counters[1].groups - counters[0].groups);
    race.deadlocks = foreign.deadlocks;
    return race;
}

static int race_once(const struct options *opt)
{
    struct race r = race(opt);

    print_totals(
        &(struct asked){.how = "corm", .connections = opt->in_flight, .demand = &opt->demand},
        &r.totals);
    if (!opt->demand.json && opt->deadlock_every > 0)
        printf("deadlocks of groups   %lld\n", (long long)r.deadlocks);
    return r.totals.invariant ? 0 : 1;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct spread {
    double median, least, most;
};

static struct spread spread_of(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return (struct spread){.median = (values[(count - 1) / 2] + values[count / 2]) / 2,
                           .least = values[0],
                           .most = values[count - 1]};
}

static void print_spread(const char *name, int digits, struct spread s)
{
    printf("%-24s%.*f (%.*f to %.*f)\n", name, digits, s.median, digits, s.least, digits, s.most);
}

/* Clean and as asked for, one after the other, each round beginning with the other one. */
static int compare(const struct options *opt)
{
    struct options clean = *opt;
    double         rates[2][MAX_ROUNDS], ratios[MAX_ROUNDS], runs[MAX_ROUNDS], sizes[MAX_ROUNDS],
        trips[MAX_ROUNDS];
    int64_t refused = 0, deadlocks = 0;
    bool    invariant = true;

    clean.refused_percent = clean.duplicate_percent = clean.deadlock_every = 0;
    for (int i = 0; i < opt->rounds; i++) {
        for (int k = 0; k < 2; k++) {
            bool        troubled = (i + k) % 2 == 1;
            struct race r = race(troubled ? opt : &clean);
            rates[troubled][i] = r.rate;
            invariant = invariant && r.totals.invariant;
            if (!troubled)
                continue;
            runs[i] = r.totals.runs_mean;
            sizes[i] = r.group_size;
            trips[i] = r.trips;
            refused += r.totals.refused;
            deadlocks += r.deadlocks;
        }
        ratios[i] = rates[1][i] / rates[0][i];
    }
    struct spread ratio = spread_of(ratios, opt->rounds), mean = spread_of(runs, opt->rounds);
    struct spread rate = spread_of(rates[1], opt->rounds);
    struct spread clean_rate = spread_of(rates[0], opt->rounds);
    if (opt->demand.json) {
        printf("{\"how\":\"corm\",\"rounds\":%d,\"purchases\":%d,\"clean_per_second\":%.1f,"
               "\"purchases_per_second\":%.1f,\"ratio\":%.3f,\"ratio_least\":%.3f,"
               "\"ratio_most\":%.3f,\"runs_mean\":%.3f,\"group_size\":%.1f,\"refused\":%lld,"
               "\"deadlocks\":%lld,\"invariant\":%s}\n",
               opt->rounds, opt->demand.purchases, clean_rate.median, rate.median, ratio.median,
               ratio.least, ratio.most, mean.median, spread_of(sizes, opt->rounds).median,
               (long long)refused, (long long)deadlocks, invariant ? "true" : "false");
        return invariant ? 0 : 1;
    }
    print_spread("clean, a second", 0, clean_rate);
    print_spread("troubled, a second", 0, rate);
    print_spread("troubled to clean", 2, ratio);
    print_spread("runs of a good one", 2, mean);
    print_spread("members of a group", 1, spread_of(sizes, opt->rounds));
    print_spread("round trips of a group", 2, spread_of(trips, opt->rounds));
    printf("%-24s%lld\n%-24s%lld\n%-24s%s\n", "refused", (long long)refused, "deadlocks of groups",
           (long long)deadlocks, "invariant holds", invariant ? "true" : "false");
    return invariant ? 0 : 1;
}

/* ---- the command line ------------------------------------------------------------------ */

int main(int argc, char **argv)
{
    struct options    opt = {.in_flight = 500, .demand = usual_demand()};
    int               status;
    struct option_row rows[] = {
        {"url", "URL", "the database; how large groups are is said in it: ?group_max=64",
         .text = &opt.url},
        {"in-flight", "N", "purchases under way at once (500)", &opt.in_flight, 1, MAX_IN_FLIGHT,
         NULL, NULL},
        {"refused-percent", "P", "purchases that their function refuses (0)", &opt.refused_percent,
         0, 50, NULL, NULL},
        {"duplicate-percent", "P", "purchases that a unique key refuses (0)",
         &opt.duplicate_percent, 0, 50, NULL, NULL},
        {"deadlock-every", "N", "each Nth group loses a deadlock with a foreign program (0: none)",
         &opt.deadlock_every, 1, 1000000, NULL, NULL},
        {"rounds", "R", "R times, each beside a run without any of these three", &opt.rounds, 1,
         MAX_ROUNDS, NULL, NULL},
        {0},
    };

    read_options(argc, argv, "--url URL [options]", rows, &opt.demand);
    if (opt.url == NULL)
        die("--url is missing (--help tells more)");
    if (opt.deadlock_every > 0 && opt.duplicate_percent > 0)
        die("--deadlock-every wants the end of the orders free: leave --duplicate-percent out");
    status = opt.rounds > 0 ? compare(&opt) : race_once(&opt);
    if (fflush(stdout) != 0)
        die("cannot write the outcome");
    return status;
}
