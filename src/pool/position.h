/* pool/position.h -- how far a server has come: the last transaction of each GTID domain that it has written or
 * applied, as MariaDB tells it ("0-1-1234,5-2-77").
 *
 * And how far the writers were when: a reader's position says by that how far behind it is, without a row
 * that somebody has to write for it, clocks that agree, or a right that the application's user lacks. */
#ifndef CORM_POOL_POSITION_H
#define CORM_POOL_POSITION_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CORM__DOMAINS_MAX = 8,
    CORM__GTID_SIZE = 43, /* "4294967295-4294967295-18446744073709551615" and its comma or end */
    CORM__GTIDS_SIZE = CORM__DOMAINS_MAX * CORM__GTID_SIZE + 1,
    CORM__HISTORY_SIZE = 64
};

struct corm__gtid {
    uint32_t domain, server;
    uint64_t sequence;
};

/* All zero: nothing at all. */
struct corm__position {
    uint32_t          count;
    struct corm__gtid gtids[CORM__DOMAINS_MAX];
};

/* Reads a text, which may be empty. False, and an empty position, where it is no list of GTIDs, or of more domains
 * than there is room for. */
bool corm__position_read(struct corm__position *position, const char *text);
void corm__position_write(const struct corm__position *position, char text[CORM__GTIDS_SIZE]);

/* Whether nothing of `wanted` is missing in it. */
bool corm__position_has(const struct corm__position *position, const struct corm__position *wanted);

/* Adds what it lacks of `more`. False, and it is as it was, where there is no room. */
bool corm__position_add(struct corm__position *position, const struct corm__position *more);

/* The positions of the writers, each with the time at which it was asked for; all zero at first. */
struct corm__history {
    uint64_t count; /* of all that were noted; the last CORM__HISTORY_SIZE of them are there */
    struct {
        int64_t               at;
        struct corm__position position;
    } of[CORM__HISTORY_SIZE];
};

/* Notes one, unless the last one is younger than `apart` nanoseconds. */
void corm__history_note(struct corm__history *history, int64_t at, int64_t apart,
                        const struct corm__position *position);

/* How far a reader is behind: the nanoseconds from the last noted position that it has to the last one of all.
 * -1: it has none of them. */
int64_t corm__history_lag(const struct corm__history  *history,
                          const struct corm__position *position);

#endif
