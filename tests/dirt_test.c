/* dirt_test.c -- what a borrower leaves in a session never reaches the next one.
 *
 * A *kind* of dirt is a text that corm_sql() takes and that changes a session. A *look* at a session is
 * one long text of all that can be asked about it; that of the next borrower must be what it is for a
 * connection that was just opened. The control switches the reset off: then every kind must show, or
 * the look is blind for it.
 *
 * On MariaDB the pool has one connection, so that the next borrower has the same one, and the server is
 * the program's own. On SQLite it is a database in memory, whose connection cannot be replaced, and a
 * file. */
#include "support.h"

#include "api/db.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOOK_SIZE = 65536 };

struct kind {
    const char *what;
    const char *text;
};

static const struct kind server_kinds[] = {
    {"a user variable", "SET @dirt = 1"},
    {"a user variable that a SELECT sets", "SELECT @dirt := 1"},
    {"a user variable that a WITH sets", "WITH w AS (SELECT 1 AS a) SELECT @dirt := a FROM w"},
    {"a user variable, in brackets", "(SELECT @dirt := 1)"},
    {"a user variable, behind comments", "/* SELECT */ -- x\n # y\n SET @dirt = 1"},
    {"a user variable by SELECT INTO", "SELECT 1 INTO @dirt"},
    {"a user variable by INSERT", "INSERT INTO dirt_data VALUES (@dirt := 2)"},
    {"a user variable by UPDATE", "UPDATE dirt_data SET a = (@dirt := 2)"},
    {"a user variable by a function", "SELECT dirt_sets()"},
    {"a user variable by a function in a view", "SELECT * FROM dirt_view_sets"},
    {"a user variable by SELECT INTO in a view", "SELECT * FROM dirt_view_into"},
    {"a user variable by a trigger", "INSERT INTO dirt_trigger VALUES (1)"},
    {"a user variable by a procedure", "CALL dirt_procedure_sets()"},
    {"a temporary table", "CREATE TEMPORARY TABLE dirt_row (a INT) SELECT 99 AS a"},
    {"a temporary table by a procedure", "CALL dirt_procedure_temporary()"},
    {"GET_LOCK", "SELECT GET_LOCK('dirt', 0)"},
    {"GET_LOCK in a view", "SELECT * FROM dirt_view_locks"},
    {"GET_LOCK by a function", "SELECT dirt_locks()"},
    {"GET_LOCK by a trigger", "UPDATE dirt_trigger SET a = a + 1"},
    {"LOCK TABLES", "LOCK TABLES dirt_row WRITE"},
    {"LOCK TABLES ... READ", "LOCK TABLES dirt_row READ"},
    {"the global read lock", "FLUSH TABLES WITH READ LOCK"},
    {"USE", "USE mysql"},
    {"SET NAMES", "SET NAMES latin1"},
    {"character_set_client", "SET character_set_client = latin1"},
    {"character_set_results", "SET character_set_results = latin1"},
    {"collation_connection", "SET collation_connection = utf8mb4_bin"},
    {"sql_mode", "SET sql_mode = ''"},
    {"sql_mode by a procedure that sets variables", "CALL dirt_procedure_variables()"},
    {"isolation", "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"},
    {"access mode", "SET SESSION TRANSACTION READ ONLY"},
    {"autocommit", "SET autocommit = 0"},
    {"time_zone", "SET time_zone = '+05:00'"},
    {"foreign_key_checks", "SET foreign_key_checks = 0"},
    {"unique_checks", "SET unique_checks = 0"},
    {"check_constraint_checks", "SET check_constraint_checks = 0"},
    {"innodb_lock_wait_timeout", "SET innodb_lock_wait_timeout = 1"},
    {"innodb_snapshot_isolation",
     "SET innodb_snapshot_isolation = 1 - @@innodb_snapshot_isolation"},
    {"lock_wait_timeout", "SET lock_wait_timeout = 1"},
    {"max_statement_time", "SET max_statement_time = 100"},
    {"sql_log_bin", "SET sql_log_bin = 0"},
    {"LAST_INSERT_ID", "SELECT LAST_INSERT_ID(77)"},
    {"insert_id", "SET insert_id = 55"},
    {"timestamp", "SET timestamp = 1"},
    {"a seed", "SET rand_seed1 = 5, rand_seed2 = 6"},
    {"a prepared statement", "CALL dirt_procedure_prepares()"},
    {"a handler", "HANDLER dirt_row OPEN AS dirt_handler"},
    {"session tracking", "SET session_track_system_variables = 'time_zone'"},
    {"tracking of the database, and USE", "CALL dirt_procedure_untracks()"},
    {"profiling", "SET profiling = 1"},
    {"group_concat_max_len", "SET group_concat_max_len = 4"},
    {"wait_timeout", "SET wait_timeout = 1000"},
    {"net_read_timeout", "SET net_read_timeout = 77"},
    {"completion_type", "SET completion_type = 1"},
    {"default_storage_engine", "SET default_storage_engine = Aria"},
    {"optimizer_switch", "SET optimizer_switch = 'index_merge=off'"},
    {"sql_select_limit", "SET sql_select_limit = 1000"},
    {"sql_safe_updates", "SET sql_safe_updates = 1"},
    {"sql_big_selects", "SET sql_big_selects = 0"},
    {"sql_auto_is_null", "SET sql_auto_is_null = 1"},
    {"sql_notes", "SET sql_notes = 0"},
    {"low_priority_updates", "SET low_priority_updates = 1"},
    {"auto_increment_increment", "SET auto_increment_increment = 7"},
    {"div_precision_increment", "SET div_precision_increment = 9"},
    {"max_sort_length", "SET max_sort_length = 64"},
    {"lc_time_names", "SET lc_time_names = 'de_DE'"},
    {"lc_messages", "SET lc_messages = 'de_DE'"},
    {"old_mode", "SET old_mode = 'NO_PROGRESS_INFO'"},
    {"join_buffer_size", "SET join_buffer_size = 1048576"},
    {"a role", "SET ROLE dirt_role"},
    {"a role by a procedure", "CALL dirt_procedure_role()"},
    {"a transaction by a procedure", "CALL dirt_procedure_begins()"},
    {"an XA transaction by a procedure", "CALL dirt_procedure_xa()"},
    {"a transaction and a savepoint", "CALL dirt_procedure_savepoint()"},
    {"a procedure that leaves a cursor and results", "CALL dirt_procedure_results()"},
};

