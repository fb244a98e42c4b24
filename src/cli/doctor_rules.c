/* doctor_rules.c -- what the settings of a server mean for the promises of corm: one function a rule,
 * facts in, one finding out. No I/O, so that a test can make up servers that nobody has here.
 *
 * A finding is an error where a promise is untrue with the setting, a warning where it holds in fewer
 * cases than it could, a note where it is worth knowing. What corm puts right in its own sessions is ok and
 * says so, but only where the answers of such a session show it. */
#include "doctor.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CACHE = 128 }; /* prepared statements of a connection, corm's limit */

/* ---- Findings ------------------------------------------------------------------- */

#define found(f, ...) (void)snprintf((f)->found, sizeof(f)->found, __VA_ARGS__)
#define cure(f, ...)  (void)snprintf((f)->cure, sizeof(f)->cure, __VA_ARGS__)

static void say(struct doctor_finding *f, enum doctor_severity severity, const char *means)
{
    f->severity = severity;
    f->means = means;
}

/* It would do harm if corm did not see to it. */
static void protects(struct doctor_finding *f, const char *means)
{
    say(f, DOCTOR_OK, means);
    f->by_corm = true;
}

/* ---- Settings -------------------------------------------------------------------- */

const struct doctor_variable *doctor_variable(const struct doctor_facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->variable_count; i++)
        if (strcmp(facts->variables[i].name, name) == 0)
            return &facts->variables[i];
    return NULL;
}

/* "" where the server has no such variable. */
static const char *global(const struct doctor_facts *facts, const char *name)
{
    const struct doctor_variable *v = doctor_variable(facts, name);

    return v != NULL && v->global != NULL ? v->global : "";
}

static const char *session(const struct doctor_facts *facts, const char *name)
{
    const struct doctor_variable *v = doctor_variable(facts, name);

    return v != NULL && v->session != NULL ? v->session : "";
}

static bool is_on(const char *value)
{
    return strcasecmp(value, "ON") == 0 || strcmp(value, "1") == 0;
}

static uint64_t number(const char *value)
{
    return strtoull(value, NULL, 10);
}

/* For a setting that can be changed while the server runs. */
static void cure_setting(struct doctor_finding *f, const char *name, const char *value)
{
    cure(f,
         "SET GLOBAL %s = %s; and for the next start, under [mysqld] in the option file: %s = %s",
         name, value, name, value);
}

/* ---- Durability -------------------------------------------------------------------- */

static void judge_flush(const struct doctor_facts *facts, struct doctor_finding *f)
{
    static const char name[] = "innodb_flush_log_at_trx_commit";
    const char       *value = global(facts, name);

    found(f, "%s = %s", name, value);
    if (strcmp(value, "1") == 0 || strcmp(value, "3") == 0) {
        say(f, DOCTOR_OK, "a commit is on the disk before corm calls it committed");
        return;
    }
    say(f, DOCTOR_ERROR,
        strcmp(value, "2") == 0
            ? "a crash of the machine, or a loss of power, loses about the last second of what corm "
              "has called committed"
            : "a crash of the server loses about the last second of what corm has called committed");
    cure_setting(f, name, "1");
}

static void judge_binlog(const struct doctor_facts *facts, struct doctor_finding *f)
{
    const char *each = global(facts, "sync_binlog");

    if (!is_on(global(facts, "log_bin"))) {
        found(f, "log_bin = %s", global(facts, "log_bin"));
        say(f, DOCTOR_OK, "there is no binary log that a commit depends on");
        return;
    }
    found(f, "log_bin = ON, sync_binlog = %s", each);
    if (strcmp(each, "1") == 0) {
        say(f, DOCTOR_OK, "the binary log is on the disk before corm calls a commit committed");
        return;
    }
    say(f, DOCTOR_ERROR,
        "after a crash of the machine the server takes back what its binary log has not: "
        "commits that corm has called committed");
    cure_setting(f, "sync_binlog", "1");
}

/* ---- Tables ------------------------------------------------------------------------ */

/* The tables that are named, behind the first `used` bytes of `text`. */
static void list_tables(const struct doctor_facts *facts, char *text, size_t size, size_t used)
{
    for (size_t i = 0; i < facts->bad_named && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%.64s (%.32s)", i > 0 ? ", " : "",
                                 facts->bad_tables[i], facts->bad_engines[i]);
    int64_t more = facts->bad_table_count - (int64_t)facts->bad_named;
    if (more > 0 && used < size)
        (void)snprintf(text + used, size - used, " and %" PRId64 " more", more);
}

