/*
 * Claims: see sql/api/claim_request.sql for what becomes of them.
 *
 * An attempt has an id of its own, so that a call which the database module makes
 * twice, after a broken connection, finds its own claim and not another's.
 */
#include "fcgi/claim.h"
#include "fcgi/answer.h"
#include "fcgi/breaker.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/clock.h"
#include "shared/hmac.h"
#include "shared/json.h"
#include "shared/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEY_MAX = 255,
	RETRY_S = 2, /* a purchase takes about one second */
	ID_BYTES = 16,
};

/* What the database said, in the request's memory. */
struct outcome {
	struct request *rq;
	const char *word;
	const char *status;
	const char *answer;
	const char *note;
};

static bool
key_is_valid(const char *key)
{
	size_t bytes = strlen(key);

	for (const char *c = key; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 0x7f)
			return false;
	return bytes > 0 && bytes <= KEY_MAX;
}

/* A random UUID (RFC 9562, version 4). */
static void
make_id(char id[37])
{
	unsigned char b[ID_BYTES];
	size_t at = 0;

	hmac_random(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	for (int i = 0; i < ID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			id[at++] = '-';
		(void)snprintf(id + at, 37 - at, "%02x", b[i]); /* fits */
		at += 2;
	}
}

/* What makes two requests the same: method, path and the bytes of the body. */
static void
make_digest(struct request *rq, unsigned char digest[SHA256_BYTES])
{
	char body[SHA256_HEX_BYTES + 1];
	const char *all;

	hmac_sha256(
	    rq->body.len == 0 ? "" : rq->body.data, rq->body.len, digest);
	hmac_hex(digest, body);
	all = arena_printf(
	    rq->arena, "%s %s?%s\n%s", rq->method, rq->path, rq->query, body);
	hmac_sha256(all, strlen(all), digest);
}

/* db_row_function */
static bool
take_outcome(void *context, const struct db_row *row)
{
	struct outcome *outcome = context;
	struct arena *arena = outcome->rq->arena;

	outcome->word = row_keep(arena, row, "outcome");
	outcome->status = row_keep(arena, row, "status_code");
	outcome->answer = row_keep(arena, row, "answer");
	outcome->note = row_keep(arena, row, "note");
	return true;
}

static enum db_status
call(struct request *rq, const char *function, const struct db_value *values,
    int count, struct outcome *outcome)
{
	const struct db_call db_write = {
		.function = function,
		.values = values,
		.count = count,
		.deadline_ms = clock_ms() + BREAKER_CALL_MS,
	};

	return breaker_call(
	    rq, &db_write, outcome == NULL ? NULL : take_outcome, outcome);
}

static void
refuse_without_database(struct request *rq)
{
	response_refuse(rq, 503, "DATABASE.NOT_CONFIGURED", "Idempotency-Key",
	    "No database is configured, so nothing would guard this key; "
	    "nothing was sent to EasyPost.");
}

/* Where what was made is: with 201 it is a shipment, with 202 a bulk call.  NULL:
 * nothing was. */
static const char *
location_of(const struct outcome *outcome)
{
	bool is_bulk = strcmp(outcome->status, "202") == 0;
	size_t bytes = 0;
	const char *id = json_raw(outcome->answer, strlen(outcome->answer),
	    is_bulk ? "operation_id" : "id", &bytes);

	if ((!is_bulk && strcmp(outcome->status, "201") != 0) || id == NULL ||
	    bytes < 2)
		return NULL;
	return arena_printf(outcome->rq->arena, "%s/%.*s",
	    is_bulk ? "/db/batch-operations" : "/shipments", (int)bytes - 2,
	    id + 1); /* without its quotes */
}

/* Answers all but "new" and "in_doubt". */
static void
answer_outcome(struct request *rq, const struct outcome *outcome)
{
	if (strcmp(outcome->word, "done") == 0 && outcome->answer != NULL &&
	    outcome->status != NULL)
		answer_send(rq,
		    &(struct answer){
			.status = (int)strtol(outcome->status, NULL, 10),
			.data = outcome->answer,
			.bytes = strlen(outcome->answer),
			.location = location_of(outcome),
			.is_replayed = true });
	else if (strcmp(outcome->word, "done") == 0)
		response_refuse(rq, 409, "IDEMPOTENCY.IN_DOUBT",
		    "Idempotency-Key",
		    "This was done, with this Idempotency-Key; its answer held "
		    "a secret and was not kept.");
	else if (strcmp(outcome->word, "other") == 0)
		response_refuse(rq, 422, "IDEMPOTENCY.MISMATCH",
		    "Idempotency-Key",
		    "Idempotency-Key was used for another request; a new "
		    "request needs a new key.");
	else
		response_refuse_for(rq, 409, "IDEMPOTENCY.IN_FLIGHT",
		    "A request with this Idempotency-Key is under way; ask "
		    "again for its answer.",
		    RETRY_S);
}

/* What the database says to an attempt at the key, which the digest tells from
 * others. */
static enum db_status
ask_database(struct request *rq, struct claim *claim, const char *caller,
    const char *key, const unsigned char *digest, struct outcome *outcome)
{
	enum db_status status;

	make_id(claim->id);
	const struct db_value values[] = {
		db_text(claim->id),
		db_text(caller),
		db_text(key),
		db_text(rq->method),
		db_text(rq->path),
		db_bytes(digest, SHA256_BYTES),
	};
	status = call(rq, "api.claim_request", values,
	    sizeof(values) / sizeof(values[0]), outcome);
	claim->note = outcome->note;
	if (status == DB_OK && strcmp(outcome->word, "new") == 0)
		claim->state = CLAIM_NEW;
	else if (status == DB_OK && strcmp(outcome->word, "in_doubt") == 0)
		claim->state = CLAIM_IN_DOUBT;
	return status;
}

bool
claim_take(struct request *rq, struct claim *taken)
{
	const char *key = request_header(rq, "HTTP_IDEMPOTENCY_KEY");
	unsigned char digest[SHA256_BYTES];
	struct outcome outcome = { .rq = rq, .word = "" };
	enum db_status status;

	*taken = (struct claim){ .state = CLAIM_NONE };
	if (key == NULL)
		return true;
	if (!key_is_valid(key)) {
		response_refuse(rq, 400, "HEADER.INVALID", "Idempotency-Key",
		    "Idempotency-Key must be 1 to 255 visible ASCII "
		    "characters.");
		return false;
	}
	if (rq->service->db == NULL) {
		refuse_without_database(rq);
		return false;
	}
	make_digest(rq, digest);
	status =
	    ask_database(rq, taken, request_caller(rq), key, digest, &outcome);
	if (status != DB_OK)
		response_refuse_db(rq, status);
	else if (taken->state == CLAIM_NONE)
		answer_outcome(rq, &outcome);
	return taken->state != CLAIM_NONE;
}

bool
claim_take_thing(struct request *rq, struct claim *taken, const char *name)
{
	unsigned char digest[SHA256_BYTES];
	struct outcome outcome = { .rq = rq, .word = "" };

	*taken = (struct claim){ .state = CLAIM_NONE };
	if (rq->service->db == NULL)
		return true;
	/* Whatever is wanted of the thing, it is one deed. */
	hmac_sha256(name, strlen(name), digest);
	if (ask_database(rq, taken, "", name, digest, &outcome) != DB_OK) {
		log_event(LOG_WARNING, "claim.unguarded",
		    LOG_TEXT("request_id", rq->id), LOG_TEXT("thing", name),
		    LOG_TEXT("reason", breaker_reason(rq)));
		return true;
	}
	if (taken->state == CLAIM_NONE)
		response_refuse_for(rq, 409, "IDEMPOTENCY.IN_FLIGHT",
		    "Another request is doing the same to this at the moment; "
		    "ask again for what came of it.",
		    RETRY_S);
	return taken->state != CLAIM_NONE;
}

/* db_row_function */
static bool
take_truth(void *context, const struct db_row *row)
{
	*(bool *)context = row_is_true(row, "is_noted");
	return true;
}

bool
claim_note(struct request *rq, const struct claim *taken, const char *note)
{
	const struct db_value values[] = { db_text(taken->id), db_text(note) };
	const struct db_call db_write = {
		.function = "api.note_claim",
		.values = values,
		.count = 2,
		.deadline_ms = clock_ms() + BREAKER_CALL_MS,
	};
	bool is_noted = false;
	enum db_status status;

	if (taken->state == CLAIM_NONE)
		return true;
	status = breaker_call(rq, &db_write, take_truth, &is_noted);
	if (status != DB_OK)
		response_refuse_db(rq, status);
	else if (!is_noted)
		response_refuse_for(rq, 409, "IDEMPOTENCY.IN_FLIGHT",
		    "Another request with this Idempotency-Key has gone on in "
		    "place of this one; ask again for its answer.",
		    RETRY_S);
	return status == DB_OK && is_noted;
}

static void
settle(struct request *rq, const struct claim *taken, const char *state,
    int status, const struct buf *data)
{
	const struct db_value values[] = {
		db_text(taken->id),
		db_text(state),
		db_text(data == NULL ? NULL
				     : arena_printf(rq->arena, "%d", status)),
		data == NULL ? db_text(NULL) : db_bytes(data->data, data->len),
	};

	if (taken->state != CLAIM_NONE &&
	    call(rq, "api.settle_claim", values, 4, NULL) != DB_OK)
		log_event(LOG_WARNING, "claim.not_settled",
		    LOG_TEXT("request_id", rq->id), LOG_TEXT("state", state),
		    LOG_TEXT("next", "the next attempt asks EasyPost"));
}

void
claim_done(struct request *rq, const struct claim *taken, int status,
    const struct buf *data)
{
	settle(rq, taken, "done", status, data);
}

void
claim_free(struct request *rq, const struct claim *taken)
{
	settle(rq, taken, "none", 0, NULL);
}

void
claim_void(struct request *rq, const struct claim *taken)
{
	settle(rq, taken, taken->state == CLAIM_IN_DOUBT ? "in_doubt" : "none",
	    0, NULL);
}

void
claim_doubt(struct request *rq, const struct claim *taken)
{
	settle(rq, taken, "in_doubt", 0, NULL);
}
