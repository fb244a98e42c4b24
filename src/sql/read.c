/* sql/read.c -- statements that read.
 *
 *     SELECT what FROM table, joins  WHERE  GROUP BY  HAVING  UNION ...  ORDER BY  LIMIT  FOR UPDATE
 *
 * A read's *scope* is the tables that it names; check_read() refuses what one kind of read cannot
 * take, so that no option is left out in silence. */
#include "base/arena.h"
#include "schema/dialect.h"
#include "schema/row.h"
#include "sql/writer.h"

#include <stdio.h>
#include <string.h>

/* ---- Which options go together -------------------------------------------- */

static bool orders(const struct corm_query *query)
{
    return query->order[0].column != NULL;
}

static bool limits(const struct corm_query *query)
{
    return query->limit > 0 || query->offset > 0;
}

static bool has_condition(const struct corm_expr *expr)
{
    return expr->op != CORM_NONE || expr->column != NULL; /* what is neither is refused */
}

static int check_lock(enum corm__read_what what, const struct corm_query *query,
                      struct corm_error *error)
{
    bool locks = query->lock != CORM_NO_LOCK;

    if (query->nowait + query->skip_locked + (query->wait_ms > 0) > 1)
        return corm__fail(error, CORM_MISUSE, "nowait, skip_locked and wait_ms exclude each other");
    if (!locks && (query->nowait || query->skip_locked || query->wait_ms > 0))
        return corm__fail(error, CORM_MISUSE, "nowait, skip_locked and wait_ms want a .lock");
    if (locks && (what == CORM__CHOSEN || query->unite != NULL))
        return corm__fail(error, CORM_UNSUPPORTED,
                          "the rows of corm_select() and of a union cannot be locked: they are no "
                          "rows of a table");
    if (locks && what == CORM__EXPLAIN)
        return corm__fail(error, CORM_MISUSE, "corm_explain() takes no lock");
    return 0;
}

/* Of a read that gives one number. */
static int check_number(enum corm__read_what what, const struct corm_query *query,
                        struct corm_error *error)
{
    if (query->lock != CORM_NO_LOCK || limits(query) || orders(query))
        return corm__fail(error, CORM_MISUSE, "%s take no lock, limit or order",
                          what == CORM__NUMBER ? "sum, avg, min, max and count_distinct"
                                               : "count and exists");
    if (query->unite != NULL || query->after.table != NULL || query->total != NULL)
        return corm__fail(error, CORM_MISUSE,
                          "a read of one number takes no .unite, .after or .total");
    return 0;
}

/* What one condition of a union is, all else belongs to the whole. */
static int check_union(enum corm__read_what what, const struct corm_query *query,
                       struct corm_error *error)
{
    const struct corm_query *other = query->unite != NULL ? &query->unite->query : NULL;

    if (other == NULL)
        return 0;
    if (what == CORM__CHOSEN || query->join != NULL || query->after.table != NULL ||
        query->total != NULL)
        return corm__fail(error, CORM_UNSUPPORTED,
                          "a union takes no .join, .after or .total, and none is in corm_select()");
    if (limits(other) || orders(other) || other->lock != CORM_NO_LOCK || other->join != NULL ||
        other->unite != NULL || other->after.table != NULL || other->total != NULL ||
        other->group != NULL || other->distinct || has_condition(&other->having) ||
        other->arena != NULL || other->error != NULL)
        return corm__fail(error, CORM_MISUSE,
                          "corm_union() takes a .where alone: all else is of the whole read");
    return 0;
}

static int check_read(enum corm__read_what what, const struct corm_query *query,
                      struct corm_error *error)
{
    bool one = what == CORM__COUNT || what == CORM__EXISTS || what == CORM__NUMBER;

