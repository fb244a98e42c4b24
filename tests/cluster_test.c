/* cluster_test.c -- a db of several nodes: three real servers, which scripts/with-mariadbs has started and which
 * know nothing of each other. So each can tell what has come to it.
 *
 * Where the test kills or stops servers, it starts them again at its end. */
#include "servers.h"
#include "support.h"

#include "api/db.h"
#include "route/node_of_key.h"

#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NODES = 3, KEYS = 60 };

/* One row, with the number of its server. */
#define PLATE(X)                                                                                   \
    X(id, int, .pk = 1)                                                                            \
    X(node, int)
CORM_MODEL(plate, PLATE);
CORM_DEFINE(plate, PLATE);

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(writes, int)
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

#define LABEL(X)                                                                                   \
    X(name, varchar(20), .pk = 1)                                                                  \
    X(writes, int)
CORM_MODEL(label, LABEL);
CORM_DEFINE(label, LABEL);

/* ---- Servers ------------------------------------------------------------------------- */

static const int all_nodes[NODES] = {1, 2, 3};
#define HOSTS "127.0.0.1,127.0.0.1,127.0.0.1"

static struct corm_db *open_all(void)
{
    struct corm_error error = {0};
    struct corm_db   *db = NULL;

    assert_ok(open_nodes(&db, HOSTS, all_nodes, NODES, NULL, &error), &error);
    return db;
}

static int fill_server(void **state)
{
    (void)state;
    for (int node = 1; node <= NODES; node++) {
        struct corm_db   *db = open_one(node);
        struct corm_error error = {0};
        struct item       rows[KEYS];
        assert_ok(corm_setup(db, &error), &error);
        new_table(db, plate);
        new_table(db, item);
        new_table(db, label);
        assert_rows(corm_insert_row(db, plate, &((struct plate){1, node}), .error = &error), 1,
                    &error);
        for (int id = 0; id < KEYS; id++)
            rows[id] = (struct item){id, 0};
        assert_rows(corm_insert_rows(db, item, KEYS, rows, .error = &error), KEYS, &error);
        corm_close(db);
    }
    return 0;
}

/* ---- Where a transaction is ------------------------------------------------------------ */

/* The node that it runs on, or a negative code. */
static int read_plate(struct corm_trx *trx, void *arg)
{
    struct plate row;
    int          rc = corm_first(trx, plate, &row, .where = corm_eq(plate.id, 1));

    (void)arg;
    return rc < 0 ? rc : rc == 0 ? corm_abort(trx, CORM_USER, "no plate") : row.node;
}

static int begin_and_read(struct corm_trx *trx)
{
    int node = read_plate(trx, NULL);

    corm_end(trx);
    return node;
}

/* By the hash of the key alone: which one, from 1. */
static int wanted_node(const struct corm_db *db, int id)
{
    const struct corm__lock_key key = {.table = item.corm_table, .values = {corm_v_int_(id)}};

    return (int)corm__node_of_key(&db->nodes, &key)->number;
}

struct submitted {
    int node;
};

static void note_node(int rc, const struct corm_error *error, void *arg)
{
    (void)error;
    ((struct submitted *)arg)->node = rc;
}

static void a_key_has_the_same_node_however_it_is_asked_for(void **state)
{
    struct corm_db   *db = open_all();
    struct submitted  submitted[KEYS] = {{0}};
    struct corm_error error = {0};
    int               keys_of[NODES + 1] = {0};

    (void)state;
    for (int id = 0; id < KEYS; id++)
        assert_ok(corm_submit(db, read_plate, &submitted[id], .key = corm_eq(item.id, id),
                              .done = note_node, .error = &error),
                  &error);
    assert_int_equal(corm_drain(db), KEYS);
    for (int id = 0; id < KEYS; id++) {
        struct corm_trx *trx = NULL;
        int              node = wanted_node(db, id);
        assert_rows(submitted[id].node, node, &error);
        assert_rows(
            corm_transact(db, read_plate, NULL, .key = corm_eq(item.id, id), .error = &error), node,
            &error);
        assert_ok(corm_begin(db, &trx, .key = corm_eq(item.id, id), .error = &error), &error);
        assert_rows(begin_and_read(trx), node, &error);
        keys_of[node]++;
    }
    for (int node = 1; node <= NODES; node++)
        assert_true(keys_of[node] > KEYS / NODES / 3);
    corm_close(db);
}

