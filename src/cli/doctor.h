/* doctor.h -- the verb `corm doctor`: which settings of a server make a promise of corm untrue.
 *
 *     doctor.c          the command line, and the exit code
 *     doctor_facts.c    asks the server; the only part that knows how
 *     doctor_rules.c    judges what it said: one rule, one finding; no I/O
 *     doctor_report.c   prints the findings, for people and for programs
 *     doctor_errors.c   --errors: what is done about each failure
 *
 * It reads and changes nothing, and takes no lock: SHOW, SELECTs of information_schema, and one read-only
 * transaction that reads no table. A file of SQLite is opened only where it is there and in WAL mode,
 * because to open it would make it so.
 *
 * What a server says is shown without its control characters: it may be a stranger's. */
#ifndef CORM_CLI_DOCTOR_H
#define CORM_CLI_DOCTOR_H

#include <corm/corm.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- What is known -------------------------------------------------------- */

/* A variable of a server, or a status of its replication, in three places; NULL: the server has none of that name. */
struct doctor_variable {
    const char *name;
    const char *global;  /* of a status: what it is */
    const char *session; /* of a connection of corm's */
    const char *in_trx;  /* of one in a transaction at REPEATABLE READ */
};

enum { DOCTOR_VARIABLES = 40, DOCTOR_NAMED = 10, DOCTOR_NODES = 16 };

struct doctor_facts {
    struct corm_settings settings;
    uint32_t             node;   /* of several, from 1; 0: there is one */
    bool                 reader; /* to which nothing is sent that writes */
    enum corm_dialect    dialect;
    const char          *version; /* of the server, or of the library of SQLite */

    /* of a server */
    struct doctor_variable variables[DOCTOR_VARIABLES];
    size_t                 variable_count;
    const char            *cipher;          /* of the link; "": it is not encrypted */
    int64_t                bad_table_count; /* that take part in no transaction; -1: not known */
    size_t                 bad_named;       /* how many of them are named here */
    const char            *bad_tables[DOCTOR_NAMED];
    const char            *bad_engines[DOCTOR_NAMED];
    bool                   has_ledger;
    bool                   has_guard; /* the table corm_guard */

    /* of a server that is one of several */
    bool        is_replica; /* it takes over what another one writes, later */
    const char *lag;        /* how many seconds behind, as far as it knows; NULL: it has stopped */
    bool        is_lag_unknown; /* the user may not ask */
    int64_t loose_key_count; /* text columns of primary keys that are not compared byte by byte */
    size_t  loose_named;
    const char *loose_tables[DOCTOR_NAMED];
    const char *loose_columns[DOCTOR_NAMED];

    /* of SQLite */
    bool        in_memory;
    bool        not_wal; /* a file that corm has not opened yet, and the doctor does not, either */
    const char *journal_mode;
    const char *synchronous; /* as a number */

    /* A question that was not answered, and why; code 0: all were. */
    const char       *question;
    struct corm_error error;
};

/* NULL where the server has no such variable. */
const struct doctor_variable *doctor_variable(const struct doctor_facts *facts, const char *name);

/* Asks all there is to be asked, of each node; texts live in the arena. How many facts there are, at most
 * DOCTOR_NODES; or a negative code with facts->error set where the database could not be read about or
 * reached. A node of several that could not be reached has that in its own facts. */
int doctor_ask(struct corm_arena *arena, const char *url, struct doctor_facts *facts);

/* ---- What it means -------------------------------------------------------- */

enum doctor_severity {
    DOCTOR_OK,
    DOCTOR_NOTE,    /* worth knowing */
    DOCTOR_WARNING, /* a promise holds in fewer cases than it could */
    DOCTOR_ERROR    /* a promise is untrue */
};

struct doctor_finding {
    const char          *check; /* its name, for programs: it stays the same */
    uint32_t             node;  /* of several, from 1; 0: it is true of all */
    enum doctor_severity severity;
    bool        by_corm; /* the setting would do harm, and corm sees to it that it does not */
    char        found[640];
    const char *means;
    char        cure[1024]; /* "": nothing has to be done */
};

enum { DOCTOR_FINDINGS = 40 };

/* Judges; how many findings there are, at most DOCTOR_FINDINGS. */
size_t doctor_judge(const struct doctor_facts *facts, struct doctor_finding *findings);

/* Judges each of several nodes. What is the same of all that have answered becomes one finding, of node 0. How many
 * findings there are, at most `nodes` times DOCTOR_FINDINGS. */
size_t doctor_judge_all(const struct doctor_facts *facts, size_t nodes,
                        struct doctor_finding *findings);

/* Whether a version of SQLite can damage a file when two connections move its log
 * (https://www.sqlite.org/wal.html#walresetbug). */
bool doctor_has_wal_reset_bug(const char *version);

/* ---- What is told --------------------------------------------------------- */

const char *doctor_severity_name(enum doctor_severity severity);

/* Lines on stdout: one a finding; on a terminal columns, and colours unless NO_COLOR is set. */
void doctor_report(const struct doctor_facts *facts, size_t nodes,
                   const struct doctor_finding *findings, size_t count);
/* One JSON object; false when there is no memory. */
bool doctor_report_as_json(const struct doctor_facts *facts, size_t nodes,
                           const struct doctor_finding *findings, size_t count);

/* ---- The table of failures ------------------------------------------------- */

void doctor_print_errors(void);
/* False when there is no memory. */
bool doctor_print_errors_as_json(void);

#endif
