/*
 * UTF-8 as RFC 3629 allows it: no overlong forms, no surrogates, nothing above
 * U+10FFFF.  PostgreSQL refuses the rest too, so that what passes here can be
 * given to it and to a JSON reader.
 */
#include "fcgi/utf8.h"

#include <stdint.h>

/* The second byte decides about overlong forms, surrogates and the end of
 * Unicode (RFC 3629, section 4); the later ones are 80..BF always. */
static const struct lead {
	unsigned char first, last;
	unsigned char second_least, second_most;
	size_t bytes;
} leads[] = {
	/* clang-format off */
	{ 0x00, 0x7f, 0x00, 0x00, 1 },
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	/* clang-format on */
};

static const struct lead *
find_lead(unsigned char byte)
{
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
		if (byte >= leads[i].first && byte <= leads[i].last)
			return &leads[i];
	return NULL;
}

size_t
utf8_character(const char *text, size_t bytes)
{
	const unsigned char *byte = (const unsigned char *)text;
	const struct lead *lead;

	if (bytes == 0)
		return 0;
	lead = find_lead(byte[0]);
	if (lead == NULL || lead->bytes > bytes)
		return 0;
	if (lead->bytes > 1 &&
	    (byte[1] < lead->second_least || byte[1] > lead->second_most))
		return 0;
	for (size_t i = 2; i < lead->bytes; i++)
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
	return lead->bytes;
}

bool
utf8_is_valid(const char *text, size_t bytes, size_t *characters)
{
	size_t count = 0, at = 0;

	while (at < bytes) {
		size_t step = utf8_character(text + at, bytes - at);

		if (step == 0)
			return false;
		at += step;
		count++;
	}
	*characters = count;
	return true;
}
