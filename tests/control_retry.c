/* control_retry.c -- what others do: a statement whose connection was lost is sent again on a new one.
 *
 * Linked in front of the library, with --wrap, as a control of exactly_once_test.c. */
#include "pool/connection.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECTIONS_MAX = 4096 };

/* Where each connection goes to, by its address: endpoints live as long as their handle. */
static struct {
    const struct corm__connection *connection;
    const struct corm__endpoint   *endpoint;
} known[CONNECTIONS_MAX];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __real_corm__connection_open(const struct corm__endpoint *endpoint, bool for_writing,
                                 struct corm__watch *watch, int64_t deadline,
                                 struct corm__connection **connection, struct corm_error *error);
int __wrap_corm__connection_open(const struct corm__endpoint *endpoint, bool for_writing,
                                 struct corm__watch *watch, int64_t deadline,
                                 struct corm__connection **connection, struct corm_error *error);
int __real_corm__connection_run(struct corm__connection *connection, struct corm__run *run,
                                struct corm_error *error);
int __wrap_corm__connection_run(struct corm__connection *connection, struct corm__run *run,
                                struct corm_error *error);

int __wrap_corm__connection_open(const struct corm__endpoint *endpoint, bool for_writing,
                                 struct corm__watch *watch, int64_t deadline,
                                 struct corm__connection **connection, struct corm_error *error)
{
    int rc =
        __real_corm__connection_open(endpoint, for_writing, watch, deadline, connection, error);
    size_t i = 0;

    if (rc < 0)
        return rc;
    (void)pthread_mutex_lock(&mutex);
    while (i < CONNECTIONS_MAX && known[i].connection != NULL && known[i].connection != *connection)
        i++;
    if (i == CONNECTIONS_MAX)
        abort();
    known[i].connection = *connection;
    known[i].endpoint = endpoint;
    (void)pthread_mutex_unlock(&mutex);
    return rc;
}

static const struct corm__endpoint *endpoint_of(const struct corm__connection *connection)
{
    const struct corm__endpoint *endpoint = NULL;

    (void)pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < CONNECTIONS_MAX && endpoint == NULL; i++)
        if (known[i].connection == connection)
            endpoint = known[i].endpoint;
    (void)pthread_mutex_unlock(&mutex);
    return endpoint;
}

int __wrap_corm__connection_run(struct corm__connection *c, struct corm__run *run,
                                struct corm_error *error)
{
    int                          rc = __real_corm__connection_run(c, run, error);
    const struct corm__endpoint *endpoint = endpoint_of(c);
    struct corm_error            ignored = {0};
    struct corm__link           *fresh;
    struct corm__mode            mode = c->link->mode;

    if (rc >= 0 || !c->link->lost || endpoint == NULL ||
        endpoint->driver->connect(endpoint, true, run->deadline + run->grace_ns, &fresh, &ignored) <
            0)
        return rc;
    corm__connection_shed(c);
    c->link->driver->close(c->link);
    c->link = fresh;
    if (fresh->driver->enter(fresh, &mode, run->deadline, &ignored) < 0)
        return rc;
    *error = (struct corm_error){0};
    return __real_corm__connection_run(c, run, error);
}
/* NOLINTEND(bugprone-reserved-identifier) */