static void the_order_of_the_list_does_not_matter(void **state)
{
    static const int  turned[NODES] = {3, 1, 2};
    struct corm_db   *db = open_all(), *other = NULL;
    struct corm_error error = {0};

    (void)state;
    assert_ok(open_nodes(&other, HOSTS, turned, NODES, NULL, &error), &error);
    for (int id = 0; id < KEYS; id++)
        assert_rows(
            corm_transact(other, read_plate, NULL, .key = corm_eq(item.id, id), .error = &error),
            wanted_node(db, id), &error);
    corm_close(other);
    corm_close(db);
}

static void a_node_that_is_asked_for_is_used(void **state)
{
    struct corm_db   *db = open_all();
    struct corm_error error = {0};

    (void)state;
    for (int node = 1; node <= NODES; node++) {
        struct corm_trx *trx = NULL;
        struct submitted submitted = {0};
        uint32_t         n = (uint32_t)node;
        assert_rows(corm_transact(db, read_plate, NULL, .node = n, .error = &error), node, &error);
        assert_rows(corm_transact(db, read_plate, NULL, .node = n, .key = corm_eq(item.id, 7),
                                  .error = &error),
                    node, &error);
        assert_rows(
            corm_transact(db, read_plate, NULL, .node = n, .read_only = true, .error = &error),
            node, &error);
        assert_ok(corm_submit(db, read_plate, &submitted, .node = n, .key = corm_eq(item.id, 7),
                              .done = note_node, .error = &error),
                  &error);
        assert_int_equal(corm_drain(db), 1);
        assert_rows(submitted.node, node, &error);
        assert_ok(corm_begin(db, &trx, .node = n, .error = &error), &error);
        assert_rows(read_plate(trx, NULL), node, &error);
        assert_int_equal(corm_commit(trx), 0);
        assert_int_equal(corm_start(trx), 0);
        assert_rows(begin_and_read(trx), node, &error);
    }
    corm_close(db);
}

static void a_node_that_is_not_there_is_an_error(void **state)
{
    struct corm_db   *db = open_all(), *one = open_one(1), *reading = NULL;
    struct corm_error error = {0};
    struct corm_trx  *trx = NULL;

    (void)state;
    assert_code(corm_transact(db, read_plate, NULL, .node = 4, .error = &error), CORM_MISUSE,
                &error);
    assert_says(&error, "there is no node 4: the database has 3");
    assert_code(
        corm_transact(db, read_plate, NULL, .node = 4, .key = corm_eq(item.id, 1), .error = &error),
        CORM_MISUSE, &error);
    assert_code(
        corm_submit(db, read_plate, NULL, .node = 4, .key = corm_eq(item.id, 1), .error = &error),
        CORM_MISUSE, &error);
    assert_code(corm_begin(db, &trx, .node = 4, .error = &error), CORM_MISUSE, &error);
    assert_null(trx);
    assert_rows(corm_transact(one, read_plate, NULL, .node = 1, .error = &error), 1, &error);
    assert_code(corm_transact(one, read_plate, NULL, .node = 2, .error = &error), CORM_MISUSE,
                &error);
    assert_ok(open_nodes(&reading, "127.0.0.1,127.0.0.1,reader@127.0.0.1", all_nodes, NODES, NULL,
                         &error),
              &error);
    assert_code(corm_transact(reading, read_plate, NULL, .node = 3, .error = &error), CORM_MISUSE,
                &error);
    assert_says(&error, "node 3 is a reader");
    assert_rows(
        corm_transact(reading, read_plate, NULL, .node = 3, .read_only = true, .error = &error), 3,
        &error);
    for (int id = 0; id < KEYS; id++)
        assert_in_range(
            corm_transact(reading, read_plate, NULL, .key = corm_eq(item.id, id), .error = &error),
            1, 2);
    corm_close(reading);
    corm_close(one);
    corm_close(db);
}

static void what_names_no_node_stays_on_one(void **state)
{
    struct corm_db   *db = open_all();
    struct corm_error error = {0};
    struct plate      row;
    int               node = corm_transact(db, read_plate, NULL, .error = &error);

    (void)state;
    assert_ok(node, &error);
    for (int i = 0; i < 20; i++) {
        assert_rows(corm_transact(db, read_plate, NULL, .error = &error), node, &error);
        assert_rows(corm_first(db, plate, &row, .where = corm_eq(plate.id, 1), .error = &error), 1,
                    &error);
        assert_int_equal(row.node, node);
    }
    corm_close(db);
}

