/*
 * Requests to EasyPost with libcurl; curl handles never leave this file.
 *
 * Two handles share names and TLS sessions: one keeps its connections, one
 * makes a connection for each request and closes it, for what spends money.
 * libcurl sends a request again by itself, and reports success, when a kept
 * connection dies before the first byte of the answer.  So the body of a write
 * comes from a read function without a seek function (libcurl gives up instead of
 * sending again), and a write without a body gets a new connection.
 * Several calls at once have a handle each, and connections that end with them.
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

enum {
	CONNECT_MAX_MS = 10000,
	REQUEST_LINE_MAX = 64 * 1024,
	POLL_MS = 1000,
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
	struct easypost_site *site; /* NULL: nobody asks */
};

/* One request under way. */
struct exchange {
	struct reply *answer;
	const char *body;
	size_t body_bytes;
	size_t body_given;
	bool is_too_large;
	struct curl_slist *headers;
	int64_t started_us;
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

static size_t
take_header(char *line, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;

	reply_take_line(exchange->answer, line, size * count);
	return size * count;
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

		buf_init(&line, REQUEST_LINE_MAX);
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
	if (easypost->site != NULL) {
		must(curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L));
		must(curl_easy_setopt(
		    curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS));
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
    struct exchange *exchange)
{
	bool sends_body = request->has_body && request->body_bytes > 0;
	long is_new =
	    request->spends_money || (!is_read(request) && !sends_body);

	set_up_verb(curl, request);
	/* The very bytes that came: never parsed, never put in order. */
	must(curl_easy_setopt(curl, CURLOPT_REQUEST_TARGET, request->target));
	must(curl_easy_setopt(curl, CURLOPT_HTTPHEADER, exchange->headers));
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

/* Makes the handle ready to send; false when the request may not go. */
static bool
exchange_begin(struct easypost *easypost, CURL *curl,
    const struct easypost_request *request, struct exchange *exchange,
    struct reply *answer)
{
	int64_t left_ms = clock_left_ms(request->deadline_ms);

	*exchange = (struct exchange){ .answer = answer,
		.body = request->body,
		.body_bytes = request->has_body ? request->body_bytes : 0,
		.started_us = clock_us() };
	reply_reset(answer);
	/* To libcurl no time at all means all the time in the world. */
	if (left_ms == 0 || !is_sound(request)) {
		(void)snprintf(easypost->error, sizeof(easypost->error), "%s",
		    left_ms == 0 ? "no time was left for the call"
				 : "not a request to send"); /* fits */
		return false;
	}
	easypost->error[0] = '\0';
	exchange->headers = list_headers(request);
	set_up(easypost, curl, left_ms);
	set_up_exchange(curl, request, exchange);
	return true;
}

/* The first certificate is the server's own. */
static void
look_at_site(CURL *curl, struct easypost_site *site)
{
	static const char label[] = "Expire date:";
	struct curl_certinfo *chain = NULL;
	long version = 0;

	*site = (struct easypost_site){ .expires = "" };
	must(curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &version));
	must(curl_easy_getinfo(curl, CURLINFO_CERTINFO, &chain));
	site->speaks_http2 = version == CURL_HTTP_VERSION_2_0;
	if (chain == NULL || chain->num_of_certs == 0)
		return;
	for (const struct curl_slist *line = chain->certinfo[0]; line != NULL;
	     line = line->next)
		if (strncmp(line->data, label, sizeof(label) - 1) == 0)
			(void)snprintf(site->expires, sizeof(site->expires),
			    "%s", line->data + sizeof(label) - 1); /* fits */
}

static enum easypost_result
exchange_end(struct easypost *easypost, CURL *curl, CURLcode code,
    struct exchange *exchange)
{
	enum easypost_result result = judge(curl, code, exchange);

	if (easypost->site != NULL)
		look_at_site(curl, easypost->site);
	curl_slist_free_all(exchange->headers);
	exchange->headers = NULL;
	if (code != CURLE_OK && easypost->error[0] == '\0')
		(void)snprintf(easypost->error, sizeof(easypost->error), "%s",
		    curl_easy_strerror(code)); /* fits */
	if (result != EASYPOST_ANSWERED)
		reply_reset(exchange->answer);
	reply_finish(exchange->answer);
	return result;
}

static void
tell_observer(const struct easypost *easypost, enum easypost_result result,
    const struct exchange *exchange)
{
	if (easypost->observer != NULL)
		easypost->observer(easypost->observer_context, result,
		    exchange->answer->status,
		    clock_us() - exchange->started_us);
}

enum easypost_result
easypost_send(struct easypost *easypost, const struct easypost_request *request,
    struct reply *answer)
{
	CURL *curl = request->spends_money ? easypost->fresh : easypost->kept;
	enum easypost_result result = EASYPOST_UNREACHABLE;
	struct exchange exchange;