enum { KINDS = COUNT(server_kinds) };

/* ---- Looking at a session -------------------------------------------------------- */

/* What is asked, in one borrowing; an error is an answer, too. */
static const char *const questions[] = {
    "SELECT @@in_transaction, DATABASE(), CURRENT_ROLE(), LAST_INSERT_ID(), "
    "IS_USED_LOCK('dirt'), ABS(TIMESTAMPDIFF(DAY, NOW(), SYSDATE())) > 1, @@rand_seed1 = 5",
    /* What belongs to the connection, the moment, or the statement before this one. */
    "SELECT variable_name, variable_value FROM information_schema.session_variables WHERE "
    "variable_name NOT IN ('TIMESTAMP', 'PSEUDO_THREAD_ID', 'LAST_GTID', 'GTID_CURRENT_POS', "
    "'GTID_BINLOG_POS', 'ERROR_COUNT', 'WARNING_COUNT', 'RAND_SEED1', 'RAND_SEED2', "
    "'GTID_BINLOG_STATE', 'IN_TRANSACTION') AND variable_name NOT IN (SELECT variable_name FROM "
    "information_schema.system_variables WHERE variable_scope = 'GLOBAL') ORDER BY 1",
    "SELECT variable_name, variable_value FROM information_schema.user_variables ORDER BY 1",
    "SELECT MAX(a) = 99 FROM dirt_row",
    "BEGIN NOT ATOMIC EXECUTE dirt_statement; END",
    "HANDLER dirt_handler READ FIRST",
};

struct look {
    struct corm__sink base;
    char             *text;
    size_t            used;
};

