/*
 * Lines from many writers to one reader, through a file that stays small.
 *
 * For what must cost a request nothing and may be lost with the machine: a
 * writer appends with one write(2), never syncs, never waits.  The reader gives
 * the file another name, reads it when its last writer has let go of it, and
 * removes it when the lines are safe elsewhere; a reader that dies in between
 * leaves it for the next one, so a line may be read twice.
 */
#ifndef WAYBILL_LINEFILE_H
#define WAYBILL_LINEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LINEFILE_LINE_MAX = 8192,
	LINEFILE_MAX_BYTES = 16 * 1024 * 1024, /* of the file being written */
};

/* One writer; all but `path` is linefile.c's. */
struct linefile {
	const char *path;
	int fd; /* valid while opened_us is not 0 */
	int64_t opened_us;
	bool is_full;
};

/* Appends the line and its end.  False when it is lost: the file is at its
 * limit, or cannot be written. */
bool linefile_append(struct linefile *, const char *line, size_t bytes)
    __attribute__((warn_unused_result));

/* For lines that another program appends: false when the file is at its limit. */
bool linefile_has_room(const char *path);

/* The reader's first step.  Returns an open file whose writers are done with it
 * and which nobody else reads; -1 when there is none at this moment: the next
 * call may have it, a second later. */
int linefile_begin(const char *path);

typedef bool linefile_function(void *context, const char *line, size_t bytes);

/* Gives each line, zero-terminated, without its end and never empty, to `take`
 * until that returns false; false then, and when the file cannot be read.  What
 * is longer than LINEFILE_LINE_MAX comes as a line of 0 bytes. */
bool linefile_read(int fd, linefile_function *take, void *context)
    __attribute__((warn_unused_result));

/* The last step: removes the file when all of it has been read and its lines
 * are safe, else leaves it for another time. */
void linefile_end(const char *path, int fd, bool is_safe);

#endif
