/* route/lane.c -- threads that run transactions in order; a key has always the same one.
 *
 *                submit, run            the lane takes it             the group is over
 *     FREE ──────────────► WAITS ─────────────────────────► RUNS ──────────────────────► DONE ──► FREE
 *                            │  ▲ ▲                           │ │                         ▲   told
 *                            │  │ └──────── again ────────────┘ │ a row is locked         │
 *                            │  └── look_again() ── BLOCKED ◄───┘ by others               │
 *                            │                         │                                  │
 *                            └─────────────────────────┴── cancelled, or its deadline ────┘
 *                                                          has passed
 *
 * An *entry* is one transaction from its submission until its outcome is told. `mutex` guards everything
 * here but the members that a lane has taken (RUNS): those are the lane's alone until it gives them
 * back. No function of a user's and no I/O is called under it.
 *
 * A group is run by the thread of its lane, or by one that waits for the first of its members where the lane
 * has nothing else to do: `running` says that some thread does. A lane takes from the front of its queue what may share a group, so the order of arrival is that in which
 * functions run. What has to run again goes back to the front, in its order. What is blocked stands in a
 * queue of its own, with those of the same keys that come later, and is looked at again when nothing
 * else waits, or when the others have had as much time as the last look took: so a row that
 * others have locked stops only those who want it.
 *
 * Each node has lanes of its own. When a node is left, or is used again, those who wait go to the lanes that
 * their keys belong to now (follow_nodes()) before any lane takes its next group, or another one comes. Members of a key that are
 * at work then may still run while others of it begin on its new node: the database keeps them apart.
 *
 * Entries are made in blocks, reused, and freed at the end. A ticket is the number of an entry and of
 * its use: one that is stale finds another use. */
#include "route/lane.h"

#include "base/clock.h"
#include "base/thread.h"
#include "route/node_of_key.h"
#include "route/rendezvous.h"
#include "trx/retry.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum entry_state { FREE, WAITS, BLOCKED, RUNS, DONE };

struct entry {
    struct corm__member    member; /* first */
    struct corm__lock_keys keys;   /* of the member */
    struct corm_error      error;
    corm_done_function    *done;
    struct lane           *lane;
    struct corm__node     *pinned;        /* the node that it asks for; NULL: its key decides */
    struct entry          *next, *before; /* in a queue */
    pthread_cond_t        *waiter;        /* of the thread that waits for it, or NULL */
    int64_t                since; /* when it was submitted; 0: a group has taken it already */
    uint32_t               number, use;
    enum entry_state       state;
    bool                   waited;    /* its outcome belongs to the thread that waits */
    bool                   submitted; /* has a ticket */
};

enum { BLOCK = 256, LANES_MAX = 64, KEY_BITS = 4096 };

struct queue {
    struct entry *first, *last;
};

struct lane {
    struct corm__lanes   *lanes;
    struct corm__node    *node;
    pthread_t             thread;
    bool                  started;
    bool                  running; /* a group: these two belong to the thread that runs it */
    struct corm__group   *group;
    struct corm__member **members;
    pthread_cond_t        filled;
    struct queue          queue;
    struct queue          blocked;
    uint64_t blocked_keys[KEY_BITS / 64]; /* a bit for each key of those, by its hash */
    int64_t  look_at;                     /* when they are looked at, if others wait */
    int64_t  expires;                     /* nobody who waits is late before that */
};

struct corm__lanes {
    pthread_mutex_t           mutex;
    struct corm__lane_options options;
    struct corm__trx_store   *store;
    struct corm__facts_cache *facts;
    struct lane              *lanes; /* options.lanes for each node */
    uint32_t                  lane_count;
    struct entry            **entries; /* by number */
    uint32_t                  entry_count, in_use;
    struct queue              free, done; /* `done`: those that nobody waits for */
    uint32_t                  under_way;  /* submitted, WAITS or RUNS */
    uint32_t                  drainers;   /* in corm_drain() */
    uint64_t                  taker;   /* the thread that took outcomes last, or asked for the fd */
    pthread_cond_t            changed; /* room, or an outcome */
    uint32_t                  changes; /* of the health of nodes, that the queues follow */
    bool                      stopping;
    bool                      refusing; /* what waits; with `stopping` */
    int                       pipe[2];  /* readable while `done` is not empty; -1 */
    uint32_t                  process;  /* that made them */
    uint64_t                  waiting;  /* WAITS or BLOCKED */
    struct corm__histogram    sizes;    /* of groups, committed or not */
    struct corm__histogram    waits;    /* from a submission until its first group begins */
};

