/*
 * The form of a UUID; what is in it is the database's business.
 */
#include "fcgi/uuid.h"
#include "shared/hmac.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

enum { RANDOM_BYTES = 8 };

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

/* 12 bits behind the time stay zero, to count in what one call makes. */
void
uuid_make(char text[UUID_BYTES + 1])
{
	unsigned char random[RANDOM_BYTES];
	struct timespec now;
	unsigned long long ms;
	unsigned long long bits = 0;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* there is this clock */
	ms = (unsigned long long)now.tv_sec * 1000 +
	    (unsigned long long)now.tv_nsec / 1000000;
	hmac_random(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		bits = bits << 8 | random[i];
	(void)snprintf(text, UUID_BYTES + 1,
	    "%08llx-%04llx-7000-%04llx-%012llx", ms >> 16 & 0xffffffff,
	    ms & 0xffff, 0x8000 | (bits >> 48 & 0x3fff),
	    bits & 0xffffffffffff); /* fits */
}
