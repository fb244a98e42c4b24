/* scripted.c -- a driver for tests that does what a script says. */
#include "scripted.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scripted scripted;

struct scripted_link {
    struct corm__link base;
    int               failed; /* the answer to which statement of a trip has failed */
};

struct corm__prepared {
    char entry[256];
    bool asks_failed;
};

/* ---- The clock, in the place of base/clock.c ---------------------------------- */

int64_t scripted_now(void) __asm__("__wrap_corm__now");
int64_t scripted_deadline_in(uint32_t ms) __asm__("__wrap_corm__deadline_in");
int     scripted_ms_left(int64_t deadline) __asm__("__wrap_corm__ms_left");
void    scripted_pause(int64_t ns, int64_t deadline) __asm__("__wrap_corm__pause");

int64_t scripted_now(void)
{
    void (*at_clock)(void) = scripted.at_clock;

    scripted.at_clock = NULL;
    if (at_clock != NULL)
        at_clock();
    return scripted.now;
}

int64_t scripted_deadline_in(uint32_t ms)
{
    return scripted.now + (int64_t)ms * 1000000;
}

int scripted_ms_left(int64_t deadline)
{
    return deadline <= scripted.now ? 0 : (int)((deadline - scripted.now + 999999) / 1000000);
}

void scripted_pause(int64_t ns, int64_t deadline)
{
    int64_t until = scripted.now + ns;

    scripted.now = until < deadline ? until : deadline;
}

/* ---- Log and faults -------------------------------------------------------------- */

static void note(const char *entry, bool failed)
{
    scripted.log_size +=
        (size_t)snprintf(scripted.log + scripted.log_size, sizeof(scripted.log) - scripted.log_size,
                         "%s%s ", entry, failed ? "!" : "");
    assert(scripted.log_size < sizeof(scripted.log) && "the log is full");
}

/* Whether an entry begins with `at`, or has it as one of several. */
static bool is_at(const char *entry, const char *at)
{
    for (const char *p = entry; (p = strstr(p, at)) != NULL; p++)
        if (p == entry || p[-1] == '[' || p[-1] == ',')
            return true;
    return false;
}

static const struct scripted_fault *planned(const char *entry)
{
    const struct scripted_fault *found = NULL;

    for (int i = 0; i < scripted.fault_count; i++) {
        const struct scripted_fault *f = &scripted.faults[i];
        if (!is_at(entry, f->at))
            continue;
        scripted.met[i]++;
        if (found == NULL && (f->nth == 0 || f->nth == scripted.met[i]))
            found = f;
    }
    return found;
}

static uint64_t next_random(void)
{
    scripted.random ^= scripted.random << 13;
    scripted.random ^= scripted.random >> 7;
    scripted.random ^= scripted.random << 17;
    return scripted.random;
}

static const struct scripted_fault *by_chance(void)
{
    static struct scripted_fault fault;

    if (scripted.random == 0 || (int)(next_random() % 256) >= scripted.random_in_256)
        return NULL;
    fault = (struct scripted_fault){
        .code = scripted.random_codes[next_random() % (unsigned)scripted.random_count],
        .server_code = 1,
        .unsent = next_random() % 4 == 0,
    };
    fault.lost = fault.code <= CORM_CONNECTION_GONE;
    return &fault;
}

/* What becomes of a call: 0, or the error of `f`. */
static int suffer(struct corm__link *link, const char *entry, const struct scripted_fault *f,
                  struct corm_error *error)
{
    if (link != NULL && link->lost && !link->holds_data && strcmp(entry, "close") != 0)
        scripted.used_after_loss++;
    note(entry, f != NULL && f->code != 0);
    if (f == NULL)
        return 0;
    scripted.now += f->takes_ms * 1000000;
    if (link != NULL) {
        ((struct scripted_link *)link)->failed = f->failed;
        link->lost = link->lost || f->lost;
        link->sent = link->sent && !f->unsent;
        link->autocommits = f->autocommits;
    }
    return f->code == 0
               ? 0
               : corm__fail_server(error, f->code, f->server_code, "", "as the script says");
}

static int meet(struct corm__link *link, const char *entry, struct corm_error *error)
{
    const struct scripted_fault *f = planned(entry);

    return suffer(link, entry, f != NULL ? f : by_chance(), error);
}

