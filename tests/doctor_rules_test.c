/* doctor_rules_test.c -- what the doctor makes of servers and libraries that the other tests cannot
 * have here: MySQL, a cluster, other versions of SQLite, sessions that corm could not put right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "doctor.h"

static struct doctor_finding findings[DOCTOR_FINDINGS];
static size_t                count;

static const struct doctor_finding *finding(const char *check)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(findings[i].check, check) == 0)
            return &findings[i];
    fail_msg("there is no finding %s", check);
    return NULL;
}

/* A server of which nothing bad is to be said. */
static struct doctor_facts good_server(void)
{
    static const struct doctor_variable variables[] = {
        {"innodb_flush_log_at_trx_commit", "1", "1", NULL},
        {"log_bin", "ON", "ON", NULL},
        {"sync_binlog", "1", "1", NULL},
        {"autocommit", "ON", "ON", NULL},
        {"init_connect", "", "", NULL},
        {"innodb_rollback_on_timeout", "OFF", "OFF", NULL},
        {"innodb_snapshot_isolation", "ON", "ON", "ON"},
        {"tx_isolation", "REPEATABLE-READ", "REPEATABLE-READ", NULL},
        {"local_infile", "OFF", "OFF", NULL},
        {"sql_mode", "STRICT_TRANS_TABLES", "STRICT_ALL_TABLES,STRICT_TRANS_TABLES", NULL},
        {"max_allowed_packet", "16777216", "16777216", NULL},
        {"wait_timeout", "28800", "28800", NULL},
        {"max_prepared_stmt_count", "16382", NULL, NULL},
        {"max_connections", "151", NULL, NULL},
        {"max_user_connections", "0", "0", NULL},
        {"read_only", "OFF", NULL, NULL},
        {"wsrep_on", "OFF", "OFF", NULL},
    };
    struct doctor_facts facts = {.settings = {.pool = 16,
                                              .timeout_ms = 30000,
                                              .max_age_s = 1800,
                                              .is_local = false,
                                              .verifies_tls = true,
                                              .nodes = 1,
                                              .writers = 1},
                                 .dialect = CORM_DIALECT_MARIADB,
                                 .version = "10.11.19-MariaDB",
                                 .cipher = "TLS_AES_256_GCM_SHA384",
                                 .has_ledger = true};

    memcpy(facts.variables, variables, sizeof(variables));
    facts.variable_count = sizeof(variables) / sizeof(variables[0]);
    return facts;
}

static struct doctor_variable *variable(struct doctor_facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->variable_count; i++)
        if (strcmp(facts->variables[i].name, name) == 0)
            return &facts->variables[i];
    fail_msg("no variable %s", name);
    return NULL;
}

static void forget(struct doctor_facts *facts, const char *name)
{
    struct doctor_variable *v = variable(facts, name);

    *v = facts->variables[--facts->variable_count];
}

static void judge(const struct doctor_facts *facts)
{
    count = doctor_judge(facts, findings);
    assert_true(count > 0 && count <= DOCTOR_FINDINGS);
}

/* Nothing but `check` is worse than ok; that has `severity`, and what it takes has a cure. */
static void assert_only(const char *check, enum doctor_severity severity)
{
    assert_int_equal(finding(check)->severity, severity);
    assert_true(severity == DOCTOR_OK || finding(check)->cure[0] != '\0');
    for (size_t i = 0; i < count; i++)
        if (strcmp(findings[i].check, check) != 0)
            assert_int_equal(findings[i].severity, DOCTOR_OK);
}

static void nothing_is_said_of_a_good_server(void **state)
{
    struct doctor_facts facts = good_server();

    (void)state;
    judge(&facts);
    assert_only("tls", DOCTOR_OK);
    for (size_t i = 0; i < count; i++) {
        assert_false(findings[i].by_corm);
        assert_string_equal(findings[i].cure, "");
    }
}

static void mysql_has_no_snapshot_isolation_and_another_name_for_isolation(void **state)
{
    struct doctor_facts facts = good_server();

    (void)state;
    facts.dialect = CORM_DIALECT_MYSQL;
    forget(&facts, "innodb_snapshot_isolation");
    variable(&facts, "tx_isolation")->name = "transaction_isolation";
    judge(&facts);
    assert_only("snapshot_isolation", DOCTOR_WARNING);
    assert_non_null(strstr(finding("isolation")->found, "transaction_isolation = REPEATABLE-READ"));
}

