/* A file that is replaced is whole, new and nobody else's to read. */
#include "shared/file.h"
#include "tests/unit/faults.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

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

/* Its directory is the one that one stands in. */
static void
a_name_without_a_directory_is_replaced(void **state)
{
	int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(chdir(directory), 0);
	assert_true(file_replace("file", "here", 4));
	assert_content("file", "here");
	assert_int_equal(unlink("file"), 0);
	assert_int_equal(fchdir(before), 0);
	assert_int_equal(close(before), 0);
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

static void
what_fails_leaves_the_file_as_it_was(void **state)
{
	static const struct {
		const char *call;
		int error;
	} failures[] = { { "write", ENOSPC }, { "fsync", EIO },
		{ "close", EDQUOT }, { "rename", EACCES } };

	char path[PATH_BYTES];
	char fresh[PATH_BYTES];

	(void)state;
	name(path, "file");
	name(fresh, "file.new");
	assert_true(file_replace(path, "before", 6));
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		fault_arm(failures[i].call, 1, failures[i].error);
		assert_false(file_replace(path, "after", 5));
		assert_int_equal(errno, failures[i].error);
		assert_content(path, "before");
		assert_int_equal(access(fresh, F_OK), -1);
	}
	/* The name may be lost with the power: not for the caller to believe. */
	fault_arm("fsync", 2, EIO);
	assert_false(file_replace(path, "after", 5));
	assert_int_equal(errno, EIO);
	fault_arm("openat", 1, EMFILE);
	assert_false(file_replace(path, "after", 5));
	assert_int_equal(errno, EMFILE);
	assert_int_equal(unlink(path), 0);
}

static void
what_is_interrupted_goes_on(void **state)
{
	char path[PATH_BYTES];

	(void)state;
	name(path, "file");
	fault_arm("write", 1, EINTR);
	assert_true(file_replace(path, "whole", 5));
	assert_content(path, "whole");
	fault_arm("write", 1, 0);
	assert_true(file_replace(path, "whole too", 9));
	assert_content(path, "whole too");
	fault_arm("fsync", 1, EINTR);
	assert_true(file_replace(path, "whole too", 9));
	fault_arm("read", 1, EINTR);
	assert_content(path, "whole too");
	fault_arm("read", 1, 0);
	assert_content(path, "whole too");
	assert_int_equal(unlink(path), 0);
}

static void
what_cannot_be_read_whole_is_not_read(void **state)
{
	char path[PATH_BYTES];
	struct buf content;

	(void)state;
	name(path, "file");
	assert_true(file_replace(path, "12345678", 8));
	buf_init(&content, 1024);
	fault_arm("read", 2, EIO);
	assert_false(file_read(path, &content));
	assert_int_equal(errno, EIO);
	buf_free(&content);
	/* As long as may be, whether the end is seen at once or not; longer. */
	buf_init(&content, 8);
	fault_arm("read", 2, EINTR);
	assert_true(file_read(path, &content));
	buf_free(&content);
	buf_init(&content, 7);
	assert_false(file_read(path, &content));
	assert_int_equal(errno, EFBIG);
	buf_free(&content);
	/* It cannot be known whether that was the end. */
	buf_init(&content, 8);
	fault_arm("read", 2, EIO);
	assert_false(file_read(path, &content));
	assert_int_equal(errno, EIO);
	buf_free(&content);
	buf_init(&content, 1024);
	fault_arm("realloc", 1, ENOMEM);
	assert_false(file_read(path, &content));
	assert_int_equal(errno, ENOMEM);
	buf_free(&content);
	assert_int_equal(unlink(path), 0);
}

static void
a_path_that_is_too_long_is_refused(void **state)
{
	static char path[PATH_MAX];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	assert_false(file_replace(path, "x", 1));
	assert_int_equal(errno, ENAMETOOLONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_made_and_replaced),
		cmocka_unit_test(a_name_without_a_directory_is_replaced),
		cmocka_unit_test(what_a_crash_left_is_no_obstacle),
		cmocka_unit_test(what_cannot_be_written_leaves_nothing),
		cmocka_unit_test(what_fails_leaves_the_file_as_it_was),
		cmocka_unit_test(what_is_interrupted_goes_on),
		cmocka_unit_test(what_cannot_be_read_whole_is_not_read),
		cmocka_unit_test(a_path_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