/* A name with its backquotes doubled; false where it has no room. */
static bool quote(const char *name, char *text, size_t size)
{
    size_t n = 0;

    for (; *name != '\0' && n + 2 < size; name++) {
        text[n++] = *name;
        if (*name == '`')
            text[n++] = '`';
    }
    text[n] = '\0';
    return *name == '\0';
}

static void judge_tables(const struct doctor_facts *facts, struct doctor_finding *f)
{
    size_t used;
    char   name[400];

    if (facts->bad_table_count == 0) {
        found(f, "no table without transactions");
        say(f, DOCTOR_OK, "what is rolled back is gone, in every table of this database");
        return;
    }
    found(f, "%" PRId64 " without transactions: ", facts->bad_table_count);
    list_tables(facts, f->found, sizeof f->found, strlen(f->found));
    say(f, DOCTOR_ERROR,
        "what is written to such a table stays although its transaction is rolled back or refused, "
        "and none of its rows is ever locked: nothing that corm promises holds there");
    f->cure[0] = '\0';
    for (size_t i = 0; i < facts->bad_named; i++) {
        used = strlen(f->cure);
        if (quote(facts->bad_tables[i], name, sizeof name) &&
            used + strlen(name) + sizeof " ALTER TABLE `` ENGINE=InnoDB;" <= sizeof f->cure)
            (void)snprintf(f->cure + used, sizeof f->cure - used,
                           "%sALTER TABLE `%s` ENGINE=InnoDB;", i > 0 ? " " : "", name);
    }
}

static void judge_ledger(const struct doctor_facts *facts, struct doctor_finding *f)
{
    if (facts->dialect == CORM_DIALECT_SQLITE) {
        found(f, "SQLite needs none");
        say(f, DOCTOR_OK, "a commit of SQLite's has happened or not, and says which");
        return;
    }
    if (facts->has_ledger) {
        found(f, "the table corm_ledger is there");
        say(f, DOCTOR_OK, "what became of a commit can be asked after its connection was lost");
        return;
    }
    found(f, "there is no table corm_ledger");
    say(f, DOCTOR_WARNING,
        "a commit whose answer is lost is reported as CORM_UNKNOWN, and never run again by corm");
    cure(f, "corm setup --url URL, or corm_setup(), once for each database");
}

/* ---- Sessions ------------------------------------------------------------------------ */

static void judge_autocommit(const struct doctor_facts *facts, struct doctor_finding *f)
{
    bool by_init = strcasestr(global(facts, "init_connect"), "autocommit") != NULL;
    bool off = !is_on(global(facts, "autocommit"));
    bool by_trx = facts->node != 0; /* asked in a transaction, in which it is off */

    found(f, "autocommit = %s%s", global(facts, "autocommit"),
          by_init ? ", and init_connect sets it" : "");
    if (!by_trx && !is_on(session(facts, "autocommit"))) {
        say(f, DOCTOR_ERROR,
            "a single write of corm's would wait for a COMMIT that nobody sends: it would be "
            "called done and be lost");
        cure_setting(f, "autocommit", "1");
    } else if (off || by_init) {
        protects(f, "corm switches it on in its sessions, and off in transactions alone");
    } else {
        say(f, DOCTOR_OK, "single writes commit by themselves");
    }
}

static void judge_init_connect(const struct doctor_facts *facts, struct doctor_finding *f)
{
    const char *text = global(facts, "init_connect");

    if (text[0] == '\0') {
        found(f, "init_connect is empty");
        say(f, DOCTOR_OK, "nobody else has a hand in new sessions");
        return;
    }
    found(f, "init_connect has %zu bytes", strlen(text));
    say(f, DOCTOR_NOTE,
        "it runs in every new session of a user without SUPER. corm then sets what it relies on "
        "(sql_mode, time_zone, autocommit, character set, checks, isolation); the rest stays as it "
        "leaves it");
    cure(f, "SHOW GLOBAL VARIABLES LIKE 'init_connect'; and see that it locks, begins and switches "
            "off nothing");
}

static void judge_sql_mode(const struct doctor_facts *facts, struct doctor_finding *f)
{
    static const char strict[] = "STRICT_TRANS_TABLES";

    found(f, "sql_mode = %.300s", global(facts, "sql_mode"));
    if (strstr(session(facts, "sql_mode"), strict) == NULL) {
        say(f, DOCTOR_ERROR, "the server cuts what does not fit a column, and calls it written");
        cure_setting(f, "sql_mode", "'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'");
    } else if (strstr(global(facts, "sql_mode"), strict) == NULL) {
        protects(f, "corm's sessions are strict: what does not fit is refused. Other programs may "
                    "write what is cut");
    } else {
        say(f, DOCTOR_OK, "what does not fit a column is refused");
    }
}

