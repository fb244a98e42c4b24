/* injection_test.c -- values and names that mean something to SQL, through every way that they can
 * take: they come back bit for bit, hit their own row and no other, and the text that is sent is the
 * same whatever the value.
 *
 * On MariaDB all of it runs again with the server in each of the modes that change what a literal or
 * a name is, so it has a server of its own. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

/* clang-format off */
/* Names that end something, whatever ends it. */
#define ODD_TABLE "o`d\"d' ; DROP TABLE canary; -- \\ /* ? %s"
#define ODD_KEY   "k`e\"y' = 1 OR 1=1 -- \\ # \xE2\x82\xAC"
#define ODD_VALUE "v`a\"l');--\\"
#define NOTE(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(title, varchar(200))                                                                         \
    X(body, text)                                                                                  \
    X(code, char(100))                                                                             \
    X(raw, blob)                                                                                   \
    X(extra, json)
CORM_MODEL(note, NOTE);
CORM_DEFINE(note, NOTE);

#define TAG(X)                                                                                     \
    X(name, varchar(200), .pk = 1)                                                                 \
    X(hits, int)
CORM_MODEL(tag, TAG);
CORM_DEFINE(tag, TAG);

#define ODD(X)                                                                                     \
    X(key, int, .pk = 1, .sql_name = ODD_KEY)                                                      \
    X(value, varchar(40), .sql_name = ODD_VALUE, .index = 1)                                       \
    X(kind, enum("it's", "\\", "\\'", "a\"b`c", "); DROP TABLE canary; --", "?", "%s", "new\nline", \
                 "\xE2\x82\xAC"), .sql_name = "kind?")                                             \
    X(parent, nullable(int), .references = CORM_COLUMN_OF(odd, key), .sql_name = "`")
CORM_MODEL_AS(odd, ODD_TABLE, ODD);
CORM_DEFINE(odd, ODD, CORM_UNIQUE(odd, both, key, value));

#define CANARY(X) X(id, int, .pk = 1)
CORM_MODEL(canary, CANARY);
CORM_DEFINE(canary, CANARY);
/* clang-format on */

static const char *const texts[] = {"'",
                                    "''",
                                    "\"",
                                    "`",
                                    "\\",
                                    "\\'",
                                    "\\\\'",
                                    "' OR 1=1 -- ",
                                    "\\' OR 1=1 -- ",
                                    "\" OR \"\"=\"",
                                    "'; DROP TABLE canary; --",
                                    "x'; DELETE FROM canary WHERE 'a'='a",
                                    "/*",
                                    "*/",
                                    "/*! DROP */",
                                    "--",
                                    "-- ",
                                    "#",
                                    ";",
                                    "?",
                                    "what'2'?",
                                    ":id",
                                    ":id1",
                                    "@x",
                                    "@@version",
                                    "$RAW:1",
                                    "${x}",
                                    "NULL",
                                    "0x41",
                                    "CURRENT_TIMESTAMP",
                                    "1",
                                    "0",
                                    "%",
                                    "_",
                                    "!",
                                    "!%",
                                    "100%",
                                    "a_b",
                                    "[a]",
                                    "%%",
                                    "%_!\\",
                                    "a\n  b   c\\d'e",
                                    "line\r\ntwo",
                                    "tab\tand  two  spaces",
                                    "\x01\x02\x1A\x1B\x7F",
                                    "\b\f\v",
                                    "\xC2\xBF'",
                                    "\xCA\xBC OR 1=1",
                                    "\xEF\xBC\x87 OR 1=1",
                                    "\xE7\xB8\x97\\",
                                    "\xE3\x80\x80",
                                    "\xE2\x80\x8F",
                                    "\xF0\x9F\x8E\x9F'\\",
                                    "\xC3\xA4\xCC\x88",
                                    "\xEF\xBF\xBD",
                                    "\xEF\xBB\xBF"};

/* What is no text, and must go through a blob: pairs of GBK, NULs, halves of UTF-8. */
static const struct corm_blob bytes[] = {
    {"\xBF\x27 OR 1=1 -- ", 13}, {"\xBF\x5C\x27", 3},      {"a\0b'", 4},    {"\0", 1}, {"\xC3", 1},
    {"\xED\xA0\x80", 3},         {"\xF5\x80\x80\x80'", 5}, {"\\\0'\"`", 5}, {"", 0}};

