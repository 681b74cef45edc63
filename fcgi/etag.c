/*
 * Tags by xxHash; the only file that includes it.
 */
#include "fcgi/etag.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

void
etag_make(const void *body, size_t bytes, char etag[ETAG_BYTES])
{
	XXH128_hash_t hash = XXH3_128bits(body, bytes);

	/* 32 digits and two quotes: fits. */
	(void)snprintf(etag, ETAG_BYTES, "\"%016llx%016llx\"",
	    (unsigned long long)hash.high64, (unsigned long long)hash.low64);
}

bool
etag_matches(const char *if_none_match, const char *etag)
{
	const char *at = if_none_match;
	size_t bytes = strlen(etag);

	if (at == NULL)
		return false;
	at += strspn(at, " \t");
	if (*at == '*')
		return at[1 + strspn(at + 1, " \t")] == '\0';
	while (*at != '\0') {
		const char *end;

		at += strspn(at, " \t,");
		if (strncmp(at, "W/", 2) == 0)
			at += 2;
		if (*at != '"')
			return false;
		end = strchr(at + 1, '"');
		if (end == NULL)
			return false;
		if ((size_t)(end + 1 - at) == bytes &&
		    memcmp(at, etag, bytes) == 0)
			return true;
		at = end + 1;
	}
	return false;
}
