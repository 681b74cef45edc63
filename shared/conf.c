/*
 * The configuration: see conf.h for the promises.
 *
 * THE TABLE below is the whole truth: each key with its kind, range, default,
 * older name and the place of its value.  The file is read first, then the
 * environment, then each value is checked and stored.  A new key is one line of
 * the table and one field of struct conf.  An empty value means the default.
 * What must stay true: no sentence holds any value, since even a key that is
 * no secret may hold one by mistake.
 */
#include "shared/conf.h"

#include "shared/arena.h"
#include "shared/envfile.h"
#include "shared/file.h"
#include "shared/log.h"
#include "shared/setting.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	NAME_MAX_BYTES = 128,
	FILE_MAX_BYTES = 1024 * 1024,
	VALUE_MAX_BYTES = 8 * 1024,
	SOCKET_DIR_MAX_BYTES = 90, /* sun_path is 108, less "/upstream.sock" */
	PATH_MAX_BYTES = 1024,
	KEY_MAX_BYTES = 255, /* what a request may send; they have about 60 */
};

static const struct setting_choice environments[] = {
	{ "production", CONF_PRODUCTION },
	{ "development", CONF_DEVELOPMENT },
	{ "test", CONF_TEST },
	{ NULL, 0 },
};

static const struct setting_choice priorities[] = {
	{ "critical", LOG_CRITICAL },
	{ "error", LOG_ERROR },
	{ "warning", LOG_WARNING },
	{ "notice", LOG_NOTICE },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
	{ NULL, 0 },
};

static const struct setting_choice addresses[] = {
	{ "full", CONF_ADDRESSES_FULL },
	{ "truncated", CONF_ADDRESSES_TRUNCATED },
	{ "none", CONF_ADDRESSES_NONE },
	{ NULL, 0 },
};

/* How EasyPost's keys begin: a test key in production would print labels that
 * no carrier takes, a production key in a test would buy real ones. */
static const struct setting_choice test_keys[] = { { "EZTK", 0 }, { NULL, 0 } };
static const struct setting_choice production_keys[] = { { "EZAK", 0 },
	{ NULL, 0 } };

