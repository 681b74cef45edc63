/*
 * Totals of lists.
 *
 * The planner is asked first: where it expects many rows nothing is counted.
 * Its estimates move slowly, so a worker remembers them for a few seconds; what
 * was counted is never remembered, because the next row may have come.
 */
#include "fcgi/total.h"
#include "fcgi/etag.h"
#include "fcgi/row.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	COUNTED_MAX = 10000, /* expected rows that are still counted */
	KEPT = 32,
	KEPT_MS = 10 * 1000,
	KEY_MAX = 4096, /* of a text and its values; what is longer is asked */
};

static struct kept {
	char tag[ETAG_BYTES]; /* of the statement and its values; "": free */
	int64_t asked_ms;
	long long rows;
} kept[KEPT];

/* One total while it is found. */
struct counting {
	struct request *rq;
	const struct where *where;
	int64_t deadline_ms;
	long long number;
};

/* db_row_function: the plan, whose first "Plan Rows" is that of all of it. */
static bool
take_plan(void *context, const struct db_row *row)
{
	static const char name[] = "\"Plan Rows\":";
	struct counting *counting = context;
	const char *at = strstr(row_word(row, "QUERY PLAN"), name);

	if (at == NULL)
		return false;
	counting->number = strtoll(at + strlen(name), NULL, 10);
	return true;
}

/* db_row_function */
static bool
take_count(void *context, const struct db_row *row)
{
	struct counting *counting = context;

	counting->number = row_number(row, "count");
	return true;
}

static enum db_status
ask(struct counting *counting, const char *sql, bool is_steady,
    db_row_function *row)
{
	const struct db_call call = {
		.function = "(total)",
		.sql = sql,
		.values = counting->where->values.value,
		.count = counting->where->values.count,
		.deadline_ms = counting->deadline_ms,
		.plan_each = !is_steady,
		.is_read = true,
	};

	return db_call(counting->rq->service->db, &call, row, counting);
}

/* Writes the tag of the question; false when it is too long to have one. */
static bool
make_tag(const char *sql, const struct where *where, char tag[ETAG_BYTES])
{
	struct buf key;
	bool is_made;

	buf_init(&key, KEY_MAX);
	(void)buf_add_string(&key, sql);
	for (int i = 0; i < where->values.count; i++)
		(void)buf_add(&key, where->values.value[i].data,
		    where->values.value[i].bytes + 1); /* and its zero byte */
	is_made = !key.failed;
	if (is_made)
		etag_make(key.data, key.len, tag);
	buf_free(&key);
	return is_made;
}

static struct kept *
find_kept(const char *tag)
{
	struct kept *oldest = &kept[0];

	for (int i = 0; i < KEPT; i++) {
		if (strcmp(kept[i].tag, tag) == 0)
			return &kept[i];
		if (kept[i].asked_ms < oldest->asked_ms)
			oldest = &kept[i];
	}
	oldest->tag[0] = '\0';
	return oldest;
}

static enum db_status
count_rows(struct counting *counting, const char *view, struct total *total)
{
	char sql[STATEMENT_SQL_MAX];
	enum db_status status;
	long long expected;

	/* The longest condition and name fit: neither snprintf is cut. */
	(void)snprintf(sql, sizeof(sql),
	    "explain (format json) select from %s%s", view,
	    counting->where->text);
	status = ask(counting, sql, false, take_plan);
	expected = counting->number;
	total->rows = expected;
	total->is_estimate = true;
	if (status != DB_OK || expected >= COUNTED_MAX)
		return status;
	(void)snprintf(sql, sizeof(sql),
	    "select count(*) from (select from %s%s limit %d) c", view,
	    counting->where->text, TOTAL_EXACT_MAX + 1);
	status = ask(counting, sql, counting->where->is_steady, take_count);
	total->is_estimate = counting->number > TOTAL_EXACT_MAX;
	if (!total->is_estimate || expected <= TOTAL_EXACT_MAX)
		total->rows = counting->number;
	return status;
}

enum db_status
total_count(struct request *rq, const char *view, const struct where *where,
    int64_t deadline_ms, struct total *total)
{
	struct counting counting = {
		.rq = rq, .where = where, .deadline_ms = deadline_ms
	};
	char sql[STATEMENT_SQL_MAX];
	char tag[ETAG_BYTES] = "";
	struct kept *place = NULL;
	enum db_status status;

	(void)snprintf(sql, sizeof(sql), "%s%s", view, where->text); /* fits */
	if (make_tag(sql, where, tag))
		place = find_kept(tag);
	if (place != NULL && place->tag[0] != '\0' &&
	    clock_ms() - place->asked_ms < KEPT_MS) {
		*total = (struct total){ place->rows, true };
		return DB_OK;
	}
	status = count_rows(&counting, view, total);
	if (place != NULL && status == DB_OK && total->is_estimate) {
		memcpy(place->tag, tag, sizeof(tag));
		place->asked_ms = clock_ms();
		place->rows = total->rows;
	}
	return status;
}
