/*
 * The SQL that came with the program, read whole and in order.
 */
#ifndef WAYBILL_SQLFILES_H
#define WAYBILL_SQLFILES_H

#include "shared/buf.h"
#include "shared/hmac.h"

#include <stdbool.h>

enum { SQLFILES_MAX = 512 };

struct sqlfile {
	char name[128]; /* "api/shipment.sql" */
	const char *text;
	char sha256[SHA256_HEX_BYTES + 1];
};

struct sqlfiles_migration {
	char name[64]; /* "0001_foundation" */
	struct sqlfile up;
	struct sqlfile down;
};

struct sqlfiles {
	struct sqlfile bootstrap;
	/* migrations[0] leads to version 1, and so on. */
	struct sqlfiles_migration migrations[SQLFILES_MAX];
	int migration_count;
	/* What is replaced at every deployment, in its order. */
	struct sqlfile replaced[SQLFILES_MAX];
	int replaced_count;
	char sha256[SHA256_HEX_BYTES + 1]; /* of those and of bootstrap */
};

/* Reads the directory.  False, and a sentence in `error`, when a file cannot be
 * read, a number is missing or a migration has no way up or down.  The texts
 * live as long as the process. */
bool sqlfiles_read(const char *dir, struct sqlfiles *, struct buf *error)
    __attribute__((warn_unused_result));

#endif
