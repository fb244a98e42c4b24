/* table_facts_test.c -- what may be served from memory for one table: a table for each reason why
 * not. */
#include "support.h"

#include "base/clock.h"
#include "route/table_facts.h"
#include "route/url.h"
#include "schema/ddl.h"

#include <stdio.h>
#include <unistd.h>

#define THING(X)                                                                                   \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(20))                                                                           \
    X(stock, int)                                                                                  \
    X(big, bigint)                                                                                 \
    X(flag, bool)                                                                                  \
    X(ratio, double)                                                                               \
    X(body, nullable(text))                                                                        \
    X(made, datetime)
CORM_MODEL(thing, THING);
CORM_DEFINE(thing, THING);

enum { ID = 1, NAME = 2, STOCK = 4, BIG = 8, FLAG = 16, RATIO = 32, BODY = 64, MADE = 128 };
enum { ALL = NAME | STOCK | BIG | FLAG | RATIO | BODY };

/* Every other type. */
/* clang-format off */
#define EVERY(X)                                                                                   \
    X(id, uuid, .pk = 1)                                                                           \
    X(i8, tinyint)              X(u8, unsigned(tinyint))                                           \
    X(i16, smallint)            X(u16, unsigned(smallint))                                         \
    X(u32, unsigned(int))       X(u64, unsigned(bigint))                                           \
    X(single, float)            X(money, decimal(10, 2))                                           \
    X(code, char(10))           X(kind, enum("new", "paid"))                                       \
    X(extra, json)              X(bytes, blob)            X(other, nullable(uuid))                 \
    X(day, date)                X(hour, time)             X(at, timestamp)
/* clang-format on */
CORM_MODEL(every, EVERY);
CORM_DEFINE(every, EVERY);

enum { I8 = 2, U8 = 4, I16 = 8, U16 = 16, U32 = 32, U64 = 64, BYTES = 4096 };
enum { KEPT = I8 | U8 | I16 | U16 | U32 | U64 | BYTES };

/* A key of text, one of two columns, one of double. */
#define TAG(X) X(code, varchar(20), .pk = 1) X(count, int)
CORM_MODEL(tag, TAG);
CORM_DEFINE(tag, TAG);

#define PAIR(X) X(a, int, .pk = 1) X(b, bigint, .pk = 1) X(v, int)
CORM_MODEL(pair, PAIR);
CORM_DEFINE(pair, PAIR);

#define POINT(X) X(x, double, .pk = 1) X(v, int)
CORM_MODEL(point, POINT);
CORM_DEFINE(point, POINT);

static struct corm_arena *arena;
static struct corm__watch watch;

static struct corm__connection *connect_to(const char *url)
{
    struct corm__config      config;
    struct corm__connection *c = NULL;
    struct corm_error        error = {0};

    assert_ok(corm__parse_url(arena, url, &config, &error), &error);
    assert_ok(
        corm__connection_open(&config.endpoint, true, &watch, corm__deadline_in(30000), &c, &error),
        &error);
    return c;
}

static struct corm__connection *connection;

static struct corm__table_facts read_by(struct corm__connection *c, enum corm_dialect dialect,
                                        const struct corm_table *table)
{
    struct corm__table_facts facts;
    struct corm_error        error = {0};

    memset(&facts, 0xFF, sizeof(facts));
    int rc =
        corm__read_table_facts(c, dialect, table, arena, corm__deadline_in(30000), &facts, &error);
    assert_rows(rc, 0, &error);
    assert_int_equal(error.code, 0);
    return facts;
}

static struct corm__table_facts facts_of(const struct corm_table *table)
{
    return read_by(connection, connection->link->dialect, table);
}

/* "hold insert parent child exact" in letters, and the columns. */
#define assert_facts(facts, letters, columns)                                                      \
    do {                                                                                           \
        struct corm__table_facts found_facts = (facts);                                            \
        char                     found_letters[8] = "-----";                                       \
        if (found_facts.may_hold)                                                                  \
            found_letters[0] = 'h';                                                                \
        if (found_facts.may_insert)                                                                \
            found_letters[1] = 'i';                                                                \
        if (found_facts.is_parent)                                                                 \
            found_letters[2] = 'p';                                                                \
        if (found_facts.is_child)                                                                  \
            found_letters[3] = 'c';                                                                \
        if (found_facts.exact_key)                                                                 \
            found_letters[4] = 'x';                                                                \
        if (strcmp(found_letters, (letters)) != 0 ||                                               \
            found_facts.may_update != (uint64_t)(columns))                                         \
            fail_msg("%s:%d: the facts are %s %#llx, not %s %#llx", __FILE__, __LINE__,            \
                     found_letters, (unsigned long long)found_facts.may_update, (letters),         \
                     (unsigned long long)(columns));                                               \
    } while (0)

static void run(const char *text)
{
    struct corm_error error = {0};

    assert_ok(corm__connection_control(connection, text, 1, corm__deadline_in(30000), &error),
              &error);
}

/* The table as corm makes it. */
static void make(const struct corm_table *table)
{
    struct corm__ddl    ddl = {connection->link->dialect, connection->link->has_uuid};
    struct corm__buffer text;

    beside("DROP TABLE IF EXISTS %s", table->name);
    corm__buffer_init(&text, arena);
    corm__put_create_table(&text, &ddl, table, false);
    run(text.text);
}

/* A case: what is done to the database, and what is known of `thing` then. */
struct thing_case {
    const char *sql;
    const char *facts;
    unsigned    columns;
};

static void drop_all(void)
{
    static const char *const tables[] = {"child", "other", "thing", "parent"};

    for (size_t i = 0; i < COUNT(tables); i++)
        beside("DROP TABLE IF EXISTS %s", tables[i]);
}

