/* tests/group_model_test.c -- the proof by model: what a group does is what its members do one after the
 * other.
 *
 * A *program* is a few members, each a function of random steps. It is run twice: as one batch that is
 * submitted to a lane while that is busy, so that the members share groups; and by the reference, one
 * member after the other in the order of arrival, each by corm_transact() without a key, on a second
 * set of the same tables. What each function read, what each member was told and what is in the
 * tables in the end must be equal; generated keys up to a renaming that keeps their order.
 *
 * One difference is none: which of two failures of its own a member is told, because that depends on when
 * a write is sent that the server refuses. It is seldom, and the test holds it to that.
 *
 *     CORM_MODEL_PROGRAMS=N   how many programs, instead of some seconds' worth
 *     CORM_MODEL_SEED=N       the seed, instead of a new one
 *     CORM_MODEL_TABLES=a,b   only these kinds of tables
 *     CORM_MODEL_SHRINK_MS=N  how long a case that fails is made smaller (60,000)
 *
 * A case that fails is made smaller, member by member and step by step, and printed with its seed. */
#include "support.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* ---- Tables, of each two: for the groups and for the reference ------------------- */

/* The servable column is `stock`; where others are, that is for the library to know. */
#define PLAIN(X)                                                                                   \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(20))                                                                           \
    X(stock, int)                                                                                  \
    X(note, nullable(int))                                                                         \
    X(price, double, .deflt = "0")                                                                 \
    X(flag, bool, .deflt = "0")
#define SECOND(X)                                                                                  \
    X(stock, int)                                                                                  \
    X(name, varchar(20))                                                                           \
    X(id, int, .pk = 1, .autoinc = 1)
#define UNIQUE(X)                                                                                  \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(code, int, .unique = 1)                                                                      \
    X(stock, int)
#define MIRROR(X)                                                                                  \
    X(id, int, .pk = 1)                                                                            \
    X(mirror, bigint)                                                                              \
    X(stock, int)
#define SIMPLE(X)                                                                                  \
    X(id, int, .pk = 1)                                                                            \
    X(name, varchar(20))                                                                           \
    X(stock, int)
#define CHILD(X)                                                                                   \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(parent_id, int)                                                                              \
    X(stock, int)
#define NAMED(X)                                                                                   \
    X(name, varchar(20), .pk = 1)                                                                  \
    X(note, nullable(int))                                                                         \
    X(stock, int)
#define ODD(X)                                                                                     \
    X(id, int, .pk = 1)                                                                            \
    X(amount, varchar(20))                                                                         \
    X(stock, int)                                                                                  \
    X(code, varchar(10))
#define TWO(X)                                                                                     \
    X(b, varchar(10), .pk = 1)                                                                     \
    X(a, int, .pk = 1)                                                                             \
    X(stock, int)
#define REAL(X)                                                                                    \
    X(d, double, .pk = 1)                                                                          \
    X(name, varchar(20))                                                                           \
    X(stock, int)
#define VERSIONED(X)                                                                               \
    X(id, int, .pk = 1)                                                                            \
    X(name, varchar(20))                                                                           \
    X(stock, int)                                                                                  \
    X(version, int, .version = 1)
#define GATE_TABLE(X) X(id, int, .pk = 1)

