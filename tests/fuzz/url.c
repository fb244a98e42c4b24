/* tests/fuzz/url.c -- any bytes as a URL, or as the variables of the environment.
 *
 * What is taken is well formed, does not point into the input, and gives the same config when it is
 * written as a URL again. What is refused has a code of its own, leaves nothing in the config, and its
 * message does not depend on the bytes that may be a password: everything but the scheme and the
 * names of options. */
#include "fuzz.h"

#include "route/url.h"

#include <corm/corm.h>

const char *const fuzz_tokens[] = {"mariadb://",
                                   "mysql://",
                                   "sqlite:",
                                   "sqlite:///",
                                   "sqlite::memory:",
                                   "user:password@",
                                   "@",
                                   ":3306",
                                   "[::1]",
                                   "[fe80::1%25eth0]",
                                   "localhost",
                                   "/shop",
                                   "?",
                                   "&",
                                   "pool=",
                                   "timeout_ms=",
                                   "max_age_s=",
                                   "tls=verify",
                                   "tls=off",
                                   "tls_ca=",
                                   "socket=",
                                   "%2F",
                                   "%00",
                                   "%4",
                                   "%",
                                   "writer@",
                                   "reader@",
                                   ",h2",
                                   ":memory:",
                                   "file:",
                                   "1000",
                                   "4294967296",
                                   "true",
                                   "18446744073709551617",
                                   NULL};

enum { TEXT_MAX = 8192 };

/* ---- Whether two configs are the same ---------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same(const struct corm__config *a, const struct corm__config *b)
{
    const struct corm__endpoint *x = &a->endpoint, *y = &b->endpoint;

    return x->driver == y->driver && same_text(x->host, y->host) && x->port == y->port &&
           same_text(x->socket, y->socket) && same_text(x->user, y->user) &&
           same_text(x->password, y->password) && same_text(x->database, y->database) &&
           x->tls == y->tls && same_text(x->tls_ca, y->tls_ca) && x->timeout_ms == y->timeout_ms &&
           x->max_age_s == y->max_age_s && a->pool == b->pool && a->timeout_ms == b->timeout_ms &&
           a->memory == b->memory;
}

/* ---- A config as a URL --------------------------------------------------------- */

static void add(char *url, const char *text)
{
    CHECK(strlen(url) + strlen(text) < TEXT_MAX * 4, "the URL has no room");
    memcpy(url + strlen(url), text, strlen(text) + 1);
}

static void add_encoded(char *url, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        char code[8];
        (void)snprintf(code, sizeof(code), "%%%02X", (unsigned char)*text);
        add(url, code);
    }
}

static void add_option(char *url, const char *name, const char *value)
{
    add(url, strchr(url, '?') == NULL ? "?" : "&");
    add(url, name);
    add_encoded(url, value);
}

static void add_number(char *url, const char *name, uint32_t number)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", (unsigned)number);
    if (number != 0)
        add_option(url, name, text);
}

static void write_url(const struct corm__config *c, char *url)
{
    const struct corm__endpoint *e = &c->endpoint;
    char                         port[16];

    url[0] = '\0';
    if (e->driver == &corm__sqlite) {
        add(url, "sqlite:");
        add_encoded(url, e->database);
    } else {
        add(url, "mariadb://");
        add_encoded(url, e->user);
        add(url, e->password != NULL ? ":" : "");
        add_encoded(url, e->password);
        add(url, e->user != NULL || e->password != NULL ? "@" : "");
        if (e->socket == NULL) {
            bool ipv6 = strchr(e->host, ':') != NULL;
            add(url, ipv6 ? "[" : "");
            add_encoded(url, e->host);
            (void)snprintf(port, sizeof(port), "%s:%u", ipv6 ? "]" : "", (unsigned)e->port);
            add(url, port);
        }
        add(url, "/");
        add_encoded(url, e->database);
        add_number(url, "max_age_s=", e->max_age_s);
        if (e->tls != CORM__TLS_DEFAULT)
            add_option(url, "tls=", e->tls == CORM__TLS_OFF ? "off" : "verify");
        if (e->tls_ca != NULL)
            add_option(url, "tls_ca=", e->tls_ca);
        if (e->socket != NULL)
            add_option(url, "socket=", e->socket);
    }
    add_number(url, "pool=", c->pool);
    add_number(url, "timeout_ms=", c->timeout_ms);
}

/* ---- What is taken, and what is refused ------------------------------------------ */

static void check_taken(struct corm_arena *arena, const struct corm__config *c)
{
    static char                  url[TEXT_MAX * 4];
    const struct corm__endpoint *e = &c->endpoint;
    struct corm__config          again;
    struct corm_error            error = {0};
    bool                         sqlite = e->driver == &corm__sqlite;

    CHECK(sqlite || e->driver == &corm__mariadb, "another driver");
    CHECK(e->database != NULL && e->database[0] != '\0', "no database");
    CHECK(c->pool >= 1 && c->pool <= 1000, "pool %u", (unsigned)c->pool);
    CHECK(c->timeout_ms >= 1 && c->timeout_ms == e->timeout_ms, "timeout %u",
          (unsigned)c->timeout_ms);
    CHECK(c->memory == (sqlite && strcmp(e->database, ":memory:") == 0), "%s", e->database);
    CHECK(!sqlite || (c->memory ? c->pool == 1 : c->pool >= 2), "pool %u", (unsigned)c->pool);
    CHECK(sqlite || (e->host == NULL) == (e->socket != NULL), "host and socket");
    CHECK(sqlite || (e->port != 0) == (e->host != NULL), "port %u", (unsigned)e->port);
    CHECK(e->tls_ca == NULL || e->tls == CORM__TLS_VERIFY, "certificates that are not used");
    write_url(c, url);
    if (strlen(url) > 4096) /* where the %XX make it too long */
        return;
    CHECK(corm__parse_url(arena, url, &again, &error) == 0, "%s: %s", url, error.message);
    CHECK(is_same(c, &again), "%s", url);
}