/* ---- Statements ------------------------------------------------------------------- */

static void add_word(char entry[static 256], const char *text, const char *before)
{
    char word[32];

    corm__first_word(text, word);
    if (word[0] == '\0')
        return;
    size_t used = strlen(entry);
    (void)snprintf(entry + used, 256 - used, "%s%s", before, word);
}

/* "[UPDATE,COMMIT]" of a compound statement; what counts in it is left out. */
static void name_compound(char entry[static 256], const char *text)
{
    const char *separator = "[";

    text += strlen("BEGIN NOT ATOMIC ");
    if (strncmp(text, "DECLARE", 7) == 0)
        text = strstr(text, "RESIGNAL; END; ") + strlen("RESIGNAL; END; ");
    while (strcmp(text, "END") != 0) {
        if (strncmp(text, "SET `corm#", 10) != 0 &&
            strncmp(text, "SELECT LAST_INSERT_ID()", 23) != 0) {
            add_word(entry, text, separator);
            separator = ",";
        }
        text = strstr(text, "; ") + 2;
    }
    size_t used = strlen(entry);
    (void)snprintf(entry + used, 256 - used, "]");
}

static void name_statement(char entry[static 256], const char *text)
{
    entry[0] = '\0';
    if (strncmp(text, "BEGIN NOT ATOMIC ", 17) == 0)
        name_compound(entry, text);
    else
        add_word(entry, text, "");
}

/* ---- The driver --------------------------------------------------------------------- */

static int link_connect(const struct corm__endpoint *endpoint, bool for_writing, int64_t deadline,
                        struct corm__link **out, struct corm_error *error)
{
    char entry[32] = "connect";

    (void)for_writing, (void)deadline;
    if (endpoint->port != 0)
        (void)snprintf(entry, sizeof(entry), "connect:%u", endpoint->port);
    if (endpoint->port != 0 && endpoint->port == scripted.dead) {
        note(entry, true);
        return corm__fail_server(error, CORM_UNREACHABLE, 2003, "", "nobody is there");
    }
    int rc = meet(NULL, entry, error);
    if (rc < 0)
        return rc;
    struct scripted_link *link = calloc(1, sizeof(*link));
    link->base.driver = endpoint->driver;
    link->base.dialect = scripted.dialect;
    link->base.rollback_on_timeout = scripted.rollback_on_timeout;
    link->base.has_ledger = scripted.has_ledger;
    link->base.session.id = scripted.has_ledger ? (uint64_t)scripted.opened + 1 : 0;
    if (endpoint->port != 0)
        (void)snprintf(link->base.session.host, sizeof(link->base.session.host), ":%u",
                       endpoint->port);
    scripted.open++;
    scripted.opened++;
    *out = &link->base;
    return 0;
}

static void link_close(struct corm__link *link)
{
    note("close", false);
    scripted.open--;
    free(link);
}

static bool link_is_alive(struct corm__link *link)
{
    return !link->lost;
}

/* What a text has touched is closed. */
static bool link_begin_reset(struct corm__link *link)
{
    (void)link;
    return false;
}

static int link_enter(struct corm__link *link, const struct corm__mode *mode, int64_t deadline,
                      struct corm_error *error)
{
    scripted.enters_by = deadline;
    if (mode->trx == link->mode.trx && mode->isolation == link->mode.isolation &&
        mode->read_only == link->mode.read_only)
        return 0;
    int rc = meet(link, mode->trx ? "enter(trx)" : "enter()", error);
    if (rc < 0)
        link->lost = true;
    else
        link->mode = *mode;
    return rc < 0 ? rc : 1;
}

static int link_prepare(struct corm__link *link, const char *text, size_t size, int64_t deadline,
                        struct corm__prepared **out, struct corm_error *error)
{
    struct corm__prepared *p = calloc(1, sizeof(*p));

    (void)size, (void)deadline;
    name_statement(p->entry, text);
    p->asks_failed = strstr(text, "corm_at") != NULL && p->entry[0] != '[';
    const struct scripted_fault *f = planned("prepare");
    int                          rc = f != NULL ? suffer(link, "prepare", f, error) : 0;
    if (rc < 0)
        free(p);
    else
        *out = p;
    return rc;
}

