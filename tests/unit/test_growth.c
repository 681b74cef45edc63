/*
 * How many workers: up at once, down slowly, never past base and limit.
 */
#include "fcgi/growth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { BASE = 4, LIMIT = 20, BEGIN_MS = 1000000, STEP_MS = 10 };

struct pool_of_numbers {
	struct growth growth;
	struct growth_view view;
	int64_t now_ms;
	int64_t next_ms;
};

static struct pool_of_numbers
make(int working, int idle)
{
	struct pool_of_numbers pool = {
		.growth = { .base = BASE, .limit = LIMIT },
		.view = { .working = working, .idle = idle },
		.now_ms = BEGIN_MS,
	};

	return pool;
}

static int
ask(struct pool_of_numbers *pool)
{
	int more;

	pool->next_ms = INT64_MAX;
	more = growth_decide(
	    &pool->growth, &pool->view, pool->now_ms, &pool->next_ms);
	pool->view.working += more;
	return more;
}

/* Asks as often as it wants to be asked, until this time or a decision. */
static int
ask_until(struct pool_of_numbers *pool, int64_t end_ms)
{
	int more;

	do {
		more = ask(pool);
		pool->now_ms = pool->next_ms < end_ms ? pool->next_ms : end_ms;
	} while (more == 0 && pool->now_ms < end_ms);
	return more;
}

static void
nothing_happens_without_a_report(void **state)
{
	struct pool_of_numbers pool = make(BASE, 0);

	(void)state;
	assert_int_equal(ask(&pool), 0);
	assert_true(pool.next_ms == INT64_MAX);
	assert_false(growth_is_deaf(&pool.growth, pool.now_ms));
}

static void
grows_faster_and_faster_up_to_the_limit(void **state)
{
	static const int steps[] = { 1, 2, 4, 8, 1 };
	struct pool_of_numbers pool = make(BASE, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		growth_report(&pool.growth, pool.now_ms);
		assert_int_equal(ask(&pool), 0);
		pool.now_ms += STEP_MS;
		assert_int_equal(ask(&pool), steps[i]);
	}
	assert_int_equal(pool.view.working, LIMIT);
	growth_report(&pool.growth, pool.now_ms);
	pool.now_ms += STEP_MS;
	assert_int_equal(ask(&pool), 0);
	assert_true(growth_is_deaf(&pool.growth, pool.now_ms));
}

static void
begins_with_one_after_a_pause(void **state)
{
	struct pool_of_numbers pool = make(BASE, 0);

	(void)state;
	for (int i = 0; i < 3; i++) {
		growth_report(&pool.growth, pool.now_ms);
		pool.now_ms += STEP_MS;
		assert_int_equal(ask(&pool), 1);
		pool.now_ms += 2000;
	}
}

static void
does_not_believe_what_is_over(void **state)
{
	struct pool_of_numbers pool = make(BASE, 0);

	(void)state;
	growth_report(&pool.growth, pool.now_ms);
	assert_int_equal(ask(&pool), 0);
	pool.view.idle = 1;
	pool.now_ms += STEP_MS;
	assert_int_equal(ask(&pool), 0);
	assert_true(growth_is_deaf(&pool.growth, pool.now_ms));
	pool.now_ms = pool.next_ms;
	assert_false(growth_is_deaf(&pool.growth, pool.now_ms));
}

static void
waits_for_those_that_start(void **state)
{
	struct pool_of_numbers pool = make(BASE, 0);

	(void)state;
	pool.view.starting = 1;
	growth_report(&pool.growth, pool.now_ms);
	pool.now_ms += STEP_MS;
	assert_int_equal(ask(&pool), 0);
	pool.view.starting = 0;
	pool.now_ms = pool.next_ms;
	assert_int_equal(ask(&pool), 1);
}

static void
shrinks_to_the_base_when_nobody_was_needed(void **state)
{
	struct pool_of_numbers pool = make(LIMIT, LIMIT);

	(void)state;
	assert_int_equal(
	    ask_until(&pool, BEGIN_MS + 9000), 0); /* not before 10 s */
	assert_int_equal(ask_until(&pool, BEGIN_MS + 13000), BASE - LIMIT);
	assert_int_equal(pool.view.working, BASE);
	assert_int_equal(ask(&pool), 0);
	assert_true(pool.next_ms == INT64_MAX);
}

static void
keeps_those_that_were_needed_once(void **state)
{
	struct pool_of_numbers pool = make(LIMIT, LIMIT);

	(void)state;
	assert_int_equal(ask_until(&pool, BEGIN_MS + 5000), 0);
	pool.view.idle = 3;
	assert_int_equal(ask_until(&pool, BEGIN_MS + 7000), 0);
	pool.view.idle = LIMIT;
	assert_int_equal(ask_until(&pool, BEGIN_MS + 13000), -3);
}

static void
does_not_shrink_while_a_generation_is_replaced(void **state)
{
	struct pool_of_numbers pool = make(LIMIT, LIMIT);

	(void)state;
	pool.view.is_in_change = true;
	assert_int_equal(ask_until(&pool, BEGIN_MS + 60000), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_happens_without_a_report),
		cmocka_unit_test(grows_faster_and_faster_up_to_the_limit),
		cmocka_unit_test(begins_with_one_after_a_pause),
		cmocka_unit_test(does_not_believe_what_is_over),
		cmocka_unit_test(waits_for_those_that_start),
		cmocka_unit_test(shrinks_to_the_base_when_nobody_was_needed),
		cmocka_unit_test(keeps_those_that_were_needed_once),
		cmocka_unit_test(
		    does_not_shrink_while_a_generation_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
