/*
 * The gate before EasyPost: nothing but plain paths below the configured host.
 *
 * A path is relayed as it came, so it must mean the same to everybody who reads
 * it: no percent signs, no dots to climb with, no byte that a URL parser may
 * take for something else.
 */
#include "fcgi/target.h"
#include "fcgi/pattern.h"

#include <stddef.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "abcdefghijklmnopqrstuvwxyz"
			      "0123456789_.~:@-";

/* POSTs that may happen twice: nothing is bought, refunded or sent by them.
 * What EasyPost adds one day counts as spending until it is listed here.
 * Shipments, batches and orders are not here because one call may buy at once
 * (service and carrier_accounts given), trackers because each costs a fee. */
static const char *const harmless[] = {
	/* clang-format off */
	"/v2/addresses",
	"/v2/addresses/create_and_verify",
	"/v2/batches/{id}/add_shipments",
	"/v2/batches/{id}/label",
	"/v2/batches/{id}/remove_shipments",
	"/v2/customs_infos",
	"/v2/customs_items",
	"/v2/end_shippers",
	"/v2/events",
	"/v2/luma/promise",
	"/v2/parcels",
	"/v2/reports/{id}",
	"/v2/shipments/{id}/rerate",
	"/v2/smartrate/deliver_by",
	"/v2/smartrate/deliver_on",
	"/v2/webhooks",
	"/beta/rates",
	/* clang-format on */
};

bool
target_path_is_valid(const char *path)
{
	if (*path != '/')
		return false;
	while (*path == '/') {
		size_t bytes = strspn(++path, letters);

		if (bytes == 0 && *path != '\0')
			return false;
		if ((bytes == 1 && path[0] == '.') ||
		    (bytes == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += bytes;
	}
	return *path == '\0';
}

bool
target_query_is_valid(const char *query)
{
	for (; *query != '\0'; query++)
		if (*query <= ' ' || *query >= 0x7f || *query == '#')
			return false;
	return true;
}

bool
target_spends_money(const char *method, const char *path)
{
	/* EasyPost sells by POST only; its PUT, PATCH and DELETE change
	 * settings and come to the same when repeated. */
	if (strcmp(method, "POST") != 0)
		return false;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (pattern_match(harmless[i], path, NULL))
			return false;
	return true;
}
