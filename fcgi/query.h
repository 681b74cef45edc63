/*
 * A query string, taken apart.
 */
#ifndef WAYBILL_QUERY_H
#define WAYBILL_QUERY_H

#include "shared/arena.h"

#include <stdbool.h>
#include <stddef.h>

enum { QUERY_PAIRS_MAX = 64 };

struct query_pair {
	const char *name; /* decoded, valid UTF-8, no NUL inside */
	const char *value;
	size_t characters; /* of the value */
};

/* The pairs in their order, those of one name as often as they came.  When
 * parsing fails, which parameter is at fault (NULL: their number) and why. */
struct query {
	struct query_pair pairs[QUERY_PAIRS_MAX];
	int count;
	const char *bad_name;
	const char *problem;
};

/* Takes `raw` (without '?') apart into memory of the arena: '&' between pairs,
 * the first '=' between name and value, '+' for a space, %XX for a byte.
 * False, with bad_name and problem, when there are more than QUERY_PAIRS_MAX
 * pairs, a percent sign without two hexadecimal digits, bytes that are not
 * UTF-8, or %00. */
bool query_parse(struct query *, struct arena *, const char *raw);

/* The text as a name or a value of a query: whatever it holds, the result has
 * none but letters, digits, "-._~" and %XX. */
const char *query_escape(struct arena *, const char *text);

#endif
