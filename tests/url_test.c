/* url_test.c -- URLs and the environment as configs: what is taken, what is refused and why.
 *
 * USER and PASSWORD stand in every text that is refused, and no four bytes of them may be in a
 * message. No driver is called, and no server is needed. */
#include "route/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define USER      "Quokka7Usr"
#define PASSWORD  "Wombat9Key"
#define LOGIN     USER ":" PASSWORD "@"
#define SERVER    "mariadb://" LOGIN "h/d"
#define TEN(text) text text text text text text text text text text

struct expected {
    const char    *url;
    const char    *host;
    uint16_t       port; /* 0: 3306, where there is a host */
    const char    *user, *password, *database;
    const char    *socket, *tls_ca;
    enum corm__tls tls;
    uint32_t       pool, timeout_ms, max_age_s; /* 0: the default */
    bool           file, memory;
};

struct refused {
    const char *url;
    const char *reason; /* a piece of the message */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Helpers --------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_text(const char *of, const char *name, const char *found, const char *expected)
{
    if (!same(found, expected))
        fail_msg("%s: %s is %s, not %s", of, name, found ? found : "NULL",
                 expected ? expected : "NULL");
}

static void check_number(const char *of, const char *name, unsigned found, unsigned expected)
{
    if (found != expected)
        fail_msg("%s: %s is %u, not %u", of, name, found, expected);
}

static void check_config(const struct corm__config *config, const struct expected *x)
{
    const struct corm__endpoint *e = &config->endpoint;

    if (e->driver != (x->file || x->memory ? &corm__sqlite : &corm__mariadb))
        fail_msg("%s: another driver was chosen", x->url);
    check_text(x->url, "host", e->host, x->host);
    check_text(x->url, "user", e->user, x->user);
    check_text(x->url, "password", e->password, x->password);
    check_text(x->url, "database", e->database, x->database);
    check_text(x->url, "socket", e->socket, x->socket);
    check_text(x->url, "tls_ca", e->tls_ca, x->tls_ca);
    check_number(x->url, "port", e->port, x->port != 0 || x->host == NULL ? x->port : 3306);
    check_number(x->url, "tls", e->tls, x->tls);
    check_number(x->url, "pool", config->pool, x->pool != 0 ? x->pool : x->memory ? 1 : 16);
    check_number(x->url, "timeout", config->timeout_ms, x->timeout_ms ? x->timeout_ms : 30000);
    check_number(x->url, "the endpoint's timeout", e->timeout_ms, config->timeout_ms);
    check_number(x->url, "the greatest age", e->max_age_s, x->max_age_s);
    check_number(x->url, "memory", config->memory, x->memory);
}

static void check_urls(const struct expected *urls, size_t count)
{
    struct corm_arena *arena = corm_arena_new();

    for (size_t i = 0; i < count; i++) {
        struct corm_error   error = {0};
        struct corm__config config;
        if (corm__parse_url(arena, urls[i].url, &config, &error) != 0)
            fail_msg("%s was refused: %s", urls[i].url, error.message);
        assert_int_equal(error.code, 0);
        check_config(&config, &urls[i]);
    }
    corm_arena_free(arena);
}

static bool shows_part_of(const char *message, const char *secret)
{
    char part[5] = "";

    for (size_t i = 0; i + 4 <= strlen(secret); i++) {
        memcpy(part, secret + i, 4);
        if (strstr(message, part) != NULL)
            return true;
    }
    return false;
}

static void check_refusal(const char *of, int rc, const struct corm_error *error,
                          const struct corm__config *config)
{
    static const struct corm__endpoint nothing;

    if (rc != CORM_BAD_URL && rc != CORM_UNSUPPORTED)
        fail_msg("%s: the result is %d", of, rc);
    if (error->code != rc || error->message[0] == '\0')
        fail_msg("%s: the error is %d \"%s\"", of, (int)error->code, error->message);
    if (shows_part_of(error->message, USER) || shows_part_of(error->message, PASSWORD))
        fail_msg("%s: the message shows a secret: %s", of, error->message);
    if (config->endpoint.driver != nothing.driver || config->endpoint.user != NULL ||
        config->endpoint.password != NULL || config->endpoint.database != NULL || config->pool != 0)
        fail_msg("%s: the config is not empty", of);
}

static void check_refused(const struct refused *urls, size_t count, int code)
{
    struct corm_arena *arena = corm_arena_new();

    for (size_t i = 0; i < count; i++) {
        struct corm_error   error = {0};
        struct corm__config config = {.pool = 7};
        int                 rc = corm__parse_url(arena, urls[i].url, &config, &error);
        check_refusal(urls[i].url, rc, &error, &config);
        if (rc != code)
            fail_msg("%s: the result is %d", urls[i].url, rc);
        if (strstr(error.message, urls[i].reason) == NULL)
            fail_msg("%s: the message does not say \"%s\": %s", urls[i].url, urls[i].reason,
                     error.message);
    }
    corm_arena_free(arena);
}

/* ---- What is taken --------------------------------------------------------- */

static void a_server_url_gives_its_parts(void **state)
{
    static const struct expected urls[] = {
        {"mariadb://anna:secret@db.example.com:3307/shop", "db.example.com", 3307, "anna", "secret",
         .database = "shop"},
        {"mysql://anna:secret@db/shop", "db", 0, "anna", "secret", .database = "shop"},
        {"MariaDB://anna@db/shop", "db", 0, "anna", NULL, .database = "shop"},
        {"MYSQL://db/shop", "db", 0, NULL, NULL, .database = "shop"},
        {"mariadb://db:1/shop?", "db", 1, NULL, NULL, .database = "shop"},
        {"mariadb://db:65535/shop", "db", 65535, NULL, NULL, .database = "shop"},
        {"mariadb://anna:@db/shop", "db", 0, "anna", NULL, .database = "shop"},
        {"mariadb://@db/shop", "db", 0, NULL, NULL, .database = "shop"},
        {"mariadb://:secret@db/shop", "db", 0, NULL, "secret", .database = "shop"},
        {"mariadb://127.0.0.1:3307/shop", "127.0.0.1", 3307, NULL, NULL, .database = "shop"},
        {"mariadb://anna:secret@[::1]:3307/shop", "::1", 3307, "anna", "secret",
         .database = "shop"},
        {"mariadb://[2001:db8::5]/shop", "2001:db8::5", 0, NULL, NULL, .database = "shop"},
        {"mariadb://[fe80::1%25eth0]/shop", "fe80::1%eth0", 0, NULL, NULL, .database = "shop"},
        {"mariadb://writer@db/shop", "db", 0, "writer", NULL, .database = "shop"},
        {"mariadb://reader:writer@db/shop", "db", 0, "reader", "writer", .database = "shop"},
    };

    (void)state;
    check_urls(urls, COUNT(urls));
}

static void a_password_may_hold_separators(void **state)
{
    static const struct expected urls[] = {
        {"mariadb://a:b:c@db/shop", "db", 0, "a", "b:c", .database = "shop"},
        {"mariadb://a:b@c@db/shop", "db", 0, "a", "b@c", .database = "shop"},
        {"mariadb://a:@@db/shop", "db", 0, "a", "@", .database = "shop"},
        {"mariadb://a:b%40c%3a%2F%3F%25%26@db/shop", "db", 0, "a", "b@c:/?%&", .database = "shop"},
        {"mariadb://a%3Ab:c#d+e&f=[]@db/shop", "db", 0, "a:b", "c#d+e&f=[]", .database = "shop"},
        {"mariadb://a:b,c@db/shop", "db", 0, "a", "b,c", .database = "shop"},
    };

    (void)state;
    check_urls(urls, COUNT(urls));
}

static void a_password_may_hold_every_byte_but_nul(void **state)
{
    char                url[1024] = "mariadb://anna:";
    size_t              size = strlen(url);
    struct corm_arena  *arena = corm_arena_new();
    struct corm_error   error = {0};
    struct corm__config config;

    (void)state;
    for (unsigned byte = 1; byte < 256; byte++)
        size +=
            (size_t)snprintf(url + size, sizeof(url) - size, byte % 2 ? "%%%02x" : "%%%02X", byte);
    (void)snprintf(url + size, sizeof(url) - size, "@db/shop");
    assert_int_equal(corm__parse_url(arena, url, &config, &error), 0);
    assert_int_equal(strlen(config.endpoint.password), 255);
    for (unsigned byte = 1; byte < 256; byte++)
        assert_int_equal((unsigned char)config.endpoint.password[byte - 1], byte);
    corm_arena_free(arena);
}

static void host_database_and_values_are_decoded(void **state)
{
    static const struct expected urls[] = {
        {"mariadb://d%62/sh%6fp", "db", 0, NULL, NULL, .database = "shop"},
        {"mariadb://db/my%2Fshop%3F%40", "db", 0, NULL, NULL, .database = "my/shop?@"},
        {"mariadb://db/caf%C3%A9", "db", 0, NULL, NULL, .database = "caf\xC3\xA9"},
        {"mariadb://db/shop?tls_ca=/my%20ca%26%40%25.pem", "db", .database = "shop",
         .tls = CORM__TLS_VERIFY, .tls_ca = "/my ca&@%.pem"},
        {"mariadb://db/shop?pool=%34", "db", .database = "shop", .pool = 4},
    };

    (void)state;
    check_urls(urls, COUNT(urls));
}

static void options_are_read(void **state)
{
    static const struct expected urls[] = {
        {"mariadb://db/shop?pool=1", "db", .database = "shop", .pool = 1},
        {"mariadb://db/shop?pool=1000&timeout_ms=1", "db", .database = "shop", .pool = 1000,
         .timeout_ms = 1},
        {"mariadb://db/shop?max_age_s=2592000", "db", .database = "shop", .max_age_s = 2592000},
        {"mysql://db/shop?pool=2&max_age_s=1", "db", .database = "shop", .pool = 2, .max_age_s = 1},
        {"mariadb://db/shop?timeout_ms=86400000&pool=0016", "db", .database = "shop", .pool = 16,
         .timeout_ms = 86400000},
        {"mariadb://db/shop?tls=verify", "db", .database = "shop", .tls = CORM__TLS_VERIFY},
        {"mariadb://db/shop?tls=off", "db", .database = "shop", .tls = CORM__TLS_OFF},
        {"mariadb://db/shop?tls=verify&tls_ca=/ca=1.pem", "db", .database = "shop",
         .tls = CORM__TLS_VERIFY, .tls_ca = "/ca=1.pem"},
    };

    (void)state;
    check_urls(urls, COUNT(urls));
}

static void certificates_that_are_named_are_used_on_loopback_too(void **state)
{
    static const struct expected urls[] = {
        {"mariadb://localhost/shop?tls_ca=ca.pem", "localhost", .database = "shop",
         .tls = CORM__TLS_VERIFY, .tls_ca = "ca.pem"},
        {"mariadb:///shop?tls_ca=ca.pem&socket=/s", .database = "shop", .socket = "/s",
         .tls = CORM__TLS_VERIFY, .tls_ca = "ca.pem"},
    };

    (void)state;
    check_urls(urls, COUNT(urls));
}

static void a_socket_takes_the_place_of_host_and_port(void **state)
{
    static const struct expected urls[] = {
        {"mariadb://anna:secret@localhost/shop?socket=/run/mysqld/mysqld.sock", .user = "anna",
         .password = "secret", .database = "shop", .socket = "/run/mysqld/mysqld.sock"},
        {"mariadb://anna@/shop?socket=/s", .user = "anna", .database = "shop", .socket = "/s"},
        {"mariadb:///shop?socket=/s", .database = "shop", .socket = "/s"},
        {"mariadb://127.0.0.1/shop?socket=%2Fs", .database = "shop", .socket = "/s"},
        {"mariadb:///d?socket=" TEN("1234567890") "1234567", .database = "d",
         .socket = TEN("1234567890") "1234567"},
    };

    (void)state;
    check_urls(urls, COUNT(urls));
}

static void a_sqlite_url_gives_its_file(void **state)
{
    static const struct expected urls[] = {
        {"sqlite:shop.db", .database = "shop.db", .file = true},
        {"SQLite:shop.db?", .database = "shop.db", .file = true},
        {"sqlite:./a/shop.db", .database = "./a/shop.db", .file = true},
        {"sqlite:/var/lib/shop.db", .database = "/var/lib/shop.db", .file = true},
        {"sqlite:///var/lib/shop.db", .database = "/var/lib/shop.db", .file = true},
        {"sqlite:my shop@home,2#1.db", .database = "my shop@home,2#1.db", .file = true},
        {"sqlite:what%3F%25%2e.db", .database = "what?%..db", .file = true},
        {"sqlite:shop.db?pool=2", .database = "shop.db", .file = true, .pool = 2},
        {"sqlite:shop.db?timeout_ms=50&pool=4", .database = "shop.db", .file = true, .pool = 4,
         .timeout_ms = 50},
        {"sqlite:./:memory:", .database = "./:memory:", .file = true},
    };

    (void)state;
    check_urls(urls, COUNT(urls));
}

static void a_database_in_memory_has_one_connection(void **state)
{
    static const struct expected urls[] = {
        {"sqlite::memory:", .database = ":memory:", .memory = true},
        {"sqlite:%3Amemory:", .database = ":memory:", .memory = true},
        {"sqlite::memory:?pool=1&timeout_ms=9", .database = ":memory:", .memory = true, .pool = 1,
         .timeout_ms = 9},
    };
    static const struct refused refused[] = {
        {"sqlite::memory:?pool=2", "the option pool must be 1 or be left out"},
        {"sqlite::memory:?pool=0", "from 1 to 1000"},
    };

    (void)state;
    check_urls(urls, COUNT(urls));
    check_refused(refused, COUNT(refused), CORM_BAD_URL);
}

static void texts_are_copies(void **state)
{
    struct corm_arena  *arena = corm_arena_new();
    struct corm_error   error = {0};
    struct corm__config config;
    char                url[] = "mariadb://anna:secret@db/shop?tls_ca=ca.pem";

    (void)state;
    assert_int_equal(corm__parse_url(arena, url, &config, &error), 0);
    memset(url, 'x', sizeof(url) - 1);
    assert_string_equal(config.endpoint.host, "db");
    assert_string_equal(config.endpoint.user, "anna");
    assert_string_equal(config.endpoint.password, "secret");
    assert_string_equal(config.endpoint.database, "shop");
    assert_string_equal(config.endpoint.tls_ca, "ca.pem");
    corm_arena_free(arena);
}

/* ---- What is refused ------------------------------------------------------- */

static void a_scheme_that_is_not_known_is_answered_with_those_that_are(void **state)
{
    static const struct refused urls[] = {
        {"", "none of mariadb://, mysql:// and sqlite:"},
        {"postgres://" LOGIN "h/d", "none of mariadb://, mysql:// and sqlite:"},
        {"maria://" LOGIN "h/d", "mysql://"},
        {"mariadbs://" LOGIN "h/d", "mysql://"},
        {" mariadb://" LOGIN "h/d", "mysql://"},
        {"mariadb", "mysql://"},
        {LOGIN "h/d", "mysql://"},
        {USER "://" PASSWORD "@h/d", "mysql://"},
        {"shop.db", "sqlite:"},
        {"mariadb:" LOGIN "h/d", "no // behind"},
        {"mysql:/" LOGIN "h/d", "no // behind"},
        {"mariadb:", "no // behind"},
    };

    (void)state;
    check_refused(urls, COUNT(urls), CORM_BAD_URL);
}

static void hosts_and_ports_that_are_none_are_refused(void **state)
{
    static const struct refused urls[] = {
        {"mariadb://" LOGIN "/d", "no host"},
        {"mariadb:///d", "no host"},
        {"mariadb://" LOGIN ":3306/d", "no host"},
        {"mariadb://" LOGIN "h:/d", "port behind the host must be a whole number from 1 to 65535"},
        {"mariadb://" LOGIN "h:0/d", "from 1 to 65535"},
        {"mariadb://" LOGIN "h:65536/d", "from 1 to 65535"},
        {"mariadb://" LOGIN "h:+1/d", "from 1 to 65535"},
        {"mariadb://" LOGIN "h:-1/d", "from 1 to 65535"},
        {"mariadb://" LOGIN "h: 1/d", "from 1 to 65535"},
        {"mariadb://" LOGIN "h:1 /d", "from 1 to 65535"},
        {"mariadb://" LOGIN "h:0x1/d", "from 1 to 65535"},
        {"mariadb://" LOGIN "h:18446744073709551617/d", "from 1 to 65535"},
        {"mariadb://" LOGIN "::1/d", "[::1]"},
        {"mariadb://" LOGIN "[::1/d", "no ]"},
        {"mariadb://" LOGIN "[]/d", "no address"},
        {"mariadb://" LOGIN "[h]/d", "no address"},
        {"mariadb://" LOGIN "[::1%25]/d", "no address"},
        {"mariadb://" LOGIN "[::12345]/d", "no address"},
        {"mariadb://" LOGIN "[::1]3306/d", "only :port may follow"},
        {"mariadb://" LOGIN "h h/d", "no name"},
        {"mariadb://" LOGIN "h%2Ch/d", "no name"},
        {"mariadb://" LOGIN "h%40h/d", "no name"},
        {"mariadb://" LOGIN TEN("abcdefghij1234567890abcdef") "/d", "no name"},
    };

    (void)state;
    check_refused(urls, COUNT(urls), CORM_BAD_URL);
}

static void a_server_url_without_a_database_is_refused(void **state)
{
    static const struct refused urls[] = {
        {"mariadb://" LOGIN "h", "no database name behind the host"},
        {"mariadb://" LOGIN "h/", "no database name behind the host"},
        {"mariadb://" LOGIN "h/?pool=4", "no database name behind the host"},
        {"mariadb://" LOGIN "h?pool=4", "no database name behind the host"},
        {"mariadb://" LOGIN "h/d/e", "%2F"},
        {"mariadb://" LOGIN "h//d", "%2F"},
    };

    (void)state;
    check_refused(urls, COUNT(urls), CORM_BAD_URL);
}

static void a_percent_that_stands_for_no_byte_is_refused(void **state)
{
    static const struct refused urls[] = {
        {"mariadb://" USER "%:" PASSWORD "@h/d", "a % in the user"},
        {"mariadb://" USER "%00:" PASSWORD "@h/d", "the user holds %00"},
        {"mariadb://" USER ":" PASSWORD "%@h/d", "a % in the password"},
        {"mariadb://" USER ":" PASSWORD "%4@h/d", "a % in the password"},
        {"mariadb://" USER ":" PASSWORD "%g0@h/d", "a % in the password"},
        {"mariadb://" USER ":%0g" PASSWORD "@h/d", "a % in the password"},
        {"mariadb://" USER ":%00" PASSWORD "@h/d", "the password holds %00"},
        {"mariadb://" LOGIN "h%/d", "a % in the host"},
        {"mariadb://" LOGIN "h%00/d", "the host holds %00"},
        {"mariadb://" LOGIN "h/d%1", "a % in the database name"},
        {"mariadb://" LOGIN "h/d%00", "the database name holds %00"},
        {SERVER "?tls_ca=100%", "a % in tls_ca"},
        {SERVER "?socket=%00", "socket holds %00"},
        {"sqlite:100%.db", "a % in the file name"},
        {"sqlite:a%00.db", "the file name holds %00"},
    };

    (void)state;
    check_refused(urls, COUNT(urls), CORM_BAD_URL);
}

static void numbers_out_of_range_are_refused_with_the_range(void **state)
{
    static const struct refused urls[] = {
        {SERVER "?pool=0", "pool must be a whole number from 1 to 1000"},
        {SERVER "?pool=1001", "from 1 to 1000"},
        {SERVER "?pool=4294967297", "from 1 to 1000"},
        {SERVER "?pool=18446744073709551617", "from 1 to 1000"},
        {SERVER "?pool=-1", "from 1 to 1000"},
        {SERVER "?pool=+1", "from 1 to 1000"},
        {SERVER "?pool=1.5", "from 1 to 1000"},
        {SERVER "?pool=%201", "from 1 to 1000"},
        {SERVER "?pool=many", "from 1 to 1000"},
        {SERVER "?timeout_ms=0", "timeout_ms must be a whole number from 1 to 86400000"},
        {SERVER "?timeout_ms=86400001", "from 1 to 86400000"},
        {SERVER "?timeout_ms=3s", "from 1 to 86400000"},
        {SERVER "?max_age_s=0", "max_age_s must be a whole number from 1 to 2592000"},
        {SERVER "?max_age_s=2592001", "from 1 to 2592000"},
        {"sqlite:a.db?max_age_s=5", "max_age_s"},
        {SERVER "?lag_ms=999", "lag_ms must be 1000 at least"},
        {SERVER "?lag_ms=86400001", "from 1 to 86400000"},
        {"sqlite:a.db?lag_ms=1000", "the option lag_ms is for servers"},
        {"sqlite:a.db?pool=1", "the option pool must be 2 at least"},
        {"sqlite:a.db?pool=1001", "from 1 to 1000"},
    };

    (void)state;
    check_refused(urls, COUNT(urls), CORM_BAD_URL);
}

static void an_unknown_option_is_named_with_those_that_exist(void **state)
{
    static const struct refused urls[] = {
        {SERVER "?charset=utf8",
         "option charset is unknown, there are pool, timeout_ms, resolve_ms, max_age_s, tls, "
         "tls_ca, socket, lanes, group_max, lane_queue, lane_wait_ms, guard, lag_ms, stats;"},
        {SERVER "?pool=4&poll=4", "option poll is unknown, did you mean pool? There are pool"},
        {SERVER "?timeout=4", "option timeout is unknown, there are"},
        {SERVER "?timeoutms=4", "did you mean timeout_ms?"},
        {SERVER "?timeuot_ms=4", "did you mean timeout_ms?"},
        {SERVER "?tls-ca=4", "option tls-ca is unknown, did you mean tls_ca?"},
        {SERVER "?tsl=off", "did you mean tls?"},
        {SERVER "?sockt=/s", "did you mean socket?"},
        {SERVER "?POOL=4", "option POOL is unknown, did you mean pool?"},
        {SERVER "?x=4", "option x is unknown, there are"},
        {"sqlite:a.db?pol=4",
         "did you mean pool? There are pool, timeout_ms, lanes, group_max, lane_queue, lane_wait_ms, stats;"},
        {"sqlite:a.db?tsl=off",
         "option tsl is unknown, there are pool, timeout_ms, lanes, group_max, lane_queue, lane_wait_ms, stats;"},
        {"sqlite:a.db?mode=ro",
         "option mode is unknown, there are pool, timeout_ms, lanes, group_max, lane_queue, lane_wait_ms, stats;"},
        {SERVER "?password=" PASSWORD, "option password is unknown"},
        {SERVER "?=4", "option number 1 is unknown"},
        {SERVER "?" TEN("abcd") "=4", "option number 1 is unknown"},
        {SERVER "?pool=4&" PASSWORD "%41=1", "option number 2 is unknown"},
    };

    (void)state;
    check_refused(urls, COUNT(urls), CORM_BAD_URL);
}

static void options_that_are_no_pairs_or_come_twice_are_refused(void **state)
{
    static const struct refused urls[] = {
        {SERVER "?pool", "option pool has no value"},
        {SERVER "?pool=", "option pool has no value"},
        {SERVER "?tls_ca=&pool=4", "option tls_ca has no value"},
        {SERVER "?pool=4&", "option number 2 is empty"},
        {SERVER "?&pool=4", "option number 1 is empty"},
        {SERVER "?pool=4&&tls=off", "option number 2 is empty"},
        {SERVER "?tls_ca=a&" PASSWORD, "option number 2 is no NAME=VALUE"},
        {SERVER "?pool=4&pool=4", "option pool is given twice"},
        {SERVER "?tls=off&pool=4&tls=verify", "option tls is given twice"},
        {SERVER "?pool=4?tls=off", "from 1 to 1000"},
        {"sqlite:a.db?pool=4&pool=5", "option pool is given twice"},
    };

    (void)state;
    check_refused(urls, COUNT(urls), CORM_BAD_URL);
}

static void options_that_contradict_each_other_are_refused(void **state)
{
    static const struct refused urls[] = {
        {SERVER "?tls=on", "tls must be verify or off"},
        {SERVER "?tls=Off", "tls must be verify or off"},
        {SERVER "?tls=off&tls_ca=a.pem", "tls=off does not"},
        {SERVER "?tls_ca=a.pem&tls=off", "tls=off does not"},
        {SERVER "?socket=/s", "leave the host out"},
        {"mariadb://" LOGIN "[::1]/d?socket=/s", "leave the host out"},
        {"mariadb://" LOGIN "localhost:3306/d?socket=/s", "leave the port out"},
        {"mariadb://" LOGIN ":3306/d?socket=/s", "leave the port out"},
        {"mariadb://" LOGIN "/d?socket=" TEN("1234567890") "12345678", "107 bytes at most"},
        {"sqlite:a.db?tls=off", "option tls is for servers"},
        {"sqlite:a.db?tls_ca=a.pem", "option tls_ca is for servers"},
        {"sqlite::memory:?socket=/s", "option socket is for servers"},
    };

    (void)state;
    check_refused(urls, COUNT(urls), CORM_BAD_URL);
}

static void a_file_that_would_mean_something_else_is_refused(void **state)
{
    static const struct refused urls[] = {
        {"sqlite:", "names no file"},
        {"sqlite:?pool=4", "names no file"},
        {"sqlite://shop.db", "sqlite:///FOLDER/FILE"},
        {"sqlite://" LOGIN "h/d", "no host follows"},
        {"sqlite://:memory:", "no host follows"},
        {"sqlite:///:memory:", "without / before it"},
        {"sqlite::memory", "./ before it"},
        {"sqlite:file:shop.db", "./ before it"},
        {"sqlite:FILE::memory:?cache=shared", "./ before it"},
    };

    (void)state;
    check_refused(urls, COUNT(urls), CORM_BAD_URL);
}

/* ---- Several nodes --------------------------------------------------------------- */

enum { NODES_MAX = 4 };

struct expected_nodes {
    const char *url;
    const char *user, *password;
    struct {
        const char *host;
        uint16_t    port;
        bool        reader;
    } nodes[NODES_MAX];
};

static void check_nodes(const struct corm__config *config, const struct expected_nodes *x)
{
    uint32_t count = 0;

    while (count < NODES_MAX && x->nodes[count].host != NULL)
        count++;
    check_number(x->url, "how many nodes", config->node_count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct corm__endpoint *e = &config->nodes[i].endpoint;
        check_text(x->url, "a host", e->host, x->nodes[i].host);
        check_number(x->url, "a port", e->port, x->nodes[i].port);
        check_number(x->url, "a role", config->nodes[i].reader, x->nodes[i].reader);
        check_text(x->url, "the user", e->user, x->user);
        check_text(x->url, "the password", e->password, x->password);
        check_text(x->url, "the database", e->database, "d");
        check_number(x->url, "the timeout of a node", e->timeout_ms, config->timeout_ms);
    }
    check_text(x->url, "the first host", config->endpoint.host, x->nodes[0].host);
}

static void several_hosts_are_nodes_each_with_a_role(void **state)
{
    static const struct expected_nodes urls[] = {
        {"mariadb://h1,h2/d", NULL, NULL, {{"h1", 3306, false}, {"h2", 3306, false}}},
        {"mariadb://a:b@h1:3306,h2:3307,h3/d?timeout_ms=7",
         "a",
         "b",
         {{"h1", 3306, false}, {"h2", 3307, false}, {"h3", 3306, false}}},
        {"mariadb://a:b@[::1],[::2]:3307/d",
         "a",
         "b",
         {{"::1", 3306, false}, {"::2", 3307, false}}},
        {"mariadb://writer@h1,reader@h2/d", NULL, NULL, {{"h1", 3306, false}, {"h2", 3306, true}}},
        {"mariadb://master@h1,slave@h2/d", NULL, NULL, {{"h1", 3306, false}, {"h2", 3306, true}}},
        {"mariadb://h1,reader@h2/d", NULL, NULL, {{"h1", 3306, false}, {"h2", 3306, true}}},
        {"mysql://a:b@reader@h1,h2/d", "a", "b", {{"h1", 3306, true}, {"h2", 3306, false}}},
        {"mysql://a:b@Writer@h1:1,Reader@h2:2/d", "a", "b", {{"h1", 1, false}, {"h2", 2, true}}},
        {"mariadb://a:b@writer@h1/d", "a", "b", {{"h1", 3306, false}}},
        {"mariadb://writer:b@h1,h2/d", "writer", "b", {{"h1", 3306, false}, {"h2", 3306, false}}},
        {"mariadb://a:b@c,d:e@h1,h2/d", "a", "b@c,d:e", {{"h1", 3306, false}, {"h2", 3306, false}}},
        {"mariadb://a:@h1,reader@h2/d", "a", NULL, {{"h1", 3306, false}, {"h2", 3306, true}}},
        {"mariadb://a%2Cwriter:%40@h1,h2/d",
         "a,writer",
         "@",
         {{"h1", 3306, false}, {"h2", 3306, false}}},
    };
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct corm_error   error = {0};
        struct corm__config config;
        if (corm__parse_url(arena, urls[i].url, &config, &error) != 0)
            fail_msg("%s was refused: %s", urls[i].url, error.message);
        check_nodes(&config, &urls[i]);
    }
    corm_arena_free(arena);
}