/* Protection counts only where a session of corm's shows it. */
static void what_corm_could_not_set_is_an_error(void **state)
{
    static const struct {
        const char *check, *name, *bad;
    } cases[] = {{"autocommit", "autocommit", "OFF"},
                 {"sql_mode", "sql_mode", "ANSI_QUOTES"},
                 {"snapshot_isolation", "innodb_snapshot_isolation", "OFF"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct doctor_facts facts = good_server();
        variable(&facts, cases[i].name)->global = cases[i].bad;
        judge(&facts);
        assert_only(cases[i].check, DOCTOR_OK);
        assert_true(finding(cases[i].check)->by_corm);
        variable(&facts, cases[i].name)->session = cases[i].bad;
        variable(&facts, cases[i].name)->in_trx = cases[i].bad;
        judge(&facts);
        assert_only(cases[i].check, DOCTOR_ERROR);
        assert_false(finding(cases[i].check)->by_corm);
    }
}

static void add(struct doctor_facts *facts, const char *name, const char *value)
{
    assert_true(facts->variable_count < DOCTOR_VARIABLES);
    facts->variables[facts->variable_count++] =
        (struct doctor_variable){.name = name, .global = value, .session = value};
}

/* A node of a cluster of three, of which nothing bad is to be said. */
static struct doctor_facts good_node(void)
{
    struct doctor_facts facts = good_server();

    variable(&facts, "wsrep_on")->global = "ON";
    add(&facts, "wsrep_cluster_status", "Primary");
    add(&facts, "wsrep_cluster_size", "3");
    add(&facts, "wsrep_local_state", "4");
    add(&facts, "wsrep_local_state_comment", "Synced");
    add(&facts, "wsrep_auto_increment_control", "ON");
    add(&facts, "auto_increment_increment", "3");
    add(&facts, "innodb_autoinc_lock_mode", "2");
    facts.settings.writers = 3;
    facts.node = 2;
    facts.has_guard = true;
    return facts;
}

static bool is_judged(const char *check)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(findings[i].check, check) == 0)
            return true;
    return false;
}