#define BOTH(T, LIST)                                                                              \
    CORM_MODEL(a_##T, LIST);                                                                       \
    CORM_DEFINE(a_##T, LIST);                                                                      \
    CORM_MODEL(b_##T, LIST);                                                                       \
    CORM_DEFINE(b_##T, LIST)
BOTH(plain, PLAIN);
BOTH(uniq, UNIQUE);
BOTH(mirror, MIRROR);
BOTH(feed, SIMPLE);
BOTH(chk, SIMPLE);
BOTH(parent, SIMPLE);
BOTH(child, CHILD);
BOTH(pet, CHILD);
BOTH(named, NAMED);
BOTH(odd, ODD);
BOTH(narrow, SIMPLE);
BOTH(two, TWO);
BOTH(real_key, REAL);
BOTH(ver, VERSIONED);
CORM_MODEL_AS(a_second, "a_plain", SECOND);
CORM_DEFINE(a_second, SECOND);
CORM_MODEL_AS(b_second, "b_plain", SECOND);
CORM_DEFINE(b_second, SECOND);
CORM_MODEL(busy, GATE_TABLE);
CORM_DEFINE(busy, GATE_TABLE);

enum {
    PLAIN_T,
    UNIQ_T,
    MIRROR_T,
    FEED_T,
    CHK_T,
    PARENT_T,
    CHILD_T,
    PET_T,
    NAMED_T,
    ODD_T,
    NARROW_T,
    TWO_T,
    REAL_T,
    VER_T,
    SECOND_T,
    TABLES
};

#define BIT(t) (1u << (t))

struct kind {
    const char              *name;
    const struct corm_table *table[2];
    bool                     generated; /* its key may be the server's */
    uint32_t                 with;      /* tables that change with it, as bits */
    const char *ddl;        /* own DDL; % is the set's letter, # the generated key; NULL: corm's */
    const char *more[2][3]; /* ... and then, on MariaDB and on SQLite */
};

#define OF(T)                                                                                      \
#T,                                                                                            \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }
static struct kind kinds[TABLES] = {
    [PLAIN_T] = {.name = "plain", .generated = true, .with = BIT(PLAIN_T)},
    [UNIQ_T] = {.name = "uniq", .generated = true, .with = BIT(UNIQ_T)},
    [MIRROR_T] =
        {.name = "mirror",
         .with = BIT(MIRROR_T),
         .more = {{"CREATE TRIGGER %_mirror_u BEFORE UPDATE ON %_mirror FOR EACH ROW SET "
                   "NEW.mirror = NEW.stock * 2",
                   "CREATE TRIGGER %_mirror_i BEFORE INSERT ON %_mirror FOR EACH ROW SET "
                   "NEW.mirror = NEW.stock * 2 + 1"},
                  {"CREATE TRIGGER %_mirror_u AFTER UPDATE OF stock ON %_mirror BEGIN UPDATE "
                   "%_mirror SET mirror = NEW.stock * 2 WHERE id = NEW.id; END",
                   "CREATE TRIGGER %_mirror_i AFTER INSERT ON %_mirror BEGIN UPDATE "
                   "%_mirror SET mirror = NEW.stock * 2 + 1 WHERE id = NEW.id; END"}}},
    [FEED_T] = {.name = "feed",
                .with = BIT(FEED_T) | BIT(PLAIN_T),
                .more = {{"CREATE TRIGGER %_feed_u AFTER UPDATE ON %_feed FOR EACH ROW UPDATE "
                          "%_plain SET stock = stock - 1 WHERE id = 1",
                          "CREATE TRIGGER %_feed_i AFTER INSERT ON %_feed FOR EACH ROW UPDATE "
                          "%_plain SET stock = stock - 2 WHERE id = 2",
                          "CREATE TRIGGER %_feed_d AFTER DELETE ON %_feed FOR EACH ROW DELETE "
                          "FROM %_plain WHERE id = 3"},
                         {"CREATE TRIGGER %_feed_u AFTER UPDATE ON %_feed BEGIN UPDATE "
                          "%_plain SET stock = stock - 1 WHERE id = 1; END",
                          "CREATE TRIGGER %_feed_i AFTER INSERT ON %_feed BEGIN UPDATE "
                          "%_plain SET stock = stock - 2 WHERE id = 2; END",
                          "CREATE TRIGGER %_feed_d AFTER DELETE ON %_feed BEGIN DELETE "
                          "FROM %_plain WHERE id = 3; END"}}},
    [CHK_T] = {.name = "chk",
               .with = BIT(CHK_T),
               .ddl = "CREATE TABLE %_chk (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20) NOT "
                      "NULL, stock INTEGER NOT NULL, CONSTRAINT %_chk_c CHECK (stock >= 0))"},
    [PARENT_T] = {.name = "parent", .with = BIT(PARENT_T) | BIT(CHILD_T) | BIT(PET_T)},
    [CHILD_T] = {.name = "child",
                 .generated = true,
                 .with = BIT(PARENT_T) | BIT(CHILD_T) | BIT(PET_T),
                 .ddl =
                     "CREATE TABLE %_child (id INTEGER NOT NULL PRIMARY KEY #, parent_id INTEGER "
                     "NOT NULL, stock INTEGER NOT NULL, FOREIGN KEY (parent_id) REFERENCES "
                     "%_parent (id) ON DELETE CASCADE)"},
    [PET_T] = {.name = "pet",
               .generated = true,
               .with = BIT(PARENT_T) | BIT(CHILD_T) | BIT(PET_T),
               .ddl = "CREATE TABLE %_pet (id INTEGER NOT NULL PRIMARY KEY #, parent_id INTEGER "
                      "NOT NULL, stock INTEGER NOT NULL, FOREIGN KEY (parent_id) REFERENCES "
                      "%_parent (id))"},
    [NAMED_T] = {.name = "named", .with = BIT(NAMED_T)},
    [ODD_T] = {.name = "odd", .with = BIT(ODD_T)},
    [NARROW_T] = {.name = "narrow",
                  .with = BIT(NARROW_T),
                  .ddl = "CREATE TABLE %_narrow (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(5) "
                         "NOT NULL, stock SMALLINT NOT NULL)"},
    [TWO_T] = {.name = "two", .with = BIT(TWO_T)},
    [REAL_T] = {.name = "real", .with = BIT(REAL_T)},
    [VER_T] = {.name = "ver", .with = BIT(VER_T)},
    [SECOND_T] = {.name = "second", .generated = true, .with = BIT(PLAIN_T)},
};

static void set_kinds(void)
{
#define TABLE_OF(t, T)                                                                             \
    kinds[t].table[0] = a_##T.corm_table;                                                          \
    kinds[t].table[1] = b_##T.corm_table
    TABLE_OF(PLAIN_T, plain);
    TABLE_OF(UNIQ_T, uniq);
    TABLE_OF(MIRROR_T, mirror);
    TABLE_OF(FEED_T, feed);
    TABLE_OF(CHK_T, chk);
    TABLE_OF(PARENT_T, parent);
    TABLE_OF(CHILD_T, child);
    TABLE_OF(PET_T, pet);
    TABLE_OF(NAMED_T, named);
    TABLE_OF(ODD_T, odd);
    TABLE_OF(NARROW_T, narrow);
    TABLE_OF(TWO_T, two);
    TABLE_OF(REAL_T, real_key);
    TABLE_OF(VER_T, ver);
    TABLE_OF(SECOND_T, second);
    kinds[NAMED_T].ddl =
        is_mariadb() ? "CREATE TABLE %_named (name VARCHAR(20) CHARACTER SET utf8mb4 COLLATE "
                       "utf8mb4_general_ci NOT NULL PRIMARY KEY, note INTEGER, stock INTEGER NOT "
                       "NULL)"
                     : "CREATE TABLE %_named (name TEXT COLLATE NOCASE NOT NULL PRIMARY KEY, note "
                       "INTEGER, stock INTEGER NOT NULL)";
    kinds[ODD_T].ddl =
        is_mariadb()
            ? "CREATE TABLE %_odd (id INTEGER NOT NULL PRIMARY KEY, amount DECIMAL(10,2) NOT "
              "NULL, stock INTEGER NOT NULL, code CHAR(5) NOT NULL)"
            : "CREATE TABLE %_odd (id INTEGER NOT NULL PRIMARY KEY, amount VARCHAR(20) NOT "
              "NULL, stock NUMERIC NOT NULL, code CHAR(5) NOT NULL)";
}

/* ---- Programs -------------------------------------------------------------------- */

enum {
    MEMBERS_MAX = 64,
    CROWD = 16,
    STEPS_MAX = 8,
    LOG_MAX = 512,
    KEYS_PER_MEMBER = 3,
    KEY_VALUES = 8
};
enum { NOT_FOUND = CORM_USER + 1, SOLD_OUT, REFUSED };

/* X(op, weight) */
#define OPS(X)                                                                                     \
    X(READ, 10)                                                                                    \
    X(TAKE, 14)                                                                                    \
    X(SET, 8)                                                                                      \
    X(ADD, 8)                                                                                      \
    X(SET_TWO, 4)                                                                                  \
    X(SET_LATER, 2)                                                                                \
    X(INSERT_ROW, 12)                                                                              \
    X(INSERT_SET, 8)                                                                               \
    X(INSERT_ROWS, 2)                                                                              \
    X(DELETE, 4)                                                                                   \
    X(DELETE_MANY, 1)                                                                              \
    X(UPSERT, 4)                                                                                   \
    X(UNION, 2)                                                                                    \
    X(GUARDED, 4)                                                                                  \
    X(COUNT_ROWS, 3)                                                                               \
    X(EXISTS, 2)                                                                                   \
    X(ALL, 3)                                                                                      \
    X(UPDATE_MANY, 2)                                                                              \
    X(UPDATE_ROW, 4)                                                                               \
    X(SQL_ADD, 2)                                                                                  \
    X(SQL_READ, 2)                                                                                 \
    X(NESTED, 5)                                                                                   \
    X(SAVEPOINT, 3)                                                                                \
    X(REFUSE_IF_ODD, 5)                                                                            \
    X(REFUSE, 1)                                                                                   \
    X(RETURN, 1)                                                                                   \
    X(LOSE, 0)

enum op {
#define X_OP(op, weight) OP_##op,
    OPS(X_OP)
#undef X_OP
        OP_COUNT
};

static const char *const op_names[] = {
#define X_NAME(op, weight) #op,
    OPS(X_NAME)
#undef X_NAME
};
static const int op_weights[] = {
#define X_WEIGHT(op, weight) weight,
    OPS(X_WEIGHT)
#undef X_WEIGHT
};

struct step {
    enum op        op;
    uint32_t       table;
    uint32_t       key; /* 0 .. KEY_VALUES - 1 */
    int32_t        value;
    uint32_t       column; /* of SET: counted over those that are not of the key */
    enum corm_lock lock;
    uint32_t       body;    /* of NESTED and SAVEPOINT: how many steps that follow belong to it */
    bool           undo;    /* ... whether it is taken back */
    bool           own_key; /* of inserts: the key is the program's */
    uint32_t       ask;     /* of inserts: 0 nothing, 1 .id, 2 .id_later */
};

struct entry {
    int     tag; /* -1: a value; else a generated key of that table */
    int64_t value;
};

struct outcome {
    int          rc;
    uint32_t     runs;
    size_t       count;
    struct entry log[LOG_MAX];
    int64_t      ids[STEPS_MAX]; /* of .id_later */
    uint32_t     id_tables[STEPS_MAX];
    size_t       id_count;
};

struct member {
    struct step         steps[STEPS_MAX];
    size_t              count;
    bool                careless; /* goes on after errors, and returns 0 */
    enum corm_isolation isolation;
    uint32_t            key_count;
    uint32_t            key_tables[KEYS_PER_MEMBER], keys[KEYS_PER_MEMBER];
    /* of the run at hand */
    int            set;
    struct outcome outcomes[2];
};

struct program {
    struct member members[MEMBERS_MAX];
    size_t        count;
};

static struct corm_db *db;
static uint64_t        random_state;

static uint32_t pick(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 16) % below);
}

static uint32_t allowed_tables = (1u << TABLES) - 1;

static uint32_t pick_table(uint32_t used)
{
    for (;;) {
        uint32_t t = pick(TABLES);
        if ((used >> t & 1) != 0)
            return t;
    }
}

/* What a group does in memory, where the table allows it. */
static const enum op served_ops[] = {OP_TAKE,       OP_TAKE,       OP_READ,
                                     OP_SET,        OP_ADD,        OP_INSERT_ROW,
                                     OP_INSERT_ROW, OP_INSERT_SET, OP_REFUSE_IF_ODD};

static enum op pick_op(bool served)
{
    int total = 0, at;

    if (served)
        return served_ops[pick(COUNT(served_ops))];
    for (int i = 0; i < OP_COUNT; i++)
        total += op_weights[i];
    at = (int)pick((uint32_t)total);
    for (int i = 0;; i++)
        if ((at -= op_weights[i]) < 0)
            return (enum op)i;
}

static int32_t pick_value(void)
{
    uint32_t r = pick(40);

    return r == 0 ? INT32_MAX : r == 1 ? -1 : r == 2 ? 40000 : (int32_t)pick(12);
}

/* `wide`: of so many values that few rows are equal. */
static void make_step(struct step *s, uint32_t used, bool served, bool wide)
{
    *s = (struct step){
        .op = pick_op(served),
        .table = pick_table(used),
        .key = pick(3) > 0 ? pick(2) : pick(KEY_VALUES), /* mostly the hot ones */
        .value = pick_value(),
        .column = pick(6),
        .lock = pick(3) > 0 ? CORM_FOR_UPDATE : (enum corm_lock)pick(3),
        .body = 1 + pick(3),
        .undo = pick(3) == 0,
        .own_key = pick(3) == 0,
        .ask = pick(3),
    };
    if (served) {
        s->lock = CORM_FOR_UPDATE;
        s->ask = s->ask == 1 ? 2 : s->ask;
    }
    if (wide && s->value >= 0 && s->value < 12)
        s->value = (int32_t)pick(300);
}

/* A few members that change the same one or two rows in memory, to and fro: what is refused to one of them
 * must not become good by what the next one does. */
static void make_narrow(struct program *p)
{
    uint32_t refuses = allowed_tables & (BIT(UNIQ_T) | BIT(CHK_T)), rows = 1 + pick(3);
    uint32_t table = pick_table(refuses != 0 && pick(2) == 0 ? refuses : allowed_tables);

    p->count = 2 + pick(6);
    memset(p->members, 0, p->count * sizeof(p->members[0]));
    for (size_t i = 0; i < p->count; i++) {
        struct member *m = &p->members[i];
        m->count = 1 + pick(2);
        for (size_t k = 0; k < m->count; k++) {
            struct step *s = &m->steps[k];
            make_step(s, BIT(table), true, false);
            s->key = pick(rows);
            s->op = pick(3) == 0 ? s->op : pick(4) == 0 ? OP_ADD : OP_SET;
            s->column = pick(2);
            s->value = pick(6) == 0 ? -1 : 3 + (int32_t)pick(5); /* 6 and 7 are there */
        }
        m->key_count = 1 + pick(2);
        for (uint32_t k = 0; k < m->key_count; k++) {
            m->key_tables[k] = table;
            m->keys[k] = pick(rows);
        }
    }
}

static void make_program(struct program *p)
{
    uint32_t used = 0;
    uint32_t tables = 1 + pick(3);

    if (pick(4) == 0) {
        make_narrow(p);
        return;
    }
    for (uint32_t i = 0; i < tables; i++) {
        uint32_t t = pick_table(allowed_tables);
        used |= BIT(t) | (pick(2) == 0 ? kinds[t].with & allowed_tables : 0);
    }
    bool served = pick(3) == 0;
    bool wide = served && pick(3) == 0; /* many members, of whom the server refuses a few */
    bool quiet = wide && pick(2) == 0;  /* ... and nobody asks for the keys that it makes */
    p->count = wide || pick(16) == 0 ? CROWD + pick(MEMBERS_MAX - CROWD + 1) : 2 + pick(CROWD - 1);
    memset(p->members, 0, p->count * sizeof(p->members[0]));
    bool     loses = is_mariadb() && pick(25) == 0;
    bool     mixed = pick(8) == 0;
    uint32_t length = 1 + pick(pick(4) == 0 ? STEPS_MAX : 4);
    for (size_t i = 0; i < p->count; i++) {
        struct member *m = &p->members[i];
        m->count = 1 + pick(length);
        m->careless = pick(12) == 0;
        m->isolation = mixed ? (enum corm_isolation)pick(4) : CORM_ISOLATION_DEFAULT;
        for (size_t k = 0; k < m->count; k++)
            make_step(&m->steps[k], used, served && pick(wide ? 64 : 16) > 0, wide);
        for (size_t k = 0; quiet && k < m->count; k++)
            m->steps[k].ask = 0;
        if (loses && pick(4) == 0)
            m->steps[pick((uint32_t)m->count)].op = OP_LOSE;
        m->key_count = pick(4) == 0 ? 1 + pick(KEYS_PER_MEMBER) : 1;
        for (uint32_t k = 0; k < m->key_count; k++) {
            m->key_tables[k] = pick(2) == 0 ? m->steps[0].table : pick_table(used);
            m->keys[k] = pick(2) == 0 ? m->steps[0].key : pick(KEY_VALUES);
        }
    }
}

/* ---- Keys, rows, conditions ---------------------------------------------------------- */

static const char *const key_names[KEY_VALUES] = {"ann", "ANN", "anna",       "Anna",
                                                  "eve", "bob", "zo\xc3\xab", "x y"};
static const char *const texts[] = {
    "red", "green", "", "blue ", "violet", "a text too long for it", "\xc3\xa4", "it's"};
static const char *const amounts[] = {"1.5", "2.255", "10", "0.00", "7", "x", "12345678.9", "-1"};

static bool is(const struct corm_column *c, const char *name)
{
    return strcmp(c->name, name) == 0;
}

/* The value of a key column for key number `key`. */
static struct corm_value key_value(const struct corm_column *c, uint32_t key)
{
    if (is(c, "name"))
        return corm_v_text_(key_names[key]);
    if (is(c, "b"))
        return corm_v_text_(key_names[key % 2 * 2]);
    if (is(c, "a"))
        return corm_v_int_(key / 2);
    if (is(c, "d")) /* a double, written in two ways */
        return key % 2 == 0 ? corm_v_int_(key / 2) : corm_v_real_((double)key / 2 - 0.5);
    return corm_v_int_((int)key + 1);
}

static struct corm_value plain_value(const struct corm_column *c, const struct step *s)
{
    int32_t v = s->value;

    if (c->nullable && v % 5 == 0)
        return corm_v_null_();
    if (is(c, "amount"))
        return corm_v_text_(amounts[(uint32_t)v % COUNT(amounts)]);
    if (is(c, "parent_id"))
        return corm_v_int_((int)s->key + 1);
    switch (c->type) {
    case CORM_VARCHAR:
    case CORM_TEXT: return corm_v_text_(texts[(uint32_t)v % COUNT(texts)]);
    case CORM_DOUBLE: return v % 2 == 0 ? corm_v_int_(v) : corm_v_real_(v * 0.25);
    case CORM_BOOL: return corm_v_int_(v % 7 == 0 ? 2 : v & 1);
    default: return corm_v_int_(v);
    }
}

/* Room for an equality of each key column. */
struct condition {
    struct corm_expr kids[4];
};

static struct corm_expr by_key(const struct corm_table *table, uint32_t key, struct condition *room)
{
    size_t n = 0;

    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].pk)
            room->kids[n++] =
                corm_cmp_(&table->columns[i], CORM_EQ, key_value(&table->columns[i], key));
    room->kids[n] = (struct corm_expr){.op = CORM_END};
    return n == 1 ? room->kids[0] : (struct corm_expr){.op = CORM_AND, .kids = room->kids};
}

