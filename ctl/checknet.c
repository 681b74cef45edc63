/*
 * The world outside: EasyPost's side of the account, and our site as clients
 * reach it.  Nothing is asked but what is free of charge and changes nothing.
 */
#include "ctl/check.h"
#include "shared/clock.h"
#include "shared/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	CALL_MS = 5000,
	KEY_MAX = 300,
	HOST_MAX = 256,
	DAY_S = 86400,
	DAYS_WARN = 21, /* certbot(1) renews when 30 are left */
	DAYS_FAIL = 7,
};

static const char hook_path[] = "/webhooks/easypost";

static const struct {
	const char *name;
	const char *setting;
	const char *file;
} modes[CHECK_MODES] = {
	[CHECK_PRODUCTION] = { "production", "EASYPOST_API_KEY",
	    "easypost-api-key" },
	[CHECK_TEST] = { "test", "EASYPOST_TEST_API_KEY",
	    "easypost-test-api-key" },
};

static const char *
key_of(const struct check *check, int mode)
{
	return mode == CHECK_PRODUCTION
	    ? check->conf.secrets.easypost_api_key
	    : check->conf.secrets.easypost_test_api_key;
}

/* Where a secret is to be put: in the directory of the secrets, if there is one. */
static void
cure_secret(const struct check *check, const char *file, const char *setting,
    const char *service, struct verdict *verdict)
{
	char dir[CREDENTIALS_PATH_MAX];

	credentials_path(check->file, "", dir);
	if (check->secrets == CREDENTIALS_NONE)
		verdict_cure(verdict, "%s= in %s", setting,
		    check->file == NULL ? "the environment" : check->file);
	else
		verdict_cure(verdict,
		    "sudo sh -c 'cat > %s/%s' (paste it, Enter, Ctrl-D); "
		    "systemctl restart waybill-%s",
		    dir, file, service);
}

/* Nothing is set, or nothing that we may see. */
static void
skip_secret(
    const struct check *check, const char *setting, struct verdict *verdict)
{
	char dir[CREDENTIALS_PATH_MAX];

	credentials_path(check->file, "", dir);
	if (check->secrets == CREDENTIALS_HIDDEN) {
		verdict_set(
		    verdict, VERDICT_SKIP, "only root may look into %s", dir);
		verdict_cure(verdict, "sudo waybill check");
	} else {
		verdict_set(verdict, VERDICT_SKIP, "%s is not set", setting);
	}
}

/* --- EasyPost ------------------------------------------------------------ */

/* RFC 9110, 6.6.1; whole seconds, so that one of them says nothing. */
static void
note_date(struct check *check, const struct reply *answer)
{
	const char *header = reply_header(answer, "Date");
	struct tm parts = { 0 };
	double ahead_s;

	if (header == NULL ||
	    strptime(header, "%a, %d %b %Y %H:%M:%S GMT", &parts) == NULL)
		return;
	ahead_s = difftime(timegm(&parts), time(NULL));
	check->easypost_ahead_s = ahead_s >= -1 && ahead_s <= 1 ? 0 : ahead_s;
	check->has_date = true;
}

static enum easypost_result
ask(struct check *check, struct easypost *easypost, int mode,
    struct reply *answer)
{
	char authorization[KEY_MAX];
	const struct easypost_header headers[] = {
		{ "Authorization", authorization },
		{ "Accept", "application/json" },
	};
	const struct easypost_request request = {
		.method = "GET",
		.target = "/v2/webhooks",
		.headers = headers,
		.header_count = 2,
		.deadline_ms = check_until_ms(check, CALL_MS),
	};
	enum easypost_result result;

	(void)snprintf(authorization, sizeof(authorization), "Bearer %s",
	    key_of(check, mode)); /* conf.c bounds the key */
	result = easypost_send(easypost, &request, answer);
	explicit_bzero(authorization, sizeof(authorization));
	return result;
}

static void
read_webhooks(struct check *check, int mode, const struct reply *answer,
    struct verdict *verdict)
{
	char problem[JSON_PROBLEM_MAX];
	struct json *document =
	    json_read(answer->body.data, answer->body.len, problem);
	const struct json *list = json_member(document, "webhooks");
	const char *of = json_text(json_member(json_element(list, 0), "mode"));

	if (json_kind(list) != JSON_KIND_ARRAY) {
		verdict_set(verdict, VERDICT_WARN,
		    "EasyPost's answer is no list of webhooks");
		json_free(document);
		return;
	}
	check->webhooks[mode] = document;
	verdict_set(verdict, VERDICT_OK,
	    "EasyPost takes it, a key of the mode %s", modes[mode].name);
	if (of == NULL || strcmp(of, modes[mode].name) == 0)
		return;
	verdict_set(verdict, VERDICT_FAIL, "it is a key of the mode %s", of);
	cure_secret(
	    check, modes[mode].file, modes[mode].setting, "upstream", verdict);
}

