/* driver/mariadb_error.c -- codes and messages of MariaDB, MySQL and Connector/C. What the codes mean
 * stands in error_table.c. */
#include "driver/mariadb_error.h"

#include "driver/driver.h"
#include "schema/text.h"

#include <stdio.h>
#include <string.h>

bool corm__mariadb_lost(unsigned int server_code)
{
    enum { PACKET_TOO_LARGE = 1153, ANSWER_TOO_LARGE = 2020, TLS_FAILED = 2026 };
    const struct corm__server_error *row = corm__find_error(corm__mariadb_errors, (int)server_code);

    return server_code == PACKET_TOO_LARGE || server_code == ANSWER_TOO_LARGE ||
           server_code == TLS_FAILED ||
           (row != NULL && (row->code == CORM_DISCONNECTED || row->code == CORM_NOT_READY));
}

int corm__mariadb_code(unsigned int server_code, bool is_open)
{
    const struct corm__server_error *row = corm__find_error(corm__mariadb_errors, (int)server_code);
    int                              code = row != NULL ? row->code : CORM_SERVER_ERROR;

    if (!is_open || code > CORM_CONNECTION_GONE || code == CORM__STALE_STATEMENT ||
        code == CORM__STATEMENTS_FULL)
        return code;
    if (corm__mariadb_lost(server_code))
        return code == CORM_NOT_READY ? code : CORM_DISCONNECTED;
    return code == CORM_ACCESS_DENIED ? CORM_DENIED : CORM_SERVER_ERROR;
}

/* Messages that show names of tables, columns and keys, but no value of a row. */
static bool is_harmless(unsigned int server_code)
{
    static const unsigned int harmless[] = {
        1020, 1040, 1044, 1045, 1048, 1049, 1050, 1051, 1053, 1054, 1130, 1142, 1143, 1146, 1205,
        1213, 1227, 1264, 1265, 1290, 1317, 1364, 1406, 1451, 1452, 1461, 1792, 1836, 1969, 4025};

    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (harmless[i] == server_code)
            return true;
    return (server_code >= 2000 && server_code < 3000) || /* the client library's own */
           (server_code >= 5000 && server_code < 6000);
}

/* Instead of messages that show a value without quotes, or whatever somebody has written; or NULL. */
static const char *instead_of(unsigned int server_code)
{
    enum { NO_PARTITION_FOR_VALUE = 1526, SIGNAL = 1644 };

    switch (server_code) {
    case NO_PARTITION_FOR_VALUE: return "the table has no partition for the value";
    case SIGNAL: return "a trigger or a procedure refused it, in words that may show a value";
    default: return NULL;
    }
}

void corm__mariadb_plain(char *text)
{
    size_t size = strlen(text), characters;
    bool   is_utf8 = corm__is_utf8(text, size, &characters);

    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c == 0x7F || (c > 0x7F && !is_utf8))
            text[i] = '?';
    }
}

static void redact(unsigned int server_code, const char *message, char *text, size_t size)
{
    static const char for_key[] = "' for key ";
    const char       *key = NULL;

    if (instead_of(server_code) != NULL) {
        (void)snprintf(text, size, "%s", instead_of(server_code));
        return;
    }

    if (is_harmless(server_code)) {
        (void)snprintf(text, size, "%s", message);
        corm__cut_utf8(text, size);
        return;
    }
    if (server_code == 1062 || server_code == 1586) { /* "Duplicate entry '...' for key 'name'" */
        for (const char *p = message; (p = strstr(p, for_key)) != NULL; p++)
            key = p + strlen(for_key);
        (void)snprintf(text, size, "a duplicate for key %s", key != NULL ? key : "'?'");
        corm__cut_utf8(text, size);
        return;
    }
    /* Anything else may quote a value: from the first quote to the last one nothing is shown. */
    const char *first = strpbrk(message, "'\""), *last = message + strlen(message);
    while (first != NULL && last > first && *last != '\'' && *last != '"')
        last--;
    if (first == NULL || last == first)
        (void)snprintf(text, size, "%s", first == NULL ? message : "a message that shows a value");
    else
        (void)snprintf(text, size, "%.*s'...'%s", (int)(first - message), message, last + 1);
    corm__cut_utf8(text, size);
}

void corm__mariadb_redact(unsigned int server_code, const char *message, char *text, size_t size)
{
    redact(server_code, message, text, size);
    corm__mariadb_plain(text);
}
