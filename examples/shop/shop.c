/* shop.c -- a small shop over HTTP, whose buy button is a purchase with corm. See README.md.
 *
 *     shop [--address A] [--port N] [--pages FOLDER] [URL]     the URL of the database; else DATABASE_URL's
 *
 * One thread and one event loop, that of the HTTP library (h2o); corm's lanes are the only other threads. The loop watches
 * corm_fd() like any other descriptor: when outcomes are there, corm_dispatch() calls who answers the request.
 *
 *     request ──► on_buy() ──► sell() ──► a lane of corm            the loop never waits for the database
 *     answer  ◄── on_told() ◄── corm_dispatch() ◄── corm_fd() is readable
 *
 * A request and what is under way for it end in any order: a client may be gone before the purchase is done. So each has
 * a `struct visit`, which lives until both have ended. SIGTERM and SIGINT close the door; when every visit has
 * ended the program does, and a second signal ends it at once. */
#include "form.h"
#include "sale.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <h2o.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SHOP_PAGES
#define SHOP_PAGES "page"
#endif

enum { FORM_MAX = 1024, CONNECTIONS_MAX = 10000, QUEUE = 1024 };
/* Other than connections: the page, and corm's, one for each lane, of which there are 64 at most. */
enum { OTHER_FILES = 128 };

static struct {
    struct corm_db  *db;
    h2o_globalconf_t config;
    h2o_context_t    context;
    h2o_accept_ctx_t accept;
    h2o_socket_t    *door; /* the listening socket; NULL when the shop is about to close */
    int              connections, connections_max;
    int              visits; /* that have not ended */
    struct view      view;
    bool             looking; /* the view is under way, for those in `asked` */
    struct visit    *asked,
        *next; /* who wants a view; those in `next` came when it was under way already */
} shop;

/* ---- Visits ---------------------------------------------------------------------------------- */

struct visit {
    struct sale   sale;    /* first: what sell() gets */
    h2o_req_t    *request; /* NULL: it has ended; its client may be gone */
    bool          under_way;
    struct visit *next; /* of those who want a view */
};

static void end_visit(struct visit *v)
{
    if (v->request != NULL || v->under_way)
        return;
    free(v);
    shop.visits--;
}

/* h2o calls it when it forgets a request: after the answer, or when the client is gone. */
static void on_request_gone(void *memory)
{
    struct visit *v = *(struct visit **)memory;

    v->request = NULL;
    end_visit(v);
}

static struct visit *new_visit(h2o_req_t *request)
{
    struct visit **link =
        h2o_mem_alloc_shared(&request->pool, sizeof(struct visit *), on_request_gone);
    struct visit *v = h2o_mem_alloc(sizeof(*v)); /* it ends the program where there is no memory */

