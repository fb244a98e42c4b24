/* driver/error_table.c -- the one table of failures: codes of servers, what they are called here, and
 * what is done about them by the place where they were met.
 *
 * A string of verdicts has a letter for each place, in the order of enum corm_place: connect, first,
 * middle, flush, commit, rollback.
 *
 *     A   run again                E   run again elsewhere       R   resolve
 *     F   the function's own       C   the caller's own          X   fatal
 *
 * At commit R is said of what may have happened after COMMIT was sent; where it was not sent the
 * place is flush (trx.c). At rollback there is nothing to decide: the connection is thrown away.
 *
 * Sources: https://mariadb.com/kb/en/mariadb-error-code-reference/, the client's errmsg.h and
 * https://www.sqlite.org/rescode.html. A code that is not listed is CORM_SERVER_ERROR: the statement
 * failed, its message says why. */
#include "driver/error_table.h"

#include "driver/driver.h"

#include <assert.h>
#include <sqlite3.h>
#include <string.h>

/* clang-format off */
const struct corm__own_error corm__own_errors[] = {
    {CORM_MISUSE, "CFFFCX"},
    {CORM_NO_MEMORY, "CFFFRX"},
    {CORM_BAD_URL, "CCCCCX"},
    {CORM_BAD_VALUE, "CFFFCX"},
    {CORM_TOO_LONG, "CFFFCX"},
    {CORM_OUT_OF_RANGE, "CFFFCX"},
    {CORM_DUPLICATE, "CFFFCX"},
    {CORM_NULL_REFUSED, "CFFFCX"},
    {CORM_FOREIGN_KEY, "CFFFCX"},
    {CORM_CHECK_FAILED, "CFFFCX"},
    {CORM_NO_TABLE, "CFFFCX"},
    {CORM_NO_COLUMN, "CFFFCX"},
    {CORM_SYNTAX, "CFFFCX"},
    {CORM_LOCKED, "CFFFCX"},
    {CORM_UNSUPPORTED, "CFFFCX"},
    {CORM_READ_ONLY, "CFFFCX"},
    {CORM_TIMEOUT, "CCCCCX"},
    {CORM_TRX_CLOSED, "CFFFCX"},
    {CORM_TABLE_EXISTS, "CFFFCX"},
    {CORM_DENIED, "CFFFCX"},
    {CORM_TOO_LARGE, "CFFFCX"},
    {CORM_INTERRUPTED, "CFFFRX"},
    {CORM_STALE, "AAAAAX"},
    {CORM_NESTED, "CFFFCX"},
    {CORM_WOULD_BLOCK, "CFFFCX"},
    {CORM_BUSY, "CCCCCX"},
    {CORM_CANCELLED, "CCCCCX"},
    {CORM_NO_TICKET, "CCCCCX"},
    {CORM_SERVER_ERROR, "CFFFCX"},
    {CORM_DEADLOCK, "AAAAAX"},
    {CORM_CONFLICT, "AAAAAX"},
    {CORM_LOCK_TIMEOUT, "AAAAAX"},
    {CORM_TRX_LOST, "XXXXXX"},
    {CORM_DISCONNECTED, "AAAARX"},
    {CORM_UNREACHABLE, "AAAAAX"},
    {CORM_ACCESS_DENIED, "CCCCCX"},
    {CORM_NO_DATABASE, "CCCCCX"},
    {CORM_TOO_MANY_CONNECTIONS, "AAAAAX"},
    {CORM_TLS_FAILED, "CCCCCX"},
    {CORM_NOT_A_DATABASE, "CXXXXX"},
    {CORM_NOT_READY, "AAAARX"},
    {CORM_DEADLINE, "CXXXRX"},
    {CORM_FORKED, "CXXXXX"},
    {CORM_UNKNOWN, "RRRRRX"},
    {0, NULL},
};

