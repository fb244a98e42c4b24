/* nodes_test.c -- which of several nodes is used: the states of src/pool/nodes.h edge by edge, what errors and looks
 * say, and where keys go. No server, no thread, and a clock that stands still. */
#include "pool/nodes.h"
#include "route/node_of_key.h"
#include "route/rendezvous.h"

#include <corm/corm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define ITEM(X) X(id, int, .pk = 1)
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

enum { NODES = 3 };

static struct corm__nodes nodes;
static int64_t            now = 1000000000;

int64_t still_now(void) __asm__("__wrap_corm__now");

int64_t still_now(void)
{
    return now;
}

static void pass(int64_t ms)
{
    now += ms * 1000000;
}

static const struct corm__condition plain = {.takes_writes = true};
static const struct corm__condition synced = {
    .takes_writes = true, .is_galera = true, .is_synced = true, .cluster = "one"};

static void look(uint32_t n, struct corm__condition condition)
{
    struct corm_error error = {0};

    corm__nodes_judge(&nodes, &nodes.all[n - 1], 0, &condition, &error);
}

static void look_in_vain(uint32_t n)
{
    struct corm_error      error = {0};
    struct corm__condition condition = {0};
    int                    rc = corm__fail(&error, CORM_UNREACHABLE, "it is gone");

    corm__nodes_judge(&nodes, &nodes.all[n - 1], rc, &condition, &error);
}

static void meet(uint32_t n, int code, int server_code)
{
    struct corm_error error = {0};

    corm__fail_server(&error, code, server_code, "HY000", "it failed");
    corm__nodes_note(&nodes, &nodes.all[n - 1], &error);
}

static int begin(void **state)
{
    (void)state;
    nodes = (struct corm__nodes){0};
    assert_true(corm__nodes_make(&nodes, NODES));
    for (uint32_t i = 0; i < NODES; i++)
        nodes.all[i].hash = corm__hash_node("h", (uint16_t)(i + 1));
    corm__nodes_prepare(&nodes);
    return 0;
}

static int end(void **state)
{
    (void)state;
    corm__nodes_free(&nodes);
    return 0;
}

static int begin_all_up(void **state)
{
    int rc = begin(state);

    for (uint32_t n = 1; n <= NODES; n++)
        look(n, plain);
    return rc;
}

#define assert_health(n, wanted) assert_int_equal(atomic_load(&nodes.all[(n)-1].health), (wanted))

static uint32_t node_of(int id)
{
    const struct corm__lock_key key = {.table = item.corm_table, .values = {corm_v_int_(id)}};

    return corm__node_of_key(&nodes, &key)->number;
}

/* ---- States ---------------------------------------------------------------------------- */

static void the_first_look_decides(void **state)
{
    (void)state;
    assert_health(1, CORM__NODE_NEW);
    look(1, plain);
    look_in_vain(2);
    look(3, (struct corm__condition){.takes_writes = false});
    assert_health(1, CORM__NODE_UP);
    assert_health(2, CORM__NODE_LEFT);
    assert_health(3, CORM__NODE_LEFT);
    assert_false(atomic_load(&nodes.all[0].silent));
    assert_true(atomic_load(&nodes.all[1].silent));
    assert_false(atomic_load(&nodes.all[2].silent)); /* it has answered */
    assert_int_equal(atomic_load(&nodes.changes), 3);
}

static void who_comes_back_waits_until_it_was_good_for_a_time(void **state)
{
    (void)state;
    look_in_vain(2);
    assert_health(2, CORM__NODE_LEFT);
    pass(60000);
    look(2, plain);
    assert_health(2, CORM__NODE_BACK);
    pass(CORM__RETURN_MS - 1);
    look(2, plain);
    assert_health(2, CORM__NODE_BACK);
    pass(1);
    look(2, plain);
    assert_health(2, CORM__NODE_UP);
}

