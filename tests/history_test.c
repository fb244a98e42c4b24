/* tests/history_test.c -- lanes, explicit transactions and programs that know nothing of corm work on the same
 * rows; what they did and saw is recorded, and must be what one after the other can have done and seen.
 *
 * Each row is a list of numbers. Threads submit random functions with keys to two or more lanes, run others
 * without a key and in the long form, and read snapshots; clients of the server's own library append to the
 * same lists, with FOR UPDATE and without, hold rows for a while, and run again by themselves what deadlocks. In
 * some rounds sessions of corm are killed, or their wire breaks, meanwhile. history.h says how a record is judged.
 *
 * What is promised, and so what is asked for:
 *
 *   - Functions are SERIALIZABLE: all that they read, with a lock or without, is part of one order of all
 *     transactions, and that is an order of time: who began after another was told comes after it.
 *   - So is what a refused function has read: its refusal was told, and may rest on it.
 *   - Explicit transactions have the server's own level (REPEATABLE READ): of them only what they read with
 *     a lock counts, and all where they ask for SERIALIZABLE.
 *   - A function that only reads sees one snapshot, which is a moment of that order.
 *   - A foreign program is part of it where it locks what it reads, or reads nothing before it writes:
 *     its rows are locked then. Of one that reads without a lock and writes what it has computed from that,
 *     nothing is promised, and there is none here.
 *   - Functions that one thread submits for one key, and that touch nothing else, run in that order.
 *
 *     CORM_HISTORY_SEED=N      the seed, instead of a new one; threads do not run the same way twice
 *     CORM_HISTORY_SECONDS=N   for how long (3) */
#include "faults.h"
#include "history.h"
#include "support.h"

#include <inttypes.h>
#include <mysql.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* items: ",3,17,4"; n: how many. */
#define LIST(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(items, text)                                                                                 \
    X(n, int)
CORM_MODEL(list, LIST);
CORM_DEFINE(list, LIST);

/* The same once more, a row for each number. */
#define ENTRY(X)                                                                                   \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(list_id, int)                                                                                \
    X(pos, int)                                                                                    \
    X(value, int, .unique = 1)
CORM_MODEL(entry, ENTRY);
CORM_DEFINE(entry, ENTRY, CORM_INDEX(entry, by_list, list_id, pos));

/* Holds the row 1: to insert that is refused. */
#define ONCE(X) X(id, int, .pk = 1)
CORM_MODEL(once, ONCE);
CORM_DEFINE(once, ONCE);

enum { LISTS = 5, STEPS_MAX = 6, ITEMS_SIZE = 32768, TIMEOUT_MS = 20000 };
enum { REFUSED = CORM_USER, TAKEN_BACK, NO_LIST };

/* ---- Hand-made histories ----------------------------------------------------------------- */

/* Transactions stand between semicolons:
 *
 *     thread:began-told outcome operation...     outcome: c, r, f, u as in history.h
 *     operation: r0=1,2 (reads list 0), a0=3 (appends), x0=3 (appends and takes it back), k4 (ordered)
 *     0=1,2,3                                    what list 0 holds in the end */
struct made {
    const char *says; /* "" where it holds */
    const char *text;
};

static const struct made made[] = {
    {"", "1:0-9 c r0= a0=1; 2:0-9 c r0=1 a0=2; 0=1,2"},
    {"", "1:0-1 c a0=1 a0=2; 2:2-3 c r0=1,2 a0=3 r0=1,2,3 r1=; 0=1,2,3"},
    {"", "1:0-9 u a0=1; 2:0-9 c r0=1; 0=1"},
    {"", "1:0-9 u a0=1; 2:0-9 c r0=; 0="},
    {"", "1:0-1 u a0=1; 2:2-3 c r0=; 3:2-9 c r0=1; 0=1"}, /* may be committed after it was told */
    {"", "1:0-9 c x0=1 r0= a0=2 r0=2; 0=2"},
    {"", "1:0-9 f r0=7 a0=1; 2:0-9 c r0=; 0="}, /* what a failed one reads is nothing */
    {"", "1:0-9 r r0= a0=1 r0=1; 2:0-9 c r0=; 0="},
    {"", "1:0-5 c k1 a0=1; 1:1-9 c k1 r0=1 a0=2; 0=1,2"},
    {"", "1:0-5 c k1 a0=1; 1:1-9 c k2 r0=; 2:0-9 c k1 r0=; 0=1"},
    {"garbage", "1:0-9 c a0=1; 0=1,2"},
    {"garbage", "1:0-9 c a0=1; 0=1; 1=1"},
    {"garbage", "1:0-9 c r0=5; 0="},
    {"doubled append", "1:0-9 c a0=1; 0=1,1"},
    {"undone append", "1:0-9 r a0=1; 0=1"},
    {"undone append", "1:0-9 f a0=1; 0=1"},
    {"undone append", "1:0-9 c x0=1 a0=2; 0=1,2"},
    {"lost append", "1:0-9 c r0= a0=1; 2:0-9 c r0= a0=2; 0=2"},
    {"lost append", "1:0-9 u a0=1 a1=2; 0=1"}, /* half committed */
    {"not its own", "1:0-9 c a0=1 a0=2; 0=2,1"},
    {"not its own", "1:0-9 c a0=1 r0=; 0=1"},
    {"not its own", "1:0-9 r a0=1 r0=; 0="},
    {"not its own", "1:0-9 c r0= r0=1; 2:0-9 c a0=1; 0=1"},
    {"undone read", "1:0-9 r a0=1; 2:0-9 c r0=1; 0="},
    {"undone read", "1:0-9 f a0=1; 2:0-9 r r0=1; 0="},
    {"undone read", "1:0-9 c x0=1; 2:0-9 c r0=1; 0="},
    {"another order", "1:0-9 c a0=1; 2:0-9 c a0=2; 3:0-9 c r0=2; 0=1,2"},
    {"half read", "1:0-9 c a0=1 a0=2; 2:0-9 c r0=1; 0=1,2"},
    {"dirty write", "1:0-9 c a0=1 a1=2; 2:0-9 c a0=3 a1=4; 0=1,3; 1=4,2"},
    {"dirty write", "1:0-9 c a0=1 a0=2; 2:0-9 c a0=3; 0=1,3,2"},
    {"circular reads", "1:0-9 c a0=1 r1=2; 2:0-9 c a1=2 r0=1; 0=1; 1=2"},
    {"circular reads", "1:0-9 c a0=1 a1=2; 2:0-9 c r0=1 a1=3; 0=1; 1=3,2"},
    {"anti-dependency, one", "1:0-9 c r0= a0=1; 2:0-9 c r0= a0=2; 0=1,2"}, /* a lost update */
    {"anti-dependency, one", "1:0-9 c a0=1 a1=2; 2:0-9 c r0= r1=2; 0=1; 1=2"},
    {"anti-dependency, one", "1:0-9 c a0=1 a1=2; 2:0-9 r r0= r1=2; 0=1; 1=2"},
    {"anti-dependency, several", "1:0-9 c r0= a1=1; 2:0-9 c r1= a0=2; 0=2; 1=1"}, /* write skew */
    {"anti-dependency, several", /* two that see two writers in different orders */
     "1:0-9 c a0=1; 2:0-9 c a1=2; 3:0-9 c r0=1 r1=; 4:0-9 c r0= r1=2; 0=1; 1=2"},
    {"out of order", "1:0-9 c k1 r0=2 a0=1; 1:0-9 c k1 r0= a0=2; 0=2,1"},
    {"out of order", "1:0-9 r k1 r0=1; 1:0-9 c k1 a0=1; 0=1"},
    {"out of time", "1:0-1 c a0=1; 2:2-3 c r0=; 0=1"},
    {"out of time", "1:0-1 c a0=1; 2:2-3 r r0=; 0=1"},
    {"out of time", "1:2-3 c a0=1; 2:0-1 c r0=1; 0=1"},
    {"out of time", "1:0-3 c r1=2; 2:4-5 c r0= a1=3; 3:1-2 c a0=1; 4:0-9 c a1=2; 0=1; 1=2,3"},
};

