/*
 * Bodies looked at by a table: what each kind takes, and how all that is wrong is
 * named.
 */
#include "fcgi/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* clang-format off */
static const struct body_field inner[] = {
	{ "name", BODY_TEXT, true,  5, NULL, NULL },
	{ NULL,   BODY_TEXT, false, 0, NULL, NULL },
};

static const struct body_field more[] = {
	{ "list",    BODY_LIST,     false, 300, NULL,   inner },
	{ "any",     BODY_ANYTHING, false, 0,   NULL,   NULL },
	{ NULL,      BODY_TEXT,     false, 0,   NULL,   NULL },
};

static const struct body_field table[] = {
	{ "text",    BODY_TEXT,    false, 5,  NULL,   NULL },
	{ "filled",  BODY_TEXT,    true,  5,  NULL,   NULL },
	{ "id",      BODY_ID,      false, 0,  "adr_", NULL },
	{ "measure", BODY_MEASURE, false, 0,  NULL,   NULL },
	{ "amount",  BODY_AMOUNT,  false, 0,  NULL,   NULL },
	{ "whole",   BODY_WHOLE,   false, 10, NULL,   NULL },
	{ "truth",   BODY_TRUTH,   false, 0,  NULL,   NULL },
	{ "country", BODY_COUNTRY, false, 0,  NULL,   NULL },
	{ "object",  BODY_OBJECT,  false, 0,  NULL,   inner },
	{ "free",    BODY_OBJECT,  false, 0,  NULL,   NULL },
	{ "thing",   BODY_OBJECT,  false, 0,  "adr_", inner },
	{ NULL,      BODY_TEXT,    false, 0,  NULL,   more },
};
/* clang-format on */

static struct arena *arena;
static struct body_check *check;

static int
set_up(void **state)
{
	(void)state;
	if (arena == NULL)
		arena = arena_new(4 * 1024 * 1024);
	arena_reset(arena);
	return 0;
}

/* Looks through a body that has what is required, and this. */
static void
look(const char *members)
{
	char problem[JSON_PROBLEM_MAX];
	const char *text = arena_printf(arena, "{\"filled\":\"x\"%s%s}",
	    *members == '\0' ? "" : ",", members);
	struct json *body = json_read(text, strlen(text), problem);

	if (body == NULL)
		fail_msg("%s: %s", text, problem);
	check = body_check_new(arena);
	body_look(check, body, "", table);
	json_free(body);
}

static void
takes(const char *members)
{
	look(members);
	if (check->flaw_count != 0)
		fail_msg("%s: %s", members, check->flaws[0].message);
}

/* Names this field, with a message that holds `part`, and nothing else. */
static void
refuses(const char *members, const char *field, const char *part)
{
	look(members);
	if (check->flaw_count != 1)
		fail_msg("%s: %d flaws", members, check->flaw_count);
	assert_string_equal(check->flaws[0].field, field);
	if (strstr(check->flaws[0].message, part) == NULL)
		fail_msg("%s: %s", members, check->flaws[0].message);
	assert_int_equal(
	    strncmp(check->flaws[0].message, field, strlen(field)), 0);
}

