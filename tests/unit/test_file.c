/* A file that is replaced is whole, new and nobody else's to read. */
#include "shared/file.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Linked with --wrap (Makefile): calls that fail when they are told to. */
ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);
ssize_t __real_read(int fd, void *data, size_t bytes);
ssize_t __wrap_read(int fd, void *data, size_t bytes);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_close(int fd);
int __wrap_close(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

enum call { NONE, WRITE, READ, FSYNC, CLOSE, RENAME };

static struct {
	enum call call;
	int left; /* calls until it fails, once */
	int error;
	bool is_short; /* takes a byte instead */
} fault;

static bool
is_to_fail(enum call call)
{
	if (fault.call != call || --fault.left != 0)
		return false;
	errno = fault.error;
	return true;
}

static void
fail_once(enum call call, int nth, int error)
{
	fault.call = call;
	fault.left = nth;
	fault.error = error;
	fault.is_short = false;
}

ssize_t
__wrap_write(int fd, const void *data, size_t bytes)
{
	if (is_to_fail(WRITE))
		return fault.is_short ? __real_write(fd, data, 1) : -1;
	return __real_write(fd, data, bytes);
}

ssize_t
__wrap_read(int fd, void *data, size_t bytes)
{
	if (is_to_fail(READ))
		return fault.is_short ? __real_read(fd, data, 1) : -1;
	return __real_read(fd, data, bytes);
}

int
__wrap_fsync(int fd)
{
	return is_to_fail(FSYNC) ? -1 : __real_fsync(fd);
}

/* It is closed all the same (close(2)). */
int
__wrap_close(int fd)
{
	int error = is_to_fail(CLOSE) ? fault.error : 0;
	int result = __real_close(fd);

	if (error == 0)
		return result;
	errno = error;
	return -1;
}

int
__wrap_rename(const char *from, const char *to)
{
	return is_to_fail(RENAME) ? -1 : __real_rename(from, to);
}

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

static void
what_fails_leaves_the_file_as_it_was(void **state)
{
	static const struct {
		enum call call;
		int error;
	} failures[] = { { WRITE, ENOSPC }, { FSYNC, EIO }, { CLOSE, EDQUOT },
		{ RENAME, EACCES } };

	char path[PATH_BYTES];
	char fresh[PATH_BYTES];

	(void)state;
	name(path, "file");
	name(fresh, "file.new");
	assert_true(file_replace(path, "before", 6));
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		fail_once(failures[i].call, 1, failures[i].error);
		assert_false(file_replace(path, "after", 5));
		assert_int_equal(errno, failures[i].error);
		assert_content(path, "before");
		assert_int_equal(access(fresh, F_OK), -1);
	}
	/* The name may be lost with the power: not for the caller to believe. */
	fail_once(FSYNC, 2, EIO);
	assert_false(file_replace(path, "after", 5));
	assert_int_equal(errno, EIO);
	assert_int_equal(unlink(path), 0);
}

static void
what_is_interrupted_goes_on(void **state)
{
	char path[PATH_BYTES];

	(void)state;
	name(path, "file");
	fail_once(WRITE, 1, EINTR);
	assert_true(file_replace(path, "whole", 5));
	assert_content(path, "whole");
	fail_once(WRITE, 1, 0);
	fault.is_short = true;
	assert_true(file_replace(path, "whole too", 9));
	assert_content(path, "whole too");
	fail_once(READ, 1, EINTR);
	assert_content(path, "whole too");
	fail_once(READ, 1, 0);
	fault.is_short = true;
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
	fail_once(READ, 2, EIO);
	assert_false(file_read(path, &content));
	assert_int_equal(errno, EIO);
	buf_free(&content);
	/* As long as may be, whether the end is seen at once or not; longer. */
	buf_init(&content, 8);
	fail_once(READ, 2, EINTR);
	assert_true(file_read(path, &content));
	buf_free(&content);
	buf_init(&content, 7);
	assert_false(file_read(path, &content));
	assert_int_equal(errno, EFBIG);
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
		cmocka_unit_test(what_a_crash_left_is_no_obstacle),
		cmocka_unit_test(what_cannot_be_written_leaves_nothing),
		cmocka_unit_test(what_fails_leaves_the_file_as_it_was),
		cmocka_unit_test(what_is_interrupted_goes_on),
		cmocka_unit_test(what_cannot_be_read_whole_is_not_read),
		cmocka_unit_test(a_path_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
