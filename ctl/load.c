/*
 * The scoreboards of the pools, added up.
 */
#include "ctl/load.h"
#include "shared/pool.h"
#include "shared/scoreboard.h"

/* False when the pool does not run here. */
static bool
add_busy(const char *path, int *busy)
{
	const struct scoreboard *board = scoreboard_open(path);

	if (board == NULL)
		return false;
	*busy += scoreboard_sum(board).busy;
	scoreboard_close(board);
	return true;
}

void
load_look(const struct conf *conf, struct buf *out)
{
	int size = 0, busy = 0, running = 0;

	for (const struct pool *pool = pools; pool < pools + POOL_COUNT;
	     pool++) {
		running += add_busy(pool_scoreboard_path(pool, conf), &busy);
		size += pool_base(pool, conf);
	}
	if (running > 0)
		(void)buf_addf(out, "\"active_connections\":%d", busy);
	else
		(void)buf_add_string(out, "\"active_connections\":null");
	(void)buf_addf(out, ",\"db_pool_size\":%d,\"db_connections_limit\":%d",
	    size, pool_connections(conf));
}
