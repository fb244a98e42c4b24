/* child.h -- what a test does in a child of its process. */
#ifndef TESTS_CHILD_H
#define TESTS_CHILD_H

/* Forks, and gives the exit code of `run`, or -1 where the child was killed. `run` asserts nothing, and
 * leaves no line of output. */
int run_in_child(int (*run)(void *arg), void *arg);

#endif
