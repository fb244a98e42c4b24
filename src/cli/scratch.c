/* scratch.c -- the temporary folder of a race, and the signals that must not leave it behind.
 *
 * Both are here because the handler of a second signal removes the folder itself: a purchase in
 * flight may take its time, and nobody who presses Ctrl-C twice wants to wait for it. So the paths
 * are static and complete before any handler can see them, and removing uses only unlink() and
 * rmdir(), which may be called in a handler. */
#include "scratch.h"

#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

/* What SQLite may put into the folder. */
static const char *const names[] = {"race.db", "race.db-wal", "race.db-shm", "race.db-journal"};
enum { NAME_COUNT = sizeof names / sizeof names[0] };

static char       folder[PATH_SIZE];
static char       files[NAME_COUNT][PATH_SIZE + 32];
static atomic_int made;   /* the paths are complete and the folder exists */
static atomic_int caught; /* the first signal */

const char *scratch_make(void)
{
    const char *parent = getenv("TMPDIR");
    int         n;

    if (parent == NULL || parent[0] == '\0')
        parent = "/tmp";
    n = snprintf(folder, sizeof folder, "%s/corm-race.XXXXXX", parent);
    if (n < 0 || n >= PATH_SIZE) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    if (mkdtemp(folder) == NULL)
        return NULL;
    for (int i = 0; i < NAME_COUNT; i++)
        snprintf(files[i], sizeof files[i], "%s/%s", folder, names[i]);
    atomic_store(&made, 1);
    return files[0];
}

void scratch_remove(void)
{
    if (!atomic_load(&made))
        return;
    for (int i = 0; i < NAME_COUNT; i++)
        (void)unlink(files[i]);
    (void)rmdir(folder);
}

static void on_signal(int number)
{
    static const char text[] = "\ncorm: finishing what is under way; once more ends it at once\n";
    int               saved = errno;
    int               none = 0;

    if (atomic_compare_exchange_strong(&caught, &none, number)) {
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        errno = saved;
        return;
    }
    scratch_remove();
    _exit(CLI_SIGNAL + number);
}

void interrupt_catch(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction before;
        /* What nohup or a shell ignores for us stays ignored. */
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &action, NULL);
    }
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
}

int interrupt_signal(void)
{
    return atomic_load(&caught);
}
