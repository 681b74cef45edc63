/*
 * The scoreboard's file: made, read by others, taken over by its own process.
 */
#include "shared/scoreboard.h"
#include "tests/unit/ending.h"
#include "tests/unit/faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLOTS = 5 };

static char path[64];

static int
set_up(void **state)
{
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/scoreboard.XXXXXX");
	fd = mkstemp(path);
	return fd < 0 || close(fd) != 0 || unlink(path) != 0;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)unlink(path); /* some tests leave none */
	return 0;
}

static void
others_see_what_its_owner_writes(void **state)
{
	struct scoreboard *own = scoreboard_create(path, SLOTS);
	const struct scoreboard *other = scoreboard_open(path);
	struct scoreboard_sum sum;

	(void)state;
	assert_non_null(other);
	assert_int_equal(scoreboard_slots(own), SLOTS);
	scoreboard_set_size(own, 2, 4);
	scoreboard_slot(own, 0)->state = SLOT_IDLE;
	scoreboard_slot(own, 0)->requests = 7;
	scoreboard_slot(own, SLOTS - 1)->state = SLOT_BUSY;
	scoreboard_slot(own, SLOTS - 1)->is_connected = 1;
	scoreboard_slot(own, SLOTS - 1)->is_exporting = 1;
	scoreboard_slot(own, SLOTS - 1)->requests = 3;
	scoreboard_slot(own, SLOTS - 1)->errors = 1;
	sum = scoreboard_sum(other);
	assert_int_equal(sum.base, 2);
	assert_int_equal(sum.limit, 4);
	assert_int_equal(sum.idle, 1);
	assert_int_equal(sum.busy, 1);
	assert_int_equal(sum.exporting, 1);
	assert_int_equal(sum.connected, 1);
	assert_int_equal(sum.requests, 10);
	assert_int_equal(sum.errors, 1);
	scoreboard_close(other);
	scoreboard_close(own);
}

static void
the_same_process_takes_it_over_and_may_add_slots(void **state)
{
	struct scoreboard *first = scoreboard_create(path, SLOTS);
	struct scoreboard *again;

	(void)state;
	scoreboard_slot(first, 1)->requests = 42;
	again = scoreboard_create(path, 2 * SLOTS);
	assert_int_equal(scoreboard_slots(again), 2 * SLOTS);
	assert_int_equal(scoreboard_slots(first), 2 * SLOTS);
	assert_int_equal(scoreboard_slot(again, 1)->requests, 42);
	scoreboard_slot(again, 2 * SLOTS - 1)->requests = 1;
	assert_int_equal(scoreboard_sum(first).requests, 43);
	scoreboard_close(again);
	again = scoreboard_create(path, 1);
	assert_int_equal(scoreboard_slots(again), 2 * SLOTS);
	scoreboard_close(again);
	scoreboard_close(first);
}

/* Makes a scoreboard in a child that is dead when this returns. */
static void
make_elsewhere(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct scoreboard *board = scoreboard_create(path, SLOTS);

		scoreboard_slot(board, 0)->state = SLOT_IDLE;
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
that_of_a_dead_supervisor_says_nothing(void **state)
{
	struct scoreboard *own;

	(void)state;
	make_elsewhere();
	assert_int_equal(access(path, F_OK), 0);
	assert_null(scoreboard_open(path));
	own = scoreboard_create(path, SLOTS);
	assert_int_equal(scoreboard_sum(own).idle, 0);
	scoreboard_close(own);
}

static void
nothing_and_rubbish_are_no_scoreboard(void **state)
{
	static const char rubbish[] = "not a scoreboard, but long enough to be "
				      "taken for one by its size alone.......";
	FILE *file;

	(void)state;
	assert_null(scoreboard_open(path));
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	assert_null(scoreboard_open(path));
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(rubbish, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_null(scoreboard_open(path));
	scoreboard_close(scoreboard_create(path, SLOTS));
}

/* The file of a live supervisor, with one number of its header changed. */
static void
put_number(off_t place, int32_t number)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &number, sizeof(number), place),
	    (ssize_t)sizeof(number));
	assert_int_equal(close(fd), 0);
}

