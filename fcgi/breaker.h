/*
 * What all workers of a pool know together of a database that is away or hangs.
 *
 * For calls that have another way, the spool or what is remembered.  When two in
 * a row got no answer the breaker opens: such calls then fail at once, so that
 * no client waits for what is known.  Workers look for the database's return
 * behind the answers that they have given, one of them at a time.
 */
#ifndef WAYBILL_BREAKER_H
#define WAYBILL_BREAKER_H

#include "fcgi/request.h"

/* A call that does without the database rather than wait: to connect or to be
 * answered it has this long. */
enum { BREAKER_CALL_MS = 500 };

/* db_call() on the service's database; DB_AWAY at once while the breaker is
 * open. */
enum db_status breaker_call(struct request *, const struct db_call *,
    db_row_function *row, void *context) __attribute__((warn_unused_result));

/* True while it is open. */
bool breaker_is_open(const struct request *);

/* Why the last breaker_call() failed, for the log. */
const char *breaker_reason(const struct request *);

/* Looks whether the database is back when that is this worker's turn; to be
 * called when nobody waits for this request any more. */
void breaker_probe(struct request *);

#endif
