/*
 * The configuration: one table of keys, read once, never changed after.
 *
 * A file of KEY=VALUE lines in the format of systemd's EnvironmentFile= (see
 * systemd.exec(5)), overridden by the environment.  Each secret K may instead
 * be given as K_FILE, the path of a file whose content (less one final newline)
 * is the value; an empty file sets nothing, and hides what the file of lines says,
 * but for the database's URLs, which are no secrets without a password.  A key that
 * is unknown, twice in the file or out of range is an error that names it.  Values
 * point into memory that lives as long as the process; a string that is not set is
 * "" and never NULL.
 */
#ifndef WAYBILL_CONF_H
#define WAYBILL_CONF_H

#include "shared/buf.h"

#include <stdbool.h>

enum conf_environment {
	CONF_PRODUCTION,
	CONF_DEVELOPMENT,
	CONF_TEST,
};

/* How much of a client's address is kept in user_activities. */
enum conf_addresses {
	CONF_ADDRESSES_FULL,
	CONF_ADDRESSES_TRUNCATED, /* IPv4 to /24, IPv6 to /48 */
	CONF_ADDRESSES_NONE,
};

/* Never logged, never shown but masked. */
struct conf_secrets {
	const char *database_url;
	const char *database_read_url;
	const char *easypost_api_key; /* production */
	const char *easypost_test_api_key;
	const char *webhook_secret;
	const char *webhook_secret_previous; /* while a rotation lasts */
};

struct conf {
	const char *file; /* that was read; NULL: none */
	struct conf_secrets secrets;
	enum conf_environment environment;
	int log_priority;
	enum conf_addresses activity_addresses;
	const char *run_dir;
	const char *spool_dir;
	const char *backup_dir; /* where its service notes that it succeeded */
	const char *sql_dir;
	long spool_max_bytes;
	long spool_max_files;
	int workers;          /* always running, all pools together */
	int workers_overflow; /* at most this many more under load */
	int worker_requests;  /* a worker retires after so many */
	int database_recycle_s;
	int database_wait_ms; /* for a connection, within one request */
	int database_connect_ms;
	int database_command_ms;
	bool database_echo;
	const char *easypost_api_base; /* without a final slash */
	const char *easypost_ca_file;  /* "": the system's */
	bool webhook_allow_unsigned;
	bool stale_reads;
	int tracking_fresh_s; /* so old may what we know of a parcel be */
};

/* Reads the file (NULL: none) and the environment into `conf`.  False with one
 * sentence for the operator in `error` (which key, what is allowed, where);
 * the sentence never holds a secret's value. */
bool conf_load(struct conf *, const char *file, struct buf *error)
    __attribute__((warn_unused_result));

/* One line a key: KEY=value and where it comes from, secrets masked. */
void conf_print(const struct conf *, struct buf *out);

#endif
