/*
 * UUIDs as text (RFC 9562, 4).
 */
#ifndef WAYBILL_UUID_H
#define WAYBILL_UUID_H

#include <stdbool.h>

/* True when all of the text is a UUID: 32 hexadecimal digits of either case and
 * four hyphens in their places.  PostgreSQL takes other forms, too; we do not. */
bool uuid_is_valid(const char *);

#endif
