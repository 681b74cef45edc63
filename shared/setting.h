/*
 * One setting: what its text may be, where its value goes, how it is shown.
 *
 * The kinds of value and nothing else: which settings there are is conf.c.
 */
#ifndef WAYBILL_SETTING_H
#define WAYBILL_SETTING_H

#include "shared/arena.h"
#include "shared/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum setting_kind {
	SETTING_CHOICE,
	SETTING_NUMBER,
	SETTING_LONG,
	SETTING_SECONDS, /* kept as milliseconds */
	SETTING_TRUTH,
	SETTING_ADDRESS, /* of EasyPost's API: see address.h */
	SETTING_PATH,
	SETTING_TOKEN,       /* this and the next are secrets */
	SETTING_DATABASE,    /* a connection string or URI of libpq */
	SETTING_NFKD_SECRET, /* kept in NFKD form */
};

struct setting_choice {
	const char *word; /* NULL: the end */
	int value;
};

struct setting {
	const char *name;
	enum setting_kind kind;
	size_t offset; /* of the value in struct conf */
	const char *initial;
	long least; /* numbers */
	long most;  /* numbers, and the bytes of a path or token */
	/* Words of a choice; of a token: beginnings that it must not have,
	 * because they tell a key of the other mode.  May be NULL there. */
	const struct setting_choice *choices;
	const char *alias; /* an older name, or NULL */
};

/* True for what is never shown, and may stand in a file of its own. */
bool setting_is_secret(const struct setting *);

/* Puts the value of the text at `place`.  NULL when that is done, else what is
 * allowed ("must be ..."), without the text, in memory of the arena, as is what
 * the value points to. */
const char *setting_store(const struct setting *, const char *text, void *place,
    struct arena *) __attribute__((warn_unused_result));

/* Appends the value at `place` as text; a secret is masked. */
void setting_show(const struct setting *, const void *place, struct buf *);

#endif
