/* tests/support.c -- a database of its own for each test program. */
#include "support.h"

#include <mysql.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool  on_mariadb;
static char  folder[] = "/tmp/corm-test-XXXXXX";
static char  base_url[512], database[64];
static char  url[1024];

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

static MYSQL *connect_beside(const char *to)
{
    MYSQL       *mysql = mysql_init(NULL);
    unsigned int port = (unsigned int)strtoul(environment("CORM_TEST_MARIADB_PORT"), NULL, 10);
    unsigned int protocol = MYSQL_PROTOCOL_TCP;

    mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    if (mysql_real_connect(mysql, "127.0.0.1", environment("CORM_TEST_MARIADB_USER"),
                           environment("CORM_TEST_MARIADB_PASSWORD"), to, port, NULL,
                           CLIENT_MULTI_STATEMENTS) == NULL)
        die(mysql_error(mysql));
    return mysql;
}

void support_begin(int argc, char **argv)
{
    if (argc != 2 || (strcmp(argv[1], "sqlite") != 0 && strcmp(argv[1], "mariadb") != 0))
        die("the argument is sqlite or mariadb");
    on_mariadb = strcmp(argv[1], "mariadb") == 0;
    if (!on_mariadb) {
        if (mkdtemp(folder) == NULL)
            die("no temporary folder");
        (void)snprintf(base_url, sizeof(base_url), "sqlite:%s/test.db", folder);
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
                   environment("CORM_TEST_MARIADB_USER"),
                   environment("CORM_TEST_MARIADB_PASSWORD"), environment("CORM_TEST_MARIADB_PORT"),
                   database);
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
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s/test.db%s", folder, endings[i]);
        (void)unlink(text);
    }
    (void)rmdir(folder);
}

bool is_mariadb(void)
{
    return on_mariadb;
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
    int rc = corm_open(&db, test_url(options), .error = &error, .on_statement = hook,
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
        fail_msg("%s: %s", text, mysql_error(mysql));
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
