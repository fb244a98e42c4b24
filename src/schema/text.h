/* schema/text.h -- what is text: UTF-8. */
#ifndef CORM_SCHEMA_TEXT_H
#define CORM_SCHEMA_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* How many bytes the character takes that `text` begins with, of `left` that are there, at least 1; 0 where
 * it begins with none. */
size_t corm__utf8_size(const char *text, size_t left);

/* Whether `text` is UTF-8 (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF); `characters`
 * is how many there are. */
bool corm__is_utf8(const char *text, size_t size, size_t *characters);

/* Why something is no text, a NUL in it first; `characters` as above where it is one. */
enum corm__text_fault { CORM__TEXT_FINE, CORM__TEXT_HAS_NUL, CORM__TEXT_NOT_UTF8 };
enum corm__text_fault corm__text_fault(const char *text, size_t size, size_t *characters);

#endif