static void judge_rollback_on_timeout(const struct doctor_facts *facts, struct doctor_finding *f)
{
    static const char name[] = "innodb_rollback_on_timeout";

    found(f, "%s = %s", name, global(facts, name));
    if (!is_on(global(facts, name))) {
        say(f, DOCTOR_OK,
            "CORM_LOCKED under .nowait and .wait_ms is an answer, and the "
            "transaction goes on");
        return;
    }
    say(f, DOCTOR_WARNING,
        "CORM_LOCKED under .nowait and .wait_ms ends the transaction, and a locked row that one "
        "member of a group wants makes the whole group run again. corm knows, and tells it as it is");
    cure(f, "under [mysqld] in the option file: %s = OFF, and start the server again", name);
}

static void judge_snapshot(const struct doctor_facts *facts, struct doctor_finding *f)
{
    static const char             name[] = "innodb_snapshot_isolation";
    const struct doctor_variable *v = doctor_variable(facts, name);

    if (v == NULL) {
        found(f, "the server has no %s", name);
        say(f, DOCTOR_WARNING,
            "at REPEATABLE READ, which is the default of explicit transactions, a row that was "
            "read without a lock and is then written loses what others wrote meanwhile. Functions "
            "run SERIALIZABLE unless they say otherwise, and lose nothing");
        cure(f, "read with .lock = CORM_FOR_UPDATE what you are going to write, or pass .isolation "
                "= CORM_SERIALIZABLE; MariaDB has the setting from 10.6.18, 10.11.8 and 11.4.2 on");
        return;
    }
    found(f, "%s = %s", name, v->global != NULL ? v->global : "");
    if (v->in_trx == NULL || !is_on(v->in_trx)) {
        say(f, DOCTOR_ERROR, "at REPEATABLE READ an update can be lost");
        cure_setting(f, name, "ON");
    } else if (v->global == NULL || !is_on(v->global)) {
        protects(f,
                 "corm switches it on in its transactions at REPEATABLE READ: no update is lost");
    } else {
        say(f, DOCTOR_OK, "no update is lost at REPEATABLE READ");
    }
}

static void judge_isolation(const struct doctor_facts *facts, struct doctor_finding *f)
{
    const char *old = global(facts, "tx_isolation");
    const char *name = old[0] != '\0' ? "tx_isolation" : "transaction_isolation";
    const char *value = global(facts, name);

    found(f, "%s = %s", name, value);
    if (strcmp(value, "READ-UNCOMMITTED") == 0) {
        say(f, DOCTOR_WARNING,
            "transactions of corm_begin() without .isolation see what others have not committed "
            "and may take back. Functions run SERIALIZABLE unless they say otherwise");
        cure(f, "pass .isolation to corm_begin(), or SET GLOBAL TRANSACTION ISOLATION LEVEL "
                "REPEATABLE READ;");
    } else if (strcmp(value, "READ-COMMITTED") == 0) {
        say(f, DOCTOR_NOTE,
            "transactions of corm_begin() without .isolation may read a row twice and find two "
            "values, and lose an update of a row that was read without a lock");
        cure(f, "pass .isolation to corm_begin(), or SET GLOBAL TRANSACTION ISOLATION LEVEL "
                "REPEATABLE READ;");
    } else {
        say(f, DOCTOR_OK,
            "that is what transactions of corm_begin() without .isolation have; "
            "functions run SERIALIZABLE");
    }
}

/* ---- Secrets ---------------------------------------------------------------------------- */

static void judge_local_infile(const struct doctor_facts *facts, struct doctor_finding *f)
{
    found(f, "local_infile = %s", global(facts, "local_infile"));
    if (is_on(global(facts, "local_infile")))
        protects(f, "corm's client never sends a file, whatever the server asks for");
    else
        say(f, DOCTOR_OK, "the server asks no client for its files");
}

static void judge_tls(const struct doctor_facts *facts, struct doctor_finding *f)
{
    bool encrypted = facts->cipher[0] != '\0';

    if (encrypted)
        found(f, "encrypted (%.64s), the server %s", facts->cipher,
              facts->settings.verifies_tls ? "has proved who it is" : "was not asked who it is");
    else
        found(f, "not encrypted, %s",
              facts->settings.is_local ? "on this machine" : "to another machine");
    if (encrypted && (facts->settings.verifies_tls || facts->settings.is_local)) {
        say(f, DOCTOR_OK, "nobody on the way can read or change what is sent");
    } else if (encrypted) {
        say(f, DOCTOR_WARNING,
            "who stands on the way can pretend to be the server, and read and change all");
        cure(f, "say tls=verify in the URL, with tls_ca=FILE where the system does not know who "
                "signed the server's certificate");
    } else if (facts->settings.is_local) {
        say(f, DOCTOR_OK, "the link does not leave this machine");
    } else {
        say(f, DOCTOR_ERROR,
            "who stands on the way can read every row, and change statements and answers, a "
            "COMMIT's too");
        cure(f, "leave tls=off out of the URL (tls=verify is the default there), with tls_ca=FILE "
                "where the system does not know who signed the server's certificate");
    }
}

