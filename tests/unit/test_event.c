/*
 * The type of an event: the documented ones, at the right place only.
 */
#include "fcgi/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In memory that ends with the body, for the sanitizers to see. */
static const char *
type_of(const char *body)
{
	size_t bytes = strlen(body);
	char *copy = malloc(bytes == 0 ? 1 : bytes);
	int type;

	assert_non_null(copy);
	memcpy(copy, body, bytes);
	type = event_type(copy, bytes);
	free(copy);
	return event_types[type];
}

static void
documented_descriptions_are_types(void **state)
{
	(void)state;
	for (int i = EVENT_OTHER + 1; event_types[i] != NULL; i++) {
		char body[128] = "{\"id\":\"evt_1\", \"description\" : \"";

		(void)strncat(body, event_types[i], 64);
		(void)strncat(body, "\"}", 3);
		assert_string_equal(type_of(body), event_types[i]);
	}
}

static void
only_the_events_own_counts(void **state)
{
	(void)state;
	assert_string_equal(
	    type_of("{\"result\":{\"description\":\"report.new\"},"
		    "\"description\":\"batch.created\"}"),
	    "batch.created");
	assert_string_equal(
	    type_of("{\"result\":{\"description\":\"report.new\"}}"), "other");
	assert_string_equal(
	    type_of("[{\"description\":\"report.new\"}]"), "other");
	assert_string_equal(
	    type_of("{\"a\":\"{\\\"description\\\":\\\"report.new\\\"\"}"),
	    "other");
	assert_string_equal(type_of("{\"a\":\"}\\\\\",\"b\":[\"]\"],"
				    "\"description\":\"report.new\"}"),
	    "report.new");
}

static void
all_else_is_other(void **state)
{
	static const char *const bodies[] = { "", "{", "{\"", "{\"description",
		"{\"description\"", "{\"description\"\n", "{\"description\"x",
		"{\"description\":", "{\"description\": ",
		"{\"description\":\"", "{\"description\":\"report.new",
		"{\"description\":\"report.new\\",
		"{\"description\":\"report.newer\"}",
		"{\"description\":\"report\"}", "{\"description\":null}",
		"{\"description\":[\"report.new\"]}",
		"{\"description\":\"other\"}", "{\"description\":\"\"}",
		"{\"description\\\":\"report.new\"}",
		"]]]\"description\":", "{\"DESCRIPTION\":\"report.new\"}", "\\",
		"\"\\" };

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		const char *type = type_of(bodies[i]);

		/* One that is cut behind its value is nobody's harm. */
		assert_true(strcmp(type, "other") == 0 ||
		    strcmp(bodies[i], "{\"description\":\"report.new") == 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documented_descriptions_are_types),
		cmocka_unit_test(only_the_events_own_counts),
		cmocka_unit_test(all_else_is_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
