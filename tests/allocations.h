/* allocations.h -- counts what the whole program asks for, the libraries too. */
#ifndef CORM_TESTS_ALLOCATIONS_H
#define CORM_TESTS_ALLOCATIONS_H

/* How often malloc(), calloc() and realloc() were called by now; -1 where that is not known. */
long allocations_of_all(void);

#endif
