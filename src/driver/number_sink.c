/* driver/number_sink.c -- for a result that is one whole number. */
#include "driver/number_sink.h"

static int row(struct corm__sink *base, const struct corm_value *values, uint32_t count,
               struct corm_error *error)
{
    if (count == 0 || (values[0].kind != CORM_V_INT && values[0].kind != CORM_V_UINT))
        return corm__fail(error, CORM_BAD_VALUE, "a whole number was expected");
    struct corm__number_sink *sink = (struct corm__number_sink *)base;
    if (sink->counts && values[0].as.i < 0)
        return corm__fail(error, CORM_BAD_VALUE, "a count below zero");
    sink->number = values[0].as.i;
    return 0;
}

struct corm__number_sink corm__number_sink(void)
{
    return (struct corm__number_sink){.base = {.row = row}};
}
