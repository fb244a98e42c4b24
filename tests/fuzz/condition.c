/* tests/fuzz/condition.c -- trees of conditions out of bytes, as text in every dialect.
 *
 * A statement that is made:
 *   - has as many `?` outside of quotes as values, its quotes and parentheses are closed;
 *   - is the same text with other values: nothing of a value is in it;
 *   - is the same statement when its condition was put together at run time, and all that this was made
 *     of is gone;
 *   - on SQLite is prepared and run, over rows that hold JSON, what is none, and NULL.
 * One that is refused has a code of its own, in all these ways the same one.
 *
 * A tree is built twice: as the bytes say, and of the same shape with values that are plain. */
#include "fuzz.h"

#include "schema/ddl.h"
#include "schema/type.h"
#include "sql/statement.h"

#include <corm/corm.h>
#include <sqlite3.h>

const char *const fuzz_tokens[] = {"$.a",
                                   "$[0]",
                                   "$.\"it's\"",
                                   "$.a[1].b_2",
                                   "$",
                                   "!",
                                   "!!",
                                   "%",
                                   "_",
                                   "'",
                                   "\"",
                                   "`",
                                   "?",
                                   "--",
                                   "/*",
                                   "\\",
                                   "-12.50",
                                   "{\"a\":1}",
                                   "[1]",
                                   "\x0E\x0E\x0E\x0E",
                                   "\x0D\x0D\x0D\x0D",
                                   NULL};

/* clang-format off */
#define THING(X)                                                                                   \
    X(id, int, .pk = 1)                                                                            \
    X(i8, nullable(tinyint))     X(u8, nullable(unsigned(tinyint)))                                \
    X(i16, nullable(smallint))   X(u32, nullable(unsigned(int)))                                   \
    X(i64, nullable(bigint))     X(u64, nullable(unsigned(bigint)))                                \
    X(yes, nullable(bool))       X(single, nullable(float))   X(twice, nullable(double))           \
    X(money, nullable(decimal(18, 4)))                        X(count, nullable(decimal(9, 0)))    \
    X(code, nullable(char(4)))   X(name, nullable(varchar(9)), .sql_name = "a `name`? it's")       \
    X(body, text)                X(kind, nullable(enum("a", "it's", "?")))                         \
    X(extra, nullable(json))     X(bytes, nullable(blob))     X(key, nullable(uuid))               \
    X(day, nullable(date))       X(hour, nullable(time))      X(at, nullable(datetime))            \
    X(stamp, nullable(timestamp))
#define OTHER(X)                                                                                   \
    X(id, bigint, .pk = 1)       X(thing_id, int)             X(note, nullable(text))
/* clang-format on */
CORM_MODEL(thing, THING);
CORM_DEFINE(thing, THING);
CORM_MODEL_AS(other, "an \"other\" (?)", OTHER);
CORM_DEFINE(other, OTHER);

enum { TABLES = 10, THING_COLUMNS = sizeof(struct thing_corm_index), NODES_MAX = 3000 };

static const struct corm_table *tables[TABLES]; /* thing, other, and aliases of both */
static sqlite3                 *sqlite;

/* ---- Once ---------------------------------------------------------------------- */

static void run_sql(const char *text)
{
    char *message = NULL;

    CHECK(sqlite3_exec(sqlite, text, NULL, NULL, &message) == SQLITE_OK, "%s: %s", text, message);
}

