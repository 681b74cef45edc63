/*
 * Whole files: see file.h for the promises.
 *
 * For configuration, secrets, spool records and SQL files; never for anything
 * from the network.
 */
#include "shared/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STEP_BYTES = 16384 };

ssize_t
file_read_some(int fd, void *room, size_t bytes)
{
	ssize_t n;

	do
		n = read(fd, room, bytes);
	while (n < 0 && errno == EINTR);
	return n;
}

/* True at the end of the file; else false with errno. */
static bool
is_at_end(int fd)
{
	char excess;
	ssize_t n = file_read_some(fd, &excess, 1);

	if (n > 0)
		errno = EFBIG;
	return n == 0;
}

bool
file_read_fd(int fd, struct buf *content)
{
	while (content->len < content->max) {
		size_t left = content->max - content->len;
		size_t bytes = left < STEP_BYTES ? left : STEP_BYTES;
		char *room = buf_room(content, bytes);
		ssize_t n;

		if (room == NULL)
			return false;
		n = file_read_some(fd, room, bytes);
		if (n <= 0)
			return n == 0;
		content->len += (size_t)n;
	}
	return is_at_end(fd);
}

bool
file_read(const char *path, struct buf *content)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool is_read;

	if (fd < 0)
		return false;
	is_read = file_read_fd(fd, content);
	file_close(fd);
	return is_read;
}

bool
file_write(int fd, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes > 0) {
		ssize_t n = write(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

void
file_close(int fd)
{
	int saved_errno = errno;

	(void)close(fd); /* nothing was left for it to write */
	errno = saved_errno;
}

void
file_remove(int at, const char *path)
{
	int saved_errno = errno;

	(void)unlinkat(at, path, 0); /* the caller has failed already */
	errno = saved_errno;
}

bool
file_sync(int fd)
{
	while (fsync(fd) != 0)
		if (errno != EINTR)
			return false;
	return true;
}

bool
file_sync_directory(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_synced;

	if (fd < 0)
		return false;
	is_synced = file_sync(fd);
	file_close(fd);
	return is_synced;
}

bool
file_finish(int fd, bool is_written)
{
	if (!is_written || !file_sync(fd)) {
		file_close(fd);
		return false;
	}
	return close(fd) == 0;
}

/* A name is on the disk when its directory is. */
static bool
sync_directory_of(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return file_sync_directory(AT_FDCWD, ".");
	(void)snprintf(directory, sizeof(directory), "%.*s",
	    (int)(slash - path) + 1, path); /* fits: shorter than the path */
	return file_sync_directory(AT_FDCWD, directory);
}

bool
file_replace(const char *path, const void *data, size_t bytes)
{
	char fresh[PATH_MAX];
	size_t length = (size_t)snprintf(fresh, sizeof(fresh), "%s.new", path);
	int fd;

	if (length >= sizeof(fresh)) {
		errno = ENAMETOOLONG;
		return false;
	}
	(void)unlink(fresh); /* what a crash left, or nothing */
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	if (!file_finish(fd, file_write(fd, data, bytes)) ||
	    rename(fresh, path) != 0) {
		file_remove(AT_FDCWD, fresh);
		return false;
	}
	return sync_directory_of(path);
}
