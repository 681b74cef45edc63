/*
 * THE TABLE, and the straight line from a request to its handler.
 *
 * nginx sends each location to the socket of its pool; the table says which
 * pool serves what, so that a mistake there is a 404 with a line in the log,
 * never a handler in a process without its keys.
 */
#include "fcgi/route.h"
#include "fcgi/bulk.h"
#include "fcgi/figures.h"
#include "fcgi/guard.h"
#include "fcgi/health.h"
#include "fcgi/metrics.h"
#include "fcgi/pattern.h"
#include "fcgi/proxy.h"
#include "fcgi/purchase.h"
#include "fcgi/read.h"
#include "fcgi/response.h"
#include "fcgi/session.h"
#include "fcgi/simple.h"
#include "fcgi/track.h"
#include "fcgi/tracking.h"
#include "fcgi/webhook.h"
#include "fcgi/write.h"
#include "shared/log.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	M_GET = 1 << 0,
	M_HEAD = 1 << 1,
	M_POST = 1 << 2,
	M_PUT = 1 << 3,
	M_PATCH = 1 << 4,
	M_DELETE = 1 << 5,
	M_OPTIONS = 1 << 6,
	M_READ = M_GET | M_HEAD,
	M_ANY = (1 << 7) - 1,
};

static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH",
	"DELETE", "OPTIONS" };

enum {
	METHODS = sizeof(methods) / sizeof(methods[0]),
	METHODS_BYTES = 64, /* all of them with commas have 47 */
};

/* The parameters of a list begin with the same four (list.h).  Of a filter: its
 * condition, and when one plan will do for all of its values (parameter.h). */
/* clang-format off */
#define LIST_PARAMETERS(after_kind, after_condition)                           \
	{ "format", PARAMETER_ENUM, 0, 0, "json", "json csv ndjson", NULL, NULL }, \
	{ "limit",  PARAMETER_INT,  1, 500,    NULL, NULL, NULL, NULL },           \
	{ "offset", PARAMETER_INT,  0, 100000, NULL, NULL, NULL, NULL },           \
	{ "after",  after_kind,     0, 0,      NULL, NULL, after_condition, "" }
#define PARAMETERS_END { NULL, PARAMETER_TEXT, 0, 0, NULL, NULL, NULL, NULL }

static const char modes[] = "test production";

#define SHIPMENTS_FILTERS \
	{ "carrier",   PARAMETER_TEXT,  1, 64,  NULL, NULL,  "carrier = $",     "service" }, \
	{ "service",   PARAMETER_TEXT,  1, 64,  NULL, NULL,  "service = $",     "carrier" }, \
	{ "status",    PARAMETER_WORDS, 1, 64,  NULL, NULL,  "status",          "" }, \
	{ "date_from", PARAMETER_TIME,  0, 0,   NULL, NULL,  "created_at >= $", "" }, \
	{ "date_to",   PARAMETER_UNTIL, 0, 0,   NULL, NULL,  "created_at < $",  "" }, \
	{ "batch_id",  PARAMETER_TEXT,  1, 64,  NULL, NULL,  "batch_id = $",    "" }, \
	{ "mode",      PARAMETER_ENUM,  0, 0,   NULL, modes, "mode = $",        NULL }, \
	{ "from_city",    PARAMETER_PART, 0, 255, NULL, NULL, "from_city", NULL }, \
	{ "from_state",   PARAMETER_PART, 0, 255, NULL, NULL, "from_state", NULL }, \
	{ "from_country", PARAMETER_PART, 0, 255, NULL, NULL, "from_country", NULL }, \
	{ "to_city",      PARAMETER_PART, 0, 255, NULL, NULL, "to_city", NULL }, \
	{ "to_state",     PARAMETER_PART, 0, 255, NULL, NULL, "to_state", NULL }, \
	{ "to_country",   PARAMETER_PART, 0, 255, NULL, NULL, "to_country", NULL }, \
	{ "reference", PARAMETER_TEXT,  1, 255, NULL, NULL,  "reference = $", PARAMETER_FEW }, \
	{ "late",      PARAMETER_ENUM,  0, 0,   NULL, "true", "is_late",    PARAMETER_FEW }, \
	{ "failed",    PARAMETER_ENUM,  0, 0,   NULL, "true", "is_failed",  "" }, \
	{ "q",         PARAMETER_TEXT,  1, 200, NULL, NULL,  "id = any((select api.search_shipments($))::uuid[])", NULL }