static void note(struct look *look, const char *text)
{
    int n = snprintf(look->text + look->used, LOOK_SIZE - look->used, "%s|", text);

    look->used += (size_t)n;
    if (look->used >= LOOK_SIZE)
        fail_msg("a look at a session is too long");
}

static int look_start(struct corm__sink *base, const struct corm_table **types,
                      struct corm_error *error)
{
    (void)base, (void)types, (void)error;
    return 0;
}

static int look_names(struct corm__sink *base, const char *const *names, uint32_t count,
                      struct corm_error *error)
{
    (void)base, (void)names, (void)count, (void)error;
    return 0;
}

static int look_row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
                    struct corm_error *error)
{
    struct look *look = (struct look *)base;
    char         text[4096];

    (void)error;
    if (look->text == NULL)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct corm_value *v = &values[i];
        if (v->kind == CORM_V_TEXT || v->kind == CORM_V_BLOB)
            (void)snprintf(text, sizeof(text), "%.*s", (int)v->size, v->as.s);
        else if (v->kind == CORM_V_REAL)
            (void)snprintf(text, sizeof(text), "%g", v->as.r);
        else if (v->kind == CORM_V_NULL)
            (void)snprintf(text, sizeof(text), "NULL");
        else
            (void)snprintf(text, sizeof(text), "%lld", (long long)v->as.i);
        note(look, text);
    }
    look->text[look->used - 1] = '\n';
    return 0;
}

static struct corm__connection *borrow(struct corm_db *db)
{
    const struct corm__mode  single = {0};
    struct corm__caller      here = {__FILE__, __LINE__};
    struct corm__connection *c = NULL;
    struct corm_error        error = {0};

    assert_ok(corm__pool_acquire(db->nodes.all->write, &single, here, corm__deadline_in(20000), &c,
                                 &error),
              &error);
    assert_ok(corm__connection_enter(c, &single, 0, corm__deadline_in(20000), &error), &error);
    return c;
}

static int run_raw(struct corm__connection *c, const char *text, struct look *look,
                   struct corm_error *error)
{
    struct corm__statement s = corm__control(text);
    struct corm__run       run = {
              .statements = &s, .count = 1, .sink = &look->base, .deadline = corm__deadline_in(20000)};

    s.verb = CORM__RAW;
    s.once = true;
    return corm__connection_run(c, &run, error);
}

static struct look new_look(char *text)
{
    if (text != NULL)
        text[0] = '\0';
    return (struct look){.base = {look_start, look_names, look_row}, .text = text};
}

static void look_at(struct corm_db *db, const char *const *asked, size_t count, char *text)
{
    struct look              look = new_look(text);
    struct corm__connection *c = borrow(db);

    for (size_t i = 0; i < count; i++) {
        struct corm_error error = {0};
        if (run_raw(c, asked[i], &look, &error) < 0) {
            char code[32];
            (void)snprintf(code, sizeof(code), "question %zu: error %d", i, error.server_code);
            note(&look, code);
        }
    }
    c->dirty = true;
    corm__pool_release(db->nodes.all->write, c);
}

/* The first line that two looks do not share. */
static void show_difference(const char *what, const char *fresh, const char *found)
{
    while (*fresh == *found && *fresh != '\0')
        fresh++, found++;
    print_message("# %s: ...%.60s... instead of ...%.60s...\n", what, found, fresh);
}

/* ---- Kinds --------------------------------------------------------------------------- */

