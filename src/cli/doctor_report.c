/* doctor_report.c -- findings for a person, on a terminal or in a pipe, and for a program. */
#include "doctor.h"

#include "terminal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEVERITIES = DOCTOR_ERROR + 1, INDENT = 9, WIDTH = 80, WIDEST = 110 };

static const struct {
    const char *name, *plural, *colour;
} severities[SEVERITIES] = {
    [DOCTOR_OK] = {"ok", "ok", "\033[32m"},
    [DOCTOR_NOTE] = {"note", "notes", "\033[36m"},
    [DOCTOR_WARNING] = {"warning", "warnings", "\033[33m"},
    [DOCTOR_ERROR] = {"error", "errors", "\033[1;31m"},
};

const char *doctor_severity_name(enum doctor_severity severity)
{
    return severities[severity].name;
}

static const char *server_name(const struct doctor_facts *facts)
{
    switch (facts->dialect) {
    case CORM_DIALECT_SQLITE: return "SQLite";
    case CORM_DIALECT_MARIADB: return "MariaDB";
    default: return "MySQL";
    }
}

/* The first of the nodes that has told its version, or just the first. */
static const struct doctor_facts *answered(const struct doctor_facts *facts, size_t nodes)
{
    for (size_t i = 0; i < nodes; i++)
        if (facts[i].version[0] != '\0')
            return &facts[i];
    return facts;
}

static void count_by_severity(const struct doctor_finding *findings, size_t count,
                              size_t counts[static SEVERITIES])
{
    memset(counts, 0, SEVERITIES * sizeof *counts);
    for (size_t i = 0; i < count; i++)
        counts[findings[i].severity]++;
}

/* ---- For a person ---------------------------------------------------------- */

static int width(void)
{
    int columns = terminal_width(STDOUT_FILENO);

    if (columns < WIDTH / 2)
        return WIDTH;
    return columns < WIDEST ? columns : WIDEST;
}

/* The words of a text in lines of `columns`, indented. A word that is longer than a line stays whole, so
 * that it can be copied. */
static void wrap(const char *label, const char *text, int columns)
{
    int at = printf("%*s%s", INDENT, "", label);

    while (*text != '\0') {
        int size = (int)strcspn(text, " ");
        if (at + size > columns && at > INDENT)
            at = printf("\n%*s", INDENT, "") - 1;
        at += printf("%.*s%s", size, text, text[size] == ' ' ? " " : "");
        text += size + (text[size] == ' ');
    }
    putchar('\n');
}

/* "node 2: " in front of what is true of one of several; "" else. */
static const char *whose(const struct doctor_finding *f, char text[static 24])
{
    text[0] = '\0';
    if (f->node != 0)
        (void)snprintf(text, 24, "node %u: ", (unsigned)f->node);
    return text;
}

static void print_block(const struct doctor_finding *f, bool coloured, int columns)
{
    const char *name = severities[f->severity].name;
    char        node[24];

    printf("%s%-*s%s%-20s %s%s\n", coloured ? severities[f->severity].colour : "", INDENT, name,
           coloured ? "\033[0m" : "", f->check, whose(f, node), f->found);
    if (f->severity != DOCTOR_OK || f->by_corm)
        wrap("", f->means, columns);
    if (f->cure[0] != '\0')
        wrap("cure: ", f->cure, columns);
}

static void print_line(const struct doctor_finding *f)
{
    char node[24];

    printf("%s %s: %s%s: %s%s%s\n", severities[f->severity].name, f->check, whose(f, node),
           f->found, f->means, f->cure[0] != '\0' ? "; cure: " : "", f->cure);
}

static void print_sum(const struct doctor_facts *facts, size_t nodes,
                      const struct doctor_finding *findings, size_t count)
{
    size_t counts[SEVERITIES];

    facts = answered(facts, nodes);
    count_by_severity(findings, count, counts);
    printf("%s%s%s", server_name(facts), facts->version[0] != '\0' ? " " : "", facts->version);
    if (nodes > 1)
        printf(", %zu nodes", nodes);
    putchar(':');
    for (int i = DOCTOR_ERROR; i >= DOCTOR_OK; i--)
        printf("%s %zu %s", i < DOCTOR_ERROR ? "," : "", counts[i],
               counts[i] == 1 ? severities[i].name : severities[i].plural);
    putchar('\n');
}

void doctor_report(const struct doctor_facts *facts, size_t nodes,
                   const struct doctor_finding *findings, size_t count)
{
    bool terminal = terminal_is(STDOUT_FILENO);
    bool coloured = terminal_wants_colour(STDOUT_FILENO);
    int  columns = width();

    for (int severity = DOCTOR_ERROR; severity >= DOCTOR_OK; severity--)
        for (size_t i = 0; i < count; i++) {
            if ((int)findings[i].severity != severity)
                continue;
            if (terminal)
                print_block(&findings[i], coloured, columns);
            else
                print_line(&findings[i]);
        }
    print_sum(facts, nodes, findings, count);
}

/* ---- For a program ----------------------------------------------------------- */

static json_t *finding_as_json(const struct doctor_finding *f)
{
    json_t *node = f->node != 0 ? json_integer(f->node) : json_null();

    return json_pack("{s:s, s:o, s:s, s:b, s:s, s:s, s:s?}", "check", f->check, "node", node,
                     "severity", severities[f->severity].name, "protected_by_corm", (int)f->by_corm,
                     "found", f->found, "means", f->means, "cure",
                     f->cure[0] != '\0' ? f->cure : NULL);
}

bool doctor_report_as_json(const struct doctor_facts *facts, size_t nodes,
                           const struct doctor_finding *findings, size_t count)
{
    json_t *list = json_array();
    size_t  counts[SEVERITIES];
    int     worst = DOCTOR_OK;
    bool    fine = true;

    for (size_t i = 0; i < count; i++) {
        worst = (int)findings[i].severity > worst ? (int)findings[i].severity : worst;
        fine = json_array_append_new(list, finding_as_json(&findings[i])) == 0 && fine;
    }
    facts = answered(facts, nodes);
    count_by_severity(findings, count, counts);
    json_t *all = json_pack(
        "{s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:o}", "server", server_name(facts), "version",
        facts->version, "nodes", (json_int_t)nodes, "worst", severities[worst].name, "errors",
        (json_int_t)counts[DOCTOR_ERROR], "warnings", (json_int_t)counts[DOCTOR_WARNING], "notes",
        (json_int_t)counts[DOCTOR_NOTE], "ok", (json_int_t)counts[DOCTOR_OK], "findings", list);
    char *text = all != NULL && fine ? json_dumps(all, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;
    json_decref(all);
    if (text == NULL)
        return false;
    puts(text);
    free(text);
    return true;
}
