/*
 * Who is busy since when: shared memory, one slot a worker, and the counters of
 * the pool.
 *
 * A file in the run directory, mapped by the supervisor of the pool and its
 * workers for writing and by the other pools for reading.  A slot is written by
 * its owner only, but for what the supervisor sets before the worker starts and
 * after it is dead.  Fields are lock-free atomics; a reader may see a slot
 * between two stores and must not mind.
 */
#ifndef WAYBILL_SCOREBOARD_H
#define WAYBILL_SCOREBOARD_H

#include "shared/counters.h"
#include "shared/fuse.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum slot_state {
	SLOT_FREE,
	SLOT_STARTING,
	SLOT_IDLE,
	SLOT_BUSY,
	SLOT_STOPPING,
};

struct slot {
	_Atomic int32_t pid;
	_Atomic int32_t state;
	_Atomic int32_t generation;   /* of the supervisor that started it */
	_Atomic int32_t is_connected; /* to the database */
	_Atomic int64_t started_ms;
	_Atomic int64_t busy_since_ms; /* clock_ms(); 0 while idle */
	_Atomic int64_t requests;
	_Atomic int64_t errors; /* answers with status 500 and more */
	_Atomic int32_t
	    is_exporting; /* a whole list; counts while it is busy */
};

/* Of what the whole pool needs. */
struct scoreboard_fuses {
	struct fuse database;
	struct fuse easypost;
	_Atomic int64_t backlog_at_ms; /* clock_ms() at which an idle worker
	                                  looks for work put off */
};

struct scoreboard;

/* Makes or takes over the file and maps it for writing; fatal when it cannot. */
struct scoreboard *scoreboard_create(const char *path, int slots);

/* Maps the scoreboard of another pool for reading; NULL when there is none. */
const struct scoreboard *scoreboard_open(const char *path);

/* Unmaps it; the file stays. */
void scoreboard_close(const struct scoreboard *);

/* How many slots it has, and one of them: 0 to scoreboard_slots() - 1. */
int scoreboard_slots(const struct scoreboard *);
struct slot *scoreboard_slot(struct scoreboard *, int index);

/* The counters of the pool; they survive workers and slots. */
struct counters *scoreboard_counters(struct scoreboard *);
const struct counters *scoreboard_read_counters(const struct scoreboard *);

struct scoreboard_fuses *scoreboard_fuses(struct scoreboard *);

/* What /health and /metrics tell of a pool. */
struct scoreboard_sum {
	int64_t started_s; /* of the supervisor, in seconds since 1970 */
	int64_t uptime_s;  /* whatever the time of day did since then */
	int base;
	int limit;
	int idle;
	int busy;
	int starting;
	int stopping;
	int exporting;
	int connected;
	int is_breaker_open;
	int is_easypost_down;
	int64_t requests;
	int64_t errors;
};

/* Notes for /health how many workers the pool may have. */
void scoreboard_set_size(struct scoreboard *, int base, int limit);

/* Adds the slots up, as they are at this moment. */
struct scoreboard_sum scoreboard_sum(const struct scoreboard *);

#endif
