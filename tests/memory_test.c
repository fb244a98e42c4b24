/* memory_test.c -- memory that runs out at every place where corm asks for some, and that it asks
 * for none in the steady state.
 *
 * malloc(), calloc(), realloc() and free() of all that is linked in, which is corm's own code and no
 * library's, go through this file (the linker's --wrap). Each scenario is run once to count what it
 * asks for; then again and again, on a handle of its own, with the k-th request refused, and with
 * the k-th and all behind it. Then: the call says CORM_NO_MEMORY, or has worked where it can do
 * without; the database, read by a connection beside, holds all of the scenario or nothing of it; the
 * same call then works on the same handle; and at the end nothing is left that was not freed. A
 * failure names the place in the sources and k. Some functions of the libraries are made to say that
 * they have no memory, too.
 *
 * The last tests look into the sources: no place that allocates, and no public call, may have been
 * left out. */
#include "support.h"

#include "allocations.h"
#include "trx/trx.h"

#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errmsg.h>
#include <execinfo.h>
#include <mysql.h>
#include <semaphore.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { GONE = CORM_USER, REFUSED };

/* ---- Memory that is watched --------------------------------------------------- */

void *real_malloc(size_t size) __asm__("__real_malloc");
void *real_calloc(size_t n, size_t size) __asm__("__real_calloc");
void *real_realloc(void *p, size_t size) __asm__("__real_realloc");
void  real_free(void *p) __asm__("__real_free");
void *watched_malloc(size_t size) __asm__("__wrap_malloc");
void *watched_calloc(size_t n, size_t size) __asm__("__wrap_calloc");
void *watched_realloc(void *p, size_t size) __asm__("__wrap_realloc");
void  watched_free(void *p) __asm__("__wrap_free");

enum { FRAMES_MAX = 12, SITES_MAX = 256 };

static struct {
    bool   armed;
    long   asked;              /* since it was armed */
    long   refuse;             /* which one; 0: none */
    bool   for_good;           /* and all behind it */
    long   live;               /* not freed yet */
    bool   of_library;         /* what was refused first is a call of a library */
    void  *frames[FRAMES_MAX]; /* of the one that was refused first */
    int    frame_count;
    void  *sites[SITES_MAX]; /* that were refused something, by what they return to */
    size_t site_count;
} memory;

static void note_site(void *site)
{
    for (size_t i = 0; i < memory.site_count; i++)
        if (memory.sites[i] == site)
            return;
    if (memory.site_count < SITES_MAX)
        memory.sites[memory.site_count++] = site;
}

static bool is_refused(void *site)
{
    if (!memory.armed)
        return false;
    memory.asked++;
    if (memory.refuse == 0 || memory.asked < memory.refuse ||
        (memory.asked > memory.refuse && !memory.for_good))
        return false;
    if (memory.asked == memory.refuse) {
        note_site(site);
        memory.frame_count = backtrace(memory.frames, FRAMES_MAX);
    }
    return true;
}

/* A new piece, or NULL. */
static void *born(void *p)
{
    memory.live += p != NULL;
    return p;
}

void *watched_malloc(size_t size)
{
    return is_refused(__builtin_return_address(0)) ? NULL : born(real_malloc(size));
}

void *watched_calloc(size_t n, size_t size)
{
    return is_refused(__builtin_return_address(0)) ? NULL : born(real_calloc(n, size));
}

void *watched_realloc(void *p, size_t size)
{
    if (is_refused(__builtin_return_address(0)))
        return NULL;
    return p == NULL ? born(real_realloc(NULL, size)) : real_realloc(p, size);
}

void watched_free(void *p)
{
    memory.live -= p != NULL;
    real_free(p);
}

static void arm(long refuse, bool for_good)
{
    memory.asked = 0;
    memory.refuse = refuse;
    memory.for_good = for_good;
    memory.of_library = false;
    memory.armed = true;
}

static void disarm(void)
{
    memory.armed = false;
}

/* ---- Libraries that have no memory ------------------------------------------------ */

/* Those of their functions whose answer says so. In the steady state they are the library's own. */
static bool is_refused_by_library(void *site)
{
    bool refused = memory.refuse != 0 && is_refused(site);

    if (refused && memory.asked == memory.refuse)
        memory.of_library = true;
    return refused;
}

MYSQL      *real_mysql_init(MYSQL *mysql) __asm__("__real_mysql_init");
MYSQL      *watched_mysql_init(MYSQL *mysql) __asm__("__wrap_mysql_init");
MYSQL_STMT *real_stmt_init(MYSQL *mysql) __asm__("__real_mysql_stmt_init");
MYSQL_STMT *watched_stmt_init(MYSQL *mysql) __asm__("__wrap_mysql_stmt_init");
MYSQL_RES  *real_metadata(MYSQL_STMT *statement) __asm__("__real_mysql_stmt_result_metadata");
MYSQL_RES  *watched_metadata(MYSQL_STMT *statement) __asm__("__wrap_mysql_stmt_result_metadata");
char       *watched_mprintf(const char *format, ...) __asm__("__wrap_sqlite3_mprintf");
const char *real_column_name(sqlite3_stmt *statement, int i) __asm__("__real_sqlite3_column_name");
const char *watched_column_name(sqlite3_stmt *statement,
                                int           i) __asm__("__wrap_sqlite3_column_name");
const unsigned char *real_column_text(sqlite3_stmt *statement,
                                      int           i) __asm__("__real_sqlite3_column_text");
const unsigned char *watched_column_text(sqlite3_stmt *statement,
                                         int           i) __asm__("__wrap_sqlite3_column_text");

MYSQL *watched_mysql_init(MYSQL *mysql)
{
    return is_refused_by_library(__builtin_return_address(0)) ? NULL : real_mysql_init(mysql);
}

MYSQL_STMT *watched_stmt_init(MYSQL *mysql)
{
    return is_refused_by_library(__builtin_return_address(0)) ? NULL : real_stmt_init(mysql);
}

MYSQL_RES *watched_metadata(MYSQL_STMT *statement)
{
    if (!is_refused_by_library(__builtin_return_address(0)))
        return real_metadata(statement);
    statement->last_errno = CR_OUT_OF_MEMORY;
    (void)strcpy(statement->sqlstate, "HY000");
    (void)strcpy(statement->last_error, "Client run out of memory");
    return NULL;
}

char *watched_mprintf(const char *format, ...)
{
    va_list args;

    if (is_refused_by_library(__builtin_return_address(0)))
        return NULL;
    va_start(args, format);
    char *text = sqlite3_vmprintf(format, args);
    va_end(args);
    return text;
}

const char *watched_column_name(sqlite3_stmt *statement, int i)
{
    return is_refused_by_library(__builtin_return_address(0)) ? NULL
                                                              : real_column_name(statement, i);
}

const unsigned char *watched_column_text(sqlite3_stmt *statement, int i)
{
    return is_refused_by_library(__builtin_return_address(0)) ? NULL
                                                              : real_column_text(statement, i);
}

/* ---- Places in the sources ------------------------------------------------------ */

static const char in_the_program = 1;

/* Opens the answers of addr2line for `count` addresses, one line each. */
static FILE *open_places(void *const *addresses, size_t count)
{
    char    command[8192];
    Dl_info self;
    size_t  used;

    if (dladdr(&in_the_program, &self) == 0)
        return NULL;
    used = (size_t)snprintf(command, sizeof(command), "addr2line -s -f -p -i -e /proc/%ld/exe",
                            (long)getpid());
    for (size_t i = 0; i < count && used < sizeof(command) - 24; i++)
        used +=
            (size_t)snprintf(command + used, sizeof(command) - used, " %#lx",
                             (unsigned long)((char *)addresses[i] - (char *)self.dli_fbase) - 1);
    return popen(command, "r"); /* NOLINT: a fixed program and numbers */
}

/* Where the memory was refused, innermost first. */
static void show_place(void)
{
    char  line[256];
    FILE *places = open_places(memory.frames, (size_t)memory.frame_count);

    while (places != NULL && fgets(line, sizeof(line), places) != NULL)
        if (strstr(line, "memory_test.c") == NULL && line[0] != '?')
            print_message("#   %s", line);
    if (places != NULL)
        (void)pclose(places);
}

/* Whether what was refused is the key of a row that may be held, or what is known of a table: a row that is
 * not known to be held, and a table that is asked about again, is a trip more. Nothing else can be done
 * without. */
static bool is_dispensable(void)
{
    char  line[256];
    bool  found = false;
    FILE *places = open_places(memory.frames, (size_t)memory.frame_count);

    while (places != NULL && fgets(line, sizeof(line), places) != NULL)
        found = found || strstr(line, "corm__key_of_") != NULL ||
                strstr(line, "corm__trx_hold") != NULL || strstr(line, "facts_cache.c") != NULL;
    if (places != NULL)
        (void)pclose(places);
    return found;
}

/* ---- Models ----------------------------------------------------------------------- */

#define PRODUCT(X)                                                                                 \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(20))                                                                           \
    X(stock, int)
CORM_MODEL(product, PRODUCT);
CORM_DEFINE(product, PRODUCT);

#define ORDER(X)                                                                                   \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(user_id, int)                                                                                \
    X(qty, int)
CORM_MODEL(order, ORDER);
CORM_DEFINE(order, ORDER);

#define LETTER(X)                                                                                  \
    X(id, int, .pk = 1)                                                                            \
    X(at, datetime)                                                                                \
    X(body, text)
CORM_MODEL(letter, LETTER);
CORM_DEFINE(letter, LETTER);

#define TICKET(X) X(id, int, .pk = 1) X(price, int) X(version, int, .version = 1)
CORM_MODEL(ticket, TICKET);
CORM_DEFINE(ticket, TICKET);

#define EXTRA(X)                                                                                   \
    X(id, int, .pk = 1, .autoinc = 1)                                                              \
    X(name, varchar(20), .unique = 1, .sql_name = "the `name`", .deflt = "'x'")                    \
    X(kind, enum("new", "it's"), .index = 1)                                                       \
    X(at, timestamp, .index = 1)                                                                   \
    X(money, decimal(10, 2), .check = "money >= 0")
CORM_MODEL(extra, EXTRA);
CORM_DEFINE(extra, EXTRA, CORM_INDEX(extra, by_money, money, at));

#define BARE(X) X(id, int, .pk = 1)
CORM_MODEL(bare, BARE);
CORM_DEFINE(bare, BARE);

/* Every type whose values need room. */
#define THING(X)                                                                                   \
    X(id, uuid, .pk = 1)                                                                           \
    X(money, decimal(10, 2))                                                                       \
    X(deep, nullable(decimal(18, 6)))                                                              \
    X(code, char(10))                                                                              \
    X(kind, enum("new", "paid"))                                                                   \
    X(data, json)                                                                                  \
    X(bytes, nullable(blob))                                                                       \
    X(day, nullable(date))                                                                         \
    X(hour, time)                                                                                  \
    X(at, timestamp)
