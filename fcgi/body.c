/*
 * Bodies: reading them, and looking through them table by table.
 *
 * What is inside of what is put into a queue, so that no document, however deep,
 * makes this file call itself.
 */
#include "fcgi/body.h"
#include "fcgi/decimal.h"

#include <stdio.h>
#include <string.h>

enum {
	MEASURE_MAX = 1000000,  /* ounces or inches: more is a mistake */
	AMOUNT_MAX = 999999999, /* the same for money */
	NAME_SHOWN = 64,        /* bytes of a name that nobody knows */
	MIB = 1024 * 1024,
};

/* One value, and what it may be. */
struct value {
	struct body_check *check;
	const struct json *json;
	const char *path;
	const struct body_field *field;
};

/* The bytes as an object; NULL when the request has been refused.  What its names
 * are in the text they are in the document too: whatever is looked at can be
 * passed on. */
static struct json *
read_object(struct request *rq)
{
	char problem[JSON_PROBLEM_MAX];
	const struct buf *text = &rq->body;
	struct json *object = json_read(text->data, text->len, problem);

	if (object != NULL && json_kind(object) != JSON_KIND_OBJECT)
		response_refuse(rq, 400, "BODY.MALFORMED", NULL,
		    "The body must be a JSON object.");
	else if (object == NULL)
		response_refuse(rq, 400, "BODY.MALFORMED", NULL, problem);
	else if (!json_has_plain_names(text->data, text->len))
		response_refuse(rq, 400, "BODY.MALFORMED", NULL,
		    "Names in the body must be written without escapes.");
	else
		return object;
	json_free(object);
	return NULL;
}

bool
body_take(struct request *rq, size_t max_bytes)
{
	bool is_large = max_bytes >= MIB;

	if (request_content_length(rq) > (long long)max_bytes)
		response_refuse(rq, 413, "BODY.TOO_LARGE", NULL,
		    arena_printf(rq->arena, "A body may have %zu %s at most.",
			max_bytes / (is_large ? MIB : 1024),
			is_large ? "MiB" : "KiB"));
	else if (!request_read_body(rq, max_bytes))
		response_refuse(rq, 400, "BODY.INCOMPLETE", NULL,
		    "The body did not come as long as Content-Length says.");
	else
		return true;
	return false;
}

bool
body_read(struct request *rq, size_t max_bytes, bool may_be_empty,
    struct json **document)
{
	*document = NULL;
	if (!body_take(rq, max_bytes))
		return false;
	if (rq->body.len == 0 && may_be_empty)
		return true;
	*document = read_object(rq);
	return *document != NULL;
}

struct body_check *
body_check_new(struct arena *arena)
{
	struct body_check *check = arena_alloc(arena, sizeof(*check));

	check->arena = arena;
	return check;
}

void
body_flaw(struct body_check *check, const char *field, const char *sentence)
{
	if (check->flaw_count == BODY_FLAWS_MAX)
		return;
	check->flaws[check->flaw_count++] = (struct response_problem){ field,
		arena_printf(check->arena, "%s %s", field, sentence) };
}

static void
refuse(const struct value *value, const char *sentence)
{
	body_flaw(value->check, value->path, sentence);
}

static void
queue(struct body_check *check, const struct json *object, const char *path,
    const struct body_field *table)
{
	if (check->look_count == BODY_LOOKS_MAX) {
		body_flaw(check, path, "is one object too many.");
		return;
	}
	check->looks[check->look_count].object = object;
	check->looks[check->look_count].path = path;
	check->looks[check->look_count++].table = table;
}

