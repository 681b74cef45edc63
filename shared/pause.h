/*
 * Growing pauses between attempts at something that is away.
 */
#ifndef WAYBILL_PAUSE_H
#define WAYBILL_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

enum { PAUSE_FIRST_MS = 100, PAUSE_LONGEST_MS = 1000 };

/* All zero: nothing has failed. */
struct pause {
	int64_t length_ms;
	int64_t until_ms;
};

/* False while it is too early for another attempt. */
bool pause_is_over(const struct pause *);

/* An attempt failed: the next pause begins, twice as long as the last. */
void pause_begin(struct pause *);

/* An attempt succeeded. */
void pause_end(struct pause *);

#endif