static int count_up(struct corm_trx *trx, void *arg)
{
    int id = *(const int *)arg;
    int rc = corm_update(trx, item, corm_eq(item.id, id), corm_add(item.writes, 1));

    return rc < 0 ? rc : read_plate(trx, NULL);
}

/* Each server has its own rows: what was written where it does not belong would be seen. */
static void writes_of_a_key_are_on_its_node(void **state)
{
    struct corm_db   *db = open_all();
    struct corm_error error = {0};
    int               nodes[KEYS];

    (void)state;
    for (int id = 0; id < KEYS; id++) {
        nodes[id] = corm_transact(db, count_up, &id, .key = corm_eq(item.id, id), .error = &error);
        assert_rows(nodes[id], wanted_node(db, id), &error);
    }
    corm_close(db);
    for (int node = 1; node <= NODES; node++) {
        struct corm_db *one = open_one(node);
        for (int id = 0; id < KEYS; id++)
            assert_int_equal(
                corm_count(one, item,
                           .where = corm_and(corm_eq(item.id, id), corm_eq(item.writes, 1))),
                nodes[id] == node);
        corm_close(one);
    }
}

static void keys_of_text_are_compared_by_their_bytes(void **state)
{
    struct corm_db   *db = open_all(), *one = open_one(1);
    struct corm_error error = {0};
    struct corm_trx  *trx = NULL;

    (void)state;
    assert_ok(corm_transact(db, read_plate, NULL, .key = corm_eq(label.name, "a"), .error = &error),
              &error);
    corm_close(db);
    for (int node = 1; node <= NODES; node++) {
        struct corm_db *folding = open_one(node);
        assert_ok(corm_sql(folding, NULL,
                           "ALTER TABLE label MODIFY name VARCHAR(20) NOT NULL COLLATE "
                           "utf8mb4_general_ci",
                           .error = &error),
                  &error);
        corm_close(folding);
    }
    db = open_all();
    assert_code(
        corm_transact(db, read_plate, NULL, .key = corm_eq(label.name, "a"), .error = &error),
        CORM_UNSUPPORTED, &error);
    assert_says(&error, "the primary key of label");
    assert_says(&error, "utf8mb4_nopad_bin");
    assert_code(corm_submit(db, read_plate, NULL, .key = corm_eq(label.name, "a"), .error = &error),
                CORM_UNSUPPORTED, &error);
    assert_code(corm_begin(db, &trx, .key = corm_eq(label.name, "a"), .error = &error),
                CORM_UNSUPPORTED, &error);
    assert_null(trx);
    assert_rows(
        corm_transact(one, read_plate, NULL, .key = corm_eq(label.name, "a"), .error = &error), 1,
        &error);
    corm_close(one);
    corm_close(db);
}

/* ---- Opening --------------------------------------------------------------------------- */

static void one_writer_that_answers_is_enough(void **state)
{
    struct corm_error error = {0};
    struct corm_db   *db = NULL;
    struct told       told = {0};
    char              port[64];

    (void)state;
    (void)open_nodes(&db, HOSTS, all_nodes, NODES, NULL, &error);
    corm_close(db);
    (void)snprintf(port, sizeof(port), "1,%s,2", of_node(2, "PORT"));
    (void)setenv("DB_PORT", port, 1);
    assert_ok(
        corm_open(&db, NULL, .error = &error, .on_warning = note_warning, .on_warning_arg = &told),
        &error);
    assert_int_equal(told.count, 2);
    assert_non_null(strstr(told.text, "node 3 of the database is not used"));
    for (int id = 0; id < KEYS; id++)
        assert_rows(
            corm_transact(db, read_plate, NULL, .key = corm_eq(item.id, id), .error = &error), 2,
            &error);
    assert_rows(corm_transact(db, read_plate, NULL, .error = &error), 2, &error);
    assert_code(corm_transact(db, read_plate, NULL, .node = 3, .timeout_ms = 200, .error = &error),
                CORM_UNREACHABLE, &error);
    corm_close(db);

    (void)setenv("DB_HOST", "127.0.0.1,127.0.0.1,reader@127.0.0.1", 1);
    (void)snprintf(port, sizeof(port), "1,2,%s", of_node(3, "PORT"));
    (void)setenv("DB_PORT", port, 1);
    assert_code(corm_open(&db, NULL, .error = &error), CORM_UNREACHABLE, &error);
    assert_says(&error, "none of the 2 nodes that write can be used");
    assert_null(db);
    (void)setenv("DB_PORT", "1,2,3", 1);
    (void)setenv("DB_HOST", HOSTS, 1);
    assert_code(corm_open(&db, NULL, .error = &error), CORM_UNREACHABLE, &error);
}