CORM_MODEL(thing, THING);
CORM_DEFINE(thing, THING);

enum { STOCK = 50, LETTERS = 60, LONG = 100000, KEPT_STATEMENTS = 128 };

/* ---- Scenarios -------------------------------------------------------------------- */

struct world {
    struct corm_db    *db;
    struct corm_arena *arena; /* for rows that are read on the db; not of the scenario */
    struct corm_error  error;
    const char        *wrong; /* what a call that worked has not done */
    struct corm_trx   *trx;   /* that goes on from rounds to rounds */
};

struct scenario {
    const char *name;
    int64_t (*run)(struct world *w); /* what its last call returned */
    void (*warm)(struct world *w);   /* before it, or NULL */
    const char *options;             /* of the URL; NULL: pool=4 */
    bool        opens;               /* opens w->db itself */
    bool        writes;              /* changes the state */
    bool        can_do_without;      /* it goes on when a call has failed */
    bool        of_server;           /* needs a server */
    bool        may_be_unknown;      /* it has committed when its rows come */
    bool        of_tables;           /* the state is which tables there are */
};

static int64_t no_memory(struct world *w)
{
    w->error.code = CORM_NO_MEMORY;
    w->error.message[0] = '-';
    return CORM_NO_MEMORY;
}

/* The next call, where those before have worked. */
#define NEXT(call) rc = rc < 0 ? rc : (call)

static int64_t right(struct world *w, bool is_right, const char *what)
{
    if (!is_right)
        w->wrong = what;
    return 0;
}

/* ---- Opening ---- */

static int64_t open_by_url(struct world *w)
{
    return corm_open(&w->db, test_url("pool=3"), .error = &w->error);
}

static int64_t open_with_stats(struct world *w)
{
    return corm_open(&w->db, test_url("pool=3&stats=on"), .error = &w->error);
}

static int64_t open_by_one_variable(struct world *w)
{
    (void)setenv("DATABASE_URL", test_url(NULL), 1);
    int rc = corm_open(&w->db, NULL, .error = &w->error);
    (void)unsetenv("DATABASE_URL");
    return rc;
}

static int64_t open_by_variables(struct world *w)
{
    char user[64], password[64], host[64], port[16], name[256];

    if (sscanf(test_url(NULL), "mariadb://%63[^:]:%63[^@]@%63[^:]:%15[^/]/%255s", user, password,
               host, port, name) == 5) {
        (void)setenv("DB_HOST", host, 1);
        (void)setenv("DB_PORT", port, 1);
        (void)setenv("DB_USERNAME", user, 1);
        (void)setenv("DB_PASSWORD", password, 1);
    } else {
        (void)snprintf(name, sizeof(name), "%s", strchr(test_url(NULL), ':') + 1);
    }
    (void)setenv("DB_DRIVER", is_mariadb() ? "mariadb" : "sqlite", 1);
    (void)setenv("DB_DATABASE", name, 1);
    return corm_open(&w->db, NULL, .error = &w->error);
}

static int64_t text_of_stats(struct world *w)
{
    const char *text = corm_stats_text(w->db, w->arena, &w->error);

    return text == NULL
               ? w->error.code
               : right(w, strstr(text, "\ncorm_commits_total{") != NULL, "told the commits");
}

static int64_t settings_of_a_url(struct world *w)
{
    struct corm_arena   *arena = corm_arena_new();
    struct corm_settings settings;

    if (arena == NULL)
        return no_memory(w);
    int rc = corm_settings(arena, test_url("pool=3"), &settings, &w->error);
    corm_arena_free(arena);
    return rc < 0 ? rc : right(w, settings.pool == 3, "the pool of the URL");
}

static int64_t connect_all(struct world *w)
{
    int rc = corm_connect_all(w->db, &w->error);

    return rc < 0 ? rc : right(w, rc == 4, "connects all");
}

/* ---- The ledger ---- */

static int64_t set_up_ledger(struct world *w)
{
    int rc = corm_setup(w->db, &w->error);

    return rc < 0 ? rc : right(w, corm_outcome(w->db, 1, 0, NULL) == CORM_NO_TICKET, "knows none");
}

/* ---- Tables ---- */

static int64_t create_table(struct world *w)
{
    return corm_create_table(w->db, extra, .error = &w->error);
}

static int64_t create_table_without_index(struct world *w)
{
    return corm_create_table(w->db, bare, .error = &w->error);
}

static int64_t drop_table(struct world *w)
{
    return corm_drop_table(w->db, order, .error = &w->error);
}

/* ---- Reads on a db ---- */

static int64_t first_on_db(struct world *w)
{
    struct product p = {.id = 7};
    int rc = corm_first(w->db, product, &p, .where = corm_eq(product.id, 1), .arena = w->arena,
                        .error = &w->error);

    if (rc < 0)
        return right(w, p.id == 7, "leaves the row of a call that fails alone"), rc;
    return right(w, rc == 1 && p.stock == STOCK && strcmp(p.name, "pear") == 0, "reads a row");
}

static int64_t all_on_db(struct world *w)
{
    struct letter *letters = NULL;
    int            rc = corm_all(w->db, letter, &letters, .where = corm_le(letter.id, LETTERS),
                                 .order = {corm_asc(letter.id)}, .arena = w->arena, .error = &w->error);

    for (int i = 0; i < rc; i++)
        if (letters[i].id != i + 1 || strlen(letters[i].body) != (size_t)(i + 1) * 10)
            w->wrong = "reads all rows";
    return rc < 0 ? rc : right(w, rc == LETTERS && w->wrong == NULL, "reads all rows");
}

static int64_t count_on_db(struct world *w)
{
    int64_t rc =
        corm_count(w->db, letter, .where = corm_contains(letter.body, "x"), .error = &w->error);

    return rc < 0 ? rc : right(w, rc == LETTERS + 1, "counts");
}

static int64_t exists_on_db(struct world *w)
{
    int rc = corm_exists(w->db, letter, .where = corm_in(letter.id, 3, 5000), .error = &w->error);

    return rc < 0 ? rc : right(w, rc == 1, "finds");
}

/* Texts that do not fit where the ones before did, of a statement that is prepared already. */
static void read_a_short_letter(struct world *w)
{
    struct letter l;

    assert_ok(corm_first(w->db, letter, &l, .where = corm_eq(letter.id, 1), .arena = w->arena,
                         .error = &w->error),
              &w->error);
}

static int64_t read_a_long_letter(struct world *w)
{
    struct letter l;
    int rc = corm_first(w->db, letter, &l, .where = corm_eq(letter.id, 1000), .arena = w->arena,
                        .error = &w->error);

    return rc < 0 ? rc : right(w, strlen(l.body) == LONG, "reads a long text");
}

static int keep_on(void *arg)
{
    (void)arg;
    return 0;
}

static int64_t each_on_db(struct world *w)
{
    struct letter l;
    int64_t       rc = corm_each(w->db, letter, &l, keep_on, NULL, .error = &w->error);

    return rc < 0 ? rc : right(w, rc == LETTERS + 1, "gives all");
}

/* ---- Writes on a db ---- */

static int64_t insert_on_db(struct world *w)
{
    return corm_insert(w->db, product, corm_set(product.name, "fig"), corm_set(product.stock, 3),
                       .error = &w->error);
}

static int64_t insert_with_id_on_db(struct world *w)
{
    int64_t id = 0;
    int rc = corm_insert(w->db, product, corm_set(product.name, "fig"), corm_set(product.stock, 3),
                         .id = &id, .error = &w->error);

    return rc < 0 ? rc : right(w, id > 1, "tells the key");
}

static int64_t insert_row_on_db(struct world *w)
{
    return corm_insert_row(w->db, letter, &(struct letter){.id = 2000, .body = "a\xC3\xA4"},
                           .error = &w->error);
}

static int64_t insert_rows_on_db(struct world *w)
{
    static struct order many[2500];

    return corm_insert_rows(w->db, order, COUNT(many), many, .error = &w->error);
}

static int64_t insert_rows_and_keys_on_db(struct world *w)
{
    static struct product many[300];
    static int64_t        ids[300];

    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = (struct product){.name = "fig", .stock = (int32_t)i};
    int rc = corm_insert_rows(w->db, product, COUNT(many), many, .ids = ids, .error = &w->error);
    return rc < 0 ? rc : right(w, ids[299] == ids[0] + 299, "tells the keys");
}

static int64_t update_on_db(struct world *w)
{
    int rc = corm_update(w->db, letter, corm_starts_with(letter.body, "x"),
                         corm_set(letter.body, "short"), .error = &w->error);

    return rc < 0 ? rc : right(w, rc == LETTERS + 1, "updates all");
}

/* A version is counted up by a call that works, and by no other. */
static int64_t update_row_on_db(struct world *w)
{
    struct ticket t = {.id = 1, .price = 20, .version = 1};
    int           rc = corm_update_row(w->db, ticket, &t, .error = &w->error);

    right(w, t.version == (rc < 0 ? 1 : 2), "counts the version");
    return rc;
}

static int64_t upsert_on_db(struct world *w)
{
    struct ticket t = {.id = 1, .price = 20, .version = 1};
    int           rc = corm_upsert(w->db, ticket, &t, .error = &w->error);

    return rc < 0 ? rc : right(w, rc == CORM_UPDATED, "updates");
}

static int64_t upsert_by_a_list_on_db(struct world *w)
{
    int rc = corm_upsert(w->db, product, &((struct product){.id = 900, .name = "fig", .stock = 3}),
                         .by = corm_by(product.id),
                         .update = corm_sets(corm_add_new(product.stock)), .error = &w->error);

    return rc < 0 ? rc : right(w, rc == CORM_INSERTED, "inserts");
}

static int64_t delete_on_db(struct world *w)
{
    int rc =
        corm_delete(w->db, letter, corm_or(corm_le(letter.id, 10), corm_gt(letter.id, LETTERS)),
                    .error = &w->error);

    return rc < 0 ? rc : right(w, rc == 11, "deletes");
}

/* ---- Every type ---- */

#define THING_1                                                                                    \
    {                                                                                              \
        .id = {{1}}, .money = "12.5", .deep = "-0.000001", .code = "c", .kind = "paid",            \
        .data = "{\"a\": [1, 2.50]}", .bytes = {"\0\xFF", 2}, .day = {true, 0}, .hour = -1,        \
        .at = 1000000                                                                              \
    }

