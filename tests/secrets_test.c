/* secrets_test.c -- what is bound, and a password, show in no message and in no statement that a hook is
 * told, whatever fails and however.
 *
 * Each case makes a call fail with canaries among its values: by the server, by corm itself, in a
 * transaction, in a lane. All texts that come of it are searched for the canaries, as they are and in
 * hexadecimal digits. A message that the application has written itself shows what it put there: so the
 * search can find. */
#include "support.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* clang-format off */
#define CANARY "Numbat3Bound"
#define DIGITS "17846293"
enum { NUMBER = 17846293, REFUSED = CORM_USER };

#define HOLDER(X)                                                                                  \
    X(id, int, .pk = 1)                                                                            \
    X(name, varchar(16), .unique = 1)                                                              \
    X(small, smallint)                                                                             \
    X(amount, decimal(6, 2))                                                                       \
    X(kind, enum("a", "b"))                                                                        \
    X(info, json)                                                                                  \
    X(body, blob)                                                                                  \
    X(odd, int, .check = "odd % 2 = 1")                                                            \
    X(parent_id, nullable(int), .references = CORM_COLUMN_OF(holder, id))                          \
    X(version, int, .version = 1)
CORM_MODEL(holder, HOLDER);
CORM_DEFINE(holder, HOLDER);

#define OWNER(X)                                                                                   \
    X(name, varchar(40), .pk = 1)                                                                  \
    X(amount, int)
CORM_MODEL(owner, OWNER);
CORM_DEFINE(owner, OWNER);

#define GHOST(X) X(name, varchar(40), .pk = 1) X(amount, int) /* a table that is not there */
CORM_MODEL(ghost, GHOST);
CORM_DEFINE(ghost, GHOST);
/* clang-format on */

static const struct corm_blob bytes = {CANARY "\0" CANARY, 2 * sizeof(CANARY) - 1};

static struct corm_arena *arena;
static struct corm_error  error;
static char               leak[1024]; /* the first text of a hook that shows a canary */
static int                events;

/* ---- The search ------------------------------------------------------------------ */

/* Whether a text holds another one, whatever the case of its letters. */
static bool holds(const char *text, const char *part)
{
    size_t size = strlen(part);

    for (; *text != '\0'; text++) {
        size_t i = 0;
        while (i < size && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == size)
            return true;
    }
    return false;
}

static bool shows(const char *text)
{
    static const char *const secrets[] = {CANARY, DIGITS, "17846.29", "1784.629", "Wombat9Key"};

    for (size_t i = 0; i < COUNT(secrets); i++) {
        char hex[64] = "";
        for (size_t j = 0; secrets[i][j] != '\0'; j++)
            (void)snprintf(hex + 2 * j, 3, "%02x", (unsigned char)secrets[i][j]);
        if (holds(text, secrets[i]) || holds(text, hex))
            return true;
    }
    return false;
}

static void watch(const struct corm_event *event, void *arg)
{
    (void)arg;
    events++;
    if (leak[0] == '\0' && shows(event->text))
        (void)snprintf(leak, sizeof(leak), "%s", event->text);
}

/* ---- Failures of single calls --------------------------------------------------------- */

static struct holder row_of(int id)
{
    return (struct holder){.id = id,
                           .name = CANARY,
                           .small = 1,
                           .amount = "1.50",
                           .kind = "a",
                           .info = "{\"x\": \"" CANARY "\"}",
                           .body = bytes,
                           .odd = 1};
}

#define INSERT_WITH(...)                                                                           \
    do {                                                                                           \
        struct holder row = row_of(50);                                                            \
        row.name = "another " DIGITS;                                                              \
        __VA_ARGS__;                                                                               \
        return corm_insert_row(db, holder, &row, .error = &error);                                 \
    } while (0)

static int64_t duplicate_of_a_unique_key(struct corm_db *db)
{
    INSERT_WITH(row.name = CANARY);
}

static int64_t duplicate_of_the_primary_key(struct corm_db *db)
{
    INSERT_WITH(row.id = NUMBER);
}

static int64_t a_text_that_is_too_long(struct corm_db *db)
{
    INSERT_WITH(row.name = CANARY CANARY CANARY);
}

static int64_t a_text_that_is_no_utf8(struct corm_db *db)
{
    INSERT_WITH(row.name = CANARY "\xFF");
}

