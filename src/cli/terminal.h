/* terminal.h -- what is known of the terminal behind a descriptor. */
#ifndef CORM_CLI_TERMINAL_H
#define CORM_CLI_TERMINAL_H

#include <stdbool.h>

/* Whether a person may be watching. */
bool terminal_is(int fd);

/* Whether colours are wanted there: a terminal that has them, and NO_COLOR is not set (https://no-color.org). */
bool terminal_wants_colour(int fd);

/* Its columns; 80 where they are not known. */
int terminal_width(int fd);

#endif
