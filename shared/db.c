/*
 * One connection to PostgreSQL (libpq), every wait with our own deadline.
 *
 * libpq's blocking calls wait for ever on a server that hangs, whatever its
 * timeouts say; so nothing here blocks but poll(2).  When the time is over the
 * connection is closed: no cancel request, which would be one more wait.
 * What must stay true: a call ends with the connection idle and clean, or
 * closed; nothing is repeated once a row was given out; no value, no password
 * is logged.
 */
#include "shared/db.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/pause.h"
#include "shared/sqlstate.h"
#include "shared/statement.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPTIONS_MAX = 512,
	CLIENT_CHECK_MS = 1000,
	IDLE_READS_MAX = 16, /* a server that says more while idle is broken */
};

_Static_assert((int)DB_VALUES_MAX == (int)STATEMENT_VALUES_MAX, "one limit");

struct db {
	struct db_options options;
	char server_options[OPTIONS_MAX];
	PGconn *conn; /* NULL, or connected */
	int64_t opened_ms;
	struct pause pause; /* between attempts to connect */
	int64_t spent_us;
	struct statements statements;
	struct db_error error;
};

struct db_row {
	const PGresult *result;
};

/* One answer while it is read. */
struct reading {
	db_row_function *row;
	db_row_function *no_row;
	void *context;
	int64_t deadline_ms;
	bool was_connected; /* a failure after this is one of this connection */
	bool has_given_row;
};

/* Keeps the first line of the message. */
static void
set_error(struct db_error *error, const char *sqlstate, const char *message)
{
	int bytes = (int)strcspn(message, "\n");

	/* None or five characters; a message may be cut. */
	(void)snprintf(
	    error->sqlstate, sizeof(error->sqlstate), "%s", sqlstate);
	(void)snprintf(
	    error->message, sizeof(error->message), "%.*s", bytes, message);
}

static enum db_status
fail(struct db *db, enum db_status status, const char *message)
{
	set_error(&db->error, "", message);
	return status;
}

static enum db_status
lost(struct db *db)
{
	return fail(db, DB_AWAY, PQerrorMessage(db->conn));
}

/* A server that lets nobody in says why in its own language.  libpq tells the
 * SQLSTATE only in a verbose message, "...FATAL:  28P01: ...".  One that would say
 * that a client's value is wrong is left out: nothing of a client's has been sent,
 * and PostgreSQL says 22023 of a role that is missing. */
static enum db_status
not_let_in(struct db *db)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *message = PQerrorMessage(db->conn);
	const char *at = strstr(message, ":  ");
	char state[sizeof(db->error.sqlstate)];
	char plain[DB_MESSAGE_MAX];

	if (at == NULL || strspn(at + 3, digits) != sizeof(state) - 1 ||
	    strncmp(at + 2 + sizeof(state), ": ", 2) != 0)
		return fail(db, DB_AWAY, message);
	at += 3;
	(void)snprintf(state, sizeof(state), "%s", at);
	/* Cut at most, as a message may be. */
	(void)snprintf(plain, sizeof(plain), "%.*s%s", (int)(at - message),
	    message, at + sizeof(state) + 1);
	set_error(&db->error, sqlstate_is_clients(state) ? "" : state, plain);
	return DB_AWAY;
}

static void
set_server_error(struct db_error *error, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	set_error(error, state == NULL ? "" : state, text == NULL ? "" : text);
}

static void
say(const struct db *db, enum log_priority priority, const char *event,
    const char *function, const struct db_error *error)
{
	log_event(priority, event, LOG_TEXT("function", function),
	    LOG_TEXT("sqlstate", error->sqlstate),
	    LOG_TEXT(
		"message", sqlstate_message(error->sqlstate, error->message)),
	    LOG_TEXT("connection", db->options.name));
}

