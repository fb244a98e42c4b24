/* doctor_facts.c -- what a server, or a file of SQLite, says of itself. */
#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The names that MariaDB and MySQL have for them; what a server does not have it does not list. */
#define VARIABLES                                                                                  \
    "'version','innodb_flush_log_at_trx_commit','log_bin','sync_binlog','autocommit',"             \
    "'init_connect','innodb_rollback_on_timeout','innodb_snapshot_isolation','tx_isolation',"      \
    "'transaction_isolation','local_infile','sql_mode','max_allowed_packet','wait_timeout',"       \
    "'max_prepared_stmt_count','max_connections','max_user_connections','read_only','wsrep_on',"   \
    "'wsrep_sync_wait','wsrep_auto_increment_control','auto_increment_increment',"                 \
    "'innodb_autoinc_lock_mode'"

/* What a node of a Galera cluster says of itself. */
#define STATUSES                                                                                   \
    "'wsrep_cluster_status','wsrep_cluster_size','wsrep_local_state','wsrep_local_state_comment'"

/* Engines without transactions, of the tables of this database. */
#define BAD_TABLES                                                                                 \
    "FROM information_schema.tables t WHERE t.table_schema = DATABASE() AND "                      \
    "t.table_type = 'BASE TABLE' AND t.engine IN (SELECT e.engine FROM "                           \
    "information_schema.engines e WHERE COALESCE(e.transactions, 'NO') <> 'YES')"

/* Text in primary keys for which equal is not the same as of equal bytes. */
#define LOOSE_KEYS                                                                                 \
    "FROM information_schema.columns c JOIN information_schema.tables t ON t.table_schema = "      \
    "c.table_schema AND t.table_name = c.table_name WHERE c.table_schema = DATABASE() AND "        \
    "t.table_type = 'BASE TABLE' AND c.column_key = 'PRI' AND c.collation_name NOT IN "            \
    "('utf8mb4_nopad_bin', 'utf8mb4_0900_bin')"

struct doctor {
    struct corm_arena   *arena;
    struct corm_db      *db;
    struct corm_trx     *trx; /* on one of several nodes; NULL: there is one */
    struct doctor_facts *facts;
};

/* ---- Values ---------------------------------------------------------------- */

/* A copy in which control characters, and all beyond ASCII where it is no UTF-8, have become `?`; NULL when
 * there is no memory. */
static const char *copy(const struct doctor *d, const char *text, size_t size)
{
    char   *own = corm_arena_alloc(d->arena, size + 1);
    json_t *utf8 = json_stringn(text, size); /* NULL where it is none */

    for (size_t i = 0; own != NULL && i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        own[i] = text[i];
        if (c < ' ' || c == 0x7F || (c > 0x7F && utf8 == NULL))
            own[i] = '?';
    }
    if (own != NULL)
        own[size] = '\0';
    json_decref(utf8);
    return own;
}

static const char *text_of(const struct doctor *d, const struct corm_value *v)
{
    char number[32] = "";

    switch (v->kind) {
    case CORM_V_TEXT:
    case CORM_V_BLOB: return copy(d, v->as.s, v->size);
    case CORM_V_INT: (void)snprintf(number, sizeof number, "%lld", v->as.i); break;
    case CORM_V_UINT: (void)snprintf(number, sizeof number, "%llu", v->as.u); break;
    default: break;
    }
    return copy(d, number, strlen(number));
}

/* ---- Questions -------------------------------------------------------------- */

/* The rows of one statement on the db, at least `columns` wide. 0 or a negative code. */
static int ask(const struct doctor *d, const char *about, const char *text, size_t columns,
               struct corm_rows *rows)
{
    struct corm_error *error = &d->facts->error;
    int                rc = d->trx != NULL ? corm_sql(d->trx, rows, text, .error = error)
                                           : corm_sql(d->db, rows, text, .arena = d->arena, .error = error);

    if (rc >= 0 && rows->column_count >= columns)
        return 0;
    if (rc >= 0) { /* no server does that */
        d->facts->error.code = CORM_SERVER_ERROR;
        (void)snprintf(d->facts->error.message, sizeof d->facts->error.message,
                       "the answer has %zu columns, not %zu", rows->column_count, columns);
    }
    d->facts->question = about;
    return d->facts->error.code;
}

