/* tests/history.c -- see history.h.
 *
 * First what can be seen without looking at two transactions at once: every number of a list was appended
 * to it, once, by one that was committed; every number that was committed is there; every reading is the
 * beginning of the list, and what its own transaction has appended. Then the circles, those first that
 * are the worst: of ww alone, with wr, with rw, with order, with time. */
#include "history.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* X(kind, what a circle is called whose last kind it is) */
#define KINDS(X)                                                                                   \
    X(WW, "dirty write")                                                                           \
    X(WR, "circular reads")                                                                        \
    X(RW, "anti-dependency")                                                                       \
    X(ORDER, "out of order")                                                                       \
    X(TIME, "out of time")

enum kind {
#define X_KIND(kind, name) kind,
    KINDS(X_KIND)
#undef X_KIND
        KIND_COUNT
};
static const char *const kind_names[] = {"ww", "wr", "rw", "order", "time"};
static const char *const circle_names[] = {
#define X_NAME(kind, name) name,
    KINDS(X_NAME)
#undef X_NAME
};

struct edge {
    uint32_t  from, to;
    enum kind kind;
    int32_t   value; /* of ww, wr: that of `from`; of rw: that of `to` */
};

/* Who has appended a number. */
struct source {
    uint32_t trx; /* from 1; 0: nobody */
    uint32_t list;
    bool     undone;
    uint32_t at; /* in the list, from 1; 0: not there */
};

struct check {
    struct history *h;
    struct source  *sources; /* by number */
    int32_t         greatest;
    struct edge    *edges;
    size_t          edge_count, edge_capacity;
    uint32_t        nodes; /* the transactions, and a moment for each that was told */
    char           *why;
    size_t          size;
    bool            broken;
};

static void *grown(void *memory, size_t bytes)
{
    void *more = realloc(memory, bytes);

    if (more == NULL)
        abort();
    return more;
}

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);

    if (memory == NULL)
        abort();
    return memory;
}

void history_add(struct history *h, const struct history_trx *trx)
{
    if (h->count == h->capacity) {
        h->capacity = h->capacity == 0 ? 256 : h->capacity * 2;
        h->trxs = grown(h->trxs, h->capacity * sizeof(*h->trxs));
    }
    h->trxs[h->count++] = *trx;
}

void history_free(struct history *h)
{
    for (size_t i = 0; i < h->count; i++)
        for (uint32_t k = 0; k < h->trxs[i].op_count; k++)
            free(h->trxs[i].ops[k].values);
    for (int i = 0; i < HISTORY_LISTS; i++)
        free(h->finals[i].values);
    free(h->trxs);
    *h = (struct history){0};
}

/* The first fault is told. */
__attribute__((format(printf, 2, 3))) static void blame(struct check *c, const char *format, ...)
{
    va_list args;

    if (c->broken)
        return;
    c->broken = true;
    va_start(args, format);
    (void)vsnprintf(c->why, c->size, format, args);
    va_end(args);
}

/* ---- Every number and every reading by itself ------------------------------------------- */

static void find_sources(struct check *c)
{
    for (size_t i = 0; i < c->h->count; i++)
        for (uint32_t k = 0; k < c->h->trxs[i].op_count; k++)
            if (c->h->trxs[i].ops[k].append && c->h->trxs[i].ops[k].value > c->greatest)
                c->greatest = c->h->trxs[i].ops[k].value;
    c->sources = zeroed((size_t)c->greatest + 1, sizeof(*c->sources));
    for (size_t i = 0; i < c->h->count; i++) {
        for (uint32_t k = 0; k < c->h->trxs[i].op_count; k++) {
            const struct history_op *op = &c->h->trxs[i].ops[k];
            if (!op->append)
                continue;
            if (op->value <= 0 || c->sources[op->value].trx != 0)
                blame(c, "bad history: %d is appended twice", op->value);
            else
                c->sources[op->value] = (struct source){(uint32_t)i + 1, op->list, op->undone, 0};
        }
    }
}

