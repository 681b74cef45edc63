/* waybill backfill and reconcile, at an EasyPost that answers oddly and with a
 * database that fails: nothing looks complete that is not, and it is said why. */
#include "tests/unit/command.h"
#include "tests/unit/made_db.h"
#include "tests/unit/made_easypost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NO_PAGE "EasyPost's answer to /v2/addresses is no page of addresses\n"

static const struct conf conf = { .secrets = { .database_url = "made",
				      .easypost_api_key = "",
				      .easypost_test_api_key = "a" },
	.easypost_api_base = "https://made.example.com",
	.easypost_ca_file = "" };

static const char addresses[] = "/v2/addresses";
static const char backfill[] = "backfill --type address";
static bool is_terminal;

/* Instead of libc's. */
int
isatty(int fd)
{
	(void)fd;
	return is_terminal;
}

static int
begin(void **state)
{
	(void)state;
	made_none();
	made_reply_count = 0;
	made_row("admin.lock_walk", "is_locked", "t", "backend", "7", NULL);
	return 0;
}

static void
expect(command_function *run, const char *line, int status, const char *first,
    const char *second)
{
	const char *said;
	int found = command_run(run, &conf, line, &said);

	if (found != status || strstr(said, first) == NULL ||
	    strstr(said, second) == NULL)
		fail_msg("%s: %d, %s", line, found, said);
	(void)begin(NULL);
}

static void
answer(const char *target, int status, const char *body)
{
	made_reply(target, 0, EASYPOST_ANSWERED, status, NULL, body);
}

/* --- pages -------------------------------------------------------------------- */

static void
what_is_no_page_is_an_error(void **state)
{
	static const char *const bodies[] = { "", "<html>", "[]", "{}",
		"{\"addresses\":{}}", "{\"addresses\":[{}]}",
		"{\"addresses\":[{\"id\":7}]}",
		"{\"addresses\":[{\"id\":\"adr_1&x=\"}]}" };

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		answer(addresses, 200, bodies[i]);
		expect(
		    backfill_run, backfill, CTL_FAILED, NO_PAGE, "waybill: ");
	}
	/* The same page again, for ever. */
	answer(addresses, 200,
	    "{\"addresses\":[{\"id\":\"adr_1\"}],\"has_more\":true}");
	expect(backfill_run, backfill, CTL_FAILED, NO_PAGE, "");
	answer(addresses, 404, "");
	expect(backfill_run, backfill, CTL_FAILED, NO_PAGE, "");
	answer(addresses, 400, "");
	expect(backfill_run, backfill, CTL_FAILED,
	    "EasyPost answered /v2/addresses with status 400\n", "");
}

/* Half a pair, a zero: neither we nor PostgreSQL can read them. */
static void
a_page_with_odd_characters_is_read(void **state)
{
	static const char *const texts[] = { "\\ud83d", "\\ude00 x", "\\u0000",
		"\\ud83d\\u0041", "\\ud83d\\ude00 \\u0000", "\\\\ \\u0000",
		"\\ud83d\\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		char body[200];

		(void)snprintf(body, sizeof(body),
		    "{\"addresses\":[{\"id\":\"adr_1\",\"name\":\"%s\"}]}",
		    texts[i]); /* fits */
		answer(addresses, 200, body);
		expect(
		    backfill_run, backfill, CTL_OK, "test addresses 1\n", "");
	}
	answer(addresses, 200, "{\"addresses\":[\"\\u0000\\");
	expect(backfill_run, backfill, CTL_FAILED, NO_PAGE, "");
	answer(addresses, 200, "{\"addresses\":[\"\\u0000\\u12");
	expect(backfill_run, backfill, CTL_FAILED, NO_PAGE, "");
}

