/* exactly_once_test.c -- the link breaks at every byte, and what was told is what is there.
 *
 * A *case* is one run of a shape (tests/purchases.h) on a connection of its own, through a proxy, with one
 * fault at one byte of one way. A dry run counts the bytes. When corm has answered, the link is cut for
 * good, the sessions behind it have ended, and the books are read beside: what each purchase was told is
 * held against its rows, and the stock against all of them.
 *
 *     armed ── shape runs, the fault strikes ──► answered ── what was held is let go ──► settled ── judged
 *
 * Each worker has a proxy, a user of the server (so its sessions can be told apart), products of its
 * own, two handles (one for faults that only a deadline ends) and one connection beside.
 *
 * corm ends the session of a link that it lost where it may, so that what comes late finds none. In LATE it is
 * made to believe that it may not: then the ledger alone stands against what comes late.
 *
 *     CORM_EXHAUSTIVE=1     every byte; else a sample of SAMPLE cases, and 40 seconds at most
 *     CORM_SEED=N           the seed of the sample and of the order, instead of a new one
 *     CORM_WORKERS=N        how many cases at once
 *
 * Built with CONTROL, the library has a known fault, and the test is that the harness finds it. */
#include "faults.h"
#include "purchases.h"

#if HAS_LEDGER
#include "pool/connection.h"
#endif

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum way { UP, DOWN, WAYS };

enum fault {
    CLOSE,
    RESET,
    BLACK_HOLE,
    HELD_KILL, /* held there, then KILL of the session, then closed */
    LATE,      /* held there, and delivered once corm has answered */
    FAULTS
};

static const char *const fault_names[FAULTS] = {"close", "reset", "black hole", "held, KILL",
                                                "late"};

enum {
    WORKERS_MAX = 64,
    WORKERS = 32, /* most of them wait for deadlines */
    SAMPLE = 1500,
    SAMPLE_MS = 40000,
    EXHAUSTIVE_MS = 2 * 3600 * 1000, /* at most */
    CONTROL_MS = 60000,
    LONG_MS = 20000,
    SHORT_MS = 150,   /* the deadline under faults that only a deadline ends */
    LATER_MS = 20000, /* how long corm_outcome() may take */
    GONE_MS = 70000,  /* longer than a lock is waited for: how long sessions may take to end */
    STOCK = 1000000000,
    SHOWN_MAX = 20,
};

/* On a machine that is busy with all of this a second may be short. */
#if HAS_LEDGER
#define RESOLVE "&resolve_ms=10000"
#else
#define RESOLVE ""
#endif

struct point {
    uint8_t  shape, warm, way, fault;
    uint32_t offset;
};

struct tally {
    uint64_t cases, met; /* met: the fault's byte was reached */
    uint64_t verdicts[VERDICTS];
};

struct times {
    int64_t *ns;
    size_t   count, room;
};

struct worker {
    int             me;
    struct proxy   *proxy;
    struct corm_db *db, *hasty;
    MYSQL          *books;
    struct buyer    buyer;
    int32_t         stock[PRODUCTS];

    /* Of the case at hand. */
    struct point    point;
    unsigned        connection;
    struct wire     wire; /* when it began */
    _Atomic int64_t lost_ns;
    _Atomic bool    answered;
    pthread_t       killer;
    bool            has_killer;

    uint64_t     bytes[WAYS]; /* of a dry run */
    struct tally tallies[SHAPES][FAULTS];
    /* From detection to answer: of a link that broke, of one that fell silent. */
    struct times live, silent;
    int64_t      slowest_ms; /* of a case ... */
    struct point slowest;    /* ... which was this one */
};

static struct point    *points;
static size_t           point_count, point_room;
static _Atomic size_t   next_point;
static _Atomic int64_t  next_mark = 1;
static _Atomic uint64_t wrong_count;
static int64_t          stop_ms;
static uint64_t         seed;
static bool             found_is_enough, again_after_unknown;

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void nap(void)
{
    struct timespec pause = {.tv_nsec = 1000000};

    (void)nanosleep(&pause, NULL);
}