/* In a `done` function: who submits there must not wait for what only its caller can take away. */
static _Thread_local int telling;

/* ---- Queues, under the mutex ------------------------------------------------------- */

static void append(struct queue *q, struct entry *e)
{
    e->next = NULL;
    e->before = q->last;
    if (q->last != NULL)
        q->last->next = e;
    else
        q->first = e;
    q->last = e;
}

static void prepend(struct queue *q, struct entry *e)
{
    e->before = NULL;
    e->next = q->first;
    if (q->first != NULL)
        q->first->before = e;
    else
        q->last = e;
    q->first = e;
}

static void remove_entry(struct queue *q, struct entry *e)
{
    if (e->before != NULL)
        e->before->next = e->next;
    else
        q->first = e->next;
    if (e->next != NULL)
        e->next->before = e->before;
    else
        q->last = e->before;
}

/* ---- Entries ------------------------------------------------------------------------ */

static bool more_entries(struct corm__lanes *l)
{
    struct entry  *block = calloc(BLOCK, sizeof(*block));
    struct entry **entries = realloc(l->entries, (l->entry_count + BLOCK) * sizeof(struct entry *));

    if (entries != NULL)
        l->entries = entries;
    if (block == NULL || entries == NULL) {
        free(block);
        return false;
    }
    for (uint32_t i = 0; i < BLOCK; i++) {
        block[i].number = l->entry_count + i;
        l->entries[l->entry_count + i] = &block[i];
        append(&l->free, &block[i]);
    }
    l->entry_count += BLOCK;
    return true;
}

static struct entry *take_entry(struct corm__lanes *l)
{
    if (l->free.first == NULL && !more_entries(l))
        return NULL;
    struct entry *e = l->free.first;
    remove_entry(&l->free, e);
    l->in_use++;
    e->use = (e->use + 1) & INT32_MAX;
    return e;
}

static void free_entry(struct corm__lanes *l, struct entry *e)
{
    e->state = FREE;
    e->waiter = NULL;
    prepend(&l->free, e);
    l->in_use--;
    pthread_cond_broadcast(&l->changed);
}

static int64_t ticket_of(const struct entry *e)
{
    return (int64_t)e->use << 32 | (int64_t)(e->number + 1);
}

/* The entry of a ticket whose outcome was not told, or NULL. */
static struct entry *find_ticket(const struct corm__lanes *l, int64_t ticket)
{
    int64_t number = (ticket & UINT32_MAX) - 1;

    if (ticket <= 0 || number < 0 || number >= l->entry_count)
        return NULL;
    struct entry *e = l->entries[number];
    return e->state != FREE && e->submitted && ticket_of(e) == ticket ? e : NULL;
}

/* ---- Keys ------------------------------------------------------------------------------ */

static uint64_t hash_of(const struct corm__lock_key *key)
{
    return corm__hash_key(key->table, key->values);
}

static struct lane *lane_at(struct corm__lanes *l, const struct corm__node *node,
                            const struct corm__lock_key *key)
{
    return &l->lanes[(node->number - 1) * l->options.lanes + hash_of(key) % l->options.lanes];
}

/* `pinned`: the node that was asked for, or NULL. */
static struct lane *lane_of(struct corm__lanes *l, struct corm__node *pinned,
                            const struct corm__lock_key *key)
{
    const struct corm__node *node =
        pinned != NULL ? pinned : corm__node_of_key(corm__nodes_of(l->store), key);

    return lane_at(l, node, key);
}

/* ---- Those who are blocked -------------------------------------------------------------------- */

static bool wants_blocked_key(const struct lane *lane, const struct entry *e)
{
    for (uint32_t i = 0; lane->blocked.first != NULL && i < e->member.key_count; i++) {
        uint64_t bit = hash_of(&e->member.keys[i]) / LANES_MAX % KEY_BITS;
        if ((lane->blocked_keys[bit / 64] >> bit % 64 & 1) != 0)
            return true;
    }
    return false;
}

