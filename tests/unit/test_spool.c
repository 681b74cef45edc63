/*
 * The spool: whole records or none, in order, and nothing damaged is believed.
 */
#include "shared/hmac.h"
#include "shared/log.h"
#include "shared/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAX_BYTES = 1024 * 1024, MAX_FILES = 1000, SEEN_MAX = 256 };

static char base[] = "/tmp/waybill-spool-XXXXXX";
static char top[64];
static char dir[80];

/* What the drain gave to see(). */
static struct {
	enum spool_verdict verdict;
	int verdict_after; /* SPOOL_DONE so many times, then the verdict */
	int count;
	int numbers[SEEN_MAX];
	struct spool_record last;
	char last_body[1024];
	char last_path[1024];
} seen;

static enum spool_verdict
see(void *context, const struct spool_record *record, const char **reason)
{
	*reason = "23514: not this one";
	assert_ptr_equal(context, &seen);
	assert_true(seen.count < SEEN_MAX);
	assert_true(record->body_bytes < sizeof(seen.last_body));
	seen.last = *record;
	memcpy(seen.last_body, record->body, record->body_bytes + 1);
	(void)snprintf(seen.last_path, sizeof(seen.last_path), "%s",
	    record->path == NULL ? "(null)" : record->path);
	if (seen.count >= seen.verdict_after)
		return seen.verdict;
	seen.numbers[seen.count++] = record->status;
	return SPOOL_DONE;
}

static long
depth(void)
{
	struct spool_survey survey;

	return spool_look(dir, &survey) ? survey.records : -1;
}

/* Drains the spool; all is applied but what comes after `after` records. */
static int
drain(int after, enum spool_verdict then)
{
	int done = -1;

	memset(&seen, 0, sizeof(seen));
	seen.verdict_after = after;
	seen.verdict = then;
	assert_true(spool_drain(dir, see, &seen, &done));
	assert_int_equal(done, seen.count);
	return done;
}

static bool
keep(int number, const char *body, size_t bytes)
{
	struct spool_record record = { .kind = SPOOL_ANSWER,
		.request_id = "r-1",
		.method = "POST",
		.path = "/v2/shipments/shp_1/buy",
		.query = "a=b=c&d",
		.mode = "test",
		.status = number,
		.body = body,
		.body_bytes = bytes };

	return spool_keep(dir, MAX_BYTES, MAX_FILES, &record);
}

static int
count_files(const char *name)
{
	char path[128];
	struct dirent *entry;
	DIR *directory;
	int count = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	directory = opendir(path);
	if (directory == NULL)
		return -1;
	while ((entry = readdir(directory)) != NULL)
		count += entry->d_name[0] != '.';
	assert_int_equal(closedir(directory), 0);
	return count;
}

/* The path of the one file of a directory whose name ends so. */
static const char *
find_file(const char *name, const char *ending)
{
	static char path[512];
	struct dirent *entry;
	DIR *directory;
	bool is_found = false;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	directory = opendir(path);
	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL) {
		size_t bytes = strlen(entry->d_name);

		if (entry->d_name[0] == '.' || bytes < strlen(ending) ||
		    strcmp(entry->d_name + bytes - strlen(ending), ending) != 0)
			continue;
		assert_false(is_found);
		is_found = true;
		(void)snprintf(
		    path, sizeof(path), "%s/%s/%s", dir, name, entry->d_name);
	}
	assert_int_equal(closedir(directory), 0);
	assert_true(is_found);
	return path;
}

static size_t
read_bytes(const char *path, char *bytes, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t count;

	assert_non_null(f);
	count = fread(bytes, 1, size - 1, f);
	bytes[count] = '\0';
	assert_int_equal(fclose(f), 0);
	return count;
}

static void
write_bytes(const char *path, const char *bytes, size_t count)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, count, f), count);
	assert_int_equal(fclose(f), 0);
}

