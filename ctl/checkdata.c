/*
 * The database as the services reach it: with their login, and no other.
 */
#include "ctl/books.h"
#include "ctl/check.h"
#include "ctl/machine.h"
#include "ctl/session.h"
#include "shared/clock.h"
#include "shared/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CONNECT_MS = 5000,
	ASK_MS = 3000,
	SCHEMA_MS = 8000, /* every definition is looked at */
	ERROR_MAX_BYTES = VERDICT_TEXT_MAX,
	VERSION_LEAST = 15,
	STANDBY_LATE_S = 30,
	LOGIN_MAX = 80,
};

static const char migrate[] = "sudo -u postgres -g waybill waybill migrate up";

/* Big, and there is one. */
static struct sqlfiles files;
static struct books books;

/* --- asking one thing ---------------------------------------------------- */

struct text {
	char bytes[LOGIN_MAX];
};

/* db_row_function */
static bool
take_text(void *context, const struct db_row *row)
{
	struct text *text = context;
	const char *value = db_column(row, 0, NULL);

	/* A name that is cut is good enough. */
	(void)snprintf(
	    text->bytes, sizeof(text->bytes), "%s", value == NULL ? "" : value);
	return true;
}

/* What a function of PostgreSQL's says, with one text and perhaps another. */
static bool
ask(struct check *check, struct db *db, const char *function,
    const char *values[2], struct text *text)
{
	const struct db_value given[] = { db_text(values[0]),
		db_text(values[1]) };
	const struct db_call call = { .function = function,
		.values = given,
		.count = values[0] == NULL ? 0
		    : values[1] == NULL    ? 1
					   : 2,
		.deadline_ms = check_until_ms(check, ASK_MS) };

	*text->bytes = '\0';
	return db_call(db, &call, take_text, text) == DB_OK;
}

static bool
ask_setting(struct check *check, const char *name, struct text *text)
{
	const char *values[2] = { name, NULL };

	return ask(
	    check, check->login, "pg_catalog.current_setting", values, text);
}

/* --- reaching it --------------------------------------------------------- */

/* By the SQLSTATE with which it lets nobody in, in whatever language; that of a role
 * has several reasons, which only the words tell apart, in English.  What libpq
 * says itself has no code. */
static const struct {
	const char *sqlstate;
	const char *words;
	const char *cure;
} reasons[] = {
	{ "28000", "role \"",
	    "sudo -u postgres createuser waybill (its name has to be "
	    "that of DATABASE_URL)" },
	{ "28000", "authentication failed",
	    "over the socket there is no password (peer), but the login has to "
	    "be named as the user: "
	    "DATABASE_URL=postgresql://waybill@/waybill" },
	{ "28000", "no pg_hba.conf entry",
	    "on PostgreSQL's host: echo 'host waybill waybill ADDRESS/32 "
	    "scram-sha-256' >> /etc/postgresql/15/main/pg_hba.conf; systemctl "
	    "reload postgresql" },
	{ "28000", "",
	    "sudo -u postgres psql -c '\\du' has to list the login of "
	    "DATABASE_URL (if not: sudo -u postgres createuser waybill); over "
	    "the socket it has to be named as the user: waybill; over the "
	    "network pg_hba.conf needs a line for it" },
	{ "28P01", "",
	    "sudo -u postgres psql -c '\\password waybill' sets the one that "
	    "DATABASE_URL has" },
	{ "3D000", "",
	    "sudo -u postgres createdb waybill (its name has to be "
	    "that of DATABASE_URL)" },
	{ "42501", "",
	    "sudo -u postgres psql -c 'grant connect on database waybill to "
	    "waybill' (their names as in DATABASE_URL)" },
	{ "53300", "",
	    "waybill tune tells how many there should be; sudo -u postgres "
	    "psql "
	    "-c 'alter system set max_connections = 200'; systemctl restart "
	    "postgresql" },
	{ "", "URL is malformed",
	    "DATABASE_URL=postgresql://USER@HOST:5432/waybill, or "
	    "postgresql:///waybill for the one on this machine" },
	{ "", "no password supplied",
	    "cat > /etc/waybill/secrets/database-url (paste postgresql://"
	    "waybill:PASSWORD@HOST/waybill, Enter, Ctrl-D); systemctl restart "
	    "waybill-read waybill-webhook waybill-upstream waybill-jobs" },
	{ "", "could not translate host name",
	    "getent hosts NAME has to find the host of DATABASE_URL" },
	{ "", "no answer in time",
	    "the server hangs or is far too busy: top; df; journalctl -u "
	    "postgresql@* -n 20" },
	{ "", "",
	    "pg_lsclusters; systemctl start postgresql; journalctl -u "
	    "postgresql@* -n 20" },
};

