/* simulated_server.c -- a MariaDB in memory.
 *
 * A row is a chain of versions, the newest first; at most one session has versions there that are not
 * committed, because it has the row locked. `undo` of a session lists the rows it has put versions on, in
 * order: so a savepoint, and the beginning of a statement, is a number of those.
 *
 * Texts are read as they are run, by one walk: an expression is worth something for a row, and is passed
 * over for none (`r->row` is NULL). A statement that fails is undone, its locks stay; 1213 and
 * 1020 undo all. */
#include "simulated_server.h"

#include "base/arena.h"
#include "scheduler.h"
#include "schema/dialect.h"
#include "sql/batch.h"

#include <corm/arena.h>

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { COLUMNS_MAX = 8, TABLES_MAX = 8, KEYS_MAX = 64, SAVEPOINTS_MAX = 32, NAME_SIZE = 40 };

enum {
    DUPLICATE = 1062,
    OUT_OF_RANGE = 1690,
    DEADLOCK = 1213,
    CHANGED = 1020,
    LOCK_TIMEOUT = 1205,
    STATEMENT_TIMEOUT = 1969,
    QUERY_KILLED = 1317,
    KILLED = 1927,
    SHUTDOWN = 1053,
    NO_TABLE = 1146,
    NO_SAVEPOINT = 1305,
    COMMIT_FAILED = 1180,
    READ_ONLY = 1792,
    ABANDONED = -1 /* no code of a server: its client waits no longer */
};

struct column {
    char name[NAME_SIZE], type[NAME_SIZE];
    bool text, pk, autoinc;
    bool nullable; /* and NULL where nothing is said; else 0 */
};

struct version {
    struct version        *older;
    struct server_session *writer;    /* NULL: it is committed ... */
    uint64_t               committed; /* ... as the so many-th */
    bool                   gone;      /* the row was deleted */
    struct corm_value      values[COLUMNS_MAX];
};

struct row {
    struct row     *next; /* of a greater key */
    int64_t         key;
    struct version *newest; /* or NULL */
};

struct table {
    char          name[NAME_SIZE];
    struct column columns[COLUMNS_MAX];
    uint32_t      column_count, pk;
    struct row   *rows;
    int64_t       next_key;
};

/* Of a key, or of a whole table. INSERT_ is EXCLUSIVE of a key that has no row yet. */
enum lock_mode { GAP, SHARED, EXCLUSIVE, TABLE_IS, TABLE_IX, TABLE_S, TABLE_X };

struct lock {
    struct lock           *next;
    struct server_session *session;
    const struct table    *table;
    int64_t                key;
    enum lock_mode         mode;
    bool                   granted;
};

struct undo {
    struct undo *next;
    struct row  *row;
};

struct savepoint {
    char   name[NAME_SIZE];
    size_t at;    /* of `undo` */
    bool   first; /* nothing was locked, read or written before */
};

struct server_session {
    struct server_session *next;
    uint64_t               id;
    bool                   alive, running;
    bool                   autocommit, explicit, in_trx, read_only, snapshots_hold;
    enum corm_isolation    isolation;
    int64_t                lock_wait_ns;
    uint64_t               snapshot; /* 0: none yet */
    bool                   joined;   /* the engine has a part in the transaction from the start */
    struct undo           *undo;     /* the newest first */
    size_t                 undo_count;
    struct savepoint       savepoints[SAVEPOINTS_MAX];
    size_t                 savepoint_count;
    int64_t                last_id, failed_at; /* @corm_at */
    int64_t                statement_until, client_until;
    int                    fate; /* a code that ends what it waits for */
};

static struct {
    struct corm_arena     *arena;
    struct table           tables[TABLES_MAX];
    uint32_t               table_count;
    struct lock           *locks; /* in the order in which they were asked for */
    struct server_session *sessions;
    uint64_t               last_id, commits, runs;
    int64_t                down_until;
} server;

static void *alloc(size_t size)
{
    void *p = corm_arena_alloc(server.arena, size);

    if (p == NULL)
        abort();
    memset(p, 0, size);
    return p;
}

/* ---- Locks ------------------------------------------------------------------------- */

static bool conflict(enum lock_mode a, enum lock_mode b)
{
    static const bool table[TABLE_X + 1][TABLE_X + 1] = {
        [GAP] = {[EXCLUSIVE] = true},
        [SHARED] = {[EXCLUSIVE] = true},
        [EXCLUSIVE] = {[GAP] = true, [SHARED] = true, [EXCLUSIVE] = true},
        [TABLE_IS] = {[TABLE_X] = true},
        [TABLE_IX] = {[TABLE_S] = true, [TABLE_X] = true},
        [TABLE_S] = {[TABLE_IX] = true, [TABLE_X] = true},
        [TABLE_X] = {[TABLE_IS] = true, [TABLE_IX] = true, [TABLE_S] = true, [TABLE_X] = true},
    };

    return table[a][b];
}

static bool is_as_strong(enum lock_mode has, enum lock_mode wanted)
{
    return has == wanted || has == EXCLUSIVE || has == TABLE_X ||
           (has == TABLE_IX && wanted == TABLE_IS) || (has == TABLE_S && wanted == TABLE_IS) ||
           (has == SHARED && wanted == GAP);
}

static bool is_same(const struct lock *a, const struct lock *b)
{
    return a->table == b->table && a->key == b->key &&
           (a->mode >= TABLE_IS) == (b->mode >= TABLE_IS);
}

/* The first lock of another session that `wanted` has to wait for: one that is there, or was asked for
 * before it. */
static const struct lock *in_the_way(const struct lock *wanted, const struct lock *after)
{
    bool before = true;

    for (const struct lock *l = server.locks; l != NULL; l = l->next) {
        if (after != NULL) {
            if (l == after)
                after = NULL;
            before = before && l != wanted;
            continue;
        }
        if (l == wanted)
            before = false;
        else if (l->session != wanted->session && is_same(l, wanted) && (l->granted || before) &&
                 conflict(l->mode, wanted->mode))
            return l;
    }
    return NULL;
}

static const struct lock *waiting_lock(const struct server_session *s)
{
    for (const struct lock *l = server.locks; l != NULL; l = l->next)
        if (l->session == s && !l->granted)
            return l;
    return NULL;
}

/* Whether `s`, by whom it waits for, waits for `end`. The sessions in between are put on `trail`. */
static bool leads_to(struct server_session *s, const struct server_session *end,
                     struct server_session **trail, int *depth)
{
    const struct lock *wanted = waiting_lock(s);

    for (int i = 0; i < *depth; i++)
        if (trail[i] == s)
            return false;
    if (wanted == NULL || *depth == 16)
        return false;
    trail[(*depth)++] = s;
    for (const struct lock *l = in_the_way(wanted, NULL); l != NULL; l = in_the_way(wanted, l))
        if (l->session == end || leads_to(l->session, end, trail, depth))
            return true;
    (*depth)--;
    return false;
}

