/*
 * Entity tags of answers (RFC 9110, 8.8.3).
 */
#ifndef WAYBILL_ETAG_H
#define WAYBILL_ETAG_H

#include <stdbool.h>
#include <stddef.h>

enum { ETAG_BYTES = 40 };

/* A strong tag of these bytes, with its quotes: XXH3, 128 bits.  Not a
 * signature: it tells versions of one answer apart. */
void etag_make(const void *body, size_t bytes, char etag[ETAG_BYTES]);

/* True when the value of If-None-Match (NULL: none) names the tag or is "*";
 * compared weakly, as RFC 9110 says for it. */
bool etag_matches(const char *if_none_match, const char *etag);

#endif
