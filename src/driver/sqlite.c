/* driver/sqlite.c -- SQLite by libsqlite3.
 *
 * A file in WAL mode has one link that writes, and links that read beside it. Only the one that
 * writes moves the WAL into the file: two connections that do can damage it in SQLite 3.7.0 to
 * 3.51.2 (https://www.sqlite.org/wal.html#walresetbug). A database in memory has one link.
 *
 * No call goes on after its deadline: while a lock is held elsewhere SQLite asks wait_for_lock(),
 * while a statement runs is_late(). A COMMIT or ROLLBACK is too short for that: it is done, late; and
 * so is one step of a statement, such as a function that makes a long text. A link whose statement
 * was stopped is lost, as it would be on a server: SQLite has ended the transaction of a write and
 * kept that of a read.
 *
 * A transaction that may write is BEGIN IMMEDIATE: it has its lock from the start and cannot fail
 * for having read too early. SQLite ends a transaction by itself after some errors, and keeps it
 * open after a COMMIT that failed, so `in_trx` is what SQLite says after every call, errors too.
 *
 * Rows: a value is delivered as what it is in the file, whatever the column was declared as. */
#include "driver/driver.h"
#include "base/clock.h"
#include "driver/array.h"
#include "driver/sqlite_error.h"

#include <assert.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* STRICT tables. */
enum { OLDEST = 3037000 };

#if SQLITE_VERSION_NUMBER < 3037000
#error "corm needs SQLite 3.37.0 at least"
#endif

enum { FIRST_PAUSE_NS = 100000, LAST_PAUSE_NS = 10000000, OPS_BETWEEN_LOOKS = 10000 };

/* What a text can change in a session; one of a database in memory is put back by hand. */
static const char *const pragmas[] = {"analysis_limit",
                                      "automatic_index",
                                      "busy_timeout",
                                      "cache_size",
                                      "cache_spill",
                                      "cell_size_check",
                                      "checkpoint_fullfsync",
                                      "count_changes",
                                      "empty_result_callbacks",
                                      "foreign_keys",
                                      "full_column_names",
                                      "fullfsync",
                                      "hard_heap_limit",
                                      "ignore_check_constraints",
                                      "legacy_alter_table",
                                      "max_page_count",
                                      "query_only",
                                      "read_uncommitted",
                                      "recursive_triggers",
                                      "reverse_unordered_selects",
                                      "secure_delete",
                                      "short_column_names",
                                      "soft_heap_limit",
                                      "synchronous",
                                      "temp_store",
                                      "threads",
                                      "trusted_schema",
                                      "writable_schema"};

enum { PRAGMAS = sizeof(pragmas) / sizeof(pragmas[0]) };

struct sqlite_link {
    struct corm__link base;
    sqlite3          *db;
    int64_t           deadline; /* of the call that is under way */
    bool              disowned;
    bool              met;     /* the row of an upsert that is under way: it was there ... */
    int64_t           met_key; /* ... and has this generated key, or 0 */
    char values[PRAGMAS][16];  /* of a database in memory, when it was opened; "": none */
};

struct corm__prepared {
    sqlite3_stmt      *statement;
    struct corm_value *values;   /* of one row */
    const char       **names;    /* room for them */
    int                capacity; /* of both */
};

static struct sqlite_link *sqlite(struct corm__link *link)
{
    return (struct sqlite_link *)link;
}

/* ---- Waiting -------------------------------------------------------------- */

/* SQLite's busy handler: 0 gives up. The pauses grow, and differ between processes that wait for
 * the same lock. */
static int wait_for_lock(void *arg, int tries)
{
    struct sqlite_link *link = arg;
    int64_t             pause = tries < 7 ? FIRST_PAUSE_NS << tries : LAST_PAUSE_NS;
    uint32_t            jitter;

    if (corm__now() >= link->deadline)
        return 0;
    sqlite3_randomness((int)sizeof(jitter), &jitter);
    corm__pause(pause / 2 + jitter % (pause / 2), link->deadline);
    return 1;
}

/* SQLite's progress handler: other than 0 interrupts the statement. */
static int is_late(void *arg)
{
    const struct sqlite_link *link = arg;

    return corm__now() >= link->deadline;
}

