/*
 * The files of the secrets: see credentials.h.
 *
 * A file is given to conf.c as KEY_FILE of the environment, so that a secret is
 * looked at in the same way wherever it comes from.
 */
#include "ctl/credentials.h"
#include "shared/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ERROR_MAX_BYTES = 4096 };

static const char installed_file[] = "/etc/waybill/waybill.conf";

static const struct {
	const char *key;
	const char *key_file;
	const char *name;
} credentials[] = {
	{ "DATABASE_URL", "DATABASE_URL_FILE", "database-url" },
	{ "DATABASE_READ_URL", "DATABASE_READ_URL_FILE", "database-read-url" },
	{ "EASYPOST_API_KEY", "EASYPOST_API_KEY_FILE", "easypost-api-key" },
	{ "EASYPOST_TEST_API_KEY", "EASYPOST_TEST_API_KEY_FILE",
	    "easypost-test-api-key" },
	{ "EASYPOST_WEBHOOK_SECRET", "EASYPOST_WEBHOOK_SECRET_FILE",
	    "webhook-secret" },
	{ "EASYPOST_WEBHOOK_SECRET_PREVIOUS",
	    "EASYPOST_WEBHOOK_SECRET_PREVIOUS_FILE",
	    "webhook-secret-previous" },
};

enum { CREDENTIALS = sizeof(credentials) / sizeof(*credentials) };

void
credentials_path(
    const char *file, const char *name, char path[CREDENTIALS_PATH_MAX])
{
	const char *beside = file == NULL ? installed_file : file;
	const char *slash = strrchr(beside, '/');
	int bytes = slash == NULL ? 0 : (int)(slash - beside) + 1;

	/* Cut only where no file can be. */
	(void)snprintf(path, CREDENTIALS_PATH_MAX, "%.*ssecrets%s%s", bytes,
	    beside, *name == '\0' ? "" : "/", name);
}

const char *
credentials_of(const char *key, bool *is_file)
{
	for (size_t i = 0; i < CREDENTIALS; i++) {
		*is_file = strcmp(credentials[i].key_file, key) == 0;
		if (*is_file || strcmp(credentials[i].key, key) == 0)
			return credentials[i].name;
	}
	return NULL;
}

enum credentials
credentials_name(const char *file, const char *beginning)
{
	char path[CREDENTIALS_PATH_MAX];
	struct stat status;

	credentials_path(file, "", path);
	if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
		return CREDENTIALS_NONE;
	if (access(path, R_OK | X_OK) != 0)
		return CREDENTIALS_HIDDEN;
	for (size_t i = 0; i < CREDENTIALS; i++) {
		if (strncmp(credentials[i].key, beginning, strlen(beginning)) !=
			0 ||
		    getenv(credentials[i].key) != NULL ||
		    getenv(credentials[i].key_file) != NULL)
			continue;
		credentials_path(file, credentials[i].name, path);
		if (access(path, R_OK) == 0 &&
		    setenv(credentials[i].key_file, path, 1) != 0)
			abort(); /* out of memory */
	}
	return CREDENTIALS_NAMED;
}

bool
credentials_load(struct conf *conf)
{
	struct buf error;
	bool is_good;

	(void)credentials_name(
	    conf->file, ""); /* what is missing is told later */
	buf_init(&error, ERROR_MAX_BYTES);
	is_good = conf_load(conf, conf->file, &error);
	if (!is_good)
		(void)fprintf(stderr, "waybill: secrets: %s\n", error.data);
	buf_free(&error);
	return is_good;
}

bool
credentials_is_hidden(const struct conf *conf, const char *name)
{
	char path[CREDENTIALS_PATH_MAX];

	credentials_path(conf->file, name, path);
	return access(path, R_OK) != 0 && errno == EACCES;
}

void
credentials_missing(const struct conf *conf, const char *key, const char *name,
    const char *cure)
{
	char path[CREDENTIALS_PATH_MAX];

	credentials_path(conf->file, name, path);
	if (credentials_is_hidden(conf, name))
		(void)fprintf(stderr,
		    "waybill: %s is not set, and %s may only be read by "
		    "others: use sudo\n",
		    key, path);
	else
		(void)fprintf(stderr,
		    "waybill: %s is not set, and %s is empty or not there: "
		    "%s\n",
		    key, path, cure);
}
