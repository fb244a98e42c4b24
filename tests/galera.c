/* tests/galera.c -- the cluster that scripts/with-galera has started, beside corm. */
#include "galera.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void die(const char *what, const char *more)
{
    (void)fprintf(stderr, "# cannot go on: %s%s\n", what, more);
    abort();
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL)
        die("this runs under scripts/with-galera, which sets ", name);
    return value;
}

static const char *of_node(int node, const char *what)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "CORM_TEST_GALERA_%d_%s", node, what);
    return environment(name);
}

static void sleep_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&pause, NULL);
}

const char *node_host(int node)
{
    (void)node;
    return "127.0.0.1";
}

uint16_t node_port(int node)
{
    return (uint16_t)strtoul(of_node(node, "PORT"), NULL, 10);
}

char *galera_url(const char *nodes, const char *options)
{
    char  *url = NULL;
    size_t size = 0;
    FILE  *text = open_memstream(&url, &size);

    (void)fprintf(text, "mariadb://%s:%s@", environment("CORM_TEST_GALERA_USER"),
                  environment("CORM_TEST_GALERA_PASSWORD"));
    for (const char *n = nodes, *comma = ""; *n != '\0'; n++, comma = ",") {
        bool reads = *n == 'r';
        n += reads;
        (void)fprintf(text, "%s%s%s:%u", comma, reads ? "reader@" : "", node_host(*n - '0'),
                      (unsigned)node_port(*n - '0'));
    }
    (void)fprintf(text, "/%s%s%s", environment("CORM_TEST_GALERA_DATABASE"),
                  options != NULL ? "?" : "", options != NULL ? options : "");
    if (fclose(text) != 0)
        die("no memory", "");
    return url;
}

/* ---- Beside corm ------------------------------------------------------------------------ */

MYSQL *try_node(int node)
{
    MYSQL       *mysql = mysql_init(NULL);
    unsigned int seconds = 5, protocol = MYSQL_PROTOCOL_TCP;

    mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_optionsv(mysql, MYSQL_OPT_READ_TIMEOUT, &seconds);
    mysql_optionsv(mysql, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    if (mysql_real_connect(mysql, node_host(node), environment("CORM_TEST_GALERA_USER"),
                           environment("CORM_TEST_GALERA_PASSWORD"),
                           environment("CORM_TEST_GALERA_DATABASE"), node_port(node), NULL,
                           0) != NULL)
        return mysql;
    mysql_close(mysql);
    return NULL;
}

MYSQL *open_node(int node)
{
    MYSQL *mysql = try_node(node);

    for (int tries = 0; mysql == NULL && tries < 100; tries++) {
        sleep_ms(100);
        mysql = try_node(node);
    }
    if (mysql == NULL)
        die("a node does not answer", "");
    return mysql;
}

static bool ask(MYSQL *mysql, long long *number, const char *format, va_list arguments)
{
    char text[2048];
    int  size = vsnprintf(text, sizeof(text), format, arguments);

    *number = 0;
    if (size < 0 || (size_t)size >= sizeof(text))
        die("a statement is too long: ", format);
    if (mysql_real_query(mysql, text, (unsigned long)size) != 0)
        return false;
    MYSQL_RES *rows = mysql_store_result(mysql);
    MYSQL_ROW  row = rows != NULL ? mysql_fetch_row(rows) : NULL;
    if (row != NULL && row[mysql_num_fields(rows) - 1] != NULL)
        *number = strtoll(row[mysql_num_fields(rows) - 1], NULL, 10);
    mysql_free_result(rows);
    return mysql_errno(mysql) == 0;
}

bool try_ask(MYSQL *mysql, long long *number, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    bool ok = ask(mysql, number, format, arguments);
    va_end(arguments);
    return ok;
}

long long ask_node(MYSQL *mysql, const char *format, ...)
{
    long long number;
    va_list   arguments;

    va_start(arguments, format);
    if (!ask(mysql, &number, format, arguments))
        die(format, mysql_error(mysql));
    va_end(arguments);
    return number;
}

long long node_status(int node, const char *name)
{
    MYSQL    *mysql = open_node(node);
    long long number = ask_node(mysql, "SHOW GLOBAL STATUS LIKE '%s'", name);

    mysql_close(mysql);
    return number;
}

long long cluster_status(const char *name)
{
    long long sum = 0;

    for (int node = 1; node <= NODES; node++)
        sum += node_status(node, name);
    return sum;
}

static bool is_synced(int node)
{
    MYSQL    *mysql = try_node(node);
    long long state = 0, size = 0;

    if (mysql == NULL)
        return false;
    bool ok = try_ask(mysql, &state, "SHOW GLOBAL STATUS LIKE 'wsrep_local_state'") &&
              try_ask(mysql, &size, "SHOW GLOBAL STATUS LIKE 'wsrep_cluster_size'");
    mysql_close(mysql);
    return ok && state == 4 && size == NODES;
}

void wait_until_synced(void)
{
    for (int tries = 0; !(is_synced(1) && is_synced(2) && is_synced(3)); tries++) {
        if (tries == 1200)
            die("the cluster does not come together again", "");
        sleep_ms(100);
    }
}

/* ---- Faults ----------------------------------------------------------------------------- */

static pid_t process_of(int node)
{
    FILE *file = fopen(of_node(node, "PIDFILE"), "r");
    char  text[32] = "";

    if (file == NULL || fgets(text, sizeof(text), file) == NULL)
        die("a node has left no process id", "");
    (void)fclose(file);
    long pid = strtol(text, NULL, 10);
    if (pid <= 1)
        die("this is no process id: ", text);
    return (pid_t)pid;
}

static void send_signal(int node, int number)
{
    if (kill(process_of(node), number) != 0)
        die("a node takes no signal: ", strerror(errno)); /* NOLINT(concurrency-mt-unsafe) */
}

void kill_node(int node)
{
    send_signal(node, SIGKILL);
}

void end_node(int node)
{
    pid_t pid = process_of(node);

    send_signal(node, SIGTERM);
    for (int tries = 0; kill(pid, 0) == 0; tries++) {
        if (tries == 600)
            die("a node does not end", "");
        sleep_ms(100);
    }
}

void start_node(int node)
{
    /* it does not start while the process that was killed is not gone */
    for (int tries = 0; system(of_node(node, "START")) != 0; tries++) {
        if (tries == 3)
            die("a node does not start again", "");
        sleep_ms(500);
    }
}

void stop_node(int node)
{
    send_signal(node, SIGSTOP);
}

void continue_node(int node)
{
    send_signal(node, SIGCONT);
}

void desync_node(int node, bool desynced)
{
    MYSQL    *mysql = open_node(node);
    long long ignored;

    if (!try_ask(mysql, &ignored, "SET GLOBAL wsrep_desync = %d", desynced))
        die("wsrep_desync: ", mysql_error(mysql));
    mysql_close(mysql);
}

void isolate_node(int node, bool isolated)
{
    MYSQL    *mysql = NULL;
    long long ignored;

    /* A node that comes back may close connections meanwhile. */
    for (int tries = 0; tries < 100; tries++) {
        mysql = try_node(node);
        if (mysql != NULL &&
            try_ask(mysql, &ignored, "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=%d'",
                    isolated)) {
            mysql_close(mysql);
            return;
        }
        if (mysql != NULL)
            mysql_close(mysql);
        sleep_ms(100);
    }
    die("a node cannot be isolated", "");
}
