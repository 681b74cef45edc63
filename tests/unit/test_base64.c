/*
 * Base64: the vectors of RFC 4648, and what is nearly base64.
 */
#include "fcgi/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const vectors[][2] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xff\xfe\xfd", "//79" },
};

enum { VECTORS = sizeof(vectors) / sizeof(vectors[0]) };

static void
agrees_with_the_rfc(void **state)
{
	(void)state;
	for (int i = 0; i < VECTORS; i++) {
		const char *plain = vectors[i][0], *coded = vectors[i][1];
		char out[32];
		size_t bytes;

		assert_true(base64_encode(
		    plain, strlen(plain), out, strlen(coded) + 1));
		assert_string_equal(out, coded);
		assert_true(
		    base64_decode(coded, out, strlen(plain) + 1, &bytes));
		assert_int_equal(bytes, strlen(plain));
		assert_memory_equal(out, plain, bytes + 1);
	}
}

static void
never_passes_its_room(void **state)
{
	(void)state;
	for (int i = 0; i < VECTORS; i++) {
		const char *plain = vectors[i][0], *coded = vectors[i][1];
		char out[32];
		size_t bytes;

		for (size_t size = 0; size <= strlen(coded); size++)
			assert_false(
			    base64_encode(plain, strlen(plain), out, size));
		for (size_t size = 0; size <= strlen(plain); size++)
			assert_false(base64_decode(coded, out, size, &bytes));
	}
}

static void
refuses_what_is_nearly_base64(void **state)
{
	static const char *const wrong[] = { "Z", "Zg", "Zg=", "Zg===", "=",
		"====", "=g==", "Z===", "Zh==", "Zm9=", "Zm 9", "Zm9v\n",
		" Zm9v", "Zm9v Zm9v", "Zg==Zg==", "Z-_=", "Zm9\x80", "Z=9v" };
	char out[32];
	size_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (base64_decode(wrong[i], out, sizeof(out), &bytes))
			fail_msg("taken: \"%s\"", wrong[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_rfc),
		cmocka_unit_test(never_passes_its_room),
		cmocka_unit_test(refuses_what_is_nearly_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