static void make_dirt_possible(void)
{
    beside(
        "CREATE OR REPLACE TABLE dirt_row (a INT); INSERT INTO dirt_row VALUES (1);"
        "CREATE OR REPLACE TABLE dirt_data (a INT); INSERT INTO dirt_data VALUES (1);"
        "CREATE OR REPLACE TABLE dirt_trigger (a INT); INSERT INTO dirt_trigger VALUES (1);"
        "CREATE OR REPLACE FUNCTION dirt_sets() RETURNS INT BEGIN SET @dirt = 1; RETURN 1; END;"
        "CREATE OR REPLACE FUNCTION dirt_into() RETURNS INT BEGIN SELECT 1 INTO @dirt; RETURN 1; "
        "END;"
        "CREATE OR REPLACE FUNCTION dirt_locks() RETURNS INT RETURN GET_LOCK('dirt', 0);"
        "CREATE OR REPLACE VIEW dirt_view_sets AS SELECT dirt_sets();"
        "CREATE OR REPLACE VIEW dirt_view_into AS SELECT dirt_into();"
        "CREATE OR REPLACE VIEW dirt_view_locks AS SELECT GET_LOCK('dirt', 0);"
        "CREATE OR REPLACE TRIGGER dirt_on_insert BEFORE INSERT ON dirt_trigger FOR EACH ROW "
        "SET @dirt = NEW.a;"
        "CREATE OR REPLACE TRIGGER dirt_on_update BEFORE UPDATE ON dirt_trigger FOR EACH ROW "
        "SET NEW.a = GET_LOCK('dirt', 0);"
        "CREATE OR REPLACE ROLE dirt_role; GRANT dirt_role TO CURRENT_USER");
    beside(
        "CREATE OR REPLACE PROCEDURE dirt_procedure_sets() SET @dirt = 1;"
        "CREATE OR REPLACE PROCEDURE dirt_procedure_temporary() CREATE TEMPORARY TABLE dirt_row "
        "SELECT 99 AS a;"
        "CREATE OR REPLACE PROCEDURE dirt_procedure_variables() BEGIN SET time_zone = '+03:00'; SET "
        "foreign_key_checks = 0; END;"
        "CREATE OR REPLACE PROCEDURE dirt_procedure_prepares() PREPARE dirt_statement FROM "
        "'SELECT 1';"
        "CREATE OR REPLACE PROCEDURE dirt_procedure_untracks() BEGIN SET session_track_schema = 0; "
        "SET session_track_state_change = 1; END;"
        "CREATE OR REPLACE PROCEDURE dirt_procedure_role() SET ROLE dirt_role;"
        "CREATE OR REPLACE PROCEDURE dirt_procedure_begins() BEGIN START TRANSACTION; INSERT INTO "
        "dirt_data VALUES (99); END;"
        "CREATE OR REPLACE PROCEDURE dirt_procedure_xa() EXECUTE IMMEDIATE 'XA START ''dirt''';"
        "CREATE OR REPLACE PROCEDURE dirt_procedure_savepoint() BEGIN START TRANSACTION; SAVEPOINT "
        "dirt; UPDATE dirt_data SET a = 99; END;"
        "CREATE OR REPLACE PROCEDURE dirt_procedure_results() BEGIN DECLARE c CURSOR FOR SELECT a "
        "FROM dirt_row; OPEN c; SET @dirt = 3; SELECT 1; SELECT 2; END");
}

static struct corm_db *open_one(void)
{
    return open_db("pool=1&timeout_ms=20000");
}

/* So that what holds a lock shows as an error of the next writer, not as a wait for it. */
static bool others_can_write(void)
{
    struct corm_db   *db = open_db("pool=1&timeout_ms=2000");
    struct corm_error error = {0};
    int               rc = corm_sql(db, NULL,
                                    "SET STATEMENT lock_wait_timeout=1, innodb_lock_wait_timeout=1 FOR "
                                                  "UPDATE dirt_row SET a = 1 WHERE a = 1",
                                    .error = &error);

    corm_close(db);
    return rc >= 0;
}

static void look_fresh(char *text)
{
    struct corm_db *db = open_one();

    look_at(db, questions, COUNT(questions), text);
    corm_close(db);
}

static void a_fresh_session_looks_like_a_fresh_one(void **state)
{
    static char one[LOOK_SIZE], two[LOOK_SIZE];

    (void)state;
    make_dirt_possible();
    look_fresh(one);
    look_fresh(two);
    assert_string_equal(one, two);
    assert_true(strlen(one) > 4000); /* it does see something */
}

