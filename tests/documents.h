/* documents.h -- what stands around the pieces of code in the documents when the tests run them.
 *
 * tests/blocks.py writes a program for each document that has pieces: the models of docs/README.md,
 * this, and the pieces: declarations as they are, statements in a function of their own, which find
 * the names below. Each begins with the rows that docs/README.md lists. */
#ifndef DOCUMENTS_H
#define DOCUMENTS_H

#include <corm/corm.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What pieces may name beside the shop. */
static struct corm_db    *db;
static struct corm_arena *arena;
static struct corm_error  e;
static struct want        want = {1, 1, 2};
static struct want        wants[500];
static int32_t            ids[500];

static const char *document_place = "";

/* Stops with the place in the document where something is not as it says. */
static void wrong(const char *what, long long is, long long wanted)
{
    fprintf(stderr, "%s: %s is %lld, and the text says %lld %s\n", document_place, what, is, wanted,
            is < 0 ? corm_code_name((int)is) : "");
    if (e.code != 0)
        fprintf(stderr, "%s\n", e.message);
    exit(1);
}

static void must_be_number(const char *what, double is, double wanted)
{
    if (is < wanted || is > wanted)
        wrong(what, (long long)is, (long long)wanted);
}

static void must_be_text(const char *what, const char *is, const char *wanted)
{
    if (is == NULL || strcmp(is, wanted) != 0) {
        fprintf(stderr, "%s: %s is \"%s\", and the text says \"%s\"\n", document_place, what,
                is != NULL ? is : "(NULL)", wanted);
        exit(1);
    }
}

static void must_have_worked(long long rc)
{
    if (rc < 0)
        wrong("rc", rc, 0);
}

static void on_done(int rc, const struct corm_error *error, void *arg)
{
    (void)arg;
    if (rc < 0)
        fprintf(stderr, "%s: a submitted function: %s\n", document_place, error->message);
    must_have_worked(rc);
}

static int take_one(struct corm_trx *trx, void *arg)
{
    return corm_update(trx, product, corm_eq(product.id, *(int32_t *)arg),
                       corm_add(product.stock, -1));
}

static void run_sql(const char *text)
{
    e.code = 0;
    must_have_worked(corm_sql(db, NULL, text, .error = &e));
}

static void open_shop(const char *url)
{
    arena = corm_arena_new();
    document_place = "opening the shop";
    must_have_worked(corm_open(&db, url, .error = &e));
    must_have_worked(corm_create_table(db, product, .error = &e));
    must_have_worked(corm_create_table(db, order, .error = &e));
    must_have_worked(corm_setup(db, &e));
}

/* The rows of docs/README.md, and nothing else in these tables. */
static void fill_shop(void)
{
    corm_arena_reset(arena);
    run_sql("DELETE FROM product");
    run_sql("DELETE FROM `order`");
    run_sql("INSERT INTO product (id, name, stock, note) VALUES"
            " (1, 'bolt', 1000, NULL), (2, 'nut', 50, 'sold by the dozen'), (3, 'gear', 0, NULL)");
    run_sql("INSERT INTO `order` (id, user_id, product_id, qty) VALUES"
            " (1, 7, 1, 10), (2, 8, 1, 5), (3, 7, 2, 12)");
    want = (struct want){1, 1, 2};
    for (int i = 0; i < 500; i++) {
        wants[i] = (struct want){i + 1, 1, 1};
        ids[i] = 1;
    }
    e = (struct corm_error){0};
}

static void close_shop(void)
{
    corm_close(db);
    corm_arena_free(arena);
}

#endif
