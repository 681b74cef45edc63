/*
 * waybill reconcile: what EasyPost lists of the last days against what is here.
 *
 * What is missing or older is fetched and recorded; events that never came are
 * asked for by the list of events and received as if they came.  The ledger says
 * what was found, day by day.  What must stay true: a day is complete only when
 * its list was read to its end and all of it is here; until then, and when this
 * is cut short, it is not.
 */
#include "ctl/commands.h"
#include "ctl/session.h"
#include "ctl/walk.h"
#include "shared/buf.h"
#include "shared/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	LIMIT_MS = 120000,
	DAYS_DEFAULT = 30,
	DAYS_MAX = 3660,
	DAY_S = 86400,
	IDS_MAX_BYTES = 64 * 1024, /* of a page of a hundred */
	TARGET_MAX = 256,
};

struct reconciling {
	struct db *db;
	struct easypost *easypost;
	char since[WALK_TIME_MAX]; /* the beginning of a day */
};

/* One list of one mode. */
struct comparing {
	struct reconciling *all;
	const struct walk_mode *mode;
	struct walk walk;
	char error[DB_MESSAGE_MAX + WALK_ERROR_MAX];
	bool is_short; /* some could not be recorded */
};

/* --- calls of the database ----------------------------------------------------- */

static bool
call(struct comparing *comparing, const char *function,
    const struct db_value *values, int count, db_row_function *row,
    void *context)
{
	const struct db_call db_write = { .function = function,
		.values = values,
		.count = count,
		.deadline_ms = clock_ms() + LIMIT_MS };
	struct db *db = comparing->all->db;

	if (db_call(db, &db_write, row, context) == DB_OK)
		return true;
	(void)snprintf(comparing->error, sizeof(comparing->error),
	    "the database: %s", db_error(db)->message); /* fits */
	return false;
}

static bool
begin_ledger(struct comparing *comparing)
{
	const struct db_value values[] = { db_text(comparing->mode->name),
		db_text(comparing->walk.kind->object),
		db_text(comparing->all->since) };

	return call(comparing, "admin.begin_ledger", values, 3, NULL, NULL);
}

/* `before`: as admin.reconcile_page has it. */
static bool
note_page(struct comparing *comparing, const char *before)
{
	const struct walk *walk = &comparing->walk;
	const struct db_value values[] = {
		db_text(comparing->mode->name),
		db_text(walk->kind->object),
		db_text(comparing->all->since),
		db_text(walk->kind->path),
		db_text(walk->query),
		db_bytes(walk->answer.body.data, walk->answer.body.len),
		db_text(before),
	};

	return call(comparing, "admin.reconcile_page", values, 7, NULL, NULL);
}

/* db_row_function: what it came to, for who looks on. */
static bool
print_sums(void *context, const struct db_row *row)
{
	struct comparing *comparing = context;
	const char *missing = session_text(row, "missing");

	comparing->is_short = strcmp(missing, "0") != 0;
	(void)printf("%s %s: %s listed, %s missing or older and recorded%s%s\n",
	    comparing->mode->name, comparing->walk.kind->plural,
	    session_text(row, "listed"), session_text(row, "repaired"),
	    comparing->is_short ? ", not: " : "",
	    comparing->is_short ? missing : "");
	return true;
}

/* False when the list was not read to its end, or not all of it is here.  Of events
 * that were never sent EasyPost has nothing to give: no reason to alarm anybody. */
static bool
end_ledger(struct comparing *comparing)
{
	bool is_whole = *comparing->error == '\0';
	const struct db_value values[] = { db_text(comparing->mode->name),
		db_text(comparing->walk.kind->object),
		db_text(comparing->all->since),
		db_text(is_whole ? NULL : comparing->error) };

	if (!is_whole)
		(void)fprintf(stderr, "waybill: %s %s: %s\n",
		    comparing->mode->name, comparing->walk.kind->plural,
		    comparing->error);
	if (call(comparing, "admin.end_ledger", values, 4, print_sums,
		comparing))
		return is_whole &&
		    (!comparing->is_short ||
			comparing->walk.kind == &walk_events);
	(void)fprintf(stderr, "waybill: %s\n", comparing->error);
	return false;
}

/* --- events -------------------------------------------------------------------- */

/* db_row_function: one more id of an array of PostgreSQL's. */
static bool
add_id(void *context, const struct db_row *row)
{
	struct buf *ids = context;

	return buf_addf(ids, "%s%s", ids->len == 1 ? "" : ",",
	    session_text(row, "easypost_id"));
}

static bool
is_known(const struct buf *ids, const char *id)
{
	const char *at = strstr(ids->data, id);
	size_t bytes = strlen(id);

	return at != NULL && (at[-1] == '{' || at[-1] == ',') &&
	    (at[bytes] == ',' || at[bytes] == '}');
}

static bool
receive(struct comparing *comparing, const char *body, size_t bytes)
{
	const struct db_value values[] = { db_bytes(body, bytes),
		db_text(NULL) };

	return call(comparing, "api.receive_webhook", values, 2, NULL, NULL);
}

