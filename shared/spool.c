/*
 * Records on disk until PostgreSQL can take them: see spool.h.
 *
 * A name in new/ is the wall-clock time in microseconds, the pid, a counter and
 * the size, zero-padded: names sort by arrival, and the sizes of all files are
 * known from a listing alone.  What a file holds is spoolfile.c's matter.
 * What must stay true: a record is in new/ whole or not at all, and only the
 * drain takes one away, after it was applied or set aside in bad/.
 */
#include "shared/spool.h"

#include "shared/clock.h"
#include "shared/file.h"
#include "shared/log.h"
#include "shared/spoolfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
	SIZE_DIGITS = 10,
	NAME_BYTES = 16 + 1 + 10 + 1 + 10 + 1 + SIZE_DIGITS,
	NAME_ROOM_BYTES = 64, /* also after the year 2286 */
	PATH_BYTES = sizeof("new/") + 255 + sizeof(".reason"),
	NAMES_MAX_BYTES = 128 * 1024 * 1024, /* two million names */
	CONTENT_KEEP_BYTES = 1024 * 1024,
	DISK_FLOOR_BYTES =
	    64 * 1024 * 1024, /* left for PostgreSQL's recovery */
	COUNT_KEEP_MS = 1000,
	COUNT_SHARE = 20,  /* counting takes a twentieth of the time at most */
	LEFTOVER_S = 3600, /* nobody writes one record for an hour */
};

/* How full new/ is, as counted by this process not long ago. */
static struct {
	dev_t device;
	ino_t inode;
	int64_t valid_until_ms;
	long files;
	long bytes;
} usage;

static int
open_directory(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool
has_directory(int top, const char *name)
{
	return faccessat(top, name, F_OK, 0) == 0;
}

static bool
make_directory(int top, const char *name)
{
	return mkdirat(top, name, 0700) == 0 || errno == EEXIST;
}

/* Makes what is missing.  bad/ comes last: where it is, the names of the others
 * are safe, also when whoever made them failed or died. */
static bool
complete(int top)
{
	if (has_directory(top, "tmp") && has_directory(top, "new") &&
	    has_directory(top, "bad"))
		return true;
	return make_directory(top, "tmp") && make_directory(top, "new") &&
	    file_sync(top) && file_sync_directory(top, "..") &&
	    make_directory(top, "bad");
}

/* Opens the spool, made on first use; -1 with errno. */
static int
open_spool(const char *dir)
{
	int top;

	(void)mkdir(dir, 0700); /* else opening it tells */
	top = open_directory(AT_FDCWD, dir);
	if (top >= 0 && !complete(top)) {
		file_close(top);
		top = -1;
	}
	return top;
}

/*
 * Limits.
 */

/* The size that a name tells; 0 for a name that is not ours. */
static long
size_of_name(const char *name)
{
	if (strlen(name) != NAME_BYTES)
		return 0;
	return strtol(name + NAME_BYTES - SIZE_DIGITS, NULL, 10);
}

/* Calls `each` for every name in a directory of the spool; false with errno. */
static bool
list(int top, const char *name, void (*each)(void *, const char *),
    void *context)
{
	int fd = open_directory(top, name);
	DIR *directory;
	int saved_errno;

	if (fd < 0)
		return false;
	directory = fdopendir(fd);
	if (directory == NULL) {
		file_close(fd);
		return false;
	}
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(directory);
		if (entry == NULL)
			break;
		if (entry->d_name[0] != '.')
			each(context, entry->d_name);
	}
	saved_errno = errno;
	(void)closedir(directory); /* it was only read from */
	errno = saved_errno;
	return errno == 0;
}

static void
count_one(void *context, const char *name)
{
	struct spool_survey *survey = context;
	int64_t us = strtoll(name, NULL, 10); /* a name begins with its time */

	survey->records++;
	survey->bytes += size_of_name(name);
	if (survey->oldest_us == 0 || us < survey->oldest_us)
		survey->oldest_us = us;
}

