/* schema/text.h -- text and time as values: UTF-8, and datetime to and from text. */
#ifndef CORM_SCHEMA_TEXT_H
#define CORM_SCHEMA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether `text` is UTF-8 (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF); `characters`
 * is how many there are. */
bool corm__is_utf8(const char *text, size_t size, size_t *characters);

enum { CORM__TIME_SIZE = 27 }; /* "2026-01-31 09:05:00.000000" and NUL */

/* Microseconds since 1970, UTC, as text; false outside the years 1 to 9999. */
bool corm__time_format(int64_t microseconds, char text[static CORM__TIME_SIZE]);

/* "YYYY-MM-DD HH:MM:SS", with up to six digits of a fraction, to microseconds; false where it is
 * anything else, the zero date of MariaDB too. */
bool corm__time_parse(const char *text, size_t size, int64_t *microseconds);

#endif
