/* tests/support.h -- what test programs share: a database of their own on the server that is asked for.
 *
 * A test program takes the name of its target as its only argument: "sqlite" or "mariadb". For
 * SQLite it gets a file in a temporary folder, for MariaDB a database of its own on the private
 * server that scripts/with-mariadb has started (CORM_TEST_MARIADB_URL); so programs may run at the
 * same time. Both are removed by support_end().
 *
 * Include it after nothing: it brings cmocka with what that needs. */
#ifndef CORM_TESTS_SUPPORT_H
#define CORM_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <cmocka.h>

#include <corm/corm.h>

/* Sets the target up; ends the program with a message where that cannot be done. */
void support_begin(int argc, char **argv);
void support_end(void);

bool is_mariadb(void);

/* The URL of the program's database, with options added: test_url("pool=4&timeout_ms=500") or NULL.
 * The text lives until the next call. */
const char *test_url(const char *options);

/* An open database; fails the test where that is not possible. */
struct corm_db *open_db(const char *options);

/* The same with a statement hook. */
struct corm_db *open_watched(const char *options, corm_event_function *hook, void *arg);

/* Runs SQL on the target beside corm: by the server's own client library, on a connection of its own.
 * Fails the test on an error. No rows. */
void beside(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for one number: the first column of the first row. */
long long number_beside(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* rc >= 0, else fails the test and shows the message. */
#define assert_ok(rc, error)                                                                       \
    do {                                                                                           \
        long long ok_rc = (long long)(rc);                                                         \
        if (ok_rc < 0)                                                                             \
            fail_msg("%s:%d: %s = %lld: %s", __FILE__, __LINE__, #rc, ok_rc, (error)->message);    \
    } while (0)

#endif
