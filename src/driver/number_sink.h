/* driver/number_sink.h -- for a result that is one whole number. */
#ifndef CORM_DRIVER_NUMBER_SINK_H
#define CORM_DRIVER_NUMBER_SINK_H

#include "driver/driver.h"

struct corm__number_sink {
    struct corm__sink base;
    int64_t           number; /* the first column of the last row; 0 without one */
    bool              counts; /* a number below zero, which would be taken for a code, is refused */
};

struct corm__number_sink corm__number_sink(void);

#endif
