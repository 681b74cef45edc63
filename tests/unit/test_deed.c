/*
 * What was done to a thing, as EasyPost shows it: whatever cannot be read was done,
 * for nobody may buy twice.
 */
#include "fcgi/deed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
		cmocka_unit_test(a_refund_is_of_the_whole),
		cmocka_unit_test(an_insurance_is_known_by_its_amount),
		cmocka_unit_test(an_order_and_a_pickup_are_bought_once),
		cmocka_unit_test(a_batch_is_bought_behind_its_answer),
		cmocka_unit_test(a_deed_is_found_by_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
