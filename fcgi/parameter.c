/*
 * Parameters as data: one table a route, one way to refuse.
 *
 * What must stay true: what the database gets exists and is within its limits,
 * so that it never has to refuse; whoever sent something else is told its name
 * and what is allowed.
 */
#include "fcgi/parameter.h"
#include "fcgi/query.h"
#include "fcgi/response.h"
#include "fcgi/uuid.h"
#include "shared/moment.h"

#include <stdlib.h>
#include <string.h>

enum { INT_DIGITS = 9, WORDS_MAX = 16 };

/* One request's parameters while they are taken. */
struct taking {
	struct request *rq;
	const struct parameter *table;
	struct parameter_values *values;
	const char *from; /* the beginning of a range, and its name */
	const char *from_name;
};

static bool
refuse(struct request *rq, const char *code, const char *name,
    const char *sentence)
{
	response_refuse(rq, 400, code, name, sentence);
	return false;
}

bool
parameter_refuse(struct request *rq, const char *name, const char *allowed)
{
	return refuse(rq, "PARAMETER.INVALID", name,
	    arena_printf(rq->arena, "%.64s must be %s.", name, allowed));
}

/* The next value for the function. */
static void
add_value(struct taking *taking, const char *text)
{
	taking->values->value[taking->values->count++] = db_text(text);
}

static bool
take_text(struct taking *taking, const struct parameter *parameter,
    const struct query_pair *pair)
{
	if ((long)pair->characters < parameter->least ||
	    (long)pair->characters > parameter->most)
		return parameter_refuse(taking->rq, parameter->name,
		    arena_printf(taking->rq->arena,
			"%ld to %ld characters long", parameter->least,
			parameter->most));
	add_value(taking, pair->value);
	return true;
}

static long
characters_of(const char *text, size_t bytes)
{
	long count = 0;

	for (size_t i = 0; i < bytes; i++)
		if (((unsigned char)text[i] & 0xC0) != 0x80)
			count++;
	return count;
}

/* An element of PostgreSQL's "{...}", in quotes. */
static const char *
add_element(
    struct arena *arena, const char *array, const char *word, size_t bytes)
{
	char *quoted = arena_alloc(arena, 2 * bytes + 1);
	char *to = quoted;

	for (size_t i = 0; i < bytes; i++) {
		if (word[i] == '"' || word[i] == '\\')
			*to++ = '\\';
		*to++ = word[i];
	}
	*to = '\0';
	return arena_printf(
	    arena, "%s%c\"%s\"", array, *array == '\0' ? '{' : ',', quoted);
}

static bool
take_words(struct taking *taking, const struct parameter *parameter,
    const struct query_pair *pair)
{
	struct arena *arena = taking->rq->arena;
	const char *array = "";
	const char *at = pair->value;
	int count = 0;

	for (;; at++) {
		size_t bytes = strcspn(at, ",");
		long characters = characters_of(at, bytes);

		if (characters < parameter->least ||
		    characters > parameter->most || ++count > WORDS_MAX)
			return parameter_refuse(taking->rq, parameter->name,
			    arena_printf(arena,
				"1 to %d words with commas between, each %ld "
				"to %ld characters long",
				WORDS_MAX, parameter->least, parameter->most));
		array = add_element(arena, array, at, bytes);
		at += bytes;
		if (*at == '\0')
			break;
	}
	add_value(taking,
	    count == 1 ? pair->value : arena_printf(arena, "%s}", array));
	return true;
}

static bool
take_int(struct taking *taking, const struct parameter *parameter,
    const struct query_pair *pair)
{
	size_t length = strlen(pair->value);
	long number = -1;

	if (length > 0 && length <= INT_DIGITS &&
	    strspn(pair->value, "0123456789") == length)
		number = strtol(pair->value, NULL, 10);
	if (number < parameter->least || number > parameter->most)
		return parameter_refuse(taking->rq, parameter->name,
		    arena_printf(taking->rq->arena,
			"a whole number from %ld to %ld", parameter->least,
			parameter->most));
	add_value(taking, arena_printf(taking->rq->arena, "%ld", number));
	return true;
}

static bool
take_time(struct taking *taking, const struct parameter *parameter,
    const struct query_pair *pair)
{
	char *moment = arena_alloc(taking->rq->arena, MOMENT_BYTES);

	if (!moment_parse(pair->value,
		parameter->kind == PARAMETER_UNTIL ? MOMENT_END : MOMENT_BEGIN,
		moment))
		return parameter_refuse(taking->rq, parameter->name,
		    "a date that exists (2026-11-21) or an RFC 3339 time "
		    "(2026-11-21T09:37:10Z)");
	add_value(taking, moment);
	if (parameter->kind == PARAMETER_UNTIL && taking->from != NULL &&
	    !moment_is_before(taking->from, moment))
		return parameter_refuse(taking->rq, taking->from_name,
		    arena_printf(taking->rq->arena, "before the end of %s",
			parameter->name));
	taking->from = moment;
	taking->from_name = parameter->name;
	return true;
}

static bool
take_enum(struct taking *taking, const struct parameter *parameter,
    const struct query_pair *pair)
{
	size_t length = strlen(pair->value);
	const char *at = parameter->allowed;

	while (*at != '\0') {
		size_t word = strcspn(at, " ");

		if (word == length && strncmp(at, pair->value, word) == 0) {
			add_value(taking, pair->value);
			return true;
		}
		at += word;
		at += strspn(at, " ");
	}
	return parameter_refuse(taking->rq, parameter->name,
	    arena_printf(taking->rq->arena, "one of: %s", parameter->allowed));
}

