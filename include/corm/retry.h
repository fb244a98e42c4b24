/* corm/retry.h -- what corm does about a failure, as a table that can be read and printed.
 *
 * corm_transact() decides by two things: the code of the failure and the place where it was met. The
 * same table is printed by `corm doctor --errors`. */
#ifndef CORM_RETRY_H
#define CORM_RETRY_H

#include <corm/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a failure was met. */
enum corm_place {
    CORM_AT_CONNECT,  /* no connection yet: waiting for one, opening one */
    CORM_AT_FIRST,    /* the first trip of a transaction; a single read */
    CORM_AT_MIDDLE,   /* a later statement */
    CORM_AT_FLUSH,    /* a trip with buffered writes, without COMMIT */
    CORM_AT_COMMIT,   /* a trip with COMMIT, or a single write; it was sent */
    CORM_AT_ROLLBACK, /* ROLLBACK */
    CORM_PLACES
};

enum corm_verdict {
    CORM_RUN_AGAIN = 1, /* nothing of it is in the database: the whole function runs again */
    CORM_RUN_ELSEWHERE, /* ... on another node; where there is none the caller is told */
    CORM_RESOLVE, /* it may have been committed: the ledger is asked (ledger.h); where it does not
                            answer, CORM_UNKNOWN, and never run again */
    CORM_FUNCTIONS_OWN, /* the statement failed, the transaction is there: the function may mend it
                            behind a savepoint, else the transaction ends with this error */
    CORM_CALLERS_OWN,   /* another try would fare no better: the caller is told */
    CORM_FATAL          /* the connection is thrown away and nothing is run again. At ROLLBACK the
                            server rolls back by itself, and the outcome stays what it was */
};

struct corm_error_rule {
    int         server_code; /* of the server or the client library; 0: a code of corm's own */
    const char *server_name; /* as the server's manual has it; NULL for corm's own */
    int         code;        /* corm's code for it */
    enum corm_verdict verdicts[CORM_PLACES];
    const void       *reserved[4];
};

/* The `i`-th rule of `driver`: "mariadb" (MySQL's are among them), "sqlite", or "corm" for those by
 * corm's own code. False behind the last one, and for other drivers. A code of a server that has no rule is
 * CORM_SERVER_ERROR and has its verdicts. From any thread. */
CORM_API bool corm_error_rule(const char *driver, size_t i, struct corm_error_rule *rule);

/* A verdict and a place as text: "run again", "connect" and so on. Static text, never NULL. */
CORM_API const char *corm_verdict_text(enum corm_verdict verdict);
CORM_API const char *corm_place_text(enum corm_place place);

#ifdef __cplusplus
}
#endif
#endif
