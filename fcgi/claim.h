/*
 * Idempotency-Key: a request that spends money is executed once, however often
 * its client sends it.
 *
 * The claim is committed before EasyPost is called.  Whoever comes with the same
 * key gets the answer of the first, byte for byte; while the first is under way,
 * 409; and when nobody knows what became of it, the next one may go on, but has
 * to ask EasyPost first.
 */
#ifndef WAYBILL_CLAIM_H
#define WAYBILL_CLAIM_H

#include "fcgi/request.h"
#include "shared/buf.h"

#include <stdbool.h>

enum claim_state {
	CLAIM_NONE,     /* the request has no key: nothing guards it */
	CLAIM_NEW,      /* this is the first attempt */
	CLAIM_IN_DOUBT, /* an earlier one may have had its effect */
};

struct claim {
	enum claim_state state;
	char id[37];
	const char *note; /* of the earlier attempt; NULL: it made none */
};

/* Claims the request, whose body has been read, for its Idempotency-Key.  False
 * when it has been answered: with what the first attempt said, or refused. */
bool claim_take(struct request *, struct claim *);

/* Claims what is done to a thing, "buy shp_...", whoever asks and with whatever
 * key, for as long as it is under way or in doubt.  Without a database, and when
 * it does not answer, the state is CLAIM_NONE: then EasyPost alone keeps a thing
 * from being bought twice.  False when the request was refused, for somebody is
 * at it. */
bool claim_take_thing(struct request *, struct claim *, const char *name);

/* Commits how far this attempt has come.  False when that failed, and the
 * request has been refused: it may not go on. */
bool claim_note(struct request *, const struct claim *, const char *note);

/* The attempt ends with this answer of EasyPost as its data; before the client
 * gets it.  A failure is only logged: the next attempt asks EasyPost then. */
void claim_done(
    struct request *, const struct claim *, int status, const struct buf *data);

/* The attempt ends with an effect that EasyPost itself tells from now on: nothing
 * is kept here. */
void claim_free(struct request *, const struct claim *);

/* The attempt ends without: nothing was executed, or nobody knows.  What an
 * earlier attempt left in doubt stays so. */
void claim_void(struct request *, const struct claim *);
void claim_doubt(struct request *, const struct claim *);

#endif