static void remove_lock(struct lock *lock)
{
    struct lock **at = &server.locks;

    while (*at != lock)
        at = &(*at)->next;
    *at = lock->next;
}

static void wake_waiting(void)
{
    for (const struct lock *l = server.locks; l != NULL; l = l->next)
        if (!l->granted)
            scheduler_wake(l->session);
}

static void release_locks(const struct server_session *s)
{
    bool any = false;

    for (struct lock **at = &server.locks; *at != NULL;) {
        if ((*at)->session == s) {
            *at = (*at)->next;
            any = true;
        } else {
            at = &(*at)->next;
        }
    }
    if (any)
        wake_waiting();
}

static bool has_locks(const struct server_session *s)
{
    for (const struct lock *l = server.locks; l != NULL; l = l->next)
        if (l->session == s)
            return true;
    return false;
}

/* One of those who wait for each other has to go: which one is chance. */
static void break_deadlock(struct server_session *s)
{
    struct server_session *trail[16];
    int                    depth = 0;

    if (!leads_to(s, s, trail, &depth))
        return;
    struct server_session *victim = trail[scheduler_random((uint64_t)depth)];
    victim->fate = DEADLOCK;
    scheduler_wake(victim);
}

/* Until when, and what it is when that comes. */
static int64_t wait_until(const struct server_session *s, int64_t since, int *code)
{
    int64_t until = since + s->lock_wait_ns;

    *code = LOCK_TIMEOUT;
    if (s->statement_until < until) {
        until = s->statement_until;
        *code = STATEMENT_TIMEOUT;
    }
    if (s->client_until < until) {
        until = s->client_until;
        *code = ABANDONED;
    }
    return until;
}

static int wait_for_lock(struct lock *lock)
{
    struct server_session *s = lock->session;
    int                    code = 0;
    int64_t                until = wait_until(s, scheduler_now(), &code);

    while (s->fate == 0 && in_the_way(lock, NULL) != NULL) {
        break_deadlock(s);
        if (s->fate == 0 && !scheduler_wait(s, until) && s->fate == 0 &&
            in_the_way(lock, NULL) != NULL)
            s->fate = code;
    }
    lock->granted = true;
    code = s->fate;
    if (code == 0)
        return 0;
    remove_lock(lock);
    wake_waiting();
    s->fate = s->alive ? 0 : s->fate;
    return code;
}

static int take_lock(struct server_session *s, const struct table *table, int64_t key,
                     enum lock_mode mode)
{
    struct lock *lock, **end = &server.locks, wanted = {.table = table, .key = key, .mode = mode};

    for (; *end != NULL; end = &(*end)->next)
        if ((*end)->session == s && is_same(*end, &wanted) && is_as_strong((*end)->mode, mode))
            return 0;
    lock = alloc(sizeof(*lock));
    *lock = wanted;
    lock->session = s;
    *end = lock;
    return wait_for_lock(lock);
}

/* ---- Rows ----------------------------------------------------------------------------- */

static struct row *find_row(const struct table *table, int64_t key)
{
    for (struct row *row = table->rows; row != NULL; row = row->next)
        if (row->key == key)
            return row;
    return NULL;
}

static struct row *make_row(struct table *table, int64_t key)
{
    struct row **at = &table->rows;

    while (*at != NULL && (*at)->key < key)
        at = &(*at)->next;
    if (*at != NULL && (*at)->key == key)
        return *at;
    struct row *row = alloc(sizeof(*row));
    *row = (struct row){.next = *at, .key = key};
    *at = row;
    return row;
}

/* What a session that has the row locked sees. */
static const struct version *current(const struct row *row)
{
    return row != NULL && row->newest != NULL && !row->newest->gone ? row->newest : NULL;
}

/* What a session sees that reads without a lock. */
static const struct version *visible(const struct row *row, const struct server_session *s,
                                     uint64_t snapshot)
{
    const struct version *v = row->newest;

    while (v != NULL && v->writer != s && (v->writer != NULL || v->committed > snapshot))
        v = v->older;
    return v != NULL && !v->gone ? v : NULL;
}

static void put_version(struct server_session *s, struct row *row, const struct corm_value *values,
                        bool gone)
{
    struct version *v = alloc(sizeof(*v));
    struct undo    *undo = alloc(sizeof(*undo));

    *v = (struct version){.older = row->newest, .writer = s, .gone = gone};
    if (values != NULL)
        memcpy(v->values, values, sizeof(v->values));
    row->newest = v;
    *undo = (struct undo){.next = s->undo, .row = row};
    s->undo = undo;
    s->undo_count++;
}

static void undo_to(struct server_session *s, size_t count)
{
    for (; s->undo_count > count; s->undo_count--) {
        assert(s->undo->row->newest->writer == s);
        s->undo->row->newest = s->undo->row->newest->older;
        s->undo = s->undo->next;
    }
}

static void end_trx(struct server_session *s)
{
    s->undo = NULL;
    s->undo_count = s->savepoint_count = 0;
    s->snapshot = 0;
    s->joined = false;
    s->in_trx = s->explicit = false;
    release_locks(s);
}

static void roll_back(struct server_session *s)
{
    undo_to(s, 0);
    end_trx(s);
}

static void commit(struct server_session *s)
{
    if (s->undo != NULL)
        server.commits++;
    for (struct undo *undo = s->undo; undo != NULL; undo = undo->next)
        for (struct version *v = undo->row->newest; v != NULL && v->writer == s; v = v->older) {
            v->writer = NULL;
            v->committed = server.commits;
        }
    end_trx(s);
}

static void end_session(struct server_session *s, int fate)
{
    s->alive = false;
    s->fate = fate;
    if (s->running) /* it waits: who runs it cleans up */
        scheduler_wake(s);
    else
        roll_back(s);
}

/* ---- Reading texts --------------------------------------------------------------------- */

struct run {
    struct server_session       *s;
    const struct server_request *request;
    struct server_response      *response;
    const char                  *at, *token;
    size_t                       token_size;
    const struct corm_value     *binds;
    uint32_t                     next_bind;
    const struct table          *table; /* whose columns the words are */
    const struct corm_value     *row, *inserted;
    int                          statement; /* which one it is */
    bool                         in_compound;
    int64_t                      counted; /* corm#at */
    bool                         counts;
    char                         made[704]; /* corm#made */
    bool                         has_made;
    int                          code;
    bool                         overflows; /* a sum of the statement at hand */
};

static void not_understood(const struct run *r)
{
    (void)fprintf(stderr, "the simulated server does not understand, from '%.40s' on: %s\n",
                  r->token, r->request->text);
    abort();
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '@' || c == '#';
}