/* ---- Room --------------------------------------------------------------------------------- */

static void judge_packet(const struct doctor_facts *facts, struct doctor_finding *f)
{
    enum { MEBIBYTE = 1048576, USUAL = 16 };
    static const char name[] = "max_allowed_packet";
    uint64_t          bytes = number(session(facts, name));

    found(f, "%s = %" PRIu64, name, bytes);
    if (bytes >= (uint64_t)USUAL * MEBIBYTE) {
        say(f, DOCTOR_OK, "16 MiB and more go in one statement");
        return;
    }
    say(f, bytes < MEBIBYTE ? DOCTOR_WARNING : DOCTOR_NOTE,
        "corm splits arrays and flushes to fit, and refuses a larger statement before it is sent "
        "(CORM_TOO_LARGE); a row that is larger cannot be written or read");
    cure_setting(f, name, "16777216");
}

static void judge_wait_timeout(const struct doctor_facts *facts, struct doctor_finding *f)
{
    static const char name[] = "wait_timeout";
    uint64_t          seconds = number(session(facts, name));

    found(f, "%s = %" PRIu64, name, seconds);
    if (seconds < facts->settings.timeout_ms / 1000) {
        say(f, DOCTOR_WARNING,
            "a transaction that pauses for longer than that loses its connection, although its "
            "deadline (timeout_ms) has not passed");
    } else if (seconds < facts->settings.max_age_s) {
        say(f, DOCTOR_NOTE,
            "the server closes idle connections before the pool replaces them. corm notices before "
            "it uses one, and connects again: somebody waits for that");
    } else {
        say(f, DOCTOR_OK, "the pool replaces connections before the server closes idle ones");
        return;
    }
    cure(f, "SET GLOBAL %s = %" PRIu32 "; or less than that as max_age_s= in the URL", name,
         facts->settings.max_age_s);
}

static void judge_statements(const struct doctor_facts *facts, struct doctor_finding *f)
{
    static const char name[] = "max_prepared_stmt_count";
    uint64_t          most = number(global(facts, name)), pool = facts->settings.pool;
    char              wanted[24];

    (void)snprintf(wanted, sizeof wanted, "%" PRIu64, 2 * CACHE * pool);
    found(f, "%s = %" PRIu64 ", pool = %" PRIu64, name, most, pool);
    if (most >= 2 * CACHE * pool) {
        say(f, DOCTOR_OK, "every connection of the pool can keep the statements that it uses");
        return;
    }
    say(f, most < 2 * pool ? DOCTOR_WARNING : DOCTOR_NOTE,
        most < 2 * pool
            ? "the connections of the pool may find no room for a statement, which then fails"
            : "each connection keeps fewer prepared statements than the 128 of corm, its part of "
              "half of what the server takes, and prepares the others again");
    cure_setting(f, name, wanted);
}

static void judge_connections(const struct doctor_facts *facts, struct doctor_finding *f)
{
    const char *name = "max_connections";
    uint64_t    most = number(global(facts, name)), own;

    own = number(session(facts, "max_user_connections")); /* 0: no limit */
    if (own > 0 && own < most) {
        name = "max_user_connections";
        most = own;
    }
    found(f, "%s = %" PRIu64 ", pool = %" PRIu32, name, most, facts->settings.pool);
    if (most > facts->settings.pool) {
        say(f, DOCTOR_OK, "the server takes the whole pool of one program");
        return;
    }
    say(f, DOCTOR_WARNING,
        "the pool wants all connections that the server takes, or more: callers wait for those that "
        "can be had, and nobody else gets in");
    cure(f, "say pool=%" PRIu64 " or less in the URL, or SET GLOBAL %s = %" PRIu64 ";",
         most > 1 ? most - 1 : 1, name, (uint64_t)facts->settings.pool * 2 + 10);
}

static bool is_writable(const char *value)
{
    return value[0] == '\0' || strcasecmp(value, "OFF") == 0 || strcmp(value, "0") == 0;
}

static void judge_read_only(const struct doctor_facts *facts, struct doctor_finding *f)
{
    const char *value = global(facts, "read_only");

    found(f, "read_only = %s", value);
    if (facts->reader && is_writable(value)) {
        say(f, DOCTOR_WARNING,
            "corm writes nothing to a reader, but somebody else can: then it has what its primary "
            "has not");
        cure_setting(f, "read_only", "ON");
    } else if (facts->reader || is_writable(value)) {
        say(f, DOCTOR_OK, facts->reader ? "nobody writes to a reader" : "the server takes writes");
    } else {
        say(f, DOCTOR_WARNING,
            "writes are refused (CORM_READ_ONLY), unless the user may ignore it");
        cure(f,
             "name the server that takes writes in the URL, or here SET GLOBAL read_only = OFF;");
    }
}