static int64_t thing_of_every_type(struct world *w)
{
    struct thing     t = THING_1, found = {.hour = 7};
    struct corm_trx *trx = NULL;
    int64_t          rc = corm_begin(w->db, &trx, .error = &w->error);

    NEXT(corm_insert_row(trx, thing, &t));
    NEXT(corm_first(trx, thing, &found,
                    .where = corm_and(corm_eq(thing.id, t.id), corm_eq(thing.money, "12.50"),
                                      corm_eq(thing.bytes, t.bytes), corm_eq(thing.at, t.at))));
    NEXT(right(w,
               rc == 1 && found.hour == -1 && found.day.has && strcmp(found.money, "12.50") == 0 &&
                   strcmp(found.deep, "-0.000001") == 0 && found.bytes.size == 2,
               "reads every type"));
    corm_end(trx);
    return rc;
}

static int buy_things(struct corm_trx *trx, void *arg)
{
    struct thing t = THING_1;
    int          rc = corm_insert_row(trx, thing, &t);

    (void)arg;
    NEXT(corm_insert(trx, thing, corm_set(thing.id, (struct corm_uuid){{2}}),
                     corm_set(thing.money, "0.01"), corm_set_null(thing.deep),
                     corm_set(thing.code, ""), corm_set(thing.kind, "new"),
                     corm_set(thing.data, "1"), corm_set_null(thing.bytes), corm_set(thing.day, 0),
                     corm_set(thing.hour, 1), corm_set(thing.at, 2000000), .later = true));
    NEXT(corm_update(trx, thing, corm_eq(thing.id, t.id), corm_set(thing.money, "7"),
                     corm_set(thing.bytes, corm_bytes("x", 1)), corm_set(thing.at, 3000000)));
    NEXT(corm_update(trx, product, corm_eq(product.id, 1), corm_add(product.stock, -1)));
    return rc;
}

static int64_t transact_with_every_type(struct world *w)
{
    return corm_transact(w->db, buy_things, NULL, .error = &w->error);
}

static int64_t dup_every_type(struct world *w)
{
    struct thing  t = THING_1;
    struct thing *copy = corm_dup(thing, &t);

    if (copy == NULL)
        return no_memory(w);
    right(w, copy->bytes.size == 2 && copy->bytes.data != t.bytes.data, "copies");
    free(copy);
    return 0;
}

static int64_t condition_of_every_type(struct world *w)
{
    struct corm_arena *arena = corm_arena_new();
    struct corm_where *where = arena != NULL ? corm_where_new(arena) : NULL;

    corm_where_and(where, corm_in(thing.bytes, corm_bytes("a", 1), corm_bytes("b", 1)));
    corm_where_and(where, corm_ne(thing.money, "1"));
    corm_where_and(where, corm_eq(thing.id, (struct corm_uuid){{3}}));
    int64_t rc = corm_count(w->db, thing, .where = corm_where(where), .error = &w->error);
    corm_arena_free(arena);
    return rc;
}

static int64_t ask_for(struct world *w, struct corm_where *where, int64_t wanted)
{
    int64_t rc = corm_count(w->db, letter, .where = corm_where(where), .error = &w->error);

    return rc < 0 ? rc : right(w, rc == wanted, "finds by a condition made at run time");
}

/* ---- Reads of several tables, numbers, groups and pages ---- */

#define SHELF(X)                                                                                   \
    X(name, varchar(20))                                                                           \
    X(rows, bigint)                                                                                \
    X(longest, nullable(text))                                                                     \
    X(mean, nullable(double))
CORM_MODEL(shelf, SHELF);
CORM_DEFINE(shelf, SHELF);

static int64_t join_on_db(struct world *w)
{
    struct letter *letters = NULL, **nexts = NULL;
    CORM_ALIAS(next, letter);
    int rc = corm_all(
        w->db, letter, &letters,
        .join = corm_joins(corm_left_join(
            next, &nexts, corm_and(corm_gt(next.id, letter.id), corm_eq(next.body, letter.body)))),
        .where = corm_le(letter.id, 40), .order = {corm_asc(letter.id)}, .arena = w->arena,
        .error = &w->error);

    return rc < 0 ? rc
                  : right(w,
                          rc == 40 && nexts[0] == NULL && letters[39].id == 40 &&
                              strlen(letters[39].body) == 400,
                          "joins");
}

static int64_t first_of_a_join(struct world *w)
{
    struct letter  l;
    struct product p;
    int            rc = corm_first(w->db, letter, &l,
                                   .join = corm_joins(corm_join(product, &p, corm_eq(product.id, letter.id))),
                                   .arena = w->arena, .error = &w->error);

    return rc < 0 ? rc : right(w, rc == 1 && l.id == 1 && p.stock == STOCK, "joins one row");
}

static int64_t numbers_on_db(struct world *w)
{
    struct corm_trx *trx = NULL;
    int64_t          sum = 0, least = 0;
    double           mean = 0;
    const char      *text = NULL;
    int64_t          rc = corm_begin(w->db, &trx, .read_only = true, .error = &w->error);

    NEXT(corm_sum(trx, letter, letter.id, &sum, .where = corm_le(letter.id, 4)));
    NEXT(corm_avg(trx, letter, letter.id, &mean, .where = corm_le(letter.id, 4)));
    NEXT(corm_min(trx, letter, letter.at, &least));
    NEXT(corm_max(trx, letter, letter.body, &text, .where = corm_le(letter.id, 4)));
    NEXT(corm_count_distinct(trx, letter, letter.at));
    NEXT(right(w, rc == 1 && sum == 10 && mean == 2.5 && least > 0 && strlen(text) == 40,
               "gives numbers"));
    corm_end(trx);
    return rc;
}

static int64_t sum_of_decimals(struct world *w)
{
    const char *sum = NULL;
    int rc = corm_sum(w->db, thing, thing.money, &sum, .arena = w->arena, .error = &w->error);

    return rc < 0 ? rc : right(w, rc == 1 && strcmp(sum, "0.03") == 0, "adds");
}

/* They are there for the sum alone. */
static void two_things(struct world *w)
{
    struct thing t = THING_1;

    t.money = "0.01";
    assert_ok(corm_delete(w->db, thing, corm_everything(), .error = &w->error), &w->error);
    assert_ok(corm_insert_row(w->db, thing, &t, .error = &w->error), &w->error);
    t.id.bytes[0] = 2;
    t.money = "0.02";
    assert_ok(corm_insert_row(w->db, thing, &t, .error = &w->error), &w->error);
}

static int64_t groups_on_db(struct world *w)
{
    struct shelf *shelves = NULL;
    int           rc = corm_select(
                  w->db, shelf, &shelves, letter,
                  corm_columns(corm_as(shelf.name, product.name), corm_as_count(shelf.rows),
                               corm_as_max(shelf.longest, letter.body), corm_as_avg(shelf.mean, letter.id)),
                  .join = corm_joins(corm_join(product, NULL, corm_gt(letter.id, product.id))),
                  .where = corm_between(letter.id, 1, 5), .group = corm_by(product.name),
                  .having = corm_gt(shelf.rows, 1), .order = {corm_desc(shelf.rows)}, .distinct = true,
                  .arena = w->arena, .error = &w->error);

    return rc < 0 ? rc
                  : right(w,
                          rc == 1 && shelves[0].rows == 4 && strlen(shelves[0].longest) == 50 &&
                              shelves[0].mean.has && shelves[0].mean.value == 3.5,
                          "groups");
}

static int64_t union_on_db(struct world *w)
{
    struct letter *letters = NULL;
    int            rc = corm_all(w->db, letter, &letters, .where = corm_le(letter.id, 2),
                                 .unite = corm_union(.where = corm_any_of(corm_eq, "x", letter.body)),
                                 .order = {corm_asc(letter.id)}, .arena = w->arena, .error = &w->error);

    return rc < 0 ? rc : right(w, rc == 2 && letters[1].id == 2, "unites");
}

static int64_t page_by_number(struct world *w)
{
    struct letter *letters = NULL;
    int64_t        total = 0;
    int rc = corm_all(w->db, letter, &letters, .order = {corm_asc(letter.id)}, .limit = 5,
                      .offset = 5, .total = &total, .arena = w->arena, .error = &w->error);

    return rc < 0 ? rc : right(w, rc == 5 && total == LETTERS + 1, "counts a page's total");
}

static int64_t page_by_key(struct world *w)
{
    struct letter  last = {.id = 5, .body = "xx"};
    struct letter *letters = NULL;
    int            rc = corm_all(w->db, letter, &letters, .order = {corm_desc(letter.body)},
                                 .after = corm_after(letter, &last), .limit = 5, .arena = w->arena,
                                 .error = &w->error);

    return rc < 0 ? rc : right(w, rc == 0, "turns a page");
}

static int64_t sub_queries_on_db(struct world *w)
{
    CORM_ALIAS(other, letter);
    int64_t rc = corm_count(
        w->db, letter,
        .where = corm_and(
            corm_in_query(letter.id, product, product.id, .where = corm_eq(product.name, "pear")),
            corm_exists_query(other, .where = corm_gt(other.id, letter.id)),
            corm_not(corm_eq(corm_json_int(letter.body, "$.a"), 1)), corm_like(letter.body, "x%")),
        .error = &w->error);

    return rc < 0 ? rc : right(w, rc == 0, "asks by sub-queries");
}

static int64_t condition_of_reads_at_run_time(struct world *w)
{
    struct corm_arena *arena = corm_arena_new();
    struct corm_where *where = arena != NULL ? corm_where_new(arena) : NULL;

    corm_where_and(where, corm_between(letter.id, 1, 3));
    corm_where_and(where, corm_in_query(letter.id, product, product.id,
                                        .where = corm_eq(product.name, "pear")));
    corm_where_and(where, corm_is_null(corm_json_text(letter.body, "$.a")));
    int64_t rc = ask_for(w, where, 1);
    corm_arena_free(arena);
    return rc;
}

static int64_t sql_into_on_db(struct world *w)
{
    struct letter *letters = NULL;
    int            rc = corm_sql_into(w->db, letter, &letters,
                                      "SELECT body, id, at FROM letter WHERE id <= ? ORDER BY id",
                                      corm_vals(20), .arena = w->arena, .error = &w->error);

    return rc < 0 ? rc : right(w, rc == 20 && strlen(letters[19].body) == 200, "fills structs");
}

static int64_t explain_on_db(struct world *w)
{
    struct corm_rows rows;
    int rc = corm_explain(w->db, &rows, letter, .where = corm_eq(letter.id, 1), .arena = w->arena,
                          .error = &w->error);

    return rc < 0 ? rc : right(w, rc > 0, "explains");
}

/* ---- SQL ---- */

static int64_t sql_on_db(struct world *w)
{
    struct corm_rows rows;
    int rc = corm_sql(w->db, &rows, "SELECT id, body FROM letter WHERE id <= ? ORDER BY id",
                      corm_vals(20), .arena = w->arena, .error = &w->error);

    return rc < 0 ? rc
                  : right(w,
                          rows.row_count == 20 && strcmp(rows.names[1], "body") == 0 &&
                              rows.values[39].size == 200,
                          "gives rows");
}

