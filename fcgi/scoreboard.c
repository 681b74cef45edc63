/*
 * The scoreboard as a file: a header, then slots of one cache line each.
 *
 * The supervisor makes a new file under the old name, so that workers orphaned
 * by a killed supervisor go on writing to theirs, and readers see the old file
 * or the new one, never a half.  A supervisor that has replaced itself (same
 * process id) takes its own file over, with the slots of its workers.
 * What must stay true: a file never becomes smaller while it has its name, and
 * counters of requests only grow, whoever uses the slot.
 */
#include "fcgi/scoreboard.h"

#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAGIC = 0x57425342, /* "WBSB" */
	LAYOUT = 1,         /* other numbers are other programs' files */
	LINE_BYTES = 64,    /* so that no two workers write to one line */
	SLOTS_MAX = 10000,  /* far above what the configuration allows */
};

struct header {
	uint32_t magic;
	uint32_t layout;
	_Atomic int32_t pid; /* of the supervisor */
	_Atomic int32_t slots;
	_Atomic int32_t base;
	_Atomic int32_t limit;
};

union line {
	struct header header;
	struct slot slot;
	char room[LINE_BYTES];
};

_Static_assert(sizeof(union line) == LINE_BYTES, "a slot is one line");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
    "other processes read what we write");

/* lines[0] is the header, lines[i + 1] the slot i. */
struct scoreboard {
	union line *lines;
	size_t bytes;
};

static size_t
size_of(int slots)
{
	return ((size_t)slots + 1) * sizeof(union line);
}

static void
give_up(const char *path, const char *what)
{
	log_event(LOG_CRITICAL, "scoreboard.failed", LOG_TEXT("path", path),
	    LOG_TEXT("reason", what), LOG_TEXT("error", strerror(errno)));
	exit(EXIT_FAILURE);
}

/* Maps what the file has; NULL when that is not a scoreboard. */
static struct scoreboard *
map(int fd, int protection)
{
	struct scoreboard *board;
	struct stat status;
	union line *lines;

	if (fstat(fd, &status) != 0 || status.st_size < LINE_BYTES)
		return NULL;
	lines =
	    mmap(NULL, (size_t)status.st_size, protection, MAP_SHARED, fd, 0);
	if (lines == MAP_FAILED)
		return NULL;
	board = malloc(sizeof(*board));
	if (board == NULL)
		log_fatal("scoreboard.failed", "out of memory");
	*board = (struct scoreboard){ lines, (size_t)status.st_size };
	if (lines->header.magic == MAGIC && lines->header.layout == LAYOUT &&
	    scoreboard_slots(board) >= 0 &&
	    size_of(scoreboard_slots(board)) <= board->bytes)
		return board;
	scoreboard_close(board);
	return NULL;
}

/* The file that this very process made before it replaced itself, or NULL. */
static struct scoreboard *
take_over(const char *path, int slots)
{
	struct scoreboard *board = NULL;
	struct header header;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return NULL;
	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    header.magic != MAGIC || header.layout != LAYOUT ||
	    header.pid != getpid() || header.slots > SLOTS_MAX)
		goto out;
	if (header.slots > slots)
		slots = header.slots;
	if (ftruncate(fd, (off_t)size_of(slots)) == 0)
		board = map(fd, PROT_READ | PROT_WRITE);
	if (board != NULL)
		board->lines->header.slots = slots;
out:
	(void)close(fd); /* a mapping does not need it */
	return board;
}

/* A new file that takes its name only when it is complete. */
static struct scoreboard *
make(const char *path, int slots)
{
	struct scoreboard *board = NULL;
	union line first = {
		.header = {
			.magic = MAGIC,
			.layout = LAYOUT,
			.pid = getpid(),
			.slots = slots,
		},
	};
	char *made;
	int fd;

	if (asprintf(&made, "%s.new", path) < 0)
		log_fatal("scoreboard.failed", "out of memory");
	if (unlink(made) != 0 && errno != ENOENT)
		give_up(made, "cannot remove what is left over");
	fd = open(made, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		give_up(made, "cannot create");
	/* posix_fallocate: no disk is then full under a mapping (SIGBUS). */
	errno = posix_fallocate(fd, 0, (off_t)size_of(slots));
	if (errno == 0 && pwrite(fd, &first, sizeof(first), 0) == sizeof(first))
		board = map(fd, PROT_READ | PROT_WRITE);
	if (board == NULL || rename(made, path) != 0)
		give_up(made, "cannot write");
	(void)close(fd); /* a mapping does not need it */
	free(made);
	return board;
}

struct scoreboard *
scoreboard_create(const char *path, int slots)
{
	struct scoreboard *board = take_over(path, slots);

	return board != NULL ? board : make(path, slots);
}

const struct scoreboard *
scoreboard_open(const char *path)
{
	struct scoreboard *board;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return NULL;
	board = map(fd, PROT_READ);
	(void)close(fd); /* a mapping does not need it */
	/* What a killed supervisor left behind says nothing about now. */
	if (board != NULL && kill(board->lines->header.pid, 0) != 0 &&
	    errno == ESRCH) {
		scoreboard_close(board);
		return NULL;
	}
	return board;
}

void
scoreboard_close(const struct scoreboard *board)
{
	struct scoreboard gone = *board;

	(void)munmap(gone.lines, gone.bytes); /* was mapped with these */
	free((void *)(uintptr_t)board);
}

int
scoreboard_slots(const struct scoreboard *board)
{
	return board->lines->header.slots;
}

struct slot *
scoreboard_slot(struct scoreboard *board, int index)
{
	return &board->lines[index + 1].slot;
}

void
scoreboard_set_size(struct scoreboard *board, int base, int limit)
{
	board->lines->header.base = base;
	board->lines->header.limit = limit;
}

struct scoreboard_sum
scoreboard_sum(const struct scoreboard *board)
{
	const struct header *header = &board->lines->header;
	struct scoreboard_sum sum = {
		.base = header->base,
		.limit = header->limit,
	};
	int slots = header->slots;
	int i;

	/* Another pool's supervisor may have added slots after we mapped. */
	if (size_of(slots) > board->bytes)
		slots = (int)(board->bytes / sizeof(union line)) - 1;
	for (i = 0; i < slots; i++) {
		const struct slot *slot = &board->lines[i + 1].slot;

		sum.idle += slot->state == SLOT_IDLE;
		sum.busy += slot->state == SLOT_BUSY;
		sum.connected += slot->is_connected != 0;
		sum.requests += slot->requests;
		sum.errors += slot->errors;
	}
	return sum;
}