static void nodes_that_do_not_go_together_are_refused(void **state)
{
#define FOUR(h) h "1," h "2," h "3," h "4"
    static const struct refused urls[] = {
        {"mariadb://" LOGIN "h1,,h2/d", "no host"},
        {"mariadb://" LOGIN "h1,/d", "no host"},
        {"mariadb://" LOGIN ",h1/d", "no host"},
        {"mariadb://" LOGIN "reader@h1/d", "readers only"},
        {"mariadb://" LOGIN "reader@h1,slave@h2/d", "readers only"},
        {"mariadb://" LOGIN "h1,h2:3306,H1/d", "nodes 1 and 3 are the same"},
        {"mariadb://reader@h1,h2/d", "may be a user or its role"},
        {"mariadb://writer@h1,h2,h3/d", "may be a user or its role"},
        {"mariadb://" LOGIN "h1,h2:x/d", "the port behind the host"},
        {"mariadb://" LOGIN "h1,h2/d?socket=/s", "names several"},
        {SERVER "?guard=yes", "guard must be on or off"},
        {"sqlite:a.db?guard=on", "guard is for servers"},
        {SERVER "?stats=yes", "stats must be on or off"},
        {"mariadb://" LOGIN FOUR("a") "," FOUR("b") "," FOUR("c") "," FOUR("d") ",e/d",
         "more than 16 nodes"},
        {"mariadb://" USER ":a," PASSWORD "/d", "the port behind the host"},
    };

    (void)state;
    check_refused(urls, COUNT(urls), CORM_BAD_URL);
}

