/* base/error.c -- the texts of the codes, and how a corm_error is filled. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

struct code_text {
    int         code;
    const char *name, *text, *cure;
};

/* clang-format off: made by a macro */
static const struct code_text codes[] = {{CORM_OK, "CORM_OK", "it worked", "nothing is to be done"},
#define X_TEXT(name, number, text, cure) {CORM_##name, "CORM_" #name, text, cure},
                                         CORM_ERROR_MAP(X_TEXT)
#undef X_TEXT
};
/* clang-format on */

static const struct code_text user_code = {CORM_USER, "CORM_USER", "the application refused",
                                           "see what the application says"};
static const struct code_text unknown_code = {0, "CORM_?", "a code that this version does not know",
                                              "use the library that the program was built with"};

static const struct code_text *look_up(int code)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].code == code)
            return &codes[i];
    return corm_is_user(code) ? &user_code : &unknown_code;
}

const char *corm_code_name(int code)
{
    return look_up(code)->name;
}

const char *corm_code_text(int code)
{
    return look_up(code)->text;
}

const char *corm_code_cure(int code)
{
    return look_up(code)->cure;
}

/* How many bytes a character has that begins with `first`. */
static size_t utf8_size(unsigned char first)
{
    return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

void corm__cut_utf8(char *text, size_t size)
{
    size_t length = strnlen(text, size - 1), last = length;

    text[length] = '\0';
    if (length < size - 1) /* nothing was cut */
        return;
    while (last > 0 && ((unsigned char)text[last - 1] & 0xC0) == 0x80)
        last--;
    if (last > 0 && last - 1 + utf8_size((unsigned char)text[last - 1]) > length)
        text[last - 1] = '\0';
}

static void set_text(struct corm_error *error, const char *format, va_list args)
{
    memset(error->message, 0, sizeof(error->message)); /* corm__error_clear() has not */
    (void)vsnprintf(error->message, sizeof(error->message), format, args);
    corm__cut_utf8(error->message, sizeof(error->message));
}

static void add_cure(struct corm_error *error)
{
    size_t used = strlen(error->message);

    (void)snprintf(error->message + used, sizeof(error->message) - used, "%s%s",
                   used > 0 ? "; " : "", corm_code_cure(error->code));
    corm__cut_utf8(error->message, sizeof(error->message));
}

int(corm__fail)(struct corm_error *error, int code, const char *format, ...)
{
    if (error->code != 0)
        return error->code;
    error->code = code;
    va_list args;
    va_start(args, format);
    set_text(error, format, args);
    va_end(args);
    add_cure(error);
    return code;
}

int(corm__fail_server)(struct corm_error *error, int code, int server_code, const char *sqlstate,
                       const char *format, ...)
{
    if (error->code != 0)
        return error->code;
    error->code = code;
    error->server_code = server_code;
    (void)snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", sqlstate ? sqlstate : "");
    va_list args;
    va_start(args, format);
    set_text(error, format, args);
    va_end(args);
    add_cure(error);
    return code;
}

int corm__fail_user(struct corm_error *error, int code, const char *format, va_list args)
{
    if (error->code != 0)
        return error->code;
    error->code = code;
    set_text(error, format, args);
    return code;
}

int(corm__fail_memory)(struct corm_error *error, const char *what)
{
    return corm__fail(error, CORM_NO_MEMORY, "no memory for %s", what);
}

int(corm__fail_forked)(struct corm_error *error)
{
    return corm__fail(error, CORM_FORKED, "the database was opened by the parent of this process");
}

void corm__error_prefix(struct corm_error *error, const char *where)
{
    char   message[CORM_MESSAGE_MAX];
    size_t used;

    memcpy(message, error->message, sizeof(message));
    (void)snprintf(error->message, sizeof(error->message) / 2, "%s: ", where);
    used = strlen(error->message);
    memcpy(error->message + used, message, sizeof(message) - used);
    corm__cut_utf8(error->message, sizeof(error->message));
}

void corm__error_place(struct corm_error *error, const char *file, int32_t line)
{
    char where[160];

    if (error->file != NULL || file == NULL)
        return;
    const char *name = strrchr(file, '/');
    error->file = file;
    error->line = line;
    (void)snprintf(where, sizeof(where), "%.120s:%d", name != NULL ? name + 1 : file, line);
    corm__error_prefix(error, where);
}
