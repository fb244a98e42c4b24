/* rendezvous_test.c DOCUMENT -- which node of a cluster a key belongs to: the examples of docs/clusters.md,
 * how evenly keys spread, and what moves when a node goes. No server is needed. */
#include "route/rendezvous.h"

#include <corm/corm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { KEYS = 10000, NODES = 3 };

#define PRODUCT(X) X(id, int, .pk = 1) X(stock, int)
#define WIDE(X)    X(name, varchar(20)) X(id, unsigned(bigint), .pk = 1)
#define PERSON(X)  X(email, varchar(100), .pk = 1)
#define PARCEL(X)  X(id, uuid, .pk = 1)
#define LINE(X)    X(order_id, bigint, .pk = 1) X(line, int, .pk = 1)
#define TURNED(X)  X(line, int, .pk = 1) X(qty, int) X(order_id, bigint, .pk = 1)
#define RATE(X)    X(rate, decimal(6, 3), .pk = 1)
#define POINT(X)   X(at, double, .pk = 1)
#define PHOTO(X)   X(hash, blob, .pk = 1)
#define DAY(X)     X(day, date, .pk = 1)
CORM_MODEL(product, PRODUCT);
CORM_DEFINE(product, PRODUCT);
CORM_MODEL_AS(wide, "product", WIDE);
CORM_DEFINE(wide, WIDE);
CORM_MODEL(person, PERSON);
CORM_DEFINE(person, PERSON);
CORM_MODEL(parcel, PARCEL);
CORM_DEFINE(parcel, PARCEL);
CORM_MODEL_AS(order_line, "line", LINE);
CORM_DEFINE(order_line, LINE);
CORM_MODEL_AS(turned, "line", TURNED);
CORM_DEFINE(turned, TURNED);
CORM_MODEL(rate, RATE);
CORM_DEFINE(rate, RATE);
CORM_MODEL(point, POINT);
CORM_DEFINE(point, POINT);
CORM_MODEL(photo, PHOTO);
CORM_DEFINE(photo, PHOTO);
CORM_MODEL(day, DAY);
CORM_DEFINE(day, DAY);

static const char *document; /* its text */

static uint64_t hash1(const struct corm_table *table, struct corm_value value)
{
    return corm__hash_key(table, &value);
}

static uint64_t hash2(const struct corm_table *table, struct corm_value a, struct corm_value b)
{
    return corm__hash_key(table, (struct corm_value[]){a, b});
}

static struct corm_value uuid_of(const char *text)
{
    struct corm_value v = corm_v_of_(CORM_V_UUID);

    assert_true(corm_uuid_parse(text, strlen(text), &v.as.uuid));
    return v;
}

static struct corm_value decimal_of(const char *digits)
{
    struct corm_value v = corm_v_text_(digits);

    v.kind = CORM_V_DECIMAL;
    return v;
}

/* ---- The parts that others have published -------------------------------------------------------- */

static void the_hash_is_fnv_1a(void **state)
{
    (void)state;
    assert_true(corm__hash_bytes(CORM__HASH_BEGIN, "", 0) == 0xcbf29ce484222325u);
    assert_true(corm__hash_bytes(CORM__HASH_BEGIN, "a", 1) == 0xaf63dc4c8601ec8cu);
    assert_true(corm__hash_bytes(CORM__HASH_BEGIN, "foobar", 6) == 0x85944171f73967e8u);
    assert_true(corm__hash_bytes(CORM__HASH_BEGIN, "chongo was here!\n", 17) ==
                0x46810940eff5f915u);
}

static void the_mix_is_that_of_murmurhash3(void **state)
{
    (void)state;
    assert_true(corm__hash_mix(0) == 0);
    assert_true(corm__hash_mix(1) == 0xb456bcfc34c2cb2cu);
    assert_true(corm__hash_mix(UINT64_MAX) == 0x64b5720b4b825f21u);
}

/* ---- The examples of the document ---------------------------------------------------------------- */

static const char *const examples[] = {"db1.example", "db2.example", "db3.example"};

static void need_line(const char *wanted)
{
    if (strstr(document, wanted) == NULL)
        fail_msg("docs/clusters.md does not have: %s", wanted);
}

static void need_node(const char *host, uint16_t port, const char *shown)
{
    char made[120];

    (void)snprintf(made, sizeof(made), "| `%s` | `%016llx` |\n", shown,
                   (unsigned long long)corm__hash_node(host, port));
    need_line(made);
}