/* The next token, without the quotes of a name. */
static void next(struct run *r)
{
    while (*r->at == ' ')
        r->at++;
    r->token = r->at;
    if (*r->at == '`') {
        const char *end = strchr(r->at + 1, '`');
        r->token++;
        r->token_size = (size_t)(end - r->token);
        r->at = end + 1;
        return;
    }
    if (is_word_char(*r->at))
        while (is_word_char(*r->at))
            r->at++;
    else if (strncmp(r->at, "<=>", 3) == 0)
        r->at += 3;
    else if ((*r->at == '<' || *r->at == '>') && (r->at[1] == '=' || r->at[1] == '>'))
        r->at += 2;
    else if (*r->at != '\0')
        r->at++;
    r->token_size = (size_t)(r->at - r->token);
}

static bool is(const struct run *r, const char *word)
{
    return strlen(word) == r->token_size && strncmp(r->token, word, r->token_size) == 0;
}

static bool accept(struct run *r, const char *word)
{
    if (!is(r, word))
        return false;
    next(r);
    return true;
}

static void expect(struct run *r, const char *word)
{
    if (!accept(r, word))
        not_understood(r);
}

/* A place in the text, to come back to. */
struct place {
    const char *at, *token;
    size_t      token_size;
    uint32_t    next_bind;
};

static struct place here(const struct run *r)
{
    return (struct place){r->at, r->token, r->token_size, r->next_bind};
}

static void go_to(struct run *r, struct place place)
{
    r->at = place.at;
    r->token = place.token;
    r->token_size = place.token_size;
    r->next_bind = place.next_bind;
}

static int64_t number(struct run *r)
{
    char *end;
    long  n = strtol(r->token, &end, 10);

    if (end == r->token)
        not_understood(r);
    next(r);
    return n;
}

static struct table *find_table(struct run *r)
{
    for (uint32_t i = 0; i < server.table_count; i++)
        if (is(r, server.tables[i].name)) {
            next(r);
            return &server.tables[i];
        }
    r->code = NO_TABLE;
    return NULL;
}

static int find_column(const struct run *r)
{
    for (uint32_t i = 0; i < r->table->column_count; i++)
        if (is(r, r->table->columns[i].name))
            return (int)i;
    return -1;
}

static uint32_t column(struct run *r)
{
    int i = find_column(r);

    if (i < 0)
        not_understood(r);
    next(r);
    return (uint32_t)i;
}

/* ---- Expressions -------------------------------------------------------------------------- */

static struct corm_value whole(int64_t i)
{
    return (struct corm_value){.kind = CORM_V_INT, .as.i = i};
}

static const struct corm_value null_value = {.kind = CORM_V_NULL};

static struct corm_value text_value(const char *text)
{
    struct corm_value v = {.kind = CORM_V_TEXT, .size = (uint32_t)strlen(text)};

    v.as.s = corm__arena_copy(server.arena, text, v.size);
    return v;
}

static bool is_true(struct corm_value v)
{
    return v.kind != CORM_V_NULL && v.as.i != 0;
}

static struct corm_value expression(struct run *r);

static struct corm_value bound(struct run *r)
{
    assert(r->next_bind < r->request->width);
    return r->binds[r->next_bind++];
}

static struct corm_value term(struct run *r)
{
    struct corm_value v = null_value;

    if (accept(r, "(")) {
        v = expression(r);
        expect(r, ")");
    } else if (accept(r, "?")) {
        v = bound(r);
    } else if (accept(r, "NULL")) {
        v = null_value;
    } else if (accept(r, "IF")) {
        expect(r, "(");
        bool first = is_true(expression(r));
        expect(r, ",");
        struct corm_value one = expression(r);
        expect(r, ",");
        struct corm_value other = expression(r);
        expect(r, ")");
        v = first ? one : other;
    } else if (accept(r, "VALUES")) {
        expect(r, "(");
        uint32_t i = column(r);
        v = r->inserted != NULL ? r->inserted[i] : null_value;
        expect(r, ")");
    } else if (accept(r, "CURRENT_TIMESTAMP")) {
        v = whole(0);
    } else if (accept(r, "INTERVAL")) {
        v = term(r);
        expect(r, "DAY");
    } else if (is(r, "corm#made")) {
        next(r);
        v = r->has_made ? text_value(r->made) : null_value;
    } else if (*r->token >= '0' && *r->token <= '9') {
        v = whole(number(r));
    } else {
        uint32_t i = column(r);
        v = r->row != NULL ? r->row[i] : null_value;
    }
    return v;
}

static struct corm_value sum(struct run *r)
{
    struct corm_value v = term(r);

    while (is(r, "+") || is(r, "-")) {
        int64_t sign = is(r, "+") ? 1 : -1;
        next(r);
        struct corm_value by = term(r);
        long long         all = 0;
        if (v.kind != CORM_V_NULL && by.kind != CORM_V_NULL &&
            __builtin_add_overflow(v.as.i, sign * by.as.i, &all))
            r->overflows = true;
        v = v.kind == CORM_V_NULL || by.kind == CORM_V_NULL ? null_value : whole(all);
    }
    return v;
}

static int compare(struct corm_value a, struct corm_value b)
{
    if (a.kind == CORM_V_TEXT && b.kind == CORM_V_TEXT) {
        int order = memcmp(a.as.s, b.as.s, a.size < b.size ? a.size : b.size);
        return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
    }
    assert(a.kind != CORM_V_TEXT && b.kind != CORM_V_TEXT);
    return (a.as.i > b.as.i) - (a.as.i < b.as.i);
}

static struct corm_value listed(struct run *r, struct corm_value v)
{
    bool found = false;

    expect(r, "(");
    do {
        struct corm_value one = expression(r);
        found = found || (v.kind != CORM_V_NULL && compare(v, one) == 0);
    } while (accept(r, ","));
    expect(r, ")");
    return whole(found);
}

static struct corm_value comparison(struct run *r)
{
    static const struct {
        const char *word;
        bool        less, equal, greater;
    } operators[] = {{"=", false, true, false}, {"<>", true, false, true},
                     {"<", true, false, false}, {"<=", true, true, false},
                     {">", false, false, true}, {">=", false, true, true}};
    struct corm_value v = sum(r);

    if (accept(r, "IN"))
        return listed(r, v);
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (!accept(r, operators[i].word))
            continue;
        struct corm_value other = sum(r);
        if (v.kind == CORM_V_NULL || other.kind == CORM_V_NULL)
            return null_value;
        int order = compare(v, other);
        return whole(order < 0    ? operators[i].less
                     : order == 0 ? operators[i].equal
                                  : operators[i].greater);
    }
    return v;
}

static struct corm_value conjunction(struct run *r)
{
    struct corm_value v = comparison(r);

    while (accept(r, "AND")) {
        struct corm_value other = comparison(r);
        v = whole(is_true(v) && is_true(other));
    }
    return v;
}

static struct corm_value expression(struct run *r)
{
    struct corm_value v = conjunction(r);

    while (accept(r, "OR")) {
        struct corm_value other = conjunction(r);
        v = whole(is_true(v) || is_true(other));
    }
    return v;
}

