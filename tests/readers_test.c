/* readers_test.c -- a primary and its asynchronous replica: two real servers, which scripts/with-mariadbs has started.
 * The second one is made a replica of the first, and applies what that has written at once, late, or not at all.
 *
 * Whose answer it is tells the table plate, whose row has another number on the replica. The user of the handles
 * may read and write in one database, and has no other right. */
#include "servers.h"
#include "support.h"

#include "api/db.h"

#include <mysql.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PRIMARY = 1, REPLICA = 2, ROWS = 8 };

#define PLATE(X)                                                                                   \
    X(id, int, .pk = 1)                                                                            \
    X(node, int)
CORM_MODEL(plate, PLATE);
CORM_DEFINE(plate, PLATE);

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(n, int)
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

/* ---- Replication --------------------------------------------------------------------------- */

/* As the one who may do all, beside corm; *answer is the first column of the first row, where there is one. */
static void run_on(int node, const char *text, char answer[600])
{
    MYSQL       *mysql = mysql_init(NULL);
    unsigned int tcp = MYSQL_PROTOCOL_TCP;

    mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &tcp);
    if (mysql_real_connect(mysql, "127.0.0.1", of_node(node, "USER"), of_node(node, "PASSWORD"),
                           "shop", (unsigned)strtoul(of_node(node, "PORT"), NULL, 10), NULL,
                           0) == NULL ||
        mysql_query(mysql, text) != 0)
        fail_msg("server %d: %s: %s", node, text, mysql_error(mysql));
    MYSQL_RES *rows = mysql_store_result(mysql);
    MYSQL_ROW  row = rows != NULL ? mysql_fetch_row(rows) : NULL;
    (void)snprintf(answer, 600, "%s", row != NULL && row[0] != NULL ? row[0] : "");
    mysql_free_result(rows);
    mysql_close(mysql);
}

static void on_server(int node, const char *text)
{
    char ignored[600];

    run_on(node, text, ignored);
}

static const char *ask_server(int node, const char *text)
{
    static char answer[600];

    run_on(node, text, answer);
    return answer;
}

/* Waits until the replica has all that the primary has. */
static void wait_for_replica(void)
{
    char text[700];

    (void)snprintf(text, sizeof(text), "SELECT MASTER_GTID_WAIT('%s', 20)",
                   ask_server(PRIMARY, "SELECT @@global.gtid_binlog_pos"));
    assert_string_equal(ask_server(REPLICA, text), "0");
}

static void delay_replica(int seconds)
{
    char text[100];

    on_server(REPLICA, "STOP SLAVE");
    (void)snprintf(text, sizeof(text), "CHANGE MASTER TO MASTER_DELAY=%d", seconds);
    on_server(REPLICA, text);
    on_server(REPLICA, "START SLAVE");
}

static void make_user(int node)
{
    on_server(node, "CREATE OR REPLACE USER plain@'127.0.0.1' IDENTIFIED BY 'plain'");
    on_server(node, "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON shop.* TO "
                    "plain@'127.0.0.1'");
}

static int replicate(void **state)
{
    char text[900];

    (void)state;
    make_user(PRIMARY);
    make_user(REPLICA);
    on_server(REPLICA, "RESET MASTER");
    (void)snprintf(text, sizeof(text), "SET GLOBAL gtid_slave_pos='%s'",
                   ask_server(PRIMARY, "SELECT @@global.gtid_binlog_pos"));
    on_server(REPLICA, text);
    (void)snprintf(text, sizeof(text),
                   "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%s, MASTER_USER='%s', "
                   "MASTER_PASSWORD='%s', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1",
                   of_node(PRIMARY, "PORT"), of_node(PRIMARY, "USER"),
                   of_node(PRIMARY, "PASSWORD"));
    on_server(REPLICA, text);
    on_server(REPLICA, "START SLAVE");
    return 0;
}