static void
judge_answer(struct check *check, int mode, const struct reply *answer,
    struct verdict *verdict)
{
	if (answer->status == 200 && answer->body.len > 0) {
		read_webhooks(check, mode, answer, verdict);
	} else if (answer->status == 401 || answer->status == 403) {
		verdict_set(verdict, VERDICT_FAIL,
		    "EasyPost refuses the %s key (%s) with status %d",
		    modes[mode].name, modes[mode].setting, answer->status);
		cure_secret(check, modes[mode].file, modes[mode].setting,
		    "upstream", verdict);
	} else {
		verdict_set(verdict, VERDICT_WARN,
		    "EasyPost answered with status %d", answer->status);
		verdict_cure(verdict, "waybill check again, in a minute");
	}
}

void
check_key(struct check *check, int subject, struct verdict *verdict)
{
	static struct easypost *easypost;
	const struct conf *conf = &check->conf;
	enum easypost_result result;
	struct reply answer;

	if (*key_of(check, subject) == '\0') {
		skip_secret(check, modes[subject].setting, verdict);
		return;
	}
	if (easypost == NULL)
		easypost = easypost_new(
		    conf->easypost_api_base, conf->easypost_ca_file);
	reply_init(&answer);
	result = ask(check, easypost, subject, &answer);
	if (result == EASYPOST_ANSWERED) {
		note_date(check, &answer);
		judge_answer(check, subject, &answer, verdict);
	} else {
		verdict_set(verdict, VERDICT_FAIL, "%s does not answer: %s",
		    conf->easypost_api_base, easypost_error(easypost));
		verdict_cure(verdict,
		    result == EASYPOST_UNTRUSTED
			? "apt install ca-certificates; EASYPOST_CA_FILE has "
			  "to be empty or right"
			: "curl -v %s/; a firewall, or the name server in "
			  "/etc/resolv.conf",
		    conf->easypost_api_base);
	}
	reply_free(&answer);
}

/* --- webhooks ------------------------------------------------------------ */

void
check_webhook_secret(struct check *check, int subject, struct verdict *verdict)
{
	const struct conf *conf = &check->conf;

	(void)subject;
	if (conf->webhook_allow_unsigned) {
		verdict_set(verdict, VERDICT_FAIL,
		    "webhooks are accepted that nobody signed");
		verdict_cure(verdict, "EASYPOST_WEBHOOK_ALLOW_UNSIGNED=false");
	} else if (*conf->secrets.webhook_secret != '\0') {
		verdict_set(verdict, VERDICT_OK,
		    *conf->secrets.webhook_secret_previous == '\0'
			? "it is set"
			: "it is set, and the one before still holds");
	} else if (check->secrets == CREDENTIALS_HIDDEN) {
		skip_secret(check, "EASYPOST_WEBHOOK_SECRET", verdict);
	} else {
		verdict_set(verdict, VERDICT_FAIL,
		    "EASYPOST_WEBHOOK_SECRET is not set: webhooks are answered "
		    "with 503");
		cure_secret(check, "webhook-secret", "EASYPOST_WEBHOOK_SECRET",
		    "webhook", verdict);
	}
}

/* Behind "https://" and "user:password@", which nobody has to see. */
static const char *
behind_user(const char *url)
{
	const char *host = strstr(url, "://");
	const char *at;

	host = host == NULL ? url : host + 3;
	at = memchr(host, '@', strcspn(host, "/"));
	return at == NULL ? host : at + 1;
}

/* With --url exactly there, else at any of our paths. */
static bool
is_ours(const struct check *check, const char *url)
{
	const char *place = url == NULL ? "" : behind_user(url);
	const char *path = strchr(place, '/');
	const char *host;
	size_t bytes;

	if (path == NULL || strcmp(path, hook_path) != 0)
		return false;
	if (check->url == NULL)
		return true;
	host = behind_user(check->url);
	bytes = strcspn(host, "/");
	return bytes == (size_t)(path - place) &&
	    strncasecmp(host, place, bytes) == 0;
}

static const struct json *
find_ours(const struct check *check, int mode)
{
	const struct json *list =
	    json_member(check->webhooks[mode], "webhooks");
	const struct json *found = NULL;

	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *hook = json_element(list, i);

		if (!is_ours(check, json_text(json_member(hook, "url"))))
			continue;
		/* One that works is worth more than one that is disabled. */
		if (found == NULL ||
		    json_text(json_member(hook, "disabled_at")) == NULL)
			found = hook;
	}
	return found;
}

void
check_webhook(struct check *check, int subject, struct verdict *verdict)
{
	const char *mode = modes[subject].name;
	const char *url =
	    check->url == NULL ? "https://ship.example.com" : check->url;
	const struct json *hook = find_ours(check, subject);
	const char *id = json_text(json_member(hook, "id"));
	const char *since = json_text(json_member(hook, "disabled_at"));
	int host = (int)strcspn(behind_user(url), "/");

	if (check->webhooks[subject] == NULL) {
		verdict_set(verdict, VERDICT_SKIP,
		    "EasyPost did not say which there are");
		return;
	}
	verdict_set(verdict, VERDICT_OK, "%s is registered and enabled",
	    id == NULL ? "it" : id);
	if (hook == NULL)
		verdict_set(verdict,
		    subject == CHECK_PRODUCTION ? VERDICT_FAIL : VERDICT_WARN,
		    "none is registered at EasyPost for %.*s%s",
		    check->url == NULL ? 0 : host, behind_user(url), hook_path);
	else if (since != NULL)
		verdict_set(verdict, VERDICT_FAIL,
		    "EasyPost has disabled %s, since %s",
		    id == NULL ? "it" : id, since);
	if (verdict->state != VERDICT_OK)
		verdict_cure(verdict,
		    "waybill webhook register https://%.*s%s --mode %s", host,
		    behind_user(url), hook_path, mode);
}