/* Every piece of a row in a block of its own. */
static int64_t sql_of_long_rows(struct world *w)
{
    enum { BLOCK = 16 * 1024 }; /* of arena.c */
    struct corm_rows rows;

    if (corm_arena_alloc(w->arena, BLOCK - 16) == NULL) /* so that no name fits behind it */
        return no_memory(w);
    int rc = corm_sql(w->db, &rows,
                      "SELECT l.body FROM letter l, letter n WHERE l.id = 1000 AND n.id <= ?",
                      corm_vals(4), .arena = w->arena, .error = &w->error);

    return rc < 0 ? rc : right(w, rows.row_count == 4 && rows.values[3].size == LONG, "gives rows");
}

static int64_t sql_that_writes_on_db(struct world *w)
{
    return corm_sql(w->db, NULL, "UPDATE product SET stock = stock - ?", corm_vals(1),
                    .error = &w->error);
}

/* It has written when its rows come. */
static int64_t sql_that_writes_and_returns_on_db(struct world *w)
{
    struct corm_rows rows;
    int              rc =
        corm_sql(w->db, &rows, "INSERT INTO product (name, stock) VALUES (?, 1) RETURNING name",
                 corm_vals("plum"), .arena = w->arena, .error = &w->error);

    return rc < 0 ? rc : right(w, strcmp(rows.values[0].as.s, "plum") == 0, "returns a row");
}

/* One with more columns than a statement had before. */
static int64_t sql_of_each_kind(struct world *w)
{
    struct corm_sql_of of = {.dialect = CORM_DIALECT_MARIADB, .arena = corm_arena_new()};
    struct letter      l = {.id = 1, .body = "text"};
    struct letter     *all;
    int64_t            rc = of.arena != NULL ? 0 : no_memory(w);

    NEXT(corm_first(&of, letter, &l, .where = corm_eq(letter.id, 7), .error = &w->error));
    NEXT(
        corm_all(&of, letter, &all, .where = corm_ends_with(letter.body, "%"), .error = &w->error));
    NEXT(corm_count(&of, letter, .error = &w->error));
    NEXT(
        corm_exists(&of, letter, .where = corm_not(corm_is_null(letter.body)), .error = &w->error));
    NEXT(corm_insert(&of, letter, corm_set(letter.id, 1), corm_set(letter.at, 5),
                     corm_set(letter.body, "y"), .error = &w->error));
    NEXT(corm_insert_row(&of, letter, &l, .error = &w->error));
    NEXT(corm_insert_rows(&of, letter, 1, &l, .error = &w->error));
    NEXT(corm_upsert(&of, letter, &l, .error = &w->error));
    NEXT(corm_update(&of, letter, corm_everything(), corm_set(letter.body, "z"),
                     .error = &w->error));
    NEXT(corm_delete(&of, letter, corm_everything(), .error = &w->error));
    NEXT(corm_sql(&of, NULL, "SELECT ?", corm_vals("x"), .error = &w->error));
    corm_arena_free(of.arena);
    return rc;
}

/* Texts so long that each takes a block of its own. */
static int64_t sql_of_long_values(struct world *w)
{
    static char        text[20000];
    static int64_t     many[3000];
    struct corm_sql_of of = {.dialect = CORM_DIALECT_SQLITE, .arena = corm_arena_new()};
    int64_t            rc = of.arena != NULL ? 0 : no_memory(w);

    memset(text, 'x', sizeof(text) - 1);
    NEXT(corm_count(&of, letter, .where = corm_contains(letter.body, text), .error = &w->error));
    NEXT(corm_count(&of, letter, .where = corm_in_list(letter.id, many, COUNT(many)),
                    .error = &w->error));
    for (int i = 0; i < 400; i++) /* so that a block ends at each kind of piece */
        NEXT(corm_insert(&of, letter, corm_set(letter.id, 1), corm_set(letter.at, i),
                         corm_set(letter.body, "y"), .error = &w->error));
    corm_arena_free(of.arena);
    return rc;
}

static int64_t condition_at_run_time(struct world *w)
{
    const char        *texts[] = {"a", "b", "c"};
    struct corm_arena *arena = corm_arena_new();
    struct corm_where *where = arena != NULL ? corm_where_new(arena) : NULL;

    for (int32_t i = 1; i <= 20; i++)
        corm_where_or(where, corm_eq(letter.id, i));
    corm_where_and(where, corm_not(corm_in_list(letter.body, texts, 3)));
    corm_where_and(where, corm_ne(letter.body, "d"));
    corm_where_or(where, corm_and(corm_eq(letter.id, 30), corm_in(letter.body, "no", "yes")));
    int64_t rc = ask_for(w, where, 20);
    corm_arena_free(arena);
    return rc;
}

static int64_t condition_of_many_blocks(struct world *w)
{
    static char        text[3000];
    struct corm_arena *arena = corm_arena_new();
    struct corm_where *where = arena != NULL ? corm_where_new(arena) : NULL;

    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < 40; i++)
        corm_where_and(where, corm_and(corm_ne(letter.body, text), corm_in(letter.id, 1, 2, 3, 4)));
    int64_t rc = ask_for(w, where, 4);
    corm_arena_free(arena);
    return rc;
}

static int64_t arena_of_the_callers(struct world *w)
{
    struct corm_arena *arena = corm_arena_new();
    char              *small = arena != NULL ? corm_arena_alloc(arena, 10) : NULL;
    char              *large = small != NULL ? corm_arena_alloc(arena, 100000) : NULL;

    if (large != NULL)
        memset(large, 'x', 100000);
    if (arena != NULL)
        corm_arena_reset(arena);
    corm_arena_free(arena);
    return large != NULL ? 0 : no_memory(w);
}

static int64_t dup_a_row(struct world *w)
{
    struct product  p = {.id = 1, .name = "pear"};
    struct product *copy = corm_dup(product, &p);

    if (copy == NULL)
        return no_memory(w);
    right(w, strcmp(copy->name, "pear") == 0, "copies");
    free(copy);
    return 0;
}

/* ---- The cache of statements ---- */

static int64_t select_number(struct world *w, int i)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "SELECT %d", i);
    return corm_sql(w->db, NULL, text, .error = &w->error);
}

static void fill_the_cache(struct world *w)
{
    for (int i = 0; i < KEPT_STATEMENTS; i++)
        assert_ok(select_number(w, i), &w->error);
}

/* The fifth was dropped by then. */
static int64_t more_statements_than_are_kept(struct world *w)
{
    static const int numbers[] = {1000, 1001, 127, 3};
    int64_t          rc = 0;

    for (size_t i = 0; rc >= 0 && i < COUNT(numbers); i++)
        rc = select_number(w, numbers[i]);
    return rc;
}

/* ---- Functions ---- */

static int buy(struct corm_trx *trx, void *arg)
{
    struct product p;
    int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, 1), .lock = CORM_FOR_UPDATE);

    (void)arg;
    if (rc < 0)
        return rc;
    if (rc == 0 || p.stock < 1)
        return corm_abort(trx, GONE, "there is none");
    rc = corm_update(trx, product, corm_eq(product.id, 1), corm_set(product.stock, p.stock - 1));
    if (rc < 0)
        return rc;
    return corm_insert_row(trx, order, &(struct order){.user_id = 1, .qty = 1});
}

static int buy_guarded(struct corm_trx *trx, void *arg)
{
    int rc = corm_update(trx, product, corm_and(corm_eq(product.id, 1), corm_ge(product.stock, 1)),
                         corm_add(product.stock, -1));

    (void)arg;
    if (rc < 0)
        return rc;
    if (rc == 0)
        return corm_abort(trx, GONE, "there is none");
    return corm_insert_row(trx, order, &(struct order){.user_id = 1, .qty = 1});
}

/* Looks at nothing. */
static int buy_carelessly(struct corm_trx *trx, void *arg)
{
    (void)arg;
    (void)corm_update(trx, product, corm_eq(product.id, 1), corm_add(product.stock, -1));
    (void)corm_insert_row(trx, order, &(struct order){.user_id = 1, .qty = 1});
    (void)corm_count(trx, order);
    (void)corm_insert_row(trx, order, &(struct order){.user_id = 2, .qty = 1}, .later = true);
    return 0;
}

static int64_t transact_locked(struct world *w)
{
    return corm_transact(w->db, buy, NULL, .error = &w->error);
}

/* ---- In lanes ---- */

static int64_t transact_in_a_lane(struct world *w)
{
    return corm_transact(w->db, buy, NULL, .key = corm_eq(product.id, 1), .error = &w->error);
}

struct told {
    int               rc, worst; /* of several */
    struct corm_error error;
};

static void note_worst(int rc, const struct corm_error *error, void *arg)
{
    struct told *told = arg;

    if (rc >= 0 || told->worst < 0)
        return;
    told->worst = rc;
    told->error = *error;
}

/* A purchase that asks for its key, so that arrays return some. */
static int buy_with_key(struct corm_trx *trx, void *arg)
{
    static int64_t ids[8];
    static int     next;
    struct product p;
    int rc = corm_first(trx, product, &p, .where = corm_eq(product.id, 1), .lock = CORM_FOR_UPDATE);

    (void)arg;
    if (rc < 0)
        return rc;
    if (rc == 0 || p.stock < 1)
        return corm_abort(trx, GONE, "there is none");
    rc = corm_update(trx, product, corm_eq(product.id, 1), corm_set(product.stock, p.stock - 1));
    if (rc < 0)
        return rc;
    return corm_insert_row(trx, order, &(struct order){.user_id = 1, .qty = 1},
                           .id_later = &ids[next++ % 8]);
}

static int64_t submit_some(struct world *w)
{
    struct told told = {0};
    int64_t     number = corm_submit(w->db, buy_with_key, &told, .key = corm_eq(product.id, 1),
                                     .done = note_worst, .error = &w->error);

    if (number < 0)
        return number;
    int64_t count = corm_drain(w->db) + corm_dispatch(w->db);
    if (told.worst < 0)
        w->error = told.error;
    return told.worst < 0 ? told.worst : right(w, count == 1, "to drain tells of one");
}

static int64_t submit_and_wait(struct world *w)
{
    struct told told = {0};
    int64_t     number = corm_submit(w->db, buy, &told, .error = &w->error,
                                     .key = corm_keys(corm_eq(product.id, 1), corm_eq(order.id, 1)));

    if (number < 0)
        return number;
    (void)corm_cancel(w->db, 0);
    return corm_fd(w->db) < 0 ? no_memory(w) : corm_wait(w->db, number, &w->error);
}

static int64_t transact_guarded(struct world *w)
{
    return corm_transact(w->db, buy_guarded, NULL, .error = &w->error);
}