static void a_failure_meanwhile_begins_the_time_anew(void **state)
{
    (void)state;
    look_in_vain(2);
    look(2, plain);
    pass(CORM__RETURN_MS - 1);
    meet(2, CORM_UNREACHABLE, 2003);
    assert_health(2, CORM__NODE_LEFT);
    look(2, plain);
    pass(1);
    look(2, plain);
    assert_health(2, CORM__NODE_BACK);
    look_in_vain(2);
    assert_health(2, CORM__NODE_LEFT);
    pass(CORM__RETURN_MS);
    look(2, plain);
    assert_health(2, CORM__NODE_BACK);
    pass(CORM__RETURN_MS);
    look(2, plain);
    assert_health(2, CORM__NODE_UP);
}

static void errors_say_what_they_say(void **state)
{
    static const struct {
        int  code, server_code;
        bool leaves;
    } cases[] = {
        {CORM_UNREACHABLE, 2003, true},
        {CORM_NOT_READY, 1047, true},
        {CORM_READ_ONLY, 1290, true},
        {CORM_READ_ONLY, 1836, true},
        {CORM_READ_ONLY, 0, false},       /* a write in a .read_only transaction */
        {CORM_DISCONNECTED, 2013, false}, /* one link, perhaps: it is looked at */
        {CORM_DEADLINE, 0, false},
        {CORM_UNKNOWN, 1180, false},
        {CORM_SERVER_ERROR, 1180, false},
        {CORM_DEADLOCK, 1213, false},
        {CORM_DUPLICATE, 1062, false},
        {CORM_TIMEOUT, 0, false},
        {CORM_USER, 0, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(begin_all_up(state), 0);
        meet(3, cases[i].code, cases[i].server_code);
        if (atomic_load(&nodes.all[2].health) !=
            (cases[i].leaves ? CORM__NODE_LEFT : CORM__NODE_UP))
            fail_msg("%d (%d) leads to %d", cases[i].code, cases[i].server_code,
                     (int)atomic_load(&nodes.all[2].health));
        assert_health(1, CORM__NODE_UP);
        assert_int_equal(end(state), 0);
    }
    assert_int_equal(begin(state), 0);
}

static void a_cluster_is_one(void **state)
{
    struct corm__condition other = synced, apart = synced;

    (void)state;
    (void)snprintf(other.cluster, sizeof(other.cluster), "two");
    apart.is_synced = false;
    look(1, synced);
    look(2, other);
    look(3, plain);
    assert_true(corm__nodes_are_galera(&nodes));
    assert_health(1, CORM__NODE_UP);
    assert_health(2, CORM__NODE_LEFT);
    assert_health(3, CORM__NODE_LEFT);
    look(2, synced);
    assert_health(2, CORM__NODE_BACK);
    look(1, apart);
    assert_health(1, CORM__NODE_LEFT);
    assert_false(atomic_load(&nodes.all[0].silent));
}

static void a_reader_need_not_take_writes(void **state)
{
    (void)state;
    nodes.all[2].reader = true;
    nodes.writers = 2;
    look(1, plain);
    look(2, plain);
    look(3, (struct corm__condition){.takes_writes = false});
    assert_health(3, CORM__NODE_UP);
    meet(3, CORM_READ_ONLY, 1290);
    assert_health(3, CORM__NODE_UP);
    for (int id = 0; id < 100; id++)
        assert_in_range(node_of(id), 1, 2);
    assert_in_range(corm__nodes_any(&nodes)->number, 1, 2);
    assert_int_equal(corm__nodes_other(&nodes, &nodes.all[1])->number, 1);
}

/* ---- Where work goes --------------------------------------------------------------------- */

/* It is one that takes none, whoever has sent it a write. */
static void a_reader_that_refuses_a_write_is_not_left(void **state)
{
    (void)state;
    nodes.all[1].reader = true;
    meet(2, CORM_READ_ONLY, 1290);
    assert_health(2, CORM__NODE_UP);
    meet(2, CORM_UNREACHABLE, 2003);
    assert_health(2, CORM__NODE_LEFT);
}

static void a_node_that_is_not_there_is_misuse(void **state)
{
    struct corm_error error = {0};

    (void)state;
    for (uint32_t n = 1; n <= NODES; n++)
        assert_ptr_equal(corm__nodes_at(&nodes, n, &error), &nodes.all[n - 1]);
    assert_null(corm__nodes_at(&nodes, 0, &error));
    assert_int_equal(error.code, CORM_MISUSE);
    error = (struct corm_error){0};
    assert_null(corm__nodes_at(&nodes, NODES + 1, &error));
    assert_non_null(strstr(error.message, "there is no node 4: the database has 3"));
}

static void only_the_keys_of_a_node_that_is_left_move_and_they_come_back(void **state)
{
    enum { KEYS = 10000 };
    static uint32_t before[KEYS];
    int             of[NODES + 1] = {0};

    (void)state;
    for (int id = 0; id < KEYS; id++)
        of[before[id] = node_of(id)]++;
    for (int n = 1; n <= NODES; n++)
        assert_in_range(of[n], KEYS / NODES * 95 / 100, KEYS / NODES * 105 / 100 + 1);
    look_in_vain(2);
    for (int id = 0; id < KEYS; id++) {
        assert_int_not_equal(node_of(id), 2);
        if (before[id] != 2)
            assert_int_equal(node_of(id), before[id]);
    }
    look(2, plain); /* BACK: they stay where they are */
    for (int id = 0; id < KEYS; id++)
        assert_int_not_equal(node_of(id), 2);
    pass(CORM__RETURN_MS);
    look(2, plain);
    for (int id = 0; id < KEYS; id++)
        assert_int_equal(node_of(id), before[id]);
}

static void where_none_is_up_who_is_back_is_used_and_then_anybody(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= NODES; n++)
        look_in_vain(n);
    assert_in_range(node_of(1), 1, NODES);
    assert_null(corm__nodes_other(&nodes, &nodes.all[0]));
    uint32_t first = corm__nodes_any(&nodes)->number, second = corm__nodes_any(&nodes)->number,
             third = corm__nodes_any(&nodes)->number;
    assert_int_equal(first + second + third, 1 + 2 + 3); /* each of them is tried */
    look(3, plain);
    for (int id = 0; id < 100; id++)
        assert_int_equal(node_of(id), 3);
    assert_int_equal(corm__nodes_any(&nodes)->number, 3);
    assert_int_equal(corm__nodes_other(&nodes, &nodes.all[0])->number, 3);
    look(1, plain);
    pass(CORM__RETURN_MS);
    look(1, plain); /* UP goes before BACK */
    for (int id = 0; id < 100; id++)
        assert_int_equal(node_of(id), 1);
    assert_int_equal(corm__nodes_any(&nodes)->number, 1);
}

