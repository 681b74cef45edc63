/*
 * What people write: their own shipments and addresses.
 */
#ifndef WAYBILL_WRITE_H
#define WAYBILL_WRITE_H

#include "fcgi/form.h"
#include "fcgi/request.h"

struct write {
	const char *function; /* of the database, which writes */
	const char *view;     /* as which reads show one: "api.shipment" */
	const char *columns;  /* of the view: "*" */
	const struct form *form;
	const char *plural;    /* of a list: "shipments" */
	const char *location;  /* what a new one's id is put behind */
	const char *reference; /* what {id} may be */
};

/* Handlers for routes whose data is a struct write: an object or an array of
 * them, all of it or nothing; a merge patch of one; what needs no body, as a soft
 * deletion or a replay. */
void write_insert(struct request *, const void *data);
void write_amend(struct request *, const void *data);
void write_act(struct request *, const void *data);

#endif