static int32_t *numbers_of(const char *text, const char **end, uint32_t *count)
{
    size_t   room = strlen(text) + 1;
    int32_t *numbers = calloc(room, sizeof(*numbers));

    *count = 0;
    assert_non_null(numbers);
    while (*text >= '0' && *text <= '9') {
        char *behind = NULL;
        numbers[(*count)++] = (int32_t)strtol(text, &behind, 10);
        text = *behind == ',' ? behind + 1 : behind;
    }
    *end = text;
    return numbers;
}

static const char *parse_op(const char *text, struct history_trx *t)
{
    struct history_op *op = &t->ops[t->op_count];

    if (*text == 'k') {
        t->ordered = text[1] - '0';
        return text + 2;
    }
    *op = (struct history_op){
        .append = *text != 'r', .undone = *text == 'x', .list = (uint32_t)(text[1] - '0')};
    assert_int_equal(text[2], '=');
    op->values = numbers_of(text + 3, &text, &op->count);
    if (op->append)
        op->value = op->values[0];
    t->op_count++;
    return text;
}

static const char *parse_trx(const char *text, struct history *h)
{
    static const char  outcomes[] = "crfu";
    struct history_trx t = {.ordered = -1, .way = "made"};
    char              *end = NULL;

    t.thread = (uint32_t)strtoul(text, &end, 10);
    t.began = strtol(end + 1, &end, 10);
    t.told = strtol(end + 1, &end, 10);
    const char *outcome = strchr(outcomes, end[1]);
    assert_non_null(outcome);
    t.outcome = (enum history_outcome)(outcome - outcomes);
    for (text = end + 2; *text == ' ' || (*text != ';' && *text != '\0');)
        text = *text == ' ' ? text + 1 : parse_op(text, &t);
    history_add(h, &t);
    return text;
}

static void parse_history(const char *text, struct history *h)
{
    while (*text != '\0') {
        if (text[1] == '=') {
            struct history_op *final = &h->finals[*text - '0'];
            final->values = numbers_of(text + 2, &text, &final->count);
        } else {
            text = parse_trx(text, h);
        }
        text += strspn(text, "; ");
    }
}

static void hand_made_histories_are_told_apart(void **state)
{
    char why[2000];

    (void)state;
    for (size_t i = 0; i < COUNT(made); i++) {
        struct history h = {0};
        parse_history(made[i].text, &h);
        bool holds = history_holds(&h, why, sizeof(why));
        history_free(&h);
        if (holds != (made[i].says[0] == '\0') ||
            strncmp(why, made[i].says, strlen(made[i].says)) != 0)
            fail_msg("\"%s\" is said to be \"%s\", not \"%s\"", made[i].text, why, made[i].says);
    }
}

/* ---- A round ------------------------------------------------------------------------------- */

/* What a broken corm would do, by READ COMMITTED without locks. */
enum off {
    NOT_OFF,
    WRITES_OFF, /* what was read may be overwritten */
    READS_OFF   /* the server appends; what was read beside may be old */
};

struct round {
    uint64_t number;
    unsigned lanes, group_max, wait_ms;
    bool     entries; /* each append is a row of its own as well */
    bool     kills;   /* of sessions of corm */
    bool     breaks;  /* the wire between corm and its server, at any byte of the answers */
    bool     skews;   /* functions read one list and append to another */
    enum off off;     /* ... which the judge has to see */
    unsigned foreigners;
    unsigned each; /* transactions of a thread */
};

