/* waybill check, of the world outside: EasyPost's answers, webhooks, our site and
 * its certificate, the file of nginx. */
#include "tests/unit/check.h"

static const char hooks[] = "/v2/webhooks";
static const char site[] = "check --url https://ship.example.com";

static int
begin(void **state)
{
	int result = check_begin(state);

	command_file = NULL;
	made_site.speaks_http2 = true;
	*made_site.expires = '\0';
	check_set("EASYPOST_API_KEY", "EZAKa");
	check_set("EASYPOST_WEBHOOK_SECRET", "secret");
	return result;
}

static void
answer(const char *target, int status, const char *header, const char *body)
{
	made_reply(target, 0, EASYPOST_ANSWERED, status, header, body);
}

/* --- keys ------------------------------------------------------------------------ */

static const struct {
	int status;
	const char *body;
	const char *state;
	const char *text;
	const char *cure;
} answers[] = {
	{ 200, "{\"webhooks\":[]}", "ok",
	    "EasyPost takes it, a key of the mode", "" },
	{ 200, "{\"webhooks\":[{\"mode\":\"production\"}]}", "ok",
	    "a key of the mode production", "" },
	{ 200, "{\"webhooks\":[{\"mode\":\"test\"}]}", "FAIL",
	    "it is a key of the mode test",
	    "EASYPOST_API_KEY= in the environment" },
	{ 200, "{\"webhooks\":{}}", "warn",
	    "EasyPost's answer is no list of webhooks", "" },
	{ 200, "<html>", "warn", "is no list of webhooks", "" },
	{ 200, "", "warn", "EasyPost answered with status 200",
	    "waybill check again" },
	{ 500, "{}", "warn", "EasyPost answered with status 500",
	    "waybill check again" },
	{ 401, "{}", "FAIL", "EasyPost refuses the production key",
	    "EASYPOST_API_KEY= in the environment" },
	{ 403, "{}", "FAIL", "(EASYPOST_API_KEY) with status 403", "" },
};

static void
what_easypost_says_of_a_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		answer(hooks, answers[i].status, NULL, answers[i].body);
		check_expect("check", "key production", answers[i].state,
		    answers[i].text, answers[i].cure);
	}
	check_expect("check", "key test", "skip",
	    "EASYPOST_TEST_API_KEY is not set", "");
	check_expect("check", "key production", "FAIL",
	    "https://api.easypost.com does not answer: made to be away",
	    "curl -v https://api.easypost.com/");
	made_reply(hooks, 0, EASYPOST_UNTRUSTED, 0, NULL, "");
	check_expect("check", "key production", "FAIL", "does not answer",
	    "apt install ca-certificates");
	check_expect("check", "webhook production", "skip",
	    "EasyPost did not say which there are", "");
}

