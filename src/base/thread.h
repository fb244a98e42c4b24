/* base/thread.h -- which thread this is, and whether the process was forked.
 *
 * The two numbers of the whole process that corm keeps; nothing else of it is global. */
#ifndef CORM_BASE_THREAD_H
#define CORM_BASE_THREAD_H

#include <stdint.h>

/* A number of the calling thread's own: never 0, and never again that of another thread. */
uint64_t corm__thread_id(void);

/* A number of the process: a child that is forked after the first call has another one. */
uint32_t corm__process_id(void);

#endif
