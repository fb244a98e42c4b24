/* schema/temporal.c -- dates and times to and from text, in the proleptic Gregorian calendar. */
#include <corm/value.h>

static const int64_t SECOND = 1000000; /* microseconds */
static const int64_t DAY = 86400;      /* seconds */

/* The largest TIME of MariaDB and MySQL. */
static const int64_t TIME_MAX = INT64_C(3020399999999);

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

/* `n` divided by `by`, downwards; *rest is what is left, never negative. */
static int64_t divide(int64_t n, int64_t by, int64_t *rest)
{
    int64_t whole = n / by;

    *rest = n % by;
    if (*rest < 0) {
        *rest += by;
        whole--;
    }
    return whole;
}

/* ---- To text --------------------------------------------------------------- */

/* The last `digits` digits of `n`, zeros in front; and the place behind them. */
static char *put_number(char *text, int64_t n, int digits)
{
    for (int i = digits; i-- > 0; n /= 10)
        text[i] = (char)('0' + n % 10);
    return text + digits;
}

/* The date that lies `days` behind 1970-01-01; false outside the years 1 to 9999. */
static bool put_date(int64_t days, char text[static CORM_DATE_SIZE])
{
    days += DAYS_TO_1970;
    if (days < 0 || days >= days_before_year(10000))
        return false;
    int64_t year = days * 400 / 146097 + 1; /* of a mean length: a year off at most */
    while (days_before_year(year) > days)
        year--;
    while (days_before_year(year + 1) <= days)
        year++;
    int day = (int)(days - days_before_year(year)) + 1;
    int month = 1;
    while (day > days_of_month(year, month)) {
        day -= days_of_month(year, month);
        month++;
    }
    text = put_number(text, year, 4);
    *text++ = '-';
    text = put_number(text, month, 2);
    *text++ = '-';
    *put_number(text, day, 2) = '\0';
    return true;
}

static void put_time(char *text, int64_t second, int64_t fraction, int digits_of_hours)
{
    text = put_number(text, second / 3600, digits_of_hours);
    *text++ = ':';
    text = put_number(text, second / 60 % 60, 2);
    *text++ = ':';
    text = put_number(text, second % 60, 2);
    *text++ = '.';
    *put_number(text, fraction, 6) = '\0';
}

bool corm_date_format(int64_t microseconds, char text[CORM_DATE_SIZE])
{
    int64_t rest, days = divide(microseconds, DAY * SECOND, &rest);

    return rest == 0 && put_date(days, text);
}

bool corm_datetime_format(int64_t microseconds, char text[CORM_DATETIME_SIZE])
{
    int64_t rest, fraction, days = divide(microseconds, DAY * SECOND, &rest);
    int64_t second = divide(rest, SECOND, &fraction);

    if (!put_date(days, text))
        return false;
    text[CORM_DATE_SIZE - 1] = ' ';
    put_time(text + CORM_DATE_SIZE, second, fraction, 2);
    return true;
}

bool corm_time_format(int64_t microseconds, char text[CORM_TIME_SIZE])
{
    if (microseconds < -TIME_MAX || microseconds > TIME_MAX)
        return false;
    int64_t fraction,
        second = divide(microseconds < 0 ? -microseconds : microseconds, SECOND, &fraction);
    if (microseconds < 0)
        *text++ = '-';
    put_time(text, second, fraction, second < 100 * 3600 ? 2 : 3);
    return true;
}

/* ---- From text ------------------------------------------------------------- */

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

/* Days since 1970. */
static bool take_date(const char **p, const char *end, int64_t *days)
{
    int64_t year, month, day;

    if ((year = number(p, end, 4)) < 1 || !skip(p, end, '-') || (month = number(p, end, 2)) < 1 ||
        month > 12 || !skip(p, end, '-') || (day = number(p, end, 2)) < 1 ||
        day > days_of_month(year, (int)month))
        return false;
    *days = days_before_year(year) - DAYS_TO_1970 + day - 1;
    for (int m = 1; m < (int)month; m++)
        *days += days_of_month(year, m);
    return true;
}

/* What stands behind the hours: ":MM:SS" and the fraction, to the end; microseconds. */
static bool take_rest(const char **p, const char *end, int64_t *microseconds)
{
    int64_t minute, second, fraction = 0;

    if (!skip(p, end, ':') || (minute = number(p, end, 2)) < 0 || minute > 59 ||
        !skip(p, end, ':') || (second = number(p, end, 2)) < 0 || second > 59)
        return false;
    if (skip(p, end, '.')) {
        int64_t digits = end - *p;
        if (digits < 1 || digits > 6 || (fraction = number(p, end, (int)digits)) < 0)
            return false;
        for (int64_t i = digits; i < 6; i++)
            fraction *= 10;
    }
    *microseconds = (minute * 60 + second) * SECOND + fraction;
    return *p == end;
}

bool corm_date_parse(const char *text, size_t size, int64_t *microseconds)
{
    const char *p = text, *end = text + size;
    int64_t     days;

    if (!take_date(&p, end, &days) || p != end)
        return false;
    *microseconds = days * DAY * SECOND;
    return true;
}

bool corm_datetime_parse(const char *text, size_t size, int64_t *microseconds)
{
    const char *p = text, *end = text + size;
    int64_t     days, hour, rest;

    if (!take_date(&p, end, &days) || !skip(&p, end, ' ') || (hour = number(&p, end, 2)) < 0 ||
        hour > 23 || !take_rest(&p, end, &rest))
        return false;
    *microseconds = (days * DAY + hour * 3600) * SECOND + rest;
    return true;
}

bool corm_time_parse(const char *text, size_t size, int64_t *microseconds)
{
    const char *p = text, *end = text + size;
    bool        negative = skip(&p, end, '-');
    int64_t     hour, rest;
    int         digits = end - p > 2 && p[2] != ':' ? 3 : 2;

    if ((hour = number(&p, end, digits)) < 0 || !take_rest(&p, end, &rest))
        return false;
    int64_t time = hour * 3600 * SECOND + rest;
    if (time > TIME_MAX)
        return false;
    *microseconds = negative ? -time : time;
    return true;
}