    if (check_lock(what, query, error) < 0 || check_union(what, query, error) < 0 ||
        (one && check_number(what, query, error) < 0))
        return error->code;
    if (what != CORM__CHOSEN &&
        (query->group != NULL || query->distinct || has_condition(&query->having)))
        return corm__fail(error, CORM_MISUSE,
                          ".group, .having and .distinct are for corm_select()");
    if (query->choose != NULL && what != CORM__CHOSEN && what != CORM__NUMBER)
        return corm__fail(error, CORM_MISUSE, ".choose is set by corm_select()");
    if (what == CORM__CHOSEN && query->after.table != NULL)
        return corm__fail(error, CORM_MISUSE, "corm_select() takes no .after");
    if (what != CORM__ROWS && query->total != NULL)
        return corm__fail(error, CORM_MISUSE, ".total is for corm_all()");
    if (what == CORM__FIRST && query->limit > 1)
        return corm__fail(error, CORM_MISUSE,
                          "corm_first() reads one row: use corm_all() for more");
    if (query->after.table != NULL && query->offset > 0)
        return corm__fail(error, CORM_MISUSE, ".after and .offset are two ways to turn pages");
    return 0;
}

/* ---- Tables ---------------------------------------------------------------- */

static const char *name_in(const struct corm_table *table)
{
    return table->alias != NULL ? table->alias : table->name;
}

static bool is_named(const struct corm__scope *scope, const struct corm_table *table)
{
    for (; scope != NULL; scope = scope->outer)
        for (uint32_t i = 0; i < scope->count; i++)
            if (strcmp(name_in(scope->tables[i]), name_in(table)) == 0)
                return true;
    return false;
}

static void add_table(struct corm__writer *w, struct corm__scope *scope,
                      const struct corm_table *table)
{
    if (is_named(scope, table))
        corm__fail(w->error, CORM_MISUSE,
                   "table %s is named twice: give the second a handle of its own by CORM_ALIAS()",
                   name_in(table));
    else if (scope->count > CORM_JOIN_MAX)
        corm__fail(w->error, CORM_MISUSE, "more than %d joins", CORM_JOIN_MAX);
    else
        scope->tables[scope->count++] = table;
}

/* The tables of a read, inside of `outer`. */
static void fill_scope(struct corm__writer *w, struct corm__scope *scope,
                       const struct corm__scope *outer, const struct corm_table *table,
                       const struct corm_query *query)
{
    scope->outer = outer;
    scope->count = 0;
    scope->into = query->into;
    scope->choices = query->choose;
    add_table(w, scope, table);
    for (const struct corm_join *j = query->join;
         j != NULL && j->table != NULL && w->error->code == 0; j++)
        add_table(w, scope, j->table);
}

static void put_table(struct corm__writer *w, const struct corm_table *table)
{
    corm__put_name(&w->text, w->dialect, table->name);
    if (table->alias != NULL) {
        corm__put(w, " AS ");
        corm__put_name(&w->text, w->dialect, table->alias);
    }
}

/* A condition of a join sees the tables in front of it and its own. */
static void put_joins(struct corm__writer *w, const struct corm_join *joins)
{
    const struct corm__scope *all = w->scope;
    struct corm__scope        seen = *all;

    seen.into = NULL;
    seen.count = 2;
    w->scope = &seen;
    for (const struct corm_join *j = joins; j->table != NULL && w->error->code == 0; j++) {
        corm__put(w, j->left ? " LEFT JOIN " : " INNER JOIN ");
        put_table(w, j->table);
        corm__put(w, " ON ");
        corm__put_condition(w, &j->on);
        seen.count++;
    }
    w->scope = all;
}

static void put_from(struct corm__writer *w, const struct corm_query *query)
{
    corm__put(w, " FROM ");
    put_table(w, w->scope->tables[0]);
    if (query->join != NULL)
        put_joins(w, query->join);
}

static void put_where(struct corm__writer *w, const struct corm_query *query)
{
    if (has_condition(&query->where))
        corm__put_where(w, &query->where);
}

/* ---- Sub-queries ------------------------------------------------------------ */

