/*
 * One call to EasyPost, through libcurl.
 *
 * The only file that includes libcurl.  Only the configured host is ever
 * called: no redirects, no proxies from the environment.  Connections are kept
 * and used again, except for what spends money.  libcurl sends a request again
 * by itself when a kept connection dies before the first byte of the answer;
 * here only the body of a read can be rewound, so that no write is repeated.
 */
#ifndef WAYBILL_EASYPOST_H
#define WAYBILL_EASYPOST_H

#include "shared/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct easypost;

struct easypost_request {
	const char *method;
	const char
	    *target; /* raw path and query: "/v2/shipments?page_size=5" */
	const struct easypost_header *headers;
	int header_count;
	const char *body;
	size_t body_bytes;
	bool has_body;
	bool spends_money;   /* a connection of its own, not kept */
	int64_t deadline_ms; /* clock_ms() at which we give up */
};

enum easypost_result {
	EASYPOST_ANSWERED,
	EASYPOST_UNREACHABLE, /* surely not executed: no connection was made */
	EASYPOST_UNTRUSTED,   /* surely not executed: the certificate is bad */
	EASYPOST_IN_DOUBT,    /* sent, but no whole answer: may be executed */
	EASYPOST_LATE,        /* the deadline passed: may be executed */
	EASYPOST_TOO_LARGE,   /* the answer passes REPLY_BODY_MAX */
};

/* `base` as configured, `ca_file` "" for the system's. */
struct easypost *easypost_new(const char *base, const char *ca_file);

/* Sends the request and reads the whole answer; without one (any other result
 * than ANSWERED) the answer is empty. */
enum easypost_result easypost_send(
    struct easypost *, const struct easypost_request *, struct reply *)
    __attribute__((warn_unused_result));

enum {
	EASYPOST_LANES = 16, /* calls under way at once */
	EASYPOST_LANE_ANSWER_MAX = 2 * 1024 * 1024,
};

/* Several calls.  `ask` fills in the request of a call when its turn comes; what
 * it points at stands until `take` has had what came of it, in any order.  The
 * answer is gone when `take` returns; when that is false no more calls begin, and
 * those that have not begun are never taken. */
struct easypost_many {
	size_t count;
	void (*ask)(
	    void *context, size_t index, struct easypost_request *request);
	bool (*take)(void *context, size_t index, enum easypost_result,
	    const struct reply *);
	void *context;
};

/* Sends them, EASYPOST_LANES at a time, in their order; returns when all that
 * began have been taken. */
void easypost_send_many(struct easypost *, const struct easypost_many *);

/* Told of every call when it is over: the status of an answer, else 0, and the
 * microseconds that it took. */
typedef void easypost_observer(
    void *context, enum easypost_result, int status, int64_t took_us);
void easypost_observe(struct easypost *, easypost_observer *, void *context);

/* What a site showed of itself when it answered last. */
struct easypost_site {
	bool speaks_http2;
	char expires[32]; /* its certificate: "Nov 29 06:28:00 2027 GMT" */
};

/* For a handle that was made for a site of our own: HTTP/2 is asked for, and what
 * it shows noted at every call. */
void easypost_look_at_site(struct easypost *, struct easypost_site *);

/* What went wrong last, for the log; no secrets in it. */
const char *easypost_error(const struct easypost *);

/* Microseconds spent in easypost_send() since the last
 * easypost_forget_spent(). */
int64_t easypost_spent_us(const struct easypost *);
void easypost_forget_spent(struct easypost *);

#endif