static struct corm_db *db;
static struct round    now; /* does not change while threads run */
static atomic_int      next_value, working, killed, broken;
static struct proxy   *wire;

/* X(op, weight) */
#define OPS(X)                                                                                     \
    X(READ, 6)                                                                                     \
    X(READ_SHARED, 1)                                                                              \
    X(READ_PLAIN, 3)                                                                               \
    X(READ_ENTRIES, 1)                                                                             \
    X(APPEND, 16)                                                                                  \
    X(APPEND_BLIND, 3)                                                                             \
    X(APPEND_UNDONE, 2)                                                                            \
    X(DUPLICATE, 1)                                                                                \
    X(REFUSE, 2)

enum op {
#define X_OP(op, weight) OP_##op,
    OPS(X_OP)
#undef X_OP
        OP_COUNT
};
static const unsigned weights[] = {
#define X_WEIGHT(op, weight) weight,
    OPS(X_WEIGHT)
#undef X_WEIGHT
};

/* X(way, weight, name) */
#define WAYS(X)                                                                                    \
    X(SUBMIT, 24, "submitted")                                                                     \
    X(KEYED, 4, "with a key")                                                                      \
    X(KEYLESS, 3, "without a key")                                                                 \
    X(BEGIN, 4, "long form")                                                                       \
    X(BEGIN_SERIALIZABLE, 2, "long form, serializable")                                            \
    X(SNAPSHOT, 2, "read-only")                                                                    \
    X(FOREIGN_LOCKED, 0, "foreign, with FOR UPDATE")                                               \
    X(FOREIGN_BLIND, 0, "foreign, without FOR UPDATE")                                             \
    X(FOREIGN_HOLD, 0, "foreign, holds rows")

enum way {
#define X_WAY(way, weight, name) way,
    WAYS(X_WAY)
#undef X_WAY
        WAY_COUNT
};
static const unsigned way_weights[] = {
#define X_WEIGHT(way, weight, name) weight,
    WAYS(X_WEIGHT)
#undef X_WEIGHT
};
static const char *const way_names[] = {
#define X_NAME(way, weight, name) name,
    WAYS(X_NAME)
#undef X_NAME
};

struct step {
    enum op  op;
    uint32_t list; /* from 0; its row has the next id */
    int32_t  value;
};

/* A transaction, and what its last run did and saw. */
struct job {
    enum way           way;
    struct step        steps[STEPS_MAX];
    uint32_t           count;
    bool               careless; /* its key is that of its last list alone */
    int64_t            ticket;
    struct history_trx log;
};

struct worker {
    uint64_t    random;
    uint32_t    thread;
    struct job *jobs;
    uint32_t    count;
    char        wrong[300]; /* "" or what must not be */
};

static uint32_t pick(uint64_t *random, uint32_t below)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (uint32_t)((*random >> 16) % below);
}

static uint32_t pick_weighted(uint64_t *random, const unsigned *weighted, uint32_t count)
{
    uint32_t total = 0, i = 0;

    for (uint32_t k = 0; k < count; k++)
        total += weighted[k];
    uint32_t at = pick(random, total);
    while (at >= weighted[i])
        at -= weighted[i++];
    return i;
}

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool is_foreign(enum way way)
{
    return way >= FOREIGN_LOCKED;
}

/* What may be asked of a way: see the top. */
static enum op suited(enum op op, enum way way)
{
    if (way == SNAPSHOT)
        return op == OP_READ_ENTRIES && now.entries ? op : OP_READ_PLAIN;
    if (is_foreign(way) && op != OP_REFUSE)
        return way == FOREIGN_BLIND                    ? OP_APPEND_BLIND
               : way == FOREIGN_HOLD || op < OP_APPEND ? OP_READ
                                                       : OP_APPEND;
    if (op == OP_READ_ENTRIES && (!now.entries || way == BEGIN))
        return OP_READ;
    return op == OP_READ_PLAIN && way == BEGIN ? OP_READ : op;
}

/* Reads one list and appends to another, which is its key: two such ones the other way round must not miss
 * each other. */
static void make_skew(struct job *j, uint64_t *random)
{
    j->count = 2;
    j->careless = true;
    j->steps[0].op = j->way == BEGIN ? OP_READ : OP_READ_PLAIN;
    j->steps[1] = (struct step){OP_APPEND, (j->steps[0].list + 1 + pick(random, LISTS - 1)) % LISTS,
                                next_value++};
}

static void make_job(struct job *j, uint64_t *random, enum way way, uint32_t thread)
{
    uint32_t hot = pick(random, 3) > 0 ? 1 + pick(random, 2) : LISTS, from = pick(random, LISTS);

    *j = (struct job){.way = way,
                      .count = 1 + pick(random, pick(random, 2) == 0 ? STEPS_MAX : 2),
                      .careless = pick(random, 3) == 0,
                      .log = {.way = way_names[way], .thread = thread, .ordered = -1}};
    for (uint32_t i = 0; i < j->count; i++)
        j->steps[i] = (struct step){
            .op = suited((enum op)pick_weighted(random, weights, OP_COUNT), way),
            .list = (from + pick(random, hot)) % LISTS,
            .value = next_value++,
        };
    for (uint32_t i = 0; now.off == READS_OFF && i < j->count; i++) {
        j->steps[i].list = (from + i) % LISTS;
        j->steps[i].op = i % 2 == 0 ? OP_APPEND_BLIND : OP_READ_PLAIN;
    }
    if (now.skews && !is_foreign(way) && way != SNAPSHOT)
        make_skew(j, random);
}

/* ---- What a transaction does --------------------------------------------------------------- */

static void forget_log(struct job *j)
{
    for (uint32_t i = 0; i < j->log.op_count; i++)
        free(j->log.ops[i].values);
    j->log.op_count = 0;
}

