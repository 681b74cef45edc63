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

bool
file_read_fd(int fd, struct buf *content)
{
	const size_t step_bytes = 16384;
	ssize_t n;
	char *room;
	char excess;

	for (;;) {
		size_t left = content->max - content->len;
		size_t bytes = left < step_bytes ? left : step_bytes;

		room = buf_room(content, bytes);
		if (room == NULL) {
			errno = ENOMEM;
			return false;
		}
		n = bytes > 0 ? read(fd, room, bytes) : read(fd, &excess, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0 && bytes == 0) {
			errno = EFBIG;
			return false;
		}
		if (n <= 0)
			return n == 0;
		content->len += (size_t)n;
	}
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
