/*
 * Requests to EasyPost with libcurl; curl handles never leave this file.
 *
 * Two handles share names and TLS sessions: one keeps its connections, one
 * makes a connection for each request and closes it, for what spends money.
 * libcurl sends a request again by itself, and reports success, when a kept
 * connection dies before the first byte of the answer.  So the body of a write
 * comes from a read function without a seek function (libcurl gives up instead of
 * sending again), and a write without a body gets a new connection.
 * What must stay true: a result that says "not executed" is only given when no
 * byte of the request left this process.
 */
#include "shared/easypost.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	CONNECT_MAX_MS = 10000,
	HEADER_TEXT_MAX = 64 * 1024,
	HEADER_LINE_MAX = 16 * 1024,
	BODY_KEPT_BYTES = 256 * 1024, /* by an answer that waits for its next */
};

struct easypost {
	const char *base;
	const char *ca_file;
	CURLSH *share;
	CURL *kept;
	CURL *fresh;
	char error[CURL_ERROR_SIZE];
	int64_t spent_us;
	easypost_observer *observer; /* NULL: nobody is told */
	void *observer_context;
};

/* One request under way. */
struct exchange {
	struct easypost_answer *answer;
	const char *body;
	size_t body_bytes;
	size_t body_given;
	bool is_too_large;
	bool is_header_complete; /* what follows are trailers: not for us */
};