/* MySQL's are those above 3000, and 4031. */
const struct corm__server_error corm__mariadb_errors[] = {
    /* a unique key */
    {1022, "ER_DUP_KEY", CORM_DUPLICATE, NULL},
    {1062, "ER_DUP_ENTRY", CORM_DUPLICATE, NULL},
    {1169, "ER_DUP_UNIQUE", CORM_DUPLICATE, NULL},
    {1586, "ER_DUP_ENTRY_WITH_KEY_NAME", CORM_DUPLICATE, NULL},
    {1761, "ER_FOREIGN_DUPLICATE_KEY_WITH_CHILD_INFO", CORM_DUPLICATE, NULL},
    {1762, "ER_FOREIGN_DUPLICATE_KEY_WITHOUT_CHILD_INFO", CORM_DUPLICATE, NULL},
    {1859, "ER_DUP_UNKNOWN_IN_INDEX", CORM_DUPLICATE, NULL},
    /* a value */
    {1048, "ER_BAD_NULL_ERROR", CORM_NULL_REFUSED, NULL},
    {1364, "ER_NO_DEFAULT_FOR_FIELD", CORM_NULL_REFUSED, NULL},
    {1406, "ER_DATA_TOO_LONG", CORM_TOO_LONG, NULL},
    {1264, "ER_WARN_DATA_OUT_OF_RANGE", CORM_OUT_OF_RANGE, NULL},
    {1441, "ER_DATETIME_FUNCTION_OVERFLOW", CORM_OUT_OF_RANGE, NULL},
    {1690, "ER_DATA_OUT_OF_RANGE", CORM_OUT_OF_RANGE, NULL},
    {1916, "ER_DATA_OVERFLOW", CORM_OUT_OF_RANGE, NULL},
    {1265, "ER_WARN_DATA_TRUNCATED", CORM_BAD_VALUE, NULL},
    {1292, "ER_TRUNCATED_WRONG_VALUE", CORM_BAD_VALUE, NULL},
    {1300, "ER_INVALID_CHARACTER_STRING", CORM_BAD_VALUE, NULL},
    {1365, "ER_DIVISION_BY_ZERO", CORM_BAD_VALUE, NULL},
    {1366, "ER_TRUNCATED_WRONG_VALUE_FOR_FIELD", CORM_BAD_VALUE, NULL},
    {1367, "ER_ILLEGAL_VALUE_FOR_TYPE", CORM_BAD_VALUE, NULL},
    {1411, "ER_WRONG_VALUE_FOR_TYPE", CORM_BAD_VALUE, NULL},
    {1525, "ER_WRONG_VALUE", CORM_BAD_VALUE, NULL},
    {1917, "ER_DATA_TRUNCATED", CORM_BAD_VALUE, NULL},
    {1918, "ER_BAD_DATA", CORM_BAD_VALUE, NULL},
    {1977, "ER_CANNOT_CONVERT_CHARACTER", CORM_BAD_VALUE, NULL},
    {3140, "ER_INVALID_JSON_TEXT", CORM_BAD_VALUE, NULL},
    {1216, "ER_NO_REFERENCED_ROW", CORM_FOREIGN_KEY, NULL},
    {1217, "ER_ROW_IS_REFERENCED", CORM_FOREIGN_KEY, NULL},
    {1451, "ER_ROW_IS_REFERENCED_2", CORM_FOREIGN_KEY, NULL},
    {1452, "ER_NO_REFERENCED_ROW_2", CORM_FOREIGN_KEY, NULL},
    {1369, "ER_VIEW_CHECK_FAILED", CORM_CHECK_FAILED, NULL},
    {3819, "ER_CHECK_CONSTRAINT_VIOLATED", CORM_CHECK_FAILED, NULL},
    {4025, "ER_CONSTRAINT_FAILED", CORM_CHECK_FAILED, NULL},
    /* the text of a statement, and rights */
    {1051, "ER_BAD_TABLE_ERROR", CORM_NO_TABLE, NULL},
    {1109, "ER_UNKNOWN_TABLE", CORM_NO_TABLE, NULL},
    {1146, "ER_NO_SUCH_TABLE", CORM_NO_TABLE, NULL},
    {1932, "ER_NO_SUCH_TABLE_IN_ENGINE", CORM_NO_TABLE, NULL},
    {1054, "ER_BAD_FIELD_ERROR", CORM_NO_COLUMN, NULL},
    {1050, "ER_TABLE_EXISTS_ERROR", CORM_TABLE_EXISTS, NULL},
    {1064, "ER_PARSE_ERROR", CORM_SYNTAX, NULL},
    {1065, "ER_EMPTY_QUERY", CORM_SYNTAX, NULL},
    {1149, "ER_SYNTAX_ERROR", CORM_SYNTAX, NULL},
    {1142, "ER_TABLEACCESS_DENIED_ERROR", CORM_DENIED, NULL},
    {1143, "ER_COLUMNACCESS_DENIED_ERROR", CORM_DENIED, NULL},
    {1227, "ER_SPECIFIC_ACCESS_DENIED_ERROR", CORM_DENIED, NULL},
    {1370, "ER_PROCACCESS_DENIED_ERROR", CORM_DENIED, NULL},
    {1820, "ER_MUST_CHANGE_PASSWORD", CORM_DENIED, NULL},
    {1153, "ER_NET_PACKET_TOO_LARGE", CORM_TOO_LARGE, NULL},
    {1390, "ER_PS_MANY_PARAM", CORM_TOO_LARGE, NULL},
    {1243, "ER_UNKNOWN_STMT_HANDLER", CORM__STALE_STATEMENT, NULL},
    {1615, "ER_NEED_REPREPARE", CORM__STALE_STATEMENT, NULL},
    {1461, "ER_MAX_PREPARED_STMT_COUNT_REACHED", CORM__STATEMENTS_FULL, NULL},
    /* a server or a session that takes no writes */
    {1290, "ER_OPTION_PREVENTS_STATEMENT", CORM_READ_ONLY, "EEEEEX"},
    {1836, "ER_READ_ONLY_MODE", CORM_READ_ONLY, "EEEEEX"},
    {1874, "ER_INNODB_READ_ONLY", CORM_READ_ONLY, "EEEEEX"},
    {1792, "ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION", CORM_READ_ONLY, NULL},
    /* stopped; a lock that was asked for with a bound */
    {1317, "ER_QUERY_INTERRUPTED", CORM_INTERRUPTED, NULL},
    {1969, "ER_STATEMENT_TIMEOUT", CORM_INTERRUPTED, NULL},
    {3024, "ER_QUERY_TIMEOUT", CORM_INTERRUPTED, NULL}, /* MySQL */
    {3572, "ER_LOCK_NOWAIT", CORM_LOCKED, NULL}, /* MySQL */
    /* the transaction is gone, or has to go */
    {1213, "ER_LOCK_DEADLOCK", CORM_DEADLOCK, NULL},
    {1020, "ER_CHECKREAD", CORM_CONFLICT, NULL},
    {1412, "ER_TABLE_DEF_CHANGED", CORM_CONFLICT, NULL},
    {3101, "ER_TRANSACTION_ROLLBACK_DURING_COMMIT", CORM_CONFLICT, NULL},
    {1205, "ER_LOCK_WAIT_TIMEOUT", CORM_LOCK_TIMEOUT, NULL},
    {1206, "ER_LOCK_TABLE_FULL", CORM_TRX_LOST, NULL},
    {1637, "ER_TOO_MANY_CONCURRENT_TRXS", CORM_SERVER_ERROR, "CAAAAX"},
    /* the server's storage: of COMMIT nobody knows */
    {1021, "ER_DISK_FULL", CORM_SERVER_ERROR, "CFFFRX"},
    {1026, "ER_ERROR_ON_WRITE", CORM_SERVER_ERROR, "CFFFRX"},
    {1030, "ER_GET_ERRNO", CORM_SERVER_ERROR, "CFFFRX"},
    {1105, "ER_UNKNOWN_ERROR", CORM_SERVER_ERROR, "CFFFRX"},
    {1180, "ER_ERROR_DURING_COMMIT", CORM_SERVER_ERROR, "CFFFRX"},
    {1598, "ER_BINLOG_LOGGING_IMPOSSIBLE", CORM_SERVER_ERROR, "CFFFRX"},
    {3100, "ER_RUN_HOOK_ERROR", CORM_SERVER_ERROR, "CFFFRX"},
    /* the connection is gone */
    {1053, "ER_SERVER_SHUTDOWN", CORM_DISCONNECTED, NULL},
    {1080, "ER_FORCING_CLOSE", CORM_DISCONNECTED, NULL},
    {1152, "ER_ABORTING_CONNECTION", CORM_DISCONNECTED, NULL},
    {1154, "ER_NET_READ_ERROR_FROM_PIPE", CORM_DISCONNECTED, NULL},
    {1155, "ER_NET_FCNTL_ERROR", CORM_DISCONNECTED, NULL},
    {1156, "ER_NET_PACKETS_OUT_OF_ORDER", CORM_DISCONNECTED, NULL},
    {1157, "ER_NET_UNCOMPRESS_ERROR", CORM_DISCONNECTED, NULL},
    {1158, "ER_NET_READ_ERROR", CORM_DISCONNECTED, NULL},
    {1159, "ER_NET_READ_INTERRUPTED", CORM_DISCONNECTED, NULL},
    {1160, "ER_NET_ERROR_ON_WRITE", CORM_DISCONNECTED, NULL},
    {1161, "ER_NET_WRITE_INTERRUPTED", CORM_DISCONNECTED, NULL},
    {1184, "ER_NEW_ABORTING_CONNECTION", CORM_DISCONNECTED, NULL},
    {1927, "ER_CONNECTION_KILLED", CORM_DISCONNECTED, NULL},
    {4031, "ER_CLIENT_INTERACTION_TIMEOUT", CORM_DISCONNECTED, NULL}, /* MySQL, idle for too long */
    {2000, "CR_UNKNOWN_ERROR", CORM_DISCONNECTED, NULL},
    {2006, "CR_SERVER_GONE_ERROR", CORM_DISCONNECTED, NULL},
    {2013, "CR_SERVER_LOST", CORM_DISCONNECTED, NULL},
    {2014, "CR_COMMANDS_OUT_OF_SYNC", CORM_DISCONNECTED, NULL},
    {2027, "CR_MALFORMED_PACKET", CORM_DISCONNECTED, NULL},
    {2055, "CR_SERVER_LOST_EXTENDED", CORM_DISCONNECTED, NULL},
    {5013, "CR_ERR_NET_READ", CORM_DISCONNECTED, NULL},
    {5014, "CR_ERR_NET_WRITE", CORM_DISCONNECTED, NULL},
    {5015, "CR_ERR_NET_UNCOMPRESS", CORM_DISCONNECTED, NULL},
    {2020, "CR_NET_PACKET_TOO_LARGE", CORM_TOO_LARGE, "CFFFRX"},
    {2008, "CR_OUT_OF_MEMORY", CORM_NO_MEMORY, NULL},
    /* a node that cannot work at the moment */
    {1047, "ER_UNKNOWN_COM_ERROR", CORM_NOT_READY, NULL}, /* Galera: not Primary, not ready */
    {3032, "ER_SERVER_OFFLINE_MODE", CORM_NOT_READY, NULL},
    /* the connection never came to be */
    {1042, "ER_BAD_HOST_ERROR", CORM_UNREACHABLE, NULL},
    {1043, "ER_HANDSHAKE_ERROR", CORM_UNREACHABLE, NULL},
    {2001, "CR_SOCKET_CREATE_ERROR", CORM_UNREACHABLE, NULL},
    {2002, "CR_CONNECTION_ERROR", CORM_UNREACHABLE, NULL},
    {2003, "CR_CONN_HOST_ERROR", CORM_UNREACHABLE, NULL},
    {2004, "CR_IPSOCK_ERROR", CORM_UNREACHABLE, NULL},
    {2005, "CR_UNKNOWN_HOST", CORM_UNREACHABLE, NULL},
    {2012, "CR_SERVER_HANDSHAKE_ERR", CORM_UNREACHABLE, NULL},
    {1044, "ER_DBACCESS_DENIED_ERROR", CORM_ACCESS_DENIED, NULL},
    {1045, "ER_ACCESS_DENIED_ERROR", CORM_ACCESS_DENIED, NULL},
    {1129, "ER_HOST_IS_BLOCKED", CORM_ACCESS_DENIED, NULL},
    {1130, "ER_HOST_NOT_PRIVILEGED", CORM_ACCESS_DENIED, NULL},
    {1251, "ER_NOT_SUPPORTED_AUTH_MODE", CORM_ACCESS_DENIED, NULL},
    {1524, "ER_PLUGIN_IS_NOT_LOADED", CORM_ACCESS_DENIED, NULL},
    {1698, "ER_ACCESS_DENIED_NO_PASSWORD_ERROR", CORM_ACCESS_DENIED, NULL},
    {1862, "ER_MUST_CHANGE_PASSWORD_LOGIN", CORM_ACCESS_DENIED, NULL},
    {4150, "ER_USER_IS_BLOCKED", CORM_ACCESS_DENIED, NULL},
    {4151, "ER_ACCOUNT_HAS_BEEN_LOCKED", CORM_ACCESS_DENIED, NULL},
    {2049, "CR_SECURE_AUTH", CORM_ACCESS_DENIED, NULL},
    {2059, "CR_AUTH_PLUGIN_CANNOT_LOAD", CORM_ACCESS_DENIED, NULL},
    {2061, "CR_AUTH_PLUGIN_ERR", CORM_ACCESS_DENIED, NULL},
    {5010, "CR_PLUGIN_NOT_ALLOWED", CORM_ACCESS_DENIED, NULL},
    {5012, "CR_ERR_LOAD_PLUGIN", CORM_ACCESS_DENIED, NULL},
    {1046, "ER_NO_DB_ERROR", CORM_NO_DATABASE, NULL},
    {1049, "ER_BAD_DB_ERROR", CORM_NO_DATABASE, NULL},
    {1040, "ER_CON_COUNT_ERROR", CORM_TOO_MANY_CONNECTIONS, NULL},
    {1041, "ER_OUT_OF_RESOURCES", CORM_TOO_MANY_CONNECTIONS, NULL},
    {1135, "ER_CANT_CREATE_THREAD", CORM_TOO_MANY_CONNECTIONS, NULL},
    {1203, "ER_TOO_MANY_USER_CONNECTIONS", CORM_TOO_MANY_CONNECTIONS, NULL},
    {1226, "ER_USER_LIMIT_REACHED", CORM_TOO_MANY_CONNECTIONS, NULL},
    {2026, "CR_SSL_CONNECTION_ERROR", CORM_TLS_FAILED, NULL},
    {3159, "ER_SECURE_TRANSPORT_REQUIRED", CORM_TLS_FAILED, NULL},
    {0, NULL, 0, NULL},
};

