/*
 * Reading JSON with jansson; its types never leave this file.
 *
 * What must stay true: what json_read() takes, PostgreSQL takes as json and as
 * jsonb, so that a body is refused here, with its place, or nowhere.
 */
#include "shared/json.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#undef json_is_true /* jansson's macro of the same name */

/* struct json is jansson's json_t under a name of our own. */
static const json_t *
inside(const struct json *value)
{
	return (const json_t *)value;
}

static const struct json *
outside(const json_t *value)
{
	return (const struct json *)value;
}

/* How deep a text is nested, how many values it holds at most (each bracket and
 * comma may be followed by one), and whether a number of it is too long. */
struct extent {
	int depth;
	int depth_max;
	size_t values;
	bool has_long_number;
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* How many bytes the number has that begins here. */
static size_t
measure_number(struct extent *extent, const char *text, size_t bytes)
{
	size_t length = 0;
	size_t exponent = 0; /* its digits */
	bool is_exponent = false;

	for (; length < bytes &&
	     (is_digit(text[length]) || strchr("+-.eE", text[length]) != NULL);
	     length++) {
		is_exponent |= text[length] == 'e' || text[length] == 'E';
		exponent += is_exponent && is_digit(text[length]);
	}
	if (length > JSON_NUMBER_MAX || exponent > JSON_EXPONENT_DIGITS)
		extent->has_long_number = true;
	return length;
}

static void
measure_byte(struct extent *extent, char byte)
{
	if (byte == '[' || byte == '{')
		extent->depth++;
	else if (byte == ']' || byte == '}')
		extent->depth--;
	if (extent->depth > extent->depth_max)
		extent->depth_max = extent->depth;
	if (byte == '[' || byte == '{' || byte == ',')
		extent->values++;
}

static struct extent
measure(const char *text, size_t bytes)
{
	struct extent extent = { .values = 1 };
	bool is_string = false;

	for (size_t i = 0; i < bytes; i++) {
		if (is_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			is_string = !is_string;
		else if (!is_string && is_digit(text[i]))
			i += measure_number(&extent, text + i, bytes - i) - 1;
		else if (!is_string)
			measure_byte(&extent, text[i]);
	}
	return extent;
}

/* jansson allows 2048 levels and walks them on the stack, and as many values as
 * there is memory. */
static bool
is_bounded(const char *text, size_t bytes, char problem[JSON_PROBLEM_MAX])
{
	const struct extent extent = measure(text, bytes);

	if (extent.depth_max > JSON_DEPTH_MAX)
		(void)snprintf(problem, JSON_PROBLEM_MAX,
		    "The body is nested deeper than %d levels.",
		    JSON_DEPTH_MAX);
	else if (extent.values > JSON_VALUES_MAX)
		(void)snprintf(problem, JSON_PROBLEM_MAX,
		    "The body holds more than %d values.", JSON_VALUES_MAX);
	else if (extent.has_long_number)
		(void)snprintf(problem, JSON_PROBLEM_MAX,
		    "The body holds a number of more than %d characters, or an "
		    "exponent of more than %d digits.",
		    JSON_NUMBER_MAX, JSON_EXPONENT_DIGITS);
	else
		return true;
	return false;
}

struct json *
json_read(const char *text, size_t bytes, char problem[JSON_PROBLEM_MAX])
{
	json_error_t error;
	json_t *value;

	if (!is_bounded(text, bytes, problem))
		return NULL;
	value = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
	/* jansson's own words may quote the body. */
	if (value == NULL)
		(void)snprintf(problem, JSON_PROBLEM_MAX,
		    "%s (line %d, column %d).",
		    json_error_code(&error) == json_error_numeric_overflow
			? "The body holds a number that is too large"
			: "The body is not valid JSON",
		    error.line, error.column);
	return (struct json *)value;
}

void
json_free(struct json *value)
{
	json_decref((json_t *)value);
}

enum json_kind
json_kind(const struct json *value)
{
	static const enum json_kind kinds[] = {
		[JSON_OBJECT] = JSON_KIND_OBJECT,
		[JSON_ARRAY] = JSON_KIND_ARRAY,
		[JSON_STRING] = JSON_KIND_TEXT,
		[JSON_INTEGER] = JSON_KIND_NUMBER,
		[JSON_REAL] = JSON_KIND_NUMBER,
		[JSON_TRUE] = JSON_KIND_BOOL,
		[JSON_FALSE] = JSON_KIND_BOOL,
		[JSON_NULL] = JSON_KIND_NULL,
	};

	return value == NULL ? JSON_KIND_NONE
			     : kinds[json_typeof(inside(value))];
}

const struct json *
json_member(const struct json *value, const char *name)
{
	return outside(json_object_get(inside(value), name));
}

size_t
json_count(const struct json *value)
{
	return json_is_array(inside(value)) ? json_array_size(inside(value))
					    : json_object_size(inside(value));
}

const struct json *
json_element(const struct json *value, size_t index)
{
	return outside(json_array_get(inside(value), index));
}

bool
json_each(const struct json *value,
    bool (*each)(void *context, const char *name, const struct json *value),
    void *context)
{
	/* Iterating changes nothing, but jansson's types do not say so. */
	const union {
		const struct json *value;
		json_t *jansson;
	} object = { value };

	void *at = json_object_iter(object.jansson);

	while (at != NULL) {
		if (!each(context, json_object_iter_key(at),
			outside(json_object_iter_value(at))))
			return false;
		at = json_object_iter_next(object.jansson, at);
	}
	return true;
}

const char *
json_text(const struct json *value)
{
	return json_string_value(inside(value));
}

size_t
json_text_bytes(const struct json *value)
{
	return json_string_length(inside(value));
}

double
json_number(const struct json *value)
{
	return json_number_value(inside(value));
}

bool
json_is_whole(const struct json *value)
{
	return json_is_integer(inside(value));
}

bool
json_is_true(const struct json *value)
{
	return value != NULL && json_typeof(inside(value)) == JSON_TRUE;
}

/* The scanning below goes over text that jansson has taken: it cannot be
 * malformed, and a name cannot come twice. */
static const char *
skip_spaces(const char *at, const char *end)
{
	while (at < end && strchr(" \t\r\n", *at) != NULL)
		at++;
	return at;
}

/* Behind the string that begins here. */
static const char *
skip_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at < end ? at + 1 : end;
}

/* At the comma or bracket behind the value that begins here. */
static const char *
skip_value(const char *at, const char *end)
{
	int depth = 0;

	while (at < end) {
		if (depth == 0 && (*at == ',' || *at == '}' || *at == ']'))
			return at;
		if (*at == '"') {
			at = skip_string(at, end);
			continue;
		}
		if (*at == '{' || *at == '[')
			depth++;
		else if (*at == '}' || *at == ']')
			depth--;
		at++;
	}
	return end;
}

const char *
json_raw(const char *text, size_t text_bytes, const char *name, size_t *bytes)
{
	const char *end = text + text_bytes;
	const char *at = skip_spaces(text, end);
	size_t name_bytes = strlen(name);

	if (at == end || *at != '{')
		return NULL;
	for (at = skip_spaces(at + 1, end); at < end && *at == '"';
	     at = skip_spaces(at + 1, end)) {
		const char *behind = skip_string(at, end);
		bool is_wanted = (size_t)(behind - at) == name_bytes + 2 &&
		    memcmp(at + 1, name, name_bytes) == 0;

		at = skip_spaces(skip_spaces(behind, end) + 1, end);
		behind = skip_value(at, end);
		while (is_wanted && strchr(" \t\r\n", behind[-1]) != NULL)
			behind--;
		*bytes = (size_t)(behind - at);
		if (is_wanted)
			return at;
		at = behind;
	}
	return NULL;
}

bool
json_has_plain_names(const char *text, size_t text_bytes)
{
	const char *end = text + text_bytes;
	const char *at = skip_spaces(text, end);

	if (at == end || *at != '{')
		return true;
	for (at = skip_spaces(at + 1, end); at < end && *at == '"';
	     at = skip_spaces(at + 1, end)) {
		const char *behind = skip_string(at, end);

		if (memchr(at, '\\', (size_t)(behind - at)) != NULL)
			return false;
		at = skip_spaces(skip_spaces(behind, end) + 1, end);
		at = skip_value(at, end);
	}
	return true;
}

const char *
json_raw_next(
    const char *text, size_t text_bytes, const char *before, size_t *bytes)
{
	const char *end = text + text_bytes;
	const char *at = skip_spaces(before == NULL ? text : before, end);
	const char *behind;

	if (at == end || *at != (before == NULL ? '[' : ','))
		return NULL;
	at = skip_spaces(at + 1, end);
	if (at == end || *at == ']')
		return NULL;
	behind = skip_value(at, end);
	while (strchr(" \t\r\n", behind[-1]) != NULL)
		behind--;
	*bytes = (size_t)(behind - at);
	return at;
}