static void the_document_has_the_nodes(void **state)
{
    (void)state;
    need_node("db1.example", 3306, "db1.example:3306");
    need_node("DB2.Example.", 3306, "db2.example:3306");
    need_node("db3.example", 3306, "db3.example:3306");
    need_node("10.0.0.7", 3307, "10.0.0.7:3307");
    need_node("FD00:0::1", 3306, "[fd000000000000000000000000000001]:3306");
}

static void need_key(const char *table, const char *shown, uint64_t key)
{
    uint64_t nodes[NODES];
    uint32_t order[NODES];
    char     made[200];

    for (int i = 0; i < NODES; i++)
        nodes[i] = corm__hash_node(examples[i], 3306);
    corm__order_nodes(nodes, NODES, key, order);
    (void)snprintf(made, sizeof(made), "| `%s` | `%s` | `%016llx` | %u %u %u |\n", table, shown,
                   (unsigned long long)key, (unsigned)order[0] + 1, (unsigned)order[1] + 1,
                   (unsigned)order[2] + 1);
    need_line(made);
}

static void the_document_has_the_keys(void **state)
{
    (void)state;
    need_key("product", "id=1", hash1(product.corm_table, corm_v_int_(1)));
    need_key("product", "id=2", hash1(product.corm_table, corm_v_int_(2)));
    need_key("product", "id=3", hash1(product.corm_table, corm_v_int_(3)));
    need_key("product", "id=-1", hash1(product.corm_table, corm_v_int_(-1)));
    need_key("product", "id=18446744073709551615",
             hash1(wide.corm_table, corm_v_uint_(UINT64_MAX)));
    need_key("person", "email='ann@example.org'",
             hash1(person.corm_table, corm_v_text_("ann@example.org")));
    need_key("person", "email='zoë@example.org'",
             hash1(person.corm_table, corm_v_text_("zo\xc3\xab@example.org")));
    need_key("person", "email=''", hash1(person.corm_table, corm_v_text_("")));
    need_key("parcel", "id=0198f2c4-7e6b-7a51-9d3c-5b1f0e8a2d47",
             hash1(parcel.corm_table, uuid_of("0198f2c4-7e6b-7a51-9d3c-5b1f0e8a2d47")));
    need_key("line", "line=2, order_id=7",
             hash2(order_line.corm_table, corm_v_int_(7), corm_v_int_(2)));
    need_key("line", "line=7, order_id=2",
             hash2(order_line.corm_table, corm_v_int_(2), corm_v_int_(7)));
}

/* ---- What is equal -------------------------------------------------------------------------------- */

static void a_number_is_one_number_in_whatever_form(void **state)
{
    struct corm_value real = corm_v_of_(CORM_V_REAL);

    (void)state;
    real.as.r = 1.0;
    assert_true(hash1(product.corm_table, real) == hash1(product.corm_table, corm_v_int_(1)));
    assert_true(hash1(wide.corm_table, corm_v_uint_(1)) ==
                hash1(product.corm_table, corm_v_int_(1)));
    assert_true(hash1(wide.corm_table, corm_v_uint_(UINT64_MAX)) !=
                hash1(product.corm_table, corm_v_int_(-1)));
    real.as.r = 9223372036854775808.0;
    assert_true(hash1(wide.corm_table, real) ==
                hash1(wide.corm_table, corm_v_uint_(UINT64_C(1) << 63)));
    real.as.r = -0.0;
    assert_true(hash1(point.corm_table, real) == hash1(point.corm_table, corm_v_int_(0)));
    real.as.r = 1.5;
    assert_true(hash1(point.corm_table, real) != hash1(point.corm_table, corm_v_int_(1)));
}

static void a_decimal_is_one_number_in_whatever_digits(void **state)
{
    uint64_t one = hash1(rate.corm_table, decimal_of("1.5")), much;

    (void)state;
    assert_true(one == hash1(rate.corm_table, decimal_of("01.500")));
    assert_true(one == hash1(rate.corm_table, corm_v_text_("1.50")));
    assert_true(one != hash1(rate.corm_table, decimal_of("1.501")));
    assert_true(hash1(rate.corm_table, corm_v_int_(-2)) ==
                hash1(rate.corm_table, decimal_of("-2.0")));
    /* no such row, but no fault either */
    much = hash1(rate.corm_table, corm_v_uint_(UINT64_MAX));
    assert_true(much == hash1(rate.corm_table, decimal_of("18446744073709551615")));
    assert_true(much != hash1(rate.corm_table, decimal_of("no number")));
}

