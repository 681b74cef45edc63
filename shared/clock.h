/*
 * Time, in milliseconds unless a name says otherwise.
 *
 * Durations and deadlines use the monotonic clock only, so that a jump of the
 * wall clock neither expires nor prolongs anything.
 */
#ifndef WAYBILL_CLOCK_H
#define WAYBILL_CLOCK_H

#include <stdint.h>

/* Monotonic milliseconds; comparable between processes of one machine. */
int64_t clock_ms(void);

/* Monotonic microseconds. */
int64_t clock_us(void);

/* Microseconds since 1970, as the wall clock has them: it may jump. */
int64_t clock_wall_us(void);

/* Milliseconds left until `deadline_ms`, never negative, at most INT_MAX: fit
 * for poll(2). */
int clock_left_ms(int64_t deadline_ms);

/* Rests until then; a signal ends it. */
void clock_wait_until(int64_t moment_ms);

#endif