static enum db_status
wait_for(struct db *db, short events, int64_t deadline_ms)
{
	struct pollfd one = { .fd = PQsocket(db->conn), .events = events };

	/* poll() would wait for a negative descriptor. */
	while (one.fd >= 0) {
		int ready = poll(&one, 1, clock_left_ms(deadline_ms));

		if (ready > 0)
			return DB_OK;
		if (ready < 0 && errno != EINTR)
			break;
		if (ready == 0 && clock_left_ms(deadline_ms) == 0)
			return fail(db, DB_LATE, "no answer in time");
	}
	return fail(db, DB_AWAY, "the connection cannot be waited for");
}

static void
hear_notice(void *context, const PGresult *result)
{
	struct db_error notice = { .sqlstate = "" };

	set_server_error(&notice, result);
	say(context, LOG_NOTICE, "database.notice", NULL, &notice);
}

static PGconn *
start_connecting(const struct db *db)
{
	const char *const keys[] = { "dbname", "options", "client_encoding",
		"application_name", NULL };
	const char *const values[] = { db->options.url, db->server_options,
		"UTF8", db->options.name, NULL };
	PGconn *conn = PQconnectStartParams(keys, values, 1);

	if (conn == NULL)
		log_fatal("database.connect", "out of memory");
	return conn;
}

static enum db_status
finish_connecting(struct db *db, int64_t deadline_ms)
{
	PostgresPollingStatusType step = PGRES_POLLING_WRITING;

	if (PQstatus(db->conn) == CONNECTION_BAD)
		return lost(db);
	/* Returns the verbosity before. */
	(void)PQsetErrorVerbosity(db->conn, PQERRORS_VERBOSE);
	while (step != PGRES_POLLING_OK) {
		enum db_status status = wait_for(db,
		    step == PGRES_POLLING_READING ? POLLIN : POLLOUT,
		    deadline_ms);

		if (status != DB_OK)
			return status;
		step = PQconnectPoll(db->conn);
		if (step == PGRES_POLLING_FAILED)
			return not_let_in(db);
	}
	(void)PQsetErrorVerbosity(db->conn, PQERRORS_DEFAULT); /* as above */
	/* Sending must not block either. */
	return PQsetnonblocking(db->conn, 1) == 0 ? DB_OK : lost(db);
}

static enum db_status
connect_now(struct db *db, int64_t deadline_ms)
{
	int64_t limit_ms = clock_ms() + db->options.connect_ms;
	PQconninfoOption *parts;
	enum db_status status;

	if (!pause_is_over(&db->pause))
		return fail(db, DB_AWAY, "it was away a moment ago");
	db->conn = start_connecting(db);
	status = finish_connecting(
	    db, limit_ms < deadline_ms ? limit_ms : deadline_ms);
	if (status == DB_OK) {
		/* Returns the receiver before. */
		(void)PQsetNoticeReceiver(db->conn, hear_notice, db);
		db->opened_ms = clock_ms();
		pause_end(&db->pause);
		return DB_OK;
	}
	/* libpq's own words for a bad URL may quote its password. */
	parts = PQconninfoParse(db->options.url, NULL);
	if (parts == NULL)
		set_error(&db->error, "", "the URL is malformed");
	PQconninfoFree(parts);
	db_close(db);
	pause_begin(&db->pause);
	say(db, LOG_ERROR, "database.away", "(connect)", &db->error);
	return DB_AWAY;
}

/* An idle connection has nothing to say, but for its own end and for notices:
 * looks without a round trip. */
static bool
is_fresh(struct db *db)
{
	struct pollfd one = { .fd = PQsocket(db->conn), .events = POLLIN };
	int64_t age_ms = clock_ms() - db->opened_ms;

	if (db->options.recycle_s > 0 &&
	    age_ms >= (int64_t)db->options.recycle_s * 1000)
		return false;
	for (int i = 0; i < IDLE_READS_MAX; i++) {
		if (PQstatus(db->conn) != CONNECTION_OK)
			return false;
		if (poll(&one, 1, 0) == 0)
			return true;
		if (!PQconsumeInput(db->conn))
			return false;
		/* Looks at what came; nobody listens, so none is one. */
		PQfreemem(PQnotifies(db->conn));
	}
	return false;
}

