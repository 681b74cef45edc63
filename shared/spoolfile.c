/*
 * The bytes of one spool record: see spoolfile.h for the promises.
 *
 * Written once and read by nobody but us, so the reader is strict: it makes the
 * first line anew from what it found and wants the same bytes.  Strings that
 * are NULL are left out and come back as NULL.
 */
#include "shared/spoolfile.h"

#include "shared/hmac.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NUMBER_BYTES = 10,
	HEAD_BYTES_AT = sizeof("waybill-spool 1 ") - 1,
	BODY_BYTES_AT = HEAD_BYTES_AT + NUMBER_BYTES + 1,
	FIRST_LINE_BYTES =
	    BODY_BYTES_AT + NUMBER_BYTES + 1 + 2 * (SHA256_HEX_BYTES + 1),
	HEAD_MAX_BYTES = 64 * 1024, /* nginx refuses longer requests */
};

static const char *const kinds[] = {
	[SPOOL_ANSWER] = "answer",
	[SPOOL_WEBHOOK] = "webhook",
	[SPOOL_ITEM] = "item",
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static const struct {
	const char *name;
	size_t offset;
} texts[] = {
	{ "request_id", offsetof(struct spool_record, request_id) },
	{ "method", offsetof(struct spool_record, method) },
	{ "path", offsetof(struct spool_record, path) },
	{ "query", offsetof(struct spool_record, query) },
	{ "mode", offsetof(struct spool_record, mode) },
};

enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };

/* The first line and its zero byte. */
static void
print_first_line(char line[FIRST_LINE_BYTES + 1], const char *head,
    size_t head_bytes, const struct spool_record *record)
{
	unsigned char digest[SHA256_BYTES];
	char head_hex[SHA256_HEX_BYTES + 1];
	char body_hex[SHA256_HEX_BYTES + 1];

	hmac_sha256(head, head_bytes, digest);
	hmac_hex(digest, head_hex);
	hmac_sha256(record->body, record->body_bytes, digest);
	hmac_hex(digest, body_hex);
	/* Never cut: both lengths are below SPOOLFILE_MAX_BYTES. */
	(void)snprintf(line, FIRST_LINE_BYTES + 1,
	    "waybill-spool 1 %010zu %010zu %s %s\n", head_bytes,
	    record->body_bytes, head_hex, body_hex);
}

static bool
print_head(const struct spool_record *record, struct buf *head)
{
	size_t i;

	(void)buf_addf(head, "kind=%s\nstatus=%d\n", kinds[record->kind],
	    record->status); /* failure stays: looked at below */
	for (i = 0; i < TEXTS; i++) {
		const char *text;

		memcpy(&text, (const char *)record + texts[i].offset,
		    sizeof(text));
		if (text == NULL)
			continue;
		if (strchr(text, '\n') != NULL) {
			errno = EINVAL;
			return false;
		}
		(void)buf_addf(head, "%s=%s\n", texts[i].name, text);
	}
	return !head->failed; /* the first failure has set errno */
}

bool
spoolfile_begin(const struct spool_record *record, struct buf *out)
{
	struct buf head;
	bool is_good;

	buf_init(&head, HEAD_MAX_BYTES);
	is_good = print_head(record, &head);
	if (is_good &&
	    record->body_bytes >
		SPOOLFILE_MAX_BYTES - FIRST_LINE_BYTES - head.len) {
		errno = EFBIG;
		is_good = false;
	}
	if (is_good) {
		char line[FIRST_LINE_BYTES + 1];

		print_first_line(line, head.data, head.len, record);
		is_good = buf_add(out, line, FIRST_LINE_BYTES) &&
		    buf_add(out, head.data, head.len);
	}
	buf_free(&head);
	return is_good;
}

static bool
parse_line(char *line, struct spool_record *record)
{
	char *value = strchr(line, '=');
	size_t i;

	if (value == NULL)
		return false;
	*value++ = '\0';
	if (strcmp(line, "status") == 0) {
		record->status = (int)strtol(value, NULL, 10);
		return true;
	}
	if (strcmp(line, "kind") == 0) {
		for (i = 0; i < KINDS; i++)
			if (strcmp(value, kinds[i]) == 0)
				record->kind = (enum spool_kind)i;
		return true;
	}
	for (i = 0; i < TEXTS; i++)
		if (strcmp(line, texts[i].name) == 0)
			memcpy((char *)record + texts[i].offset, &value,
			    sizeof(value));
	return true;
}

const char *
spoolfile_parse(struct buf *content, struct spool_record *record)
{
	char line[FIRST_LINE_BYTES + 1];
	size_t head_bytes;
	char *at;
	char *end;

	*record = (struct spool_record){ .kind = SPOOL_ANSWER };
	if (content->len < FIRST_LINE_BYTES)
		return "the file is shorter than its first line";
	head_bytes = strtoul(content->data + HEAD_BYTES_AT, NULL, 10);
	record->body_bytes = strtoul(content->data + BODY_BYTES_AT, NULL, 10);
	if (head_bytes > content->len - FIRST_LINE_BYTES ||
	    record->body_bytes != content->len - FIRST_LINE_BYTES - head_bytes)
		return "the length is not the one written down";
	at = content->data + FIRST_LINE_BYTES;
	end = at + head_bytes;
	record->body = end;
	print_first_line(line, at, head_bytes, record);
	if (memcmp(line, content->data, FIRST_LINE_BYTES) != 0)
		return "the SHA-256 is not the one written down";
	while (at < end) {
		char *line_end = memchr(at, '\n', (size_t)(end - at));

		if (line_end == NULL)
			return "a line has no end";
		*line_end = '\0';
		if (!parse_line(at, record))
			return "a line is not name=value";
		at = line_end + 1;
	}
	return NULL;
}