static const struct corm_column *column_named(const struct corm_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (is(&table->columns[i], name))
            return &table->columns[i];
    return NULL;
}

static const struct corm_column *nth_column(const struct corm_table *table, uint32_t nth)
{
    const struct corm_column *found[8] = {NULL};
    uint32_t                  n = 0;

    for (uint32_t i = 0; i < table->column_count; i++)
        if (!table->columns[i].pk && !table->columns[i].version)
            found[n++] = &table->columns[i];
    assert_true(n > 0);
    return found[n > 0 ? nth % n : 0];
}

static void put_field(const struct corm_column *c, void *row, struct corm_value v)
{
    void *field = (char *)row + c->offset;

    if (c->nullable) /* nullable(int) is the only one here */
        *(struct corm_opt_int *)field =
            (struct corm_opt_int){v.kind != CORM_V_NULL, (int32_t)v.as.i};
    else if (c->type == CORM_INT)
        *(int32_t *)field = (int32_t)v.as.i;
    else if (c->type == CORM_BIGINT)
        *(int64_t *)field = v.as.i;
    else if (c->type == CORM_BOOL)
        *(bool *)field = v.as.i == 1;
    else if (c->type == CORM_DOUBLE)
        *(double *)field = v.kind == CORM_V_REAL ? v.as.r : (double)v.as.i;
    else
        *(const char **)field = v.as.s;
}

/* A row that may be read back later. */
union row {
    char   bytes[256];
    double align;
};

static void fill_row(const struct corm_table *table, const struct step *s, union row *row)
{
    memset(row, 0, sizeof(*row));
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct corm_column *c = &table->columns[i];
        if (!c->version)
            put_field(c, row, c->pk ? key_value(c, s->key) : plain_value(c, s));
    }
}

/* ---- What a member saw ---------------------------------------------------------------------- */

static void note(struct outcome *o, int tag, int64_t value)
{
    if (o->count < LOG_MAX)
        o->log[o->count++] = (struct entry){tag, value};
}

static int64_t text_number(const char *text)
{
    uint64_t h = 14695981039346656037u;

    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return (int64_t)h;
}

enum { GENERATED_FROM = 1000 };

static void note_id(struct outcome *o, uint32_t table, int64_t id)
{
    if (table == SECOND_T)
        table = PLAIN_T;
    note(o, id > GENERATED_FROM ? (int)table : -1, id);
}

