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

    condition.asked = now;
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

#define assert_left(n, times) assert_int_equal(atomic_load(&nodes.all[(n)-1].left), (times))

static void how_often_a_node_is_left_is_counted(void **state)
{
    (void)state;
    assert_left(2, 0);
    look_in_vain(2);
    look_in_vain(2); /* it is still left */
    assert_left(2, 1);
    look(2, plain);
    assert_left(2, 1);
    meet(2, CORM_UNREACHABLE, 2003);
    assert_left(2, 2);
    assert_left(1, 0);
    assert_left(3, 0);
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

/* A writer that has written up to `n`; a reader, node 3, that has applied up to `n`. */
static void look_at_writer(uint32_t writer, unsigned n)
{
    struct corm__condition condition = plain;

    (void)snprintf(condition.written, sizeof(condition.written), "0-1-%u", n);
    look(writer, condition);
}

static void look_at_reader(unsigned n)
{
    struct corm__condition condition = {.takes_writes = false};

    (void)snprintf(condition.applied, sizeof(condition.applied), "0-1-%u", n);
    look(3, condition);
}

static int begin_with_reader(void **state)
{
    int rc = begin(state);

    nodes.all[2].reader = true;
    nodes.writers = 2;
    nodes.lag_ms = 3000;
    return rc;
}

static int begin_with_reader_up(void **state)
{
    int rc = begin_with_reader(state);

    look_at_writer(1, 10);
    look_at_writer(2, 10);
    look_at_reader(10);
    return rc;
}

static void a_reader_need_not_take_writes(void **state)
{
    (void)state;
    look_at_writer(1, 10);
    look_at_writer(2, 10);
    look_at_reader(10);
    assert_health(3, CORM__NODE_UP);
    meet(3, CORM_READ_ONLY, 1290);
    assert_health(3, CORM__NODE_UP);
    for (int id = 0; id < 100; id++)
        assert_in_range(node_of(id), 1, 2);
    assert_in_range(corm__nodes_any(&nodes)->number, 1, 2);
    assert_int_equal(corm__nodes_other(&nodes, &nodes.all[1])->number, 1);
}

/* ---- Readers ----------------------------------------------------------------------------- */

static uint32_t reader(void)
{
    return corm__nodes_reader(&nodes)->number;
}

static void a_reader_is_new_until_it_has_what_a_writer_had(void **state)
{
    (void)state;
    look_at_reader(10); /* of what the writers have nothing is known */
    assert_health(3, CORM__NODE_NEW);
    look_at_writer(1, 10);
    look_at_reader(9);
    assert_health(3, CORM__NODE_NEW);
    assert_in_range(reader(), 1, 2);
    look_at_reader(10);
    assert_health(3, CORM__NODE_UP);
    assert_int_equal(reader(), 3);
}

static void a_reader_is_left_when_it_passes_the_limit(void **state)
{
    (void)state;
    for (unsigned s = 1; s <= 3; s++) {
        pass(1000);
        look_at_writer(1, 10 + s);
        look_at_reader(10);
        assert_health(3, CORM__NODE_UP); /* 3,000 ms behind is not more than that */
    }
    pass(1);
    look_at_writer(1, 13); /* too near to the one before to be noted */
    look_at_reader(10);
    assert_health(3, CORM__NODE_UP);
    pass(999);
    look_at_writer(1, 14);
    look_at_reader(10);
    assert_health(3, CORM__NODE_LEFT);
    assert_in_range(reader(), 1, 2);
    look_at_reader(11);
    assert_health(3, CORM__NODE_BACK);
    assert_in_range(reader(), 1, 2);
    pass(CORM__RETURN_MS);
    look_at_reader(14);
    assert_health(3, CORM__NODE_UP);
    assert_int_equal(reader(), 3);
}

/* Positions are forgotten in the end; who has none of those that are kept is too far behind. */
static void a_reader_that_stands_still_for_long_stays_left(void **state)
{
    (void)state;
    for (unsigned s = 1; s <= 2 * CORM__HISTORY_SIZE; s++) {
        pass(1000);
        look_at_writer(1, 10 + s);
        look_at_reader(10);
        assert_health(3, s <= 3 ? CORM__NODE_UP : CORM__NODE_LEFT);
    }
    for (unsigned s = 1; s <= 60; s++) { /* and where nothing is written, time does not count */
        pass(1000);
        look_at_writer(1, 10 + 2 * CORM__HISTORY_SIZE);
    }
    look_at_reader(10 + 2 * CORM__HISTORY_SIZE);
    assert_health(3, CORM__NODE_BACK);
}

static void a_reader_stays_where_the_writer_is_gone(void **state)
{
    (void)state;
    pass(500);
    look_in_vain(1);
    look_in_vain(2);
    for (int s = 0; s < 10; s++) {
        pass(1000);
        look_at_reader(10);
        assert_health(3, CORM__NODE_UP);
    }
}

static void what_cannot_be_compared_is_not_read_from(void **state)
{
    static const char *const texts[] = {"?",
                                        "0-1",
                                        "0-1-",
                                        "0-1-2-3",
                                        "a-1-2",
                                        "0-1-10 ",
                                        "-1-1-10",
                                        "0-1-10,x",
                                        ",",
                                        "0-1-99999999999999999999",
                                        "4294967296-1-10",
                                        "1-1-1,2-1-1,3-1-1,4-1-1,5-1-1,6-1-1,7-1-1,8-1-1,9-1-1"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct corm__condition condition = {.takes_writes = false};
        assert_int_equal(begin_with_reader_up(state), 0);
        assert_health(3, CORM__NODE_UP);
        (void)snprintf(condition.applied, sizeof(condition.applied), "%s", texts[i]);
        look(3, condition);
        if (atomic_load(&nodes.all[2].health) != CORM__NODE_LEFT)
            fail_msg("%s is taken for a position", texts[i]);
        assert_int_equal(end(state), 0);
    }
    assert_int_equal(begin(state), 0);
}

static void positions_are_compared_in_each_domain(void **state)
{
    struct corm__position a, b;
    char                  text[CORM__GTIDS_SIZE];

    (void)state;
    assert_true(corm__position_read(&a, "0-1-10,7-2-5"));
    assert_true(corm__position_read(&b, "7-9-5"));
    assert_true(corm__position_has(&a, &b));
    assert_false(corm__position_has(&b, &a));
    assert_true(corm__position_read(&b, "7-2-6"));
    assert_false(corm__position_has(&a, &b));
    assert_true(corm__position_add(&a, &b));
    corm__position_write(&a, text);
    assert_string_equal(text, "0-1-10,7-2-6");
    assert_true(corm__position_read(&b, "0-1-9,1-1-1,2-1-1,3-1-1,4-1-1,5-1-1,6-1-1"));
    assert_true(corm__position_add(&a, &b)); /* eight domains */
    assert_true(corm__position_read(&b, "8-1-1"));
    assert_false(corm__position_add(&a, &b));
    assert_true(corm__position_read(
        &a, "4294967288-4294967295-18446744073709551615,4294967289-4294967295-18446744073709551615,"
            "4294967290-4294967295-18446744073709551615,4294967291-4294967295-18446744073709551615,"
            "4294967292-4294967295-18446744073709551615,4294967293-4294967295-18446744073709551615,"
            "4294967294-4294967295-18446744073709551615,"
            "4294967295-4294967295-18446744073709551615"));
    corm__position_write(&a, text);
    assert_int_equal(strlen(text), 8 * (CORM__GTID_SIZE - 1) + 7);
    assert_true(corm__position_read(&b, text));
    assert_true(corm__position_has(&b, &a));
    assert_true(corm__position_read(&a, ""));
    assert_int_equal(a.count, 0);
    assert_true(corm__position_has(&a, &a));
}

static int has(struct corm__written *written)
{
    return corm__nodes_has_written(&nodes, &nodes.all[2], written);
}

static void what_was_written_is_waited_for_once(void **state)
{
    struct corm__written written, later;

    (void)state;
    assert_int_equal(has(&written), 1); /* nothing */
    corm__nodes_note_write(&nodes, &nodes.all[0], "0-1-12");
    corm__nodes_note_write(&nodes, &nodes.all[1], "0-2-11"); /* told late */
    assert_int_equal(has(&written), 0);
    assert_false(written.by_cluster);
    assert_string_equal(written.gtids, "0-1-12");
    corm__nodes_note_write(&nodes, &nodes.all[0], "0-1-13");
    corm__nodes_note_wait(&nodes, &nodes.all[2], &written, true);
    assert_int_equal(has(&later), 0); /* it was not waited for that one */
    assert_string_equal(later.gtids, "0-1-13");
    corm__nodes_note_wait(&nodes, &nodes.all[2], &later, true);
    corm__nodes_note_wait(&nodes, &nodes.all[2], &written, true);
    assert_int_equal(has(&written), 1);
    corm__nodes_note_write(&nodes, &nodes.all[0], "0-1-14");
    look_at_reader(13);
    assert_int_equal(has(&written), 0);
    look_at_reader(14); /* a look tells it, too */
    assert_int_equal(has(&written), 1);
    look_at_reader(13); /* it has crashed, and come back without it */
    assert_int_equal(has(&written), 0);
}

static void look_at_writer_at(const char *written)
{
    struct corm__condition condition = plain;

    (void)snprintf(condition.written, sizeof(condition.written), "%s", written);
    look(1, condition);
}

static void what_is_no_position_and_what_there_is_no_room_for_is_not_known(void **state)
{
    struct corm__written written;
    char                 gtid[CORM__GTID_SIZE];

    (void)state;
    corm__nodes_note_write(&nodes, &nodes.all[0], "nonsense");
    assert_int_equal(has(&written), -1);
    pass(1);
    look_at_writer_at("?");
    assert_int_equal(has(&written), -1);
    look_at_writer_at("0-1-20");
    assert_int_equal(has(&written), 0);
    for (int domain = 1; domain < CORM__DOMAINS_MAX; domain++) {
        (void)snprintf(gtid, sizeof(gtid), "%d-1-1", domain);
        corm__nodes_note_write(&nodes, &nodes.all[0], gtid);
        assert_int_equal(has(&written), 0);
    }
    corm__nodes_note_write(&nodes, &nodes.all[0], "8-1-1");
    assert_int_equal(has(&written), -1);
    pass(1);
    look_at_writer_at("8-1-1");
    assert_int_equal(has(&written), -1);
    look_at_writer_at("0-1-20,1-1-1");
    assert_int_equal(has(&written), 0);
}

static void a_writer_that_is_no_node_of_a_cluster_is_not_waited_for(void **state)
{
    struct corm__written written;

    (void)state;
    corm__nodes_note_write(&nodes, &nodes.all[0], "0-1-12");
    assert_int_equal(corm__nodes_has_written(&nodes, &nodes.all[0], &written), 1);
    assert_int_equal(corm__nodes_has_written(&nodes, &nodes.all[1], &written), 1);
}

static void who_was_waited_for_in_vain_is_not_waited_for_before_the_next_look(void **state)
{
    struct corm__written written;

    (void)state;
    corm__nodes_note_write(&nodes, &nodes.all[0], "0-1-12");
    assert_int_equal(has(&written), 0);
    corm__nodes_note_wait(&nodes, &nodes.all[2], &written, false);
    assert_int_equal(has(&written), -1);
    look_at_reader(11);
    assert_int_equal(has(&written), 0);
}

static void a_write_that_nobody_knows_the_place_of_is_known_by_a_later_look(void **state)
{
    struct corm__written written;

    (void)state;
    pass(10);
    corm__nodes_note_write(&nodes, &nodes.all[0], NULL);
    assert_int_equal(has(&written), -1);
    look_at_reader(99); /* that proves nothing */
    assert_int_equal(has(&written), -1);
    look_at_writer(1, 20); /* it was asked when that was written, not behind it */
    assert_int_equal(has(&written), -1);
    pass(1);
    look_at_writer(2, 20); /* another one */
    assert_int_equal(has(&written), -1);
    look_at_writer(1, 21);
    assert_int_equal(has(&written), 0);
    assert_string_equal(written.gtids, "0-1-21");
    pass(1);
    corm__nodes_note_write(&nodes, &nodes.all[0], "");
    look_in_vain(1); /* its place is never known; reads go to the other writer at best */
    assert_int_equal(has(&written), -1);
    pass(1);
    look_at_writer(2, 22);
    assert_int_equal(has(&written), 0);
    assert_string_equal(written.gtids, "0-1-22");
}

static void a_reader_of_a_cluster_waits_for_all_that_is_committed(void **state)
{
    struct corm__condition reading = synced;
    struct corm__written   written;

    (void)state;
    reading.takes_writes = false;
    look(1, synced);
    look(2, synced);
    look(3, reading);
    assert_health(3, CORM__NODE_UP);
    assert_int_equal(has(&written), 1);
    corm__nodes_note_write(&nodes, &nodes.all[0], NULL);
    assert_int_equal(has(&written), 0);
    assert_true(written.by_cluster);
    look(3, reading);
    assert_int_equal(has(&written), 0);
    corm__nodes_note_wait(&nodes, &nodes.all[2], &written, true);
    assert_int_equal(has(&written), 1);
}

static void a_writer_of_a_cluster_has_what_was_written_on_it_alone(void **state)
{
    struct corm__written written;

    (void)state;
    look(1, synced);
    look(2, synced);
    corm__nodes_note_write(&nodes, &nodes.all[0], "");
    assert_int_equal(corm__nodes_has_written(&nodes, &nodes.all[0], &written), 1);
    assert_int_equal(corm__nodes_has_written(&nodes, &nodes.all[1], &written), 0);
    assert_true(written.by_cluster);
    corm__nodes_note_write(&nodes, &nodes.all[1], "");
    assert_int_equal(corm__nodes_has_written(&nodes, &nodes.all[0], &written), 0);
    assert_int_equal(corm__nodes_has_written(&nodes, &nodes.all[1], &written), 0);
    corm__nodes_note_wait(&nodes, &nodes.all[0], &written, true);
    assert_int_equal(corm__nodes_has_written(&nodes, &nodes.all[0], &written), 1);
    corm__nodes_note_write(&nodes, &nodes.all[0], NULL); /* another one may have told it */
    assert_int_equal(corm__nodes_has_written(&nodes, &nodes.all[0], &written), 0);
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

#define READS(test, setup) cmocka_unit_test_setup_teardown(test, setup, end)
#define UP(test)           cmocka_unit_test_setup_teardown(test, begin_all_up, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_look_decides, begin, end),
        UP(how_often_a_node_is_left_is_counted),
        UP(who_comes_back_waits_until_it_was_good_for_a_time),
        UP(a_failure_meanwhile_begins_the_time_anew),
        cmocka_unit_test_teardown(errors_say_what_they_say, end),
        cmocka_unit_test_setup_teardown(a_cluster_is_one, begin, end),
        UP(a_reader_that_refuses_a_write_is_not_left),
        UP(a_node_that_is_not_there_is_misuse),
        READS(a_reader_need_not_take_writes, begin_with_reader),
        READS(a_reader_is_new_until_it_has_what_a_writer_had, begin_with_reader),
        READS(a_reader_is_left_when_it_passes_the_limit, begin_with_reader_up),
        READS(a_reader_that_stands_still_for_long_stays_left, begin_with_reader_up),
        READS(a_reader_stays_where_the_writer_is_gone, begin_with_reader_up),
        cmocka_unit_test_teardown(what_cannot_be_compared_is_not_read_from, end),
        cmocka_unit_test(positions_are_compared_in_each_domain),
        READS(what_was_written_is_waited_for_once, begin_with_reader_up),
        READS(who_was_waited_for_in_vain_is_not_waited_for_before_the_next_look,
              begin_with_reader_up),
        READS(a_write_that_nobody_knows_the_place_of_is_known_by_a_later_look,
              begin_with_reader_up),
        READS(what_is_no_position_and_what_there_is_no_room_for_is_not_known, begin_with_reader_up),
        READS(a_writer_that_is_no_node_of_a_cluster_is_not_waited_for, begin_with_reader_up),
        READS(a_reader_of_a_cluster_waits_for_all_that_is_committed, begin_with_reader),
        READS(a_writer_of_a_cluster_has_what_was_written_on_it_alone, begin_with_reader),
        UP(only_the_keys_of_a_node_that_is_left_move_and_they_come_back),
        UP(where_none_is_up_who_is_back_is_used_and_then_anybody),
        UP(what_names_no_node_stays_where_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
