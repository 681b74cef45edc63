/*
 * One question to EasyPost whose answer the gateway reads itself.
 */
#ifndef WAYBILL_ASK_H
#define WAYBILL_ASK_H

#include "fcgi/upstream.h"
#include "shared/json.h"

#include <stdbool.h>
#include <stddef.h>

enum ask_outcome {
	ASK_DONE,      /* 2xx, and its document is what was asked for */
	ASK_REFUSED,   /* 4xx: surely not executed */
	ASK_NOT_SENT,  /* surely not executed either */
	ASK_IN_DOUBT,  /* may have been executed */
	ASK_KEPT_BACK, /* not sent, and the request has been refused */
};

struct ask {
	struct upstream call;
	enum ask_outcome outcome;
	enum easypost_result result;
	struct json *document; /* as long as the call's answer */
	const char *location;  /* told with a refusal; or NULL */
	const char *hint;      /* one sentence more for a failure; or NULL */
	/* What the document's id begins with: a shipment's, unless the caller
	 * sets another; NULL when it has none. */
	const char *id_prefix;
};

/* Adds what a call of our own has beside its key. */
void ask_add_headers(struct upstream *);

/* Begins a read (GET), or a write (POST) of these bytes. */
void ask_read(struct ask *, struct request *, const char *path);
void ask_write(struct ask *, struct request *, const char *path,
    const char *body, size_t bytes);

/* Asks.  True for ASK_DONE. */
bool ask_send(struct ask *);

/* Refuses the request for what came instead of ASK_DONE. */
void ask_refuse(struct ask *);

/* To be called once after ask_send(), whatever came: upstream_end(). */
void ask_end(struct ask *);

/* The text of the document's member, copied to the request's arena; "" when
 * there is none. */
const char *ask_text(const struct ask *, const char *name);

/* The very bytes of the document's member; NULL when there is none. */
const char *ask_raw(const struct ask *, const char *name, size_t *bytes);

/* Refuses a document that is not what it should be. */
void ask_refuse_document(struct ask *);

#endif
