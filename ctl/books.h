/*
 * The books of the deployment in the database: what was applied, and applying
 * more of it.
 */
#ifndef WAYBILL_BOOKS_H
#define WAYBILL_BOOKS_H

#include "ctl/sqlfiles.h"
#include "shared/db.h"

#include <stdbool.h>
#include <stdint.h>

struct books_migration {
	char name[64];
	char sha256[SHA256_HEX_BYTES + 1];
};

struct books {
	bool is_open; /* false: the database was never migrated */
	int version;
	struct books_migration applied[SQLFILES_MAX]; /* [0] is version 1 */
	bool is_deployed; /* functions and views are there, and those are: */
	char sha256[SHA256_HEX_BYTES + 1];
	int schema_version;
	bool is_of_this_server; /* of its major version */
	char program_version[32];
	char deployed_at[32];
};

/* Takes the lock that one migrating program at a time has, until its connection
 * closes, and opens the books when there are none. */
bool books_lock(struct db *, const struct sqlfiles *)
    __attribute__((warn_unused_result));

/* Reads them.  Each of these tells on stderr why it is false. */
bool books_read(struct db *, struct books *)
    __attribute__((warn_unused_result));

/* The same for who may look but not migrate (waybill_jobs); says nothing.  Fails
 * where the functions for it are not there (db_error(): 3F000, 42883). */
enum db_status books_look(struct db *, struct books *, int64_t deadline_ms)
    __attribute__((warn_unused_result));

/* How the applied migration, [0] being the first, is not that of the files; NULL
 * when it is. */
const char *books_edited(
    const struct books *, const struct sqlfiles *, int index);

/* Functions and views are those of the files, over the tables they need. */
bool books_are_deployed(const struct books *, const struct sqlfiles *);

/* One migration and its entry, in one transaction. */
bool books_migrate(struct db *, const struct sqlfiles *, int version,
    bool is_up) __attribute__((warn_unused_result));

/* All functions and views anew and their entry, in one transaction. */
bool books_deploy(struct db *, const struct sqlfiles *)
    __attribute__((warn_unused_result));

#endif