/* NULLs are left out of an IN: NOT IN with one of them would never be true. */
static void put_subquery_where(struct corm__writer *w, const struct corm_expr *expr)
{
    struct corm_query query = *expr->query;

    if (expr->op == CORM_IN_QUERY && expr->value.as.c->nullable) {
        struct corm_expr not_null = corm_cmp_(expr->value.as.c, CORM_NOT_NULL, corm_v_null_());
        bool             all = query.where.op == CORM_TRUE || !has_condition(&query.where);
        struct corm_expr kids[] = {not_null, query.where, {.op = CORM_END}};
        query.where = all ? not_null : (struct corm_expr){.op = CORM_AND, .kids = kids};
        w->depth--; /* this AND is counted with the sub-query */
        put_where(w, &query);
        w->depth++;
    } else {
        put_where(w, &query);
    }
}

/* Error 1093 of MySQL. Writes are put in the scope of their one table. */
static void check_written(struct corm__writer *w, const struct corm__scope *scope)
{
    const struct corm__scope *outermost = scope;

    while (outermost->outer != NULL)
        outermost = outermost->outer;
    if (w->dialect != CORM_DIALECT_MYSQL || outermost != &w->own)
        return;
    for (uint32_t i = 0; i < scope->count; i++)
        if (strcmp(scope->tables[i]->name, w->table->name) == 0)
            corm__fail(w->error, CORM_UNSUPPORTED,
                       "MySQL cannot read table %s in a sub-query of the statement that writes it",
                       w->table->name);
}

static void check_subquery(struct corm__writer *w, const struct corm_query *query)
{
    if (orders(query) || limits(query) || query->lock != CORM_NO_LOCK || query->unite != NULL ||
        query->after.table != NULL || query->total != NULL || query->group != NULL ||
        query->distinct || has_condition(&query->having) || query->reader)
        corm__fail(w->error, CORM_MISUSE, "a sub-query takes .where and .join alone");
    for (const struct corm_join *j = query->join; j != NULL && j->table != NULL; j++)
        if (j->depth != 0)
            corm__fail(w->error, CORM_MISUSE, "no rows come out of a sub-query: join with NULL");
}

void corm__put_subquery(struct corm__writer *w, const struct corm_expr *expr)
{
    const struct corm__scope *outer = w->scope;
    struct corm__scope        scope;

    fill_scope(w, &scope, outer, expr->list, expr->query);
    check_written(w, &scope);
    check_subquery(w, expr->query);
    if (expr->op == CORM_IN_QUERY)
        corm__check_beside(w, expr->column, expr->value.as.c, CORM__COMPARED);
    if (w->error->code != 0)
        return;
    if (expr->op == CORM_IN_QUERY) {
        corm__put_column(w, expr->column);
        corm__put(w, " IN (SELECT ");
    } else {
        corm__put(w, "EXISTS (SELECT 1");
    }
    scope.into = NULL;
    w->scope = &scope;
    w->selects++;
    if (expr->op == CORM_IN_QUERY)
        corm__put_column(w, expr->value.as.c);
    put_from(w, expr->query);
    put_subquery_where(w, expr);
    corm__put(w, ")");
    w->selects--;
    w->scope = outer;
}

/* ---- Pages by key ------------------------------------------------------------- */

enum { KEYS_MAX = 2 * CORM_ORDER_MAX };

/* The order, completed by the primary key; how many columns. */
static uint32_t full_order(struct corm__writer *w, const struct corm_query *query,
                           struct corm_order keys[static KEYS_MAX])
{
    const struct corm_table *table = query->after.table;
    uint32_t                 n = 0, key_columns = 0;

