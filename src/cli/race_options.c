/* race_options.c -- the command line of `corm race`, as data.
 *
 * Every number is checked against its bounds here, and nowhere else. A message names the option and
 * what it takes; the URL is never repeated, because it may hold a password. */
#include "race.h"

#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUYERS_MAX = 10000,
    PURCHASES_MAX = 10000000, /* a latency is kept of each */
    PRODUCTS_MAX = 10000,
    STOCK_MAX = 1000000000,
    QTY_MAX = 1000000,
    CONNECTIONS_MAX = 1000
};

enum option {
    OPT_URL = 1,
    OPT_BUYERS,
    OPT_PURCHASES,
    OPT_PRODUCTS,
    OPT_STOCK,
    OPT_QTY,
    OPT_SEED,
    OPT_CONNECTIONS,
    OPT_MODE,
    OPT_JSON,
    OPT_REPORT,
    OPT_VERBOSE,
    OPT_REPLACE,
    OPT_RANDOM_NODES,
    OPT_HELP
};

static const struct poptOption option_table[] = {
    {"url", '\0', POPT_ARG_STRING, NULL, OPT_URL,
     "the database: mariadb://user:password@host:3306/shop, sqlite:shop.db, or env for what"
     " DATABASE_URL or DB_* say; default: an SQLite file in a temporary folder",
     "URL"},
    {"mode", '\0', POPT_ARG_STRING, NULL, OPT_MODE,
     "naive, lock, guarded, optimistic, group (default), or all, one after the other", "MODE"},
    {"buyers", '\0', POPT_ARG_STRING, NULL, OPT_BUYERS,
     "who buy, 1 to 10000 (default 500): as many purchases are under way at once, in a thread each,"
     " or submitted by one thread in the mode group",
     "N"},
    {"purchases", '\0', POPT_ARG_STRING, NULL, OPT_PURCHASES,
     "purchases of all buyers together, 1 to 10000000 (default: one each)", "N"},
    {"products", '\0', POPT_ARG_STRING, NULL, OPT_PRODUCTS,
     "products to choose from, 1 to 10000 (default 1)", "N"},
    {"stock", '\0', POPT_ARG_STRING, NULL, OPT_STOCK,
     "pieces of each product, 0 to 1000000000 (default: 10 for each buyer)", "N"},
    {"qty", '\0', POPT_ARG_STRING, NULL, OPT_QTY,
     "pieces of a purchase, 1 to 1000000 (default 1-30)", "A-B"},
    {"seed", '\0', POPT_ARG_STRING, NULL, OPT_SEED, "decides which purchase wants what (default 1)",
     "N"},
    {"connections", '\0', POPT_ARG_STRING, NULL, OPT_CONNECTIONS,
     "the URL's pool=, 1 to 1000 (default 16)", "N"},
    {"replace", '\0', POPT_ARG_NONE, NULL, OPT_REPLACE,
     "drop the tables product and order even if they hold what no race put there", NULL},
    {"random-nodes", '\0', POPT_ARG_NONE, NULL, OPT_RANDOM_NODES,
     "in the mode group, on several nodes: let chance decide which node a purchase runs on, not its"
     " key",
     NULL},
    {"json", '\0', POPT_ARG_NONE, NULL, OPT_JSON, "print one JSON object a line for each mode",
     NULL},
    {"report", '\0', POPT_ARG_STRING, NULL, OPT_REPORT,
     "also write a page of HTML with the same numbers as pictures, which needs nothing but a browser; it"
     " takes the place of an older one when all modes are done",
     "FILE"},
    {"verbose", '\0', POPT_ARG_NONE, NULL, OPT_VERBOSE,
     "show on stderr each statement that is sent", NULL},
    {"help", 'h', POPT_ARG_NONE, NULL, OPT_HELP, "print this", NULL},
    POPT_TABLEEND};

/* What the line said, before it is put together. */
struct given {
    char   *url;
    int32_t stock; /* -1: not given; purchases, too */
    int32_t purchases;
    bool    help;
};

/* ---- Words to values ------------------------------------------------------ */

static int wrong(const char *option, const char *word, const char *wanted)
{
    fprintf(stderr, "corm race: --%s: '%s' is not %s\n", option, cli_shown(word), wanted);
    return CLI_USAGE;
}

/* Digits only: no sign, no blanks, no 0x. On failure *end may be anything. */
static bool digits(const char *word, char **end, uint64_t *out)
{
    if (word[0] < '0' || word[0] > '9')
        return false;
    errno = 0;
    *out = strtoull(word, end, 10);
    return errno == 0;
}

