/* schema/text.c -- UTF-8, and datetime to and from text in the proleptic Gregorian calendar. */
#include "schema/text.h"

#include <stdio.h>
#include <string.h>

/* The size of the character at p, of which `left` bytes are there; 0 where it is none. */
static size_t utf8_size(const unsigned char *p, size_t left)
{
    size_t        size;
    unsigned long code;

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

bool corm__is_utf8(const char *text, size_t size, size_t *characters)
{
    size_t count = 0;

    for (size_t i = 0; i < size;) {
        size_t n = utf8_size((const unsigned char *)text + i, size - i);
        if (n == 0)
            return false;
        i += n;
        count++;
    }
    *characters = count;
    return true;
}

static const int64_t DAY = 86400;

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 0001-01-01 to January the first of `year`. */
static int64_t days_before_year(int64_t year)
{
    int64_t y = year - 1;

    return y * 365 + y / 4 - y / 100 + y / 400;
}

static const int64_t DAYS_TO_1970 = 719162; /* days_before_year(1970) */

bool corm__time_format(int64_t microseconds, char text[static CORM__TIME_SIZE])
{
    int64_t fraction = microseconds % 1000000;
    int64_t seconds = microseconds / 1000000;

    if (fraction < 0) {
        fraction += 1000000;
        seconds--;
    }
    int64_t second_of_day = seconds % DAY;
    int64_t days = seconds / DAY + DAYS_TO_1970;
    if (second_of_day < 0) {
        second_of_day += DAY;
        days--;
    }
    if (days < 0 || days >= days_before_year(10000))
        return false;
    int64_t year = days / 366 + 1; /* not too late; at most 7 years too early */
    while (days_before_year(year + 1) <= days)
        year++;
    int day = (int)(days - days_before_year(year)) + 1;
    int month = 1;
    while (day > days_of_month(year, month)) {
        day -= days_of_month(year, month);
        month++;
    }
    (void)snprintf(text, CORM__TIME_SIZE, "%04u-%02u-%02u %02u:%02u:%02u.%06u",
                   (unsigned)year % 10000, (unsigned)month % 100, (unsigned)day % 100,
                   (unsigned)(second_of_day / 3600) % 100, (unsigned)(second_of_day / 60 % 60),
                   (unsigned)(second_of_day % 60), (unsigned)fraction % 1000000);
    return true;
}

/* The `digits` digits at *p as a number, and *p behind them; -1 where there are others. */
static int64_t number(const char **p, const char *end, int digits)
{
    int64_t n = 0;

    for (int i = 0; i < digits; i++, (*p)++) {
        if (*p == end || **p < '0' || **p > '9')
            return -1;
        n = n * 10 + (**p - '0');
    }
    return n;
}

static bool skip(const char **p, const char *end, char c)
{
    if (*p == end || **p != c)
        return false;
    (*p)++;
    return true;
}

bool corm__time_parse(const char *text, size_t size, int64_t *microseconds)
{
    const char *p = text, *end = text + size;
    int64_t     year, month, day, hour, minute, second, fraction = 0;

    if ((year = number(&p, end, 4)) < 1 || !skip(&p, end, '-') ||
        (month = number(&p, end, 2)) < 1 || month > 12 || !skip(&p, end, '-') ||
        (day = number(&p, end, 2)) < 1 || day > days_of_month(year, (int)month) ||
        !skip(&p, end, ' ') || (hour = number(&p, end, 2)) < 0 || hour > 23 ||
        !skip(&p, end, ':') || (minute = number(&p, end, 2)) < 0 || minute > 59 ||
        !skip(&p, end, ':') || (second = number(&p, end, 2)) < 0 || second > 59)
        return false;
    if (skip(&p, end, '.')) {
        int digits = (int)(end - p);
        if (digits < 1 || digits > 6 || (fraction = number(&p, end, digits)) < 0)
            return false;
        for (int i = digits; i < 6; i++)
            fraction *= 10;
    }
    if (p != end)
        return false;
    int64_t days = days_before_year(year) - DAYS_TO_1970 + day - 1;
    for (int m = 1; m < (int)month; m++)
        days += days_of_month(year, m);
    *microseconds = ((days * 24 + hour) * 60 + minute) * 60 * 1000000 + second * 1000000 + fraction;
    return true;
}
