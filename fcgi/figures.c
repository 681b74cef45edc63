/*
 * Figures: what the database says of its shipments, as it says it.
 */
#include "fcgi/figures.h"
#include "fcgi/parameter.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/csv.h"

#include <string.h>

/* Ready answers take a millisecond, a year's figures fifty; a table of each day,
 * carrier and service may have 16 MiB, and nginx waits 18 s. */
enum { ANSWER_MS = 3000, TABLE_MS = 10000 };

enum { FORMAT, DAYS, MODE };

/* JSON as the database makes it, and as of when, where it has no room for that. */
struct told {
	struct request *rq;
	struct buf *out;
	const char *as_of; /* NULL: the JSON says so itself, or never */
};

/* clang-format off */
static const struct parameter parameters[] = {
	{ "format", PARAMETER_ENUM, 0, 0,   "json", "json csv",        NULL, NULL },
	{ "days",   PARAMETER_INT,  1, 730, "30",   NULL,              NULL, NULL },
	{ "mode",   PARAMETER_ENUM, 0, 0,   NULL,   "test production", NULL, NULL },
	{ NULL,     PARAMETER_TEXT, 0, 0,   NULL,   NULL,              NULL, NULL },
};

/* clang-format on */

/* The JSON, or the table when there is a `no_row`. */
static enum db_status
ask(struct request *rq, const struct figures *figures,
    const struct parameter_values *taken, db_row_function *row,
    db_row_function *no_row, void *context)
{
	bool is_json = no_row == NULL;

	return db_call(rq->service->db,
	    &(struct db_call){
		.function = is_json ? figures->json : figures->csv,
		.sql = is_json ? figures->ready : NULL,
		.values = taken->value + DAYS,
		.count = MODE - DAYS + 1,
		.deadline_ms =
		    rq->started_us / 1000 + (is_json ? ANSWER_MS : TABLE_MS),
		.no_row = no_row,
		.is_read = true },
	    row, context);
}

/* db_row_function */
static bool
take_json(void *context, const struct db_row *row)
{
	struct told *told = context;

	told->as_of = row_keep(told->rq->arena, row, "as_of");
	return row_verbatim(told->out, row);
}

static void
answer_json(struct request *rq, const struct figures *figures,
    const struct parameter_values *taken)
{
	struct buf *out = response_buf();
	struct told told = { .rq = rq, .out = out };
	enum db_status status;

	(void)buf_add_string(out, "{\"status\":\"success\",\"data\":");
	status = ask(rq, figures, taken, take_json, NULL, &told);
	if (status == DB_OK && buf_add_byte(out, '}'))
		response_read(rq, out,
		    &(struct request_header){ "X-Waybill-As-Of", told.as_of },
		    told.as_of != NULL);
	else
		response_refuse_db(rq, status == DB_OK ? DB_STOPPED : status);
}

static void
answer_csv(struct request *rq, const struct figures *figures,
    const struct parameter_values *taken)
{
	struct buf *out = response_buf();
	enum db_status status =
	    ask(rq, figures, taken, csv_add_line, csv_add_header, out);

	if (out->failed) {
		response_refuse(rq, 400, "PARAMETER.INVALID", "days",
		    "The answer would pass 16 MiB: ask for fewer days.");
		return;
	}
	if (status != DB_OK) {
		response_refuse_db(rq, status);
		return;
	}
	request_start_answer(rq, 200,
	    (const struct request_header[]){
		{ "Content-Type", "text/csv; charset=utf-8; header=present" },
		{ "Content-Disposition",
		    arena_printf(rq->arena, "attachment; filename=\"%s.csv\"",
			strrchr(rq->route, '/') + 1) },
		{ "Cache-Control", "no-store" } },
	    3);
	request_write(rq, out->data, out->len);
	(void)response_buf(); /* gives big memory back */
}

void
figures_read(struct request *rq, const void *data)
{
	const struct figures *figures = data;
	struct parameter_values taken = { .count = 0 };

	if (!response_needs_database(rq) ||
	    !parameter_take(rq, parameters, &taken))
		return;
	if (strcmp(taken.value[FORMAT].data, "csv") == 0)
		answer_csv(rq, figures, &taken);
	else
		answer_json(rq, figures, &taken);
}