/* Through corm_sql(), as a program does it. */
static void no_kind_of_dirt_reaches_the_next_borrower(void **state)
{
    static char fresh[LOOK_SIZE], found[LOOK_SIZE];
    int         wrong = 0;

    (void)state;
    make_dirt_possible();
    look_fresh(fresh);
    struct corm_db *db = open_one();
    for (size_t i = 0; i < KINDS; i++) {
        struct corm_error error = {0};
        if (corm_sql(db, NULL, server_kinds[i].text, .error = &error) < 0) {
            print_message("# %s: %s\n", server_kinds[i].what, error.message);
            wrong++;
        }
        if (!others_can_write()) {
            print_message("# %s: others are locked out\n", server_kinds[i].what);
            wrong++;
        }
        look_at(db, questions, COUNT(questions), found);
        if (strcmp(fresh, found) != 0) {
            show_difference(server_kinds[i].what, fresh, found);
            wrong++;
        }
        beside("DELETE FROM dirt_row; INSERT INTO dirt_row VALUES (1)");
    }
    assert_int_equal(wrong, 0);
    /* And without closing the connection, but for a role: COM_RESET_CONNECTION leaves it. */
    assert_int_equal(stats_of(db).connects, 3);
    corm_close(db);
}

/* In one borrowing; the second one may be refused because of the first. */
static void no_pair_of_dirt_reaches_the_next_borrower(void **state)
{
    static char     fresh[LOOK_SIZE], found[LOOK_SIZE];
    struct look     nothing = new_look(NULL);
    struct corm_db *db = open_one();
    int             wrong = 0, pairs = 0;

    (void)state;
    make_dirt_possible();
    look_fresh(fresh);
    for (size_t i = 0; i < KINDS; i++) {
        for (size_t j = i + 1; j < KINDS; j++) {
            bool                     turned = (i + j) % 2 == 0;
            struct corm_error        ignored = {0};
            struct corm__connection *c = borrow(db);
            assert_ok(run_raw(c, server_kinds[turned ? j : i].text, &nothing, &ignored), &ignored);
            (void)run_raw(c, server_kinds[turned ? i : j].text, &nothing, &ignored);
            c->dirty = true;
            corm__pool_release(db->nodes.all->write, c);
            look_at(db, questions, COUNT(questions), found);
            pairs++;
            if (strcmp(fresh, found) == 0)
                continue;
            wrong++;
            print_message("# %s and ", server_kinds[i].what);
            show_difference(server_kinds[j].what, fresh, found);
            if (wrong > 10)
                fail_msg("enough");
        }
        beside("DELETE FROM dirt_row; INSERT INTO dirt_row VALUES (1)");
    }
    print_message("# %d kinds, %d pairs\n", KINDS, pairs);
    assert_int_equal(wrong, 0);
    corm_close(db);
}

/* ---- The control: without a reset every kind shows ------------------------------------- */

static bool pretend_to_begin(struct corm__link *link)
{
    (void)link;
    return true;
}

static int pretend_to_end(struct corm__link *link, int64_t deadline, struct corm_error *error)
{
    (void)link, (void)deadline, (void)error;
    return 0;
}

static void without_a_reset_every_kind_shows(void **state)
{
    static char         fresh[LOOK_SIZE], found[LOOK_SIZE];
    struct corm__driver careless = corm__mariadb;
    struct look         nothing = new_look(NULL);
    int                 blind = 0;

    (void)state;
    careless.begin_reset = pretend_to_begin;
    careless.end_reset = pretend_to_end;
    make_dirt_possible();
    look_fresh(fresh);
    for (size_t i = 0; i < KINDS; i++) {
        struct corm_db          *db = open_one();
        struct corm_error        error = {0};
        struct corm__connection *c = borrow(db);
        c->link->driver = &careless;
        if (run_raw(c, server_kinds[i].text, &nothing, &error) < 0)
            print_message("# %s: %s\n", server_kinds[i].what, error.message);
        c->dirty = true;
        corm__pool_release(db->nodes.all->write, c);
        bool locked = !others_can_write();
        look_at(db, questions, COUNT(questions), found);
        if (!locked && strcmp(fresh, found) == 0) {
            print_message("# blind: %s\n", server_kinds[i].what);
            blind++;
        }
        corm_close(db);
        beside("DELETE FROM dirt_row; INSERT INTO dirt_row VALUES (1)");
    }
    assert_int_equal(blind, 0);
}

/* ---- What it costs ------------------------------------------------------------------------ */

