/* schema/text.c -- UTF-8. */
#include "schema/text.h"

#include <stdint.h>
#include <string.h>

size_t corm__utf8_size(const char *text, size_t left)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t               size;
    unsigned long        code;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        size = 2, code = p[0] & 0x1Fu;
    else if ((p[0] & 0xF0) == 0xE0)
        size = 3, code = p[0] & 0x0Fu;
    else if (p[0] >= 0xF0 && p[0] <= 0xF4)
        size = 4, code = p[0] & 0x07u;
    else
        return 0;
    if (left < size)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3Fu);
    }
    if (size == 3 && (code < 0x800 || (code >= 0xD800 && code <= 0xDFFF)))
        return 0;
    if (size == 4 && (code < 0x10000 || code > 0x10FFFF))
        return 0;
    return size;
}

/* The high bit of each byte that is no ASCII, or (less 1) a NUL; and of one behind a NUL, maybe. */
static inline uint64_t odd_bits(const char *text)
{
    uint64_t word;

    memcpy(&word, text, sizeof(word));
    return (word | (word - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080);
}

/* Most text is ASCII without a NUL: eight bytes at a time, the last eight may be looked at twice. False
 * where it is not, or nobody has looked. */
static inline bool is_simple(const char *text, size_t size)
{
    uint64_t odd = 0;

    if (size < sizeof(odd))
        return false;
    for (size_t i = 0; i + sizeof(odd) <= size; i += sizeof(odd))
        odd |= odd_bits(text + i);
    return (odd | odd_bits(text + size - sizeof(odd))) == 0;
}

enum corm__text_fault corm__text_fault(const char *text, size_t size, size_t *characters)
{
    *characters = size;
    if (is_simple(text, size))
        return CORM__TEXT_FINE;
    if (memchr(text, '\0', size) != NULL)
        return CORM__TEXT_HAS_NUL;
    return corm__is_utf8(text, size, characters) ? CORM__TEXT_FINE : CORM__TEXT_NOT_UTF8;
}

bool corm__is_utf8(const char *text, size_t size, size_t *characters)
{
    size_t count = 0;

    if (is_simple(text, size)) {
        *characters = size;
        return true;
    }
    for (size_t i = 0; i < size;) {
        size_t n = corm__utf8_size(text + i, size - i);
        if (n == 0)
            return false;
        i += n;
        count++;
    }
    *characters = count;
    return true;
}