static enum db_status
make_ready(struct db *db, struct reading *reading)
{
	enum db_status status = DB_OK;

	if (clock_left_ms(reading->deadline_ms) == 0)
		return fail(db, DB_LATE, "no time was left for the call");
	if (db->conn != NULL && !is_fresh(db))
		db_close(db);
	if (db->conn == NULL)
		status = connect_now(db, reading->deadline_ms);
	reading->was_connected = status == DB_OK;
	return status;
}

static enum db_status
send_all(struct db *db, int64_t deadline_ms)
{
	int left;

	while ((left = PQflush(db->conn)) > 0) {
		enum db_status status =
		    wait_for(db, POLLIN | POLLOUT, deadline_ms);

		if (status != DB_OK)
			return status;
		/* A server that answers early must be read to go on. */
		if (!PQconsumeInput(db->conn))
			return lost(db);
	}
	return left == 0 ? DB_OK : lost(db);
}

static enum db_status
refused(struct db *db, const PGresult *result)
{
	const char *severity =
	    PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	/* What has no severity was made by libpq: the connection broke. */
	if (severity == NULL)
		return lost(db);
	set_server_error(&db->error, result);
	/* After FATAL and PANIC the backend ends. */
	return strcmp(severity, "ERROR") == 0 ? DB_REFUSED : DB_AWAY;
}

static enum db_status
stopped(struct db *db)
{
	return fail(db, DB_STOPPED, "the reader of the rows stopped");
}

static enum db_status
take(struct db *db, const PGresult *result, struct reading *reading)
{
	struct db_row row = { result };

	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK: /* the end: rows came before, one by one */
		if (reading->no_row == NULL || reading->has_given_row)
			return DB_OK;
		reading->has_given_row = true;
		if (reading->no_row(reading->context, &row))
			return DB_OK;
		return stopped(db);
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
		return DB_OK;
	case PGRES_SINGLE_TUPLE:
		if (reading->row == NULL)
			return DB_OK;
		reading->has_given_row = true;
		if (reading->row(reading->context, &row))
			return DB_OK;
		return stopped(db);
	default:
		return refused(db, result);
	}
}

/* Reads to the end of the answer; the first failure counts.  Goes on after
 * DB_REFUSED only, because then the server says when it is ready again. */
static enum db_status
read_answer(struct db *db, struct reading *reading)
{
	enum db_status first = DB_OK;

	for (;;) {
		PGresult *result;
		enum db_status status = DB_OK;

		while (PQisBusy(db->conn)) {
			status = wait_for(db, POLLIN, reading->deadline_ms);
			if (status != DB_OK)
				return status;
			if (!PQconsumeInput(db->conn))
				return lost(db);
		}
		result = PQgetResult(db->conn);
		if (result == NULL)
			return first;
		if (first == DB_OK)
			status = take(db, result, reading);
		PQclear(result);
		if (status != DB_OK && status != DB_REFUSED)
			return status;
		if (first == DB_OK)
			first = status;
	}
}

static enum db_status
finish(struct db *db, struct reading *reading)
{
	enum db_status status;

	/* Row by row, so that no answer takes more memory than a row. */
	(void)PQsetSingleRowMode(db->conn); /* fails only when nothing runs */
	status = send_all(db, reading->deadline_ms);
	return status == DB_OK ? read_answer(db, reading) : status;
}

static enum db_status
run_script(struct db *db, const char *sql, struct reading *reading)
{
	return PQsendQuery(db->conn, sql) ? finish(db, reading) : lost(db);
}

static enum db_status
prepare(struct db *db, const struct db_call *call, const char *sql,
    char name[STATEMENT_NAME_MAX])
{
	struct reading reading = { .deadline_ms = call->deadline_ms };
	enum db_status status;

	if (statement_find(&db->statements, sql, name) || *name == '\0')
		return DB_OK;
	if (!PQsendPrepare(db->conn, name, sql, call->count, NULL))
		return lost(db);
	status = finish(db, &reading);
	if (status == DB_OK)
		statement_add(&db->statements, sql);
	return status;
}