/* ---- Several servers ------------------------------------------------------------------------- */

static bool is_in_cluster(const struct doctor_facts *facts)
{
    return is_on(global(facts, "wsrep_on"));
}

static void judge_cluster(const struct doctor_facts *facts, struct doctor_finding *f)
{
    bool several = facts->settings.writers > 1;

    found(f,
          is_in_cluster(facts) ? "wsrep_on = ON, %" PRIu32 " %s in the URL"
                               : "no node of a cluster, %" PRIu32 " %s in the URL",
          facts->settings.writers, several ? "writers" : "writer");
    if (is_in_cluster(facts) && several) {
        say(f, DOCTOR_OK,
            "each key has its node, and every row that is locked is guarded against the others");
    } else if (is_in_cluster(facts)) {
        say(f, DOCTOR_WARNING,
            "a row that is locked on one node of a Galera cluster is free on the others: two that "
            "read it there and write something else can both commit. corm guards it where it is "
            "told of several writers");
        cure(f,
             "name all nodes in the URL, in every program: mariadb://user:password@h1,h2,h3/shop; "
             "or let all programs write through the same node");
    } else if (several) {
        say(f, DOCTOR_ERROR,
            "what one of these servers commits the others have later or never, and nobody keeps two "
            "of them from writing the same row: each has a database of its own");
        cure(f, "name one writer, and its replicas as reader@host");
    } else {
        say(f, DOCTOR_OK, "a row that is locked here is locked for all");
    }
}

static void judge_state(const struct doctor_facts *facts, struct doctor_finding *f)
{
    enum { DONOR = 2, SYNCED = 4 };
    const char *status = global(facts, "wsrep_cluster_status");
    uint64_t    state = number(global(facts, "wsrep_local_state"));
    uint64_t    size = number(global(facts, "wsrep_cluster_size"));

    found(f, "%s, %s, %" PRIu64 " %s", status, global(facts, "wsrep_local_state_comment"), size,
          size == 1 ? "node" : "nodes");
    if (strcasecmp(status, "Primary") != 0) {
        say(f, DOCTOR_ERROR, "it is cut off from the majority of its cluster and refuses all work");
        cure(
            f,
            "see whether the nodes reach each other (ports 4567, 4568 and 4444); where the others "
            "are gone for good: SET GLOBAL wsrep_provider_options = 'pc.bootstrap=1'; on one node");
    } else if (state == DONOR) {
        say(f, DOCTOR_WARNING,
            "it gives its data to another node, or was taken out: it may be far behind, and corm "
            "leaves it");
        cure(f, "wait until it is Synced; or SET GLOBAL wsrep_desync = OFF;");
    } else if (state != SYNCED) {
        say(f, DOCTOR_ERROR, "it has not caught up with its cluster, and takes no work");
        cure(f, "wait until wsrep_local_state_comment is Synced; its error log says what it does");
    } else if (size < 3) {
        say(f, DOCTOR_WARNING,
            "when one node of two dies the other one stops too: it cannot know whether it is the one "
            "that was cut off");
        cure(f, "add a third node, or an arbitrator (garbd)");
    } else {
        say(f, DOCTOR_OK, "it has what the others have, and goes on when one of them dies");
    }
}

static void judge_guard(const struct doctor_facts *facts, struct doctor_finding *f)
{
    if (facts->has_guard) {
        found(f, "the table corm_guard is there");
        say(f, DOCTOR_OK, "of two nodes that lock the same row only one commits");
    } else if (facts->settings.writers < 2) {
        found(f, "one writer in the URL needs none");
        say(f, DOCTOR_OK, "all who write through the same node wait for its locks");
    } else {
        found(f, "there is no table corm_guard");
        say(f, DOCTOR_ERROR,
            "two nodes can lock the same row at the same time, and both commit, where none of them "
            "writes it");
        cure(f, "corm setup --url URL, or corm_setup(), once for each database");
    }
}

