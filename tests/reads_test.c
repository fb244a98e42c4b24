/* reads_test.c -- reads on both servers against a reference that is computed here, over the same rows.
 *
 * Rows and conditions are random; the seed is printed, and CORM_TEST_SEED=N runs with it again. A
 * condition exists twice: as a struct leaf or tree that this file evaluates, with the three truth
 * values of SQL, and as what corm makes of it. */
#include "support.h"

#include <corm/read.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(name, varchar(60))                                                                           \
    X(stock, int)                                                                                  \
    X(shelf, nullable(int))                                                                        \
    X(price, nullable(double))                                                                     \
    X(big, bigint)                                                                                 \
    X(fragile, bool)                                                                               \
    X(added, nullable(datetime))                                                                   \
    X(note, nullable(text))                                                                        \
    X(info, text)
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

#define DEAL(X)                                                                                    \
    X(id, bigint, .pk = 1)                                                                         \
    X(item_id, nullable(int))                                                                      \
    X(qty, int)                                                                                    \
    X(buyer, varchar(20), .sql_name = "the buyer")
CORM_MODEL_AS(deal, "deal of the day", DEAL);
CORM_DEFINE(deal, DEAL);

#define WORKER(X) X(id, int, .pk = 1) X(name, varchar(20)) X(boss_id, nullable(int))
CORM_MODEL(worker, WORKER);
CORM_DEFINE(worker, WORKER);

/* The same table by another model: its text of a read is the same, its values are not. */
#define REAL_WORKER(X) X(id, double, .pk = 1) X(name, varchar(20)) X(boss_id, nullable(double))
CORM_MODEL_AS(real_worker, "worker", REAL_WORKER);
CORM_DEFINE(real_worker, REAL_WORKER);

/* A key of two columns. */
#define CELL(X) X(line, int, .pk = 1) X(place, int, .pk = 1) X(content, nullable(int))
CORM_MODEL(cell, CELL);
CORM_DEFINE(cell, CELL);

/* Results. */
#define TOTALS(X)                                                                                  \
    X(shelf, nullable(int))                                                                        \
    X(items, bigint)                                                                               \
    X(priced, bigint)                                                                              \
    X(names, bigint)                                                                               \
    X(stock, bigint)                                                                               \
    X(cheapest, nullable(double))                                                                  \
    X(latest, nullable(datetime))                                                                  \
    X(last_name, varchar(60))                                                                      \
    X(average, double)
CORM_MODEL(totals, TOTALS);
CORM_DEFINE(totals, TOTALS);

#define PAIR(X) X(shelf, nullable(int)) X(fragile, bool)
CORM_MODEL(pair, PAIR);
CORM_DEFINE(pair, PAIR);

#define SALES(X) X(name, varchar(60)) X(pieces, bigint)
CORM_MODEL(sales, SALES);
CORM_DEFINE(sales, SALES);

/* ---- Random rows ----------------------------------------------------------------- */

enum { ITEMS = 80, DEALS = 150, WORKERS = 30, CELLS = 60, ROUNDS = 300 };

static struct corm_db    *db;
static struct corm_arena *arena; /* of rows that are read, and of conditions */
static struct corm_error  error;
static struct item        items[ITEMS];
static struct deal        deals[DEALS];
static struct worker      workers[WORKERS];
static struct cell        cells[CELLS];
static uint64_t           seed, state;

/* What has harmed others; text compares by its bytes. */
static const char *const texts[] = {"",
                                    "bolt",
                                    "Bolt",
                                    "bo",
                                    "nut 50%",
                                    "a_b",
                                    "a!b!",
                                    "%",
                                    "_",
                                    "!%",
                                    "\\",
                                    "\\' OR 1=1 -- ",
                                    "' OR '1'='1",
                                    "\"; DROP TABLE item; --",
                                    "`",
                                    "?",
                                    ":id ?1 $1 @x",
                                    "/* */ #",
                                    "a\n  b   c\\d'e",
                                    "a b   c\td\r\n",
                                    " lead",
                                    "trail ",
                                    "\xC2\xBF\x27",
                                    "\xC3\xA4\xC3\xB6",
                                    "\xE2\x82\xAC",
                                    "\xF0\x9F\x94\xA9 nut",
                                    "nut"};

/* Texts of JSON, and such that are none; `whole` and `text` is what stands at $.a and at $."b c"[1]. */
struct info {
    const char *text;
    bool        has_whole, has_real;
    int64_t     whole;
    double      real;
    const char *at_b;
};
static const struct info infos[] = {
    {"", false, false, 0, 0, NULL},
    {"{", false, false, 0, 0, NULL},
    {"{\"a\": 7}", true, true, 7, 7, NULL},
    {"{\"a\": 0, \"b c\": [1, \"x\"]}", true, true, 0, 0, "x"},
    {"{\"a\": \"7\", \"b c\": [1, \"O'Neil\"]}", false, false, 0, 0, "O'Neil"},
    {"{\"a\": \"abc\"}", false, false, 0, 0, NULL},
    {"{\"a\": true, \"b c\": [1, 7]}", false, false, 0, 0, NULL},
    {"{\"a\": null, \"b c\": [\"x\"]}", false, false, 0, 0, NULL},
    {"{\"a\": 1.5, \"b c\": [1, \"X\"]}", false, true, 0, 1.5, "X"},
    {"{\"a\": -3, \"b c\": [1, \"\\u00e4%\"]}", true, true, -3, -3, "\xC3\xA4%"},
    {"{\"a\": 9007199254740993}", true, true, 9007199254740993, 9007199254740992.0, NULL},
    {"{\"a\": [7], \"b c\": {\"1\": \"x\"}}", false, false, 0, 0, NULL},
    {"[7]", false, false, 0, 0, NULL},
};

static uint64_t random_number(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % below;
}

static bool chance(uint64_t of)
{
    return random_number(of) == 0;
}

static int small(void)
{
    return (int)random_number(12) - 3;
}

static const char *any_text(void)
{
    return texts[random_number(COUNT(texts))];
}

static double any_price(void)
{
    return (double)small() / 4;
}

static int64_t any_time(void)
{
    return INT64_C(1769817600000000) + (int64_t)random_number(5) * 86400000001;
}

static void make_rows(void)
{
    for (int i = 0; i < ITEMS; i++)
        items[i] = (struct item){
            .id = i * 3 + 1,
            .name = any_text(),
            .stock = small(),
            .shelf = {!chance(4), small()},
            .price = {!chance(4), any_price()},
            .big = chance(5) ? INT64_MAX / 200 : (int64_t)small() * 3000000000,
            .fragile = chance(2),
            .added = {!chance(4), any_time()},
            .note = chance(4) ? NULL : any_text(),
            .info = infos[random_number(COUNT(infos))].text,
        };
    for (int i = 0; i < DEALS; i++)
        deals[i] = (struct deal){.id = i + INT64_C(5000000000),
                                 .item_id = {!chance(8), (int32_t)random_number(ITEMS * 3 + 6)},
                                 .qty = small(),
                                 .buyer = chance(2) ? "ann" : "bob"};
    for (int i = 0; i < WORKERS; i++)
        workers[i] = (struct worker){
            i, texts[i % 3], {i > 0 && !chance(4), (int32_t)random_number((uint64_t)i + 3)}};
    for (int i = 0; i < CELLS; i++)
        cells[i] = (struct cell){i % 7, i / 7, {!chance(3), small()}};
}

static void fill_tables(void)
{
    new_table(db, item);
    new_table(db, deal);
    new_table(db, worker);
    new_table(db, cell);
    assert_ok(corm_insert_rows(db, item, ITEMS, items, .error = &error), &error);
    assert_ok(corm_insert_rows(db, deal, DEALS, deals, .error = &error), &error);
    assert_ok(corm_insert_rows(db, worker, WORKERS, workers, .error = &error), &error);
    assert_ok(corm_insert_rows(db, cell, CELLS, cells, .error = &error), &error);
}

static int begin_test(void **unused)
{
    const char *wanted = getenv("CORM_TEST_SEED");

    (void)unused;
    seed = wanted != NULL ? strtoull(wanted, NULL, 10) : (uint64_t)time(NULL) * 2654435761U;
    state = seed | 1;
    print_message("# seed %llu\n", (unsigned long long)seed);
    error = (struct corm_error){0};
    arena = corm_arena_new();
    db = open_db(NULL);
    make_rows();
    fill_tables();
    return 0;
}

static int end_test(void **unused)
{
    (void)unused;
    corm_close(db);
    corm_arena_free(arena);
    return 0;
}