static void die(const char *what, const struct worker *w)
{
    (void)fprintf(stderr,
                  "# cannot go on: %s (worker %d, %s, %s, way %d, byte %u, seed %" PRIu64 ")\n",
                  what, w->me, shape_name(w->point.shape), fault_names[w->point.fault],
                  w->point.way, w->point.offset, seed);
    abort();
}

static bool is_exhaustive(void)
{
    return getenv("CORM_EXHAUSTIVE") != NULL;
}

/* ---- A worker ------------------------------------------------------------------- */

static void note_loss(const struct corm_event *event, void *arg)
{
    struct worker *w = arg;
    int64_t        none = 0;

    if (event->code <= CORM_DISCONNECTED && event->code > CORM_USER_LAST)
        (void)atomic_compare_exchange_strong(&w->lost_ns, &none, now_ns());
}

static struct corm_db *open_handle(struct worker *w, uint32_t timeout_ms)
{
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    char              user[32], options[96];
    int               rc = -1;

    (void)snprintf(user, sizeof(user), "buyer%d", w->me);
    (void)snprintf(options, sizeof(options), "pool=1&lanes=1&timeout_ms=%u" RESOLVE, timeout_ms);
    for (int64_t end = now_ms() + GONE_MS; rc < 0; nap()) {
        rc = corm_open(&db, server_url(user, "secret", proxy_port(w->proxy), NULL, options),
                       .on_statement = note_loss, .on_statement_arg = w, .error = &error);
        if (now_ms() >= end)
            assert_ok(rc, &error);
    }
    return db;
}

static long long sessions_of(struct worker *w, unsigned port)
{
    if (port != 0)
        return ask_books(w->books,
                         "SELECT COUNT(*) FROM information_schema.processlist WHERE host = "
                         "'127.0.0.1:%u'",
                         port);
    return ask_books(w->books,
                     "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'buyer%d'",
                     w->me);
}

/* False where they have not ended in time. To ask costs the server a millisecond, so give them some. */
static bool sessions_end(struct worker *w, unsigned port, int64_t ms)
{
    int64_t pause_ns = 2000000, end = now_ms() + ms;

    for (;; pause_ns *= 2) {
        struct timespec pause = {.tv_nsec = pause_ns < 100000000 ? pause_ns : 100000000};
        (void)nanosleep(&pause, NULL);
        if (sessions_of(w, port) == 0)
            return true;
        if (now_ms() >= end)
            return false;
    }
}

static void show_sessions(struct worker *w)
{
    MYSQL_RES *rows = NULL;
    MYSQL_ROW  row;

    if (mysql_query(w->books, "SHOW FULL PROCESSLIST") == 0)
        rows = mysql_store_result(w->books);
    while (rows != NULL && (row = mysql_fetch_row(rows)) != NULL)
        (void)fprintf(stderr, "# session %s of %s at %s: %s for %s s, %s: %.60s\n", row[0], row[1],
                      row[2], row[4], row[5], row[6] != NULL ? row[6] : "-",
                      row[7] != NULL ? row[7] : "-");
    mysql_free_result(rows);
}

/* Nothing is under way any more: all links are cut and their sessions have ended. */
static void settle(struct worker *w)
{
    tell_proxy(w->proxy, "cut");
    if (!sessions_end(w, 0, GONE_MS)) {
        show_sessions(w);
        die("sessions stay after their links were cut", w);
    }
    tell_proxy(w->proxy, "pass");
}

/* A new connection; what was cut may be noticed only now. */
static void connect_anew(struct worker *w)
{
    struct corm_error error = {0};

    for (int64_t end = now_ms() + GONE_MS;
         corm_exists(w->buyer.db, product, .where = corm_eq(product.id, -1), .error = &error) < 0;
         nap())
        if (now_ms() >= end)
            die(error.message, w);
    w->connection = proxy_connections(w->proxy);
}

/* A handle asks once what a group must know of its tables. */
static void learn_tables(struct worker *w, struct corm_db *db)
{
    struct told told[MARKS_MAX];

    w->point.shape = GROUP;
    w->buyer = (struct buyer){.db = db, .first_product = w->me * PRODUCTS, .timeout_ms = LONG_MS};
    connect_anew(w);
    int64_t mark = atomic_fetch_add(&next_mark, MARKS_MAX);
    buy(&w->buyer, GROUP, mark, told);
    settle(w);
    struct page page = read_page(w->books, mark, GROUP_SIZE, w->buyer.first_product, w->stock);
    if (page.torn || page.rows[0] != 1)
        die("a group failed without a fault", w);
}

