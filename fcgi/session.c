/*
 * Sessions: begun with a key in a body, carried by a cookie, ended on demand.
 */
#include "fcgi/session.h"
#include "fcgi/base64.h"
#include "fcgi/body.h"
#include "fcgi/cookie.h"
#include "fcgi/guard.h"
#include "fcgi/parameter.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/clock.h"
#include "shared/hmac.h"

#include <string.h>

enum {
	BODY_BYTES_MAX = 1024,
	CALL_MS = 3000,
	TOKEN_BYTES = 32,
	KEY_LENGTH_MAX = 255,
};

/* Half a day, as the database has it. */
#define COOKIE_RULES "; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age="
#define HALF_A_DAY_S "43200"

/* clang-format off */
static const struct body_field session_fields[] = {
	{ "key", BODY_TEXT, true,  KEY_LENGTH_MAX, NULL, NULL },
	{ NULL,  BODY_TEXT, false, 0,              NULL, NULL },
};

/* clang-format on */

static void
digest_of(const char *text, unsigned char digest[SHA256_BYTES])
{
	hmac_sha256(text, strlen(text), digest);
}

/* What is told of a session: {"name","mode"}. */
static void
write_session(struct buf *out, const char *name, const char *mode)
{
	(void)buf_add_string(
	    out, "{\"status\":\"success\",\"data\":{\"name\":");
	(void)row_string(out, name, strlen(name));
	(void)buf_addf(out, ",\"mode\":\"%s\"}}", mode);
}

/* db_row_function */
static bool
add_session(void *context, const struct db_row *row)
{
	write_session(context, row_word(row, "name"), row_word(row, "mode"));
	return true;
}

/* Asks for a session with this key and a new token; an empty `out`: none. */
static enum db_status
begin(struct request *rq, const char *key, char token[COOKIE_TOKEN_LENGTH + 1],
    struct buf *out)
{
	unsigned char random[TOKEN_BYTES];
	unsigned char key_digest[SHA256_BYTES];
	unsigned char token_digest[SHA256_BYTES];

	hmac_random(random, sizeof(random));
	if (!base64_encode(
		random, sizeof(random), token, COOKIE_TOKEN_LENGTH + 1))
		return DB_STOPPED; /* it fits */
	explicit_bzero(random, sizeof(random));
	digest_of(key, key_digest);
	digest_of(token, token_digest);
	return db_call(rq->service->primary,
	    &(struct db_call){ .function = "api.begin_session",
		.values = (const struct db_value[]){ db_bytes(key_digest,
							 sizeof(key_digest)),
		    db_bytes(token_digest, sizeof(token_digest)) },
		.count = 2,
		.deadline_ms = clock_ms() + CALL_MS },
	    add_session, out);
}

static void
answer_begun(struct request *rq, const char *token, const struct buf *out)
{
	const struct request_header headers[] = {
		{ "Content-Type", "application/json" },
		{ "Cache-Control", "no-store" },
		{ "Set-Cookie",
		    arena_printf(rq->arena,
			COOKIE_NAME "=%s" COOKIE_RULES HALF_A_DAY_S, token) },
	};

	request_start_answer(rq, 200, headers, 3);
	request_write(rq, out->data, out->len);
}

static void
refuse_key(struct request *rq)
{
	/* Not Basic: a browser would ask with a dialogue of its own. */
	static const struct request_header challenge = { "WWW-Authenticate",
		"Bearer realm=\"Waybill\"" };

	response_refuse_with(rq,
	    &(struct response_refusal){ .status = 401,
		.code = "AUTHENTICATION.INVALID",
		.field = "key",
		.message =
		    "This key is not valid here, or lacks the scope read.",
		.headers = &challenge,
		.header_count = 1 });
}

void
session_begin(struct request *rq, const void *unused)
{
	struct body_check *check = body_check_new(rq->arena);
	struct buf *out;
	char token[COOKIE_TOKEN_LENGTH + 1];
	struct json *body;
	enum db_status status;

	(void)unused;
	if (!response_needs_database(rq) || !parameter_none(rq) ||
	    !body_read(rq, BODY_BYTES_MAX, false, &body))
		return;
	body_look(check, body, "", session_fields);
	if (!body_is_good(rq, check)) {
		json_free(body);
		return;
	}
	out = response_buf();
	status = begin(rq, json_text(json_member(body, "key")), token, out);
	json_free(body);
	if (status != DB_OK)
		response_refuse_db_of(rq, rq->service->primary, status);
	else if (out->len == 0)
		refuse_key(rq);
	else
		answer_begun(rq, token, out);
	explicit_bzero(token, sizeof(token));
}

/* Who has neither a key nor a cookie is nobody, and is told so without a refusal: a
 * page that asks whether somebody is signed in has done nothing wrong. */
void
session_show(struct request *rq, const void *unused)
{
	struct buf *out;
	bool is_nobody = request_header(rq, "HTTP_AUTHORIZATION") == NULL &&
	    cookie_token(rq) == NULL;

	(void)unused;
	if (!parameter_none(rq) || (!is_nobody && !guard_admit(rq, GUARD_READ)))
		return;
	out = response_buf();
	if (is_nobody)
		(void)buf_add_string(
		    out, "{\"status\":\"success\",\"data\":null}");
	else
		write_session(out, rq->caller.name, request_mode(rq));
	response_json(rq, 200, out);
}

void
session_end(struct request *rq, const void *unused)
{
	static const struct request_header headers[] = {
		{ "Set-Cookie", COOKIE_NAME "=" COOKIE_RULES "0" },
		{ "Cache-Control", "no-store" },
	};
	const char *token = cookie_token(rq);
	unsigned char digest[SHA256_BYTES];
	enum db_status status = DB_OK;

	(void)unused;
	if (!response_needs_database(rq) || !parameter_none(rq))
		return;
	if (token != NULL) {
		digest_of(token, digest);
		status = db_call(rq->service->primary,
		    &(struct db_call){ .function = "api.end_session",
			.values = &(struct db_value){ (const char *)digest,
			    sizeof(digest), true },
			.count = 1,
			.deadline_ms = clock_ms() + CALL_MS },
		    NULL, NULL);
	}
	if (status == DB_OK)
		request_start_answer(rq, 204, headers, 2);
	else
		response_refuse_db_of(rq, rq->service->primary, status);
}
