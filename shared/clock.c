/*
 * Time: see clock.h for the promises.
 *
 * A kernel without one of the clocks is a panic: no deadline would hold, no date
 * would be true.
 */
#include "shared/clock.h"

#include "shared/log.h"

#include <limits.h>
#include <time.h>

static int64_t
read_us(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) != 0)
		log_panic("clock.read", "the clock cannot be read");
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

int64_t
clock_ms(void)
{
	return clock_us() / 1000;
}

int
clock_left_ms(int64_t deadline_ms)
{
	int64_t now_ms = clock_ms();

	if (deadline_ms <= now_ms)
		return 0;
	/* Nothing overflows: now is never negative. */
	deadline_ms -= now_ms;
	return deadline_ms > INT_MAX ? INT_MAX : (int)deadline_ms;
}

void
clock_wait_until(int64_t moment_ms)
{
	int left_ms = clock_left_ms(moment_ms);
	const struct timespec rest = { .tv_sec = left_ms / 1000,
		.tv_nsec = left_ms % 1000 * 1000000L };

	if (left_ms > 0)
		(void)nanosleep(&rest, NULL);
}
