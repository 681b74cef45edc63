#include "shared/clock.h"
#include "shared/fuse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
it_blows_with_the_last_of_some_failures_in_a_row(void **state)
{
	struct fuse fuse = { 0 };

	(void)state;
	assert_false(fuse_note_failure(&fuse, 3, 100));
	assert_false(fuse_note_failure(&fuse, 3, 100));
	assert_false(fuse_note_success(&fuse)); /* nothing to mend */
	assert_false(fuse_note_failure(&fuse, 3, 100));
	assert_false(fuse_note_failure(&fuse, 3, 100));
	assert_false(fuse_is_blown(&fuse));
	assert_true(fuse_note_failure(&fuse, 3, 100));
	assert_true(fuse_is_blown(&fuse));
	assert_false(fuse_note_failure(&fuse, 3, 100)); /* it has blown */
	assert_true(fuse_note_success(&fuse));
	assert_false(fuse_is_blown(&fuse));
	assert_false(fuse_note_success(&fuse));
}

static void
one_at_a_time_looks(void **state)
{
	struct fuse fuse = { 0 };

	(void)state;
	assert_false(fuse_takes_turn(&fuse, 0, 1000)); /* whole */
	assert_true(fuse_note_failure(&fuse, 1, 60000));
	assert_false(fuse_takes_turn(&fuse, 0, 1000)); /* not yet */
	fuse.look_at_ms = clock_ms() - 10;
	assert_false(fuse_takes_turn(&fuse, 1000, 1000)); /* not so long */
	assert_true(fuse_takes_turn(&fuse, 0, 60000));
	assert_false(fuse_takes_turn(&fuse, 0, 60000)); /* somebody has it */
	assert_true(fuse_is_blown(&fuse));
	/* However long it takes, nobody else looks until it has failed. */
	assert_in_range(clock_left_ms(fuse.look_at_ms), 59000, 60000);
	assert_false(fuse_note_failure(&fuse, 1, 100));
	assert_in_range(clock_left_ms(fuse.look_at_ms), 0, 100);
	fuse.look_at_ms = clock_ms() - 2000;
	assert_true(fuse_takes_turn(&fuse, 1000, 60000)); /* he has died */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    it_blows_with_the_last_of_some_failures_in_a_row),
		cmocka_unit_test(one_at_a_time_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
