/* base/error.h -- where errors are born.
 *
 * Below the api every function that can fail takes a `struct corm_error *` that is never NULL, sets
 * it by corm__fail() and returns the code. The first error wins: one that is set is not set again. */
#ifndef CORM_BASE_ERROR_H
#define CORM_BASE_ERROR_H

#include <assert.h>
#include <corm/error.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* Sets `error`, if it is not set yet, to `code` and "<text>; <cure of the code>", and returns the
 * code that `error` then has. The text holds no password and no bound value. */
int corm__fail(struct corm_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with what the server said: its errno and SQLSTATE (NULL: none). */
int corm__fail_server(struct corm_error *error, int code, int server_code, const char *sqlstate,
                      const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The text as it is, without a cure: for corm_abort(). */
int corm__fail_user(struct corm_error *error, int code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* The error of a call that found no memory for `what`. */
int corm__fail_memory(struct corm_error *error, const char *what);

/* The error of a call in a child of the process that opened what the call is made on. */
int corm__fail_forked(struct corm_error *error);

/* Makes it unset. Most are: the message behind its NUL is left as it is. */
static inline void corm__error_clear(struct corm_error *error)
{
    memset(error, 0, offsetof(struct corm_error, reserved));
    memset(error->reserved, 0, sizeof(error->reserved));
    error->message[0] = '\0';
}

/* A failure is negative, always; said once, so that a reader of any caller, and a tool that analyses
 * it, need not wonder. */
static inline int corm__negative(int code)
{
    assert(code < 0);
    return code;
}
#define corm__fail(...)        corm__negative(corm__fail(__VA_ARGS__))
#define corm__fail_server(...) corm__negative(corm__fail_server(__VA_ARGS__))
#define corm__fail_memory(...) corm__negative(corm__fail_memory(__VA_ARGS__))
#define corm__fail_forked(...) corm__negative(corm__fail_forked(__VA_ARGS__))

/* Puts "<where>: " in front of a message; `where` is a short text, such as "insert into `order`". */
void corm__error_prefix(struct corm_error *error, const char *where);

/* Names the place of a call, in the fields and in front of the message; not where one is named. */
void corm__error_place(struct corm_error *error, const char *file, int32_t line);

/* Cuts text that is too long at the end of a UTF-8 character. `size` is with its NUL. */
void corm__cut_utf8(char *text, size_t size);

#endif