/* ---- The reference: conditions ------------------------------------------------------ */

enum truth { NO, YES, UNKNOWN };

enum kind {
    STOCK, /* stock op a */
    SHELF, /* nullable */
    PRICE, /* price op r */
    BIG,
    NAME, /* name op s */
    NOTE,
    ADDED,
    COLUMNS,      /* stock op shelf */
    TEXT_COLUMNS, /* name op note */
    FRAGILE,      /* fragile = a */
    STOCK_IN,     /* three values */
    SHELF_LIST,
    NAME_LIST,
    STOCK_BETWEEN,
    NAME_BETWEEN, /* s and t */
    NAME_LIKE,
    NOTE_CONTAINS,
    NOTE_STARTS,
    NOTE_ENDS,
    NOTE_NULL,
    SHELF_NOT_NULL,
    ANY_TEXT,    /* name or note contains s */
    ALL_NUMBERS, /* stock and shelf > a */
    JSON_WHOLE,  /* $.a op a */
    JSON_REAL,
    JSON_TEXT, /* $."b c"[1] op s */
    SOLD,      /* in: deals with qty > a */
    BOUGHT,    /* exists: a deal of this item with qty > a by s */
    EVERYTHING,
    KINDS
};

enum op { EQ, NE, LT, LE, GT, GE };

struct leaf {
    enum kind   kind;
    enum op     op;
    int         a, b, c;
    double      r;
    int64_t     time;
    const char *s, *t;
};

/* A leaf, or what joins two trees. */
struct tree {
    enum { LEAF, AND, OR, NOT } how;
    struct leaf        leaf;
    const struct tree *left, *right;
};

static enum truth truth_of(bool is)
{
    return is ? YES : NO;
}

static enum truth compared(enum op op, int order)
{
    switch (op) {
    case EQ: return truth_of(order == 0);
    case NE: return truth_of(order != 0);
    case LT: return truth_of(order < 0);
    case LE: return truth_of(order <= 0);
    case GT: return truth_of(order > 0);
    default: return truth_of(order >= 0);
    }
}

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static size_t character_size(const char *s)
{
    size_t n = 1;

    while (((unsigned char)s[n] & 0xC0) == 0x80)
        n++;
    return n;
}

static bool is_like(const char *s, const char *pattern)
{
    if (*pattern == '\0')
        return *s == '\0';
    if (*pattern == '%')
        return is_like(s, pattern + 1) || (*s != '\0' && is_like(s + character_size(s), pattern));
    if (*pattern == '_')
        return *s != '\0' && is_like(s + character_size(s), pattern + 1);
    if (*pattern == '!')
        pattern++;
    return *s == *pattern && is_like(s + 1, pattern + 1);
}

static bool is_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static bool ends(const char *s, const char *with)
{
    return strlen(s) >= strlen(with) && strcmp(s + strlen(s) - strlen(with), with) == 0;
}

static const struct info *info_of(const struct item *row)
{
    for (size_t i = 0; i < COUNT(infos); i++)
        if (strcmp(infos[i].text, row->info) == 0)
            return &infos[i];
    fail_msg("no such info: %s", row->info);
    return NULL;
}

static bool is_sold(const struct leaf *l, const struct item *row, bool by_buyer)
{
    for (int i = 0; i < DEALS; i++)
        if (deals[i].item_id.has && deals[i].item_id.value == row->id && deals[i].qty > l->a &&
            (!by_buyer || strcmp(deals[i].buyer, l->s) == 0))
            return true;
    return false;
}

static enum truth holds_leaf(const struct leaf *l, const struct item *row)
{
    const struct info *info = info_of(row);
    bool               shelf = row->shelf.has;
    int                n = row->shelf.value;

    switch (l->kind) {
    case STOCK: return compared(l->op, ORDER(row->stock, l->a));
    case SHELF: return shelf ? compared(l->op, ORDER(n, l->a)) : UNKNOWN;
    case PRICE: return row->price.has ? compared(l->op, ORDER(row->price.value, l->r)) : UNKNOWN;
    case BIG: return compared(l->op, ORDER(row->big, (int64_t)l->a * 3000000000));
    case NAME: return compared(l->op, strcmp(row->name, l->s));
    case NOTE: return row->note != NULL ? compared(l->op, strcmp(row->note, l->s)) : UNKNOWN;
    case ADDED: return row->added.has ? compared(l->op, ORDER(row->added.value, l->time)) : UNKNOWN;
    case COLUMNS: return shelf ? compared(l->op, ORDER(row->stock, n)) : UNKNOWN;
    case TEXT_COLUMNS:
        return row->note != NULL ? compared(l->op, strcmp(row->name, row->note)) : UNKNOWN;
    case FRAGILE: return truth_of(row->fragile == (l->a > 0));
    case STOCK_IN: return truth_of(row->stock == l->a || row->stock == l->b || row->stock == l->c);
    case SHELF_LIST: return shelf ? truth_of(n == l->a || n == l->b || n == l->c) : UNKNOWN;
    case NAME_LIST: return truth_of(strcmp(row->name, l->s) == 0 || strcmp(row->name, l->t) == 0);
    case STOCK_BETWEEN: return truth_of(l->a <= row->stock && row->stock <= l->b);
    case NAME_BETWEEN:
        return truth_of(strcmp(l->s, row->name) <= 0 && strcmp(row->name, l->t) <= 0);
    case NAME_LIKE: return truth_of(is_like(row->name, l->s));
    case NOTE_CONTAINS:
        return row->note != NULL ? truth_of(strstr(row->note, l->s) != NULL) : UNKNOWN;
    case NOTE_STARTS: return row->note != NULL ? truth_of(starts(row->note, l->s)) : UNKNOWN;
    case NOTE_ENDS: return row->note != NULL ? truth_of(ends(row->note, l->s)) : UNKNOWN;
    case NOTE_NULL: return truth_of(row->note == NULL);
    case SHELF_NOT_NULL: return truth_of(shelf);
    case ANY_TEXT:
        if (strstr(row->name, l->s) != NULL)
            return YES;
        return row->note != NULL ? truth_of(strstr(row->note, l->s) != NULL) : UNKNOWN;
    case ALL_NUMBERS:
        if (row->stock <= l->a)
            return NO;
        return shelf ? truth_of(n > l->a) : UNKNOWN;
    case JSON_WHOLE: return info->has_whole ? compared(l->op, ORDER(info->whole, l->a)) : UNKNOWN;
    case JSON_REAL: return info->has_real ? compared(l->op, ORDER(info->real, l->r)) : UNKNOWN;
    case JSON_TEXT: return info->at_b != NULL ? compared(l->op, strcmp(info->at_b, l->s)) : UNKNOWN;
    case SOLD: return truth_of(is_sold(l, row, false));
    case BOUGHT: return truth_of(is_sold(l, row, true));
    default: return YES;
    }
}

static enum truth holds(const struct tree *t, const struct item *row)
{
    if (t->how == LEAF)
        return holds_leaf(&t->leaf, row);
    enum truth left = holds(t->left, row);
    if (t->how == NOT)
        return left == UNKNOWN ? UNKNOWN : truth_of(left == NO);
    enum truth right = holds(t->right, row), wins = t->how == AND ? NO : YES;
    if (left == wins || right == wins)
        return wins;
    return left == UNKNOWN || right == UNKNOWN ? UNKNOWN : truth_of(t->how == AND);
}

/* ---- The same for corm ---------------------------------------------------------------- */

#define BY_OP(op, col, val)                                                                        \
    ((op) == EQ   ? corm_eq(col, val)                                                              \
     : (op) == NE ? corm_ne(col, val)                                                              \
     : (op) == LT ? corm_lt(col, val)                                                              \
     : (op) == LE ? corm_le(col, val)                                                              \
     : (op) == GT ? corm_gt(col, val)                                                              \
                  : corm_ge(col, val))

/* What stands in this block is copied by corm_where_and(). */
static struct corm_where *where_of_leaf(const struct leaf *l)
{
    struct corm_where *w = corm_where_new(arena);
    const int32_t      numbers[] = {l->a, l->b, l->c};
    const char *const  names[] = {l->s, l->t};

