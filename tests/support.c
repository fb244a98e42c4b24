/* tests/support.c -- a database of its own for each test program. */
#include "support.h"

#include <errno.h>
#include <ftw.h>
#include <mysql.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static bool on_mariadb;
static char folder[] = "/tmp/corm-test-XXXXXX";
static char base_url[512], database[64];
static char url[1024];

static void die(const char *what)
{
    (void)fprintf(stderr, "# cannot run: %s\n", what);
    exit(99);
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL)
        die("MariaDB tests run under scripts/with-mariadb, as ./run test does");
    return value;
}

/* NULL where the server does not answer; `message`, of 512 bytes, says why. */
static MYSQL *try_to_connect(const char *to, char *message)
{
    MYSQL       *mysql = mysql_init(NULL);
    unsigned int port = (unsigned int)strtoul(environment("CORM_TEST_MARIADB_PORT"), NULL, 10);
    unsigned int protocol = MYSQL_PROTOCOL_TCP;

    mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    if (mysql_real_connect(mysql, "127.0.0.1", environment("CORM_TEST_MARIADB_USER"),
                           environment("CORM_TEST_MARIADB_PASSWORD"), to, port, NULL,
                           CLIENT_MULTI_STATEMENTS) != NULL)
        return mysql;
    (void)snprintf(message, 512, "%s", mysql_error(mysql));
    mysql_close(mysql);
    return NULL;
}

static MYSQL *connect_beside(const char *to)
{
    char   message[512];
    MYSQL *mysql = try_to_connect(to, message);

    if (mysql == NULL)
        die(message);
    return mysql;
}

static void use_file(int number)
{
    (void)snprintf(base_url, sizeof(base_url), "sqlite:%s/test%d.db", folder, number);
}

void support_begin(int argc, char **argv)
{
    if (argc != 2 || (strcmp(argv[1], "sqlite") != 0 && strcmp(argv[1], "mariadb") != 0))
        die("the argument is sqlite or mariadb");
    on_mariadb = strcmp(argv[1], "mariadb") == 0;
    if (!on_mariadb) {
        if (mkdtemp(folder) == NULL)
            die("no temporary folder");
        use_file(0);
        return;
    }
    (void)snprintf(database, sizeof(database), "corm_test_%ld", (long)getpid());
    MYSQL *mysql = connect_beside(NULL);
    char   text[128];
    (void)snprintf(text, sizeof(text), "CREATE DATABASE %s", database);
    if (mysql_query(mysql, text) != 0)
        die(mysql_error(mysql));
    mysql_close(mysql);
    (void)snprintf(base_url, sizeof(base_url), "mariadb://%s:%s@127.0.0.1:%s/%s",
                   environment("CORM_TEST_MARIADB_USER"), environment("CORM_TEST_MARIADB_PASSWORD"),
                   environment("CORM_TEST_MARIADB_PORT"), database);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    (void)remove(path);
    return 0;
}

void support_end(void)
{
    char text[128];

    if (on_mariadb) {
        MYSQL *mysql = connect_beside(NULL);
        (void)snprintf(text, sizeof(text), "DROP DATABASE IF EXISTS %s", database);
        (void)mysql_query(mysql, text);
        mysql_close(mysql);
        return;
    }
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

bool is_mariadb(void)
{
    return on_mariadb;
}

/* Ends the sessions of the program's database. */
static void kill_sessions(MYSQL *mysql)
{
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "SELECT id FROM information_schema.processlist WHERE db = '%s'", database);
    MYSQL_RES *rows = mysql_query(mysql, text) == 0 ? mysql_store_result(mysql) : NULL;
    for (MYSQL_ROW row; rows != NULL && (row = mysql_fetch_row(rows)) != NULL;) {
        (void)snprintf(text, sizeof(text), "KILL %s", row[0]);
        (void)mysql_query(mysql, text); /* one that has ended by itself is no error */
    }
    mysql_free_result(rows);
}

/* What a test that has failed has left open must not stop the next one. */
static int clean_up(void **state)
{
    static int number;
    char       message[512];

    (void)state;
    if (!on_mariadb) {
        use_file(++number);
        return 0;
    }
    MYSQL *mysql = try_to_connect(NULL, message);
    if (mysql != NULL) {
        kill_sessions(mysql);
        mysql_close(mysql);
    }
    return 0;
}

int run_group(const struct CMUnitTest *both, size_t both_count, const struct CMUnitTest *sqlite,
              size_t sqlite_count, const struct CMUnitTest *mariadb, size_t mariadb_count)
{
    const struct CMUnitTest *own = on_mariadb ? mariadb : sqlite;
    size_t                   own_count = on_mariadb ? mariadb_count : sqlite_count;
    size_t                   count = both_count + own_count;
    struct CMUnitTest       *all = calloc(count + 1, sizeof(*all));

    if (all == NULL)
        die("no memory");
    if (both_count > 0)
        memcpy(all, both, both_count * sizeof(*all));
    if (own_count > 0)
        memcpy(all + both_count, own, own_count * sizeof(*all));
    for (size_t i = 0; i < count; i++)
        all[i].teardown_func = clean_up;
    if (getenv("CORM_TEST_ONLY") != NULL)
        cmocka_set_test_filter(getenv("CORM_TEST_ONLY"));
    int failed = _cmocka_run_group_tests(on_mariadb ? "mariadb" : "sqlite", all, count, NULL, NULL);
    free(all);
    return failed;
}