static void
a_file_of_another_layout_is_no_scoreboard(void **state)
{
	enum { MAGIC_AT = 0, LAYOUT_AT = 4, SLOTS_AT = 12 };

	static const struct {
		off_t place;
		int32_t number;
	} changes[] = { { MAGIC_AT, 0 }, { LAYOUT_AT, 4 }, { SLOTS_AT, -1 },
		{ SLOTS_AT, 2048 }, { SLOTS_AT, SLOTS + 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		struct scoreboard *own = scoreboard_create(path, SLOTS);

		scoreboard_slot(own, 0)->requests = 1;
		put_number(changes[i].place, changes[i].number);
		assert_null(scoreboard_open(path));
		scoreboard_close(own);
		/* Nor is it taken over. */
		own = scoreboard_create(path, SLOTS);
		assert_int_equal(scoreboard_sum(own).requests, 0);
		scoreboard_close(own);
	}
}

static void
what_cannot_be_looked_at_says_nothing(void **state)
{
	struct scoreboard *own = scoreboard_create(path, SLOTS);

	(void)state;
	fault_arm("fstat", 1, EIO);
	assert_null(scoreboard_open(path));
	fault_arm("pread", 1, EIO);
	assert_null(scoreboard_open(path));
	fault_arm("mmap", 1, ENOMEM);
	assert_null(scoreboard_open(path));
	assert_true(fault_disarm());
	scoreboard_close(own);
}

/* A disk that is full when slots are to be added: the workers would die of it
 * (SIGBUS), so there is a new file, or none. */
static void
slots_that_do_not_fit_are_not_taken_over(void **state)
{
	struct scoreboard *own = scoreboard_create(path, SLOTS);
	struct scoreboard *more;

	(void)state;
	scoreboard_slot(own, 0)->requests = 1;
	fault_arm("posix_fallocate", 1, ENOSPC);
	more = scoreboard_create(path, SLOTS + 1);
	assert_true(fault_disarm());
	assert_int_equal(scoreboard_slots(own), SLOTS);
	assert_int_equal(scoreboard_slots(more), SLOTS + 1);
	assert_int_equal(scoreboard_sum(more).requests, 0);
	scoreboard_close(more);
	scoreboard_close(own);
}

static void
create(void *slots)
{
	(void)scoreboard_create(path, *(const int *)slots);
}

static void
create_while_a_call_fails(void *call)
{
	fault_arm(call, 1, EIO);
	(void)scoreboard_create(path, SLOTS);
}

static void
without_a_scoreboard_nobody_starts(void **state)
{
	static const char *const calls[] = { "unlink", "posix_fallocate",
		"pwrite", "pread", "mmap", "rename" };
	char made[sizeof(path) + 4];
	int slots = 2048;

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		char call[32];

		(void)snprintf(call, sizeof(call), "%s", calls[i]);
		assert_ends(create_while_a_call_fails, call, false,
		    "<2>scoreboard.failed path=/tmp/scoreboard.");
		assert_int_equal(access(path, F_OK), -1);
	}
	(void)snprintf(made, sizeof(made), "%s.new", path);
	assert_true(unlink(made) == 0 || errno == ENOENT);
	assert_int_equal(mkdir(made, 0700), 0);
	assert_ends(create_while_a_call_fails, made, false,
	    "<2>scoreboard.failed path=/tmp/scoreboard.");
	assert_int_equal(rmdir(made), 0);
	(void)snprintf(path, sizeof(path), "/nowhere/at/all");
	slots = SLOTS;
	assert_ends(create, &slots, false,
	    "<2>scoreboard.failed path=/nowhere/at/all.new "
	    "reason=\"cannot create\" error=\"No such file or directory\"");
	slots = 2048;
	assert_ends(create, &slots, true,
	    "<2>scoreboard.failed reason=\"more slots than it can have\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    others_see_what_its_owner_writes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    the_same_process_takes_it_over_and_may_add_slots, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    that_of_a_dead_supervisor_says_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    nothing_and_rubbish_are_no_scoreboard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_file_of_another_layout_is_no_scoreboard, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    what_cannot_be_looked_at_says_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    slots_that_do_not_fit_are_not_taken_over, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    without_a_scoreboard_nobody_starts, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
