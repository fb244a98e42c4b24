/* chaos_test.c -- everything breaks, again and again, and the books still agree.
 *
 * MariaDB: threads buy what is hot, in all shapes (tests/purchases.h), by two handles: one through a proxy,
 * one straight. Every few seconds something breaks: the server is killed and started again, or stands
 * still, links are cut, reset, silent or late, a session is killed. Sessions of strangers are there too, one
 * of another user and one of ours, with numbers that lost sessions of corm's had before a restart.
 *
 *     BUYING ── ROUND_S ──► PAUSED: all calls have returned, all is healed ──► CHECKED ──► BUYING
 *
 * SQLite: the same by processes that are killed at any moment; what they were told is in shared memory.
 *
 * Checked at each pause: each purchase is there once or not at all, as it was told; stock and rows agree, and
 * nothing was oversold; no call took longer than its deadline and the grace; no stranger was killed; memory
 * in use and descriptors are what they were.
 *
 *     CORM_CHAOS_S=N    seconds, instead of 60
 *     CORM_SEED=N       the seed of what breaks, instead of a new one */
#include "faults.h"
#include "purchases.h"

#include <dirent.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    BUYERS = 12,
    PROCESSES = 4,
    ROUND_S = 15,
    RUNS_MAX = 20000, /* of one buyer in one round; then he waits for the next one */
    TIMEOUT_MS = 3000,
    GRACE_MS = 3000, /* of a group that waits for rows, of COMMIT, of the ledger: a second each */
    SLACK_MS = 5000, /* this machine is busy */
    LATER_MS = 20000,
    STOCK = 15000, /* of what is hot: it sells out in most rounds */
    PLENTY = 100000000,
    STRANGERS = 4,
    MEMORY_SLACK = 2 * 1024 * 1024,
    DESCRIPTOR_SLACK = 16,
    PROCESS_MARKS = 4 * 1000 * 1000
};

/* What flushes take never runs out, the rest does. */
#define FULL "CASE WHEN id < %d THEN %d ELSE %d END"
#define FILL "UPDATE product SET stock = " FULL
#define STOCK_DISAGREES                                                                            \
    "SELECT COUNT(*) FROM product p WHERE stock < 0 OR stock + (SELECT COUNT(*) FROM purchase "    \
    "WHERE product_id = p.id) <> " FULL

static uint64_t        seed, chance;
static _Atomic int64_t next_mark = 1;

static void die(const char *what)
{
    (void)fprintf(stderr, "# cannot go on: %s; seed %" PRIu64 "\n", what, seed);
    abort();
}

static uint64_t mix(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15U);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static int64_t between(int64_t low, int64_t high)
{
    return low + (int64_t)(mix(&chance) % (uint64_t)(high - low + 1));
}

static void sleep_ms(int64_t ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&pause, NULL);
}

static int64_t chaos_ms(void)
{
    const char *text = getenv("CORM_CHAOS_S");
    int64_t     s = text != NULL ? strtoll(text, NULL, 10) : 60;

    return (s < 1 ? 1 : s) * 1000;
}

/* ---- What came of it ------------------------------------------------------------ */

struct counts {
    uint64_t calls, verdicts[VERDICTS];
    uint64_t doubled, lost,
        denied; /* of WRONG: too many rows; none, told success; some, told none */
    uint64_t oversold, strangers_killed, stuck;
    uint64_t faults, rounds;
    int64_t  longest_ms;
};

static struct counts counts;

static void count_purchase(enum verdict verdict, enum shape shape, int rc, int rows)
{
    counts.verdicts[verdict]++;
    if (verdict != WRONG)
        return;
    if (rows > rows_of(shape))
        counts.doubled++;
    else if (rc >= 0)
        counts.lost++;
    else
        counts.denied++;
    if (counts.verdicts[WRONG] <= 20)
        (void)printf("# WRONG: %s, told %s (%d), %d rows of %d; seed %" PRIu64 "\n",
                     shape_name(shape), corm_code_name(rc), rc, rows, rows_of(shape), seed);
}

