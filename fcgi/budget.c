/*
 * The daily limit: see sql/api/reserve_spending.sql for what counts.
 *
 * What must stay true: what may have been bought is never given back.
 */
#include "fcgi/budget.h"
#include "fcgi/breaker.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <string.h>

struct answer {
	struct request *rq;
	struct budget *budget;
};

/* db_row_function */
static bool
take_answer(void *context, const struct db_row *row)
{
	struct answer *answer = context;
	struct arena *arena = answer->rq->arena;

	answer->budget->is_enough = row_is_true(row, "is_reserved");
	answer->budget->spent = row_keep(arena, row, "spent");
	answer->budget->limit = row_keep(arena, row, "day_limit");
	return true;
}

bool
budget_reserve(struct request *rq, struct budget *budget, const char *thing,
    const struct price *price)
{
	struct answer answer = { rq, budget };

	*budget = (struct budget){ .status = DB_AWAY };
	uuid_make(budget->id);
	const struct db_value values[] = {
		db_text(budget->id),
		db_text(rq->caller.key_id),
		db_text(thing),
		db_text(price->amount),
		db_text(price->insured),
		db_text(price->currency),
	};

	budget->status = breaker_call(rq,
	    &(struct db_call){ .function = "api.reserve_spending",
		.values = values,
		.count = sizeof(values) / sizeof(values[0]),
		.deadline_ms = clock_ms() + BREAKER_CALL_MS },
	    take_answer, &answer);
	if (budget->status == DB_OK && budget->is_enough)
		return true;
	*budget->id = '\0';
	return false;
}

/* "7.58", or "7.58 and 100.00 insured". */
static const char *
describe(struct request *rq, const struct price *price)
{
	return strcmp(price->insured, "0") == 0
	    ? price->amount
	    : arena_printf(rq->arena, "%s and %s insured", price->amount,
		  price->insured);
}

void
budget_refuse(struct request *rq, const struct budget *budget,
    const struct price *price, const char *created)
{
	const struct response_problem problems[] = {
		{ "limit", budget->limit },
		{ "spent_today", budget->spent },
		{ "price", describe(rq, price) },
	};
	struct request_header header = { "Location", NULL };
	const char *sentence = "";

	if (budget->status != DB_OK) {
		response_refuse_db(rq, budget->status);
		return;
	}
	if (created != NULL) {
		header.value =
		    arena_printf(rq->arena, "/shipments/%s", created);
		sentence =
		    arena_printf(rq->arena, " The shipment is %s.", created);
	}
	counters_note_limited(
	    scoreboard_counters(rq->service->scoreboard), COUNTERS_SPENDING);
	response_refuse_with(rq,
	    &(struct response_refusal){ .status = 402,
		.code = "KEY.SPENDING_LIMITED",
		.message = arena_printf(rq->arena,
		    "This costs %s %s, and the key has spent %s of %s today "
		    "(UTC); nothing was bought.%s",
		    problems[2].message, price->currency, budget->spent,
		    budget->limit, sentence),
		.problems = problems,
		.problem_count = 3,
		.headers = &header,
		.header_count = created != NULL ? 1 : 0 });
}

static void
tell(struct request *rq, const char *function, const struct db_value *values,
    int count)
{
	const struct db_call call = {
		.function = function,
		.values = values,
		.count = count,
		.deadline_ms = clock_ms() + BREAKER_CALL_MS,
	};

	if (breaker_call(rq, &call, NULL, NULL) != DB_OK)
		log_event(LOG_WARNING, "budget.not_settled",
		    LOG_TEXT("request_id", rq->id),
		    LOG_TEXT("function", function),
		    LOG_TEXT("reason", breaker_reason(rq)),
		    LOG_TEXT("next", "what was reserved counts as spent"));
}

void
budget_settle(struct request *rq, const char *thing, const struct buf *document)
{
	const struct db_value values[] = {
		db_text(thing),
		db_bytes(document->data, document->len),
	};

	tell(rq, "api.settle_spending", values, 2);
}

void
budget_release(struct request *rq, const struct budget *budget)
{
	const struct db_value value = db_text(budget->id);

	if (*budget->id != '\0')
		tell(rq, "api.release_spending", &value, 1);
}

void
budget_refuse_unknown(struct request *rq, const char *field, const char *why)
{
	response_refuse(rq, 403, "KEY.PRICE_UNKNOWN", field,
	    arena_printf(rq->arena,
		"This key has a daily spending limit, and %s; nothing was "
		"bought.",
		why));
}
