/*
 * To see what the services see: with the rights of their user.
 */
#ifndef WAYBILL_SERVICE_H
#define WAYBILL_SERVICE_H

#include "shared/buf.h"
#include "shared/conf.h"

#include <stdbool.h>

/* Makes of root the user who the services run as: who owns the spool.  For good.
 * `said` then holds his name, or, with false, why it cannot be.  Does nothing, and
 * says nothing, for who is not root, and where that is who they run as. */
bool service_become_user(const struct conf *, struct buf *said)
    __attribute__((warn_unused_result));

#endif
