/* json.c: what is read, and what is refused. */
#include "shared/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct json *
read_text(const char *text, char problem[JSON_PROBLEM_MAX])
{
	return json_read(text, strlen(text), problem);
}

static void
test_looks_into_a_document(void **state)
{
	char problem[JSON_PROBLEM_MAX];
	struct json *all =
	    read_text("{\"a\":[1,2.5,\"x\",true,null],\"b\":{}}", problem);
	const struct json *list = json_member(all, "a");

	(void)state;
	assert_non_null(all);
	assert_int_equal(json_kind(all), JSON_KIND_OBJECT);
	assert_int_equal(json_count(all), 2);
	assert_int_equal(json_count(list), 5);
	assert_true(json_is_whole(json_element(list, 0)));
	assert_false(json_is_whole(json_element(list, 1)));
	assert_true(json_number(json_element(list, 1)) > 2.4);
	assert_string_equal(json_text(json_element(list, 2)), "x");
	assert_int_equal(json_text_bytes(json_element(list, 2)), 1);
	assert_true(json_is_true(json_element(list, 3)));
	assert_int_equal(json_kind(json_element(list, 4)), JSON_KIND_NULL);
	assert_int_equal(json_kind(json_element(list, 5)), JSON_KIND_NONE);
	assert_null(json_member(list, "a"));
	assert_null(json_text(all));
	assert_false(json_is_true(NULL));
	json_free(all);
}

static bool
add_name(void *context, const char *name, const struct json *value)
{
	(void)strncat(context, name, 1);
	return json_kind(value) != JSON_KIND_NULL;
}

static void
test_members_come_in_their_order(void **state)
{
	char problem[JSON_PROBLEM_MAX], names[8] = "";
	struct json *all =
	    read_text("{\"z\":1,\"a\":2,\"m\":null,\"x\":4}", problem);

	(void)state;
	assert_false(json_each(all, add_name, names));
	assert_string_equal(names, "zam");
	assert_true(json_each(NULL, add_name, names));
	json_free(all);
}

static void
test_refuses_what_is_no_json(void **state)
{
	static const char *const bad[] = { "", " ", "{", "{\"a\":1,}", "nul",
		"{\"a\":1}{}", "{\"a\":1,\"a\":2}", "\"\\u0000\"", "\"\xff\"",
		"\"\\ud800\"", "NaN", "01", "\"\t\"" };
	char problem[JSON_PROBLEM_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		problem[0] = '\0';
		assert_null(read_text(bad[i], problem));
		assert_non_null(strstr(problem, "not valid JSON"));
	}
}

static void
test_depth_has_an_end(void **state)
{
	char deep[2 * (JSON_DEPTH_MAX + 1) + 1] = "";
	char problem[JSON_PROBLEM_MAX];
	struct json *all;

	(void)state;
	memset(deep, '[', JSON_DEPTH_MAX);
	memset(deep + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	all = read_text(deep, problem);
	assert_non_null(all);
	json_free(all);
	memset(deep, '[', JSON_DEPTH_MAX + 1);
	memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_null(read_text(deep, problem));
	assert_non_null(strstr(problem, "64 levels"));
	/* Brackets inside of a text are no depth. */
	all = read_text("[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
			"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]",
	    problem);
	assert_non_null(all);
	json_free(all);
}

static void
test_the_number_of_values_has_an_end(void **state)
{
	/* "[1,1,...,1]": the array is one of them. */
	size_t bytes = 2 * ((size_t)JSON_VALUES_MAX - 1) + 1;
	char *many = malloc(bytes + 2);
	char problem[JSON_PROBLEM_MAX];
	struct json *all;

	(void)state;
	assert_non_null(many);
	many[0] = '[';
	for (size_t i = 1; i < bytes + 2; i++)
		many[i] = i % 2 == 1 ? '1' : ',';
	many[bytes - 1] = ']';
	all = json_read(many, bytes, problem);
	assert_non_null(all);
	assert_int_equal(json_count(all), JSON_VALUES_MAX - 1);
	json_free(all);
	many[bytes - 1] = ',';
	many[bytes] = '1';
	many[bytes + 1] = ']';
	assert_null(json_read(many, bytes + 2, problem));
	assert_non_null(strstr(problem, "more than 250000 values"));
	free(many);
}

/* The elements of `list` as one text, with a bar behind each. */
static void
check_elements(const char *list, const char *expected)
{
	char found[256] = "";
	size_t bytes = 0;
	const char *at = json_raw_next(list, strlen(list), NULL, &bytes);

	for (; at != NULL;
	     at = json_raw_next(list, strlen(list), at + bytes, &bytes)) {
		(void)strncat(found, at, bytes);
		(void)strcat(found, "|");
	}
	assert_string_equal(found, expected);
}

static void
test_numbers_have_an_end(void **state)
{
	static const char *const bad[] = { "[1e999]", "[-1E400]",
		"[12345678901234567890]", "[1e-1000]", "[0.1E-12345]" };
	static const char *const good[] = { "[1e-999,2.5E+07,-0.0,1]",
		"[9223372036854775807]", "[\"1e-1000\",true,1e005]" };
	char problem[JSON_PROBLEM_MAX];
	char digits[JSON_NUMBER_MAX + 8];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(read_text(bad[i], problem));
		assert_non_null(strstr(problem, "number"));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct json *all = read_text(good[i], problem);

		assert_non_null(all);
		json_free(all);
	}
	(void)sprintf(digits, "[1.%0*d]", JSON_NUMBER_MAX - 1, 7);
	assert_null(read_text(digits, problem));
	assert_non_null(strstr(problem, "number"));
}

static void
test_elements_are_found_as_they_came(void **state)
{
	(void)state;
	check_elements("[]", "");
	check_elements(" [ ] ", "");
	check_elements("[1]", "1|");
	check_elements("[ {\"a\": [1,{}]} ,\n[],\"],\" , null\t]",
	    "{\"a\": [1,{}]}|[]|\"],\"|null|");
	check_elements("[\"\\\"]\",1.0]", "\"\\\"]\"|1.0|");
	check_elements("{\"a\":1}", "");
	check_elements("", "");
	check_elements("[", "");
}

static bool
is_plain(const char *object)
{
	return json_has_plain_names(object, strlen(object));
}

static void
test_names_with_escapes_are_seen(void **state)
{
	(void)state;
	assert_true(is_plain("{}"));
	assert_true(is_plain(""));
	assert_true(is_plain("[\"\\u0061\"]"));
	assert_true(is_plain(" { \"a\" : \"\\n\" , \"b\":{\"\\n\":1}}"));
	assert_false(is_plain("{\"a\":1,\"\\u0062\":2}"));
	assert_false(is_plain("{\"\\\"\":1}"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_looks_into_a_document),
		cmocka_unit_test(test_members_come_in_their_order),
		cmocka_unit_test(test_refuses_what_is_no_json),
		cmocka_unit_test(test_depth_has_an_end),
		cmocka_unit_test(test_the_number_of_values_has_an_end),
		cmocka_unit_test(test_numbers_have_an_end),
		cmocka_unit_test(test_elements_are_found_as_they_came),
		cmocka_unit_test(test_names_with_escapes_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