/* Both run, and have the same rows but that of plate. */
static int fill(void **state)
{
    struct corm_error error = {0};
    struct item       rows[ROWS];

    (void)state;
    for (int node = PRIMARY; node <= REPLICA; node++)
        if (kill(process_of(node), SIGCONT) != 0)
            start_node(node);
    delay_replica(0);
    struct corm_db *db = open_one(PRIMARY);
    assert_ok(corm_setup(db, &error), &error);
    new_table(db, plate);
    new_table(db, item);
    assert_rows(corm_insert_row(db, plate, &((struct plate){1, PRIMARY}), .error = &error), 1,
                &error);
    for (int id = 0; id < ROWS; id++)
        rows[id] = (struct item){id, 0};
    assert_rows(corm_insert_rows(db, item, ROWS, rows, .error = &error), ROWS, &error);
    corm_close(db);
    wait_for_replica();
    on_server(REPLICA, "UPDATE plate SET node=2");
    return 0;
}

/* ---- Handles --------------------------------------------------------------------------------- */

static struct corm_db *open_pair_told(const char *options, struct told *told)
{
    struct corm_error error = {0};
    struct corm_db   *db = NULL;
    char              url[256];

    (void)snprintf(url, sizeof(url),
                   "mariadb://plain:plain@writer@127.0.0.1:%s,reader@127.0.0.1:%s/shop%s",
                   of_node(PRIMARY, "PORT"), of_node(REPLICA, "PORT"), options);
    assert_ok(
        corm_open(&db, url, .error = &error, .on_warning = note_warning, .on_warning_arg = told),
        &error);
    return db;
}

static struct corm_db *open_pair(const char *options)
{
    struct told told = {0};

    return open_pair_told(options, &told);
}

/* Which node it is that a read of this db comes from; or a negative code. */
static int node_of_read(struct corm_db *db, bool reader)
{
    struct plate row;
    int          rc = corm_first(db, plate, &row, .where = corm_eq(plate.id, 1), .reader = reader);

    return rc < 0 ? rc : row.node;
}

static int read_plate(struct corm_trx *trx, void *arg)
{
    struct plate row;
    int          rc = corm_first(trx, plate, &row, .where = corm_eq(plate.id, 1));

    (void)arg;
    return rc < 0 ? rc : row.node;
}

static bool is_read_from_replica(void *arg)
{
    return node_of_read(arg, true) == REPLICA;
}

static bool is_read_from_primary(void *arg)
{
    return node_of_read(arg, true) == PRIMARY;
}

/* ---- Where reads go ---------------------------------------------------------------------------- */

static int stop_at_once(void *arg)
{
    (void)arg;
    return 1;
}

#define FROM_REPLICA .where = corm_eq(plate.node, REPLICA), .reader = true

static void each_read_that_asks_for_it_comes_from_the_reader(void **state)
{
    struct corm_db    *db = open_pair("");
    struct corm_arena *arena = corm_arena_new();
    struct corm_error  error = {0};
    struct corm_trx   *trx = NULL;
    struct plate       row, *rows = NULL;
    int64_t            sum = 0;

    (void)state;
    assert_int_equal(node_of_read(db, false), PRIMARY);
    assert_int_equal(node_of_read(db, true), REPLICA);
    assert_rows(corm_all(db, plate, &rows, FROM_REPLICA, .arena = arena, .total = &sum), 1, &error);
    assert_int_equal(sum, 1);
    assert_int_equal(corm_count(db, plate, FROM_REPLICA), 1);
    assert_int_equal(corm_exists(db, plate, FROM_REPLICA), 1);
    assert_int_equal(corm_each(db, plate, &row, stop_at_once, NULL, FROM_REPLICA), 1);
    assert_int_equal(corm_sum(db, plate, plate.node, &sum, .reader = true), 1);
    assert_int_equal(sum, REPLICA);
    assert_int_equal(corm_count_distinct(db, plate, plate.node, FROM_REPLICA), 1);
    assert_rows(corm_transact(db, read_plate, NULL, .read_only = true, .reader = true), REPLICA,
                &error);
    assert_rows(corm_transact(db, read_plate, NULL, .read_only = true), PRIMARY, &error);
    assert_ok(corm_begin(db, &trx, .read_only = true, .reader = true, .error = &error), &error);
    assert_int_equal(read_plate(trx, NULL), REPLICA);
    assert_int_equal(corm_commit(trx), 0);
    assert_int_equal(corm_start(trx), 0);
    assert_int_equal(read_plate(trx, NULL), REPLICA);
    corm_end(trx);
    corm_arena_free(arena);
    corm_close(db);
}