static void a_secret_that_was_not_encoded_is_not_shown(void **state)
{
    static const struct refused urls[] = {
        {"mariadb://" USER ":a/" PASSWORD "@h/d", "%2F"},
        {"mariadb://" USER ":1/" PASSWORD "@h/d", "%2F"},
        {"mariadb://" USER ":a?" PASSWORD "@h/d", "%3F"},
        {"mariadb://" USER ":1/2?" PASSWORD "=3@h/d", "%3F"},
        {"mariadb://" USER ":1/2?pool=" PASSWORD "@h/d", "%3F"},
        {SERVER "?tls_ca=a@b", "%40"},
        {"mariadb://" USER ":" PASSWORD "/d", "from 1 to 65535"},
        {"mariadb://" USER ":" PASSWORD ":3306/d", "end with @"},
        {"mariadb://" USER ":" PASSWORD, "from 1 to 65535"},
        {"mariadb://" USER ":" PASSWORD "?pool=x", "from 1 to 65535"},
        {"mariadb://" USER "\n:" PASSWORD "@h/d", "byte 21 of the URL is a control character"},
        {SERVER "\n", "control character, perhaps a line break"},
        {"mariadb://" USER ":" PASSWORD "\x7F@h/d", "control character"},
    };

    (void)state;
    check_refused(urls, COUNT(urls), CORM_BAD_URL);
}