    switch (l->kind) {
    case STOCK: corm_where_and(w, BY_OP(l->op, item.stock, l->a)); break;
    case SHELF: corm_where_and(w, BY_OP(l->op, item.shelf, l->a)); break;
    case PRICE: corm_where_and(w, BY_OP(l->op, item.price, l->r)); break;
    case BIG: corm_where_and(w, BY_OP(l->op, item.big, (int64_t)l->a * 3000000000)); break;
    case NAME: corm_where_and(w, BY_OP(l->op, item.name, l->s)); break;
    case NOTE: corm_where_and(w, BY_OP(l->op, item.note, l->s)); break;
    case ADDED: corm_where_and(w, BY_OP(l->op, item.added, l->time)); break;
    case COLUMNS: corm_where_and(w, BY_OP(l->op, item.stock, item.shelf)); break;
    case TEXT_COLUMNS: corm_where_and(w, BY_OP(l->op, item.name, item.note)); break;
    case FRAGILE: corm_where_and(w, corm_eq(item.fragile, l->a > 0)); break;
    case STOCK_IN: corm_where_and(w, corm_in(item.stock, l->a, l->b, l->c)); break;
    case SHELF_LIST: corm_where_and(w, corm_in_list(item.shelf, numbers, 3)); break;
    case NAME_LIST: corm_where_and(w, corm_in_list(item.name, names, 2)); break;
    case STOCK_BETWEEN: corm_where_and(w, corm_between(item.stock, l->a, l->b)); break;
    case NAME_BETWEEN: corm_where_and(w, corm_between(item.name, l->s, l->t)); break;
    case NAME_LIKE: corm_where_and(w, corm_like(item.name, l->s)); break;
    case NOTE_CONTAINS: corm_where_and(w, corm_contains(item.note, l->s)); break;
    case NOTE_STARTS: corm_where_and(w, corm_starts_with(item.note, l->s)); break;
    case NOTE_ENDS: corm_where_and(w, corm_ends_with(item.note, l->s)); break;
    case NOTE_NULL: corm_where_and(w, corm_is_null(item.note)); break;
    case SHELF_NOT_NULL: corm_where_and(w, corm_not_null(item.shelf)); break;
    case ANY_TEXT: corm_where_and(w, corm_any_of(corm_contains, l->s, item.name, item.note)); break;
    case ALL_NUMBERS: corm_where_and(w, corm_all_of(corm_gt, l->a, item.stock, item.shelf)); break;
    case JSON_WHOLE: corm_where_and(w, BY_OP(l->op, corm_json_int(item.info, "$.a"), l->a)); break;
    case JSON_REAL: corm_where_and(w, BY_OP(l->op, corm_json_real(item.info, "$.a"), l->r)); break;
    case JSON_TEXT:
        corm_where_and(w, BY_OP(l->op, corm_json_text(item.info, "$.\"b c\"[1]"), l->s));
        break;
    case SOLD:
        corm_where_and(
            w, corm_in_query(item.id, deal, deal.item_id, .where = corm_gt(deal.qty, l->a)));
        break;
    case BOUGHT:
        corm_where_and(w, corm_exists_query(deal, .where = corm_and(corm_eq(deal.item_id, item.id),
                                                                    corm_gt(deal.qty, l->a),
                                                                    corm_eq(deal.buyer, l->s))));
        break;
    default: corm_where_and(w, corm_everything());
    }
    return w;
}

static struct corm_where *where_of(const struct tree *t)
{
    if (t->how == LEAF)
        return where_of_leaf(&t->leaf);
    if (t->how == NOT) {
        struct corm_where *w = corm_where_new(arena);
        corm_where_and(w, corm_not(corm_where(where_of(t->left))));
        return w;
    }
    struct corm_where *w = where_of(t->left), *other = where_of(t->right);
    if (t->how == AND)
        corm_where_and(w, corm_where(other));
    else
        corm_where_or(w, corm_where(other));
    return w;
}

/* A pattern with wildcards and escapes in it. */
static const char *any_pattern(void)
{
    static const char *const parts[] = {"%",   "_", "!%", "!_", "!!",       "b", "olt",
                                        "nut", "a", "'",  "\\", "\xC3\xA4", " "};
    char                    *pattern = corm_arena_alloc(arena, 32);
    size_t                   size = 0;

    pattern[0] = '\0';
    for (uint64_t n = random_number(5); n > 0; n--)
        size +=
            (size_t)snprintf(pattern + size, 32 - size, "%s", parts[random_number(COUNT(parts))]);
    return pattern;
}

static struct leaf any_leaf(void)
{
    struct leaf l = {.kind = (enum kind)random_number(KINDS),
                     .op = (enum op)random_number(6),
                     .a = small(),
                     .b = small(),
                     .c = small(),
                     .r = any_price(),
                     .time = any_time(),
                     .s = any_text(),
                     .t = any_text()};

    if (l.kind == NAME_LIKE)
        l.s = any_pattern();
    if (l.kind == BOUGHT)
        l.s = chance(2) ? "ann" : "bob";
    if (l.kind == JSON_TEXT && !chance(3))
        l.s = chance(2) ? "x" : "O'Neil";
    if (l.kind == JSON_WHOLE && chance(3))
        l.a = 7;
    return l;
}

static const struct tree *any_tree(int depth)
{
    struct tree *t = corm_arena_alloc(arena, sizeof(*t));

    *t = (struct tree){.how = LEAF, .leaf = any_leaf()};
    if (depth > 0 && !chance(3)) {
        t->how = chance(5) ? NOT : chance(2) ? AND : OR;
        t->left = any_tree(depth - 1);
        t->right = any_tree(depth - 1);
    }
    return t;
}

/* What the message of a failure shows: the statement itself. */
static const char *text_of(struct corm_expr where)
{
    struct corm_sql_of of = {.dialect = corm_dialect_of(db), .arena = arena};

    return corm_count(&of, item, .where = where) < 0 ? "?" : of.text;
}

/* The rows of `items` that it holds for, in their order. */
static size_t matching(const struct tree *t, const struct item **found)
{
    size_t n = 0;

    for (int i = 0; i < ITEMS; i++)
        if (holds(t, &items[i]) == YES)
            found[n++] = &items[i];
    return n;
}

/* ---- Conditions ------------------------------------------------------------------------- */

static void assert_same_item(const struct item *a, const struct item *b)
{
    assert_int_equal(a->id, b->id);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->stock, b->stock);
    assert_int_equal(a->shelf.has, b->shelf.has);
    assert_true(a->price.has == b->price.has);
    assert_true(a->big == b->big && a->fragile == b->fragile);
    assert_true(a->added.has == b->added.has);
    assert_true((a->note == NULL) == (b->note == NULL));
    if (a->note != NULL)
        assert_string_equal(a->note, b->note);
    assert_string_equal(a->info, b->info);
}

static void random_conditions_find_the_rows_that_they_hold_for(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        const struct item *wanted[ITEMS];
        struct item       *rows;
        corm_arena_reset(arena);
        const struct tree *t = any_tree(3);
        struct corm_expr   where = corm_where(where_of(t));
        size_t             n = matching(t, wanted);
        int rc = corm_all(db, item, &rows, .where = where, .order = {corm_asc(item.id)},
                          .arena = arena, .error = &error);
        assert_ok(rc, &error);
        if ((size_t)rc != n)
            fail_msg("seed %llu, round %d: %d rows, not %zu: %s", (unsigned long long)seed, round,
                     rc, n, text_of(where));
        for (size_t i = 0; i < n; i++)
            assert_same_item(&rows[i], wanted[i]);
        assert_rows(corm_count(db, item, .where = where, .error = &error), n, &error);
        assert_rows(corm_exists(db, item, .where = where, .error = &error), n > 0, &error);
    }
}

/* Each kind of condition alone, with each operator, so that none depends on luck. */
static void every_kind_of_condition_finds_its_rows(void **unused)
{
    (void)unused;
    for (int kind = 0; kind < KINDS; kind++)
        for (int op = EQ; op <= GE; op++)
            for (int times = 0; times < 6; times++) {
                const struct item *wanted[ITEMS];
                corm_arena_reset(arena);
                struct tree t = {.how = LEAF, .leaf = any_leaf()};
                t.leaf.kind = (enum kind)kind;
                t.leaf.op = (enum op)op;
                if (t.leaf.kind == NAME_LIKE)
                    t.leaf.s = any_pattern();
                struct corm_expr where = corm_where(where_of(&t));
                size_t           n = matching(&t, wanted);
                int64_t          count = corm_count(db, item, .where = where, .error = &error);
                if (count != (int64_t)n)
                    fail_msg("seed %llu, kind %d: %lld rows, not %zu: %s %s",
                             (unsigned long long)seed, kind, (long long)count, n, text_of(where),
                             error.message);
            }
}

/* ---- Numbers -------------------------------------------------------------------------------- */

static bool is_near(double a, double b)
{
    double d = a - b;

    return (d < 0 ? -d : d) <= 1e-9 * (1 + (b < 0 ? -b : b));
}

