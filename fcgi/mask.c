/*
 * Keys are known by how they begin and by being long: see mask.h.
 */
#include "fcgi/mask.h"

#include <string.h>

enum { SECRET_LEAST_BYTES = 12 }; /* of 43 and 54: also a part is none's */

static const char *const beginnings[] = { "wb_", "EZAK", "EZTK" };

enum { BEGINNINGS = sizeof(beginnings) / sizeof(beginnings[0]) };

static size_t
secret_bytes(const char *text)
{
	return strspn(text,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_-");
}

/* Bytes of the beginning of the key that the text begins with; 0: none. */
static size_t
beginning_bytes(const char *text)
{
	for (int i = 0; i < BEGINNINGS; i++) {
		size_t bytes = strlen(beginnings[i]);

		if (strncmp(text, beginnings[i], bytes) == 0 &&
		    secret_bytes(text + bytes) >= SECRET_LEAST_BYTES)
			return bytes;
	}
	return 0;
}

static const char *
find_key(const char *text)
{
	while (*(text += strcspn(text, "wE")) != '\0') {
		if (beginning_bytes(text) > 0)
			return text;
		text++;
	}
	return NULL;
}

bool
mask_finds_key(const char *text)
{
	return find_key(text) != NULL;
}

const char *
mask_keys(struct arena *arena, const char *text)
{
	const char *key = find_key(text);

	while (key != NULL) {
		size_t bytes = beginning_bytes(key);
		size_t before = (size_t)(key - text) + bytes;
		const char *rest = key + bytes + secret_bytes(key + bytes);
		char *masked =
		    arena_printf(arena, "%.*s***%s", (int)before, text, rest);

		text = masked;
		key = find_key(text + before);
	}
	return text;
}
