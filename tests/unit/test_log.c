/*
 * One event, one line: nothing from outside makes a second line or a key.
 */
#include "shared/log.h"
#include "tests/unit/faults.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { CAPTURE_BYTES = 3 * LOG_LINE_MAX };

static char captured[CAPTURE_BYTES];
static int pipe_fds[2];
static int saved_stderr;

static int
begin_capture(void **state)
{
	(void)state;
	log_set_priority(LOG_INFO);
	log_set_name("");
	saved_stderr = dup(STDERR_FILENO);
	if (saved_stderr < 0 || pipe(pipe_fds) != 0)
		return -1;
	return dup2(pipe_fds[1], STDERR_FILENO) < 0 ? -1 : 0;
}

/* What was written to stderr since the test began. */
static const char *
end_capture(void)
{
	ssize_t n;

	assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
	assert_int_equal(close(saved_stderr), 0);
	assert_int_equal(close(pipe_fds[1]), 0);
	n = read(pipe_fds[0], captured, sizeof(captured) - 1);
	assert_true(n >= 0);
	captured[n] = '\0';
	assert_int_equal(close(pipe_fds[0]), 0);
	return captured;
}

static void
plain_values_stand_without_quotes(void **state)
{
	(void)state;
	log_event(LOG_INFO, "request", LOG_TEXT("path", "/v2/shipments?a&b"),
	    LOG_NUMBER("status", 201), LOG_NUMBER("least", -5));
	assert_string_equal(end_capture(),
	    "<6>request path=/v2/shipments?a&b status=201 least=-5\n");
}

static void
absent_and_empty_values_differ(void **state)
{
	(void)state;
	log_event(LOG_ERROR, "e", LOG_TEXT("a", NULL), LOG_TEXT("b", ""),
	    LOG_TEXT("c", "-"));
	assert_string_equal(end_capture(), "<3>e a=- b=\"\" c=-\n");
}

static void
no_byte_makes_a_second_line_or_key(void **state)
{
	(void)state;
	log_event(LOG_INFO, "e",
	    LOG_TEXT("a", "x\n<2>worker.panic b=c\r\t\"\\"),
	    LOG_TEXT("d", "admin=true"),
	    LOG_TEXT("e", "\x1b[31m\x7f\xc3\xa9\xff"));
	assert_string_equal(end_capture(),
	    "<6>e a=\"x\\n<2>worker.panic b=c\\r\\t\\\"\\\\\" "
	    "d=\"admin=true\" e=\"\\x1b[31m\\x7f\\xc3\\xa9\\xff\"\n");
}

static void
the_name_is_in_each_line(void **state)
{
	(void)state;
	log_set_name("waybill-fcgi/read");
	log_event(LOG_NOTICE, "worker.start", LOG_NUMBER("pid", 7));
	assert_string_equal(
	    end_capture(), "<5>worker.start name=waybill-fcgi/read pid=7\n");
}

static void
lines_less_urgent_than_asked_are_dropped(void **state)
{
	(void)state;
	log_event(LOG_DEBUG, "hidden", LOG_NUMBER("n", 1));
	log_set_priority(LOG_WARNING);
	log_event(LOG_NOTICE, "hidden", LOG_NUMBER("n", 2));
	log_event(LOG_WARNING, "shown", LOG_NUMBER("n", 3));
	log_set_priority(LOG_DEBUG);
	log_event(LOG_DEBUG, "shown", LOG_NUMBER("n", 4));
	assert_string_equal(end_capture(), "<4>shown n=3\n<7>shown n=4\n");
}

static void
a_long_value_is_cut_and_hides_no_other(void **state)
{
	static char text[10 * LOG_LINE_MAX];
	const char *line;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_event(LOG_INFO, "e", LOG_TEXT("long", text),
	    LOG_TEXT("request_id", "abc"));
	line = end_capture();
	assert_true(strlen(line) <= LOG_LINE_MAX);
	assert_non_null(strstr(line, "xxx...\" request_id=abc\n"));
}

static void
a_long_line_is_cut_where_it_still_parses(void **state)
{
	static char text[2000];
	const char *line;
	size_t bytes;
	size_t quotes = 0;

	(void)state;
	memset(text, '\n', sizeof(text) - 1);
	log_event(LOG_INFO, "e", LOG_TEXT("a", text), LOG_TEXT("b", text),
	    LOG_TEXT("c", text), LOG_TEXT("d", text), LOG_TEXT("f", text));
	line = end_capture();
	bytes = strlen(line);
	assert_true(bytes <= LOG_LINE_MAX);
	assert_string_equal(line + bytes - 5, "...\"\n");
	assert_ptr_equal(strchr(line, '\n'), line + bytes - 1);
	for (; *line != '\0'; line++)
		quotes += *line == '"';
	assert_int_equal(quotes % 2, 0);
}

