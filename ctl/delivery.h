/*
 * A delivery to an address of our own, signed as EasyPost signs, and what came
 * back.
 */
#ifndef WAYBILL_DELIVERY_H
#define WAYBILL_DELIVERY_H

#include "shared/easypost.h"

#include <stdbool.h>
#include <stdint.h>

enum { DELIVERY_BASE_MAX = 320, DELIVERY_TEXT_MAX = 256 };

/* What is sent where, and, filled in by delivery_send(), what came of it. */
struct delivery {
	char base[DELIVERY_BASE_MAX]; /* "https://ship.example.com" */
	const char *path;             /* "/webhooks/easypost" */
	const char *ca_file;          /* "": the system's authorities */
	const char *secret;           /* in NFKD form */
	const char *body;

	enum easypost_result result;
	int status; /* 0: no answer */
	int64_t took_us;
	char code[DELIVERY_TEXT_MAX];    /* of an error of Waybill's; "" */
	char message[DELIVERY_TEXT_MAX]; /* what it said, or why nothing came */
};

/* Takes the address apart; NULL, or what it must be. */
const char *delivery_read_url(struct delivery *, const char *url)
    __attribute__((warn_unused_result));

/* True when EasyPost's webhooks go there in Waybill. */
bool delivery_is_usual(const char *url);

/* Sends the body, once, and waits a little longer than EasyPost does. */
void delivery_send(struct delivery *);

/* True when whoever answered says that the event is kept. */
bool delivery_is_kept(const struct delivery *);

/* Tells what came back and after how many ms: on stdout when it was kept, else on
 * stderr with what to do. */
void delivery_tell(const struct delivery *);

#endif