static void a_url_over_4096_bytes_is_refused(void **state)
{
    static char         url[4098];
    struct corm_arena  *arena = corm_arena_new();
    struct corm_error   error = {0};
    struct corm__config config;

    (void)state;
    memset(url, 'x', sizeof(url) - 1);
    memcpy(url, SERVER, strlen(SERVER));
    url[4096] = '\0';
    assert_int_equal(corm__parse_url(arena, url, &config, &error), 0);
    assert_int_equal(strlen(config.endpoint.database), 4096 - strlen(SERVER) + 1);
    url[4096] = 'x';
    int rc = corm__parse_url(arena, url, &config, &error);
    check_refusal("4097 bytes", rc, &error, &config);
    assert_int_equal(rc, CORM_BAD_URL);
    assert_non_null(strstr(error.message, "longer than 4096 bytes"));
    corm_arena_free(arena);
}

static void the_first_error_is_kept(void **state)
{
    struct corm_arena  *arena = corm_arena_new();
    struct corm_error   error = {.code = CORM_MISUSE, .message = "earlier"};
    struct corm__config config;

    (void)state;
    assert_int_equal(corm__parse_url(arena, "nothing", &config, &error), CORM_MISUSE);
    assert_string_equal(error.message, "earlier");
    corm_arena_free(arena);
}

