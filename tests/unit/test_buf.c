/*
 * Bytes that grow: the maximum, failure that stays, the zero byte at the end.
 */
#include "shared/buf.h"
#include "tests/unit/faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

/* What buf.h says must stay true. */
static void
assert_sound(const struct buf *b)
{
	assert_true(b->len <= b->size);
	assert_true(b->size == 0 || b->size - 1 <= b->max);
	if (b->data != NULL)
		assert_int_equal(b->data[b->len], 0);
}

static void
takes_no_memory_before_use(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_sound(&b);
}

static void
adds_text_bytes_and_formats(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_true(buf_add(&b, "a\0b", 3));
	assert_true(buf_add_string(&b, "cd"));
	assert_true(buf_add_byte(&b, 'e'));
	assert_true(buf_addf(&b, "%d-%s", 42, "f"));
	assert_int_equal(b.len, 10);
	assert_memory_equal(b.data, "a\0bcde42-f", 11);
	assert_sound(&b);
	buf_free(&b);
}

static void
adding_nothing_makes_an_empty_string(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	assert_true(buf_add(&b, NULL, 0));
	assert_string_equal(b.data, "");
	assert_sound(&b);
	assert_false(buf_add_byte(&b, 'x'));
	buf_free(&b);
}

static void
fills_to_the_last_byte_and_no_further(void **state)
{
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 300);
	for (i = 0; i < 300; i++) {
		assert_true(buf_add_byte(&b, 'x'));
		assert_sound(&b);
	}
	assert_false(buf_add_byte(&b, 'y'));
	assert_true(b.failed);
	assert_int_equal(b.len, 300);
	assert_int_equal(b.data[299], 'x');
	assert_sound(&b);
	buf_free(&b);
}

static void
failure_keeps_the_content_and_stays_until_reset(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_true(buf_add_string(&b, "abc"));
	assert_false(buf_add_string(&b, "def"));
	assert_false(buf_add_byte(&b, 'd')); /* would fit, but a gap is worse */
	assert_false(buf_addf(&b, "%d", 1));
	assert_null(buf_room(&b, 1));
	assert_string_equal(b.data, "abc");
	buf_reset(&b, 100);
	assert_false(b.failed);
	assert_true(buf_add_string(&b, "defgh"));
	assert_string_equal(b.data, "defgh");
	buf_free(&b);
}

static void
formatting_past_the_maximum_changes_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_true(buf_add_string(&b, "ab"));
	assert_false(buf_addf(&b, "%s", "cdef"));
	assert_string_equal(b.data, "ab");
	assert_sound(&b);
	buf_free(&b);
}

static void
absurd_sizes_fail_without_overflow(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_true(buf_add_string(&b, "a"));
	assert_null(buf_room(&b, SIZE_MAX));
	buf_reset(&b, 16);
	assert_null(buf_room(&b, SIZE_MAX - 1));
	buf_reset(&b, 16);
	assert_true(buf_add_string(&b, "a"));
	assert_null(buf_room(&b, SIZE_MAX / 2));
	assert_string_equal(b.data, "a");
	assert_sound(&b);
	buf_free(&b);
}

static void
room_may_be_used_in_part(void **state)
{
	struct buf b;
	char *room;

	(void)state;
	buf_init(&b, 100);
	assert_true(buf_add_string(&b, "12345678"));
	buf_reset(&b, 100);
	room = buf_room(&b, 8);
	assert_non_null(room);
	memcpy(room, "abc", 3);
	b.len += 3;
	assert_string_equal(b.data, "abc"); /* nothing of the old content */
	assert_sound(&b);
	buf_free(&b);
}

static void
reset_keeps_memory_up_to_the_given_size(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	assert_non_null(buf_room(&b, 50000));
	buf_reset(&b, 1000);
	assert_int_equal(b.size, 1000);
	assert_string_equal(b.data, "");
	assert_sound(&b);
	buf_reset(&b, 2000);
	assert_int_equal(b.size, 1000);
	buf_reset(&b, 0);
	assert_null(b.data);
	assert_int_equal(b.max, 100000);
	assert_true(buf_add_string(&b, "again"));
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(b.max, 100000);
}

static void
memory_that_is_short_changes_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	assert_true(buf_add_string(&b, "abc"));
	fault_arm("realloc", 1, ENOMEM);
	assert_null(buf_room(&b, 50000));
	assert_int_equal(errno, ENOMEM);
	assert_true(fault_disarm());
	assert_true(b.failed);
	assert_string_equal(b.data, "abc");
	assert_sound(&b);
	/* What cannot be given back is kept. */
	buf_reset(&b, 1000);
	assert_non_null(buf_room(&b, 50000));
	fault_arm("realloc", 1, ENOMEM);
	buf_reset(&b, 1000);
	assert_true(fault_disarm());
	assert_true(b.size > 50000);
	assert_string_equal(b.data, "");
	assert_sound(&b);
	buf_free(&b);
}

static void
what_cannot_be_formatted_is_a_failure(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_true(buf_add_string(&b, "abc"));
	assert_false(buf_addf(&b, "%lc", (wint_t)0x7fffffff));
	assert_true(b.failed);
	assert_string_equal(b.data, "abc");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_no_memory_before_use),
		cmocka_unit_test(adds_text_bytes_and_formats),
		cmocka_unit_test(adding_nothing_makes_an_empty_string),
		cmocka_unit_test(fills_to_the_last_byte_and_no_further),
		cmocka_unit_test(
		    failure_keeps_the_content_and_stays_until_reset),
		cmocka_unit_test(formatting_past_the_maximum_changes_nothing),
		cmocka_unit_test(absurd_sizes_fail_without_overflow),
		cmocka_unit_test(room_may_be_used_in_part),
		cmocka_unit_test(reset_keeps_memory_up_to_the_given_size),
		cmocka_unit_test(memory_that_is_short_changes_nothing),
		cmocka_unit_test(what_cannot_be_formatted_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