/* ---- Faults -------------------------------------------------------------------------------- */

/* What a test that failed has left: all servers run, go on, and take writes. */
static int mend_servers(void **state)
{
    (void)state;
    for (int node = 1; node <= NODES; node++) {
        struct corm_error error = {0};
        (void)kill(process_of(node), SIGCONT);
        char command[512];
        (void)snprintf(command, sizeof(command), "%s 2>/dev/null", of_node(node, "START"));
        (void)system(command); /* fails where it runs */
        struct corm_db *db = open_one(node);
        assert_ok(corm_sql(db, NULL, "SET GLOBAL read_only=0", .error = &error), &error);
        corm_close(db);
    }
    return 0;
}

/* A key of each node. */
static int key_of(const struct corm_db *db, int node)
{
    for (int id = 0; id < KEYS; id++)
        if (wanted_node(db, id) == node)
            return id;
    fail_msg("no key of node %d", node);
    return -1;
}

struct place {
    struct corm_db *db;
    int             id;   /* the key */
    int             node; /* where it is wanted */
};

static bool is_there(void *arg)
{
    const struct place *p = arg;

    return corm_transact(p->db, read_plate, NULL, .key = corm_eq(item.id, p->id)) == p->node;
}

/* What the statistics say of the second of three nodes. */
static void assert_second_node(struct corm_db *db, bool is_up, uint64_t left)
{
    struct corm_arena     *arena = corm_arena_new();
    struct corm_node_stats node;
    const char            *up[NODES] = {NULL};

    assert_int_equal(corm_node_stats(db, 2, &node, NULL), 0);
    assert_int_equal(node.health == CORM_NODE_IS_UP, is_up);
    assert_int_equal(node.left, left);
    const char *at = corm_stats_text(db, arena, NULL);
    assert_non_null(at);
    for (int i = 0; i < NODES; i++) {
        up[i] = strstr(at, "\ncorm_node_up{");
        assert_non_null(up[i]);
        at = strchr(up[i] + 1, '\n');
        assert_int_equal(at[-1], i != 1 || is_up ? '1' : '0');
    }
    assert_null(strstr(at, "\ncorm_node_up{"));
    corm_arena_free(arena);
}

static void the_keys_of_a_node_that_dies_move_and_come_back(void **state)
{
    struct corm_db   *db = open_all();
    struct corm_error error = {0};
    struct place      home = {.db = db, .id = key_of(db, 2), .node = 2};
    int               before[KEYS];

    (void)state;
    for (int id = 0; id < KEYS; id++)
        before[id] = corm_transact(db, read_plate, NULL, .key = corm_eq(item.id, id));
    assert_second_node(db, true, 0);
    send_signal(2, SIGKILL);
    int64_t began = now_ms();
    int     other =
        corm_transact(db, read_plate, NULL, .key = corm_eq(item.id, home.id), .error = &error);
    int64_t moved = now_ms() - began;
    assert_ok(other, &error);
    assert_int_not_equal(other, 2);
    for (int id = 0; id < KEYS; id++) {
        struct corm_trx *trx = NULL;
        int              node =
            corm_transact(db, read_plate, NULL, .key = corm_eq(item.id, id), .error = &error);
        assert_ok(node, &error);
        assert_true(before[id] == 2 ? node != 2 : node == before[id]);
        assert_ok(corm_begin(db, &trx, .key = corm_eq(item.id, id), .error = &error), &error);
        assert_rows(begin_and_read(trx), node, &error);
    }
    (void)printf("# the first transaction on another node ended %lld ms after the node had died\n",
                 (long long)moved);
    assert_second_node(db, false, 1);
    start_node(2);
    began = now_ms();
    assert_int_not_equal(corm_transact(db, read_plate, NULL, .key = corm_eq(item.id, home.id)), 2);
    wait_until(is_there, &home);
    assert_second_node(db, true, 1);
    assert_true(now_ms() - began >= CORM__RETURN_MS - 1000); /* it was seen to be there before */
    for (int id = 0; id < KEYS; id++)
        assert_rows(
            corm_transact(db, read_plate, NULL, .key = corm_eq(item.id, id), .error = &error),
            before[id], &error);
    corm_close(db);
}

static _Atomic int64_t first_error_ms;

static void note_first_error(const struct corm_event *event, void *arg)
{
    int64_t none = 0;

    (void)arg;
    if (event->code < 0)
        (void)atomic_compare_exchange_strong(&first_error_ms, &none, now_ms());
}

