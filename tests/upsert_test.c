/* tests/upsert_test.c -- corm_upsert(): inserted, updated or unchanged, and never another row. The same
 * on SQLite and MariaDB. */
#include "support.h"

#include <limits.h>
#include <stdio.h>

/* Two unique keys beside the primary one. */
#define PART(X)                                                                                    \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(sku, varchar(20), .unique = 1)                                                               \
    X(label, nullable(varchar(20)), .unique = 1)                                                   \
    X(pieces, int, .deflt = "0")                                                                   \
    X(price, nullable(double))                                                                     \
    X(fresh, bool)                                                                                 \
    X(doubled, int, .generated = "pieces * 2")
CORM_MODEL(part, PART);
CORM_DEFINE(part, PART);

/* A key of two columns, another of two, and a version. */
#define SEAT(X)                                                                                    \
    X(block, varchar(10), .pk = 1)                                                                 \
    X(number, int, .pk = 1)                                                                        \
    X(day, date)                                                                                   \
    X(place, int)                                                                                  \
    X(holder, nullable(varchar(20)))                                                               \
    X(version, int, .version = 1)
CORM_MODEL(seat, SEAT);
CORM_DEFINE(seat, SEAT, CORM_UNIQUE(seat, one_a_day, day, place));

/* Nothing but a key, which may be 0. */
#define TAG(X) X(id, int, .pk = 1)
CORM_MODEL(tag, TAG);
CORM_DEFINE(tag, TAG);

/* A key that may be NULL. */
#define ALIAS(X)                                                                                   \
    X(id, bigint, .pk = 1, .autoinc = 1)                                                           \
    X(name, nullable(varchar(20)), .unique = 1)                                                    \
    X(uses, int)
CORM_MODEL(alias, ALIAS);
CORM_DEFINE(alias, ALIAS);

/* Its table is made by other people. */
#define WORD(X)                                                                                    \
    X(text, varchar(20), .pk = 1)                                                                  \
    X(meaning, varchar(20))                                                                        \
    X(seen, int)
CORM_MODEL(word, WORD);
CORM_DEFINE(word, WORD);

#define ENTRY(X) X(id, int, .pk = 1, .autoinc = 1) X(what, varchar(20))
CORM_MODEL(entry, ENTRY);
CORM_DEFINE(entry, ENTRY);

static struct corm_db    *db;
static struct corm_arena *arena;
static struct corm_error  error;

static int set_up(void **state)
{
    (void)state;
    db = open_db("pool=4&timeout_ms=20000");
    arena = corm_arena_new();
    assert_non_null(arena);
    memset(&error, 0, sizeof(error));
    new_table(db, part);
    new_table(db, seat);
    new_table(db, tag);
    new_table(db, alias);
    new_table(db, entry);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    corm_arena_free(arena);
    corm_close(db);
    return 0;
}

static struct part part_of(int32_t id)
{
    struct part row = {0};

    assert_rows(
        corm_first(db, part, &row, .where = corm_eq(part.id, id), .arena = arena, .error = &error),
        1, &error);
    return row;
}

static void check_count(const char *table, int rows)
{
    assert_int_equal(number_beside("SELECT COUNT(*) FROM %s", table), rows);
}

/* A row of part, of three. */
static void make_parts(void)
{
    static const struct part rows[] = {
        {.sku = "a", .label = "A", .pieces = 1, .price = {true, 1.5}},
        {.sku = "b", .label = "B", .pieces = 2},
        {.sku = "c", .pieces = 3, .fresh = true}};

    assert_rows(corm_insert_rows(db, part, 3, rows, .error = &error), 3, &error);
}

/* ---- Inserted, updated, unchanged ------------------------------------------------------- */

