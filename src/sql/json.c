/* sql/json.c -- a value inside a text column that holds JSON.
 *
 * The servers differ in what they make of JSON that is not valid, of a path that is not valid, and
 * of a value of another type than the one that is looked for ('abc' cast to a number is 0). So the
 * path has a grammar of our own, is bound like any value, and what is found counts only where the
 * JSON is valid and the value has exactly the type asked for; else it is NULL. */
#include "sql/writer.h"

#include <string.h>

enum { PATH_MAX_BYTES = 1000 };

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Behind one step of a path: .name, ."any name" or [number]; NULL where there is none. */
static const char *skip_step(const char *p)
{
    if (p[0] == '.' && is_letter(p[1])) {
        for (p++; is_letter(*p) || is_digit(*p); p++) {
        }
        return p;
    }
    if (p[0] == '.' && p[1] == '"') {
        for (p += 2; *p != '"'; p++)
            if ((unsigned char)*p < ' ' || *p == '\\')
                return NULL;
        return p + 1;
    }
    if (p[0] == '[' && is_digit(p[1])) {
        size_t digits = strspn(p + 1, "0123456789");
        return digits <= 9 && p[1 + digits] == ']' ? p + digits + 2 : NULL;
    }
    return NULL;
}

static bool is_path(const char *path)
{
    if (path == NULL || path[0] != '$' || strlen(path) > PATH_MAX_BYTES)
        return false;
    path++;
    while (path != NULL && *path != '\0')
        path = skip_step(path);
    return path != NULL;
}

/* %c is the column, %p the path. */
struct form {
    const char *mariadb, *mysql, *sqlite;
};

#define TYPE_OF "JSON_TYPE(JSON_EXTRACT(%c, %p))"

static const struct form whole_form = {
    "CASE WHEN JSON_VALID(%c) AND " TYPE_OF " = 'INTEGER' "
    "THEN CAST(JSON_VALUE(%c, %p) AS DECIMAL(65,0)) END",
    "CASE WHEN JSON_VALID(%c) THEN CASE WHEN " TYPE_OF " IN ('INTEGER', 'UNSIGNED INTEGER') "
    "THEN CAST(JSON_EXTRACT(%c, %p) AS DECIMAL(65,0)) END END",
    "CASE WHEN json_valid(%c) THEN CASE WHEN json_type(%c, %p) = 'integer' "
    "THEN json_extract(%c, %p) END END"};

static const struct form real_form = {
    "CASE WHEN JSON_VALID(%c) AND " TYPE_OF " IN ('INTEGER', 'DOUBLE') "
    "THEN CAST(JSON_VALUE(%c, %p) AS DOUBLE) END",
    "CASE WHEN JSON_VALID(%c) THEN CASE WHEN " TYPE_OF
    " IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') "
    "THEN CAST(JSON_EXTRACT(%c, %p) AS DOUBLE) END END",
    "CASE WHEN json_valid(%c) THEN CASE WHEN json_type(%c, %p) IN ('integer', 'real') "
    "THEN CAST(json_extract(%c, %p) AS REAL) END END"};

/* Compared byte by byte, whatever the column's own rules. */
static const struct form text_form = {
    "CONVERT(CASE WHEN JSON_VALID(%c) AND " TYPE_OF " = 'STRING' "
    "THEN JSON_VALUE(%c, %p) END USING utf8mb4) COLLATE utf8mb4_nopad_bin",
    "CONVERT(CASE WHEN JSON_VALID(%c) THEN CASE WHEN " TYPE_OF " = 'STRING' "
    "THEN JSON_UNQUOTE(JSON_EXTRACT(%c, %p)) END END USING utf8mb4) COLLATE utf8mb4_0900_bin",
    "CASE WHEN json_valid(%c) THEN CASE WHEN json_type(%c, %p) = 'text' "
    "THEN json_extract(%c, %p) END END"};

static const char *form_of(enum corm_dialect dialect, const struct form *form)
{
    if (dialect == CORM_DIALECT_MARIADB)
        return form->mariadb;
    return dialect == CORM_DIALECT_MYSQL ? form->mysql : form->sqlite;
}

void corm__put_json(struct corm__writer *w, const struct corm_json *json)
{
    enum corm_type     type = json->column.type;
    const struct form *form = type == CORM_TEXT     ? &text_form
                              : type == CORM_DOUBLE ? &real_form
                                                    : &whole_form;
    struct corm_value  path = corm_v_text_(json->path);

    if (!is_path(json->path)) {
        corm__fail(
            w->error, CORM_MISUSE,
            "the path of a JSON value is $, then .name, .\"any name\" or [number], as often as "
            "needed");
        return;
    }
    path.size = (uint32_t)strlen(json->path);
    for (const char *p = form_of(w->dialect, form); *p != '\0' && w->error->code == 0; p++) {
        if (p[0] == '%' && p[1] == 'c')
            corm__put_column(w, json->base);
        else if (p[0] == '%' && p[1] == 'p')
            corm__put_bind(w, path);
        else
            corm__buffer_putc(&w->text, *p);
        p += p[0] == '%';
    }
}
