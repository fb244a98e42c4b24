/* buyers.c -- customers of the shop who write down what they are told, and look into its database afterwards.
 *
 *     buyers [--shop ADDRESS:PORT] [--connections N] [--orders N] [--stock N] [--product ID] [--patience-ms N]
 *            [--again PERCENT] [--limit-s N] [URL]
 *
 * They add a product of their own with so much stock (or take the one that --product names), send so many orders for 1 to
 * 3 pieces of it over so many connections that are kept open, and end when they know of each what became of it. Who has no
 * answer within --patience-ms, whose connection was lost, or who is told "unknown", sends his order again with
 * the same number. --again sends some of those that are known once more: they must be told the same.
 *
 * Then the database is read, beside the shop, and all must be true:
 *
 *     the stock before - the stock after = the pieces of all orders = what the shop calls sold; and it is not below zero
 *     each order that was told "bought" is there, once, as it was sent; each that was told "sold out" is not
 *
 * One line of JSON tells what there was. Exit codes: 0 all is true, 1 it is not, or could not be found out, 2 wrong use. */
#include "sale.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

CORM_DEFINE(product, PRODUCT);
CORM_DEFINE(order, ORDER);

enum {
    ROOM = 2048,
    CONNECTIONS_MAX = 4096,
    ORDERS_MAX = 10000000,
    PAUSE_MS = 20,
    BUYERS = 1000000
};

/* What became of an order, as its buyer knows it. */
enum known { NOT_YET, KNOWN_BOUGHT, KNOWN_SOLD_OUT };

/* A connection has one order under way, or is about to have one. */
struct connection {
    int     fd;    /* -1: closed; it is opened again at `at_ms` */
    int64_t order; /* -1: none is left */
    int64_t at_ms; /* an answer is waited for until then; or so long nothing is sent */
    bool    pauses;
    bool    once_more; /* the order is known, and was sent to see whether it is told the same */
    size_t  out_size, out_sent, in_size;
    char    out[512], in[ROOM];
};

static struct {
    struct sockaddr_in shop;
    int64_t            connections, orders, stock, product, patience_ms, again, limit_s;
    const char        *url;
} options = {
    .connections = 16, .orders = 1000, .stock = 1000, .patience_ms = 60000, .limit_s = 120};

static struct {
    int                poll;
    int64_t            now_ms;
    struct connection *connections;
    enum known        *known;      /* of each order */
    struct corm_uuid   number;     /* of all orders, but for its last 6 bytes, which count */
    int64_t            next, open; /* the next order; connections that have one */
    int64_t            bought, sold_out, sent, late, lost, unknown, failed, once_more;
} run;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "buyers: %s: %s\n", what, why);
    exit(1);
}

static int64_t ms_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- Orders --------------------------------------------------------------------------------- */

static int32_t pieces_of(int64_t i)
{
    return 1 + (int32_t)(i % 3);
}

static int32_t buyer_of(int64_t i)
{
    return 1 + (int32_t)(i % BUYERS);
}

static struct corm_uuid number_of(int64_t n)
{
    struct corm_uuid number = run.number;

    for (int i = 0; i < 6; i++)
        number.bytes[15 - i] = (uint8_t)(n >> (8 * i));
    return number;
}

/* -1: it is not ours. */
static int64_t order_of(const struct corm_uuid *number)
{
    int64_t n = 0;

    if (memcmp(number->bytes, run.number.bytes, 10) != 0)
        return -1;
    for (int i = 10; i < 16; i++)
        n = n << 8 | number->bytes[i];
    return n < options.orders ? n : -1;
}

/* ---- Connections ------------------------------------------------------------------------------ */

static void hang_up(struct connection *c, int64_t pause_ms)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->pauses = true;
    c->at_ms = run.now_ms + pause_ms;
}

static void watch(struct connection *c, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};

    if (epoll_ctl(run.poll, EPOLL_CTL_MOD, c->fd, &e) != 0)
        fail("epoll", strerror(errno));
}

static void put(struct connection *c)
{
    ssize_t n = send(c->fd, c->out + c->out_sent, c->out_size - c->out_sent, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINPROGRESS && errno != ENOTCONN) {
        run.lost++;
        hang_up(c, PAUSE_MS);
        return;
    }
    c->out_sent += n > 0 ? (size_t)n : 0;
    watch(c, c->out_sent < c->out_size ? EPOLLOUT : EPOLLIN);
}