static void set_up(void)
{
    static const char *const names[TABLES] = {NULL, NULL, "a", "b", "c", "d", "e", "f", "g?", "h'"};
    static struct corm_column columns[TABLES][THING_COLUMNS];
    static struct corm_table  aliases[TABLES];
    struct corm__ddl          ddl = {.dialect = CORM_DIALECT_SQLITE};
    struct corm_arena        *arena = corm_arena_new();

    CHECK(sqlite3_open(":memory:", &sqlite) == SQLITE_OK && arena != NULL, "no SQLite");
    tables[0] = thing.corm_table;
    tables[1] = other.corm_table;
    for (int i = 0; i < TABLES; i++) {
        struct corm__buffer text;
        if (i >= 2) {
            const struct corm_table *of = tables[i % 2];
            memcpy(columns[i], of->columns, of->column_count * sizeof(columns[i][0]));
            aliases[i] = *of;
            aliases[i].columns = columns[i];
            aliases[i].alias = names[i];
            tables[i] = &aliases[i];
            continue;
        }
        corm__buffer_init(&text, arena);
        corm__put_create_table(&text, &ddl, tables[i], false);
        run_sql(text.text);
    }
    run_sql("INSERT INTO thing(id, body, extra, \"a `name`? it's\", i64, single, day)"
            " VALUES (1, '{\"a\":[1,2.5,\"x\",null]}', '{\"a\":{\"b_2\":true}}', 'it''s', 7, 0.5,"
            " '2026-01-31'), (2, '{\"a\":', NULL, NULL, NULL, NULL, NULL), (3, '', 'null', '', "
            "-1, -1, NULL)");
    run_sql("INSERT INTO \"an \"\"other\"\" (?)\" VALUES (1, 1, NULL), (2, 7, '[1]')");
    corm_arena_free(arena);
}

/* ---- A tree out of bytes ---------------------------------------------------------- */

struct block {
    struct block *next;
    max_align_t   memory[];
};

struct tree {
    struct bytes             in;
    bool                     plain; /* values that always fit, whatever the bytes say */
    struct block            *blocks;
    int                      nodes, depth, tables_in_scope;
    const struct corm_table *scope[64];
};

/* Each in a block of its own, so that a sanitizer sees what is used when it is gone. */
static void *room(struct tree *t, size_t size)
{
    struct block *block = calloc(1, sizeof(*block) + size);

    CHECK(block != NULL, "no memory");
    block->next = t->blocks;
    t->blocks = block;
    return block->memory;
}

static void fell(struct tree *t)
{
    while (t->blocks != NULL) {
        struct block *next = t->blocks->next;
        free(t->blocks);
        t->blocks = next;
    }
}

/* A text of up to 15 bytes. */
static const char *take_text(struct tree *t)
{
    size_t size = take_below(&t->in, 16);
    char  *text = room(t, size + 1);

    for (size_t i = 0; i < size; i++)
        text[i] = (char)take_byte(&t->in);
    return text;
}

static const struct corm_column *take_column(struct tree *t)
{
    unsigned                  which = take_byte(&t->in), column = take_byte(&t->in);
    const struct corm_table  *table = which < 250 && t->tables_in_scope > 0
                                          ? t->scope[which % (unsigned)t->tables_in_scope]
                                          : tables[which % TABLES];
    const struct corm_column *c = &table->columns[column % table->column_count];

    if (column < 220 || (!corm__is_text(c) && c->type != CORM_JSON))
        return c;
    struct corm_json           *json = room(t, sizeof(*json));
    static const char *const    paths[] = {"$.a", "$.a[0]", "$[1]", "$.\"it's ?\"", "$.a.b_2", "$"};
    unsigned                    path = take_byte(&t->in);
    static const enum corm_type types[] = {CORM_BIGINT, CORM_DOUBLE, CORM_TEXT};
    /* A path belongs to the shape as far as it is one or not; it is bound. */
    const char *text = path < 200 ? paths[path % 6] : take_text(t);
    return corm_json_(json, c, text, types[column % 3]);
}

static bool is_number(const struct corm_column *c)
{
    return c->type <= CORM_DOUBLE;
}

/* Fits wherever one of this type does; 0 or 1. */
static struct corm_value plain_value(const struct corm_column *c, unsigned n)
{
    static const struct corm_uuid uuid = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};

    if (is_number(c))
        return c->type == CORM_FLOAT || c->type == CORM_DOUBLE ? corm_v_real_(n) : corm_v_int_(n);
    switch (c->type) {
    case CORM_DECIMAL: return corm_v_text_(n ? "1" : "0");
    case CORM_ENUM: return corm_v_text_(n ? "a" : "it's");
    case CORM_JSON: return corm_v_text_(n ? "[]" : "{}");
    case CORM_BLOB: return corm_v_blob_(corm_bytes("xy", 1 + n));
    case CORM_UUID: return corm_v_uuid_(uuid);
    case CORM_DATE: return corm_v_int_(86400000000 * n);
    case CORM_TIME:
    case CORM_DATETIME: return corm_v_int_(n);
    case CORM_TIMESTAMP: return corm_v_int_(1000000 + n);
    default: return corm_v_text_(n ? "z" : "");
    }
}

