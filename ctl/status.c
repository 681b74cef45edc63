/*
 * waybill status: what is going on at this moment, on one screen or as JSON.
 *
 * Everything is asked for anew, each with its limit.  What cannot be reached is
 * told as that and keeps nothing else back.
 */
#include "ctl/commands.h"
#include "ctl/credentials.h"
#include "ctl/facts.h"
#include "ctl/service.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/pool.h"
#include "shared/scoreboard.h"
#include "shared/spool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	ASK_MS = 5000,
	EVENTS = 5,
	TEXT_MAX_BYTES = 64 * 1024,
};

struct event {
	char at[32];
	char description[40];
	char state[12];
	char object_id[60];
};

struct status {
	const struct conf *conf;
	struct facts facts;
	struct event events[EVENTS];
	int event_count;
	bool has_database;
	char error[FACTS_TEXT_MAX];
};

/* --- finding out --------------------------------------------------------- */

static void
look_at_pools(struct status *status)
{
	struct facts *facts = &status->facts;

	for (int i = 0; i < POOL_COUNT; i++) {
		const char *name = pools[i].name;
		const struct scoreboard *board = scoreboard_open(
		    pool_scoreboard_path(&pools[i], status->conf));
		struct scoreboard_sum sum;

		if (board == NULL) {
			facts_add_text(facts, name, "workers", NULL);
			continue;
		}
		sum = scoreboard_sum(board);
		scoreboard_close(board);
		facts_add_number(facts, name, "workers", sum.idle + sum.busy);
		facts_add_number(facts, name, "idle", sum.idle);
		facts_add_number(facts, name, "busy", sum.busy);
		facts_add_number(facts, name, "limit", sum.limit);
		facts_add_number(facts, name, "requests", sum.requests);
		facts_add_number(facts, name, "errors", sum.errors);
		facts_add_number(facts, name, "up_s", sum.uptime_s);
	}
}

static void
look_at_spool(struct status *status)
{
	struct facts *facts = &status->facts;
	struct spool_survey spool;

	if (!spool_look(status->conf->spool_dir, &spool)) {
		facts_add_text(facts, "spool", "error", strerror(errno));
		return;
	}
	facts_add_number(facts, "spool", "waiting", spool.records);
	facts_add_number(facts, "spool", "bytes", spool.bytes);
	facts_add_number(facts, "spool", "refused", spool.bad);
	if (spool.records > 0)
		facts_add_number(facts, "spool", "oldest_s",
		    (long long)time(NULL) -
			(long long)(spool.oldest_us / 1000000));
	else
		facts_add_text(facts, "spool", "oldest_s", NULL);
}

/* False, and noted, when the database does not say. */
static bool
ask(struct status *status, struct db *db, const char *section,
    const char *function)
{
	const struct db_call call = { .function = function,
		.deadline_ms = clock_ms() + ASK_MS };

	if (facts_add_call(&status->facts, section, db, &call) == DB_OK)
		return true;
	(void)snprintf(status->error, sizeof(status->error), "%s",
	    db_error(db)->message); /* a sentence may be cut */
	table_make_plain(status->error);
	return false;
}

/* db_row_function */
static bool
take_event(void *context, const struct db_row *row)
{
	struct status *status = context;
	struct event *event = &status->events[status->event_count];

	if (status->event_count == EVENTS)
		return true;
	/* All but the last are short; that may be cut. */
	(void)snprintf(event->at, sizeof(event->at), "%.19s",
	    session_text(row, "received_at"));
	(void)snprintf(event->description, sizeof(event->description), "%s",
	    session_text(row, "description"));
	(void)snprintf(event->state, sizeof(event->state), "%s",
	    session_text(row, "state"));
	(void)snprintf(event->object_id, sizeof(event->object_id), "%s",
	    session_text(row, "object_id"));
	table_make_plain(event->description);
	table_make_plain(event->object_id);
	status->event_count++;
	return true;
}

static bool
read_events(struct status *status, struct db *db)
{
	const struct db_value count = db_text("5"); /* EVENTS */
	const struct db_call call = { .function = "admin.newest_events",
		.values = &count,
		.count = 1,
		.deadline_ms = clock_ms() + ASK_MS };

	return db_call(db, &call, take_event, status) == DB_OK;
}

/* What a round trip takes. */
static void
measure(struct status *status, struct db *db)
{
	const struct db_call call = { .function = "pg_catalog.pg_backend_pid",
		.deadline_ms = clock_ms() + ASK_MS };
	int64_t started_us = clock_us();

	if (db_call(db, &call, NULL, NULL) == DB_OK)
		facts_add_number(&status->facts, "database", "latency_us",
		    clock_us() - started_us);
}