/* Works on one key, call after call. */
struct steady {
    struct corm_db *db;
    int             id;
    _Atomic bool   *over;
    _Atomic int     calls;
    _Atomic int64_t moved_ms; /* when a call on another node than 2 had ended first */
    int             failed;
};

static void *work_steadily(void *arg)
{
    struct steady *s = arg;

    while (!atomic_load(s->over)) {
        int node = corm_transact(s->db, read_plate, NULL, .key = corm_eq(item.id, s->id));
        s->failed += node < 0;
        if (node > 0 && node != 2 && atomic_load(&s->moved_ms) == 0)
            atomic_store(&s->moved_ms, now_ms());
        (void)atomic_fetch_add(&s->calls, 1);
    }
    return NULL;
}

static bool has_worked(void *arg)
{
    return atomic_load(&((struct steady *)arg)->calls) > 10;
}

static bool has_moved(void *arg)
{
    return atomic_load(&((struct steady *)arg)->moved_ms) != 0;
}

/* Each of several keys, under work; how long after the first error the last of them is at home elsewhere. Nothing is
 * written: of a COMMIT that is lost nobody can tell but this node. */
static void the_keys_of_a_node_that_is_killed_move_at_once(void **state)
{
    enum { KEYS_OF_IT = 8 };
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    struct steady     all[KEYS_OF_IT];
    pthread_t         threads[KEYS_OF_IT];
    _Atomic bool      over = false;
    int               n = 0;
    int64_t           last = 0;

    (void)state;
    assert_ok(open_nodes(&db, HOSTS, all_nodes, NODES, NULL, &error), &error);
    corm_close(db);
    assert_ok(corm_open(&db, NULL, .error = &error, .on_statement = note_first_error), &error);
    for (int id = 0; id < KEYS && n < KEYS_OF_IT; id++)
        if (wanted_node(db, id) == 2)
            all[n++] = (struct steady){.db = db, .id = id, .over = &over};
    assert_int_equal(n, KEYS_OF_IT);
    for (int i = 0; i < n; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work_steadily, &all[i]), 0);
    for (int i = 0; i < n; i++)
        wait_until(has_worked, &all[i]);
    atomic_store(&first_error_ms, 0);
    int64_t killed = now_ms();
    send_signal(2, SIGKILL);
    for (int i = 0; i < n; i++)
        wait_until(has_moved, &all[i]);
    atomic_store(&over, true);
    for (int i = 0; i < n; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        int64_t at = atomic_load(&all[i].moved_ms);
        last = at > last ? at : last;
        assert_int_equal(all[i].failed, 0);
    }
    int64_t first = atomic_load(&first_error_ms) != 0 ? atomic_load(&first_error_ms) : killed;
    (void)printf("# the last of %d keys had moved %lld ms after the first error, %lld ms after "
                 "their node was killed\n",
                 n, (long long)(last - first), (long long)(last - killed));
    assert_true(last - first < 10000);
    corm_close(db);
}

static void who_has_begun_begins_again_on_another_node(void **state)
{
    struct corm_db   *db = open_all();
    struct corm_error error = {0};
    struct corm_trx  *trx = NULL;
    int               id = key_of(db, 2);

    (void)state;
    assert_ok(corm_begin(db, &trx, .key = corm_eq(item.id, id), .error = &error), &error);
    assert_rows(read_plate(trx, NULL), 2, &error);
    send_signal(2, SIGKILL);
    assert_int_equal(corm_update(trx, item, corm_eq(item.id, id), corm_add(item.writes, 1)),
                     CORM_DISCONNECTED);
    assert_int_equal(corm_commit(trx), CORM_DISCONNECTED);
    int node = -1;
    for (int i = 0; i < 100 && node < 0; i++) /* until it is known to be gone */
        if (corm_start(trx) == 0) {
            node = read_plate(trx, NULL);
            (void)corm_rollback(trx);
        }
    assert_ok(node, &error);
    assert_int_not_equal(node, 2);
    corm_end(trx);
    corm_close(db);
}

/* Stops its node in its first run: what it has asked for is never answered. */
struct stopping {
    int runs, stopped;
    int first; /* the node of the first run */
};

static int stop_and_read(struct corm_trx *trx, void *arg)
{
    struct stopping *s = arg;
    int              node = read_plate(trx, NULL);

    if (node > 0 && ++s->runs == 1) {
        s->first = s->stopped = node;
        if (!stop_node(node))
            return corm_abort(trx, CORM_USER, "it does not stand still");
    }
    return node < 0 ? node : read_plate(trx, NULL);
}