const char *test_folder(void)
{
    return folder;
}

const char *server_url(const char *user, const char *password, unsigned port, const char *name,
                       const char *options)
{
    char own_port[16];

    (void)snprintf(own_port, sizeof(own_port), "%u", port);
    (void)snprintf(url, sizeof(url), "mariadb://%s:%s@127.0.0.1:%s/%s%s%s",
                   user != NULL ? user : environment("CORM_TEST_MARIADB_USER"),
                   password != NULL ? password : environment("CORM_TEST_MARIADB_PASSWORD"),
                   port != 0 ? own_port : environment("CORM_TEST_MARIADB_PORT"),
                   name != NULL ? name : database, options != NULL ? "?" : "",
                   options != NULL ? options : "");
    return url;
}

const char *test_url(const char *options)
{
    (void)snprintf(url, sizeof(url), "%s%s%s", base_url, options != NULL ? "?" : "",
                   options != NULL ? options : "");
    return url;
}

struct corm_db *open_watched(const char *options, corm_event_function *hook, void *arg)
{
    struct corm_db   *db = NULL;
    struct corm_error error = {0};
    int               rc = corm_open(&db, test_url(options), .error = &error, .on_statement = hook,
                                     .on_statement_arg = arg);

    assert_ok(rc, &error);
    return db;
}

struct corm_db *open_db(const char *options)
{
    return open_watched(options, NULL, NULL);
}

static long long run_mariadb(const char *text)
{
    MYSQL    *mysql = connect_beside(database);
    long long number = 0;
    int       more = mysql_query(mysql, text);

    while (more == 0) {
        MYSQL_RES *rows = mysql_store_result(mysql);
        MYSQL_ROW  row = rows != NULL ? mysql_fetch_row(rows) : NULL;
        if (row != NULL && row[0] != NULL)
            number = strtoll(row[0], NULL, 10);
        mysql_free_result(rows);
        more = mysql_next_result(mysql);
    }
    if (more > 0)
        fail_msg("%s: %s", mysql_error(mysql), text); /* texts can be long, and a message is cut */
    mysql_close(mysql);
    return number;
}

static int take_number(void *arg, int count, char **values, char **names)
{
    (void)names;
    if (count > 0 && values[0] != NULL)
        *(long long *)arg = strtoll(values[0], NULL, 10);
    return 0;
}

static long long run_sqlite(const char *text)
{
    sqlite3  *file = NULL;
    long long number = 0;
    char     *message = NULL;

    assert_int_equal(sqlite3_open(base_url + strlen("sqlite:"), &file), SQLITE_OK);
    (void)sqlite3_busy_timeout(file, 5000);
    (void)sqlite3_exec(file, "PRAGMA wal_autocheckpoint=0", NULL, NULL, NULL);
    if (sqlite3_exec(file, text, take_number, &number, &message) != SQLITE_OK)
        fail_msg("%s: %s", text, message);
    (void)sqlite3_close(file);
    return number;
}

static long long run_text(const char *format, va_list args)
{
    char text[4096];

    (void)vsnprintf(text, sizeof(text), format, args);
    return on_mariadb ? run_mariadb(text) : run_sqlite(text);
}

void beside(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)run_text(format, args);
    va_end(args);
}

long long number_beside(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    long long number = run_text(format, args);
    va_end(args);
    return number;
}

/* ---- Numbers, time, threads ------------------------------------------------- */

struct corm_counters stats_of(const struct corm_db *db)
{
    struct corm_counters counters;

    corm_stats(db, &counters);
    return counters;
}

int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void wait_until(bool (*holds)(void *arg), void *arg)
{
    int64_t end = now_ms() + 20000;

    while (!holds(arg)) {
        if (now_ms() >= end)
            fail_msg("what was waited for did not happen");
        struct timespec pause = {.tv_nsec = 2000000};
        (void)nanosleep(&pause, NULL);
    }
}

void open_gate(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->is_open = true;
    pthread_cond_broadcast(&gate->opened);
    pthread_mutex_unlock(&gate->mutex);
}

bool pass_gate(struct gate *gate, uint32_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&gate->mutex);
    while (!gate->is_open &&
           pthread_cond_timedwait(&gate->opened, &gate->mutex, &until) != ETIMEDOUT)
        continue;
    bool is_open = gate->is_open;
    pthread_mutex_unlock(&gate->mutex);
    return is_open;
}

void run_threads(size_t count, void *(*work)(void *arg), void *args, size_t size)
{
    pthread_t threads[64];

    assert_true(count <= COUNT(threads));
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, work, (char *)args + i * size) != 0)
            die("no thread could be started");
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
}
