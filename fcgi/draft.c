/*
 * Shipments as EasyPost documents their creation.
 *
 * What must stay true: nothing here that EasyPost would take for a purchase
 * (service with carrier_accounts): whoever allows that says so in a table of its
 * own.
 */
#include "fcgi/draft.h"
#include "fcgi/parameter.h"
#include "fcgi/response.h"

enum {
	LINE = 255, /* characters of a line of text; labels have fewer */
	LONG_TEXT = 1000,
	ITEMS = 100,   /* of a customs form */
	ACCOUNTS = 60, /* EasyPost rates with no more */
	TAX_IDS = 20,
	QUANTITY = 1000000,
};

/* clang-format off */
static const struct body_field address_fields[] = {
	{ "object",           BODY_TEXT,     false, LINE, NULL, NULL },
	{ "id",               BODY_ANYTHING, false, 0,    NULL, NULL },
	{ "mode",             BODY_TEXT,     false, LINE, NULL, NULL },
	{ "name",             BODY_TEXT,     false, LINE, NULL, NULL },
	{ "company",          BODY_TEXT,     false, LINE, NULL, NULL },
	{ "street1",          BODY_TEXT,     false, LINE, NULL, NULL },
	{ "street2",          BODY_TEXT,     false, LINE, NULL, NULL },
	{ "city",             BODY_TEXT,     false, LINE, NULL, NULL },
	{ "state",            BODY_TEXT,     false, LINE, NULL, NULL },
	{ "zip",              BODY_TEXT,     false, 32,   NULL, NULL },
	{ "country",          BODY_COUNTRY,  false, 0,    NULL, NULL },
	{ "phone",            BODY_TEXT,     false, 64,   NULL, NULL },
	{ "email",            BODY_TEXT,     false, LINE, NULL, NULL },
	{ "residential",      BODY_TRUTH,    false, 0,    NULL, NULL },
	{ "carrier_facility", BODY_TEXT,     false, LINE, NULL, NULL },
	{ "federal_tax_id",   BODY_TEXT,     false, LINE, NULL, NULL },
	{ "state_tax_id",     BODY_TEXT,     false, LINE, NULL, NULL },
	{ "verify",           BODY_ANYTHING, false, 0,    NULL, NULL },
	{ "verify_strict",    BODY_ANYTHING, false, 0,    NULL, NULL },
	{ "verify_carrier",   BODY_TEXT,     false, LINE, NULL, NULL },
	{ NULL,               BODY_TEXT,     false, 0,    NULL, NULL },
};

static const struct body_field parcel_fields[] = {
	{ "object",             BODY_TEXT,     false, LINE, NULL, NULL },
	{ "id",                 BODY_ANYTHING, false, 0,    NULL, NULL },
	{ "mode",               BODY_TEXT,     false, LINE, NULL, NULL },
	{ "length",             BODY_MEASURE,  false, 0,    NULL, NULL },
	{ "width",              BODY_MEASURE,  false, 0,    NULL, NULL },
	{ "height",             BODY_MEASURE,  false, 0,    NULL, NULL },
	{ "weight",             BODY_MEASURE,  true,  0,    NULL, NULL },
	{ "predefined_package", BODY_TEXT,     false, LINE, NULL, NULL },
	{ NULL,                 BODY_TEXT,     false, 0,    NULL, NULL },
};

static const struct body_field item_fields[] = {
	{ "object",           BODY_TEXT,     false, LINE,      NULL, NULL },
	{ "id",               BODY_ANYTHING, false, 0,         NULL, NULL },
	{ "mode",             BODY_TEXT,     false, LINE,      NULL, NULL },
	{ "description",      BODY_TEXT,     true,  LINE,      NULL, NULL },
	{ "quantity",         BODY_WHOLE,    true,  QUANTITY,  NULL, NULL },
	{ "weight",           BODY_MEASURE,  true,  0,         NULL, NULL },
	{ "value",            BODY_AMOUNT,   true,  0,         NULL, NULL },
	{ "hs_tariff_number", BODY_TEXT,     false, 32,        NULL, NULL },
	{ "origin_country",   BODY_COUNTRY,  false, 0,         NULL, NULL },
	{ "code",             BODY_TEXT,     false, LINE,      NULL, NULL },
	{ "manufacturer",     BODY_TEXT,     false, LINE,      NULL, NULL },
	{ "currency",         BODY_TEXT,     false, 3,         NULL, NULL },
	{ "eccn",             BODY_TEXT,     false, LINE,      NULL, NULL },
	{ "printed_commodity_identifier",
	                      BODY_TEXT,     false, LINE,      NULL, NULL },
	{ NULL,               BODY_TEXT,     false, 0,         NULL, NULL },
};

static const struct body_field customs_fields[] = {
	{ "object",               BODY_TEXT,     false, LINE,      NULL,       NULL },
	{ "id",                   BODY_ANYTHING, false, 0,         NULL,       NULL },
	{ "mode",                 BODY_TEXT,     false, LINE,      NULL,       NULL },
	{ "contents_type",        BODY_TEXT,     false, LINE,      NULL,       NULL },
	{ "contents_explanation", BODY_TEXT,     false, LONG_TEXT, NULL,       NULL },
	{ "customs_certify",      BODY_TRUTH,    false, 0,         NULL,       NULL },
	{ "customs_signer",       BODY_TEXT,     false, LINE,      NULL,       NULL },
	{ "non_delivery_option",  BODY_TEXT,     false, LINE,      NULL,       NULL },
	{ "restriction_type",     BODY_TEXT,     false, LINE,      NULL,       NULL },
	{ "restriction_comments", BODY_TEXT,     false, LONG_TEXT, NULL,       NULL },
	{ "eel_pfc",              BODY_TEXT,     false, LINE,      NULL,       NULL },
	{ "declaration",          BODY_TEXT,     false, LONG_TEXT, NULL,       NULL },
	{ "customs_items",        BODY_LIST,     true,  ITEMS,     "cstitem_", item_fields },
	{ NULL,                   BODY_TEXT,     false, 0,         NULL,       NULL },
};

