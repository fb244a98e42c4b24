/* bench/zdb_statements.c -- the statement bench with libzdb, as one writes it by hand: see statements.h. It prepares
 * each statement anew and fetches, and inserts, row by row: there is no other way. */
#include "statements.h"

#include "shop_mariadb.h"

#include <zdb.h>

const char *const program = "zdb_statements";

enum { URL_SIZE = 6 * PART_SIZE };

static Connection_T connection;

static uint64_t sum_of_row(ResultSet_T row)
{
    /* What is NULL comes as NULL. */
    return sum_of(ResultSet_getInt(row, 1), ResultSet_getString(row, 2), ResultSet_getInt(row, 3),
                  ResultSet_getDouble(row, 4), ResultSet_getString(row, 5));
}

static void point(uint32_t n)
{
    uint64_t all = 0;
    double   begin = now();

    for (uint32_t i = 1; i <= n; i++) {
        PreparedStatement_T statement = Connection_prepareStatement(
            connection, "SELECT id, name, stock, price, note FROM item WHERE id = ?");
        PreparedStatement_setInt(statement, 1, key_of(i));
        ResultSet_T row = PreparedStatement_executeQuery(statement);
        if (!ResultSet_next(row))
            fail("point", "there is no such row");
        all += sum_of_row(row);
        Connection_clear(connection);
    }
    report(now() - begin, n, all);
}

static void fetch(uint32_t n)
{
    uint64_t all = 0;
    uint32_t count = 0;
    double   begin = now();

    PreparedStatement_T statement = Connection_prepareStatement(
        connection, "SELECT id, name, stock, price, note FROM item WHERE id <= ? ORDER BY id");
    PreparedStatement_setInt(statement, 1, (int)n);
    ResultSet_T rows = PreparedStatement_executeQuery(statement);
    for (; ResultSet_next(rows); count++)
        all += sum_of_row(rows);
    if (count != n)
        fail("fetch", "not as many rows as there should be");
    report(now() - begin, n, all);
}

static void insert(PreparedStatement_T statement, int32_t id, const char *name, const char *note)
{
    PreparedStatement_setInt(statement, 1, id);
    PreparedStatement_setString(statement, 2, name);
    PreparedStatement_setInt(statement, 3, stock_of(id));
    PreparedStatement_setDouble(statement, 4, price_of(id));
    PreparedStatement_setString(statement, 5, note);
    PreparedStatement_execute(statement);
}

/* Into a table of its own: the one of the others has to stay whole. */
static void bulk(uint32_t n)
{
    char     name[ITEM_NAME_SIZE], note[NOTE_SIZE];
    uint64_t all = 0;
    double   begin;

    Connection_execute(connection, "DROP TABLE IF EXISTS item_by_zdb");
    Connection_execute(connection, "CREATE TABLE item_by_zdb LIKE item");
    begin = now();
    Connection_beginTransaction(connection);
    PreparedStatement_T statement = Connection_prepareStatement(
        connection, "INSERT INTO item_by_zdb (id, name, stock, price, note)"
                    " VALUES (?, ?, ?, ?, ?)");
    for (uint32_t i = 1; i <= n; i++) {
        int32_t     id = (int32_t)i;
        const char *text = note_of(id, note);
        insert(statement, id, name_of(id, name), text);
        all += sum_of(id, name, stock_of(id), price_of(id), text);
    }
    Connection_commit(connection);
    report(now() - begin, n, all);
    Connection_execute(connection, "DROP TABLE item_by_zdb");
}

int main(int argc, char **argv)
{
    char text[URL_SIZE];

    if (argc != 4)
        fail("usage", "zdb_statements URL point|fetch|bulk N");
    struct target target = target_of(argv[1]);
    (void)snprintf(text, sizeof text, "mysql://%s:%u/%s?user=%s&password=%s&charset=utf8mb4",
                   target.host, target.port, target.database, target.user, target.password);
    URL_T            url = URL_new(text);
    ConnectionPool_T pool = ConnectionPool_new(url);
    ConnectionPool_start(pool);
    connection = ConnectionPool_getConnection(pool);
    if (connection == NULL)
        fail("open", "no connection");
    uint32_t n = (uint32_t)strtoul(argv[3], NULL, 10);
    if (strcmp(argv[2], "point") == 0)
        point(n);
    else if (strcmp(argv[2], "fetch") == 0)
        fetch(n);
    else
        bulk(n);
    Connection_close(connection);
    ConnectionPool_stop(pool);
    ConnectionPool_free(&pool);
    URL_free(&url);
    return 0;
}