static void begin_worker(struct worker *w, int me)
{
    *w = (struct worker){.me = me};
    w->proxy = start_proxy();
    w->books = open_books();
    (void)ask_books(w->books, "CREATE OR REPLACE USER buyer%d@'127.0.0.1' IDENTIFIED BY 'secret'",
                    me);
    (void)ask_books(w->books, "GRANT ALL ON *.* TO buyer%d@'127.0.0.1'", me);
    w->db = open_handle(w, LONG_MS);
    w->hasty = open_handle(w, SHORT_MS);
    for (int i = 0; i < PRODUCTS; i++)
        w->stock[i] = (int32_t)ask_books(w->books, "SELECT stock FROM product WHERE id = %d",
                                         me * PRODUCTS + i);
    settle(w);
    learn_tables(w, w->db);
    learn_tables(w, w->hasty);
    w->buyer.again_after_unknown = again_after_unknown;
}

static void end_worker(struct worker *w)
{
    corm_close(w->db);
    corm_close(w->hasty);
    mysql_close(w->books);
    stop_proxy(w->proxy);
    free(w->live.ns);
    free(w->silent.ns);
}

#if HAS_LEDGER

/* The port of a worker's session that may not be ended, or 0. */
static _Atomic unsigned spared[WORKERS_MAX];

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __real_corm__connection_end_session(struct corm__connection    *connection,
                                        const struct corm__session *session, int64_t deadline,
                                        struct corm_error *error);
int __wrap_corm__connection_end_session(struct corm__connection    *connection,
                                        const struct corm__session *session, int64_t deadline,
                                        struct corm_error *error);

int __wrap_corm__connection_end_session(struct corm__connection    *connection,
                                        const struct corm__session *session, int64_t deadline,
                                        struct corm_error *error)
{
    const char *colon = strrchr(session->host, ':');
    unsigned    port = colon != NULL ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;

