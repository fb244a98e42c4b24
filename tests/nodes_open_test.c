/* nodes_open_test.c -- opening several nodes, with the threads that look at them, before a driver that answers as it is
 * told: what is missing is named, and what fails leaves nothing behind. No server. */
#include "child.h"
#include "pool/nodes.h"

#include <corm/corm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODES = 3 };

/* ---- What is told ---------------------------------------------------------------------- */

static struct {
    bool                   is_there;
    bool                   refuses_work; /* lets itself be looked at */
    struct corm__condition condition;
} nodes_told[NODES];

static atomic_int links; /* that are open */
static atomic_int looks_in_vain;
static int        threads_until_fail; /* 0: none fails */
static int        memory_until_fail;  /* of the thread that opens */

static _Thread_local bool is_opening;

int   wrap_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                  void *arg) __asm__("__wrap_pthread_create");
int   real_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                  void *arg) __asm__("__real_pthread_create");
void *wrap_calloc(size_t count, size_t size) __asm__("__wrap_calloc");
void *real_calloc(size_t count, size_t size) __asm__("__real_calloc");

int wrap_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                void *arg)
{
    if (threads_until_fail > 0 && --threads_until_fail == 0)
        return -1;
    return real_create(thread, attributes, run, arg);
}

void *wrap_calloc(size_t count, size_t size)
{
    if (is_opening && memory_until_fail > 0 && --memory_until_fail == 0)
        return NULL;
    return real_calloc(count, size);
}

/* ---- The driver ------------------------------------------------------------------------ */

static int fake_connect(const struct corm__endpoint *e, bool for_writing, int64_t deadline,
                        struct corm__link **out, struct corm_error *error)
{
    bool is_look = e->silent == NULL;

    (void)for_writing, (void)deadline;
    if (is_look && !nodes_told[e->port].is_there)
        atomic_fetch_add(&looks_in_vain, 1);
    if (!nodes_told[e->port].is_there || (!is_look && nodes_told[e->port].refuses_work))
        return corm__fail(error, CORM_UNREACHABLE, "nobody at %u", e->port);
    *out = calloc(1, sizeof(**out) + sizeof(uint16_t));
    if (*out == NULL)
        return corm__fail_memory(error, "a link");
    (*out)->driver = e->driver;
    (*out)->dialect = CORM_DIALECT_MARIADB;
    memcpy(*out + 1, &e->port, sizeof(e->port));
    atomic_fetch_add(&links, 1);
    return 0;
}

static void fake_close(struct corm__link *link)
{
    atomic_fetch_sub(&links, 1);
    free(link);
}

static bool fake_is_alive(struct corm__link *link)
{
    return !link->lost;
}

static int fake_look(struct corm__link *link, int64_t deadline, struct corm__condition *condition,
                     struct corm_error *error)
{
    uint16_t port;

    (void)deadline, (void)error;
    memcpy(&port, link + 1, sizeof(port));
    *condition = nodes_told[port].condition;
    return 0;
}

static int fake_enter(struct corm__link *link, const struct corm__mode *mode, int64_t deadline,
                      struct corm_error *error)
{
    (void)deadline, (void)error;
    link->mode = *mode;
    return 0;
}

static void fake_disown(struct corm__link *link)
{
    (void)link;
}

static const struct corm__driver fake = {.name = "fake",
                                         .has_trips = true,
                                         .connect = fake_connect,
                                         .close = fake_close,
                                         .is_alive = fake_is_alive,
                                         .look = fake_look,
                                         .enter = fake_enter,
                                         .disown = fake_disown};

/* ---- Tests ----------------------------------------------------------------------------- */

static struct corm__nodes nodes;
static char               warnings[1000];

static void note_warning(const char *text, void *arg)
{
    (void)arg;
    (void)snprintf(warnings + strlen(warnings), sizeof(warnings) - strlen(warnings), "%s\n", text);
}

