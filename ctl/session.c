/*
 * How commands reach the database: one short connection, never renewed.
 */
#include "ctl/session.h"
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

static const char lacks_privilege[] = "42501"; /* SQLSTATE */

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
	/* Also by the message: a refused connection comes without a code. */
	if (strcmp(error->sqlstate, lacks_privilege) == 0 ||
	    strstr(error->message, "permission denied") != NULL)
		(void)fprintf(stderr,
		    "waybill: the login in DATABASE_URL may not do this; that "
		    "of the database's owner may\n");
	return CTL_FAILED;
}
