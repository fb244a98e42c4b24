/* client.c -- a program of corm's, for check.py: it makes every kind of call on the database of its URL and
 * prints what each has returned, one a line:
 *
 *     CALL CODE SERVER_CODE MILLISECONDS MESSAGE
 *
 * Values that are bound are canaries, which must show in no message. It ends with "done" and 0, however
 * the calls fared. */
#include <corm/corm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ITEM(X)                                                                                    \
    X(id, int, .pk = 1)                                                                            \
    X(name, varchar(40))                                                                           \
    X(body, blob)
CORM_MODEL(item, ITEM);
CORM_DEFINE(item, ITEM);

enum { KEY = 7 };
static const char             canary_text[] = "Numbat3Bound";
static const struct corm_blob canary_blob = {"Dunnart4Bytes", 13};

static struct corm_error error;
static int64_t           started;

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void begin(void)
{
    error = (struct corm_error){0};
    started = now_ms();
}

static void tell(const char *call, long long rc)
{
    if (rc >= 0)
        printf("%s %lld 0 %lld -\n", call, rc, (long long)(now_ms() - started));
    else
        printf("%s %s %d %lld %s\n", call, corm_code_name((int)rc), error.server_code,
               (long long)(now_ms() - started), error.message);
    (void)fflush(stdout);
}

static int change(struct corm_trx *trx, void *arg)
{
    struct item row;
    int rc = corm_first(trx, item, &row, .where = corm_eq(item.id, KEY), .lock = CORM_FOR_UPDATE);

    (void)arg;
    if (rc < 0)
        return rc;
    return corm_update(trx, item, corm_eq(item.id, KEY), corm_set(item.name, canary_text));
}

static int go_on(void *arg)
{
    (void)arg;
    return 0;
}

static void read_and_write(struct corm_db *db, struct corm_arena *arena)
{
    struct item      row = {0}, *rows = NULL;
    struct corm_rows raw = {0};

    begin();
    tell("first", corm_first(db, item, &row, .where = corm_eq(item.name, canary_text),
                             .arena = arena, .error = &error));
    begin();
    tell("all", corm_all(db, item, &rows, .arena = arena, .error = &error));
    begin();
    tell("each", corm_each(db, item, &row, go_on, NULL, .error = &error));
    begin();
    tell("count", corm_count(db, item, .where = corm_eq(item.body, canary_blob), .error = &error));
    begin();
    tell("insert",
         corm_insert_row(db, item,
                         &(struct item){.id = KEY, .name = canary_text, .body = canary_blob},
                         .error = &error));
    begin();
    tell("sql", corm_sql(db, &raw, "SELECT `id`, `name`, `body` FROM item WHERE name = ?",
                         corm_vals(canary_text), .arena = arena, .error = &error));
    begin();
    tell("connect_all", corm_connect_all(db, &error));
    begin();
    tell("transact", corm_transact(db, change, NULL, .error = &error));
}

static void transaction(struct corm_db *db)
{
    struct corm_trx *trx = NULL;
    struct item      row = {0};

    begin();
    int rc = corm_begin(db, &trx, .error = &error);
    tell("begin", rc);
    if (trx == NULL)
        return;
    begin();
    tell("read",
         corm_first(trx, item, &row, .where = corm_eq(item.name, canary_text), .error = &error));
    started = now_ms(); /* the error of the read is kept */
    tell("commit", corm_commit(trx));
    corm_end(trx);
}

int main(int argc, char **argv)
{
    struct corm_arena *arena = corm_arena_new();
    struct corm_db    *db = NULL;

    if (argc < 2 || arena == NULL)
        return 2;
    begin();
    int rc = corm_open(&db, argv[1], .error = &error);
    tell("open", rc);
    if (rc >= 0) {
        read_and_write(db, arena);
        transaction(db);
    }
    corm_close(db);
    corm_arena_free(arena);
    puts("done");
    return 0;
}
