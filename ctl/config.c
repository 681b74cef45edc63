/*
 * waybill config: what the programs would run with, secrets masked.
 *
 * With keys, those alone; the units ask so whether there is anything to do yet.
 */
#include "ctl/commands.h"
#include "shared/buf.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX_BYTES = 64 * 1024 };

/* "KEY=value # origin" among all lines, or NULL. */
static const char *
find_line(const char *text, const char *key)
{
	size_t bytes = strlen(key);

	while (text != NULL &&
	    (strncmp(text, key, bytes) != 0 || text[bytes] != '=')) {
		text = strchr(text, '\n');
		text = text == NULL || text[1] == '\0' ? NULL : text + 1;
	}
	return text;
}

/* Done when one of them at least has a value. */
static int
print_some(const char *text, int count, char **keys)
{
	int status = CTL_FAILED;

	for (int i = 0; i < count; i++) {
		const char *line = find_line(text, keys[i]);

		if (line == NULL) {
			(void)fprintf(
			    stderr, "waybill: there is no key of this name\n");
			return CTL_USAGE;
		}
		(void)printf("%.*s\n", (int)strcspn(line, "\n"), line);
		if (line[strlen(keys[i]) + 1] != ' ')
			status = CTL_OK;
	}
	return status; /* main looks whether it was printed */
}

int
config_run(const struct conf *conf, int count, char **words)
{
	struct buf text;
	int status = CTL_FAILED;

	buf_init(&text, TEXT_MAX_BYTES);
	conf_print(conf, &text);
	if (text.failed || text.len == 0) {
		(void)fprintf(stderr,
		    "waybill: the configuration was not shown: out of "
		    "memory\n");
	} else if (count > 1) {
		status = print_some(text.data, count - 1, words + 1);
	} else {
		(void)fputs(text.data, stdout); /* main looks at the end */
		status = CTL_OK;
	}
	buf_free(&text);
	return status;
}