/* `by_key`: who comes later and wants the same keys stands behind it. */
static void put_blocked(struct lane *lane, struct entry *e, bool by_key)
{
    for (uint32_t i = 0; by_key && i < e->member.key_count; i++) {
        uint64_t bit = hash_of(&e->member.keys[i]) / LANES_MAX % KEY_BITS;
        lane->blocked_keys[bit / 64] |= (uint64_t)1 << bit % 64;
    }
    e->state = BLOCKED;
    append(&lane->blocked, e);
}

/* Puts those who are blocked in front of the queue, in their order; of those who run alone, because
 * each may wait for long, only the first. */
static void look_again(struct lane *lane)
{
    bool has_alone = false;

    memset(lane->blocked_keys, 0, sizeof(lane->blocked_keys));
    for (struct entry *e = lane->blocked.last, *before; e != NULL; e = before) {
        before = e->before;
        if (e->member.alone)
            continue;
        remove_entry(&lane->blocked, e);
        e->state = WAITS;
        prepend(&lane->queue, e);
    }
    for (struct entry *e = lane->blocked.first; e != NULL && !has_alone; e = lane->blocked.first) {
        has_alone = true;
        remove_entry(&lane->blocked, e);
        e->state = WAITS;
        prepend(&lane->queue, e);
    }
}

/* ---- Outcomes ----------------------------------------------------------------------------- */

/* The pipe holds a byte while something is done. */
static void show(struct corm__lanes *l)
{
    char    byte = 1;
    ssize_t ignored = l->pipe[1] >= 0 ? write(l->pipe[1], &byte, 1) : 0;

    (void)ignored; /* a full pipe is readable */
}

static void hide(struct corm__lanes *l)
{
    char bytes[64];

    while (l->pipe[0] >= 0 && read(l->pipe[0], bytes, sizeof(bytes)) > 0)
        continue;
}

static void end_entry(struct corm__lanes *l, struct entry *e)
{
    e->state = DONE;
    if (e->waiter != NULL)
        pthread_cond_signal(e->waiter);
    if (!e->submitted)
        return;
    l->under_way--;
    pthread_cond_broadcast(&l->changed);
    if (e->waited)
        return;
    append(&l->done, e);
    if (l->done.first == e)
        show(l);
}

/* Ends one that waits, without its having run. */
static void refuse_entry(struct corm__lanes *l, struct entry *e, int code, const char *why)
{
    remove_entry(e->state == BLOCKED ? &e->lane->blocked : &e->lane->queue, e);
    l->waiting--;
    e->error = (struct corm_error){0};
    e->member.rc = corm__fail(&e->error, code, "%s", why);
    end_entry(l, e);
}

/* Takes one that is done away and tells it; the mutex is let go for that. */
static int tell(struct corm__lanes *l, struct entry *e, struct corm_error *error)
{
    struct corm_error   details = e->error;
    int                 rc = e->member.rc;
    corm_done_function *done = e->done;
    void               *arg = e->member.arg;

    free_entry(l, e);
    pthread_mutex_unlock(&l->mutex);
    if (rc < 0 && error != NULL)
        *error = details;
    if (done != NULL) {
        telling++;
        done(rc, &details, arg);
        telling--;
    }
    pthread_mutex_lock(&l->mutex);
    return rc;
}

static int64_t tell_all(struct corm__lanes *l)
{
    int64_t told = 0;

    while (l->done.first != NULL) {
        struct entry *e = l->done.first;
        remove_entry(&l->done, e);
        if (l->done.first == NULL)
            hide(l);
        (void)tell(l, e, NULL);
        told++;
    }
    return told;
}

/* ---- The thread of a lane -------------------------------------------------------------------- */

/* How many may be in a group that begins with `e`. */
static uint32_t limit_of(const struct corm__lanes *l, const struct entry *e)
{
    if (e->member.isolation == CORM_REPEATABLE_READ || e->member.alone)
        return 1; /* one's first read would be the snapshot of all */
    return e->member.share_max != 0 ? e->member.share_max : l->options.group_max;
}

static size_t take_group(struct lane *lane, struct corm__member **members)
{
    const struct entry *first = NULL;
    uint32_t            limit = 1;
    size_t              n = 0;

    for (struct entry *e = lane->queue.first; e != NULL && n < limit; e = lane->queue.first) {
        if (n > 0 && (e->member.isolation != first->member.isolation || e->member.alone))
            break;
        remove_entry(&lane->queue, e);
        if (wants_blocked_key(lane, e)) {
            put_blocked(lane, e, true);
            continue;
        }
        if (n == 0) {
            first = e;
            limit = limit_of(lane->lanes, first);
        }
        e->state = RUNS;
        members[n++] = &e->member;
    }
    lane->lanes->waiting -= n;
    return n;
}