/* Auto-increment on several writers: each has its own residue, or they would give the same keys. */
static void judge_keys(const struct doctor_facts *facts, struct doctor_finding *f)
{
    static const char step_name[] = "auto_increment_increment";
    static const char control[] = "wsrep_auto_increment_control",
                      mode[] = "innodb_autoinc_lock_mode";
    uint64_t step = number(global(facts, step_name));
    uint64_t size = number(global(facts, "wsrep_cluster_size"));

    found(f, "%s = %" PRIu64, step_name, step);
    if (strcmp(global(facts, mode), "2") != 0) {
        found(f, "%s = %s", mode, global(facts, mode));
        say(f, DOCTOR_ERROR,
            "with the old way of generating keys nodes of Galera stop in deadlocks of their own");
        cure(f, "under [mysqld] in the option file: %s = 2", mode);
    } else if (!is_on(global(facts, control)) && step < size) {
        found(f, "%s = %" PRIu64 ", %s = OFF", step_name, step, control);
        say(f, DOCTOR_ERROR,
            "two nodes generate the same key: one of two inserts fails, as a duplicate or when it "
            "commits");
        cure_setting(f, control, "ON");
    } else {
        say(f, DOCTOR_OK,
            "each node generates keys of its own; they do not follow each other, so that none can be "
            "computed from another one");
    }
}

static void judge_replica(const struct doctor_facts *facts, struct doctor_finding *f)
{
    enum { LATE_S = 10 };

    if (facts->is_lag_unknown) {
        found(f, "the user may not ask");
        say(f, DOCTOR_NOTE, "how far a reader is behind is not known");
        cure(f, facts->dialect == CORM_DIALECT_MARIADB
                    ? "GRANT SLAVE MONITOR ON *.* TO that user, from an administrator"
                    : "GRANT REPLICATION CLIENT ON *.* TO that user, from an administrator");
    } else if (!facts->is_replica) {
        found(f, "no replica of another server");
        say(f, DOCTOR_WARNING, "a reader that takes over from no other server has nothing new");
        cure(f, "CHANGE MASTER TO ...; START SLAVE; on it, or leave it out of the URL");
    } else if (facts->lag == NULL) {
        found(f, "a replica that has stopped");
        say(f, DOCTOR_WARNING, "what it answers is older from minute to minute");
        cure(f, "SHOW ALL SLAVES STATUS says why; then START ALL SLAVES;");
    } else {
        bool late = number(facts->lag) >= LATE_S;
        found(f, "a replica, %.20s s behind", facts->lag);
        say(f,
            late            ? DOCTOR_WARNING
            : facts->reader ? DOCTOR_OK
                            : DOCTOR_NOTE,
            late ? "what it answers is old"
            : facts->reader
                ? "what it answers may be behind by so much"
                : "it answers late, and commits that its primary has called committed may "
                  "be missing where it takes over");
        if (late)
            cure(f, "give it fewer readers or more threads (slave_parallel_threads)");
    }
}

/* The columns that are named, behind the first `used` bytes of `text`. */
static void list_keys(const struct doctor_facts *facts, char *text, size_t size, size_t used)
{
    for (size_t i = 0; i < facts->loose_named && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%.64s.%.64s", i > 0 ? ", " : "",
                                 facts->loose_tables[i], facts->loose_columns[i]);
    int64_t more = facts->loose_key_count - (int64_t)facts->loose_named;
    if (more > 0 && used < size)
        (void)snprintf(text + used, size - used, " and %" PRId64 " more", more);
}

static void judge_text_keys(const struct doctor_facts *facts, struct doctor_finding *f)
{
    char name[200];

    if (facts->loose_key_count == 0) {
        found(f, "text keys are compared byte by byte");
        say(f, DOCTOR_OK, "keys that are equal go to the same node");
        return;
    }
    found(f, "%" PRId64 " not compared byte by byte: ", facts->loose_key_count);
    list_keys(facts, f->found, sizeof f->found, strlen(f->found));
    say(f, DOCTOR_WARNING,
        "equal keys of different bytes, 'A' and 'a', would go to two nodes: a .key of such a table is "
        "refused");
    for (size_t i = 0; i < facts->loose_named; i++) {
        size_t used = strlen(f->cure);
        bool   again = i > 0 && strcmp(facts->loose_tables[i], facts->loose_tables[i - 1]) == 0;
        if (!again && quote(facts->loose_tables[i], name, sizeof name) &&
            used + strlen(name) + 90 <= sizeof f->cure)
            (void)snprintf(f->cure + used, sizeof f->cure - used,
                           "%sALTER TABLE `%s` CONVERT TO CHARACTER SET utf8mb4 COLLATE "
                           "utf8mb4_nopad_bin;",
                           i > 0 ? " " : "", name);
    }
}

/* ---- SQLite --------------------------------------------------------------------------------- */

