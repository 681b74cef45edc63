/*
 * The recording proxy: /v2 and /beta, any verb, to EasyPost and back.
 */
#ifndef WAYBILL_PROXY_H
#define WAYBILL_PROXY_H

#include "fcgi/request.h"

/* Handler for the route table.  Answers with EasyPost's status and bytes; the
 * record of a write is durable before the answer.  What the gateway itself
 * refuses has EasyPost's envelope. */
void proxy_handle(struct request *, const void *unused);

#endif
