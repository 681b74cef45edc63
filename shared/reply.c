/*
 * Headers of answers are kept in one text, "name\0value\0" each.
 *
 * What must stay true: no header, however long or odd, makes an answer fail.
 */
#include "shared/reply.h"

#include <string.h>
#include <strings.h>

enum {
	HEADER_TEXT_MAX = 64 * 1024,
	HEADER_LINE_MAX = 16 * 1024,
	BODY_KEPT_BYTES = 256 * 1024, /* by an answer that waits for its next */
};

void
reply_init(struct reply *answer)
{
	memset(answer, 0, sizeof(*answer));
	buf_init(&answer->body, REPLY_BODY_MAX);
	buf_init(&answer->header_text, HEADER_TEXT_MAX);
}

void
reply_reset(struct reply *answer)
{
	answer->status = 0;
	answer->header_count = 0;
	answer->is_header_complete = false;
	buf_reset(&answer->body, BODY_KEPT_BYTES);
	buf_reset(&answer->header_text, HEADER_TEXT_MAX);
}

const char *
reply_header(const struct reply *answer, const char *name)
{
	for (int i = 0; i < answer->header_count; i++)
		if (strcasecmp(answer->headers[i].name, name) == 0)
			return answer->headers[i].value;
	return NULL;
}

static void
keep_header(struct reply *answer, const char *line, size_t bytes)
{
	const char *colon = memchr(line, ':', bytes);
	const char *end = line + bytes;
	const char *value = colon == NULL ? end : colon + 1;
	size_t needed = bytes + 2;

	if (needed > HEADER_LINE_MAX ||
	    needed > HEADER_TEXT_MAX - answer->header_text.len)
		return;
	while (end > value && strchr(" \t\r\n", end[-1]) != NULL)
		end--;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	if (colon == NULL || colon == line || *line == ' ' || *line == '\t' ||
	    memchr(line, '\0', bytes) != NULL ||
	    answer->header_count == REPLY_HEADERS_MAX ||
	    buf_room(&answer->header_text, needed) == NULL)
		return;
	/* There is room for all four. */
	(void)buf_add(&answer->header_text, line, (size_t)(colon - line));
	(void)buf_add_byte(&answer->header_text, '\0');
	(void)buf_add(&answer->header_text, value, (size_t)(end - value));
	(void)buf_add_byte(&answer->header_text, '\0');
	answer->header_count++;
}

/* "HTTP/1.1 200 OK": libcurl has checked its form. */
static int
read_status(const char *line, size_t bytes)
{
	const char *at = memchr(line, ' ', bytes);
	int status = 0;

	if (at == NULL)
		return 0;
	for (at++; at < line + bytes && *at >= '0' && *at <= '9'; at++)
		status = status < 100 ? status * 10 + (*at - '0') : 0;
	return status;
}

void
reply_free(struct reply *answer)
{
	buf_free(&answer->body);
	buf_free(&answer->header_text);
}

/* A status line begins a header; those of 1xx answers are followed by another,
 * which takes their place. */
void
reply_take_line(struct reply *answer, const char *line, size_t bytes)
{
	if (answer->is_header_complete)
		return;
	if (bytes > 9 && strncmp(line, "HTTP/", 5) == 0) {
		buf_reset(&answer->header_text, HEADER_TEXT_MAX);
		answer->header_count = 0;
		answer->status = read_status(line, bytes);
		return;
	}
	if (bytes <= 2 && (*line == '\r' || *line == '\n'))
		answer->is_header_complete = answer->status >= 200;
	else
		keep_header(answer, line, bytes);
}

void
reply_finish(struct reply *answer)
{
	/* The text may have moved while it grew; now it stands still. */
	const char *at = answer->header_text.data;

	for (int i = 0; i < answer->header_count; i++) {
		answer->headers[i].name = at;
		at += strlen(at) + 1;
		answer->headers[i].value = at;
		at += strlen(at) + 1;
	}
}