static void each_result_is_told(void **state)
{
    struct part row = {.id = 7, .sku = "x", .label = "X", .pieces = 5, .price = {true, 0.5}};

    (void)state;
    assert_rows(corm_upsert(db, part, &row, .error = &error), CORM_INSERTED, &error);
    assert_rows(corm_upsert(db, part, &row, .error = &error), CORM_UNCHANGED, &error);
    row.pieces = 6;
    assert_rows(corm_upsert(db, part, &row, .error = &error), CORM_UPDATED, &error);
    assert_rows(corm_upsert(db, part, &row, .error = &error), CORM_UNCHANGED, &error);
    struct part found = part_of(7);
    assert_string_equal(found.sku, "x");
    assert_int_equal(found.pieces, 6);
    assert_int_equal(found.doubled, 12);
    assert_true(found.price.has && found.price.value == 0.5);
    check_count("part", 1);
}

/* From and to NULL is a change; NULL to NULL is none. */
static void nulls_are_compared(void **state)
{
    struct part row = {.id = 7, .sku = "x", .label = NULL, .price = {false, 0}};

    (void)state;
    assert_rows(corm_upsert(db, part, &row, .error = &error), CORM_INSERTED, &error);
    assert_rows(corm_upsert(db, part, &row, .error = &error), CORM_UNCHANGED, &error);
    row.label = "";
    assert_rows(corm_upsert(db, part, &row, .error = &error), CORM_UPDATED, &error);
    row.price.has = true;
    assert_rows(corm_upsert(db, part, &row, .error = &error), CORM_UPDATED, &error);
    assert_true(part_of(7).price.has);
    row.label = NULL;
    row.price.has = false;
    assert_rows(corm_upsert(db, part, &row, .error = &error), CORM_UPDATED, &error);
    assert_rows(corm_upsert(db, part, &row, .error = &error), CORM_UNCHANGED, &error);
    assert_null(part_of(7).label);
}

/* A key that is 0, and whose row has nothing else. */
static void row_of_nothing_but_a_key(void **state)
{
    (void)state;
    assert_rows(corm_upsert(db, tag, &((struct tag){0}), .error = &error), CORM_INSERTED, &error);
    assert_rows(corm_upsert(db, tag, &((struct tag){0}), .error = &error), CORM_UNCHANGED, &error);
    assert_rows(corm_upsert(db, tag, &((struct tag){-1}), .error = &error), CORM_INSERTED, &error);
    assert_rows(corm_upsert(db, tag, &((struct tag){INT32_MIN}), .error = &error), CORM_INSERTED,
                &error);
    assert_rows(corm_upsert(db, tag, &((struct tag){INT32_MIN}), .error = &error), CORM_UNCHANGED,
                &error);
    check_count("tag", 3);
}

/* Tables of others: on SQLite one without rowids; both with names that are the same in capitals. */
static void table_of_others(void **state)
{
    struct word row = {"Bolt", "a thing", 1};

    (void)state;
    beside("DROP TABLE IF EXISTS word");
    beside(is_mariadb()
               ? "CREATE TABLE word (text VARCHAR(20) PRIMARY KEY, meaning VARCHAR(20) NOT "
                 "NULL, seen INT NOT NULL) COLLATE utf8mb4_general_ci"
               : "CREATE TABLE word (text TEXT COLLATE NOCASE PRIMARY KEY, meaning TEXT "
                 "COLLATE NOCASE NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID");
    assert_rows(corm_upsert(db, word, &row, .error = &error), CORM_INSERTED, &error);
    assert_rows(corm_upsert(db, word, &row, .error = &error), CORM_UNCHANGED, &error);
    row.text = "bolt"; /* the same key there */
    assert_rows(corm_upsert(db, word, &row, .error = &error), CORM_UNCHANGED, &error);
    row.meaning = "A Thing"; /* and yet another text */
    assert_rows(corm_upsert(db, word, &row, .error = &error), CORM_UPDATED, &error);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM word WHERE meaning %s",
                                   is_mariadb() ? "COLLATE utf8mb4_bin = 'A Thing'"
                                                : "= 'A Thing' COLLATE BINARY"),
                     1);
    check_count("word", 1);
    beside("DROP TABLE word");
}

/* ---- Keys --------------------------------------------------------------------------------- */

