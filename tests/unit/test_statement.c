/*
 * Texts and names of prepared statements, and what a failed one calls for.
 */
#include "shared/sqlstate.h"
#include "shared/statement.h"
#include "tests/unit/ending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
a_call_is_written_with_its_values(void **state)
{
	char sql[STATEMENT_SQL_MAX];

	(void)state;
	statement_call("api.health", 0, sql);
	assert_string_equal(sql, "select * from api.health()");
	statement_call("api.shipment", 2, sql);
	assert_string_equal(sql, "select * from api.shipment($1, $2)");
}

static void
the_longest_call_fits(void **state)
{
	char function[STATEMENT_FUNCTION_MAX];
	char sql[STATEMENT_SQL_MAX];

	(void)state;
	memset(function, 'x', sizeof(function) - 1);
	function[sizeof(function) - 1] = '\0';
	statement_call(function, STATEMENT_VALUES_MAX, sql);
	assert_string_equal(sql + strlen(sql) - 5, " $24)");
}

struct wrong_call {
	const char *function;
	int count;
};

static void
write_call(void *context)
{
	const struct wrong_call *call = context;
	char sql[STATEMENT_SQL_MAX];

	statement_call(call->function, call->count, sql);
}

static void
what_is_no_call_never_reaches_the_server(void **state)
{
	static char longer[STATEMENT_FUNCTION_MAX + 1];
	struct wrong_call calls[] = { { "api.a; drop table b", 0 },
		{ "api.\"a\"", 0 }, { "api.a", -1 },
		{ "api.a", STATEMENT_VALUES_MAX + 1 }, { longer, 0 } };

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		assert_ends(write_call, &calls[i], true,
		    "<2>database.call reason=\"not the name of a function\"");
}

static void
a_statement_is_known_by_its_text(void **state)
{
	struct statements statements = { .count = 0 };
	char first[STATEMENT_NAME_MAX];
	char name[STATEMENT_NAME_MAX];

	(void)state;
	assert_false(statement_find(&statements, "select a", first));
	statement_add(&statements, "select a");
	assert_true(statement_find(&statements, "select a", name));
	assert_string_equal(name, first);
	assert_false(statement_find(&statements, "select b", name));
	assert_string_not_equal(name, first);
	statement_forget(&statements);
	assert_false(statement_find(&statements, "select a", name));
}

static void
what_does_not_fit_the_table_is_unnamed(void **state)
{
	struct statements statements = { .count = 0 };
	char sql[STATEMENT_SQL_MAX + 1];
	char name[STATEMENT_NAME_MAX];

	(void)state;
	for (int i = 0; i < STATEMENTS_MAX; i++) {
		assert_true(snprintf(sql, sizeof(sql), "select %d", i) > 0);
		assert_false(statement_find(&statements, sql, name));
		assert_string_not_equal(name, "");
		statement_add(&statements, sql);
	}
	assert_true(statement_find(&statements, "select 63", name));
	assert_false(statement_find(&statements, "select 64", name));
	assert_string_equal(name, "");
	statement_add(&statements, "select 64");
	assert_false(statement_find(&statements, "select 64", name));
}

static void
what_is_too_long_to_be_kept_is_unnamed(void **state)
{
	struct statements statements = { .count = 0 };
	char sql[STATEMENT_SQL_MAX + 1];
	char name[STATEMENT_NAME_MAX];

	(void)state;
	memset(sql, 'x', sizeof(sql));
	sql[STATEMENT_SQL_MAX] = '\0';
	assert_false(statement_find(&statements, sql, name));
	assert_string_equal(name, "");
	sql[STATEMENT_SQL_MAX - 1] = '\0';
	assert_false(statement_find(&statements, sql, name));
	assert_string_not_equal(name, "");
	statement_add(&statements, sql);
	assert_true(statement_find(&statements, sql, name));
}

static void
only_what_may_help_is_tried_again(void **state)
{
	static const char *const hopeless[] = { "", "22P02", "23505", "42501",
		"57014", "PT404", "P0001", "53300" };

	(void)state;
	for (size_t i = 0; i < sizeof(hopeless) / sizeof(*hopeless); i++)
		assert_int_equal(sqlstate_cure(hopeless[i]), SQLSTATE_HOPELESS);
	assert_int_equal(sqlstate_cure("40P01"), SQLSTATE_AS_IT_IS);
	assert_int_equal(sqlstate_cure("0A000"), SQLSTATE_NEW_STATEMENTS);
	/* A view that a deployment dropped from under a running query. */
	assert_int_equal(sqlstate_cure("XX000"), SQLSTATE_NEW_STATEMENTS);
	assert_int_equal(sqlstate_cure("25006"), SQLSTATE_NEW_CONNECTION);
}

static void
a_refused_value_is_not_logged(void **state)
{
	(void)state;
	assert_true(sqlstate_is_clients("22P02"));
	assert_true(sqlstate_is_clients("PT404"));
	assert_false(sqlstate_is_clients("42P01"));
	assert_null(strstr(sqlstate_message("22P02", "bad: secret"), "secret"));
	assert_string_equal(sqlstate_message("42P01", "no table"), "no table");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_written_with_its_values),
		cmocka_unit_test(the_longest_call_fits),
		cmocka_unit_test(what_is_no_call_never_reaches_the_server),
		cmocka_unit_test(a_statement_is_known_by_its_text),
		cmocka_unit_test(what_does_not_fit_the_table_is_unnamed),
		cmocka_unit_test(what_is_too_long_to_be_kept_is_unnamed),
		cmocka_unit_test(only_what_may_help_is_tried_again),
		cmocka_unit_test(a_refused_value_is_not_logged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
