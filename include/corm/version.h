/* corm/version.h -- which corm this is.
 *
 * The macros tell what a program was compiled with, corm_version() what it runs with. */
#ifndef CORM_VERSION_H
#define CORM_VERSION_H

#define CORM_VERSION_MAJOR 0
#define CORM_VERSION_MINOR 1
#define CORM_VERSION_PATCH 0

/* What the export list of the shared library is made from: everything else stays hidden. */
#define CORM_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that runs, as "0.1.0". Static; never NULL. From any thread. */
CORM_API const char *corm_version(void);

#ifdef __cplusplus
}
#endif
#endif
