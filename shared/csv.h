/*
 * CSV out of rows (RFC 4180): a line of names, a line for each row.
 */
#ifndef WAYBILL_CSV_H
#define WAYBILL_CSV_H

#include "shared/buf.h"
#include "shared/db.h"

#include <stdbool.h>

/* Appends the names of the row's columns as a line. */
bool csv_add_names(struct buf *, const struct db_row *);

/* Appends the row's values as a line: times as RFC 3339 in UTC, booleans as true
 * and false, null as nothing (an empty text is "").  A text that a spreadsheet would
 * run (it begins with = + - @, a tab or a line's end, and is no number) has a ' before
 * it. */
bool csv_add_row(struct buf *, const struct db_row *);

/* db_row_functions whose context is a buf: a line for each row, before the first
 * the names; and the names of an answer that has no rows. */
bool csv_add_line(void *buf, const struct db_row *);
bool csv_add_header(void *buf, const struct db_row *);

#endif
