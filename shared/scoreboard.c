/*
 * The scoreboard as a file: a header, the counters, then slots of one cache line
 * each.
 *
 * The supervisor makes a new file under the old name, so that workers orphaned
 * by a killed supervisor go on writing to theirs, and readers see the old file
 * or the new one, never a half.  A supervisor that has replaced itself (same
 * process id) takes its own file over, with the slots of its workers.
 * What must stay true: a file never becomes smaller while it has its name, and
 * counters of requests only grow, whoever uses the slot.
 */
#include "shared/scoreboard.h"

#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	MAGIC = 0x57425342, /* "WBSB" */
	LAYOUT = 7,         /* other numbers are other programs' files */
	LINE_BYTES = 64,    /* so that no two workers write to one line */
	SLOTS_MAX = 2047,   /* twice what the configuration allows */
};

struct header {
	uint32_t magic;
	uint32_t layout;
	_Atomic int32_t pid; /* of the supervisor */
	_Atomic int32_t slots;
	_Atomic int32_t base;
	_Atomic int32_t limit;
	int64_t started_s;  /* since 1970 */
	int64_t started_ms; /* clock_ms(): no jump of the time of day */
};

union line {
	_Alignas(LINE_BYTES) struct header header;
	struct slot slot;
	struct scoreboard_fuses fuses;
};

/* The mapping is always of this size; the file behind it ends after its last
 * slot. */
struct scoreboard {
	union line first; /* the header */
	union line fuses;
	_Alignas(LINE_BYTES) struct counters counters;
	union line slots[SLOTS_MAX];
};

_Static_assert(sizeof(union line) == LINE_BYTES, "a slot is one line");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
    "other processes read what we write");

static size_t
size_of(int slots)
{
	return offsetof(struct scoreboard, slots) +
	    (size_t)slots * sizeof(union line);
}

static void
give_up(const char *path, const char *what)
{
	log_event(LOG_CRITICAL, "scoreboard.failed", LOG_TEXT("path", path),
	    LOG_TEXT("reason", what), LOG_TEXT("error", strerror(errno)));
	exit(EXIT_FAILURE);
}

static bool
is_whole(int fd)
{
	struct header header;
	struct stat status;

	return pread(fd, &header, sizeof(header), 0) == sizeof(header) &&
	    header.magic == MAGIC && header.layout == LAYOUT &&
	    header.slots >= 0 && header.slots <= SLOTS_MAX &&
	    fstat(fd, &status) == 0 &&
	    status.st_size >= (off_t)size_of(header.slots);
}

/* NULL when the file is not a scoreboard. */
static struct scoreboard *
map(int fd, int protection)
{
	void *memory = MAP_FAILED;

	if (is_whole(fd))
		memory = mmap(NULL, sizeof(struct scoreboard), protection,
		    MAP_SHARED, fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

/* The file that this very process made before it replaced itself, or NULL. */
static struct scoreboard *
take_over(const char *path, int slots)
{
	struct scoreboard *board;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return NULL;
	board = map(fd, PROT_READ | PROT_WRITE);
	if (board != NULL &&
	    (board->first.header.pid != getpid() ||
		(scoreboard_slots(board) < slots &&
		    posix_fallocate(fd, 0, (off_t)size_of(slots)) != 0))) {
		scoreboard_close(board);
		board = NULL;
	}
	(void)close(fd); /* a mapping does not need it */
	if (board != NULL && scoreboard_slots(board) < slots)
		board->first.header.slots = slots;
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
			.started_s = (int64_t)time(NULL),
			.started_ms = clock_ms(),
		},
	};
	char made[PATH_MAX];
	int fd;

	(void)snprintf(made, sizeof(made), "%s.new", path); /* see conf.c */
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
	return board;
}

struct scoreboard *
scoreboard_create(const char *path, int slots)
{
	struct scoreboard *board;

	if (slots > SLOTS_MAX)
		log_panic("scoreboard.failed", "more slots than it can have");
	board = take_over(path, slots);
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
	if (board != NULL && kill(board->first.header.pid, 0) != 0 &&
	    errno == ESRCH) {
		scoreboard_close(board);
		return NULL;
	}
	return board;
}

void
scoreboard_close(const struct scoreboard *board)
{
	void *memory;

	/* The view of a reader is const; what munmap(2) takes is not. */
	memcpy(&memory, &board, sizeof(memory));
	(void)munmap(memory, sizeof(*board)); /* was mapped with this size */
}

int
scoreboard_slots(const struct scoreboard *board)
{
	return board->first.header.slots;
}

struct slot *
scoreboard_slot(struct scoreboard *board, int index)
{
	return &board->slots[index].slot;
}

struct counters *
scoreboard_counters(struct scoreboard *board)
{
	return &board->counters;
}

const struct counters *
scoreboard_read_counters(const struct scoreboard *board)
{
	return &board->counters;
}

struct scoreboard_fuses *
scoreboard_fuses(struct scoreboard *board)
{
	return &board->fuses.fuses;
}

void
scoreboard_set_size(struct scoreboard *board, int base, int limit)
{
	board->first.header.base = base;
	board->first.header.limit = limit;
}

struct scoreboard_sum
scoreboard_sum(const struct scoreboard *board)
{
	const struct header *header = &board->first.header;
	struct scoreboard_sum sum = {
		.started_s = header->started_s,
		.uptime_s = (clock_ms() - header->started_ms) / 1000,
		.base = header->base,
		.limit = header->limit,
		.is_breaker_open = fuse_is_blown(&board->fuses.fuses.database),
		.is_easypost_down = fuse_is_blown(&board->fuses.fuses.easypost),
	};
	int i;

	for (i = 0; i < header->slots; i++) {
		const struct slot *slot = &board->slots[i].slot;

		sum.idle += slot->state == SLOT_IDLE;
		sum.busy += slot->state == SLOT_BUSY;
		sum.starting += slot->state == SLOT_STARTING;
		sum.stopping += slot->state == SLOT_STOPPING;
		sum.exporting +=
		    slot->state == SLOT_BUSY && slot->is_exporting != 0;
		sum.connected += slot->is_connected != 0;
		sum.requests += slot->requests;
		sum.errors += slot->errors;
	}
	return sum;
}
