/*
 * The statements prepared on one connection, by their text.
 */
#ifndef WAYBILL_STATEMENT_H
#define WAYBILL_STATEMENT_H

#include <stdbool.h>

enum {
	STATEMENTS_MAX = 64,         /* what does not fit is never prepared */
	STATEMENT_FUNCTION_MAX = 64, /* bytes of "schema.name" and a zero */
	STATEMENT_NAME_MAX = 24,     /* fits any number */
	STATEMENT_SQL_MAX = 1024,    /* bytes of a text and a zero */
	STATEMENT_VALUES_MAX = 24,
};

struct statements {
	char known[STATEMENTS_MAX][STATEMENT_SQL_MAX];
	int count;
};

/* Writes `select * from function($1, ...)`.  A name that cannot be one of ours
 * is a panic: names never come from outside. */
void statement_call(
    const char *function, int count, char sql[STATEMENT_SQL_MAX]);

/* Writes the name of the statement; true when it is prepared already, false
 * when it must be.  The name is "" (unnamed) when the table is full. */
bool statement_find(
    const struct statements *, const char *sql, char name[STATEMENT_NAME_MAX]);

/* Notes that the statement which statement_find() did not find is prepared. */
void statement_add(struct statements *, const char *sql);

/* After DEALLOCATE ALL, or on a new connection. */
void statement_forget(struct statements *);

#endif