static void numbers_of_random_rows_are_exact(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS / 4; round++) {
        const struct item *found[ITEMS];
        corm_arena_reset(arena);
        const struct tree *t = any_tree(1);
        struct corm_expr   where = corm_where(where_of(t));
        size_t             n = matching(t, found), prices = 0, names = 0;
        int64_t            sum = -1, big = -1, least = -1, most = -1, latest = -1, ref_latest = 0;
        double             average = -1, costs = -1, ref_costs = 0;
        const char        *last = NULL, *ref_last = NULL;
        int64_t            ref_sum = 0, ref_big = 0, ref_least = 99, ref_most = -99;
        for (size_t i = 0; i < n; i++) {
            bool first = true;
            ref_sum += found[i]->stock;
            ref_big += found[i]->big;
            ref_least = found[i]->stock < ref_least ? found[i]->stock : ref_least;
            ref_most = found[i]->stock > ref_most ? found[i]->stock : ref_most;
            if (found[i]->price.has) {
                ref_costs += found[i]->price.value;
                prices++;
            }
            if (found[i]->added.has && found[i]->added.value > ref_latest)
                ref_latest = found[i]->added.value;
            if (ref_last == NULL || strcmp(found[i]->name, ref_last) > 0)
                ref_last = found[i]->name;
            for (size_t k = 0; k < i; k++)
                first = first && !is_same(found[i]->name, found[k]->name);
            names += first;
        }
        assert_rows(corm_sum(db, item, item.stock, &sum, .where = where, .error = &error), n > 0,
                    &error);
        assert_rows(corm_sum(db, item, item.big, &big, .where = where, .error = &error), n > 0,
                    &error);
        assert_rows(corm_min(db, item, item.stock, &least, .where = where, .error = &error), n > 0,
                    &error);
        assert_rows(corm_max(db, item, item.stock, &most, .where = where, .error = &error), n > 0,
                    &error);
        assert_rows(corm_avg(db, item, item.stock, &average, .where = where, .error = &error),
                    n > 0, &error);
        assert_rows(corm_sum(db, item, item.price, &costs, .where = where, .error = &error),
                    prices > 0, &error);
        assert_rows(corm_max(db, item, item.added, &latest, .where = where, .error = &error),
                    ref_latest > 0, &error);
        assert_rows(
            corm_max(db, item, item.name, &last, .where = where, .arena = arena, .error = &error),
            n > 0, &error);
        assert_rows(corm_count_distinct(db, item, item.name, .where = where, .error = &error),
                    names, &error);
        if (n == 0) {
            assert_true(sum == -1 && least == -1 && average == -1 &&
                        last == NULL); /* as they were */
            continue;
        }
        assert_true(sum == ref_sum && big == ref_big && least == ref_least && most == ref_most);
        assert_true(is_near(average, (double)ref_sum / (double)n));
        assert_true(prices == 0 || is_near(costs, ref_costs));
        assert_true(ref_latest == 0 || latest == ref_latest);
        assert_string_equal(last, ref_last);
    }
}

static void a_sum_beyond_64_bits_is_an_error_and_one_at_their_end_is_exact(void **unused)
{
    int64_t sum = -1;

    (void)unused;
    assert_ok(corm_delete(db, item, corm_everything(), .error = &error), &error);
    struct item two[] = {{.id = 1, .name = "a", .info = "", .big = INT64_MAX - 5},
                         {.id = 2, .name = "b", .info = "", .big = 5}};
    assert_ok(corm_insert_rows(db, item, 2, two, .error = &error), &error);
    assert_rows(corm_sum(db, item, item.big, &sum, .error = &error), 1, &error);
    assert_true(sum == INT64_MAX);
    assert_rows(corm_update(db, item, corm_eq(item.id, 2), corm_set(item.big, 6), .error = &error),
                1, &error);
    sum = -1;
    assert_code(corm_sum(db, item, item.big, &sum, .error = &error), CORM_OUT_OF_RANGE, &error);
    assert_true(sum == -1);
    error = (struct corm_error){0};
    struct sales *rows;
    int           rc = corm_select(
                  db, sales, &rows, item,
                  corm_columns(corm_as_max(sales.name, item.name), corm_as_sum(sales.pieces, item.big)),
                  .arena = arena, .error = &error);
    if (rc != CORM_OUT_OF_RANGE && rc != CORM_BAD_VALUE)
        fail_msg("%d: %s", rc, error.message);
    assert_ok(corm_delete(db, item, corm_everything(), .error = &error), &error);
    two[0].big = two[1].big = INT64_MIN / 2;
    assert_ok(corm_insert_rows(db, item, 2, two, .error = &error), &error);
    assert_rows(corm_sum(db, item, item.big, &sum, .error = &error), 1, &error);
    assert_true(sum == INT64_MIN);
}

/* 1/3, which MariaDB's own AVG() of whole numbers rounds to four digits. */
static void an_average_of_whole_numbers_is_not_rounded(void **unused)
{
    double average = 0;

    (void)unused;
    assert_ok(corm_delete(db, item, corm_ge(item.id, 8), .error = &error), &error);
    assert_ok(corm_update(db, item, corm_everything(), corm_set(item.stock, 0), .error = &error),
              &error);
    assert_ok(corm_update(db, item, corm_eq(item.id, 1), corm_set(item.stock, 1), .error = &error),
              &error);
    assert_rows(corm_avg(db, item, item.stock, &average, .error = &error), 1, &error);
    assert_true(is_near(average, 1.0 / 3));
}

/* ---- Groups ---------------------------------------------------------------------------------- */

static bool same_shelf(const struct item *a, const struct item *b)
{
    return a->shelf.has == b->shelf.has && (!a->shelf.has || a->shelf.value == b->shelf.value);
}

/* The group of one item, as it should come. */
static struct totals totals_of(const struct item *const *found, size_t n, const struct item *one)
{
    struct totals t = {.shelf = one->shelf, .last_name = ""};

    for (size_t i = 0; i < n; i++) {
        const struct item *row = found[i];
        bool               first = true;
        if (!same_shelf(row, one))
            continue;
        t.items++;
        t.stock += row->stock;
        t.average += row->stock;
        if (row->price.has) {
            t.priced++;
            if (!t.cheapest.has || row->price.value < t.cheapest.value)
                t.cheapest = row->price;
        }
        if (row->added.has && (!t.latest.has || row->added.value > t.latest.value))
            t.latest = row->added;
        if (strcmp(row->name, t.last_name) > 0)
            t.last_name = row->name;
        for (size_t k = 0; k < i; k++)
            first = first && !(same_shelf(found[k], one) && is_same(found[k]->name, row->name));
        t.names += first;
    }
    t.average /= (double)t.items;
    return t;
}

static void assert_same_totals(const struct totals *a, const struct totals *b)
{
    assert_true(a->items == b->items && a->priced == b->priced && a->names == b->names);
    assert_true(a->stock == b->stock && is_near(a->average, b->average));
    assert_true(a->cheapest.has == b->cheapest.has && a->latest.has == b->latest.has);
    assert_true(!a->cheapest.has || a->cheapest.value == b->cheapest.value);
    assert_true(!a->latest.has || a->latest.value == b->latest.value);
    assert_string_equal(a->last_name, b->last_name);
}

static void groups_of_random_rows_are_what_they_hold(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS / 4; round++) {
        const struct item *found[ITEMS];
        struct totals      wanted[ITEMS] = {0}, *rows;
        corm_arena_reset(arena);
        const struct tree *t = any_tree(1);
        size_t             n = matching(t, found), groups = 0;
        int                floor = small(), count = (int)random_number(6);
        for (size_t i = 0; i < n; i++) {
            bool first = true;
            for (size_t k = 0; k < i; k++)
                first = first && !same_shelf(found[k], found[i]);
            struct totals one = totals_of(found, n, found[i]);
            if (first && one.stock > floor && (one.items >= count || !one.shelf.has))
                wanted[groups++] = one;
        }
        int rc = corm_select(
            db, totals, &rows, item,
            corm_columns(
                corm_as_avg(totals.average, item.stock), corm_as(totals.shelf, item.shelf),
                corm_as_count(totals.items), corm_as_count_of(totals.priced, item.price),
                corm_as_count_distinct(totals.names, item.name),
                corm_as_sum(totals.stock, item.stock), corm_as_min(totals.cheapest, item.price),
                corm_as_max(totals.latest, item.added), corm_as_max(totals.last_name, item.name)),
            .where = corm_where(where_of(t)), .group = corm_by(item.shelf),
            .having = corm_and(corm_gt(totals.stock, floor),
                               corm_or(corm_ge(totals.items, count), corm_is_null(totals.shelf))),
            .order = {corm_asc(totals.shelf)}, .arena = arena, .error = &error);
        assert_rows(rc, groups, &error);
        for (int i = 0; i < rc; i++) {
            size_t k = 0;
            assert_true(i == 0 || !rows[i].shelf.has || !rows[i - 1].shelf.has ||
                        rows[i - 1].shelf.value < rows[i].shelf.value);
            while (k < groups &&
                   (wanted[k].shelf.has != rows[i].shelf.has ||
                    (rows[i].shelf.has && wanted[k].shelf.value != rows[i].shelf.value)))
                k++;
            assert_true(k < groups);
            assert_same_totals(&rows[i], &wanted[k]);
        }
    }
}

