/*
 * JSON from outside, looked into (RFC 8259).
 *
 * The only file that includes jansson.  Strict: UTF-8 only, no \u0000, no
 * duplicate names, no NaN, no number that a double, 64 bits for a whole one, or
 * the database cannot hold, nothing behind the end, no deeper than JSON_DEPTH_MAX
 * and no more values than JSON_VALUES_MAX.  Bodies that are only passed on are
 * never read with it.
 */
#ifndef WAYBILL_JSON_H
#define WAYBILL_JSON_H

#include <stdbool.h>
#include <stddef.h>

enum {
	JSON_DEPTH_MAX = 64,
	JSON_VALUES_MAX = 250000, /* each takes some hundred bytes while read */
	/* PostgreSQL keeps 16383 decimals of a number, and refuses more: with
	 * these bounds there are 1999 at most. */
	JSON_NUMBER_MAX = 1000, /* bytes */
	JSON_EXPONENT_DIGITS = 3,
	JSON_PROBLEM_MAX = 160,
};

enum json_kind {
	JSON_KIND_NONE, /* there is no such value */
	JSON_KIND_NULL,
	JSON_KIND_BOOL,
	JSON_KIND_NUMBER,
	JSON_KIND_TEXT,
	JSON_KIND_ARRAY,
	JSON_KIND_OBJECT,
};

/* A value; those inside of it live as long as the one that json_read() gave.
 * NULL is a value of kind NONE everywhere below. */
struct json;

/* Reads a whole document, an object or an array.  NULL, with a sentence for the client in `problem`,
 * when it is none.  The caller gives it back with json_free(). */
struct json *json_read(
    const char *text, size_t bytes, char problem[JSON_PROBLEM_MAX]);

/* Gives the document back; NULL is nothing to give. */
void json_free(struct json *);

enum json_kind json_kind(const struct json *);

/* The member of an object; NULL when there is none, or it is no object. */
const struct json *json_member(const struct json *, const char *name);

/* How many members an object has, or elements an array; 0 for all else. */
size_t json_count(const struct json *);

/* The element of an array, 0 being the first; NULL beyond the last. */
const struct json *json_element(const struct json *, size_t index);

/* Calls `each` with every member in its order until it returns false; false
 * then, and true when it went through or this is no object. */
bool json_each(const struct json *,
    bool (*each)(void *context, const char *name, const struct json *value),
    void *context);

/* The text of a string, zero-terminated; NULL for all else. */
const char *json_text(const struct json *);

/* Its length in bytes; 0 for what is no string. */
size_t json_text_bytes(const struct json *);

/* A number as it is; 0 for what is none.  Never for money. */
double json_number(const struct json *);

/* True when a number was written without fraction and exponent. */
bool json_is_whole(const struct json *);

/* True for true; false for all else. */
bool json_is_true(const struct json *);

/* Where the value of a member stands in the text of an object that json_read()
 * has taken, and its length: to be passed on as it came.  NULL when there is no
 * member whose name is written like this, without escapes. */
const char *json_raw(
    const char *text, size_t text_bytes, const char *name, size_t *bytes);

/* True when json_raw() finds each member of the object that json_member() finds
 * in it: no name of its own is written with escapes.  True for an array. */
bool json_has_plain_names(const char *text, size_t text_bytes);

/* The same of an array's elements, one after another: the one behind `before`,
 * which is where the last one ended; NULL for the first.  NULL behind the last. */
const char *json_raw_next(
    const char *text, size_t text_bytes, const char *before, size_t *bytes);

#endif
