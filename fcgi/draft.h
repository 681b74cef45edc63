/*
 * The shipment that a body describes: its fields, and its bytes for EasyPost.
 */
#ifndef WAYBILL_DRAFT_H
#define WAYBILL_DRAFT_H

#include "fcgi/body.h"
#include "shared/buf.h"

/* What a shipment may be made of; a table that goes on behind others. */
extern const struct body_field draft_fields[];

/* And what may be said when one is made: with a service EasyPost buys at once. */
extern const struct body_field draft_create_fields[];

/* True when EasyPost would buy this shipment at once. */
bool draft_buys(const struct json *shipment);

/* A carrier without a service means nothing; `path` as of body_look(). */
void draft_look_at_service(
    struct body_check *, const struct json *shipment, const char *path);

/* What a route takes: fields of the shipment, and fields beside it.  Not wrapped,
 * all of them stand side by side. */
struct draft_shape {
	const struct body_field *shipment;
	const struct body_field *beside; /* begins with `shipment` itself */
	const struct body_field *together;
};

/* Looks through the body, wrapped ({"shipment":{...}}) or not. */
void draft_look(
    struct body_check *, const struct json *body, const struct draft_shape *);

/* The object that has the shipment's fields. */
const struct json *draft_shipment(const struct json *body);

/* Appends {"shipment":...} for EasyPost with the very bytes of the body, which
 * fit into DRAFT_SENT_MAX. */
void draft_write(struct buf *, const struct request *, const struct json *body,
    const struct draft_shape *);

/* Reads the body and checks that it is a shipment and nothing else.  NULL when
 * the request has been refused; the caller gives it back with json_free(). */
struct json *draft_read(struct request *, const struct draft_shape *);

/* False, and refused, when the route's {id} is not a shipment's. */
bool draft_check_id(struct request *);

enum {
	DRAFT_BODY_MAX = 1024 * 1024,
	DRAFT_SENT_MAX = 2 * DRAFT_BODY_MAX, /* with its wrapper */
};

#endif
