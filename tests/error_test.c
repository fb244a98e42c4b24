/* error_test.c -- what goes wrong is said: with a code, a cause, a cure and a place, and nothing
 * half done.
 *
 * CANARY is a value that no message may show, PASSWORD a password. */
#include "support.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CANARY   "Canary-Zq7x"
#define PASSWORD "Wombat9Key"

/* ---- Models ----------------------------------------------------------------- */

#define MEMBER(X)                                                                                  \
    X(id, int, .pk = 1)                                                                            \
    X(name, varchar(11), .unique = 1)                                                              \
    X(age, int)                                                                                    \
    X(points, bigint)                                                                              \
    X(active, bool)                                                                                \
    X(ratio, double)                                                                               \
    X(born, datetime)                                                                              \
    X(note, nullable(text))
CORM_MODEL(member, MEMBER);
CORM_DEFINE(member, MEMBER);

/* The same table, with less care: what it lets through the server refuses. */
#define CARELESS(X)                                                                                \
    X(id, int, .pk = 1)                                                                            \
    X(name, nullable(varchar(100)))                                                                \
    X(age, nullable(int))                                                                          \
    X(points, bigint)                                                                              \
    X(active, bool)                                                                                \
    X(ratio, double)                                                                               \
    X(born, datetime)                                                                              \
    X(note, nullable(text))
CORM_MODEL_AS(careless, "member", CARELESS);
CORM_DEFINE(careless, CARELESS);

/* With a column that the table does not have. */
#define OUTDATED(X)                                                                                \
    X(id, int, .pk = 1)                                                                            \
    X(nickname, int)
CORM_MODEL_AS(outdated, "member", OUTDATED);
CORM_DEFINE(outdated, OUTDATED);

/* Never made. */
#define NOWHERE(X)                                                                                 \
    X(id, int, .pk = 1)                                                                            \
    X(amount, int)
CORM_MODEL(nowhere, NOWHERE);
CORM_DEFINE(nowhere, NOWHERE);

#define TALL(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(height, int)
CORM_MODEL(tall, TALL);
CORM_DEFINE(tall, TALL);

#define CHILD(X)                                                                                   \
    X(id, int, .pk = 1)                                                                            \
    X(parent_id, nullable(int))
CORM_MODEL(child, CHILD);
CORM_DEFINE(child, CHILD);

#define PARENT(X) X(id, int, .pk = 1)
CORM_MODEL(parent, PARENT);
CORM_DEFINE(parent, PARENT);

/* What SQLite may hold in a table that corm has not made. */
#define LOOSE(X)                                                                                   \
    X(id, int, .pk = 1)                                                                            \
    X(number, int)                                                                                 \
    X(body, text)                                                                                  \
    X(at, nullable(datetime))
CORM_MODEL(loose, LOOSE);
CORM_DEFINE(loose, LOOSE);

#define DIARY(X)                                                                                   \
    X(id, int, .pk = 1)                                                                            \
    X(body, text)                                                                                  \
    X(pages, bigint)
CORM_MODEL(diary, DIARY);
CORM_DEFINE(diary, DIARY);

/* ---- Helpers ---------------------------------------------------------------- */

/* The call was refused with this code; its error says `cause` and the cure. The error is empty
 * again then, for the next one. */
static void check_refused(int rc, int code, const char *cause, struct corm_error *error)
{
    assert_code(rc, code, error);
    assert_says(error, cause);
    assert_says(error, corm_code_cure(code));
    assert_hides(error, CANARY);
    assert_int_equal(error->message[strlen(error->message) - 1] == ' ', 0);
    *error = (struct corm_error){0};
}

static struct member someone(int id, const char *name)
{
    return (struct member){.id = id, .name = name, .age = 30, .points = 1};
}

/* A database with one member, 1 "Anna". */
static struct corm_db *open_members(const char *options)
{
    struct corm_db     *db = open_db(options);
    struct corm_error   error = {0};
    const struct member anna = someone(1, "Anna");

    new_table(db, member);
    assert_rows(corm_insert_row(db, member, &anna, .error = &error), 1, &error);
    return db;
}

/* Nothing has come of what was refused: there is Anna, as she was, and the database still works. */
static void check_untouched(struct corm_db *db)
{
    struct corm_error error = {0};

    assert_int_equal(number_beside("SELECT COUNT(*) FROM member"), 1);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM member WHERE id = 1 AND name = 'Anna' AND "
                                   "age = 30 AND points = 1 AND note IS NULL"),
                     1);
    assert_rows(corm_count(db, member, .error = &error), 1, &error);
    assert_rows(
        corm_update(db, member, corm_eq(member.id, 1), corm_set(member.age, 30), .error = &error),
        1, &error);
}

/* ---- Opening ---------------------------------------------------------------- */

static void check_open(const char *url, int code, const char *cause)
{
    struct corm_error error = {0};
    struct corm_db   *db = (struct corm_db *)&error;
    int               rc = corm_open(&db, url, .error = &error);

    assert_null(db);
    assert_hides(&error, PASSWORD);
    check_refused(rc, code, cause, &error);
}

static void urls_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    check_open("", CORM_BAD_URL, "");
    check_open("shop.db", CORM_BAD_URL, "");
    check_open("postgres://user:" PASSWORD "@h/shop", CORM_BAD_URL, "");
    check_open("mariadb://user:" PASSWORD "@h:port/shop", CORM_BAD_URL, "port");
    check_open("mariadb://user:" PASSWORD "@h/shop?pool=0", CORM_BAD_URL, "pool");
    check_open("mariadb://user:" PASSWORD "@h/shop?pols=4", CORM_BAD_URL, "");
    check_open("sqlite:", CORM_BAD_URL, "");
    check_open("sqlite::memory:?pool=1&timeout_ms=-5", CORM_BAD_URL, "timeout_ms");
    assert_int_equal(corm_open(&(struct corm_db *){NULL}, "nonsense"), CORM_BAD_URL);
}