    for (; n < CORM_ORDER_MAX && query->order[n].column != NULL; n++)
        keys[n] = query->order[n];
    uint32_t given = n;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct corm_column *column = &table->columns[i];
        bool                      there = false;
        for (uint32_t k = 0; k < given; k++)
            there = there || keys[k].column == column;
        key_columns += column->pk;
        if (column->pk && !there && n == KEYS_MAX)
            corm__fail(w->error, CORM_UNSUPPORTED, "the order of .after has more than %d columns",
                       KEYS_MAX);
        else if (column->pk && !there)
            keys[n++] = (struct corm_order){column, false};
    }
    if (key_columns == 0)
        corm__fail(w->error, CORM_MISUSE,
                   "table %s has no primary key, which .after needs to tell its rows apart",
                   table->name);
    for (uint32_t i = 0; i < n; i++) {
        if (!corm__has_column(table, keys[i].column))
            corm__fail(w->error, CORM_MISUSE, ".after wants an order by columns of table %s alone",
                       table->name);
        else if (keys[i].column->type == CORM_ENUM || keys[i].column->type == CORM_JSON)
            corm__fail(w->error, CORM_MISUSE,
                       "the order of .after has column %s of table %s, whose values have no order",
                       corm__column_name(keys[i].column), table->name);
    }
    return n;
}

static struct corm_expr join_two(struct corm_arena *arena, enum corm_op op, struct corm_expr a,
                                 struct corm_expr b)
{
    struct corm_expr *kids = corm_arena_alloc(arena, 3 * sizeof(*kids));

    if (kids == NULL)
        return (struct corm_expr){.op = CORM_FAILED};
    kids[0] = a;
    kids[1] = b;
    kids[2] = (struct corm_expr){.op = CORM_END};
    return (struct corm_expr){.op = op, .kids = kids};
}

/* Behind `value` in one column; NULL comes before all values. CORM_NONE: nothing can be. */
static struct corm_expr behind(struct corm_arena *arena, const struct corm_order *key,
                               struct corm_value value)
{
    if (value.kind == CORM_V_NULL)
        return key->desc ? (struct corm_expr){.op = CORM_NONE}
                         : corm_cmp_(key->column, CORM_NOT_NULL, value);
    if (!key->desc)
        return corm_cmp_(key->column, CORM_GT, value);
    struct corm_expr less = corm_cmp_(key->column, CORM_LT, value);
    return key->column->nullable ? join_two(arena, CORM_OR, less,
                                            corm_cmp_(key->column, CORM_IS_NULL, corm_v_null_()))
                                 : less;
}

static struct corm_expr same(const struct corm_order *key, struct corm_value value)
{
    return corm_cmp_(key->column, value.kind == CORM_V_NULL ? CORM_IS_NULL : CORM_EQ, value);
}

/* (a > ?) or (a = ? and ((b > ?) or (b = ? and ...))), from the last column to the first. */
static struct corm_expr after_row(struct corm_arena *arena, const struct corm_order *keys,
                                  uint32_t n, const void *row)
{
    struct corm_expr rest = behind(arena, &keys[n - 1], corm__field_get(keys[n - 1].column, row));

    for (uint32_t i = n - 1; i-- > 0;) {
        struct corm_value value = corm__field_get(keys[i].column, row);
        struct corm_expr  more = behind(arena, &keys[i], value);
        struct corm_expr  equal = same(&keys[i], value);
        if (rest.op != CORM_NONE)
            equal = join_two(arena, CORM_AND, equal, rest);
        rest = rest.op == CORM_NONE   ? more
               : more.op == CORM_NONE ? equal
                                      : join_two(arena, CORM_OR, more, equal);
    }
    if (rest.op == CORM_NONE) /* the last of all: a column is never different from itself */
        rest = corm_cmp_(keys[0].column, CORM_NE, corm_v_column_(keys[0].column));
    return rest;
}

/* The query with what .after adds to its condition and its order, which goes to `keys`. */
static struct corm_query page_of(struct corm__writer *w, const struct corm_query *query,
                                 struct corm_order keys[static KEYS_MAX], uint32_t *key_count)
{
    struct corm_query page = *query;

