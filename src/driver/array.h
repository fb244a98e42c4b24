/* driver/array.h -- what drivers share of running a statement for many rows. */
#ifndef CORM_DRIVER_ARRAY_H
#define CORM_DRIVER_ARRAY_H

#include "driver/driver.h"

/* CORM_MISUSE where execute_array() (driver.h) does not allow the call: for a statement with that
 * many `?` and columns of a result. */
int corm__check_array(const struct corm__link *link, const struct corm__array *array,
                      unsigned long param_count, unsigned int result_columns,
                      const struct corm__sink *sink, struct corm_error *error);

/* One value, which points into the array. */
struct corm_value corm__array_value(const struct corm__array_column *column, size_t row);

/* One column of `rows` rows of values, of which the first is at `values` and each is `stride` further:
 * as the binds of one statement after the other. What the values point at, and the bytes of a UUID in
 * them, are not copied; the rest is in `arena`. CORM_NO_MEMORY, or CORM_MISUSE where they are not of
 * one kind. */
int corm__array_fill(struct corm_arena *arena, const struct corm_value *values, size_t stride,
                     size_t rows, struct corm__array_column *column, struct corm_error *error);

#endif