/* ---- Which rows ------------------------------------------------------------------------------ */

struct where {
    bool         any;            /* there is a condition */
    bool         by_key;         /* it begins with the primary key ... */
    int64_t      keys[KEYS_MAX]; /* ... which is one of these, ascending */
    size_t       key_count;
    struct place place;
};

static void add_key(struct where *w, struct corm_value v)
{
    size_t at = w->key_count;

    assert(v.kind == CORM_V_INT && w->key_count < KEYS_MAX);
    while (at > 0 && w->keys[at - 1] > v.as.i)
        at--;
    if (at > 0 && w->keys[at - 1] == v.as.i)
        return;
    memmove(&w->keys[at + 1], &w->keys[at], (w->key_count - at) * sizeof(w->keys[0]));
    w->keys[at] = v.as.i;
    w->key_count++;
}

/* `id` = ? or `id` IN (?, ...), alone or and-ed with more. */
static void find_keys(struct run *r, struct where *w)
{
    while (accept(r, "("))
        continue;
    if (find_column(r) != (int)r->table->pk)
        return;
    next(r);
    if (accept(r, "=")) {
        if (!accept(r, "?"))
            return;
        add_key(w, bound(r));
    } else if (accept(r, "IN")) {
        expect(r, "(");
        do {
            expect(r, "?");
            add_key(w, bound(r));
        } while (accept(r, ","));
        expect(r, ")");
    } else {
        return;
    }
    while (is(r, ")"))
        next(r);
    w->by_key = !is(r, "OR");
}

static void read_where(struct run *r, struct where *w)
{
    *w = (struct where){.any = false};
    if (!accept(r, "WHERE"))
        return;
    w->any = true;
    w->place = here(r);
    find_keys(r, w);
    go_to(r, w->place);
    r->row = NULL;
    (void)expression(r);
}

static bool holds(struct run *r, const struct where *w, const struct version *v)
{
    struct place place = here(r);

    if (v == NULL || !w->any)
        return v != NULL;
    go_to(r, w->place);
    r->row = v->values;
    bool held = is_true(expression(r));
    r->row = NULL;
    go_to(r, place);
    return held;
}

/* In innodb_snapshot_isolation what has changed since the snapshot is not locked. */
static bool has_changed(const struct server_session *s, const struct row *row)
{
    return row != NULL && s->snapshots_hold && s->snapshot != 0 && row->newest != NULL &&
           row->newest->writer == NULL && row->newest->committed > s->snapshot;
}

static int lock_key(struct run *r, int64_t key, enum lock_mode mode)
{
    const struct row *row = find_row(r->table, key);
    bool              is_there =
        row != NULL && row->newest != NULL && (!row->newest->gone || row->newest->writer != NULL);

    if (!is_there)
        mode = GAP;
    int code = take_lock(r->s, r->table, key, mode);
    return code == 0 && has_changed(r->s, find_row(r->table, key)) ? CHANGED : code;
}

/* Locks what a condition may find; `mode` is SHARED or EXCLUSIVE. */
static int lock_rows(struct run *r, const struct where *w, enum lock_mode mode)
{
    bool exclusive = mode == EXCLUSIVE;
    int  code = take_lock(r->s, r->table, 0,
                         w->by_key   ? exclusive ? TABLE_IX : TABLE_IS
                          : exclusive ? TABLE_X
                                      : TABLE_S);

    for (size_t i = 0; code == 0 && i < w->key_count; i++)
        code = lock_key(r, w->keys[i], mode);
    for (const struct row *row = r->table->rows; !w->by_key && code == 0 && row != NULL;
         row = row->next)
        if (has_changed(r->s, row))
            code = CHANGED;
    return code;
}

/* ---- Rows that come back ------------------------------------------------------------------------ */

static struct corm_value *add_row(struct server_set *set)
{
    if (set->count == set->capacity) {
        uint32_t           capacity = set->capacity == 0 ? 4 : set->capacity * 2;
        struct corm_value *values = alloc(capacity * set->columns * sizeof(*values));
        if (set->count > 0)
            memcpy(values, set->values, set->count * set->columns * sizeof(*values));
        set->values = values;
        set->capacity = capacity;
    }
    return &set->values[set->columns * set->count++];
}

static struct server_set *add_set(struct run *r, uint32_t columns)
{
    assert(r->response->set_count < SERVER_SETS_MAX);
    struct server_set *set = &r->response->sets[r->response->set_count++];
    *set = (struct server_set){.columns = columns};
    return set;
}

/* What a SELECT is asked for: columns, or how many rows there are. */
struct choice {
    uint32_t columns[COLUMNS_MAX], count;
    bool     counts;
};

static void read_choice(struct run *r, struct choice *c)
{
    do {
        if (accept(r, "COUNT")) {
            expect(r, "(");
            expect(r, "*");
            expect(r, ")");
            c->counts = true;
        } else {
            assert(c->count < COLUMNS_MAX);
            c->columns[c->count++] = column(r);
        }
    } while (accept(r, ","));
}

static void give_row(struct server_set *set, const struct choice *c, const struct version *v)
{
    struct corm_value *values = add_row(set);

    for (uint32_t i = 0; i < c->count; i++)
        values[i] = v->values[c->columns[i]];
}

/* ---- SELECT ------------------------------------------------------------------------------------- */

struct select {
    struct choice choice;
    struct where  where;
    bool          into; /* a variable: no rows come back */
    bool          exclusive, shared;
    int64_t       limit;
};

static void read_lock_clause(struct run *r, struct select *q)
{
    if (accept(r, "FOR")) {
        expect(r, "UPDATE");
        q->exclusive = true;
    } else if (accept(r, "LOCK")) {
        expect(r, "IN");
        expect(r, "SHARE");
        expect(r, "MODE");
        q->shared = true;
    }
}

static void read_select(struct run *r, struct select *q)
{
    struct place list = here(r);

    while (!is(r, "FROM"))
        next(r);
    next(r);
    r->table = find_table(r);
    if (r->table == NULL)
        return;
    struct place rest = here(r);
    go_to(r, list);
    read_choice(r, &q->choice);
    q->into = is(r, "INTO");
    go_to(r, rest);
    if (accept(r, "FORCE")) {
        expect(r, "INDEX");
        expect(r, "(");
        expect(r, "PRIMARY");
        expect(r, ")");
    }
    read_where(r, &q->where);
    if (accept(r, "ORDER")) {
        expect(r, "BY");
        if (column(r) != r->table->pk)
            not_understood(r);
    }
    q->limit = INT64_MAX;
    if (accept(r, "LIMIT"))
        q->limit = term(r).as.i;
    read_lock_clause(r, q);
}