static void named_key(void **state)
{
    struct part row = {.sku = "b", .label = "B", .pieces = 20};
    int64_t     id = -1;

    (void)state;
    make_parts();
    assert_rows(corm_upsert(db, part, &row, .by = corm_by(part.sku), .id = &id, .error = &error),
                CORM_UPDATED, &error);
    assert_int_equal(id, 2);
    assert_int_equal(part_of(2).pieces, 20);
    id = -1;
    assert_rows(corm_upsert(db, part, &row, .by = corm_by(part.sku), .id = &id, .error = &error),
                CORM_UNCHANGED, &error);
    assert_int_equal(id, 2);
    row.sku = "n";
    row.label = "N";
    assert_rows(corm_upsert(db, part, &row, .by = corm_by(part.sku), .id = &id, .error = &error),
                CORM_INSERTED, &error);
    assert_true(id > 3);
    assert_string_equal(part_of((int32_t)id).sku, "n");
    row.pieces = 21;
    assert_rows(corm_upsert(db, part, &row, .by = corm_by(part.label), .error = &error),
                CORM_UPDATED, &error);
    assert_int_equal(part_of((int32_t)id).pieces, 21);
    check_count("part", 4);
}

/* A generated key that was made before is not told for that of this row. */
static void key_is_that_of_the_row(void **state)
{
    struct part row = {.sku = "a", .label = "A", .pieces = 1, .price = {true, 1.5}};
    int64_t     other = 0, id = 0;

    (void)state;
    make_parts();
    struct corm_trx *trx;
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert(trx, entry, corm_set(entry.what, "x"), .id = &other), 1, &error);
    for (int i = 0; i < 3; i++)
        assert_rows(corm_insert(trx, entry, corm_set(entry.what, "x"), .id = &other), 1, &error);
    assert_rows(corm_upsert(trx, part, &row, .by = corm_by(part.sku), .id = &id), CORM_UNCHANGED,
                &error);
    assert_int_equal(id, 1);
    assert_rows(corm_insert(trx, entry, corm_set(entry.what, "x"), .id = &id), 1, &error);
    assert_int_equal(id, other + 1);
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
}

static void null_in_a_key_is_like_no_other(void **state)
{
    struct alias row = {.name = NULL, .uses = 1};
    int64_t      first = 0, second = 0;

    (void)state;
    assert_rows(
        corm_upsert(db, alias, &row, .by = corm_by(alias.name), .id = &first, .error = &error),
        CORM_INSERTED, &error);
    assert_rows(
        corm_upsert(db, alias, &row, .by = corm_by(alias.name), .id = &second, .error = &error),
        CORM_INSERTED, &error);
    assert_true(second > first && first > 0);
    check_count("alias", 2);
}

static void key_of_two_columns(void **state)
{
    struct seat row = {.block = "A", .number = 1, .day = 0, .place = 3, .holder = "ann"};

    (void)state;
    assert_rows(corm_upsert(db, seat, &row, .error = &error), CORM_INSERTED, &error);
    row.number = 2;
    row.place = 4;
    assert_rows(corm_upsert(db, seat, &row, .error = &error), CORM_INSERTED, &error);
    row.holder = "bob";
    assert_rows(
        corm_upsert(db, seat, &row, .by = corm_by(seat.number, seat.block), .error = &error),
        CORM_UPDATED, &error);
    row.holder = "cid";
    assert_rows(corm_upsert(db, seat, &row, .by = corm_by(seat.place, seat.day), .error = &error),
                CORM_UPDATED, &error);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM seat WHERE number = 2 AND holder = 'cid'"),
                     1);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM seat WHERE number = 1 AND holder = 'ann'"),
                     1);
}

/* ---- Another row ----------------------------------------------------------------------------- */

static char *all_parts(void)
{
    static char  text[600];
    struct part *rows;
    size_t       size = 0;
    int          n =
        corm_all(db, part, &rows, .order = {corm_asc(part.id)}, .arena = arena, .error = &error);

    assert_ok(n, &error);
    for (int i = 0; i < n; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%d %s %s %d;", rows[i].id,
                                 rows[i].sku, rows[i].label != NULL ? rows[i].label : "-",
                                 rows[i].pieces);
    return text;
}

#define PARTS "1 a A 1;2 b B 2;3 c - 3;"

