/*
 * Rates and shipments: EasyPost's documents, verbatim, in our envelope.
 */
#include "fcgi/simple.h"
#include "fcgi/answer.h"
#include "fcgi/ask.h"
#include "fcgi/budget.h"
#include "fcgi/claim.h"
#include "fcgi/draft.h"
#include "fcgi/parameter.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/moment.h"

#include <stdio.h>
#include <string.h>

enum { QUERY_MAX = 1024, TEXT_MAX = 255 };

/* clang-format off */
static const struct parameter list_parameters[] = {
	{ "limit",            PARAMETER_INT,   1, 100, "20", NULL, NULL, NULL },
	{ "after",            PARAMETER_TEXT,  1, 64,  NULL, NULL, NULL, NULL },
	{ "before_id",        PARAMETER_TEXT,  1, 64,  NULL, NULL, NULL, NULL },
	{ "start_datetime",   PARAMETER_TIME,  0, 0,   NULL, NULL, NULL, NULL },
	{ "end_datetime",     PARAMETER_UNTIL, 0, 0,   NULL, NULL, NULL, NULL },
	{ "purchased",        PARAMETER_ENUM,  0, 0,   NULL, "true false", NULL, NULL },
	{ "include_children", PARAMETER_ENUM,  0, 0,   NULL, "true false", NULL, NULL },
	{ NULL,               PARAMETER_TEXT,  0, 0,   NULL, NULL, NULL, NULL },
};

/* What EasyPost calls them, in the same order. */
static const char *const list_names[] = { "page_size", "before_id",
	"before_id", "start_datetime", "end_datetime", "purchased",
	"include_children" };

enum { V_LIMIT, V_AFTER, V_BEFORE_ID };

static const struct body_field wrapped[] = {
	{ "shipment", BODY_ANYTHING, true,  0, NULL, NULL },
	{ NULL,       BODY_TEXT,     false, 0, NULL, NULL },
};

static const struct draft_shape rates_shape = {
	draft_fields, wrapped, draft_fields
};

static const struct draft_shape create_shape = {
	draft_create_fields, wrapped, draft_create_fields
};

/* clang-format on */

/* {"shipment_id","rates","messages"} of the shipment that was made. */
static void
answer_rates(struct ask *ask)
{
	struct request *rq = ask->call.rq;
	struct buf *out = response_buf();
	const char *id = ask_text(ask, "id");
	size_t rates_bytes = 0;
	size_t messages_bytes = 0;
	const char *rates = ask_raw(ask, "rates", &rates_bytes);
	const char *messages = ask_raw(ask, "messages", &messages_bytes);

	(void)buf_add_string(out, "{\"shipment_id\":");
	(void)row_string(out, id, strlen(id));
	(void)buf_add_string(out, ",\"rates\":");
	(void)buf_add(
	    out, rates == NULL ? "[]" : rates, rates == NULL ? 2 : rates_bytes);
	(void)buf_add_string(out, ",\"messages\":");
	(void)buf_add(out, messages == NULL ? "[]" : messages,
	    messages == NULL ? 2 : messages_bytes);
	(void)buf_add_byte(out, '}');
	if (out->failed)
		ask_refuse_document(ask);
	else
		answer_send(rq,
		    &(struct answer){ .status = 200,
			.data = out->data,
			.bytes = out->len,
			.is_unrecorded = !ask->call.is_recorded });
	(void)response_buf(); /* gives big memory back */
}

void
simple_rates(struct request *rq, const void *unused)
{
	struct json *body;
	struct buf draft;
	struct ask ask;

	(void)unused;
	if (!parameter_none(rq))
		return;
	body = draft_read(rq, &rates_shape);
	if (body == NULL)
		return;
	buf_init(&draft, DRAFT_SENT_MAX);
	draft_write(&draft, rq, body, &rates_shape);
	ask_write(&ask, rq, "/v2/shipments", draft.data, draft.len);
	if (ask_send(&ask))
		answer_rates(&ask);
	else
		ask_refuse(&ask);
	ask_end(&ask);
	buf_free(&draft);
	json_free(body);
}

