/*
 * waybill backfill: what EasyPost has from before, brought into the database.
 *
 * List by list, newest first.  Each page is committed with the place where it
 * ends, so that a run that was cut short goes on there.
 */
#include "ctl/commands.h"
#include "ctl/session.h"
#include "ctl/walk.h"
#include "shared/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 60000, TELL_EVERY_MS = 10000, TELL_TERMINAL_MS = 250 };

struct backfill {
	const struct conf *conf;
	struct db *db;
	struct easypost *easypost;
	const char *since;  /* RFC 3339 with a Z; NULL: all there is */
	const char *until;  /* the same; NULL: now */
	const char *object; /* NULL: every kind */
};

/* One list of one mode, as it goes on. */
struct course {
	struct backfill *backfill;
	const struct walk_mode *mode;
	struct walk walk;
	char id[40];
	char begun_at[WALK_TIME_MAX];
	long long before; /* objects of runs that were cut short */
	long long objects;
	int64_t started_ms;
	int64_t told_ms;
};

/* "2026-11-21" or with a time and a Z; in RFC 3339.  False for all else. */
static bool
make_time(const char *text, char made[WALK_TIME_MAX])
{
	struct tm parts = { 0 };
	const char *end = strptime(text, "%Y-%m-%d", &parts);
	int day = parts.tm_mday;

	if (end != NULL && *end == 'T')
		end = strptime(end, "T%H:%M:%SZ", &parts);
	if (end == NULL || *end != '\0')
		return false;
	/* Makes another day of one that does not exist; -1 is a time, too. */
	(void)timegm(&parts);
	(void)strftime(
	    made, WALK_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &parts); /* fits */
	return parts.tm_mday == day;
}

/* db_row_function */
static bool
take_walk(void *context, const struct db_row *row)
{
	struct course *course = context;

	(void)snprintf(
	    course->id, sizeof(course->id), "%s", session_text(row, "id"));
	(void)snprintf(course->begun_at, sizeof(course->begun_at), "%s",
	    session_text(row, "begun_at"));
	(void)snprintf(course->walk.before_id, sizeof(course->walk.before_id),
	    "%s", session_text(row, "before_id")); /* all of them fit */
	course->before = strtoll(session_text(row, "objects"), NULL, 10);
	return true;
}

static bool
begin(struct course *course)
{
	const struct backfill *backfill = course->backfill;
	const struct db_value values[] = { db_text(course->mode->name),
		db_text(course->walk.kind->object), db_text(backfill->since),
		db_text(backfill->until) };
	const struct db_call call = { .function = "admin.begin_walk",
		.values = values,
		.count = 4,
		.deadline_ms = clock_ms() + LIMIT_MS };

	if (db_call(backfill->db, &call, take_walk, course) != DB_OK)
		return false;
	course->walk.until =
	    backfill->until == NULL ? course->begun_at : backfill->until;
	return true;
}

static bool
record(struct course *course)
{
	struct walk *walk = &course->walk;
	char count[24];

	(void)snprintf(count, sizeof(count), "%zu", walk->count); /* fits */
	const struct db_value values[] = {
		db_text(course->id),
		db_text(walk->kind->path),
		db_text(walk->query),
		db_bytes(walk->answer.body.data, walk->answer.body.len),
		db_text(course->mode->name),
		db_text(*walk->last_id == '\0' ? NULL : walk->last_id),
		db_text(count),
		db_text(walk->is_end ? "true" : "false"),
	};
	const struct db_call call = { .function = "admin.record_walk",
		.values = values,
		.count = 8,
		.deadline_ms = clock_ms() + LIMIT_MS };

	course->objects += (long long)walk->count;
	return db_call(course->backfill->db, &call, NULL, NULL) == DB_OK;
}

static time_t
seconds_of(const char *text)
{
	struct tm parts = { 0 };

	return strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) == NULL
	    ? 0
	    : timegm(&parts);
}

/* How long it may still take, from the days that it has gone back; -1: nobody
 * knows. */
static long
left_s(const struct course *course, double spent_s)
{
	const struct walk *walk = &course->walk;
	double all, gone;

	if (walk->since == NULL || *walk->last_created == '\0' ||
	    course->before > 0)
		return -1;
	all = difftime(seconds_of(walk->until), seconds_of(walk->since));
	gone =
	    difftime(seconds_of(walk->until), seconds_of(walk->last_created));
	return gone <= 0 || gone > all ? -1
				       : (long)(spent_s * (all - gone) / gone);
}

