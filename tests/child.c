#include "child.h"

#include <sys/wait.h>
#include <unistd.h>

#ifdef COUNTS_COVERAGE
void __gcov_dump(void);
#endif

int run_in_child(int (*run)(void *arg), void *arg)
{
    int   status = 0;
    pid_t child = fork();

    if (child < 0)
        return -1;
    if (child == 0) {
        int code = run(arg);
#ifdef COUNTS_COVERAGE
        __gcov_dump();
#endif
        _exit(code);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