static bool
check_service(struct request *rq, const struct json *shipment)
{
	struct body_check *check = body_check_new(rq->arena);

	draft_look_at_service(check, shipment, "");
	return body_is_good(rq, check);
}

/* Nothing tells which shipment an attempt made whose answer never came.  Without
 * a service that does not matter: a shipment costs nothing. */
static bool
check_doubt(
    struct request *rq, const struct claim *claim, const struct json *shipment)
{
	if (claim->state != CLAIM_IN_DOUBT || !draft_buys(shipment))
		return true;
	claim_doubt(rq, claim);
	response_refuse(rq, 409, "IDEMPOTENCY.IN_DOUBT", "Idempotency-Key",
	    "An earlier attempt with this Idempotency-Key may have bought a "
	    "label: look it up (GET /shipments), then use a new key.");
	return false;
}

static void
answer_created(struct ask *ask, const struct claim *claim)
{
	struct request *rq = ask->call.rq;
	const struct buf *body = &ask->call.answer->body;

	claim_done(rq, claim, ask->call.answer->status, body);
	answer_send(rq,
	    &(struct answer){ .status = ask->call.answer->status,
		.data = body->data,
		.bytes = body->len,
		.location = arena_printf(
		    rq->arena, "/shipments/%s", ask_text(ask, "id")),
		.is_unrecorded = !ask->call.is_recorded });
}

/* What one call makes and buys has no price before. */
static bool
check_limit(struct request *rq, const struct json *shipment)
{
	if (!rq->caller.has_spending_limit || !draft_buys(shipment))
		return true;
	budget_refuse_unknown(rq, "service",
	    "EasyPost tells what a shipment that is made with a service costs "
	    "only afterwards: make it without one, then buy it");
	return false;
}

static void
create(struct request *rq, const struct json *body, struct buf *draft)
{
	struct claim claim;
	struct ask ask;

	if (!check_service(rq, draft_shipment(body)) ||
	    !check_limit(rq, draft_shipment(body)) || !claim_take(rq, &claim) ||
	    !check_doubt(rq, &claim, draft_shipment(body)))
		return;
	draft_write(draft, rq, body, &create_shape);
	ask_write(&ask, rq, "/v2/shipments", draft->data, draft->len);
	if (ask_send(&ask)) {
		answer_created(&ask, &claim);
	} else {
		if (ask.outcome == ASK_IN_DOUBT)
			claim_doubt(rq, &claim);
		else
			claim_void(rq, &claim);
		ask_refuse(&ask);
	}
	ask_end(&ask);
}

void
simple_create(struct request *rq, const void *unused)
{
	struct json *body;
	struct buf draft;

	(void)unused;
	if (!parameter_none(rq))
		return;
	body = draft_read(rq, &create_shape);
	if (body == NULL)
		return;
	buf_init(&draft, DRAFT_SENT_MAX);
	create(rq, body, &draft);
	buf_free(&draft);
	json_free(body);
}

/* Both are EasyPost's before_id: one is ours for it, one its own. */
static bool
check_cursor(struct request *rq, const struct db_value *value)
{
	const char *after = value[V_AFTER].data;
	const char *before_id = value[V_BEFORE_ID].data;

	if (after != NULL && !body_is_id(after, "shp_"))
		return parameter_refuse(rq, "after",
		    "what an earlier answer gave as pagination.next");
	if (before_id != NULL && !body_is_id(before_id, "shp_"))
		return parameter_refuse(
		    rq, "before_id", "a shipment's id: shp_...");
	if (after == NULL || before_id == NULL)
		return true;
	response_refuse(rq, 400, "PARAMETER.INVALID", "after",
	    "after and before_id exclude each other.");
	return false;
}