static int64_t transact_carelessly(struct world *w)
{
    return corm_transact(w->db, buy_carelessly, NULL, .error = &w->error);
}

static int refuse_after_a_write(struct corm_trx *trx, void *arg)
{
    int rc = buy_guarded(trx, arg);

    return rc < 0 ? rc : corm_abort(trx, REFUSED, "no %s", "thanks");
}

static int64_t transact_refused(struct world *w)
{
    int rc = corm_transact(w->db, refuse_after_a_write, NULL, .error = &w->error);

    return rc == REFUSED ? 0 : rc;
}

/* Many rows that are held, then written one by one. */
static int spend_all(struct corm_trx *trx, void *arg)
{
    struct letter *letters = NULL;
    int            rc =
        corm_all(trx, letter, &letters, .lock = CORM_FOR_UPDATE, .order = {corm_asc(letter.id)});

    (void)arg;
    for (int i = 0, n = rc; rc >= 0 && i < n; i++)
        rc = i % 2 == 0 ? corm_delete(trx, letter, corm_eq(letter.id, letters[i].id), .later = true)
                        : corm_update(trx, letter, corm_eq(letter.id, letters[i].id),
                                      corm_set(letter.body, "spent"));
    return rc;
}

static int64_t transact_with_many_rows(struct world *w)
{
    return corm_transact(w->db, spend_all, NULL, .error = &w->error);
}

/* More than is buffered at once, and more than a block takes. */
static int write_a_lot(struct corm_trx *trx, void *arg)
{
    static char text[3000];
    int         rc = 0;

    (void)arg;
    memset(text, 'y', sizeof(text) - 1);
    for (int i = 0; rc >= 0 && i < 40; i++)
        rc = corm_insert_row(trx, letter, &(struct letter){.id = 3000 + i, .body = text});
    return rc;
}

static int64_t transact_with_a_full_buffer(struct world *w)
{
    return corm_transact(w->db, write_a_lot, NULL, .error = &w->error);
}

struct keys {
    int64_t now, later[3];
};

static int take_keys(struct corm_trx *trx, void *arg)
{
    struct keys *keys = arg;
    int          rc = corm_insert_row(trx, order, &(struct order){.user_id = 3}, .id = &keys->now);

    for (int i = 0; rc >= 0 && i < 3; i++)
        rc =
            corm_insert_row(trx, order, &(struct order){.user_id = 4}, .id_later = &keys->later[i]);
    return rc;
}

static int64_t transact_with_keys(struct world *w)
{
    struct keys keys = {0};
    int         rc = corm_transact(w->db, take_keys, &keys, .error = &w->error);

    return rc < 0 ? rc
                  : right(w,
                          keys.now > 0 && keys.later[0] > keys.now &&
                              keys.later[2] > keys.later[1] && keys.later[1] > keys.later[0],
                          "tells the keys");
}

/* The keys in front of the rows of a read that shares their trip. */
static int read_behind_keys(struct corm_trx *trx, void *arg)
{
    struct keys   *keys = arg;
    struct letter *letters;
    int            rc =
        corm_insert_row(trx, order, &(struct order){.user_id = 4}, .id_later = &keys->later[0]);

    if (rc >= 0)
        rc = corm_all(trx, letter, &letters, .where = corm_like(letter.body, "x%"));
    return rc;
}

static int64_t transact_with_keys_and_rows(struct world *w)
{
    struct keys keys = {0};
    int         rc = corm_transact(w->db, read_behind_keys, &keys, .error = &w->error);

    return rc < 0 ? rc : right(w, rc == LETTERS + 1 && keys.later[0] > 0, "reads behind a write");
}

static int sql_in_function(struct corm_trx *trx, void *arg)
{
    struct corm_rows rows;
    int rc = corm_sql(trx, &rows, "SELECT id, body, at, id, id, id FROM letter WHERE id < ?",
                      corm_vals(30));

    (void)arg;
    return rc < 0 ? rc : corm_sql(trx, NULL, "DELETE FROM letter WHERE id = ?", corm_vals(rc));
}

static int64_t transact_with_sql(struct world *w)
{
    return corm_transact(w->db, sql_in_function, NULL, .error = &w->error);
}

static int read_only(struct corm_trx *trx, void *arg)
{
    struct product *products;

    (void)arg;
    return corm_all(trx, product, &products);
}

static int64_t transact_read_only(struct world *w)
{
    return corm_transact(w->db, read_only, NULL, .read_only = true, .error = &w->error);
}

/* ---- Nested ---- */

static int insert_twice(struct corm_trx *trx, void *arg)
{
    int rc = corm_insert_row(trx, order, &(struct order){.user_id = 5});

    (void)arg;
    if (rc < 0)
        return rc;
    return corm_insert_row(trx, letter, &(struct letter){.id = 1, .body = "duplicate"});
}

static int insert_once(struct corm_trx *trx, void *arg)
{
    (void)arg;
    return corm_insert_row(trx, letter, &(struct letter){.id = 4000, .body = "new"});
}

static int handle_a_duplicate(struct corm_trx *trx, void *arg)
{
    int rc = corm_update(trx, product, corm_eq(product.id, 1), corm_add(product.stock, -1),
                         .later = true);

    (void)arg;
    if (rc >= 0)
        rc = corm_transact(trx, insert_twice, NULL);
    if (rc != CORM_DUPLICATE)
        return rc;
    return corm_transact(trx, insert_once, NULL);
}

static int64_t transact_nested(struct world *w)
{
    return corm_transact(w->db, handle_a_duplicate, NULL, .error = &w->error);
}

/* ---- Behind an address of several nodes ---- */

/* As many as rows that were locked; each time others. */
static int64_t guard_many(struct corm_trx *trx, uint64_t from)
{
    enum { MANY = 400 };

    for (uint64_t i = 0; i < MANY; i++)
        if (corm__trx_guard(trx, from * MANY + i, &trx->error) < 0)
            return corm__trx_doom(trx, __FILE__, __LINE__);
    return 0;
}

/* They wait for a statement, for a savepoint and for the end. */
static int lock_at_all_places(struct corm_trx *trx, void *arg)
{
    int64_t rc = buy(trx, arg);

    NEXT(guard_many(trx, 1));
    NEXT(corm_savepoint(trx));
    NEXT(guard_many(trx, 2));
    NEXT(buy(trx, arg));
    NEXT(corm_savepoint_rollback(trx));
    NEXT(guard_many(trx, 3));
    return rc < 0 ? (int)rc : 0;
}

static void make_guards(struct world *w)
{
    (void)w;
    beside(
        "CREATE TABLE IF NOT EXISTS corm_guard (number BIGINT NOT NULL PRIMARY KEY, locks BIGINT NOT "
        "NULL)");
}

static int64_t transact_with_guards(struct world *w)
{
    return corm_transact(w->db, lock_at_all_places, NULL, .error = &w->error);
}

/* ---- The long form ---- */

static int64_t long_form(struct world *w)
{
    struct corm_trx *trx = NULL;
    int              rc = corm_begin(w->db, &trx, .error = &w->error);

    if (rc < 0)
        return right(w, trx == NULL, "leaves no transaction"), rc;
    (void)buy_guarded(trx, NULL);
    rc = corm_rollback(trx);
    if (rc == 0)
        rc = corm_start(trx);
    if (rc == 0) {
        (void)buy(trx, NULL); /* a failure is told by the commit */
        rc = corm_commit(trx);
    }
    right(w, corm_trx_error(trx)->code == rc, "keeps the error");
    corm_end(trx);
    return rc;
}

static int64_t left_open(struct world *w)
{
    struct corm_trx *trx = NULL;
    int              rc = corm_begin(w->db, &trx, .error = &w->error);

    if (rc == 0)
        rc = buy(trx, NULL);
    corm_end(trx);
    return rc;
}

static int64_t with_savepoints(struct world *w)
{
    struct corm_trx *trx = NULL;
    int64_t          rc = corm_begin(w->db, &trx, .error = &w->error);

    NEXT(corm_insert_row(trx, order, &(struct order){.user_id = 6}));
    NEXT(corm_savepoint(trx));
    NEXT(corm_update(trx, product, corm_eq(product.id, 1), corm_set(product.stock, 1)));
    NEXT(corm_savepoint(trx));
    NEXT(corm_insert_row(trx, order, &(struct order){.user_id = 7}));
    NEXT(corm_savepoint_release(trx));
    NEXT(corm_savepoint_rollback(trx));
    NEXT(corm_insert_row(trx, order, &(struct order){.user_id = 8}));
    if (trx != NULL && rc >= 0)
        rc = corm_commit(trx);
    corm_end(trx);
    return rc;
}

/* A statement that fails for want of memory behind a savepoint is undone with it. */
static int64_t mended_by_a_savepoint(struct world *w)
{
    struct corm_trx *trx = NULL;
    int              rc = corm_begin(w->db, &trx, .error = &w->error);

    if (rc == 0)
        rc = corm_insert_row(trx, order, &(struct order){.user_id = 9});
    if (rc >= 0)
        rc = corm_savepoint(trx);
    if (rc == 0) {
        int failed =
            corm_insert_row(trx, order, &(struct order){.user_id = 10}, .id = &(int64_t){0});
        rc = failed < 0 ? corm_savepoint_rollback(trx) : corm_savepoint_release(trx);
        if (failed < 0 && rc == 0) /* the one in front of it could be committed */
            rc = corm_rollback(trx) < 0 ? CORM_MISUSE : failed;
    }
    if (rc == 0)
        rc = corm_commit(trx);
    corm_end(trx);
    return rc;
}

/* ---- Runs again ---- */

static int deadlock_at_first(struct corm_trx *trx, void *arg)
{
    int qty = corm_attempt(trx) == 1 ? 13 : 1; /* 13: see make_tables() */
    int rc = corm_update(trx, product, corm_eq(product.id, 1), corm_add(product.stock, -1));

    (void)arg;
    return rc < 0 ? rc : corm_insert_row(trx, order, &(struct order){.qty = qty});
}

static int64_t transact_after_a_deadlock(struct world *w)
{
    return corm_transact(w->db, deadlock_at_first, NULL, .error = &w->error);
}

static int killed_at_first(struct corm_trx *trx, void *arg)
{
    struct corm_rows rows;
    int              rc = corm_sql(trx, &rows, "SELECT CONNECTION_ID()");

    (void)arg;
    if (rc < 0)
        return rc;
    if (corm_attempt(trx) == 1) {
        bool armed = memory.armed;
        disarm();
        beside("KILL %lld", rows.values[0].as.i);
        memory.armed = armed;
    }
    return buy_guarded(trx, NULL);
}

static int64_t transact_after_a_lost_connection(struct world *w)
{
    return corm_transact(w->db, killed_at_first, NULL, .error = &w->error);
}