static int ask_one(const struct doctor *d, const char *about, const char *text, const char **answer)
{
    struct corm_rows rows = {0};
    int              rc = ask(d, about, text, 1, &rows);

    *answer = "";
    if (rc == 0 && rows.row_count > 0)
        *answer = text_of(d, &rows.values[0]);
    return rc;
}

static struct doctor_variable *find(struct doctor_facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->variable_count; i++)
        if (strcmp(facts->variables[i].name, name) == 0)
            return &facts->variables[i];
    return NULL;
}

static int no_memory(const struct doctor *d)
{
    d->facts->error.code = CORM_NO_MEMORY;
    (void)snprintf(d->facts->error.message, sizeof d->facts->error.message, "out of memory");
    d->facts->question = "memory";
    return CORM_NO_MEMORY;
}

/* A session variable may be there without a global one; either way it has one place in the facts. */
static struct doctor_variable *place_of(const struct doctor *d, const char *name)
{
    struct doctor_facts    *facts = d->facts;
    struct doctor_variable *v = find(facts, name);

    if (v == NULL && facts->variable_count < DOCTOR_VARIABLES) {
        v = &facts->variables[facts->variable_count++];
        *v = (struct doctor_variable){.name = name};
    }
    return v;
}

enum kind { SESSION, GLOBAL, STATUS };

static int ask_variables(const struct doctor *d, enum kind kind)
{
    static const char *const texts[] = {
        [SESSION] = "SHOW SESSION VARIABLES WHERE Variable_name IN (" VARIABLES ")",
        [GLOBAL] = "SHOW GLOBAL VARIABLES WHERE Variable_name IN (" VARIABLES ")",
        [STATUS] = "SHOW GLOBAL STATUS WHERE Variable_name IN (" STATUSES ")"};
    struct corm_rows rows = {0};
    int              rc = ask(d, "the settings", texts[kind], 2, &rows);

    for (size_t i = 0; rc == 0 && i < rows.row_count; i++) {
        const struct corm_value *row = &rows.values[i * rows.column_count];
        const char              *name = text_of(d, &row[0]), *value = text_of(d, &row[1]);
        struct doctor_variable  *v = name != NULL ? place_of(d, name) : NULL;
        if (name == NULL || value == NULL)
            return no_memory(d);
        if (v != NULL && kind == SESSION)
            v->session = value;
        else if (v != NULL)
            v->global = value;
    }
    return rc;
}

/* What corm sets only for transactions shows only in one. It reads no table, so it holds nothing. */
static int ask_in_trx(const struct doctor *d)
{
    struct doctor_variable *v = find(d->facts, "innodb_snapshot_isolation");
    struct corm_trx        *trx = NULL;
    struct corm_rows        rows = {0};
    struct corm_error      *error = &d->facts->error;

    if (v != NULL && d->trx != NULL)
        v->in_trx = v->session; /* it is one */
    if (v == NULL || d->trx != NULL)
        return 0;
    d->facts->question = "a transaction at REPEATABLE READ";
    int rc = corm_begin(d->db, &trx, .isolation = CORM_REPEATABLE_READ, .read_only = true,
                        .error = error);
    if (rc >= 0)
        rc = corm_sql(trx, &rows,
                      "SHOW SESSION VARIABLES WHERE Variable_name = 'innodb_snapshot_isolation'",
                      .error = error);
    if (rc > 0 && rows.column_count > 1)
        v->in_trx = text_of(d, &rows.values[1]);
    if (trx != NULL)
        corm_end(trx);
    if (rc >= 0)
        d->facts->question = NULL;
    return rc < 0 ? rc : 0;
}

/* How many there are of something, by a SELECT of one number. */
static int ask_number(const struct doctor *d, const char *about, const char *text, int64_t *number)
{
    const char *answer = NULL;
    int         rc = ask_one(d, about, text, &answer);

    if (rc < 0)
        return rc;
    if (answer == NULL)
        return no_memory(d);
    *number = strtoll(answer, NULL, 10);
    return 0;
}

