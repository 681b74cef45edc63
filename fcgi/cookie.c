/*
 * Cookies, as far as one of them may be a session's (RFC 6265, 4.2.1).
 */
#include "fcgi/cookie.h"

#include <string.h>

const char *
cookie_token(const struct request *rq)
{
	static const char name[] = COOKIE_NAME "=";
	const size_t name_bytes = sizeof(name) - 1;
	const char *at = request_header(rq, "HTTP_COOKIE");

	while (at != NULL && *at != '\0') {
		size_t bytes;

		at += strspn(at, " ;");
		bytes = strcspn(at, ";");
		if (bytes == name_bytes + COOKIE_TOKEN_LENGTH &&
		    strncmp(at, name, name_bytes) == 0)
			return arena_copy(
			    rq->arena, at + name_bytes, COOKIE_TOKEN_LENGTH);
		at += bytes;
	}
	return NULL;
}