static void
takes_what_each_kind_allows(void **state)
{
	static const char *const good[] = { "", "\"text\":\"\"",
		"\"text\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"",
		"\"text\":null", "\"id\":\"adr_1aZ\"", "\"measure\":0.1",
		"\"measure\":1000000", "\"measure\":\"6.07\"", "\"amount\":0",
		"\"amount\":\"0\"", "\"amount\":\"12.50\"",
		"\"amount\":999999999", "\"whole\":1", "\"whole\":10",
		"\"truth\":false", "\"country\":\"US\"",
		"\"object\":{\"name\":\"x\"}", "\"free\":{\"a\":{\"b\":1}}",
		"\"thing\":\"adr_1\"", "\"thing\":{\"id\":\"adr_1\",\"x\":1}",
		"\"thing\":{\"name\":\"x\"}", "\"list\":[]",
		"\"list\":[{\"name\":\"x\"}]", "\"any\":[1,{\"x\":null}]" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		takes(good[i]);
}

static void
names_what_is_wrong(void **state)
{
	static const struct {
		const char *members;
		const char *field;
		const char *part;
	} cases[] = {
		{ "\"text\":\"123456\"", "text", "of 0 to 5 characters" },
		{ "\"text\":1", "text", "must be text" },
		{ "\"id\":1", "id", "must be an id: adr_..." },
		{ "\"id\":\"\"", "id", "must be an id" },
		{ "\"id\":\"adr_\"", "id", "must be an id" },
		{ "\"id\":\"shp_1\"", "id", "must be an id" },
		{ "\"id\":\"adr_1/2\"", "id", "must be an id" },
		{ "\"id\":\"adr_1234567890123456789012345678901234567890"
		  "123456789012345678901\"",
		    "id", "must be an id" },
		{ "\"measure\":0", "measure", "above 0" },
		{ "\"measure\":\"0.0\"", "measure", "above 0" },
		{ "\"measure\":-1", "measure", "above 0" },
		{ "\"measure\":1000001", "measure", "at most 1000000" },
		{ "\"measure\":\"1e3\"", "measure", "above 0" },
		{ "\"measure\":true", "measure", "above 0" },
		{ "\"amount\":-0.01", "amount", "0 or more" },
		{ "\"amount\":1000000000", "amount", "9 digits" },
		{ "\"amount\":\"1234567890\"", "amount", "9 digits" },
		{ "\"amount\":[]", "amount", "an amount of money" },
		{ "\"whole\":0", "whole", "from 1 to 10" },
		{ "\"whole\":11", "whole", "from 1 to 10" },
		{ "\"whole\":1.5", "whole", "from 1 to 10" },
		{ "\"whole\":\"1\"", "whole", "from 1 to 10" },
		{ "\"truth\":1", "truth", "true or false" },
		{ "\"country\":\"USA\"", "country", "two capital letters" },
		{ "\"country\":\"us\"", "country", "two capital letters" },
		{ "\"country\":1", "country", "two capital letters" },
		{ "\"object\":\"adr_1\"", "object", "must be an object." },
		{ "\"object\":{}", "object.name", "is required." },
		{ "\"object\":{\"name\":\"\"}", "object.name", "of 1 to 5" },
		{ "\"thing\":\"shp_1\"", "thing", "must be an id (adr_...)" },
		{ "\"thing\":{\"id\":1}", "thing", "must be an id (adr_...)" },
		{ "\"thing\":1", "thing", "or an id (adr_...)" },
		{ "\"thing\":{\"id\":null,\"name\":\"x\"}", "thing.id",
		    "Allowed: name." },
		{ "\"list\":{}", "list", "a list of at most 300" },
		{ "\"list\":[1]", "list[0]", "must be an object." },
		{ "\"list\":[{\"name\":\"x\"},{\"name\":7}]", "list[1].name",
		    "must be text" },
		{ "\"filed\":1", "filed", "Allowed: text, filled, id," },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refuses(cases[i].members, cases[i].field, cases[i].part);
}

static void
tells_a_part_of_very_many_flaws(void **state)
{
	struct buf members;

	(void)state;
	buf_init(&members, 64 * 1024);
	for (int i = 0; i < 2 * BODY_FLAWS_MAX; i++)
		(void)buf_addf(&members, "%s\"no%d\":1", i == 0 ? "" : ",", i);
	look(members.data);
	assert_int_equal(check->flaw_count, BODY_FLAWS_MAX);
	body_flaw(check, "more", "is wrong.");
	assert_int_equal(check->flaw_count, BODY_FLAWS_MAX);
	buf_free(&members);
}

static void
a_long_name_is_cut(void **state)
{
	static char name[300];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	look(arena_printf(arena, "\"%s\":1", name));
	assert_int_equal(check->flaw_count, 1);
	assert_int_equal(strlen(check->flaws[0].field), 64);
}

static void
more_objects_than_are_looked_at_are_a_flaw(void **state)
{
	struct buf members;

	(void)state;
	buf_init(&members, 64 * 1024);
	(void)buf_add_string(&members, "\"list\":[");
	for (int i = 0; i < BODY_LOOKS_MAX; i++)
		(void)buf_addf(
		    &members, "%s{\"name\":\"x\"}", i == 0 ? "" : ",");
	(void)buf_add_byte(&members, ']');
	/* The body itself is the first. */
	refuses(members.data, "list[255]", "is one object too many.");
	buf_free(&members);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(takes_what_each_kind_allows, set_up),
		cmocka_unit_test_setup(names_what_is_wrong, set_up),
		cmocka_unit_test_setup(tells_a_part_of_very_many_flaws, set_up),
		cmocka_unit_test_setup(a_long_name_is_cut, set_up),
		cmocka_unit_test_setup(
		    more_objects_than_are_looked_at_are_a_flaw, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
