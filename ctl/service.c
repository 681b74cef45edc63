/*
 * The units let the services run as waybill; the operator is root or somebody
 * else.  Root can read the secrets and then do the rest as that user: PostgreSQL
 * knows the services by their user (peer), and nothing that comes from the network
 * is read by root.
 */
#include "ctl/service.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* NULL: none but root. */
static const struct passwd *
find_user(const struct conf *conf)
{
	struct stat status;

	if (stat(conf->spool_dir, &status) != 0)
		return getpwnam("waybill");
	return status.st_uid == 0 ? NULL : getpwuid(status.st_uid);
}

bool
service_become_user(const struct conf *conf, struct buf *said)
{
	const struct passwd *user;

	if (geteuid() != 0)
		return true;
	user = find_user(conf);
	if (user == NULL)
		return true;
	if (initgroups(user->pw_name, user->pw_gid) != 0 ||
	    setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0) {
		(void)buf_addf(said, "cannot become %s: %s", user->pw_name,
		    strerror(errno)); /* cut at most */
		return false;
	}
	/* libpq looks for its files there. */
	if (setenv("HOME", user->pw_dir, 1) != 0)
		abort();                           /* out of memory */
	(void)buf_add_string(said, user->pw_name); /* as above */
	return true;
}