static int64_t an_enum_that_is_not_in_the_list(struct corm_db *db)
{
    INSERT_WITH(row.kind = CANARY);
}

static int64_t json_that_is_cut(struct corm_db *db)
{
    INSERT_WITH(row.info = "{\"" CANARY "\": ");
}

static int64_t a_decimal_with_too_many_digits(struct corm_db *db)
{
    INSERT_WITH(row.amount = "17846.2935");
}

static int64_t a_decimal_that_is_none(struct corm_db *db)
{
    INSERT_WITH(row.amount = CANARY);
}

static int64_t a_check_that_fails(struct corm_db *db)
{
    INSERT_WITH(row.odd = NUMBER + 1);
}

static int64_t a_foreign_key_without_parent(struct corm_db *db)
{
    INSERT_WITH(row.parent_id.has = true, row.parent_id.value = NUMBER + 2);
}

static int64_t a_text_that_is_missing(struct corm_db *db)
{
    INSERT_WITH(row.info = NULL);
}

static int64_t a_parent_that_is_deleted(struct corm_db *db)
{
    return corm_delete(db, holder, corm_eq(holder.name, CANARY), .error = &error);
}

static int64_t several_rows(struct corm_db *db)
{
    struct holder rows[] = {row_of(60), row_of(61)};

    return corm_insert_rows(db, holder, 2, rows, .error = &error);
}

static int64_t an_insert_of_some_columns(struct corm_db *db)
{
    return corm_insert(db, owner, corm_set(owner.name, CANARY), corm_set(owner.amount, NUMBER),
                       .error = &error);
}

static int64_t an_upsert(struct corm_db *db)
{
    struct holder row = row_of(70); /* of the key that another row has */

    row.name = CANARY;
    row.odd = NUMBER + 1;
    return corm_upsert(db, holder, &row, .error = &error);
}

static int64_t an_update(struct corm_db *db)
{
    return corm_update(db, holder, corm_eq(holder.id, 1), corm_set(holder.name, CANARY),
                       .error = &error);
}

static int64_t an_update_of_a_row_that_is_stale(struct corm_db *db)
{
    struct holder row = row_of(NUMBER);

    row.version = 99;
    return corm_update_row(db, holder, &row, .error = &error);
}

#define GHOSTS                                                                                     \
    .where = corm_and(corm_eq(ghost.name, CANARY), corm_eq(ghost.amount, NUMBER)), .error = &error

static int64_t first_of_no_table(struct corm_db *db)
{
    struct ghost g;

    return corm_first(db, ghost, &g, GHOSTS, .arena = arena);
}

static int64_t all_of_no_table(struct corm_db *db)
{
    struct ghost *g;

    return corm_all(db, ghost, &g, GHOSTS, .arena = arena);
}

static int go_on(void *arg)
{
    (void)arg;
    return 0;
}

static int64_t each_of_no_table(struct corm_db *db)
{
    struct ghost g;

    return corm_each(db, ghost, &g, go_on, NULL, GHOSTS);
}

static int64_t count_of_no_table(struct corm_db *db)
{
    return corm_count(db, ghost, GHOSTS);
}

static int64_t exists_of_no_table(struct corm_db *db)
{
    return corm_exists(db, ghost, GHOSTS);
}

static int64_t sum_of_no_table(struct corm_db *db)
{
    int64_t sum;

    return corm_sum(db, ghost, ghost.amount, &sum, GHOSTS);
}

static int64_t count_distinct_of_no_table(struct corm_db *db)
{
    return corm_count_distinct(db, ghost, ghost.name, GHOSTS);
}

static int64_t select_of_no_table(struct corm_db *db)
{
    struct owner *rows;

    return corm_select(
        db, owner, &rows, ghost,
        corm_columns(corm_as(owner.name, ghost.name), corm_as(owner.amount, ghost.amount)), GHOSTS,
        .arena = arena);
}

static int64_t explain_of_no_table(struct corm_db *db)
{
    struct corm_rows rows;

    return corm_explain(db, &rows, ghost, GHOSTS, .arena = arena);
}

static int64_t a_condition_of_a_bad_text(struct corm_db *db)
{
    return corm_count(db, owner, .where = corm_eq(owner.name, CANARY "\xFF"), .error = &error);
}

