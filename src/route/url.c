/* route/url.c -- a URL, or the environment, to a config.
 *
 * A URL is cut into slices; each is decoded on its own, so that an encoded separator separates nothing. A
 * server's URL is cut at the first / or ? behind the //, and what stands before that from its end:
 *
 *     [user[:password]@] [role@]host[:port] , [role@]host[:port] , ...
 *
 * A node begins behind the last comma, or the last @ that ends no role; in front of that @ stand user and
 * password, which may hold : and @ and a comma as they are, but not / and ?. An @ that follows later is
 * refused, because what stands before it may be the rest of a password: that, and the order of the checks,
 * is why the name of an option can be shown. */
#include "route/url.h"

#include "base/arena.h"
#include "base/error.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_TEXT = 4096, /* bytes of a URL or a variable */
    MAX_HOST = 255,
    MAX_SOCKET = 107, /* what sun_path holds on Linux, with its NUL */
    MAX_NAME = 32,    /* of an option that is shown */
    MAX_PORT = 65535,
    MAX_POOL = 1000,
    MAX_TIMEOUT_MS = 86400000, /* a day */
    MAX_MAX_AGE_S = 2592000,   /* 30 days */
    MAX_LANES = 64,
    MAX_GROUP = 4096,
    MAX_QUEUE = 10000000,
    DEFAULT_LANES = 2,
    DEFAULT_GROUP = 256,
    DEFAULT_QUEUE = 100000,
    DEFAULT_LANE_WAIT_MS = 1000,
    DEFAULT_PORT = 3306,
    DEFAULT_POOL = 16,
    DEFAULT_TIMEOUT_MS = 30000,
    DEFAULT_RESOLVE_MS = 1000,
    MIN_LAG_MS = 1000, /* looks are half a second apart */
    MAX_LAG_MS = 86400000,
    DEFAULT_LAG_MS = 10000
};

enum option {
    POOL,
    TIMEOUT_MS,
    RESOLVE_MS,
    MAX_AGE_S,
    TLS,
    TLS_CA,
    SOCKET,
    LANES,
    GROUP_MAX,
    LANE_QUEUE,
    LANE_WAIT_MS,
    GUARD,
    LAG_MS,
    STATS,
    OPTION_COUNT
};

static const struct {
    const char *name;
    bool        of_files; /* SQLite has it, too */
} options[OPTION_COUNT] = {
    [POOL] = {"pool", true},
    [TIMEOUT_MS] = {"timeout_ms", true},
    [RESOLVE_MS] = {"resolve_ms", false},
    [MAX_AGE_S] = {"max_age_s", false},
    [TLS] = {"tls", false},
    [TLS_CA] = {"tls_ca", false},
    [SOCKET] = {"socket", false},
    [LANES] = {"lanes", true},
    [GROUP_MAX] = {"group_max", true},
    [LANE_QUEUE] = {"lane_queue", true},
    [LANE_WAIT_MS] = {"lane_wait_ms", true},
    [GUARD] = {"guard", false},
    [LAG_MS] = {"lag_ms", false},
    [STATS] = {"stats", true},
};

struct slice {
    const char *at;
    size_t      size;
};

/* Where one node is, as it is written. */
struct place {
    const char *host; /* or NULL */
    uint16_t    port; /* 0: none is given */
    bool        reader;
};

struct parse {
    struct corm_arena   *arena;
    struct corm__config *config;
    struct corm_error   *error;
    bool                 given[OPTION_COUNT];
    struct place         places[CORM__NODES_MAX];
    uint32_t             place_count;
};

/* ---- Text ------------------------------------------------------------------ */

/* Not tolower(), which depends on the locale. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool begins(struct slice s, const char *text)
{
    size_t i = 0;

    while (text[i] != '\0' && i < s.size && lower(s.at[i]) == text[i])
        i++;
    return text[i] == '\0';
}

/* Whether it is `text`, which is in lower case. */
static bool is(struct slice s, const char *text)
{
    return s.size == strlen(text) && begins(s, text);
}

static struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static struct slice behind(struct slice s, size_t size)
{
    return (struct slice){s.at + size, s.size - size};
}

static bool skip(struct slice *s, const char *prefix)
{
    if (!begins(*s, prefix))
        return false;
    *s = behind(*s, strlen(prefix));
    return true;
}

/* Takes off, and returns, what stands before the first byte that is one of `stops`. */
static struct slice cut(struct slice *s, const char *stops)
{
    struct slice first = {s->at, 0};

    while (first.size < s->size && strchr(stops, s->at[first.size]) == NULL)
        first.size++;
    *s = behind(*s, first.size);
    return first;
}

static bool has(struct slice s, char c)
{
    return s.size > 0 && memchr(s.at, c, s.size) != NULL;
}