static int read_int(const char *option, const char *word, int32_t min, int32_t max, int32_t *out)
{
    char     wanted[64];
    char    *end;
    uint64_t number;

    if (digits(word, &end, &number) && *end == '\0' && number >= (uint64_t)min &&
        number <= (uint64_t)max) {
        *out = (int32_t)number;
        return 0;
    }
    snprintf(wanted, sizeof wanted, "a number from %" PRId32 " to %" PRId32, min, max);
    return wrong(option, word, wanted);
}

static int read_qty(const char *word, struct race_options *options)
{
    char    *end;
    uint64_t min = 0;
    uint64_t max;
    bool     fine = digits(word, &end, &min);

    max = min; /* A alone */
    if (fine && *end == '-')
        fine = digits(end + 1, &end, &max);
    if (!fine || *end != '\0' || min < 1 || max < min || max > QTY_MAX)
        return wrong("qty", word, "A or A-B, with 1 <= A <= B <= 1000000; as in --qty 1-30");
    options->qty_min = (int32_t)min;
    options->qty_max = (int32_t)max;
    return 0;
}

static int read_seed(const char *word, uint64_t *seed)
{
    char *end;

    if (digits(word, &end, seed) && *end == '\0')
        return 0;
    return wrong("seed", word, "a number from 0 to 18446744073709551615");
}

static int read_report(const char *word, struct race_options *options)
{
    if (word[0] == '\0')
        return wrong("report", word, "a file");
    free(options->report);
    options->report = strdup(word);
    return options->report == NULL ? CLI_DATABASE : 0;
}

static int read_mode(const char *word, unsigned *modes)
{
    if (strcmp(word, "all") == 0) {
        *modes = (1U << RACE_MODE_COUNT) - 1;
        return 0;
    }
    for (unsigned i = 0; i < RACE_MODE_COUNT; i++) {
        if (strcmp(word, race_modes[i].name) == 0) {
            *modes = 1U << i;
            return 0;
        }
    }
    return wrong("mode", word, "one of naive, lock, guarded, optimistic, group and all");
}

/* ---- The line ------------------------------------------------------------- */

static int read_option(enum option which, const char *word, struct race_options *options,
                       struct given *given)
{
    switch (which) {
    case OPT_URL:
        free(given->url);
        given->url = strdup(word);
        return given->url == NULL ? CLI_DATABASE : 0;
    case OPT_MODE: return read_mode(word, &options->modes);
    case OPT_BUYERS: return read_int("buyers", word, 1, BUYERS_MAX, &options->buyers);
    case OPT_PURCHASES: return read_int("purchases", word, 1, PURCHASES_MAX, &given->purchases);
    case OPT_PRODUCTS: return read_int("products", word, 1, PRODUCTS_MAX, &options->products);
    case OPT_STOCK: return read_int("stock", word, 0, STOCK_MAX, &given->stock);
    case OPT_QTY: return read_qty(word, options);
    case OPT_SEED: return read_seed(word, &options->seed);
    case OPT_CONNECTIONS:
        return read_int("connections", word, 1, CONNECTIONS_MAX, &options->connections);
    case OPT_REPLACE: options->replace = true; return 0;
    case OPT_RANDOM_NODES: options->random_nodes = true; return 0;
    case OPT_JSON: options->json = true; return 0;
    case OPT_REPORT: return read_report(word, options);
    case OPT_VERBOSE: options->verbose = true; return 0;
    case OPT_HELP: given->help = true; return 0;
    }
    return CLI_USAGE;
}

static int read_line(poptContext context, struct race_options *options, struct given *given)
{
    int which;

    while ((which = poptGetNextOpt(context)) > 0) {
        char *word = poptGetOptArg(context);
        int   code = read_option((enum option)which, word, options, given);
        free(word);
        if (code != 0)
            return code;
    }
    if (which < -1) {
        fprintf(stderr, "corm race: %s: %s; see corm race --help\n",
                cli_shown(poptBadOption(context, POPT_BADOPTION_NOALIAS)), poptStrerror(which));
        return CLI_USAGE;
    }
    if (poptPeekArg(context) != NULL && !given->help) {
        fprintf(stderr,
                "corm race: '%s' is not an option, a URL goes behind --url; see corm race --help\n",
                cli_shown(poptPeekArg(context)));
        return CLI_USAGE;
    }
    return 0;
}

/* ---- The URL -------------------------------------------------------------- */

/* Whether the URL says pool= itself. */
static bool has_pool(const char *url)
{
    const char *p = strchr(url, '?');

    for (; p != NULL; p = strchr(p, '&')) {
        p++;
        if (strncmp(p, "pool=", 5) == 0)
            return true;
    }
    return false;
}

static char *with_pool(const char *url, int32_t connections)
{
    size_t      size = strlen(url) + sizeof "?pool=1000";
    char       *longer = malloc(size);
    const char *question = strchr(url, '?');
    const char *joint = question == NULL ? "?" : question[1] == '\0' ? "" : "&";

    if (longer != NULL)
        snprintf(longer, size, "%s%spool=%" PRId32, url, joint, connections);
    return longer;
}

