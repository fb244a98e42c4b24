/* race_tables.c -- the tables of the race: made afresh, and read back as the proof.
 *
 * The proof trusts nobody: it takes the stock from the rows of product and the pieces from sums that
 * the database makes over `order`, product by product, and knows nothing of what buyers were told.
 *
 * A race calls its products "product 1", "product 2" ..., the example of the library "race ticket":
 * by that it knows the tables that a race made, and does not drop a shop's by mistake. */
#include "race.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CORM_DEFINE(product, PRODUCT);
CORM_DEFINE(versioned_product, VERSIONED_PRODUCT);
CORM_DEFINE(order, ORDER);

#define RACE_NAME "product "
enum { NAME_SIZE = 20 };

/* ---- Making them ---------------------------------------------------------- */

int race_tables_are_foreign(struct corm_db *db, struct corm_error *error)
{
    struct corm_expr of_race =
        corm_or(corm_starts_with(product.name, RACE_NAME), corm_starts_with(product.name, "race "));
    int orders;
    int products;

    products = corm_exists(db, product, .where = corm_not(of_race), .error = error);
    if (products == CORM_NO_COLUMN)
        return 1;
    if (products < 0 && products != CORM_NO_TABLE)
        return products;
    if (products == 1)
        return 1;

    orders = corm_exists(db, order, .error = error);
    if (orders == CORM_NO_TABLE || orders == 0)
        return 0;
    if (orders < 0)
        return orders;
    if (products == CORM_NO_TABLE)
        return 1;
    products = corm_exists(db, product, .where = of_race, .error = error);
    return products < 0 ? products : !products;
}

static int insert_products(struct corm_db *db, const struct race_options *options,
                           struct product *rows, char (*names)[NAME_SIZE], struct corm_error *error)
{
    for (int32_t i = 0; i < options->products; i++) {
        snprintf(names[i], NAME_SIZE, RACE_NAME "%" PRId32, i + 1);
        rows[i] = (struct product){.name = names[i], .stock = options->stock};
    }
    return corm_insert_rows(db, product, (size_t)options->products, rows, .error = error);
}

static int no_memory(struct corm_error *error)
{
    *error = (struct corm_error){.code = CORM_NO_MEMORY};
    snprintf(error->message, sizeof error->message, "%s; %s", corm_code_text(CORM_NO_MEMORY),
             "lower --products");
    return CORM_NO_MEMORY;
}

/* All products in the order of their ids, in the arena. */
static int read_products(struct corm_db *db, const struct race_options *options,
                         struct corm_arena *arena, struct product **rows, struct corm_error *error)
{
    int n = corm_all(db, product, rows, .order = {corm_asc(product.id)}, .arena = arena,
                     .error = error);

    if (n < 0)
        return n;
    if (n == options->products)
        return 0;
    *error = (struct corm_error){.code = CORM_SERVER_ERROR};
    snprintf(error->message, sizeof error->message,
             "the table product has %d rows instead of %" PRId32
             "; keep other programs away from this database while the race runs",
             n, options->products);
    return error->code;
}

/* Which ids the server gave is asked, not guessed: they need not begin at 1 nor follow each other. */
static int read_ids(struct corm_db *db, const struct race_options *options, int32_t *ids,
                    struct corm_error *error)
{
    struct corm_arena *arena = corm_arena_new();
    struct product    *rows = NULL;
    int                rc;

    if (arena == NULL)
        return no_memory(error);
    rc = read_products(db, options, arena, &rows, error);
    for (int32_t i = 0; rc == 0 && i < options->products; i++)
        ids[i] = rows[i].id;
    corm_arena_free(arena);
    return rc;
}

static int fill(struct corm_db *db, const struct race_options *options, int32_t *ids,
                struct corm_error *error)
{
    size_t          n = (size_t)options->products;
    struct product *rows = calloc(n, sizeof *rows);
    char(*names)[NAME_SIZE] = calloc(n, sizeof *names);
    int rc;

    if (rows == NULL || names == NULL)
        rc = no_memory(error);
    else
        rc = insert_products(db, options, rows, names, error);
    free(rows);
    free(names);
    return rc < 0 ? rc : read_ids(db, options, ids, error);
}

/* The versions of new products are their DEFAULT: what is inserted has no such column. */
static int create_product(struct corm_db *db, const struct race_mode *mode,
                          struct corm_error *error)
{
    return mode->versioned ? corm_create_table(db, versioned_product, .error = error)
                           : corm_create_table(db, product, .error = error);
}