static void note_row(struct outcome *o, uint32_t t, const struct corm_table *table, const void *row)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct corm_column *c = &table->columns[i];
        const void               *field = (const char *)row + c->offset;
        int64_t                   bits = 0;
        if (is(c, "id"))
            note_id(o, t, *(const int32_t *)field);
        else if (c->nullable)
            note(o, -1,
                 ((const struct corm_opt_int *)field)->has
                     ? ((const struct corm_opt_int *)field)->value
                     : INT64_MIN);
        else if (c->type == CORM_INT)
            note(o, -1, *(const int32_t *)field);
        else if (c->type == CORM_BIGINT)
            note(o, -1, *(const int64_t *)field);
        else if (c->type == CORM_BOOL)
            note(o, -1, *(const bool *)field);
        else if (c->type == CORM_DOUBLE)
            memcpy(&bits, field, sizeof(bits)), note(o, -1, bits);
        else
            note(o, -1, text_number(*(const char *const *)field));
    }
}

/* ---- What the programs came to ------------------------------------------------------------- */

static struct statistics {
    uint64_t      programs, members, large;   /* large: programs of more than 16 members */
    uint64_t      committed, refused, failed; /* members */
    uint64_t      by_code[40];                /* ... failed, by -1000 - code */
    uint64_t      runs[4];               /* members that ran once, twice, three times, more often */
    uint64_t      once;                  /* programs all of whose members ran once */
    uint64_t      broken;                /* tables were closed because of a broken trigger */
    uint64_t      lost;                  /* programs whose sessions were ended */
    atomic_bool   grouped;               /* the groups run, not the reference */
    atomic_ullong statements[2], undone; /* of the reference and of groups; ROLLBACK TO of groups */
    uint64_t      steps[OP_COUNT];
} statistics;

static void on_statement(const struct corm_event *event, void *arg)
{
    (void)arg;
    statistics.statements[statistics.grouped]++;
    if (statistics.grouped && strstr(event->text, "ROLLBACK TO") != NULL)
        statistics.undone++;
}

static void count_member(const struct member *m)
{
    const struct outcome *o = &m->outcomes[0];

    statistics.members++;
    statistics.runs[o->runs > 3 ? 3 : o->runs > 0 ? o->runs - 1 : 0]++;
    for (size_t i = 0; i < m->count; i++)
        statistics.steps[m->steps[i].op]++;
    if (o->rc >= 0)
        statistics.committed++;
    else if (corm_is_user(o->rc))
        statistics.refused++;
    else
        statistics.failed++;
    if (o->rc < -1000 && o->rc > -1040)
        statistics.by_code[-1000 - o->rc]++;
}

static void count_program(const struct program *p)
{
    bool once = true, lost = false;

    for (size_t i = 0; i < p->count; i++) {
        const struct member *m = &p->members[i];
        count_member(m);
        once = once && m->outcomes[0].runs <= 1;
        for (size_t k = 0; k < m->count; k++)
            lost = lost || m->steps[k].op == OP_LOSE;
    }
    statistics.programs++;
    statistics.large += p->count > 16;
    statistics.once += once;
    statistics.lost += lost;
}

static void print_statistics(void)
{
    const struct statistics *t = &statistics;

    printf("# %" PRIu64 " programs, %" PRIu64 " of more than 16 members; in %" PRIu64
           " every member ran once, in %" PRIu64
           " the sessions were ended; a trigger was broken %" PRIu64 " times\n",
           t->programs, t->large, t->once, t->lost, t->broken);
    printf("# %" PRIu64 " members: %" PRIu64 " committed, %" PRIu64 " refused, %" PRIu64
           " failed; ran once %" PRIu64 ", twice %" PRIu64 ", three times %" PRIu64
           ", more often %" PRIu64 "\n",
           t->members, t->committed, t->refused, t->failed, t->runs[0], t->runs[1], t->runs[2],
           t->runs[3]);
    printf("# statements: %llu of groups, %llu of the reference; groups went back to a savepoint "
           "%llu times\n#",
           t->statements[1], t->statements[0], t->undone);
    for (int i = 0; i < (int)COUNT(t->by_code); i++)
        if (t->by_code[i] > 0)
            printf(" %s %" PRIu64, corm_code_name(-1000 - i), t->by_code[i]);
    printf("\n#");
    for (int i = 0; i < OP_COUNT; i++)
        printf(" %s %" PRIu64, op_names[i], t->steps[i]);
    printf("\n");
    (void)fflush(stdout);
}

static bool are_lost(void *arg)
{
    (void)arg;
    return number_beside(
               "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() "
               "AND id <> CONNECTION_ID()") == 0;
}

/* Returns when they are gone: one that dies a little later would take a COMMIT with it. */
static void lose_sessions(void)
{
    beside("BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN END; "
           "FOR s IN (SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND "
           "id <> CONNECTION_ID()) DO KILL s.id; END FOR; END");
    wait_until(are_lost, NULL);
}

/* ---- Steps ---------------------------------------------------------------------------------------- */

struct run {
    struct corm_trx *trx;
    struct member   *m;
    struct outcome  *o;
    int32_t          seen;  /* the stock that was read last */
    int              ended; /* 1: RETURN */
};

static int run_steps(struct run *r, size_t from, size_t to);

#define QUERY .size = sizeof(struct corm_query), .file = __FILE__, .line = __LINE__
#define WRITE .size = sizeof(struct corm_write), .file = __FILE__, .line = __LINE__

static int read_one(struct run *r, const struct step *s, enum corm_lock lock, union row *row)
{
    const struct corm_table *table = kinds[s->table].table[r->m->set];
    struct condition         room;
    int                      rc = corm_first_(
                             corm_on_trx_(r->trx), table, row,
                             &(struct corm_query){QUERY, .where = by_key(table, s->key, &room), .lock = lock});

    note(r->o, -1, rc);
    if (rc == 1) {
        note_row(r->o, s->table, table, row);
        memcpy(&r->seen, row->bytes + column_named(table, "stock")->offset, sizeof(r->seen));
    }
    return rc;
}

static int update(struct run *r, const struct step *s, struct corm_assign one,
                  struct corm_assign two, bool later)
{
    const struct corm_table *table = kinds[s->table].table[r->m->set];
    struct condition         room;
    int                      rc = corm_update_(corm_on_trx_(r->trx), table,
                                               &(struct corm_write){WRITE, .where = by_key(table, s->key, &room),
                                                                    .set = {one, two}, .later = later});

    note(r->o, -1, rc);
    return rc;
}

static int step_take(struct run *r, const struct step *s)
{
    const struct corm_table *table = kinds[s->table].table[r->m->set];
    union row                row;
    int                      rc = read_one(r, s, CORM_FOR_UPDATE, &row);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return corm_abort(r->trx, NOT_FOUND, "no row %u", s->key);
    if (r->seen < s->value)
        return corm_abort(r->trx, SOLD_OUT, "%d left", r->seen);
    return update(r, s,
                  corm_assign_(column_named(table, "stock"), CORM_SET,
                               corm_v_int_((long long)r->seen - s->value)),
                  (struct corm_assign){0}, false);
}

static int step_set(struct run *r, const struct step *s)
{
    const struct corm_table  *table = kinds[s->table].table[r->m->set];
    const struct corm_column *c = nth_column(table, s->column);
    const struct corm_column *d = nth_column(table, s->column + 1);
    struct corm_assign        one = corm_assign_(c, CORM_SET, plain_value(c, s)), two = {0};

    if (s->op == OP_SET_TWO && c != d)
        two = corm_assign_(d, CORM_SET, plain_value(d, s));
    return update(r, s, one, two, s->op == OP_SET_LATER);
}

static int step_add(struct run *r, const struct step *s)
{
    const struct corm_table  *table = kinds[s->table].table[r->m->set];
    const struct corm_column *c = nth_column(table, s->column);

    if (c->type == CORM_VARCHAR || c->type == CORM_BOOL)
        c = column_named(table, "stock");
    struct corm_value by = c->type == CORM_DOUBLE ? corm_v_real_(s->value * 0.1)
                                                  : corm_v_int_(s->undo ? -s->value : s->value);
    return update(r, s, corm_assign_(c, CORM_ADD, by), (struct corm_assign){0}, false);
}

static int step_insert(struct run *r, const struct step *s)
{
    const struct corm_table *table = kinds[s->table].table[r->m->set];
    union row                row;
    struct corm_write        w = {WRITE};
    size_t                   n = 0;
    int64_t                  id = 0;
    bool                     own = !kinds[s->table].generated || s->own_key;
    bool                     asks = kinds[s->table].generated && !(s->op == OP_INSERT_SET && own);

    if (s->op == OP_INSERT_ROW) {
        fill_row(table, s, &row);
        w.row = &row;
    } else {
        for (uint32_t i = 0; i < table->column_count; i++) {
            const struct corm_column *c = &table->columns[i];
            if (c->version || (c->autoinc && !own) || (c->deflt != NULL && s->undo))
                continue;
            w.set[n++] =
                corm_assign_(c, CORM_SET, c->pk ? key_value(c, s->key) : plain_value(c, s));
        }
    }
    if (asks && s->ask == 1)
        w.id = &id;
    if (asks && s->ask == 2 && r->o->id_count < STEPS_MAX) {
        r->o->id_tables[r->o->id_count] = s->table;
        w.id_later = &r->o->ids[r->o->id_count++];
    }
    int rc = corm_insert_(corm_on_trx_(r->trx), table, &w);
    note(r->o, -1, rc);
    if (rc >= 0 && w.id != NULL)
        note_id(r->o, s->table, id);
    return rc;
}

