/*
 * Who may call.
 *
 * Reads the Authorization header, knows the configured EasyPost keys, asks the
 * database for gateway keys and remembers its answers: for a second, so that a
 * revoked key ends within one, and for a minute while the database is away, so
 * that its outage stops no label.  What must stay true: a key is compared in
 * constant time or by its digest, never logged (a gateway key's public prefix
 * at most), and lives on this file's stack only.
 */
#include "fcgi/guard.h"
#include "fcgi/base64.h"
#include "fcgi/breaker.h"
#include "fcgi/cookie.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/clock.h"
#include "shared/hmac.h"
#include "shared/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	KEY_MAX = 255,          /* bytes; EasyPost's have about 60 */
	GATEWAY_KEY_BYTES = 46, /* "wb_" and 43 of base64url */
	PREFIX_BYTES = 11,      /* of a gateway key: may be seen */
	KEYS_KEPT = 64,         /* in each of the two tables of a worker */
	FRESH_MS = 1000,
	OUTAGE_MS = 60 * 1000,
};

/* What the database said of a gateway key. */
struct key_entry {
	unsigned char digest[SHA256_BYTES];
	int64_t asked_ms;     /* when it was last asked; 0: a free entry */
	int64_t confirmed_ms; /* when it last said yes */
	unsigned scopes;      /* bits of enum guard_scope */
	int per_minute;       /* requests; 0: without a limit */
	bool has_spending_limit;
	bool is_test;
	char id[37];
	char name[64];
};

/* Keys that it knows, and others; apart, so that guessing pushes no valid key
 * out. */
static struct key_entry known_keys[KEYS_KEPT];
static struct key_entry unknown_keys[KEYS_KEPT];

static const struct request_header challenges[] = {
	{ "WWW-Authenticate", "Basic realm=\"Waybill\"" },
	{ "WWW-Authenticate", "Bearer realm=\"Waybill\"" },
};

/* To a script of a page a browser may not answer with a dialogue of its own, which
 * Basic would make it do. */
static bool
refuse_401(struct request *rq, const char *code, const char *message)
{
	bool is_of_browser = request_header(rq, "HTTP_SEC_FETCH_SITE") != NULL;

	response_refuse_with(rq,
	    &(struct response_refusal){ .status = 401,
		.code = code,
		.message = message,
		.headers = is_of_browser ? challenges + 1 : challenges,
		.header_count = is_of_browser ? 1 : 2 });
	return false;
}