static int
make_base(void **state)
{
	(void)state;
	return mkdtemp(base) == NULL ? -1 : 0;
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

/* A directory for each test; all stay until the end, so that none gets the
 * inode of one whose usage is still remembered. */
static int
set_up(void **state)
{
	static int number;

	(void)state;
	(void)snprintf(top, sizeof(top), "%s/%d", base, number++);
	(void)snprintf(dir, sizeof(dir), "%s/spool", top);
	log_set_priority(
	    LOG_CRITICAL); /* damage is logged: hundreds of lines */
	return mkdir(top, 0700);
}

static void
a_kept_answer_comes_back_as_it_was(void **state)
{
	static const char body[] = "{\"a\":\"\0\n\xff\"}";

	(void)state;
	assert_true(keep(201, body, sizeof(body) - 1));
	assert_int_equal(count_files("new"), 1);
	assert_int_equal(count_files("tmp"), 0);
	assert_int_equal(depth(), 1);
	assert_int_equal(drain(9, SPOOL_LATER), 1);
	assert_int_equal(seen.last.kind, SPOOL_ANSWER);
	assert_int_equal(seen.last.status, 201);
	assert_string_equal(seen.last_path, "/v2/shipments/shp_1/buy");
	assert_int_equal(seen.last.body_bytes, sizeof(body) - 1);
	assert_memory_equal(seen.last_body, body, sizeof(body));
	assert_int_equal(depth(), 0);
	assert_int_equal(drain(9, SPOOL_LATER), 0);
}

static int asked;

static enum spool_verdict
pass_over_the_first(
    void *context, const struct spool_record *record, const char **reason)
{
	(void)reason;
	(void)context;
	asked++;
	return record->status == 1 ? SPOOL_PASS : SPOOL_DONE;
}

static void
one_that_waits_holds_up_no_other(void **state)
{
	int done = -1;

	(void)state;
	assert_true(keep(1, "a", 1) && keep(2, "b", 1) && keep(3, "c", 1));
	assert_true(spool_drain(dir, pass_over_the_first, NULL, &done));
	assert_int_equal(asked, 3);
	assert_int_equal(done, 2);
	assert_int_equal(count_files("new"), 1);
	assert_int_equal(drain(9, SPOOL_LATER), 1);
}

static enum spool_verdict
expect_webhook(
    void *context, const struct spool_record *record, const char **reason)
{
	(void)reason;
	(void)context;
	assert_int_equal(record->kind, SPOOL_WEBHOOK);
	assert_string_equal(record->request_id, "");
	assert_null(record->method);
	assert_null(record->path);
	assert_null(record->query);
	assert_null(record->mode);
	assert_int_equal(record->body_bytes, 0);
	assert_string_equal(record->body, "");
	return SPOOL_DONE;
}

static void
absent_strings_come_back_absent(void **state)
{
	const struct spool_record record = { .kind = SPOOL_WEBHOOK,
		.request_id = "",
		.body = NULL,
		.body_bytes = 0 };
	int done;

	(void)state;
	assert_true(spool_keep(dir, MAX_BYTES, MAX_FILES, &record));
	assert_true(spool_drain(dir, expect_webhook, NULL, &done));
	assert_int_equal(done, 1);
}

static void
only_the_owner_may_read(void **state)
{
	struct stat st;

	(void)state;
	assert_true(keep(1, "x", 1));
	assert_int_equal(stat(find_file("new", ""), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void
records_come_in_the_order_of_arrival(void **state)
{
	enum { RECORDS = 100 };

	int i;

	(void)state;
	for (i = 0; i < RECORDS; i++)
		assert_true(keep(i, "x", 1));
	assert_int_equal(drain(RECORDS, SPOOL_LATER), RECORDS);
	for (i = 0; i < RECORDS; i++)
		assert_int_equal(seen.numbers[i], i);
}

static void
processes_do_not_overwrite_each_other(void **state)
{
	enum { PROCESSES = 4, RECORDS = 20 };

	int i;
	int status;

	(void)state;
	for (i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			int failed = 0;
			int j;

			for (j = 0; j < RECORDS; j++)
				failed += !keep(j, "x", 1);
			_exit(failed);
		}
	}
	for (i = 0; i < PROCESSES; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(depth(), PROCESSES * RECORDS);
	assert_int_equal(drain(SEEN_MAX, SPOOL_DONE), PROCESSES * RECORDS);
}

static void
later_stops_and_keeps_everything_else(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 5; i++)
		assert_true(keep(i, "x", 1));
	assert_int_equal(drain(2, SPOOL_LATER), 2);
	assert_int_equal(depth(), 3);
	assert_int_equal(drain(9, SPOOL_LATER), 3);
	assert_int_equal(seen.numbers[0], 2);
}

static void
a_refused_record_is_set_aside_with_its_reason(void **state)
{
	char kept[1024];
	char text[1024];

	(void)state;
	assert_true(keep(7, "body", 4));
	(void)read_bytes(find_file("new", ""), kept, sizeof(kept));
	assert_int_equal(drain(0, SPOOL_BAD), 0);
	assert_int_equal(depth(), 0);
	assert_int_equal(count_files("bad"), 2);
	(void)read_bytes(find_file("bad", ".reason"), text, sizeof(text));
	assert_string_equal(text, "23514: not this one\n");
	assert_int_equal(unlink(find_file("bad", ".reason")), 0);
	(void)read_bytes(find_file("bad", ""), text, sizeof(text));
	assert_string_equal(text, kept);
}

static void
no_changed_byte_goes_unnoticed(void **state)
{
	char bytes[1024];
	char path[512];
	size_t count;
	size_t i;

	(void)state;
	assert_true(keep(7, "body", 4));
	(void)snprintf(path, sizeof(path), "%s", find_file("new", ""));
	count = read_bytes(path, bytes, sizeof(bytes));
	for (i = 0; i < count; i++) {
		bytes[i] ^= 0x10;
		write_bytes(path, bytes, count);
		bytes[i] ^= 0x10;
		assert_int_equal(drain(9, SPOOL_DONE), 0);
		assert_int_equal(depth(), 0);
	}
	for (i = 0; i < count; i++) {
		write_bytes(path, bytes, i);
		assert_int_equal(drain(9, SPOOL_DONE), 0);
		assert_int_equal(depth(), 0);
	}
	write_bytes(path, bytes, count + 1);
	assert_int_equal(drain(9, SPOOL_DONE), 0);
	write_bytes(path, bytes, count);
	assert_int_equal(drain(9, SPOOL_DONE), 1);
}

/* What another program signed correctly, and yet no record of ours. */
static void
a_head_of_another_form_is_damaged(void **state)
{
	static const struct {
		const char *head;
		const char *reason;
	} forged[] = {
		{ "kind=answer", "a line has no end\n" },
		{ "kind=answer\nstatus\n", "a line is not name=value\n" },
		{ "\n", "a line is not name=value\n" },
	};

	unsigned char digest[SHA256_BYTES];
	char head_hex[SHA256_HEX_BYTES + 1];
	char body_hex[SHA256_HEX_BYTES + 1];
	char text[1024];

	(void)state;
	assert_int_equal(drain(9, SPOOL_LATER), 0);
	for (size_t i = 0; i < sizeof(forged) / sizeof(*forged); i++) {
		const char *head = forged[i].head;
		char path[512];

		hmac_sha256(head, strlen(head), digest);
		hmac_hex(digest, head_hex);
		hmac_sha256("body", 4, digest);
		hmac_hex(digest, body_hex);
		(void)snprintf(text, sizeof(text),
		    "waybill-spool 1 %010zu %010d %s %s\n%sbody", strlen(head),
		    4, head_hex, body_hex, head);
		(void)snprintf(path, sizeof(path), "%s/new/forged", dir);
		write_bytes(path, text, strlen(text));
		assert_int_equal(drain(9, SPOOL_DONE), 0);
		(void)read_bytes(
		    find_file("bad", ".reason"), text, sizeof(text));
		assert_string_equal(text, forged[i].reason);
	}
}

static void
damage_does_not_hold_up_the_others(void **state)
{
	char path[512];

	(void)state;
	assert_true(keep(1, "x", 1));
	write_bytes(find_file("new", ""), "garbage", 7);
	assert_true(keep(2, "x", 1));
	(void)snprintf(path, sizeof(path), "%s/new/0000-foreign", dir);
	write_bytes(path, "", 0);
	assert_int_equal(drain(9, SPOOL_LATER), 1);
	assert_int_equal(seen.numbers[0], 2);
	assert_int_equal(count_files("bad"), 4);
}

static void
what_is_no_file_stays_and_does_no_harm(void **state)
{
	char path[512];

	(void)state;
	assert_true(keep(1, "x", 1));
	(void)snprintf(path, sizeof(path), "%s/new/0-link", dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	(void)snprintf(path, sizeof(path), "%s/new/0-fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(drain(9, SPOOL_LATER), 1);
	assert_int_equal(depth(), 1); /* the link; an empty fifo is */
	assert_int_equal(count_files("bad"), 2); /* a damaged record */
}

static void
a_file_too_large_is_damaged(void **state)
{
	char path[512];

	(void)state;
	assert_true(keep(1, "x", 1));
	(void)snprintf(path, sizeof(path), "%s", find_file("new", ""));
	assert_int_equal(truncate(path, 64L * 1024 * 1024 + 1), 0);
	assert_int_equal(drain(9, SPOOL_LATER), 0);
	assert_int_equal(count_files("bad"), 2);
}

static void
a_string_of_two_lines_is_refused(void **state)
{
	struct spool_record record = { .kind = SPOOL_WEBHOOK,
		.request_id = "r\nkind=answer",
		.body = "",
		.body_bytes = 0 };

	(void)state;
	assert_false(spool_keep(dir, MAX_BYTES, MAX_FILES, &record));
	assert_int_equal(errno, EINVAL);
	record.request_id = NULL;
	record.body_bytes = 65UL * 1024 * 1024;
	assert_false(spool_keep(dir, LONG_MAX, MAX_FILES, &record));
	assert_int_equal(errno, EFBIG);
}

static void
the_number_of_files_is_limited(void **state)
{
	const struct spool_record record = { .body = "x", .body_bytes = 1 };
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_true(spool_has_room(dir, MAX_BYTES, 3, 1));
		assert_true(spool_keep(dir, MAX_BYTES, 3, &record));
	}
	assert_false(spool_keep(dir, MAX_BYTES, 3, &record));
	assert_int_equal(errno, EDQUOT);
	assert_false(spool_has_room(dir, MAX_BYTES, 3, 1));
	assert_int_equal(errno, EDQUOT);
	assert_int_equal(count_files("new"), 3);
	assert_int_equal(count_files("tmp"), 0);
}

static void
the_bytes_of_all_files_are_limited(void **state)
{
	static char body[3000];

	(void)state;
	memset(body, 'x', sizeof(body));
	assert_true(spool_has_room(dir, 8000, 9, sizeof(body)));
	assert_true(keep(1, body, sizeof(body)));
	assert_true(spool_has_room(dir, 8000, 9, sizeof(body)));
	assert_true(keep(2, body, sizeof(body)));
	assert_false(spool_has_room(dir, 8000, 9, sizeof(body)));
	assert_int_equal(errno, EDQUOT);
	assert_true(spool_has_room(dir, 8000, 9, 100));
	assert_false(spool_has_room(dir, 8000, 9, 1UL << 62));
}

/* In a process of its own, which has counted nothing yet. */
static int
room_seen_by_another(long max_bytes, long max_files)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(spool_has_room(dir, max_bytes, max_files, 1));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
the_files_of_others_count(void **state)
{
	(void)state;
	assert_int_equal(room_seen_by_another(MAX_BYTES, 1), 1);
	assert_true(keep(1, "x", 1));
	assert_int_equal(room_seen_by_another(MAX_BYTES, 1), 0);
	assert_int_equal(room_seen_by_another(MAX_BYTES, 2), 1);
	assert_int_equal(room_seen_by_another(200, 2), 0);
}

static void
a_failed_write_leaves_nothing_behind(void **state)
{
	struct rlimit old;
	struct rlimit tight;
	static char body[100000];

	(void)state;
	assert_true(keep(1, "x", 1));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 4096;
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	assert_false(keep(2, body, sizeof(body)));
	assert_int_equal(errno, EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(count_files("tmp"), 0);
	assert_int_equal(count_files("new"), 1);
}

static enum spool_verdict
drain_inside(
    void *context, const struct spool_record *record, const char **reason)
{
	int done;

	(void)reason;
	(void)record;
	assert_false(spool_drain(dir, drain_inside, context, &done));
	assert_int_equal(errno, EWOULDBLOCK);
	assert_int_equal(done, 0);
	return SPOOL_DONE;
}

static void
one_drain_at_a_time(void **state)
{
	int done;

	(void)state;
	assert_true(keep(1, "x", 1));
	assert_true(spool_drain(dir, drain_inside, NULL, &done));
	assert_int_equal(done, 1);
	assert_true(spool_drain(dir, drain_inside, NULL, &done));
	assert_int_equal(done, 0);
}

static void
old_leftovers_are_removed(void **state)
{
	const struct timespec old[2] = { { 1, 0 }, { 1, 0 } };
	char path[512];

	(void)state;
	assert_int_equal(drain(9, SPOOL_LATER), 0);
	(void)snprintf(path, sizeof(path), "%s/tmp/young", dir);
	write_bytes(path, "x", 1);
	(void)snprintf(path, sizeof(path), "%s/tmp/old", dir);
	write_bytes(path, "x", 1);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	assert_int_equal(drain(9, SPOOL_LATER), 0);
	assert_int_equal(count_files("tmp"), 1);
}

static void
a_directory_that_cannot_be_is_an_error(void **state)
{
	int done;

	(void)state;
	assert_int_equal(depth(), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(depth(), 0); /* never used */
	(void)snprintf(dir, sizeof(dir), "%s/a/b", top);
	assert_false(keep(1, "x", 1));
	assert_int_equal(errno, ENOENT);
	assert_false(spool_has_room(dir, MAX_BYTES, MAX_FILES, 1));
	assert_false(spool_drain(dir, see, &seen, &done));
	assert_int_equal(errno, ENOENT);
	assert_int_equal(done, 0);
}

#define CASE(f) cmocka_unit_test_setup(f, set_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_kept_answer_comes_back_as_it_was),
		CASE(one_that_waits_holds_up_no_other),
		CASE(absent_strings_come_back_absent),
		CASE(only_the_owner_may_read),
		CASE(records_come_in_the_order_of_arrival),
		CASE(processes_do_not_overwrite_each_other),
		CASE(later_stops_and_keeps_everything_else),
		CASE(a_refused_record_is_set_aside_with_its_reason),
		CASE(no_changed_byte_goes_unnoticed),
		CASE(a_head_of_another_form_is_damaged),
		CASE(damage_does_not_hold_up_the_others),
		CASE(what_is_no_file_stays_and_does_no_harm),
		CASE(a_file_too_large_is_damaged),
		CASE(a_string_of_two_lines_is_refused),
		CASE(the_number_of_files_is_limited),
		CASE(the_bytes_of_all_files_are_limited),
		CASE(the_files_of_others_count),
		CASE(a_failed_write_leaves_nothing_behind),
		CASE(one_drain_at_a_time),
		CASE(old_leftovers_are_removed),
		CASE(a_directory_that_cannot_be_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_base, remove_base);
}
