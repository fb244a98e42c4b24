/* shop_mariadb.c -- the shop's tables on a server, for the programs that use Connector/C. */
#include "shop_mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_SECONDS = 10,
    REPLY_SECONDS = 120, /* beyond the server's lock wait timeout */
};

MYSQL *connect_to(const struct target *t)
{
    unsigned int protocol = MYSQL_PROTOCOL_TCP;
    unsigned int connect_seconds = CONNECT_SECONDS;
    unsigned int reply_seconds = REPLY_SECONDS;
    MYSQL       *db = mysql_init(NULL);

    if (db == NULL)
        die("out of memory");
    mysql_options(db, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(db, MYSQL_OPT_CONNECT_TIMEOUT, &connect_seconds);
    mysql_options(db, MYSQL_OPT_READ_TIMEOUT, &reply_seconds);
    mysql_options(db, MYSQL_OPT_WRITE_TIMEOUT, &reply_seconds);
    mysql_options(db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!mysql_real_connect(db, t->host, t->user, t->password, t->database, t->port, NULL, 0))
        die("cannot connect to %s:%u: %s", t->host, t->port, mysql_error(db));
    return db;
}

MYSQL_BIND bind_int(int *value)
{
    MYSQL_BIND bind;

    memset(&bind, 0, sizeof bind);
    bind.buffer_type = MYSQL_TYPE_LONG;
    bind.buffer = value;
    return bind;
}

/* ---- the tables ------------------------------------------------------------------------ */

void run_or_die(MYSQL *db, const char *sql)
{
    if (mysql_real_query(db, sql, strlen(sql)) != 0)
        die("%s (while running: %.60s)", mysql_error(db), sql);
}

void create_tables(MYSQL *db)
{
    run_or_die(db, "DROP TABLE IF EXISTS `order`");
    run_or_die(db, "DROP TABLE IF EXISTS product");
    run_or_die(db, "CREATE TABLE product (id INT AUTO_INCREMENT PRIMARY KEY, "
                   "name VARCHAR(20) NOT NULL, stock INT NOT NULL) ENGINE=InnoDB");
    run_or_die(db, "CREATE TABLE `order` (id INT AUTO_INCREMENT PRIMARY KEY, user_id INT NOT NULL, "
                   "product_id INT NOT NULL, qty INT NOT NULL) ENGINE=InnoDB");
}

void add_products(MYSQL *db, int products, int stock)
{
    char   sql[16384];
    size_t used = 0;

    for (int id = 1; id <= products; id++) {
        const char *before = used == 0 ? "INSERT INTO product (id, name, stock) VALUES " : ", ";

        used += (size_t)snprintf(sql + used, sizeof sql - used, "%s(%d, 'product %d', %d)", before,
                                 id, id, stock);
        if (id == products || used > sizeof sql - SQL_SIZE) {
            run_or_die(db, sql);
            used = 0;
        }
    }
}

static int64_t read_number(MYSQL *db, const char *sql)
{
    MYSQL_RES *result;
    MYSQL_ROW  row;
    int64_t    number;

    run_or_die(db, sql);
    result = mysql_store_result(db);
    if (result == NULL)
        die("%s (while running: %.60s)", mysql_error(db), sql);
    row = mysql_fetch_row(result);
    if (row == NULL || row[0] == NULL)
        die("no answer (to: %.60s)", sql);
    number = strtoll(row[0], NULL, 10);
    mysql_free_result(result);
    return number;
}

struct ledger read_ledger(MYSQL *db, int stock_given)
{
    struct ledger l;
    char          sql[2 * SQL_SIZE];

    snprintf(sql, sizeof sql,
             "SELECT COUNT(*) FROM product p LEFT JOIN "
             "(SELECT product_id, SUM(qty) AS pieces FROM `order` GROUP BY product_id) o "
             "ON o.product_id = p.id "
             "WHERE p.stock < 0 OR p.stock + COALESCE(o.pieces, 0) <> %d",
             stock_given);
    l.wrong_products = read_number(db, sql);
    l.stock = read_number(db, "SELECT SUM(stock) FROM product");
    l.order_rows = read_number(db, "SELECT COUNT(*) FROM `order`");
    l.pieces = read_number(db, "SELECT COALESCE(SUM(qty), 0) FROM `order`");
    return l;
}

/* ---- the address ------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Copies a part of the address, with %XX decoded. */
static bool take_part(char *out, const char *from, const char *to)
{
    size_t used = 0;

    for (const char *p = from; p < to; p++) {
        char c = *p;

        if (c == '%') {
            int high = to - p > 2 ? hex_digit(p[1]) : -1;
            int low = to - p > 2 ? hex_digit(p[2]) : -1;

            if (high < 0 || low < 0 || high + low == 0)
                return false;
            c = (char)(high * 16 + low);
            p += 2;
        }
        if (used == PART_SIZE - 1)
            return false;
        out[used++] = c;
    }
    out[used] = '\0';
    return true;
}

static bool parse_url(const char *url, struct target *t)
{
    const char *scheme_end = strstr(url, "://");
    const char *user = scheme_end == NULL ? NULL : scheme_end + 3;
    const char *at = user == NULL ? NULL : strrchr(user, '@');
    const char *slash = at == NULL ? NULL : strchr(at, '/');
    const char *user_end;
    const char *host_end;
    int64_t     port = 3306;

    if (slash == NULL || slash[1] == '\0')
        return false;
    if (strncmp(url, "mariadb:", 8) != 0 && strncmp(url, "mysql:", 6) != 0)
        return false;
    user_end = memchr(user, ':', (size_t)(at - user));
    host_end = memchr(at, ':', (size_t)(slash - at));
    if (host_end != NULL && !parse_whole(host_end + 1, slash, 1, 65535, &port))
        return false;
    t->port = (unsigned int)port;
    return take_part(t->user, user, user_end == NULL ? at : user_end) &&
           take_part(t->password, user_end == NULL ? at : user_end + 1, at) &&
           take_part(t->host, at + 1, host_end == NULL ? slash : host_end) &&
           take_part(t->database, slash + 1, slash + strlen(slash)) && t->host[0] != '\0';
}

struct target target_of(const char *url)
{
    struct target target = {0};

    if (url == NULL)
        die("--url is missing (--help tells more)");
    if (!parse_url(url, &target))
        die("--url wants mariadb://USER:PASSWORD@HOST:PORT/DATABASE");
    return target;
}