static void
tell(struct course *course)
{
	const struct walk *walk = &course->walk;
	bool is_terminal = isatty(STDERR_FILENO);
	double spent_s = (double)(clock_ms() - course->started_ms + 1) / 1000.0;
	long left = left_s(course, spent_s);

	if (clock_ms() - course->told_ms <
	    (is_terminal ? TELL_TERMINAL_MS : TELL_EVERY_MS))
		return;
	course->told_ms = clock_ms();
	(void)fprintf(stderr, "%s%s %s: %lld, %.0f a second, back to %.10s",
	    is_terminal ? "\r\033[K" : "", course->mode->name,
	    walk->kind->plural, course->before + course->objects,
	    (double)course->objects / spent_s,
	    *walk->last_created == '\0' ? "the first" : walk->last_created);
	if (left >= 0)
		(void)fprintf(stderr, ", about %ld min left", left / 60 + 1);
	(void)fprintf(stderr, "%s", is_terminal ? "" : "\n");
}

/* The object behind which it went on is not known to EasyPost any more: from the
 * newest on, then; what is here already costs little. */
static bool
begin_again(struct course *course)
{
	struct walk *walk = &course->walk;

	if (walk->answer.status != 404 || *walk->before_id == '\0')
		return false;
	*walk->before_id = '\0';
	return walk_next(walk);
}

static bool
walk_through(struct course *course)
{
	struct walk *walk = &course->walk;

	do {
		if (!walk_next(walk) && !begin_again(course)) {
			(void)fprintf(stderr, "%swaybill: %s\n",
			    isatty(STDERR_FILENO) ? "\r\033[K" : "",
			    walk->error);
			return false;
		}
		if (walk_lock(course->backfill->db) != CTL_OK)
			return false;
		if (!record(course)) {
			(void)session_failed(
			    course->backfill->db, "a page was not recorded");
			return false;
		}
		tell(course);
	} while (!walk->is_end);
	if (isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\r\033[K");
	(void)printf("%s %s %lld\n", course->mode->name, walk->kind->plural,
	    course->before + course->objects);
	return true;
}

static bool
fill(struct backfill *backfill, const struct walk_mode *mode,
    const struct walk_kind *kind)
{
	struct course course = { .backfill = backfill,
		.mode = mode,
		.walk = { .easypost = backfill->easypost,
		    .key = mode->key,
		    .kind = kind,
		    .since = backfill->since },
		.started_ms = clock_ms() };
	bool is_done;

	walk_begin(&course.walk);
	if (!begin(&course)) {
		(void)session_failed(backfill->db, "the walk was not begun");
		is_done = false;
	} else {
		is_done = walk_through(&course);
	}
	walk_end(&course.walk);
	return is_done;
}

static bool
fill_all(struct backfill *backfill, const struct walk_mode modes[2])
{
	bool is_done = true;

	/* One that fails does not keep the others back. */
	for (int m = 0; m < 2; m++)
		for (const struct walk_kind *kind = walk_kinds;
		     *modes[m].key != '\0' && kind->object != NULL; kind++)
			if (backfill->object == NULL ||
			    strcmp(backfill->object, kind->object) == 0)
				is_done =
				    fill(backfill, &modes[m], kind) && is_done;
	return is_done;
}

static bool
refuse(const char *option, const char *allowed)
{
	(void)fprintf(stderr, "waybill: --%s must be %s\n", option, allowed);
	return false;
}

static bool
read_words(struct backfill *backfill, int count, char **words,
    char since[WALK_TIME_MAX], char until[WALK_TIME_MAX])
{
	static const struct option options[] = {
		{ "since", required_argument, NULL, 's' },
		{ "until", required_argument, NULL, 'u' },
		{ "type", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	static const char a_time[] =
	    "a day (2026-11-21) or a time (2026-11-21T09:00:00Z), in UTC";
	int option;

	while ((option = getopt_long(count, words, "", options, NULL)) != -1) {
		if (option == 's' && !make_time(optarg, since))
			return refuse("since", a_time);
		if (option == 'u' && !make_time(optarg, until))
			return refuse("until", a_time);
		if (option == 't' && walk_find(optarg) == NULL)
			return refuse(
			    "type", "shipment, tracker, address or refund");
		if (option == 's')
			backfill->since = since;
		else if (option == 'u')
			backfill->until = until;
		else if (option == 't')
			backfill->object = optarg;
		else
			return false;
	}
	return optind == count;
}

int
backfill_run(const struct conf *conf, int count, char **words)
{
	struct backfill backfill = { .conf = conf };
	struct walk_mode modes[2];
	char since[WALK_TIME_MAX];
	char until[WALK_TIME_MAX];
	int status;

	if (!read_words(&backfill, count, words, since, until))
		return CTL_USAGE;
	if (!walk_modes(conf, modes))
		return CTL_FAILED;
	backfill.db = session_open(conf, "waybill_jobs", LIMIT_MS);
	backfill.easypost =
	    easypost_new(conf->easypost_api_base, conf->easypost_ca_file);
	status = walk_lock(backfill.db);
	if (status == CTL_OK && !fill_all(&backfill, modes))
		status = CTL_FAILED;
	db_close(backfill.db);
	return status;
}
