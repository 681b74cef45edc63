/*
 * The syntax of systemd's EnvironmentFile= (systemd.exec(5)).
 *
 * Knows names and values, not which names exist: that is conf.c.  Stricter than
 * systemd, which skips what it does not understand: here that is an error with
 * its line.  A problem is told without any text of the file, since that may be
 * a secret.
 */
#ifndef WAYBILL_ENVFILE_H
#define WAYBILL_ENVFILE_H

#include <stdbool.h>
#include <stddef.h>

/* One assignment; both strings are valid until it returns.  False stops. */
typedef bool envfile_function(
    void *context, const char *name, const char *value, int line);

struct envfile_problem {
	const char *sentence; /* NULL: the function stopped */
	int line;
};

/* Gives each assignment of the text to `assign`, in order.  False when the
 * function stopped or at the first line that is not understood. */
bool envfile_parse(const char *text, size_t bytes, envfile_function *assign,
    void *context, struct envfile_problem *)
    __attribute__((warn_unused_result));

#endif
