/* zdb_purchase: purchases written by hand with libzdb, a statement a round trip, each with a connection of its pool.
 *
 * --connections threads take the next purchase until there are none left; each borrows a connection for it. A
 * deadlock or a lock wait timeout rolls back and tries again. */
#include "shop_mariadb.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zdb.h>

const char *const program = "zdb_purchase";

enum { MAX_CONNECTIONS = 1000, MAX_ATTEMPTS = 100, URL_SIZE = 6 * PART_SIZE };
enum outcome { BOUGHT, REFUSED, FAILED };

struct shop {
    ConnectionPool_T     pool;
    const struct demand *demand;
    struct wish         *wishes;
    uint64_t            *latency_ns;
    pthread_barrier_t    ready;
    atomic_int           next, bought, refused, failed;
    atomic_llong         pieces;
};

static int stock_of(Connection_T connection, int id)
{
    PreparedStatement_T statement = Connection_prepareStatement(
        connection, "SELECT id, name, stock FROM product WHERE id = ? FOR UPDATE");
    PreparedStatement_setInt(statement, 1, id);
    ResultSet_T result = PreparedStatement_executeQuery(statement);

    if (!ResultSet_next(result))
        die("there is no product %d", id);
    return ResultSet_getInt(result, 3);
}

static void write_both(Connection_T connection, const struct wish *wish, int stock)
{
    PreparedStatement_T statement =
        Connection_prepareStatement(connection, "UPDATE product SET stock = ? WHERE id = ?");

    PreparedStatement_setInt(statement, 1, stock);
    PreparedStatement_setInt(statement, 2, wish->product);
    PreparedStatement_execute(statement);
    statement = Connection_prepareStatement(
        connection, "INSERT INTO `order` (user_id, product_id, qty) VALUES (1, ?, ?)");
    PreparedStatement_setInt(statement, 1, wish->product);
    PreparedStatement_setInt(statement, 2, wish->qty);
    PreparedStatement_execute(statement);
}

static enum outcome attempt(Connection_T connection, const struct wish *wish)
{
    int stock;

    Connection_beginTransaction(connection);
    stock = stock_of(connection, wish->product);
    if (stock < wish->qty) {
        Connection_rollback(connection);
        return REFUSED;
    }
    write_both(connection, wish, stock - wish->qty);
    Connection_commit(connection);
    return BOUGHT;
}

static bool may_try_again(const char *message)
{
    return strstr(message, "eadlock") != NULL || strstr(message, "try restarting") != NULL;
}

/* libzdb throws by longjmp(): what is used behind it is volatile. */
static enum outcome buy(struct shop *shop, const struct wish *wish)
{
    volatile enum outcome outcome = FAILED;
    volatile bool         again = true;

    for (volatile int i = 0; again && i < MAX_ATTEMPTS; i++) {
        Connection_T volatile connection = NULL;
        again = false;
        TRY
        {
            while ((connection = ConnectionPool_getConnection(shop->pool)) == NULL)
                sched_yield();
            outcome = attempt(connection, wish);
        }
        CATCH(SQLException)
        {
            again = may_try_again(Exception_frame.message);
            if (!again)
                fprintf(stderr, "%s: %s\n", program, Exception_frame.message);
        }
        END_TRY;
        if (connection != NULL)
            Connection_close(connection); /* rolls back what is open */
    }
    return outcome;
}

static void *buyer_main(void *arg)
{
    struct shop *shop = arg;
    int          i;

    pthread_barrier_wait(&shop->ready);
    while ((i = atomic_fetch_add(&shop->next, 1)) < shop->demand->purchases) {
        uint64_t began = now_ns();

        switch (buy(shop, &shop->wishes[i])) {
        case BOUGHT:
            atomic_fetch_add(&shop->bought, 1);
            atomic_fetch_add(&shop->pieces, shop->wishes[i].qty);
            break;
        case REFUSED: atomic_fetch_add(&shop->refused, 1); break;
        case FAILED: atomic_fetch_add(&shop->failed, 1); break;
        }
        shop->latency_ns[i] = now_ns() - began;
    }
    return NULL;
}

static struct totals run(struct shop *shop, int connections)
{
    pthread_t     threads[MAX_CONNECTIONS];
    struct totals t = {0};
    uint64_t      began;

    pthread_barrier_init(&shop->ready, NULL, (unsigned)connections + 1);
    for (int i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, buyer_main, shop) != 0)
            die("cannot start %d threads", connections);
    pthread_barrier_wait(&shop->ready);
    began = now_ns();
    for (int i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    t.seconds = (double)(now_ns() - began) / 1e9;
    pthread_barrier_destroy(&shop->ready);
    take_percentiles(&t, shop->latency_ns, (size_t)shop->demand->purchases);
    t.bought = shop->bought;
    t.refused = shop->refused;
    t.failed = shop->failed;
    t.pieces = shop->pieces;
    return t;
}

static ConnectionPool_T open_pool(const struct target *target, int connections)
{
    char             text[URL_SIZE];
    ConnectionPool_T pool;

    snprintf(text, sizeof text, "mysql://%s:%u/%s?user=%s&password=%s&charset=utf8mb4",
             target->host, target->port, target->database, target->user, target->password);
    URL_T url = URL_new(text);
    if (url == NULL)
        die("libzdb does not take the address");
    pool = ConnectionPool_new(url);
    ConnectionPool_setInitialConnections(pool, connections);
    ConnectionPool_setMaxConnections(pool, connections);
    ConnectionPool_start(pool);
    return pool;
}

static struct wish *wishes_of(const struct demand *demand)
{
    struct wish *wishes = allocate((size_t)demand->purchases, sizeof *wishes);
    uint64_t     random = mix(demand->seed) | 1;

    for (int i = 0; i < demand->purchases; i++)
        wishes[i] = wish_for(demand, &random, i, demand->purchases);
    return wishes;
}

int main(int argc, char **argv)
{
    struct demand     demand = usual_demand();
    int               connections = 4;
    const char       *address = NULL;
    struct option_row rows[] = {
        {"url", "URL", "mariadb://USER:PASSWORD@HOST:PORT/DATABASE", .text = &address},
        {"connections", "C", "of the pool, and as many threads (4)", &connections, 1,
         MAX_CONNECTIONS, NULL, NULL},
        {0},
    };

    read_options(argc, argv, "--url URL [options]", rows, &demand);
    struct target target = target_of(address);
    MYSQL        *db = connect_to(&target);
    create_tables(db);
    add_products(db, demand.products, demand.stock);
    struct ledger before = read_ledger(db, demand.stock);
    struct shop   shop = {.pool = open_pool(&target, connections),
                          .demand = &demand,
                          .wishes = wishes_of(&demand),
                          .latency_ns = allocate((size_t)demand.purchases, sizeof(uint64_t))};
    struct totals t = run(&shop, connections);
    struct ledger after = read_ledger(db, demand.stock);
    t.invariant = ledger_agrees(&before, &after, &t);
    ConnectionPool_stop(shop.pool);
    mysql_close(db);
    print_totals(&(struct asked){.how = "libzdb", .connections = connections, .demand = &demand},
                 &t);
    free(shop.wishes);
    free(shop.latency_ns);
    return t.invariant && t.failed == 0 ? 0 : 1;
}
