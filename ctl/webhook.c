/*
 * waybill webhook: EasyPost's side of webhooks, and whether they arrive here.
 *
 * What must stay true: EasyPost is only told a secret that the service at the
 * address accepts, or that nobody there could be asked about: with another one
 * every event would be refused, until EasyPost disables the webhook.
 */
#include "ctl/commands.h"
#include "ctl/credentials.h"
#include "ctl/scene.h"
#include "ctl/secret.h"
#include "ctl/trial.h"

#include <stdio.h>
#include <string.h>

/* Without the password that EasyPost may have been given in it, and without what a
 * terminal would obey. */
static void
print_url(const char *url)
{
	const char *host = strstr(url, "://");
	const char *at = host == NULL ? NULL : strrchr(host, '@');

	if (at != NULL)
		(void)printf("%.*s***", (int)(host + 3 - url), url);
	for (const char *c = at == NULL ? url : at; *c != '\0'; c++)
		(void)putchar((unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c);
	(void)putchar('\n');
}

static void
print_hook(const struct hooks *hooks, const struct hook *hook)
{
	(void)printf("%s %-10s  %-37s  %-14s %-20.20s  ",
	    delivery_is_usual(hook->url) ? "*" : " ", hooks->mode,
	    hooks_is_id(hook->id) ? hook->id : "?",
	    *hook->disabled_at == '\0' ? "enabled" : "disabled since",
	    *hook->disabled_at == '\0' ? "" : hook->disabled_at);
	print_url(hook->url); /* main looks at the end */
}

static int
list(const struct conf *conf, int count, char **words)
{
	struct wish wish;
	struct scene scene;
	int status = CTL_OK;

	if (!scene_read_wish(count, words, &wish) || wish.word != NULL)
		return CTL_USAGE;
	if (!scene_begin(&scene, conf, &wish))
		return CTL_FAILED;
	for (int i = 0; i < scene.count; i++) {
		struct hooks *hooks = &scene.modes[i];

		if (!hooks_read(hooks)) {
			(void)scene_tell_error(hooks);
			status = CTL_FAILED;
		} else if (hooks_count(hooks) == 0) {
			(void)printf("  %-10s  none\n", hooks->mode);
		}
		for (size_t j = 0; j < hooks_count(hooks); j++) {
			const struct hook hook = hooks_at(hooks, j);

			print_hook(hooks, &hook);
		}
	}
	scene_end(&scene);
	return status;
}

/* Whether EasyPost lists the id for this key. */
static bool
has_hook(const struct hooks *hooks, const char *id)
{
	for (size_t i = 0; i < hooks_count(hooks); i++)
		if (strcmp(hooks_at(hooks, i).id, id) == 0)
			return true;
	return false;
}

/* 0: not of this key; 1: ended; -1: an error, told. */
static int
delete_of(struct hooks *hooks, const char *id)
{
	bool is_read = hooks_read(hooks);

	if (is_read && !has_hook(hooks, id))
		return 0;
	if (!is_read || !hooks_delete(hooks, id)) {
		(void)scene_tell_error(hooks);
		return -1;
	}
	(void)printf("%s: %s is no more\n", hooks->mode, id);
	return 1;
}

static int
dismiss(const struct conf *conf, int count, char **words)
{
	struct wish wish;
	struct scene scene;
	int done = 0;

	if (!scene_read_wish(count, words, &wish) || wish.word == NULL)
		return CTL_USAGE;
	if (!hooks_is_id(wish.word)) {
		(void)fprintf(stderr,
		    "waybill: an id is what waybill webhook list shows: "
		    "hook_...\n");
		return CTL_FAILED;
	}
	if (!scene_begin(&scene, conf, &wish))
		return CTL_FAILED;
	for (int i = 0; i < scene.count && done == 0; i++)
		done = delete_of(&scene.modes[i], wish.word);
	if (done == 0)
		(void)fprintf(stderr,
		    "waybill: EasyPost has no webhook %s for the keys that are "
		    "configured\n",
		    wish.word);
	scene_end(&scene);
	return done > 0 ? CTL_OK : CTL_FAILED;
}

/* A signed body that is no event: refused for that once its signature was
 * accepted, and nothing is kept. */
static bool
is_accepted(const struct delivery *delivery)
{
	return delivery->status == 400 &&
	    strcmp(delivery->code, "EVENT.INVALID") == 0;
}

/* No answer, or the like of one: the service may be what it should be, but for
 * this moment. */
static bool
is_away(const struct delivery *delivery)
{
	return delivery->status == 0 ||
	    (delivery->status >= 500 &&
		strcmp(delivery->code, "WEBHOOK.NOT_CONFIGURED") != 0);
}

/* False, and told, when the address is not Waybill's with this secret. */
static bool
may_be_told(struct delivery *delivery)
{
	delivery->body = "{}";
	delivery_send(delivery);
	if (is_accepted(delivery)) {
		(void)printf("%s%s accepts the secret\n", delivery->base,
		    delivery->path);
		return true;
	}
	delivery_tell(delivery);
	if (is_away(delivery))
		(void)fprintf(stderr,
		    "waybill: warning: it is registered all the same; then: "
		    "waybill webhook test\n");
	else
		(void)fprintf(stderr,
		    "waybill: EasyPost was not told: it would deliver in "
		    "vain\n");
	return is_away(delivery);
}

/* Every webhook with this address: one left with another secret would be refused
 * here, event by event. */
static bool
register_mode(struct hooks *hooks, const char *url, const char *secret)
{
	char id[HOOKS_ID_MAX];
	int found = 0;

	if (!hooks_read(hooks))
		return scene_tell_error(hooks);
	for (size_t i = 0; i < hooks_count(hooks); i++) {
		const struct hook hook = hooks_at(hooks, i);

		if (strcmp(hook.url, url) != 0 || !hooks_is_id(hook.id))
			continue;
		found++;
		if (!hooks_update(hooks, hook.id, secret))
			return scene_tell_error(hooks);
		if (*hook.disabled_at == '\0')
			(void)printf("%s: %s was registered and enabled; "
				     "EasyPost has this host's secret now\n",
			    hooks->mode, hook.id);
		else
			(void)printf("%s: %s was disabled since %.20s; it is "
				     "enabled, with this host's secret\n",
			    hooks->mode, hook.id, hook.disabled_at);
	}
	if (found > 1)
		(void)fprintf(stderr,
		    "waybill: warning: %s: registered %d times, so each event "
		    "comes as often (and counts once);\n"
		    "waybill: all but one can go: waybill webhook delete ID\n",
		    hooks->mode, found);
	if (found > 0)
		return true;
	if (!hooks_create(hooks, url, secret, id))
		return scene_tell_error(hooks);
	(void)printf("%s: registered as %s\n", hooks->mode,
	    hooks_is_id(id) ? id : "?"); /* main looks at the end */
	return true;
}

/* `conf` as it is without the files of the secrets. */
static void
tell_previous(const struct conf *conf, const struct scene *scene)
{
	char path[CREDENTIALS_PATH_MAX];

	if (*scene->conf.secrets.webhook_secret_previous == '\0')
		return;
	(void)printf("The secret before this one is accepted as well, for what "
		     "is on its way.  After a day:\n");
	if (*conf->secrets.webhook_secret_previous != '\0') {
		(void)printf("    take EASYPOST_WEBHOOK_SECRET_PREVIOUS out of "
			     "the configuration\n");
	} else {
		credentials_path(conf->file, "webhook-secret-previous", path);
		(void)printf("    sudo truncate -s 0 %s\n", path);
	}
	(void)printf("    sudo systemctl restart waybill-webhook\n");
}

static int
register_modes(struct scene *scene, const char *url)
{
	int status = CTL_OK;

	/* One key that is refused keeps no other from its webhook. */
	for (int i = 0; i < scene->count; i++)
		if (!register_mode(&scene->modes[i], url,
			scene->conf.secrets.webhook_secret))
			status = CTL_FAILED;
	return status;
}

static int
enroll(const struct conf *conf, int count, char **words)
{
	struct delivery delivery = { .status = 0 };
	struct wish wish;
	struct scene scene;
	int status = CTL_FAILED;

	if (!scene_read_wish(count, words, &wish) || wish.word == NULL)
		return CTL_USAGE;
	if (!scene_begin(&scene, conf, &wish))
		return CTL_FAILED;
	if (scene_has_secret(&scene) &&
	    scene_read_url(&scene, &wish, wish.word, &delivery) &&
	    may_be_told(&delivery))
		status = register_modes(&scene, wish.word);
	if (status == CTL_OK)
		tell_previous(conf, &scene);
	scene_end(&scene);
	return status;
}

static const struct {
	const char *name;
	int (*run)(const struct conf *, int count, char **words);
} actions[] = {
	{ "register", enroll },
	{ "list", list },
	{ "test", trial_run },
	{ "new-secret", secret_run },
	{ "delete", dismiss },
};

int
webhook_run(const struct conf *conf, int count, char **words)
{
	for (size_t i = 0; count > 1 && i < sizeof(actions) / sizeof(*actions);
	     i++)
		if (strcmp(actions[i].name, words[1]) == 0)
			return actions[i].run(conf, count - 1, words + 1);
	return CTL_USAGE;
}