static void distinct_rows_come_once(void **unused)
{
    struct pair *rows, *all;
    size_t       n = 0;

    (void)unused;
    for (int i = 0; i < ITEMS; i++) {
        bool first = true;
        for (int k = 0; k < i; k++)
            first = first &&
                    !(same_shelf(&items[k], &items[i]) && items[k].fragile == items[i].fragile);
        n += first;
    }
    assert_rows(corm_select(db, pair, &rows, item,
                            corm_columns(corm_as(pair.shelf, item.shelf),
                                         corm_as(pair.fragile, item.fragile)),
                            .distinct = true, .order = {corm_desc(pair.shelf)}, .arena = arena,
                            .error = &error),
                n, &error);
    assert_rows(corm_select(db, pair, &all, item,
                            corm_columns(corm_as(pair.fragile, item.fragile),
                                         corm_as(pair.shelf, item.shelf)),
                            .order = {corm_asc(item.id)}, .limit = 10, .offset = 5, .arena = arena,
                            .error = &error),
                10, &error);
    for (int i = 0; i < 10; i++)
        assert_true(all[i].fragile == items[i + 5].fragile &&
                    all[i].shelf.has == items[i + 5].shelf.has);
}

static void a_sum_of_nothing_wants_a_column_that_may_be_null(void **unused)
{
    struct sales *rows;

    (void)unused;
    assert_code(corm_select(db, sales, &rows, item,
                            corm_columns(corm_as_max(sales.name, item.name),
                                         corm_as_sum(sales.pieces, item.stock)),
                            .where = corm_lt(item.id, 0), .arena = arena, .error = &error),
                CORM_BAD_VALUE, &error);
}

/* ---- Joins ------------------------------------------------------------------------------------ */

static void inner_joins_give_every_pair(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS / 10; round++) {
        const struct deal *wanted_deals[DEALS];
        const struct item *wanted_items[DEALS];
        struct deal       *found_deals;
        struct item       *found_items;
        int                n = 0;
        corm_arena_reset(arena);
        const struct tree *t = any_tree(1);
        int                floor = small();
        for (int i = 0; i < DEALS; i++)
            for (int k = 0; k < ITEMS; k++)
                if (deals[i].item_id.has && deals[i].item_id.value == items[k].id &&
                    deals[i].qty > floor && holds(t, &items[k]) == YES) {
                    wanted_deals[n] = &deals[i];
                    wanted_items[n++] = &items[k];
                }
        /* A sub-query on deals would name them twice. */
        struct corm_sql_of of = {.dialect = corm_dialect_of(db), .arena = arena};
        if (corm_count(&of, deal, .join = corm_joins(corm_join(item, NULL, corm_everything())),
                       .where = corm_where(where_of(t))) == CORM_MISUSE)
            continue;
        assert_rows(corm_all(db, deal, &found_deals,
                             .join = corm_joins(
                                 corm_join(item, &found_items, corm_eq(deal.item_id, item.id))),
                             .where = corm_and(corm_where(where_of(t)), corm_gt(deal.qty, floor)),
                             .order = {corm_asc(deal.id)}, .arena = arena, .error = &error),
                    n, &error);
        for (int i = 0; i < n; i++) {
            assert_true(found_deals[i].id == wanted_deals[i]->id &&
                        found_deals[i].qty == wanted_deals[i]->qty);
            assert_string_equal(found_deals[i].buyer, wanted_deals[i]->buyer);
            assert_same_item(&found_items[i], wanted_items[i]);
        }
        assert_rows(
            corm_count(db, deal,
                       .join = corm_joins(corm_join(item, NULL, corm_eq(deal.item_id, item.id))),
                       .where = corm_and(corm_where(where_of(t)), corm_gt(deal.qty, floor)),
                       .error = &error),
            n, &error);
    }
}

static const struct item *item_of(const struct deal *d)
{
    return d->item_id.has && d->item_id.value % 3 == 1 && d->item_id.value < ITEMS * 3
               ? &items[d->item_id.value / 3]
               : NULL;
}

static void left_joins_keep_rows_without_a_partner(void **unused)
{
    struct deal  *found, one;
    struct item **partners, *partner = &items[0];
    int           lonely = 0;

    (void)unused;
    assert_rows(corm_all(db, deal, &found,
                         .join = corm_joins(
                             corm_left_join(item, &partners, corm_eq(deal.item_id, item.id))),
                         .order = {corm_asc(deal.id)}, .arena = arena, .error = &error),
                DEALS, &error);
    for (int i = 0; i < DEALS; i++) {
        const struct item *wanted = item_of(&deals[i]);
        assert_true(found[i].id == deals[i].id);
        assert_true((partners[i] == NULL) == (wanted == NULL));
        if (wanted != NULL && partners[i] != NULL)
            assert_same_item(partners[i], wanted);
        lonely += wanted == NULL;
    }
    assert_true(lonely > 0 && lonely < DEALS);
    assert_rows(
        corm_count(db, deal,
                   .join = corm_joins(corm_left_join(item, NULL, corm_eq(deal.item_id, item.id))),
                   .where = corm_is_null(item.id), .error = &error),
        lonely, &error);
    assert_rows(corm_first(db, deal, &one,
                           .join = corm_joins(
                               corm_left_join(item, &partner, corm_eq(deal.item_id, item.id))),
                           .where = corm_is_null(item.id), .order = {corm_desc(deal.id)},
                           .arena = arena, .error = &error),
                1, &error);
    assert_null(partner);
    partner = &items[0];
    assert_rows(corm_first(db, deal, &one,
                           .join = corm_joins(
                               corm_left_join(item, &partner, corm_eq(deal.item_id, item.id))),
                           .where = corm_lt(deal.id, 0), .arena = arena, .error = &error),
                0, &error);
    assert_ptr_equal(partner, &items[0]); /* as it was */
}

static void a_table_joins_itself_by_an_alias(void **unused)
{
    struct worker *found, **bosses, **uppers;
    CORM_ALIAS(boss, worker);
    CORM_ALIAS(upper, worker);

    (void)unused;
    assert_rows(corm_all(db, worker, &found,
                         .join = corm_joins(
                             corm_left_join(boss, &bosses, corm_eq(worker.boss_id, boss.id)),
                             corm_left_join(upper, &uppers, corm_eq(boss.boss_id, upper.id))),
                         .where = corm_or(corm_is_null(boss.id), corm_le(boss.id, WORKERS)),
                         .order = {corm_desc(worker.id)}, .arena = arena, .error = &error),
                WORKERS, &error);
    for (int i = 0; i < WORKERS; i++) {
        const struct worker *w = &workers[WORKERS - 1 - i];
        bool                 has = w->boss_id.has && w->boss_id.value < WORKERS;
        assert_int_equal(found[i].id, w->id);
        assert_true((bosses[i] != NULL) == has);
        assert_true(has || uppers[i] == NULL);
        if (bosses[i] == NULL)
            continue;
        const struct worker *b = &workers[w->boss_id.value];
        assert_int_equal(bosses[i]->id, b->id);
        assert_string_equal(bosses[i]->name, b->name);
        assert_true((uppers[i] != NULL) == (b->boss_id.has && b->boss_id.value < WORKERS));
        if (uppers[i] != NULL)
            assert_int_equal(uppers[i]->id, b->boss_id.value);
    }
}

static void the_same_statement_with_other_aliases_reads_right(void **unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++) { /* the third time all is prepared and bound */
        struct worker w, b;
        CORM_ALIAS(boss, worker);
        assert_ok(corm_first(db, worker, &w,
                             .join = corm_joins(corm_join(boss, &b, corm_eq(boss.id, i))),
                             .where = corm_eq(worker.id, i + 1), .arena = arena, .error = &error),
                  &error);
        assert_true(w.id == i + 1 && b.id == i);
    }
}