    if (query->after.table != w->table)
        corm__fail(w->error, CORM_MISUSE, ".after is a row of another table than %s",
                   w->table->name);
    *key_count = full_order(w, query, keys);
    if (w->error->code != 0 || *key_count == 0 || query->after.row == NULL)
        return page;
    struct corm_expr after = after_row(w->arena, keys, *key_count, query->after.row);
    bool             all = query->where.op == CORM_TRUE || !has_condition(&query->where);
    page.where = all ? after : join_two(w->arena, CORM_AND, query->where, after);
    return page;
}

/* ---- What comes behind the conditions ------------------------------------------ */

/* A column may be sorted by, or be asked for in .having, where each row of the result has one value
 * of it: a column of the result, or one that is grouped by. */
static bool is_single(const struct corm__writer *w, const struct corm_query *query,
                      const struct corm_column *column)
{
    if (w->scope->into == NULL || corm__table_of(w, column) == w->scope->into)
        return true;
    for (size_t i = 0; query->group != NULL && query->group[i] != NULL; i++)
        if (query->group[i] == column)
            return true;
    if (query->group != NULL || query->distinct)
        return false;
    for (const struct corm_choice *c = query->choose; c->into != NULL; c++)
        if (c->how != CORM_PLAIN)
            return false;
    return true;
}

static void put_order(struct corm__writer *w, const struct corm_query *query,
                      const struct corm_order *keys, uint32_t n)
{
    for (uint32_t i = 0; i < n && w->error->code == 0; i++) {
        if (!is_single(w, query, keys[i].column)) {
            corm__fail(w->error, CORM_MISUSE,
                       "the order names column %s, of which a row of the result has no one value",
                       corm__column_name(keys[i].column));
            return;
        }
        corm__put(w, i == 0 ? " ORDER BY " : ", ");
        if (query->unite != NULL && keys[i].column->offset == CORM_NO_FIELD) {
            corm__fail(w->error, CORM_MISUSE, "a union is sorted by columns, not by JSON in them");
            return;
        }
        corm__put_column(w, keys[i].column);
        if (keys[i].desc)
            corm__put(w, " DESC");
    }
}

static uint32_t order_count(const struct corm_query *query)
{
    uint32_t n = 0;

    while (n < CORM_ORDER_MAX && query->order[n].column != NULL)
        n++;
    return n;
}

static void put_limit(struct corm__writer *w, enum corm__read_what what,
                      const struct corm_query *query)
{
    uint64_t limit = what == CORM__FIRST ? 1 : query->limit;

    if (query->offset > INT64_MAX || query->limit > INT64_MAX) {
        corm__fail(w->error, CORM_OUT_OF_RANGE, "a limit or offset beyond 2^63");
        return;
    }
    if (query->offset > 0 && limit == 0) {
        corm__fail(w->error, CORM_MISUSE, "an offset without a limit");
        return;
    }
    if (what == CORM__FIRST && query->offset == 0) {
        corm__put(w, " LIMIT 1");
    } else if (limit > 0) {
        corm__put(w, " LIMIT ");
        corm__put_bind(w, corm_v_int_((long long)limit));
        if (query->offset > 0) {
            corm__put(w, " OFFSET ");
            corm__put_bind(w, corm_v_int_((long long)query->offset));
        }
    }
}

/* MariaDB says LOCK IN SHARE MODE, MySQL FOR SHARE; SQLite has no row locks and needs none: the
 * transaction holds the whole file. */
static void put_lock(struct corm__writer *w, const struct corm_query *query)
{
    if (query->lock == CORM_NO_LOCK || w->dialect == CORM_DIALECT_SQLITE)
        return;
    if (query->lock == CORM_FOR_UPDATE)
        corm__put(w, " FOR UPDATE");
    else
        corm__put(w, w->dialect == CORM_DIALECT_MYSQL ? " FOR SHARE" : " LOCK IN SHARE MODE");
    if (query->nowait)
        corm__put(w, " NOWAIT");
    else if (query->skip_locked)
        corm__put(w, " SKIP LOCKED");
}