static struct corm_value take_value(struct tree *t, const struct corm_column *c)
{
    unsigned          how = take_byte(&t->in);
    struct corm_value v;
    struct corm_uuid  uuid;
    double            d;

    if (how < 60)
        v = plain_value(c, how % 2);
    else if (how < 90)
        return corm_v_column_(take_column(t));
    else if (how < 95)
        v = corm_v_null_();
    else if (how < 150 || (how < 200 && is_number(c)))
        v = corm_v_int_((long long)take_number(&t->in));
    else if (how < 160)
        v = corm_v_uint_(take_number(&t->in));
    else if (how < 180) {
        uint64_t bits = take_bits(&t->in, 8);
        memcpy(&d, &bits, sizeof(d));
        v = corm_v_real_(d);
    } else if (how < 190) {
        for (int i = 0; i < 16; i++)
            uuid.bytes[i] = (uint8_t)take_byte(&t->in);
        v = corm_v_uuid_(uuid);
    } else if (how < 200) {
        const char *bytes = take_text(t);
        v = corm_v_blob_(corm_bytes(bytes, strlen(bytes)));
    } else {
        v = corm_v_text_(take_text(t));
    }
    return t->plain ? plain_value(c, 1) : v;
}

static struct corm_expr take_expr(struct tree *t);

/* A few members, or one and hundreds of the same behind it. */
static struct corm_expr take_members(struct tree *t, enum corm_op op)
{
    unsigned          how = take_byte(&t->in);
    size_t            n = how < 220 ? 1 + how % 4 : how == 255 ? 0 : 100 + (how % 32) * 30;
    size_t            different = how < 220 ? n : 1 + how % 3;
    struct corm_expr *kids = room(t, (n + 1) * sizeof(*kids));

    if (op == CORM_NOT && n > 1)
        n = 1;
    t->depth++;
    for (size_t i = 0; i < n; i++)
        kids[i] = i < different
                      ? take_expr(t)
                      : corm_cmp_(thing.id.column, CORM_EQ, plain_value(thing.id.column, 1));
    t->depth--;
    kids[n] = (struct corm_expr){.op = CORM_END};
    return (struct corm_expr){.op = op, .kids = kids};
}

/* Up to 31 levels of one kind, with a condition at the bottom. */
static struct corm_expr take_deep(struct tree *t)
{
    unsigned         how = take_byte(&t->in), levels = take_below(&t->in, 32);
    struct corm_expr e = take_expr(t);

    for (; levels > 0; levels--) {
        struct corm_expr *kids = room(t, 3 * sizeof(*kids));
        kids[0] = how % 3 == 0 ? e : corm_everything();
        kids[1] = how % 3 == 0 ? (struct corm_expr){.op = CORM_END} : e;
        kids[2] = (struct corm_expr){.op = CORM_END};
        e = (struct corm_expr){.op = how % 3 == 0   ? CORM_NOT
                                     : how % 3 == 1 ? CORM_AND
                                                    : CORM_OR,
                               .kids = kids};
    }
    return e;
}

static struct corm_expr take_in(struct tree *t, const struct corm_column *c)
{
    size_t             n = take_below(&t->in, 17);
    struct corm_value *list = room(t, (n + 1) * sizeof(*list));

    for (size_t i = 0; i < n; i++)
        list[i] = take_value(t, c);
    list[n] = (struct corm_value){.kind = CORM_V_NONE};
    return (struct corm_expr){.op = CORM_IN, .column = c, .list = list};
}

