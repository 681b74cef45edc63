/*
 * Monotonic time: see clock.h for the promises.
 *
 * Leaves the wall clock to those who write dates.  A kernel without a monotonic
 * clock is a panic: no deadline would hold.
 */
#include "shared/clock.h"

#include "shared/log.h"

#include <limits.h>
#include <time.h>

int64_t
clock_us(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		log_panic("clock.monotonic", "the clock cannot be read");
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
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
	/* Written so that no deadline overflows: now is never negative. */
	if (deadline_ms > INT_MAX && deadline_ms - INT_MAX > now_ms)
		return INT_MAX;
	return (int)(deadline_ms - now_ms);
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
