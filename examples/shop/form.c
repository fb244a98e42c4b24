/* form.c -- a form has numbers and a UUID and nothing else, so no value of it needs to be decoded: what is encoded is
 * refused as no number. */
#include "form.h"

#include <string.h>

enum { PIECES_MAX = 1000 };

struct text {
    const char *data;
    size_t      size;
};

/* Cuts what is in front of `at` off, and `at` with it. */
static struct text cut(struct text *rest, char at)
{
    const char *end = rest->size == 0 ? NULL : memchr(rest->data, at, rest->size);
    struct text front = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->size};
    size_t      gone = front.size + (end != NULL);

    *rest = (struct text){gone == 0 ? rest->data : rest->data + gone, rest->size - gone};
    return front;
}

static bool is(struct text text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* Digits alone. */
static bool read_number(struct text text, int32_t least, int32_t most, int32_t *number)
{
    int64_t n = 0;

    if (text.size == 0 || text.size > 10)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        n = n * 10 + (text.data[i] - '0');
    }
    *number = (int32_t)n;
    return n >= least && n <= most;
}

const char *read_order(const char *data, size_t size, struct order *want)
{
    struct text text = {data, size};
    unsigned    seen = 0, field;
    bool        ok;

    while (text.size > 0) {
        struct text value = cut(&text, '&');
        struct text name = cut(&value, '=');
        if (is(name, "product")) {
            field = 1;
            ok = read_number(value, 1, INT32_MAX, &want->product_id);
        } else if (is(name, "pieces")) {
            field = 2;
            ok = read_number(value, 1, PIECES_MAX, &want->pieces);
        } else if (is(name, "buyer")) {
            field = 4;
            ok = read_number(value, 1, INT32_MAX, &want->buyer);
        } else if (is(name, "order")) {
            field = 8;
            ok = corm_uuid_parse(value.data, value.size, &want->number);
        } else {
            return "the fields of the form are product, pieces, buyer and order, and no other one";
        }
        if (!ok)
            return field == 1   ? "product: a number from 1 to 2147483647 is wanted"
                   : field == 2 ? "pieces: a number from 1 to 1000 is wanted"
                   : field == 4 ? "buyer: a number from 1 to 2147483647 is wanted"
                                : "order: a UUID of your own making is wanted, a new one for each "
                                  "order, the same one when you send it again";
        if (seen & field)
            return "a field is there twice";
        seen |= field;
    }
    return seen == 15 ? NULL : "the fields product, pieces, buyer and order are wanted, all four";
}