static int64_t sql_that_is_wrong(struct corm_db *db)
{
    return corm_sql(db, NULL, "SELEKT ?, ?", corm_vals(CANARY, NUMBER), .error = &error);
}

static int64_t sql_with_too_many_values(struct corm_db *db)
{
    struct corm_rows rows;

    return corm_sql(db, &rows, "SELECT ?", corm_vals(CANARY, NUMBER), .arena = arena,
                    .error = &error);
}

static int64_t sql_that_breaks_a_key(struct corm_db *db)
{
    return corm_sql(db, NULL, "INSERT INTO owner (name, amount) VALUES (?, ?)",
                    corm_vals(CANARY, NUMBER), .error = &error);
}

static int64_t sql_of_no_table_into_structs(struct corm_db *db)
{
    struct owner *rows;

    return corm_sql_into(db, owner, &rows, "SELECT name, amount FROM ghost WHERE name = ?",
                         corm_vals(CANARY), .arena = arena, .error = &error);
}

/* ---- In transactions ---------------------------------------------------------------------- */

static int insert_twice(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return corm_insert_row(trx, owner, &(struct owner){CANARY, NUMBER}); /* buffered */
}

static int64_t a_function(struct corm_db *db)
{
    return corm_transact(db, insert_twice, NULL, .error = &error);
}

static int64_t a_function_in_a_lane(struct corm_db *db)
{
    return corm_transact(db, insert_twice, NULL, .key = corm_eq(owner.name, CANARY),
                         .error = &error);
}

static int64_t a_key_of_no_table(struct corm_db *db)
{
    return corm_transact(db, insert_twice, NULL, .key = corm_eq(ghost.name, CANARY),
                         .error = &error);
}

static void forget(int rc, const struct corm_error *details, void *arg)
{
    (void)rc, (void)details, (void)arg;
}

static int64_t a_submission(struct corm_db *db)
{
    int64_t ticket = corm_submit(db, insert_twice, NULL, .key = corm_eq(owner.name, CANARY),
                                 .done = forget, .error = &error);

    return ticket < 0 ? ticket : corm_wait(db, ticket, &error);
}

static int64_t a_commit(struct corm_db *db)
{
    struct corm_trx *trx = NULL;
    int              rc = corm_begin(db, &trx, .error = &error);

    if (rc >= 0)
        rc = insert_twice(trx, NULL);
    if (rc >= 0)
        rc = corm_commit(trx);
    error = *corm_trx_error(trx);
    corm_end(trx);
    return rc;
}

static int64_t a_savepoint(struct corm_db *db)
{
    struct corm_trx *trx = NULL;
    struct owner     row = {CANARY, NUMBER};
    int              rc = corm_begin(db, &trx, .error = &error);

    if (rc >= 0)
        rc = corm_savepoint(trx);
    if (rc >= 0)
        rc = corm_insert_row(trx, owner, &row);
    if (rc >= 0)
        rc = corm_savepoint_release(trx);
    error = *corm_trx_error(trx);
    corm_end(trx);
    return rc;
}

/* A row that another transaction holds. */
static int64_t a_lock_that_is_not_had(struct corm_db *db)
{
    struct corm_trx *first = NULL, *second = NULL;
    struct owner     row;
    int              rc = corm_begin(db, &first, .error = &error);

    if (rc >= 0)
        rc = corm_first(first, owner, &row, .where = corm_eq(owner.name, CANARY),
                        .lock = CORM_FOR_UPDATE);
    if (rc >= 0)
        rc = corm_begin(db, &second, .timeout_ms = 200, .error = &error);
    if (rc >= 0) {
        rc = corm_first(second, owner, &row, .where = corm_eq(owner.name, CANARY),
                        .lock = CORM_FOR_UPDATE);
        error = *corm_trx_error(second);
    }
    corm_end(second);
    corm_end(first);
    return rc;
}

/* ---- The control ---------------------------------------------------------------------------- */

static int say_it(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return corm_abort(trx, REFUSED, "no %s", CANARY);
}