/* Arrays of the types that the macro takes for the column's class. */
static struct corm_expr take_in_list(struct tree *t, const struct corm_column *c)
{
    static const enum corm_list_type wholes[] = {
        CORM_LIST_INT8,  CORM_LIST_INT16,  CORM_LIST_INT32,  CORM_LIST_INT64,
        CORM_LIST_UINT8, CORM_LIST_UINT16, CORM_LIST_UINT32, CORM_LIST_UINT64};
    unsigned how = take_byte(&t->in);
    size_t   n = how < 240 ? how % 40 : 500 + (how % 16) * 100;
    if (n > 3 && t->nodes > 200)
        n = 3;
    uint64_t           *whole = room(t, (n + 1) * sizeof(*whole));
    const char        **text = room(t, (n + 1) * sizeof(*text));
    struct corm_blob   *blob = room(t, (n + 1) * sizeof(*blob));
    struct corm_uuid   *uuid = room(t, (n + 1) * sizeof(*uuid));
    struct corm_value   plain = plain_value(c, 1);
    const void         *list = whole;
    enum corm_list_type type = wholes[take_below(&t->in, 8)];

    for (size_t i = 0; i < n; i++) {
        bool again = i >= 8;
        whole[i] = again ? whole[0] : take_number(&t->in);
        text[i] = again ? text[0] : take_text(t);
        blob[i] = corm_bytes(text[i], strlen(text[i]));
        memset(&uuid[i], (int)i, sizeof(uuid[i]));
        if (t->plain) {
            whole[i] = c->type == CORM_TIMESTAMP || c->type == CORM_DATE ? 0 : 1;
            text[i] = plain.kind == CORM_V_TEXT ? plain.as.s : "1";
        }
    }
    if (c->type == CORM_BLOB)
        type = CORM_LIST_BLOB, list = blob;
    else if (c->type == CORM_UUID)
        type = CORM_LIST_UUID, list = uuid;
    else if (corm__is_text(c))
        type = CORM_LIST_TEXT, list = text;
    else if (c->type == CORM_FLOAT)
        type = CORM_LIST_FLOAT;
    else if (c->type == CORM_DOUBLE)
        type = CORM_LIST_DOUBLE;
    if (t->plain && (type == CORM_LIST_FLOAT || type == CORM_LIST_DOUBLE))
        memset(whole, 0, n * sizeof(*whole));
    return corm_in_list_(c, type, list, n);
}

static const struct corm_table *take_table(struct tree *t)
{
    unsigned which = take_byte(&t->in);

    for (unsigned i = 0; i < TABLES && which < 250; i++) { /* one that is not named yet, if any */
        const struct corm_table *table = tables[(which + i) % TABLES];
        bool                     named = false;
        for (int j = 0; j < t->tables_in_scope; j++)
            named = named || t->scope[j] == table;
        if (!named)
            return table;
    }
    return tables[which % TABLES];
}

static void enter(struct tree *t, const struct corm_table *table)
{
    if (t->tables_in_scope < 64)
        t->scope[t->tables_in_scope++] = table;
}

static const struct corm_join *take_joins(struct tree *t)
{
    unsigned          how = take_byte(&t->in);
    size_t            n = how < 200 ? 0 : how < 250 ? 1 + how % 2 : 9;
    struct corm_join *joins = n > 0 ? room(t, (n + 1) * sizeof(*joins)) : NULL;

    for (size_t i = 0; i < n; i++) {
        const struct corm_table *table = take_table(t);
        enter(t, table);
        joins[i] = corm_join_(table, NULL, 0, take_below(&t->in, 2), take_expr(t));
    }
    return joins;
}

static struct corm_expr take_subquery(struct tree *t, enum corm_op op, const struct corm_column *c)
{
    const struct corm_table *table = take_table(t);
    struct corm_query       *query = room(t, sizeof(*query));
    int                      before = t->tables_in_scope;

    if (op == CORM_EXISTS) {
        enter(t, table);
        query->join = take_joins(t);
        query->where = take_expr(t);
        t->tables_in_scope = before;
        return corm_query_(op, NULL, table, NULL, query);
    }
    enter(t, table);
    query->join = take_joins(t);
    query->where = take_expr(t);
    const struct corm_column *found = &table->columns[take_byte(&t->in) % table->column_count];
    t->tables_in_scope = before;
    return corm_query_(op, c, table, found, query);
}

static struct corm_expr take_expr(struct tree *t)
{
    unsigned                  how = take_byte(&t->in);
    const struct corm_column *c;

