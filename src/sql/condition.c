/* sql/condition.c -- conditions: to SQL, and put together at run time.
 *
 * One walk over the tree gives text and binds. LIKE is always written with ESCAPE '!': SQLite has no
 * escape character of its own, and MariaDB's backslash depends on the sql_mode. */
#include "base/arena.h"
#include "schema/row.h"
#include "sql/writer.h"

#include <string.h>

/* A list is bound value by value; what no server takes in one statement is refused. */
enum {
    SUBQUERY_DEPTH =
        5, /* SQLite's parser takes up to 12 places for a sub-query, and the AND in it */
    LIST_MAX = CORM__BINDS_MAX,
    MEMBERS_MAX =
        900, /* of nested ANDs and ORs: SQLite makes them a tree of 1,000 levels at most */
    PATTERN_MAX = 50000, /* SQLite's limit, in bytes */
};

static void put(struct corm__writer *w, const struct corm_expr *expr);

static const char *comparison(enum corm_op op)
{
    switch (op) {
    case CORM_EQ: return " = ";
    case CORM_NE: return " <> ";
    case CORM_LT: return " < ";
    case CORM_LE: return " <= ";
    case CORM_GT: return " > ";
    case CORM_GE: return " >= ";
    default: return NULL;
    }
}

/* `text` between wildcards, its own wildcards escaped. */
static struct corm_value pattern_of(struct corm__writer *w, const struct corm_expr *expr)
{
    const char *text = expr->value.as.s;
    char       *pattern = corm_arena_alloc(w->arena, 2 * strlen(text) + 3);
    char       *p = pattern;

    if (pattern == NULL) {
        corm__fail_memory(w->error, "the values of a statement");
        return corm_v_null_();
    }
    if (expr->op != CORM_STARTS_WITH)
        *p++ = '%';
    for (; *text != '\0'; text++) {
        if (*text == '%' || *text == '_' || *text == '!')
            *p++ = '!';
        *p++ = *text;
    }
    if (expr->op != CORM_ENDS_WITH)
        *p++ = '%';
    *p = '\0';
    return corm_v_text_(pattern);
}

/* What a ! at the end would mean, every server answers in its own way. */
static void check_pattern(struct corm__writer *w, const struct corm_value *pattern)
{
    size_t size, escapes = 0;

    if (pattern->kind != CORM_V_TEXT)
        return;
    size = pattern->size != 0 ? pattern->size : strlen(pattern->as.s);
    while (escapes < size && pattern->as.s[size - 1 - escapes] == '!')
        escapes++;
    if (escapes % 2 != 0)
        corm__fail(w->error, CORM_BAD_VALUE,
                   "the pattern of corm_like() ends in its escape character: write !! for one !");
    if (size > PATTERN_MAX)
        corm__fail(w->error, CORM_TOO_LARGE, "a pattern of LIKE has more than %d bytes",
                   PATTERN_MAX);
}

static void put_like(struct corm__writer *w, const struct corm_expr *expr)
{
    struct corm_value pattern = expr->value;

    if (expr->op != CORM_LIKE && pattern.kind == CORM_V_COLUMN) {
        corm__fail(w->error, CORM_MISUSE, "corm_starts_with() and the like take a text, no column");
        return;
    }
    if (expr->op != CORM_LIKE && pattern.kind == CORM_V_TEXT)
        pattern = pattern_of(w, expr);
    check_pattern(w, &pattern);
    if (w->error->code != 0)
        return;
    corm__put_column(w, expr->column);
    corm__put(w, " LIKE ");
    corm__put_value(w, expr->column, pattern, CORM__COMPARED);
    corm__put(w, " ESCAPE '!'");
}

static struct corm_value list_value(const struct corm_expr *expr, size_t i)
{
    switch (expr->list_type) {
    case CORM_LIST_INT32: return corm_v_int_(((const int32_t *)expr->list)[i]);
    case CORM_LIST_INT64: return corm_v_int_(((const int64_t *)expr->list)[i]);
    case CORM_LIST_DOUBLE: return corm_v_real_(((const double *)expr->list)[i]);
    case CORM_LIST_TEXT: return corm_v_text_(((const char *const *)expr->list)[i]);
    case CORM_LIST_INT8: return corm_v_int_(((const int8_t *)expr->list)[i]);
    case CORM_LIST_INT16: return corm_v_int_(((const int16_t *)expr->list)[i]);
    case CORM_LIST_UINT8: return corm_v_int_(((const uint8_t *)expr->list)[i]);
    case CORM_LIST_UINT16: return corm_v_int_(((const uint16_t *)expr->list)[i]);
    case CORM_LIST_UINT32: return corm_v_int_(((const uint32_t *)expr->list)[i]);
    case CORM_LIST_UINT64: return corm_v_uint_(((const uint64_t *)expr->list)[i]);
    case CORM_LIST_FLOAT: return corm_v_real_(((const float *)expr->list)[i]);
    case CORM_LIST_BLOB: return corm_v_blob_(((const struct corm_blob *)expr->list)[i]);
    case CORM_LIST_UUID: return corm_v_uuid_(((const struct corm_uuid *)expr->list)[i]);
    }
    return corm_v_null_();
}

