/* tests/galera.h -- the cluster that scripts/with-galera has started, beside corm: what its nodes say, and what
 * becomes of them. Nodes are numbered from 1, as in the variables.
 *
 * What fails here ends the program with a message, so that all of it may be used in threads. */
#ifndef CORM_TESTS_GALERA_H
#define CORM_TESTS_GALERA_H

#include <mysql.h>
#include <stdbool.h>
#include <stdint.h>

enum { NODES = 3 };

/* The URL of these nodes in this order, each a digit, behind an r where it is a reader: "123", "3r1"; with options, or NULL. The caller frees it. */
char *galera_url(const char *nodes, const char *options);

/* The name of a node as the URL has it. */
const char *node_host(int node);
uint16_t    node_port(int node);

/* ---- Beside corm ------------------------------------------------------------------------ */

/* A connection to one node, which waits for five seconds at most; NULL where it does not answer. */
MYSQL *try_node(int node);
MYSQL *open_node(int node);

/* Runs SQL. The number is the first column of the first row, or 0. */
long long ask_node(MYSQL *mysql, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, with false where it failed. */
bool try_ask(MYSQL *mysql, long long *number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A number of SHOW GLOBAL STATUS. */
long long node_status(int node, const char *name);
/* The sum over all nodes. */
long long cluster_status(const char *name);

/* Waits until each node is Synced in a primary component of all, for two minutes at most. */
void wait_until_synced(void);

/* ---- Faults ----------------------------------------------------------------------------- */

void kill_node(int node);  /* SIGKILL */
void end_node(int node);   /* SIGTERM, and waits until it has ended */
void start_node(int node); /* again; waits until it is Synced */
void stop_node(int node);  /* SIGSTOP */
void continue_node(int node);

/* Lets a node fall behind the others, where its clients see it as desynced, and ends that. */
void desync_node(int node, bool desynced);

/* Cuts a node off from the others, and ends that; its clients still reach it. */
void isolate_node(int node, bool isolated);

#endif
