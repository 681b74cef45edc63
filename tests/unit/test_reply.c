/*
 * Headers of EasyPost's answers: which are kept, and what is done to the rest.
 */
#include "shared/reply.h"
#include "tests/unit/faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct reply answer;

static int
set_up(void **state)
{
	(void)state;
	reply_init(&answer);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	buf_free(&answer.body);
	buf_free(&answer.header_text);
	return 0;
}

static void
take(const char *line)
{
	reply_take_line(&answer, line, strlen(line));
}

static void
keeps_names_and_values(void **state)
{
	(void)state;
	take("HTTP/1.1 201 Created\r\n");
	take("Content-Type: application/json\r\n");
	take("X-Empty:\r\n");
	take("X-Spaces: \t a b \t\r\n");
	take("X-Colons: a:b\r\n");
	take("\r\n");
	reply_finish(&answer);
	assert_int_equal(answer.status, 201);
	assert_int_equal(answer.header_count, 4);
	assert_string_equal(
	    reply_header(&answer, "content-type"), "application/json");
	assert_string_equal(reply_header(&answer, "X-Empty"), "");
	assert_string_equal(reply_header(&answer, "X-Spaces"), "a b");
	assert_string_equal(reply_header(&answer, "X-Colons"), "a:b");
	assert_null(reply_header(&answer, "X-None"));
}

static void
leaves_out_what_is_none(void **state)
{
	static const char with_zero[] = "X-Zero: a\0b\r\n";

	(void)state;
	take("HTTP/1.1 200\r\n");
	take("no colon\r\n");
	take(": no name\r\n");
	take(" folded: line\r\n");
	take("\tfolded: line\r\n");
	reply_take_line(&answer, with_zero, sizeof(with_zero) - 1);
	take("X-Good: yes\r\n");
	reply_finish(&answer);
	assert_int_equal(answer.header_count, 1);
	assert_string_equal(reply_header(&answer, "x-good"), "yes");
}

static void
forgets_a_header_before_the_last(void **state)
{
	(void)state;
	take("HTTP/1.1 100 Continue\r\n");
	take("X-First: 1\r\n");
	take("\r\n");
	take("HTTP/1.1 404 Not Found\r\n");
	take("X-Second: 2\r\n");
	take("\r\n");
	take("X-Trailer: 3\r\n");
	reply_finish(&answer);
	assert_int_equal(answer.status, 404);
	assert_int_equal(answer.header_count, 1);
	assert_string_equal(reply_header(&answer, "X-Second"), "2");
}

static void
has_a_maximum_of_everything(void **state)
{
	static char line[20 * 1024];
	char name[32];

	(void)state;
	take("HTTP/1.1 200 OK\r\n");
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "X-Long: ", 8);
	take(line);
	assert_int_equal(answer.header_count, 0);
	for (int i = 0; i < REPLY_HEADERS_MAX + 10; i++) {
		(void)snprintf(name, sizeof(name), "X-%d: %d\r\n", i, i);
		take(name);
	}
	reply_finish(&answer);
	assert_int_equal(answer.header_count, REPLY_HEADERS_MAX);
	assert_string_equal(reply_header(&answer, "X-127"), "127");
}

/* All of them together; those that are kept are whole. */
static void
has_a_maximum_of_text(void **state)
{
	static char line[10 * 1024];
	char *value = line + 8;

	(void)state;
	take("HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 8; i++) {
		(void)snprintf(line, sizeof(line), "X-%04d: ", i);
		memset(value, 'x', sizeof(line) - 9);
		take(line);
	}
	take("X-Last: fits\r\n");
	reply_finish(&answer);
	assert_int_equal(answer.header_count, 7);
	assert_string_equal(reply_header(&answer, "X-0005"), value);
	assert_null(reply_header(&answer, "X-0006"));
	assert_string_equal(reply_header(&answer, "X-Last"), "fits");
}

static void
a_status_is_three_digits_or_none(void **state)
{
	static const struct {
		const char *line;
		int status;
	} lines[] = { { "HTTP/1.1 200\r\n", 200 }, { "HTTP/2 404 \r\n", 404 },
		{ "HTTP/1.1 2000\r\n", 0 }, { "HTTP/1.1 99/\r\n", 99 },
		{ "HTTP/1.1 1:0\r\n", 1 }, { "HTTP/1.1 x\r\n", 0 },
		{ "HTTP/1.1\r\n", 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		take(lines[i].line);
		assert_int_equal(answer.status, lines[i].status);
	}
	/* What is cut where the number is; what is no line of a status. */
	reply_take_line(&answer, "HTTP/1.1 200", 11);
	assert_int_equal(answer.status, 20);
	reply_take_line(&answer, "HTTP/1.1 200", 9);
	assert_int_equal(answer.status, 20);
}

static void
an_empty_line_ends_the_header(void **state)
{
	(void)state;
	take("HTTP/1.1 200 OK\r\n");
	take("X");
	take("\n");
	assert_true(answer.is_header_complete);
	take("X-Late: 1\r\n");
	reply_finish(&answer);
	assert_int_equal(answer.header_count, 0);
}

static void
is_an_answer_without_memory_for_its_headers(void **state)
{
	(void)state;
	take("HTTP/1.1 200 OK\r\n");
	fault_arm("realloc", 1, ENOMEM);
	take("X-First: 1\r\n");
	assert_true(fault_disarm());
	take("\r\n");
	reply_finish(&answer);
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.header_count, 0);
}

static void
is_empty_again_after_a_reset(void **state)
{
	(void)state;
	take("HTTP/1.1 200 OK\r\n");
	take("X-Old: 1\r\n");
	take("\r\n");
	assert_true(buf_add_string(&answer.body, "old"));
	reply_reset(&answer);
	assert_int_equal(answer.status, 0);
	assert_int_equal(answer.body.len, 0);
	assert_null(reply_header(&answer, "X-Old"));
	take("HTTP/1.1 500 Error\r\n");
	take("X-New: 2\r\n");
	reply_finish(&answer);
	assert_int_equal(answer.status, 500);
	assert_string_equal(reply_header(&answer, "X-New"), "2");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    keeps_names_and_values, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    leaves_out_what_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    forgets_a_header_before_the_last, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    has_a_maximum_of_everything, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    has_a_maximum_of_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_status_is_three_digits_or_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    an_empty_line_ends_the_header, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    is_an_answer_without_memory_for_its_headers, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    is_empty_again_after_a_reset, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
