/*
 * Events from EasyPost.
 *
 * The signature is over the raw bytes, and the raw bytes are what is kept;
 * reading them is the database's part.  What must stay true: 2xx only for an
 * event that would survive a power cut, in the database or in the spool; never
 * an unsigned event unless the operator asked for it and set no secret.
 */
#include "fcgi/webhook.h"
#include "fcgi/body.h"
#include "fcgi/breaker.h"
#include "fcgi/event.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/clock.h"
#include "shared/counters.h"
#include "shared/hmac.h"
#include "shared/log.h"
#include "shared/spool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	BODY_MAX = 2 * 1024 * 1024, /* an event with its label has 100 KB */
	RETRY_S = 30,
};

/* What api.receive_webhook said. */
struct receipt {
	char outcome[16];
	char event_id[64];
};

static bool
has_secret(const struct conf_secrets *secrets)
{
	return *secrets->webhook_secret != '\0' ||
	    *secrets->webhook_secret_previous != '\0';
}

/* The header as EasyPost's clients read it, or under its older name. */
static const char *
signature_of(const struct request *rq)
{
	const char *signature = request_header(rq, "HTTP_X_HMAC_SIGNATURE");

	if (signature == NULL || *signature == '\0')
		signature =
		    request_header(rq, "HTTP_X_EASYPOST_HMAC_SIGNATURE");
	return signature == NULL ? "" : signature;
}

/* What can be refused before the body is read; false when it was. */
static bool
check_head(struct request *rq)
{
	const struct conf *conf = rq->service->conf;
	bool is_signed = has_secret(&conf->secrets);

	if (!is_signed && !conf->webhook_allow_unsigned)
		response_refuse_for(rq, 503, "WEBHOOK.NOT_CONFIGURED",
		    "No webhook secret is configured here.", RETRY_S);
	else if (rq->service->db == NULL)
		response_refuse_for(rq, 503, "DATABASE.NOT_CONFIGURED",
		    "No database is configured: nothing is recorded.", RETRY_S);
	else if (is_signed && *signature_of(rq) == '\0')
		response_refuse(rq, 401, "SIGNATURE.MISSING", NULL,
		    "The header X-Hmac-Signature is missing.");
	else
		return true;
	return false;
}

static bool
check_signature(struct request *rq)
{
	const struct conf_secrets *secrets = &rq->service->conf->secrets;
	const char *const both[] = { secrets->webhook_secret,
		secrets->webhook_secret_previous };

	if (!has_secret(secrets)) /* check_head() looked at the switch */
		return true;
	if (hmac_verify(both, 2, rq->body.data, rq->body.len, signature_of(rq)))
		return true;
	response_refuse(rq, 401, "SIGNATURE.INVALID", NULL,
	    "The signature does not fit the body and the secret.");
	return false;
}

/* db_row_function */
static bool
take_receipt(void *context, const struct db_row *row)
{
	struct receipt *receipt = context;

	(void)snprintf(receipt->outcome, sizeof(receipt->outcome), "%s",
	    row_word(row, "outcome"));
	(void)snprintf(receipt->event_id, sizeof(receipt->event_id), "%s",
	    row_word(row, "event_id"));
	return true;
}

static enum db_status
record(struct request *rq, struct receipt *receipt)
{
	const struct db_value values[] = {
		db_bytes(rq->body.data, rq->body.len),
		db_text(rq->id),
	};
	const struct db_call call = {
		.function = "api.receive_webhook",
		.values = values,
		.count = 2,
		/* Then there is the spool. */
		.deadline_ms = clock_ms() + BREAKER_CALL_MS,
	};

	return breaker_call(rq, &call, take_receipt, receipt);
}

/* The database did not take it: keep it on disk until it does. */
static bool
keep(const struct request *rq)
{
	const struct conf *conf = rq->service->conf;
	const struct spool_record kept = {
		.kind = SPOOL_WEBHOOK,
		.request_id = rq->id,
		.body = rq->body.data,
		.body_bytes = rq->body.len,
	};

	return spool_keep(conf->spool_dir, conf->spool_max_bytes,
	    conf->spool_max_files, &kept);
}

static void
answer_processed(struct request *rq)
{
	struct buf *body = response_buf();

	(void)buf_add_string(
	    body, "{\"status\":\"success\",\"message\":\"Webhook processed\"}");
	response_json(rq, 200, body);
}

static void
answer_from_spool(struct request *rq)
{
	log_event(LOG_WARNING, "webhook.not_recorded",
	    LOG_TEXT("request_id", rq->id),
	    LOG_TEXT("reason", breaker_reason(rq)), LOG_TEXT("next", "spool"));
	if (keep(rq)) {
		answer_processed(rq);
		return;
	}
	log_event(LOG_ERROR, "webhook.not_kept", LOG_TEXT("request_id", rq->id),
	    LOG_TEXT("reason", strerror(errno)),
	    LOG_TEXT("next", "503: EasyPost sends it again"));
	response_refuse_for(rq, 503, "DATABASE.UNAVAILABLE",
	    "The event cannot be kept at the moment. Please send it again.",
	    RETRY_S);
}

/* What the database would refuse is not told that it was kept. */
static bool
may_be_event(const struct request *rq)
{
	return memmem(rq->body.data, rq->body.len, "\"evt_", 5) != NULL;
}

static void
refuse_event(struct request *rq)
{
	response_refuse(rq, 400, "EVENT.INVALID", NULL,
	    "The body is no event: a JSON object with an id that begins with "
	    "evt_.");
}

/* What became of it, a word of counters_event_results; NULL when it was no
 * delivery at all. */
static const char *
receive(struct request *rq, struct receipt *receipt)
{
	if (!check_head(rq))
		return rq->status == 401 ? "unauthorized" : NULL;
	if (!body_take(rq, BODY_MAX))
		return NULL;
	if (!check_signature(rq))
		return "unauthorized";
	if (record(rq, receipt) != DB_OK) {
		if (!may_be_event(rq)) {
			refuse_event(rq);
			return "refused";
		}
		answer_from_spool(rq);
		return rq->status == 200 ? "spooled" : "lost";
	}
	log_event(LOG_INFO, "webhook", LOG_TEXT("request_id", rq->id),
	    LOG_TEXT("event_id", receipt->event_id),
	    LOG_TEXT("outcome", receipt->outcome));
	if (strcmp(receipt->outcome, "applied") == 0 ||
	    strcmp(receipt->outcome, "kept") == 0 ||
	    strcmp(receipt->outcome, "duplicate") == 0)
		answer_processed(rq);
	else
		refuse_event(rq);
	return receipt->outcome;
}

/* A type is believed only of what was signed. */
static void
count(const struct request *rq, const char *result)
{
	bool is_believed = strcmp(result, "unauthorized") != 0;

	counters_note_event(scoreboard_counters(rq->service->scoreboard),
	    is_believed ? event_type(rq->body.data, rq->body.len) : EVENT_OTHER,
	    result);
}

void
webhook_handle(struct request *rq, const void *unused)
{
	struct receipt receipt = { "", "" };
	const char *result;

	(void)unused;
	result = receive(rq, &receipt);
	if (result == NULL)
		return;
	request_finish(rq); /* nobody waits for the rest */
	count(rq, result);
}
