/*
 * How often a key may ask: by a clock that the test sets.
 */
#include "shared/clock.h"
#include "shared/throttle.h"
#include "tests/unit/ending.h"
#include "tests/unit/faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SECOND_US = 1000000, BYTES = 16 * 1024, MANY = 1024 };

static char path[64];
static int64_t now_us;

int64_t __wrap_clock_us(void);

int64_t
__wrap_clock_us(void)
{
	return now_us;
}

static int
set_up(void **state)
{
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/throttle.XXXXXX");
	fd = mkstemp(path);
	if (fd < 0 || close(fd) != 0 || unlink(path) != 0)
		return -1;
	now_us = 100 * SECOND_US;
	*state = throttle_open(path);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state; /* a mapping ends with the process */
	return unlink(path);
}

/* Asks until it is refused. */
static int
use_up(struct throttle *throttle, const char *key, int per_minute)
{
	int passed = 0;

	while (throttle_ask(throttle, key, per_minute).is_admitted)
		passed++;
	return passed;
}

static void
a_whole_minute_at_once_and_then_by_and_by(void **state)
{
	struct throttle_state last;

	for (int i = 0; i < 6; i++) {
		last = throttle_ask(*state, "a", 6);
		assert_true(last.is_admitted);
		assert_int_equal(last.left, 5 - i);
		assert_int_equal(last.wait_s, 10);
	}
	last = throttle_ask(*state, "a", 6);
	assert_false(last.is_admitted);
	assert_int_equal(last.left, 0);
	assert_int_equal(last.wait_s, 10);
	now_us += 9 * SECOND_US + 1;
	last = throttle_ask(*state, "a", 6);
	assert_false(last.is_admitted);
	assert_int_equal(last.wait_s, 1);
	now_us += SECOND_US - 1;
	last = throttle_ask(*state, "a", 6);
	assert_true(last.is_admitted);
	assert_int_equal(last.left, 0);
	assert_int_equal(last.wait_s, 10);
	now_us += 25 * SECOND_US;
	last = throttle_ask(*state, "a", 6);
	assert_true(last.is_admitted);
	assert_int_equal(last.left, 1);
	assert_int_equal(last.wait_s, 5);
	now_us += 3600LL * SECOND_US;
	assert_int_equal(use_up(*state, "a", 6), 6);
}

static void
any_limit_is_kept(void **state)
{
	static const int limits[] = { 1, 7, 600, 70000, 1000000 };

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		char key[2] = { (char)('b' + i), '\0' };
		int passed = use_up(*state, key, limits[i]);

		assert_int_equal(passed, limits[i]);
		now_us += 30 * SECOND_US;
		passed = use_up(*state, key, limits[i]);
		assert_in_range(
		    passed, limits[i] / 2, limits[i] / 2 + limits[i] / 50 + 1);
		now_us += 60 * SECOND_US;
	}
}

static void
keys_and_new_limits_stand_alone(void **state)
{
	assert_int_equal(use_up(*state, "a", 5), 5);
	assert_int_equal(use_up(*state, "b", 5), 5);
	/* A minute's worth is used up, however much that is. */
	assert_int_equal(use_up(*state, "a", 50), 0);
	now_us += 6 * SECOND_US;
	assert_int_equal(use_up(*state, "a", 50), 5);
}

static void
others_count_on_the_same_table(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(use_up(throttle_open(path), "a", 4));
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 4);
	assert_int_equal(use_up(*state, "a", 4), 0);
	assert_int_equal(use_up(throttle_open(path), "a", 4), 0);
}

/* All at once, and nothing is counted twice or not at all. */
static void
many_at_once_pass_as_one(void **state)
{
	enum { PROCESSES = 8, EACH = 200000, LIMIT = 1000000 };

	int fds[2];
	int passed = 0;
	int part;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	for (int i = 0; i < PROCESSES; i++) {
		if (fork() != 0)
			continue;
		part = 0;
		for (int n = 0; n < EACH; n++)
			part += throttle_ask(*state, "a", LIMIT).is_admitted;
		_exit(write(fds[1], &part, sizeof(part)) != sizeof(part));
	}
	for (int i = 0; i < PROCESSES; i++) {
		assert_int_equal(
		    read(fds[0], &part, sizeof(part)), sizeof(part));
		passed += part;
		assert_true(wait(NULL) > 0);
	}
	assert_int_equal(passed, LIMIT);
}

/* There is room for a thousand; the one that has asked least lately makes room. */
static void
who_has_no_place_takes_the_oldest(void **state)
{
	char key[16];
	int known = 0;

	for (int i = 0; i < 3 * MANY; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(use_up(*state, key, 2), 2);
		now_us += 1000;
	}
	for (int i = 0; i < 3 * MANY; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		if (i >= 3 * MANY - MANY / 4)
			known += use_up(*state, key, 2) == 0;
	}
	assert_in_range(known, MANY / 8, MANY);
	now_us += 60 * SECOND_US;
	assert_int_equal(use_up(*state, "new", 2), 2);
	assert_int_equal(use_up(*state, "new", 2), 0);
}

/* A file that a reboot has left: its moments are of another clock. */
static void
a_moment_far_away_is_a_minute_away(void **state)
{
	assert_int_equal(use_up(*state, "a", 6), 6);
	now_us = 1;
	assert_int_equal(throttle_ask(*state, "a", 6).wait_s, 10);
	now_us += 10 * SECOND_US;
	assert_false(throttle_ask(*state, "a", 6).is_admitted);
}

static void
open_it(void *call)
{
	if (call != NULL)
		fault_arm(call, 1, ENOSPC);
	(void)throttle_open(path);
}

static void
without_it_nobody_starts(void **state)
{
	static char fallocate[] = "posix_fallocate";
	static char map[] = "mmap";
	struct stat status;

	(void)state;
	assert_ends(open_it, fallocate, false,
	    "<2>throttle.open reason=\"No space left on device\"");
	assert_ends(open_it, map, false,
	    "<2>throttle.open reason=\"No space left on device\"");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, BYTES);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_ends(open_it, NULL, false,
	    "<2>throttle.open reason=\"Too many levels of symbolic links\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_minute_at_once_and_then_by_and_by),
		TEST(any_limit_is_kept),
		TEST(keys_and_new_limits_stand_alone),
		TEST(others_count_on_the_same_table),
		TEST(many_at_once_pass_as_one),
		TEST(who_has_no_place_takes_the_oldest),
		TEST(a_moment_far_away_is_a_minute_away),
		TEST(without_it_nobody_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
