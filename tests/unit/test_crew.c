/*
 * The crew: whom it starts, tells, kills and buries, and when.  No process is
 * made: the system's calls below are the test's.
 */
#include "fcgi/crew.h"
#include "shared/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLOTS = 3, DEATHS_MAX = 8, FIRST_PID = 1000000 };

/* Linked with --wrap (Makefile). */
pid_t __wrap_fork(void);
int __wrap_kill(pid_t pid, int number);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int64_t __wrap_clock_ms(void);
FILE *__wrap_fopen(const char *path, const char *mode);

static int64_t now_ms;
static pid_t next_pid;
static int fork_error;
static char signals[256]; /* "PID:NUMBER " of each that was sent */
static char children[64]; /* as the kernel tells them */

static struct {
	pid_t pid;
	int status;
} deaths[DEATHS_MAX];

static char path[64];
static struct scoreboard *board;
static struct pool pool = { .name = "read", .request_ms = 10000 };
static struct conf conf;

pid_t
__wrap_fork(void)
{
	errno = fork_error;
	return fork_error == 0 ? next_pid++ : -1;
}

int
__wrap_kill(pid_t pid, int number)
{
	size_t length = strlen(signals);

	(void)snprintf(signals + length, sizeof(signals) - length, "%d:%d ",
	    (int)pid, number);
	return 0;
}

pid_t
__wrap_waitpid(pid_t pid, int *status, int options)
{
	assert_int_equal(options, WNOHANG);
	for (int i = 0; i < DEATHS_MAX; i++)
		if (deaths[i].pid == pid) {
			deaths[i].pid = 0;
			*status = deaths[i].status;
			return pid;
		}
	return 0;
}

int64_t
__wrap_clock_ms(void)
{
	return now_ms;
}

FILE *
__wrap_fopen(const char *file, const char *mode)
{
	assert_string_equal(file, "/proc/thread-self/children");
	(void)mode;
	errno = ENOENT;
	return *children == '\0' ? NULL
				 : fmemopen(children, strlen(children), "r");
}

static int
set_up(void **state)
{
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/crew.XXXXXX");
	fd = mkstemp(path);
	if (fd < 0 || close(fd) != 0 || unlink(path) != 0)
		return -1;
	now_ms = 5000000;
	next_pid = FIRST_PID;
	fork_error = 0;
	signals[0] = '\0';
	children[0] = '\0';
	memset(deaths, 0, sizeof(deaths));
	board = scoreboard_create(path, SLOTS);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	scoreboard_close(board);
	return unlink(path);
}

static struct crew *
make(void)
{
	return crew_new(&(struct crew_options){
	    .conf = &conf, .pool = &pool, .scoreboard = board });
}

/* Starts one, which gets as far as this state. */
static int
start(struct crew *crew, enum slot_state state)
{
	int i = 0;

	assert_true(crew_start(crew));
	while (scoreboard_slot(board, i)->pid != next_pid - 1)
		i++;
	scoreboard_slot(board, i)->state = (int32_t)state;
	return i;
}

static void
die(pid_t pid, int status)
{
	int i = 0;

	while (deaths[i].pid != 0)
		i++;
	deaths[i].pid = pid;
	deaths[i].status = status;
}

/* How long the brake holds the next start up after one worker died of SIGSEGV, in
 * this state and at this age. */
static int64_t
pause_after_death(struct crew *crew, enum slot_state state, int64_t age_ms)
{
	(void)start(crew, state);
	now_ms += age_ms;
	die(next_pid - 1, SIGSEGV);
	crew_bury(crew);
	return crew_next_start_ms(crew) - now_ms;
}

static void
no_more_than_there_are_slots(void **state)
{
	struct crew *crew = make();

	(void)state;
	for (int i = 0; i < SLOTS; i++)
		assert_int_equal(start(crew, SLOT_IDLE), i);
	assert_false(crew_start(crew));
	assert_int_equal(crew_count(crew).all, SLOTS);
	die(FIRST_PID + 1, 0);
	crew_bury(crew);
	assert_int_equal(start(crew, SLOT_BUSY), 1);
	assert_int_equal(crew_count(crew).idle, 2);
	assert_int_equal(crew_count(crew).busy, 1);
	assert_int_equal(scoreboard_counters(board)->workers_started, 4);
	assert_int_equal(scoreboard_counters(board)->workers_crashed, 0);
}