/* Each way in which a row can meet one with another key. */
static void another_row_is_never_written(void **state)
{
    struct part by_id = {.id = 9, .sku = "b", .pieces = 99};
    struct part by_sku = {.sku = "n", .label = "B", .pieces = 99};
    struct part by_label = {.sku = "b", .label = "N", .pieces = 99};
    struct part takes = {.id = 1, .sku = "a", .label = "B", .pieces = 99};

    (void)state;
    make_parts();
    assert_code(corm_upsert(db, part, &by_id, .error = &error), CORM_DUPLICATE, &error);
    assert_code(corm_upsert(db, part, &by_sku, .by = corm_by(part.sku), .error = &error),
                CORM_DUPLICATE, &error);
    assert_code(corm_upsert(db, part, &by_label, .by = corm_by(part.label), .error = &error),
                CORM_DUPLICATE, &error);
    assert_code(corm_upsert(db, part, &takes, .error = &error), CORM_DUPLICATE, &error);
    assert_code(corm_upsert(db, part, &by_id, .update = corm_sets(corm_set(part.pieces, 5)),
                            .error = &error),
                CORM_DUPLICATE, &error);
    assert_string_equal(all_parts(), PARTS);
}

/* The primary key is another unique key, too. */
static void another_primary_key(void **state)
{
    struct seat a = {.block = "A", .number = 1, .day = 0, .place = 3, .holder = "ann"};
    struct seat b = {.block = "B", .number = 1, .day = 0, .place = 4, .holder = "bob"};

    (void)state;
    assert_rows(corm_upsert(db, seat, &a, .error = &error), CORM_INSERTED, &error);
    assert_rows(corm_upsert(db, seat, &b, .error = &error), CORM_INSERTED, &error);
    b.place = 5; /* a new place by the key of a seat that is there */
    b.holder = "cid";
    assert_code(corm_upsert(db, seat, &b, .by = corm_by(seat.day, seat.place), .error = &error),
                CORM_DUPLICATE, &error);
    b.place = 3;
    b.number = 7; /* the place of A 1: that row is updated, and keeps its key */
    assert_rows(corm_upsert(db, seat, &b, .by = corm_by(seat.day, seat.place), .error = &error),
                CORM_UPDATED, &error);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM seat WHERE block = 'A' AND number = 1 AND "
                                   "holder = 'cid' AND place = 3"),
                     1);
    assert_int_equal(
        number_beside("SELECT COUNT(*) FROM seat WHERE block = 'B' AND holder = 'bob'"), 1);
    check_count("seat", 2);
}

static void duplicate_dooms_and_a_savepoint_mends(void **state)
{
    struct part      by_id = {.id = 9, .sku = "b", .pieces = 99}, fine = {.id = 8, .sku = "n"};
    struct corm_trx *trx;

    (void)state;
    make_parts();
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_upsert(trx, part, &fine), CORM_INSERTED, &error);
    assert_ok(corm_savepoint(trx), &error);
    int line = __LINE__ + 1;
    assert_int_equal(corm_upsert(trx, part, &by_id), CORM_DUPLICATE);
    assert_place(corm_trx_error(trx), line);
    assert_int_equal(corm_upsert(trx, part, &fine), CORM_DUPLICATE);
    assert_ok(corm_savepoint_rollback(trx), &error);
    assert_rows(corm_upsert(trx, part, &fine), CORM_UNCHANGED, &error);
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    assert_string_equal(all_parts(), PARTS "8 n - 0;");
}

/* ---- What is set ------------------------------------------------------------------------------ */

