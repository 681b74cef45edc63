/*
 * THE TABLE, and the straight line from a request to its handler.
 *
 * nginx sends each location to the socket of its pool; the table says which
 * pool serves what, so that a mistake there is a 404 with a line in the log,
 * never a handler in a process without its keys.
 */
#include "fcgi/route.h"
#include "fcgi/guard.h"
#include "fcgi/health.h"
#include "fcgi/pattern.h"
#include "fcgi/proxy.h"
#include "fcgi/read.h"
#include "fcgi/response.h"
#include "fcgi/webhook.h"
#include "shared/log.h"

#include <stdio.h>
#include <string.h>

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

enum { METHODS = sizeof(methods) / sizeof(methods[0]) };

/* Parameters stand in the order of the function's; a list's begin with the
 * same three (read.h). */
/* clang-format off */
static const struct parameter shipments_parameters[] = {
	{ "limit",     PARAMETER_INT,   1, 500,    "50", NULL },
	{ "offset",    PARAMETER_INT,   0, 100000, "0",  NULL },
	{ "after",     PARAMETER_AFTER, 0, 0,      NULL, NULL },
	{ "carrier",   PARAMETER_TEXT,  1, 64,     NULL, NULL },
	{ "service",   PARAMETER_TEXT,  1, 64,     NULL, NULL },
	{ "status",    PARAMETER_TEXT,  1, 64,     NULL, NULL },
	{ "date_from", PARAMETER_TIME,  0, 0,      NULL, NULL },
	{ "date_to",   PARAMETER_UNTIL, 0, 0,      NULL, NULL },
	{ "batch_id",  PARAMETER_TEXT,  1, 64,     NULL, NULL },
	{ "mode",      PARAMETER_ENUM,  0, 0,      NULL, "test production" },
	{ "reference", PARAMETER_TEXT,  1, 255,    NULL, NULL },
	{ NULL,        PARAMETER_TEXT,  0, 0,      NULL, NULL },
};

static const struct parameter addresses_parameters[] = {
	{ "limit",     PARAMETER_INT,   1, 500,    "50", NULL },
	{ "offset",    PARAMETER_INT,   0, 100000, "0",  NULL },
	{ "after",     PARAMETER_AFTER, 0, 0,      NULL, NULL },
	{ "country",   PARAMETER_TEXT,  2, 2,      NULL, NULL },
	{ "state",     PARAMETER_TEXT,  1, 64,     NULL, NULL },
	{ "city",      PARAMETER_TEXT,  1, 128,    NULL, NULL },
	{ NULL,        PARAMETER_TEXT,  0, 0,      NULL, NULL },
};

static const struct parameter no_parameters[] = {
	{ NULL,        PARAMETER_TEXT,  0, 0,      NULL, NULL },
};

static const struct read shipments = {
	"api.shipments", "api.shipments_total", "shipments",
	shipments_parameters
};
static const struct read shipment = {
	"api.shipment", NULL, NULL, no_parameters
};
static const struct read addresses = {
	"api.addresses", "api.addresses_total", "addresses",
	addresses_parameters
};

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
	{ M_READ, "/health",            POOL_READ,     GUARD_READ,  health_all,      NULL },
	{ M_READ, "/health/database",   POOL_READ,     GUARD_READ,  health_database, NULL },
	{ M_READ, "/livez",             POOL_READ,     GUARD_OPEN,  health_live,     NULL },
	{ M_READ, "/readyz",            POOL_READ,     GUARD_OPEN,  health_ready,    NULL },
};

/* clang-format on */

/* The bit of the method, or 0 when it is none that we know. */
static int
method_bit(const char *name)
{
	for (int i = 0; i < METHODS; i++)
		if (strcmp(name, methods[i]) == 0)
			return 1 << i;
	return 0;
}

static const struct route *
find_route(const char *path, struct pattern_argument *argument)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (pattern_match(routes[i].pattern, path, argument))
			return &routes[i];
	return NULL;
}

static void
refuse_method(struct request *rq, const struct route *route)
{
	char allowed[64] = "";
	char message[128];
	const struct request_header allow = { "Allow", allowed };
	size_t length = 0;

	for (int i = 0; i < METHODS; i++) {
		if ((route->methods & 1 << i) == 0)
			continue;
		(void)snprintf(allowed + length, sizeof(allowed) - length,
		    "%s%s", length == 0 ? "" : ", ", methods[i]);
		length = strlen(allowed);
	}
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
	const struct route *route = find_route(rq->path, &argument);

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
		refuse_method(rq, route);
		return NULL;
	}
	return route;
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
	if (route != NULL && guard_admit(rq, route->scope))
		route->handle(rq, route->data);
}