/* A lock wait in milliseconds: MariaDB's own WAIT takes whole seconds, max_statement_time takes
 * fractions, and leaves the transaction alive. */
static void put_wait(struct corm__writer *w, const struct corm_query *query)
{
    char text[96];

    if (query->wait_ms == 0 || w->dialect == CORM_DIALECT_SQLITE)
        return;
    if (w->dialect == CORM_DIALECT_MYSQL) {
        corm__fail(w->error, CORM_UNSUPPORTED, "MySQL has no lock wait in milliseconds (wait_ms)");
        return;
    }
    int size = snprintf(text, sizeof(text), "SET STATEMENT max_statement_time=%u.%03u",
                        query->wait_ms / 1000, query->wait_ms % 1000);
    if (query->wait_ms >= 1000) /* a session may wait for less */
        size += snprintf(text + size, sizeof(text) - (size_t)size, ", innodb_lock_wait_timeout=%u",
                         query->wait_ms / 1000 + 1);
    (void)snprintf(text + size, sizeof(text) - (size_t)size, " FOR ");
    corm__put(w, text);
}

/* ---- What is read ---------------------------------------------------------------- */

/* The names that the model has put together when it was compiled; NULL where there are none, or columns
 * are called otherwise here. A table that was copied has columns of another. */
static const char *ready_names(const struct corm__writer *w, const struct corm_table *table)
{
    const char *names = w->dialect == CORM_DIALECT_SQLITE ? table->names_sqlite : table->names;

    if (names == NULL || w->scope->count != 1 || w->scope->outer != NULL ||
        w->scope->into != NULL || table->columns->table != table)
        return NULL;
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].sql_name != NULL)
            return NULL;
    return names;
}

static void put_columns(struct corm__writer *w, const struct corm_table *table, bool more)
{
    const char *names = more ? NULL : ready_names(w, table);

    if (names != NULL) {
        corm__buffer_add(&w->text, names, strlen(names) - strlen(", "));
        return;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (more || i > 0)
            corm__put(w, ", ");
        corm__put_column(w, &table->columns[i]);
    }
}

static void put_rows(struct corm__writer *w, const struct corm_query *query)
{
    put_columns(w, w->scope->tables[0], false);
    for (const struct corm_join *j = query->join; j != NULL && j->table != NULL; j++)
        if (j->depth > 0)
            put_columns(w, j->table, true);
}

static bool is_grouped(const struct corm_query *query, const struct corm_column *column)
{
    for (size_t i = 0; query->group != NULL && query->group[i] != NULL; i++)
        if (query->group[i] == column)
            return true;
    return false;
}

/* Every column of the result is chosen once, and what is chosen as it is has one value in a group.
 * */
static void check_choices(struct corm__writer *w, const struct corm_query *query)
{
    bool grouped = query->group != NULL;

    for (const struct corm_choice *c = query->choose; c->into != NULL; c++)
        grouped = grouped || c->how != CORM_PLAIN;
    for (const struct corm_choice *c = query->choose; c->into != NULL; c++) {
        if (!corm__has_column(query->into, c->into))
            corm__fail(w->error, CORM_MISUSE, "column %s is none of the result %s",
                       corm__column_name(c->into), query->into->name);
        if (grouped && c->how == CORM_PLAIN && !is_grouped(query, c->column))
            corm__fail(w->error, CORM_MISUSE,
                       "column %s is chosen beside numbers of a group, and is not grouped by",
                       corm__column_name(c->column));
    }
    if (has_condition(&query->having) && !grouped)
        corm__fail(w->error, CORM_MISUSE, ".having without groups: say .where");
}

/* A decimal of another scale would be another number on SQLite, and be refused when it is read
 * elsewhere. */