/* SQLITE_ERROR and failed CHECKs are told apart by their message: sqlite_error.c. */
const struct corm__server_error corm__sqlite_errors[] = {
    {SQLITE_CONSTRAINT_UNIQUE, "SQLITE_CONSTRAINT_UNIQUE", CORM_DUPLICATE, NULL},
    {SQLITE_CONSTRAINT_PRIMARYKEY, "SQLITE_CONSTRAINT_PRIMARYKEY", CORM_DUPLICATE, NULL},
    {SQLITE_CONSTRAINT_ROWID, "SQLITE_CONSTRAINT_ROWID", CORM_DUPLICATE, NULL},
    {SQLITE_CONSTRAINT_NOTNULL, "SQLITE_CONSTRAINT_NOTNULL", CORM_NULL_REFUSED, NULL},
    {SQLITE_CONSTRAINT_FOREIGNKEY, "SQLITE_CONSTRAINT_FOREIGNKEY", CORM_FOREIGN_KEY, NULL},
    {SQLITE_MISMATCH, "SQLITE_MISMATCH", CORM_BAD_VALUE, NULL},
    {SQLITE_READONLY, "SQLITE_READONLY", CORM_READ_ONLY, NULL},
    {SQLITE_TOOBIG, "SQLITE_TOOBIG", CORM_TOO_LARGE, NULL},
    {SQLITE_NOMEM, "SQLITE_NOMEM", CORM_NO_MEMORY, "CFFFCX"},
    {SQLITE_INTERRUPT, "SQLITE_INTERRUPT", CORM_DEADLINE, "CXXXXX"}, /* is undone */
    {SQLITE_AUTH, "SQLITE_AUTH", CORM_DENIED, NULL},
    {SQLITE_PERM, "SQLITE_PERM", CORM_DENIED, NULL},
    /* the transaction is to be run again */
    {SQLITE_BUSY_SNAPSHOT, "SQLITE_BUSY_SNAPSHOT", CORM_CONFLICT, NULL},
    {SQLITE_BUSY, "SQLITE_BUSY", CORM_LOCK_TIMEOUT, NULL},
    {SQLITE_LOCKED, "SQLITE_LOCKED", CORM_LOCK_TIMEOUT, NULL},
    {SQLITE_PROTOCOL, "SQLITE_PROTOCOL", CORM_LOCK_TIMEOUT, NULL}, /* too many others were quicker */
    /* the file is not to be trusted */
    {SQLITE_NOTADB, "SQLITE_NOTADB", CORM_NOT_A_DATABASE, NULL},
    {SQLITE_CORRUPT, "SQLITE_CORRUPT", CORM_NOT_A_DATABASE, NULL},
    /* after an I/O error in COMMIT the frames may be in the log, and a recovery may find them */
    {SQLITE_IOERR, "SQLITE_IOERR", CORM_SERVER_ERROR, "CFFFRX"},
    {0, NULL, 0, NULL},
};
/* clang-format on */