/* The SQL function corm_met(key): always 1. An upsert calls it for the row that it finds. */
static void note_met(sqlite3_context *context, int count, sqlite3_value **args)
{
    struct sqlite_link *link = sqlite3_user_data(context);

    (void)count;
    link->met = true;
    link->met_key = sqlite3_value_int64(args[0]);
    sqlite3_result_int(context, 1);
}

/* ---- Errors and state ------------------------------------------------------ */

/* `running` is the statement that failed; NULL: one that was being prepared. */
static int fail(struct sqlite_link *link, sqlite3_stmt *running, struct corm_error *error)
{
    int         extended = sqlite3_extended_errcode(link->db);
    const char *message = sqlite3_errmsg(link->db);
    const char *sql = running != NULL ? sqlite3_sql(running) : NULL;
    int         code = corm__sqlite_code(extended, message, sql);
    char        text[CORM_MESSAGE_MAX / 2];

    if ((extended & 0xFF) == SQLITE_BUSY && code == CORM_LOCK_TIMEOUT &&
        corm__now() >= link->deadline)
        return corm__fail_server(error, CORM_TIMEOUT, extended, NULL,
                                 "another program held the lock of the file until the deadline");
    link->base.lost = link->base.lost || code <= CORM_CONNECTION_GONE;
    corm__sqlite_explain(extended, message, sql, text, sizeof(text));
    return corm__fail_server(error, code, extended, NULL, "%s (%d)", text, extended);
}

static void note_state(struct sqlite_link *link)
{
    link->base.in_trx = sqlite3_get_autocommit(link->db) == 0;
}

/* ---- Texts ----------------------------------------------------------------- */

/* Whether there is nothing but white space, comments and `;` from `text` to `end`. */
static bool is_blank(const char *text, const char *end)
{
    while (text < end) {
        if (strchr(" \t\r\n\f;", *text) != NULL && *text != '\0') {
            text++;
        } else if (end - text >= 2 && text[0] == '-' && text[1] == '-') {
            while (text < end && *text != '\n')
                text++;
        } else if (end - text >= 2 && text[0] == '/' && text[1] == '*') {
            text += 2;
            while (end - text >= 2 && (text[0] != '*' || text[1] != '/'))
                text++;
            text = end - text >= 2 ? text + 2 : end;
        } else {
            return false;
        }
    }
    return true;
}

/* Prepares the one statement of a text. */
static int compile(struct sqlite_link *link, const char *text, size_t size, unsigned int flags,
                   sqlite3_stmt **statement, struct corm_error *error)
{
    const char *tail = NULL;

    *statement = NULL;
    if (size > INT32_MAX)
        return corm__fail(error, CORM_TOO_LARGE, "a statement of %zu bytes", size);
    if (sqlite3_prepare_v3(link->db, text, (int)size, flags, statement, &tail) != SQLITE_OK)
        return fail(link, NULL, error);
    if (*statement == NULL)
        return corm__fail(error, CORM_SYNTAX, "the text has no statement");
    if (!is_blank(tail, text + size)) {
        (void)sqlite3_finalize(*statement);
        *statement = NULL;
        return corm__fail(error, CORM_MISUSE, "the text has more than one statement");
    }
    return 0;
}

/* A read-only transaction runs on a link that writes where there is no other one. */
static int check_read_only(struct sqlite_link *link, sqlite3_stmt *statement,
                           struct corm_error *error)
{
    if (sqlite3_get_autocommit(link->db) == 0 && link->base.mode.read_only &&
        sqlite3_stmt_readonly(statement) == 0)
        return corm__fail_server(error, CORM_READ_ONLY, SQLITE_READONLY, NULL,
                                 "a write in a read-only transaction (%d)", SQLITE_READONLY);
    return 0;
}

/* What the last step of a statement came to. A ROLLBACK after SQLite has ended the transaction by
 * itself has nothing to do. */
static int check_done(struct sqlite_link *link, sqlite3_stmt *statement, int step,
                      struct corm_error *error)
{
    if (step == SQLITE_DONE ||
        (step == SQLITE_ERROR &&
         strcmp(sqlite3_errmsg(link->db), "cannot rollback - no transaction is active") == 0))
        return 0;
    return fail(link, statement, error);
}

