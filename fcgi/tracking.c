/*
 * Tracking: what we know and how old it is; EasyPost is asked when it is too old,
 * and when EasyPost cannot answer, old knowledge is better than none.
 */
#include "fcgi/tracking.h"
#include "fcgi/answer.h"
#include "fcgi/ask.h"
#include "fcgi/budget.h"
#include "fcgi/parameter.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/moment.h"

#include <string.h>
#include <time.h>

enum { CALL_MS = 2000, CODE_MIN = 4, CODE_MAX = 64 };

/* clang-format off */
static const struct parameter parameters[] = {
	{ "carrier", PARAMETER_TEXT, 1, 64, NULL, NULL, NULL, NULL },
	{ NULL,      PARAMETER_TEXT, 0, 0,  NULL, NULL, NULL, NULL },
};

/* clang-format on */

struct tracking {
	struct request *rq;
	const char *carrier; /* NULL: any */
	bool is_stale;
	bool is_found;
	struct buf *out;
};

static bool
check_code(struct request *rq)
{
	static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz-_";
	const char *code = rq->argument;
	size_t bytes = strlen(code);

	if (bytes >= CODE_MIN && bytes <= CODE_MAX &&
	    strspn(code, allowed) == bytes)
		return true;
	return parameter_refuse(
	    rq, "code", "4 to 64 letters, digits, hyphens and underscores");
}

static void
add_text(struct buf *out, const char *text)
{
	(void)row_string(out, text, strlen(text));
}

/* db_row_function: {"source","as_of","age_seconds","is_stale","tracker"}. */
static bool
add_known(void *context, const struct db_row *row)
{
	struct tracking *tracking = context;
	struct buf *out = tracking->out;
	const char *tracker = row_text(row, "tracker");
	char moment[MOMENT_BYTES];

	if (tracker == NULL ||
	    !moment_format(row_word(row, "as_of"), false, moment))
		return true;
	(void)buf_add_string(out, "{\"source\":\"database\",\"as_of\":");
	add_text(out, moment);
	(void)buf_addf(out, ",\"age_seconds\":%s,\"is_stale\":%s,\"tracker\":",
	    row_word(row, "age_seconds"),
	    tracking->is_stale ? "true" : "false");
	(void)buf_add_string(out, tracker);
	(void)buf_add_byte(out, '}');
	tracking->is_found = true;
	return true;
}

/* Answers with what we know, if it is not older than `fresh` seconds (NULL: of
 * any age).  False when there is no such thing, or no database. */
static bool
answer_known(struct tracking *tracking, const char *fresh)
{
	struct request *rq = tracking->rq;
	const struct db_value values[] = {
		db_text(rq->argument),
		db_text(tracking->carrier),
		db_text(request_mode(rq)),
		db_text(fresh),
	};
	const struct db_call call = {
		.function = "api.tracking",
		.values = values,
		.count = sizeof(values) / sizeof(values[0]),
		.deadline_ms = clock_ms() + CALL_MS,
		.is_read = true,
	};

	tracking->out = response_buf();
	tracking->is_stale = fresh == NULL;
	if (tracking->is_stale)
		log_event(LOG_WARNING, "tracking.stale",
		    LOG_TEXT("request_id", rq->id),
		    LOG_TEXT("reason", easypost_error(rq->service->easypost)),
		    LOG_TEXT("next", "what is known, however old it is"));
	if (rq->service->db == NULL ||
	    db_call(rq->service->db, &call, add_known, tracking) != DB_OK ||
	    !tracking->is_found || tracking->out->failed)
		return false;
	answer_send(rq,
	    &(struct answer){ .status = 200,
		.data = tracking->out->data,
		.bytes = tracking->out->len });
	(void)response_buf(); /* gives big memory back */
	return true;
}

