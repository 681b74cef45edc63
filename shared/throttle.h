/*
 * How often a gateway key may ask: one number a key, in memory that all workers of
 * all pools of this host share.
 *
 * The number is the moment at which a key that asked too often would have used up
 * no more than its share (GCRA, the generic cell rate algorithm): a key may ask a
 * whole minute's requests at once, and from then on one as often as its limit
 * allows.  Nothing is waited for and nobody else is asked, so that it holds while
 * the database is away.
 */
#ifndef WAYBILL_THROTTLE_H
#define WAYBILL_THROTTLE_H

#include <stdbool.h>

enum { THROTTLE_WINDOW_S = 60 };

struct throttle;

/* Maps the file for as long as the process lives, and makes it when there is none;
 * fatal when it cannot. */
struct throttle *throttle_open(const char *path);

struct throttle_state {
	bool is_admitted;
	int left;   /* requests that may follow at once */
	int wait_s; /* until one more may, rounded up; at least 1 */
};

/* Counts one request of a key, which is not counted when it is refused. */
struct throttle_state throttle_ask(
    struct throttle *, const char *key_id, int per_minute);

#endif
