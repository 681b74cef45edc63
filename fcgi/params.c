/*
 * Variables of a request are few: looked through from the first to the last.
 */
#include "fcgi/params.h"

#include <stddef.h>
#include <string.h>

/* Twice one of these means that somebody before us and we may believe
 * different things.  nginx sends Content-Type and Content-Length under both
 * of their names. */
static const char *const single_headers[] = {
	"HTTP_AUTHORIZATION",
	"HTTP_IDEMPOTENCY_KEY",
	"HTTP_X_HMAC_SIGNATURE",
	"HTTP_X_HMAC_SIGNATURE_V2",
	"HTTP_X_EASYPOST_HMAC_SIGNATURE",
	"CONTENT_TYPE",
	"CONTENT_LENGTH",
	"HTTP_CONTENT_TYPE",
	"HTTP_CONTENT_LENGTH",
};

char **
params_copy(struct arena *arena, char **params)
{
	size_t count = 0;
	char **copy;
	size_t i;

	while (params[count] != NULL)
		count++;
	copy = arena_alloc(arena, (count + 1) * sizeof(*copy));
	for (i = 0; i < count; i++)
		copy[i] = arena_copy(arena, params[i], strlen(params[i]));
	return copy;
}

static const char *
param_value(const char *param, const char *name)
{
	size_t bytes = strlen(name);

	return strncmp(param, name, bytes) == 0 && param[bytes] == '='
	    ? param + bytes + 1
	    : NULL;
}

const char *
params_value(char *const *params, const char *name)
{
	for (; *params != NULL; params++) {
		const char *value = param_value(*params, name);

		if (value != NULL)
			return value;
	}
	return NULL;
}

static int
count_of(char *const *params, const char *name)
{
	int count = 0;

	for (; *params != NULL; params++)
		count += param_value(*params, name) != NULL;
	return count;
}

bool
params_are_doubled(char *const *params)
{
	size_t i;

	for (i = 0; i < sizeof(single_headers) / sizeof(*single_headers); i++)
		if (count_of(params, single_headers[i]) > 1)
			return true;
	return false;
}