/* {"tracker":{"tracking_code":...,"carrier":...}} */
static void
write_question(struct buf *out, const struct tracking *tracking)
{
	(void)buf_add_string(out, "{\"tracker\":{\"tracking_code\":");
	add_text(out, tracking->rq->argument);
	if (tracking->carrier != NULL) {
		(void)buf_add_string(out, ",\"carrier\":");
		add_text(out, tracking->carrier);
	}
	(void)buf_add_string(out, "}}");
}

/* The time now, RFC 3339. */
static void
write_now(char out[MOMENT_BYTES])
{
	time_t now = time(NULL);
	struct tm parts;

	if (gmtime_r(&now, &parts) == NULL ||
	    strftime(out, MOMENT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		log_panic("tracking.now", "there is no time");
}

static void
answer_told(struct tracking *tracking, const struct ask *ask)
{
	struct request *rq = tracking->rq;
	struct buf *out = response_buf();
	char now[MOMENT_BYTES];

	write_now(now);
	(void)buf_addf(out,
	    "{\"source\":\"easypost\",\"as_of\":\"%s\",\"age_seconds\":0,"
	    "\"is_stale\":false,\"tracker\":",
	    now);
	(void)buf_add(
	    out, ask->call.answer->body.data, ask->call.answer->body.len);
	if (!buf_add_byte(out, '}')) {
		response_refuse(rq, 502, "UPSTREAM.TOO_LARGE", NULL,
		    "EasyPost's answer is larger than 16 MiB.");
		return;
	}
	answer_send(rq,
	    &(struct answer){ .status = 200,
		.data = out->data,
		.bytes = out->len,
		.is_unrecorded = !ask->call.is_recorded });
	(void)response_buf();
}

/* Behind the client's back: what we have is as fresh as what was just told. */
static void
confirm(struct request *rq, const char *id)
{
	const struct db_value value = db_text(id);
	const struct db_call call = {
		.function = "api.confirm_tracker",
		.values = &value,
		.count = 1,
		.deadline_ms = clock_ms() + CALL_MS,
	};

	if (rq->service->db == NULL || *id == '\0')
		return;
	request_finish(rq);
	if (db_call(rq->service->db, &call, NULL, NULL) != DB_OK)
		log_event(LOG_WARNING, "tracker.not_confirmed",
		    LOG_TEXT("request_id", rq->id),
		    LOG_TEXT("next", "EasyPost is asked again"));
}

/* True when EasyPost, not the tracking code, is to blame. */
static bool
is_down(const struct ask *ask)
{
	return ask->outcome == ASK_NOT_SENT || ask->outcome == ASK_IN_DOUBT ||
	    (ask->outcome == ASK_REFUSED && ask->call.answer->status == 429);
}

static void
ask_easypost(struct tracking *tracking)
{
	struct request *rq = tracking->rq;
	struct ask ask;
	struct buf question;

	buf_init(&question, 1024); /* both texts are short */
	write_question(&question, tracking);
	ask_write(&ask, rq, "/v2/trackers", question.data, question.len);
	ask.id_prefix = "trk_";
	if (ask_send(&ask)) {
		const char *id = ask_text(&ask, "id");

		answer_told(tracking, &ask);
		confirm(rq, id);
	} else if (!is_down(&ask) || !answer_known(tracking, NULL)) {
		ask_refuse(&ask);
	}
	ask_end(&ask);
	buf_free(&question);
}

void
tracking_handle(struct request *rq, const void *unused)
{
	struct tracking tracking = { .rq = rq };
	struct parameter_values values = { .count = 0 };

	(void)unused;
	if (!check_code(rq) || !parameter_take(rq, parameters, &values))
		return;
	tracking.carrier = values.value[0].data;
	if (answer_known(&tracking,
		arena_printf(
		    rq->arena, "%d", rq->service->conf->tracking_fresh_s)))
		return;
	if (!rq->caller.has_spending_limit)
		ask_easypost(&tracking);
	else if (!answer_known(&tracking, NULL))
		budget_refuse_unknown(rq, NULL,
		    "EasyPost tells what following a parcel costs only "
		    "afterwards");
}
