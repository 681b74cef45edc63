/*
 * The recording proxy: /v2 and /beta, any verb, to EasyPost and back.
 */
#ifndef WAYBILL_PROXY_H
#define WAYBILL_PROXY_H

#include "fcgi/request.h"

void proxy_handle(struct request *, const void *unused);

#endif
