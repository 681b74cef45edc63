/*
 * A table of small texts, in the order in which they were found out.
 */
#include "ctl/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
add(struct facts *facts, const char *section, const char *name,
    const char *text, enum db_kind kind)
{
	struct fact *fact = &facts->all[facts->count];

	if (facts->count == FACTS_MAX)
		return;
	fact->section = section;
	fact->kind = kind;
	fact->is_null = text == NULL;
	/* Names fit; a text may be cut. */
	(void)snprintf(fact->name, sizeof(fact->name), "%s", name);
	(void)snprintf(
	    fact->text, sizeof(fact->text), "%s", text == NULL ? "" : text);
	facts->count++;
}

void
facts_add_text(struct facts *facts, const char *section, const char *name,
    const char *text)
{
	add(facts, section, name, text, DB_TEXT);
}

void
facts_add_number(
    struct facts *facts, const char *section, const char *name, long long value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", value); /* fits */
	add(facts, section, name, text, DB_NUMBER);
}

struct reading {
	struct facts *facts;
	const char *section;
};

/* db_row_function */
static bool
take_row(void *context, const struct db_row *row)
{
	struct reading *reading = context;

	for (int i = 0; i < db_columns(row); i++)
		add(reading->facts, reading->section, db_column_name(row, i),
		    db_column(row, i, NULL), db_column_kind(row, i));
	return true;
}

enum db_status
facts_add_call(struct facts *facts, const char *section, struct db *db,
    const struct db_call *call)
{
	struct reading reading = { facts, section };

	return db_call(db, call, take_row, &reading);
}

static const struct fact *
find(const struct facts *facts, const char *section, const char *name)
{
	for (int i = 0; i < facts->count; i++)
		if (strcmp(facts->all[i].section, section) == 0 &&
		    strcmp(facts->all[i].name, name) == 0)
			return &facts->all[i];
	return NULL;
}

const char *
facts_text(const struct facts *facts, const char *section, const char *name)
{
	const struct fact *fact = find(facts, section, name);

	return fact == NULL || fact->is_null ? NULL : fact->text;
}

long long
facts_number(const struct facts *facts, const char *section, const char *name)
{
	const char *text = facts_text(facts, section, name);

	return text == NULL ? -1 : strtoll(text, NULL, 10);
}

void
facts_add_string(struct buf *out, const char *text)
{
	(void)buf_add_byte(out, '"'); /* the caller looks at failed */
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ')
			(void)buf_addf(
			    out, "\\u%04x", (unsigned)(unsigned char)*c);
		else if (*c == '"' || *c == '\\')
			(void)buf_addf(out, "\\%c", *c);
		else
			(void)buf_add_byte(out, *c);
	(void)buf_add_byte(out, '"');
}

static void
add_value(struct buf *out, const struct fact *fact)
{
	if (fact->is_null)
		(void)buf_add_string(out, "null"); /* see above */
	else if (fact->kind == DB_NUMBER)
		(void)buf_add_string(out, fact->text);
	else if (fact->kind == DB_BOOL)
		(void)buf_add_string(
		    out, *fact->text == 't' ? "true" : "false");
	else
		facts_add_string(out, fact->text);
}

void
facts_add_json(const struct facts *facts, struct buf *out)
{
	const char *section = "";

	for (int i = 0; i < facts->count; i++) {
		const struct fact *fact = &facts->all[i];
		bool is_new = strcmp(section, fact->section) != 0;

		if (is_new && *section != '\0')
			(void)buf_add_byte(out, '}'); /* see above */
		if (i > 0)
			(void)buf_add_byte(out, ',');
		section = fact->section;
		if (is_new)
			(void)buf_addf(out, "\"%s\":{", section);
		(void)buf_addf(out, "\"%s\":", fact->name);
		add_value(out, fact);
	}
	if (*section != '\0')
		(void)buf_add_byte(out, '}'); /* as above */
}

const char *
facts_age(long long seconds)
{
	static const struct {
		const char *unit;
		long long from; /* twice or thrice of it */
		long long size;
	} units[] = { { "days", 172800, 86400 }, { "h", 7200, 3600 },
		{ "min", 180, 60 }, { "s", 0, 1 } };

	static char text[32];
	size_t i = 0;

	while (seconds < units[i].from && units[i].size > 1)
		i++;
	(void)snprintf(text, sizeof(text), "%lld %s", seconds / units[i].size,
	    units[i].unit); /* fits */
	return text;
}
