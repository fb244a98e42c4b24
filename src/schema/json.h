/* schema/json.h -- whether a text is JSON. */
#ifndef CORM_SCHEMA_JSON_H
#define CORM_SCHEMA_JSON_H

#include <stdbool.h>
#include <stddef.h>

enum { CORM__JSON_DEPTH = 32 }; /* what MariaDB takes; arrays and objects inside each other */

/* Whether `text`, which is UTF-8, is one value of JSON (RFC 8259). */
bool corm__is_json(const char *text, size_t size);

#endif
