/* base/thread.c -- which thread this is, and whether the process was forked.
 *
 * A child counts `forks` up before anything else runs in it; getpid() would tell the same, by a call
 * of the kernel each time. pthread_self() is given again to a later thread, so threads are counted
 * too. */
#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

static _Atomic uint64_t       threads;
static _Thread_local uint64_t me;
static _Atomic uint32_t       forks;
static pthread_once_t         once = PTHREAD_ONCE_INIT;
static atomic_bool            watches; /* pthread_once() is a call too many for every statement */

uint64_t corm__thread_id(void)
{
    if (me == 0)
        me = atomic_fetch_add(&threads, 1) + 1;
    return me;
}

static void count_fork(void)
{
    atomic_fetch_add(&forks, 1);
}

static void notice_forks(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork);
    atomic_store_explicit(&watches, true, memory_order_release);
}

uint32_t corm__process_id(void)
{
    if (!atomic_load_explicit(&watches, memory_order_acquire))
        (void)pthread_once(&once, notice_forks);
    return atomic_load_explicit(&forks, memory_order_relaxed);
}
