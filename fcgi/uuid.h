/*
 * UUIDs as text (RFC 9562, 4).
 */
#ifndef WAYBILL_UUID_H
#define WAYBILL_UUID_H

#include <stdbool.h>

enum { UUID_BYTES = 36 };

/* True when all of the text is a UUID: 32 hexadecimal digits of either case and
 * four hyphens in their places.  PostgreSQL takes other forms, too; we do not. */
bool uuid_is_valid(const char *);

/* Makes one that begins with the time of now (version 7): what it names goes
 * behind what was named before. */
void uuid_make(char text[UUID_BYTES + 1]);

#endif
