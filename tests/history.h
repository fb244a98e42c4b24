/* tests/history.h -- what transactions did to lists, and whether that can have happened one after the other.
 *
 * A transaction reads lists and appends numbers to them, each of which is appended once in the whole
 * history. So what a list holds in the end tells in which order its numbers came, and every reading which of
 * them were there: that is all that is needed to say who has to come before whom (Kingsbury, Alvaro:
 * "Elle: Inferring Isolation Anomalies from Experimental Observations", VLDB 14, 2020).
 *
 *     ww   its number stands right before one of the other's
 *     wr   the other has read it as the last
 *     rw   the other's number is the first that it has not read
 *     order   the same thread has submitted it first, and both promise to keep that order
 *     time    it was told before the other began
 *
 * Where these make a circle, the transactions cannot have run one after the other. */
#ifndef CORM_TESTS_HISTORY_H
#define CORM_TESTS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTORY_LISTS = 8, HISTORY_OPS = 16 };

enum history_outcome {
    HISTORY_COMMITTED,
    HISTORY_REFUSED, /* by its own function: what it has read counts, what it appended must not show */
    HISTORY_FAILED, /* what it appended must not show */
    HISTORY_UNKNOWN /* the one or the other of COMMITTED and FAILED */
};

struct history_op {
    bool     append;
    bool     undone; /* an append that its own function has taken back */
    uint32_t list;
    int32_t  value;  /* that is appended, > 0 */
    int32_t *values; /* that were read; malloc()ed, the history's */
    uint32_t count;
};

struct history_trx {
    struct history_op    ops[HISTORY_OPS]; /* in the order of its function */
    uint32_t             op_count;
    enum history_outcome outcome;
    int64_t              began, told; /* of one clock: before it was asked for, after it was told */
    const char          *way;         /* how it was run, for messages */
    uint32_t             thread;
    int32_t ordered; /* a number: it and those with the same run as their thread adds them; -1 */
};

struct history {
    struct history_trx *trxs; /* of each thread in the order in which it asked for them */
    size_t              count, capacity;
    struct history_op   finals[HISTORY_LISTS]; /* what is read in the end */
    size_t              edges[5];              /* of each kind, counted by history_holds() */
};

/* Adds a copy of a transaction, whose `values` the history takes. Aborts without memory. */
void history_add(struct history *history, const struct history_trx *trx);
void history_free(struct history *history);

/* Whether the transactions can have run one after the other, in the order that is promised. Where they can
 * not, `why` begins with the name of what is wrong, and names transactions by their numbers. */
bool history_holds(struct history *history, char *why, size_t size);

/* Prints the transactions that such a text names, as lines of a TAP comment. */
void history_print(const struct history *history, const char *why);

#endif