static void nothing_is_said_of_a_good_node(void **state)
{
    struct doctor_facts facts = good_node();

    (void)state;
    judge(&facts);
    assert_only("cluster_state", DOCTOR_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(findings[i].node, 2);
    facts = good_server();
    judge(&facts);
    assert_false(is_judged("cluster_state") || is_judged("guard") || is_judged("generated_keys") ||
                 is_judged("text_keys") || is_judged("replica"));
}

/* Three nodes, one of which flushes less: one finding of its own, and all others once. */
static void what_is_true_of_all_nodes_is_said_once(void **state)
{
    static struct doctor_finding all[3 * DOCTOR_FINDINGS];
    struct doctor_facts          facts[] = {good_node(), good_node(), good_node()};

    (void)state;
    judge(&facts[0]);
    size_t of_one = count;
    for (uint32_t i = 0; i < 3; i++)
        facts[i].node = i + 1;
    assert_int_equal(doctor_judge_all(facts, 3, all), of_one);
    for (size_t i = 0; i < of_one; i++)
        assert_int_equal(all[i].node, 0);
    variable(&facts[1], "innodb_flush_log_at_trx_commit")->global = "0";
    facts[2].error = (struct corm_error){.code = CORM_UNREACHABLE, .message = "nobody there"};
    size_t n = doctor_judge_all(facts, 3, all);
    assert_int_equal(n, of_one + 2); /* the third has one of its own, the others share theirs */
    assert_string_equal(all[n - 1].check, "reached");
    assert_int_equal(all[n - 1].node, 3);
    facts[2] = good_node();
    facts[2].node = 3;
    n = doctor_judge_all(facts, 3, all);
    assert_int_equal(n, of_one + 2);
    facts[0].error = facts[1].error = (struct corm_error){.code = CORM_UNREACHABLE};
    assert_int_equal(doctor_judge_all(facts, 3, all), of_one + 2);
    facts[0].error = facts[1].error = (struct corm_error){0};
    n = doctor_judge_all(facts, 3, all);
    size_t errors = 0, own = 0;
    for (size_t i = 0; i < n; i++) {
        own += all[i].node != 0;
        errors += all[i].severity == DOCTOR_ERROR;
        if (all[i].severity == DOCTOR_ERROR)
            assert_int_equal(all[i].node, 2);
    }
    assert_int_equal(own, 3);
    assert_int_equal(errors, 1);
}

static void who_names_one_node_of_a_cluster_is_warned(void **state)
{
    struct doctor_facts facts = good_node();

    (void)state;
    facts.settings.writers = 1;
    facts.has_guard = false; /* which one writer does not need */
    judge(&facts);
    assert_only("cluster", DOCTOR_WARNING);
    forget(&facts, "wsrep_on");
    judge(&facts);
    assert_only("cluster", DOCTOR_OK);
}

static void several_writers_that_are_no_cluster_are_an_error(void **state)
{
    struct doctor_facts facts = good_server();

    (void)state;
    facts.settings.writers = 2;
    judge(&facts);
    assert_only("cluster", DOCTOR_ERROR);
}

static void a_node_that_takes_no_work_is_an_error(void **state)
{
    static const struct {
        const char          *name, *value;
        enum doctor_severity severity;
    } cases[] = {{"wsrep_cluster_status", "non-Primary", DOCTOR_ERROR},
                 {"wsrep_cluster_status", "", DOCTOR_ERROR},
                 {"wsrep_local_state", "1", DOCTOR_ERROR},
                 {"wsrep_local_state", "2", DOCTOR_WARNING},
                 {"wsrep_local_state", "3", DOCTOR_ERROR},
                 {"wsrep_cluster_size", "2", DOCTOR_WARNING},
                 {"wsrep_cluster_size", "5", DOCTOR_OK}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct doctor_facts facts = good_node();
        variable(&facts, cases[i].name)->global = cases[i].value;
        judge(&facts);
        if (strcmp(cases[i].value, "5") != 0)
            assert_only("cluster_state", cases[i].severity);
        else
            assert_int_equal(finding("cluster_state")->severity, cases[i].severity);
    }
}

static void without_guards_nothing_is_safe_between_nodes(void **state)
{
    struct doctor_facts facts = good_node();

    (void)state;
    facts.has_guard = false;
    judge(&facts);
    assert_only("guard", DOCTOR_ERROR);
}

static void nodes_must_not_generate_the_same_keys(void **state)
{
    struct doctor_facts facts = good_node();

    (void)state;
    variable(&facts, "auto_increment_increment")->global = "1";
    judge(&facts); /* the cluster sets it in sessions */
    assert_only("generated_keys", DOCTOR_OK);
    variable(&facts, "wsrep_auto_increment_control")->global = "OFF";
    judge(&facts);
    assert_only("generated_keys", DOCTOR_ERROR);
    variable(&facts, "auto_increment_increment")->global = "3"; /* by hand */
    judge(&facts);
    assert_only("generated_keys", DOCTOR_OK);
    variable(&facts, "innodb_autoinc_lock_mode")->global = "1";
    judge(&facts);
    assert_only("generated_keys", DOCTOR_ERROR);
}

static void text_keys_have_to_be_compared_byte_by_byte(void **state)
{
    struct doctor_facts facts = good_node();

    (void)state;
    facts.loose_key_count = 3;
    facts.loose_named = 3;
    facts.loose_tables[0] = facts.loose_tables[1] = "a`b";
    facts.loose_tables[2] = "c";
    facts.loose_columns[0] = "x";
    facts.loose_columns[1] = "y";
    facts.loose_columns[2] = "z";
    judge(&facts);
    assert_only("text_keys", DOCTOR_WARNING);
    assert_non_null(strstr(finding("text_keys")->found, "a`b.x, a`b.y, c.z"));
    assert_string_equal(finding("text_keys")->cure,
                        "ALTER TABLE `a``b` CONVERT TO CHARACTER SET utf8mb4 COLLATE "
                        "utf8mb4_nopad_bin; ALTER TABLE `c` CONVERT TO CHARACTER SET utf8mb4 "
                        "COLLATE utf8mb4_nopad_bin;");
}

static void a_reader_takes_no_writes_and_is_not_far_behind(void **state)
{
    struct doctor_facts facts = good_server();

    (void)state;
    facts.reader = true;
    facts.node = 2;
    facts.is_replica = true;
    facts.lag = "2";
    variable(&facts, "read_only")->global = "ON";
    judge(&facts);
    assert_only("replica", DOCTOR_OK);
    variable(&facts, "read_only")->global = "OFF";
    judge(&facts);
    assert_only("read_only", DOCTOR_WARNING);
    variable(&facts, "read_only")->global = "ON";
    facts.lag = "10";
    judge(&facts);
    assert_only("replica", DOCTOR_WARNING);
    facts.lag = NULL;
    judge(&facts);
    assert_only("replica", DOCTOR_WARNING);
    facts.is_replica = false;
    judge(&facts);
    assert_only("replica", DOCTOR_WARNING);
    facts.is_lag_unknown = true;
    judge(&facts);
    assert_only("replica", DOCTOR_NOTE);
    facts.reader = false; /* nobody is told that it may be behind */
    variable(&facts, "read_only")->global = "OFF";
    judge(&facts);
    assert_false(is_judged("replica"));
}

static void a_link_is_judged_by_cipher_proof_and_place(void **state)
{
    static const struct {
        const char          *cipher;
        bool                 verifies, is_local;
        enum doctor_severity severity;
    } cases[] = {{"AES", true, false, DOCTOR_OK},  {"AES", false, false, DOCTOR_WARNING},
                 {"AES", false, true, DOCTOR_OK},  {"", false, true, DOCTOR_OK},
                 {"", false, false, DOCTOR_ERROR}, {"", true, false, DOCTOR_ERROR}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct doctor_facts facts = good_server();
        facts.cipher = cases[i].cipher;
        facts.settings.verifies_tls = cases[i].verifies;
        facts.settings.is_local = cases[i].is_local;
        judge(&facts);
        assert_only("tls", cases[i].severity);
    }
}

static void edges_of_numbers(void **state)
{
    static const struct {
        const char          *check, *name, *value;
        enum doctor_severity severity;
    } cases[] = {
        {"flush_at_commit", "innodb_flush_log_at_trx_commit", "3", DOCTOR_OK},
        {"flush_at_commit", "innodb_flush_log_at_trx_commit", "", DOCTOR_ERROR},
        {"binlog_flush", "sync_binlog", "100", DOCTOR_ERROR},
        {"packet", "max_allowed_packet", "16777215", DOCTOR_NOTE},
        {"packet", "max_allowed_packet", "1048576", DOCTOR_NOTE},
        {"packet", "max_allowed_packet", "1048575", DOCTOR_WARNING},
        {"wait_timeout", "wait_timeout", "1800", DOCTOR_OK},
        {"wait_timeout", "wait_timeout", "1799", DOCTOR_NOTE},
        {"wait_timeout", "wait_timeout", "30", DOCTOR_NOTE},
        {"wait_timeout", "wait_timeout", "29", DOCTOR_WARNING},
        {"prepared_statements", "max_prepared_stmt_count", "4096", DOCTOR_OK},
        {"prepared_statements", "max_prepared_stmt_count", "4095", DOCTOR_NOTE},
        {"prepared_statements", "max_prepared_stmt_count", "31", DOCTOR_WARNING},
        {"connections", "max_connections", "17", DOCTOR_OK},
        {"connections", "max_connections", "16", DOCTOR_WARNING},
        {"connections", "max_user_connections", "17", DOCTOR_OK},
        {"connections", "max_user_connections", "16", DOCTOR_WARNING},
        {"read_only", "read_only", "NO_LOCK", DOCTOR_WARNING},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct doctor_facts facts = good_server();
        variable(&facts, cases[i].name)->global = cases[i].value;
        variable(&facts, cases[i].name)->session = cases[i].value;
        judge(&facts);
        assert_only(cases[i].check, cases[i].severity);
    }
}

/* The longest names that a server can have, ten times: nothing is cut in the middle of a statement. */
static void cures_of_long_names_stay_whole(void **state)
{
    static const char long_name[] =
        "````````````````````````````````````````````````````````````````";
    struct doctor_facts facts = good_server();

    (void)state;
    facts.bad_table_count = 4711;
    for (facts.bad_named = 0; facts.bad_named < DOCTOR_NAMED; facts.bad_named++) {
        facts.bad_tables[facts.bad_named] = long_name;
        facts.bad_engines[facts.bad_named] = "MyISAM";
    }
    judge(&facts);
    assert_only("tables", DOCTOR_ERROR);
    const char *cure = finding("tables")->cure;
    assert_true(strlen(cure) > 500);
    assert_int_equal(cure[strlen(cure) - 1], ';');
}

static void versions_with_the_wal_reset_bug(void **state)
{
    static const char *const damaged[] = {"3.7.0",  "3.40.1", "3.44.5", "3.45.0",
                                          "3.50.6", "3.51.0", "3.51.2"};
    static const char *const whole[] = {"3.6.23", "3.44.6", "3.44.9", "3.50.7",
                                        "3.50.9", "3.51.3", "3.52.0", "4.0.0"};

    (void)state;
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++)
        assert_true(doctor_has_wal_reset_bug(damaged[i]));
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        assert_false(doctor_has_wal_reset_bug(whole[i]));
}

