/*
 * Many shipments in one call: created at EasyPost several at a time, each with a
 * result of its own.  What is too large for that is put off (defer.h).
 *
 * What must stay true: nothing is sent unless all of it can be taken; each item
 * is sent once at most; what came of it is recorded before the next takes its
 * lane, and is told even when the database went away meanwhile.
 */
#include "fcgi/bulk.h"
#include "fcgi/answer.h"
#include "fcgi/ask.h"
#include "fcgi/budget.h"
#include "fcgi/claim.h"
#include "fcgi/defer.h"
#include "fcgi/draft.h"
#include "fcgi/guard.h"
#include "fcgi/item.h"
#include "fcgi/parameter.h"
#include "fcgi/record.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ITEMS_AT_ONCE =
	    100, /* seven rounds of a second each, of the 50 there are */
	ITEMS_MAX = 10000, /* ten minutes */
	BODY_MAX = 16 * 1024 * 1024,
	BODY_LARGE = 1024 * 1024,     /* see give_back() */
	LOOK_MAX_BYTES = 1024 * 1024, /* paths of the fields of one item */
	RESULT_MAX = EASYPOST_LANE_ANSWER_MAX + 4096,
	/* Documents beyond this are left out of the answer; each is recorded,
	 * and its id is told. */
	DOCUMENTS_MAX = 8 * 1024 * 1024,
	SETTLE_MS = 10000, /* kept for what has to be written at the end */
	CALL_MS = 3000,
	TOO_MANY = 429, /* RFC 6585 */
};

/* clang-format off */
static const struct body_field bulk_fields[] = {
	{ "shipments", BODY_LIST,  true,  ITEMS_MAX, NULL, NULL },
	{ "dry_run",   BODY_TRUTH, false, 0,         NULL, NULL },
	{ NULL,        BODY_TEXT,  false, 0,         NULL, NULL },
};

/* What an item without EasyPost's own word is told. */
static const struct {
	const char *code;
	const char *message;
} reasons[ITEM_STATES] = {
	[ITEM_NOT_SENT] = { "BULK.NOT_SENT",
	    "Not sent to EasyPost; it may be sent in another call." },
	[ITEM_IN_DOUBT] = { "UPSTREAM.IN_DOUBT",
	    "No whole answer came from EasyPost. The shipment may have been "
	    "made: look it up before sending it again." },
	[ITEM_FAILED]   = { "UPSTREAM.REFUSED",
	    "EasyPost refused the shipment without a word why." },
};

/* clang-format on */

struct item {
	const struct json *shipment;
	const char *raw; /* its bytes in the body */
	size_t raw_bytes;
	enum item_state state;
	struct buf sent; /* while it is under way */
	struct buf
	    result; /* EasyPost's document or error, when it is to be told */
	const char *id;       /* of the shipment; "" when there is none */
	const char *tracking; /* "" as well */
	const char *message;  /* of a failure */
};

struct bulk {
	struct request *rq;
	struct upstream call; /* what all calls have in common */
	struct item *items;
	size_t count;
	size_t counts[ITEM_STATES];
	size_t document_bytes;
	bool is_unrecorded;
	char operation[64]; /* its batch_id; "" without a database */
};

/* --- what is asked ----------------------------------------------------------- */

/* The texts of what was wrong are all that is kept of one look: with the paths of
 * all fields of all items the request's memory would not do. */
static void
look_at_item(struct body_check *check, struct arena *arena, size_t index,
    const struct json *shipment)
{
	struct arena *kept = check->arena;
	const char *path = arena_printf(arena, "shipments[%zu]", index);
	int before = check->flaw_count;

	check->arena = arena;
	body_look(check, shipment, path, draft_create_fields);
	draft_look_at_service(check, shipment, path);
	check->arena = kept;
	for (int i = before; i < check->flaw_count; i++) {
		struct response_problem *flaw = &check->flaws[i];

		flaw->field =
		    arena_copy(kept, flaw->field, strlen(flaw->field));
		flaw->message =
		    arena_copy(kept, flaw->message, strlen(flaw->message));
	}
	arena_reset(arena);
}