static bool
look_into_database(struct status *status)
{
	struct db *db = session_open(status->conf, "waybill_jobs", ASK_MS);
	bool is_told;

	if (!ask(status, db, "database", "api.health"))
		return false;
	measure(status, db);
	is_told = ask(status, db, "traffic", "admin.traffic") &&
	    ask(status, db, "work", "admin.pulse") && read_events(status, db);
	db_close(db);
	return is_told;
}

static void
look_at_database(struct status *status)
{
	if (*status->conf->secrets.database_url == '\0')
		(void)snprintf(status->error, sizeof(status->error), "%s%s",
		    session_unset(status->conf),
		    credentials_is_hidden(status->conf, "database-url")
			? ""
			: ": nothing is recorded"); /* fits */
	else
		status->has_database = look_into_database(status);
	if (!status->has_database)
		facts_add_text(
		    &status->facts, "trouble", "database", status->error);
}

static void
look_at_standby(struct status *status)
{
	const struct db_options options = {
		.url = status->conf->secrets.database_read_url,
		.role = "waybill_jobs",
		.name = "waybill",
		.connect_ms = ASK_MS,
		.statement_ms = ASK_MS,
	};

	if (*options.url != '\0' &&
	    !ask(status, db_new(&options), "standby", "admin.standby"))
		facts_add_text(
		    &status->facts, "standby", "error", status->error);
}

/* --- for people ---------------------------------------------------------- */

static long long
number(const struct status *status, const char *section, const char *name)
{
	return facts_number(&status->facts, section, name);
}

static const char *
text(const struct status *status, const char *section, const char *name)
{
	const char *found = facts_text(&status->facts, section, name);

	return found == NULL ? "?" : found;
}

/* main looks at stdout, here and below. */
static void
print_age(const char *before, long long seconds)
{
	(void)printf("%s%s%s", before,
	    seconds < 0 ? "never" : facts_age(seconds),
	    seconds < 0 ? "" : " ago");
}

static void
print_database(const struct status *status)
{
	if (facts_text(&status->facts, "database", "version") == NULL) {
		(void)printf("database    %s\n", status->error);
		return;
	}
	(void)printf("database    PostgreSQL %.*s, schema %s%s, %lld MB, "
		     "answers in %.1f ms\n",
	    (int)strcspn(text(status, "database", "version"), " "),
	    text(status, "database", "version"),
	    text(status, "database", "schema_version"),
	    *text(status, "database", "is_in_recovery") == 't' ? ", a standby"
							       : "",
	    number(status, "traffic", "database_bytes") / 1000000,
	    (double)number(status, "database", "latency_us") / 1000);
	if (!status->has_database)
		(void)printf("            but it does not tell all: %s\n",
		    status->error);
}

static void
print_standby(const struct status *status)
{
	const char *error = facts_text(&status->facts, "standby", "error");
	long long lag_s = number(status, "standby", "lag_s");

	if (error != NULL)
		(void)printf("standby     %s\n", error);
	else if (lag_s >= 0)
		(void)printf("standby     %s behind\n", facts_age(lag_s));
}

static void
print_pools(const struct status *status)
{
	for (int i = 0; i < POOL_COUNT; i++) {
		const char *name = pools[i].name;

		if (number(status, name, "workers") < 0) {
			(void)printf("%-10s  not running, or not to be seen "
				     "by this user (sudo)\n",
			    name);
			continue;
		}
		(void)printf("%-10s  workers %lld, busy %lld, at most %lld; "
			     "requests %lld, errors %lld in %s\n",
		    name, number(status, name, "workers"),
		    number(status, name, "busy"), number(status, name, "limit"),
		    number(status, name, "requests"),
		    number(status, name, "errors"),
		    facts_age(number(status, name, "up_s")));
	}
}

static void
print_spool(const struct status *status)
{
	const char *error = facts_text(&status->facts, "spool", "error");

	if (error != NULL) {
		(void)printf(
		    "spool       %s: %s\n", status->conf->spool_dir, error);
		return;
	}
	(void)printf(
	    "spool       waiting %lld", number(status, "spool", "waiting"));
	if (number(status, "spool", "waiting") > 0)
		(void)printf(" (%lld bytes), the oldest for %s",
		    number(status, "spool", "bytes"),
		    facts_age(number(status, "spool", "oldest_s")));
	(void)printf("; refused %lld\n", number(status, "spool", "refused"));
}