/* ---- The environment ------------------------------------------------------- */

enum { VARIABLES = 9 };

static char environment[VARIABLES][5000]; /* NAME=VALUE */

static char *get_variable(const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < VARIABLES; i++)
        if (strncmp(environment[i], name, size) == 0 && environment[i][size] == '=')
            return environment[i] + size + 1;
    return NULL;
}

static void set_environment(const char *const variables[VARIABLES])
{
    for (size_t i = 0; i < VARIABLES; i++)
        (void)snprintf(environment[i], sizeof(environment[i]), "%s",
                       variables[i] != NULL ? variables[i] : "");
}

static void the_environment_gives_a_config(void **state)
{
    static const struct {
        const char     *variables[VARIABLES];
        struct expected expected;
    } cases[] = {
        {{"DATABASE_URL=mysql://a:b@db/shop?pool=3", "DB_HOST=other", "DB_DATABASE=other"},
         {"DATABASE_URL before DB_*", "db", 0, "a", "b", .database = "shop", .pool = 3}},
        {{"DATABASE_URL=", "DB_DATABASE=shop"},
         {"an empty DATABASE_URL", "127.0.0.1", 0, NULL, NULL, .database = "shop"}},
        {{"DB_DRIVER=MySQL", "DB_HOST=db", "DB_PORT=3307", "DB_USERNAME=anna", "DB_PASSWORD=secret",
          "DB_DATABASE=shop", "DB_CONNECTION_LIMIT=4"},
         {"all of DB_*", "db", 3307, "anna", "secret", .database = "shop", .pool = 4}},
        {{"DB_HOST=::1", "DB_DATABASE=shop",
          "DB_USERNAME=", "DB_PASSWORD=", "DB_PORT=", "DB_DRIVER="},
         {"empty ones are unset", "::1", 0, NULL, NULL, .database = "shop"}},
        {{"DB_DRIVER=mariadb", "DB_USERNAME=a%40:@b", "DB_PASSWORD=%2F/?@:\n",
          "DB_DATABASE=a/%41?"},
         {"taken as they are", "127.0.0.1", 0, "a%40:@b", "%2F/?@:\n", .database = "a/%41?"}},
        {{"DB_DATABASE=shop", "DB_CLUSTER="}, {"no cluster", "127.0.0.1", .database = "shop"}},
        {{"DB_DATABASE=shop", "DB_CLUSTER=False"}, {"false", "127.0.0.1", .database = "shop"}},
        {{"DB_DATABASE=shop", "DB_CLUSTER=0"}, {"0", "127.0.0.1", .database = "shop"}},
        {{"DB_DRIVER=sqlite", "DB_DATABASE=a%41?.db", "DB_HOST=h,h", "DB_PORT=x", "DB_USERNAME=a"},
         {"a file", .database = "a%41?.db", .file = true}},
        {{"DB_DRIVER=SQLite", "DB_DATABASE=/a.db", "DB_CONNECTION_LIMIT=2"},
         {"a limit for a file", .database = "/a.db", .file = true, .pool = 2}},
        {{"DB_DRIVER=sqlite", "DB_DATABASE=:memory:"},
         {"memory", .database = ":memory:", .memory = true}},
        {{"DB_DRIVER=sqlite", "DB_DATABASE=:memory:", "DB_CONNECTION_LIMIT=1"},
         {"memory with a limit", .database = ":memory:", .memory = true}},
    };
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct corm_error   error = {0};
        struct corm__config config;
        set_environment(cases[i].variables);
        if (corm__config_from(arena, get_variable, &config, &error) != 0)
            fail_msg("%s: %s", cases[i].expected.url, error.message);
        memset(environment, 'x', sizeof(environment)); /* texts are copies */
        check_config(&config, &cases[i].expected);
    }
    corm_arena_free(arena);
}