static void
a_fork_that_fails_is_tried_again_ever_more_slowly(void **state)
{
	struct crew *crew = make();
	int64_t last_ms = 0;

	(void)state;
	fork_error = EAGAIN;
	for (int i = 0; i < 10; i++) {
		assert_false(crew_start(crew));
		assert_int_equal(scoreboard_slot(board, 0)->state, SLOT_FREE);
		assert_false(crew_start(crew)); /* too soon: not even tried */
		assert_true(crew_next_start_ms(crew) - now_ms >= last_ms);
		last_ms = crew_next_start_ms(crew) - now_ms;
		assert_true(last_ms >= 20 && last_ms <= 1000);
		now_ms += last_ms;
	}
	assert_int_equal(last_ms, 1000);
	fork_error = 0;
	assert_true(crew_start(crew));
}

static void
the_brake_is_on_for_those_that_die_young(void **state)
{
	struct crew *crew = make();
	int64_t pause_ms;

	(void)state;
	/* While they start or in their first request: twice as long each. */
	for (pause_ms = 20; pause_ms < 1000; pause_ms *= 2) {
		assert_int_equal(
		    pause_after_death(crew, SLOT_STARTING, 5), pause_ms);
		now_ms += pause_ms;
	}
	assert_int_equal(pause_after_death(crew, SLOT_BUSY, 5), 1000);
	now_ms += 1000;
	/* Who waited for work was ended from outside. */
	assert_int_equal(pause_after_death(crew, SLOT_IDLE, 5), 20);
	now_ms += 20;
	/* And who lived has not failed. */
	assert_true(pause_after_death(crew, SLOT_IDLE, 2000) <= 0);
	assert_int_equal(scoreboard_counters(board)->workers_crashed, 9);
}

static void
a_worker_that_lives_releases_the_brake(void **state)
{
	struct crew *crew = make();
	int i;

	(void)state;
	assert_int_equal(pause_after_death(crew, SLOT_STARTING, 5), 20);
	now_ms += 20;
	assert_int_equal(pause_after_death(crew, SLOT_STARTING, 5), 40);
	now_ms += 40;
	(void)start(crew, SLOT_IDLE);
	assert_int_equal(pause_after_death(crew, SLOT_STARTING, 5), 80);
	now_ms += 80;
	/* The idle one started before the last failure: it proves nothing. */
	assert_int_equal(pause_after_death(crew, SLOT_STARTING, 5), 160);
	now_ms += 160;
	i = start(crew, SLOT_IDLE);
	scoreboard_slot(board, i)->requests += 1;
	assert_int_equal(pause_after_death(crew, SLOT_STARTING, 5), 20);
}

static void
of_several_that_die_at_once_one_counts(void **state)
{
	struct crew *crew = make();

	(void)state;
	for (int i = 0; i < SLOTS; i++)
		(void)start(crew, SLOT_STARTING);
	now_ms += 5;
	for (int i = 0; i < SLOTS; i++)
		die(FIRST_PID + i, SIGSEGV);
	crew_bury(crew);
	assert_int_equal(crew_next_start_ms(crew) - now_ms, 20);
	assert_int_equal(crew_count(crew).all, 0);
}

static void
who_is_late_is_killed_once(void **state)
{
	struct crew *crew = make();
	int i = start(crew, SLOT_BUSY);

	(void)state;
	scoreboard_slot(board, i)->busy_since_ms = now_ms;
	now_ms += pool.request_ms - 1;
	assert_int_equal(crew_enforce(crew), now_ms + 1);
	assert_string_equal(signals, "");
	now_ms += 1;
	assert_int_equal(crew_enforce(crew), now_ms + 50);
	assert_string_equal(signals, "1000000:9 ");
	assert_int_equal(crew_enforce(crew), now_ms + 50);
	assert_string_equal(signals, "1000000:9 ");
	die(FIRST_PID, SIGKILL);
	crew_bury(crew);
	/* By us: no crash, and no brake. */
	assert_int_equal(scoreboard_counters(board)->workers_killed, 1);
	assert_int_equal(scoreboard_counters(board)->workers_crashed, 0);
	assert_int_equal(crew_next_start_ms(crew), 0);
	assert_int_equal(crew_enforce(crew), now_ms + pool.request_ms);
}

