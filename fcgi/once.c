/*
 * Two claims as one: see once.h.
 */
#include "fcgi/once.h"

bool
once_take(struct request *rq, struct once *once, const struct deed *deed,
    const char *id)
{
	*once = (struct once){ .key = { .state = CLAIM_NONE } };
	if (!claim_take(rq, &once->key))
		return false;
	if (deed == NULL ||
	    claim_take_thing(rq, &once->thing,
		arena_printf(rq->arena, "%s %s", deed->name, id)))
		return true;
	claim_void(rq, &once->key);
	return false;
}

bool
once_is_in_doubt(const struct once *once)
{
	return once->key.state == CLAIM_IN_DOUBT ||
	    once->thing.state == CLAIM_IN_DOUBT;
}

void
once_done(struct request *rq, const struct once *once, int status,
    const struct buf *data)
{
	claim_done(rq, &once->key, status, data);
	claim_free(rq, &once->thing);
}

void
once_void(struct request *rq, const struct once *once)
{
	claim_void(rq, &once->key);
	claim_void(rq, &once->thing);
}

void
once_doubt(struct request *rq, const struct once *once)
{
	claim_doubt(rq, &once->key);
	claim_doubt(rq, &once->thing);
}
