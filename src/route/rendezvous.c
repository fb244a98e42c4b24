/* route/rendezvous.c -- which node of a cluster a key belongs to: rendezvous hashing (Thaler and Ravishankar,
 * 1998). No state, no memory, nothing that depends on the machine. */
#include "route/rendezvous.h"

#include "schema/decimal.h"
#include "schema/dialect.h"
#include "sql/key.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

uint64_t corm__hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

uint64_t corm__hash_mix(uint64_t hash)
{
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

/* ---- Nodes --------------------------------------------------------------------------------------- */

/* As 32 digits: how an address is shortened is for each library to choose. */
static uint64_t hash_address(uint64_t hash, const struct in6_addr *address)
{
    static const char digits[] = "0123456789abcdef";
    char              text[34] = "[";

    for (size_t i = 0; i < 16; i++) {
        text[1 + 2 * i] = digits[address->s6_addr[i] >> 4];
        text[2 + 2 * i] = digits[address->s6_addr[i] & 15];
    }
    text[33] = ']';
    return corm__hash_bytes(hash, text, sizeof(text));
}

static uint64_t hash_name(uint64_t hash, const char *host)
{
    size_t size = strlen(host);

    if (size > 0 && host[size - 1] == '.')
        size--;
    for (size_t i = 0; i < size; i++) {
        char lower = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] - 'A' + 'a' : host[i]);
        hash = corm__hash_bytes(hash, &lower, 1);
    }
    return hash;
}

uint64_t corm__hash_node(const char *host, uint16_t port)
{
    struct in6_addr address;
    char            text[8];
    uint64_t        hash = CORM__HASH_BEGIN;

    hash = inet_pton(AF_INET6, host, &address) == 1 ? hash_address(hash, &address)
                                                    : hash_name(hash, host);
    int size = snprintf(text, sizeof(text), ":%u", (unsigned)port);
    return corm__hash_mix(corm__hash_bytes(hash, text, (size_t)size));
}

/* ---- Keys ---------------------------------------------------------------------------------------- */

/* A real that is a whole number as that, so that 1.0 is 1 and -0.0 is 0. */
static struct corm_value whole(struct corm_value value)
{
    static const double two_to_63 = 9223372036854775808.0;
    double              r = value.as.r;

    if (r >= -two_to_63 && r < two_to_63 && (double)(long long)r == r)
        return corm_v_int_((long long)r);
    if (r >= two_to_63 && r < 2 * two_to_63)
        return corm_v_uint_((unsigned long long)r);
    return value;
}

/* A number of a decimal column in the one form that the column has for it; what is none stays as it is,
 * because no such row exists. */
static struct corm_value digits_of(const struct corm_column *column, struct corm_value value,
                                   char form[static CORM__DECIMAL_SIZE])
{
    char        number[24];
    const char *text = number;
    size_t      size;

    if (value.kind == CORM_V_INT)
        size = (size_t)snprintf(number, sizeof(number), "%lld", value.as.i);
    else if (value.kind == CORM_V_UINT)
        size = (size_t)snprintf(number, sizeof(number), "%llu", value.as.u);
    else {
        text = value.as.s;
        size = value.size != 0 ? value.size : strlen(text);
    }
    value = corm_v_text_(text);
    if (corm__decimal_form(text, size, column->length, column->scale, form) == CORM__DECIMAL_FITS)
        value = corm_v_text_(form);
    else if (text == number)
        value = corm_v_text_(memcpy(form, number, size + 1));
    else
        value.size = (uint32_t)size;
    return value;
}

static uint64_t hash_value(uint64_t hash, const struct corm_column *column, struct corm_value value)
{
    struct corm__key_part part;
    char                  form[CORM__DECIMAL_SIZE];

    if (column->type == CORM_DECIMAL)
        value = digits_of(column, value, form);
    else if (value.kind == CORM_V_REAL)
        value = whole(value);
    else if (value.kind == CORM_V_BLOB) {
        value.kind = CORM_V_TEXT;
        value.as.s = value.size != 0 ? value.as.s : "";
    }
    bool is_part = corm__key_part(value, &part);
    assert(is_part);
    (void)is_part;
    hash = corm__hash_bytes(hash, part.head, part.head_size);
    return corm__hash_bytes(hash, part.tail, part.tail_size);
}

uint64_t corm__hash_key(const struct corm_table *table, const struct corm_value *values)
{
    const struct corm_column *c = NULL;
    uint64_t hash = corm__hash_bytes(CORM__HASH_BEGIN, table->name, strlen(table->name) + 1);

    while ((c = corm__next_key_column(table, c)) != NULL) {
        const char *name = corm__column_name(c);
        hash = corm__hash_bytes(hash, name, strlen(name) + 1);
        hash = hash_value(hash, c, values[corm__key_index(table, c)]);
    }
    return corm__hash_mix(hash);
}

/* ---- Both ---------------------------------------------------------------------------------------- */

uint64_t corm__weight(uint64_t node, uint64_t key)
{
    return corm__hash_mix(node ^ key);
}

/* Equal weights are equal hashes of nodes: the same node twice. */
void corm__order_nodes(const uint64_t *nodes, uint32_t count, uint64_t key, uint32_t *order)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && corm__weight(nodes[order[at - 1]], key) < corm__weight(nodes[i], key);
             at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}