static void give_rows(struct run *r, const struct select *q, bool locked)
{
    int64_t            count = 0;
    struct server_set *set = q->into ? NULL : add_set(r, q->choice.counts ? 1 : q->choice.count);
    uint64_t           snapshot = r->s->snapshot != 0 ? r->s->snapshot : server.commits;

    for (const struct row *row = r->table->rows; row != NULL; row = row->next) {
        const struct version *v = locked ? current(row) : visible(row, r->s, snapshot);
        if (!holds(r, &q->where, v) || (!q->choice.counts && count == q->limit))
            continue;
        count++;
        if (!q->choice.counts)
            give_row(set, &q->choice, v);
    }
    if (q->choice.counts && set != NULL)
        *add_row(set) = whole(count);
    r->response->matched = q->choice.counts ? 1 : count;
}

static void select_(struct run *r)
{
    struct server_session *s = r->s;
    struct select          q = {.into = false};

    read_select(r, &q);
    if (r->table == NULL)
        return;
    bool in_trx = !s->autocommit || s->explicit;
    bool locked = q.exclusive || q.shared || (in_trx && s->isolation == CORM_SERIALIZABLE);
    if (locked)
        r->code = lock_rows(r, &q.where, q.exclusive ? EXCLUSIVE : SHARED);
    else if (in_trx && s->isolation == CORM_REPEATABLE_READ && s->snapshot == 0)
        s->snapshot = server.commits; /* READ COMMITTED has a new one for each statement */
    if (r->code == 0)
        give_rows(r, &q, locked);
}

/* ---- Writes --------------------------------------------------------------------------------------- */

/* Of "SET a = ..., b = ..." for a row; with `row` NULL it is passed over. */
static void assign(struct run *r, const struct corm_value *row, struct corm_value *values)
{
    r->row = row;
    do {
        uint32_t i = column(r);
        expect(r, "=");
        struct corm_value v = expression(r);
        if (row != NULL)
            values[i] = v;
    } while (accept(r, ","));
    r->row = NULL;
}

/* Text that is stored must stay. */
static void keep_texts(struct corm_value *values)
{
    for (uint32_t i = 0; i < COLUMNS_MAX; i++)
        if (values[i].kind == CORM_V_TEXT)
            values[i].as.s = corm__arena_copy(server.arena, values[i].as.s, values[i].size);
}

static int change_row(struct run *r, struct row *row, struct place set)
{
    struct place      place = here(r);
    struct corm_value values[COLUMNS_MAX];

    memcpy(values, row->newest->values, sizeof(values));
    go_to(r, set);
    r->overflows = false;
    assign(r, row->newest->values, values);
    go_to(r, place);
    if (r->overflows)
        return OUT_OF_RANGE;
    keep_texts(values);
    put_version(r->s, row, values, false);
    return 0;
}

/* Of UPDATE, where `set` is its list, and DELETE. */
static void change(struct run *r, const struct where *w, const struct place *set)
{
    r->code = lock_rows(r, w, EXCLUSIVE);
    r->response->matched = 0;
    for (struct row *row = r->table->rows; r->code == 0 && row != NULL; row = row->next) {
        if (!holds(r, w, current(row)))
            continue;
        r->response->matched++;
        if (set == NULL)
            put_version(r->s, row, row->newest->values, true);
        else
            r->code = change_row(r, row, *set);
    }
}

static void update(struct run *r)
{
    struct where w;

    r->table = find_table(r);
    if (r->table == NULL)
        return;
    expect(r, "SET");
    struct place set = here(r);
    assign(r, NULL, NULL);
    read_where(r, &w);
    change(r, &w, &set);
}

static void delete_(struct run *r)
{
    struct where w;

    expect(r, "FROM");
    r->table = find_table(r);
    if (r->table == NULL)
        return;
    read_where(r, &w);
    change(r, &w, NULL);
}

static void set_defaults(const struct table *table, struct corm_value *values)
{
    for (uint32_t i = 0; i < COLUMNS_MAX; i++) {
        bool is_null = i >= table->column_count || table->columns[i].nullable;
        values[i] = is_null ? null_value : whole(0);
    }
}

/* Where there is such a row already: the list behind ON DUPLICATE KEY UPDATE, or an error. */
static int meet_row(struct run *r, struct row *row, const struct corm_value *values,
                    const struct place *update_list)
{
    if (update_list == NULL) {
        (void)snprintf(r->response->message, sizeof(r->response->message),
                       "Duplicate entry '%lld' for key 'PRIMARY'", (long long)row->key);
        return DUPLICATE;
    }
    r->inserted = values;
    int code = change_row(r, row, *update_list);
    r->inserted = NULL;
    return code;
}

static void insert_row(struct run *r, struct table *table, struct corm_value *values, bool has_key,
                       const struct place *update_list)
{
    if (!has_key) {
        values[table->pk] = whole(++table->next_key);
        r->s->last_id = table->next_key;
    } else if (values[table->pk].as.i > table->next_key) {
        table->next_key = values[table->pk].as.i;
    }
    int64_t key = values[table->pk].as.i;
    r->code = take_lock(r->s, table, 0, TABLE_IX);
    if (r->code == 0)
        r->code = take_lock(r->s, table, key, EXCLUSIVE);
    struct row *row = make_row(table, key);
    if (r->code == 0 && has_changed(r->s, row))
        r->code = CHANGED;
    if (r->code != 0)
        return;
    if (current(row) != NULL)
        r->code = meet_row(r, row, values, update_list);
    else
        put_version(r->s, row, values, false);
    r->response->generated = has_key ? 0 : key;
    r->response->matched++;
}

struct insert {
    struct table *table;
    uint32_t      columns[COLUMNS_MAX], count;
    bool          has_key, updates, ignores, returns;
    struct place  values, update_list, returned;
};

static void read_columns(struct run *r, struct insert *q)
{
    expect(r, "(");
    while (!accept(r, ")")) {
        q->columns[q->count] = column(r);
        q->has_key = q->has_key || q->columns[q->count] == q->table->pk;
        q->count++;
        (void)accept(r, ",");
    }
}

/* Reads one list of values, into `values` if that is not NULL. */
static void read_values(struct run *r, const struct insert *q, struct corm_value *values)
{
    expect(r, "(");
    for (uint32_t i = 0; i < q->count; i++) {
        struct corm_value v = expression(r);
        if (values != NULL)
            values[q->columns[i]] = v;
        (void)accept(r, ",");
    }
    expect(r, ")");
}

static void read_insert(struct run *r, struct insert *q)
{
    q->ignores = accept(r, "IGNORE");
    expect(r, "INTO");
    q->table = find_table(r);
    r->table = q->table;
    if (q->table == NULL)
        return;
    read_columns(r, q);
    expect(r, "VALUES");
    q->values = here(r);
    do
        read_values(r, q, NULL);
    while (accept(r, ","));
    if (accept(r, "ON")) {
        expect(r, "DUPLICATE");
        expect(r, "KEY");
        expect(r, "UPDATE");
        q->updates = true;
        q->update_list = here(r);
        assign(r, NULL, NULL);
    }
    if (accept(r, "RETURNING")) {
        q->returns = true;
        q->returned = here(r);
        if (accept(r, "?"))
            (void)bound(r);
        else
            (void)column(r);
    }
}

