/* schema/json.c -- whether a text is JSON. No value is made of it.
 *
 * A loop over values: an array or object that opens goes onto the stack `open` and its first value is
 * read; behind a value close those that end there, and a `,` leads to the next value. */
#include "schema/json.h"

#include <string.h>

struct reader {
    const char *p, *end;
};

static bool is_one_of(const char *characters, char c)
{
    return c != '\0' && strchr(characters, c) != NULL;
}

static void skip_space(struct reader *r)
{
    while (r->p < r->end && is_one_of(" \t\n\r", *r->p))
        r->p++;
}

static bool take(struct reader *r, char c)
{
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static bool take_word(struct reader *r, const char *word)
{
    size_t size = strlen(word);

    if ((size_t)(r->end - r->p) < size || memcmp(r->p, word, size) != 0)
        return false;
    r->p += size;
    return true;
}

static bool take_digits(struct reader *r)
{
    const char *start = r->p;

    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return r->p > start;
}

static bool take_number(struct reader *r)
{
    (void)take(r, '-');
    if (!take(r, '0') && !take_digits(r))
        return false;
    if (take(r, '.') && !take_digits(r))
        return false;
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            (void)take(r, '-');
        return take_digits(r);
    }
    return true;
}

static bool take_escape(struct reader *r)
{
    static const char hexadecimal[] = "0123456789abcdefABCDEF";

    if (r->p == r->end || !is_one_of("\"\\/bfnrtu", *r->p))
        return false;
    if (*r->p++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, r->p++)
        if (r->p == r->end || !is_one_of(hexadecimal, *r->p))
            return false;
    return true;
}

static bool take_string(struct reader *r)
{
    if (!take(r, '"'))
        return false;
    while (r->p < r->end && *r->p != '"') {
        if ((unsigned char)*r->p < 0x20)
            return false;
        if (*r->p++ == '\\' && !take_escape(r))
            return false;
    }
    return take(r, '"');
}

static bool take_scalar(struct reader *r)
{
    if (r->p < r->end && *r->p == '"')
        return take_string(r);
    return take_word(r, "true") || take_word(r, "false") || take_word(r, "null") || take_number(r);
}

/* The name of a member, and the `:`. */
static bool take_name(struct reader *r)
{
    skip_space(r);
    if (!take_string(r))
        return false;
    skip_space(r);
    return take(r, ':');
}

bool corm__is_json(const char *text, size_t size)
{
    struct reader r = {text, text + size};
    char          open[CORM__JSON_DEPTH];
    size_t        depth = 0;

    for (;;) {
        skip_space(&r);
        char c = r.p < r.end ? *r.p : '\0';
        if (c == '[' || c == '{') {
            if (depth == sizeof(open))
                return false;
            open[depth++] = c;
            r.p++;
            skip_space(&r);
            bool empty = r.p < r.end && *r.p == (c == '[' ? ']' : '}');
            if (!empty && c == '{' && !take_name(&r))
                return false;
            if (!empty)
                continue;
        } else if (!take_scalar(&r)) {
            return false;
        }
        /* behind a value, or in front of the end of an empty array or object */
        for (skip_space(&r); depth > 0 && take(&r, open[depth - 1] == '[' ? ']' : '}'); depth--)
            skip_space(&r);
        if (depth == 0)
            return r.p == r.end;
        if (!take(&r, ',') || (open[depth - 1] == '{' && !take_name(&r)))
            return false;
    }
}