/* --- the site ------------------------------------------------------------ */

static void
judge_site(
    struct check *check, const struct reply *answer, struct verdict *verdict)
{
	char problem[JSON_PROBLEM_MAX];
	struct json *document = answer->body.len == 0
	    ? NULL
	    : json_read(answer->body.data, answer->body.len, problem);
	const char *message =
	    json_text(json_member(json_member(document, "error"), "message"));
	bool is_ready =
	    json_is_true(json_member(json_member(document, "data"), "ready"));

	verdict_set(
	    verdict, VERDICT_OK, "%s is ready, over HTTP/2", check->url);
	if (answer->status != 200) {
		verdict_set(verdict, VERDICT_FAIL,
		    "/readyz is answered with %d: %s", answer->status,
		    message == NULL ? "by somebody else than Waybill"
				    : message);
		verdict_cure(verdict,
		    "the failures above; tail "
		    "/var/log/nginx/waybill.error.log");
	} else if (!is_ready) {
		verdict_set(verdict, VERDICT_FAIL,
		    "somebody else than Waybill answers there");
		verdict_cure(verdict,
		    "server_name in /etc/nginx/sites-available/waybill has to "
		    "be this name; nginx -t; systemctl reload nginx");
	} else if (!check->site.speaks_http2) {
		verdict_set(verdict, VERDICT_WARN,
		    "%s is ready, but does not speak HTTP/2", check->url);
		verdict_cure(verdict,
		    "listen 443 ssl http2; in /etc/nginx/sites-available/"
		    "waybill");
	}
	json_free(document);
}

static void
tell_no_site(struct check *check, enum easypost_result result,
    const char *message, struct verdict *verdict)
{
	char host[HOST_MAX];

	(void)snprintf(host, sizeof(host), "%.*s",
	    (int)strcspn(behind_user(check->url), ":/"),
	    behind_user(check->url)); /* a longer one has no certificate */
	verdict_set(verdict, VERDICT_FAIL, "%s: %s", check->url, message);
	if (result == EASYPOST_UNTRUSTED)
		verdict_cure(verdict,
		    "certbot certonly --webroot -w /var/www/html -d %s, and "
		    "its two paths in /etc/nginx/sites-available/waybill; for "
		    "an authority of your own: --ca FILE",
		    host);
	else
		verdict_cure(verdict,
		    "nginx -t; systemctl enable --now nginx; ln -s "
		    "../sites-available/waybill /etc/nginx/sites-enabled/");
}

void
check_site(struct check *check, int subject, struct verdict *verdict)
{
	const struct easypost_request request = {
		.method = "GET",
		.target = "/readyz",
		.deadline_ms = check_until_ms(check, CALL_MS),
	};
	enum easypost_result result;
	struct easypost *site;
	struct reply answer;

	(void)subject;
	if (check->url == NULL) {
		verdict_set(verdict, VERDICT_SKIP, "its address is not known");
		verdict_cure(
		    verdict, "waybill check --url https://ship.example.com");
		return;
	}
	site = easypost_new(check->url, check->ca_file);
	easypost_look_at_site(site, &check->site);
	reply_init(&answer);
	result = easypost_send(site, &request, &answer);
	check->has_site = result == EASYPOST_ANSWERED;
	if (check->has_site)
		judge_site(check, &answer, verdict);
	else
		tell_no_site(check, result, easypost_error(site), verdict);
	reply_free(&answer);
}

void
check_certificate(struct check *check, int subject, struct verdict *verdict)
{
	struct tm parts = { 0 };
	long long days;

	(void)subject;
	/* "Nov 29 06:28:00 2027 GMT" */
	if (!check->has_site ||
	    strptime(check->site.expires, "%b %d %H:%M:%S %Y", &parts) ==
		NULL) {
		verdict_set(verdict, VERDICT_SKIP,
		    check->has_site ? "it says no date" : "it was not seen");
		return;
	}
	days = (long long)difftime(timegm(&parts), time(NULL)) / DAY_S;
	verdict_set(verdict,
	    days < DAYS_FAIL       ? VERDICT_FAIL
		: days < DAYS_WARN ? VERDICT_WARN
				   : VERDICT_OK,
	    "days left: %lld", days);
	if (days < DAYS_WARN)
		verdict_cure(verdict,
		    "certbot renew; systemctl reload nginx (systemctl enable "
		    "--now certbot.timer does it by itself)");
}
