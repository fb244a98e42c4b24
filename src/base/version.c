/* base/version.c -- the version that runs. */
#include <corm/version.h>

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

const char *corm_version(void)
{
    return TEXT_OF(CORM_VERSION_MAJOR) "." TEXT_OF(CORM_VERSION_MINOR) "." TEXT_OF(
        CORM_VERSION_PATCH);
}