static void the_environment_may_name_several_nodes(void **state)
{
    static const char *const lists[VARIABLES] = {
        "DB_DATABASE=d",    "DB_CLUSTER=true",   "DB_HOST=h1,reader@h2,Slave@h3",
        "DB_PORT=1,2,3306", "DB_USERNAME=a,b,c", "DB_PASSWORD=x,y,"};
    static const char *const one[VARIABLES] = {"DB_DATABASE=d", "DB_CLUSTER=1",  "DB_HOST=h1,h2",
                                               "DB_PORT=7",     "DB_USERNAME=a", "DB_PASSWORD=b"};
    static const char *const single[VARIABLES] = {"DB_DATABASE=d", "DB_CLUSTER=TRUE",
                                                  "DB_PASSWORD=a,b"};
    static const struct expected_nodes of_one = {
        "one for all", "a", "b", {{"h1", 7, false}, {"h2", 7, false}}};
    struct corm_arena  *arena = corm_arena_new();
    struct corm__config config;
    struct corm_error   error = {0};

    (void)state;
    set_environment(lists);
    assert_int_equal(corm__config_from(arena, get_variable, &config, &error), 0);
    memset(environment, 'x', sizeof(environment)); /* texts are copies */
    assert_int_equal(config.node_count, 3);
    check_text("lists", "a host", config.nodes[1].endpoint.host, "h2");
    check_number("lists", "a port", config.nodes[1].endpoint.port, 2);
    check_number("lists", "a port", config.nodes[2].endpoint.port, 3306);
    assert_false(config.nodes[0].reader);
    assert_true(config.nodes[1].reader && config.nodes[2].reader);
    check_text("lists", "a user", config.nodes[0].endpoint.user, "a");
    check_text("lists", "a user", config.nodes[2].endpoint.user, "c");
    check_text("lists", "a password", config.nodes[1].endpoint.password, "y");
    check_text("lists", "a password", config.nodes[2].endpoint.password, NULL);
    set_environment(one);
    assert_int_equal(corm__config_from(arena, get_variable, &config, &error), 0);
    check_nodes(&config, &of_one);
    set_environment(single);
    assert_int_equal(corm__config_from(arena, get_variable, &config, &error), 0);
    check_text("one node", "a password", config.nodes[0].endpoint.password, "a,b");
    corm_arena_free(arena);
}

