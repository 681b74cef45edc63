/*
 * How commands reach the database: one short connection, never renewed.
 */
#include "ctl/session.h"
#include "ctl/commands.h"

#include <stdio.h>

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
		(void)fprintf(stderr, "waybill: DATABASE_URL is not set\n");
		return NULL;
	}
	return db_new(&options);
}

int
session_failed(const struct db *db, const char *what)
{
	const struct db_error *error = db_error(db);

	(void)fprintf(stderr, "waybill: %s: %s%s%s\n", what, error->message,
	    error->sqlstate[0] == '\0' ? "" : " SQLSTATE ", error->sqlstate);
	return CTL_FAILED;
}
