/*
 * Members of an object as data: one table a kind of object, one sentence a kind
 * of mistake.
 *
 * What must stay true: what passes here PostgreSQL takes as the type of its
 * column, so that it never has to refuse a value; and however wrong a body is,
 * no more than FIELDS_PROBLEMS_MAX problems take memory.
 */
#include "fcgi/fields.h"
#include "fcgi/utf8.h"
#include "fcgi/uuid.h"
#include "shared/moment.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
	ID_MIN = 8, /* of the letters and digits behind the prefix */
	ID_MAX = 64,
	MONEY_DIGITS = 12, /* before the point */
	MONEY_DECIMALS = 5,
	WORD_BYTES = 64, /* of a table's longest word, and its end */
	NAME_SHOWN = 64, /* bytes of a name that nobody knows */
};

/* What is less is nothing; the database keeps six decimals. */
static const double NUMBER_LEAST = 0.0001;

static const char letters_digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz";
static const char digits[] = "0123456789";

/* The text of a string; "" for all else, which is never allowed. */
static const char *
text_of(const struct json *value)
{
	const char *text = json_text(value);

	return text == NULL ? "" : text;
}

static bool
has_length(const struct field *field, const struct json *value)
{
	size_t characters = 0;

	return utf8_is_valid(
		   json_text(value), json_text_bytes(value), &characters) &&
	    (long)characters >= field->least && (long)characters <= field->most;
}

static bool
is_text(const struct field *field, const struct json *value)
{
	const char *text = json_text(value);

	if (text == NULL || !has_length(field, value))
		return false;
	for (; *text != '\0'; text++)
		if (iscntrl((unsigned char)*text))
			return false;
	return true;
}

static bool
is_code(const struct field *field, const struct json *value)
{
	const char *text = text_of(value);
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if (text[i] != '-' && strchr(letters_digits, text[i]) == NULL)
			return false;
	return (long)length >= field->least && (long)length <= field->most;
}

static bool
is_capitals(const struct field *field, const struct json *value)
{
	const char *text = text_of(value);

	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(text) &&
	    (long)strlen(text) == field->most;
}

static bool
is_id(const struct field *field, const struct json *value)
{
	const char *text = text_of(value);
	size_t prefix = strlen(field->allowed);
	size_t length = strlen(text);

	return strncmp(text, field->allowed, prefix) == 0 &&
	    length >= prefix + ID_MIN && length <= ID_MAX &&
	    strspn(text + prefix, letters_digits) == length - prefix;
}

static bool
is_key(const struct field *field, const struct json *value)
{
	return uuid_is_valid(text_of(value)) || is_id(field, value);
}

/* The next of the words at *at, in `word`; false when there is none. */
static bool
next_word(const char **at, char word[WORD_BYTES])
{
	size_t length = strcspn(*at, " ");

	(void)snprintf(word, WORD_BYTES, "%.*s", (int)length, *at); /* fits */
	*at += length;
	*at += strspn(*at, " ");
	return length > 0;
}

static bool
is_enum(const struct field *field, const struct json *value)
{
	const char *at = field->allowed;
	char word[WORD_BYTES];

	while (next_word(&at, word))
		if (strcmp(word, text_of(value)) == 0)
			return true;
	return false;
}

static bool
is_money(const struct field *field, const struct json *value)
{
	const char *text = text_of(value);
	size_t whole = strspn(text, digits);
	size_t decimals;

	(void)field; /* money is the same everywhere */
	if (whole < 1 || whole > MONEY_DIGITS)
		return false;
	if (text[whole] == '\0')
		return true;
	if (text[whole] != '.')
		return false;
	text += whole + 1;
	decimals = strspn(text, digits);
	return decimals >= 1 && decimals <= MONEY_DECIMALS &&
	    text[decimals] == '\0';
}

static bool
is_number(const struct field *field, const struct json *value)
{
	return json_kind(value) == JSON_KIND_NUMBER &&
	    json_number(value) >= NUMBER_LEAST &&
	    json_number(value) <= (double)field->most;
}

static bool
is_count(const struct field *field, const struct json *value)
{
	return json_is_whole(value) &&
	    json_number(value) >= (double)field->least &&
	    json_number(value) <= (double)field->most;
}

static bool
is_bool(const struct field *field, const struct json *value)
{
	(void)field; /* true and false are all there is */
	return json_kind(value) == JSON_KIND_BOOL;
}

/* moment_parse() takes a space for the '+' of a query; here nothing came
 * through a query. */