static const struct parameter shipments_parameters[] = {
	LIST_PARAMETERS(PARAMETER_AFTER, "(created_at, id) < ($, $)"),
	SHIPMENTS_FILTERS,
	PARAMETERS_END,
};

/* The most overdue first. */
static const struct parameter late_parameters[] = {
	LIST_PARAMETERS(PARAMETER_AFTER, "(promised_at, id) > ($, $)"),
	SHIPMENTS_FILTERS,
	PARAMETERS_END,
};

/* What failed last first. */
static const struct parameter failed_parameters[] = {
	LIST_PARAMETERS(PARAMETER_AFTER, "(updated_at, id) < ($, $)"),
	SHIPMENTS_FILTERS,
	PARAMETERS_END,
};

static const struct parameter addresses_parameters[] = {
	LIST_PARAMETERS(PARAMETER_AFTER, "(created_at, id) < ($, $)"),
	{ "country",   PARAMETER_TEXT,  2, 2,   NULL, NULL,  "country = $",     NULL },
	{ "state",     PARAMETER_TEXT,  1, 64,  NULL, NULL,  "state = $",       NULL },
	{ "city",      PARAMETER_TEXT,  1, 128, NULL, NULL,  "city = $",        NULL },
	{ "q",         PARAMETER_TEXT,  1, 200, NULL, NULL,  "id = any((select api.search_addresses($))::uuid[])", NULL },
	{ "mode",      PARAMETER_ENUM,  0, 0,   NULL, modes, "mode = $",        NULL },
	PARAMETERS_END,
};

static const struct parameter events_parameters[] = {
	LIST_PARAMETERS(PARAMETER_AFTER, "(created_at, id) < ($, $)"),
	{ "shipment_id", PARAMETER_UUID, 0, 0,  NULL, NULL, "shipment_id = $", PARAMETER_FEW },
	{ "tracking_code", PARAMETER_TEXT, 4, 64, NULL, NULL, "tracking_code = $", PARAMETER_FEW },
	{ "status",    PARAMETER_TEXT,  1, 64,  NULL, NULL, "status = $",        NULL },
	{ "mode",      PARAMETER_ENUM,  0, 0,   NULL, modes, "mode = $",         NULL },
	{ "date_from", PARAMETER_TIME,  0, 0,   NULL, NULL, "created_at >= $",   "" },
	{ "date_to",   PARAMETER_UNTIL, 0, 0,   NULL, NULL, "created_at < $",    "" },
	PARAMETERS_END,
};

static const struct parameter batches_parameters[] = {
	LIST_PARAMETERS(PARAMETER_AFTER, "(created_at, id) < ($, $)"),
	{ "status",    PARAMETER_TEXT,  1, 64,  NULL, NULL,  "status = $",      NULL },
	{ "operation_type", PARAMETER_TEXT, 1, 64, NULL, NULL, "operation_type = $", NULL },
	{ "mode",      PARAMETER_ENUM,  0, 0,   NULL, modes, "mode = $",        NULL },
	{ "date_from", PARAMETER_TIME,  0, 0,   NULL, NULL,  "created_at >= $", "" },
	{ "date_to",   PARAMETER_UNTIL, 0, 0,   NULL, NULL,  "created_at < $",  "" },
	PARAMETERS_END,
};

/* What follows goes by ids that begin with the time of their row, so that old
 * partitions are not even looked at. */
