/*
 * The listening socket of a pool: systemd's, inherited, or our own.
 */
#ifndef WAYBILL_LISTEN_H
#define WAYBILL_LISTEN_H

#include <stdbool.h>

struct listen {
	int fd; /* always LISTEN_FD, so that it can be handed on */
	const char *path;
	bool is_ours; /* we made the path and remove it in the end */
};

enum { LISTEN_FD = 3 };

/* Takes the socket that systemd, or we ourselves before an exec, left at
 * LISTEN_FD; else makes one at `path` (mode 0660).  With `is_path_wanted` what
 * systemd left is not looked at.  Fatal when there is no socket to be had, also
 * when a living process listens at the path. */
struct listen listen_open(const char *path, bool is_path_wanted);

/* Prepares the environment so that this process finds the socket again after
 * an exec; listen_keep() takes that back when the exec failed. */
void listen_hand_on(const struct listen *);
void listen_keep(const struct listen *);

/* Removes the path when it is ours. */
void listen_remove(const struct listen *);

#endif