/* A column of the row, or a value that is bound beside it. */
static struct corm_value returned(struct run *r, const struct insert *q,
                                  const struct corm_value *values)
{
    struct place behind = here(r);

    go_to(r, q->returned);
    struct corm_value v = accept(r, "?") ? bound(r) : values[column(r)];
    go_to(r, behind);
    return v;
}

static void insert(struct run *r)
{
    struct insert q = {.count = 0};

    read_insert(r, &q);
    if (q.table == NULL)
        return;
    struct place       end = here(r);
    struct server_set *set = NULL;
    if (q.returns)
        set =
            r->request->bulk && r->response->set_count > 0 ? &r->response->sets[0] : add_set(r, 1);
    go_to(r, q.values);
    r->response->matched = 0;
    do {
        struct corm_value values[COLUMNS_MAX];
        set_defaults(q.table, values);
        read_values(r, &q, values);
        keep_texts(values);
        insert_row(r, q.table, values, q.has_key, q.updates ? &q.update_list : NULL);
        bool is_in = r->code == 0;
        if (r->code == DUPLICATE && q.ignores)
            r->code = 0;
        if (is_in && set != NULL)
            *add_row(set) = returned(r, &q, values);
    } while (r->code == 0 && accept(r, ","));
    if (r->code == 0)
        go_to(r, end);
}

/* With autocommit off every statement is in a transaction. */
static void touch(struct run *r)
{
    struct server_session *s = r->s;

    s->in_trx = s->in_trx || !s->autocommit || s->explicit;
}

/* ---- Savepoints ------------------------------------------------------------------------------------ */

static struct savepoint *find_savepoint(struct run *r)
{
    for (size_t i = 0; i < r->s->savepoint_count; i++)
        if (is(r, r->s->savepoints[i].name))
            return &r->s->savepoints[i];
    return NULL;
}

static void forget_savepoints(struct server_session *s, const struct savepoint *from)
{
    s->savepoint_count = (size_t)(from - s->savepoints);
}

/* One of the same name goes. */
static void set_savepoint(struct run *r)
{
    struct server_session *s = r->s;
    struct savepoint      *old = find_savepoint(r);

    if (old != NULL) {
        memmove(old, old + 1,
                (size_t)(s->savepoints + s->savepoint_count - old - 1) * sizeof(*old));
        s->savepoint_count--;
    }
    assert(s->savepoint_count < SAVEPOINTS_MAX);
    struct savepoint *new = &s->savepoints[s->savepoint_count++];
    (void)snprintf(new->name, sizeof(new->name), "%.*s", (int)r->token_size, r->token);
    new->at = s->undo_count;
    new->first = s->undo_count == 0 && s->snapshot == 0 && !s->joined && !has_locks(s);
    touch(r);
    next(r);
}

static void roll_back_to(struct run *r)
{
    (void)accept(r, "SAVEPOINT");
    const struct savepoint *savepoint = find_savepoint(r);
    if (savepoint == NULL) {
        r->code = NO_SAVEPOINT;
        return;
    }
    undo_to(r->s, savepoint->at);
    if (savepoint->first) /* the engine had no part in the transaction, and leaves it whole */
        release_locks(r->s);
    forget_savepoints(r->s, savepoint + 1);
    next(r);
}

static void release_savepoint(struct run *r)
{
    expect(r, "SAVEPOINT");
    const struct savepoint *savepoint = find_savepoint(r);
    if (savepoint == NULL)
        r->code = NO_SAVEPOINT;
    else
        forget_savepoints(r->s, savepoint);
    next(r);
}

/* ---- What corm asks of the catalogue ------------------------------------------------------------------ */

static void add_texts(struct server_set *set, const char *const texts[7])
{
    struct corm_value *values = add_row(set);

    for (int i = 0; i < 7; i++)
        values[i] = texts[i] != NULL ? text_value(texts[i]) : null_value;
}

/* What table_facts.c asks. */
static void tell_catalogue(struct run *r)
{
    struct server_set  *set = add_set(r, 7);
    const struct table *table = NULL;

    for (uint32_t i = 0; i < server.table_count; i++)
        if (strlen(server.tables[i].name) == r->binds[0].size &&
            memcmp(server.tables[i].name, r->binds[0].as.s, r->binds[0].size) == 0)
            table = &server.tables[i];
    if (table == NULL)
        return;
    add_texts(set,
              (const char *const[7]){"table", table->name, "BASE TABLE", "InnoDB", "", "1", NULL});
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column *c = &table->columns[i];
        add_texts(set, (const char *const[7]){
                           "column", c->name, c->type, c->text ? "utf8mb4" : NULL,
                           c->text ? "utf8mb4_nopad_bin" : NULL, c->autoinc ? "auto_increment" : "",
                           c->nullable ? "YES" : "NO"});
    }
    add_texts(set, (const char *const[7]){"writable"});
    add_texts(set, (const char *const[7]){"key", table->columns[table->pk].name, "PRIMARY", "0"});
}

static void tell_text(struct run *r)
{
    next(r);
    next(r);
    next(r);
    const struct table *table = find_table(r);
    if (table == NULL)
        return;
    struct corm_value *values = add_row(add_set(r, 2));
    values[0] = text_value(table->name);
    values[1] = text_value("CREATE TABLE `x` ()");
}

/* ---- Statements ------------------------------------------------------------------------------------- */

static void give_number(struct run *r, int64_t i)
{
    *add_row(add_set(r, 1)) = whole(i);
}

static bool special(struct run *r)
{
    const char *text = r->token;

    if (strcmp(text, CORM__BATCH_ASK_FAILED) == 0) {
        struct corm_value *values = add_row(add_set(r, 2));
        values[0] = whole(r->s->failed_at);
        values[1] = null_value;
        r->s->failed_at = 0;
    } else if (strncmp(text, "SELECT 'table' AS what", 22) == 0) {
        tell_catalogue(r);
    } else if (strncmp(text, "SHOW CREATE TABLE ", 18) == 0) {
        tell_text(r);
    } else if (strncmp(text, "SELECT LAST_INSERT_ID()", 23) == 0) {
        give_number(r, r->s->last_id);
        for (int i = 0; i < 4; i++)
            next(r);
    } else {
        return false;
    }
    return true;
}

/* SET `corm#at` = n, and what a ledger keeps of keys. */
static void set_variable(struct run *r)
{
    if (accept(r, "corm#at")) {
        expect(r, "=");
        r->counted = number(r);
        return;
    }
    size_t used = strlen(r->made);
    (void)snprintf(r->made + used, sizeof(r->made) - used, "%s%lld", r->has_made ? " " : "",
                   (long long)r->s->last_id);
    r->has_made = true;
    while (*r->token != ';' && *r->token != '\0')
        next(r);
}