static void what_may_write_or_lock_does_not_go_to_a_reader(void **state)
{
    struct corm_db   *db = open_pair(""), *one = open_one(PRIMARY);
    struct corm_error error = {0};
    struct corm_trx  *trx = NULL;
    struct plate      row;

    (void)state;
    assert_code(corm_transact(db, read_plate, NULL, .reader = true, .error = &error), CORM_MISUSE,
                &error);
    assert_says(&error, ".reader without .read_only");
    assert_code(corm_transact(db, read_plate, NULL, .reader = true, .key = corm_eq(plate.id, 1),
                              .error = &error),
                CORM_MISUSE, &error);
    assert_code(corm_begin(db, &trx, .read_only = true, .reader = true, .node = 2, .error = &error),
                CORM_MISUSE, &error);
    assert_code(
        corm_first(db, plate, &row, .lock = CORM_FOR_UPDATE, .reader = true, .error = &error),
        CORM_MISUSE, &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_code(corm_first(trx, plate, &row, .reader = true, .error = &error), CORM_MISUSE, &error);
    assert_says(&error, ".reader at a read in a transaction");
    corm_end(trx);
    assert_int_equal(node_of_read(one, true), PRIMARY); /* it has no reader */
    corm_close(one);
    corm_close(db);
}

static void a_server_that_is_no_replica_is_not_read_from(void **state)
{
    struct corm_error error = {0};
    struct corm_db   *db = NULL;
    struct told       told = {0};
    static const int  turned[] = {REPLICA, PRIMARY}; /* the primary has nothing of its replica's */

    (void)state;
    assert_ok(open_nodes(&db, "127.0.0.1,reader@127.0.0.1", turned, 2, &told, &error), &error);
    assert_int_equal(node_of_read(db, true), REPLICA); /* which is the writer here */
    assert_int_equal(told.count, 1);
    assert_non_null(strstr(told.text, "node 2 of the database is not used"));
    corm_close(db);
}

/* ---- After a write ------------------------------------------------------------------------------- */

static int write_again(struct corm_trx *trx, void *arg)
{
    int rc = corm_update(trx, item, corm_eq(item.id, 1), corm_set(item.n, *(const int *)arg));

    return rc < 0 ? rc : rc == 1 ? 0 : corm_abort(trx, CORM_USER, "no such row");
}

enum { WAYS = 7 };

/* Writes `n` into row 1, in one of several ways. */
static int write_somehow(struct corm_db *db, int way, int n, struct corm_error *error)
{
    struct corm_trx  *trx = NULL;
    const struct item two[] = {{1000 + 2 * n, n}, {1001 + 2 * n, n}};
    int               rc;

    switch (way) {
    case 0: return corm_transact(db, write_again, &n, .error = error);
    case 1: return corm_transact(db, write_again, &n, .key = corm_eq(item.id, 1), .error = error);
    case 2: return corm_upsert(db, item, &((struct item){1, n}), .error = error);
    case 3: return corm_update_row(db, item, &((struct item){1, n}), .error = error);
    case 4:
        return corm_sql(db, NULL, "UPDATE item SET n=? WHERE id=1", corm_vals(n), .error = error);
    case 5:
        rc = corm_insert_rows(db, item, 2, two, .error = error);
        return rc < 0 ? rc : write_somehow(db, 0, n, error);
    default:
        rc = corm_begin(db, &trx, .key = corm_eq(item.id, 1), .error = error);
        if (rc == 0)
            rc = write_again(trx, &n);
        if (rc == 0)
            rc = corm_commit(trx);
        corm_end(trx);
        return rc;
    }
}

static int read_first(struct corm_trx *trx, void *arg)
{
    struct item row = {0};
    int         rc = corm_first(trx, item, &row, .where = corm_eq(item.id, 1));

    (void)arg;
    return rc < 0 ? rc : row.n;
}

/* Row 1, as it is read from a reader; or a negative code. */
static int read_somehow(struct corm_db *db, bool function, struct corm_error *error)
{
    struct item row = {0};

    if (function)
        return corm_transact(db, read_first, NULL, .read_only = true, .reader = true,
                             .error = error);
    int rc =
        corm_first(db, item, &row, .where = corm_eq(item.id, 1), .reader = true, .error = error);
    return rc < 0 ? rc : row.n;
}

/* Writes and reads, in all ways, `times`; the rows that are read are those that were written. How many times the reader
 * is read from right after that. */
static int write_and_read(struct corm_db *db, int first, int times)
{
    int from_reader = 0;

    for (int i = 0; i < times; i++) {
        struct corm_error error = {0};
        int               n = first + i;
        assert_ok(write_somehow(db, i % WAYS, n, &error), &error);
        int read = read_somehow(db, i / WAYS % 2 == 0, &error);
        assert_ok(read, &error);
        if (read != n)
            fail_msg("%d was written, in way %d, and %d was read", n, i % WAYS, read);
        from_reader += node_of_read(db, true) == REPLICA;
    }
    return from_reader;
}

static void who_has_written_reads_what_he_wrote_from_a_reader_that_is_near(void **state)
{
    struct corm_db *db = open_pair("");
    int             n = write_and_read(db, 1, 70);

    (void)state;
    (void)printf("# right after a write %d of 70 reads came from the reader\n", n);
    assert_true(n > 0);
    wait_for_replica();
    wait_until(is_read_from_replica, db);
    corm_close(db);
}

static void who_has_written_reads_what_he_wrote_from_a_reader_that_is_late(void **state)
{
    struct corm_db   *db = open_pair(""), *other = open_pair("");
    struct corm_error error = {0};
    int64_t           began = 0;

    (void)state;
    delay_replica(2);
    began = now_ms();
    (void)write_and_read(db, 1, 21);
    assert_int_equal(read_somehow(db, false, &error), 21);
    /* The control: who has not written is given what the reader has, which is old. */
    if (now_ms() - began < 2000)
        assert_int_equal(read_somehow(other, false, &error), 0);
    else
        assert_true(read_somehow(other, false, &error) < 21);
    assert_int_equal(node_of_read(other, true), REPLICA);
    (void)printf("# 21 writes, each read after it, in %lld ms\n", (long long)(now_ms() - began));
    wait_for_replica();
    wait_until(is_read_from_replica, db);
    assert_int_equal(read_somehow(db, false, &error), 21);
    corm_close(other);
    corm_close(db);
}

static void who_has_written_reads_what_he_wrote_where_the_reader_stands_still(void **state)
{
    struct corm_db   *db = open_pair("");
    struct corm_error error = {0};

    (void)state;
    on_server(REPLICA, "STOP SLAVE SQL_THREAD");
    assert_int_equal(write_and_read(db, 1, 21), 0);
    struct corm_db *other = open_pair("");
    assert_int_equal(node_of_read(other, true), PRIMARY); /* nobody knows how old it is */
    assert_int_equal(read_somehow(other, false, &error), 21);
    on_server(REPLICA, "START SLAVE SQL_THREAD");
    wait_until(is_read_from_replica, db);
    wait_until(is_read_from_replica, other);
    assert_int_equal(read_somehow(other, false, &error), 21);
    corm_close(other);
    corm_close(db);
}

struct pair_worker {
    struct corm_db *db;
    int             id; /* of its row */
    _Atomic bool   *over;
    _Atomic int     from_reader, from_writer;
    int             stale, failed;
};

static bool has_read_from_reader(void *arg)
{
    return atomic_load(&((struct pair_worker *)arg)->from_reader) > 5;
}

static bool has_read_from_writer(void *arg)
{
    return atomic_load(&((struct pair_worker *)arg)->from_writer) > 5;
}

static void *keep_writing_and_reading(void *arg)
{
    struct pair_worker *w = arg;
    struct item         row;

    for (int n = 1; !atomic_load(w->over); n++) {
        int rc = corm_update(w->db, item, corm_eq(item.id, w->id), corm_set(item.n, n));
        if (rc == 1)
            rc = corm_first(w->db, item, &row, .where = corm_eq(item.id, w->id), .reader = true);
        w->failed += rc != 1;
        w->stale += rc == 1 && row.n != n;
        (void)atomic_fetch_add(
            node_of_read(w->db, true) == REPLICA ? &w->from_reader : &w->from_writer, 1);
        (void)nanosleep(&(struct timespec){.tv_nsec = 20000000},
                        NULL); /* the replica has one thread */
    }
    return NULL;
}

/* Four threads share a handle, while the replica stops and goes on. */
static void nobody_reads_what_was_before_his_own_write(void **state)
{
    enum { WORKERS = 4, TURNS = 3 };
    struct corm_db    *db = open_pair("");
    _Atomic bool       over = false;
    struct pair_worker workers[WORKERS];
    pthread_t          threads[WORKERS];
    int                from_reader = 0, from_writer = 0;

    (void)state;
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct pair_worker){.db = db, .id = i, .over = &over};
        assert_int_equal(pthread_create(&threads[i], NULL, keep_writing_and_reading, &workers[i]),
                         0);
    }
    for (int i = 0; i < TURNS; i++) {
        atomic_store(&workers[0].from_reader, 0);
        wait_until(has_read_from_reader, &workers[0]);
        on_server(REPLICA, "STOP SLAVE SQL_THREAD");
        atomic_store(&workers[0].from_writer, 0);
        wait_until(has_read_from_writer, &workers[0]);
        on_server(REPLICA, "START SLAVE SQL_THREAD");
    }
    atomic_store(&over, true);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].stale, 0);
        assert_int_equal(workers[i].failed, 0);
        from_reader += atomic_load(&workers[i].from_reader);
        from_writer += atomic_load(&workers[i].from_writer);
    }
    (void)printf("# of the reads after a write %d came from the reader, %d from the writer\n",
                 from_reader, from_writer);
    corm_close(db);
}

