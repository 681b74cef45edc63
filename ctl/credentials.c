/*
 * The files of the secrets: see credentials.h.
 *
 * A file is given to conf.c as KEY_FILE of the environment, so that a secret is
 * looked at in the same way wherever it comes from.
 */
#include "ctl/credentials.h"
#include "shared/buf.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ERROR_MAX_BYTES = 4096 };

static const char default_directory[] = "/etc/waybill/";

static const struct {
	const char *key_file;
	const char *name;
	size_t offset; /* of the value in struct conf_secrets */
} credentials[] = {
	{ "EASYPOST_API_KEY_FILE", "easypost-api-key",
	    offsetof(struct conf_secrets, easypost_api_key) },
	{ "EASYPOST_TEST_API_KEY_FILE", "easypost-test-api-key",
	    offsetof(struct conf_secrets, easypost_test_api_key) },
	{ "EASYPOST_WEBHOOK_SECRET_FILE", "webhook-secret",
	    offsetof(struct conf_secrets, webhook_secret) },
	{ "EASYPOST_WEBHOOK_SECRET_PREVIOUS_FILE", "webhook-secret-previous",
	    offsetof(struct conf_secrets, webhook_secret_previous) },
};

enum { CREDENTIALS = sizeof(credentials) / sizeof(*credentials) };

void
credentials_path(
    const struct conf *conf, const char *name, char path[CREDENTIALS_PATH_MAX])
{
	const char *file = conf->file == NULL ? default_directory : conf->file;
	const char *slash = strrchr(file, '/');
	int bytes = slash == NULL ? 0 : (int)(slash - file) + 1;

	/* Cut only where no file can be. */
	(void)snprintf(
	    path, CREDENTIALS_PATH_MAX, "%.*ssecrets/%s", bytes, file, name);
}

static bool
is_set(const struct conf_secrets *secrets, size_t offset)
{
	const char *value;

	memcpy(&value, (const char *)secrets + offset, sizeof(value));
	return *value != '\0';
}

bool
credentials_load(struct conf *conf)
{
	char path[CREDENTIALS_PATH_MAX];
	struct buf error;
	bool is_good;

	for (size_t i = 0; i < CREDENTIALS; i++) {
		if (is_set(&conf->secrets, credentials[i].offset))
			continue;
		credentials_path(conf, credentials[i].name, path);
		if (access(path, R_OK) == 0 &&
		    setenv(credentials[i].key_file, path, 1) != 0)
			return false;
	}
	buf_init(&error, ERROR_MAX_BYTES);
	is_good = conf_load(conf, conf->file, &error);
	if (!is_good)
		(void)fprintf(stderr, "waybill: secrets: %s\n", error.data);
	buf_free(&error);
	return is_good;
}

void
credentials_missing(const struct conf *conf, const char *key, const char *name,
    const char *cure)
{
	char path[CREDENTIALS_PATH_MAX];

	credentials_path(conf, name, path);
	if (access(path, R_OK) != 0 && errno == EACCES)
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