static void listed_sets(void **state)
{
    struct part row = {.sku = "b", .label = "other", .pieces = 5, .price = {true, 2.5}};

    (void)state;
    make_parts();
    assert_rows(corm_upsert(db, part, &row, .by = corm_by(part.sku),
                            .update = corm_sets(corm_add_new(part.pieces)), .error = &error),
                CORM_UPDATED, &error);
    struct part found = part_of(2);
    assert_int_equal(found.pieces, 7);
    assert_string_equal(found.label, "B"); /* is not listed */
    assert_false(found.price.has);
    assert_rows(corm_upsert(db, part, &row, .by = corm_by(part.sku),
                            .update = corm_sets(corm_set_new(part.price), corm_add(part.pieces, -2),
                                                corm_set(part.fresh, true)),
                            .error = &error),
                CORM_UPDATED, &error);
    found = part_of(2);
    assert_int_equal(found.pieces, 5);
    assert_true(found.price.has && found.price.value == 2.5 && found.fresh);
    assert_rows(
        corm_upsert(db, part, &row, .by = corm_by(part.sku),
                    .update = corm_sets(corm_set_new(part.price), corm_set(part.fresh, true)),
                    .error = &error),
        CORM_UNCHANGED, &error);
    row.pieces = 0;
    assert_rows(corm_upsert(db, part, &row, .by = corm_by(part.sku),
                            .update = corm_sets(corm_add_new(part.pieces)), .error = &error),
                CORM_UNCHANGED, &error);
    assert_rows(corm_upsert(db, part, &row, .by = corm_by(part.sku),
                            .update = corm_sets(corm_set_null(part.label)), .error = &error),
                CORM_UPDATED, &error);
    assert_null(part_of(2).label);
}

/* Old values on the right, whatever is set in front. */
static void sets_are_simultaneous(void **state)
{
    struct seat row = {.block = "A", .number = 1, .day = 0, .place = 3};

    (void)state;
    assert_rows(corm_upsert(db, seat, &row, .error = &error), CORM_INSERTED, &error);
    row.place = 10;
    assert_rows(corm_upsert(db, seat, &row,
                            .update = corm_sets(corm_add_new(seat.place),
                                                corm_set(seat.holder, seat.block)),
                            .error = &error),
                CORM_UPDATED, &error);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM seat WHERE place = 13 AND holder = 'A'"),
                     1);
    assert_rows(
        corm_upsert(db, part, &((struct part){.id = 1, .sku = "s", .pieces = 4}), .error = &error),
        CORM_INSERTED, &error);
    assert_rows(
        corm_upsert(db, part, &((struct part){.id = 1, .sku = "t", .label = "l"}),
                    .update = corm_sets(corm_set_new(part.sku), corm_set(part.label, part.sku)),
                    .error = &error),
        CORM_UPDATED, &error);
    assert_string_equal(part_of(1).sku, "t");
    assert_string_equal(part_of(1).label, "s");
}

static void sums_beyond_their_type_are_refused(void **state)
{
    struct part row = {.id = 1, .sku = "s", .pieces = INT32_MAX};

    (void)state;
    row.pieces = INT32_MAX / 2;
    assert_rows(corm_upsert(db, part, &row, .error = &error), CORM_INSERTED, &error);
    row.pieces = INT32_MAX;
    assert_code(corm_upsert(db, part, &row, .update = corm_sets(corm_add_new(part.pieces)),
                            .error = &error),
                CORM_OUT_OF_RANGE, &error);
    assert_int_equal(part_of(1).pieces, INT32_MAX / 2);
}

static void version_is_counted_up(void **state)
{
    struct seat row = {.block = "A", .number = 1, .place = 3, .version = 5}, found = {0};

    (void)state;
    assert_rows(corm_upsert(db, seat, &row, .error = &error), CORM_INSERTED, &error);
    assert_rows(corm_first(db, seat, &found, .arena = arena, .error = &error), 1, &error);
    assert_int_equal(found.version, 5);
    assert_rows(corm_upsert(db, seat, &row, .error = &error), CORM_UPDATED, &error);
    assert_int_equal(row.version, 5);
    assert_rows(corm_upsert(db, seat, &row, .update = corm_sets(corm_set_new(seat.holder)),
                            .error = &error),
                CORM_UPDATED, &error);
    assert_int_equal(number_beside("SELECT version FROM seat"), 7);
    assert_code(corm_update_row(db, seat, &found, .error = &error), CORM_STALE, &error);
    assert_int_equal(number_beside("SELECT version FROM seat"), 7);
}

