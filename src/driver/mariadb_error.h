/* driver/mariadb_error.h -- codes of MariaDB, MySQL and Connector/C. */
#ifndef CORM_DRIVER_MARIADB_ERROR_H
#define CORM_DRIVER_MARIADB_ERROR_H

#include "base/error.h"

/* corm's code for an errno of the server or the client library. On a link that is open, what refuses
 * a connection elsewhere refuses a statement only. */
int corm__mariadb_code(unsigned int server_code, bool is_open);

/* Whether the link is gone after it. */
bool corm__mariadb_lost(unsigned int server_code);

/* A text that a server has sent, made fit to be shown: `?` for control characters and for what is no
 * UTF-8. */
void corm__mariadb_plain(char *text);

/* The server's message without the values of rows that it may show, and plain, in `text`. */
void corm__mariadb_redact(unsigned int server_code, const char *message, char *text, size_t size);

#endif
