/*
 * The syntax of systemd's EnvironmentFile=: see envfile.h for the promises.
 *
 * Comments begin with # or ; at the start of a line only.  Values are bare
 * (outer blanks dropped, backslash keeps the next byte, backslash newline
 * joins), '...' (nothing is special) or "..." (backslash before " \ ` $ or a
 * newline), and pieces may follow each other directly, as in systemd's
 * src/basic/env-file.c.  Lines may end in CR LF.
 */
#include "shared/envfile.h"

#include "shared/buf.h"

#include <string.h>

struct reader {
	const char *at;
	const char *end;
	int line;
	struct buf name;
	struct buf value;
	struct envfile_problem *problem;
};

static bool
refuse(struct reader *r, const char *sentence)
{
	r->problem->sentence = sentence;
	r->problem->line = r->line;
	return false;
}

static bool
is_blank(const struct reader *r)
{
	return r->at < r->end && (*r->at == ' ' || *r->at == '\t');
}

/* The bytes of the line end that stands here, or 0. */
static size_t
newline_bytes(const struct reader *r)
{
	size_t left = (size_t)(r->end - r->at);

	if (left >= 1 && r->at[0] == '\n')
		return 1;
	if (left >= 2 && r->at[0] == '\r' && r->at[1] == '\n')
		return 2;
	return 0;
}

static bool
is_line_end(const struct reader *r)
{
	return r->at == r->end || newline_bytes(r) > 0;
}

static bool
skip_newline(struct reader *r)
{
	size_t bytes = newline_bytes(r);

	r->at += bytes;
	r->line += bytes > 0;
	return bytes > 0;
}

static void
skip_blanks(struct reader *r)
{
	while (is_blank(r))
		r->at++;
}

static void
skip_line(struct reader *r)
{
	while (!is_line_end(r))
		r->at++;
	(void)skip_newline(r); /* the last line needs none */
}

/* One byte of a value, counted when it ends a line. */
static void
take(struct reader *r)
{
	r->line += *r->at == '\n';
	(void)buf_add_byte(&r->value, *r->at++); /* failure: looked at later */
}

static bool
read_name(struct reader *r)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789_";

	buf_reset(&r->name, r->name.size);
	while (r->at < r->end && strchr(allowed, *r->at) != NULL)
		(void)buf_add_byte(&r->name, *r->at++);
	skip_blanks(r);
	/* A name for which there was no memory is told by read_line(). */
	if ((r->name.len == 0 && !r->name.failed) || r->at == r->end ||
	    *r->at != '=')
		return refuse(r, "a line must be KEY=VALUE or a comment");
	r->at++;
	return true;
}

static bool
read_single_quoted(struct reader *r)
{
	r->at++;
	while (r->at < r->end && *r->at != '\'')
		take(r);
	if (r->at == r->end)
		return refuse(r, "a single quote is not closed");
	r->at++;
	return true;
}

static void
read_double_quoted_escape(struct reader *r)
{
	r->at++;
	if (skip_newline(r))
		return;
	if (r->at < r->end && strchr("\"\\`$", *r->at) == NULL)
		(void)buf_add_byte(&r->value, '\\');
	if (r->at < r->end)
		take(r);
}

static bool
read_double_quoted(struct reader *r)
{
	r->at++;
	while (r->at < r->end && *r->at != '"') {
		if (*r->at == '\\')
			read_double_quoted_escape(r);
		else
			take(r);
	}
	if (r->at == r->end)
		return refuse(r, "a double quote is not closed");
	r->at++;
	return true;
}

/* The rest of the line; blanks at its end do not count unless escaped. */
static void
read_bare(struct reader *r)
{
	size_t kept = r->value.len;

	while (!is_line_end(r)) {
		bool is_padding = is_blank(r);

		if (*r->at == '\\') {
			r->at++;
			if (skip_newline(r) || r->at == r->end)
				continue;
		}
		take(r);
		if (!is_padding)
			kept = r->value.len;
	}
	if (r->value.data != NULL && kept < r->value.len) {
		r->value.len = kept;
		r->value.data[kept] = '\0';
	}
}

static bool
read_value(struct reader *r)
{
	buf_reset(&r->value, r->value.size);
	(void)buf_add_string(&r->value, ""); /* so that data is not NULL */
	skip_blanks(r);
	while (!is_line_end(r)) {
		if (*r->at == '\'' || *r->at == '"') {
			if (!(*r->at == '"' ? read_double_quoted(r)
					    : read_single_quoted(r)))
				return false;
			if (!is_blank(r))
				continue;
			skip_blanks(r);
			if (!is_line_end(r))
				return refuse(r,
				    "nothing may follow a quoted value, not "
				    "even a comment");
		} else
			read_bare(r);
	}
	(void)skip_newline(r); /* the last line needs none */
	return true;
}

static bool
read_line(struct reader *r, envfile_function *assign, void *context)
{
	int line;

	skip_blanks(r);
	if (r->at == r->end || skip_newline(r))
		return true;
	if (*r->at == '#' || *r->at == ';') {
		skip_line(r);
		return true;
	}
	line = r->line;
	if (!read_name(r) || !read_value(r)) {
		r->problem->line = line; /* where the quote was opened */
		return false;
	}
	if (r->name.failed || r->value.failed)
		return refuse(r, "out of memory");
	r->problem->line = line;
	return assign(context, r->name.data, r->value.data, line);
}

bool
envfile_parse(const char *text, size_t bytes, envfile_function *assign,
    void *context, struct envfile_problem *problem)
{
	struct reader r = {
		.at = text, .end = text + bytes, .line = 1, .problem = problem
	};
	bool is_good = true;

	*problem = (struct envfile_problem){ .line = 1 };
	if (bytes > 0 && memchr(text, '\0', bytes) != NULL)
		return refuse(&r, "the file holds a zero byte");
	buf_init(&r.name, bytes + 1);
	buf_init(&r.value, bytes + 1);
	while (is_good && r.at < r.end)
		is_good = read_line(&r, assign, context);
	buf_free(&r.name);
	buf_free(&r.value);
	return is_good;
}
