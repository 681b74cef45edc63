/*
 * The places of rows in lists: where the next page begins.
 */
#include "fcgi/list.h"
#include "tests/unit/made_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct list timed = { .view = "api.rows", .time = "t" };
static const struct list by_id = { .view = "api.rows" };
static const struct list other = {
	.view = "api.rows", .time = "t", .filter = "late"
};

static void
check_place(const struct list *list, const char *id, const char *time,
    const char *expected_id, const char *expected_time)
{
	const struct column columns[] = { { "id", DB_TEXT, id },
		{ "t", DB_TIME, time } };
	const struct db_row row = { columns, 2 };
	struct list_place place = { "", "" };

	list_note(list, &row, &place);
	assert_string_equal(place.id, expected_id);
	assert_string_equal(place.time, expected_time);
}

/* A row without a place ends the walk there: that is better than a wrong one. */
static void
notes_the_place_of_a_row(void **state)
{
	static const char id[] = "01a20f18-e2ca-7a52-a53d-7a937ccc4f98";
	static const char time[] = "2026-11-21 09:37:10.123+00";

	(void)state;
	check_place(&timed, id, time, id, "2026-11-21T09:37:10.123000Z");
	check_place(&by_id, id, time, id, "");
	check_place(&timed, NULL, time, "", "");
	check_place(&timed, id, NULL, "", "");
	check_place(&timed, id, "infinity", "", "");
	check_place(&timed,
	    "01a20f18-e2ca-7a52-a53d-7a937ccc4f98-"
	    "01a20f18-e2ca-7a52-a53d-7a937ccc4f98-"
	    "01a20f18-e2ca-7a52-a53d-7a937ccc4f98",
	    time, "", "");
}

static void
the_order_column_of_other_lists_is_not_shown(void **state)
{
	static const struct column columns[] = { { "id", DB_TEXT, "x" },
		{ "t", DB_TIME, "x" } };
	const struct db_row row = { columns, 2 };

	(void)state;
	assert_int_equal(list_columns(&timed, &row), 2);
	assert_int_equal(list_columns(&other, &row), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes_the_place_of_a_row),
		cmocka_unit_test(the_order_column_of_other_lists_is_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
