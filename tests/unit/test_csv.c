/*
 * CSV: what a reader of RFC 4180 makes of it is what the row held.
 */
#include "shared/csv.h"
#include "tests/unit/made_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
check_value(enum db_kind kind, const char *text, const char *expected)
{
	const struct column column = { "name", kind, text };
	const struct db_row row = { &column, 1 };
	struct buf out;

	buf_init(&out, 1000);
	assert_true(csv_add_row(&out, &row));
	assert_string_equal(out.data, expected);
	buf_free(&out);
}

static void
quotes_only_what_needs_it(void **state)
{
	(void)state;
	check_value(DB_TEXT, "plain", "plain\r\n");
	check_value(DB_TEXT, "two words", "two words\r\n");
	check_value(DB_TEXT, "a,b", "\"a,b\"\r\n");
	check_value(DB_TEXT, "a\nb", "\"a\nb\"\r\n");
	check_value(DB_TEXT, "a\rb", "\"a\rb\"\r\n");
	check_value(DB_TEXT, "\"", "\"\"\"\"\r\n");
	check_value(DB_TEXT, "say \"a\" and \"b\"",
	    "\"say \"\"a\"\" and \"\"b\"\"\"\r\n");
	check_value(DB_TEXT, " a", "\" a\"\r\n");
	check_value(DB_TEXT, "a ", "\"a \"\r\n");
	check_value(DB_TEXT, "\xc3\xa9", "\xc3\xa9\r\n");
}

static void
disarms_formulas_of_others(void **state)
{
	(void)state;
	check_value(DB_TEXT, "=1+1", "'=1+1\r\n");
	check_value(DB_TEXT, "+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0\r\n");
	check_value(DB_TEXT, "-", "'-\r\n");
	check_value(DB_TEXT, "@SUM(A1)", "'@SUM(A1)\r\n");
	check_value(DB_TEXT, "\t=1", "'\t=1\r\n");
	check_value(DB_TEXT, "\r=1", "\"'\r=1\"\r\n");
	check_value(DB_TEXT, "\n=1", "\"'\n=1\"\r\n");
	check_value(DB_TEXT, "=A1,B1", "\"'=A1,B1\"\r\n");
	check_value(DB_TEXT, "'=1", "''=1\r\n");
	check_value(DB_TEXT, "+1 555 0100", "'+1 555 0100\r\n");
}

static void
leaves_numbers_alone(void **state)
{
	(void)state;
	check_value(DB_NUMBER, "-1.5", "-1.5\r\n");
	check_value(DB_TEXT, "-1.5", "-1.5\r\n");
	check_value(DB_TEXT, "+306.3%", "+306.3%\r\n");
	check_value(DB_TEXT, "+1%+1", "'+1%+1\r\n");
	check_value(DB_TEXT, "a=1", "a=1\r\n");
	check_value(DB_TEXT, "'s Hof", "'s Hof\r\n");
	check_value(DB_JSON, "-1", "-1\r\n");
}

static void
tells_null_from_nothing(void **state)
{
	(void)state;
	check_value(DB_TEXT, NULL, "\r\n");
	check_value(DB_TEXT, "", "\"\"\r\n");
	check_value(DB_TIME, NULL, "\r\n");
	check_value(DB_BOOL, NULL, "\r\n");
}

static void
writes_kinds_for_any_reader(void **state)
{
	(void)state;
	check_value(DB_BOOL, "t", "true\r\n");
	check_value(DB_BOOL, "f", "false\r\n");
	check_value(
	    DB_TIME, "2026-02-03 04:05:06+00", "2026-02-03T04:05:06Z\r\n");
	check_value(DB_TIME, "infinity", "infinity\r\n");
}

static void
writes_names_and_commas(void **state)
{
	const struct column columns[] = { { "id", DB_TEXT, "1" },
		{ "a,b", DB_TEXT, NULL }, { "c", DB_TEXT, "3" } };
	const struct db_row row = { columns, 3 };
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	assert_true(csv_add_names(&out, &row));
	assert_true(csv_add_row(&out, &row));
	assert_string_equal(out.data, "id,\"a,b\",c\r\n1,,3\r\n");
	buf_free(&out);
}

static void
says_when_it_does_not_fit(void **state)
{
	const struct column column = { "name", DB_TEXT, "much too long" };
	const struct db_row row = { &column, 1 };
	struct buf out;

	(void)state;
	buf_init(&out, 8);
	assert_false(csv_add_row(&out, &row));
	buf_reset(&out, 8);
	assert_true(csv_add_names(&out, &row));
	buf_free(&out);
	buf_init(&out, 5);
	assert_false(csv_add_line(&out, &row)); /* not even the names */
	buf_free(&out);
	buf_init(&out, 6);
	assert_false(csv_add_line(&out, &row)); /* nothing but the names */
	buf_free(&out);
}

static void
names_come_before_the_first_line(void **state)
{
	const struct column column = { "name", DB_TEXT, "x" };
	const struct db_row row = { &column, 1 };
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	assert_true(csv_add_line(&out, &row));
	assert_true(csv_add_line(&out, &row));
	assert_string_equal(out.data, "name\r\nx\r\nx\r\n");
	buf_reset(&out, 0);
	assert_true(csv_add_header(&out, &row)); /* without a line */
	assert_string_equal(out.data, "name\r\n");
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotes_only_what_needs_it),
		cmocka_unit_test(disarms_formulas_of_others),
		cmocka_unit_test(leaves_numbers_alone),
		cmocka_unit_test(tells_null_from_nothing),
		cmocka_unit_test(writes_kinds_for_any_reader),
		cmocka_unit_test(writes_names_and_commas),
		cmocka_unit_test(says_when_it_does_not_fit),
		cmocka_unit_test(names_come_before_the_first_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