static int
send_values(struct db *db, const struct db_call *call, const char *sql,
    const char *name)
{
	const char *data[DB_VALUES_MAX];
	int bytes[DB_VALUES_MAX];
	int formats[DB_VALUES_MAX];

	for (int i = 0; i < call->count; i++) {
		data[i] = call->values[i].data;
		bytes[i] = (int)call->values[i].bytes;
		formats[i] = call->values[i].is_binary ? 1 : 0;
	}
	if (*name == '\0')
		return PQsendQueryParams(
		    db->conn, sql, call->count, NULL, data, bytes, formats, 0);
	return PQsendQueryPrepared(
	    db->conn, name, call->count, data, bytes, formats, 0);
}

static enum db_status
call_once(struct db *db, const struct db_call *call, struct reading *reading)
{
	char text[STATEMENT_SQL_MAX];
	char name[STATEMENT_NAME_MAX] = "";
	const char *sql = call->sql;
	enum db_status status = make_ready(db, reading);

	if (sql == NULL) {
		statement_call(call->function, call->count, text);
		sql = text;
	}
	if (status == DB_OK && !call->plan_each)
		status = prepare(db, call, sql, name);
	if (status != DB_OK)
		return status;
	if (!send_values(db, call, sql, name))
		return lost(db);
	return finish(db, reading);
}

/* Leaves the connection idle and clean, or closed. */
static void
settle(struct db *db, const struct reading *reading, enum db_status status)
{
	bool is_kept = status == DB_OK || status == DB_REFUSED;

	if (db->conn == NULL || !reading->was_connected)
		return;
	if (!is_kept || PQstatus(db->conn) != CONNECTION_OK ||
	    PQtransactionStatus(db->conn) != PQTRANS_IDLE)
		db_close(db);
}

static enum sqlstate_cure
find_cure(const struct db *db, const struct db_call *call,
    const struct reading *reading, enum db_status status)
{
	enum sqlstate_cure cure = sqlstate_cure(db->error.sqlstate);

	if (reading->has_given_row || !reading->was_connected)
		return SQLSTATE_HOPELESS;
	if (status == DB_AWAY)
		return SQLSTATE_AS_IT_IS;
	if (status != DB_REFUSED ||
	    (cure == SQLSTATE_NEW_CONNECTION && call->is_read))
		return SQLSTATE_HOPELESS;
	return cure;
}

static void
apply_cure(struct db *db, enum sqlstate_cure cure, struct reading *reading)
{
	if (cure == SQLSTATE_NEW_CONNECTION)
		db_close(db);
	if (cure != SQLSTATE_NEW_STATEMENTS || db->conn == NULL)
		return;
	statement_forget(&db->statements);
	settle(db, reading, run_script(db, "deallocate all", reading));
}

/* What the client asked wrongly is no error of ours. */
static void
log_failure(const struct db *db, const char *function, bool is_repeated)
{
	enum log_priority priority = is_repeated ? LOG_NOTICE : LOG_ERROR;

	if (sqlstate_is_clients(db->error.sqlstate))
		priority = LOG_INFO;
	say(db, priority, is_repeated ? "database.again" : "database.failed",
	    function, &db->error);
}

static enum db_status
end(struct db *db, const struct reading *reading, enum db_status status,
    const char *function, int64_t started_us)
{
	int64_t took_us = clock_us() - started_us;

	settle(db, reading, status);
	db->spent_us += took_us;
	/* Without a connection it was logged when connecting failed. */
	if (status != DB_OK && reading->was_connected)
		log_failure(db, function, false);
	if (db->options.echo)
		log_event(LOG_INFO, "database.call",
		    LOG_TEXT("function", function),
		    LOG_NUMBER("took_us", took_us),
		    LOG_TEXT("connection", db->options.name));
	return status;
}

