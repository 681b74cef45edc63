/*
 * Walks: see walk.h.
 *
 * What must stay true: a page is the next one or an error; an answer that is no
 * page ends the walk, and never looks like its end.
 */
#include "ctl/walk.h"
#include "ctl/commands.h"
#include "ctl/session.h"
#include "shared/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PAGE_SIZE = 100, /* the most that EasyPost gives */
	/* Of five lists a second (EasyPost's guide to rate limiting) three: the
	 * shop asks for its own beside this. */
	LIST_GAP_MS = 350,
	GAP_MS = 20, /* whatever else is asked */
	CALL_MS = 60000,
	ATTEMPTS = 8,
	PAUSE_LONGEST_MS = 60000,
	KEY_MAX = 300,
};

/* Not before this moment, whichever walk is next. */
static int64_t next_ms;

/* EasyPost gives unpurchased shipments only to who asks for them. */
const struct walk_kind walk_kinds[] = {
	{ "shipment", "shipments", "/v2/shipments", "&purchased=false" },
	{ "tracker", "trackers", "/v2/trackers", "" },
	{ "address", "addresses", "/v2/addresses", "" },
	{ "refund", "refunds", "/v2/refunds", "" },
	{ NULL, NULL, NULL, NULL },
};

const struct walk_kind walk_events = { "event", "events", "/v2/events", "" };

const struct walk_kind *
walk_find(const char *object)
{
	for (const struct walk_kind *kind = walk_kinds; kind->object != NULL;
	     kind++)
		if (strcmp(kind->object, object) == 0)
			return kind;
	return NULL;
}

void
walk_begin(struct walk *walk)
{
	reply_init(&walk->answer);
	walk->document = NULL;
}

void
walk_end(struct walk *walk)
{
	json_free(walk->document);
	walk->document = NULL;
	reply_free(&walk->answer);
}

/* Whether it may be otherwise the next time. */
static bool
may_pass(enum easypost_result result, const struct reply *answer)
{
	return result == EASYPOST_ANSWERED
	    ? answer->status == 429 || answer->status >= 500
	    : result != EASYPOST_UNTRUSTED && result != EASYPOST_TOO_LARGE;
}

/* As long as EasyPost says, or twice as long as the last time. */
static int64_t
pause_of(const struct reply *answer, int attempt)
{
	const char *header = reply_header(answer, "Retry-After");
	struct tm date = { 0 };
	int64_t pause_ms =
	    header == NULL ? 0 : (int64_t)strtol(header, NULL, 10) * 1000;

	/* RFC 9110, 10.2.3: seconds or a date. */
	if (header != NULL &&
	    strptime(header, "%a, %d %b %Y %H:%M:%S GMT", &date) != NULL)
		pause_ms = (int64_t)(timegm(&date) - time(NULL)) * 1000;
	if (pause_ms <= 0)
		pause_ms = 500LL << attempt;
	return pause_ms < PAUSE_LONGEST_MS ? pause_ms : PAUSE_LONGEST_MS;
}

static void
set_error(struct walk *walk, enum easypost_result result, const char *target,
    const struct reply *answer)
{
	size_t path = strcspn(target, "?");

	if (result != EASYPOST_ANSWERED)
		(void)snprintf(walk->error, sizeof(walk->error),
		    "EasyPost did not answer %.*s: %s", (int)path, target,
		    easypost_error(walk->easypost)); /* cut is good enough */
	else
		(void)snprintf(walk->error, sizeof(walk->error),
		    "EasyPost answered %.*s with status %d", (int)path, target,
		    answer->status);
}

static bool
fetch(struct walk *walk, const char *target, struct reply *answer, int gap_ms)
{
	char authorization[KEY_MAX];
	const struct easypost_header headers[] = {
		{ "Authorization", authorization },
		{ "Accept", "application/json" },
	};
	enum easypost_result result = EASYPOST_UNREACHABLE;

	(void)snprintf(authorization, sizeof(authorization), "Bearer %s",
	    walk->key); /* conf.c bounds the key */
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		const struct easypost_request request = { .method = "GET",
			.target = target,
			.headers = headers,
			.header_count = 2,
			.deadline_ms = clock_ms() + CALL_MS };

		clock_wait_until(next_ms);
		next_ms = clock_ms() + gap_ms;
		result = easypost_send(walk->easypost, &request, answer);
		if (!may_pass(result, answer))
			break;
		next_ms = clock_ms() + pause_of(answer, attempt);
	}
	explicit_bzero(authorization, sizeof(authorization));
	if (result == EASYPOST_ANSWERED &&
	    (answer->status == 200 || answer->status == 404))
		return true;
	set_error(walk, result, target, answer);
	return false;
}

bool
walk_get(struct walk *walk, const char *target, struct reply *answer)
{
	return fetch(walk, target, answer, GAP_MS);
}

static void
make_query(struct walk *walk)
{
	(void)snprintf(walk->query, sizeof(walk->query),
	    "page_size=%d%s%s%s%s%s%s%s", PAGE_SIZE, walk->kind->query,
	    walk->since == NULL ? "" : "&start_datetime=",
	    walk->since == NULL ? "" : walk->since,
	    walk->until == NULL ? "" : "&end_datetime=",
	    walk->until == NULL ? "" : walk->until,
	    *walk->before_id == '\0' ? "" : "&before_id=",
	    walk->before_id); /* its parts are bounded */
}

static void
copy_text(const struct json *object, const char *name, char *to, size_t bytes)
{
	const char *text = json_text(json_member(object, name));

	(void)snprintf(
	    to, bytes, "%s", text == NULL ? "" : text); /* looked at below */
}

