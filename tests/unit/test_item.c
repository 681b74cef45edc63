/*
 * Items of bulk calls: what the end of a call means for the money it may have cost.
 */
#include "fcgi/item.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char good[] = "{\"id\":\"shp_1\"}";

static void
check(enum easypost_result result, int status, const char *body,
    enum item_state expected)
{
	struct reply answer = { .status = status };
	char problem[JSON_PROBLEM_MAX];
	struct json *document = json_read(body, strlen(body), problem);
	enum item_state state = item_judge(result, &answer, document);

	if (state != expected)
		fail_msg("%d %d %s: %s", (int)result, status, body,
		    item_word(state));
	json_free(document);
}

static void
what_was_surely_not_sent_may_be_sent_again(void **state)
{
	(void)state;
	check(EASYPOST_UNREACHABLE, 0, "", ITEM_NOT_SENT);
	check(EASYPOST_UNTRUSTED, 0, "", ITEM_NOT_SENT);
}

static void
what_may_have_been_executed_is_in_doubt(void **state)
{
	(void)state;
	check(EASYPOST_IN_DOUBT, 0, "", ITEM_IN_DOUBT);
	check(EASYPOST_LATE, 201, good, ITEM_IN_DOUBT);
	check(EASYPOST_TOO_LARGE, 201, "", ITEM_IN_DOUBT);
	check(EASYPOST_ANSWERED, 500, good, ITEM_IN_DOUBT);
	check(EASYPOST_ANSWERED, 302, good, ITEM_IN_DOUBT);
	check(EASYPOST_ANSWERED, 199, good, ITEM_IN_DOUBT);
	check(EASYPOST_ANSWERED, 201, "", ITEM_IN_DOUBT);
	check(EASYPOST_ANSWERED, 201, "{\"id\":\"adr_1\"}", ITEM_IN_DOUBT);
	check(EASYPOST_ANSWERED, 201, "[]", ITEM_IN_DOUBT);
}

static void
what_was_answered_is_known(void **state)
{
	(void)state;
	check(EASYPOST_ANSWERED, 201, good, ITEM_SUCCESS);
	check(EASYPOST_ANSWERED, 200, good, ITEM_SUCCESS);
	check(EASYPOST_ANSWERED, 400, "", ITEM_FAILED);
	check(EASYPOST_ANSWERED, 422, good, ITEM_FAILED);
	check(EASYPOST_ANSWERED, 499, "", ITEM_FAILED);
}

static void
an_item_goes_out_as_it_came(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	item_write(&out, "{\"a\": 1.0}", 10);
	assert_string_equal(out.data, "{\"shipment\":{\"a\": 1.0}}");
	buf_free(&out);
	assert_string_equal(item_word(ITEM_IN_DOUBT), "in_doubt");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_surely_not_sent_may_be_sent_again),
		cmocka_unit_test(what_may_have_been_executed_is_in_doubt),
		cmocka_unit_test(what_was_answered_is_known),
		cmocka_unit_test(an_item_goes_out_as_it_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
