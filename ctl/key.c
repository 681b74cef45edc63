/*
 * waybill key: gateway keys are made, listed, limited and revoked here.
 *
 * A key is "wb_" and 256 random bits.  It is printed once, alone on stdout, and
 * is nowhere after that: the database keeps its SHA-256, enough for a secret that
 * nobody can guess, and its first characters, so that people can tell them apart.
 */
#include "ctl/commands.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "shared/clock.h"
#include "shared/hmac.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
	RANDOM_BYTES = 32,
	KEY_BYTES = 3 + 43, /* "wb_" and base64url of 32 bytes */
	PREFIX_BYTES = 11,
	LIMIT_MS = 10000,
};

/* SQLSTATEs; the second is of a class. */
static const char check_violation[] = "23514";
static const char data_exception[] = "22";

struct wish {
	const char *name;
	const char *mode;
	const char *scopes;
	const char *rate_limit;     /* NULL: none, or as it is */
	const char *spending_limit; /* the same */
	const char *expires_at;
};

/* RFC 4648, section 5, without padding. */
static void
write_key(char key[KEY_BYTES + 1])
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char bits[RANDOM_BYTES + 1] = { 0 };
	size_t at = 3;

	hmac_random(bits, RANDOM_BYTES);
	memcpy(key, "wb_", at);
	for (size_t bit = 0; at < KEY_BYTES; bit += 6) {
		unsigned two = (unsigned)bits[bit / 8] << 8 | bits[bit / 8 + 1];

		key[at++] = digits[two >> (10 - bit % 8) & 63];
	}
	key[at] = '\0';
	explicit_bzero(bits, sizeof(bits));
}

/* Why there can be no such key, or NULL; all else is the database's to judge. */
static const char *
find_mistake(const struct wish *wish)
{
	if (wish->name == NULL || wish->mode == NULL || wish->scopes == NULL)
		return "--name, --mode and --scopes are needed";
	if (strcmp(wish->mode, "test") != 0 &&
	    strcmp(wish->mode, "production") != 0)
		return "--mode must be test or production";
	return NULL;
}

static const struct option options[] = {
	{ "name", required_argument, NULL, 'n' },
	{ "mode", required_argument, NULL, 'm' },
	{ "scopes", required_argument, NULL, 's' },
	{ "rate-limit", required_argument, NULL, 'r' },
	{ "spending-limit", required_argument, NULL, 'd' },
	{ "expires-at", required_argument, NULL, 'e' },
	{ NULL, 0, NULL, 0 },
};

/* Those that can be changed. */
static const struct option *const limits = options + 3;

/* False when there is an option that is not known, or not `rest` words more. */
static bool
read_wish(int count, char **words, const struct option *known, int rest,
    struct wish *wish)
{
	int option;

	while ((option = getopt_long(count, words, "", known, NULL)) != -1)
		if (option == 'n')
			wish->name = optarg;
		else if (option == 'm')
			wish->mode = optarg;
		else if (option == 's')
			wish->scopes = optarg;
		else if (option == 'r')
			wish->rate_limit = optarg;
		else if (option == 'd')
			wish->spending_limit = optarg;
		else if (option == 'e')
			wish->expires_at = optarg;
		else
			return false;
	return optind + rest == count;
}

static int
refuse(const char *mistake)
{
	(void)fprintf(stderr, "waybill: the key was not made: %s\n", mistake);
	return CTL_USAGE;
}

/* The constraints of the table, and values that are none at all. */
static int
tell_failure(const struct db *db, const char *what)
{
	const char *sqlstate = db_error(db)->sqlstate;

	if (strcmp(sqlstate, check_violation) != 0 &&
	    strncmp(sqlstate, data_exception, 2) != 0)
		return session_failed(db, what);
	(void)fprintf(stderr,
	    "waybill: %s: --name must have 1 to 200 characters, --scopes\n"
	    "must be a list of read,write,admin, --rate-limit a whole number "
	    "from 1 to 1000000,\n--spending-limit an amount from 0 on as "
	    "99.50, --expires-at a time as\n2027-01-31T12:00Z; a limit may be "
	    "none\n",
	    what);
	return CTL_FAILED;
}