static void link_finalize(struct corm__link *link, struct corm__prepared *p)
{
    (void)link;
    free(p);
}

static int give_rows(int64_t number, int count, struct corm__sink *sink, struct corm_error *error)
{
    struct corm_value        values[8];
    const struct corm_table *types = NULL;
    int                      rc = corm__sink_start(sink, &types, error);

    for (int i = 0; i < 8; i++)
        values[i] = (struct corm_value){.kind = CORM_V_INT, .as.i = number};
    for (int i = 0; rc == 0 && i < count; i++)
        rc = sink->row(sink, values, types != NULL ? types->column_count : 1, error);
    return rc;
}

/* What the server does; a COMMIT may be one of several. */
static void do_it(struct corm__link *link, const char *entry)
{
    bool ends = is_at(entry, "COMMIT") || strcmp(entry, "ROLLBACK") == 0;

    if (is_at(entry, "COMMIT")) {
        scripted.commits++;
        if (scripted.gtid != NULL)
            (void)snprintf(link->gtid, sizeof(link->gtid), "%s", scripted.gtid);
    }
    link->in_trx = link->mode.trx && !ends;
}

static int run(struct corm__link *link, const char *entry, struct corm_error *error)
{
    bool had_trx = link->in_trx;

    link->round_trips++;
    link->sent = true;
    int rc = meet(link, entry, error);
    if (rc == 0)
        do_it(link, entry);
    for (int i = 0; i < scripted.fault_count; i++)
        if (scripted.faults[i].ends_trx && is_at(entry, scripted.faults[i].at) &&
            scripted.met[i] == scripted.faults[i].nth)
            link->in_trx = false;
    if (rc < 0)
        link->in_trx = had_trx; /* an error says nothing */
    return rc;
}

/* The ledger's entry is the last that has values, in a trip or by itself. */
static void note_entry(const struct corm__statement *statement)
{
    if (strstr(statement->text, "corm_ledger (slot, epoch, sequence") != NULL &&
        statement->bind_count >= 3)
        scripted.entered = statement->binds[statement->bind_count - 1].as.i;
    if (strstr(statement->text, "corm_ledger (slot, epoch, sequence, made)") != NULL)
        scripted.entered_keys++;
}

static int link_end_session(struct corm__link *link, const struct corm__session *session,
                            int64_t deadline, struct corm_error *error)
{
    char entry[96];

    (void)deadline;
    (void)snprintf(entry, sizeof(entry), "kill%s", session->host);
    int rc = meet(link, entry, error);
    return rc < 0 ? rc : 1;
}

static int link_catch_up(struct corm__link *link, const char *gtids, uint32_t ms, int64_t deadline,
                         struct corm_error *error)
{
    char entry[96];

    (void)deadline;
    scripted.waited_ms = ms;
    link->round_trips++;
    (void)snprintf(entry, sizeof(entry), "catch_up(%.80s)", gtids != NULL ? gtids : "all");
    int rc = meet(link, entry, error);
    return rc < 0 ? rc : !scripted.lags;
}

static int link_execute(struct corm__link *link, struct corm__prepared *p,
                        const struct corm__statement *statement, struct corm__sink *sink,
                        int64_t deadline, struct corm__result *result, struct corm_error *error)
{
    (void)deadline;
    *result = (struct corm__result){0};
    note_entry(statement);
    if (p->asks_failed)
        return give_rows(((struct scripted_link *)link)->failed, 1, sink, error);
    int rc = run(link, p->entry, error);
    if (rc < 0)
        return rc;
    if (strncmp(statement->text, "SELECT sequence", 15) == 0)
        return give_rows(scripted.done ? scripted.entered : 0, 1, sink, error);
    if (strncmp(statement->text, "SELECT slot", 11) == 0)
        return give_rows(1, scripted.old_slots, sink, error);
    result->rows = scripted.rows;
    result->generated = 1;
    return statement->verb == CORM__READ ? give_rows(1, scripted.rows, sink, error) : 0;
}

static int link_execute_array(struct corm__link *link, struct corm__prepared *p,
                              const struct corm__array *array, struct corm__sink *sink,
                              int64_t deadline, struct corm_error *error)
{
    (void)deadline;
    int rc = run(link, p->entry, error);
    return rc < 0 || sink == NULL ? rc : give_rows(1, (int)array->rows, sink, error);
}

