/*
 * The workers of one pool, as their supervisor sees them.
 *
 * Starts them, tells them to stop, kills those that are past their deadline,
 * buries the dead, and slows the next start down when they die young.  How many
 * there should be is the supervisor's business.
 */
#ifndef WAYBILL_CREW_H
#define WAYBILL_CREW_H

#include "shared/conf.h"
#include "shared/pool.h"
#include "shared/scoreboard.h"

#include <stdbool.h>
#include <stdint.h>

struct crew;

struct crew_options {
	const struct conf *conf;
	const struct pool *pool;
	struct scoreboard *scoreboard;
	int listen_fd;
	int report_fd; /* for the workers to write to */
};

struct crew_count {
	int all;      /* also those that were told to stop */
	int working;  /* not told to stop: the next three */
	int starting; /* not ready yet */
	int idle;
	int busy;
	int old; /* working, but of an earlier generation */
};

/* Finds the workers that this process had before it replaced itself. */
struct crew *crew_new(const struct crew_options *);

/* Starts one.  False when it cannot be done now: the brake is on, no process
 * can be made, or all slots are taken. */
bool crew_start(struct crew *);

/* clock_ms() at which the brake lets the next one start; 0: at once. */
int64_t crew_next_start_ms(const struct crew *);

/* Tells one worker to stop: one of an earlier generation, or an idle one.
 * False when there is none. */
bool crew_retire_old(struct crew *);
bool crew_retire_idle(struct crew *);

/* Tells all to stop. */
void crew_retire_all(struct crew *);

/* Buries the dead. */
void crew_bury(struct crew *);

/* Tells those again that were told to stop and are still there; kills those
 * that are past their deadline.  Returns the clock_ms() at which that has to
 * be done again. */
int64_t crew_enforce(struct crew *);

/* How many there are, as of now, and what they do. */
struct crew_count crew_count(const struct crew *);

#endif