static bool
is_time(const struct field *field, const struct json *value)
{
	const char *text = text_of(value);
	char moment[MOMENT_BYTES];

	(void)field; /* each time that exists */
	return strchr(text, ' ') == NULL &&
	    moment_parse(text, MOMENT_BEGIN, moment);
}

static bool
is_object(const struct field *field, const struct json *value)
{
	(void)field; /* what is inside has its own table, or none */
	return json_kind(value) == JSON_KIND_OBJECT;
}

static const char *
allowed_characters(struct arena *arena, const struct field *field)
{
	return arena_printf(arena,
	    "must be a text of %ld to %ld characters, without control "
	    "characters.",
	    field->least, field->most);
}

static const char *
allowed_code(struct arena *arena, const struct field *field)
{
	return arena_printf(arena,
	    "must be a text of %ld to %ld letters, digits and hyphens.",
	    field->least, field->most);
}

static const char *
allowed_capitals(struct arena *arena, const struct field *field)
{
	return arena_printf(
	    arena, "must be a code of %ld capital letters.", field->most);
}

static const char *
allowed_id(struct arena *arena, const struct field *field)
{
	return arena_printf(
	    arena, "must be an id of EasyPost (%s...).", field->allowed);
}

static const char *
allowed_key(struct arena *arena, const struct field *field)
{
	return arena_printf(arena,
	    "must be a UUID or an id of EasyPost (%s...).", field->allowed);
}

static const char *
allowed_words(struct arena *arena, const struct field *field)
{
	return arena_printf(arena, "must be one of: %s.", field->allowed);
}

static const char *
allowed_money(struct arena *arena, const struct field *field)
{
	(void)field; /* money is the same everywhere */
	return arena_printf(arena,
	    "must be a decimal string, not negative: \"12.50\" (at most %d "
	    "digits before the point and %d behind it); a number of JSON is "
	    "not exact enough for money.",
	    MONEY_DIGITS, MONEY_DECIMALS);
}

static const char *
allowed_number(struct arena *arena, const struct field *field)
{
	return arena_printf(arena,
	    "must be a number above 0 (from 0.0001 to %ld).", field->most);
}

static const char *
allowed_count(struct arena *arena, const struct field *field)
{
	return arena_printf(arena, "must be a whole number from %ld to %ld.",
	    field->least, field->most);
}

static const char *
allowed_bool(struct arena *arena, const struct field *field)
{
	(void)arena; /* always the same words */
	(void)field;
	return "must be true or false.";
}

static const char *
allowed_time(struct arena *arena, const struct field *field)
{
	(void)arena; /* always the same words */
	(void)field;
	return "must be an RFC 3339 time (2026-11-21T09:37:10Z) or a date that "
	       "exists (2026-11-21).";
}

static const char *
allowed_object(struct arena *arena, const struct field *field)
{
	(void)arena; /* always the same words */
	(void)field;
	return "must be an object.";
}

static const struct {
	bool (*is_allowed)(const struct field *, const struct json *);
	const char *(*allowed)(struct arena *, const struct field *);
} kinds[] = {
	/* clang-format off */
	[FIELD_TEXT]     = { is_text,     allowed_characters },
	[FIELD_CODE]     = { is_code,     allowed_code },
	[FIELD_CAPITALS] = { is_capitals, allowed_capitals },
	[FIELD_ID]       = { is_id,       allowed_id },
	[FIELD_KEY]      = { is_key,      allowed_key },
	[FIELD_ENUM]     = { is_enum,     allowed_words },
	[FIELD_MONEY]    = { is_money,    allowed_money },
	[FIELD_NUMBER]   = { is_number,   allowed_number },
	[FIELD_COUNT]    = { is_count,    allowed_count },
	[FIELD_BOOL]     = { is_bool,     allowed_bool },
	[FIELD_TIME]     = { is_time,     allowed_time },
	[FIELD_MAP]      = { is_object,   allowed_object },
	[FIELD_OBJECT]   = { is_object,   allowed_object },
	/* clang-format on */
};

/* True when there is room for one more problem; counts it in any case. */
static bool
has_room(const struct fields *fields)
{
	return fields->problems->total++ < FIELDS_PROBLEMS_MAX;
}

/* "[3].to_address.zip" */
static const char *
join(const struct fields *fields, const char *name)
{
	if (name == NULL)
		return fields->path;
	/* A copy: what is named may be gone before the answer is written. */
	return arena_printf(fields->arena, "%s%s%.*s", fields->path,
	    *fields->path == '\0' ? "" : ".", NAME_SHOWN, name);
}

static void
keep(const struct fields *fields, const char *name, const char *message)
{
	fields->problems->kept[fields->problems->count++] =
	    (struct response_problem){ join(fields, name), message };
}