static void write(struct run *r, void (*statement)(struct run *r))
{
    next(r);
    touch(r);
    if (r->s->read_only && !r->s->autocommit)
        r->code = READ_ONLY;
    else
        statement(r);
}

static void plain(struct run *r)
{
    if (special(r))
        return;
    if (is(r, "SELECT")) {
        next(r);
        touch(r);
        select_(r);
    } else if (is(r, "INSERT")) {
        write(r, insert);
    } else if (is(r, "UPDATE")) {
        write(r, update);
    } else if (is(r, "DELETE")) {
        write(r, delete_);
    } else if (accept(r, "SAVEPOINT")) {
        set_savepoint(r);
    } else if (accept(r, "RELEASE")) {
        release_savepoint(r);
    } else if (accept(r, "COMMIT")) {
        commit(r->s);
    } else if (accept(r, "START")) {
        expect(r, "TRANSACTION");
        roll_back(r->s);
        r->s->explicit = r->s->in_trx = true;
        if (accept(r, "WITH")) {
            expect(r, "CONSISTENT");
            expect(r, "SNAPSHOT");
            r->s->joined = true;
            if (r->s->isolation == CORM_REPEATABLE_READ)
                r->s->snapshot = server.commits;
        }
    } else if (accept(r, "ROLLBACK")) {
        if (accept(r, "TO"))
            roll_back_to(r);
        else
            roll_back(r->s);
    } else {
        not_understood(r);
    }
}

/* Whether the fault that is planned comes at this statement. */
static bool strikes(const struct run *r)
{
    int  code = r->request->fault_code, at = r->request->fault_at;
    bool locks = is(r, "SELECT") || is(r, "INSERT") || is(r, "UPDATE") || is(r, "DELETE");
    bool commits = is(r, "COMMIT");

    if (code == 0 || (at == SERVER_AT_COMMIT ? !commits : at != r->statement))
        return false;
    if (code == DEADLOCK)
        return locks || commits;
    if (code == LOCK_TIMEOUT) /* what is buffered are updates of rows that are locked already */
        return locks && !(is(r, "UPDATE") && r->in_compound);
    return code != COMMIT_FAILED || commits;
}

static int strike(struct run *r)
{
    if (r->request->fault_code == KILLED)
        end_session(r->s, KILLED);
    return r->request->fault_code;
}

/* Runs one statement, of a compound or alone; it is undone where it fails. */
static void statement(struct run *r)
{
    size_t mark = r->s->undo_count;
    bool   strikes_here = strikes(r), after = r->request->fault_after;

    if (strikes_here && !after)
        r->code = strike(r);
    if (r->code == 0)
        plain(r);
    if (r->code == 0 && strikes_here && after) {
        if (r->s->autocommit && !r->s->explicit)
            commit(r->s);
        mark = r->s->undo_count;
        r->code = strike(r);
    }
    r->statement++;
    if (r->code == 0)
        return;
    if (r->code == DEADLOCK || r->code == CHANGED || r->code == COMMIT_FAILED)
        roll_back(r->s);
    else if (r->s->undo_count > mark)
        undo_to(r->s, mark);
}

static void declare(struct run *r)
{
    if (accept(r, "corm#at")) {
        r->counts = true;
    } else if (accept(r, "EXIT")) {
        while (!is(r, "END"))
            next(r);
        next(r);
    }
    while (!is(r, ";"))
        next(r);
}

static void compound(struct run *r)
{
    expect(r, "BEGIN");
    expect(r, "NOT");
    expect(r, "ATOMIC");
    r->in_compound = true;
    while (r->code == 0 && !is(r, "END")) {
        if (accept(r, "DECLARE"))
            declare(r);
        else if (accept(r, "SET"))
            set_variable(r);
        else
            statement(r);
        if (r->code == 0)
            expect(r, ";");
    }
    if (r->code != 0 && r->counts)
        r->s->failed_at = r->counted;
}

/* SET STATEMENT max_statement_time=1.000 FOR */
static void read_time_limit(struct run *r)
{
    expect(r, "STATEMENT");
    expect(r, "max_statement_time");
    if (!is(r, "="))
        not_understood(r);
    double seconds = strtod(r->at, NULL);
    r->s->statement_until = scheduler_now() + (int64_t)(seconds * 1e9);
    while (!accept(r, "FOR"))
        next(r);
}

static void run_text(struct run *r)
{
    r->at = r->request->text;
    r->next_bind = 0;
    next(r);
    if (accept(r, "SET"))
        read_time_limit(r);
    if (is(r, "BEGIN"))
        compound(r);
    else
        statement(r);
    if (r->code == 0 && r->s->autocommit && !r->s->explicit)
        commit(r->s);
}

static void enter(struct server_session *s, const struct corm__mode *mode)
{
    enum { SERVERS_LOCK_WAIT_S = 50 };

    commit(s); /* autocommit=1 does */
    s->autocommit = !mode->trx;
    s->read_only = mode->read_only;
    s->isolation =
        mode->isolation == CORM_ISOLATION_DEFAULT ? CORM_REPEATABLE_READ : mode->isolation;
    s->snapshots_hold = s->isolation == CORM_REPEATABLE_READ;
    s->lock_wait_ns =
        (int64_t)(mode->lock_wait_s > 0 ? mode->lock_wait_s : SERVERS_LOCK_WAIT_S) * 1000000000;
}

static void run_request(struct run *r)
{
    if (r->request->mode != NULL) {
        enter(r->s, r->request->mode);
        return;
    }
    for (size_t i = 0; r->code == 0 && i < r->request->rows; i++) {
        r->binds = r->request->binds + i * r->request->width;
        if (i > 0)
            r->statement = 1; /* not the fault's once more */
        run_text(r);
    }
}

static uint64_t mark_of(const struct corm_value *v)
{
    bool is_mark = v->kind == CORM_V_INT && v->as.i >= SERVER_MARKS &&
                   v->as.i < SERVER_MARKS + SERVER_MARK_COUNT;

    return is_mark ? UINT64_C(1) << (v->as.i - SERVER_MARKS) : 0;
}

/* Of what a session has written into a row: not what it has found there. */
static uint64_t marks_of_row(const struct server_session *s, const struct row *row)
{
    const struct version *before = row->newest;
    uint64_t              marks = 0, old = 0;

    while (before != NULL && before->writer == s)
        before = before->older;
    for (int i = 0; before != NULL && i < COLUMNS_MAX; i++)
        old |= mark_of(&before->values[i]);
    for (const struct version *v = row->newest; v != before; v = v->older)
        for (int i = 0; i < COLUMNS_MAX; i++)
            marks |= mark_of(&v->values[i]);
    return marks & ~old;
}

