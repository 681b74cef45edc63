/*
 * The form of a UUID; what is in it is the database's business.
 */
#include "fcgi/uuid.h"

#include <ctype.h>
#include <stddef.h>

bool
uuid_is_valid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	/* A text that ends early differs from the form there. */
	for (size_t i = 0; form[i] != '\0'; i++)
		if (form[i] == 'x' ? !isxdigit((unsigned char)text[i])
				   : text[i] != form[i])
			return false;
	return text[sizeof(form) - 1] == '\0';
}