static void
every_length_of_a_value_gives_one_whole_line(void **state)
{
	static char text[1100];
	size_t bytes;

	(void)state;
	(void)end_capture();
	for (bytes = 900; bytes < sizeof(text); bytes++) {
		memset(text, '"', bytes);
		text[bytes] = '\0';
		assert_int_equal(begin_capture(NULL), 0);
		log_event(LOG_INFO, "e", LOG_TEXT("a", text),
		    LOG_TEXT("b", text), LOG_TEXT("c", text),
		    LOG_TEXT("d", text), LOG_TEXT("f", "g"));
		(void)end_capture();
		assert_true(strlen(captured) <= LOG_LINE_MAX);
		assert_ptr_equal(
		    strchr(captured, '\n'), captured + strlen(captured) - 1);
	}
}

/* What is plain goes without quotes only if all of it fits. */
static void
a_line_of_plain_values_is_cut_as_others_are(void **state)
{
	char text[1001];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_event(LOG_INFO, "e", LOG_TEXT("a", text), LOG_TEXT("b", text),
	    LOG_TEXT("c", text), LOG_TEXT("d", text), LOG_TEXT("f", text));
	(void)end_capture();
	assert_true(strlen(captured) <= LOG_LINE_MAX);
	assert_non_null(strstr(captured, "xx c=xx"));
	assert_non_null(strstr(captured, "xx f=\"xx"));
	assert_string_equal(
	    captured + strlen(captured) - strlen("xx...\"\n"), "xx...\"\n");
}

static void
a_line_is_written_whatever_interrupts_it(void **state)
{
	(void)state;
	fault_arm("write", 1, EINTR);
	log_event(LOG_INFO, "e", LOG_NUMBER("n", 1));
	assert_true(fault_disarm());
	fault_arm("write", 1, ENOSPC);
	log_event(LOG_INFO, "lost", LOG_NUMBER("n", 2));
	assert_true(fault_disarm());
	log_event(LOG_INFO, "f", LOG_NUMBER("n", 3));
	assert_string_equal(end_capture(), "<6>e n=1\n<6>f n=3\n");
}

static void
errno_is_kept_even_when_nobody_listens(void **state)
{
	(void)state;
	(void)end_capture();
	saved_stderr = dup(STDERR_FILENO);
	assert_int_equal(close(STDERR_FILENO), 0);
	errno = ENOTTY;
	log_event(LOG_INFO, "e", LOG_NUMBER("n", 1));
	assert_int_equal(errno, ENOTTY);
	assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
	assert_int_equal(close(saved_stderr), 0);
}

static int
status_of(void (*end)(const char *, const char *))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		end("the.event", "the reason");
		_exit(77);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
fatal_exits_and_panic_aborts(void **state)
{
	int fatal_status = status_of(log_fatal);
	int panic_status = status_of(log_panic);

	(void)state;
	assert_string_equal(end_capture(),
	    "<2>the.event reason=\"the reason\"\n"
	    "<2>the.event reason=\"the reason\"\n");
	assert_true(WIFEXITED(fatal_status));
	assert_int_equal(WEXITSTATUS(fatal_status), 1);
	assert_true(WIFSIGNALED(panic_status));
	assert_int_equal(WTERMSIG(panic_status), SIGABRT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    plain_values_stand_without_quotes, begin_capture),
		cmocka_unit_test_setup(
		    absent_and_empty_values_differ, begin_capture),
		cmocka_unit_test_setup(
		    no_byte_makes_a_second_line_or_key, begin_capture),
		cmocka_unit_test_setup(the_name_is_in_each_line, begin_capture),
		cmocka_unit_test_setup(
		    lines_less_urgent_than_asked_are_dropped, begin_capture),
		cmocka_unit_test_setup(
		    a_long_value_is_cut_and_hides_no_other, begin_capture),
		cmocka_unit_test_setup(
		    a_long_line_is_cut_where_it_still_parses, begin_capture),
		cmocka_unit_test_setup(
		    every_length_of_a_value_gives_one_whole_line,
		    begin_capture),
		cmocka_unit_test_setup(
		    a_line_of_plain_values_is_cut_as_others_are, begin_capture),
		cmocka_unit_test_setup(
		    a_line_is_written_whatever_interrupts_it, begin_capture),
		cmocka_unit_test_setup(
		    errno_is_kept_even_when_nobody_listens, begin_capture),
		cmocka_unit_test_setup(
		    fatal_exits_and_panic_aborts, begin_capture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
