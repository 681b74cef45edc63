/*
 * The files of the backup's service: see backup.h.
 */
#include "shared/backup.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

const char *const backup_names[BACKUP_KINDS] = {
	[BACKUP_FULL] = "full",
	[BACKUP_DIFF] = "diff",
};

bool
backup_look(const char *dir, time_t ended[BACKUP_KINDS])
{
	char path[PATH_MAX];
	struct stat status;

	for (int i = 0; i < BACKUP_KINDS; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir,
		    backup_names[i]); /* one that is cut is not there */
		ended[i] = stat(path, &status) == 0 ? status.st_mtime : 0;
	}
	return stat(dir, &status) == 0;
}