static void try_cases(const struct thing_case *cases, size_t count, bool made)
{
    for (size_t i = 0; i < count; i++) {
        (void)printf("# %s\n", cases[i].sql);
        drop_all();
        if (made)
            make(thing.corm_table);
        beside("%s", cases[i].sql);
        assert_facts(facts_of(thing.corm_table), cases[i].facts, cases[i].columns);
    }
    drop_all();
}

static void a_table_of_corms_may_be_held(void **state)
{
    (void)state;
    make(thing.corm_table);
    make(tag.corm_table);
    make(pair.corm_table);
    make(point.corm_table);
    assert_facts(facts_of(thing.corm_table), "hi--x", ALL);
    assert_facts(facts_of(tag.corm_table), "hi--x", 2);
    assert_facts(facts_of(pair.corm_table), "hi--x", 4);
    assert_facts(facts_of(point.corm_table), "hi---", 2);
}

/* What the server may write otherwise than it was given is never changed in memory; and a number that
 * SQLite cannot hold must be refused at once. */
static void a_table_of_every_type_may_be_held(void **state)
{
    (void)state;
    make(every.corm_table);
    assert_facts(facts_of(every.corm_table), "hi--x", is_mariadb() ? KEPT : KEPT & ~U64);
}

/* Of each type as a key: whether equal keys have equal bytes. */
static void keys_that_have_two_spellings_are_not_exact(void **state)
{
    struct corm_column columns[17];
    struct corm_table  table = *every.corm_table;

    (void)state;
    memcpy(columns, table.columns, sizeof(columns));
    table.columns = columns;
    for (uint32_t i = 0; i < COUNT(columns); i++) {
        enum corm_type type = columns[i].type;
        if (type == CORM_JSON || type == CORM_BLOB || columns[i].nullable)
            continue;
        columns[0].pk = false;
        columns[i].pk = true;
        make(&table);
        bool exact = type <= CORM_BIGINT || type == CORM_UUID;
        (void)printf("# %s\n", columns[i].name);
        assert_facts(facts_of(&table), exact ? "hi--x" : "hi---",
                     (is_mariadb() ? KEPT : KEPT & ~U64) & ~(1U << i));
        columns[i].pk = false;
    }
    beside("DROP TABLE every");
}

static void it_is_asked_in_two_statements_at_most(void **state)
{
    (void)state;
    make(thing.corm_table);
    uint64_t before = atomic_load(&watch.statements);
    (void)facts_of(thing.corm_table);
    assert_int_equal(atomic_load(&watch.statements) - before, is_mariadb() ? 2 : 1);
}

static void a_transaction_goes_on(void **state)
{
    struct corm__mode mode = {.trx = true};
    struct corm_error error = {0};

    (void)state;
    make(thing.corm_table);
    make(pair.corm_table);
    assert_ok(corm__connection_enter(connection, &mode, 1, corm__deadline_in(30000), &error),
              &error);
    run("INSERT INTO pair VALUES (1, 1, 1)");
    assert_facts(facts_of(thing.corm_table), "hi--x", ALL);
    assert_true(connection->link->in_trx);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM pair"), 0);
    run("COMMIT");
    assert_int_equal(number_beside("SELECT COUNT(*) FROM pair"), 1);
}

static void what_does_not_exist_may_not_be_held(void **state)
{
    struct corm_table other = *thing.corm_table;

    (void)state;
    make(thing.corm_table);
    drop_all();
    assert_facts(facts_of(thing.corm_table), "-----", 0);
    make(thing.corm_table);
    other.name = "Thing"; /* two spellings would be two sets of held rows */
    assert_facts(facts_of(&other), "-----", 0);
    other.name = "a'b`c\"d";
    assert_facts(facts_of(&other), "-----", 0);
}

static void names_are_quoted(void **state)
{
    struct corm_table   other = *thing.corm_table;
    struct corm__ddl    ddl = {connection->link->dialect, connection->link->has_uuid};
    struct corm__buffer text;

    (void)state;
    other.name = "a'b`c\"d %";
    corm__buffer_init(&text, arena);
    corm__put_create_table(&text, &ddl, &other, false);
    beside("%s", text.text);
    assert_facts(facts_of(&other), "hi--x", ALL);
    corm__buffer_init(&text, arena);
    corm__put_drop_table(&text, connection->link->dialect, &other, true);
    beside("%s", text.text);
}

/* A copy of the model with other columns, to the end of the test. */
static struct corm_table changed(struct corm_column columns[static 80], uint32_t count)
{
    struct corm_table table = *thing.corm_table;

    memcpy(columns, table.columns, table.column_count * sizeof(*columns));
    for (uint32_t i = table.column_count; i < count; i++)
        columns[i] = table.columns[1];
    table.columns = columns;
    table.column_count = count;
    return table;
}

static void the_model_must_be_the_table(void **state)
{
    struct corm_column columns[80];
    struct corm_table  table = changed(columns, 8);

    (void)state;
    make(thing.corm_table);
    assert_facts(facts_of(&table), "hi--x", ALL);
    table.column_count = 3; /* columns that the model does not name do no harm */
    assert_facts(facts_of(&table), "hi--x", NAME | STOCK);
    table.column_count = 8;
    columns[2].sql_name = "sock";
    assert_facts(facts_of(&table), "-i--x", 0);
    columns[2].sql_name = "STOCK";
    assert_facts(facts_of(&table), "hi--x", is_mariadb() ? ALL : ALL & ~STOCK); /* its CHECK */
    columns[2].sql_name = NULL;
    columns[2].nullable = true; /* what is NULL in memory would be refused by the server */
    assert_facts(facts_of(&table), "hi--x", ALL & ~STOCK);
    columns[2].nullable = false;
    columns[6].nullable = false; /* the other way round is no harm */
    assert_facts(facts_of(&table), "hi--x", ALL);
    columns[2].type = (enum corm_type)99;
    assert_facts(facts_of(&table), "-i--x", 0);
    columns[2].type = CORM_DOUBLE;
    assert_facts(facts_of(&table), "-i--x", 0);
    columns[2].type = CORM_INT;
    columns[2].pk = true;
    assert_facts(facts_of(&table), "-i---", 0);
    columns[2].pk = false;
    columns[0].pk = false;
    assert_facts(facts_of(&table), "-i---", 0);
}