static struct source *source_of(const struct check *c, int32_t value)
{
    return value > 0 && value <= c->greatest && c->sources[value].trx != 0 ? &c->sources[value]
                                                                           : NULL;
}

static const char *undone_by(const struct check *c, const struct source *s)
{
    static const char *const names[] = {"committed", "refused", "failed", "unknown"};

    return s->undone ? "took it back" : names[c->h->trxs[s->trx - 1].outcome];
}

static bool was_undone(const struct check *c, const struct source *s)
{
    enum history_outcome outcome = c->h->trxs[s->trx - 1].outcome;

    return s->undone || outcome == HISTORY_REFUSED || outcome == HISTORY_FAILED;
}

static void check_final(struct check *c, uint32_t list)
{
    const struct history_op *final = &c->h->finals[list];

    for (uint32_t i = 0; i < final->count; i++) {
        struct source *s = source_of(c, final->values[i]);
        if (s == NULL || s->list != list) {
            blame(c, "garbage: list %u holds %d, which nobody has appended to it", list,
                  final->values[i]);
            return;
        }
        if (s->at != 0)
            blame(c, "doubled append: list %u holds %d of T%u twice", list, final->values[i],
                  s->trx);
        if (was_undone(c, s))
            blame(c, "undone append: list %u holds %d of T%u, which %s", list, final->values[i],
                  s->trx, undone_by(c, s));
        s->at = i + 1;
    }
}

/* Whose outcome is unknown is told by what is there. */
static void resolve_unknown(struct check *c)
{
    for (size_t i = 0; i < c->h->count; i++) {
        struct history_trx *t = &c->h->trxs[i];
        bool                shows = false;
        for (uint32_t k = 0; k < t->op_count; k++)
            shows = shows || (t->ops[k].append && c->sources[t->ops[k].value].at != 0);
        if (t->outcome != HISTORY_UNKNOWN)
            continue;
        t->outcome = shows ? HISTORY_COMMITTED : HISTORY_FAILED;
        t->told = INT64_MAX; /* it may have been committed later than that */
    }
}

static void check_lost(struct check *c, uint32_t number)
{
    const struct history_trx *t = &c->h->trxs[number];
    uint32_t                  last[HISTORY_LISTS] = {0};

    for (uint32_t k = 0; t->outcome == HISTORY_COMMITTED && k < t->op_count; k++) {
        const struct history_op *op = &t->ops[k];
        if (!op->append || op->undone)
            continue;
        uint32_t at = c->sources[op->value].at;
        if (at == 0)
            blame(c, "lost append: T%u (%s) was told that it has appended %d to list %u",
                  number + 1, t->way, op->value, op->list);
        else if (at < last[op->list])
            blame(c, "not its own: T%u (%s) has appended %d to list %u after what stands behind it",
                  number + 1, t->way, op->value, op->list);
        last[op->list] = at;
    }
}

/* How much of a reading is others': all but what the transaction itself appended before; -1 where that is
 * not at the end. */
static int64_t foreign_part(const struct history_trx *t, uint32_t number)
{
    const struct history_op *read = &t->ops[number];
    uint32_t                 left = read->count;

    for (uint32_t k = number; k-- > 0;) {
        const struct history_op *op = &t->ops[k];
        if (!op->append || op->undone || op->list != read->list)
            continue;
        if (left == 0 || read->values[left - 1] != op->value)
            return -1;
        left--;
    }
    return left;
}

static void check_prefix(struct check *c, uint32_t number, const struct history_op *read,
                         uint32_t count)
{
    const struct history_op *final = &c->h->finals[read->list];

    for (uint32_t i = 0; i < count; i++) {
        const struct source *s = source_of(c, read->values[i]);
        if (s == NULL || s->list != read->list)
            blame(c, "garbage: T%u (%s) has read %d in list %u, which nobody has appended to it",
                  number + 1, c->h->trxs[number].way, read->values[i], read->list);
        else if (was_undone(c, s))
            blame(c, "undone read: T%u (%s) has read %d of T%u in list %u, which %s", number + 1,
                  c->h->trxs[number].way, read->values[i], s->trx, read->list, undone_by(c, s));
        else if (i >= final->count || final->values[i] != read->values[i])
            blame(c,
                  "another order: T%u (%s) has read %d at %u in list %u, which ends with %d there",
                  number + 1, c->h->trxs[number].way, read->values[i], i, read->list,
                  i < final->count ? final->values[i] : 0);
    }
}

