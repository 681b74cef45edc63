/*
 * The encoder: what it writes is valid JSON whatever the row holds.
 */
#include "fcgi/row.h"
#include "tests/unit/made_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
check_string(const char *in, size_t bytes, const char *expected)
{
	struct buf out;

	buf_init(&out, 1000);
	assert_true(row_string(&out, in, bytes));
	assert_string_equal(out.data, expected);
	buf_free(&out);
}

static void
escapes_what_json_demands(void **state)
{
	(void)state;
	check_string("", 0, "\"\"");
	check_string("plain", 5, "\"plain\"");
	check_string("\"\\/", 3, "\"\\\"\\\\/\"");
	check_string("\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\"");
	check_string("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"");
	check_string("a\"b\"c", 5, "\"a\\\"b\\\"c\"");
}

static void
keeps_utf8_and_replaces_the_rest(void **state)
{
	static const char replaced[] = "\xef\xbf\xbd";
	static const char *const good[] = { "\xc3\xb8", "\xe2\x82\xac",
		"\xf0\x9f\x9a\x9a", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf" };
	/* A lone continuation, an overlong form, a surrogate, above the end,
	 * a cut character. */
	static const char *const bad[] = { "\x80", "\xc0\xaf", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xe2\x82" };
	struct buf expected;

	(void)state;
	buf_init(&expected, 100);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		buf_reset(&expected, 100);
		assert_true(buf_addf(&expected, "\"%s\"", good[i]));
		check_string(good[i], strlen(good[i]), expected.data);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_reset(&expected, 100);
		assert_true(buf_add_byte(&expected, '"'));
		for (size_t n = 0; n < strlen(bad[i]); n++)
			assert_true(buf_add_string(&expected, replaced));
		assert_true(buf_add_byte(&expected, '"'));
		check_string(bad[i], strlen(bad[i]), expected.data);
	}
	buf_free(&expected);
	check_string("\xe2\x82x", 3, "\"\xef\xbf\xbd\xef\xbf\xbdx\"");
}

static void
check_row(const struct column *columns, int count, const char *expected)
{
	const struct db_row row = { columns, count };
	struct buf out;

	buf_init(&out, 1000);
	assert_true(row_to_json(&out, &row));
	assert_string_equal(out.data, expected);
	buf_free(&out);
}

static void
writes_each_kind(void **state)
{
	static const struct column columns[] = {
		{ "a", DB_TEXT, "6.07" },
		{ "b", DB_NUMBER, "-136.0" },
		{ "c", DB_BOOL, "t" },
		{ "d", DB_BOOL, "f" },
		{ "e", DB_JSON, "{\"x\": 1.0}" },
		{ "f", DB_TIME, "2026-11-21 09:37:10.123+00" },
		{ "g", DB_TEXT, NULL },
		{ "h\"", DB_NUMBER, "NaN" },
		{ "i", DB_NUMBER, "-Infinity" },
		{ "j", DB_NUMBER, "" },
	};

	(void)state;
	check_row(columns, 10,
	    "{\"a\":\"6.07\",\"b\":-136.0,\"c\":true,\"d\":false,"
	    "\"e\":{\"x\": 1.0},\"f\":\"2026-11-21T09:37:10.123Z\",\"g\":null,"
	    "\"h\\\"\":null,\"i\":null,\"j\":null}");
	check_row(columns, 0, "{}");
}

static void
spreads_what_is_ready(void **state)
{
	static const struct column columns[] = {
		{ "a", DB_NUMBER, "1" },
		{ "...", DB_JSON, "{\"b\":[{}],\"c\":null}" },
		{ "d", DB_JSON, "{}" },
	};
	static const struct column empty[] = { { "...", DB_JSON, NULL },
		{ "a", DB_NUMBER, "1" } };

	(void)state;
	check_row(columns, 3, "{\"a\":1,\"b\":[{}],\"c\":null,\"d\":{}}");
	check_row(columns + 1, 1, "{\"b\":[{}],\"c\":null}");
	check_row(empty, 2, "{\"...\":null,\"a\":1}");
}

static void
writes_times(void **state)
{
	static const struct column columns[] = {
		{ "a", DB_TIME, "2026-11-21 09:37:10+00" },
		{ "b", DB_TIME, "2026-11-21 09:37:10.000001+00" },
		{ "c", DB_TIME, "0044-03-15 00:00:00+00 BC" },
		{ "d", DB_TIME, "infinity" },
	};

	(void)state;
	check_row(columns, 4,
	    "{\"a\":\"2026-11-21T09:37:10Z\","
	    "\"b\":\"2026-11-21T09:37:10.000001Z\","
	    "\"c\":\"0044-03-15 00:00:00+00 BC\",\"d\":\"infinity\"}");
}

static void
says_when_there_is_no_room(void **state)
{
	static const struct column columns[] = { { "a", DB_TEXT, "text" } };
	const struct db_row row = { columns, 1 };

	(void)state;
	for (size_t max = 0; max < strlen("{\"a\":\"text\"}"); max++) {
		struct buf out;

		buf_init(&out, max);
		assert_false(row_to_json(&out, &row));
		assert_true(out.failed);
		buf_free(&out);
	}
}

static void
finds_columns_by_name(void **state)
{
	static const struct column columns[] = { { "a", DB_TEXT, "x" },
		{ "b", DB_TEXT, NULL } };
	const struct db_row row = { columns, 2 };

	(void)state;
	assert_string_equal(row_text(&row, "a"), "x");
	assert_null(row_text(&row, "b"));
	assert_null(row_text(&row, "c"));
}

static void
reads_columns_as_what_they_are(void **state)
{
	static const struct column columns[] = { { "text", DB_TEXT, "x" },
		{ "null", DB_TEXT, NULL }, { "number", DB_NUMBER, "-12" },
		{ "true", DB_BOOL, "t" }, { "false", DB_BOOL, "f" } };
	const struct db_row row = { columns, 5 };
	struct arena *arena = arena_new(1024);
	const char *kept = row_keep(arena, &row, "text");

	(void)state;
	assert_string_equal(kept, "x");
	assert_ptr_not_equal(kept, columns[0].text);
	assert_null(row_keep(arena, &row, "null"));
	assert_string_equal(row_word(&row, "text"), "x");
	assert_string_equal(row_word(&row, "null"), "");
	assert_string_equal(row_word(&row, "none"), "");
	assert_int_equal(row_number(&row, "number"), -12);
	assert_int_equal(row_number(&row, "null"), 0);
	assert_true(row_is_true(&row, "true"));
	assert_false(row_is_true(&row, "false"));
	assert_false(row_is_true(&row, "null"));
}

static void
takes_json_as_it_is(void **state)
{
	static const struct column columns[] = { { "a", DB_JSON, "[1.0]" },
		{ "b", DB_JSON, NULL } };
	const struct db_row row = { columns, 2 };
	const struct db_row null = { columns + 1, 1 };
	struct buf out;

	(void)state;
	buf_init(&out, 5);
	assert_true(row_verbatim(&out, &row));
	assert_string_equal(out.data, "[1.0]");
	assert_false(row_verbatim(&out, &null));
	assert_false(row_verbatim(&out, &row)); /* there is no room */
	buf_free(&out);
}

static void
writes_the_first_columns_only(void **state)
{
	static const struct column columns[] = { { "a", DB_TEXT, "x" },
		{ "b", DB_NUMBER, "1" }, { "c", DB_TEXT, "y" } };
	const struct db_row row = { columns, 3 };
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	assert_true(row_part_to_json(&out, &row, 2));
	assert_string_equal(out.data, "{\"a\":\"x\",\"b\":1}");
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_what_json_demands),
		cmocka_unit_test(keeps_utf8_and_replaces_the_rest),
		cmocka_unit_test(writes_each_kind),
		cmocka_unit_test(spreads_what_is_ready),
		cmocka_unit_test(writes_times),
		cmocka_unit_test(says_when_there_is_no_room),
		cmocka_unit_test(finds_columns_by_name),
		cmocka_unit_test(reads_columns_as_what_they_are),
		cmocka_unit_test(takes_json_as_it_is),
		cmocka_unit_test(writes_the_first_columns_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