/* clang-format off */
#define AT(field) offsetof(struct conf, field)
static const struct setting keys[] = {
	{ "ENVIRONMENT", SETTING_CHOICE, AT(environment), "production", 0, 0, environments, NULL },
	{ "LOG_LEVEL", SETTING_CHOICE, AT(log_priority), "info", 0, 0, priorities, NULL },
	{ "ACTIVITY_ADDRESSES", SETTING_CHOICE, AT(activity_addresses), "full", 0, 0, addresses, NULL },
	{ "DATABASE_URL", SETTING_DATABASE, AT(secrets.database_url), "", 0, 0, NULL, NULL },
	{ "DATABASE_READ_URL", SETTING_DATABASE, AT(secrets.database_read_url), "", 0, 0, NULL, NULL },
	{ "WORKERS", SETTING_NUMBER, AT(workers), "20", 3, 500, NULL, "DATABASE_POOL_SIZE" },
	{ "WORKERS_OVERFLOW", SETTING_NUMBER, AT(workers_overflow), "30", 0, 500, NULL, "DATABASE_MAX_OVERFLOW" },
	{ "WORKER_REQUESTS", SETTING_NUMBER, AT(worker_requests), "100000", 1, 1000000000, NULL, NULL },
	{ "DATABASE_POOL_RECYCLE", SETTING_NUMBER, AT(database_recycle_s), "3600", 0, 604800, NULL, NULL },
	{ "DATABASE_POOL_TIMEOUT", SETTING_SECONDS, AT(database_wait_ms), "2", 1, 60, NULL, NULL },
	{ "DATABASE_CONNECT_TIMEOUT", SETTING_SECONDS, AT(database_connect_ms), "10", 1, 60, NULL, NULL },
	{ "DATABASE_COMMAND_TIMEOUT", SETTING_SECONDS, AT(database_command_ms), "60", 1, 3600, NULL, NULL },
	{ "DATABASE_ECHO", SETTING_TRUTH, AT(database_echo), "false", 0, 0, NULL, NULL },
	{ "EASYPOST_API_KEY", SETTING_TOKEN, AT(secrets.easypost_api_key), "", 0, KEY_MAX_BYTES, test_keys, NULL },
	{ "EASYPOST_TEST_API_KEY", SETTING_TOKEN, AT(secrets.easypost_test_api_key), "", 0, KEY_MAX_BYTES, production_keys, NULL },
	{ "EASYPOST_API_BASE", SETTING_ADDRESS, AT(easypost_api_base), "https://api.easypost.com", 0, 0, NULL, NULL },
	{ "EASYPOST_CA_FILE", SETTING_PATH, AT(easypost_ca_file), "", 0, PATH_MAX_BYTES, NULL, NULL },
	{ "EASYPOST_WEBHOOK_SECRET", SETTING_NFKD_SECRET, AT(secrets.webhook_secret), "", 0, 0, NULL, NULL },
	{ "EASYPOST_WEBHOOK_SECRET_PREVIOUS", SETTING_NFKD_SECRET, AT(secrets.webhook_secret_previous), "", 0, 0, NULL, NULL },
	{ "EASYPOST_WEBHOOK_ALLOW_UNSIGNED", SETTING_TRUTH, AT(webhook_allow_unsigned), "false", 0, 0, NULL, NULL },
	{ "STALE_READS", SETTING_TRUTH, AT(stale_reads), "true", 0, 0, NULL, NULL },
	{ "TRACKING_FRESH", SETTING_NUMBER, AT(tracking_fresh_s), "900", 0, 604800, NULL, NULL },
	{ "WAYBILL_RUN_DIR", SETTING_PATH, AT(run_dir), "/run/waybill", 0, SOCKET_DIR_MAX_BYTES, NULL, NULL },
	{ "WAYBILL_SPOOL_DIR", SETTING_PATH, AT(spool_dir), "/var/lib/waybill/spool", 0, PATH_MAX_BYTES, NULL, NULL },
	{ "WAYBILL_BACKUP_DIR", SETTING_PATH, AT(backup_dir), "/var/lib/waybill-backup", 0, PATH_MAX_BYTES, NULL, NULL },
	{ "WAYBILL_SQL_DIR", SETTING_PATH, AT(sql_dir), "/usr/share/waybill/sql", 0, PATH_MAX_BYTES, NULL, NULL },
	{ "SPOOL_MAX_BYTES", SETTING_LONG, AT(spool_max_bytes), "1073741824", 1048576, LONG_MAX, NULL, NULL },
	{ "SPOOL_MAX_FILES", SETTING_LONG, AT(spool_max_files), "100000", 1, 1000000, NULL, NULL },
};
#undef AT

/* clang-format on */

enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

/* An unknown name is a mistake in the environment, too, when it looks ours. */
static const char *const own_beginnings[] = { "ACTIVITY_", "DATABASE_",
	"EASYPOST_", "SPOOL_", "STALE_", "TRACKING_", "WAYBILL_", "WORKER" };

enum { OWN_BEGINNINGS = sizeof(own_beginnings) / sizeof(own_beginnings[0]) };

enum source { ENVIRONMENT, FILE_LINES, SOURCES };

enum form { PLAIN, IN_FILE, FORMS };

/* One value as it was found; NULL: it was not. */
struct found {
	const char *value;
	const char *name; /* as it was written there */
	const char *origin;
};

/* All of one conf_load(). */
struct load {
	struct conf conf;
	struct found found[SOURCES][KEYS][FORMS];
	struct found chosen[KEYS];
	const char *file;
	struct buf *error;
};

/* Holds every load and all values: they live as long as the process.  Without
 * a limit of its own, since the files and values have theirs. */
static struct arena *memory;
static const struct load *last_load; /* for conf_print() */

/* `origin: NAME sentence`; always false. */
static bool refuse(struct load *, const struct found *, const char *, ...)
    __attribute__((format(printf, 3, 4)));