static void
look_at_items(struct bulk *bulk, const struct json *list)
{
	static struct arena *arena; /* of the worker */
	struct body_check *check = body_check_new(bulk->rq->arena);

	if (arena == NULL)
		arena = arena_new(LOOK_MAX_BYTES);
	for (size_t i = 0;
	     i < json_count(list) && check->flaw_count < BODY_FLAWS_MAX; i++)
		look_at_item(check, arena, i, json_element(list, i));
	if (json_count(list) == 0)
		body_flaw(check, "shipments", "must have one element or more.");
	(void)body_is_good(bulk->rq, check);
}

/* The bytes of each, which go to EasyPost as they came. */
static void
find_items(struct bulk *bulk, const struct json *list)
{
	const struct buf *body = &bulk->rq->body;
	size_t bytes = 0;
	size_t item_bytes = 0;
	const char *raw = json_raw(body->data, body->len, "shipments", &bytes);
	const char *at = NULL;

	bulk->items = calloc(bulk->count, sizeof(*bulk->items));
	if (bulk->items == NULL)
		log_fatal("bulk.items", "out of memory");
	for (size_t i = 0; i < bulk->count; i++) {
		struct item *item = &bulk->items[i];

		at = json_raw_next(raw, bytes, at, &item_bytes);
		*item = (struct item){ .shipment = json_element(list, i),
			.raw = at,
			.raw_bytes = item_bytes,
			.id = "",
			.tracking = "",
			.message = reasons[ITEM_NOT_SENT].message };
		buf_init(&item->sent, item_bytes + 64);
		buf_init(&item->result, RESULT_MAX);
		at += item_bytes;
	}
}

/* The first that is bought at once; their count when none is. */
static size_t
first_bought(const struct json *list)
{
	size_t i = 0;

	while (i < json_count(list) && !draft_buys(json_element(list, i)))
		i++;
	return i;
}

/* What one call makes and buys has no price before. */
static void
check_limit(struct bulk *bulk, const struct json *list)
{
	struct request *rq = bulk->rq;
	size_t index = first_bought(list);

	if (rq->caller.has_spending_limit && index < json_count(list))
		budget_refuse_unknown(rq,
		    arena_printf(rq->arena, "shipments[%zu].service", index),
		    "EasyPost tells what a shipment that is made with a "
		    "service costs only afterwards: make them without, then "
		    "buy each");
}

/* easypost_many.ask */
static void
ask_item(void *context, size_t index, struct easypost_request *request)
{
	struct bulk *bulk = context;
	struct request *rq = bulk->rq;
	struct item *item = &bulk->items[index];

	item_write(&item->sent, item->raw, item->raw_bytes);
	item->state = ITEM_IN_DOUBT; /* until we know better */
	*request = (struct easypost_request){
		.method = "POST",
		.target = item_path,
		.headers = bulk->call.headers,
		.header_count = bulk->call.header_count,
		.body = item->sent.data,
		.body_bytes = item->sent.len,
		.has_body = true,
		.spends_money = draft_buys(item->shipment),
		.deadline_ms = rq->started_us / 1000 +
		    rq->service->pool->upstream_ms - SETTLE_MS,
	};
}

/* --- what came of it --------------------------------------------------------- */

static const char *
keep_text(struct bulk *bulk, const struct json *text)
{
	const char *found = json_text(text);

	return found == NULL ? ""
			     : arena_printf(bulk->rq->arena, "%.1000s", found);
}