static void
print_work(const struct status *status)
{
	long long drift = number(status, "work", "drift_day");

	(void)printf("requests    in the last minute %s, in the last hour %s, "
		     "failed of these %s\n",
	    text(status, "traffic", "requests_minute"),
	    text(status, "traffic", "requests_hour"),
	    text(status, "traffic", "errors_hour"));
	(void)printf("jobs        queued %s, failed for good %s",
	    text(status, "work", "queued"), text(status, "work", "failed"));
	print_age(
	    "; waybill jobs last seen ", number(status, "work", "heartbeat_s"));
	(void)printf("\nbulk calls  items to be sent %s",
	    text(status, "work", "bulk_items"));
	if (number(status, "work", "bulk_overdue_s") > 60)
		(void)printf("; nobody has gone on for %s",
		    facts_age(number(status, "work", "bulk_overdue_s")));
	print_age("\nrefresh     ", number(status, "work", "refreshed_s"));
	(void)printf("; sums found wrong in the last day: %lld; changes to be "
		     "merged: %s",
	    drift < 0 ? 0 : drift, text(status, "work", "unmerged"));
	print_age("\nreconcile   ", number(status, "work", "reconciled_s"));
	(void)printf("; lists of a day that are incomplete: %s\n",
	    text(status, "work", "incomplete"));
	(void)printf("events      not applied %s%s\n",
	    text(status, "work", "failed_events"),
	    status->event_count > 0 ? "; the newest:" : "");
	for (int i = 0; i < status->event_count; i++)
		(void)printf("  %s  %-8s %-24s %s\n", status->events[i].at,
		    status->events[i].state, status->events[i].description,
		    status->events[i].object_id);
}

static void
print_text(const struct status *status)
{
	(void)printf("Waybill %s, %s UTC\n\n", text(status, "", "version"),
	    text(status, "", "time"));
	print_database(status);
	print_standby(status);
	print_pools(status);
	print_spool(status);
	if (status->has_database)
		print_work(status);
}

/* --- for machines -------------------------------------------------------- */

static bool
print_json(const struct status *status)
{
	struct buf out;
	bool is_whole;

	buf_init(&out, TEXT_MAX_BYTES);
	(void)buf_add_byte(&out, '{'); /* failed is looked at below */
	facts_add_json(&status->facts, &out);
	(void)buf_add_string(&out, ",\"newest_events\":[");
	for (int i = 0; i < status->event_count; i++) {
		const struct event *event = &status->events[i];

		(void)buf_addf(&out, "%s{\"received_at\":", i == 0 ? "" : ",");
		facts_add_string(&out, event->at);
		(void)buf_add_string(&out, ",\"description\":");
		facts_add_string(&out, event->description);
		(void)buf_add_string(&out, ",\"state\":");
		facts_add_string(&out, event->state);
		(void)buf_add_string(&out, ",\"object_id\":");
		facts_add_string(&out, event->object_id);
		(void)buf_add_byte(&out, '}');
	}
	(void)buf_add_string(&out, "]}\n");
	is_whole = !out.failed;
	if (is_whole)
		(void)fputs(out.data, stdout); /* main looks at the end */
	buf_free(&out);
	return is_whole;
}

/* --- the command --------------------------------------------------------- */

static void
look_at_all(struct status *status)
{
	time_t now = time(NULL);
	struct tm parts = { 0 };
	char at[32];

	(void)gmtime_r(&now, &parts); /* a time of this century has its parts */
	(void)strftime(at, sizeof(at), "%F %T", &parts); /* fits */
	facts_add_text(&status->facts, "", "version", WAYBILL_VERSION);
	facts_add_text(&status->facts, "", "time", at);
	look_at_pools(status);
	look_at_spool(status);
	look_at_database(status);
	look_at_standby(status);
}

int
status_run(const struct conf *conf, int count, char **words)
{
	static struct status status; /* big, and there is one */
	bool is_json = count == 2 && strcmp(words[1], "--json") == 0;
	struct buf said;

	if (count != 1 && !is_json)
		return CTL_USAGE;
	status.conf = conf;
	buf_init(&said, FACTS_TEXT_MAX);
	if (!service_become_user(conf, &said)) {
		(void)fprintf(stderr, "waybill: %s\n", said.data);
		return CTL_FAILED;
	}
	buf_free(&said);
	look_at_all(&status);
	if (is_json)
		return print_json(&status) ? CTL_OK : CTL_FAILED;
	print_text(&status);
	return CTL_OK;
}