static void who_waits_for_a_node_that_stands_still_goes_to_another(void **state)
{
    (void)state;
    for (int keyed = 0; keyed < 2; keyed++) {
        struct corm_db   *db = open_all();
        struct corm_error error = {0};
        struct stopping   s = {0};
        int               id = key_of(db, 3);
        int64_t           began = now_ms();
        int node = keyed ? corm_transact(db, stop_and_read, &s, .key = corm_eq(item.id, id),
                                         .error = &error)
                         : corm_transact(db, stop_and_read, &s, .error = &error);
        (void)printf("# it went to another node %lld ms after its own stood still\n",
                     (long long)(now_ms() - began));
        assert_ok(node, &error);
        assert_true(s.stopped > 0);
        assert_int_not_equal(node, s.stopped);
        assert_int_equal(s.runs, 2);
        if (keyed)
            assert_int_equal(s.first, 3);
        struct place home = {.db = db, .id = key_of(db, node), .node = node};
        assert_true(is_there(&home));
        send_signal(s.stopped, SIGCONT);
        corm_close(db);
    }
}

/* What waits in the lanes of a node goes with its keys. */
static void what_waits_in_a_lane_moves_with_its_keys(void **state)
{
    struct corm_db   *db = open_all();
    struct corm_error error = {0};
    struct submitted  told[KEYS] = {{0}};
    struct stopping   s = {0};
    int               id = key_of(db, 1);

    (void)state;
    assert_ok(corm_submit(db, stop_and_read, &s, .key = corm_eq(item.id, id), .error = &error),
              &error);
    for (int i = 0; i < KEYS; i++)
        assert_ok(corm_submit(db, read_plate, &told[i], .key = corm_eq(item.id, i),
                              .done = note_node, .error = &error),
                  &error);
    assert_int_equal(corm_drain(db), KEYS + 1);
    assert_int_equal(s.stopped, 1);
    for (int i = 0; i < KEYS; i++)
        if (told[i].node < 1 || told[i].node > NODES)
            fail_msg("key %d was told %d", i, told[i].node);
    assert_int_not_equal(told[id].node, 1); /* it stood behind the one that stopped it */
    send_signal(1, SIGCONT);
    corm_close(db);
}

/* Holds its lane, on a node that dies, in its first run. */
struct holding {
    sem_t begun, released;
    int   runs;
};

static int kill_and_hold(struct corm_trx *trx, void *arg)
{
    struct holding *h = arg;

    if (++h->runs == 1) {
        send_signal(1, SIGKILL);
        (void)sem_post(&h->begun);
        (void)sem_wait(&h->released);
    }
    return read_plate(trx, NULL);
}

/* Also behind one that does not end. */
static void what_waits_in_a_lane_that_is_stuck_moves_with_its_key(void **state)
{
    struct corm_db   *db = open_all();
    struct corm_error error = {0};
    struct holding    h = {.runs = 0};
    struct submitted  told = {0};
    int               id = key_of(db, 1), other = key_of(db, 2);
    int64_t           until = now_ms() + 25000;

    (void)state;
    assert_int_equal(sem_init(&h.begun, 0, 0) + sem_init(&h.released, 0, 0), 0);
    assert_ok(corm_submit(db, kill_and_hold, &h, .key = corm_eq(item.id, id), .error = &error),
              &error);
    (void)sem_wait(&h.begun);
    assert_ok(corm_submit(db, read_plate, &told, .key = corm_eq(item.id, id), .done = note_node,
                          .error = &error),
              &error);
    while (told.node == 0 && now_ms() < until) {
        (void)corm_transact(db, read_plate, NULL, .key = corm_eq(item.id, other));
        (void)corm_dispatch(db);
    }
    int node = told.node; /* while the first one still runs */
    (void)sem_post(&h.released);
    (void)corm_drain(db);
    if (node < 2 || node > NODES)
        fail_msg("who waited behind it was told %d", node);
    assert_int_equal(h.runs, 2);
    assert_int_equal(sem_destroy(&h.begun) + sem_destroy(&h.released), 0);
    corm_close(db);
}

/* ---- A primary and what may become one --------------------------------------------------------- */

static void set_read_only(int node, int on)
{
    struct corm_db   *db = open_one(node);
    struct corm_error error = {0};

    assert_ok(corm_sql(db, NULL, on ? "SET GLOBAL read_only=1" : "SET GLOBAL read_only=0",
                       .error = &error),
              &error);
    corm_close(db);
}