static const struct parameter activities_parameters[] = {
	LIST_PARAMETERS(PARAMETER_AFTER_ID, "id < $"),
	{ "user_id",   PARAMETER_TEXT,  1, 64,  NULL, NULL, "user_id = $",       NULL },
	{ "action",    PARAMETER_TEXT,  1, 64,  NULL, NULL, "action = $",        NULL },
	{ "resource",  PARAMETER_TEXT,  1, 64,  NULL, NULL, "resource = $",      NULL },
	{ "method",    PARAMETER_TEXT,  1, 16,  NULL, NULL, "method = $",        NULL },
	{ "status_code", PARAMETER_INT, 100, 599, NULL, NULL, "status_code = $", NULL },
	{ "request_id", PARAMETER_TEXT, 1, 64,  NULL, NULL, "request_id = $",    NULL },
	{ "date_from", PARAMETER_TIME,  0, 0,   NULL, NULL, "id >= api.first_id($)", "" },
	{ "date_to",   PARAMETER_UNTIL, 0, 0,   NULL, NULL, "id < api.first_id($)", "" },
	PARAMETERS_END,
};

static const struct parameter webhooks_parameters[] = {
	LIST_PARAMETERS(PARAMETER_AFTER_ID, "id < $"),
	{ "description", PARAMETER_TEXT, 1, 64, NULL, NULL,  "description = $", NULL },
	{ "state",     PARAMETER_ENUM,  0, 0,   NULL, "applied kept failed", "state = $", NULL },
	{ "object_id", PARAMETER_TEXT,  1, 64,  NULL, NULL,  "object_id = $", PARAMETER_FEW },
	{ "mode",      PARAMETER_ENUM,  0, 0,   NULL, modes, "mode = $",        NULL },
	{ "date_from", PARAMETER_TIME,  0, 0,   NULL, NULL,  "id >= api.first_id($)", "" },
	{ "date_to",   PARAMETER_UNTIL, 0, 0,   NULL, NULL,  "id < api.first_id($)", "" },
	PARAMETERS_END,
};

static const struct parameter items_parameters[] = {
	LIST_PARAMETERS(PARAMETER_AFTER_ID, "id < $"),
	{ "batch_id",  PARAMETER_TEXT,  1, 64,  NULL, NULL,  "batch_id = $",  "" },
	{ "status",    PARAMETER_ENUM,  0, 0,   NULL, "pending sending in_doubt success failed not_sent", "status = $", NULL },
	PARAMETERS_END,
};

static const struct parameter completeness_parameters[] = {
	LIST_PARAMETERS(PARAMETER_AFTER, "(begins_at, id) < ($, $)"),
	{ "object",    PARAMETER_ENUM,  0, 0,   NULL, "shipment tracker address refund event", "object = $", NULL },
	{ "mode",      PARAMETER_ENUM,  0, 0,   NULL, modes, "mode = $",        NULL },
	{ "is_complete", PARAMETER_ENUM, 0, 0,  NULL, "true false", "is_complete = $", NULL },
	{ "date_from", PARAMETER_TIME,  0, 0,   NULL, NULL,  "begins_at >= $", "" },
	{ "date_to",   PARAMETER_UNTIL, 0, 0,   NULL, NULL,  "begins_at < $",  "" },
	PARAMETERS_END,
};

/* What is ready in the row and what is told apart from it; the other columns of
 * these views are there to be asked for. */
#define LISTED_SHIPMENT "id, created_at, \"...\", adjustment, "               \
	"adjustment_count, extra_metadata, from_address, to_address, parcel"
#define WHOLE_SHIPMENT LISTED_SHIPMENT ", return_address, buyer_address, "   \
	"customs_info, from_address_id, to_address_id, return_address_id, "    \
	"buyer_address_id, parcel_id, customs_info_id, rates, events"

