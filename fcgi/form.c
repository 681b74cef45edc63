/*
 * The fields that people may write, and what they have to do with each other.
 *
 * What only the database can know (whether an id exists, what a patch ends in)
 * its functions check.  What must stay true: each field here is one that
 * api.insert_shipments and its like read by the same name.
 */
#include "fcgi/form.h"

#include <stddef.h>

static const char not_yours[] =
    "is not yours to set: EasyPost or this database does.";
static const char both_ways[] =
    "and its id exclude each other: send the address, or the id of one.";
static const char statuses[] =
    "unknown pre_transit in_transit out_for_delivery delivered "
    "available_for_pickup return_to_sender failure cancelled error";

/* clang-format off */
#define FIXED(name) { name, FIELD_FIXED, false, 0, 0, not_yours, NULL }

static const struct rule no_rules[] = {
	{ RULE_ONE_OF, NULL, NULL, NULL, NULL },
};

static const struct field address_fields[] = {
	{ "name",             FIELD_TEXT,     false, 1, 255, NULL, NULL },
	{ "company",          FIELD_TEXT,     false, 1, 255, NULL, NULL },
	{ "street1",          FIELD_TEXT,     true,  1, 255, NULL, NULL },
	{ "street2",          FIELD_TEXT,     false, 1, 255, NULL, NULL },
	{ "city",             FIELD_TEXT,     false, 1, 100, NULL, NULL },
	{ "state",            FIELD_TEXT,     false, 1, 64,  NULL, NULL },
	{ "zip",              FIELD_TEXT,     false, 1, 32,  NULL, NULL },
	{ "country",          FIELD_CAPITALS, true,  0, 2,   NULL, NULL },
	{ "phone",            FIELD_TEXT,     false, 1, 64,  NULL, NULL },
	{ "email",            FIELD_TEXT,     false, 1, 255, NULL, NULL },
	{ "is_residential",   FIELD_BOOL,     false, 0, 0,   NULL, NULL },
	{ "carrier_facility", FIELD_TEXT,     false, 1, 100, NULL, NULL },
	{ "federal_tax_id",   FIELD_TEXT,     false, 1, 64,  NULL, NULL },
	{ "state_tax_id",     FIELD_TEXT,     false, 1, 64,  NULL, NULL },
	FIXED("id"), FIXED("easypost_id"), FIXED("verifications"),
	FIXED("created_at"), FIXED("updated_at"), FIXED("deleted_at"),
	FIXED("usage_count"), FIXED("mode"),
	{ NULL,               FIELD_FIXED,    false, 0, 0,   NULL, NULL },
};

static const struct rule address_rules[] = {
	{ RULE_ONE_OF, "name company", NULL, NULL, "or company is required." },
	{ RULE_ONE_OF, NULL,           NULL, NULL, NULL },
};

const struct form form_address = { address_fields, address_rules };
const struct form form_address_patch = { address_fields, no_rules };

static const struct field parcel_fields[] = {
	{ "length",             FIELD_NUMBER, false, 0, 100000,  NULL, NULL },
	{ "width",              FIELD_NUMBER, false, 0, 100000,  NULL, NULL },
	{ "height",             FIELD_NUMBER, false, 0, 100000,  NULL, NULL },
	{ "weight",             FIELD_NUMBER, true,  0, 1000000, NULL, NULL },
	{ "predefined_package", FIELD_TEXT,   false, 1, 100,     NULL, NULL },
	{ NULL,                 FIELD_FIXED,  false, 0, 0,       NULL, NULL },
};

static const struct form parcel = { parcel_fields, no_rules };

/* What a new shipment has and a patch may change. */
#define SHIPMENT_FIELDS(status_is_required) \
	{ "reference",         FIELD_TEXT,     false, 1, 255, NULL, NULL }, \
	{ "extra_metadata",    FIELD_MAP,      false, 0, 0, NULL, NULL }, \
	{ "tracking_code",     FIELD_CODE,     false, 4, 64, NULL, NULL }, \
	{ "status",            FIELD_ENUM,     status_is_required, 0, 0, \
	    statuses, NULL }, \
	{ "carrier",           FIELD_TEXT,     false, 1, 64, NULL, NULL }, \
	{ "service",           FIELD_TEXT,     false, 1, 64, NULL, NULL }, \
	{ "base_cost",         FIELD_MONEY,    false, 0, 0, NULL, NULL }, \
	{ "total_cost",        FIELD_MONEY,    false, 0, 0, NULL, NULL }, \
	{ "currency",          FIELD_CAPITALS, false, 0, 3, NULL, NULL }, \
	{ "weight",            FIELD_NUMBER,   false, 0, 1000000, NULL, NULL }, \
	{ "delivery_days",     FIELD_COUNT,    false, 0, 365, NULL, NULL }, \
	{ "delivery_date",     FIELD_TIME,     false, 0, 0, NULL, NULL }, \
	{ "est_delivery_date", FIELD_TIME,     false, 0, 0, NULL, NULL }, \
	{ "purchased_at",      FIELD_TIME,     false, 0, 0, NULL, NULL }, \
	{ "delivered_at",      FIELD_TIME,     false, 0, 0, NULL, NULL }, \
	{ "signed_by",         FIELD_TEXT,     false, 1, 255, NULL, NULL }, \
	{ "batch_id",          FIELD_TEXT,     false, 1, 64, NULL, NULL }