/* clang-format off */
#define SCENARIO(text, ...) {.name = (text), .run = __VA_ARGS__}
static struct scenario scenarios[] = {
    SCENARIO("corm_open() by URL", open_by_url, .opens = true),
    SCENARIO("corm_open() with stats=on", open_with_stats, .opens = true),
    SCENARIO("corm_stats_text()", text_of_stats),
    SCENARIO("corm_open() by DATABASE_URL", open_by_one_variable, .opens = true),
    SCENARIO("corm_open() by DB_...", open_by_variables, .opens = true),
    SCENARIO("corm_connect_all()", connect_all),
    SCENARIO("corm_setup()", set_up_ledger, .of_server = true),
    SCENARIO("corm_create_table()", create_table, .writes = true, .of_tables = true),
    SCENARIO("corm_create_table() without an index", create_table_without_index, .writes = true, .of_tables = true),
    SCENARIO("corm_drop_table()", drop_table, .writes = true, .of_tables = true),
    SCENARIO("corm_first()", first_on_db),
    SCENARIO("corm_all()", all_on_db),
    SCENARIO("corm_each()", each_on_db),
    SCENARIO("corm_count()", count_on_db),
    SCENARIO("corm_exists()", exists_on_db),
    SCENARIO("a text longer than those before", read_a_long_letter, .warm = read_a_short_letter),
    SCENARIO("corm_insert()", insert_on_db, .writes = true),
    SCENARIO("corm_insert() with .id", insert_with_id_on_db, .writes = true),
    SCENARIO("corm_insert_row()", insert_row_on_db, .writes = true),
    SCENARIO("corm_insert_rows()", insert_rows_on_db, .writes = true),
    SCENARIO("corm_insert_rows() with .ids", insert_rows_and_keys_on_db, .writes = true),
    SCENARIO("corm_update()", update_on_db, .writes = true),
    SCENARIO("corm_update_row()", update_row_on_db, .writes = true),
    SCENARIO("corm_upsert()", upsert_on_db, .writes = true),
    SCENARIO("corm_upsert() with .update", upsert_by_a_list_on_db, .writes = true),
    SCENARIO("corm_delete()", delete_on_db, .writes = true),
    SCENARIO("a row of every type", thing_of_every_type),
    SCENARIO("every type in a transaction", transact_with_every_type, .writes = true),
    SCENARIO("corm_dup() of every type", dup_every_type),
    SCENARIO("a condition of every type", condition_of_every_type),
    SCENARIO("a join", join_on_db),
    SCENARIO("the first row of a join", first_of_a_join),
    SCENARIO("sums and the like", numbers_on_db),
    SCENARIO("a sum of decimals", sum_of_decimals, .warm = two_things),
    SCENARIO("corm_select()", groups_on_db),
    SCENARIO("a union", union_on_db),
    SCENARIO("a page by number", page_by_number),
    SCENARIO("a page by key", page_by_key),
    SCENARIO("sub-queries", sub_queries_on_db),
    SCENARIO("corm_where_new() of reads", condition_of_reads_at_run_time),
    SCENARIO("corm_sql_into()", sql_into_on_db),
    SCENARIO("corm_explain()", explain_on_db),
    SCENARIO("corm_sql() with rows", sql_on_db),
    SCENARIO("corm_sql() with long rows", sql_of_long_rows),
    SCENARIO("corm_sql() that writes", sql_that_writes_on_db, .writes = true),
    SCENARIO("corm_sql() that writes and returns", sql_that_writes_and_returns_on_db, .writes = true, .may_be_unknown = true),
    SCENARIO("corm_sql_of() of each call", sql_of_each_kind),
    SCENARIO("corm_sql_of() of long values", sql_of_long_values),
    SCENARIO("corm_where_new()", condition_at_run_time),
    SCENARIO("corm_where_new() in many blocks", condition_of_many_blocks),
    SCENARIO("corm_arena_alloc()", arena_of_the_callers),
    SCENARIO("corm_settings()", settings_of_a_url),
    SCENARIO("corm_dup()", dup_a_row),
    SCENARIO("more statements than are kept", more_statements_than_are_kept, .warm = fill_the_cache),
    SCENARIO("a locked purchase", transact_locked, .writes = true),
    SCENARIO("a purchase in a lane", transact_in_a_lane, .writes = true),
    SCENARIO("corm_submit() and corm_drain()", submit_some, .writes = true),
    SCENARIO("corm_submit() of two keys and corm_wait()", submit_and_wait, .writes = true),
    SCENARIO("a guarded purchase", transact_guarded, .writes = true),
    SCENARIO("a function that looks at nothing", transact_carelessly, .writes = true),
    SCENARIO("a function that refuses", transact_refused),
    SCENARIO("many rows that are held", transact_with_many_rows, .writes = true),
    SCENARIO("more writes than are buffered", transact_with_a_full_buffer, .writes = true),
    SCENARIO(".id and .id_later", transact_with_keys, .writes = true),
    SCENARIO(".id_later in front of a read", transact_with_keys_and_rows, .writes = true),
    SCENARIO("corm_sql() in a function", transact_with_sql, .writes = true),
    SCENARIO("a function that only reads", transact_read_only),
    SCENARIO("nested functions and a duplicate", transact_nested, .writes = true),
    SCENARIO("rows that are guarded", transact_with_guards, .warm = make_guards, .options = "pool=4&guard=on", .writes = true, .of_server = true),
    SCENARIO("corm_begin() to corm_end()", long_form, .writes = true, .can_do_without = true),
    SCENARIO("corm_end() of an open transaction", left_open),
    SCENARIO("savepoints", with_savepoints, .writes = true),
    SCENARIO("a failure that a savepoint undoes", mended_by_a_savepoint, .writes = true),
    SCENARIO("a deadlock", transact_after_a_deadlock, .writes = true, .of_server = true),
    SCENARIO("a lost connection", transact_after_a_lost_connection, .writes = true, .of_server = true),
};
/* clang-format on */

/* ---- The loop ------------------------------------------------------------------------ */

static void fill_tables(void)
{
    beside(
        "DELETE FROM product; DELETE FROM `order`; DELETE FROM letter; "
        "DELETE FROM thing; DELETE FROM ticket; INSERT INTO ticket (id, price, version) VALUES (1, 10, 1); "
        "INSERT INTO product (id, name, stock) VALUES (1, 'pear', %d); "
        "INSERT INTO letter (id, at, body) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
        "FROM n WHERE i < %d) SELECT i, '2026-01-31 09:05:00.000000', "
        "REPLACE(SUBSTR('%0*d', 1, i * 10), '0', 'x') FROM n; "
        "INSERT INTO letter (id, at, body) VALUES (1000, '2026-01-31 09:05:00.000000', %s)",
        STOCK, LETTERS, LETTERS * 10, 0,
        is_mariadb() ? "REPEAT('x', 100000)" : "REPLACE(HEX(ZEROBLOB(50000)), '0', 'x')");
}

static void make_tables(void)
{
    struct corm_db *db = open_db(NULL);

    new_table(db, product);
    new_table(db, order);
    new_table(db, letter);
    new_table(db, ticket);
    new_table(db, thing);
    assert_int_equal(corm_drop_table(db, extra, .if_exists = true), 0);
    assert_int_equal(corm_drop_table(db, bare, .if_exists = true), 0);
    corm_close(db);
    beside("DROP TABLE IF EXISTS corm_ledger");
    if (is_mariadb())
        beside("CREATE TRIGGER deadlock BEFORE INSERT ON `order` FOR EACH ROW IF NEW.qty = 13 THEN "
               "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'deadlock'; END IF");
    fill_tables();
}

/* All that a scenario may change, in one number. */
static long long state_of(const struct scenario *s)
{
    if (!s->of_tables)
        return number_beside(
            "SELECT (SELECT SUM(stock) + 1000 * COUNT(*) FROM product) + (SELECT 10000 * COUNT(*) + "
            "10000000 * COALESCE(SUM(user_id), 0) FROM `order`) + (SELECT 10000000000 * "
            "SUM(LENGTH(body)) + COUNT(*) FROM letter) + (SELECT 7 * version + price FROM ticket)");
    return number_beside("%s", is_mariadb()
                                   ? "SELECT SUM(CASE table_name WHEN 'extra' THEN 10 ELSE 1 "
                                     "END) FROM information_schema.tables WHERE "
                                     "table_schema = DATABASE()"
                                   : "SELECT SUM(CASE name WHEN 'extra' THEN 10 ELSE 1 END) "
                                     "FROM sqlite_master WHERE type = 'table'");
}

static void restore(const struct scenario *s, long long before)
{
    if (state_of(s) == before)
        return;
    if (s->of_tables)
        make_tables();
    else
        fill_tables();
    assert_int_equal(state_of(s), before);
}

static void set_up(const struct scenario *s, struct world *w)
{
    *w = (struct world){.arena = corm_arena_new()};
    assert_non_null(w->arena);
    if (!s->opens)
        w->db = open_db(s->options != NULL ? s->options : "pool=4");
    if (s->warm != NULL)
        s->warm(w);
    corm_arena_reset(w->arena);
}

/* Closing asks for nothing. */
static void tear_down(struct world *w)
{
    arm(1, true);
    corm_close(w->db);
    corm_arena_free(w->arena);
    disarm();
    assert_int_equal(memory.asked, 0);
}

#define COMPLAIN(...)                                                                              \
    do {                                                                                           \
        print_message("# %s, request %ld refused%s, at:\n", s->name, memory.refuse,                \
                      memory.for_good ? " and all behind it" : "");                                \
        show_place();                                                                              \
        fail_msg(__VA_ARGS__);                                                                     \
    } while (0)

/* What must hold after a scenario in which memory was refused. */
static void check_refused(const struct scenario *s, struct world *w, int64_t rc, long long before,
                          long long after)
{
    long long state = state_of(s);

    if (w->wrong != NULL)
        COMPLAIN("it has not done this: %s", w->wrong);
    if (rc >= 0 && !s->can_do_without && !is_dispensable())
        COMPLAIN("it worked without memory");
    if (rc == CORM_UNKNOWN && is_mariadb() && (s->may_be_unknown || memory.of_library) &&
        w->error.code == rc && (state == before || state == after))
        return;
    if (rc < 0 && (rc != CORM_NO_MEMORY || w->error.code != rc || w->error.message[0] == '\0'))
        COMPLAIN("it returned %s: %s", corm_code_name((int)rc), w->error.message);
    if (rc < 0 && state != before)
        COMPLAIN("it failed and left the state %lld, not %lld (all of it: %lld)", state, before,
                 after);
    if (rc >= 0 && state != after)
        COMPLAIN("it worked and left the state %lld, not %lld (nothing of it: %lld)", state, after,
                 before);
    if (s->opens && rc < 0 && w->db != NULL)
        COMPLAIN("a handle is there that was not opened");
}