static int begin(void **state)
{
    (void)state;
    nodes = (struct corm__nodes){0};
    warnings[0] = '\0';
    threads_until_fail = memory_until_fail = 0;
    assert_true(corm__nodes_make(&nodes, NODES));
    nodes.watch.on_warning = note_warning;
    for (int i = 0; i < NODES; i++) {
        nodes.all[i].endpoint = (struct corm__endpoint){.driver = &fake, .port = (uint16_t)i};
        nodes.all[i].timeout_ms = 1000;
        nodes_told[i].is_there = true;
        nodes_told[i].refuses_work = false;
        nodes_told[i].condition = (struct corm__condition){.takes_writes = true};
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    corm__nodes_free(&nodes);
    return atomic_load(&links);
}

static void begin_again(void)
{
    corm__nodes_free(&nodes);
    (void)begin(NULL);
}

static int open_nodes(struct corm_error *error)
{
    *error = (struct corm_error){0};
    is_opening = true;
    int rc = corm__nodes_open(&nodes, 2, error);
    is_opening = false;
    return rc;
}

static void all_of_them_open(void **state)
{
    struct corm_error error;

    (void)state;
    assert_int_equal(open_nodes(&error), 0);
    assert_string_equal(warnings, "");
    assert_int_equal(corm__nodes_fill(&nodes, &error), 2 * NODES);
    assert_int_equal(nodes.all[NODES - 1].dialect, CORM_DIALECT_MARIADB);
    assert_false(corm__nodes_are_held(&nodes));
    corm__nodes_close(&nodes);
}

static void who_is_missing_is_named(void **state)
{
    struct corm_error error;

    (void)state;
    nodes_told[1].is_there = false;
    assert_int_equal(open_nodes(&error), 0);
    assert_non_null(
        strstr(warnings, "node 2 of the database is not used as long as it is like this: "));
    assert_non_null(strstr(warnings, "nobody at 1"));
    assert_null(strstr(warnings, "node 1 "));
    assert_int_equal(corm__nodes_fill(&nodes, &error), 2 * (NODES - 1));
    corm__nodes_close(&nodes);
    begin_again();
    nodes_told[1].is_there = false;
    nodes.watch.on_warning = NULL;
    assert_int_equal(open_nodes(&error), 0);
    corm__nodes_close(&nodes);
}

static void without_a_writer_the_first_one_says_why(void **state)
{
    struct corm_error error;

    (void)state;
    nodes.all[0].reader = true;
    nodes.writers = NODES - 1;
    nodes_told[0].is_there = false;
    nodes_told[1].condition.takes_writes = false;
    nodes_told[2].is_there = false;
    assert_int_equal(open_nodes(&error), CORM_READ_ONLY);
    assert_non_null(strstr(error.message,
                           "none of the 2 nodes that write can be used, the first says: "
                           "it takes no writes (read_only)"));
    assert_null(nodes.checks);
}

static void a_writer_that_answers_but_takes_no_work_is_an_error(void **state)
{
    struct corm_error error;

    (void)state;
    for (int i = 0; i < NODES; i++)
        nodes_told[i].refuses_work = true;
    assert_int_equal(open_nodes(&error), CORM_UNREACHABLE);
}

static void a_node_that_takes_no_work_is_told_when_all_connections_are_opened(void **state)
{
    struct corm_error error;

    (void)state;
    assert_int_equal(open_nodes(&error), 0);
    for (int i = 0; i < NODES; i++)
        nodes_told[i].refuses_work = true;
    assert_int_equal(corm__nodes_fill(&nodes, &error), CORM_UNREACHABLE);
    corm__nodes_close(&nodes);
}

static void what_cannot_be_made_leaves_nothing(void **state)
{
    struct corm_error error;
    int               rc = CORM_NO_MEMORY, refused = 0;

    (void)state;
    for (int thread = 1; thread <= NODES; thread++) {
        begin_again();
        threads_until_fail = thread;
        assert_int_equal(open_nodes(&error), CORM_NO_MEMORY);
        assert_int_equal(atomic_load(&links), 0);
        assert_null(nodes.checks);
    }
    for (int n = 1; rc == CORM_NO_MEMORY; n++) {
        begin_again();
        memory_until_fail = n;
        rc = open_nodes(&error);
        refused += rc == CORM_NO_MEMORY;
        if (rc == CORM_NO_MEMORY)
            assert_int_equal(atomic_load(&links), 0);
    }
    assert_int_equal(rc, 0);
    assert_true(refused >= NODES);
    corm__nodes_close(&nodes);
}

/* The threads are the parent's: they do not run here, and nobody waits for them. */
static int close_in_child(void *arg)
{
    (void)arg;
    (void)alarm(20);
    corm__nodes_close(&nodes);
    return nodes.checks == NULL ? 0 : 1;
}

static void a_child_closes_without_them(void **state)
{
    struct corm_error error;

    (void)state;
    assert_int_equal(open_nodes(&error), 0);
    assert_int_equal(run_in_child(close_in_child, NULL), 0);
    corm__nodes_close(&nodes);
}

static void who_stays_away_is_asked_again(void **state)
{
    enum { LOOKS = 7 }; /* beyond the last pause that is shorter than the others */
    struct corm_error error;

    (void)state;
    nodes_told[1].is_there = false;
    atomic_store(&looks_in_vain, 0);
    assert_int_equal(open_nodes(&error), 0);
    while (atomic_load(&looks_in_vain) < LOOKS)
        (void)usleep(1000);
    assert_int_equal(atomic_load(&nodes.all[1].health), CORM__NODE_LEFT);
    corm__nodes_close(&nodes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(all_of_them_open),
        TEST(who_is_missing_is_named),
        TEST(without_a_writer_the_first_one_says_why),
        TEST(a_writer_that_answers_but_takes_no_work_is_an_error),
        TEST(a_node_that_takes_no_work_is_told_when_all_connections_are_opened),
        TEST(what_cannot_be_made_leaves_nothing),
        TEST(a_child_closes_without_them),
        TEST(who_stays_away_is_asked_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
