/*
 * One JSON object a line, for `waybill jobs` to bring into the database.
 *
 * The names are those of the columns; each line has the key of its row, so that
 * it may be brought twice.  A file and not the database: a row costs the request
 * nothing, works on a replica, and outlives an outage and the worker.
 * What must stay true: a line is valid JSON of bounded length whatever came from
 * outside, and holds no key and no query.
 */
#include "fcgi/activity.h"
#include "fcgi/mask.h"
#include "fcgi/row.h"
#include "shared/hmac.h"
#include "shared/linefile.h"
#include "shared/log.h"
#include "shared/pool.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Bytes, before escaping makes up to six of one. */
enum {
	METHOD_MAX = 16,
	ENDPOINT_MAX = 500,
	RESOURCE_MAX = 40,
	RESOURCE_ID_MAX = 200,
	USER_AGENT_MAX = 300,
	ADDRESS_BYTES = INET6_ADDRSTRLEN + 4, /* with "/48" */
	UUID_BYTES = 37,
};

/* What only asks whether we are there. */
static const char *const probes[] = { "/livez", "/readyz", "/metrics" };

static const struct {
	const char *method;
	const char *action;
} actions[] = {
	{ "GET", "read" },
	{ "HEAD", "read" },
	{ "POST", "create" },
	{ "PUT", "update" },
	{ "PATCH", "update" },
	{ "DELETE", "delete" },
};

/* Last segments that say more than the POST before them. */
static const char *const verbs[] = { "buy", "cancel", "insure", "refund",
	"replay", "rerate", "verify" };

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool
is_probe(const struct request *rq)
{
	for (size_t i = 0; rq->route != NULL && i < COUNT(probes); i++)
		if (strcmp(rq->route, probes[i]) == 0)
			return true;
	return false;
}

/*
 * What was done, to what.
 */

static bool
is_proxied(const struct request *rq)
{
	return strncmp(rq->path, "/v2/", 4) == 0 ||
	    strncmp(rq->path, "/beta/", 6) == 0;
}

/* The segment of a path, 0 being the first; "" when there is none.  A path begins
 * with a slash. */
static const char *
segment(const struct request *rq, int number, size_t *bytes)
{
	const char *at = rq->path + (*rq->path == '/');

	for (int i = 0; i < number; i++) {
		at += strcspn(at, "/");
		at += *at == '/';
	}
	*bytes = strcspn(at, "/");
	return at;
}

static const char *
action_of(const struct request *rq)
{
	const char *last = strrchr(rq->path, '/');
	bool is_write = strcmp(rq->method, "GET") != 0 && !rq->is_head;

	if (strncmp(rq->path, "/webhooks/", 10) == 0)
		return "webhook";
	if (!is_write &&
	    (strstr(rq->query, "format=csv") != NULL ||
		strstr(rq->query, "format=ndjson") != NULL))
		return "export";
	for (size_t i = 0; is_write && last != NULL && i < COUNT(verbs); i++)
		if (strcmp(last + 1, verbs[i]) == 0)
			return verbs[i];
	for (size_t i = 0; i < COUNT(actions); i++)
		if (strcmp(rq->method, actions[i].method) == 0)
			return actions[i].action;
	return NULL;
}

/* "shipments" of /v2/shipments/..., of /db/shipments/... and of /shipments. */
static const char *
resource_of(const struct request *rq)
{
	bool is_below = is_proxied(rq) || strncmp(rq->path, "/db/", 4) == 0;
	size_t bytes;
	const char *name = segment(rq, is_below ? 1 : 0, &bytes);

	if (rq->route == NULL || bytes == 0 || bytes > RESOURCE_MAX ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz_-") < bytes)
		return NULL;
	return arena_copy(rq->arena, name, bytes);
}

/* What matched {id}, or EasyPost's id in a path of its API.  Ids have a digit,
 * names of actions have none. */
static const char *
resource_id_of(const struct request *rq)
{
	size_t bytes;
	const char *id;

	if (rq->argument != NULL || !is_proxied(rq))
		return rq->argument;
	id = segment(rq, 2, &bytes);
	if (strcspn(id, "0123456789") >= bytes)
		return NULL;
	return arena_copy(rq->arena, id, bytes);
}

/*
 * The line.
 */

/* Names come with their comma, quotes and colon: formatting would take longer
 * than all the rest. */
#define NAME(name) ",\"" name "\":"

/* Text from anywhere, at most `max` bytes of it; nothing for NULL. */
static void
add_text(struct buf *line, const char *name, const char *text, size_t max)
{
	size_t bytes;

	if (text == NULL)
		return;
	bytes = strnlen(text, max);
	if (text[bytes] != '\0') /* not in the middle of a character */
		while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80)
			bytes--;
	(void)buf_add_string(line, name);
	(void)row_string(line, text, bytes);
}

