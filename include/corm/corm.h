/* corm/corm.h -- everything: include this.
 *
 * corm keeps rows of MariaDB, MySQL or SQLite in plain C structs, and makes transactions race-free.
 * examples/race.c is a whole program; the parts are told in these headers, which can be included
 * one by one:
 *
 *     model.h      one declaration of a table, and what follows from it
 *     value.h      one value, of whatever type
 *     condition.h  WHERE and SET: typed conditions and assignments
 *     statement.h  reading and writing rows
 *     read.h       joins, groups, numbers, pages
 *     trx.h        transactions
 *     lane.h       ... that wait for their turn and share a trip
 *     ledger.h     what became of a COMMIT whose answer was lost
 *     db.h         opening a database, tables, the statement hook, counters
 *     stats.h      numbers to watch, also as text for Prometheus
 *     error.h      result codes
 *     retry.h      what corm does about each
 *     on.h         what the first argument of a call may be
 *     arena.h      where text and arrays live */
#ifndef CORM_CORM_H
#define CORM_CORM_H

#include <corm/arena.h>
#include <corm/condition.h>
#include <corm/db.h>
#include <corm/error.h>
#include <corm/lane.h>
#include <corm/ledger.h>
#include <corm/model.h>
#include <corm/on.h>
#include <corm/read.h>
#include <corm/retry.h>
#include <corm/statement.h>
#include <corm/stats.h>
#include <corm/trx.h>
#include <corm/value.h>
#include <corm/version.h>

#endif