static size_t
characters_of(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static void
look_at_text(const struct value *value)
{
	const char *text = json_text(value->json);
	size_t count = text == NULL ? 0 : characters_of(text);

	/* An empty text is what many clients send for none. */
	if (text == NULL || count > (size_t)value->field->most ||
	    (count == 0 && value->field->is_required))
		refuse(value,
		    arena_printf(value->check->arena,
			"must be text of %d to %ld characters.",
			value->field->is_required ? 1 : 0, value->field->most));
}

bool
body_is_id(const char *text, const char *prefix)
{
	static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz";
	size_t bytes = strlen(prefix);

	if (text == NULL || strncmp(text, prefix, bytes) != 0 ||
	    strlen(text) > NAME_SHOWN || text[bytes] == '\0')
		return false;
	return text[bytes + strspn(text + bytes, allowed)] == '\0';
}

static void
look_at_id(const struct value *value)
{
	if (!body_is_id(json_text(value->json), value->field->prefix))
		refuse(value,
		    arena_printf(value->check->arena, "must be an id: %s...",
			value->field->prefix));
}

/* Positive or, when `may_be_zero`, 0; numbers are only compared with bounds. */
static bool
is_number(const struct json *json, double most, bool may_be_zero)
{
	const char *text = json_text(json);
	double number = json_number(json);

	if (text != NULL)
		return decimal_is_valid(text) &&
		    (may_be_zero || text[strspn(text, "0.")] != '\0');
	return json_kind(json) == JSON_KIND_NUMBER && number <= most &&
	    (number > 0 || (may_be_zero && number >= 0));
}

static void
look_at_measure(const struct value *value)
{
	if (!is_number(value->json, MEASURE_MAX, false))
		refuse(value, "must be a number above 0, at most 1000000.");
}

static void
look_at_amount(const struct value *value)
{
	if (!is_number(value->json, AMOUNT_MAX, true))
		refuse(value,
		    "must be an amount of money as \"12.50\", 0 or more, of at "
		    "most 9 digits before and 9 after the point.");
}

static void
look_at_whole(const struct value *value)
{
	double number = json_number(value->json);

	if (!json_is_whole(value->json) || number < 1 ||
	    number > (double)value->field->most)
		refuse(value,
		    arena_printf(value->check->arena,
			"must be a whole number from 1 to %ld.",
			value->field->most));
}

static void
look_at_truth(const struct value *value)
{
	if (json_kind(value->json) != JSON_KIND_BOOL)
		refuse(value, "must be true or false.");
}

static void
look_at_country(const struct value *value)
{
	const char *text = json_text(value->json);

	if (text == NULL || strlen(text) != 2 ||
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 2)
		refuse(value,
		    "must be a country as two capital letters (ISO 3166).");
}

/* By id, or by all of its members. */
static void
look_at_object(const struct value *value)
{
	const struct body_field *field = value->field;
	const struct json *id = json_member(value->json, "id");
	const char *prefix = field->prefix;
	bool is_by_id = json_text(value->json) != NULL ||
	    (json_kind(id) != JSON_KIND_NONE &&
		json_kind(id) != JSON_KIND_NULL);
	const char *text =
	    json_text(json_text(value->json) != NULL ? value->json : id);

	if (prefix != NULL && is_by_id) {
		if (!body_is_id(text, prefix))
			refuse(value,
			    arena_printf(value->check->arena,
				"must be an id (%s...), an object with an id, "
				"or an object with its fields.",
				prefix));
	} else if (json_kind(value->json) != JSON_KIND_OBJECT) {
		refuse(value,
		    prefix == NULL
			? "must be an object."
			: arena_printf(value->check->arena,
			      "must be an object, or an id (%s...).", prefix));
	} else if (field->members != NULL) {
		queue(value->check, value->json, value->path, field->members);
	}
}

static void
look_at_list(const struct value *value)
{
	size_t count = json_count(value->json);

	if (json_kind(value->json) != JSON_KIND_ARRAY ||
	    count > (size_t)value->field->most) {
		refuse(value,
		    arena_printf(value->check->arena,
			"must be a list of at most %ld.", value->field->most));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct value element = { value->check,
			json_element(value->json, i),
			arena_printf(
			    value->check->arena, "%s[%zu]", value->path, i),
			value->field };

		look_at_object(&element);
	}
}

static void
look_at_anything(const struct value *value)
{
	(void)value; /* whoever asks for the field knows */
}

const struct body_field *
body_row(const struct body_field *row)
{
	while (row != NULL && row->name == NULL)
		row = row->members;
	return row;
}

static const struct body_field *
find_field(const struct body_field *table, const char *name)
{
	const struct body_field *row = body_row(table);

	for (; row != NULL; row = body_row(row + 1))
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

static const char *
join(struct body_check *check, const char *path, const char *name)
{
	return arena_printf(check->arena, "%s%s%.*s", path,
	    *path == '\0' ? "" : ".", NAME_SHOWN, name);
}

static void
look_at_field(struct body_check *check, const struct json *object,
    const char *path, const struct body_field *field)
{
	static void (*const look[])(const struct value *) = {
		/* clang-format off */
		[BODY_TEXT]     = look_at_text,
		[BODY_ID]       = look_at_id,
		[BODY_MEASURE]  = look_at_measure,
		[BODY_AMOUNT]   = look_at_amount,
		[BODY_WHOLE]    = look_at_whole,
		[BODY_TRUTH]    = look_at_truth,
		[BODY_COUNTRY]  = look_at_country,
		[BODY_OBJECT]   = look_at_object,
		[BODY_LIST]     = look_at_list,
		[BODY_ANYTHING] = look_at_anything,
		/* clang-format on */
	};
	const struct value value = { check, json_member(object, field->name),
		join(check, path, field->name), field };
	enum json_kind kind = json_kind(value.json);

	if (kind != JSON_KIND_NONE && kind != JSON_KIND_NULL)
		look[field->kind](&value);
	else if (field->is_required)
		refuse(&value, "is required.");
}

/* What json_each() hands on. */
struct naming {
	struct body_check *check;
	const char *path;
	const struct body_field *table;
};

static const char *
list_names(struct arena *arena, const struct body_field *table)
{
	const struct body_field *row = body_row(table);
	const char *names = "";

	for (; row != NULL; row = body_row(row + 1))
		names = arena_printf(arena, "%s%s%s", names,
		    *names == '\0' ? "" : ", ", row->name);
	return names;
}

static bool
check_name(void *context, const char *name, const struct json *value)
{
	const struct naming *naming = context;
	struct body_check *check = naming->check;

	(void)value;
	/* Listing the names takes memory: only as often as they are told. */
	if (find_field(naming->table, name) == NULL)
		body_flaw(check, join(check, naming->path, name),
		    arena_printf(check->arena, "is not known. Allowed: %s.",
			list_names(check->arena, naming->table)));
	return check->flaw_count < BODY_FLAWS_MAX;
}

static void
look_once(struct body_check *check, const struct json *object, const char *path,
    const struct body_field *table)
{
	struct naming naming = { check, path, table };
	const struct body_field *row = body_row(table);

	(void)json_each(
	    object, check_name, &naming); /* false: enough is told */
	for (; row != NULL; row = body_row(row + 1))
		look_at_field(check, object, path, row);
}

void
body_look(struct body_check *check, const struct json *object, const char *path,
    const struct body_field *table)
{
	queue(check, object, path, table);
	for (int i = 0; i < check->look_count; i++)
		look_once(check, check->looks[i].object, check->looks[i].path,
		    check->looks[i].table);
	check->look_count = 0;
}

bool
body_is_good(struct request *rq, const struct body_check *check)
{
	int count = check->flaw_count;

	if (count > 0)
		response_refuse_with(rq,
		    &(struct response_refusal){ .status = 422,
			.code = "BODY.INVALID",
			.field = check->flaws[0].field,
			.message = count == 1
			    ? check->flaws[0].message
			    : "Some fields of the body cannot be taken; see "
			      "errors.",
			.problems = check->flaws,
			.problem_count = count });
	return count == 0;
}
