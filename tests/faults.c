/* tests/faults.c -- a wire that breaks as a test tells it, and a server that stands still. */
#include "faults.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct proxy {
    pid_t    pid;
    FILE    *to, *from;
    unsigned port;
    char     answer[160];
};

static void die(const char *what, const char *more)
{
    (void)fprintf(stderr, "# cannot go on: %s%s\n", what, more);
    abort();
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL)
        die("not in the environment: ", name);
    return value;
}

/* ---- The proxy --------------------------------------------------------------- */

static void start_program(struct proxy *proxy, char *const *arguments)
{
    posix_spawn_file_actions_t actions;
    int                        in[2], out[2];
    char                      *no_environment[] = {NULL};

    /* Another proxy that is started at the same time must not keep these ends open. */
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        die("no pipe", "");
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    if (posix_spawn(&proxy->pid, arguments[0], &actions, NULL, arguments, no_environment) != 0)
        die("cannot start ", arguments[0]);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(in[0]);
    (void)close(out[1]);
    proxy->to = fdopen(in[1], "w");
    proxy->from = fdopen(out[0], "r");
}

struct proxy *start_proxy(void)
{
    struct proxy *proxy = calloc(1, sizeof(*proxy));
    char          server[64], program[512], to[] = "--to";
    char         *arguments[] = {program, to, server, NULL};
    char          line[64] = "";

    if (proxy == NULL)
        die("no memory", "");
    (void)snprintf(program, sizeof(program), "%s", environment("CORM_TEST_PROXY"));
    (void)snprintf(server, sizeof(server), "127.0.0.1:%s", environment("CORM_TEST_MARIADB_PORT"));
    start_program(proxy, arguments);
    if (fgets(line, sizeof(line), proxy->from) == NULL || strncmp(line, "port ", 5) != 0)
        die("the proxy did not start", "");
    proxy->port = (unsigned)strtoul(line + 5, NULL, 10);
    return proxy;
}

unsigned proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

enum { COMMAND_SIZE = 128 };

/* The answer lives until the next question. */
static const char *ask(struct proxy *proxy, const char *command)
{
    (void)fprintf(proxy->to, "%s\n", command);
    (void)fflush(proxy->to);
    if (fgets(proxy->answer, sizeof(proxy->answer), proxy->from) == NULL)
        die("the proxy is gone at: ", command);
    return proxy->answer;
}

bool try_proxy(struct proxy *proxy, const char *format, ...)
{
    char    command[COMMAND_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return strcmp(ask(proxy, command), "ok\n") == 0;
}

void tell_proxy(struct proxy *proxy, const char *format, ...)
{
    char    command[COMMAND_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    if (!try_proxy(proxy, "%s", command))
        die("the proxy does not obey: ", command);
}

/* The number behind a word, from *at on, which it moves. */
static uint64_t number_after(const char **at, const char *word)
{
    const char *found = strstr(*at, word);
    char       *end;

    if (found == NULL)
        die("the proxy does not say: ", word);
    uint64_t number = strtoull(found + strlen(word), &end, 10);
    *at = end;
    return number;
}

unsigned proxy_connections(struct proxy *proxy)
{
    const char *answer = ask(proxy, "counts");

    return (unsigned)number_after(&answer, "connections ");
}

bool proxy_wire(struct proxy *proxy, unsigned number, struct wire *wire)
{
    char        command[COMMAND_SIZE];
    const char *answer;

    (void)snprintf(command, sizeof(command), "counts %u", number);
    answer = ask(proxy, command);
    if (strncmp(answer, "no", 2) == 0)
        return false;
    wire->up = number_after(&answer, " up ");
    wire->up_waiting = number_after(&answer, " waiting ");
    wire->down = number_after(&answer, " down ");
    wire->down_waiting = number_after(&answer, " waiting ");
    wire->port = (unsigned)number_after(&answer, " port ");
    return true;
}

void stop_proxy(struct proxy *proxy)
{
    (void)fclose(proxy->to);
    (void)waitpid(proxy->pid, NULL, 0);
    (void)fclose(proxy->from);
    free(proxy);
}

/* ---- The server -------------------------------------------------------------- */

static long server_id(void)
{
    FILE *file = fopen(environment("CORM_TEST_MARIADB_PIDFILE"), "r");
    char  text[32] = "";

    if (file == NULL || fgets(text, sizeof(text), file) == NULL)
        die("the server has left no process id", "");
    (void)fclose(file);
    long pid = strtol(text, NULL, 10);
    if (pid <= 1)
        die("this is no process id: ", text);
    return pid;
}

/* Whether the kernel says so: a signal may take a moment to all threads. */
static bool is_stopped(long pid)
{
    char  path[64], text[512] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    file = fopen(path, "r");
    if (file == NULL || fgets(text, sizeof(text), file) == NULL)
        die("the server is gone", "");
    (void)fclose(file);
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && name_end[1] == ' ' && name_end[2] == 'T';
}

void stop_server(void)
{
    long            pid = server_id();
    struct timespec pause = {.tv_nsec = 1000000};

    if (kill((pid_t)pid, SIGSTOP) != 0)
        die("cannot stop the server", "");
    while (!is_stopped(pid))
        (void)nanosleep(&pause, NULL);
}

void continue_server(void)
{
    if (kill((pid_t)server_id(), SIGCONT) != 0)
        die("cannot continue the server", "");
}

void kill_server(void)
{
    if (kill((pid_t)server_id(), SIGKILL) != 0)
        die("cannot kill the server", "");
}

void start_server(void)
{
    struct timespec pause = {.tv_nsec = 20000000};

    for (int tries = 0; system(environment("CORM_TEST_MARIADB_START")) != 0; tries++) {
        if (tries == 20) /* it does not start while the process that was killed is not gone */
            die("the server does not start again", "");
        (void)nanosleep(&pause, NULL);
    }
}
