/*
 * What an SQLSTATE means for us: whose mistake it is, and whether a second try
 * can help.
 */
#ifndef WAYBILL_SQLSTATE_H
#define WAYBILL_SQLSTATE_H

#include <stdbool.h>

/* What must be made new before the same call may succeed. */
enum sqlstate_cure {
	SQLSTATE_HOPELESS,
	SQLSTATE_AS_IT_IS, /* nothing: just once more */
	SQLSTATE_NEW_STATEMENTS,
	SQLSTATE_NEW_CONNECTION,
};

/* The cure; SQLSTATE_HOPELESS unless it is known that one helps. */
enum sqlstate_cure sqlstate_cure(const char *sqlstate);

/* The client asked for something impossible: not for us to mend. */
bool sqlstate_is_clients(const char *sqlstate);

/* The message as far as it may be logged: PostgreSQL quotes the values that it
 * refuses in class 22. */
const char *sqlstate_message(const char *sqlstate, const char *message);

#endif
