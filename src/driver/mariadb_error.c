/* driver/mariadb_error.c -- codes of MariaDB, MySQL and Connector/C.
 *
 * Sources: https://mariadb.com/kb/en/mariadb-error-code-reference/ and the client's errmsg.h. What is
 * not listed is CORM_SERVER_ERROR: the statement failed, the message says why. */
#include "driver/mariadb_error.h"

#include "driver/driver.h"

#include <stdio.h>
#include <string.h>

struct code {
    unsigned int server_code;
    int          code;
};

static const struct code codes[] = {
    /* statements */
    {1062, CORM_DUPLICATE},
    {1586, CORM_DUPLICATE},
    {1048, CORM_NULL_REFUSED},
    {1364, CORM_NULL_REFUSED},
    {1216, CORM_FOREIGN_KEY},
    {1217, CORM_FOREIGN_KEY},
    {1451, CORM_FOREIGN_KEY},
    {1452, CORM_FOREIGN_KEY},
    {4025, CORM_CHECK_FAILED},
    {3819, CORM_CHECK_FAILED}, /* MySQL */
    {1146, CORM_NO_TABLE},
    {1051, CORM_NO_TABLE},
    {1054, CORM_NO_COLUMN},
    {1064, CORM_SYNTAX},
    {1149, CORM_SYNTAX},
    {1065, CORM_SYNTAX},
    {1050, CORM_TABLE_EXISTS},
    {1406, CORM_TOO_LONG},
    {1264, CORM_OUT_OF_RANGE},
    {1690, CORM_OUT_OF_RANGE},
    {1292, CORM_BAD_VALUE},
    {1300, CORM_BAD_VALUE},
    {1366, CORM_BAD_VALUE},
    {1142, CORM_DENIED},
    {1143, CORM_DENIED},
    {1227, CORM_DENIED},
    {1290, CORM_READ_ONLY},
    {1792, CORM_READ_ONLY},
    {1836, CORM_READ_ONLY},
    {1153, CORM_TOO_LARGE},
    {1969, CORM_INTERRUPTED},
    {1317, CORM_INTERRUPTED},
    {3024, CORM_INTERRUPTED}, /* MySQL */
    {3572, CORM_LOCKED},      /* MySQL, NOWAIT */
    {1615, CORM__STALE_STATEMENT},
    {1243, CORM__STALE_STATEMENT},
    /* the transaction is gone */
    {1213, CORM_DEADLOCK},
    {1020, CORM_CONFLICT},
    {1205, CORM_LOCK_TIMEOUT},
    /* the connection is gone, or never came to be */
    {1927, CORM_DISCONNECTED},
    {1053, CORM_DISCONNECTED},
    {1158, CORM_DISCONNECTED},
    {1159, CORM_DISCONNECTED},
    {1160, CORM_DISCONNECTED},
    {1161, CORM_DISCONNECTED},
    {4031, CORM_DISCONNECTED}, /* MySQL, idle for too long */
    {2006, CORM_DISCONNECTED},
    {2013, CORM_DISCONNECTED},
    {2055, CORM_DISCONNECTED},
    {2014, CORM_DISCONNECTED}, /* out of sync: a defect of ours, the link is not to be trusted */
    {2027, CORM_DISCONNECTED}, /* a packet that makes no sense */
    {1156, CORM_DISCONNECTED},
    {2002, CORM_UNREACHABLE},
    {2003, CORM_UNREACHABLE},
    {2005, CORM_UNREACHABLE},
    {1130, CORM_ACCESS_DENIED},
    {1044, CORM_ACCESS_DENIED},
    {1045, CORM_ACCESS_DENIED},
    {1251, CORM_ACCESS_DENIED},
    {1698, CORM_ACCESS_DENIED},
    {2059, CORM_ACCESS_DENIED},
    {1049, CORM_NO_DATABASE},
    {1040, CORM_TOO_MANY_CONNECTIONS},
    {1203, CORM_TOO_MANY_CONNECTIONS},
    {1226, CORM_TOO_MANY_CONNECTIONS},
    {2026, CORM_TLS_FAILED},
    {2008, CORM_NO_MEMORY},
};

bool corm__mariadb_lost(unsigned int server_code)
{
    static const unsigned int lost[] = {1053, 1153, 1156, 1158, 1159, 1160, 1161, 1927, 4031};

    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
        if (lost[i] == server_code)
            return true;
    return server_code == 2006 || server_code == 2013 || server_code == 2014 ||
           server_code == 2027 || server_code == 2055;
}

int corm__mariadb_code(unsigned int server_code, bool is_open)
{
    int code = CORM_SERVER_ERROR;

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].server_code == server_code)
            code = codes[i].code;
    if (!is_open || corm__mariadb_lost(server_code) || code > CORM_CONNECTION_GONE ||
        code == CORM__STALE_STATEMENT)
        return code;
    return code == CORM_ACCESS_DENIED ? CORM_DENIED : CORM_SERVER_ERROR;
}

/* Messages that show names of tables, columns and keys, but no value of a row. */
static bool is_harmless(unsigned int server_code)
{
    static const unsigned int harmless[] = {
        1020, 1040, 1044, 1045, 1048, 1049, 1050, 1051, 1053, 1054, 1130, 1142, 1143, 1146,
        1205, 1213, 1227, 1264, 1290, 1317, 1364, 1406, 1451, 1452, 1792, 1836, 1969, 4025};

    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (harmless[i] == server_code)
            return true;
    return server_code >= 2000 && server_code < 3000; /* the client library's own */
}

void corm__mariadb_redact(unsigned int server_code, const char *message, char *text, size_t size)
{
    static const char for_key[] = "' for key ";
    const char       *key = NULL;

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
