/* servers.c -- the servers that scripts/with-mariadbs has started: finding, opening, killing and stopping them. */
#include "servers.h"
#include "support.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *of_node(int node, const char *name)
{
    char variable[64];

    (void)snprintf(variable, sizeof(variable), "CORM_TEST_NODE_%d_%s", node, name);
    const char *value = getenv(variable);
    if (value == NULL)
        fail_msg("%s is not set: run it by scripts/with-mariadbs 3", variable);
    return value;
}

/* A list for the environment: `part` of each node, with commas between. */
static void set_list(const char *variable, const char *part, const int *nodes, size_t count)
{
    char   text[512] = "";
    size_t used = 0;

    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? "," : "",
                                 of_node(nodes[i], part));
    assert_int_equal(setenv(variable, text, 1), 0);
}

void note_warning(const char *text, void *arg)
{
    struct told *told = arg;

    told->count++;
    (void)snprintf(told->text, sizeof(told->text), "%s", text);
}

int open_nodes(struct corm_db **db, const char *hosts, const int *nodes, size_t count,
               struct told *told, struct corm_error *error)
{
    (void)unsetenv("DATABASE_URL");
    (void)setenv("DB_DATABASE", "shop", 1);
    (void)setenv("DB_CLUSTER", "true", 1);
    (void)setenv("DB_HOST", hosts, 1);
    (void)setenv("DB_CONNECTION_LIMIT", "6", 1);
    set_list("DB_PORT", "PORT", nodes, count);
    set_list("DB_USERNAME", "USER", nodes, count);
    set_list("DB_PASSWORD", "PASSWORD", nodes, count);
    return corm_open(db, NULL, .error = error, .on_warning = told != NULL ? note_warning : NULL,
                     .on_warning_arg = told);
}

struct corm_db *open_one(int node)
{
    struct corm_error error = {0};
    struct corm_db   *db = NULL;

    assert_ok(open_nodes(&db, "127.0.0.1", &node, 1, NULL, &error), &error);
    return db;
}

/* ---- Faults ------------------------------------------------------------------------------ */

pid_t process_of(int node)
{
    FILE *file = fopen(of_node(node, "PIDFILE"), "r");
    char  text[32] = "";

    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    (void)fclose(file);
    long pid = strtol(text, NULL, 10);
    assert_true(pid > 1);
    return (pid_t)pid;
}

void send_signal(int node, int number)
{
    assert_int_equal(kill(process_of(node), number), 0);
}

static bool starts(void *arg)
{
    return system(of_node(*(int *)arg, "START")) == 0;
}

void start_node(int node)
{
    wait_until(starts, &node); /* it does not while the process that was killed is not gone */
}

/* Whether all threads of a process stand still. */
static bool stands_still(pid_t pid)
{
    char           path[320], line[512];
    const char    *behind;
    bool           all = true;
    struct dirent *entry;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    while (tasks != NULL && all && (entry = readdir(tasks)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", (int)pid, entry->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        if (fgets(line, sizeof(line), file) != NULL && (behind = strrchr(line, ')')) != NULL)
            all = behind[2] == 'T';
        (void)fclose(file);
    }
    if (tasks != NULL)
        (void)closedir(tasks);
    return tasks != NULL && all;
}

bool stop_node(int node)
{
    pid_t   pid = process_of(node);
    int64_t until = now_ms() + 20000;

    if (kill(pid, SIGSTOP) != 0)
        return false;
    while (!stands_still(pid) && now_ms() < until)
        (void)sched_yield();
    return stands_still(pid);
}