static int step_insert_rows(struct run *r, const struct step *s)
{
    const struct corm_table *table = kinds[s->table].table[r->m->set];
    char                     rows[3 * sizeof(union row)];
    union row                row;
    struct step              one = *s;

    for (int i = 0; i < 3; i++, one.value /= 2, one.key = (one.key + 1) % KEY_VALUES) {
        fill_row(table, &one, &row);
        memcpy(rows + (size_t)i * table->row_size, &row, table->row_size);
    }
    int rc = corm_insert_rows_(corm_on_trx_(r->trx), table,
                               &(struct corm_write){WRITE, .row = rows, .count = 3});
    note(r->o, -1, rc);
    return rc;
}

/* Statements on what a condition finds. */
static int step_many(struct run *r, const struct step *s)
{
    const struct corm_table  *table = kinds[s->table].table[r->m->set];
    const struct corm_column *stock = column_named(table, "stock");
    struct corm_expr          where = corm_cmp_(stock, CORM_GE, corm_v_int_(s->value));
    struct corm_on            on = corm_on_trx_(r->trx);
    struct condition          room;
    int64_t                   rc = 0, sum = 0;
    char                     *rows = NULL;

    if (s->op == OP_COUNT_ROWS) {
        rc = corm_count_(on, table, &(struct corm_query){QUERY, .where = where});
    } else if (s->op == OP_EXISTS) {
        rc = corm_exists_(on, table,
                          &(struct corm_query){QUERY, .where = by_key(table, s->key, &room)});
    } else if (s->op == OP_UPDATE_MANY) {
        rc = corm_update_(
            on, table,
            &(struct corm_write){WRITE, .where = where,
                                 .set = {corm_assign_(stock, CORM_ADD, corm_v_int_(1))}});
    } else if (s->op == OP_DELETE_MANY) {
        rc = corm_delete_(on, table, &(struct corm_write){WRITE, .where = where});
    } else {
        rc = corm_all_(on, table, &rows,
                       &(struct corm_query){QUERY, .where = where, .lock = s->lock});
        for (int64_t i = 0; i < rc; i++) {
            int32_t one;
            memcpy(&one, rows + (size_t)i * table->row_size + stock->offset, sizeof(one));
            sum += one;
        }
        note(r->o, -1, sum);
    }
    note(r->o, -1, rc);
    return rc < 0 ? (int)rc : 0;
}

static int step_upsert(struct run *r, const struct step *s)
{
    const struct corm_table *table = kinds[s->table].table[r->m->set];
    struct corm_assign       update[2] = {
              corm_assign_(column_named(table, "stock"), CORM_ADD_NEW, corm_v_null_())};
    union row row;

    fill_row(table, s, &row);
    int rc =
        corm_upsert_(corm_on_trx_(r->trx), table,
                     &(struct corm_write){WRITE, .row = &row, .update = s->undo ? update : NULL});
    note(r->o, -1, rc);
    return rc;
}

/* The rows of two keys. */
static int step_union(struct run *r, const struct step *s)
{
    const struct corm_table  *table = kinds[s->table].table[r->m->set];
    const struct corm_column *stock = column_named(table, "stock");
    struct condition          rooms[2];
    char                     *rows = NULL;
    struct corm_union         other = {
                .all = s->undo,
                .query = {QUERY, .where = by_key(table, (s->key + 1) % KEY_VALUES, &rooms[1])}};
    int64_t sum = 0,
            n = corm_all_(corm_on_trx_(r->trx), table, &rows,
                          &(struct corm_query){QUERY, .where = by_key(table, s->key, &rooms[0]),
                                               .unite = &other});

    for (int64_t i = 0; i < n; i++) {
        int32_t one;
        memcpy(&one, rows + (size_t)i * table->row_size + stock->offset, sizeof(one));
        sum += one;
    }
    note(r->o, -1, n);
    note(r->o, -1, sum);
    return n < 0 ? (int)n : 0;
}

static int step_by_key(struct run *r, const struct step *s)
{
    const struct corm_table  *table = kinds[s->table].table[r->m->set];
    const struct corm_column *stock = column_named(table, "stock");
    struct condition          room;
    struct corm_expr          where = by_key(table, s->key, &room);
    int                       rc;

    if (s->op == OP_DELETE) {
        rc = corm_delete_(corm_on_trx_(r->trx), table, &(struct corm_write){WRITE, .where = where});
    } else {
        struct corm_expr both[] = {
            where, corm_cmp_(stock, CORM_GE, corm_v_int_(s->value)), {.op = CORM_END}};
        rc = corm_update_(
            corm_on_trx_(r->trx), table,
            &(struct corm_write){WRITE, .where = {.op = CORM_AND, .kids = both},
                                 .set = {corm_assign_(stock, CORM_ADD, corm_v_int_(-s->value))}});
    }
    note(r->o, -1, rc);
    return rc;
}

static int step_update_row(struct run *r, const struct step *s)
{
    const struct corm_table  *table = kinds[s->table].table[r->m->set];
    const struct corm_column *stock = column_named(table, "stock");
    union row                 row;
    int                       rc = read_one(r, s, s->lock, &row);

    if (rc <= 0)
        return rc;
    put_field(stock, &row, corm_v_int_(s->value));
    rc = corm_update_row_(corm_on_trx_(r->trx), table, &(struct corm_write){WRITE, .row = &row});
    note(r->o, -1, rc);
    return rc;
}

static int step_sql(struct run *r, const struct step *s)
{
    const struct corm_table  *table = kinds[s->table].table[r->m->set];
    const struct corm_column *key = table->columns;
    struct corm_rows          rows = {0};
    char                      text[256];

    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].pk)
            key = &table->columns[i];
    (void)snprintf(text, sizeof(text),
                   s->op == OP_SQL_ADD ? "UPDATE %s SET stock = stock + ? WHERE %s = ?"
                                       : "SELECT SUM(stock) * ? FROM %s WHERE %s = ?",
                   table->name, key->name);
    struct corm_value values[] = {corm_v_int_(s->op == OP_SQL_ADD ? s->value : 1),
                                  key_value(key, s->key),
                                  {.kind = CORM_V_NONE}};
    int               rc = corm_sql_(corm_on_trx_(r->trx), &rows,
                                     &(struct corm_sql_args){.size = sizeof(struct corm_sql_args),
                                                             .file = __FILE__,
                                                             .line = __LINE__,
                                                             .text = text,
                                                             .vals = {values}});
    note(r->o, -1, rc);
    if (rc == 1 && s->op == OP_SQL_READ)
        note(r->o, -1,
             rows.values[0].kind == CORM_V_TEXT ? strtoll(rows.values[0].as.s, NULL, 10)
                                                : rows.values[0].as.i);
    return rc;
}

/* The sessions of the group are ended, once or twice: all its members have to run again, in their order. Not
 * in the reference, which has no group to lose. A read finds out, or else COMMIT would: CORM_UNKNOWN; so not
 * in a function that has failed already, whose reads are not sent. */
static int step_lose(const struct run *r, const struct step *s)
{
    const struct corm_table *table = kinds[s->table].table[0];
    int64_t                  rc = 0;

    if (r->m->set == 0 && corm_trx_error(r->trx)->code == 0 && r->o->runs <= 1 + s->key % 2) {
        lose_sessions();
        rc = corm_count_(corm_on_trx_(r->trx), table, &(struct corm_query){QUERY});
    }
    return rc < 0 ? (int)rc : 0;
}

/* ---- Nested steps ------------------------------------------------------------------------------ */

struct body {
    struct run *r;
    size_t      from, to;
    bool        refuse;
};

static int nested_function(struct corm_trx *trx, void *arg)
{
    struct body *b = arg;
    int          rc = run_steps(b->r, b->from, b->to);

    if (rc < 0)
        return rc;
    return b->refuse ? corm_abort(trx, REFUSED, "taken back") : 7;
}

/* When a write that waits is refused, and so what its function has seen until then, is not part of the
 * promise: of what was taken back only that is compared. */
static void forget_body(struct run *r, size_t seen, size_t ids)
{
    r->o->count = seen;
    r->o->id_count = ids;
    note(r->o, -1, -1);
}

