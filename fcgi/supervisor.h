/*
 * The supervisor of one pool: starts, counts, signals and buries workers.
 *
 * It parses nothing and holds no connection.  SIGTERM, SIGINT: stop when the
 * last request is answered.  SIGHUP: the new configuration is tested by a child,
 * then the program replaces itself, keeping its process id and its socket, and
 * the workers of the old generation one by one.
 */
#ifndef WAYBILL_SUPERVISOR_H
#define WAYBILL_SUPERVISOR_H

#include "shared/conf.h"
#include "shared/pool.h"

struct supervisor_start {
	const struct conf *conf;
	const struct pool *pool;
	const char *socket_path; /* NULL: of the pool, or systemd's */
	char **argv;             /* to start itself again */
};

/* Returns the exit status. */
int supervisor_run(const struct supervisor_start *);

#endif