static struct history_op *note(struct job *j, uint32_t which)
{
    struct history_op *op = &j->log.ops[j->log.op_count++];

    if (j->log.op_count > HISTORY_OPS)
        abort();
    *op = (struct history_op){.list = which};
    return op;
}

static void note_append(struct job *j, const struct step *s, bool undone)
{
    struct history_op *op = note(j, s->list);

    op->append = true;
    op->undone = undone;
    op->value = s->value;
}

static void read_items(const char *items, struct history_op *op)
{
    size_t n = 0;

    for (const char *c = items; *c != '\0'; c++)
        n += *c == ',';
    op->values = malloc((n + 1) * sizeof(*op->values));
    if (op->values == NULL)
        abort();
    for (const char *c = items; *c == ',';) {
        char *end = NULL;
        op->values[op->count++] = (int32_t)strtol(c + 1, &end, 10);
        c = end;
    }
}

static int read_list(struct corm_trx *trx, struct job *j, const struct step *s, enum corm_lock lock,
                     struct list *row)
{
    int rc = corm_first(trx, list, row, .where = corm_eq(list.id, (int)s->list + 1),
                        .lock = now.off ? CORM_NO_LOCK : lock);

    if (rc == 0)
        return corm_abort(trx, NO_LIST, "there is no list %u", s->list + 1);
    if (rc > 0)
        read_items(row->items, note(j, s->list));
    return rc;
}

static int read_entries(struct corm_trx *trx, struct job *j, const struct step *s)
{
    struct entry *rows = NULL;
    int64_t       n = corm_all(trx, entry, &rows, .where = corm_eq(entry.list_id, (int)s->list + 1),
                               .order = {corm_asc(entry.pos), corm_asc(entry.id)});

    if (n < 0)
        return (int)n;
    struct history_op *op = note(j, s->list);
    op->values = malloc(((size_t)n + 1) * sizeof(*op->values));
    if (op->values == NULL)
        abort();
    while (op->count < n) {
        op->values[op->count] = rows[op->count].value;
        op->count++;
    }
    return 0;
}

static int insert_entry(struct corm_trx *trx, const struct step *s, int32_t pos)
{
    if (!now.entries)
        return 0;
    return corm_insert_row(
        trx, entry, &(struct entry){.list_id = (int)s->list + 1, .pos = pos, .value = s->value});
}

static int append(struct corm_trx *trx, struct job *j, const struct step *s, bool undone)
{
    struct list row;
    char        items[ITEMS_SIZE];
    int         rc = read_list(trx, j, s, CORM_FOR_UPDATE, &row);

    if (rc < 0)
        return rc;
    (void)snprintf(items, sizeof(items), "%s,%d", row.items, s->value);
    rc = corm_update(trx, list, corm_eq(list.id, (int)s->list + 1), corm_set(list.items, items),
                     corm_set(list.n, row.n + 1));
    if (rc >= 0)
        rc = insert_entry(trx, s, row.n);
    note_append(j, s, undone);
    return rc;
}

/* The server appends: nothing is read before. */
static int append_blind(struct corm_trx *trx, struct job *j, const struct step *s)
{
    struct list row;
    char        item[16];

    (void)snprintf(item, sizeof(item), ",%d", s->value);
    int rc =
        corm_sql(trx, NULL,
                 is_mariadb() ? "UPDATE list SET items = CONCAT(items, ?), n = n + 1 WHERE id = ?"
                              : "UPDATE list SET items = items || ?, n = n + 1 WHERE id = ?",
                 corm_vals(item, (int)s->list + 1));
    note_append(j, s, false);
    if (rc < 0 || !now.entries)
        return rc;
    rc = read_list(trx, j, s, CORM_FOR_UPDATE, &row);
    return rc < 0 ? rc : insert_entry(trx, s, row.n - 1);
}

struct nested {
    struct job        *job;
    const struct step *step;
};

static int append_and_refuse(struct corm_trx *trx, void *arg)
{
    const struct nested *n = arg;
    int                  rc = append(trx, n->job, n->step, true);

    return rc < 0 ? rc : corm_abort(trx, TAKEN_BACK, "not this one");
}

static int run_step(struct corm_trx *trx, struct job *j, const struct step *s)
{
    struct list   row;
    struct nested nested = {j, s};
    int           rc;

    switch (s->op) {
    case OP_READ: return read_list(trx, j, s, CORM_FOR_UPDATE, &row);
    case OP_READ_SHARED: return read_list(trx, j, s, CORM_FOR_SHARE, &row);
    case OP_READ_PLAIN: return read_list(trx, j, s, CORM_NO_LOCK, &row);
    case OP_READ_ENTRIES: return read_entries(trx, j, s);
    case OP_APPEND: return append(trx, j, s, false);
    case OP_APPEND_BLIND: return append_blind(trx, j, s);
    case OP_APPEND_UNDONE:
        rc = corm_transact(trx, append_and_refuse, &nested);
        return rc == TAKEN_BACK ? 0 : rc;
    case OP_DUPLICATE: return corm_insert_row(trx, once, &(struct once){1});
    default: return corm_abort(trx, REFUSED, "as it was made");
    }
}

static int run_steps(struct corm_trx *trx, void *arg)
{
    struct job *j = arg;
    int         rc = 0;

    forget_log(j);
    for (uint32_t i = 0; rc >= 0 && i < j->count; i++)
        rc = run_step(trx, j, &j->steps[i]);
    return rc < 0 ? rc : 0;
}

/* ---- Ways to run it -------------------------------------------------------------------------- */

static void begun(struct job *j)
{
    j->log.began = now_ns();
}