static int link_control(struct corm__link *base, const char *text, int64_t deadline,
                        struct corm_error *error)
{
    struct sqlite_link *link = sqlite(base);
    sqlite3_stmt       *statement;

    link->deadline = deadline;
    int rc = compile(link, text, strlen(text), 0, &statement, error);
    if (rc == 0)
        rc = check_read_only(link, statement, error);
    if (rc == 0 && sqlite3_column_count(statement) > 0)
        rc = corm__fail(error, CORM_MISUSE, "a statement without rows gave rows");
    if (rc == 0) {
        base->sent = true;
        rc = check_done(link, statement, sqlite3_step(statement), error);
    }
    (void)sqlite3_finalize(statement);
    note_state(link);
    return rc;
}

/* ---- Opening --------------------------------------------------------------- */

static int check_library(struct corm_error *error)
{
    if (sqlite3_libversion_number() < OLDEST)
        return corm__fail(error, CORM_UNSUPPORTED, "SQLite is %s, corm needs 3.37.0 at least",
                          sqlite3_libversion());
    if (sqlite3_threadsafe() == 0)
        return corm__fail(error, CORM_UNSUPPORTED, "SQLite was built for a single thread");
    return 0;
}

/* An error while the file is opened: mostly the file's fault, whatever SQLite calls it. */
static int fail_open(struct sqlite_link *link, struct corm_error *error)
{
    int extended = sqlite3_extended_errcode(link->db), cause = sqlite3_system_errno(link->db);

    switch (extended & 0xFF) {
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_IOERR:
        return corm__fail_server(error, CORM_NOT_A_DATABASE, extended, NULL, "%s%s%s (%d)",
                                 sqlite3_errmsg(link->db), cause != 0 ? ": " : "",
                                 cause != 0 ? strerror(cause) : "", extended);
    default: return fail(link, NULL, error);
    }
}

static int open_file(struct sqlite_link *link, const char *file, bool for_writing,
                     struct corm_error *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                SQLITE_OPEN_EXRESCODE | (for_writing ? SQLITE_OPEN_CREATE : 0);
    char *path = sqlite3_mprintf("%s%s", strncmp(file, "file:", 5) == 0 ? "./" : "", file);

    /* "file:" would be read as a URI where the program has told SQLite so. */
    if (path == NULL)
        return corm__fail_memory(error, "a connection");
    int rc = sqlite3_open_v2(path, &link->db, flags, NULL);
    sqlite3_free(path);
    if (rc != SQLITE_OK)
        return fail_open(link, error);
    if (sqlite3_db_readonly(link->db, "main") == 1)
        return corm__fail_server(error, CORM_READ_ONLY, SQLITE_READONLY, NULL,
                                 "the file is write-protected (%d)", SQLITE_READONLY);
    (void)sqlite3_busy_handler(link->db, wait_for_lock, link);
    sqlite3_progress_handler(link->db, OPS_BETWEEN_LOOKS, is_late, link);
    return 0;
}

struct setting {
    int  option;
    int  value;
    bool reader_only;
};

/* Makes the session one that corm can rely on, whatever the library's defaults are, and before it
 * has done anything to the file. */
