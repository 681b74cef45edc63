/*
 * The spool while its calls fail, one after the other: what was said to be kept is
 * there, what was said to be lost comes once at most, and the next record is
 * taken.
 */
#include "shared/log.h"
#include "shared/spool.h"
#include "shared/spoolview.h"
#include "tests/unit/faults.h"

#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
	MAX_BYTES = 1024 * 1024,
	MAX_FILES = 1000,
	RECORDS = 4,
	SAID_BYTES = 8192
};

static char base[] = "/tmp/waybill-faults-XXXXXX";
static char dir[64];

/* The calls that a spool makes, and how many errors of each are tried. */
static const struct {
	const char *call;
	int error;
} faults[] = {
	{ "openat", EMFILE },
	{ "faccessat", EACCES },
	{ "mkdirat", ENOSPC },
	{ "fsync", EIO },
	{ "fsync", EINTR },
	{ "write", ENOSPC },
	{ "write", EINTR },
	{ "write", 0 },
	{ "close", EIO },
	{ "fstat", EIO },
	{ "fstatvfs", EIO },
	{ "fdopendir", ENOMEM },
	{ "readdir", EIO },
	{ "renameat", EIO },
	{ "unlinkat", EIO },
	{ "unlinkat", ENOENT },
	{ "flock", ENOLCK },
	{ "read", EIO },
	{ "read", EINTR },
	{ "read", 0 },
	{ "realloc", ENOMEM },
	{ "fstatat", EIO },
};

enum { FAULTS = sizeof(faults) / sizeof(faults[0]) };