/* Of every request; all else is what curl_easy_reset() makes it. */
static const struct {
	CURLoption option;
	long value;
} settings[] = {
	{ CURLOPT_NOSIGNAL, 1 },
	{ CURLOPT_QUICK_EXIT, 1 }, /* no wait for a resolver that hangs */
	{ CURLOPT_FOLLOWLOCATION, 0 },
	{ CURLOPT_PATH_AS_IS, 1 },
	{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	{ CURLOPT_SSL_VERIFYPEER, 1 },
	{ CURLOPT_SSL_VERIFYHOST, 2 },
	{ CURLOPT_TCP_KEEPALIVE, 1 },
	{ CURLOPT_TCP_KEEPIDLE, 30 },  /* s */
	{ CURLOPT_TCP_KEEPINTVL, 10 }, /* s */
	{ CURLOPT_MAXAGE_CONN, 60 }, /* s idle, before the other side's limit */
	{ CURLOPT_MAXCONNECTS, 2 },
};

/* What fails before a request can be sent; all else may be executed. */
static const struct {
	CURLcode code;
	enum easypost_result result;
} not_executed[] = {
	{ CURLE_UNSUPPORTED_PROTOCOL, EASYPOST_UNREACHABLE },
	{ CURLE_URL_MALFORMAT, EASYPOST_UNREACHABLE },
	{ CURLE_COULDNT_RESOLVE_HOST, EASYPOST_UNREACHABLE },
	{ CURLE_COULDNT_CONNECT, EASYPOST_UNREACHABLE },
	{ CURLE_INTERFACE_FAILED, EASYPOST_UNREACHABLE },
	{ CURLE_SSL_CONNECT_ERROR, EASYPOST_UNREACHABLE },
	{ CURLE_OPERATION_TIMEDOUT, EASYPOST_UNREACHABLE },
	{ CURLE_PEER_FAILED_VERIFICATION, EASYPOST_UNTRUSTED },
	{ CURLE_SSL_CACERT_BADFILE, EASYPOST_UNTRUSTED },
	{ CURLE_SSL_ISSUER_ERROR, EASYPOST_UNTRUSTED },
	{ CURLE_SSL_INVALIDCERTSTATUS, EASYPOST_UNTRUSTED },
};

/* Options fail for want of memory only. */
static void
must(CURLcode code)
{
	if (code != CURLE_OK)
		log_fatal("easypost.setup", curl_easy_strerror(code));
}

static size_t
give_body(char *to, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	size_t bytes = size * count;

	if (bytes > exchange->body_bytes - exchange->body_given)
		bytes = exchange->body_bytes - exchange->body_given;
	if (bytes == 0)
		return 0; /* there may be no body at all */
	memcpy(to, exchange->body + exchange->body_given, bytes);
	exchange->body_given += bytes;
	return bytes;
}

/* For reads only: libcurl may begin again. */
static int
rewind_body(void *context, curl_off_t offset, int origin)
{
	struct exchange *exchange = context;

	if (offset != 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	exchange->body_given = 0;
	return CURL_SEEKFUNC_OK;
}

static size_t
take_body(char *data, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;

	if (buf_add(&exchange->answer->body, data, size * count))
		return size * count;
	exchange->is_too_large = true;
	return 0;
}

/* One line of the header, kept as "name\0value\0"; one that is too long or has
 * no room is left out: an answer is worth more than all of its headers. */
static void
keep_header(struct easypost_answer *answer, const char *line, size_t bytes)
{
	const char *colon = memchr(line, ':', bytes);
	const char *end = line + bytes;
	const char *value = colon == NULL ? end : colon + 1;
	size_t needed = bytes + 2;

	if (needed > HEADER_LINE_MAX ||
	    needed > HEADER_TEXT_MAX - answer->header_text.len)
		return;
	while (end > value && strchr(" \t\r\n", end[-1]) != NULL)
		end--;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	if (colon == NULL || colon == line || *line == ' ' || *line == '\t' ||
	    memchr(line, '\0', bytes) != NULL ||
	    answer->header_count == EASYPOST_HEADERS_MAX ||
	    buf_room(&answer->header_text, needed) == NULL)
		return;
	/* There is room for all four. */
	(void)buf_add(&answer->header_text, line, (size_t)(colon - line));
	(void)buf_add_byte(&answer->header_text, '\0');
	(void)buf_add(&answer->header_text, value, (size_t)(end - value));
	(void)buf_add_byte(&answer->header_text, '\0');
	answer->header_count++;
}

/* "HTTP/1.1 200 OK": libcurl has checked its form. */
static int
read_status(const char *line, size_t bytes)
{
	const char *at = memchr(line, ' ', bytes);
	int status = 0;

	if (at == NULL)
		return 0;
	for (at++; at < line + bytes && *at >= '0' && *at <= '9'; at++)
		status = status < 100 ? status * 10 + (*at - '0') : 0;
	return status;
}

/* A status line begins a header; those of 1xx answers are followed by another,
 * which takes their place. */
static size_t
take_header(char *line, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	struct easypost_answer *answer = exchange->answer;
	size_t bytes = size * count;

	if (exchange->is_header_complete)
		return bytes;
	if (bytes > 9 && strncmp(line, "HTTP/", 5) == 0) {
		buf_reset(&answer->header_text, HEADER_TEXT_MAX);
		answer->header_count = 0;
		answer->status = read_status(line, bytes);
		return bytes;
	}
	if (bytes <= 2 && (*line == '\r' || *line == '\n'))
		exchange->is_header_complete = answer->status >= 200;
	else
		keep_header(answer, line, bytes);
	return bytes;
}

/* The text may have moved while it grew; now it stands still. */
static void
point_at_headers(struct easypost_answer *answer)
{
	const char *at = answer->header_text.data;

	for (int i = 0; i < answer->header_count; i++) {
		answer->headers[i].name = at;
		at += strlen(at) + 1;
		answer->headers[i].value = at;
		at += strlen(at) + 1;
	}
}

static bool
is_read(const struct easypost_request *request)
{
	return strcmp(request->method, "GET") == 0 ||
	    strcmp(request->method, "HEAD") == 0 ||
	    strcmp(request->method, "OPTIONS") == 0;
}

/* Nothing in a request may end its line: the callers have looked, but here it
 * would become another request. */
static bool
is_sound(const struct easypost_request *request)
{
	for (const char *c = request->method; *c != '\0'; c++)
		if (*c < 'A' || *c > 'Z')
			return false;
	for (const char *c = request->target; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	for (int i = 0; i < request->header_count; i++)
		if (strpbrk(request->headers[i].name, "\r\n:; ") != NULL ||
		    strpbrk(request->headers[i].value, "\r\n") != NULL)
			return false;
	return request->method[0] != '\0' && request->target[0] == '/';
}

static struct curl_slist *
list_headers(const struct easypost_request *request)
{
	/* Without a value: never sent. */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	for (int i = 0; i < request->header_count && list != NULL; i++) {
		const struct easypost_header *header = &request->headers[i];
		struct buf line;

		buf_init(&line, HEADER_TEXT_MAX);
		/* libcurl writes a header without a value as "Name;". */
		if (!buf_addf(&line, "%s%s%s", header->name,
			*header->value == '\0' ? ";" : ": ", header->value))
			log_fatal("easypost.setup", "a header is too long");
		list = curl_slist_append(list, line.data);
		buf_free(&line);
	}
	if (list == NULL)
		log_fatal("easypost.setup", "out of memory");
	return list;
}

static void
set_up(struct easypost *easypost, CURL *curl, int64_t left_ms)
{
	curl_easy_reset(curl); /* keeps connections, sessions and the share */
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		must(curl_easy_setopt(
		    curl, settings[i].option, settings[i].value));
	must(curl_easy_setopt(curl, CURLOPT_SHARE, easypost->share));
	must(curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, easypost->error));
	must(curl_easy_setopt(curl, CURLOPT_URL, easypost->base));
	must(curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR,
	    strncmp(easypost->base, "http:", 5) == 0 ? "http" : "https"));
	must(curl_easy_setopt(curl, CURLOPT_PROXY, ""));
	must(curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"));
	must(curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, ""));
	if (*easypost->ca_file != '\0') {
		/* This file and no other authority. */
		must(curl_easy_setopt(curl, CURLOPT_CAINFO, easypost->ca_file));
		must(curl_easy_setopt(curl, CURLOPT_CAPATH, NULL));
	}
	must(curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)left_ms));
	must(curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(left_ms < CONNECT_MAX_MS ? left_ms : CONNECT_MAX_MS)));
}