static void show(FILE *out, const char *begin, const char *end, int64_t started_ms)
{
    (void)fprintf(out,
                  "%s%" PRId64 " s, %" PRIu64 " faults, %" PRIu64 " calls; purchases: %" PRIu64
                  " applied, %" PRIu64 " absent, %" PRIu64 " unknown, %" PRIu64
                  " told later; 0 wanted: %" PRIu64 " doubled, %" PRIu64 " lost, %" PRIu64
                  " denied, %" PRIu64 " oversold, %" PRIu64 " strangers killed, %" PRIu64
                  " stuck; longest call %" PRId64 " ms%s",
                  begin, (now_ms() - started_ms) / 1000, counts.faults, counts.calls,
                  counts.verdicts[APPLIED], counts.verdicts[ABSENT],
                  counts.verdicts[UNKNOWN_THERE] + counts.verdicts[UNKNOWN_ABSENT],
                  counts.verdicts[LATER_THERE] + counts.verdicts[LATER_ABSENT], counts.doubled,
                  counts.lost, counts.denied, counts.oversold, counts.strangers_killed,
                  counts.stuck, counts.longest_ms, end);
    (void)fflush(out);
}

/* A line for each round, in place on a terminal. */
static void show_progress(int64_t started_ms)
{
    if (isatty(STDERR_FILENO))
        show(stderr, "\r", "", started_ms);
    else
        show(stdout, "# ", "\n", started_ms);
}

static void assert_nothing_was_wrong(int64_t started_ms)
{
    show(stdout, "# in all: ", "\n", started_ms);
    assert_true(counts.verdicts[APPLIED] > 0);
    assert_int_equal(counts.verdicts[WRONG], 0);
    assert_int_equal(counts.oversold, 0);
    assert_int_equal(counts.strangers_killed, 0);
    assert_int_equal(counts.stuck, 0);
}

/* ---- Threads that buy ------------------------------------------------------------- */

struct run {
    enum shape  shape;
    int64_t     mark;
    struct told told[MARKS_MAX];
};

struct thread {
    struct buyer    buyer;
    uint64_t        chance;
    struct run     *runs;
    size_t          count;
    int64_t         longest_ms;
    _Atomic int64_t since_ms; /* of the call at hand; 0: none */
    pthread_t       id;
};

static struct thread   threads[BUYERS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  changed = PTHREAD_COND_INITIALIZER;
static bool            is_paused, is_over; /* these three under the mutex */
static int             waiting;

/* False when it is over. */
static bool may_buy(struct thread *t)
{
    (void)pthread_mutex_lock(&mutex);
    waiting++;
    (void)pthread_cond_broadcast(&changed);
    while (!is_over && (is_paused || t->count == RUNS_MAX))
        (void)pthread_cond_wait(&changed, &mutex);
    waiting--;
    bool goes_on = !is_over;
    (void)pthread_mutex_unlock(&mutex);
    return goes_on;
}

static void *keep_buying(void *arg)
{
    struct thread *t = arg;

    while (may_buy(t)) {
        struct run *run = &t->runs[t->count];
        int64_t     start = now_ms();
        run->shape = (enum shape)(mix(&t->chance) % SHAPES);
        run->mark = atomic_fetch_add(&next_mark, MARKS_MAX);
        atomic_store(&t->since_ms, start);
        buy(&t->buyer, run->shape, run->mark, run->told);
        atomic_store(&t->since_ms, 0);
        t->count++;
        if (now_ms() - start > t->longest_ms)
            t->longest_ms = now_ms() - start;
    }
    return NULL;
}

/* Tells them to stop, and waits until all calls have returned; who does not return is stuck. */
static void pause_buyers(void)
{
    int64_t end = now_ms() + TIMEOUT_MS + GRACE_MS + SLACK_MS;

    (void)pthread_mutex_lock(&mutex);
    is_paused = true;
    while (waiting < BUYERS && now_ms() < end) {
        (void)pthread_mutex_unlock(&mutex);
        sleep_ms(5);
        (void)pthread_mutex_lock(&mutex);
    }
    int missing = BUYERS - waiting;
    (void)pthread_mutex_unlock(&mutex);
    if (missing > 0) {
        (void)fprintf(stderr, "# %d calls do not return\n", missing);
        die("a thread is stuck");
    }
}

static void set_going(bool over)
{
    (void)pthread_mutex_lock(&mutex);
    is_paused = false;
    is_over = over;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&mutex);
}

/* ---- Strangers ----------------------------------------------------------------------- */

