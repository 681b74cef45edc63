/*
 * What spends money is done once: the claim of the client's key and the claim of
 * the thing that is bought, as one.
 *
 * Two clients, or one without a key, may want the same thing bought at once:
 * while it is being bought, and while nobody knows, the thing is claimed too.  And what
 * a key with a daily limit spends for it is reserved.
 */
#ifndef WAYBILL_ONCE_H
#define WAYBILL_ONCE_H

#include "fcgi/budget.h"
#include "fcgi/claim.h"
#include "fcgi/deed.h"

#include <stdbool.h>

/* Zeroed: nothing is claimed. */
struct once {
	struct claim key;
	struct claim thing;
	const char *name; /* of the deed and the thing; NULL while not known */
	struct budget budget;
};

/* Claims both before anything is sent; `deed` and `id` NULL: the key only.  False
 * when the request has been answered, with what the first attempt said, or
 * refused. */
bool once_take(
    struct request *, struct once *, const struct deed *deed, const char *id);

/* What is done once, when only this attempt has made the thing. */
void once_name(
    struct request *, struct once *, const struct deed *deed, const char *id);

/* Reserves the price for a key with a daily limit; for others there is nothing to
 * do.  False when it was refused, and the attempt is over; `created` as of
 * budget_refuse(). */
bool once_reserve(
    struct request *, struct once *, const struct price *, const char *created);

/* Refuses for such a key what has no price before; see budget.h. */
void once_refuse_unknown(
    struct request *, const struct once *, const char *why);

/* True when an earlier attempt may have had its effect: EasyPost is asked before
 * anything is sent. */
bool once_is_in_doubt(const struct once *);

/* How the attempt ends; each as claim.h says of the key. */
void once_done(
    struct request *, const struct once *, int status, const struct buf *data);
void once_void(struct request *, const struct once *);
void once_doubt(struct request *, const struct once *);

#endif