static void
the_time_that_easypost_has(void **state)
{
	static const struct {
		int ahead_s;
		const char *state;
		const char *text;
	} clocks[] = {
		{ 0, "ok", "ours agrees with EasyPost's" },
		{ 30, "warn", " s behind EasyPost's" },
		{ -30, "warn", " s ahead of EasyPost's" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		time_t there = time(NULL) + clocks[i].ahead_s;
		char header[64];

		(void)strftime(header, sizeof(header),
		    "Date: %a, %d %b %Y %H:%M:%S GMT", gmtime(&there));
		answer(hooks, 200, header, "{\"webhooks\":[]}");
		check_expect("check", "clock of EasyPost", clocks[i].state,
		    clocks[i].text, "");
	}
	answer(hooks, 200, "Date: today", "{\"webhooks\":[]}");
	check_expect("check", "clock of EasyPost", "skip",
	    "EasyPost told no time of its own", "");
}

/* --- webhooks ---------------------------------------------------------------------- */

static void
the_secret_of_webhooks(void **state)
{
	(void)state;
	check_expect("check", "webhook secret", "ok", "it is set", "");
	check_set("EASYPOST_WEBHOOK_SECRET_PREVIOUS", "before");
	check_expect("check", "webhook secret", "ok",
	    "and the one before still holds", "");
	check_set("EASYPOST_WEBHOOK_SECRET", "");
	check_expect("check", "webhook secret", "FAIL",
	    "EASYPOST_WEBHOOK_SECRET is not set",
	    "EASYPOST_WEBHOOK_SECRET= in the environment");
	command_file = "/dev/null";
	check_expect("check", "webhook secret", "FAIL", "is not set",
	    "EASYPOST_WEBHOOK_SECRET= in /dev/null");
	check_set("EASYPOST_WEBHOOK_ALLOW_UNSIGNED", "true");
	check_expect("check", "webhook secret", "FAIL",
	    "webhooks are accepted that nobody signed",
	    "EASYPOST_WEBHOOK_ALLOW_UNSIGNED=false");
}

#define HOOK(url, more) \
	"{\"id\":\"hook_1\",\"url\":\"" url "/webhooks/easypost\"" more "}"
#define OURS        "https://ship.example.com"
#define LIST(hooks) "{\"webhooks\":[" hooks "]}"
#define DISABLED    ",\"disabled_at\":\"2026-11-21\""

static const struct {
	const char *line;
	const char *body;
	const char *state;
	const char *text;
} lists[] = {
	{ "check", LIST(""), "FAIL",
	    "none is registered at EasyPost for /web" },
	{ site, LIST(""), "FAIL", "for ship.example.com/webhooks/easypost" },
	{ "check", LIST("{\"id\":\"hook_1\"}"), "FAIL", "none is registered" },
	{ "check", LIST("{\"url\":\"nowhere\"}"), "FAIL",
	    "none is registered" },
	{ "check", LIST("{\"url\":\"" OURS "/hooks\"}"), "FAIL", "none is" },
	{ "check", LIST(HOOK(OURS, "")), "ok", "hook_1 is registered" },
	{ site, LIST(HOOK(OURS, "")), "ok", "hook_1 is registered" },
	{ site, LIST(HOOK("https://a:b@SHIP.example.com", "")), "ok",
	    "hook_1" },
	{ site, LIST(HOOK("https://shop.example.com", "")), "FAIL", "none is" },
	{ site, LIST(HOOK("https://example.com", "")), "FAIL", "none is" },
	{ "check", LIST(HOOK("ship.example.com", "")), "ok", "hook_1" },
	{ "check", LIST(HOOK(OURS, DISABLED)), "FAIL",
	    "EasyPost has disabled hook_1, since 2026-11-21" },
	{ "check", LIST(HOOK(OURS, DISABLED) "," HOOK(OURS, "")), "ok",
	    "hook_1 is registered and enabled" },
	{ "check", LIST(HOOK(OURS, "") "," HOOK(OURS, DISABLED)), "ok",
	    "hook_1 is registered and enabled" },
	{ "check", LIST("{\"url\":\"" OURS "/webhooks/easypost\"" DISABLED "}"),
	    "FAIL", "EasyPost has disabled it, since 2026-11-21" },
	{ "check", LIST("{\"url\":\"" OURS "/webhooks/easypost\"}"), "ok",
	    "it is registered and enabled" },
};

static void
webhooks_that_easypost_has(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		answer(hooks, 200, NULL, lists[i].body);
		check_expect(lists[i].line, "webhook production",
		    lists[i].state, lists[i].text,
		    *lists[i].state == 'o'
			? ""
			: "waybill webhook register https://ship.example.com");
	}
	check_set("EASYPOST_TEST_API_KEY", "EZTKa");
	answer(hooks, 200, NULL, LIST(""));
	check_expect("check", "webhook test", "warn", "none is registered",
	    "--mode test");
}

/* --- the site ------------------------------------------------------------------------ */

#define READY "{\"data\":{\"ready\":true}}"

static void
a_site_that_is_not_well(void **state)
{
	static const struct {
		int status;
		const char *body;
		const char *state;
		const char *text;
		const char *cure;
	} sites[] = {
		{ 200, READY, "ok", "is ready, over HTTP/2", "" },
		{ 503, "{\"error\":{\"message\":\"no database\"}}", "FAIL",
		    "/readyz is answered with 503: no database",
		    "waybill.error.log" },
		{ 502, "", "FAIL", "502: by somebody else than Waybill", "" },
		{ 200, "<html>", "FAIL", "somebody else than Waybill answers",
		    "server_name in" },
		{ 200, "{\"data\":{}}", "FAIL", "somebody else", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sites) / sizeof(*sites); i++) {
		answer("/readyz", sites[i].status, NULL, sites[i].body);
		check_expect(
		    site, "site", sites[i].state, sites[i].text, sites[i].cure);
	}
	made_site.speaks_http2 = false;
	answer("/readyz", 200, NULL, READY);
	check_expect(site, "site", "warn", "but does not speak HTTP/2",
	    "listen 443 ssl http2;");
	check_expect(site, "site", "FAIL", "made to be away", "nginx -t");
	made_reply("/readyz", 0, EASYPOST_UNTRUSTED, 0, NULL, "");
	check_expect("check --url https://ship.example.com:8443", "site",
	    "FAIL", "made to be away", "-d ship.example.com,");
	check_expect("check", "site", "skip", "its address is not known",
	    "waybill check --url");
	check_expect("check", "certificate", "skip", "it was not seen", "");
}

