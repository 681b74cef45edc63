/*
 * What the commands of waybill webhook begin with: their words, the keys and the
 * secret, the address.
 */
#ifndef WAYBILL_SCENE_H
#define WAYBILL_SCENE_H

#include "ctl/delivery.h"
#include "ctl/hooks.h"
#include "shared/conf.h"

#include <stdbool.h>

enum { SCENE_MODES = 2 };

/* The words of a command. */
struct wish {
	const char *mode; /* NULL: both */
	const char *ca_file;
	const char *word; /* NULL: there is none */
};

/* What is configured, with the files of the secrets. */
struct scene {
	struct conf conf;
	struct hooks
	    modes[SCENE_MODES]; /* those that have a key, and are wished */
	int count;
};

/* Reads options and at most one word that is none; false: asked wrongly. */
bool scene_read_wish(int count, char **words, struct wish *)
    __attribute__((warn_unused_result));

/* False, and told, without any key to ask EasyPost with: then nothing has begun. */
bool scene_begin(struct scene *, const struct conf *, const struct wish *)
    __attribute__((warn_unused_result));

/* Gives the memory back. */
void scene_end(struct scene *);

/* False, and told, when there is no secret to sign with. */
bool scene_has_secret(const struct scene *);

/* Makes a delivery for the address, lacking its body; false, and told, when it is
 * no address. */
bool scene_read_url(const struct scene *, const struct wish *, const char *url,
    struct delivery *) __attribute__((warn_unused_result));

/* Tells why EasyPost did not do what was asked; always false. */
bool scene_tell_error(const struct hooks *);

#endif