static void call(struct connection *c)
{
    int                on = 1;
    struct epoll_event e = {.events = EPOLLOUT, .data.ptr = c};

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        epoll_ctl(run.poll, EPOLL_CTL_ADD, c->fd, &e) != 0)
        fail("a socket", strerror(errno));
    if (connect(c->fd, (struct sockaddr *)&options.shop, sizeof(options.shop)) != 0 &&
        errno != EINPROGRESS) {
        run.lost++;
        hang_up(c, PAUSE_MS);
    }
}

/* Sends the order of a connection, for the first time or again. */
static void send_order(struct connection *c)
{
    char             body[256], number[CORM_UUID_SIZE];
    struct corm_uuid uuid = number_of(c->order);

    c->pauses = false;
    c->at_ms = run.now_ms + options.patience_ms;
    c->in_size = c->out_sent = 0;
    corm_uuid_format(&uuid, number);
    int size =
        snprintf(body, sizeof(body), "product=%lld&pieces=%d&buyer=%d&order=%s",
                 (long long)options.product, pieces_of(c->order), buyer_of(c->order), number);
    c->out_size = (size_t)snprintf(c->out, sizeof(c->out),
                                   "POST /buy HTTP/1.1\r\nHost: shop\r\n"
                                   "Content-Type: application/x-www-form-urlencoded\r\n"
                                   "Content-Length: %d\r\n\r\n%s",
                                   size, body);
    run.sent++;
    if (c->fd < 0)
        call(c);
    if (c->fd >= 0)
        put(c);
}

static void next_order(struct connection *c)
{
    if (run.next == options.orders) {
        c->order = -1;
        run.open--;
        hang_up(c, 0);
        return;
    }
    c->order = run.next++;
    send_order(c);
}

/* ---- Answers ------------------------------------------------------------------------------------ */

static void on_known(struct connection *c, enum known known)
{
    enum known *before = &run.known[c->order];

    if (*before != NOT_YET && *before != known)
        fail("an order that was sent twice was told two things", c->in);
    if (*before == NOT_YET && known == KNOWN_BOUGHT)
        run.bought++;
    else if (*before == NOT_YET)
        run.sold_out++;
    *before = known;
    if (!c->once_more && c->order % 100 < options.again) {
        c->once_more = true;
        run.once_more++;
        send_order(c);
        return;
    }
    c->once_more = false;
    next_order(c);
}

static void on_answer(struct connection *c, int status, const char *body)
{
    if (status == 200 && strstr(body, "\"result\":\"bought\"") != NULL) {
        on_known(c, KNOWN_BOUGHT);
    } else if (status == 409 && strstr(body, "\"result\":\"sold out\"") != NULL) {
        on_known(c, KNOWN_SOLD_OUT);
    } else if (status == 503) {
        if (strstr(body, "\"result\":\"unknown\"") != NULL)
            run.unknown++;
        else
            run.failed++;
        c->pauses = true; /* the connection stays */
        c->at_ms = run.now_ms + PAUSE_MS;
    } else {
        fail("an answer that nobody expects", c->in);
    }
}

/* The body of an answer that is there as a whole, or NULL. */
static const char *body_of(const struct connection *c)
{
    const char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "\r\ncontent-length:");

    if (end == NULL)
        return NULL;
    if (length == NULL || length > end)
        fail("an answer without a length", c->in);
    size_t wanted = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
    return c->in_size - (size_t)(end + 4 - c->in) >= wanted ? end + 4 : NULL;
}

static void get(struct connection *c)
{
    ssize_t n = recv(c->fd, c->in + c->in_size, ROOM - 1 - c->in_size, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        run.lost++;
        hang_up(c, PAUSE_MS);
        return;
    }
    c->in_size += (size_t)n;
    c->in[c->in_size] = '\0';
    const char *body = body_of(c);
    if (body == NULL && c->in_size == ROOM - 1)
        fail("an answer that is too long", c->in);
    if (body == NULL)
        return;
    if (strncmp(c->in, "HTTP/1.1 ", 9) != 0)
        fail("no answer of HTTP/1.1", c->in);
    bool last = strcasestr(c->in, "\r\nconnection: close") != NULL;
    if (last) { /* what is sent next finds it closed */
        close(c->fd);
        c->fd = -1;
    }
    on_answer(c, (int)strtol(c->in + 9, NULL, 10), body);
}