static bool is_blocked(const struct corm__member *m)
{
    return m->state == CORM__MEMBER_BLOCKED || m->state == CORM__MEMBER_ASIDE;
}

/* What waits in the lane from now on. */
static void note_deadline(struct lane *lane, const struct entry *e)
{
    if (e->member.deadline < lane->expires)
        lane->expires = e->member.deadline;
}

/* One that has not ended waits again. */
static void wait_again(struct lane *lane, struct entry *e)
{
    struct corm__lanes *l = lane->lanes;

    note_deadline(lane, e);
    l->waiting++;
    if (is_blocked(&e->member)) {
        put_blocked(lane, e, e->member.state == CORM__MEMBER_BLOCKED);
    } else {
        e->state = WAITS;
        prepend(&lane->queue, e);
    }
    if (l->refusing)
        refuse_entry(l, e, CORM_CANCELLED, "the database was closed");
    else if (e->waiter != NULL) /* its deadline may have passed meanwhile */
        pthread_cond_signal(e->waiter);
}

/* Gives a group back that began to run at `since`; whether somebody has to run again after a failure. */
static bool give_back(struct lane *lane, struct corm__member **members, size_t n, int64_t since)
{
    struct corm__lanes *l = lane->lanes;
    bool                again = false, blocked = false;

    for (size_t i = n; i-- > 0;) {
        struct entry *e = (struct entry *)members[i];
        again = again || e->member.state == CORM__MEMBER_AGAIN;
        if (e->member.state != CORM__MEMBER_DONE && !is_blocked(&e->member))
            wait_again(lane, e);
    }
    for (size_t i = 0; i < n; i++) {
        struct entry *e = (struct entry *)members[i];
        blocked = blocked || is_blocked(&e->member);
        if (e->member.state == CORM__MEMBER_DONE)
            end_entry(l, e);
        else if (is_blocked(&e->member))
            wait_again(lane, e);
    }
    if (blocked)
        lane->look_at = 2 * corm__now() - since;
    corm__observe(&l->sizes, corm__size_bounds, n);
    return again;
}

static void expire_in(struct lane *lane, const struct queue *queue)
{
    for (struct entry *e = queue->first, *next; e != NULL; e = next) {
        next = e->next;
        if (corm__ms_left(e->member.deadline) == 0)
            refuse_entry(lane->lanes, e, CORM_TIMEOUT,
                         "the deadline passed while it waited for its turn in the lane");
        else
            note_deadline(lane, e);
    }
}

/* Not each time: there may be thousands, and they are not near each other in memory. */
static void expire(struct lane *lane)
{
    if (corm__now() < lane->expires)
        return;
    lane->expires = INT64_MAX;
    expire_in(lane, &lane->queue);
    expire_in(lane, &lane->blocked);
}

static void *lane_main(void *arg);

/* Makes what a lane needs to run, where it has not run yet. */
static int start(struct lane *lane, struct corm_error *error)
{
    const struct corm__lanes *l = lane->lanes;

    if (lane->started)
        return 0;
    if (lane->group == NULL)
        lane->group = corm__group_new(l->store, lane->node,
                                      (uint32_t)(lane - l->lanes) % l->options.lanes + 1, l->facts,
                                      l->options.lane_wait_ms);
    if (lane->members == NULL)
        lane->members = calloc(l->options.group_max, sizeof(struct corm__member *));
    if (lane->group == NULL || lane->members == NULL)
        return corm__fail_memory(error, "a lane");
    if (pthread_create(&lane->thread, NULL, lane_main, lane) != 0)
        return corm__fail_memory(error, "the thread of a lane");
    lane->started = true;
    return 0;
}

/* Puts those of a queue whose keys belong to another node now into its lanes, in front of those who came there
 * later. */
static void move_queue(struct lane *lane, struct queue *queue)
{
    struct corm_error ignored = {0};

    for (struct entry *e = queue->last, *before; e != NULL; e = before) {
        before = e->before;
        struct lane *other = lane_of(lane->lanes, e->pinned, &e->member.keys[0]);
        if (other == lane || start(other, &ignored) < 0)
            continue;
        remove_entry(queue, e);
        e->lane = other;
        e->state = WAITS;
        prepend(&other->queue, e);
        note_deadline(other, e);
        pthread_cond_signal(&other->filled);
    }
}