int race_tables_make(struct corm_db *db, const struct race_options *options,
                     const struct race_mode *mode, int32_t *ids, struct corm_error *error)
{
    int rc;

    /* order goes first and comes last: one that stands alone was not left by a race. */
    if ((rc = corm_drop_table(db, order, .if_exists = true, .error = error)) < 0 ||
        (rc = corm_drop_table(db, product, .if_exists = true, .error = error)) < 0 ||
        (rc = create_product(db, mode, error)) < 0 || (rc = fill(db, options, ids, error)) < 0)
        return rc;
    return corm_create_table(db, order, .error = error);
}

/* ---- Reading them back ---------------------------------------------------- */

/* What was ordered of one product. */
struct ordered {
    int64_t product_id;
    int64_t rows;
    int64_t pieces;
};

static bool integer_of(const struct corm_value *value, int64_t *out)
{
    if (value->kind == CORM_V_INT)
        *out = value->as.i;
    else if (value->kind == CORM_V_UINT && value->as.u <= INT64_MAX)
        *out = (int64_t)value->as.u;
    else
        return false;
    return true;
}

/* All of `order`, summed up by product, as rows of three integers. A sum is a DECIMAL in MariaDB and
 * MySQL, which would come as text. */
static int read_sums(struct corm_db *db, struct corm_arena *arena, struct corm_rows *sums,
                     struct corm_error *error)
{
    const char *text = "SELECT product_id, COUNT(*), CAST(SUM(qty) AS SIGNED) FROM `order`"
                       " GROUP BY product_id ORDER BY product_id";

    if (corm_dialect_of(db) == CORM_DIALECT_SQLITE)
        text = "SELECT product_id, COUNT(*), CAST(SUM(qty) AS INTEGER) FROM `order`"
               " GROUP BY product_id ORDER BY product_id";
    return corm_sql(db, sums, text, .arena = arena, .error = error);
}

static bool ordered_at(const struct corm_rows *sums, size_t row, struct ordered *out)
{
    const struct corm_value *values = sums->values + row * sums->column_count;

    return sums->column_count == 3 && integer_of(&values[0], &out->product_id) &&
           integer_of(&values[1], &out->rows) && integer_of(&values[2], &out->pieces);
}

static void weigh(struct race_proof *proof, const struct race_options *options,
                  const struct product *row, int64_t pieces)
{
    proof->stock_before += options->stock;
    proof->stock_after += row->stock;
    if (row->stock < 0)
        proof->below_zero++;
    if (options->stock - (int64_t)row->stock == pieces)
        return;
    if (proof->unbalanced++ == 0) {
        proof->example_id = row->id;
        proof->example_after = row->stock;
        proof->example_pieces = pieces;
    }
}

/* Both lists are sorted by the product's id, so they are walked side by side. Returns whether the
 * sums could be understood. */
static bool compare(struct race_proof *proof, const struct race_options *options,
                    const struct product *rows, const struct corm_rows *sums)
{
    int32_t i = 0;

    for (size_t n = 0; n < sums->row_count; n++) {
        struct ordered o;
        if (!ordered_at(sums, n, &o))
            return false;
        proof->order_rows += o.rows;
        proof->order_pieces += o.pieces;
        while (i < options->products && rows[i].id < o.product_id)
            weigh(proof, options, &rows[i++], 0);
        if (i < options->products && rows[i].id == o.product_id)
            weigh(proof, options, &rows[i++], o.pieces);
        else
            proof->stray_rows += o.rows;
    }
    while (i < options->products)
        weigh(proof, options, &rows[i++], 0);
    return true;
}

static int read_proof(struct corm_db *db, const struct race_options *options,
                      struct corm_arena *arena, struct race_proof *proof, struct corm_error *error)
{
    struct product  *rows = NULL;
    struct corm_rows sums = {0};
    int              rc = read_products(db, options, arena, &rows, error);

    if (rc < 0)
        return rc;
    rc = read_sums(db, arena, &sums, error);
    if (rc < 0)
        return rc;
    if (compare(proof, options, rows, &sums))
        return 0;
    *error = (struct corm_error){.code = CORM_BAD_VALUE};
    snprintf(error->message, sizeof error->message,
             "the sums of `order` did not come as integers; please report this");
    return error->code;
}

int race_proof_read(struct corm_db *db, const struct race_options *options,
                    struct race_proof *proof, struct corm_error *error)
{
    struct corm_arena *arena = corm_arena_new();
    int                rc;

    *proof = (struct race_proof){0};
    if (arena == NULL)
        return no_memory(error);
    rc = read_proof(db, options, arena, proof, error);
    corm_arena_free(arena);
    return rc;
}
