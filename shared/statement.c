/*
 * Text and names of prepared statements: a bounded table, looked up in order.
 *
 * A worker sends a handful of statements, so that a search from the start beats
 * anything clever.  Names are never reused on a connection before all its
 * statements were thrown away.
 */
#include "shared/statement.h"
#include "shared/log.h"

#include <stdio.h>
#include <string.h>

void
statement_call(const char *function, int count, char sql[STATEMENT_SQL_MAX])
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
statement_find(const struct statements *statements, const char *sql,
    char name[STATEMENT_NAME_MAX])
{
	int at = 0;

	while (
	    at < statements->count && strcmp(statements->known[at], sql) != 0)
		at++;
	name[0] = '\0';
	if (at < STATEMENTS_MAX && strlen(sql) < STATEMENT_SQL_MAX)
		(void)snprintf(name, STATEMENT_NAME_MAX, "waybill%d", at);
	return at < statements->count;
}

void
statement_add(struct statements *statements, const char *sql)
{
	if (statements->count == STATEMENTS_MAX)
		return;
	/* statement_find() gave no name to what would not fit. */
	(void)snprintf(statements->known[statements->count++],
	    STATEMENT_SQL_MAX, "%s", sql);
}

void
statement_forget(struct statements *statements)
{
	statements->count = 0;
}