/* ---- A reader that is far behind ------------------------------------------------------------------ */

struct writer {
    struct corm_db *db;
    _Atomic bool    over;
};

/* Somebody else, whose writes are not the handle's own. */
static void *keep_writing(void *arg)
{
    struct writer *w = arg;

    for (int n = 1; !atomic_load(&w->over); n++)
        (void)corm_update(w->db, item, corm_eq(item.id, 2), corm_set(item.n, n));
    return NULL;
}

static void a_reader_is_left_that_is_behind_by_more_than_the_limit(void **state)
{
    struct corm_db *strict = open_pair("?lag_ms=1000"), *patient = open_pair("?lag_ms=3600000");
    struct writer   w = {.db = open_one(PRIMARY)};
    pthread_t       thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, keep_writing, &w), 0);
    on_server(REPLICA, "STOP SLAVE SQL_THREAD");
    int64_t began = now_ms();
    assert_int_equal(node_of_read(strict, true), REPLICA);
    wait_until(is_read_from_primary, strict);
    int64_t left = now_ms() - began;
    (void)printf("# a reader was left %lld ms after it had stopped, the limit was 1000 ms\n",
                 (long long)left);
    assert_true(left >= 400); /* the newest position that it has may be half a second old */
    assert_int_equal(node_of_read(patient, true), REPLICA); /* the control: nothing else is wrong */
    on_server(REPLICA, "START SLAVE SQL_THREAD");
    wait_until(is_read_from_replica, strict);
    atomic_store(&w.over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    corm_close(w.db);
    corm_close(patient);
    corm_close(strict);
}