const struct corm__server_error *corm__find_error(const struct corm__server_error *table,
                                                  int                              server_code)
{
    for (; table->server_code != 0; table++)
        if (table->server_code == server_code)
            return table;
    return NULL;
}

enum corm_verdict corm__verdict_of(char letter)
{
    static const char letters[] = "AERFCX";
    const char       *at = strchr(letters, letter);

    assert(at != NULL && *at != '\0');
    return (enum corm_verdict)(CORM_RUN_AGAIN + (at - letters));
}

static const char *own_verdicts(int code)
{
    for (const struct corm__own_error *own = corm__own_errors; own->code != 0; own++)
        if (own->code == code)
            return own->verdicts;
    return "CFFFCX"; /* the application's own refusal */
}

enum corm_verdict corm__verdict(const struct corm__server_error *row, int code,
                                enum corm_place place)
{
    /* A code that corm has given the failure since then, such as LOCKED, is above the server's. */
    const char *verdicts = row != NULL && row->code == code ? row->verdicts : NULL;

    return corm__verdict_of((verdicts != NULL ? verdicts : own_verdicts(code))[place]);
}

/* ---- For people and programs ----------------------------------------------------- */

static void fill(struct corm_error_rule *rule, const struct corm__server_error *row, int code,
                 const char *verdicts)
{
    *rule = (struct corm_error_rule){.code = code};
    if (row != NULL) {
        rule->server_code = row->server_code;
        rule->server_name = row->name;
    }
    for (int place = 0; place < CORM_PLACES; place++)
        rule->verdicts[place] = corm__verdict_of(verdicts[place]);
}