uint64_t server_marks(const struct server_session *s, const struct server_request *request)
{
    uint64_t marks = 0;

    for (size_t i = 0; request != NULL && i < request->rows * request->width; i++)
        marks |= mark_of(&request->binds[i]);
    for (const struct undo *undo = s != NULL ? s->undo : NULL; undo != NULL; undo = undo->next)
        marks |= marks_of_row(s, undo->row);
    return marks;
}

bool server_run(struct server_session *s, const struct server_request *request,
                int64_t client_until, struct server_response *response)
{
    struct run r = {.s = s, .request = request, .response = response};
    size_t     mark = s->undo_count;

    memset(response, 0, offsetof(struct server_response, sets));
    response->set_count = 0;
    response->matched = response->generated = 0;
    assert(s->alive && !s->running && "two threads use one session");
    s->running = true;
    s->statement_until = INT64_MAX;
    s->client_until = client_until;
    run_request(&r);
    s->running = false;
    if (!s->alive) {
        roll_back(s);
        r.code = s->fate;
    } else if (r.code == ABANDONED || (r.code != 0 && request->bulk)) {
        bool in_trx = s->undo_count >= mark;
        if (in_trx)
            undo_to(s, mark);
    }
    if (s->alive && r.code != 0 && s->autocommit && !s->explicit)
        roll_back(s);
    response->code = r.code;
    response->in_trx = s->in_trx;
    response->marks = server_marks(s, NULL);
    response->autocommits = false;
    return r.code != ABANDONED;
}

/* ---- Sessions ------------------------------------------------------------------------------------------ */

struct server_session *server_connect(void)
{
    struct corm__mode      single = {.trx = false};
    struct server_session *s;

    if (scheduler_now() < server.down_until)
        return NULL;
    s = alloc(sizeof(*s));
    s->next = server.sessions;
    server.sessions = s;
    s->id = ++server.last_id;
    s->alive = true;
    enter(s, &single);
    return s;
}

void server_disconnect(struct server_session *s)
{
    if (s->alive)
        end_session(s, KILLED);
}

bool server_is_alive(const struct server_session *s)
{
    return s->alive;
}

uint64_t server_id(const struct server_session *s)
{
    return s->id;
}

bool server_kill(uint64_t id)
{
    for (struct server_session *s = server.sessions; s != NULL; s = s->next)
        if (s->alive && s->id == id) {
            end_session(s, KILLED);
            return true;
        }
    return false;
}

uint64_t server_any_session(void)
{
    uint64_t n = 0, id = 0;

    for (const struct server_session *s = server.sessions; s != NULL; s = s->next)
        if (s->alive && scheduler_random(++n) == 0)
            id = s->id;
    return id;
}

void server_restart(int64_t down_ns)
{
    for (struct server_session *s = server.sessions; s != NULL; s = s->next)
        if (s->alive)
            end_session(s, SHUTDOWN);
    server.last_id = 3;
    server.runs++;
    server.down_until = scheduler_now() + down_ns;
}

uint64_t server_runs(void)
{
    return server.runs;
}

/* ---- Tables --------------------------------------------------------------------------------------------- */

static void describe(struct column *c, const struct corm_column *from)
{
    (void)snprintf(c->name, sizeof(c->name), "%s", corm__column_name(from));
    c->text = from->type == CORM_VARCHAR;
    assert(c->text || from->type == CORM_INT || from->type == CORM_BIGINT);
    if (c->text)
        (void)snprintf(c->type, sizeof(c->type), "varchar(%u)", from->length);
    else
        (void)snprintf(c->type, sizeof(c->type), "%s",
                       from->type == CORM_INT ? "int(11)" : "bigint(20)");
    c->pk = from->pk;
    c->autoinc = from->autoinc;
    c->nullable = from->nullable;
}

void server_create(const struct corm_table *model)
{
    struct table *table = &server.tables[server.table_count++];

    assert(server.table_count <= TABLES_MAX && model->column_count <= COLUMNS_MAX);
    memset(table, 0, sizeof(*table));
    (void)snprintf(table->name, sizeof(table->name), "%s", model->name);
    table->column_count = model->column_count;
    for (uint32_t i = 0; i < model->column_count; i++) {
        describe(&table->columns[i], &model->columns[i]);
        if (table->columns[i].pk)
            table->pk = i;
    }
}

void server_create_ledger(void)
{
    static const struct column columns[] = {
        {.name = "slot", .pk = true}, {.name = "epoch"},
        {.name = "sequence"},         {.name = "made", .text = true, .nullable = true},
        {.name = "touched"},
    };
    struct table *table = &server.tables[server.table_count++];

    memset(table, 0, sizeof(*table));
    (void)snprintf(table->name, sizeof(table->name), "corm_ledger");
    memcpy(table->columns, columns, sizeof(columns));
    table->column_count = sizeof(columns) / sizeof(columns[0]);
}

void server_begin(void)
{
    struct corm_arena *arena = server.arena;

    memset(&server, 0, sizeof(server));
    server.arena = arena != NULL ? arena : corm_arena_new();
    server.last_id = 3;
    server.runs = 1;
    server.commits = 1; /* a snapshot of 0 is none */
    corm__arena_keep(server.arena, 1 << 20);
}

void server_end(void)
{
    corm_arena_reset(server.arena);
}

/* ---- What there is ---------------------------------------------------------------------------------------- */

static struct table *named(const char *name)
{
    for (uint32_t i = 0; i < server.table_count; i++)
        if (strcmp(server.tables[i].name, name) == 0)
            return &server.tables[i];
    abort();
}

void server_each(const char *table, void (*row)(const struct corm_value *values, void *arg),
                 void       *arg)
{
    for (const struct row *r = named(table)->rows; r != NULL; r = r->next) {
        const struct version *v = visible(r, NULL, server.commits);
        if (v != NULL)
            row(v->values, arg);
    }
}

void server_put(const char *table, const struct corm_value *values)
{
    struct table   *t = named(table);
    struct row     *row = make_row(t, values[t->pk].as.i);
    struct version *v = alloc(sizeof(*v));

    memcpy(v->values, values, t->column_count * sizeof(*values));
    row->newest = v;
    if (row->key > t->next_key)
        t->next_key = row->key;
}

size_t server_held(const struct server_session *session)
{
    size_t n = 0;

    for (const struct lock *l = server.locks; l != NULL; l = l->next)
        n += session == NULL || l->session == session;
    for (const struct server_session *s = server.sessions; s != NULL; s = s->next)
        n += session == NULL || s == session ? s->undo_count : 0;
    return n;
}

void server_print(void)
{
    static const char *const modes[] = {"gap", "S", "X", "IS", "IX", "table S", "table X"};

    for (const struct lock *l = server.locks; l != NULL; l = l->next)
        (void)fprintf(stderr, "session %llu %s %s of %s %lld\n", (unsigned long long)l->session->id,
                      l->granted ? "has" : "waits for", modes[l->mode], l->table->name,
                      (long long)l->key);
}