static void
keep_document(struct bulk *bulk, struct item *item, const struct reply *answer,
    const struct json *document)
{
	const struct record record = { false, "POST", item_path, "", answer };

	item->id = keep_text(bulk, json_member(document, "id"));
	item->tracking =
	    keep_text(bulk, json_member(document, "tracking_code"));
	item->message = NULL;
	if (record_is_worth(bulk->rq, answer) &&
	    !record_write(bulk->rq, &record))
		bulk->is_unrecorded = true;
	if (bulk->document_bytes + answer->body.len > DOCUMENTS_MAX)
		return;
	bulk->document_bytes += answer->body.len;
	(void)buf_add(&item->result, answer->body.data, answer->body.len);
}

/* EasyPost's error as it came, when there is room for it. */
static void
keep_error(struct bulk *bulk, struct item *item, const struct reply *answer,
    const struct json *document)
{
	const struct json *error = json_member(document, "error");
	const char *message = json_text(json_member(error, "message"));
	size_t bytes = 0;
	const char *raw = answer_error(answer, error, &bytes);

	item->message = reasons[ITEM_FAILED].message;
	if (message != NULL)
		item->message = keep_text(bulk, json_member(error, "message"));
	if (raw == NULL || bulk->document_bytes + bytes > DOCUMENTS_MAX)
		return;
	bulk->document_bytes += bytes;
	(void)buf_add(&item->result, raw, bytes);
}

/* easypost_many.take: false when EasyPost wants no more for now, or cannot be
 * reached at all. */
static bool
take_item(void *context, size_t index, enum easypost_result result,
    const struct reply *answer)
{
	struct bulk *bulk = context;
	struct item *item = &bulk->items[index];
	char problem[JSON_PROBLEM_MAX];
	struct json *document = NULL;

	if (result == EASYPOST_ANSWERED && answer->body.len > 0)
		document =
		    json_read(answer->body.data, answer->body.len, problem);
	item->state = item_judge(result, answer, document);
	item->message = reasons[item->state].message;
	if (item->state == ITEM_SUCCESS)
		keep_document(bulk, item, answer, document);
	else if (item->state == ITEM_FAILED)
		keep_error(bulk, item, answer, document);
	json_free(document);
	buf_free(&item->sent);
	return answer->status != TOO_MANY && item->state != ITEM_NOT_SENT;
}

/* --- what is told ------------------------------------------------------------ */

static void
add_result(struct buf *out, const struct item *item, size_t index)
{
	(void)buf_addf(out, "%s{\"index\":%zu,\"status\":\"%s\"",
	    index == 0 ? "" : ",", index, item_word(item->state));
	(void)buf_add_string(out, ",\"shipment_id\":");
	if (*item->id == '\0')
		(void)buf_add_string(out, "null");
	else
		(void)row_string(out, item->id, strlen(item->id));
	(void)buf_add_string(out, ",\"shipment\":");
	if (item->state == ITEM_SUCCESS && item->result.len > 0)
		(void)buf_add(out, item->result.data, item->result.len);
	else
		(void)buf_add_string(out, "null");
	(void)buf_add_string(out, ",\"error\":");
	if (item->state == ITEM_SUCCESS) {
		(void)buf_add_string(out, "null}");
	} else if (item->result.len > 0) {
		(void)buf_add(out, item->result.data, item->result.len);
		(void)buf_add_byte(out, '}');
	} else {
		(void)buf_addf(out,
		    "{\"code\":\"%s\",\"message\":", reasons[item->state].code);
		(void)row_string(out, item->message, strlen(item->message));
		(void)buf_add_string(out, ",\"errors\":[]}}");
	}
}

static void
write_answer(struct bulk *bulk, struct buf *out, bool is_dry_run)
{
	(void)buf_add_string(out, "{\"operation_id\":");
	if (*bulk->operation == '\0')
		(void)buf_add_string(out, "null");
	else
		(void)buf_addf(out, "\"%s\"", bulk->operation);
	(void)buf_addf(out, ",\"dry_run\":%s,\"total\":%zu",
	    is_dry_run ? "true" : "false", bulk->count);
	(void)buf_addf(out,
	    ",\"successful\":%zu,\"failed\":%zu,\"in_doubt\":%zu,"
	    "\"not_sent\":%zu,\"results\":[",
	    bulk->counts[ITEM_SUCCESS], bulk->counts[ITEM_FAILED],
	    bulk->counts[ITEM_IN_DOUBT], bulk->counts[ITEM_NOT_SENT]);
	for (size_t i = 0; i < bulk->count && !is_dry_run; i++)
		add_result(out, &bulk->items[i], i);
	(void)buf_add_string(out, "]}");
}