static int step_nested(struct run *r, const struct step *s, size_t from, size_t to)
{
    struct body b = {r, from, to, s->undo};
    size_t      seen = r->o->count, ids = r->o->id_count;
    int32_t     stock = r->seen;
    int         rc = corm_transact(r->trx, nested_function, &b);

    if (rc < 0) {
        forget_body(r, seen, ids);
        r->seen = stock;
        r->ended = 0;
    } else {
        note(r->o, -1, rc);
    }
    return rc > CORM_TRX_GONE || corm_is_user(rc) ? 0 : rc;
}

static int step_savepoint(struct run *r, const struct step *s, size_t from, size_t to)
{
    size_t  seen = r->o->count, ids = r->o->id_count;
    int32_t stock = r->seen;
    int     rc = corm_savepoint(r->trx);

    if (rc < 0)
        return rc;
    rc = run_steps(r, from, to);
    if (rc >= 0 && !s->undo)
        rc = corm_savepoint_release(r->trx);
    if (rc >= 0 && !s->undo) {
        note(r->o, -1, rc);
        return rc;
    }
    rc = corm_savepoint_rollback(r->trx);
    forget_body(r, seen, ids);
    r->seen = stock;
    r->ended = 0;
    return rc;
}

static int run_step(struct run *r, const struct step *s, size_t from, size_t to)
{
    union row row;

    switch (s->op) {
    case OP_READ: return read_one(r, s, s->lock, &row);
    case OP_TAKE: return step_take(r, s);
    case OP_SET:
    case OP_SET_TWO:
    case OP_SET_LATER: return step_set(r, s);
    case OP_ADD: return step_add(r, s);
    case OP_INSERT_ROW:
    case OP_INSERT_SET: return step_insert(r, s);
    case OP_INSERT_ROWS: return step_insert_rows(r, s);
    case OP_UPSERT: return step_upsert(r, s);
    case OP_UNION: return step_union(r, s);
    case OP_LOSE: return step_lose(r, s);
    case OP_DELETE:
    case OP_GUARDED: return step_by_key(r, s);
    case OP_UPDATE_ROW: return step_update_row(r, s);
    case OP_SQL_ADD:
    case OP_SQL_READ: return step_sql(r, s);
    case OP_NESTED: return step_nested(r, s, from, to);
    case OP_SAVEPOINT: return step_savepoint(r, s, from, to);
    case OP_REFUSE_IF_ODD:
        return r->seen % 2 != 0 ? corm_abort(r->trx, REFUSED, "%d is odd", r->seen) : 0;
    case OP_REFUSE: return corm_abort(r->trx, REFUSED, "always");
    case OP_RETURN: r->ended = 1; return 0;
    default: return step_many(r, s);
    }
}

static int run_steps(struct run *r, size_t from, size_t to)
{
    for (size_t i = from; i < to && !r->ended;) {
        const struct step *s = &r->m->steps[i];
        bool               has_body = s->op == OP_NESTED || s->op == OP_SAVEPOINT;
        size_t next = has_body && i + 1 + s->body < to ? i + 1 + s->body : has_body ? to : i + 1;
        int    rc = run_step(r, s, i + 1, next);
        if (rc < 0 && !r->m->careless)
            return rc;
        i = next;
    }
    return 0;
}

static int member_function(struct corm_trx *trx, void *arg)
{
    struct member *m = arg;
    struct run     r = {.trx = trx, .m = m, .o = &m->outcomes[m->set]};

    r.o->runs++;
    r.o->count = r.o->id_count = 0;
    int rc = run_steps(&r, 0, m->count);
    return rc < 0 ? rc : (int)m->count;
}

/* ---- The two ways to run it ------------------------------------------------------------------------ */

static int64_t submitted; /* when the members of the program were */

static void on_done(int rc, const struct corm_error *error, void *arg)
{
    struct member *m = arg;

    if (rc == CORM_UNKNOWN) /* nothing here breaks a COMMIT */
        printf("# told of UNKNOWN after %" PRId64 " ms: %s\n", now_ms() - submitted,
               error->message);
    m->outcomes[0].rc = rc;
}

struct hold {
    struct gate entered, open;
};

static int hold_lane(struct corm_trx *trx, void *arg)
{
    struct hold *h = arg;

    (void)trx;
    open_gate(&h->entered);
    return pass_gate(&h->open, 20000) ? 0 : CORM_USER;
}

static struct corm_expr member_key(const struct member *m, struct condition rooms[KEYS_PER_MEMBER],
                                   struct corm_expr *kids)
{
    for (uint32_t i = 0; i < m->key_count; i++)
        kids[i] = by_key(kinds[m->key_tables[i]].table[0], m->keys[i], &rooms[i]);
    kids[m->key_count] = (struct corm_expr){.op = CORM_END};
    return m->key_count == 1 ? kids[0] : (struct corm_expr){.op = CORM_KEYS, .kids = kids};
}

static void run_as_groups(struct program *p)
{
    struct hold       h = {GATE, GATE};
    struct corm_error e = {0};

    assert_ok(corm_submit(db, hold_lane, &h, .key = corm_eq(busy.id, 1), .error = &e), &e);
    assert_true(pass_gate(&h.entered, 20000));
    for (size_t i = 0; i < p->count; i++) {
        struct member   *m = &p->members[i];
        struct condition rooms[KEYS_PER_MEMBER];
        struct corm_expr kids[KEYS_PER_MEMBER + 1];
        m->set = 0;
        m->outcomes[0].rc = 123456;
        m->outcomes[0].runs = 0;
        assert_ok(corm_submit(db, member_function, m, .key = member_key(m, rooms, kids),
                              .isolation = m->isolation, .done = on_done, .error = &e),
                  &e);
    }
    submitted = now_ms();
    open_gate(&h.open);
    assert_int_equal(corm_drain(db), (int64_t)p->count + 1);
}

static void run_one_by_one(struct program *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct member *m = &p->members[i];
        m->set = 1;
        m->outcomes[1].rc = corm_transact(db, member_function, m, .isolation = m->isolation);
    }
}

/* ---- Tables made and set back ---------------------------------------------------------------------- */

static void expand(const char *text, int set, char *out, size_t size)
{
    size_t n = 0;

    for (; *text != '\0' && n + 20 < size; text++) {
        if (*text == '%')
            out[n++] = "ab"[set];
        else if (*text == '#')
            n += (size_t)snprintf(out + n, size - n, "%s",
                                  is_mariadb() ? "AUTO_INCREMENT" : "AUTOINCREMENT");
        else
            out[n++] = *text;
    }
    out[n] = '\0';
}

static void do_sql(const char *text, int set)
{
    char              own[1024];
    struct corm_error e = {0};

    expand(text, set, own, sizeof(own));
    assert_ok(corm_sql(db, NULL, own, .error = &e), &e);
}

static void make_tables(void)
{
    struct corm_error e = {0};

    set_kinds();
    for (int set = 0; set < 2; set++) {
        for (int t = TABLES - 1; t >= 0; t--) /* children first */
            assert_ok(corm_drop_table_(
                          db, kinds[t].table[set],
                          &(struct corm_table_options){.size = sizeof(struct corm_table_options),
                                                       .if_exists = true,
                                                       .error = &e}),
                      &e);
        for (int t = 0; t < TABLES; t++) {
            if (t == SECOND_T)
                continue;
            if (kinds[t].ddl != NULL)
                do_sql(kinds[t].ddl, set);
            else
                assert_ok(
                    corm_create_table_(db, kinds[t].table[set],
                                       &(struct corm_table_options){
                                           .size = sizeof(struct corm_table_options), .error = &e}),
                    &e);
            for (int i = 0; i < 3 && kinds[t].more[!is_mariadb()][i] != NULL; i++)
                do_sql(kinds[t].more[!is_mariadb()][i], set);
        }
    }
    new_table(db, busy);
    assert_ok(corm_insert_row(db, busy, &(struct busy){1}, .error = &e), &e);
}

/* What the tables of kind `t` hold at first: four rows, and one that lifts the generated keys. */
static int fill(struct corm_trx *trx, uint32_t t, int set)
{
    const struct corm_table *table = kinds[t].table[set];
    int                      rc = 0;

    for (uint32_t i = 0; rc >= 0 && i < 5; i++) {
        struct corm_write w = {WRITE};
        struct step       s = {.key = t == CHILD_T || t == PET_T ? i % 2 : i, .value = 6 + (int)i};
        size_t            n = 0;
        if (i == 4 && !kinds[t].generated)
            continue;
        if (t == NAMED_T)
            s.key = 2 * i; /* others are equal to these */
        for (uint32_t k = 0; k < table->column_count; k++) {
            const struct corm_column *c = &table->columns[k];
            struct corm_value         v =
                c->pk && kinds[t].generated ? corm_v_int_(i == 4 ? GENERATED_FROM : (int)i + 1)
                        : c->pk && t == REAL_T      ? corm_v_real_(i)
                        : c->pk                     ? key_value(c, s.key)
                        : is(c, "stock")            ? corm_v_int_(10 + (int)i)
                        : is(c, "name") || is(c, "amount") || is(c, "code")
                            ? (c->type == CORM_INT ? corm_v_int_(20 + (int)i) : corm_v_text_("1.00"))
                            : plain_value(c, &s);
            if (c->type == CORM_BOOL)
                v = corm_v_int_(0);
            if (!c->version)
                w.set[n++] = corm_assign_(c, CORM_SET, v);
        }
        rc = corm_insert_(corm_on_trx_(trx), table, &w);
    }
    return rc;
}