static void
add_masked(struct buf *line, const struct request *rq, const char *name,
    const char *text, size_t max)
{
	if (text != NULL)
		add_text(line, name, mask_keys(rq->arena, text), max);
}

/* Ordered by time as waybill.uuid_generate_v7().  What is behind the time is
 * random once and then counted up (RFC 9562, 6.2): random bytes for each request
 * were a tenth of a worker's time. */
static void
make_uuid(int64_t now_us, char uuid[UUID_BYTES])
{
	static uint64_t tail;
	unsigned long long ms = (unsigned long long)now_us / 1000;
	unsigned int part = (unsigned int)(now_us % 1000 * 4096 / 1000);

	if (tail == 0)
		hmac_random(&tail, sizeof(tail));
	tail++;
	(void)snprintf(uuid, UUID_BYTES, "%08llx-%04llx-7%03x-%04x-%012llx",
	    ms >> 16 & 0xffffffff, ms & 0xffff, part,
	    0x8000U | (unsigned int)(tail >> 48 & 0x3fff),
	    (unsigned long long)(tail & 0xffffffffffff));
}

/* False for what is no address, and when none is to be kept. */
static bool
make_address(const struct request *rq, char text[ADDRESS_BYTES])
{
	enum conf_addresses kept = rq->service->conf->activity_addresses;
	bool is_truncated = kept == CONF_ADDRESSES_TRUNCATED;
	unsigned char bytes[16] = { 0 };
	int family = strchr(rq->address, ':') != NULL ? AF_INET6 : AF_INET;
	size_t most = family == AF_INET ? 3 : 6; /* /24 and /48 */

	if (kept == CONF_ADDRESSES_NONE ||
	    inet_pton(family, rq->address, bytes) != 1)
		return false;
	if (is_truncated)
		memset(bytes + most, 0, sizeof(bytes) - most);
	if (inet_ntop(family, bytes, text, INET6_ADDRSTRLEN) == NULL)
		return false;
	if (is_truncated)
		(void)snprintf(text + strlen(text), sizeof("/48"), "%s",
		    family == AF_INET ? "/24" : "/48"); /* fits */
	return true;
}

static void
add_numbers(struct buf *line, const struct request *rq)
{
	(void)buf_addf(line,
	    NAME("bytes") "%zu" NAME("database_ms") "%lld.%03d" NAME(
		"upstream_ms") "%lld.%03d}" NAME("status_code") "%d" NAME("resp"
									  "onse"
									  "_tim"
									  "e_"
									  "ms") "%lld.%03d}",
	    rq->bytes, (long long)(rq->database_us / 1000),
	    (int)(rq->database_us % 1000), (long long)(rq->upstream_us / 1000),
	    (int)(rq->upstream_us % 1000), rq->status,
	    (long long)(rq->total_us / 1000), (int)(rq->total_us % 1000));
}

static void
add_action(struct buf *line, const struct request *rq)
{
	add_text(line, NAME("user_id"), request_caller(rq), UUID_BYTES);
	add_text(line, NAME("action"), action_of(rq), METHOD_MAX);
	add_text(line, NAME("resource"), resource_of(rq), RESOURCE_MAX);
	add_masked(
	    line, rq, NAME("resource_id"), resource_id_of(rq), RESOURCE_ID_MAX);
}