static void
a_certificate_that_ends(void **state)
{
	static const struct {
		int days;
		const char *state;
		const char *cure;
	} ends[] = { { 80, "ok", "" }, { 20, "warn", "certbot renew" },
		{ 6, "FAIL", "certbot renew" }, { -6, "FAIL", "certbot" } };

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		time_t end = time(NULL) + ends[i].days * 86400 + 3600;

		(void)strftime(made_site.expires, sizeof(made_site.expires),
		    "%b %d %H:%M:%S %Y GMT", gmtime(&end));
		answer("/readyz", 200, NULL, READY);
		check_expect(site, "certificate", ends[i].state,
		    "days left: ", ends[i].cure);
	}
	*made_site.expires = '\0';
	answer("/readyz", 200, NULL, READY);
	check_expect(site, "certificate", "skip", "it says no date", "");
}

/* --- nginx --------------------------------------------------------------------------- */

static void
what_nginx_has_room_for(void **state)
{
	static const struct {
		const char *text;
		const char *state;
		const char *says;
	} files[] = {
		{ "", "warn", "worker_connections is 512" },
		{ "events { worker_connections 768; }", "warn", "is 768" },
		{ "# worker_connections 9000;\n", "warn", "is 512" },
		{ "worker_connections 8192;", "ok", "its processes: 8192" },
		{ "my_worker_connections 1;worker_connections 8192;", "ok",
		    "8192" },
		{ "worker_connections 8192; worker_rlimit_nofile 1024;", "warn",
		    "may open 1024 files, and have 8192" },
		{ "worker_connections 8192; worker_rlimit_nofile 20000;", "ok",
		    "8192" },
		{ "worker_connections 8192; pid /no/such/file;", "ok", "8192" },
		{ "worker_connections 8192; pid /dev/null;", "ok", "8192" },
		{ "worker_connections 8192; pid /proc/self/oom_score_adj;",
		    "ok", "8192" },
	};

	char file[64], line[100];

	(void)state;
	(void)snprintf(file, sizeof(file), "%s/nginx.conf", check_dir);
	(void)snprintf(line, sizeof(line), "check --nginx %s", file);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		FILE *out = fopen(file, "w");

		assert_non_null(out);
		assert_true(fputs(files[i].text, out) >= 0);
		assert_int_equal(fclose(out), 0);
		check_expect(line, "nginx", files[i].state, files[i].says, "");
	}
	assert_int_equal(unlink(file), 0);
	check_expect(line, "nginx", "skip", "No such file or directory",
	    "on the host of nginx");
}

static void
words_that_it_refuses(void **state)
{
	static const char *const lines[] = { "check all", "check --what",
		"check --url http://ship.example.com",
		"check --url https://user:password@ship.example.com/path" };
	static const struct conf conf;
	const char *said;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_int_equal(
		    command_run(check_run, &conf, lines[i], &said), CTL_USAGE);
	assert_string_equal(
	    said, "waybill: --url must be https://HOST[:PORT]\n");
	(void)command_run(check_run, &conf, "check --quiet --ca a", &said);
	assert_null(strstr(said, "\nok"));
	assert_non_null(strstr(said, "warn  configuration"));
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_easypost_says_of_a_key),
		TEST(the_time_that_easypost_has),
		TEST(the_secret_of_webhooks),
		TEST(webhooks_that_easypost_has),
		TEST(a_site_that_is_not_well),
		TEST(a_certificate_that_ends),
		TEST(what_nginx_has_room_for),
		TEST(words_that_it_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, check_end);
}
