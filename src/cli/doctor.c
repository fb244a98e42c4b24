/* doctor.c -- the verb `corm doctor`: its command line and its exit code. */
#include "doctor.h"

#include "cli.h"

#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    int         errors, json, help;
    const char *url; /* NULL: the environment */
} given;             /* on the command line */

static poptContext context_of(int argc, const char **argv)
{
    static const struct poptOption table[] = {
        {"json", '\0', POPT_ARG_NONE, &given.json, 0, "print one JSON object", NULL},
        {"errors", '\0', POPT_ARG_NONE, &given.errors, 0,
         "ask no server: print what corm does about each failure, by the place where it was met",
         NULL},
        {"help", 'h', POPT_ARG_NONE, &given.help, 0, "print this", NULL},
        POPT_TABLEEND,
    };

    return poptGetContext(NULL, argc, argv, table, 0);
}

void doctor_help(void)
{
    static const char *argv[] = {"corm doctor", NULL};
    poptContext        context = context_of(1, argv);

    printf(
        "Connects and says which settings of the server make promises of corm untrue, what each\n"
        "means, and the cure. Changes nothing and takes no lock.\n"
        "\n");
    poptSetOtherOptionHelp(context, "[URL] [--json]   or   corm doctor --errors [--json]");
    poptPrintHelp(context, stdout, 0);
    poptFreeContext(context);
    printf(
        "\n"
        "URL is as mariadb://user:password@host:3306/shop or sqlite:shop.db. Without it\n"
        "DATABASE_URL or DB_* of the environment are used: a password on the command line can be\n"
        "seen by other users of this machine.\n"
        "\n"
        "A finding is an error where a promise is untrue, a warning where it holds in fewer cases\n"
        "than it could, a note, or ok; ok, too, where corm itself sees to it in its sessions.\n"
        "\n"
        "Of several nodes each is asked; what is true of all of them is one finding.\n"
        "\n"
        "With --json the object has the keys server version nodes worst errors warnings notes ok\n"
        "and findings, a list with check node severity protected_by_corm found means cure.\n"
        "\n"
        "Exit codes: 0 nothing worse than notes, 1 an error (or stdout could not be written),\n"
        "2 wrong use, 3 the database could not be reached or read, 4 a warning and no error.\n");
}

static int read_line(poptContext context)
{
    int rc = poptGetNextOpt(context);

    if (rc < -1) {
        fprintf(stderr, "corm doctor: %s: %s; try corm help doctor\n",
                cli_shown(poptBadOption(context, POPT_BADOPTION_NOALIAS)), poptStrerror(rc));
        return CLI_USAGE;
    }
    if (given.help)
        return CLI_FINE;
    given.url = poptGetArg(context);
    if (poptPeekArg(context) != NULL || (given.errors && given.url != NULL)) {
        fprintf(stderr,
                "corm doctor: takes one URL, and with --errors none, but there is '%s'; try corm "
                "help doctor\n",
                cli_shown(poptPeekArg(context) != NULL ? poptPeekArg(context) : given.url));
        return CLI_USAGE;
    }
    return CLI_FINE;
}

/* ---- The examination ------------------------------------------------------------- */

static int no_memory(void)
{
    fprintf(stderr, "corm doctor: out of memory\n");
    return CLI_DATABASE;
}

static int code_of(const struct doctor_finding *findings, size_t count)
{
    int worst = DOCTOR_OK;

    for (size_t i = 0; i < count; i++)
        worst = (int)findings[i].severity > worst ? (int)findings[i].severity : worst;
    return worst == DOCTOR_ERROR ? CLI_BROKEN : worst == DOCTOR_WARNING ? CLI_WARNING : CLI_FINE;
}

/* What was refused before a question could be asked is no finding. */
static bool is_fatal(const struct doctor_facts *facts, int rc)
{
    return rc <= CORM_CONNECTION_GONE || rc == CORM_NO_MEMORY || facts->question == NULL;
}

static int examine(struct corm_arena *arena)
{
    struct doctor_facts   *facts = corm_arena_alloc(arena, DOCTOR_NODES * sizeof *facts);
    struct doctor_finding *findings =
        corm_arena_alloc(arena, (size_t)DOCTOR_NODES * DOCTOR_FINDINGS * sizeof *findings);

    if (facts == NULL || findings == NULL)
        return no_memory();
    int rc = doctor_ask(arena, given.url, facts);
    if (rc < 0 && is_fatal(facts, rc)) {
        fprintf(stderr, "corm doctor: %s%s%s: %s\n", facts->question != NULL ? facts->question : "",
                facts->question != NULL ? ": " : "", corm_code_name(rc), facts->error.message);
        return rc == CORM_BAD_URL ? CLI_USAGE : CLI_DATABASE;
    }
    size_t nodes = rc > 0 ? (size_t)rc : 1;
    size_t count = doctor_judge_all(facts, nodes, findings);
    if (!given.json)
        doctor_report(facts, nodes, findings, count);
    else if (!doctor_report_as_json(facts, nodes, findings, count))
        return no_memory();
    return code_of(findings, count);
}

static int print_failures(void)
{
    if (!given.json)
        doctor_print_errors();
    else if (!doctor_print_errors_as_json())
        return no_memory();
    return CLI_FINE;
}

int doctor_main(int argc, const char **argv)
{
    poptContext        context = context_of(argc, argv);
    struct corm_arena *arena = corm_arena_new();
    int                code = context != NULL && arena != NULL ? read_line(context) : no_memory();

    if (code == CLI_FINE && given.help)
        doctor_help();
    else if (code == CLI_FINE)
        code = given.errors ? print_failures() : examine(arena);
    corm_arena_free(arena);
    poptFreeContext(context); /* the URL is its own */
    return code;
}
