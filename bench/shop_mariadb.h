/* shop_mariadb.h -- the shop's tables on a server, for the programs that use Connector/C. */
#ifndef BENCH_SHOP_MARIADB_H
#define BENCH_SHOP_MARIADB_H

#include "shop.h"

#include <mysql.h>

enum {
    SQL_SIZE = 256,         /* a statement with its numbers written in */
    PART_SIZE = 256,        /* a part of the address, and a message */
    NAME_SIZE = 20 * 4 + 1, /* VARCHAR(20) in utf8mb4, and the end */
    DEADLOCK = 1213,
    LOCK_WAIT_TIMEOUT = 1205,
};

struct target {
    char         user[PART_SIZE];
    char         password[PART_SIZE];
    char         host[PART_SIZE];
    char         database[PART_SIZE];
    unsigned int port;
};

/* mariadb://user:password@host:port/database, or the end of the program; NULL is no such URL. No message
 * holds it, as it holds a password. */
struct target target_of(const char *url);

/* Each ends the program where it fails. */
MYSQL        *connect_to(const struct target *t);
void          run_or_die(MYSQL *db, const char *sql);
void          create_tables(MYSQL *db); /* product and order, anew */
void          add_products(MYSQL *db, int products, int stock);
struct ledger read_ledger(MYSQL *db, int stock_given);

/* A parameter, or a column of a result. */
MYSQL_BIND bind_int(int *value);

#endif
