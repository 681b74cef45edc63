/*
 * The backlog: rounds of sixteen items, each taken, sent, and told of.
 *
 * What must stay true: an item is noted as being sent, for good, before its request
 * goes out, and what came of it is in the database or in the spool before the round
 * ends; so whoever dies in between leaves it in doubt, and what is in doubt is sent
 * again only when it costs nothing and EasyPost was seen not to have it.
 */
#include "fcgi/backlog.h"
#include "fcgi/ask.h"
#include "fcgi/body.h"
#include "fcgi/breaker.h"
#include "fcgi/guard.h"
#include "fcgi/item.h"
#include "fcgi/record.h"
#include "fcgi/row.h"
#include "fcgi/uuid.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <stdlib.h>
#include <string.h>

enum {
	EVERY_MS = 1000,
	SLOT_MS = 20, /* so that mostly the same worker looks: the others
	                 stay small */
	TURN_MS = 5000,
	CALL_MS = 5000, /* longer than a statement may take here */
	SETTLE_MS = 10000,
	ITEM_MAX = 16 * 1024 * 1024,
	PAGES_MAX = 100,
	/* Five lists a second (EasyPost's guide to rate limiting), which others
	 * ask for as well. */
	LIST_GAP_MS = 250,
	LIST_ATTEMPTS = 5,
	LIST_REST_MS = 1000,
	TOO_MANY = 429, /* RFC 6585 */
	/* Without EasyPost's own word how long nothing is to be sent. */
	PAUSE_S = 10,
	PAUSE_LONG_S = 60,
	PAUSE_MOST_S = 3600,
};

/* Shipments that the database records in a tenth of a second. */
#define PAGE_SIZE "50"

struct piece {
	const char *index;
	struct buf sent;
	bool is_buying;
	bool is_told;
};

/* One round; its texts are in the request's memory. */
struct round {
	struct request *rq;
	struct upstream call; /* what all calls have in common */
	const char *take;     /* the round's own id */
	const char *task;     /* "": there is nothing to do */
	const char *batch_id;
	const char *since;
	const char *until;
	const char *doubtful; /* the round whose doubts are looked at */
	struct piece pieces[EASYPOST_LANES];
	size_t count;
	size_t counts[ITEM_STATES];
	int pause_s;     /* 0: go on */
	int64_t list_ms; /* when EasyPost may be asked for the next list */
};

/* --- taking ------------------------------------------------------------------ */

/* "" for SQL null. */
static const char *
keep(const struct round *round, const struct db_row *row, const char *name)
{
	const char *text = row_word(row, name);

	return arena_copy(round->rq->arena, text, strlen(text));
}

static void
take_common(struct round *round, const struct db_row *row)
{
	struct caller *caller = &round->rq->caller;

	round->task = keep(round, row, "task");
	round->batch_id = keep(round, row, "batch_id");
	round->since = keep(round, row, "since");
	round->until = keep(round, row, "until");
	round->doubtful = keep(round, row, "take");
	round->rq->id = keep(round, row, "request_id");
	round->rq->method = "POST"; /* for the log */
	round->rq->path = round->rq->route = "/bulk-shipments";
	caller->kind = CALLER_GATEWAY_KEY;
	caller->is_test = strcmp(keep(round, row, "mode"), "test") == 0;
}

/* db_row_function */
static bool
take_piece(void *context, const struct db_row *row)
{
	struct round *round = context;
	const char *request = row_text(row, "request");
	struct piece *piece;

	if (round->count == EASYPOST_LANES)
		return false;
	if (round->count == 0)
		take_common(round, row);
	piece = &round->pieces[round->count++];
	piece->index = keep(round, row, "index");
	piece->is_buying = row_is_true(row, "buys");
	buf_init(&piece->sent, ITEM_MAX);
	if (request != NULL)
		item_write(&piece->sent, request, strlen(request));
	return !piece->sent.failed;
}

static void
let_go_of_pieces(struct round *round)
{
	for (size_t i = 0; i < round->count; i++)
		buf_free(&round->pieces[i].sent);
	round->count = 0;
}

/* False when the database did not say: what it may have handed out it hands out
 * again to the same round. */
