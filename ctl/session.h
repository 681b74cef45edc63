/*
 * The connection of a command, and how its failures are told.
 */
#ifndef WAYBILL_SESSION_H
#define WAYBILL_SESSION_H

#include "shared/conf.h"
#include "shared/db.h"

/* A handle for `role` (NULL: as the URL says) whose statements may take
 * `limit_ms` (0: any time).  Where no database is configured the program ends,
 * with a message and CTL_UNSET. */
struct db *session_open(const struct conf *, const char *role, int limit_ms);

/* Why no database is configured: nothing is set, or nothing that we may see. */
const char *session_unset(const struct conf *);

/* The text of a row's column; "" for null, and when there is no such column. */
const char *session_text(const struct db_row *, const char *column);

/* One call, within 10 s, on a connection of its own, for a command that root runs
 * for other reasons: where root may not do it, it is done again as the user
 * of the services, who this process then is for good.  The deadline is set here.  When
 * it was not done, `error` says why. */
enum db_status session_ask(const struct conf *, const char *role,
    struct db_call *, db_row_function *row, void *context,
    char error[DB_MESSAGE_MAX]) __attribute__((warn_unused_result));

/* Tells on stderr what failed and why; returns the exit status. */
int session_failed(const struct db *, const char *what);

#endif
