/*
 * The commands of the operator's program: each takes its own words, words[0]
 * being its name, and returns the exit status.
 */
#ifndef WAYBILL_COMMANDS_H
#define WAYBILL_COMMANDS_H

#include "shared/conf.h"

/* Exit status of the program. */
enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

int migrate_run(const struct conf *, int count, char **words);
int key_run(const struct conf *, int count, char **words);
int refresh_run(const struct conf *, int count, char **words);
int jobs_run(const struct conf *, int count, char **words);
int config_run(const struct conf *, int count, char **words);

#endif
