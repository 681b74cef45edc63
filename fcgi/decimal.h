/*
 * Amounts of money as decimal text, never as a float.
 */
#ifndef WAYBILL_DECIMAL_H
#define WAYBILL_DECIMAL_H

#include <stdbool.h>

enum { DECIMAL_WHOLE_MAX = 9, DECIMAL_FRACTION_MAX = 9 }; /* digits */

/* True for "6", "6.07", "0.10": digits, and a point only between digits; no
 * sign, no exponent. */
bool decimal_is_valid(const char *);

/* Less than, equal to or greater than 0, as a is to b; both are valid. */
int decimal_compare(const char *a, const char *b);

#endif