static void a_file_is_judged_by_what_its_connection_has(void **state)
{
    struct doctor_facts facts = {.settings = {.file = "shop.db", .pool = 16, .is_local = true},
                                 .dialect = CORM_DIALECT_SQLITE,
                                 .version = "3.51.3",
                                 .journal_mode = "wal",
                                 .synchronous = "2"};

    (void)state;
    judge(&facts);
    assert_only("wal_reset_bug", DOCTOR_OK);
    facts.version = "3.40.1";
    judge(&facts);
    assert_only("wal_reset_bug", DOCTOR_WARNING);
    facts.version = "3.51.3";
    facts.synchronous = "1";
    judge(&facts);
    assert_only("synchronous", DOCTOR_ERROR);
    facts.synchronous = "3";
    facts.journal_mode = "delete";
    judge(&facts);
    assert_only("journal_mode", DOCTOR_ERROR);
}

static void a_question_that_is_refused_is_an_error_and_nothing_is_called_ok(void **state)
{
    struct doctor_facts facts = good_server();

    (void)state;
    facts.question = "the tables";
    facts.error = (struct corm_error){.code = CORM_DENIED, .message = "no right"};
    judge(&facts);
    assert_int_equal(count, 1);
    assert_only("question", DOCTOR_ERROR);
    assert_string_equal(finding("question")->found, "the tables: no right");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_of_a_good_server),
        cmocka_unit_test(mysql_has_no_snapshot_isolation_and_another_name_for_isolation),
        cmocka_unit_test(what_corm_could_not_set_is_an_error),
        cmocka_unit_test(nothing_is_said_of_a_good_node),
        cmocka_unit_test(what_is_true_of_all_nodes_is_said_once),
        cmocka_unit_test(who_names_one_node_of_a_cluster_is_warned),
        cmocka_unit_test(several_writers_that_are_no_cluster_are_an_error),
        cmocka_unit_test(a_node_that_takes_no_work_is_an_error),
        cmocka_unit_test(without_guards_nothing_is_safe_between_nodes),
        cmocka_unit_test(nodes_must_not_generate_the_same_keys),
        cmocka_unit_test(text_keys_have_to_be_compared_byte_by_byte),
        cmocka_unit_test(a_reader_takes_no_writes_and_is_not_far_behind),
        cmocka_unit_test(a_link_is_judged_by_cipher_proof_and_place),
        cmocka_unit_test(edges_of_numbers),
        cmocka_unit_test(cures_of_long_names_stay_whole),
        cmocka_unit_test(versions_with_the_wal_reset_bug),
        cmocka_unit_test(a_file_is_judged_by_what_its_connection_has),
        cmocka_unit_test(a_question_that_is_refused_is_an_error_and_nothing_is_called_ok),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
