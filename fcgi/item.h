/*
 * One shipment of a bulk call: what may have become of it.
 */
#ifndef WAYBILL_ITEM_H
#define WAYBILL_ITEM_H

#include "shared/buf.h"
#include "shared/easypost.h"
#include "shared/json.h"

enum item_state {
	ITEM_NOT_SENT, /* surely not executed */
	ITEM_IN_DOUBT, /* may have been executed */
	ITEM_FAILED,   /* EasyPost refused it: surely not executed either */
	ITEM_SUCCESS,
	ITEM_STATES
};

/* "not_sent", as the client and the database know it. */
const char *item_word(enum item_state);

/* Appends the item's bytes as EasyPost wants them: {"shipment":...}. */
void item_write(struct buf *, const char *raw, size_t bytes);

/* What the end of its call means; `document` is the answer's body, NULL when that
 * is no JSON. */
enum item_state item_judge(
    enum easypost_result, const struct reply *, const struct json *document);

extern const char item_path[]; /* "/v2/shipments" */

#endif
