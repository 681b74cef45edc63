/*
 * Exports: page by page, each a statement of its own.
 *
 * So no export holds a snapshot, and the database never waits for a slow
 * client: a page is read whole, then written.  Nor does it go to nginx's disk:
 * the worker waits for the client, as long as that takes anything at all.
 * What must stay true: an answer that cannot be completed is broken off, never
 * ended as if it were whole; a part of the workers stays free for others.
 */
#include "fcgi/export.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/clock.h"
#include "shared/csv.h"
#include "shared/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	PAGE_ROWS = 500, /* about half a megabyte of shipments */
	PAGE_BYTES = 4 * 1024 * 1024,
	PAGE_MS = 3000,
	SLICE_BYTES = 64 * 1024, /* a client has request_ms for each */
	RETRY_S = 10,
	WORKERS_PER_EXPORT = 2, /* at least, in the whole pool */
};

/* What lies before the first row: of a list from the newest on, and of others. */
static const struct list_place before_all[] = {
	{ "infinity", "ffffffff-ffff-ffff-ffff-ffffffffffff" },
	{ "-infinity", "00000000-0000-0000-0000-000000000000" },
};

/* One export under way. */
struct export
{
	struct request *rq;
	const struct list *list;
	struct parameter_values *taken;
	bool is_csv;
	struct buf *page;
	long rows; /* of this page */
	long page_rows;
	struct list_place place;
};

static void
add_line(struct buf *page, const struct db_row *row, int columns)
{
	size_t start = page->len;

	(void)row_part_to_json(page, row, columns);
	/* JSON may have line breaks between its words, a line may not. */
	for (size_t i = start; i < page->len; i++)
		if (page->data[i] == '\n' || page->data[i] == '\r')
			page->data[i] = ' ';
	(void)buf_add_byte(page, '\n');
}

/* db_row_function.  A page that is too large is given up, to be read again in
 * smaller parts. */
static bool
add_row(void *context, const struct db_row *row)
{
	struct export *export = context;

	if (export->is_csv && export->rq->status == 0 && export->rows == 0)
		(void)csv_add_names(export->page, row);
	if (export->is_csv)
		(void)csv_add_row(export->page, row);
	else
		add_line(export->page, row, list_columns(export->list, row));
	list_note(export->list, row, &export->place);
	export->rows++;
	return !export->page->failed;
}

/* db_row_function: an empty CSV still says what its columns are. */
static bool
add_names(void *context, const struct db_row *row)
{
	struct export *export = context;

	return export->rq->status != 0 || csv_add_names(export->page, row);
}

/* Puts the place of the last row into the cursor of the next page. */
static void
move_on(struct export *export)
{
	struct db_value *value = export->taken->value + LIST_AFTER;

	if (export->list->time != NULL)
		*value++ = db_text(export->place.time);
	*value = db_text(export->place.id);
}

static enum db_status
read_page(struct export *export)
{
	struct request *rq = export->rq;
	const struct list *list = export->list;
	char sql[STATEMENT_SQL_MAX];
	struct where where;

	where_make(
	    &where, WHERE_FILTERS_AND_CURSOR, list->parameters, export->taken);
	list_select(list, export->is_csv, &where, export->page_rows, 0, sql);
	buf_reset(export->page, PAGE_BYTES);
	export->rows = 0;
	return db_call(rq->service->db,
	    &(struct db_call){ .function = list->view,
		.sql = sql,
		.values = where.values.value,
		.count = where.values.count,
		.deadline_ms = clock_ms() + PAGE_MS,
		.plan_each = !where.is_steady,
		.no_row = export->is_csv ? add_names : NULL,
		.is_read = true },
	    add_row, export);
}

/* The next page, in smaller parts when it was too large. */
static enum db_status
next_page(struct export *export)
{
	const struct list_place before = export->place;
	enum db_status status = read_page(export);

	while (status == DB_STOPPED && export->page->failed &&
	    export->page_rows > 1) {
		export->page_rows /= 2;
		export->place = before;
		status = read_page(export);
	}
	return status;
}

static void
start_answer(struct export *export)
{
	struct request *rq = export->rq;
	const char *suffix = export->is_csv ? "csv" : "ndjson";
	char date[16];
	time_t now = time(NULL);
	struct tm utc;

	if (gmtime_r(&now, &utc) == NULL ||
	    strftime(date, sizeof(date), "%Y-%m-%d", &utc) == 0)
		date[0] = '\0';
	request_start_answer(rq, 200,
	    (const struct request_header[]){
		{ "Content-Type",
		    export->is_csv ? "text/csv; charset=utf-8; header=present"
				   : "application/x-ndjson" },
		{ "Content-Disposition",
		    arena_printf(rq->arena, "attachment; filename=\"%s-%s.%s\"",
			export->list->plural, date, suffix) },
		{ "Cache-Control", "no-store" } },
	    3);
}

static void
write_page(struct request *rq, const struct buf *page)
{
	for (size_t at = 0; at < page->len && request_has_client(rq);
	     at += SLICE_BYTES) {
		size_t left = page->len - at;

		request_write(rq, page->data + at,
		    left < SLICE_BYTES ? left : SLICE_BYTES);
		request_progress(rq);
	}
}

/* True when there is another page. */
static bool
send_page(struct export *export)
{
	struct request *rq = export->rq;
	enum db_status status = next_page(export);

	if (status != DB_OK && rq->status == 0) {
		response_refuse_db(rq, status);
		return false;
	}
	if (status != DB_OK) {
		log_event(LOG_ERROR, "export.broken",
		    LOG_TEXT("request_id", rq->id),
		    LOG_TEXT("reason", db_error(rq->service->db)->message),
		    LOG_TEXT("next", "the connection is closed"));
		request_break(rq);
		return false;
	}
	if (rq->status == 0)
		start_answer(export);
	write_page(rq, export->page);
	move_on(export);
	return export->rows == export->page_rows && !rq->is_head &&
	    request_has_client(rq);
}

/* False, and refused, when exports have all the workers they may have. */
static bool
take_place(struct request *rq)
{
	struct scoreboard_sum sum;

	rq->service->slot->is_exporting = true;
	sum = scoreboard_sum(rq->service->scoreboard);
	if (sum.exporting == 1 ||
	    sum.exporting * WORKERS_PER_EXPORT <= sum.limit)
		return true;
	rq->service->slot->is_exporting = false;
	response_refuse_for(rq, 429, "EXPORTS.BUSY",
	    "Too many exports are running; please try again later.", RETRY_S);
	return false;
}

void
export_list(
    struct request *rq, const struct list *list, struct parameter_values *taken)
{
	struct buf page;
	struct export export = {
		.rq = rq,
		.list = list,
		.taken = taken,
		.is_csv = strcmp(taken->value[LIST_FORMAT].data, "csv") == 0,
		.page = &page,
		.page_rows = PAGE_ROWS,
	};

	if (!take_place(rq))
		return;
	/* Always with a cursor, so that all pages are one statement. */
	if (taken->value[LIST_AFTER].data == NULL) {
		export.place = before_all[list->is_rising ? 1 : 0];
		move_on(&export);
	}
	buf_init(&page, PAGE_BYTES);
	while (send_page(&export))
		continue;
	buf_free(&page);
	rq->service->slot->is_exporting = false;
}