static int pin(struct sqlite_link *link, bool for_writing, struct corm_error *error)
{
    static const struct setting settings[] = {
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1, false},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, false},
        /* Or a quoted name of no column would be a text. */
        {SQLITE_DBCONFIG_DQS_DML, 0, false},
        {SQLITE_DBCONFIG_DQS_DDL, 0, false},
        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, true},
    };
    static const char for_all[] = "PRAGMA case_sensitive_like=ON; PRAGMA synchronous=FULL";
    static const char for_readers[] = "PRAGMA query_only=ON";
    int               rc = for_writing ? SQLITE_OK : sqlite3_wal_autocheckpoint(link->db, 0);

    for (size_t i = 0; rc == SQLITE_OK && i < sizeof(settings) / sizeof(settings[0]); i++)
        if (!for_writing || !settings[i].reader_only)
            rc = sqlite3_db_config(link->db, settings[i].option, settings[i].value, NULL);
    if (rc == SQLITE_OK && !for_writing)
        rc = sqlite3_exec(link->db, for_readers, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(link->db, for_all, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(link->db, "corm_met", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                        link, note_met, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fail_open(link, error);
}

/* The text that a PRAGMA answers. Returns SQLite's code. */
static int ask(struct sqlite_link *link, const char *text, char answer[static 16])
{
    sqlite3_stmt *statement = NULL;
    int           rc = sqlite3_prepare_v2(link->db, text, -1, &statement, NULL);

    answer[0] = '\0';
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        const unsigned char *found = sqlite3_column_text(statement, 0);
        (void)snprintf(answer, 16, "%s", found != NULL ? (const char *)found : "");
        rc = found != NULL ? SQLITE_ROW : SQLITE_NOMEM;
    }
    int failed = sqlite3_finalize(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : failed != SQLITE_OK ? failed : rc;
}

/* The values of all pragmas as they are now. */
static int remember(struct sqlite_link *link)
{
    char text[64];
    int  rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < PRAGMAS; i++) {
        (void)snprintf(text, sizeof(text), "PRAGMA %s", pragmas[i]);
        rc = ask(link, text, link->values[i]);
    }
    return rc;
}

/* The change to WAL needs the file alone, and two that want to change it at the same time are both
 * refused without a call of the busy handler. */
static int use_wal(struct sqlite_link *link, bool for_writing, struct corm_error *error)
{
    const char *text = for_writing ? "PRAGMA journal_mode=WAL" : "PRAGMA journal_mode";
    char        answer[16];
    int         rc, tries = 0;

    while ((rc = ask(link, text, answer)) != SQLITE_OK)
        if (rc == SQLITE_NOMEM)
            return corm__fail_memory(error, "a connection");
        else if ((rc & 0xFF) != SQLITE_BUSY || wait_for_lock(link, tries++) == 0)
            return fail_open(link, error);
    if (strcmp(answer, "wal") != 0)
        return corm__fail(error, CORM_UNSUPPORTED, "its journal mode is \"%s\", corm needs \"wal\"",
                          answer);
    return 0;
}

static void link_close(struct corm__link *base)
{
    struct sqlite_link *link = sqlite(base);

    if (base->lost &&
        !link->disowned) /* somebody waits, and moving the log into the file takes its time */
        (void)sqlite3_db_config(link->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    int rc = link->disowned ? SQLITE_OK : sqlite3_close(link->db);

    assert(rc == SQLITE_OK); /* or a statement was not finalized */
    (void)rc;
    free(link);
}

static void name_file(const char *file, struct corm_error *error)
{
    char where[192];

    (void)snprintf(where, sizeof(where), "cannot open %s", file);
    corm__cut_utf8(where, sizeof(where));
    corm__error_prefix(error, where);
}

static int open_link(struct sqlite_link *link, const char *file, bool for_writing,
                     struct corm_error *error)
{
    bool in_memory = strcmp(file, ":memory:") == 0;
    int  rc = check_library(error);

    if (rc == 0 && in_memory && !for_writing)
        rc = corm__fail(error, CORM_MISUSE, "a database in memory has one connection");
    if (rc == 0)
        rc = open_file(link, file, for_writing, error);
    if (rc == 0)
        rc = pin(link, for_writing, error);
    if (rc == 0 && !in_memory)
        rc = use_wal(link, for_writing, error);
    if (rc == 0 && in_memory && remember(link) != SQLITE_OK)
        rc = fail_open(link, error);
    return rc;
}

static int link_connect(const struct corm__endpoint *endpoint, bool for_writing, int64_t deadline,
                        struct corm__link **out, struct corm_error *error)
{
    const char *file = endpoint->database;

    /* SQLite would make a file that nobody sees. */
    if (file == NULL || file[0] == '\0')
        return corm__fail(error, CORM_BAD_URL, "no file is named behind sqlite:");
    struct sqlite_link *link = calloc(1, sizeof(*link));
    if (link == NULL)
        return corm__fail_memory(error, "a connection");
    link->base.driver = &corm__sqlite;
    link->base.dialect = CORM_DIALECT_SQLITE;
    link->base.holds_data = strcmp(file, ":memory:") == 0;
    link->deadline = deadline;
    int rc = open_link(link, file, for_writing, error);
    if (rc < 0) {
        link_close(&link->base);
        name_file(file, error);
        return rc;
    }
    *out = &link->base;
    return 0;
}

static bool link_is_alive(struct corm__link *base)
{
    (void)base;
    return true;
}

/* What is SQLite's in the parent is left alone, and lost to the child: even closing it is not allowed
 * (https://www.sqlite.org/howtocorrupt.html, "Carrying an open database connection across a fork"). */
static void link_disown(struct corm__link *base)
{
    sqlite(base)->disowned = true;
}

/* ---- Resets ---------------------------------------------------------------- */

/* Gives all pragmas the values that are remembered. */
static int put_back(struct sqlite_link *link)
{
    char text[64], now[16];
    int  rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < PRAGMAS; i++) {
        (void)snprintf(text, sizeof(text), "PRAGMA %s", pragmas[i]);
        rc = ask(link, text, now);
        if (rc != SQLITE_OK || strcmp(now, link->values[i]) == 0)
            continue;
        (void)snprintf(text, sizeof(text), "PRAGMA %s=%s", pragmas[i], link->values[i]);
        rc = sqlite3_exec(link->db, text, NULL, NULL, NULL);
    }
    return rc;
}

/* Runs what the rows of `text` say, a row at a time. */
static int run_each(struct sqlite_link *link, const char *text)
{
    int rc;

    do {
        sqlite3_stmt *rows = NULL;
        rc = sqlite3_prepare_v2(link->db, text, -1, &rows, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_step(rows);
        char *what = rc == SQLITE_ROW ? sqlite3_mprintf("%s", sqlite3_column_text(rows, 0)) : NULL;
        (void)sqlite3_finalize(rows);
        if (what == NULL)
            return rc == SQLITE_ROW ? SQLITE_NOMEM : rc;
        rc = sqlite3_exec(link->db, what, NULL, NULL, NULL);
        sqlite3_free(what);
    } while (rc == SQLITE_OK);
    return rc;
}

/* Only a database in memory needs it, which is gone when its link is closed: others are closed. */
static bool link_begin_reset(struct corm__link *base)
{
    return base->holds_data;
}

static int link_end_reset(struct corm__link *base, int64_t deadline, struct corm_error *error)
{
    struct sqlite_link *link = sqlite(base);
    int                 rc;

    link->deadline = deadline;
    rc = put_back(link); /* first: they decide what the rest may do */
    if (rc == SQLITE_OK)
        rc = run_each(link,
                      "SELECT printf('DROP %s temp.\"%w\"', type, name) FROM sqlite_temp_schema "
                      "WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite_%' "
                      "LIMIT 1");
    if (rc == SQLITE_DONE)
        rc = run_each(link, "SELECT printf('DETACH \"%w\"', name) FROM pragma_database_list "
                            "WHERE name NOT IN ('main', 'temp') LIMIT 1");
    rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    (void)sqlite3_busy_handler(link->db, wait_for_lock, link);
    base->mode = (struct corm__mode){0};
    return rc != SQLITE_OK ? fail(link, NULL, error) : pin(link, true, error);
}

/* ---- Modes ----------------------------------------------------------------- */

static int link_enter(struct corm__link *base, const struct corm__mode *mode, int64_t deadline,
                      struct corm_error *error)
{
    assert(sqlite3_get_autocommit(sqlite(base)->db) != 0);
    base->mode = *mode;
    if (!mode->trx)
        return 0;
    int rc = link_control(base, mode->read_only ? "BEGIN" : "BEGIN IMMEDIATE", deadline, error);
    return rc < 0 ? rc : 1;
}

/* ---- Prepared statements ---------------------------------------------------- */

static void link_finalize(struct corm__link *base, struct corm__prepared *prepared)
{
    if (!sqlite(base)->disowned)
        (void)sqlite3_finalize(prepared->statement);
    free(prepared->values);
    free(prepared->names);
    free(prepared);
}

static int link_prepare(struct corm__link *base, const char *text, size_t size, int64_t deadline,
                        struct corm__prepared **out, struct corm_error *error)
{
    struct sqlite_link    *link = sqlite(base);
    struct corm__prepared *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return corm__fail_memory(error, "a prepared statement");
    link->deadline = deadline;
    int rc = compile(link, text, size, SQLITE_PREPARE_PERSISTENT, &p->statement, error);
    note_state(link);
    if (rc < 0) {
        link_finalize(base, p);
        return rc;
    }
    *out = p;
    return 0;
}

/* ---- Binds and rows ---------------------------------------------------------- */

/* Values are pointed at: they outlive the execution. Returns SQLite's code, or one of ours. */
static int bind_value(sqlite3_stmt *statement, int i, const struct corm_value *v,
                      struct corm_error *error)
{
    switch (v->kind) {
    case CORM_V_NULL: return sqlite3_bind_null(statement, i);
    case CORM_V_INT: return sqlite3_bind_int64(statement, i, v->as.i);
    case CORM_V_UINT:
        if (v->as.u > INT64_MAX)
            return corm__fail(error, CORM_OUT_OF_RANGE,
                              "value %d is a number beyond 64 bits with a "
                              "sign",
                              i);
        return sqlite3_bind_int64(statement, i, (sqlite3_int64)v->as.u);
    case CORM_V_REAL:
        if (isnan(v->as.r)) /* which SQLite takes for NULL */
            return corm__fail(error, CORM_BAD_VALUE, "value %d is not a number (NaN)", i);
        return sqlite3_bind_double(statement, i, v->as.r);
    case CORM_V_TEXT:
        return sqlite3_bind_text64(statement, i, v->as.s, v->size, SQLITE_STATIC, SQLITE_UTF8);
    case CORM_V_BLOB: /* a NULL pointer would be NULL */
        return v->size == 0 ? sqlite3_bind_zeroblob(statement, i, 0)
                            : sqlite3_bind_blob64(statement, i, v->as.p, v->size, SQLITE_STATIC);
    case CORM_V_UUID:
        return sqlite3_bind_blob(statement, i, v->as.uuid.bytes, sizeof(v->as.uuid.bytes),
                                 SQLITE_STATIC);
    default: return corm__fail(error, CORM_MISUSE, "value %d is of no kind that can be sent", i);
    }
}

static int bind_params(struct sqlite_link *link, struct corm__prepared *p,
                       const struct corm__statement *statement, struct corm_error *error)
{
    int count = sqlite3_bind_parameter_count(p->statement);

    if (statement->bind_count != (uint32_t)count)
        return corm__fail(error, CORM_MISUSE, "the statement has %d `?` and %u values", count,
                          statement->bind_count);
    for (int i = 0; i < count; i++) {
        int rc = bind_value(p->statement, i + 1, &statement->binds[i], error);
        if (rc != SQLITE_OK)
            return rc < 0 ? rc : fail(link, p->statement, error);
    }
    return 0;
}

/* The names, which only rows without a model need. */
static int describe_rows(struct corm__prepared *p, int count, struct corm__sink *sink,
                         struct corm_error *error)
{
    for (int i = 0; i < count; i++) {
        p->names[i] = sqlite3_column_name(p->statement, i);
        if (p->names[i] == NULL)
            return corm__fail_memory(error, "rows");
    }
    return corm__sink_names(sink, p->names, (uint32_t)count, error);
}

static bool make_room(struct corm__prepared *p, int count)
{
    if (count <= p->capacity)
        return true;
    struct corm_value *values = realloc(p->values, (size_t)count * sizeof(*values));
    if (values != NULL)
        p->values = memset(values, 0, (size_t)count * sizeof(*values));
    const char **names = realloc(p->names, (size_t)count * sizeof(*names));
    if (names != NULL)
        p->names = names;
    if (values == NULL || names == NULL)
        return false;
    p->capacity = count;
    return true;
}

static int start_rows(struct corm__prepared *p, int count, struct corm__sink *sink,
                      struct corm_error *error)
{
    const struct corm_table *types = NULL;
    int                      rc = corm__sink_start(sink, &types, error);

    if (rc < 0)
        return rc;
    if (!make_room(p, count))
        return corm__fail_memory(error, "rows");
    if (types == NULL)
        return describe_rows(p, count, sink, error);
    if (types->column_count != (uint32_t)count)
        return corm__fail(error, CORM_MISUSE, "the statement has %d columns, its model %u", count,
                          types->column_count);
    return 0;
}

/* The value itself is asked, and not the statement for each property of it: that is safe because the link
 * has no mutex (https://www.sqlite.org/c3ref/value.html), and half the work. */
static int take_cell(sqlite3_stmt *statement, int i, struct corm_value *v, struct corm_error *error)
{
    sqlite3_value *cell = sqlite3_column_value(statement, i);

    *v = (struct corm_value){.kind = CORM_V_NULL}; /* nothing of the row before */
    switch (sqlite3_value_type(cell)) {
    case SQLITE_NULL: return 0;
    case SQLITE_INTEGER:
        v->kind = CORM_V_INT;
        v->as.i = sqlite3_value_int64(cell);
        return 0;
    case SQLITE_FLOAT:
        v->kind = CORM_V_REAL;
        v->as.r = sqlite3_value_double(cell);
        return 0;
    case SQLITE_TEXT:
        v->kind = CORM_V_TEXT;
        v->as.s = (const char *)sqlite3_value_text(cell);
        break;
    default: v->kind = CORM_V_BLOB; v->as.p = sqlite3_value_blob(cell);
    }
    v->size = (uint32_t)sqlite3_value_bytes(cell);
    if (v->as.p == NULL && v->kind == CORM_V_BLOB && v->size == 0)
        v->as.p = "";
    return v->as.p == NULL ? corm__fail_memory(error, "a text that was read") : 0;
}

/* Ends a statement whose rows somebody refused. One that writes has written all when its first row
 * comes, and outside a transaction would now be committed: an interrupt undoes it. */
static void undo(struct sqlite_link *link, sqlite3_stmt *statement)
{
    if (sqlite3_stmt_busy(statement) == 0 || sqlite3_stmt_readonly(statement) != 0 ||
        sqlite3_get_autocommit(link->db) == 0)
        return;
    sqlite3_interrupt(link->db);
    (void)sqlite3_step(statement);
    link->base.sent = false; /* it has never been */
}

/* Who takes his time over each row may be late without a step that is. */
static int check_deadline(struct sqlite_link *link, struct corm_error *error)
{
    if (corm__now() < link->deadline)
        return 0;
    link->base.lost = true;
    return corm__fail(error, CORM_DEADLINE, "there were more rows to come");
}

/* `again`: rows of this statement were read before, and the sink knows of them. */
static int read_rows(struct sqlite_link *link, struct corm__prepared *p, struct corm__sink *sink,
                     bool again, int64_t *rows, struct corm_error *error)
{
    link->base.sent = true;
    int rc = 0, step = sqlite3_step(p->statement);
    int count = sqlite3_column_count(p->statement); /* now: a step may find the schema changed */

    if (count > 0 && !again && (step == SQLITE_ROW || step == SQLITE_DONE))
        rc = start_rows(p, count, sink, error);
    while (rc == 0 && step == SQLITE_ROW) {
        for (int i = 0; rc == 0 && i < count; i++)
            rc = take_cell(p->statement, i, &p->values[i], error);
        if (rc == 0)
            rc = sink->row(sink, p->values, (uint32_t)count, error);
        if (rc >= 0)
            (*rows)++;
        if (rc == 0 && sink->slow)
            rc = check_deadline(link, error);
        if (rc == 0)
            step = sqlite3_step(p->statement);
    }
    if (rc != 0) {
        undo(link, p->statement);
        return rc < 0 ? rc : 0;
    }
    return check_done(link, p->statement, step, error);
}

/* `rows` are those that were written: none or one. */
static void count_upsert(const struct sqlite_link *link, struct corm__result *result)
{
    if (!link->met)
        return;
    result->generated = link->met_key;
    result->rows = result->rows > 0 ? CORM_UPDATED : CORM_UNCHANGED;
}

/* SQLite keeps the count of changes and the last key until the next statement that has its own, so
 * both are told apart from those of a statement before. */
static int run(struct sqlite_link *link, struct corm__prepared *p, enum corm__verb verb,
               struct corm__sink *sink, struct corm__result *result, struct corm_error *error)
{
    bool may_insert = (verb == CORM__INSERT || verb == CORM__UPSERT || verb == CORM__RAW) &&
                      sqlite3_stmt_readonly(p->statement) == 0;
    sqlite3_int64 total = sqlite3_total_changes64(link->db);
    sqlite3_int64 key = sqlite3_last_insert_rowid(link->db);

    link->met = false;
    if (may_insert)
        sqlite3_set_last_insert_rowid(link->db, 0);
    int rc = read_rows(link, p, sink, false, &result->rows, error);
    if (may_insert) {
        if (rc == 0)
            result->generated = sqlite3_last_insert_rowid(link->db);
        if (result->generated == 0)
            sqlite3_set_last_insert_rowid(link->db, key);
    }
    if (rc == 0 && verb != CORM__CONTROL && sqlite3_column_count(p->statement) == 0 &&
        sqlite3_total_changes64(link->db) != total)
        result->rows = sqlite3_changes64(link->db);
    if (rc == 0 && verb == CORM__UPSERT)
        count_upsert(link, result);
    return rc;
}

static int link_execute(struct corm__link *base, struct corm__prepared *p,
                        const struct corm__statement *statement, struct corm__sink *sink,
                        int64_t deadline, struct corm__result *result, struct corm_error *error)
{
    struct sqlite_link *link = sqlite(base);

    *result = (struct corm__result){0};
    link->deadline = deadline;
    int rc = check_read_only(link, p->statement, error);
    if (rc == 0)
        rc = bind_params(link, p, statement, error);
    if (rc == 0)
        rc = run(link, p, statement->verb, sink, result, error);
    (void)sqlite3_reset(p->statement);
    (void)sqlite3_clear_bindings(p->statement);
    note_state(link);
    return rc;
}

/* ---- Many executions ------------------------------------------------------------ */

static int bind_row(struct sqlite_link *link, struct corm__prepared *p,
                    const struct corm__array *array, size_t row, struct corm_error *error)
{
    for (uint32_t i = 0; i < array->column_count; i++) {
        struct corm_value value = corm__array_value(&array->columns[i], row);
        int               rc = bind_value(p->statement, (int)i + 1, &value, error);
        if (rc != SQLITE_OK)
            return rc < 0 ? rc : fail(link, p->statement, error);
    }
    return 0;
}

static int link_execute_array(struct corm__link *base, struct corm__prepared *p,
                              const struct corm__array *array, struct corm__sink *sink,
                              int64_t deadline, struct corm_error *error)
{
    struct sqlite_link *link = sqlite(base);
    int64_t             ignored = 0;

    link->deadline = deadline;
    int rc =
        corm__check_array(base, array, (unsigned long)sqlite3_bind_parameter_count(p->statement),
                          (unsigned int)sqlite3_column_count(p->statement), sink, error);
    if (rc == 0)
        rc = check_read_only(link, p->statement, error);
    for (size_t row = 0; rc == 0 && row < array->rows; row++) {
        rc = bind_row(link, p, array, row, error);
        if (rc == 0)
            rc = read_rows(link, p, sink, row > 0, &ignored, error);
        (void)sqlite3_reset(p->statement);
    }
    (void)sqlite3_clear_bindings(p->statement);
    note_state(link);
    return rc;
}

const struct corm__driver corm__sqlite = {
    .name = "sqlite",
    .locks_file = true,
    .connect = link_connect,
    .close = link_close,
    .is_alive = link_is_alive,
    .begin_reset = link_begin_reset,
    .end_reset = link_end_reset,
    .disown = link_disown,
    .enter = link_enter,
    .prepare = link_prepare,
    .finalize = link_finalize,
    .execute = link_execute,
    .execute_array = link_execute_array,
    .find_error = corm__sqlite_find_error,
    .control = link_control,
};
