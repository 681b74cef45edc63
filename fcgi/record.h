/*
 * Answers of EasyPost, kept: in the database, else in the spool.
 */
#ifndef WAYBILL_RECORD_H
#define WAYBILL_RECORD_H

#include "fcgi/request.h"
#include "shared/easypost.h"

#include <stdbool.h>

/* True when a record made within the next minute has a place to go to; asked
 * before anything is sent that has an effect.  Without a database nothing is
 * recorded, and this is true. */
bool record_has_place(struct request *);

/* What EasyPost was asked, and what it said.  Of an item of a bulk call that is
 * worked off behind its answer: what became of it ("success", "failed", "not_sent",
 * "in_doubt"), its call, and its round and place in there ("TAKE INDEX"). */
struct record {
	bool is_item;
	const char *method;
	const char *path;
	const char *query;
	const struct reply *answer;
};

/* True when the answer is one to keep: EasyPost did it, and said what. */
bool record_is_worth(const struct request *, const struct reply *);

/* Keeps the answer to a write, before the client gets it.  True when it is
 * durable; false, with a critical line in the log, when neither the database
 * nor the spool took it. */
bool record_write(struct request *, const struct record *);

/* Records the answer to a read, after the client got it.  A failure is only
 * logged: what was read can be read again. */
void record_read(struct request *, const struct record *);

#endif
