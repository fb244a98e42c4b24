/* race.c -- the verb `race`: one mode after the other, and the exit code.
 *
 * Whatever happens on the way, the database is closed and the temporary folder removed before the
 * verb returns. */
#include "race_tally.h"

#include "cli.h"
#include "scratch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The database --------------------------------------------------------- */

/* The statement hook of --verbose. One call of fprintf() is one line, whoever else prints. */
static void show_statement(const struct corm_event *event, void *arg)
{
    double ms = (double)event->nanoseconds / 1e6;

    (void)arg;
    if (event->code < 0)
        fprintf(stderr, "connection %u, attempt %u, %.3f ms, failed with %d (server %d): %s\n",
                event->connection, event->attempt, ms, event->code, event->server_code,
                event->text);
    else
        fprintf(stderr, "connection %u, attempt %u, %.3f ms, rows %lld: %s\n", event->connection,
                event->attempt, ms, (long long)event->rows, event->text);
}

static bool is_plain(char c)
{
    return c != '\0' &&
           strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", c) != NULL;
}

/* "sqlite:" and the path, with whatever might mean something in a URL written as %XX. */
static char *url_of_file(const char *path, int32_t connections)
{
    size_t size = sizeof "sqlite:?pool=1000" + 3 * strlen(path);
    char  *url = malloc(size);
    size_t n = 0;

    if (url == NULL)
        return NULL;
    n += (size_t)snprintf(url, size, "sqlite:");
    for (; *path != '\0'; path++)
        n += (size_t)snprintf(url + n, size - n, is_plain(*path) ? "%c" : "%%%02X",
                              (unsigned char)*path);
    if (connections > 0)
        snprintf(url + n, size - n, "?pool=%" PRId32, connections);
    return url;
}

/* Sets options->url to a database in a fresh temporary folder. */
static int make_scratch(struct race_options *options)
{
    const char *path = scratch_make();

    if (path == NULL) {
        fprintf(stderr,
                "corm race: no temporary folder could be made: %s; set TMPDIR to a folder that"
                " can be written, or pass --url\n",
                strerror(errno));
        return CLI_DATABASE;
    }
    options->url = url_of_file(path, options->connections);
    if (options->url != NULL)
        return CLI_FINE;
    fprintf(stderr, "corm race: out of memory\n");
    return CLI_DATABASE;
}

static int open_database(const struct race_options *options, struct corm_db **db)
{
    struct corm_error error = {0};
    int               rc;

    rc = corm_open(db, options->url, .on_statement = options->verbose ? show_statement : NULL,
                   .error = &error);
    if (rc >= 0)
        return CLI_FINE;
    race_complain("opening the database", &error);
    return rc == CORM_BAD_URL ? CLI_USAGE : CLI_DATABASE;
}

/* The tables are about to be dropped: unless --replace says so, only if they were made for this. */
static int spare_others(struct corm_db *db, const struct race_options *options)
{
    struct corm_error error = {0};
    int               rc;

    if (options->replace)
        return CLI_FINE;
    rc = race_tables_are_foreign(db, &error);
    if (rc == 0)
        return CLI_FINE;
    if (rc < 0) {
        race_complain("looking at the tables product and order", &error);
        return CLI_DATABASE;
    }
    fprintf(stderr, "corm race: this database has tables product and order with rows that no race"
                    " put there, and the race would drop them; use another database, or pass"
                    " --replace if they may go\n");
    return CLI_USAGE;
}

/* ---- Running -------------------------------------------------------------- */

/* Lets all buyers buy, and fills all of *result but the proof. */
static int buy(struct corm_db *db, const struct race_options *options, const struct race_mode *mode,
               const int32_t *ids, struct race_result *result)
{
    struct race_tally tally;
    int               rc;

    if (race_tally_init(&tally, db, options, mode, result) < 0) {
        fprintf(stderr, "corm race: out of memory; lower --purchases\n");
        return -1;
    }
    rc = mode->submit != NULL ? race_by_submitting(&tally, ids) : race_by_threads(&tally, ids);
    race_tally_free(&tally);
    return rc;
}

