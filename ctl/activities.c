/*
 * Lines of JSON, many in one call: see activities.h for the promises.
 *
 * The lines are arrays' elements when they reach the database, so each is looked
 * through before: one that is no JSON would spoil the array.  One that spoils it
 * in another way is found by sending its batch line by line.
 * What must stay true: a file is removed only when each of its lines is in the
 * database or was logged; lines have keys, so that it may be sent twice.
 */
#include "ctl/activities.h"
#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/json.h"
#include "shared/linefile.h"
#include "shared/log.h"
#include "shared/notify.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum {
	BATCH_LINES = 1000,
	BATCH_BYTES = BATCH_LINES * (LINEFILE_LINE_MAX + 1) + 2,
	BATCH_KEEP_BYTES = 1024 * 1024,
	CALL_MS = 30000, /* a third of what the watchdog allows */
};

struct batch {
	const char *function;
	struct db *db;
	bool (*is_stopped)(void);
	struct buf lines;               /* one behind another */
	size_t begins[BATCH_LINES + 1]; /* of each line, and the end */
	int count;
	int brought;
	int bad;
};

/* The database has said that it will not take this; any other failure says
 * nothing against the lines. */
static bool
is_refused(const struct db *db, enum db_status status)
{
	return status == DB_REFUSED &&
	    (strncmp(db_error(db)->sqlstate, "22", 2) == 0 ||
		strncmp(db_error(db)->sqlstate, "23", 2) == 0);
}

/* The lines from `first` on, `count` of them, as an array of JSON. */
static void
make_array(const struct batch *batch, int first, int count, struct buf *array)
{
	for (int i = first; i < first + count; i++) {
		/* Failures stay: looked at below. */
		(void)buf_add_byte(array, i == first ? '[' : ',');
		(void)buf_add(array, batch->lines.data + batch->begins[i],
		    batch->begins[i + 1] - batch->begins[i]);
	}
	(void)buf_add_byte(array, ']');
	if (array->failed)
		log_fatal("activities.bring", "out of memory");
}

static enum db_status
send_lines(struct batch *batch, int first, int count)
{
	struct db_value value;
	const struct db_call call = {
		.function = batch->function,
		.values = &value,
		.count = 1,
		.deadline_ms = clock_ms() + CALL_MS,
	};
	enum db_status status;
	struct buf array;

	buf_init(&array, BATCH_BYTES);
	make_array(batch, first, count, &array);
	value = db_text(array.data);
	notify_send("WATCHDOG=1");
	status = db_call(batch->db, &call, NULL, NULL);
	buf_free(&array);
	return status;
}

/* One of the lines is bad: all the others are brought. */
static bool
send_each(struct batch *batch)
{
	for (int i = 0; i < batch->count; i++) {
		enum db_status status = send_lines(batch, i, 1);

		if (is_refused(batch->db, status))
			batch->bad++;
		else if (status != DB_OK || batch->is_stopped())
			return false;
		else
			batch->brought++;
	}
	return true;
}

static bool
send_batch(struct batch *batch)
{
	enum db_status status = DB_OK;
	bool is_done;

	if (batch->count > 0)
		status = send_lines(batch, 0, batch->count);
	is_done = status == DB_OK;
	if (is_done)
		batch->brought += batch->count;
	else if (is_refused(batch->db, status))
		is_done = send_each(batch);
	batch->count = 0;
	buf_reset(&batch->lines, BATCH_KEEP_BYTES);
	return is_done;
}

static bool
is_object(const char *line, size_t bytes)
{
	char problem[JSON_PROBLEM_MAX];
	struct json *json = json_read(line, bytes, problem);
	bool is_good = json_kind(json) == JSON_KIND_OBJECT;

	json_free(json);
	return is_good;
}

/* linefile_function */
static bool
take_line(void *context, const char *line, size_t bytes)
{
	struct batch *batch = context;

	if (batch->is_stopped())
		return false;
	if (bytes == 0 || !is_object(line, bytes)) {
		batch->bad++;
		return true;
	}
	batch->begins[batch->count++] = batch->lines.len;
	if (!buf_add(&batch->lines, line, bytes))
		log_fatal("activities.read", "out of memory");
	batch->begins[batch->count] = batch->lines.len;
	return batch->count < BATCH_LINES || send_batch(batch);
}

static bool
bring_file(const char *path, const char *function, struct db *db,
    bool (*is_stopped)(void))
{
	struct batch batch = {
		.function = function, .db = db, .is_stopped = is_stopped
	};
	int fd = linefile_begin(path);
	bool is_safe;

	if (fd < 0)
		return true;
	buf_init(&batch.lines, BATCH_BYTES);
	is_safe = linefile_read(fd, take_line, &batch) && send_batch(&batch);
	linefile_end(path, fd, is_safe);
	buf_free(&batch.lines);
	if (batch.bad > 0 && is_safe)
		log_event(LOG_ERROR, "activities.bad", LOG_TEXT("path", path),
		    LOG_NUMBER("lines", batch.bad),
		    LOG_TEXT("next", "skipped"));
	log_event(LOG_DEBUG, "activities", LOG_TEXT("path", path),
	    LOG_NUMBER("lines", batch.brought));
	return is_safe;
}

/* The length of the name of the file that a name in the directory stands for,
 * be it the one being written or the one that waits; 0: neither. */
static size_t
name_bytes(const char *name)
{
	static const char suffix[] = ".activity";
	const char *at = strstr(name, suffix);

	if (at == NULL ||
	    (strcmp(at, suffix) != 0 && strcmp(at, ".activity.waiting") != 0))
		return 0;
	return (size_t)(at - name) + strlen(suffix);
}

static bool
bring_directory(const char *path, const char *function, struct db *db,
    bool (*is_stopped)(void))
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	bool is_good = true;
	char file[PATH_MAX];

	if (directory == NULL) /* nobody has run yet who notes */
		return errno == ENOENT;
	/* One that is there under both names has two turns: it does no harm. */
	while (
	    is_good && !is_stopped() && (entry = readdir(directory)) != NULL) {
		size_t bytes = name_bytes(entry->d_name);

		if (bytes == 0)
			continue;
		(void)snprintf(file, sizeof(file), "%s/%.*s", path, (int)bytes,
		    entry->d_name); /* conf.c bounds run_dir */
		is_good = bring_file(file, function, db, is_stopped);
	}
	(void)closedir(directory); /* it was only read from */
	return is_good;
}

bool
activities_bring(const char *run_dir, struct db *db, bool (*is_stopped)(void))
{
	char of_nginx[PATH_MAX];

	(void)snprintf(
	    of_nginx, sizeof(of_nginx), "%s/nginx", run_dir); /* the same */
	return bring_directory(
		   run_dir, "admin.record_activities", db, is_stopped) &&
	    bring_directory(of_nginx, "admin.record_hits", db, is_stopped);
}