static int join_cells(bool real)
{
    struct cell        c;
    struct worker      w;
    struct real_worker r;

    if (real)
        return corm_first(db, real_worker, &r,
                          .join = corm_joins(corm_join(cell, &c, corm_eq(cell.line, 1))),
                          .where = corm_eq(real_worker.id, 3), .arena = arena, .error = &error);
    return corm_first(db, worker, &w,
                      .join = corm_joins(corm_join(cell, &c, corm_eq(cell.line, 1))),
                      .where = corm_eq(worker.id, 3), .arena = arena, .error = &error);
}

/* On SQLite the table has whole numbers in it, whatever is asked for. */
static void models_of_one_table_are_bound_each_by_its_own_types(void **unused)
{
    (void)unused;
    for (int i = 0; i < 6; i++) {
        corm_arena_reset(arena);
        assert_rows(join_cells(i % 2 == 0), 1, &error);
    }
}

static void groups_of_joined_tables_are_summed(void **unused)
{
    struct sales *rows;
    int64_t       pieces = 0, total = 0, sum = 0;

    (void)unused;
    int n = corm_select(
        db, sales, &rows, deal,
        corm_columns(corm_as(sales.name, item.name), corm_as_sum(sales.pieces, deal.qty)),
        .join = corm_joins(corm_join(item, NULL, corm_eq(deal.item_id, item.id))),
        .group = corm_by(item.name), .order = {corm_desc(sales.pieces)}, .arena = arena,
        .error = &error);
    assert_ok(n, &error);
    for (int i = 0; i < n; i++) {
        int64_t of_name = 0;
        for (int k = 0; k < DEALS; k++)
            if (item_of(&deals[k]) != NULL && strcmp(item_of(&deals[k])->name, rows[i].name) == 0)
                of_name += deals[k].qty;
        assert_true(of_name == rows[i].pieces);
        assert_true(i == 0 || rows[i].pieces <= rows[i - 1].pieces);
        pieces += rows[i].pieces;
    }
    for (int k = 0; k < DEALS; k++)
        total += item_of(&deals[k]) != NULL ? deals[k].qty : 0;
    assert_true(pieces == total);
    assert_rows(corm_sum(db, deal, deal.qty, &sum,
                         .join = corm_joins(corm_join(item, NULL, corm_eq(deal.item_id, item.id))),
                         .error = &error),
                1, &error);
    assert_true(sum == total);
}

static void sub_queries_of_the_same_table_see_it_by_an_alias(void **unused)
{
    int64_t n = 0;
    CORM_ALIAS(other, item);

    (void)unused;
    for (int i = 0; i < ITEMS; i++) {
        bool twin = false;
        for (int k = 0; k < ITEMS; k++)
            twin =
                twin || (k != i && strcmp(items[k].name, items[i].name) == 0 && items[k].stock > 0);
        n += twin;
    }
    assert_rows(corm_count(db, item,
                           .where = corm_exists_query(
                               other, .where = corm_and(corm_eq(other.name, item.name),
                                                        corm_ne(other.id, item.id),
                                                        corm_gt(other.stock, 0))),
                           .error = &error),
                n, &error);
    assert_code(corm_count(db, item, .where = corm_exists_query(item), .error = &error),
                CORM_MISUSE, &error);
    assert_says(&error, "named twice");
}

static void writes_take_sub_queries(void **unused)
{
    int64_t n = 0;

    (void)unused;
    for (int i = 0; i < DEALS; i++)
        n += item_of(&deals[i]) != NULL && item_of(&deals[i])->fragile;
    assert_rows(
        corm_update(db, deal,
                    corm_exists_query(item, .where = corm_and(corm_eq(item.id, deal.item_id),
                                                              corm_eq(item.fragile, true))),
                    corm_set(deal.qty, 1000), .error = &error),
        n, &error);
    assert_rows(corm_delete(db, deal,
                            corm_in_query(deal.item_id, item, item.id,
                                          .where = corm_eq(item.fragile, true)),
                            .error = &error),
                n, &error);
    assert_rows(corm_count(db, deal, .where = corm_eq(deal.qty, 1000), .error = &error), 0, &error);
}

static void a_write_may_ask_the_table_that_it_writes(void **unused)
{
    int64_t n = 0;
    CORM_ALIAS(other, item);

    (void)unused;
    for (int i = 0; i < ITEMS; i++) {
        bool twin = false;
        for (int k = 0; k < i; k++)
            twin = twin || strcmp(items[k].name, items[i].name) == 0;
        n += twin;
    }
    const struct corm_expr twins = corm_exists_query(
        other, .where = corm_and(corm_eq(other.name, item.name), corm_lt(other.id, item.id)));
    assert_rows(corm_update(db, item, twins, corm_set(item.big, 7777), .error = &error), n, &error);
    assert_rows(corm_delete(db, item, twins, .error = &error), n, &error);
    assert_rows(corm_count(db, item, .error = &error), ITEMS - n, &error);
    assert_rows(corm_count_distinct(db, item, item.name, .error = &error), ITEMS - n, &error);
}

/* NOT IN (..., NULL) of SQL is never true. */
static void not_in_a_query_passes_over_null(void **unused)
{
    int64_t n = 0;

    (void)unused;
    for (int i = 0; i < ITEMS; i++) {
        bool sold = false;
        for (int k = 0; k < DEALS; k++)
            sold = sold || item_of(&deals[k]) == &items[i];
        n += !sold;
    }
    assert_true(n > 0);
    assert_rows(corm_count(db, item, .where = corm_not(corm_in_query(item.id, deal, deal.item_id)),
                           .error = &error),
                n, &error);
}

/* ---- Locks --------------------------------------------------------------------------------------- */

static int lock_both(struct corm_trx *trx, void *arg)
{
    struct deal d;
    struct item i;
    int         rc = corm_first(trx, deal, &d,
                                .join = corm_joins(corm_join(item, &i, corm_eq(deal.item_id, item.id))),
                                .order = {corm_asc(deal.id)}, .lock = CORM_FOR_UPDATE);

    if (rc <= 0)
        return rc;
    *(struct corm_counters *)arg = stats_of(db);
    /* Both rows are held: these are buffered, and go with the commit. */
    rc = corm_update(trx, item, corm_eq(item.id, i.id), corm_set(item.stock, 77));
    if (rc == 1)
        rc = corm_update(trx, item, corm_eq(item.id, i.id), corm_set(item.big, 78));
    return rc;
}

static void a_locked_join_holds_the_rows_of_both_tables(void **unused)
{
    struct corm_counters before;

    (void)unused;
    assert_rows(corm_transact(db, lock_both, &before, .error = &error), 1, &error);
    struct corm_counters after = stats_of(db);
    assert_rows(corm_count(db, item,
                           .where = corm_and(corm_eq(item.stock, 77), corm_eq(item.big, 78)),
                           .error = &error),
                1, &error);
    if (is_mariadb()) /* the batch is prepared and run */
        assert_true(after.round_trips - before.round_trips <= 2);
}

/* The transactions of two connections, on the same rows of two tables. */
static void a_locked_join_meets_other_locks_as_asked(void **unused)
{
    struct corm_trx *one, *other;
    struct deal      d, *many;
    struct item      i, *partners;

    (void)unused;
    assert_ok(corm_begin(db, &one, .error = &error), &error);
    assert_ok(corm_begin(db, &other, .error = &error), &error);
    const struct deal *sold = deals;
    while (item_of(sold) == NULL)
        sold++;
    assert_rows(corm_first(one, item, &i, .where = corm_eq(item.id, sold->item_id.value),
                           .lock = CORM_FOR_UPDATE, .error = &error),
                1, &error);
    assert_code(corm_first(other, deal, &d,
                           .join = corm_joins(corm_join(item, &i, corm_eq(deal.item_id, item.id))),
                           .where = corm_eq(deal.id, sold->id), .lock = CORM_FOR_UPDATE,
                           .nowait = true, .error = &error),
                CORM_LOCKED, &error);
    error = (struct corm_error){0};
    assert_rows(
        corm_all(other, deal, &many,
                 .join = corm_joins(corm_join(item, &partners, corm_eq(deal.item_id, item.id))),
                 .where = corm_eq(deal.id, sold->id), .lock = CORM_FOR_SHARE, .skip_locked = true,
                 .error = &error),
        0, &error);
    assert_null(many);
    assert_null(partners);
    corm_end(one);
    assert_rows(corm_first(other, deal, &d,
                           .join = corm_joins(corm_join(item, &i, corm_eq(deal.item_id, item.id))),
                           .where = corm_eq(deal.id, sold->id), .lock = CORM_FOR_UPDATE,
                           .nowait = true, .error = &error),
                1, &error);
    corm_end(other);
}

