/* main.c -- the command `corm`: finds the verb and hands it the rest of the line.
 *
 * What a verb printed counts only if it arrived: when stdout could not be written the command fails,
 * whatever the verb returned. */
#include "cli.h"

#include <corm/corm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *cli_shown(const char *word)
{
    return strpbrk(word, ":@") != NULL ? "(a URL)" : word;
}

static void help(FILE *out)
{
    fputs("usage: corm VERB [OPTION...]\n"
          "\n"
          "  race       hundreds of buyers race for one product, and the proof that all were told\n"
          "             the truth; needs no server\n"
          "  doctor     says which settings of a server, or a file, make promises of corm untrue\n"
          "  setup      makes corm's own table in a database, by which it knows what became of a\n"
          "             COMMIT whose answer was lost\n"
          "  help       print this; corm help race, or corm race --help, tells about the race\n"
          "  version    print the version of the library\n"
          "\n"
          "Exit codes:\n"
          "  0    all is well\n"
          "  1    the invariant of the race is broken, or a purchase failed (neither counts for\n"
          "       the mode naive, which is there to show it), or the doctor found an error, or\n"
          "       stdout or the report could not be written\n"
          "  2    wrong use: the command line, a URL that cannot be read, or a report in a place\n"
          "       where nothing can be written\n"
          "  3    the database could not be reached or used, or memory or threads ran out\n"
          "  4    the doctor found warnings, and no error\n"
          "  128+N  ended by signal N; 130 is Ctrl-C\n",
          out);
}

static int help_main(int argc, const char **argv)
{
    if (argc == 1) {
        help(stdout);
        return CLI_FINE;
    }
    if (argc == 2 && strcmp(argv[1], "race") == 0) {
        race_help();
        return CLI_FINE;
    }
    if (argc == 2 && strcmp(argv[1], "doctor") == 0) {
        doctor_help();
        return CLI_FINE;
    }
    if (argc == 2 && strcmp(argv[1], "setup") == 0) {
        setup_help();
        return CLI_FINE;
    }
    fprintf(
        stderr,
        "corm help: there is no help on '%s'; try: corm help, corm help race, corm help doctor, "
        "corm help setup\n",
        cli_shown(argv[argc - 1]));
    return CLI_USAGE;
}

static int version_main(int argc, const char **argv)
{
    if (argc > 1) {
        fprintf(stderr, "corm version: takes nothing behind it, but there is '%s'\n",
                cli_shown(argv[1]));
        return CLI_USAGE;
    }
    printf("corm %s\n", corm_version());
    return CLI_FINE;
}

static const struct verb {
    const char *name;
    const char *title; /* argv[0] of the verb, and the start of its messages */
    int (*run)(int argc, const char **argv);
} verbs[] = {
    {"race", "corm race", race_main},          {"doctor", "corm doctor", doctor_main},
    {"setup", "corm setup", setup_main},       {"help", "corm help", help_main},
    {"--help", "corm help", help_main},        {"-h", "corm help", help_main},
    {"version", "corm version", version_main}, {"--version", "corm version", version_main},
};

static int run_verb(int argc, const char **argv)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(argv[0], verbs[i].name) == 0) {
            argv[0] = verbs[i].title;
            return verbs[i].run(argc, argv);
        }
    }
    fprintf(stderr,
            "corm: there is no verb '%s'; there are race, doctor, setup, help and version\n",
            cli_shown(argv[0]));
    return CLI_USAGE;
}

/* The same words, for functions that take const char **, as popt does; NULL when memory is short. */
static const char **words_of(int argc, char **argv)
{
    const char **words = calloc((size_t)argc + 2, sizeof *words);

    for (int i = 0; words != NULL && i < argc; i++)
        words[i] = argv[i];
    return words;
}

int main(int argc, char **argv)
{
    const char **words = words_of(argc, argv);
    int          code;

    if (words == NULL) {
        fprintf(stderr, "corm: out of memory\n");
        return CLI_DATABASE;
    }
    if (argc < 2) {
        help(stdout);
        code = CLI_FINE;
    } else {
        code = run_verb(argc - 1, words + 1);
    }
    free(words);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr,
                "corm: stdout could not be written: its reader is gone, or a disk is full\n");
        return code == CLI_FINE ? CLI_BROKEN : code;
    }
    return code;
}