static void judge_journal(const struct doctor_facts *facts, struct doctor_finding *f)
{
    if (facts->in_memory) {
        found(f, "a database in memory");
        say(f, DOCTOR_NOTE, "all of it ends with the process");
    } else if (facts->not_wal) {
        found(f, "the file is not in WAL mode");
        protects(f, "corm changes it to WAL when it opens it, and refuses it where it cannot. It "
                    "was not opened now");
    } else if (strcmp(facts->journal_mode, "wal") == 0) {
        found(f, "journal_mode = wal");
        say(f, DOCTOR_OK, "readers and the writer do not wait for each other");
    } else {
        found(f, "journal_mode = %.32s", facts->journal_mode);
        say(f, DOCTOR_ERROR, "without WAL a reader and a writer stop each other");
        cure(f, "PRAGMA journal_mode=WAL;");
    }
}

static void judge_synchronous(const struct doctor_facts *facts, struct doctor_finding *f)
{
    static const char *const names[] = {"OFF", "NORMAL", "FULL", "EXTRA"};
    uint64_t                 level = number(facts->synchronous);

    found(f, "synchronous = %s", level < 4 ? names[level] : "?");
    if (level >= 2) {
        protects(f, "corm sets it: a commit is on the disk before corm calls it committed");
        return;
    }
    say(f, DOCTOR_ERROR, "a loss of power loses the last of what corm has called committed");
    cure(f, "PRAGMA synchronous=FULL;");
}

bool doctor_has_wal_reset_bug(const char *version)
{
    /* The first version, and the first that has the mend, of each line. */
    static const struct {
        unsigned from, mended;
    } lines[] = {{3007000, 3044006}, {3045000, 3050007}, {3051000, 3051003}};
    char         *end;
    unsigned long major = strtoul(version, &end, 10), minor = 0, patch = 0;

    if (*end == '.')
        minor = strtoul(end + 1, &end, 10);
    if (*end == '.')
        patch = strtoul(end + 1, &end, 10);
    unsigned long n = major * 1000000 + minor * 1000 + patch;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (n >= lines[i].from && n < lines[i].mended)
            return true;
    return false;
}

static void judge_wal_reset(const struct doctor_facts *facts, struct doctor_finding *f)
{
    found(f, "SQLite %.32s", facts->version);
    if (!doctor_has_wal_reset_bug(facts->version)) {
        say(f, DOCTOR_OK, "the library has no known bug that damages a file in WAL mode");
    } else if (facts->in_memory) {
        protects(f,
                 "two connections of this library can damage a file by moving its log at the "
                 "same time (https://www.sqlite.org/wal.html#walresetbug); in memory there is one");
    } else {
        say(f, DOCTOR_WARNING,
            "two connections of this library that move the log of a file at the same time can "
            "damage it (https://www.sqlite.org/wal.html#walresetbug). In a corm_db only one "
            "connection does; a second process, or corm_db, on the file is not protected");
        cure(f, "use SQLite 3.51.3 or later (or 3.50.7, 3.44.6), or open the file in one process "
                "and by one corm_open()");
    }
}

/* ---- All -------------------------------------------------------------------------------------- */

static bool is_one_of_several(const struct doctor_facts *facts)
{
    return is_in_cluster(facts) || facts->settings.writers > 1;
}

static bool is_behind(const struct doctor_facts *facts)
{
    return facts->is_replica || (facts->reader && !is_in_cluster(facts));
}

static const struct rule {
    const char *check;
    void (*judge)(const struct doctor_facts *facts, struct doctor_finding *f);
    bool (*applies)(const struct doctor_facts *facts); /* NULL: always */
} server_rules[] =
    {
        {"flush_at_commit", judge_flush, NULL},
        {"binlog_flush", judge_binlog, NULL},
        {"tables", judge_tables, NULL},
        {"ledger", judge_ledger, NULL},
        {"autocommit", judge_autocommit, NULL},
        {"init_connect", judge_init_connect, NULL},
        {"sql_mode", judge_sql_mode, NULL},
        {"rollback_on_timeout", judge_rollback_on_timeout, NULL},
        {"snapshot_isolation", judge_snapshot, NULL},
        {"isolation", judge_isolation, NULL},
        {"cluster", judge_cluster, NULL},
        {"cluster_state", judge_state, is_in_cluster},
        {"guard", judge_guard, is_in_cluster},
        {"generated_keys", judge_keys, is_in_cluster},
        {"text_keys", judge_text_keys, is_one_of_several},
        {"replica", judge_replica, is_behind},
        {"read_only", judge_read_only, NULL},
        {"tls", judge_tls, NULL},
        {"local_infile", judge_local_infile, NULL},
        {"packet", judge_packet, NULL},
        {"wait_timeout", judge_wait_timeout, NULL},
        {"prepared_statements", judge_statements, NULL},
        {"connections", judge_connections, NULL},
},
  file_rules[] = {
      {"journal_mode", judge_journal, NULL},
      {"synchronous", judge_synchronous, NULL},
      {"wal_reset_bug", judge_wal_reset, NULL},
      {"ledger", judge_ledger, NULL},
};