static bool own_rule(size_t i, struct corm_error_rule *rule)
{
    if (i >= sizeof(corm__own_errors) / sizeof(corm__own_errors[0]) - 1)
        return false;
    fill(rule, NULL, corm__own_errors[i].code, corm__own_errors[i].verdicts);
    return true;
}

static bool server_rule(const struct corm__server_error *row, size_t count, size_t i,
                        struct corm_error_rule *rule)
{
    if (i >= count - 1)
        return false;
    row += i;
    /* Prepared again, once, or when there is room; then it is the server's error. */
    if (row->code == CORM__STALE_STATEMENT || row->code == CORM__STATEMENTS_FULL) {
        fill(rule, row, CORM_SERVER_ERROR, own_verdicts(CORM_SERVER_ERROR));
        return true;
    }
    fill(rule, row, row->code, row->verdicts != NULL ? row->verdicts : own_verdicts(row->code));
    return true;
}

bool corm_error_rule(const char *driver, size_t i, struct corm_error_rule *rule)
{
    if (strcmp(driver, "corm") == 0)
        return own_rule(i, rule);
    if (strcmp(driver, "mariadb") == 0)
        return server_rule(corm__mariadb_errors,
                           sizeof(corm__mariadb_errors) / sizeof(corm__mariadb_errors[0]), i, rule);
    if (strcmp(driver, "sqlite") == 0)
        return server_rule(corm__sqlite_errors,
                           sizeof(corm__sqlite_errors) / sizeof(corm__sqlite_errors[0]), i, rule);
    return false;
}

const char *corm_verdict_text(enum corm_verdict verdict)
{
    switch (verdict) {
    case CORM_RUN_AGAIN: return "run again";
    case CORM_RUN_ELSEWHERE: return "run elsewhere";
    case CORM_RESOLVE: return "resolve";
    case CORM_FUNCTIONS_OWN: return "function's own";
    case CORM_CALLERS_OWN: return "caller's own";
    case CORM_FATAL: return "fatal";
    }
    return "?";
}

const char *corm_place_text(enum corm_place place)
{
    static const char *const texts[] = {"connect", "first",  "middle",
                                        "flush",   "commit", "rollback"};

    return (unsigned)place < CORM_PLACES ? texts[place] : "?";
}
