/*
 * Base64 (RFC 4648, section 4) for credentials: short, and strict.
 */
#ifndef WAYBILL_BASE64_H
#define WAYBILL_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Decodes all of `text` into `out` and ends it with a zero byte.  False when
 * it is not exactly the one encoding of some bytes (full padding, no spaces,
 * no spare bits), or when bytes and the zero byte need more than `size`. */
bool base64_decode(const char *text, char *out, size_t size, size_t *bytes);

/* Encodes into `out` and ends it with a zero byte; false when it needs more
 * than `size`. */
bool base64_encode(const void *data, size_t bytes, char *out, size_t size);

#endif
