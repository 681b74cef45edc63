/*
 * waybill jobs: what has to happen in the background, for ever.
 *
 * Every second what waits in the spool and what the pools noted of their requests
 * goes into the database, the figures of changed shipments are merged, and what is
 * due in the queue is done; every minute it is noted what the machine is doing, every
 * hour the partitions are kept.  Several hosts may run it: a spool belongs to one host, a
 * job to whoever has locked it, and the functions are idempotent.
 * What must stay true: a record leaves the spool only when the database has it,
 * or has said that it will never take it; and one that has to wait, for a lock
 * that somebody holds or because it is much work, holds up no other.  However
 * much waits in the spool, figures are merged every second.
 */
#include "ctl/activities.h"
#include "ctl/commands.h"
#include "ctl/load.h"
#include "ctl/machine.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/notify.h"
#include "shared/spool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	ROUND_S = 1,
	RECORD_MS = 30000, /* half of what the watchdog allows */
	FIRST_MS = 2000,   /* what takes longer has its time now and then */
	LONG_MS = 10000,
	LONG_EVERY = 60, /* rounds */
	JOBS_A_ROUND = 20,
	PASSED_MS = 500, /* after one in this round had to be passed over */
	ASK_MS = 2000,
	MACHINE_MS = 5000,
	MACHINE_EVERY_MS = 60 * 1000,
	MACHINE_BYTES_MAX = 1024,
	FIGURES_EVERY_MS = 1000,
	PARTITIONS_MS = 30000, /* the same */
	PARTITIONS_EVERY_MS = 3600 * 1000,
	PARTITIONS_AGAIN_MS = 60 * 1000, /* after a failure */
};

struct jobs {
	const struct conf *conf;
	struct db *db; /* NULL: nothing is recorded here, and nothing spooled */
	struct machine machine;
	int64_t machine_at_ms;
	int64_t partitions_at_ms;
	int64_t figures_at_ms;
	unsigned rounds;
	int record_ms;   /* limit of one record; shorter after a late one */
	bool has_failed; /* in this round: the rest has no chance */
	bool has_passed; /* the same: one record has to wait, and only it */
	bool is_spool_broken; /* said once */
};

/* What says nothing against a record, but that now is not its time: no
 * connection, not authorised, the schema missing or in the making, a conflict,
 * no resources, stopped by somebody, trouble of the system. */
static const char *const passing[] = { "08", "25", "28", "3D", "3F", "40", "42",
	"53", "55", "57", "58" };

static bool
is_stopped(void)
{
	sigset_t pending;

	return sigpending(&pending) != 0 || sigismember(&pending, SIGTERM) ||
	    sigismember(&pending, SIGINT);
}

/* True when the database answers others. */
static bool
is_there(struct db *db)
{
	const struct db_call probe = { .function = "api.health",
		.deadline_ms = clock_ms() + ASK_MS };

	return db_call(db, &probe, NULL, NULL) == DB_OK;
}

/* A conflict with somebody, a lock, too much work for one statement. */
static bool
is_of_this_record(const char *sqlstate)
{
	return strncmp(sqlstate, "40", 2) == 0 ||
	    strcmp(sqlstate, "55P03") == 0 || strcmp(sqlstate, "57014") == 0;
}

static enum spool_verdict
judge(struct db *db, enum db_status status)
{
	char sqlstate[6];

	if (status == DB_OK)
		return SPOOL_DONE;
	memcpy(sqlstate, db_error(db)->sqlstate, sizeof(sqlstate));
	if (status == DB_LATE || is_of_this_record(sqlstate))
		return is_there(db) ? SPOOL_PASS : SPOOL_LATER;
	if (status != DB_REFUSED)
		return SPOOL_LATER;
	for (size_t i = 0; i < sizeof(passing) / sizeof(*passing); i++)
		if (strncmp(sqlstate, passing[i], 2) == 0)
			return SPOOL_LATER;
	return SPOOL_BAD;
}

static enum db_status
record(struct jobs *jobs, const struct spool_record *kept)
{
	char status[16];