/* Those whose pause or whose patience has ended. */
static void look_at_the_clock(void)
{
    for (int64_t i = 0; i < options.connections; i++) {
        struct connection *c = &run.connections[i];
        if (c->order < 0 || run.now_ms < c->at_ms)
            continue;
        if (!c->pauses) {
            run.late++;
            hang_up(c, 0);
        }
        send_order(c);
    }
}

static void buy_all(void)
{
    struct epoll_event events[256];
    int64_t            end_ms = ms_now() + options.limit_s * 1000;

    run.now_ms = ms_now();
    run.open = options.connections;
    for (int64_t i = 0; i < options.connections; i++) {
        run.connections[i].fd = -1;
        next_order(&run.connections[i]);
    }
    while (run.open > 0) {
        int n = epoll_wait(run.poll, events, 256, PAUSE_MS);
        run.now_ms = ms_now();
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->out_sent < c->out_size)
                put(c);
            else
                get(c);
        }
        look_at_the_clock();
        if (run.now_ms >= end_ms)
            fail("not all is known", "the time of --limit-s is over");
    }
}

/* ---- The database -------------------------------------------------------------------------------- */

struct audit {
    struct order row;
    int64_t      rows, pieces, ours, wrong;
};

static int count(void *arg)
{
    struct audit *a = arg;
    int64_t       i = order_of(&a->row.number);

    a->rows++;
    a->pieces += a->row.pieces;
    if (i < 0)
        return 0;
    a->ours++;
    if (run.known[i] != KNOWN_BOUGHT || a->row.pieces != pieces_of(i) ||
        a->row.buyer != buyer_of(i)) {
        fprintf(stderr, "buyers: order %lld is there, and should not be, or not so\n",
                (long long)i);
        a->wrong++;
    }
    return 0;
}

static void read_product(struct corm_db *db, struct product *p, struct corm_arena *arena)
{
    struct corm_error e = {0};
    int rc = corm_first(db, product, p, .where = corm_eq(product.id, (int32_t)options.product),
                        .arena = arena, .error = &e);
    if (rc <= 0)
        fail("the product", rc < 0 ? e.message : "it is not there");
}

/* Whether all is true. Numbers are unique, so as many rows of ours as were told "bought", and no other one among
 * them, means each of them once. */
static bool audit(struct corm_db *db, const struct product *before, double seconds)
{
    struct corm_arena *arena = corm_arena_new();
    struct corm_error  e = {0};
    struct product     p;
    struct audit       a = {0};

    if (corm_each(db, order, &a.row, count, &a,
                  .where = corm_eq(order.product_id, (int32_t)options.product), .error = &e) < 0)
        fail("the orders", e.message);
    read_product(db, &p, arena);
    int64_t gone = (int64_t)before->stock - p.stock;
    bool    holds = p.stock >= 0 && gone == a.pieces - before->sold && p.sold == a.pieces &&
                 p.orders == a.rows && a.wrong == 0 && a.ours == run.bought &&
                 run.bought + run.sold_out == options.orders;
    printf("{\"product\":%lld,\"orders\":%lld,\"bought\":%lld,\"sold_out\":%lld,\"sent\":%lld,"
           "\"once_more\":%lld,\"late\":%lld,\"lost\":%lld,\"failed\":%lld,\"unknown\":%lld,"
           "\"seconds\":%.3f,\"stock_before\":%d,\"stock_after\":%d,\"order_rows\":%lld,"
           "\"order_pieces\":%lld,\"holds\":%s}\n",
           (long long)options.product, (long long)options.orders, (long long)run.bought,
           (long long)run.sold_out, (long long)run.sent, (long long)run.once_more,
           (long long)run.late, (long long)run.lost, (long long)run.failed, (long long)run.unknown,
           seconds, before->stock, p.stock, (long long)a.rows, (long long)a.pieces,
           holds ? "true" : "false");
    corm_arena_free(arena);
    return holds;
}

