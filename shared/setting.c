/*
 * One setting: see setting.h for the promises.
 *
 * One function to store and one to show for each kind, in the table at the end.
 * What must stay true: no sentence and nothing shown holds a secret's text.
 */
#include "shared/setting.h"

#include "shared/address.h"
#include "shared/nfkd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool
setting_is_secret(const struct setting *setting)
{
	return setting->kind >= SETTING_TOKEN;
}

static const char *
store_text(const struct setting *setting, const char *text, void *place,
    struct arena *arena)
{
	const char *copy = arena_copy(arena, text, strlen(text));

	(void)setting; /* any text is allowed */
	memcpy(place, &copy, sizeof(copy));
	return NULL;
}

static const char *
store_choice(const struct setting *setting, const char *text, void *place,
    struct arena *arena)
{
	const struct setting_choice *choice;
	const char *words = "";

	for (choice = setting->choices; choice->word != NULL; choice++) {
		if (strcmp(choice->word, text) == 0) {
			memcpy(place, &choice->value, sizeof(choice->value));
			return NULL;
		}
		words = arena_printf(arena, "%s%s%s", words,
		    *words == '\0' ? "" : ", ", choice->word);
	}
	return arena_printf(arena, "must be one of %s", words);
}

static const char *
store_truth(const struct setting *setting, const char *text, void *place,
    struct arena *arena)
{
	bool value = strcmp(text, "true") == 0;

	(void)setting; /* all of this kind are alike */
	(void)arena;
	if (!value && strcmp(text, "false") != 0)
		return "must be true or false";
	memcpy(place, &value, sizeof(value));
	return NULL;
}

/* Digits only: no sign, no blanks, no unit. */
static bool
read_number(const struct setting *setting, const char *text, long *number)
{
	if (*text == '\0' || text[strspn(text, "0123456789")] != '\0')
		return false;
	errno = 0;
	*number = strtol(text, NULL, 10);
	return errno == 0 && *number >= setting->least &&
	    *number <= setting->most;
}

static const char *
store_number(const struct setting *setting, const char *text, void *place,
    struct arena *arena)
{
	bool is_seconds = setting->kind == SETTING_SECONDS;
	long number;
	int small;

	if (!read_number(setting, text, &number))
		return arena_printf(arena,
		    "must be a whole number%s from %ld to %ld",
		    is_seconds ? " of seconds" : "", setting->least,
		    setting->most);
	if (setting->kind == SETTING_LONG) {
		memcpy(place, &number, sizeof(number));
		return NULL;
	}
	small = (int)(is_seconds ? number * 1000 : number);
	memcpy(place, &small, sizeof(small));
	return NULL;
}

static const char *
store_path(const struct setting *setting, const char *text, void *place,
    struct arena *arena)
{
	bool may_be_empty = *setting->initial == '\0';

	if (*text == '\0' && may_be_empty)
		return store_text(setting, text, place, arena);
	if (*text != '/' || strlen(text) > (size_t)setting->most)
		return arena_printf(arena,
		    "must be an absolute path of at most %ld bytes",
		    setting->most);
	return store_text(setting, text, place, arena);
}

static const char *
store_address(const struct setting *setting, const char *text, void *place,
    struct arena *arena)
{
	size_t bytes = strlen(text);
	const char *copy;

	(void)setting; /* all of this kind are alike */
	if (!address_is_allowed(text))
		return "must be https://HOST[:PORT], or http://HOST[:PORT] "
		       "when the host is localhost, 127.x.x.x or [::1], "
		       "without user, path or query";
	if (text[bytes - 1] == '/')
		bytes--;
	copy = arena_copy(arena, text, bytes);
	memcpy(place, &copy, sizeof(copy));
	return NULL;
}

/* An API key becomes the user of Basic authentication. */
static const char *
store_token(const struct setting *setting, const char *text, void *place,
    struct arena *arena)
{
	const unsigned char *at = (const unsigned char *)text;
	const struct setting_choice *other;

