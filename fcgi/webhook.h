/*
 * POST /webhooks/easypost: signature, durable record, effect, 200.
 */
#ifndef WAYBILL_WEBHOOK_H
#define WAYBILL_WEBHOOK_H

#include "fcgi/request.h"

void webhook_handle(struct request *, const void *unused);

#endif
