/* corm/error.h -- result codes and the details of a failure.
 *
 * Every call returns a number of rows (>= 0) or one of the negative codes below. The codes stand in
 * bands that say what can still be used, so that one comparison is enough:
 *
 *     rc >= 0                      it worked
 *     corm_is_user(rc)             the application's own refusal, told by corm_abort(): ask this first,
 *                                  its band lies below all others
 *     rc > CORM_TRX_GONE           the statement failed; the connection is fine
 *     rc <= CORM_TRX_GONE          ... and its transaction is rolled back
 *     rc <= CORM_CONNECTION_GONE   ... and its connection is closed (or never came to be)
 *     rc <= CORM_OUTCOME_UNKNOWN   nobody answered a COMMIT: it may have happened or not
 *
 * A transaction in which a call failed is doomed all the same (see trx.h): the band says what the
 * server still holds, not what the caller may go on to do. */
#ifndef CORM_ERROR_H
#define CORM_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <corm/version.h>

#ifdef __cplusplus
extern "C" {
#endif

enum corm_band {
    CORM_STATEMENT_FAILED = -1000,
    CORM_TRX_GONE = -2000,
    CORM_CONNECTION_GONE = -3000,
    CORM_OUTCOME_UNKNOWN = -4000,
    CORM_USER_LAST = -10000,
    /* The lowest band is the application's: enum { NOT_FOUND = CORM_USER, SOLD_OUT }; counts up
     * from here to CORM_USER_LAST. */
    CORM_USER = -1000000
};

/* clang-format off: a table */
/* X(NAME, number, what happened, what to do about it): the one list of all codes. */
#define CORM_ERROR_MAP(X)                                                                            \
    X(MISUSE, -1001, "the call was made in a way that it does not allow",                            \
      "read the message, and the contract of the call in its header")                                \
    X(NO_MEMORY, -1002, "no memory could be had", "free memory or ask for fewer rows at once")       \
    X(BAD_URL, -1003, "the database URL cannot be used",                                             \
      "write it as mariadb://user:password@host:port/database?pool=16 or sqlite:file.db")            \
    X(BAD_VALUE, -1004, "a value does not fit the type of its column",                               \
      "send text as UTF-8 without NUL, numbers that are finite, times of the years 1 to 9999, one "  \
      "of the list of an enum, JSON that is whole")                                                  \
    X(TOO_LONG, -1005, "a text is longer than its column", "shorten it or widen the column")         \
    X(OUT_OF_RANGE, -1006, "a number is outside the range of its column",                            \
      "send a number that fits or widen the column")                                                 \
    X(DUPLICATE, -1007, "another row already has this value in a unique key",                        \
      "use another value, or read and update the row that has it")                                   \
    X(NULL_REFUSED, -1008, "a column that must have a value was given none",                         \
      "set the column, give it a default, or declare it nullable(...)")                              \
    X(FOREIGN_KEY, -1009, "a foreign key does not allow this", "write the parent row first")         \
    X(CHECK_FAILED, -1010, "a CHECK of the table does not allow this row", "send a row that does")   \
    X(NO_TABLE, -1011, "the table does not exist",                                                   \
      "create it with corm_create_table(), or correct the name in its model")                        \
    X(NO_COLUMN, -1012, "the table has no such column",                                              \
      "compare the model with the table in the database")                                            \
    X(SYNTAX, -1013, "the server does not understand the SQL text", "correct the text")              \
    X(LOCKED, -1014, "somebody else holds a row that was asked for with nowait or wait_ms",          \
      "try later, or wait longer; the transaction goes on")                                          \
    X(UNSUPPORTED, -1015, "this server, or this version of corm, cannot do what was asked for",      \
      "leave it out, or use a server or a version that has it")                                      \
    X(READ_ONLY, -1016,                                                                              \
      "a write was refused because the transaction, database or server is "                          \
      "read-only",                                                                                   \
      "leave .read_only out, or connect to a server that takes writes")                              \
    X(TIMEOUT, -1017, "the deadline passed before the work could be sent",                           \
      "raise .timeout_ms or pool= in the URL, or hold transactions for a shorter time")              \
    X(TRX_CLOSED, -1018, "the transaction is over", "call corm_start() to begin another one")        \
    X(TABLE_EXISTS, -1019, "a table of this name exists already",                                    \
      "drop it first, or pass .if_not_exists = true")                                                \
    X(DENIED, -1020, "the database user has no right to do this", "grant it the right")              \
    X(TOO_LARGE, -1021, "a statement is larger than the server takes",                               \
      "send fewer rows at once, or raise the server's limit (max_allowed_packet)")                   \
    X(INTERRUPTED, -1022, "the statement was stopped (a KILL, or a time limit)",                     \
      "try again, with more time")                                                                   \
    X(STALE, -1023, "a row was changed or deleted by somebody else after it was read",               \
      "read it again and decide anew; corm_transact() does so by running its function again")        \
    X(NESTED, -1030, "a call on the db inside a function of corm_transact() on that db",             \
      "pass the function's trx instead of the db, or make the call outside")                         \
    X(WOULD_BLOCK, -1031,                                                                            \
      "a thread that holds an open transaction asked for one more connection than there are: "       \
      "it would wait for itself",                                                                    \
      "inside a transaction pass the trx, not the db, or end it first, or raise pool= in the URL")   \
    X(BUSY, -1032, "too many transactions wait in the lanes",                                        \
      "take outcomes away with corm_drain() or corm_dispatch(), or raise lane_queue= in the URL")    \
    X(CANCELLED, -1033, "the transaction was taken back before it had begun",                        \
      "submit it again if it is still wanted")                                                       \
    X(NO_TICKET, -1034, "there is no such ticket, or its outcome was told already",                  \
      "wait for each ticket once")                                                                   \
    X(SERVER_ERROR, -1099, "the server refused the statement", "see its own message")                \
    X(DEADLOCK, -2001, "the server ended the transaction to resolve a deadlock",                     \
      "run the whole transaction again; corm_transact() does so by itself")                          \
    X(CONFLICT, -2002, "a row changed after this transaction had seen it",                           \
      "run the whole transaction again; corm_transact() does so by itself")                          \
    X(LOCK_TIMEOUT, -2003, "a row stayed locked for longer than the server waits",                   \
      "run the whole transaction again; look for a transaction that holds its locks too long")       \
    X(TRX_LOST, -2004, "the server ended the transaction behind corm's back",                        \
      "keep DDL, BEGIN, COMMIT, LOCK TABLES and procedures that commit out of transactions")         \
    X(DISCONNECTED, -3001, "the connection to the server was lost",                                  \
      "see whether the server runs and why it closed the link")                                      \
    X(UNREACHABLE, -3002, "no connection to the server could be made",                               \
      "see whether it runs, and whether host, port and socket are right")                            \
    X(ACCESS_DENIED, -3003, "the server refused the user or the password",                           \
      "correct user and password, or grant that user access from this host")                         \
    X(NO_DATABASE, -3004, "the server has no such database",                                         \
      "create it, or correct the name behind the last / of the URL")                                 \
    X(TOO_MANY_CONNECTIONS, -3005, "the server takes no more connections",                           \
      "lower pool= in the URL, or raise max_connections on the server")                              \
    X(TLS_FAILED, -3006, "no trusted encrypted link could be made",                                  \
      "give the server a certificate that the tls_ca= of the URL verifies, or say tls=off")          \
    X(NOT_A_DATABASE, -3007, "the file is no database that can be opened",                           \
      "correct the path after sqlite:, and see whether its folder exists and may be written")        \
    X(NOT_READY, -3008, "the server takes no work at the moment",                                    \
      "see whether it is a ready member of its cluster (wsrep_ready), or connect to another node")   \
    X(DEADLINE, -3009, "the deadline passed before the work was done: it was undone",                \
      "raise .timeout_ms, or see what took so long: a lock, the statement, the server, the network") \
    X(FORKED, -3010, "the database was opened before fork() and is the parent's",                    \
      "call corm_close() in the child, and corm_open() for a handle of its own")                     \
    X(UNKNOWN, -4001, "the link broke while COMMIT was under way: it may have happened or not",      \
      "ask corm_outcome() later, or read the rows back by a unique key of your own, before you do "  \
      "the work again")
/* clang-format on */

enum corm_code {
    CORM_OK = 0,
#define CORM_X_CODE(name, number, what, cure) CORM_##name = (number),
    CORM_ERROR_MAP(CORM_X_CODE)
#undef CORM_X_CODE
};

#define CORM_MESSAGE_MAX 512

/* The details of one failure, in the caller's own memory. A call that takes one sets it when it
 * fails and leaves it alone when it works; the first error of a transaction is kept. The layout is
 * frozen: reserved fields are zero. `message` is one sentence with cause and cure, in UTF-8, cut at
 * a character where it is too long; it begins with "file:line: " where `file` is not NULL, and never
 * holds a password or a bound value: print the message alone. */
struct corm_error {
    int32_t     code;        /* the value that the call returned */
    int32_t     server_code; /* the server's errno or SQLite's extended code; 0: corm's own */
    char        sqlstate[8]; /* the server's SQLSTATE, "" where there is none */
    const char *file;        /* of the call that failed, static text; or NULL */
    int32_t     line;
    uint32_t    attempts; /* how often the function ran, for corm_transact() */
    uint64_t    outcome;  /* of CORM_UNKNOWN: what corm_outcome() answers later; 0: nobody can */
    uint64_t    reserved[5];
    char        message[CORM_MESSAGE_MAX];
};

/* The name of a code, as "CORM_DEADLOCK"; what it means; what to do about it. Static text, never
 * NULL; codes of the application's own and unknown ones have a general text. From any thread. */
CORM_API const char *corm_code_name(int code);
CORM_API const char *corm_code_text(int code);
CORM_API const char *corm_code_cure(int code);

/* Whether a code is one of the application's own. */
static inline bool corm_is_user(int code)
{
    return code >= CORM_USER && code <= CORM_USER_LAST;
}

#ifdef __cplusplus
}
#endif
#endif