	(void)snprintf(status, sizeof(status), "%d", kept->status); /* fits */
	const struct db_value answer[] = { db_text(kept->method),
		db_text(kept->path), db_text(kept->query), db_text(status),
		db_bytes(kept->body, kept->body_bytes), db_text(kept->mode),
		db_text(kept->request_id) };
	const struct db_value webhook[] = { db_bytes(
						kept->body, kept->body_bytes),
		db_text(kept->request_id) };
	static const char *const functions[] = {
		[SPOOL_ANSWER] = "api.record_answer",
		[SPOOL_WEBHOOK] = "api.receive_webhook",
		[SPOOL_ITEM] = "api.record_bulk_item",
	};
	bool is_webhook = kept->kind == SPOOL_WEBHOOK;
	const struct db_call call = {
		.function = functions[kept->kind],
		.values = is_webhook ? webhook : answer,
		.count = is_webhook ? 2 : 7,
		.deadline_ms = clock_ms() + jobs->record_ms,
	};

	return db_call(jobs->db, &call, NULL, NULL);
}

/* Reads add what is not merged, so that one round more or less changes no figure,
 * only what it costs to read it. */
static void
keep_figures(struct jobs *jobs)
{
	static const char *const functions[] = { "admin.merge_figures",
		"admin.make_dashboards" };

	if (clock_ms() < jobs->figures_at_ms)
		return;
	for (size_t i = 0; i < 2 && !jobs->has_failed && !is_stopped(); i++) {
		const struct db_call call = { .function = functions[i],
			.deadline_ms = clock_ms() + RECORD_MS };

		notify_send("WATCHDOG=1");
		if (db_call(jobs->db, &call, NULL, NULL) != DB_OK)
			jobs->has_failed = true;
	}
	jobs->figures_at_ms = clock_ms() + FIGURES_EVERY_MS;
}

static enum spool_verdict
bring(void *context, const struct spool_record *kept, const char **reason)
{
	static char said[DB_MESSAGE_MAX + 16];
	struct jobs *jobs = context;
	enum spool_verdict verdict;

	if (is_stopped())
		return SPOOL_LATER;
	keep_figures(jobs);
	notify_send("WATCHDOG=1");
	verdict = judge(jobs->db, record(jobs, kept));
	if (verdict == SPOOL_LATER)
		jobs->has_failed = true;
	if (verdict == SPOOL_PASS) {
		jobs->has_passed = true;
		jobs->record_ms = PASSED_MS;
	}
	if (verdict == SPOOL_BAD) {
		(void)snprintf(said, sizeof(said), "%s: %s",
		    db_error(jobs->db)->sqlstate,
		    db_error(jobs->db)->message); /* fits */
		*reason = said;
		log_event(LOG_CRITICAL, "jobs.refused",
		    LOG_TEXT("request_id", kept->request_id),
		    LOG_TEXT("sqlstate", db_error(jobs->db)->sqlstate));
	}
	return verdict;
}

static void
drain(struct jobs *jobs)
{
	int done = 0;
	bool is_broken;

	jobs->record_ms = ++jobs->rounds % LONG_EVERY == 0 ? LONG_MS : FIRST_MS;
	/* One that somebody else drains at this moment is well. */
	is_broken = !spool_drain(jobs->conf->spool_dir, bring, jobs, &done) &&
	    errno != EWOULDBLOCK;
	if (is_broken) {
		jobs->has_failed = true;
		if (!jobs->is_spool_broken)
			log_event(LOG_ERROR, "jobs.spool",
			    LOG_TEXT("reason", strerror(errno)),
			    LOG_TEXT("path", jobs->conf->spool_dir));
	}
	jobs->is_spool_broken = is_broken;
	if (done > 0)
		log_event(
		    LOG_NOTICE, "jobs.drained", LOG_NUMBER("records", done));
}

static bool
count_row(void *context, const struct db_row *row)
{
	(void)row; /* the database keeps what was made */
	++*(int *)context;
	return true;
}