static void results_cannot_be_locked(void **unused)
{
    struct corm_trx *trx;
    struct sales    *rows;

    (void)unused;
    assert_ok(corm_begin(db, &trx, .error = &error), &error);
    assert_code(corm_select(trx, sales, &rows, deal,
                            corm_columns(corm_as(sales.name, deal.buyer),
                                         corm_as_sum(sales.pieces, deal.qty)),
                            .group = corm_by(deal.buyer), .lock = CORM_FOR_UPDATE, .error = &error),
                CORM_UNSUPPORTED, &error);
    corm_end(trx);
}

/* ---- Unions and pages -------------------------------------------------------------------------- */

static void unions_give_rows_once_or_twice(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS / 10; round++) {
        struct item *rows;
        int          once = 0, twice = 0, n = 0;
        corm_arena_reset(arena);
        const struct tree *a = any_tree(1), *b = any_tree(1);
        for (int i = 0; i < ITEMS; i++) {
            int times = (holds(a, &items[i]) == YES) + (holds(b, &items[i]) == YES);
            once += times > 0;
            twice += times;
        }
        n = corm_all(db, item, &rows, .where = corm_where(where_of(a)),
                     .unite = corm_union(.where = corm_where(where_of(b))),
                     .order = {corm_desc(item.stock), corm_asc(item.id)}, .arena = arena,
                     .error = &error);
        assert_rows(n, once, &error);
        for (int i = 1; i < n; i++)
            assert_true(rows[i - 1].stock > rows[i].stock ||
                        (rows[i - 1].stock == rows[i].stock && rows[i - 1].id < rows[i].id));
        assert_rows(corm_all(db, item, &rows, .where = corm_where(where_of(a)),
                             .unite = corm_union_all(.where = corm_where(where_of(b))),
                             .arena = arena, .error = &error),
                    twice, &error);
    }
}

static void pages_by_number_tell_the_total(void **unused)
{
    struct item *rows;
    int64_t      total = -1, wanted = 0;

    (void)unused;
    for (int i = 0; i < ITEMS; i++)
        wanted += items[i].stock > 0;
    for (uint64_t offset = 0; offset < ITEMS + 20; offset += 7) {
        total = -1;
        int64_t left = wanted - (int64_t)offset;
        assert_rows(corm_all(db, item, &rows, .where = corm_gt(item.stock, 0),
                             .order = {corm_asc(item.id)}, .limit = 7, .offset = offset,
                             .total = &total, .arena = arena, .error = &error),
                    left > 7   ? 7
                    : left > 0 ? left
                               : 0,
                    &error);
        assert_true(total == wanted);
    }
    struct deal *found;
    struct item *partners;
    total = wanted = 0;
    for (int i = 0; i < DEALS; i++)
        wanted += item_of(&deals[i]) != NULL;
    assert_rows(
        corm_all(db, deal, &found,
                 .join = corm_joins(corm_join(item, &partners, corm_eq(deal.item_id, item.id))),
                 .limit = 2, .total = &total, .arena = arena, .error = &error),
        2, &error);
    assert_true(total == wanted);
}

/* As the server sorts: NULL before all. */
static int order_of(const struct item *a, const struct item *b)
{
    if (a->shelf.has != b->shelf.has)
        return a->shelf.has ? 1 : -1;
    return a->shelf.has ? ORDER(a->shelf.value, b->shelf.value) : 0;
}

static void check_pages(bool shelf_desc, bool name_desc, uint64_t size)
{
    const struct item *last = NULL;
    bool               seen[ITEMS] = {false};
    int                n, all = 0;
    struct corm_order  order[] = {{item.shelf.column, shelf_desc}, {item.name.column, name_desc}};

    do {
        struct item *rows;
        n = corm_all(db, item, &rows, .order = {order[0], order[1]},
                     .after = corm_after(item, last), .limit = size, .arena = arena,
                     .error = &error);
        assert_ok(n, &error);
        for (int i = 0; i < n; i++) {
            struct item *row = &rows[i];
            assert_false(seen[row->id / 3]);
            seen[row->id / 3] = true;
            if (last != NULL) {
                int shelf = order_of(last, row), name = strcmp(last->name, row->name);
                assert_true(shelf_desc ? shelf >= 0 : shelf <= 0);
                assert_true(shelf != 0 || (name_desc ? name >= 0 : name <= 0));
                assert_true(shelf != 0 || name != 0 || last->id < row->id);
            }
            last = row;
        }
        all += n;
    } while (n == (int)size);
    assert_int_equal(all, ITEMS);
}

static void pages_by_key_give_every_row_once_in_order(void **unused)
{
    (void)unused;
    for (int i = 0; i < 4; i++)
        for (uint64_t size = 1; size <= 31; size += 6)
            check_pages((i & 1) != 0, (i & 2) != 0, size);
}

static void pages_by_a_key_of_two_columns(void **unused)
{
    const struct cell *last = NULL;
    int                n, all = 0;

    (void)unused;
    do {
        struct cell *rows;
        n = corm_all(db, cell, &rows,
                     .where = corm_or(corm_eq(cell.line, 1), corm_ge(cell.line, 0)),
                     .order = {corm_desc(cell.content)}, .after = corm_after(cell, last),
                     .limit = 4, .arena = arena, .error = &error);
        assert_ok(n, &error);
        for (int i = 0; i < n; i++) {
            const struct cell *row = &rows[i];
            if (last != NULL && last->content.has == row->content.has &&
                last->content.value == row->content.value)
                assert_true(last->line < row->line ||
                            (last->line == row->line && last->place < row->place));
            else if (last != NULL && last->content.has)
                assert_true(!row->content.has || row->content.value < last->content.value);
            last = row;
        }
        all += n;
    } while (n == 4);
    assert_int_equal(all, CELLS);
}

/* ---- Texts of the caller's, plans ----------------------------------------------------------------- */

static void texts_find_the_places_of_a_struct_by_name(void **unused)
{
    struct sales *rows = NULL;
    int64_t       sum = 0, bought = 0;

    (void)unused;
    for (int i = 0; i < DEALS; i++)
        bought += strcmp(deals[i].buyer, "ann") == 0 ? deals[i].qty : 0;
    assert_rows(corm_sql_into(db, sales, &rows,
                              "SELECT SUM(qty) AS pieces, ? AS name FROM `deal of the day` "
                              "WHERE `the buyer` = ?",
                              corm_vals("a\n  b   c\\d'e", "ann"), .arena = arena, .error = &error),
                1, &error);
    assert_string_equal(rows[0].name, "a\n  b   c\\d'e");
    assert_rows(
        corm_sum(db, deal, deal.qty, &sum, .where = corm_eq(deal.buyer, "ann"), .error = &error), 1,
        &error);
    assert_true(rows[0].pieces == bought && sum == bought);
    struct item *all;
    assert_rows(corm_sql_into(db, item, &all, "SELECT * FROM item ORDER BY id", .arena = arena,
                              .error = &error),
                ITEMS, &error);
    for (int i = 0; i < ITEMS; i++)
        assert_same_item(&all[i], &items[i]);
}

static void a_text_with_other_columns_is_refused(void **unused)
{
    struct sales *rows = NULL;

    (void)unused;
    assert_code(corm_sql_into(db, sales, &rows, "SELECT 'a' AS name, 1 AS pieces, 2 AS extra",
                              .arena = arena, .error = &error),
                CORM_NO_COLUMN, &error);
    assert_says(&error, "extra");
    error = (struct corm_error){0};
    assert_code(
        corm_sql_into(db, sales, &rows, "SELECT 'a' AS name", .arena = arena, .error = &error),
        CORM_NO_COLUMN, &error);
    assert_says(&error, "pieces");
    error = (struct corm_error){0};
    assert_code(corm_sql_into(db, sales, &rows, "SELECT 'a' AS name, 1 AS pieces, 'b' AS name",
                              .arena = arena, .error = &error),
                CORM_NO_COLUMN, &error);
    assert_says(&error, "two columns name");
    error = (struct corm_error){0};
    assert_code(corm_sql_into(db, sales, &rows, "SELECT 'a' AS name, NULL AS pieces",
                              .arena = arena, .error = &error),
                CORM_BAD_VALUE, &error);
    error = (struct corm_error){0};
    assert_code(corm_sql_into(db, sales, &rows, "SELECT 'a' AS name, 'x7' AS pieces",
                              .arena = arena, .error = &error),
                CORM_BAD_VALUE, &error);
    assert_hides(&error, "x7");
    assert_null(rows);
}