/* Why --connections may not stand beside this URL; NULL: it may. */
static const char *pool_elsewhere(const char *url)
{
    if (url == NULL)
        return NULL;
    if (strcmp(url, "env") == 0)
        return "with --url env the environment says how many: leave --connections out, or put"
               " pool=N into DATABASE_URL";
    return has_pool(url) ? "the URL has a pool= of its own: leave one of the two out" : NULL;
}

/* Without --connections nothing is added: the library's own default is 16, and 1 in memory. */
static int settle_url(struct race_options *options, const char *url)
{
    const char *why = pool_elsewhere(url);

    if (why != NULL && options->connections > 0) {
        fprintf(stderr, "corm race: --connections: %s\n", why);
        return CLI_USAGE;
    }
    options->scratch = url == NULL;
    if (options->scratch || strcmp(url, "env") == 0)
        return 0;
    options->url = options->connections > 0 ? with_pool(url, options->connections) : strdup(url);
    return options->url == NULL ? CLI_DATABASE : 0;
}

static int settle(struct race_options *options, const struct given *given)
{
    int code = settle_url(options, given->url);

    if (code == CLI_DATABASE)
        fprintf(stderr, "corm race: out of memory\n");
    options->purchases = given->purchases > 0 ? given->purchases : options->buyers;
    options->stock = given->stock >= 0 ? given->stock : 10 * options->buyers;
    return code;
}

/* ---- The surface ---------------------------------------------------------- */

static poptContext context_of(int argc, const char **argv)
{
    return poptGetContext(NULL, argc, argv, option_table, 0);
}

void race_help(void)
{
    const char *argv[] = {"corm race", NULL};
    poptContext context = context_of(1, argv);

    printf("Buyers race for the stock of a few products; afterwards the database is asked whether\n"
           "what left the stock is what was ordered, and whether all buyers were told the truth.\n"
           "\n");
    if (context != NULL)
        poptPrintHelp(context, stdout, 0);
    poptFreeContext(context);
    printf("\n"
           "Modes:\n");
    for (int i = 0; i < RACE_MODE_COUNT; i++)
        printf("  %-10s %s\n", race_modes[i].name, race_modes[i].about);
    printf(
        "Each mode drops and makes the tables product and order, and leaves them in the database.\n"
        "It stops short of that when they hold rows that no race put there; see --replace.\n"
        "\n"
        "With --json a line has the keys mode buyers purchases products stock_before stock_after\n"
        "bought refused failed pieces_bought order_rows order_pieces oversold invariant seconds\n"
        "purchases_per_second p50_ms p99_ms round_trips attempts group_size_mean p90_ms max_ms\n"
        "groups; failures, a list of [code, how many]; waits, a list of [ms, how many waited less,\n"
        "but not less than the ms before]; timeline, with lists of what came to bought, refused,\n"
        "failed, pieces, groups and members in each slice of slice_ms; and group_sizes, a list of\n"
        "[members, how many groups had so many or less, but more than the members before].\n"
        "On a cluster also nodes random_nodes write_sets conflicts.\n"
        "\n"
        "On a terminal a line on stderr shows how far it is, without colours where NO_COLOR is\n"
        "set; in a pipe, and with --verbose, there is none.\n"
        "\n"
        "A password in --url can be seen by other users of this machine; one in DATABASE_URL\n"
        "with --url env cannot.\n"
        "\n"
        "Exit codes: 0 the invariant held and nothing failed (naive may do as it likes),\n"
        "1 it did not hold, or a purchase failed, or stdout or the report could not be written,\n"
        "2 wrong use, or the report could not be begun, 3 the database could not be reached or\n"
        "used, or memory or threads ran out, 130 Ctrl-C.\n");
}

int race_options_read(struct race_options *options, int argc, const char **argv)
{
    struct given given = {.stock = -1, .purchases = -1};
    poptContext  context = context_of(argc, argv);
    int          code;

    *options = (struct race_options){
        .buyers = 500,
        .products = 1,
        .qty_min = 1,
        .qty_max = 30,
        .seed = 1,
        .modes = 1U << RACE_MODE_DEFAULT,
    };
    if (context == NULL) {
        fprintf(stderr, "corm race: out of memory\n");
        return CLI_DATABASE;
    }
    code = read_line(context, options, &given);
    if (code == 0 && given.help)
        race_help();
    else if (code == 0)
        code = settle(options, &given);
    free(given.url);
    poptFreeContext(context);
    if (code != 0) {
        race_options_free(options);
        return code;
    }
    return given.help ? CLI_FINE : -1;
}

void race_options_free(struct race_options *options)
{
    free(options->url);
    options->url = NULL;
    free(options->report);
    options->report = NULL;
}
