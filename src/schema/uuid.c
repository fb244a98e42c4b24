/* schema/uuid.c -- UUIDs to and from text (RFC 9562, section 4). */
#include <corm/value.h>

/* 0 to 15, or -1. */
static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Whether a `-` stands in front of this byte. */
static bool begins_group(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

bool corm_uuid_parse(const char *text, size_t size, struct corm_uuid *uuid)
{
    struct corm_uuid parsed;
    const char      *p = text;

    if (size != CORM_UUID_SIZE - 1)
        return false;
    for (size_t i = 0; i < sizeof(parsed.bytes); i++) {
        if (begins_group(i) && *p++ != '-')
            return false;
        int high = digit(p[0]), low = digit(p[1]);
        if (high < 0 || low < 0)
            return false;
        parsed.bytes[i] = (uint8_t)(high * 16 + low);
        p += 2;
    }
    *uuid = parsed;
    return true;
}

void corm_uuid_format(const struct corm_uuid *uuid, char text[CORM_UUID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char             *p = text;

    for (size_t i = 0; i < sizeof(uuid->bytes); i++) {
        if (begins_group(i))
            *p++ = '-';
        *p++ = digits[uuid->bytes[i] >> 4];
        *p++ = digits[uuid->bytes[i] & 15];
    }
    *p = '\0';
}