/* What EasyPost would have delivered; an event without that stays missing. */
static bool
fetch_event(struct comparing *comparing, const char *id)
{
	struct walk *walk = &comparing->walk;
	char target[TARGET_MAX];
	char problem[JSON_PROBLEM_MAX];
	struct reply answer;
	struct json *document;
	const struct json *payload;
	const char *body;
	bool is_good;

	(void)snprintf(target, sizeof(target), "%s/%s/payloads",
	    walk->kind->path, id); /* an id of a page is short */
	reply_init(&answer);
	is_good = walk_get(walk, target, &answer);
	if (!is_good)
		(void)snprintf(comparing->error, sizeof(comparing->error), "%s",
		    walk->error); /* fits */
	document = !is_good || answer.body.len == 0
	    ? NULL
	    : json_read(answer.body.data, answer.body.len, problem);
	payload = json_element(json_member(document, "payloads"), 0);
	body = json_text(json_member(payload, "request_body"));
	if (body != NULL)
		is_good = receive(comparing, body,
		    json_text_bytes(json_member(payload, "request_body")));
	json_free(document);
	reply_free(&answer);
	return is_good;
}

/* True for what may stand in a path and an array. */
static bool
is_event_id(const char *id)
{
	return id != NULL && strncmp(id, "evt_", 4) == 0 &&
	    strlen(id) < WALK_ID_MAX &&
	    strspn(id + 4,
		"0123456789abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(id) - 4;
}

static bool
fetch_events(struct comparing *comparing, const struct buf *known)
{
	const struct walk *walk = &comparing->walk;

	for (size_t i = 0; i < walk->count; i++) {
		const char *id =
		    json_text(json_member(json_element(walk->list, i), "id"));

		if (is_event_id(id) && !is_known(known, id) &&
		    !fetch_event(comparing, id))
			return false;
	}
	return true;
}

static bool
take_events(struct comparing *comparing)
{
	const struct buf *body = &comparing->walk.answer.body;
	const struct db_value value = db_bytes(body->data, body->len);
	struct buf known;
	bool is_good;

	buf_init(&known, IDS_MAX_BYTES);
	is_good = buf_add_byte(&known, '{') &&
	    call(comparing, "admin.known_events", &value, 1, add_id, &known) &&
	    buf_add_byte(&known, '}') && fetch_events(comparing, &known) &&
	    note_page(comparing, known.data);
	buf_free(&known);
	return is_good;
}

/* --- the command ----------------------------------------------------------------- */

static bool
walk_through(struct comparing *comparing)
{
	struct walk *walk = &comparing->walk;
	bool is_of_events = walk->kind == &walk_events;

	do {
		if (!walk_next(walk)) {
			(void)snprintf(comparing->error,
			    sizeof(comparing->error), "%s",
			    walk->error); /* fits */
			return false;
		}
		if (walk_lock(comparing->all->db) != CTL_OK) {
			(void)snprintf(comparing->error,
			    sizeof(comparing->error),
			    "another has taken over"); /* fits */
			return false;
		}
		if (!(is_of_events ? take_events(comparing)
				   : note_page(comparing, NULL)))
			return false;
	} while (!walk->is_end);
	return true;
}

static bool
compare(struct reconciling *all, const struct walk_mode *mode,
    const struct walk_kind *kind)
{
	struct comparing comparing = { .all = all,
		.mode = mode,
		.walk = { .easypost = all->easypost,
		    .key = mode->key,
		    .kind = kind,
		    .since = all->since } };
	bool is_done;

	walk_begin(&comparing.walk);
	if (begin_ledger(&comparing) && !walk_through(&comparing) &&
	    *comparing.error == '\0')
		(void)snprintf(comparing.error, sizeof(comparing.error),
		    "out of memory"); /* fits */
	is_done = end_ledger(&comparing);
	walk_end(&comparing.walk);
	return is_done;
}

static bool
compare_all(struct reconciling *all, const struct walk_mode modes[2])
{
	bool is_done = true;

	/* One that fails does not keep the others back. */
	for (int m = 0; m < 2; m++) {
		if (*modes[m].key == '\0')
			continue;
		for (const struct walk_kind *kind = walk_kinds;
		     kind->object != NULL; kind++)
			is_done = compare(all, &modes[m], kind) && is_done;
		is_done = compare(all, &modes[m], &walk_events) && is_done;
	}
	return is_done;
}

/* --days N: today, and the N - 1 days before it. */
static bool
read_words(int count, char **words, long *days)
{
	static const struct option options[] = {
		{ "days", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	int option;
	char *end;

	while ((option = getopt_long(count, words, "", options, NULL)) != -1) {
		if (option != 'd')
			return false;
		*days = strtol(optarg, &end, 10);
		if (*end != '\0' || end == optarg || *days < 1 ||
		    *days > DAYS_MAX) {
			(void)fprintf(stderr,
			    "waybill: --days must be a whole number from 1 to "
			    "%d\n",
			    DAYS_MAX);
			return false;
		}
	}
	return optind == count;
}

static void
set_since(struct reconciling *all, long days)
{
	time_t first = time(NULL) - (days - 1) * DAY_S;
	struct tm parts = { 0 };

	(void)gmtime_r(
	    &first, &parts); /* a time of this century has its parts */
	(void)strftime(all->since, sizeof(all->since), "%Y-%m-%dT00:00:00Z",
	    &parts); /* fits */
}

int
reconcile_run(const struct conf *conf, int count, char **words)
{
	struct reconciling all = { .db = NULL };
	struct walk_mode modes[2];
	long days = DAYS_DEFAULT;
	int status;

	if (!read_words(count, words, &days))
		return CTL_USAGE;
	if (!walk_modes(conf, modes))
		return CTL_FAILED;
	all.db = session_open(conf, "waybill_jobs", LIMIT_MS);
	set_since(&all, days);
	all.easypost =
	    easypost_new(conf->easypost_api_base, conf->easypost_ca_file);
	status = walk_lock(all.db);
	if (status == CTL_OK && !compare_all(&all, modes))
		status = CTL_FAILED;
	db_close(all.db);
	return status;
}
