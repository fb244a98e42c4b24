/* tests/faults.h -- a wire that breaks as a test tells it, and a server that stands still.
 *
 * A proxy (tests/proxy, found by CORM_TEST_PROXY) stands between corm and the test server:
 *
 *     struct proxy *proxy = start_proxy();
 *     ... corm_open(&db, server_url(NULL, NULL, proxy_port(proxy), NULL, NULL)) ...
 *     tell_proxy(proxy, "hold down after 3");
 *
 * `proxy --help` lists what it can be told. What fails here ends the program with a message, so that
 * all of it may be used in threads; a proxy belongs to one thread at a time. */
#ifndef CORM_TESTS_FAULTS_H
#define CORM_TESTS_FAULTS_H

struct proxy;

struct proxy *start_proxy(void);
unsigned      proxy_port(const struct proxy *proxy);

/* Returns when the proxy obeys. */
void tell_proxy(struct proxy *proxy, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Resets all its connections. */
void stop_proxy(struct proxy *proxy);

/* Stops and continues the server that scripts/with-mariadb has started, which must be the test's
 * own. */
void stop_server(void);
void continue_server(void);

#endif
