/*
 * What several processes know together of something that does not answer: a fuse
 * in shared memory.
 *
 * It blows after some failures in a row.  Then one process at a time looks whether
 * the thing is back; a success mends it.
 */
#ifndef WAYBILL_FUSE_H
#define WAYBILL_FUSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Zeroed: whole. */
struct fuse {
	_Atomic int32_t failures;   /* in a row */
	_Atomic int64_t look_at_ms; /* clock_ms() of the next look; 0: whole */
};

bool fuse_is_blown(const struct fuse *);

/* Notes a success; true when it mended the fuse. */
bool fuse_note_success(struct fuse *);

/* Notes a failure; true when the fuse blew with it, being the `most`th.  The
 * next look is due in `look_ms`. */
bool fuse_note_failure(struct fuse *, int most, int look_ms);

/* True for one process when a look is due since `since_ms`: it looks, and notes
 * what came of it within `most_ms`; should it die, another looks then. */
bool fuse_takes_turn(struct fuse *, int since_ms, int most_ms);

#endif
