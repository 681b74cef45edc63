/*
 * What was done to a thing, as EasyPost shows it: whatever cannot be read was done,
 * for nobody may buy twice.
 */
#include "fcgi/deed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct json *
read(const char *text)
{
	char problem[JSON_PROBLEM_MAX];
	struct json *json;

	if (text == NULL)
		return NULL;
	json = json_read(text, strlen(text), problem);
	if (json == NULL)
		fail_msg("%s: %s", text, problem);
	return json;
}

static void
check(const char *path, const char *thing, const char *wanted, bool expected)
{
	const char *id = NULL;
	size_t bytes = 0;
	const struct deed *deed = deed_find("POST", path, &id, &bytes);
	struct json *seen = read(thing);
	struct json *body = read(wanted);

	assert_non_null(deed);
	if (deed->is_done(seen, body) != expected)
		fail_msg("%s of %s, %s", path, thing,
		    wanted == NULL ? "no body" : wanted);
	json_free(seen);
	json_free(body);
}

static const char bought[] =
    "{\"postage_label\":{},\"selected_rate\":{\"id\":\"rate_1\"}}";

static void
a_purchase_is_known_by_its_rate(void **state)
{
	static const char path[] = "/v2/shipments/shp_1/buy";

	(void)state;
	check(path, "{\"postage_label\":null}", "{\"rate\":\"rate_1\"}", false);
	check(path, bought, "{\"rate\":\"rate_1\"}", true);
	check(path, bought, "{\"rate\":{\"id\":\"rate_1\"}}", true);
	check(path, bought, "{\"rate\":{\"id\":\"rate_2\"}}", false);
	/* Which rate was wanted is not known: it may be this one. */
	check(path, bought, NULL, true);
	check(path, bought, "{\"rate\":7}", true);
	check("/v2/shipments/shp_1/luma", bought, "{}", true);
}

/* The price of a deed: "7.58 USD, 0 insured"; NULL: nobody can tell. */
static void
check_price(const char *path, const char *thing, const char *wanted,
    const char *expected)
{
	const char *id = NULL;
	size_t bytes = 0;
	const struct deed *deed = deed_find("POST", path, &id, &bytes);
	struct json *seen = read(thing);
	struct json *body = read(wanted);
	struct price price;
	char told[64] = "";

	assert_non_null(deed);
	assert_non_null(deed->find_price);
	if (deed->find_price(seen, body, &price))
		(void)snprintf(told, sizeof(told), "%s %s, %s insured",
		    price.amount, price.currency, price.insured);
	assert_string_equal(told, expected == NULL ? "" : expected);
	json_free(seen);
	json_free(body);
}

static void
a_label_costs_its_rate_and_what_is_insured(void **state)
{
	static const char path[] = "/v2/shipments/shp_1/buy";
	static const char plain[] =
	    "{\"rates\":[{\"id\":\"rate_0\",\"rate\":\"1\"},"
	    "{\"id\":\"rate_1\",\"rate\":\"7.58\",\"currency\":\"USD\"}]}";
	static const char insured[] =
	    "{\"insurance\":\"50.00\",\"rates\":[{\"id\":\"rate_1\","
	    "\"rate\":\"123456789.123456789\",\"currency\":\"CAD\"}]}";
	static const char odd[] =
	    "{\"rates\":[{\"id\":\"rate_1\",\"rate\":\"-1\","
	    "\"currency\":\"USD\"},{\"id\":\"rate_2\",\"rate\":\"1\","
	    "\"currency\":\"TOOLONGS\"}]}";

	(void)state;
	check_price(
	    path, plain, "{\"rate\":\"rate_1\"}", "7.58 USD, 0 insured");
	check_price(path, plain,
	    "{\"rate\":{\"id\":\"rate_1\"},\"insurance\":100}",
	    "7.58 USD, 100.00 insured");
	check_price(
	    path, plain, "{\"rate\":\"rate_1\",\"insurance\":\"\"}", NULL);
	check_price(path, plain, "{\"rate\":\"rate_0\"}", NULL);
	check_price(path, plain, "{\"rate\":\"rate_2\"}", NULL);
	check_price(path, plain, "{}", NULL);
	check_price(path, plain, NULL, NULL);
	check_price(path, insured, "{\"rate\":\"rate_1\"}",
	    "123456789.123456789 CAD, 50.00 insured");
	check_price(path, insured, "{\"rate\":\"rate_1\",\"insurance\":null}",
	    "123456789.123456789 CAD, 50.00 insured");
	check_price(path, insured, "{\"rate\":\"rate_1\",\"insurance\":\"9\"}",
	    "123456789.123456789 CAD, 9 insured");
	check_price(path, odd, "{\"rate\":\"rate_1\"}", NULL);
	check_price(path, odd, "{\"rate\":\"rate_2\"}", NULL);
}

