/* schema/text.h -- what is text: UTF-8. */
#ifndef CORM_SCHEMA_TEXT_H
#define CORM_SCHEMA_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether `text` is UTF-8 (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF); `characters`
 * is how many there are. */
bool corm__is_utf8(const char *text, size_t size, size_t *characters);

#endif