static uint32_t tables_of(const struct program *p)
{
    uint32_t used = 0;

    for (size_t i = 0; i < p->count; i++) {
        const struct member *m = &p->members[i];
        for (size_t k = 0; k < m->count; k++)
            used |= kinds[m->steps[k].table].with;
        for (uint32_t k = 0; k < m->key_count; k++)
            used |= kinds[m->key_tables[k]].with;
    }
    return used;
}

static int try_to_set_back(uint32_t used, struct corm_error *error)
{
    struct corm_trx *trx = NULL;
    int              rc = corm_begin(db, &trx, .error = error);

    assert_ok(rc, error);
    for (int set = 0; set < 2; set++) {
        for (int t = TABLES - 1; rc >= 0 && t >= 0; t--) {
            char text[128];
            if ((used & BIT(t)) == 0 || t == SECOND_T)
                continue;
            (void)snprintf(text, sizeof(text), "DELETE FROM %s", kinds[t].table[set]->name);
            rc = corm_sql(trx, NULL, text);
        }
        if (rc >= 0 && (used & BIT(FEED_T)) != 0) /* its triggers write into plain */
            rc = fill(trx, FEED_T, set);
        for (uint32_t t = 0; rc >= 0 && t < TABLES; t++)
            if ((used & BIT(t)) != 0 && t != SECOND_T && t != FEED_T)
                rc = fill(trx, t, set);
    }
    if (rc >= 0)
        rc = corm_commit(trx);
    corm_end(trx);
    return rc;
}

static void close_tables(void)
{
    statistics.broken++;
    beside("FLUSH TABLES");
}

static void set_back(uint32_t used)
{
    struct corm_error e = {0};
    int               rc = try_to_set_back(used, &e);

    for (int i = 0; i < 3 && rc == CORM_SYNTAX && is_mariadb(); i++) { /* meets_broken_trigger() */
        close_tables();
        rc = try_to_set_back(used, &e);
    }
    assert_ok(rc, &e);
}

/* ---- Comparing ---------------------------------------------------------------------------------------- */

struct pair {
    int     table;
    int64_t a, b;
};

struct verdict {
    char        what[400]; /* "" where all is equal */
    struct pair pairs[4096];
    size_t      count;
};

__attribute__((format(printf, 2, 3))) static void differ(struct verdict *v, const char *format, ...)
{
    va_list args;

    if (v->what[0] != '\0')
        return;
    va_start(args, format);
    (void)vsnprintf(v->what, sizeof(v->what), format, args);
    va_end(args);
}

static void compare_ids(struct verdict *v, int table, int64_t a, int64_t b, const char *where)
{
    if ((a > GENERATED_FROM) != (b > GENERATED_FROM) || (a <= GENERATED_FROM && a != b)) {
        differ(v, "%s: key %" PRId64 " in the group, %" PRId64 " in the reference", where, a, b);
        return;
    }
    if (a <= GENERATED_FROM)
        return;
    for (size_t i = 0; i < v->count; i++) {
        const struct pair *p = &v->pairs[i];
        if (p->table == table && ((p->a < a) != (p->b < b) || (p->a > a) != (p->b > b))) {
            differ(v,
                   "%s: generated keys in another order: %" PRId64 " %" PRId64
                   " in the group, %" PRId64 " %" PRId64 " in the reference",
                   where, p->a, a, p->b, b);
            return;
        }
    }
    if (v->count < COUNT(v->pairs))
        v->pairs[v->count++] = (struct pair){table, a, b};
}

/* A function that fails in two ways, one of them a write that the server refuses: whether it is told of
 * that before or after it has found out the other depends on when the write was sent. */
static uint64_t failed_members, told_of_another;

/* Programs of many members of whom the server has refused several. */
static uint64_t crowds;

static bool is_own(int rc)
{
    return corm_is_user(rc) || (rc < 0 && rc > CORM_TRX_GONE && rc != CORM_TIMEOUT);
}

static void compare_outcomes(struct verdict *v, size_t number, const struct member *m)
{
    const struct outcome *a = &m->outcomes[0], *b = &m->outcomes[1];
    char                  where[64];

    failed_members += b->rc < 0;
    if (a->rc != b->rc && m->count > 1 && is_own(a->rc) && is_own(b->rc)) {
        told_of_another++;
        return;
    }
    if (a->rc != b->rc)
        differ(v, "member %zu: %d (%s) in the group, %d (%s) in the reference", number, a->rc,
               corm_code_name(a->rc), b->rc, corm_code_name(b->rc));
    if (a->rc < 0) /* what a failed one has seen depends on when it was told */
        return;
    if (a->count != b->count)
        differ(v, "member %zu: %zu things seen in the group, %zu in the reference", number,
               a->count, b->count);
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        (void)snprintf(where, sizeof(where), "member %zu, seen %zu", number, i);
        if (a->log[i].tag != b->log[i].tag ||
            (a->log[i].tag < 0 && a->log[i].value != b->log[i].value))
            differ(v, "%s: %" PRId64 " in the group, %" PRId64 " in the reference", where,
                   a->log[i].value, b->log[i].value);
        else if (a->log[i].tag >= 0)
            compare_ids(v, a->log[i].tag, a->log[i].value, b->log[i].value, where);
    }
    for (size_t i = 0; i < a->id_count && i < b->id_count; i++) {
        (void)snprintf(where, sizeof(where), "member %zu, .id_later %zu", number, i);
        uint32_t t = a->id_tables[i] == SECOND_T ? (uint32_t)PLAIN_T : a->id_tables[i];
        compare_ids(v, (int)t, a->ids[i], b->ids[i], where);
    }
}

static bool same_value(const struct corm_value *a, const struct corm_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case CORM_V_NULL: return true;
    case CORM_V_TEXT:
    case CORM_V_BLOB: return a->size == b->size && memcmp(a->as.p, b->as.p, a->size) == 0;
    default: return a->as.i == b->as.i;
    }
}

static void compare_table(struct verdict *v, uint32_t t)
{
    struct corm_arena *arena = corm_arena_new();
    struct corm_rows   rows[2] = {{0}, {0}};
    char               text[160];

    for (int set = 0; set < 2; set++) {
        const struct corm_table *table = kinds[t].table[set];
        struct corm_error        e = {0};
        int n = snprintf(text, sizeof(text), "SELECT * FROM %s ORDER BY ", table->name);
        for (uint32_t i = 0; i < table->column_count; i++)
            if (table->columns[i].pk)
                n += snprintf(text + n, sizeof(text) - (size_t)n, "%s, ", table->columns[i].name);
        text[n - 2] = '\0';
        assert_ok(corm_sql(db, &rows[set], text, .arena = arena, .error = &e), &e);
    }
    if (rows[0].row_count != rows[1].row_count)
        differ(v, "table %s: %zu rows of the group, %zu of the reference", kinds[t].name,
               rows[0].row_count, rows[1].row_count);
    for (size_t i = 0; v->what[0] == '\0' && i < rows[0].row_count; i++) {
        for (size_t c = 0; c < rows[0].column_count; c++) {
            const struct corm_value *a = &rows[0].values[i * rows[0].column_count + c];
            const struct corm_value *b = &rows[1].values[i * rows[1].column_count + c];
            (void)snprintf(text, sizeof(text), "table %s, row %zu, column %s", kinds[t].name, i,
                           rows[0].names[c]);
            if (strcmp(rows[0].names[c], "id") == 0)
                compare_ids(v, (int)t, a->as.i, b->as.i, text);
            else if (!same_value(a, b))
                differ(v, "%s: %lld of the group, %lld of the reference (kinds %d, %d)", text,
                       a->as.i, b->as.i, (int)a->kind, (int)b->kind);
        }
    }
    corm_arena_free(arena);
}