/*                                     view                   columns          of CSV                      plural */
static const struct list failed =     { "api.shipments",        LISTED_SHIPMENT ", updated_at", "api.shipments_flat", "shipments",    "updated_at", failed_parameters, false, "failed", NULL };
static const struct list late =       { "api.shipments",        LISTED_SHIPMENT ", promised_at", "api.shipments_flat", "shipments",   "promised_at", late_parameters, true, "late", &failed };
static const struct list shipments =  { "api.shipments",        LISTED_SHIPMENT, "api.shipments_flat",       "shipments",        "created_at", shipments_parameters, false, NULL, &late };
static const struct list addresses =  { "api.addresses",        "*",             "api.addresses_flat",       "addresses",        "created_at", addresses_parameters, false, NULL, NULL };
static const struct list events =     { "api.events",           "*",             "api.events",               "events",           "created_at", events_parameters, false, NULL, NULL };
static const struct list batches =    { "api.batch_operations", "*",             "api.batch_operations",     "batch_operations", "created_at", batches_parameters, false, NULL, NULL };
static const struct list activities = { "api.user_activity",    "*",             "api.user_activity",        "user_activities",  NULL,         activities_parameters, false, NULL, NULL };
static const struct list webhooks =   { "api.webhooks",         "*",             "api.webhooks",             "webhooks",         NULL,         webhooks_parameters, false, NULL, NULL };
static const struct list items =      { "api.bulk_items",       "*",             "api.bulk_items",           "bulk_items",       NULL,         items_parameters, false, NULL, NULL };
static const struct list completeness = { "api.completeness",   "*",             "api.completeness",         "days",             "begins_at",  completeness_parameters, false, NULL, NULL };

#define SHIPMENT_ID "a UUID, an EasyPost id (shp_...) or a tracking code of " \
	"4 to 64 letters, digits and hyphens"
#define WEBHOOK_ID "a UUID or an EasyPost id (evt_...)"
#define ADDRESS_ID "a UUID or an EasyPost id (adr_...)"

static const struct read shipment = {
	"api.shipment", WHOLE_SHIPMENT,
	{ [READ_UUID] = "api.shipment where id = $1",
	  [READ_EASYPOST_ID] = "api.shipment where easypost_id = $1",
	  /* the newest; offset 0: looked up by the code, never along the dates,
	   * whatever the statistics say */
	  [READ_CODE] = "(select * from api.shipment"
			" where tracking_code = $1 offset 0) s"
			" order by created_at desc, id desc limit 1" },
	SHIPMENT_ID
};
static const struct read address = {
	"api.addresses", "*",
	{ [READ_UUID] = "api.addresses where id = $1",
	  [READ_EASYPOST_ID] = "api.addresses where easypost_id = $1" },
	ADDRESS_ID
};
static const struct read batch = {
	"api.batch_operation", "*",
	{ [READ_UUID] = "api.batch_operation where id = $1",
	  [READ_EASYPOST_ID] = "api.batch_operation where batch_id = $1" },
	"a UUID or an EasyPost id (batch_...)"
};
static const struct read webhook = {
	"api.webhook", "*",
	{ [READ_UUID] = "api.webhook where id = $1",
	  [READ_EASYPOST_ID] = "api.webhook where id = api.find_event($1)" },
	"a UUID or an EasyPost id (evt_...)"
};

static const struct write shipment_new = {
	"api.insert_shipments", "api.shipment", WHOLE_SHIPMENT, &form_shipment,
	"shipments", "/db/shipments/", NULL
};
static const struct write shipment_patch = {
	"api.amend_shipment", "api.shipment", WHOLE_SHIPMENT,
	&form_shipment_patch, NULL, NULL, SHIPMENT_ID
};
static const struct write shipment_end = {
	"api.remove_shipment", NULL, NULL, NULL, NULL, NULL, SHIPMENT_ID
};
static const struct write address_new = {
	"api.insert_addresses", "api.addresses", "*", &form_address,
	"addresses", "/db/addresses/", NULL
};
static const struct write address_patch = {
	"api.amend_address", "api.addresses", "*", &form_address_patch, NULL,
	NULL, ADDRESS_ID
};
static const struct write address_end = {
	"api.remove_address", NULL, NULL, NULL, NULL, NULL, ADDRESS_ID
};

/* The page asks for it each second: what is ready is had without the function, which
 * costs more than to read it.  When no mode is named production counts, if it has
 * shipments, as in api.dashboard. */
#define READY_OR_NOW "select coalesce((select r.body from api.ready_dashboards r" \
	" where r.mode = coalesce($2, 'production') and r.days = $1" \
	" and ($2 is not null or r.has_shipments)), api.dashboard($1, $2)) as dashboard"

