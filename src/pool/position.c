/* pool/position.c -- how far a server has come, and how far behind that another one is. */
#include "pool/position.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Texts ------------------------------------------------------------------------------- */

/* A number up to `max` at *text, behind which `end` stands; moves behind that. */
static bool take_number(const char **text, uint64_t max, char end, uint64_t *number)
{
    uint64_t    n = 0;
    const char *p = *text;

    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    if (p == *text || *p != end)
        return false;
    *number = n;
    *text = end != '\0' ? p + 1 : p;
    return true;
}

static bool take_gtid(const char **text, struct corm__gtid *gtid)
{
    uint64_t domain = 0, server = 0, sequence = 0;

    if (!take_number(text, UINT32_MAX, '-', &domain) ||
        !take_number(text, UINT32_MAX, '-', &server) ||
        !(take_number(text, UINT64_MAX, ',', &sequence) ||
          take_number(text, UINT64_MAX, '\0', &sequence)))
        return false;
    *gtid = (struct corm__gtid){(uint32_t)domain, (uint32_t)server, sequence};
    return true;
}

bool corm__position_read(struct corm__position *position, const char *text)
{
    struct corm__position one = {.count = 1};

    *position = (struct corm__position){0};
    while (*text != '\0') {
        if (take_gtid(&text, one.gtids) && corm__position_add(position, &one))
            continue;
        *position = (struct corm__position){0};
        return false;
    }
    return true;
}

void corm__position_write(const struct corm__position *position, char text[CORM__GTIDS_SIZE])
{
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < position->count; i++)
        used += (size_t)snprintf(text + used, CORM__GTIDS_SIZE - used,
                                 "%s%" PRIu32 "-%" PRIu32 "-%" PRIu64, i > 0 ? "," : "",
                                 position->gtids[i].domain, position->gtids[i].server,
                                 position->gtids[i].sequence);
}

/* ---- Comparing --------------------------------------------------------------------------- */

/* Its place of a domain; `count` where it has nothing of that. */
static uint32_t find(const struct corm__position *position, uint32_t domain)
{
    uint32_t i = 0;

    while (i < position->count && position->gtids[i].domain != domain)
        i++;
    return i;
}

bool corm__position_has(const struct corm__position *position, const struct corm__position *wanted)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        uint32_t at = find(position, wanted->gtids[i].domain);
        if (at == position->count || position->gtids[at].sequence < wanted->gtids[i].sequence)
            return false;
    }
    return true;
}

bool corm__position_add(struct corm__position *position, const struct corm__position *more)
{
    struct corm__position sum = *position;

    for (uint32_t i = 0; i < more->count; i++) {
        uint32_t at = find(&sum, more->gtids[i].domain);
        if (at == CORM__DOMAINS_MAX)
            return false;
        if (at == sum.count)
            sum.gtids[sum.count++] = more->gtids[i];
        else if (sum.gtids[at].sequence < more->gtids[i].sequence)
            sum.gtids[at] = more->gtids[i];
    }
    *position = sum;
    return true;
}

/* ---- What was when ----------------------------------------------------------------------- */

void corm__history_note(struct corm__history *history, int64_t at, int64_t apart,
                        const struct corm__position *position)
{
    uint64_t n = history->count;

    if (n > 0 && at - history->of[(n - 1) % CORM__HISTORY_SIZE].at < apart)
        return;
    history->of[n % CORM__HISTORY_SIZE].at = at;
    history->of[n % CORM__HISTORY_SIZE].position = *position;
    history->count++;
}

int64_t corm__history_lag(const struct corm__history  *history,
                          const struct corm__position *position)
{
    uint64_t kept = history->count < CORM__HISTORY_SIZE ? history->count : CORM__HISTORY_SIZE;

    for (uint64_t n = history->count; n > history->count - kept; n--)
        if (corm__position_has(position, &history->of[(n - 1) % CORM__HISTORY_SIZE].position))
            return history->of[(history->count - 1) % CORM__HISTORY_SIZE].at -
                   history->of[(n - 1) % CORM__HISTORY_SIZE].at;
    return -1;
}
