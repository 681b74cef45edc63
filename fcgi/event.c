/*
 * One walk over the bytes: see event.h.
 *
 * The description is a member of the outermost object, and nearly always the
 * first one; deeper ones, of which a tracker has many, mean something else.
 * Escapes are only skipped: no documented description needs one.
 */
#include "fcgi/event.h"

#include <string.h>

const char *const event_types[] = {
	[EVENT_OTHER] = "other",
	"batch.created",
	"batch.updated",
	"claim.approved",
	"claim.cancelled",
	"claim.rejected",
	"claim.submitted",
	"claim.updated",
	"insurance.cancelled",
	"insurance.purchased",
	"payment.completed",
	"payment.created",
	"payment.failed",
	"refund.successful",
	"report.available",
	"report.empty",
	"report.failed",
	"report.new",
	"scan_form.created",
	"scan_form.updated",
	"shipment.invoice.created",
	"shipment.invoice.updated",
	"tracker.created",
	"tracker.updated",
	NULL,
};

static const char member[] = "description";

static int
find_type(const char *text, size_t bytes)
{
	for (int i = EVENT_OTHER + 1; event_types[i] != NULL; i++)
		if (strlen(event_types[i]) == bytes &&
		    memcmp(event_types[i], text, bytes) == 0)
			return i;
	return EVENT_OTHER;
}

/* The quote that ends the string which begins at `at`; `end` when none does. */
static const char *
end_of_string(const char *at, const char *end)
{
	while (at < end && *at != '"')
		at += *at == '\\' ? 2 : 1;
	return at < end ? at : end;
}

static const char *
skip_spaces(const char *at, const char *end)
{
	while (at < end && strchr(" \t\r\n", *at) != NULL && *at != '\0')
		at++;
	return at;
}

/* The type that stands behind the member's name. */
static int
read_value(const char *at, const char *end)
{
	at = skip_spaces(at, end);
	if (at == end || *at != ':')
		return EVENT_OTHER;
	at = skip_spaces(at + 1, end);
	if (at == end || *at != '"')
		return EVENT_OTHER;
	at++;
	return find_type(at, (size_t)(end_of_string(at, end) - at));
}

int
event_type(const char *body, size_t bytes)
{
	const char *end = body + bytes;
	const char *at = body;
	long depth = 0;

	for (; at < end; at++) {
		if (*at == '{' || *at == '[')
			depth++;
		else if (*at == '}' || *at == ']')
			depth--;
		else if (*at == '"') {
			const char *name = at + 1;

			at = end_of_string(name, end);
			if (depth == 1 && at < end &&
			    (size_t)(at - name) == strlen(member) &&
			    memcmp(name, member, strlen(member)) == 0)
				return read_value(at + 1, end);
		}
	}
	return EVENT_OTHER;
}
