/*
 * What the pools noted of their requests, into user_activities.
 */
#ifndef WAYBILL_ACTIVITIES_H
#define WAYBILL_ACTIVITIES_H

#include "shared/db.h"

#include <stdbool.h>

/* Takes the files *.activity of the run directory, which the workers write, and
 * of nginx/ below it, which nginx does: one is renamed in one round
 * and brought in a later one.  Lines that the database will never take are
 * logged and skipped.  False when it takes none at the moment; what it may not
 * have taken stays. */
bool activities_bring(
    const char *run_dir, struct db *, bool (*is_stopped)(void));

#endif
