/*
 * What the checks of `waybill check` know and say.
 *
 * Each check looks at one thing and fills in one verdict; check.c has the table
 * of them and prints.  They run in the order of the table: what one has found out
 * (the configuration, the connection) is there for those behind it.
 */
#ifndef WAYBILL_CHECK_H
#define WAYBILL_CHECK_H

#include "ctl/credentials.h"
#include "ctl/facts.h"
#include "shared/conf.h"
#include "shared/db.h"
#include "shared/easypost.h"
#include "shared/json.h"

#include <stdbool.h>
#include <stdint.h>

enum verdict_state { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL, VERDICT_SKIP };

enum { VERDICT_TEXT_MAX = 400 };

/* Zeroed: well, with nothing to say. */
struct verdict {
	enum verdict_state state;
	char text[VERDICT_TEXT_MAX];
	char cure[VERDICT_TEXT_MAX]; /* a command, or a line of a file */
};

/* The state and what was seen; what is too long is cut. */
void verdict_set(struct verdict *, enum verdict_state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What mends it. */
void verdict_cure(struct verdict *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

enum check_mode { CHECK_PRODUCTION, CHECK_TEST, CHECK_MODES };

/* Zeroed but for the first part. */
struct check {
	const char *file;       /* of the configuration; NULL: there is none */
	const char *url;        /* of nginx, "https://..."; NULL: not told */
	const char *ca_file;    /* that its certificate is judged by; "" */
	const char *nginx_file; /* its main file */
	int64_t deadline_ms;    /* of everything */

	struct conf conf;
	bool has_conf;
	enum credentials secrets;

	struct db *login;    /* as the URL says */
	bool is_remote;      /* the login's connection goes over the network */
	bool is_read_remote; /* that of DATABASE_READ_URL, too */
	struct db *jobs;     /* as waybill_jobs; NULL: it may not or is away */
	bool has_schema;     /* the functions that are called below are there */
	struct facts facts;  /* sections "pulse" and "connections" */
	bool has_pulse;
	double database_ahead_s; /* of our clock */

	struct json *webhooks[CHECK_MODES]; /* EasyPost's list, or NULL */
	bool has_date;
	double easypost_ahead_s;
	struct easypost_site site;
	bool has_site;
	bool is_systemd_silent; /* it has not answered in time */
};

/* When one wait of `most_ms` has to end. */
int64_t check_until_ms(const struct check *, int most_ms);

typedef void check_function(struct check *, int subject, struct verdict *);

/* This host: checkhost.c.  The subject of a pool is its place in pools[]. */
check_function check_configuration;
check_function check_secrets;
check_function check_pool;
check_function check_user;
check_function check_spool;
check_function check_spool_disk;
check_function check_database_disk;

/* What the units of systemd allow: checkunits.c. */
check_function check_memory;
check_function check_network;

/* Adds to what was seen of its last run, where that is well, that systemd will not
 * start a timer, "waybill-...timer", again, and what mends it.  One that is not
 * installed here, or masked, which says that it is off on purpose, is passed over;
 * so are all when systemd does not run or answer. */
void check_timer(struct check *, const char *timer, struct verdict *);

/* The database: checkdata.c. */
check_function check_database;
check_function check_rights;
check_function check_schema;
check_function check_connections;
check_function check_standby;

/* What saves it: checkbackup.c. */
check_function check_backup;
check_function check_archive;

/* What the background leaves there: checkwork.c. */
bool check_pulse(struct check *); /* asks once; true when it is known */
check_function check_clock;
check_function check_jobs;
check_function check_queue;
check_function check_bulk;
check_function check_refresh;
check_function check_drift;
check_function check_reconcile;
check_function check_ledger;
check_function check_statements;

/* The world outside: checknet.c.  The subject is an enum check_mode. */
check_function check_key;
check_function check_webhook_secret;
check_function check_webhook;
check_function check_easypost_clock;
check_function check_site;
check_function check_certificate;

/* nginx itself: checknginx.c. */
check_function check_nginx;

#endif
