/*
 * The members of a JSON object, checked by a table.
 *
 * What parameter.h is for a query this is for a body: one table a kind of
 * object, and every member that is wrong is named, not only the first one.
 */
#ifndef WAYBILL_FIELDS_H
#define WAYBILL_FIELDS_H

#include "fcgi/response.h"
#include "shared/arena.h"
#include "shared/json.h"

#include <stdbool.h>

enum field_kind {
	FIELD_TEXT,     /* characters; none that controls */
	FIELD_CODE,     /* letters, digits and hyphens */
	FIELD_CAPITALS, /* `most` capital letters: a country, a currency */
	FIELD_ID,       /* an id of EasyPost that begins with `allowed` */
	FIELD_KEY,      /* the same, or a UUID */
	FIELD_ENUM,     /* one of `allowed`, separated by spaces */
	FIELD_MONEY,    /* a decimal string, not negative */
	FIELD_NUMBER,   /* above 0 */
	FIELD_COUNT,    /* whole */
	FIELD_BOOL,
	FIELD_TIME,   /* RFC 3339 time, or a date: its beginning in UTC */
	FIELD_MAP,    /* an object whose members are the caller's own */
	FIELD_OBJECT, /* an object with a table of its own */
	FIELD_FIXED, /* known, but not the caller's to set: `allowed` says why */
};

struct form;

struct field {
	const char *name;
	enum field_kind kind;
	bool is_required;
	long least, most;    /* TEXT, CODE: characters; COUNT, NUMBER: value */
	const char *allowed; /* as the kind says */
	const struct form *inside; /* of OBJECT */
};

enum rule_kind {
	RULE_ONE_OF,   /* one of `names` at least; told of the first */
	RULE_NOT_BOTH, /* `names` is one, and `other` must not be there too */
	RULE_NEEDS, /* where one of `names` is, `other` must be, and be `text`
	                  where that is not NULL; told of `other` */
};

/* What the members of a new object have to do with each other. */
struct rule {
	enum rule_kind kind;
	const char *names; /* separated by spaces */
	const char *other;
	const char *text;
	const char *message;
};

/* A kind of object; both tables end with a NULL name. */
struct form {
	const struct field *fields;
	const struct rule *rules;
};

enum { FIELDS_PROBLEMS_MAX = 100 };

/* What is wrong; `count` of `total` problems are kept. */
struct fields_problems {
	struct response_problem kept[FIELDS_PROBLEMS_MAX];
	int count;
	int total;
};

enum fields_use {
	FIELDS_NEW,   /* required members must be there; null is not there */
	FIELDS_PATCH, /* members may be left out; null removes one that is not
	                 required */
};

/* Where what is checked stands in the body, and where problems go. */
struct fields {
	struct arena *arena;
	enum fields_use use;
	const char *path; /* "[3]" or "" */
	struct fields_problems *problems;
};

/* Checks every member of `value`; the rules too, when it is new.  What is no
 * object is a problem too. */
void fields_check(
    const struct fields *, const struct form *, const struct json *value);

/* Adds a problem of the member `name`; NULL: of the object itself.  `message` lives as long as the
 * problems are used. */
void fields_add(const struct fields *, const char *name, const char *message);

#endif