static void check_scales(struct corm__writer *w, const struct corm_query *query)
{
    for (const struct corm_choice *c = query->choose; c->into != NULL; c++)
        if (c->into->type == CORM_DECIMAL && c->column != NULL &&
            c->into->scale != c->column->scale)
            corm__fail(w->error, CORM_MISUSE,
                       "column %s of the result %s has %u digits behind the point, and what is "
                       "chosen for it %u",
                       corm__column_name(c->into), query->into->name, c->into->scale,
                       c->column->scale);
}

static void put_choices(struct corm__writer *w, const struct corm_query *query)
{
    check_choices(w, query);
    check_scales(w, query);
    for (uint32_t i = 0; i < query->into->column_count && w->error->code == 0; i++) {
        const struct corm_column *column = &query->into->columns[i];
        size_t                    times = 0;
        for (const struct corm_choice *c = query->choose; c->into != NULL; c++)
            times += c->into == column;
        if (times != 1)
            corm__fail(w->error, CORM_MISUSE, "column %s of the result %s is chosen %zu times",
                       corm__column_name(column), query->into->name, times);
        corm__put(w, i == 0 ? "" : ", ");
        corm__put_column(w, column);
    }
}

static void put_group(struct corm__writer *w, const struct corm_query *query)
{
    for (size_t i = 0; query->group != NULL && query->group[i] != NULL; i++) {
        if (i >= CORM_GROUP_MAX)
            corm__fail(w->error, CORM_MISUSE, "more than %d columns to group by", CORM_GROUP_MAX);
        corm__put(w, i == 0 ? " GROUP BY " : ", ");
        corm__put_column(w, query->group[i]);
    }
}

/* The columns of a condition on groups. */
static void check_having(struct corm__writer *w, const struct corm_query *query,
                         const struct corm_expr *expr, int depth)
{
    if (depth > CORM__DEPTH_MAX)
        return; /* refused when it is put */
    if (expr->column != NULL && corm__table_of(w, expr->column) != NULL &&
        !is_single(w, query, expr->column))
        corm__fail(w->error, CORM_MISUSE,
                   ".having names column %s, of which a group has no one value",
                   corm__column_name(expr->column));
    for (const struct corm_expr *kid = expr->kids; kid != NULL && kid->op != CORM_END; kid++)
        check_having(w, query, kid, depth + 1);
}

static void put_having(struct corm__writer *w, const struct corm_query *query)
{
    if (!has_condition(&query->having))
        return;
    check_having(w, query, &query->having, 0);
    corm__put(w, " HAVING ");
    corm__put_condition(w, &query->having);
}

static void put_union(struct corm__writer *w, const struct corm_union *unite)
{
    if (unite == NULL)
        return;
    corm__put(w, unite->all ? " UNION ALL SELECT " : " UNION SELECT ");
    put_rows(w, &unite->query);
    put_from(w, &unite->query);
    put_where(w, &unite->query);
}

static void put_what(struct corm__writer *w, enum corm__read_what what,
                     const struct corm_query *query)
{
    switch (what) {
    case CORM__COUNT: corm__put(w, "SELECT COUNT(*)"); break;
    case CORM__EXISTS:
        corm__put(w, "SELECT EXISTS (SELECT 1");
        w->selects++;
        break;
    case CORM__NUMBER:
        corm__put(w, "SELECT ");
        corm__put_choice(w, query->choose->how, query->choose->column);
        break;
    case CORM__CHOSEN:
        corm__put(w, query->distinct ? "SELECT DISTINCT " : "SELECT ");
        put_choices(w, query);
        break;
    case CORM__EXPLAIN:
        corm__put(w, w->dialect == CORM_DIALECT_SQLITE ? "EXPLAIN QUERY PLAN " : "EXPLAIN ");
        /* fall through */
    default: corm__put(w, "SELECT "); put_rows(w, query);
    }
}

static bool has_not_null(const struct corm_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (!table->columns[i].nullable)
            return true;
    return false;
}

