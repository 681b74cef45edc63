/*
 * What kind of value a column of PostgreSQL holds, as far as JSON cares.
 */
#ifndef WAYBILL_KIND_H
#define WAYBILL_KIND_H

#include <stdbool.h>

enum db_kind { DB_TEXT, DB_NUMBER, DB_BOOL, DB_JSON, DB_TIME };

/* The kind of a type by its number in pg_type; DB_TEXT when it is not known. */
enum db_kind kind_of_type(unsigned type);

/* False for what neither JSON nor RFC 3339 can write: NaN and the infinities
 * of numbers and times. */
bool kind_is_finite(enum db_kind, const char *text);

#endif