/* What triggers write is not counted, and their keys are not told. */
static void triggers(void **state)
{
    struct part row = {.sku = "t", .pieces = 1};
    int64_t     id = 0;

    (void)state;
    make_parts();
    if (is_mariadb()) {
        beside("CREATE TRIGGER part_i AFTER INSERT ON part FOR EACH ROW INSERT INTO entry (what) "
               "VALUES ('i'), ('i')");
        beside("CREATE TRIGGER part_u AFTER UPDATE ON part FOR EACH ROW INSERT INTO entry (what) "
               "VALUES ('u'), ('u')");
    } else {
        beside("CREATE TRIGGER part_i AFTER INSERT ON part BEGIN INSERT INTO entry (what) VALUES "
               "('i'), ('i'); END");
        beside("CREATE TRIGGER part_b BEFORE INSERT ON part BEGIN INSERT INTO entry (what) VALUES "
               "('b'); END");
        beside("CREATE TRIGGER part_u AFTER UPDATE ON part BEGIN INSERT INTO entry (what) VALUES "
               "('u'), ('u'); END");
    }
    assert_rows(corm_upsert(db, part, &row, .by = corm_by(part.sku), .id = &id, .error = &error),
                CORM_INSERTED, &error);
    assert_string_equal(part_of((int32_t)id).sku, "t");
    row.pieces = 2;
    int64_t same = 0;
    assert_rows(corm_upsert(db, part, &row, .by = corm_by(part.sku), .id = &same, .error = &error),
                CORM_UPDATED, &error);
    assert_int_equal(same, id);
    same = 0;
    assert_rows(corm_upsert(db, part, &row, .by = corm_by(part.sku), .id = &same, .error = &error),
                CORM_UNCHANGED, &error);
    assert_int_equal(same, id);
    assert_true(number_beside("SELECT COUNT(*) FROM entry WHERE what = 'u'") >= 2);
}

/* ---- In transactions ---------------------------------------------------------------------------- */

/* A row that was read FOR UPDATE is not taken for held any more: an upsert may have done anything. */
static void held_rows_are_forgotten(void **state)
{
    struct corm_trx *trx;
    struct part      row;

    (void)state;
    make_parts();
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_first(trx, part, &row, .where = corm_eq(part.id, 1), .lock = CORM_FOR_UPDATE),
                1, &error);
    uint64_t before = stats_of(db).statements;
    assert_rows(corm_update(trx, part, corm_eq(part.id, 1), corm_add(part.pieces, 1)), 1, &error);
    assert_int_equal(stats_of(db).statements, before); /* buffered */
    assert_rows(corm_upsert(trx, part, &((struct part){.id = 1, .sku = "a", .pieces = 50})),
                CORM_UPDATED, &error);
    before = stats_of(db).statements;
    assert_rows(corm_update(trx, part, corm_eq(part.id, 1), corm_add(part.pieces, 1)), 1, &error);
    assert_int_equal(stats_of(db).statements, before + 1); /* sent */
    assert_ok(corm_commit(trx), &error);
    corm_end(trx);
    assert_int_equal(part_of(1).pieces, 51);
}

/* What is buffered goes in front of it. */
static void buffered_writes_go_first(void **state)
{
    struct corm_trx *trx;

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_row(trx, tag, &((struct tag){5})), 1, &error);
    assert_rows(corm_upsert(trx, tag, &((struct tag){5})), CORM_UNCHANGED, &error);
    assert_ok(corm_rollback(trx), &error);
    corm_end(trx);
    check_count("tag", 0);
}

static int add_one(struct corm_trx *trx, void *arg)
{
    const struct part *row = arg;

    return corm_upsert(trx, part, row, .by = corm_by(part.sku),
                       .update = corm_sets(corm_add_new(part.pieces)));
}

struct adder {
    int rc, inserted, updated;
};

static void *add_many(void *arg)
{
    struct adder *a = arg;
    struct part   row = {.sku = "hot", .pieces = 1};

    for (int i = 0; i < 50 && a->rc >= 0; i++) {
        a->rc = i % 2 == 0 ? corm_transact(db, add_one, &row)
                           : corm_upsert(db, part, &row, .by = corm_by(part.sku),
                                         .update = corm_sets(corm_add_new(part.pieces)));
        if (a->rc == CORM_DEADLOCK || a->rc == CORM_CONFLICT) { /* of the one on the db */
            a->rc = 0;
            i--;
        }
        a->inserted += a->rc == CORM_INSERTED;
        a->updated += a->rc == CORM_UPDATED;
    }
    return NULL;
}