struct stranger {
    MYSQL    *session;
    long long id;
};

static struct stranger strangers[2 * STRANGERS];

/* Every second one is of another user. */
static void invite_strangers(void)
{
    for (size_t i = 0; i < COUNT(strangers); i++) {
        if (strangers[i].session != NULL)
            mysql_close(strangers[i].session);
        strangers[i].session = open_books();
        if (i % 2 == 1 && mysql_change_user(strangers[i].session, "stranger", "secret", NULL) != 0)
            die("a stranger cannot come");
        strangers[i].id = ask_books(strangers[i].session, "SELECT CONNECTION_ID()");
    }
}

static void look_after_strangers(void)
{
    for (size_t i = 0; i < COUNT(strangers); i++) {
        long long id;
        if (try_books(strangers[i].session, &id, "SELECT CONNECTION_ID()") && id == strangers[i].id)
            continue;
        counts.strangers_killed++;
        (void)printf("# a stranger was killed: session %lld; seed %" PRIu64 "\n", strangers[i].id,
                     seed);
        invite_strangers();
        return;
    }
}

static bool is_stranger(long long id)
{
    for (size_t i = 0; i < COUNT(strangers); i++)
        if (strangers[i].id == id)
            return true;
    return false;
}

/* ---- What breaks ------------------------------------------------------------------------ */

static struct proxy *proxy;

static void kill_a_session(void)
{
    long long id =
                  ask_books(strangers[1].session,
                            "SELECT id FROM information_schema.processlist WHERE user = 'corm' AND "
                            "host <> '' ORDER BY RAND() LIMIT 1"),
              ignored;

    if (!is_stranger(id))
        (void)try_books(strangers[1].session, &ignored, "KILL %lld", id);
}

static void break_something(void)
{
    static const char *const silences[] = {"swallow", "swallow up", "swallow down",
                                           "hold up", "hold down",  "drip 20 down"};

    counts.faults++;
    switch (between(0, 11)) {
    case 0:
        kill_server();
        sleep_ms(between(0, 1500));
        start_server();
        invite_strangers();
        break;
    case 1:
        stop_server();
        sleep_ms(between(50, 3000));
        continue_server();
        break;
    case 2:
        tell_proxy(proxy, "%s after %d", silences[between(0, (int64_t)COUNT(silences) - 1)],
                   (int)between(0, 3000));
        sleep_ms(between(50, 4000));
        break;
    case 3:
    case 4:
    case 5: kill_a_session(); break;
    default:
        tell_proxy(proxy, "%s %s after %d", between(0, 1) == 0 ? "cut" : "reset",
                   between(0, 1) == 0 ? "up" : "down", (int)between(0, 3000));
        break;
    }
    sleep_ms(between(20, 200));
    tell_proxy(proxy, "pass");
}

/* ---- The books ------------------------------------------------------------------------------ */

/* Nobody is at work, not even on a link that corm has given up. */
static void wait_for_quiet(MYSQL *books)
{
    int64_t end = now_ms() + 60000;

    tell_proxy(proxy, "cut");
    for (int quiet = 0; quiet < 3; sleep_ms(30)) {
        long long busy = ask_books(
            books, "SELECT (SELECT COUNT(*) FROM information_schema.innodb_trx) + (SELECT "
                   "COUNT(*) FROM information_schema.processlist WHERE user = 'corm' AND "
                   "command <> 'Sleep' AND id <> CONNECTION_ID())");
        quiet = busy == 0 ? quiet + 1 : 0;
        if (now_ms() >= end)
            die("the server does not become quiet");
    }
    tell_proxy(proxy, "pass");
}

/* How many rows each mark from `first` on has. */
static uint8_t *read_rows(MYSQL *books, int64_t first, int64_t count)
{
    uint8_t   *rows = calloc((size_t)count, 1);
    MYSQL_ROW  row;
    MYSQL_RES *result = NULL;

    if (rows != NULL &&
        mysql_query(books, "SELECT mark, COUNT(*) FROM purchase GROUP BY mark") == 0)
        result = mysql_use_result(books);
    if (result == NULL)
        die("the books cannot be read");
    while ((row = mysql_fetch_row(result)) != NULL) {
        int64_t mark = strtoll(row[0], NULL, 10) - first;
        if (mark < 0 || mark >= count)
            die("a purchase of an earlier round has come late");
        rows[mark] = (uint8_t)strtoul(row[1], NULL, 10);
    }
    mysql_free_result(result);
    return rows;
}