static bool
refuse(struct load *load, const struct found *found, const char *format, ...)
{
	va_list args;
	char sentence[512];

	va_start(args, format);
	/* Cut when longer, which no sentence here is. */
	(void)vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	(void)buf_addf(load->error, "%s: %s %s", found->origin, found->name,
	    sentence); /* what does not fit is lost */
	return false;
}

/*
 * Finding values.
 */

/* True when `name` is `base` or, for a secret, `base`_FILE. */
static bool
is_named(const char *name, const char *base, bool may_be_file, enum form *form)
{
	size_t bytes = strlen(base);

	if (strncmp(name, base, bytes) != 0)
		return false;
	*form = name[bytes] == '\0' ? PLAIN : IN_FILE;
	return *form == PLAIN ||
	    (may_be_file && strcmp(name + bytes, "_FILE") == 0);
}

/* The number of a key in the table, or KEYS. */
static size_t
find_key(const char *name, enum form *form)
{
	size_t i;

	for (i = 0; i < KEYS; i++) {
		if (is_named(
			name, keys[i].name, setting_is_secret(&keys[i]), form))
			break;
		if (keys[i].alias != NULL &&
		    is_named(name, keys[i].alias, false, form))
			break;
	}
	return i;
}

/* Notes what was found; `origin` and `name` must live long. */
static bool
remember(struct load *load, enum source source, const struct found *found)
{
	enum form form;
	size_t i = find_key(found->name, &form);
	struct found *slot;

	if (i == KEYS)
		return refuse(load, found, "is not a key of Waybill");
	slot = &load->found[source][i][form];
	if (slot->value != NULL)
		return refuse(load, found, "is already given as %s (%s)",
		    slot->name, slot->origin);
	if (strnlen(found->value, VALUE_MAX_BYTES + 1) > VALUE_MAX_BYTES)
		return refuse(
		    load, found, "must have at most %d bytes", VALUE_MAX_BYTES);
	*slot = *found;
	slot->value = arena_copy(memory, found->value, strlen(found->value));
	slot->name = arena_copy(memory, found->name, strlen(found->name));
	return true;
}

/* An envfile_function. */
static bool
assign(void *context, const char *name, const char *value, int line)
{
	struct load *load = context;
	struct found found = { .name = name, .value = value };

	found.origin = arena_printf(memory, "%s:%d", load->file, line);
	return remember(load, FILE_LINES, &found);
}

static bool
find_in_file(struct load *load)
{
	struct envfile_problem problem;
	struct buf text;
	bool is_good = false;

	if (load->file == NULL)
		return true;
	buf_init(&text, FILE_MAX_BYTES);
	if (!file_read(load->file, &text))
		(void)buf_addf(load->error, "%s: cannot be read: %s",
		    load->file, strerror(errno)); /* cut at most */
	else if (envfile_parse(text.data, text.len, assign, load, &problem))
		is_good = true;
	else if (problem.sentence != NULL)
		(void)buf_addf(load->error, "%s:%d: %s", load->file,
		    problem.line, problem.sentence); /* cut at most */
	buf_free(&text);
	return is_good;
}

static bool
looks_ours(const char *name)
{
	size_t i;

	for (i = 0; i < OWN_BEGINNINGS; i++)
		if (strncmp(name, own_beginnings[i],
			strlen(own_beginnings[i])) == 0)
			return true;
	return false;
}

static bool
find_in_environment(struct load *load)
{
	struct found found = { .origin = "environment" };
	char **entry;
	enum form form;

	for (entry = environ; entry != NULL && *entry != NULL; entry++) {
		char name[NAME_MAX_BYTES];
		size_t bytes = strcspn(*entry, "=");

		if (bytes >= sizeof(name) || (*entry)[bytes] != '=')
			continue;
		memcpy(name, *entry, bytes);
		name[bytes] = '\0';
		if (find_key(name, &form) == KEYS && !looks_ours(name))
			continue;
		found.name = name;
		found.value = *entry + bytes + 1;
		if (!remember(load, ENVIRONMENT, &found))
			return false;
	}
	return true;
}

