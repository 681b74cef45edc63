/* The machine's numbers are there, and within what they can be. */
#include "ctl/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double
number(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	double found;
	char *end;

	assert_non_null(at);
	at += strlen(name);
	found = strtod(at, &end);
	assert_true(end > at);
	return found;
}

static void
test_a_first_look_only_begins_to_count(void **state)
{
	struct machine machine = { 0, 0 };
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	machine_look(&machine, "/", &out);
	assert_non_null(strstr(out.data, "\"cpu_usage_percent\":null"));
	assert_true(machine.all_ticks > machine.busy_ticks);
	buf_free(&out);
}

static void
test_shares_are_shares(void **state)
{
	struct machine machine = { 0, 1 };
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	machine_look(&machine, "/", &out);
	for (size_t i = 0; i < 3; i++) {
		static const char *const names[] = { "\"cpu_usage_percent\":",
			"\"memory_percent\":", "\"disk_usage_percent\":" };
		double share = number(out.data, names[i]);

		assert_true(share >= 0 && share <= 100);
	}
	assert_true(number(out.data, "\"memory_usage_mb\":") > 1);
	assert_true(number(out.data, "\"cpu_cores_used\":") >= 0);
	buf_free(&out);
}

static void
test_a_disk_that_is_not_there(void **state)
{
	struct machine machine = { 0, 0 };
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	machine_look(&machine, "/no/such/place", &out);
	assert_non_null(strstr(out.data, "\"disk_usage_percent\":null"));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_first_look_only_begins_to_count),
		cmocka_unit_test(test_shares_are_shares),
		cmocka_unit_test(test_a_disk_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
