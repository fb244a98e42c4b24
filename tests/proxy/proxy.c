/* proxy: stands between clients and a server and passes their bytes on: a fixed time late, and with
 * the faults that it is told of.
 *
 *     client  --- flow[CLIENT] --->  server      Each flow is a queue of chunks, oldest first, each
 *     client  <-- flow[SERVER] ---   server      with the time it is due: when it was read, and D.
 *
 *     a flow:  OPEN --end read--> FIN queued --due--> FIN passed     the sink is told: no more
 *              OPEN or FIN ------source died---> RESET queued --due--> both sides are closed
 *     a side:  CONNECTING (the server's only) --> UP --> DEAD        its fd is closed
 *
 * Faults: each flow has one rule, which was made for it alone or for all of its direction, those that
 * are open and those to come. A rule acts on a flow at its mark: so many bytes behind what was passed
 * when the rule was made, or behind the beginning of a connection that came later. Up to its mark a flow
 * is passed on as ever.
 *
 * Invariants: a flow passes chunks in order, none before it is due; it reads no more while it
 * holds --window-kib, so the memory is bounded; a delay costs no throughput, as chunks wait side
 * by side; the ends of a connection (FIN, RESET) are chunks too, so they wait and keep order.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_LINKS = 1024,      /* connections at once; one more ends the program with a message */
    READ_SIZE = 64 * 1024, /* bytes taken at once, the most a flow holds beyond its window */
    MAX_DELAY_US = 10000000,
    MAX_WINDOW_KIB = 65536,
    MAX_DRIP_MS = 60000,
    MAX_COMMAND = 128,
    MAX_EVENTS = 64,
};

enum chunk_kind { CHUNK_DATA, CHUNK_FIN, CHUNK_RESET };

struct chunk {
    struct chunk   *next;
    enum chunk_kind kind;
    int64_t         due; /* ns of CLOCK_MONOTONIC */
    size_t          len;
    size_t          sent;
    unsigned char   data[];
};

/* What is done with a flow at its mark. CUT and RESET end both ways of the connection at once. HOLD
 * reads up to the window and keeps it, ends too; STALL does not even read; SWALLOW reads and forgets,
 * so that the connection stays a black hole until the rule is gone, and is then reset; DRIP passes
 * single bytes on. */
enum fault { PASS, HOLD, STALL, SWALLOW, DRIP, CUT, RESET };

struct rule {
    enum fault fault;
    uint64_t   after;
    int64_t    gap_ns; /* between the bytes of DRIP */
};

enum side_name { CLIENT, SERVER };

enum side_state { CONNECTING, UP, DEAD };

struct side {
    int             fd;
    enum side_state state;
    bool            hung; /* the kernel says that it is over, which it would say again and again */
    bool            watched; /* the fd is in the epoll set, for these events: */
    uint32_t        events;
};

/* What is read from one side and not yet passed to the other. */
struct flow {
    struct chunk *first;
    struct chunk *last;
    size_t        held;   /* bytes of memory of all its chunks */
    uint64_t      taken;  /* bytes read from the source, ever */
    uint64_t      passed; /* bytes passed to the sink or swallowed, ever */
    struct rule   rule;
    uint64_t      mark; /* where the rule acts: at so many bytes passed */
    int64_t       next_drip;
    bool          swallowed;    /* something is missing: what comes later would make no sense */
    bool          source_ended; /* a FIN or a RESET is queued or passed: nothing is read any more */
    bool          fin_passed;
    bool          sink_full; /* the sink took no more: wait until it can be written */
};

/* One connection of a client, and the one made for it to the server. */
struct link {
    uint64_t       number; /* from 1, in the order of their coming */
    struct side    side[2];
    struct flow    flow[2]; /* flow[s] is read from side[s] and written to side[!s] */
    enum side_name spoke_last;
    bool           over; /* to be freed when the events at hand are done with */
};

/* What epoll tells: one of these, or FIRST_SIDE + 2 * number of the link + side. */
enum watch { LISTENER, TIMER, SIGNALS, STDIN, FIRST_SIDE };

