/* form.h -- an order as a browser sends it: product=1&pieces=2&buyer=17&order=0198f2c4-... */
#ifndef SHOP_FORM_H
#define SHOP_FORM_H

#include "sale.h"

/* Reads an order. NULL; or what is wrong with it, as a sentence for the client: static text, and *want is not to be
 * used then. Every field is there exactly once, and there is no other one. */
const char *read_order(const char *data, size_t size, struct order *want);

#endif
