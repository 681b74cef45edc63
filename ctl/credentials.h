/*
 * The secrets that systemd gives the services, for the operator's commands.
 *
 * One file a secret in the directory secrets/ beside the configuration file
 * (/etc/waybill/secrets), named in the environment as the units do: there they go
 * before what the configuration file says.  What may not be read is as if it were
 * not there.
 */
#ifndef WAYBILL_CREDENTIALS_H
#define WAYBILL_CREDENTIALS_H

#include "shared/conf.h"

#include <stdbool.h>

enum { CREDENTIALS_PATH_MAX = 1024 };

enum credentials {
	CREDENTIALS_NONE, /* there is no such directory */
	CREDENTIALS_NAMED,
	CREDENTIALS_HIDDEN, /* only another user may look into it */
};

/* The path of a secret's file ("webhook-secret"), or (name "") of the directory, for
 * a configuration file; NULL: for that of an installed system. */
void credentials_path(
    const char *file, const char *name, char path[CREDENTIALS_PATH_MAX]);

/* Names the files of the keys that begin so ("": all) in the environment, for
 * conf_load(); what the environment has already stays. */
enum credentials credentials_name(const char *file, const char *beginning);

/* The name of the file for KEY or KEY_FILE, or NULL when it is no secret. */
const char *credentials_of(const char *key, bool *is_file);

/* True when the file of the secret may only be read by somebody else. */
bool credentials_is_hidden(const struct conf *, const char *name);

/* Fills in the secrets of a configuration that was loaded without them.  False,
 * and told, when one of the files holds what cannot be that secret. */
bool credentials_load(struct conf *) __attribute__((warn_unused_result));

/* Tells on stderr that the secret is not there and what to do: `cure`, unless its
 * file may only be read by somebody else. */
void credentials_missing(
    const struct conf *, const char *key, const char *name, const char *cure);

#endif
