/* shop.h -- the models that the cases of cases.txt are written against, and the names they may use.
 *
 * Between them the models have every type of column, NOT NULL and nullable, and a table whose SQL
 * name is no C name. run.py puts the code of a case into a function of its own, which begins with
 * CASE_BEGIN and has the parameters of CASE(). */
#ifndef CORM_TESTS_COMPILE_SHOP_H
#define CORM_TESTS_COMPILE_SHOP_H

#include <corm/corm.h>

#define PRODUCT(X)                                                                                 \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(20), .unique = 1)                                                              \
    X(stock, int)                                                                                  \
    X(price, double, .deflt = "9.99")                                                              \
    X(discount, nullable(int))                                                                     \
    X(note, nullable(text))                                                                        \
    X(about, text)                                                                                 \
    X(barcode, bigint)                                                                             \
    X(weight, nullable(double))                                                                    \
    X(fragile, nullable(bool))                                                                     \
    X(added, datetime)                                                                             \
    X(sold_out, nullable(datetime))
CORM_MODEL(product, PRODUCT);

#define ORDER_LINE(X)                                                                              \
    X(id, bigint, .pk = 1, .autoinc = 1)                                                           \
    X(product_id, int)                                                                             \
    X(qty, int, .deflt = "1")                                                                      \
    X(paid, bool)                                                                                  \
    X(label, nullable(varchar(40)))                                                                \
    X(parent, nullable(bigint), .sql_name = "parent line")
CORM_MODEL_AS(order_line, "order line", ORDER_LINE);

#define PARCEL(X)                                                                                  \
    X(id, uuid, .pk = 1)                                                                           \
    X(boxes, tinyint)                                                                              \
    X(height, smallint)                                                                            \
    X(width, unsigned(smallint))                                                                   \
    X(total, unsigned(bigint))                                                                     \
    X(ratio, float)                                                                                \
    X(price, decimal(10, 2))                                                                       \
    X(paid, nullable(decimal(10, 2)))                                                              \
    X(code, char(3))                                                                               \
    X(state, enum("new", "sent"))                                                                  \
    X(before, nullable(enum("new", "sent")))                                                       \
    X(extra, json)                                                                                 \
    X(photo, blob)                                                                                 \
    X(stamp, nullable(blob))                                                                       \
    X(day, date)                                                                                   \
    X(hour, time)                                                                                  \
    X(seen, timestamp)                                                                             \
    X(child, nullable(uuid))                                                                       \
    X(spare, nullable(unsigned(int)))
CORM_MODEL(parcel, PARCEL);

struct purchase {
    int32_t product_id, qty;
};

int purchase(struct corm_trx *trx, void *arg);
int next(void *arg);
int purchase_of(struct corm_trx *trx, struct purchase *want);

/* 32 assignments: as many as a statement takes. */
#define SET1  corm_set(product.stock, 5)
#define SET8  SET1, SET1, SET1, SET1, SET1, SET1, SET1, SET1
#define SET32 SET8, SET8, SET8, SET8

/* clang-format off: it would take the parameters apart */
#define CASE(name)                                                                                 \
    int name(struct corm_db *db, struct corm_trx *trx, struct corm_sql_of *of,                     \
             struct corm_arena *arena, struct corm_where *where, size_t n);                        \
    int name(struct corm_db *db, struct corm_trx *trx, struct corm_sql_of *of,                     \
             struct corm_arena *arena, struct corm_where *where, size_t n)
/* clang-format on */

#define CASE_BEGIN                                                                                 \
    struct product    p = {0}, two[2] = {{0}, {0}}, *rows = NULL;                                  \
    struct order_line line = {0}, *lines = NULL;                                                   \
    struct purchase   want = {0, 0};                                                               \
    struct parcel     box = {0};                                                                   \
    struct corm_uuid  uuid = {{0}};                                                                \
    struct corm_blob  blob = {"x", 1};                                                             \
    struct corm_rows  found = {0};                                                                 \
    struct corm_error e = {0};                                                                     \
    int64_t           id = 0;                                                                      \
    int               rc = 0;                                                                      \
    const int32_t     ints[] = {1, 2, 3};                                                          \
    const int64_t     bigs[] = {1, 2, 3};                                                          \
    const double      reals[] = {0.5, 1.5};                                                        \
    const char *const texts[] = {"a", "b"};                                                        \
    (void)db, (void)trx, (void)of, (void)arena, (void)where, (void)n, (void)p, (void)two;          \
    (void)rows, (void)line, (void)lines, (void)want, (void)found, (void)e, (void)id, (void)rc;     \
    (void)ints, (void)bigs, (void)reals, (void)texts, (void)box, (void)uuid, (void)blob;

#endif
