/*
 * Items of bulk calls: see item.h.
 */
#include "fcgi/item.h"
#include "fcgi/body.h"

const char item_path[] = "/v2/shipments";

const char *
item_word(enum item_state state)
{
	/* clang-format off */
	static const char *const words[ITEM_STATES] = {
		[ITEM_NOT_SENT] = "not_sent",
		[ITEM_IN_DOUBT] = "in_doubt",
		[ITEM_FAILED]   = "failed",
		[ITEM_SUCCESS]  = "success",
	};

	/* clang-format on */
	return words[state];
}

void
item_write(struct buf *out, const char *raw, size_t bytes)
{
	(void)buf_add_string(out, "{\"shipment\":");
	(void)buf_add(out, raw, bytes);
	(void)buf_add_byte(out, '}');
}

enum item_state
item_judge(enum easypost_result result, const struct reply *answer,
    const struct json *document)
{
	int status = answer->status;

	if (result == EASYPOST_UNREACHABLE || result == EASYPOST_UNTRUSTED)
		return ITEM_NOT_SENT;
	if (result != EASYPOST_ANSWERED)
		return ITEM_IN_DOUBT;
	if (status >= 200 && status <= 299 &&
	    body_is_id(json_text(json_member(document, "id")), "shp_"))
		return ITEM_SUCCESS;
	/* A failure of EasyPost's own may come after the effect. */
	return status >= 400 && status <= 499 ? ITEM_FAILED : ITEM_IN_DOUBT;
}
