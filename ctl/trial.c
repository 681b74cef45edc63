/*
 * waybill webhook test: an event of our own goes the way of EasyPost's, through
 * nginx and the pool into the database.
 *
 * It is kept like every event, and is about nothing: no figure changes, and no day
 * of the ledger.
 */
#include "ctl/trial.h"
#include "ctl/commands.h"
#include "ctl/credentials.h"
#include "ctl/scene.h"
#include "ctl/session.h"
#include "shared/hmac.h"

#include <stdio.h>
#include <string.h>

enum {
	EVENT_MAX_BYTES = 512,
	EVENT_ID_BYTES = 4 + 32, /* "evt_" and 128 bits */
	URL_MAX_BYTES = 2048,
};

/* The address that EasyPost delivers to, when it is one; false, and told, when it
 * is not. */
static bool
find_url(struct scene *scene, char url[URL_MAX_BYTES])
{
	*url = '\0';
	for (int i = 0; i < scene->count; i++) {
		struct hooks *hooks = &scene->modes[i];

		if (!hooks_read(hooks))
			return scene_tell_error(hooks);
		for (size_t j = 0; j < hooks_count(hooks); j++) {
			const struct hook hook = hooks_at(hooks, j);

			if (!delivery_is_usual(hook.url) ||
			    strcmp(hook.url, url) == 0)
				continue;
			if (*url != '\0') {
				(void)fprintf(stderr,
				    "waybill: EasyPost has several: say which "
				    "(waybill webhook list)\n");
				return false;
			}
			(void)snprintf(url, URL_MAX_BYTES, "%s",
			    hook.url); /* cut: refused below */
		}
	}
	if (*url == '\0')
		(void)fprintf(stderr,
		    "waybill: EasyPost has no webhook to /webhooks/easypost: "
		    "waybill webhook register URL\n");
	return *url != '\0';
}

/* An event that says nothing of any object.  It has neither mode nor created_at:
 * so no day of the ledger counts it, and it is never the newest one. */
static void
make_event(char body[EVENT_MAX_BYTES], char id[EVENT_ID_BYTES + 1])
{
	unsigned char bits[SHA256_BYTES];
	char hex[SHA256_HEX_BYTES + 1];

	hmac_random(bits, sizeof(bits));
	hmac_hex(bits, hex);
	(void)snprintf(id, EVENT_ID_BYTES + 1, "evt_%.32s", hex); /* fits */
	(void)snprintf(body, EVENT_MAX_BYTES,
	    "{\"description\":\"waybill.test\",\"id\":\"%s\","
	    "\"object\":\"Event\",\"status\":\"pending\","
	    "\"previous_attributes\":{},\"result\":{}}",
	    id); /* fits */
}

/* db_row_function */
static bool
note_found(void *context, const struct db_row *row)
{
	bool *is_found = context;

	*is_found = *session_text(row, "find_event") != '\0';
	return true;
}

/* Whether the event of an answer 2xx is where it has to be. */
static int
look_for(const struct conf *conf, const char *id)
{
	const struct db_value value = db_text(id);
	struct db_call call = {
		.function = "api.find_event", .values = &value, .count = 1
	};
	char error[DB_MESSAGE_MAX];
	bool is_found = false;

	if (session_ask(conf, "waybill_worker", &call, note_found, &is_found,
		error) != DB_OK)
		(void)fprintf(stderr,
		    "waybill: whether it is in the database is not known: %s\n",
		    error);
	else if (!is_found)
		(void)fprintf(stderr,
		    "waybill: %s is not in the database of DATABASE_URL: it "
		    "waits in the spool of the\n"
		    "waybill: host that answered (waybill spool), or that host "
		    "has another database\n",
		    id);
	else
		(void)printf("%s (waybill.test) is in the database, as a "
			     "received webhook that changed nothing\n",
		    id); /* main looks at the end */
	return is_found ? CTL_OK : CTL_FAILED;
}

static int
send_event(struct delivery *delivery, const struct conf *conf)
{
	char body[EVENT_MAX_BYTES];
	char id[EVENT_ID_BYTES + 1];

	make_event(body, id);
	delivery->body = body;
	delivery_send(delivery);
	delivery_tell(delivery);
	return delivery_is_kept(delivery) ? look_for(conf, id) : CTL_FAILED;
}

int
trial_run(const struct conf *conf, int count, char **words)
{
	struct delivery delivery = { .status = 0 };
	struct wish wish;
	struct scene scene = { .conf = *conf };
	char url[URL_MAX_BYTES];
	int status = CTL_FAILED;

	if (!scene_read_wish(count, words, &wish))
		return CTL_USAGE;
	if (wish.word == NULL ? !scene_begin(&scene, conf, &wish)
			      : !credentials_load(&scene.conf))
		return CTL_FAILED;
	if (scene_has_secret(&scene) &&
	    (wish.word != NULL || find_url(&scene, url)) &&
	    scene_read_url(
		&scene, &wish, wish.word == NULL ? url : wish.word, &delivery))
		status = send_event(&delivery, &scene.conf);
	scene_end(&scene);
	return status;
}