/* What a transaction reads of others does not change, and is nothing half done. */
static void check_reads(struct check *c, uint32_t number)
{
    const struct history_trx *t = &c->h->trxs[number];
    int64_t                   seen[HISTORY_LISTS];

    memset(seen, 0xff, sizeof(seen));
    for (uint32_t k = 0; t->outcome != HISTORY_FAILED && k < t->op_count; k++) {
        const struct history_op *op = &t->ops[k];
        if (op->append)
            continue;
        int64_t              part = foreign_part(t, k);
        const struct source *last = part > 0 ? source_of(c, op->values[part - 1]) : NULL;
        if (part < 0 || (seen[op->list] >= 0 && part != seen[op->list])) {
            blame(c, "not its own: T%u (%s) reads list %u twice, and it is not the same",
                  number + 1, t->way, op->list);
            return;
        }
        check_prefix(c, number, op, (uint32_t)part);
        const struct history_op *final = &c->h->finals[op->list];
        if (last != NULL && last->trx != number + 1 && part < final->count &&
            source_of(c, final->values[part])->trx == last->trx)
            blame(c, "half read: T%u (%s) has read %d of T%u in list %u, but not %d", number + 1,
                  t->way, op->values[part - 1], last->trx, op->list, final->values[part]);
        seen[op->list] = part;
    }
}

/* ---- Who comes before whom --------------------------------------------------------------------- */

static void add_edge(struct check *c, uint32_t from, uint32_t to, enum kind kind, int32_t value)
{
    if (from == to)
        return;
    if (c->edge_count == c->edge_capacity) {
        c->edge_capacity = c->edge_capacity == 0 ? 1024 : c->edge_capacity * 2;
        c->edges = grown(c->edges, c->edge_capacity * sizeof(*c->edges));
    }
    c->edges[c->edge_count++] = (struct edge){from, to, kind, value};
    c->h->edges[kind]++;
}

static void add_writes(struct check *c, uint32_t list)
{
    const struct history_op *final = &c->h->finals[list];

    for (uint32_t i = 1; i < final->count; i++)
        add_edge(c, c->sources[final->values[i - 1]].trx - 1, c->sources[final->values[i]].trx - 1,
                 WW, final->values[i - 1]);
}

static void add_reads(struct check *c, uint32_t number)
{
    const struct history_trx *t = &c->h->trxs[number];

    for (uint32_t k = 0; t->outcome != HISTORY_FAILED && k < t->op_count; k++) {
        const struct history_op *op = &t->ops[k], *final = &c->h->finals[op->list];
        if (op->append)
            continue;
        uint32_t part = (uint32_t)foreign_part(t, k);
        if (part > 0)
            add_edge(c, c->sources[op->values[part - 1]].trx - 1, number, WR, op->values[part - 1]);
        if (part < final->count)
            add_edge(c, number, c->sources[final->values[part]].trx - 1, RW, final->values[part]);
    }
}

static bool counts(const struct history_trx *t)
{
    return t->outcome != HISTORY_FAILED;
}

static void add_order(struct check *c)
{
    for (uint32_t i = 0; i < c->h->count; i++) {
        const struct history_trx *t = &c->h->trxs[i];
        for (uint32_t k = i + 1; t->ordered >= 0 && counts(t) && k < c->h->count; k++) {
            const struct history_trx *u = &c->h->trxs[k];
            if (u->ordered == t->ordered && u->thread == t->thread && counts(u)) {
                add_edge(c, i, k, ORDER, 0);
                break;
            }
        }
    }
}

static const struct history *sorted; /* for qsort() */

static int by_told(const void *one, const void *two)
{
    int64_t a = sorted->trxs[*(const uint32_t *)one].told,
            b = sorted->trxs[*(const uint32_t *)two].told;

    return (a > b) - (a < b);
}