static bool
take(struct round *round)
{
	static char take_id[UUID_BYTES + 1];
	enum db_status status;

	if (*take_id == '\0')
		uuid_make(take_id);
	const struct db_value values[] = { db_text(take_id),
		db_text(arena_printf(round->rq->arena, "%d", EASYPOST_LANES)) };

	status = breaker_call(round->rq,
	    &(struct db_call){ .function = "api.take_bulk",
		.values = values,
		.count = 2,
		.deadline_ms = clock_ms() + CALL_MS },
	    take_piece, round);
	if (status != DB_OK) {
		let_go_of_pieces(round);
		return false;
	}
	round->take = arena_copy(round->rq->arena, take_id, UUID_BYTES);
	*take_id = '\0';
	return true;
}

/* --- what came of it --------------------------------------------------------- */

static bool
call_database(struct round *round, const char *function,
    const struct db_value *values, int count)
{
	enum db_status status = db_call(round->rq->service->db,
	    &(struct db_call){ .function = function,
		.values = values,
		.count = count,
		.deadline_ms = clock_ms() + CALL_MS },
	    NULL, NULL);

	if (status != DB_OK)
		log_event(LOG_WARNING, "backlog.database",
		    LOG_TEXT("request_id", round->rq->id),
		    LOG_TEXT("function", function),
		    LOG_TEXT("sqlstate",
			db_error(round->rq->service->db)->sqlstate));
	return status == DB_OK;
}

static void
tell(struct round *round, struct piece *piece, enum item_state state,
    const struct reply *answer)
{
	const struct record record = { true, item_word(state), round->batch_id,
		arena_printf(
		    round->rq->arena, "%s %s", round->take, piece->index),
		answer };

	round->counts[state]++;
	piece->is_told = true;
	/* Else it stays in doubt, which record.c has logged. */
	(void)record_write(round->rq, &record);
}

/* How long EasyPost wants to be left alone. */
static int
pause_of(const struct reply *answer)
{
	const char *text = reply_header(answer, "Retry-After");
	long seconds = text == NULL ? 0 : strtol(text, NULL, 10);

	if (seconds < 1)
		return PAUSE_LONG_S;
	return seconds > PAUSE_MOST_S ? PAUSE_MOST_S : (int)seconds;
}

/* easypost_many.ask */
static void
ask_piece(void *context, size_t index, struct easypost_request *request)
{
	struct round *round = context;
	struct piece *piece = &round->pieces[index];
	const struct request *rq = round->rq;

	*request = (struct easypost_request){
		.method = "POST",
		.target = item_path,
		.headers = round->call.headers,
		.header_count = round->call.header_count,
		.body = piece->sent.data,
		.body_bytes = piece->sent.len,
		.has_body = true,
		.spends_money = piece->is_buying,
		.deadline_ms = rq->started_us / 1000 +
		    rq->service->pool->upstream_ms - SETTLE_MS,
	};
}

/* easypost_many.take */
static bool
take_answer(void *context, size_t index, enum easypost_result result,
    const struct reply *answer)
{
	struct round *round = context;
	char problem[JSON_PROBLEM_MAX];
	struct json *document = NULL;
	enum item_state state;

	if (result == EASYPOST_ANSWERED && answer->body.len > 0)
		document =
		    json_read(answer->body.data, answer->body.len, problem);
	state = item_judge(result, answer, document);
	json_free(document);
	if (state == ITEM_NOT_SENT)
		round->pause_s = PAUSE_S;
	if (answer->status == TOO_MANY) {
		state = ITEM_NOT_SENT;
		round->pause_s = pause_of(answer);
	}
	tell(round, &round->pieces[index], state, answer);
	return round->pause_s == 0;
}

/* Keeps all calls of this mode back for a while. */
static void
pause_all(struct round *round)
{
	struct request *rq = round->rq;
	const struct db_value values[] = {
		db_text(request_mode(rq)),
		db_text(arena_printf(rq->arena, "%d", round->pause_s)),
	};

	log_event(LOG_WARNING, "backlog.paused", LOG_TEXT("request_id", rq->id),
	    LOG_TEXT("operation", round->batch_id),
	    LOG_NUMBER("seconds", round->pause_s),
	    LOG_TEXT("message", easypost_error(rq->service->easypost)));
	(void)call_database(round, "api.pause_bulk", values, 2); /* logged */
}