	if (exchange_begin(easypost, curl, request, &exchange, answer))
		result = exchange_end(
		    easypost, curl, curl_easy_perform(curl), &exchange);
	easypost->spent_us += clock_us() - exchange.started_us;
	tell_observer(easypost, result, &exchange);
	return result;
}

/* One of the calls that are under way at once. */
struct lane {
	CURL *curl;
	size_t index;
	bool is_busy;
	struct exchange exchange;
	struct reply answer;
};

struct crowd {
	struct easypost *easypost;
	const struct easypost_many *many;
	CURLM *multi;
	size_t next; /* the first that has not begun */
	bool is_stopped;
	int busy;
	struct lane lanes[EASYPOST_LANES];
};

static void
must_multi(CURLMcode code)
{
	if (code != CURLM_OK)
		log_fatal("easypost.many", curl_multi_strerror(code));
}

static void
take(struct crowd *crowd, struct lane *lane, enum easypost_result result)
{
	const struct easypost_many *many = crowd->many;

	tell_observer(crowd->easypost, result, &lane->exchange);
	if (!many->take(many->context, lane->index, result, &lane->answer))
		crowd->is_stopped = true;
	reply_reset(&lane->answer);
}

/* Begins the next call in a free lane. */
static void
enter(struct crowd *crowd, struct lane *lane)
{
	const struct easypost_many *many = crowd->many;
	struct easypost_request request = { 0 };

	if (lane->curl == NULL) {
		lane->curl = curl_easy_init();
		reply_init(&lane->answer);
		buf_init(&lane->answer.body, EASYPOST_LANE_ANSWER_MAX);
	}
	if (lane->curl == NULL)
		log_fatal("easypost.many", "out of memory");
	lane->index = crowd->next++;
	many->ask(many->context, lane->index, &request);
	if (!exchange_begin(crowd->easypost, lane->curl, &request,
		&lane->exchange, &lane->answer)) {
		take(crowd, lane, EASYPOST_UNREACHABLE);
		return;
	}
	must(curl_easy_setopt(lane->curl, CURLOPT_PRIVATE, lane));
	must_multi(curl_multi_add_handle(crowd->multi, lane->curl));
	lane->is_busy = true;
	crowd->busy++;
}

static void
fill_lanes(struct crowd *crowd)
{
	for (size_t i = 0; i < EASYPOST_LANES; i++)
		while (!crowd->lanes[i].is_busy && !crowd->is_stopped &&
		    crowd->next < crowd->many->count)
			enter(crowd, &crowd->lanes[i]);
}

/* Takes what has ended. */
static void
leave(struct crowd *crowd)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(crowd->multi, &left)) != NULL) {
		struct lane *lane = NULL;
		CURLcode code = message->data.result;

		must(curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, &lane));
		must_multi(curl_multi_remove_handle(crowd->multi, lane->curl));
		lane->is_busy = false;
		crowd->busy--;
		take(crowd, lane,
		    exchange_end(
			crowd->easypost, lane->curl, code, &lane->exchange));
	}
}

static void
free_crowd(struct crowd *crowd)
{
	for (size_t i = 0; i < EASYPOST_LANES; i++) {
		struct lane *lane = &crowd->lanes[i];

		if (lane->curl == NULL)
			continue;
		curl_easy_cleanup(lane->curl);
		reply_free(&lane->answer);
	}
	(void)curl_multi_cleanup(crowd->multi); /* nothing is under way */
	free(crowd);
}

void
easypost_send_many(struct easypost *easypost, const struct easypost_many *many)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	int64_t started_us = clock_us();
	int running;

	if (crowd == NULL || (crowd->multi = curl_multi_init()) == NULL)
		log_fatal("easypost.many", "out of memory");
	crowd->easypost = easypost;
	crowd->many = many;
	must_multi(curl_multi_setopt(
	    crowd->multi, CURLMOPT_MAXCONNECTS, (long)EASYPOST_LANES));
	fill_lanes(crowd);
	while (crowd->busy > 0) {
		must_multi(curl_multi_perform(crowd->multi, &running));
		leave(crowd);
		fill_lanes(crowd);
		if (crowd->busy > 0)
			must_multi(curl_multi_poll(
			    crowd->multi, NULL, 0, POLL_MS, NULL));
	}
	free_crowd(crowd);
	easypost->spent_us += clock_us() - started_us;
}

void
easypost_observe(
    struct easypost *easypost, easypost_observer *observer, void *context)
{
	easypost->observer = observer;
	easypost->observer_context = context;
}

void
easypost_look_at_site(struct easypost *easypost, struct easypost_site *site)
{
	easypost->site = site;
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
