/*
 * EasyPost's side of webhooks: what is registered there for a key.
 *
 * One call a function, each tried once and within CALL_MS: whoever waits can ask
 * again.  Nothing here is logged or shown but what EasyPost says.
 */
#ifndef WAYBILL_HOOKS_H
#define WAYBILL_HOOKS_H

#include "shared/easypost.h"
#include "shared/json.h"

#include <stdbool.h>
#include <stddef.h>

enum { HOOKS_ERROR_MAX = 512, HOOKS_ID_MAX = 80 };

/* The webhooks of one key; the caller sets the first part, the rest is zero. */
struct hooks {
	struct easypost *easypost;
	const char *mode;     /* of the key: "test" */
	const char *key_name; /* as it is configured: "EASYPOST_TEST_API_KEY" */
	const char *key;

	struct reply answer;   /* to the last call */
	struct json *document; /* of the list that was read last */
	char error[HOOKS_ERROR_MAX];
};

/* One of them, as EasyPost wrote it; a text that is not there is "". */
struct hook {
	const char *id;
	const char *url;
	const char *created_at;
	const char *disabled_at; /* "": it is enabled */
};

/* Begins. */
void hooks_begin(struct hooks *);

/* Reads the list; false, with the error, when that cannot be. */
bool hooks_read(struct hooks *) __attribute__((warn_unused_result));

/* How many there are, and one of them, 0 being the first; it lives until the next
 * hooks_read() or hooks_end(). */
size_t hooks_count(const struct hooks *);
struct hook hooks_at(const struct hooks *, size_t index);

/* Registers the address, whose deliveries are signed with the secret; its id. */
bool hooks_create(struct hooks *, const char *url, const char *secret,
    char id[HOOKS_ID_MAX]) __attribute__((warn_unused_result));

/* Gives it another secret, and enables it. */
bool hooks_update(struct hooks *, const char *id, const char *secret)
    __attribute__((warn_unused_result));

/* Ends it. */
bool hooks_delete(struct hooks *, const char *id)
    __attribute__((warn_unused_result));

/* True for what may be an id of EasyPost's. */
bool hooks_is_id(const char *);

/* Gives the memory back. */
void hooks_end(struct hooks *);

#endif