static void check_stock(MYSQL *books)
{
    long long bad = ask_books(books, STOCK_DISAGREES, FLUSH_PRODUCTS, PLENTY, STOCK);

    counts.oversold += (uint64_t)bad;
    if (bad != 0)
        (void)printf("# %lld products whose stock and rows do not agree; seed %" PRIu64 "\n", bad,
                     seed);
}

static void fill_up(MYSQL *books)
{
    (void)ask_books(books, "TRUNCATE TABLE purchase");
    (void)ask_books(books, FILL, FLUSH_PRODUCTS, PLENTY, STOCK);
}

static void check_round(int64_t first)
{
    MYSQL *books = open_books();

    wait_for_quiet(books);
    uint8_t *rows = read_rows(books, first, atomic_load(&next_mark) - first);
    for (int i = 0; i < BUYERS; i++) {
        struct thread *t = &threads[i];
        for (size_t k = 0; k < t->count; k++) {
            const struct run *run = &t->runs[k];
            for (int m = 0; m < marks_of(run->shape); m++) {
                int          there = rows[run->mark + m - first];
                enum verdict v = judge(t->buyer.db, run->shape, &run->told[m], there, LATER_MS);
                if (HAS_LEDGER && (v == UNKNOWN_THERE || v == UNKNOWN_ABSENT))
                    v = WRONG; /* the server can be asked again */
                count_purchase(v, run->shape, run->told[m].rc, there);
            }
        }
        counts.calls += t->count;
        if (t->longest_ms > counts.longest_ms)
            counts.longest_ms = t->longest_ms;
        counts.stuck += t->longest_ms > TIMEOUT_MS + GRACE_MS + SLACK_MS;
        t->count = 0;
        t->longest_ms = 0;
    }
    free(rows);
    check_stock(books);
    fill_up(books);
    mysql_close(books);
    counts.rounds++;
}

/* ---- What is in use ----------------------------------------------------------------------- */

struct in_use {
    size_t memory, descriptors;
};

static struct in_use in_use_now(void)
{
    struct in_use now = {.memory = mallinfo2().uordblks};
    DIR          *dir = opendir("/proc/self/fd");

    if (dir == NULL)
        die("no /proc/self/fd");
    while (readdir(dir) != NULL) /* NOLINT(concurrency-mt-unsafe): the stream is ours */
        now.descriptors++;
    (void)closedir(dir);
    return now;
}

/* ---- MariaDB --------------------------------------------------------------------------------- */

static struct corm_db *open_straight(unsigned port)
{
    struct corm_db   *db = NULL;
    struct corm_error error = {0};

    assert_ok(corm_open(&db, server_url(NULL, NULL, port, NULL, "pool=6&lanes=2&timeout_ms=3000"),
                        .error = &error),
              &error);
    return db;
}

static void begin_buyers(struct corm_db *straight, struct corm_db *proxied)
{
    for (int i = 0; i < BUYERS; i++) {
        struct thread *t = &threads[i];
        t->buyer = (struct buyer){
            .db = i % 2 == 0 ? straight : proxied, .timeout_ms = TIMEOUT_MS, .boards_freely = true};
        t->chance = seed + (uint64_t)i;
        t->runs = malloc(RUNS_MAX * sizeof(*t->runs));
        assert_non_null(t->runs);
        assert_int_equal(pthread_create(&t->id, NULL, keep_buying, t), 0);
    }
}

static void end_buyers(void)
{
    set_going(true);
    for (int i = 0; i < BUYERS; i++) {
        (void)pthread_join(threads[i].id, NULL);
        free(threads[i].runs);
    }
}

/* Buying and breaking until `end`, or for one round. */
static void run_round(int64_t end)
{
    int64_t round_end = now_ms() + ROUND_S * 1000;

    set_going(false);
    while (now_ms() < (end < round_end ? end : round_end)) {
        sleep_ms(between(20, 500));
        break_something();
        look_after_strangers();
    }
    pause_buyers();
}

