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
 * and false, null as nothing (an empty text is ""). */
bool csv_add_row(struct buf *, const struct db_row *);

#endif