enum db_status
db_call(struct db *db, const struct db_call *call, db_row_function *row,
    void *context)
{
	struct reading reading = {
		.row = row,
		.no_row = call->no_row,
		.context = context,
		.deadline_ms = call->deadline_ms,
	};
	int64_t started_us = clock_us();
	enum db_status status = call_once(db, call, &reading);
	enum sqlstate_cure cure = find_cure(db, call, &reading, status);

	if (cure != SQLSTATE_HOPELESS) {
		log_failure(db, call->function, true);
		settle(db, &reading, status);
		apply_cure(db, cure, &reading);
		status = call_once(db, call, &reading);
	}
	return end(db, &reading, status, call->function, started_us);
}

enum db_status
db_script(struct db *db, const char *sql, int64_t deadline_ms,
    db_row_function *row, void *context)
{
	struct reading reading = {
		.row = row, .context = context, .deadline_ms = deadline_ms
	};
	int64_t started_us = clock_us();
	enum db_status status = make_ready(db, &reading);

	if (status == DB_OK)
		status = run_script(db, sql, &reading);
	return end(db, &reading, status, "(script)", started_us);
}

struct db *
db_new(const struct db_options *options)
{
	struct db *db = calloc(1, sizeof(*db));
	const char *role = options->role;
	int bytes;

	if (db == NULL)
		log_fatal("database.new", "out of memory");
	db->options = *options;
	/* What returned is durable, whatever the server's own setting is.  What
	 * nobody waits for any more (we closed the connection) ends by itself. */
	bytes = snprintf(db->server_options, sizeof(db->server_options),
	    "%s%s -c TimeZone=UTC -c DateStyle=ISO -c jit=off"
	    " -c synchronous_commit=on -c client_connection_check_interval=%d"
	    " -c client_min_messages=warning -c statement_timeout=%d",
	    role == NULL ? "" : "-c role=", role == NULL ? "" : role,
	    CLIENT_CHECK_MS, options->statement_ms);
	if ((size_t)bytes >= sizeof(db->server_options))
		log_panic("database.new", "the name of the role is too long");
	return db;
}

bool
db_is_remote(const struct db *db)
{
	const char *host = db->conn == NULL ? "/" : PQhost(db->conn);

	return host != NULL && *host != '/';
}

bool
db_has_password(const char *url)
{
	PQconninfoOption *parts = PQconninfoParse(url, NULL);
	const PQconninfoOption *part = parts;
	bool is_found = false;

	/* libpq marks with * what nobody should see, also that of a client's key. */
	for (; part != NULL && part->keyword != NULL; part++)
		is_found |= part->val != NULL && *part->dispchar == '*';
	PQconninfoFree(parts);
	return is_found;
}

const struct db_error *
db_error(const struct db *db)
{
	return &db->error;
}

int64_t
db_spent_us(const struct db *db)
{
	return db->spent_us;
}

void
db_forget_spent(struct db *db)
{
	db->spent_us = 0;
}

bool
db_is_connected(const struct db *db)
{
	return db->conn != NULL;
}

void
db_close(struct db *db)
{
	if (db->conn == NULL)
		return;
	/* Never waits: sending is non-blocking, so that a goodbye which does
	 * not fit is left out. */
	PQfinish(db->conn);
	db->conn = NULL;
	statement_forget(&db->statements);
}

int
db_columns(const struct db_row *row)
{
	return PQnfields(row->result);
}

const char *
db_column_name(const struct db_row *row, int column)
{
	return PQfname(row->result, column);
}

enum db_kind
db_column_kind(const struct db_row *row, int column)
{
	return kind_of_type(PQftype(row->result, column));
}

const char *
db_column(const struct db_row *row, int column, size_t *bytes)
{
	const char *text = PQgetvalue(row->result, 0, column);
	int length = PQgetlength(row->result, 0, column);

	if (PQgetisnull(row->result, 0, column) ||
	    !kind_is_finite(db_column_kind(row, column), text)) {
		text = NULL;
		length = 0;
	}
	if (bytes != NULL)
		*bytes = (size_t)length;
	return text;
}

struct db_value
db_text(const char *text)
{
	return (
	    struct db_value){ text, text == NULL ? 0 : strlen(text), false };
}

struct db_value
db_bytes(const void *data, size_t bytes)
{
	return (struct db_value){ data == NULL ? "" : data, bytes, true };
}
