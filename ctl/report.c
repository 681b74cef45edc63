/*
 * waybill report: the figures of the page, in a terminal or as CSV.
 *
 * What must stay true: a table of figures says of what and as of when they are, out
 * of the same statement.
 */
#include "ctl/commands.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/csv.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LIMIT_MS = 60 * 1000,
	DAYS_MAX = 730,
	LINE_BYTES_MAX = 64 * 1024, /* names have a few hundred */
};

struct report {
	const char *days;
	const char *mode; /* NULL: the one that analytics count */
	const char *function;
	bool is_csv;
};

/* A line at a time: the figures of two years may be more than memory should hold. */
struct lines {
	struct buf line;
	bool has_names;
};

static bool
print_line(struct buf *line)
{
	bool is_good = !line->failed &&
	    fwrite(line->data, 1, line->len, stdout) == line->len;

	buf_reset(line, LINE_BYTES_MAX);
	return is_good;
}

/* db_row_function */
static bool
print_row(void *context, const struct db_row *row)
{
	struct lines *lines = context;

	if (!lines->has_names)
		(void)csv_add_names(&lines->line, row);
	lines->has_names = true;
	(void)csv_add_row(&lines->line, row);
	return print_line(&lines->line);
}

/* db_row_function: of an answer that has no rows. */
static bool
print_names(void *context, const struct db_row *row)
{
	struct lines *lines = context;

	(void)csv_add_names(&lines->line, row);
	return print_line(&lines->line);
}

static enum db_status
print_csv(struct db *db, const struct db_call *call)
{
	struct lines lines = { .has_names = false };
	enum db_status status;

	buf_init(&lines.line, LINE_BYTES_MAX);
	status = db_call(db, call, print_row, &lines);
	buf_free(&lines.line);
	return status;
}

static bool
is_days(const char *text)
{
	char *end;
	long days = strtol(text, &end, 10);

	return *text >= '0' && *text <= '9' && *end == '\0' && days >= 1 &&
	    days <= DAYS_MAX;
}

/* By day there are too many rows for a terminal. */
static void
take_csv(struct report *report, bool is_daily)
{
	if (is_daily)
		report->function = "api.daily_figures";
	else if (!report->is_csv)
		report->function = "admin.report_rows";
	report->is_csv = true;
}

static bool
read_words(struct report *report, int count, char **words)
{
	static const struct option options[] = {
		{ "days", required_argument, NULL, 'd' },
		{ "mode", required_argument, NULL, 'm' },
		{ "csv", no_argument, NULL, 'c' },
		{ "daily", no_argument, NULL, 'y' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(count, words, "", options, NULL)) != -1) {
		if (option == 'd' && is_days(optarg))
			report->days = optarg;
		else if (option == 'm' &&
		    (strcmp(optarg, "test") == 0 ||
			strcmp(optarg, "production") == 0))
			report->mode = optarg;
		else if (option == 'c' || option == 'y')
			take_csv(report, option == 'y');
		else
			return false;
	}
	return optind == count;
}

int
report_run(const struct conf *conf, int count, char **words)
{
	struct report report = { .days = "30", .function = "admin.report" };
	struct db *db;
	enum db_status status;
	int code = CTL_OK;

	if (!read_words(&report, count, words))
		return CTL_USAGE;
	db = session_open(conf, "waybill_jobs", LIMIT_MS);
	const struct db_value values[] = { db_text(report.days),
		db_text(report.mode) };
	const struct db_call call = {
		.function = report.function,
		.values = values,
		.count = 2,
		.no_row = report.is_csv ? print_names : NULL,
		.deadline_ms = clock_ms() + LIMIT_MS,
	};

	status = report.is_csv ? print_csv(db, &call) : table_print(db, &call);
	if (status != DB_OK)
		code = session_failed(db, "the figures were not read");
	db_close(db);
	return code;
}
