/*
 * Growing and shrinking, without processes and clocks.
 *
 * Short requests make "nobody is idle" true for an instant all the time; so a
 * report is believed only when it is still true a little later, and after one
 * that is not, none is read for a while.
 */
#include "fcgi/growth.h"

#include <limits.h>

enum {
	BELIEVE_MS = 5, /* a report that is still true then */
	DEAF_MS = 100,
	STEP_MOST = 16,        /* workers at once */
	STEP_FORGET_MS = 1000, /* after that growth begins with one again */
	SAMPLE_MS = 1000,      /* how often the idle are counted */
	SAMPLE_LATE_MS = 2000, /* we have not been asked since */
	SHRINK_AFTER_MS = 10000,
};

static int
least(int a, int b)
{
	return a < b ? a : b;
}

static void
ask_again(int64_t *next_ms, int64_t at_ms)
{
	if (at_ms < *next_ms)
		*next_ms = at_ms;
}

void
growth_report(struct growth *growth, int64_t now_ms)
{
	if (growth->report_ms == 0)
		growth->report_ms = now_ms;
}

bool
growth_is_deaf(const struct growth *growth, int64_t now_ms)
{
	return growth->report_ms != 0 || now_ms < growth->deaf_ms;
}

static void
begin_window(struct growth *growth, int64_t now_ms)
{
	growth->window_ms = now_ms;
	growth->sample_ms = now_ms;
	growth->least_idle = INT_MAX;
}

/* How many to start. */
static int
grow(struct growth *growth, const struct growth_view *view, int64_t now_ms,
    int64_t *next_ms)
{
	if (growth->report_ms == 0)
		return 0;
	if (now_ms - growth->report_ms < BELIEVE_MS || view->starting > 0) {
		ask_again(next_ms, now_ms + BELIEVE_MS);
		return 0;
	}
	growth->report_ms = 0;
	if (view->idle == 0)
		begin_window(growth, now_ms);
	if (view->idle > 0 || view->working >= growth->limit) {
		growth->deaf_ms = now_ms + DEAF_MS;
		return 0;
	}
	growth->step *= 2;
	if (growth->step == 0 || now_ms - growth->grown_ms > STEP_FORGET_MS)
		growth->step = 1;
	growth->step = least(growth->step, STEP_MOST);
	growth->grown_ms = now_ms;
	return least(growth->step, growth->limit - view->working);
}

/* How many to retire. */
static int
shrink(struct growth *growth, const struct growth_view *view, int64_t now_ms,
    int64_t *next_ms)
{
	int surplus;

	if (view->working <= growth->base || view->is_in_change)
		return 0;
	if (now_ms - growth->sample_ms < SAMPLE_MS) {
		ask_again(next_ms, growth->sample_ms + SAMPLE_MS);
		return 0;
	}
	/* The last sample may be from before there was a surplus. */
	if (view->idle == 0 || now_ms - growth->sample_ms > SAMPLE_LATE_MS)
		begin_window(growth, now_ms);
	growth->sample_ms = now_ms;
	ask_again(next_ms, now_ms + SAMPLE_MS);
	growth->least_idle = least(growth->least_idle, view->idle);
	if (now_ms - growth->window_ms < SHRINK_AFTER_MS)
		return 0;
	surplus = least(growth->least_idle, view->working - growth->base);
	begin_window(growth, now_ms);
	return surplus;
}

int
growth_decide(struct growth *growth, const struct growth_view *view,
    int64_t now_ms, int64_t *next_ms)
{
	int more = grow(growth, view, now_ms, next_ms);

	if (more == 0)
		more = -shrink(growth, view, now_ms, next_ms);
	if (now_ms < growth->deaf_ms)
		ask_again(next_ms, growth->deaf_ms);
	return more;
}