static struct corm_arena *arena;
static struct corm_error  error;

/* ---- The shape of what is sent -------------------------------------------------- */

static char last_text[4096];

static void keep_text(const struct corm_event *event, void *arg)
{
    (void)arg;
    (void)snprintf(last_text, sizeof(last_text), "%s", event->text);
}

/* The text that the last call sent is the one of the first value. */
static void same_shape(char *first)
{
    if (first[0] == '\0')
        (void)snprintf(first, sizeof(last_text), "%s", last_text);
    assert_string_equal(last_text, first);
}
#define SAME_SHAPE                                                                                 \
    do {                                                                                           \
        static char first[sizeof(last_text)];                                                      \
        same_shape(first);                                                                         \
    } while (0)

static struct corm_db *begin(const char *url)
{
    struct corm_db *db = NULL;

    arena = corm_arena_new();
    error = (struct corm_error){0};
    assert_ok(corm_open(&db, url, .on_statement = keep_text, .error = &error), &error);
    new_table(db, canary);
    for (int i = 1; i <= 3; i++)
        assert_rows(corm_insert_row(db, canary, &(struct canary){i}, .error = &error), 1, &error);
    return db;
}

static void end(struct corm_db *db)
{
    assert_int_equal(corm_count(db, canary), 3);
    corm_close(db);
    corm_arena_free(arena);
}

/* ---- Values ------------------------------------------------------------------------ */

static const char *json_of(const char *text)
{
    char *json = corm_arena_alloc(arena, 6 * strlen(text) + 3), *p = json;

    *p++ = '"';
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20)
            p += sprintf(p, "\\u%04x", (unsigned)*text);
        else
            p += sprintf(p, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    }
    *p++ = '"';
    *p = '\0';
    return json;
}

static struct note note_of(int id, const char *text)
{
    return (struct note){.id = id,
                         .title = text,
                         .body = text,
                         .code = text,
                         .raw = {text, strlen(text)},
                         .extra = json_of(text)};
}

static void check_note(const struct note *found, const char *text)
{
    assert_string_equal(found->title, text);
    assert_string_equal(found->body, text);
    assert_string_equal(found->code, text);
    assert_int_equal(found->raw.size, strlen(text));
    assert_memory_equal(found->raw.data, text, strlen(text));
    assert_string_equal(found->extra, json_of(text));
}

/* A char keeps no space at its end, and is refused with one, and with control characters. */
static bool may_be_char(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < ' ')
            return false;
    return text[0] == '\0' || text[strlen(text) - 1] != ' ';
}

/* Two rows, of which the second has the text; it is found, changed and removed by it. */
static void check_text(struct corm_db *db, const char *text)
{
    const char *const  list[] = {"nothing", text};
    struct note        two[] = {note_of(1, "other"), note_of(2, text)}, found;
    struct corm_where *w = corm_where_new(arena);
    struct corm_rows   rows;

    if (!may_be_char(text))
        two[1].code = "";
    assert_rows(corm_insert_rows(db, note, 2, two, .error = &error), 2, &error);
    SAME_SHAPE;
#define FINDS(expr)                                                                                  \
    do {                                                                                             \
        struct note *all = NULL;                                                                     \
        int          n = corm_all(db, note, &all, .where = (expr), .arena = arena, .error = &error); \
        assert_rows(n, 1, &error);                                                                   \
        SAME_SHAPE;                                                                                  \
        assert_int_equal(all[0].id, 2);                                                              \
        if (may_be_char(text))                                                                       \
            check_note(&all[0], text);                                                               \
    } while (0)
    FINDS(corm_eq(note.title, text));
    FINDS(corm_eq(note.body, text));
    FINDS(corm_eq(note.raw, corm_bytes(text, strlen(text))));
    FINDS(corm_eq(note.extra, json_of(text)));
    FINDS(corm_in(note.title, "nothing", text));
    FINDS(corm_in_list(note.body, list, 2));
    FINDS(corm_starts_with(note.title, text));
    FINDS(corm_ends_with(note.body, text));
    FINDS(corm_contains(note.title, text));
    FINDS(corm_not(corm_ne(note.title, text)));
    corm_where_and(w, corm_eq(note.title, text));
    FINDS(corm_where(w));
    if (may_be_char(text))
        FINDS(corm_eq(note.code, text));

    assert_rows(corm_update(db, note, corm_eq(note.title, text), corm_set(note.title, "gone"),
                            .error = &error),
                1, &error);
    SAME_SHAPE;
    assert_rows(corm_update(db, note, corm_eq(note.id, 1), corm_set(note.title, text),
                            corm_set(note.body, text), .error = &error),
                1, &error);
    SAME_SHAPE;
    assert_rows(corm_first(db, note, &found, .where = corm_eq(note.title, text), .arena = arena,
                           .error = &error),
                1, &error);
    assert_int_equal(found.id, 1);
    assert_string_equal(found.body, text);
    assert_rows(corm_sql(db, &rows, "SELECT body FROM note WHERE title = ? AND body = ?",
                         corm_vals(text, text), .arena = arena, .error = &error),
                1, &error);
    assert_string_equal(rows.values[0].as.s, text);
    assert_rows(corm_delete(db, note, corm_eq(note.title, text), .error = &error), 1, &error);
    SAME_SHAPE;
    assert_rows(corm_delete(db, note, corm_everything(), .error = &error), 1, &error);
}

