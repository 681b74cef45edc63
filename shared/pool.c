/*
 * The three pools as a table, and what follows from it and the configuration.
 *
 * What must stay true: deadlines nest, so that the inner one speaks first:
 * statement < worker < nginx, and EasyPost's 50 s < worker 55 s < nginx 58 s <
 * the 60 s of the official clients.  All bases together never pass WORKERS, nor
 * all limits WORKERS + WORKERS_OVERFLOW (each pool has one worker at least, and
 * WORKERS is at least 3).
 */
#include "shared/pool.h"

#include <stdio.h>
#include <string.h>

enum {
	/* waybill jobs, refresh, reconcile or backfill, and one by hand */
	OTHER_CONNECTIONS = 4,
	OTHER_MIB = 64,   /* the supervisor, and what is noted in /run */
	PATH_BYTES = 128, /* conf.c bounds run_dir */
};

/* clang-format off */
const struct pool pools[POOL_COUNT] = {
	/*                 name        share %  statement  upstream  request, ms   MiB */
	[POOL_READ]     = { "read",     30,       5000,         0,    15000,       64 },
	[POOL_WEBHOOK]  = { "webhook",  20,       3000,         0,     5000,        8 },
	[POOL_UPSTREAM] = { "upstream", 50,       3000,     50000,    55000,      160 },
};

/* clang-format on */

const struct pool *
pool_find(const char *name)
{
	int i;

	for (i = 0; i < POOL_COUNT; i++)
		if (strcmp(pools[i].name, name) == 0)
			return &pools[i];
	return NULL;
}

enum pool_id
pool_id(const struct pool *pool)
{
	return (enum pool_id)(pool - pools);
}

int
pool_base(const struct pool *pool, const struct conf *conf)
{
	int share = conf->workers * pool->share_percent / 100;

	return share < 1 ? 1 : share;
}

int
pool_limit(const struct pool *pool, const struct conf *conf)
{
	return pool_base(pool, conf) +
	    conf->workers_overflow * pool->share_percent / 100;
}

int
pool_connections(const struct conf *conf)
{
	int sum = OTHER_CONNECTIONS;

	for (int i = 0; i < POOL_COUNT; i++)
		sum += pool_limit(&pools[i], conf);
	/* The replica may be of the same server. */
	if (*conf->secrets.database_read_url != '\0')
		sum += pool_limit(&pools[POOL_READ], conf);
	return sum;
}

int
pool_reload_connections(const struct conf *conf)
{
	return pool_connections(conf) - OTHER_CONNECTIONS;
}

long
pool_mib(const struct pool *pool, const struct conf *conf)
{
	return OTHER_MIB + (long)pool_limit(pool, conf) * pool->worker_mib;
}

static const char *
make_path(char made[POOL_COUNT][PATH_BYTES], const struct pool *pool,
    const struct conf *conf, const char *suffix)
{
	char *path = made[pool_id(pool)];

	(void)snprintf(path, PATH_BYTES, "%s/%s.%s", conf->run_dir, pool->name,
	    suffix); /* fits */
	return path;
}

const char *
pool_socket_path(const struct pool *pool, const struct conf *conf)
{
	static char made[POOL_COUNT][PATH_BYTES];

	return make_path(made, pool, conf, "sock");
}

const char *
pool_scoreboard_path(const struct pool *pool, const struct conf *conf)
{
	static char made[POOL_COUNT][PATH_BYTES];

	return make_path(made, pool, conf, "scoreboard");
}

const char *
pool_activity_path(const struct pool *pool, const struct conf *conf)
{
	static char made[POOL_COUNT][PATH_BYTES];

	return make_path(made, pool, conf, "activity");
}
