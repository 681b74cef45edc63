/*
 * The scoreboard's file: made, read by others, taken over by its own process.
 */
#include "shared/scoreboard.h"

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
	scoreboard_slot(own, SLOTS - 1)->requests = 3;
	scoreboard_slot(own, SLOTS - 1)->errors = 1;
	sum = scoreboard_sum(other);
	assert_int_equal(sum.base, 2);
	assert_int_equal(sum.limit, 4);
	assert_int_equal(sum.idle, 1);
	assert_int_equal(sum.busy, 1);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