/* A socket that is bound to, or connected with, a port of this machine; -1 where that fails. */
static int at_loopback(unsigned port, int (*join)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int                s = socket(AF_INET, SOCK_STREAM, 0);

    if (join(s, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return s;
    (void)close(s);
    return -1;
}

/* A port at which nobody listens. */
static unsigned closed_port(void)
{
    struct sockaddr_in address = {0};
    socklen_t          size = sizeof(address);
    int                s = at_loopback(0, bind);

    assert_true(s >= 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&address, &size), 0);
    (void)close(s);
    return ntohs(address.sin_port);
}

static void a_closed_port_is_told_at_once(void **state)
{
    char     url[128], where[64];
    unsigned port = closed_port();
    int64_t  began = now_ms();

    (void)state;
    (void)snprintf(url, sizeof(url), "mariadb://user:" PASSWORD "@127.0.0.1:%u/shop", port);
    (void)snprintf(where, sizeof(where), "127.0.0.1:%u", port);
    check_open(url, CORM_UNREACHABLE, where);
    check_open("mariadb://user:" PASSWORD "@localhost/shop?socket=/nowhere/to.sock",
               CORM_UNREACHABLE, "/nowhere/to.sock");
    assert_true(now_ms() - began < 2000);
}

/* ---- What the model or corm itself refuses ---------------------------------- */

/* Refused on a db; nothing was sent. */
static void check_misuse(struct corm_db *db, int rc, uint64_t sent, struct corm_error *error)
{
    check_refused(rc, CORM_MISUSE, "error_test.c:", error);
    assert_int_equal(stats_of(db).statements, sent);
}

/* ... and in a transaction, which is doomed by it. */
static void check_doomed(struct corm_db *db, struct corm_trx *trx, int rc, uint64_t sent,
                         struct corm_error *error)
{
    assert_int_equal(corm_commit(trx), rc);
    corm_end(trx);
    check_misuse(db, rc, sent, error);
}

#define REFUSED(call, ...)                                                                         \
    do {                                                                                           \
        int rc = (int)call(db, __VA_ARGS__, .error = &error);                                      \
        check_misuse(db, rc, sent, &error);                                                        \
        assert_ok(corm_begin(db, &trx, .error = &error), &error);                                  \
        rc = (int)call(trx, __VA_ARGS__);                                                          \
        check_doomed(db, trx, rc, sent, &error);                                                   \
    } while (0)

static void conditions_that_make_no_sense_are_refused(void **state)
{
    static const int       none[] = {0};
    const struct corm_expr empty = {0}, no_members = {.op = CORM_NOT};
    struct corm_db        *db = open_members(NULL);
    struct corm_error      error = {0};
    struct corm_arena     *arena = corm_arena_new();
    struct corm_where     *unused = corm_where_new(arena);
    struct corm_trx       *trx;
    struct member          m;
    uint64_t               sent = stats_of(db).statements;

    (void)state;
    /* A column of another table. */
    REFUSED(corm_first, member, &m, .where = corm_eq(tall.height, 1), .arena = arena);
    REFUSED(corm_delete, member, corm_gt(member.age, tall.height));
    REFUSED(corm_delete, member, corm_not(corm_in(tall.height, 1, 2)));
    /* NULL, with which nothing compares. */
    REFUSED(corm_delete, member, corm_eq(member.name, (const char *)NULL));
    REFUSED(corm_delete, member, corm_in(member.name, "a", (const char *)NULL));
    /* Nothing at all, which must not mean everything. */
    REFUSED(corm_delete, member, empty);
    REFUSED(corm_update, member, empty, corm_set(member.age, 1));
    REFUSED(corm_delete, member, corm_where(unused));
    REFUSED(corm_first, member, &m, .where = corm_where(unused), .arena = arena);
    REFUSED(corm_delete, member, corm_or(corm_eq(member.id, 1), empty));
    REFUSED(corm_delete, member, corm_and(corm_eq(member.id, 1), no_members));
    REFUSED(corm_delete, member, corm_in_list(member.age, none, 0));
    /* A pattern that is a column. */
    REFUSED(corm_delete, member, corm_starts_with(member.name, member.note));
    corm_arena_free(arena);
    check_untouched(db);
    corm_close(db);
}

static void a_condition_without_end_is_refused(void **state)
{
    struct corm_db    *db = open_members(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct corm_expr  *levels = corm_arena_alloc(arena, 300 * sizeof(*levels));
    struct corm_trx   *trx;
    uint64_t           sent = stats_of(db).statements;

    (void)state;
    assert_non_null(levels);
    for (int i = 0; i < 300; i += 2) {
        levels[i] = (struct corm_expr){.op = CORM_NOT, .kids = &levels[i + 2]};
        levels[i + 1] = (struct corm_expr){.op = CORM_END};
    }
    levels[298] = corm_everything();
    REFUSED(corm_delete, member, levels[0]);
    struct corm_where *where = corm_where_new(arena);
    corm_where_and(where, levels[0]); /* copied as far as it is taken */
    REFUSED(corm_delete, member, corm_where(where));
    corm_arena_free(arena);
    check_untouched(db);
    corm_close(db);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    struct corm_db     *db = open_members(NULL);
    struct corm_error   error = {0};
    struct corm_arena  *arena = corm_arena_new();
    struct corm_trx    *trx;
    const struct member bert = someone(2, "Bert");
    struct member       m, *all;
    int64_t             id = 0;
    uint64_t            sent = stats_of(db).statements;

    (void)state;
    REFUSED(corm_all, member, &all, .order = {corm_asc(tall.id)}, .arena = arena);
    REFUSED(corm_all, member, &all, .offset = 3, .arena = arena);
    REFUSED(corm_first, member, &m, .limit = 2, .arena = arena);
    REFUSED(corm_count, member, .limit = 2);
    REFUSED(corm_exists, member, .order = {corm_asc(member.id)});
    REFUSED(corm_update, member, corm_eq(member.id, 1), corm_set(tall.height, 1));
    REFUSED(corm_update, member, corm_eq(member.id, 1), corm_set(member.age, tall.height));
    REFUSED(corm_update, member, corm_everything(), corm_set(member.age, 1),
            corm_set(member.age, 2));
    REFUSED(corm_update, member, corm_everything(), corm_set(member.age, 1), .id = &id);
    REFUSED(corm_insert, member, corm_set(member.id, 2), corm_set(tall.height, 1));
    REFUSED(corm_insert, member, corm_add(member.age, 1));
    REFUSED(corm_insert, member, corm_set(member.age, member.id));
    REFUSED(corm_insert_row, member, &bert, .id = &id); /* it has no generated key */
    REFUSED(corm_insert_rows, member, 1, &bert, .id_later = &id);
    REFUSED(corm_insert_rows, member, SIZE_MAX, &bert);
    assert_int_equal(id, 0);
    corm_arena_free(arena);
    check_untouched(db);
    corm_close(db);
}
#undef REFUSED

static void what_needs_a_transaction_is_refused_without_one(void **state)
{
    struct corm_db     *db = open_members(NULL);
    struct corm_error   error = {0};
    const struct member m = someone(2, "Bert");
    struct member       row;
    int                 rc;

    (void)state;
    rc = corm_insert_row(db, member, &m, .later = true, .error = &error);
    check_refused(rc, CORM_MISUSE, ".later", &error);
    rc = corm_delete(db, member, corm_everything(), .later = true, .error = &error);
    check_refused(rc, CORM_MISUSE, ".later", &error);
    rc = corm_first(db, member, &row, .lock = CORM_FOR_UPDATE, .error = &error);
    check_refused(rc, CORM_MISUSE, ".arena", &error);
    check_untouched(db);
    corm_close(db);
}

/* Values that do not fit their column are refused by corm, wherever they stand in a statement. */
static void values_that_do_not_fit_are_refused(void **state)
{
    struct corm_db   *db = open_members(NULL);
    struct corm_error error = {0};
    struct member     m = someone(2, "Bert");
    uint64_t          sent = stats_of(db).statements;

    (void)state;
#define INSERT(code, cause)                                                                        \
    do {                                                                                           \
        int rc = corm_insert_row(db, member, &m, .error = &error);                                 \
        check_refused(rc, code, cause, &error);                                                    \
        m = someone(2, "Bert");                                                                    \
    } while (0)
    m.name = CANARY CANARY;
    INSERT(CORM_TOO_LONG, "name");
    m.name = NULL;
    INSERT(CORM_NULL_REFUSED, "name");
    m.name = "\xC3";
    INSERT(CORM_BAD_VALUE, "name");
    m.note = "\xED\xA0\x80"; /* a surrogate */
    INSERT(CORM_BAD_VALUE, "note");
    m.note = CANARY "\xFF";
    INSERT(CORM_BAD_VALUE, "note");
    m.ratio = NAN;
    INSERT(CORM_BAD_VALUE, "ratio");
    m.ratio = -INFINITY;
    INSERT(CORM_BAD_VALUE, "ratio");
    m.born = INT64_MAX;
    INSERT(CORM_BAD_VALUE, "born");
    m.born = -62135596800000001; /* a microsecond before the year 1 */
    INSERT(CORM_BAD_VALUE, "born");
    m.born = 253402300800000000; /* the year 10000 */
    INSERT(CORM_BAD_VALUE, "born");
#undef INSERT
#define UPDATE(code, cause, ...)                                                                   \
    do {                                                                                           \
        int rc = corm_update(db, member, corm_everything(), __VA_ARGS__, .error = &error);         \
        check_refused(rc, code, cause, &error);                                                    \
    } while (0)
    UPDATE(CORM_OUT_OF_RANGE, "age", corm_set(member.age, INT64_C(2147483648)));
    UPDATE(CORM_OUT_OF_RANGE, "age", corm_set(member.age, -INT64_C(2147483649)));
    UPDATE(CORM_OUT_OF_RANGE, "points", corm_set(member.points, UINT64_MAX));
    UPDATE(CORM_OUT_OF_RANGE, "active", corm_set(member.active, 2));
    UPDATE(CORM_OUT_OF_RANGE, "ratio", corm_set(member.ratio, INT64_MAX));
    UPDATE(CORM_NULL_REFUSED, "age", corm_set_null(member.age));
    UPDATE(CORM_TOO_LONG, "name", corm_set(member.name, CANARY "!"));
#undef UPDATE
    assert_int_equal(stats_of(db).statements, sent);
    check_untouched(db);
    corm_close(db);
}

/* ---- What the server refuses ------------------------------------------------ */

static void a_table_that_is_missing_is_named(void **state)
{
    struct corm_db    *db = open_members(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct nowhere     row = {1, 1}, *all;
    int                rc;

    (void)state;
    rc = corm_first(db, nowhere, &row, .error = &error);
    check_refused(rc, CORM_NO_TABLE, "nowhere", &error);
    rc = corm_all(db, nowhere, &all, .arena = arena, .error = &error);
    check_refused(rc, CORM_NO_TABLE, "nowhere", &error);
    rc = (int)corm_count(db, nowhere, .error = &error);
    check_refused(rc, CORM_NO_TABLE, "nowhere", &error);
    rc = corm_insert_row(db, nowhere, &row, .error = &error);
    check_refused(rc, CORM_NO_TABLE, "nowhere", &error);
    rc = corm_update(db, nowhere, corm_everything(), corm_set(nowhere.id, 1), .error = &error);
    check_refused(rc, CORM_NO_TABLE, "nowhere", &error);
    rc = corm_delete(db, nowhere, corm_everything(), .error = &error);
    check_refused(rc, CORM_NO_TABLE, "nowhere", &error);
    rc = corm_sql(db, NULL, "SELECT 1 FROM nowhere", .error = &error);
    check_refused(rc, CORM_NO_TABLE, "nowhere", &error);
    rc = corm_drop_table(db, nowhere, .error = &error);
    check_refused(rc, CORM_NO_TABLE, "nowhere", &error);
    assert_ok(corm_drop_table(db, nowhere, .if_exists = true, .error = &error), &error);
    rc = corm_create_table(db, member, .error = &error);
    check_refused(rc, CORM_TABLE_EXISTS, "member", &error);
    assert_ok(corm_create_table(db, member, .if_not_exists = true, .error = &error), &error);
    corm_arena_free(arena);
    check_untouched(db);
    corm_close(db);
}

static void a_column_that_is_missing_is_named(void **state)
{
    struct corm_db   *db = open_members(NULL);
    struct corm_error error = {0};
    struct outdated   row = {2, 1};
    int               rc;

    (void)state;
    rc = corm_first(db, outdated, &row, .error = &error);
    check_refused(rc, CORM_NO_COLUMN, "nickname", &error);
    rc = corm_insert_row(db, outdated, &row, .error = &error);
    check_refused(rc, CORM_NO_COLUMN, "nickname", &error);
    rc = corm_update(db, outdated, corm_eq(outdated.id, 1), corm_set(outdated.nickname, 1),
                     .error = &error);
    check_refused(rc, CORM_NO_COLUMN, "nickname", &error);
    rc = corm_delete(db, outdated, corm_eq(outdated.nickname, 1), .error = &error);
    check_refused(rc, CORM_NO_COLUMN, "nickname", &error);
    rc = (int)corm_count(db, outdated, .where = corm_eq(outdated.nickname, 1), .error = &error);
    check_refused(rc, CORM_NO_COLUMN, "nickname", &error);
    check_untouched(db);
    corm_close(db);
}

/* The key is named; the value is nobody's business. */
static void a_duplicate_names_the_key_and_hides_the_value(void **state)
{
    struct corm_db     *db = open_members(NULL);
    struct corm_error   error = {0};
    const struct member canary = someone(5, CANARY), again = someone(6, CANARY);
    const struct member same_id = someone(1, "Bert"), pair[] = {someone(7, "Cora"), again};
    struct corm_trx    *trx;
    int                 rc;

    (void)state;
    assert_rows(corm_insert_row(db, member, &canary, .error = &error), 1, &error);
    int line = __LINE__ + 1;
    rc = corm_insert_row(db, member, &again, .error = &error);
    assert_place(&error, line);
    check_refused(rc, CORM_DUPLICATE, "name", &error);
    rc = corm_insert_row(db, member, &same_id, .error = &error);
    check_refused(rc, CORM_DUPLICATE, is_mariadb() ? "PRIMARY" : "member.id", &error);
    rc = corm_insert_rows(db, member, 2, pair, .error = &error);
    check_refused(rc, CORM_DUPLICATE, "name", &error);
    rc = corm_update(db, member, corm_eq(member.id, 1), corm_set(member.name, CANARY),
                     .error = &error);
    check_refused(rc, CORM_DUPLICATE, "name", &error);
    rc = corm_sql(db, NULL, "UPDATE member SET name = ? WHERE id = 1", corm_vals(CANARY),
                  .error = &error);
    check_refused(rc, CORM_DUPLICATE, "name", &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_row(trx, member, &pair[0]), 1, &error);
    assert_rows(corm_insert_row(trx, member, &pair[1]), 1, &error);
    check_refused(corm_commit(trx), CORM_DUPLICATE, "name", &error);
    corm_end(trx);
    assert_rows(corm_delete(db, member, corm_eq(member.name, CANARY), .error = &error), 1, &error);
    check_untouched(db);
    corm_close(db);
}

/* The model lets it through, the table does not take it. */
static void what_the_table_does_not_take_is_refused(void **state)
{
    struct corm_db   *db = open_members(NULL);
    struct corm_error error = {0};
    struct careless   row = {.id = 2, .name = "Bert", .age = {true, 1}};
    struct corm_trx  *trx;
    int               rc;

    (void)state;
    row.name = CANARY CANARY;
    rc = corm_insert_row(db, careless, &row, .error = &error);
    check_refused(rc, CORM_TOO_LONG, "name", &error);
    rc = corm_update(db, careless, corm_everything(), corm_set(careless.name, CANARY "!"),
                     .error = &error);
    check_refused(rc, CORM_TOO_LONG, "name", &error);
    row.name = NULL;
    rc = corm_insert_row(db, careless, &row, .error = &error);
    check_refused(rc, CORM_NULL_REFUSED, "name", &error);
    rc = corm_update(db, careless, corm_everything(), corm_set_null(careless.age), .error = &error);
    check_refused(rc, CORM_NULL_REFUSED, "age", &error);
    rc = corm_insert(db, member, corm_set(member.id, 2), corm_set(member.name, "Bert"),
                     .error = &error); /* the others have no default */
    check_refused(rc, CORM_NULL_REFUSED, "age", &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    row.name = CANARY CANARY;
    assert_rows(corm_insert_row(trx, careless, &row), 1, &error);
    check_refused(corm_commit(trx), CORM_TOO_LONG, "name", &error);
    corm_end(trx);
    check_untouched(db);
    corm_close(db);
}

static void a_sum_out_of_range_is_refused(void **state)
{
    struct corm_db   *db = open_members(NULL);
    struct corm_error error = {0};
    int               rc;

    (void)state;
    rc = corm_update(db, member, corm_everything(), corm_add(member.age, INT32_MAX),
                     .error = &error);
    check_refused(rc, CORM_OUT_OF_RANGE, "", &error);
    rc = corm_update(db, member, corm_everything(), corm_add(member.age, INT64_C(-3000000000)),
                     .error = &error);
    check_refused(rc, CORM_OUT_OF_RANGE, "", &error);
    rc = corm_update(db, member, corm_everything(), corm_add(member.points, INT64_MAX),
                     .error = &error);
    check_refused(rc, CORM_OUT_OF_RANGE, "", &error);
    rc = corm_update(db, member, corm_everything(), corm_set(member.age, 5),
                     corm_add(member.points, INT64_MAX), .error = &error);
    check_refused(rc, CORM_OUT_OF_RANGE, "", &error);
    check_untouched(db);
    corm_close(db);
}

/* A bool is 0 or 1 and a double is finite, by whatever way it would become something else. */
static void a_sum_that_the_model_could_not_read_is_refused(void **state)
{
    struct corm_db    *db = open_members(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct member      found;
    int                rc;

    (void)state;
    assert_rows(corm_update(db, member, corm_everything(), corm_set(member.ratio, 1.7e308),
                            corm_set(member.active, true)),
                1, &error);
    rc = corm_update(db, member, corm_everything(), corm_add(member.ratio, 1.7e308),
                     .error = &error);
    check_refused(rc, CORM_OUT_OF_RANGE, "", &error);
    rc = corm_update(db, member, corm_everything(), corm_add(member.active, 1), .error = &error);
    if (rc >= 0)
        fail_msg("a bool was counted up");
    rc = corm_update(db, member, corm_everything(), corm_set(member.active, member.age));
    if (rc >= 0)
        fail_msg("30 was written into a bool");
    error = (struct corm_error){0};
    assert_rows(corm_first(db, member, &found, .arena = arena, .error = &error), 1, &error);
    assert_true(found.active && found.ratio == 1.7e308);
    corm_arena_free(arena);
    check_untouched(db);
    corm_close(db);
}

static void a_check_that_fails_is_named(void **state)
{
    struct corm_db   *db = open_members(NULL);
    struct corm_error error = {0};
    struct corm_trx  *trx;
    int               rc;

    (void)state;
    beside("CREATE TABLE tall (id INT PRIMARY KEY, height INT, "
           "CONSTRAINT is_tall CHECK (height > 180))");
    rc = corm_insert_row(db, tall, &((struct tall){1, 170}), .error = &error);
    check_refused(rc, CORM_CHECK_FAILED, "is_tall", &error);
    assert_rows(corm_insert_row(db, tall, &((struct tall){1, 190}), .error = &error), 1, &error);
    rc = corm_update(db, tall, corm_eq(tall.id, 1), corm_add(tall.height, -20), .error = &error);
    check_refused(rc, CORM_CHECK_FAILED, "is_tall", &error);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_insert_row(trx, tall, &((struct tall){2, 190})), 1, &error);
    int line = __LINE__ + 1;
    assert_rows(corm_insert_row(trx, tall, &((struct tall){3, 180})), 1, &error);
    rc = corm_commit(trx);
    assert_place(&error, line);
    check_refused(rc, CORM_CHECK_FAILED, "is_tall", &error);
    corm_end(trx);
    assert_int_equal(number_beside("SELECT height FROM tall WHERE id = 1"), 190);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM tall"), 1);
    corm_close(db);
}

static void a_foreign_key_is_kept(void **state)
{
    struct corm_db   *db = open_members(NULL);
    struct corm_error error = {0};
    int               rc;

    (void)state;
    beside("CREATE TABLE parent (id INT PRIMARY KEY)");
    beside("CREATE TABLE child (id INT PRIMARY KEY, parent_id INT, "
           "CONSTRAINT has_parent FOREIGN KEY (parent_id) REFERENCES parent (id))");
    rc = corm_insert_row(db, child, &((struct child){1, {true, 7}}), .error = &error);
    check_refused(rc, CORM_FOREIGN_KEY, is_mariadb() ? "has_parent" : "FOREIGN KEY", &error);
    assert_rows(corm_insert_row(db, parent, &((struct parent){7})), 1, &error);
    assert_rows(corm_insert_row(db, child, &((struct child){1, {true, 7}})), 1, &error);
    rc = corm_delete(db, parent, corm_eq(parent.id, 7), .error = &error);
    check_refused(rc, CORM_FOREIGN_KEY, is_mariadb() ? "has_parent" : "FOREIGN KEY", &error);
    rc = corm_update(db, parent, corm_eq(parent.id, 7), corm_set(parent.id, 8), .error = &error);
    check_refused(rc, CORM_FOREIGN_KEY, is_mariadb() ? "has_parent" : "FOREIGN KEY", &error);
    rc =
        corm_update(db, child, corm_eq(child.id, 1), corm_set(child.parent_id, 8), .error = &error);
    check_refused(rc, CORM_FOREIGN_KEY, is_mariadb() ? "has_parent" : "FOREIGN KEY", &error);
    assert_int_equal(number_beside("SELECT parent_id FROM child"), 7);
    assert_int_equal(number_beside("SELECT id FROM parent"), 7);
    corm_close(db);
}

static void a_text_with_errors_is_refused(void **state)
{
    static const char *const texts[] = {
        "SELEC 1", "SELECT FROM", "SELECT 'unfinished", "", "UPDATE member SET age = 1 WHERE WHERE",
    };
    struct corm_db   *db = open_members(NULL);
    struct corm_error error = {0};
    struct corm_trx  *trx;
    int               rc;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        rc = corm_sql(db, NULL, texts[i], .error = &error);
        check_refused(rc, CORM_SYNTAX, "error_test.c:", &error);
        assert_ok(corm_begin(db, &trx, .error = &error), &error);
        rc = corm_sql(trx, NULL, texts[i]);
        assert_int_equal(corm_commit(trx), rc);
        check_refused(rc, CORM_SYNTAX, "error_test.c:", &error);
        corm_end(trx);
    }
    rc = corm_sql(db, NULL, "SELECT nothing_like_it FROM member", .error = &error);
    check_refused(rc, CORM_NO_COLUMN, "nothing_like_it", &error);
    /* One statement at a time: nobody smuggles in a second. */
    rc = corm_sql(db, NULL, "DELETE FROM member WHERE id = 9; DELETE FROM member", .error = &error);
    check_refused(rc, is_mariadb() ? CORM_SYNTAX : CORM_MISUSE, "error_test.c:", &error);
    check_untouched(db);
    corm_close(db);
}

static void a_wrong_number_of_values_is_refused(void **state)
{
    struct corm_db    *db = open_members(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct corm_rows   rows;
    int                rc;

    (void)state;
    rc = corm_sql(db, NULL, "DELETE FROM member WHERE id > ?", .error = &error);
    check_refused(rc, CORM_MISUSE, "?", &error);
    rc = corm_sql(db, NULL, "DELETE FROM member", corm_vals(1), .error = &error);
    check_refused(rc, CORM_MISUSE, "?", &error);
    rc = corm_sql(db, &rows, "SELECT ?, ?", corm_vals(1, 2, 3), .arena = arena, .error = &error);
    check_refused(rc, CORM_MISUSE, "?", &error);
    rc = corm_sql(db, &rows, "SELECT ?, ?", corm_vals(CANARY), .arena = arena, .error = &error);
    check_refused(rc, CORM_MISUSE, "?", &error);
    rc = corm_sql(db, &rows, "SELECT ?",
                  (struct corm_vals){(const struct corm_value[]){
                      corm_v_column_(&member.corm_table->columns[0]), {.kind = CORM_V_NONE}}},
                  .arena = arena, .error = &error);
    check_refused(rc, CORM_MISUSE, "column", &error);
    assert_rows(corm_sql(db, &rows, "SELECT ?, '?' -- ?", corm_vals(1), .arena = arena), 1, &error);
    corm_arena_free(arena);
    check_untouched(db);
    corm_close(db);
}

/* What the server says may quote a value that was bound; the message does not. */
static void messages_of_the_server_hide_values(void **state)
{
    static const char *const texts[] = {
        "UPDATE member SET age = ?",
        "UPDATE member SET points = ? WHERE id = 1",
        "INSERT INTO member SELECT id + 5, name, ?, 1, 1, 1, born, NULL FROM member",
        "INSERT INTO member SELECT id, ?, 1, 1, 1, 1, born, NULL FROM member",
        "UPDATE member SET name = CONCAT(?, name, name, name, name)",
        "SELECT ? FROM nowhere",
        "SELECT ?, no_such_column FROM member",
        "SELECT no_such_function(?)",
    };
    struct corm_db   *db = open_members(NULL);
    struct corm_error error = {0};
    struct corm_trx  *trx;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        int rc = corm_sql(db, NULL, texts[i], corm_vals(CANARY), .error = &error);
        if (rc >= 0)
            fail_msg("\"%s\" is taken", texts[i]);
        assert_hides(&error, CANARY);
        assert_ok(corm_begin(db, &trx, .error = &error), &error);
        assert_int_equal(corm_sql(trx, NULL, texts[i], corm_vals(CANARY)), rc);
        assert_hides(&error, CANARY);
        corm_end(trx);
        error = (struct corm_error){0};
    }
    check_untouched(db);
    corm_close(db);
}

/* A row that its model cannot take is an error of the read, not half a row; the link stays
 * usable. */
static void rows_that_the_model_cannot_take_are_refused(void **state)
{
    static const char *const bad[] = {
        "(2, 5000000000, 'x', NULL)", "(2, NULL, 'x', NULL)",      "(2, 1, NULL, NULL)",
        "(2, 1, 'x\\0y', NULL)",      "(2, 1, 'x', '0000-00-00')", "(2, 1, 'x', '12:00')",
    };
    struct corm_db    *db = open_members(is_mariadb() ? "pool=1" : "pool=2");
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct loose       row, *all;

    (void)state;
    beside("CREATE TABLE loose (id INT PRIMARY KEY, number BIGINT, body TEXT, at VARCHAR(30))");
    for (size_t i = 0; i < COUNT(bad); i++) {
        beside("DELETE FROM loose");
        beside("INSERT INTO loose VALUES (1, 1, 'first', NULL), (3, 3, 'last', NULL)");
        if (i == 3)
            beside("INSERT INTO loose VALUES (2, 1, %s, NULL)",
                   is_mariadb() ? "'x\\0y'" : "'x' || char(0) || 'y'");
        else
            beside("INSERT INTO loose VALUES %s", bad[i]);
        int rc = corm_all(db, loose, &all, .order = {corm_asc(loose.id)}, .arena = arena,
                          .error = &error);
        check_refused(rc, CORM_BAD_VALUE, "column", &error);
        rc = corm_first(db, loose, &row, .where = corm_eq(loose.id, 2), .arena = arena,
                        .error = &error);
        check_refused(rc, CORM_BAD_VALUE, "column", &error);
        assert_rows(corm_first(db, loose, &row, .where = corm_eq(loose.id, 3), .arena = arena,
                               .error = &error),
                    1, &error);
        assert_string_equal(row.body, "last");
    }
    corm_arena_free(arena);
    corm_close(db);
}

/* A number that its model cannot take behind a text that is longer than any before: the next read
 * of the same statement finds its buffers in order. */
static void a_refused_row_with_a_long_text_leaves_the_statement_usable(void **state)
{
    struct corm_db    *db = open_db(is_mariadb() ? "pool=1" : "pool=2");
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct diary       row;
    char               body[3001];

    (void)state;
    memset(body, 'a', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    beside("CREATE TABLE diary (id INT PRIMARY KEY, body TEXT, pages %s)",
           is_mariadb() ? "BIGINT UNSIGNED" : "REAL");
    beside("INSERT INTO diary VALUES (1, 'short', 1), (2, '%s', 18446744073709551615)", body);
    beside("INSERT INTO diary VALUES (3, 'b%s', 3)", body);
    for (int i = 0; i < 2; i++) {
        int rc = corm_first(db, diary, &row, .where = corm_eq(diary.id, 2), .arena = arena,
                            .error = &error);
        check_refused(rc, CORM_BAD_VALUE, "column", &error);
    }
    beside("UPDATE diary SET pages = 2 WHERE id = 2");
    if (!is_mariadb()) /* there a number of a REAL column is never whole */
        beside("CREATE TABLE kept AS SELECT id, body, CAST(pages AS INTEGER) AS pages FROM diary; "
               "DROP TABLE diary; ALTER TABLE kept RENAME TO diary");
    for (int id = 3; id > 0; id--) {
        assert_rows(corm_first(db, diary, &row, .where = corm_eq(diary.id, id), .arena = arena,
                               .error = &error),
                    1, &error);
        assert_int_equal(row.pages, id);
        assert_int_equal(strlen(row.body), id == 1 ? 5 : id == 2 ? 3000 : 3001);
    }
    corm_arena_free(arena);
    corm_close(db);
}

/* ---- SQLite's files --------------------------------------------------------- */

static void write_file(const char *path, const char *text, int times)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    for (int i = 0; i < times; i++)
        (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void sqlite_refuses_what_is_no_database(void **state)
{
    char url[256], path[200];

    (void)state;
    (void)snprintf(url, sizeof(url), "sqlite:%s", test_folder());
    check_open(url, CORM_NOT_A_DATABASE, test_folder());
    (void)snprintf(path, sizeof(path), "%s/nowhere/to.db", test_folder());
    (void)snprintf(url, sizeof(url), "sqlite:%s", path);
    check_open(url, CORM_NOT_A_DATABASE, path);
    (void)snprintf(path, sizeof(path), "%s/letter.txt", test_folder());
    write_file(path, "This is a letter and no database, however long it may be.\n", 200);
    (void)snprintf(url, sizeof(url), "sqlite:%s", path);
    check_open(url, CORM_NOT_A_DATABASE, path);
    check_open("sqlite:/proc/no.db", CORM_NOT_A_DATABASE, "/proc/no.db"); /* not even for root */
    assert_int_equal(access("/proc/no.db", F_OK), -1);
}

/* A file whose pages were overwritten is not read as if all was well. */
static void sqlite_notices_a_damaged_file(void **state)
{
    struct corm_db    *db = open_members(NULL);
    struct corm_error  error = {0};
    struct corm_arena *arena = corm_arena_new();
    struct member      rows[400], *all;
    static char        names[400][24];

    (void)state;
    assert_rows(corm_delete(db, member, corm_everything()), 1, &error);
    for (int i = 0; i < 400; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "name %d", i);
        rows[i] = someone(i, names[i]);
        rows[i].note = "a note that takes some room in its page, so that there are many of them";
    }
    assert_rows(corm_insert_rows(db, member, 400, rows, .error = &error), 400, &error);
    corm_close(db);
    char path[256];
    (void)snprintf(path, sizeof(path), "%s", test_url(NULL) + strlen("sqlite:"));
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 4096, SEEK_SET), 0);
    for (int i = 0; i < 8 * 4096; i++)
        (void)fputc(0x5A, file);
    assert_int_equal(fclose(file), 0);
    int rc = corm_open(&db, test_url(NULL), .error = &error);
    if (rc == 0)
        rc = corm_all(db, member, &all, .arena = arena, .error = &error);
    check_refused(rc, CORM_NOT_A_DATABASE, "", &error);
    corm_close(db);
    corm_arena_free(arena);
}

/* ---- MariaDB's users -------------------------------------------------------- */

static void mariadb_refuses_who_may_not_enter(void **state)
{
    struct corm_error error = {0};
    struct corm_db   *db;

    (void)state;
    check_open(server_url(NULL, PASSWORD, 0, NULL, NULL), CORM_ACCESS_DENIED, "127.0.0.1:");
    check_open(server_url("nobody", PASSWORD, 0, NULL, NULL), CORM_ACCESS_DENIED, "nobody");
    check_open(server_url(NULL, NULL, 0, "no_such_database", NULL), CORM_NO_DATABASE,
               "no_such_database");
    int rc = corm_open(&db, server_url(NULL, PASSWORD, 0, NULL, NULL), .error = &error);
    assert_true(rc == CORM_ACCESS_DENIED && error.server_code == 1045);
    assert_string_equal(error.sqlstate, "28000");
}

static void mariadb_refuses_what_a_user_may_not_do(void **state)
{
    struct corm_db     *db = open_members(NULL), *reader;
    struct corm_error   error = {0};
    const struct member m = someone(2, "Bert");
    char                user[40];
    int                 rc;

    (void)state;
    (void)snprintf(user, sizeof(user), "reader%ld", (long)getpid());
    beside("CREATE USER '%s'@'127.0.0.1' IDENTIFIED BY '" PASSWORD "'", user);
    check_open(server_url(user, PASSWORD, 0, NULL, NULL), CORM_ACCESS_DENIED, user);
    beside("GRANT SELECT ON member TO '%s'@'127.0.0.1'", user);
    assert_ok(corm_open(&reader, server_url(user, PASSWORD, 0, NULL, NULL), .error = &error),
              &error);
    assert_rows(corm_count(reader, member, .error = &error), 1, &error);
    rc = corm_insert_row(reader, member, &m, .error = &error);
    check_refused(rc, CORM_DENIED, "member", &error);
    rc = corm_create_table(reader, tall, .error = &error);
    check_refused(rc, CORM_DENIED, "tall", &error);
    corm_close(reader);
    beside("DROP USER '%s'@'127.0.0.1'", user);
    check_untouched(db);
    corm_close(db);
}

/* The server closes a connection on which too much was sent: so that it is not. */
static void mariadb_statements_that_are_too_large_are_not_sent(void **state)
{
    struct corm_db   *db = open_members("pool=1");
    struct corm_error error = {0};
    struct member     m = someone(2, "Bert");
    size_t            size = (size_t)number_beside("SELECT @@max_allowed_packet");
    char             *note = malloc(4 * size + 1);
    uint64_t          connects = stats_of(db).connects;

    (void)state;
    assert_non_null(note);
    memset(note, 'a', 4 * size);
    m.note = note;
    for (int i = 0; i < 2; i++) { /* four times as much, and a little more */
        note[i == 0 ? 4 * size : size + 1] = '\0';
        int rc = corm_insert_row(db, member, &m, .error = &error);
        check_refused(rc, CORM_TOO_LARGE, "error_test.c:", &error);
        rc = corm_sql(db, NULL, "SELECT LENGTH(?)", corm_vals(note), .error = &error);
        check_refused(rc, CORM_TOO_LARGE, "error_test.c:", &error);
        check_untouched(db);
    }
    free(note);
    assert_int_equal(stats_of(db).connects, connects);
    corm_close(db);
}

/* ---- MariaDB's connections -------------------------------------------------- */

static long long connection_of(struct corm_trx *trx)
{
    struct corm_rows rows;

    return corm_sql(trx, &rows, "SELECT CONNECTION_ID()") == 1 ? rows.values[0].as.i : -1;
}

static bool is_gone(void *arg)
{
    return number_beside("SELECT COUNT(*) FROM information_schema.processlist WHERE id = %lld",
                         *(long long *)arg) == 0;
}

/* Kills a session, and waits until it has ended. */
static void kill_connection(long long id)
{
    assert_true(id > 0);
    beside("KILL %lld", id);
    wait_until(is_gone, &id);
}

struct victim {
    int  calls, kills;
    bool at_commit; /* is killed when only COMMIT is left */
    int  returned;
};

/* Its connection is killed in the first `kills` attempts, after a write was sent. */
static int be_killed(struct corm_trx *trx, void *arg)
{
    struct victim *v = arg;

    v->calls++;
    int rc = corm_update(trx, member, corm_eq(member.id, 1), corm_add(member.points, 10));
    if (rc == 1 && v->calls <= v->kills)
        kill_connection(connection_of(trx));
    if (rc == 1 && !v->at_commit)
        rc = (int)corm_count(trx, member);
    v->returned = rc;
    return rc;
}

static void mariadb_functions_run_again_when_their_connection_is_killed(void **state)
{
    struct corm_db   *db = open_members("pool=2");
    struct corm_error error = {0};
    struct victim     v = {.kills = 2};

    (void)state;
    assert_rows(corm_transact(db, be_killed, &v, .error = &error), 1, &error);
    assert_int_equal(v.calls, 3);
    assert_int_equal(number_beside("SELECT points FROM member"), 11);
    corm_close(db);
}

/* Nobody knows what became of a COMMIT that was not answered; it is not run again, nor called
 * done. */
static void mariadb_a_commit_without_an_answer_is_no_success(void **state)
{
    struct corm_db   *db = open_members("pool=2");
    struct corm_error error = {0};
    struct victim     v = {.kills = 1, .at_commit = true};

    (void)state;
    int rc = corm_transact(db, be_killed, &v, .error = &error);
    if (rc >= 0) { /* it knew that nothing had been sent, and has run it again */
        assert_int_equal(v.calls, 2);
        assert_int_equal(number_beside("SELECT points FROM member"), 11);
    } else {
        check_refused(rc, CORM_UNKNOWN, "COMMIT", &error);
        assert_int_equal(v.calls, 1);
        check_untouched(db);
    }
    corm_close(db);
}

static void mariadb_a_transaction_whose_connection_is_killed_says_so(void **state)
{
    struct corm_db   *db = open_members("pool=2");
    struct corm_error error = {0};
    struct corm_trx  *trx;

    (void)state;
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_update(trx, member, corm_eq(member.id, 1), corm_add(member.points, 10)), 1,
                &error);
    kill_connection(connection_of(trx));
    int line = __LINE__ + 1;
    int rc = corm_update(trx, member, corm_eq(member.id, 1), corm_add(member.points, 10));
    assert_place(&error, line);
    check_refused(rc, CORM_DISCONNECTED, "error_test.c:", &error);
    assert_int_equal(corm_count(trx, member), CORM_DISCONNECTED);
    assert_int_equal(corm_commit(trx), CORM_DISCONNECTED);
    check_untouched(db);
    assert_rows(corm_start(trx), 0, &error);
    assert_rows(corm_count(trx, member), 1, &error);
    kill_connection(connection_of(trx));
    assert_rows(corm_rollback(trx), 0, &error); /* is no error: the server does it by itself */
    corm_end(trx);
    check_untouched(db);
    corm_close(db);
}

static bool has_passed(void *arg)
{
    return now_ms() > *(const int64_t *)arg;
}

/* All connections of the pool, killed while nobody uses them; used again after `idle_ms`. */
static void kill_idle(struct corm_db *db, int count, int64_t idle_ms)
{
    struct corm_trx *trx[4];
    long long        ids[4];
    int64_t          until;

    for (int i = 0; i < count; i++) {
        assert_int_equal(corm_begin(db, &trx[i]), 0);
        ids[i] = connection_of(trx[i]);
    }
    for (int i = 0; i < count; i++)
        corm_end(trx[i]);
    until = now_ms() + idle_ms;
    for (int i = 0; i < count; i++)
        kill_connection(ids[i]);
    if (idle_ms > 0)
        wait_until(has_passed, &until);
}

static int insert_and_delete(struct corm_trx *trx, void *arg)
{
    const struct member m = someone(2, "Bert");
    int                 rc = corm_insert_row(trx, member, &m);

    (void)arg;
    return rc < 0 ? rc : corm_delete(trx, member, corm_eq(member.id, 2), .later = true);
}

/* Connections that were idle for more than a second are looked at before they are used. */
static void mariadb_connections_that_are_closed_while_idle_are_replaced(void **state)
{
    enum { TRUSTED_MS = 1100 };
    struct corm_db   *db = open_members("pool=3");
    struct corm_error error = {0};
    struct corm_trx  *trx;

    (void)state;
    kill_idle(db, 3, TRUSTED_MS);
    assert_rows(
        corm_update(db, member, corm_eq(member.id, 1), corm_set(member.age, 30), .error = &error),
        1, &error);
    assert_rows(corm_count(db, member, .error = &error), 1, &error);
    kill_idle(db, 3, TRUSTED_MS);
    assert_rows(corm_transact(db, insert_and_delete, NULL, .error = &error), 0, &error);
    kill_idle(db, 3, TRUSTED_MS);
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_rows(corm_count(trx, member), 1, &error);
    assert_rows(corm_commit(trx), 0, &error);
    corm_end(trx);
    check_untouched(db);
    corm_close(db);
}

/* One that is used sooner may fail, but not pretend; and a function that has read first runs
 * again. */
static void mariadb_connections_that_are_closed_in_use_do_not_pretend(void **state)
{
    struct corm_db   *db = open_members("pool=1");
    struct corm_error error = {0};
    struct victim     v = {0};

    (void)state;
    kill_idle(db, 1, 0);
    assert_rows(corm_transact(db, be_killed, &v, .error = &error), 1, &error);
    assert_int_equal(number_beside("SELECT points FROM member"), 11);
    kill_idle(db, 1, 0);
    int rc =
        corm_update(db, member, corm_everything(), corm_set(member.points, 1), .error = &error);
    if (rc < 0)
        check_refused(rc, rc == CORM_UNKNOWN ? rc : CORM_DISCONNECTED, "error_test.c:", &error);
    assert_int_equal(number_beside("SELECT points FROM member"), rc == 1 ? 1 : 11);
    assert_rows(corm_update(db, member, corm_everything(), corm_set(member.points, 1)), 1, &error);
    kill_idle(db, 1, 0);
    rc = (int)corm_count(db, member, .error = &error);
    if (rc < 0)
        check_refused(rc, CORM_DISCONNECTED, "error_test.c:", &error);
    check_untouched(db);
    corm_close(db);
}

/* ---- Answers that are lost -------------------------------------------------- */

/* Stands between corm and the server, for one connection at a time. When it is told to cut, the
 * next request goes through, but its answer does not: the connection is closed instead. */
enum cut { CUT_NOTHING, CUT_NEXT_ANSWER, CUT_THIS_ANSWER };

struct wire {
    int         listener;
    unsigned    port, server_port;
    pthread_t   thread;
    _Atomic int cut;
};

/* Passes on what is there to be read; false where the connection has ended, or was cut. */
static bool pass_on(struct wire *wire, int from, int to, bool is_answer)
{
    char    bytes[65536];
    ssize_t n = recv(from, bytes, sizeof(bytes), 0);

    if (n <= 0)
        return false;
    int cut = CUT_NEXT_ANSWER;
    if (!is_answer) {
        (void)atomic_compare_exchange_strong(&wire->cut, &cut, CUT_THIS_ANSWER);
    } else {
        cut = CUT_THIS_ANSWER;
        if (atomic_compare_exchange_strong(&wire->cut, &cut, CUT_NOTHING))
            return false;
    }
    return send(to, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static void *carry(void *arg)
{
    struct wire *wire = arg;
    int          client;

    while ((client = accept(wire->listener, NULL, NULL)) >= 0) {
        int           server = at_loopback(wire->server_port, connect);
        struct pollfd ends[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        bool          goes_on = server >= 0;
        while (goes_on && poll(ends, 2, -1) > 0) {
            if (ends[0].revents != 0)
                goes_on = pass_on(wire, client, server, false);
            if (goes_on && ends[1].revents != 0)
                goes_on = pass_on(wire, server, client, true);
        }
        (void)close(client);
        (void)close(server);
    }
    return NULL;
}

/* A database behind a wire. */
static struct corm_db *open_wired(struct wire *wire)
{
    struct sockaddr_in address = {0};
    socklen_t          size = sizeof(address);
    struct corm_db    *db = NULL;
    struct corm_error  error = {0};

    *wire = (struct wire){.listener = at_loopback(0, bind),
                          .server_port = (unsigned)number_beside("SELECT @@port")};
    assert_true(wire->listener >= 0);
    assert_int_equal(listen(wire->listener, 8), 0);
    assert_int_equal(getsockname(wire->listener, (struct sockaddr *)&address, &size), 0);
    wire->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&wire->thread, NULL, carry, wire), 0);
    assert_ok(corm_open(&db, server_url(NULL, NULL, wire->port, NULL, "pool=1"), .error = &error),
              &error);
    return db;
}

static void close_wired(struct corm_db *db, struct wire *wire)
{
    corm_close(db);
    (void)shutdown(wire->listener, SHUT_RDWR);
    (void)pthread_join(wire->thread, NULL);
    (void)close(wire->listener);
}

struct cutter {
    struct wire *wire;
    int          calls;
    bool         before_read, before_commit; /* where it cuts, in the first attempt */
};

static int be_cut(struct corm_trx *trx, void *arg)
{
    struct cutter *c = arg;

    c->calls++;
    int rc = corm_update(trx, member, corm_eq(member.id, 1), corm_add(member.points, 10));
    if (c->before_read && c->calls == 1)
        atomic_store(&c->wire->cut, CUT_NEXT_ANSWER);
    if (rc == 1)
        rc = (int)corm_count(trx, member);
    if (rc == 1)
        rc = corm_update(trx, member, corm_eq(member.id, 1), corm_add(member.points, 1),
                         .later = true);
    if (c->before_commit && c->calls == 1)
        atomic_store(&c->wire->cut, CUT_NEXT_ANSWER);
    return rc;
}

/* It was committed, but nobody said so: that it is unknown is the truth, and twice would be
 * wrong. */
static void mariadb_a_commit_whose_answer_is_lost_is_not_run_again(void **state)
{
    struct corm_db   *direct = open_members(NULL), *db;
    struct corm_error error = {0};
    struct wire       wire;
    struct cutter     warm = {0}, cut = {.wire = &wire, .before_commit = true};

    (void)state;
    db = open_wired(&wire);
    assert_rows(corm_transact(db, be_cut, &warm, .error = &error), 0, &error);
    assert_int_equal(number_beside("SELECT points FROM member"), 12);
    int rc = corm_transact(db, be_cut, &cut, .error = &error);
    assert_int_equal(error.attempts, 1);
    check_refused(rc, CORM_UNKNOWN, "COMMIT", &error);
    assert_int_equal(cut.calls, 1);
    assert_int_equal(number_beside("SELECT points FROM member"), 23);
    assert_rows(corm_count(db, member, .error = &error), 1, &error); /* by another connection */
    close_wired(db, &wire);
    corm_close(direct);
}

static void mariadb_a_write_whose_answer_is_lost_is_unknown(void **state)
{
    struct corm_db   *direct = open_members(NULL), *db;
    struct corm_error error = {0};
    struct wire       wire;
    int               rc = 1;

    (void)state;
    db = open_wired(&wire);
    for (int i = 0; i < 2; i++) { /* the first time it is prepared */
        if (i == 1)
            atomic_store(&wire.cut, CUT_NEXT_ANSWER);
        rc = corm_update(db, member, corm_eq(member.id, 1), corm_add(member.points, 10),
                         .error = &error);
        assert_int_equal(number_beside("SELECT points FROM member"), 11 + 10 * i);
    }
    check_refused(rc, CORM_UNKNOWN, "error_test.c:", &error);
    close_wired(db, &wire);
    corm_close(direct);
}

/* What is lost while it is only being prepared has not happened, and that is known. */
static void mariadb_a_commit_that_was_not_sent_is_run_again(void **state)
{
    struct corm_db   *direct = open_members(NULL), *db;
    struct corm_error error = {0};
    struct wire       wire;
    struct cutter     cut = {.wire = &wire, .before_commit = true};

    (void)state;
    db = open_wired(&wire);
    assert_rows(corm_transact(db, be_cut, &cut, .error = &error), 0, &error);
    assert_int_equal(cut.calls, 2);
    assert_int_equal(number_beside("SELECT points FROM member"), 12);
    atomic_store(&wire.cut, CUT_NEXT_ANSWER);
    int rc = corm_delete(db, member, corm_gt(member.points, 5), .error = &error);
    check_refused(rc, CORM_DISCONNECTED, "error_test.c:", &error);
    assert_int_equal(number_beside("SELECT COUNT(*) FROM member"), 1);
    close_wired(db, &wire);
    corm_close(direct);
}

/* Before COMMIT was sent nothing can have happened: the function runs again. */
static void mariadb_an_answer_that_is_lost_before_commit_is_run_again(void **state)
{
    struct corm_db   *direct = open_members(NULL), *db;
    struct corm_error error = {0};
    struct wire       wire;
    struct cutter     warm = {0}, cut = {.wire = &wire, .before_read = true};

    (void)state;
    db = open_wired(&wire);
    assert_rows(corm_transact(db, be_cut, &warm, .error = &error), 0, &error);
    assert_rows(corm_transact(db, be_cut, &cut, .error = &error), 0, &error);
    assert_int_equal(cut.calls, 2);
    assert_int_equal(number_beside("SELECT points FROM member"), 23);
    close_wired(db, &wire);
    corm_close(direct);
}

struct sleeper {
    struct corm_db   *db;
    int               rc;
    struct corm_error error;
};

static void *sleep_on_the_server(void *arg)
{
    struct sleeper *s = arg;

    s->rc = corm_sql(s->db, NULL, "SELECT SLEEP(60)", .error = &s->error);
    return NULL;
}

static bool is_asleep(void *arg)
{
    *(long long *)arg = number_beside("SELECT COALESCE(MAX(id), 0) FROM "
                                      "information_schema.processlist WHERE info LIKE 'SELECT "
                                      "SLEEP(%%' AND db = DATABASE()");
    return *(long long *)arg > 0;
}

static void mariadb_a_statement_that_is_killed_says_so(void **state)
{
    struct corm_db *db = open_members("pool=2");
    struct sleeper  s = {.db = db};
    pthread_t       thread;
    long long       id = 0;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, sleep_on_the_server, &s), 0);
    wait_until(is_asleep, &id);
    beside("KILL QUERY %lld", id);
    (void)pthread_join(thread, NULL);
    check_refused(s.rc, CORM_INTERRUPTED, "error_test.c:", &s.error);
    check_untouched(db);
    corm_close(db);
}

