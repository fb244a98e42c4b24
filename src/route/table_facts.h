/* route/table_facts.h -- what may be served from memory for one table.
 *
 * A group of transactions holds rows that it has locked, and writes them back once. That is the same
 * as running its members one after the other only where the server does nothing of its own with
 * those rows. What is not understood, or hidden from the user, counts as not allowed. */
#ifndef CORM_ROUTE_TABLE_FACTS_H
#define CORM_ROUTE_TABLE_FACTS_H

#include "pool/connection.h"

#include <corm/arena.h>

struct corm__table_facts {
    /* A row that is locked may be held in memory and read there, until this transaction sends a
     * write that touches it: an ordinary table (on servers: InnoDB, no partitions, no versions, not
     * temporary) of exactly that name, whose primary key is exactly the model's, whose columns are
     * of the types that the model stands for, and into which no foreign key cascades. */
    bool may_hold;

    /* An insert may wait in memory: an ordinary table without triggers. Where this is false a write
     * to the table may, by a trigger, change rows of any other. */
    bool may_insert;

    /* Bit i: column i of the model may be changed in memory and written back once. */
    uint64_t may_update;

    bool is_parent; /* a foreign key of some table that the user can see refers to it */
    bool is_child;  /* it has a foreign key */

    /* Equal keys have equal bytes: all columns of the primary key are integers, UUIDs, or
     * varchar and text in a collation that compares bytes and does not pad. */
    bool exact_key;

    /* Some text of the primary key is seen to compare otherwise: equal keys may have other bytes. */
    bool folds_key;
};

/* Reads them from the server, in two statements at most. Blocks; may be called in a transaction,
 * which it does not change. All are false for what is no table or hidden from the user, and that is
 * no error. On error *facts is all false. What it puts into `arena` is not needed any more. */
int corm__read_table_facts(struct corm__connection *connection, enum corm_dialect dialect,
                           const struct corm_table *table, struct corm_arena *arena,
                           int64_t deadline, struct corm__table_facts *facts,
                           struct corm_error *error);

#endif
