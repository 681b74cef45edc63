/*
 * The commands of the operator's program: each takes its own words, words[0]
 * being its name, and returns the exit status.
 */
#ifndef WAYBILL_COMMANDS_H
#define WAYBILL_COMMANDS_H

#include "shared/conf.h"

/* Exit status of the program; busy: somebody else does it at this very moment;
 * unset: no database is configured; other SQL: the database is not as this program
 * wants it, but can be read. */
enum {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_BUSY = 3,
	CTL_UNSET = 4,
	CTL_OTHER_SQL = 5,
};

/* The file of the configuration, for commands that read it themselves; NULL: there
 * is none. */
extern const char *command_file;

/* The schema of the database: up, down, status, history, verify. */
int migrate_run(const struct conf *, int count, char **words);

/* Gateway keys: create, list, revoke. */
int key_run(const struct conf *, int count, char **words);

/* Less of what is kept of clients: truncate, erase. */
int privacy_run(const struct conf *, int count, char **words);

/* The analytics views and the partitions, once. */
int refresh_run(const struct conf *, int count, char **words);

/* The figures, for people or as CSV. */
int report_run(const struct conf *, int count, char **words);

/* The spool into the database and the queue, until a signal or, with --once, once;
 * what is queued: list, retry. */
int jobs_run(const struct conf *, int count, char **words);

/* EasyPost's lists into the database; against it. */
int backfill_run(const struct conf *, int count, char **words);
int reconcile_run(const struct conf *, int count, char **words);

/* The derived tables from the raw documents and events, once. */
int rebuild_run(const struct conf *, int count, char **words);

/* The spool of this host: list, show, retry. */
int spool_run(const struct conf *, int count, char **words);

/* What is wrong with this installation, and what mends it.  Reads the
 * configuration itself: that it cannot be read is one of the answers. */
int check_run(const struct conf *, int count, char **words);

/* What is going on at this moment, for people or as JSON. */
int status_run(const struct conf *, int count, char **words);

/* EasyPost's webhooks: register, list, test, new-secret, delete. */
int webhook_run(const struct conf *, int count, char **words);

/* Settings of PostgreSQL for this machine. */
int tune_run(const struct conf *, int count, char **words);

/* Prints the configuration in effect, or some keys of it, secrets masked. */
int config_run(const struct conf *, int count, char **words);

#endif
