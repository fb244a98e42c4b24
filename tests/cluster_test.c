/* cluster_test.c -- a db of several nodes: three real servers, which scripts/with-mariadbs has started and which
 * know nothing of each other. So each can tell what has come to it.
 *
 * Where the test kills or stops servers, it starts them again at its end. */
#include "support.h"

#include "api/db.h"
#include "route/node_of_key.h"

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

static const char *of_node(int node, const char *name)
{
    char variable[64];

    (void)snprintf(variable, sizeof(variable), "CORM_TEST_NODE_%d_%s", node, name);
    const char *value = getenv(variable);
    if (value == NULL)
        fail_msg("%s is not set: run it by scripts/with-mariadbs 3", variable);
    return value;
}

/* A list for the environment: `part` of each node, with commas between. */
static void set_list(const char *variable, const char *part, const int *nodes, size_t count)
{
    char   text[512] = "";
    size_t used = 0;

    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? "," : "",
                                 of_node(nodes[i], part));
    assert_int_equal(setenv(variable, text, 1), 0);
}

struct told {
    int  count;
    char text[600];
};

static void note_warning(const char *text, void *arg)
{
    struct told *told = arg;

    told->count++;
    (void)snprintf(told->text, sizeof(told->text), "%s", text);
}

/* Opens a database "shop" on these servers, by the environment. `hosts` is DB_HOST. */
static int open_nodes(struct corm_db **db, const char *hosts, const int *nodes, size_t count,
                      struct told *told, struct corm_error *error)
{
    (void)unsetenv("DATABASE_URL");
    (void)setenv("DB_DATABASE", "shop", 1);
    (void)setenv("DB_CLUSTER", "true", 1);
    (void)setenv("DB_HOST", hosts, 1);
    (void)setenv("DB_CONNECTION_LIMIT", "6", 1);
    set_list("DB_PORT", "PORT", nodes, count);
    set_list("DB_USERNAME", "USER", nodes, count);
    set_list("DB_PASSWORD", "PASSWORD", nodes, count);
    return corm_open(db, NULL, .error = error, .on_warning = told != NULL ? note_warning : NULL,
                     .on_warning_arg = told);
}

static const int all_nodes[NODES] = {1, 2, 3};
#define HOSTS "127.0.0.1,127.0.0.1,127.0.0.1"

static struct corm_db *open_all(void)
{
    struct corm_error error = {0};
    struct corm_db   *db = NULL;

    assert_ok(open_nodes(&db, HOSTS, all_nodes, NODES, NULL, &error), &error);
    return db;
}

static struct corm_db *open_one(int node)
{
    struct corm_error error = {0};
    struct corm_db   *db = NULL;

    assert_ok(open_nodes(&db, "127.0.0.1", &node, 1, NULL, &error), &error);
    return db;
}

static int fill_server(void **state)
{
    (void)state;
    for (int node = 1; node <= NODES; node++) {
        struct corm_db   *db = open_one(node);
        struct corm_error error = {0};
        assert_ok(corm_setup(db, &error), &error);
        new_table(db, plate);
        new_table(db, item);
        new_table(db, label);
        assert_rows(corm_insert_row(db, plate, &((struct plate){1, node}), .error = &error), 1,
                    &error);
        for (int id = 0; id < KEYS; id++)
            assert_rows(corm_insert_row(db, item, &((struct item){id, 0}), .error = &error), 1,
                        &error);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
