/*
 * The address that EasyPost keys may be sent to.
 */
#ifndef WAYBILL_ADDRESS_H
#define WAYBILL_ADDRESS_H

#include <stdbool.h>

/* True for https://HOST[:PORT], and for http://HOST[:PORT] when the host is
 * localhost, 127.0.0.0/8 or [::1]; one final slash may follow.  Neither user
 * nor path, query or fragment: nothing that two parsers could read in two
 * ways. */
bool address_is_allowed(const char *);

#endif