    *v = (struct visit){.request = request, .under_way = true};
    *link = v;
    shop.visits++;
    return v;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static int answer(h2o_req_t *request, int status, const char *reason, const char *json)
{
    request->res.status = status;
    request->res.reason = reason;
    request->res.content_length =
        strlen(json); /* without it h2o ends connections, or sends chunks */
    h2o_add_header(&request->pool, &request->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("application/json"));
    h2o_add_header(&request->pool, &request->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL,
                   H2O_STRLIT("no-store"));
    if (status == 503)
        h2o_add_header_by_str(&request->pool, &request->res.headers, H2O_STRLIT("retry-after"), 0,
                              NULL, H2O_STRLIT("1"));
    if (shop.door == NULL)
        request->http1_is_persistent = 0; /* the last answer on this connection */
    h2o_send_inline(request, json, request->res.content_length);
    return 0;
}

/* The sentences are ours: nothing in them has to be escaped. */
static int answer_error(h2o_req_t *request, int status, const char *reason, const char *sentence)
{
    char json[256];

    (void)snprintf(json, sizeof(json), "{\"result\":\"error\",\"message\":\"%s\"}\n", sentence);
    return answer(request, status, reason, json);
}

static int answer_order(h2o_req_t *request, int status, const char *reason, const char *result,
                        const struct order *o)
{
    char number[CORM_UUID_SIZE], json[256];

    corm_uuid_format(&o->number, number);
    (void)snprintf(
        json, sizeof(json),
        "{\"result\":\"%s\",\"order\":\"%s\",\"product\":%d,\"pieces\":%d,\"buyer\":%d}\n", result,
        number, o->product_id, o->pieces, o->buyer);
    return answer(request, status, reason, json);
}

static void answer_verdict(h2o_req_t *request, enum verdict verdict, const struct order *o)
{
    switch (verdict) {
    case BOUGHT: answer_order(request, 200, "OK", "bought", o); break;
    case SOLD_OUT: answer_order(request, 409, "Conflict", "sold out", o); break;
    case NO_PRODUCT: answer_error(request, 404, "Not Found", "there is no such product"); break;
    case ANOTHER_ORDER:
        answer_error(request, 422, "Unprocessable Entity",
                     "another order has this number: make a new one for each");
        break;
    case FAILED:
        answer_error(request, 503, "Service Unavailable",
                     "this request has bought nothing; send it again, with the same number");
        break;
    case UNKNOWN: answer_order(request, 503, "Service Unavailable", "unknown", o); break;
    }
}

/* ---- POST /buy ------------------------------------------------------------------------------- */

static void on_told(struct sale *sale, enum verdict verdict)
{
    struct visit *v = (struct visit *)sale;

    v->under_way = false;
    if (v->request != NULL)
        answer_verdict(v->request, verdict, &sale->want);
    else
        end_visit(v);
}

static bool is_form(const h2o_req_t *request)
{
    static const char form[] = "application/x-www-form-urlencoded";
    ssize_t           at = h2o_find_header(&request->headers, H2O_TOKEN_CONTENT_TYPE, -1);

    if (at == -1)
        return true;
    h2o_iovec_t type = request->headers.entries[at].value;
    size_t      size = sizeof(form) - 1;
    return type.len >= size && strncasecmp(type.base, form, size) == 0 &&
           (type.len == size || type.base[size] == ';' || type.base[size] == ' ');
}

/* Whether the request is an order; if not, it is answered. */
static bool is_order(h2o_req_t *request, struct order *want)
{
    if (!is_form(request)) {
        answer_error(request, 415, "Unsupported Media Type",
                     "a form is wanted: application/x-www-form-urlencoded");
        return false;
    }
    const char *wrong = read_order(request->entity.base, request->entity.len, want);
    if (wrong != NULL)
        answer_error(request, 400, "Bad Request", wrong);
    return wrong == NULL;
}

static int on_buy(h2o_req_t *request)
{
    struct order want = {0};

    if (!is_order(request, &want))
        return 0;
    struct visit *v = new_visit(request);
    v->sale = (struct sale){.want = want, .told = on_told};
    sell(shop.db, &v->sale);
    return 0;
}

/* The same without a database: what /buy is measured against. */
static int on_nothing(h2o_req_t *request)
{
    struct order want = {0};

    return is_order(request, &want) ? answer_order(request, 200, "OK", "nothing", &want) : 0;
}

/* ---- GET /stock, GET /health --------------------------------------------------------------------- */

static void begin_look(void);

/* One view for all who have asked before it began. */
static void on_seen(struct view *view)
{
    struct visit *v = shop.asked, *next;

    for (; v != NULL; v = next) {
        next = v->next;
        v->under_way = false;
        if (v->request == NULL)
            end_visit(v);
        else if (view->text == NULL)
            answer_error(v->request, 503, "Service Unavailable", "the stock could not be read");
        else
            answer(v->request, 200, "OK", view->text);
    }
    shop.asked = NULL;
    shop.looking = false;
    if (shop.next != NULL)
        begin_look();
}

static void begin_look(void)
{
    shop.asked = shop.next;
    shop.next = NULL;
    shop.looking = true;
    shop.view.told = on_seen;
    look(shop.db, &shop.view);
}

static int on_stock(h2o_req_t *request)
{
    struct visit *v = new_visit(request);

    v->next = shop.next;
    shop.next = v;
    if (!shop.looking)
        begin_look();
    return 0;
}

/* The shop answers; its database may be away. */
static int on_health(h2o_req_t *request)
{
    return answer(request, 200, "OK", "{\"result\":\"well\"}\n");
}

/* ---- Ways in ------------------------------------------------------------------------------------- */

static const struct {
    const char *path, *method, *wrong_method;
    int (*handle)(h2o_req_t *request);
} ways[] = {
    {"/buy", "POST", "POST is wanted", on_buy},
    {"/nothing", "POST", "POST is wanted", on_nothing},
    {"/stock", "GET", "GET is wanted", on_stock},
    {"/health", "GET", "GET is wanted", on_health},
};

/* -1: not ours, the next handler's. */
static int on_request(h2o_handler_t *self, h2o_req_t *request)
{
    (void)self;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (!h2o_memis(request->path_normalized.base, request->path_normalized.len, ways[i].path,
                       strlen(ways[i].path)))
            continue;
        if (h2o_memis(request->method.base, request->method.len, ways[i].method,
                      strlen(ways[i].method)))
            return ways[i].handle(request);
        h2o_add_header_by_str(&request->pool, &request->res.headers, H2O_STRLIT("allow"), 0, NULL,
                              ways[i].method, strlen(ways[i].method));
        return answer_error(request, 405, "Method Not Allowed", ways[i].wrong_method);
    }
    return -1;
}

