/* sql/statement.h -- statements as text and binds. No I/O.
 *
 * A call of the API (a table, a condition, a set list, a row) becomes one SQL text in a dialect and
 * the values of its `?`, in order. Values are checked against their columns here, before anything
 * is sent. Equal shapes give equal texts, which is what the statement caches go by. */
#ifndef CORM_SQL_STATEMENT_H
#define CORM_SQL_STATEMENT_H

#include "base/error.h"

#include <corm/statement.h>

enum corm__verb {
    CORM__READ,   /* gives rows */
    CORM__INSERT, /* counts inserted rows, gives a generated key */
    CORM__UPSERT, /* counts as enum corm_upserted; gives the key of the row where it is generated */
    CORM__WRITE,  /* counts matched or removed rows */
    CORM__CONTROL, /* BEGIN, COMMIT, SET, DDL: neither */
    CORM__RAW      /* from corm_sql(): rows or a count */
};

struct corm__statement {
    enum corm__verb verb;
    const char     *text;
    size_t          size;
    const struct corm_value
            *binds; /* INT, UINT, REAL, TEXT, DECIMAL and BLOB (with size), UUID or NULL */
    uint32_t bind_count;
    bool     once;         /* a shape that will not come again: keep it out of caches */
    bool     alone;        /* must not share a trip with statements in front of it */
    bool     compound;     /* several in one: must not run twice in a transaction */
    bool     takes_keys;   /* its text uses the generated keys of those in front of it (batch.h) */
    bool     bounded_wait; /* of a lock, for wait_ms: not to have it is an answer */
    bool     skips;        /* rows that are locked are passed over: on a file, all of them */
    uint32_t wait_ms;
    int64_t *id;                    /* of an insert: where the generated key goes; or NULL */
    const struct corm_table *table; /* of a read: the columns that come back, in order; or NULL */
    const char              *file;  /* where it was called */
    int32_t                  line;
};

/* The most `?` of one statement. MariaDB's own limit is 65,535, SQLite's 32,766
 * (https://mariadb.com/kb/en/prepare-statement/, https://www.sqlite.org/limits.html). */
enum { CORM__BINDS_MAX = 32000 };

enum corm__read_what {
    CORM__ROWS,
    CORM__FIRST,
    CORM__COUNT,
    CORM__EXISTS,
    CORM__NUMBER, /* one choice, which has no place in a result */
    CORM__CHOSEN, /* rows of query->into */
    CORM__EXPLAIN
};

/* Each of these makes a statement in `arena`; where `keep` is true, text that it binds is copied
 * there too, so that it can be sent after the call is over. 0 or a negative code. */
int corm__make_read(enum corm_dialect dialect, struct corm_arena *arena, enum corm__read_what what,
                    const struct corm_table *table, const struct corm_query *query,
                    struct corm__statement *statement, struct corm_error *error);

/* One row, from write->row or write->set. */
int corm__make_insert(enum corm_dialect dialect, struct corm_arena *arena, bool keep,
                      const struct corm_table *table, const struct corm_write *write,
                      struct corm__statement *statement, struct corm_error *error);

/* The rows [first, first + count) of the array write->row. */
int corm__make_insert_rows(enum corm_dialect dialect, struct corm_arena *arena,
                           const struct corm_table *table, const struct corm_write *write,
                           size_t first, size_t count, struct corm__statement *statement,
                           struct corm_error *error);

/* For the driver's arrays: the text inserts one row, and gives its generated key where write->ids asks for
 * that; the binds are those of *count rows from `first` on, one row after the other: as many as `bytes`
 * of a packet take, and one at least. */
int corm__make_insert_array(enum corm_dialect dialect, struct corm_arena *arena,
                            const struct corm_table *table, const struct corm_write *write,
                            size_t first, size_t bytes, size_t *count,
                            struct corm__statement *statement, struct corm_error *error);

/* Whether rows of the table have no value that could be sent. */
bool corm__is_only_generated(const struct corm_table *table);

/* write->row, or where a row with the key write->by is there (NULL: the primary key), an update of it by
 * write->update (NULL: every column of the row but keys). */
int corm__make_upsert(enum corm_dialect dialect, struct corm_arena *arena,
                      const struct corm_table *table, const struct corm_write *write,
                      struct corm__statement *statement, struct corm_error *error);

int corm__make_update(enum corm_dialect dialect, struct corm_arena *arena, bool keep,
                      const struct corm_table *table, const struct corm_write *write,
                      struct corm__statement *statement, struct corm_error *error);

/* All columns of write->row but its key, where the primary key is that of the row, and so is the
 * version in `version`, which is counted up; NULL: the model has none. */
int corm__make_update_row(enum corm_dialect dialect, struct corm_arena *arena, bool keep,
                          const struct corm_table *table, const struct corm_column *version,
                          const struct corm_write *write, struct corm__statement *statement,
                          struct corm_error *error);

int corm__make_delete(enum corm_dialect dialect, struct corm_arena *arena, bool keep,
                      const struct corm_table *table, const struct corm_write *write,
                      struct corm__statement *statement, struct corm_error *error);

/* The text as it is, with `vals`. */
int corm__make_raw(struct corm_arena *arena, const struct corm_sql_args *args,
                   struct corm__statement *statement, struct corm_error *error);

/* A text without binds or rows. */
struct corm__statement corm__control(const char *text);

/* The most rows that one INSERT of this table takes: the binds of a statement are bounded. */
size_t corm__rows_per_insert(enum corm_dialect dialect, const struct corm_table *table);

/* The keyword that a text begins with, in capitals, comments passed over: "SELECT". "" where there
 * is none or it is longer than 15 letters. A comment that the server may run counts as a word: its
 * opening of three characters. */
void corm__first_word(const char *text, char word[static 16]);

#endif
