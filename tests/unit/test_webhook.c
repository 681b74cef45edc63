/* waybill webhook, at an EasyPost and an address that answer oddly: what EasyPost
 * was told is said, and nothing that a terminal would obey. */
#include "tests/unit/command.h"
#include "tests/unit/made_db.h"
#include "tests/unit/made_easypost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define OURS          "https://ship.example.com/webhooks/easypost"
#define LIST(hooks)   "{\"webhooks\":[" hooks "]}"
#define HOOK(id, url) "{\"id\":\"" id "\",\"url\":\"" url "\"}"
#define REGISTER      "webhook register " OURS
#define ACCEPTS \
	"{\"error\":{\"code\":\"EVENT.INVALID\",\"message\":\"no event\"}}"

static const char hooks[] = "/v2/webhooks";
static const char ours[] = "/webhooks/easypost";
static struct conf conf;

static int
begin(void **state)
{
	(void)state;
	conf = (struct conf){ .secrets = { .database_url = "",
				  .easypost_api_key = "",
				  .easypost_test_api_key = "",
				  .webhook_secret = "",
				  .webhook_secret_previous = "" } };
	made_none();
	made_reply_count = 0;
	if (clearenv() != 0 || setenv("EASYPOST_TEST_API_KEY", "EZTKa", 1) != 0)
		return -1;
	return setenv("EASYPOST_WEBHOOK_SECRET", "secret", 1) != 0 ||
	    setenv("DATABASE_URL", "postgresql:///made", 1) != 0;
}

static void
expect(const char *line, int status, const char *first, const char *second)
{
	const char *said;
	int found = command_run(webhook_run, &conf, line, &said);

	if (found != status || strstr(said, first) == NULL ||
	    strstr(said, second) == NULL)
		fail_msg("%s: %d, %s", line, found, said);
	made_none();
	made_reply_count = 0;
}

static void
answer(const char *target, int times, int status, const char *body)
{
	made_reply(target, times, EASYPOST_ANSWERED, status, NULL, body);
}

/* --- list ------------------------------------------------------------------------ */