/* ---- The door ------------------------------------------------------------------------------------ */

static void on_knock(h2o_socket_t *door, const char *error);

static void on_leave(void *unused)
{
    (void)unused;
    if (shop.connections-- == shop.connections_max && shop.door != NULL)
        h2o_socket_read_start(shop.door, on_knock);
}

static void on_knock(h2o_socket_t *door, const char *error)
{
    h2o_socket_t *client;

    while (error == NULL && shop.connections < shop.connections_max &&
           (client = h2o_evloop_socket_accept(door)) != NULL) {
        shop.connections++;
        client->on_close.cb = on_leave;
        h2o_accept(&shop.accept, client);
    }
    if (shop.connections == shop.connections_max)
        h2o_socket_read_stop(door);
}

/* SIGTERM or SIGINT: nobody comes in any more, and who is in gets one more answer. */
static void on_signal(h2o_socket_t *signals, const char *error)
{
    (void)error;
    if (shop.door == NULL)
        _exit(1);
    struct signalfd_siginfo info;
    (void)!read(h2o_socket_get_fd(signals), &info, sizeof(info));
    h2o_socket_close(shop.door);
    shop.door = NULL;
    h2o_context_request_shutdown(&shop.context);
}

static void on_outcomes(h2o_socket_t *socket, const char *error)
{
    (void)socket;
    (void)error;
    (void)corm_dispatch(shop.db);
}

/* Calls `on_ready` when there is something to read, and leaves the reading to it. The descriptor is the loop's
 * from now on. */
static h2o_socket_t *watch(int fd, h2o_socket_cb on_ready)
{
    h2o_socket_t *s = h2o_evloop_socket_create(shop.context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);

    h2o_socket_read_start(s, on_ready);
    return s;
}

/* A descriptor, or -1 with errno. */
static int open_door(const char *address, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int                on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (inet_pton(AF_INET, address, &a.sin_addr) != 1)
        errno = EINVAL;
    else if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
             setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
             bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, QUEUE) == 0)
        return fd;
    if (fd >= 0) {
        int why = errno;
        close(fd);
        errno = why;
    }
    return -1;
}

static void say_where(int door)
{
    struct sockaddr_in a = {0};
    socklen_t          size = sizeof(a);
    char               text[INET_ADDRSTRLEN] = "";

    (void)getsockname(door, (struct sockaddr *)&a, &size);
    (void)inet_ntop(AF_INET, &a.sin_addr, text, sizeof(text));
    printf("shop: http://%s:%d/\n", text, ntohs(a.sin_port));
    (void)fflush(stdout);
}

/* ---- Running --------------------------------------------------------------------------------------- */

