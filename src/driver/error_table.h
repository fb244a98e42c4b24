/* driver/error_table.h -- the one table of failures: codes of servers, what they are called here, and
 * what is done about them by the place where they were met. */
#ifndef CORM_DRIVER_ERROR_TABLE_H
#define CORM_DRIVER_ERROR_TABLE_H

#include "base/error.h"

#include <corm/retry.h>

/* One code of a server. */
struct corm__server_error {
    int         server_code;
    const char *name;
    int         code;
    const char *verdicts; /* a letter for each place, as in error_table.c; NULL: those of `code` */
};

/* One code of corm's own. */
struct corm__own_error {
    int         code;
    const char *verdicts;
};

/* Each ends with a code of 0. An extended code of SQLite stands before the primary one. */
extern const struct corm__server_error corm__mariadb_errors[];
extern const struct corm__server_error corm__sqlite_errors[];
extern const struct corm__own_error    corm__own_errors[];

/* The row of a server's code, or NULL. */
const struct corm__server_error *corm__find_error(const struct corm__server_error *table,
                                                  int                              server_code);

/* What is to be done about `code`, of corm or of the application, at `place`; `row` is that of the
 * server's code that came with it, or NULL. */
enum corm_verdict corm__verdict(const struct corm__server_error *row, int code,
                                enum corm_place place);

/* The same, of a letter. */
enum corm_verdict corm__verdict_of(char letter);

#endif