/* Where rows of joined tables go must fit the call, and a row that is none be told from one of
 * NULLs. */
static void check_joins(struct corm__writer *w, enum corm__read_what what,
                        const struct corm_query *query)
{
    int wanted = what == CORM__FIRST ? 1 : what == CORM__ROWS ? 2 : 0;

    for (const struct corm_join *j = query->join; j != NULL && j->table != NULL; j++) {
        if (j->depth != 0 && j->depth != wanted && what != CORM__EXPLAIN)
            corm__fail(w->error, CORM_MISUSE,
                       wanted == 0 ? "no rows of table %s come out of this call: join it with NULL"
                       : wanted == 1 ? "corm_first() fills one row of table %s, not an array"
                                     : "corm_all() makes an array of rows of table %s, not one row",
                       name_in(j->table));
        if (j->left && j->depth != 0 && !has_not_null(j->table))
            corm__fail(
                w->error, CORM_MISUSE,
                "rows of table %s come from a left join, and its model has no column that is "
                "NOT NULL, by which to tell that there is none",
                name_in(j->table));
    }
}

/* WHERE and GROUP BY, which know no columns of a result. */
static void put_rows_of(struct corm__writer *w, const struct corm_query *query)
{
    const struct corm__scope *all = w->scope;
    struct corm__scope        tables;

    if (all->into != NULL) {
        tables = *all;
        tables.into = NULL;
        w->scope = &tables;
    }
    put_where(w, query);
    put_group(w, query);
    w->scope = all;
}

static void put_parts(struct corm__writer *w, enum corm__read_what what,
                      const struct corm_query *query, const struct corm_order *keys,
                      uint32_t key_count)
{
    put_wait(w, query);
    put_what(w, what, query);
    put_from(w, query);
    put_rows_of(w, query);
    put_having(w, query);
    put_union(w, query->unite);
    if (what == CORM__EXISTS)
        corm__put(w, ")");
    put_order(w, query, keys, key_count);
    if (what == CORM__ROWS || what == CORM__FIRST || what == CORM__CHOSEN || what == CORM__EXPLAIN)
        put_limit(w, what, query);
    put_lock(w, query);
}

static void put_page(struct corm__writer *w, enum corm__read_what what,
                     const struct corm_query *query)
{
    struct corm_order keys[KEYS_MAX];
    uint32_t          key_count = 0;
    struct corm_query page = page_of(w, query, keys, &key_count);

    put_parts(w, what, &page, keys, key_count);
}

static void put_read(struct corm__writer *w, enum corm__read_what what,
                     const struct corm_query *query)
{
    if (query->after.table != NULL)
        put_page(w, what, query);
    else
        put_parts(w, what, query, query->order, order_count(query));
}

int corm__make_read(enum corm_dialect dialect, struct corm_arena *arena, enum corm__read_what what,
                    const struct corm_table *table, const struct corm_query *query,
                    struct corm__statement *statement, struct corm_error *error)
{
    struct corm__writer w;
    struct corm__scope  scope;

    if (check_read(what, query, error) < 0)
        return error->code;
    corm__writer_init(&w, dialect, arena, false, table, error);
    fill_scope(&w, &scope, NULL, table, query);
    w.scope = &scope;
    check_joins(&w, what, query);
    if (error->code == 0)
        put_read(&w, what, query);
    int rc = corm__writer_end(&w, CORM__READ, statement);
    if (rc == 0) {
        statement->table = what == CORM__ROWS || what == CORM__FIRST ? table : NULL;
        statement->skips = query->skip_locked && dialect == CORM_DIALECT_SQLITE;
        statement->bounded_wait = query->nowait || query->wait_ms > 0 || statement->skips;
        statement->wait_ms = query->wait_ms;
        statement->alone = statement->bounded_wait;
        statement->file = query->file;
        statement->line = query->line;
    }
    return rc;
}
