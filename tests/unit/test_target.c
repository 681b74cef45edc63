/*
 * What may go to EasyPost, which of it costs money, and patterns of paths.
 */
#include "fcgi/pattern.h"
#include "fcgi/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
takes_plain_paths_only(void **state)
{
	static const char *const good[] = { "/", "/v2/", "/v2/addresses",
		"/v2/shipments/shp_1/buy", "/v2/a.b~c:d@e-f_G", "/v2/...",
		"/v2/a.." };
	static const char *const bad[] = { "", "v2", "/v2//a", "//v2", "/v2/.",
		"/v2/..", "/v2/./a", "/v2/../a", "/..", "/v2/%2e", "/v2/a b",
		"/v2/a\\b", "/v2/a?b", "/v2/a#b", "/v2/a;b", "/v2/\x7f",
		"/v2/\xc3\xb8", "/v2/a\n", "/v2/a+b", "/v2/$" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!target_path_is_valid(good[i]))
			fail_msg("refused: \"%s\"", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (target_path_is_valid(bad[i]))
			fail_msg("taken: \"%s\"", bad[i]);
}

static void
takes_visible_queries_only(void **state)
{
	(void)state;
	assert_true(target_query_is_valid(""));
	assert_true(target_query_is_valid("a=1&b[]=%20&&=?/:@!$'()*+,;{}|^`"));
	assert_false(target_query_is_valid("a b"));
	assert_false(target_query_is_valid("a\r\nX: y"));
	assert_false(target_query_is_valid("a#b"));
	assert_false(target_query_is_valid("a\x7f"));
	assert_false(target_query_is_valid("\xc3\xb8"));
}

static void
knows_what_spends_money(void **state)
{
	static const char *const spends[] = { "/v2/shipments",
		"/v2/shipments/shp_1/buy", "/v2/shipments/shp_1/insure",
		"/v2/shipments/shp_1/refund", "/v2/shipments/luma",
		"/v2/shipments/shp_1/luma", "/v2/trackers",
		"/v2/trackers/batch", "/v2/batches", "/v2/batches/batch_1/buy",
		"/v2/batches/batch_1/scan_form", "/v2/orders",
		"/v2/orders/order_1/buy", "/v2/pickups",
		"/v2/pickups/pickup_1/buy", "/v2/pickups/pickup_1/cancel",
		"/v2/refunds", "/v2/insurances", "/v2/insurances/ins_1/refund",
		"/v2/claims", "/v2/scan_forms",
		"/v2/credit_cards/card_1/charges",
		"/v2/bank_accounts/bank_1/charges",
		"/beta/referral_customers/refunds", "/v2/something_new" };
	static const char *const spends_not[] = { "/v2/addresses",
		"/v2/parcels", "/v2/customs_infos", "/v2/reports/shipment",
		"/v2/shipments/shp_1/rerate", "/v2/webhooks", "/beta/rates" };

	(void)state;
	for (size_t i = 0; i < sizeof(spends) / sizeof(spends[0]); i++) {
		if (!target_spends_money("POST", spends[i]))
			fail_msg("not seen: %s", spends[i]);
		assert_false(target_spends_money("GET", spends[i]));
	}
	for (size_t i = 0; i < sizeof(spends_not) / sizeof(spends_not[0]); i++)
		if (target_spends_money("POST", spends_not[i]))
			fail_msg("taken for one: %s", spends_not[i]);
}

static void
matches_patterns(void **state)
{
	struct pattern_argument argument;

	(void)state;
	assert_true(pattern_match("/livez", "/livez", &argument));
	assert_int_equal(argument.bytes, 0);
	assert_true(pattern_match("/v2/*", "/v2/", NULL));
	assert_true(pattern_match("/v2/*", "/v2/a/b", NULL));
	assert_true(pattern_match("/a/{id}", "/a/bcd", &argument));
	assert_int_equal(argument.bytes, 3);
	assert_memory_equal(argument.text, "bcd", 3);
	assert_true(pattern_match("/a/{id}/b", "/a/x/b", &argument));
	assert_memory_equal(argument.text, "x/", 2);
	assert_false(pattern_match("/livez", "/live", NULL));
	assert_false(pattern_match("/livez", "/livez/", NULL));
	assert_false(pattern_match("/livez", "/Livez", NULL));
	assert_false(pattern_match("/v2/*", "/v2", NULL));
	assert_false(pattern_match("/a/{id}", "/a/", NULL));
	assert_false(pattern_match("/a/{id}", "/a/b/c", NULL));
	assert_false(pattern_match("/a/{id}/b", "/a/x", NULL));
	assert_false(pattern_match("/a/{id}/b", "/a//b", NULL));
	assert_false(pattern_match("/a", "", NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_plain_paths_only),
		cmocka_unit_test(takes_visible_queries_only),
		cmocka_unit_test(knows_what_spends_money),
		cmocka_unit_test(matches_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