    if (++t->nodes > NODES_MAX || t->depth > 120)
        return corm_everything();
    if (how < 60)
        return take_members(t, how % 3 == 0 ? CORM_NOT : how % 3 == 1 ? CORM_AND : CORM_OR);
    if (how < 65)
        return corm_everything();
    if (how == 65)
        return (struct corm_expr){.op = CORM_NONE};
    if (how == 66)
        return (struct corm_expr){.op = CORM_FAILED};
    if (how == 67)
        return (struct corm_expr){.op = CORM_AND};
    if (how < 78)
        return take_deep(t);
    c = take_column(t);
    if (how < 130)
        return corm_cmp_(c, (enum corm_op)(CORM_EQ + how % 6), take_value(t, c));
    if (how < 165)
        return corm_cmp_(c, (enum corm_op)(CORM_LIKE + how % 4), take_value(t, c));
    if (how < 180)
        return take_in(t, c);
    if (how < 195)
        return take_in_list(t, c);
    if (how < 205) {
        struct corm_value *ends = room(t, 3 * sizeof(*ends));
        ends[0] = take_value(t, c);
        ends[1] = take_value(t, c);
        return (struct corm_expr){.op = CORM_BETWEEN, .column = c, .list = ends};
    }
    if (how < 225)
        return corm_cmp_(c, how % 2 ? CORM_IS_NULL : CORM_NOT_NULL, corm_v_null_());
    t->depth++;
    struct corm_expr e = take_subquery(t, how % 2 ? CORM_EXISTS : CORM_IN_QUERY, c);
    t->depth--;
    return e;
}

/* ---- A statement out of a tree -------------------------------------------------------- */

enum kind { COUNT, EXISTS, ROWS, FIRST, DELETE, UPDATE, KINDS };

/* All that is behind the condition is in the same bytes. */
struct shape {
    enum kind               kind;
    const struct corm_join *joins;
    struct corm_expr        where;
    struct corm_assign      sets[3];
    struct corm_order       order[2];
    uint64_t                limit, offset;
};

static void take_shape(struct tree *t, struct shape *s)
{
    static const enum corm_op how[] = {CORM_SET, CORM_ADD};

    memset(s, 0, sizeof(*s));
    s->kind = (enum kind)take_below(&t->in, KINDS);
    enter(t, tables[0]);
    if (s->kind < DELETE)
        s->joins = take_joins(t);
    s->where = take_expr(t);
    if (s->kind == UPDATE) {
        for (int i = 0; i < 2; i++) {
            const struct corm_column *c =
                &tables[0]->columns[1 + take_byte(&t->in) % (tables[0]->column_count - 1)];
            bool adds = c->type <= CORM_BIGINT || c->type == CORM_DOUBLE || c->type == CORM_DECIMAL;
            s->sets[i] = corm_assign_(c, how[adds && take_below(&t->in, 2)], take_value(t, c));
        }
    }
    if (s->kind == ROWS || s->kind == FIRST) {
        s->order[0].column = take_column(t);
        s->order[0].desc = take_below(&t->in, 2);
        s->limit = s->kind == ROWS ? take_below(&t->in, 3) : 0;
        s->offset = s->limit > 0 ? take_below(&t->in, 2) : 0;
    }
}

static int make(enum corm_dialect dialect, struct corm_arena *arena, const struct shape *s,
                struct corm_expr where, struct corm__statement *statement, struct corm_error *error)
{
    static const enum corm__read_what what[] = {CORM__COUNT, CORM__EXISTS, CORM__ROWS, CORM__FIRST};
    struct corm_query                 query = {
                        .where = where, .join = s->joins, .limit = s->limit, .offset = s->offset};
    struct corm_write write = {.where = where};

    memset(statement, 0, sizeof(*statement));
    memset(error, 0, sizeof(*error));
    memcpy(query.order, s->order, sizeof(s->order));
    memcpy(write.set, s->sets, sizeof(s->sets));
    if (s->kind == DELETE)
        return corm__make_delete(dialect, arena, false, tables[0], &write, statement, error);
    if (s->kind == UPDATE)
        return corm__make_update(dialect, arena, true, tables[0], &write, statement, error);
    return corm__make_read(dialect, arena, what[s->kind], tables[0], &query, statement, error);
}