/* The first two columns of at most DOCTOR_NAMED rows. */
static int ask_names(const struct doctor *d, const char *about, const char *text,
                     const char *first[DOCTOR_NAMED], const char *second[DOCTOR_NAMED],
                     size_t *named)
{
    struct corm_rows rows = {0};
    int              rc = ask(d, about, text, 2, &rows);

    for (*named = 0; rc == 0 && *named < rows.row_count && *named < DOCTOR_NAMED; (*named)++) {
        const struct corm_value *row = &rows.values[*named * rows.column_count];
        first[*named] = text_of(d, &row[0]);
        second[*named] = text_of(d, &row[1]);
        if (first[*named] == NULL || second[*named] == NULL)
            return no_memory(d);
    }
    return rc;
}

#define OWN_TABLE                                                                                  \
    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND "          \
    "table_name = "

static int ask_tables(const struct doctor *d)
{
    struct doctor_facts *facts = d->facts;
    int64_t              ledgers = 0, guards = 0;
    int rc = ask_number(d, "the tables", "SELECT COUNT(*) " BAD_TABLES, &facts->bad_table_count);

    if (rc == 0)
        rc =
            ask_names(d, "the tables",
                      "SELECT t.table_name, t.engine " BAD_TABLES " ORDER BY t.table_name LIMIT 10",
                      facts->bad_tables, facts->bad_engines, &facts->bad_named);
    if (rc == 0)
        rc = ask_number(d, "the ledger", OWN_TABLE "'corm_ledger'", &ledgers);
    if (rc == 0)
        rc = ask_number(d, "the guards", OWN_TABLE "'corm_guard'", &guards);
    if (rc == 0)
        rc = ask_number(d, "the keys", "SELECT COUNT(*) " LOOSE_KEYS, &facts->loose_key_count);
    if (rc == 0)
        rc = ask_names(d, "the keys",
                       "SELECT c.table_name, c.column_name " LOOSE_KEYS
                       " ORDER BY c.table_name, c.ordinal_position LIMIT 10",
                       facts->loose_tables, facts->loose_columns, &facts->loose_named);
    facts->has_ledger = ledgers > 0;
    facts->has_guard = guards > 0;
    return rc;
}

/* Where this is not allowed it is not known, and that is all. */
static int ask_replication(const struct doctor *d)
{
    struct doctor_facts *facts = d->facts;
    struct corm_rows     rows = {0};
    const char          *text =
        facts->dialect == CORM_DIALECT_MARIADB ? "SHOW ALL SLAVES STATUS" : "SHOW REPLICA STATUS";
    int rc = ask(d, "replication", text, 0, &rows);

    if (rc < 0 && rc > CORM_CONNECTION_GONE && rc != CORM_NO_MEMORY) {
        facts->is_lag_unknown = true;
        facts->question = NULL;
        facts->error = (struct corm_error){0};
        return 0;
    }
    facts->is_replica = rc == 0 && rows.row_count > 0;
    for (size_t i = 0; facts->is_replica && i < rows.column_count; i++)
        if ((strcmp(rows.names[i], "Seconds_Behind_Master") == 0 ||
             strcmp(rows.names[i], "Seconds_Behind_Source") == 0) &&
            rows.values[i].kind != CORM_V_NULL)
            facts->lag = text_of(d, &rows.values[i]);
    return rc;
}

static int ask_cipher(const struct doctor *d)
{
    struct corm_rows rows = {0};
    int              rc = ask(d, "whether the link is encrypted",
                              "SHOW SESSION STATUS WHERE Variable_name = 'Ssl_cipher'", 2, &rows);

    if (rc == 0 && rows.row_count > 0)
        d->facts->cipher = text_of(d, &rows.values[1]);
    return rc == 0 && d->facts->cipher == NULL ? no_memory(d) : rc;
}

static int ask_server(const struct doctor *d)
{
    const struct doctor_variable *version;
    int rc = ask_variables(d, SESSION); /* first: a reset hides the limits of the user */

    if (rc == 0)
        rc = ask_variables(d, GLOBAL);
    if (rc == 0)
        rc = ask_variables(d, STATUS);
    version = doctor_variable(d->facts, "version");
    if (version != NULL && version->global != NULL)
        d->facts->version = version->global;
    if (rc == 0)
        rc = ask_in_trx(d);
    if (rc == 0)
        rc = ask_cipher(d);
    if (rc == 0)
        rc = ask_tables(d);
    return rc == 0 ? ask_replication(d) : rc;
}

/* ---- SQLite ----------------------------------------------------------------- */

