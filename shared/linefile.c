/*
 * Lines from many writers to one reader: see linefile.h for the promises.
 *
 * A writer keeps the file open for HOLD_US only and then looks anew which file
 * has the name; the reader renames, and waits until nobody has written for
 * SETTLED_US.  So nobody writes into a file that is being read, and no lock is
 * needed between the two.  While a renamed file waits no other one is renamed:
 * there are never more than two, each of them bounded.
 * What must stay true: a line that was cut by a full disk does not spoil the
 * next one, which begins with a line end of its own.
 */
#include "shared/linefile.h"

#include "shared/clock.h"
#include "shared/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	HOLD_US = 200 * 1000,
	SETTLED_US = 1000 * 1000,
	CHUNK_BYTES = 64 * 1024,
};

static const char waiting_suffix[] = ".waiting";

/*
 * Writing.
 */

static bool
is_open(struct linefile *file)
{
	int64_t now_us = clock_us();
	struct stat status;

	if (file->opened_us != 0 && now_us - file->opened_us < HOLD_US)
		return true;
	if (file->opened_us != 0)
		(void)close(file->fd); /* every write was looked at */
	file->opened_us = 0;
	file->fd = open(file->path,
	    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	if (file->fd < 0)
		return false;
	file->opened_us = now_us;
	file->is_full = fstat(file->fd, &status) != 0 ||
	    status.st_size >= LINEFILE_MAX_BYTES;
	return true;
}

bool
linefile_append(struct linefile *file, const char *line, size_t bytes)
{
	static char line_end[] = "\n";
	void *text;
	const struct iovec parts[] = { { line_end, 1 }, { NULL, bytes },
		{ line_end, 1 } };
	struct iovec vector[3];

	if (bytes == 0 || bytes > LINEFILE_LINE_MAX || !is_open(file) ||
	    file->is_full)
		return false;
	memcpy(&text, &line, sizeof(text)); /* writev(2) only reads */
	memcpy(vector, parts, sizeof(vector));
	vector[1].iov_base = text;
	/* One call, so that the lines of several writers never mix. */
	return writev(file->fd, vector, 3) == (ssize_t)bytes + 2;
}

bool
linefile_has_room(const char *path)
{
	struct stat status;

	return stat(path, &status) != 0 || status.st_size < LINEFILE_MAX_BYTES;
}

/*
 * Reading.
 */

/* The name under which the file waits for its reader; false: too long. */
static bool
make_waiting(const char *path, char waiting[PATH_MAX])
{
	return (size_t)snprintf(
		   waiting, PATH_MAX, "%s%s", path, waiting_suffix) < PATH_MAX;
}

static int64_t
microseconds(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000;
}

/* Renaming and writing both set the time of change.  One in the future was
 * set before the clock was set back. */
static bool
is_settled(const struct stat *status)
{
	int64_t age_us = clock_wall_us() - microseconds(&status->st_ctim);

	return age_us >= SETTLED_US || age_us < 0;
}

int
linefile_begin(const char *path)
{
	char waiting[PATH_MAX];
	struct stat status;
	int fd;

	if (!make_waiting(path, waiting))
		return -1;
	fd = open(waiting, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		/* Whatever came of it, there is nothing to read yet. */
		(void)renameat2(
		    AT_FDCWD, path, AT_FDCWD, waiting, RENAME_NOREPLACE);
		return -1;
	}
	/* Without a name: another reader has just finished it. */
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &status) == 0 &&
	    S_ISREG(status.st_mode) && status.st_nlink > 0 &&
	    is_settled(&status))
		return fd;
	(void)close(fd); /* it was only looked at */
	return -1;
}

/* What is left of a file while it is read. */
struct chunk {
	char data[CHUNK_BYTES + 1];
	size_t bytes;
	bool is_too_long; /* the line that it begins with */
};

/* Gives one line, whose end has become a zero byte. */
static bool
give(struct chunk *chunk, char *line, size_t bytes, linefile_function *take,
    void *context)
{
	if (chunk->is_too_long || bytes > LINEFILE_LINE_MAX) {
		*line = '\0';
		chunk->is_too_long = false;
		return take(context, line, 0);
	}
	return bytes == 0 || take(context, line, bytes);
}

/* Gives the whole lines of the chunk and keeps the rest. */
static bool
give_lines(struct chunk *chunk, linefile_function *take, void *context)
{
	char *line = chunk->data;
	char *end;

	while ((end = memchr(line, '\n',
		    chunk->bytes - (size_t)(line - chunk->data))) != NULL) {
		*end = '\0';
		if (!give(chunk, line, (size_t)(end - line), take, context))
			return false;
		line = end + 1;
	}
	chunk->bytes -= (size_t)(line - chunk->data);
	memmove(chunk->data, line, chunk->bytes);
	if (chunk->bytes > LINEFILE_LINE_MAX) {
		chunk->bytes = 0;
		chunk->is_too_long = true;
	}
	return true;
}

bool
linefile_read(int fd, linefile_function *take, void *context)
{
	struct chunk chunk = { .bytes = 0 };

	for (;;) {
		ssize_t n = file_read_some(
		    fd, chunk.data + chunk.bytes, CHUNK_BYTES - chunk.bytes);

		if (n < 0)
			return false;
		if (n == 0)
			break;
		chunk.bytes += (size_t)n;
		if (!give_lines(&chunk, take, context))
			return false;
	}
	/* What has no end was cut; it is given for somebody to say so. */
	chunk.data[chunk.bytes] = '\0';
	return (chunk.bytes == 0 && !chunk.is_too_long) ||
	    give(&chunk, chunk.data, chunk.bytes, take, context);
}

void
linefile_end(const char *path, int fd, bool is_safe)
{
	char waiting[PATH_MAX];
	struct stat status;
	off_t at = lseek(fd, 0, SEEK_CUR);

	(void)make_waiting(path, waiting); /* linefile_begin() has seen it */
	/* Somebody who was stopped for long may have written after all: then it
	 * is read again. */
	if (is_safe && fstat(fd, &status) == 0 && status.st_size == at)
		(void)unlink(waiting); /* else it is read again, too */
	(void)close(fd);               /* it was only read from */
}
