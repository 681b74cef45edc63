/*
 * An answer of EasyPost's: status, headers, body; and how its header becomes one,
 * line by line.
 */
#ifndef WAYBILL_REPLY_H
#define WAYBILL_REPLY_H

#include "shared/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	REPLY_HEADERS_MAX = 128,           /* more are left out */
	REPLY_BODY_MAX = 32 * 1024 * 1024, /* a label file is about 1 MB */
};

struct easypost_header {
	const char *name;
	const char *value;
};

/* Belongs to the caller, who keeps it for the next call. */
struct reply {
	int status;
	struct buf body;        /* decoded: never compressed */
	struct buf header_text; /* what the headers below point into */
	struct easypost_header headers[REPLY_HEADERS_MAX];
	int header_count;
	bool is_header_complete; /* what follows are trailers: not for us */
};

/* Makes it empty, once, before the first call. */
void reply_init(struct reply *);

/* Forgets the answer and gives big memory back; easypost_send() begins with it,
 * a caller that will be idle for long does it earlier. */
void reply_reset(struct reply *);

/* Gives all of its memory back: its last use. */
void reply_free(struct reply *);

/* Takes a line of the header, whose form has been checked.  One that is too long
 * or has no room is left out: an answer is worth more than all of its headers. */
void reply_take_line(struct reply *, const char *line, size_t bytes);

/* After the last line: the headers can be looked at. */
void reply_finish(struct reply *);

/* The first header of this name (any case), or NULL. */
const char *reply_header(const struct reply *, const char *name);

#endif
