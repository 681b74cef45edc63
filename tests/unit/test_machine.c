/* The machine's numbers are there, and within what they can be. */
#include "ctl/machine.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What the kernel's files hold instead; NULL: what they hold. */
static const char *made_stat, *made_memory;
static const char nothing[] = ""; /* it is not there */

FILE *
fopen(const char *path, const char *mode)
{
	const char *text =
	    strcmp(path, "/proc/stat") == 0 ? made_stat : made_memory;
	char copy[] = "/tmp/machine.XXXXXX";
	int fd;

	if (text == nothing)
		return NULL;
	if (text == NULL)
		return fdopen(open(path, O_RDONLY), mode);
	fd = mkstemp(copy);
	assert_true(fd >= 0);
	assert_int_equal(unlink(copy), 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fdopen(fd, "r");
}

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

static void
expect(const char *stat, const char *memory, const char *says)
{
	struct machine machine = { 5, 10 };
	struct buf out;

	made_stat = stat;
	made_memory = memory;
	buf_init(&out, 1024);
	machine_look(&machine, "/proc", &out);
	if (strstr(out.data, says) == NULL)
		fail_msg("%s, not %s", out.data, says);
	buf_free(&out);
	made_stat = made_memory = NULL;
}

/* What cannot be known is null, and nothing is divided by zero. */
static void
test_numbers_that_are_not_there(void **state)
{
	static const char *const stats[] = { nothing, "\n", "cpu0 1 2 3\n",
		"cpu 1 2 3\n", "cpu 3 3 4\n" };
	static const char *const memories[] = { nothing, "\n",
		"MemTotal: 0 kB\nMemAvailable: 1 kB\n",
		"MemTotal: 10 kB\nMemAvailableX: 1 kB\n",
		"MemTotalX: 10 kB\nMemAvailable: 1 kB\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(stats) / sizeof(*stats); i++)
		expect(stats[i], NULL, "\"cpu_usage_percent\":null");
	for (size_t i = 0; i < sizeof(memories) / sizeof(*memories); i++)
		expect(NULL, memories[i], "\"memory_usage_mb\":null");
	expect("cpu 7 0 2 10 1\n", NULL, "\"cpu_usage_percent\":40.00,");
	expect(NULL, "MemTotal: 4096 kB\nMemAvailable: 1024 kB\n",
	    "\"memory_usage_mb\":3.0,\"memory_percent\":75.00");
	/* A file system without blocks. */
	expect(NULL, NULL, "\"disk_usage_percent\":null");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_first_look_only_begins_to_count),
		cmocka_unit_test(test_shares_are_shares),
		cmocka_unit_test(test_a_disk_that_is_not_there),
		cmocka_unit_test(test_numbers_that_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
