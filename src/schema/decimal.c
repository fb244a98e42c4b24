/* schema/decimal.c -- exact numbers as digits. */
#include "schema/decimal.h"

#include <string.h>

static size_t digits_at(const char *p, const char *end)
{
    size_t n = 0;

    while (p + n < end && p[n] >= '0' && p[n] <= '9')
        n++;
    return n;
}

static bool is_zero(const char *form)
{
    return form[strspn(form, "-0.")] == '\0';
}

enum corm__decimal_fault corm__decimal_form(const char *text, size_t size, uint32_t length,
                                            uint32_t scale, char form[static CORM__DECIMAL_SIZE])
{
    const char *p = text, *end = text + size;
    bool        negative = p < end && *p == '-';
    char        made[CORM__DECIMAL_SIZE] = {0}, *out = made;

    p += negative;
    const char *whole = p;
    size_t      wholes = digits_at(p, end);
    p += wholes;
    bool        point = p < end && *p == '.';
    const char *fraction = p + point;
    size_t      fractions = point ? digits_at(fraction, end) : 0;
    if (wholes == 0 || (point && fractions == 0) || fraction + fractions != end)
        return CORM__DECIMAL_NO_NUMBER;
    while (wholes > 0 && *whole == '0')
        whole++, wholes--;
    while (fractions > scale && fraction[fractions - 1] == '0')
        fractions--;
    if (wholes > length - scale)
        return CORM__DECIMAL_TOO_LARGE;
    if (fractions > scale)
        return CORM__DECIMAL_TOO_PRECISE;
    if (negative)
        *out++ = '-';
    if (wholes == 0)
        *out++ = '0';
    memcpy(out, whole, wholes);
    out += wholes;
    if (scale > 0)
        *out++ = '.';
    memcpy(out, fraction, fractions);
    memset(out + fractions, '0', scale - fractions);
    out[scale] = '\0';
    size_t unsign = negative && is_zero(made); /* zero has none */
    memcpy(form, made + unsign, sizeof(made) - unsign);
    return CORM__DECIMAL_FITS;
}

int64_t corm__decimal_scaled(const char *form)
{
    int64_t n = 0;

    for (const char *p = form; *p != '\0'; p++)
        if (*p >= '0' && *p <= '9')
            n = n * 10 + (*p - '0');
    return *form == '-' ? -n : n;
}

void corm__decimal_of_scaled(int64_t scaled, uint32_t scale, char text[static CORM__DECIMAL_SIZE])
{
    uint64_t n = scaled < 0 ? 0 - (uint64_t)scaled : (uint64_t)scaled;
    char     made[CORM__DECIMAL_SIZE];
    char    *p = made + sizeof(made); /* from behind */

    *--p = '\0';
    for (uint32_t i = 0; i <= scale || n > 0; i++, n /= 10) {
        if (i == scale && scale > 0)
            *--p = '.';
        *--p = (char)('0' + n % 10);
    }
    if (scaled < 0)
        *--p = '-';
    memcpy(text, p, (size_t)(made + sizeof(made) - p));
}

int64_t corm__power_of_ten(uint32_t digits)
{
    int64_t n = 1;

    while (digits-- > 0)
        n *= 10;
    return n;
}
