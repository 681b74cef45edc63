/*
 * Nobody looks into a process that holds keys.
 */
#ifndef WAYBILL_PRIVACY_H
#define WAYBILL_PRIVACY_H

#include "shared/conf.h"

/* From now on the kernel makes no core of this process and its children, wherever
 * cores go, and lets nobody but root trace it or read its memory or environment:
 * not even its own user, whom the services share.  Elsewhere than in production
 * developers may.  Fatal when that cannot be had. */
void privacy_begin(const struct conf *);

#endif