/*                                             JSON                       rows for CSV         ready */
static const struct figures dashboard =       { "api.dashboard",           "api.daily_figures", READY_OR_NOW };
static const struct figures analytics =       { "api.analytics",           "api.daily_figures", NULL };
static const struct figures stats =           { "api.stats",               "api.stats_rows",    NULL };
static const struct figures carrier_figures = { "api.carrier_performance", "api.carrier_rows",  NULL };

static const struct write batch_cancel = {
	"api.cancel_bulk", NULL, NULL, NULL, NULL, NULL,
	"a UUID or the id of a bulk call (bulk_...)"
};
static const struct write webhook_replay = {
	"api.replay_webhook", NULL, NULL, NULL, NULL, NULL, WEBHOOK_ID
};

/* A pattern with several handlers has a line for each. */
static const struct route {
	int methods;
	const char *pattern;
	enum pool_id pool;
	enum guard_scope scope;
	void (*handle)(struct request *, const void *data);
	const void *data;
} routes[] = {
	{ M_ANY,  "/v2/*",              POOL_UPSTREAM, GUARD_PROXY, proxy_handle,    NULL },
	{ M_ANY,  "/beta/*",            POOL_UPSTREAM, GUARD_PROXY, proxy_handle,    NULL },
	{ M_POST, "/webhooks/easypost", POOL_WEBHOOK,  GUARD_OPEN,  webhook_handle,  NULL },
	{ M_READ, "/db/shipments",      POOL_READ,     GUARD_READ,  read_list,       &shipments },
	{ M_READ, "/db/shipments/{id}", POOL_READ,     GUARD_READ,  read_one,        &shipment },
	{ M_READ, "/db/addresses",      POOL_READ,     GUARD_READ,  read_list,       &addresses },
	{ M_READ, "/db/addresses/{id}", POOL_READ,     GUARD_READ,  read_one,        &address },
	{ M_READ, "/db/events",         POOL_READ,     GUARD_READ,  read_list,       &events },
	{ M_READ, "/db/batch-operations",      POOL_READ, GUARD_READ, read_list,     &batches },
	{ M_READ, "/db/batch-operations/{id}", POOL_READ, GUARD_READ, read_one,      &batch },
	{ M_POST, "/db/batch-operations/{id}/cancel", POOL_READ, GUARD_WRITE, write_act, &batch_cancel },
	{ M_READ, "/db/bulk-items",     POOL_READ,     GUARD_READ,  read_list,       &items },
	{ M_READ, "/db/completeness",   POOL_READ,     GUARD_READ,  read_list,       &completeness },
	{ M_READ, "/db/analytics/dashboard",   POOL_READ, GUARD_READ, figures_read,  &dashboard },
	{ M_READ, "/analytics",         POOL_READ,     GUARD_READ,  figures_read,    &analytics },
	{ M_READ, "/stats",             POOL_READ,     GUARD_READ,  figures_read,    &stats },
	{ M_READ, "/carrier-performance",      POOL_READ, GUARD_READ, figures_read,  &carrier_figures },
	{ M_READ, "/db/user-activity",  POOL_READ,     GUARD_READ,  read_list,       &activities },
	{ M_READ, "/db/webhooks",       POOL_READ,     GUARD_READ,  read_list,       &webhooks },
	{ M_READ, "/db/webhooks/{id}",  POOL_READ,     GUARD_READ,  read_one,        &webhook },
	{ M_POST, "/shipments/batch-track", POOL_READ, GUARD_READ,  track_batch,     NULL },
	{ M_POST, "/rates",             POOL_UPSTREAM, GUARD_WRITE, simple_rates,    NULL },
	{ M_READ, "/shipments",         POOL_UPSTREAM, GUARD_READ,  simple_list,     NULL },
	{ M_POST, "/shipments",         POOL_UPSTREAM, GUARD_WRITE, simple_create,   NULL },
	{ M_POST, "/bulk-shipments",    POOL_UPSTREAM, GUARD_WRITE, bulk_create,     NULL },
	{ M_POST, "/shipments/buy",     POOL_UPSTREAM, GUARD_WRITE, purchase_create, NULL },
	{ M_POST, "/shipments/{id}/buy",    POOL_UPSTREAM, GUARD_WRITE, purchase_buy,    NULL },
	{ M_POST, "/shipments/{id}/refund", POOL_UPSTREAM, GUARD_WRITE, purchase_refund, NULL },
	{ M_READ, "/shipments/{id}",    POOL_UPSTREAM, GUARD_READ,  simple_one,      NULL },
	{ M_READ, "/tracking/{id}",     POOL_UPSTREAM, GUARD_READ,  tracking_handle, NULL },
	{ M_POST,   "/db/shipments",      POOL_READ, GUARD_WRITE, write_insert, &shipment_new },
	{ M_PATCH,  "/db/shipments/{id}", POOL_READ, GUARD_WRITE, write_amend,  &shipment_patch },
	{ M_DELETE, "/db/shipments/{id}", POOL_READ, GUARD_WRITE, write_act, &shipment_end },
	{ M_POST,   "/db/addresses",      POOL_READ, GUARD_WRITE, write_insert, &address_new },
	{ M_PATCH,  "/db/addresses/{id}", POOL_READ, GUARD_WRITE, write_amend,  &address_patch },
	{ M_DELETE, "/db/addresses/{id}", POOL_READ, GUARD_WRITE, write_act, &address_end },
	{ M_POST,   "/db/webhooks/{id}/replay", POOL_READ, GUARD_WRITE, write_act, &webhook_replay },
	{ M_POST,   "/dashboard/session", POOL_READ, GUARD_OPEN, session_begin, NULL },
	{ M_READ,   "/dashboard/session", POOL_READ, GUARD_OPEN, session_show,  NULL },
	{ M_DELETE, "/dashboard/session", POOL_READ, GUARD_OPEN, session_end,   NULL },
	{ M_READ, "/health",            POOL_READ,     GUARD_READ,  health_all,      NULL },
	{ M_READ, "/health/database",   POOL_READ,     GUARD_READ,  health_database, NULL },
	{ M_READ, "/metrics",           POOL_READ,     GUARD_READ,  metrics_handle,  NULL },
	{ M_READ, "/livez",             POOL_READ,     GUARD_OPEN,  health_live,     NULL },
	{ M_READ, "/readyz",            POOL_READ,     GUARD_OPEN,  health_ready,    NULL },
};

