/*
 * The cookie of a session.
 */
#ifndef WAYBILL_COOKIE_H
#define WAYBILL_COOKIE_H

#include "fcgi/request.h"

/* Only this host, only with TLS, every path (RFC 6265bis, 4.1.3.2). */
#define COOKIE_NAME "__Host-waybill"

enum { COOKIE_TOKEN_LENGTH = 44 }; /* 32 bytes in base64 */

/* The token in the request's cookies, zero-terminated, in memory of the arena; NULL
 * when there is none that could be one. */
const char *cookie_token(const struct request *);

#endif