static void move_queues(struct lane *lane)
{
    move_queue(lane, &lane->queue);
    move_queue(lane, &lane->blocked);
}

/* After a node was left, or has come back. Of all lanes: one whose group is stuck does not look by itself. */
static void follow_nodes(struct corm__lanes *l)
{
    uint32_t changes = atomic_load(&corm__nodes_of(l->store)->changes);

    if (l->changes == changes)
        return;
    l->changes = changes;
    for (uint32_t i = 0; i < l->lane_count; i++)
        move_queues(&l->lanes[i]);
}

/* Makes the queue what is to run next; false where nothing is. */
static bool prepare_queue(struct lane *lane)
{
    follow_nodes(lane->lanes);
    expire(lane);
    if (lane->blocked.first != NULL && (lane->queue.first == NULL || corm__now() >= lane->look_at))
        look_again(lane);
    return lane->queue.first != NULL;
}

static bool is_idle(const struct lane *lane)
{
    return lane->queue.first == NULL && lane->blocked.first == NULL;
}

/* Of a group that begins now. */
static void note_waits(struct lane *lane, size_t n, int64_t now)
{
    for (size_t i = 0; i < n; i++) {
        struct entry *e = (struct entry *)lane->members[i];
        if (e->since != 0)
            corm__observe(&lane->lanes->waits, corm__duration_bounds, (uint64_t)(now - e->since));
        e->since = 0;
    }
}

/* Runs one group, if there is one to be run; under the mutex, which is let go for that. */
static void run_group(struct lane *lane, uint64_t *random)
{
    struct corm__lanes *l = lane->lanes;
    size_t              n = prepare_queue(lane) ? take_group(lane, lane->members) : 0;

    if (n == 0) /* late, or wants what others wait for */
        return;
    uint32_t failures = lane->members[0]->failures, changes = l->changes;
    int64_t  since = corm__now();
    note_waits(lane, n, since);
    lane->running = true;
    pthread_mutex_unlock(&l->mutex);
    corm__group_run(lane->group, lane->members, n);
    pthread_mutex_lock(&l->mutex);
    bool again = give_back(lane, lane->members, n, since);
    if (l->changes != changes) /* the others have moved meanwhile */
        move_queues(lane);
    if (again) {
        pthread_mutex_unlock(&l->mutex);
        corm__pause(corm__retry_pause(failures + 2, random), INT64_MAX);
        pthread_mutex_lock(&l->mutex);
    }
    lane->running = false;
}

static void *lane_main(void *arg)
{
    struct lane        *lane = arg;
    struct corm__lanes *l = lane->lanes;
    uint64_t            random = ((uint64_t)(uintptr_t)lane ^ (uint64_t)corm__now()) | 1;

    pthread_mutex_lock(&l->mutex);
    for (;;) {
        while (lane->running || (is_idle(lane) && !l->stopping))
            pthread_cond_wait(&lane->filled, &l->mutex);
        if (is_idle(lane))
            break;
        run_group(lane, &random);
    }
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

/* Whoever waits for an entry in front of an idle lane runs its group: to wake the lane up, and to be woken
 * up, takes longer than a small transaction. What comes meanwhile is the lane's. */
static void run_at_once(struct entry *e)
{
    struct lane *lane = e->lane;
    uint64_t     random = ((uint64_t)(uintptr_t)e ^ (uint64_t)corm__now()) | 1;

    if (!lane->running && lane->queue.first == e && lane->blocked.first == NULL)
        run_group(lane, &random);
    if (!is_idle(lane) || lane->lanes->stopping)
        pthread_cond_signal(&lane->filled);
}

/* ---- Submitting --------------------------------------------------------------------------------- */

/* Whether only the caller, who is about to wait, could make room. */
static bool is_hopeless(const struct corm__lanes *l)
{
    return telling > 0 || (l->under_way == 0 && l->done.first != NULL && l->drainers == 0 &&
                           (l->taker == 0 || l->taker == corm__thread_id()));
}

/* Waits until there is room; under the mutex. */
static int wait_for_room(struct corm__lanes *l, const struct corm__job *job, int64_t deadline,
                         struct corm_error *error)
{
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000),
                             .tv_nsec = (long)(deadline % 1000000000)};

    while (l->in_use >= l->options.queue_max) {
        if (job->nowait || is_hopeless(l))
            return corm__fail(error, CORM_BUSY,
                              "%u transactions wait, or nobody has taken their "
                              "outcomes",
                              l->in_use);
        if (pthread_cond_timedwait(&l->changed, &l->mutex, &until) == ETIMEDOUT)
            return corm__fail(error, CORM_TIMEOUT,
                              "%u transactions waited in front of this one until "
                              "the deadline",
                              l->in_use);
    }
    return 0;
}