static void a_key_with_more_columns_than_the_models_is_not_held(void **state)
{
    (void)state;
    beside("DROP TABLE IF EXISTS tag");
    beside(is_mariadb() ? "CREATE TABLE tag (code VARCHAR(20) NOT NULL, count INT NOT NULL, other "
                          "INT NOT NULL, PRIMARY KEY (code, other)) ENGINE=InnoDB "
                          "DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin"
                        : "CREATE TABLE tag (code TEXT NOT NULL, count INTEGER NOT NULL, other "
                          "INTEGER NOT NULL, PRIMARY KEY (code, other)) STRICT");
    assert_facts(facts_of(tag.corm_table), "-i---", 0);
}

static void of_many_columns_none_is_updated(void **state)
{
    struct corm_column columns[80];
    struct corm_table  table = changed(columns, 65);
    static char        names[80][8];

    (void)state;
    for (size_t i = 8; i < 65; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "c%zu", i);
        columns[i].sql_name = names[i];
    }
    make(&table);
    assert_facts(facts_of(&table), "hi--x", 0);
    table.column_count = 64;
    assert_int_equal(facts_of(&table).may_update >> 8, UINT64_MAX >> 8);
    beside("DROP TABLE thing");
}

static void a_read_that_fails_allows_nothing(void **state)
{
    struct corm__table_facts facts;
    struct corm_error        error = {0};

    (void)state;
    make(thing.corm_table);
    memset(&facts, 0xFF, sizeof(facts));
    int rc = corm__read_table_facts(connection, connection->link->dialect, thing.corm_table, arena,
                                    0, &facts, &error);
    assert_code(rc, CORM_TIMEOUT, &error);
    assert_facts(facts, "-----", 0);
}

/* ---- On a server ------------------------------------------------------------------------------- */

static void of_columns_that_the_server_minds_none_is_updated(void **state)
{
    static const struct thing_case cases[] = {
        {"ALTER TABLE thing ADD UNIQUE (stock)", "hi--x", ALL & ~STOCK},
        {"ALTER TABLE thing ADD UNIQUE u (big, name(5))", "hi--x", 0}, /* of a prefix: odd */
        {"ALTER TABLE thing ADD UNIQUE u (big, name)", "hi--x", ALL & ~BIG & ~NAME},
        {"ALTER TABLE thing ADD INDEX (stock)", "hi--x", ALL},
        {"ALTER TABLE thing ADD CHECK (stock >= 0)", "hi--x", ALL & ~STOCK},
        {"ALTER TABLE thing ADD CONSTRAINT c CHECK (STOCK + `big` > 0)", "hi--x",
         ALL & ~STOCK & ~BIG},
        {"ALTER TABLE thing MODIFY stock INT NOT NULL CHECK (stock > 0)", "hi--x", ALL & ~STOCK},
        {"ALTER TABLE thing ADD other INT CHECK (other > 0)", "hi--x", ALL},
        {"ALTER TABLE thing ADD CHECK (name <> 'a\\')' AND stock > 0)", "hi--x",
         ALL & ~STOCK & ~NAME},
        {"ALTER TABLE thing ADD CHECK (name <> ')' AND stock > 0), ADD CHECK (ratio > 0)", "hi--x",
         ALL & ~STOCK & ~NAME & ~RATIO},
        {"ALTER TABLE thing ADD other INT AS (stock + 1) VIRTUAL", "hi--x", 0},
        {"ALTER TABLE thing ADD other INT AS (stock + 1) STORED", "hi--x", 0},
        {"ALTER TABLE thing ADD other TIMESTAMP NOT NULL DEFAULT NOW() ON UPDATE NOW()", "hi--x",
         0},
        {"ALTER TABLE thing MODIFY made DATETIME(6) ON UPDATE NOW(6)", "hi--x", 0},
        {"ALTER TABLE thing ADD other INT INVISIBLE DEFAULT 3", "hi--x", ALL},
        {"ALTER TABLE thing ADD other INT NOT NULL DEFAULT (stock + 1)", "hi--x", ALL},
        {"ALTER TABLE thing MODIFY body JSON", "hi--x", ALL & ~BODY},
        {"ALTER TABLE thing MODIFY name VARCHAR(100) NOT NULL", "hi--x", ALL},
        {"ALTER TABLE thing MODIFY name VARCHAR(20) COLLATE utf8mb4_general_ci", "hi--x", ALL},
    };

    (void)state;
    try_cases(cases, COUNT(cases), true);
}

static void a_column_of_another_type_is_not_held(void **state)
{
    static const struct thing_case cases[] = {
        {"ALTER TABLE thing MODIFY stock INT UNSIGNED NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY stock INT ZEROFILL NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY stock BIGINT NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY stock SMALLINT NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY stock INT(5) NOT NULL", "hi--x", ALL},
        {"ALTER TABLE thing MODIFY big BIGINT UNSIGNED NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY big INT NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY flag TINYINT NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY ratio DOUBLE(10, 2) NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY ratio FLOAT NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY ratio DECIMAL(10, 2) NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY name VARCHAR(19) NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY name CHAR(20) NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY name VARCHAR(20) CHARACTER SET latin1 NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY name VARCHAR(20) COMPRESSED NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY name VARBINARY(20) NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY body TEXT", "-i--x", 0},
        {"ALTER TABLE thing MODIFY body LONGBLOB", "-i--x", 0},
        {"ALTER TABLE thing MODIFY body LONGTEXT CHARACTER SET latin1", "-i--x", 0},
        {"ALTER TABLE thing MODIFY made DATETIME NOT NULL", "-i--x", 0},
        {"ALTER TABLE thing MODIFY id INT UNSIGNED AUTO_INCREMENT", "-i---", 0},
        {"ALTER TABLE thing MODIFY id INT, DROP PRIMARY KEY, ADD PRIMARY KEY (id, stock)", "-i---",
         0},
        {"ALTER TABLE thing MODIFY id INT, DROP PRIMARY KEY, ADD UNIQUE (id)", "-i---", 0},
    };

    (void)state;
    try_cases(cases, COUNT(cases), true);
}