static size_t list_count(const struct corm_expr *expr)
{
    size_t n = 0;

    if (expr->op == CORM_IN_LIST)
        return expr->count;
    for (const struct corm_value *v = expr->list; v->kind != CORM_V_NONE; v++)
        n++;
    return n;
}

/* How many values are put for `n`: their last one again and again, up to the next power of two, so that
 * lists of any length make a few texts and not one for each length; longer ones are as long as they are. */
static size_t padded(size_t n)
{
    enum { PADDED_MAX = 1024 };
    size_t size = 1;

    while (size < n)
        size *= 2;
    return size <= PADDED_MAX ? size : n;
}

static void put_in(struct corm__writer *w, const struct corm_expr *expr)
{
    size_t n = list_count(expr), size = padded(n);

    if (n == 0) {
        corm__fail(w->error, CORM_MISUSE,
                   "an IN list has no values: it would match nothing; leave "
                   "the statement out");
        return;
    }
    if (n > LIST_MAX) {
        corm__fail(w->error, CORM_TOO_LARGE,
                   "an IN list of %zu values, %d are the most: ask in parts", n, LIST_MAX);
        return;
    }
    corm__put_column(w, expr->column);
    for (size_t i = 0; i < size && w->error->code == 0; i++) {
        size_t at = i < n ? i : n - 1;
        corm__put(w, i == 0 ? " IN (" : ", ");
        corm__put_value(w, expr->column,
                        expr->op == CORM_IN ? ((const struct corm_value *)expr->list)[at]
                                            : list_value(expr, at),
                        CORM__COMPARED);
    }
    corm__put(w, ")");
}

static void put_between(struct corm__writer *w, const struct corm_expr *expr)
{
    const struct corm_value *bounds = expr->list;

    corm__put_column(w, expr->column);
    corm__put(w, " BETWEEN ");
    corm__put_value(w, expr->column, bounds[0], CORM__COMPARED);
    corm__put(w, " AND ");
    corm__put_value(w, expr->column, bounds[1], CORM__COMPARED);
}

static size_t member_count(const struct corm_expr *kids)
{
    size_t n = 0;

    while (kids[n].op != CORM_END)
        n++;
    return n;
}

static void put_joined(struct corm__writer *w, const struct corm_expr *expr)
{
    const struct corm_expr *kid = expr->kids;

    if (kid == NULL || kid->op == CORM_END) {
        corm__fail(
            w->error, CORM_MISUSE,
            "an AND, OR or NOT has no members, or nothing was added to a condition of corm_where_new(): it never means every row; add corm_everything() for that");
        return;
    }
    size_t members = member_count(kid);
    if ((w->members + members) * w->selects > MEMBERS_MAX) {
        corm__fail(w->error, CORM_TOO_LARGE,
                   "an AND or OR, with those around it, has more than %u members: corm_in_list() "
                   "takes more values",
                   MEMBERS_MAX / w->selects);
        return;
    }
    w->members += members;
    if (expr->op == CORM_NOT)
        corm__put(w, "NOT ");
    corm__put(w, "(");
    for (; kid->op != CORM_END && w->error->code == 0; kid++) {
        if (kid != expr->kids)
            corm__put(w, expr->op == CORM_AND ? " AND " : " OR ");
        put(w, kid);
    }
    corm__put(w, ")");
    w->members -= members;
}

