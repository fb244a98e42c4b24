/* api/sink.h -- where rows go that are no rows of one table. */
#ifndef CORM_API_SINK_H
#define CORM_API_SINK_H

#include "trx/trx.h"

#include <corm/read.h>

/* Rows of several tables side by side: each result row is cut into a row for each of them. */
struct corm__join_out {
    const struct corm_table *table;
    uint32_t                 first; /* its first column in the result */
    bool                     left;  /* may have no partner: pointers to rows, or NULL */
    void                    *out;   /* of the caller's */
    char                    *items; /* rows, or pointers to rows */
};
struct corm__join_sink {
    struct corm__sink     base;
    struct corm_table     shape; /* the columns of all tables */
    struct corm_arena    *arena;
    struct corm_trx      *holder; /* a transaction that now holds the rows locked; or NULL */
    struct corm_trx      *locker; /* the same, also for share */
    struct corm__join_out outs[1 + CORM_JOIN_MAX];
    uint32_t              out_count;
    size_t                count, capacity; /* rows */
};

/* Whether a read has joined tables whose rows come back. */
bool corm__joins_rows(const struct corm_query *query);

/* 0 or CORM_NO_MEMORY. */
int corm__join_sink_init(struct corm__join_sink *sink, struct corm_arena *arena,
                         struct corm_trx *trx, const struct corm_table *table, void *out,
                         const struct corm_query *query, struct corm_error *error);

/* Gives the caller the arrays, or the one row of each table (if there is one). */
void corm__join_sink_arrays(const struct corm__join_sink *sink);
void corm__join_sink_first(const struct corm__join_sink *sink);

/* One value that an aggregate of a column makes. */
struct corm__aggregate_sink {
    struct corm__sink  base;
    struct corm_arena *arena; /* of texts and blobs */
    bool               sums;
    struct corm_column column; /* what it is read as */
    struct corm_table  shape;  /* of that column alone */
    bool               found;  /* it is not NULL */
    union {
        struct corm_opt_bigint whole; /* times, too */
        struct corm_opt_double real;
        const char            *text;
        struct corm_blob       blob;
        struct corm_opt_uuid   uuid;
    } value;
};
void corm__aggregate_sink_init(struct corm__aggregate_sink *sink, struct corm_arena *arena,
                               enum corm_aggregate how, const struct corm_column *column);

/* Whether its value is a text or blob, which wants an arena. */
bool corm__aggregate_sink_points(const struct corm__aggregate_sink *sink);

/* To the int64_t, double, const char *, struct corm_blob or struct corm_uuid of the caller's, if it was
 * found. */
void corm__aggregate_sink_give(const struct corm__aggregate_sink *sink, void *out);

/* Rows of a statement that corm has not made, into structs: columns find their places by name. */
struct corm__into_sink {
    struct corm__sink          base;
    struct corm_arena         *arena;
    enum corm_dialect          dialect;
    const struct corm_table   *table;
    const struct corm_column **places; /* of the result's columns */
    char                      *rows;
    size_t                     count, capacity;
};
struct corm__into_sink corm__into_sink(struct corm_arena *arena, enum corm_dialect dialect,
                                       const struct corm_table *table);

#endif