	while (*at > ' ' && *at < 0x7f && *at != ':')
		at++;
	if (*at != '\0' || strlen(text) > (size_t)setting->most)
		return arena_printf(arena,
		    "must consist of at most %ld visible ASCII characters "
		    "without a colon",
		    setting->most);
	for (other = setting->choices; other != NULL && other->word != NULL;
	     other++)
		if (strncmp(text, other->word, strlen(other->word)) == 0)
			return arena_printf(arena,
			    "must not begin with %s: that is a key of the "
			    "other mode",
			    other->word);
	return store_text(setting, text, place, arena);
}

/* The rest of it is libpq's to read (libpq, 34.1.1); but what another program
 * would understand is told before the first request fails. */
static const char *
store_database(const struct setting *setting, const char *text, void *place,
    struct arena *arena)
{
	const char *colon = strstr(text, "://");

	if (colon != NULL && strcspn(text, "=") > (size_t)(colon - text) &&
	    strncmp(text, "postgresql://", 13) != 0 &&
	    strncmp(text, "postgres://", 11) != 0)
		return "must begin with postgresql:// or be of the form "
		       "\"host=... dbname=...\"";
	return store_text(setting, text, place, arena);
}

/* EasyPost's clients sign with the NFKD form of the secret. */
static const char *
store_nfkd(const struct setting *setting, const char *text, void *place,
    struct arena *arena)
{
	const char *form = nfkd_normalise(text);

	(void)setting; /* all of this kind are alike */
	(void)arena;   /* the form has memory of its own */
	if (form == NULL)
		return "must be UTF-8";
	memcpy(place, &form, sizeof(form));
	return NULL;
}

static void
show_text(const struct setting *setting, const void *place, struct buf *out)
{
	const char *text;

	memcpy(&text, place, sizeof(text));
	if (setting_is_secret(setting))
		text = *text == '\0' ? "" : "********";
	(void)buf_add_string(out, text); /* the caller looks at failed */
}

static void
show_number(const struct setting *setting, const void *place, struct buf *out)
{
	long number;
	int small;

	if (setting->kind == SETTING_LONG)
		memcpy(&number, place, sizeof(number));
	else {
		memcpy(&small, place, sizeof(small));
		number =
		    setting->kind == SETTING_SECONDS ? small / 1000 : small;
	}
	(void)buf_addf(out, "%ld", number); /* the caller looks at failed */
}

static void
show_truth(const struct setting *setting, const void *place, struct buf *out)
{
	bool value;

	(void)setting; /* all of this kind are alike */
	memcpy(&value, place, sizeof(value));
	(void)buf_add_string(out, value ? "true" : "false");
}

static void
show_choice(const struct setting *setting, const void *place, struct buf *out)
{
	const struct setting_choice *choice;
	int value;

	memcpy(&value, place, sizeof(value));
	for (choice = setting->choices; choice->word != NULL; choice++)
		if (choice->value == value)
			(void)buf_add_string(out, choice->word);
}

/* clang-format off */
static const struct {
	const char *(*store)(const struct setting *, const char *text,
	    void *place, struct arena *);
	void (*show)(const struct setting *, const void *place, struct buf *);
} kinds[] = {
	[SETTING_CHOICE]      = { store_choice,  show_choice },
	[SETTING_NUMBER]      = { store_number,  show_number },
	[SETTING_LONG]        = { store_number,  show_number },
	[SETTING_SECONDS]     = { store_number,  show_number },
	[SETTING_TRUTH]       = { store_truth,   show_truth },
	[SETTING_ADDRESS]     = { store_address, show_text },
	[SETTING_PATH]        = { store_path,    show_text },
	[SETTING_TOKEN]       = { store_token,   show_text },
	[SETTING_DATABASE]    = { store_database, show_text },
	[SETTING_NFKD_SECRET] = { store_nfkd,    show_text },
};

/* clang-format on */

const char *
setting_store(const struct setting *setting, const char *text, void *place,
    struct arena *arena)
{
	const unsigned char *at;

	for (at = (const unsigned char *)text; *at != '\0'; at++)
		if (*at < ' ' || *at == 0x7f)
			return "must not hold a control byte, such as a line "
			       "end";
	return kinds[setting->kind].store(setting, text, place, arena);
}

void
setting_show(const struct setting *setting, const void *place, struct buf *out)
{
	kinds[setting->kind].show(setting, place, out);
}