/* The moments at which somebody was told stand in a row; one that began later comes after them. */
static void add_time(struct check *c)
{
    uint32_t  n = (uint32_t)c->h->count;
    uint32_t *order = zeroed(n, sizeof(*order));

    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    sorted = c->h;
    qsort(order, n, sizeof(*order), by_told);
    for (uint32_t i = 0; i < n; i++) {
        if (counts(&c->h->trxs[order[i]]))
            add_edge(c, order[i], n + i, TIME, 0);
        if (i > 0)
            add_edge(c, n + i - 1, n + i, TIME, 0);
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t low = 0, high = n; /* how many were told before it began */
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if (c->h->trxs[order[middle]].told < c->h->trxs[i].began)
                low = middle + 1;
            else
                high = middle;
        }
        if (low > 0 && counts(&c->h->trxs[i]))
            add_edge(c, n + low - 1, i, TIME, 0);
    }
    free(order);
}

/* ---- Circles -------------------------------------------------------------------------------------- */

/* Of the edges up to `kind`: a node on a circle, or -1. Nodes that nothing leads to are taken away, until
 * each that is left has one before it which is left: so going back from it ends in a circle. */
static int64_t node_on_circle(const struct check *c, enum kind kind)
{
    uint32_t *into = zeroed(c->nodes, sizeof(*into)), *first = zeroed(c->nodes, sizeof(*first));
    uint32_t *next = zeroed(c->edge_count, sizeof(*next)),
             *free_ones = zeroed(c->nodes, sizeof(*free_ones));
    uint32_t n = 0, taken = 0;
    int64_t  found = -1;

    for (uint32_t i = 0; i < c->edge_count; i++) {
        if (c->edges[i].kind > kind)
            continue;
        into[c->edges[i].to]++;
        next[i] = first[c->edges[i].from];
        first[c->edges[i].from] = i + 1;
    }
    for (uint32_t i = 0; i < c->nodes; i++)
        if (into[i] == 0)
            free_ones[n++] = i;
    for (; taken < n; taken++)
        for (uint32_t e = first[free_ones[taken]]; e != 0; e = next[e - 1])
            if (--into[c->edges[e - 1].to] == 0)
                free_ones[n++] = c->edges[e - 1].to;
    for (uint32_t i = 0; found < 0 && i < c->nodes; i++)
        if (into[i] > 0)
            found = i;
    for (uint32_t steps = 0; found >= 0 && steps < c->nodes; steps++) {
        for (uint32_t i = 0; i < c->edge_count; i++) {
            if (c->edges[i].kind <= kind && c->edges[i].to == found && into[c->edges[i].from] > 0) {
                found = c->edges[i].from;
                break;
            }
        }
    }
    free(into), free(first), free(next), free(free_ones);
    return found;
}

/* The shortest way from a node back to it: came[n] is the edge by which n is reached, from 1. */
static uint32_t *shortest_circle(const struct check *c, enum kind kind, uint32_t node)
{
    uint32_t *came = zeroed(c->nodes, sizeof(*came)), *queue = zeroed(c->nodes, sizeof(*queue));
    uint32_t  n = 0;

    queue[n++] = node;
    for (uint32_t at = 0; at < n && came[node] == 0; at++) {
        for (uint32_t i = 0; i < c->edge_count; i++) {
            const struct edge *e = &c->edges[i];
            if (e->kind > kind || e->from != queue[at] || came[e->to] != 0)
                continue;
            came[e->to] = i + 1;
            if (e->to != node)
                queue[n++] = e->to;
        }
    }
    free(queue);
    return came;
}

static size_t put_node(const struct check *c, char *text, size_t size, uint32_t node)
{
    static const char *const  names[] = {"", ", refused", ", failed", ", unknown"};
    const struct history_trx *t = &c->h->trxs[node];

    return (size_t)snprintf(text, size, "T%u (thread %u, %s%s)", node + 1, t->thread, t->way,
                            names[t->outcome]);
}

