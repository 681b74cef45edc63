/*
 * Matching a path with a pattern: one look at each byte, nothing to go back to.
 */
#include "fcgi/pattern.h"

#include <string.h>

static const char placeholder[] = "{id}";

bool
pattern_match(
    const char *pattern, const char *path, struct pattern_argument *argument)
{
	struct pattern_argument found = { "", 0 };

	while (*pattern != '\0' && *pattern != '*') {
		if (strncmp(pattern, placeholder, strlen(placeholder)) == 0) {
			found.text = path;
			found.bytes = strcspn(path, "/");
			if (found.bytes == 0)
				return false;
			pattern += strlen(placeholder);
			path += found.bytes;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	if (*pattern == '\0' && *path != '\0')
		return false;
	if (argument != NULL)
		*argument = found;
	return true;
}
