/* api/options.c -- options of programs that were built with an older header. */
#include "api/db.h"

#include <string.h>

const void *corm__widen(const void *options, size_t size, size_t known, void *room)
{
    if (size == known)
        return options;
    memset(room, 0, known);
    memcpy(room, options, size < known ? size : known);
    return room;
}