static void
what_is_listed(void **state)
{
	static const struct {
		const char *hook;
		const char *shown;
	} all[] = {
		{ HOOK("hook_1", OURS), "* test        hook_1 " },
		{ HOOK("hook_1", OURS), "  " OURS "\n" },
		{ HOOK("hook_1", "nowhere"), "  test        hook_1 " },
		{ HOOK("hook_1", "nowhere"), "  nowhere\n" },
		{ HOOK("hook_1", "https://host"), "  https://host\n" },
		{ HOOK("hook_1", "https://a:b@host/"), " https://***@host/\n" },
		{ HOOK("hook_1", "https://h\\u001b[2J\\u007f"), "://h?[2J?\n" },
		{ HOOK("hook\\u001b", OURS), "* test        ? " },
		{ "{}", "  test        ? " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		char body[300];

		(void)snprintf(body, sizeof(body), LIST("%s"), all[i].hook);
		answer(hooks, 0, 200, body);
		expect("webhook list", CTL_OK, all[i].shown, "");
	}
	answer(hooks, 0, 200, LIST(""));
	expect("webhook list", CTL_OK, "  test        none\n", "");
}

static void
easypost_that_does_not_do_it(void **state)
{
	static const struct {
		int status;
		const char *body;
		const char *says;
	} answers[] = {
		{ 200, "", "EasyPost's answer cannot be read: it is empty" },
		{ 200, "<", "EasyPost's answer cannot be read: " },
		{ 200, "{}", "EasyPost's answer is no list of webhooks" },
		{ 500, "", "EasyPost answered 500\n" },
		{ 401, "{}", "EasyPost answered 401. Look at EASYPOST_TEST" },
		{ 403, "{}", "EasyPost answered 403. Look at EASYPOST_TEST" },
		{ 422, "{\"error\":{\"message\":\"no\\u001b\",\"code\":\"C\"}}",
		    "EasyPost answered 422: no? C\n" },
		{ 422,
		    "{\"error\":{\"errors\":[\"a\",{\"message\":\"b\"},"
		    "{\"field\":\"url\",\"message\":\"c\"}]}}",
		    "EasyPost answered 422; a; b; url c\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		answer(hooks, 0, answers[i].status, answers[i].body);
		expect(
		    "webhook list", CTL_FAILED, "waybill: ", answers[i].says);
		answer(hooks, 0, answers[i].status, answers[i].body);
		expect("webhook delete hook_1", CTL_FAILED,
		    "waybill: ", answers[i].says);
		answer(hooks, 0, answers[i].status, answers[i].body);
		expect(
		    "webhook test", CTL_FAILED, "waybill: ", answers[i].says);
	}
	expect("webhook list", CTL_FAILED,
	    "EasyPost did not answer: made to be away", "");
}

/* --- delete ---------------------------------------------------------------------- */

static void
what_is_deleted(void **state)
{
	(void)state;
	answer(hooks, 1, 200, LIST(HOOK("hook_2", "") "," HOOK("hook_1", "")));
	answer("/v2/webhooks/hook_1", 1, 200, "{}");
	expect(
	    "webhook delete hook_1", CTL_OK, "test: hook_1 is no more\n", "");
	answer(hooks, 1, 200, LIST(HOOK("hook_1", "")));
	answer("/v2/webhooks/hook_1", 1, 404, "{}");
	expect(
	    "webhook delete hook_1", CTL_FAILED, "EasyPost answered 404\n", "");
	answer(hooks, 1, 200, LIST(HOOK("hook_2", "")));
	expect("webhook delete hook_1", CTL_FAILED,
	    "EasyPost has no webhook hook_1 for the keys", "");
	expect("webhook delete hook/1", CTL_FAILED,
	    "an id is what waybill webhook list shows", "");
	assert_int_equal(unsetenv("EASYPOST_TEST_API_KEY"), 0);
	expect("webhook delete hook_1", CTL_FAILED,
	    "EASYPOST_API_KEY is not set", "");
	expect("webhook list --mode test", CTL_FAILED,
	    "EASYPOST_TEST_API_KEY is not set", "put EasyPost's key there");
	expect("webhook list --mode production", CTL_FAILED,
	    "EASYPOST_API_KEY is not set", "put EasyPost's key there");
}

/* --- register -------------------------------------------------------------------- */

static void
addresses_that_may_be_told(void **state)
{
	static const struct {
		int status;
		const char *body;
		const char *says;
		bool is_told;
	} answers[] = {
		{ 400, ACCEPTS, OURS " accepts the secret\n", true },
		{ 400, "{\"error\":{\"code\":\"OTHER\"}}",
		    "is this address Waybill's?", false },
		{ 400, "", "is this address Waybill's?", false },
		{ 400, "<html>", "is this address Waybill's?", false },
		{ 101, "", " answered 101 in ", false },
		{ 200, "{\"message\":\"ok\"}", " answered 200 in ", false },
		{ 401, "{\"error\":{\"code\":\"SIGNATURE.INVALID\"}}",
		    "it has another secret than this host", false },
		{ 401, "{}", "is this address Waybill's?", false },
		{ 503, "{\"error\":{\"code\":\"WEBHOOK.NOT_CONFIGURED\"}}",
		    "it runs without a secret", false },
		{ 503, "{\"error\":{\"code\":\"DATABASE.NOT_CONFIGURED\"}}",
		    "set DATABASE_URL there", true },
		{ 503, "{}", "neither PostgreSQL nor the spool took it", true },
		{ 502, "{}", "its workers do not run", true },
		{ 504, "{}", "its workers are stuck", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		bool is_told = answers[i].is_told;

		answer(ours, 0, answers[i].status, answers[i].body);
		answer(hooks, 1, 200, LIST(""));
		answer(hooks, 1, 201, "{\"id\":\"hook_1\"}");
		expect(REGISTER, is_told ? CTL_OK : CTL_FAILED, answers[i].says,
		    is_told ? "test: registered as hook_1\n"
			    : "EasyPost was not told: it would deliver in "
			      "vain\n");
	}
	answer(hooks, 1, 200, LIST(""));
	answer(hooks, 1, 201, "{\"id\":\"hook\\u001b\"}");
	expect(REGISTER, CTL_OK, OURS " did not answer: made to be away\n",
	    "test: registered as ?\n");
	made_reply(ours, 0, EASYPOST_UNTRUSTED, 0, NULL, "");
	answer(hooks, 1, 200, LIST(""));
	answer(hooks, 1, 201, "");
	expect(REGISTER, CTL_FAILED, "EasyPost would not deliver to it either",
	    "EasyPost's answer cannot be read: it is empty\n");
}

static void
what_is_registered_already(void **state)
{
	(void)state;
	answer(ours, 0, 400, ACCEPTS);
	answer(hooks, 1, 200,
	    LIST(
		HOOK("hook_1", OURS) "," HOOK("hook/2", OURS) "," HOOK("hook_3",
		    "https://other") ",{\"id\":\"hook_4\",\"url\":"
				     "\"" OURS "\",\"disabled_at\":\"2026-11-"
				     "21T09:00:00Z\"}"));
	answer("/v2/webhooks/hook_1", 1, 201, "{}");
	answer("/v2/webhooks/hook_4", 1, 201, "{}");
	conf.secrets.webhook_secret_previous = "before";
	assert_int_equal(
	    setenv("EASYPOST_WEBHOOK_SECRET_PREVIOUS", "before", 1), 0);
	expect(REGISTER, CTL_OK, "hook_4 was disabled since 2026-11-21T09",
	    "take EASYPOST_WEBHOOK_SECRET_PREVIOUS out");
	conf.secrets.webhook_secret_previous = "";
	answer(ours, 0, 400, ACCEPTS);
	answer(
	    hooks, 1, 200, LIST(HOOK("hook_1", OURS) "," HOOK("hook_2", OURS)));
	answer("/v2/webhooks/hook_", 2, 201, "{}");
	expect(REGISTER, CTL_OK, "registered 2 times, so each event comes as",
	    "sudo truncate -s 0 ");
	answer(ours, 0, 400, ACCEPTS);
	answer(hooks, 1, 200, LIST(HOOK("hook_1", OURS)));
	answer("/v2/webhooks/hook_1", 1, 500, "");
	expect(REGISTER, CTL_FAILED, "EasyPost answered 500\n", "");
	answer(ours, 0, 400, ACCEPTS);
	answer(hooks, 1, 500, "");
	expect(REGISTER, CTL_FAILED, "EasyPost answered 500\n", "");
}

static void
secrets_of_all_kinds(void **state)
{
	(void)state;
	assert_int_equal(setenv("EASYPOST_WEBHOOK_SECRET", "a\"\\b", 1), 0);
	answer(ours, 0, 400, ACCEPTS);
	answer(hooks, 1, 200, LIST(""));
	answer(hooks, 1, 201, "{\"id\":\"hook_1\"}");
	expect(REGISTER, CTL_OK, "test: registered as hook_1\n", "");
	assert_int_equal(setenv("EASYPOST_WEBHOOK_SECRET", "", 1), 0);
	expect(REGISTER, CTL_FAILED, "EASYPOST_WEBHOOK_SECRET is not set", "");
}

static void
words_that_it_refuses(void **state)
{
	static const char *const usage[] = { "webhook", "webhook all",
		"webhook list all", "webhook list --mode all",
		"webhook list --what", "webhook delete",
		"webhook delete hook_1 hook_2", "webhook register",
		"webhook test a b", "webhook new-secret now" };
	static const char *const urls[] = { "ship.example.com",
		"https://ship.example.com", "https://a@ship.example.com/hook",
		"https://ship.example.com/hook?a=b",
		"https://ship.example.com/h\x7f",
		"https://ship.example.com/\xc3\xa9",
		"ftp://ship.example.com/hook" };

	(void)state;
	for (size_t i = 0; i < sizeof(usage) / sizeof(*usage); i++)
		expect(usage[i], CTL_USAGE, "", "");
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		char line[100];

		(void)snprintf(
		    line, sizeof(line), "webhook register %s", urls[i]);
		expect(line, CTL_FAILED, "waybill: ", "");
		(void)snprintf(line, sizeof(line), "webhook test %s", urls[i]);
		expect(line, CTL_FAILED, "waybill: ", "");
	}
}

/* --- test ------------------------------------------------------------------------ */

static void
where_an_event_of_ours_arrives(void **state)
{
	static const char line[] = "webhook test " OURS;

	(void)state;
	answer(ours, 0, 200, "{\"message\":\"ok\"}");
	made_row("api.find_event", "find_event", "7", NULL);
	expect(line, CTL_OK, OURS " answered 200 in 1.0 ms: ok\n",
	    "(waybill.test) is in the database");
	answer(ours, 0, 200, "{}");
	made_row("api.find_event", "find_event", NULL, NULL);
	expect(line, CTL_FAILED, "is not in the database of DATABASE_URL", "");
	answer(ours, 0, 200, "{}");
	made_failure("api.find_event", 0, DB_LATE, "");
	expect(line, CTL_FAILED,
	    "whether it is in the database is not known: made to fail", "");
	answer(ours, 0, 200, "{}");
	assert_int_equal(unsetenv("DATABASE_URL"), 0);
	expect(line, CTL_FAILED, "is not known: DATABASE_URL is not set", "");
	answer(ours, 0, 300, "{}");
	expect(line, CTL_FAILED, "is this address Waybill's?", "");
}

static void
which_address_is_meant(void **state)
{
	(void)state;
	answer(hooks, 0, 200, LIST(HOOK("hook_1", "https://other/")));
	expect("webhook test", CTL_FAILED,
	    "EasyPost has no webhook to /webhooks/easypost", "");
	answer(hooks, 0, 200,
	    LIST(HOOK("hook_1", OURS) "," HOOK(
		"hook_2", "https://b.example.com/webhooks/easypost")));
	expect("webhook test", CTL_FAILED, "EasyPost has several", "");
	answer(
	    hooks, 0, 200, LIST(HOOK("hook_1", OURS) "," HOOK("hook_2", OURS)));
	answer(ours, 0, 200, "{}");
	made_row("api.find_event", "find_event", "7", NULL);
	expect("webhook test", CTL_OK, "is in the database", "");
	answer(
	    hooks, 0, 200, LIST(HOOK("hook_1", "http://a/webhooks/easypost")));
	expect("webhook test", CTL_FAILED, "waybill: ", "");
	assert_int_equal(setenv("WORKERS", "none", 1), 0);
	expect("webhook test", CTL_FAILED, "waybill: secrets: ", "WORKERS");
	expect("webhook test " OURS, CTL_FAILED, "waybill: secrets: ", "");
	expect("webhook list", CTL_FAILED, "waybill: secrets: ", "");
	expect(REGISTER, CTL_FAILED, "waybill: secrets: ", "");
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_listed),
		TEST(easypost_that_does_not_do_it),
		TEST(what_is_deleted),
		TEST(addresses_that_may_be_told),
		TEST(what_is_registered_already),
		TEST(secrets_of_all_kinds),
		TEST(words_that_it_refuses),
		TEST(where_an_event_of_ours_arrives),
		TEST(which_address_is_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
