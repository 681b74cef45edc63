/*
 * Who asks a server that is away again and again slows both down: one attempt,
 * then a pause that doubles up to a limit; one success forgets it all.
 */
#include "shared/pause.h"
#include "shared/clock.h"

bool
pause_is_over(const struct pause *pause)
{
	return clock_left_ms(pause->until_ms) == 0;
}

void
pause_begin(struct pause *pause)
{
	pause->length_ms *= 2;
	if (pause->length_ms == 0)
		pause->length_ms = PAUSE_FIRST_MS;
	if (pause->length_ms > PAUSE_LONGEST_MS)
		pause->length_ms = PAUSE_LONGEST_MS;
	pause->until_ms = clock_ms() + pause->length_ms;
}

void
pause_end(struct pause *pause)
{
	*pause = (struct pause){ 0, 0 };
}