/* Moments are not named: who stands before and behind them is. */
static void tell_circle(struct check *c, enum kind kind, uint32_t node)
{
    uint32_t *came = shortest_circle(c, kind, node);
    uint32_t *way = zeroed(c->nodes, sizeof(*way));
    uint32_t  n = 0, at = node;
    int       counted[KIND_COUNT] = {0};
    char      text[1500];
    size_t    used = 0;

    while (at >= c->h->count) /* a moment */
        at = c->edges[came[at] - 1].from;
    node = at;
    do {
        way[n++] = came[at] - 1;
        counted[c->edges[came[at] - 1].kind]++;
        at = c->edges[came[at] - 1].from;
    } while (at != node);
    for (uint32_t i = n; i-- > 0 && used + 200 < sizeof(text);) {
        const struct edge *e = &c->edges[way[i]];
        if (e->from < c->h->count)
            used += put_node(c, text + used, sizeof(text) - used, e->from);
        if (e->kind < ORDER)
            used += (size_t)snprintf(text + used, sizeof(text) - used, " -%s %d of list %u-> ",
                                     kind_names[e->kind], e->value, c->sources[e->value].list);
        else if (e->from < c->h->count)
            used +=
                (size_t)snprintf(text + used, sizeof(text) - used, " -%s-> ", kind_names[e->kind]);
    }
    (void)put_node(c, text + used, sizeof(text) - used, node);
    blame(c, "%s%s: %s", circle_names[kind],
          kind != RW         ? ""
          : counted[RW] == 1 ? ", one"
                             : ", several",
          text);
    free(came), free(way);
}

static void check_circles(struct check *c)
{
    c->nodes = (uint32_t)c->h->count * 2;
    memset(c->h->edges, 0, sizeof(c->h->edges));
    for (uint32_t i = 0; i < HISTORY_LISTS; i++)
        add_writes(c, i);
    for (uint32_t i = 0; i < c->h->count; i++)
        add_reads(c, i);
    add_order(c);
    add_time(c);
    for (int kind = 0; kind < KIND_COUNT && !c->broken; kind++) {
        int64_t node = node_on_circle(c, (enum kind)kind);
        if (node >= 0)
            tell_circle(c, (enum kind)kind, (uint32_t)node);
    }
}

bool history_holds(struct history *h, char *why, size_t size)
{
    struct check c = {.h = h, .why = why, .size = size};

    why[0] = '\0';
    find_sources(&c);
    for (uint32_t i = 0; !c.broken && i < HISTORY_LISTS; i++)
        check_final(&c, i);
    if (!c.broken)
        resolve_unknown(&c);
    for (uint32_t i = 0; !c.broken && i < h->count; i++)
        check_lost(&c, i);
    for (uint32_t i = 0; !c.broken && i < h->count; i++)
        check_reads(&c, i);
    if (!c.broken)
        check_circles(&c);
    free(c.sources);
    free(c.edges);
    return !c.broken;
}

static void print_trx(const struct history *h, size_t number)
{
    static const char *const  outcomes[] = {"committed", "refused", "failed", "unknown"};
    const struct history_trx *t = &h->trxs[number];

    printf("# T%zu (thread %u, %s) %lld to %lld, %s:", number + 1, t->thread, t->way,
           (long long)t->began / 1000, (long long)(t->told / 1000), outcomes[t->outcome]);
    for (uint32_t k = 0; k < t->op_count; k++) {
        const struct history_op *op = &t->ops[k];
        if (op->append)
            printf(" %s %u: %d;", op->undone ? "takes back" : "appends", op->list, op->value);
        else
            printf(" reads %u: %u, %d;", op->list, op->count,
                   op->count > 0 ? op->values[op->count - 1] : 0);
    }
    printf("\n");
}

void history_print(const struct history *h, const char *why)
{
    for (const char *at = strchr(why, 'T'); at != NULL; at = strchr(at + 1, 'T')) {
        unsigned long number = strtoul(at + 1, NULL, 10);
        if (number > 0 && number <= h->count)
            print_trx(h, number - 1);
    }
    (void)fflush(stdout);
}