static void mariadb_a_deadline_is_kept_while_the_server_works(void **state)
{
    struct corm_db   *db = open_members("pool=2&timeout_ms=300");
    struct corm_error error = {0};
    int64_t           began = now_ms();

    (void)state;
    int rc = corm_sql(db, NULL, "SELECT SLEEP(60)", .error = &error);
    assert_in_range(now_ms() - began, 250, 800);
    assert_true(rc < 0 && error.code == rc);
    assert_says(&error, "deadline");
    check_untouched(db);
    corm_close(db);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest both[] = {
        cmocka_unit_test(urls_that_make_no_sense_are_refused),
        cmocka_unit_test(a_closed_port_is_told_at_once),
        cmocka_unit_test(conditions_that_make_no_sense_are_refused),
        cmocka_unit_test(a_condition_without_end_is_refused),
        cmocka_unit_test(options_that_make_no_sense_are_refused),
        cmocka_unit_test(what_needs_a_transaction_is_refused_without_one),
        cmocka_unit_test(values_that_do_not_fit_are_refused),
        cmocka_unit_test(a_table_that_is_missing_is_named),
        cmocka_unit_test(a_column_that_is_missing_is_named),
        cmocka_unit_test(a_duplicate_names_the_key_and_hides_the_value),
        cmocka_unit_test(what_the_table_does_not_take_is_refused),
        cmocka_unit_test(a_sum_out_of_range_is_refused),
        cmocka_unit_test(a_sum_that_the_model_could_not_read_is_refused),
        cmocka_unit_test(a_check_that_fails_is_named),
        cmocka_unit_test(a_foreign_key_is_kept),
        cmocka_unit_test(a_text_with_errors_is_refused),
        cmocka_unit_test(a_wrong_number_of_values_is_refused),
        cmocka_unit_test(messages_of_the_server_hide_values),
        cmocka_unit_test(rows_that_the_model_cannot_take_are_refused),
        cmocka_unit_test(a_refused_row_with_a_long_text_leaves_the_statement_usable),
    };
    static const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(sqlite_refuses_what_is_no_database),
        cmocka_unit_test(sqlite_notices_a_damaged_file),
    };
    static const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(mariadb_refuses_who_may_not_enter),
        cmocka_unit_test(mariadb_refuses_what_a_user_may_not_do),
        cmocka_unit_test(mariadb_statements_that_are_too_large_are_not_sent),
        cmocka_unit_test(mariadb_functions_run_again_when_their_connection_is_killed),
        cmocka_unit_test(mariadb_a_commit_without_an_answer_is_no_success),
        cmocka_unit_test(mariadb_a_transaction_whose_connection_is_killed_says_so),
        cmocka_unit_test(mariadb_connections_that_are_closed_while_idle_are_replaced),
        cmocka_unit_test(mariadb_connections_that_are_closed_in_use_do_not_pretend),
        cmocka_unit_test(mariadb_a_commit_whose_answer_is_lost_is_not_run_again),
        cmocka_unit_test(mariadb_a_write_whose_answer_is_lost_is_unknown),
        cmocka_unit_test(mariadb_a_commit_that_was_not_sent_is_run_again),
        cmocka_unit_test(mariadb_an_answer_that_is_lost_before_commit_is_run_again),
        cmocka_unit_test(mariadb_a_statement_that_is_killed_says_so),
        cmocka_unit_test(mariadb_a_deadline_is_kept_while_the_server_works),
    };

    support_begin(argc, argv);
    int failed = run_group(both, COUNT(both), sqlite, COUNT(sqlite), mariadb, COUNT(mariadb));
    support_end();
    return failed;
}
