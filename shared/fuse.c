/*
 * The fuse: see fuse.h.
 *
 * What must stay true: a blown fuse is always somebody's to mend, for whoever
 * takes the turn to look sets the time of the next one first.
 */
#include "shared/fuse.h"

#include "shared/clock.h"

bool
fuse_is_blown(const struct fuse *fuse)
{
	return fuse->look_at_ms != 0;
}

bool
fuse_note_success(struct fuse *fuse)
{
	/* Mostly there is nothing to write, to a line that all of them read. */
	if (fuse->failures != 0)
		fuse->failures = 0;
	return fuse->look_at_ms != 0 &&
	    atomic_exchange(&fuse->look_at_ms, 0) != 0;
}

bool
fuse_note_failure(struct fuse *fuse, int most, int look_ms)
{
	int64_t look_at_ms = clock_ms() + look_ms;

	if (atomic_fetch_add(&fuse->failures, 1) + 1 < most)
		return false;
	return atomic_exchange(&fuse->look_at_ms, look_at_ms) == 0;
}

bool
fuse_takes_turn(struct fuse *fuse, int since_ms, int most_ms)
{
	int64_t look_at_ms = fuse->look_at_ms;
	int64_t now_ms = clock_ms();

	return look_at_ms != 0 && look_at_ms + since_ms <= now_ms &&
	    atomic_compare_exchange_strong(
		&fuse->look_at_ms, &look_at_ms, now_ms + most_ms);
}