static void columns_may_stand_in_any_order(void **state)
{
    (void)state;
    assert_true(hash2(order_line.corm_table, corm_v_int_(7), corm_v_int_(2)) ==
                hash2(turned.corm_table, corm_v_int_(2), corm_v_int_(7)));
    assert_true(hash2(order_line.corm_table, corm_v_int_(7), corm_v_int_(2)) !=
                hash2(order_line.corm_table, corm_v_int_(2), corm_v_int_(7)));
}

static void bytes_and_days_are_keys_too(void **state)
{
    struct corm_value blob = corm_v_of_(CORM_V_BLOB), time = corm_v_of_(CORM_V_TIME);
    uint64_t          empty = hash1(photo.corm_table, blob);

    (void)state;
    blob.as.p = "a\0b";
    blob.size = 3;
    assert_true(hash1(photo.corm_table, blob) != empty);
    blob.size = 1;
    assert_true(hash1(photo.corm_table, blob) == hash1(photo.corm_table, corm_v_text_("a")));
    time.as.i = 86400000000;
    assert_true(hash1(day.corm_table, time) == hash1(day.corm_table, corm_v_int_(86400000000)));
}

static void a_node_has_one_name(void **state)
{
    (void)state;
    assert_true(corm__hash_node("DB1.Example", 3306) == corm__hash_node("db1.example.", 3306));
    assert_true(corm__hash_node("::1", 3306) == corm__hash_node("0:0:0:0:0:0:0:1", 3306));
    assert_true(corm__hash_node("FE80::A", 3306) == corm__hash_node("fe80::a", 3306));
    assert_true(corm__hash_node("::1", 3306) != corm__hash_node("::2", 3306));
    assert_true(corm__hash_node("db1", 3306) != corm__hash_node("db1", 3307));
    assert_true(corm__hash_node("db1", 3306) != corm__hash_node("db13", 306));
}

/* ---- How keys spread ------------------------------------------------------------------------------ */

enum kind { IN_ORDER, IN_STEPS, AT_RANDOM, TEXTS, UUIDS, PAIRS, KINDS };

static uint64_t key_of(enum kind kind, uint32_t i)
{
    char text[40];

    switch (kind) {
    case IN_ORDER: return hash1(product.corm_table, corm_v_int_((long long)i + 1));
    case IN_STEPS: return hash1(product.corm_table, corm_v_int_((long long)i * 65536));
    case AT_RANDOM: return hash1(product.corm_table, corm_v_int_((int32_t)(i * 2654435761u)));
    case TEXTS:
        (void)snprintf(text, sizeof(text), "buyer-%u@example.org", (unsigned)i);
        return hash1(person.corm_table, corm_v_text_(text));
    case UUIDS:
        (void)snprintf(text, sizeof(text), "0198f2c4-%04x-7000-8000-000000000000", (unsigned)i);
        return hash1(parcel.corm_table, uuid_of(text));
    default:
        return hash2(order_line.corm_table, corm_v_int_((long long)i / 10),
                     corm_v_int_((long long)i % 10));
    }
}

static const struct {
    const char *hosts[NODES];
    uint16_t    ports[NODES];
} clusters[] = {
    {{"db1.example", "db2.example", "db3.example"}, {3306, 3306, 3306}},
    {{"127.0.0.1", "127.0.0.1", "127.0.0.1"}, {20001, 20002, 20003}},
    {{"10.0.0.1", "10.0.0.2", "10.0.0.3"}, {3306, 3306, 3306}},
    {{"fd00::a", "fd00::b", "fd00::c"}, {3306, 3306, 3306}},
};

static void nodes_of(size_t cluster, uint64_t nodes[static NODES])
{
    for (int i = 0; i < NODES; i++)
        nodes[i] = corm__hash_node(clusters[cluster].hosts[i], clusters[cluster].ports[i]);
}

static uint32_t first_of(const uint64_t *nodes, uint32_t count, uint64_t key)
{
    uint32_t order[NODES + 1];

    corm__order_nodes(nodes, count, key, order);
    return order[0];
}

