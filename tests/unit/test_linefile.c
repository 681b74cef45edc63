/*
 * Lines through a file: whole, in order, never mixed, bounded.
 */
#include "shared/linefile.h"

#include "shared/clock.h"
#include "tests/unit/faults.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/linefile-XXXXXX";
static char path[64];
static char waiting[80];

/* What a reader was given. */
static char seen[256 * 1024];
static int lines;
static int too_long;

static int
make_directory(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/lines", dir);
	(void)snprintf(waiting, sizeof(waiting), "%s.waiting", path);
	return 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int
set_up(void **state)
{
	(void)state;
	*seen = '\0';
	lines = 0;
	too_long = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)unlink(path); /* some tests leave none of them */
	(void)unlink(waiting);
	return 0;
}

static bool
take(void *context, const char *line, size_t bytes)
{
	const int *most = context;

	assert_int_equal(strlen(line), bytes);
	too_long += bytes == 0;
	lines++;
	if (strlen(seen) + bytes + 2 < sizeof(seen)) {
		(void)strcat(seen, line);
		(void)strcat(seen, "|");
	}
	return most == NULL || lines < *most;
}

static void
append(struct linefile *file, const char *line)
{
	assert_true(linefile_append(file, line, strlen(line)));
}

static bool others_write;

/* Waits for the moment at which the file may be read; it comes at once when there
 * is nobody else to wait for. */
static int
begin(void)
{
	int64_t end_ms = clock_ms() + 10000;
	int fd;

	while ((fd = linefile_begin(path)) < 0) {
		assert_true(clock_ms() < end_ms);
		if (others_write)
			(void)poll(NULL, 0, 10);
		else
			fault_ahead_s++;
	}
	return fd;
}

static void
read_all(void)
{
	int fd = begin();

	assert_true(linefile_read(fd, take, NULL));
	linefile_end(path, fd, true);
}

static void
lines_come_back_in_their_order(void **state)
{
	struct linefile file = { .path = path };

	(void)state;
	assert_int_equal(linefile_begin(path), -1);
	append(&file, "one");
	append(&file, "two");
	read_all();
	assert_string_equal(seen, "one|two|");
	assert_int_equal(access(waiting, F_OK), -1);
	assert_int_equal(linefile_begin(path), -1);
	append(&file, "three"); /* to the file that now has the name */
	read_all();
	assert_string_equal(seen, "one|two|three|");
}

static void
what_is_not_safe_is_read_again(void **state)
{
	struct linefile file = { .path = path };
	int most = 1;
	int fd;

	(void)state;
	append(&file, "one");
	append(&file, "two");
	fd = begin();
	assert_false(linefile_read(fd, take, &most));
	linefile_end(path, fd, false);
	assert_string_equal(seen, "one|");
	read_all();
	assert_string_equal(seen, "one|one|two|");
}

/* Nor is another file renamed while one waits, so that nothing is replaced. */
static void
one_file_waits_at_a_time(void **state)
{
	struct linefile first = { .path = path };
	struct linefile second = { .path = path };
	int fd;

	(void)state;
	append(&first, "one");
	fd = begin();
	append(&second, "two");
	assert_int_equal(linefile_begin(path), -1); /* it is being read */
	linefile_end(path, fd, false);
	read_all();
	assert_string_equal(seen, "one|");
	read_all();
	assert_string_equal(seen, "one|two|");
}

static void
a_line_that_comes_late_is_not_lost(void **state)
{
	struct linefile file = { .path = path };
	FILE *late;
	int fd;

	(void)state;
	append(&file, "one");
	fd = begin();
	assert_true(linefile_read(fd, take, NULL));
	late = fopen(waiting, "a");
	assert_non_null(late);
	assert_true(fputs("\nlate\n", late) >= 0);
	assert_int_equal(fclose(late), 0);
	linefile_end(path, fd, true);
	read_all();
	assert_string_equal(seen, "one|one|late|");
}

static void
write_bytes(const char *bytes, size_t count)
{
	FILE *file = fopen(path, "a");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, count, file), count);
	assert_int_equal(fclose(file), 0);
}

static void
rubbish_spoils_no_other_line(void **state)
{
	static char rubbish[3 * LINEFILE_LINE_MAX];
	struct linefile file = { .path = path };

	(void)state;
	memset(rubbish, 'x', sizeof(rubbish));
	append(&file, "one");
	write_bytes("cut", 3);
	append(&file, "two");
	write_bytes(rubbish, LINEFILE_LINE_MAX + 1);
	append(&file, "three");
	write_bytes(rubbish, sizeof(rubbish));
	append(&file, "four");
	write_bytes("end", 3);
	read_all();
	assert_string_equal(seen, "one|cut|two||three||four|end|");
	assert_int_equal(too_long, 2);
}

