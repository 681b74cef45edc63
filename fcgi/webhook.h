/*
 * POST /webhooks/easypost: signature, durable record, effect, 200.
 */
#ifndef WAYBILL_WEBHOOK_H
#define WAYBILL_WEBHOOK_H

#include "fcgi/request.h"

/* Handler for the route table.  200 only when the event is committed or in the
 * spool; else 4xx or 503, and EasyPost sends it again. */
void webhook_handle(struct request *, const void *unused);

#endif