static void keys_spread_within_five_per_cent(void **state)
{
    double worst = 0;

    (void)state;
    for (size_t c = 0; c < COUNT(clusters); c++) {
        for (enum kind kind = 0; kind < KINDS; kind++) {
            uint64_t nodes[NODES];
            uint32_t has[NODES] = {0};
            nodes_of(c, nodes);
            for (uint32_t i = 0; i < KEYS; i++)
                has[first_of(nodes, NODES, key_of(kind, i))]++;
            for (int i = 0; i < NODES; i++) {
                double off = has[i] * (double)NODES / KEYS - 1;
                worst = off > worst ? off : -off > worst ? -off : worst;
                if (off > 0.05 || off < -0.05)
                    fail_msg("cluster %zu, keys of kind %d: node %d has %u of %d", c, (int)kind, i,
                             (unsigned)has[i], KEYS);
            }
        }
    }
    print_message("# at most %.1f %% from even\n", 100 * worst);
}

/* The keys of one that goes are shared by those that stay: the second place spreads like the first. */
static void a_node_that_goes_moves_only_its_own_keys(void **state)
{
    (void)state;
    for (uint32_t gone = 0; gone < NODES; gone++) {
        uint64_t nodes[NODES], left[NODES - 1];
        uint32_t moved[NODES] = {0}, n = 0;
        nodes_of(0, nodes);
        for (uint32_t i = 0; i < NODES; i++)
            if (i != gone)
                left[n++] = nodes[i];
        for (uint32_t i = 0; i < KEYS; i++) {
            uint64_t key = key_of(IN_ORDER, i);
            uint32_t order[NODES];
            corm__order_nodes(nodes, NODES, key, order);
            uint64_t now = left[first_of(left, NODES - 1, key)];
            assert_true(now == (order[0] == gone ? nodes[order[1]] : nodes[order[0]]));
            if (order[0] == gone)
                moved[order[1]]++;
        }
        for (uint32_t i = 0; i < NODES; i++)
            assert_true(i == gone ? moved[i] == 0 : moved[i] > KEYS / NODES / 2 * 9 / 10);
    }
}

static void a_node_that_comes_takes_only_its_own_keys(void **state)
{
    uint64_t nodes[NODES + 1];
    uint32_t taken = 0;

    (void)state;
    nodes_of(0, nodes);
    nodes[NODES] = corm__hash_node("db4.example", 3306);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint64_t key = key_of(IN_ORDER, i);
        uint32_t before = first_of(nodes, NODES, key), after = first_of(nodes, NODES + 1, key);
        assert_true(after == before || after == NODES);
        taken += after == NODES;
    }
    assert_in_range(taken, KEYS / 4 * 95 / 100, KEYS / 4 * 105 / 100);
}

static void lists_that_disagree_in_order_agree_in_nodes(void **state)
{
    static const uint32_t turns[][NODES] = {{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    uint64_t              nodes[NODES], other_nodes[NODES];
    uint32_t              order[NODES], other[NODES];

    (void)state;
    nodes_of(0, nodes);
    for (size_t t = 0; t < COUNT(turns); t++) {
        for (int i = 0; i < NODES; i++)
            other_nodes[i] = nodes[turns[t][i]];
        for (uint32_t k = 0; k < KEYS; k++) {
            uint64_t key = key_of(TEXTS, k);
            corm__order_nodes(nodes, NODES, key, order);
            corm__order_nodes(other_nodes, NODES, key, other);
            for (int i = 0; i < NODES; i++)
                assert_true(nodes[order[i]] == other_nodes[other[i]]);
        }
    }
}

/* ---- All ------------------------------------------------------------------------------------------ */

static const char *text_of(const char *path)
{
    static char text[1 << 17];
    FILE       *file = fopen(path, "r");

    if (file == NULL)
        return "";
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    return text;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_fnv_1a),
        cmocka_unit_test(the_mix_is_that_of_murmurhash3),
        cmocka_unit_test(the_document_has_the_nodes),
        cmocka_unit_test(the_document_has_the_keys),
        cmocka_unit_test(a_number_is_one_number_in_whatever_form),
        cmocka_unit_test(a_decimal_is_one_number_in_whatever_digits),
        cmocka_unit_test(columns_may_stand_in_any_order),
        cmocka_unit_test(bytes_and_days_are_keys_too),
        cmocka_unit_test(a_node_has_one_name),
        cmocka_unit_test(keys_spread_within_five_per_cent),
        cmocka_unit_test(a_node_that_goes_moves_only_its_own_keys),
        cmocka_unit_test(a_node_that_comes_takes_only_its_own_keys),
        cmocka_unit_test(lists_that_disagree_in_order_agree_in_nodes),
    };

    document = text_of(argc > 1 ? argv[1] : "docs/clusters.md");
    return cmocka_run_group_tests_name("rendezvous", tests, NULL, NULL);
}
