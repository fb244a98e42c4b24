/* tests/servers.h -- the servers that scripts/with-mariadbs has started, which know nothing of each other: finding,
 * opening, killing and stopping them. Numbered from 1, as in the variables. What fails here fails the test. */
#ifndef CORM_TESTS_SERVERS_H
#define CORM_TESTS_SERVERS_H

#include <corm/corm.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A variable of a server: CORM_TEST_NODE_1_PORT and the like. */
const char *of_node(int node, const char *name);

struct told {
    int  count;
    char text[600];
};

/* Opens a database "shop" on these servers, by the environment. `hosts` is DB_HOST. `told` takes the warnings, and
 * may be NULL. */
int open_nodes(struct corm_db **db, const char *hosts, const int *nodes, size_t count,
               struct told *told, struct corm_error *error);

/* As .on_warning; `arg` is a struct told. */
void note_warning(const char *text, void *arg);

/* A handle for one of them alone. */
struct corm_db *open_one(int node);

pid_t process_of(int node);
void  send_signal(int node, int number);

/* Starts one again that was killed. */
void start_node(int node);

/* SIGSTOP, which is not obeyed at once by all threads; false where it still runs after 20 seconds. */
bool stop_node(int node);

#endif