static int ask_file(const struct doctor *d)
{
    struct doctor_facts *facts = d->facts;
    int                  rc = ask_one(d, "the library", "SELECT sqlite_version()", &facts->version);

    if (rc == 0)
        rc = ask_one(d, "the journal", "PRAGMA journal_mode", &facts->journal_mode);
    if (rc == 0)
        rc = ask_one(d, "the journal", "PRAGMA synchronous", &facts->synchronous);
    if (rc == 0 &&
        (facts->version == NULL || facts->journal_mode == NULL || facts->synchronous == NULL))
        rc = no_memory(d);
    return rc;
}

/* Looks at a file without SQLite: whether it is there, and in WAL mode by its header
 * (https://www.sqlite.org/fileformat.html: bytes 18 and 19 are 2). What is no database is for SQLite to
 * refuse. */
static int peek(struct doctor_facts *facts)
{
    enum { HEADER = 100, WRITE_VERSION = 18 };
    static const char magic[16] = "SQLite format 3";
    char              head[HEADER] = "";
    FILE             *file = fopen(facts->settings.file, "rb");

    if (file == NULL) {
        facts->error.code = CORM_NOT_A_DATABASE;
        (void)snprintf(facts->error.message, sizeof facts->error.message,
                       "the file %.200s cannot be read: %s", facts->settings.file, strerror(errno));
        return facts->error.code;
    }
    size_t size = fread(head, 1, sizeof head, file);
    (void)fclose(file);
    facts->not_wal = size == 0 || (size == sizeof head && memcmp(head, magic, sizeof magic) == 0 &&
                                   head[WRITE_VERSION] != 2);
    return 0;
}

/* ---- All --------------------------------------------------------------------- */

/* One of several nodes, in a transaction that runs there and reads no table. */
static int ask_node(struct doctor *d, uint32_t node)
{
    struct corm_error *error = &d->facts->error;
    struct corm_trx   *trx = NULL;

    d->facts->node = node;
    d->facts->dialect = corm_dialect_of(d->db);
    int rc = corm_begin(d->db, &trx, .node = node, .isolation = CORM_REPEATABLE_READ);
    if (rc == CORM_MISUSE) /* so a reader is known */
        d->facts->reader = true;
    if (trx != NULL)
        corm_end(trx);
    rc = corm_begin(d->db, &d->trx, .node = node, .isolation = CORM_REPEATABLE_READ,
                    .read_only = true, .error = error);
    if (rc == 0)
        rc = ask_server(d);
    corm_end(d->trx);
    d->trx = NULL;
    return rc;
}

/* A node that cannot be asked is a finding; that no node can be asked is told by corm_open(). */
static int ask_nodes(struct doctor *d)
{
    struct doctor_facts *all = d->facts;
    uint32_t             nodes = all->settings.nodes;

    for (uint32_t i = 1; i < nodes; i++)
        all[i] = all[0];
    for (uint32_t i = 0; i < nodes; i++) {
        d->facts = &all[i];
        if (ask_node(d, i + 1) == CORM_NO_MEMORY)
            return CORM_NO_MEMORY;
    }
    return (int)nodes;
}

static int open_and_ask(struct doctor *d, const char *url)
{
    struct doctor_facts *facts = d->facts;
    int rc = corm_open(&d->db, facts->not_wal ? "sqlite::memory:" : url, .error = &facts->error);

    if (rc < 0)
        return rc;
    facts->dialect = corm_dialect_of(d->db);
    if (facts->settings.nodes > 1)
        rc = ask_nodes(d);
    else
        rc = facts->dialect == CORM_DIALECT_SQLITE ? ask_file(d) : ask_server(d);
    corm_close(d->db);
    return rc == 0 ? 1 : rc;
}

int doctor_ask(struct corm_arena *arena, const char *url, struct doctor_facts *facts)
{
    struct doctor d = {.arena = arena, .facts = facts};

    *facts = (struct doctor_facts){.version = "", .cipher = "", .bad_table_count = -1};
    int rc = corm_settings(arena, url, &facts->settings, &facts->error);
    if (rc < 0)
        return rc;
    facts->in_memory =
        facts->settings.file != NULL && strcmp(facts->settings.file, ":memory:") == 0;
    if (facts->settings.file != NULL && !facts->in_memory)
        rc = peek(facts);
    return rc < 0 ? rc : open_and_ask(&d, url);
}