static void
set_up_verb(CURL *curl, const struct easypost_request *request)
{
	bool is_bodyless =
	    is_read(request) || (strcmp(request->method, "DELETE") == 0);

	if (request->has_body || !is_bodyless) {
		/* A PUT as libcurl sees it: it adds no Content-Type. */
		must(curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L));
		must(curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE,
		    (curl_off_t)(request->has_body ? request->body_bytes : 0)));
	} else if (strcmp(request->method, "HEAD") == 0) {
		must(curl_easy_setopt(curl, CURLOPT_NOBODY, 1L));
	}
	must(curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method));
}

static void
set_up_exchange(CURL *curl, const struct easypost_request *request,
    struct exchange *exchange, const struct curl_slist *headers)
{
	bool sends_body = request->has_body && request->body_bytes > 0;
	long is_new =
	    request->spends_money || (!is_read(request) && !sends_body);

	set_up_verb(curl, request);
	/* The very bytes that came: never parsed, never put in order. */
	must(curl_easy_setopt(curl, CURLOPT_REQUEST_TARGET, request->target));
	must(curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers));
	must(curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body));
	must(curl_easy_setopt(curl, CURLOPT_READDATA, exchange));
	if (is_read(request)) {
		must(curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, rewind_body));
		must(curl_easy_setopt(curl, CURLOPT_SEEKDATA, exchange));
	}
	must(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body));
	must(curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange));
	must(curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header));
	must(curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange));
	must(curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, is_new));
	must(curl_easy_setopt(
	    curl, CURLOPT_FORBID_REUSE, (long)request->spends_money));
}

static enum easypost_result
judge(CURL *curl, CURLcode code, const struct exchange *exchange)
{
	long sent_bytes = 1;

	if (code == CURLE_OK)
		return EASYPOST_ANSWERED;
	if (exchange->is_too_large)
		return EASYPOST_TOO_LARGE;
	must(curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent_bytes));
	for (size_t i = 0; i < sizeof(not_executed) / sizeof(*not_executed);
	     i++)
		if (sent_bytes == 0 && not_executed[i].code == code)
			return not_executed[i].result;
	return code == CURLE_OPERATION_TIMEDOUT ? EASYPOST_LATE
						: EASYPOST_IN_DOUBT;
}

