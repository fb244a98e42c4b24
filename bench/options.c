/* options.c -- the command line of the bench's programs. */
#include "options.h"

#include "shop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 32 };

/* ---- words to values --------------------------------------------------------------------- */

/* Behind a message: ends the program. */
__attribute__((noreturn)) static void wrong_use(void)
{
    fputs(" (--help tells more)\n", stderr);
    exit(2);
}

#define WRONG(...) (fprintf(stderr, "%s: ", program), fprintf(stderr, __VA_ARGS__), wrong_use())

bool parse_whole(const char *text, const char *end, int64_t low, int64_t high, int64_t *out)
{
    char *stop;

    if (text == end || *text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoll(text, &stop, 10);
    return errno == 0 && stop == end && *out >= low && *out <= high;
}

static int64_t whole(const char *name, const char *text, int64_t low, int64_t high)
{
    int64_t number = 0;

    if (!parse_whole(text, text + strlen(text), low, high, &number))
        WRONG("--%s wants a whole number from %" PRId64 " to %" PRId64, name, low, high);
    return number;
}

static void take_qty(const char *text, struct demand *demand)
{
    const char *end = text + strlen(text);
    const char *dash = strchr(text, '-');
    int64_t     low = 0;
    int64_t     high = 0;

    if (!parse_whole(text, dash == NULL ? end : dash, 1, MAX_QTY, &low) ||
        !parse_whole(dash == NULL ? text : dash + 1, end, low, MAX_QTY, &high))
        WRONG("--qty wants A-B or A, with 1 <= A <= B <= %d", MAX_QTY);
    demand->qty_min = (int)low;
    demand->qty_max = (int)high;
}

bool enough_for_all(const struct demand *demand)
{
    return (int64_t)demand->purchases * demand->qty_max <= demand->stock;
}

static void settle_stock(struct demand *demand)
{
    int64_t enough = (int64_t)demand->purchases * demand->qty_max;

    if (demand->stock >= 0)
        return;
    if (enough > INT32_MAX)
        die("a stock for %d purchases of up to %d pieces does not fit an INT: give --stock",
            demand->purchases, demand->qty_max);
    demand->stock = (int)enough;
}

/* ---- the line ----------------------------------------------------------------------------- */

static void help(const char *usage, const struct option_row *rows)
{
    printf("usage: %s %s\n", program, usage);
    for (; rows->name != NULL; rows++) {
        char head[64];
        snprintf(head, sizeof head, "--%s%s%s", rows->name, rows->value != NULL ? " " : "",
                 rows->value != NULL ? rows->value : "");
        printf("  %-24s %s\n", head, rows->about);
    }
    printf("The tables that it uses are dropped and made anew, `product` and `order` among them.\n"
           "Ends with 1 when a purchase failed, or the tables disagree with what was told.\n");
    exit(0);
}

static void take(const struct option_row *row, const char *word, struct demand *demand)
{
    if (row->flag != NULL)
        *row->flag = true;
    else if (row->text != NULL)
        *row->text = word;
    else if (row->number != NULL)
        *row->number = (int)whole(row->name, word, row->low, row->high);
    else if (strcmp(row->name, "qty") == 0)
        take_qty(word, demand);
    else
        demand->seed = (uint64_t)whole(row->name, word, 0, INT64_MAX);
}

static void read_line(int argc, char **argv, const char *usage, const struct option_row *rows,
                      struct demand *demand)
{
    for (int i = 1; i < argc; i++) {
        const char              *word = argv[i];
        const struct option_row *row = rows;

        if (strcmp(word, "--help") == 0)
            help(usage, rows);
        if (strncmp(word, "--", 2) != 0)
            WRONG("%s is not an option", strpbrk(word, ":@") != NULL ? "(a URL)" : word);
        while (row->name != NULL && strcmp(row->name, word + 2) != 0)
            row++;
        if (row->name == NULL)
            WRONG("there is no %s", word);
        if (row->value != NULL && i + 1 == argc)
            WRONG("--%s wants %s", row->name, row->value);
        take(row, row->value != NULL ? argv[++i] : "", demand);
    }
}

struct demand usual_demand(void)
{
    return (struct demand){
        .purchases = 10000, .products = 1, .stock = -1, .qty_min = 1, .qty_max = 30, .seed = 1};
}

void read_options(int argc, char **argv, const char *usage, const struct option_row *rows,
                  struct demand *demand)
{
    struct demand     none = usual_demand();
    struct demand    *d = demand != NULL ? demand : &none;
    struct option_row common[] = {
        {"purchases", "N", "together (10000)", &d->purchases, 1, MAX_PURCHASES, NULL, NULL},
        {"products", "K", "chosen from evenly (1)", &d->products, 1, MAX_PRODUCTS, NULL, NULL},
        {"stock", "S", "of each product (enough for all)", &d->stock, 0, INT32_MAX, NULL, NULL},
        {"qty", "A-B", "pieces a purchase (1-30)", NULL, 0, 0, NULL, NULL},
        {"in-turn", NULL, "not at random: one product after the other, each by as many buyers",
         NULL, 0, 0, NULL, &d->in_turn},
        {"seed", "X", "what is bought depends on this alone (1)", NULL, 0, 0, NULL, NULL},
        {"json", NULL, "one JSON object on a line", NULL, 0, 0, NULL, &d->json},
    };
    struct option_row all[ROWS_MAX + 1] = {{0}};
    size_t            n = 0;

    for (; rows->name != NULL && n < ROWS_MAX; rows++)
        all[n++] = *rows;
    for (size_t i = 0; demand != NULL && i < sizeof common / sizeof common[0] && n < ROWS_MAX; i++)
        all[n++] = common[i];
    read_line(argc, argv, usage, all, d);
    settle_stock(d);
}