/* On a db what comes back wants an arena of the caller's. */
static void what_comes_back_wants_a_home(void **unused)
{
    struct corm_rows plan = {0};
    struct sales    *rows = NULL;
    struct deal      d, *all;
    struct item      i, *partners;
    const char      *name = NULL;

    (void)unused;
#define HOMELESS(call)                                                                             \
    do {                                                                                           \
        error = (struct corm_error){0};                                                            \
        int rc = (call);                                                                           \
        assert_code(rc, CORM_MISUSE, &error);                                                      \
        assert_says(&error, ".arena");                                                             \
    } while (0)
    HOMELESS(corm_first(db, deal, &d, .join = corm_joins(corm_join(item, &i, corm_everything())),
                        .error = &error));
    HOMELESS(corm_all(db, deal, &all,
                      .join = corm_joins(corm_join(item, &partners, corm_everything())),
                      .error = &error));
    HOMELESS(corm_max(db, item, item.name, &name, .error = &error));
    HOMELESS(corm_sql_into(db, sales, &rows, "SELECT 1", .error = &error));
    HOMELESS(corm_explain(db, &plan, item, .error = &error));
    HOMELESS(
        corm_select(db, sales, &rows, item,
                    corm_columns(corm_as(sales.name, item.name), corm_as(sales.pieces, item.big)),
                    .error = &error));
    error = (struct corm_error){0};
    assert_null(name);
    assert_null(rows);
}

static void a_plan_is_told(void **unused)
{
    struct corm_rows plan = {0};

    (void)unused;
    assert_true(corm_explain(db, &plan, item, .where = corm_eq(item.id, 7), .arena = arena,
                             .error = &error) > 0);
    assert_true(plan.row_count > 0 && plan.column_count > 0);
    bool by_key = false;
    for (size_t i = 0; i < plan.row_count * plan.column_count; i++)
        if (plan.values[i].kind == CORM_V_TEXT)
            by_key = by_key || memmem(plan.values[i].as.s, plan.values[i].size,
                                      is_mariadb() ? "PRIMARY" : "PRIMARY KEY",
                                      is_mariadb() ? 7 : 11) != NULL;
    assert_true(by_key);
}

/* ---- What a value can take no way into ------------------------------------------------------------ */

/* Every text through every way a text can take; the rows that come back say that it stayed one. */
static void texts_stay_texts_on_every_way(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct item *rows, one;
        const char  *s = texts[i];
        int64_t      n = 0;
        corm_arena_reset(arena);
        for (int k = 0; k < ITEMS; k++)
            n += strcmp(items[k].name, s) == 0;
        assert_rows(corm_count(db, item, .where = corm_eq(item.name, s), .error = &error), n,
                    &error);
        assert_rows(corm_count(db, item, .where = corm_in(item.name, s, s), .error = &error), n,
                    &error);
        assert_rows(corm_count(db, item, .where = corm_in_list(item.name, &s, 1), .error = &error),
                    n, &error);
        assert_rows(corm_count(db, item, .where = corm_between(item.name, s, s), .error = &error),
                    n, &error);
        assert_rows(corm_count(db, item,
                               .where = corm_and(
                                   corm_starts_with(item.name, s), corm_ends_with(item.name, s),
                                   corm_contains(item.name, s), corm_le(item.name, s)),
                               .error = &error),
                    n, &error);
        one = items[0];
        one.id = 9999;
        one.name = one.note = s;
        assert_rows(corm_insert_row(db, item, &one, .error = &error), 1, &error);
        assert_rows(corm_all(db, item, &rows, .where = corm_eq(item.id, 9999), .arena = arena,
                             .error = &error),
                    1, &error);
        assert_same_item(rows, &one);
        assert_rows(corm_delete(db, item,
                                corm_and(corm_eq(item.note, s), corm_eq(item.name, item.note),
                                         corm_eq(item.id, 9999)),
                                .error = &error),
                    1, &error);
    }
}

static void json_paths_stay_paths(void **unused)
{
    static const char *const bad[] = {
        "",      "a",        "$.",           "$.a b",  "$[",       "$[x]",  "$.a'",
        "$.\"a", "$.a OR 1", "$.\"a\\\"b\"", "$..a",   "$.*",      "$.a\n", " $.a",
        "$[1",   "$[-1]",    "$[1].",        "$.a;--", "$.\"\n\"", "$**.a", "$[99999999999]"};
    static const char *const good[] = {"$", "$.a", "$[0]", "$.a.b[7].\"c d'%e`?--\"", "$._x9"};

    (void)unused;
    for (size_t i = 0; i < COUNT(bad); i++) {
        error = (struct corm_error){0};
        if (corm_count(db, item, .where = corm_eq(corm_json_int(item.info, bad[i]), 7),
                       .error = &error) != CORM_MISUSE)
            fail_msg("the path %s is taken", bad[i]);
    }
    error = (struct corm_error){0};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_ok(corm_count(db, item, .where = corm_eq(corm_json_text(item.info, good[i]), "x"),
                             .error = &error),
                  &error);
}

static void rows_are_sorted_by_json(void **unused)
{
    struct item *rows;
    int n = corm_all(db, item, &rows, .where = corm_not_null(corm_json_int(item.info, "$.a")),
                     .order = {corm_desc(corm_json_int(item.info, "$.a"))}, .arena = arena,
                     .error = &error);

    (void)unused;
    assert_ok(n, &error);
    for (int i = 1; i < n; i++)
        assert_true(info_of(&rows[i - 1])->whole >= info_of(&rows[i])->whole);
}

static void long_lists_are_bounded_and_found(void **unused)
{
    static int32_t numbers[32001];
    int64_t        n = 0;

    (void)unused;
    for (int i = 0; i < 32001; i++)
        numbers[i] = i;
    for (int i = 0; i < ITEMS; i++)
        n += items[i].stock >= 0;
    assert_rows(
        corm_count(db, item, .where = corm_in_list(item.stock, numbers, 16000), .error = &error), n,
        &error);
    assert_rows(
        corm_count(db, item, .where = corm_in_list(item.stock, numbers, 31000), .error = &error), n,
        &error);
    assert_code(
        corm_count(db, item, .where = corm_in_list(item.stock, numbers, 32001), .error = &error),
        CORM_TOO_LARGE, &error);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_condition_finds_its_rows),
        TEST(random_conditions_find_the_rows_that_they_hold_for),
        TEST(numbers_of_random_rows_are_exact),
        TEST(a_sum_beyond_64_bits_is_an_error_and_one_at_their_end_is_exact),
        TEST(an_average_of_whole_numbers_is_not_rounded),
        TEST(groups_of_random_rows_are_what_they_hold),
        TEST(distinct_rows_come_once),
        TEST(a_sum_of_nothing_wants_a_column_that_may_be_null),
        TEST(inner_joins_give_every_pair),
        TEST(left_joins_keep_rows_without_a_partner),
        TEST(a_table_joins_itself_by_an_alias),
        TEST(the_same_statement_with_other_aliases_reads_right),
        TEST(models_of_one_table_are_bound_each_by_its_own_types),
        TEST(groups_of_joined_tables_are_summed),
        TEST(sub_queries_of_the_same_table_see_it_by_an_alias),
        TEST(writes_take_sub_queries),
        TEST(a_write_may_ask_the_table_that_it_writes),
        TEST(not_in_a_query_passes_over_null),
        TEST(a_locked_join_holds_the_rows_of_both_tables),
        TEST(a_locked_join_meets_other_locks_as_asked),
        TEST(results_cannot_be_locked),
        TEST(unions_give_rows_once_or_twice),
        TEST(pages_by_number_tell_the_total),
        TEST(pages_by_key_give_every_row_once_in_order),
        TEST(pages_by_a_key_of_two_columns),
        TEST(texts_find_the_places_of_a_struct_by_name),
        TEST(a_text_with_other_columns_is_refused),
        TEST(what_comes_back_wants_a_home),
        TEST(a_plan_is_told),
        TEST(texts_stay_texts_on_every_way),
        TEST(json_paths_stay_paths),
        TEST(rows_are_sorted_by_json),
        TEST(long_lists_are_bounded_and_found),
    };

    support_begin(argc, argv);
    int failed = _cmocka_run_group_tests("reads", tests, COUNT(tests), NULL, NULL);
    support_end();
    return failed;
}
