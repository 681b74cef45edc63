/*
 * The breaker: see breaker.h for the promises.
 *
 * Its state is in the scoreboard.  What must stay true: a refusal is an answer;
 * an open breaker is always somebody's to close, for whoever takes the turn to
 * look sets the time of the next one first, and may die.
 */
#include "fcgi/breaker.h"
#include "shared/clock.h"
#include "shared/log.h"

enum {
	FAILURES_TO_OPEN = 2, /* one may be a lock, or much work */
	LOOK_EVERY_MS = 250,
	OVERDUE_MS = 2000, /* nobody has come since, behind whom to look */
};

static struct scoreboard_breaker *
state_of(const struct request *rq)
{
	return scoreboard_breaker(rq->service->scoreboard);
}

bool
breaker_is_open(const struct request *rq)
{
	return state_of(rq)->look_at_ms != 0;
}

static void
note_answer(const struct request *rq)
{
	struct scoreboard_breaker *breaker = state_of(rq);

	/* Mostly there is nothing to write, to a line that all workers read. */
	if (breaker->failures != 0)
		breaker->failures = 0;
	if (breaker->look_at_ms != 0 &&
	    atomic_exchange(&breaker->look_at_ms, 0) != 0)
		log_event(LOG_NOTICE, "breaker.closed",
		    LOG_TEXT("pool", rq->service->pool->name));
}

static void
note_silence(const struct request *rq)
{
	struct scoreboard_breaker *breaker = state_of(rq);
	int64_t closed = 0;

	if (atomic_fetch_add(&breaker->failures, 1) + 1 < FAILURES_TO_OPEN)
		return;
	if (atomic_compare_exchange_strong(
		&breaker->look_at_ms, &closed, clock_ms() + LOOK_EVERY_MS)) {
		scoreboard_counters(rq->service->scoreboard)
		    ->breaker_openings += 1;
		log_event(LOG_WARNING, "breaker.open",
		    LOG_TEXT("pool", rq->service->pool->name),
		    LOG_TEXT("reason", breaker_reason(rq)));
	}
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

/* True for one caller when the look is due since so long; the next one is then
 * due later. */
static bool
takes_turn(const struct request *rq, int64_t since_ms)
{
	struct scoreboard_breaker *breaker = state_of(rq);
	int64_t look_at_ms = breaker->look_at_ms;
	int64_t now_ms = clock_ms();

	return look_at_ms != 0 && look_at_ms + since_ms <= now_ms &&
	    atomic_compare_exchange_strong(
		&breaker->look_at_ms, &look_at_ms, now_ms + LOOK_EVERY_MS);
}

enum db_status
breaker_call(struct request *rq, const struct db_call *call,
    db_row_function *row, void *context)
{
	/* After a quiet time the first call looks itself. */
	rq->is_breaker_open =
	    breaker_is_open(rq) && !takes_turn(rq, OVERDUE_MS);
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
	return *error->sqlstate == '\0' ? error->message : error->sqlstate;
}

void
breaker_probe(struct request *rq)
{
	const struct db_call call = { .function = "api.health",
		.deadline_ms = clock_ms() + BREAKER_CALL_MS };

	if (takes_turn(rq, 0))
		(void)call_and_note(
		    rq, &call, NULL, NULL); /* it has been noted */
}