/* The same once more on the same handle, with memory. */
static void check_again(const struct scenario *s, struct world *w, long long before,
                        long long after)
{
    restore(s, before);
    w->error = (struct corm_error){0};
    corm_arena_reset(w->arena);
    if (s->opens) {
        corm_close(w->db);
        w->db = NULL;
    }
    int64_t rc = s->run(w);
    if (rc < 0 || w->wrong != NULL)
        COMPLAIN("the same call does not work afterwards: %lld: %s%s", (long long)rc,
                 w->error.message, w->wrong != NULL ? w->wrong : "");
    if (state_of(s) != after)
        COMPLAIN("the same call afterwards left the state %lld, not %lld", state_of(s), after);
}

/* False where the scenario asks for memory less often than `k` times. */
static bool refuse(const struct scenario *s, long k, bool for_good, long long before,
                   long long after)
{
    struct world w;
    long         live = memory.live;

    restore(s, before);
    set_up(s, &w);
    w.error = (struct corm_error){.code = CORM_SYNTAX, .message = "left from a call before"};
    arm(k, for_good);
    int64_t rc = s->run(&w);
    disarm();
    bool refused = memory.asked >= k;
    if (refused) {
        check_refused(s, &w, rc, before, after);
        check_again(s, &w, before, after);
    }
    tear_down(&w);
    if (memory.live != live)
        COMPLAIN("%ld pieces of memory were not freed", memory.live - live);
    return refused;
}

static struct sigaction of_cmocka;

static void on_crash(int number)
{
    disarm(); /* for the tests behind it */
    print_message("# request %ld was refused at:\n", memory.refuse);
    show_place();
    of_cmocka.sa_handler(number);
}

static void memory_runs_out(void **state)
{
    const struct scenario *s = *state;
    struct sigaction       mine = {.sa_handler = on_crash};
    struct world           w;
    long                   k = 1;

    (void)sigaction(SIGSEGV, &mine, &of_cmocka);
    make_tables();
    long long before = state_of(s);
    set_up(s, &w);
    arm(0, false);
    int64_t rc = s->run(&w);
    disarm();
    long long after = state_of(s);
    if (rc < 0 || w.wrong != NULL)
        fail_msg("with memory: %lld: %s%s", (long long)rc, w.error.message,
                 w.wrong != NULL ? w.wrong : "");
    assert_int_equal(s->writes, before != after);
    long asked = memory.asked;
    assert_true(asked > 0);
    tear_down(&w);
    while (refuse(s, k, false, before, after) && refuse(s, k, true, before, after))
        k++;
    assert_true(k > asked);
    print_message("# %s: memory ran out in %ld places\n", s->name, k - 1);
}

/* ---- What needs no memory ---------------------------------------------------------------- */

static int look_around(struct corm_trx *trx, void *arg)
{
    int *codes = arg;

    arm(1, true);
    codes[0] = (int)corm_attempt(trx);
    codes[1] = corm_trx_error(trx)->code;
    codes[2] = corm_trx_arena(trx) != NULL;
    codes[3] = corm_abort(trx, REFUSED, "%d", 7);
    disarm();
    return codes[3];
}

/* Wherever in its making the arena is full. */
static void a_text_of_statistics_that_finds_no_room_is_an_error(void **state)
{
    enum { MOST = 16384, STEP = 16 }; /* a block of an arena */
    struct corm_db *db = open_db(NULL);
    int             refused = 0;

    (void)state;
    for (size_t used = STEP; used < MOST; used += STEP) {
        struct corm_arena *arena = corm_arena_new();
        struct corm_error  error = {0};
        assert_non_null(corm_arena_alloc(arena, used));
        arm(1, true);
        const char *text = corm_stats_text(db, arena, &error);
        disarm();
        assert_int_equal(error.code, text == NULL ? CORM_NO_MEMORY : 0);
        refused += text == NULL;
        corm_arena_free(arena);
    }
    assert_true(refused > 0);
    corm_close(db);
}

static void what_looks_asks_for_nothing(void **state)
{
    struct corm_db        *db = open_db(NULL);
    struct corm_counters   counters;
    struct corm_error_rule rule;
    struct corm_db_stats   stats;
    struct corm_node_stats node;
    int                    codes[4];

    (void)state;
    assert_int_equal(corm_transact(db, look_around, codes), REFUSED);
    assert_int_equal(memory.asked, 0);
    assert_int_equal(codes[0], 1);
    assert_int_equal(codes[1], 0);
    assert_int_equal(codes[2], 1);
    assert_int_equal(codes[3], REFUSED);
    arm(1, true);
    corm_stats(db, &counters);
    bool counted = corm_db_stats(db, &stats, NULL) == 0 && corm_node_stats(db, 1, &node, NULL) == 0;
    enum corm_dialect dialect = corm_dialect_of(db);
    bool said = corm_version()[0] != '\0' && corm_code_name(CORM_NO_MEMORY)[0] != '\0' &&
                corm_code_text(CORM_NO_MEMORY)[0] != '\0' &&
                corm_code_cure(CORM_NO_MEMORY)[0] != '\0' && corm_error_rule("corm", 0, &rule) &&
                corm_verdict_text(CORM_RUN_AGAIN)[0] != '\0' &&
                corm_place_text(CORM_AT_COMMIT)[0] != '\0';
    char             text[64];
    int64_t          at;
    struct corm_uuid uuid;
    bool formed = corm_date_format(0, text) && corm_date_parse(text, strlen(text), &at) &&
                  corm_time_format(1, text) && corm_time_parse(text, strlen(text), &at) &&
                  corm_datetime_format(at, text) && corm_datetime_parse(text, strlen(text), &at);
    corm_uuid_format(&(struct corm_uuid){{7}}, text);
    formed = formed && corm_uuid_parse(text, strlen(text), &uuid) && uuid.bytes[0] == 7 && at == 1;
    disarm();
    assert_true(formed && counted);
    assert_int_equal(memory.asked, 0);
    assert_int_equal(counters.connects, 1);
    assert_int_equal(dialect, is_mariadb() ? CORM_DIALECT_MARIADB : CORM_DIALECT_SQLITE);
    assert_true(said);
    corm_close(db);
}

/* ---- The steady state ------------------------------------------------------------------- */

enum { ROUNDS = 1000 };

/* `ROUNDS` of something; what the last call returned. */
typedef int64_t rounds_function(struct world *w);

static int64_t rounds_of_locked_purchases(struct world *w)
{
    int rc = 0;

    for (int i = 0; rc >= 0 && i < ROUNDS; i++)
        rc = corm_transact(w->db, buy, NULL, .error = &w->error);
    return rc;
}

static int64_t rounds_of_guarded_purchases(struct world *w)
{
    int rc = 0;

    for (int i = 0; rc >= 0 && i < ROUNDS; i++)
        rc = corm_transact(w->db, buy_guarded, NULL, .error = &w->error);
    return rc;
}

static int64_t rounds_of_the_long_form(struct world *w)
{
    struct corm_trx *trx = NULL;
    int              rc = 0;

    for (int i = 0; rc >= 0 && i < ROUNDS; i++) {
        rc = corm_begin(w->db, &trx, .error = &w->error);
        if (rc == 0)
            rc = buy(trx, NULL);
        if (rc >= 0)
            rc = corm_commit(trx);
        corm_end(trx);
    }
    return rc;
}

static int64_t rounds_of_keys(struct world *w)
{
    struct keys keys;
    int         rc = 0;

    for (int i = 0; rc >= 0 && i < ROUNDS; i++)
        rc = corm_transact(w->db, take_keys, &keys, .error = &w->error);
    return rc;
}

static int64_t rounds_of_inserts(struct world *w)
{
    int64_t key = 0;
    int     rc = 0;

    for (int i = 0; rc >= 0 && i < ROUNDS; i++)
        rc = corm_insert_row(w->db, order, &(struct order){.user_id = 3}, .id = &key,
                             .error = &w->error);
    return rc;
}

static int64_t rounds_of_reads_on_a_db(struct world *w)
{
    struct product p;
    int            rc = 0;

    for (int i = 0; rc >= 0 && i < ROUNDS; i++) {
        corm_arena_reset(w->arena);
        rc = corm_first(w->db, product, &p, .where = corm_eq(product.id, 1), .arena = w->arena,
                        .error = &w->error);
    }
    return rc;
}

static int64_t rounds_of_reads_in_one_transaction(struct world *w)
{
    struct corm_trx *trx = NULL;
    struct product   p;
    int              rc = corm_begin(w->db, &trx, .error = &w->error);

    for (int i = 0; rc >= 0 && i < ROUNDS; i++)
        rc = corm_first(trx, product, &p, .where = corm_eq(product.id, 1));
    if (rc >= 0)
        rc = corm_commit(trx);
    corm_end(trx);
    return rc;
}

static int64_t rounds_of_locked_reads_in_one_transaction(struct world *w)
{
    struct corm_trx *trx = NULL;
    struct product   p;
    int              rc = corm_begin(w->db, &trx, .error = &w->error);

    for (int i = 0; rc >= 0 && i < ROUNDS; i++)
        rc = corm_first(trx, product, &p, .where = corm_eq(product.id, 1), .lock = CORM_FOR_UPDATE);
    if (rc >= 0)
        rc = corm_commit(trx);
    corm_end(trx);
    return rc;
}

static int64_t rounds_of_counts(struct world *w)
{
    int64_t rc = 0;

    for (int i = 0; rc >= 0 && i < ROUNDS; i++)
        rc = corm_count(w->db, product, .where = corm_eq(product.id, 1), .error = &w->error);
    return rc;
}

/* In one transaction over all rounds: behind it, a server's session is reset, and forgets. Without
 * rows: those live as long as the transaction. */
static int64_t rounds_of_sql(struct world *w)
{
    int rc = w->trx == NULL ? corm_begin(w->db, &w->trx, .error = &w->error) : 0;

    for (int i = 0; rc >= 0 && i < ROUNDS; i++)
        rc = corm_sql(w->trx, NULL, "UPDATE product SET stock = stock - 1 WHERE id = ?",
                      corm_vals(1), .error = &w->error);
    return rc;
}

/* The lane is held here while the members behind it come, or the size of their group would be a
 * matter of luck, and a larger group than ever before asks for memory. */
static sem_t lane_is_held, lane_may_go;

static int hold_the_lane(struct corm_trx *trx, void *arg)
{
    (void)trx;
    (void)arg;
    sem_post(&lane_is_held);
    while (sem_wait(&lane_may_go) != 0) {
    }
    return 0;
}