/* How many bytes stand up to and with the last one that is one of `stops`; 0: there is none. */
static size_t up_to_last(struct slice s, const char *stops)
{
    size_t size = s.size;

    while (size > 0 && strchr(stops, s.at[size - 1]) == NULL)
        size--;
    return size;
}

static int hex_digit(char c)
{
    c = lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A copy in which %XX has become its byte; NULL for an empty slice. */
static int decode(const struct parse *p, struct slice s, const char *what, const char **text)
{
    size_t size = 0;

    *text = NULL;
    if (s.size == 0)
        return 0;
    char *copy = corm__arena_copy(p->arena, s.at, s.size);
    if (copy == NULL)
        return corm__fail_memory(p->error, "the database URL");
    for (size_t i = 0; i < s.size; i++) {
        if (s.at[i] != '%') {
            copy[size++] = s.at[i];
            continue;
        }
        int high = s.size - i > 2 ? hex_digit(s.at[i + 1]) : -1;
        int low = s.size - i > 2 ? hex_digit(s.at[i + 2]) : -1;
        if (high < 0 || low < 0)
            return corm__fail(p->error, CORM_BAD_URL,
                              "a %% in %s has no two hex digits behind it; a %% itself is "
                              "written %%25",
                              what);
        if (high == 0 && low == 0)
            return corm__fail(p->error, CORM_BAD_URL, "%s holds %%00, which no text may", what);
        copy[size++] = (char)(high * 16 + low);
        i += 2;
    }
    copy[size] = '\0';
    *text = copy;
    return 0;
}

static int read_number(const struct parse *p, struct slice digits, const char *what,
                       uint32_t highest, uint32_t *number)
{
    uint64_t n = 0;
    size_t   i = 0;

    while (i < digits.size && digits.at[i] >= '0' && digits.at[i] <= '9' && n <= highest)
        n = n * 10 + (uint64_t)(digits.at[i++] - '0');
    if (i < digits.size || n < 1 || n > highest)
        return corm__fail(p->error, CORM_BAD_URL, "%s must be a whole number from 1 to %u", what,
                          (unsigned)highest);
    *number = (uint32_t)n;
    return 0;
}

/* ---- Hosts ----------------------------------------------------------------- */

static bool is_host_name(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

    return size > 0 && size <= MAX_HOST && text[size] == '\0';
}

/* An address, perhaps with a zone, as in fe80::1%eth0. */
static bool is_ipv6(const char *text)
{
    char            address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    size_t          size = strcspn(text, "%");

    if (size >= sizeof(address) || (text[size] == '%' && !is_host_name(text + size + 1)))
        return false;
    memcpy(address, text, size);
    address[size] = '\0';
    return inet_pton(AF_INET6, address, &parsed) == 1;
}

/* The words for a role; writers are what else a node is. */
static const struct {
    const char *name;
    bool        reader;
} roles[] = {{"writer", false}, {"reader", true}, {"master", false}, {"slave", true}};

enum { ROLES = sizeof(roles) / sizeof(roles[0]) };

/* The index of the role that a slice is, or -1. */
static int role_of(struct slice s)
{
    for (int i = 0; i < ROLES; i++)
        if (is(s, roles[i].name))
            return i;
    return -1;
}

static int parse_user(const struct parse *p, struct slice user_info)
{
    struct corm__endpoint *e = &p->config->endpoint;
    struct slice           password = user_info;
    struct slice           user = cut(&password, ":");
    int                    rc = decode(p, user, "the user", &e->user);

    if (rc == 0 && password.size > 0)
        rc = decode(p, behind(password, 1), "the password", &e->password);
    return rc;
}

static int parse_host(const struct parse *p, struct slice text, struct place *place)
{
    bool         brackets = skip(&text, "[");
    struct slice host = cut(&text, brackets ? "]" : ":");
    uint32_t     port = 0;

    if (brackets && !skip(&text, "]"))
        return corm__fail(p->error, CORM_BAD_URL, "the [ before the host has no ]");
    int rc = decode(p, host, "the host", &place->host);
    if (rc < 0)
        return rc;
    if (skip(&text, ":")) {
        if (!brackets && has(text, ':'))
            return corm__fail(p->error, CORM_BAD_URL,
                              "host and port hold more than one colon; an IPv6 address is written "
                              "[::1], and user and password end with @");
        rc = read_number(p, text, "the port behind the host", MAX_PORT, &port);
    } else if (text.size > 0) {
        rc = corm__fail(p->error, CORM_BAD_URL, "only :port may follow the ] of the host");
    }
    place->port = (uint16_t)port;
    if (rc < 0 || (place->host == NULL && !brackets))
        return rc;
    if (brackets ? place->host == NULL || !is_ipv6(place->host) : !is_host_name(place->host))
        return corm__fail(p->error, CORM_BAD_URL, "the host is no name and no address");
    return 0;
}

static int too_many_nodes(const struct parse *p, const char *where)
{
    return corm__fail(p->error, CORM_BAD_URL, "%s names more than %d nodes", where,
                      CORM__NODES_MAX);
}

/* Reads the nodes from the last to the first, into places from the end; *rest is what stands before them: user
 * and password. `*login`: there is an @ behind it. */
static int parse_places(struct parse *p, struct slice *rest, bool *login)
{
    struct slice left = *rest;
    uint32_t     at = CORM__NODES_MAX, roles_given = 0;
    bool         more = true;

    *login = false;
    while (more) {
        size_t       start = up_to_last(left, "@,");
        struct slice host = behind(left, start);
        struct slice before = {left.at, start > 0 ? start - 1 : 0};
        size_t       word = up_to_last(before, "@,");
        int          role = -1;
        if (start > 0 && left.at[start - 1] == '@') {
            role = role_of(behind(before, word));
            if (role >= 0 && word == 0 && at == CORM__NODES_MAX)
                role = -1; /* the only host: a user of that name */
        }
        if (at == 0)
            return too_many_nodes(p, "the URL");
        struct place *place = &p->places[--at];
        *place = (struct place){.reader = role >= 0 && roles[role].reader};
        if (parse_host(p, host, place) < 0)
            return p->error->code;
        if (role >= 0 && word == 0 && roles_given == 0)
            return corm__fail(p->error, CORM_BAD_URL,
                              "what stands before the first host may be a user or its role: give "
                              "each host a role, or write user:password@");
        roles_given += role >= 0;
        if (role >= 0) /* what stands before it is another node, or the user */
            before.size = word > 0 ? word - 1 : 0;
        char separator = role >= 0 && word > 0   ? left.at[word - 1]
                         : role < 0 && start > 0 ? left.at[start - 1]
                                                 : '\0';
        *login = separator == '@';
        more = separator == ',';
        left = before;
    }
    p->place_count = CORM__NODES_MAX - at;
    memmove(p->places, p->places + at, p->place_count * sizeof(p->places[0]));
    *rest = left;
    return 0;
}

static int parse_authority(struct parse *p, struct slice authority)
{
    bool login = false;
    int  rc = parse_places(p, &authority, &login);

    if (rc < 0 || !login)
        return rc;
    return parse_user(p, authority);
}

/* ---- Options --------------------------------------------------------------- */

static bool is_allowed(const struct parse *p, int option)
{
    return options[option].of_files || p->config->endpoint.driver != &corm__sqlite;
}

/* How many bytes have to be changed, added or removed (Levenshtein) to make `name` of `typed`. */
static size_t distance(struct slice typed, const char *name)
{
    size_t row[MAX_NAME + 1]; /* to the first j bytes of `name`, from the first i of `typed` */
    size_t size = strlen(name);

    for (size_t j = 0; j <= size; j++)
        row[j] = j;
    for (size_t i = 1; i <= typed.size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= size; j++) {
            size_t best = diagonal + (lower(typed.at[i - 1]) != name[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[size];
}

static const char *nearest(const struct parse *p, struct slice typed)
{
    const char *found = NULL;
    size_t      least = typed.size < 3 ? typed.size : 3; /* some of it has to be right */

    for (int i = 0; i < OPTION_COUNT; i++) {
        size_t d = is_allowed(p, i) ? distance(typed, options[i].name) : least;
        if (d < least) {
            least = d;
            found = options[i].name;
        }
    }
    return found;
}

static bool looks_like_option(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = lower(name.at[i]);
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_')
            return false;
    }
    return name.size > 0 && name.size <= MAX_NAME;
}

static int unknown_option(const struct parse *p, struct slice name, unsigned number)
{
    char   shown[MAX_NAME + 8]; /* its name if it looks like one, else only which it is */
    char   known[192] = "";
    size_t used = 0;
    bool   is_name = looks_like_option(name);

    if (is_name)
        (void)snprintf(shown, sizeof(shown), "%.*s", (int)name.size, name.at);
    else
        (void)snprintf(shown, sizeof(shown), "number %u", number);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (is_allowed(p, i))
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                     used > 0 ? ", " : "", options[i].name);
    const char *guess = is_name ? nearest(p, name) : NULL;
    if (guess == NULL)
        return corm__fail(p->error, CORM_BAD_URL, "the option %s is unknown, there are %s", shown,
                          known);
    return corm__fail(p->error, CORM_BAD_URL,
                      "the option %s is unknown, did you mean %s? There are %s", shown, guess,
                      known);
}

static int set_option(const struct parse *p, enum option option, const char *text)
{
    struct corm__config   *config = p->config;
    struct corm__endpoint *e = &config->endpoint;
    struct slice           value = slice_of(text);

    switch (option) {
    case POOL: return read_number(p, value, "the option pool", MAX_POOL, &config->pool);
    case TIMEOUT_MS:
        return read_number(p, value, "the option timeout_ms", MAX_TIMEOUT_MS, &config->timeout_ms);
    case RESOLVE_MS:
        return read_number(p, value, "the option resolve_ms", MAX_TIMEOUT_MS, &config->resolve_ms);
    case MAX_AGE_S:
        return read_number(p, value, "the option max_age_s", MAX_MAX_AGE_S, &e->max_age_s);
    case TLS:
        if (strcmp(text, "verify") != 0 && strcmp(text, "off") != 0)
            return corm__fail(p->error, CORM_BAD_URL, "the option tls must be verify or off");
        e->tls = strcmp(text, "off") == 0 ? CORM__TLS_OFF : CORM__TLS_VERIFY;
        return 0;
    case TLS_CA: e->tls_ca = text; return 0;
    case LANES: return read_number(p, value, "the option lanes", MAX_LANES, &config->lanes.lanes);
    case GROUP_MAX:
        return read_number(p, value, "the option group_max", MAX_GROUP, &config->lanes.group_max);
    case LANE_QUEUE:
        return read_number(p, value, "the option lane_queue", MAX_QUEUE, &config->lanes.queue_max);
    case LANE_WAIT_MS:
        return read_number(p, value, "the option lane_wait_ms", MAX_TIMEOUT_MS,
                           &config->lanes.lane_wait_ms);
    case GUARD:
        if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
            return corm__fail(p->error, CORM_BAD_URL, "the option guard must be on or off");
        config->guard = strcmp(text, "on") == 0 ? CORM__GUARD_ON : CORM__GUARD_OFF;
        return 0;
    case LAG_MS:
        if (read_number(p, value, "the option lag_ms", MAX_LAG_MS, &config->lag_ms) < 0)
            return p->error->code;
        return config->lag_ms >= MIN_LAG_MS
                   ? 0
                   : corm__fail(p->error, CORM_BAD_URL,
                                "the option lag_ms must be %d at least: so often readers are "
                                "looked at, twice",
                                MIN_LAG_MS);
    case STATS:
        if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
            return corm__fail(p->error, CORM_BAD_URL, "the option stats must be on or off");
        config->stats = strcmp(text, "on") == 0;
        return 0;
    default:
        if (value.size > MAX_SOCKET)
            return corm__fail(p->error, CORM_BAD_URL,
                              "the path of the option socket must be %d bytes at most", MAX_SOCKET);
        e->socket = text;
        return 0;
    }
}

static int parse_option(struct parse *p, struct slice text, unsigned number)
{
    struct slice value = text;
    struct slice name = cut(&value, "=");
    const char  *decoded;
    int          i = 0;

    if (text.size == 0)
        return corm__fail(p->error, CORM_BAD_URL, "option number %u is empty", number);
    while (i < OPTION_COUNT && (name.size != strlen(options[i].name) ||
                                memcmp(name.at, options[i].name, name.size) != 0))
        i++;
    if (i == OPTION_COUNT && value.size == 0) /* more likely the rest of a value */
        return corm__fail(p->error, CORM_BAD_URL,
                          "option number %u is no NAME=VALUE; an & itself is written %%26", number);
    if (i == OPTION_COUNT)
        return unknown_option(p, name, number);
    if (!is_allowed(p, i))
        return corm__fail(p->error, CORM_BAD_URL, "the option %s is for servers, not for SQLite",
                          options[i].name);
    if (p->given[i])
        return corm__fail(p->error, CORM_BAD_URL, "the option %s is given twice", options[i].name);
    p->given[i] = true;
    if (value.size < 2)
        return corm__fail(p->error, CORM_BAD_URL, "the option %s has no value", options[i].name);
    int rc = decode(p, behind(value, 1), options[i].name, &decoded);
    return rc < 0 ? rc : set_option(p, (enum option)i, decoded);
}

/* `text` is empty or begins with the ?; a ? alone is what "$url?$options" gives without options. */
static int parse_options(struct parse *p, struct slice text)
{
    int rc = 0;

    if (text.size == 1)
        return 0;
    for (unsigned number = 1; text.size > 0 && rc == 0; number++) {
        text = behind(text, 1);
        struct slice option = cut(&text, "&");
        rc = parse_option(p, option, number);
    }
    return rc;
}

/* ---- What is left out, and what does not go together ----------------------- */

static int settle_lanes(const struct parse *p)
{
    struct corm__config       *config = p->config;
    struct corm__lane_options *lanes = &config->lanes;
    bool                       file = config->endpoint.driver == &corm__sqlite;

    if (file && lanes->lanes > 1)
        return corm__fail(
            p->error, CORM_BAD_URL,
            "lanes must be 1 or be left out: SQLite writes one transaction at a time");
    if (lanes->lanes == 0)
        lanes->lanes = file || config->pool < DEFAULT_LANES ? 1 : DEFAULT_LANES;
    if (lanes->lanes > config->pool)
        return corm__fail(p->error, CORM_BAD_URL,
                          "lanes must not be more than the %u connections of the pool",
                          config->pool);
    if (lanes->group_max == 0)
        lanes->group_max = DEFAULT_GROUP;
    if (lanes->queue_max == 0)
        lanes->queue_max = DEFAULT_QUEUE;
    if (lanes->lane_wait_ms == 0)
        lanes->lane_wait_ms = DEFAULT_LANE_WAIT_MS;
    return 0;
}

/* `pool` is how the number of connections is called where the config comes from. */
static int settle_pool(const struct parse *p, const char *pool)
{
    struct corm__config *config = p->config;
    bool                 file = config->endpoint.driver == &corm__sqlite && !config->memory;

    if (config->memory && config->pool > 1)
        return corm__fail(p->error, CORM_BAD_URL,
                          "%s must be 1 or be left out: a database in memory has one connection",
                          pool);
    if (file && config->pool == 1)
        return corm__fail(p->error, CORM_BAD_URL,
                          "%s must be 2 at least for a file of SQLite: one connection writes, the "
                          "others read",
                          pool);
    if (config->pool == 0)
        config->pool = config->memory ? 1 : DEFAULT_POOL;
    if (config->timeout_ms == 0)
        config->timeout_ms = DEFAULT_TIMEOUT_MS;
    if (config->resolve_ms == 0)
        config->resolve_ms = DEFAULT_RESOLVE_MS;
    if (config->lag_ms == 0)
        config->lag_ms = DEFAULT_LAG_MS;
    config->endpoint.timeout_ms = config->timeout_ms;
    return settle_lanes(p);
}

static int settle_socket(const struct parse *p)
{
    const struct place *place = &p->places[0];

    if (p->place_count > 1)
        return corm__fail(p->error, CORM_BAD_URL,
                          "the option socket is for one node, the URL names several");
    if (place->port != 0)
        return corm__fail(p->error, CORM_BAD_URL,
                          "the option socket stands for host and port, leave the port out");
    if (place->host != NULL && !is(slice_of(place->host), "localhost") &&
        strcmp(place->host, "127.0.0.1") != 0)
        return corm__fail(p->error, CORM_BAD_URL,
                          "the option socket is for this machine, leave the host out or make it "
                          "localhost");
    return 0;
}

static bool is_same_place(const struct corm__endpoint *a, const struct corm__endpoint *b)
{
    size_t i = 0;

    while (a->host[i] != '\0' && lower(a->host[i]) == lower(b->host[i]))
        i++;
    return a->port == b->port && a->host[i] == b->host[i];
}

/* Room for `count` nodes, each with what is the same for all. */
static int make_nodes(const struct parse *p, uint32_t count)
{
    struct corm__config *config = p->config;

    config->nodes = corm_arena_alloc(p->arena, count * sizeof(*config->nodes));
    if (config->nodes == NULL)
        return corm__fail_memory(p->error, "the nodes of a database");
    config->node_count = count;
    for (uint32_t i = 0; i < count; i++)
        config->nodes[i] = (struct corm__config_node){.endpoint = config->endpoint};
    return 0;
}

/* Makes a node of each place. */
static int settle_places(const struct parse *p)
{
    struct corm__config *config = p->config;
    uint32_t             writers = 0;

    if (make_nodes(p, p->place_count) < 0)
        return p->error->code;
    for (uint32_t i = 0; i < p->place_count; i++) {
        struct corm__config_node *node = &config->nodes[i];
        node->endpoint.host = config->endpoint.socket != NULL ? NULL : p->places[i].host;
        node->endpoint.port = p->places[i].port;
        if (config->endpoint.socket == NULL && p->places[i].port == 0)
            node->endpoint.port = DEFAULT_PORT;
        node->reader = p->places[i].reader;
        writers += !node->reader;
        if (config->endpoint.socket == NULL && node->endpoint.host == NULL)
            return corm__fail(p->error, CORM_BAD_URL, "the URL has no host before the database");
        for (uint32_t k = 0; k < i; k++)
            if (is_same_place(&node->endpoint, &config->nodes[k].endpoint))
                return corm__fail(p->error, CORM_BAD_URL, "nodes %u and %u are the same one", k + 1,
                                  i + 1);
    }
    config->endpoint = config->nodes[0].endpoint;
    if (writers == 0)
        return corm__fail(p->error, CORM_BAD_URL, "there are readers only, one node must write");
    return 0;
}

static int settle_server(const struct parse *p)
{
    struct corm__endpoint *e = &p->config->endpoint;

    if (e->socket != NULL && settle_socket(p) < 0)
        return p->error->code;
    if (e->tls_ca != NULL && e->tls == CORM__TLS_OFF)
        return corm__fail(p->error, CORM_BAD_URL,
                          "the option tls_ca is to verify the server, which tls=off does not");
    if (e->tls_ca != NULL) /* on loopback, too: who names certificates wants them used */
        e->tls = CORM__TLS_VERIFY;
    int rc = settle_pool(p, "the option pool");
    return rc < 0 ? rc : settle_places(p);
}

static int settle_file(const struct parse *p, const char *what)
{
    const char *file = p->config->endpoint.database;

    if (file == NULL)
        return corm__fail(p->error, CORM_BAD_URL, "%s names no file", what);
    p->config->memory = strcmp(file, ":memory:") == 0;
    if (p->config->memory)
        return 0;
    /* SQLite may give a meaning to both, now or later. */
    if (file[0] == ':' || begins(slice_of(file), "file:"))
        return corm__fail(p->error, CORM_BAD_URL,
                          "a file of SQLite must not begin with : or file: (in %s), write it with "
                          "./ before it; a database in memory is :memory:",
                          what);
    if (strcmp(file, "/:memory:") == 0)
        return corm__fail(p->error, CORM_BAD_URL,
                          "a database in memory is named :memory:, without / before it (in %s)",
                          what);
    return 0;
}

/* ---- URLs ------------------------------------------------------------------ */

static int parse_database(const struct parse *p, struct slice *rest)
{
    struct slice path = cut(rest, "?");

    if (path.size < 2)
        return corm__fail(p->error, CORM_BAD_URL, "the URL has no database name behind the host");
    path = behind(path, 1);
    if (has(path, '/'))
        return corm__fail(p->error, CORM_BAD_URL,
                          "the database name behind the host holds a /, which is written %%2F");
    return decode(p, path, "the database name", &p->config->endpoint.database);
}

static int parse_server(struct parse *p, struct slice rest)
{
    p->config->endpoint.driver = &corm__mariadb;
    if (!skip(&rest, "//"))
        return corm__fail(p->error, CORM_BAD_URL, "the URL has no // behind its first colon");
    struct slice authority = cut(&rest, "/?");
    if (has(rest, '@'))
        return corm__fail(p->error, CORM_BAD_URL,
                          "the URL has an @ behind a / or ?: in user and password / is written "
                          "%%2F and ? %%3F, behind the host @ is written %%40");
    int rc = parse_authority(p, authority);
    if (rc == 0)
        rc = parse_database(p, &rest);
    if (rc == 0)
        rc = parse_options(p, rest);
    return rc < 0 ? rc : settle_server(p);
}

static int parse_file(struct parse *p, struct slice rest)
{
    p->config->endpoint.driver = &corm__sqlite;
    if (begins(rest, "//") && !begins(rest, "///"))
        return corm__fail(p->error, CORM_BAD_URL,
                          "no host follows sqlite:, write sqlite:FILE or sqlite:///FOLDER/FILE");
    if (begins(rest, "///"))
        rest = behind(rest, 2);
    struct slice file = cut(&rest, "?");
    int          rc = decode(p, file, "the file name", &p->config->endpoint.database);
    if (rc == 0)
        rc = settle_file(p, "the URL");
    if (rc == 0)
        rc = parse_options(p, rest);
    if (rc == 0)
        rc = settle_pool(p, "the option pool");
    return rc < 0 ? rc : make_nodes(p, 1);
}

static int parse_url(struct parse *p, const char *url)
{
    struct slice rest = {url, strnlen(url, MAX_TEXT + 1)};

    if (rest.size > MAX_TEXT)
        return corm__fail(p->error, CORM_BAD_URL, "the URL is longer than %d bytes", MAX_TEXT);
    for (size_t i = 0; i < rest.size; i++)
        if ((unsigned char)url[i] < ' ' || url[i] == '\x7F')
            return corm__fail(p->error, CORM_BAD_URL,
                              "byte %zu of the URL is a control character, perhaps a line break",
                              i + 1);
    if (skip(&rest, "mariadb:") || skip(&rest, "mysql:"))
        return parse_server(p, rest);
    if (skip(&rest, "sqlite:"))
        return parse_file(p, rest);
    return corm__fail(p->error, CORM_BAD_URL,
                      "the URL begins with none of mariadb://, mysql:// and sqlite:");
}

int corm__parse_url(struct corm_arena *arena, const char *url, struct corm__config *config,
                    struct corm_error *error)
{
    struct parse p = {.arena = arena, .config = config, .error = error};

    *config = (struct corm__config){0};
    int rc = parse_url(&p, url);
    if (rc < 0)
        *config = (struct corm__config){0};
    return rc;
}

/* ---- The environment ------------------------------------------------------- */

static const char *variable(corm__getenv_function *get, const char *name)
{
    const char *value = get(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* A copy of a variable, or of `fallback` where it is unset; that may be NULL. */
static int read_text(const struct parse *p, corm__getenv_function *get, const char *name,
                     const char *fallback, const char **text)
{
    const char *value = variable(get, name);

    *text = value != NULL ? value : fallback;
    if (*text == NULL)
        return 0;
    size_t size = strnlen(*text, MAX_TEXT + 1);
    if (size > MAX_TEXT)
        return corm__fail(p->error, CORM_BAD_URL, "%s is longer than %d bytes", name, MAX_TEXT);
    *text = corm__arena_copy(p->arena, *text, size);
    return *text != NULL ? 0 : corm__fail_memory(p->error, "the variables DB_*");
}

static int check_host(const struct parse *p, const char *host)
{
    if (is_host_name(host) || is_ipv6(host))
        return 0;
    return corm__fail(p->error, CORM_BAD_URL,
                      "DB_HOST is no name and no address; the port stands in DB_PORT, and a "
                      "Unix socket can be given in DATABASE_URL");
}

/* DB_HOST: one, or with DB_CLUSTER a list, in which a role may stand in front of each. */
static int read_hosts(struct parse *p, corm__getenv_function *get, bool cluster)
{
    const char *text = NULL;
    int         rc = read_text(p, get, "DB_HOST", "127.0.0.1", &text);
    bool        more = rc == 0;

    for (struct slice rest = slice_of(rc == 0 ? text : ""); more && rc == 0;) {
        struct slice host = rest;
        if (cluster)
            host = cut(&rest, ",");
        more = cluster && rest.size > 0;
        rest = behind(rest, more);
        struct place place = {.host = NULL};
        size_t       word = up_to_last(host, "@");
        int          role = word > 0 ? role_of((struct slice){host.at, word - 1}) : -1;
        if (!cluster && (has(host, ',') || role >= 0))
            return corm__fail(p->error, CORM_BAD_URL,
                              "DB_HOST names several nodes or a role, set DB_CLUSTER=true, too");
        if (role >= 0) {
            place.reader = roles[role].reader;
            host = behind(host, word);
        }
        if (p->place_count == CORM__NODES_MAX)
            return too_many_nodes(p, "DB_HOST");
        place.host = corm__arena_copy(p->arena, host.at, host.size);
        if (place.host == NULL)
            return corm__fail_memory(p->error, "the variables DB_*");
        rc = check_host(p, place.host);
        p->places[p->place_count++] = place;
    }
    return rc;
}

/* The part of a variable that is for node `i`: the whole, or of a list with a part for each node that one. */
static int part_of(const struct parse *p, const char *name, const char *text, uint32_t i,
                   struct slice *part)
{
    struct slice rest = slice_of(text);
    uint32_t     commas = 0;

    for (size_t at = 0; at < rest.size; at++)
        commas += rest.at[at] == ',';
    *part = rest;
    if (p->place_count == 1 || commas == 0)
        return 0;
    if (commas + 1 != p->place_count)
        return corm__fail(p->error, CORM_BAD_URL,
                          "%s is a list of another length than DB_HOST: one for all nodes, or one "
                          "for each; what holds a comma itself can be given in DATABASE_URL",
                          name);
    for (*part = cut(&rest, ","); i > 0; i--) {
        rest = behind(rest, 1);
        *part = cut(&rest, ",");
    }
    return 0;
}

static int read_ports(struct parse *p, corm__getenv_function *get)
{
    const char *text = variable(get, "DB_PORT");

    for (uint32_t i = 0; i < p->place_count; i++) {
        struct slice part;
        uint32_t     port = DEFAULT_PORT;
        if (text != NULL && (part_of(p, "DB_PORT", text, i, &part) < 0 ||
                             read_number(p, part, "DB_PORT", MAX_PORT, &port) < 0))
            return p->error->code;
        p->places[i].port = (uint16_t)port;
    }
    return 0;
}

/* The users or passwords of the nodes, which are made already. */
static int read_logins(const struct parse *p, corm__getenv_function *get, bool password)
{
    const char *name = password ? "DB_PASSWORD" : "DB_USERNAME";
    const char *text = NULL;
    int         rc = read_text(p, get, name, NULL, &text);

    for (uint32_t i = 0; rc == 0 && text != NULL && i < p->config->node_count; i++) {
        struct corm__endpoint *e = &p->config->nodes[i].endpoint;
        struct slice           part;
        rc = part_of(p, name, text, i, &part);
        if (rc < 0 || part.size == 0)
            continue;
        const char *own = corm__arena_copy(p->arena, part.at, part.size);
        if (own == NULL)
            return corm__fail_memory(p->error, "the variables DB_*");
        if (password)
            e->password = own;
        else
            e->user = own;
    }
    p->config->endpoint = p->config->nodes[0].endpoint;
    return rc;
}

static int read_server(struct parse *p, corm__getenv_function *get, bool cluster)
{
    int rc = read_hosts(p, get, cluster);

    if (rc == 0)
        rc = read_ports(p, get);
    if (rc == 0 && p->config->endpoint.database == NULL)
        rc = corm__fail(p->error, CORM_BAD_URL, "DB_DATABASE does not name the database");
    return rc;
}

static int settle_variables(const struct parse *p, corm__getenv_function *get)
{
    int rc = settle_pool(p, "DB_CONNECTION_LIMIT");

    if (rc < 0 || p->config->endpoint.driver == &corm__sqlite)
        return rc < 0 ? rc : make_nodes(p, 1);
    rc = settle_places(p);
    if (rc == 0)
        rc = read_logins(p, get, false);
    if (rc == 0)
        rc = read_logins(p, get, true);
    return rc;
}

static int choose_driver(const struct parse *p, corm__getenv_function *get)
{
    const char  *text = variable(get, "DB_DRIVER");
    struct slice name = slice_of(text != NULL ? text : "mariadb");

    if (text == NULL && variable(get, "DB_HOST") == NULL && variable(get, "DB_DATABASE") == NULL)
        return corm__fail(p->error, CORM_BAD_URL,
                          "no URL was given and the environment names no database: set "
                          "DATABASE_URL, or DB_DATABASE and, where they are not the usual ones, "
                          "DB_DRIVER, DB_HOST, DB_PORT, DB_USERNAME and DB_PASSWORD");
    if (is(name, "mariadb") || is(name, "mysql"))
        p->config->endpoint.driver = &corm__mariadb;
    else if (is(name, "sqlite"))
        p->config->endpoint.driver = &corm__sqlite;
    else
        return corm__fail(p->error, CORM_BAD_URL, "DB_DRIVER must be mariadb, mysql or sqlite");
    return 0;
}

static int read_cluster(const struct parse *p, corm__getenv_function *get, bool *cluster)
{
    const char  *text = variable(get, "DB_CLUSTER");
    struct slice value = slice_of(text != NULL ? text : "false");

    *cluster = is(value, "true") || is(value, "1");
    if (*cluster || is(value, "false") || is(value, "0"))
        return 0;
    return corm__fail(p->error, CORM_BAD_URL,
                      "DB_CLUSTER must be true or false; the nodes stand in DB_HOST");
}

static int read_variables(struct parse *p, corm__getenv_function *get)
{
    struct corm__config *config = p->config;
    const char          *limit = variable(get, "DB_CONNECTION_LIMIT");
    bool                 cluster = false;
    int                  rc = read_cluster(p, get, &cluster);

    if (rc == 0)
        rc = choose_driver(p, get);
    if (rc == 0)
        rc = read_text(p, get, "DB_DATABASE", NULL, &config->endpoint.database);
    if (rc == 0 && cluster && config->endpoint.driver == &corm__sqlite)
        rc = corm__fail(p->error, CORM_BAD_URL, "DB_CLUSTER is for servers, not for SQLite");
    if (rc == 0)
        rc = config->endpoint.driver == &corm__sqlite ? settle_file(p, "DB_DATABASE")
                                                      : read_server(p, get, cluster);
    if (rc == 0 && limit != NULL)
        rc = read_number(p, slice_of(limit), "DB_CONNECTION_LIMIT", MAX_POOL, &config->pool);
    return rc < 0 ? rc : settle_variables(p, get);
}

int corm__config_from(struct corm_arena *arena, corm__getenv_function *get,
                      struct corm__config *config, struct corm_error *error)
{
    struct parse p = {.arena = arena, .config = config, .error = error};
    const char  *url = variable(get, "DATABASE_URL");
    int          rc;

    if (url != NULL) {
        rc = corm__parse_url(arena, url, config, error);
        if (rc < 0)
            corm__error_prefix(error, "DATABASE_URL");
        return rc;
    }
    *config = (struct corm__config){0};
    rc = read_variables(&p, get);
    if (rc < 0)
        *config = (struct corm__config){0};
    return rc;
}

int corm__config_from_environment(struct corm_arena *arena, struct corm__config *config,
                                  struct corm_error *error)
{
    return corm__config_from(arena, getenv, config, error);
}