static void put_one(struct corm__writer *w, const struct corm_expr *expr)
{
    switch (expr->op) {
    case CORM_EQ:
    case CORM_NE:
    case CORM_LT:
    case CORM_LE:
    case CORM_GT:
    case CORM_GE:
        corm__put_column(w, expr->column);
        corm__put(w, comparison(expr->op));
        corm__put_value(w, expr->column, expr->value, CORM__COMPARED);
        break;
    case CORM_LIKE:
    case CORM_STARTS_WITH:
    case CORM_ENDS_WITH:
    case CORM_CONTAINS: put_like(w, expr); break;
    case CORM_IN:
    case CORM_IN_LIST: put_in(w, expr); break;
    case CORM_BETWEEN: put_between(w, expr); break;
    case CORM_IN_QUERY:
    case CORM_EXISTS:
        w->depth += SUBQUERY_DEPTH - 1;
        corm__put_subquery(w, expr);
        w->depth -= SUBQUERY_DEPTH - 1;
        break;
    case CORM_IS_NULL:
    case CORM_NOT_NULL:
        corm__put_column(w, expr->column);
        corm__put(w, expr->op == CORM_IS_NULL ? " IS NULL" : " IS NOT NULL");
        break;
    case CORM_AND:
    case CORM_OR:
    case CORM_NOT: put_joined(w, expr); break;
    case CORM_TRUE: corm__put(w, "1 = 1"); break;
    case CORM_FAILED: corm__fail_memory(w->error, "a condition made at run time"); break;
    default:
        corm__fail(w->error, CORM_MISUSE,
                   "a condition is empty: nothing was put into it, and empty "
                   "never means every row; say corm_everything() for that");
    }
}

/* Sub-queries count as well: their conditions are put by the same writer. */
static void put(struct corm__writer *w, const struct corm_expr *expr)
{
    if (w->error->code != 0)
        return;
    if (w->depth > CORM__DEPTH_MAX) {
        corm__fail(w->error, CORM_MISUSE,
                   "a condition is nested deeper than %d, where a sub-query counts for %d",
                   CORM__DEPTH_MAX, SUBQUERY_DEPTH);
        return;
    }
    w->depth++;
    put_one(w, expr);
    w->depth--;
}

void corm__put_condition(struct corm__writer *w, const struct corm_expr *expr)
{
    put(w, expr);
}

void corm__put_where(struct corm__writer *w, const struct corm_expr *where)
{
    if (where->op == CORM_TRUE)
        return;
    corm__put(w, " WHERE ");
    corm__put_condition(w, where);
}

/* ---- Conditions put together at run time ----------------------------------
 *
 * `expr` is empty (CORM_NONE), the one condition that was added, or an AND or OR of ours, whose kids
 * are in the arena with room for more. An expression that was handed out by corm_where() shares the
 * kids: it is for the statement at hand, not for keeping while the condition grows. */

struct corm_where {
    struct corm_arena *arena;
    struct corm_expr   expr;
    struct corm_expr  *kids; /* expr.kids, where expr is an AND or OR of ours; else NULL */
    size_t             count, capacity;
};

struct corm_where *corm_where_new(struct corm_arena *arena)
{
    struct corm_where *where = arena != NULL ? corm_arena_alloc(arena, sizeof(*where)) : NULL;

    if (where != NULL)
        *where = (struct corm_where){.arena = arena};
    return where;
}

static bool copy_expr(struct corm_arena *arena, struct corm_expr *expr, int depth);

static bool copy_text(struct corm_arena *arena, const char **text, size_t size)
{
    *text = corm__arena_copy(arena, *text, size);
    return *text != NULL;
}

/* A column of a model stays where it is; one that stands for a value inside of JSON is of the block. */
static bool copy_column(struct corm_arena *arena, const struct corm_column **column)
{
    if (*column == NULL || (*column)->offset != CORM_NO_FIELD)
        return true;
    struct corm_json *copy = corm_arena_alloc(arena, sizeof(*copy));
    if (copy == NULL)
        return false;
    *copy = *(const struct corm_json *)*column;
    *column = &copy->column;
    if (copy->path != NULL && !copy_text(arena, &copy->path, strlen(copy->path)))
        return false;
    copy->column.name = copy->path;
    return true;
}

static bool copy_value(struct corm_arena *arena, struct corm_value *value)
{
    if (value->kind == CORM_V_COLUMN)
        return copy_column(arena, &value->as.c);
    if (value->kind == CORM_V_TEXT)
        return copy_text(arena, &value->as.s, value->size != 0 ? value->size : strlen(value->as.s));
    if (value->kind == CORM_V_BLOB && value->size <= INT32_MAX) /* or refused when it is put */
        return copy_text(arena, &value->as.s, value->size);
    return true;
}

static bool copy_list(struct corm_arena *arena, struct corm_expr *expr)
{
    size_t n = list_count(expr);

    if (n > LIST_MAX) /* stays as it is: it is refused when it is put */
        return true;
    struct corm_value *copy = corm_arena_alloc(arena, (n + 1) * sizeof(*copy));

    if (copy == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        copy[i] = expr->op == CORM_IN_LIST ? list_value(expr, i)
                                           : ((const struct corm_value *)expr->list)[i];
        if (!copy_value(arena, &copy[i]))
            return false;
    }
    copy[n] = (struct corm_value){.kind = CORM_V_NONE};
    if (expr->op == CORM_IN_LIST)
        expr->op = CORM_IN;
    expr->list = copy;
    return true;
}

