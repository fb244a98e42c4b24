/* scheduler.h -- threads that run one at a time, in an order that a seed decides, by a clock that stands
 * still while one of them runs.
 *
 * Who runs has the baton. It is handed over where a thread waits: in scheduler_wait(), in a pause of
 * corm's, for a mutex or a condition of corm's, and now and then in front of a mutex. So the same seed
 * gives the same run, whatever the machine does. A program that links this has the calls below
 * wrapped (-Wl,--wrap): those of base/clock.h and of pthreads that corm makes, and corm__retry_pause().
 *
 *             spawn()                 chosen                    waits, or goes behind others
 *     IDLE ───────────► READY ─────────────────────► RUNNING ──────────────────────┐
 *      ▲                  ▲ ▲                          │  │                        │
 *      └──────────────────┼─┼────── function is over ──┘  └► WAITING ◄─────────────┘
 *                         │ └── its time has come, nothing being READY ──┤
 *                         └──────────── wake() ──────────────────────────┘
 *
 * Outside of scheduler_begin() .. scheduler_end() all calls are the real ones. */
#ifndef TESTS_SCHEDULER_H
#define TESTS_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

typedef void scheduler_function(void *arg);

/* The caller becomes the first thread. `failed` is told when no thread can ever run again, or when they
 * run without end, and must not return. */
void scheduler_begin(uint64_t seed, void (*failed)(const char *why));

/* All other threads must be over. */
void scheduler_end(void);

/* Ends the threads that were kept for reuse. */
void scheduler_close(void);

/* Runs a function in a thread of its own. */
void scheduler_spawn(scheduler_function *function, void *arg);

/* Waits until all other threads are over. */
void scheduler_join_all(void);

/* Waits for scheduler_wake() of `key`, or until a point of the clock: whether it was woken. */
bool scheduler_wait(const void *key, int64_t until);
void scheduler_wake(const void *key);
void scheduler_sleep(int64_t until);

int64_t scheduler_now(void);

/* How many times the baton was taken up so far: what has a smaller number came before. */
uint64_t scheduler_step(void);

/* Less than `below`. */
uint64_t scheduler_random(uint64_t below);

/* Mutexes that the running thread has. */
int scheduler_mutexes(void);

#endif