static void
tell_away(const struct db *db, struct verdict *verdict)
{
	const struct db_error *error = db_error(db);
	size_t i = 0;

	/* The last one is of every error. */
	while ((*reasons[i].sqlstate != '\0' &&
		   strcmp(error->sqlstate, reasons[i].sqlstate) != 0) ||
	    strstr(error->message, reasons[i].words) == NULL)
		i++;
	verdict_set(
	    verdict, VERDICT_FAIL, "it cannot be reached: %s", error->message);
	verdict_cure(verdict, "%s", reasons[i].cure);
}

static void
judge_server(
    const struct text *number, struct check *check, struct verdict *verdict)
{
	long version = strtol(number->bytes, NULL, 10) / 10000;
	const char *none[2] = { NULL, NULL };
	struct text text;

	if (version < VERSION_LEAST) {
		verdict_set(verdict, VERDICT_FAIL,
		    "PostgreSQL %ld is too old: it has to be %d or newer",
		    version, VERSION_LEAST);
		verdict_cure(verdict,
		    "apt install postgresql; pg_upgradecluster %ld main",
		    version);
	} else if (ask(check, check->login, "pg_catalog.pg_is_in_recovery",
		       none, &text) &&
	    *text.bytes == 't') {
		verdict_set(verdict, VERDICT_FAIL,
		    "it is a standby: nothing can be recorded there");
		verdict_cure(verdict,
		    "DATABASE_URL has to name the primary, DATABASE_READ_URL "
		    "may name a standby");
	}
}

void
check_database(struct check *check, int subject, struct verdict *verdict)
{
	struct db *db;
	struct text number;
	struct text version;
	int64_t started_us;

	(void)subject;
	if (*check->conf.secrets.database_url == '\0' &&
	    check->secrets == CREDENTIALS_HIDDEN) {
		verdict_set(
		    verdict, VERDICT_SKIP, "%s", session_unset(&check->conf));
		verdict_cure(verdict, "sudo waybill check");
		return;
	}
	if (*check->conf.secrets.database_url == '\0') {
		verdict_set(verdict, VERDICT_WARN,
		    "DATABASE_URL is not set: nothing is recorded");
		verdict_cure(verdict, "DATABASE_URL=postgresql:///waybill");
		return;
	}
	if (check->conf.database_connect_ms > CONNECT_MS)
		check->conf.database_connect_ms = CONNECT_MS;
	db = session_open(&check->conf, NULL, ASK_MS);
	check->login = db;
	if (!ask_setting(check, "server_version_num", &number)) {
		tell_away(db, verdict);
		check->login = NULL;
		return;
	}
	started_us = clock_us();
	if (!ask_setting(check, "server_version", &version)) {
		tell_away(db, verdict);
		check->login = NULL;
		return;
	}
	check->is_remote = db_is_remote(db);
	verdict_set(verdict, VERDICT_OK, "PostgreSQL %.*s, answers in %.1f ms",
	    (int)strcspn(version.bytes, " "), version.bytes,
	    (double)(clock_us() - started_us) / 1000);
	judge_server(&number, check, verdict);
}

/* --- who we are there ---------------------------------------------------- */

