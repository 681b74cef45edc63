/*
 * waybill webhook new-secret: a random secret in the file that systemd gives the
 * service; the one before goes into the file beside it, since EasyPost signs with
 * it until it is told.  Neither is ever shown.
 */
#include "ctl/secret.h"
#include "ctl/commands.h"
#include "ctl/credentials.h"
#include "shared/buf.h"
#include "shared/file.h"
#include "shared/hmac.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SECRET_MAX_BYTES = 8 * 1024 /* as in conf.c */ };

static const char secret_key[] = "EASYPOST_WEBHOOK_SECRET";
static const char secret_name[] = "webhook-secret";

/* The content of a secret's file, which may not be there; else told. */
static bool
read_secret(const char *path, struct buf *content)
{
	if (file_read(path, content) || errno == ENOENT)
		return true;
	(void)fprintf(stderr, "waybill: %s: %s\n", path, strerror(errno));
	return false;
}

static bool
write_secret(const char *path, const struct buf *content)
{
	if (file_replace(path, content->data, content->len))
		return true;
	(void)fprintf(stderr, "waybill: %s: %s%s\n", path, strerror(errno),
	    errno == EACCES ? ": use sudo" : "");
	return false;
}

/* One change at a time: a third secret would push out the one that EasyPost still
 * signs with. */
static bool
is_free(const char *path, const struct buf *previous)
{
	if (previous->len == 0)
		return true;
	(void)fprintf(stderr,
	    "waybill: no secret was made: a change is under way, since %s is "
	    "not empty.\n"
	    "waybill: When EasyPost has had the new one for a day (waybill "
	    "webhook register URL):\n"
	    "waybill: sudo truncate -s 0 %s\n",
	    path, path);
	return false;
}

/* The old one is kept first: a cut between the two leaves it twice. */
static bool
change_secret(const struct conf *conf, struct buf *secret, struct buf *previous)
{
	char path[CREDENTIALS_PATH_MAX];
	char previous_path[CREDENTIALS_PATH_MAX];
	unsigned char bits[SHA256_BYTES];
	char hex[SHA256_HEX_BYTES + 1];
	bool has_previous;

	credentials_path(conf->file, secret_name, path);
	credentials_path(conf->file, "webhook-secret-previous", previous_path);
	if (!read_secret(previous_path, previous) ||
	    !is_free(previous_path, previous) || !read_secret(path, secret))
		return false;
	if (secret->len > 0 && !write_secret(previous_path, secret))
		return false;
	hmac_random(bits, sizeof(bits));
	hmac_hex(bits, hex);
	has_previous = secret->len > 0;
	buf_reset(secret, secret->size);
	if (!buf_addf(secret, "%s\n", hex) || !write_secret(path, secret))
		return false;
	(void)printf("made %s%s%s\n", path,
	    has_previous ? "; the one before is in " : "",
	    has_previous ? previous_path : "");
	return true;
}

int
secret_run(const struct conf *conf, int count, char **words)
{
	struct buf secret;
	struct buf previous;
	bool is_made;

	(void)words; /* there are none but the name */
	if (count != 1)
		return CTL_USAGE;
	if (*conf->secrets.webhook_secret != '\0') {
		(void)fprintf(stderr,
		    "waybill: no secret was made: %s is in the configuration "
		    "and goes before a file\n",
		    secret_key);
		return CTL_FAILED;
	}
	buf_init(&secret, SECRET_MAX_BYTES);
	buf_init(&previous, SECRET_MAX_BYTES);
	is_made = change_secret(conf, &secret, &previous);
	if (is_made)
		(void)printf(
		    "next: sudo systemctl restart waybill-webhook   (no "
		    "request "
		    "is lost)\n"
		    "      sudo waybill webhook register https://HOST/webhooks/"
		    "easypost\n"); /* main looks at the end */
	if (secret.data != NULL)
		explicit_bzero(secret.data, secret.size);
	buf_free(&secret);
	buf_free(&previous);
	return is_made ? CTL_OK : CTL_FAILED;
}
