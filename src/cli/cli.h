/* cli.h -- what the verbs of the command `corm` share: their exit codes and their entry points.
 *
 * A verb gets its own argc and argv, with "corm VERB" as argv[0], and returns the exit code. Results
 * go to stdout; everything else, progress and complaints, to stderr. */
#ifndef CORM_CLI_H
#define CORM_CLI_H

enum cli_exit {
    CLI_FINE = 0,
    CLI_BROKEN = 1,   /* the invariant does not hold, or a purchase failed; a promise is untrue */
    CLI_USAGE = 2,    /* the command line is wrong */
    CLI_DATABASE = 3, /* the database could not be reached or used, or the machine ran out */
    CLI_WARNING = 4,  /* the doctor found warnings, and no error */
    CLI_SIGNAL = 128  /* plus the signal's number, as shells have it */
};

/* A word of the command line as a message may show it: a URL may hold a password, so it does not. */
const char *cli_shown(const char *word);

int race_main(int argc, const char **argv);
int doctor_main(int argc, const char **argv);
int setup_main(int argc, const char **argv);

/* Prints the help of `corm race` on stdout. */
void race_help(void);

/* The same of `corm doctor` and `corm setup`. */
void doctor_help(void);
void setup_help(void);

#endif