/* ---- What must hold ----------------------------------------------------------------------- */

/* Outside of quotes there are words, digits and signs, and inside of them a name or one of a few texts
 * of ours. */
static void check_text(const struct corm__statement *s)
{
    size_t marks = 0;
    int    open = 0;
    char   quote = '\0';

    CHECK(strlen(s->text) == s->size, "%zu", s->size);
    for (const char *p = s->text; *p != '\0'; p++) {
        if (quote != '\0') {
            if (*p == quote && p[1] == quote)
                p++;
            else if (*p == quote)
                quote = '\0';
            continue;
        }
        if (*p == '\'' || *p == '`' || *p == '"')
            quote = *p;
        marks += *p == '?';
        open += *p == '(';
        open -= *p == ')';
        CHECK(open >= 0, "%s", s->text);
        CHECK((unsigned char)*p >= ' ' && (unsigned char)*p < 0x7F && strchr(";\\#@$", *p) == NULL,
              "%s", s->text);
        CHECK(strncmp(p, "--", 2) != 0 && strncmp(p, "/*", 2) != 0, "%s", s->text);
    }
    CHECK(quote == '\0' && open == 0, "%s", s->text);
    CHECK(marks == s->bind_count, "%zu marks, %u values: %s", marks, (unsigned)s->bind_count,
          s->text);
}

static void check_refused(int rc, const struct corm_error *error)
{
    static const int codes[] = {CORM_MISUSE,      CORM_BAD_VALUE,   CORM_TOO_LARGE,
                                CORM_NO_MEMORY,   CORM_TOO_LONG,    CORM_NULL_REFUSED,
                                CORM_UNSUPPORTED, CORM_OUT_OF_RANGE};
    bool             known = false;

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        known = known || rc == codes[i];
    CHECK(known && error->code == rc && error->message[0] != '\0', "%d: %s", rc, error->message);
}

static int bind(sqlite3_stmt *s, int i, const struct corm_value *v)
{
    switch (v->kind) {
    case CORM_V_NULL: return sqlite3_bind_null(s, i);
    case CORM_V_INT: return sqlite3_bind_int64(s, i, v->as.i);
    case CORM_V_REAL: return sqlite3_bind_double(s, i, v->as.r);
    case CORM_V_TEXT: return sqlite3_bind_text(s, i, v->as.s, (int)v->size, SQLITE_STATIC);
    case CORM_V_BLOB: return sqlite3_bind_blob(s, i, v->as.p, (int)v->size, SQLITE_STATIC);
    case CORM_V_UUID: return sqlite3_bind_blob(s, i, v->as.uuid.bytes, 16, SQLITE_STATIC);
    default: return SQLITE_MISUSE; /* nothing else is for SQLite */
    }
}

/* A value that breaks a rule of the table is not what this is about. */
static void check_on_sqlite(const struct corm__statement *s)
{
    sqlite3_stmt *prepared = NULL;
    const char   *tail = NULL;
    int           rc = sqlite3_prepare_v2(sqlite, s->text, (int)s->size, &prepared, &tail);

    CHECK(rc == SQLITE_OK, "%s: %s", sqlite3_errmsg(sqlite), s->text);
    CHECK(tail == s->text + s->size, "a second statement: %s", tail);
    CHECK((uint32_t)sqlite3_bind_parameter_count(prepared) == s->bind_count, "%s", s->text);
    for (uint32_t i = 0; i < s->bind_count; i++)
        CHECK(bind(prepared, (int)i + 1, &s->binds[i]) == SQLITE_OK, "value %u of %s: %s",
              (unsigned)i, s->text, sqlite3_errmsg(sqlite));
    run_sql("SAVEPOINT here");
    while ((rc = sqlite3_step(prepared)) == SQLITE_ROW) {
    }
    CHECK(rc == SQLITE_DONE || rc == SQLITE_CONSTRAINT, "%s: %s", sqlite3_errmsg(sqlite), s->text);
    (void)sqlite3_finalize(prepared);
    run_sql("ROLLBACK TO here; RELEASE here");
}

