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

/* True at the end of the file; else false with errno. */
static bool
is_at_end(int fd)
{
	char excess;
	ssize_t n;

	do
		n = read(fd, &excess, 1);
	while (n < 0 && errno == EINTR);
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

		if (room == NULL) {
			errno = ENOMEM;
			return false;
		}
		n = read(fd, room, bytes);
		if (n < 0 && errno == EINTR)
			continue;
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
	int saved_errno;

	if (fd < 0)
		return false;
	is_read = file_read_fd(fd, content);
	saved_errno = errno;
	(void)close(fd); /* it was only read from */
	errno = saved_errno;
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

/* A name is on the disk when its directory is. */
static bool
sync_directory_of(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	bool is_synced;
	int fd;

	(void)snprintf(directory, sizeof(directory), "%.*s",
	    slash == NULL ? 1 : (int)(slash - path) + 1,
	    slash == NULL ? "." : path); /* fits: shorter than the path */
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	is_synced = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		(void)close(fd); /* it was only a place to stand on */
	return is_synced;
}

bool
file_replace(const char *path, const void *data, size_t bytes)
{
	char fresh[PATH_MAX];
	int length = snprintf(fresh, sizeof(fresh), "%s.new", path);
	bool is_written;
	int saved_errno;
	int fd;

	if (length < 0 || (size_t)length >= sizeof(fresh)) {
		errno = ENAMETOOLONG;
		return false;
	}
	(void)unlink(fresh); /* what a crash left, or nothing */
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	is_written = file_write(fd, data, bytes) && fsync(fd) == 0;
	saved_errno = errno;
	if (close(fd) != 0 && is_written) {
		is_written = false;
		saved_errno = errno;
	}
	if (is_written && rename(fresh, path) == 0)
		return sync_directory_of(path);
	if (is_written)
		saved_errno = errno;
	(void)unlink(fresh); /* nothing of ours stays */
	errno = saved_errno;
	return false;
}
