/* race_page.c -- the page of `corm race --report`: one file, which needs nothing else.
 *
 * Its text is race_page.html, in which one line stands for the data: the very objects that --json prints, and
 * what all modes have in common. Whether its place can be written is looked at before the first
 * purchase, so that nobody races for nothing; it is written into a new file beside it, and moved there, when all is over. */
#include "race.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char place_of_data[] = "@DATA@";

struct race_page {
    const struct race_options *options;
    char                      *path;
    json_t                    *modes; /* NULL: memory ran out */
    const char                *database;
    int                        connections;
};

/* ---- Its file --------------------------------------------------------------- */

/* Whether a file can be made in the folder of `path`; else errno says why not. */
static bool has_room(const char *path)
{
    const char *slash = strrchr(path, '/');
    char       *folder = slash == NULL   ? strdup(".")
                         : slash == path ? strdup("/")
                                         : strndup(path, (size_t)(slash - path));
    bool        room = folder != NULL && access(folder, W_OK | X_OK) == 0;
    int         error = errno;

    free(folder);
    errno = error;
    return room;
}

/* Where the page goes: what is there is a file, or the end of links to one, and nothing else, as a
 * device, is ever replaced. NULL: errno says why not. */
static char *place_of(const char *report)
{
    struct stat there;

    if (stat(report, &there) != 0)
        return errno == ENOENT ? strdup(report) : NULL;
    if (S_ISREG(there.st_mode))
        return realpath(report, NULL);
    errno = S_ISDIR(there.st_mode) ? EISDIR : EINVAL;
    return NULL;
}

bool race_page_begin(const struct race_options *options, struct race_page **out)
{
    struct race_page *page = NULL;
    char             *path;

    *out = NULL;
    if (options->report == NULL)
        return true;
    path = place_of(options->report);
    if (path != NULL && has_room(path))
        page = calloc(1, sizeof *page);
    if (page == NULL) {
        int error = errno;
        free(path);
        errno = error;
        return false;
    }
    *page = (struct race_page){.options = options, .path = path, .modes = json_array()};
    *out = page;
    return true;
}

void race_page_free(struct race_page *page)
{
    if (page == NULL)
        return;
    free(page->path);
    json_decref(page->modes);
    free(page);
}

/* ---- Its data --------------------------------------------------------------- */

void race_page_about(struct race_page *page, enum corm_dialect dialect, int connections)
{
    if (page == NULL)
        return;
    page->database = race_dialect_name(dialect);
    page->connections = connections;
}

void race_page_add(struct race_page *page, const struct race_result *result)
{
    json_t *object = page != NULL ? race_report_json(page->options, result) : NULL;

    if (page == NULL || page->modes == NULL)
        return;
    if (object != NULL && json_array_append_new(page->modes, object) == 0)
        return;
    json_decref(page->modes);
    page->modes = NULL;
}

static char *data_of(const struct race_page *page)
{
    char      made[32], seed[32];
    time_t    now = time(NULL);
    struct tm utc;
    json_t   *data;
    char     *text;

    strftime(made, sizeof made, "%Y-%m-%d %H:%M", gmtime_r(&now, &utc));
    snprintf(seed, sizeof seed, "%" PRIu64,
             page->options->seed); /* more than a number of JSON holds */
    data = json_pack("{s:s, s:s, s:s, s:i, s:s, s:i, s:i, s:O}", "corm", corm_version(), "made",
                     made, "database", page->database, "connections", page->connections, "seed",
                     seed, "qty_min", (int)page->options->qty_min, "qty_max",
                     (int)page->options->qty_max, "modes", page->modes);
    text = data != NULL ? json_dumps(data, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(data);
    return text;
}

/* In a script of HTML no text of JSON may end the script, or begin a comment. */
static void write_data(const char *text, FILE *file)
{
    for (; *text != '\0'; text++) {
        if (*text == '<')
            fputs("\\u003c", file);
        else
            fputc(*text, file);
    }
}

static bool write_page(const char *data, FILE *file)
{
    const char *place = strstr(race_page_html, place_of_data);
    bool        done;

    fwrite(race_page_html, 1, (size_t)(place - race_page_html), file);
    write_data(data, file);
    fputs(place + sizeof place_of_data - 1, file);
    done = ferror(file) == 0;
    return fclose(file) == 0 && done;
}

/* Into a new file beside its place, which everybody may read whom the umask lets; then there. */
static bool put_in_place(const char *data, const char *path, char *beside)
{
    mode_t mask = umask(0);
    int    fd = mkstemp(beside);
    FILE  *file = fd < 0 ? NULL : fdopen(fd, "w");
    int    error;

    umask(mask);
    if (fd < 0)
        return false;
    if (fchmod(fd, 0666 & ~mask) == 0 && file != NULL && write_page(data, file) &&
        rename(beside, path) == 0)
        return true;
    error = errno;
    unlink(beside);
    errno = error;
    return false;
}

bool race_page_end(struct race_page *page)
{
    char *data, *beside;
    bool  done;

    if (page == NULL)
        return true;
    errno = ENOMEM;
    data = page->modes != NULL ? data_of(page) : NULL;
    if (data == NULL)
        return false;
    beside = malloc(strlen(page->path) + sizeof ".XXXXXX");
    if (beside != NULL)
        sprintf(beside, "%s.XXXXXX", page->path);
    done = beside != NULL && put_in_place(data, page->path, beside);
    free(beside);
    free(data);
    return done;
}