static void an_environment_that_cannot_be_used_is_refused(void **state)
{
#define ENVIRONMENT_LOGIN "DB_USERNAME=" USER, "DB_PASSWORD=" PASSWORD
    static const struct {
        const char *variables[VARIABLES];
        const char *reason;
        int         code;
    } cases[] = {
        {{NULL}, "set DATABASE_URL, or DB_DATABASE", CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_PORT=3306"}, "set DATABASE_URL, or DB_DATABASE", CORM_BAD_URL},
        {{"DATABASE_URL=" SERVER "?pol=4", "DB_DATABASE=d"},
         "DATABASE_URL: the option pol is unknown",
         CORM_BAD_URL},
        {{"DATABASE_URL=" SERVER "\n"}, "DATABASE_URL: byte 36", CORM_BAD_URL},
        {{"DATABASE_URL=mysql://" LOGIN "h1,h1/d"}, "DATABASE_URL: nodes 1 and 2", CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DRIVER=" PASSWORD},
         "DB_DRIVER must be mariadb, mysql or sqlite",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DRIVER=sqlite "}, "DB_DRIVER must be", CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_HOST=h"}, "DB_DATABASE does not name the database", CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DRIVER=mariadb"}, "DB_DATABASE does not name", CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DRIVER=sqlite"}, "DB_DATABASE names no file", CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DRIVER=sqlite", "DB_DATABASE=file:" PASSWORD},
         "in DB_DATABASE",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_HOST=h h"}, "DB_HOST is no name", CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_HOST=" LOGIN "h"},
         "DB_HOST is no name",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_HOST=h:3306"},
         "the port stands in DB_PORT",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_HOST=/s"}, "Unix socket", CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_HOST=h1,h2"},
         "set DB_CLUSTER=true",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_HOST=writer@h1"},
         "set DB_CLUSTER=true",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_CLUSTER=h1,h2"},
         "DB_CLUSTER must be true or false",
         CORM_BAD_URL},
        {{"DB_DRIVER=sqlite", "DB_DATABASE=a.db", "DB_CLUSTER=true"},
         "DB_CLUSTER is for servers",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_CLUSTER=1", "DB_HOST=h1,h2,h3", "DB_PORT=1,2"},
         "DB_PORT is a list of another length",
         CORM_BAD_URL},
        {{"DB_USERNAME=a", ("DB_PASSWORD=" PASSWORD "," PASSWORD), "DB_DATABASE=d", "DB_CLUSTER=1",
          "DB_HOST=h1,h2,h3"},
         "DB_PASSWORD is a list of another length",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_CLUSTER=1", "DB_HOST=h1,h1"},
         "nodes 1 and 2 are the same",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_CLUSTER=1", "DB_HOST=h1,"},
         "DB_HOST is no name",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_CLUSTER=1", "DB_HOST=slave@h1"},
         "readers only",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_PORT=0"},
         "DB_PORT must be a whole number",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_PORT=" PASSWORD},
         "from 1 to 65535",
         CORM_BAD_URL},
        {{ENVIRONMENT_LOGIN, "DB_DATABASE=d", "DB_CONNECTION_LIMIT=1001"},
         "DB_CONNECTION_LIMIT must be a whole number from 1 to 1000",
         CORM_BAD_URL},
        {{"DB_DRIVER=sqlite", "DB_DATABASE=a.db", "DB_CONNECTION_LIMIT=1"},
         "DB_CONNECTION_LIMIT must be 2 at least",
         CORM_BAD_URL},
        {{"DB_DRIVER=sqlite", "DB_DATABASE=:memory:", "DB_CONNECTION_LIMIT=2"},
         "DB_CONNECTION_LIMIT must be 1 or be left out",
         CORM_BAD_URL},
    };
    struct corm_arena *arena = corm_arena_new();

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct corm_error   error = {0};
        struct corm__config config;
        set_environment(cases[i].variables);
        int rc = corm__config_from(arena, get_variable, &config, &error);
        check_refusal(cases[i].reason, rc, &error, &config);
        assert_int_equal(rc, cases[i].code);
        if (strstr(error.message, cases[i].reason) == NULL)
            fail_msg("the message does not say \"%s\": %s", cases[i].reason, error.message);
    }
    corm_arena_free(arena);
}

static void a_variable_over_4096_bytes_is_refused(void **state)
{
    static const char *const variables[VARIABLES] = {"DB_DATABASE=d", "DB_PASSWORD=" PASSWORD};
    struct corm_arena       *arena = corm_arena_new();
    struct corm_error        error = {0};
    struct corm__config      config;

    (void)state;
    set_environment(variables);
    size_t size = strlen(environment[1]);
    memset(environment[1] + size, 'x', 4097);
    environment[1][size + 4097] = '\0';
    int rc = corm__config_from(arena, get_variable, &config, &error);
    check_refusal("4097 bytes", rc, &error, &config);
    assert_non_null(strstr(error.message, "DB_PASSWORD is longer than 4096 bytes"));
    corm_arena_free(arena);
}

