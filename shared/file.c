/*
 * A whole file into a buf: see file.h for the promises.
 *
 * For configuration, secrets, spool records and SQL files; never for anything
 * from the network.
 */
#include "shared/file.h"

#include <errno.h>
#include <fcntl.h>
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