static void
keep_partitions(struct jobs *jobs)
{
	const struct db_call call = { .function = "admin.maintain_partitions",
		.deadline_ms = clock_ms() + PARTITIONS_MS };
	const struct db_call forget = { .function = "admin.forget_jobs",
		.deadline_ms = call.deadline_ms };
	int changed = 0;

	if (clock_ms() < jobs->partitions_at_ms)
		return;
	if (db_call(jobs->db, &call, count_row, &changed) != DB_OK ||
	    db_call(jobs->db, &forget, NULL, NULL) != DB_OK) {
		jobs->has_failed = true;
		jobs->partitions_at_ms = clock_ms() + PARTITIONS_AGAIN_MS;
		return;
	}
	jobs->partitions_at_ms = clock_ms() + PARTITIONS_EVERY_MS;
	if (changed > 0)
		log_event(LOG_NOTICE, "jobs.partitions",
		    LOG_NUMBER("changed", changed));
}

/* One row of system_metrics a minute; the first look only begins to count. */
static void
note_machine(struct jobs *jobs)
{
	char host[MACHINE_NAME_BYTES];
	struct buf out;

	if (clock_ms() < jobs->machine_at_ms)
		return;
	buf_init(&out, MACHINE_BYTES_MAX);
	(void)buf_add_byte(&out, '{');
	machine_look(&jobs->machine, jobs->conf->spool_dir, &out);
	(void)buf_add_byte(&out, ',');
	load_look(jobs->conf, &out);
	(void)buf_add_byte(&out, '}');
	const struct db_value values[] = { db_text(machine_name(host)),
		db_text(out.data) };

	if (jobs->machine_at_ms > 0 &&
	    db_call(jobs->db,
		&(struct db_call){ .function = "admin.record_system_metrics",
		    .values = values,
		    .count = 2,
		    .deadline_ms = clock_ms() + MACHINE_MS },
		NULL, NULL) != DB_OK)
		jobs->has_failed = true;
	buf_free(&out);
	jobs->machine_at_ms = clock_ms() + MACHINE_EVERY_MS;
}

/* What one job came to. */
struct outcome {
	char word[16]; /* "": nothing was due */
	char id[40];
};

/* db_row_function */
static bool
take_outcome(void *context, const struct db_row *row)
{
	struct outcome *outcome = context;
	const char *error = session_text(row, "error");

	(void)snprintf(outcome->word, sizeof(outcome->word), "%s",
	    session_text(row, "outcome"));
	(void)snprintf(outcome->id, sizeof(outcome->id), "%s",
	    session_text(row, "id")); /* both fit */
	if (*error != '\0')
		log_event(strcmp(outcome->word, "failed") == 0 ? LOG_ERROR
							       : LOG_WARNING,
		    "jobs.failed", LOG_TEXT("job", outcome->id),
		    LOG_TEXT("kind", session_text(row, "kind")),
		    LOG_TEXT("state", outcome->word), LOG_TEXT("error", error));
	return true;
}

/* Some of what is due in the queue: the spool waits meanwhile. */
static void
work_queue(struct jobs *jobs)
{
	for (int i = 0; i < JOBS_A_ROUND && !is_stopped(); i++) {
		struct outcome outcome = { "", "" };
		const struct db_call call = { .function = "admin.work_job",
			.deadline_ms = clock_ms() + RECORD_MS };

		notify_send("WATCHDOG=1");
		if (db_call(jobs->db, &call, take_outcome, &outcome) != DB_OK)
			jobs->has_failed = true;
		if (jobs->has_failed || *outcome.word == '\0')
			return;
	}
}

static void
work(struct jobs *jobs)
{
	jobs->has_failed = jobs->has_passed = false;
	if (jobs->db == NULL)
		return;
	drain(jobs);
	jobs->figures_at_ms = 0; /* of what has just been drained, too */
	keep_figures(jobs);
	if (!activities_bring(jobs->conf->run_dir, jobs->db, is_stopped))
		jobs->has_failed = true;
	if (!jobs->has_failed)
		work_queue(jobs);
	if (!is_stopped())
		note_machine(jobs);
	if (!is_stopped())
		keep_partitions(jobs);
}

