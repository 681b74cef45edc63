/*
 * Filters and pages as statements: what was given and nothing else is asked for,
 * and no value is ever part of the text.
 */
#include "fcgi/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* clang-format off */
static const struct parameter table[] = {
	{ "format", PARAMETER_ENUM, 0, 0, "json", "json csv ndjson", NULL, NULL },
	{ "limit",  PARAMETER_INT,  1, 500, NULL, NULL, NULL, NULL },
	{ "offset", PARAMETER_INT,  0, 100, NULL, NULL, NULL, NULL },
	{ "after",  PARAMETER_AFTER, 0, 0, NULL, NULL, "(t, id) < ($, $)", "" },
	{ "a",      PARAMETER_TEXT, 1, 9, NULL, NULL, "a = $", "" },
	{ "b",      PARAMETER_TEXT, 1, 9, NULL, NULL, "b = $", NULL },
	{ "c",      PARAMETER_TEXT, 1, 9, NULL, NULL, "c = $", "a" },
	{ "few",    PARAMETER_TEXT, 1, 9, NULL, NULL, "few = any(f($))", PARAMETER_FEW },
	{ "words",  PARAMETER_WORDS, 1, 9, NULL, NULL, "words", "" },
	{ "part",   PARAMETER_PART, 0, 9, NULL, NULL, "part", "" },
	{ NULL,     PARAMETER_TEXT, 0, 0, NULL, NULL, NULL, NULL },
};
/* clang-format on */

static const struct list timed = { "api.rows", "id, t", "api.flat", "rows", "t",
	table, false, NULL, NULL };
static const struct list by_id = { "api.rows", "*", "api.flat", "rows", NULL,
	table, false, NULL, NULL };
static const struct list rising = { "api.rows", "id, t", "api.flat", "rows",
	"t", table, true, "late", NULL };

/* Their places among the values: "after" has two. */
enum {
	FORMAT,
	LIMIT,
	OFFSET,
	AFTER_TIME,
	AFTER_ID,
	A,
	B,
	C,
	FEW,
	WORDS,
	PART,
	VALUES
};

static struct parameter_values
taken(void)
{
	struct parameter_values values = { .count = VALUES };

	values.value[FORMAT] = db_text("json");
	return values;
}

static void
check(const struct parameter_values *values, enum where_part part,
    const char *text, int count, bool is_steady)
{
	struct where where;

	where_make(&where, part, table, values);
	assert_string_equal(where.text, text);
	assert_int_equal(where.values.count, count);
	assert_int_equal(where.is_steady, is_steady);
}

static void
asks_for_what_is_given(void **state)
{
	struct parameter_values values = taken();
	struct where where;

	(void)state;
	check(&values, WHERE_FILTERS_AND_CURSOR, "", 0, true);
	values.value[A] = db_text("' or 1=1");
	check(&values, WHERE_FILTERS, " where a = $1", 1, true);
	values.value[B] = db_text("$1");
	where_make(&where, WHERE_FILTERS, table, &values);
	assert_string_equal(where.text, " where a = $1 and b = $2");
	assert_string_equal(where.values.value[0].data, "' or 1=1");
	assert_string_equal(where.values.value[1].data, "$1");
}

static void
counts_without_the_cursor(void **state)
{
	struct parameter_values values = taken();

	(void)state;
	values.value[AFTER_TIME] = db_text("2026-01-01T00:00:00Z");
	values.value[AFTER_ID] = db_text("1");
	values.value[A] = db_text("x");
	check(&values, WHERE_FILTERS, " where a = $1", 1, true);
	check(&values, WHERE_FILTERS_AND_CURSOR,
	    " where (t, id) < ($1, $2) and a = $3", 3, true);
}

static void
knows_when_one_plan_will_do(void **state)
{
	struct parameter_values values = taken();
	struct where where;

	(void)state;
	values.value[C] = db_text("x");
	check(&values, WHERE_FILTERS, " where c = $1", 1, false);
	values.value[A] = db_text("x");
	check(&values, WHERE_FILTERS, " where a = $1 and c = $2", 2, true);
	values.value[B] = db_text("x");
	check(&values, WHERE_FILTERS, " where a = $1 and b = $2 and c = $3", 3,
	    false);
	values = taken();
	where_make(&where, WHERE_FILTERS, table, &values);
	assert_false(where.is_few);
	values.value[FEW] = db_text("x");
	check(&values, WHERE_FILTERS, " where few = any(f($1))", 1, true);
	where_make(&where, WHERE_FILTERS, table, &values);
	assert_true(where.is_few);
}

static void
takes_one_word_or_several(void **state)
{
	struct parameter_values values = taken();

	(void)state;
	values.value[WORDS] = db_text("x");
	check(&values, WHERE_FILTERS, " where words = $1", 1, true);
	values.value[A] = db_text("x");
	values.value[WORDS] = db_text("{\"x\",\"y\"}");
	check(&values, WHERE_FILTERS, " where a = $1 and words = any($2)", 2,
	    false);
}

static void
takes_a_part_or_that_there_is_none(void **state)
{
	struct parameter_values values = taken();

	(void)state;
	values.value[PART] = db_text("x");
	check(&values, WHERE_FILTERS, " where part = $1", 1, true);
	values.value[PART] = db_text("");
	check(&values, WHERE_FILTERS, " where part is null", 0, true);
}

static void
selects_a_page(void **state)
{
	struct parameter_values values = taken();
	char sql[STATEMENT_SQL_MAX];
	struct where where;

	(void)state;
	values.value[A] = db_text("x");
	where_make(&where, WHERE_FILTERS, table, &values);
	list_select(&timed, false, &where, 51, 0, sql);
	assert_string_equal(sql,
	    "select id, t from api.rows where a = $1"
	    " order by t desc, id desc limit 51");
	list_select(&by_id, true, &where, 500, 7, sql);
	assert_string_equal(sql,
	    "select * from api.flat where a = $1"
	    " order by id desc limit 500 offset 7");
	list_select(&rising, false, &where, 51, 0, sql);
	assert_string_equal(sql,
	    "select id, t from api.rows where a = $1"
	    " order by t, id limit 51");
	values.value[FEW] = db_text("x");
	where_make(&where, WHERE_FILTERS, table, &values);
	list_select(&timed, false, &where, 51, 0, sql);
	assert_string_equal(sql,
	    "select id, t from (select * from api.rows where a = $1"
	    " and few = any(f($2)) offset 0) few"
	    " order by t desc, id desc limit 51");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for_what_is_given),
		cmocka_unit_test(counts_without_the_cursor),
		cmocka_unit_test(knows_when_one_plan_will_do),
		cmocka_unit_test(takes_one_word_or_several),
		cmocka_unit_test(takes_a_part_or_that_there_is_none),
		cmocka_unit_test(selects_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