static void
too_much_is_refused(void **state)
{
	static char line[LINEFILE_LINE_MAX + 1];
	struct linefile file = { .path = path };
	struct linefile nowhere = { .path = "/nowhere/lines" };
	struct linefile full = { .path = path };
	struct stat status;

	(void)state;
	memset(line, 'x', sizeof(line));
	assert_true(linefile_append(&file, line, LINEFILE_LINE_MAX));
	assert_false(linefile_append(&file, line, LINEFILE_LINE_MAX + 1));
	assert_false(linefile_append(&file, line, 0));
	assert_false(linefile_append(&nowhere, "x", 1));
	assert_int_equal(truncate(path, LINEFILE_MAX_BYTES), 0);
	assert_false(linefile_append(&full, "x", 1));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, LINEFILE_MAX_BYTES);
}

static void
a_clock_that_is_set_back_holds_nothing_up(void **state)
{
	struct linefile file = { .path = path };
	int fd;

	(void)state;
	append(&file, "one");
	fault_ahead_s = 0;
	assert_int_equal(linefile_begin(path), -1); /* renamed just now */
	assert_int_equal(linefile_begin(path), -1);
	fault_ahead_s = -3600;
	fd = linefile_begin(path);
	assert_true(fd >= 0);
	linefile_end(path, fd, false);
	fault_ahead_s = 0;
}

/* Whoever has put it there. */
static void
what_is_no_file_is_not_read(void **state)
{
	struct linefile file = { .path = path };
	static char longer[PATH_MAX];

	(void)state;
	assert_int_equal(mkdir(waiting, 0700), 0);
	assert_int_equal(linefile_begin(path), -1);
	append(&file, "one");
	assert_int_equal(linefile_begin(path), -1);
	assert_int_equal(access(path, F_OK), 0); /* it is not renamed */
	assert_int_equal(rmdir(waiting), 0);
	memset(longer, 'x', sizeof(longer) - 1);
	assert_int_equal(linefile_begin(longer), -1);
}

/* Whether lines may be lost, and nothing else, is at stake. */
static void
what_fails_is_tried_another_time(void **state)
{
	struct linefile file = { .path = path };
	int fd;

	(void)state;
	fault_arm("fstat", 1, EIO); /* who knows how full it is? */
	assert_false(linefile_append(&file, "one", 3));
	assert_true(fault_disarm());
	file.opened_us = 0;
	append(&file, "one");
	linefile_end(path, begin(), false);
	fault_arm("fstat", 1, EIO);
	assert_int_equal(linefile_begin(path), -1);
	fault_arm("flock", 1, EINTR);
	assert_int_equal(linefile_begin(path), -1);
	fd = begin();
	fault_arm("read", 1, EIO);
	assert_false(linefile_read(fd, take, NULL));
	fault_arm("read", 1, EINTR);
	assert_true(linefile_read(fd, take, NULL));
	assert_string_equal(seen, "one|");
	fault_arm("fstat", 1, EIO);
	linefile_end(path, fd, true);
	assert_true(fault_disarm());
	assert_int_equal(access(waiting, F_OK), 0);
	read_all();
	assert_string_equal(seen, "one|one|");
	assert_int_equal(access(waiting, F_OK), -1);
}

/* The one that has no end, too. */
static void
each_line_may_be_the_last_that_is_taken(void **state)
{
	static char longer[LINEFILE_LINE_MAX + 2];

	(void)state;
	write_bytes("one\ntwo\n", 8);
	memset(longer, 'x', sizeof(longer));
	write_bytes(longer, sizeof(longer));
	for (int most = 1; most <= 3; most++) {
		int fd = begin();

		lines = 0;
		assert_false(linefile_read(fd, take, &most));
		assert_int_equal(lines, most);
		linefile_end(path, fd, false);
	}
	assert_int_equal(too_long, 1);
}

enum { WRITERS = 4, EACH = 3000 };

static void
write_many(char letter)
{
	struct linefile file = { .path = path };
	char line[64];

	memset(line, letter, sizeof(line));
	for (int i = 0; i < EACH; i++)
		if (!linefile_append(&file, line, sizeof(line)))
			_exit(1);
	_exit(0);
}

static bool
take_pure(void *context, const char *line, size_t bytes)
{
	int *counts = context;
	int letter = line[0] - 'a';

	assert_int_equal(bytes, 64);
	assert_int_equal(strspn(line, (char[]){ line[0], '\0' }), bytes);
	counts[letter]++;
	return true;
}

static bool
is_complete(const int *counts)
{
	for (int i = 0; i < WRITERS; i++)
		if (counts[i] < EACH)
			return false;
	return true;
}

static void
many_write_while_one_reads(void **state)
{
	int counts[WRITERS] = { 0 };
	pid_t pids[WRITERS];
	int status;

	(void)state;
	others_write = true;
	fault_ahead_s = 0;
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			write_many((char)('a' + i));
	}
	while (!is_complete(counts)) {
		int fd = begin();

		assert_true(linefile_read(fd, take_pure, counts));
		linefile_end(path, fd, true);
	}
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
		assert_int_equal(counts[i], EACH);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    lines_come_back_in_their_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    what_is_not_safe_is_read_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    one_file_waits_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_line_that_comes_late_is_not_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    rubbish_spoils_no_other_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    too_much_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_clock_that_is_set_back_holds_nothing_up, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    what_is_no_file_is_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    what_fails_is_tried_another_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    each_line_may_be_the_last_that_is_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    many_write_while_one_reads, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