static void told(struct worker *w, struct job *j, int rc)
{
    j->log.told = now_ns();
    j->log.outcome = rc >= 0              ? HISTORY_COMMITTED
                     : corm_is_user(rc)   ? HISTORY_REFUSED
                     : rc == CORM_UNKNOWN ? HISTORY_UNKNOWN
                                          : HISTORY_FAILED;
    if (rc == NO_LIST || rc == CORM_MISUSE || rc == CORM_TIMEOUT || rc == CORM_NO_TICKET)
        (void)snprintf(w->wrong, sizeof(w->wrong), "a transaction %s came to %s", j->log.way,
                       corm_code_name(rc));
}

/* Those of one key and nothing else run in the order of submission. Who inserts may have to wait for
 * others' gaps, which is in nobody's key. */
static bool is_ordered(const struct job *j)
{
    for (uint32_t i = 0; i < j->count; i++)
        if (j->steps[i].list != j->steps[0].list || j->steps[i].op == OP_DUPLICATE)
            return false;
    return !now.entries;
}

static struct corm_expr keys_of(const struct job *j, struct corm_expr *kids)
{
    uint32_t seen = 0, n = 0;

    for (uint32_t i = j->careless ? j->count - 1 : 0; i < j->count; i++) {
        if ((seen >> j->steps[i].list & 1) == 0)
            kids[n++] = (struct corm_expr){.op = CORM_EQ,
                                           .column = &list.corm_table->columns[0],
                                           .value = corm_v_int_((int)j->steps[i].list + 1)};
        seen |= 1u << j->steps[i].list;
    }
    kids[n] = (struct corm_expr){.op = CORM_END};
    return n == 1 ? kids[0] : (struct corm_expr){.op = CORM_KEYS, .kids = kids};
}

static void run_long_form(struct worker *w, struct job *j)
{
    struct corm_trx *trx = NULL;
    int              rc = corm_begin(db, &trx,
                                     .isolation = j->way == BEGIN ? CORM_ISOLATION_DEFAULT : CORM_SERIALIZABLE);

    if (rc >= 0)
        rc = run_steps(trx, j);
    if (rc >= 0)
        rc = corm_commit(trx);
    corm_end(trx);
    told(w, j, rc);
}

/* Begins it, and ends all but those that are submitted. */
static void run_job(struct worker *w, struct job *j)
{
    struct corm_expr kids[STEPS_MAX + 1], key = keys_of(j, kids);

    begun(j);
    switch (j->way) {
    case SUBMIT:
        j->log.ordered = is_ordered(j) ? (int)j->steps[0].list : -1;
        j->ticket = corm_submit(db, run_steps, j, .key = key);
        if (j->ticket < 0)
            told(w, j, (int)j->ticket);
        break;
    case KEYED: told(w, j, corm_transact(db, run_steps, j, .key = key)); break;
    case KEYLESS:
        told(w, j,
             corm_transact(db, run_steps, j,
                           .isolation = now.off ? CORM_READ_COMMITTED : CORM_ISOLATION_DEFAULT));
        break;
    case SNAPSHOT: told(w, j, corm_transact(db, run_steps, j, .read_only = true)); break;
    default: run_long_form(w, j); break;
    }
}

static void wait_for_tickets(struct worker *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        struct job *j = &w->jobs[i];
        if (j->ticket > 0) {
            int rc = corm_wait(db, j->ticket, NULL);
            told(w, j, rc);
            j->ticket = 0;
        }
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    unsigned       keyless_only[WAY_COUNT] = {[KEYLESS] = 1};

    while (w->count < now.each) {
        uint32_t burst = 1 + pick(&w->random, pick(&w->random, 2) == 0 ? 4 : 50);
        for (uint32_t i = 0; i < burst && w->count < now.each; i++) {
            struct job *j = &w->jobs[w->count++];
            make_job(j, &w->random,
                     (enum way)pick_weighted(&w->random, now.off ? keyless_only : way_weights,
                                             WAY_COUNT),
                     w->thread);
            run_job(w, j);
        }
        wait_for_tickets(w);
    }
    working--;
    return NULL;
}

/* ---- Foreign programs ------------------------------------------------------------------------------ */

struct client {
    MYSQL   *mysql;
    sqlite3 *file;
};

/* The file, or the name of the database; set before threads run. */
static char place[256];

static void find_place(void)
{
    const char *url = test_url(NULL);

    (void)snprintf(place, sizeof(place), "%s",
                   is_mariadb() ? strrchr(url, '/') + 1 : url + strlen("sqlite:"));
}

static bool open_client(struct client *c)
{
    if (!is_mariadb()) {
        bool ok = sqlite3_open(place, &c->file) == SQLITE_OK;
        (void)sqlite3_busy_timeout(c->file, 5000);
        (void)sqlite3_exec(c->file, "PRAGMA wal_autocheckpoint=0", NULL, NULL, NULL);
        return ok;
    }
    const char  *port = getenv("CORM_TEST_MARIADB_PORT");
    unsigned int protocol = MYSQL_PROTOCOL_TCP;
    c->mysql = mysql_init(NULL);
    mysql_optionsv(c->mysql, MYSQL_OPT_PROTOCOL, &protocol);
    /* Without a database: those with one are killed. */
    return mysql_real_connect(c->mysql, "127.0.0.1", getenv("CORM_TEST_MARIADB_USER"),
                              getenv("CORM_TEST_MARIADB_PASSWORD"), NULL,
                              (unsigned int)(port != NULL ? strtoul(port, NULL, 10) : 0), NULL,
                              0) != NULL;
}

static void close_client(struct client *c)
{
    if (c->mysql != NULL)
        mysql_close(c->mysql);
    (void)sqlite3_close(c->file);
}

struct answer {
    char first[ITEMS_SIZE], second[32];
};