static void choose_product(struct corm_db *db, struct product *before, struct corm_arena *arena)
{
    struct corm_error e = {0};
    struct product    p = {.name = "for buyers", .stock = (int32_t)options.stock};

    if (options.product == 0 &&
        corm_insert_row(db, product, &p, .id = &options.product, .error = &e) < 0)
        fail("the product", e.message);
    read_product(db, before, arena);
}

/* ---- Running --------------------------------------------------------------------------------------- */

static bool read_number(const char *text, int64_t least, int64_t most, int64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *number >= least && *number <= most;
}

static bool read_shop(const char *text)
{
    char        address[INET_ADDRSTRLEN] = "";
    const char *colon = strrchr(text, ':');
    int64_t     port = 0;

    if (colon == NULL || (size_t)(colon - text) >= sizeof(address) ||
        !read_number(colon + 1, 1, UINT16_MAX, &port))
        return false;
    memcpy(address, text, (size_t)(colon - text));
    options.shop = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, address, &options.shop.sin_addr) == 1;
}

static const struct {
    const char *name;
    int64_t    *value, least, most;
} numbers[] = {
    {"connections", &options.connections, 1, CONNECTIONS_MAX},
    {"orders", &options.orders, 0, ORDERS_MAX},
    {"stock", &options.stock, 0, INT32_MAX},
    {"product", &options.product, 1, INT32_MAX},
    {"patience-ms", &options.patience_ms, 1, 3600000},
    {"again", &options.again, 0, 100},
    {"limit-s", &options.limit_s, 1, 3600},
};
enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

static bool read_options(int argc, char **argv)
{
    struct option list[NUMBERS + 2] = {{"shop", required_argument, NULL, 0}};
    int           at = 0, option;
    bool          ok = read_shop("127.0.0.1:8080");

    for (int i = 0; i < NUMBERS; i++)
        list[i + 1] = (struct option){numbers[i].name, required_argument, NULL, 0};
    while ((option = getopt_long(argc, argv, "", list, &at)) != -1)
        ok = ok && option == 0 &&
             (at == 0 ? read_shop(optarg)
                      : read_number(optarg, numbers[at - 1].least, numbers[at - 1].most,
                                    numbers[at - 1].value));
    options.url = argv[optind]; /* NULL: DATABASE_URL */
    return ok && argc - optind <= 1;
}

/* A random one of version 4, but for its end. */
static void choose_number(void)
{
    if (getrandom(run.number.bytes, 10, 0) != 10)
        fail("random bytes", strerror(errno));
    run.number.bytes[6] = (uint8_t)((run.number.bytes[6] & 0x0f) | 0x40);
    run.number.bytes[8] = (uint8_t)((run.number.bytes[8] & 0x3f) | 0x80);
}

int main(int argc, char **argv)
{
    struct corm_error e = {0};
    struct corm_db   *db;
    struct product    before;

    if (!read_options(argc, argv)) {
        fprintf(
            stderr,
            "usage: buyers [--shop ADDRESS:PORT] [--connections N] [--orders N] [--stock N] "
            "[--product ID]\n              [--patience-ms N] [--again PERCENT] [--limit-s N] [URL]\n");
        return 2;
    }
    if (corm_open(&db, options.url, .error = &e) < 0)
        fail("the database", e.message);
    struct corm_arena *arena = corm_arena_new(); /* the product's name is in it */
    choose_number();
    choose_product(db, &before, arena);
    run.poll = epoll_create1(EPOLL_CLOEXEC);
    run.connections = calloc((size_t)options.connections, sizeof(*run.connections));
    run.known = calloc((size_t)options.orders + 1, sizeof(*run.known));
    if (run.poll < 0 || run.connections == NULL || run.known == NULL)
        fail("the buyers", strerror(errno));

    int64_t begin_ms = ms_now();
    buy_all();
    bool holds = audit(db, &before, (double)(ms_now() - begin_ms) / 1000);

    free(run.known);
    free(run.connections);
    close(run.poll);
    corm_close(db);
    corm_arena_free(arena);
    return holds ? 0 : 1;
}
