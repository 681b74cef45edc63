/*
 * The members of an object by a table: what passes, and who is blamed.
 */
#include "fcgi/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;
static struct fields_problems problems;

static const struct rule no_rules[] = {
	{ RULE_ONE_OF, NULL, NULL, NULL, NULL },
};

static const struct field inner_fields[] = {
	{ "must", FIELD_TEXT, true, 1, 4, NULL, NULL },
	{ NULL, FIELD_FIXED, false, 0, 0, NULL, NULL },
};

static const struct form inner = { inner_fields, no_rules };

static const struct field all_fields[] = {
	/* clang-format off */
	{ "text",     FIELD_TEXT,     false, 2, 4,  NULL,        NULL },
	{ "code",     FIELD_CODE,     false, 2, 6,  NULL,        NULL },
	{ "capitals", FIELD_CAPITALS, false, 0, 3,  NULL,        NULL },
	{ "id",       FIELD_ID,       false, 0, 0,  "shp_",      NULL },
	{ "key",      FIELD_KEY,      false, 0, 0,  "adr_",      NULL },
	{ "word",     FIELD_ENUM,     false, 0, 0,  "one other", NULL },
	{ "money",    FIELD_MONEY,    false, 0, 0,  NULL,        NULL },
	{ "number",   FIELD_NUMBER,   false, 0, 10, NULL,        NULL },
	{ "count",    FIELD_COUNT,    false, 1, 10, NULL,        NULL },
	{ "flag",     FIELD_BOOL,     false, 0, 0,  NULL,        NULL },
	{ "time",     FIELD_TIME,     false, 0, 0,  NULL,        NULL },
	{ "map",      FIELD_MAP,      false, 0, 0,  NULL,        NULL },
	{ "object",   FIELD_OBJECT,   false, 0, 0,  NULL,        &inner },
	{ "fixed",    FIELD_FIXED,    false, 0, 0,  "is fixed.", NULL },
	{ NULL,       FIELD_FIXED,    false, 0, 0,  NULL,        NULL },
	/* clang-format on */
};

static const struct form all = { all_fields, no_rules };

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new(1000000);
	return 0;
}

static void
check_in(const struct form *form, enum fields_use use, const char *path,
    const char *text)
{
	char problem[JSON_PROBLEM_MAX];
	struct json *value = json_read(text, strlen(text), problem);
	const struct fields fields = { arena, use, path, &problems };

	assert_non_null(value);
	problems = (struct fields_problems){ .count = 0 };
	fields_check(&fields, form, value);
	json_free(value);
}

static void
check(const char *text)
{
	check_in(&all, FIELDS_NEW, "", text);
}

static void
assert_problem(int at, const char *field, const char *words)
{
	assert_true(at < problems.count);
	assert_string_equal(problems.kept[at].field, field);
	assert_non_null(strstr(problems.kept[at].message, words));
}

static void
takes_what_each_kind_allows(void **state)
{
	static const char *const good[] = { "{}",
		"{\"text\":\"\xc3\xa4\xc3\xa4\"}",
		"{\"text\":null,\"map\":null,\"object\":null}",
		"{\"code\":\"1Z-9aB\"}", "{\"capitals\":\"USD\"}",
		"{\"id\":\"shp_0123abCD\"}", "{\"key\":\"adr_0123abCD\"}",
		"{\"key\":\"01a20f1e-5962-7000-8cd9-47d48A490546\"}",
		"{\"word\":\"one\"}", "{\"word\":\"other\"}",
		"{\"money\":\"0\"}", "{\"money\":\"123456789012.12345\"}",
		"{\"number\":0.0001}", "{\"number\":10}", "{\"count\":1}",
		"{\"count\":10}", "{\"flag\":false}",
		"{\"time\":\"2024-02-29\"}",
		"{\"time\":\"2026-11-21T09:37:10.5+02:00\"}",
		"{\"map\":{\"any\":[1,{}]}}", "{\"object\":{\"must\":\"x\"}}" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		check(good[i]);
		if (problems.total != 0)
			fail_msg("%s: %s", good[i], problems.kept[0].message);
	}
}

