/*
 * Decimals compared digit by digit, whatever their scale: "6.1" and "6.10" are
 * the same amount.
 */
#include "fcgi/decimal.h"

#include <string.h>

static const char digits[] = "0123456789";

bool
decimal_is_valid(const char *text)
{
	size_t whole = strspn(text, digits);
	size_t fraction = 0;

	if (text[whole] == '.') {
		fraction = strspn(text + whole + 1, digits);
		if (fraction == 0 || fraction > DECIMAL_FRACTION_MAX ||
		    text[whole + 1 + fraction] != '\0')
			return false;
	} else if (text[whole] != '\0') {
		return false;
	}
	return whole > 0 && whole <= DECIMAL_WHOLE_MAX;
}

int
decimal_compare(const char *a, const char *b)
{
	size_t a_whole;
	size_t b_whole;
	int difference;

	a += strspn(a, "0");
	b += strspn(b, "0");
	a_whole = strspn(a, digits);
	b_whole = strspn(b, digits);
	if (a_whole != b_whole)
		return a_whole < b_whole ? -1 : 1;
	difference = strncmp(a, b, a_whole);
	a += a_whole;
	b += b_whole;
	a += *a == '.';
	b += *b == '.';
	while (difference == 0 && (*a != '\0' || *b != '\0')) {
		difference = (*a == '\0' ? '0' : *a) - (*b == '\0' ? '0' : *b);
		a += *a != '\0';
		b += *b != '\0';
	}
	return difference;
}