static bool
take_uuid(struct taking *taking, const struct parameter *parameter,
    const struct query_pair *pair)
{
	if (!uuid_is_valid(pair->value))
		return parameter_refuse(taking->rq, parameter->name, "a UUID");
	add_value(taking, pair->value);
	return true;
}

static const char cursor_origin[] =
    "what an earlier answer gave as pagination.next";

static bool
take_after_id(struct taking *taking, const struct parameter *parameter,
    const struct query_pair *pair)
{
	if (!uuid_is_valid(pair->value))
		return parameter_refuse(
		    taking->rq, parameter->name, cursor_origin);
	add_value(taking, pair->value);
	return true;
}

/* "<time>_<uuid>", as `next` gave it. */
static bool
take_after(struct taking *taking, const struct parameter *parameter,
    const struct query_pair *pair)
{
	struct arena *arena = taking->rq->arena;
	const char *underscore = strchr(pair->value, '_');
	char *moment = arena_alloc(arena, MOMENT_BYTES);

	if (underscore == NULL || !uuid_is_valid(underscore + 1) ||
	    !moment_parse(arena_copy(arena, pair->value,
			      (size_t)(underscore - pair->value)),
		MOMENT_BEGIN, moment))
		return parameter_refuse(
		    taking->rq, parameter->name, cursor_origin);
	add_value(taking, moment);
	add_value(taking, underscore + 1);
	return true;
}

/* Checks the parameter's value and adds what the function gets. */
static bool
take_value(struct taking *taking, const struct parameter *parameter,
    const struct query_pair *pair)
{
	static bool (*const take[])(struct taking *, const struct parameter *,
	    const struct query_pair *) = {
		/* clang-format off */
		[PARAMETER_TEXT]  = take_text,
		[PARAMETER_WORDS] = take_words,
		[PARAMETER_PART]  = take_text,
		[PARAMETER_INT]   = take_int,
		[PARAMETER_TIME]  = take_time,
		[PARAMETER_UNTIL] = take_time,
		[PARAMETER_ENUM]  = take_enum,
		[PARAMETER_AFTER] = take_after,
		[PARAMETER_AFTER_ID] = take_after_id,
		[PARAMETER_UUID]  = take_uuid,
		/* clang-format on */
	};

	if (pair != NULL)
		return take[parameter->kind](taking, parameter, pair);
	add_value(taking, parameter->fallback);
	if (parameter->kind == PARAMETER_AFTER)
		add_value(taking, NULL);
	return true;
}

static const struct parameter *
find_parameter(const struct parameter *table, const char *name)
{
	const struct parameter *parameter = table;

	for (; parameter->name != NULL; parameter++)
		if (strcmp(parameter->name, name) == 0)
			return parameter;
	return NULL;
}

static const struct query_pair *
find_pair(const struct query *query, const char *name)
{
	for (int i = 0; i < query->count; i++)
		if (strcmp(query->pairs[i].name, name) == 0)
			return &query->pairs[i];
	return NULL;
}

static bool
refuse_unknown(
    struct request *rq, const struct parameter *table, const char *name)
{
	const struct parameter *parameter = table;
	const char *allowed = "";

	for (; parameter->name != NULL; parameter++)
		allowed = arena_printf(rq->arena, "%s%s%s", allowed,
		    *allowed == '\0' ? "" : ", ", parameter->name);
	return refuse(rq, "PARAMETER.UNKNOWN", name,
	    arena_printf(rq->arena, "Unknown parameter: %.64s. Allowed: %s.",
		name, *allowed == '\0' ? "none" : allowed));
}

/* Each parameter that came is one that the table has, and came once. */
static bool
check_names(struct taking *taking, const struct query *query)
{
	struct request *rq = taking->rq;

	for (int i = 0; i < query->count; i++) {
		const char *name = query->pairs[i].name;

		if (find_parameter(taking->table, name) == NULL)
			return refuse_unknown(rq, taking->table, name);
		if (find_pair(query, name) != &query->pairs[i])
			return refuse(rq, "PARAMETER.REPEATED", name,
			    arena_printf(
				rq->arena, "%s may be given only once.", name));
	}
	return true;
}

bool
parameter_take(struct request *rq, const struct parameter *table,
    struct parameter_values *values)
{
	struct taking taking = { .rq = rq, .table = table, .values = values };
	const struct parameter *parameter = table;
	struct query query;

	if (!query_parse(&query, rq->arena, rq->query))
		return refuse(rq, "PARAMETER.INVALID", query.bad_name,
		    query.bad_name == NULL
			? query.problem
			: arena_printf(rq->arena, "%s: %.64s.", query.problem,
			      query.bad_name));
	if (!check_names(&taking, &query))
		return false;
	for (; parameter->name != NULL; parameter++)
		if (!take_value(
			&taking, parameter, find_pair(&query, parameter->name)))
			return false;
	return true;
}

bool
parameter_none(struct request *rq)
{
	static const struct parameter none[] = { { .name = NULL } };
	struct parameter_values values = { .count = 0 };

	return parameter_take(rq, none, &values);
}