struct proxy {
    struct link       *links[MAX_LINKS];
    struct sockaddr_in to;
    int64_t            delay_ns;
    struct rule        rule[2]; /* of connections to come: read from clients, from servers */
    char               command[MAX_COMMAND];
    size_t             command_len;
    size_t             window;
    int                epoll;
    int                listener;
    int                timer;
    int                signals;
    int64_t            timer_due; /* 0: the timer is not set */
    bool               stop;
    uint64_t           connections;
    uint64_t           bytes[2]; /* read from clients, read from servers */
    uint64_t           turns;    /* times a server spoke after its client had */
};

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
    va_list args;

    fputs("proxy: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* ---- a flow's queue -------------------------------------------------------------------- */

static void flow_push(struct flow *f, enum chunk_kind kind, int64_t due, const void *data,
                      size_t len)
{
    struct chunk *c = malloc(sizeof *c + len);

    if (c == NULL)
        die("out of memory");
    *c = (struct chunk){.kind = kind, .due = due, .len = len};
    if (len > 0)
        memcpy(c->data, data, len);
    if (f->first == NULL)
        f->first = c;
    else
        f->last->next = c;
    f->last = c;
    f->held += sizeof *c + len;
}

static void flow_pop(struct flow *f)
{
    struct chunk *c = f->first;

    f->first = c->next;
    if (f->first == NULL)
        f->last = NULL;
    f->held -= sizeof *c + c->len;
    free(c);
}

static void flow_drop(struct flow *f)
{
    while (f->first != NULL)
        flow_pop(f);
}

/* ---- rules ----------------------------------------------------------------------------- */

/* What the rule does with the flow now, PASS before its mark. */
static enum fault fault_of(const struct flow *f)
{
    return f->passed < f->mark ? PASS : f->rule.fault;
}

/* How many bytes may be passed at once. */
static size_t allowance(const struct flow *f)
{
    if (f->rule.fault == PASS)
        return SIZE_MAX;
    return f->passed < f->mark ? f->mark - f->passed : 1;
}

static void flow_rule(struct flow *f, const struct rule *rule)
{
    f->rule = *rule;
    f->mark = f->passed + rule->after;
    f->next_drip = 0;
}

static void set_rule(struct proxy *p, enum side_name source, const struct rule *rule)
{
    p->rule[source] = *rule;
    for (size_t n = 0; n < MAX_LINKS; n++)
        if (p->links[n] != NULL)
            flow_rule(&p->links[n]->flow[source], rule);
}

/* NULL when it is over. */
static struct link *find_link(const struct proxy *p, uint64_t number)
{
    for (size_t n = 0; n < MAX_LINKS; n++)
        if (p->links[n] != NULL && p->links[n]->number == number)
            return p->links[n];
    return NULL;
}

/* ---- sides ----------------------------------------------------------------------------- */

static void side_close(struct side *side, bool reset)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (side->state == DEAD)
        return;
    if (reset)
        setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(side->fd); /* which takes it out of the epoll set */
    *side = (struct side){.fd = -1, .state = DEAD};
}

/* A side is gone without a proper end: what it said still reaches the other one, then a reset. */
static void side_died(struct proxy *p, struct link *l, enum side_name s)
{
    struct flow *from = &l->flow[s];

    if (l->side[s].state == DEAD)
        return;
    side_close(&l->side[s], true);
    flow_drop(&l->flow[!s]);
    l->flow[!s].sink_full = false;
    from->source_ended = true;
    if (l->side[!s].state == DEAD)
        l->over = true;
    else
        flow_push(from, CHUNK_RESET, now_ns() + p->delay_ns, NULL, 0);
}

static void link_close(struct link *l, bool reset)
{
    for (int s = 0; s < 2; s++) {
        side_close(&l->side[s], reset);
        flow_drop(&l->flow[s]);
    }
    l->over = true;
}

static bool side_readable(const struct proxy *p, const struct link *l, enum side_name s)
{
    const struct flow *f = &l->flow[s];

    if (f->rule.fault == STALL && f->taken >= f->mark)
        return false;
    return l->side[s].state == UP && l->side[!s].state != DEAD && !f->source_ended &&
           f->held < p->window;
}