    for (size_t i = 0; port != 0 && i < WORKERS_MAX; i++)
        if (atomic_load(&spared[i]) == port)
            return 0;
    return __real_corm__connection_end_session(connection, session, deadline, error);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void spare_session(const struct worker *w, unsigned port)
{
    atomic_store(&spared[w->me], port);
}

#else

static void spare_session(const struct worker *w, unsigned port)
{
    (void)w, (void)port;
}

#endif

/* ---- The fault ------------------------------------------------------------------- */

/* Ends the session once what it was to receive, or has said, is held. */
static void *kill_session(void *arg)
{
    struct worker *w = arg;
    struct wire    wire;
    MYSQL         *books = open_books();
    long long      id, ignored;

    while (!atomic_load(&w->answered) && proxy_wire(w->proxy, w->connection, &wire)) {
        if ((w->point.way == UP ? wire.up_waiting : wire.down_waiting) == 0) {
            nap();
            continue;
        }
        id = ask_books(books,
                       "SELECT id FROM information_schema.processlist WHERE host = '127.0.0.1:%u'",
                       w->wire.port);
        (void)try_books(books, &ignored, "KILL %lld", id); /* it may have ended by itself */
        (void)try_proxy(w->proxy, "cut on %u", w->connection);
        break;
    }
    mysql_close(books);
    return NULL;
}

static void arm(void *arg)
{
    static const char *const words[FAULTS] = {"cut", "reset", "swallow", "hold", "hold"};

    struct worker *w = arg;

    if (!proxy_wire(w->proxy, w->connection, &w->wire))
        die("the connection at work is over", w);
    if (w->point.fault == FAULTS)
        return;
    spare_session(w, w->point.fault == LATE ? w->wire.port : 0);
    tell_proxy(w->proxy, "%s %s after %u on %u", words[w->point.fault],
               w->point.way == UP ? "up" : "down", w->point.offset, w->connection);
    if (w->point.fault != HELD_KILL)
        return;
    if (pthread_create(&w->killer, NULL, kill_session, w) != 0)
        die("no thread", w);
    w->has_killer = true;
}

/* Whether the fault's byte was reached; what is held is delivered, and has had its effect. */
static bool let_go(struct worker *w)
{
    struct wire wire;

    if (w->has_killer)
        (void)pthread_join(w->killer, NULL);
    w->has_killer = false;
    if (!proxy_wire(w->proxy, w->connection, &wire))
        return true;
    uint64_t waiting = w->point.way == UP ? wire.up_waiting : wire.down_waiting;
    if (w->point.fault == LATE && waiting > 0 && try_proxy(w->proxy, "pass on %u", w->connection))
        (void)sessions_end(w, w->wire.port, 3000); /* else it still waits: that will be cut */
    return w->point.way == UP ? wire.up >= w->wire.up + w->point.offset
                              : wire.down >= w->wire.down + w->point.offset;
}

/* ---- A case ----------------------------------------------------------------------- */

static void take_time(struct times *times, int64_t ns)
{
    if (times->count == times->room) {
        times->room = times->room * 2 + 256;
        times->ns = realloc(times->ns, times->room * sizeof(*times->ns));
        if (times->ns == NULL)
            abort();
    }
    times->ns[times->count++] = ns;
}

static void show_wrong(const struct worker *w, const struct told *told, int rows, bool torn)
{
    if (atomic_fetch_add(&wrong_count, 1) >= SHOWN_MAX || found_is_enough)
        return;
    (void)printf(
        "# WRONG: %s, %s, %s, %s byte %u: told %s (%d), %d rows of %d%s; seed %" PRIu64 "\n",
        shape_name(w->point.shape), w->point.warm ? "warm" : "cold", fault_names[w->point.fault],
        w->point.way == UP ? "up" : "down", w->point.offset, corm_code_name(told->rc), told->rc,
        rows, rows_of(w->point.shape), torn ? ", and the stock does not agree" : "", seed);
}

static void judge_case(struct worker *w, const struct told *told, int64_t mark)
{
    enum shape    shape = w->point.shape;
    struct tally *tally = &w->tallies[shape][w->point.fault];
    int           marks = marks_of(shape);
    uint32_t      later_ms = found_is_enough ? 0 : LATER_MS; /* a faulty ledger may never answer */
    struct page   page = read_page(w->books, mark, marks, w->buyer.first_product, w->stock);

    for (int i = 0; i < marks; i++) {
        enum verdict verdict = judge(w->buyer.db, shape, &told[i], page.rows[i], later_ms);
        if (page.torn)
            verdict = WRONG;
        tally->verdicts[verdict]++;
        if (verdict == WRONG)
            show_wrong(w, &told[i], page.rows[i], page.torn);
    }
}

/* Once without a fault, so that its statements are prepared. */
static void warm_up(struct worker *w)
{
    struct told  told[MARKS_MAX];
    enum shape   shape = w->point.shape;
    struct buyer calm = w->buyer;
    int64_t      mark = atomic_fetch_add(&next_mark, MARKS_MAX);

    calm.armed = NULL;
    calm.timeout_ms = LONG_MS;
    buy(&calm, shape, mark, told);
    struct page page = read_page(w->books, mark, marks_of(shape), w->buyer.first_product, w->stock);
    for (int i = 0; i < marks_of(shape); i++)
        if ((told[i].rc < 0 && w->buyer.db == w->db) || (told[i].rc >= 0) != (page.rows[i] > 0) ||
            page.torn)
            die("a shape failed without a fault", w);
}

static void run_shape(struct worker *w, struct told *told, int64_t mark)
{
    bool is_silent = w->point.fault == BLACK_HOLE || w->point.fault == LATE;

    w->buyer.db = is_silent ? w->hasty : w->db;
    w->buyer.timeout_ms = is_silent ? SHORT_MS : LONG_MS;
    w->buyer.armed = arm;
    w->buyer.arg = w;
    connect_anew(w);
    if (w->point.warm)
        warm_up(w);
    atomic_store(&w->answered, false);
    atomic_store(&w->lost_ns, 0);
    buy(&w->buyer, w->point.shape, mark, told);
    int64_t end = now_ns(), lost = atomic_load(&w->lost_ns);
    atomic_store(&w->answered, true);
    if (lost != 0)
        take_time(is_silent ? &w->silent : &w->live, end - lost);
}

static void run_case(struct worker *w)
{
    struct told   told[MARKS_MAX];
    struct tally *tally = &w->tallies[w->point.shape][w->point.fault];
    int64_t       mark = atomic_fetch_add(&next_mark, MARKS_MAX);

    int64_t start = now_ms();

    run_shape(w, told, mark);
    tally->cases++;
    tally->met += let_go(w);
    settle(w);
    judge_case(w, told, mark);
    if (now_ms() - start > w->slowest_ms) {
        w->slowest_ms = now_ms() - start;
        w->slowest = w->point;
    }
}

/* Counts the bytes of a shape, cold or warm. */
static void count_bytes(struct worker *w, enum shape shape, bool warm)
{
    struct told told[MARKS_MAX];
    struct wire after;

    w->point = (struct point){.shape = (uint8_t)shape, .warm = warm, .fault = FAULTS};
    run_shape(w, told, atomic_fetch_add(&next_mark, MARKS_MAX));
    for (int i = 0; i < marks_of(shape); i++)
        if (told[i].rc < 0)
            fail_msg("%s without a fault: %s", shape_name(shape), corm_code_name(told[i].rc));
    assert_true(proxy_wire(w->proxy, w->connection, &after));
    w->bytes[UP] = after.up - w->wire.up;
    w->bytes[DOWN] = after.down - w->wire.down;
    settle(w);
    for (int i = 0; i < PRODUCTS; i++)
        w->stock[i] = (int32_t)ask_books(w->books, "SELECT stock FROM product WHERE id = %d",
                                         w->buyer.first_product + i);
}

/* ---- All cases ---------------------------------------------------------------------- */

static void add_point(struct point point)
{
    if (point_count == point_room) {
        point_room = point_room * 2 + 4096;
        points = realloc(points, point_room * sizeof(*points));
        assert_non_null(points);
    }
    points[point_count++] = point;
}

static uint64_t random_below(uint64_t n)
{
    static uint64_t state;

    if (state == 0)
        state = seed;
    state += 0x9E3779B97F4A7C15U;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return (z ^ (z >> 31)) % n;
}

/* Every byte of every shape and way, with every fault; in an order of chance, whose beginning is a
 * sample. What comes late can only come late on its way to the server. */
static void list_points(struct worker *w)
{
    point_count = 0;
    for (int shape = 0; shape < SHAPES; shape++) {
        for (int warm = 0; warm < 2; warm++) {
            count_bytes(w, (enum shape)shape, warm);
            (void)printf("# %-16s %s: %5" PRIu64 " bytes up, %5" PRIu64 " down\n",
                         shape_name((enum shape)shape), warm ? "warm" : "cold", w->bytes[UP],
                         w->bytes[DOWN]);
            for (int way = 0; way < WAYS; way++)
                for (int fault = 0; fault < (way == UP ? FAULTS : LATE); fault++)
                    for (uint32_t offset = 0; offset <= w->bytes[way]; offset++)
                        add_point((struct point){(uint8_t)shape, (uint8_t)warm, (uint8_t)way,
                                                 (uint8_t)fault, offset});
        }
    }
    for (size_t i = point_count; i > 1; i--) {
        size_t       j = random_below(i);
        struct point other = points[j];
        points[j] = points[i - 1];
        points[i - 1] = other;
    }
}

/* In place on a terminal, else a line now and then. */
static void show_progress(size_t done)
{
    bool is_terminal = isatty(STDERR_FILENO);

    if (done == 0 || done % (is_terminal ? 100 : 5000) != 0)
        return;
    (void)fprintf(stderr,
                  is_terminal ? "\r%zu of %zu cases, %" PRIu64 " wrong "
                              : "# %zu of %zu cases, %" PRIu64 " wrong\n",
                  done, point_count, atomic_load(&wrong_count));
}

static void *work(void *arg)
{
    struct worker *w = arg;
    size_t         i;

    while ((i = atomic_fetch_add(&next_point, 1)) < point_count) {
        if (now_ms() >= stop_ms || (found_is_enough && atomic_load(&wrong_count) > 0))
            break;
        w->point = points[i];
        run_case(w);
        show_progress(i);
    }
    return NULL;
}

static size_t workers_wanted(void)
{
    const char *text = getenv("CORM_WORKERS");
    size_t n = text != NULL ? strtoul(text, NULL, 10) : is_exhaustive() ? WORKERS_MAX : WORKERS;

    return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : n;
}

/* ---- What came of it ------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void print_times(const char *name, struct worker *workers, size_t count, bool live)
{
    struct times all = {0};

    for (size_t i = 0; i < count; i++) {
        const struct times *times = live ? &workers[i].live : &workers[i].silent;
        for (size_t k = 0; k < times->count; k++)
            take_time(&all, times->ns[k]);
    }
    if (all.count > 0) {
        size_t half = all.count / 2, most = all.count * 99 / 100;
        qsort(all.ns, all.count, sizeof(*all.ns), by_size);
        (void)printf(
            "# from detection to answer, %s: p50 %.1f ms, p99 %.1f ms, most %.1f ms (%zu)\n", name,
            (double)all.ns[half] / 1e6, (double)all.ns[most] / 1e6,
            (double)all.ns[all.count - 1] / 1e6, all.count);
    }
    free(all.ns);
}

static void print_tally(const char *shape, const char *fault, const struct tally *t)
{
    (void)printf("# %-16s %-10s %6" PRIu64 " %6" PRIu64, shape, fault, t->cases, t->met);
    for (int v = 0; v < VERDICTS; v++)
        (void)printf(" %15" PRIu64, t->verdicts[v]);
    (void)printf("\n");
}

static void add_tally(struct tally *sum, const struct tally *more)
{
    sum->cases += more->cases;
    sum->met += more->met;
    for (int v = 0; v < VERDICTS; v++)
        sum->verdicts[v] += more->verdicts[v];
}

static struct tally print_tallies(struct worker *workers, size_t count)
{
    struct tally all = {0};

    (void)printf("# %-16s %-10s %6s %6s", "purchases:", "fault", "cases", "met");
    for (int v = 0; v < VERDICTS; v++)
        (void)printf(" %15s", verdict_name((enum verdict)v));
    (void)printf("\n");
    for (int shape = 0; shape < SHAPES; shape++) {
        for (int fault = 0; fault < FAULTS; fault++) {
            struct tally sum = {0};
            for (size_t i = 0; i < count; i++)
                add_tally(&sum, &workers[i].tallies[shape][fault]);
            print_tally(shape_name((enum shape)shape), fault_names[fault], &sum);
            add_tally(&all, &sum);
        }
    }
    print_tally("all", "", &all);
    print_times("link broken", workers, count, true);
    print_times("link silent", workers, count, false);
    return all;
}

static void print_slowest(const struct worker *workers, size_t count)
{
    const struct worker *w = &workers[0];

    for (size_t i = 1; i < count; i++)
        if (workers[i].slowest_ms > w->slowest_ms)
            w = &workers[i];
    (void)printf("# the slowest case took %.1f s: %s, %s, %s, %s byte %u\n",
                 (double)w->slowest_ms / 1000, shape_name(w->slowest.shape),
                 w->slowest.warm ? "warm" : "cold", fault_names[w->slowest.fault],
                 w->slowest.way == UP ? "up" : "down", w->slowest.offset);
}

/* ---- The tests ------------------------------------------------------------------------ */

static void set_up(struct corm_db *db)
{
    int rc = set_up_ledger(db);

#ifdef CONTROL
    if (rc == CORM_UNSUPPORTED) /* it sees the planted fault, and has made the table */
        rc = 0;
#endif
    assert_int_equal(rc, 0);
}

static struct worker *begin_workers(size_t count)
{
    struct worker *workers = calloc(count, sizeof(*workers));

