/*
 * See scene.h.  Keys and secrets stand in files that only root may read, as the
 * services are given them, or in the configuration.
 */
#include "ctl/scene.h"
#include "ctl/credentials.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

bool
scene_read_wish(int count, char **words, struct wish *wish)
{
	static const struct option options[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "ca", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*wish = (struct wish){ .ca_file = "" };
	while ((option = getopt_long(count, words, "", options, NULL)) != -1)
		if (option == 'm' &&
		    (strcmp(optarg, "test") == 0 ||
			strcmp(optarg, "production") == 0))
			wish->mode = optarg;
		else if (option == 'c')
			wish->ca_file = optarg;
		else
			return false;
	if (optind < count)
		wish->word = words[optind++];
	return optind == count;
}

/* Adds a mode when it is wished; false, and told, when it has no key. */
static bool
add_mode(struct scene *scene, const struct wish *wish, const struct hooks *mode,
    const char *file)
{
	if (wish->mode != NULL && strcmp(wish->mode, mode->mode) != 0)
		return true;
	if (*mode->key != '\0') {
		scene->modes[scene->count] = *mode;
		hooks_begin(&scene->modes[scene->count++]);
		return true;
	}
	if (wish->mode != NULL)
		credentials_missing(&scene->conf, mode->key_name, file,
		    "put EasyPost's key there");
	return wish->mode == NULL;
}

bool
scene_begin(
    struct scene *scene, const struct conf *conf, const struct wish *wish)
{
	static struct easypost *easypost;

	*scene = (struct scene){ .conf = *conf };
	if (!credentials_load(&scene->conf))
		return false;
	easypost = easypost_new(
	    scene->conf.easypost_api_base, scene->conf.easypost_ca_file);
	const struct hooks production = { .easypost = easypost,
		.mode = "production",
		.key_name = "EASYPOST_API_KEY",
		.key = scene->conf.secrets.easypost_api_key };
	const struct hooks test = { .easypost = easypost,
		.mode = "test",
		.key_name = "EASYPOST_TEST_API_KEY",
		.key = scene->conf.secrets.easypost_test_api_key };

	if (!add_mode(scene, wish, &production, "easypost-api-key") ||
	    !add_mode(scene, wish, &test, "easypost-test-api-key"))
		return false;
	if (scene->count == 0)
		credentials_missing(&scene->conf, "EASYPOST_API_KEY",
		    "easypost-api-key",
		    "put EasyPost's key there, or its test key into "
		    "easypost-test-api-key");
	return scene->count > 0;
}

void
scene_end(struct scene *scene)
{
	for (int i = 0; i < scene->count; i++)
		hooks_end(&scene->modes[i]);
}

bool
scene_has_secret(const struct scene *scene)
{
	if (*scene->conf.secrets.webhook_secret != '\0')
		return true;
	credentials_missing(&scene->conf, "EASYPOST_WEBHOOK_SECRET",
	    "webhook-secret", "waybill webhook new-secret makes one");
	return false;
}

bool
scene_tell_error(const struct hooks *hooks)
{
	(void)fprintf(stderr, "waybill: %s: %s\n", hooks->mode, hooks->error);
	return false;
}

bool
scene_read_url(const struct scene *scene, const struct wish *wish,
    const char *url, struct delivery *delivery)
{
	const char *allowed = delivery_read_url(delivery, url);

	delivery->ca_file = wish->ca_file;
	delivery->secret = scene->conf.secrets.webhook_secret;
	if (allowed != NULL)
		(void)fprintf(
		    stderr, "waybill: the address must be %s\n", allowed);
	else if (!delivery_is_usual(url))
		(void)fprintf(stderr,
		    "waybill: warning: %s is not /webhooks/easypost, where "
		    "Waybill takes webhooks\n",
		    delivery->path);
	return allowed == NULL;
}