/* Brings `usage` up to date unless it was counted a moment ago. */
static bool
measure_usage(int top)
{
	int64_t begin_ms = clock_ms();
	struct spool_survey count = { 0 };
	int64_t took_ms;
	struct stat st;

	if (fstat(top, &st) != 0)
		return false;
	if (usage.valid_until_ms > begin_ms && usage.device == st.st_dev &&
	    usage.inode == st.st_ino)
		return true;
	if (!list(top, "new", count_one, &count))
		return false;
	took_ms = clock_ms() - begin_ms;
	usage.device = st.st_dev;
	usage.inode = st.st_ino;
	usage.valid_until_ms = begin_ms + COUNT_KEEP_MS + took_ms * COUNT_SHARE;
	usage.files = count.records;
	usage.bytes = count.bytes;
	return true;
}

static bool
has_room(int top, long max_bytes, long max_files, size_t bytes)
{
	struct statvfs disk;

	if (!measure_usage(top) || fstatvfs(top, &disk) != 0)
		return false;
	if (usage.files >= max_files || (long)bytes > max_bytes ||
	    usage.bytes > max_bytes - (long)bytes) {
		errno = EDQUOT;
		return false;
	}
	if ((uint64_t)disk.f_bavail * disk.f_frsize <
	    DISK_FLOOR_BYTES + bytes) {
		errno = ENOSPC;
		return false;
	}
	return true;
}

bool
spool_has_room(
    const char *dir, long max_bytes, long max_files, size_t body_bytes)
{
	int top = open_spool(dir);
	bool is_good;

	if (top < 0)
		return false;
	is_good = has_room(top, max_bytes, max_files, body_bytes) &&
	    faccessat(top, "new", W_OK | X_OK, AT_EACCESS) == 0 &&
	    faccessat(top, "tmp", W_OK | X_OK, AT_EACCESS) == 0;
	file_close(top);
	return is_good;
}

/* A record, and not the reason beside it. */
static void
count_bad(void *context, const char *name)
{
	struct spool_survey *survey = context;

	survey->bad += strstr(name, ".reason") == NULL;
}

bool
spool_look(const char *dir, struct spool_survey *survey)
{
	int top = open_directory(AT_FDCWD, dir);
	bool is_counted;

	*survey = (struct spool_survey){ 0 };
	if (top < 0)
		return false;
	is_counted = list(top, "new", count_one, survey) &&
	    list(top, "bad", count_bad, survey);
	file_close(top);
	/* Never used: it has no new/ yet. */
	return is_counted || errno == ENOENT;
}

/*
 * Keeping.
 */

/* A name that sorts behind all earlier ones, also when the clock steps back
 * within the life of this process. */
static void
make_name(char name[NAME_ROOM_BYTES], size_t bytes)
{
	static int64_t last_us;
	static unsigned int counter;
	int64_t now_us = clock_wall_us();

	if (now_us <= last_us)
		now_us = last_us + 1;
	last_us = now_us;
	(void)snprintf(name, NAME_ROOM_BYTES, "%016lld-%010d-%010u-%0*u",
	    (long long)now_us, (int)getpid(), counter++, SIZE_DIGITS,
	    (unsigned int)bytes); /* fits */
}

