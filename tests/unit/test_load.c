/* What the pools do is added up from their scoreboards, or not known. */
#include "ctl/load.h"
#include "shared/pool.h"
#include "shared/scoreboard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLOTS = 4 };

static char directory[] = "/tmp/load.XXXXXX";
static const struct conf conf = { .run_dir = directory,
	.workers = 20,
	.secrets = { .database_read_url = "" } };

static void
check_look(const char *expected)
{
	struct buf out;

	buf_init(&out, 1024);
	load_look(&conf, &out);
	assert_string_equal(out.data, expected);
	buf_free(&out);
}

static void
adds_up_who_is_busy(void **state)
{
	static const enum slot_state states[POOL_COUNT][SLOTS] = {
		{ SLOT_BUSY, SLOT_IDLE, SLOT_BUSY, SLOT_FREE },
		{ SLOT_STARTING, SLOT_FREE, SLOT_FREE, SLOT_FREE },
		{ SLOT_BUSY, SLOT_STOPPING, SLOT_FREE, SLOT_FREE },
	};

	(void)state;
	assert_non_null(mkdtemp(directory));
	check_look("\"active_connections\":null,\"db_pool_size\":20,"
		   "\"db_connections_limit\":24");
	for (int i = 0; i < POOL_COUNT; i++) {
		struct scoreboard *board = scoreboard_create(
		    pool_scoreboard_path(&pools[i], &conf), SLOTS);

		for (int slot = 0; slot < SLOTS; slot++)
			scoreboard_slot(board, slot)->state = states[i][slot];
		scoreboard_close(board);
	}
	check_look("\"active_connections\":3,\"db_pool_size\":20,"
		   "\"db_connections_limit\":24");
	for (int i = 0; i < POOL_COUNT; i++)
		assert_int_equal(
		    unlink(pool_scoreboard_path(&pools[i], &conf)), 0);
	assert_int_equal(rmdir(directory), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_up_who_is_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
