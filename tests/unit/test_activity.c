/*
 * The line of a request: valid JSON of bounded length, whatever came in.
 *
 * The request is made here: the functions of request.h that activity.c calls
 * stand below.
 */
#include "fcgi/activity.h"
#include "shared/json.h"
#include "shared/linefile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/activity-XXXXXX";
static char path[64];
static const char *user_agent;
static struct conf conf = { .run_dir = dir };
static struct service service = { .conf = &conf };
static struct request request;
static struct json *line; /* the last one */
static int bytes;         /* of it */

const char *
request_header(const struct request *rq, const char *cgi_name)
{
	(void)rq;
	assert_string_equal(cgi_name, "HTTP_USER_AGENT");
	return user_agent;
}

const char *
request_caller(const struct request *rq)
{
	return rq->caller.kind == CALLER_NOBODY ? NULL : rq->caller.key_id;
}

const char *
request_mode(const struct request *rq)
{
	return rq->caller.is_test ? "test" : "production";
}

static int
make_directory(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/read.activity", dir);
	request.arena = arena_new(1024 * 1024);
	request.service = &service;
	service.pool = &pools[POOL_READ];
	service.db = (struct db *)&service; /* any: it is not used */
	return 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static int
set_up(void **state)
{
	(void)state;
	user_agent = "shop/1.0";
	conf.activity_addresses = CONF_ADDRESSES_FULL;
	arena_reset(request.arena);
	request = (struct request){
		.arena = request.arena,
		.service = &service,
		.id = "request-1",
		.method = "GET",
		.path = "/db/shipments",
		.query = "",
		.address = "192.0.2.77",
		.route = "/db/shipments",
		.status = 200,
		.bytes = 17,
		.total_us = 1234,
		.database_us = 1002000,
	};
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	json_free(line);
	line = NULL;
	return truncate(path, 0);
}

/* Notes the request and reads its line back, from the file's end. */
static void
note(void)
{
	static char text[2 * LINEFILE_LINE_MAX];
	char problem[JSON_PROBLEM_MAX];
	FILE *file;
	size_t count;

	activity_note(&request);
	file = fopen(path, "r");
	assert_non_null(file);
	count = fread(text, 1, sizeof(text), file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_true(count > 2 && count < LINEFILE_LINE_MAX + 2);
	assert_int_equal(text[0], '\n');
	assert_int_equal(text[count - 1], '\n');
	assert_null(memchr(text + 1, '\n', count - 2));
	json_free(line);
	line = json_read(text + 1, count - 2, problem);
	assert_non_null(line);
	bytes = (int)count - 2;
}

static const char *
text_of(const char *name)
{
	return json_text(json_member(line, name));
}

static void
check(const char *name, const char *expected)
{
	if (expected == NULL)
		assert_null(json_member(line, name));
	else
		assert_string_equal(text_of(name), expected);
}

static void
a_line_holds_what_happened(void **state)
{
	const struct json *more;

	(void)state;
	request.error_code = "NOT_FOUND";
	request.argument = "shp_1";
	request.caller.kind = CALLER_GATEWAY_KEY;
	(void)snprintf(request.caller.key_id, sizeof(request.caller.key_id),
	    "01a20f18-e2ca-7a52-a53d-7a937ccc4f98");
	note();
	check("user_id", "01a20f18-e2ca-7a52-a53d-7a937ccc4f98");
	check("session_id", NULL);
	check("action", "read");
	check("resource", "shipments");
	check("resource_id", "shp_1");
	check("method", "GET");
	check("endpoint", "/db/shipments");
	check("user_agent", "shop/1.0");
	check("ip_address", "192.0.2.77");
	check("error_message", "NOT_FOUND");
	check("request_id", "request-1");
	assert_true(json_number(json_member(line, "status_code")) == 200);
	assert_true(
	    json_number(json_member(line, "response_time_ms")) == 1.234);
	more = json_member(line, "extra_metadata");
	assert_string_equal(json_text(json_member(more, "pool")), "read");
	assert_string_equal(json_text(json_member(more, "mode")), "production");
	assert_true(json_number(json_member(more, "database_ms")) == 1002);
	assert_true(json_number(json_member(more, "bytes")) == 17);
	assert_null(json_member(more, "client_gone"));
}

static void
keys_of_rows_are_of_version_7_and_ordered(void **state)
{
	char last[40] = "";

	(void)state;
	for (int i = 0; i < 1000; i++) {
		const char *id;

		note();
		id = text_of("id");
		assert_int_equal(strlen(id), 36);
		assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
		assert_int_equal(id[14], '7');
		assert_non_null(strchr("89ab", id[19]));
		/* Ordered but for two within a quarter of a microsecond. */
		assert_true(strncmp(last, id, 18) <= 0);
		assert_true(strcmp(last, id) != 0);
		(void)snprintf(last, sizeof(last), "%s", id);
	}
}

static void
addresses_are_cut_as_configured(void **state)
{
	static const struct {
		const char *address;
		const char *full;
		const char *truncated;
	} cases[] = {
		{ "192.0.2.77", "192.0.2.77", "192.0.2.0/24" },
		{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6",
		    "2001:db8:1::/48" },
		{ "::1", "::1", "::/48" },
		{ "::ffff:192.0.2.77", "::ffff:192.0.2.77", "::/48" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		    "ffff:ffff:ffff::/48" },
		{ "unix:", NULL, NULL },
		{ "", NULL, NULL },
		{ "192.0.2", NULL, NULL },
		{ "192.0.2.77\"", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		request.address = cases[i].address;
		conf.activity_addresses = CONF_ADDRESSES_FULL;
		note();
		check("ip_address", cases[i].full);
		conf.activity_addresses = CONF_ADDRESSES_TRUNCATED;
		note();
		check("ip_address", cases[i].truncated);
		conf.activity_addresses = CONF_ADDRESSES_NONE;
		note();
		check("ip_address", NULL);
	}
}

/* Everything as long and as bad as it can be. */
static void
the_worst_line_fits(void **state)
{
	static char worst[16384];

	(void)state;
	memset(worst, 1, sizeof(worst) - 1);
	*worst = '/';
	user_agent = worst + 1;
	request.path = worst;
	request.route = "/db/shipments/{id}";
	request.argument = worst + 1;
	request.method = worst + 1;
	request.address = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
	request.error_code = "DATABASE.NOT_CONFIGURED";
	request.is_client_gone = true;
	request.bytes = INT64_MAX;
	request.total_us = request.database_us = request.upstream_us =
	    100000000000;
	note();
	assert_int_equal(json_text_bytes(json_member(line, "user_agent")), 300);
	assert_int_equal(json_text_bytes(json_member(line, "endpoint")), 500);
	assert_int_equal(
	    json_text_bytes(json_member(line, "resource_id")), 200);
	assert_int_equal(json_text_bytes(json_member(line, "method")), 16);
	assert_true(bytes > 6 * 1000);
}

static void
every_byte_is_taken(void **state)
{
	char agent[3];

	(void)state;
	for (int i = 1; i < 256; i++) {
		(void)snprintf(
		    agent, sizeof(agent), "%c%c", i, i == 0xff ? 'x' : i + 1);
		user_agent = agent;
		note();
		assert_non_null(text_of("user_agent"));
	}
}

static void
characters_are_not_cut_in_two(void **state)
{
	char agent[400];

	(void)state;
	memset(agent, 'x', sizeof(agent));
	memcpy(agent + 298, "\xe2\x82\xac", 4);
	user_agent = agent;
	note();
	assert_int_equal(strlen(text_of("user_agent")), 298);
	memcpy(agent + 297, "\xe2\x82\xac", 4);
	note();
	assert_int_equal(strlen(text_of("user_agent")), 300);
	memset(agent, 0x80, 399);
	agent[399] = '\0';
	note();
	assert_string_equal(text_of("user_agent"), "");
}

static void
actions_and_resources_come_from_the_path(void **state)
{
	static const struct {
		const char *method;
		const char *path;
		const char *query;
		const char *action;
		const char *resource;
		const char *resource_id;
	} cases[] = {
		{ "GET", "/v2/shipments/shp_1", "", "read", "shipments",
		    "shp_1" },
		{ "HEAD", "/v2/shipments", "", "read", "shipments", NULL },
		{ "POST", "/v2/shipments/shp_1/buy", "", "buy", "shipments",
		    "shp_1" },
		{ "GET", "/v2/shipments/shp_1/buy", "", "read", "shipments",
		    "shp_1" },
		{ "POST", "/v2/trackers/create_list", "", "create", "trackers",
		    NULL },
		{ "POST", "/beta/rates", "", "create", "rates", NULL },
		{ "GET", "/v2/", "", "read", NULL, NULL },
		{ "GET", "/v2/SHIPMENTS/1", "", "read", NULL, "1" },
		{ "GET", "/db/shipments", "limit=1&format=csv", "export",
		    "shipments", NULL },
		{ "GET", "/db/shipments", "format=ndjson", "export",
		    "shipments", NULL },
		{ "POST", "/db/shipments", "format=csv", "create", "shipments",
		    NULL },
		{ "POST", "*", "", "create", NULL, NULL },
		{ "GET", "/db/user-activity", "", "read", "user-activity",
		    NULL },
		{ "POST", "/webhooks/easypost", "", "webhook", "webhooks",
		    NULL },
		{ "GET", "/health/database", "", "read", "health", NULL },
		{ "PURGE", "/", "", NULL, NULL, NULL },
		{ "GET", "", "", "read", NULL, NULL },
		{ "GET", "*", "", "read", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		request.method = cases[i].method;
		request.is_head = strcmp(cases[i].method, "HEAD") == 0;
		request.path = cases[i].path;
		request.query = cases[i].query;
		note();
		check("action", cases[i].action);
		check("resource", cases[i].resource);
		check("resource_id", cases[i].resource_id);
	}
	request.path = "/something/else";
	request.route = NULL;
	note();
	check("resource", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_line_holds_what_happened, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    keys_of_rows_are_of_version_7_and_ordered, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    addresses_are_cut_as_configured, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    the_worst_line_fits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    every_byte_is_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    characters_are_not_cut_in_two, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    actions_and_resources_come_from_the_path, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
