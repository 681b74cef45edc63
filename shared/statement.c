/*
 * Text and names of prepared statements: a bounded table, looked up in order.
 *
 * A worker calls a handful of functions, so that a search from the start beats
 * anything clever.  Names are never reused on a connection before all its
 * statements were thrown away.
 */
#include "shared/statement.h"
#include "shared/log.h"

#include <stdio.h>
#include <string.h>

void
statement_sql(const char *function, int count, char sql[STATEMENT_SQL_MAX])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.";
	size_t bytes = strlen(function);

	if (bytes >= STATEMENT_FUNCTION_MAX || count < 0 ||
	    count > STATEMENT_VALUES_MAX ||
	    function[strspn(function, allowed)] != '\0')
		log_panic("database.call", "not the name of a function");
	/* The longest name and the most values fit: no snprintf is cut. */
	bytes = (size_t)snprintf(
	    sql, STATEMENT_SQL_MAX, "select * from %s(", function);
	for (int i = 1; i <= count; i++)
		bytes += (size_t)snprintf(sql + bytes,
		    STATEMENT_SQL_MAX - bytes, "%s$%d", i == 1 ? "" : ", ", i);
	(void)snprintf(sql + bytes, STATEMENT_SQL_MAX - bytes, ")"); /* fits */
}

bool
statement_find(const struct statements *statements, const char *function,
    int count, char name[STATEMENT_NAME_MAX])
{
	int at = 0;

	while (at < statements->count &&
	    (statements->known[at].count != count ||
		strcmp(statements->known[at].function, function) != 0))
		at++;
	name[0] = '\0';
	if (at < STATEMENTS_MAX)
		(void)snprintf(name, STATEMENT_NAME_MAX, "waybill%d", at);
	return at < statements->count;
}

void
statement_add(struct statements *statements, const char *function, int count)
{
	int at = statements->count;

	if (at == STATEMENTS_MAX)
		return;
	/* statement_sql() refused what would not fit. */
	(void)snprintf(statements->known[at].function, STATEMENT_FUNCTION_MAX,
	    "%s", function);
	statements->known[at].count = count;
	statements->count++;
}

void
statement_forget(struct statements *statements)
{
	statements->count = 0;
}
