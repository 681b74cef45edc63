/*
 * Memory of one request: zeroed, aligned, bounded, given back at once.
 */
#include "shared/arena.h"
#include "tests/unit/ending.h"
#include "tests/unit/faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

enum { ARENA_BYTES = 1024 * 1024 };

/* Arenas live as long as the process: reachable, so that none is a leak. */
static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	if (arena == NULL)
		arena = arena_new(ARENA_BYTES);
	arena_reset(arena);
	return 0;
}

static void
pieces_are_zeroed_and_aligned(void **state)
{
	size_t bytes;

	(void)state;
	for (bytes = 0; bytes < 200; bytes++) {
		unsigned char *piece = arena_alloc(arena, bytes);
		size_t i;

		assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
		for (i = 0; i < bytes; i++)
			assert_int_equal(piece[i], 0);
		memset(piece, 0xff, bytes);
	}
}

static void
pieces_are_zeroed_again_after_a_reset(void **state)
{
	unsigned char *piece;

	(void)state;
	memset(arena_alloc(arena, 100), 0xff, 100);
	arena_reset(arena);
	piece = arena_alloc(arena, 100);
	assert_int_equal(piece[0], 0);
	assert_int_equal(piece[99], 0);
}

static void
pieces_do_not_overlap(void **state)
{
	enum { PIECES = 500, PIECE_BYTES = 700 };

	unsigned char *pieces[PIECES];
	int i;

	(void)state;
	for (i = 0; i < PIECES; i++) {
		pieces[i] = arena_alloc(arena, PIECE_BYTES);
		memset(pieces[i], i % 251, PIECE_BYTES);
	}
	for (i = 0; i < PIECES; i++) {
		assert_int_equal(pieces[i][0], i % 251);
		assert_int_equal(pieces[i][PIECE_BYTES - 1], i % 251);
	}
}

static void
copies_end_in_a_zero_byte(void **state)
{
	char *copy;

	(void)state;
	copy = arena_copy(arena, "a\0bc", 3);
	assert_memory_equal(copy, "a\0b", 4);
	assert_string_equal(arena_copy(arena, "", 0), "");
	assert_string_equal(arena_copy(arena, NULL, 0), "");
}

static void
formats_text_of_any_length(void **state)
{
	static char text[100001];
	char *copy;

	(void)state;
	assert_string_equal(arena_printf(arena, "%d:%s", 7, "x"), "7:x");
	assert_string_equal(arena_printf(arena, "%s", ""), "");
	memset(text, 'y', sizeof(text) - 1);
	copy = arena_printf(arena, "<%s>", text);
	assert_int_equal(strlen(copy), sizeof(text) + 1);
}

static void
the_whole_maximum_can_be_had_after_each_reset(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_non_null(arena_alloc(arena, ARENA_BYTES / 2));
		assert_non_null(arena_alloc(arena, ARENA_BYTES / 2));
		arena_reset(arena);
	}
}

static void
take_all_and_one(void *bytes)
{
	(void)arena_alloc(arena, 1);
	(void)arena_alloc(arena, *(const size_t *)bytes);
}

static void
passing_the_maximum_ends_the_process(void **state)
{
	static const size_t sizes[] = { ARENA_BYTES - 16, ARENA_BYTES, SIZE_MAX,
		SIZE_MAX - 7 };

	(void)state;
	(void)arena_alloc(arena, 1);
	(void)arena_alloc(arena, ARENA_BYTES - 16); /* fits */
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t bytes = sizes[i];

		assert_ends(take_all_and_one, &bytes, false,
		    "<2>arena.limit reason=\"a request needs too much "
		    "memory\"");
	}
}

static void
take_the_whole_address_space(void *context)
{
	(void)context;
	(void)arena_alloc(arena_new(SIZE_MAX), SIZE_MAX / 2 + 1);
}

static void
begin_without_memory(void *call)
{
	fault_arm(call, 1, ENOMEM);
	(void)arena_new(1);
}

static void
format_badly(void *context)
{
	(void)context;
	(void)arena_printf(arena, "%lc", (wint_t)0x7fffffff);
}

static void
what_cannot_be_had_ends_the_process(void **state)
{
	char calloc_name[] = "calloc";
	char malloc_name[] = "malloc";

	(void)state;
	assert_ends(
	    take_the_whole_address_space, NULL, false, "<2>arena.limit ");
	assert_ends(begin_without_memory, calloc_name, false,
	    "<2>arena.memory reason=\"out of memory\"");
	assert_ends(begin_without_memory, malloc_name, false,
	    "<2>arena.memory reason=\"out of memory\"");
	assert_ends(format_badly, NULL, true, "<2>arena.format reason=%lc");
	assert_false(fault_disarm());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(pieces_are_zeroed_and_aligned, set_up),
		cmocka_unit_test_setup(
		    pieces_are_zeroed_again_after_a_reset, set_up),
		cmocka_unit_test_setup(pieces_do_not_overlap, set_up),
		cmocka_unit_test_setup(copies_end_in_a_zero_byte, set_up),
		cmocka_unit_test_setup(formats_text_of_any_length, set_up),
		cmocka_unit_test_setup(
		    the_whole_maximum_can_be_had_after_each_reset, set_up),
		cmocka_unit_test_setup(
		    passing_the_maximum_ends_the_process, set_up),
		cmocka_unit_test_setup(
		    what_cannot_be_had_ends_the_process, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