/* Copies a token of visible ASCII; false when it is empty, too long or else. */
static bool
copy_key(const char *text, size_t bytes, char key[KEY_MAX + 1])
{
	if (bytes == 0 || bytes > KEY_MAX)
		return false;
	for (size_t i = 0; i < bytes; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return false;
	memcpy(key, text, bytes);
	key[bytes] = '\0';
	return true;
}

/* The user of Basic; EasyPost's clients leave the password empty. */
static bool
read_basic(const char *credentials, char key[KEY_MAX + 1])
{
	char decoded[KEY_MAX + 1];
	size_t bytes;
	bool is_read = false;

	if (base64_decode(credentials, decoded, sizeof(decoded), &bytes)) {
		const char *colon = memchr(decoded, ':', bytes);

		is_read = colon != NULL &&
		    copy_key(decoded, (size_t)(colon - decoded), key);
	}
	explicit_bzero(decoded, sizeof(decoded));
	return is_read;
}

/* RFC 9110: scheme in any case, one space or more, credentials. */
static bool
read_key(const char *header, char key[KEY_MAX + 1])
{
	size_t scheme = strcspn(header, " ");
	const char *credentials = header + scheme;

	credentials += strspn(credentials, " ");
	if (scheme == 6 && strncasecmp(header, "Bearer", scheme) == 0)
		return copy_key(credentials, strlen(credentials), key);
	if (scheme == 5 && strncasecmp(header, "Basic", scheme) == 0)
		return read_basic(credentials, key);
	return false;
}

static bool
is_gateway_key(const char *key)
{
	return strncmp(key, "wb_", 3) == 0;
}

static const struct {
	const char *name;
	enum guard_scope scope;
} scopes[] = {
	{ "read", GUARD_READ },
	{ "write", GUARD_WRITE },
	{ "admin", GUARD_ADMIN },
};

enum { SCOPES = sizeof(scopes) / sizeof(scopes[0]) };

/* The bits of "read,write,admin"; none holds another. */
static unsigned
scope_bits(const char *names)
{
	unsigned bits = 0;

	while (*names != '\0') {
		size_t bytes = strcspn(names, ",");

		for (int i = 0; i < SCOPES; i++)
			if (strlen(scopes[i].name) == bytes &&
			    strncmp(names, scopes[i].name, bytes) == 0)
				bits |= 1U << scopes[i].scope;
		names += bytes;
		names += *names == ',';
	}
	return bits;
}

static const char *
scope_name(enum guard_scope scope)
{
	for (int i = 0; i < SCOPES; i++)
		if (scopes[i].scope == scope)
			return scopes[i].name;
	return "?";
}

/* Takes the one row of api.find_key; false when it makes no sense. */
static bool
take_key(void *context, const struct db_row *row)
{
	struct key_entry *entry = context;
	const char *mode = row_word(row, "mode");

	entry->is_test = strcmp(mode, "test") == 0;
	if (!entry->is_test && strcmp(mode, "production") != 0)
		return false;
	entry->scopes = scope_bits(row_word(row, "scopes"));
	entry->per_minute =
	    (int)strtol(row_word(row, "requests_per_minute"), NULL, 10);
	entry->has_spending_limit = row_is_true(row, "has_spending_limit");
	(void)snprintf(entry->id, sizeof(entry->id), "%s", row_word(row, "id"));
	(void)snprintf(
	    entry->name, sizeof(entry->name), "%s", row_word(row, "name"));
	return true;
}

static struct key_entry *
find_entry(struct key_entry table[], const unsigned char *digest)
{
	for (int i = 0; i < KEYS_KEPT; i++)
		if (table[i].asked_ms != 0 &&
		    memcmp(table[i].digest, digest, SHA256_BYTES) == 0)
			return &table[i];
	return NULL;
}

static struct key_entry *
oldest_entry(struct key_entry table[])
{
	struct key_entry *oldest = &table[0];

	for (int i = 1; i < KEYS_KEPT; i++)
		if (table[i].asked_ms < oldest->asked_ms)
			oldest = &table[i];
	return oldest;
}

static bool
is_fresh(const struct key_entry *entry, int64_t now_ms)
{
	return entry != NULL && now_ms - entry->asked_ms < FRESH_MS;
}

/* Keeps what the database said now, instead of what it said before. */
static struct key_entry *
remember(const struct key_entry *fresh)
{
	bool is_known = fresh->id[0] != '\0';
	struct key_entry *table = is_known ? known_keys : unknown_keys;
	struct key_entry *other =
	    find_entry(is_known ? unknown_keys : known_keys, fresh->digest);
	struct key_entry *entry = find_entry(table, fresh->digest);

	if (other != NULL)
		other->asked_ms = 0;
	if (entry == NULL)
		entry = oldest_entry(table);
	*entry = *fresh;
	return is_known ? entry : NULL;
}

/* Where an outage can be outlived it is not waited for. */
static enum db_status
ask_database(struct request *rq, struct key_entry *fresh, bool can_outlive)
{
	int limit_ms =
	    can_outlive ? BREAKER_CALL_MS : rq->service->conf->database_wait_ms;
	const struct db_value digest =
	    db_bytes(fresh->digest, sizeof(fresh->digest));
	const struct db_call call = {
		.function = "api.find_key",
		.values = &digest,
		.count = 1,
		.deadline_ms = clock_ms() + limit_ms,
	};

	return can_outlive ? breaker_call(rq, &call, take_key, fresh)
			   : db_call(rq->service->db, &call, take_key, fresh);
}

/* Whether this key was confirmed so lately that it may do without. */
static bool
may_outlive(const struct key_entry *entry, int64_t now_ms)
{
	return entry != NULL && now_ms - entry->confirmed_ms < OUTAGE_MS;
}

/* The database gave no answer. */
static struct key_entry *
outlive_outage(struct request *rq, struct key_entry *entry,
    enum db_status status, int64_t now_ms)
{
	if (!may_outlive(entry, now_ms) || status == DB_STOPPED) {
		response_refuse_db(rq, status);
		return NULL;
	}
	entry->asked_ms = now_ms;
	log_event(LOG_WARNING, "guard.unconfirmed",
	    LOG_TEXT("request_id", rq->id), LOG_TEXT("key_id", entry->id),
	    LOG_NUMBER("confirmed_ms_ago", now_ms - entry->confirmed_ms));
	return entry;
}

/* The entry of a valid gateway key; NULL when the request has been refused. */
static const struct key_entry *
look_up(struct request *rq, const char *key)
{
	struct key_entry fresh = { .asked_ms = clock_ms() };
	struct key_entry *entry;

	fresh.confirmed_ms = fresh.asked_ms;
	hmac_sha256(key, strlen(key), fresh.digest);
	entry = find_entry(known_keys, fresh.digest);
	if (is_fresh(entry, fresh.asked_ms))
		return entry;
	if (!is_fresh(find_entry(unknown_keys, fresh.digest), fresh.asked_ms)) {
		enum db_status status = ask_database(
		    rq, &fresh, may_outlive(entry, fresh.asked_ms));

		if (status != DB_OK)
			return outlive_outage(
			    rq, entry, status, fresh.asked_ms);
		entry = remember(&fresh);
	}
	if (entry == NULL)
		(void)refuse_401(rq, "AUTHENTICATION.INVALID",
		    "This key is not valid here.");
	return entry;
}

/* False, and refused, when the key has asked too often.  Whatever it asks for counts,
 * and so do its sessions. */
static bool
pass_throttle(struct request *rq, const struct key_entry *entry)
{
	struct throttle_state state;

	if (entry->per_minute == 0)
		return true;
	state =
	    throttle_ask(rq->service->throttle, entry->id, entry->per_minute);
	/* draft-ietf-httpapi-ratelimit-headers-10 */
	rq->rate_policy = arena_printf(rq->arena, "\"key\";q=%d;w=%d",
	    entry->per_minute, THROTTLE_WINDOW_S);
	rq->rate_state = arena_printf(
	    rq->arena, "\"key\";r=%d;t=%d", state.left, state.wait_s);
	if (state.is_admitted)
		return true;
	counters_note_limited(
	    scoreboard_counters(rq->service->scoreboard), COUNTERS_RATE);
	response_refuse_for(rq, 429, "KEY.RATE_LIMITED",
	    arena_printf(rq->arena,
		"This key may ask %d times a minute; try again later.",
		entry->per_minute),
	    state.wait_s);
	return false;
}

/* A gateway key, or the token of a session that stands for one. */
static bool
admit_known(struct request *rq, enum guard_scope needed, const char *key)
{
	const struct key_entry *entry;
	char message[80];

	if (rq->service->db == NULL) {
		response_refuse(rq, 503, "DATABASE.NOT_CONFIGURED", NULL,
		    "Gateway keys need a database, and none is configured.");
		return false;
	}
	entry = look_up(rq, key);
	if (entry == NULL)
		return false;
	rq->caller.kind = CALLER_GATEWAY_KEY;
	rq->caller.is_test = entry->is_test;
	rq->caller.has_spending_limit = entry->has_spending_limit;
	memcpy(rq->caller.key_id, entry->id, sizeof(rq->caller.key_id));
	memcpy(rq->caller.name, entry->name, sizeof(rq->caller.name));
	if (!pass_throttle(rq, entry))
		return false;
	if ((entry->scopes & 1U << needed) != 0)
		return true;
	(void)snprintf(message, sizeof(message), "This key lacks the scope %s.",
	    scope_name(needed));
	response_refuse(rq, 403, "SCOPE.INSUFFICIENT", NULL, message);
	return false;
}

static bool
admit_gateway_key(struct request *rq, enum guard_scope needed, const char *key)
{
	/* Until it is confirmed, the log knows the caller by the prefix. */
	(void)snprintf(rq->caller.name, sizeof(rq->caller.name), "%.*s",
	    PREFIX_BYTES, key);
	return strlen(key) == GATEWAY_KEY_BYTES
	    ? admit_known(rq, needed, key)
	    : refuse_401(
		  rq, "AUTHENTICATION.INVALID", "This key is not valid here.");
}

/* EasyPost keys open the proxy.  Without a database there are no other keys,
 * and nothing to read but the health: they open that too. */
static bool
admit_easypost_key(struct request *rq, enum guard_scope scope, const char *key)
{
	const struct conf_secrets *secrets = &rq->service->conf->secrets;
	/* Both are always compared: no time tells which one was close. */
	bool is_production = hmac_equal(key, secrets->easypost_api_key);
	bool is_test = hmac_equal(key, secrets->easypost_test_api_key);

	if (!is_production && !is_test)
		return refuse_401(rq, "AUTHENTICATION.INVALID",
		    "This key is not valid here.");
	rq->caller.kind = CALLER_EASYPOST_KEY;
	rq->caller.is_test = !is_production;
	(void)snprintf(rq->caller.name, sizeof(rq->caller.name), "easypost-%s",
	    request_mode(rq));
	if (scope == GUARD_PROXY ||
	    (scope == GUARD_READ && rq->service->db == NULL))
		return true;
	return refuse_401(rq, "AUTHENTICATION.INVALID",
	    "EasyPost keys are accepted below /v2 and /beta only; use a "
	    "gateway key (wb_...) here.");
}

static bool
is_get(const struct request *rq)
{
	return strcmp(rq->method, "GET") == 0 || rq->is_head;
}

static enum guard_scope
needed_scope(const struct request *rq, enum guard_scope scope)
{
	if (scope != GUARD_PROXY)
		return scope;
	return is_get(rq) ? GUARD_READ : GUARD_WRITE;
}

bool
guard_admit(struct request *rq, enum guard_scope scope)
{
	const char *header;
	const char *token;
	char key[KEY_MAX + 1];
	bool is_admitted;

	if (scope == GUARD_OPEN)
		return true;
	header = request_header(rq, "HTTP_AUTHORIZATION");
	token = header == NULL && scope == GUARD_READ && is_get(rq)
	    ? cookie_token(rq)
	    : NULL;
	if (token != NULL)
		return admit_known(rq, scope, token);
	if (header == NULL || *header == '\0')
		return refuse_401(rq, "AUTHENTICATION.REQUIRED",
		    "Send a key: Authorization: Bearer KEY, or Basic with the "
		    "key as user and no password.");
	if (!read_key(header, key))
		return refuse_401(rq, "AUTHENTICATION.INVALID",
		    "The Authorization header is neither Bearer KEY nor Basic "
		    "with a key as user.");
	is_admitted = is_gateway_key(key)
	    ? admit_gateway_key(rq, needed_scope(rq, scope), key)
	    : admit_easypost_key(rq, scope, key);
	explicit_bzero(key, sizeof(key));
	return is_admitted;
}

const char *
guard_easypost_key(const struct request *rq)
{
	const struct conf_secrets *secrets = &rq->service->conf->secrets;
	const char *key = rq->caller.is_test ? secrets->easypost_test_api_key
					     : secrets->easypost_api_key;

	return *key == '\0' ? NULL : key;
}
