/*
 * One event, one line on stderr: see log.h for the promises.
 *
 * A line is put together in memory of fixed size and written at once, so that
 * lines of several processes never mix.  Every byte that is not printable
 * ASCII is escaped: what we log may come from anybody.
 * What must stay true: errno is kept, and a line that is too long is cut in
 * such a way that it still parses.
 */
#include "shared/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	NAME_MAX_BYTES = 64,
	VALUE_MAX_BYTES = 1024, /* so that one value never hides the others */
	ESCAPE_MAX_BYTES = 4,   /* \xNN */
	TAIL_BYTES = 5,         /* `..."` and the newline */
};

struct line {
	char data[LOG_LINE_MAX];
	size_t len;
};

const char log_is_number[] = "number";

static enum log_priority least_priority = LOG_INFO;
static char own_name[NAME_MAX_BYTES];

/* Adds the text if it fits and leaves room for the tail. */
static bool
add(struct line *line, const char *text, size_t bytes)
{
	if (bytes > sizeof(line->data) - TAIL_BYTES - line->len)
		return false;
	memcpy(line->data + line->len, text, bytes);
	line->len += bytes;
	return true;
}

/* For what add() has left room for. */
static void
add_tail(struct line *line, const char *text)
{
	size_t bytes = strlen(text);

	memcpy(line->data + line->len, text, bytes);
	line->len += bytes;
}

/* May stand without quotes: no space, quote, equals sign or control byte. */
static bool
is_plain(const char *text)
{
	const char *plain = "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789-_.:/,@+*()%?&;~";
	size_t bytes = strlen(text);

	return bytes > 0 && bytes <= VALUE_MAX_BYTES &&
	    strspn(text, plain) == bytes;
}

static size_t
escape(unsigned char byte, char out[ESCAPE_MAX_BYTES])
{
	static const char hex[] = "0123456789abcdef";
	static const char from[] = "\"\\\n\r\t";
	static const char to[] = "\"\\nrt";
	const char *special = strchr(from, byte); /* never the zero byte */

	if (special == NULL && byte >= 0x20 && byte < 0x7f) {
		out[0] = (char)byte;
		return 1;
	}
	out[0] = '\\';
	if (special != NULL) {
		out[1] = to[special - from];
		return 2;
	}
	out[1] = 'x';
	out[2] = hex[byte >> 4];
	out[3] = hex[byte & 15];
	return 4;
}

static void
add_quoted(struct line *line, const char *text)
{
	char out[ESCAPE_MAX_BYTES];
	size_t begin = line->len;

	(void)add(line, "\"", 1); /* see least_value_bytes */
	for (; *text != '\0'; text++) {
		size_t bytes = escape((unsigned char)*text, out);

		if (line->len - begin > VALUE_MAX_BYTES ||
		    !add(line, out, bytes)) {
			add_tail(line, "...");
			break;
		}
	}
	add_tail(line, "\"");
}

static void
add_value(struct line *line, const struct log_field *field)
{
	if (field->text == log_is_number) {
		char number[32];
		int n = snprintf(number, sizeof(number), "%lld", field->number);
		(void)add(line, number, n < 0 ? 0 : (size_t)n);
	} else if (field->text == NULL)
		(void)add(line, "-", 1);
	else if (is_plain(field->text) &&
	    add(line, field->text, strlen(field->text)))
		return;
	else
		add_quoted(line, field->text);
}

/* A field is added with at least a part of its value, or not at all. */
static void
add_field(struct line *line, const struct log_field *field)
{
	const size_t least_value_bytes = 32;
	size_t bytes = strlen(field->key);

	if (line->len + bytes + least_value_bytes + TAIL_BYTES >
	    sizeof(line->data))
		return;
	(void)add(line, " ", 1);
	(void)add(line, field->key, bytes);
	(void)add(line, "=", 1);
	add_value(line, field);
}

void
log_set_priority(enum log_priority priority)
{
	least_priority = priority;
}

void
log_set_name(const char *name)
{
	/* Cut when longer: it is for the eye only. */
	(void)snprintf(own_name, sizeof(own_name), "%s", name);
}

void
log_write(enum log_priority priority, const char *event,
    const struct log_field *fields, size_t count)
{
	int saved_errno = errno;
	struct line line = { .len = 0 };
	const char level[] = { '<', (char)('0' + (int)priority), '>' };
	size_t i;
	ssize_t n;

	if (priority > least_priority)
		return;
	(void)add(&line, level, sizeof(level));
	(void)add(&line, event, strlen(event));
	if (own_name[0] != '\0')
		add_field(&line, &(struct log_field)LOG_TEXT("name", own_name));
	for (i = 0; i < count; i++)
		add_field(&line, &fields[i]);
	add_tail(&line, "\n");
	/* There is nobody to tell when the log itself cannot be written. */
	do
		n = write(STDERR_FILENO, line.data, line.len);
	while (n < 0 && errno == EINTR);
	errno = saved_errno;
}

void
log_fatal(const char *event, const char *reason)
{
	log_event(LOG_CRITICAL, event, LOG_TEXT("reason", reason));
	exit(EXIT_FAILURE);
}

void
log_panic(const char *event, const char *reason)
{
	log_event(LOG_CRITICAL, event, LOG_TEXT("reason", reason));
	abort();
}