static int fill_entry(struct entry *e, const struct corm__job *job,
                      const struct corm__lock_key *keys, uint32_t count, int64_t deadline,
                      struct corm_error *error)
{
    e->error = (struct corm_error){0};
    e->done = job->done;
    e->member = (struct corm__member){
        .function = job->function,
        .arg = job->arg,
        .deadline = deadline,
        .timeout_ms = job->timeout_ms,
        .isolation = job->isolation,
        .error = &e->error,
    };
    int rc = corm__keep_keys(&e->keys, keys, count, error);
    e->member.keys = e->keys.keys;
    e->member.key_count = count;
    return rc;
}

/* Puts a job into its lane, which may sleep; the mutex is held on return, also on an error. */
static struct entry *enqueue(struct corm__lanes *l, const struct corm__job *job, bool waited,
                             struct corm_error *error)
{
    struct corm__lock_key keys[CORM__LOCK_KEYS_MAX];
    struct lane          *lane = NULL;
    uint32_t              count = 0;
    int64_t               deadline = corm__deadline_in(job->timeout_ms);
    uint32_t              changes = atomic_load(&corm__nodes_of(l->store)->changes);
    int                   rc = corm__read_keys(job->key, keys, &count, error);

    if (rc == 0)
        lane = lane_of(l, job->node, &keys[0]);
    pthread_mutex_lock(&l->mutex);
    if (rc == 0 && l->stopping)
        rc = corm__fail(error, CORM_CANCELLED, "the database is being closed");
    if (rc == 0)
        rc = wait_for_room(l, job, deadline, error);
    if (rc == 0) {
        follow_nodes(l);
        if (l->changes != changes)
            lane = lane_of(l, job->node, &keys[0]);
        rc = start(lane, error);
    }
    if (rc != 0)
        return NULL;
    struct entry *e = take_entry(l);
    if (e == NULL) {
        corm__fail_memory(error, "a transaction that waits");
        return NULL;
    }
    if (fill_entry(e, job, keys, count, deadline, error) < 0) {
        free_entry(l, e);
        return NULL;
    }
    e->waited = waited;
    e->submitted = !waited;
    e->state = WAITS;
    e->lane = lane;
    e->pinned = job->node;
    e->since = deadline - (int64_t)job->timeout_ms * 1000000;
    append(&e->lane->queue, e);
    l->waiting++;
    note_deadline(lane, e);
    if (!waited)
        l->under_way++;
    return e;
}

/* Waits until an entry is done. One that has not begun by its deadline is taken back. */
static void wait_for(struct corm__lanes *l, struct entry *e)
{
    struct timespec    until = {.tv_sec = (time_t)(e->member.deadline / 1000000000),
                                .tv_nsec = (long)(e->member.deadline % 1000000000)};
    pthread_condattr_t monotonic;
    pthread_cond_t     done;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    e->waiter = &done;
    while (e->state != DONE) {
        if (e->state == RUNS)
            pthread_cond_wait(&done, &l->mutex);
        else if (pthread_cond_timedwait(&done, &l->mutex, &until) == ETIMEDOUT &&
                 (e->state == WAITS || e->state == BLOCKED))
            refuse_entry(l, e, CORM_TIMEOUT,
                         "the deadline passed while it waited for its turn in the lane");
    }
    e->waiter = NULL;
    pthread_cond_destroy(&done);
}

int corm__lanes_check_key(struct corm__lanes *l, const struct corm_table *table, int64_t deadline,
                          struct corm_error *error)
{
    struct corm__pool       *pool = corm__nodes_any(corm__nodes_of(l->store))->write;
    struct corm__table_facts facts = {0};
    struct corm__mode        single = {0};
    struct corm__connection *c = NULL;
    int                      rc = 0;