/* The items as /db/batch-operations/{id} shows those of EasyPost's batches. */
static void
write_items(const struct bulk *bulk, struct buf *out)
{
	(void)buf_add_byte(out, '[');
	for (size_t i = 0; i < bulk->count; i++) {
		const struct item *item = &bulk->items[i];
		const char *texts[] = { *item->id == '\0' ? NULL : item->id,
			*item->tracking == '\0' ? NULL : item->tracking,
			item_word(item->state), item->message };
		static const char *const names[] = { "shipment_id",
			"tracking_code", "batch_status", "batch_message" };

		for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++) {
			(void)buf_addf(out, "%s\"%s\":",
			    n > 0       ? ","
				: i > 0 ? ",{"
					: "{",
			    names[n]);
			if (texts[n] == NULL)
				(void)buf_add_string(out, "null");
			else
				(void)row_string(
				    out, texts[n], strlen(texts[n]));
		}
		(void)buf_add_byte(out, '}');
	}
	(void)buf_add_byte(out, ']');
}

/* --- its record -------------------------------------------------------------- */

/* db_row_function */
static bool
take_operation(void *context, const struct db_row *row)
{
	struct bulk *bulk = context;

	(void)snprintf(bulk->operation, sizeof(bulk->operation), "%s",
	    row_word(row, "begin_bulk")); /* fits: a UUID */
	return true;
}

/* False, and refused, when the call cannot be noted. */
static bool
begin_operation(struct bulk *bulk)
{
	struct request *rq = bulk->rq;
	const struct db_value values[] = {
		db_text(arena_printf(rq->arena, "%zu", bulk->count)),
		db_text(request_mode(rq)),
		db_text(request_caller(rq)),
		db_text(rq->id),
	};
	enum db_status status;

	if (rq->service->db == NULL)
		return true;
	status = db_call(rq->service->db,
	    &(struct db_call){ .function = "api.begin_bulk",
		.values = values,
		.count = 4,
		.deadline_ms = clock_ms() + CALL_MS },
	    take_operation, bulk);
	if (status != DB_OK)
		response_refuse_db(rq, status);
	return status == DB_OK;
}

static void
end_operation(struct bulk *bulk)
{
	struct request *rq = bulk->rq;
	struct buf items;
	enum db_status status;

	if (*bulk->operation == '\0')
		return;
	buf_init(&items, RESPONSE_BODY_MAX);
	write_items(bulk, &items);
	const struct db_value values[] = { db_text(bulk->operation),
		db_text(items.data) };
	status = db_call(rq->service->db,
	    &(struct db_call){ .function = "api.end_bulk",
		.values = values,
		.count = 2,
		.deadline_ms = clock_ms() + CALL_MS },
	    NULL, NULL);
	buf_free(&items);
	if (status == DB_OK)
		return;
	bulk->is_unrecorded = true;
	log_event(LOG_WARNING, "bulk.not_recorded",
	    LOG_TEXT("request_id", rq->id),
	    LOG_TEXT("operation", bulk->operation),
	    LOG_TEXT("next", "its shipments are recorded all the same"));
}

/* --- the handler ------------------------------------------------------------- */

static void
send_all(struct bulk *bulk)
{
	const struct easypost_many many = { .count = bulk->count,
		.ask = ask_item,
		.take = take_item,
		.context = bulk };

	easypost_send_many(bulk->rq->service->easypost, &many);
	for (size_t i = 0; i < bulk->count; i++)
		bulk->counts[bulk->items[i].state]++;
}

