/*
 * One request, from accepting it to its last byte, through libfcgi.
 *
 * The only file that includes fcgiapp.h.  One struct request lives as long as
 * the worker and is reset after each request.  What must stay true: a body is
 * given out only when it came whole; nothing is written to the client before
 * request_start_answer(); header values with control bytes are never written.
 */
#ifndef WAYBILL_REQUEST_H
#define WAYBILL_REQUEST_H

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/conf.h"
#include "shared/db.h"
#include "shared/easypost.h"
#include "shared/pool.h"
#include "shared/scoreboard.h"
#include "shared/throttle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a worker has, made once at its start. */
struct service {
	const struct conf *conf;
	const struct pool *pool;
	struct scoreboard *scoreboard;
	struct slot *slot;         /* of this worker */
	struct throttle *throttle; /* of this host */
	struct db *db;             /* NULL when none is configured */
	struct db *primary;        /* for writes: `db`, unless that is a
	                              replica; NULL when none is configured */
	struct easypost *easypost; /* NULL outside of the upstream pool */
};

enum caller_kind { CALLER_NOBODY, CALLER_GATEWAY_KEY, CALLER_EASYPOST_KEY };

/* Who asks; filled by the guard. */
struct caller {
	enum caller_kind kind;
	bool is_test;    /* the mode that the key belongs to */
	char key_id[37]; /* of a gateway key; else "" */
	char name[64];
	bool has_spending_limit; /* see budget.h */
};

struct live;

struct request {
	struct live *live; /* libfcgi's side of it; for request.c only */
	struct service *service;
	struct arena *arena; /* reset after the answer */
	struct buf body;
	struct caller caller;

	const char *id; /* X-Request-Id: [A-Za-z0-9._-]{1,64} */
	const char *method;
	const char *target;   /* raw path and query as the client sent them */
	const char *path;     /* raw, doubled slashes collapsed, no query */
	const char *query;    /* raw, without '?'; "" when there is none */
	const char *address;  /* of the client */
	const char *argument; /* what matched {id} in the route; or NULL */
	const char *route;    /* the route's pattern, for logs and metrics */

	int64_t started_us;
	/* Known from request_end() on; the last two also count what was done
	 * after the answer. */
	int64_t total_us; /* until the client had all of the answer */
	int64_t database_us;
	int64_t upstream_us;
	int status;   /* 0 until the answer starts */
	size_t bytes; /* of the body of the answer */
	/* RateLimit-Policy and RateLimit, of every answer; NULL: the key has no
	 * limit. */
	const char *rate_policy;
	const char *rate_state;
	bool is_head;
	bool is_client_gone;
	bool is_broken;         /* the answer ended before its end */
	bool is_database_late;  /* a record went to the spool: so do others */
	bool is_breaker_open;   /* the last breaker_call() was not made */
	bool is_large;          /* it took memory that is not kept for others */
	const char *error_code; /* of a refusal, for the access line */
};

/* The one request of a worker's life, used again and again. */
struct request *request_new(struct service *, int listen_fd);

/* How a wait ended. */
enum request_event {
	REQUEST_CAME,
	REQUEST_NONE, /* nobody came for so long */
	REQUEST_STOP, /* the worker shall stop: a signal set `*is_stopping` */
};

/* Waits for the next request on the listening socket, until `quiet_ms` at most;
 * 0: for ever.  Whoever is there by then goes first. */
enum request_event request_accept(
    struct request *, const volatile bool *is_stopping, int64_t quiet_ms);

/* True when the worker was told to stop. */
bool request_is_stopping(const volatile bool *is_stopping);

/* Work that no client waits for uses the worker's one request: it has an arena, a
 * beginning and the limit of time of any other, and nothing of a client's.  Ended,
 * everything of it is forgotten, and the worker is idle. */
void request_begin_duty(struct request *);
void request_end_duty(struct request *);

/* A header by its CGI name ("HTTP_AUTHORIZATION"), or NULL.  The names of all
 * request headers: */
const char *request_header(const struct request *, const char *cgi_name);

/* True when a header that decides about access or money came twice. */
bool request_has_doubled_header(const struct request *);

/* Content-Length as the client said; -1 when it is not a number >= 0. */
long long request_content_length(const struct request *);

/* Reads the whole body into rq->body, with a zero byte behind it.  False when it
 * did not come whole or passes max_bytes, which is 64 MiB at most. */
bool request_read_body(struct request *, size_t max_bytes)
    __attribute__((warn_unused_result));

/* False when the client has gone: nginx closes its side at once then. */
bool request_has_client(struct request *);

struct request_header {
	const char *name;
	const char *value;
};

/* Writes status and headers.  A value with a control byte is left out and
 * logged.  X-Request-Id is always written. */
void request_start_answer(
    struct request *, int status, const struct request_header *, int count);

/* Writes a part of the body; nothing for HEAD. */
void request_write(struct request *, const void *, size_t bytes);

/* Ends the answer: the client has all of it when this returns.  What a handler
 * does afterwards keeps only the worker busy. */
void request_finish(struct request *);

/* Tells the supervisor that a long answer gets on: the limit of time of this
 * worker begins anew.  Only between steps that are bounded themselves. */
void request_progress(struct request *);

/* Ends an answer that was started and cannot be completed, so that the client
 * sees that a part is missing. */
void request_break(struct request *);

/* Who asked, as the log and user_activities name them: the id of a gateway key,
 * "easypost" or "easypost-test"; NULL for nobody. */
const char *request_caller(const struct request *);

/* The mode of the caller's key: "test" or "production". */
const char *request_mode(const struct request *);

/* The end of all work: the times are known, and the access line is written. */
void request_end(struct request *);

/* Everything of the request is forgotten, and the worker is idle. */
void request_forget(struct request *);

#endif