static void take_answer(struct answer *a, char **values, unsigned count)
{
    (void)snprintf(a->first, sizeof(a->first), "%s", values[0] != NULL ? values[0] : "");
    (void)snprintf(a->second, sizeof(a->second), "%s",
                   count > 1 && values[1] != NULL ? values[1] : "0");
}

static int take_row(void *arg, int count, char **values, char **names)
{
    (void)names;
    take_answer(arg, values, (unsigned)count);
    return 0;
}

/* One statement; false where the server refuses it. */
__attribute__((format(printf, 3, 4))) static bool ask(struct client *c, struct answer *a,
                                                      const char *format, ...)
{
    char    text[ITEMS_SIZE + 200];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (c->file != NULL)
        return sqlite3_exec(c->file, text, take_row, a, NULL) == SQLITE_OK;
    if (mysql_query(c->mysql, text) != 0)
        return false;
    MYSQL_RES *rows = mysql_store_result(c->mysql);
    MYSQL_ROW  row = rows != NULL ? mysql_fetch_row(rows) : NULL;
    if (row != NULL)
        take_answer(a, row, mysql_num_fields(rows));
    mysql_free_result(rows);
    return mysql_errno(c->mysql) == 0;
}

/* "list" as the client has to name it; the text lives until the thread's next call. */
static const char *name(const char *table)
{
    static _Thread_local char text[2][300];
    static _Thread_local int  n;

    n = !n;
    (void)snprintf(text[n], sizeof(text[n]), "%s%s%s", is_mariadb() ? place : "",
                   is_mariadb() ? "." : "", table);
    return text[n];
}

static bool foreign_read(struct client *c, struct job *j, const struct step *s, struct answer *a)
{
    bool ok = ask(c, a, "SELECT items, n FROM %s WHERE id = %u%s", name("list"), s->list + 1,
                  is_mariadb() && j->way != FOREIGN_BLIND ? " FOR UPDATE" : "");

    if (ok)
        read_items(a->first, note(j, s->list));
    return ok;
}

static bool foreign_append(struct client *c, struct job *j, const struct step *s, struct answer *a)
{
    long pos = 0;
    bool ok;

    if (s->op == OP_APPEND) {
        ok = foreign_read(c, j, s, a);
        pos = strtol(a->second, NULL, 10);
        ok = ok && ask(c, a, "UPDATE %s SET items = '%s,%d', n = %ld WHERE id = %u", name("list"),
                       a->first, s->value, pos + 1, s->list + 1);
        note_append(j, s, false);
    } else {
        ok =
            ask(c, a,
                is_mariadb() ? "UPDATE %s SET items = CONCAT(items, ',%d'), n = n + 1 WHERE id = %u"
                             : "UPDATE %s SET items = items || ',%d', n = n + 1 WHERE id = %u",
                name("list"), s->value, s->list + 1);
        note_append(j, s, false);
        ok = ok && foreign_read(c, j, s, a); /* its own row: as it is */
        pos = strtol(a->second, NULL, 10) - 1;
    }
    return ok &&
           (!now.entries || ask(c, a, "INSERT INTO %s (list_id, pos, value) VALUES (%u, %ld, %d)",
                                name("entry"), s->list + 1, pos, s->value));
}

static void linger(uint64_t *random)
{
    struct timespec pause = {.tv_nsec = (long)pick(random, 30) * 1000000};

    (void)nanosleep(&pause, NULL);
}

static void run_foreign(struct worker *w, struct client *c, struct job *j)
{
    static _Thread_local struct answer a;
    bool                               refused = false;

    begun(j);
    bool ok = ask(c, &a, is_mariadb() || j->way == FOREIGN_BLIND ? "BEGIN" : "BEGIN IMMEDIATE");
    for (uint32_t i = 0; ok && !refused && i < j->count; i++) {
        const struct step *s = &j->steps[i];
        refused = s->op == OP_REFUSE;
        ok =
            refused || (s->op == OP_READ ? foreign_read(c, j, s, &a) : foreign_append(c, j, s, &a));
    }
    if (ok && j->way == FOREIGN_HOLD)
        linger(&w->random);
    if (ok && !refused)
        ok = ask(c, &a, "COMMIT"); /* refused, it is not committed: nobody kills this one */
    if (!ok || refused)
        (void)ask(c, &a, "ROLLBACK");
    told(w, j, refused ? REFUSED : ok ? 0 : CORM_DEADLOCK);
}

/* The same again with other numbers, after a deadlock: another transaction. */
static void make_again(struct job *next, const struct job *j)
{
    *next = *j;
    next->log.op_count = 0;
    for (uint32_t i = 0; i < next->count; i++)
        next->steps[i].value = next_value++;
}

static void *work_foreign(void *arg)
{
    struct worker *w = arg;
    struct client  c = {0};
    bool           again = false;

    if (!open_client(&c))
        (void)snprintf(w->wrong, sizeof(w->wrong), "a foreign client cannot connect");
    while (working > 0 && w->wrong[0] == '\0' && w->count < now.each) {
        struct job *j = &w->jobs[w->count++];
        if (again)
            make_again(j, j - 1);
        else
            make_job(j, &w->random, (enum way)(FOREIGN_LOCKED + pick(&w->random, 3)), w->thread);
        run_foreign(w, &c, j);
        again = j->log.outcome == HISTORY_FAILED;
    }
    close_client(&c);
    return NULL;
}

/* Ends sessions of corm, now and then. */
static void *kill_sessions(void *arg)
{
    struct worker       *w = arg;
    struct client        c = {0};
    static struct answer a;

    if (!open_client(&c))
        (void)snprintf(w->wrong, sizeof(w->wrong), "a foreign client cannot connect");
    while (working > 0 && w->wrong[0] == '\0') {
        linger(&w->random);
        a.first[0] = '\0';
        if (ask(&c, &a,
                "SELECT id FROM information_schema.processlist WHERE db = '%s' ORDER BY RAND() "
                "LIMIT 1",
                place) &&
            a.first[0] != '\0' && ask(&c, &a, "KILL %ld", strtol(a.first, NULL, 10)))
            killed++;
    }
    close_client(&c);
    return NULL;
}

