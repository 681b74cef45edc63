/*
 * The variables of a request as FastCGI tells them (RFC 3875, 4.1): headers of
 * the client's are HTTP_NAME.
 */
#ifndef WAYBILL_PARAMS_H
#define WAYBILL_PARAMS_H

#include "shared/arena.h"

#include <stdbool.h>

/* A copy of "NAME=value" texts that end with NULL; all of it in the arena. */
char **params_copy(struct arena *, char **params);

/* The first value of this name, or NULL. */
const char *params_value(char *const *params, const char *name);

/* True when a header on which we or somebody before us decides came twice. */
bool params_are_doubled(char *const *params);

#endif
