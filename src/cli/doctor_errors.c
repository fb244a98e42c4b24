/* doctor_errors.c -- `corm doctor --errors`: what corm does about each failure, by the place where it
 * was met. */
#include "doctor.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const drivers[] = {"corm", "mariadb", "sqlite"};
static const char *const titles[] = {
    "Codes of corm, wherever they come from",
    "Codes of MariaDB, MySQL and their client library; others are CORM_SERVER_ERROR",
    "Codes of SQLite; others are CORM_SERVER_ERROR",
};
enum { DRIVERS = sizeof drivers / sizeof drivers[0] };

/* ---- As a table -------------------------------------------------------------- */

/* The verdict in one word, which a column has room for. */
static const char *word_of(enum corm_verdict verdict)
{
    switch (verdict) {
    case CORM_RUN_AGAIN: return "again";
    case CORM_RUN_ELSEWHERE: return "elsewhere";
    case CORM_RESOLVE: return "resolve";
    case CORM_FUNCTIONS_OWN: return "function";
    case CORM_CALLERS_OWN: return "caller";
    case CORM_FATAL: return "fatal";
    }
    return "?";
}

/* Of a column of verdicts; the last one ends the line. */
static int width_of(int place)
{
    return place == CORM_PLACES - 1 ? 0 : 9;
}

static void print_rule(const struct corm_error_rule *rule)
{
    if (rule->server_name != NULL)
        printf("%5d  %-43s  ", rule->server_code, rule->server_name);
    printf("%-25s", corm_code_name(rule->code));
    for (int place = 0; place < CORM_PLACES; place++)
        printf("  %-*s", width_of(place), word_of(rule->verdicts[place]));
    putchar('\n');
}

static void print_head(int driver)
{
    printf("%s%s\n\n", driver == 0 ? "" : "\n", titles[driver]);
    if (driver != 0)
        printf("%5s  %-43s  ", "code", "name");
    printf("%-25s", "corm's code");
    for (int place = 0; place < CORM_PLACES; place++)
        printf("  %-*s", width_of(place), corm_place_text((enum corm_place)place));
    putchar('\n');
}

void doctor_print_errors(void)
{
    struct corm_error_rule rule;

    puts(
        "What is done about a failure, by the place where it was met:\n"
        "\n"
        "  again      nothing of it is in the database: the whole function runs again\n"
        "  elsewhere  the same on another node; where there is none the caller is told\n"
        "  resolve    it may have been committed: the ledger is asked; where that does not answer it is\n"
        "             CORM_UNKNOWN, and never run again\n"
        "  function   the statement failed; the function may mend it behind a savepoint, else its\n"
        "             transaction ends with this error\n"
        "  caller     another try would fare no better: the caller is told\n"
        "  fatal      the connection is thrown away and nothing is run again; at rollback the\n"
        "             outcome stays what it was\n"
        "\n"
        "At commit \"resolve\" is said where COMMIT was sent; where it was not, the place is flush.\n");
    for (int driver = 0; driver < DRIVERS; driver++) {
        print_head(driver);
        for (size_t i = 0; corm_error_rule(drivers[driver], i, &rule); i++)
            print_rule(&rule);
    }
}

/* ---- As JSON ------------------------------------------------------------------- */

static json_t *rule_as_json(const struct corm_error_rule *rule)
{
    json_t *verdicts = json_object();
    json_t *object = json_pack("{s:s, s:i, s:o}", "code", corm_code_name(rule->code), "number",
                               rule->code, "verdicts", verdicts);

    for (int place = 0; place < CORM_PLACES; place++)
        json_object_set_new(verdicts, corm_place_text((enum corm_place)place),
                            json_string(corm_verdict_text(rule->verdicts[place])));
    if (rule->server_name != NULL) {
        json_object_set_new(object, "server_code", json_integer(rule->server_code));
        json_object_set_new(object, "server_name", json_string(rule->server_name));
    }
    return object;
}

bool doctor_print_errors_as_json(void)
{
    struct corm_error_rule rule;
    json_t                *all = json_object();

    for (int driver = 0; driver < DRIVERS; driver++) {
        json_t *rules = json_array();
        for (size_t i = 0; corm_error_rule(drivers[driver], i, &rule); i++)
            json_array_append_new(rules, rule_as_json(&rule));
        json_object_set_new(all, drivers[driver], rules);
    }
    char *text = json_dumps(all, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(all);
    if (text == NULL)
        return false;
    puts(text);
    free(text);
    return true;
}