/* Begins the metadata. */
static void
add_metadata(struct buf *line, const struct request *rq)
{
	(void)buf_add_string(line, NAME("extra_metadata") "{\"pool\":\"");
	(void)buf_add_string(line, rq->service->pool->name);
	(void)buf_add_byte(line, '"');
	if (rq->caller.kind != CALLER_NOBODY)
		add_text(line, NAME("mode"), request_mode(rq), METHOD_MAX);
	add_text(line, NAME("route"), rq->route, ENDPOINT_MAX);
}

static void
add_all(struct buf *line, const struct request *rq, int64_t now_us)
{
	int64_t began_us = now_us - rq->total_us;
	char address[ADDRESS_BYTES];
	char uuid[UUID_BYTES];

	make_uuid(now_us, uuid);
	(void)buf_addf(line, "{\"id\":\"%s\"" NAME("timestamp") "%lld.%06d",
	    uuid, (long long)(began_us / 1000000), (int)(began_us % 1000000));
	add_action(line, rq);
	add_text(line, NAME("method"), rq->method, METHOD_MAX);
	add_masked(line, rq, NAME("endpoint"), rq->path, ENDPOINT_MAX);
	add_masked(line, rq, NAME("user_agent"),
	    request_header(rq, "HTTP_USER_AGENT"), USER_AGENT_MAX);
	if (make_address(rq, address))
		add_text(line, NAME("ip_address"), address, ADDRESS_BYTES);
	add_text(line, NAME("error_message"), rq->error_code, RESOURCE_ID_MAX);
	add_text(line, NAME("request_id"), rq->id, RESOURCE_ID_MAX);
	add_metadata(line, rq);
	if (rq->is_client_gone)
		(void)buf_add_string(line, NAME("client_gone") "true");
	add_numbers(line, rq);
}

/* The worker's, so that its memory is used again. */
static struct buf *
kept_line(void)
{
	static struct buf line;

	if (line.max == 0)
		buf_init(&line, LINEFILE_LINE_MAX);
	buf_reset(&line, LINEFILE_LINE_MAX + 1);
	return &line;
}

/* Where nginx notes what it answers by itself. */
static const char *
cache_path(const struct conf *conf)
{
	static char *path;

	if (path == NULL &&
	    asprintf(&path, "%s/nginx/cache.activity", conf->run_dir) < 0)
		log_fatal("activity.path", "out of memory");
	return path;
}

const char *
activity_of_hits(struct request *rq)
{
	static const char *const addresses[] = {
		[CONF_ADDRESSES_FULL] = "full",
		[CONF_ADDRESSES_TRUNCATED] = "truncated",
		[CONF_ADDRESSES_NONE] = "none",
	};
	const struct conf *conf = rq->service->conf;
	struct buf *line = kept_line();

	if (rq->service->db == NULL || is_probe(rq) ||
	    !linefile_has_room(cache_path(conf)))
		return NULL;
	(void)buf_addf(
	    line, "{\"addresses\":\"%s\"", addresses[conf->activity_addresses]);
	add_action(line, rq);
	add_metadata(line, rq);
	(void)buf_add_string(line, "}}");
	return line->failed ? NULL
			    : arena_copy(rq->arena, line->data, line->len);
}

void
activity_note(struct request *rq)
{
	static struct linefile file;
	static bool is_dropping;
	bool was_dropping = is_dropping;
	struct buf *line = kept_line();
	struct timespec now;

	if (rq->service->db == NULL || is_probe(rq) ||
	    clock_gettime(CLOCK_REALTIME, &now) != 0)
		return;
	file.path = pool_activity_path(rq->service->pool, rq->service->conf);
	add_all(line, rq, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	is_dropping =
	    line->failed || !linefile_append(&file, line->data, line->len);
	if (is_dropping)
		scoreboard_counters(rq->service->scoreboard)
		    ->activities_dropped += 1;
	if (is_dropping && !was_dropping)
		log_event(LOG_WARNING, "activity.dropped",
		    LOG_TEXT("request_id", rq->id), LOG_TEXT("path", file.path),
		    LOG_TEXT("next", "dropping until there is room"));
}
