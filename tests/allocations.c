/* allocations.c -- counts what the whole program asks for, the libraries too, by standing in front of
 * glibc's own functions. Not with the sanitizers, which stand there themselves. */
#include "allocations.h"

#include <stdatomic.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
long allocations_of_all(void)
{
    return -1;
}
#else
void *glibc_malloc(size_t size) __asm__("__libc_malloc");
void *glibc_calloc(size_t n, size_t size) __asm__("__libc_calloc");
void *glibc_realloc(void *p, size_t size) __asm__("__libc_realloc");

void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);

static atomic_long asked;

void *malloc(size_t size)
{
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    return glibc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    return glibc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    return glibc_realloc(p, size);
}

long allocations_of_all(void)
{
    return atomic_load_explicit(&asked, memory_order_relaxed);
}
#endif