/* Tells epoll what is wanted of a side now. One that hung up is left out while nothing is. */
static void side_watch(struct proxy *p, struct link *l, size_t number, enum side_name s)
{
    struct side       *side = &l->side[s];
    bool               write = side->state == CONNECTING || l->flow[!s].sink_full;
    uint32_t           in = side_readable(p, l, s) ? EPOLLIN : 0;
    uint32_t           wanted = in | (write ? EPOLLOUT : 0);
    struct epoll_event e = {.events = wanted, .data.u64 = FIRST_SIDE + 2 * number + s};
    bool               watch = wanted != 0 || !side->hung;
    int                op;

    if (side->state == DEAD || (watch == side->watched && (!watch || wanted == side->events)))
        return;
    if (watch)
        op = side->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    else
        op = EPOLL_CTL_DEL;
    if (epoll_ctl(p->epoll, op, side->fd, &e) != 0)
        die("cannot watch a connection: %s", strerror(errno));
    side->watched = watch;
    side->events = wanted;
}

/* ---- reading --------------------------------------------------------------------------- */

static void count_read(struct proxy *p, struct link *l, enum side_name s, size_t len)
{
    p->bytes[s] += len;
    l->flow[s].taken += len;
    if (s == SERVER && l->spoke_last == CLIENT)
        p->turns++;
    l->spoke_last = s;
}

static void side_read(struct proxy *p, struct link *l, enum side_name s)
{
    static unsigned char buffer[READ_SIZE];
    struct flow         *f = &l->flow[s];
    ssize_t              got = recv(l->side[s].fd, buffer, sizeof buffer, 0);

    if (got > 0) {
        count_read(p, l, s, (size_t)got);
        flow_push(f, CHUNK_DATA, now_ns() + p->delay_ns, buffer, (size_t)got);
    } else if (got == 0) {
        f->source_ended = true;
        flow_push(f, CHUNK_FIN, now_ns() + p->delay_ns, NULL, 0);
    } else if (!would_block(errno)) {
        side_died(p, l, s);
    }
}

/* ---- writing --------------------------------------------------------------------------- */

/* Passes a chunk of data on. False when the sink took nothing, or died and the queue is gone. */
static bool pass_data(struct proxy *p, struct link *l, enum side_name sink, struct chunk *c)
{
    struct flow *f = &l->flow[!sink];
    size_t       most = allowance(f);
    size_t       len = c->len - c->sent < most ? c->len - c->sent : most;
    ssize_t      put = send(l->side[sink].fd, c->data + c->sent, len, MSG_NOSIGNAL);

    if (put < 0) {
        if (would_block(errno))
            f->sink_full = true;
        else
            side_died(p, l, sink);
        return false;
    }
    c->sent += (size_t)put;
    f->passed += (size_t)put;
    if (c->sent == c->len)
        flow_pop(f);
    return true;
}

/* Passes the end on. False when that was the end of the connection, or the sink had died. */
static bool pass_fin(struct proxy *p, struct link *l, enum side_name sink)
{
    if (shutdown(l->side[sink].fd, SHUT_WR) != 0) {
        side_died(p, l, sink);
        return false;
    }
    l->flow[!sink].fin_passed = true;
    if (l->flow[sink].fin_passed)
        link_close(l, false);
    return !l->over;
}

/* Passes the oldest chunk on. False when nothing more can be done now. */
static bool pass_chunk(struct proxy *p, struct link *l, enum side_name source)
{
    struct flow   *f = &l->flow[source];
    enum side_name sink = source == CLIENT ? SERVER : CLIENT;

    if (f->first->kind == CHUNK_RESET) {
        link_close(l, true);
        return false;
    }
    if (l->side[sink].state == CONNECTING)
        return false;
    if (f->first->kind == CHUNK_DATA)
        return pass_data(p, l, sink, f->first);
    if (!pass_fin(p, l, sink))
        return false;
    flow_pop(f);
    return true;
}

static void swallow(struct flow *f)
{
    f->passed += f->first->len - f->first->sent;
    f->swallowed = true;
    flow_pop(f);
}