/* Whether the server has refused two or more of many, and others had to run again for it. */
static bool is_crowd(const struct program *p)
{
    size_t refused = 0, again = 0;

    for (size_t i = 0; i < p->count; i++) {
        refused += p->members[i].outcomes[0].rc < 0 && !corm_is_user(p->members[i].outcomes[0].rc);
        again += p->members[i].outcomes[0].runs > 1;
    }
    return p->count >= CROWD && refused >= 2 && again > refused;
}

/* Every statement of the programs is understood by the server. What MariaDB (10.11.19) does not understand is a
 * trigger that it was about to read when a time limit, or a KILL, met the statement that opened the table:
 * it keeps the table open in that state, and refuses all that changes it (1064), to whomever, until it is
 * closed. The limits are those of locks, so that takes a machine on which opening a table takes as long. */
static bool meets_broken_trigger(const struct program *p)
{
    for (size_t i = 0; is_mariadb() && i < p->count; i++) {
        for (int set = 0; set < 2; set++) {
            const struct outcome *o = &p->members[i].outcomes[set];
            if (o->rc == CORM_SYNTAX)
                return true;
            for (size_t k = 0; k < o->count; k++)
                if (o->log[k].tag < 0 && o->log[k].value == CORM_SYNTAX)
                    return true;
        }
    }
    return false;
}

static void run_both_ways(struct program *p)
{
    set_back(tables_of(p));
    statistics.grouped = true;
    run_as_groups(p);
    statistics.grouped = false;
    run_one_by_one(p);
}

/* Whether both ways do the same. */
static bool agrees(struct program *p, struct verdict *v)
{
    uint32_t used = tables_of(p);

    v->what[0] = '\0';
    v->count = 0;
    run_both_ways(p);
    for (int i = 0; i < 3 && meets_broken_trigger(p); i++) {
        close_tables();
        run_both_ways(p);
    }
    for (size_t i = 0; i < p->count; i++)
        compare_outcomes(v, i, &p->members[i]);
    crowds += is_crowd(p);
    for (uint32_t t = 0; t < TABLES; t++)
        if ((used & BIT(t)) != 0 && t != SECOND_T)
            compare_table(v, t);
    return v->what[0] == '\0';
}

/* ---- A case that fails --------------------------------------------------------------------------------- */

static void drop_member(struct program *p, size_t at)
{
    memmove(&p->members[at], &p->members[at + 1], (p->count - at - 1) * sizeof(p->members[0]));
    p->count--;
}

static void drop_step(struct member *m, size_t at)
{
    memmove(&m->steps[at], &m->steps[at + 1], (m->count - at - 1) * sizeof(m->steps[0]));
    m->count--;
}

static bool still_fails(const struct program *p, struct program *scratch)
{
    static struct verdict v;

    *scratch = *p;
    return !agrees(scratch, &v);
}

/* Drops one member or step without which it still fails. */
static bool shrink_once(struct program *p, struct program *next, struct program *scratch)
{
    for (size_t i = p->count; i-- > 0;) {
        if (p->count > 1) {
            *next = *p;
            drop_member(next, i);
            if (still_fails(next, scratch))
                return true;
        }
        for (size_t k = p->members[i].count; k-- > 0 && p->members[i].count > 1;) {
            *next = *p;
            drop_step(&next->members[i], k);
            if (still_fails(next, scratch))
                return true;
        }
        if (p->members[i].key_count > 1 || p->members[i].careless) {
            *next = *p;
            next->members[i].key_count = 1;
            next->members[i].careless = false;
            if (still_fails(next, scratch))
                return true;
        }
    }
    return false;
}

static void print_step(const struct step *s)
{
    printf("#     %-13s %-6s key %u value %d column %u lock %d body %u%s%s ask %u\n",
           op_names[s->op], kinds[s->table].name, s->key, s->value, s->column, (int)s->lock,
           s->body, s->undo ? " undo" : "", s->own_key ? " own_key" : "", s->ask);
}

static void print_program(const struct program *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct member *m = &p->members[i];
        printf("#   member %zu%s isolation %d: group %d after %u runs, reference %d; keys", i,
               m->careless ? " (careless)" : "", (int)m->isolation, m->outcomes[0].rc,
               m->outcomes[0].runs, m->outcomes[1].rc);
        for (uint32_t k = 0; k < m->key_count; k++)
            printf(" %s %u", kinds[m->key_tables[k]].name, m->keys[k]);
        printf("\n");
        for (size_t k = 0; k < m->count; k++)
            print_step(&m->steps[k]);
    }
    (void)fflush(stdout);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void report(const struct program *failed, const char *first, uint64_t seed, size_t number,
                   unsigned group_max)
{
    static struct program p, next, scratch;
    static struct verdict v;
    int64_t               end = now_ms() + (int64_t)number_from("CORM_MODEL_SHRINK_MS", 60000);

    p = *failed;
    printf("# found: %s\n", first);
    while (now_ms() < end && shrink_once(&p, &next, &scratch))
        p = next;
    (void)agrees(&p, &v);
    printf("# program %zu of CORM_MODEL_SEED=%" PRIu64 " (group_max=%u): %s\n", number, seed,
           group_max, v.what[0] != '\0' ? v.what : "did not fail when it was run again");
    print_program(&p);
}

/* ---- The test --------------------------------------------------------------------------------------------- */

static void choose_tables(void)
{
    const char *names = getenv("CORM_MODEL_TABLES");

    if (names == NULL)
        return;
    allowed_tables = 0;
    for (int t = 0; t < TABLES; t++)
        if (strstr(names, kinds[t].name) != NULL)
            allowed_tables |= BIT(t);
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    return x | 1;
}

static void open_model_db(unsigned group_max)
{
    char              url[256];
    struct corm_error e = {0};

    (void)snprintf(url, sizeof(url), "lanes=1&timeout_ms=6000&group_max=%u%s", group_max,
                   is_mariadb() ? "&pool=3" : "");
    if (is_mariadb()) {
        db = open_watched(url, on_statement, NULL);
        return;
    }
    char memory[300];
    (void)snprintf(memory, sizeof(memory), "sqlite::memory:?%s", url);
    assert_ok(corm_open(&db, memory, .on_statement = on_statement, .error = &e), &e);
}

static void run_programs(uint64_t seed, size_t first, size_t count, int64_t end, unsigned group_max)
{
    static struct program p;
    static struct verdict v;
    size_t                failures = 0, i = first;

    open_model_db(group_max);
    make_tables();
    for (; i < first + count && (end == 0 || now_ms() < end); i++) {
        random_state = mix(seed + i * 7919);
        make_program(&p);
        bool good = agrees(&p, &v);
        count_program(&p);
        if (good)
            continue;
        report(&p, v.what, seed, i, group_max);
        if (++failures == number_from("CORM_MODEL_FAILURES", 1))
            break;
    }
    struct corm_counters c = stats_of(db);
    corm_close(db);
    printf("# seed %" PRIu64 ", group_max %u: %zu programs, %" PRIu64 " groups of %" PRIu64
           " members; %" PRIu64 " of %" PRIu64 " that failed were told of another failure; %" PRIu64
           " crowds of which several were refused\n",
           seed, group_max, i - first, c.groups, c.members, told_of_another, failed_members,
           crowds);
    print_statistics();
    if (told_of_another > 20 + failed_members / 50)
        fail_msg("%" PRIu64 " of %" PRIu64 " failed members were told of another failure",
                 told_of_another, failed_members);
    if (i - first >= 500 && allowed_tables == (1u << TABLES) - 1 && crowds == 0)
        fail_msg("no program of many members had several whom the server refused");
    if (failures > 0)
        fail_msg("seed %" PRIu64 ": groups and reference differ", seed);
}

static void random_programs(unsigned group_max, size_t half)
{
    uint64_t seed =
        number_from("CORM_MODEL_SEED", (uint64_t)time(NULL) * 1000 + (uint64_t)getpid());
    size_t  programs = number_from("CORM_MODEL_PROGRAMS", 0);
    size_t  first = number_from("CORM_MODEL_FIRST", 0);
    int64_t end = programs == 0 ? now_ms() + 4000 : 0;

    set_kinds();
    choose_tables();
    run_programs(seed, first + half * 1000000, programs == 0 ? SIZE_MAX / 2 : (programs + 1) / 2,
                 end, group_max);
}

static void large_groups_do_what_their_members_do_one_after_the_other(void **state)
{
    (void)state;
    random_programs(256, 0);
}

static void small_groups_do_what_their_members_do_one_after_the_other(void **state)
{
    (void)state;
    random_programs(3, 1);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest both[] = {
        cmocka_unit_test(large_groups_do_what_their_members_do_one_after_the_other),
        cmocka_unit_test(small_groups_do_what_their_members_do_one_after_the_other),
    };

    support_begin(argc, argv);
    int failed = run_group(both, COUNT(both), NULL, 0, NULL, 0);
    support_end();
    return failed;
}
