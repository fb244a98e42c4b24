/* corm/on.h -- where a call goes: a db, a transaction, or nowhere but into text.
 *
 * Calls take one of the three as their first argument; CORM_ON() tells them apart when the program is
 * compiled, so that a transaction cannot be forgotten by passing something else. */
#ifndef CORM_ON_H
#define CORM_ON_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct corm_db;
struct corm_trx;
struct corm_sql_of;

struct corm_on {
    struct corm_db     *db;
    struct corm_trx    *trx;
    struct corm_sql_of *sql_of;
};

static inline struct corm_on corm_on_db_(struct corm_db *db)
{
    struct corm_on on = {db, NULL, NULL};
    return on;
}

static inline struct corm_on corm_on_trx_(struct corm_trx *trx)
{
    struct corm_on on = {NULL, trx, NULL};
    return on;
}

static inline struct corm_on corm_on_sql_of_(struct corm_sql_of *sql_of)
{
    struct corm_on on = {NULL, NULL, sql_of};
    return on;
}

#ifndef __cplusplus
/* clang-format off: it knows no _Generic */
#define CORM_ON(h)                                                                                 \
    _Generic((h), struct corm_db *                                                                 \
             : corm_on_db_, struct corm_trx *                                                      \
             : corm_on_trx_, struct corm_sql_of *                                                  \
             : corm_on_sql_of_)(h)

/* The same without the last. */
#define CORM_ON_DB_OR_TRX(h)                                                                       \
    _Generic((h), struct corm_db * : corm_on_db_, struct corm_trx * : corm_on_trx_)(h)
/* clang-format on */
#endif

#ifdef __cplusplus
}
#endif
#endif
