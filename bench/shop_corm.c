/* shop_corm.c -- the shop's tables as models, for the programs that use corm. */
#include "shop_corm.h"

#include <stdio.h>
#include <stdlib.h>

CORM_DEFINE(product, PRODUCT);
CORM_DEFINE(order, ORDER);

void check(int64_t rc, const struct corm_error *error)
{
    if (rc < 0)
        die("%s", error->message);
}

void make_tables(struct corm_db *db, const struct demand *demand)
{
    struct product   *rows = allocate((size_t)demand->products, sizeof *rows);
    struct corm_error e = {0};

    check(corm_drop_table(db, order, .if_exists = true, .error = &e), &e);
    check(corm_drop_table(db, product, .if_exists = true, .error = &e), &e);
    check(corm_create_table(db, product, .error = &e), &e);
    check(corm_create_table(db, order, .error = &e), &e);
    for (int i = 0; i < demand->products; i++)
        rows[i] = (struct product){.name = "race", .stock = demand->stock};
    check(corm_insert_rows(db, product, (size_t)demand->products, rows, .error = &e), &e);
    free(rows);
}

/* ---- what they hold ------------------------------------------------------------------------ */

static int64_t read_number(struct corm_db *db, struct corm_arena *arena, const char *text)
{
    struct corm_rows  rows = {0};
    struct corm_error error = {0};

    check(corm_sql(db, &rows, text, .arena = arena, .error = &error), &error);
    if (rows.row_count != 1 || rows.values[0].kind != CORM_V_INT)
        die("no number (to: %s)", text);
    return rows.values[0].as.i;
}

struct ledger ledger_of(struct corm_db *db, int stock_given)
{
    struct corm_arena *arena = corm_arena_new();
    const char        *type = corm_dialect_of(db) == CORM_DIALECT_SQLITE ? "INTEGER" : "SIGNED";
    struct ledger      l;
    char               text[512];

    if (arena == NULL)
        die("out of memory");
    snprintf(text, sizeof text,
             "SELECT COUNT(*) FROM product p LEFT JOIN (SELECT product_id, SUM(qty) AS pieces"
             " FROM `order` GROUP BY product_id) o ON o.product_id = p.id"
             " WHERE p.stock < 0 OR p.stock + COALESCE(o.pieces, 0) <> %d",
             stock_given);
    l.wrong_products = read_number(db, arena, text);
    l.order_rows = read_number(db, arena, "SELECT COUNT(*) FROM `order` WHERE product_id > 0");
    snprintf(text, sizeof text, "SELECT CAST(SUM(stock) AS %s) FROM product", type);
    l.stock = read_number(db, arena, text);
    snprintf(text, sizeof text, "SELECT CAST(COALESCE(SUM(qty), 0) AS %s) FROM `order`", type);
    l.pieces = read_number(db, arena, text);
    corm_arena_free(arena);
    return l;
}
