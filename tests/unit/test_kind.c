/*
 * Kinds of columns, and the values that JSON cannot write.
 */
#include "shared/clock.h"
#include "shared/kind.h"
#include "shared/pause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
types_have_their_kinds(void **state)
{
	(void)state;
	assert_int_equal(kind_of_type(20), DB_NUMBER);
	assert_int_equal(kind_of_type(1700), DB_NUMBER);
	assert_int_equal(kind_of_type(16), DB_BOOL);
	assert_int_equal(kind_of_type(3802), DB_JSON);
	assert_int_equal(kind_of_type(1184), DB_TIME);
	assert_int_equal(kind_of_type(2950), DB_TEXT); /* uuid */
	assert_int_equal(kind_of_type(0), DB_TEXT);
}

static void
only_numbers_and_times_can_be_infinite(void **state)
{
	(void)state;
	assert_false(kind_is_finite(DB_NUMBER, "NaN"));
	assert_false(kind_is_finite(DB_NUMBER, "Infinity"));
	assert_false(kind_is_finite(DB_NUMBER, "-Infinity"));
	assert_false(kind_is_finite(DB_TIME, "infinity"));
	assert_false(kind_is_finite(DB_TIME, "-infinity"));
	assert_true(kind_is_finite(DB_NUMBER, "-6.07"));
	assert_true(kind_is_finite(DB_NUMBER, "1e+20"));
	assert_true(kind_is_finite(DB_TIME, "2026-01-01 00:00:00+00"));
	assert_true(kind_is_finite(DB_TEXT, "Infinity"));
	assert_true(kind_is_finite(DB_TEXT, ""));
}

static void
pauses_grow_and_are_forgotten(void **state)
{
	struct pause pause = { 0, 0 };

	(void)state;
	assert_true(pause_is_over(&pause));
	pause_begin(&pause);
	assert_false(pause_is_over(&pause));
	assert_int_equal(pause.length_ms, PAUSE_FIRST_MS);
	pause_begin(&pause);
	assert_int_equal(pause.length_ms, 2 * PAUSE_FIRST_MS);
	for (int i = 0; i < 100; i++)
		pause_begin(&pause);
	assert_int_equal(pause.length_ms, PAUSE_LONGEST_MS);
	assert_in_range(clock_left_ms(pause.until_ms), 1, PAUSE_LONGEST_MS);
	pause_end(&pause);
	assert_true(pause_is_over(&pause));
	pause_begin(&pause);
	assert_int_equal(pause.length_ms, PAUSE_FIRST_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_have_their_kinds),
		cmocka_unit_test(only_numbers_and_times_can_be_infinite),
		cmocka_unit_test(pauses_grow_and_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