/* A key of the text, in a transaction: locked, changed by it, buffered, all of it. */
static void check_key(struct corm_db *db, const char *text)
{
    struct corm_trx *trx;
    struct tag       found;

    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_row(trx, tag, &(struct tag){text, 1}, .error = &error), 1, &error);
    assert_rows(
        corm_insert(trx, tag, corm_set(tag.name, "plain"), corm_set(tag.hits, 1), .error = &error),
        1, &error);
    assert_rows(corm_first(trx, tag, &found, .where = corm_eq(tag.name, text),
                           .lock = CORM_FOR_UPDATE, .error = &error),
                1, &error);
    assert_string_equal(found.name, text);
    assert_rows(
        corm_update(trx, tag, corm_eq(tag.name, text), corm_add(tag.hits, 1), .error = &error), 1,
        &error);
    assert_ok(corm_commit(trx), corm_trx_error(trx));
    corm_end(trx);
    assert_int_equal(corm_count(db, tag, .where = corm_eq(tag.hits, 2)), 1);
    assert_rows(corm_delete(db, tag, corm_eq(tag.name, text), .error = &error), 1, &error);
    assert_int_equal(corm_count(db, tag, .where = corm_eq(tag.name, "plain")), 1);
    assert_rows(corm_delete(db, tag, corm_everything(), .error = &error), 1, &error);
}

static void check_bytes(struct corm_db *db, const struct corm_blob *blob)
{
    struct note  two[] = {note_of(1, "other"), note_of(2, "x")}, found;
    char        *text = corm_arena_alloc(arena, blob->size + 1);
    const size_t size = blob->size;

    two[1].raw = *blob;
    assert_rows(corm_insert_rows(db, note, 2, two, .error = &error), 2, &error);
    assert_rows(corm_first(db, note, &found, .where = corm_eq(note.raw, *blob), .arena = arena,
                           .error = &error),
                1, &error);
    SAME_SHAPE;
    assert_int_equal(found.id, 2);
    assert_int_equal(found.raw.size, size);
    assert_memory_equal(found.raw.data, blob->data, size);
    assert_rows(
        corm_update(db, note, corm_eq(note.raw, *blob), corm_set(note.raw, *blob), .error = &error),
        1, &error);
    SAME_SHAPE;
    assert_int_equal(corm_count(db, note), 2);
    assert_rows(corm_delete(db, note, corm_everything(), .error = &error), 2, &error);

    /* The same as a text is refused, where it is none, and nothing is written. */
    memcpy(text, blob->data, size);
    text[size] = '\0';
    if (size > 0 && memchr(text, '\0', size) == NULL) {
        assert_code(
            corm_insert_row(db, note, &(struct note){.id = 3, .title = text}, .error = &error),
            CORM_BAD_VALUE, &error);
        assert_int_equal(corm_count(db, note), 0);
    }
}