static void try_columns(const struct thing_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)printf("# %s\n", cases[i].sql);
        make(every.corm_table);
        beside("ALTER TABLE every MODIFY %s", cases[i].sql);
        assert_facts(facts_of(every.corm_table), cases[i].facts, cases[i].columns);
    }
    beside("DROP TABLE every");
}

static void a_column_of_every_other_type_is_not_held(void **state)
{
    static const struct thing_case cases[] = {
        {"i8 TINYINT UNSIGNED NOT NULL", "-i--x", 0},
        {"i8 TINYINT(1) NOT NULL", "hi--x", KEPT},
        {"i8 SMALLINT NOT NULL", "-i--x", 0},
        {"u8 TINYINT NOT NULL", "-i--x", 0},
        {"u8 TINYINT UNSIGNED ZEROFILL NOT NULL", "-i--x", 0},
        {"i16 MEDIUMINT NOT NULL", "-i--x", 0},
        {"u16 SMALLINT NOT NULL", "-i--x", 0},
        {"u32 INT NOT NULL", "-i--x", 0},
        {"u32 INT(3) UNSIGNED NOT NULL", "hi--x", KEPT},
        {"u64 BIGINT NOT NULL", "-i--x", 0},
        {"u64 BIT(64) NOT NULL", "-i--x", 0},
        {"single DOUBLE NOT NULL", "-i--x", 0},
        {"single FLOAT(7,3) NOT NULL", "-i--x", 0},
        {"money DECIMAL(11,2) NOT NULL", "-i--x", 0},
        {"money DECIMAL(10,3) NOT NULL", "-i--x", 0},
        {"money DECIMAL(10,2) UNSIGNED NOT NULL", "-i--x", 0},
        {"money DOUBLE NOT NULL", "-i--x", 0},
        {"code VARCHAR(10) NOT NULL", "-i--x", 0},
        {"code CHAR(9) NOT NULL", "-i--x", 0},
        {"code CHAR(11) NOT NULL", "hi--x", KEPT},
        {"code BINARY(10) NOT NULL", "-i--x", 0},
        {"code CHAR(10) CHARACTER SET latin1 NOT NULL", "-i--x", 0},
        {"kind VARCHAR(4) NOT NULL", "-i--x", 0},
        {"kind SET('new','paid') NOT NULL", "-i--x", 0},
        {"kind ENUM('new','paid') CHARACTER SET latin1 NOT NULL", "-i--x", 0},
        {"extra TEXT NOT NULL", "-i--x", 0},
        {"extra LONGBLOB NOT NULL", "-i--x", 0},
        {"bytes BLOB NOT NULL", "-i--x", 0},
        {"bytes LONGTEXT NOT NULL", "-i--x", 0},
        {"bytes LONGBLOB NOT NULL CHECK (LENGTH(bytes) > 0)", "hi--x", KEPT & ~BYTES},
        {"other BINARY(16)", "hi--x", KEPT},
        {"other BINARY(17)", "-i--x", 0},
        {"other VARBINARY(16)", "-i--x", 0},
        {"id BINARY(16) NOT NULL", "hi--x", KEPT},
        {"id VARBINARY(16) NOT NULL", "-i---", 0},
        {"id CHAR(36) NOT NULL", "-i---", 0},
        {"day DATETIME(6) NOT NULL", "-i--x", 0},
        {"hour TIME NOT NULL", "-i--x", 0},
        {"hour DATETIME(6) NOT NULL", "-i--x", 0},
        {"at DATETIME(6) NOT NULL", "-i--x", 0},
        {"at TIMESTAMP NOT NULL DEFAULT 0", "-i--x", 0},
        {"at TIMESTAMP(6) NOT NULL DEFAULT NOW(6) ON UPDATE NOW(6)", "hi--x", 0},
    };

    (void)state;
    try_columns(cases, COUNT(cases));
}

