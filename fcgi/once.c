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
	if (deed == NULL)
		return true;
	once_name(rq, once, deed, id);
	if (claim_take_thing(rq, &once->thing, once->name))
		return true;
	claim_void(rq, &once->key);
	return false;
}

void
once_name(struct request *rq, struct once *once, const struct deed *deed,
    const char *id)
{
	once->name = arena_printf(rq->arena, "%s %s", deed->name, id);
}

bool
once_reserve(struct request *rq, struct once *once, const struct price *price,
    const char *created)
{
	if (!rq->caller.has_spending_limit ||
	    budget_reserve(rq, &once->budget, once->name, price))
		return true;
	once_void(rq, once);
	budget_refuse(rq, &once->budget, price, created);
	return false;
}

void
once_refuse_unknown(
    struct request *rq, const struct once *once, const char *why)
{
	once_void(rq, once);
	budget_refuse_unknown(rq, NULL, why);
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
	if (rq->caller.has_spending_limit && once->name != NULL)
		budget_settle(rq, once->name, data);
}

void
once_void(struct request *rq, const struct once *once)
{
	claim_void(rq, &once->key);
	claim_void(rq, &once->thing);
	budget_release(rq, &once->budget);
}

void
once_doubt(struct request *rq, const struct once *once)
{
	claim_doubt(rq, &once->key);
	claim_doubt(rq, &once->thing);
}
