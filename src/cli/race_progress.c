/* race_progress.c -- the line on a terminal while buyers buy.
 *
 *     group      ##########------   62 %  123,456/s  p99 1.93 ms  240.1 in a group
 *
 * It is written over and over on stderr, and only where that is a terminal. The bar takes what room the
 * numbers leave it; without colours it is of # and -. */
#include "race.h"

#include "terminal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_MIN = 8, BAR_MAX = 40, TEXT_SIZE = 160 };

static const char done_colour[] = "\033[42m", rest_colour[] = "\033[100m",
                  failed_colour[] = "\033[1;31m", plain[] = "\033[0m";

bool race_progress_is_wanted(const struct race_options *options)
{
    return terminal_is(STDERR_FILENO) && !options->verbose;
}

/* 1234567 as 1,234,567. */
static void grouped(int64_t n, char text[static 32])
{
    char digits[24];
    int  length = snprintf(digits, sizeof digits, "%" PRId64, n);
    int  used = 0;

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
}

/* What stands behind the bar, and how many of its bytes are no columns but colours. */
static int numbers_of(const struct race_progress *p, bool colour, char text[static TEXT_SIZE])
{
    char rate[32];
    int  used, colours = 0;

    grouped(p->seconds > 0 ? (int64_t)((double)p->told / p->seconds) : 0, rate);
    used = snprintf(text, TEXT_SIZE, " %3d %%  %s/s  p99 %.2f ms",
                    (int)(p->purchases > 0 ? p->told * 100 / p->purchases : 0), rate, p->p99_ms);
    if (p->group_size > 0)
        used +=
            snprintf(text + used, (size_t)(TEXT_SIZE - used), "  %.1f in a group", p->group_size);
    if (p->failed > 0) {
        colours = colour ? (int)(strlen(failed_colour) + strlen(plain)) : 0;
        snprintf(text + used, (size_t)(TEXT_SIZE - used), "  %s%" PRId64 " failed%s",
                 colour ? failed_colour : "", p->failed, colour ? plain : "");
    }
    return colours;
}

/* Puts a bar of so many columns at `line`. */
static char *put_bar(char *line, int columns, const struct race_progress *p, bool colour)
{
    int done = p->purchases > 0 ? (int)(p->told * columns / p->purchases) : 0;

    if (colour)
        line = stpcpy(line, done_colour);
    for (int i = 0; i < columns; i++) {
        if (colour && i == done)
            line = stpcpy(line, rest_colour);
        *line++ = colour ? ' ' : i < done ? '#' : '-';
    }
    return stpcpy(line, colour ? plain : "");
}

void race_progress_line(const struct race_progress *p, int columns, bool colour,
                        char line[static RACE_PROGRESS_SIZE])
{
    char  numbers[TEXT_SIZE];
    int   colours = numbers_of(p, colour, numbers);
    int   taken = (int)strlen(numbers) - colours;
    char *end = line + snprintf(line, RACE_PROGRESS_SIZE, "%-11s", p->mode->name);
    int   room = columns - 1 - (int)(end - line);
    int   bar = room - taken < BAR_MAX ? room - taken : BAR_MAX;

    if (bar >= BAR_MIN)
        end = put_bar(end, bar, p, colour);
    else
        bar = 0;
    /* A line that wraps could not be written over. */
    snprintf(end, (size_t)(line + RACE_PROGRESS_SIZE - end), "%.*s",
             colours == 0 && taken > room - bar ? (room > bar ? room - bar : 0) : TEXT_SIZE,
             numbers);
}

void race_progress_show(const struct race_progress *progress)
{
    char line[RACE_PROGRESS_SIZE];
    bool colour = terminal_wants_colour(STDERR_FILENO);

    race_progress_line(progress, terminal_width(STDERR_FILENO), colour, line);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
}

void race_progress_clear(void)
{
    fputs("\r\033[K", stderr);
    fflush(stderr);
}
