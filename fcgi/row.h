/*
 * JSON out of rows and values: the one encoder.
 *
 * Column names are the keys.  Numbers and booleans as they are, json verbatim,
 * timestamps as RFC 3339 in UTC, null as null, everything else as a string.  Of
 * a column that is named ROW_SPREAD, json that is an object, the members stand
 * among the others, as in JavaScript's {id, ...ready}.
 */
#ifndef WAYBILL_ROW_H
#define WAYBILL_ROW_H

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/db.h"

#define ROW_SPREAD "..."

/* Appends {"column":value,...}; the second with the first `columns` only. */
bool row_to_json(struct buf *, const struct db_row *);
bool row_part_to_json(struct buf *, const struct db_row *, int columns);

/* db_row_function whose context is a buf: appends the first column as it is, which is
 * JSON; stops when it is null. */
bool row_verbatim(void *buf, const struct db_row *);

/* Appends a JSON string; bytes that are not UTF-8 become U+FFFD. */
bool row_string(struct buf *, const char *, size_t bytes);

/* The text of the column of this name; NULL for SQL null and when there is no
 * such column. */
const char *row_text(const struct db_row *, const char *name);

/* The same, kept in the arena. */
const char *row_keep(struct arena *, const struct db_row *, const char *name);

/* The same, but "" instead of NULL; as a number, 0 for what is none; as a truth,
 * false for what is none. */
const char *row_word(const struct db_row *, const char *name);
long long row_number(const struct db_row *, const char *name);
bool row_is_true(const struct db_row *, const char *name);

#endif