/* Passes on what is due of the flow from this side, as its rule allows. */
static void flow_pass(struct proxy *p, struct link *l, enum side_name source, int64_t now)
{
    struct flow *f = &l->flow[source];

    if (f->swallowed && f->rule.fault != SWALLOW)
        link_close(l, true);
    while (!l->over) {
        enum fault fault = fault_of(f);

        if (fault == CUT || fault == RESET)
            link_close(l, fault == RESET);
        if (f->first == NULL || f->first->due > now || f->sink_full || fault == HOLD ||
            fault == STALL || (fault == DRIP && now < f->next_drip))
            return;
        if (fault == DRIP && f->first->kind == CHUNK_DATA)
            f->next_drip = now + f->rule.gap_ns;
        if (fault == SWALLOW)
            swallow(f);
        else if (!pass_chunk(p, l, source))
            return;
    }
}

/* When this flow next has something to do by the clock alone; INT64_MAX: not at all. */
static int64_t flow_due(const struct link *l, enum side_name source)
{
    const struct flow *f = &l->flow[source];
    bool               waits = f->sink_full || l->side[!source].state == CONNECTING;
    enum fault         fault = fault_of(f);

    if (f->first == NULL || (waits && f->first->kind != CHUNK_RESET) || fault == HOLD ||
        fault == STALL)
        return INT64_MAX;
    return fault == DRIP && f->next_drip > f->first->due ? f->next_drip : f->first->due;
}

/* ---- connections ----------------------------------------------------------------------- */

