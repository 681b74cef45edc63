/*
 * How commands reach the database: one short connection, never renewed.
 */
#include "ctl/session.h"
#include "ctl/commands.h"
#include "ctl/credentials.h"
#include "ctl/service.h"
#include "shared/buf.h"
#include "shared/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ASK_MS = 10000, SAID_MAX_BYTES = 512 };

static const char lacks_privilege[] = "42501"; /* SQLSTATEs */
static const char unknown_login[] = "28000";

const char *
session_unset(const struct conf *conf)
{
	return credentials_is_hidden(conf, "database-url")
	    ? "DATABASE_URL is not set, or where only root may see it: use sudo"
	    : "DATABASE_URL is not set";
}

struct db *
session_open(const struct conf *conf, const char *role, int limit_ms)
{
	struct db_options options = {
		.url = conf->secrets.database_url,
		.role = role,
		.name = "waybill",
		.connect_ms = conf->database_connect_ms,
		.statement_ms = limit_ms,
		.echo = conf->database_echo,
	};

	if (*options.url == '\0') {
		(void)fprintf(stderr, "waybill: %s\n", session_unset(conf));
		exit(CTL_UNSET);
	}
	return db_new(&options);
}

const char *
session_text(const struct db_row *row, const char *column)
{
	const char *text = NULL;

	for (int i = 0; i < db_columns(row); i++)
		if (strcmp(db_column_name(row, i), column) == 0)
			text = db_column(row, i, NULL);
	return text == NULL ? "" : text;
}

int
session_failed(const struct db *db, const char *what)
{
	const struct db_error *error = db_error(db);

	(void)fprintf(stderr, "waybill: %s: %s%s%s\n", what, error->message,
	    error->sqlstate[0] == '\0' ? "" : " SQLSTATE ", error->sqlstate);
	/* Of root PostgreSQL mostly knows nothing. */
	if (strcmp(error->sqlstate, lacks_privilege) == 0 ||
	    (geteuid() == 0 && strcmp(error->sqlstate, unknown_login) == 0))
		(void)fprintf(stderr,
		    "waybill: the login in DATABASE_URL may not do this; that "
		    "of the database's owner may\n");
	return CTL_FAILED;
}

/* True when this process was root and is the services' user now. */
static bool
leave_root(const struct conf *conf)
{
	struct buf said;
	bool is_left;

	if (geteuid() != 0)
		return false;
	buf_init(&said, SAID_MAX_BYTES);
	/* Where it cannot be, the first answer stands. */
	is_left = service_become_user(conf, &said) && geteuid() != 0;
	buf_free(&said);
	return is_left;
}

struct asking {
	const struct conf *conf;
	const char *role;
	struct db_call *call;
	db_row_function *row;
	void *context;
};

static enum db_status
ask(const struct asking *asking, char error[DB_MESSAGE_MAX])
{
	struct db *db = session_open(asking->conf, asking->role, ASK_MS);
	enum db_status status;

	asking->call->deadline_ms = clock_ms() + ASK_MS;
	status = db_call(db, asking->call, asking->row, asking->context);
	(void)snprintf(error, DB_MESSAGE_MAX, "%s",
	    status == DB_OK ? "" : db_error(db)->message); /* fits */
	db_close(db);
	return status;
}

enum db_status
session_ask(const struct conf *conf, const char *role, struct db_call *call,
    db_row_function *row, void *context, char error[DB_MESSAGE_MAX])
{
	const struct asking asking = { conf, role, call, row, context };
	enum db_status status;

	if (*conf->secrets.database_url == '\0') {
		(void)snprintf(error, DB_MESSAGE_MAX, "%s",
		    session_unset(conf)); /* fits */
		return DB_AWAY;
	}
	status = ask(&asking, error);
	if ((status == DB_AWAY || status == DB_REFUSED) && leave_root(conf))
		status = ask(&asking, error);
	return status;
}