static void the_environment_is_that_of_the_process(void **state)
{
    static const struct expected expected = {"sqlite:here.db", .database = "here.db", .file = true};
    struct corm_arena           *arena = corm_arena_new();
    struct corm_error            error = {0};
    struct corm__config          config;

    (void)state;
    assert_int_equal(setenv("DATABASE_URL", expected.url, 1), 0);
    assert_int_equal(corm__config_from_environment(arena, &config, &error), 0);
    check_config(&config, &expected);
    assert_int_equal(unsetenv("DATABASE_URL"), 0);
    corm_arena_free(arena);
}

/* ---- Anything at all ------------------------------------------------------- */

static uint64_t random_state = 0x9E3779B97F4A7C15u;

/* Marsaglia's xorshift64: every run sees the same numbers. */
static size_t random_below(size_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % limit);
}

static char random_byte(void)
{
    static const char special[] = ":/?#[]@!$&'()*+,;=% .-_0123456789aAfFpPxX";

    if (random_below(4) > 0)
        return special[random_below(sizeof(special) - 1)];
    return (char)(1 + random_below(255));
}

/* Replaces, inserts, removes or swaps bytes, or cuts the end off. No text is copied to another
 * place: the name of an option may be shown, and would then hold a part of the password. */
static void mutate(char *text, size_t *size)
{
    size_t at = random_below(*size);
    char   c = text[at];

    switch (random_below(8)) {
    case 0:
        text[at] = text[(at + 1) % *size];
        text[(at + 1) % *size] = c;
        break;
    case 1:
    case 2:
        memmove(text + at + 1, text + at, *size - at);
        text[at] = random_byte();
        ++*size;
        break;
    case 3:
    case 4:
        if (*size > 1)
            memmove(text + at, text + at + 1, --*size - at);
        break;
    case 5:
        if (at > 0 && random_below(4) == 0)
            *size = at;
        break;
    default: text[at] = random_byte();
    }
    text[*size] = '\0';
}

static void check_any(const char *url, int rc, const struct corm__config *config,
                      const struct corm_error *error)
{
    const struct corm__endpoint *e = &config->endpoint;
    bool                         server = e->driver == &corm__mariadb;

    if (rc != 0) {
        check_refusal(url, rc, error, config);
        return;
    }
    if (error->code != 0 || (!server && e->driver != &corm__sqlite) || e->database == NULL ||
        e->database[0] == '\0')
        fail_msg("%s gives no database", url);
    if (config->pool < 1 || config->pool > 1000 || config->timeout_ms < 1 ||
        config->timeout_ms > 86400000)
        fail_msg("%s gives numbers out of range", url);
    if (server != ((e->host != NULL) != (e->socket != NULL)) || (e->host != NULL) != (e->port > 0))
        fail_msg("%s gives no host or two", url);
}

static void no_text_breaks_the_parser_or_shows_a_secret(void **state)
{
    static const char *const valid[] = {
        "mariadb://" LOGIN "db.example.com:3306/shop?pool=16&timeout_ms=500&tls=verify",
        "mysql://" LOGIN "[fe80::1%25eth0]:3307/shop?tls_ca=/etc/ca.pem&tls=verify",
        "mariadb://" LOGIN "localhost/shop?socket=/run/mysqld/mysqld.sock&tls=off",
        "mariadb://" USER ":" PASSWORD "%40%2F%3F@127.0.0.1/sh%6Fp",
        "mysql://" LOGIN "h/d",
        "sqlite:/var/lib/shop%3F.db?pool=4&timeout_ms=100",
        "sqlite::memory:?pool=1",
    };
    static char        text[256];
    struct corm_arena *arena = corm_arena_new();
    unsigned           taken = 0;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        struct corm_error   error = {0};
        struct corm__config config;
        const char         *from = valid[random_below(COUNT(valid))];
        size_t              size = strlen(from);
        memcpy(text, from, size + 1);
        for (size_t n = 1 + random_below(5); n > 0; n--)
            mutate(text, &size);
        char *url = malloc(size + 1); /* just as large, so that a sanitizer sees its end */
        assert_non_null(url);
        memcpy(url, text, size + 1);
        int rc = corm__parse_url(arena, url, &config, &error);
        free(url);
        check_any(text, rc, &config, &error);
        taken += rc == 0;
        corm_arena_reset(arena);
    }
    corm_arena_free(arena);
    assert_in_range(taken, 10000, 90000); /* it sees both */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_url_gives_its_parts),
        cmocka_unit_test(a_password_may_hold_separators),
        cmocka_unit_test(a_password_may_hold_every_byte_but_nul),
        cmocka_unit_test(host_database_and_values_are_decoded),
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(certificates_that_are_named_are_used_on_loopback_too),
        cmocka_unit_test(a_socket_takes_the_place_of_host_and_port),
        cmocka_unit_test(a_sqlite_url_gives_its_file),
        cmocka_unit_test(a_database_in_memory_has_one_connection),
        cmocka_unit_test(texts_are_copies),
        cmocka_unit_test(a_scheme_that_is_not_known_is_answered_with_those_that_are),
        cmocka_unit_test(hosts_and_ports_that_are_none_are_refused),
        cmocka_unit_test(a_server_url_without_a_database_is_refused),
        cmocka_unit_test(a_percent_that_stands_for_no_byte_is_refused),
        cmocka_unit_test(numbers_out_of_range_are_refused_with_the_range),
        cmocka_unit_test(an_unknown_option_is_named_with_those_that_exist),
        cmocka_unit_test(options_that_are_no_pairs_or_come_twice_are_refused),
        cmocka_unit_test(options_that_contradict_each_other_are_refused),
        cmocka_unit_test(a_file_that_would_mean_something_else_is_refused),
        cmocka_unit_test(several_hosts_are_nodes_each_with_a_role),
        cmocka_unit_test(nodes_that_do_not_go_together_are_refused),
        cmocka_unit_test(the_environment_may_name_several_nodes),
        cmocka_unit_test(a_secret_that_was_not_encoded_is_not_shown),
        cmocka_unit_test(a_url_over_4096_bytes_is_refused),
        cmocka_unit_test(the_first_error_is_kept),
        cmocka_unit_test(the_environment_gives_a_config),
        cmocka_unit_test(an_environment_that_cannot_be_used_is_refused),
        cmocka_unit_test(a_variable_over_4096_bytes_is_refused),
        cmocka_unit_test(the_environment_is_that_of_the_process),
        cmocka_unit_test(no_text_breaks_the_parser_or_shows_a_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
