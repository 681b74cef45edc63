/*
 * waybill config: what the programs would run with, secrets masked.
 */
#include "ctl/commands.h"
#include "shared/buf.h"

#include <stdio.h>

enum { TEXT_MAX_BYTES = 64 * 1024 };

int
config_run(const struct conf *conf, int count, char **words)
{
	struct buf text;
	int status;

	(void)words; /* there are none but the name */
	if (count != 1)
		return CTL_USAGE;
	buf_init(&text, TEXT_MAX_BYTES);
	conf_print(conf, &text);
	if (!text.failed && text.len > 0)
		(void)fputs(text.data, stdout); /* main looks at the end */
	status = text.failed ? CTL_FAILED : CTL_OK;
	buf_free(&text);
	return status;
}
