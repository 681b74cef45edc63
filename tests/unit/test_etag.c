/*
 * Entity tags: equal bytes, equal tags, and what If-None-Match may look like.
 */
#include "fcgi/etag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
tells_bytes_apart(void **state)
{
	char first[ETAG_BYTES];
	char same[ETAG_BYTES];
	char other[ETAG_BYTES];

	(void)state;
	etag_make("abc", 3, first);
	etag_make("abcd", 3, same);
	etag_make("abc\0", 4, other);
	assert_string_equal(first, same);
	assert_string_not_equal(first, other);
	assert_int_equal(strlen(first), 34); /* 128 bits in hex, two quotes */
	assert_int_equal(first[0], '"');
	assert_int_equal(first[33], '"');
	assert_int_equal(strspn(first + 1, "0123456789abcdef"), 32);
	etag_make("", 0, other);
	assert_string_not_equal(first, other);
}

static void
finds_its_tag(void **state)
{
	static const char *const matching[] = { "\"a\"", "W/\"a\"", "*",
		"\"b\", \"a\"", "\"b\",\"a\"", "\"b\" ,\t W/\"a\" ,\"c\"",
		" \"a\" " };
	static const char *const others[] = { "", "a", "\"b\"", "\"a", "a\"",
		"\"aa\"", "\"A\"", "w/\"a\"", "\"b, a\"", "W/a", "**",
		"\"b\"; \"a\"x" };

	(void)state;
	for (size_t i = 0; i < sizeof(matching) / sizeof(matching[0]); i++)
		if (!etag_matches(matching[i], "\"a\""))
			fail_msg("%s", matching[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (etag_matches(others[i], "\"a\""))
			fail_msg("%s", others[i]);
	assert_false(etag_matches(NULL, "\"a\""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_bytes_apart),
		cmocka_unit_test(finds_its_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
