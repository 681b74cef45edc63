/*
 * When PostgreSQL was last backed up, by what waybill-backup@.service leaves when it
 * has succeeded: an empty file of the kind's name, whose time is that.
 */
#ifndef WAYBILL_BACKUP_H
#define WAYBILL_BACKUP_H

#include <stdbool.h>
#include <time.h>

enum backup_kind { BACKUP_FULL, BACKUP_DIFF, BACKUP_KINDS };

extern const char *const backup_names[BACKUP_KINDS]; /* the service's: "full" */

/* When the last one of each kind succeeded; 0: none has.  False when the service
 * was never started here. */
bool backup_look(const char *dir, time_t ended[BACKUP_KINDS])
    __attribute__((warn_unused_result));

#endif