static void no_delay(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void link_open(struct proxy *p, int client)
{
    size_t       n = 0;
    struct link *l = calloc(1, sizeof *l);
    int          server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    while (n < MAX_LINKS && p->links[n] != NULL)
        n++;
    if (n == MAX_LINKS)
        die("more than %d connections at once", MAX_LINKS);
    if (l == NULL || server < 0)
        die("cannot open a connection: %s", strerror(errno));
    no_delay(client);
    no_delay(server);
    l->side[CLIENT] = (struct side){.fd = client, .state = UP};
    l->side[SERVER] = (struct side){.fd = server, .state = CONNECTING};
    flow_rule(&l->flow[CLIENT], &p->rule[CLIENT]);
    flow_rule(&l->flow[SERVER], &p->rule[SERVER]);
    l->spoke_last = SERVER;
    l->number = ++p->connections;
    p->links[n] = l;
    if (connect(server, (struct sockaddr *)&p->to, sizeof p->to) == 0)
        l->side[SERVER].state = UP;
    else if (errno != EINPROGRESS)
        side_died(p, l, SERVER);
}

static void accept_all(struct proxy *p)
{
    for (;;) {
        int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            link_open(p, fd);
        else if (would_block(errno))
            return;
        else if (errno != ECONNABORTED)
            die("cannot accept a connection: %s", strerror(errno));
    }
}

static void finish_connect(struct proxy *p, struct link *l)
{
    int       error = 0;
    socklen_t len = sizeof error;

    getsockopt(l->side[SERVER].fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error == 0)
        l->side[SERVER].state = UP;
    else
        side_died(p, l, SERVER);
}

static void side_event(struct proxy *p, struct link *l, enum side_name s, uint32_t events)
{
    struct side *side = &l->side[s];

    if (l->over || side->state == DEAD)
        return;
    if (side->state == CONNECTING) {
        finish_connect(p, l);
        return;
    }
    if (events & (EPOLLHUP | EPOLLERR))
        side->hung = true;
    if (events & EPOLLOUT)
        l->flow[!s].sink_full = false;
    if (side_readable(p, l, s) && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
        side_read(p, l, s);
    else if ((events & EPOLLERR) && (l->flow[s].source_ended || l->side[!s].state == DEAD))
        side_died(p, l, s);
}

/* ---- the loop -------------------------------------------------------------------------- */

static void print_counts(const struct proxy *p)
{
    printf("connections %" PRIu64 " bytes_up %" PRIu64 " bytes_down %" PRIu64 " turns %" PRIu64
           "\n",
           p->connections, p->bytes[CLIENT], p->bytes[SERVER], p->turns);
    fflush(stdout);
}

/* The port that the server sees as the client's; 0 while there is none. */
static unsigned int port_to_server(const struct link *l)
{
    struct sockaddr_in own = {0};
    socklen_t          len = sizeof own;

    if (l->side[SERVER].state == DEAD ||
        getsockname(l->side[SERVER].fd, (struct sockaddr *)&own, &len) != 0)
        return 0;
    return ntohs(own.sin_port);
}

static size_t waiting(const struct flow *f)
{
    size_t bytes = 0;

    for (const struct chunk *c = f->first; c != NULL; c = c->next)
        bytes += c->len - c->sent;
    return bytes;
}

static void print_link(const struct link *l)
{
    printf("connection %" PRIu64, l->number);
    for (enum side_name s = CLIENT; s <= SERVER; s++)
        printf(" %s %" PRIu64 " waiting %zu", s == CLIENT ? "up" : "down", l->flow[s].passed,
               waiting(&l->flow[s]));
    printf(" port %u\n", port_to_server(l));
    fflush(stdout);
}

static void read_signal(struct proxy *p)
{
    struct signalfd_siginfo info;

    if (read(p->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo == SIGUSR1)
        print_counts(p);
    else
        p->stop = true;
}

static bool take_word(char **rest, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(*rest, word, len) != 0 || ((*rest)[len] != ' ' && (*rest)[len] != '\0'))
        return false;
    *rest += len;
    *rest += strspn(*rest, " ");
    return true;
}

static bool take_number(char **rest, uint64_t most, uint64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoull(*rest, &end, 10);
    if (**rest < '0' || **rest > '9' || errno != 0 || *number > most ||
        (*end != ' ' && *end != '\0'))
        return false;
    *rest = end + strspn(end, " ");
    return true;
}

/* FAULT [up|down] [after N] [on C], where FAULT is one of the names, or drip MS. */
static bool obey_rule(struct proxy *p, char *rest)
{
    static const char *const names[] = {"pass", "hold", "stall", "swallow", "drip", "cut", "reset"};
    struct rule              rule = {0};
    struct link             *only = NULL;
    uint64_t                 number = 0;

    while (rule.fault <= RESET && !take_word(&rest, names[rule.fault]))
        rule.fault++;
    if (rule.fault > RESET || (rule.fault == DRIP && !take_number(&rest, MAX_DRIP_MS, &number)))
        return false;
    rule.gap_ns = (int64_t)number * 1000000;
    bool up = take_word(&rest, "up"), down = !up && take_word(&rest, "down");
    if (take_word(&rest, "after") && !take_number(&rest, INT64_MAX, &rule.after))
        return false;
    if (take_word(&rest, "on") &&
        (!take_number(&rest, UINT64_MAX, &number) || (only = find_link(p, number)) == NULL))
        return false;
    if (*rest != '\0')
        return false;
    for (enum side_name s = CLIENT; s <= SERVER; s++) {
        if (s == CLIENT ? down : up)
            continue;
        if (only != NULL)
            flow_rule(&only->flow[s], &rule);
        else
            set_rule(p, s, &rule);
    }
    return true;
}

/* counts [C] */
static bool obey_counts(const struct proxy *p, char *rest)
{
    const struct link *l;
    uint64_t           number;

    if (*rest == '\0') {
        print_counts(p);
        return true;
    }
    if (!take_number(&rest, UINT64_MAX, &number) || *rest != '\0' ||
        (l = find_link(p, number)) == NULL)
        return false;
    print_link(l);
    return true;
}

static void obey(struct proxy *p, char *line)
{
    char    *rest = line;
    uint64_t us;
    bool     known;

    if (take_word(&rest, "counts")) {
        known = obey_counts(p, rest);
        if (known)
            return;
    } else if (take_word(&rest, "delay")) {
        known = take_number(&rest, MAX_DELAY_US, &us) && *rest == '\0';
        if (known)
            p->delay_ns = (int64_t)us * 1000;
    } else {
        known = obey_rule(p, line);
    }
    puts(known ? "ok" : "no: --help lists the commands, and the connection may be over");
    fflush(stdout);
}

static void read_stdin(struct proxy *p)
{
    char   *line = p->command, *end;
    ssize_t got = read(STDIN_FILENO, line + p->command_len, sizeof p->command - p->command_len);

    if (got < 0 && would_block(errno))
        return;
    if (got <= 0) {
        p->stop = true;
        return;
    }
    p->command_len += (size_t)got;
    while ((end = memchr(line, '\n', p->command_len)) != NULL) {
        *end = '\0';
        obey(p, line);
        p->command_len -= (size_t)(end + 1 - line);
        memmove(line, end + 1, p->command_len);
    }
    if (p->command_len == sizeof p->command)
        die("a command of more than %d bytes", MAX_COMMAND);
}

static void read_timer(struct proxy *p)
{
    uint64_t expirations;

    if (read(p->timer, &expirations, sizeof expirations) < 0 && !would_block(errno))
        die("cannot read the timer: %s", strerror(errno));
    p->timer_due = 0;
}

static void handle_event(struct proxy *p, const struct epoll_event *e)
{
    uint64_t side = e->data.u64 - FIRST_SIDE;

    switch (e->data.u64) {
    case LISTENER: accept_all(p); break;
    case TIMER: read_timer(p); break;
    case SIGNALS: read_signal(p); break;
    case STDIN: read_stdin(p); break;
    default: side_event(p, p->links[side / 2], side % 2 == 0 ? CLIENT : SERVER, e->events);
    }
}

static void set_timer(struct proxy *p, int64_t due)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000}};

    if (due == p->timer_due)
        return;
    if (timerfd_settime(p->timer, TFD_TIMER_ABSTIME, &when, NULL) != 0)
        die("cannot set the timer: %s", strerror(errno));
    p->timer_due = due;
}

