/*
 * The secrets that systemd gives the services, for the operator's commands.
 *
 * One file a secret in the directory secrets/ beside the configuration file
 * (/etc/waybill/secrets).  What is configured goes before them; what may not be
 * read is as if it were not there.
 */
#ifndef WAYBILL_CREDENTIALS_H
#define WAYBILL_CREDENTIALS_H

#include "shared/conf.h"

#include <stdbool.h>
#include <stddef.h>

enum { CREDENTIALS_PATH_MAX = 1024 };

/* Fills in the secrets that are not configured.  False, and told, when one of the
 * files holds what cannot be that secret. */
bool credentials_load(struct conf *) __attribute__((warn_unused_result));

/* The path of a secret's file: "webhook-secret". */
void credentials_path(
    const struct conf *, const char *name, char path[CREDENTIALS_PATH_MAX]);

/* Tells on stderr that the secret is not there and what to do: `cure`, unless its
 * file may only be read by somebody else. */
void credentials_missing(
    const struct conf *, const char *key, const char *name, const char *cure);

#endif
