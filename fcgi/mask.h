/*
 * Keys where none belongs: in a path, a header, an id.
 */
#ifndef WAYBILL_MASK_H
#define WAYBILL_MASK_H

#include "shared/arena.h"

#include <stdbool.h>

/* True when the text holds what looks like a gateway key or a key of EasyPost. */
bool mask_finds_key(const char *);

/* The text with each key cut to its beginning and "***": the text itself when
 * it has none, else a copy in the arena. */
const char *mask_keys(struct arena *, const char *);

#endif
