/* setup.c -- the verb `corm setup`: makes the table that corm keeps for itself in a database. */
#include "cli.h"

#include <corm/corm.h>

#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    char *url;
    int   json, help;
} given; /* on the command line */

static const struct poptOption option_table[] = {
    {"url", '\0', POPT_ARG_STRING, &given.url, 0,
     "the database; env: DATABASE_URL, else DB_DRIVER and so on", "URL"},
    {"json", '\0', POPT_ARG_NONE, &given.json, 0, "print one JSON object", NULL},
    {"help", 'h', POPT_ARG_NONE, &given.help, 0, "print this", NULL},
    POPT_TABLEEND,
};

static poptContext context_of(int argc, const char **argv)
{
    return poptGetContext(NULL, argc, argv, option_table, 0);
}

void setup_help(void)
{
    static const char *argv[] = {"corm setup", NULL};
    poptContext        context = context_of(1, argv);

    poptSetOtherOptionHelp(context, "--url URL [--json]");
    poptPrintHelp(context, stdout, 0);
    puts(
        "\nMakes the table corm_ledger where it is not there, and tries it. With it corm knows what\n"
        "became of a COMMIT whose answer was lost. Harmless to repeat; on SQLite there is nothing to\n"
        "do. A password in --url can be seen by other users of this machine; one in DATABASE_URL\n"
        "with --url env cannot.");
    poptFreeContext(context);
}

static int read_line(poptContext context)
{
    int rc = poptGetNextOpt(context);

    if (rc < -1) {
        fprintf(stderr, "corm setup: %s: %s; try corm help setup\n",
                cli_shown(poptBadOption(context, POPT_BADOPTION_NOALIAS)), poptStrerror(rc));
        return CLI_USAGE;
    }
    if (given.help)
        return CLI_FINE;
    if (poptPeekArg(context) != NULL) {
        fprintf(stderr, "corm setup: takes options only, but there is '%s'; try corm help setup\n",
                cli_shown(poptPeekArg(context)));
        return CLI_USAGE;
    }
    if (given.url == NULL) {
        fprintf(stderr, "corm setup: which database? pass --url; try corm help setup\n");
        return CLI_USAGE;
    }
    return CLI_FINE;
}

static int complain(const char *doing, int rc, const struct corm_error *error)
{
    fprintf(stderr, "corm setup: %s: %s\n", doing, error->message);
    return rc == CORM_BAD_URL ? CLI_USAGE : CLI_DATABASE;
}

static int set_up(void)
{
    struct corm_error error = {0};
    struct corm_db   *db = NULL;
    int rc = corm_open(&db, strcmp(given.url, "env") == 0 ? NULL : given.url, .error = &error);

    if (rc < 0)
        return complain("opening the database", rc, &error);
    bool file = corm_dialect_of(db) == CORM_DIALECT_SQLITE;
    rc = corm_setup(db, &error);
    corm_close(db);
    if (rc < 0)
        return complain("making the table corm_ledger", rc, &error);
    if (given.json)
        printf("{\"ledger\": %s}\n", file ? "\"not needed\"" : "\"ready\"");
    else
        puts(file ? "SQLite needs no ledger." : "The ledger is ready.");
    return CLI_FINE;
}

int setup_main(int argc, const char **argv)
{
    poptContext context = context_of(argc, argv);
    int         code = context != NULL ? read_line(context) : CLI_DATABASE;

    poptFreeContext(context);
    if (code == CLI_FINE && given.help)
        setup_help();
    else if (code == CLI_FINE)
        code = set_up();
    free(given.url);
    return code;
}