/* Passes on what is due, frees what is over, and asks to be woken for what comes next. */
static void attend_links(struct proxy *p)
{
    int64_t now = now_ns();
    int64_t due = INT64_MAX;

    for (size_t n = 0; n < MAX_LINKS; n++) {
        struct link *l = p->links[n];

        if (l == NULL)
            continue;
        flow_pass(p, l, CLIENT, now);
        flow_pass(p, l, SERVER, now);
        if (l->over) {
            link_close(l, true);
            free(l);
            p->links[n] = NULL;
            continue;
        }
        for (enum side_name s = CLIENT; s <= SERVER; s++) {
            side_watch(p, l, n, s);
            if (flow_due(l, s) < due)
                due = flow_due(l, s);
        }
    }
    set_timer(p, due == INT64_MAX ? 0 : due);
}

static void run(struct proxy *p)
{
    struct epoll_event events[MAX_EVENTS];

    while (!p->stop) {
        int count = epoll_wait(p->epoll, events, MAX_EVENTS, -1);

        if (count < 0 && errno != EINTR)
            die("cannot wait for events: %s", strerror(errno));
        for (int i = 0; i < count; i++)
            handle_event(p, &events[i]);
        attend_links(p);
    }
}

/* ---- the start ------------------------------------------------------------------------- */

static void watch_fd(struct proxy *p, int fd, enum watch name)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = name};

    if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &e) == 0)
        return;
    if (name == STDIN)
        die("stdin must be a pipe, a socket or a terminal: the proxy runs until it ends");
    die("cannot watch a file: %s", strerror(errno));
}

static void open_listener(struct proxy *p, const struct sockaddr_in *at)
{
    struct sockaddr_in bound = *at;
    socklen_t          len = sizeof bound;
    int                on = 1;

    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->listener < 0)
        die("cannot make a socket: %s", strerror(errno));
    setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(p->listener, (const struct sockaddr *)at, sizeof *at) != 0 ||
        listen(p->listener, SOMAXCONN) != 0 ||
        getsockname(p->listener, (struct sockaddr *)&bound, &len) != 0)
        die("cannot listen: %s", strerror(errno));
    printf("port %u\n", (unsigned int)ntohs(bound.sin_port));
    if (fflush(stdout) != 0)
        die("cannot write the port: %s", strerror(errno));
}

static void start(struct proxy *p, const struct sockaddr_in *listen_at)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    p->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (p->epoll < 0 || p->timer < 0 || p->signals < 0)
        die("cannot start: %s", strerror(errno));
    watch_fd(p, STDIN_FILENO, STDIN);
    watch_fd(p, p->timer, TIMER);
    watch_fd(p, p->signals, SIGNALS);
    open_listener(p, listen_at);
    watch_fd(p, p->listener, LISTENER);
}

static void finish(struct proxy *p)
{
    for (size_t n = 0; n < MAX_LINKS; n++) {
        if (p->links[n] != NULL)
            link_close(p->links[n], true);
        free(p->links[n]);
    }
    print_counts(p);
}