static int count_plainly(struct corm_trx *trx, void *arg)
{
    int id = *(const int *)arg;

    return corm_update(trx, item, corm_eq(item.id, id), corm_add(item.writes, 1));
}

/* A user without the right to write where others may not. */
static void make_plain_user(int node)
{
    struct corm_db   *db = open_one(node);
    struct corm_error error = {0};

    assert_ok(corm_sql(db, NULL, "CREATE OR REPLACE USER plain@'127.0.0.1' IDENTIFIED BY 'plain'",
                       .error = &error),
              &error);
    assert_ok(corm_sql(db, NULL,
                       "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON shop.* TO "
                       "plain@'127.0.0.1'",
                       .error = &error),
              &error);
    corm_close(db);
}

static struct corm_db *open_plainly(void)
{
    struct corm_error error = {0};
    struct corm_db   *db = NULL;

    for (int node = 1; node <= NODES; node++)
        make_plain_user(node);
    (void)open_nodes(&db, HOSTS, all_nodes, NODES, NULL, &error);
    corm_close(db);
    (void)setenv("DB_USERNAME", "plain", 1);
    (void)setenv("DB_PASSWORD", "plain", 1);
    assert_ok(corm_open(&db, NULL, .error = &error), &error);
    return db;
}

static int64_t writes_on(int node, int id)
{
    struct corm_db *db = open_one(node);
    struct item     row = {0};

    (void)corm_first(db, item, &row, .where = corm_eq(item.id, id));
    corm_close(db);
    return row.writes;
}

static void a_node_that_takes_no_writes_is_left_by_its_first_refusal(void **state)
{
    struct corm_db   *db = open_plainly();
    struct corm_error error = {0};
    struct place      home = {.db = db, .id = key_of(db, 2), .node = 2};

    (void)state;
    set_read_only(2, 1);
    assert_rows(corm_transact(db, count_plainly, &home.id, .key = corm_eq(item.id, home.id),
                              .error = &error),
                1, &error);
    assert_rows(corm_transact(db, count_plainly, &home.id, .key = corm_eq(item.id, home.id),
                              .error = &error),
                1, &error);
    assert_int_equal(writes_on(2, home.id), 0);
    assert_int_equal(writes_on(1, home.id) + writes_on(3, home.id), 2);
    set_read_only(2, 0);
    wait_until(is_there, &home);
    corm_close(db);
}

struct late {
    struct corm_db   *db;
    int               id, rc;
    struct corm_error error;
};

static void *count_late(void *arg)
{
    struct late *late = arg;

    late->rc = corm_transact(late->db, count_plainly, &late->id, .error = &late->error);
    return NULL;
}

/* Node 1 is the primary, node 2 will be; between, there is none. */
static void work_waits_for_the_next_primary(void **state)
{
    static const int  pair[] = {1, 2};
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    struct late       late = {.id = 4};
    pthread_t         thread;

    (void)state;
    set_read_only(2, 1);
    assert_ok(open_nodes(&db, "127.0.0.1,127.0.0.1", pair, 2, NULL, &error), &error);
    for (int id = 0; id < KEYS; id++)
        assert_rows(
            corm_transact(db, read_plate, NULL, .key = corm_eq(item.id, id), .error = &error), 1,
            &error);
    send_signal(1, SIGKILL);
    late.db = db;
    assert_int_equal(pthread_create(&thread, NULL, count_late, &late), 0);
    struct place second = {.db = db, .id = 5, .node = 2};
    set_read_only(2, 0);
    (void)pthread_join(thread, NULL);
    assert_rows(late.rc, 1, &late.error);
    wait_until(is_there, &second);
    assert_int_equal(writes_on(2, 4), 1);
    corm_close(db);
}

/* ---- Guards ------------------------------------------------------------------------------ */

#define GUARD(X)                                                                                   \
    X(number, bigint, .pk = 1)                                                                     \
    X(locks, bigint)
CORM_MODEL_AS(guard, "corm_guard", GUARD);
CORM_DEFINE(guard, GUARD);

enum { GUARDED = 5, TIMES = 200 };

/* By what its key does not lock it reads and writes, too. */
static int write_two(struct corm_trx *trx, void *arg)
{
    int         id = *(const int *)arg;
    struct item row;
    int         rc =
        corm_first(trx, item, &row, .where = corm_eq(item.id, 50 + id), .lock = CORM_FOR_UPDATE);

    if (rc == 1)
        rc = corm_update(trx, item, corm_eq(item.id, 50 + id), corm_add(item.writes, 1));
    return rc < 0 ? rc : corm_update(trx, item, corm_eq(item.id, id), corm_add(item.writes, 1));
}