    if (!corm__facts_known(l->facts, table, &facts)) {
        struct corm_arena *arena = corm_arena_new();
        if (arena == NULL)
            return corm__fail_memory(error, "the facts of a table");
        rc = corm__pool_acquire(pool, &single, (struct corm__caller){"the facts of a table", 0},
                                deadline, &c, error);
        if (rc == 0)
            rc = corm__connection_enter(c, &single, 0, deadline, error);
        if (rc == 0)
            rc = corm__facts_of(l->facts, c, table, arena, deadline, &facts, error);
        if (c != NULL)
            corm__pool_release(pool, c);
        corm_arena_free(arena);
    }
    if (rc == 0 && facts.folds_key)
        rc = corm__fail(error, CORM_UNSUPPORTED,
                        "the primary key of %s holds a text that does not compare byte by byte, so "
                        "that one row has keys of several nodes: give the column a collation like "
                        "utf8mb4_nopad_bin, as corm_create_table() does",
                        table->name);
    return rc;
}

int corm__lanes_run(struct corm__lanes *l, const struct corm__job *job, struct corm_error *error)
{
    struct entry *e = enqueue(l, job, true, error);
    int           rc = error->code;

    if (e != NULL) {
        run_at_once(e);
        wait_for(l, e);
        rc = e->member.rc;
        if (rc < 0)
            *error = e->error;
        free_entry(l, e);
    }
    pthread_mutex_unlock(&l->mutex);
    return rc;
}

int64_t corm__lanes_submit(struct corm__lanes *l, const struct corm__job *job,
                           struct corm_error *error)
{
    const struct entry *e = enqueue(l, job, false, error);
    int64_t             ticket = e != NULL ? ticket_of(e) : error->code;

    if (e != NULL)
        pthread_cond_signal(&e->lane->filled);
    pthread_mutex_unlock(&l->mutex);
    return ticket;
}

/* ---- Taking outcomes ------------------------------------------------------------------------------ */

static int no_ticket(struct corm_error *error)
{
    struct corm_error own = {0};
    int rc = corm__fail(&own, CORM_NO_TICKET, "no transaction of this ticket waits to be told");

    if (error != NULL)
        *error = own;
    return rc;
}

int corm__lanes_wait(struct corm__lanes *l, int64_t ticket, struct corm_error *error)
{
    int rc = CORM_NO_TICKET;

    pthread_mutex_lock(&l->mutex);
    l->taker = corm__thread_id();
    struct entry *e = find_ticket(l, ticket);
    if (e != NULL && e->waited)
        e = NULL; /* another thread does */
    if (e != NULL && e->state == DONE) {
        remove_entry(&l->done, e);
        if (l->done.first == NULL)
            hide(l);
        rc = tell(l, e, error);
    } else if (e != NULL) {
        e->waited = true;
        if (e->state == WAITS)
            run_at_once(e);
        wait_for(l, e);
        rc = tell(l, e, error);
    }
    pthread_mutex_unlock(&l->mutex);
    return e != NULL ? rc : no_ticket(error);
}

int corm__lanes_cancel(struct corm__lanes *l, int64_t ticket)
{
    pthread_mutex_lock(&l->mutex);
    struct entry *e = find_ticket(l, ticket);
    bool          waits = e != NULL && (e->state == WAITS || e->state == BLOCKED);
    if (waits)
        refuse_entry(l, e, CORM_CANCELLED, "it was cancelled before it had begun");
    pthread_mutex_unlock(&l->mutex);
    return e == NULL ? CORM_NO_TICKET : waits;
}

int64_t corm__lanes_dispatch(struct corm__lanes *l)
{
    pthread_mutex_lock(&l->mutex);
    l->taker = corm__thread_id();
    int64_t told = tell_all(l);
    pthread_mutex_unlock(&l->mutex);
    return told;
}

int64_t corm__lanes_drain(struct corm__lanes *l)
{
    pthread_mutex_lock(&l->mutex);
    l->taker = corm__thread_id();
    l->drainers++;
    int64_t told = tell_all(l);
    while (l->under_way > 0) {
        pthread_cond_wait(&l->changed, &l->mutex);
        told += tell_all(l);
    }
    l->drainers--;
    pthread_mutex_unlock(&l->mutex);
    return told;
}

