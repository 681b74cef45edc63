/* A file that is replaced is whole, new and nobody else's to read. */
#include "shared/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_BYTES = 64, DIRECTORY_BYTES = 32 };

static char directory[DIRECTORY_BYTES];

static int
make_directory(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof(directory), "/tmp/test_file.XXXXXX");
	return mkdtemp(directory) == NULL;
}

static int
remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static void
name(char path[PATH_BYTES], const char *file)
{
	(void)snprintf(path, PATH_BYTES, "%s/%s", directory, file);
}

static void
assert_content(const char *path, const char *expected)
{
	struct buf content;

	buf_init(&content, 1024);
	assert_true(file_read(path, &content));
	assert_string_equal(content.data, expected);
	buf_free(&content);
}

static void
a_file_is_made_and_replaced(void **state)
{
	char path[PATH_BYTES];
	struct stat status;

	(void)state;
	name(path, "file");
	assert_true(file_replace(path, "first\n", 6));
	assert_content(path, "first\n");
	assert_int_equal(chmod(path, 0644), 0);
	assert_true(file_replace(path, "second", 6));
	assert_content(path, "second");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(unlink(path), 0);
}

static void
what_a_crash_left_is_no_obstacle(void **state)
{
	char path[PATH_BYTES];
	char fresh[PATH_BYTES];

	(void)state;
	name(path, "file");
	name(fresh, "file.new");
	assert_int_equal(symlink("/nowhere/at/all", fresh), 0);
	assert_true(file_replace(path, "x", 1));
	assert_int_equal(access(fresh, F_OK), -1);
	assert_int_equal(unlink(path), 0);
}

static void
what_cannot_be_written_leaves_nothing(void **state)
{
	char path[PATH_BYTES];

	(void)state;
	name(path, "no/file");
	assert_false(file_replace(path, "x", 1));
	assert_int_equal(errno, ENOENT);
	/* A directory cannot be replaced; what was written beside it goes. */
	name(path, "directory");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(file_replace(path, "x", 1));
	assert_int_equal(errno, EISDIR);
	assert_int_equal(rmdir(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_made_and_replaced),
		cmocka_unit_test(what_a_crash_left_is_no_obstacle),
		cmocka_unit_test(what_cannot_be_written_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