static void what_names_no_node_stays_where_it_is(void **state)
{
    (void)state;
    uint32_t kept = corm__nodes_any(&nodes)->number;
    assert_int_equal(corm__nodes_any(&nodes)->number, kept);
    look_in_vain(kept);
    uint32_t next = corm__nodes_any(&nodes)->number;
    assert_int_not_equal(next, kept);
    look(kept, plain);
    pass(CORM__RETURN_MS);
    look(kept, plain);
    assert_int_equal(corm__nodes_any(&nodes)->number, next); /* and does not go back */
}

#define UP(test) cmocka_unit_test_setup_teardown(test, begin_all_up, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_look_decides, begin, end),
        UP(who_comes_back_waits_until_it_was_good_for_a_time),
        UP(a_failure_meanwhile_begins_the_time_anew),
        cmocka_unit_test_teardown(errors_say_what_they_say, end),
        cmocka_unit_test_setup_teardown(a_cluster_is_one, begin, end),
        cmocka_unit_test_setup_teardown(a_reader_need_not_take_writes, begin, end),
        UP(a_reader_that_refuses_a_write_is_not_left),
        UP(a_node_that_is_not_there_is_misuse),
        UP(only_the_keys_of_a_node_that_is_left_move_and_they_come_back),
        UP(where_none_is_up_who_is_back_is_used_and_then_anybody),
        UP(what_names_no_node_stays_where_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