enum {
    SERVER_RULES = sizeof server_rules / sizeof server_rules[0],
    FILE_RULES = sizeof file_rules / sizeof file_rules[0]
};
_Static_assert((int)SERVER_RULES <= (int)DOCTOR_FINDINGS, "room for all");

/* Of a server that did not answer a question there is only this. */
static void judge_refusal(const struct doctor_facts *facts, struct doctor_finding *f)
{
    enum { STATEMENTS_FULL = 1461 };

    if (facts->error.server_code == STATEMENTS_FULL) {
        f->check = "prepared_statements";
        found(f, "the server takes no more prepared statements");
        say(f, DOCTOR_ERROR, "corm prepares every statement: none of them works");
        cure_setting(f, "max_prepared_stmt_count", "16382");
        return;
    }
    if (facts->node != 0 && facts->error.code <= CORM_CONNECTION_GONE) {
        f->check = "reached";
        found(f, "%.600s", facts->error.message);
        say(f, DOCTOR_ERROR, "the node cannot be used: its keys are those of the others");
        cure(f, "%s", corm_code_cure(facts->error.code));
        return;
    }
    f->check = "question";
    found(f, "%s: %.500s", facts->question, facts->error.message);
    say(f, DOCTOR_ERROR, "the server does not tell what has to be known to trust it");
    cure(f, "%s", corm_code_cure(facts->error.code));
}

size_t doctor_judge(const struct doctor_facts *facts, struct doctor_finding *findings)
{
    bool               file = facts->dialect == CORM_DIALECT_SQLITE;
    const struct rule *rules = file ? file_rules : server_rules;
    size_t             count = file ? FILE_RULES : SERVER_RULES, n = 0;

    if (facts->error.code != 0) {
        findings[0] = (struct doctor_finding){.node = facts->node};
        judge_refusal(facts, &findings[0]);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (rules[i].applies != NULL && !rules[i].applies(facts))
            continue;
        findings[n] = (struct doctor_finding){.check = rules[i].check, .node = facts->node};
        rules[i].judge(facts, &findings[n]);
        assert(findings[n].means != NULL);
        n++;
    }
    return n;
}

/* ---- Several nodes ----------------------------------------------------------------------------- */

static const struct doctor_finding *find(const struct doctor_finding *findings, size_t count,
                                         const char *check)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(findings[i].check, check) == 0)
            return &findings[i];
    return NULL;
}

static bool is_same(const struct doctor_finding *a, const struct doctor_finding *b)
{
    return b != NULL && a->severity == b->severity && a->by_corm == b->by_corm &&
           strcmp(a->found, b->found) == 0 && strcmp(a->means, b->means) == 0;
}

/* Takes away finding `at` of `count`. */
static void drop(struct doctor_finding *findings, size_t at, size_t count)
{
    memmove(&findings[at], &findings[at + 1], (count - at - 1) * sizeof *findings);
}

/* Makes one finding of those of nodes that have answered, where all have the same. */
static size_t unite(const struct doctor_facts *facts, size_t nodes, struct doctor_finding *of[],
                    size_t counts[], size_t first, size_t i, size_t total)
{
    struct doctor_finding *all = of[0], *finding = &of[first][i];
    bool                   same = true;

    for (size_t n = first + 1; n < nodes; n++)
        same = same && (facts[n].error.code != 0 ||
                        is_same(finding, find(of[n], counts[n], finding->check)));
    for (size_t n = nodes; same && --n > first;) {
        const struct doctor_finding *other =
            facts[n].error.code == 0 ? find(of[n], counts[n], finding->check) : NULL;
        if (other == NULL)
            continue;
        drop(all, (size_t)(other - all), total--);
        counts[n]--;
        for (size_t later = n + 1; later < nodes; later++)
            of[later]--;
    }
    if (same)
        finding->node = 0;
    return total;
}

size_t doctor_judge_all(const struct doctor_facts *facts, size_t nodes,
                        struct doctor_finding *findings)
{
    struct doctor_finding *of[DOCTOR_NODES] = {findings};
    size_t                 counts[DOCTOR_NODES] = {0}, total = 0, first = 0;

    for (size_t n = 0; n < nodes; n++) {
        of[n] = findings + total;
        counts[n] = doctor_judge(&facts[n], of[n]);
        total += counts[n];
    }
    while (first < nodes && facts[first].error.code != 0)
        first++;
    for (size_t i = first < nodes && nodes > 1 ? counts[first] : 0; i-- > 0;)
        total = unite(facts, nodes, of, counts, first, i, total);
    return total;
}