enum { NO_UNIT = 0x10000, HIGH = 0xd800, LOW = 0xdc00 };

/* One half of a pair: HIGH or LOW. */
static bool
is_half(unsigned long unit, unsigned long half)
{
	return (unit & ~0x3ffUL) == half;
}

/* The code unit of an escape "\\uXXXX"; NO_UNIT when it is none. */
static unsigned long
unit_at(const char *text)
{
	char digits[5] = "";

	if (text[0] != '\\' || text[1] != 'u' ||
	    strspn(text + 2, "0123456789abcdefABCDEF") < 4)
		return NO_UNIT;
	memcpy(digits, text + 2, 4);
	return strtoul(digits, NULL, 16);
}

/* What stands for no character (zero, half of a pair) becomes U+FFFD: neither we
 * nor PostgreSQL can read it, and one odd object would hide its whole page. */
static void
soften(char *text)
{
	static const char replacement[6] = { '\\', 'u', 'f', 'f', 'f', 'd' };

	for (char *at = text; (at = strchr(at, '\\')) != NULL;) {
		unsigned long unit = unit_at(at);

		if (is_half(unit, HIGH) && is_half(unit_at(at + 6), LOW))
			at += 12;
		else if (unit == 0 || is_half(unit, HIGH) || is_half(unit, LOW))
			memcpy(at, replacement, sizeof(replacement));
		else
			at += at[1] == '\0' ? 1 : 2; /* and what it escapes */
	}
}

static struct json *
read_softly(struct buf *body)
{
	char problem[JSON_PROBLEM_MAX];
	struct json *document = json_read(body->data, body->len, problem);

	if (document != NULL)
		return document;
	soften(body->data);
	return json_read(body->data, body->len, problem);
}

/* Looks into the page; false when it is none. */
static bool
read_page(struct walk *walk)
{
	struct buf *body = &walk->answer.body;
	const struct json *last;

	json_free(walk->document);
	walk->document = walk->answer.status != 200 || body->len == 0
	    ? NULL
	    : read_softly(body);
	walk->list = json_member(walk->document, walk->kind->plural);
	walk->count = json_count(walk->list);
	*walk->last_id = *walk->last_created = '\0';
	if (json_kind(walk->list) != JSON_KIND_ARRAY)
		return false;
	if (walk->count == 0)
		return true;
	last = json_element(walk->list, walk->count - 1);
	copy_text(last, "id", walk->last_id, sizeof(walk->last_id));
	copy_text(
	    last, "created_at", walk->last_created, sizeof(walk->last_created));
	/* The same page again would be walked for ever. */
	return *walk->last_id != '\0' &&
	    strspn(walk->last_id,
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz_") == strlen(walk->last_id) &&
	    strcmp(walk->last_id, walk->before_id) != 0;
}

bool
walk_next(struct walk *walk)
{
	char target[WALK_QUERY_MAX + 64];

	make_query(walk);
	(void)snprintf(target, sizeof(target), "%s?%s", walk->kind->path,
	    walk->query); /* fits */
	if (!fetch(walk, target, &walk->answer, LIST_GAP_MS))
		return false;
	if (!read_page(walk)) {
		(void)snprintf(walk->error, sizeof(walk->error),
		    "EasyPost's answer to %s is no page of %s",
		    walk->kind->path, walk->kind->plural);
		return false;
	}
	/* Not every list knows start_datetime; both are UTC and sort as text
	 * down to the second. */
	walk->is_end = walk->count == 0 ||
	    !json_is_true(json_member(walk->document, "has_more")) ||
	    (walk->since != NULL && *walk->last_created != '\0' &&
		strncmp(walk->last_created, walk->since, 19) < 0);
	if (*walk->last_id != '\0')
		(void)snprintf(walk->before_id, sizeof(walk->before_id), "%s",
		    walk->last_id); /* of the same size */
	return true;
}

struct lock {
	bool is_held;
	char backend[16];
};

/* db_row_function */
static bool
take_lock(void *context, const struct db_row *row)
{
	struct lock *lock = context;

	lock->is_held = *session_text(row, "is_locked") == 't';
	(void)snprintf(lock->backend, sizeof(lock->backend), "%s",
	    session_text(row, "backend")); /* a number fits */
	return true;
}

int
walk_lock(struct db *db)
{
	static char backend[16]; /* that holds it for this process */
	struct lock lock = { false, "" };
	const struct db_call call = { .function = "admin.lock_walk",
		.deadline_ms = clock_ms() + CALL_MS };

	if (db_call(db, &call, take_lock, &lock) != DB_OK)
		return session_failed(db, "the lock cannot be had");
	if (*backend == '\0')
		memcpy(backend, lock.backend, sizeof(backend));
	/* Another connection is another holder: somebody may have walked. */
	if (lock.is_held && strcmp(backend, lock.backend) == 0)
		return CTL_OK;
	(void)fprintf(stderr,
	    lock.is_held ? "waybill: the connection broke; begin again\n"
			 : "waybill: another backfill or reconcile is "
			   "running\n");
	return lock.is_held ? CTL_FAILED : CTL_BUSY;
}

bool
walk_modes(const struct conf *conf, struct walk_mode modes[2])
{
	modes[0] =
	    (struct walk_mode){ "production", conf->secrets.easypost_api_key };
	modes[1] =
	    (struct walk_mode){ "test", conf->secrets.easypost_test_api_key };
	if (*modes[0].key != '\0' || *modes[1].key != '\0')
		return true;
	(void)fprintf(stderr,
	    "waybill: neither EASYPOST_API_KEY nor EASYPOST_TEST_API_KEY is "
	    "set\n");
	return false;
}