/* In groups: what a lane has to keep was asked for in the rounds before. */
static int64_t rounds_in_lanes(struct world *w)
{
    static struct told told[ROUNDS], held;
    int64_t            number = 1, count = 0;

    sem_init(&lane_is_held, 0, 0);
    sem_init(&lane_may_go, 0, 0);
    for (int k = 0; number > 0 && k < 4; k++) {
        number = corm_submit(w->db, hold_the_lane, &held, .key = corm_eq(product.id, 1),
                             .done = note_worst, .error = &w->error);
        if (number < 0)
            break;
        while (sem_wait(&lane_is_held) != 0) {
        }
        for (int i = 0; number > 0 && i < ROUNDS / 4; i++)
            number = corm_submit(w->db, buy_with_key, &told[i], .key = corm_eq(product.id, 1),
                                 .done = note_worst, .error = &w->error);
        sem_post(&lane_may_go);
        count += corm_drain(w->db) - 1;
    }
    sem_destroy(&lane_is_held);
    sem_destroy(&lane_may_go);
    for (int i = 0; i < ROUNDS; i++)
        if (told[i].worst < 0) {
            w->error = told[i].error;
            return told[i].worst;
        }
    return count == ROUNDS ? 0 : no_memory(w);
}

static int64_t rounds_of_sums(struct world *w)
{
    int64_t sum;
    int     rc = 0;

    for (int i = 0; rc >= 0 && i < ROUNDS; i++)
        rc = corm_sum(w->db, product, product.stock, &sum, .error = &w->error);
    return rc;
}

static int64_t rounds_of_joins(struct world *w)
{
    struct letter   l;
    struct product *products;
    struct shelf   *shelves;
    int             rc = 0;

    for (int i = 0; rc >= 0 && i < ROUNDS; i++) {
        struct letter *letters;
        corm_arena_reset(w->arena);
        rc = corm_all(w->db, letter, &letters,
                      .join =
                          corm_joins(corm_join(product, &products, corm_eq(product.id, letter.id))),
                      .limit = 3, .arena = w->arena, .error = &w->error);
        l.id = 1;
        NEXT(corm_all(w->db, letter, &letters, .after = corm_after(letter, &l), .limit = 2,
                      .arena = w->arena, .error = &w->error));
        NEXT(corm_select(w->db, shelf, &shelves, product,
                         corm_columns(corm_as(shelf.name, product.name), corm_as_count(shelf.rows),
                                      corm_as_max(shelf.longest, product.name),
                                      corm_as_avg(shelf.mean, product.stock)),
                         .group = corm_by(product.name), .arena = w->arena, .error = &w->error));
    }
    return rc;
}

struct steady {
    const char      *name;
    rounds_function *run;
    bool             with_ledger;
};

static struct steady steady[] = {
    {"1,000 locked purchases allocate nothing", rounds_of_locked_purchases, false},
    {"1,000 guarded purchases allocate nothing", rounds_of_guarded_purchases, false},
    {"1,000 purchases in the long form allocate nothing", rounds_of_the_long_form, false},
    {"1,000 transactions with keys allocate nothing", rounds_of_keys, false},
    {"1,000 point reads on a db allocate nothing", rounds_of_reads_on_a_db, false},
    {"1,000 point reads in one transaction allocate nothing", rounds_of_reads_in_one_transaction,
     false},
    {"1,000 locked reads in one transaction allocate nothing",
     rounds_of_locked_reads_in_one_transaction, false},
    {"1,000 counts allocate nothing", rounds_of_counts, false},
    {"1,000 purchases in groups allocate nothing", rounds_in_lanes, false},
    {"1,000 locked purchases in the ledger allocate nothing", rounds_of_locked_purchases, true},
    {"1,000 transactions with keys in the ledger allocate nothing", rounds_of_keys, true},
    {"1,000 purchases in groups in the ledger allocate nothing", rounds_in_lanes, true},
    {"1,000 inserts in the ledger allocate nothing", rounds_of_inserts, true},
    {"1,000 sums allocate nothing", rounds_of_sums, false},
    {"1,000 joins, pages and groups allocate nothing", rounds_of_joins, false},
    {"1,000 texts of SQL in one transaction allocate nothing", rounds_of_sql, false},
};

static void nothing_is_allocated(void **state)
{
    const struct steady *s = *state;
    struct world         w;

    make_tables();
    beside("UPDATE product SET stock = 1000000");
    set_up(&(struct scenario){.name = s->name}, &w);
    if (s->with_ledger)
        assert_ok(corm_setup(w.db, &w.error), &w.error);
    assert_ok(s->run(&w), &w.error);
    assert_ok(s->run(&w), &w.error);
    long before = allocations_of_all();
    arm(0, false);
    int64_t rc = s->run(&w);
    disarm();
    long all = allocations_of_all() - before, own = memory.asked;
    assert_ok(rc, &w.error);
    corm_end(w.trx);
    tear_down(&w);
    if (before >= 0)
        print_message("# %s of corm's own: %ld; of the libraries: %.3f a round\n", s->name, own,
                      (double)(all - own) / ROUNDS);
    assert_int_equal(own, 0);
}

/* ---- No place is left out ------------------------------------------------------------------ */

/* A place where memory was refused, as "file.c:12". */
static char   refused_at[SITES_MAX][64];
static size_t refused_count;

static void name_sites(void)
{
    char  line[512];
    FILE *places = open_places(memory.sites, memory.site_count);

    assert_non_null(places);
    assert_true(memory.site_count < SITES_MAX); /* or some were forgotten */
    while (fgets(line, sizeof(line), places) != NULL) {
        const char *at = strstr(line, " at ");
        if (strstr(line, "(inlined by)") != NULL || at == NULL)
            continue;
        assert_true(refused_count < SITES_MAX);
        (void)snprintf(refused_at[refused_count++], sizeof(refused_at[0]), "%.*s",
                       (int)strcspn(at + 4, " \n"), at + 4);
    }
    assert_int_equal(pclose(places), 0);
}

static bool was_refused(const char *place)
{
    for (size_t i = 0; i < refused_count; i++)
        if (strcmp(refused_at[i], place) == 0)
            return true;
    return false;
}

static bool calls(const char *line, const char *function)
{
    size_t size = strlen(function);

    for (const char *p = line; (p = strstr(p, function)) != NULL; p += size)
        if ((p == line || !(isalnum((unsigned char)p[-1]) || p[-1] == '_')) && p[size] == '(')
            return true;
    return false;
}

/* What a line of the sources allocates with; `past`: by a function that does not go through here. */
static bool allocates(const char *line, bool *past)
{
    static const char *const watched[] = {"malloc", "calloc", "realloc"};
    static const char *const others[] = {"reallocarray",  "strdup",         "strndup", "asprintf",
                                         "vasprintf",     "posix_memalign", "getline", "getdelim",
                                         "aligned_alloc", "open_memstream"};

    *past = false;
    for (size_t i = 0; i < COUNT(watched); i++)
        if (calls(line, watched[i]))
            return true;
    for (size_t i = 0; i < COUNT(others); i++)
        *past = *past || calls(line, others[i]);
    return *past;
}

/* How many places of a source allocate. */
static int look_into(const char *folder, const char *name)
{
    char  path[1024], line[512], place[320];
    int   number = 0, found = 0;
    bool  past;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        number++;
        if (strstr(line, "/*") != NULL || strncmp(line, " * ", 3) == 0 || !allocates(line, &past))
            continue;
        (void)snprintf(place, sizeof(place), "%.255s:%d", name, number);
        found++;
        /* "return calloc(...)" may be a jump, which leaves no address behind. */
        if (strstr(line, "return ") != NULL && !past)
            continue;
        if (past || !was_refused(place))
            fail_msg("%s: no test has let memory run out here", place);
    }
    (void)fclose(file);
    return found;
}

/* Of the two drivers only the one at hand. */
static bool is_other_driver(const char *name)
{
    return strcmp(name, is_mariadb() ? "sqlite.c" : "mariadb.c") == 0;
}

static void memory_ran_out_at_every_place(void **state)
{
    static const char *const layers[] = {"base", "schema", "sql",   "driver",
                                         "pool", "trx",    "route", "api"};
    int                      found = 0;

    (void)state;
    name_sites();
    for (size_t i = 0; i < COUNT(layers); i++) {
        char folder[512];
        (void)snprintf(folder, sizeof(folder), "%s/%s", CORM_SOURCES, layers[i]);
        DIR *dir = opendir(folder);
        assert_non_null(dir);
        for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
            const char *dot = strrchr(entry->d_name, '.');
            if (dot != NULL && strcmp(dot, ".c") == 0 && !is_other_driver(entry->d_name))
                found += look_into(folder, entry->d_name);
        }
        (void)closedir(dir);
    }
    assert_true(found >= 10);
    print_message("# memory ran out at all %d places of the sources that allocate\n", found);
}

/* All of a file of the project's. */
static void read_whole(const char *name, char *text, size_t size)
{
    char  path[1024];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/../tests/%s", CORM_SOURCES, name);
    file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, size - 1, file);
    (void)fclose(file);
    assert_true(n > 0 && n < size - 1);
    text[n] = '\0';
}

/* Behind a macro corm_x() stands a function corm_x_(). */
static void every_public_call_is_here(void **state)
{
    static char names[16384], here[131072];
    int         count = 0;

    (void)state;
    read_whole("exports.txt", names, sizeof(names));
    read_whole("memory_test.c", here, sizeof(here));
    for (char *name = strtok(names, "\n"); name != NULL; name = strtok(NULL, "\n")) {
        size_t size = strlen(name);
        if (strncmp(name, "corm_", 5) != 0)
            continue;
        if (name[size - 1] == '_')
            name[size - 1] = '\0';
        const char *call = strcmp(name, "corm_number") == 0  ? "corm_sum"
                           : strcmp(name, "corm_alias") == 0 ? "CORM_ALIAS"
                                                             : name;
        if (!calls(here, call))
            fail_msg("%s() is called by no test here", call);
        count++;
    }
    assert_true(count > 30);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[COUNT(scenarios) + COUNT(steady) + 4];
    size_t            n = 0;
    void             *here[1];

    support_begin(argc, argv);
    (void)backtrace(here, 1); /* loads what it needs */
    for (size_t i = 0; i < COUNT(scenarios); i++)
        if (is_mariadb() || !scenarios[i].of_server)
            tests[n++] = (struct CMUnitTest){.name = scenarios[i].name,
                                             .test_func = memory_runs_out,
                                             .initial_state = &scenarios[i]};
    for (size_t i = 0; i < COUNT(steady); i++)
        tests[n++] = (struct CMUnitTest){
            .name = steady[i].name, .test_func = nothing_is_allocated, .initial_state = &steady[i]};
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(a_text_of_statistics_that_finds_no_room_is_an_error);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_looks_asks_for_nothing);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(memory_ran_out_at_every_place);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_public_call_is_here);
    int failed = run_group(tests, n, NULL, 0, NULL, 0);
    support_end();
    return failed;
}