/* An answer is lost with the wire, that of a COMMIT that was made too. */
static void *break_wire(void *arg)
{
    struct worker *w = arg;

    while (working > 0) {
        linger(&w->random);
        tell_proxy(wire, "reset down after %u",
                   pick(&w->random, 4) == 0 ? pick(&w->random, 3000) : 0);
        linger(&w->random);
        tell_proxy(wire, "pass");
        linger(&w->random);
        broken++;
    }
    return NULL;
}

static void *run_worker(void *arg)
{
    struct worker *w = arg;

    if (w->jobs == NULL)
        return now.breaks ? break_wire(w) : kill_sessions(w);
    return w->thread < 10 ? work(w) : work_foreign(w);
}

/* ---- What came of it ----------------------------------------------------------------------------------- */

static struct tally {
    uint64_t rounds, groups, members, killed, edges[5], outcomes[WAY_COUNT][4];
} tally;

static void read_finals(struct history *h)
{
    static struct answer a;
    struct client        c = {0};

    assert_true(open_client(&c));
    for (uint32_t i = 0; i < LISTS; i++) { /* locked: a COMMIT may still be under way */
        assert_true(ask(&c, &a, "SELECT items, n FROM %s WHERE id = %u%s", name("list"), i + 1,
                        is_mariadb() ? " FOR UPDATE" : ""));
        read_items(a.first, &h->finals[i]);
        assert_int_equal(strtol(a.second, NULL, 10), h->finals[i].count);
    }
    close_client(&c);
}

/* A row for each number, at its place, and no other. */
static void check_entries(const struct history *h)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < LISTS; i++) {
        struct entry      *rows = NULL;
        struct corm_arena *arena = corm_arena_new();
        struct corm_error  e = {0};
        int64_t n = corm_all(db, entry, &rows, .where = corm_eq(entry.list_id, (int)i + 1),
                             .order = {corm_asc(entry.pos)}, .arena = arena, .error = &e);
        assert_rows(n, h->finals[i].count, &e);
        for (uint32_t k = 0; k < n; k++) {
            assert_int_equal(rows[k].pos, k);
            assert_int_equal(rows[k].value, h->finals[i].values[k]);
        }
        total += (uint32_t)n;
        corm_arena_free(arena);
    }
    assert_int_equal(number_beside("SELECT COUNT(*) FROM entry"), total);
}

static void set_up(struct round r)
{
    char options[200];

    now = r;
    find_place();
    (void)snprintf(options, sizeof(options),
                   "pool=%u&lanes=%u&group_max=%u&lane_wait_ms=%u&timeout_ms=%d", r.lanes + 4,
                   r.lanes, r.group_max, r.wait_ms, TIMEOUT_MS);
    if (r.breaks) {
        struct corm_error e = {0};
        wire = start_proxy();
        assert_ok(
            corm_open(&db, server_url(NULL, NULL, proxy_port(wire), NULL, options), .error = &e),
            &e);
    } else {
        db = open_db(options);
    }
    new_table(db, list);
    new_table(db, entry);
    new_table(db, once);
    beside("INSERT INTO once VALUES (1)");
    for (int i = 1; i <= LISTS; i++)
        beside("INSERT INTO list VALUES (%d, '', 0)", i);
    next_value = 1;
}

static void gather(struct history *h, struct worker *workers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (uint32_t k = 0; workers[i].jobs != NULL && k < workers[i].count; k++) {
            const struct job *j = &workers[i].jobs[k];
            tally.outcomes[j->way][j->log.outcome]++;
            history_add(h, &j->log);
        }
        free(workers[i].jobs);
    }
}

/* Runs one round; whether its history holds. */
static bool run_round(struct round r, char *why, size_t size)
{
    enum { OWN = 3, FOREIGN_MAX = 2 };
    struct worker  workers[OWN + FOREIGN_MAX + 1] = {{0}};
    struct history h = {0};
    uint32_t       count = OWN + r.foreigners;

    set_up(r);
    working = OWN;
    for (uint32_t i = 0; i < count; i++) {
        workers[i].thread = i < OWN ? i : 10 + i - OWN;
        workers[i].jobs = calloc(r.each, sizeof(struct job));
        assert_non_null(workers[i].jobs);
    }
    count += r.kills || r.breaks;
    for (uint32_t i = 0; i < count; i++)
        workers[i].random = (r.number * 1000003 + i * 7919) * 0x9e3779b97f4a7c15u | 1;
    run_threads(count, run_worker, workers, sizeof(workers[0]));
    struct corm_counters c = stats_of(db);
    tally.rounds++;
    tally.groups += c.groups;
    tally.members += c.members;
    gather(&h, workers, count);
    read_finals(&h);
    if (r.entries)
        check_entries(&h);
    bool holds = history_holds(&h, why, size);
    if (!holds && !r.off)
        history_print(&h, why);
    for (size_t i = 0; i < COUNT(tally.edges); i++)
        tally.edges[i] += h.edges[i];
    history_free(&h);
    corm_close(db);
    if (r.breaks)
        stop_proxy(wire);
    for (uint32_t i = 0; i < count; i++)
        if (workers[i].wrong[0] != '\0')
            fail_msg("round %" PRIu64 ": %s", r.number, workers[i].wrong);
    return holds;
}