static void
others_cost_the_one_rate_of_their_service(void **state)
{
	static const char wish[] = "{\"carrier\":\"A\",\"service\":\"B\"}";
	static const char rate[] =
	    "{\"carrier\":\"A\",\"service\":\"B\",\"rate\":\"4\","
	    "\"currency\":\"USD\"}";
	char thing[512];

	(void)state;
	(void)snprintf(thing, sizeof(thing),
	    "{\"rates\":[%s],\"shipments\":[{\"insurance\":null}]}", rate);
	check_price("/v2/orders/order_1/buy", thing, wish, "4 USD, 0 insured");
	check_price("/v2/orders/order_1/buy", thing,
	    "{\"carrier\":\"A\",\"service\":\"C\"}", NULL);
	(void)snprintf(thing, sizeof(thing),
	    "{\"rates\":[%s],\"shipments\":[{\"insurance\":\"1\"}]}", rate);
	check_price("/v2/orders/order_1/buy", thing, wish, NULL);
	(void)snprintf(thing, sizeof(thing), "{\"pickup_rates\":[%s]}", rate);
	check_price(
	    "/v2/pickups/pickup_1/buy", thing, wish, "4 USD, 0 insured");
	(void)snprintf(
	    thing, sizeof(thing), "{\"pickup_rates\":[%s,%s]}", rate, rate);
	check_price("/v2/pickups/pickup_1/buy", thing, wish, NULL);
	check_price("/v2/shipments/shp_1/insure", "{}", "{\"amount\":\"7\"}",
	    "0 USD, 7 insured");
	check_price("/v2/shipments/shp_1/insure", "{}", "{}", NULL);
}

static void
a_refund_is_of_the_whole(void **state)
{
	static const char path[] = "/v2/shipments/shp_1/refund";

	(void)state;
	check(path, "{\"refund_status\":null}", NULL, false);
	check(path, "{\"refund_status\":\"submitted\"}", NULL, true);
	check(
	    "/v2/insurances/ins_1/refund", "{\"status\":\"new\"}", NULL, false);
	check("/v2/insurances/ins_1/refund", "{\"status\":\"cancelled\"}", NULL,
	    true);
}

static void
an_insurance_is_known_by_its_amount(void **state)
{
	static const char path[] = "/v2/shipments/shp_1/insure";
	static const char insured[] = "{\"insurance\":\"100.00\"}";

	(void)state;
	check(path, "{\"insurance\":null}", "{\"amount\":\"100\"}", false);
	check(path, insured, "{\"amount\":\"100.00\"}", true);
	check(path, insured, "{\"amount\":\"100\"}", true);
	check(path, insured, "{\"amount\":100}", true);
	check(path, insured, "{\"amount\":\"99.99\"}", false);
	check(path, insured, "{\"amount\":99.99}", false);
	/* What cannot be compared may be the same. */
	check(path, insured, "{\"amount\":\"1e2\"}", true);
	check(path, insured, "{\"amount\":1e300}", true);
	check(path, insured, "{}", true);
	check(path, "{\"insurance\":\"much\"}", "{\"amount\":\"5\"}", true);
}

static void
an_order_and_a_pickup_are_bought_once(void **state)
{
	static const char order[] = "/v2/orders/order_1/buy";
	static const char pickup[] = "/v2/pickups/pickup_1/buy";

	(void)state;
	check(order, "{}", NULL, false);
	check(order, "{\"shipments\":[{\"postage_label\":null}]}", NULL, false);
	check(order, "{\"shipments\":[{},{\"postage_label\":{}}]}", NULL, true);
	check(pickup, "{\"status\":\"unknown\",\"confirmation\":null}", NULL,
	    false);
	check(pickup, "{\"confirmation\":\"WTC1\"}", NULL, true);
	check(pickup, "{\"status\":\"scheduled\"}", NULL, true);
}

static void
a_batch_is_bought_behind_its_answer(void **state)
{
	static const char path[] = "/v2/batches/batch_1/buy";
	static const char *const undone[] = { "{\"state\":\"created\"}", "{}",
		"{\"shipments\":[{\"batch_status\":\"created\"}]}" };
	static const char *const done[] = { "{\"state\":\"purchasing\"}",
		"{\"state\":\"purchase_failed\"}",
		"{\"state\":\"label_generated\"}",
		"{\"shipments\":[{\"batch_status\":\"queued_for_purchase\"}]}",
		"{\"shipments\":[{\"batch_status\":\"created\"},"
		"{\"batch_status\":\"postage_purchased\"}]}" };

	(void)state;
	for (size_t i = 0; i < sizeof(undone) / sizeof(undone[0]); i++)
		check(path, undone[i], NULL, false);
	for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++)
		check(path, done[i], NULL, true);
}

static void
a_deed_is_found_by_its_path(void **state)
{
	static char longest[400] = "/v2/shipments/";
	const char *id = NULL;
	size_t bytes = 0;

	(void)state;
	assert_ptr_equal(
	    deed_find("POST", "/v2/shipments/shp_12/buy///", &id, &bytes),
	    &deed_buy_shipment);
	assert_int_equal(bytes, 6);
	assert_int_equal(strncmp(id, "shp_12", bytes), 0);
	assert_null(deed_find("GET", "/v2/shipments/shp_1/buy", &id, &bytes));
	assert_null(deed_find("POST", "/v2/shipments/shp_1", &id, &bytes));
	assert_null(deed_find("POST", "/v2/shipments", &id, &bytes));
	assert_null(deed_find("POST", "/", &id, &bytes));
	assert_null(deed_find("POST", "", &id, &bytes));
	memset(longest + 14, 'x', 300);
	(void)strcpy(longest + 314, "/buy");
	assert_null(deed_find("POST", longest, &id, &bytes));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_purchase_is_known_by_its_rate),
		cmocka_unit_test(a_label_costs_its_rate_and_what_is_insured),
		cmocka_unit_test(others_cost_the_one_rate_of_their_service),
		cmocka_unit_test(a_refund_is_of_the_whole),
		cmocka_unit_test(an_insurance_is_known_by_its_amount),
		cmocka_unit_test(an_order_and_a_pickup_are_bought_once),
		cmocka_unit_test(a_batch_is_bought_behind_its_answer),
		cmocka_unit_test(a_deed_is_found_by_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
