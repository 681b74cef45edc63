/*
 * Up to a thousand tracking codes, one query.
 *
 * It reads our own database only, so that it costs EasyPost nothing.
 */
#include "fcgi/track.h"
#include "fcgi/body.h"
#include "fcgi/parameter.h"
#include "fcgi/response.h"
#include "fcgi/row.h"

#include <string.h>

enum {
	BODY_MAX = 128 * 1024, /* a thousand codes have 70 KB at most */
	CODES_MAX = 1000,
	CODE_MIN = 4,
	CODE_MAX = 64,
	ANSWER_MS = 3000,
};

static const char member[] = "tracking_codes";

static bool
refuse(struct request *rq, const char *field, const char *message)
{
	response_refuse(rq, 422, "BODY.INVALID", field, message);
	return false;
}

static bool
check_code(struct request *rq, const struct json *code, size_t index)
{
	const char *text = json_text(code);
	size_t bytes = json_text_bytes(code);

	if (text != NULL && bytes >= CODE_MIN && bytes <= CODE_MAX &&
	    strlen(text) == bytes &&
	    strspn(text,
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz-") == bytes)
		return true;
	return refuse(rq, arena_printf(rq->arena, "%s[%zu]", member, index),
	    "A tracking code must be a text of 4 to 64 letters, digits and "
	    "hyphens.");
}

/* db_row_function */
static bool
add_row(void *context, const struct db_row *row)
{
	struct buf *out = context;

	if (out->data[out->len - 1] == '}')
		(void)buf_add_byte(out, ',');
	return row_to_json(out, row);
}

static bool
check_body(struct request *rq, const struct json *body)
{
	const struct json *codes = json_member(body, member);

	if (json_kind(body) != JSON_KIND_OBJECT)
		return refuse(rq, NULL, "The body must be an object.");
	if (json_kind(codes) != JSON_KIND_ARRAY || json_count(codes) == 0 ||
	    json_count(codes) > CODES_MAX)
		return refuse(rq, member,
		    "tracking_codes must be an array of 1 to 1000 texts.");
	if (json_count(body) != 1)
		return refuse(rq, NULL,
		    "The body may have one member only: tracking_codes.");
	for (size_t i = 0; i < json_count(codes); i++)
		if (!check_code(rq, json_element(codes, i), i))
			return false;
	return true;
}

static bool
take_body(struct request *rq)
{
	char problem[JSON_PROBLEM_MAX];
	struct json *body;
	bool is_good;

	if (!body_take(rq, BODY_MAX))
		return false;
	body = json_read(rq->body.data, rq->body.len, problem);
	if (body == NULL) {
		response_refuse(rq, 400, "BODY.MALFORMED", NULL, problem);
		return false;
	}
	is_good = check_body(rq, body);
	json_free(body);
	return is_good;
}

void
track_batch(struct request *rq, const void *unused)
{
	struct buf *out;
	enum db_status status;

	(void)unused;
	if (!response_needs_database(rq) || !parameter_none(rq) ||
	    !take_body(rq))
		return;
	out = response_buf();
	(void)buf_add_string(
	    out, "{\"status\":\"success\",\"data\":{\"trackings\":[");
	status = db_call(rq->service->db,
	    &(struct db_call){ .function = "api.batch_track",
		.values =
		    &(struct db_value){ rq->body.data, rq->body.len, false },
		.count = 1,
		.deadline_ms = rq->started_us / 1000 + ANSWER_MS,
		.is_read = true },
	    add_row, out);
	(void)buf_add_string(out, "]}}");
	if (status == DB_OK)
		response_json(rq, 200, out);
	else
		response_refuse_db(rq, status);
}
