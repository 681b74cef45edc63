/*
 * Who may call: gateway keys with scopes, and the configured EasyPost keys.
 *
 * A key comes as Bearer or as the user of Basic; for GET, where only reading is
 * needed, the cookie of a session (cookie.h) will do.  Gateway keys are looked up
 * by their SHA-256 and remembered for at most a second, so that a revoked key ends
 * within a second on every worker.  Keys are compared in constant time.
 */
#ifndef WAYBILL_GUARD_H
#define WAYBILL_GUARD_H

#include "fcgi/request.h"

#include <stdbool.h>

enum guard_scope {
	GUARD_OPEN, /* no key needed */
	GUARD_READ,
	GUARD_WRITE,
	GUARD_ADMIN,
	GUARD_PROXY, /* read for GET and HEAD, write for the rest; EasyPost keys
	                are welcome here only */
};

/* True and rq->caller filled when the caller may go on; else the request has
 * been refused (401, 403, 429, 503). */
bool guard_admit(struct request *, enum guard_scope);

/* The EasyPost key to send for this caller, or NULL when none of the caller's
 * mode is configured. */
const char *guard_easypost_key(const struct request *);

#endif
