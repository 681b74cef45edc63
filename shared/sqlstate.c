/*
 * A table of the SQLSTATEs after which a call is worth a second try.
 *
 * It lists what is known to help; everything else is final.  Broken connections
 * are no matter of SQLSTATEs and stay with db.c.
 */
#include "shared/sqlstate.h"

#include <stddef.h>
#include <string.h>

static const struct {
	char sqlstate[6];
	enum sqlstate_cure cure;
} repeatable[] = {
	{ "40001", SQLSTATE_AS_IT_IS },       /* serialization failure */
	{ "40P01", SQLSTATE_AS_IT_IS },       /* deadlock */
	{ "0A000", SQLSTATE_NEW_STATEMENTS }, /* the plan's result changed */
	{ "42804", SQLSTATE_NEW_STATEMENTS }, /* types changed under a plan */
	{ "26000", SQLSTATE_NEW_STATEMENTS }, /* the statement is gone */
	{ "42883", SQLSTATE_NEW_STATEMENTS }, /* the arguments changed */
	/* Under a running deployment a view vanishes between the plan and its
	 * use: "could not open relation", an internal error. */
	{ "XX000", SQLSTATE_NEW_STATEMENTS },
	{ "25006", SQLSTATE_NEW_CONNECTION }, /* became a standby */
};

enum sqlstate_cure
sqlstate_cure(const char *sqlstate)
{
	for (size_t i = 0; i < sizeof(repeatable) / sizeof(*repeatable); i++)
		if (strcmp(repeatable[i].sqlstate, sqlstate) == 0)
			return repeatable[i].cure;
	return SQLSTATE_HOPELESS;
}

bool
sqlstate_is_clients(const char *sqlstate)
{
	return strncmp(sqlstate, "22", 2) == 0 ||
	    strncmp(sqlstate, "PT", 2) == 0;
}

const char *
sqlstate_message(const char *sqlstate, const char *message)
{
	return strncmp(sqlstate, "22", 2) == 0 ? "(it holds a value)" : message;
}