static bool copy_joins(struct corm_arena *arena, const struct corm_join **joins, int depth)
{
    size_t n = 0;

    if (*joins == NULL)
        return true;
    while ((*joins)[n].table != NULL)
        n++;
    struct corm_join *copy = corm_arena_alloc(arena, (n + 1) * sizeof(*copy));
    if (copy == NULL)
        return false;
    memcpy(copy, *joins, (n + 1) * sizeof(*copy));
    *joins = copy;
    for (size_t i = 0; i < n; i++)
        if (!copy_expr(arena, &copy[i].on, depth))
            return false;
    return true;
}

/* Of a sub-query; what it does not take is refused when it is put. */
static bool copy_query(struct corm_arena *arena, const struct corm_query **query, int depth)
{
    struct corm_query *copy = corm_arena_alloc(arena, sizeof(*copy));

    if (copy == NULL)
        return false;
    *copy = **query;
    *query = copy;
    return copy_expr(arena, &copy->where, depth) && copy_joins(arena, &copy->join, depth);
}

static bool copy_kids(struct corm_arena *arena, struct corm_expr *expr, int depth)
{
    size_t            n = member_count(expr->kids);
    struct corm_expr *kids = corm_arena_alloc(arena, (n + 1) * sizeof(*kids));

    if (kids == NULL)
        return false;
    memcpy(kids, expr->kids, (n + 1) * sizeof(*kids));
    expr->kids = kids;
    for (size_t i = 0; i < n; i++)
        if (!copy_expr(arena, &kids[i], depth))
            return false;
    return true;
}

static bool copy_expr(struct corm_arena *arena, struct corm_expr *expr, int depth)
{
    bool ok = true;

    if (depth > CORM__DEPTH_MAX) /* refused when it is put */
        return true;
    if (expr->op == CORM_IN || expr->op == CORM_IN_LIST || expr->op == CORM_BETWEEN)
        ok = copy_list(arena, expr);
    if (ok && expr->query != NULL)
        ok = copy_query(arena, &expr->query, depth + 1);
    if (ok && expr->kids != NULL)
        ok = copy_kids(arena, expr, depth + 1);
    return ok && copy_column(arena, &expr->column) && copy_value(arena, &expr->value);
}

/* Makes `where` an `op` whose only member is what it was. */
static bool wrap(struct corm_where *where, enum corm_op op)
{
    enum { FIRST_CAPACITY = 8 };
    struct corm_expr *kids = corm_arena_alloc(where->arena, FIRST_CAPACITY * sizeof(*kids));

    if (kids == NULL)
        return false;
    kids[0] = where->expr;
    where->kids = kids;
    where->count = 1;
    where->capacity = FIRST_CAPACITY;
    where->expr = (struct corm_expr){.op = op, .kids = kids};
    return true;
}

static bool add_kid(struct corm_where *where, const struct corm_expr *expr)
{
    if (where->count + 1 >= where->capacity) { /* one more for the end */
        size_t            size = where->capacity * sizeof(struct corm_expr);
        struct corm_expr *kids = corm_arena_alloc(where->arena, 2 * size);
        if (kids == NULL)
            return false;
        memcpy(kids, where->kids, size); /* which stay, for those who were handed them */
        where->kids = kids;
        where->capacity *= 2;
    }
    where->kids[where->count++] = *expr;
    where->kids[where->count] = (struct corm_expr){.op = CORM_END};
    where->expr.kids = where->kids;
    return true;
}

static void add(struct corm_where *where, enum corm_op op, struct corm_expr expr)
{
    if (where == NULL || where->expr.op == CORM_FAILED)
        return;
    if (expr.op == CORM_NONE) /* stays in, as something that the statement refuses */
        expr = (struct corm_expr){.op = CORM_AND};
    bool ok = copy_expr(where->arena, &expr, 0);
    if (ok && where->expr.op == CORM_NONE) {
        where->expr = expr;
        return;
    }
    if (ok && (where->kids == NULL || where->expr.op != op))
        ok = wrap(where, op);
    if (!ok || !add_kid(where, &expr))
        where->expr = (struct corm_expr){.op = CORM_FAILED};
}

void corm_where_and(struct corm_where *where, struct corm_expr expr)
{
    add(where, CORM_AND, expr);
}

void corm_where_or(struct corm_where *where, struct corm_expr expr)
{
    add(where, CORM_OR, expr);
}

struct corm_expr corm_where(const struct corm_where *where)
{
    if (where == NULL)
        return (struct corm_expr){.op = CORM_FAILED};
    if (where->expr.op == CORM_NONE) /* an AND without members, which a statement refuses */
        return (struct corm_expr){.op = CORM_AND};
    return where->expr;
}