/* Whether a purchase of an earlier attempt can be in this call. */
static bool
check_doubt(
    struct bulk *bulk, const struct claim *claim, const struct json *list)
{
	if (claim->state != CLAIM_IN_DOUBT ||
	    first_bought(list) == json_count(list))
		return true;
	claim_doubt(bulk->rq, claim);
	response_refuse(bulk->rq, 409, "IDEMPOTENCY.IN_DOUBT",
	    "Idempotency-Key",
	    "An earlier attempt with this Idempotency-Key may have bought "
	    "labels: look them up (GET /shipments), then use a new key.");
	return false;
}

static void
answer(struct bulk *bulk, const struct claim *claim, bool is_dry_run)
{
	struct buf *out = response_buf();

	write_answer(bulk, out, is_dry_run);
	claim_done(bulk->rq, claim, 200, out);
	answer_send(bulk->rq,
	    &(struct answer){ .status = 200,
		.data = out->data,
		.bytes = out->len,
		.is_unrecorded = bulk->is_unrecorded });
	(void)response_buf(); /* gives big memory back */
}

/* What was not done with its claim was not taken at all: nothing is in doubt. */
static void
put_off(struct request *rq)
{
	size_t bytes = 0;
	const char *raw =
	    json_raw(rq->body.data, rq->body.len, "shipments", &bytes);
	struct claim claim;

	if (!response_needs_database(rq) || !claim_take(rq, &claim))
		return;
	if (guard_easypost_key(rq) == NULL) {
		claim_void(rq, &claim);
		upstream_refuse_mode(rq);
		return;
	}
	defer_bulk(rq, &claim, raw, bytes);
}

static void
execute(struct bulk *bulk, const struct json *list)
{
	struct request *rq = bulk->rq;
	struct upstream *call = &bulk->call;
	struct claim claim;

	find_items(bulk, list);
	if (!claim_take(rq, &claim) || !check_doubt(bulk, &claim, list))
		return;
	if (!upstream_authorize(call) || !upstream_check(call) ||
	    !begin_operation(bulk)) {
		claim_void(rq, &claim);
		return;
	}
	ask_add_headers(call);
	upstream_add_header(call, "X-Request-Id", rq->id);
	send_all(bulk);
	end_operation(bulk);
	answer(bulk, &claim, false);
}

/* malloc and libpq keep what one large body took. */
static void
give_back(struct bulk *bulk)
{
	for (size_t i = 0; bulk->items != NULL && i < bulk->count; i++) {
		buf_free(&bulk->items[i].sent);
		buf_free(&bulk->items[i].result);
	}
	free(bulk->items);
	if (bulk->rq->body.len < BODY_LARGE)
		return;
	if (bulk->rq->service->db != NULL)
		db_close(bulk->rq->service->db);
	(void)malloc_trim(0); /* says whether there was any */
}

void
bulk_create(struct request *rq, const void *unused)
{
	struct bulk bulk = { .rq = rq,
		.call = { .rq = rq,
		    .method = "POST",
		    .path = item_path,
		    .query = "",
		    .has_body = true,
		    .is_write = true } };
	static const struct claim no_claim = { .state = CLAIM_NONE };
	struct body_check *check = body_check_new(rq->arena);
	const struct json *list;
	struct json *body;

	(void)unused;
	if (!parameter_none(rq) || !body_read(rq, BODY_MAX, false, &body))
		return;
	list = json_member(body, "shipments");
	body_look(check, body, "", bulk_fields);
	if (body_is_good(rq, check))
		look_at_items(&bulk, list);
	if (rq->status == 0)
		check_limit(&bulk, list);
	bulk.count = json_count(list);
	if (rq->status == 0 && json_is_true(json_member(body, "dry_run")))
		answer(&bulk, &no_claim, true);
	else if (rq->status == 0 && bulk.count <= ITEMS_AT_ONCE)
		execute(&bulk, list);
	json_free(body);
	if (rq->status == 0)
		put_off(rq);
	give_back(&bulk);
}