/* ---- The tests -------------------------------------------------------------------------------------------- */

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t seed(void)
{
    static uint64_t chosen;

    if (chosen == 0)
        chosen = number_from("CORM_HISTORY_SEED",
                             (uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000);
    return chosen;
}

static struct round make_round(uint64_t number)
{
    uint64_t random = (seed() + number * 7919) * 0x9e3779b97f4a7c15u | 1;

    for (int i = 0; i < 8; i++)
        (void)pick(&random, 2);
    return (struct round){
        .number = seed() + number,
        .lanes = is_mariadb() ? 2 + pick(&random, 2) : 1, /* SQLite has one */
        .group_max = (const unsigned[]){2, 7, 256}[pick(&random, 3)],
        .wait_ms = (const unsigned[]){1, 10, 1000}[pick(&random, 3)],
        .entries = number % 2 == 1,
        .kills = is_mariadb() && number % 4 == 3,
        .breaks = is_mariadb() && number % 4 == 1,
        .skews = number % 4 == 2,
        .foreigners = (unsigned)number % 3,
        .each = number % 4 == 2 ? 80 : 150,
    };
}

static void print_tally(void)
{
    printf("# seed %" PRIu64 ": %" PRIu64 " rounds, %" PRIu64 " groups of %" PRIu64
           " members, %d sessions killed, wires broken %d times; edges: ww %" PRIu64 ", wr %" PRIu64
           ", rw %" PRIu64 ", order %" PRIu64 ", time %" PRIu64 "\n",
           seed(), tally.rounds, tally.groups, tally.members, killed, broken, tally.edges[0],
           tally.edges[1], tally.edges[2], tally.edges[3], tally.edges[4]);
    for (int i = 0; i < WAY_COUNT; i++)
        printf("#   %-28s committed %" PRIu64 ", refused %" PRIu64 ", failed %" PRIu64
               ", unknown %" PRIu64 "\n",
               way_names[i], tally.outcomes[i][0], tally.outcomes[i][1], tally.outcomes[i][2],
               tally.outcomes[i][3]);
    (void)fflush(stdout);
}

static void recorded_histories_are_those_of_one_after_the_other(void **state)
{
    int64_t  end = now_ms() + 1000 * (int64_t)number_from("CORM_HISTORY_SECONDS", 3);
    uint64_t first = number_from("CORM_HISTORY_FIRST", 0), i = first;
    char     why[2000];

    (void)state;
    do {
        if (!run_round(make_round(i), why, sizeof(why))) {
            print_tally();
            fail_msg("CORM_HISTORY_SEED=%" PRIu64 " CORM_HISTORY_FIRST=%" PRIu64 ": %s", seed(), i,
                     why);
        }
    } while (++i < first + 4 || now_ms() < end);
    print_tally();
    assert_true(tally.members > tally.groups);
    for (int k = 0; k < 5; k++)
        assert_true(tally.edges[k] > 0);
    for (int way = 0; way < WAY_COUNT; way++)
        assert_true(tally.outcomes[way][HISTORY_COMMITTED] > 0);
}

struct lost {
    struct job job;
    uint32_t   runs;
};

/* The fourth run, when all statements are prepared, loses the answer to what comes next, which is COMMIT. */
static int append_and_lose_the_answer(struct corm_trx *trx, void *arg)
{
    struct lost *l = arg;
    int          rc = append(trx, &l->job, &l->job.steps[0], false);

    if (++l->runs == 4)
        tell_proxy(wire, "reset down after 1");
    return rc;
}

static void commit_whose_answer_was_lost_is_not_made_twice(void **state)
{
    struct round   r = {.lanes = 2, .group_max = 256, .wait_ms = 1000, .breaks = true};
    struct lost    l = {.job = {.count = 1, .steps = {{OP_APPEND, 0, 1}}}};
    struct history h = {0};
    int            rc = 0;

    (void)state;
    set_up(r);
    for (int i = 0; i < 4 && rc >= 0; i++)
        rc = corm_transact(db, append_and_lose_the_answer, &l, .key = corm_eq(list.id, 1),
                           .timeout_ms = 3000);
    tell_proxy(wire, "pass");
    read_finals(&h);
    forget_log(&l.job);
    corm_close(db);
    stop_proxy(wire);
    assert_int_equal(l.runs, 4);
    assert_int_equal(h.finals[0].count, 4);
    assert_true(rc == CORM_UNKNOWN || rc >= 0);
    history_free(&h);
}

/* What the judge is worth: histories of transactions that do not lock must be found out, and soon. */
static void find_out(enum off off, const char *by)
{
    char why[2000];
    int  found = 0, rounds = 0;

    for (; found < 3 && rounds < 30; rounds++) {
        struct round r = {.number = seed() + (uint64_t)rounds,
                          .lanes = 2,
                          .group_max = 256,
                          .wait_ms = 1000,
                          .off = off,
                          .each = 100};
        if (!run_round(r, why, sizeof(why)) && strstr(why, by) != NULL) {
            found++;
            printf("# found out: %.300s\n", why);
        }
    }
    assert_int_equal(found, 3);
}

static void writes_without_locks_are_found_out(void **state)
{
    (void)state;
    find_out(WRITES_OFF, "lost append");
}

static void reads_without_locks_are_found_out(void **state)
{
    (void)state;
    find_out(READS_OFF, "anti-dependency");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest both[] = {
        cmocka_unit_test(hand_made_histories_are_told_apart),
        cmocka_unit_test(recorded_histories_are_those_of_one_after_the_other),
    };
    static const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(commit_whose_answer_was_lost_is_not_made_twice),
        cmocka_unit_test(writes_without_locks_are_found_out),
        cmocka_unit_test(reads_without_locks_are_found_out),
    };

    support_begin(argc, argv);
    int failed = run_group(both, COUNT(both), NULL, 0, mariadb, COUNT(mariadb));
    support_end();
    return failed;
}
