/*
 * What people may write, as tables: the fields of shipments and addresses.
 *
 * Their names are those that reads show, and the columns' in the database.
 */
#ifndef WAYBILL_FORM_H
#define WAYBILL_FORM_H

#include "fcgi/fields.h"

/* A new one. */
extern const struct form form_shipment;
extern const struct form form_address;

/* What may be changed of one. */
extern const struct form form_shipment_patch;
extern const struct form form_address_patch;

#endif
