/*
 * Deadlines: what is left of them, whatever they are.
 */
#include "shared/clock.h"
#include "tests/unit/ending.h"
#include "tests/unit/faults.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { DAY_MS = 86400 * 1000 };

static void
what_is_left_is_fit_for_poll(void **state)
{
	int64_t now_ms = clock_ms();
	int left_ms = clock_left_ms(now_ms + DAY_MS);

	(void)state;
	assert_in_range(left_ms, DAY_MS - 60000, DAY_MS);
	assert_int_equal(clock_left_ms(now_ms), 0);
	assert_int_equal(clock_left_ms(0), 0);
	assert_int_equal(clock_left_ms(-1), 0);
	assert_int_equal(clock_left_ms(INT64_MIN), 0);
	assert_int_equal(
	    clock_left_ms(now_ms + (int64_t)INT_MAX + DAY_MS), INT_MAX);
	assert_int_equal(clock_left_ms(INT64_MAX), INT_MAX);
}

static void
a_moment_that_is_over_is_not_waited_for(void **state)
{
	int64_t until_ms = clock_ms() + 2;

	(void)state;
	clock_wait_until(until_ms);
	assert_true(clock_ms() >= until_ms);
	clock_wait_until(until_ms);
	clock_wait_until(0);
}

static void
the_wall_clock_has_its_own_time(void **state)
{
	int64_t year_2020_us = 1577836800LL * 1000000;

	(void)state;
	assert_true(clock_wall_us() > year_2020_us);
}

static void
read_it(void *clock)
{
	fault_arm("clock_gettime", 1, EINVAL);
	(void)(clock == NULL ? clock_us() : clock_wall_us());
}

static void
without_a_clock_nobody_goes_on(void **state)
{
	int wall;

	(void)state;
	assert_ends(read_it, NULL, true, "<2>clock.read ");
	assert_ends(read_it, &wall, true, "<2>clock.read ");
	assert_false(fault_disarm());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_is_fit_for_poll),
		cmocka_unit_test(a_moment_that_is_over_is_not_waited_for),
		cmocka_unit_test(the_wall_clock_has_its_own_time),
		cmocka_unit_test(without_a_clock_nobody_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