static const char *url_of(int node, const char *options)
{
    static char url[256];

    (void)snprintf(url, sizeof(url), "mariadb://%s:%s@127.0.0.1:%s/shop?%s", of_node(node, "USER"),
                   of_node(node, "PASSWORD"), of_node(node, "PORT"), options);
    return url;
}

/* How many rows corm_guard has, or (`locks`) how often they were locked. */
static int64_t guards_of(struct corm_db *db, bool locks)
{
    struct corm_arena *arena = corm_arena_new();
    struct corm_error  error = {0};
    struct guard      *rows = NULL;
    int64_t            n = corm_all(db, guard, &rows, .arena = arena, .error = &error), sum = 0;

    assert_ok(n, &error);
    for (int64_t i = 0; i < n; i++)
        sum += rows[i].locks;
    corm_arena_free(arena);
    return locks ? sum : n;
}

static void members_of_groups_guard_what_they_lock(void **state)
{
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    int               ids[TIMES];

    (void)state;
    assert_ok(corm_open(&db, url_of(1, "guard=on&lanes=3"), .error = &error), &error);
    assert_ok(corm_delete(db, guard, corm_everything()), &error);
    for (int i = 0; i < TIMES; i++) {
        ids[i] = i % GUARDED;
        assert_ok(
            corm_submit(db, write_two, &ids[i], .key = corm_eq(item.id, ids[i]), .error = &error),
            &error);
    }
    assert_int_equal(corm_drain(db), TIMES);
    for (int i = 0; i < GUARDED; i++)
        for (int k = 0; k < 2; k++)
            assert_int_equal(corm_count(db, item,
                                        .where = corm_and(corm_eq(item.id, i + k * 50),
                                                          corm_eq(item.writes, TIMES / GUARDED))),
                             1);
    assert_int_equal(guards_of(db, false), 2 * GUARDED);
    assert_true(guards_of(db, true) >= 2 * GUARDED);
    int64_t before = guards_of(db, true);
    assert_rows(
        corm_transact(db, write_two, &ids[0], .key = corm_eq(item.id, ids[0]), .error = &error), 1,
        &error);
    assert_rows(corm_transact(db, write_two, &ids[0], .error = &error), 1, &error);
    assert_int_equal(guards_of(db, true), before + 4);
    corm_close(db);
    assert_ok(corm_open(&db, url_of(1, "guard=off"), .error = &error), &error);
    before = guards_of(db, true);
    assert_rows(
        corm_transact(db, write_two, &ids[0], .key = corm_eq(item.id, ids[0]), .error = &error), 1,
        &error);
    assert_int_equal(guards_of(db, true), before);
    corm_close(db);
}

#define FAULT(test) cmocka_unit_test_setup_teardown(test, fill_server, mend_servers)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_key_has_the_same_node_however_it_is_asked_for, fill_server),
        cmocka_unit_test(the_order_of_the_list_does_not_matter),
        cmocka_unit_test(a_node_that_is_asked_for_is_used),
        cmocka_unit_test(a_node_that_is_not_there_is_an_error),
        cmocka_unit_test(what_names_no_node_stays_on_one),
        cmocka_unit_test_setup(writes_of_a_key_are_on_its_node, fill_server),
        cmocka_unit_test_setup_teardown(keys_of_text_are_compared_by_their_bytes, fill_server,
                                        fill_server),
        cmocka_unit_test(one_writer_that_answers_is_enough),
        cmocka_unit_test_setup(members_of_groups_guard_what_they_lock, fill_server),
        FAULT(the_keys_of_a_node_that_dies_move_and_come_back),
        FAULT(the_keys_of_a_node_that_is_killed_move_at_once),
        FAULT(who_has_begun_begins_again_on_another_node),
        FAULT(who_waits_for_a_node_that_stands_still_goes_to_another),
        FAULT(what_waits_in_a_lane_moves_with_its_keys),
        FAULT(what_waits_in_a_lane_that_is_stuck_moves_with_its_key),
        FAULT(a_node_that_takes_no_writes_is_left_by_its_first_refusal),
        FAULT(work_waits_for_the_next_primary),
    };

    if (getenv("CORM_TEST_ONLY") != NULL)
        cmocka_set_test_filter(getenv("CORM_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