static int link_control(struct corm__link *link, const char *text, int64_t deadline,
                        struct corm_error *error)
{
    char entry[256];

    (void)deadline;
    name_statement(entry, text);
    if (strncmp(text, "ROLLBACK TO", 11) == 0)
        (void)snprintf(entry, sizeof(entry), "ROLLBACK_TO");
    return run(link, entry, error);
}

static const struct corm__server_error *find_error(int server_code)
{
    return corm__find_error(corm__mariadb_errors, server_code);
}

static struct corm__driver driver = {
    .name = "scripted",
    .connect = link_connect,
    .close = link_close,
    .is_alive = link_is_alive,
    .begin_reset = link_begin_reset,
    .enter = link_enter,
    .prepare = link_prepare,
    .finalize = link_finalize,
    .execute = link_execute,
    .execute_array = link_execute_array,
    .end_session = link_end_session,
    .catch_up = link_catch_up,
    .find_error = find_error,
    .control = link_control,
};

/* ---- For the tests --------------------------------------------------------------------- */

struct corm_db *scripted_open(uint32_t connections, enum corm_dialect dialect)
{
    struct corm_db   *db = calloc(1, sizeof(*db));
    struct corm_error error = {0};

    scripted = (struct scripted){.dialect = dialect, .rows = 1, .now = 1000000000};
    driver.has_trips = dialect != CORM_DIALECT_SQLITE;
    driver.locks_file = dialect == CORM_DIALECT_SQLITE;
    db->arena = corm_arena_new();
    if (!corm__nodes_make(&db->nodes, 1))
        abort();
    db->nodes.all->endpoint.driver = &driver;
    db->nodes.all->timeout_ms = 30000;
    db->nodes.all->resolve_ms = 1000;
    db->store = corm__trx_store_new(&db->nodes);
    int rc = corm__nodes_open(&db->nodes, connections, &error);
    assert(rc == 0);
    (void)rc;
    scripted_clear();
    return db;
}

struct corm_db *scripted_open_nodes(uint32_t count, bool is_galera)
{
    struct corm__condition condition = {
        .takes_writes = true, .is_galera = is_galera, .is_synced = is_galera, .cluster = "one"};
    struct corm_db   *db = calloc(1, sizeof(*db));
    struct corm_error error = {0};

    scripted = (struct scripted){
        .dialect = CORM_DIALECT_MARIADB, .rows = 1, .now = 1000000000, .has_ledger = true};
    driver.has_trips = true;
    driver.locks_file = false;
    db->arena = corm_arena_new();
    if (!corm__nodes_make(&db->nodes, count))
        abort();
    corm__nodes_prepare(&db->nodes);
    for (uint32_t i = 0; i < count; i++) {
        struct corm__node *node = &db->nodes.all[i];
        node->endpoint = (struct corm__endpoint){.driver = &driver, .port = (uint16_t)(i + 1)};
        node->timeout_ms = 30000;
        node->resolve_ms = 1000;
        node->dialect = CORM_DIALECT_MARIADB;
        if (corm__node_make_pools(node, 1, &error) < 0)
            abort();
        corm__nodes_judge(&db->nodes, node, 0, &condition, &error);
    }
    atomic_store(&db->nodes.watch.has_ledger, true);
    db->store = corm__trx_store_new(&db->nodes);
    return db;
}

struct corm_db *scripted_open_reader(void)
{
    struct corm_db *db = scripted_open_nodes(3, false);

    db->nodes.all[2].reader = true;
    db->nodes.writers = 2;
    db->nodes.lag_ms = 10000;
    return db;
}

void scripted_close(struct corm_db *db)
{
    corm_close(db);
    assert(scripted.open == 0 && "a link was not closed");
}

void scripted_plan(struct scripted_fault fault)
{
    assert(scripted.fault_count < SCRIPTED_FAULTS_MAX);
    scripted.met[scripted.fault_count] = 0;
    scripted.faults[scripted.fault_count++] = fault;
}

void scripted_clear(void)
{
    scripted.fault_count = 0;
    scripted.log[0] = '\0';
    scripted.log_size = 0;
    scripted.opened = scripted.commits = 0;
}