static const struct body_field tax_fields[] = {
	{ "entity",          BODY_TEXT,    true,  LINE, NULL, NULL },
	{ "tax_id",          BODY_TEXT,    true,  LINE, NULL, NULL },
	{ "tax_id_type",     BODY_TEXT,    true,  LINE, NULL, NULL },
	{ "issuing_country", BODY_COUNTRY, false, 0,    NULL, NULL },
	{ NULL,              BODY_TEXT,    false, 0,    NULL, NULL },
};

/* Only by their ids. */
static const struct body_field account_fields[] = {
	{ "id", BODY_ID,   true,  0, "ca_", NULL },
	{ NULL, BODY_TEXT, false, 0, NULL,  NULL },
};

const struct body_field draft_fields[] = {
	{ "to_address",       BODY_OBJECT, true,  0,        "adr_",     address_fields },
	{ "from_address",     BODY_OBJECT, true,  0,        "adr_",     address_fields },
	{ "return_address",   BODY_OBJECT, false, 0,        "adr_",     address_fields },
	{ "buyer_address",    BODY_OBJECT, false, 0,        "adr_",     address_fields },
	{ "parcel",           BODY_OBJECT, true,  0,        "prcl_",    parcel_fields },
	{ "customs_info",     BODY_OBJECT, false, 0,        "cstinfo_", customs_fields },
	{ "options",          BODY_OBJECT, false, 0,        NULL,       NULL },
	{ "reference",        BODY_TEXT,   false, LINE,     NULL,       NULL },
	{ "carrier_accounts", BODY_LIST,   false, ACCOUNTS, "ca_",      account_fields },
	{ "is_return",        BODY_TRUTH,  false, 0,        NULL,       NULL },
	{ "tax_identifiers",  BODY_LIST,   false, TAX_IDS,  NULL,       tax_fields },
	{ NULL,               BODY_TEXT,   false, 0,        NULL,       NULL },
};

const struct body_field draft_create_fields[] = {
	{ "service",   BODY_TEXT,   false, LINE, NULL, NULL },
	{ "carrier",   BODY_TEXT,   false, LINE, NULL, NULL },
	{ "insurance", BODY_AMOUNT, false, 0,    NULL, NULL },
	{ NULL,        BODY_TEXT,   false, 0,    NULL, draft_fields },
};

/* clang-format on */

bool
draft_buys(const struct json *shipment)
{
	return json_text(json_member(shipment, "service")) != NULL;
}

void
draft_look_at_service(
    struct body_check *check, const struct json *shipment, const char *path)
{
	if (json_text(json_member(shipment, "carrier")) != NULL &&
	    !draft_buys(shipment))
		body_flaw(check,
		    arena_printf(check->arena, "%s%scarrier", path,
			*path == '\0' ? "" : "."),
		    "may be given with service only.");
}

static bool
is_wrapped(const struct json *body)
{
	return json_kind(json_member(body, "shipment")) != JSON_KIND_NONE;
}

const struct json *
draft_shipment(const struct json *body)
{
	return is_wrapped(body) ? json_member(body, "shipment") : body;
}

void
draft_look(struct body_check *check, const struct json *body,
    const struct draft_shape *shape)
{
	const struct json *shipment = draft_shipment(body);

	if (!is_wrapped(body)) {
		body_look(check, body, "", shape->together);
		return;
	}
	body_look(check, body, "", shape->beside);
	if (json_kind(shipment) == JSON_KIND_OBJECT)
		body_look(check, shipment, "", shape->shipment);
	else
		body_flaw(check, "shipment", "must be an object.");
}

/* Appends "name":value with the value's bytes; there is one. */
static void
add_member(struct buf *out, const struct request *rq, const char *name)
{
	size_t bytes;
	const char *raw = json_raw(rq->body.data, rq->body.len, name, &bytes);

	(void)buf_addf(out, "\"%s\":", name);
	(void)buf_add(out, raw, bytes);
}

static void
add_members(struct buf *out, const struct request *rq, const struct json *body,
    const struct body_field *table)
{
	const struct body_field *row = body_row(table);
	const char *comma = "";

	(void)buf_add_string(out, "\"shipment\":{");
	for (; row != NULL; row = body_row(row + 1)) {
		if (json_kind(json_member(body, row->name)) == JSON_KIND_NONE)
			continue;
		(void)buf_add_string(out, comma);
		add_member(out, rq, row->name);
		comma = ",";
	}
	(void)buf_add_byte(out, '}');
}

void
draft_write(struct buf *out, const struct request *rq, const struct json *body,
    const struct draft_shape *shape)
{
	(void)buf_add_byte(out, '{');
	if (is_wrapped(body))
		add_member(out, rq, "shipment");
	else
		add_members(out, rq, body, shape->shipment);
	(void)buf_add_byte(out, '}');
}

struct json *
draft_read(struct request *rq, const struct draft_shape *shape)
{
	struct body_check *check = body_check_new(rq->arena);
	struct json *body;

	if (!body_read(rq, DRAFT_BODY_MAX, false, &body))
		return NULL;
	draft_look(check, body, shape);
	if (body_is_good(rq, check))
		return body;
	json_free(body);
	return NULL;
}

bool
draft_check_id(struct request *rq)
{
	return body_is_id(rq->argument, "shp_") ||
	    parameter_refuse(rq, "id", "a shipment's id: shp_...");
}
