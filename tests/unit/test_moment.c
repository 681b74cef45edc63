/*
 * Times: what exists in the calendar, and how it is written.
 */
#include "shared/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
reads_what_exists(void **state)
{
	static const char *const pairs[][2] = {
		{ "2026-11-21", "2026-11-21T00:00:00Z" },
		{ "2024-02-29", "2024-02-29T00:00:00Z" },
		{ "2000-02-29", "2000-02-29T00:00:00Z" },
		{ "0001-01-01", "0001-01-01T00:00:00Z" },
		{ "9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z" },
		{ "2026-11-21T09:37:10Z", "2026-11-21T09:37:10Z" },
		{ "2026-11-21t09:37:10z", "2026-11-21T09:37:10Z" },
		{ "2026-11-21T09:37:10.5Z", "2026-11-21T09:37:10.5Z" },
		{ "2026-11-21T09:37:10.123456789Z",
		    "2026-11-21T09:37:10.123456789Z" },
		{ "2026-11-21T09:37:10+02:00", "2026-11-21T09:37:10+02:00" },
		{ "2026-11-21T09:37:10 02:00", "2026-11-21T09:37:10+02:00" },
		{ "2026-11-21T09:37:10.1-05:30",
		    "2026-11-21T09:37:10.1-05:30" },
	};
	char out[MOMENT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (!moment_parse(pairs[i][0], MOMENT_BEGIN, out))
			fail_msg("refused: \"%s\"", pairs[i][0]);
		assert_string_equal(out, pairs[i][1]);
	}
	assert_true(moment_parse("2026-11-21", MOMENT_END, out));
	assert_string_equal(out, "2026-11-21T24:00:00Z");
	assert_true(moment_parse("2026-11-21T09:37:10Z", MOMENT_END, out));
	assert_string_equal(out, "2026-11-21T09:37:10Z");
}

static void
refuses_what_does_not(void **state)
{
	static const char *const wrong[] = { "", "2026", "2026-11",
		"2026-11-31", "2026-02-29", "1900-02-29", "2026-13-01",
		"2026-00-10", "2026-01-00", "0000-01-01", "12026-01-01",
		"2026-1-1", "20260101", "2026-11-21T", "2026-11-21T09:37Z",
		"2026-11-21T0937:10Z", "2026-11-21T09:37-10Z",
		"2026-11-21T24:00:00Z", "2026-11-21T09:60:00Z",
		"2026-11-21T09:37:60Z", "2026-11-21T09:37:10",
		"2026-11-21 09:37:10Z", "2026-11-21T09:37:10.Z",
		"2026-11-21T09:37:10.1234567890Z", "2026-11-21T09:37:10Zx",
		"2026-11-21T09:37:10+2:00", "2026-11-21T09:37:10+0200",
		"2026-11-21T09:37:10+16:00", "2026-11-21T09:37:10+01:60",
		"2026-11-21T09:37:10+01:00x", "2026-11-21x", "now", "infinity",
		" 2026-11-21", "-026-11-21", "2026-11--1",
		"0001-01-01T00:00:00+00:01", "9999-12-31T00:00:00-15:59",
		"9999-12-31T23:59:59.9999999Z" };
	char out[MOMENT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (moment_parse(wrong[i], MOMENT_BEGIN, out))
			fail_msg("taken: \"%s\"", wrong[i]);
}

static void
writes_what_postgresql_says(void **state)
{
	char out[MOMENT_BYTES];

	(void)state;
	assert_true(moment_format("2026-11-21 09:37:10+00", false, out));
	assert_string_equal(out, "2026-11-21T09:37:10Z");
	assert_true(moment_format("2026-11-21 09:37:10.12+00", false, out));
	assert_string_equal(out, "2026-11-21T09:37:10.12Z");
	assert_true(moment_format("2026-11-21 09:37:10+00", true, out));
	assert_string_equal(out, "2026-11-21T09:37:10.000000Z");
	assert_true(moment_format("2026-11-21 09:37:10.12+00", true, out));
	assert_string_equal(out, "2026-11-21T09:37:10.120000Z");
	assert_true(moment_format("2026-11-21 09:37:10.123456+00", true, out));
	assert_string_equal(out, "2026-11-21T09:37:10.123456Z");
	assert_false(moment_format("infinity", false, out));
	assert_false(moment_format("2026-11-21 09:37:10+02", false, out));
	assert_false(moment_format("2026-11-21 09:37:10", false, out));
	assert_false(moment_format("0044-03-15 00:00:00+00 BC", false, out));
	assert_false(moment_format("12026-11-21 09:37:10+00", false, out));
	assert_false(moment_format("", false, out));
	assert_false(moment_format("2026-11-21T09:37:10+00", false, out));
	assert_false(moment_format("2026-11-21 0937:10+00", false, out));
	assert_false(moment_format("2026-11-21 24:37:10+00", false, out));
	assert_false(moment_format("2026-11-21 09:60:10+00", false, out));
	assert_false(moment_format("2026-11-21 09:37-10+00", false, out));
	assert_false(moment_format("2026-11-21 09:37:60+00", false, out));
	assert_false(
	    moment_format("2026-11-21 09:37:10.1234567+00", false, out));
}

static void
orders_what_it_wrote(void **state)
{
	static const char *const order[] = { "0001-01-01T00:00:00Z",
		"1999-12-31T23:59:59.5Z", "1999-12-31T24:00:00Z",
		"2000-01-01T00:00:00.000001Z", "2000-02-28T24:00:00Z",
		"2000-02-29T00:00:01Z", "2000-03-01T00:00:00+00:01",
		"2000-03-01T00:00:00Z", "2026-11-21T09:00:00+02:00",
		"2026-11-21T07:00:00.1Z", "2026-11-21T01:30:00-05:45",
		"9999-12-31T24:00:00Z" };
	int count = sizeof(order) / sizeof(order[0]);

	(void)state;
	for (int i = 0; i < count; i++)
		for (int j = 0; j < count; j++)
			assert_int_equal(
			    moment_is_before(order[i], order[j]), i < j);
	assert_false(moment_is_before(
	    "2026-11-21T09:00:00+02:00", "2026-11-21T07:00:00.0Z"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_exists),
		cmocka_unit_test(refuses_what_does_not),
		cmocka_unit_test(writes_what_postgresql_says),
		cmocka_unit_test(orders_what_it_wrote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