struct options {
    const char *address, *pages, *url;
    uint16_t    port;
};

static void configure(const char *pages)
{
    h2o_config_init(&shop.config);
    shop.config.max_request_entity_size = FORM_MAX;
    h2o_hostconf_t *host =
        h2o_config_register_host(&shop.config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *all = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(all, sizeof(h2o_handler_t))->on_req = on_request;
    h2o_file_register(all, pages, NULL, NULL, 0);
    h2o_context_init(&shop.context, h2o_evloop_create(), &shop.config);
    shop.accept.ctx = &shop.context;
    shop.accept.hosts = shop.config.hosts;
}

static void serve(int door, int signals, int outcomes)
{
    h2o_socket_t *for_signals = watch(signals, on_signal);
    h2o_socket_t *for_outcomes = watch(outcomes, on_outcomes);

    shop.door = watch(door, on_knock);
    say_where(door);
    while (shop.door != NULL || shop.visits > 0)
        (void)h2o_evloop_run(shop.context.loop, INT32_MAX);
    h2o_socket_close(for_outcomes);
    h2o_socket_close(for_signals);
}

static int failed(const char *what)
{
    fprintf(stderr, "shop: %s: %s\n", what, strerror(errno));
    return 1;
}

/* As many connections as the process may have files, and no more: accept() would fail for ever. 0 if there is no room
 * for one. */
static int count_connections(void)
{
    struct rlimit files = {0};
    rlim_t        wanted = CONNECTIONS_MAX + OTHER_FILES;

    (void)getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < wanted) {
        files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur <= OTHER_FILES)
        return 0;
    return files.rlim_cur < wanted ? (int)files.rlim_cur - OTHER_FILES : CONNECTIONS_MAX;
}

/* Returns when the shop is closed: 0; or 1, and has said why. */
static int run(const struct options *o)
{
    struct corm_error e = {0};
    sigset_t          ends;

    /* In front of the first thread, which gets the same mask. */
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &ends, NULL);
    (void)signal(SIGPIPE, SIG_IGN);

    shop.connections_max = count_connections();
    if (shop.connections_max == 0) {
        fprintf(stderr,
                "shop: the limit of open files (ulimit -n) is too low: more than %d are wanted\n",
                OTHER_FILES);
        return 1;
    }
    int door = open_door(o->address, o->port);
    if (door < 0)
        return failed("the door cannot be opened");
    int signals = signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals < 0)
        return failed("signals cannot be watched");
    if (corm_open(&shop.db, o->url, .error = &e) < 0 || shop_tables(shop.db, &e) < 0) {
        fprintf(stderr, "shop: %s\n", e.message);
        corm_close(shop.db);
        return 1;
    }
    int outcomes = dup(corm_fd(shop.db)); /* corm's own stays corm's */
    if (outcomes < 0)
        return failed("corm cannot be watched");
    configure(o->pages);
    serve(door, signals, outcomes);
    corm_close(shop.db);
    free(shop.view.text);
    return 0;
}

static bool read_port(const char *text, uint16_t *port)
{
    char         *end;
    unsigned long n = strtoul(text, &end, 10);

    *port = (uint16_t)n;
    return *text >= '0' && *text <= '9' && *end == '\0' && n <= UINT16_MAX;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"address", required_argument, NULL, 'a'},
                                                 {"port", required_argument, NULL, 'p'},
                                                 {"pages", required_argument, NULL, 'd'},
                                                 {NULL, 0, NULL, 0}};
    struct options             o = {.address = "127.0.0.1", .port = 8080, .pages = SHOP_PAGES};
    int                        option;
    bool                       ok = true;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'a')
            o.address = optarg;
        else if (option == 'd')
            o.pages = optarg;
        else
            ok = ok && option == 'p' && read_port(optarg, &o.port);
    }
    if (!ok || argc - optind > 1) {
        fprintf(stderr, "usage: shop [--address A] [--port N] [--pages FOLDER] [URL]\n");
        return 2;
    }
    o.url = argv[optind]; /* NULL: DATABASE_URL */
    return run(&o);
}