/* --- sending ----------------------------------------------------------------- */

/* Without a key, and without a place for what comes of it, nothing is sent. */
static void
send_pieces(struct round *round)
{
	struct request *rq = round->rq;
	const struct easypost_many many = { .count = round->count,
		.ask = ask_piece,
		.take = take_answer,
		.context = round };
	struct reply nothing;

	reply_init(&nothing);
	if (round->pause_s == 0 && record_has_place(rq)) {
		(void)upstream_authorize(&round->call); /* there is a key */
		ask_add_headers(&round->call);
		upstream_add_header(&round->call, "X-Request-Id", rq->id);
		easypost_send_many(rq->service->easypost, &many);
	} else if (round->pause_s == 0) {
		round->pause_s = PAUSE_S;
	}
	for (size_t i = 0; i < round->count; i++)
		if (!round->pieces[i].is_told)
			tell(round, &round->pieces[i], ITEM_NOT_SENT, &nothing);
	reply_free(&nothing);
	log_event(LOG_INFO, "backlog.round", LOG_TEXT("request_id", rq->id),
	    LOG_TEXT("operation", round->batch_id),
	    LOG_NUMBER("success", (long long)round->counts[ITEM_SUCCESS]),
	    LOG_NUMBER("failed", (long long)round->counts[ITEM_FAILED]),
	    LOG_NUMBER("in_doubt", (long long)round->counts[ITEM_IN_DOUBT]),
	    LOG_NUMBER("not_sent", (long long)round->counts[ITEM_NOT_SENT]));
}

/* --- doubts ------------------------------------------------------------------ */

/* Not into the spool: what is settled with it is settled next. */
static bool
record_page(struct round *round, const struct ask *ask)
{
	const struct request *rq = round->rq;
	const struct buf *body = &ask->call.answer->body;
	const struct db_value values[] = {
		db_text("GET"),
		db_text(item_path),
		db_text(ask->call.query),
		db_text("200"),
		db_bytes(body->data, body->len),
		db_text(request_mode(rq)),
		db_text(rq->id),
	};

	return call_database(round, "api.record_answer", values,
	    sizeof(values) / sizeof(values[0]));
}

/* Asks for a page, at a pace, and again when that was one list too many. */
static bool
ask_page(struct round *round, struct ask *ask, const char *query)
{
	struct request *rq = round->rq;

	for (int attempt = 1;; attempt++) {
		clock_wait_until(round->list_ms);
		rq->started_us = clock_us(); /* each has all the time */
		request_progress(rq);
		ask_read(ask, rq, item_path);
		ask->id_prefix = NULL;
		ask->call.query = query;
		if (ask_send(ask)) {
			round->list_ms = clock_ms() + LIST_GAP_MS;
			return true;
		}
		if (ask->outcome != ASK_REFUSED ||
		    ask->call.answer->status != TOO_MANY ||
		    attempt == LIST_ATTEMPTS)
			return false;
		ask_end(ask);
		round->list_ms = clock_ms() + LIST_REST_MS;
	}
}

/* One page of what EasyPost made meanwhile, recorded.  `last` is the id that it ends
 * with, "" when it is the end.  False when that is not to be had now. */
static bool
look_at_page(struct round *round, bool is_buying, const char **last)
{
	struct request *rq = round->rq;
	struct ask ask;
	const struct json *list;
	const char *id;
	bool is_seen = false;

	if (ask_page(round, &ask,
		arena_printf(rq->arena,
		    "page_size=" PAGE_SIZE
		    "&purchased=%s&start_datetime=%s&end_datetime=%s%s%s",
		    is_buying ? "true" : "false", round->since, round->until,
		    **last == '\0' ? "" : "&before_id=", *last))) {
		list = json_member(ask.document, "shipments");
		id = json_count(list) == 0
		    ? NULL
		    : json_text(json_member(
			  json_element(list, json_count(list) - 1), "id"));
		is_seen = record_page(round, &ask);
		ask.call.is_kept = true;
		*last = "";
		if (json_is_true(json_member(ask.document, "has_more")) &&
		    id != NULL && body_is_id(id, "shp_"))
			*last = arena_copy(rq->arena, id, strlen(id));
	} else if (ask.outcome != ASK_KEPT_BACK) {
		log_event(LOG_WARNING, "backlog.list",
		    LOG_TEXT("request_id", rq->id),
		    LOG_TEXT("operation", round->batch_id),
		    LOG_NUMBER("status",
			ask.result == EASYPOST_ANSWERED
			    ? ask.call.answer->status
			    : 0));
	}
	ask_end(&ask);
	return is_seen;
}

