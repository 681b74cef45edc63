/*
 * Money compared as text, and the rate that is chosen by it.
 */
#include "fcgi/decimal.h"
#include "fcgi/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
takes_plain_decimals_only(void **state)
{
	static const char *const good[] = { "0", "6", "6.07", "0.10", "007",
		"999999999.999999999" };
	static const char *const bad[] = { "", ".", "6.", ".5", "-1", "+1",
		"1e3", "1,5", "1.2.3", " 1", "1 ", "1234567890", "1.0000000000",
		"x" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!decimal_is_valid(good[i]))
			fail_msg("refused: \"%s\"", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (decimal_is_valid(bad[i]))
			fail_msg("taken: \"%s\"", bad[i]);
}

static void
compares_exactly_whatever_the_scale(void **state)
{
	static const struct {
		const char *less;
		const char *more;
	} pairs[] = {
		{ "0", "0.000000001" },
		{ "9.99", "10" },
		{ "6.07", "6.1" },
		{ "6.1", "6.100000001" },
		{ "0.1", "0.11" },
		{ "999999998.999999999", "999999999" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_true(decimal_compare(pairs[i].less, pairs[i].more) < 0);
		assert_true(decimal_compare(pairs[i].more, pairs[i].less) > 0);
	}
	assert_int_equal(decimal_compare("6.1", "6.10"), 0);
	assert_int_equal(decimal_compare("0", "0.00"), 0);
	assert_int_equal(decimal_compare("007.50", "7.5"), 0);
}

static const char *
chosen(const char *text, const struct rate_wish *wish)
{
	static char id[16];
	char problem[JSON_PROBLEM_MAX];
	struct json *rates = json_read(text, strlen(text), problem);
	const struct json *rate = rate_choose(rates, wish);

	assert_non_null(rates);
	id[0] = '\0';
	if (rate != NULL)
		(void)strncat(
		    id, json_text(json_member(rate, "id")), sizeof(id) - 1);
	json_free(rates);
	return id;
}

static void
chooses_price_then_days_then_order(void **state)
{
	static const char rates[] =
	    "[{\"id\":\"a\",\"rate\":\"10.00\",\"delivery_days\":1},"
	    "{\"id\":\"b\",\"rate\":\"9.1\",\"delivery_days\":null},"
	    "{\"id\":\"c\",\"rate\":\"9.10\",\"delivery_days\":2},"
	    "{\"id\":\"d\",\"rate\":\"9.100\",\"delivery_days\":2},"
	    "{\"id\":\"e\",\"rate\":1.5},{\"rate\":\"1\"},7]";
	const struct rate_wish any = { .id = NULL };
	const struct rate_wish by_id = { .id = "a" };
	const struct rate_wish unknown = { .id = "z" };

	(void)state;
	assert_string_equal(chosen(rates, &any), "c");
	assert_string_equal(chosen(rates, &by_id), "a");
	assert_string_equal(chosen(rates, &unknown), "");
	assert_string_equal(chosen("[]", &any), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_plain_decimals_only),
		cmocka_unit_test(compares_exactly_whatever_the_scale),
		cmocka_unit_test(chooses_price_then_days_then_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
