/*
 * Patterns of paths: "/db/shipments/{id}", "/v2/" and a star.
 */
#ifndef WAYBILL_PATTERN_H
#define WAYBILL_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* What matched "{id}", within the path; bytes 0 when the pattern has none. */
struct pattern_argument {
	const char *text;
	size_t bytes;
};

/* True when the whole path matches: "{id}" stands for one segment that is not
 * empty, a final '*' for any rest (also an empty one), the rest for itself.
 * `argument` may be NULL; of several "{id}" it is the last. */
bool pattern_match(
    const char *pattern, const char *path, struct pattern_argument *argument);

#endif