static void
names_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *field, *words;
	} bad[] = {
		{ "{\"text\":\"a\"}", "text", "2 to 4 characters" },
		{ "{\"text\":\"abcde\"}", "text", "2 to 4 characters" },
		{ "{\"text\":\"a\\u0001\"}", "text", "control" },
		{ "{\"text\":\"a\\u007f\"}", "text", "control" },
		{ "{\"text\":12}", "text", "must be a text" },
		{ "{\"code\":\"a\"}", "code", "2 to 6 letters" },
		{ "{\"code\":\"1234567\"}", "code", "2 to 6 letters" },
		{ "{\"code\":\"a b\"}", "code", "2 to 6 letters" },
		{ "{\"code\":\"\xc3\xa4\xc3\xa4\"}", "code", "2 to 6 letters" },
		{ "{\"code\":[]}", "code", "2 to 6 letters" },
		{ "{\"capitals\":\"usd\"}", "capitals", "3 capital" },
		{ "{\"capitals\":\"US\"}", "capitals", "3 capital" },
		{ "{\"capitals\":\"USDX\"}", "capitals", "3 capital" },
		{ "{\"id\":\"adr_0123abCD\"}", "id", "shp_" },
		{ "{\"id\":\"shp_\"}", "id", "shp_" },
		{ "{\"id\":\"shp_0123-bCD\"}", "id", "shp_" },
		{ "{\"id\":\"shp_0123456789012345678901234567890123456789"
		  "01234567890123456789012345678901234567890123456789\"}",
		    "id", "shp_" },
		{ "{\"key\":\"01a20f1e-5962-7000-8cd9-47d48a49054\"}", "key",
		    "UUID" },
		{ "{\"key\":\"01a20f1e-5962-7000-8cd9-47d48a4905467\"}", "key",
		    "UUID" },
		{ "{\"key\":\"01a20f1e059620700008cd9047d48a490546\"}", "key",
		    "UUID" },
		{ "{\"key\":\"\"}", "key", "UUID" },
		{ "{\"word\":\"on\"}", "word", "one other" },
		{ "{\"word\":\"one other\"}", "word", "one other" },
		{ "{\"word\":\"\"}", "word", "one other" },
		{ "{\"money\":1.5}", "money", "decimal string" },
		{ "{\"money\":\"-1\"}", "money", "not negative" },
		{ "{\"money\":\"1.\"}", "money", "decimal string" },
		{ "{\"money\":\".5\"}", "money", "decimal string" },
		{ "{\"money\":\"1e3\"}", "money", "decimal string" },
		{ "{\"money\":\"1,5\"}", "money", "decimal string" },
		{ "{\"money\":\"1234567890123\"}", "money", "12 digits" },
		{ "{\"money\":\"1.123456\"}", "money", "5 behind" },
		{ "{\"money\":\"1.2x\"}", "money", "decimal string" },
		{ "{\"money\":\"NaN\"}", "money", "decimal string" },
		{ "{\"number\":0}", "number", "above 0" },
		{ "{\"number\":-1}", "number", "above 0" },
		{ "{\"number\":1e-300}", "number", "above 0" },
		{ "{\"number\":10.1}", "number", "to 10" },
		{ "{\"number\":\"1\"}", "number", "must be a number" },
		{ "{\"count\":0}", "count", "from 1 to 10" },
		{ "{\"count\":11}", "count", "from 1 to 10" },
		{ "{\"count\":2.5}", "count", "whole" },
		{ "{\"count\":9223372036854775807}", "count", "to 10" },
		{ "{\"flag\":\"true\"}", "flag", "true or false" },
		{ "{\"flag\":1}", "flag", "true or false" },
		{ "{\"time\":\"2026-02-29\"}", "time", "RFC 3339" },
		{ "{\"time\":\"2026-02-28T01:02:03 02:00\"}", "time",
		    "RFC 3339" },
		{ "{\"time\":\"yesterday\"}", "time", "RFC 3339" },
		{ "{\"time\":\"infinity\"}", "time", "RFC 3339" },
		{ "{\"time\":1732441030}", "time", "RFC 3339" },
		{ "{\"map\":[]}", "map", "object" },
		{ "{\"object\":\"x\"}", "object", "object" },
		{ "{\"object\":{}}", "object.must", "required" },
		{ "{\"object\":{\"must\":null}}", "object.must", "required" },
		{ "{\"object\":{\"must\":\"x\",\"b\":1}}", "object.b",
		    "Allowed: must." },
		{ "{\"fixed\":1}", "fixed", "is fixed." },
		{ "{\"fixed\":null}", "fixed", "is fixed." },
		{ "{\"nothing\":1}", "nothing", "not known" },
		{ "[]", "", "must be an object" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		check(bad[i].text);
		if (problems.total != 1)
			fail_msg("%s: %d", bad[i].text, problems.total);
		assert_problem(0, bad[i].field, bad[i].words);
	}
}