static void a_reader_two_seconds_behind_is_used_where_the_limit_allows(void **state)
{
    struct corm_db *strict = open_pair("?lag_ms=1000"), *patient = open_pair("?lag_ms=10000");
    struct writer   w = {.db = open_one(PRIMARY)};
    pthread_t       thread;

    (void)state;
    delay_replica(2);
    assert_int_equal(pthread_create(&thread, NULL, keep_writing, &w), 0);
    wait_until(is_read_from_primary, strict);
    for (int64_t until = now_ms() + 3000; now_ms() < until;) {
        assert_int_equal(node_of_read(strict, true), PRIMARY);
        assert_int_equal(node_of_read(patient, true), REPLICA);
    }
    atomic_store(&w.over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    wait_until(is_read_from_replica, strict);
    corm_close(w.db);
    corm_close(patient);
    corm_close(strict);
}

/* ---- A reader that dies ---------------------------------------------------------------------------- */

struct asker {
    struct corm_db *db;
    bool            function;
    _Atomic bool   *over;
    _Atomic int     reads;
    _Atomic int64_t from_primary_at;
    int             rc;
    char            text[200];
};

static void *keep_reading(void *arg)
{
    struct asker     *a = arg;
    struct corm_error error = {0};
    struct plate      row = {0};

    while (!atomic_load(a->over)) {
        int rc = a->function ? corm_transact(a->db, read_plate, NULL, .read_only = true,
                                             .reader = true, .error = &error)
                             : corm_first(a->db, plate, &row, .where = corm_eq(plate.id, 1),
                                          .reader = true, .error = &error);
        if (rc < 0) {
            a->rc = rc;
            (void)snprintf(a->text, sizeof(a->text), "%.199s", error.message);
        }
        int node = a->function ? rc : row.node;
        if (node == PRIMARY && atomic_load(&a->from_primary_at) == 0)
            atomic_store(&a->from_primary_at, now_ms());
        if (node == REPLICA)
            atomic_store(&a->from_primary_at, 0);
        (void)atomic_fetch_add(&a->reads, 1);
    }
    return NULL;
}

static bool has_read(void *arg)
{
    return atomic_load(&((struct asker *)arg)->reads) > 20;
}

static bool has_left(void *arg)
{
    return atomic_load(&((struct asker *)arg)->from_primary_at) != 0;
}

static void reads_of_a_reader_that_dies_or_stands_still_go_on_at_the_writer(void **state)
{
    enum { ASKERS = 4 };

    (void)state;
    for (int stops = 0; stops < 2; stops++) {
        struct corm_db *db = open_pair("");
        _Atomic bool    over = false;
        struct asker    askers[ASKERS];
        pthread_t       threads[ASKERS];
        assert_int_equal(node_of_read(db, true), REPLICA);
        for (int i = 0; i < ASKERS; i++) {
            askers[i] = (struct asker){.db = db, .function = i % 2 == 0, .over = &over};
            assert_int_equal(pthread_create(&threads[i], NULL, keep_reading, &askers[i]), 0);
        }
        for (int i = 0; i < ASKERS; i++)
            wait_until(has_read, &askers[i]);
        int64_t began = now_ms(), last = 0;
        if (stops)
            assert_true(stop_node(REPLICA));
        else
            send_signal(REPLICA, SIGKILL);
        for (int i = 0; i < ASKERS; i++)
            wait_until(has_left, &askers[i]);
        atomic_store(&over, true);
        for (int i = 0; i < ASKERS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            if (askers[i].rc < 0)
                fail_msg("a read failed: %s: %s", corm_code_name(askers[i].rc), askers[i].text);
            int64_t at = atomic_load(&askers[i].from_primary_at);
            last = at > last ? at : last;
        }
        (void)printf("# the last of %d readers read from the writer %lld ms after the reader %s\n",
                     ASKERS, (long long)(last - began), stops ? "stood still" : "was killed");
        assert_true(last - began < 15000);
        if (stops)
            send_signal(REPLICA, SIGCONT);
        else
            start_node(REPLICA);
        wait_until(is_read_from_replica, db);
        corm_close(db);
    }
}

#define FILLED(test) cmocka_unit_test_setup(test, fill)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        FILLED(each_read_that_asks_for_it_comes_from_the_reader),
        FILLED(what_may_write_or_lock_does_not_go_to_a_reader),
        FILLED(a_server_that_is_no_replica_is_not_read_from),
        FILLED(who_has_written_reads_what_he_wrote_from_a_reader_that_is_near),
        FILLED(who_has_written_reads_what_he_wrote_from_a_reader_that_is_late),
        FILLED(who_has_written_reads_what_he_wrote_where_the_reader_stands_still),
        FILLED(nobody_reads_what_was_before_his_own_write),
        FILLED(a_reader_is_left_that_is_behind_by_more_than_the_limit),
        FILLED(a_reader_two_seconds_behind_is_used_where_the_limit_allows),
        FILLED(reads_of_a_reader_that_dies_or_stands_still_go_on_at_the_writer),
    };

    if (getenv("CORM_TEST_ONLY") != NULL)
        cmocka_set_test_filter(getenv("CORM_TEST_ONLY"));
    return cmocka_run_group_tests(tests, replicate, NULL);
}
