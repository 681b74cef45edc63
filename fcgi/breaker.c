/*
 * The breaker: a fuse for the database of a pool; see breaker.h for the promises.
 *
 * What must stay true: a refusal is an answer.
 */
#include "fcgi/breaker.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/sqlstate.h"

enum {
	FAILURES_TO_OPEN = 2, /* one may be a lock, or much work */
	LOOK_EVERY_MS = 250,
	LOOK_MOST_MS = 2 * BREAKER_CALL_MS,
	OVERDUE_MS = 2000, /* nobody has come since, behind whom to look */
};

static struct fuse *
fuse_of(const struct request *rq)
{
	return &scoreboard_fuses(rq->service->scoreboard)->database;
}

bool
breaker_is_open(const struct request *rq)
{
	return fuse_is_blown(fuse_of(rq));
}

static void
note_answer(const struct request *rq)
{
	if (fuse_note_success(fuse_of(rq)))
		log_event(LOG_NOTICE, "breaker.closed",
		    LOG_TEXT("pool", rq->service->pool->name));
}

static void
note_silence(const struct request *rq)
{
	if (!fuse_note_failure(fuse_of(rq), FAILURES_TO_OPEN, LOOK_EVERY_MS))
		return;
	scoreboard_counters(rq->service->scoreboard)->breaker_openings += 1;
	log_event(LOG_WARNING, "breaker.open",
	    LOG_TEXT("pool", rq->service->pool->name),
	    LOG_TEXT("reason", breaker_reason(rq)));
}

static enum db_status
call_and_note(struct request *rq, const struct db_call *call,
    db_row_function *row, void *context)
{
	enum db_status status = db_call(rq->service->db, call, row, context);

	if (status == DB_AWAY || status == DB_LATE)
		note_silence(rq);
	else
		note_answer(rq);
	return status;
}

enum db_status
breaker_call(struct request *rq, const struct db_call *call,
    db_row_function *row, void *context)
{
	/* After a quiet time the first call looks itself. */
	rq->is_breaker_open = breaker_is_open(rq) &&
	    !fuse_takes_turn(fuse_of(rq), OVERDUE_MS, LOOK_MOST_MS);
	if (rq->is_breaker_open)
		return DB_AWAY;
	return call_and_note(rq, call, row, context);
}

const char *
breaker_reason(const struct request *rq)
{
	const struct db_error *error = db_error(rq->service->db);

	if (rq->is_breaker_open)
		return "the database is known to be away";
	return sqlstate_message(error->sqlstate, error->message);
}

void
breaker_probe(struct request *rq)
{
	const struct db_call call = { .function = "api.health",
		.deadline_ms = clock_ms() + BREAKER_CALL_MS };

	if (fuse_takes_turn(fuse_of(rq), 0, LOOK_MOST_MS))
		(void)call_and_note(
		    rq, &call, NULL, NULL); /* it has been noted */
}
