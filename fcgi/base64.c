/*
 * Base64 for the Authorization header.
 *
 * Strict, so that one key has one encoding: whatever looks at the header
 * before us (a log filter, a cache key) sees what we see.
 */
#include "fcgi/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 0 to 63, or -1. */
static int
value_of(char c)
{
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int)(at - alphabet);
}

/* Six bits of each of `digits` digits (2 to 4), at the top of 24. */
static bool
read_group(const char *text, size_t digits, uint32_t *bits)
{
	*bits = 0;
	for (size_t i = 0; i < 4; i++) {
		int value = i < digits ? value_of(text[i]) : 0;

		if (value < 0)
			return false;
		*bits = *bits << 6 | (uint32_t)value;
	}
	return true;
}

/* Digits of the last group: 4 less its padding. */
static size_t
last_digits(const char *text, size_t length)
{
	if (text[length - 1] != '=')
		return 4;
	return text[length - 2] == '=' ? 2 : 3;
}

bool
base64_decode(const char *text, char *out, size_t size, size_t *bytes)
{
	size_t length = strlen(text), done = 0;

	if (size == 0 || length % 4 != 0 || length / 4 * 3 >= size + 2)
		return false;
	for (size_t at = 0; at < length; at += 4) {
		bool is_last = at + 4 == length;
		size_t digits = is_last ? last_digits(text, length) : 4;
		uint32_t bits;

		if (!read_group(text + at, digits, &bits) ||
		    done + digits > size || /* its bytes and the zero */
		    (bits & (0xffffffU >> (digits - 1) * 8)) != 0)
			return false;
		for (size_t i = 0; i + 1 < digits; i++)
			out[done++] = (char)(bits >> (16 - 8 * i) & 0xff);
	}
	out[done] = '\0';
	*bytes = done;
	return true;
}

/* The digit of the lowest six bits, or padding. */
static char
digit(uint32_t bits, bool is_there)
{
	if (!is_there)
		return '=';
	return alphabet[bits & 63];
}

bool
base64_encode(const void *data, size_t bytes, char *out, size_t size)
{
	const unsigned char *byte = data;

	if (size == 0 || bytes > (size - 1) / 4 * 3)
		return false;
	for (size_t at = 0; at < bytes; at += 3) {
		size_t left = bytes - at;
		uint32_t bits = (uint32_t)byte[at] << 16;

		if (left > 1)
			bits |= (uint32_t)byte[at + 1] << 8;
		if (left > 2)
			bits |= byte[at + 2];
		*out++ = digit(bits >> 18, true);
		*out++ = digit(bits >> 12, true);
		*out++ = digit(bits >> 6, left > 1);
		*out++ = digit(bits, left > 2);
	}
	*out = '\0';
	return true;
}
