/*
 * The query string parser: what it takes, and whom it blames.
 */
#include "fcgi/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;
static struct query query;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new(1000000);
	return 0;
}

static void
check_pair(int at, const char *name, const char *value)
{
	assert_true(at < query.count);
	assert_string_equal(query.pairs[at].name, name);
	assert_string_equal(query.pairs[at].value, value);
}

static void
takes_pairs_in_their_order(void **state)
{
	(void)state;
	assert_true(query_parse(&query, arena, ""));
	assert_int_equal(query.count, 0);
	assert_true(query_parse(&query, arena, "a=1&b=2&a=3"));
	assert_int_equal(query.count, 3);
	check_pair(0, "a", "1");
	check_pair(1, "b", "2");
	check_pair(2, "a", "3");
	assert_true(query_parse(&query, arena, "&&a&=&b==c=&"));
	assert_int_equal(query.count, 3);
	check_pair(0, "a", "");
	check_pair(1, "", "");
	check_pair(2, "b", "=c=");
}

static void
decodes_names_and_values(void **state)
{
	(void)state;
	assert_true(query_parse(
	    &query, arena, "%6cimit=%35&q=a+b%20c%2Bd%26%3D&n=%C3%B8%c3%b8"));
	assert_int_equal(query.count, 3);
	check_pair(0, "limit", "5");
	check_pair(1, "q", "a b c+d&=");
	check_pair(2, "n", "\xc3\xb8\xc3\xb8");
	assert_int_equal(query.pairs[2].characters, 2);
	assert_int_equal(query.pairs[1].characters, 9);
}

static void
check_blame(const char *raw, const char *name, const char *part)
{
	assert_false(query_parse(&query, arena, raw));
	assert_string_equal(query.bad_name, name);
	assert_non_null(strstr(query.problem, part));
}

static void
blames_by_name(void **state)
{
	(void)state;
	check_blame("a=1&b=%", "b", "percent");
	check_blame("b=%2", "b", "percent");
	check_blame("b=%2&c=1", "b", "percent");
	check_blame("b=%zz", "b", "percent");
	check_blame("b=%-1", "b", "percent");
	check_blame("b=x%00y", "b", "zero byte");
	check_blame("%00=x", "%00", "zero byte");
	check_blame("b=%ff", "b", "UTF-8");
	check_blame("b=%C3", "b", "UTF-8");
	check_blame("b=%C3&c=%B8", "b", "UTF-8");
	check_blame("b=%ED%A0%80", "b", "UTF-8");
	check_blame("b=\xff", "b", "UTF-8");
	check_blame("%ff=x", "%ff", "UTF-8");
}

static void
counts_up_to_its_maximum(void **state)
{
	char raw[2 * (QUERY_PAIRS_MAX + 1) + 1];
	char *end = raw;

	(void)state;
	for (int i = 0; i < QUERY_PAIRS_MAX; i++) {
		*end++ = 'a';
		*end++ = '&';
	}
	*end = '\0';
	assert_true(query_parse(&query, arena, raw));
	assert_int_equal(query.count, QUERY_PAIRS_MAX);
	*end++ = 'a';
	*end = '\0';
	assert_false(query_parse(&query, arena, raw));
	assert_null(query.bad_name);
	assert_non_null(strstr(query.problem, "64"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_pairs_in_their_order),
		cmocka_unit_test(decodes_names_and_values),
		cmocka_unit_test(blames_by_name),
		cmocka_unit_test(counts_up_to_its_maximum),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