/* Of a role that there is not nobody is a member. */
static bool
is_member(struct check *check, const char *role)
{
	const char *values[2] = { role, "MEMBER" };
	struct text text;

	return ask(check, check->login, "pg_catalog.pg_has_role", values,
		   &text) &&
	    *text.bytes == 't';
}

static bool
is_role(struct check *check, const char *role)
{
	const char *values[2] = { role, NULL };
	struct text text;

	return ask(check, check->login, "pg_catalog.to_regrole", values,
		   &text) &&
	    *text.bytes != '\0';
}

/* The connection of those that follow. */
static void
open_jobs(struct check *check, struct verdict *verdict)
{
	const char *none[2] = { NULL, NULL };
	struct text text;

	check->jobs = session_open(&check->conf, "waybill_jobs", SCHEMA_MS);
	if (ask(check, check->jobs, "pg_catalog.pg_backend_pid", none, &text))
		return;
	tell_away(check->jobs, verdict);
	check->jobs = NULL;
}

void
check_rights(struct check *check, int subject, struct verdict *verdict)
{
	struct text login;
	struct text is_superuser;

	(void)subject;
	if (!ask_setting(check, "session_authorization", &login) ||
	    !ask_setting(check, "is_superuser", &is_superuser)) {
		tell_away(check->login, verdict);
		return;
	}
	verdict_set(verdict, VERDICT_OK,
	    "%s is in waybill_worker and waybill_jobs, and no more",
	    login.bytes);
	if (!is_role(check, "waybill_worker") ||
	    !is_role(check, "waybill_jobs")) {
		verdict_set(verdict, VERDICT_FAIL,
		    "the database has never been migrated");
		verdict_cure(verdict, "%s", migrate);
		return;
	}
	if (!is_member(check, "waybill_worker") ||
	    !is_member(check, "waybill_jobs")) {
		verdict_set(verdict, VERDICT_FAIL,
		    "%s is not in both waybill_worker and waybill_jobs",
		    login.bytes);
		verdict_cure(verdict,
		    "sudo -u postgres psql -c 'grant waybill_worker, "
		    "waybill_jobs to \"%s\"'",
		    login.bytes);
		return;
	}
	open_jobs(check, verdict);
	if (strcmp(is_superuser.bytes, "on") == 0) {
		verdict_set(verdict, VERDICT_FAIL,
		    "%s is a superuser: a fault of a service could do anything",
		    login.bytes);
		verdict_cure(verdict,
		    "sudo -u postgres createuser waybill; sudo -u postgres "
		    "psql "
		    "-c 'grant waybill_worker, waybill_jobs to waybill'; then "
		    "DATABASE_URL=postgresql://waybill@/waybill");
	} else if (is_member(check, "waybill_owner")) {
		verdict_set(verdict, VERDICT_FAIL,
		    "%s owns the schema: a fault of a service could drop it",
		    login.bytes);
		verdict_cure(verdict,
		    "sudo -u postgres createuser waybill; sudo -u postgres "
		    "psql "
		    "-c 'grant waybill_worker, waybill_jobs to waybill'; then "
		    "DATABASE_URL=postgresql://waybill@/waybill");
	}
}

/* --- the schema ---------------------------------------------------------- */

static void
judge_books(struct check *check, struct verdict *verdict)
{
	verdict_set(verdict, VERDICT_OK,
	    "version %d of %d, functions of %s, %s UTC", books.version,
	    files.migration_count, books.program_version, books.deployed_at);
	for (int i = 0; i < books.version; i++) {
		const char *how = books_edited(&books, &files, i);

		if (how == NULL)
			continue;
		verdict_set(verdict, VERDICT_FAIL, "migration %s: %s",
		    books.applied[i].name, how);
		verdict_cure(verdict,
		    i < files.migration_count
			? "apt install --reinstall ./waybill_*.deb"
			: "apt install ./waybill_*.deb, of the newer version");
		return;
	}
	if (books.version < files.migration_count) {
		verdict_set(verdict, VERDICT_FAIL,
		    "version %d of %d: %s and others are not applied",
		    books.version, files.migration_count,
		    files.migrations[books.version].name);
		verdict_cure(verdict, "%s", migrate);
	} else if (!books_are_deployed(&books, &files)) {
		verdict_set(verdict, VERDICT_FAIL,
		    "the functions and views are not those of this program");
		verdict_cure(verdict, "%s", migrate);
	}
	check->has_schema = books_are_deployed(&books, &files) &&
	    books.version == files.migration_count;
}