/* What GET shows of a shipment and nobody sets. */
#define SHIPMENT_FIXED \
	FIXED("id"), FIXED("updated_at"), FIXED("deleted_at"), \
	FIXED("insurance"), FIXED("promised_at"), FIXED("is_return"), \
	FIXED("order_id"), FIXED("batch_status"), FIXED("refund_status"), \
	FIXED("parcel_id"), FIXED("customs_info_id"), FIXED("customs_info"), \
	FIXED("selected_rate_id"), FIXED("tracker_id"), FIXED("label_url"), \
	FIXED("rates"), FIXED("events")

static const struct field shipment_fields[] = {
	SHIPMENT_FIELDS(false),
	{ "easypost_id",       FIELD_ID,     false, 0, 0, "shp_", NULL },
	{ "mode",              FIELD_ENUM,   false, 0, 0, "test production", NULL },
	{ "created_at",        FIELD_TIME,   false, 0, 0, NULL, NULL },
	{ "from_address",      FIELD_OBJECT, false, 0, 0, NULL, &form_address },
	{ "to_address",        FIELD_OBJECT, false, 0, 0, NULL, &form_address },
	{ "return_address",    FIELD_OBJECT, false, 0, 0, NULL, &form_address },
	{ "buyer_address",     FIELD_OBJECT, false, 0, 0, NULL, &form_address },
	{ "from_address_id",   FIELD_KEY,    false, 0, 0, "adr_", NULL },
	{ "to_address_id",     FIELD_KEY,    false, 0, 0, "adr_", NULL },
	{ "return_address_id", FIELD_KEY,    false, 0, 0, "adr_", NULL },
	{ "buyer_address_id",  FIELD_KEY,    false, 0, 0, "adr_", NULL },
	{ "parcel",            FIELD_OBJECT, false, 0, 0, NULL, &parcel },
	SHIPMENT_FIXED,
	{ NULL,                FIELD_FIXED,  false, 0, 0, NULL, NULL },
};

static const struct rule shipment_rules[] = {
	{ RULE_ONE_OF, "tracking_code reference easypost_id", NULL, NULL,
	    "or reference or easypost_id is required, to find it by." },
	{ RULE_NOT_BOTH, "from_address",   "from_address_id",   NULL, both_ways },
	{ RULE_NOT_BOTH, "to_address",     "to_address_id",     NULL, both_ways },
	{ RULE_NOT_BOTH, "return_address", "return_address_id", NULL, both_ways },
	{ RULE_NOT_BOTH, "buyer_address",  "buyer_address_id",  NULL, both_ways },
	{ RULE_NEEDS, "base_cost total_cost", "currency", NULL,
	    "is required with a cost." },
	{ RULE_NEEDS, "delivered_at", "status", "delivered",
	    "must be delivered where delivered_at says when." },
	{ RULE_ONE_OF, NULL, NULL, NULL, NULL },
};

static const struct field shipment_patch_fields[] = {
	SHIPMENT_FIELDS(true),
	SHIPMENT_FIXED,
	FIXED("easypost_id"), FIXED("mode"), FIXED("created_at"),
	FIXED("from_address"), FIXED("to_address"), FIXED("return_address"),
	FIXED("buyer_address"), FIXED("from_address_id"),
	FIXED("to_address_id"), FIXED("return_address_id"),
	FIXED("buyer_address_id"), FIXED("parcel"),
	{ NULL,                FIELD_FIXED,  false, 0, 0, NULL, NULL },
};
/* clang-format on */

const struct form form_shipment = { shipment_fields, shipment_rules };
const struct form form_shipment_patch = { shipment_patch_fields, no_rules };
