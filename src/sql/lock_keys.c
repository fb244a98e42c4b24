/* sql/lock_keys.c -- the .key of a transaction. */
#include "sql/lock_keys.h"

#include <stdlib.h>
#include <string.h>

static int refuse_key(struct corm_error *error, const char *why)
{
    return corm__fail(error, CORM_MISUSE, "the .key %s", why);
}

/* The table of a key, and the values of its columns in the order of the model. */
static int read_key(const struct corm_expr *expr, struct corm__lock_key *key,
                    struct corm_error *error)
{
    const struct corm_column *columns[CORM__KEY_COLUMNS_MAX] = {NULL};
    const struct corm_expr   *equalities = expr;
    uint32_t                  n = 1;

    if (expr->op == CORM_AND)
        for (equalities = expr->kids, n = 0; equalities[n].op != CORM_END;)
            n++;
    if (n == 0 || equalities[0].op != CORM_EQ || equalities[0].column == NULL ||
        equalities[0].column->table == NULL)
        return refuse_key(error, "is no corm_eq() of a primary key");
    *key = (struct corm__lock_key){.table = equalities[0].column->table};
    if (corm__key_columns(key->table, columns) != n)
        return refuse_key(error, "has to name each column of the primary key, at most two, once");
    for (uint32_t i = 0; i < n; i++) {
        const struct corm_expr *found = NULL;
        for (uint32_t k = 0; k < n; k++)
            if (equalities[k].column == columns[i] && equalities[k].op == CORM_EQ)
                found = &equalities[k];
        if (found == NULL || found->value.kind == CORM_V_COLUMN)
            return refuse_key(error,
                              "has to be equalities of the primary key's columns with values");
        if (found->value.kind == CORM_V_NULL)
            return refuse_key(error, "is NULL");
        key->values[i] = found->value;
        bool ends_with_nul =
            key->values[i].kind == CORM_V_TEXT || key->values[i].kind == CORM_V_DECIMAL;
        if (ends_with_nul && key->values[i].size == 0)
            key->values[i].size = (uint32_t)strlen(key->values[i].as.s);
    }
    return 0;
}

int corm__read_keys(const struct corm_expr *key, struct corm__lock_key *keys, uint32_t *count,
                    struct corm_error *error)
{
    int rc = 0;

    *count = 0;
    if (key->op != CORM_KEYS) {
        *count = 1;
        return read_key(key, &keys[0], error);
    }
    for (const struct corm_expr *kid = key->kids; rc == 0 && kid->op != CORM_END; kid++) {
        if (*count == CORM__LOCK_KEYS_MAX)
            return corm__fail(error, CORM_MISUSE, "corm_keys() takes %d keys at most",
                              CORM__LOCK_KEYS_MAX);
        rc = read_key(kid, &keys[(*count)++], error);
    }
    return rc == 0 && *count == 0 ? refuse_key(error, "is empty") : rc;
}

static bool is_pointed_at(const struct corm_value *value)
{
    return value->kind == CORM_V_TEXT || value->kind == CORM_V_DECIMAL ||
           value->kind == CORM_V_BLOB;
}

static size_t bytes_of(const struct corm__lock_key *key)
{
    size_t size = 0;

    for (int i = 0; i < CORM__KEY_COLUMNS_MAX; i++)
        if (is_pointed_at(&key->values[i]))
            size += key->values[i].size + (size_t)1;
    return size;
}

int corm__keep_keys(struct corm__lock_keys *kept, const struct corm__lock_key *keys, uint32_t count,
                    struct corm_error *error)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < count; i++)
        bytes += bytes_of(&keys[i]);
    size_t size = count * sizeof(*keys) + bytes;
    bool   fits = count <= 1 && bytes == 0;
    if (!fits && size > kept->more_size) {
        void *more = realloc(kept->more, size);
        if (more == NULL)
            return corm__fail_memory(error, "the keys of a transaction");
        kept->more = more;
        kept->more_size = size;
    }
    kept->count = count;
    kept->keys = fits ? &kept->one : kept->more;
    memcpy(kept->keys, keys, count * sizeof(*keys));
    char *at = (char *)(kept->keys + count);
    for (uint32_t i = 0; i < count; i++) {
        for (int k = 0; k < CORM__KEY_COLUMNS_MAX; k++) {
            struct corm_value *v = &kept->keys[i].values[k];
            if (!is_pointed_at(v))
                continue;
            memcpy(at, v->as.p, v->size);
            at[v->size] = '\0';
            v->as.p = at;
            at += v->size + (size_t)1;
        }
    }
    return 0;
}

void corm__lock_keys_free(struct corm__lock_keys *kept)
{
    free(kept->more);
    *kept = (struct corm__lock_keys){0};
}
