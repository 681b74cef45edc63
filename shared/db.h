/*
 * One connection to PostgreSQL, with deadlines of our own, through libpq.
 *
 * The only file that includes libpq.  It calls functions of the database,
 * `select * from schema.name($1, ...)`, and sends selects over its views: those that
 * lists are made of, and the dashboard's.  Every wait has our own deadline, because
 * libpq waits for ever on a server that hangs: send, poll, and drop the connection
 * when the time is over.
 * Two things libpq does not let us limit: looking up a host's name (give an
 * address or a socket's directory), and the second of several hosts in one URL
 * is only tried when the first one refuses, not when it is silent.
 * What must stay true: after a failure of any kind the connection is either
 * idle and clean, or closed; statements are prepared once a connection.
 */
#ifndef WAYBILL_DB_H
#define WAYBILL_DB_H

#include "shared/kind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

struct db_options {
	/* The strings live as long as the handle. */
	const char *url;  /* libpq connection string or URI; its options= and
	                     client_encoding= are replaced by ours */
	const char *role; /* SET ROLE at connect; NULL: none */
	const char *name; /* application_name */
	int connect_ms;   /* limit of one connection attempt */
	int statement_ms; /* the server's own limit of a statement */
	int recycle_s;    /* renew a connection older than this; 0: never */
	bool echo;        /* log each call's name and time */
};

enum db_status {
	DB_OK,
	DB_REFUSED, /* the server said no: db_error() has the SQLSTATE */
	DB_AWAY,    /* no connection, or it broke */
	DB_LATE,    /* our deadline passed; the connection was dropped */
	DB_STOPPED, /* the row function returned false */
};

struct db_value {
	const char *data; /* NULL: SQL null; text ends with a zero byte */
	size_t bytes;
	bool is_binary; /* for bytea: raw bytes */
};

/* One row while it is being looked at; valid only inside the row function. */
struct db_row;

typedef bool db_row_function(void *context, const struct db_row *);

struct db_call {
	const char *function; /* "api.find_key"; with `sql`, only for the log */
	const char *sql; /* NULL: a call of the function; else a select with its
	                    values as $1, $2, ... */
	const struct db_value *values;
	int count;           /* at most DB_VALUES_MAX */
	int64_t deadline_ms; /* clock_ms() at which we give up */
	bool plan_each;      /* plan with these very values, each time anew */
	db_row_function *no_row; /* NULL, or called when the answer has no row:
	                            with the columns' names and no values */
	bool
	    is_read; /* a read: may go to the replica; else needs the primary */
};

enum { DB_VALUES_MAX = 24, DB_MESSAGE_MAX = 256 };

struct db_error {
	char sqlstate[6]; /* "" when the server said nothing; also of
	                                 why it lets nobody in */
	char message[DB_MESSAGE_MAX]; /* for the log; for the client only when
	                                 sqlstate starts with PT or 22 */
};

/* A handle that has not connected yet; lives as long as the process. */
struct db *db_new(const struct db_options *);

/* Sends the call, one call of `row` for each row in its order; `row` may be
 * NULL.  Connects when there is no connection, and checks a kept one without a
 * round trip.  Tries once more, never after a row was given out, when the first
 * try had no effect or may be repeated (every function in the schema api is
 * idempotent): a broken connection; 40001, 40P01; plans made stale by a
 * migration (0A000, 42804, 26000, 42883, XX000); a server that has become a
 * standby (25006), unless it is a read.  While the server cannot be reached it
 * is asked at most once per growing pause (100 ms to 1 s) and DB_AWAY comes at
 * once in between. */
enum db_status db_call(struct db *, const struct db_call *,
    db_row_function *row, void *context) __attribute__((warn_unused_result));

/* Runs a script of the operator (a migration): many statements, no values, never
 * a second time.  Each row of each statement goes to `row`, which may be NULL: so
 * a script can tell how far it came.  A connection that it leaves inside a
 * transaction is closed. */
enum db_status db_script(struct db *, const char *sql, int64_t deadline_ms,
    db_row_function *row, void *context) __attribute__((warn_unused_result));

/* What the last failed call said. */
const struct db_error *db_error(const struct db *);

/* Whether the connection there is goes over the network, not a socket here. */
bool db_is_remote(const struct db *);

/* Whether a URL has a password in it; what libpq does not understand has none. */
bool db_has_password(const char *url);

/* Sum of microseconds spent in db_call() since the last db_forget_spent(). */
int64_t db_spent_us(const struct db *);
void db_forget_spent(struct db *);

/* True while a usable connection is open. */
bool db_is_connected(const struct db *);

/* Closes the connection; the next call opens another. */
void db_close(struct db *);

/* The row that a db_row_function is given, valid until that returns: how many
 * columns it has, and the name and kind of each, 0 being the first. */
int db_columns(const struct db_row *);
const char *db_column_name(const struct db_row *, int column);
enum db_kind db_column_kind(const struct db_row *, int column);

/* NULL for SQL null, else zero-terminated text; `bytes` may be NULL.  NULL too
 * for NaN and the infinities of numbers and times, which JSON cannot write. */
const char *db_column(const struct db_row *, int column, size_t *bytes);

/* Values for the calls: text (NULL: SQL null) and raw bytes (never null). */
struct db_value db_text(const char *);
struct db_value db_bytes(const void *, size_t bytes);

#endif