void
fields_add(const struct fields *fields, const char *name, const char *message)
{
	if (has_room(fields))
		keep(fields, name, message);
}

/* A member that is there but may not be what it is. */
static void
add_wrong(const struct fields *fields, const struct field *field)
{
	if (has_room(fields))
		keep(fields, field->name,
		    kinds[field->kind].allowed(fields->arena, field));
}

static void
add_unknown(
    const struct fields *fields, const struct field *table, const char *name)
{
	const char *known = "";

	if (!has_room(fields))
		return;
	for (; table->name != NULL; table++)
		if (table->kind != FIELD_FIXED)
			known = arena_printf(fields->arena, "%s%s%s", known,
			    *known == '\0' ? "" : ", ", table->name);
	keep(fields, name,
	    arena_printf(fields->arena, "is not known. Allowed: %s.", known));
}

/* One object while its members are gone through. */
struct checking {
	const struct fields *fields;
	const struct field *table;
};

static const struct field *
find_field(const struct field *table, const char *name)
{
	for (; table->name != NULL; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static void
check_inside(const struct fields *fields, const struct field *field,
    const struct json *value)
{
	struct fields inside = *fields;

	inside.path = join(fields, field->name);
	fields_check(&inside, field->inside, value);
}

/* A value that is not null. */
static void
check_value(const struct fields *fields, const struct field *field,
    const struct json *value)
{
	if (!kinds[field->kind].is_allowed(field, value))
		add_wrong(fields, field);
	else if (field->kind == FIELD_OBJECT)
		check_inside(fields, field, value);
}

/* For json_each(): one member. */
static bool
check_member(void *context, const char *name, const struct json *value)
{
	const struct checking *checking = context;
	const struct fields *fields = checking->fields;
	const struct field *field = find_field(checking->table, name);

	if (field == NULL)
		add_unknown(fields, checking->table, name);
	else if (field->kind == FIELD_FIXED)
		fields_add(fields, name, field->allowed);
	else if (json_kind(value) != JSON_KIND_NULL)
		check_value(fields, field, value);
	else if (fields->use == FIELDS_PATCH && field->is_required)
		fields_add(fields, name, "may not be removed.");
	return true;
}

static bool
has_member(const struct json *value, const char *name)
{
	return json_kind(json_member(value, name)) > JSON_KIND_NULL;
}

static void
check_required(const struct fields *fields, const struct field *table,
    const struct json *value)
{
	for (; table->name != NULL; table++)
		if (table->is_required && !has_member(value, table->name))
			fields_add(fields, table->name, "is required.");
}

static bool
has_one_of(const struct json *value, const char *names)
{
	char word[WORD_BYTES];

	while (next_word(&names, word))
		if (has_member(value, word))
			return true;
	return false;
}

static void
check_one_of(const struct fields *fields, const struct rule *rule,
    const struct json *value)
{
	const char *at = rule->names;
	char first[WORD_BYTES];

	(void)next_word(&at, first); /* there is one at least */
	if (!has_one_of(value, rule->names))
		fields_add(fields, first, rule->message);
}

static void
check_not_both(const struct fields *fields, const struct rule *rule,
    const struct json *value)
{
	if (has_member(value, rule->names) && has_member(value, rule->other))
		fields_add(fields, rule->names, rule->message);
}

static void
check_needs(const struct fields *fields, const struct rule *rule,
    const struct json *value)
{
	const struct json *other = json_member(value, rule->other);

	if (!has_one_of(value, rule->names))
		return;
	if (!has_member(value, rule->other) ||
	    (rule->text != NULL && strcmp(text_of(other), rule->text) != 0))
		fields_add(fields, rule->other, rule->message);
}

static void
check_rules(const struct fields *fields, const struct rule *rule,
    const struct json *value)
{
	static void (*const check[])(
	    const struct fields *, const struct rule *, const struct json *) = {
		/* clang-format off */
		[RULE_ONE_OF]   = check_one_of,
		[RULE_NOT_BOTH] = check_not_both,
		[RULE_NEEDS]    = check_needs,
		/* clang-format on */
	};

	for (; rule->names != NULL; rule++)
		check[rule->kind](fields, rule, value);
}

void
fields_check(const struct fields *fields, const struct form *form,
    const struct json *value)
{
	struct checking checking = { fields, form->fields };

	if (json_kind(value) != JSON_KIND_OBJECT) {
		fields_add(fields, NULL, "must be an object.");
		return;
	}
	(void)json_each(value, check_member, &checking); /* goes through */
	if (fields->use != FIELDS_NEW)
		return;
	check_required(fields, form->fields, value);
	check_rules(fields, form->rules, value);
}