/* clang-format on */

enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };

const char *
route_pattern(int line)
{
	return line < ROUTES ? routes[line].pattern : NULL;
}

enum pool_id
route_pool(int line)
{
	return routes[line].pool;
}

/* The bit of the method, or 0 when it is none that we know. */
static int
method_bit(const char *name)
{
	for (int i = 0; i < METHODS; i++)
		if (strcmp(name, methods[i]) == 0)
			return 1 << i;
	return 0;
}

/* The line of the path's pattern, which is the first that fits it, and the method;
 * else the first of that pattern; else NULL. */
static const struct route *
find_route(const struct request *rq, struct pattern_argument *argument)
{
	const struct route *found = NULL;
	int method = method_bit(rq->method);

	for (int i = 0; i < ROUTES; i++) {
		const struct route *route = &routes[i];
		bool is_fit = (route->methods & method) != 0;
		bool is_here = found == NULL
		    ? pattern_match(route->pattern, rq->path, argument)
		    : strcmp(route->pattern, found->pattern) == 0;

		if (!is_here || (found != NULL && !is_fit))
			continue;
		found = route;
		if (is_fit)
			break;
	}
	return found;
}

/* The methods of all lines with the pattern. */
static int
methods_of(const char *pattern)
{
	int methods_found = 0;

	for (int i = 0; i < ROUTES; i++)
		if (strcmp(routes[i].pattern, pattern) == 0)
			methods_found |= routes[i].methods;
	return methods_found;
}