/*
 * Choosing between them.
 */

/* Puts the content of a secret's file in place of its path. */
static bool
read_secret(struct load *load, struct found *found)
{
	struct buf content;
	bool is_good = true;

	buf_init(&content, VALUE_MAX_BYTES);
	/* The path is not told: it may be a secret put into the wrong key. */
	if (!file_read(found->value, &content))
		is_good = refuse(load, found,
		    "names a file that cannot be read: %s", strerror(errno));
	else {
		if (content.len > 0 && content.data[content.len - 1] == '\n')
			content.data[--content.len] = '\0';
		if (strlen(content.data) != content.len)
			is_good = refuse(
			    load, found, "names a file that holds a zero byte");
		found->value = arena_copy(memory, content.data, content.len);
	}
	buf_free(&content);
	return is_good;
}

/* A URL of the database is a secret only when it has a password: where its file is
 * empty, what is said elsewhere holds. */
static bool
is_left_open(const struct setting *key, const struct found *found)
{
	return key->kind == SETTING_DATABASE && *found->value == '\0';
}

/* The environment goes before the file; K and K_FILE exclude each other. */
static bool
choose(struct load *load, size_t i)
{
	static const struct found none = { "", "", "default" };
	size_t source;

	load->chosen[i] = none;
	load->chosen[i].name = keys[i].name;
	for (source = 0; source < SOURCES; source++) {
		const struct found *plain = &load->found[source][i][PLAIN];
		const struct found *in_file = &load->found[source][i][IN_FILE];
		bool has_plain = plain->value != NULL && *plain->value != '\0';
		bool has_file =
		    in_file->value != NULL && *in_file->value != '\0';

		if (has_plain && has_file)
			return refuse(load, in_file,
			    "and %s exclude each other (%s)", plain->name,
			    plain->origin);
		if (plain->value == NULL && in_file->value == NULL)
			continue;
		load->chosen[i] =
		    has_file || plain->value == NULL ? *in_file : *plain;
		if (!has_file)
			return true;
		if (!read_secret(load, &load->chosen[i]))
			return false;
		if (!is_left_open(&keys[i], &load->chosen[i]))
			return true;
	}
	return true;
}

static bool
store(struct load *load, size_t i)
{
	const struct found *found = &load->chosen[i];
	const char *text = found->value;
	const char *allowed;

	if (*text == '\0')
		text = keys[i].initial;
	allowed = setting_store(
	    &keys[i], text, (char *)&load->conf + keys[i].offset, memory);
	if (allowed == NULL)
		return true;
	return refuse(load, found, "%s", allowed);
}

bool
conf_load(struct conf *conf, const char *file, struct buf *error)
{
	struct load *load;
	size_t i;

	if (memory == NULL)
		memory = arena_new(SIZE_MAX);
	load = arena_alloc(memory, sizeof(*load));
	load->error = error;
	load->file =
	    file == NULL ? NULL : arena_copy(memory, file, strlen(file));
	if (!find_in_file(load) || !find_in_environment(load))
		return false;
	for (i = 0; i < KEYS; i++)
		if (!choose(load, i) || !store(load, i))
			return false;
	load->conf.file = load->file;
	load->error = NULL;
	last_load = load;
	*conf = load->conf;
	return true;
}

void
conf_print(const struct conf *conf, struct buf *out)
{
	size_t i;

	for (i = 0; i < KEYS; i++) {
		const void *place = (const char *)conf + keys[i].offset;
		const struct found *from = &last_load->chosen[i];

		(void)buf_addf(out, "%s=", keys[i].name);
		setting_show(&keys[i], place, out);
		(void)buf_addf(out, " # %s", from->origin);
		if (strcmp(from->name, keys[i].name) != 0)
			(void)buf_addf(out, ", %s", from->name);
		(void)buf_add_byte(out, '\n'); /* the caller looks at failed */
	}
}
