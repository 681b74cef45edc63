/*
 * Memory of one request: zeroed, aligned, bounded, given back at once.
 */
#include "shared/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* The exit status of a process that takes `first` and then `second` bytes. */
static int
status_of_taking(size_t first, size_t second)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)close(STDERR_FILENO); /* keeps the test's output clean */
		(void)arena_alloc(arena, first);
		(void)arena_alloc(arena, second);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
passing_the_maximum_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(status_of_taking(1, 1), 0);
	assert_int_equal(status_of_taking(ARENA_BYTES, 1), 1);
	assert_int_equal(status_of_taking(1, ARENA_BYTES), 1);
	assert_int_equal(status_of_taking(1, SIZE_MAX), 1);
	assert_int_equal(status_of_taking(1, SIZE_MAX - 7), 1);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
