/*
 * To see what the services see: their secrets, and with the rights of their user.
 */
#ifndef WAYBILL_SERVICE_H
#define WAYBILL_SERVICE_H

#include "shared/buf.h"
#include "shared/conf.h"

#include <stdbool.h>
#include <stddef.h>

enum service_secrets {
	SERVICE_SECRETS_NONE, /* there is no such directory */
	SERVICE_SECRETS_NAMED,
	SERVICE_SECRETS_HIDDEN, /* only another user may look into it */
};

/* Writes the directory of the secrets that belongs to a configuration file, for
 * /etc/waybill/waybill.conf /etc/waybill/secrets; "" when there is no file. */
void service_secrets_dir(const char *file, char *dir, size_t bytes);

/* Names the files of that directory in the environment, for conf_load(), as the
 * units do for the services; what the environment has already stays. */
enum service_secrets service_name_secrets(const char *file);

/* Makes of root the user who the services run as: who owns the spool.  For good.
 * `said` then holds his name, or, with false, why it cannot be.  Does nothing
 * for who is not root. */
bool service_become_user(const struct conf *, struct buf *said)
    __attribute__((warn_unused_result));

#endif