static int64_t parse_number(const char *name, const char *text, int64_t low, int64_t high)
{
    char   *end;
    int64_t number;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number < low || number > high)
        die("--%s wants a whole number from %" PRId64 " to %" PRId64 ", not '%s'", name, low, high,
            text);
    return number;
}

static struct sockaddr_in parse_address(const char *name, const char *text)
{
    struct addrinfo    hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo   *found;
    struct sockaddr_in address;
    const char        *colon = strrchr(text, ':');
    char               host[256];
    int64_t            port;

    if (colon == NULL || (size_t)(colon - text) >= sizeof host)
        die("--%s wants HOST:PORT, not '%s'", name, text);
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    port = parse_number(name, colon + 1, 0, 65535);
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        die("--%s: '%s' is no IPv4 address and no name of one", name, host);
    memcpy(&address, found->ai_addr, sizeof address);
    freeaddrinfo(found);
    address.sin_port = htons((uint16_t)port);
    return address;
}

static const char usage[] =
    "usage: proxy --to HOST:PORT [--listen HOST:PORT] [--delay-us D] [--window-kib W]\n"
    "  --to HOST:PORT      the server\n"
    "  --listen HOST:PORT  where clients come; port 0: any free one (127.0.0.1:0)\n"
    "  --delay-us D        each byte is passed on D us late, either way (0)\n"
    "  --window-kib W      held for one way of one connection, then reading stops (1024)\n"
    "Prints `port N` when it listens. Runs until stdin ends or SIGTERM; then, and at SIGUSR1,\n"
    "prints `connections N bytes_up N bytes_down N turns N`.\n"
    "Obeys the lines that it reads from stdin, and answers each by a line, `ok` where it has:\n"
    "  FAULT [up|down] [after N] [on C]\n"
    "            from now on, on this way (both) of all connections, those to come too, or of the\n"
    "            C-th one that came alone: when N more bytes were passed (0), one of\n"
    "      pass      the end of a fault; what was held is passed on\n"
    "      hold      keeps what comes, ends too, and stops reading when its window is full\n"
    "      stall     does not even read\n"
    "      swallow   reads and forgets; such a connection is reset when the fault ends\n"
    "      drip MS   passes one byte on every MS milliseconds\n"
    "      cut       closes both sides\n"
    "      reset     resets both sides\n"
    "  delay D   as --delay-us, for what comes from now on\n"
    "  counts    is answered as SIGUSR1 is\n"
    "  counts C  is answered by `connection C up N waiting N down N waiting N port P`: the bytes that\n"
    "            were passed on or swallowed, and that wait, each way; and the client's port as\n"
    "            the server sees it\n";

static const struct option known[] = {
    {"to", required_argument, NULL, 't'},       {"listen", required_argument, NULL, 'l'},
    {"delay-us", required_argument, NULL, 'd'}, {"window-kib", required_argument, NULL, 'w'},
    {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
};

static void parse_options(int argc, char **argv, struct proxy *p, struct sockaddr_in *listen_at)
{
    int key;

    p->window = 1024 * 1024;
    *listen_at = parse_address("listen", "127.0.0.1:0");
    while ((key = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (key) {
        case 't': p->to = parse_address("to", optarg); break;
        case 'l': *listen_at = parse_address("listen", optarg); break;
        case 'd': p->delay_ns = parse_number("delay-us", optarg, 0, MAX_DELAY_US) * 1000; break;
        case 'w':
            p->window = (size_t)parse_number("window-kib", optarg, 1, MAX_WINDOW_KIB) * 1024;
            break;
        case 'h': fputs(usage, stdout); exit(0);
        default: fputs(usage, stderr); exit(2);
        }
    }
    if (optind < argc)
        die("unexpected argument '%s'", argv[optind]);
    if (p->to.sin_port == 0)
        die("--to is missing, or has no port (--help tells more)");
}

int main(int argc, char **argv)
{
    static struct proxy proxy;
    struct sockaddr_in  listen_at;

    parse_options(argc, argv, &proxy, &listen_at);
    start(&proxy, &listen_at);
    run(&proxy);
    finish(&proxy);
    return 0;
}
