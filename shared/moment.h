/*
 * Points in time as text: RFC 3339 on our side, PostgreSQL's form on the other.
 */
#ifndef WAYBILL_MOMENT_H
#define WAYBILL_MOMENT_H

#include <stdbool.h>

enum { MOMENT_BYTES = 48 };

/* What a plain date ("2026-11-21") stands for: the beginning of its day in UTC,
 * or the end, which is the beginning of the next. */
enum moment_edge { MOMENT_BEGIN, MOMENT_END };

/* Checks an RFC 3339 time or a plain date that exist in the calendar, years
 * 0001 to 9999 in UTC, and writes it as a time that PostgreSQL reads in just one
 * way.  A space is taken for the '+' that a query string turned into it. */
bool moment_parse(
    const char *text, enum moment_edge edge, char out[MOMENT_BYTES]);

/* True when the first comes before the second; both as moment_parse() wrote
 * them. */
bool moment_is_before(const char *first, const char *second);

/* Writes PostgreSQL's "2026-11-21 09:37:10.123+00" as RFC 3339, with the
 * fraction it has or, when `is_exact`, with six digits.  False when it is
 * something else (infinity, before Christ, another time zone). */
bool moment_format(const char *database, bool is_exact, char out[MOMENT_BYTES]);

#endif