    assert_non_null(workers);
    for (size_t i = 0; i < count; i++)
        begin_worker(&workers[i], (int)i);
    return workers;
}

static void end_workers(struct worker *workers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        end_worker(&workers[i]);
    free(workers);
    free(points);
    points = NULL;
    point_count = point_room = 0;
}

/* `ledger`: with corm's tables. */
static struct tally run_cases(bool ledger, int64_t ms)
{
    size_t          count = workers_wanted();
    struct corm_db *db = open_db("pool=1");

    make_shop(db, (int32_t)count * PRODUCTS, STOCK);
    if (ledger)
        set_up(db);
    corm_close(db);
    struct worker *workers = begin_workers(count);
    list_points(&workers[0]);
    size_t in_all = point_count;
    if (!is_exhaustive() && !found_is_enough && point_count > SAMPLE)
        point_count = SAMPLE;
    (void)printf("# %zu cases of %zu, seed %" PRIu64 ", %zu at once\n", point_count, in_all, seed,
                 count);
    (void)fflush(stdout);
    atomic_store(&next_point, 0);
    atomic_store(&wrong_count, 0);
    int64_t start = now_ms();
    stop_ms = start + ms;
    run_threads(count, work, workers, sizeof(*workers));
    struct tally all = print_tallies(workers, count);
    print_slowest(workers, count);
    (void)printf("# %" PRIu64 " cases in %.1f s\n", all.cases, (double)(now_ms() - start) / 1000);
    end_workers(workers, count);
    return all;
}

#ifdef CONTROL

/* The library has a fault on purpose: who does not find it would not find another one. */
static void a_planted_fault_is_found(void **state)
{
    (void)state;
    found_is_enough = true;
    struct tally all = run_cases(true, CONTROL_MS);
    (void)printf("# control \"%s\": %s after %" PRIu64 " cases\n", CONTROL,
                 all.verdicts[WRONG] > 0 ? "found" : "NOT FOUND", all.cases);
    assert_true(all.verdicts[WRONG] > 0);
}

#else

/* What others do: who is told that nobody knows tries again. Without the ledger that doubles. */
static void trying_again_after_unknown_is_found_out(void **state)
{
    (void)state;
    found_is_enough = again_after_unknown = true;
    struct tally all = run_cases(false, CONTROL_MS);
    found_is_enough = again_after_unknown = false;
    (void)printf("# control \"again after unknown\": found after %" PRIu64 " cases\n", all.cases);
    assert_true(all.verdicts[WRONG] > 0);
}

static void what_was_told_is_what_is_there(void **state)
{
    (void)state;
    struct tally all = run_cases(true, is_exhaustive() ? EXHAUSTIVE_MS : SAMPLE_MS);
    assert_int_equal(all.verdicts[WRONG], 0);
    assert_true(all.verdicts[APPLIED] > 0);
    assert_true(all.met * 10 >= all.cases * 9); /* or else it tests what does not happen */
    if (is_exhaustive())
        assert_true(all.cases >= 40000);
    if (HAS_LEDGER) /* the server has answered all the time */
        assert_int_equal(all.verdicts[UNKNOWN_THERE] + all.verdicts[UNKNOWN_ABSENT] +
                             all.verdicts[LATER_THERE] + all.verdicts[LATER_ABSENT],
                         0);
    else
        assert_true(all.verdicts[UNKNOWN_THERE] > 0 && all.verdicts[UNKNOWN_ABSENT] > 0);
}

/* ---- The server dies -------------------------------------------------------------------- */

enum { RUNS_MAX = 4000, KILLS = 2, KILLS_EXHAUSTIVE = 30, DEATH_WORKERS = 8 };

struct run {
    enum shape  shape;
    int64_t     mark;
    struct told told[MARKS_MAX];
};

struct mortal {
    struct worker w;
    struct run   *runs;
    size_t        count;
};

static _Atomic bool stop;

static void *keep_buying(void *arg)
{
    struct mortal *m = arg;
    uint64_t       chance = seed + (uint64_t)m->w.me;

    m->w.buyer.db = m->w.db;
    m->w.buyer.timeout_ms = 5000;
    while (!atomic_load(&stop) && m->count < RUNS_MAX) {
        struct run *run = &m->runs[m->count++];
        chance = chance * 6364136223846793005U + 1442695040888963407U;
        run->shape = (enum shape)((chance >> 33) % SHAPES);
        run->mark = atomic_fetch_add(&next_mark, MARKS_MAX);
        buy(&m->w.buyer, run->shape, run->mark, run->told);
    }
    return NULL;
}

static void *kill_now_and_then(void *arg)
{
    (void)arg;
    for (int n = is_exhaustive() ? KILLS_EXHAUSTIVE : KILLS; n > 0; n--) {
        int64_t end = now_ms() + 200 + (int64_t)random_below(800);
        while (now_ms() < end)
            nap();
        kill_server();
        start_server();
    }
    int64_t end = now_ms() + 500;
    while (now_ms() < end)
        nap();
    atomic_store(&stop, true);
    return NULL;
}

/* Each purchase by its mark, and then the stock against all of them. */
static void judge_mortal(struct mortal *m, struct tally *tally)
{
    mysql_close(m->w.books);
    m->w.books = open_books();
    settle(&m->w);
    for (size_t i = 0; i < m->count; i++) {
        struct run *run = &m->runs[i];
        int32_t     stock[PRODUCTS] = {0};
        struct page page =
            read_page(m->w.books, run->mark, marks_of(run->shape), m->w.buyer.first_product, stock);
        tally->cases++;
        m->w.point.shape = (uint8_t)run->shape;
        for (int k = 0; k < marks_of(run->shape); k++) {
            enum verdict v = judge(m->w.db, run->shape, &run->told[k], page.rows[k], LATER_MS);
            tally->verdicts[v]++;
            if (v == WRONG)
                show_wrong(&m->w, &run->told[k], page.rows[k], false);
        }
    }
    for (int i = 0; i < PRODUCTS; i++) {
        int32_t id = m->w.buyer.first_product + i;
        assert_int_equal(ask_books(m->w.books,
                                   "SELECT stock + (SELECT COUNT(*) FROM purchase WHERE product_id "
                                   "= %d) FROM product WHERE id = %d",
                                   id, id),
                         STOCK);
    }
}

static void a_server_that_dies_anywhere_makes_nobody_lie(void **state)
{
    static struct mortal mortals[DEATH_WORKERS];

    struct tally    tally = {0};
    struct corm_db *db = open_db("pool=1");
    pthread_t       killer;

    (void)state;
    make_shop(db, DEATH_WORKERS * PRODUCTS, STOCK);
    set_up(db);
    corm_close(db);
    atomic_store(&stop, false);
    atomic_store(&wrong_count, 0);
    for (int i = 0; i < DEATH_WORKERS; i++) {
        begin_worker(&mortals[i].w, i);
        mortals[i].runs = calloc(RUNS_MAX, sizeof(*mortals[i].runs));
        assert_non_null(mortals[i].runs);
    }
    assert_int_equal(pthread_create(&killer, NULL, kill_now_and_then, NULL), 0);
    run_threads(DEATH_WORKERS, keep_buying, mortals, sizeof(mortals[0]));
    (void)pthread_join(killer, NULL);
    for (int i = 0; i < DEATH_WORKERS; i++)
        judge_mortal(&mortals[i], &tally);
    print_tally("any", "SIGKILL", &tally);
    for (int i = 0; i < DEATH_WORKERS; i++) {
        end_worker(&mortals[i].w);
        free(mortals[i].runs);
    }
    assert_int_equal(tally.verdicts[WRONG], 0);
    assert_true(tally.verdicts[APPLIED] > 0);
    if (HAS_LEDGER) /* the server is back, so it can be asked */
        assert_int_equal(tally.verdicts[UNKNOWN_THERE] + tally.verdicts[UNKNOWN_ABSENT], 0);
}

#endif

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
#ifdef CONTROL
        cmocka_unit_test(a_planted_fault_is_found),
#else
        cmocka_unit_test(trying_again_after_unknown_is_found_out),
        cmocka_unit_test(what_was_told_is_what_is_there),
        cmocka_unit_test(a_server_that_dies_anywhere_makes_nobody_lie),
#endif
    };
    const char *given = getenv("CORM_SEED");

    support_begin(argc, argv);
    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)now_ns();
    int failed = run_group(NULL, 0, NULL, 0, tests, COUNT(tests));
    support_end();
    return failed;
}
