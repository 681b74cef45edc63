/*
 * Deliveries: see delivery.h.
 *
 * Signed in both of EasyPost's ways: over the body, and over the moment, the verb,
 * the path and the body.
 */
#include "ctl/delivery.h"
#include "ctl/table.h"
#include "shared/address.h"
#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/hmac.h"
#include "shared/json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	LIMIT_MS = 10000, /* EasyPost waits for 7 s */
	SIGNED_MAX_BYTES = 64 * 1024,
	DATE_BYTES = 40,
};

static const char usual_path[] = "/webhooks/easypost";

const char *
delivery_read_url(struct delivery *delivery, const char *url)
{
	const char *host = strstr(url, "://");
	const char *path = host == NULL ? NULL : strchr(host + 3, '/');

	if (path == NULL || (size_t)(path - url) >= sizeof(delivery->base))
		return "https://HOST/webhooks/easypost";
	(void)snprintf(delivery->base, sizeof(delivery->base), "%.*s",
	    (int)(path - url), url); /* fits */
	delivery->path = path;
	if (!address_is_allowed(delivery->base))
		return "https://HOST[:PORT]/webhooks/easypost, without user or "
		       "password";
	for (const char *c = path; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("\"\\?#", *c) != NULL)
			return "of visible ASCII characters, without query";
	return NULL;
}

bool
delivery_is_usual(const char *url)
{
	const char *host = strstr(url, "://");
	const char *path = host == NULL ? NULL : strchr(host + 3, '/');

	return path != NULL && strcmp(path, usual_path) == 0;
}

/* RFC 2822, in the locale "C", which nobody here leaves. */
static void
write_date(char date[DATE_BYTES])
{
	time_t now = time(NULL);
	struct tm parts = { 0 };

	(void)gmtime_r(&now, &parts); /* a time of this century has its parts */
	(void)strftime(
	    date, DATE_BYTES, "%a, %d %b %Y %H:%M:%S -0000", &parts); /* fits */
}

static void
sign_with_moment(const struct delivery *delivery, const char *date,
    char signature[HMAC_SIGNATURE_BYTES + 1])
{
	struct buf text;

	buf_init(&text, SIGNED_MAX_BYTES);
	if (buf_addf(&text, "%sPOST%s%s", date, delivery->path, delivery->body))
		hmac_sign(delivery->secret, text.data, text.len, signature);
	else
		*signature = '\0'; /* no body of ours is so long */
	buf_free(&text);
}

static void
keep_text(char to[DELIVERY_TEXT_MAX], const char *text)
{
	(void)snprintf(to, DELIVERY_TEXT_MAX, "%s",
	    text == NULL ? "" : text); /* cut is good enough */
	table_make_plain(to);
}

/* What Waybill says, or nginx in its name; nothing of what others say. */
static void
read_answer(struct delivery *delivery, const struct buf *body)
{
	char problem[JSON_PROBLEM_MAX];
	struct json *document =
	    body->len == 0 ? NULL : json_read(body->data, body->len, problem);
	const struct json *error = json_member(document, "error");
	const struct json *message =
	    json_member(error == NULL ? document : error, "message");

	keep_text(delivery->code, json_text(json_member(error, "code")));
	keep_text(delivery->message, json_text(message));
	json_free(document);
}

void
delivery_send(struct delivery *delivery)
{
	struct easypost *client =
	    easypost_new(delivery->base, delivery->ca_file);
	char signature[HMAC_SIGNATURE_BYTES + 1];
	char with_moment[HMAC_SIGNATURE_BYTES + 1];
	char date[DATE_BYTES];
	const struct easypost_header headers[] = {
		{ "Content-Type", "application/json" },
		{ "Accept", "application/json" },
		{ "User-Agent", "waybill/" WAYBILL_VERSION },
		{ "X-Hmac-Signature", signature },
		{ "X-Timestamp", date },
		{ "X-Path", delivery->path },
		{ "X-Hmac-Signature-V2", with_moment },
	};
	const struct easypost_request request = { .method = "POST",
		.target = delivery->path,
		.headers = headers,
		.header_count = sizeof(headers) / sizeof(*headers),
		.body = delivery->body,
		.body_bytes = strlen(delivery->body),
		.has_body = true,
		.deadline_ms = clock_ms() + LIMIT_MS };
	struct reply answer;

	reply_init(&answer);
	write_date(date);
	hmac_sign(delivery->secret, delivery->body, strlen(delivery->body),
	    signature);
	sign_with_moment(delivery, date, with_moment);
	delivery->result = easypost_send(client, &request, &answer);
	delivery->took_us = easypost_spent_us(client);
	delivery->status = answer.status;
	*delivery->code = '\0';
	if (delivery->result == EASYPOST_ANSWERED)
		read_answer(delivery, &answer.body);
	else
		keep_text(delivery->message, easypost_error(client));
	buf_free(&answer.body);
	buf_free(&answer.header_text);
}

/* What to do about an answer; the first that fits. */
static const struct {
	int status;
	const char *code; /* NULL: any */
	const char *cure;
} cures[] = {
	{ 401, "SIGNATURE.INVALID",
	    "it has another secret than this host.  If that was changed here: "
	    "sudo systemctl restart waybill-webhook" },
	{ 503, "WEBHOOK.NOT_CONFIGURED",
	    "it runs without a secret: sudo systemctl restart "
	    "waybill-webhook" },
	{ 503, "DATABASE.NOT_CONFIGURED", "set DATABASE_URL there" },
	{ 502, NULL,
	    "its workers do not run: systemctl status waybill-webhook" },
	{ 503, NULL,
	    "neither PostgreSQL nor the spool took it: waybill spool" },
	{ 504, NULL,
	    "its workers are stuck: systemctl status waybill-webhook" },
	{ 0, NULL, "is this address Waybill's?" },
};

static const char *
cure_of(const struct delivery *delivery)
{
	size_t i = 0;

	while (cures[i].status != 0 &&
	    (cures[i].status != delivery->status ||
		(cures[i].code != NULL &&
		    strcmp(cures[i].code, delivery->code) != 0)))
		i++;
	return cures[i].cure;
}

bool
delivery_is_kept(const struct delivery *delivery)
{
	return delivery->status >= 200 && delivery->status < 300;
}

void
delivery_tell(const struct delivery *delivery)
{
	double took_ms = (double)delivery->took_us / 1000;

	if (delivery->result != EASYPOST_ANSWERED)
		(void)fprintf(stderr, "waybill: %s%s did not answer: %s%s\n",
		    delivery->base, delivery->path, delivery->message,
		    delivery->result == EASYPOST_UNTRUSTED
			? ".  EasyPost would not deliver to it either"
			: "");
	else if (delivery_is_kept(delivery))
		(void)printf("%s%s answered %d in %.1f ms: %s\n",
		    delivery->base, delivery->path, delivery->status, took_ms,
		    delivery->message);
	else
		(void)fprintf(stderr,
		    "waybill: %s%s answered %d in %.1f ms: %s\n"
		    "waybill: %s\n",
		    delivery->base, delivery->path, delivery->status, took_ms,
		    delivery->message,
		    cure_of(delivery)); /* main looks at stdout */
}