static void
who_starts_for_too_long_is_late_too(void **state)
{
	struct crew *crew = make();

	(void)state;
	(void)start(crew, SLOT_STARTING);
	now_ms += pool.request_ms;
	(void)crew_enforce(crew);
	assert_string_equal(signals, "1000000:9 ");
}

static void
told_to_stop_again_and_again_and_then_killed(void **state)
{
	struct crew *crew = make();

	(void)state;
	(void)start(crew, SLOT_IDLE);
	crew_retire_all(crew);
	crew_retire_all(crew);
	assert_string_equal(signals, "1000000:15 ");
	assert_int_equal(crew_enforce(crew), now_ms + 200);
	now_ms += 200;
	assert_int_equal(crew_enforce(crew), now_ms + 200);
	assert_string_equal(signals, "1000000:15 1000000:15 ");
	now_ms += pool.request_ms;
	(void)crew_enforce(crew);
	assert_string_equal(signals, "1000000:15 1000000:15 1000000:9 ");
	assert_int_equal(crew_count(crew).all, 1);
	assert_int_equal(crew_count(crew).working, 0);
}

static void
the_last_idle_one_goes_first(void **state)
{
	struct crew *crew = make();

	(void)state;
	(void)start(crew, SLOT_IDLE);
	(void)start(crew, SLOT_IDLE);
	(void)start(crew, SLOT_BUSY);
	assert_true(crew_retire_idle(crew));
	assert_true(crew_retire_idle(crew));
	assert_false(crew_retire_idle(crew));
	assert_string_equal(signals, "1000001:15 1000000:15 ");
	assert_false(crew_retire_old(crew)); /* none is of before */
}

/* After an exec: same process, same scoreboard, same children. */
static void
children_of_before_are_adopted(void **state)
{
	struct crew *crew = make();

	(void)state;
	(void)start(crew, SLOT_BUSY);
	(void)start(crew, SLOT_IDLE);
	(void)start(crew, SLOT_STOPPING);
	(void)strcpy(children, "1000000 1000001 1000002 ");
	crew = make();
	/* That which was on its way out is told again. */
	assert_string_equal(signals, "1000002:15 ");
	assert_int_equal(crew_count(crew).all, 3);
	assert_int_equal(crew_count(crew).old, 2);
	/* The idle one is gone at once, so it is the first. */
	assert_true(crew_retire_old(crew));
	assert_true(crew_retire_old(crew));
	assert_false(crew_retire_old(crew));
	assert_string_equal(signals, "1000002:15 1000001:15 1000000:15 ");
}

/* The scoreboard was of another layout: nobody knows what they do. */
static void
children_without_a_slot_finish_and_go(void **state)
{
	struct crew *crew;

	(void)state;
	(void)strcpy(children, "1000000 1000001 1000002 1000003 ");
	crew = make();
	assert_string_equal(
	    signals, "1000000:15 1000001:15 1000002:15 1000003:9 ");
	assert_int_equal(crew_count(crew).all, SLOTS);
	assert_int_equal(crew_count(crew).old, 0);
	assert_false(crew_start(crew));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    no_more_than_there_are_slots, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_fork_that_fails_is_tried_again_ever_more_slowly, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    the_brake_is_on_for_those_that_die_young, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    a_worker_that_lives_releases_the_brake, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    of_several_that_die_at_once_one_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    who_is_late_is_killed_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    who_starts_for_too_long_is_late_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    told_to_stop_again_and_again_and_then_killed, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    the_last_idle_one_goes_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    children_of_before_are_adopted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    children_without_a_slot_finish_and_go, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