static void a_server_in_chaos_makes_nobody_lie(void **state)
{
    int64_t         start = now_ms(), end = start + chaos_ms();
    struct corm_db *straight = open_straight(0);
    struct in_use   first = {0}, last = {0};

    (void)state;
    proxy = start_proxy();
    make_shop(straight, PRODUCTS, STOCK);
    assert_int_equal(set_up_ledger(straight), 0);
    beside("CREATE OR REPLACE USER stranger@'127.0.0.1' IDENTIFIED BY 'secret'");
    beside("GRANT PROCESS, CONNECTION ADMIN ON *.* TO stranger@'127.0.0.1'");
    beside(FILL, FLUSH_PRODUCTS, PLENTY, STOCK);
    struct corm_db *proxied = open_straight(proxy_port(proxy));
    invite_strangers();
    is_paused = true;
    begin_buyers(straight, proxied);
    while (now_ms() < end) {
        int64_t first_mark = atomic_load(&next_mark);
        run_round(end);
        check_round(first_mark);
        last = in_use_now();
        if (counts.rounds == 1)
            first = last;
        show_progress(start);
    }
    end_buyers();
    corm_close(proxied);
    corm_close(straight);
    stop_proxy(proxy);
    for (size_t i = 0; i < COUNT(strangers); i++)
        mysql_close(strangers[i].session);
    (void)printf("# in use after the first round and after the last: %zu and %zu KiB, %zu and %zu "
                 "descriptors; seed %" PRIu64 "\n",
                 first.memory / 1024, last.memory / 1024, first.descriptors, last.descriptors,
                 seed);
    assert_nothing_was_wrong(start);
    assert_true(last.memory <= first.memory + MEMORY_SLACK);
    assert_true(last.descriptors <= first.descriptors + DESCRIPTOR_SLACK);
}

/* ---- SQLite: processes --------------------------------------------------------------------------- */

enum state { UNUSED, BEGUN, TOLD_DONE, TOLD_NOT };

/* What the processes were told, by mark. It outlives them. */
/* Of one round; between rounds nobody else is there. */
struct board {
    int64_t          first; /* the mark that is at 0 */
    _Atomic int64_t  next_mark;
    _Atomic uint64_t calls;
    _Atomic int64_t  longest_ms;
    _Atomic uint8_t  states[PROCESS_MARKS];
    uint8_t          shapes[PROCESS_MARKS];
};

static struct board *board;

/* In a child: buys until it is killed. */
static void buy_until_killed(uint64_t own_chance)
{
    struct corm_db *db = NULL;
    struct told     told[MARKS_MAX];

    if (corm_open(&db, test_url("timeout_ms=3000&lanes=1")) < 0)
        _exit(2);
    struct buyer buyer = {.db = db, .timeout_ms = TIMEOUT_MS, .boards_freely = true};
    for (;;) {
        enum shape shape = (enum shape)(mix(&own_chance) % SHAPES);
        int        count = marks_of(shape);
        int64_t    mark = atomic_fetch_add(&board->next_mark, count), start = now_ms();
        int64_t    at = mark - board->first;
        if (at + count > PROCESS_MARKS)
            _exit(0);
        for (int i = 0; i < count; i++) {
            board->shapes[at + i] = (uint8_t)shape;
            atomic_store(&board->states[at + i], BEGUN);
        }
        buy(&buyer, shape, mark, told);
        for (int i = 0; i < count; i++)
            if (told[i].rc != CORM_UNKNOWN)
                atomic_store(&board->states[at + i], told[i].rc >= 0 ? TOLD_DONE : TOLD_NOT);
        atomic_fetch_add(&board->calls, 1);
        if (now_ms() - start > atomic_load(&board->longest_ms))
            atomic_store(&board->longest_ms, now_ms() - start);
    }
}

static pid_t start_process(void)
{
    uint64_t own_chance = mix(&chance);
    pid_t    pid = fork();

    if (pid < 0)
        die("no process");
    if (pid == 0)
        buy_until_killed(own_chance);
    return pid;
}

/* One that has ended by itself is a failure, but at the end of the round's marks. */
static void end_process(pid_t pid)
{
    int status = 0;

    (void)kill(pid, SIGKILL);
    if (waitpid(pid, &status, 0) != pid || (WIFEXITED(status) && WEXITSTATUS(status) != 0) ||
        (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL))
        die("a process has failed by itself");
}