/* A statement, written down: text and values. */
static char *written(const struct corm__statement *s, size_t *size)
{
    size_t most = s->size + 64;
    char  *all, *p;

    for (uint32_t i = 0; i < s->bind_count; i++)
        most += 32 + s->binds[i].size;
    p = all = malloc(most);
    CHECK(all != NULL, "no memory");
    memcpy(p, s->text, s->size);
    p += s->size;
    for (uint32_t i = 0; i < s->bind_count; i++) {
        const struct corm_value *v = &s->binds[i];
        *p++ = (char)v->kind;
        if (v->kind == CORM_V_TEXT || v->kind == CORM_V_BLOB || v->kind == CORM_V_DECIMAL) {
            memcpy(p, v->as.p, v->size);
            p += v->size;
        } else if (v->kind != CORM_V_NULL) {
            memcpy(p, &v->as, v->kind == CORM_V_UUID ? 16 : 8);
            p += v->kind == CORM_V_UUID ? 16 : 8;
        }
    }
    *size = (size_t)(p - all);
    return all;
}

/* The same by corm_where_new(), when the tree is gone. The rest of the statement has to stay, so it
 * comes from the tree of plain values, which is of the same shape, and has no joins of its own. */
static void check_copy(enum corm_dialect dialect, const uint8_t *data, size_t size)
{
    struct tree            tree = {.in = {data, size}};
    struct corm_arena     *arena = corm_arena_new();
    struct corm__statement first, again;
    struct corm_error      first_error, error;
    struct shape           s;
    size_t                 first_size = 0, again_size = 0;
    char                  *a = NULL, *b = NULL;

    CHECK(arena != NULL, "no memory");
    take_shape(&tree, &s);
    s.kind = COUNT;
    s.joins = NULL;
    memset(s.order, 0, sizeof(s.order));
    s.limit = s.offset = 0;
    int rc = make(dialect, arena, &s, s.where, &first, &first_error);
    if (rc == 0)
        a = written(&first, &first_size);
    struct corm_where *where = corm_where_new(arena);
    CHECK(where != NULL, "no memory");
    corm_where_and(where, s.where);
    fell(&tree);
    int other_rc = make(dialect, arena, &s, corm_where(where), &again, &error);
    CHECK(rc == other_rc || s.where.op == CORM_NONE, "%d (%s), then %d (%s)", rc,
          first_error.message, other_rc, error.message);
    if (rc == 0 && other_rc == 0) {
        b = written(&again, &again_size);
        CHECK(first_size == again_size && memcmp(a, b, first_size) == 0, "%s became %s", first.text,
              again.text);
    }
    free(a);
    free(b);
    corm_arena_free(arena);
}

static void check_dialect(enum corm_dialect dialect, const struct shape *s,
                          const struct shape *other_shape)
{
    struct corm_arena     *arena = corm_arena_new();
    struct corm__statement statement, twin;
    struct corm_error      error, twin_error;

    CHECK(arena != NULL, "no memory");
    int rc = make(dialect, arena, s, s->where, &statement, &error);
    if (rc < 0) {
        check_refused(rc, &error);
    } else {
        check_text(&statement);
        if (make(dialect, arena, other_shape, other_shape->where, &twin, &twin_error) == 0)
            CHECK(strcmp(statement.text, twin.text) == 0, "%s\n    %s", statement.text, twin.text);
        if (dialect == CORM_DIALECT_SQLITE)
            check_on_sqlite(&statement);
    }
    corm_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum corm_dialect dialects[] = {CORM_DIALECT_MARIADB, CORM_DIALECT_MYSQL,
                                                 CORM_DIALECT_SQLITE};
    struct tree                    tree = {.in = {data, size}};
    struct tree                    plain = {.in = {data, size}, .plain = true};
    struct shape                   s, p;

    if (sqlite == NULL)
        set_up();
    take_shape(&tree, &s);
    take_shape(&plain, &p);
    for (size_t i = 0; i < 3; i++) {
        check_dialect(dialects[i], &s, &p);
        check_copy(dialects[i], data, size);
    }
    fell(&tree);
    fell(&plain);
    return 0;
}
