/*
 * Calls of EasyPost's /v2/webhooks: see hooks.h.
 *
 * Creating takes {"webhook":{...}}, changing takes its members bare and is answered
 * 201, and changing anything enables what was disabled.
 */
#include "ctl/hooks.h"
#include "ctl/facts.h"
#include "ctl/table.h"
#include "shared/buf.h"
#include "shared/clock.h"

#include <stdio.h>
#include <string.h>

enum {
	CALL_MS = 20000,
	BODY_MAX_BYTES = 128 * 1024,
	AUTHORIZATION_MAX = 300, /* conf.c bounds the key */
	TARGET_MAX = 160,
};

static const char path[] = "/v2/webhooks";

static const char *
text_of(const struct json *object, const char *name)
{
	const char *text = json_text(json_member(object, name));

	return text == NULL ? "" : text;
}

static void
append(struct hooks *hooks, const char *before, const char *text)
{
	size_t used = strlen(hooks->error);

	if (*text != '\0')
		(void)snprintf(hooks->error + used, sizeof(hooks->error) - used,
		    "%s%s", before, text); /* cut is good enough */
}

/* {"error":{"code","message","errors":[{"field","message"}]}}, or texts in place
 * of the last objects. */
static void
tell_refusal(struct hooks *hooks)
{
	const struct reply *answer = &hooks->answer;
	char problem[JSON_PROBLEM_MAX];
	struct json *document = answer->body.len == 0
	    ? NULL
	    : json_read(answer->body.data, answer->body.len, problem);
	const struct json *error = json_member(document, "error");
	const struct json *list = json_member(error, "errors");

	(void)snprintf(hooks->error, sizeof(hooks->error),
	    "EasyPost answered %d", answer->status); /* fits */
	append(hooks, ": ", text_of(error, "message"));
	append(hooks, " ", text_of(error, "code"));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *one = json_element(list, i);
		const char *text = json_text(one);

		append(hooks, "; ", text_of(one, "field"));
		append(hooks, *text_of(one, "field") == '\0' ? "; " : " ",
		    text == NULL ? text_of(one, "message") : text);
	}
	if (answer->status == 401 || answer->status == 403)
		append(hooks, ". Look at ", hooks->key_name);
	table_make_plain(hooks->error);
	json_free(document);
}

/* One call; true when EasyPost did it. */
static bool
ask(struct hooks *hooks, const char *method, const char *target,
    const struct buf *body)
{
	char authorization[AUTHORIZATION_MAX];
	const struct easypost_header headers[] = {
		{ "Authorization", authorization },
		{ "Accept", "application/json" },
		{ "Content-Type", "application/json" },
	};
	const struct easypost_request request = { .method = method,
		.target = target,
		.headers = headers,
		.header_count = body == NULL ? 2 : 3,
		.body = body == NULL ? NULL : body->data,
		.body_bytes = body == NULL ? 0 : body->len,
		.has_body = body != NULL,
		.deadline_ms = clock_ms() + CALL_MS };
	enum easypost_result result;

	*hooks->error = '\0';
	if (body != NULL && body->failed) {
		append(hooks, "", "the secret is too long to be sent");
		return false;
	}
	(void)snprintf(authorization, sizeof(authorization), "Bearer %s",
	    hooks->key); /* fits */
	result = easypost_send(hooks->easypost, &request, &hooks->answer);
	explicit_bzero(authorization, sizeof(authorization));
	if (result != EASYPOST_ANSWERED)
		append(hooks, "EasyPost did not answer: ",
		    easypost_error(hooks->easypost));
	else if (hooks->answer.status != 200 && hooks->answer.status != 201)
		tell_refusal(hooks);
	else
		return true;
	return false;
}

/* The object that the answer holds, or NULL with the error. */
static struct json *
read_answer(struct hooks *hooks)
{
	const struct buf *body = &hooks->answer.body;
	char problem[JSON_PROBLEM_MAX] = "it is empty";
	struct json *document =
	    body->len == 0 ? NULL : json_read(body->data, body->len, problem);

	if (document == NULL)
		append(hooks, "EasyPost's answer cannot be read: ", problem);
	return document;
}

void
hooks_begin(struct hooks *hooks)
{
	reply_init(&hooks->answer);
	hooks->document = NULL;
}

bool
hooks_read(struct hooks *hooks)
{
	json_free(hooks->document);
	hooks->document = NULL;
	if (ask(hooks, "GET", path, NULL))
		hooks->document = read_answer(hooks);
	if (hooks->document == NULL)
		return false;
	if (json_kind(json_member(hooks->document, "webhooks")) ==
	    JSON_KIND_ARRAY)
		return true;
	append(hooks, "", "EasyPost's answer is no list of webhooks");
	return false;
}

size_t
hooks_count(const struct hooks *hooks)
{
	return json_count(json_member(hooks->document, "webhooks"));
}

struct hook
hooks_at(const struct hooks *hooks, size_t index)
{
	const struct json *one =
	    json_element(json_member(hooks->document, "webhooks"), index);

	return (struct hook){ .id = text_of(one, "id"),
		.url = text_of(one, "url"),
		.created_at = text_of(one, "created_at"),
		.disabled_at = text_of(one, "disabled_at") };
}

bool
hooks_create(struct hooks *hooks, const char *url, const char *secret,
    char id[HOOKS_ID_MAX])
{
	struct json *document = NULL;
	struct buf body;

	buf_init(&body, BODY_MAX_BYTES);
	(void)buf_add_string(&body, "{\"webhook\":{\"url\":");
	facts_add_string(&body, url);
	(void)buf_add_string(&body, ",\"webhook_secret\":");
	facts_add_string(&body, secret);
	(void)buf_add_string(&body, "}}"); /* ask() looks at failed */
	if (ask(hooks, "POST", path, &body))
		document = read_answer(hooks);
	if (body.data != NULL)
		explicit_bzero(body.data, body.len);
	buf_free(&body);
	(void)snprintf(id, HOOKS_ID_MAX, "%s",
	    text_of(document, "id")); /* cut: only shown */
	if (document == NULL)
		return false;
	json_free(document);
	return true;
}

/* "/v2/webhooks/ID" */
static void
make_target(char target[TARGET_MAX], const char *id)
{
	(void)snprintf(target, TARGET_MAX, "%s/%s", path, id); /* an id fits */
}

bool
hooks_update(struct hooks *hooks, const char *id, const char *secret)
{
	char target[TARGET_MAX];
	struct buf body;
	bool is_done;

	make_target(target, id);
	buf_init(&body, BODY_MAX_BYTES);
	(void)buf_add_string(&body, "{\"webhook_secret\":");
	facts_add_string(&body, secret);
	(void)buf_add_byte(&body, '}'); /* ask() looks at failed */
	is_done = ask(hooks, "PATCH", target, &body);
	if (body.data != NULL)
		explicit_bzero(body.data, body.len);
	buf_free(&body);
	return is_done;
}

bool
hooks_delete(struct hooks *hooks, const char *id)
{
	char target[TARGET_MAX];

	make_target(target, id);
	return ask(hooks, "DELETE", target, NULL);
}

bool
hooks_is_id(const char *id)
{
	size_t bytes = strlen(id);

	return bytes > 0 && bytes < HOOKS_ID_MAX &&
	    strspn(id,
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz_") == bytes;
}

void
hooks_end(struct hooks *hooks)
{
	json_free(hooks->document);
	hooks->document = NULL;
	buf_free(&hooks->answer.body);
	buf_free(&hooks->answer.header_text);
}