/* What somebody changed by hand. */
static void
look_for_changes(struct check *check, struct verdict *verdict)
{
	const struct db_call call = { .function = "admin.schema_changes",
		.deadline_ms = check_until_ms(check, SCHEMA_MS) };
	struct facts *facts = &check->facts;
	long long changes;
	const char *first;

	if (facts_add_call(facts, "changes", check->jobs, &call) != DB_OK) {
		tell_away(check->jobs, verdict);
		check->jobs = NULL;
		return;
	}
	changes = facts_number(facts, "changes", "changes");
	first = facts_text(facts, "changes", "first");
	if (changes == 0)
		return;
	verdict_set(verdict, VERDICT_FAIL,
	    "changed since it was deployed: %s (in all: %lld)",
	    first == NULL ? "" : first, changes);
	verdict_cure(verdict,
	    "sudo -u postgres -g waybill waybill migrate verify shows them "
	    "all");
}

void
check_schema(struct check *check, int subject, struct verdict *verdict)
{
	enum db_status status;
	struct buf error;

	(void)subject;
	buf_init(&error, ERROR_MAX_BYTES);
	if (!sqlfiles_read(check->conf.sql_dir, &files, &error)) {
		verdict_set(verdict, VERDICT_FAIL, "%s", error.data);
		verdict_cure(verdict,
		    "WAYBILL_SQL_DIR has to name the installed SQL; apt "
		    "install "
		    "--reinstall ./waybill_*.deb");
		buf_free(&error);
		return;
	}
	buf_free(&error);
	status = books_look(check->jobs, &books, check_until_ms(check, ASK_MS));
	if (status == DB_OK) {
		judge_books(check, verdict);
	} else if (status == DB_REFUSED) {
		verdict_set(verdict, VERDICT_FAIL,
		    "the functions of this program are not there: %s",
		    db_error(check->jobs)->message);
		verdict_cure(verdict, "%s", migrate);
	} else {
		tell_away(check->jobs, verdict);
		check->jobs = NULL;
	}
	if (check->has_schema && verdict->state == VERDICT_OK)
		look_for_changes(check, verdict);
}

/* --- the standby ---------------------------------------------------------- */

static const char no_standby[] =
    "DATABASE_READ_URL has to name a standby of DATABASE_URL's server, or be "
    "empty; then: systemctl reload waybill-read";

/* With the login that the workers have there. */
static struct db *
open_standby(struct check *check)
{
	static struct conf conf; /* as long as the connection */

	conf = check->conf;
	conf.secrets.database_url = conf.secrets.database_read_url;
	return session_open(&conf, "waybill_jobs", ASK_MS);
}

static void
judge_standby(const struct facts *facts, struct verdict *verdict)
{
	const char *is_standby = facts_text(facts, "standby", "is_standby");
	long long lag_s = facts_number(facts, "standby", "lag_s");

	verdict_set(verdict, VERDICT_OK, "it is %s behind", facts_age(lag_s));
	if (is_standby == NULL || *is_standby != 't') {
		verdict_set(verdict, VERDICT_WARN,
		    "DATABASE_READ_URL names no standby: what is read there "
		    "may never change");
		verdict_cure(verdict, "%s", no_standby);
	} else if (lag_s > STANDBY_LATE_S) {
		verdict_set(verdict, VERDICT_WARN, "the standby is %s behind",
		    facts_age(lag_s));
		verdict_cure(verdict,
		    "sudo -u postgres psql -c 'select application_name, state, "
		    "replay_lag from pg_stat_replication'");
	}
}