static int
create(const struct conf *conf, int count, char **words)
{
	struct wish wish = { .name = NULL };
	const char *mistake;
	struct db *db;
	unsigned char digest[SHA256_BYTES];
	char key[KEY_BYTES + 1];
	char prefix[PREFIX_BYTES + 1] = "";
	int status = CTL_OK;

	if (!read_wish(count, words, options, 0, &wish))
		return CTL_USAGE;
	mistake = find_mistake(&wish);
	if (mistake != NULL)
		return refuse(mistake);
	db = session_open(conf, "waybill_owner", LIMIT_MS);
	write_key(key);
	hmac_sha256(key, KEY_BYTES, digest);
	memcpy(prefix, key, PREFIX_BYTES);
	const struct db_value values[] = { db_bytes(digest, sizeof(digest)),
		db_text(prefix), db_text(wish.name), db_text(wish.mode),
		db_text(wish.scopes), db_text(wish.rate_limit),
		db_text(wish.spending_limit), db_text(wish.expires_at) };
	const struct db_call call = { .function = "admin.create_key",
		.values = values,
		.count = 8,
		.deadline_ms = clock_ms() + LIMIT_MS };
	if (db_call(db, &call, NULL, NULL) != DB_OK)
		status = tell_failure(db, "the key was not made");
	else
		(void)printf("%s\n", key); /* main looks at the end */
	explicit_bzero(key, sizeof(key));
	db_close(db);
	return status;
}

static int
list(const struct conf *conf, int count, char **words)
{
	const struct db_call call = { .function = "admin.keys",
		.deadline_ms = clock_ms() + LIMIT_MS,
		.is_read = true };
	struct db *db;
	int status = CTL_OK;

	(void)words; /* there are none but the name */
	if (count != 1)
		return CTL_USAGE;
	db = session_open(conf, "waybill_owner", LIMIT_MS);
	if (table_print(db, &call) != DB_OK)
		status = session_failed(db, "the keys cannot be read");
	db_close(db);
	return status;
}

/* What is done to one key, which values[0] names. */
struct deed {
	const char *function;
	const char *done;   /* "revoked" */
	const char *undone; /* "no key was revoked" */
	int keys;           /* that it was done to */
};

/* db_row_function */
static bool
tell_done(void *context, const struct db_row *row)
{
	struct deed *deed = context;

	(void)printf("%s %s\n", deed->done,
	    session_text(row, "prefix")); /* main looks at the end */
	deed->keys++;
	return true;
}

static int
act(const struct conf *conf, struct deed *deed, const struct db_value *values,
    int count)
{
	struct db *db = session_open(conf, "waybill_owner", LIMIT_MS);
	const struct db_call call = { .function = deed->function,
		.values = values,
		.count = count,
		.deadline_ms = clock_ms() + LIMIT_MS };
	int status = CTL_OK;

	if (db_call(db, &call, tell_done, deed) != DB_OK) {
		status = tell_failure(db, deed->undone);
	} else if (deed->keys == 0) {
		(void)fprintf(stderr,
		    "waybill: no live key begins with or "
		    "has the id %s\n",
		    values[0].data);
		status = CTL_FAILED;
	}
	db_close(db);
	return status;
}

static int
limit(const struct conf *conf, int count, char **words)
{
	struct deed deed = { .function = "admin.limit_key",
		.done = "limited",
		.undone = "no key was limited" };
	struct wish wish = { .name = NULL };

	if (!read_wish(count, words, limits, 1, &wish))
		return CTL_USAGE;
	return act(conf, &deed,
	    (const struct db_value[]){ db_text(words[optind]),
		db_text(wish.rate_limit), db_text(wish.spending_limit),
		db_text(wish.expires_at) },
	    4);
}

static int
revoke(const struct conf *conf, int count, char **words)
{
	struct deed deed = { .function = "admin.revoke_key",
		.done = "revoked",
		.undone = "no key was revoked" };

	if (count != 2)
		return CTL_USAGE;
	return act(
	    conf, &deed, (const struct db_value[]){ db_text(words[1]) }, 1);
}

static const struct {
	const char *name;
	int (*run)(const struct conf *, int count, char **words);
} actions[] = {
	{ "create", create },
	{ "list", list },
	{ "limit", limit },
	{ "revoke", revoke },
};

int
key_run(const struct conf *conf, int count, char **words)
{
	for (size_t i = 0; count > 1 && i < sizeof(actions) / sizeof(*actions);
	     i++)
		if (strcmp(actions[i].name, words[1]) == 0)
			return actions[i].run(conf, count - 1, words + 1);
	return CTL_USAGE;
}
