/*
 * The operator's view of a spool: see spoolview.h.
 *
 * A name begins with the microseconds at which its record was kept; beside one
 * that was set aside lies NAME.reason, one line.
 */
#include "shared/spoolview.h"

#include "shared/file.h"
#include "shared/spoolfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REASON_MAX = 256 };

static const char suffix[] = ".reason";

static void
make_path(char path[PATH_MAX], const char *dir, const char *place,
    const char *name, const char *end)
{
	(void)snprintf(path, PATH_MAX, "%s/%s/%s%s", dir, place, name,
	    end); /* fits: conf.c bounds dir, is_name() the name */
}

/* Not what an operator could mean by a name, nor the way out of the spool. */
static bool
is_name(const char *name)
{
	return *name != '\0' && *name != '.' && strchr(name, '/') == NULL &&
	    strlen(name) <= NAME_MAX;
}

/* scandir(3): records only. */
static int
is_record(const struct dirent *entry)
{
	return is_name(entry->d_name) && strstr(entry->d_name, suffix) == NULL;
}

/* The first line of the file beside it; "" when there is none. */
static void
read_reason(const char *dir, const char *name, char reason[REASON_MAX])
{
	char path[PATH_MAX];
	FILE *file;

	*reason = '\0';
	make_path(path, dir, "bad", name, suffix);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	if (fgets(reason, REASON_MAX, file) == NULL)
		*reason = '\0';
	reason[strcspn(reason, "\n")] = '\0';
	(void)fclose(file); /* it was only read */
}

static void
tell(const char *dir, const char *place, const char *name,
    spool_entry_function *each, void *context)
{
	char reason[REASON_MAX] = "";
	char path[PATH_MAX];
	struct stat status;
	struct spool_entry entry = {
		.name = name,
		.is_bad = strcmp(place, "bad") == 0,
		.kept_us = strtoll(name, NULL, 10),
		.reason = reason,
	};

	make_path(path, dir, place, name, "");
	/* One that has just been applied is gone. */
	if (stat(path, &status) != 0)
		return;
	entry.bytes = (long)status.st_size;
	if (entry.is_bad)
		read_reason(dir, name, reason);
	each(context, &entry);
}

bool
spool_list(const char *dir, spool_entry_function *each, void *context)
{
	static const char *const places[] = { "new", "bad" };

	for (int i = 0; i < 2; i++) {
		struct dirent **entries = NULL;
		char path[PATH_MAX];
		int count;

		make_path(path, dir, places[i], "", "");
		count = scandir(path, &entries, is_record, alphasort);
		if (count < 0 && errno != ENOENT)
			return false;
		for (int n = 0; n < count; n++) {
			tell(dir, places[i], entries[n]->d_name, each, context);
			free(entries[n]);
		}
		free(entries);
	}
	return true;
}

static int
open_record(const char *dir, const char *name)
{
	static const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	char path[PATH_MAX];
	int fd;

	if (!is_name(name)) {
		errno = ENOENT;
		return -1;
	}
	make_path(path, dir, "new", name, "");
	fd = open(path, flags);
	if (fd < 0 && errno == ENOENT) {
		make_path(path, dir, "bad", name, "");
		fd = open(path, flags);
	}
	return fd;
}

const char *
spool_read(const char *dir, const char *name, struct buf *content,
    struct spool_record *record)
{
	int fd = open_record(dir, name);
	bool is_read;

	if (fd < 0)
		return errno == ENOENT ? "there is no such record"
				       : strerror(errno);
	is_read = file_read_fd(fd, content);
	file_close(fd);
	return is_read ? spoolfile_parse(content, record) : strerror(errno);
}

static bool
sync_place(const char *dir, const char *place)
{
	char path[PATH_MAX];

	make_path(path, dir, place, "", "");
	return file_sync_directory(AT_FDCWD, path);
}

bool
spool_retry(const char *dir, const char *name)
{
	char from[PATH_MAX];
	char to[PATH_MAX];
	char reason[PATH_MAX];

	if (!is_name(name)) {
		errno = ENOENT;
		return false;
	}
	make_path(from, dir, "bad", name, "");
	make_path(to, dir, "new", name, "");
	make_path(reason, dir, "bad", name, suffix);
	if (rename(from, to) != 0)
		return false;
	/* A reason that stays behind is of nothing. */
	(void)unlink(reason);
	return sync_place(dir, "new") && sync_place(dir, "bad");
}