int corm__lanes_fd(struct corm__lanes *l)
{
    pthread_mutex_lock(&l->mutex);
    l->taker = corm__thread_id();
    if (l->pipe[0] < 0 && pipe(l->pipe) == 0) {
        for (int i = 0; i < 2; i++) {
            (void)fcntl(l->pipe[i], F_SETFL, O_NONBLOCK);
            (void)fcntl(l->pipe[i], F_SETFD, FD_CLOEXEC);
        }
        if (l->done.first != NULL)
            show(l);
    }
    int fd = l->pipe[0];
    pthread_mutex_unlock(&l->mutex);
    return fd >= 0 ? fd : CORM_NO_MEMORY;
}

void corm__lanes_stats(struct corm__lanes *l, struct corm_db_stats *stats)
{
    pthread_mutex_lock(&l->mutex);
    corm__histogram_read(&l->sizes, corm__size_bounds, &stats->group_size);
    corm__histogram_read(&l->waits, corm__duration_bounds, &stats->lane_wait_time);
    stats->lane_queue = l->waiting;
    pthread_mutex_unlock(&l->mutex);
}

/* ---- The beginning and the end ---------------------------------------------------------------------- */

struct corm__lanes *corm__lanes_new(struct corm__trx_store          *store,
                                    const struct corm__lane_options *options)
{
    const struct corm__nodes *nodes = corm__nodes_of(store);
    struct corm__lanes       *l = calloc(1, sizeof(*l));
    pthread_condattr_t        monotonic;

    if (l == NULL)
        return NULL;
    l->lane_count = nodes->count * options->lanes;
    l->lanes = calloc(l->lane_count, sizeof(*l->lanes));
    l->facts = corm__facts_cache_new();
    if (l->lanes == NULL || l->facts == NULL) {
        corm__facts_cache_free(l->facts);
        free(l->lanes);
        free(l);
        return NULL;
    }
    assert(options->lanes > 0 && options->lanes <= LANES_MAX && options->group_max > 0);
    l->options = *options;
    l->process = corm__process_id();
    l->store = store;
    l->pipe[0] = l->pipe[1] = -1;
    pthread_mutex_init(&l->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (uint32_t i = 0; i < l->lane_count; i++) {
        l->lanes[i].lanes = l;
        l->lanes[i].node = &nodes->all[i / options->lanes];
        l->lanes[i].expires = INT64_MAX;
        pthread_cond_init(&l->lanes[i].filled, NULL);
    }
    return l;
}

static void stop(struct corm__lanes *l, bool finish)
{
    pthread_mutex_lock(&l->mutex);
    l->stopping = true;
    l->refusing = !finish;
    for (uint32_t i = 0; i < l->lane_count; i++) {
        while (!finish && l->lanes[i].queue.first != NULL)
            refuse_entry(l, l->lanes[i].queue.first, CORM_CANCELLED, "the database was closed");
        while (!finish && l->lanes[i].blocked.first != NULL)
            refuse_entry(l, l->lanes[i].blocked.first, CORM_CANCELLED, "the database was closed");
        pthread_cond_signal(&l->lanes[i].filled);
    }
    pthread_mutex_unlock(&l->mutex);
    for (uint32_t i = 0; i < l->lane_count; i++)
        if (l->lanes[i].started)
            pthread_join(l->lanes[i].thread, NULL);
}

static bool was_used(const struct corm__lanes *l)
{
    for (uint32_t i = 0; i < l->lane_count; i++)
        if (l->lanes[i].started)
            return true;
    return l->entry_count > 0;
}

static void free_lane(struct lane *lane)
{
    corm__group_free(lane->group);
    free(lane->members);
    pthread_cond_destroy(&lane->filled);
}

void corm__lanes_free(struct corm__lanes *l, bool finish)
{
    if (l == NULL || (l->process != corm__process_id() && was_used(l)))
        return; /* a thread of the parent may have been at it */
    stop(l, finish);
    pthread_mutex_lock(&l->mutex);
    (void)tell_all(l);
    pthread_mutex_unlock(&l->mutex);
    for (uint32_t i = 0; i < l->lane_count; i++)
        free_lane(&l->lanes[i]);
    for (int i = 0; i < 2; i++)
        if (l->pipe[i] >= 0)
            (void)close(l->pipe[i]);
    for (uint32_t i = 0; i < l->entry_count; i++)
        corm__lock_keys_free(&l->entries[i]->keys);
    for (uint32_t i = 0; i < l->entry_count; i += BLOCK)
        free(l->entries[i]);
    free(l->entries);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->mutex);
    corm__facts_cache_free(l->facts);
    free(l->lanes);
    free(l);
}