/* A new file with head and body, synced; nothing stays behind on failure. */
static bool
write_file(int top, const char *path, const struct buf *head,
    const struct spool_record *record)
{
	int fd =
	    openat(top, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool is_written;

	if (fd < 0)
		return false;
	is_written = file_finish(fd,
	    file_write(fd, head->data, head->len) &&
		file_write(fd, record->body, record->body_bytes));
	if (!is_written)
		file_remove(top, path);
	return is_written;
}

/* From tmp/ to new/.  When only the last sync fails the record stays in new/:
 * applying one that the caller took for lost does no harm. */
static bool
publish(int top, const char *tmp_path, const char *new_path)
{
	if (renameat(top, tmp_path, top, new_path) != 0) {
		file_remove(top, tmp_path);
		return false;
	}
	return file_sync_directory(top, "new");
}

static bool
keep(int top, const struct buf *head, const struct spool_record *record)
{
	size_t bytes = head->len + record->body_bytes;
	char name[NAME_ROOM_BYTES];
	char tmp_path[PATH_BYTES];
	char new_path[PATH_BYTES];

	make_name(name, bytes);
	/* Never cut: a name is shorter than PATH_BYTES. */
	(void)snprintf(tmp_path, sizeof(tmp_path), "tmp/%s", name);
	(void)snprintf(new_path, sizeof(new_path), "new/%s", name);
	if (!write_file(top, tmp_path, head, record) ||
	    !publish(top, tmp_path, new_path))
		return false;
	usage.files++;
	usage.bytes += (long)bytes;
	return true;
}

bool
spool_keep(const char *dir, long max_bytes, long max_files,
    const struct spool_record *record)
{
	struct buf head;
	bool is_kept = false;
	int top;

	buf_init(&head, SPOOLFILE_MAX_BYTES);
	top = spoolfile_begin(record, &head) ? open_spool(dir) : -1;
	if (top >= 0) {
		is_kept = has_room(top, max_bytes, max_files,
			      head.len + record->body_bytes) &&
		    keep(top, &head, record);
		file_close(top);
	}
	buf_free(&head); /* keeps errno */
	return is_kept;
}

/*
 * Draining.
 */

struct drain {
	int top;
	spool_function *apply;
	void *context;
	int *done;
	struct buf content;
};

/* The name, zero-terminated, behind the others. */
static void
add_name(void *context, const char *name)
{
	(void)buf_add(context, name, strlen(name) + 1); /* looked at later */
}

static int
compare_names(const void *a, const void *b)
{
	const char *first;
	const char *second;

	memcpy(&first, a, sizeof(first));
	memcpy(&second, b, sizeof(second));
	return strcmp(first, second);
}

/* Fills `sorted` with pointers into `names`, which holds those of a directory,
 * oldest first. */
static bool
list_sorted(int top, struct buf *names, struct buf *sorted)
{
	const char *at;

	if (!list(top, "new", add_name, names))
		return false;
	for (at = names->data; at != NULL && at < names->data + names->len;
	     at += strlen(at) + 1)
		(void)buf_add(sorted, &at, sizeof(at)); /* looked at below */
	if (names->failed || sorted->failed) {
		errno = ENOMEM;
		return false;
	}
	if (sorted->len > 0)
		qsort(sorted->data, sorted->len / sizeof(at), sizeof(at),
		    compare_names);
	return true;
}

/* The reason beside the record: for the eye of the operator, so that a failure
 * here does not keep the record from being set aside. */
static void
write_reason(int top, const char *name, const char *reason)
{
	char path[PATH_BYTES];
	int fd;

	(void)snprintf(path, sizeof(path), "bad/%s.reason", name);
	fd = openat(top, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	(void)file_write(fd, reason, strlen(reason)); /* as said above */
	(void)file_write(fd, "\n", 1);
	(void)file_sync(fd);
	file_close(fd);
}

/* A record that can never be applied must not hold up the others. */
static void
set_aside(int top, const char *name, const char *reason)
{
	char new_path[PATH_BYTES];
	char bad_path[PATH_BYTES];

	write_reason(top, name, reason);
	(void)snprintf(new_path, sizeof(new_path), "new/%s", name);
	(void)snprintf(bad_path, sizeof(bad_path), "bad/%s", name);
	if (renameat(top, new_path, top, bad_path) != 0 ||
	    !file_sync_directory(top, "bad") ||
	    !file_sync_directory(top, "new"))
		log_event(LOG_CRITICAL, "spool.set_aside_failed",
		    LOG_TEXT("file", name),
		    LOG_TEXT("reason", strerror(errno)));
	else
		log_event(LOG_ERROR, "spool.set_aside", LOG_TEXT("file", name),
		    LOG_TEXT("reason", reason));
}

/* False with errno when the file cannot be read (now): it stays. */
static bool
read_record(struct drain *d, const char *path)
{
	/* O_NONBLOCK: somebody may have put a fifo there. */
	int fd = openat(
	    d->top, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool is_read;

	if (fd < 0)
		return false;
	buf_reset(&d->content, CONTENT_KEEP_BYTES);
	is_read = file_read_fd(fd, &d->content);
	file_close(fd);
	return is_read;
}

/* Removes an applied record; false with errno. */
static bool
remove_record(struct drain *d, const char *path)
{
	if (unlinkat(d->top, path, 0) != 0 && errno != ENOENT)
		return false;
	(*d->done)++;
	return true;
}

/* One record.  False stops the drain: errno is 0 when the database is away,
 * else it says why. */
static bool
drain_one(struct drain *d, const char *name)
{
	struct spool_record record;
	const char *reason = "the database refused the record";
	const char *damage = NULL;
	char path[PATH_BYTES];

	(void)snprintf(path, sizeof(path), "new/%s", name);
	if (read_record(d, path))
		damage = spoolfile_parse(&d->content, &record);
	else if (errno == EFBIG)
		damage = "the file is too large for a record";
	else {
		log_event(LOG_ERROR, "spool.unreadable", LOG_TEXT("file", name),
		    LOG_TEXT("reason", strerror(errno)));
		return true;
	}
	if (damage != NULL) {
		set_aside(d->top, name, damage);
		return true;
	}
	switch (d->apply(d->context, &record, &reason)) {
	case SPOOL_DONE:
		return remove_record(d, path);
	case SPOOL_BAD:
		set_aside(d->top, name, reason);
		return true;
	case SPOOL_PASS:
		return true;
	case SPOOL_LATER:
		break;
	}
	errno = 0;
	return false;
}

static bool
drain_all(struct drain *d)
{
	struct buf names;
	struct buf sorted;
	bool is_good;
	size_t i;

	buf_init(&names, NAMES_MAX_BYTES);
	buf_init(&sorted, NAMES_MAX_BYTES);
	is_good = list_sorted(d->top, &names, &sorted);
	for (i = 0; is_good && i < sorted.len; i += sizeof(char *)) {
		const char *name;

		memcpy(&name, sorted.data + i, sizeof(name));
		if (!drain_one(d, name)) {
			is_good = errno == 0;
			break;
		}
	}
	buf_free(&sorted);
	buf_free(&names);
	return is_good;
}

/* Removes from tmp/ what a process left that died while writing: nobody was
 * ever told that it is safe. */
static void
clear_leftover(void *context, const char *name)
{
	const int *top = context;
	char path[PATH_BYTES];
	struct stat st;

	(void)snprintf(path, sizeof(path), "tmp/%s", name);
	if (fstatat(*top, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtime < time(NULL) - LEFTOVER_S &&
	    unlinkat(*top, path, 0) == 0)
		log_event(LOG_WARNING, "spool.leftover_removed",
		    LOG_TEXT("file", name));
}

bool
spool_drain(const char *dir, spool_function *apply, void *context, int *done)
{
	struct drain d = { .apply = apply, .context = context, .done = done };
	bool is_good;

	*done = 0;
	d.top = open_spool(dir);
	if (d.top < 0)
		return false;
	buf_init(&d.content, SPOOLFILE_MAX_BYTES);
	is_good = flock(d.top, LOCK_EX | LOCK_NB) == 0 && drain_all(&d) &&
	    list(d.top, "tmp", clear_leftover, &d.top);
	buf_free(&d.content);
	file_close(d.top); /* and with it the lock */
	return is_good;
}