static enum easypost_result
exchange_once(struct easypost *easypost, const struct easypost_request *request,
    struct easypost_answer *answer)
{
	struct exchange exchange = { .answer = answer,
		.body = request->body,
		.body_bytes = request->has_body ? request->body_bytes : 0 };
	CURL *curl = request->spends_money ? easypost->fresh : easypost->kept;
	int64_t left_ms = clock_left_ms(request->deadline_ms);
	struct curl_slist *headers;
	enum easypost_result result;
	CURLcode code;

	/* To libcurl no time at all means all the time in the world. */
	if (left_ms == 0 || !is_sound(request)) {
		(void)snprintf(easypost->error, sizeof(easypost->error), "%s",
		    left_ms == 0 ? "no time was left for the call"
				 : "not a request to send"); /* fits */
		return EASYPOST_UNREACHABLE;
	}
	easypost->error[0] = '\0';
	headers = list_headers(request);
	set_up(easypost, curl, left_ms);
	set_up_exchange(curl, request, &exchange, headers);
	code = curl_easy_perform(curl);
	curl_slist_free_all(headers);
	if (code != CURLE_OK && easypost->error[0] == '\0')
		(void)snprintf(easypost->error, sizeof(easypost->error), "%s",
		    curl_easy_strerror(code)); /* fits */
	result = judge(curl, code, &exchange);
	if (result != EASYPOST_ANSWERED)
		easypost_answer_reset(answer);
	point_at_headers(answer);
	return result;
}

enum easypost_result
easypost_send(struct easypost *easypost, const struct easypost_request *request,
    struct easypost_answer *answer)
{
	int64_t started_us = clock_us();
	enum easypost_result result;
	int64_t took_us;

	easypost_answer_reset(answer);
	result = exchange_once(easypost, request, answer);
	took_us = clock_us() - started_us;
	easypost->spent_us += took_us;
	if (easypost->observer != NULL)
		easypost->observer(easypost->observer_context, result,
		    answer->status, took_us);
	return result;
}

void
easypost_observe(
    struct easypost *easypost, easypost_observer *observer, void *context)
{
	easypost->observer = observer;
	easypost->observer_context = context;
}

struct easypost *
easypost_new(const char *base, const char *ca_file)
{
	struct easypost *easypost = calloc(1, sizeof(*easypost));

	if (easypost == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		log_fatal("easypost.new", "libcurl cannot begin");
	easypost->base = base;
	easypost->ca_file = ca_file;
	easypost->share = curl_share_init();
	easypost->kept = curl_easy_init();
	easypost->fresh = curl_easy_init();
	if (easypost->share == NULL || easypost->kept == NULL ||
	    easypost->fresh == NULL ||
	    curl_share_setopt(easypost->share, CURLSHOPT_SHARE,
		CURL_LOCK_DATA_DNS) != CURLSHE_OK ||
	    curl_share_setopt(easypost->share, CURLSHOPT_SHARE,
		CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
		log_fatal("easypost.new", "libcurl cannot begin");
	return easypost;
}

void
easypost_answer_init(struct easypost_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	buf_init(&answer->body, EASYPOST_ANSWER_MAX);
	buf_init(&answer->header_text, HEADER_TEXT_MAX);
}

void
easypost_answer_reset(struct easypost_answer *answer)
{
	answer->status = 0;
	answer->header_count = 0;
	buf_reset(&answer->body, BODY_KEPT_BYTES);
	buf_reset(&answer->header_text, HEADER_TEXT_MAX);
}

const char *
easypost_header(const struct easypost_answer *answer, const char *name)
{
	for (int i = 0; i < answer->header_count; i++)
		if (strcasecmp(answer->headers[i].name, name) == 0)
			return answer->headers[i].value;
	return NULL;
}

const char *
easypost_error(const struct easypost *easypost)
{
	return easypost->error;
}

int64_t
easypost_spent_us(const struct easypost *easypost)
{
	return easypost->spent_us;
}

void
easypost_forget_spent(struct easypost *easypost)
{
	easypost->spent_us = 0;
}