static void
tells_the_allowed_names_but_not_the_fixed_ones(void **state)
{
	(void)state;
	check("{\"nothing\":1}");
	assert_non_null(strstr(problems.kept[0].message, "map, object."));
	assert_null(strstr(problems.kept[0].message, "fixed"));
}

static void
puts_the_path_before_the_name(void **state)
{
	(void)state;
	check_in(&all, FIELDS_NEW, "[3]", "{\"count\":0,\"object\":{}}");
	assert_int_equal(problems.total, 2);
	assert_problem(0, "[3].count", "whole");
	assert_problem(1, "[3].object.must", "required");
}

static void
a_patch_may_leave_out_but_not_remove_what_is_required(void **state)
{
	(void)state;
	check_in(&inner, FIELDS_PATCH, "", "{}");
	assert_int_equal(problems.total, 0);
	check_in(&inner, FIELDS_PATCH, "", "{\"must\":null}");
	assert_problem(0, "must", "may not be removed");
	check_in(&all, FIELDS_PATCH, "", "{\"text\":null}");
	assert_int_equal(problems.total, 0);
}

static void
rules_tie_members_together(void **state)
{
	static const struct rule rules[] = {
		{ RULE_ONE_OF, "text code", NULL, NULL, "one of" },
		{ RULE_NOT_BOTH, "id", "key", NULL, "not both" },
		{ RULE_NEEDS, "money number", "capitals", NULL, "needs" },
		{ RULE_NEEDS, "time", "word", "one", "needs one" },
		{ RULE_ONE_OF, NULL, NULL, NULL, NULL },
	};
	static const struct form form = { all_fields, rules };

	(void)state;
	check_in(&form, FIELDS_NEW, "", "{\"code\":\"abc\"}");
	assert_int_equal(problems.total, 0);
	check_in(&form, FIELDS_NEW, "", "{\"code\":null}");
	assert_problem(0, "text", "one of");
	check_in(&form, FIELDS_NEW, "",
	    "{\"text\":\"abc\",\"id\":\"shp_01234567\","
	    "\"key\":\"adr_01234567\"}");
	assert_int_equal(problems.total, 1);
	assert_problem(0, "id", "not both");
	check_in(&form, FIELDS_NEW, "", "{\"text\":\"abc\",\"number\":1}");
	assert_int_equal(problems.total, 1);
	assert_problem(0, "capitals", "needs");
	check_in(&form, FIELDS_NEW, "",
	    "{\"text\":\"abc\",\"number\":1,\"capitals\":\"USD\"}");
	assert_int_equal(problems.total, 0);
	check_in(&form, FIELDS_NEW, "",
	    "{\"text\":\"abc\",\"time\":\"2026-01-01\",\"word\":\"other\"}");
	assert_problem(0, "word", "needs one");
	check_in(&form, FIELDS_PATCH, "", "{\"number\":1}");
	assert_int_equal(problems.total, 0);
}

static void
keeps_a_hundred_and_counts_all(void **state)
{
	char text[4000] = "{";
	size_t length = 1;

	(void)state;
	for (int i = 0; i < FIELDS_PROBLEMS_MAX + 50; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length,
		    "%s\"n%d\":1", i == 0 ? "" : ",", i);
	(void)snprintf(text + length, sizeof(text) - length, "}");
	check(text);
	assert_int_equal(problems.count, FIELDS_PROBLEMS_MAX);
	assert_int_equal(problems.total, FIELDS_PROBLEMS_MAX + 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_each_kind_allows),
		cmocka_unit_test(names_what_is_wrong),
		cmocka_unit_test(
		    tells_the_allowed_names_but_not_the_fixed_ones),
		cmocka_unit_test(puts_the_path_before_the_name),
		cmocka_unit_test(
		    a_patch_may_leave_out_but_not_remove_what_is_required),
		cmocka_unit_test(rules_tie_members_together),
		cmocka_unit_test(keeps_a_hundred_and_counts_all),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
