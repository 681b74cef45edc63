/*
 * The three pools: what tells them apart, as a table.
 *
 * One binary, three supervisors, three sockets: bulkheads, so that a hung
 * EasyPost stops neither webhooks nor reads.
 */
#ifndef WAYBILL_POOL_H
#define WAYBILL_POOL_H

#include "shared/conf.h"

enum pool_id { POOL_READ, POOL_WEBHOOK, POOL_UPSTREAM, POOL_COUNT };

struct pool {
	const char *name;
	int share_percent; /* of WORKERS and of WORKERS_OVERFLOW */
	int statement_ms;  /* limit of a statement of the database */
	int upstream_ms;   /* limit of a call to EasyPost */
	int request_ms;    /* a worker busy for longer is killed */
	int worker_mib;    /* of memory, with the largest there may be */
};

extern const struct pool pools[POOL_COUNT];

/* The pool of this name, or NULL. */
const struct pool *pool_find(const char *name);

/* Its place in the table. */
enum pool_id pool_id(const struct pool *);

/* Workers always running, at least 1; and at most, at least as many. */
int pool_base(const struct pool *, const struct conf *);
int pool_limit(const struct pool *, const struct conf *);

/* Connections to PostgreSQL that this host may open at most; other hosts may
 * share the server.  With a replica those who read have two. */
int pool_connections(const struct conf *);

/* How many more while pools are reloaded: workers that are busy finish what they do
 * beside the new ones. */
int pool_reload_connections(const struct conf *);

/* The memory that all of them may need together. */
long pool_mib(const struct pool *, const struct conf *);

/* "<run_dir>/<name>.sock", ".scoreboard" and ".activity", in memory of the
 * process's life. */
const char *pool_socket_path(const struct pool *, const struct conf *);
const char *pool_scoreboard_path(const struct pool *, const struct conf *);
const char *pool_activity_path(const struct pool *, const struct conf *);

#endif