static void
work_until_stopped(struct jobs *jobs, const sigset_t *stop)
{
	static const struct timespec rest = { .tv_sec = ROUND_S };

	notify_send("READY=1");
	log_event(LOG_NOTICE, "jobs.started",
	    LOG_TEXT("spool", jobs->conf->spool_dir),
	    LOG_TEXT("database", jobs->db == NULL ? "none" : "configured"));
	do {
		notify_send("WATCHDOG=1");
		work(jobs);
	} while (sigtimedwait(stop, NULL, &rest) < 0);
	notify_send("STOPPING=1");
	log_event(LOG_NOTICE, "jobs.stopped", LOG_NUMBER("pid", getpid()));
}

/* --- for the operator ------------------------------------------------------------ */

static int
list(const struct conf *conf)
{
	const struct db_call call = { .function = "admin.jobs",
		.deadline_ms = clock_ms() + RECORD_MS };
	struct db *db = session_open(conf, "waybill_jobs", RECORD_MS);
	int status = CTL_OK;

	if (table_print(db, &call) != DB_OK)
		status = session_failed(db, "the queue was not read");
	db_close(db);
	return status;
}

/* db_row_function */
static bool
print_queued(void *context, const struct db_row *row)
{
	*(bool *)context = strcmp(session_text(row, "queued"), "0") != 0;
	(void)printf("%s queued again.\n",
	    session_text(row, "queued")); /* main looks at the end */
	return true;
}

static int
retry(const struct conf *conf, const char *id)
{
	const struct db_value value =
	    db_text(strcmp(id, "all") == 0 ? NULL : id);
	const struct db_call call = { .function = "admin.retry_jobs",
		.values = &value,
		.count = 1,
		.deadline_ms = clock_ms() + RECORD_MS };
	struct db *db = session_open(conf, "waybill_jobs", RECORD_MS);
	bool is_any = false;
	int status;

	status = db_call(db, &call, print_queued, &is_any) == DB_OK
	    ? CTL_OK
	    : session_failed(db, "nothing was queued");
	db_close(db);
	return status == CTL_OK && !is_any && value.data != NULL ? CTL_FAILED
								 : status;
}

/* --- the command ----------------------------------------------------------------- */

static int
run(const struct conf *conf, bool is_once)
{
	struct jobs jobs = { .conf = conf };
	struct db_options options = {
		.url = conf->secrets.database_url,
		.role = "waybill_jobs",
		.name = "waybill-jobs",
		.connect_ms = conf->database_connect_ms,
		.statement_ms = conf->database_command_ms,
		.recycle_s = conf->database_recycle_s,
		.echo = conf->database_echo,
	};
	sigset_t stop;

	log_set_name("waybill-jobs");
	log_set_priority((enum log_priority)conf->log_priority);
	(void)sigemptyset(&stop);        /* these three */
	(void)sigaddset(&stop, SIGTERM); /* cannot */
	(void)sigaddset(&stop, SIGINT);  /* fail */
	if (sigprocmask(SIG_BLOCK, &stop, NULL) != 0)
		log_fatal("jobs.start", strerror(errno));
	if (*options.url != '\0')
		jobs.db = db_new(&options);
	if (is_once)
		work(&jobs);
	else
		work_until_stopped(&jobs, &stop);
	if (jobs.db != NULL)
		db_close(jobs.db);
	return is_once && (jobs.has_failed || jobs.has_passed) ? CTL_FAILED
							       : CTL_OK;
}

int
jobs_run(const struct conf *conf, int count, char **words)
{
	if (count == 2 && strcmp(words[1], "list") == 0)
		return list(conf);
	if (count == 3 && strcmp(words[1], "retry") == 0)
		return retry(conf, words[2]);
	if (count == 1 || (count == 2 && strcmp(words[1], "--once") == 0))
		return run(conf, count == 2);
	return CTL_USAGE;
}
