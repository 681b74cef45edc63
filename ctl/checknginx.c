/*
 * The main file of nginx, which is the administrator's: whether there is room for
 * slow clients and everybody else beside them.
 *
 * Only that file is read, not what it includes; Debian has all three directives
 * there.  What must stay true: no nginx on this host is no fault.
 */
#include "ctl/check.h"
#include "shared/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILE_MAX_BYTES = 1024 * 1024,
	CONNECTIONS_LEAST = 4096, /* 3,000 slow ones, and room */
	CONNECTIONS_DEFAULT = 512,
	WORD_MAX = PATH_MAX,
};

static const char ends[] = " \t\r\n;{}";

/* What stands behind a directive; "" when it is not there.  Comments and
 * everything else are passed over word by word. */
static void
find_directive(const char *text, const char *name, char value[WORD_MAX])
{
	size_t bytes = strlen(name);

	*value = '\0';
	while (*text != '\0') {
		size_t word = strcspn(text, ends);

		if (*text == '#') {
			text += strcspn(text, "\n");
		} else if (word == bytes && strncmp(text, name, bytes) == 0) {
			text += word;
			text += strspn(text, " \t\r\n");
			(void)snprintf(value, WORD_MAX, "%.*s",
			    (int)strcspn(text, ends), text); /* a path fits */
			return;
		} else {
			text += word == 0 ? 1 : word;
		}
	}
}

static long
number_of(const char *text, const char *name, long otherwise)
{
	char value[WORD_MAX];

	find_directive(text, name, value);
	return *value == '\0' ? otherwise : strtol(value, NULL, 10);
}

/* How many files a process of the running nginx may open; -1: nobody knows. */
static long
limit_of_process(const char *text)
{
	static const char line[] = "\nMax open files";
	char path[WORD_MAX];
	struct buf content;
	const char *found;
	long limit = -1;

	find_directive(text, "pid", path);
	buf_init(&content, FILE_MAX_BYTES);
	if (*path != '\0' && file_read(path, &content) && content.len > 0) {
		(void)snprintf(path, sizeof(path), "/proc/%ld/limits",
		    strtol(content.data, NULL, 10)); /* fits */
		buf_reset(&content, FILE_MAX_BYTES);
		if (file_read(path, &content) && content.len > 0 &&
		    (found = strstr(content.data, line)) != NULL)
			limit = strtol(found + strlen(line), NULL, 10);
	}
	buf_free(&content);
	return limit;
}

static void
judge(const char *file, const char *text, struct verdict *verdict)
{
	long connections =
	    number_of(text, "worker_connections", CONNECTIONS_DEFAULT);
	long files =
	    number_of(text, "worker_rlimit_nofile", limit_of_process(text));

	verdict_set(verdict, VERDICT_OK,
	    "connections of each of its processes: %ld", connections);
	if (connections < CONNECTIONS_LEAST) {
		verdict_set(verdict, VERDICT_WARN,
		    "worker_connections is %ld: as many slow clients keep "
		    "everybody else out",
		    connections);
		verdict_cure(verdict,
		    "sed -i 's/worker_connections .*/worker_connections "
		    "8192;/' "
		    "%s; systemctl reload nginx",
		    file);
	} else if (files >= 0 && files < connections) {
		verdict_set(verdict, VERDICT_WARN,
		    "each of its processes may open %ld files, and have %ld "
		    "connections",
		    files, connections);
		verdict_cure(verdict,
		    "sed -i '1i worker_rlimit_nofile 20000;' %s; systemctl "
		    "reload nginx",
		    file);
	}
}

void
check_nginx(struct check *check, int subject, struct verdict *verdict)
{
	struct buf text;

	(void)subject;
	buf_init(&text, FILE_MAX_BYTES);
	if (file_read(check->nginx_file, &text)) {
		judge(
		    check->nginx_file, text.len == 0 ? "" : text.data, verdict);
	} else {
		verdict_set(verdict, VERDICT_SKIP, "%s: %s", check->nginx_file,
		    strerror(errno));
		verdict_cure(verdict,
		    "on the host of nginx: waybill check --nginx FILE");
	}
	buf_free(&text);
}