void
check_standby(struct check *check, int subject, struct verdict *verdict)
{
	const struct db_call call = { .function = "admin.standby",
		.deadline_ms = check_until_ms(check, ASK_MS) };
	enum db_status status;
	struct db *db;

	(void)subject;
	if (*check->conf.secrets.database_read_url == '\0') {
		verdict_set(verdict, VERDICT_OK,
		    "DATABASE_READ_URL is not set: the primary is read");
		return;
	}
	db = open_standby(check);
	status = books_look(db, &books, check_until_ms(check, ASK_MS));
	check->is_read_remote = db_is_remote(db);
	if (status == DB_OK && books_are_deployed(&books, &files) &&
	    facts_add_call(&check->facts, "standby", db, &call) == DB_OK) {
		judge_standby(&check->facts, verdict);
	} else if (status == DB_OK || status == DB_REFUSED) {
		verdict_set(verdict, VERDICT_FAIL,
		    "the server of DATABASE_READ_URL has not the schema of "
		    "this program");
		verdict_cure(verdict, "%s", no_standby);
	} else {
		tell_away(db, verdict);
	}
	db_close(db);
}

/* --- connections --------------------------------------------------------- */

/* "read 15 + webhook 10 + upstream 25 + ..." */
static void
write_needs(const struct conf *conf, struct buf *out)
{
	for (int i = 0; i < POOL_COUNT; i++)
		(void)buf_addf(out, "%s %d + ", pools[i].name,
		    pool_limit(&pools[i], conf)); /* all fits */
	if (*conf->secrets.database_read_url != '\0')
		(void)buf_addf(
		    out, "standby %d + ", pool_limit(&pools[POOL_READ], conf));
	(void)buf_add_string(out, "commands 4");
}

static void
judge_connections(
    const struct conf *conf, const struct facts *facts, struct verdict *verdict)
{
	long long most = facts_number(facts, "connections", "max_connections");
	long long taken = facts_number(facts, "connections", "reserved") +
	    facts_number(facts, "connections", "others") +
	    facts_number(facts, "connections", "elsewhere");
	int needed = pool_connections(conf);
	int reload = pool_reload_connections(conf);
	struct buf needs;

	buf_init(&needs, VERDICT_TEXT_MAX);
	write_needs(conf, &needs);
	verdict_set(verdict, needed > most - taken ? VERDICT_FAIL : VERDICT_OK,
	    "%d may be needed by this host (%s); there are %lld = "
	    "max_connections %lld - %lld reserved - %lld of others - %lld of "
	    "Waybill's other hosts",
	    needed, needs.data, most - taken, most,
	    facts_number(facts, "connections", "reserved"),
	    facts_number(facts, "connections", "others"),
	    facts_number(facts, "connections", "elsewhere"));
	if (needed <= most - taken && needed + reload > most - taken)
		verdict_set(verdict, VERDICT_WARN,
		    "%d may be needed by this host while it is reloaded and "
		    "all are busy; there are %lld = max_connections %lld - "
		    "%lld in use elsewhere or reserved",
		    needed + reload, most - taken, most, taken);
	if (verdict->state != VERDICT_OK)
		verdict_cure(verdict,
		    "sudo -u postgres psql -c 'alter system set "
		    "max_connections = %lld'; systemctl restart postgresql; or "
		    "a smaller WORKERS_OVERFLOW",
		    needed + reload + taken);
	buf_free(&needs);
}

void
check_connections(struct check *check, int subject, struct verdict *verdict)
{
	char host[MACHINE_NAME_BYTES];
	const struct db_value name = db_text(machine_name(host));
	const struct db_call call = { .function = "admin.connections",
		.values = &name,
		.count = 1,
		.deadline_ms = check_until_ms(check, ASK_MS) };

	(void)subject;
	if (facts_add_call(&check->facts, "connections", check->jobs, &call) ==
	    DB_OK) {
		judge_connections(&check->conf, &check->facts, verdict);
		return;
	}
	tell_away(check->jobs, verdict);
	check->jobs = NULL;
}
