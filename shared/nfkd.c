/*
 * Unicode normalisation with libutf8proc: see nfkd.h for the promises.
 *
 * The only file that includes utf8proc.h.  Compatibility decomposition only:
 * nothing is composed, folded or removed, so that ASCII stays as it is.
 */
#include "shared/nfkd.h"

#include "shared/log.h"

#include <stddef.h>
#include <utf8proc.h>

const char *
nfkd_normalise(const char *text)
{
	const utf8proc_option_t nfkd = UTF8PROC_NULLTERM | UTF8PROC_STABLE |
	    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
	utf8proc_uint8_t *form = NULL;
	utf8proc_ssize_t result;

	result = utf8proc_map((const utf8proc_uint8_t *)text, 0, &form, nfkd);
	if (result == UTF8PROC_ERROR_NOMEM)
		log_fatal("nfkd.memory", "out of memory");
	return result < 0 ? NULL : (const char *)form;
}