/* "GET, HEAD" */
static void
list_methods(int bits, char list[METHODS_BYTES])
{
	size_t length = 0;

	*list = '\0';
	for (int i = 0; i < METHODS; i++) {
		if ((bits & 1 << i) == 0)
			continue;
		(void)snprintf(list + length, METHODS_BYTES - length, "%s%s",
		    length == 0 ? "" : ", ", methods[i]);
		length = strlen(list);
	}
}

static void
refuse_method(struct request *rq)
{
	char allowed[METHODS_BYTES];
	char message[128];
	const struct request_header allow = { "Allow", allowed };

	list_methods(methods_of(rq->route), allowed);
	(void)snprintf(message, sizeof(message),
	    "This method is not allowed here; allowed: %s.", allowed);
	response_refuse_with(rq,
	    &(struct response_refusal){ .status = 405,
		.code = "METHOD.NOT_ALLOWED",
		.message = message,
		.headers = &allow,
		.header_count = 1 });
}

/* The route to take, or NULL when the request has been refused. */
static const struct route *
choose_route(struct request *rq)
{
	struct pattern_argument argument;
	const struct route *route = find_route(rq, &argument);

	if (route != NULL && route->pool != pool_id(rq->service->pool)) {
		log_event(LOG_WARNING, "route.other_pool",
		    LOG_TEXT("request_id", rq->id),
		    LOG_TEXT("route", route->pattern),
		    LOG_TEXT("belongs_to", pools[route->pool].name),
		    LOG_TEXT("came_to", rq->service->pool->name));
		route = NULL;
	}
	if (route == NULL) {
		response_refuse(
		    rq, 404, "NOT_FOUND", NULL, "There is nothing here.");
		return NULL;
	}
	rq->route = route->pattern;
	if (argument.bytes > 0)
		rq->argument =
		    arena_copy(rq->arena, argument.text, argument.bytes);
	if ((route->methods & method_bit(rq->method)) == 0) {
		refuse_method(rq);
		return NULL;
	}
	return route;
}

/* What changes how a write is to be read or done, and what nobody here does: so
 * it may not be passed over in silence.  False when the request was refused. */
static bool
check_headers(struct request *rq, const struct route *route)
{
	const char *encoding = request_header(rq, "HTTP_CONTENT_ENCODING");
	bool is_ours =
	    route->scope != GUARD_OPEN && route->scope != GUARD_PROXY;

	if (!is_ours || (method_bit(rq->method) & M_READ) != 0)
		return true;
	if (encoding != NULL && strcasecmp(encoding, "identity") != 0)
		response_refuse(rq, 415, "MEDIA_TYPE.UNSUPPORTED", NULL,
		    "A body has to come as it is, without Content-Encoding.");
	else if (request_header(rq, "HTTP_IF_MATCH") != NULL ||
	    request_header(rq, "HTTP_IF_UNMODIFIED_SINCE") != NULL)
		response_refuse(rq, 412, "PRECONDITION.FAILED", NULL,
		    "Writes know no conditions: nothing was done.  Send it "
		    "without If-Match and If-Unmodified-Since.");
	else
		return true;
	return false;
}

void
route_request(struct request *rq)
{
	const struct route *route;

	if (request_has_doubled_header(rq)) {
		response_refuse(rq, 400, "HEADER.REPEATED", NULL,
		    "A header that may come once came more than once.");
		return;
	}
	route = choose_route(rq);
	if (route != NULL && guard_admit(rq, route->scope) &&
	    check_headers(rq, route))
		route->handle(rq, route->data);
}

void
route_print(FILE *out)
{
	static const char *const scopes[] = {
		/* clang-format off */
		[GUARD_OPEN]  = "none",
		[GUARD_READ]  = "read",
		[GUARD_WRITE] = "write",
		[GUARD_ADMIN] = "admin",
		[GUARD_PROXY] = "proxy",
		/* clang-format on */
	};
	char list[METHODS_BYTES];

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		list_methods(routes[i].methods, list);
		(void)fprintf(out, "%s\t%s\t%s\t%s\n", routes[i].pattern,
		    pools[routes[i].pool].name, scopes[routes[i].scope], list);
	}
}