/* The end of a day, as PostgreSQL takes it, is no time for EasyPost. */
static const char *
last_second(const struct db_value *value)
{
	static char moment[MOMENT_BYTES];
	const char *midnight =
	    value->data == NULL ? NULL : strstr(value->data, "T24:00:00Z");

	if (midnight == NULL)
		return value->data;
	(void)snprintf(moment, sizeof(moment), "%.*sT23:59:59Z",
	    (int)(midnight - value->data), value->data);
	return moment;
}

/* The query for EasyPost; false when one does not fit, which cannot be. */
static bool
write_query(struct buf *out, const struct parameter_values *values)
{
	static const char plain[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz-._~:";

	for (int i = 0; i < values->count; i++) {
		const char *c = last_second(&values->value[i]);

		if (c == NULL)
			continue;
		(void)buf_addf(
		    out, "%s%s=", out->len == 0 ? "" : "&", list_names[i]);
		for (; *c != '\0'; c++)
			(void)buf_addf(out,
			    strchr(plain, *c) == NULL ? "%%%02X" : "%c",
			    (unsigned char)*c);
	}
	return !out->failed;
}

/* {"shipments":[...],"pagination":{...}}; EasyPost counts nothing. */
static void
answer_list(struct ask *ask, const char *limit)
{
	struct request *rq = ask->call.rq;
	struct buf *out = response_buf();
	const struct json *list = json_member(ask->document, "shipments");
	bool has_more = json_is_true(json_member(ask->document, "has_more"));
	const struct json *last = json_element(
	    list, json_count(list) == 0 ? 0 : json_count(list) - 1);
	const char *next = json_text(json_member(last, "id"));
	size_t bytes = 0;
	const char *raw = ask_raw(ask, "shipments", &bytes);

	if (raw == NULL || json_kind(list) != JSON_KIND_ARRAY) {
		ask_refuse_document(ask);
		return;
	}
	(void)buf_add_string(out, "{\"shipments\":");
	(void)buf_add(out, raw, bytes);
	(void)buf_addf(out,
	    ",\"pagination\":{\"total\":null,\"limit\":%s,\"has_more\":%s,"
	    "\"next\":",
	    limit, has_more ? "true" : "false");
	if (has_more && next != NULL)
		(void)row_string(out, next, strlen(next));
	else
		(void)buf_add_string(out, "null");
	(void)buf_add_string(out, "}}");
	if (out->failed)
		response_refuse(rq, 400, "PARAMETER.INVALID", "limit",
		    "The answer would pass 16 MiB: ask for a smaller limit.");
	else
		answer_send(rq,
		    &(struct answer){
			.status = 200, .data = out->data, .bytes = out->len });
	(void)response_buf();
}

void
simple_list(struct request *rq, const void *unused)
{
	struct parameter_values values = { .count = 0 };
	struct buf query;
	struct ask ask;

	(void)unused;
	if (!parameter_take(rq, list_parameters, &values) ||
	    !check_cursor(rq, values.value))
		return;
	buf_init(&query, QUERY_MAX);
	ask_read(&ask, rq, "/v2/shipments");
	ask.id_prefix = NULL;
	if (!write_query(&query, &values))
		response_refuse(rq, 400, "PARAMETER.INVALID", NULL,
		    "The parameters are longer than any can be.");
	else {
		ask.call.query = query.data;
		if (ask_send(&ask))
			answer_list(&ask, values.value[V_LIMIT].data);
		else
			ask_refuse(&ask);
		ask_end(&ask);
	}
	buf_free(&query);
}

void
simple_one(struct request *rq, const void *unused)
{
	struct ask ask;

	(void)unused;
	if (!parameter_none(rq) || !draft_check_id(rq))
		return;
	ask_read(&ask, rq,
	    arena_printf(rq->arena, "/v2/shipments/%s", rq->argument));
	if (ask_send(&ask))
		answer_send(rq,
		    &(struct answer){ .status = 200,
			.data = ask.call.answer->body.data,
			.bytes = ask.call.answer->body.len });
	else
		ask_refuse(&ask);
	ask_end(&ask);
}