static uint64_t trips_of(struct corm_db *db)
{
    return stats_of(db).round_trips;
}

static void a_clean_return_costs_no_round_trip(void **state)
{
    struct corm_db          *db = open_one();
    struct corm__connection *c = borrow(db);
    uint64_t                 link_trips = c->link->round_trips, trips = trips_of(db);

    (void)state;
    for (int i = 0; i < 100; i++) {
        corm__pool_release(db->nodes.all->write, c);
        c = borrow(db);
    }
    assert_int_equal(c->link->round_trips, link_trips);
    assert_int_equal(trips_of(db), trips);
    c->dirty = true;
    corm__pool_release(db->nodes.all->write, c);
    c = borrow(db);
    assert_int_equal(trips_of(db), trips + 2); /* the reset's own, and the session pinned again */
    corm__pool_release(db->nodes.all->write, c);
    corm_close(db);
}

/* COM_RESET_CONNECTION makes prepared statements stale; closing those must not break the link. */
static void prepared_statements_are_prepared_again_after_a_reset(void **state)
{
    struct corm_db   *db = open_one();
    struct corm_error error = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct corm_rows   rows;
        struct corm_arena *arena = corm_arena_new();
        for (int n = 0; n < 40; n++) {
            char text[64];
            (void)snprintf(text, sizeof(text), "SELECT %d + ?", n);
            struct corm_trx *trx = NULL;
            assert_ok(corm_begin(db, &trx, .error = &error), &error);
            assert_rows(corm_sql(trx, &rows, text, corm_vals(2), .error = &error), 1, &error);
            assert_int_equal(rows.values[0].as.i, n + 2);
            assert_rows(corm_sql(trx, &rows, "SELECT ?", corm_vals(n), .error = &error), 1, &error);
            assert_ok(corm_commit(trx), &error);
            corm_end(trx);
        }
        corm_arena_free(arena);
    }
    assert_int_equal(stats_of(db).connects, 1);
    corm_close(db);
}

/* ---- SQLite -------------------------------------------------------------------------------- */

static const struct kind file_kinds[] = {
    {"a temporary table", "CREATE TEMP TABLE dirt_temp (a)"},
    {"a temporary table of a strange name", "CREATE TEMP TABLE \"dirt \"\" x\" (a)"},
    {"a temporary view", "CREATE TEMP VIEW dirt_view AS SELECT 1"},
    {"a temporary trigger",
     "CREATE TEMP TRIGGER dirt_trigger AFTER INSERT ON dirt_row BEGIN SELECT 1; "
     "END"},
    {"ATTACH", "ATTACH ':memory:' AS dirt_attached"},
    {"ATTACH of a strange name", "ATTACH ':memory:' AS \"dirt \"\" x\""},
    {"foreign_keys", "PRAGMA foreign_keys = OFF"},
    {"case_sensitive_like", "PRAGMA case_sensitive_like = OFF"},
    {"synchronous", "PRAGMA synchronous = OFF"},
    {"recursive_triggers", "PRAGMA recursive_triggers = ON"},
    {"ignore_check_constraints", "PRAGMA ignore_check_constraints = ON"},
    {"reverse_unordered_selects", "PRAGMA reverse_unordered_selects = ON"},
    {"query_only", "PRAGMA query_only = ON"},
    {"cache_size", "PRAGMA cache_size = 5"},
    {"temp_store", "PRAGMA temp_store = 2"},
    {"secure_delete", "PRAGMA secure_delete = FAST"},
    {"writable_schema", "PRAGMA writable_schema = ON"},
    {"trusted_schema", "PRAGMA trusted_schema = ON"},
    {"automatic_index", "PRAGMA automatic_index = OFF"},
    {"legacy_alter_table", "PRAGMA legacy_alter_table = ON"},
    {"cell_size_check", "PRAGMA cell_size_check = ON"},
    {"busy_timeout", "PRAGMA busy_timeout = 7"},
    {"max_page_count", "PRAGMA max_page_count = 1000"},
};

