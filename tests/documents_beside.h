/* documents_beside.h -- runs the purchases of docs/coming-from.md that are written without corm.
 *
 * Included behind the pieces of that document. BESIDE_MYSQL and BESIDE_ZDB say whose piece is there. */
#ifndef DOCUMENTS_BESIDE_H
#define DOCUMENTS_BESIDE_H

/* What has left the stock must be in an order. */
static void must_balance(int64_t taken)
{
    int64_t stock = 0, pieces = 0;

    must_have_worked(corm_sum(db, product, product.stock, &stock, .where = corm_eq(product.id, 1)));
    must_have_worked(
        corm_sum(db, order, order.qty, &pieces, .where = corm_eq(order.product_id, 1)));
    must_be_number("stock", (double)stock, 1000 - (double)taken);
    must_be_number("pieces", (double)pieces, 15 + (double)taken);
}

#ifdef BESIDE_MYSQL
static void run_by_hand(const char *url)
{
    MYSQL *mysql = mysql_init(NULL);

    document_place = "docs/coming-from.md, purchase_by_hand";
    if (mysql_real_connect(mysql, "127.0.0.1", getenv("CORM_TEST_MARIADB_USER"),
                           getenv("CORM_TEST_MARIADB_PASSWORD"), strrchr(url, '/') + 1,
                           (unsigned)atoi(getenv("CORM_TEST_MARIADB_PORT")), NULL, 0) == NULL)
        must_be_text("mysql_real_connect", mysql_error(mysql), "");
    must_be_number("purchase_by_hand", purchase_by_hand(mysql, 1, 1, 30), 0);
    must_be_number("purchase_by_hand", purchase_by_hand(mysql, 1, 1, 10000), 1);
    must_balance(30);
    mysql_close(mysql);
}
#endif

#ifdef BESIDE_ZDB
static void run_by_zdb(const char *url)
{
    char text[400];

    document_place = "docs/coming-from.md, purchase_by_zdb";
    (void)snprintf(text, sizeof(text), "mysql://127.0.0.1:%s/%s?user=%s&password=%s",
                   getenv("CORM_TEST_MARIADB_PORT"), strrchr(url, '/') + 1,
                   getenv("CORM_TEST_MARIADB_USER"), getenv("CORM_TEST_MARIADB_PASSWORD"));
    URL_T            where = URL_new(text);
    ConnectionPool_T pool = ConnectionPool_new(where);
    ConnectionPool_start(pool);
    must_be_number("purchase_by_zdb", purchase_by_zdb(pool, 1, 1, 30), 0);
    must_be_number("purchase_by_zdb", purchase_by_zdb(pool, 1, 1, 10000), 1);
    must_balance(30);
    ConnectionPool_stop(pool);
    ConnectionPool_free(&pool);
    URL_free(&where);
}
#endif

#endif
