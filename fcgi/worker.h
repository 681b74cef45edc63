/*
 * The life of a worker: accept, route, answer, until told to stop.
 */
#ifndef WAYBILL_WORKER_H
#define WAYBILL_WORKER_H

#include "shared/conf.h"
#include "shared/pool.h"
#include "shared/scoreboard.h"

struct worker_start {
	const struct conf *conf;
	const struct pool *pool;
	struct scoreboard *scoreboard;
	int slot;
	int listen_fd;
	int busy_fd; /* one byte here wakes the supervisor: nobody is idle */
};

/* Runs in the child until SIGTERM, the last request of its life, or the death
 * of its parent; returns the exit status. */
int worker_run(const struct worker_start *);

#endif
