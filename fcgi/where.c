/*
 * Filters into SQL: the texts of the table, with numbers for their values.
 *
 * What must stay true: no byte of a request is ever part of the text.
 */
#include "fcgi/where.h"
#include "shared/log.h"

#include <stdio.h>
#include <string.h>

static bool
is_cursor(const struct parameter *parameter)
{
	return parameter->kind == PARAMETER_AFTER ||
	    parameter->kind == PARAMETER_AFTER_ID;
}

/* How many values a parameter of this kind has. */
static int
width(const struct parameter *parameter)
{
	return parameter->kind == PARAMETER_AFTER ? 2 : 1;
}

static void
add_text(struct where *where, const char *text, size_t bytes)
{
	size_t length = strlen(where->text);

	if (length + bytes >= sizeof(where->text))
		log_panic("where.make",
		    "the conditions of a table are longer "
		    "than WHERE_MAX");
	memcpy(where->text + length, text, bytes);
	where->text[length + bytes] = '\0';
}

/* Rows of several words are in no index's order. */
static bool
is_several(const struct parameter *parameter, const struct db_value *value)
{
	return parameter->kind == PARAMETER_WORDS &&
	    strchr(value->data, ',') != NULL;
}

/* What is said of a column; NULL: the condition says it all. */
static const char *
comparison(const struct parameter *parameter, const struct db_value *value)
{
	if (parameter->kind == PARAMETER_PART)
		return *value->data == '\0' ? " is null" : " = $";
	if (parameter->kind == PARAMETER_WORDS)
		return is_several(parameter, value) ? " = any($)" : " = $";
	return NULL;
}

static void
add_condition(struct where *where, const struct parameter *parameter,
    const struct db_value *value)
{
	const char *at = parameter->condition;
	const char *said = comparison(parameter, value);
	const char *word = *where->text == '\0' ? " where " : " and ";

	add_text(where, word, strlen(word));
	if (said != NULL) {
		add_text(where, at, strlen(at));
		at = said;
	}
	while (*at != '\0') {
		size_t plain = strcspn(at, "$");
		char number[16];

		add_text(where, at, plain);
		at += plain;
		if (*at++ == '\0')
			break;
		where->values.value[where->values.count++] = *value++;
		/* An int has 11 digits at most: fits. */
		(void)snprintf(
		    number, sizeof(number), "$%d", where->values.count);
		add_text(where, number, strlen(number));
	}
}

bool
where_has(const char *name, const struct parameter *table,
    const struct parameter_values *taken)
{
	int at = 0;

	for (; table->name != NULL; at += width(table++))
		if (strcmp(table->name, name) == 0)
			return taken->value[at].data != NULL;
	return false;
}

static bool
is_few(const struct parameter *parameter)
{
	return parameter->steady_with != NULL &&
	    strcmp(parameter->steady_with, PARAMETER_FEW) == 0;
}

static bool
is_steady(const struct parameter *parameter, const struct parameter *table,
    const struct parameter_values *taken)
{
	const char *other = parameter->steady_with;

	return other != NULL &&
	    (*other == '\0' || is_few(parameter) ||
		where_has(other, table, taken));
}

void
where_make(struct where *where, enum where_part part,
    const struct parameter *table, const struct parameter_values *taken)
{
	const struct parameter *parameter = table;
	int at = 0;

	where->text[0] = '\0';
	where->values.count = 0;
	where->is_steady = true;
	where->is_few = false;
	for (; parameter->name != NULL; at += width(parameter++)) {
		if (parameter->condition == NULL ||
		    taken->value[at].data == NULL ||
		    (part == WHERE_FILTERS && is_cursor(parameter)))
			continue;
		add_condition(where, parameter, &taken->value[at]);
		if (!is_steady(parameter, table, taken) ||
		    is_several(parameter, &taken->value[at]))
			where->is_steady = false;
		if (is_few(parameter))
			where->is_few = true;
	}
}