static uint8_t *rows_in_file;

static int take_purchase(void *arg)
{
    const struct purchase *row = arg;

    if (row->mark < board->first || row->mark >= board->first + PROCESS_MARKS)
        die("a purchase of an earlier round has come late");
    rows_in_file[row->mark - board->first]++;
    return 0;
}

static void fill_file_up(void)
{
    beside("DELETE FROM purchase");
    beside(FILL, FLUSH_PRODUCTS, PLENTY, STOCK);
}

/* Nobody holds the file any more. */
static void check_file(void)
{
    struct corm_db *db = open_db(NULL);
    struct purchase row;
    int64_t         count = atomic_load(&board->next_mark) - board->first;

    memset(rows_in_file, 0, PROCESS_MARKS);
    assert_true(corm_each(db, purchase, &row, take_purchase, &row) >= 0);
    corm_close(db);
    for (int64_t at = 0; at < count && at < PROCESS_MARKS; at++) {
        enum shape  shape = (enum shape)board->shapes[at];
        enum state  state = (enum state)atomic_load(&board->states[at]);
        struct told told = {.rc = state == TOLD_DONE  ? 0
                                  : state == TOLD_NOT ? SOLD_OUT
                                                      : CORM_UNKNOWN};
        int         rows = rows_in_file[at];
        count_purchase(judge(NULL, shape, &told, rows, 0), shape, told.rc, rows);
    }
    board->first += count;
    for (int64_t at = 0; at < count && at < PROCESS_MARKS; at++)
        atomic_store(&board->states[at], 0);
    long long bad = number_beside(STOCK_DISAGREES, FLUSH_PRODUCTS, PLENTY, STOCK);

    counts.oversold += (uint64_t)bad;
    assert_int_equal(number_beside("SELECT COUNT(*) FROM pragma_integrity_check WHERE "
                                   "integrity_check <> 'ok'"),
                     0);
    fill_file_up();
    counts.calls = atomic_load(&board->calls);
    counts.longest_ms = atomic_load(&board->longest_ms);
    counts.rounds++;
}

/* Kills and stops processes for one round; in the end none is left. */
static void run_process_round(int64_t end)
{
    pid_t   pids[PROCESSES];
    int64_t round_end = now_ms() + ROUND_S * 1000;

    for (int i = 0; i < PROCESSES; i++)
        pids[i] = start_process();
    while (now_ms() < (end < round_end ? end : round_end)) {
        int i = (int)between(0, PROCESSES - 1);
        sleep_ms(between(5, 400));
        counts.faults++;
        if (between(0, 3) == 0) {
            (void)kill(pids[i], SIGSTOP);
            sleep_ms(between(10, 1500));
            (void)kill(pids[i], SIGCONT);
            continue;
        }
        end_process(pids[i]);
        pids[i] = start_process();
    }
    for (int i = 0; i < PROCESSES; i++)
        end_process(pids[i]);
}

static void killed_processes_leave_a_file_that_agrees(void **state)
{
    int64_t         start = now_ms(), end = start + chaos_ms();
    struct corm_db *db = open_db(NULL);

    (void)state;
    make_shop(db, PRODUCTS, STOCK);
    corm_close(db);
    fill_file_up();
    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    rows_in_file = malloc(PROCESS_MARKS);
    assert_true(board != MAP_FAILED && rows_in_file != NULL);
    while (now_ms() < end) {
        run_process_round(end);
        check_file();
        show_progress(start);
    }
    counts.stuck = counts.longest_ms > TIMEOUT_MS + GRACE_MS + SLACK_MS;
    (void)munmap(board, sizeof(*board));
    free(rows_in_file);
    assert_nothing_was_wrong(start);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(killed_processes_leave_a_file_that_agrees),
    };
    static const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(a_server_in_chaos_makes_nobody_lie),
    };
    const char *given = getenv("CORM_SEED");

    support_begin(argc, argv);
    seed =
        given != NULL ? strtoull(given, NULL, 10) : (uint64_t)now_ms() ^ (uint64_t)getpid() << 32;
    chance = seed;
    int failed = run_group(NULL, 0, sqlite, COUNT(sqlite), mariadb, COUNT(mariadb));
    support_end();
    return failed;
}
