/*
 * The query string parser: every byte of it is hostile until decoded.
 *
 * Pairs without '=' have an empty value; empty pairs ("a=1&&b=2") are nothing.
 */
#include "fcgi/query.h"
#include "fcgi/utf8.h"

#include <string.h>

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20); /* to lower case */
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of "%XX", or -1; looks no further than the zero byte. */
static int
escaped_byte(const char *text)
{
	int high = hex_digit(text[1]);
	int low = high < 0 ? -1 : hex_digit(text[2]);

	return low < 0 ? -1 : high * 16 + low;
}

/* Decodes in place (never longer than before).  NULL, or what is wrong. */
static const char *
decode(char *text, size_t *characters)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		int byte = *in == '%' ? escaped_byte(in) : *in;

		if (*in == '%' && byte < 0)
			return "A percent sign needs two hexadecimal digits";
		if (byte == 0)
			return "A zero byte (%00) is not allowed";
		if (*in == '%')
			in += 2;
		*out++ = (char)(*in == '+' ? ' ' : byte);
	}
	*out = '\0';
	if (!utf8_is_valid(text, (size_t)(out - text), characters))
		return "The bytes must be UTF-8";
	return NULL;
}

/* Adds one pair; false with bad_name and problem. */
static bool
add_pair(struct query *query, struct arena *arena, char *text)
{
	struct query_pair *pair = &query->pairs[query->count];
	char *value = strchr(text, '=');
	const char *raw_name;

	if (value != NULL)
		*value++ = '\0';
	else
		value = text + strlen(text);
	raw_name = arena_copy(arena, text, strlen(text));
	query->problem = decode(text, &pair->characters);
	query->bad_name = raw_name;
	if (query->problem != NULL)
		return false;
	query->bad_name = text;
	query->problem = decode(value, &pair->characters);
	if (query->problem != NULL)
		return false;
	pair->name = text;
	pair->value = value;
	query->count++;
	return true;
}

bool
query_parse(struct query *query, struct arena *arena, const char *raw)
{
	memset(query, 0, sizeof(*query));
	while (*raw != '\0') {
		size_t bytes = strcspn(raw, "&");

		if (bytes > 0 && query->count == QUERY_PAIRS_MAX) {
			query->bad_name = NULL;
			query->problem = "At most 64 parameters are allowed.";
			return false;
		}
		if (bytes > 0 &&
		    !add_pair(query, arena, arena_copy(arena, raw, bytes)))
			return false;
		raw += bytes;
		if (*raw == '&')
			raw++;
	}
	query->bad_name = NULL;
	return true;
}

const char *
query_escape(struct arena *arena, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	static const char digits[] = "0123456789ABCDEF";
	char *escaped = arena_alloc(arena, 3 * strlen(text) + 1);
	char *out = escaped;

	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (strchr(plain, *text) != NULL) {
			*out++ = *text;
			continue;
		}
		*out++ = '%';
		*out++ = digits[byte >> 4];
		*out++ = digits[byte & 15];
	}
	*out = '\0';
	return escaped;
}
