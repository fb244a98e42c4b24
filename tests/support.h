/* tests/support.h -- what test programs share: a database of their own on the server that is asked
 * for.
 *
 * A test program takes the name of its target as its only argument: "sqlite" or "mariadb". For
 * SQLite it gets a file in a temporary folder, for MariaDB a database of its own on the private
 * server that scripts/with-mariadb has started (CORM_TEST_MARIADB_URL); so programs may run at the
 * same time. Both are removed by support_end().
 *
 * CORM_TEST_ONLY=pattern in the environment runs those tests alone whose names match, with * and ?.
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
#include <pthread.h>
#include <string.h>

#include <corm/corm.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Sets the target up; ends the program with a message where that cannot be done. */
void support_begin(int argc, char **argv);
void support_end(void);

bool is_mariadb(void);

/* Runs the tests that both targets share, and then those of the target at hand alone, as one group;
 * returns what main() has to return. What one leaves open does not disturb the next; on SQLite each
 * has a file of its own. */
int run_group(const struct CMUnitTest *both, size_t both_count, const struct CMUnitTest *sqlite,
              size_t sqlite_count, const struct CMUnitTest *mariadb, size_t mariadb_count);

/* The URL of the program's database, with options added: test_url("pool=4&timeout_ms=500") or NULL.
 * The text lives until the next call. */
const char *test_url(const char *options);

/* The URL of a database on the test server; what is NULL or 0 is as in test_url(). MariaDB only. */
const char *server_url(const char *user, const char *password, unsigned port, const char *name,
                       const char *options);

/* The temporary folder of the program, removed with all that is in it. SQLite only. */
const char *test_folder(void);

/* An open database; fails the test where that is not possible. */
struct corm_db *open_db(const char *options);

/* The same with a statement hook. */
struct corm_db *open_watched(const char *options, corm_event_function *hook, void *arg);

/* Runs SQL on the target beside corm: by the server's own client library, on a connection of its
 * own. Fails the test on an error. No rows. */
void beside(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for one number: the first column of the first row. */
long long number_beside(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes an empty table of the model, in place of one that may be there. */
#define new_table(db, T)                                                                           \
    do {                                                                                           \
        struct corm_error table_error = {0};                                                       \
        assert_ok(corm_drop_table((db), T, .if_exists = true, .error = &table_error),              \
                  &table_error);                                                                   \
        assert_ok(corm_create_table((db), T, .error = &table_error), &table_error);                \
    } while (0)

/* What corm_stats() says. */
struct corm_counters stats_of(const struct corm_db *db);

/* Milliseconds of a clock that only goes forward. */
int64_t now_ms(void);

/* Fails the test where `holds(arg)` does not become true within 20 seconds. Only for what nobody
 * can tell us of. */
void wait_until(bool (*holds)(void *arg), void *arg);

/* A gate that one thread opens and others wait at; false after `ms` milliseconds at a closed
 * one. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t  opened;
    bool            is_open;
};
#define GATE                                                                                       \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false                                 \
    }
void open_gate(struct gate *gate);
bool pass_gate(struct gate *gate, uint32_t ms);

/* Runs `work` in `count` threads at once, each with its element of the array `args`, to the end of
 * all. No assert_...() of cmocka may be used in them. */
void run_threads(size_t count, void *(*work)(void *arg), void *args, size_t size);

/* rc >= 0, else fails the test and shows the message. */
#define assert_ok(rc, error)                                                                       \
    do {                                                                                           \
        long long ok_rc = (long long)(rc);                                                         \
        if (ok_rc < 0)                                                                             \
            fail_msg("%s:%d: %s = %lld: %s", __FILE__, __LINE__, #rc, ok_rc, (error)->message);    \
    } while (0)

/* rc is exactly this many rows, else fails the test and shows the message. */
#define assert_rows(rc, rows, error)                                                               \
    do {                                                                                           \
        long long rows_rc = (long long)(rc), rows_wanted = (long long)(rows);                      \
        if (rows_rc != rows_wanted)                                                                \
            fail_msg("%s:%d: %s = %lld, not %lld%s%s", __FILE__, __LINE__, #rc, rows_rc,           \
                     rows_wanted, rows_rc < 0 ? ": " : "", rows_rc < 0 ? (error)->message : "");   \
    } while (0)

/* rc is exactly this code, and so is that of the error, which has a message; else fails. */
#define assert_code(rc, wanted, error)                                                             \
    do {                                                                                           \
        int code_rc = (int)(rc);                                                                   \
        if (code_rc != (wanted) || (error)->code != (wanted) || (error)->message[0] == '\0')       \
            fail_msg("%s:%d: %s = %d (%s), not %s; the error is %d: %s", __FILE__, __LINE__, #rc,  \
                     code_rc, corm_code_name(code_rc), #wanted, (int)(error)->code,                \
                     (error)->message);                                                            \
    } while (0)

/* The error names this line of this file as the place of the call that failed. */
#define assert_place(error, wanted)                                                                \
    do {                                                                                           \
        if ((error)->file == NULL || strcmp((error)->file, __FILE__) != 0 ||                       \
            (error)->line != (wanted))                                                             \
            fail_msg("%s:%d: the error names line %d, not %d: %s", __FILE__, __LINE__,             \
                     (int)(error)->line, (int)(wanted), (error)->message);                         \
    } while (0)

/* A text is in the message of an error, or is not. */
#define assert_says(error, text)                                                                   \
    do {                                                                                           \
        if (strstr((error)->message, (text)) == NULL)                                              \
            fail_msg("%s:%d: \"%s\" is not in: %s", __FILE__, __LINE__, (text), (error)->message); \
    } while (0)
#define assert_hides(error, text)                                                                  \
    do {                                                                                           \
        if (strstr((error)->message, (text)) != NULL)                                              \
            fail_msg("%s:%d: \"%s\" is in: %s", __FILE__, __LINE__, (text), (error)->message);     \
    } while (0)

#endif