static void only_an_ordinary_table_is_held(void **state)
{
    static const struct thing_case cases[] = {
        {"ALTER TABLE thing ENGINE = MyISAM", "-----", 0},
        {"ALTER TABLE thing ENGINE = MEMORY, DROP body", "-----", 0},
        {"ALTER TABLE thing PARTITION BY HASH (id) PARTITIONS 2", "-----", 0},
        {"ALTER TABLE thing ADD SYSTEM VERSIONING", "-----", 0},
        {"RENAME TABLE thing TO other; CREATE VIEW thing AS SELECT * FROM other", "-----", 0},
        {"DROP TABLE thing; CREATE SEQUENCE thing", "-----", 0},
        {"ALTER TABLE thing ADD s DATE NOT NULL, ADD e DATE NOT NULL, ADD PERIOD FOR p (s, e)",
         "hi--x", ALL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        try_cases(&cases[i], 1, true);
        beside("DROP VIEW IF EXISTS thing");
    }
}

static void triggers_are_minded(void **state)
{
    static const struct thing_case cases[] = {
        {"CREATE TRIGGER t BEFORE INSERT ON thing FOR EACH ROW SET NEW.stock = 1", "h---x", 0},
        {"CREATE TRIGGER t AFTER DELETE ON thing FOR EACH ROW SET @x = 1", "h---x", 0},
        {"CREATE TRIGGER t BEFORE UPDATE ON thing FOR EACH ROW SET NEW.stock = 1", "h---x", 0},
        {"CREATE TABLE other (id INT); CREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW "
         "UPDATE thing SET stock = 1",
         "hi--x", ALL},
    };

    (void)state;
    try_cases(cases, COUNT(cases), true);
}

static void foreign_keys_are_minded(void **state)
{
    static const struct thing_case cases[] = {
        {"CREATE TABLE child (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES thing (id) "
         "ON DELETE CASCADE ON UPDATE CASCADE) ENGINE=InnoDB",
         "hip-x", ALL},
        {"ALTER TABLE thing ADD INDEX (stock); CREATE TABLE child (id INT PRIMARY KEY, t INT, "
         "FOREIGN KEY (t) REFERENCES thing (stock)) ENGINE=InnoDB",
         "hip-x", ALL & ~STOCK},
        {"CREATE TABLE parent (id INT PRIMARY KEY) ENGINE=InnoDB; "
         "ALTER TABLE thing ADD FOREIGN KEY (stock) REFERENCES parent (id)",
         "hi-cx", ALL & ~STOCK},
        {"CREATE TABLE parent (id INT PRIMARY KEY) ENGINE=InnoDB; ALTER TABLE thing "
         "ADD FOREIGN KEY (stock) REFERENCES parent (id) ON DELETE NO ACTION ON UPDATE RESTRICT",
         "hi-cx", ALL & ~STOCK},
        {"CREATE TABLE parent (id INT PRIMARY KEY) ENGINE=InnoDB; ALTER TABLE thing "
         "ADD FOREIGN KEY (stock) REFERENCES parent (id) ON DELETE CASCADE",
         "-i-cx", 0},
        {"CREATE TABLE parent (id INT PRIMARY KEY) ENGINE=InnoDB; ALTER TABLE thing "
         "ADD FOREIGN KEY (stock) REFERENCES parent (id) ON UPDATE CASCADE",
         "-i-cx", 0},
        {"CREATE TABLE parent (id INT PRIMARY KEY) ENGINE=InnoDB; ALTER TABLE thing MODIFY stock "
         "INT, ADD FOREIGN KEY (stock) REFERENCES parent (id) ON DELETE SET NULL",
         "-i-cx", 0},
        {"ALTER TABLE thing ADD FOREIGN KEY (stock) REFERENCES thing (id)", "hipcx", ALL & ~STOCK},
        {"CREATE TABLE parent (a INT, b BIGINT, PRIMARY KEY (a, b)) ENGINE=InnoDB; "
         "ALTER TABLE thing ADD FOREIGN KEY (stock, big) REFERENCES parent (a, b)",
         "hi-cx", ALL & ~STOCK & ~BIG},
    };

    (void)state;
    try_cases(cases, COUNT(cases), true);
}

static void a_text_key_must_compare_bytes(void **state)
{
    static const struct {
        const char *collation, *facts;
        unsigned    columns;
    } cases[] = {
        {"utf8mb4_nopad_bin", "hi--x", 2},  {"utf8mb4_bin", "hi---", 2},
        {"utf8mb4_general_ci", "hi---", 2}, {"utf8mb4_general_nopad_ci", "hi---", 2},
        {"utf8mb4_unicode_ci", "hi---", 2},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        make(tag.corm_table);
        beside("ALTER TABLE tag MODIFY code VARCHAR(20) COLLATE %s NOT NULL", cases[i].collation);
        assert_facts(facts_of(tag.corm_table), cases[i].facts, cases[i].columns);
    }
    make(tag.corm_table);
    beside("ALTER TABLE tag DROP PRIMARY KEY, ADD PRIMARY KEY (code(5))");
    assert_facts(facts_of(tag.corm_table), "-i---", 0);
    make(pair.corm_table);
    beside("ALTER TABLE pair DROP PRIMARY KEY, ADD PRIMARY KEY (a)");
    assert_facts(facts_of(pair.corm_table), "-i---", 0);
}

/* Names that differ in case alone are two tables; of a database beside this one nothing is taken. */
static void other_tables_of_that_name_do_not_count(void **state)
{
    (void)state;
    make(thing.corm_table);
    beside("CREATE TABLE THING (id INT PRIMARY KEY, stock INT UNSIGNED, other INT AS (id) VIRTUAL, "
           "UNIQUE (stock)) ENGINE=MyISAM");
    assert_facts(facts_of(thing.corm_table), "hi--x", ALL);
    beside("DROP TABLE THING");
    beside("CREATE DATABASE IF NOT EXISTS corm_beside");
    beside("CREATE TABLE corm_beside.thing (id INT PRIMARY KEY, stock INT, UNIQUE (stock), "
           "CHECK (stock > 0)) ENGINE=InnoDB");
    beside("CREATE TABLE corm_beside.child (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES "
           "corm_beside.thing (id)) ENGINE=InnoDB");
    beside("CREATE TRIGGER corm_beside.t BEFORE INSERT ON corm_beside.thing FOR EACH ROW "
           "SET NEW.stock = 1");
    assert_facts(facts_of(thing.corm_table), "hi--x", ALL);
    beside("ALTER TABLE corm_beside.child ADD u INT, ADD FOREIGN KEY (u) REFERENCES "
           "corm_test_%ld.thing (id)",
           (long)getpid());
    assert_facts(facts_of(thing.corm_table), "hip-x", ALL);
    beside("DROP DATABASE corm_beside");
    beside("DROP TABLE thing");
    beside("CREATE DATABASE corm_beside");
    beside("CREATE TABLE corm_beside.thing (id INT PRIMARY KEY) ENGINE=InnoDB");
    assert_facts(facts_of(thing.corm_table), "-----", 0);
    beside("DROP DATABASE corm_beside");
}

static void what_a_temporary_table_hides_is_not_held(void **state)
{
    (void)state;
    make(thing.corm_table);
    make(tag.corm_table);
    run(is_mariadb() ? "CREATE TEMPORARY TABLE thing (id INT PRIMARY KEY)"
                     : "CREATE TEMPORARY TABLE THING (id INT PRIMARY KEY)");
    assert_facts(facts_of(thing.corm_table), "-----", 0);
    assert_facts(facts_of(tag.corm_table), "hi--x", 2);
}

/* ---- What a user may not see ------------------------------------------------------------------------ */

static struct corm__connection *connect_with(const char *grant)
{
    beside("DROP USER IF EXISTS 'weak'@'127.0.0.1'");
    beside("CREATE USER 'weak'@'127.0.0.1' IDENTIFIED BY 'w'");
    while (grant != NULL) {
        const char *next = strchr(grant, ';');
        int         size = next != NULL ? (int)(next - grant) : (int)strlen(grant);
        beside("GRANT %.*s TO 'weak'@'127.0.0.1'", size, grant);
        grant = next != NULL ? next + 1 : NULL;
    }
    return connect_to(server_url("weak", "w", 0, NULL, NULL));
}

static void what_a_user_may_not_see_is_not_held(void **state)
{
    static const struct {
        const char *grant, *facts;
        unsigned    columns;
        const char *with_trigger;
    } cases[] = {
        /* Foreign keys of tables beside it are seen with rights on all, triggers by who may write. */
        {"SELECT, INSERT, UPDATE ON thing", "hi--x", ALL & ~STOCK, "h---x"},
        {"SELECT, INSERT, UPDATE ON %s.*", "hip-x", ALL & ~STOCK, "h-p-x"},
        {"SELECT ON %s.*", "h-p-x", 0, "h-p-x"},
        {"ALL ON %s.*", "hip-x", ALL & ~STOCK, "h-p-x"},
        {"SELECT ON thing", "h---x", 0, "h---x"},
        {"SELECT, SHOW VIEW ON %s.*", "h-p-x", 0, "h-p-x"},
        {"INSERT ON thing", "hi--x", ALL & ~STOCK, "h---x"},
        {"SELECT ON thing;UPDATE (name) ON thing", "hi--x", ALL & ~STOCK, "h---x"},
        /* Some of the columns alone. */
        {"SELECT (id, name), INSERT (id, name), UPDATE (name) ON thing", "-----", 0, "-----"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char grant[256], database[64];
        (void)snprintf(database, sizeof(database), "corm_test_%ld", (long)getpid());
        (void)snprintf(grant, sizeof(grant), "%s", cases[i].grant);
        char *mark = strstr(grant, "%s");
        if (mark != NULL)
            (void)snprintf(mark, sizeof(grant) - (size_t)(mark - grant), "%s.*", database);
        (void)printf("# %s\n", grant);
        drop_all();
        make(thing.corm_table);
        beside("ALTER TABLE thing ADD CHECK (stock > 0)");
        beside("CREATE TABLE child (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES "
               "thing (id)) ENGINE=InnoDB");
        struct corm__connection *c = connect_with(grant);
        assert_facts(read_by(c, CORM_DIALECT_MARIADB, thing.corm_table), cases[i].facts,
                     cases[i].columns);
        beside("CREATE TRIGGER t BEFORE INSERT ON thing FOR EACH ROW SET NEW.stock = 1");
        assert_facts(read_by(c, CORM_DIALECT_MARIADB, thing.corm_table), cases[i].with_trigger, 0);
        corm__connection_close(c);
    }
    drop_all();
}

/* Who does not see all databases does not see all foreign keys: of an indexed column nobody knows. */
static void an_indexed_column_may_be_the_parent_of_what_one_cannot_see(void **state)
{
    (void)state;
    drop_all();
    make(thing.corm_table);
    beside("ALTER TABLE thing ADD INDEX (stock)");
    struct corm__connection *c = connect_with("SELECT, INSERT, UPDATE ON thing");
    assert_facts(read_by(c, CORM_DIALECT_MARIADB, thing.corm_table), "hi--x", ALL & ~STOCK);
    corm__connection_close(c);
    c = connect_with("SELECT, INSERT, UPDATE ON *.*");
    assert_facts(read_by(c, CORM_DIALECT_MARIADB, thing.corm_table), "hi--x", ALL);
    corm__connection_close(c);
    drop_all();
}

/* The texts for MySQL, on MariaDB, which has the same catalogue but for the names of CHECKs. */
static void on_mysql_the_right_to_see_triggers_is_asked_for(void **state)
{
    static const struct {
        const char *grant, *facts;
        unsigned    columns;
    } cases[] = {
        {"SELECT, INSERT, UPDATE ON *.*", "h---x", 0},
        {"SELECT, INSERT, UPDATE, TRIGGER ON *.*", "hi--x", ALL & ~STOCK},
        {"SELECT, INSERT, UPDATE, TRIGGER ON `corm\\_test\\_%`.*", "hi--x", ALL & ~STOCK},
        {"SELECT, INSERT, UPDATE, TRIGGER ON shop.*;SELECT ON `corm%`.*", "h---x", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)printf("# %s\n", cases[i].grant);
        drop_all();
        make(thing.corm_table);
        beside("ALTER TABLE thing ADD CONSTRAINT c CHECK (stock > 0)");
        struct corm__connection *c = connect_with(cases[i].grant);
        assert_facts(read_by(c, CORM_DIALECT_MYSQL, thing.corm_table), cases[i].facts,
                     cases[i].columns);
        corm__connection_close(c);
    }
    drop_all();
}

/* ---- In a file ---------------------------------------------------------------------------------------- */

#define FILE_TABLE(stock, more, end)                                                               \
    "CREATE TABLE thing (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, stock " stock   \
    ", big INTEGER NOT NULL, flag INTEGER NOT NULL, ratio REAL NOT NULL, body TEXT, made TEXT"     \
    " NOT NULL" more ") " end

static void files_are_minded_as_well(void **state)
{
    static const struct thing_case cases[] = {
        {FILE_TABLE("INTEGER NOT NULL", "", "STRICT"), "hi--x", ALL},
        {FILE_TABLE("INTEGER NOT NULL", "", ""), "-----", 0},
        {FILE_TABLE("TEXT NOT NULL", "", "STRICT"), "-i--x", 0},
        {FILE_TABLE("INT NOT NULL", "", "STRICT"), "-i--x", 0},
        {FILE_TABLE("ANY NOT NULL", "", "STRICT"), "-i--x", 0},
        {FILE_TABLE("INTEGER NOT NULL UNIQUE", "", "STRICT"), "hi--x", ALL & ~STOCK},
        {FILE_TABLE("INTEGER NOT NULL", ", UNIQUE (big, name)", "STRICT"), "hi--x",
         ALL & ~BIG & ~NAME},
        {FILE_TABLE("INTEGER NOT NULL", "", "STRICT; CREATE INDEX i ON thing (stock)"), "hi--x",
         ALL},
        {FILE_TABLE("INTEGER NOT NULL", "", "STRICT; CREATE UNIQUE INDEX i ON thing (stock)"),
         "hi--x", ALL & ~STOCK},
        {FILE_TABLE("INTEGER NOT NULL", "",
                    "STRICT; CREATE UNIQUE INDEX i ON thing (stock) WHERE flag"),
         "hi--x", 0},
        {FILE_TABLE("INTEGER NOT NULL", "", "STRICT; CREATE UNIQUE INDEX i ON thing (stock + big)"),
         "hi--x", 0},
        {FILE_TABLE("INTEGER NOT NULL CHECK (stock >= 0)", "", "STRICT"), "hi--x", ALL & ~STOCK},
        {FILE_TABLE("INTEGER NOT NULL check(\"STOCK\">=0 AND name<>')')", "", "STRICT"), "hi--x",
         ALL & ~STOCK & ~NAME},
        {FILE_TABLE("INTEGER NOT NULL", ", CHECK ((stock > 0) OR (big > 0)), CHECK (ratio > 0)",
                    "STRICT"),
         "hi--x", ALL & ~STOCK & ~BIG & ~RATIO},
        {FILE_TABLE("INTEGER NOT NULL CHECK /* ( */ (stock > 0)", "", "STRICT"), "hi--x", NAME},
        {FILE_TABLE("INTEGER NOT NULL CONSTRAINT \"corm_range_stock\" CHECK (stock >= 0)", "",
                    "STRICT"),
         "hi--x", ALL & ~STOCK},
        {FILE_TABLE("INTEGER NOT NULL CONSTRAINT \"corm_range_stock\" CHECK (\"stock\" BETWEEN "
                    "-2147483648 AND 2147483647)",
                    "", "STRICT"),
         "hi--x", ALL},
        {FILE_TABLE("INTEGER NOT NULL", ", other INTEGER AS (stock + 1)", "STRICT"), "hi--x", 0},
        {FILE_TABLE("INTEGER NOT NULL", ", other INTEGER AS (stock + 1) STORED", "STRICT"), "hi--x",
         0},
        {FILE_TABLE("INTEGER NOT NULL ON CONFLICT IGNORE", "", "STRICT"), "-----", 0},
        {FILE_TABLE("INTEGER NOT NULL", "",
                    "STRICT; CREATE TRIGGER t AFTER INSERT ON Thing BEGIN "
                    "UPDATE thing SET stock = 1; END"),
         "h---x", 0},
        {FILE_TABLE("INTEGER NOT NULL", "", "STRICT; CREATE TABLE child (t REFERENCES THING (id))"),
         "hip-x", ALL},
        {FILE_TABLE("INTEGER NOT NULL", "", "STRICT; CREATE TABLE child (t REFERENCES thing)"),
         "hip-x", ALL},
        {FILE_TABLE("INTEGER NOT NULL", ", UNIQUE (stock)",
                    "STRICT; CREATE TABLE child (t REFERENCES thing (stock))"),
         "hip-x", ALL & ~STOCK},
        {FILE_TABLE("INTEGER NOT NULL REFERENCES parent (id)", "", "STRICT"), "hi-cx",
         ALL & ~STOCK},
        {FILE_TABLE("INTEGER NOT NULL REFERENCES parent (id) ON DELETE RESTRICT", "", "STRICT"),
         "hi-cx", ALL & ~STOCK},
        {FILE_TABLE("INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE", "", "STRICT"),
         "-i-cx", 0},
        {FILE_TABLE("INTEGER NOT NULL REFERENCES parent (id) ON UPDATE SET NULL", "", "STRICT"),
         "-i-cx", 0},
    };

    (void)state;
    drop_all();
    beside("CREATE TABLE warm (id INTEGER)"); /* the file is there */
    try_cases(cases, COUNT(cases), false);
}

/* Each column once as what it is not. */
static void a_column_of_every_other_type_of_a_file_is_not_held(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < every.corm_table->column_count; i++) {
        const struct corm_column *c = &every.corm_table->columns[i];
        struct corm__buffer       text;
        bool                      blob = strcmp(corm__sqlite_type(c->type), "BLOB") == 0;
        beside("DROP TABLE IF EXISTS every");
        corm__buffer_init(&text, arena);
        for (uint32_t j = 0; j < every.corm_table->column_count; j++) {
            const struct corm_column *other = &every.corm_table->columns[j];
            corm__buffer_puts(&text, j == 0 ? "CREATE TABLE every (" : ", ");
            corm__buffer_puts(&text, other->name);
            corm__buffer_puts(&text, j != i ? " " : blob ? " TEXT" : " BLOB");
            corm__buffer_puts(&text, j != i ? corm__sqlite_type(other->type) : "");
            corm__buffer_puts(&text, other->nullable ? "" : " NOT NULL");
        }
        corm__buffer_puts(&text, ", PRIMARY KEY (id)) STRICT");
        (void)printf("# %s\n", text.text);
        beside("%s", text.text);
        assert_facts(facts_of(every.corm_table), i == 0 ? "-i---" : "-i--x", 0);
    }
    beside("DROP TABLE every");
}

static void a_text_key_of_a_file_must_compare_bytes(void **state)
{
    static const struct {
        const char *sql, *facts;
        unsigned    columns;
    } cases[] = {
        {"code TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT", "hi--x", 2},
        {"code TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID", "hi--x", 2},
        {"code TEXT COLLATE NOCASE PRIMARY KEY, count INTEGER NOT NULL) STRICT", "hi---", 2},
        {"code TEXT, count INTEGER NOT NULL, PRIMARY KEY (code COLLATE RTRIM)) STRICT", "hi---", 2},
        {"code TEXT NOT NULL UNIQUE, count INTEGER NOT NULL) STRICT", "-i---", 0},
        {"code TEXT, count INTEGER NOT NULL, PRIMARY KEY (code, count)) STRICT", "-i---", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)printf("# %s\n", cases[i].sql);
        beside("DROP TABLE IF EXISTS tag");
        beside("CREATE TABLE tag (%s", cases[i].sql);
        assert_facts(facts_of(tag.corm_table), cases[i].facts, cases[i].columns);
    }
}

static void what_is_no_table_of_a_file_is_not_held(void **state)
{
    (void)state;
    drop_all();
    beside("CREATE VIEW thing AS SELECT 1 AS id");
    assert_facts(facts_of(thing.corm_table), "-----", 0);
    beside("DROP VIEW thing");
    beside("CREATE VIRTUAL TABLE thing USING fts5(id)");
    assert_facts(facts_of(thing.corm_table), "-----", 0);
    beside("DROP TABLE thing");
    make(thing.corm_table);
    run("CREATE TEMP TRIGGER tt AFTER UPDATE ON main.thing BEGIN SELECT 1; END");
    assert_facts(facts_of(thing.corm_table), "h---x", 0);
}

static int set_up(void **state)
{
    (void)state;
    corm_arena_reset(arena);
    connection = connect_to(test_url(NULL));
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(with_##name, set_up)
#define WITH(name)                                                                                 \
    static void with_##name(void **state)                                                          \
    {                                                                                              \
        name(state);                                                                               \
        corm__connection_close(connection);                                                        \
    }

WITH(a_table_of_corms_may_be_held)
WITH(a_table_of_every_type_may_be_held)
WITH(keys_that_have_two_spellings_are_not_exact)
WITH(a_column_of_every_other_type_is_not_held)
WITH(a_column_of_every_other_type_of_a_file_is_not_held)
WITH(it_is_asked_in_two_statements_at_most)
WITH(a_transaction_goes_on)
WITH(what_does_not_exist_may_not_be_held)
WITH(names_are_quoted)
WITH(the_model_must_be_the_table)
WITH(a_key_with_more_columns_than_the_models_is_not_held)
WITH(of_many_columns_none_is_updated)
WITH(a_read_that_fails_allows_nothing)
WITH(what_a_temporary_table_hides_is_not_held)
WITH(files_are_minded_as_well)
WITH(a_text_key_of_a_file_must_compare_bytes)
WITH(what_is_no_table_of_a_file_is_not_held)
WITH(of_columns_that_the_server_minds_none_is_updated)
WITH(a_column_of_another_type_is_not_held)
WITH(only_an_ordinary_table_is_held)
WITH(triggers_are_minded)
WITH(foreign_keys_are_minded)
WITH(a_text_key_must_compare_bytes)
WITH(other_tables_of_that_name_do_not_count)
WITH(what_a_user_may_not_see_is_not_held)
WITH(an_indexed_column_may_be_the_parent_of_what_one_cannot_see)
WITH(on_mysql_the_right_to_see_triggers_is_asked_for)

int main(int argc, char **argv)
{
    static const struct CMUnitTest both[] = {
        TEST(a_table_of_corms_may_be_held),
        TEST(a_table_of_every_type_may_be_held),
        TEST(keys_that_have_two_spellings_are_not_exact),
        TEST(it_is_asked_in_two_statements_at_most),
        TEST(a_transaction_goes_on),
        TEST(what_does_not_exist_may_not_be_held),
        TEST(names_are_quoted),
        TEST(the_model_must_be_the_table),
        TEST(a_key_with_more_columns_than_the_models_is_not_held),
        TEST(of_many_columns_none_is_updated),
        TEST(a_read_that_fails_allows_nothing),
        TEST(what_a_temporary_table_hides_is_not_held),
    };
    static const struct CMUnitTest sqlite[] = {
        TEST(files_are_minded_as_well),
        TEST(a_column_of_every_other_type_of_a_file_is_not_held),
        TEST(a_text_key_of_a_file_must_compare_bytes),
        TEST(what_is_no_table_of_a_file_is_not_held),
    };
    static const struct CMUnitTest mariadb[] = {
        TEST(of_columns_that_the_server_minds_none_is_updated),
        TEST(a_column_of_another_type_is_not_held),
        TEST(a_column_of_every_other_type_is_not_held),
        TEST(only_an_ordinary_table_is_held),
        TEST(triggers_are_minded),
        TEST(foreign_keys_are_minded),
        TEST(a_text_key_must_compare_bytes),
        TEST(other_tables_of_that_name_do_not_count),
        TEST(what_a_user_may_not_see_is_not_held),
        TEST(an_indexed_column_may_be_the_parent_of_what_one_cannot_see),
        TEST(on_mysql_the_right_to_see_triggers_is_asked_for),
    };

    support_begin(argc, argv);
    arena = corm_arena_new();
    int failed = run_group(both, COUNT(both), sqlite, COUNT(sqlite), mariadb, COUNT(mariadb));
    corm_arena_free(arena);
    support_end();
    return failed;
}