/* One is told that it inserted, and nothing is lost. */
static void many_at_once(void **state)
{
    struct adder adders[4] = {{0}};
    int          inserted = 0, updated = 0;

    (void)state;
    run_threads(COUNT(adders), add_many, adders, sizeof(adders[0]));
    for (size_t i = 0; i < COUNT(adders); i++) {
        assert_true(adders[i].rc >= 0);
        inserted += adders[i].inserted;
        updated += adders[i].updated;
    }
    assert_int_equal(inserted, 1);
    assert_int_equal(updated, 199);
    assert_int_equal(number_beside("SELECT pieces FROM part"), 200);
}

/* ---- Refused -------------------------------------------------------------------------------------- */

static void refusals(void **state)
{
    const struct part *nothing = NULL;
    struct part        row = {.sku = "a", .label = "A"};
    struct corm_trx   *trx;
    int64_t            id = 7;

    (void)state;
    assert_code(corm_upsert(db, part, nothing, .error = &error), CORM_MISUSE, &error);
    assert_code(corm_upsert(db, part, &row, .error = &error), CORM_MISUSE, &error);
    assert_says(&error, "the key of table part is 0");
    row.id = 1;
    assert_code(corm_upsert(db, part, &row, .id = &id, .error = &error), CORM_MISUSE, &error);
    assert_says(&error, "you know it");
    assert_int_equal(id, 7);
    assert_code(corm_upsert(db, part, &row, .by = corm_by(part.pieces), .error = &error),
                CORM_MISUSE, &error);
    assert_says(&error, "no unique key");
    assert_code(corm_upsert(db, part, &row, .by = corm_by(part.sku, part.label), .error = &error),
                CORM_MISUSE, &error);
    assert_code(
        corm_upsert(db, part, &row, .update = corm_sets(corm_set(part.id, 3)), .error = &error),
        CORM_MISUSE, &error);
    assert_code(
        corm_upsert(db, part, &row, .update = corm_sets(corm_add_new(part.fresh)), .error = &error),
        CORM_MISUSE, &error);
    assert_code(corm_upsert(db, seat, &((struct seat){.block = "A"}),
                            .update = corm_sets(corm_set_new(seat.version)), .error = &error),
                CORM_MISUSE, &error);
    assert_code(corm_update(db, part, corm_eq(part.id, 1), corm_set_new(part.sku), .error = &error),
                CORM_MISUSE, &error);
    assert_code(corm_insert(db, part, corm_set_new(part.sku), .error = &error), CORM_MISUSE,
                &error);
    row.sku = "123456789012345678901";
    assert_code(corm_upsert(db, part, &row, .error = &error), CORM_TOO_LONG, &error);
    row.sku = NULL;
    assert_code(corm_upsert(db, part, &row, .error = &error), CORM_NULL_REFUSED, &error);
    assert_ok(corm_begin(db, &trx, .read_only = true, .error = &error), &error);
    row.sku = "a";
    assert_int_equal(corm_upsert(trx, part, &row), CORM_READ_ONLY);
    corm_end(trx);
    check_count("part", 0);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(each_result_is_told),
        TEST(nulls_are_compared),
        TEST(row_of_nothing_but_a_key),
        TEST(table_of_others),
        TEST(named_key),
        TEST(key_is_that_of_the_row),
        TEST(null_in_a_key_is_like_no_other),
        TEST(key_of_two_columns),
        TEST(another_row_is_never_written),
        TEST(another_primary_key),
        TEST(duplicate_dooms_and_a_savepoint_mends),
        TEST(listed_sets),
        TEST(sets_are_simultaneous),
        TEST(sums_beyond_their_type_are_refused),
        TEST(version_is_counted_up),
        TEST(triggers),
        TEST(held_rows_are_forgotten),
        TEST(buffered_writes_go_first),
        TEST(many_at_once),
        TEST(refusals),
    };

    support_begin(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    support_end();
    return failed;
}
