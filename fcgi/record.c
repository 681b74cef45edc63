/*
 * Keeping the answers of EasyPost.
 *
 * The database reads the bytes, here they are only handed over.  What must stay
 * true: record_write() is true only for a record that would survive a power cut,
 * and takes seconds at most: the client waits, and behind it the deadline of
 * this worker.
 */
#include "fcgi/record.h"
#include "fcgi/breaker.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/spool.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
	READ_MS = 2000,               /* while only this worker waits */
	EXPECTED_BYTES = 1024 * 1024, /* a purchase with its label inside */
};

/* True when the database answers now: there is no other way, so that what the
 * breaker knew a moment ago is not enough. */
static bool
is_database_there(struct request *rq)
{
	const struct db_call probe = {
		.function = "api.health",
		.deadline_ms = clock_ms() + BREAKER_CALL_MS,
	};

	return db_call(rq->service->db, &probe, NULL, NULL) == DB_OK;
}

bool
record_has_place(struct request *rq)
{
	const struct conf *conf = rq->service->conf;

	/* An open connection is no proof: the server may hang or be gone. */
	return rq->service->db == NULL ||
	    spool_has_room(conf->spool_dir, conf->spool_max_bytes,
		conf->spool_max_files, EXPECTED_BYTES) ||
	    is_database_there(rq);
}

static bool
looks_like_json(const struct reply *answer)
{
	const char *type = reply_header(answer, "Content-Type");
	const char *body = answer->body.data;
	size_t spaces;

	if (answer->body.len == 0)
		return false;
	if (type != NULL && strncasecmp(type, "application/json", 16) == 0)
		return true;
	spaces = strspn(body, " \t\r\n"); /* ends at its zero byte */
	return body[spaces] == '{' || body[spaces] == '[';
}

bool
record_is_worth(const struct request *rq, const struct reply *answer)
{
	return rq->service->db != NULL && answer->status >= 200 &&
	    answer->status <= 299 && looks_like_json(answer);
}

static struct spool_record
make_spool_record(const struct request *rq, const struct record *record)
{
	return (struct spool_record){
		.kind = record->is_item ? SPOOL_ITEM : SPOOL_ANSWER,
		.request_id = rq->id,
		.method = record->method,
		.path = record->path,
		.query = record->query,
		.mode = request_mode(rq),
		.status = record->answer->status,
		.body = record->answer->body.data,
		.body_bytes = record->answer->body.len,
	};
}

static enum db_status
record_in_database(
    struct request *rq, const struct spool_record *record, int limit_ms)
{
	const char *status = arena_printf(rq->arena, "%d", record->status);
	const struct db_value values[] = {
		db_text(record->method),
		db_text(record->path),
		db_text(record->query),
		db_text(status),
		db_bytes(record->body, record->body_bytes),
		db_text(record->mode),
		db_text(record->request_id),
	};
	const struct db_call call = {
		.function = record->kind == SPOOL_ITEM ? "api.record_bulk_item"
						       : "api.record_answer",
		.values = values,
		.count = sizeof(values) / sizeof(values[0]),
		.deadline_ms = clock_ms() + limit_ms,
	};

	return breaker_call(rq, &call, NULL, NULL);
}

static void
log_unrecorded(const struct request *rq, enum log_priority priority,
    const char *reason, const char *next)
{
	log_event(priority, "answer.not_recorded",
	    LOG_TEXT("request_id", rq->id), LOG_TEXT("method", rq->method),
	    LOG_TEXT("path", rq->path), LOG_TEXT("reason", reason),
	    LOG_TEXT("next", next));
}

bool
record_write(struct request *rq, const struct record *record)
{
	const struct conf *conf = rq->service->conf;
	const struct spool_record kept = make_spool_record(rq, record);

	/* Who waits for several waits for the database once. */
	if (!rq->is_database_late) {
		if (record_in_database(rq, &kept, BREAKER_CALL_MS) == DB_OK)
			return true;
		rq->is_database_late = true;
		log_unrecorded(rq, LOG_WARNING, breaker_reason(rq), "spool");
	}
	if (spool_keep(conf->spool_dir, conf->spool_max_bytes,
		conf->spool_max_files, &kept))
		return true;
	log_unrecorded(
	    rq, LOG_CRITICAL, strerror(errno), "answered without a record");
	return false;
}

void
record_read(struct request *rq, const struct record *record)
{
	const struct spool_record kept = make_spool_record(rq, record);

	if (record_in_database(rq, &kept, READ_MS) != DB_OK)
		log_unrecorded(rq, LOG_WARNING, breaker_reason(rq), "nothing");
}