/* ---- All -------------------------------------------------------------------------------------- */

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
static const struct {
    const char *name;
    int64_t (*call)(struct corm_db *db);
} cases[] = {
    CASE(duplicate_of_a_unique_key),
    CASE(duplicate_of_the_primary_key),
    CASE(a_text_that_is_too_long),
    CASE(a_text_that_is_no_utf8),
    CASE(an_enum_that_is_not_in_the_list),
    CASE(json_that_is_cut),
    CASE(a_decimal_with_too_many_digits),
    CASE(a_decimal_that_is_none),
    CASE(a_check_that_fails),
    CASE(a_foreign_key_without_parent),
    CASE(a_text_that_is_missing),
    CASE(a_parent_that_is_deleted),
    CASE(several_rows),
    CASE(an_insert_of_some_columns),
    CASE(an_upsert),
    CASE(an_update),
    CASE(an_update_of_a_row_that_is_stale),
    CASE(first_of_no_table),
    CASE(all_of_no_table),
    CASE(each_of_no_table),
    CASE(count_of_no_table),
    CASE(exists_of_no_table),
    CASE(sum_of_no_table),
    CASE(count_distinct_of_no_table),
    CASE(select_of_no_table),
    CASE(explain_of_no_table),
    CASE(a_condition_of_a_bad_text),
    CASE(sql_that_is_wrong),
    CASE(sql_with_too_many_values),
    CASE(sql_that_breaks_a_key),
    CASE(sql_of_no_table_into_structs),
    CASE(a_function),
    CASE(a_function_in_a_lane),
    CASE(a_key_of_no_table),
    CASE(a_submission),
    CASE(a_commit),
    CASE(a_savepoint),
    CASE(a_lock_that_is_not_had),
};

/* The rows that the cases meet: one with each canary, and one that hangs on it. */
static struct corm_db *open_filled(void)
{
    struct corm_db *db = open_watched("pool=4&timeout_ms=3000", watch, NULL);
    struct holder   parent = row_of(NUMBER), child = row_of(1);

    new_table(db, holder);
    new_table(db, owner);
    child.name = "the child";
    child.parent_id.has = true;
    child.parent_id.value = NUMBER;
    assert_ok(corm_insert_row(db, holder, &parent, .error = &error), &error);
    assert_ok(corm_insert_row(db, holder, &child, .error = &error), &error);
    assert_ok(corm_insert_row(db, owner, &(struct owner){CANARY, NUMBER}, .error = &error), &error);
    return db;
}

static void clean(void)
{
    error = (struct corm_error){0};
    leak[0] = '\0';
    events = 0;
}

static void no_message_and_no_statement_shows_what_was_bound(void **state)
{
    struct corm_db *db = open_filled();

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        clean();
        int64_t rc = cases[i].call(db);
        if (rc >= 0 || error.code != rc || error.message[0] == '\0')
            fail_msg("%s did not fail: %lld, \"%s\"", cases[i].name, (long long)rc, error.message);
        if (shows(error.message))
            fail_msg("%s: the message shows a value: %s", cases[i].name, error.message);
        if (leak[0] != '\0')
            fail_msg("%s: a statement shows a value: %s", cases[i].name, leak);
    }
    const char *stats = corm_stats_text(db, arena, &error);
    assert_true(stats != NULL && strstr(stats, "CORM_DUPLICATE") != NULL);
    if (shows(stats))
        fail_msg("the statistics show a value: %s", stats);
    corm_close(db);
}

static void the_search_finds_what_the_application_says_itself(void **state)
{
    struct corm_db *db = open_filled();

    (void)state;
    clean();
    assert_int_equal(corm_transact(db, say_it, NULL, .error = &error), REFUSED);
    assert_true(shows(error.message));
    assert_true(shows("0x4E756D62617433426F756E64"));
    clean();
    assert_true(corm_sql(db, NULL, "SELEKT '" CANARY "'", .error = &error) <
                0); /* it is no value */
    assert_true(events > 0 && leak[0] != '\0');
    corm_close(db);
}

static const char signals[] =
    "CREATE TRIGGER t BEFORE INSERT ON owner FOR EACH ROW BEGIN DECLARE s VARCHAR(99) DEFAULT "
    "CONCAT('no ', NEW.name); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = s; END";