static void check_refused(int rc, const struct corm__config *c, const struct corm_error *error)
{
    static const struct corm__config nothing;

    CHECK(rc == CORM_BAD_URL || rc == CORM_UNSUPPORTED, "%d", rc);
    CHECK(error->code == rc && error->message[0] != '\0', "%d: %s", (int)error->code,
          error->message);
    CHECK(is_same(c, &nothing), "something is left");
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters and digits of what may be secret become `letter`, which is no hex digit. */
static void hide(char *url, char letter)
{
    char *p = strchr(url, ':'), *options = strchr(url, '?');
    bool  of_value = true;

    if (p == NULL)
        return;
    for (; *p != '\0'; p++) {
        if (options != NULL && p >= options)
            of_value = *p == '=' || (of_value && *p != '&' && *p != '?');
        if (of_value && is_alnum(*p))
            *p = letter;
    }
}

static void check_message_hides(struct corm_arena *arena, const char *url)
{
    static char         one[TEXT_MAX], other[TEXT_MAX];
    struct corm__config config;
    struct corm_error   first = {0}, second = {0};

    (void)snprintf(one, sizeof(one), "%s", url);
    (void)snprintf(other, sizeof(other), "%s", url);
    hide(one, 'q');
    hide(other, 'Z');
    int rc = corm__parse_url(arena, one, &config, &first);
    CHECK(corm__parse_url(arena, other, &config, &second) == rc, "%s", one);
    CHECK(strcmp(first.message, second.message) == 0, "%s: %s", one, first.message);
}

static void check_url(struct corm_arena *arena, const uint8_t *data, size_t size)
{
    static char         url[TEXT_MAX];
    struct corm__config config, again;
    struct corm_error   error = {0};

    size = size < sizeof(url) ? size : sizeof(url) - 1;
    memcpy(url, data, size);
    url[size] = '\0';
    int rc = corm__parse_url(arena, url, &config, &error);
    if (rc == 0) {
        error = (struct corm_error){0};
        CHECK(corm__parse_url(arena, url, &again, &error) == 0, "%s", error.message);
        check_message_hides(arena, url);
        memset(url, 'x', size);
        CHECK(is_same(&config, &again), "a config that points into its URL");
        check_taken(arena, &config);
    } else {
        check_refused(rc, &config, &error);
        check_message_hides(arena, url);
    }
}

/* ---- The environment ------------------------------------------------------------- */

static const char *const names[] = {"DATABASE_URL", "DB_DRIVER",   "DB_HOST",
                                    "DB_PORT",      "DB_USERNAME", "DB_PASSWORD",
                                    "DB_DATABASE",  "DB_CLUSTER",  "DB_CONNECTION_LIMIT"};
enum { NAMES = sizeof(names) / sizeof(names[0]) };
static char *values[NAMES];

static char *get(const char *name)
{
    for (size_t i = 0; i < NAMES; i++)
        if (strcmp(names[i], name) == 0)
            return values[i];
    return NULL;
}

/* The values stand one behind the other, each ended by a NUL; a 0x01 alone: unset. */
static void check_environment(struct corm_arena *arena, const uint8_t *data, size_t size)
{
    static char         text[TEXT_MAX];
    char               *p = text;
    struct corm__config config;
    struct corm_error   error = {0};

    size = size < sizeof(text) ? size : sizeof(text) - 1;
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < NAMES; i++) {
        values[i] = p < text + size && strcmp(p, "\x01") != 0 ? p : NULL;
        p = p < text + size ? p + strlen(p) + 1 : p;
    }
    int rc = corm__config_from(arena, get, &config, &error);
    if (rc < 0) {
        char             *password = get("DB_PASSWORD");
        struct corm_error other = {0};
        check_refused(rc, &config, &error);
        for (char *c = password; c != NULL && *c != '\0'; c++)
            *c = *c == ',' ? ',' : 'q'; /* of several nodes it is a list */
        CHECK(corm__config_from(arena, get, &config, &other) == rc &&
                  strcmp(error.message, other.message) == 0,
              "%s\n    %s", error.message, other.message);
        return;
    }
    /* Taken as they are: a URL that is made of them may be refused for a control character. */
    CHECK(config.endpoint.database != NULL && config.pool >= 1 && config.pool <= 1000, "%s",
          error.message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct corm_arena *arena = corm_arena_new();

    CHECK(arena != NULL, "no memory");
    if (size > 0 && data[0] == 0)
        check_environment(arena, data + 1, size - 1);
    else
        check_url(arena, data, size);
    corm_arena_free(arena);
    return 0;
}