/* False as above; *is_whole: all of the list was seen. */
static bool
look_at_list(struct round *round, bool is_buying, bool *is_whole)
{
	const char *last = "";

	for (int page = 0; page < PAGES_MAX; page++) {
		if (!look_at_page(round, is_buying, &last))
			return false;
		if (*last == '\0')
			return true;
	}
	*is_whole = false;
	return true;
}

static void
look_at_doubts(struct round *round)
{
	bool is_whole = true;

	for (size_t i = 0; i < round->count; i++)
		if (!look_at_list(
			round, round->pieces[i].is_buying, &is_whole)) {
			round->pause_s = PAUSE_S;
			return;
		}
	const struct db_value values[] = { db_text(round->batch_id),
		db_text(round->doubtful), db_text(is_whole ? "t" : "f") };

	if (!call_database(round, "api.settle_bulk_doubts", values, 3))
		round->pause_s = PAUSE_S;
}

/* --- turns ------------------------------------------------------------------- */

static _Atomic int64_t *
next_look(const struct service *service)
{
	return &scoreboard_fuses(service->scoreboard)->backlog_at_ms;
}

int64_t
backlog_due_ms(const struct service *service, int slot)
{
	if (service->easypost == NULL || service->db == NULL)
		return 0;
	return *next_look(service) + 1 + (int64_t)slot * SLOT_MS;
}

/* True for one worker of the pool. */
static bool
takes_turn(const struct service *service)
{
	_Atomic int64_t *look = next_look(service);
	int64_t look_ms = *look;
	int64_t now_ms = clock_ms();

	return look_ms <= now_ms &&
	    atomic_compare_exchange_strong(look, &look_ms, now_ms + EVERY_MS);
}

static void
do_round(struct round *round)
{
	struct request *rq = round->rq;

	request_begin_duty(rq);
	if (strcmp(round->task, "next") == 0)
		return;
	if (guard_easypost_key(rq) == NULL)
		round->pause_s = PAUSE_LONG_S;
	if (strcmp(round->task, "send") == 0)
		send_pieces(round);
	else if (round->pause_s == 0)
		look_at_doubts(round);
	if (round->pause_s > 0)
		pause_all(round);
}

enum progress {
	PROGRESS,
	PROGRESS_NONE,  /* there is nothing to do, or another does it */
	PROGRESS_FAILED /* of the database */
};

static enum progress
work_once(struct request *rq)
{
	enum progress progress = PROGRESS_FAILED;
	struct round round = { .rq = rq,
		.call = { .rq = rq,
		    .method = "POST",
		    .path = item_path,
		    .query = "",
		    .has_body = true,
		    .is_write = true },
		.task = "" };

	if (take(&round))
		progress = round.count > 0 ? PROGRESS : PROGRESS_NONE;
	if (progress == PROGRESS)
		do_round(&round);
	if (rq->is_database_late)
		progress = PROGRESS_FAILED;
	let_go_of_pieces(&round);
	request_end_duty(rq);
	return progress;
}

void
backlog_work(struct request *rq, const volatile bool *is_stopping)
{
	struct service *service = rq->service;
	int64_t until_ms = clock_ms() + TURN_MS;
	enum progress progress;

	if (!takes_turn(service))
		return;
	do
		progress = work_once(rq);
	while (progress == PROGRESS && clock_ms() < until_ms &&
	    !request_is_stopping(is_stopping));
	if (progress == PROGRESS_NONE)
		return;
	/* Another may go on, here or elsewhere: at once, or when it sees our
	 * connection end. */
	if (progress == PROGRESS_FAILED ||
	    db_call(service->db,
		&(struct db_call){ .function = "api.rest_bulk",
		    .deadline_ms = clock_ms() + BREAKER_CALL_MS },
		NULL, NULL) != DB_OK)
		db_close(service->db);
	else
		*next_look(service) = clock_ms();
}