static void
what_may_pass_is_asked_again(void **state)
{
	static const struct {
		const char *header;
		const char *says;
	} pauses[] = {
		{ NULL, "waits 500 ms\n" },
		{ "Retry-After: 3", "waits 3000 ms\n" },
		{ "Retry-After: -3", "waits 500 ms\n" },
		{ "Retry-After: 3600", "waits 60000 ms\n" },
		{ "Retry-After: Sun, 29 Nov 1970 06:28:00 GMT",
		    "waits 500 ms\n" },
		{ "Retry-After: Sun, 29 Nov 2099 06:28:00 GMT",
		    "waits 60000 ms\n" },
	};

	static const int passing[] = { 429, 500, 503 };

	(void)state;
	for (size_t i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
		made_reply(addresses, 1, EASYPOST_ANSWERED, passing[i % 3],
		    pauses[i].header, "");
		answer(addresses, 200, "{\"addresses\":[]}");
		expect(backfill_run, backfill, CTL_OK, "test addresses 0\n",
		    pauses[i].says);
	}
	expect(backfill_run, backfill, CTL_FAILED, "waits 32000 ms\n",
	    "EasyPost did not answer /v2/addresses: made to be away\n");
	made_reply(addresses, 1, EASYPOST_UNTRUSTED, 0, NULL, "");
	expect(backfill_run, backfill, CTL_FAILED,
	    "waybill: EasyPost did not answer /v2/addresses", "");
	made_reply(addresses, 1, EASYPOST_TOO_LARGE, 0, NULL, "");
	expect(backfill_run, backfill, CTL_FAILED,
	    "waybill: EasyPost did not answer /v2/addresses", "");
}

/* --- backfill ------------------------------------------------------------------- */