static int run_mode(struct corm_db *db, const struct race_options *options,
                    const struct race_mode *mode, int32_t *ids, struct race_page *page)
{
    struct corm_error  error = {0};
    struct race_result result;
    struct race_nodes  before;

    if (race_tables_make(db, options, mode, ids, &error) < 0) {
        race_complain("making the tables product and order", &error);
        return CLI_DATABASE;
    }
    if (race_nodes_read(db, options->nodes, &before, &error) < 0) {
        race_complain("asking the nodes", &error);
        return CLI_DATABASE;
    }
    if (buy(db, options, mode, ids, &result) < 0)
        return CLI_DATABASE;
    result.nodes_before = before;
    race_report_failures(&result);
    if (interrupt_signal() != 0)
        return CLI_FINE;
    if (race_nodes_read(db, options->nodes, &result.nodes_after, &error) < 0) {
        race_complain("asking the nodes", &error);
        return CLI_DATABASE;
    }
    if (race_proof_read(db, options, &result.proof, &error) < 0) {
        race_complain("reading the proof", &error);
        return CLI_DATABASE;
    }
    race_report_result(options, corm_dialect_of(db), &result);
    race_page_add(page, &result);
    if (mode->strict && (result.failed > 0 || !race_invariant(&result)))
        return CLI_BROKEN;
    return CLI_FINE;
}

/* A mode that is broken does not keep the next one from showing what it can. */
static int run_modes(struct corm_db *db, const struct race_options *options, int32_t *ids,
                     struct race_page *page)
{
    int code = CLI_FINE;

    for (unsigned i = 0; i < RACE_MODE_COUNT; i++) {
        int now;
        if ((options->modes & 1U << i) == 0)
            continue;
        now = run_mode(db, options, &race_modes[i], ids, page);
        if (interrupt_signal() != 0 || now == CLI_DATABASE || ferror(stdout))
            return now; /* nobody would see the rest */
        if (now != CLI_FINE)
            code = now;
    }
    return code;
}

static int race(struct corm_db *db, const struct race_options *options, struct race_page *page)
{
    struct corm_error error = {0};
    int32_t          *ids;
    int               connections;
    int               code = spare_others(db, options);

    if (code != CLI_FINE)
        return code;
    connections = corm_connect_all(db, &error);
    if (connections < 0) {
        race_complain("opening the connections", &error);
        return CLI_DATABASE;
    }
    ids = calloc((size_t)options->products, sizeof *ids);
    if (ids == NULL) {
        fprintf(stderr, "corm race: out of memory; lower --products\n");
        return CLI_DATABASE;
    }
    race_report_start(options, corm_dialect_of(db), connections);
    race_page_about(page, corm_dialect_of(db), connections);
    code = run_modes(db, options, ids, page);
    free(ids);
    return code;
}

/* ---- The page --------------------------------------------------------------- */

static int begin_page(const struct race_options *options, struct race_page **page)
{
    if (race_page_begin(options, page))
        return CLI_FINE;
    fprintf(stderr, "corm race: --report: '%s' cannot be written: %s\n", cli_shown(options->report),
            strerror(errno));
    return CLI_USAGE;
}

/* A race that could not be run, or was called off, leaves no page. */
static int end_page(const struct race_options *options, struct race_page *page, int code)
{
    if (code == CLI_FINE || code == CLI_BROKEN) {
        if (interrupt_signal() == 0 && !race_page_end(page)) {
            fprintf(stderr, "corm race: --report: '%s' could not be written: %s\n",
                    cli_shown(options->report), strerror(errno));
            code = CLI_BROKEN;
        }
    }
    race_page_free(page);
    return code;
}

int race_main(int argc, const char **argv)
{
    struct race_options options;
    struct race_page   *page = NULL;
    struct corm_db     *db = NULL;
    int                 code = race_options_read(&options, argc, argv);

    if (code >= 0)
        return code;
    interrupt_catch();
    code = begin_page(&options, &page);
    if (code == CLI_FINE && options.scratch)
        code = make_scratch(&options);
    options.nodes = race_nodes_count(options.url);
    if (code == CLI_FINE)
        code = open_database(&options, &db);
    if (code == CLI_FINE)
        code = race(db, &options, page);
    code = end_page(&options, page, code);
    corm_close(db);
    scratch_remove();
    race_options_free(&options);
    if (interrupt_signal() == 0)
        return code;
    fprintf(stderr, "corm race: interrupted\n");
    return CLI_SIGNAL + interrupt_signal();
}
