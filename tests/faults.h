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

#include <stdbool.h>
#include <stdint.h>

struct proxy;

struct proxy *start_proxy(void);
unsigned      proxy_port(const struct proxy *proxy);

/* Returns when the proxy obeys. */
void tell_proxy(struct proxy *proxy, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for one that may be over: false where the proxy refuses. */
bool try_proxy(struct proxy *proxy, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One connection of the proxy, by its number: bytes passed on or swallowed, and those that wait. */
struct wire {
    uint64_t up, up_waiting, down, down_waiting;
    unsigned port; /* the client's, as the server sees it */
};

/* How many connections there were, and so the number of the newest one. */
unsigned proxy_connections(struct proxy *proxy);
/* False where it is over. */
bool proxy_wire(struct proxy *proxy, unsigned number, struct wire *wire);

/* Resets all its connections. */
void stop_proxy(struct proxy *proxy);

/* Stops and continues the server that scripts/with-mariadb has started, which must be the test's
 * own. */
void stop_server(void);
void continue_server(void);

/* Kills that server; starts it again on the same data and port, and waits until it is ready. */
void kill_server(void);
void start_server(void);

#endif
