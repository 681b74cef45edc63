/*
 * Settings of PostgreSQL by rules, from what a machine has.
 *
 * For a machine that PostgreSQL shares with nginx and the workers.  All sizes are
 * KiB; a value is written as the server's SHOW would write it.
 */
#ifndef WAYBILL_TUNING_H
#define WAYBILL_TUNING_H

#include <stdbool.h>
#include <stdint.h>

enum {
	TUNING_MB = 1024,
	TUNING_GB = 1024 * TUNING_MB,
	TUNING_LINES_MAX = 48,
	TUNING_VALUE_MAX = 160,
};

struct tuning_line {
	const char *name;
	const char *why; /* for a comment, more lines with their "# " */
	char value[TUNING_VALUE_MAX];
	char running[TUNING_VALUE_MAX]; /* of the server; "": not known */
	bool needs_restart;
};

/* The caller sets the first part, the rest is zero. */
struct tuning {
	int64_t memory;
	int cores;
	int workers;
	int connections; /* that may work at once */
	int more;        /* and those that only wait, or end, at a reload */
	bool is_disk;

	int64_t share; /* of the memory, for PostgreSQL */
	int64_t most;  /* of the share, once for each connection */
	struct tuning_line lines[TUNING_LINES_MAX];
	int count;
};

/* Divides the memory and makes the lines. */
void tuning_make(struct tuning *);

/* The line of a setting, or NULL. */
struct tuning_line *tuning_find(struct tuning *, const char *name);

#endif