/* Whoever changes the columns behind corm's back, or has triggers. */
static void what_a_server_says_of_a_value_is_not_told(void **state)
{
    static const char *const changes[] = {
        signals,
        "DROP TRIGGER t",
        "ALTER TABLE owner DROP PRIMARY KEY",
        "ALTER TABLE owner PARTITION BY LIST (amount) (PARTITION p VALUES IN (1))",
        "ALTER TABLE owner REMOVE PARTITIONING",
        "ALTER TABLE owner ADD PRIMARY KEY (name)",
        "ALTER TABLE owner MODIFY name DATE NOT NULL",
        "ALTER TABLE owner MODIFY name INT NOT NULL",
        "ALTER TABLE owner MODIFY name DECIMAL(3,1) NOT NULL",
        "ALTER TABLE owner MODIFY name ENUM('x') NOT NULL",
        "ALTER TABLE owner MODIFY name VARCHAR(3) NOT NULL",
        "ALTER TABLE owner MODIFY name VARCHAR(40) NOT NULL, MODIFY amount TINYINT NOT NULL",
        "ALTER TABLE owner MODIFY amount JSON NOT NULL",
        "ALTER TABLE owner MODIFY amount DATETIME NOT NULL",
    };
    struct corm_db *db = open_filled();
    int             failed = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        beside("DELETE FROM owner");
        beside("%s", changes[i]);
        clean();
        int rc = corm_insert_row(db, owner, &(struct owner){CANARY "!", NUMBER}, .error = &error);
        failed += rc < 0;
        if (shows(error.message))
            fail_msg("%s: %s", changes[i], error.message);
        clean();
        (void)corm_update(db, owner, corm_eq(owner.amount, NUMBER),
                          corm_set(owner.name, CANARY "?"), .error = &error);
        if (shows(error.message))
            fail_msg("%s: update: %s", changes[i], error.message);
    }
    assert_true(failed >= 9);
    corm_close(db);
}

/* A password that is right, and wrong in each way. */
static void no_message_shows_the_password(void **state)
{
    static const char *const passwords[] = {"Wombat9Key!",      "Wombat9Ke",     "Wombat9Key%2",
                                            "Wombat9Key@x",     "%57ombat9Key!", "Wombat9Key/",
                                            "Wombat9Key?pool=0"};
    struct corm_db          *db = NULL;

    (void)state;
    beside("CREATE OR REPLACE USER quokka@'127.0.0.1' IDENTIFIED BY 'Wombat9Key'");
    for (size_t i = 0; i < COUNT(passwords); i++) {
        clean();
        assert_true(
            corm_open(&db, server_url("quokka", passwords[i], 0, NULL, NULL), .error = &error) < 0);
        assert_false(shows(error.message));
    }
    clean();
    assert_int_equal(
        corm_open(&db, server_url("quokka", "Wombat9Key", 0, NULL, NULL), .error = &error),
        CORM_ACCESS_DENIED); /* to the database; the password was right */
    assert_true(holds(error.message, "quokka"));
    assert_false(shows(error.message));
    beside("DROP USER quokka@'127.0.0.1'");
}

/* Nor the user, whose name is no part of that of a number. */
static void no_statistics_show_user_or_password(void **state)
{
    struct corm_db *db = NULL;

    (void)state;
    clean();
    beside("CREATE OR REPLACE USER quokka@'127.0.0.1' IDENTIFIED BY 'Wombat9Key'");
    beside("GRANT ALL ON *.* TO quokka@'127.0.0.1'");
    assert_ok(
        corm_open(&db, server_url("quokka", "Wombat9Key", 0, NULL, "stats=on"), .error = &error),
        &error);
    const char *stats = corm_stats_text(db, arena, &error);
    assert_true(stats != NULL && holds(stats, "127.0.0.1"));
    assert_false(shows(stats) || holds(stats, "quokka"));
    corm_close(db);
    beside("DROP USER quokka@'127.0.0.1'");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest both[] = {
        cmocka_unit_test(no_message_and_no_statement_shows_what_was_bound),
        cmocka_unit_test(the_search_finds_what_the_application_says_itself),
    };
    const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(what_a_server_says_of_a_value_is_not_told),
        cmocka_unit_test(no_message_shows_the_password),
        cmocka_unit_test(no_statistics_show_user_or_password),
    };

    support_begin(argc, argv);
    arena = corm_arena_new();
    int failed = run_group(both, COUNT(both), NULL, 0, mariadb, COUNT(mariadb));
    corm_arena_free(arena);
    support_end();
    return failed;
}