static const char *const file_questions[] = {
    "SELECT name FROM pragma_database_list ORDER BY 1",
    "SELECT type, name FROM sqlite_temp_schema ORDER BY 2",
    "SELECT 'a' LIKE 'A'",
    "PRAGMA foreign_keys",
    "PRAGMA synchronous",
    "PRAGMA recursive_triggers",
    "PRAGMA ignore_check_constraints",
    "PRAGMA reverse_unordered_selects",
    "PRAGMA query_only",
    "PRAGMA cache_size",
    "PRAGMA temp_store",
    "PRAGMA secure_delete",
    "PRAGMA writable_schema",
    "PRAGMA trusted_schema",
    "PRAGMA automatic_index",
    "PRAGMA legacy_alter_table",
    "PRAGMA cell_size_check",
    "PRAGMA busy_timeout",
    "PRAGMA max_page_count",
};

static struct corm_db *open_sqlite(bool in_memory)
{
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    int rc = corm_open(&db, in_memory ? "sqlite::memory:" : test_url("pool=2"), .error = &error);

    assert_ok(rc, &error);
    assert_ok(corm_sql(db, NULL, "CREATE TABLE IF NOT EXISTS dirt_row (a)", .error = &error),
              &error);
    return db;
}

static void no_dirt_of_a_file_reaches_the_next_borrower(void **state)
{
    static char fresh[LOOK_SIZE], found[LOOK_SIZE], before[LOOK_SIZE];

    (void)state;
    for (int in_memory = 0; in_memory < 2; in_memory++) {
        struct corm_db *db = open_sqlite(in_memory != 0);
        look_at(db, file_questions, COUNT(file_questions), fresh);
        for (size_t i = 0; i < COUNT(file_kinds); i++) {
            for (size_t j = 0; j < COUNT(file_kinds); j++) {
                struct look              nothing = new_look(NULL);
                struct corm_error        error = {0};
                struct corm__connection *c = borrow(db);
                assert_ok(run_raw(c, file_kinds[i].text, &nothing, &error), &error);
                (void)run_raw(c, file_kinds[j].text, &nothing, &error);
                c->dirty = true;
                corm__pool_release(db->nodes.all->write, c);
                look_at(db, file_questions, COUNT(file_questions), found);
                if (strcmp(fresh, found) != 0) {
                    show_difference(file_kinds[i].what, fresh, found);
                    fail_msg("%s and %s", file_kinds[i].what, file_kinds[j].what);
                }
            }
            struct corm_error error = {0}; /* and through corm_sql() */
            assert_ok(corm_sql(db, NULL, file_kinds[i].text, .error = &error), &error);
            look_at(db, file_questions, COUNT(file_questions), found);
            assert_string_equal(fresh, found);
        }
        corm_close(db);
    }
    for (size_t i = 0; i < COUNT(file_kinds); i++) { /* the control */
        struct corm_db          *db = open_sqlite(true);
        struct look              look = new_look(before);
        struct corm_error        error = {0};
        struct corm__connection *c = borrow(db);
        assert_ok(run_raw(c, file_kinds[i].text, &look, &error), &error);
        look = new_look(found);
        for (size_t q = 0; q < COUNT(file_questions); q++)
            assert_ok(run_raw(c, file_questions[q], &look, &error), &error);
        corm__pool_release(db->nodes.all->write, c);
        if (strcmp(fresh, found) == 0)
            fail_msg("blind: %s", file_kinds[i].what);
        corm_close(db);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(no_dirt_of_a_file_reaches_the_next_borrower),
    };
    static const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(a_fresh_session_looks_like_a_fresh_one),
        cmocka_unit_test(no_kind_of_dirt_reaches_the_next_borrower),
        cmocka_unit_test(without_a_reset_every_kind_shows),
        cmocka_unit_test(no_pair_of_dirt_reaches_the_next_borrower),
        cmocka_unit_test(a_clean_return_costs_no_round_trip),
        cmocka_unit_test(prepared_statements_are_prepared_again_after_a_reset),
    };

    support_begin(argc, argv);
    int failed = run_group(NULL, 0, sqlite, COUNT(sqlite), mariadb, COUNT(mariadb));
    support_end();
    return failed;
}