static int
make_base(void **state)
{
	(void)state;
	log_set_priority(LOG_CRITICAL);
	return mkdtemp(base) == NULL;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static int
remove_base(void **state)
{
	(void)state;
	return nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A spool that was never used.  All stay until the end, so that none gets the
 * inode of one whose usage is still remembered. */
static void
take_new_spool(void)
{
	static int number;

	(void)snprintf(dir, sizeof(dir), "%s/%d", base, number++);
}

static bool
keep(int number)
{
	static char query[500];
	const struct spool_record record = { .kind = SPOOL_ANSWER,
		.request_id = "r-1",
		.query = query,
		.status = number,
		.body = "the body",
		.body_bytes = 8 };

	memset(query, 'q', sizeof(query) - 1);
	return spool_keep(dir, MAX_BYTES, MAX_FILES, &record);
}

/* How often each number was applied; those below `bad` are refused. */
struct applied {
	int times[RECORDS];
	int bad;
};

static enum spool_verdict
apply(void *context, const struct spool_record *record, const char **reason)
{
	struct applied *applied = context;

	assert_in_range(record->status, 0, RECORDS - 1);
	assert_int_equal(record->body_bytes, 8);
	assert_string_equal(record->body, "the body");
	if (record->status < applied->bad) {
		*reason = "not this one";
		return SPOOL_BAD;
	}
	applied->times[record->status]++;
	return SPOOL_DONE;
}

static bool
drain(struct applied *applied)
{
	int done;

	return spool_drain(dir, apply, applied, &done);
}

static long
count_files(const char *name)
{
	struct dirent **entries;
	char path[80];
	int count;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	count = scandir(path, &entries, NULL, NULL);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	if (count >= 0)
		free(entries);
	return count < 0 ? 0 : count - 2; /* . and .. */
}

static void
what_is_kept_is_there_whatever_failed(void **state)
{
	int failed = 0;

	(void)state;
	for (int i = 0; i < FAULTS; i++)
		for (int nth = 1;; nth++) {
			struct applied applied = { .bad = 0 };
			bool is_kept;
			int error;

			take_new_spool();
			fault_arm(faults[i].call, nth, faults[i].error);
			is_kept = keep(0);
			error = errno;
			if (!fault_disarm()) {
				assert_true(is_kept);
				break;
			}
			failed++;
			if (!is_kept)
				assert_int_equal(error, faults[i].error);
			assert_int_equal(count_files("tmp"), 0);
			assert_true(keep(1));
			assert_true(drain(&applied));
			assert_int_equal(applied.times[1], 1);
			if (is_kept)
				assert_int_equal(applied.times[0], 1);
			else
				assert_in_range(applied.times[0], 0, 1);
		}
	assert_true(failed > 30);
}

/* A spool whose names were not safe is not taken for one by the next. */
static void
names_that_could_not_be_synced_are_synced_again(void **state)
{
	enum { OF_A_RECORD = 2, OF_A_SPOOL = 2 };

	(void)state;
	for (int nth = 1; nth <= OF_A_SPOOL; nth++) {
		take_new_spool();
		fault_arm("fsync", nth, EIO);
		assert_false(keep(0));
		assert_true(fault_disarm());
		fault_arm("fsync", OF_A_SPOOL + OF_A_RECORD, EIO);
		assert_false(keep(0));
		assert_true(fault_disarm());
	}
	/* Once it is, only records are. */
	fault_arm("fsync", OF_A_RECORD + 1, EIO);
	assert_true(keep(0));
	assert_false(fault_disarm());
}

/* What was said on stderr since. */
static int stderr_before;
static FILE *listening;

static void
listen(void)
{
	listening = tmpfile();
	assert_non_null(listening);
	stderr_before = dup(STDERR_FILENO);
	assert_true(dup2(fileno(listening), STDERR_FILENO) >= 0);
}

static const char *
stop_listening(void)
{
	static char said[SAID_BYTES];
	size_t bytes;

	assert_true(dup2(stderr_before, STDERR_FILENO) >= 0);
	assert_int_equal(close(stderr_before), 0);
	rewind(listening);
	bytes = fread(said, 1, sizeof(said) - 1, listening);
	said[bytes] = '\0';
	assert_int_equal(fclose(listening), 0);
	return said;
}

/* With what somebody has left who died long ago while writing. */
static void
fill(void)
{
	const struct timespec old[2] = { { 1, 0 }, { 1, 0 } };
	char path[80];
	int fd;

	take_new_spool();
	for (int i = 0; i < RECORDS; i++)
		assert_true(keep(i));
	(void)snprintf(path, sizeof(path), "%s/tmp/old", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(futimens(fd, old), 0);
	assert_int_equal(close(fd), 0);
}

static void
a_drain_that_fails_loses_nothing(void **state)
{
	int failed = 0;

	(void)state;
	for (int i = 0; i < FAULTS; i++)
		for (int nth = 1;; nth++) {
			struct applied applied = { .bad = 1 };
			bool is_drained;
			bool has_failed;
			int error;

			fill();
			listen();
			fault_arm(faults[i].call, nth, faults[i].error);
			is_drained = drain(&applied);
			has_failed = fault_disarm();
			error = errno;
			(void)stop_listening();
			if (!has_failed) {
				assert_true(is_drained);
				break;
			}
			failed++;
			if (!is_drained)
				assert_int_equal(error, faults[i].error);
			assert_true(drain(&applied));
			assert_int_equal(count_files("new"), 0);
			assert_int_equal(count_files("tmp"), 0);
			assert_in_range(count_files("bad"), 1, 2);
			for (int n = 1; n < RECORDS; n++)
				assert_in_range(applied.times[n], 1, 2);
		}
	assert_true(failed > 60);
}

static void
what_could_not_be_set_aside_stays_and_is_told(void **state)
{
	struct applied applied = { .bad = RECORDS };
	const char *said;

	(void)state;
	fill();
	listen();
	fault_arm("renameat", 1, EACCES);
	assert_true(drain(&applied));
	assert_true(fault_disarm());
	said = stop_listening();
	assert_non_null(strstr(said, "<2>spool.set_aside_failed file="));
	assert_non_null(strstr(said, "reason=\"Permission denied\""));
	assert_int_equal(count_files("new"), 1);
}

static void
what_cannot_be_counted_is_not_guessed(void **state)
{
	(void)state;
	for (int i = 0; i < FAULTS; i++)
		for (int nth = 1;; nth++) {
			struct spool_survey survey;
			bool is_good;

			fill();
			fault_arm(faults[i].call, nth, faults[i].error);
			is_good = spool_look(dir, &survey);
			if (is_good)
				assert_int_equal(survey.records, RECORDS);
			if (!fault_disarm())
				break;
		}
}

/* Asked before money is spent. */
static void
room_that_cannot_be_seen_is_none(void **state)
{
	(void)state;
	for (int i = 0; i < FAULTS; i++)
		for (int nth = 1;; nth++) {
			bool has_room;

			fill();
			fault_arm(faults[i].call, nth, faults[i].error);
			has_room = spool_has_room(dir, MAX_BYTES, MAX_FILES, 8);
			if (!has_room)
				assert_int_equal(errno, faults[i].error);
			if (!fault_disarm()) {
				assert_true(has_room);
				break;
			}
		}
}

/* --- as the operator sees it --- */

struct seen {
	int waiting;
	int bad;
	char name[NAME_MAX + 1];
	char reason[256];
};

static void
see(void *context, const struct spool_entry *entry)
{
	struct seen *seen = context;

	if (entry->is_bad)
		seen->bad++;
	else
		seen->waiting++;
	(void)snprintf(seen->name, sizeof(seen->name), "%s", entry->name);
	(void)snprintf(seen->reason, sizeof(seen->reason), "%s", entry->reason);
}

static struct seen
list(void)
{
	struct seen seen = { .name = "" };

	assert_true(spool_list(dir, see, &seen));
	return seen;
}

/* One that waits and one that was set aside, which is the last one seen. */
static struct seen
set_one_aside(void)
{
	struct applied applied = { .bad = 1 };

	take_new_spool();
	assert_true(keep(0));
	assert_true(drain(&applied));
	assert_true(keep(1));
	return list();
}

static void
beside(char path[PATH_MAX], const char *place, const char *name,
    const char *suffix)
{
	(void)snprintf(path, PATH_MAX, "%s/%s/%s%s", dir, place, name, suffix);
}

static void
a_clock_that_steps_back_changes_no_order(void **state)
{
	struct seen first;
	struct seen last;

	(void)state;
	take_new_spool();
	assert_true(keep(0));
	first = list();
	fault_ahead_s = -60;
	assert_true(keep(1));
	fault_ahead_s = 0;
	last = list();
	assert_int_equal(last.waiting, 2);
	assert_true(strcmp(first.name, last.name) < 0);
}

static void
a_reason_may_be_missing(void **state)
{
	struct seen seen = set_one_aside();
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(seen.waiting, 1);
	assert_int_equal(seen.bad, 1);
	assert_string_equal(seen.reason, "not this one");
	beside(path, "bad", seen.name, ".reason");
	assert_int_equal(truncate(path, 0), 0);
	assert_string_equal(list().reason, "");
	assert_int_equal(unlink(path), 0);
	assert_string_equal(list().reason, "");
	assert_int_equal(list().bad, 1);
}

static void
what_is_gone_meanwhile_is_passed_over(void **state)
{
	char path[PATH_MAX];

	(void)state;
	(void)set_one_aside();
	beside(path, "new", "0-gone", "");
	assert_int_equal(symlink("/nowhere/at/all", path), 0);
	assert_int_equal(list().waiting, 1);
}

static void
a_spool_that_cannot_be_read_is_no_empty_one(void **state)
{
	struct seen seen;
	char path[PATH_MAX];

	(void)state;
	take_new_spool();
	seen = list(); /* never used */
	assert_int_equal(seen.waiting + seen.bad, 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	beside(path, "new", "", "");
	path[strlen(path) - 1] = '\0';
	assert_int_equal(symlink("new", path), 0);
	assert_false(spool_list(dir, see, &seen));
	assert_int_equal(errno, ELOOP);
}

static void
no_name_leads_out_of_the_spool(void **state)
{
	static char longer[64 * 1024];
	const char *const names[] = { "", ".", "..", "../new", "none", longer };
	struct spool_record record;
	struct buf content;

	(void)state;
	(void)set_one_aside();
	memset(longer, 'x', sizeof(longer) - 1);
	buf_init(&content, 1024);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_string_equal(
		    spool_read(dir, names[i], &content, &record),
		    "there is no such record");
		assert_false(spool_retry(dir, names[i]));
		assert_int_equal(errno, ENOENT);
	}
	buf_free(&content);
}

static void
a_record_is_read_wherever_it_is(void **state)
{
	struct seen seen = set_one_aside();
	struct spool_record record;
	struct buf content;
	char path[PATH_MAX];

	(void)state;
	buf_init(&content, 1024);
	assert_null(spool_read(dir, seen.name, &content, &record));
	assert_int_equal(record.status, 0);
	buf_reset(&content, 0);
	fault_arm("read", 1, EIO);
	assert_string_equal(spool_read(dir, seen.name, &content, &record),
	    "Input/output error");
	assert_true(fault_disarm());
	beside(path, "new", seen.name, "");
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_string_equal(spool_read(dir, seen.name, &content, &record),
	    "Too many levels of symbolic links");
	buf_free(&content);
}

static void
what_waits_again_is_safe_or_said_not_to_be(void **state)
{
	struct seen seen;

	(void)state;
	for (int nth = 1; nth <= 2; nth++) {
		seen = set_one_aside();
		fault_arm("fsync", nth, EIO);
		assert_false(spool_retry(dir, seen.name));
		assert_int_equal(errno, EIO);
		assert_true(fault_disarm());
		assert_int_equal(list().waiting, 2);
	}
	seen = set_one_aside();
	fault_arm("rename", 1, EACCES);
	assert_false(spool_retry(dir, seen.name));
	assert_int_equal(errno, EACCES);
	assert_int_equal(list().bad, 1);
	assert_true(spool_retry(dir, seen.name));
	assert_int_equal(list().waiting, 2);
	assert_int_equal(count_files("bad"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_is_there_whatever_failed),
		cmocka_unit_test(
		    names_that_could_not_be_synced_are_synced_again),
		cmocka_unit_test(a_drain_that_fails_loses_nothing),
		cmocka_unit_test(what_could_not_be_set_aside_stays_and_is_told),
		cmocka_unit_test(what_cannot_be_counted_is_not_guessed),
		cmocka_unit_test(room_that_cannot_be_seen_is_none),
		cmocka_unit_test(a_clock_that_steps_back_changes_no_order),
		cmocka_unit_test(a_reason_may_be_missing),
		cmocka_unit_test(what_is_gone_meanwhile_is_passed_over),
		cmocka_unit_test(a_spool_that_cannot_be_read_is_no_empty_one),
		cmocka_unit_test(no_name_leads_out_of_the_spool),
		cmocka_unit_test(a_record_is_read_wherever_it_is),
		cmocka_unit_test(what_waits_again_is_safe_or_said_not_to_be),
	};

	return cmocka_run_group_tests(tests, make_base, remove_base);
}
