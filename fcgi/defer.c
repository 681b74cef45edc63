/*
 * Putting off a bulk call: one call of the database takes all of its items, and is
 * done with the client's claim at the same moment.
 *
 * What must stay true: what may have been taken is never said not to be.
 */
#include "fcgi/defer.h"
#include "fcgi/answer.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "fcgi/uuid.h"
#include "shared/clock.h"

#include <string.h>

/* Ten thousand items take half a second. */
enum { CALL_MS = 10000 };

struct taken {
	struct request *rq;
	const char *batch_id;
	const char *answer;
};

/* db_row_function */
static bool
take_answer(void *context, const struct db_row *row)
{
	struct taken *taken = context;
	const char *batch_id = row_text(row, "batch_id");
	const char *answer = row_text(row, "answer");

	if (batch_id == NULL || answer == NULL)
		return false;
	taken->batch_id =
	    arena_copy(taken->rq->arena, batch_id, strlen(batch_id));
	taken->answer = arena_copy(taken->rq->arena, answer, strlen(answer));
	return true;
}

static void
refuse(struct request *rq, const struct claim *claim, enum db_status status,
    const char *id)
{
	if (status != DB_LATE) {
		claim_void(rq, claim);
		response_refuse_db(rq, status);
		return;
	}
	response_refuse(rq, 503, "DATABASE.IN_DOUBT", NULL,
	    arena_printf(rq->arena,
		"The database did not answer in time; the shipments may have "
		"been taken: look for /db/batch-operations/%s before sending "
		"them again.",
		id));
}

void
defer_bulk(struct request *rq, const struct claim *claim, const char *list,
    size_t bytes)
{
	struct taken taken = { .rq = rq };
	char id[UUID_BYTES + 1];
	enum db_status status;

	uuid_make(id);
	const struct db_value values[] = {
		db_text(id),
		db_text(claim->state == CLAIM_NONE ? NULL : claim->id),
		db_bytes(list, bytes),
		db_text(request_mode(rq)),
		db_text(request_caller(rq)),
		db_text(rq->id),
	};

	status = db_call(rq->service->db,
	    &(struct db_call){ .function = "api.queue_bulk",
		.values = values,
		.count = sizeof(values) / sizeof(values[0]),
		.deadline_ms = clock_ms() + CALL_MS },
	    take_answer, &taken);
	if (status != DB_OK) {
		refuse(rq, claim, status, id);
		return;
	}
	/* Whoever is idle need not wait for the next look. */
	scoreboard_fuses(rq->service->scoreboard)->backlog_at_ms = clock_ms();
	answer_send(rq,
	    &(struct answer){ .status = 202,
		.data = taken.answer,
		.bytes = strlen(taken.answer),
		.location = arena_printf(
		    rq->arena, "/db/batch-operations/%s", taken.batch_id) });
}