static void
a_backfill_whose_database_fails(void **state)
{
	static const struct {
		const char *function;
		const char *says;
	} calls[] = {
		{ "admin.begin_walk", "the walk was not begun: made to fail" },
		{ "admin.record_walk",
		    "a page was not recorded: made to fail" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		answer(addresses, 200, "{\"addresses\":[]}");
		made_failure(calls[i].function, 0, DB_AWAY, "");
		expect(backfill_run, backfill, CTL_FAILED, calls[i].says, "");
	}
}

/* Before the first page, and behind it. */
static void
one_walks_at_a_time(void **state)
{
	static const struct {
		command_function *run;
		const char *line;
		const char *says;
	} commands[] = { { backfill_run, "backfill --type address", "" },
		{ reconcile_run, "reconcile --days 1",
		    "another has taken over" } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		made_failure("admin.lock_walk", 1, DB_AWAY, "");
		expect(commands[i].run, commands[i].line, CTL_FAILED,
		    "the lock cannot be had: made to fail", "");
		answer("/v2/", 200,
		    "{\"addresses\":[],\"shipments\":[],\"trackers\":[],"
		    "\"refunds\":[],\"events\":[]}");
		made_failure("admin.lock_walk", 2, DB_AWAY, "");
		expect(commands[i].run, commands[i].line, CTL_FAILED,
		    "the lock cannot be had: made to fail", commands[i].says);
		made_none();
		made_row(
		    "admin.lock_walk", "is_locked", "f", "backend", "7", NULL);
		expect(commands[i].run, commands[i].line, CTL_BUSY,
		    "another backfill or reconcile is running\n", "");
		made_at(1);
		made_row(
		    "admin.lock_walk", "is_locked", "t", "backend", "8", NULL);
		made_at(2);
		answer("/v2/", 200,
		    "{\"addresses\":[],\"shipments\":[],\"trackers\":[],"
		    "\"refunds\":[],\"events\":[]}");
		expect(commands[i].run, commands[i].line, CTL_FAILED,
		    "the connection broke; begin again\n", commands[i].says);
	}
}

/* What it went on behind is not known any more: from the newest on. */
static void
a_place_that_is_gone(void **state)
{
	(void)state;
	made_row("admin.begin_walk", "id", "1", "begun_at", "2026-11-21",
	    "before_id", "adr_9", "objects", "5", NULL);
	made_reply(addresses, 1, EASYPOST_ANSWERED, 404, NULL, "");
	answer(addresses, 200, "{\"addresses\":[{\"id\":\"adr_1\"}]}");
	expect(backfill_run, backfill, CTL_OK, "test addresses 6\n",
	    "back to the first");
	made_row("admin.begin_walk", "id", "1", "before_id", "adr_9", NULL);
	made_reply(addresses, 1, EASYPOST_ANSWERED, 404, NULL, "");
	answer(addresses, 400, "");
	expect(backfill_run, backfill, CTL_FAILED, "with status 400\n", "");
}

static void
who_looks_on_sees_how_long_it_takes(void **state)
{
	static const struct {
		const char *created;
		const char *says;
	} pages[] = {
		{ "2026-11-10T00:00:00Z", "about 1 min left" },
		{ "2026-11-20T23:59:00Z", "about 3037 min left" },
		{ "2026-11-22T00:00:00Z", "back to 2026-11-22\n" },
		{ "yesterday", "back to yesterday\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		char body[200];

		(void)snprintf(body, sizeof(body),
		    "{\"addresses\":[{\"id\":\"adr_1\",\"created_at\":\"%s\"}]"
		    ",\"has_more\":false}",
		    pages[i].created); /* fits */
		answer(addresses, 200, body);
		expect(backfill_run,
		    "backfill --type address --since 2026-11-09T12:00:00Z "
		    "--until 2026-11-21",
		    CTL_OK, "test addresses 1\n", pages[i].says);
	}
	is_terminal = true;
	answer(addresses, 200, "{\"addresses\":[{\"id\":\"adr_1\"}]}");
	expect(backfill_run, backfill, CTL_OK,
	    "\r\033[Ktest addresses: 1, 0 a second, back to the first\r\033[K",
	    "test addresses 1\n");
	answer(addresses, 400, "");
	expect(
	    backfill_run, backfill, CTL_FAILED, "\r\033[Kwaybill: ", "400\n");
	is_terminal = false;
}

static void
words_that_a_backfill_refuses(void **state)
{
	static const struct {
		const char *line;
		const char *says;
	} wrong[] = {
		{ "backfill --since 2026-02-30", "--since must be a day" },
		{ "backfill --since yesterday", "--since must be a day" },
		{ "backfill --until 2026-11-21x", "--until must be a day" },
		{ "backfill --until 2026-11-21T9", "--until must be a day" },
		{ "backfill --until 2026-11-31T09:00:00Z", "--until must" },
		{ "backfill --type parcel", "--type must be shipment" },
		{ "backfill --what", "unrecognized option" },
		{ "backfill all", "" },
		{ "reconcile --days 0", "a whole number from 1 to 3660" },
		{ "reconcile --days 3661", "a whole number from 1 to 3660" },
		{ "reconcile --days x", "a whole number from 1 to 3660" },
		{ "reconcile --days 1d", "a whole number from 1 to 3660" },
		{ "reconcile --what", "unrecognized option" },
		{ "reconcile all", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		expect(*wrong[i].line == 'b' ? backfill_run : reconcile_run,
		    wrong[i].line, CTL_USAGE, wrong[i].says, "");
}

static void
without_a_key_there_is_nobody_to_ask(void **state)
{
	static const struct conf none = { .secrets = { .database_url = "made",
					      .easypost_api_key = "",
					      .easypost_test_api_key = "" } };
	static const char says[] = "waybill: neither EASYPOST_API_KEY nor "
				   "EASYPOST_TEST_API_KEY is set\n";
	const char *said;

	(void)state;
	assert_int_equal(
	    command_run(backfill_run, &none, "backfill", &said), CTL_FAILED);
	assert_string_equal(said, says);
	assert_int_equal(
	    command_run(reconcile_run, &none, "reconcile", &said), CTL_FAILED);
	assert_string_equal(said, says);
}

/* --- reconcile ------------------------------------------------------------------ */

/* All lists are empty, but for what was made before. */
static void
answer_nothing(void)
{
	answer("/v2/", 200,
	    "{\"addresses\":[],\"shipments\":[],\"trackers\":[],"
	    "\"refunds\":[],\"events\":[]}");
}

static void
a_reconcile_whose_database_fails(void **state)
{
	static const char *const functions[] = { "admin.begin_ledger",
		"admin.reconcile_page", "admin.end_ledger",
		"admin.known_events" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		answer_nothing();
		made_failure(functions[i], 0, DB_AWAY, "");
		expect(reconcile_run, "reconcile", CTL_FAILED,
		    "the database: made to fail\n", "waybill: ");
	}
	/* Of one list: the others are read. */
	answer("/v2/shipments", 400, "");
	answer_nothing();
	made_row("admin.end_ledger", "listed", "3", "repaired", "1", "missing",
	    "0", NULL);
	expect(reconcile_run, "reconcile", CTL_FAILED,
	    "waybill: test shipments: EasyPost answered /v2/shipments with "
	    "status 400\n",
	    "test events: 3 listed, 1 missing or older and recorded\n");
}

/* Of events that were never sent EasyPost has nothing to give. */
static void
what_is_still_missing(void **state)
{
	(void)state;
	for (int nth = 4; nth <= 5; nth++) {
		answer_nothing();
		made_row("admin.end_ledger", "listed", "3", "repaired", "1",
		    "missing", "2", NULL);
		made_at(nth);
		expect(reconcile_run, "reconcile",
		    nth == 5 ? CTL_OK : CTL_FAILED,
		    nth == 5 ? "test events: 3 listed" : "test refunds: 3",
		    "1 missing or older and recorded, not: 2\n");
	}
}

#define EVENTS(ids) "{\"events\":[" ids "],\"has_more\":false}"

/* Those that are asked for, by what is known and what the page has. */
static void
events_that_are_not_known(void **state)
{
	static const struct {
		const char *page;
		const char *known;
		const char *asked; /* is answered 400; NULL: none is */
	} pages[] = {
		{ EVENTS("{\"id\":\"evt_1\"}"), "evt_1", NULL },
		{ EVENTS("{\"id\":\"evt_1\"}"), "evt_2", "evt_1" },
		{ EVENTS("{\"id\":\"evt_1\"}"), "evt_12", "evt_1" },
		{ EVENTS("{\"id\":\"evt_1\"}"), "x_evt_1", "evt_1" },
		{ EVENTS("{\"id\":\"evt_1\"},{\"id\":\"evt_3\"}"), "evt_1",
		    "evt_3" },
		{ EVENTS("{\"id\":7},{\"id\":\"shp_1\"}"), "evt_1", NULL },
		{ EVENTS("{\"id\":\"evt_1/x\"},{\"id\":\"shp_1\"}"), "evt_1",
		    NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		char target[80], says[200] = "";

		(void)snprintf(target, sizeof(target), "/v2/events/%s/payloads",
		    pages[i].asked == NULL ? "" : pages[i].asked); /* fits */
		if (pages[i].asked != NULL)
			(void)snprintf(says, sizeof(says),
			    "waybill: test events: EasyPost answered %s with "
			    "status 400\n",
			    target); /* fits */
		answer("/v2/events/", 400, "");
		answer("/v2/events?", 200, pages[i].page);
		answer_nothing();
		made_row(
		    "admin.known_events", "easypost_id", pages[i].known, NULL);
		expect(reconcile_run, "reconcile",
		    pages[i].asked == NULL ? CTL_OK : CTL_FAILED, says, "");
	}
}

/* What EasyPost has kept of an event: received, or not there. */
static void
payloads_of_events(void **state)
{
	static const char *const empty[] = { "", "{}", "<html>",
		"{\"payloads\":[]}", "{\"payloads\":[{}]}" };
	static const char whole[] =
	    "{\"payloads\":[{\"request_body\":\"{}\"}]}";
	static const char page[] = EVENTS("{\"id\":\"evt_1\"}");

	(void)state;
	for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
		answer("/v2/events/evt_1/", 200, empty[i]);
		answer("/v2/events?", 200, page);
		answer_nothing();
		made_failure("api.receive_webhook", 0, DB_AWAY, "");
		expect(reconcile_run, "reconcile", CTL_OK, "", "");
	}
	answer("/v2/events/evt_1/", 200, whole);
	answer("/v2/events?", 200, page);
	answer_nothing();
	made_failure("api.receive_webhook", 0, DB_AWAY, "");
	expect(reconcile_run, "reconcile", CTL_FAILED,
	    "waybill: test events: the database: made to fail\n", "");
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_no_page_is_an_error),
		TEST(a_page_with_odd_characters_is_read),
		TEST(what_may_pass_is_asked_again),
		TEST(a_backfill_whose_database_fails),
		TEST(one_walks_at_a_time),
		TEST(a_place_that_is_gone),
		TEST(who_looks_on_sees_how_long_it_takes),
		TEST(words_that_a_backfill_refuses),
		TEST(without_a_key_there_is_nobody_to_ask),
		TEST(a_reconcile_whose_database_fails),
		TEST(what_is_still_missing),
		TEST(events_that_are_not_known),
		TEST(payloads_of_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
