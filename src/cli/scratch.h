/* scratch.h -- the temporary folder of a race, and the signals that must not leave it behind. */
#ifndef CORM_CLI_SCRATCH_H
#define CORM_CLI_SCRATCH_H

/* Makes a fresh folder in $TMPDIR or /tmp and returns the path of a database in it, which is not
 * made yet; static. NULL when that is not possible: errno says why. Once in a process. */
const char *scratch_make(void);

/* Removes the folder with the database; nothing happens where there is none. */
void scratch_remove(void);

/* From now on the first SIGINT, SIGTERM or SIGHUP is remembered, and the program should wind up; the
 * second one removes the folder and ends the process at once. SIGPIPE is ignored: a reader that
 * went away shows as an error of stdout. */
void interrupt_catch(void);

/* The signal that asked the program to end, or 0. From any thread. */
int interrupt_signal(void);

#endif
