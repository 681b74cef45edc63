/*
 * The units give each service its secrets as files (LoadCredential=) and let it
 * run as waybill; the operator is root or somebody else.  Root can read the
 * secrets and then do the rest as that user: PostgreSQL knows the services by
 * their user (peer), and nothing that comes from the network is read by root.
 */
#include "ctl/service.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *key;
	const char *file;
} secrets[] = {
	{ "EASYPOST_API_KEY", "easypost-api-key" },
	{ "EASYPOST_TEST_API_KEY", "easypost-test-api-key" },
	{ "EASYPOST_WEBHOOK_SECRET", "webhook-secret" },
	{ "EASYPOST_WEBHOOK_SECRET_PREVIOUS", "webhook-secret-previous" },
};

void
service_secrets_dir(const char *file, char *dir, size_t bytes)
{
	const char *slash = file == NULL ? NULL : strrchr(file, '/');

	*dir = '\0';
	if (file != NULL && slash == NULL)
		(void)snprintf(dir, bytes, "secrets"); /* fits */
	/* A path that is cut is none, and is not there. */
	if (slash != NULL)
		(void)snprintf(
		    dir, bytes, "%.*s/secrets", (int)(slash - file), file);
}

static void
name_secret(const char *dir, size_t index)
{
	const char *key = secrets[index].key;
	char name[64];
	char path[PATH_MAX];

	(void)snprintf(name, sizeof(name), "%s_FILE", key); /* fits */
	if (snprintf(path, sizeof(path), "%s/%s", dir, secrets[index].file) >=
	    (int)sizeof(path))
		return;
	if (getenv(key) != NULL || getenv(name) != NULL ||
	    access(path, R_OK) != 0)
		return;
	if (setenv(name, path, 1) != 0)
		abort(); /* out of memory */
}

enum service_secrets
service_name_secrets(const char *file)
{
	char dir[PATH_MAX];
	struct stat status;

	service_secrets_dir(file, dir, sizeof(dir));
	if (*dir == '\0' || stat(dir, &status) != 0 || !S_ISDIR(status.st_mode))
		return SERVICE_SECRETS_NONE;
	if (access(dir, R_OK | X_OK) != 0)
		return SERVICE_SECRETS_HIDDEN;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
		name_secret(dir, i);
	return SERVICE_SECRETS_NAMED;
}

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
