/*
 * Reading and writing RFC 3339.
 *
 * No time_t, no time zone of the machine: text in, text out.  PostgreSQL gets
 * only what exists, so that it never has to refuse or to guess.
 */
#include "shared/moment.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* `digits` decimal digits, or -1; the text moves on behind them. */
static int
read_number(const char **text, int digits)
{
	int number = 0;

	for (int i = 0; i < digits; i++) {
		if (**text < '0' || **text > '9')
			return -1;
		number = number * 10 + (*(*text)++ - '0');
	}
	return number;
}

static bool
skip(const char **text, const char *one_of)
{
	if (**text == '\0' || strchr(one_of, **text) == NULL)
		return false;
	(*text)++;
	return true;
}

static int
days_of(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && is_leap ? 29 : days[month - 1];
}

static bool
skip_date(const char **text)
{
	int year, month, day;

	year = read_number(text, 4);
	if (year < 1 || !skip(text, "-"))
		return false;
	month = read_number(text, 2);
	if (month < 1 || month > 12 || !skip(text, "-"))
		return false;
	day = read_number(text, 2);
	return day >= 1 && day <= days_of(year, month);
}

/* Two digits from 0 to `most`. */
static bool
skip_pair(const char **text, int most)
{
	int number = read_number(text, 2);

	return number >= 0 && number <= most;
}

static bool
skip_fraction(const char **text)
{
	size_t digits;

	if (!skip(text, "."))
		return true;
	digits = strspn(*text, "0123456789");
	*text += digits;
	return digits >= 1 && digits <= 9;
}

/* hh:mm:ss with its fraction; a leap second is 59 to PostgreSQL's users. */
static bool
skip_clock(const char **text)
{
	return skip_pair(text, 23) && skip(text, ":") && skip_pair(text, 59) &&
	    skip(text, ":") && skip_pair(text, 59) && skip_fraction(text);
}

/* PostgreSQL knows offsets below 16 hours. */
static bool
is_offset(const char *text)
{
	return skip_pair(&text, 15) && skip(&text, ":") &&
	    skip_pair(&text, 59) && *text == '\0';
}

/* On the first and the last day an offset, or a fraction that is rounded, can
 * lead out of the years that have four digits. */
static bool
is_outermost(const char *text)
{
	return strncmp(text, "0001-01-01", 10) == 0 ||
	    strncmp(text, "9999-12-31", 10) == 0;
}

bool
moment_parse(const char *text, enum moment_edge edge, char out[MOMENT_BYTES])
{
	const char *rest = text;
	const char *zone;

	if (!skip_date(&rest))
		return false;
	if (*rest == '\0') {
		(void)snprintf(out, MOMENT_BYTES, "%sT%sZ", text,
		    edge == MOMENT_END ? "24:00:00" : "00:00:00");
		return true;
	}
	if (!skip(&rest, "Tt") || !skip_clock(&rest))
		return false;
	zone = rest;
	if (!skip(&rest, "Zz") || *rest != '\0') {
		rest = zone;
		if (!skip(&rest, "+- ") || !is_offset(rest))
			return false;
	}
	if (is_outermost(text) && strlen(text) > strlen("0001-01-01T00:00:00Z"))
		return false;
	(void)snprintf(out, MOMENT_BYTES, "%.10sT%.*s%c%s", text,
	    (int)(zone - text) - 11, text + 11,
	    *zone == ' ' ? '+' : (*zone == 'z' ? 'Z' : *zone), rest);
	return true;
}

/* The number at a place of what moment_parse() wrote. */
static int
number_at(const char *moment, int place, int digits)
{
	const char *text = moment + place;

	return read_number(&text, digits);
}

/* Minutes since 1970, UTC. */
static long long
minutes_of(const char *moment)
{
	const char *zone = moment + strcspn(moment + 19, "Z+-") + 19;
	struct tm time = {
		.tm_year = number_at(moment, 0, 4) - 1900,
		.tm_mon = number_at(moment, 5, 2) - 1,
		.tm_mday = number_at(moment, 8, 2),
		.tm_hour = number_at(moment, 11, 2),
		.tm_min = number_at(moment, 14, 2),
	};
	int offset = *zone == 'Z'
	    ? 0
	    : number_at(zone, 1, 2) * 60 + number_at(zone, 4, 2);

	return timegm(&time) / 60 + (*zone == '-' ? offset : -offset);
}

bool
moment_is_before(const char *first, const char *second)
{
	long long minutes = minutes_of(first) - minutes_of(second);

	return minutes < 0 ||
	    (minutes == 0 &&
		strtod(first + 17, NULL) < strtod(second + 17, NULL));
}

bool
moment_format(const char *database, bool is_exact, char out[MOMENT_BYTES])
{
	const char *rest = database;
	const char *fraction;
	size_t digits = 0;

	if (!skip_date(&rest) || !skip(&rest, " ") || !skip_pair(&rest, 23) ||
	    !skip(&rest, ":") || !skip_pair(&rest, 59) || !skip(&rest, ":") ||
	    !skip_pair(&rest, 59))
		return false;
	fraction = rest;
	if (skip(&rest, ".")) {
		digits = strspn(rest, "0123456789");
		rest += digits;
	}
	if (strcmp(rest, "+00") != 0 || digits > 6)
		return false;
	if (is_exact)
		(void)snprintf(out, MOMENT_BYTES, "%.10sT%.8s.%.*s%.*sZ",
		    database, database + 11, (int)digits,
		    digits > 0 ? fraction + 1 : "", (int)(6 - digits),
		    "000000");
	else
		(void)snprintf(out, MOMENT_BYTES, "%.10sT%.*sZ", database,
		    (int)(rest - database) - 11, database + 11);
	return true;
}
