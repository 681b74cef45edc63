/*
 * The syntax of systemd's EnvironmentFile=, to its last byte.
 */
#include "shared/envfile.h"
#include "tests/unit/faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char assigned[1024]; /* NAME=value| of each */

static bool
assign(void *context, const char *name, const char *value, int line)
{
	size_t bytes = strlen(assigned);

	assert_ptr_equal(context, assigned);
	assert_true(line > 0);
	(void)snprintf(
	    assigned + bytes, sizeof(assigned) - bytes, "%s=%s|", name, value);
	return strcmp(value, "stop") != 0;
}

/* In memory that ends where the text does. */
static bool
parse(const char *text, struct envfile_problem *problem)
{
	size_t bytes = strlen(text);
	char *exact = malloc(bytes + (bytes == 0));
	bool is_good;

	assert_non_null(exact);
	memcpy(exact, text, bytes);
	assigned[0] = '\0';
	is_good = envfile_parse(exact, bytes, assign, assigned, problem);
	free(exact);
	return is_good;
}

static void
is_read_as_systemd_reads_it(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ " \t", "" },
		{ "#", "" },
		{ ";x\r\n#y", "" },
		{ "A=1", "A=1|" },
		{ "\tA\t=\t1\t\n", "A=1|" },
		{ "A=1\r", "A=1\r|" },
		{ "A=1\rB=2\n", "A=1\rB=2|" },
		{ "A=", "A=|" },
		{ "A=\\", "A=|" },
		{ "A=b\\", "A=b|" },
		{ "A=\"\\\"\"", "A=\"|" },
		{ "A=\"\\x\"", "A=\\x|" },
		{ "A=\"b\\\nc\"", "A=bc|" },
		{ "A='b'\t\nB=2", "A=b|B=2|" },
		{ "A='b' ", "A=b|" },
		{ "A=1\n\n\tB=2\n", "A=1|B=2|" },
	};

	struct envfile_problem problem;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (!parse(pairs[i][0], &problem))
			fail_msg("refused: \"%s\"", pairs[i][0]);
		assert_string_equal(assigned, pairs[i][1]);
	}
}

static void
what_is_not_closed_or_no_assignment_is_refused(void **state)
{
	static const char *const wrong[] = { "A", "A ", "=1", "A-B=1", "A b",
		"A='", "A='b", "A=\"", "A=\"b", "A=\"b\\", "A='b' c",
		"A='b'\t#" };

	struct envfile_problem problem;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "Z=0\n%s", wrong[i]);
		if (parse(text, &problem))
			fail_msg("taken: \"%s\"", wrong[i]);
		assert_string_equal(assigned, "Z=0|");
		assert_non_null(problem.sentence);
		assert_int_equal(problem.line, 2);
	}
	assert_false(parse("A=stop\nB=2", &problem));
	assert_string_equal(assigned, "A=stop|");
	assert_null(problem.sentence);
}

static void
memory_that_is_short_is_named(void **state)
{
	struct envfile_problem problem;
	char text[] = "A=1\n";

	(void)state;
	for (int nth = 1;; nth++) {
		bool is_good;

		assigned[0] = '\0';
		fault_arm("realloc", nth, ENOMEM);
		is_good = envfile_parse(
		    text, strlen(text), assign, assigned, &problem);
		if (!fault_disarm()) {
			assert_true(is_good);
			assert_true(nth > 2);
			break;
		}
		assert_false(is_good);
		assert_string_equal(problem.sentence, "out of memory");
		assert_string_equal(assigned, "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_read_as_systemd_reads_it),
		cmocka_unit_test(
		    what_is_not_closed_or_no_assignment_is_refused),
		cmocka_unit_test(memory_that_is_short_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
