/*
 * What was found out, by section and name, to be told to people or as JSON.
 */
#ifndef WAYBILL_FACTS_H
#define WAYBILL_FACTS_H

#include "shared/buf.h"
#include "shared/db.h"

#include <stdbool.h>

enum { FACTS_MAX = 128, FACTS_NAME_MAX = 24, FACTS_TEXT_MAX = DB_MESSAGE_MAX };

struct fact {
	const char *section; /* "" at the top */
	char name[FACTS_NAME_MAX];
	char text[FACTS_TEXT_MAX];
	enum db_kind kind;
	bool is_null;
};

/* Zeroed: none.  The facts of a section follow each other. */
struct facts {
	struct fact all[FACTS_MAX];
	int count;
};

/* Section and name are literals.  A text may be NULL, and is cut where it is too
 * long; what does not fit into the table is left out. */
void facts_add_text(
    struct facts *, const char *section, const char *name, const char *text);
void facts_add_number(
    struct facts *, const char *section, const char *name, long long);

/* Each column of the function's only row; a value that has more than a fact has
 * room for is cut. */
enum db_status facts_add_call(struct facts *, const char *section, struct db *,
    const struct db_call *) __attribute__((warn_unused_result));

/* The text; NULL when it is null or nobody found it out. */
const char *facts_text(
    const struct facts *, const char *section, const char *name);

/* The whole part of a number; -1 when it is null or nobody found it out. */
long long facts_number(
    const struct facts *, const char *section, const char *name);

/* Appends the members of an object: the facts at the top, and an object for each
 * section. */
void facts_add_json(const struct facts *, struct buf *);

/* Appends a text as JSON. */
void facts_add_string(struct buf *, const char *);

/* "127 s", "12 min", "30 h", "12 days"; until it is called again. */
const char *facts_age(long long seconds);

#endif
