/*
 * UTF-8, looked at only: what is well formed, and how many characters.
 */
#ifndef WAYBILL_UTF8_H
#define WAYBILL_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed character that `text` begins with (1 to 4), or 0
 * when it begins with none (also at its end). */
size_t utf8_character(const char *text, size_t bytes);

/* True when all of it is well formed, and how many characters it has. */
bool utf8_is_valid(const char *text, size_t bytes, size_t *characters);

#endif