/* ---- Names --------------------------------------------------------------------------- */

static void check_names(struct corm_db *db)
{
    const struct corm_column *kind = odd.kind.column;
    struct odd               *rows = NULL, found;

    new_table(db, odd);
    for (int i = 0; kind->values[i] != NULL; i++) {
        struct odd row = {
            .key = i, .value = "x", .kind = kind->values[i], .parent = {i > 0, i - 1}};
        assert_rows(corm_insert_row(db, odd, &row, .error = &error), 1, &error);
        SAME_SHAPE;
        assert_rows(corm_first(db, odd, &found, .where = corm_eq(odd.kind, kind->values[i]),
                               .order = {corm_desc(odd.value)}, .arena = arena, .error = &error),
                    1, &error);
        SAME_SHAPE;
        assert_int_equal(found.key, i);
        assert_string_equal(found.kind, kind->values[i]);
    }
    assert_rows(corm_all(db, odd, &rows, .where = corm_in(odd.kind, "it's", "\\", "\\'"),
                         .arena = arena, .error = &error),
                3, &error);
    assert_code(corm_insert_row(db, odd, &(struct odd){.key = 99, .value = "x", .kind = "' --"},
                                .error = &error),
                CORM_BAD_VALUE, &error);
    assert_code(
        corm_insert_row(db, odd,
                        &(struct odd){.key = 99, .value = "x", .kind = "?", .parent = {true, 77}},
                        .error = &error),
        CORM_FOREIGN_KEY, &error);
    assert_code(corm_insert_row(db, odd, &(struct odd){.key = 0, .value = "y", .kind = "?"},
                                .error = &error),
                CORM_DUPLICATE, &error);
    assert_rows(
        corm_update(db, odd, corm_eq(odd.key, 1), corm_set(odd.value, "z"), .error = &error), 1,
        &error);
    assert_rows(corm_drop_table(db, odd, .error = &error), 0, &error);
}

/* ---- Everything, in each mode --------------------------------------------------------- */

static void check_all(const char *url)
{
    struct corm_db *db = begin(url);

    new_table(db, note);
    new_table(db, tag);
    for (size_t i = 0; i < COUNT(texts); i++) {
        check_text(db, texts[i]);
        check_key(db, texts[i]);
    }
    for (size_t i = 0; i < COUNT(bytes); i++)
        check_bytes(db, &bytes[i]);
    check_names(db);
    end(db);
}

static void nothing_that_is_passed_in_becomes_sql(void **state)
{
    (void)state;
    check_all(test_url(NULL));
}

static void nor_in_any_mode_of_the_server(void **state)
{
    static const char *const modes[] = {
        "", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
        "ORACLE,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,NO_UNSIGNED_SUBTRACTION"};

    (void)state;
    for (size_t i = 0; i < COUNT(modes); i++) {
        beside("SET GLOBAL sql_mode = '%s'", modes[i]);
        check_all(test_url(NULL));
    }
    beside("SET GLOBAL sql_mode = DEFAULT");
}

/* A server that gives every session another character set: text would be damaged, and quotes hidden. */
static void nor_in_another_character_set_of_the_server(void **state)
{
    (void)state;
    beside("CREATE OR REPLACE USER plain@'%%' IDENTIFIED BY 'secret'");
    beside("GRANT ALL ON *.* TO plain@'%%'");
    beside("REVOKE SUPER, CONNECTION ADMIN ON *.* FROM plain@'%%'");
    beside("SET GLOBAL init_connect = 'SET NAMES gbk'");
    check_all(server_url("plain", "secret", 0, NULL, NULL));
    beside("SET GLOBAL init_connect = ''");
    beside("DROP USER plain@'%%'");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest both[] = {
        cmocka_unit_test(nothing_that_is_passed_in_becomes_sql),
    };
    static const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(nor_in_any_mode_of_the_server),
        cmocka_unit_test(nor_in_another_character_set_of_the_server),
    };

    support_begin(argc, argv);
    int failed = run_group(both, COUNT(both), NULL, 0, mariadb, COUNT(mariadb));
    support_end();
    return failed;
}
